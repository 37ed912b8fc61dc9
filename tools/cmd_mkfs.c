/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs mkfs, mkfs.scoutfs: makes a new filesystem on two devices.
 *
 * Everything that can be refused is refused before the first byte is written:
 * arguments (usage errors), devices that can not be had exclusively, devices
 * that hold something, sizes.  The format itself is the core's.
 */
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "host/host.h"
#include "parse.h"
#include "printer.h"
#include "scoutfs/ioctl.h"
#include "signature.h"

#define MIN_ZONE_BLOCKS (1ULL << 20)

struct mkfs_opts {
	struct common_opts com;
	char *paths[SFS_NR_DEVS];
	struct sfs_format_opts fmt;
	__u64 limits[SFS_NR_DEVS];	/* 0: all of the device */
	bool force;
};

static const char *const dev_names[SFS_NR_DEVS] = {
	[SFS_DEV_META] = "metadata",
	[SFS_DEV_DATA] = "data",
};

static const __u64 block_bytes[SFS_NR_DEVS] = {
	[SFS_DEV_META] = SCOUTFS_META_BLOCK_BYTES,
	[SFS_DEV_DATA] = SCOUTFS_DATA_BLOCK_BYTES,
};

static const struct argp_option options[] = {
	{ "quorum-slot", 'Q', "NR,ADDR,PORT", 0,
	  "Store the address of a quorum member, once for each slot; NR is in "
	  "0..14, ADDR a numeric IPv4 address" },
	{ "allow-small-size", 'A', NULL, 0,
	  "No effect: small devices need no permission" },
	{ "force", 'f', NULL, 0,
	  "Overwrite filesystems and partition tables on the devices" },
	{ "max-meta-size", 'm', "SIZE", 0,
	  "Use no more than SIZE of the metadata device" },
	{ "max-data-size", 'd', "SIZE", 0,
	  "Use no more than SIZE of the data device" },
	{ "format-version", 'V', "VERSION", 0,
	  "Interface version of the filesystem, 1 or 2; default: 2" },
	{ "data-alloc-zone-blocks", 'z', "BLOCKS", 0,
	  "Size in 4KB blocks of the zones that mounts allocate data from" },
	OPTION_JSON,
	{ 0 },
};

/* ---- arguments ---------------------------------------------------------- */

static void take_size(struct argp_state *state, int dev, const char *arg)
{
	struct mkfs_opts *opts = state->input;
	__u64 size;

	if (parse_size(arg, &size) || size == 0)
		argp_error(state, "'%s' is not a size of the %s device", arg,
			   dev_names[dev]);
	opts->limits[dev] = size;
}

static void take_slot(struct argp_state *state, const char *arg)
{
	struct mkfs_opts *opts = state->input;
	char msg[256];

	if (parse_quorum_slot(arg, opts->fmt.slots, msg, sizeof(msg)))
		argp_error(state, "%s", msg);
}

static void take_version(struct argp_state *state, const char *arg)
{
	struct mkfs_opts *opts = state->input;
	__u64 version;

	if (parse_u64_range(arg, 1, 2, &version))
		argp_error(state, "format version '%s' is not in 1..2", arg);
	opts->fmt.interface_version = (__u32)version;
}

static void take_zone(struct argp_state *state, const char *arg)
{
	struct mkfs_opts *opts = state->input;
	__u64 blocks;

	if (parse_u64_range(arg, 1, ~0ULL, &blocks))
		argp_error(state, "'%s' is not a number of blocks of a zone",
			   arg);
	opts->fmt.data_alloc_zone_blocks = blocks;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { "META", "DATA", NULL };
	struct mkfs_opts *opts = state->input;

	switch (key) {
	case 'Q':
		take_slot(state, arg);
		return 0;
	case 'A':
		return 0;
	case 'f':
		opts->force = true;
		return 0;
	case 'm':
		take_size(state, SFS_DEV_META, arg);
		return 0;
	case 'd':
		take_size(state, SFS_DEV_DATA, arg);
		return 0;
	case 'V':
		take_version(state, arg);
		return 0;
	case 'z':
		take_zone(state, arg);
		return 0;
	default:
		return args_common(state, key, arg, &opts->com, names, 2,
				   opts->paths);
	}
}

static const struct argp argp = {
	options, parse_opt, "META DATA",
	"Make a scoutfs filesystem on the metadata device META and the data "
	"device DATA: block devices or files of at least 64 MiB.\v"
	"SIZE is a number with an optional unit K, M, G, T or P, powers of "
	"1024.",
};

/* ---- sizes -------------------------------------------------------------- */

/* The bytes to use of a device. */
static int choose_size(const struct mkfs_opts *opts, struct sfs_host *host,
		       int dev, __u64 *ret_bytes)
{
	__u64 size = sfs_port_dev_size(host, dev);
	__u64 limit = opts->limits[dev];
	__u64 bytes = size;

	if (limit > size)
		fprintf(stderr,
			"ignoring the limit of %llu bytes, %s device '%s' has only %llu\n",
			(unsigned long long)limit, dev_names[dev],
			opts->paths[dev], (unsigned long long)size);
	else if (limit)
		bytes = limit;
	if (limit && bytes % block_bytes[dev])
		fprintf(stderr,
			"rounding the size of %s device '%s' down to a multiple of %lluKB\n",
			dev_names[dev], opts->paths[dev],
			(unsigned long long)block_bytes[dev] >> 10);
	bytes -= bytes % block_bytes[dev];
	/* a device that is too small itself has not been opened */
	if (bytes < SFS_MIN_DEV_BYTES)
		return fail(-EINVAL,
			    "%llu bytes of %s device '%s' are too few, the minimum is %llu (64 MiB)",
			    (unsigned long long)bytes, dev_names[dev],
			    opts->paths[dev],
			    (unsigned long long)SFS_MIN_DEV_BYTES);
	*ret_bytes = bytes;
	return 0;
}

static int check_zone(const struct sfs_format_opts *fmt)
{
	__u64 zone = fmt->data_alloc_zone_blocks;
	__u64 total = fmt->data_bytes / SCOUTFS_DATA_BLOCK_BYTES;
	__u64 min = (total + 1023) / 1024;

	if (min < MIN_ZONE_BLOCKS)
		min = MIN_ZONE_BLOCKS;
	if (zone == 0 || (zone >= min && zone <= total))
		return 0;
	if (min > total)
		return fail(-EINVAL,
			    "the data device has %llu blocks, too few for zones of at least %llu; leave out -z",
			    (unsigned long long)total,
			    (unsigned long long)min);
	return fail(-EINVAL,
		    "zones of %llu blocks do not fit the data device, they have %llu to %llu",
		    (unsigned long long)zone, (unsigned long long)min,
		    (unsigned long long)total);
}

static int choose_sizes(struct mkfs_opts *opts, struct sfs_host *host)
{
	int ret;

	ret = choose_size(opts, host, SFS_DEV_META, &opts->fmt.meta_bytes);
	if (ret == 0)
		ret = choose_size(opts, host, SFS_DEV_DATA,
				  &opts->fmt.data_bytes);
	if (ret == 0)
		ret = check_zone(&opts->fmt);
	return ret;
}

/* ---- result ------------------------------------------------------------- */

static void print_blocks(struct printer *pr, const char *name,
			 const char *label, __u64 bytes, __u64 block)
{
	char size[24];
	char text[64];

	printer_human(size, sizeof(size), " ", bytes);
	snprintf(text, sizeof(text), "%llu (%s)",
		 (unsigned long long)(bytes / block), size);
	printer_u64_as(pr, name, label, bytes / block, text);
}

static void print_slots(struct printer *pr, const struct sfs_volume_id *id)
{
	char addr[INET_ADDRSTRLEN];
	char text[64];
	int i;

	for (i = 0; i < SFS_MAX_SLOTS; i++) {
		if (!id->slots[i].used)
			continue;
		inet_ntop(AF_INET, id->slots[i].addr, addr, sizeof(addr));
		snprintf(text, sizeof(text), "%d: %s:%u", i, addr,
			 id->slots[i].port);
		printer_item(pr, "quorum_slots", "quorum slots", text);
	}
}

static void print_volume(const struct mkfs_opts *opts,
			 const struct sfs_volume_id *id)
{
	static const struct printer_layout layout = {
		.style = PRINTER_LABELS,
		.title = "Created scoutfs filesystem:",
		.indent = 2,
		.width = 22,
		.colon = ":",
	};
	struct printer *pr = printer_create(stdout, opts->com.json, &layout);
	const __u8 *u = id->uuid;
	char buf[64];

	printer_str(pr, "meta_device", "meta device path",
		    opts->paths[SFS_DEV_META]);
	printer_str(pr, "data_device", "data device path",
		    opts->paths[SFS_DEV_DATA]);
	snprintf(buf, sizeof(buf), "%llx", (unsigned long long)id->fsid);
	printer_str(pr, "fsid", NULL, buf);
	snprintf(buf, sizeof(buf),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9],
		 u[10], u[11], u[12], u[13], u[14], u[15]);
	printer_str(pr, "uuid", NULL, buf);
	printer_u64_as(pr, "format_version", "format version",
		       id->interface_version, NULL);
	print_blocks(pr, "meta_blocks", "64KB metadata blocks", id->meta_bytes,
		     SCOUTFS_META_BLOCK_BYTES);
	print_blocks(pr, "data_blocks", "4KB data blocks", id->data_bytes,
		     SCOUTFS_DATA_BLOCK_BYTES);
	printer_u64_as(pr, "quorum_config_version", "quorum config version",
		       id->quorum_version, NULL);
	print_slots(pr, id);
	printer_end(pr);
	printer_destroy(pr);
}

/* ---- */

/*
 * What the devices hold is in nobody's way after this.  -f is not meant for a
 * volume that another host has mounted.
 */
static int clear_way(const struct mkfs_opts *opts, struct sfs_host *host)
{
	int (*step)(const char *path) = opts->force ? signature_wipe :
						      signature_check;
	int ret = 0;

	if (opts->force)
		ret = sfs_owner_check(host);
	if (ret == 0)
		ret = step(opts->paths[SFS_DEV_META]);
	if (ret == 0)
		ret = step(opts->paths[SFS_DEV_DATA]);
	return ret;
}

static int mkfs(struct mkfs_opts *opts, struct sfs_host *host)
{
	struct sfs_volume_id id;
	int ret;

	ret = choose_sizes(opts, host);
	if (ret)
		return ret;
	ret = clear_way(opts, host);
	if (ret)
		/* the errno of a device that holds something */
		return ret == -EEXIST ? -EINVAL : ret;
	ret = sfs_format(host, &opts->fmt, &id);
	if (ret)
		return fail_errno(ret,
				  "failed to write the filesystem to '%s' and '%s'",
				  opts->paths[SFS_DEV_META],
				  opts->paths[SFS_DEV_DATA]);
	print_volume(opts, &id);
	return 0;
}

static int run(int argc, char **argv)
{
	struct mkfs_opts opts = { .fmt.interface_version = 2 };
	struct sfs_host *host;
	int ret;

	args_parse(&argp, argc, argv, &opts);
	sfs_host_log_init("mkfs", SFS_LOG_STDERR, false);
	ret = sfs_host_open(opts.paths[SFS_DEV_META],
			    opts.paths[SFS_DEV_DATA], SFS_HOST_FORMAT, &host);
	if (ret)
		return ret;
	ret = mkfs(&opts, host);
	sfs_host_close(host);
	return ret;
}

const struct cmd cmd_mkfs = {
	.name = "mkfs",
	.group = CMD_ADMIN,
	.args = "[OPTION...] META DATA",
	.summary = "make a new filesystem",
	.run = run,
};

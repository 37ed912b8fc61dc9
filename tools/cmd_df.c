/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs df: how full the two devices are.
 *
 * Free is the sum of what all owners of free space report, the server's pools
 * and every mount's own stock.  Of metadata a reserve stays out of reach for
 * ordinary operations; Free is without it, Used does not count it.
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "printer.h"
#include "scoutfs/ioctl.h"

/* A mount has four entries; nobody has this many mounts. */
#define MAX_ENTRIES (1U << 24)

struct df_opts {
	struct common_opts com;
	bool human;
};

static const struct argp_option options[] = {
	{ "human-readable", 'h', NULL, 0,
	  "Print sizes in units of powers of 1024" },
	OPTION_PATH,
	OPTION_JSON,
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { NULL };
	struct df_opts *opts = state->input;

	switch (key) {
	case 'h':
		opts->human = true;
		return 0;
	default:
		return args_common(state, key, arg, &opts->com, names, 0,
				   NULL);
	}
}

static const struct argp argp = {
	options, parse_opt, "",
	"Show used and free blocks of the metadata and the data device of a "
	"mounted filesystem.",
};

/* Returns the number of entries. */
static int read_detail(int fd, const char *path,
		       struct scoutfs_ioctl_alloc_detail_entry **ret_ents)
{
	struct scoutfs_ioctl_alloc_detail_entry *ents = NULL;
	struct scoutfs_ioctl_alloc_detail ad = { .entries_nr = 64 };
	void *larger;
	int ret;

	do {
		ad.entries_nr *= 2;
		if (ad.entries_nr > MAX_ENTRIES) {
			ret = fail(-EOVERFLOW,
				   "ALLOC_DETAIL ioctl on '%s' has no end",
				   path);
			break;
		}
		larger = realloc(ents, ad.entries_nr * sizeof(*ents));
		if (!larger) {
			ret = fail(-ENOMEM, "out of memory");
			break;
		}
		ents = larger;
		ad.entries_ptr = (unsigned long)ents;
		ret = call_ioctl(fd, path, "ALLOC_DETAIL",
				 SCOUTFS_IOC_ALLOC_DETAIL, &ad, -EOVERFLOW);
	} while (ret == -EOVERFLOW);
	if (ret < 0)
		free(ents);
	else
		*ret_ents = ents;
	return ret;
}

static void print_blocks(struct printer *pr, const struct df_opts *opts,
			 const char *name, const char *label, __u64 blocks,
			 __u64 block_bytes)
{
	char buf[24];

	if (opts->human)
		printer_human(buf, sizeof(buf), "", blocks * block_bytes);
	printer_u64_as(pr, name, label, blocks, opts->human ? buf : NULL);
}

static void print_row(struct printer *pr, const struct df_opts *opts,
		      const char *type, __u64 block_bytes, __u64 total,
		      __u64 all_free, __u64 reserved)
{
	__u64 used = total > all_free ? total - all_free : 0;
	__u64 avail = all_free > reserved ? all_free - reserved : 0;
	__u64 percent = total ? (__u64)((double)used * 100.0 / total) : 0;
	char buf[24];

	printer_str(pr, "type", "Type", type);
	snprintf(buf, sizeof(buf), "%lluKB",
		 (unsigned long long)block_bytes >> 10);
	printer_u64_as(pr, "block_bytes", "Size", block_bytes, buf);
	print_blocks(pr, opts, "total", "Total", total, block_bytes);
	print_blocks(pr, opts, "used", "Used", used, block_bytes);
	print_blocks(pr, opts, "free", "Free", avail, block_bytes);
	printer_u64_as(pr, "used_percent", "Use%", percent, NULL);
	printer_end(pr);
}

static void print_df(const struct df_opts *opts,
		     const struct scoutfs_ioctl_statfs_more *sfm,
		     const struct scoutfs_ioctl_alloc_detail_entry *ents,
		     int nr)
{
	static const struct printer_layout layout = { .style = PRINTER_TABLE };
	struct printer *pr = printer_create(stdout, opts->com.json, &layout);
	__u64 meta = 0;
	__u64 data = 0;
	int i;

	for (i = 0; i < nr; i++) {
		if (ents[i].meta)
			meta += ents[i].blocks;
		else
			data += ents[i].blocks;
	}
	print_row(pr, opts, "MetaData", SCOUTFS_META_BLOCK_BYTES,
		  sfm->total_meta_blocks, meta, sfm->reserved_meta_blocks);
	print_row(pr, opts, "Data", SCOUTFS_DATA_BLOCK_BYTES,
		  sfm->total_data_blocks, data, 0);
	printer_destroy(pr);
}

static int df(int fd, void *arg)
{
	const struct df_opts *opts = arg;
	struct scoutfs_ioctl_alloc_detail_entry *ents;
	struct scoutfs_ioctl_statfs_more sfm = { 0 };
	int ret;

	ret = call_ioctl(fd, opts->com.path, "STATFS_MORE",
			 SCOUTFS_IOC_STATFS_MORE, &sfm, 0);
	if (ret < 0)
		return ret;
	ret = read_detail(fd, opts->com.path, &ents);
	if (ret < 0)
		return ret;
	print_df(opts, &sfm, ents, ret);
	free(ents);
	return 0;
}

static int run(int argc, char **argv)
{
	struct df_opts opts = { .com.path = NULL };

	args_parse(&argp, argc, argv, &opts);
	return on_path(&opts.com, df, &opts);
}

const struct cmd cmd_df = {
	.name = "df",
	.group = CMD_INFO,
	.args = "[-h]",
	.summary = "show free space on the devices of a mount",
	.run = run,
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs statfs: what scoutfs knows of a mount beyond statfs(2).
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "printer.h"
#include "scoutfs/ioctl.h"

struct statfs_opts {
	const char *path;
	const char *field;
	bool json;
};

static const struct argp_option options[] = {
	OPTION_PATH,
	{ "single_field", 's', "FIELD", 0,
	  "Print only the value of FIELD: fsid, rid, committed_seq, "
	  "total_meta_blocks or total_data_blocks" },
	OPTION_JSON,
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { NULL };
	struct statfs_opts *opts = state->input;

	switch (key) {
	case 'p':
		opts->path = arg;
		return 0;
	case 's':
		opts->field = arg;
		return 0;
	case OPT_JSON:
		opts->json = true;
		return 0;
	default:
		return args_positional(state, key, arg, names, 0, NULL);
	}
}

static const struct argp argp = {
	options, parse_opt, "",
	"Show identity, stable sequence and size of a mounted filesystem.",
};

static void print_id(struct printer *pr, const char *name, __u64 id)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%016llx", (unsigned long long)id);
	printer_str(pr, name, NULL, buf);
}

static int print_statfs(const struct statfs_opts *opts,
			const struct scoutfs_ioctl_statfs_more *sfm)
{
	static const struct printer_layout layout = {
		.style = PRINTER_LABELS,
		.width = 17,
	};
	struct printer *pr = printer_create(stdout, opts->json, &layout);
	int ret = 0;

	if (opts->field)
		printer_only(pr, opts->field);
	print_id(pr, "fsid", sfm->fsid);
	print_id(pr, "rid", sfm->rid);
	printer_u64(pr, "committed_seq", sfm->committed_seq);
	printer_u64(pr, "total_meta_blocks", sfm->total_meta_blocks);
	printer_u64(pr, "total_data_blocks", sfm->total_data_blocks);
	printer_end(pr);
	if (!printer_found(pr))
		ret = fail(-EINVAL, "unknown field '%s'", opts->field);
	printer_destroy(pr);
	return ret;
}

static int run(int argc, char **argv)
{
	struct scoutfs_ioctl_statfs_more sfm = { 0 };
	struct statfs_opts opts = { 0 };
	int ret;
	int fd;

	args_parse(&argp, argc, argv, &opts);
	opts.path = mount_path(opts.path);
	fd = open_path(opts.path);
	if (fd < 0)
		return fd;
	ret = call_ioctl(fd, opts.path, "STATFS_MORE",
			 SCOUTFS_IOC_STATFS_MORE, &sfm, 0);
	close(fd);
	return ret < 0 ? ret : print_statfs(&opts, &sfm);
}

const struct cmd cmd_statfs = {
	.name = "statfs",
	.group = CMD_INFO,
	.args = "[-s FIELD]",
	.summary = "show identity, stable sequence and size of a mount",
	.run = run,
};

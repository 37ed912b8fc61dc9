/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs statfs: what scoutfs knows of a mount beyond statfs(2).
 */
#include "tools.h"

#include <stdio.h>

#include "printer.h"
#include "scoutfs/ioctl.h"

struct statfs_opts {
	struct common_opts com;
	const char *field;
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
	case 's':
		opts->field = arg;
		return 0;
	default:
		return args_common(state, key, arg, &opts->com, names, 0,
				   NULL);
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

static int statfs_path(int fd, void *arg)
{
	const struct statfs_opts *opts = arg;
	struct scoutfs_ioctl_statfs_more sfm = { 0 };
	struct printer *pr;
	int ret;

	ret = call_ioctl(fd, opts->com.path, "STATFS_MORE",
			 SCOUTFS_IOC_STATFS_MORE, &sfm, 0);
	if (ret < 0)
		return ret;
	pr = fields_begin(&opts->com, opts->field);
	print_id(pr, "fsid", sfm.fsid);
	print_id(pr, "rid", sfm.rid);
	printer_u64(pr, "committed_seq", sfm.committed_seq);
	printer_u64(pr, "total_meta_blocks", sfm.total_meta_blocks);
	printer_u64(pr, "total_data_blocks", sfm.total_data_blocks);
	return fields_end(pr, opts->field);
}

static int run(int argc, char **argv)
{
	struct statfs_opts opts = { .field = NULL };

	args_parse(&argp, argc, argv, &opts);
	return on_path(&opts.com, statfs_path, &opts);
}

const struct cmd cmd_statfs = {
	.name = "statfs",
	.group = CMD_INFO,
	.args = "[-s FIELD]",
	.summary = "show identity, stable sequence and size of a mount",
	.run = run,
};

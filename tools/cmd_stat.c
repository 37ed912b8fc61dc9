/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs stat: what scoutfs knows of a file beyond stat(2).
 */
#include "tools.h"

#include <stdio.h>

#include "printer.h"
#include "scoutfs/ioctl.h"

struct stat_opts {
	struct common_opts com;
	char *file;
	const char *field;
};

static const struct argp_option options[] = {
	{ "single_field", 's', "FIELD", 0,
	  "Print only the value of FIELD: meta_seq, data_seq, data_version, "
	  "online_blocks, offline_blocks or crtime" },
	OPTION_JSON,
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { "FILE", NULL };
	struct stat_opts *opts = state->input;

	switch (key) {
	case 's':
		opts->field = arg;
		return 0;
	default:
		return args_common(state, key, arg, &opts->com, names, 1,
				   &opts->file);
	}
}

static const struct argp argp = {
	options, parse_opt, "FILE",
	"Show sequence numbers, data version, block counts and creation time "
	"of a file or directory.",
};

static int stat_file(int fd, void *arg)
{
	const struct stat_opts *opts = arg;
	struct scoutfs_ioctl_stat_more stm = { 0 };
	struct printer *pr;
	char crtime[48];
	int ret;

	ret = call_ioctl(fd, opts->file, "STAT_MORE", SCOUTFS_IOC_STAT_MORE,
			 &stm, 0);
	if (ret < 0)
		return ret;
	snprintf(crtime, sizeof(crtime), "%llu.%09u",
		 (unsigned long long)stm.crtime_sec, stm.crtime_nsec);
	pr = fields_begin(&opts->com, opts->field);
	printer_u64(pr, "meta_seq", stm.meta_seq);
	printer_u64(pr, "data_seq", stm.data_seq);
	printer_u64(pr, "data_version", stm.data_version);
	printer_u64(pr, "online_blocks", stm.online_blocks);
	printer_u64(pr, "offline_blocks", stm.offline_blocks);
	printer_str(pr, "crtime", NULL, crtime);
	return fields_end(pr, opts->field);
}

static int run(int argc, char **argv)
{
	struct stat_opts opts = { .field = NULL };

	args_parse(&argp, argc, argv, &opts);
	opts.com.path = opts.file;
	return on_path(&opts.com, stat_file, &opts);
}

const struct cmd cmd_stat = {
	.name = "stat",
	.group = CMD_INFO,
	.args = "[-s FIELD] FILE",
	.summary = "show sequences and block counts of a file",
	.run = run,
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs stat: what scoutfs knows of a file beyond stat(2).
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "printer.h"
#include "scoutfs/ioctl.h"

struct stat_opts {
	char *file;
	const char *field;
	bool json;
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
	case OPT_JSON:
		opts->json = true;
		return 0;
	default:
		return args_positional(state, key, arg, names, 1, &opts->file);
	}
}

static const struct argp argp = {
	options, parse_opt, "FILE",
	"Show sequence numbers, data version, block counts and creation time "
	"of a file or directory.",
};

static int print_stat(const struct stat_opts *opts,
		      const struct scoutfs_ioctl_stat_more *stm)
{
	static const struct printer_layout layout = {
		.style = PRINTER_LABELS,
		.width = 17,
	};
	struct printer *pr = printer_create(stdout, opts->json, &layout);
	char crtime[48];
	int ret = 0;

	if (opts->field)
		printer_only(pr, opts->field);
	snprintf(crtime, sizeof(crtime), "%llu.%09u",
		 (unsigned long long)stm->crtime_sec, stm->crtime_nsec);
	printer_u64(pr, "meta_seq", stm->meta_seq);
	printer_u64(pr, "data_seq", stm->data_seq);
	printer_u64(pr, "data_version", stm->data_version);
	printer_u64(pr, "online_blocks", stm->online_blocks);
	printer_u64(pr, "offline_blocks", stm->offline_blocks);
	printer_str(pr, "crtime", NULL, crtime);
	printer_end(pr);
	if (!printer_found(pr))
		ret = fail(-EINVAL, "unknown field '%s'", opts->field);
	printer_destroy(pr);
	return ret;
}

static int run(int argc, char **argv)
{
	struct stat_opts opts = { 0 };
	struct scoutfs_ioctl_stat_more stm = { 0 };
	int ret;
	int fd;

	args_parse(&argp, argc, argv, &opts);
	fd = open_path(opts.file);
	if (fd < 0)
		return fd;
	ret = call_ioctl(fd, opts.file, "STAT_MORE", SCOUTFS_IOC_STAT_MORE,
			 &stm, 0);
	close(fd);
	return ret < 0 ? ret : print_stat(&opts, &stm);
}

const struct cmd cmd_stat = {
	.name = "stat",
	.group = CMD_INFO,
	.args = "[-s FIELD] FILE",
	.summary = "show sequences and block counts of a file",
	.run = run,
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs check: is everything on an unmounted volume as it has to be?
 */
#include "tools.h"

#include "check.h"

enum { ARG_META, ARG_DATA, NR_ARGS };

struct check_args {
	struct common_opts com;
	char *paths[NR_ARGS];
};

static const struct argp_option options[] = {
	OPTION_JSON,
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { "META", "DATA", NULL };
	struct check_args *args = state->input;

	return args_common(state, key, arg, &args->com, names, NR_ARGS,
			   args->paths);
}

static const struct argp argp = {
	options, parse_opt, "META DATA",
	"Check the unmounted filesystem on the metadata device META and the "
	"data device DATA.\vNothing is changed.  Exit status: 0 nothing wrong, "
	"4 errors were found, 8 the check could not run, 32 stopped by a "
	"signal.",
};

static int run(int argc, char **argv)
{
	struct check_args args = { .com.json = false };
	struct check_opts opts = { .prog = "check" };

	args_parse(&argp, argc, argv, &args);
	opts.meta = args.paths[ARG_META];
	opts.data = args.paths[ARG_DATA];
	opts.json = args.com.json;
	return check_volume(&opts);
}

const struct cmd cmd_check = {
	.name = "check",
	.group = CMD_ADMIN,
	.args = "META DATA",
	.summary = "check an unmounted filesystem",
	.run = run,
	.fail_status = FSCK_FAILED,
};

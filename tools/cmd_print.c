/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs print: the structures of a volume as text, for people who debug.
 *
 * Takes no locks, so that it works on a mounted volume, too; what it prints of
 * one may be out of date and need not fit together.
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>

#include "api.h"
#include "host/host.h"

struct print_args {
	struct common_opts com;
	char *meta;
	int flags;
};

static const struct argp_option options[] = {
	{ "skip-likely-huge", 'S', NULL, 0,
	  "Skip the items, of which there may be very many" },
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { "META", NULL };
	struct print_args *args = state->input;

	switch (key) {
	case 'S':
		args->flags &= ~SFS_PRINT_ITEMS;
		return 0;
	default:
		return args_common(state, key, arg, &args->com, names, 1,
				   &args->meta);
	}
}

static const struct argp argp = {
	options, parse_opt, "META",
	"Print the structures on the metadata device META.\vThe form of what "
	"is printed changes between releases.",
};

static void print_line(void *arg, const char *text)
{
	puts(text);
}

static int run(int argc, char **argv)
{
	struct print_args args = { .flags = SFS_PRINT_ITEMS };
	struct sfs_host *host;
	int ret;

	args_parse(&argp, argc, argv, &args);
	sfs_host_log_init("print", SFS_LOG_STDERR, false);
	ret = sfs_host_open(args.meta, NULL, SFS_HOST_RDONLY | SFS_HOST_NOLOCK,
			    &host);
	if (ret)
		return ret;
	if (!host->id[SFS_DEV_META].is_meta)
		ret = fail(-EINVAL,
			   "'%s' is a data device, which has nothing to print; name the metadata device",
			   args.meta);
	else
		ret = sfs_print(host, args.flags, print_line, NULL);
	sfs_host_close(host);
	return ret;
}

const struct cmd cmd_print = {
	.name = "print",
	.group = CMD_DEBUG,
	.args = "[-S] META",
	.summary = "print the structures of a metadata device",
	.run = run,
};

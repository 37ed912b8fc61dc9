/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The `scoutfs` command: finds the subcommand and turns what it returns into
 * an exit status.
 *
 * One binary has every subcommand; mkfs(8) and fsck(8) find it under the names
 * mkfs.scoutfs and fsck.scoutfs.  A new subcommand is a file cmd_NAME.c and a
 * line in the table here.
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cmd *const cmds[] = {
	&cmd_check,
	&cmd_counters,
	&cmd_df,
	&cmd_ino_path,
	&cmd_mkfs,
	&cmd_print,
	&cmd_stat,
	&cmd_statfs,
	&cmd_walk_inodes,
};

#define NR_CMDS (sizeof(cmds) / sizeof(cmds[0]))

static const char *const group_names[NR_CMD_GROUPS] = {
	[CMD_ADMIN] = "Core administration",
	[CMD_INFO] = "Information",
	[CMD_SEARCH] = "Search acceleration and indexes",
	[CMD_AGENT] = "Archive agent support",
	[CMD_DEBUG] = "Debugging",
};

static void usage_group(int group)
{
	bool any = false;
	size_t i;

	for (i = 0; i < NR_CMDS; i++) {
		if ((int)cmds[i]->group != group)
			continue;
		if (!any)
			fprintf(stderr, "\n%s:\n", group_names[group]);
		any = true;
		fprintf(stderr, "  %-12s %-28s %s\n", cmds[i]->name,
			cmds[i]->args, cmds[i]->summary);
	}
}

static void usage(void)
{
	int group;

	fprintf(stderr, "usage: scoutfs COMMAND [ARGUMENTS]\n\n"
		"Supported format versions: 1-2\n"
		"Each command explains itself with --help.\n");
	for (group = 0; group < NR_CMD_GROUPS; group++)
		usage_group(group);
}

static const struct cmd *find_cmd(const char *name)
{
	size_t i;

	for (i = 0; i < NR_CMDS; i++)
		if (strcmp(cmds[i]->name, name) == 0)
			return cmds[i];
	return NULL;
}

/* What has been printed and could not be written is a failure as well. */
static int flush_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return fail(-EIO, "failed to write to standard output");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	int ret = cmd->run(argc, argv);
	int err = flush_stdout();

	if (ret == 0)
		ret = err;
	if (ret >= 0)
		return ret;
	fprintf(stderr, "scoutfs: %s failed: %s (%d)\n", cmd->name,
		strerror(-ret), -ret);
	return cmd->fail_status ? cmd->fail_status : 1;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *self = slash ? slash + 1 : argv[0];
	const struct cmd *cmd;

	if (strcmp(self, "mkfs.scoutfs") == 0)
		return run(&cmd_mkfs, argc, argv);
	if (strcmp(self, "fsck.scoutfs") == 0)
		return run(&cmd_fsck, argc, argv);
	if (argc < 2) {
		usage();
		return 1;
	}
	cmd = find_cmd(argv[1]);
	if (!cmd) {
		fprintf(stderr, "scoutfs: unrecognized command: '%s'\n",
			argv[1]);
		usage();
		return 1;
	}
	return run(cmd, argc - 1, argv + 1);
}

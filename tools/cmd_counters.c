/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs counters: what a mount has counted (docs/operating.md).
 *
 * A mount by the module has a file for each; the daemon of one through FUSE is
 * asked over its socket, which it answers to root and its own user.
 */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "printer.h"
#include "scoutfs/ioctl.h"

#define MAX_WORDS 512

struct counters_opts {
	struct common_opts com;
	const char *field;
};

static const struct argp_option options[] = {
	OPTION_PATH,
	{ "single_field", 's', "FIELD", 0, "Print only the counter FIELD" },
	OPTION_JSON,
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { NULL };
	struct counters_opts *opts = state->input;

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
	"Show how often things have happened since a filesystem was mounted.",
};

static int is_visible(const struct dirent *de)
{
	return de->d_name[0] != '.';
}

static int print_file(struct printer *pr, const char *dir, const char *name)
{
	char path[512], text[32];
	FILE *f;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return fail_errno(-errno, "failed to open '%s'", path);
	if (fgets(text, sizeof(text), f))
		printer_u64(pr, name, strtoull(text, NULL, 10));
	else
		ret = fail(-EIO, "failed to read '%s'", path);
	fclose(f);
	return ret;
}

/*
 * -ENOENT: the kernel has no such mount.  Nothing has been printed then.  The
 * printer looks at names until the end, so they stay.
 */
static int print_files(struct printer *pr, const char *dir)
{
	static struct dirent **names;
	int nr, i, ret = 0;

	nr = scandir(dir, &names, is_visible, alphasort);
	if (nr < 0)
		return -errno;
	for (i = 0; i < nr && ret == 0; i++)
		ret = print_file(pr, dir, names[i]->d_name);
	return ret;
}

/* "counters", then a name and a number each. */
static int print_words(struct printer *pr, __u64 fsid, __u64 rid)
{
	static char buf[SFS_CONTROL_MAX];
	const char *word[MAX_WORDS];
	int nr, i;

	nr = sfs_control_ask(fsid, rid, "counters", buf, sizeof(buf), word,
			     MAX_WORDS);
	if (nr < 0)
		return fail_errno(nr, "failed to ask the daemon of filesystem %016llx",
				  (unsigned long long)fsid);
	if (nr >= 3 && !strcmp(word[0], "error"))
		return fail(-atoi(word[1]), "%s", word[2]);
	if (nr < 1 || strcmp(word[0], "counters"))
		return fail(-EPROTO, "the daemon does not know the question");
	for (i = 1; i + 1 < nr; i += 2)
		printer_u64(pr, word[i], strtoull(word[i + 1], NULL, 10));
	return 0;
}

static int counters_path(int fd, void *arg)
{
	const struct counters_opts *opts = arg;
	struct scoutfs_ioctl_statfs_more sfm = { 0 };
	struct printer *pr;
	char dir[128];
	int ret, end;

	ret = call_ioctl(fd, opts->com.path, "STATFS_MORE",
			 SCOUTFS_IOC_STATFS_MORE, &sfm, 0);
	if (ret < 0)
		return ret;
	snprintf(dir, sizeof(dir), "/sys/fs/scoutfs/f.%06llx.r.%06llx/counters",
		 (unsigned long long)sfm.fsid >> 40,
		 (unsigned long long)sfm.rid >> 40);
	pr = fields_begin(&opts->com, opts->field);
	ret = print_files(pr, dir);
	if (ret == -ENOENT)
		ret = print_words(pr, sfm.fsid, sfm.rid);
	end = fields_end(pr, ret < 0 ? NULL : opts->field);
	return ret < 0 ? ret : end;
}

static int run(int argc, char **argv)
{
	struct counters_opts opts = { .field = NULL };

	args_parse(&argp, argc, argv, &opts);
	return on_path(&opts.com, counters_path, &opts);
}

const struct cmd cmd_counters = {
	.name = "counters",
	.group = CMD_INFO,
	.args = "[-s FIELD]",
	.summary = "show what a mount has counted",
	.run = run,
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fsck.scoutfs: `scoutfs check` as fsck(8) wants it.
 *
 * fsck(8) knows of one device, the one in the first column of fstab, which is
 * the data device.  Its metadata device is in the mount options there.
 *
 * There is nothing to repair after a crash, mounting replays the log; -a and
 * -p, which is what a booting machine asks for, have nothing to do for a
 * volume that was unmounted in order.
 */
#include "tools.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

struct fsck_args {
	struct common_opts com;
	char *paths[2];
	bool automatic;
	bool force;
};

static const struct argp_option options[] = {
	{ NULL, 'a', NULL, 0, "Automatic: see -p" },
	{ NULL, 'p', NULL, 0,
	  "Do nothing when the filesystem was unmounted in order, and say "
	  "nothing when nothing is wrong" },
	{ NULL, 'n', NULL, 0, "Change nothing; always the case" },
	{ NULL, 'f', NULL, 0, "Check even if -p finds no reason to" },
	OPTION_JSON,
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { "META", "DATA", NULL };
	struct fsck_args *args = state->input;

	switch (key) {
	case 'a':
	case 'p':
		args->automatic = true;
		return 0;
	case 'n':
		return 0;
	case 'f':
		args->force = true;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num == 0)
			argp_error(state, "missing DATA argument");
		return 0;
	default:
		return args_common(state, key, arg, &args->com, names, 1,
				   args->paths);
	}
}

static const struct argp argp = {
	options, parse_opt, "[META] DATA",
	"Check the unmounted filesystem on the metadata device META and the "
	"data device DATA.\vWithout META it is the metadev_path of DATA's line "
	"in /etc/fstab.  Nothing is changed.  Exit status: 0 nothing wrong, 4 "
	"errors were found, 8 the check could not run, 16 usage error, 32 "
	"stopped by a signal.",
};

static bool same_device(const char *a, const char *b)
{
	struct stat sa, sb;

	if (strcmp(a, b) == 0)
		return true;
	if (stat(a, &sa) || stat(b, &sb))
		return false;
	if (S_ISBLK(sa.st_mode) && S_ISBLK(sb.st_mode))
		return sa.st_rdev == sb.st_rdev;
	return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* The value of metadev_path, allocated, or NULL. */
static char *metadev_of(const struct mntent *ent)
{
	static const char name[] = "metadev_path";
	const char *opt = hasmntopt(ent, name);

	if (!opt || opt[strlen(name)] != '=')
		return NULL;
	opt += sizeof(name);
	return strndup(opt, strcspn(opt, ","));
}

/* Where mount(8) itself can be told to look elsewhere. */
static const char *fstab_path(void)
{
	const char *env = getenv("LIBMOUNT_FSTAB");

	return env && *env ? env : "/etc/fstab";
}

static char *find_meta(const char *data)
{
	FILE *fstab = setmntent(fstab_path(), "re");
	struct mntent *ent;
	char *meta = NULL;

	if (!fstab)
		return NULL;
	while (!meta && (ent = getmntent(fstab)))
		if (strcmp(ent->mnt_type, "scoutfs") == 0 &&
		    same_device(ent->mnt_fsname, data))
			meta = metadev_of(ent);
	endmntent(fstab);
	return meta;
}

static int run(int argc, char **argv)
{
	struct fsck_args args = { .com.json = false };
	struct check_opts opts = { .prog = "fsck.scoutfs" };
	char *found = NULL;
	int ret;

	argp_err_exit_status = FSCK_USAGE;
	args_parse(&argp, argc, argv, &args);
	opts.json = args.com.json;
	opts.quiet = args.automatic;
	opts.trust_clean = args.automatic && !args.force;
	opts.meta = args.paths[0];
	opts.data = args.paths[1];
	if (!opts.data) {
		opts.data = args.paths[0];
		found = find_meta(opts.data);
		opts.meta = found;
	}
	if (!opts.meta)
		return fail(-ENODEV,
			    "%s has no line of type scoutfs with metadev_path= for '%s'; name the metadata device before it",
			    fstab_path(), opts.data);
	ret = check_volume(&opts);
	free(found);
	return ret;
}

const struct cmd cmd_fsck = {
	.name = "fsck",
	.group = CMD_ADMIN,
	.args = "[META] DATA",
	.summary = "check an unmounted filesystem",
	.run = run,
	.fail_status = FSCK_FAILED,
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mount.scoutfs: what mount(8) runs for filesystems of type scoutfs.
 *
 *	mount.scoutfs SPEC DIR [-sfnv] [-N ns] [-o opts] [-t type]
 *
 * SPEC is the data device; the metadata device is option metadev_path.  All
 * the work is done in host/control.c.  Exit status as mount(8) has it.
 */
#include "host/host.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum {
	EXIT_USAGE = 1,
	EXIT_MOUNT = 32,
};

static int usage(void)
{
	fprintf(stderr,
		"usage: mount.scoutfs DATA-DEVICE DIRECTORY [-sfnv] [-N namespace] -o metadev_path=METADATA-DEVICE[,option...]\n"
		"see scoutfs(5) for the options\n");
	return EXIT_USAGE;
}

static int remount(const char *dir, const struct sfs_options *opts)
{
	int ret = 0;

	if (mount(NULL, dir, NULL, opts->mount_flags, "") < 0) {
		ret = -errno;
		sfs_log(SFS_LOG_ERR, "cannot remount %s: %s", dir,
			strerror(-ret));
	}
	return ret;
}

static int run(const struct sfs_mount_request *mr, bool fake)
{
	int ret;

	if (mr->opts->mount_flags & MS_REMOUNT)
		return fake ? 0 : remount(mr->dir, mr->opts);
	ret = sfs_options_complete(mr->opts);
	if (ret < 0 || fake)
		return ret;
	return sfs_control_mount(mr);
}

/*
 * With remount, mount(8) also hands over what the kernel shows of the mount,
 * options of FUSE among it; only generic ones can be changed.
 */
static bool is_remount(int argc, char **argv)
{
	const char *p;
	int i;

	for (i = 1; i < argc; i++) {
		p = strstr(argv[i], "remount");
		if (p && (p == argv[i] || p[-1] == ',') &&
		    (p[7] == ',' || !p[7]))
			return true;
	}
	return false;
}

/* As the kernel names it, which is how it is found again. */
static char *absolute(const char *dir)
{
	char *path = realpath(dir, NULL);

	/* a dead mount can not be resolved, only its parent */
	return path ? path : strdup(dir);
}

int main(int argc, char **argv)
{
	struct sfs_mount_request mr = { 0 };
	struct sfs_options opts;
	bool fake = false;
	int c, ret = 0;
	char *dir;

	sfs_host_log_init("mount.scoutfs", SFS_LOG_STDERR, false);
	sfs_options_default(&opts);
	if (is_remount(argc, argv))
		sfs_options_sloppy(&opts);
	while ((c = getopt(argc, argv, "sfnvN:o:t:hV")) != -1) {
		switch (c) {
		case 's':
			sfs_options_sloppy(&opts);
			break;
		case 'f':
			fake = true;
			break;
		case 'v':
			mr.verbose = true;
			break;
		case 'N':
			mr.mount_ns = optarg;
			break;
		case 'o':
			if (ret == 0)
				ret = sfs_options_parse(&opts, optarg);
			break;
		case 'n':	/* there is no mtab */
		case 't':	/* the type that brought mount(8) here */
			break;
		default:
			return usage();
		}
	}
	if (argc - optind != 2)
		return usage();
	if (ret < 0)
		return EXIT_MOUNT;
	dir = absolute(argv[optind + 1]);
	if (!dir)
		return EXIT_MOUNT;
	mr.spec = argv[optind];
	mr.dir = dir;
	mr.opts = &opts;
	ret = run(&mr, fake);
	free(dir);
	return ret < 0 ? EXIT_MOUNT : 0;
}

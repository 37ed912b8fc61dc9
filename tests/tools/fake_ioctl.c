/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An LD_PRELOAD library that answers scoutfs ioctls, on any file, from a
 * volume that does not exist: tests of the commands that only talk through
 * ioctls, with answers no small volume gives (batches, large numbers, short
 * arrays, errors).
 *
 * FAKE_INODES=N	N inodes: major 1 + i / 3, number 1000 + i
 * FAKE_WANT=PATH	the first call has to be on the inode of PATH
 * FAKE_ERRNO=E	every call fails
 *
 * What the commands rely on is checked as a server would check it: the whole
 * command value, padding, cursors that move on.  A violation ends the program.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scoutfs/ioctl.h"

#define DETAILS 1000	/* more than df first asks for */

static void demand(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake ioctl: %s\n", what);
	_exit(99);
}

static unsigned long env_number(const char *name)
{
	const char *val = getenv(name);

	return val ? strtoul(val, NULL, 0) : 0;
}

static void *user(__u64 ptr)
{
	return (void *)(unsigned long)ptr;
}

/* ---- walk_inodes -------------------------------------------------------- */

typedef struct scoutfs_ioctl_walk_inodes_entry walk_entry;

static int cmp_pos(const walk_entry *a, const walk_entry *b)
{
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

static int walk(const struct scoutfs_ioctl_walk_inodes *walk)
{
	static walk_entry last_first;
	unsigned long nr = env_number("FAKE_INODES");
	walk_entry *ents = user(walk->entries_ptr);
	walk_entry ent = { 0 };
	__u32 found = 0;
	unsigned long i;

	demand(walk->_pad[0] == 0, "padding is not zero");
	demand(cmp_pos(&walk->first, &last_first) >= 0,
	       "the cursor went back");
	last_first = walk->first;
	for (i = 0; i < nr && found < walk->nr_entries; i++) {
		/* the data index has every other inode */
		if (walk->index == SCOUTFS_IOC_WALK_INODES_DATA_SEQ && i % 2)
			continue;
		ent.major = 1 + i / 3;
		ent.ino = 1000 + i;
		if (cmp_pos(&ent, &walk->first) >= 0 &&
		    cmp_pos(&ent, &walk->last) <= 0)
			ents[found++] = ent;
	}
	return (int)found;
}

/* ---- the others --------------------------------------------------------- */

struct link {
	__u64 ino, dir_ino, dir_pos;
	const char *path;
};

static const struct link links[] = {
	{ 1000, 1, 2, "one" },
	{ 1001, 5, 9, "dir/first" },
	{ 1001, 5, ~0ULL, "dir/last in its directory" },
	{ 1001, 6, 0, "other/\xff" },
};

static int ino_path(const struct scoutfs_ioctl_ino_path *ip)
{
	struct scoutfs_ioctl_ino_path_result *res = user(ip->result_ptr);
	const struct link *link;
	size_t len;
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		link = &links[i];
		if (link->ino != ip->ino || link->dir_ino < ip->dir_ino ||
		    (link->dir_ino == ip->dir_ino &&
		     link->dir_pos < ip->dir_pos))
			continue;
		len = strlen(link->path) + 1;
		demand(ip->result_bytes >= sizeof(*res) + len, "no room");
		memset(res, 0, sizeof(*res));
		res->dir_ino = link->dir_ino;
		res->dir_pos = link->dir_pos;
		res->path_bytes = (__u16)len;
		memcpy(res->path, link->path, len);
		return 0;
	}
	return -ENOENT;
}

static int stat_more(struct scoutfs_ioctl_stat_more *stm)
{
	*stm = (struct scoutfs_ioctl_stat_more) {
		.meta_seq = 11,
		.data_seq = 7,
		.data_version = 3,
		.online_blocks = 8,
		.offline_blocks = ~0ULL,
		.crtime_sec = 1500000000,
		.crtime_nsec = 42,
	};
	return 0;
}

static int statfs_more(struct scoutfs_ioctl_statfs_more *sfm)
{
	*sfm = (struct scoutfs_ioctl_statfs_more) {
		.fsid = 0xabc,
		.rid = 0xfedcba9876543210ULL,
		.committed_seq = 12,
		.total_meta_blocks = 16384,	/* 1 GiB */
		.total_data_blocks = 1048576,	/* 4 GiB */
		.reserved_meta_blocks = 1024,
	};
	return 0;
}

/* 8000 metadata blocks and 500000 data blocks are free. */
static int alloc_detail(const struct scoutfs_ioctl_alloc_detail *ad)
{
	struct scoutfs_ioctl_alloc_detail_entry *ents = user(ad->entries_ptr);
	int i;

	if (ad->entries_nr < DETAILS)
		return -EOVERFLOW;
	for (i = 0; i < DETAILS; i++) {
		memset(&ents[i], 0, sizeof(ents[i]));
		ents[i].meta = i & 1;
		ents[i].avail = i >> 1 & 1;
		ents[i].blocks = ents[i].meta ? 16 : 1000;
	}
	return DETAILS;
}

static int answer(unsigned long cmd, void *arg)
{
	switch (cmd) {
	case SCOUTFS_IOC_WALK_INODES:
		return walk(arg);
	case SCOUTFS_IOC_INO_PATH:
		return ino_path(arg);
	case SCOUTFS_IOC_STAT_MORE:
		return stat_more(arg);
	case SCOUTFS_IOC_STATFS_MORE:
		return statfs_more(arg);
	case SCOUTFS_IOC_ALLOC_DETAIL:
		return alloc_detail(arg);
	default:
		demand(false, "unknown command value");
		return -ENOTTY;
	}
}

static void check_file(int fd)
{
	const char *want = getenv("FAKE_WANT");
	struct stat has, should;

	if (!want)
		return;
	demand(fstat(fd, &has) == 0 && stat(want, &should) == 0,
	       "stat failed");
	demand(has.st_dev == should.st_dev && has.st_ino == should.st_ino,
	       "the call is on another file than expected");
}

int ioctl(int fd, unsigned long cmd, ...)
{
	int (*next)(int fd, unsigned long cmd, ...);
	va_list args;
	void *arg;
	int ret;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(cmd) != SCOUTFS_IOCTL_MAGIC) {
		next = (int (*)(int, unsigned long, ...))
			dlsym(RTLD_NEXT, "ioctl");
		return next(fd, cmd, arg);
	}
	check_file(fd);
	ret = env_number("FAKE_ERRNO") ? -(int)env_number("FAKE_ERRNO") :
					 answer(cmd, arg);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

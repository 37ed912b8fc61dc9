/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A crowd of processes that does everything at once to the same few names.
 *
 *	crowd DIR SECONDS PROCESSES BYTES
 *
 * BYTES is the size of most writes.  Nobody knows what the others did, so what
 * counts is that only errors come that names and space can explain, and what
 * the test does after it: unmounting in time, and a check.  Status 1 with a
 * line for each other error.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "scoutfs/ioctl.h"

#define NR_DIRS 5
#define NR_NAMES 20

static uint64_t state;
static uint64_t write_bytes;
static int failed;
static char buf[1 << 20];

static uint64_t rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

/* The call's answer; complains of an error that nothing can explain. */
static long check(long ret, const char *call)
{
	static const int usual[] = {
		ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, ENOSPC, ENODATA,
		ERANGE, ELOOP, EINVAL, ESTALE, EBUSY, EFBIG, EPERM,
	};
	unsigned int i;

	if (ret >= 0)
		return ret;
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (errno == usual[i])
			return ret;
	}
	if (!failed)
		fprintf(stderr, "%s: %s\n", call, strerror(errno));
	failed = 1;
	return ret;
}

#define CALL(call) check((call), #call)

static void pick(char *path)
{
	sprintf(path, "d%d/n%d", (int)rnd(NR_DIRS), (int)rnd(NR_NAMES));
}

static void op_write(const char *path)
{
	int fd = CALL(open(path, O_RDWR | O_CREAT, 0644));
	uint64_t len = 1 + rnd(write_bytes), off = rnd(write_bytes * 4);
	ssize_t n;

	if (fd < 0)
		return;
	for (; len; len -= n, off += n) {
		n = CALL(pwrite(fd, buf, len < sizeof(buf) ? len : sizeof(buf),
				off));
		if (n < 0)
			break;
	}
	if (!rnd(6))
		CALL(fsync(fd));
	if (!rnd(8)) {
		/* it goes on living until it is closed */
		CALL(unlink(path));
		CALL(pwrite(fd, buf, 100, 0));
		CALL(pread(fd, buf, 4096, 0));
	}
	close(fd);
}

static void op_read(const char *path)
{
	struct scoutfs_ioctl_stat_more more = { 0 };
	int fd = CALL(open(path, O_RDONLY));
	void *map;

	if (fd < 0)
		return;
	CALL(read(fd, buf, 100000));
	CALL(ioctl(fd, SCOUTFS_IOC_STAT_MORE, &more));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		munmap(map, 4096);
	close(fd);
}

static void op_xattr(const char *path)
{
	const char *name = rnd(2) ? "user.a" : "user.b";

	switch (rnd(4)) {
	case 0:
		CALL(getxattr(path, name, buf, 65536));
		break;
	case 1:
		CALL(listxattr(path, buf, 65536));
		break;
	case 2:
		CALL(removexattr(path, name));
		break;
	default:
		CALL(setxattr(path, name, buf, rnd(500), 0));
	}
}

static void op_readdir(void)
{
	char path[16];
	DIR *dir;

	sprintf(path, "d%d", (int)rnd(NR_DIRS));
	dir = opendir(path);
	if (!dir)
		return;
	while (readdir(dir))
		;
	closedir(dir);
}

static void op_volume(void)
{
	struct scoutfs_ioctl_walk_inodes_entry ents[100];
	struct scoutfs_ioctl_walk_inodes walk = {
		.last = { .major = ~0ULL, .ino = ~0ULL, .minor = ~0U },
		.entries_ptr = (uintptr_t)ents,
		.nr_entries = 100,
		.index = rnd(2),
	};
	int fd = CALL(open(".", O_RDONLY));

	if (fd < 0)
		return;
	if (rnd(3))
		CALL(ioctl(fd, SCOUTFS_IOC_WALK_INODES, &walk));
	else
		CALL(syncfs(fd));
	close(fd);
}

static void one_op(void)
{
	char a[64], b[64];
	struct stat st;

	pick(a);
	pick(b);
	switch (rnd(16)) {
	case 0: case 1: case 2:
		op_write(a);
		break;
	case 3:
		CALL(unlink(a));
		break;
	case 4:
		CALL(mkdir(a, 0755));
		break;
	case 5:
		CALL(rmdir(a));
		break;
	case 6: case 7:
		CALL(rename(a, b));
		break;
	case 8:
		CALL(link(a, b));
		break;
	case 9: case 10:
		op_read(a);
		break;
	case 11:
		CALL(truncate(a, rnd(write_bytes * 2)));
		break;
	case 12:
		op_xattr(a);
		break;
	case 13:
		op_readdir();
		break;
	case 14:
		op_volume();
		break;
	case 15:
		CALL(stat(a, &st));
		CALL(symlink("x", b));
		break;
	}
}

static void __attribute__((noreturn)) member(int nr, int seconds)
{
	time_t end = time(NULL) + seconds;

	state = 0x9e3779b97f4a7c15ULL * (nr + 1);
	memset(buf, nr + 1, sizeof(buf));
	while (time(NULL) < end && !failed)
		one_op();
	_exit(failed);
}

int main(int argc, char **argv)
{
	int seconds, processes, i, status, bad = 0;
	char dir[16];

	if (argc != 5 || chdir(argv[1]) < 0)
		return 2;
	seconds = atoi(argv[2]);
	processes = atoi(argv[3]);
	write_bytes = strtoull(argv[4], NULL, 0);
	for (i = 0; i < NR_DIRS; i++) {
		sprintf(dir, "d%d", i);
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return 2;
	}
	for (i = 0; i < processes; i++) {
		switch (fork()) {
		case 0:
			member(i, seconds);
		case -1:
			return 2;
		}
	}
	while (wait(&status) > 0)
		bad |= status != 0;
	return bad;
}

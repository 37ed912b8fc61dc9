/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctl interface of a mount, with good and with bad arguments.
 *
 *	ioctls DIR fuse|kernel [user [weak]]
 *
 * DIR is an empty directory of the mount.  With "user" the caller has no
 * privileges, and calls that want some are refused; with "weak" the daemon has
 * none either and can not look into everybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scoutfs/ioctl.h"

#define PAGE 4096
#define NR_FILES 300

static void check_failed(int line, const char *what)
{
	fprintf(stderr, "line %d: %s (errno %d %s)\n", line, what, errno,
		strerror(errno));
	exit(1);
}

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__LINE__, #cond))
#define FAILS(call, err) \
	do { \
		errno = 0; \
		if ((call) != -1 || errno != (err)) \
			check_failed(__LINE__, #call " expected " #err); \
	} while (0)

typedef struct scoutfs_ioctl_walk_inodes_entry entry_t;

static int walk(int fd, int index, entry_t *ents, uint32_t nr)
{
	struct scoutfs_ioctl_walk_inodes w = {
		.last = { .major = ~0ULL, .ino = ~0ULL, .minor = ~0U },
		.entries_ptr = (uintptr_t)ents,
		.nr_entries = nr,
		.index = index,
	};

	return ioctl(fd, SCOUTFS_IOC_WALK_INODES, &w);
}

/* Files made before are found by the walk, in order, each once. */
static void test_walk(int dir)
{
	entry_t *ents = calloc(100000, sizeof(*ents));
	struct scoutfs_ioctl_walk_inodes w = { 0 };
	uint64_t inos[NR_FILES];
	int i, j, n, fd, found = 0;
	struct stat st;
	char name[32];

	for (i = 0; i < NR_FILES; i++) {
		snprintf(name, sizeof(name), "walk%d", i);
		fd = openat(dir, name, O_CREAT | O_WRONLY, 0644);
		CHECK(fd >= 0 && fstat(fd, &st) == 0);
		CHECK(write(fd, "x", 1) == 1);
		close(fd);
		inos[i] = st.st_ino;
	}
	n = walk(dir, SCOUTFS_IOC_WALK_INODES_META_SEQ, ents, 100000);
	CHECK(n >= NR_FILES + 1);
	for (i = 0; i < n; i++) {
		CHECK(ents[i].minor == 0);
		CHECK(!memcmp(ents[i]._pad, "\0\0\0\0", 4));
		CHECK(!i || ents[i].major > ents[i - 1].major ||
		      (ents[i].major == ents[i - 1].major &&
		       ents[i].ino > ents[i - 1].ino));
		for (j = 0; j < NR_FILES; j++)
			found += ents[i].ino == inos[j];
	}
	CHECK(found == NR_FILES);
	/* the root is filed somewhere */
	for (i = 0; i < n && ents[i].ino != SCOUTFS_ROOT_INO; i++)
		;
	CHECK(i < n);

	/* a full array, continued behind its last entry */
	w.last = (entry_t){ .major = ~0ULL, .ino = ~0ULL, .minor = ~0U };
	w.entries_ptr = (uintptr_t)ents;
	w.nr_entries = 7;
	for (i = 0; (j = ioctl(dir, SCOUTFS_IOC_WALK_INODES, &w)) > 0;
	     i += j) {
		CHECK(j <= 7);
		w.first = ents[j - 1];
		w.first.ino++;
	}
	CHECK(j == 0 && i == n);

	CHECK(walk(dir, 0, ents, 0) == 0);
	w.first = (entry_t){ .major = 5 };
	w.last = (entry_t){ .major = 4 };
	CHECK(ioctl(dir, SCOUTFS_IOC_WALK_INODES, &w) == 0);
	FAILS(walk(dir, 2, ents, 10), EINVAL);
	FAILS(walk(dir, 255, ents, 10), EINVAL);
	free(ents);
}

static void test_data_walk(int dir)
{
	entry_t *ents = calloc(100000, sizeof(*ents));
	struct stat st;
	int i, n;

	CHECK(fstat(dir, &st) == 0);
	n = walk(dir, SCOUTFS_IOC_WALK_INODES_DATA_SEQ, ents, 100000);
	CHECK(n >= NR_FILES);
	/* no directories in this one */
	for (i = 0; i < n; i++)
		CHECK(ents[i].ino != st.st_ino &&
		      ents[i].ino != SCOUTFS_ROOT_INO);
	free(ents);
}

/* Addresses that are not there, not writable, or end too soon. */
static void test_pointers(int dir)
{
	struct scoutfs_ioctl_alloc_detail ad = { .entries_nr = 100000 };
	size_t need = 64 * sizeof(entry_t);
	char *map;

	FAILS(walk(dir, 0, NULL, 10), EFAULT);
	FAILS(walk(dir, 0, (entry_t *)(uintptr_t)0xffff800000000000ULL, 10),
	      EFAULT);
	FAILS(ioctl(dir, SCOUTFS_IOC_WALK_INODES, NULL), EFAULT);
	FAILS(ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad), EFAULT);

	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(map != MAP_FAILED);
	CHECK(munmap(map + PAGE, PAGE) == 0);
	/* the hole is in the middle of what should be stored */
	FAILS(walk(dir, 0, (entry_t *)(map + PAGE - need / 2), 64), EFAULT);
	/* up to the very end is fine */
	CHECK(walk(dir, 0, (entry_t *)(map + PAGE - need), 64) == 64);
	CHECK(mprotect(map, PAGE, PROT_READ) == 0);
	FAILS(walk(dir, 0, (entry_t *)map, 10), EFAULT);
	CHECK(((entry_t *)(map + PAGE - need))[0].major <=
	      ((entry_t *)(map + PAGE - need))[63].major);
	munmap(map, PAGE);

	/* memory that was never touched */
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(map != MAP_FAILED);
	CHECK(walk(dir, 0, (entry_t *)map, 64) == 64);
	munmap(map, 1 << 20);
}

/* The buffer is a mapping of a file on this mount: the daemon has to read. */
static void test_own_mapping(int dir)
{
	char *map;
	int fd;

	fd = openat(dir, "buffer", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		/* older kernels */
		CHECK(errno == ENODEV);
	} else {
		CHECK(walk(dir, 0, (entry_t *)map, 200) == 200);
		CHECK(((entry_t *)map)[199].major >= ((entry_t *)map)[0].major);
		CHECK(munmap(map, 1 << 20) == 0);
	}
	close(fd);
	CHECK(unlinkat(dir, "buffer", 0) == 0);
}

static void test_stat(int dir)
{
	struct scoutfs_ioctl_stat_more sm;
	struct statx stx;
	int fd;

	fd = openat(dir, "stat", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0);
	memset(&sm, 0xff, sizeof(sm));
	CHECK(ioctl(fd, SCOUTFS_IOC_STAT_MORE, &sm) == 0);
	CHECK(sm.data_version == 0 && sm.online_blocks == 0 &&
	      sm.offline_blocks == 0);
	CHECK(!memcmp(sm._pad, "\0\0\0\0", 4));
	CHECK(write(fd, "0123456789", 10) == 10);
	CHECK(ioctl(fd, SCOUTFS_IOC_STAT_MORE, &sm) == 0);
	CHECK(sm.data_version == 1 && sm.online_blocks == 1 &&
	      sm.offline_blocks == 0);
	CHECK(sm.data_seq > 0 && sm.meta_seq >= sm.data_seq);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) == 0 &&
	    (stx.stx_mask & STATX_BTIME))
		CHECK((int64_t)sm.crtime_sec == stx.stx_btime.tv_sec &&
		      sm.crtime_nsec == stx.stx_btime.tv_nsec);
	CHECK(ioctl(dir, SCOUTFS_IOC_STAT_MORE, &sm) == 0);
	CHECK(sm.online_blocks == 0);
	FAILS(ioctl(fd, SCOUTFS_IOC_STAT_MORE, NULL), EFAULT);
	close(fd);
}

static void test_volume(int dir)
{
	struct scoutfs_ioctl_alloc_detail_entry ents[1000];
	struct scoutfs_ioctl_alloc_detail ad = {
		.entries_ptr = (uintptr_t)ents,
		.entries_nr = 1000,
	};
	struct scoutfs_ioctl_statfs_more sm;
	int n, i;

	CHECK(ioctl(dir, SCOUTFS_IOC_STATFS_MORE, &sm) == 0);
	CHECK(sm.fsid && sm.rid && sm.rid != ~0ULL);
	CHECK(sm.total_meta_blocks && sm.total_data_blocks);
	CHECK(sm.committed_seq);

	memset(ents, 0xff, sizeof(ents));
	n = ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad);
	CHECK(n > 0 && n < 1000);
	for (i = 0; i < n; i++)
		CHECK(!ents[i].type && !ents[i].__bit_pad &&
		      !memcmp(ents[i].__pad, "\0\0\0\0\0\0", 6));
	ad.entries_nr = n;
	CHECK(ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad) == n);
	ad.entries_nr = n - 1;
	FAILS(ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad), EOVERFLOW);
	ad.entries_nr = 0;
	FAILS(ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad), EOVERFLOW);
}

static void test_path(int dir, int privileged)
{
	union {
		struct scoutfs_ioctl_ino_path_result res;
		char bytes[4096 + 24];
	} r;
	struct scoutfs_ioctl_ino_path ip = {
		.result_ptr = (uintptr_t)&r,
		.result_bytes = sizeof(r),
	};
	struct stat st;
	int links = 0;

	CHECK(mkdirat(dir, "sub", 0755) == 0);
	CHECK(close(openat(dir, "sub/leaf", O_CREAT | O_WRONLY, 0644)) == 0);
	CHECK(linkat(dir, "sub/leaf", dir, "other", 0) == 0);
	CHECK(fstatat(dir, "sub/leaf", &st, 0) == 0);
	ip.ino = st.st_ino;
	if (!privileged) {
		FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), EPERM);
		return;
	}
	memset(&r, 0xff, sizeof(r));
	while (ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip) == 0) {
		CHECK(r.res.path_bytes == strlen((char *)r.res.path) + 1);
		CHECK(r.res.path[0] != '/');
		CHECK(!memcmp(r.res._pad, "\0\0\0\0\0\0", 6));
		CHECK(strstr((char *)r.res.path, "sub/leaf") ||
		      strstr((char *)r.res.path, "other"));
		ip.dir_ino = r.res.dir_ino;
		ip.dir_pos = r.res.dir_pos + 1;
		CHECK(++links < 10);
	}
	CHECK(errno == ENOENT && links == 2);

	ip.dir_ino = 0;
	ip.dir_pos = 0;
	ip.result_bytes = sizeof(r.res) + 3;
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENAMETOOLONG);
	ip.result_bytes = 5;
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENAMETOOLONG);
	ip.result_bytes = sizeof(r);
	ip.result_ptr = 8;
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), EFAULT);
	ip.ino = SCOUTFS_ROOT_INO;
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENOENT);
}

/* Unknown commands, known numbers with other sizes, other kinds of files. */
static void test_unknown(int dir)
{
	char buf[16384] = { 0 };
	int fd;

	FAILS(ioctl(dir, _IO(SCOUTFS_IOCTL_MAGIC, 99), buf), ENOTTY);
	FAILS(ioctl(dir, _IOC(_IOC_WRITE, SCOUTFS_IOCTL_MAGIC, 1, 64), buf),
	      ENOTTY);
	FAILS(ioctl(dir, _IOC(_IOC_WRITE | _IOC_READ, SCOUTFS_IOCTL_MAGIC, 9,
			      16383), buf), ENOTTY);
	FAILS(ioctl(dir, _IOR('f', 1, long), buf), ENOTTY);
	CHECK(mkfifoat(dir, "fifo", 0600) == 0);
	fd = openat(dir, "fifo", O_RDWR);
	CHECK(fd >= 0);
	FAILS(ioctl(fd, SCOUTFS_IOC_STAT_MORE, buf), ENOTTY);
	close(fd);
}

/* The caller of an ioctl is a thread, not its process. */
static void *thread_main(void *arg)
{
	entry_t ents[32];

	CHECK(walk(*(int *)arg, 0, ents, 32) == 32);
	return NULL;
}

/* Answers inside the structure: as much as fits, and no other command. */
static void test_inline(int dir, int daemon)
{
	static const unsigned int others[] = {
		0, ~0U, SCOUTFS_IOC_STAT_MORE, SCOUTFS_IOC_INLINE,
	};
	struct scoutfs_ioctl_inline inl;
	struct scoutfs_ioctl_walk_inodes *wi = (void *)inl.args;
	unsigned int i;
	int nr;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		memset(&inl, 0xff, sizeof(inl));
		inl.cmd = others[i];
		FAILS(ioctl(dir, SCOUTFS_IOC_INLINE, &inl), ENOTTY);
	}
	memset(&inl, 0xff, sizeof(inl));
	inl.cmd = SCOUTFS_IOC_WALK_INODES;
	if (!daemon) {
		/* the kernel reaches everybody's memory */
		FAILS(ioctl(dir, SCOUTFS_IOC_INLINE, &inl), ENOTTY);
		return;
	}
	FAILS(ioctl(dir, SCOUTFS_IOC_INLINE, &inl), EINVAL);
	memset(&wi->first, 0, sizeof(wi->first));
	wi->index = SCOUTFS_IOC_WALK_INODES_META_SEQ;
	nr = ioctl(dir, SCOUTFS_IOC_INLINE, &inl);
	CHECK(nr >= 1 && nr * sizeof(entry_t) <= sizeof(inl.result));
	/* what is behind the answer is not what we sent */
	CHECK(nr * sizeof(entry_t) == sizeof(inl.result) ||
	      ((char *)inl.result)[nr * sizeof(entry_t)] == 0);
	memset(&inl, 0xff, sizeof(inl));
	inl.cmd = SCOUTFS_IOC_ALLOC_DETAIL;
	CHECK(ioctl(dir, SCOUTFS_IOC_INLINE, &inl) > 0);
}

/* Many at once, from threads and from callers that nobody may look into. */
static void test_callers(int dir, int weak_daemon)
{
	entry_t ents[32];
	pthread_t thread[24];
	int i, status;

	for (i = 0; i < 24; i++)
		CHECK(pthread_create(&thread[i], NULL, thread_main, &dir) ==
		      0);
	for (i = 0; i < 24; i++)
		pthread_join(thread[i], NULL);
	if (fork() == 0) {
		CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
		if (weak_daemon)
			FAILS(walk(dir, 0, ents, 32), EOPNOTSUPP);
		else
			thread_main(&dir);
		exit(0);
	}
	CHECK(wait(&status) > 0 && status == 0);
}

int main(int argc, char **argv)
{
	int daemon, dir;

	if (argc < 3) {
		fprintf(stderr, "usage: ioctls DIR fuse|kernel [user [weak]]\n");
		return 2;
	}
	daemon = !strcmp(argv[2], "fuse");
	dir = open(argv[1], O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	test_walk(dir);
	test_data_walk(dir);
	test_pointers(dir);
	test_own_mapping(dir);
	test_stat(dir);
	test_volume(dir);
	test_path(dir, argc == 3);
	test_unknown(dir);
	test_inline(dir, daemon);
	test_callers(dir, argc > 4);
	return 0;
}

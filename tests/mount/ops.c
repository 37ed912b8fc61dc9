/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the shell can not do to a mounted filesystem, or not precisely enough.
 *
 *	ops COMMAND ARGUMENT...
 *
 * Each command checks what it does itself: status 0, or 1 with a line that
 * says what was wrong.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* ---- contents ----------------------------------------------------------- */

/* fill FILE SIZE SEED [CHUNK]: writes SIZE bytes in chunks of an odd size */
static void cmd_fill(char **arg)
{
	uint64_t size = number(arg[1]), seed = number(arg[2]), off;
	size_t chunk = arg[3] ? number(arg[3]) : 77777, len;
	unsigned char *buf = malloc(chunk);
	int fd;

	fd = open(arg[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	for (off = 0; off < size; off += len) {
		len = size - off < chunk ? size - off : chunk;
		fill_pattern(buf, len, off, seed);
		CHECK(write(fd, buf, len) == (ssize_t)len);
	}
	CHECK(close(fd) == 0);
	free(buf);
}

/* verify FILE SIZE SEED: it holds what fill has written, and no more */
static void cmd_verify(char **arg)
{
	uint64_t size = number(arg[1]), seed = number(arg[2]), off = 0;
	unsigned char buf[65536], want[65536];
	struct stat st;
	ssize_t n, i;
	int fd;

	fd = open(arg[0], O_RDONLY);
	CHECK(fd >= 0);
	CHECK(fstat(fd, &st) == 0);
	if ((uint64_t)st.st_size != size)
		fail("size is %lld", (long long)st.st_size);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		fill_pattern(want, n, off, seed);
		for (i = 0; i < n && buf[i] == want[i]; i++)
			;
		if (i < n)
			fail("wrong byte at %llu",
			     (unsigned long long)off + i);
		off += n;
	}
	CHECK(n == 0);
	if (off != size)
		fail("only %llu bytes could be read", (unsigned long long)off);
	close(fd);
}

/* sparse FILE: holes read as zeroes, SEEK_HOLE and SEEK_DATA find them */
static void cmd_sparse(char **arg)
{
	const off_t far = 3LL << 30;
	char buf[8192], zero[8192] = { 0 };
	struct stat st;
	int fd;

	fd = open(arg[0], O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	CHECK(pwrite(fd, "abc", 3, 0) == 3);
	CHECK(pwrite(fd, "xyz", 3, far + 5) == 3);
	CHECK(fstat(fd, &st) == 0);
	CHECK(st.st_size == far + 8);
	CHECK(st.st_blocks > 0 && st.st_blocks < 10 * 1024 * 2);
	CHECK(pread(fd, buf, sizeof(buf), 1 << 30) == sizeof(buf));
	CHECK(!memcmp(buf, zero, sizeof(buf)));
	CHECK(pread(fd, buf, 8192, far) == 8);
	CHECK(!memcmp(buf, "\0\0\0\0\0xyz", 8));
	CHECK(lseek(fd, 0, SEEK_DATA) == 0);
	CHECK(lseek(fd, 0, SEEK_HOLE) > 0 && lseek(fd, 0, SEEK_HOLE) < far);
	CHECK(lseek(fd, 1 << 30, SEEK_HOLE) == 1 << 30);
	CHECK(lseek(fd, 1 << 30, SEEK_DATA) == far);
	CHECK(lseek(fd, far, SEEK_HOLE) == far + 8);
	FAILS(lseek(fd, far + 8, SEEK_DATA), ENXIO);

	/* what is cut off is zero when it comes back */
	CHECK(ftruncate(fd, 2) == 0);
	CHECK(ftruncate(fd, 10000) == 0);
	CHECK(pread(fd, buf, sizeof(buf), 0) == sizeof(buf));
	CHECK(!memcmp(buf, "ab", 2) && !memcmp(buf + 2, zero, 8190));
	FAILS(ftruncate(fd, -1), EINVAL);
	close(fd);
}

/* append FILE PROCESSES COUNT: no record is lost or torn */
static void cmd_append(char **arg)
{
	int procs = number(arg[1]), count = number(arg[2]), p, i, fd, status;
	char rec[32];
	int *seen = calloc(procs, sizeof(*seen));
	FILE *f;

	unlink(arg[0]);
	for (p = 0; p < procs; p++) {
		if (fork())
			continue;
		fd = open(arg[0], O_WRONLY | O_CREAT | O_APPEND, 0644);
		CHECK(fd >= 0);
		for (i = 0; i < count; i++) {
			snprintf(rec, sizeof(rec), "%03d %06d\n", p, i);
			CHECK(write(fd, rec, 11) == 11);
		}
		exit(0);
	}
	while (wait(&status) > 0)
		CHECK(status == 0);
	f = fopen(arg[0], "r");
	CHECK(f);
	while (fgets(rec, sizeof(rec), f)) {
		CHECK(strlen(rec) == 11 && rec[3] == ' ');
		p = atoi(rec);
		CHECK(p < procs && atoi(rec + 4) == seen[p]);
		seen[p]++;
	}
	for (p = 0; p < procs; p++)
		CHECK(seen[p] == count);
	fclose(f);
	free(seen);
}

/* mmap FILE: mappings agree with reads and writes */
static void cmd_mmap(char **arg)
{
	const size_t size = 300000;
	unsigned char *buf = malloc(size), *map;
	int fd, rd;

	cmd_fill((char *[]){ arg[0], "300000", "7", NULL });
	rd = open(arg[0], O_RDONLY);
	CHECK(rd >= 0);
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, rd, 0);
	CHECK(map != MAP_FAILED);
	fill_pattern(buf, size, 0, 7);
	CHECK(!memcmp(map, buf, size));

	/* a write through another descriptor is seen through the mapping */
	fd = open(arg[0], O_RDWR);
	CHECK(fd >= 0);
	CHECK(pwrite(fd, "HELLO", 5, 123456) == 5);
	CHECK(!memcmp(map + 123456, "HELLO", 5));
	CHECK(munmap(map, size) == 0);

	/* a store through a mapping is seen by reads; older kernels have none */
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		memcpy(map + 200000, "WORLD", 5);
		CHECK(msync(map, size, MS_SYNC) == 0);
		CHECK(pread(rd, buf, 5, 200000) == 5);
		CHECK(!memcmp(buf, "WORLD", 5));
		CHECK(munmap(map, size) == 0);
	} else {
		CHECK(errno == ENODEV);
	}
	close(fd);
	close(rd);
	free(buf);
}

/*
 * stale FILE ROUNDS: a reader with cached pages sees every write; another
 * process reads all the time, so that pages come back at any moment.
 */
static void cmd_stale(char **arg)
{
	uint64_t rounds = number(arg[1]), i, got;
	int fd, rd, status;
	char buf[8192];
	pid_t pid;

	fd = open(arg[0], O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	CHECK(ftruncate(fd, 8192) == 0);
	rd = open(arg[0], O_RDONLY);
	CHECK(rd >= 0);
	pid = fork();
	if (pid == 0) {
		for (;;)
			CHECK(pread(rd, buf, sizeof(buf), 0) ==
			      sizeof(buf));
	}
	for (i = 1; i <= rounds; i++) {
		CHECK(pwrite(fd, &i, sizeof(i), 4090) == sizeof(i));
		CHECK(pread(rd, &got, sizeof(got), 4090) == sizeof(got));
		if (got != i)
			fail("read %llu after writing %llu",
			     (unsigned long long)got, (unsigned long long)i);
	}
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status));
	close(fd);
	close(rd);
}

/* osync FILE: synchronous writes of both kinds */
static void cmd_osync(char **arg)
{
	int flags[] = { O_SYNC, O_DSYNC }, i, fd;
	char buf[10000];

	memset(buf, 'o', sizeof(buf));
	for (i = 0; i < 2; i++) {
		fd = open(arg[0], O_WRONLY | O_CREAT | flags[i], 0644);
		CHECK(fd >= 0);
		CHECK(pwrite(fd, buf, sizeof(buf), i * 10000) == 10000);
		CHECK(close(fd) == 0);
	}
}

/* fsync PATH: of a file or directory */
static void cmd_fsync(char **arg)
{
	int fd = open(arg[0], O_RDONLY);

	CHECK(fd >= 0);
	CHECK(fsync(fd) == 0);
	close(fd);
}

static void on_alarm(int sig)
{
}

/* signals FILE: fsync and reads under a rain of signals */
static void cmd_signals(char **arg)
{
	struct itimerval it = { { 0, 1500 }, { 0, 1500 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	char buf[4096] = { 0 };
	int fd, i, ok = 0;

	fd = open(arg[0], O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	for (i = 0; i < 200; i++) {
		CHECK(pwrite(fd, buf, sizeof(buf), i * 4096) == sizeof(buf));
		if (fsync(fd) == 0)
			ok++;
		else
			CHECK(errno == EINTR);
	}
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK(fsync(fd) == 0);
	close(fd);
}

/* ---- names -------------------------------------------------------------- */

/* rename DIR PROCESSES COUNT: a name that is replaced is always there */
static void cmd_rename(char **arg)
{
	int procs = number(arg[1]), count = number(arg[2]), p, i, fd, status;
	char from[64], line[64];
	pid_t watcher;

	CHECK(chdir(arg[0]) == 0);
	fd = open("target", O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0);
	close(fd);
	watcher = fork();
	if (watcher == 0) {
		for (;;) {
			fd = open("target", O_RDONLY);
			CHECK(fd >= 0);
			CHECK(read(fd, line, sizeof(line)) >= 0);
			close(fd);
		}
	}
	for (p = 0; p < procs; p++) {
		if (fork())
			continue;
		for (i = 0; i < count; i++) {
			snprintf(from, sizeof(from), "from%d", p);
			fd = open(from, O_CREAT | O_EXCL | O_WRONLY, 0644);
			CHECK(fd >= 0);
			CHECK(write(fd, from, strlen(from)) > 0);
			CHECK(close(fd) == 0);
			CHECK(rename(from, "target") == 0);
		}
		exit(0);
	}
	for (p = 0; p < procs; p++) {
		pid_t pid = wait(&status);

		if (pid == watcher)
			fail("the name was not there");
		CHECK(status == 0);
	}
	kill(watcher, SIGKILL);
	wait(&status);
	CHECK(unlink("target") == 0);
}

/* moves DIR PROCESSES COUNT: directories wander through each other */
static void cmd_moves(char **arg)
{
	int procs = number(arg[1]), count = number(arg[2]), p, i, status;
	char a[128], b[128];
	unsigned int r;

	CHECK(chdir(arg[0]) == 0);
	for (i = 0; i < 8; i++) {
		snprintf(a, sizeof(a), "m%d", i);
		CHECK(mkdir(a, 0755) == 0);
	}
	for (p = 0; p < procs; p++) {
		if (fork())
			continue;
		r = p + 1;
		for (i = 0; i < count; i++) {
			r = r * 1103515245 + 12345;
			snprintf(a, sizeof(a), "m%u/s%u", r >> 16 & 7,
				 r >> 20 & 3);
			r = r * 1103515245 + 12345;
			snprintf(b, sizeof(b), "m%u/s%u", r >> 16 & 7,
				 r >> 20 & 3);
			if (i % 5 == 0 && mkdir(a, 0755) < 0)
				CHECK(errno == EEXIST || errno == ENOENT);
			if (rename(a, b) < 0)
				CHECK(errno == ENOENT || errno == ENOTEMPTY ||
				      errno == EEXIST || errno == EINVAL);
		}
		exit(0);
	}
	while (wait(&status) > 0)
		CHECK(status == 0);
}

/*
 * readdir DIR COUNT: reads a directory of COUNT files while the odd ones are
 * deleted: each even one is seen exactly once.
 */
static void cmd_readdir(char **arg)
{
	int count = number(arg[1]), i, fd, status, nr;
	char *seen = calloc(count, 1), name[32];
	struct dirent *de;
	pid_t pid;
	DIR *dir;

	CHECK(chdir(arg[0]) == 0);
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		CHECK(fd >= 0);
		close(fd);
	}
	dir = opendir(".");
	CHECK(dir);
	for (i = 0; i < 100; i++)
		CHECK(readdir(dir));
	rewinddir(dir);
	pid = fork();
	if (pid == 0) {
		for (i = 1; i < count; i += 2) {
			snprintf(name, sizeof(name), "file%d", i);
			CHECK(unlink(name) == 0);
		}
		exit(0);
	}
	for (nr = 0; (errno = 0, de = readdir(dir)); nr++) {
		if (sscanf(de->d_name, "file%d", &i) != 1)
			continue;
		CHECK(i >= 0 && i < count);
		if (seen[i]++)
			fail("%s is there twice", de->d_name);
	}
	CHECK(errno == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (i = 0; i < count; i += 2)
		if (!seen[i])
			fail("file%d is missing", i);
	rewinddir(dir);
	for (nr = 0; (de = readdir(dir)); nr++)
		;
	CHECK(nr == count / 2 + count % 2 + 2);
	closedir(dir);
	free(seen);
}

/* names_until_full DIR: files with large attributes until there is no space */
static void cmd_names_until_full(char **arg)
{
	static char val[16384];
	char name[32];
	int i, fd;

	CHECK(chdir(arg[0]) == 0);
	for (i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0)
			break;
		memset(val, i, sizeof(val));
		if (fsetxattr(fd, "user.fill", val, sizeof(val), 0) < 0)
			break;
		close(fd);
	}
	CHECK(errno == ENOSPC);
	CHECK(i > 100);
}

/* unlinked DIR: what is open lives on without a name */
static void cmd_unlinked(char **arg)
{
	char buf[16], link[32];
	struct stat st;
	int fd, path_fd;

	CHECK(chdir(arg[0]) == 0);
	fd = open("u", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, "before", 6) == 6);
	path_fd = open("u", O_PATH);
	CHECK(path_fd >= 0);
	CHECK(unlink("u") == 0);
	FAILS(access("u", F_OK), ENOENT);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 6);
	CHECK(pwrite(fd, "after!", 6, 6) == 6);
	CHECK(fsync(fd) == 0);
	CHECK(pread(fd, buf, 12, 0) == 12 && !memcmp(buf, "beforeafter!", 12));
	close(fd);
	/* not open any more, but somebody still holds the inode */
	CHECK(fstat(path_fd, &st) == 0 && st.st_nlink == 0);
	close(path_fd);

	/* one that has nothing would go with its name if nobody held it */
	path_fd = open("u", O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK(path_fd >= 0 && close(path_fd) == 0);
	path_fd = open("u", O_PATH);
	CHECK(path_fd >= 0 && unlink("u") == 0);
	CHECK(fstat(path_fd, &st) == 0 && st.st_nlink == 0);
	sprintf(link, "/proc/self/fd/%d", path_fd);
	fd = open(link, O_RDWR);
	CHECK(fd >= 0 && write(fd, "more", 4) == 4 && close(fd) == 0);
	CHECK(fstat(path_fd, &st) == 0 && st.st_size == 4);
	close(path_fd);

	/* the same for a directory one stands in, and for one replaced */
	CHECK(mkdir("d", 0755) == 0);
	CHECK(chdir("d") == 0);
	CHECK(rmdir("../d") == 0);
	CHECK(stat(".", &st) == 0 && st.st_nlink == 0);
	FAILS(mkdir("x", 0755), ENOENT);
	CHECK(chdir(arg[0]) == 0);

	fd = open("r1", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && write(fd, "one", 3) == 3);
	CHECK(close(open("r2", O_RDWR | O_CREAT, 0600)) == 0);
	CHECK(rename("r2", "r1") == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK(pread(fd, buf, 3, 0) == 3 && !memcmp(buf, "one", 3));
	close(fd);
	CHECK(unlink("r1") == 0);
}

/* names DIR: what each operation answers when it can not */
static void cmd_names(char **arg)
{
	char longest[257], buf[8];
	struct stat st;

	CHECK(chdir(arg[0]) == 0);
	memset(longest, 'n', 256);
	longest[256] = '\0';
	FAILS(mkdir(longest, 0755), ENAMETOOLONG);
	longest[255] = '\0';
	CHECK(mkdir(longest, 0755) == 0);
	FAILS(mkdir(longest, 0755), EEXIST);
	CHECK(rmdir(longest) == 0);
	FAILS(rmdir(longest), ENOENT);

	CHECK(mkdir("d", 0755) == 0);
	CHECK(mkdir("d/e", 0755) == 0);
	CHECK(stat("d", &st) == 0 && st.st_nlink == 3);
	CHECK(close(open("f", O_CREAT | O_WRONLY, 0644)) == 0);
	FAILS(rmdir("d"), ENOTEMPTY);
	FAILS(unlink("d"), EISDIR);
	FAILS(rmdir("f"), ENOTDIR);
	FAILS(rename("d", "f"), ENOTDIR);
	FAILS(rename("f", "d"), EISDIR);
	FAILS(rename("d", "d/e/x"), EINVAL);
	FAILS(open("f/x", O_RDONLY), ENOTDIR);
	FAILS(link("d", "hard"), EPERM);
	CHECK(link("f", "hard") == 0);
	CHECK(stat("f", &st) == 0 && st.st_nlink == 2);
	/* two names of one inode: nothing happens */
	CHECK(rename("f", "hard") == 0);
	CHECK(stat("f", &st) == 0 && st.st_nlink == 2);
	FAILS(renameat2(AT_FDCWD, "f", AT_FDCWD, "d", RENAME_NOREPLACE),
	      EEXIST);
	FAILS(renameat2(AT_FDCWD, "f", AT_FDCWD, "d", RENAME_EXCHANGE),
	      EINVAL);
	CHECK(renameat2(AT_FDCWD, "f", AT_FDCWD, "d/e/g",
			RENAME_NOREPLACE) == 0);
	FAILS(open("hard", O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK(symlink("d/e", "sym") == 0);
	CHECK(readlink("sym", buf, sizeof(buf)) == 3);
	CHECK(stat("sym/g", &st) == 0);
	CHECK(lstat("sym", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(mkfifo("fifo", 0600) == 0);
	CHECK(stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	if (geteuid() == 0) {
		CHECK(mknod("dev", S_IFCHR | 0600, 0x0103) == 0);
		CHECK(stat("dev", &st) == 0 && st.st_rdev == 0x0103);
	}
}

/* ---- attributes --------------------------------------------------------- */

/* xattr FILE */
static void cmd_xattr(char **arg)
{
	/* version 2; owner, group and others may read */
	static const char acl[28] = {
		2, 0, 0, 0,
		0x01, 0, 4, 0, -1, -1, -1, -1,
		0x04, 0, 4, 0, -1, -1, -1, -1,
		0x20, 0, 4, 0, -1, -1, -1, -1,
	};
	static char big[65536], back[65536];
	const char *f = arg[0];
	char list[256];
	ssize_t n;

	CHECK(close(open(f, O_CREAT | O_WRONLY, 0644)) == 0);
	FAILS(getxattr(f, "user.none", back, 10), ENODATA);
	FAILS(setxattr(f, "user.a", "1", 1, XATTR_REPLACE), ENODATA);
	CHECK(setxattr(f, "user.a", "one", 3, XATTR_CREATE) == 0);
	FAILS(setxattr(f, "user.a", "one", 3, XATTR_CREATE), EEXIST);
	CHECK(setxattr(f, "user.a", "three", 5, XATTR_REPLACE) == 0);
	CHECK(getxattr(f, "user.a", NULL, 0) == 5);
	FAILS(getxattr(f, "user.a", back, 4), ERANGE);
	CHECK(getxattr(f, "user.a", back, 5) == 5 && !memcmp(back, "three", 5));
	CHECK(setxattr(f, "user.empty", "", 0, 0) == 0);
	CHECK(getxattr(f, "user.empty", back, 5) == 0);
	memset(big, 'B', sizeof(big));
	CHECK(setxattr(f, "user.big", big, 65535, 0) == 0);
	CHECK(getxattr(f, "user.big", back, sizeof(back)) == 65535);
	CHECK(!memcmp(big, back, 65535));
	n = listxattr(f, NULL, 0);
	CHECK(n == sizeof("user.a") + sizeof("user.empty") +
	      sizeof("user.big"));
	FAILS(listxattr(f, list, 5), ERANGE);
	CHECK(listxattr(f, list, sizeof(list)) == n);
	CHECK(memmem(list, n, "user.empty", 11));
	CHECK(removexattr(f, "user.empty") == 0);
	FAILS(removexattr(f, "user.empty"), ENODATA);
	FAILS(setxattr(f, "system.posix_acl_access", acl, sizeof(acl), 0),
	      EOPNOTSUPP);
	if (geteuid() == 0) {
		CHECK(setxattr(f, "trusted.t", "t", 1, 0) == 0);
		CHECK(getxattr(f, "trusted.t", back, 1) == 1);
		CHECK(listxattr(f, NULL, 0) ==
		      n - (ssize_t)sizeof("user.empty") +
		      (ssize_t)sizeof("trusted.t"));
	}
}

static bool same_time(const struct statx_timestamp *a, time_t sec, long nsec)
{
	return a->tv_sec == sec && a->tv_nsec == nsec;
}

static int newer(const struct statx_timestamp *a,
		 const struct statx_timestamp *b)
{
	return a->tv_sec > b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec >= b->tv_nsec);
}

/* Or later. */
static bool kernel_is(int major, int minor)
{
	struct utsname uts;
	int maj, min;

	CHECK(uname(&uts) == 0);
	CHECK(sscanf(uts.release, "%d.%d", &maj, &min) == 2);
	return maj > major || (maj == major && min >= minor);
}

/* times FILE */
static void cmd_times(char **arg)
{
	struct timespec ts[2] = { { 1, 2 }, { -5, 999999999 } };
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	struct statx a, b;
	int fd;

	fd = open(arg[0], O_CREAT | O_EXCL | O_RDWR, 0644);
	CHECK(fd >= 0);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &a) == 0);
	CHECK((a.stx_mask & STATX_BTIME) || getenv("SCOUTFS_FUSE_MINOR") ||
	      !kernel_is(6, 6));
	CHECK(futimens(fd, ts) == 0);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &b) == 0);
	CHECK(same_time(&b.stx_atime, 1, 2));
	CHECK(same_time(&b.stx_mtime, -5, 999999999));
	CHECK(newer(&b.stx_ctime, &a.stx_ctime));
	CHECK(!memcmp(&a.stx_btime, &b.stx_btime, sizeof(a.stx_btime)));
	CHECK(futimens(fd, omit) == 0);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &a) == 0);
	CHECK(same_time(&a.stx_atime, 1, 2));
	CHECK(newer(&a.stx_mtime, &b.stx_ctime));

	/* writing moves both, chmod only one of them */
	CHECK(write(fd, "x", 1) == 1);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &b) == 0);
	CHECK(newer(&b.stx_mtime, &a.stx_mtime) && b.stx_size == 1);
	CHECK(fchmod(fd, 0600) == 0);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &a) == 0);
	CHECK(!memcmp(&a.stx_mtime, &b.stx_mtime, sizeof(a.stx_mtime)));
	CHECK(newer(&a.stx_ctime, &b.stx_ctime));
	close(fd);
}

/* suid FILE: who writes without rights takes setuid away (not as root) */
static void cmd_suid(char **arg)
{
	struct stat st;
	int fd;

	fd = open(arg[0], O_CREAT | O_RDWR, 0755);
	CHECK(fd >= 0);
	CHECK(write(fd, "a", 1) == 1);
	CHECK(fchmod(fd, 04755) == 0);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 04755);
	CHECK(write(fd, "b", 1) == 1);
	CHECK(fstat(fd, &st) == 0);
	if ((st.st_mode & 07777) != 0755)
		fail("mode is %o", st.st_mode);
	close(fd);
}

/* ---- */

static const struct command commands[] = {
	{ "fill", 3, cmd_fill },
	{ "verify", 3, cmd_verify },
	{ "sparse", 1, cmd_sparse },
	{ "append", 3, cmd_append },
	{ "mmap", 1, cmd_mmap },
	{ "stale", 2, cmd_stale },
	{ "osync", 1, cmd_osync },
	{ "fsync", 1, cmd_fsync },
	{ "signals", 1, cmd_signals },
	{ "rename", 3, cmd_rename },
	{ "moves", 3, cmd_moves },
	{ "readdir", 2, cmd_readdir },
	{ "names_until_full", 1, cmd_names_until_full },
	{ "unlinked", 1, cmd_unlinked },
	{ "names", 1, cmd_names },
	{ "xattr", 1, cmd_xattr },
	{ "times", 1, cmd_times },
	{ "suid", 1, cmd_suid },
	{ NULL },
};

int main(int argc, char **argv)
{
	return run_command(commands, argv);
}

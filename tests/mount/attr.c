/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times and locks.
 *
 *	attr COMMAND ARGUMENT...
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096
#define OLD 1000000000

/* ---- times -------------------------------------------------------------- */

/* What an operation has moved, of a file whose times were OLD. */
enum { NONE, CTIME, MTIME_CTIME };

static struct timespec before;

/* Sets both; what comes after it has a later ctime. */
static void set_times(int fd, time_t atime, time_t mtime)
{
	const struct timespec ts[2] = { { atime, 0 }, { mtime, 0 } };
	struct timespec now;
	struct stat st;

	CHECK(futimens(fd, ts) == 0);
	CHECK(fstat(fd, &st) == 0);
	before = st.st_ctim;
	/* the kernel's clock moves by ticks */
	do {
		CHECK(clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0);
	} while (now.tv_sec == before.tv_sec && now.tv_nsec <= before.tv_nsec);
}

static void make_old(int fd)
{
	set_times(fd, OLD, OLD);
}

static void moved(int fd, int want, const char *what)
{
	struct stat st;
	bool m, c;

	CHECK(fstat(fd, &st) == 0);
	m = st.st_mtim.tv_sec != OLD || st.st_mtim.tv_nsec;
	c = st.st_ctim.tv_sec != before.tv_sec ||
	    st.st_ctim.tv_nsec != before.tv_nsec;
	if (m != (want == MTIME_CTIME) || c != (want != NONE))
		fail("%s: mtime %s, ctime %s", what, m ? "moved" : "stayed",
		     c ? "moved" : "stayed");
	if (m && (st.st_mtim.tv_sec != st.st_ctim.tv_sec ||
		  st.st_mtim.tv_nsec > st.st_ctim.tv_nsec))
		fail("%s: mtime is not ctime", what);
	CHECK(st.st_atim.tv_sec == OLD || want == NONE);
}

#define MOVES(fd, want, call) \
	do { \
		make_old(fd); \
		CHECK(call); \
		moved(fd, want, #call); \
	} while (0)

/* moves FILE [mmap]: which times an operation moves, of a file */
static void cmd_moves(char **arg)
{
	unsigned char *buf = aligned_alloc(PAGE, PAGE), *map;
	char name[4096];
	int fd, direct;

	fd = open(arg[0], O_RDWR | O_CREAT | O_EXCL, 0644);
	direct = open(arg[0], O_RDWR | O_DIRECT);
	CHECK(fd >= 0 && direct >= 0 && buf);
	memset(buf, 't', PAGE);
	MOVES(fd, MTIME_CTIME, pwrite(fd, buf, 100, 0) == 100);
	MOVES(fd, MTIME_CTIME, pwrite(fd, buf, 100, 0) == 100);
	MOVES(fd, MTIME_CTIME, pwrite(fd, buf, PAGE, PAGE) == PAGE);
	MOVES(fd, MTIME_CTIME, pwrite(direct, buf, PAGE, 0) == PAGE);
	MOVES(fd, MTIME_CTIME, ftruncate(fd, 100) == 0);
	MOVES(fd, MTIME_CTIME, ftruncate(fd, 3 * PAGE) == 0);
	MOVES(fd, MTIME_CTIME, truncate(arg[0], 2 * PAGE) == 0);
	MOVES(fd, MTIME_CTIME,
	      close(open(arg[0], O_WRONLY | O_TRUNC)) == 0);
	MOVES(fd, NONE, pwrite(fd, buf, 0, 0) == 0);
	MOVES(fd, NONE, close(open(arg[0], O_WRONLY)) == 0);
	MOVES(fd, NONE, fsync(fd) == 0);
	MOVES(fd, CTIME, fchmod(fd, 0600) == 0);
	snprintf(name, sizeof(name), "%s.link", arg[0]);
	MOVES(fd, CTIME, link(arg[0], name) == 0);
	MOVES(fd, CTIME, unlink(name) == 0);
	if (arg[1] && !strcmp(arg[1], "mmap")) {
		CHECK(ftruncate(fd, PAGE) == 0);
		map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, 0);
		CHECK(map != MAP_FAILED);
		MOVES(fd, MTIME_CTIME,
		      memset(map, 'm', 10) && !msync(map, PAGE, MS_SYNC));
		/* a second store after it was written */
		MOVES(fd, MTIME_CTIME,
		      memset(map, 'n', 10) && !msync(map, PAGE, MS_SYNC));
		CHECK(munmap(map, PAGE) == 0);
	}
	close(direct);
	close(fd);
	free(buf);
}

/* dirmoves DIR: the same of a directory */
static void cmd_dirmoves(char **arg)
{
	int fd, sub;

	CHECK(mkdir(arg[0], 0755) == 0 && chdir(arg[0]) == 0);
	fd = open(".", O_RDONLY);
	CHECK(fd >= 0);
	MOVES(fd, MTIME_CTIME, mkdir("d", 0755) == 0);
	MOVES(fd, MTIME_CTIME, close(open("f", O_CREAT | O_WRONLY, 0644)) == 0);
	MOVES(fd, NONE, close(open("f", O_CREAT | O_WRONLY, 0644)) == 0);
	MOVES(fd, MTIME_CTIME, link("f", "g") == 0);
	MOVES(fd, MTIME_CTIME, symlink("f", "s") == 0);
	MOVES(fd, MTIME_CTIME, mkfifo("p", 0644) == 0);
	MOVES(fd, MTIME_CTIME, rename("g", "h") == 0);
	sub = open("d", O_RDONLY);
	CHECK(sub >= 0);
	MOVES(fd, MTIME_CTIME, rename("h", "d/h") == 0);
	MOVES(sub, MTIME_CTIME, rename("d/h", "h") == 0);
	MOVES(fd, MTIME_CTIME, unlink("h") == 0);
	MOVES(fd, MTIME_CTIME, rmdir("d") == 0);
	MOVES(fd, CTIME, fchmod(fd, 0700) == 0);
	MOVES(fd, NONE, rename("nothing", "f") < 0);
	close(sub);
	close(fd);
}

/* kept FILE [mmap]: times that are set after a write are not moved by writeback */
static void cmd_kept(char **arg)
{
	const struct timespec ts[2] = { { OLD, 5 }, { OLD, 7 } };
	bool use_mmap = arg[1] && !strcmp(arg[1], "mmap");
	int fd = open(arg[0], O_RDWR | O_CREAT | O_EXCL, 0644), i;
	unsigned char *map;
	struct stat st;

	CHECK(fd >= 0 && ftruncate(fd, 100 * PAGE) == 0);
	if (use_mmap) {
		map = mmap(NULL, 100 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
		CHECK(map != MAP_FAILED);
		memset(map, 'k', 100 * PAGE);
		CHECK(futimens(fd, ts) == 0);
		CHECK(munmap(map, 100 * PAGE) == 0);
	} else {
		for (i = 0; i < 100 * PAGE; i += 8)
			CHECK(pwrite(fd, "kkkkkkkk", 8, i) == 8);
		CHECK(futimens(fd, ts) == 0);
	}
	CHECK(fsync(fd) == 0);
	CHECK(fstat(fd, &st) == 0);
	if (st.st_mtim.tv_sec != OLD || st.st_mtim.tv_nsec != 7)
		fail("mtime is %lld.%09ld", (long long)st.st_mtim.tv_sec,
		     st.st_mtim.tv_nsec);
	close(fd);
}

/* atime FILE moves|stays: what a read does to a time of access before mtime */
static void cmd_atime(char **arg)
{
	int fd = open(arg[0], O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct stat a, b;
	char c;

	CHECK(fd >= 0 && write(fd, "a", 1) == 1);
	set_times(fd, OLD, OLD + 5);
	CHECK(pread(fd, &c, 1, 0) == 1 && fstat(fd, &a) == 0);
	if ((a.st_atim.tv_sec != OLD) != !strcmp(arg[1], "moves"))
		fail("time of access is %lld", (long long)a.st_atim.tv_sec);
	/* once moved, it is not before mtime any more */
	CHECK(pread(fd, &c, 1, 0) == 1 && fstat(fd, &b) == 0);
	CHECK(!memcmp(&a.st_atim, &b.st_atim, sizeof(a.st_atim)));
	CHECK(b.st_mtim.tv_sec == OLD + 5);
	close(fd);
}

/* ---- locks -------------------------------------------------------------- */

/* What a second process gets. */
static int elsewhere(const char *path, int (*try)(int fd))
{
	int status;

	if (fork() == 0) {
		int fd = open(path, O_RDWR);

		_exit(fd < 0 ? 99 : try(fd) < 0 ? errno : 0);
	}
	CHECK(wait(&status) > 0 && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_flock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB);
}

static int try_range(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 150, .l_len = 10 };

	return fcntl(fd, F_SETLK, &fl);
}

static int try_other_range(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 200, .l_len = 10 };

	return fcntl(fd, F_OFD_SETLK, &fl);
}

/* locks FILE: of whole files and of ranges, between processes */
static void cmd_locks(char **arg)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 100, .l_len = 100 };
	int fd = open(arg[0], O_RDWR | O_CREAT, 0644);

	CHECK(fd >= 0);
	CHECK(elsewhere(arg[0], try_flock) == 0);
	CHECK(flock(fd, LOCK_SH) == 0);
	CHECK(elsewhere(arg[0], try_flock) == EWOULDBLOCK);
	CHECK(flock(fd, LOCK_UN) == 0);
	CHECK(elsewhere(arg[0], try_flock) == 0);

	CHECK(fcntl(fd, F_SETLK, &fl) == 0);
	CHECK(elsewhere(arg[0], try_range) == EAGAIN);
	CHECK(elsewhere(arg[0], try_other_range) == 0);
	fl.l_type = F_UNLCK;
	CHECK(fcntl(fd, F_SETLK, &fl) == 0);
	CHECK(elsewhere(arg[0], try_range) == 0);
	fl.l_type = F_WRLCK;
	fl.l_pid = 0;
	CHECK(fcntl(fd, F_OFD_SETLK, &fl) == 0);
	CHECK(elsewhere(arg[0], try_range) == EAGAIN);
	/* a lock of its descriptor goes with it */
	close(fd);
	CHECK(elsewhere(arg[0], try_range) == 0);
}

/* ---- */

static const struct command commands[] = {
	{ "moves", 1, cmd_moves },
	{ "dirmoves", 1, cmd_dirmoves },
	{ "kept", 1, cmd_kept },
	{ "atime", 2, cmd_atime },
	{ "locks", 1, cmd_locks },
	{ NULL },
};

int main(int argc, char **argv)
{
	return run_command(commands, argv);
}

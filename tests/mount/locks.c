/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of flock() and fcntl() between processes, and between mounts of one
 * volume.
 *
 *	locks TEST HOST DIR...
 *
 * HOST is "fuse" or "kernel".  The directories are the same one seen through
 * different mounts, or one alone; processes use them in turn.  What processes
 * know of each other goes through memory that they share, not through files.
 * Whatever waits longer than a test may take ends by SIGALRM.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/mount/check.h"

#define LIMIT_S 120
#define NR_BYTES 32
#define NR_PROCS 6

static const char *host;
static char **dirs;
static int nr_dirs;

static struct {
	volatile long counter;
	volatile int inside;
	volatile int stage;
	volatile int order[16];
	volatile int nr_order;
	/* what each holds for certain */
	volatile unsigned char certain[NR_PROCS][NR_BYTES];
} *shared;

static int open_in(int nr, const char *name, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dirs[nr % nr_dirs], name);
	fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd < 0)
		fail("%s", path);
	return fd;
}

static int open_file(int nr)
{
	return open_in(nr, "locked", O_RDWR | O_CREAT);
}

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len,
	};

	return fcntl(fd, cmd, &fl);
}

static void nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static void await_stage(int stage)
{
	while (shared->stage < stage)
		nap(2);
}

static void on_alarm(int sig)
{
}

/* No SA_RESTART: what waits is interrupted. */
static void alarm_in_ms(long ms)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	pid_t parent = getpid();

	sigaction(SIGUSR1, &sa, NULL);
	if (fork() == 0) {
		nap(ms);
		kill(parent, SIGUSR1);
		_exit(0);
	}
}

static pid_t child(void (*fn)(int nr), int nr)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		alarm(LIMIT_S);
		fn(nr);
		_exit(0);
	}
	return pid;
}

static void reap(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	if (status)
		fail("a process ended with status %x", status);
}

/* Another process, on the mount of number @nr, tries: 0 or the errno. */
static int other_tries(int nr, int type, off_t start, off_t len)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open_file(nr);

		alarm(LIMIT_S);
		_exit(lock(fd, F_SETLK, type, start, len) ? errno : 0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define IS_FREE(nr, type, start, len) \
	CHECK(other_tries(nr, type, start, len) == 0)
#define IS_TAKEN(nr, type, start, len) \
	CHECK(other_tries(nr, type, start, len) == EAGAIN)

/* ---- exclusion ---------------------------------------------------------- */

#define NR_TURNS 40

static int with_flock;
static int lock_cmd;

static void adder(int nr)
{
	int fd = open_file(nr), i;
	long value;

	for (i = 0; i < NR_TURNS; i++) {
		if (with_flock)
			CHECK(flock(fd, LOCK_EX) == 0);
		else
			CHECK(lock(fd, lock_cmd, F_WRLCK, 3, 4) == 0);
		CHECK(shared->inside++ == 0);
		value = shared->counter;
		sched_yield();
		shared->counter = value + 1;
		CHECK(--shared->inside == 0);
		if (with_flock)
			CHECK(flock(fd, LOCK_UN) == 0);
		else
			CHECK(lock(fd, lock_cmd, F_UNLCK, 0, 0) == 0);
	}
}

static void exclusion(void)
{
	pid_t pids[NR_PROCS];
	int i;

	shared->counter = 0;
	for (i = 0; i < NR_PROCS; i++)
		pids[i] = child(adder, i);
	for (i = 0; i < NR_PROCS; i++)
		reap(pids[i]);
	CHECK(shared->counter == NR_PROCS * NR_TURNS);
}

static void test_posix(void)
{
	lock_cmd = F_SETLKW;
	exclusion();
}

static void test_ofd(void)
{
	lock_cmd = F_OFD_SETLKW;
	exclusion();
}

static void test_flock(void)
{
	with_flock = 1;
	exclusion();
}

/* ---- waiting ------------------------------------------------------------ */

static void waiter(int nr)
{
	int fd = open_file(nr);

	await_stage(nr);
	shared->stage = nr + 1;
	if (with_flock)
		CHECK(flock(fd, LOCK_EX) == 0);
	else
		CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 10) == 0);
	shared->order[shared->nr_order++] = nr;
	/* unlocked by the end of the process */
}

static void in_order(void)
{
	int fd = open_file(0), i;
	pid_t pids[4];

	shared->stage = 0;
	shared->nr_order = 0;
	if (with_flock)
		CHECK(flock(fd, LOCK_EX) == 0);
	else
		CHECK(lock(fd, F_SETLK, F_WRLCK, 5, 1) == 0);
	for (i = 0; i < 4; i++) {
		pids[i] = child(waiter, i);
		await_stage(i + 1);
		nap(300);
	}
	CHECK(shared->nr_order == 0);
	/* the children have the file, too */
	if (with_flock)
		CHECK(flock(fd, LOCK_UN) == 0);
	close(fd);
	for (i = 0; i < 4; i++)
		reap(pids[i]);
	for (i = 0; i < 4; i++)
		CHECK(shared->order[i] == i);
}

static void test_order(void)
{
	in_order();
	with_flock = 1;
	in_order();
}

static void interrupted(int nr)
{
	int fd = open_file(nr);

	alarm_in_ms(300);
	if (with_flock)
		FAILS(flock(fd, LOCK_EX), EINTR);
	else
		FAILS(lock(fd, F_SETLKW, F_WRLCK, 0, 10), EINTR);
	/* what it has otherwise stays */
	CHECK(lock(fd, F_SETLK, F_WRLCK, 100, 1) == 0);
	alarm_in_ms(300);
	FAILS(lock(fd, F_SETLKW, F_RDLCK, 0, 101), EINTR);
	IS_TAKEN(nr + 1, F_RDLCK, 100, 1);
}

static void test_signal(void)
{
	int fd = open_file(0);

	CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0);
	CHECK(flock(fd, LOCK_SH) == 0);
	reap(child(interrupted, 0));
	reap(child(interrupted, 1));
	with_flock = 1;
	reap(child(interrupted, 0));
	reap(child(interrupted, 1));
	CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	IS_FREE(1, F_WRLCK, 0, 0);
	CHECK(flock(fd, LOCK_EX) == 0);
}

static void holder(int nr)
{
	int fd = open_file(nr);

	CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 10) == 0);
	CHECK(flock(fd, LOCK_EX) == 0);
	shared->stage++;
	for (;;)
		pause();
}

static void test_kill(void)
{
	int fd = open_file(0), status, i;
	pid_t pid;

	/* who holds something */
	for (i = 0; i < 2; i++) {
		shared->stage = 0;
		pid = child(holder, i);
		await_stage(1);
		IS_TAKEN(0, F_RDLCK, 0, 1);
		FAILS(flock(fd, LOCK_SH | LOCK_NB), EWOULDBLOCK);
		kill(pid, SIGKILL);
		CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0);
		CHECK(flock(fd, LOCK_EX) == 0);
		waitpid(pid, &status, 0);
		CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
		CHECK(flock(fd, LOCK_UN) == 0);
	}
	/* who waits */
	for (i = 0; i < 2; i++) {
		CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0);
		pid = child(holder, i);
		nap(300);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
		IS_FREE(1, F_WRLCK, 0, 0);
	}
}

/* ---- ranges ------------------------------------------------------------- */

/* Byte by byte: r and w for what is locked so, another process finds out. */
static void is_map(int nr, const char *map)
{
	int i;

	for (i = 0; map[i]; i++) {
		CHECK(other_tries(nr, F_WRLCK, i, 1) ==
		      (map[i] == '-' ? 0 : EAGAIN));
		CHECK(other_tries(nr, F_RDLCK, i, 1) ==
		      (map[i] == 'w' ? EAGAIN : 0));
	}
}

static void test_ranges(void)
{
	int fd = open_file(0), i;

	CHECK(lock(fd, F_SETLK, F_WRLCK, 1, 6) == 0);
	CHECK(lock(fd, F_SETLK, F_UNLCK, 3, 2) == 0);
	for (i = 0; i < nr_dirs; i++)
		is_map(i, "-ww--ww-");
	CHECK(lock(fd, F_SETLK, F_RDLCK, 2, 4) == 0);
	is_map(1, "-wrrrrw-");
	CHECK(lock(fd, F_SETLK, F_WRLCK, 3, 1) == 0);
	is_map(1, "-wrwrrw-");
	CHECK(lock(fd, F_SETLK, F_RDLCK, 0, 8) == 0);
	is_map(1, "rrrrrrrr");
	/* to the end of all files, and what others read can not be written */
	CHECK(lock(fd, F_SETLK, F_WRLCK, 5, 0) == 0);
	is_map(1, "rrrrrwww");
	IS_TAKEN(1, F_RDLCK, 1LL << 40, 1);
	CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 7) == 0);
	is_map(1, "-------w");
	CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	is_map(1, "--------");
	FAILS(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
}

static void test_getlk(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 0, .l_len = 0 };
	int fd = open_file(0), i;

	CHECK(fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type == F_UNLCK);
	CHECK(lock(fd, F_SETLK, F_RDLCK, 7, 5) == 0);
	for (i = 0; i < 2; i++) {
		pid_t me = getpid(), pid = fork();

		if (pid) {
			reap(pid);
			continue;
		}
		fd = open_file(i);
		fl = (struct flock){ .l_type = F_RDLCK };
		CHECK(fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type == F_UNLCK);
		fl = (struct flock){ .l_type = F_WRLCK };
		CHECK(fcntl(fd, F_GETLK, &fl) == 0);
		CHECK(fl.l_type == F_RDLCK && fl.l_whence == SEEK_SET);
		CHECK(fl.l_start == 7 && fl.l_len == 5);
		if (i % nr_dirs == 0)
			CHECK(fl.l_pid == me);
		else
			/* or it is one mount in two places */
			CHECK(fl.l_pid <= 0 || fl.l_pid == me);
		fl = (struct flock){ .l_type = F_WRLCK, .l_len = 7 };
		CHECK(fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type == F_UNLCK);
		_exit(0);
	}
}

/* ---- deadlocks ---------------------------------------------------------- */

static void crosser(int nr)
{
	int fd = open_file(nr), ret;

	CHECK(lock(fd, F_SETLKW, F_WRLCK, nr, 1) == 0);
	__sync_fetch_and_add(&shared->stage, 1);
	await_stage(3);
	ret = lock(fd, F_SETLKW, F_WRLCK, (nr + 1) % 3, 1);
	CHECK(ret == 0 || errno == EDEADLK);
	if (ret < 0)
		__sync_fetch_and_add(&shared->counter, 1);
}

static void test_deadlock(void)
{
	pid_t pids[3];
	int i;

	shared->stage = 0;
	shared->counter = 0;
	for (i = 0; i < 3; i++)
		pids[i] = child(crosser, i);
	for (i = 0; i < 3; i++)
		reap(pids[i]);
	CHECK(shared->counter == 1);
}

/* ---- who owns what ------------------------------------------------------ */

static void test_ofd_owner(void)
{
	int a = open_file(0), b = open_file(1), c;

	CHECK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
	FAILS(lock(b, F_OFD_SETLK, F_RDLCK, 5, 1), EAGAIN);
	FAILS(lock(b, F_SETLK, F_RDLCK, 5, 1), EAGAIN);
	/* closing another file of the inode leaves it, closing one of two, too */
	close(open_file(0));
	c = dup(a);
	close(a);
	FAILS(lock(b, F_OFD_SETLK, F_RDLCK, 5, 1), EAGAIN);
	/* as does a process that has it from us */
	if (fork() == 0) {
		close(c);
		_exit(0);
	}
	wait(NULL);
	FAILS(lock(b, F_OFD_SETLK, F_RDLCK, 5, 1), EAGAIN);
	close(c);
	CHECK(lock(b, F_OFD_SETLKW, F_WRLCK, 0, 0) == 0);
	close(b);
	IS_FREE(0, F_WRLCK, 0, 0);
}

static void test_close(void)
{
	int fd = open_file(0), other = open_file(0), status;

	/* any close of the process unlocks, on its own mount */
	CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
	IS_TAKEN(1, F_RDLCK, 0, 1);
	close(other);
	IS_FREE(1, F_WRLCK, 0, 0);
	/* what a child closes is its own */
	CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
	if (fork() == 0) {
		close(fd);
		_exit(0);
	}
	wait(NULL);
	IS_TAKEN(1, F_RDLCK, 0, 1);
	/* and it does not inherit locks */
	if (fork() == 0)
		_exit(lock(fd, F_SETLK, F_RDLCK, 0, 1) < 0 && errno == EAGAIN ?
			      0 : 1);
	wait(&status);
	CHECK(status == 0);
}

static void test_flock_owner(void)
{
	int a = open_file(0), b = open_file(1), c;

	CHECK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH) == 0);
	/* of two that share, neither gets it alone, and trying loses it */
	FAILS(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
	FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(b, LOCK_SH) == 0 && flock(a, LOCK_SH | LOCK_NB) == 0);
	CHECK(flock(a, LOCK_UN) == 0);
	CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
	/* it is in no way of fcntl's */
	CHECK(lock(a, F_SETLK, F_WRLCK, 0, 0) == 0);
	/* the open file owns it, however many know it */
	c = dup(b);
	close(b);
	FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	if (fork() == 0) {
		close(c);
		_exit(0);
	}
	wait(NULL);
	FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(c);
	CHECK(flock(a, LOCK_EX) == 0);
	/* an unlock by a child is everybody's */
	if (fork() == 0)
		_exit(flock(a, LOCK_UN));
	wait(NULL);
	b = open_file(1);
	CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
}

static void test_refused(void)
{
	int fd = open_in(0, "locked", O_RDONLY | O_CREAT);
	int wr = open_in(0, "locked", O_WRONLY);
	int dir = open_in(0, ".", O_RDONLY | O_DIRECTORY);
	int dir2 = open_in(0, ".", O_RDONLY | O_DIRECTORY);

	FAILS(lock(fd, F_SETLK, F_WRLCK, 0, 1), EBADF);
	FAILS(lock(wr, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK(flock(fd, LOCK_EX) == 0);
	/* directories have flock, too */
	CHECK(flock(dir, LOCK_EX) == 0);
	FAILS(flock(dir2, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	close(dir);
	CHECK(flock(dir2, LOCK_EX) == 0);
	if (!strcmp(host, "kernel"))
		FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EINVAL);
}

/* ---- everything at once ------------------------------------------------- */

static void certainly(int me, int start, int end, int type)
{
	int i, o;

	for (i = start; i <= end; i++) {
		shared->certain[me][i] = type;
		__sync_synchronize();
		for (o = 0; type && o < NR_PROCS; o++) {
			if (o != me && shared->certain[o][i] + type > 2)
				fail("byte %d: %d and %d, %d and %d", i, me, o,
				     type, shared->certain[o][i]);
		}
	}
}

static void at_random(int nr)
{
	uint64_t state = time(NULL) * 77 + nr + 1;
	static const int types[] = { F_UNLCK, F_RDLCK, F_WRLCK };
	unsigned char before[NR_BYTES];
	int fd = open_file(nr), i, b, start, end, type, wait, ret;

	for (i = 0; i < 150; i++) {
		start = next_random(&state, NR_BYTES);
		end = start + next_random(&state, NR_BYTES - start);
		type = next_random(&state, 3);
		wait = next_random(&state, 2);
		for (b = start; b <= end; b++) {
			before[b] = shared->certain[nr][b];
			if (before[b] > type)
				shared->certain[nr][b] = type;
		}
		__sync_synchronize();
		ret = lock(fd, wait ? F_SETLKW : F_SETLK, types[type], start,
			   end - start + 1);
		if (ret == 0) {
			certainly(nr, start, end, type);
		} else {
			CHECK(errno == (wait ? EDEADLK : EAGAIN));
			for (b = start; b <= end; b++)
				certainly(nr, b, b, before[b]);
		}
		if (next_random(&state, 4) == 0) {
			memset((void *)shared->certain[nr], 0, NR_BYTES);
			__sync_synchronize();
			if (next_random(&state, 2)) {
				close(fd);
				fd = open_file(nr);
			}
			CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
		}
	}
	memset((void *)shared->certain[nr], 0, NR_BYTES);
	__sync_synchronize();
}

static void test_random(void)
{
	pid_t pids[NR_PROCS];
	int i;

	for (i = 0; i < NR_PROCS; i++)
		pids[i] = child(at_random, i);
	for (i = 0; i < NR_PROCS; i++)
		reap(pids[i]);
	IS_FREE(0, F_WRLCK, 0, 0);
	IS_FREE(1, F_WRLCK, 0, 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} tests[] = {
		{ "posix", test_posix },
		{ "ofd", test_ofd },
		{ "flock", test_flock },
		{ "order", test_order },
		{ "signal", test_signal },
		{ "kill", test_kill },
		{ "ranges", test_ranges },
		{ "getlk", test_getlk },
		{ "deadlock", test_deadlock },
		{ "ofd_owner", test_ofd_owner },
		{ "close", test_close },
		{ "flock_owner", test_flock_owner },
		{ "refused", test_refused },
		{ "random", test_random },
	};
	unsigned int i;

	if (argc < 4)
		return 2;
	host = argv[2];
	dirs = argv + 3;
	nr_dirs = argc - 3;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	alarm(LIMIT_S);
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(argv[1], tests[i].name))
			continue;
		tests[i].fn();
		return 0;
	}
	return 2;
}

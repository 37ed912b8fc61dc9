/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many processes on several mounts at once, for some seconds, doing things
 * whose outcome can be checked whatever the order.
 *
 *	storm WAY SECONDS PROCESSES DIR...	one directory on each mount
 *
 * The processes are spread over the mounts.  WAY is
 *	private		each makes, moves and removes files in a directory of
 *			its own
 *	shared		all do so in one directory, with names of their own; what
 *			a neighbour has is looked at, too
 *	lock		a file made with O_EXCL is a lock; under it a number in
 *			another file is read through the page cache and written
 *			back one larger
 *	tokens		files that all try to rename to names of their own: one
 *			of them succeeds
 *	append		all append records to one file
 *	pages		one writes a page of a number again and again; the others
 *			read it, through mappings and calls, and must find what
 *			was there before they looked, or something later
 *
 *	grow		one appends to a file; the others must find as much as
 *			there was before they looked, while some make noise
 *
 * A watchdog looks whether each process gets on.  When one does not for LIMIT
 * seconds, it prints what the kernel says of all of them, and "HANG", on which
 * the script prints what the host says.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096
#define MAX_PROCS 64
#define MAX_MOUNTS 16
#define NR_TOKENS 16
#define NR_OWN 20
#define RECORD 32

/* What the processes share. */
struct shared {
	atomic_ulong done[MAX_PROCS];	/* operations, for the watchdog */
	atomic_ulong sum;		/* what has been counted */
	atomic_ulong value;		/* the last one whose write returned */
	atomic_int stop;
};

static struct shared *sh;
static int tops[MAX_MOUNTS], top, next_top;
static unsigned int nr_mounts, nr_procs, me;
static uint64_t state;

static uint64_t rnd(uint64_t below)
{
	return next_random(&state, below);
}

static void step(void)
{
	atomic_fetch_add(&sh->done[me], 1);
}

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(close(fd) == 0);
}

static bool holds(int dir, const char *name, const char *text)
{
	char buf[64] = "";
	int fd = openat(dir, name, O_RDONLY);

	if (fd < 0)
		return false;
	CHECK(read(fd, buf, sizeof(buf) - 1) >= 0);
	CHECK(close(fd) == 0);
	return !strcmp(buf, text);
}

/* Makes, moves and removes files NAME.0 to NAME.19 that only we touch. */
static void own_names(int dir, const char *prefix)
{
	bool there[NR_OWN] = { false };
	char name[64], to[64], text[64];
	unsigned int i, j;
	struct stat st;

	while (!atomic_load(&sh->stop)) {
		i = rnd(NR_OWN);
		j = rnd(NR_OWN);
		sprintf(name, "%s.%u", prefix, i);
		sprintf(to, "%s.%u", prefix, j);
		sprintf(text, "this is %s", prefix);
		switch (rnd(4)) {
		case 0:
			if (!there[i])
				put(dir, name, text);
			there[i] = true;
			break;
		case 1:
			if (!there[i])
				FAILS(unlinkat(dir, name, 0), ENOENT);
			else
				CHECK(unlinkat(dir, name, 0) == 0);
			there[i] = false;
			break;
		case 2:
			if (!there[i] || i == j)
				break;
			CHECK(renameat(dir, name, dir, to) == 0);
			there[i] = false;
			there[j] = true;
			break;
		case 3:
			CHECK((fstatat(dir, name, &st, 0) == 0) == there[i]);
			/* through a mount that somebody else uses */
			if (next_top >= 0)
				CHECK(holds(next_top, name, text) == there[i]);
			break;
		}
		step();
	}
}

static void private(void)
{
	char name[32];
	int dir;

	sprintf(name, "private%u", me);
	CHECK(mkdirat(top, name, 0755) == 0);
	dir = openat(top, name, O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	next_top = -1;
	own_names(dir, "f");
}

static void shared(void)
{
	char prefix[32];

	sprintf(prefix, "process%u", me);
	own_names(top, prefix);
}

/* ---- a lock and what it protects --------------------------------------- */

static unsigned long get_number(void)
{
	char buf[32] = "";
	int fd = openat(top, "number", O_RDONLY);

	CHECK(fd >= 0);
	CHECK(pread(fd, buf, 20, 0) == 20);
	CHECK(close(fd) == 0);
	return strtoul(buf, NULL, 10);
}

static void put_number(unsigned long n)
{
	char buf[32];
	int fd = openat(top, "number", O_WRONLY);

	CHECK(fd >= 0);
	sprintf(buf, "%020lu", n);
	CHECK(pwrite(fd, buf, 20, 0) == 20);
	CHECK(close(fd) == 0);
}

static void lock(void)
{
	struct timespec ts = { 0 };
	int fd;

	while (!atomic_load(&sh->stop)) {
		fd = openat(top, "lock", O_CREAT | O_EXCL | O_WRONLY, 0600);
		step();
		if (fd < 0) {
			CHECK(errno == EEXIST);
			ts.tv_nsec = 1000 * rnd(2000);
			nanosleep(&ts, NULL);
			continue;
		}
		put_number(get_number() + 1);
		atomic_fetch_add(&sh->sum, 1);
		CHECK(close(fd) == 0);
		CHECK(unlinkat(top, "lock", 0) == 0);
	}
}

static void lock_end(void)
{
	unsigned int i;

	for (i = 0; i < nr_mounts; i++) {
		top = tops[i];
		if (get_number() != atomic_load(&sh->sum))
			fail("the number is %lu on mount %u and not %lu",
			     get_number(), i, atomic_load(&sh->sum));
	}
}

/* ---- tokens -------------------------------------------------------------- */

static void tokens(void)
{
	char free_name[32], mine[32];
	unsigned int t;

	while (!atomic_load(&sh->stop)) {
		t = rnd(NR_TOKENS);
		sprintf(free_name, "a/token%u", t);
		sprintf(mine, "b/token%u of %u", t, me);
		step();
		if (renameat(top, free_name, top, mine) < 0) {
			CHECK(errno == ENOENT);
			continue;
		}
		/* ours alone now: nobody else has the token */
		sprintf(free_name, "c/token%u", t);
		put(top, free_name, "held");
		CHECK(unlinkat(top, free_name, 0) == 0);
		sprintf(free_name, "a/token%u", t);
		CHECK(renameat(top, mine, top, free_name) == 0);
		atomic_fetch_add(&sh->sum, 1);
	}
}

static void tokens_end(void)
{
	char name[32];
	unsigned int i, t;
	struct stat st;

	for (i = 0; i < nr_mounts; i++) {
		for (t = 0; t < NR_TOKENS; t++) {
			sprintf(name, "a/token%u", t);
			CHECK(fstatat(tops[i], name, &st, 0) == 0);
			CHECK(st.st_nlink == 1);
		}
	}
	CHECK(atomic_load(&sh->sum) > 0);
}

/* ---- records ------------------------------------------------------------- */

static void append(void)
{
	char rec[RECORD + 1];
	int fd = openat(top, "records", O_WRONLY | O_APPEND);
	unsigned long nr = 0;

	CHECK(fd >= 0);
	while (!atomic_load(&sh->stop)) {
		snprintf(rec, sizeof(rec), "%10u %19lu\n", me, nr++);
		CHECK(write(fd, rec, RECORD - 1) == RECORD - 1);
		atomic_fetch_add(&sh->sum, 1);
		step();
	}
	CHECK(close(fd) == 0);
}

/* All of them, each process's in order. */
static void append_end(void)
{
	unsigned long next[MAX_PROCS], nr, total;
	char rec[RECORD + 1] = "";
	unsigned int i, who;
	int fd;

	for (i = 0; i < nr_mounts; i++) {
		memset(next, 0, sizeof(next));
		fd = openat(tops[i], "records", O_RDONLY);
		CHECK(fd >= 0);
		for (total = 0; read(fd, rec, RECORD - 1) == RECORD - 1;
		     total++) {
			CHECK(sscanf(rec, "%u %lu", &who, &nr) == 2);
			CHECK(who < nr_procs);
			if (next[who]++ != nr)
				fail("record %lu of %u is at %lu", nr, who,
				     total);
		}
		if (total != atomic_load(&sh->sum))
			fail("%lu records on mount %u and not %lu", total, i,
			     atomic_load(&sh->sum));
		close(fd);
	}
}

/* ---- pages --------------------------------------------------------------- */

static void write_pages(int fd)
{
	unsigned long page[PAGE / sizeof(long)], n = 0;
	size_t i;

	while (!atomic_load(&sh->stop)) {
		n++;
		for (i = 0; i < PAGE / sizeof(long); i++)
			page[i] = n;
		CHECK(pwrite(fd, page, PAGE, 0) == PAGE);
		atomic_store(&sh->value, n);
		step();
	}
}

static void read_pages(int fd, int direct)
{
	volatile unsigned long *map;
	unsigned long page[2], least, got;
	struct stat st;

	CHECK(fstat(fd, &st) == 0 && st.st_size == PAGE);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	while (!atomic_load(&sh->stop)) {
		least = atomic_load(&sh->value);
		switch (rnd(3)) {
		case 0:
			got = map[rnd(PAGE / sizeof(long))];
			break;
		case 1:
			CHECK(pread(fd, page, 16, 16 * rnd(PAGE / 16)) == 16);
			got = page[0];
			break;
		default:
			CHECK(pread(direct, page, 16, 0) == 16);
			got = page[0];
		}
		if (got < least)
			fail("read %lu, which was overwritten before %lu was",
			     got, least);
		step();
	}
}

static void pages(void)
{
	int fd = openat(top, "pages", O_RDWR), rd;

	rd = openat(top, "pages", O_RDONLY);
	CHECK(fd >= 0 && rd >= 0);
	if (me == 0)
		write_pages(fd);
	else
		read_pages(rd, fd);
}

/* ---- a file that grows ---------------------------------------------------- */

static void grow_it(void)
{
	char buf[100];
	int fd = openat(top, "grows", O_WRONLY | O_APPEND | O_CREAT, 0644);
	unsigned long n = 0;

	CHECK(fd >= 0);
	while (!atomic_load(&sh->stop)) {
		memset(buf, 'a' + n % 7, sizeof(buf));
		n += 1 + rnd(sizeof(buf));
		CHECK(write(fd, buf, n - atomic_load(&sh->value)) ==
		      (ssize_t)(n - atomic_load(&sh->value)));
		atomic_store(&sh->value, n);
		step();
	}
}

/* Whatever was there before we look is found, and a neighbour's noise. */
static void watch_it(void)
{
	char name[32], buf[8192];
	unsigned long least, from;
	struct stat st;
	ssize_t n;
	int fd;

	while ((fd = openat(top, "grows", O_RDONLY)) < 0 &&
	       !atomic_load(&sh->stop))
		step();
	sprintf(name, "noise%u", me);
	put(top, name, "x");
	while (!atomic_load(&sh->stop)) {
		step();
		if (me % 3 == 0) {
			CHECK(fchmodat(top, name, rnd(0777), 0) == 0);
			continue;
		}
		least = atomic_load(&sh->value);
		if (!least)
			continue;
		from = least > sizeof(buf) ? least - sizeof(buf) : 0;
		n = pread(fd, buf, sizeof(buf), from);
		if (n < 0 || from + n < least)
			fail("%zd bytes from %lu on, but it had %lu", n, from,
			     least);
		CHECK(buf[least - from - 1] >= 'a' &&
		      buf[least - from - 1] < 'h');
		if (rnd(4))
			continue;
		least = atomic_load(&sh->value);
		CHECK(fstat(fd, &st) == 0);
		if ((unsigned long)st.st_size < least)
			fail("the size is %lu, but it had %lu",
			     (unsigned long)st.st_size, least);
	}
}

static void grow(void)
{
	if (me == 0)
		grow_it();
	else
		watch_it();
}

/* ---- all of them --------------------------------------------------------- */

static void prepare(void)
{
	char name[32], page[PAGE] = "";
	int fd, t;

	put(tops[0], "number", "00000000000000000000");
	put(tops[0], "records", "");
	put(tops[0], "pages", "");
	fd = openat(tops[0], "pages", O_WRONLY);
	CHECK(pwrite(fd, page, PAGE, 0) == PAGE && close(fd) == 0);
	CHECK(mkdirat(tops[0], "a", 0755) == 0);
	CHECK(mkdirat(tops[0], "b", 0755) == 0);
	CHECK(mkdirat(tops[0], "c", 0755) == 0);
	for (t = 0; t < NR_TOKENS; t++) {
		sprintf(name, "a/token%d", t);
		put(tops[0], name, name);
	}
}

static const struct way {
	const char *name;
	void (*run)(void);
	void (*end)(void);
} ways[] = {
	{ "private", private, NULL },
	{ "shared", shared, NULL },
	{ "lock", lock, lock_end },
	{ "tokens", tokens, tokens_end },
	{ "append", append, append_end },
	{ "pages", pages, NULL },
	{ "grow", grow, NULL },
};

static void show_file(pid_t pid, const char *what)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	fprintf(stderr, "%s: %s%s", path, text,
		text[n - 1] == '\n' ? "" : "\n");
}

static void __attribute__((noreturn)) hang(const pid_t *pid, unsigned int who)
{
	unsigned int i;

	fprintf(stderr, "HANG: process %u, number %d, does not get on\n", who,
		(int)pid[who]);
	for (i = 0; i < nr_procs; i++) {
		fprintf(stderr, "process %u has done %lu operations\n", i,
			atomic_load(&sh->done[i]));
		show_file(pid[i], "wchan");
		show_file(pid[i], "syscall");
		show_file(pid[i], "stack");
	}
	for (i = 0; i < nr_procs; i++)
		kill(pid[i], SIGKILL);
	exit(3);
}

/* Returns when all have ended; nonzero when one has failed. */
static int watch(const pid_t *pid, unsigned int seconds, unsigned int limit)
{
	unsigned long last[MAX_PROCS] = { 0 };
	time_t begin = time(NULL), since[MAX_PROCS], now;
	bool ended[MAX_PROCS] = { false };
	struct timespec ts = { 0, 100000000 };
	unsigned int i, left = nr_procs;
	int status, bad = 0;

	for (i = 0; i < nr_procs; i++)
		since[i] = begin;
	while (left) {
		nanosleep(&ts, NULL);
		now = time(NULL);
		if (now - begin >= (time_t)seconds)
			atomic_store(&sh->stop, 1);
		for (i = 0; i < nr_procs; i++) {
			if (ended[i])
				continue;
			if (waitpid(pid[i], &status, WNOHANG) == pid[i]) {
				ended[i] = true;
				left--;
				bad |= status;
				if (status)
					atomic_store(&sh->stop, 1);
				continue;
			}
			if (atomic_load(&sh->done[i]) != last[i]) {
				last[i] = atomic_load(&sh->done[i]);
				since[i] = now;
			}
			if (now - since[i] > (time_t)limit)
				hang(pid, i);
		}
	}
	return bad;
}

static pid_t start(const struct way *way, unsigned int nr)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	me = nr;
	state = nr * 7919 + (uint64_t)time(NULL) * 2 + 1;
	top = tops[nr % nr_mounts];
	next_top = tops[(nr + 1) % nr_mounts];
	way->run();
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *limit = getenv("LIMIT");
	const struct way *way = ways;
	pid_t pid[MAX_PROCS];
	unsigned int i;

	if (argc < 5) {
		fprintf(stderr, "usage: storm WAY SECONDS PROCESSES DIR...\n");
		return 2;
	}
	while (way < ways + sizeof(ways) / sizeof(ways[0]) &&
	       strcmp(way->name, argv[1]))
		way++;
	CHECK(way < ways + sizeof(ways) / sizeof(ways[0]));
	nr_procs = number(argv[3]);
	CHECK(nr_procs > 0 && nr_procs <= MAX_PROCS);
	for (i = 4; i < (unsigned int)argc; i++) {
		CHECK(nr_mounts < MAX_MOUNTS);
		tops[nr_mounts] = open(argv[i], O_RDONLY | O_DIRECTORY);
		CHECK(tops[nr_mounts++] >= 0);
	}
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	umask(0);
	prepare();
	for (i = 0; i < nr_procs; i++)
		pid[i] = start(way, i);
	if (watch(pid, number(argv[2]), limit ? number(limit) : 60))
		return 1;
	if (way->end)
		way->end();
	for (i = 0; i < nr_procs; i++)
		printf("process %u: %lu operations\n", i,
		       atomic_load(&sh->done[i]));
	return 0;
}

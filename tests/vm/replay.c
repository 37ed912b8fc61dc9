/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every crash that a run on `disks` could have had.
 *
 *	replay [-s SEED] [-t SECONDS] [-n EVERY] [-d DEEP] [-x DISK:OFFSET:LEN]
 *	       -c COMMAND [-D COMMAND] LOG FILE...
 *
 * The FILEs are copies of the images as they were before the run; they are
 * changed.  After each write of the log they are made what the disks may hold
 * if the power fails there:
 *
 *	all	every write so far
 *	none	only what a flush has covered
 *	some	that and any of the others, in part torn between sectors
 *
 * and COMMAND is run; a status other than 0 is a failure.  Disks lose their
 * caches each for itself.  -n tests only every n-th write, -t spreads what fits
 * into the time over the log; both are said.  Every DEEP-th state (100) gets
 * the second COMMAND, too, which may change the files; the change is undone
 * by copying, so it is slow.  -x leaves bytes of a disk as they were before the
 * run: those that say who owns the volume, as everybody would watch for some
 * seconds whether the machine that crashed is alive.
 *
 * Commands have DONE and ISSUED in the environment, the last such marks before
 * the crash (see promise.c), and STATE, the name of the state.  TAP: one test
 * for all states of a kind; the first failures are shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "disks.h"
#include "tap.h"

#define MAX_DISKS 8
#define SECTOR 512
#define SHOW 5

struct disk {
	const char *path;
	unsigned char *durable;	/* what no crash takes away */
	unsigned char *file;	/* the mapped file */
	uint64_t size;
};

/* A write that is not durable yet, in the order of the log. */
struct event {
	struct disks_record rec;
	const unsigned char *data;	/* NULL for zeroes */
};

static struct disk disks[MAX_DISKS];
static int nr_disks;
static struct event *volatiles;
static size_t nr_volatiles, max_volatiles;
static char mark_done[32] = "0", mark_issued[32] = "0";
static const char *command, *deep_command;
static unsigned long every = 1, deep_every = 100, seconds;
static uint64_t random_state = 1;
static unsigned long nr_states, nr_deep, nr_bad, nr_deep_bad, nr_writes;
static struct timespec began;
static unsigned int keep_disk = MAX_DISKS;
static unsigned long long keep_offset, keep_len;

static uint32_t choose(uint32_t bound)
{
	/* xorshift64*, Vigna 2014 */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dull >> 32) % bound;
}

static double elapsed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec - began.tv_sec + (t.tv_nsec - began.tv_nsec) / 1e9;
}

/* ---- states ---------------------------------------------------------------- */

static void put(unsigned char *to, const struct event *e, uint64_t from,
		uint64_t len)
{
	to += e->rec.offset + from;
	if (e->data)
		memcpy(to, e->data + from, len);
	else
		memset(to, 0, len);
}

static void put_torn(unsigned char *to, const struct event *e)
{
	uint64_t at, len;

	for (at = 0; at < e->rec.len; at += len) {
		len = e->rec.len - at < SECTOR ? e->rec.len - at : SECTOR;
		if (choose(2))
			put(to, e, at, len);
	}
}

enum state { ALL, NONE, SOME };

static void build_state(enum state state)
{
	size_t i;

	for (i = 0; i < nr_volatiles; i++) {
		const struct event *e = &volatiles[i];
		unsigned char *file = disks[e->rec.disk].file;

		if (state == ALL || (state == SOME && choose(2)))
			put(file, e, 0, e->rec.len);
		else if (state == SOME && choose(3) == 0)
			put_torn(file, e);
	}
}

static void undo_state(void)
{
	size_t i;

	for (i = 0; i < nr_volatiles; i++) {
		const struct disks_record *rec = &volatiles[i].rec;
		struct disk *d = &disks[rec->disk];

		memcpy(d->file + rec->offset, d->durable + rec->offset,
		       rec->len);
	}
}

static void undo_everything(void)
{
	uint64_t at;
	int i;

	for (i = 0; i < nr_disks; i++)
		for (at = 0; at < disks[i].size; at += 4096)
			if (memcmp(disks[i].file + at, disks[i].durable + at,
				   4096))
				memcpy(disks[i].file + at,
				       disks[i].durable + at, 4096);
}

static void run(const char *cmd, const char *name, unsigned long *bad)
{
	char text[65536];
	size_t n = 0, got;
	FILE *p;
	int status;

	setenv("DONE", mark_done, 1);
	setenv("ISSUED", mark_issued, 1);
	setenv("STATE", name, 1);
	fflush(stdout);
	p = popen(cmd, "r");
	if (!p)
		bail_out("popen: %s", strerror(errno));
	while ((got = fread(text + n, 1, sizeof(text) - 1 - n, p)) > 0)
		n += got;
	text[n] = '\0';
	status = pclose(p);
	if (status && (*bad)++ < SHOW)
		diag("state %s, done %s issued %s: status %d of %s\n%s", name,
		     mark_done, mark_issued,
		     WIFEXITED(status) ? WEXITSTATUS(status) : -1, cmd, text);
}

static void try_state(enum state state)
{
	static const char *const names[] = { "all", "none", "some" };
	char name[64];

	snprintf(name, sizeof(name), "%lu-%s", nr_writes, names[state]);
	build_state(state);
	nr_states++;
	run(command, name, &nr_bad);
	if (deep_command && nr_states % deep_every == 0) {
		nr_deep++;
		run(deep_command, name, &nr_deep_bad);
		undo_everything();
	} else {
		undo_state();
	}
}

static void try_states(bool after_flush)
{
	if (nr_writes % every)
		return;
	if (after_flush) {
		try_state(NONE);
		return;
	}
	try_state(ALL);
	if (nr_volatiles > 1)
		try_state(SOME);
}

/* ---- the log --------------------------------------------------------------- */

static void make_durable(const struct event *e)
{
	struct disk *d = &disks[e->rec.disk];

	put(d->durable, e, 0, e->rec.len);
	memcpy(d->file + e->rec.offset, d->durable + e->rec.offset,
	       e->rec.len);
}

static void flush(int disk, uint64_t covers)
{
	size_t i, kept = 0;

	for (i = 0; i < nr_volatiles; i++) {
		struct event *e = &volatiles[i];

		if (e->rec.disk == disk && e->rec.seq <= covers)
			make_durable(e);
		else
			volatiles[kept++] = *e;
	}
	nr_volatiles = kept;
}

static void wrote(const struct disks_record *rec, const unsigned char *data)
{
	if (rec->disk >= nr_disks || rec->offset > disks[rec->disk].size ||
	    rec->len > disks[rec->disk].size - rec->offset)
		bail_out("the log writes where no image is");
	if (rec->disk == keep_disk && rec->offset >= keep_offset &&
	    rec->offset + rec->len <= keep_offset + keep_len)
		return;
	if (nr_volatiles == max_volatiles) {
		max_volatiles = max_volatiles ? 2 * max_volatiles : 64;
		volatiles = realloc(volatiles,
				    max_volatiles * sizeof(*volatiles));
		if (!volatiles)
			bail_out("no memory");
	}
	volatiles[nr_volatiles++] = (struct event) {
		.rec = *rec, .data = rec->op == DISKS_WRITE ? data : NULL,
	};
	nr_writes++;
}

static void marked(const char *text, uint32_t len)
{
	char line[64];

	snprintf(line, sizeof(line), "%.*s", (int)len, text);
	if (sscanf(line, "done %31s", mark_done) != 1)
		sscanf(line, "issued %31s", mark_issued);
}

static uint64_t data_len(const struct disks_record *rec)
{
	return rec->op == DISKS_WRITE || rec->op == DISKS_MARK ? rec->len : 0;
}

/* Only whole records: the machine may have been killed. */
static const struct disks_record *next_record(const unsigned char *log,
					      uint64_t size, uint64_t *at)
{
	static struct disks_record rec;

	if (size - *at < sizeof(rec))
		return NULL;
	memcpy(&rec, log + *at, sizeof(rec));
	if (rec.magic != DISKS_MAGIC)
		bail_out("no log of disks");
	if (data_len(&rec) > size - *at - sizeof(rec))
		return NULL;
	*at += sizeof(rec) + data_len(&rec);
	return &rec;
}

static unsigned long count_writes(const unsigned char *log, uint64_t size)
{
	const struct disks_record *rec;
	unsigned long nr = 0;
	uint64_t at = 0;

	while ((rec = next_record(log, size, &at)))
		nr += rec->op == DISKS_WRITE || rec->op == DISKS_ZERO;
	return nr;
}

/* How fast the first states are decides how many there will be. */
static void pace(unsigned long total)
{
	static bool paced;
	double each = elapsed() / nr_states, fit;

	if (paced || !seconds || nr_states < 20)
		return;
	paced = true;
	fit = (seconds - elapsed()) / each;
	if (fit < 2.5 * total)
		every = 2.5 * total / (fit > 1 ? fit : 1) + 1;
	diag("%lu writes, %.0f ms a state: states after one write of %lu",
	     total, each * 1e3, every);
}

static void replay(const unsigned char *log, uint64_t size)
{
	unsigned long total = count_writes(log, size);
	const struct disks_record *rec;
	const unsigned char *data;
	uint64_t at = 0;

	while ((rec = next_record(log, size, &at))) {
		data = log + at - data_len(rec);
		switch (rec->op) {
		case DISKS_WRITE:
		case DISKS_ZERO:
			wrote(rec, data);
			try_states(false);
			break;
		case DISKS_FLUSH:
			flush(rec->disk, rec->offset);
			try_states(true);
			break;
		case DISKS_MARK:
			marked((const char *)data, rec->len);
			break;
		default:
			bail_out("record of kind %u", rec->op);
		}
		pace(total);
	}
}

/* ---- files ----------------------------------------------------------------- */

static void *map(const char *path, int prot, uint64_t *ret_size)
{
	int fd = open(path, (prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st))
		bail_out("%s: %s", path, strerror(errno));
	p = mmap(NULL, st.st_size, prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		bail_out("%s: %s", path, strerror(errno));
	close(fd);
	*ret_size = st.st_size;
	return p;
}

static void open_disk(const char *path)
{
	struct disk *d = &disks[nr_disks++];
	uint64_t at;

	d->path = path;
	d->file = map(path, PROT_READ | PROT_WRITE, &d->size);
	if (d->size % 4096)
		bail_out("%s is not made of blocks of 4 KiB", path);
	d->durable = mmap(NULL, d->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->durable == MAP_FAILED)
		bail_out("no memory for %s", path);
	/* pages of zeroes stay unallocated */
	for (at = 0; at < d->size; at += 4096)
		if (d->file[at] || memcmp(d->file + at, d->file + at + 1, 4095))
			memcpy(d->durable + at, d->file + at, 4096);
}

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: replay [-s SEED] [-t SECONDS] [-n EVERY] [-d DEEP] [-x DISK:OFFSET:LEN] -c COMMAND [-D COMMAND] LOG FILE...\n");
	exit(2);
}

static void options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "s:t:n:d:x:c:D:")) != -1) {
		if (opt == 's')
			random_state = strtoull(optarg, NULL, 0) * 2 + 1;
		else if (opt == 't')
			seconds = strtoul(optarg, NULL, 0);
		else if (opt == 'n')
			every = strtoul(optarg, NULL, 0);
		else if (opt == 'd')
			deep_every = strtoul(optarg, NULL, 0);
		else if (opt == 'c')
			command = optarg;
		else if (opt == 'D')
			deep_command = optarg;
		else if (opt != 'x' || sscanf(optarg, "%u:%llu:%llu", &keep_disk,
					      &keep_offset, &keep_len) != 3)
			usage();
	}
	if (!command || !every || !deep_every || argc - optind < 2 ||
	    argc - optind > MAX_DISKS)
		usage();
}

int main(int argc, char **argv)
{
	unsigned char *log;
	uint64_t size;
	int i;

	options(argc, argv);
	log = map(argv[optind], PROT_READ, &size);
	for (i = optind + 1; i < argc; i++)
		open_disk(argv[i]);
	clock_gettime(CLOCK_MONOTONIC, &began);
	replay(log, size);

	plan(0);
	ok(nr_writes > 50, "%lu writes were logged", nr_writes);
	is_u64(nr_bad, 0, "%lu states after a crash", nr_states);
	if (deep_command)
		is_u64(nr_deep_bad, 0, "%lu of them looked at closely",
		       nr_deep);
	diag("%.1f s", elapsed());
	return done_testing();
}

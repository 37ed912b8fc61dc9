/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A workload that knows what it was promised, and the judge of what is there
 * after a crash.
 *
 *	promise run DIR CONTROL SEED STEPS
 *	promise verify DIR SEED DONE ISSUED
 *
 * The seed decides all steps beforehand.  Each makes, writes, truncates,
 * renames or removes one of a few files or changes its attribute, mostly
 * followed by fsync of the file and of the directory.  "run" writes
 * "mark issued N" before step N and "mark done N" after it to the control disk
 * of `disks`, or to standard output when CONTROL is "-".
 *
 * "verify" follows the same steps in its head.  What it knows of a file is a
 * set of possibilities: what was there when it was last synced and what was
 * written since then.  Every sector says which file, step and place it was
 * written for, so overwritten blocks may be any mixture of old and new, but
 * nothing else; zeroes only where a file had grown or shrunk.  A rename is
 * there or not, never half.
 *
 * Status 0, or 1 and a line that says what is wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NR_NAMES 8		/* half of them in each of two directories */
#define MAX_FILES 4096
#define MAX_BLOCKS 24
#define BLOCK 4096
#define SECTOR 512
#define MAX_MAYBE 6
#define SECTOR_MAGIC 0x65736d6f7270ull
#define XATTR "user.step"

static void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (errno %d %s)\n", err, strerror(err));
	exit(1);
}

/* ---- what may be there ----------------------------------------------------- */

/* The last one is what a reader sees without a crash. */
struct maybe {
	unsigned int nr;
	uint32_t is[MAX_MAYBE];
};

struct file {
	struct maybe size;	/* in blocks */
	struct maybe xattr;	/* step it was set in, 0 without */
	struct maybe block[MAX_BLOCKS];	/* step written in, 0 for zeroes */
};

/* Of the file with number N, made in step N. */
static struct file files[MAX_FILES];
/* Number of the file with that name, 0 for none. */
static struct maybe names[NR_NAMES];

static uint32_t now(const struct maybe *m)
{
	return m->nr ? m->is[m->nr - 1] : 0;
}

static void certain(struct maybe *m, uint32_t is)
{
	m->nr = 1;
	m->is[0] = is;
}

static void settle(struct maybe *m)
{
	certain(m, now(m));
}

static void becomes(struct maybe *m, uint32_t is)
{
	if (!m->nr)
		certain(m, 0);
	if (m->nr == MAX_MAYBE)
		fail("too many possibilities");
	m->is[m->nr++] = is;
}

static bool allowed(const struct maybe *m, uint32_t is)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (m->is[i] == is)
			return true;
	return !m->nr && !is;
}

/* Growing and shrinking may stop at any block in between. */
static bool size_allowed(const struct maybe *m, uint32_t blocks)
{
	uint32_t min = now(m), max = now(m);
	unsigned int i;

	for (i = 0; i < m->nr; i++) {
		min = m->is[i] < min ? m->is[i] : min;
		max = m->is[i] > max ? m->is[i] : max;
	}
	return blocks >= min && blocks <= max;
}

static bool crowded(const struct file *f)
{
	int i;

	for (i = 0; i < MAX_BLOCKS; i++)
		if (f->block[i].nr >= MAX_MAYBE - 2)
			return true;
	return f->size.nr >= MAX_MAYBE - 2;
}

static void settle_file(struct file *f)
{
	int i;

	settle(&f->size);
	settle(&f->xattr);
	for (i = 0; i < MAX_BLOCKS; i++)
		settle(&f->block[i]);
}

/* ---- steps ----------------------------------------------------------------- */

enum kind { MAKE, WRITE, TRUNCATE, XATTR_SET, RENAME, UNLINK, SYNC_ALL };

struct step {
	uint32_t nr;
	enum kind kind;
	uint32_t name, to;
	uint32_t file, over;	/* the file of the name, of the other name */
	uint32_t begin, end;	/* blocks */
	bool sync, direct;
};

static uint64_t mix(uint64_t x)
{
	/* the finalizer of SplitMix64, Steele and others 2014 */
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint32_t choose(uint64_t *r, uint32_t bound)
{
	*r = mix(*r);
	return *r % bound;
}

static struct step plan(uint64_t seed, uint32_t nr)
{
	static const enum kind kinds[] = {
		WRITE, WRITE, WRITE, WRITE, WRITE, TRUNCATE, XATTR_SET,
		RENAME, RENAME, UNLINK, SYNC_ALL,
	};
	uint64_t r = mix(seed) + nr;
	struct step s = { .nr = nr };

	s.name = choose(&r, NR_NAMES);
	s.to = (s.name + 1 + choose(&r, NR_NAMES - 1)) % NR_NAMES;
	s.file = now(&names[s.name]);
	s.over = now(&names[s.to]);
	s.kind = s.file ? kinds[choose(&r, sizeof(kinds) / sizeof(*kinds))] :
		 MAKE;
	if (s.kind == MAKE)
		s.file = nr;
	s.begin = choose(&r, MAX_BLOCKS);
	s.end = s.begin + 1 + choose(&r, 6);
	if (s.kind == MAKE)
		s.begin = 0;
	if (s.end > MAX_BLOCKS)
		s.end = MAX_BLOCKS;
	s.direct = choose(&r, 3) == 0;
	s.sync = choose(&r, 4) != 0 || crowded(&files[s.file]) ||
		 s.kind == MAKE;
	return s;
}

/* What becomes possible when a step begins. */
static void issue(const struct step *s)
{
	struct file *f = &files[s->file];
	uint32_t i;

	if (s->kind == MAKE)
		becomes(&names[s->name], s->file);
	switch (s->kind) {
	case MAKE:
	case WRITE:
		for (i = s->begin; i < s->end; i++)
			becomes(&f->block[i], s->nr);
		if (now(&f->size) < s->end)
			becomes(&f->size, s->end);
		break;
	case TRUNCATE:
		for (i = s->begin; i < now(&f->size); i++)
			becomes(&f->block[i], 0);
		becomes(&f->size, s->begin);
		break;
	case XATTR_SET:
		becomes(&f->xattr, s->nr);
		break;
	case RENAME:
		becomes(&names[s->name], 0);
		becomes(&names[s->to], s->file);
		break;
	case UNLINK:
		becomes(&names[s->name], 0);
		break;
	case SYNC_ALL:
		break;
	}
}

/* What is certain when it has ended. */
static void done(const struct step *s)
{
	int i;

	switch (s->kind) {
	case SYNC_ALL:
		for (i = 0; i < NR_NAMES; i++)
			settle_file(&files[now(&names[i])]);
		break;
	case RENAME:
		settle(&names[s->to]);
		settle(&names[s->name]);
		break;
	case MAKE:
	case UNLINK:
		settle(&names[s->name]);
		break;
	default:
		break;
	}
	if (s->sync)
		settle_file(&files[s->file]);
}

/* ---- doing it -------------------------------------------------------------- */

static const char *name_of(const char *dir, uint32_t name)
{
	static char text[4][4096];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(text[turn], sizeof(text[turn]), "%s/%s/name%u", dir,
		 name < NR_NAMES / 2 ? "a" : "b", name);
	return text[turn];
}

static void sync_path(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fsync(fd))
		fail("fsync %s", path);
	close(fd);
}

static void sync_dir_of(const char *dir, uint32_t name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir,
		 name < NR_NAMES / 2 ? "a" : "b");
	sync_path(path);
}

static void fill_sector(uint64_t *to, uint32_t file, uint32_t step,
			uint32_t sector)
{
	uint64_t r;
	int i;

	to[0] = SECTOR_MAGIC;
	to[1] = (uint64_t)file << 32 | step;
	to[2] = sector;
	r = mix(to[1]) ^ sector;
	for (i = 3; i < SECTOR / 8; i++)
		to[i] = r = mix(r);
}

static void write_blocks(const char *path, const struct step *s)
{
	size_t len = (size_t)(s->end - s->begin) * BLOCK, i;
	int flags = O_WRONLY | (s->direct ? O_DIRECT : 0) |
		    (s->kind == MAKE ? O_CREAT | O_EXCL : 0);
	unsigned char *data;
	int fd;

	if (posix_memalign((void **)&data, BLOCK, len))
		fail("memory");
	for (i = 0; i < len / SECTOR; i++)
		fill_sector((uint64_t *)(data + i * SECTOR), s->file, s->nr,
			    s->begin * (BLOCK / SECTOR) + i);
	fd = open(path, flags, 0644);
	if (fd < 0)
		fail("open %s in step %u", path, s->nr);
	if (pwrite(fd, data, len, (off_t)s->begin * BLOCK) != (ssize_t)len)
		fail("write %s in step %u", path, s->nr);
	if (s->sync && fsync(fd))
		fail("fsync %s in step %u", path, s->nr);
	close(fd);
	free(data);
}

static void perform(const char *dir, const struct step *s)
{
	const char *path = name_of(dir, s->name);
	bool synced = false;
	int fd;

	switch (s->kind) {
	case MAKE:
	case WRITE:
		write_blocks(path, s);
		synced = true;
		break;
	case TRUNCATE:
		if (truncate(path, (off_t)s->begin * BLOCK))
			fail("truncate %s in step %u", path, s->nr);
		break;
	case XATTR_SET:
		if (setxattr(path, XATTR, &s->nr, sizeof(s->nr), 0))
			fail("setxattr %s in step %u", path, s->nr);
		break;
	case RENAME:
		if (rename(path, name_of(dir, s->to)))
			fail("rename %s in step %u", path, s->nr);
		sync_dir_of(dir, s->to);
		path = name_of(dir, s->to);
		break;
	case UNLINK:
		if (unlink(path))
			fail("unlink %s in step %u", path, s->nr);
		synced = true;
		break;
	case SYNC_ALL:
		fd = open(dir, O_RDONLY);
		if (fd < 0 || syncfs(fd))
			fail("syncfs in step %u", s->nr);
		close(fd);
		break;
	}
	if (s->sync && !synced)
		sync_path(path);
	if (s->kind == MAKE || s->kind == UNLINK || s->kind == RENAME)
		sync_dir_of(dir, s->name);
}

static void mark(int fd, const char *what, uint32_t nr)
{
	static unsigned char *sector;

	if (!sector && posix_memalign((void **)&sector, BLOCK, BLOCK))
		fail("memory");
	memset(sector, 0, SECTOR);
	snprintf((char *)sector, SECTOR, "mark %s %u\n", what, nr);
	if (fd < 0)
		printf("%s", (char *)sector);
	else if (pwrite(fd, sector, SECTOR, 0) != SECTOR)
		fail("control disk");
}

static int run(const char *dir, const char *control, uint64_t seed,
	       uint32_t steps)
{
	int fd = strcmp(control, "-") ? open(control, O_WRONLY | O_DIRECT) : -1;
	char path[4096];
	uint32_t nr;
	int i;

	if (fd < 0 && strcmp(control, "-"))
		fail("%s", control);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%c", dir, 'a' + i);
		if (mkdir(path, 0755))
			fail("mkdir %s", path);
	}
	sync_path(dir);
	mark(fd, "done", 0);
	for (nr = 1; nr <= steps; nr++) {
		struct step s = plan(seed, nr);

		mark(fd, "issued", nr);
		issue(&s);
		perform(dir, &s);
		done(&s);
		mark(fd, "done", nr);
	}
	return 0;
}

/* ---- judging --------------------------------------------------------------- */

/* The step a sector was written in; 0 when it is all zeroes. */
static uint32_t step_of(const uint64_t *is, uint32_t file, uint32_t sector)
{
	uint64_t want[SECTOR / 8] = { 0 };
	uint32_t step = 0;

	if (memcmp(is, want, SECTOR)) {
		step = is[1];
		fill_sector(want, file, step, sector);
		if (!step || memcmp(is, want, SECTOR))
			return UINT32_MAX;
	}
	return step;
}

static void verify_file(const char *path, uint32_t nr)
{
	const struct file *f = &files[nr];
	static uint64_t data[BLOCK / 8];
	uint32_t block, sector, step, blocks;
	struct stat st;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		fail("open %s", path);
	blocks = st.st_size / BLOCK;
	if (st.st_size % BLOCK || !size_allowed(&f->size, blocks))
		fail("%s, file %u: size %lld may not be", path, nr,
		     (long long)st.st_size);
	for (block = 0; block < blocks; block++) {
		if (pread(fd, data, BLOCK, (off_t)block * BLOCK) != BLOCK)
			fail("read %s block %u", path, block);
		for (sector = 0; sector < BLOCK / SECTOR; sector++) {
			step = step_of(data + sector * (SECTOR / 8), nr,
				       block * (BLOCK / SECTOR) + sector);
			if (!allowed(&f->block[block], step))
				fail("%s, file %u: block %u sector %u is of step %d, may be of %u",
				     path, nr, block, sector, (int)step,
				     now(&f->block[block]));
		}
	}
	step = 0;
	n = fgetxattr(fd, XATTR, &step, sizeof(step));
	if ((n < 0 && errno != ENODATA) || !allowed(&f->xattr, step))
		fail("%s, file %u: attribute of step %u, may be of %u", path,
		     nr, step, now(&f->xattr));
	close(fd);
}

/* Which of the possible files has a name; found by what is in it. */
static uint32_t file_at(const char *path)
{
	uint64_t data[SECTOR / 8] = { 0 };
	int fd = open(path, O_RDONLY);
	ssize_t n;
	off_t off;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		fail("open %s", path);
	for (off = 0; (n = pread(fd, data, SECTOR, off)) > 0; off += SECTOR)
		if (data[0] == SECTOR_MAGIC)
			break;
	close(fd);
	if (n < 0)
		fail("read %s", path);
	/* empty, or a hole all over: it has no number to be known by */
	return n == SECTOR ? data[1] >> 32 : UINT32_MAX;
}

static void verify_name(const char *dir, uint32_t name, uint32_t at[])
{
	const char *path = name_of(dir, name);
	uint32_t nr = file_at(path);
	unsigned int i;

	if (nr == UINT32_MAX) {
		/* any of the possible ones that may be like this */
		for (i = 0; i < names[name].nr; i++)
			if (names[name].is[i])
				nr = names[name].is[i];
		if (nr == UINT32_MAX)
			fail("%s exists", path);
	}
	if (!allowed(&names[name], nr))
		fail("%s has file %d, may have %u", path, (int)nr,
		     now(&names[name]));
	if (nr)
		verify_file(path, nr);
	at[name] = nr;
}

static void verify_strangers(const char *dir)
{
	char path[4096];
	struct dirent *de;
	unsigned int i, nr;
	DIR *d;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%c", dir, 'a' + i);
		d = opendir(path);
		if (!d)
			fail("opendir %s", path);
		while ((de = readdir(d))) {
			if (de->d_name[0] == '.')
				continue;
			if (sscanf(de->d_name, "name%u", &nr) != 1 ||
			    nr >= NR_NAMES || nr / (NR_NAMES / 2) != i)
				fail("%s/%s is nobody's", path, de->d_name);
		}
		closedir(d);
	}
}

static int verify(const char *dir, uint64_t seed, uint32_t last,
		  uint32_t issued)
{
	uint32_t at[NR_NAMES], nr, name;
	struct step s = { 0 };

	for (nr = 1; nr <= issued; nr++) {
		s = plan(seed, nr);
		issue(&s);
		if (nr <= last)
			done(&s);
	}
	verify_strangers(dir);
	for (name = 0; name < NR_NAMES; name++)
		verify_name(dir, name, at);
	if (issued > last && s.kind == RENAME &&
	    (at[s.name] == s.file) == (at[s.to] == s.file))
		fail("rename of file %u in step %u is half there", s.file,
		     s.nr);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "run") &&
	    strtoul(argv[5], NULL, 0) < MAX_FILES)
		return run(argv[2], argv[3], strtoull(argv[4], NULL, 0),
			   strtoul(argv[5], NULL, 0));
	if (argc == 6 && !strcmp(argv[1], "verify") &&
	    strtoul(argv[5], NULL, 0) < MAX_FILES)
		return verify(argv[2], strtoull(argv[3], NULL, 0),
			      strtoul(argv[4], NULL, 0),
			      strtoul(argv[5], NULL, 0));
	fprintf(stderr, "usage: promise run DIR CONTROL SEED STEPS\n"
		"       promise verify DIR SEED DONE ISSUED\n");
	return 2;
}

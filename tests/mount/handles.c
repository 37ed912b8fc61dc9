/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File handles: made by the kernel, made by hand, and garbage.
 *
 *	handles DIR HOST TEST [FILE]
 *
 * DIR is a directory of the mount, HOST "fuse" or "kernel", TEST one of the
 * names at the end.  Run as root.  "save" writes the handles of what "tree" has
 * made to FILE, "load" expects them to lead to the same; between them there may
 * be another mount.
 *
 * The layout of handles is a part of the module's interface.  With the daemon
 * they are those of the kernel's FUSE client.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define TYPE 0x81
#define TYPE_PARENT 0x82
#define DEPTH 12
#define NR_WIDE 500

static bool by_kernel;

struct handle {
	struct file_handle fh;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static void set64(unsigned char *p, uint64_t val)
{
	int i;

	for (i = 0; i < 8; i++)
		p[i] = val >> (8 * i);
}

static uint64_t get64(const unsigned char *p)
{
	uint64_t val = 0;
	int i;

	for (i = 7; i >= 0; i--)
		val = val << 8 | p[i];
	return val;
}

static struct handle by_hand(int type, uint64_t ino, uint64_t parent)
{
	struct handle h = { .fh = { .handle_bytes = 16, .handle_type = type } };

	set64(h.bytes, ino);
	set64(h.bytes + 8, parent);
	return h;
}

static struct handle handle_of(int dir, const char *name)
{
	struct handle h;
	int mnt_id;

	memset(&h, 0xa5, sizeof(h));
	h.fh.handle_bytes = MAX_HANDLE_SZ;
	CHECK(name_to_handle_at(dir, name, &h.fh, &mnt_id,
				*name ? 0 : AT_EMPTY_PATH) == 0);
	return h;
}

static int open_handle(int dir, const struct handle *h, int flags)
{
	return open_by_handle_at(dir, (struct file_handle *)&h->fh, flags);
}

static uint64_t ino_of(int dir, const char *name)
{
	struct stat st;

	CHECK(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ==
	      0);
	return st.st_ino;
}

/* The handle is that of this inode, whatever else has gone from memory. */
static void leads_to(int dir, const struct handle *h, uint64_t ino)
{
	int fd = open_handle(dir, h, O_PATH);

	CHECK(fd >= 0 && ino_of(fd, "") == ino);
	close(fd);
}

static void is_stale(int dir, const struct handle *h)
{
	FAILS(open_handle(dir, h, O_PATH), ESTALE);
}

static void drop_inodes(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(fd >= 0 && write(fd, "2", 1) == 1);
	close(fd);
}

static void make_file(int dir, const char *name)
{
	CHECK(close(openat(dir, name, O_CREAT | O_WRONLY, 0644)) == 0);
}

/* ---- one of each kind ------------------------------------------------------ */

static const char *const kinds[] = { "file", "dir", "link", "fifo", "null" };

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void test_tree(int dir, const char *file)
{
	(void)file;
	make_file(dir, "file");
	CHECK(mkdirat(dir, "dir", 0755) == 0);
	CHECK(symlinkat("file", dir, "link") == 0);
	CHECK(mkfifoat(dir, "fifo", 0600) == 0);
	CHECK(mknodat(dir, "null", S_IFCHR | 0600, 0x103) == 0);
}

static void test_kinds(int dir, const char *file)
{
	struct handle h;
	uint64_t ino;
	size_t i;
	int round;

	(void)file;
	for (round = 0; round < 2; round++) {
		for (i = 0; i < NR_KINDS; i++) {
			ino = ino_of(dir, kinds[i]);
			h = handle_of(dir, kinds[i]);
			drop_inodes();
			leads_to(dir, &h, ino);
		}
		ino = ino_of(dir, "");
		h = handle_of(dir, "");
		leads_to(dir, &h, ino);
	}
}

static void test_save(int dir, const char *file)
{
	FILE *f = fopen(file, "w");
	struct handle h;
	uint64_t ino;
	size_t i;

	CHECK(f);
	for (i = 0; i < NR_KINDS; i++) {
		ino = ino_of(dir, kinds[i]);
		h = handle_of(dir, kinds[i]);
		CHECK(fwrite(&ino, sizeof(ino), 1, f) == 1);
		CHECK(fwrite(&h, sizeof(h), 1, f) == 1);
	}
	CHECK(fclose(f) == 0);
}

static void test_load(int dir, const char *file)
{
	FILE *f = fopen(file, "r");
	struct handle h;
	uint64_t ino;
	size_t i;

	CHECK(f);
	for (i = 0; i < NR_KINDS; i++) {
		CHECK(fread(&ino, sizeof(ino), 1, f) == 1);
		CHECK(fread(&h, sizeof(h), 1, f) == 1);
		leads_to(dir, &h, ino);
	}
	fclose(f);
	/* what is found this way is in its place */
	test_kinds(dir, NULL);
}

/* ---- layout ------------------------------------------------------------------ */

/* Exactly these bytes, in exactly this much room. */
static void test_layout(int dir, const char *file)
{
	struct handle h, want;
	int mnt_id, room;
	size_t i;

	(void)file;
	if (!by_kernel)
		return;
	for (i = 0; i < NR_KINDS; i++) {
		h = handle_of(dir, kinds[i]);
		want = by_hand(TYPE, ino_of(dir, kinds[i]), 0);
		CHECK(h.fh.handle_type == TYPE && h.fh.handle_bytes == 16);
		CHECK(!memcmp(h.bytes, want.bytes, 16));
		/* and nothing behind them */
		CHECK(h.bytes[16] == 0xa5 && h.bytes[17] == 0xa5);
	}
	for (room = 0; room < 16; room++) {
		memset(&h, 0xa5, sizeof(h));
		h.fh.handle_bytes = room;
		FAILS(name_to_handle_at(dir, "file", &h.fh, &mnt_id, 0),
		      EOVERFLOW);
		CHECK(h.fh.handle_bytes == 16 && h.bytes[0] == 0xa5);
	}
	h.fh.handle_bytes = 16;
	CHECK(name_to_handle_at(dir, "file", &h.fh, &mnt_id, 0) == 0);
	h.fh.handle_bytes = 19;
	CHECK(name_to_handle_at(dir, "file", &h.fh, &mnt_id, 0) == 0);
	CHECK(h.fh.handle_bytes == 16);
}

/* Numbers alone are enough; more than is needed does not matter. */
static void test_by_hand(int dir, const char *file)
{
	uint64_t self = ino_of(dir, "");
	struct handle h;
	uint64_t ino;
	unsigned int len;
	size_t i;

	(void)file;
	if (!by_kernel)
		return;
	h = by_hand(TYPE, 1, 0);
	leads_to(dir, &h, 1);
	for (i = 0; i < NR_KINDS; i++) {
		ino = ino_of(dir, kinds[i]);
		drop_inodes();
		h = by_hand(TYPE, ino, 0);
		leads_to(dir, &h, ino);
		h = by_hand(TYPE, ino, self);
		leads_to(dir, &h, ino);
		h = by_hand(TYPE_PARENT, ino, self);
		leads_to(dir, &h, ino);
		/* the other number is for those who ask for it */
		h = by_hand(TYPE_PARENT, ino, 0);
		leads_to(dir, &h, ino);
		h = by_hand(TYPE_PARENT, ino, ~0ULL);
		leads_to(dir, &h, ino);
		memset(h.bytes + 16, 0xff, sizeof(h.bytes) - 16);
		for (len = 16; len <= MAX_HANDLE_SZ; len += 7) {
			h.fh.handle_bytes = len;
			leads_to(dir, &h, ino);
		}
		for (len = 1; len < 16; len++) {
			h.fh.handle_bytes = len;
			is_stale(dir, &h);
		}
		h.fh.handle_bytes = 0;
		FAILS(open_handle(dir, &h, O_PATH), EINVAL);
		h.fh.handle_bytes = MAX_HANDLE_SZ + 1;
		FAILS(open_handle(dir, &h, O_PATH), EINVAL);
	}
}

/* ---- garbage ----------------------------------------------------------------- */

static uint64_t rnd(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void test_garbage(int dir, const char *file)
{
	static const uint64_t none[] = {
		0, 2, 3, 1023, 1ULL << 32, 1ULL << 40, 1ULL << 63, ~0ULL - 1,
		~0ULL,
	};
	uint64_t ino = ino_of(dir, "file");
	struct handle h;
	unsigned int k;
	size_t i;
	int type, fd;

	(void)file;
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		h = by_hand(TYPE, none[i], ino);
		is_stale(dir, &h);
		h = by_hand(TYPE_PARENT, none[i], ino);
		is_stale(dir, &h);
	}
	for (type = 1; type < 256; type++) {
		h = by_hand(type, ino, ino);
		if (type != TYPE && type != TYPE_PARENT)
			is_stale(dir, &h);
	}
	for (i = 0; i < 3000; i++) {
		h.fh.handle_type = rnd() % 4 ? TYPE + rnd() % 2 : rnd() % 256;
		h.fh.handle_bytes = 1 + rnd() % MAX_HANDLE_SZ;
		for (k = 0; k < MAX_HANDLE_SZ; k++)
			h.bytes[k] = rnd();
		/* some come close to what there is */
		if (rnd() % 2)
			set64(h.bytes, ino + rnd() % 100);
		fd = open_handle(dir, &h, O_PATH);
		CHECK(fd >= 0 || errno == ESTALE);
		if (fd < 0)
			continue;
		CHECK(!by_kernel || ino_of(fd, "") == get64(h.bytes));
		close(fd);
	}
}

/* ---- without names ------------------------------------------------------------- */

static void test_unlinked(int dir, const char *file)
{
	struct handle h;
	uint64_t ino;
	int fd, i;

	(void)file;
	/* one of two names */
	make_file(dir, "two");
	h = handle_of(dir, "two");
	ino = ino_of(dir, "two");
	CHECK(linkat(dir, "two", dir, "names", 0) == 0);
	CHECK(unlinkat(dir, "two", 0) == 0);
	drop_inodes();
	leads_to(dir, &h, ino);
	/* the last one, while somebody has it open */
	fd = openat(dir, "names", O_RDONLY);
	CHECK(fd >= 0 && unlinkat(dir, "names", 0) == 0);
	if (by_kernel)
		is_stale(dir, &h);
	close(fd);
	/* the daemon is told later */
	for (i = 0; !by_kernel && i < 100; i++) {
		drop_inodes();
		fd = open_handle(dir, &h, O_PATH);
		if (fd < 0)
			break;
		close(fd);
		usleep(50000);
	}
	is_stale(dir, &h);
	drop_inodes();
	is_stale(dir, &h);

	CHECK(mkdirat(dir, "gone", 0755) == 0);
	h = handle_of(dir, "gone");
	CHECK(unlinkat(dir, "gone", AT_REMOVEDIR) == 0);
	is_stale(dir, &h);

	/* never had one, then gets one */
	fd = openat(dir, ".", O_TMPFILE | O_RDWR, 0600);
	if (fd < 0) {
		CHECK(errno == EOPNOTSUPP || errno == EINVAL);
		return;
	}
	if (by_kernel) {
		h = handle_of(fd, "");
		is_stale(dir, &h);
	}
	close(fd);
}

/* ---- places ---------------------------------------------------------------------- */

/* The path of what is open, as the kernel knows it. */
static void has_path(int fd, const char *want)
{
	char link[32], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	CHECK(n > 0);
	path[n] = '\0';
	if (n < (ssize_t)strlen(want) ||
	    strcmp(path + n - strlen(want), want)) {
		fprintf(stderr, "%s instead of %s\n", path, want);
		exit(1);
	}
}

/* A directory that nobody has in memory gets its place. */
static void test_connect(int dir, const char *file)
{
	char path[4096] = "deep", name[64];
	struct handle top, h;
	uint64_t ino;
	int i, fd;

	(void)file;
	CHECK(mkdirat(dir, path, 0755) == 0);
	for (i = 0; i < DEPTH; i++) {
		snprintf(name, sizeof(name), "/%d", i);
		strcat(path, name);
		CHECK(mkdirat(dir, path, 0755) == 0);
	}
	h = handle_of(dir, path);
	ino = ino_of(dir, path);
	/* with many others beside it */
	for (i = 0; i < NR_WIDE; i++) {
		snprintf(name, sizeof(name), "deep/0/1/wide%d", i);
		CHECK(mkdirat(dir, name, 0755) == 0);
	}
	top = handle_of(dir, name);
	drop_inodes();
	fd = open_handle(dir, &top, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	has_path(fd, name);
	close(fd);

	drop_inodes();
	fd = open_handle(dir, &h, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && ino_of(fd, "") == ino);
	has_path(fd, path);
	for (i = 0; i < DEPTH; i++) {
		int up = openat(fd, "..", O_RDONLY | O_DIRECTORY);

		CHECK(up >= 0);
		close(fd);
		fd = up;
	}
	has_path(fd, "/deep");
	CHECK(ino_of(fd, "") == ino_of(dir, "deep"));
	close(fd);

	/* its place is where it is now */
	CHECK(renameat(dir, "deep/0/1", dir, "moved") == 0);
	drop_inodes();
	fd = open_handle(dir, &h, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	strcpy(path, "/moved/2");
	for (i = 3; i < DEPTH; i++) {
		snprintf(name, sizeof(name), "/%d", i);
		strcat(path, name);
	}
	has_path(fd, path);
	/* and it can be used there */
	make_file(fd, "new");
	CHECK(ino_of(dir, path + 1) == ino);
	strcat(path, "/new");
	CHECK(ino_of(dir, path + 1) == ino_of(fd, "new"));
	CHECK(unlinkat(fd, "new", 0) == 0);
	CHECK(unlinkat(dir, "moved/2/3", AT_REMOVEDIR) == -1);
	close(fd);
}

/* ---- at the same time ---------------------------------------------------------- */

struct race {
	int dir;
	struct handle h;
	volatile bool stop;
	unsigned long found;
};

static void *race_main(void *arg)
{
	struct race *r = arg;
	int fd;

	while (!r->stop) {
		fd = open_handle(r->dir, &r->h, O_RDONLY | O_DIRECTORY);
		CHECK(fd >= 0 || errno == ESTALE);
		if (fd < 0)
			continue;
		r->found++;
		close(fd);
	}
	return NULL;
}

/* Directories are looked for while they move, and while they go. */
static void test_race(int dir, const char *file)
{
	struct race r = { .dir = dir };
	pthread_t thread[2];
	int i;

	(void)file;
	CHECK(mkdirat(dir, "a", 0755) == 0 && mkdirat(dir, "b", 0755) == 0);
	CHECK(mkdirat(dir, "a/d", 0755) == 0 &&
	      mkdirat(dir, "a/d/e", 0755) == 0);
	r.h = handle_of(dir, "a/d/e");
	for (i = 0; i < 2; i++)
		CHECK(pthread_create(&thread[i], NULL, race_main, &r) == 0);
	for (i = 0; i < 100; i++) {
		CHECK(renameat(dir, "a/d", dir, "b/d") == 0);
		if (i % 4 == 0)
			drop_inodes();
		CHECK(renameat(dir, "b/d", dir, "a/d") == 0);
	}
	CHECK(unlinkat(dir, "a/d/e", AT_REMOVEDIR) == 0);
	CHECK(unlinkat(dir, "a/d", AT_REMOVEDIR) == 0);
	r.stop = true;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	is_stale(dir, &r.h);
	CHECK(r.found > 0);
	CHECK(unlinkat(dir, "a", AT_REMOVEDIR) == 0);
	CHECK(unlinkat(dir, "b", AT_REMOVEDIR) == 0);
}

/* ---- opening what is about to go --------------------------------------------- */

struct leaving {
	int dir;
	pthread_mutex_t lock;
	struct handle h;		/* of the latest file */
	_Atomic bool stop;
	_Atomic int opened;
};

/* What was opened works, with or without its name, until it is closed. */
static void use(struct leaving *l, int fd, bool by_handle)
{
	struct stat st;
	char c = 'x';

	if (fd < 0) {
		/* FUSE's client has the inode, and the daemon then has not */
		CHECK(errno == (by_handle ? ESTALE : ENOENT) ||
		      (errno == ENOENT && !by_kernel));
		return;
	}
	CHECK(write(fd, &c, 1) == 1 && pread(fd, &c, 1, 0) == 1);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink <= 1 && st.st_size == 1);
	CHECK(close(fd) == 0);
	l->opened++;
}

static void *open_names(void *arg)
{
	struct leaving *l = arg;

	while (!l->stop)
		use(l, openat(l->dir, "leaving", O_RDWR), false);
	return NULL;
}

static void *open_handles(void *arg)
{
	struct leaving *l = arg;
	struct handle h;

	while (!l->stop) {
		pthread_mutex_lock(&l->lock);
		h = l->h;
		pthread_mutex_unlock(&l->lock);
		use(l, open_handle(l->dir, &h, O_RDWR), true);
	}
	return NULL;
}

static void test_leaving(int dir, const char *file)
{
	struct leaving l = { .dir = dir,
			     .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t thread[2];
	struct handle h;
	int i;

	(void)file;
	make_file(dir, "leaving");
	l.h = handle_of(dir, "leaving");
	CHECK(pthread_create(&thread[0], NULL, open_names, &l) == 0);
	CHECK(pthread_create(&thread[1], NULL, open_handles, &l) == 0);
	for (i = 0; i < 500 || (l.opened < 20 && i < 20000); i++) {
		CHECK(unlinkat(dir, "leaving", 0) == 0);
		make_file(dir, "leaving");
		h = handle_of(dir, "leaving");
		pthread_mutex_lock(&l.lock);
		l.h = h;
		pthread_mutex_unlock(&l.lock);
	}
	l.stop = true;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	CHECK(l.opened > 0);
	CHECK(unlinkat(dir, "leaving", 0) == 0);
	if (by_kernel)
		is_stale(dir, &l.h);
}

static const struct {
	const char *name;
	void (*fn)(int dir, const char *file);
} tests[] = {
	{ "tree", test_tree },
	{ "kinds", test_kinds },
	{ "save", test_save },
	{ "load", test_load },
	{ "layout", test_layout },
	{ "by_hand", test_by_hand },
	{ "garbage", test_garbage },
	{ "unlinked", test_unlinked },
	{ "connect", test_connect },
	{ "race", test_race },
	{ "leaving", test_leaving },
};

int main(int argc, char **argv)
{
	size_t i;
	int dir;

	if (argc >= 4) {
		by_kernel = !strcmp(argv[2], "kernel");
		dir = open(argv[1], O_RDONLY | O_DIRECTORY);
		CHECK(dir >= 0);
		for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
			if (!strcmp(tests[i].name, argv[3])) {
				tests[i].fn(dir, argv[4]);
				return 0;
			}
		}
	}
	fprintf(stderr, "usage: handles DIR HOST TEST [FILE]\n");
	return 2;
}

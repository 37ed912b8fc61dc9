/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random operations on names, done twice: in a directory of the mount and in
 * one of another filesystem, whose answers are the model.
 *
 *	randname DIR MODEL SEED COUNT
 *
 * Both directories hold the same at the start: nothing, or what an earlier run
 * has left.  Every operation has to end in both with the same result and errno,
 * every look at a name with the same attributes, and at the end both trees are
 * compared as a whole, with what is linked to what.  Names are few, so that
 * they are often in use; some are odd.  Some files and directories are held
 * open, and used on after they have lost their names.
 *
 * DIR may be several paths with colons between them: of the same directory on
 * several mounts.  Each operation is on a random one of them; what is held open
 * stays with the mount it was opened on, also when another one takes its name.
 *
 * What filesystems may do differently is not compared: sizes of directories,
 * inode numbers, times that nobody set.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"

#define NR_HELD 6
#define NR_TOLD 30
#define MAX_LINKED 4096
#define MAX_DEPTH 40

static uint64_t state;
static int top[2];		/* the two directories */
#define MAX_MOUNTS 16
static int mounts[MAX_MOUNTS];	/* top[0] is one of them */
static unsigned int nr_mounts, on;
static int held[NR_HELD][2];	/* -1: none */
static char told[NR_TOLD][200];
static unsigned int nr_told;

static uint64_t rnd(uint64_t below)
{
	return next_random(&state, below);
}

static void __attribute__((noreturn, format(printf, 1, 2)))
wrong(const char *fmt, ...)
{
	unsigned int oldest = nr_told > NR_TOLD ? nr_told - NR_TOLD : 0, i;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; the last operations, newest first:\n");
	for (i = nr_told; i > oldest; i--)
		fprintf(stderr, "%u: %s\n", i, told[(i - 1) % NR_TOLD]);
	exit(1);
}

static void some_name(char *name)
{
	switch (rnd(60)) {
	case 0:
		strcpy(name, ".");
		break;
	case 1:
		strcpy(name, "..");
		break;
	case 2:
		memset(name, 'l', 255);
		name[255] = '\0';
		break;
	case 3:
		memset(name, 'l', 256);
		name[256] = '\0';
		break;
	case 4:
		strcpy(name, "\xff\x01 \n");
		break;
	default:
		sprintf(name, "n%u", (unsigned int)rnd(12));
	}
}

/* Up to four names, now and then with a slash behind them. */
static void some_path(char *path)
{
	unsigned int depth = rnd(3) ? rnd(3) : rnd(4), i;
	char *at = path;

	/* never above the two directories: they differ there */
	for (i = 0; i <= depth; i++) {
		some_name(at);
		if (i == 0 && !strcmp(at, ".."))
			strcpy(at, "n0");
		if (i > 0 && !strcmp(at, "..") && path[0] == '.')
			strcpy(at, "n1");
		if (i > 1 && !strcmp(at, ".."))
			strcpy(at, "n2");
		at += strlen(at);
		if (i < depth)
			*at++ = '/';
	}
	if (!rnd(40))
		*at++ = '/';
	*at = '\0';
}

static void show(char *to, const char *path)
{
	unsigned int i;

	for (i = 0; i < 60 && path[i]; i++)
		to[i] = path[i] > ' ' && path[i] < 127 ? path[i] : '?';
	to[i] = '\0';
}

/* What both have answered: result[] with errno as a negative number. */
static void same(const char *what, const char *a, const char *b,
		 const long *result)
{
	char one[64], two[64];

	show(one, a);
	show(two, b ? b : "");
	snprintf(told[nr_told++ % NR_TOLD], sizeof(told[0]),
		 "[%u] %s %s %s: %ld", on, what, one, two, result[0]);
	if (result[0] != result[1])
		wrong("%s %s %s: %ld (%s) and not %ld (%s)", what, one, two,
		      result[0], result[0] < 0 ? strerror(-result[0]) : "",
		      result[1], result[1] < 0 ? strerror(-result[1]) : "");
}

#define BOTH(what, a, b, call) \
	do { \
		long result_[2]; \
		int i; \
		for (i = 0; i < 2; i++) { \
			errno = 0; \
			result_[i] = (call); \
			if (result_[i] < 0) \
				result_[i] = -errno; \
		} \
		same(what, a, b, result_); \
	} while (0)

static void compare_stat(const char *what, const struct stat *a,
			 const struct stat *b)
{
	bool dir = S_ISDIR(a->st_mode);

	if (a->st_mode != b->st_mode)
		wrong("%s: mode %o and not %o", what, a->st_mode, b->st_mode);
	/* some filesystems do not count subdirectories */
	if (a->st_nlink != b->st_nlink && !(dir && b->st_nlink == 1))
		wrong("%s: %lu links and not %lu", what,
		      (unsigned long)a->st_nlink, (unsigned long)b->st_nlink);
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		wrong("%s: belongs to %u:%u and not %u:%u", what, a->st_uid,
		      a->st_gid, b->st_uid, b->st_gid);
	if (a->st_rdev != b->st_rdev)
		wrong("%s: device %lx and not %lx", what,
		      (unsigned long)a->st_rdev, (unsigned long)b->st_rdev);
	if (!dir && a->st_size != b->st_size)
		wrong("%s: size %lld and not %lld", what,
		      (long long)a->st_size, (long long)b->st_size);
	/* set by utimensat() below, and by nobody else */
	if (a->st_atim.tv_sec == 12345 && b->st_atim.tv_sec == 12345 &&
	    a->st_atim.tv_nsec != b->st_atim.tv_nsec)
		wrong("%s: time of access", what);
}

static void op_look(const char *path)
{
	int flag = rnd(2) ? AT_SYMLINK_NOFOLLOW : 0;
	char link[2][PATH_MAX] = { { 0 } };
	struct stat st[2] = { { 0 } };

	BOTH("stat", path, NULL, fstatat(top[i], path, &st[i], flag));
	compare_stat(path, &st[0], &st[1]);
	BOTH("readlink", path, NULL,
	     readlinkat(top[i], path, link[i], PATH_MAX));
	if (strcmp(link[0], link[1]))
		wrong("link to %s and not %s", link[0], link[1]);
}

static void op_open(const char *path)
{
	static const int ways[] = {
		O_CREAT | O_EXCL | O_WRONLY, O_CREAT | O_RDWR, O_RDONLY,
		O_CREAT | O_TRUNC | O_WRONLY, O_RDONLY | O_DIRECTORY,
		O_WRONLY | O_NOFOLLOW, O_RDWR | O_CREAT | O_NOFOLLOW,
		O_WRONLY | O_TRUNC,
	};
	int flags = ways[rnd(8)] | O_NONBLOCK, fd[2], h = rnd(NR_HELD * 4);
	mode_t mode = rnd(0777);
	char text[40];
	int len = sprintf(text, "%0*u", (int)rnd(30) + 1, (int)rnd(1000));

	BOTH("open", path, NULL,
	     (fd[i] = openat(top[i], path, flags, mode)) < 0 ? -1 : 0);
	if (fd[0] < 0)
		return;
	if ((flags & O_ACCMODE) != O_RDONLY)
		BOTH("write", path, NULL, write(fd[i], text, len));
	if (h >= NR_HELD) {
		close(fd[0]);
		close(fd[1]);
		return;
	}
	if (held[h][0] >= 0) {
		close(held[h][0]);
		close(held[h][1]);
	}
	memcpy(held[h], fd, sizeof(fd));
}

/* Something that may have no name any more. */
static void op_held(void)
{
	int *fd = held[rnd(NR_HELD)];
	char got[2][64] = { { 0 } };
	struct stat st[2] = { { 0 } };
	mode_t mode = rnd(0777);
	char name[300];

	if (fd[0] < 0)
		return;
	BOTH("fstat", "", NULL, fstat(fd[i], &st[i]));
	compare_stat("something open", &st[0], &st[1]);
	if (S_ISDIR(st[0].st_mode)) {
		sprintf(name, "n%u", (unsigned int)rnd(12));
		BOTH("mkdir in it", name, NULL, mkdirat(fd[i], name, mode));
		BOTH("rmdir in it", name, NULL,
		     unlinkat(fd[i], name, AT_REMOVEDIR));
	} else if (S_ISREG(st[0].st_mode)) {
		BOTH("pread", "", NULL, pread(fd[i], got[i], 64, 3));
		if (memcmp(got[0], got[1], 64))
			wrong("other contents");
		BOTH("ftruncate", "", NULL, ftruncate(fd[i], mode));
		BOTH("pwrite", "", NULL, pwrite(fd[i], "held", 4, 5));
	}
	if (rnd(2))
		BOTH("fchmod", "", NULL, fchmod(fd[i], mode));
}

static void op_attributes(const char *path)
{
	struct timespec ts[2] = { { 12345, rnd(1000000000) },
				  { 0, UTIME_OMIT } };
	mode_t mode = rnd(07777);
	uid_t uid = rnd(3) ? rnd(5) : (uid_t)-1, gid = rnd(5);

	switch (rnd(4)) {
	case 0:
		BOTH("chmod", path, NULL, fchmodat(top[i], path, mode, 0));
		break;
	case 1:
		BOTH("chown", path, NULL,
		     fchownat(top[i], path, uid, gid, AT_SYMLINK_NOFOLLOW));
		break;
	case 2:
		BOTH("utimens", path, NULL,
		     utimensat(top[i], path, ts, AT_SYMLINK_NOFOLLOW));
		break;
	case 3:
		BOTH("access", path, NULL, faccessat(top[i], path, mode & 7,
						     AT_EACCESS));
		break;
	}
}

static void op_make(const char *a, const char *b)
{
	static const mode_t kinds[] = { S_IFIFO, S_IFSOCK, S_IFREG, S_IFCHR };
	mode_t mode = rnd(0777), kind = kinds[rnd(geteuid() ? 3 : 4)];
	/* what is in a fifo stays with its mount */
	bool fifo = kind == S_IFIFO && nr_mounts > 1;
	dev_t dev = makedev(1 + rnd(300), 3 + rnd(70000));

	switch (rnd(6)) {
	case 0: case 1: case 2:
		BOTH("mkdir", a, NULL, mkdirat(top[i], a, mode | 0700));
		break;
	case 3:
		BOTH("symlink", b, a, symlinkat(b, top[i], a));
		break;
	case 4:
		BOTH("mknod", a, NULL, mknodat(top[i], a,
					       (fifo ? S_IFSOCK : kind) | mode,
					       kind == S_IFCHR ? dev : 0));
		break;
	case 5:
		BOTH("link", b, a, linkat(top[i], b, top[i], a,
					  mode & 1 ? AT_SYMLINK_FOLLOW : 0));
		break;
	}
}

/*
 * A directory that another mount has moved is taken to its new place by Linux
 * when it is looked up there, but not under a rename(2), which is ESTALE.
 */
static int move(int dir, const char *a, const char *b, unsigned int flags)
{
	struct stat st;

	if (renameat2(dir, a, dir, b, flags) == 0)
		return 0;
	if (errno != ESTALE || nr_mounts < 2)
		return -1;
	fstatat(dir, a, &st, AT_SYMLINK_NOFOLLOW);
	fstatat(dir, b, &st, AT_SYMLINK_NOFOLLOW);
	errno = 0;
	return renameat2(dir, a, dir, b, flags);
}

static void one_op(void)
{
	char a[2000], b[2000];
	unsigned int flags;

	if (nr_mounts > 1) {
		on = rnd(nr_mounts);
		top[0] = mounts[on];
	}
	some_path(a);
	some_path(b);
	switch (rnd(12)) {
	case 0: case 1: case 2:
		op_make(a, b);
		break;
	case 3: case 4:
		op_open(a);
		break;
	case 5:
		op_look(a);
		break;
	case 6:
		op_attributes(a);
		break;
	case 7:
		BOTH("unlink", a, NULL, unlinkat(top[i], a, 0));
		break;
	case 8:
		BOTH("rmdir", a, NULL, unlinkat(top[i], a, AT_REMOVEDIR));
		break;
	case 9: case 10:
		flags = rnd(4) ? 0 : RENAME_NOREPLACE;
		BOTH(flags ? "rename, no replace" : "rename", a, b,
		     move(top[i], a, b, flags));
		break;
	case 11:
		op_held();
		break;
	}
}

/* ---- both trees --------------------------------------------------------- */

static struct linked {
	ino_t ino[2];
} linked[MAX_LINKED];
static unsigned int nr_linked;

/* Two names are of one inode here exactly when they are there. */
static void compare_links(const char *path, const struct stat *st)
{
	unsigned int i;

	for (i = 0; i < nr_linked; i++) {
		if ((linked[i].ino[0] == st[0].st_ino) !=
		    (linked[i].ino[1] == st[1].st_ino))
			wrong("%s is linked to something else", path);
		if (linked[i].ino[0] == st[0].st_ino)
			return;
	}
	CHECK(nr_linked < MAX_LINKED);
	linked[nr_linked].ino[0] = st[0].st_ino;
	linked[nr_linked++].ino[1] = st[1].st_ino;
}

static void compare_contents(int *dir, const char *name)
{
	char buf[2][4096];
	ssize_t n[2];
	int fd[2], i;

	for (i = 0; i < 2; i++) {
		fd[i] = openat(dir[i], name, O_RDONLY);
		if (fd[i] < 0) {
			/* not root, and not readable */
			CHECK(errno == EACCES);
			n[i] = 0;
			continue;
		}
		n[i] = read(fd[i], buf[i], sizeof(buf[i]));
		close(fd[i]);
	}
	if (n[0] != n[1] || memcmp(buf[0], buf[1], n[0]))
		wrong("%s: other contents", name);
}

static int count_names(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY), nr = 0;
	DIR *d = fdopendir(fd);

	CHECK(d);
	while (readdir(d))
		nr++;
	closedir(d);
	return nr;
}

static void compare_trees(int *dir, int depth)
{
	int fd = openat(dir[0], ".", O_RDONLY | O_DIRECTORY), sub[2], i;
	DIR *d = fdopendir(fd);
	struct stat st[2];
	struct dirent *de;

	CHECK(d && depth < MAX_DEPTH);
	if (count_names(dir[0]) != count_names(dir[1]))
		wrong("%d names and not %d", count_names(dir[0]),
		      count_names(dir[1]));
	while ((de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		for (i = 0; i < 2; i++) {
			if (fstatat(dir[i], de->d_name, &st[i],
				    AT_SYMLINK_NOFOLLOW))
				wrong("%s: %s in %d", de->d_name,
				      strerror(errno), i);
		}
		compare_stat(de->d_name, &st[0], &st[1]);
		compare_links(de->d_name, st);
		if (de->d_type != DT_UNKNOWN &&
		    de->d_type != IFTODT(st[0].st_mode))
			wrong("%s: other type in the directory", de->d_name);
		if (S_ISREG(st[0].st_mode))
			compare_contents(dir, de->d_name);
		if (!S_ISDIR(st[0].st_mode))
			continue;
		for (i = 0; i < 2; i++) {
			sub[i] = openat(dir[i], de->d_name,
					O_RDONLY | O_DIRECTORY);
			CHECK(sub[i] >= 0);
		}
		compare_trees(sub, depth + 1);
		close(sub[0]);
		close(sub[1]);
	}
	closedir(d);
}

/* Each mount has the same. */
static void compare_all(void)
{
	for (on = 0; on < nr_mounts; on++) {
		top[0] = mounts[on];
		nr_linked = 0;
		compare_trees(top, 0);
	}
	on = 0;
	top[0] = mounts[0];
}

int main(int argc, char **argv)
{
	uint64_t count, n;
	char *p;

	if (argc != 5) {
		fprintf(stderr, "usage: randname DIR MODEL SEED COUNT\n");
		return 2;
	}
	state = number(argv[3]) * 2 + 1;
	count = number(argv[4]);
	umask(0);
	for (p = strtok(argv[1], ":"); p; p = strtok(NULL, ":")) {
		CHECK(nr_mounts < MAX_MOUNTS);
		mounts[nr_mounts] = open(p, O_RDONLY | O_DIRECTORY);
		CHECK(mounts[nr_mounts++] >= 0);
	}
	CHECK(nr_mounts);
	top[1] = open(argv[2], O_RDONLY | O_DIRECTORY);
	CHECK(top[1] >= 0);
	memset(held, -1, sizeof(held));
	compare_all();
	for (n = 1; n <= count; n++) {
		one_op();
		if (n % 1000 == 0)
			compare_all();
	}
	compare_all();
	/* contents of all files, and then what FUSE knows instead of it */
	CHECK(syncfs(top[0]) == 0);
	CHECK(fsync(top[0]) == 0);
	return 0;
}

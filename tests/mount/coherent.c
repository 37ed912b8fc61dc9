/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one mount does, another one sees when the call returns: one kind of
 * thing after the other, each in both directions and with caches that are warm.
 *
 *	coherent TEST A B	one directory on two mounts, empty for this test
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096
#define ROUNDS 20

static int top[2];
static const char *path_of[2];

static bool is_there(int m, const char *name)
{
	struct stat st;

	if (fstatat(top[m], name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	CHECK(errno == ENOENT);
	return false;
}

static void make(int m, const char *name, const char *text)
{
	int fd = openat(top[m], name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(close(fd) == 0);
}

static void holds(int m, const char *name, const char *text)
{
	char buf[256] = "";
	int fd = openat(top[m], name, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, buf, sizeof(buf) - 1);
	CHECK(n >= 0);
	buf[n] = '\0';
	if (strcmp(buf, text))
		fail("%s of mount %d holds \"%s\" and not \"%s\"", name, m,
		     buf, text);
	CHECK(close(fd) == 0);
}

static bool listed(int m, const char *name)
{
	int fd = openat(top[m], ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *de;
	bool found = false;

	CHECK(d);
	while ((de = readdir(d)))
		found |= !strcmp(de->d_name, name);
	closedir(d);
	return found;
}

/* Which mount is the other one of @m. */
#define OTHER(m) (1 - (m))

/* ---- names ---------------------------------------------------------------- */

static void names(char **arg)
{
	char name[32], new[32];
	struct stat st[2];
	int i, m;

	for (i = 0; i < ROUNDS; i++) {
		m = i % 2;
		sprintf(name, "n%d", i);
		sprintf(new, "new%d", i);
		/* that it is not there is worth remembering, too */
		CHECK(!is_there(0, name) && !is_there(1, name));
		make(m, name, "text");
		CHECK(is_there(OTHER(m), name) && listed(OTHER(m), name));
		FAILS(openat(top[OTHER(m)], name, O_CREAT | O_EXCL | O_WRONLY,
			     0600), EEXIST);
		CHECK(fstatat(top[0], name, &st[0], 0) == 0);
		CHECK(fstatat(top[1], name, &st[1], 0) == 0);
		CHECK(st[0].st_ino == st[1].st_ino);
		CHECK(renameat(top[OTHER(m)], name, top[OTHER(m)], new) == 0);
		CHECK(!is_there(m, name) && is_there(m, new));
		CHECK(!listed(m, name) && listed(m, new));
		CHECK(linkat(top[m], new, top[m], name, 0) == 0);
		CHECK(fstatat(top[OTHER(m)], new, &st[0], 0) == 0);
		CHECK(st[0].st_nlink == 2);
		CHECK(unlinkat(top[OTHER(m)], new, 0) == 0);
		CHECK(!is_there(m, new) && is_there(m, name));
		CHECK(unlinkat(top[m], name, 0) == 0);
		CHECK(!is_there(OTHER(m), name) && !listed(OTHER(m), name));
	}
}

/* Another file takes over a name that the other mount knows. */
static void replaced(char **arg)
{
	char text[32], old[32] = "";
	int i, m;

	for (i = 0; i < ROUNDS; i++) {
		m = i % 2;
		sprintf(text, "contents %d", i);
		if (i)
			holds(OTHER(m), "name", old);
		make(m, "fresh", text);
		CHECK(renameat(top[m], "fresh", top[m], "name") == 0);
		holds(OTHER(m), "name", text);
		CHECK(!is_there(OTHER(m), "fresh"));
		strcpy(old, text);
	}
}

static void directories(char **arg)
{
	char name[64];
	struct stat st;
	int i, m;

	for (i = 0; i < ROUNDS; i++) {
		m = i % 2;
		CHECK(mkdirat(top[m], "d", 0755) == 0);
		CHECK(mkdirat(top[OTHER(m)], "d/sub", 0755) == 0);
		FAILS(unlinkat(top[m], "d", AT_REMOVEDIR), ENOTEMPTY);
		CHECK(fstatat(top[m], "d", &st, 0) == 0 && st.st_nlink == 3);
		make(m, "d/sub/file", "x");
		sprintf(name, "moved%d", i);
		CHECK(renameat(top[OTHER(m)], "d/sub", top[OTHER(m)],
			       name) == 0);
		CHECK(!is_there(m, "d/sub") && is_there(m, name));
		CHECK(fstatat(top[m], "d", &st, 0) == 0 && st.st_nlink == 2);
		strcat(name, "/file");
		holds(m, name, "x");
		CHECK(unlinkat(top[OTHER(m)], name, 0) == 0);
		*strchr(name, '/') = '\0';
		CHECK(unlinkat(top[m], name, AT_REMOVEDIR) == 0);
		CHECK(unlinkat(top[OTHER(m)], "d", AT_REMOVEDIR) == 0);
		CHECK(!is_there(m, "d") && !is_there(m, name));
	}
}

static void symlinks(char **arg)
{
	char target[32], got[64];
	ssize_t n;
	int i, m;

	for (i = 0; i < ROUNDS; i++) {
		m = i % 2;
		sprintf(target, "target %d", i);
		CHECK(symlinkat(target, top[m], "link") == 0);
		n = readlinkat(top[OTHER(m)], "link", got, sizeof(got));
		CHECK(n == (ssize_t)strlen(target) && !memcmp(got, target, n));
		CHECK(unlinkat(top[OTHER(m)], "link", 0) == 0);
		CHECK(!is_there(m, "link"));
	}
}

/* ---- attributes ----------------------------------------------------------- */

static void attributes(char **arg)
{
	struct timespec ts[2] = { { 1000, 1 }, { 2000, 2 } };
	int i, m, fd[2];
	struct stat st;

	make(0, "file", "text");
	for (m = 0; m < 2; m++) {
		fd[m] = openat(top[m], "file", O_RDWR);
		CHECK(fd[m] >= 0);
	}
	for (i = 0; i < ROUNDS; i++) {
		m = i % 2;
		CHECK(fchmodat(top[m], "file", 0600 + i, 0) == 0);
		CHECK(fstatat(top[OTHER(m)], "file", &st, 0) == 0);
		CHECK((st.st_mode & 07777) == 0600 + i);
		CHECK(fstat(fd[OTHER(m)], &st) == 0);
		CHECK((st.st_mode & 07777) == 0600 + i);
		ts[1].tv_sec = 3000 + i;
		CHECK(futimens(fd[m], ts) == 0);
		CHECK(fstat(fd[OTHER(m)], &st) == 0);
		CHECK(st.st_mtim.tv_sec == 3000 + i);
		if (geteuid() == 0) {
			CHECK(fchown(fd[m], i, 2 * i) == 0);
			CHECK(fstat(fd[OTHER(m)], &st) == 0);
			CHECK((int)st.st_uid == i && (int)st.st_gid == 2 * i);
		}
	}
}

/* Rights that are gone, or that have come, count at once. */
static void rights(char **arg)
{
	int i, fd, status;
	pid_t pid;

	make(0, "file", "text");
	CHECK(fchmodat(top[0], ".", 0755, 0) == 0);
	if (geteuid() != 0)
		return;
	for (i = 0; i < ROUNDS; i++) {
		CHECK(fchmodat(top[i % 2], "file", i & 2 ? 0644 : 0600,
			       0) == 0);
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			CHECK(setgid(12345) == 0 && setuid(12345) == 0);
			fd = openat(top[OTHER(i % 2)], "file", O_RDONLY);
			CHECK((fd >= 0) == !!(i & 2));
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

static void xattrs(char **arg)
{
	char value[64], got[64];
	int i, m, fd[2];
	ssize_t n;

	make(0, "file", "text");
	for (m = 0; m < 2; m++) {
		fd[m] = openat(top[m], "file", O_RDONLY);
		CHECK(fd[m] >= 0);
		FAILS(fgetxattr(fd[m], "user.x", got, sizeof(got)), ENODATA);
	}
	for (i = 0; i < ROUNDS; i++) {
		m = i % 2;
		sprintf(value, "value %d", i);
		CHECK(fsetxattr(fd[m], "user.x", value, strlen(value), 0) == 0);
		n = fgetxattr(fd[OTHER(m)], "user.x", got, sizeof(got));
		CHECK(n == (ssize_t)strlen(value) && !memcmp(got, value, n));
		CHECK(flistxattr(fd[OTHER(m)], got, sizeof(got)) == 7);
		CHECK(fremovexattr(fd[OTHER(m)], "user.x") == 0);
		FAILS(fgetxattr(fd[m], "user.x", got, sizeof(got)), ENODATA);
	}
}

/* ---- contents ------------------------------------------------------------- */

static void data(char **arg)
{
	unsigned char buf[3 * PAGE], got[3 * PAGE];
	int i, m, wr[2], rd[2];

	make(0, "file", "");
	for (m = 0; m < 2; m++) {
		wr[m] = openat(top[m], "file", O_RDWR);
		rd[m] = openat(top[m], "file", O_RDONLY);
		CHECK(wr[m] >= 0 && rd[m] >= 0);
	}
	for (i = 0; i < 5 * ROUNDS; i++) {
		m = i % 2;
		fill_pattern(buf, sizeof(buf), 0, i);
		CHECK(pwrite(wr[m], buf, sizeof(buf), 0) == sizeof(buf));
		CHECK(pread(rd[OTHER(m)], got, sizeof(got), 0) == sizeof(got));
		CHECK(!memcmp(buf, got, sizeof(buf)));
		CHECK(pread(wr[OTHER(m)], got, sizeof(got), 0) == sizeof(got));
		CHECK(!memcmp(buf, got, sizeof(buf)));
		CHECK(pread(rd[m], got, sizeof(got), 0) == sizeof(got));
		CHECK(!memcmp(buf, got, sizeof(buf)));
		/* a part of a page that the other has */
		memset(buf + PAGE - 3, i, 7);
		CHECK(pwrite(wr[OTHER(m)], buf + PAGE - 3, 7, PAGE - 3) == 7);
		CHECK(pread(rd[m], got, sizeof(got), 0) == sizeof(got));
		CHECK(!memcmp(buf, got, sizeof(buf)));
	}
}

/* Lines of two writers, none lost. */
static void append(char **arg)
{
	char line[32], got[16];
	int i, m, fd[2], rd;
	struct stat st;

	make(0, "file", "");
	for (m = 0; m < 2; m++) {
		fd[m] = openat(top[m], "file", O_WRONLY | O_APPEND);
		CHECK(fd[m] >= 0);
	}
	for (i = 0; i < 10 * ROUNDS; i++) {
		sprintf(line, "line %8d\n", i);
		CHECK(write(fd[i % 2], line, 14) == 14);
	}
	for (m = 0; m < 2; m++) {
		CHECK(fstatat(top[m], "file", &st, 0) == 0);
		CHECK(st.st_size == 10 * ROUNDS * 14);
		rd = openat(top[m], "file", O_RDONLY);
		CHECK(rd >= 0);
		for (i = 0; i < 10 * ROUNDS; i++) {
			sprintf(line, "line %8d\n", i);
			CHECK(read(rd, got, 14) == 14 &&
			      !memcmp(got, line, 14));
		}
		CHECK(read(rd, got, 14) == 0);
		close(rd);
	}
}

static void truncation(char **arg)
{
	char buf[2 * PAGE], got[2 * PAGE];
	int i, m, fd[2];
	struct stat st;

	memset(buf, 'x', sizeof(buf));
	make(0, "file", "");
	for (m = 0; m < 2; m++) {
		fd[m] = openat(top[m], "file", O_RDONLY);
		CHECK(fd[m] >= 0);
	}
	for (i = 0; i < ROUNDS; i++) {
		char path[PATH_MAX];
		int wr;

		m = i % 2;
		snprintf(path, sizeof(path), "%s/file", path_of[m]);
		wr = openat(top[m], "file", O_WRONLY | O_TRUNC);
		CHECK(wr >= 0);
		CHECK(pread(fd[OTHER(m)], got, sizeof(got), 0) == 0);
		CHECK(pwrite(wr, buf, sizeof(buf), 0) == sizeof(buf));
		CHECK(pread(fd[OTHER(m)], got, sizeof(got), 0) == sizeof(got));
		CHECK(truncate(path, 100 + i) == 0);
		CHECK(pread(fd[OTHER(m)], got, sizeof(got), 0) == 100 + i);
		CHECK(fstat(fd[OTHER(m)], &st) == 0 && st.st_size == 100 + i);
		snprintf(path, sizeof(path), "%s/file", path_of[OTHER(m)]);
		CHECK(truncate(path, sizeof(buf)) == 0);
		CHECK(pread(fd[m], got, sizeof(got), 0) == sizeof(got));
		CHECK(got[99 + i] == 'x' && !got[100 + i] && !got[PAGE]);
		CHECK(close(wr) == 0);
	}
}

/* A mapping for reading shows what others wrote before. */
static void mapping(char **arg)
{
	unsigned char buf[PAGE];
	volatile unsigned char *map[2];
	int i, m, wr[2], rd[2];

	memset(buf, 0, sizeof(buf));
	make(0, "file", "");
	for (m = 0; m < 2; m++) {
		wr[m] = openat(top[m], "file", O_RDWR);
		rd[m] = openat(top[m], "file", O_RDONLY);
		CHECK(wr[m] >= 0 && rd[m] >= 0);
	}
	CHECK(pwrite(wr[0], buf, sizeof(buf), 0) == sizeof(buf));
	for (m = 0; m < 2; m++) {
		struct stat st;

		CHECK(fstat(rd[m], &st) == 0 && st.st_size == PAGE);
		map[m] = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rd[m], 0);
		CHECK(map[m] != MAP_FAILED);
		CHECK(map[m][PAGE - 1] == 0);
	}
	for (i = 1; i < 10 * ROUNDS; i++) {
		memset(buf, i, sizeof(buf));
		CHECK(pwrite(wr[i % 2], buf, sizeof(buf), 0) == sizeof(buf));
		for (m = 0; m < 2; m++)
			CHECK(map[m][0] == (unsigned char)i &&
			      map[m][PAGE - 1] == (unsigned char)i);
	}
}

/* Stores through a mapping of one mount, seen by the other after msync. */
static void stores(char **arg)
{
	unsigned char got[PAGE];
	unsigned char *map[2];
	int i, m, fd[2];

	make(0, "file", "");
	CHECK(fchmodat(top[0], "file", 0644, 0) == 0);
	for (m = 0; m < 2; m++) {
		fd[m] = openat(top[m], "file", O_RDWR);
		CHECK(fd[m] >= 0);
		if (m == 0)
			CHECK(ftruncate(fd[m], PAGE) == 0);
	}
	for (i = 1; i < ROUNDS; i++) {
		m = i % 2;
		map[m] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd[m], 0);
		CHECK(map[m] != MAP_FAILED);
		memset(map[m], i, PAGE);
		CHECK(msync(map[m], PAGE, MS_SYNC) == 0);
		CHECK(munmap(map[m], PAGE) == 0);
		CHECK(pread(fd[OTHER(m)], got, PAGE, 0) == PAGE);
		CHECK(got[0] == i && got[PAGE - 1] == i);
	}
}

/* ---- what is open ---------------------------------------------------------- */

/* A file lives as long as somebody has it open, wherever. */
static void open_unlinked(char **arg)
{
	char name[32], got[32];
	struct stat st;
	int i, m, fd[ROUNDS];

	for (i = 0; i < ROUNDS; i++) {
		m = i % 2;
		sprintf(name, "file%d", i);
		make(m, name, name);
		fd[i] = openat(top[m], name, O_RDWR);
		CHECK(fd[i] >= 0);
		CHECK(unlinkat(top[OTHER(m)], name, 0) == 0);
		CHECK(!is_there(m, name));
	}
	for (i = 0; i < ROUNDS; i++) {
		sprintf(name, "file%d", i);
		CHECK(fstat(fd[i], &st) == 0 && st.st_nlink == 0);
		memset(got, 0, sizeof(got));
		CHECK(pread(fd[i], got, sizeof(got), 0) ==
		      (ssize_t)strlen(name) && !strcmp(got, name));
		CHECK(pwrite(fd[i], "still", 5, 0) == 5);
		CHECK(ftruncate(fd[i], 5) == 0);
		CHECK(pread(fd[i], got, sizeof(got), 0) == 5 &&
		      !memcmp(got, "still", 5));
		CHECK(close(fd[i]) == 0);
	}
}

/* A working directory that is moved, and taken away, by the other mount. */
static void cwd(char **arg)
{
	char buf[PATH_MAX], want[PATH_MAX];
	struct stat st;

	CHECK(mkdirat(top[0], "one", 0755) == 0);
	CHECK(mkdirat(top[0], "one/two", 0755) == 0);
	CHECK(chdir(path_of[0]) == 0 && chdir("one/two") == 0);
	CHECK(getcwd(buf, sizeof(buf)));
	CHECK(fchmodat(top[1], "one/two", 0700, 0) == 0);
	CHECK(fchmodat(top[1], "one", 0700, 0) == 0);
	snprintf(want, sizeof(want), "%s/one/two", path_of[0]);
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, want));
	CHECK(stat(".", &st) == 0 && (st.st_mode & 0777) == 0700);

	CHECK(renameat(top[1], "one", top[1], "three") == 0);
	/* whoever looks for the new name brings the directory there */
	CHECK(is_there(0, "three/two") && !is_there(0, "one"));
	snprintf(want, sizeof(want), "%s/three/two", path_of[0]);
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, want));
	make(1, "three/two/file", "seen from there");
	CHECK(access("file", R_OK) == 0 && access("../two/file", R_OK) == 0);
	CHECK(unlinkat(top[1], "three/two/file", 0) == 0);
	CHECK(access("file", R_OK) == -1 && errno == ENOENT);

	CHECK(unlinkat(top[1], "three/two", AT_REMOVEDIR) == 0);
	FAILS(openat(AT_FDCWD, "new", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK(!is_there(0, "three/two"));
	CHECK(chdir("/") == 0);
}

static const struct command commands[] = {
	{ "names", 2, names },
	{ "replaced", 2, replaced },
	{ "directories", 2, directories },
	{ "symlinks", 2, symlinks },
	{ "attributes", 2, attributes },
	{ "rights", 2, rights },
	{ "xattrs", 2, xattrs },
	{ "data", 2, data },
	{ "append", 2, append },
	{ "truncation", 2, truncation },
	{ "mapping", 2, mapping },
	{ "stores", 2, stores },
	{ "open_unlinked", 2, open_unlinked },
	{ "cwd", 2, cwd },
	{ 0 },
};

int main(int argc, char **argv)
{
	int m;

	umask(0);
	for (m = 0; argc == 4 && m < 2; m++) {
		path_of[m] = argv[2 + m];
		top[m] = open(path_of[m], O_RDONLY | O_DIRECTORY);
		CHECK(top[m] >= 0);
	}
	return run_command(commands, argv);
}

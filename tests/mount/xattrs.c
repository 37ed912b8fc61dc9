/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extended attributes: sizes, names, callers and kinds of files, the right ones
 * and the wrong ones.
 *
 *	xattrs DIR TEST
 *
 * DIR is a directory of the mount that everybody may write to, TEST one of the
 * names at the end.  Run as root.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

#define POISON 0xa5
#define VALUE_MAX 65535
#define NR_MANY 300

static unsigned char val[VALUE_MAX + 2], buf[2 * VALUE_MAX];

static bool all(const void *p, int byte, size_t len)
{
	const unsigned char *c = p;
	size_t i;

	for (i = 0; i < len && c[i] == byte; i++)
		;
	return i == len;
}

static void make_file(const char *name)
{
	CHECK(close(open(name, O_CREAT | O_RDWR, 0644)) == 0);
}

static void as_user(void)
{
	CHECK(setresgid(65534, 65534, 65534) == 0);
	CHECK(setresuid(65534, 65534, 65534) == 0);
}

/* Runs it in a process of its own. */
static void child(void (*fn)(void))
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		fn();
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* ---- sizes ------------------------------------------------------------------ */

/* Values of all sizes come back whole, and nothing else with them. */
static void test_values(void)
{
	static const int lens[] = {
		0, 1, 15, 3000, 3900, 4000, 4096, 8192, 65000, 65534,
		VALUE_MAX,
	};
	size_t i, k;
	int len;

	make_file("values");
	for (i = 0; i < sizeof(val); i++)
		val[i] = i * 7 + (i >> 8);
	for (i = 0; i < 2 * sizeof(lens) / sizeof(lens[0]); i++) {
		/* there and back, so that they grow and shrink */
		k = i < sizeof(lens) / sizeof(lens[0]) ? i :
		    2 * sizeof(lens) / sizeof(lens[0]) - 1 - i;
		len = lens[k];
		CHECK(setxattr("values", "user.v", val, len, 0) == 0);
		CHECK(getxattr("values", "user.v", NULL, 0) == len);
		memset(buf, POISON, sizeof(buf));
		CHECK(getxattr("values", "user.v", buf, sizeof(buf)) == len);
		CHECK(!memcmp(buf, val, len));
		CHECK(all(buf + len, POISON, sizeof(buf) - len));
		if (!len)
			continue;
		memset(buf, POISON, sizeof(buf));
		CHECK(getxattr("values", "user.v", buf, len) == len);
		CHECK(all(buf + len, POISON, sizeof(buf) - len));
		if (len == 1)
			continue;
		memset(buf, POISON, sizeof(buf));
		FAILS(getxattr("values", "user.v", buf, len - 1), ERANGE);
		CHECK(all(buf, POISON, sizeof(buf)));
	}
	FAILS(setxattr("values", "user.v", val, VALUE_MAX + 1, 0), E2BIG);
	FAILS(setxattr("values", "user.v", val, VALUE_MAX + 2, 0), E2BIG);
	CHECK(getxattr("values", "user.v", NULL, 0) == 0);
}

static void test_names(void)
{
	char name[300];

	make_file("names");
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[255] = '\0';
	CHECK(setxattr("names", name, "v", 1, 0) == 0);
	CHECK(getxattr("names", name, buf, 1) == 1);
	CHECK(listxattr("names", NULL, 0) == 256);
	memset(buf, POISON, sizeof(buf));
	FAILS(listxattr("names", (char *)buf, 255), ERANGE);
	CHECK(all(buf, POISON, 255));
	CHECK(listxattr("names", (char *)buf, sizeof(buf)) == 256);
	CHECK(!strcmp((char *)buf, name));
	CHECK(all(buf + 256, POISON, sizeof(buf) - 256));
	CHECK(removexattr("names", name) == 0);
	CHECK(listxattr("names", NULL, 0) == 0);
	CHECK(listxattr("names", (char *)buf, 10) == 0);
	name[255] = 'n';
	name[256] = '\0';
	FAILS(setxattr("names", name, "v", 1, 0), ERANGE);
	FAILS(getxattr("names", name, buf, 1), ERANGE);
	FAILS(removexattr("names", name), ERANGE);

	FAILS(setxattr("names", "", "v", 1, 0), ERANGE);
	FAILS(setxattr("names", "user.", "v", 1, 0), EINVAL);
	FAILS(setxattr("names", "trusted.", "v", 1, 0), EINVAL);
	FAILS(setxattr("names", "user", "v", 1, 0), EOPNOTSUPP);
	FAILS(setxattr("names", "other.name", "v", 1, 0), EOPNOTSUPP);
	FAILS(getxattr("names", "other.name", buf, 1), EOPNOTSUPP);
	FAILS(removexattr("names", "other.name"), EOPNOTSUPP);
	FAILS(setxattr("names", "system.other", "v", 1, 0), EOPNOTSUPP);
	FAILS(setxattr("names", "user.n", "v", 1, 4), EINVAL);
	FAILS(setxattr("names", "user.n", "v", 1, 3), EINVAL);
	CHECK(listxattr("names", NULL, 0) == 0);
}

/* More names than one call can give. */
static void test_many(void)
{
	char name[256];
	ssize_t len;
	int i;

	make_file("many");
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	for (i = 0; i < NR_MANY; i++) {
		sprintf(name, "user.%04d", i);
		name[9] = 'n';
		CHECK(setxattr("many", name, "v", 1, XATTR_CREATE) == 0);
		if (i == NR_MANY / 2) {
			len = listxattr("many", NULL, 0);
			CHECK(len == (i + 1) * 256);
			CHECK(listxattr("many", (char *)buf, len) == len);
		}
	}
	FAILS(listxattr("many", (char *)buf, sizeof(buf)), E2BIG);
	for (i = 0; i < NR_MANY; i++) {
		sprintf(name, "user.%04d", i);
		name[9] = 'n';
		CHECK(removexattr("many", name) == 0);
	}
	CHECK(listxattr("many", (char *)buf, sizeof(buf)) == 0);
}

static void test_pointers(void)
{
	void *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	void *map;
	int fd;

	CHECK(none != MAP_FAILED);
	make_file("pointers");
	FAILS(setxattr("pointers", none, "v", 1, 0), EFAULT);
	FAILS(setxattr("pointers", "user.a", none, 1, 0), EFAULT);
	CHECK(setxattr("pointers", "user.a", none, 0, 0) == 0);
	CHECK(setxattr("pointers", "user.a", val, 5000, 0) == 0);
	FAILS(getxattr("pointers", "user.a", none, 5000), EFAULT);
	FAILS(listxattr("pointers", none, 4096), EFAULT);
	FAILS(removexattr("pointers", none), EFAULT);
	CHECK(getxattr("pointers", "user.a", NULL, 0) == 5000);

	/* to and from the contents of the file itself */
	fd = open("pointers", O_RDWR);
	CHECK(fd >= 0 && ftruncate(fd, 16384) == 0);
	map = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		/* a daemon on an older kernel */
		CHECK(errno == ENODEV);
	} else {
		CHECK(fgetxattr(fd, "user.a", map + 100, 8000) == 5000);
		CHECK(!memcmp(map + 100, val, 5000));
		CHECK(fsetxattr(fd, "user.b", map + 50, 7000, 0) == 0);
		CHECK(fgetxattr(fd, "user.b", buf, 7000) == 7000);
		CHECK(!memcmp(buf + 50, val, 5000));
		CHECK(flistxattr(fd, map + 8000, 8192) == 14);
	}
	close(fd);
}

/* ---- callers and kinds of files ------------------------------------------------ */

/*
 * Who may change security.* is decided above all filesystems.  Linux before
 * 6.10 with the BPF security module lets everybody, also here in memory.
 */
static bool all_may_change_security(void)
{
	int fd = memfd_create("probe", 0);
	bool ret;

	CHECK(fd >= 0);
	ret = fsetxattr(fd, "security.probe", "v", 1, 0) == 0;
	close(fd);
	return ret;
}

static void user_part(void)
{
	as_user();
	/* it is not there, for those who may not know */
	FAILS(getxattr("callers", "trusted.t", buf, 10), ENODATA);
	FAILS(setxattr("callers", "trusted.t", "v", 1, 0), EPERM);
	FAILS(removexattr("callers", "trusted.t"), EPERM);
	/* these are, but others may not change them */
	CHECK(getxattr("callers", "security.s", buf, 10) == 1);
	if (!all_may_change_security()) {
		FAILS(setxattr("callers", "security.s", "v", 1, 0), EPERM);
		FAILS(removexattr("callers", "security.s"), EPERM);
	}
	CHECK(getxattr("callers", "user.u", buf, 10) == 1);
	FAILS(setxattr("callers", "user.u", "v", 1, 0), EACCES);
	FAILS(removexattr("callers", "user.u"), EACCES);
	CHECK(listxattr("callers", (char *)buf, 1000) ==
	      sizeof("security.s") + sizeof("user.u"));
	CHECK(!memmem(buf, 1000, "trusted", 7));
	FAILS(getxattr("closed", "user.u", buf, 10), EACCES);
	/* a directory that all may write, but with the sticky bit */
	FAILS(setxattr("sticky", "user.u", "v", 1, 0), EPERM);
	CHECK(setxattr("open", "user.u", "v", 1, 0) == 0);
}

/* All capabilities, but in a namespace that is not the mount's. */
static void namespace_part(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return;
	FAILS(getxattr("callers", "trusted.t", buf, 10), ENODATA);
	FAILS(setxattr("callers", "trusted.t", "v", 1, 0), EPERM);
	memset(buf, 0, sizeof(buf));
	CHECK(listxattr("callers", (char *)buf, 1000) > 0);
	CHECK(!memmem(buf, 1000, "trusted", 7));
}

/* What test_callers() has made. */
static void test_stay(void)
{
	CHECK(getxattr("callers", "trusted.t", buf, 10) == 1 && buf[0] == '1');
	CHECK(getxattr("callers", "security.s", buf, 10) == 1 && buf[0] == '2');
	CHECK(getxattr("callers", "user.u", buf, 10) == 1 && buf[0] == '3');
}

static void test_callers(void)
{
	make_file("callers");
	CHECK(setxattr("callers", "trusted.t", "1", 1, 0) == 0);
	CHECK(setxattr("callers", "security.s", "2", 1, 0) == 0);
	CHECK(setxattr("callers", "user.u", "3", 1, 0) == 0);
	make_file("closed");
	CHECK(setxattr("closed", "user.u", "3", 1, 0) == 0);
	CHECK(chmod("closed", 0600) == 0);
	CHECK(mkdir("sticky", 0700) == 0 && chmod("sticky", 01777) == 0);
	CHECK(mkdir("open", 0700) == 0 && chmod("open", 0777) == 0);
	child(user_part);
	child(namespace_part);
	test_stay();
}

static void test_kinds(void)
{
	static const char *const kinds[] = { "fifo", "symlink", "null" };
	size_t i;

	CHECK(mkfifo("fifo", 0666) == 0);
	CHECK(symlink("nowhere", "symlink") == 0);
	CHECK(mknod("null", S_IFCHR | 0666, 0x103) == 0);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		FAILS(lsetxattr(kinds[i], "user.u", "v", 1, 0), EPERM);
		FAILS(lgetxattr(kinds[i], "user.u", buf, 1), ENODATA);
		CHECK(lsetxattr(kinds[i], "trusted.t", "v", 1, 0) == 0);
		CHECK(lgetxattr(kinds[i], "trusted.t", buf, 1) == 1);
		CHECK(llistxattr(kinds[i], (char *)buf, 100) ==
		      sizeof("trusted.t"));
		CHECK(lremovexattr(kinds[i], "trusted.t") == 0);
	}
}

/* ---- what goes with them --------------------------------------------------------- */

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static void test_times(void)
{
	struct stat a, b, c;

	make_file("times");
	CHECK(stat("times", &a) == 0);
	usleep(20000);
	CHECK(setxattr("times", "user.u", "v", 1, 0) == 0);
	CHECK(stat("times", &b) == 0);
	CHECK(later(&b.st_ctim, &a.st_ctim));
	CHECK(!memcmp(&a.st_mtim, &b.st_mtim, sizeof(a.st_mtim)));
	usleep(20000);
	CHECK(removexattr("times", "user.u") == 0);
	CHECK(stat("times", &c) == 0);
	CHECK(later(&c.st_ctim, &b.st_ctim));
	CHECK(!memcmp(&a.st_mtim, &c.st_mtim, sizeof(a.st_mtim)));
	/* nothing happened, nothing changes */
	usleep(20000);
	FAILS(removexattr("times", "user.u"), ENODATA);
	CHECK(getxattr("times", "user.v", buf, 1) == -1);
	CHECK(stat("times", &a) == 0);
	CHECK(!memcmp(&a.st_ctim, &c.st_ctim, sizeof(a.st_ctim)));
}

static void write_as_user(void)
{
	int fd;

	as_user();
	fd = open("caps", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

/* A write takes the capabilities of a program away, each time it gets some. */
static void test_capability(void)
{
	/* revision 2, cap_net_raw, effective */
	static const uint32_t cap[5] = { 0x02000001, 1 << 13, 0, 0, 0 };
	int i;

	make_file("caps");
	CHECK(chmod("caps", 0777) == 0);
	for (i = 0; i < 3; i++) {
		child(write_as_user);
		CHECK(setxattr("caps", "security.capability", cap, sizeof(cap),
			       0) == 0);
		CHECK(getxattr("caps", "security.capability", buf, 100) ==
		      sizeof(cap));
		CHECK(!memcmp(buf, cap, sizeof(cap)));
		child(write_as_user);
		FAILS(getxattr("caps", "security.capability", buf, 100),
		      ENODATA);
		child(write_as_user);
	}
	CHECK(setxattr("caps", "security.capability", cap, sizeof(cap), 0) ==
	      0);
	CHECK(truncate("caps", 0) == 0);
	FAILS(getxattr("caps", "security.capability", buf, 100), ENODATA);
	CHECK(setxattr("caps", "security.capability", cap, sizeof(cap), 0) ==
	      0);
	CHECK(chown("caps", 65534, 65534) == 0);
	FAILS(getxattr("caps", "security.capability", buf, 100), ENODATA);
	/* one that is none */
	FAILS(setxattr("caps", "security.capability", "x", 1, 0), EINVAL);
}

static const struct {
	const char *name;
	void (*fn)(void);
} tests[] = {
	{ "values", test_values },
	{ "names", test_names },
	{ "many", test_many },
	{ "pointers", test_pointers },
	{ "callers", test_callers },
	{ "stay", test_stay },
	{ "kinds", test_kinds },
	{ "times", test_times },
	{ "capability", test_capability },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc == 3) {
		CHECK(chdir(argv[1]) == 0);
		for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
			if (!strcmp(tests[i].name, argv[2])) {
				tests[i].fn();
				return 0;
			}
		}
	}
	fprintf(stderr, "usage: xattrs DIR TEST\n");
	return 2;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Input of ioctls that nobody should give: pointers, sizes, callers, files.
 *
 *	ioctl_input DIR TEST
 *
 * DIR is a directory of the mount, TEST one of the names at the end.  Run as
 * root.  Memory that is given for answers is filled before and looked at
 * afterwards: what belongs to the answer is all assigned, and nothing else has
 * changed.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "scoutfs/ioctl.h"

#define PAGE 4096
#define POISON 0xa5
/* more than the hosts copy at a time */
#define NR_FILES 2600

typedef struct scoutfs_ioctl_walk_inodes_entry entry_t;
typedef struct scoutfs_ioctl_ino_path_result path_result_t;

/* Those that a host serves, with a structure that makes them succeed. */
static const struct {
	unsigned long cmd;
	bool reads;		/* its structure */
} served[] = {
	{ SCOUTFS_IOC_WALK_INODES, true },
	{ SCOUTFS_IOC_INO_PATH, true },
	{ SCOUTFS_IOC_ALLOC_DETAIL, true },
	{ SCOUTFS_IOC_STAT_MORE, false },
	{ SCOUTFS_IOC_STATFS_MORE, false },
};

#define NR_SERVED (sizeof(served) / sizeof(served[0]))

static const unsigned long later[] = {
	SCOUTFS_IOC_RELEASE, SCOUTFS_IOC_STAGE, SCOUTFS_IOC_DATA_WAITING,
	SCOUTFS_IOC_SETATTR_MORE, SCOUTFS_IOC_LISTXATTR_HIDDEN,
	SCOUTFS_IOC_SEARCH_XATTRS, SCOUTFS_IOC_DATA_WAIT_ERR,
	SCOUTFS_IOC_MOVE_BLOCKS, SCOUTFS_IOC_RESIZE_DEVICES,
	SCOUTFS_IOC_READ_XATTR_TOTALS, SCOUTFS_IOC_GET_ALLOCATED_INOS,
	SCOUTFS_IOC_GET_REFERRING_ENTRIES, SCOUTFS_IOC_GET_ATTR_X,
	SCOUTFS_IOC_SET_ATTR_X, SCOUTFS_IOC_GET_QUOTA_RULES,
	SCOUTFS_IOC_ADD_QUOTA_RULE, SCOUTFS_IOC_DEL_QUOTA_RULE,
	SCOUTFS_IOC_READ_XATTR_INDEX, SCOUTFS_IOC_PUNCH_OFFLINE,
	SCOUTFS_IOC_INJECT_TOTL_DELTA, SCOUTFS_IOC_RAW_READ_META_SEQ,
	SCOUTFS_IOC_RAW_READ_META_SEQ_24, SCOUTFS_IOC_RAW_READ_INODE_INFO,
};

#define NR_LATER (sizeof(later) / sizeof(later[0]))

/* Not even aligned ones of them are memory of a process. */
static const uint64_t nowhere[] = {
	0, 1, 8, 0x00007ffffffff000ULL, 0x0000800000000000ULL,
	0x8000000000000000ULL, 0xffff800000000000ULL, 0xffff888000100000ULL,
	0xffffffff81000000ULL, 0xffffffffff600000ULL, 0xfffffffffffff000ULL,
	~0ULL - 7, ~0ULL,
};

#define NR_NOWHERE (sizeof(nowhere) / sizeof(nowhere[0]))

static void *pages(size_t nr, int prot)
{
	void *map = mmap(NULL, nr * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	CHECK(map != MAP_FAILED);
	return map;
}

static bool all(const void *buf, int byte, size_t len)
{
	const unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len && p[i] == byte; i++)
		;
	return i == len;
}

/* The structure of a command, for answers in @out. */
static void args_for(unsigned long cmd, void *args, void *out, uint64_t ino)
{
	struct scoutfs_ioctl_walk_inodes *wi = args;
	struct scoutfs_ioctl_alloc_detail *ad = args;
	struct scoutfs_ioctl_ino_path *ip = args;

	memset(args, POISON, _IOC_SIZE(cmd));
	switch (cmd) {
	case SCOUTFS_IOC_WALK_INODES:
		wi->first = (entry_t){ 0 };
		/* what is not looked at */
		memset(wi->first._pad, 0xff, sizeof(wi->first._pad));
		memset(&wi->last, 0xff, sizeof(wi->last));
		wi->entries_ptr = (uintptr_t)out;
		wi->nr_entries = 5;
		wi->index = SCOUTFS_IOC_WALK_INODES_META_SEQ;
		break;
	case SCOUTFS_IOC_ALLOC_DETAIL:
		ad->entries_ptr = (uintptr_t)out;
		ad->entries_nr = 1000;
		break;
	case SCOUTFS_IOC_INO_PATH:
		ip->ino = ino;
		ip->dir_ino = 0;
		ip->dir_pos = 0;
		ip->result_ptr = (uintptr_t)out;
		ip->result_bytes = 65535;
		break;
	}
}

static uint64_t make_file(int dir, const char *name, int *ret_fd)
{
	struct stat st;
	int fd;

	fd = openat(dir, name, O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return st.st_ino;
}

/* Runs it in a process of its own. */
static int child(void (*fn)(int dir, uint64_t ino), int dir, uint64_t ino)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		fn(dir, ino);
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

/* ---- structures ----------------------------------------------------------- */

/* Anywhere but in memory; up to the last byte of it; a byte too far. */
static void test_structures(int dir)
{
	uint64_t ino = make_file(dir, "structures", NULL);
	char *map = pages(2, PROT_READ | PROT_WRITE);
	char *out = pages(32, PROT_READ | PROT_WRITE);
	size_t i, k, size;
	char *args;
	int ret;

	CHECK(munmap(map + PAGE, PAGE) == 0);
	for (i = 0; i < NR_SERVED; i++) {
		size = _IOC_SIZE(served[i].cmd);
		for (k = 0; k < NR_NOWHERE; k++)
			FAILS(ioctl(dir, served[i].cmd, nowhere[k]), EFAULT);
		for (k = 1; k <= size; k += 7) {
			args = map + PAGE - size + k;
			memset(map, POISON, PAGE);
			FAILS(ioctl(dir, served[i].cmd, args), EFAULT);
		}
		args = map + PAGE - size;
		memset(map, POISON, PAGE);
		args_for(served[i].cmd, args, out, ino);
		ret = ioctl(dir, served[i].cmd, args);
		CHECK(ret >= 0);
		CHECK(all(map, POISON, PAGE - size));

		/* read-only memory does for what is only read */
		CHECK(mprotect(map, PAGE, PROT_READ) == 0);
		if (served[i].reads)
			CHECK(ioctl(dir, served[i].cmd, args) == ret);
		else
			FAILS(ioctl(dir, served[i].cmd, args), EFAULT);
		/* and it needs no alignment */
		CHECK(mprotect(map, PAGE, PROT_READ | PROT_WRITE) == 0);
		memmove(args - 3, args, size);
		CHECK(ioctl(dir, served[i].cmd, args - 3) == ret);
		CHECK(mprotect(map, PAGE, PROT_NONE) == 0);
		FAILS(ioctl(dir, served[i].cmd, args), EFAULT);
		CHECK(mprotect(map, PAGE, PROT_READ | PROT_WRITE) == 0);
	}
}

/* Every value of the sizes of walks, details and paths. */
static void test_results(int dir)
{
	uint64_t ino = make_file(dir, "results", NULL);
	unsigned char *out = pages(32, PROT_READ | PROT_WRITE);
	struct scoutfs_ioctl_alloc_detail ad;
	struct scoutfs_ioctl_walk_inodes wi;
	struct scoutfs_ioctl_ino_path ip;
	path_result_t *res = (void *)(out + PAGE);
	const size_t len = 32 * PAGE;
	size_t size, i;
	int nr;

	/* a walk stores what it returns */
	for (i = 0; i <= 5; i++) {
		memset(out, POISON, len);
		args_for(SCOUTFS_IOC_WALK_INODES, &wi, out + PAGE, ino);
		wi.nr_entries = i;
		nr = ioctl(dir, SCOUTFS_IOC_WALK_INODES, &wi);
		CHECK(nr >= 0 && nr <= (int)i);
		CHECK(all(out, POISON, PAGE));
		size = nr * sizeof(entry_t);
		CHECK(all(out + PAGE + size, POISON, len - PAGE - size));
		while (nr-- > 0)
			CHECK(all(out + PAGE + nr * sizeof(entry_t) + 16, 0, 8));
	}
	/* nothing at all when it fails, for any index there is not */
	memset(out, POISON, len);
	for (i = 2; i < 256; i++) {
		args_for(SCOUTFS_IOC_WALK_INODES, &wi, out, ino);
		wi.index = i;
		FAILS(ioctl(dir, SCOUTFS_IOC_WALK_INODES, &wi), EINVAL);
	}
	/* an empty range, and one at the very end */
	args_for(SCOUTFS_IOC_WALK_INODES, &wi, out, ino);
	wi.first = wi.last;
	CHECK(ioctl(dir, SCOUTFS_IOC_WALK_INODES, &wi) == 0);
	memset(&wi.first, 0, sizeof(wi.first));
	wi.last = wi.first;
	nr = ioctl(dir, SCOUTFS_IOC_WALK_INODES, &wi);
	CHECK(nr == 0);
	CHECK(all(out, POISON, len));

	/* details */
	args_for(SCOUTFS_IOC_ALLOC_DETAIL, &ad, out, ino);
	nr = ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad);
	CHECK(nr > 0);
	size = nr * sizeof(struct scoutfs_ioctl_alloc_detail_entry);
	CHECK(all(out + size, POISON, len - size));
	memset(out, POISON, len);
	for (i = 0; i < (size_t)nr; i++) {
		ad.entries_nr = i;
		FAILS(ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad), EOVERFLOW);
	}
	CHECK(all(out, POISON, len));
	/* a number whose product with the size of an entry wraps */
	ad.entries_nr = 0xaaaaaaaaaaaaaabULL + 1;
	CHECK(ioctl(dir, SCOUTFS_IOC_ALLOC_DETAIL, &ad) == nr);
	CHECK(all(out + size, POISON, len - size));

	/* paths: room for one byte less than needed, just enough, and more */
	memset(out, POISON, len);
	args_for(SCOUTFS_IOC_INO_PATH, &ip, res, ino);
	CHECK(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip) == 0);
	size = sizeof(*res) + res->path_bytes;
	CHECK(res->path_bytes == strlen((char *)res->path) + 1);
	CHECK(all(res->_pad, 0, sizeof(res->_pad)));
	CHECK(all(out, POISON, PAGE));
	CHECK(all(out + PAGE + size, POISON, len - PAGE - size));
	memset(out, POISON, len);
	for (i = 0; i < size; i++) {
		ip.result_bytes = i;
		FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENAMETOOLONG);
	}
	CHECK(all(out, POISON, len));
	ip.result_bytes = size;
	CHECK(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip) == 0);
	CHECK(all(out + PAGE + size, POISON, len - PAGE - size));

	/* inodes that are not there, cursors behind everything */
	memset(out, POISON, len);
	args_for(SCOUTFS_IOC_INO_PATH, &ip, res, 0);
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENOENT);
	ip.ino = ~0ULL;
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENOENT);
	ip.ino = 1ULL << 63;
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENOENT);
	ip.ino = ino;
	ip.dir_ino = ~0ULL;
	ip.dir_pos = ~0ULL;
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, &ip), ENOENT);
	CHECK(all(out, POISON, len));
}

/* Places of answers that are not there; the parts of large ones. */
static void test_pointers(int dir)
{
	uint64_t ino = make_file(dir, "pointers", NULL);
	const size_t bytes = NR_FILES * sizeof(entry_t);
	const size_t nr_pages = bytes / PAGE + 2;
	struct scoutfs_ioctl_walk_inodes wi;
	char args[128], name[32];
	char *map, *end;
	size_t i, k;
	int nr;

	for (i = 0; i < NR_SERVED; i++) {
		if (!served[i].reads)
			continue;
		for (k = 0; k < NR_NOWHERE; k++) {
			args_for(served[i].cmd, args,
				 (void *)(uintptr_t)nowhere[k], ino);
			FAILS(ioctl(dir, served[i].cmd, args), EFAULT);
		}
		map = pages(1, PROT_READ);
		args_for(served[i].cmd, args, map, ino);
		FAILS(ioctl(dir, served[i].cmd, args), EFAULT);
		CHECK(all(map, 0, PAGE));
		CHECK(mprotect(map, PAGE, PROT_EXEC) == 0);
		FAILS(ioctl(dir, served[i].cmd, args), EFAULT);
		CHECK(munmap(map, PAGE) == 0);
	}

	for (i = 0; i < NR_FILES; i++) {
		snprintf(name, sizeof(name), "file%zu", i);
		make_file(dir, name, NULL);
	}
	map = pages(nr_pages, PROT_READ | PROT_WRITE);
	end = map + nr_pages * PAGE;
	args_for(SCOUTFS_IOC_WALK_INODES, &wi, map, ino);
	/* more than there is memory: what counts is what is stored */
	wi.nr_entries = ~0U;
	wi.entries_ptr = (uintptr_t)(end - bytes);
	wi.last = (entry_t){ .major = ~0ULL, .ino = ~0ULL };
	wi.last.major = 1;
	nr = ioctl(dir, SCOUTFS_IOC_WALK_INODES, &wi);
	CHECK(nr >= 0 && nr < NR_FILES);
	wi.last.major = ~0ULL;
	/* what was stored before the memory ended is the answer */
	CHECK(mprotect(end - PAGE, PAGE, PROT_NONE) == 0);
	wi.nr_entries = NR_FILES;
	nr = ioctl(dir, SCOUTFS_IOC_WALK_INODES, &wi);
	CHECK(nr > 0 && nr < NR_FILES);
	CHECK(((entry_t *)(end - bytes))[nr - 1].ino != 0);
	/* none of it when nothing could be stored */
	wi.entries_ptr = (uintptr_t)(end - PAGE - 30);
	FAILS(ioctl(dir, SCOUTFS_IOC_WALK_INODES, &wi), EFAULT);
}

/* ---- callers --------------------------------------------------------------- */

static void drop_cap(int cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	CHECK(syscall(SYS_capget, &head, data) == 0);
	data[cap / 32].effective &= ~(1U << cap % 32);
	CHECK(syscall(SYS_capset, &head, data) == 0);
}

static void no_path_but_all_else(int dir, uint64_t ino)
{
	char *out = pages(32, PROT_READ | PROT_WRITE);
	char args[128];
	size_t i;

	memset(out, POISON, 32 * PAGE);
	args_for(SCOUTFS_IOC_INO_PATH, args, out, ino);
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, args), EPERM);
	/* also where something else is wrong with it */
	args_for(SCOUTFS_IOC_INO_PATH, args, NULL, 0);
	FAILS(ioctl(dir, SCOUTFS_IOC_INO_PATH, args), EPERM);
	CHECK(all(out, POISON, 32 * PAGE));
	for (i = 0; i < NR_SERVED; i++) {
		if (served[i].cmd == SCOUTFS_IOC_INO_PATH)
			continue;
		args_for(served[i].cmd, args, out, ino);
		CHECK(ioctl(dir, served[i].cmd, args) >= 0);
	}
}

static void as_user(int dir, uint64_t ino)
{
	CHECK(setresgid(65534, 65534, 65534) == 0);
	CHECK(setresuid(65534, 65534, 65534) == 0);
	no_path_but_all_else(dir, ino);
}

static void without_cap(int dir, uint64_t ino)
{
	drop_cap(CAP_DAC_READ_SEARCH);
	no_path_but_all_else(dir, ino);
}

/* All capabilities, but in a namespace that is not the mount's. */
static void in_namespace(int dir, uint64_t ino)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return;
	no_path_but_all_else(dir, ino);
}

static void test_callers(int dir)
{
	uint64_t ino = make_file(dir, "callers", NULL);

	CHECK(child(as_user, dir, ino) == 0);
	CHECK(child(without_cap, dir, ino) == 0);
	CHECK(child(in_namespace, dir, ino) == 0);
}

/* The entry of 32-bit processes: none of the commands is there. */
static void through_compat(int dir, uint64_t ino)
{
#ifdef __x86_64__
	char *low = mmap(NULL, 33 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	size_t i;
	int ret;

	CHECK(low != MAP_FAILED);
	for (i = 0; i < NR_SERVED + NR_LATER; i++) {
		unsigned long cmd = i < NR_SERVED ? served[i].cmd :
				    later[i - NR_SERVED];

		memset(low, POISON, 33 * PAGE);
		args_for(cmd, low, low + PAGE, ino);
		/* ioctl is call 54 there */
		__asm__ volatile("int $0x80" : "=a" (ret) :
				 "a" (54), "b" (dir), "c" (cmd), "d" (low) :
				 "memory", "r8", "r9", "r10", "r11");
		CHECK(ret == -ENOTTY);
		CHECK(all(low + PAGE, POISON, 32 * PAGE));
	}
#else
	(void)dir;
	(void)ino;
#endif
}

static void test_compat(int dir)
{
	uint64_t ino = make_file(dir, "compat", NULL);
	int status = child(through_compat, dir, ino);

	/* a kernel without that entry says so with a signal */
	CHECK(status == 0 ||
	      (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

/* ---- files ------------------------------------------------------------------- */

static void none_served(int fd, int err)
{
	char args[128], out[64 * 1024];
	size_t i;

	for (i = 0; i < NR_SERVED; i++) {
		args_for(served[i].cmd, args, out, 1);
		FAILS(ioctl(fd, served[i].cmd, args), err);
	}
	FAILS(ioctl(fd, SCOUTFS_IOC_INLINE, out), err);
}

/* Only regular files and directories answer, however they are open. */
static void test_files(int dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char args[128], out[64 * 1024];
	uint64_t ino;
	int fd, sock;
	size_t i;

	CHECK(mkfifoat(dir, "fifo", 0600) == 0);
	fd = openat(dir, "fifo", O_RDWR);
	CHECK(fd >= 0);
	none_served(fd, ENOTTY);
	close(fd);

	CHECK(mknodat(dir, "null", S_IFCHR | 0600, makedev(1, 3)) == 0);
	fd = openat(dir, "null", O_RDWR);
	if (fd >= 0) {
		none_served(fd, ENOTTY);
		close(fd);
	} else {
		/* a mount without devices */
		CHECK(errno == EACCES);
	}

	CHECK(fchdir(dir) == 0);
	strcpy(addr.sun_path, "socket");
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(sock, (void *)&addr, sizeof(addr)) == 0);
	none_served(sock, ENOTTY);
	close(sock);
	FAILS(openat(dir, "socket", O_RDWR), ENXIO);

	CHECK(symlinkat("files", dir, "symlink") == 0);
	fd = openat(dir, "symlink", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0);
	none_served(fd, EBADF);
	close(fd);
	fd = openat(dir, ".", O_PATH);
	none_served(fd, EBADF);
	close(fd);

	/* any other will do */
	ino = make_file(dir, "files", NULL);
	fd = openat(dir, "files", O_WRONLY);
	CHECK(fd >= 0);
	/* also without a name */
	CHECK(unlinkat(dir, "null", 0) == 0);
	for (i = 0; i < NR_SERVED; i++) {
		args_for(served[i].cmd, args, out, ino);
		CHECK(ioctl(fd, served[i].cmd, args) >= 0);
	}
	CHECK(unlinkat(dir, "files", 0) == 0);
	for (i = 0; i < NR_SERVED; i++) {
		args_for(served[i].cmd, args, out, ino);
		if (served[i].cmd == SCOUTFS_IOC_INO_PATH)
			FAILS(ioctl(fd, served[i].cmd, args), ENOENT);
		else
			CHECK(ioctl(fd, served[i].cmd, args) >= 0);
	}
	close(fd);
}

/* What is not served; the kernel's own questions are not in the way. */
static void test_unknown(int dir)
{
	static const unsigned int sizes[] = { 0, 1, 8, 55, 56, 57, 72, 16383 };
	char *buf = pages(8, PROT_READ | PROT_WRITE);
	unsigned int number, direction;
	size_t i, k;

	memset(buf, POISON, 8 * PAGE);
	for (i = 0; i < NR_LATER; i++)
		FAILS(ioctl(dir, later[i], buf), ENOTTY);
	for (number = 0; number < 256; number += number < 70 ? 1 : 37) {
		for (direction = 0; direction < 4; direction++) {
			for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
				unsigned int cmd = _IOC(direction,
							SCOUTFS_IOCTL_MAGIC,
							number, sizes[i]);

				for (k = 0; k < NR_SERVED; k++)
					if (served[k].cmd == cmd)
						break;
				if (k == NR_SERVED)
					FAILS(ioctl(dir, cmd, buf), ENOTTY);
			}
		}
	}
	CHECK(all(buf, POISON, 8 * PAGE));
}

/* ---- memory that is a file of this mount ------------------------------------- */

/* The structure, the answer, or both are in the file that is asked. */
static void test_own_file(int dir)
{
	const size_t len = 64 * PAGE;
	struct scoutfs_ioctl_stat_more *sm;
	uint64_t ino;
	size_t i;
	char *map, *args;
	int fd, round;

	ino = make_file(dir, "own_file", &fd);
	CHECK(ftruncate(fd, len) == 0);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		/* a daemon on an older kernel */
		CHECK(errno == ENODEV);
		close(fd);
		return;
	}
	/* first in a hole, then in dirty pages, then in clean ones */
	for (round = 0; round < 3; round++) {
		for (i = 0; i < NR_SERVED; i++) {
			args = map + (round * NR_SERVED + i) * 2 * PAGE + PAGE -
			       _IOC_SIZE(served[i].cmd) / 2;
			args_for(served[i].cmd, args, map + 40 * PAGE, ino);
			CHECK(ioctl(fd, served[i].cmd, args) >= 0);
			CHECK(ioctl(fd, served[i].cmd, args) >= 0);
		}
		if (round == 1)
			CHECK(fsync(fd) == 0);
	}
	sm = (void *)map;
	CHECK(ioctl(fd, SCOUTFS_IOC_STAT_MORE, sm) == 0);
	CHECK(sm->data_version > 0 && sm->online_blocks > 0);
	/* behind the end of the file */
	CHECK(ftruncate(fd, 41 * PAGE) == 0);
	args_for(SCOUTFS_IOC_INO_PATH, map, map + 42 * PAGE, ino);
	FAILS(ioctl(fd, SCOUTFS_IOC_INO_PATH, map), EFAULT);
	FAILS(ioctl(fd, SCOUTFS_IOC_STATFS_MORE, map + 42 * PAGE), EFAULT);
	CHECK(munmap(map, len) == 0);

	/* read from it, into a private copy of it */
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	for (i = 0; i < NR_SERVED; i++) {
		args_for(served[i].cmd, map, map + PAGE + 17, ino);
		CHECK(ioctl(fd, served[i].cmd, map) >= 0);
	}
	CHECK(munmap(map, len) == 0);
	close(fd);
}

static const struct {
	const char *name;
	void (*fn)(int dir);
} tests[] = {
	{ "structures", test_structures },
	{ "results", test_results },
	{ "pointers", test_pointers },
	{ "callers", test_callers },
	{ "compat", test_compat },
	{ "files", test_files },
	{ "unknown", test_unknown },
	{ "own_file", test_own_file },
};

int main(int argc, char **argv)
{
	size_t i;
	int dir;

	if (argc == 3) {
		dir = open(argv[1], O_RDONLY | O_DIRECTORY);
		CHECK(dir >= 0);
		for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
			if (!strcmp(tests[i].name, argv[2])) {
				tests[i].fn(dir);
				return 0;
			}
		}
	}
	fprintf(stderr, "usage: ioctl_input DIR TEST\n");
	return 2;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contents through mappings, past the page cache and from its holes: what one
 * way of access has to know of the others.
 *
 *	data COMMAND ARGUMENT...
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096

static int new_file(const char *path, int flags)
{
	int fd;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0644);
	CHECK(fd >= 0);
	return fd;
}

static bool all(const unsigned char *buf, size_t len, unsigned char c)
{
	size_t i;

	for (i = 0; i < len && buf[i] == c; i++)
		;
	return i == len;
}

static void put(int fd, unsigned char c, size_t len, off_t off)
{
	unsigned char *buf = aligned_alloc(PAGE, (len + PAGE - 1) / PAGE * PAGE);
	ssize_t n;

	CHECK(buf);
	memset(buf, c, len);
	n = pwrite(fd, buf, len, off);
	if (n != (ssize_t)len)
		fail("pwrite of %zu bytes at %lld: %zd", len, (long long)off,
		     n);
	free(buf);
}

/* All of a range reads as one byte. */
static void expect(int fd, unsigned char c, size_t len, off_t off, int line)
{
	unsigned char *buf = aligned_alloc(PAGE, (len + PAGE - 1) / PAGE * PAGE);
	ssize_t n = pread(fd, buf, len, off);
	size_t i;

	if (n != (ssize_t)len)
		fail("line %d: pread of %zu bytes at %lld: %zd", line, len,
		     (long long)off, n);
	for (i = 0; i < len; i++) {
		if (buf[i] != c)
			fail("line %d: byte %lld is %02x and not %02x", line,
			     (long long)off + i, buf[i], c);
	}
	free(buf);
}

#define EXPECT(fd, c, len, off) expect(fd, c, len, off, __LINE__)

static unsigned char *map_file(int fd, size_t len, int flags)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(map != MAP_FAILED);
	return map;
}

/* ---- mappings ----------------------------------------------------------- */

static sigjmp_buf bus_jump;

static void on_bus(int sig)
{
	siglongjmp(bus_jump, 1);
}

/* Whether an access gets SIGBUS. */
static bool bus(volatile unsigned char *at, bool store)
{
	struct sigaction sa = { .sa_handler = on_bus }, old;
	volatile bool hit = false;

	CHECK(sigaction(SIGBUS, &sa, &old) == 0);
	if (sigsetjmp(bus_jump, 1))
		hit = true;
	else if (store)
		*at = 'b';
	else
		(void)*at;
	CHECK(sigaction(SIGBUS, &old, NULL) == 0);
	return hit;
}

/* mapped FILE: shared writable mappings agree with everything else, at once */
static void cmd_mapped(char **arg)
{
	const size_t len = 64 * PAGE;
	int fd = new_file(arg[0], 0), other = open(arg[0], O_RDWR), status;
	unsigned char *a, *b, *private;

	put(fd, 'o', len, 0);
	a = map_file(fd, len, MAP_SHARED);
	b = map_file(other, len, MAP_SHARED);
	private = map_file(fd, len, MAP_PRIVATE);
	CHECK(all(a, len, 'o') && all(b, len, 'o'));

	/* stores are read, and seen in the other mapping */
	memset(a + 100, 'a', 2 * PAGE);
	EXPECT(other, 'a', 2 * PAGE, 100);
	CHECK(all(b + 100, 2 * PAGE, 'a'));
	/* writes are seen in both; neighbours stay */
	put(other, 'w', PAGE, 300);
	CHECK(all(a + 300, PAGE, 'w') && all(b + 300, PAGE, 'w'));
	CHECK(all(a + 100, 200, 'a'));
	memset(b + 10 * PAGE, 'b', PAGE);
	put(fd, 'c', 10, 10 * PAGE + 50);
	CHECK(all(a + 10 * PAGE, 50, 'b'));
	CHECK(all(a + 10 * PAGE + 60, PAGE - 60, 'b'));
	CHECK(msync(a, len, MS_SYNC) == 0);
	memset(a + 10 * PAGE, 'A', 10);
	EXPECT(fd, 'A', 10, 10 * PAGE);

	/* nobody sees what is stored in a private mapping */
	memset(private + 20 * PAGE, 'p', PAGE);
	EXPECT(fd, 'o', PAGE, 20 * PAGE);
	CHECK(all(a + 20 * PAGE, PAGE, 'o'));

	/* another process stores */
	if (fork() == 0) {
		memset(b + 30 * PAGE, 'f', PAGE);
		_exit(0);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(all(a + 30 * PAGE, PAGE, 'f'));

	/* mappings live on after the descriptors and after the name */
	CHECK(close(fd) == 0);
	CHECK(unlink(arg[0]) == 0);
	memset(b + 40 * PAGE, 'u', PAGE);
	EXPECT(other, 'u', PAGE, 40 * PAGE);
	CHECK(close(other) == 0);
	memset(b + 41 * PAGE, 'v', PAGE);
	CHECK(all(a + 40 * PAGE, PAGE, 'u') && all(a + 41 * PAGE, PAGE, 'v'));
	CHECK(munmap(a, len) == 0 && munmap(b, len) == 0);
	CHECK(munmap(private, len) == 0);
}

/* stored FILE: leaves a file of 64 pages whose letters came by a mapping */
static void cmd_stored(char **arg)
{
	int fd = new_file(arg[0], 0), i;
	unsigned char *map;

	CHECK(ftruncate(fd, 64 * PAGE) == 0);
	map = map_file(fd, 64 * PAGE, MAP_SHARED);
	CHECK(all(map, 64 * PAGE, 0));
	for (i = 0; i < 64; i++)
		memset(map + i * PAGE, 'A' + i, i % 3 ? PAGE : PAGE / 2);
	CHECK(munmap(map, 64 * PAGE) == 0);
	CHECK(close(fd) == 0);
}

/* restored FILE: what "stored" has left */
static void cmd_restored(char **arg)
{
	int fd = open(arg[0], O_RDONLY), i;

	CHECK(fd >= 0);
	for (i = 0; i < 64; i++) {
		EXPECT(fd, 'A' + i, i % 3 ? PAGE : PAGE / 2, i * PAGE);
		if (i % 3 == 0)
			EXPECT(fd, 0, PAGE / 2, i * PAGE + PAGE / 2);
	}
	close(fd);
}

/* bus FILE: SIGBUS behind the end and nowhere else, wherever the end is */
static void cmd_bus(char **arg)
{
	int fd = new_file(arg[0], 0);
	unsigned char *map;

	put(fd, 'd', 5 * PAGE + 100, 0);
	map = map_file(fd, 10 * PAGE, MAP_SHARED);
	CHECK(!bus(map + 5 * PAGE + 99, true));
	/* the rest of the last page is zero, and can be used */
	CHECK(all(map + 5 * PAGE + 100, PAGE - 100, 0));
	CHECK(!bus(map + 6 * PAGE - 1, false));
	CHECK(bus(map + 6 * PAGE, false) && bus(map + 6 * PAGE, true));

	/* shorter: pages that were there are gone, stored to or not */
	memset(map + 3 * PAGE, 's', PAGE);
	CHECK(ftruncate(fd, 2 * PAGE + 7) == 0);
	CHECK(!bus(map + 2 * PAGE, false));
	CHECK(bus(map + 3 * PAGE, false) && bus(map + 4 * PAGE, true));
	CHECK(all(map + 2 * PAGE + 7, PAGE - 7, 0));

	/* longer again: there, and empty */
	CHECK(ftruncate(fd, 8 * PAGE) == 0);
	CHECK(all(map + 2 * PAGE + 7, 6 * PAGE - 7, 0));
	CHECK(!bus(map + 8 * PAGE - 1, true));
	CHECK(bus(map + 8 * PAGE, false));
	/* by a write, too */
	put(fd, 'w', 10, 9 * PAGE);
	CHECK(!bus(map + 9 * PAGE, false) && map[9 * PAGE + 9] == 'w');
	EXPECT(fd, 0, PAGE, 8 * PAGE);
	CHECK(munmap(map, 10 * PAGE) == 0);
	close(fd);
}

/* behind FILE: what is stored behind the end is never part of the file */
static void cmd_behind(char **arg)
{
	int fd = new_file(arg[0], 0), round;
	unsigned char *map;

	for (round = 0; round < 4; round++) {
		CHECK(ftruncate(fd, 0) == 0);
		put(fd, 'd', 100, 0);
		map = map_file(fd, PAGE, MAP_SHARED);
		memset(map, 'D', 1000);
		if (round & 1)
			CHECK(msync(map, PAGE, MS_SYNC) == 0);
		if (round & 2)
			put(fd, 'w', 10, 3 * PAGE);
		else
			CHECK(ftruncate(fd, 3 * PAGE) == 0);
		EXPECT(fd, 'D', 100, 0);
		EXPECT(fd, 0, PAGE - 100, 100);
		CHECK(all(map + 100, PAGE - 100, 0));
		CHECK(munmap(map, PAGE) == 0);
	}
	close(fd);
}

/*
 * full FILE: stores to a large hole until there is no room: SIGBUS, and what
 * could be stored stays.
 */
static void cmd_full(char **arg)
{
	const size_t pages = number(arg[1]) / PAGE;
	int fd = new_file(arg[0], 0);
	unsigned char *map;
	size_t i, n;

	CHECK(ftruncate(fd, pages * PAGE) == 0);
	map = map_file(fd, pages * PAGE, MAP_SHARED);
	for (n = 0; n < pages && !bus(map + n * PAGE, true); n++)
		memset(map + n * PAGE, 1 + n % 255, PAGE);
	if (n == pages)
		fail("everything could be stored");
	CHECK(n > pages / 10);
	CHECK(msync(map, n * PAGE, MS_SYNC) == 0);
	CHECK(munmap(map, pages * PAGE) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	for (i = 0; i < n; i++)
		EXPECT(fd, 1 + i % 255, PAGE, i * PAGE);
	EXPECT(fd, 0, PAGE, (pages - 1) * PAGE);
	close(fd);
}

/* ---- direct I/O --------------------------------------------------------- */

/* direct FILE: past the page cache, mixed with what goes through it */
static void cmd_direct(char **arg)
{
	int fd = new_file(arg[0], 0), direct = open(arg[0], O_RDWR | O_DIRECT);
	unsigned char *buf = aligned_alloc(PAGE, 16 * PAGE), *map;
	struct iovec iov[2];

	CHECK(direct >= 0 && buf);
	put(direct, '1', 8 * PAGE, 0);
	EXPECT(fd, '1', 8 * PAGE, 0);
	EXPECT(direct, '1', 8 * PAGE, 0);
	/* over pages that are cached, clean and dirty */
	put(direct, '2', 2 * PAGE, PAGE);
	EXPECT(fd, '2', 2 * PAGE, PAGE);
	put(fd, '3', 3 * PAGE, 2 * PAGE + 100);
	EXPECT(direct, '2', 2 * PAGE - PAGE, PAGE);
	CHECK(pread(direct, buf, PAGE, 2 * PAGE) == PAGE);
	CHECK(all(buf, 100, '2') && all(buf + 100, PAGE - 100, '3'));
	put(fd, '4', 100, 4 * PAGE);
	put(direct, '5', PAGE, 4 * PAGE);
	EXPECT(fd, '5', PAGE, 4 * PAGE);

	/* a mapping sees it */
	map = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && map[6 * PAGE] == '1');
	put(direct, '6', PAGE, 6 * PAGE);
	CHECK(all(map + 6 * PAGE, PAGE, '6'));
	CHECK(munmap(map, 8 * PAGE) == 0);

	/* longer, over a hole, into a hole; the end is where it is */
	put(direct, '7', 2 * PAGE, 10 * PAGE);
	EXPECT(direct, 0, 2 * PAGE, 8 * PAGE);
	EXPECT(fd, '7', 2 * PAGE, 10 * PAGE);
	put(direct, '8', PAGE, 9 * PAGE);
	EXPECT(fd, 0, PAGE, 8 * PAGE);
	EXPECT(fd, '8', PAGE, 9 * PAGE);
	CHECK(ftruncate(fd, 11 * PAGE + 100) == 0);
	CHECK(pread(direct, buf, 4 * PAGE, 11 * PAGE) == 100);
	CHECK(all(buf, 100, '7'));
	CHECK(pread(direct, buf, PAGE, 12 * PAGE) == 0);
	put(direct, '9', PAGE, 11 * PAGE);
	CHECK(lseek(fd, 0, SEEK_END) == 12 * PAGE);

	iov[0] = (struct iovec){ buf, PAGE };
	iov[1] = (struct iovec){ buf + 3 * PAGE, 2 * PAGE };
	memset(buf, 'v', 16 * PAGE);
	CHECK(pwritev(direct, iov, 2, 3 * PAGE) == 3 * PAGE);
	EXPECT(fd, 'v', 3 * PAGE, 3 * PAGE);
	close(direct);
	close(fd);
	free(buf);
}

/*
 * unaligned FILE: what does not fit the blocks is refused with EINVAL, and then
 * nothing has changed, or it works.
 */
static void cmd_unaligned(char **arg)
{
	static const struct { int off, len, mem; } odd[] = {
		{ 512, 512, 0 }, { 1, PAGE, 0 }, { 0, PAGE, 1 },
		{ 0, 100, 0 }, { PAGE - 1, 2, 3 }, { 2048, 2 * PAGE, 0 },
	};
	int fd = new_file(arg[0], 0), direct = open(arg[0], O_RDWR | O_DIRECT);
	unsigned char *buf = aligned_alloc(PAGE, 4 * PAGE);
	size_t i;
	ssize_t n;

	CHECK(direct >= 0 && buf);
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		put(fd, 'o', 4 * PAGE, 0);
		CHECK(fsync(fd) == 0);
		memset(buf, 'n', 4 * PAGE);
		n = pwrite(direct, buf + odd[i].mem, odd[i].len, odd[i].off);
		CHECK(n == odd[i].len || (n < 0 && errno == EINVAL));
		if (n > 0)
			EXPECT(fd, 'n', odd[i].len, odd[i].off);
		else
			EXPECT(fd, 'o', odd[i].len, odd[i].off);
		EXPECT(fd, 'o', PAGE, 3 * PAGE);
		if (odd[i].off)
			EXPECT(fd, 'o', odd[i].off, 0);
		memset(buf, 'x', 4 * PAGE);
		n = pread(direct, buf + odd[i].mem, odd[i].len, 3 * PAGE);
		CHECK(n < 0 ? errno == EINVAL :
		      n > 0 && all(buf + odd[i].mem, n, 'o'));
	}
	close(direct);
	close(fd);
	free(buf);
}

static int aio_wait(aio_context_t ctx, int nr)
{
	struct io_event ev[64];
	int done = 0, n, i;

	while (done < nr) {
		n = syscall(SYS_io_getevents, ctx, 1L, 64L, ev, NULL);
		CHECK(n > 0);
		for (i = 0; i < n; i++) {
			if ((int64_t)ev[i].res != PAGE)
				fail("request %d: %lld", (int)ev[i].data,
				     (long long)ev[i].res);
		}
		done += n;
	}
	return done;
}

/* aio FILE: 64 requests at a time, writes out of order, then reads */
static void cmd_aio(char **arg)
{
	int fd = new_file(arg[0], O_DIRECT), i, round;
	unsigned char *buf = aligned_alloc(PAGE, 64 * PAGE);
	struct iocb iocb[64], *list[64];
	aio_context_t ctx = 0;

	CHECK(buf && syscall(SYS_io_setup, 64, &ctx) == 0);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 64; i++) {
			memset(buf + i * PAGE, round * 64 + i, PAGE);
			list[i] = &iocb[i];
			iocb[i] = (struct iocb){
				.aio_data = i,
				.aio_lio_opcode = IOCB_CMD_PWRITE,
				.aio_fildes = fd,
				.aio_buf = (uintptr_t)(buf + i * PAGE),
				.aio_nbytes = PAGE,
				.aio_offset = (i * 37 % 64) * PAGE,
			};
		}
		CHECK(syscall(SYS_io_submit, ctx, 64L, list) == 64);
		aio_wait(ctx, 64);
		memset(buf, 0, 64 * PAGE);
		for (i = 0; i < 64; i++)
			iocb[i].aio_lio_opcode = IOCB_CMD_PREAD;
		CHECK(syscall(SYS_io_submit, ctx, 64L, list) == 64);
		aio_wait(ctx, 64);
		for (i = 0; i < 64; i++)
			CHECK(all(buf + i * PAGE, PAGE, round * 64 + i));
	}
	CHECK(lseek(fd, 0, SEEK_END) == 64 * PAGE);
	CHECK(syscall(SYS_io_destroy, ctx) == 0);
	close(fd);
	free(buf);
}

/* ---- size --------------------------------------------------------------- */

enum { CUT_SYNC = 1, CUT_SYNC_SHORT = 2, CUT_DROP = 4, CUT_WRITE = 8 };

/* One file that is cut at @at and made longer again. */
static void cut_once(int fd, size_t at, unsigned int how)
{
	const size_t len = 5 * PAGE;
	struct stat st;

	CHECK(ftruncate(fd, 0) == 0);
	put(fd, 'x', len, 0);
	if (how & CUT_SYNC)
		CHECK(fsync(fd) == 0);
	CHECK(ftruncate(fd, at) == 0);
	CHECK(fstat(fd, &st) == 0 && (size_t)st.st_size == at);
	if (how & CUT_SYNC_SHORT)
		CHECK(fsync(fd) == 0);
	if (how & CUT_DROP)
		CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	if (how & CUT_WRITE) {
		put(fd, 'y', 10, len - 10);
		EXPECT(fd, 'y', 10, len - 10);
	} else {
		CHECK(ftruncate(fd, len) == 0);
		EXPECT(fd, 0, 10, len - 10);
	}
	if (at)
		EXPECT(fd, 'x', at, 0);
	EXPECT(fd, 0, len - 10 - at, at);
	CHECK(fsync(fd) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	if (at)
		EXPECT(fd, 'x', at, 0);
	EXPECT(fd, 0, len - 10 - at, at);
}

/* cut FILE: what was cut off never comes back, whatever happens in between */
static void cmd_cut(char **arg)
{
	static const size_t at[] = {
		0, 1, 511, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 100,
		4 * PAGE, 5 * PAGE - 100,
	};
	int fd = new_file(arg[0], 0);
	unsigned int how;
	size_t i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		for (how = 0; how < 16; how++)
			cut_once(fd, at[i], how);
	close(fd);
}

/* ---- extents ------------------------------------------------------------ */

#define NR_EXTENTS 64

static int fiemap(int fd, uint64_t start, uint64_t len, uint32_t flags,
		  unsigned int nr, struct fiemap_extent *ret_ext)
{
	static char space[sizeof(struct fiemap) +
			  NR_EXTENTS * sizeof(struct fiemap_extent)];
	struct fiemap *fm = (struct fiemap *)space;

	memset(space, 0, sizeof(space));
	fm->fm_start = start;
	fm->fm_length = len;
	fm->fm_flags = flags;
	fm->fm_extent_count = nr;
	if (ioctl(fd, FS_IOC_FIEMAP, fm) < 0)
		return -1;
	if (nr)
		memcpy(ret_ext, fm->fm_extents,
		       fm->fm_mapped_extents * sizeof(*ret_ext));
	return fm->fm_mapped_extents;
}

/* fiemap FILE: where contents are, in order, with the last one marked */
static void cmd_fiemap(char **arg)
{
	struct fiemap_extent ext[NR_EXTENTS];
	int fd = new_file(arg[0], 0), i, n, nr;
	uint64_t bytes = 0;

	CHECK(fiemap(fd, 0, ~0ULL, 0, NR_EXTENTS, ext) == 0);
	CHECK(ftruncate(fd, 1 << 20) == 0);
	CHECK(fiemap(fd, 0, ~0ULL, 0, NR_EXTENTS, ext) == 0);
	for (i = 0; i < 5; i++)
		put(fd, 'e', PAGE, i * 100 * PAGE);
	nr = fiemap(fd, 0, ~0ULL, FIEMAP_FLAG_SYNC, NR_EXTENTS, ext);
	CHECK(nr == 5);
	for (i = 0; i < nr; i++) {
		CHECK(ext[i].fe_logical == (uint64_t)i * 100 * PAGE);
		CHECK(ext[i].fe_length == PAGE && ext[i].fe_physical);
		CHECK(ext[i].fe_physical % PAGE == 0);
		CHECK(ext[i].fe_flags ==
		      (i == nr - 1 ? FIEMAP_EXTENT_LAST : 0));
	}
	/* the same as SEEK_DATA and SEEK_HOLE say */
	CHECK(lseek(fd, 1, SEEK_HOLE) == PAGE);
	CHECK(lseek(fd, PAGE, SEEK_DATA) == 100 * PAGE);

	/* only how many; a part; fewer than there are */
	CHECK(fiemap(fd, 0, ~0ULL, 0, 0, NULL) == 5);
	n = fiemap(fd, 150 * PAGE, 100 * PAGE, 0, NR_EXTENTS, ext);
	CHECK(n == 1 && ext[0].fe_logical == 200 * PAGE);
	n = fiemap(fd, 0, ~0ULL, 0, 2, ext);
	CHECK(n == 2 && !(ext[1].fe_flags & FIEMAP_EXTENT_LAST));
	FAILS(fiemap(fd, 0, ~0ULL, FIEMAP_FLAG_XATTR, NR_EXTENTS, ext), EBADR);

	/* one piece of many pages has few extents, and all of it */
	put(fd, 'p', 300 * PAGE, 1000 * PAGE);
	CHECK(fsync(fd) == 0);
	nr = fiemap(fd, 1000 * PAGE, 300 * PAGE, 0, NR_EXTENTS, ext);
	CHECK(nr > 0 && nr < 10);
	for (i = 0; i < nr; i++)
		bytes += ext[i].fe_length;
	CHECK(bytes == 300 * PAGE);
	CHECK(ext[nr - 1].fe_flags & FIEMAP_EXTENT_LAST);
	close(fd);
}

/* ---- durability --------------------------------------------------------- */

/* durable WAY FILE: contents for "ops verify FILE 262144 4", safe on return */
static void cmd_durable(char **arg)
{
	static const struct { const char *name; int flags; } ways[] = {
		{ "fsync" }, { "fdatasync" }, { "msync" }, { "syncfs" },
		{ "osync", O_SYNC }, { "odsync", O_DSYNC },
		{ "direct", O_DIRECT | O_DSYNC },
	};
	const char *way = arg[0];
	const size_t len = 64 * PAGE;
	unsigned char *buf = aligned_alloc(PAGE, len), *map;
	int flags = 0, fd;
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(way, ways[i].name))
			flags = ways[i].flags;
	fd = new_file(arg[1], flags);
	CHECK(buf);
	fill_pattern(buf, len, 0, 4);
	if (!strcmp(way, "msync")) {
		CHECK(ftruncate(fd, len) == 0);
		map = map_file(fd, len, MAP_SHARED);
		memcpy(map, buf, len);
		CHECK(msync(map, len, MS_SYNC) == 0);
	} else {
		for (i = 0; i < len; i += 4 * PAGE)
			CHECK(pwrite(fd, buf + i, 4 * PAGE, i) == 4 * PAGE);
	}
	if (!strcmp(way, "fsync"))
		CHECK(fsync(fd) == 0);
	if (!strcmp(way, "fdatasync"))
		CHECK(fdatasync(fd) == 0);
	if (!strcmp(way, "syncfs"))
		CHECK(syncfs(fd) == 0);
	/* the end of the process must not be what makes it durable */
	kill(getpid(), SIGSTOP);
}

/* ---- */

static const struct command commands[] = {
	{ "mapped", 1, cmd_mapped },
	{ "stored", 1, cmd_stored },
	{ "restored", 1, cmd_restored },
	{ "bus", 1, cmd_bus },
	{ "behind", 1, cmd_behind },
	{ "full", 2, cmd_full },
	{ "direct", 1, cmd_direct },
	{ "unaligned", 1, cmd_unaligned },
	{ "aio", 1, cmd_aio },
	{ "cut", 1, cmd_cut },
	{ "fiemap", 1, cmd_fiemap },
	{ "durable", 2, cmd_durable },
	{ NULL },
};

int main(int argc, char **argv)
{
	return run_command(commands, argv);
}

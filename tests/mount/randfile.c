/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random operations on the contents of one file, compared with memory.
 *
 *	randfile FILE MODEL SEED COUNT BYTES [WAY]...
 *
 * The model is the bytes that POSIX says the file has.  It is kept in the file
 * MODEL (of another filesystem) between runs: what it says is compared with
 * FILE first, so that the volume can be mounted again or lose its power after
 * a sync between two runs.  BYTES is how large the file may get.  WAYs are
 * ways of access besides read and write: "mmap", "direct".  With "msync" what
 * was stored through the mapping is written before holes are looked for, since
 * a FUSE server does not know of it.
 *
 * Everything is done by one thread with several descriptors and one mapping
 * that live long: each has to see what went through the others.  A mistake is
 * shown with the operations that came before it; the seed repeats it.  FILE has
 * ".wrong" behind its name then, and the model is gone.
 *
 * FILE may be several paths with colons between them: of the same file on
 * several mounts.  Each operation is on a random one of them, and has to see
 * what all others did.  "mapread" only reads from mappings (a FUSE server does
 * not learn of stores in time), and asks for the size before.  With "late_end"
 * a read of the page cache may go on with zeroes behind the end of a file that
 * another mount has made shorter (docs/fuse.md).
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096
#define MAX_IO (256 << 10)
#define NR_TOLD 40

#define MAX_MOUNTS 16

/* One path's descriptors and mapping, which live long. */
struct access {
	const char *path;
	int fd;
	int read_fd;		/* for pages that FUSE keeps */
	int append_fd;
	int direct_fd;		/* -1: none */
	unsigned char *map;	/* max_bytes of the file, NULL: not mapped */
};

static struct access mounts[MAX_MOUNTS], *on;
static unsigned int nr_mounts;
static const char *model_path;
static uint64_t state;
static uint64_t max_bytes;
static unsigned char *model;	/* max_bytes, zero behind size */
static uint64_t size;
static unsigned char *buf;	/* MAX_IO bytes, of whole pages */
static bool use_mmap, use_mapread, use_direct, use_msync, late_end;
static unsigned char next_byte;

static char told[NR_TOLD][112];
static unsigned int nr_told;

static uint64_t rnd(uint64_t below)
{
	return next_random(&state, below);
}

static void __attribute__((format(printf, 1, 2))) tell(const char *fmt, ...)
{
	va_list ap;

	char *to = told[nr_told++ % NR_TOLD];
	int n = 0;

	if (nr_mounts > 1)
		n = sprintf(to, "[%d] ", (int)(on - mounts));
	va_start(ap, fmt);
	vsnprintf(to + n, sizeof(told[0]) - n, fmt, ap);
	va_end(ap);
}

static void __attribute__((noreturn, format(printf, 1, 2)))
wrong(const char *fmt, ...)
{
	unsigned int oldest = nr_told > NR_TOLD ? nr_told - NR_TOLD : 0, i;
	char away[4096];
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ", errno %d %s; the last operations, newest first:\n", err,
		strerror(err));
	for (i = nr_told; i > oldest; i--)
		fprintf(stderr, "%u: %s\n", i, told[(i - 1) % NR_TOLD]);
	if (nr_mounts > 1)
		fprintf(stderr, "it happened on mount %d\n",
			(int)(on - mounts));
	snprintf(away, sizeof(away), "%s.wrong", on->path);
	rename(on->path, away);
	unlink(model_path);
	exit(1);
}

#define WANT(cond) \
	((cond) ? (void)0 : wrong("line %d: %s", __LINE__, #cond))

static void compare(const unsigned char *got, uint64_t off, uint64_t len,
		    const char *how)
{
	uint64_t i, last;

	if (!memcmp(got, model + off, len))
		return;
	for (i = 0; got[i] == model[off + i]; i++)
		;
	for (last = len - 1; got[last] == model[off + last]; last--)
		;
	wrong("%s: bytes %llu to %llu differ, the first is %02x and not %02x",
	      how, (unsigned long long)(off + i),
	      (unsigned long long)(off + last), got[i], model[off + i]);
}

/* Near the boundaries of blocks more often than anywhere else. */
static uint64_t some_offset(uint64_t below)
{
	uint64_t off = rnd(below);

	switch (rnd(4)) {
	case 0:
		return off / PAGE * PAGE;
	case 1:
		off = off / PAGE * PAGE + rnd(9);
		return off > 4 && off < below ? off - 4 : off % below;
	default:
		return off;
	}
}

static uint64_t some_length(void)
{
	uint64_t len = 1 + rnd(rnd(4) ? 3 * PAGE : MAX_IO);

	return rnd(3) ? len : (len + PAGE - 1) / PAGE * PAGE;
}

/* A range that stays below the limit. */
static void some_range(uint64_t *off, uint64_t *len)
{
	*off = some_offset(rnd(3) && size ? size : max_bytes);
	*len = some_length();
	if (*len > max_bytes - *off)
		*len = max_bytes - *off;
}

/* New bytes for a range: no two writes have the same. */
static void fill(uint64_t len)
{
	uint64_t i;

	next_byte += 7;
	for (i = 0; i < len; i++)
		buf[i] = 1 + (next_byte + i / 16) % 255;
}

static void written(const unsigned char *from, uint64_t off, uint64_t len)
{
	memcpy(model + off, from, len);
	if (off + len > size)
		size = off + len;
}

static void op_write(void)
{
	struct iovec iov[3];
	uint64_t off, len;

	some_range(&off, &len);
	fill(len);
	tell("write %llu +%llu", (unsigned long long)off,
	     (unsigned long long)len);
	if (rnd(4)) {
		WANT(pwrite(on->fd, buf, len, off) == (ssize_t)len);
	} else {
		iov[0] = (struct iovec){ buf, len / 3 };
		iov[1] = (struct iovec){ buf + len / 3, len / 2 };
		iov[2] = (struct iovec){ buf + len / 3 + len / 2,
					 len - len / 3 - len / 2 };
		WANT(pwritev(on->fd, iov, 3, off) == (ssize_t)len);
	}
	written(buf, off, len);
}

static void op_append(void)
{
	uint64_t len = some_length();

	if (len > max_bytes - size)
		return;
	fill(len);
	tell("append %llu +%llu", (unsigned long long)size,
	     (unsigned long long)len);
	WANT(write(on->append_fd, buf, len) == (ssize_t)len);
	written(buf, size, len);
}

static void op_read(void)
{
	uint64_t off, len, want;
	ssize_t got;
	int from;

	some_range(&off, &len);
	want = off >= size ? 0 : len < size - off ? len : size - off;
	tell("read %llu +%llu", (unsigned long long)off,
	     (unsigned long long)len);
	from = rnd(2) ? on->fd : on->read_fd;
	got = pread(from, buf, len, off);
	/* the kernel may not have learned in time that the file is shorter */
	if (late_end && from == on->read_fd && got > (ssize_t)want) {
		for (; got > (ssize_t)want; got--)
			WANT(!buf[got - 1]);
	}
	if (got != (ssize_t)want)
		wrong("read %zd and not %llu bytes%s", got,
		      (unsigned long long)want,
		      from == on->read_fd ? " of what is only read" : "");
	compare(buf, off, want, "read");
}

static void op_direct(void)
{
	uint64_t off, len, want;

	if (!use_direct)
		return;
	some_range(&off, &len);
	off = off / PAGE * PAGE;
	len = (len + PAGE - 1) / PAGE * PAGE;
	if (len > max_bytes - off)
		len = max_bytes - off;
	if (rnd(2)) {
		fill(len);
		tell("direct write %llu +%llu", (unsigned long long)off,
		     (unsigned long long)len);
		WANT(pwrite(on->direct_fd, buf, len, off) == (ssize_t)len);
		written(buf, off, len);
	} else {
		want = off >= size ? 0 : len < size - off ? len : size - off;
		tell("direct read %llu +%llu", (unsigned long long)off,
		     (unsigned long long)len);
		WANT(pread(on->direct_fd, buf, len, off) == (ssize_t)want);
		compare(buf, off, want, "direct read");
	}
}

/*
 * What a mapping or a splice finds is limited by the size that the mount was
 * last told; without asking, a FUSE mount does not know that the file has grown
 * elsewhere, and an answer may be overtaken by the next change.
 */
#define ASK_TIMES 100

static void ask_size(void)
{
	struct stat st;

	if (nr_mounts > 1)
		WANT(fstat(on->read_fd, &st) == 0 &&
		     (uint64_t)st.st_size == size);
}

static sigjmp_buf again;

static void on_bus(int sig)
{
	static int tries;

	if (nr_mounts < 2 || tries++ > ASK_TIMES)
		wrong("bus error");
	ask_size();
	siglongjmp(again, 1);
}

/* Through the mapping that was made long ago. */
static void op_mmap(void)
{
	uint64_t off, len;


	if (!on->map || !size)
		return;
	ask_size();
	some_range(&off, &len);
	off %= size;
	if (len > size - off)
		len = size - off;
	if (use_mapread || rnd(2)) {
		tell("mapped read %llu +%llu", (unsigned long long)off,
		     (unsigned long long)len);
		sigsetjmp(again, 1);
		compare(on->map + off, off, len, "mapping");
		return;
	}
	fill(len);
	tell("mapped write %llu +%llu", (unsigned long long)off,
	     (unsigned long long)len);
	memcpy(on->map + off, buf, len);
	written(buf, off, len);
	if (rnd(4))
		return;
	tell("msync");
	WANT(msync(on->map, max_bytes, rnd(2) ? MS_SYNC : MS_ASYNC) == 0);
}

static void op_truncate(void)
{
	uint64_t to = some_offset(rnd(2) ? max_bytes : size + 1);

	tell("truncate %llu to %llu", (unsigned long long)size,
	     (unsigned long long)to);
	WANT(ftruncate(on->fd, to) == 0);
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void op_sync(void)
{
	switch (rnd(4)) {
	case 0:
		tell("fdatasync");
		WANT(fdatasync(on->fd) == 0);
		break;
	case 1:
		tell("fsync, drop pages");
		WANT(fsync(on->fd) == 0);
		WANT(posix_fadvise(on->fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
		break;
	case 2:
		tell("drop pages");
		WANT(posix_fadvise(on->fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
		break;
	case 3:
		tell("fsync");
		WANT(fsync(on->fd) == 0);
		break;
	}
}

/* What is said to be a hole is zero, and the end is where it should be. */
static void op_holes(void)
{
	off_t at = some_offset(max_bytes), data, hole, i;
	struct stat st;

	tell("holes from %lld", (long long)at);
	if (on->map && use_msync)
		WANT(msync(on->map, max_bytes, MS_SYNC) == 0);
	WANT(fstat(on->fd, &st) == 0);
	if ((uint64_t)st.st_size != size)
		wrong("size is %lld and not %llu", (long long)st.st_size,
		      (unsigned long long)size);
	data = lseek(on->fd, at, SEEK_DATA);
	if (data < 0) {
		WANT(errno == ENXIO);
		data = size;
	}
	for (i = at; i < data; i++) {
		if (model[i])
			wrong("%lld is no data, but written", (long long)i);
	}
	hole = lseek(on->fd, at, SEEK_HOLE);
	if ((uint64_t)at >= size)
		WANT(hole < 0 && errno == ENXIO);
	else
		WANT(hole >= at && (uint64_t)hole <= size);
}

static void op_sendfile(void)
{
	int to = memfd_create("copy", 0), tries;
	off_t off = some_offset(size + 1), end = off;
	ssize_t n, len = 0;

	WANT(to >= 0);
	ask_size();
	tell("sendfile from %lld", (long long)off);
	for (tries = 0; len < MAX_IO && (uint64_t)end < size; tries++) {
		n = sendfile(to, on->fd, &end, MAX_IO - len);
		WANT(n > 0 || (n == 0 && nr_mounts > 1 && tries < ASK_TIMES));
		len += n;
		if (!n)
			ask_size();
	}
	WANT(len == MAX_IO || (uint64_t)end >= size);
	WANT(pread(to, buf, len, 0) == len);
	compare(buf, off, len, "sendfile");
	close(to);
}

static void open_all(void)
{
	const char *path = on->path;

	on->fd = open(path, O_RDWR | O_CREAT, 0644);
	WANT(on->fd >= 0);
	on->append_fd = open(path, O_WRONLY | O_APPEND);
	WANT(on->append_fd >= 0);
	if (use_direct) {
		on->direct_fd = open(path, O_RDWR | O_DIRECT);
		WANT(on->direct_fd >= 0);
	}
	on->read_fd = open(path, O_RDONLY);
	WANT(on->read_fd >= 0);
	if (use_mmap || use_mapread) {
		on->map = mmap(NULL, max_bytes,
			   PROT_READ | (use_mapread ? 0 : PROT_WRITE),
			   MAP_SHARED, use_mapread ? on->read_fd : on->fd, 0);
		WANT(on->map != MAP_FAILED);
	}
}

static void op_reopen(void)
{
	tell("close and open");
	if (on->map)
		WANT(munmap(on->map, max_bytes) == 0);
	WANT(close(on->fd) == 0);
	WANT(close(on->read_fd) == 0);
	WANT(close(on->append_fd) == 0);
	if (use_direct)
		WANT(close(on->direct_fd) == 0);
	open_all();
}

/* All of it, as whoever comes next sees it. */
static void verify(void)
{
	uint64_t off, len;
	struct stat st;

	tell("compare all");
	WANT(fstat(on->fd, &st) == 0);
	if ((uint64_t)st.st_size != size)
		wrong("size is %lld and not %llu", (long long)st.st_size,
		      (unsigned long long)size);
	for (off = 0; off < size; off += len) {
		len = size - off < MAX_IO ? size - off : MAX_IO;
		WANT(pread(on->read_fd, buf, len, off) == (ssize_t)len);
		compare(buf, off, len, "the whole file");
	}
}

static void load(void)
{
	int from = open(model_path, O_RDONLY);
	ssize_t n;

	if (from < 0) {
		CHECK(errno == ENOENT);
		return;
	}
	while ((n = read(from, model + size, max_bytes - size)) > 0)
		size += n;
	CHECK(n == 0);
	close(from);
}

static void save(void)
{
	int to = open(model_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(to >= 0);
	CHECK(write(to, model, size) == (ssize_t)size);
	CHECK(close(to) == 0);
}

static void one_op(void)
{
	on = &mounts[nr_mounts > 1 ? rnd(nr_mounts) : 0];
	switch (rnd(20)) {
	case 0: case 1: case 2: case 3:
		op_write();
		break;
	case 4:
		op_append();
		break;
	case 5: case 6: case 7:
		op_read();
		break;
	case 8: case 9: case 10: case 11:
		op_mmap();
		break;
	case 12: case 13:
		op_direct();
		break;
	case 14: case 15:
		op_truncate();
		break;
	case 16:
		op_sync();
		break;
	case 17:
		op_holes();
		break;
	case 18:
		op_sendfile();
		break;
	case 19:
		if (!rnd(5))
			op_reopen();
		break;
	}
}

int main(int argc, char **argv)
{
	uint64_t count, i;
	char *p;

	if (argc < 6) {
		fprintf(stderr, "usage: randfile FILE MODEL SEED COUNT BYTES [mmap] [mapread] [direct] [msync] [late_end]\n");
		return 2;
	}
	for (p = strtok(argv[1], ":"); p; p = strtok(NULL, ":")) {
		CHECK(nr_mounts < MAX_MOUNTS);
		mounts[nr_mounts].direct_fd = -1;
		mounts[nr_mounts++].path = p;
	}
	CHECK(nr_mounts);
	on = mounts;
	model_path = argv[2];
	state = number(argv[3]) * 2 + 1;
	count = number(argv[4]);
	max_bytes = (number(argv[5]) + PAGE - 1) / PAGE * PAGE;
	for (i = 6; i < (uint64_t)argc; i++) {
		use_mmap |= !strcmp(argv[i], "mmap");
		use_mapread |= !strcmp(argv[i], "mapread");
		use_direct |= !strcmp(argv[i], "direct");
		use_msync |= !strcmp(argv[i], "msync");
		late_end |= !strcmp(argv[i], "late_end");
	}
	model = calloc(1, max_bytes);
	buf = aligned_alloc(PAGE, MAX_IO);
	CHECK(model && buf);
	if (use_mapread && nr_mounts > 1)
		signal(SIGBUS, on_bus);
	load();
	for (on = mounts; on < mounts + nr_mounts; on++)
		open_all();
	for (on = mounts; on < mounts + nr_mounts; on++)
		verify();
	for (i = 0; i < count; i++)
		one_op();
	for (on = mounts; on < mounts + nr_mounts; on++)
		verify();
	for (on = mounts; on < mounts + nr_mounts; on++) {
		if (use_direct || use_mmap || use_mapread)
			op_reopen();
		WANT(fsync(on->fd) == 0);
	}
	save();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The block port (host/block.c) in each of its ways, and the simulated power
 * cut (host/powercut.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host.h"
#include "tap.h"

#define SIZE (64ULL << 20)
#define NR_IOS 500

static char meta[256], data[256];

static void make_image(char *path, size_t size, const char *dir,
		       const char *name)
{
	int fd;

	snprintf(path, size, "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, SIZE) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static struct sfs_host *open_host(unsigned int flags)
{
	struct sfs_host *host;

	if (sfs_host_open(meta, data, flags | SFS_HOST_FORMAT, &host) < 0)
		exit(1);
	return host;
}

/* ---- many at once ------------------------------------------------------- */

struct many {
	struct sfs_io io;
	struct sfs_host *host;
	atomic_int *left;
	int rounds;
};

/* Completions submit more, as the core's do. */
static void many_done(struct sfs_io *io)
{
	struct many *m = (struct many *)io;

	if (io->err || !m->rounds--) {
		atomic_fetch_sub(m->left, 1);
		return;
	}
	io->flags ^= SFS_IO_WRITE;
	sfs_port_io_submit(m->host, io);
}

static void test_many(struct sfs_host *host, const char *mode)
{
	struct many *m = calloc(NR_IOS, sizeof(*m));
	atomic_int left = NR_IOS;
	int i, bad = 0, waited;

	for (i = 0; i < NR_IOS; i++) {
		m[i] = (struct many){
			.io = {
				.done = many_done,
				.buf = sfs_port_buf_alloc(SFS_BLOCK),
				.offset = i * (__u64)SFS_BLOCK,
				.len = SFS_BLOCK,
				.dev = i % 2,
				.flags = SFS_IO_WRITE,
			},
			.host = host,
			.left = &left,
			.rounds = 3,
		};
		memset(m[i].io.buf, i, SFS_BLOCK);
		sfs_port_io_submit(host, &m[i].io);
	}
	for (waited = 0; atomic_load(&left) && waited < 30000; waited++)
		usleep(1000);
	ok(atomic_load(&left) == 0, "%s: %d transfers end", mode, NR_IOS);
	for (i = 0; i < NR_IOS; i++) {
		bad += m[i].io.err != 0 ||
		       *(unsigned char *)m[i].io.buf != (i & 255);
		sfs_port_buf_free(m[i].io.buf, SFS_BLOCK);
	}
	ok(bad == 0, "%s: all with what was written", mode);
	free(m);
}

static void test_edges(struct sfs_host *host, const char *mode)
{
	char *buf = sfs_port_buf_alloc(1 << 20);

	memset(buf, 'e', 1 << 20);
	ok(sfs_port_dev_size(host, SFS_DEV_DATA) == SIZE, "%s: size",
	       mode);
	ok(sfs_block_rw(host, SFS_DEV_DATA, SIZE - (1 << 20), buf,
			    1 << 20, SFS_IO_WRITE | SFS_IO_FUA) == 0,
	       "%s: a durable write up to the end", mode);
	ok(sfs_block_rw(host, SFS_DEV_DATA, SIZE - SFS_BLOCK, buf,
			    2 * SFS_BLOCK, SFS_IO_WRITE) == -EIO,
	       "%s: not a byte behind it", mode);
	ok(sfs_block_rw(host, SFS_DEV_DATA, SIZE, buf, SFS_BLOCK, 0) ==
	       -EIO, "%s: nothing to read there", mode);
	ok(sfs_block_rw(host, SFS_DEV_DATA, ~0ULL << 12, buf, SFS_BLOCK,
			    0) == -EIO, "%s: offsets do not wrap", mode);
	ok(sfs_port_flush(host, SFS_DEV_META) == 0, "%s: flush", mode);
	sfs_port_buf_free(buf, 1 << 20);
}

static void test_mode(const char *mode)
{
	struct sfs_host *host;

	setenv("SCOUTFS_IO", mode, 1);
	host = open_host(0);
	test_many(host, mode);
	test_edges(host, mode);
	sfs_host_close(host);
	unsetenv("SCOUTFS_IO");
}

static void test_rdonly(void)
{
	struct sfs_host *host = open_host(SFS_HOST_RDONLY), *other;
	char *buf = sfs_port_buf_alloc(SFS_BLOCK);

	ok(sfs_block_rw(host, 0, 0, buf, SFS_BLOCK, SFS_IO_WRITE) ==
	       -EROFS, "a host for reading does not write");
	ok(sfs_host_open(meta, data, SFS_HOST_RDONLY | SFS_HOST_FORMAT,
			     &other) == 0, "two may read at a time");
	sfs_host_close(other);
	ok(sfs_host_open(meta, data, SFS_HOST_FORMAT, &other) == -EBUSY,
	       "but none may write then");
	ok(sfs_host_open(meta, data, SFS_HOST_RDONLY | SFS_HOST_NOLOCK |
			     SFS_HOST_FORMAT, &other) == 0,
	       "looking without a lock is possible");
	sfs_host_close(other);
	sfs_host_close(host);
	sfs_port_buf_free(buf, SFS_BLOCK);
}

/* ---- power cuts --------------------------------------------------------- */

#define NR_BLOCKS 256

/*
 * Block i of the metadata device gets version 1 everywhere, flushed, then
 * versions 2 and 3 without; block i of the data device the same with FUA.
 */
static void write_and_cut(int seed)
{
	char *buf = sfs_port_buf_alloc(SFS_BLOCK), env[32];
	struct sfs_host *host;
	int v, i;

	snprintf(env, sizeof(env), "seed=%d", seed);
	setenv("SCOUTFS_POWERCUT", env, 1);
	host = open_host(0);
	for (v = 1; v <= 3; v++) {
		memset(buf, v, SFS_BLOCK);
		for (i = 0; i < NR_BLOCKS; i++) {
			sfs_block_rw(host, SFS_DEV_META, i * SFS_BLOCK, buf,
				     SFS_BLOCK, SFS_IO_WRITE);
			sfs_block_rw(host, SFS_DEV_DATA, i * SFS_BLOCK, buf,
				     SFS_BLOCK, SFS_IO_WRITE | SFS_IO_FUA);
		}
		if (v == 1)
			sfs_port_flush(host, SFS_DEV_META);
		sfs_block_rw(host, SFS_DEV_META, 0, buf, SFS_BLOCK, 0);
		if (buf[0] != v)
			_exit(1);
	}
	sfs_powercut_now(host->powercut);
}

static void test_powercut(int seed)
{
	int seen[4] = { 0 }, torn = 0, wrong = 0, durable = 0, i, s, status;
	unsigned char *buf = sfs_port_buf_alloc(SFS_BLOCK);
	struct sfs_host *host;
	bool mixed;

	fflush(stdout);
	if (fork() == 0) {
		/* the line about the cut is no news here */
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		write_and_cut(seed);
	}
	ok(wait(&status) > 0 && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 86, "seed %d: power fails", seed);

	host = open_host(0);
	for (i = 0; i < NR_BLOCKS; i++) {
		sfs_block_rw(host, SFS_DEV_META, i * SFS_BLOCK, buf,
			     SFS_BLOCK, 0);
		for (s = 0, mixed = false; s < SFS_BLOCK; s++) {
			wrong += buf[s] < 1 || buf[s] > 3;
			/* sectors are whole */
			wrong += buf[s] != buf[s & ~511];
			mixed |= buf[s] != buf[0];
		}
		torn += mixed;
		seen[buf[0] & 3]++;
		sfs_block_rw(host, SFS_DEV_DATA, i * SFS_BLOCK, buf,
			     SFS_BLOCK, 0);
		durable += buf[0] == 3 && buf[SFS_BLOCK - 1] == 3;
	}
	ok(wrong == 0, "seed %d: flushed versions or later ones", seed);
	ok(seen[1] && seen[2] && seen[3] && torn,
	       "seed %d: lost, old, new and torn ones (%d %d %d %d)", seed,
	       seen[1], seen[2], seen[3], torn);
	ok(durable == NR_BLOCKS, "seed %d: durable writes stay", seed);
	sfs_host_close(host);
	sfs_port_buf_free(buf, SFS_BLOCK);
}

int main(void)
{
	const char *scratch = getenv("SCRATCH");
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/block-XXXXXX",
		 scratch ? scratch : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	make_image(meta, sizeof(meta), dir, "meta");
	make_image(data, sizeof(data), dir, "data");
	plan(0);
	sfs_host_log_init("block", SFS_LOG_STDERR, false);

	test_mode("threads");
	test_mode("uring");
	test_mode("auto");
	test_rdonly();
	test_powercut(1);
	test_powercut(2);

	unlink(meta);
	unlink(data);
	rmdir(dir);
	return done_testing();
}

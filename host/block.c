/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The block port over file descriptors: a pool of threads for the first few
 * transfers at a time, io_uring, where the kernel offers it, for those beyond.
 *
 * A transfer that somebody waits for goes through a thread with two wake-ups;
 * through the ring it is three or more, because the kernel completes in the
 * context of the submitter, and for writes that allocate in an image file also
 * a thread of the kernel's.  Measured on a busy machine, one at a time: 20 to
 * 150 us through threads, 160 to 1000 us through the ring.  With many at once
 * the ring wins by half.
 *
 * Completions run in reaper threads or threads of the pool.  They may sleep
 * and submit more: neither holds a lock while it runs one, and there are
 * several, so that one that sleeps does not stop the others.
 *
 * A transfer that the kernel cuts short without an error is finished here by
 * plain calls; what is then still missing lies behind the end: -EIO.  Nothing
 * is ever written outside of the size that a device had when it was opened,
 * so that image files do not grow by accident.
 *
 * Locks: ring->sq_lock around the submission queue, ring->cq_lock around the
 * completion queue, pool->lock around the list of the pool; none is held
 * while another is taken or while a completion runs.
 *
 * Flushing is fdatasync() by the caller's thread.
 */
#include "host/host.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define RING_ENTRIES 256
#define NR_REAPERS 4
#define NR_POOL 8
#define THREAD_STACK (512 * 1024)

/* What the port keeps in sfs_io.host_priv. */
enum {
	PRIV_HOST,	/* the ring's */
	PRIV_NEXT,	/* the pool's list */
	PRIV_ERR,	/* refused before it was started */
};

struct sfs_ring {
	struct io_uring ring;
	pthread_mutex_t sq_lock;
	pthread_mutex_t cq_lock;
	pthread_t reapers[NR_REAPERS];
	unsigned int nr_reapers;
};

struct sfs_pool {
	struct sfs_host *host;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct sfs_io *head;		/* L(lock) */
	struct sfs_io *tail;		/* L(lock) */
	int nr_idle;			/* L(lock) threads less entries */
	bool stop;			/* L(lock) */
	pthread_t threads[NR_POOL];
	unsigned int nr_threads;
};

/* ---- plain transfers ---------------------------------------------------- */

int sfs_raw_pread(struct sfs_host *host, int dev, void *buf, __u32 len,
		  __u64 offset)
{
	char *p = buf;
	ssize_t n;

	while (len) {
		n = pread(host->dev[dev].fd, p, len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int sfs_raw_pwrite(struct sfs_host *host, int dev, const void *buf, __u32 len,
		   __u64 offset, bool fua)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	ssize_t n;

	while (iov.iov_len) {
		n = pwritev2(host->dev[dev].fd, &iov, 1, offset,
			     fua ? RWF_DSYNC : 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= n;
		offset += n;
	}
	return 0;
}

int sfs_raw_flush(struct sfs_host *host, int dev)
{
	int ret;

	do {
		ret = fdatasync(host->dev[dev].fd);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static int raw_io(struct sfs_host *host, struct sfs_io *io, __u32 done)
{
	char *p = (char *)io->buf + done;

	if (io->flags & SFS_IO_WRITE)
		return sfs_raw_pwrite(host, io->dev, p, io->len - done,
				      io->offset + done,
				      io->flags & SFS_IO_FUA);
	return sfs_raw_pread(host, io->dev, p, io->len - done,
			     io->offset + done);
}

/*
 * The reason is for the log, the core hears EIO.  After some lines for a device
 * only each doubling of their number is worth another.
 */
static int io_error(struct sfs_host *host, int dev, const char *what, int err)
{
	__u64 nr;

	if (err == -EROFS || err == -ENODEV)
		return err;	/* not asked of a device */
	nr = __atomic_add_fetch(&host->dev[dev].errors, 1, __ATOMIC_RELAXED);
	if (nr < 10 || !(nr & (nr - 1)))
		sfs_port_log(host, SFS_LOG_ERR,
			     "the %s device failed %s: %s (failure %llu)",
			     dev == SFS_DEV_META ? "metadata" : "data", what,
			     strerror(-err), (unsigned long long)nr);
	return -EIO;
}

static void complete(struct sfs_host *host, struct sfs_io *io, int err)
{
	char what[64];

	if (err) {
		snprintf(what, sizeof(what), "%s %u bytes at byte %llu",
			 io->flags & SFS_IO_WRITE ? "writing" : "reading",
			 io->len, (unsigned long long)io->offset);
		err = io_error(host, io->dev, what, err);
	}
	io->err = err;
	io->done(io);
}

/* Is this a transfer that may be started at all? */
static int check_io(struct sfs_host *host, const struct sfs_io *io)
{
	assert(io->dev < SFS_NR_DEVS);
	assert(((io->offset | io->len) & (SFS_BLOCK - 1)) == 0);
	assert(((uintptr_t)io->buf & (SFS_BLOCK - 1)) == 0);

	if (host->dev[io->dev].fd < 0)
		return -ENODEV;
	if ((io->flags & SFS_IO_WRITE) && (host->flags & SFS_HOST_RDONLY))
		return -EROFS;
	if (io->len > host->dev[io->dev].size ||
	    io->offset > host->dev[io->dev].size - io->len)
		return -EIO;
	return 0;
}

/* ---- io_uring ----------------------------------------------------------- */

/* The reaper's part after the kernel's: what is missing, and the errno. */
static void reap_io(struct sfs_io *io, int res)
{
	struct sfs_host *host;
	int err;

	/* pairs with ring_submit() */
	host = __atomic_load_n(&io->host_priv[PRIV_HOST], __ATOMIC_ACQUIRE);
	err = (int)(intptr_t)io->host_priv[PRIV_ERR];
	if (!err) {
		if (res == -EAGAIN || res == -EINTR)
			res = 0;
		if (res < 0)
			err = res;
		else if ((__u32)res < io->len)
			err = raw_io(host, io, res);
	}
	complete(host, io, err);
}

static void *reaper_main(void *arg)
{
	struct sfs_ring *ring = arg;
	struct io_uring_cqe *cqe;
	struct sfs_io *io;
	int ret, res;

	for (;;) {
		pthread_mutex_lock(&ring->cq_lock);
		do {
			ret = io_uring_wait_cqe(&ring->ring, &cqe);
		} while (ret == -EINTR || ret == -EAGAIN);
		assert(ret == 0);
		io = io_uring_cqe_get_data(cqe);
		res = cqe->res;
		io_uring_cqe_seen(&ring->ring, cqe);
		pthread_mutex_unlock(&ring->cq_lock);
		if (!io)
			return NULL;
		reap_io(io, res);
	}
}

/* @io NULL: tell one reaper to end. */
static void ring_submit(struct sfs_host *host, struct sfs_io *io)
{
	struct sfs_ring *ring = host->ring;
	struct io_uring_sqe *sqe;
	int ret;

	pthread_mutex_lock(&ring->sq_lock);
	while (!(sqe = io_uring_get_sqe(&ring->ring)))
		io_uring_submit(&ring->ring);
	if (!io || io->host_priv[PRIV_ERR]) {
		io_uring_prep_nop(sqe);
	} else if (io->flags & SFS_IO_WRITE) {
		io_uring_prep_write(sqe, host->dev[io->dev].fd, io->buf,
				    io->len, io->offset);
		if (io->flags & SFS_IO_FUA)
			sqe->rw_flags = RWF_DSYNC;
	} else {
		io_uring_prep_read(sqe, host->dev[io->dev].fd, io->buf,
				   io->len, io->offset);
	}
	io_uring_sqe_set_data(sqe, io);
	/* a race detector does not see what the way through the kernel orders */
	if (io)
		__atomic_store_n(&io->host_priv[PRIV_HOST], host,
				 __ATOMIC_RELEASE);
	/* busy: the completion queue is full, the reapers are at it */
	do {
		ret = io_uring_submit(&ring->ring);
		if (ret == -EBUSY || ret == -EAGAIN)
			usleep(1000);
	} while (ret == -EINTR || ret == -EBUSY || ret == -EAGAIN);
	assert(ret >= 0);
	pthread_mutex_unlock(&ring->sq_lock);
}

static int start_thread(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	err = pthread_create(ret_thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return -err;
}

static void ring_stop(struct sfs_host *host)
{
	struct sfs_ring *ring = host->ring;
	unsigned int i;

	for (i = 0; i < ring->nr_reapers; i++)
		ring_submit(host, NULL);
	for (i = 0; i < ring->nr_reapers; i++)
		pthread_join(ring->reapers[i], NULL);
	io_uring_queue_exit(&ring->ring);
	pthread_mutex_destroy(&ring->sq_lock);
	pthread_mutex_destroy(&ring->cq_lock);
	free(ring);
	host->ring = NULL;
}

/* -ENOSYS and the like: this kernel or its administrator has none. */
static int ring_start(struct sfs_host *host)
{
	struct sfs_ring *ring = calloc(1, sizeof(*ring));
	int ret;

	if (!ring)
		return -ENOMEM;
	ret = io_uring_queue_init(RING_ENTRIES, &ring->ring, 0);
	if (ret < 0) {
		free(ring);
		return ret;
	}
	/* without it completions could be lost */
	if (!(ring->ring.features & IORING_FEAT_NODROP)) {
		io_uring_queue_exit(&ring->ring);
		free(ring);
		return -ENOSYS;
	}
	/* children of the daemon have no business with it */
	io_uring_ring_dontfork(&ring->ring);
	pthread_mutex_init(&ring->sq_lock, NULL);
	pthread_mutex_init(&ring->cq_lock, NULL);
	host->ring = ring;
	while (ring->nr_reapers < NR_REAPERS) {
		ret = start_thread(&ring->reapers[ring->nr_reapers],
				   reaper_main, ring);
		if (ret < 0) {
			ring_stop(host);
			return ret;
		}
		ring->nr_reapers++;
	}
	return 0;
}

/* ---- threads ------------------------------------------------------------ */

static void *pool_main(void *arg)
{
	struct sfs_pool *pool = arg;
	struct sfs_host *host = pool->host;
	struct sfs_io *io;
	int err;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		pool->nr_idle++;
		while (!pool->head && !pool->stop)
			pthread_cond_wait(&pool->wake, &pool->lock);
		io = pool->head;
		if (!io)
			break;
		pool->head = io->host_priv[PRIV_NEXT];
		pthread_mutex_unlock(&pool->lock);

		err = (int)(intptr_t)io->host_priv[PRIV_ERR];
		if (!err && host->powercut)
			err = sfs_powercut_io(host->powercut, io);
		else if (!err)
			err = raw_io(host, io, 0);
		complete(host, io, err);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* False when @only_idle is set and all threads have something to do. */
static bool pool_submit(struct sfs_pool *pool, struct sfs_io *io,
			bool only_idle)
{
	io->host_priv[PRIV_NEXT] = NULL;
	pthread_mutex_lock(&pool->lock);
	if (only_idle && pool->nr_idle <= 0) {
		pthread_mutex_unlock(&pool->lock);
		return false;
	}
	/* each entry makes one thread busy, now or later */
	pool->nr_idle--;
	if (pool->head)
		pool->tail->host_priv[PRIV_NEXT] = io;
	else
		pool->head = io;
	pool->tail = io;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	return true;
}

static void pool_stop(struct sfs_host *host)
{
	struct sfs_pool *pool = host->pool;
	unsigned int i;

	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->nr_threads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->wake);
	free(pool);
	host->pool = NULL;
}

static int pool_start(struct sfs_host *host)
{
	struct sfs_pool *pool = calloc(1, sizeof(*pool));
	int ret;

	if (!pool)
		return -ENOMEM;
	pool->host = host;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	host->pool = pool;
	while (pool->nr_threads < NR_POOL) {
		ret = start_thread(&pool->threads[pool->nr_threads], pool_main,
				   pool);
		if (ret < 0) {
			pool_stop(host);
			return ret;
		}
		pool->nr_threads++;
	}
	return 0;
}

/* ---- the port ----------------------------------------------------------- */

int sfs_block_start(struct sfs_host *host)
{
	const char *want = getenv("SCOUTFS_IO");
	int ret;

	ret = sfs_powercut_start(host, &host->powercut);
	if (ret < 0)
		return ret;
	ret = pool_start(host);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "cannot start threads for I/O: %s",
			strerror(-ret));
		sfs_powercut_stop(host->powercut);
		host->powercut = NULL;
		return ret;
	}
	/* the cache that loses power wants its transfers one by one */
	if (!host->powercut && !(want && !strcmp(want, "threads"))) {
		ret = ring_start(host);
		if (ret < 0)
			sfs_log(SFS_LOG_DEBUG, "no io_uring: %s",
				strerror(-ret));
	}
	host->ring_first = host->ring && want && !strcmp(want, "uring");
	return 0;
}

void sfs_block_stop(struct sfs_host *host)
{
	if (host->ring)
		ring_stop(host);
	if (host->pool)
		pool_stop(host);
	sfs_powercut_stop(host->powercut);
	host->powercut = NULL;
}

void sfs_port_io_submit(struct sfs_host *host, struct sfs_io *io)
{
	io->host_priv[PRIV_ERR] = (void *)(intptr_t)check_io(host, io);
	if (host->ring_first ||
	    !pool_submit(host->pool, io, host->ring != NULL))
		ring_submit(host, io);
}

int sfs_port_flush(struct sfs_host *host, int dev)
{
	int ret;

	if (host->dev[dev].fd < 0)
		return -ENODEV;
	if (host->powercut)
		ret = sfs_powercut_flush(host->powercut, dev);
	else
		ret = sfs_raw_flush(host, dev);
	return ret < 0 ? io_error(host, dev, "flushing", ret) : 0;
}

__u64 sfs_port_dev_size(struct sfs_host *host, int dev)
{
	return host->dev[dev].fd < 0 ? 0 : host->dev[dev].size;
}

void *sfs_port_buf_alloc(__u32 len)
{
	void *buf;

	len = (len + SFS_BLOCK - 1) & ~(SFS_BLOCK - 1);
	return posix_memalign(&buf, SFS_BLOCK, len) ? NULL : buf;
}

void sfs_port_buf_free(void *buf, __u32 len)
{
	free(buf);
}

struct sync_io {
	struct sfs_io io;
	sem_t done;
};

static void sync_done(struct sfs_io *io)
{
	struct sync_io *sync = (struct sync_io *)io;

	sem_post(&sync->done);
}

int sfs_block_rw(struct sfs_host *host, int dev, __u64 offset, void *buf,
		 __u32 len, unsigned int flags)
{
	struct sync_io sync = {
		.io = {
			.done = sync_done,
			.buf = buf,
			.offset = offset,
			.len = len,
			.dev = dev,
			.flags = flags,
		},
	};

	sem_init(&sync.done, 0, 0);
	sfs_port_io_submit(host, &sync.io);
	while (sem_wait(&sync.done) < 0 && errno == EINTR)
		;
	sem_destroy(&sync.done);
	return sync.io.err;
}

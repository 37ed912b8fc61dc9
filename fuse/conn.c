/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One mount: a mount of the core, the files that show it, and the classic
 * transport: one connection to the kernel, served by several queues, each a
 * clone of the /dev/fuse descriptor with a thread that reads a request,
 * works on it and replies.  A reply goes to the descriptor its request came
 * by.
 *
 * The message is read to 80 bytes before a page boundary, which is where the
 * data of a WRITE begins, so that it can go to the device as it is.
 *
 * Requests under way are found by their number for FUSE_INTERRUPT.  One that
 * still waits for a thread of a pool is answered with EINTR at once, where that
 * may be; one that waits for a file lock is cancelled there, and one that is
 * being worked on learns of it through sfs_port_killed() when its caller is
 * about to die.  An interrupt that finds nothing has overtaken its request or
 * come too late: EAGAIN lets the kernel sort that out.
 *
 * Threads end when the kernel has let go of the mount (ENODEV), or when told
 * to: a signal gets them out of a read, repeated until they have noticed.
 *
 * Locks: conn->active_lock, then a pool's lock.
 */
#include "fuse/daemon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define WRITE_HEAD (sizeof(struct fw_in_header) + sizeof(struct fw_write_in))
#define MSG_BYTES (MAX_WRITE + PAGE)
#define INIT_WAIT_MS 10000
#define CLONE_IOCTL _IOR(229, 0, uint32_t)

_Static_assert(WRITE_HEAD == 80, "data of a WRITE begins on a page");

/* ---- replies ------------------------------------------------------------ */

/*
 * Errors of the device itself are no concern of the operation: the caller has
 * gone (ENOENT) or the whole mount (ENODEV).
 */
static void send_reply(struct sfs_req *req, int err, struct iovec *iov,
		       int nr_iov)
{
	struct fw_out_header h = { .error = err, .unique = req->d.h->unique };
	ssize_t n;
	int i;

	assert(!req->replied);
	req->replied = true;
	sfs_log(SFS_LOG_DEBUG, "%s %llu %s: %d",
		fw_opcode_name(req->d.h->opcode),
		(unsigned long long)req->d.h->nodeid,
		req->d.nr_names ? req->d.name[0] : "", err);
	iov[0].iov_base = &h;
	iov[0].iov_len = sizeof(h);
	for (i = 0; i < nr_iov; i++)
		h.len += iov[i].iov_len;
	do {
		n = writev(req->fd, iov, nr_iov);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ENOENT && errno != ENODEV && errno != EBADF)
		sfs_log(SFS_LOG_WARN, "reply to %s refused by the kernel: %s",
			fw_opcode_name(req->d.h->opcode), strerror(errno));
}

void sfs_reply_err(struct sfs_req *req, int err)
{
	struct iovec iov[1];

	/* the kernel takes nothing beyond these; ours are positive never */
	if (err > 0 || err <= -512)
		err = -EIO;
	send_reply(req, err, iov, 1);
}

void sfs_reply_two(struct sfs_req *req, const void *a, size_t a_len,
		   const void *b, size_t b_len)
{
	struct iovec iov[3] = {
		[1] = { (void *)a, a_len },
		[2] = { (void *)b, b_len },
	};

	send_reply(req, 0, iov, b_len ? 3 : 2);
}

void sfs_reply_buf(struct sfs_req *req, const void *data, size_t len)
{
	sfs_reply_two(req, data, len, NULL, 0);
}

/* Counted, so that the descriptor is not closed meanwhile. */
static void notify(struct sfs_conn *conn, struct iovec *iov, int nr_iov)
{
	int fd;

	atomic_fetch_add(&conn->nr_notifying, 1);
	fd = atomic_load(&conn->notify_fd);
	/* ENOENT: the kernel has no such inode, so nothing of it */
	if (fd >= 0 && writev(fd, iov, nr_iov) < 0 && errno != ENOENT &&
	    errno != ENODEV && errno != ENOTCONN)
		sfs_log(SFS_LOG_WARN, "cannot have the kernel drop what it knows: %s",
			strerror(errno));
	atomic_fetch_sub(&conn->nr_notifying, 1);
}

void sfs_notify_inval(struct sfs_conn *conn, uint64_t ino, int64_t off,
		      int64_t len)
{
	struct fw_inval_inode_out out = { .ino = ino, .off = off, .len = len };
	struct fw_out_header h = {
		.len = sizeof(h) + sizeof(out),
		.error = FW_NOTIFY_INVAL_INODE,
	};
	struct iovec iov[2] = { { &h, sizeof(h) }, { &out, sizeof(out) } };

	notify(conn, iov, 2);
}

void sfs_notify_store(struct sfs_conn *conn, uint64_t ino, uint64_t off,
		      char byte)
{
	struct fw_store_out out = { .ino = ino, .off = off, .size = 1 };
	struct fw_out_header h = {
		.len = sizeof(h) + sizeof(out) + 1,
		.error = FW_NOTIFY_STORE,
	};
	struct iovec iov[3] = {
		{ &h, sizeof(h) }, { &out, sizeof(out) }, { &byte, 1 },
	};

	notify(conn, iov, 3);
}

void sfs_notify_epoch(struct sfs_conn *conn)
{
	struct fw_out_header h = {
		.len = sizeof(h),
		.error = FW_NOTIFY_INC_EPOCH,
	};
	struct iovec iov[1] = { { &h, sizeof(h) } };

	notify(conn, iov, 1);
}

/* ---- requests under way ------------------------------------------------- */

static struct sfs_req **active_bucket(struct sfs_conn *conn, uint64_t unique)
{
	return &conn->active[(unique >> 1) % NR_ACTIVE];
}

void sfs_req_activate(struct sfs_req *req)
{
	struct sfs_conn *conn = req->conn;
	struct sfs_req **head = active_bucket(conn, req->d.h->unique);

	pthread_mutex_lock(&conn->active_lock);
	req->active_next = *head;
	*head = req;
	pthread_mutex_unlock(&conn->active_lock);
}

void sfs_req_deactivate(struct sfs_req *req)
{
	struct sfs_conn *conn = req->conn;
	struct sfs_req **p = active_bucket(conn, req->d.h->unique);

	pthread_mutex_lock(&conn->active_lock);
	while (*p != req)
		p = &(*p)->active_next;
	*p = req->active_next;
	pthread_mutex_unlock(&conn->active_lock);
}

/*
 * fsync(2) and ioctl(2) may end with EINTR whatever the signal is.  Others do
 * not on a local filesystem, and a page that could not be read because of one
 * is a SIGBUS; they are given up for a process that ends.
 */
static bool may_cancel(const struct sfs_req *req)
{
	uint32_t op = req->d.h->opcode;

	return op == FW_FSYNC || op == FW_FSYNCDIR || op == FW_IOCTL ||
	       sfs_thread_dying(req->d.h->pid);
}

/* With active_lock. */
static struct sfs_req *find_active(struct sfs_conn *conn, uint64_t unique)
{
	struct sfs_req *req = *active_bucket(conn, unique);

	while (req && req->d.h->unique != unique)
		req = req->active_next;
	return req;
}

/* Who dies does not wait for the server's answer to that. */
static void interrupt_lock(struct sfs_conn *conn, uint64_t ticket,
			   uint32_t tid)
{
	if (ticket && sfs_thread_dying(tid))
		sfs_flock_abandon(conn->fs, ticket);
	else if (ticket)
		sfs_flock_cancel(conn->fs, ticket);
}

void sfs_req_has_ticket(struct sfs_conn *conn, uint64_t unique,
			uint64_t ticket)
{
	bool interrupted = false;
	struct sfs_req *req;
	uint32_t tid = 0;

	pthread_mutex_lock(&conn->active_lock);
	req = find_active(conn, unique);
	if (req) {
		req->ticket = ticket;
		interrupted = atomic_load(&req->interrupted);
		tid = req->d.h->pid;
	}
	pthread_mutex_unlock(&conn->active_lock);
	if (interrupted)
		interrupt_lock(conn, ticket, tid);
}

/* Until nobody waits for a lock any more; no request comes meanwhile. */
static void end_lock_calls(struct sfs_conn *conn)
{
	struct timespec step = { .tv_nsec = 1000000 };
	struct sfs_req *req;
	uint64_t ticket;
	int i;

	do {
		ticket = 0;
		pthread_mutex_lock(&conn->active_lock);
		for (i = 0; i < NR_ACTIVE && !ticket; i++) {
			for (req = conn->active[i]; req && !ticket;
			     req = req->active_next)
				ticket = req->ticket;
		}
		pthread_mutex_unlock(&conn->active_lock);
		if (ticket) {
			sfs_flock_abandon(conn->fs, ticket);
			nanosleep(&step, NULL);
		}
	} while (ticket);
}

static void interrupt(struct sfs_req *irq)
{
	const struct fw_interrupt_in *in = irq->d.arg;
	struct sfs_conn *conn = irq->conn;
	bool cancelled = false;
	uint64_t ticket = 0;
	struct sfs_req *req;
	uint32_t tid = 0;

	pthread_mutex_lock(&conn->active_lock);
	req = find_active(conn, in->unique);
	if (req) {
		ticket = req->ticket;
		tid = req->d.h->pid;
		atomic_store(&req->interrupted, 1);
		/* being active keeps it from being freed meanwhile */
		if (req->queued_in && may_cancel(req))
			cancelled = sfs_workpool_cancel(req->queued_in, req);
	}
	pthread_mutex_unlock(&conn->active_lock);

	if (!req)
		sfs_reply_err(irq, -EAGAIN);
	else
		irq->replied = true;
	interrupt_lock(conn, ticket, tid);
	if (cancelled) {
		sfs_reply_err(req, -EINTR);
		sfs_req_free(req);
	}
}

static bool is_resize(const struct sfs_req *req, uint64_t first, uint64_t last)
{
	const struct fw_setattr_in *in = req->d.arg;

	return req->d.h->opcode == FW_SETATTR && (in->valid & FW_SET_SIZE) &&
	       req->d.h->nodeid >= first && req->d.h->nodeid <= last;
}

void sfs_reqs_hurry(struct sfs_conn *conn, uint64_t first, uint64_t last)
{
	struct sfs_req *req;
	unsigned int i;
	int no;

	pthread_mutex_lock(&conn->active_lock);
	for (i = 0; i < NR_ACTIVE; i++) {
		for (req = conn->active[i]; req; req = req->active_next) {
			no = SFS_HURRY_NO;
			if (is_resize(req, first, last))
				atomic_compare_exchange_strong(
					&req->hurry, &no, SFS_HURRY_ASKED);
		}
	}
	pthread_mutex_unlock(&conn->active_lock);
}

bool sfs_reqs_resizing(struct sfs_conn *conn, uint64_t ino)
{
	struct sfs_req *req;
	bool found = false;
	unsigned int i;

	if (!sfs_handle_rdwr(&conn->handles, ino))
		return false;
	pthread_mutex_lock(&conn->active_lock);
	for (i = 0; i < NR_ACTIVE && !found; i++) {
		for (req = conn->active[i]; req; req = req->active_next) {
			if (!is_resize(req, ino, ino) ||
			    atomic_load(&req->hurry) == SFS_HURRY_BEGUN)
				continue;
			atomic_store(&req->drop_after, true);
			found = true;
		}
	}
	pthread_mutex_unlock(&conn->active_lock);
	return found;
}

int sfs_req_killed(void *arg)
{
	struct sfs_req *req = arg;

	return atomic_load(&req->conn->stop) ||
	       atomic_load(&req->hurry) == SFS_HURRY_ASKED ||
	       (atomic_load(&req->interrupted) &&
		sfs_thread_dying(req->d.h->pid));
}

void sfs_req_free(struct sfs_req *req)
{
	assert(req->replied && req->on_heap);
	sfs_req_deactivate(req);
	free(req->own_buf);
	free(req);
}

bool sfs_req_room(struct sfs_req *req, size_t len)
{
	if (req->buf)
		return true;
	if (len > MAX_WRITE)
		len = MAX_WRITE;
	len = (len + PAGE - 1) / PAGE * PAGE;
	if (posix_memalign(&req->own_buf, PAGE, len ? len : PAGE)) {
		req->own_buf = NULL;
		sfs_reply_err(req, -ENOMEM);
		return false;
	}
	req->buf = req->own_buf;
	return true;
}

/* ---- a queue ------------------------------------------------------------ */

/* 1: a message of *ret_len bytes; 0: the mount is gone; negative errno. */
static int read_msg(struct sfs_queue *q, void *buf, size_t *ret_len)
{
	ssize_t n;

	for (;;) {
		if (atomic_load(&q->conn->stop))
			return 0;
		n = read(q->fd, buf, MSG_BYTES);
		if (n >= 0) {
			*ret_len = n;
			return 1;
		}
		switch (errno) {
		case ENOENT:	/* its caller was faster */
		case EINTR:
		case EAGAIN:
			continue;
		case ENODEV:
		case ECONNABORTED:
			return 0;
		default:
			return -errno;
		}
	}
}

/*
 * Pages, which somebody may have locked who is in our way, are never waited
 * for by a thread of a queue; nor by what only hands something on.
 */
static bool may_wait(const struct sfs_req *req)
{
	const struct fw_read_in *rd = req->d.arg;
	const struct fw_write_in *wr = req->d.arg;

	switch (req->d.h->opcode) {
	case FW_READ:
		return rd->read_flags & FW_READ_LOCKOWNER;
	case FW_WRITE:
		return !(wr->write_flags & FW_WRITE_CACHE);
	case FW_FORGET:
	case FW_BATCH_FORGET:
		return atomic_load(&req->conn->handles.nr_pins);
	case FW_FSYNC:
	case FW_FSYNCDIR:
	case FW_IOCTL:
	case FW_GETLK:
	case FW_SETLK:
	case FW_SETLKW:
	case FW_FLUSH:
	case FW_DESTROY:
		return false;
	default:
		return true;
	}
}

/*
 * With several mounts most requests may wait for a cluster lock.  One queue's
 * thread is kept from that, so that somebody reads what comes next.
 */
static bool enter_inline(struct sfs_conn *conn)
{
	unsigned int nr = atomic_fetch_add(&conn->nr_inline, 1);

	if (!atomic_load(&conn->vol->several) ||
	    nr < atomic_load(&conn->max_inline))
		return true;
	atomic_fetch_sub(&conn->nr_inline, 1);
	return false;
}

static void run_here(struct sfs_req *req)
{
	sfs_host_set_killed(sfs_req_killed, req);
	sfs_dispatch(req);
	sfs_host_set_killed(NULL, NULL);
}

static void handle_msg(struct sfs_queue *q, const void *msg, size_t len,
		       void *reply_buf)
{
	struct sfs_req req = {
		.conn = q->conn,
		.fd = q->fd,
		.buf = reply_buf,
	};
	int ret;

	ret = fw_decode(msg, len, &req.d);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR,
			"message of %zu bytes from the kernel (%s) makes no sense",
			len, req.d.h ? fw_opcode_name(req.d.h->opcode) : "?");
		if (req.d.h)
			sfs_reply_err(&req, -EIO);
		return;
	}
	if (req.d.h->opcode == FW_INTERRUPT) {
		interrupt(&req);
		return;
	}
	sfs_req_activate(&req);
	if (!may_wait(&req)) {
		run_here(&req);
	} else if (!enter_inline(q->conn)) {
		sfs_defer_all(&req, &q->conn->ops);
	} else {
		run_here(&req);
		atomic_fetch_sub(&q->conn->nr_inline, 1);
	}
	assert(req.replied || req.deferred);
	if (!req.deferred)
		sfs_req_deactivate(&req);
}

static void *queue_main(void *arg)
{
	struct sfs_queue *q = arg;
	struct sfs_conn *conn = q->conn;
	char *buf, *reply;
	size_t len;
	int ret;

	/* the reply's first page is room for fixed parts before data */
	buf = mmap(NULL, 2 * MSG_BYTES + 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED) {
		sfs_log(SFS_LOG_ERR, "no memory for a queue's buffers");
		goto out;
	}
	reply = buf + MSG_BYTES + PAGE;
	while ((ret = read_msg(q, buf + PAGE - WRITE_HEAD, &len)) > 0)
		handle_msg(q, buf + PAGE - WRITE_HEAD, len, reply);
	if (ret < 0)
		sfs_log(SFS_LOG_ERR, "reading from /dev/fuse: %s",
			strerror(-ret));
	munmap(buf, 2 * MSG_BYTES + 2 * PAGE);
out:
	atomic_store(&q->ended, true);
	if (atomic_fetch_sub(&conn->nr_running, 1) == 1)
		sfs_volume_wake(conn->vol);
	return NULL;
}

/* ---- start -------------------------------------------------------------- */

static int answer_init(struct sfs_conn *conn, struct sfs_req *req)
{
	const char *env = getenv("SCOUTFS_FUSE_MINOR");
	struct fw_limits limits = {
		.max_write = MAX_WRITE,
		.max_readahead = MAX_WRITE,
	};
	struct fw_init_out out;
	int ret;

	/* a test switch: behave as with an older kernel */
	if (env)
		limits.minor = strtoul(env, NULL, 10);
	if (limits.minor && (limits.minor < FW_MINOR_MIN ||
			     limits.minor > FW_MINOR_MAX))
		limits.minor = 0;
	if (req->d.h->opcode != FW_INIT) {
		sfs_reply_err(req, -EIO);
		return -EPROTO;
	}
	ret = fw_negotiate(&req->d, &limits, &conn->session, &out);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR,
			"the kernel's FUSE protocol is too old; 7.%d (Linux 5.4) is needed",
			FW_MINOR_MIN);
		sfs_reply_err(req, -EPROTO);
		return ret;
	}
	sfs_reply_buf(req, &out, sizeof(out));
	return ret;
}

/* Reads INIT (twice if the kernel is of a later major version). */
static int init_session(struct sfs_conn *conn, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct sfs_queue q = { .conn = conn, .fd = fd };
	void *msg = NULL;
	size_t len;
	int ret, tries;

	if (posix_memalign(&msg, PAGE, MSG_BYTES))
		return -ENOMEM;
	for (tries = 0; tries < 2; tries++) {
		struct sfs_req req = { .conn = conn, .fd = fd };

		ret = poll(&pfd, 1, INIT_WAIT_MS) == 1 ? 0 : -ETIMEDOUT;
		if (ret == 0)
			ret = read_msg(&q, msg, &len);
		if (ret == 0)
			ret = -ENODEV;
		if (ret > 0)
			ret = fw_decode(msg, len, &req.d);
		if (ret == 0)
			ret = answer_init(conn, &req);
		if (ret <= 0)
			break;
	}
	free(msg);
	if (ret > 0)
		ret = -EPROTO;
	if (ret < 0)
		sfs_log(SFS_LOG_ERR, "no agreement with the kernel: %s",
			strerror(-ret));
	return ret;
}

static int clone_fd(int fd)
{
	uint32_t master = fd;
	int ret, clone = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (clone < 0)
		return -errno;
	if (ioctl(clone, CLONE_IOCTL, &master) < 0) {
		ret = -errno;
		close(clone);
		return ret;
	}
	return clone;
}

/* Two a CPU, because reads wait for the device. */
static unsigned int want_queues(void)
{
	long n = 2 * sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 4)
		return 4;
	return n > MAX_QUEUES ? MAX_QUEUES : n;
}

static int start_queue(struct sfs_conn *conn, int fd)
{
	struct sfs_queue *q = &conn->queue[conn->nr_queues];
	pthread_attr_t attr;
	int ret;

	q->conn = conn;
	q->fd = fd;
	conn->nr_queues++;
	atomic_fetch_add(&conn->nr_running, 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	ret = -pthread_create(&q->thread, &attr, queue_main, q);
	pthread_attr_destroy(&attr);
	if (ret < 0) {
		atomic_fetch_sub(&conn->nr_running, 1);
		atomic_store(&q->ended, true);
	}
	q->started = ret == 0;
	return ret;
}

static int start_queues(struct sfs_conn *conn, int fd)
{
	unsigned int want = want_queues();
	int ret;

	ret = start_queue(conn, fd);
	while (ret == 0 && conn->nr_queues < want) {
		fd = clone_fd(conn->queue[0].fd);
		if (fd < 0) {
			/* one queue does everything, only slower */
			sfs_log(SFS_LOG_WARN, "cannot clone /dev/fuse: %s",
				strerror(-fd));
			break;
		}
		ret = start_queue(conn, fd);
	}
	/* none until it is known how many there are */
	atomic_store(&conn->max_inline, conn->nr_queues - 1);
	return ret;
}

static struct sfs_conn *new_conn(struct sfs_volume *vol, const char *dir,
				 const struct sfs_options *opts)
{
	struct sfs_conn *conn = calloc(1, sizeof(*conn));
	unsigned int i;

	if (!conn)
		return NULL;
	conn->dir = strdup(dir);
	if (!conn->dir || sfs_handles_init(&conn->handles) < 0) {
		free(conn->dir);
		free(conn);
		return NULL;
	}
	conn->vol = vol;
	conn->opts = *opts;
	conn->noatime = opts->mount_flags & MS_NOATIME;
	pthread_mutex_init(&conn->active_lock, NULL);
	sfs_lockers_init(&conn->lockers);
	sfs_workpool_init(&conn->slow, 16);
	sfs_workpool_init(&conn->user, 16);
	sfs_workpool_init(&conn->notify, 16);
	sfs_workpool_init(&conn->ops, 64);
	sfs_workpool_init(&conn->pages, 64);
	atomic_init(&conn->notify_fd, -1);
	sfs_known_init(&conn->known);
	sfs_stores_init(&conn->stores);
	for (i = 0; i < NR_CONTENTS; i++)
		pthread_rwlock_init(&conn->contents[i], NULL);
	return conn;
}

static void add_conn(struct sfs_conn *conn)
{
	struct sfs_volume *vol = conn->vol;

	pthread_mutex_lock(&vol->lock);
	conn->next = vol->conns;
	vol->conns = conn;
	pthread_mutex_unlock(&vol->lock);
}

static void remove_conn(struct sfs_conn *conn)
{
	struct sfs_conn **p = &conn->vol->conns;

	pthread_mutex_lock(&conn->vol->lock);
	while (*p && *p != conn)
		p = &(*p)->next;
	if (*p)
		*p = conn->next;
	pthread_mutex_unlock(&conn->vol->lock);
}

static bool needs_names_expired(struct sfs_volume *vol)
{
	struct sfs_conn *conn = vol->conns;

	while (conn && conn->session.minor >= FW_MINOR_EPOCH)
		conn = conn->next;
	return conn;
}

/* Before the core is mounted again: from here on nothing is cached as alone. */
static void count_mount(struct sfs_volume *vol)
{
	struct timespec ts = { 0 };
	bool wait = false;
	unsigned int ms;

	sfs_known_names_expire(&ms);
	pthread_mutex_lock(&vol->lock);
	if (++vol->nr_mounts > 1 || vol->host->revoke_one_in) {
		wait = !atomic_exchange(&vol->several, true) &&
		       needs_names_expired(vol);
	}
	pthread_mutex_unlock(&vol->lock);
	if (!wait)
		return;
	ts.tv_sec = ms / 1000;
	ts.tv_nsec = ms % 1000 * 1000000L;
	nanosleep(&ts, NULL);
}

static void uncount_mount(struct sfs_volume *vol)
{
	pthread_mutex_lock(&vol->lock);
	if (--vol->nr_mounts <= 1 && !vol->host->revoke_one_in)
		atomic_store(&vol->several, false);
	pthread_mutex_unlock(&vol->lock);
}

int sfs_conn_open(struct sfs_volume *vol, const struct sfs_options *opts,
		    const char *dir, struct sfs_conn **ret_conn)
{
	struct sfs_conn *conn = new_conn(vol, dir, opts);
	struct sfs_mount_opts mount_opts;
	int ret;

	if (!conn)
		return -ENOMEM;
	count_mount(vol);
	sfs_options_mount(opts, &mount_opts);
	ret = sfs_mount(vol->host, vol->hub, &mount_opts, &conn->fs);
	if (ret < 0) {
		conn->fs = NULL;
		sfs_log(SFS_LOG_ERR, "%s: cannot be mounted: %s",
			vol->host->dev[SFS_DEV_META].path, strerror(-ret));
		goto err;
	}
	add_conn(conn);
	sfs_owner_set_rid(vol->host, sfs_rid(conn->fs));
	ret = sfs_status_create(vol->host, sfs_fsid(conn->fs),
				sfs_rid(conn->fs), opts, &conn->status);
	if (ret < 0)
		goto err;
	*ret_conn = conn;
	return 0;
err:
	sfs_conn_destroy(conn);
	return ret;
}

int sfs_conn_serve(struct sfs_conn *conn, int fd, unsigned int dev_minor)
{
	int ret;

	conn->dev_minor = dev_minor;
	ret = init_session(conn, fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	conn->drop_pages = conn->session.minor < FW_MINOR_DROPS_PAGES;
	atomic_store(&conn->notify_fd, fd);
	ret = sfs_known_watch(conn);
	if (ret == 0)
		ret = start_queues(conn, fd);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "cannot start threads: %s",
			strerror(-ret));
		return ret;
	}
	sfs_log(SFS_LOG_INFO, "%s: mounted on %s, FUSE 7.%u",
		conn->vol->host->name, conn->dir, conn->session.minor);
	atomic_store(&conn->serving, true);
	/* it may have ended before that, which nobody has noticed */
	sfs_volume_wake(conn->vol);
	return 0;
}

/* ---- end ---------------------------------------------------------------- */

bool sfs_conn_ended(struct sfs_conn *conn)
{
	return atomic_load(&conn->nr_running) == 0;
}

void sfs_conn_abort(struct sfs_conn *conn)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort",
		 conn->dev_minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* without fusectl, closing our descriptors has to do */
	if ((fd < 0 && errno != ENOENT) || (fd >= 0 && write(fd, "1", 1) != 1))
		sfs_log(SFS_LOG_WARN, "cannot abort the connection of %s: %s",
			conn->dir, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void join_queue(struct sfs_queue *q)
{
	struct timespec step = { .tv_nsec = 5000000 };

	if (!q->started)
		return;
	while (!atomic_load(&q->ended)) {
		/* the handler does nothing; a read in progress fails */
		pthread_kill(q->thread, SIGUSR1);
		nanosleep(&step, NULL);
	}
	pthread_join(q->thread, NULL);
}

/*
 * Of a connection that is gone no notification waits for long; one that does
 * all the same keeps its descriptors.
 */
static void close_queues(struct sfs_conn *conn)
{
	struct timespec step = { .tv_nsec = 5000000 };
	unsigned int i;

	atomic_store(&conn->notify_fd, -1);
	for (i = 0; i < 1000 && atomic_load(&conn->nr_notifying); i++)
		nanosleep(&step, NULL);
	if (atomic_load(&conn->nr_notifying))
		return;
	for (i = 0; i < conn->nr_queues; i++)
		close(conn->queue[i].fd);
}

/* Nobody asks anything any more; what still waits gets ENOTCONN. */
static void stop_serving(struct sfs_conn *conn)
{
	unsigned int i;

	atomic_store(&conn->stop, true);
	for (i = 0; i < conn->nr_queues; i++)
		join_queue(&conn->queue[i]);
	end_lock_calls(conn);
	sfs_known_unwatch(conn);
	sfs_workpool_stop(&conn->ops);
	sfs_workpool_stop(&conn->pages);
	sfs_workpool_stop(&conn->slow);
	sfs_workpool_stop(&conn->user);
	sfs_workpool_stop(&conn->notify);
	close_queues(conn);
	sfs_stores_exit(conn);
}

int sfs_conn_destroy(struct sfs_conn *conn)
{
	struct timespec step = { .tv_nsec = 5000000 };
	unsigned int i;
	int ret = 0;

	stop_serving(conn);
	sfs_status_remove(conn->status);
	sfs_handles_exit(&conn->handles, conn->fs);
	sfs_lockers_exit(&conn->lockers);
	if (conn->fs)
		ret = sfs_unmount(conn->fs);
	if (ret < 0)
		sfs_log(SFS_LOG_ERR,
			"%s: the last changes made on %s could not be published: %s",
			conn->vol->host->name, conn->dir, strerror(-ret));
	/* until here the core may have had something to tell it */
	remove_conn(conn);
	while (atomic_load(&conn->nr_held))
		nanosleep(&step, NULL);
	uncount_mount(conn->vol);
	sfs_known_exit(&conn->known);
	for (i = 0; i < NR_CONTENTS; i++)
		pthread_rwlock_destroy(&conn->contents[i]);
	pthread_mutex_destroy(&conn->active_lock);
	free(conn->dir);
	free(conn);
	return ret;
}

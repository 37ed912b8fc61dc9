/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stores made through shared mappings, on their way into the file.
 *
 * The kernel writes back the pages of such mappings when it likes: also while
 * it is told to drop them, because the mount gives up its cluster lock.  That
 * waits for our answer, so the answer can not wait for anything of the
 * filesystem.  It is given when the contents are copied here; a thread brings
 * them into the file as soon as the lock can be had again.  Until then reads of
 * this mount look here, too, and writes and truncations bring what is here
 * into the file first, so that the order stays.  fsync waits for all of it and
 * tells what has failed.
 *
 * Nothing tells us when a page is first stored into.  So other mounts see such
 * stores when they arrive in the file, and nothing orders them with what those
 * write at the same time; a file that shrank meanwhile does not grow by them.
 *
 * Beyond LIMIT bytes replies wait until the contents are in the file, which
 * slows down who stores; a kernel that is being told to drop pages is answered
 * at once all the same (sfs_stores_help()).
 *
 * A daemon that is killed loses what is here, as a kernel that crashes loses
 * dirty pages.
 *
 * Locks: st->lock is a leaf.  Taking something out, and reading, happens under
 * the contents' lock of the inode (op_file.c), so it is seen here or in the
 * file.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (64ULL << 20)

struct sfs_store {
	struct sfs_store *next;
	uint64_t ino;
	uint64_t off;
	uint32_t len;
	struct fw_in_header h;		/* of a request that is not answered */
	int fd;				/* -1: it is */
	char data[];
};

struct sfs_store_err {
	struct sfs_store_err *next;
	uint64_t ino;
	int err;
};

void sfs_stores_init(struct sfs_stores *st)
{
	memset(st, 0, sizeof(*st));
	pthread_mutex_init(&st->lock, NULL);
	pthread_cond_init(&st->wake, NULL);
}

static void reply_store(struct sfs_conn *conn, struct sfs_store *s)
{
	struct fw_write_out out = { .size = s->len };
	struct sfs_req req = { .conn = conn, .fd = s->fd, .d.h = &s->h };

	if (s->fd < 0)
		return;
	s->fd = -1;
	sfs_reply_buf(&req, &out, sizeof(out));
}

/* Only now those who ask whether there is anything may overlook it. */
static void done_store(struct sfs_conn *conn, struct sfs_store *s)
{
	reply_store(conn, s);
	atomic_fetch_sub(&conn->stores.nr, 1);
	free(s);
}

/* ---- into the file ------------------------------------------------------ */

/* The oldest of the inode; of any for @ino 0.  With st->lock. */
static struct sfs_store **find_store(struct sfs_stores *st, uint64_t ino)
{
	struct sfs_store **p = &st->head;

	while (*p && ino && (*p)->ino != ino)
		p = &(*p)->next;
	return p;
}

static struct sfs_store *take_store(struct sfs_stores *st, uint64_t ino)
{
	struct sfs_store **p, *s;

	pthread_mutex_lock(&st->lock);
	p = find_store(st, ino);
	s = *p;
	if (s) {
		*p = s->next;
		if (!*p)
			st->tail = p;
		st->bytes -= s->len;
	}
	pthread_mutex_unlock(&st->lock);
	return s;
}

static int write_store(struct sfs_conn *conn, struct sfs_store *s)
{
	struct sfs_attr attr;
	int64_t ret;

	ret = sfs_getattr(conn->fs, s->ino, &attr);
	/* nobody can see it any more */
	if (ret == -ENOENT || ret == -ESTALE)
		return 0;
	if (ret < 0)
		return ret;
	if (s->off >= attr.size)
		return 0;
	if (s->len > attr.size - s->off)
		s->len = attr.size - s->off;
	ret = sfs_file_write(conn->fs, s->ino, s->off, s->data, s->len);
	if (ret >= 0 && ret < s->len)
		ret = -EIO;
	return ret < 0 ? ret : 0;
}

static void note_error(struct sfs_stores *st, uint64_t ino, int err)
{
	struct sfs_store_err *e = malloc(sizeof(*e));

	sfs_log(SFS_LOG_ERR,
		"stores into a mapping of inode %llu are lost: %s",
		(unsigned long long)ino, strerror(-err));
	if (!e)
		return;
	pthread_mutex_lock(&st->lock);
	*e = (struct sfs_store_err){ st->errs, ino, err };
	st->errs = e;
	pthread_mutex_unlock(&st->lock);
}

void sfs_stores_write(struct sfs_conn *conn, uint64_t ino)
{
	struct sfs_stores *st = &conn->stores;
	struct sfs_store *s;
	int ret;

	while (atomic_load(&st->nr) && (s = take_store(st, ino))) {
		ret = write_store(conn, s);
		if (ret < 0)
			note_error(st, ino, ret);
		done_store(conn, s);
	}
}

static void drop_stores(struct sfs_conn *conn, uint64_t ino, int err)
{
	struct sfs_store *s;

	while ((s = take_store(&conn->stores, ino)))
		done_store(conn, s);
	note_error(&conn->stores, ino, err);
}

void sfs_stores_flush(struct sfs_conn *conn, uint64_t ino)
{
	struct sfs_change ch;
	struct sfs_use use;
	int ret;

	/*
	 * The lock is fetched first: a truncation that is in the way of giving
	 * it up (op_attr.c) must not find us waiting with the inode's lock.
	 */
	do {
		if (!atomic_load(&conn->stores.nr))
			return;
		ret = sfs_use_begin(conn->fs, ino, SFS_USE_WRITE, &use);
		if (ret == 0) {
			sfs_use_end(conn->fs, &use);
			ret = sfs_change_begin(conn, ino, SFS_USE_NOWAIT, &ch);
		}
	} while (ret == -EAGAIN);
	if (ret == 0) {
		sfs_stores_write(conn, ino);
		sfs_change_end(conn, &ch);
	} else if (ret != -EINTR) {
		drop_stores(conn, ino, ret);
	}
}

static int take_error(struct sfs_stores *st, uint64_t ino)
{
	struct sfs_store_err **p = &st->errs, *e;
	int err = 0;

	pthread_mutex_lock(&st->lock);
	while ((e = *p)) {
		if (e->ino != ino) {
			p = &e->next;
			continue;
		}
		err = e->err;
		*p = e->next;
		free(e);
	}
	pthread_mutex_unlock(&st->lock);
	return err;
}

int sfs_stores_sync(struct sfs_conn *conn, uint64_t ino)
{
	sfs_stores_flush(conn, ino);
	return take_error(&conn->stores, ino);
}

static void *stores_main(void *arg)
{
	struct sfs_conn *conn = arg;
	struct sfs_stores *st = &conn->stores;
	uint64_t ino;

	pthread_mutex_lock(&st->lock);
	while (!st->stop || st->head) {
		if (!st->head) {
			pthread_cond_wait(&st->wake, &st->lock);
			continue;
		}
		ino = st->head->ino;
		pthread_mutex_unlock(&st->lock);
		sfs_stores_flush(conn, ino);
		pthread_mutex_lock(&st->lock);
	}
	pthread_mutex_unlock(&st->lock);
	return NULL;
}

void sfs_stores_exit(struct sfs_conn *conn)
{
	struct sfs_stores *st = &conn->stores;
	struct sfs_store_err *e;

	pthread_mutex_lock(&st->lock);
	st->stop = true;
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
	if (st->started)
		pthread_join(st->thread, NULL);
	while ((e = st->errs)) {
		st->errs = e->next;
		free(e);
	}
	pthread_cond_destroy(&st->wake);
	pthread_mutex_destroy(&st->lock);
}

/* ---- coming in ---------------------------------------------------------- */

int sfs_stores_add(struct sfs_req *req)
{
	const struct fw_write_in *in = req->d.arg;
	struct sfs_stores *st = &req->conn->stores;
	struct sfs_store *s = malloc(sizeof(*s) + req->d.data_len);
	bool full;
	int ret = 0;

	if (!s)
		return -ENOMEM;
	*s = (struct sfs_store){
		.ino = req->d.h->nodeid,
		.off = in->offset,
		.len = req->d.data_len,
		.h = *req->d.h,
		.fd = req->fd,
	};
	memcpy(s->data, req->d.data, req->d.data_len);
	pthread_mutex_lock(&st->lock);
	if (!st->started) {
		ret = -pthread_create(&st->thread, NULL, stores_main,
				      req->conn);
		st->started = ret == 0;
		st->tail = &st->head;
	}
	if (ret < 0) {
		pthread_mutex_unlock(&st->lock);
		free(s);
		return ret;
	}
	/* the request's own answer, then, is not the file's any more */
	full = st->bytes > LIMIT;
	if (!full)
		s->fd = -1;
	*st->tail = s;
	st->tail = &s->next;
	st->bytes += s->len;
	atomic_fetch_add(&st->nr, 1);
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
	return full;
}

void sfs_stores_help(struct sfs_conn *conn)
{
	struct sfs_stores *st = &conn->stores;
	struct sfs_store *s;

	pthread_mutex_lock(&st->lock);
	for (s = st->head; s; s = s->next)
		reply_store(conn, s);
	pthread_mutex_unlock(&st->lock);
}

void sfs_stores_read(struct sfs_conn *conn, uint64_t ino, uint64_t off,
		     char *buf, uint64_t len)
{
	struct sfs_stores *st = &conn->stores;
	struct sfs_store *s;
	uint64_t from, to;

	if (!atomic_load(&st->nr))
		return;
	pthread_mutex_lock(&st->lock);
	for (s = st->head; s; s = s->next) {
		from = s->off > off ? s->off : off;
		to = s->off + s->len < off + len ? s->off + s->len : off + len;
		if (s->ino == ino && from < to)
			memcpy(buf + (from - off), s->data + (from - s->off),
			       to - from);
	}
	pthread_mutex_unlock(&st->lock);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of flock() and fcntl().
 *
 * The kernel keeps nothing of them and asks for each; its number of an owner is
 * the core's.  A call has no thread while it waits: the core calls back, and
 * that replies.  FUSE_INTERRUPT cancels it there.
 *
 * What is unlocked when files are closed: POSIX locks by FLUSH, which every
 * close() sends with its owner, and flock's by RELEASE, which says so.  Of OFD
 * locks nothing tells: their requests look like those of POSIX locks, but their
 * owner, an open file, never flushes.  So each owner is remembered with the
 * handle that it locked through until it flushes that, and those that are left
 * when the handle is released are unlocked then.
 *
 * For the same reason OFD locks are taken for POSIX ones and may get EDEADLK.
 *
 * lockers->lock is a leaf.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define BUCKETS SFS_LOCKER_BUCKETS

struct sfs_locker {
	struct sfs_locker *next;
	uint64_t fh;
	uint64_t ino;
	uint64_t owner;
};

/* ---- owners and handles ------------------------------------------------- */

void sfs_lockers_init(struct sfs_lockers *lk)
{
	pthread_mutex_init(&lk->lock, NULL);
}

void sfs_lockers_exit(struct sfs_lockers *lk)
{
	struct sfs_locker *l;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		while ((l = lk->bucket[i])) {
			lk->bucket[i] = l->next;
			free(l);
		}
	}
	pthread_mutex_destroy(&lk->lock);
}

static struct sfs_locker **locker_bucket(struct sfs_lockers *lk, uint64_t fh)
{
	return &lk->bucket[(uint32_t)fh % BUCKETS];
}

static int locker_add(struct sfs_lockers *lk, uint64_t fh, uint64_t ino,
		      uint64_t owner)
{
	struct sfs_locker **head = locker_bucket(lk, fh), *l;
	struct sfs_locker *new = malloc(sizeof(*new));

	if (!new)
		return -ENOMEM;
	*new = (struct sfs_locker){ .fh = fh, .ino = ino, .owner = owner };
	pthread_mutex_lock(&lk->lock);
	for (l = *head; l && (l->fh != fh || l->owner != owner);)
		l = l->next;
	if (!l) {
		new->next = *head;
		*head = new;
		new = NULL;
	}
	pthread_mutex_unlock(&lk->lock);
	free(new);
	return 0;
}

/* Takes out that owner of the handle, or (@owner NULL) any; the caller frees. */
static struct sfs_locker *locker_take(struct sfs_lockers *lk, uint64_t fh,
				      const uint64_t *owner)
{
	struct sfs_locker **p = locker_bucket(lk, fh), *l;

	pthread_mutex_lock(&lk->lock);
	while ((l = *p) && (l->fh != fh || (owner && l->owner != *owner)))
		p = &l->next;
	if (l)
		*p = l->next;
	pthread_mutex_unlock(&lk->lock);
	return l;
}

static void forget(void *arg, int ret, const struct sfs_flock *lk)
{
}

/* The caller does not wait: a file that is released has nobody any more. */
static void unlock_all(struct sfs_conn *conn, uint64_t ino, uint64_t owner,
		       uint8_t kind)
{
	struct sfs_flock lk = {
		.ino = ino,
		.owner = owner,
		.end = UINT64_MAX,
		.kind = kind,
		.type = SFS_FLOCK_NONE,
	};
	__u64 ticket;

	sfs_flock_begin(conn->fs, SFS_FLOCK_SET, &lk, forget, NULL, &ticket);
}

void sfs_unlock_released(struct sfs_conn *conn, uint64_t ino,
			 const struct fw_release_in *in)
{
	struct sfs_locker *l;

	if (in->release_flags & FW_RELEASE_FLOCK_UNLOCK)
		unlock_all(conn, ino, in->lock_owner, SFS_FLOCK_FLOCK);
	while ((l = locker_take(&conn->lockers, in->fh, NULL))) {
		unlock_all(conn, l->ino, l->owner, SFS_FLOCK_POSIX);
		free(l);
	}
}

/* ---- requests ----------------------------------------------------------- */

static uint32_t type_to_wire(uint8_t type)
{
	switch (type) {
	case SFS_FLOCK_READ:
		return F_RDLCK;
	case SFS_FLOCK_WRITE:
		return F_WRLCK;
	default:
		return F_UNLCK;
	}
}

static int lock_from_wire(const struct sfs_req *req, struct sfs_flock *ret_lk)
{
	const struct fw_lk_in *in = req->d.arg;
	struct sfs_flock lk = {
		.ino = req->d.h->nodeid,
		.owner = in->owner,
		.start = in->lk.start,
		.end = in->lk.end,
		.pid = in->lk.pid,
		.kind = in->lk_flags & FW_LK_FLOCK ? SFS_FLOCK_FLOCK :
						     SFS_FLOCK_POSIX,
	};

	switch (in->lk.type) {
	case F_RDLCK:
		lk.type = SFS_FLOCK_READ;
		break;
	case F_WRLCK:
		lk.type = SFS_FLOCK_WRITE;
		break;
	case F_UNLCK:
		lk.type = SFS_FLOCK_NONE;
		break;
	default:
		return -EINVAL;
	}
	if (lk.start > lk.end)
		return -EINVAL;
	*ret_lk = lk;
	return 0;
}

/* On any thread, once. */
static void answer(void *arg, int ret, const struct sfs_flock *lk)
{
	struct sfs_req *req = arg;
	struct fw_lk_out out;

	if (ret < 0 || req->d.h->opcode != FW_GETLK) {
		sfs_reply_err(req, ret);
	} else {
		out.lk = (struct fw_file_lock){
			.start = lk->start,
			.end = lk->end,
			.type = type_to_wire(lk->type),
			/* of another mount's processes nothing is known here */
			.pid = lk->rid == sfs_rid(req->conn->fs) ? lk->pid : 0,
		};
		sfs_reply_buf(req, &out, sizeof(out));
	}
	sfs_req_deactivate(req);
	free(req);
}

static void begin(struct sfs_req *req, int call, const struct sfs_flock *lk)
{
	struct sfs_conn *conn = req->conn;
	uint64_t unique = req->d.h->unique;
	struct sfs_req *work;
	__u64 ticket;

	work = sfs_req_detach(req);
	if (!work)
		return;
	sfs_flock_begin(conn->fs, call, lk, answer, work, &ticket);
	/* @work may be gone; an interrupt may have come before the ticket */
	sfs_req_has_ticket(conn, unique, ticket);
}

void op_getlk(struct sfs_req *req)
{
	struct sfs_flock lk;
	int ret;

	ret = lock_from_wire(req, &lk);
	if (ret < 0)
		sfs_reply_err(req, ret);
	else
		begin(req, SFS_FLOCK_GET, &lk);
}

static void set_lock(struct sfs_req *req, int call)
{
	const struct fw_lk_in *in = req->d.arg;
	struct sfs_flock lk;
	int ret;

	ret = lock_from_wire(req, &lk);
	if (ret == 0 && lk.type && lk.kind != SFS_FLOCK_FLOCK)
		ret = locker_add(&req->conn->lockers, in->fh, lk.ino,
				 lk.owner);
	if (ret < 0)
		sfs_reply_err(req, ret);
	else
		begin(req, call, &lk);
}

void op_setlk(struct sfs_req *req)
{
	set_lock(req, SFS_FLOCK_SET);
}

void op_setlkw(struct sfs_req *req)
{
	set_lock(req, SFS_FLOCK_WAIT);
}

/* One for each close(): mostly there is nothing to do. */
void op_flush(struct sfs_req *req)
{
	const struct fw_flush_in *in = req->d.arg;
	struct sfs_flock lk = {
		.ino = req->d.h->nodeid,
		.owner = in->lock_owner,
		.end = UINT64_MAX,
		.kind = SFS_FLOCK_POSIX,
		.type = SFS_FLOCK_NONE,
	};
	struct sfs_flock held;

	free(locker_take(&req->conn->lockers, in->fh,
			 &in->lock_owner));
	if (sfs_flock_held(req->conn->fs, &lk, &held))
		begin(req, SFS_FLOCK_SET, &lk);
	else
		sfs_reply_err(req, 0);
}

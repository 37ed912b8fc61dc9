// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lock service: which mount holds which lock, and who waits for it.
 *
 * A lock has holders (one that writes, or any number that read) and requests
 * that wait in the order they came.  The first of them is granted when no
 * holder is in its way; holders that are get a revoke, which says what they may
 * keep.  A request for reading that finds nobody else is granted for writing,
 * so a mount that works alone asks once per lock.
 *
 * Who wants to write and has the lock for reading says so in its request; it is
 * granted in place when no other holder is left and its own has not been
 * revoked for somebody before it.
 *
 * need_version.  A holder releases a lock once what it changed under it is part
 * of the volume; the next grant carries the version of that, and the largest
 * stamp in it, which the clock of the next holder goes beyond.  Of a lock that
 * nobody holds or waits for nothing is kept; the highest version and stamp that
 * were forgotten so count for all locks that are not in the table.
 *
 * Messages may be lost or come twice.  A request is repeated with its number:
 * if its grant is in force, that is sent again.  A release counts for the epoch
 * that was granted last to that mount, for no other.  A holder that asks again
 * without saying that it holds anything has released, or never got the grant:
 * it is told to release what it has here, and answers either way.
 *
 * All of it is volatile: a new server has it from the mounts.
 *
 * Locks: locks.mutex, taken in the receive path; nothing is waited for under it
 * but memory.
 */
#include "server/server.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "net/lock_names.h"

#define RESEND_MS 1000
#define NOT_REVOKED 255
#define EPOCH_TERM_SHIFT 40

struct srv_lock {
	struct list_head hash;
	u64 id;
	u64 version;			/* needed by the next grant */
	u64 stamp;			/* largest of what was changed under it */
	struct list_head holders;
	struct list_head waiters;
};

struct holder {
	struct list_head head;		/* lock->holders */
	struct list_head sess_head;	/* sess->lock_holders */
	struct list_head revoking;	/* locks.revoking */
	struct srv_lock *lock;
	struct sfs_session *sess;
	u64 epoch;
	u64 req_nr;			/* of the request it was granted for */
	unsigned long told;		/* jiffies: of the last revoke */
	u8 mode;
	u8 keep;			/* it was told to keep that, NOT_REVOKED */
};

struct waiter {
	struct list_head head;		/* lock->waiters */
	struct list_head sess_head;	/* sess->lock_waiters */
	struct srv_lock *lock;
	struct sfs_session *sess;
	u64 req_nr;
	u64 held_epoch;
	u8 mode;
};

/* ---- the table ---------------------------------------------------------------- */

static struct list_head *bucket_of(struct sfs_srv_locks *locks, u64 id)
{
	u32 hash = (u32)((id * 0x9e3779b97f4a7c15ULL) >> 32);

	return &locks->hash[hash % SFS_SRV_LOCK_BUCKETS];
}

static struct srv_lock *find(struct sfs_srv_locks *locks, u64 id)
{
	struct srv_lock *lk;

	lockdep_assert_held(&locks->mutex);
	list_for_each_entry(lk, bucket_of(locks, id), hash) {
		if (lk->id == id)
			return lk;
	}
	return NULL;
}

static struct srv_lock *find_or_make(struct sfs_srv_locks *locks, u64 id)
{
	struct srv_lock *lk = find(locks, id);

	if (lk)
		return lk;
	lk = kzalloc(sizeof(*lk), GFP_NOFS);
	if (!lk)
		return NULL;
	lk->id = id;
	lk->version = locks->floor;
	lk->stamp = locks->floor_stamp;
	INIT_LIST_HEAD(&lk->holders);
	INIT_LIST_HEAD(&lk->waiters);
	list_add(&lk->hash, bucket_of(locks, id));
	locks->nr++;
	return lk;
}

static void put_if_unused(struct sfs_srv_locks *locks, struct srv_lock *lk)
{
	if (!list_empty(&lk->holders) || !list_empty(&lk->waiters))
		return;
	locks->floor = max(locks->floor, lk->version);
	locks->floor_stamp = max(locks->floor_stamp, lk->stamp);
	list_del(&lk->hash);
	locks->nr--;
	kfree(lk);
}

static struct holder *holder_of(struct srv_lock *lk,
				const struct sfs_session *sess)
{
	struct holder *h;

	list_for_each_entry(h, &lk->holders, head) {
		if (h->sess == sess)
			return h;
	}
	return NULL;
}

static struct waiter *waiter_of(struct srv_lock *lk,
				const struct sfs_session *sess)
{
	struct waiter *w;

	list_for_each_entry(w, &lk->waiters, head) {
		if (w->sess == sess)
			return w;
	}
	return NULL;
}

static struct holder *holder_add(struct srv_lock *lk, struct sfs_session *sess)
{
	struct holder *h = kzalloc(sizeof(*h), GFP_NOFS);

	if (!h)
		return NULL;
	h->lock = lk;
	h->sess = sess;
	h->keep = NOT_REVOKED;
	INIT_LIST_HEAD(&h->revoking);
	list_add_tail(&h->head, &lk->holders);
	list_add_tail(&h->sess_head, &sess->lock_holders);
	return h;
}

static void holder_del(struct holder *h)
{
	list_del(&h->head);
	list_del(&h->sess_head);
	list_del(&h->revoking);
	kfree(h);
}

static void waiter_del(struct waiter *w)
{
	list_del(&w->head);
	list_del(&w->sess_head);
	kfree(w);
}

/* ---- telling ---------------------------------------------------------------------- */

static void send_grant(struct srv_lock *lk, const struct holder *h)
{
	struct sfs_msg_lock_grant *body;
	struct sfs_msg *msg;

	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_GRANT, sizeof(*body));
	body = (struct sfs_msg_lock_grant *)msg->payload;
	body->id = cpu_to_le64(lk->id);
	body->nr = cpu_to_le64(h->req_nr);
	body->epoch = cpu_to_le64(h->epoch);
	body->need_version = cpu_to_le64(lk->version);
	body->stamp = cpu_to_le64(lk->stamp);
	body->mode = h->mode;
	sfs_srv_send(h->sess, msg);
}

static void send_revoke(struct sfs_server *srv, struct holder *h)
{
	struct sfs_msg_lock_revoke *body;
	struct sfs_msg *msg;

	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_REVOKE, sizeof(*body));
	body = (struct sfs_msg_lock_revoke *)msg->payload;
	body->id = cpu_to_le64(h->lock->id);
	body->epoch = cpu_to_le64(h->epoch);
	body->keep = h->keep;
	h->told = jiffies;
	sfs_srv_send(h->sess, msg);
	sfs_count(srv->cnt, server_revokes);
}

/* @quietly: its release is on its way, most likely. */
static void revoke(struct sfs_server *srv, struct holder *h, u8 keep,
		   bool quietly)
{
	struct sfs_srv_locks *locks = &srv->locks;

	if (h->keep <= keep)
		return;
	h->keep = keep;
	h->told = jiffies;
	if (list_empty(&h->revoking))
		list_add_tail(&h->revoking, &locks->revoking);
	if (!quietly)
		send_revoke(srv, h);
	if (!locks->stopping)
		queue_delayed_work(srv->job_wq, &locks->resend,
				   msecs_to_jiffies(RESEND_MS));
}

static void resend_revokes(struct work_struct *work)
{
	struct sfs_srv_locks *locks = container_of(to_delayed_work(work),
						   struct sfs_srv_locks,
						   resend);
	struct sfs_server *srv = container_of(locks, struct sfs_server, locks);
	unsigned long old = jiffies - msecs_to_jiffies(RESEND_MS);
	struct holder *h;

	mutex_lock(&locks->mutex);
	list_for_each_entry(h, &locks->revoking, revoking) {
		if (time_after_eq(old, h->told))
			send_revoke(srv, h);
	}
	if (!list_empty(&locks->revoking) && !locks->stopping)
		queue_delayed_work(srv->job_wq, &locks->resend,
				   msecs_to_jiffies(RESEND_MS));
	mutex_unlock(&locks->mutex);
}

/* ---- granting --------------------------------------------------------------------- */

/*
 * Makes room for @w: true when there is.  Its own holder is in the way unless
 * it is what the request says it has and nobody wants that back.
 */
static bool make_room(struct sfs_server *srv, struct srv_lock *lk,
		      struct waiter *w)
{
	bool room = true;
	struct holder *h;

	list_for_each_entry(h, &lk->holders, head) {
		if (h->sess == w->sess) {
			if (h->epoch == w->held_epoch && h->keep == NOT_REVOKED)
				continue;
			revoke(srv, h, SFS_LOCK_NONE, true);
			room = false;
		} else if (w->mode == SFS_LOCK_WRITE) {
			revoke(srv, h, SFS_LOCK_NONE, false);
			room = false;
		} else if (h->mode == SFS_LOCK_WRITE) {
			revoke(srv, h, SFS_LOCK_READ, false);
			room = false;
		} else if (h->keep != NOT_REVOKED) {
			room = false;	/* told to go: it will */
		}
	}
	return room;
}

static bool grant(struct sfs_server *srv, struct srv_lock *lk, struct waiter *w)
{
	struct holder *h = holder_of(lk, w->sess);
	bool alone;

	if (!h)
		h = holder_add(lk, w->sess);
	if (!h)
		return false;	/* the request comes again */
	alone = list_is_singular(&lk->holders) &&
		list_is_singular(&lk->waiters);
	h->mode = alone ? SFS_LOCK_WRITE : w->mode;
	h->epoch = ++srv->locks.last_epoch;
	h->req_nr = w->req_nr;
	h->keep = NOT_REVOKED;
	send_grant(lk, h);
	sfs_count(srv->cnt, server_grants);
	return true;
}

static void process(struct sfs_server *srv, struct srv_lock *lk)
{
	struct waiter *w;

	while ((w = list_first_entry_or_null(&lk->waiters, struct waiter,
					     head))) {
		if (!make_room(srv, lk, w) || !grant(srv, lk, w))
			break;
		waiter_del(w);
	}
	put_if_unused(&srv->locks, lk);
}

static void add_waiter(struct srv_lock *lk, struct sfs_session *sess,
		       const struct sfs_msg_lock_request *body)
{
	struct waiter *w = kzalloc(sizeof(*w), GFP_NOFS);

	if (!w)
		return;		/* the request comes again */
	w->lock = lk;
	w->sess = sess;
	w->req_nr = le64_to_cpu(body->nr);
	w->held_epoch = le64_to_cpu(body->held_epoch);
	w->mode = body->mode;
	list_add_tail(&w->head, &lk->waiters);
	list_add_tail(&w->sess_head, &sess->lock_waiters);
}

static void on_request(struct sfs_session *sess, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_request *body =
		(const struct sfs_msg_lock_request *)msg->payload;
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk;
	struct waiter *w;
	struct holder *h;
	u64 nr;

	if (sfs_msg_len(msg) < sizeof(*body) || body->mode < SFS_LOCK_READ ||
	    body->mode > SFS_LOCK_WRITE)
		return;
	nr = le64_to_cpu(body->nr);
	mutex_lock(&locks->mutex);
	lk = find_or_make(locks, le64_to_cpu(body->id));
	h = lk ? holder_of(lk, sess) : NULL;
	w = lk ? waiter_of(lk, sess) : NULL;
	if (h && h->req_nr == nr) {
		send_grant(lk, h);	/* the first one was lost, perhaps */
	} else if (w && w->req_nr == nr) {
		w->held_epoch = le64_to_cpu(body->held_epoch);
		process(sess->srv, lk);
	} else if (lk && !(h && h->req_nr > nr)) {
		if (w)
			waiter_del(w);
		add_waiter(lk, sess, body);
		process(sess->srv, lk);
	}
	mutex_unlock(&locks->mutex);
}

/* ---- releasing -------------------------------------------------------------------- */

/* The next holder needs all that this one has published. */
static void was_written(struct srv_lock *lk, const struct sfs_session *sess)
{
	lk->version = max(lk->version, sess->published);
	lk->stamp = max(lk->stamp, sess->published_stamp);
}

static void release(struct sfs_session *sess, u64 id, u64 epoch, u8 keep)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk = find(locks, id);
	struct holder *h = lk ? holder_of(lk, sess) : NULL;

	if (!h || h->epoch != epoch || keep >= h->mode)
		return;
	if (h->mode == SFS_LOCK_WRITE)
		was_written(lk, sess);
	h->mode = keep;
	if (h->keep >= keep) {
		h->keep = NOT_REVOKED;
		list_del_init(&h->revoking);
	}
	if (keep == SFS_LOCK_NONE)
		holder_del(h);
	process(sess->srv, lk);
}

static void on_release(struct sfs_session *sess, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_release *body =
		(const struct sfs_msg_lock_release *)msg->payload;
	struct sfs_srv_locks *locks = &sess->srv->locks;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	mutex_lock(&locks->mutex);
	release(sess, le64_to_cpu(body->id), le64_to_cpu(body->epoch),
		body->keep);
	mutex_unlock(&locks->mutex);
}

void sfs_srv_locks_published(struct sfs_session *sess, u64 version, u64 stamp,
			     const struct sfs_msg_lock_release *rels, u32 nr)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	u32 i;

	mutex_lock(&locks->mutex);
	sess->published = max(sess->published, version);
	sess->published_stamp = max(sess->published_stamp, stamp);
	for (i = 0; i < nr; i++)
		release(sess, le64_to_cpu(rels[i].id),
			le64_to_cpu(rels[i].epoch), rels[i].keep);
	mutex_unlock(&locks->mutex);
}

void sfs_srv_lock_message(struct sfs_session *sess, const struct sfs_msg *msg)
{
	if (le16_to_cpu(msg->hdr.type) == SFS_MSG_LOCK_REQUEST)
		on_request(sess, msg);
	else
		on_release(sess, msg);
}

u64 sfs_srv_lock_new(struct sfs_session *sess, u64 id)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk;
	struct holder *h = NULL;
	u64 epoch = 0;

	mutex_lock(&locks->mutex);
	lk = find_or_make(locks, id);
	if (lk && list_empty(&lk->holders))
		h = holder_add(lk, sess);
	if (h) {
		h->mode = SFS_LOCK_WRITE;
		h->epoch = ++locks->last_epoch;
		epoch = h->epoch;
	} else if (lk) {
		put_if_unused(locks, lk);
	}
	mutex_unlock(&locks->mutex);
	return epoch;
}

void sfs_srv_locks_forget(struct sfs_session *sess)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk;
	struct waiter *w;
	struct holder *h;

	mutex_lock(&locks->mutex);
	while ((w = list_first_entry_or_null(&sess->lock_waiters,
					     struct waiter, sess_head))) {
		lk = w->lock;
		waiter_del(w);
		process(sess->srv, lk);
	}
	while ((h = list_first_entry_or_null(&sess->lock_holders,
					     struct holder, sess_head))) {
		lk = h->lock;
		if (h->mode == SFS_LOCK_WRITE)
			was_written(lk, sess);
		holder_del(h);
		process(sess->srv, lk);
	}
	mutex_unlock(&locks->mutex);
}

/* ---- life --------------------------------------------------------------------------- */

void sfs_srv_locks_init(struct sfs_server *srv)
{
	struct sfs_srv_locks *locks = &srv->locks;
	u32 i;

	mutex_init(&locks->mutex);
	for (i = 0; i < SFS_SRV_LOCK_BUCKETS; i++)
		INIT_LIST_HEAD(&locks->hash[i]);
	INIT_LIST_HEAD(&locks->revoking);
	INIT_DELAYED_WORK(&locks->resend, resend_revokes);
}

/*
 * What is in the log when a server starts is needed by all that it grants.  Its
 * epochs are above those of all servers before.
 */
void sfs_srv_locks_begin(struct sfs_server *srv)
{
	struct sfs_srv_locks *locks = &srv->locks;

	locks->floor = srv->version;
	locks->floor_stamp = srv->next_seq - 1;
	locks->last_epoch = sfs_store_term(srv->store) << EPOCH_TERM_SHIFT;
}

void sfs_srv_locks_stop(struct sfs_server *srv)
{
	struct sfs_srv_locks *locks = &srv->locks;

	mutex_lock(&locks->mutex);
	locks->stopping = true;
	mutex_unlock(&locks->mutex);
	cancel_delayed_work_sync(&locks->resend);
	SFS_ASSERT_CMP(locks->nr, ==, 0);
}

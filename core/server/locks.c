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
 * In use.  With its release a mount says what it has open of the group; grants
 * carry what others have.  Who would delete such an inode watches it and is told
 * when nobody has it any more; when a mount goes, another one is asked to look
 * for what that left undeleted.
 *
 * All of it is volatile: a new server has it from the mounts.
 *
 * Locks: locks.mutex, taken in the receive path; nothing is waited for under it
 * but memory.
 */
#include "server/server.h"

#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/report.h"
#include "net/lock_names.h"
#include "server/dump.h"

#define RESEND_MS 1000
#define NOT_REVOKED 255

struct srv_lock {
	struct list_head hash;
	u64 id;
	u64 version;			/* needed by the next grant */
	u64 stamp;			/* largest of what was changed under it */
	struct list_head holders;
	struct list_head waiters;
	struct list_head users;		/* mounts with inodes in use */
	struct list_head watches;
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
	unsigned long since;		/* jiffies */
	u8 mode;
};

/* What a mount that does not hold the lock has in use of the group. */
struct user {
	struct list_head head;		/* lock->users */
	struct list_head sess_head;	/* sess->lock_users */
	struct srv_lock *lock;
	struct sfs_session *sess;
	struct sfs_msg_in_use in_use;
};

/* A mount that would delete an inode. */
struct watch {
	struct list_head head;		/* lock->watches */
	struct list_head sess_head;	/* sess->lock_watches */
	struct srv_lock *lock;
	struct sfs_session *sess;
	u64 ino;
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
	INIT_LIST_HEAD(&lk->users);
	INIT_LIST_HEAD(&lk->watches);
	list_add(&lk->hash, bucket_of(locks, id));
	locks->nr++;
	return lk;
}

static void put_if_unused(struct sfs_srv_locks *locks, struct srv_lock *lk)
{
	if (!list_empty(&lk->holders) || !list_empty(&lk->waiters) ||
	    !list_empty(&lk->users) || !list_empty(&lk->watches))
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

static void user_del(struct user *user)
{
	list_del(&user->head);
	list_del(&user->sess_head);
	kfree(user);
}

static void watch_del(struct watch *w)
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
	struct user *user;
	u32 i;

	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_GRANT, sizeof(*body));
	body = (struct sfs_msg_lock_grant *)msg->payload;
	body->id = cpu_to_le64(lk->id);
	body->nr = cpu_to_le64(h->req_nr);
	body->epoch = cpu_to_le64(h->epoch);
	body->need_version = cpu_to_le64(lk->version);
	body->stamp = cpu_to_le64(lk->stamp);
	body->mode = h->mode;
	list_for_each_entry(user, &lk->users, head) {
		if (user->sess == h->sess)
			continue;
		for (i = 0; i < ARRAY_SIZE(body->others.bits); i++)
			body->others.bits[i] |= user->in_use.bits[i];
	}
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
	w->since = jiffies;
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

/* ---- in use ------------------------------------------------------------------------- */

static bool has_in_use(const struct user *user, u64 ino)
{
	u32 i = ino & ((1U << SFS_LOCK_GROUP_SHIFT) - 1);

	return le64_to_cpu(user->in_use.bits[i / 64]) >> (i % 64) & 1;
}

static void send_unused(struct sfs_session *sess, u64 ino, u64 epoch)
{
	struct sfs_msg_lock_unused *body;
	struct sfs_msg *msg;

	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_UNUSED, sizeof(*body));
	body = (struct sfs_msg_lock_unused *)msg->payload;
	body->ino = cpu_to_le64(ino);
	body->epoch = cpu_to_le64(epoch);
	sfs_srv_send(sess, msg);
}

static void send_ask(struct sfs_session *sess, u64 id)
{
	struct sfs_msg_lock_ask *body;
	struct sfs_msg *msg;

	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_ASK, sizeof(*body));
	body = (struct sfs_msg_lock_ask *)msg->payload;
	body->id = cpu_to_le64(id);
	sfs_srv_send(sess, msg);
}

static bool in_use_elsewhere(const struct srv_lock *lk, const struct watch *w)
{
	struct user *user;

	list_for_each_entry(user, &lk->users, head) {
		if (user->sess != w->sess && has_in_use(user, w->ino))
			return true;
	}
	return false;
}

/* Tells those who waited for it. */
static void look_at_watches(struct srv_lock *lk)
{
	struct watch *w;
	struct watch *tmp;
	struct holder *h;

	list_for_each_entry_safe(w, tmp, &lk->watches, head) {
		if (!in_use_elsewhere(lk, w)) {
			h = holder_of(lk, w->sess);
			send_unused(w->sess, w->ino, h ? h->epoch : 0);
			watch_del(w);
		}
	}
}

static struct user *user_of(struct srv_lock *lk, struct sfs_session *sess)
{
	struct user *user;

	list_for_each_entry(user, &lk->users, head) {
		if (user->sess == sess)
			return user;
	}
	return NULL;
}

static void set_in_use(struct srv_lock *lk, struct sfs_session *sess,
		       const struct sfs_msg_in_use *in_use)
{
	struct user *user = user_of(lk, sess);
	bool none = !memchr_inv(in_use, 0, sizeof(*in_use));

	if (user && none)
		user_del(user);
	if (none)
		goto out;
	/* what a mount has in use must not be forgotten */
	while (!user && !(user = kzalloc(sizeof(*user), GFP_NOFS)))
		msleep(1);
	if (!user->lock) {
		user->lock = lk;
		user->sess = sess;
		list_add(&user->head, &lk->users);
		list_add(&user->sess_head, &sess->lock_users);
	}
	user->in_use = *in_use;
out:
	look_at_watches(lk);
}

/* From a mount without the lock; who has it says so with its release. */
static void on_in_use(struct sfs_session *sess, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_in_use *body =
		(const struct sfs_msg_lock_in_use *)msg->payload;
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	mutex_lock(&locks->mutex);
	lk = find(locks, le64_to_cpu(body->id));
	if (lk && !holder_of(lk, sess)) {
		set_in_use(lk, sess, &body->in_use);
		put_if_unused(locks, lk);
	}
	mutex_unlock(&locks->mutex);
}

static void add_watch(struct srv_lock *lk, struct sfs_session *sess, u64 ino)
{
	struct watch *w;

	list_for_each_entry(w, &lk->watches, head) {
		if (w->sess == sess && w->ino == ino)
			return;
	}
	w = kzalloc(sizeof(*w), GFP_NOFS);
	if (!w)
		return;		/* it comes again */
	w->lock = lk;
	w->sess = sess;
	w->ino = ino;
	list_add_tail(&w->head, &lk->watches);
	list_add_tail(&w->sess_head, &sess->lock_watches);
}

static void on_watch(struct sfs_session *sess, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_watch *body =
		(const struct sfs_msg_lock_watch *)msg->payload;
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk;
	struct user *user;
	u64 ino;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	ino = le64_to_cpu(body->ino);
	mutex_lock(&locks->mutex);
	lk = find_or_make(locks, sfs_lock_of_ino(ino));
	if (lk) {
		add_watch(lk, sess, ino);
		/* they said so once; that they do not any more may be lost */
		list_for_each_entry(user, &lk->users, head) {
			if (user->sess != sess && has_in_use(user, ino))
				send_ask(user->sess, lk->id);
		}
		look_at_watches(lk);
		put_if_unused(locks, lk);
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

static void release(struct sfs_session *sess,
		    const struct sfs_msg_lock_release *body)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk = find(locks, le64_to_cpu(body->id));
	struct holder *h = lk ? holder_of(lk, sess) : NULL;
	u8 keep = body->keep;

	if (!h || keep >= h->mode ||
	    (h->epoch != le64_to_cpu(body->epoch) &&
	     !sfs_broken(sess->srv->host, RELNOEPOCH)))
		return;
	if (h->mode == SFS_LOCK_WRITE)
		was_written(lk, sess);
	h->mode = keep;
	if (h->keep >= keep) {
		h->keep = NOT_REVOKED;
		list_del_init(&h->revoking);
	}
	if (keep == SFS_LOCK_NONE) {
		holder_del(h);
		set_in_use(lk, sess, &body->in_use);
	}
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
	release(sess, body);
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
		release(sess, &rels[i]);
	mutex_unlock(&locks->mutex);
}

void sfs_srv_lock_message(struct sfs_session *sess, const struct sfs_msg *msg)
{
	switch (le16_to_cpu(msg->hdr.type)) {
	case SFS_MSG_LOCK_REQUEST:
		on_request(sess, msg);
		break;
	case SFS_MSG_LOCK_RELEASE:
		on_release(sess, msg);
		break;
	case SFS_MSG_LOCK_IN_USE:
		on_in_use(sess, msg);
		break;
	case SFS_MSG_LOCK_WATCH:
		on_watch(sess, msg);
		break;
	}
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

/* ---- mounts that go ------------------------------------------------------------------- */

static void forget(struct sfs_session *sess)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk;
	struct watch *watch;
	struct waiter *w;
	struct holder *h;
	struct user *user;

	while ((watch = list_first_entry_or_null(&sess->lock_watches,
						 struct watch, sess_head))) {
		lk = watch->lock;
		watch_del(watch);
		put_if_unused(locks, lk);
	}
	while ((user = list_first_entry_or_null(&sess->lock_users,
						struct user, sess_head))) {
		lk = user->lock;
		user_del(user);
		look_at_watches(lk);
		put_if_unused(locks, lk);
	}
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
}

/* ---- from mounts that live on ---------------------------------------------------------- */

/*
 * Two that say they have it and can not both be right.  (What a mount gave up
 * with a publish that the log has it does not say any more.)
 */
static int recover_conflict(struct srv_lock *lk, struct sfs_session *sess,
			    u8 mode)
{
	struct holder *h;

	list_for_each_entry(h, &lk->holders, head) {
		if (h->sess == sess ||
		    (h->mode == SFS_LOCK_READ && mode == SFS_LOCK_READ))
			continue;
		sfs_err(sess->srv->host,
			"mounts %016llx and %016llx both say that they have lock %llu",
			sess->rid, h->sess->rid, lk->id);
		return -ESTALE;
	}
	return 0;
}

static int recover_held(struct sfs_session *sess,
			const struct sfs_msg_lock_held *say)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	struct srv_lock *lk = find_or_make(locks, le64_to_cpu(say->id));
	struct holder *h;
	int ret;

	if (!lk)
		return -ENOMEM;
	ret = recover_conflict(lk, sess, say->mode);
	if (ret < 0)
		return ret;
	h = holder_of(lk, sess);
	if (!h)
		h = holder_add(lk, sess);
	if (!h)
		return -ENOMEM;
	/* once as it is, once as it is being given up: what it had counts */
	h->mode = max(h->mode, say->mode);
	h->epoch = max(h->epoch, le64_to_cpu(say->epoch));
	return 0;
}

static int recover_in_use(struct sfs_session *sess,
			  const struct sfs_msg_lock_in_use *say)
{
	struct srv_lock *lk = find_or_make(&sess->srv->locks,
					   le64_to_cpu(say->id));

	if (!lk)
		return -ENOMEM;
	set_in_use(lk, sess, &say->in_use);
	put_if_unused(&sess->srv->locks, lk);
	return 0;
}

static int recover(struct sfs_session *sess, const struct sfs_msg *msg)
{
	const struct sfs_msg_restate *body =
		(const struct sfs_msg_restate *)msg->payload;
	const struct sfs_msg_lock_in_use *in_use;
	const struct sfs_msg_lock_held *held;
	u32 nr_held;
	u32 nr_in_use;
	u32 i;
	int ret = 0;

	if (sfs_msg_len(msg) < sizeof(*body))
		return -EPROTO;
	nr_held = le32_to_cpu(body->nr_held);
	nr_in_use = le32_to_cpu(body->nr_in_use);
	if (sizeof(*body) + (u64)nr_held * sizeof(*held) +
		    (u64)nr_in_use * sizeof(*in_use) != sfs_msg_len(msg))
		return -EPROTO;
	held = (const struct sfs_msg_lock_held *)(body + 1);
	in_use = (const struct sfs_msg_lock_in_use *)(held + nr_held);
	for (i = 0; i < nr_held && ret == 0; i++)
		ret = recover_held(sess, &held[i]);
	for (i = 0; i < nr_in_use && ret == 0; i++)
		ret = recover_in_use(sess, &in_use[i]);
	return ret;
}

int sfs_srv_locks_recover(struct sfs_session *sess, const struct sfs_msg *msg)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;
	int ret = 0;

	mutex_lock(&locks->mutex);
	if (msg)
		ret = recover(sess, msg);
	else
		forget(sess);
	mutex_unlock(&locks->mutex);
	return ret;
}

/* What the mount would have deleted, another one looks for. */
static void hand_out_work(struct sfs_session *gone)
{
	struct sfs_server *srv = gone->srv;
	struct sfs_session *sess;

	sfs_store_lock(srv->store);
	list_for_each_entry(sess, &srv->sessions, head) {
		if (sess != gone && sess->joined) {
			send_unused(sess, 0, 0);
			break;
		}
	}
	sfs_store_unlock(srv->store);
}

void sfs_srv_locks_forget(struct sfs_session *sess)
{
	struct sfs_srv_locks *locks = &sess->srv->locks;

	mutex_lock(&locks->mutex);
	forget(sess);
	mutex_unlock(&locks->mutex);
	hand_out_work(sess);
}

/* ---- for who looks for the reason of a wait -------------------------------------------- */

struct shown {
	u64 id;
	u64 rid;
	u32 ms;				/* waited, or since it was told */
	u8 mode;
	u8 keep;
	bool waits;
};

static void show(struct shown *sh, u32 *nr, u32 max, const struct shown *one)
{
	if (*nr < max)
		sh[*nr] = *one;
	++*nr;
}

/* Locks that somebody waits for: who has them, who waits and for how long. */
static u32 show_waits(struct sfs_srv_locks *locks, struct shown *sh, u32 max)
{
	struct srv_lock *lk;
	struct waiter *w;
	struct holder *h;
	u32 nr = 0;
	u32 b;

	for (b = 0; b < SFS_SRV_LOCK_BUCKETS; b++) {
		list_for_each_entry(lk, &locks->hash[b], hash) {
			if (list_empty(&lk->waiters))
				continue;
			list_for_each_entry(h, &lk->holders, head)
				show(sh, &nr, max, &(struct shown) {
					.id = lk->id,
					.rid = h->sess->rid,
					.mode = h->mode,
					.keep = h->keep,
					.ms = jiffies_to_msecs(jiffies -
							       h->told),
				});
			list_for_each_entry(w, &lk->waiters, head)
				show(sh, &nr, max, &(struct shown) {
					.id = lk->id,
					.rid = w->sess->rid,
					.mode = w->mode,
					.ms = jiffies_to_msecs(jiffies -
							       w->since),
					.waits = true,
				});
		}
	}
	return nr;
}

#define MAX_SHOWN 4096

static int print_shown(struct sfs_dump *dump, const struct shown *sh)
{
	static const char *const modes[] = { "nothing", "read", "write" };

	if (sh->waits)
		return sfs_dump_line(dump, "lock %llu mount %016llx waits for %s since-ms %u",
				     sh->id, sh->rid, modes[sh->mode], sh->ms);
	if (sh->keep != NOT_REVOKED)
		return sfs_dump_line(dump, "lock %llu mount %016llx has %s told-to-keep %s since-ms %u",
				     sh->id, sh->rid, modes[sh->mode],
				     modes[sh->keep], sh->ms);
	return sfs_dump_line(dump, "lock %llu mount %016llx has %s", sh->id,
			     sh->rid, modes[sh->mode]);
}

int sfs_srv_locks_dump(struct sfs_server *srv, struct sfs_dump *dump)
{
	struct sfs_srv_locks *locks = &srv->locks;
	struct shown *sh;
	u64 known;
	u32 nr;
	u32 i;
	int ret;

	sh = kvmalloc_array(MAX_SHOWN, sizeof(*sh), GFP_NOFS);
	if (!sh)
		return 0;
	mutex_lock(&locks->mutex);
	known = locks->nr;
	nr = show_waits(locks, sh, MAX_SHOWN);
	mutex_unlock(&locks->mutex);
	ret = sfs_dump_line(dump, "locks %llu waits-shown %u of %u", known,
			    min_t(u32, nr, MAX_SHOWN), nr);
	for (i = 0; i < nr && i < MAX_SHOWN && ret == 0; i++)
		ret = print_shown(dump, &sh[i]);
	kvfree(sh);
	return ret;
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
	locks->last_epoch = sfs_store_term(srv->store) << SFS_LOCK_EPOCH_BITS;
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

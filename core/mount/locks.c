// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cluster locks of a mount: what it holds, who uses it, and giving it up.
 *
 * A lock that was granted stays with the mount until the server revokes it, or
 * there are too many; while it is here, using it costs no message.  Users of a
 * lock come and go; those it can not serve wait in a list, and a grant turns
 * them into users before anything else happens to it, so contention can not
 * starve them.
 *
 * A revoke, in this order: new users wait (after a turn of TURN_MS since the
 * grant, if there are users or giving it up takes a publish); users drain; the
 * host writes back what it has dirty and drops what it caches (late users may
 * still come for that); then the lock is released: with the publish of the last
 * transaction that has changes made under it, or at once when that is durable.
 * It waits for no operation that waits for another lock: users hold what they
 * need already, in ascending order, and whoever publishes uses no lock.
 *
 * Invariants:
 *  - a use has what it asked for: mode >= use->mode from enter to leave
 *  - a lock with users is not released; one with late users neither
 *  - need_version was applied before a grant has users
 *  - a release leaves after the transactions it names are durable, or with the
 *    last of them
 *  - there is one request in flight per lock; a grant for another is dropped,
 *    and so is one with an epoch that was given up already
 *
 * In use.  What this mount has open of a group is told to the server when the
 * lock is given up: nobody who could delete it has the lock before that.
 *
 * Messages may be lost or come twice.  A request is repeated until it is
 * answered; a revoke of what is not here is answered with a release, unless one
 * is still to come with a publish.
 *
 * Locks: shard->lock guards all about the locks in it; txn_lock is below it.
 * Nothing is sent or allocated under either.
 */
#include "mount/locks.h"

#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "api.h"
#include "base/killable.h"
#include "base/report.h"
#include "base/triggers.h"
#include "mount/lock_types.h"

#define MAX_PER_SHARD 1024	/* 65,536 locks a mount */
#define RESEND_MS 1000

static u32 id_hash(u64 id)
{
	return (u32)((id * 0x9e3779b97f4a7c15ULL) >> 32);
}

struct sfs_lock_shard *sfs_lock_shard(struct sfs_fs *fs, u64 id)
{
	return &fs->locks->shard[id_hash(id) % SFS_LOCK_SHARDS];
}

static struct list_head *bucket_of(struct sfs_lock_shard *shard, u64 id)
{
	return &shard->hash[id_hash(id) / SFS_LOCK_SHARDS % SFS_LOCK_BUCKETS];
}

struct sfs_lock *sfs_lock_find(struct sfs_lock_shard *shard, u64 id)
{
	struct sfs_lock *lk;

	lockdep_assert_held(&shard->lock);
	list_for_each_entry(lk, bucket_of(shard, id), hash) {
		if (lk->id == id)
			return lk;
	}
	return NULL;
}

void sfs_lock_queue(struct sfs_lock *lk, unsigned long delay)
{
	struct sfs_locks *locks = lk->fs->locks;

	lockdep_assert_held(&lk->shard->lock);
	if (locks->stopping)
		return;
	mod_delayed_work(locks->wq, &lk->work, delay);
}

/* It is to come down to @keep. */
void sfs_lock_revoke(struct sfs_lock *lk, u8 keep)
{
	lockdep_assert_held(&lk->shard->lock);
	lk->keep = lk->revoking ? min(lk->keep, keep) : keep;
	lk->revoking = 1;
	sfs_lock_queue(lk, 0);
}

/* ---- messages ------------------------------------------------------------------- */

void sfs_lock_send_request(struct sfs_fs *fs, const struct sfs_lock_ask *ask)
{
	struct sfs_msg_lock_request *body;
	struct sfs_msg *msg;

	if (!ask->nr || READ_ONCE(fs->err))
		return;
	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_REQUEST, sizeof(*body));
	body = (struct sfs_msg_lock_request *)msg->payload;
	body->id = cpu_to_le64(ask->id);
	body->nr = cpu_to_le64(ask->nr);
	body->held_epoch = cpu_to_le64(ask->held_epoch);
	body->mode = ask->mode;
	sfs_client_send(&fs->net, msg);
	sfs_count(fs->cnt, lock_requests);
	queue_delayed_work(fs->locks->wq, &fs->locks->resend,
			   msecs_to_jiffies(RESEND_MS));
}

static void fill_ask(struct sfs_lock *lk, struct sfs_lock_ask *ask)
{
	lk->req_sent = jiffies;
	ask->id = lk->id;
	ask->nr = lk->req_nr;
	ask->held_epoch = lk->mode ? lk->epoch : 0;
	ask->mode = lk->req_mode;
}

static bool next_old_request(struct sfs_lock_shard *shard, struct sfs_lock_ask *ask)
{
	unsigned long old = jiffies - msecs_to_jiffies(RESEND_MS);
	struct sfs_lock *lk;
	bool found = false;

	spin_lock(&shard->lock);
	list_for_each_entry(lk, &shard->asking, asking) {
		if (time_after_eq(old, lk->req_sent)) {
			fill_ask(lk, ask);
			found = true;
			break;
		}
	}
	spin_unlock(&shard->lock);
	return found;
}

static void resend_work(struct work_struct *work)
{
	struct sfs_locks *locks = container_of(to_delayed_work(work),
					       struct sfs_locks, resend);
	struct sfs_fs *fs = locks->fs;
	bool some = false;
	struct sfs_lock_ask ask;
	u32 i;

	for (i = 0; i < SFS_LOCK_SHARDS && !READ_ONCE(fs->err); i++) {
		while (next_old_request(&locks->shard[i], &ask))
			sfs_lock_send_request(fs, &ask);
		spin_lock(&locks->shard[i].lock);
		some |= !list_empty(&locks->shard[i].asking);
		spin_unlock(&locks->shard[i].lock);
	}
	if (some)
		queue_delayed_work(locks->wq, &locks->resend,
				   msecs_to_jiffies(RESEND_MS));
}

/* ---- users ------------------------------------------------------------------------ */

static struct sfs_lock_use *use_of_this_thread(struct sfs_lock *lk)
{
	struct sfs_lock_use *use;

	list_for_each_entry(use, &lk->users, head) {
		if (use->task == current)
			return use;
	}
	return NULL;
}

/* For the thread that asks; and, but for nested uses, for one that waits. */
static bool may_enter(struct sfs_lock *lk, const struct sfs_lock_use *use)
{
	return lk->mode >= use->mode && list_empty(&lk->unapplied) &&
	       (!lk->closing || use->mode <= lk->keep ||
		(use->flags & SFS_USE_LATE));
}

static bool may_nest(struct sfs_lock *lk, const struct sfs_lock_use *use)
{
	struct sfs_lock_use *outer = use_of_this_thread(lk);

	if (!outer)
		return false;
	SFS_ASSERT_CMP(outer->mode, >=, use->mode);
	return true;
}

static void enter(struct sfs_lock *lk, struct sfs_lock_use *use)
{
	lockdep_assert_held(&lk->shard->lock);
	list_del_init(&lk->idle);
	list_add(&use->head, &lk->users);
	if (use->flags & SFS_USE_LATE) {
		lk->nr_late[use->mode]++;
		lk->late_seq++;
	} else {
		lk->nr_users[use->mode]++;
	}
	WRITE_ONCE(use->entered, 1);
}

bool sfs_lock_is_idle(const struct sfs_lock *lk)
{
	return list_empty(&lk->users) && list_empty(&lk->waiters);
}

/* Users above the mode that is kept. */
u32 sfs_lock_nr_above(const u32 *nr, u8 keep)
{
	u32 sum = 0;
	u8 mode;

	for (mode = keep + 1; mode <= SFS_LOCK_WRITE; mode++)
		sum += nr[mode];
	return sum;
}

/* Lets in who may; with somebody left, a request that is needed for that. */
void sfs_lock_serve(struct sfs_lock *lk, struct sfs_lock_ask *ask)
{
	struct sfs_lock_shard *shard = lk->shard;
	u8 want = SFS_LOCK_NONE;
	struct sfs_lock_use *use;
	struct sfs_lock_use *tmp;

	lockdep_assert_held(&shard->lock);
	list_for_each_entry_safe(use, tmp, &lk->waiters, head) {
		if (may_enter(lk, use)) {
			list_del(&use->head);
			enter(lk, use);
		} else {
			want = max(want, use->mode);
		}
	}
	wake_up_all(&shard->wait);
	if (want <= lk->mode || lk->req_nr)
		return;
	lk->req_nr = atomic64_inc_return(&lk->fs->locks->last_req);
	lk->req_mode = want;
	list_add_tail(&lk->asking, &shard->asking);
	fill_ask(lk, ask);
}

static struct sfs_lock *create(struct sfs_fs *fs, u64 id)
{
	struct sfs_lock *lk;

	lk = kzalloc(sizeof(*lk), GFP_NOFS);
	if (!lk)
		return NULL;
	lk->fs = fs;
	lk->shard = sfs_lock_shard(fs, id);
	lk->id = id;
	INIT_LIST_HEAD(&lk->idle);
	INIT_LIST_HEAD(&lk->asking);
	INIT_LIST_HEAD(&lk->unapplied);
	INIT_LIST_HEAD(&lk->users);
	INIT_LIST_HEAD(&lk->waiters);
	INIT_DELAYED_WORK(&lk->work, sfs_lock_work);
	return lk;
}

/* With one too many, the one that was not used for the longest time goes. */
static void insert(struct sfs_lock_shard *shard, struct sfs_lock *lk)
{
	struct sfs_lock *old;

	list_add(&lk->hash, bucket_of(shard, lk->id));
	if (++shard->nr <= MAX_PER_SHARD)
		return;
	old = list_first_entry_or_null(&shard->idle, struct sfs_lock, idle);
	if (!old)
		return;
	list_del_init(&old->idle);
	sfs_lock_revoke(old, SFS_LOCK_NONE);
}

/* The lock, made when there is none; with shard->lock held, NULL: no memory. */
struct sfs_lock *sfs_lock_find_or_make(struct sfs_fs *fs, struct sfs_lock_shard *shard,
				     u64 id) __acquires(&shard->lock)
{
	struct sfs_lock *new;
	struct sfs_lock *lk;

	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);
	if (lk)
		return lk;
	spin_unlock(&shard->lock);
	new = create(fs, id);
	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);
	if (!lk && new) {
		insert(shard, new);
		return new;
	}
	if (!lk || !new)
		return lk;
	spin_unlock(&shard->lock);
	kfree(new);
	spin_lock(&shard->lock);
	return sfs_lock_find(shard, id);
}

void sfs_lock_now_idle(struct sfs_lock *lk)
{
	if (sfs_lock_is_idle(lk) && list_empty(&lk->idle))
		list_add_tail(&lk->idle, &lk->shard->idle);
}

u64 sfs_lock_tenure(const struct sfs_lock_use *use)
{
	/* it changes only while there is no user */
	SFS_ASSERT_CMP(use->mode, ==, SFS_LOCK_WRITE);
	return use->lock->tenure;
}

static int wait_entered(struct sfs_fs *fs, struct sfs_lock_shard *shard,
			struct sfs_lock_use *use)
{
	bool entered;

	sfs_count(fs->cnt, lock_waits);
	sfs_wait_killable(fs->host, shard->wait,
			  READ_ONCE(use->entered) || READ_ONCE(fs->err));
	spin_lock(&shard->lock);
	entered = use->entered;
	if (!entered) {
		list_del(&use->head);
		sfs_lock_now_idle(use->lock);
	}
	spin_unlock(&shard->lock);
	if (entered)
		return 0;
	return READ_ONCE(fs->err) ? -EIO : -EINTR;
}

int sfs_lock_use_begin(struct sfs_fs *fs, u64 id, u8 mode, u32 flags,
		       struct sfs_lock_use *use)
{
	struct sfs_lock_shard *shard = sfs_lock_shard(fs, id);
	struct sfs_lock_ask ask = {};
	struct sfs_lock *lk;
	bool entered;

	*use = (struct sfs_lock_use) {
		.task = current,
		.mode = mode,
		.flags = flags,
	};
	if (READ_ONCE(fs->err))
		return -EIO;
	lk = sfs_lock_find_or_make(fs, shard, id);
	if (!lk) {
		spin_unlock(&shard->lock);
		return -ENOMEM;
	}
	use->lock = lk;
	entered = may_enter(lk, use) || may_nest(lk, use);
	if (entered) {
		enter(lk, use);
	} else if (!(flags & SFS_USE_NOWAIT)) {
		list_del_init(&lk->idle);
		list_add_tail(&use->head, &lk->waiters);
		sfs_lock_serve(lk, &ask);
	}
	spin_unlock(&shard->lock);
	if (entered)
		return 0;
	if (flags & SFS_USE_NOWAIT)
		return -EAGAIN;
	sfs_lock_send_request(fs, &ask);
	return wait_entered(fs, shard, use);
}

void sfs_lock_use_end(struct sfs_fs *fs, struct sfs_lock_use *use, u64 txn_nr)
{
	struct sfs_lock *lk = use->lock;
	struct sfs_lock_shard *shard = lk->shard;
	u64 id = lk->id;
	bool last;

	spin_lock(&shard->lock);
	list_del(&use->head);
	if (use->flags & SFS_USE_LATE)
		lk->nr_late[use->mode]--;
	else
		lk->nr_users[use->mode]--;
	lk->dirty_txn = max(lk->dirty_txn, txn_nr);
	last = sfs_lock_is_idle(lk);
	sfs_lock_now_idle(lk);
	if (lk->revoking && !sfs_lock_nr_above(lk->nr_users, lk->keep))
		sfs_lock_queue(lk, 0);
	if (lk->closing)
		wake_up_all(&shard->wait);	/* late users are waited for */
	spin_unlock(&shard->lock);
	use->lock = NULL;
	if (!last)
		return;
	if (sfs_port_trigger(fs->host, SFS_TRIGGER_REVOKE))
		sfs_lock_give_up(fs, id, SFS_LOCK_NONE);
	else if (sfs_port_trigger(fs->host, SFS_TRIGGER_DOWNGRADE))
		sfs_lock_give_up(fs, id, SFS_LOCK_READ);
}

void sfs_lock_not_unapplied(struct sfs_lock *lk)
{
	if (list_empty(&lk->unapplied))
		return;
	list_del_init(&lk->unapplied);
	atomic_dec(&lk->fs->locks->nr_unapplied);
}

/* ---- life --------------------------------------------------------------------------------- */

int sfs_locks_start(struct sfs_fs *fs)
{
	struct sfs_lock_shard *shard;
	struct sfs_locks *locks;
	u32 i;
	u32 b;

	locks = kvzalloc(sizeof(*locks), GFP_NOFS);
	if (!locks)
		return -ENOMEM;
	locks->wq = alloc_workqueue("sfs-locks", WQ_UNBOUND | WQ_MEM_RECLAIM,
				    0);
	if (!locks->wq) {
		kvfree(locks);
		return -ENOMEM;
	}
	locks->fs = fs;
	INIT_LIST_HEAD(&locks->releases);
	INIT_DELAYED_WORK(&locks->resend, resend_work);
	for (i = 0; i < SFS_LOCK_SHARDS; i++) {
		shard = &locks->shard[i];
		spin_lock_init(&shard->lock);
		init_waitqueue_head(&shard->wait);
		INIT_LIST_HEAD(&shard->idle);
		INIT_LIST_HEAD(&shard->asking);
		INIT_LIST_HEAD(&shard->unapplied);
		for (b = 0; b < SFS_LOCK_BUCKETS; b++)
			INIT_LIST_HEAD(&shard->hash[b]);
	}
	fs->locks = locks;
	return 0;
}

void sfs_locks_fail(struct sfs_fs *fs)
{
	u32 i;

	for (i = 0; fs->locks && i < SFS_LOCK_SHARDS; i++)
		wake_up_all(&fs->locks->shard[i].wait);
}

void sfs_locks_drain(struct sfs_fs *fs)
{
	flush_workqueue(fs->locks->wq);
}

static void shard_free(struct sfs_lock_shard *shard)
{
	struct sfs_lock *lk;
	struct sfs_lock *tmp;
	u32 b;

	for (b = 0; b < SFS_LOCK_BUCKETS; b++) {
		list_for_each_entry_safe(lk, tmp, &shard->hash[b], hash) {
			cancel_delayed_work_sync(&lk->work);
			SFS_ASSERT(sfs_lock_is_idle(lk));
			sfs_lock_destroy(lk);
		}
	}
}

void sfs_locks_stop(struct sfs_fs *fs)
{
	struct sfs_locks *locks = fs->locks;
	struct sfs_lock_rel *rel;
	struct sfs_lock_rel *tmp;
	u32 i;

	if (!locks)
		return;
	for (i = 0; i < SFS_LOCK_SHARDS; i++) {
		spin_lock(&locks->shard[i].lock);
		locks->stopping = true;
		spin_unlock(&locks->shard[i].lock);
	}
	cancel_delayed_work_sync(&locks->resend);
	for (i = 0; i < SFS_LOCK_SHARDS; i++)
		shard_free(&locks->shard[i]);
	destroy_workqueue(locks->wq);
	list_for_each_entry_safe(rel, tmp, &locks->releases, head)
		kfree(rel);
	fs->locks = NULL;
	kvfree(locks);
}

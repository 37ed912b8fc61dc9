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
 * grant, if there are users); users drain; the host writes back what it has
 * dirty and drops what it caches (late users may still come for that); then the
 * lock is released: with the publish of the last transaction that has changes
 * made under it, or at once when that is durable.  It waits for no operation
 * that waits for another lock: users hold what they need already, in ascending
 * order, and whoever publishes uses no lock.
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
#include "mount/lock_client.h"
#include "mount/mount.h"
#include "mount/publish.h"
#include "mount/session.h"

#define SHARDS 64
#define BUCKETS 64
#define MAX_PER_SHARD 1024	/* 65,536 locks a mount */
#define TURN_MS 10
#define RESEND_MS 1000
#define MAX_SWEEPS 8

#define GROUP_INOS (1U << SFS_LOCK_GROUP_SHIFT)

/* How often each inode of a group is open here. */
struct opens {
	u32 nr;				/* of all */
	u32 count[GROUP_INOS];
};

struct lock_shard {
	spinlock_t lock;
	wait_queue_head_t wait;
	struct list_head hash[BUCKETS];	/* L(lock) */
	struct list_head idle;		/* L(lock): without users, oldest first */
	struct list_head asking;	/* L(lock): with a request */
	struct list_head unapplied;	/* L(lock): need a version that is to come */
	u32 nr;				/* L(lock) */
};

/* Of all fields: L(shard->lock). */
struct sfs_lock {
	struct list_head hash;
	struct list_head idle;
	struct list_head asking;
	struct list_head unapplied;
	struct sfs_fs *fs;		/* I */
	struct lock_shard *shard;	/* I */
	u64 id;				/* I */
	u64 epoch;			/* of the grant, 0: none */
	u64 dead_epoch;			/* grants up to it were given up */
	u64 need_version;
	u64 req_nr;			/* 0: no request */
	unsigned long req_sent;		/* jiffies */
	unsigned long turn_end;		/* jiffies */
	u64 tenure;			/* since it is here for writing */
	u64 dirty_txn;			/* the last one with changes under it */
	u64 late_seq;			/* counts late users */
	struct opens *opens;		/* NULL: none */
	u64 *others;			/* bits: open elsewhere; NULL: none */
	struct list_head users;
	struct list_head waiters;
	u32 nr_users[SFS_LOCK_WRITE + 1]; /* by mode, late ones apart */
	u32 nr_late[SFS_LOCK_WRITE + 1];
	u8 mode;
	u8 req_mode;
	u8 revoking;			/* it shall come down to keep */
	u8 keep;
	u8 closing;			/* no new users above keep */
	struct delayed_work work;
};

/* A lock that is given up when a transaction is durable. */
struct release {
	struct list_head head;
	struct sfs_msg_lock_release body;
	u64 txn_nr;
	bool sent;
};

struct sfs_locks {
	struct sfs_fs *fs;		/* I */
	struct lock_shard shard[SHARDS];
	atomic64_t last_req;
	atomic64_t last_tenure;
	atomic_t nr_unapplied;		/* grants that wait for a version */
	struct list_head releases;	/* L(fs->txn_lock) */
	struct workqueue_struct *wq;	/* I */
	struct delayed_work resend;
	bool stopping;			/* L: all shards' locks to set */
	u64 min_epoch;			/* L: the same; older grants come too late */
};

/* A request that is to be sent once no spinlock is held. */
struct ask {
	u64 id;
	u64 nr;
	u64 held_epoch;
	u8 mode;
};

static u32 id_hash(u64 id)
{
	return (u32)((id * 0x9e3779b97f4a7c15ULL) >> 32);
}

static struct lock_shard *shard_of(struct sfs_fs *fs, u64 id)
{
	return &fs->locks->shard[id_hash(id) % SHARDS];
}

static struct list_head *bucket_of(struct lock_shard *shard, u64 id)
{
	return &shard->hash[id_hash(id) / SHARDS % BUCKETS];
}

static struct sfs_lock *find(struct lock_shard *shard, u64 id)
{
	struct sfs_lock *lk;

	lockdep_assert_held(&shard->lock);
	list_for_each_entry(lk, bucket_of(shard, id), hash) {
		if (lk->id == id)
			return lk;
	}
	return NULL;
}

static void queue(struct sfs_lock *lk, unsigned long delay)
{
	struct sfs_locks *locks = lk->fs->locks;

	lockdep_assert_held(&lk->shard->lock);
	if (locks->stopping)
		return;
	mod_delayed_work(locks->wq, &lk->work, delay);
}

/* It is to come down to @keep. */
static void start_revoke(struct sfs_lock *lk, u8 keep)
{
	lockdep_assert_held(&lk->shard->lock);
	lk->keep = lk->revoking ? min(lk->keep, keep) : keep;
	lk->revoking = 1;
	queue(lk, 0);
}

/* ---- messages ------------------------------------------------------------------- */

static void send_release(struct sfs_fs *fs,
			 const struct sfs_msg_lock_release *body)
{
	struct sfs_msg *msg;

	if (READ_ONCE(fs->err))
		return;		/* what was not published is not given up */
	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_RELEASE, sizeof(*body));
	memcpy(msg->payload, body, sizeof(*body));
	sfs_client_send(&fs->net, msg);
	sfs_count(fs->cnt, lock_releases);
}

static void send_in_use(struct sfs_fs *fs, u64 id,
			const struct sfs_msg_in_use *in_use)
{
	struct sfs_msg_lock_in_use *body;
	struct sfs_msg *msg;

	if (READ_ONCE(fs->err))
		return;
	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_IN_USE, sizeof(*body));
	body = (struct sfs_msg_lock_in_use *)msg->payload;
	body->id = cpu_to_le64(id);
	body->in_use = *in_use;
	sfs_client_send(&fs->net, msg);
}

static void send_watch(struct sfs_fs *fs, u64 ino)
{
	struct sfs_msg_lock_watch *body;
	struct sfs_msg *msg;

	if (READ_ONCE(fs->err))
		return;
	msg = sfs_msg_alloc_wait(SFS_MSG_LOCK_WATCH, sizeof(*body));
	body = (struct sfs_msg_lock_watch *)msg->payload;
	body->ino = cpu_to_le64(ino);
	sfs_client_send(&fs->net, msg);
}

static void send_request(struct sfs_fs *fs, const struct ask *ask)
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

static void fill_ask(struct sfs_lock *lk, struct ask *ask)
{
	lk->req_sent = jiffies;
	ask->id = lk->id;
	ask->nr = lk->req_nr;
	ask->held_epoch = lk->mode ? lk->epoch : 0;
	ask->mode = lk->req_mode;
}

static bool next_old_request(struct lock_shard *shard, struct ask *ask)
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
	struct ask ask;
	u32 i;

	for (i = 0; i < SHARDS && !READ_ONCE(fs->err); i++) {
		while (next_old_request(&locks->shard[i], &ask))
			send_request(fs, &ask);
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

static bool is_idle(const struct sfs_lock *lk)
{
	return list_empty(&lk->users) && list_empty(&lk->waiters);
}

/* Users above the mode that is kept. */
static u32 nr_above(const u32 *nr, u8 keep)
{
	u32 sum = 0;
	u8 mode;

	for (mode = keep + 1; mode <= SFS_LOCK_WRITE; mode++)
		sum += nr[mode];
	return sum;
}

/* Lets in who may; with somebody left, a request that is needed for that. */
static void serve(struct sfs_lock *lk, struct ask *ask)
{
	struct lock_shard *shard = lk->shard;
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

static void lock_work(struct work_struct *work);
static void give_up(struct sfs_fs *fs, u64 id, u8 keep);

static struct sfs_lock *create(struct sfs_fs *fs, u64 id)
{
	struct sfs_lock *lk;

	lk = kzalloc(sizeof(*lk), GFP_NOFS);
	if (!lk)
		return NULL;
	lk->fs = fs;
	lk->shard = shard_of(fs, id);
	lk->id = id;
	INIT_LIST_HEAD(&lk->idle);
	INIT_LIST_HEAD(&lk->asking);
	INIT_LIST_HEAD(&lk->unapplied);
	INIT_LIST_HEAD(&lk->users);
	INIT_LIST_HEAD(&lk->waiters);
	INIT_DELAYED_WORK(&lk->work, lock_work);
	return lk;
}

/* With one too many, the one that was not used for the longest time goes. */
static void insert(struct lock_shard *shard, struct sfs_lock *lk)
{
	struct sfs_lock *old;

	list_add(&lk->hash, bucket_of(shard, lk->id));
	if (++shard->nr <= MAX_PER_SHARD)
		return;
	old = list_first_entry_or_null(&shard->idle, struct sfs_lock, idle);
	if (!old)
		return;
	list_del_init(&old->idle);
	start_revoke(old, SFS_LOCK_NONE);
}

/* The lock, made when there is none; with shard->lock held, NULL: no memory. */
static struct sfs_lock *find_or_make(struct sfs_fs *fs, struct lock_shard *shard,
				     u64 id) __acquires(&shard->lock)
{
	struct sfs_lock *new;
	struct sfs_lock *lk;

	spin_lock(&shard->lock);
	lk = find(shard, id);
	if (lk)
		return lk;
	spin_unlock(&shard->lock);
	new = create(fs, id);
	spin_lock(&shard->lock);
	lk = find(shard, id);
	if (!lk && new) {
		insert(shard, new);
		return new;
	}
	if (!lk || !new)
		return lk;
	spin_unlock(&shard->lock);
	kfree(new);
	spin_lock(&shard->lock);
	return find(shard, id);
}

static void now_idle(struct sfs_lock *lk)
{
	if (is_idle(lk) && list_empty(&lk->idle))
		list_add_tail(&lk->idle, &lk->shard->idle);
}

u64 sfs_lock_tenure(const struct sfs_lock_use *use)
{
	/* it changes only while there is no user */
	SFS_ASSERT_CMP(use->mode, ==, SFS_LOCK_WRITE);
	return use->lock->tenure;
}

static int wait_entered(struct sfs_fs *fs, struct lock_shard *shard,
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
		now_idle(use->lock);
	}
	spin_unlock(&shard->lock);
	if (entered)
		return 0;
	return READ_ONCE(fs->err) ? -EIO : -EINTR;
}

int sfs_lock_use_begin(struct sfs_fs *fs, u64 id, u8 mode, u32 flags,
		       struct sfs_lock_use *use)
{
	struct lock_shard *shard = shard_of(fs, id);
	struct ask ask = {};
	struct sfs_lock *lk;
	bool entered;

	*use = (struct sfs_lock_use) {
		.task = current,
		.mode = mode,
		.flags = flags,
	};
	if (READ_ONCE(fs->err))
		return -EIO;
	lk = find_or_make(fs, shard, id);
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
		serve(lk, &ask);
	}
	spin_unlock(&shard->lock);
	if (entered)
		return 0;
	if (flags & SFS_USE_NOWAIT)
		return -EAGAIN;
	send_request(fs, &ask);
	return wait_entered(fs, shard, use);
}

void sfs_lock_use_end(struct sfs_fs *fs, struct sfs_lock_use *use, u64 txn_nr)
{
	struct sfs_lock *lk = use->lock;
	struct lock_shard *shard = lk->shard;
	u64 id = lk->id;
	bool last;

	spin_lock(&shard->lock);
	list_del(&use->head);
	if (use->flags & SFS_USE_LATE)
		lk->nr_late[use->mode]--;
	else
		lk->nr_users[use->mode]--;
	lk->dirty_txn = max(lk->dirty_txn, txn_nr);
	last = is_idle(lk);
	now_idle(lk);
	if (lk->revoking && !nr_above(lk->nr_users, lk->keep))
		queue(lk, 0);
	if (lk->closing)
		wake_up_all(&shard->wait);	/* late users are waited for */
	spin_unlock(&shard->lock);
	use->lock = NULL;
	if (!last)
		return;
	if (sfs_port_trigger(fs->host, SFS_TRIGGER_REVOKE))
		give_up(fs, id, SFS_LOCK_NONE);
	else if (sfs_port_trigger(fs->host, SFS_TRIGGER_DOWNGRADE))
		give_up(fs, id, SFS_LOCK_READ);
}

static void not_unapplied(struct sfs_lock *lk)
{
	if (list_empty(&lk->unapplied))
		return;
	list_del_init(&lk->unapplied);
	atomic_dec(&lk->fs->locks->nr_unapplied);
}

/* ---- in use ------------------------------------------------------------------------- */

static u32 ino_index(u64 ino)
{
	return ino & (GROUP_INOS - 1);
}

static void fill_in_use(const struct sfs_lock *lk, struct sfs_msg_in_use *in_use)
{
	u64 bits;
	u32 i;
	u32 b;

	memset(in_use, 0, sizeof(*in_use));
	for (i = 0; lk->opens && i < GROUP_INOS / 64; i++) {
		bits = 0;
		for (b = 0; b < 64; b++)
			bits |= (u64)!!lk->opens->count[64 * i + b] << b;
		in_use->bits[i] = cpu_to_le64(bits);
	}
}

int sfs_locks_opened(struct sfs_fs *fs, const struct sfs_lockset *set, u64 ino)
{
	struct sfs_lock *lk = sfs_locks_use(set, ino)->lock;
	struct opens *new = NULL;
	bool has;

	spin_lock(&lk->shard->lock);
	has = lk->opens;
	spin_unlock(&lk->shard->lock);
	if (!has)
		new = kvzalloc(sizeof(*new), GFP_NOFS);
	spin_lock(&lk->shard->lock);
	if (!lk->opens) {
		lk->opens = new;
		new = NULL;
	}
	has = lk->opens;
	if (has) {
		lk->opens->nr++;
		lk->opens->count[ino_index(ino)]++;
	}
	spin_unlock(&lk->shard->lock);
	kvfree(new);
	return has ? 0 : -ENOMEM;
}

/* Whoever waits for that is told, unless the lock is here: then on release. */
void sfs_locks_closed(struct sfs_fs *fs, u64 ino)
{
	u64 id = sfs_lock_of_ino(ino);
	struct lock_shard *shard = shard_of(fs, id);
	struct sfs_msg_in_use in_use;
	struct opens *old = NULL;
	struct sfs_lock *lk;
	bool tell;

	spin_lock(&shard->lock);
	lk = find(shard, id);	/* what is open keeps it in the table */
	SFS_ASSERT(lk && lk->opens && lk->opens->count[ino_index(ino)]);
	lk->opens->nr--;
	tell = !--lk->opens->count[ino_index(ino)] &&
	       lk->mode == SFS_LOCK_NONE;
	if (tell)
		fill_in_use(lk, &in_use);
	if (!lk->opens->nr) {
		old = lk->opens;
		lk->opens = NULL;
		queue(lk, 0);		/* perhaps it can go */
	}
	spin_unlock(&shard->lock);
	kvfree(old);
	if (tell)
		send_in_use(fs, id, &in_use);
}

bool sfs_locks_open_elsewhere(struct sfs_fs *fs, const struct sfs_lockset *set,
			      u64 ino)
{
	const struct sfs_lock_use *use = sfs_locks_use(set, ino);
	struct sfs_lock *lk = use->lock;
	u32 i = ino_index(ino);
	bool open;

	SFS_ASSERT_CMP(use->mode, ==, SFS_LOCK_WRITE);
	spin_lock(&lk->shard->lock);
	open = lk->others && (lk->others[i / 64] >> (i % 64) & 1);
	spin_unlock(&lk->shard->lock);
	if (open)
		send_watch(fs, ino);
	return open;
}

/* What others say they have; @bits is owned, and taken or freed. */
static void learn_others(struct sfs_lock *lk, u64 *bits)
{
	u64 *old = lk->others;

	lk->others = bits;
	kfree(old);
}

static u64 *decode_others(const struct sfs_msg_in_use *in_use)
{
	u64 *bits = NULL;
	u64 some = 0;
	u32 i;

	for (i = 0; i < GROUP_INOS / 64; i++)
		some |= le64_to_cpu(in_use->bits[i]);
	if (!some)
		return NULL;
	while (!(bits = kmalloc_array(GROUP_INOS / 64, sizeof(*bits),
				      GFP_NOFS)))
		msleep(1);
	for (i = 0; i < GROUP_INOS / 64; i++)
		bits[i] = le64_to_cpu(in_use->bits[i]);
	return bits;
}

/* ---- giving up ------------------------------------------------------------------------ */

static bool is_group(const struct sfs_lock *lk)
{
	return lk->id >= SFS_LOCK_GROUP_0;
}

static bool late_above(struct sfs_lock *lk, u8 keep)
{
	bool some;

	spin_lock(&lk->shard->lock);
	some = nr_above(lk->nr_late, keep);
	spin_unlock(&lk->shard->lock);
	return some;
}

/*
 * The host's part.  Comes back with shard->lock held and nobody above @keep; a
 * late reader that came while the caches were dropped may have filled one.
 */
static void clean_host(struct sfs_lock *lk, u8 keep)
	__acquires(&lk->shard->lock)
{
	struct sfs_fs *fs = lk->fs;
	u64 first = sfs_lock_first_ino(lk->id);
	u64 last = sfs_lock_first_ino(lk->id + 1) - 1;
	u64 seen;
	int i;

	if (is_group(lk) && lk->mode == SFS_LOCK_WRITE)
		sfs_port_writeback(fs->host, fs, first, last);
	for (i = 0;; i++) {
		wait_event(lk->shard->wait, !late_above(lk, keep));
		spin_lock(&lk->shard->lock);
		seen = lk->late_seq;
		spin_unlock(&lk->shard->lock);
		if (is_group(lk) && keep == SFS_LOCK_NONE)
			sfs_port_invalidate(fs->host, fs, first, last);
		spin_lock(&lk->shard->lock);
		if (!nr_above(lk->nr_late, keep) &&
		    (keep || lk->late_seq == seen || i == MAX_SWEEPS))
			return;
		spin_unlock(&lk->shard->lock);
	}
}

/* True, and @rel on the list, when it has to wait. */
static bool release_waits(struct sfs_fs *fs, struct release *rel)
{
	bool waits;

	spin_lock(&fs->txn_lock);
	waits = rel->txn_nr > fs->published_nr;
	if (waits)
		list_add_tail(&rel->head, &fs->locks->releases);
	spin_unlock(&fs->txn_lock);
	return waits;
}

static void release(struct sfs_lock *lk, u8 keep)
{
	struct sfs_fs *fs = lk->fs;
	struct release *rel;
	struct ask ask = {};
	u64 txn_nr;
	bool waits;

	while (!(rel = kzalloc(sizeof(*rel), GFP_NOFS)))
		msleep(1);
	clean_host(lk, keep);
	txn_nr = lk->dirty_txn;
	rel->txn_nr = txn_nr;
	rel->body.id = cpu_to_le64(lk->id);
	rel->body.epoch = cpu_to_le64(lk->epoch);
	rel->body.keep = keep;
	if (keep == SFS_LOCK_NONE)
		fill_in_use(lk, &rel->body.in_use);
	/* known as pending before anybody can ask for it */
	waits = release_waits(fs, rel);
	lk->mode = keep;	/* and dirty_txn stays: reading is given up after it */
	lk->closing = 0;
	lk->revoking = lk->keep < keep;
	if (keep == SFS_LOCK_NONE) {
		lk->dead_epoch = max(lk->dead_epoch, lk->epoch);
		lk->epoch = 0;
		not_unapplied(lk);
	}
	queue(lk, 0);		/* what else there is to do */
	serve(lk, &ask);
	spin_unlock(&lk->shard->lock);
	if (waits) {
		sfs_publish_kick(fs, txn_nr);
	} else {
		send_release(fs, &rel->body);
		kfree(rel);
	}
	send_request(fs, &ask);
}

/* Off the table, if there is nothing about it to be known. */
static bool forget(struct sfs_lock *lk)
{
	if (lk->mode != SFS_LOCK_NONE || !is_idle(lk) || lk->req_nr ||
	    lk->opens || lk->fs->locks->stopping)
		return false;
	list_del(&lk->hash);
	list_del_init(&lk->idle);
	lk->shard->nr--;
	return true;
}

static void destroy(struct sfs_lock *lk)
{
	kvfree(lk->opens);
	kfree(lk->others);
	kfree(lk);
}

static void lock_work(struct work_struct *work)
{
	struct sfs_lock *lk = container_of(to_delayed_work(work),
					   struct sfs_lock, work);
	struct lock_shard *shard = lk->shard;
	unsigned long now = jiffies;
	bool gone = false;
	u8 keep;

	spin_lock(&shard->lock);
	keep = lk->keep;
	if (lk->mode <= keep)
		lk->revoking = 0;
	if (READ_ONCE(lk->fs->err))
		goto out;
	if (!lk->revoking) {
		gone = forget(lk);
		goto out;
	}
	if (!lk->closing && nr_above(lk->nr_users, keep) &&
	    time_before(now, lk->turn_end)) {
		queue(lk, lk->turn_end - now);
		goto out;
	}
	lk->closing = 1;
	if (nr_above(lk->nr_users, keep))
		goto out;	/* the last one queues this again */
	spin_unlock(&shard->lock);
	release(lk, keep);
	return;
out:
	spin_unlock(&shard->lock);
	if (!gone)
		return;
	/* it may have been queued again since this began; nobody finds it now */
	cancel_delayed_work(&lk->work);
	destroy(lk);
}

static void give_up(struct sfs_fs *fs, u64 id, u8 keep)
{
	struct lock_shard *shard = shard_of(fs, id);
	struct sfs_lock *lk;

	spin_lock(&shard->lock);
	lk = find(shard, id);
	if (lk && lk->mode > keep)
		start_revoke(lk, keep);
	spin_unlock(&shard->lock);
}

u32 sfs_locks_take_releases(struct sfs_fs *fs, u64 txn_nr,
			    struct sfs_msg_lock_release *rels, u32 max)
{
	struct release *rel;
	u32 nr = 0;

	spin_lock(&fs->txn_lock);
	list_for_each_entry(rel, &fs->locks->releases, head) {
		if (nr < max && !rel->sent && rel->txn_nr <= txn_nr) {
			rel->sent = true;
			rels[nr++] = rel->body;
		}
	}
	spin_unlock(&fs->txn_lock);
	sfs_count_by(fs->cnt, lock_releases, nr);
	return nr;
}

static struct release *next_published(struct sfs_fs *fs)
{
	struct release *found = NULL;
	struct release *rel;

	spin_lock(&fs->txn_lock);
	list_for_each_entry(rel, &fs->locks->releases, head) {
		if (rel->txn_nr <= fs->published_nr) {
			found = rel;
			list_del(&rel->head);
			break;
		}
	}
	spin_unlock(&fs->txn_lock);
	return found;
}

void sfs_locks_published(struct sfs_fs *fs)
{
	struct release *rel;

	while ((rel = next_published(fs))) {
		if (!rel->sent)
			send_release(fs, &rel->body);
		kfree(rel);
	}
}

static bool is_pending(struct sfs_fs *fs, u64 id, u64 epoch)
{
	struct release *rel;
	bool found = false;

	spin_lock(&fs->txn_lock);
	list_for_each_entry(rel, &fs->locks->releases, head)
		found |= le64_to_cpu(rel->body.id) == id &&
			 le64_to_cpu(rel->body.epoch) == epoch;
	spin_unlock(&fs->txn_lock);
	return found;
}

/* ---- what the server says ------------------------------------------------------------- */

/* The clock of this mount: behind it lies all that was done under the lock. */
static void advance_clock(struct sfs_fs *fs, u64 stamp)
{
	spin_lock(&fs->txn_lock);
	fs->now = max(fs->now, stamp + 1);
	spin_unlock(&fs->txn_lock);
}

static bool is_applied(struct sfs_fs *fs, u64 version)
{
	bool applied;

	spin_lock(&fs->txn_lock);
	applied = fs->applied_version >= version;
	spin_unlock(&fs->txn_lock);
	return applied;
}

static void granted(struct sfs_lock *lk, u8 mode, u64 epoch, u64 need_version,
		    u64 stamp)
{
	if (mode == SFS_LOCK_WRITE && lk->mode != SFS_LOCK_WRITE)
		lk->tenure = atomic64_inc_return(&lk->fs->locks->last_tenure);
	lk->mode = mode;
	lk->epoch = epoch;
	lk->need_version = need_version;
	lk->turn_end = jiffies + msecs_to_jiffies(TURN_MS);
	lk->req_nr = 0;
	list_del_init(&lk->asking);
	advance_clock(lk->fs, stamp);
	if (list_empty(&lk->unapplied) && !is_applied(lk->fs, need_version)) {
		list_add(&lk->unapplied, &lk->shard->unapplied);
		atomic_inc(&lk->fs->locks->nr_unapplied);
		/* it may have come between the look and the list */
		if (is_applied(lk->fs, need_version))
			not_unapplied(lk);
	}
	now_idle(lk);
}

static bool is_new(const struct sfs_lock *lk, u64 epoch)
{
	return epoch > lk->dead_epoch && epoch > lk->epoch &&
	       epoch >= lk->fs->locks->min_epoch;
}

static void on_grant(struct sfs_fs *fs, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_grant *body =
		(const struct sfs_msg_lock_grant *)msg->payload;
	u64 epoch = le64_to_cpu(body->epoch);
	u64 id = le64_to_cpu(body->id);
	struct lock_shard *shard = shard_of(fs, id);
	struct ask ask = {};
	struct sfs_lock *lk;
	u64 *others;

	if (sfs_msg_len(msg) < sizeof(*body) || body->mode < SFS_LOCK_READ ||
	    body->mode > SFS_LOCK_WRITE)
		return;
	sfs_count(fs->cnt, lock_grants);
	others = decode_others(&body->others);
	spin_lock(&shard->lock);
	lk = find(shard, id);
	if (lk && lk->req_nr && lk->req_nr == le64_to_cpu(body->nr) &&
	    is_new(lk, epoch)) {
		granted(lk, body->mode, epoch, le64_to_cpu(body->need_version),
			le64_to_cpu(body->stamp));
		learn_others(lk, others);
		others = NULL;
		serve(lk, &ask);
	}
	spin_unlock(&shard->lock);
	kfree(others);
	send_request(fs, &ask);
}

/*
 * A newer epoch than ours: its grant was lost.  What we have for reading is
 * part of it.
 */
static bool on_revoke_locked(struct sfs_fs *fs, struct sfs_lock *lk, u64 epoch,
			     u8 keep, u8 *ret_have)
{
	*ret_have = SFS_LOCK_NONE;
	if (!lk)
		return true;
	if (epoch > lk->epoch) {
		lk->dead_epoch = max(lk->dead_epoch, epoch);
		if (lk->mode != SFS_LOCK_NONE)
			lk->epoch = epoch;
	}
	if (epoch != lk->epoch)
		return true;
	if (lk->mode > keep) {
		start_revoke(lk, keep);
		return false;
	}
	*ret_have = lk->mode;
	return true;
}

static void on_revoke(struct sfs_fs *fs, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_revoke *body =
		(const struct sfs_msg_lock_revoke *)msg->payload;
	struct sfs_msg_lock_release rel = {};
	struct lock_shard *shard;
	bool answer;
	u64 id;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	sfs_count(fs->cnt, lock_revokes);
	id = le64_to_cpu(body->id);
	shard = shard_of(fs, id);
	rel.id = body->id;
	rel.epoch = body->epoch;
	spin_lock(&shard->lock);
	answer = on_revoke_locked(fs, find(shard, id), le64_to_cpu(body->epoch),
				  body->keep, &rel.keep);
	spin_unlock(&shard->lock);
	if (answer && !is_pending(fs, id, le64_to_cpu(body->epoch)))
		send_release(fs, &rel);
}

/* Somebody watches an inode of the group.  With the lock here: on release. */
static void on_ask(struct sfs_fs *fs, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_ask *body =
		(const struct sfs_msg_lock_ask *)msg->payload;
	struct sfs_msg_in_use in_use = {};
	struct lock_shard *shard;
	struct sfs_lock *lk;
	bool answer = true;
	u64 id;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	id = le64_to_cpu(body->id);
	shard = shard_of(fs, id);
	spin_lock(&shard->lock);
	lk = find(shard, id);
	if (lk) {
		answer = lk->mode == SFS_LOCK_NONE;
		fill_in_use(lk, &in_use);
	}
	spin_unlock(&shard->lock);
	if (answer)
		send_in_use(fs, id, &in_use);
}

/*
 * What the last grant said of it is of the past then; a later grant comes after
 * this on the same connection.
 */
static void forget_others(struct sfs_fs *fs, u64 ino)
{
	u64 id = sfs_lock_of_ino(ino);
	struct lock_shard *shard = shard_of(fs, id);
	u32 i = ino - sfs_lock_first_ino(id);
	struct sfs_lock *lk;

	spin_lock(&shard->lock);
	lk = find(shard, id);
	if (lk && lk->others)
		lk->others[i / 64] &= ~(1ULL << (i % 64));
	spin_unlock(&shard->lock);
}

static void on_unused(struct sfs_fs *fs, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_unused *body =
		(const struct sfs_msg_lock_unused *)msg->payload;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	if (body->ino)
		forget_others(fs, le64_to_cpu(body->ino));
	mutex_lock(&fs->unused_mutex);
	if (fs->unused)
		fs->unused(fs, le64_to_cpu(body->ino));
	mutex_unlock(&fs->unused_mutex);
}

void sfs_locks_message(struct sfs_fs *fs, const struct sfs_msg *msg)
{
	switch (le16_to_cpu(msg->hdr.type)) {
	case SFS_MSG_LOCK_GRANT:
		on_grant(fs, msg);
		break;
	case SFS_MSG_LOCK_REVOKE:
		on_revoke(fs, msg);
		break;
	case SFS_MSG_LOCK_ASK:
		on_ask(fs, msg);
		break;
	case SFS_MSG_LOCK_UNUSED:
		on_unused(fs, msg);
		break;
	}
}

static struct sfs_lock *next_applied(struct lock_shard *shard, u64 version)
{
	struct sfs_lock *lk;

	list_for_each_entry(lk, &shard->unapplied, unapplied) {
		if (lk->need_version <= version) {
			not_unapplied(lk);
			return lk;
		}
	}
	return NULL;
}

static void shard_applied(struct sfs_fs *fs, struct lock_shard *shard,
			  u64 version)
{
	struct sfs_lock *lk;
	struct ask ask;

	do {
		memset(&ask, 0, sizeof(ask));
		spin_lock(&shard->lock);
		lk = next_applied(shard, version);
		if (lk)
			serve(lk, &ask);
		spin_unlock(&shard->lock);
		send_request(fs, &ask);
	} while (lk);
}

void sfs_locks_applied(struct sfs_fs *fs)
{
	u64 version;
	u32 i;

	if (!atomic_read(&fs->locks->nr_unapplied))
		return;
	spin_lock(&fs->txn_lock);
	version = fs->applied_version;
	spin_unlock(&fs->txn_lock);
	for (i = 0; i < SHARDS; i++)
		shard_applied(fs, &fs->locks->shard[i], version);
}

int sfs_lock_install(struct sfs_fs *fs, u64 id, u64 epoch)
{
	struct lock_shard *shard = shard_of(fs, id);
	struct ask ask = {};
	struct sfs_lock *lk;

	lk = find_or_make(fs, shard, id);
	if (lk && is_new(lk, epoch)) {
		granted(lk, SFS_LOCK_WRITE, epoch, 0, 0);
		serve(lk, &ask);
	}
	spin_unlock(&shard->lock);
	send_request(fs, &ask);
	return lk ? 0 : -ENOMEM;
}

/* ---- a new server ------------------------------------------------------------------------ */

/* From here on what an earlier server granted is not taken any more. */
static void forbid_old(struct sfs_fs *fs, u64 term)
{
	struct sfs_locks *locks = fs->locks;
	u32 i;

	for (i = 0; i < SHARDS; i++) {
		spin_lock(&locks->shard[i].lock);
		locks->min_epoch = max(locks->min_epoch,
				       term << SFS_LOCK_EPOCH_BITS);
		spin_unlock(&locks->shard[i].lock);
	}
}

static struct sfs_msg *restate_alloc(u32 nr_held, u32 nr_in_use)
{
	return sfs_msg_alloc(SFS_MSG_RESTATE,
			     sizeof(struct sfs_msg_restate) +
			     nr_held * sizeof(struct sfs_msg_lock_held) +
			     nr_in_use * sizeof(struct sfs_msg_lock_in_use));
}

static int send_restate(struct sfs_fs *fs, struct sfs_msg *msg)
{
	return sfs_client_greet(&fs->net, msg, 0, NULL);
}

static void count_shard(struct lock_shard *shard, u32 *nr_held, u32 *nr_in_use)
{
	struct sfs_lock *lk;
	u32 b;

	*nr_held = 0;
	*nr_in_use = 0;
	for (b = 0; b < BUCKETS; b++) {
		list_for_each_entry(lk, &shard->hash[b], hash) {
			*nr_held += lk->mode != SFS_LOCK_NONE;
			*nr_in_use += lk->mode == SFS_LOCK_NONE && lk->opens;
		}
	}
}

static void fill_shard(struct lock_shard *shard, struct sfs_msg *msg,
		       u32 nr_held, u32 nr_in_use)
{
	struct sfs_msg_restate *body = (struct sfs_msg_restate *)msg->payload;
	struct sfs_msg_lock_held *held = (void *)(body + 1);
	struct sfs_msg_lock_in_use *in_use = (void *)(held + nr_held);
	struct sfs_lock *lk;
	u32 b;

	body->nr_held = cpu_to_le32(nr_held);
	body->nr_in_use = cpu_to_le32(nr_in_use);
	for (b = 0; b < BUCKETS; b++) {
		list_for_each_entry(lk, &shard->hash[b], hash) {
			if (lk->mode != SFS_LOCK_NONE) {
				held->id = cpu_to_le64(lk->id);
				held->epoch = cpu_to_le64(lk->epoch);
				held->mode = lk->mode;
				held++;
			} else if (lk->opens) {
				in_use->id = cpu_to_le64(lk->id);
				fill_in_use(lk, &in_use->in_use);
				in_use++;
			}
		}
	}
}

static int restate_shard(struct sfs_fs *fs, struct lock_shard *shard)
{
	struct sfs_msg *msg = NULL;
	u32 nr_in_use = 0;
	u32 nr_held = 0;
	u32 in_use;
	u32 held;

	for (;;) {
		spin_lock(&shard->lock);
		count_shard(shard, &held, &in_use);
		if (msg && held == nr_held && in_use == nr_in_use) {
			fill_shard(shard, msg, held, in_use);
			spin_unlock(&shard->lock);
			return send_restate(fs, msg);
		}
		spin_unlock(&shard->lock);
		sfs_msg_free(msg);
		if (!held && !in_use)
			return 0;
		nr_held = held;
		nr_in_use = in_use;
		msg = restate_alloc(held, in_use);
		if (!msg)
			return -ENOMEM;
	}
}

/* Locks that go with a publish which the server may not have. */
static int restate_releases(struct sfs_fs *fs)
{
	struct sfs_msg_restate *body;
	struct sfs_msg_lock_held *held;
	struct release *rel;
	struct sfs_msg *msg;
	u32 room = 16;
	u32 nr;

	for (;;) {
		msg = restate_alloc(room, 0);
		if (!msg)
			return -ENOMEM;
		body = (struct sfs_msg_restate *)msg->payload;
		held = (struct sfs_msg_lock_held *)(body + 1);
		nr = 0;
		spin_lock(&fs->txn_lock);
		list_for_each_entry(rel, &fs->locks->releases, head) {
			if (nr < room) {
				held[nr].id = rel->body.id;
				held[nr].epoch = rel->body.epoch;
				held[nr].mode = SFS_LOCK_WRITE;
			}
			nr++;
		}
		spin_unlock(&fs->txn_lock);
		if (nr <= room)
			break;
		sfs_msg_free(msg);
		room = nr + 16;
	}
	body->nr_held = cpu_to_le32(nr);
	msg->hdr.len = cpu_to_le32(sizeof(*body) + nr * sizeof(*held));
	return send_restate(fs, msg);
}

int sfs_locks_restate(struct sfs_fs *fs)
{
	int ret = 0;
	u32 i;

	forbid_old(fs, sfs_client_term(&fs->net));
	for (i = 0; i < SHARDS && ret == 0; i++)
		ret = restate_shard(fs, &fs->locks->shard[i]);
	/* a lock that was given up meanwhile is in this list */
	return ret ?: restate_releases(fs);
}

/* ---- life --------------------------------------------------------------------------------- */

int sfs_locks_start(struct sfs_fs *fs)
{
	struct lock_shard *shard;
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
	for (i = 0; i < SHARDS; i++) {
		shard = &locks->shard[i];
		spin_lock_init(&shard->lock);
		init_waitqueue_head(&shard->wait);
		INIT_LIST_HEAD(&shard->idle);
		INIT_LIST_HEAD(&shard->asking);
		INIT_LIST_HEAD(&shard->unapplied);
		for (b = 0; b < BUCKETS; b++)
			INIT_LIST_HEAD(&shard->hash[b]);
	}
	fs->locks = locks;
	return 0;
}

void sfs_locks_fail(struct sfs_fs *fs)
{
	u32 i;

	for (i = 0; fs->locks && i < SHARDS; i++)
		wake_up_all(&fs->locks->shard[i].wait);
}

void sfs_locks_drain(struct sfs_fs *fs)
{
	flush_workqueue(fs->locks->wq);
}

static void shard_free(struct lock_shard *shard)
{
	struct sfs_lock *lk;
	struct sfs_lock *tmp;
	u32 b;

	for (b = 0; b < BUCKETS; b++) {
		list_for_each_entry_safe(lk, tmp, &shard->hash[b], hash) {
			cancel_delayed_work_sync(&lk->work);
			SFS_ASSERT(is_idle(lk));
			destroy(lk);
		}
	}
}

void sfs_locks_stop(struct sfs_fs *fs)
{
	struct sfs_locks *locks = fs->locks;
	struct release *rel;
	struct release *tmp;
	u32 i;

	if (!locks)
		return;
	for (i = 0; i < SHARDS; i++) {
		spin_lock(&locks->shard[i].lock);
		locks->stopping = true;
		spin_unlock(&locks->shard[i].lock);
	}
	cancel_delayed_work_sync(&locks->resend);
	for (i = 0; i < SHARDS; i++)
		shard_free(&locks->shard[i]);
	destroy_workqueue(locks->wq);
	list_for_each_entry_safe(rel, tmp, &locks->releases, head)
		kfree(rel);
	fs->locks = NULL;
	kvfree(locks);
}

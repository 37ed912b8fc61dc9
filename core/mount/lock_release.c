// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving up cluster locks, and what this mount has in use of them meanwhile.
 * The order and its reasons: locks.c.
 *
 * Releases that wait for a publish are in a list under txn_lock, from before
 * anybody can ask for the lock again until the publish has its reply: whoever
 * asks whether a lock was given up finds them there.
 */
#include "mount/lock_types.h"

#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "api.h"
#include "base/broken.h"
#include "base/report.h"
#include "mount/publish.h"

#define MAX_SWEEPS 8

/* ---- messages ------------------------------------------------------------------ */

void sfs_lock_send_release(struct sfs_fs *fs,
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

void sfs_lock_send_in_use(struct sfs_fs *fs, u64 id,
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

/* ---- in use ------------------------------------------------------------------------- */

static u32 ino_index(u64 ino)
{
	return ino & (SFS_LOCK_GROUP_INOS - 1);
}

void sfs_lock_fill_in_use(const struct sfs_lock *lk, struct sfs_msg_in_use *in_use)
{
	u64 bits;
	u32 i;
	u32 b;

	memset(in_use, 0, sizeof(*in_use));
	for (i = 0; lk->opens && i < SFS_LOCK_GROUP_INOS / 64; i++) {
		bits = 0;
		for (b = 0; b < 64; b++)
			bits |= (u64)!!lk->opens->count[64 * i + b] << b;
		in_use->bits[i] = cpu_to_le64(bits);
	}
}

int sfs_locks_opened(struct sfs_fs *fs, const struct sfs_lockset *set, u64 ino)
{
	struct sfs_lock *lk = sfs_locks_use(set, ino)->lock;
	struct sfs_lock_opens *new = NULL;
	bool has;

	spin_lock(&lk->shard->lock);
	has = lk->opens;
	spin_unlock(&lk->shard->lock);
again:
	if (!has) {
		new = kvzalloc(sizeof(*new), GFP_NOFS);
		if (!new)
			return -ENOMEM;
	}
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
	/* the last one was closed since we looked */
	if (!has)
		goto again;
	kvfree(new);
	return 0;
}

/* Whoever waits for that is told, unless the lock is here: then on release. */
void sfs_locks_closed(struct sfs_fs *fs, u64 ino)
{
	u64 id = sfs_lock_of_ino(ino);
	struct sfs_lock_shard *shard = sfs_lock_shard(fs, id);
	struct sfs_msg_in_use in_use;
	struct sfs_lock_opens *old = NULL;
	struct sfs_lock *lk;
	bool tell;

	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);	/* what is open keeps it in the table */
	SFS_ASSERT(lk && lk->opens && lk->opens->count[ino_index(ino)]);
	lk->opens->nr--;
	tell = !--lk->opens->count[ino_index(ino)] &&
	       lk->mode == SFS_LOCK_NONE;
	if (tell)
		sfs_lock_fill_in_use(lk, &in_use);
	if (!lk->opens->nr) {
		old = lk->opens;
		lk->opens = NULL;
		sfs_lock_queue(lk, 0);		/* perhaps it can go */
	}
	spin_unlock(&shard->lock);
	kvfree(old);
	if (tell)
		sfs_lock_send_in_use(fs, id, &in_use);
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
void sfs_lock_learn_others(struct sfs_lock *lk, u64 *bits)
{
	u64 *old = lk->others;

	lk->others = bits;
	kfree(old);
}

u64 *sfs_lock_decode_others(const struct sfs_msg_in_use *in_use)
{
	u64 *bits = NULL;
	u64 some = 0;
	u32 i;

	for (i = 0; i < SFS_LOCK_GROUP_INOS / 64; i++)
		some |= le64_to_cpu(in_use->bits[i]);
	if (!some)
		return NULL;
	while (!(bits = kmalloc_array(SFS_LOCK_GROUP_INOS / 64, sizeof(*bits),
				      GFP_NOFS)))
		msleep(1);
	for (i = 0; i < SFS_LOCK_GROUP_INOS / 64; i++)
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
	some = sfs_lock_nr_above(lk->nr_late, keep);
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
		if (!sfs_broken(fs->host, NOWRITEBACK))
			sfs_port_writeback(fs->host, fs, first, last);
	for (i = 0;; i++) {
		wait_event(lk->shard->wait, !late_above(lk, keep));
		spin_lock(&lk->shard->lock);
		seen = lk->late_seq;
		spin_unlock(&lk->shard->lock);
		if (is_group(lk) && keep == SFS_LOCK_NONE)
			if (!sfs_broken(fs->host, NODROP))
				sfs_port_invalidate(fs->host, fs, first, last);
		spin_lock(&lk->shard->lock);
		if (!sfs_lock_nr_above(lk->nr_late, keep) &&
		    (keep || lk->late_seq == seen || i == MAX_SWEEPS))
			return;
		spin_unlock(&lk->shard->lock);
	}
}

/* True, and @rel on the list, when it has to wait. */
static bool release_waits(struct sfs_fs *fs, struct sfs_lock_rel *rel)
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
	struct sfs_lock_rel *rel;
	struct sfs_lock_ask ask = {};
	u64 txn_nr;
	bool waits;
	bool early = sfs_broken(fs->host, RELEARLY);
	bool silent = sfs_broken(fs->host, NOINUSE);

	while (!(rel = kzalloc(sizeof(*rel), GFP_NOFS)))
		msleep(1);
	clean_host(lk, keep);
	txn_nr = early ? 0 : lk->dirty_txn;
	rel->txn_nr = txn_nr;
	rel->body.id = cpu_to_le64(lk->id);
	rel->body.epoch = cpu_to_le64(lk->epoch);
	rel->body.keep = keep;
	if (keep == SFS_LOCK_NONE && !silent)
		sfs_lock_fill_in_use(lk, &rel->body.in_use);
	/* known as pending before anybody can ask for it */
	waits = release_waits(fs, rel);
	lk->mode = keep;	/* and dirty_txn stays: reading is given up after it */
	lk->closing = 0;
	lk->at_once = 0;
	lk->revoking = lk->keep < keep;
	if (keep == SFS_LOCK_NONE) {
		lk->dead_epoch = max(lk->dead_epoch, lk->epoch);
		lk->epoch = 0;
		sfs_lock_not_unapplied(lk);
	}
	sfs_lock_queue(lk, 0);		/* what else there is to do */
	sfs_lock_serve(lk, &ask);
	spin_unlock(&lk->shard->lock);
	if (waits) {
		sfs_publish_kick(fs, txn_nr);
	} else {
		sfs_lock_send_release(fs, &rel->body);
		kfree(rel);
	}
	sfs_lock_send_request(fs, &ask);
}

/* Off the table, if there is nothing about it to be known. */
static bool forget(struct sfs_lock *lk)
{
	if (lk->mode != SFS_LOCK_NONE || !sfs_lock_is_idle(lk) || lk->req_nr ||
	    lk->opens || lk->fs->locks->stopping)
		return false;
	list_del(&lk->hash);
	list_del_init(&lk->idle);
	lk->shard->nr--;
	return true;
}

void sfs_lock_destroy(struct sfs_lock *lk)
{
	kvfree(lk->opens);
	kfree(lk->others);
	kfree(lk);
}

/* Giving it up costs a publish: what it is used for meanwhile goes with it. */
static bool is_dirty(struct sfs_lock *lk)
{
	struct sfs_fs *fs = lk->fs;
	bool dirty;

	spin_lock(&fs->txn_lock);
	dirty = lk->dirty_txn > fs->published_nr;
	spin_unlock(&fs->txn_lock);
	return dirty;
}

void sfs_lock_work(struct work_struct *work)
{
	struct sfs_lock *lk = container_of(to_delayed_work(work),
					   struct sfs_lock, work);
	struct sfs_lock_shard *shard = lk->shard;
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
	if (!lk->closing && !lk->at_once &&
	    (sfs_lock_nr_above(lk->nr_users, keep) || is_dirty(lk)) &&
	    time_before(now, lk->turn_end)) {
		sfs_lock_queue(lk, lk->turn_end - now);
		goto out;
	}
	lk->closing = 1;
	if (sfs_lock_nr_above(lk->nr_users, keep))
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
	sfs_lock_destroy(lk);
}

void sfs_lock_give_up(struct sfs_fs *fs, u64 id, u8 keep)
{
	struct sfs_lock_shard *shard = sfs_lock_shard(fs, id);
	struct sfs_lock *lk;

	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);
	if (lk && lk->mode > keep) {
		lk->at_once = 1;	/* nobody else's turn is waited for */
		sfs_lock_revoke(lk, keep);
	}
	spin_unlock(&shard->lock);
}

u32 sfs_locks_take_releases(struct sfs_fs *fs, u64 txn_nr,
			    struct sfs_msg_lock_release *rels, u32 max)
{
	struct sfs_lock_rel *rel;
	u32 nr = 0;

	spin_lock(&fs->txn_lock);
	list_for_each_entry(rel, &fs->locks->releases, head) {
		if (nr < max && !rel->sent_nr && rel->txn_nr <= txn_nr) {
			rel->sent_nr = txn_nr;
			rels[nr++] = rel->body;
		}
	}
	spin_unlock(&fs->txn_lock);
	sfs_count_by(fs->cnt, lock_releases, nr);
	return nr;
}

static struct sfs_lock_rel *next_published(struct sfs_fs *fs)
{
	struct sfs_lock_rel *found = NULL;
	struct sfs_lock_rel *rel;

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
	struct sfs_lock_rel *rel;

	while ((rel = next_published(fs))) {
		if (!rel->sent_nr)
			sfs_lock_send_release(fs, &rel->body);
		kfree(rel);
	}
}

bool sfs_lock_release_pending(struct sfs_fs *fs, u64 id, u64 epoch)
{
	struct sfs_lock_rel *rel;
	bool found = false;

	spin_lock(&fs->txn_lock);
	list_for_each_entry(rel, &fs->locks->releases, head)
		found |= le64_to_cpu(rel->body.id) == id &&
			 le64_to_cpu(rel->body.epoch) == epoch;
	spin_unlock(&fs->txn_lock);
	return found;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What servers say of cluster locks, and what a new one is told.
 *
 * A grant counts for the request that is under way and for nothing else, a
 * revoke for the epoch it names.  To a new server the mount says all it has: the
 * locks in the table, and those that it is giving up with a publish which that
 * server may not have, as they were.  From then on no grant of an earlier server
 * is taken, however late it comes.
 */
#include "mount/lock_types.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/report.h"
#include "mount/session.h"

#define TURN_MS 10

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
			sfs_lock_not_unapplied(lk);
	}
	sfs_lock_now_idle(lk);
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
	struct sfs_lock_shard *shard = sfs_lock_shard(fs, id);
	struct sfs_lock_ask ask = {};
	struct sfs_lock *lk;
	u64 need;
	u64 *others;
	bool any;

	if (sfs_msg_len(msg) < sizeof(*body) || body->mode < SFS_LOCK_READ ||
	    body->mode > SFS_LOCK_WRITE)
		return;
	sfs_count(fs->cnt, lock_grants);
	others = sfs_lock_decode_others(&body->others);
	need = sfs_broken(fs->host, NONEED) ? 0 :
					      le64_to_cpu(body->need_version);
	any = sfs_broken(fs->host, DUPGRANT);
	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);
	if (lk && ((lk->req_nr && lk->req_nr == le64_to_cpu(body->nr) &&
		    is_new(lk, epoch)) || (any && lk->mode == SFS_LOCK_NONE))) {
		granted(lk, body->mode, epoch, need, le64_to_cpu(body->stamp));
		sfs_lock_learn_others(lk, others);
		others = NULL;
		sfs_lock_serve(lk, &ask);
	}
	spin_unlock(&shard->lock);
	kfree(others);
	sfs_lock_send_request(fs, &ask);
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
		sfs_lock_revoke(lk, keep);
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
	struct sfs_lock_shard *shard;
	struct sfs_lock *lk;
	bool answer;
	u64 id;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	sfs_count(fs->cnt, lock_revokes);
	id = le64_to_cpu(body->id);
	shard = sfs_lock_shard(fs, id);
	rel.id = body->id;
	rel.epoch = body->epoch;
	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);
	answer = on_revoke_locked(fs, lk, le64_to_cpu(body->epoch), body->keep,
				  &rel.keep);
	/* the release that said so may be lost, or nobody has asked before */
	if (lk)
		sfs_lock_fill_in_use(lk, &rel.in_use);
	spin_unlock(&shard->lock);
	if (answer && !sfs_lock_release_pending(fs, id, le64_to_cpu(body->epoch)))
		sfs_lock_send_release(fs, &rel);
}

/* Somebody watches an inode of the group.  With the lock here: on release. */
static void on_ask(struct sfs_fs *fs, const struct sfs_msg *msg)
{
	const struct sfs_msg_lock_ask *body =
		(const struct sfs_msg_lock_ask *)msg->payload;
	struct sfs_msg_in_use in_use = {};
	struct sfs_lock_shard *shard;
	struct sfs_lock *lk;
	bool answer = true;
	u64 id;

	if (sfs_msg_len(msg) < sizeof(*body))
		return;
	id = le64_to_cpu(body->id);
	shard = sfs_lock_shard(fs, id);
	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);
	if (lk) {
		answer = lk->mode == SFS_LOCK_NONE;
		sfs_lock_fill_in_use(lk, &in_use);
	}
	spin_unlock(&shard->lock);
	if (answer)
		sfs_lock_send_in_use(fs, id, &in_use);
}

/* What the grant said of it is of the past then. */
static void forget_others(struct sfs_fs *fs, u64 ino, u64 epoch)
{
	u64 id = sfs_lock_of_ino(ino);
	struct sfs_lock_shard *shard = sfs_lock_shard(fs, id);
	u32 i = ino - sfs_lock_first_ino(id);
	struct sfs_lock *lk;

	spin_lock(&shard->lock);
	lk = sfs_lock_find(shard, id);
	if (lk && lk->others && lk->mode != SFS_LOCK_NONE &&
	    lk->epoch == epoch)
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
		forget_others(fs, le64_to_cpu(body->ino),
			      le64_to_cpu(body->epoch));
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

static struct sfs_lock *next_applied(struct sfs_lock_shard *shard, u64 version)
{
	struct sfs_lock *lk;

	list_for_each_entry(lk, &shard->unapplied, unapplied) {
		if (lk->need_version <= version) {
			sfs_lock_not_unapplied(lk);
			return lk;
		}
	}
	return NULL;
}

static void shard_applied(struct sfs_fs *fs, struct sfs_lock_shard *shard,
			  u64 version)
{
	struct sfs_lock *lk;
	struct sfs_lock_ask ask;

	do {
		memset(&ask, 0, sizeof(ask));
		spin_lock(&shard->lock);
		lk = next_applied(shard, version);
		if (lk)
			sfs_lock_serve(lk, &ask);
		spin_unlock(&shard->lock);
		sfs_lock_send_request(fs, &ask);
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
	for (i = 0; i < SFS_LOCK_SHARDS; i++)
		shard_applied(fs, &fs->locks->shard[i], version);
}

int sfs_lock_install(struct sfs_fs *fs, u64 id, u64 epoch)
{
	struct sfs_lock_shard *shard = sfs_lock_shard(fs, id);
	struct sfs_lock_ask ask = {};
	struct sfs_lock *lk;

	lk = sfs_lock_find_or_make(fs, shard, id);
	if (lk && is_new(lk, epoch)) {
		granted(lk, SFS_LOCK_WRITE, epoch, 0, 0);
		sfs_lock_serve(lk, &ask);
	}
	spin_unlock(&shard->lock);
	sfs_lock_send_request(fs, &ask);
	return lk ? 0 : -ENOMEM;
}

/* ---- a new server ------------------------------------------------------------------------ */

/* From here on what an earlier server granted is not taken any more. */
static void forbid_old(struct sfs_fs *fs, u64 term)
{
	struct sfs_locks *locks = fs->locks;
	u32 i;

	for (i = 0; i < SFS_LOCK_SHARDS; i++) {
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

static void count_shard(struct sfs_lock_shard *shard, u32 *nr_held, u32 *nr_in_use)
{
	struct sfs_lock *lk;
	u32 b;

	*nr_held = 0;
	*nr_in_use = 0;
	for (b = 0; b < SFS_LOCK_BUCKETS; b++) {
		list_for_each_entry(lk, &shard->hash[b], hash) {
			*nr_held += lk->mode != SFS_LOCK_NONE;
			*nr_in_use += lk->mode == SFS_LOCK_NONE && lk->opens;
		}
	}
}

static void fill_shard(struct sfs_lock_shard *shard, struct sfs_msg *msg,
		       u32 nr_held, u32 nr_in_use)
{
	struct sfs_msg_restate *body = (struct sfs_msg_restate *)msg->payload;
	struct sfs_msg_lock_held *held = (void *)(body + 1);
	struct sfs_msg_lock_in_use *in_use = (void *)(held + nr_held);
	struct sfs_lock *lk;
	u32 b;

	body->nr_held = cpu_to_le32(nr_held);
	body->nr_in_use = cpu_to_le32(nr_in_use);
	for (b = 0; b < SFS_LOCK_BUCKETS; b++) {
		list_for_each_entry(lk, &shard->hash[b], hash) {
			if (lk->mode != SFS_LOCK_NONE) {
				held->id = cpu_to_le64(lk->id);
				held->epoch = cpu_to_le64(lk->epoch);
				held->mode = lk->mode;
				held++;
			} else if (lk->opens) {
				in_use->id = cpu_to_le64(lk->id);
				sfs_lock_fill_in_use(lk, &in_use->in_use);
				in_use++;
			}
		}
	}
}

static int restate_shard(struct sfs_fs *fs, struct sfs_lock_shard *shard)
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
static int restate_releases(struct sfs_fs *fs, u64 publish_nr)
{
	struct sfs_msg_restate *body;
	struct sfs_msg_lock_held *held;
	struct sfs_lock_rel *rel;
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
			if (rel->sent_nr && rel->sent_nr <= publish_nr)
				continue;
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

int sfs_locks_restate(struct sfs_fs *fs, u64 publish_nr)
{
	int ret = 0;
	u32 i;

	forbid_old(fs, sfs_client_term(&fs->net));
	for (i = 0; i < SFS_LOCK_SHARDS && ret == 0; i++)
		ret = restate_shard(fs, &fs->locks->shard[i]);
	/* a lock that was given up meanwhile is in this list */
	return ret ?: restate_releases(fs, publish_nr);
}

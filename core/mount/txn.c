// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds: how operations change items; and what they read.
 *
 * A hold belongs to the transaction that was current when it began and keeps
 * that one from being written before the hold has ended.  Beginning is where
 * everything can wait or fail: for space (space.c), for memory, for the
 * publisher when the transaction has grown to twice the size at which it is
 * frozen, for compaction when level 0 is long, and for room in the list of
 * data extents, which is bounded so that a publish fits a message.
 *
 * Locks: txn_lock is a leaf.
 */
#include "mount/txn.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/report.h"
#include "base/triggers.h"
#include "engine/run_write.h"
#include "mount/mount.h"
#include "mount/publish.h"
#include "mount/locks.h"
#include "mount/space.h"

/* With this many slices in level 0, what is not deleting waits for compaction, */
#define L0_HARD_LIMIT 40
/* but no longer than this: compaction may have stopped at a damaged block. */
#define L0_MAX_WAIT_NS 2000000000ULL
#define ADMIT_POLL_MS 100

static u64 gen_bytes(struct sfs_memgen *gen)
{
	return READ_ONCE(gen->mem_bytes);	/* stale: a little late */
}

/* Joins the current transaction if it may grow; also true on error. */
static bool admit(struct sfs_fs *fs, const struct sfs_need *need,
		  bool patient, struct sfs_txn **ret_txn, u64 *ret_stamp,
		  int *ret_err)
{
	bool full = false;
	bool slow = patient && sfs_publish_l0(fs) >= L0_HARD_LIMIT;
	struct sfs_txn *txn;
	bool done = true;
	u64 nr;

	spin_lock(&fs->txn_lock);
	txn = fs->txn;
	nr = txn->nr;		/* without a hold it may be gone right after */
	*ret_err = fs->err;
	*ret_txn = NULL;
	if (!fs->err) {
		full = txn->extents_reserved + need->extents > SFS_TXN_EXTENTS;
		done = !full && !slow &&
		       gen_bytes(txn->gen) < 2 * fs->freeze_bytes;
	}
	if (done && !fs->err) {
		txn->holders++;
		txn->extents_reserved += need->extents;
		txn->dirty = true;
		/* not before what was done under a lock before it came here */
		txn->stamp = fs->now;
		*ret_stamp = txn->stamp;
		*ret_txn = txn;
	}
	spin_unlock(&fs->txn_lock);
	if (full || (!done && !slow))
		sfs_publish_kick(fs, nr);
	return done;
}

static void leave(struct sfs_fs *fs, struct sfs_txn *txn, u32 extents_left)
{
	bool last;

	spin_lock(&fs->txn_lock);
	txn->extents_reserved -= extents_left;
	last = --txn->holders == 0;
	spin_unlock(&fs->txn_lock);
	if (last)
		wake_up_all(&fs->txn_wait);
}

static int wait_admission(struct sfs_fs *fs, const struct sfs_need *need,
			  enum sfs_space_class class, struct sfs_txn **ret_txn,
			  u64 *ret_stamp)
{
	bool patient = class == SFS_SPACE_USER;
	u64 start;
	int err;

	if (admit(fs, need, patient, ret_txn, ret_stamp, &err))
		return err;
	sfs_count(fs->cnt, hold_waits);
	if (patient && sfs_publish_l0(fs) >= L0_HARD_LIMIT)
		sfs_count(fs->cnt, hold_waits_level0);
	start = sfs_port_boot_ns(fs->host);
	while (!wait_event_timeout(fs->txn_wait,
				   admit(fs, need, patient, ret_txn, ret_stamp,
					 &err),
				   msecs_to_jiffies(ADMIT_POLL_MS))) {
		if (sfs_port_killed(fs->host))
			return -EINTR;
		if (sfs_port_boot_ns(fs->host) - start > L0_MAX_WAIT_NS)
			patient = false;
	}
	return err;
}

int sfs_hold_begin(struct sfs_fs *fs, struct sfs_lockset *locks,
		   struct sfs_hold *hold, enum sfs_space_class class,
		   const struct sfs_need *need)
{
	u64 space = sfs_space_for_items(need->items, need->val_bytes);
	u32 mem = need->items * (sfs_memgen_item_bytes(0) + 8) +
		  need->val_bytes;
	struct sfs_txn *txn;
	u64 stamp;
	int ret;

	if (WARN_ON(need->extents > SFS_TXN_EXTENTS))
		return -EINVAL;
	ret = sfs_space_reserve(fs, space, class);
	if (ret < 0)
		return ret;
	ret = wait_admission(fs, need, class, &txn, &stamp);
	if (ret < 0)
		goto err_space;
	ret = sfs_memgen_cut(txn->gen, mem, &hold->mem);
	if (ret < 0) {
		leave(fs, txn, need->extents);
		goto err_space;
	}
	spin_lock(&fs->txn_lock);
	txn->bytes_reserved += space;
	spin_unlock(&fs->txn_lock);
	hold->txn = txn;
	hold->gen = txn->gen;
	hold->locks = locks;
	hold->stamp = stamp;
	hold->txn_seq = txn->seq;
	hold->txn_nr = txn->nr;
	hold->left = *need;
	hold->mem_left = mem;
	sfs_count(fs->cnt, holds);
	return 0;
err_space:
	sfs_space_unreserve(fs, space);
	return ret;
}

void sfs_hold_end(struct sfs_fs *fs, struct sfs_hold *hold)
{
	bool big;

	sfs_memgen_uncut(hold->gen, hold->mem, hold->mem_left);
	big = gen_bytes(hold->gen) >= fs->freeze_bytes ||
	      sfs_port_trigger(fs->host, SFS_TRIGGER_FREEZE);
	leave(fs, hold->txn, hold->left.extents);
	if (big)
		sfs_publish_kick(fs, hold->txn_nr);
	hold->txn = NULL;
	hold->gen = NULL;
}

void sfs_item_put(struct sfs_fs *fs, struct sfs_hold *hold,
		  const struct sfs_key *key, const void *val, u32 len)
{
	SFS_ASSERT_CMP(hold->left.items, >, 0);
	SFS_ASSERT_CMP(hold->left.val_bytes, >=, len);
	SFS_ASSERT_CMP(len, <=, SFS_MAX_VAL);
	sfs_locks_changed(hold->locks, key, hold->txn_nr);
	hold->left.items--;
	hold->left.val_bytes -= len;
	sfs_memgen_set(hold->gen, &hold->mem, &hold->mem_left, key,
		       hold->stamp, SFS_ITEM_VALUE, val, len);
}

void sfs_item_del(struct sfs_fs *fs, struct sfs_hold *hold,
		  const struct sfs_key *key)
{
	SFS_ASSERT_CMP(hold->left.items, >, 0);
	sfs_locks_changed(hold->locks, key, hold->txn_nr);
	hold->left.items--;
	sfs_memgen_set(hold->gen, &hold->mem, &hold->mem_left, key,
		       hold->stamp, SFS_ITEM_DELETION, NULL, 0);
}

void sfs_data_consume(struct sfs_fs *fs, struct sfs_hold *hold, u64 start,
		      u64 count)
{
	SFS_ASSERT_CMP(hold->left.extents, >, 0);
	hold->left.extents--;
	spin_lock(&fs->txn_lock);
	sfs_dext_add(&hold->txn->consumed, start, count);
	spin_unlock(&fs->txn_lock);
}

void sfs_data_free(struct sfs_fs *fs, struct sfs_hold *hold, u64 start,
		   u64 count)
{
	SFS_ASSERT_CMP(hold->left.extents, >, 0);
	hold->left.extents--;
	spin_lock(&fs->txn_lock);
	sfs_dext_add(&hold->txn->freed, start, count);
	spin_unlock(&fs->txn_lock);
}

void sfs_data_dirty(struct sfs_fs *fs, struct sfs_hold *hold)
{
	WRITE_ONCE(hold->txn->data_dirty, true);
}

/* ---- reading ----------------------------------------------------------------------- */

int sfs_item_get(struct sfs_fs *fs, const struct sfs_key *key, void *buf,
		 u32 size)
{
	int ret = sfs_mount_error(fs);

	sfs_count(fs->cnt, item_reads);
	return ret ?: sfs_engine_get(&fs->eng, key, buf, size);
}

int sfs_item_next(struct sfs_fs *fs, struct sfs_key *key,
		  const struct sfs_key *last, void *buf, u32 size)
{
	int ret = sfs_mount_error(fs);

	return ret ?: sfs_engine_next(&fs->eng, key, last, buf, size);
}

void sfs_item_iter_init(struct sfs_fs *fs, struct sfs_iter *it,
			const struct sfs_key *first, const struct sfs_key *last)
{
	sfs_iter_init(&fs->eng, it, first, last);
	it->err = sfs_mount_error(fs);
}

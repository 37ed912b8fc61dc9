/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deleting inodes without names; the worker, which finishes truncations, too.
 *
 * An inode that nobody uses and that has no items but its own goes in the hold
 * in which its last name goes.  That of any other goes in a hold that also
 * writes an orphan item.
 * The inode stays whole while somebody has it open.  When nobody has, the
 * worker deletes what belongs to it in bounded steps, one hold each, and in the
 * last hold the inode item, its index entries and the orphan item together.
 * After each step the inode's counts are those of what is still there.  A
 * crash leaves an orphan with what the durable steps left; the next mount
 * scans for such items once, orphan_scan_delay_ms after it started, and deletes
 * on.
 *
 * What to look at comes in through a bounded ring of inode numbers; when it is
 * full, a flag stands for all others and the worker scans.  An inode that was
 * still in use comes again with its last close (open.c).
 *
 * Nothing retries in a loop: what failed (no space, no memory) is scanned for
 * again after the same delay.
 *
 * Locks: the worker takes an inode's ilock, then claims it from opens (never
 * the other way round), then holds as everyone.  work_lock is a spinlock below
 * everything.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include "base/report.h"
#include "mount/mount_types.h"

#define DELETE_BATCH 64

/* Items of an inode that is being deleted. */
struct victims {
	u32 nr_keys;
	bool more;
	struct sfs_key keys[DELETE_BATCH];
	struct sfs_ext_batch exts;
};

static int victims_add(struct sfs_fs *fs, struct victims *v,
		       const struct sfs_iter *it)
{
	const char *why;

	switch (it->key.type) {
	case SFS_FS_XATTR:
	case SFS_FS_SYMLINK:
		v->keys[v->nr_keys++] = it->key;
		return 0;
	case SFS_FS_EXTENT:
		why = sfs_extent_decode(&it->key, it->val, it->val_len,
					&v->exts.ext[v->exts.nr]);
		if (why)
			return sfs_item_bad(fs, &it->key, why);
		v->exts.nr++;
		return 0;
	}
	return sfs_item_bad(fs, &it->key,
			    "belongs to an inode that is to be deleted");
}

static int victims_collect(struct sfs_fs *fs, u64 ino, struct victims *v)
{
	struct sfs_key first = SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_INODE + 1, 0,
				       0, 0);
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, ino, U8_MAX, U64_MAX,
				      U64_MAX, U8_MAX);
	struct sfs_iter it;
	int ret;

	v->nr_keys = 0;
	v->exts.nr = 0;
	v->more = false;
	sfs_item_iter_init(fs, &it, &first, &last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		if (v->nr_keys + v->exts.nr == DELETE_BATCH) {
			v->more = true;
			ret = 0;
			break;
		}
		ret = victims_add(fs, v, &it);
		if (ret < 0)
			break;
	}
	sfs_iter_exit(&it);
	return ret;
}

/* The inode, and what says that it is to be deleted. */
static void erase(struct sfs_fs *fs, struct sfs_hold *hold,
		  struct sfs_inode *si)
{
	struct sfs_key key = sfs_work_key(si->ino, SFS_WORK_ORPHAN);

	sfs_inode_erase(fs, hold, si);
	sfs_item_del(fs, hold, &key);
	key = sfs_work_key(si->ino, SFS_WORK_TRUNCATE);
	if (si->flags & SFS_INODE_TRUNCATING)
		sfs_item_del(fs, hold, &key);
}

static int delete_step(struct sfs_fs *fs, struct sfs_inode *si,
		       struct victims *v)
{
	struct sfs_need need = {};
	struct sfs_hold hold;
	u32 i;
	int ret;

	ret = victims_collect(fs, si->ino, v);
	if (ret < 0)
		return ret;
	need.items = v->nr_keys + v->exts.nr + 2;
	need.extents = v->exts.nr;
	sfs_need_inode(&need);
	ret = sfs_hold_begin(fs, si->locks, &hold, SFS_SPACE_DELETE, &need);
	if (ret < 0)
		return ret;
	for (i = 0; i < v->nr_keys; i++)
		sfs_item_del(fs, &hold, &v->keys[i]);
	for (i = 0; i < v->exts.nr; i++)
		sfs_extent_cut(fs, &hold, si, &v->exts.ext[i], 0);
	if (v->more)
		sfs_inode_store(fs, &hold, si);
	else
		erase(fs, &hold, si);
	sfs_hold_end(fs, &hold);
	return 0;
}

/* A scan after a while. */
static void work_later(struct sfs_fs *fs)
{
	struct sfs_inodes *in = fs->inodes;
	u32 ms = READ_ONCE(fs->opts.orphan_scan_delay_ms);

	/* under the lock: nothing is queued once stopping is set */
	spin_lock(&in->work_lock);
	if (!in->stopping)
		queue_delayed_work(in->wq, &in->scan, msecs_to_jiffies(ms));
	spin_unlock(&in->work_lock);
}

/*
 * The one place that decides whether the items of an inode that has no name, or
 * is losing its last one, may go now: claims it for @busy if nobody uses it but
 * for @opens of the caller.  Otherwise, who uses it last sends it here again.
 * The caller excludes others from the inode and holds nothing.
 */
static bool may_go(struct sfs_fs *fs, const struct sfs_inode *si,
		   struct sfs_ivol *vol, enum sfs_busy busy, u32 opens)
{
	if (sfs_locks_open_elsewhere(fs, si->locks, si->ino)) {
		work_later(fs);	/* in case nobody says when that ends */
		return false;
	}
	return sfs_ivol_claim(fs, vol, busy, opens);
}

/*
 * Whether the inode's own item is all there is of it, by what is in it: then
 * nobody needs to look for others.
 */
static bool is_bare(const struct sfs_inode *si)
{
	return !S_ISDIR(si->mode) && !S_ISLNK(si->mode) &&
	       !(si->flags & SFS_INODE_EXTENTS) && !si->next_xattr_id;
}

static int delete_bare(struct sfs_fs *fs, struct sfs_inode *si)
{
	struct sfs_need need = { .items = 2 };
	struct sfs_hold hold;
	int ret;

	sfs_need_inode(&need);
	ret = sfs_hold_begin(fs, si->locks, &hold, SFS_SPACE_DELETE, &need);
	if (ret < 0)
		return ret;
	erase(fs, &hold, si);
	sfs_hold_end(fs, &hold);
	return 0;
}

static int delete_inode(struct sfs_fs *fs, struct sfs_inode *si)
{
	struct victims *v;
	int ret;

	if (is_bare(si))
		return delete_bare(fs, si);
	v = kmalloc(sizeof(*v), GFP_NOFS);
	if (!v)
		return -ENOMEM;
	do {
		ret = delete_step(fs, si, v);
	} while (ret == 0 && v->more);
	kfree(v);
	return ret;
}

bool sfs_delete_at_once(struct sfs_fs *fs, const struct sfs_inode *si,
			u32 opens, struct sfs_ivol **ret_vol)
{
	struct sfs_ivol *vol;

	if (si->nlink != 1 || !is_bare(si) ||
	    (si->flags & SFS_INODE_TRUNCATING))
		return false;
	/* without memory it becomes an orphan, as others do */
	if (sfs_ivol_get(fs, si->ino, &vol) < 0)
		return false;
	if (may_go(fs, si, vol, SFS_BUSY_UNLINKING, opens)) {
		*ret_vol = vol;
		return true;
	}
	sfs_ivol_put(fs, vol);
	return false;
}

void sfs_delete_at_once_exit(struct sfs_fs *fs, struct sfs_ivol *vol, bool gone)
{
	if (gone)
		sfs_count(fs->cnt, inodes_deleted);
	sfs_ivol_unclaim(fs, vol, gone);
	sfs_ivol_put(fs, vol);
}

/* ---- the worker ---------------------------------------------------------- */

void sfs_work_add(struct sfs_fs *fs, u64 ino)
{
	struct sfs_inodes *in = fs->inodes;

	spin_lock(&in->work_lock);
	if (in->work_nr < SFS_WORK_MAX) {
		in->work_inos[(in->work_head + in->work_nr) % SFS_WORK_MAX] =
			ino;
		in->work_nr++;
	} else {
		in->work_scan = 1;
	}
	if (!in->stopping)
		queue_work(in->wq, &in->work);
	spin_unlock(&in->work_lock);
}

void sfs_work_unused(struct sfs_fs *fs, u64 ino)
{
	struct sfs_inodes *in = fs->inodes;

	if (ino) {
		sfs_work_add(fs, ino);
		return;
	}
	spin_lock(&in->work_lock);
	in->work_scan = 1;
	if (!in->stopping)
		queue_work(in->wq, &in->work);
	spin_unlock(&in->work_lock);
}

void sfs_work_scan(struct work_struct *work)
{
	struct sfs_inodes *in = container_of(work, struct sfs_inodes,
					     scan.work);

	spin_lock(&in->work_lock);
	in->work_scan = 1;
	spin_unlock(&in->work_lock);
	queue_work(in->wq, &in->work);
}

static int work_on_inode(struct sfs_fs *fs, struct sfs_inode *si,
			 struct sfs_ivol *vol)
{
	enum sfs_busy busy;
	int ret;

	if (!si->nlink)
		busy = SFS_BUSY_DELETING;
	else if (si->flags & SFS_INODE_TRUNCATING)
		busy = SFS_BUSY_TRUNCATING;
	else
		return 0;
	if (busy == SFS_BUSY_DELETING ? !may_go(fs, si, vol, busy, 0) :
					!sfs_ivol_claim(fs, vol, busy, 0))
		return 0;
	if (busy == SFS_BUSY_DELETING)
		ret = delete_inode(fs, si);
	else
		ret = sfs_trunc_finish(fs, si);
	sfs_ivol_unclaim(fs, vol, busy == SFS_BUSY_DELETING && ret == 0);
	if (ret < 0)
		return ret;
	if (busy == SFS_BUSY_DELETING)
		sfs_count(fs->cnt, inodes_deleted);
	else
		sfs_count(fs->cnt, truncates_finished);
	return ret;
}

static int work_under_lock(struct sfs_fs *fs, u64 ino, struct sfs_ivol *vol)
{
	struct sfs_lockset locks;
	struct sfs_inode si;
	int ret;

	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_WRITE);
	if (ret < 0)
		return ret;
	ret = sfs_inode_read(fs, &locks, ino, &si);
	if (ret == 0)
		ret = work_on_inode(fs, &si, vol);
	sfs_locks_end(fs, &locks);
	return ret;
}

static void work_on(struct sfs_fs *fs, u64 ino)
{
	struct sfs_ivol *vol;
	struct sfs_ilock il;
	int ret;

	sfs_ilock_excl(fs, &il, ino, 0, 0, 0);
	ret = sfs_ivol_get(fs, ino, &vol);
	if (ret == 0) {
		ret = work_under_lock(fs, ino, vol);
		sfs_ivol_put(fs, vol);
	}
	sfs_iunlock(fs, &il);
	if (ret < 0 && ret != -ENOENT)
		work_later(fs);
}

static void work_on_all(struct sfs_fs *fs)
{
	struct sfs_key key = SFS_KEY(SFS_ZONE_WORK, 0, 0, 0, 0, 0);
	struct sfs_key last = SFS_KEY(SFS_ZONE_WORK, U64_MAX, U8_MAX, U64_MAX,
				      U64_MAX, U8_MAX);
	struct sfs_truncate_item it;
	int ret;

	sfs_count(fs->cnt, worker_scans);
	while (!READ_ONCE(fs->inodes->stopping)) {
		ret = sfs_item_next(fs, &key, &last, &it, sizeof(it));
		if (ret < 0 && ret != -ERANGE) {
			if (ret != -ENOENT)
				work_later(fs);
			break;
		}
		work_on(fs, key.f1);
		if (key.f1 == U64_MAX)
			break;
		key = SFS_KEY(SFS_ZONE_WORK, key.f1 + 1, 0, 0, 0, 0);
	}
}

static bool work_take(struct sfs_inodes *in, u64 *ret_ino, bool *ret_scan)
{
	bool some = true;

	spin_lock(&in->work_lock);
	*ret_scan = false;
	if (in->work_nr) {
		*ret_ino = in->work_inos[in->work_head];
		in->work_head = (in->work_head + 1) % SFS_WORK_MAX;
		in->work_nr--;
	} else if (in->work_scan && !in->stopping) {
		in->work_scan = 0;
		*ret_scan = true;
	} else {
		some = false;
	}
	spin_unlock(&in->work_lock);
	return some;
}

void sfs_work_run(struct work_struct *work)
{
	struct sfs_inodes *in = container_of(work, struct sfs_inodes, work);
	bool scan;
	u64 ino;

	while (work_take(in, &ino, &scan)) {
		if (scan)
			work_on_all(in->fs);
		else
			work_on(in->fs, ino);
	}
}

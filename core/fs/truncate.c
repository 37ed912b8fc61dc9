/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing the size of files.
 *
 * Shrinking changes the size and frees what lies behind it.  When that are more
 * extents than fit one hold, the same hold that changes the size also writes an
 * item of unfinished work and sets SFS_INODE_TRUNCATING, and the rest follows
 * in bounded steps.  Until they are done nothing may show what is left behind
 * the size: whatever would make the file longer, or map its blocks for
 * writing, finishes the steps first.  After a crash the flag is still there
 * and does the same; the item is how the worker finds such inodes.
 *
 * The size of an inode does not change while the flag is set, so it is the
 * boundary of the truncation, and the item repeats it for readers of items.
 *
 * The bytes of the last block behind the size are not zeroed on shrinking: the
 * write would be in place, and a crash before the transaction is durable would
 * have lost them from the longer file.  They are zeroed when the file grows
 * over them, before the hold that changes the size (sfs_zero_tail()), and not
 * before the shrinking is durable.
 *
 * Locks: Excl(ino), or the worker's claim.
 */
#include "fs/fs.h"

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include "base/report.h"
#include "mount/mount_types.h"

static void need_cuts(struct sfs_need *need, const struct sfs_ext_batch *batch)
{
	need->items += batch->nr + 1;	/* the first may leave a part */
	need->val_bytes += sizeof(struct sfs_extent_item);
	need->extents += batch->nr;
	need->items += 1;		/* of unfinished work */
	need->val_bytes += sizeof(struct sfs_truncate_item);
}

static void cut_all(struct sfs_fs *fs, struct sfs_hold *hold,
		    struct sfs_inode *si, const struct sfs_ext_batch *batch,
		    u64 cut)
{
	u32 i;

	for (i = 0; i < batch->nr; i++)
		sfs_extent_cut(fs, hold, si, &batch->ext[i], cut);
}

int sfs_trunc_prepare(struct sfs_fs *fs, struct sfs_inode *si, u64 size,
		      struct sfs_trunc *tc)
{
	int ret;

	ret = sfs_trunc_finish(fs, si);
	if (ret < 0)
		return ret;
	tc->size = size;
	tc->changes = size != si->size;
	if (size > si->size) {
		ret = sfs_zero_tail(fs, si, &tc->zeroed);
		if (ret < 0)
			return ret;
	}
	/* what lies behind a larger size was allocated ahead of writes */
	tc->batch = kmalloc(sizeof(*tc->batch), GFP_NOFS);
	if (!tc->batch)
		return -ENOMEM;
	ret = sfs_extent_collect(fs, si->ino, sfs_size_blocks(size),
				 tc->batch);
	if (ret == 0)
		need_cuts(&tc->need, tc->batch);
	return ret;
}

void sfs_trunc_apply(struct sfs_fs *fs, struct sfs_hold *hold,
		     struct sfs_inode *si, struct sfs_trunc *tc)
{
	struct sfs_key key = sfs_work_key(si->ino, SFS_WORK_TRUNCATE);
	struct sfs_truncate_item it = { .size = cpu_to_le64(tc->size) };

	if (tc->zeroed)
		sfs_data_dirty(fs, hold);
	if (tc->batch) {
		cut_all(fs, hold, si, tc->batch, sfs_size_blocks(tc->size));
		if (tc->batch->more) {
			sfs_item_put(fs, hold, &key, &it, sizeof(it));
			si->flags |= SFS_INODE_TRUNCATING;
		}
	}
	si->size = tc->size;
}

void sfs_trunc_exit(struct sfs_trunc *tc)
{
	kfree(tc->batch);
	tc->batch = NULL;
}

static int finish_step(struct sfs_fs *fs, struct sfs_inode *si,
		       struct sfs_ext_batch *batch)
{
	struct sfs_key key = sfs_work_key(si->ino, SFS_WORK_TRUNCATE);
	u64 cut = sfs_size_blocks(si->size);
	struct sfs_need need = {};
	struct sfs_hold hold;
	int ret;

	ret = sfs_extent_collect(fs, si->ino, cut, batch);
	if (ret < 0)
		return ret;
	need_cuts(&need, batch);
	sfs_need_inode(&need);
	ret = sfs_hold_begin(fs, si->locks, &hold, SFS_SPACE_DELETE, &need);
	if (ret < 0)
		return ret;
	cut_all(fs, &hold, si, batch, cut);
	if (!batch->more) {
		sfs_item_del(fs, &hold, &key);
		si->flags &= ~SFS_INODE_TRUNCATING;
	}
	sfs_inode_store(fs, &hold, si);
	sfs_hold_end(fs, &hold);
	return 0;
}

int sfs_trunc_finish(struct sfs_fs *fs, struct sfs_inode *si)
{
	struct sfs_ext_batch *batch;
	int ret = 0;

	if (!(si->flags & SFS_INODE_TRUNCATING))
		return 0;
	batch = kmalloc(sizeof(*batch), GFP_NOFS);
	if (!batch)
		return -ENOMEM;
	while (ret == 0 && (si->flags & SFS_INODE_TRUNCATING))
		ret = finish_step(fs, si, batch);
	kfree(batch);
	return ret;
}

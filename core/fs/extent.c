/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extents: which blocks of the data device hold which blocks of a file.
 *
 * Invariants, at every transaction boundary:
 *  - the extents of a file do not overlap, neither do the blocks of the data
 *    device that all extents of the volume name
 *  - a written extent names blocks that were written and flushed; an unwritten
 *    one reads as zeroes
 *  - an inode with extents, also unwritten ones, has SFS_INODE_EXTENTS set
 *  - behind the block with the last byte there are no written blocks, but
 *    while SFS_INODE_TRUNCATING is set
 *
 * An extent is keyed by its last block, so the one that covers a block, or
 * follows it, is one seek forward.  Neighbours in the same state that are
 * contiguous on the device are one extent.
 *
 * Writing goes: sfs_map_write() allocates unwritten blocks in a hold, the host
 * writes them, sfs_map_written() makes them written in another hold, together
 * with size, times, data_seq and data_version.  A crash in between leaves
 * unwritten blocks: the file reads as before.  Overwriting written blocks in
 * place needs no change of extents but a step of data_version ahead of it
 * (open.c).
 *
 * Locks: Excl(ino) for changes, Shared(ino) for looking.  What a truncation
 * left behind is finished before anything is mapped (truncate.c).
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include "base/report.h"
#include "mount/mount_types.h"

static u64 ext_last(const struct sfs_extent *ext)
{
	return ext->block + ext->count - 1;
}

/* @b goes on where @a ends, in the file and on the device. */
static bool ext_joins(const struct sfs_extent *a, const struct sfs_extent *b)
{
	return sfs_ext_end(a) == b->block && a->flags == b->flags &&
	       (a->phys ? a->phys + a->count == b->phys : !b->phys);
}

/* The part of @ext in [from, end), which it overlaps. */
static struct sfs_extent ext_part(const struct sfs_extent *ext, u64 from,
				  u64 end)
{
	struct sfs_extent part = *ext;

	part.block = max(ext->block, from);
	part.count = min(sfs_ext_end(ext), end) - part.block;
	if (part.phys)
		part.phys += part.block - ext->block;
	return part;
}

static bool ext_same(const struct sfs_extent *a, const struct sfs_extent *b)
{
	return a->block == b->block && a->count == b->count &&
	       a->phys == b->phys && a->flags == b->flags;
}

void sfs_extent_put(struct sfs_fs *fs, struct sfs_hold *hold, u64 ino,
		    const struct sfs_extent *ext)
{
	struct sfs_key key = sfs_extent_key(ino, ext_last(ext));
	struct sfs_extent_item it;

	sfs_extent_encode(ext, &it);
	sfs_item_put(fs, hold, &key, &it, sizeof(it));
}

void sfs_extent_del(struct sfs_fs *fs, struct sfs_hold *hold, u64 ino,
		    const struct sfs_extent *ext)
{
	struct sfs_key key = sfs_extent_key(ino, ext_last(ext));

	sfs_item_del(fs, hold, &key);
}

int sfs_extent_next(struct sfs_fs *fs, u64 ino, u64 block,
		    struct sfs_extent *ret_ext)
{
	struct sfs_key key = sfs_extent_key(ino, block);
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_EXTENT, U64_MAX,
				      U64_MAX, U8_MAX);
	struct sfs_extent_item it;
	const char *why;
	int ret;

	ret = sfs_item_next(fs, &key, &last, &it, sizeof(it));
	if (ret == -ERANGE)
		return sfs_item_bad(fs, &key, "extent: too long");
	if (ret < 0)
		return ret;
	why = sfs_extent_decode(&key, &it, ret, ret_ext);
	return why ? sfs_item_bad(fs, &key, why) : 0;
}

int sfs_extent_collect(struct sfs_fs *fs, u64 ino, u64 block,
		       struct sfs_ext_batch *batch)
{
	struct sfs_key first = sfs_extent_key(ino, block);
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_EXTENT, U64_MAX,
				      U64_MAX, U8_MAX);
	struct sfs_iter it;
	const char *why;
	int ret;

	batch->nr = 0;
	batch->more = false;
	sfs_item_iter_init(fs, &it, &first, &last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		if (batch->nr == SFS_EXT_BATCH) {
			batch->more = true;
			ret = 0;
			break;
		}
		why = sfs_extent_decode(&it.key, it.val, it.val_len,
					&batch->ext[batch->nr]);
		if (why) {
			ret = sfs_item_bad(fs, &it.key, why);
			break;
		}
		batch->nr++;
	}
	sfs_iter_exit(&it);
	return ret;
}

void sfs_extent_cut(struct sfs_fs *fs, struct sfs_hold *hold,
		    struct sfs_inode *si, const struct sfs_extent *ext,
		    u64 cut)
{
	struct sfs_extent gone = ext_part(ext, cut, U64_MAX);
	struct sfs_extent kept;

	SFS_ASSERT_CMP(sfs_ext_end(ext), >, cut);
	sfs_extent_del(fs, hold, si->ino, ext);
	if (ext->block < cut) {
		kept = ext_part(ext, 0, cut);
		sfs_extent_put(fs, hold, si->ino, &kept);
	}
	if (gone.phys)
		sfs_data_free(fs, hold, gone.phys, gone.count);
	if (gone.flags & SFS_EXT_OFFLINE)
		si->offline_blocks -= gone.count;
	else if (!(gone.flags & SFS_EXT_UNWRITTEN))
		si->online_blocks -= gone.count;
}

/* ---- reading --------------------------------------------------------------- */

int sfs_extent_map_read(struct sfs_fs *fs, u64 ino, u64 block,
			struct sfs_extent *ret_ext)
{
	struct sfs_extent ext;
	int ret;

	ret = sfs_extent_next(fs, ino, block, &ext);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	if (ret == -ENOENT)
		*ret_ext = (struct sfs_extent) { .block = block,
						 .count = U64_MAX - block };
	else if (ext.block > block)
		*ret_ext = (struct sfs_extent) { .block = block,
						 .count = ext.block - block };
	else
		*ret_ext = ext_part(&ext, block, U64_MAX);
	return 0;
}

int sfs_map_read(struct sfs_fs *fs, __u64 ino, __u64 block,
		 struct sfs_extent *ret_ext)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_map_read);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = sfs_extent_map_read(fs, ino, block, ret_ext);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- allocating ------------------------------------------------------------ */

/*
 * How many blocks to ask for.  A file that is written from its start on gets
 * as much again as it has, so that files written side by side do not come out
 * interleaved; others get what they asked for, or with contig_only=0 up to the
 * end of an aligned region.  @prev: the extent right before @block, or empty;
 * @last: there is none behind.
 */
static u64 alloc_want(struct sfs_fs *fs, const struct sfs_inode *si, u64 block,
		      u64 count, const struct sfs_extent *prev, bool last)
{
	u64 prealloc = READ_ONCE(fs->opts.data_prealloc_blocks);
	u64 region;

	if (!prealloc)
		return count;
	if (READ_ONCE(fs->opts.data_prealloc_contig_only)) {
		if (block > 1 && block == si->online_blocks)
			return max(count, min(block, prealloc));
		/* a page cache allocates ahead of the blocks that are online */
		if (block > 1 && last && prev->phys)
			return max(count, min(prev->count, prealloc));
		return count;
	}
	region = (div64_u64(block, prealloc) + 1) * prealloc - block;
	return max(count, min(region, si->online_blocks));
}

/* Unwritten blocks at @block of a hole that ends before @next. */
static int alloc_hole(struct sfs_fs *fs, struct sfs_inode *si, u64 block,
		      u64 count, const struct sfs_extent *next,
		      struct sfs_extent *ret_ext)
{
	struct sfs_need need = {
		.items = 3,
		.val_bytes = sizeof(struct sfs_extent_item) +
			     sizeof(struct sfs_inode_item),
		.extents = 1,
	};
	struct sfs_extent prev = {};
	struct sfs_extent new = { .block = block, .flags = SFS_EXT_UNWRITTEN };
	struct sfs_extent whole;
	struct sfs_hold hold;
	u64 goal = 0;
	u64 want;
	int ret;

	if (block) {
		ret = sfs_extent_next(fs, si->ino, block - 1, &prev);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		if (ret == -ENOENT || sfs_ext_end(&prev) != block)
			prev = (struct sfs_extent) {};
		if (prev.phys)
			goal = prev.phys + prev.count;
	}
	want = alloc_want(fs, si, block, count, &prev, !next->count);
	ret = sfs_data_reserve(fs, goal, min(want, next->block - block),
			       &new.phys, &new.count);
	if (ret < 0)
		return ret;

	ret = sfs_hold_begin(fs, si->locks, &hold, SFS_SPACE_USER, &need);
	if (ret < 0) {
		sfs_data_unreserve(fs, new.phys, new.count);
		return ret;
	}
	whole = new;
	if (goal && ext_joins(&prev, &whole)) {
		sfs_extent_del(fs, &hold, si->ino, &prev);
		whole.block = prev.block;
		whole.phys = prev.phys;
		whole.count += prev.count;
	}
	if (next->count && ext_joins(&whole, next))
		whole.count += next->count;	/* its key is the new one's */
	sfs_extent_put(fs, &hold, si->ino, &whole);
	if (!(si->flags & SFS_INODE_EXTENTS)) {
		si->flags |= SFS_INODE_EXTENTS;
		sfs_inode_put(fs, &hold, si);
	}
	sfs_data_consume(fs, &hold, new.phys, new.count);
	sfs_hold_end(fs, &hold);
	*ret_ext = new;
	return 0;
}

int sfs_extent_map_write(struct sfs_fs *fs, struct sfs_inode *si, u64 block,
			 u64 count, bool keeps, struct sfs_extent *ret_ext)
{
	struct sfs_extent ext;
	int ret;

	if (!count)
		return -EINVAL;
	if (block > SFS_MAX_FILE_BLOCK)
		return -EFBIG;
	count = min_t(u64, count, SFS_MAX_FILE_BLOCK - block + 1);
	ret = sfs_trunc_finish(fs, si);
	if (ret < 0)
		return ret;

	ret = sfs_extent_next(fs, si->ino, block, &ext);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	if (ret == -ENOENT) {
		ext = (struct sfs_extent) { .block = SFS_MAX_FILE_BLOCK + 1 };
		ret = alloc_hole(fs, si, block, count, &ext, &ext);
	} else if (ext.block > block) {
		ret = alloc_hole(fs, si, block, count, &ext, &ext);
	} else if (ext.flags & SFS_EXT_OFFLINE) {
		ret = -EOPNOTSUPP;
	} else if (!ext.flags) {
		ret = sfs_data_overwrites(fs, si, keeps);
	} else {
		ret = 0;
	}
	if (ret < 0)
		return ret;
	*ret_ext = ext_part(&ext, block, block + count);
	return 0;
}

int sfs_map_write(struct sfs_fs *fs, __u64 ino, __u64 block, __u64 count,
		  int flags, struct sfs_extent *ret_ext)
{
	struct sfs_lockset locks;
	struct sfs_inode si;
	int ret;

	sfs_count(fs->cnt, op_map_write);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_WRITE);
	if (ret < 0)
		return ret;
	ret = sfs_inode_read(fs, &locks, ino, &si);
	if (ret == 0 && !S_ISREG(si.mode))
		ret = -EINVAL;
	if (ret == 0)
		ret = sfs_extent_map_write(fs, &si, block, count,
					   flags & SFS_MAP_KEEPS, ret_ext);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- written ----------------------------------------------------------------- */

/* Old extents next to each other, and what takes their place. */
struct edit {
	struct sfs_ext_batch old;
	u32 nr_new;
	struct sfs_extent new[SFS_EXT_BATCH + 2];
};

static void edit_add(struct edit *ed, struct sfs_extent ext)
{
	struct sfs_extent *prev = &ed->new[ed->nr_new - 1];

	if (ed->nr_new && ext_joins(prev, &ext)) {
		prev->count += ext.count;
		return;
	}
	SFS_ASSERT_CMP(ed->nr_new, <, ARRAY_SIZE(ed->new));
	ed->new[ed->nr_new++] = ext;
}

/*
 * Makes [block, *end) written, with *end coming down to what this edit can
 * hold.  Counts what was not.
 */
static int edit_written(struct edit *ed, u64 block, u64 *end, u64 *ret_blocks)
{
	struct sfs_extent *ext = ed->old.ext;
	struct sfs_extent part;
	u64 covered = block;
	u64 blocks = 0;
	u32 i;

	ed->nr_new = 0;
	if (ed->old.more)
		*end = min(*end, sfs_ext_end(&ext[ed->old.nr - 1]));
	for (i = 0; i < ed->old.nr && ext[i].block <= *end; i++) {
		if (sfs_ext_end(&ext[i]) <= block || ext[i].block == *end) {
			edit_add(ed, ext[i]);
			continue;
		}
		if (ext[i].block > covered || (ext[i].flags & SFS_EXT_OFFLINE))
			return -EIO;
		if (ext[i].block < block)
			edit_add(ed, ext_part(&ext[i], 0, block));
		part = ext_part(&ext[i], block, *end);
		if (part.flags & SFS_EXT_UNWRITTEN)
			blocks += part.count;
		part.flags = 0;
		edit_add(ed, part);
		covered = sfs_ext_end(&part);
		if (sfs_ext_end(&ext[i]) > *end)
			edit_add(ed, ext_part(&ext[i], *end, U64_MAX));
	}
	ed->old.nr = i;
	*ret_blocks = blocks;
	return covered < *end ? -EIO : 0;
}

/* Both lists are sorted, also by the last block, which is the key. */
static void edit_apply(struct sfs_fs *fs, struct sfs_hold *hold, u64 ino,
		       struct edit *ed)
{
	struct sfs_extent *old = ed->old.ext;
	struct sfs_extent *new = ed->new;
	u32 o = 0;
	u32 n = 0;

	while (o < ed->old.nr || n < ed->nr_new) {
		if (n == ed->nr_new || (o < ed->old.nr &&
					ext_last(&old[o]) < ext_last(&new[n]))) {
			sfs_extent_del(fs, hold, ino, &old[o++]);
			continue;
		}
		if (o < ed->old.nr && ext_last(&old[o]) == ext_last(&new[n])) {
			if (ext_same(&old[o++], &new[n])) {
				n++;
				continue;
			}
		}
		sfs_extent_put(fs, hold, ino, &new[n++]);
	}
}

static int written_step(struct sfs_fs *fs, struct sfs_inode *si,
			struct sfs_ivol *vol, struct edit *ed, u64 blocks,
			u64 size, const struct sfs_written *how)
{
	struct sfs_need need = {
		.items = ed->old.nr + ed->nr_new,
		.val_bytes = ed->nr_new * sizeof(struct sfs_extent_item),
	};
	struct sfs_hold hold;
	int ret;

	sfs_need_inode(&need);
	ret = sfs_hold_begin(fs, si->locks, &hold, how->class, &need);
	if (ret < 0)
		return ret;
	edit_apply(fs, &hold, si->ino, ed);
	sfs_data_dirty(fs, &hold);
	si->online_blocks += blocks;
	if (size > si->size)
		si->size = size;
	si->mtime = how->mtime;
	sfs_inode_changed(si, &how->ctime);
	sfs_data_changed(fs, &hold, si, vol);
	sfs_inode_store(fs, &hold, si);
	sfs_hold_end(fs, &hold);
	return 0;
}

/*
 * In steps, when there are many extents.  The size follows the steps, so there
 * is never anything written behind it.
 */
int sfs_extent_written(struct sfs_fs *fs, struct sfs_inode *si, u64 block,
		       u64 count, u64 size, const struct sfs_written *how)
{
	u64 end = block + count;
	struct sfs_ivol *vol;
	struct edit *ed;
	u64 step_end;
	u64 blocks;
	int ret;

	if (!count || end <= block || end > SFS_MAX_FILE_BLOCK + 1 ||
	    size > SFS_MAX_FILE_SIZE)
		return -EINVAL;
	ret = sfs_ivol_get(fs, si->ino, &vol);
	if (ret < 0)
		return ret;
	ed = kmalloc(sizeof(*ed), GFP_NOFS);
	if (!ed) {
		ret = -ENOMEM;
		goto out;
	}
	for (; block < end; block = step_end) {
		/* the one before, too: they may become one */
		ret = sfs_extent_collect(fs, si->ino, block ? block - 1 : 0,
					 &ed->old);
		if (ret < 0)
			break;
		step_end = end;
		ret = edit_written(ed, block, &step_end, &blocks);
		if (ret < 0)
			break;
		ret = written_step(fs, si, vol, ed, blocks,
				   min(size, step_end << SFS_BLOCK_SHIFT),
				   how);
		if (ret < 0)
			break;
	}
	kfree(ed);
out:
	sfs_ivol_put(fs, vol);
	return ret;
}

int sfs_map_written(struct sfs_fs *fs, __u64 ino, __u64 block, __u64 count,
		    __u64 size, const struct sfs_time *mtime,
		    const struct sfs_time *ctime)
{
	struct sfs_written how = {
		.class = SFS_SPACE_DELETE,
		.mtime = *mtime,
		.ctime = *ctime,
	};
	struct sfs_lockset locks;
	struct sfs_inode si;
	int ret;

	sfs_count(fs->cnt, op_map_written);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_WRITE);
	if (ret < 0)
		return ret;
	ret = sfs_inode_read(fs, &locks, ino, &si);
	if (ret == 0 && !S_ISREG(si.mode))
		ret = -EINVAL;
	if (ret == 0)
		ret = sfs_extent_written(fs, &si, block, count, size, &how);
	sfs_locks_end(fs, &locks);
	return ret;
}

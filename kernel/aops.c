/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page cache and the extents of the core.
 *
 * A buffered write asks the core for blocks before it takes a folio
 * (sfs_map_write(): unwritten blocks over a hole; and before the first change
 * in place of contents that somebody has archived, the publish of the new
 * data_version).  Then it dirties folios.  Writeback sends them to the blocks
 * that are there by now; it allocates nothing and waits for no publish.  When
 * a transfer is done, a worker tells the core (sfs_map_written()): the blocks
 * are part of the file and the size has grown over them.  Only then writeback
 * of the folios ends, so whoever waits for writeback waits for the core's
 * knowledge of it, too.
 *
 * Between write and end of writeback the VFS inode is ahead of the core in
 * size, mtime and ctime.  The worker takes the times from the VFS inode, so an
 * utimensat() between the two stays.
 *
 * A crash leaves a prefix of the ends of writeback that the core has
 * published: new blocks read as before the write (holes, zeroes, not yet part
 * of the file), blocks overwritten in place have old or new bytes.
 *
 * Bytes behind the end of the file, in its last block.  Making a file shorter
 * does not touch them on the device: until the shrinking is durable they are
 * contents of the file a crash leaves.  So they can be old contents, and
 *  - a fault zeroes them in the folio that it maps, and faults around it leave
 *    that folio out; a direct read leaves the block to the page cache
 *  - whatever makes the file longer zeroes them first and waits until they are
 *    zero on the device (sfs_zero_eof()).
 *
 * The extent a caller of the iomap library works with can be outdated while it
 * works: the map_seq of the inode counts what changes extents, and the library
 * asks whether it has moved, with the folio locked, before it relies on what
 * is written and what is not.
 *
 * Cluster locks.  Whoever reads or changes the page cache or the file below it
 * has a use of the inode for as long as it takes (file.c).  Writeback and its
 * ends have a late one: pages are dirty only as long as we have the lock for
 * writing, and it is not given up before they are written.  The VFS asks for
 * folios on behalf of others as well, who have none: read_folio() gets it for
 * them when the lock is here, and otherwise lets go of the folio first;
 * readahead() then does nothing.
 *
 * Locks: kernel/fs.h.  Extents change under ki->core_sem, which is taken under
 * folio locks here; what holds it takes no folio.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/fiemap.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>

#include "counters.h"
#include "fs.h"
#include "trace.h"

#define BLOCK_SHIFT 12
#define BLOCK_SIZE_ (1U << BLOCK_SHIFT)

static u64 block_of(loff_t pos)
{
	return (u64)pos >> BLOCK_SHIFT;
}

static u64 block_after(loff_t end)
{
	return ((u64)end + BLOCK_SIZE_ - 1) >> BLOCK_SHIFT;
}

static u32 map_seq(struct sfs_ki *ki)
{
	return READ_ONCE(ki->map_seq);
}

/* Under ki->core_sem, exclusively. */
static void map_changed(struct sfs_ki *ki)
{
	WRITE_ONCE(ki->map_seq, ki->map_seq + 1);
}

/* ---- extents as the iomap library knows them ------------------------------ */

static bool iomap_still_valid(struct inode *inode, const struct iomap *iomap)
{
	return iomap->validity_cookie == map_seq(SFS_KI(inode));
}

static const struct sfs_iomap_folio_ops folio_ops = {
	.iomap_valid = iomap_still_valid,
};

static void fill_iomap(struct inode *inode, struct iomap *iomap,
		       const struct sfs_extent *ext, u32 seq)
{
	const u64 max = (u64)MAX_LFS_FILESIZE >> BLOCK_SHIFT;

	iomap->bdev = SFS_SB(inode->i_sb)->vol->host.bdev[SFS_DEV_DATA];
	iomap->offset = ext->block << BLOCK_SHIFT;
	iomap->length = min(ext->count, max - ext->block + 1) << BLOCK_SHIFT;
	iomap->flags = 0;
	iomap->validity_cookie = seq;
	sfs_iomap_set_folio_ops(iomap, &folio_ops);
	if (ext->flags & SFS_EXT_OFFLINE) {
		/* what FIEMAP shows as "unknown, to be allocated" */
		iomap->type = IOMAP_DELALLOC;
		iomap->addr = IOMAP_NULL_ADDR;
		return;
	}
	if (!ext->phys) {
		iomap->type = IOMAP_HOLE;
		iomap->addr = IOMAP_NULL_ADDR;
		return;
	}
	iomap->type = ext->flags & SFS_EXT_UNWRITTEN ? IOMAP_UNWRITTEN :
						       IOMAP_MAPPED;
	iomap->addr = ext->phys << BLOCK_SHIFT;
}

/* The blocks may be another host's since it took the volume: sfs_host_fence() */
static int may_transfer(const struct inode *inode)
{
	return sfs_host_fenced(&SFS_SB(inode->i_sb)->vol->host) ? -EIO : 0;
}

/* In a use, also a late one. */
static int map_read(struct inode *inode, loff_t pos, struct sfs_extent *ext,
		    u32 *ret_seq)
{
	struct sfs_ki *ki = SFS_KI(inode);
	int ret;

	down_read(&ki->core_sem);
	*ret_seq = map_seq(ki);
	ret = sfs_map_read(SFS_FS(inode), inode->i_ino, block_of(pos), ext);
	up_read(&ki->core_sem);
	if (ret == 0)
		trace_sfs_map_read(inode, ext);
	return ret;
}

static int read_begin(struct inode *inode, loff_t pos, loff_t length,
		      unsigned int flags, struct iomap *iomap,
		      struct iomap *srcmap)
{
	struct sfs_extent ext;
	u32 seq;
	int ret;

	ret = may_transfer(inode) ?: map_read(inode, pos, &ext, &seq);
	if (ret < 0)
		return ret;
	if ((ext.flags & SFS_EXT_OFFLINE) && !(flags & IOMAP_REPORT))
		return -EOPNOTSUPP;
	fill_iomap(inode, iomap, &ext, seq);
	return 0;
}

const struct iomap_ops sfs_iomap_read_ops = {
	.iomap_begin = read_begin,
};

static int map_write(struct inode *inode, loff_t pos, loff_t length,
		     bool keeps, struct sfs_extent *ext, u32 *ret_seq)
{
	struct sfs_ki *ki = SFS_KI(inode);
	u64 block = block_of(pos);
	int ret;

	if (down_write_killable(&ki->core_sem))
		return -EINTR;
	ret = sfs_map_write(SFS_FS(inode), inode->i_ino, block,
			    block_after(pos + length) - block,
			    keeps ? SFS_MAP_KEEPS : 0, ext);
	/*
	 * A hole may have become unwritten blocks.  Both read as zeroes, so an
	 * iomap of the hole does not become wrong and map_seq stays.
	 */
	*ret_seq = map_seq(ki);
	up_write(&ki->core_sem);
	if (ret == 0)
		trace_sfs_map_write(inode, ext);
	return ret;
}

static int write_begin(struct inode *inode, loff_t pos, loff_t length,
		       unsigned int flags, struct iomap *iomap,
		       struct iomap *srcmap)
{
	bool keeps = pos >= i_size_read(inode);
	struct sfs_extent ext;
	u32 seq;
	int ret;

	if (flags & IOMAP_NOWAIT)
		return -EAGAIN;
	ret = may_transfer(inode);
	if (ret < 0)
		return ret;
	ret = map_write(inode, pos, length, keeps, &ext, &seq);
	if (ret < 0)
		return ret;
	fill_iomap(inode, iomap, &ext, seq);
	/* a direct write with O_DSYNC is not done before the core's part is */
	iomap->flags |= IOMAP_F_DIRTY;
	return 0;
}

const struct iomap_ops sfs_iomap_write_ops = {
	.iomap_begin = write_begin,
};

int sfs_prepare_write(struct inode *inode, loff_t pos, loff_t len)
{
	loff_t size = i_size_read(inode);
	struct sfs_extent ext;
	u32 seq;
	int ret;

	for (len = min(len, size - pos); len > 0; len -= BLOCK_SIZE_) {
		ret = map_write(inode, pos, BLOCK_SIZE_, false, &ext, &seq);
		if (ret < 0)
			return ret;
		pos += BLOCK_SIZE_;
	}
	return 0;
}

/* ---- ends of writes --------------------------------------------------------- */

static struct sfs_time time_of(struct timespec64 ts)
{
	return (struct sfs_time) { .sec = ts.tv_sec, .nsec = ts.tv_nsec };
}

/*
 * What a revoke waits for enters uses until it is over, and then there is
 * nothing left to be written.
 */
static int late_use(struct inode *inode, u32 mode, struct sfs_ki_use *use)
{
	int ret = sfs_ki_use(inode, mode | SFS_USE_LATE | SFS_USE_NOWAIT, use);

	WARN_ON_ONCE(ret == -EAGAIN);
	return ret == -EAGAIN ? -EIO : ret;
}

int sfs_written(struct inode *inode, loff_t pos, loff_t len, loff_t size)
{
	loff_t end = min(pos + len, (loff_t)(block_after(size) << BLOCK_SHIFT));
	struct sfs_ki *ki = SFS_KI(inode);
	u64 block = block_of(pos);
	struct sfs_ki_use use;
	struct sfs_time mtime;
	struct sfs_time ctime;
	int ret;

	/*
	 * A truncation has gone ahead of the transfer and waits for it.  What
	 * lies behind the size stays unwritten.
	 */
	if (pos >= end)
		return 0;
	ret = late_use(inode, SFS_USE_WRITE, &use);
	if (ret < 0)
		return ret;
	down_write(&ki->core_sem);
	mtime = time_of(inode_get_mtime(inode));
	ctime = time_of(inode_get_ctime(inode));
	ret = sfs_map_written(SFS_FS(inode), inode->i_ino, block,
			      block_after(end) - block,
			      min(pos + len, size), &mtime, &ctime);
	map_changed(ki);
	up_write(&ki->core_sem);
	trace_sfs_map_written(inode, block, block_after(end) - block, ret);
	sfs_ki_stale(inode);
	sfs_ki_unuse(inode, &use);
	return ret;
}

static void finish_ioend(struct iomap_ioend *ioend)
{
	int err = blk_status_to_errno(sfs_ioend_bio(ioend)->bi_status);
	struct inode *inode = ioend->io_inode;

	if (!err)
		err = sfs_written(inode, ioend->io_offset, ioend->io_size,
				  i_size_read(inode));
	sfs_vfs_count(inode->i_sb, ioends);
	sfs_vfs_count_by(inode->i_sb, ioend_bytes, ioend->io_size);
	if (err)
		sfs_vfs_count(inode->i_sb, ioend_errors);
	trace_sfs_ioend(inode, ioend->io_offset, ioend->io_size, err);
	iomap_finish_ioends(ioend, err);
}

/*
 * Everything in the list is under writeback and so keeps the inode alive; after
 * the last one has been finished the inode may be gone.
 */
static void ioend_work(struct work_struct *work)
{
	struct sfs_ki *ki = container_of(work, struct sfs_ki, ioend_work);
	unsigned int nofs = memalloc_nofs_save();
	struct iomap_ioend *ioend;
	unsigned long irq;
	LIST_HEAD(list);

	spin_lock_irqsave(&ki->ioend_lock, irq);
	list_replace_init(&ki->ioends, &list);
	spin_unlock_irqrestore(&ki->ioend_lock, irq);

	iomap_sort_ioends(&list);
	while ((ioend = list_first_entry_or_null(&list, struct iomap_ioend,
						 io_list))) {
		list_del_init(&ioend->io_list);
		iomap_ioend_try_merge(ioend, &list);
		finish_ioend(ioend);
		cond_resched();
	}
	memalloc_nofs_restore(nofs);
}

/* Of the last bio of an ioend; interrupt context. */
static void end_bio(struct bio *bio)
{
	struct iomap_ioend *ioend = sfs_bio_ioend(bio);
	struct sfs_ki *ki = SFS_KI(ioend->io_inode);
	unsigned long irq;

	spin_lock_irqsave(&ki->ioend_lock, irq);
	if (list_empty(&ki->ioends))
		queue_work(SFS_SB(ioend->io_inode->i_sb)->ioend_wq,
			   &ki->ioend_work);
	list_add_tail(&ioend->io_list, &ki->ioends);
	spin_unlock_irqrestore(&ki->ioend_lock, irq);
}

void sfs_aops_init_inode(struct sfs_ki *ki)
{
	spin_lock_init(&ki->ioend_lock);
	INIT_LIST_HEAD(&ki->ioends);
	INIT_WORK(&ki->ioend_work, ioend_work);
	ki->map_seq = 0;
}

/* ---- writeback ---------------------------------------------------------------- */

struct map_again {
	struct work_struct work;
	struct inode *inode;
	loff_t pos;
	struct sfs_extent *ext;
	u32 seq;
	int ret;
};

static int map_read_late(struct inode *inode, loff_t pos,
			 struct sfs_extent *ext, u32 *ret_seq)
{
	struct sfs_ki_use use;
	int ret;

	ret = late_use(inode, SFS_USE_READ, &use);
	if (ret < 0)
		return ret;
	ret = map_read(inode, pos, ext, ret_seq);
	sfs_ki_unuse(inode, &use);
	return ret;
}

static void map_again_work(struct work_struct *work)
{
	struct map_again *again = container_of(work, struct map_again, work);

	again->ret = map_read_late(again->inode, again->pos, again->ext,
				   &again->seq);
}

/*
 * A folio whose blocks are not found loses what was written to it, maybe by
 * others; that whoever happens to write it back is being killed is no reason.
 */
static int map_read_surely(struct inode *inode, loff_t pos,
			   struct sfs_extent *ext, u32 *ret_seq)
{
	struct map_again again = { .inode = inode, .pos = pos, .ext = ext };
	int ret;

	ret = map_read_late(inode, pos, ext, ret_seq);
	if (ret != -EINTR)
		return ret;
	INIT_WORK_ONSTACK(&again.work, map_again_work);
	queue_work(SFS_SB(inode->i_sb)->ioend_wq, &again.work);
	flush_work(&again.work);
	destroy_work_on_stack(&again.work);
	*ret_seq = again.seq;
	return again.ret;
}

static int map_blocks(struct iomap_writepage_ctx *wpc, struct inode *inode,
		      loff_t offset)
{
	struct iomap *iomap = &wpc->iomap;
	struct sfs_extent ext;
	u32 seq;
	int ret;

	ret = may_transfer(inode);
	if (ret < 0)
		return ret;
	if (offset >= iomap->offset && iomap->length &&
	    offset < iomap->offset + iomap->length &&
	    iomap->validity_cookie == map_seq(SFS_KI(inode)))
		return 0;
	ret = map_read_surely(inode, offset, &ext, &seq);
	if (ret < 0)
		return ret;
	if (!ext.phys || (ext.flags & SFS_EXT_OFFLINE)) {
		sfs_port_log(&SFS_SB(inode->i_sb)->vol->host, SFS_LOG_ERR,
			     "inode %lu: changed block %llu has no place to go to, its contents are lost",
			     inode->i_ino, ext.block);
		return -EIO;
	}
	fill_iomap(inode, iomap, &ext, seq);
	return 0;
}

#ifdef SFS_MAP_BLOCKS_HAS_LEN
static int map_blocks_len(struct iomap_writepage_ctx *wpc, struct inode *inode,
			  loff_t offset, unsigned int len)
{
	return map_blocks(wpc, inode, offset);
}
#define MAP_BLOCKS map_blocks_len
#else
#define MAP_BLOCKS map_blocks
#endif

static int prepare_ioend(struct iomap_ioend *ioend, int status)
{
	sfs_ioend_bio(ioend)->bi_end_io = end_bio;
	return status;
}

static const struct iomap_writeback_ops writeback_ops = {
	.map_blocks = MAP_BLOCKS,
	.prepare_ioend = prepare_ioend,
};

static int writepages(struct address_space *mapping,
		      struct writeback_control *wbc)
{
	struct iomap_writepage_ctx wpc = {};
	struct inode *inode = mapping->host;
	int ret;

	sfs_vfs_count(inode->i_sb, writebacks);
	ret = iomap_writepages(mapping, wbc, &wpc, &writeback_ops);
	trace_sfs_writeback(inode, wbc->range_start,
			    wbc->range_end - wbc->range_start, ret);
	return ret;
}

/* A writeback that is waited for, or was. */
struct writeout {
	refcount_t refs;		/* the worker's and the caller's */
	struct work_struct work;
	struct completion done;
	struct inode *inode;
	loff_t start;
	loff_t end;
	int ret;
};

static void writeout_put(struct writeout *out)
{
	if (refcount_dec_and_test(&out->refs))
		kfree(out);
}

static void writeout_work(struct work_struct *work)
{
	struct writeout *out = container_of(work, struct writeout, work);
	struct address_space *mapping = out->inode->i_mapping;

	out->ret = filemap_fdatawrite_range(mapping, out->start, out->end);
	if (out->ret != -EIO)
		filemap_fdatawait_range_keep_errors(mapping, out->start,
						    out->end);
	iput(out->inode);
	complete(&out->done);
	writeout_put(out);
}

static int writeout(struct inode *inode, loff_t start, loff_t end)
{
	struct writeout *out = kzalloc(sizeof(*out), GFP_KERNEL);
	int ret;

	if (!out)
		return -ENOMEM;
	refcount_set(&out->refs, 2);
	INIT_WORK(&out->work, writeout_work);
	init_completion(&out->done);
	ihold(inode);
	out->inode = inode;
	out->start = start;
	out->end = end;
	queue_work(SFS_SB(inode->i_sb)->sync_wq, &out->work);
	ret = wait_for_completion_killable(&out->done) ? -EINTR : out->ret;
	writeout_put(out);
	return ret;
}

/*
 * file_write_and_wait_range(), but who is killed stops waiting: a worker does
 * the writing.  kill_sb() waits for those that were left behind.
 */
int sfs_write_and_wait(struct file *file, loff_t start, loff_t end)
{
	struct address_space *mapping = file->f_mapping;
	int ret = 0;
	int err;

	if (mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) ||
	    mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK))
		ret = writeout(mapping->host, start, end);
	if (ret == -EINTR)
		return ret;
	err = file_check_and_advance_wb_err(file);
	return ret ?: err;
}

/*
 * Nothing is waited for with the folio locked: who gives up the lock may want
 * it.  The caller looks for the folio again when we have waited.
 */
static int read_folio(struct file *file, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	struct sfs_ki_use use;
	int ret;

	ret = sfs_ki_use(inode, SFS_USE_READ | SFS_USE_LATE | SFS_USE_NOWAIT,
			 &use);
	if (ret == 0) {
		ret = iomap_read_folio(folio, &sfs_iomap_read_ops);
		sfs_ki_unuse(inode, &use);
		return ret;
	}
	folio_unlock(folio);
	if (ret == -EAGAIN) {
		ret = sfs_ki_use_fresh(inode, SFS_USE_READ, &use);
		if (ret == 0)
			sfs_ki_unuse(inode, &use);
		ret = ret ?: AOP_TRUNCATED_PAGE;
	}
	return ret;
}

static void readahead(struct readahead_control *rac)
{
	struct inode *inode = rac->mapping->host;
	struct sfs_ki_use use;

	if (sfs_ki_use(inode, SFS_USE_READ | SFS_USE_NOWAIT, &use) < 0)
		return;
	iomap_readahead(rac, &sfs_iomap_read_ops);
	sfs_ki_unuse(inode, &use);
}

const struct address_space_operations sfs_aops = {
	.read_folio = read_folio,
	.readahead = readahead,
	.writepages = writepages,
	.dirty_folio = sfs_iomap_dirty_folio,
	.release_folio = iomap_release_folio,
	.invalidate_folio = iomap_invalidate_folio,
	.migrate_folio = filemap_migrate_folio,
	.is_partially_uptodate = iomap_is_partially_uptodate,
	SFS_ERROR_REMOVE_FOLIO,
};

/* ---- the end of the file --------------------------------------------------------- */

/*
 * Behind @size in its folio.  Not with the iomap library, which before 6.10
 * takes zeroes behind the end for a longer file.
 */
static int zero_folio(struct address_space *mapping, loff_t size)
{
	struct folio *folio;

	for (;;) {
		folio = read_mapping_folio(mapping, size >> PAGE_SHIFT, NULL);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
		folio_lock(folio);
		if (folio->mapping == mapping && folio_test_uptodate(folio))
			break;
		folio_unlock(folio);
		folio_put(folio);
	}
	folio_zero_segment(folio, offset_in_folio(folio, size),
			   folio_size(folio));
	folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
	return 0;
}

/*
 * Before the file grows over the rest of its last block: zeroes, also on the
 * device.  Only folios and written blocks can have anything else, so what is
 * dirty is written first.
 */
int sfs_zero_eof(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t size = i_size_read(inode);
	loff_t start = round_down(size, BLOCK_SIZE_);
	struct sfs_extent ext;
	u32 seq;
	int ret;

	if (size == start)
		return 0;
	ret = filemap_write_and_wait_range(mapping, start, size);
	if (ret == 0)
		ret = map_read(inode, start, &ext, &seq);
	if (ret < 0 || !ext.phys || ext.flags)
		return ret;
	ret = map_write(inode, start, BLOCK_SIZE_, true, &ext, &seq);
	if (ret == 0)
		ret = zero_folio(mapping, size);
	return ret ?: filemap_write_and_wait_range(mapping, start, size);
}

static bool has_dirty(struct address_space *mapping)
{
	return mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) ||
	       mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK);
}

/*
 * Before the core makes the file shorter.  The last block's folio must not be
 * dirty when its end is zeroed: it would carry the zeroes to the device before
 * the shrinking is durable.  What is written later waits for that in
 * sfs_map_write().  And the core must know of everything up to the new size.
 */
static int shrink_cache(struct inode *inode, loff_t size)
{
	struct address_space *mapping = inode->i_mapping;
	struct sfs_attr attr;
	int ret = 0;

	if (size & (BLOCK_SIZE_ - 1))
		ret = filemap_write_and_wait_range(mapping,
						   round_down(size, BLOCK_SIZE_),
						   size);
	if (ret < 0)
		return ret;
	truncate_setsize(inode, size);
	ret = sfs_getattr(SFS_FS(inode), inode->i_ino, &attr);
	if (ret == 0 && attr.size < size)
		ret = filemap_write_and_wait(mapping);
	return ret;
}

/* In a use for writing, and with the invalidate lock. */
static int set_size(struct inode *inode, const struct sfs_cred *cred,
		    const struct sfs_setattr *set, struct sfs_attr *ret_attr)
{
	struct address_space *mapping = inode->i_mapping;
	struct sfs_ki *ki = SFS_KI(inode);
	loff_t size = set->size;
	int ret;

	if (size > i_size_read(inode)) {
		ret = sfs_zero_eof(inode);
		if (ret == 0)
			ret = filemap_write_and_wait(mapping);
	} else {
		ret = shrink_cache(inode, size);
	}
	if (ret < 0)
		return ret;
	if (down_write_killable(&ki->core_sem))
		return -EINTR;
	ret = sfs_setattr(SFS_FS(inode), cred, inode->i_ino, set, ret_attr);
	if (ret == 0)
		sfs_ki_take_set(inode, set, ret_attr);
	map_changed(ki);
	up_write(&ki->core_sem);
	if (ret == 0 && size > i_size_read(inode))
		truncate_setsize(inode, size);
	return ret;
}

int sfs_set_size(struct inode *inode, const struct sfs_cred *cred,
		 const struct sfs_setattr *set, struct sfs_attr *ret_attr)
{
	struct address_space *mapping = inode->i_mapping;
	struct sfs_ki_use use;
	int ret;

	ret = sfs_ki_use_fresh(inode, SFS_USE_WRITE, &use);
	if (ret < 0)
		return ret;
	inode_dio_wait(inode);
	filemap_invalidate_lock(mapping);
	ret = set_size(inode, cred, set, ret_attr);
	filemap_invalidate_unlock(mapping);
	sfs_ki_unuse(inode, &use);
	return ret;
}

/* ---- what archive software looks at ------------------------------------------------ */

/*
 * The version that is shown stands for what reads return now, so that has to be
 * on the device first, and nothing may be written meanwhile: no write() and no
 * direct I/O by i_rwsem, no first write through a mapping by the invalidate
 * lock (writeback has made all mappings read-only).
 */
int sfs_stat_more_vfs(struct inode *inode, struct sfs_attr *ret_attr)
{
	struct address_space *mapping = inode->i_mapping;
	struct sfs_ki *ki = SFS_KI(inode);
	struct sfs_ki_use use;
	int ret;

	if (down_write_killable(&inode->i_rwsem))
		return -EINTR;
	ret = sfs_ki_use(inode, SFS_USE_READ, &use);
	if (ret < 0)
		goto out;
	inode_dio_wait(inode);
	filemap_invalidate_lock(mapping);
	ret = S_ISREG(inode->i_mode) && has_dirty(mapping) ?
		      filemap_write_and_wait(mapping) : 0;
	if (ret == 0) {
		down_read(&ki->core_sem);
		ret = sfs_stat_more(SFS_FS(inode), inode->i_ino, ret_attr);
		up_read(&ki->core_sem);
	}
	filemap_invalidate_unlock(mapping);
	sfs_ki_unuse(inode, &use);
out:
	inode_unlock(inode);
	return ret == -ENOENT ? -ESTALE : ret;
}

/*
 * Blocks are counted when they are written.  Programs that copy take a file
 * with too few of them for a sparse one, so what is not yet written counts as
 * long as it is in the page cache.  512-byte units.
 */
u64 sfs_blocks_vfs(struct inode *inode, u64 blocks)
{
	struct address_space *mapping = inode->i_mapping;
	u64 size = block_after(i_size_read(inode));
	u64 pages;

	if (!S_ISREG(inode->i_mode) || !has_dirty(mapping))
		return blocks;
	pages = (u64)READ_ONCE(mapping->nrpages) << (PAGE_SHIFT - BLOCK_SHIFT);
	return max(blocks, min(pages, size) << (BLOCK_SHIFT - SECTOR_SHIFT));
}

/* Extents go to the caller's memory one by one, between uses. */
static int report_begin(struct inode *inode, loff_t pos, loff_t length,
			unsigned int flags, struct iomap *iomap,
			struct iomap *srcmap)
{
	struct sfs_ki_use use;
	int ret;

	ret = sfs_ki_use(inode, SFS_USE_READ, &use);
	if (ret < 0)
		return ret;
	ret = read_begin(inode, pos, length, flags, iomap, srcmap);
	sfs_ki_unuse(inode, &use);
	return ret;
}

static const struct iomap_ops report_ops = {
	.iomap_begin = report_begin,
};

int sfs_fiemap(struct inode *inode, struct fiemap_extent_info *fieinfo,
	       u64 start, u64 len)
{
	int ret;

	ret = sfs_ki_refresh(inode);
	if (ret < 0)
		return ret;
	inode_lock_shared(inode);
	ret = iomap_fiemap(inode, fieinfo, start, len, &report_ops);
	inode_unlock_shared(inode);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regular files: reading, writing, mapping, finding holes.
 *
 * Buffered reads take no lock but those of the page cache.  All writes hold
 * i_rwsem exclusively, except direct ones of whole blocks inside of the file,
 * which share it: extents are guarded by ki->core_sem, and what such a write
 * changes in the page cache the iomap library looks after.
 *
 * A direct write that is not of whole blocks may have to write zeroes around
 * itself, and one that makes the file longer moves the size, so both wait for
 * all others and for their own end.
 *
 * Everything happens in a use of the cluster lock, at whose beginning the size
 * is read again if another mount may have changed it; so what is appended goes
 * to the true end.  A use must not meet a fault in the caller's memory: that may
 * be a mapping of a file on this volume, whose lock would be waited for.  So
 * faults are off in uses, and for what is missing the use is given up, memory
 * is brought in, and the call goes on in a new one.  Sources of writes are
 * brought in beforehand: up to WINDOW bytes are written in one piece, as seen
 * from other mounts, as good as always.  (What is not there any more when a
 * direct transfer wants it is looked up under mmap_lock, without a fault; that
 * closes a circle only if another thread of the program waits in a fault for
 * the same lock and a third one to change the mappings.  All of these waits end
 * when the program is killed.)
 *
 * A fault that has to wait for the lock does so without mmap_lock where the
 * caller can come back: other threads of the program go on.
 *
 * Direct transfers that are not waited for outlive the use they were begun in;
 * a revoke waits for them by themselves.
 *
 * How blocks and sizes become durable, and what a crash leaves: aops.c.
 * Writes through a mapping that nothing has synchronised yet can be lost like
 * those of write().
 */
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/writeback.h>

#include "counters.h"
#include "fs.h"
#include "trace.h"

#define BLOCK_MASK 4095U

/* How much of a caller's memory is brought in at a time. */
#define WINDOW (1U << 20)
/* How often that may have been in vain, one time after the other. */
#define MAX_STUCK 4

/*
 * Brings in what the copy at hand needs next, without any use.  False when that
 * does not help: the memory is the kernel's, or is not there.
 */
static bool fault_in_target(struct iov_iter *to)
{
	size_t window = min_t(size_t, iov_iter_count(to), WINDOW);

	return window && user_backed_iter(to) && !fatal_signal_pending(current) &&
	       fault_in_iov_iter_writeable(to, window) < window;
}

/*
 * After one use of several: @left bytes before and @now after it.  Memory that
 * can be touched, but not be transferred, must not keep us here.
 */
static bool goes_on(size_t left, size_t now, ssize_t ret, int *stuck)
{
	if (!now || (ret < 0 && ret != -EFAULT))
		return false;
	if (now != left) {
		*stuck = 0;
		return true;
	}
	return ret == -EFAULT && ++*stuck < MAX_STUCK;
}

/* How much of the source is there, or need not be brought in; 0: nothing. */
static size_t fault_in_source(struct iov_iter *from)
{
	size_t count = iov_iter_count(from);
	size_t window = min_t(size_t, count, WINDOW);

	if (!user_backed_iter(from))
		return count;
	if (fatal_signal_pending(current))
		return 0;
	return window - fault_in_iov_iter_readable(from, window);
}

/* ---- reading --------------------------------------------------------------- */

/* Goes on behind @done bytes that were read; returns what there are then. */
static ssize_t read_cached(struct kiocb *iocb, struct iov_iter *to,
			   ssize_t done)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct sfs_ki_use use;
	int stuck = 0;
	size_t left;
	ssize_t ret;
	bool end;

	do {
		left = iov_iter_count(to);
		ret = sfs_ki_use_fresh(inode, SFS_USE_READ, &use);
		if (ret < 0)
			break;
		pagefault_disable();
		ret = filemap_read(iocb, to, 0);
		pagefault_enable();
		end = iocb->ki_pos >= i_size_read(inode);
		sfs_ki_unuse(inode, &use);
		if (ret > 0)
			done += ret;
	} while (!end && goes_on(left, iov_iter_count(to), ret, &stuck) &&
		 fault_in_target(to));
	return done ? done : ret;
}

/*
 * The last block's bytes behind the end can be old contents (aops.c), and a
 * direct transfer of the block would leave them in the caller's memory.  That
 * block is left to the page cache.  One use; cumulative as iomap_dio_rw().
 */
static ssize_t direct_read_used(struct kiocb *iocb, struct iov_iter *to,
				ssize_t done)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t whole = i_size_read(inode) & ~(loff_t)BLOCK_MASK;
	unsigned int flags = IOMAP_DIO_PARTIAL;
	size_t want = iov_iter_count(to);
	size_t cut = 0;
	ssize_t ret;

	if (iocb->ki_pos >= whole)
		return done;
	if (want > whole - iocb->ki_pos) {
		cut = want - (whole - iocb->ki_pos);
		iov_iter_truncate(to, want - cut);
		/* in two parts, so the first is waited for */
		flags |= IOMAP_DIO_FORCE_WAIT;
	}
	to->nofault = true;
	pagefault_disable();
	ret = iomap_dio_rw(iocb, to, &sfs_iomap_read_ops, NULL, flags, NULL,
			   done);
	pagefault_enable();
	to->nofault = false;
	iov_iter_reexpand(to, iov_iter_count(to) + cut);
	return ret;
}

static ssize_t direct_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct sfs_ki_use use;
	bool whole_left = false;
	ssize_t done = 0;
	int stuck = 0;
	size_t left;
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	if (down_read_killable(&inode->i_rwsem))
		return -EINTR;
	do {
		left = iov_iter_count(to);
		ret = sfs_ki_use_fresh(inode, SFS_USE_READ, &use);
		if (ret < 0)
			break;
		ret = direct_read_used(iocb, to, done);
		whole_left = iocb->ki_pos < (i_size_read(inode) &
					     ~(loff_t)BLOCK_MASK);
		sfs_ki_unuse(inode, &use);
		if (ret > 0)
			done = ret;
	} while (whole_left && goes_on(left, iov_iter_count(to), ret, &stuck) &&
		 fault_in_target(to));
	inode_unlock_shared(inode);
	file_accessed(iocb->ki_filp);
	/* an error, or an asynchronous one that goes on by itself */
	if (ret < 0 || whole_left)
		return ret == -EIOCBQUEUED || !done ? ret : done;
	return iov_iter_count(to) ? read_cached(iocb, to, done) : done;
}

static void count_direct(struct inode *inode, ssize_t ret)
{
	if (ret > 0)
		sfs_vfs_count_by(inode->i_sb, direct_bytes, ret);
}

static ssize_t read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t want = iov_iter_count(to);
	loff_t pos = iocb->ki_pos;
	ssize_t ret;

	sfs_vfs_count(inode->i_sb, read);
	if (!(iocb->ki_flags & IOCB_DIRECT)) {
		ret = read_cached(iocb, to, 0);
		trace_sfs_read(inode, pos, want, ret);
		return ret;
	}
	sfs_vfs_count(inode->i_sb, direct_reads);
	ret = direct_read(iocb, to);
	count_direct(inode, ret);
	trace_sfs_direct_read(inode, pos, want, ret);
	return ret;
}

/* Pages go into the pipe as they are. */
static ssize_t splice_read(struct file *in, loff_t *pos,
			   struct pipe_inode_info *pipe, size_t len,
			   unsigned int flags)
{
	struct inode *inode = file_inode(in);
	struct sfs_ki_use use;
	ssize_t ret;

	ret = sfs_ki_use_fresh(inode, SFS_USE_READ, &use);
	if (ret < 0)
		return ret;
	ret = sfs_splice_read(in, pos, pipe, len, flags);
	sfs_ki_unuse(inode, &use);
	return ret;
}

/* ---- writing --------------------------------------------------------------- */

/*
 * What every write does before its data; i_rwsem, and in a use for writing.
 * Returns bytes to write.
 */
static ssize_t write_checks(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;
	int err;

	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	err = file_remove_privs(iocb->ki_filp);
	if (err == 0)
		err = file_update_time(iocb->ki_filp);
	if (err == 0 && iocb->ki_pos > i_size_read(inode))
		err = sfs_zero_eof(inode);
	return err < 0 ? err : ret;
}

static int direct_end(struct kiocb *iocb, ssize_t size, int error,
		      unsigned int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t end = iocb->ki_pos + size;
	loff_t isize = i_size_read(inode);
	int ret;

	if (error || size <= 0)
		return error;
	ret = sfs_written(inode, iocb->ki_pos, size, max(end, isize));
	/* whoever makes the file longer has i_rwsem until this is over */
	if (ret == 0 && end > isize)
		i_size_write(inode, end);
	return ret;
}

static const struct iomap_dio_ops direct_ops = {
	.end_io = direct_end,
};

static bool is_whole_blocks(const struct kiocb *iocb,
			    const struct iov_iter *from)
{
	return !((iocb->ki_pos | iov_iter_count(from)) & BLOCK_MASK);
}

static bool makes_longer(const struct kiocb *iocb, const struct iov_iter *from)
{
	return iocb->ki_pos + iov_iter_count(from) >
	       i_size_read(file_inode(iocb->ki_filp));
}

/* One use of direct_write_shared(), cumulative as iomap_dio_rw(). */
static ssize_t direct_shared_used(struct kiocb *iocb, struct iov_iter *from,
				  ssize_t done)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	/* to take rights away from the file needs i_rwsem for itself */
	if (makes_longer(iocb, from) || !IS_NOSEC(inode) ||
	    (inode->i_mode & (S_ISUID | S_ISGID)))
		return done;
	ret = write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	from->nofault = true;
	ret = iomap_dio_rw(iocb, from, &sfs_iomap_write_ops, &direct_ops,
			   IOMAP_DIO_PARTIAL, NULL, done);
	from->nofault = false;
	return ret;
}

/* Many at a time.  0: has to be done alone, nothing has happened. */
static ssize_t direct_write_shared(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct sfs_ki_use use;
	ssize_t done = 0;
	int stuck = 0;
	size_t left;
	ssize_t ret;

	if ((iocb->ki_flags & IOCB_APPEND) || !is_whole_blocks(iocb, from))
		return 0;
	if (down_read_killable(&inode->i_rwsem))
		return -EINTR;
	do {
		left = iov_iter_count(from);
		ret = sfs_ki_use_fresh(inode, SFS_USE_WRITE, &use);
		if (ret < 0)
			break;
		ret = direct_shared_used(iocb, from, done);
		sfs_ki_unuse(inode, &use);
		if (ret > 0)
			done = ret;
	} while (goes_on(left, iov_iter_count(from), ret, &stuck) &&
		 is_whole_blocks(iocb, from) && fault_in_source(from));
	inode_unlock_shared(inode);
	return ret == -EIOCBQUEUED || !done ? ret : done;
}

/* One use of a direct write that has i_rwsem to its end; cumulative. */
static ssize_t direct_alone_used(struct kiocb *iocb, struct iov_iter *from,
				 ssize_t done)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	unsigned int flags = IOMAP_DIO_PARTIAL;
	ssize_t ret;

	if (!is_whole_blocks(iocb, from) || makes_longer(iocb, from)) {
		inode_dio_wait(inode);
		flags |= IOMAP_DIO_FORCE_WAIT;
	}
	from->nofault = true;
	ret = iomap_dio_rw(iocb, from, &sfs_iomap_write_ops, &direct_ops,
			   flags, NULL, done);
	from->nofault = false;
	return ret;
}

static ssize_t buffered_used(struct kiocb *iocb, struct iov_iter *from,
			     ssize_t done)
{
	ssize_t ret;

	pagefault_disable();
	ret = sfs_iomap_buffered_write(iocb, from, &sfs_iomap_write_ops);
	pagefault_enable();
	return ret > 0 ? done + ret : ret;
}

/*
 * The page cache could not be kept out of a direct write: through it, and then
 * onto the device.
 */
static ssize_t write_through(struct kiocb *iocb, struct iov_iter *from,
			     ssize_t done)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	loff_t start = iocb->ki_pos;
	ssize_t ret;
	int err;

	sfs_vfs_count(file_inode(iocb->ki_filp)->i_sb, direct_fallbacks);
	ret = buffered_used(iocb, from, done);
	if (ret <= 0 || iocb->ki_pos == start)
		return ret;
	err = filemap_write_and_wait_range(mapping, start, iocb->ki_pos - 1);
	if (err < 0)
		return err;
	invalidate_mapping_pages(mapping, start >> PAGE_SHIFT,
				 (iocb->ki_pos - 1) >> PAGE_SHIFT);
	err = generic_write_sync(iocb, iocb->ki_pos - start);
	return err < 0 ? err : ret;
}

static ssize_t alone_used(struct kiocb *iocb, struct iov_iter *from,
			  ssize_t done)
{
	ssize_t ret;

	ret = write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	if (!(iocb->ki_flags & IOCB_DIRECT))
		return buffered_used(iocb, from, done);
	ret = direct_alone_used(iocb, from, done);
	return ret == -ENOTBLK ? write_through(iocb, from, done) : ret;
}

/*
 * What of the source goes into one use.  A direct write is not cut, because
 * nobody would go on with one that is not waited for; nor is its memory touched
 * before that has shown to be needed.
 */
static size_t piece_of(struct kiocb *iocb, struct iov_iter *from, ssize_t last)
{
	size_t there;

	if (!(iocb->ki_flags & IOCB_DIRECT))
		return fault_in_source(from);
	there = last == -EFAULT ? fault_in_source(from) : iov_iter_count(from);
	return there ? iov_iter_count(from) : 0;
}

/*
 * Goes on behind @done bytes.  i_rwsem is held from use to use: in this mount
 * nobody writes in between.  What is appended behind another mount's append
 * does not go on where it was.
 */
static ssize_t write_alone(struct kiocb *iocb, struct iov_iter *from,
			   ssize_t done)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct sfs_ki_use use;
	size_t left, piece;
	ssize_t ret = 0;
	int stuck = 0;

	if (down_write_killable(&inode->i_rwsem))
		return done ? done : -EINTR;
	do {
		left = iov_iter_count(from);
		piece = piece_of(iocb, from, ret);
		ret = -EFAULT;
		if (!piece)
			break;
		ret = sfs_ki_use_fresh(inode, SFS_USE_WRITE, &use);
		if (ret < 0)
			break;
		iov_iter_truncate(from, piece);
		ret = alone_used(iocb, from, done);
		sfs_ki_unuse(inode, &use);
		iov_iter_reexpand(from, iov_iter_count(from) + left - piece);
		if (ret > 0)
			done = ret;
	} while (goes_on(left, iov_iter_count(from), ret, &stuck));
	inode_unlock(inode);
	return ret == -EIOCBQUEUED || !done ? ret : done;
}

static ssize_t write_direct(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t want = iov_iter_count(from);
	loff_t pos = iocb->ki_pos;
	ssize_t ret;

	sfs_vfs_count(inode->i_sb, direct_writes);
	ret = direct_write_shared(iocb, from);
	if (ret == -ENOTBLK)
		ret = 0;
	if (ret >= 0 && iov_iter_count(from))
		ret = write_alone(iocb, from, ret);
	count_direct(inode, ret);
	trace_sfs_direct_write(inode, pos, want, ret);
	return ret;
}

static ssize_t write_buffered(struct kiocb *iocb, struct iov_iter *from)
{
	size_t want = iov_iter_count(from);
	ssize_t ret = write_alone(iocb, from, 0);

	/* where it was appended is known only now */
	trace_sfs_write(file_inode(iocb->ki_filp),
			iocb->ki_pos - max_t(ssize_t, ret, 0), want, ret);
	return ret;
}

static ssize_t write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret;

	if (!iov_iter_count(from))
		return 0;
	sfs_vfs_count(file_inode(iocb->ki_filp)->i_sb, write);
	if (iocb->ki_flags & IOCB_DIRECT)
		ret = write_direct(iocb, from);
	else
		ret = write_buffered(iocb, from);
	/* direct ones have done so themselves */
	if (ret > 0 && !(iocb->ki_flags & IOCB_DIRECT))
		ret = generic_write_sync(iocb, ret);
	return ret;
}

/* ---- mapping --------------------------------------------------------------- */

/* Index of the page with the end of the file in it, if it is not at its start. */
static bool end_page(struct inode *inode, pgoff_t *ret_index)
{
	loff_t size = i_size_read(inode);

	*ret_index = size >> PAGE_SHIFT;
	return size & ~PAGE_MASK;
}

/* A mapping shows zeroes behind the end of the file, whatever was there. */
static void hide_tail(struct inode *inode, struct folio *folio)
{
	loff_t size = i_size_read(inode);
	loff_t pos = folio_pos(folio);

	/* writeback has zeroed it already */
	if (size > pos && size < pos + folio_size(folio) &&
	    !folio_test_writeback(folio))
		folio_zero_segment(folio, size - pos, folio_size(folio));
}

/*
 * A use for a fault; 0, or what the fault answers.  The first time we may let go
 * of mmap_lock to wait, and then the fault is begun once more.  @can_retry: the
 * caller can do that at all, and holds the file, because nothing else does then.
 */
static vm_fault_t use_for_fault(struct vm_fault *vmf, u32 mode, bool can_retry,
				struct sfs_ki_use *use)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	int ret;

	ret = sfs_ki_use_fresh(inode, mode | SFS_USE_NOWAIT, use);
	if (ret != -EAGAIN)
		return ret < 0 ? vmf_error(ret) : 0;
	if (!can_retry || !fault_flag_allow_retry_first(vmf->flags)) {
		ret = sfs_ki_use_fresh(inode, mode, use);
		return ret < 0 ? vmf_error(ret) : 0;
	}
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	sfs_release_fault_lock(vmf);
	/* an error comes again, and is told then */
	if (sfs_ki_use(inode, mode, use) == 0)
		sfs_ki_unuse(inode, use);
	return VM_FAULT_RETRY;
}

/* Who is going to write asks for that at once, and not again in mkwrite. */
static u32 fault_mode(const struct vm_fault *vmf)
{
	return (vmf->flags & FAULT_FLAG_WRITE) &&
	       (vmf->vma->vm_flags & VM_SHARED) ? SFS_USE_WRITE : SFS_USE_READ;
}

static vm_fault_t fault(struct vm_fault *vmf)
{
	struct file *file = get_file(vmf->vma->vm_file);
	struct inode *inode = file_inode(file);
	struct sfs_ki_use use;
	vm_fault_t ret;

	ret = use_for_fault(vmf, fault_mode(vmf), true, &use);
	if (ret)
		goto out;
	ret = filemap_fault(vmf);
	if (ret & VM_FAULT_LOCKED)
		hide_tail(inode, page_folio(vmf->page));
	sfs_ki_unuse(inode, &use);
out:
	fput(file);
	return ret;
}

/*
 * Without a use: pages that are in the cache are good, and who drops them
 * unmaps them under their lock, under which they are mapped here.
 */
static vm_fault_t map_pages(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	pgoff_t end;

	if (end_page(file_inode(vmf->vma->vm_file), &end)) {
		if (first >= end)
			return 0;
		last = min(last, end - 1);
	}
	return filemap_map_pages(vmf, first, last);
}

/*
 * The core is asked for the block without the folio's lock, because it may wait
 * for a publish; under the lock it is asked again and finds it there.
 */
static vm_fault_t page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct address_space *mapping = inode->i_mapping;
	struct sfs_ki_use use;
	vm_fault_t ret;
	int err;

	sb_start_pagefault(inode->i_sb);
	/* the flags that would say whether to come again are not here */
	ret = use_for_fault(vmf, SFS_USE_WRITE, false, &use);
	if (ret)
		goto out;
	filemap_invalidate_lock_shared(mapping);
	err = file_update_time(vmf->vma->vm_file);
	if (err == 0)
		err = sfs_prepare_write(inode, (loff_t)vmf->pgoff << PAGE_SHIFT,
					PAGE_SIZE);
	ret = err < 0 ? vmf_error(err) :
			iomap_page_mkwrite(vmf, &sfs_iomap_write_ops);
	sfs_vfs_count(inode->i_sb, fault_write);
	trace_sfs_fault_write(inode, (loff_t)vmf->pgoff << PAGE_SHIFT,
			      PAGE_SIZE, err);
	filemap_invalidate_unlock_shared(mapping);
	sfs_ki_unuse(inode, &use);
out:
	sb_end_pagefault(inode->i_sb);
	return ret;
}

static const struct vm_operations_struct vm_ops = {
	.fault = fault,
	.map_pages = map_pages,
	.page_mkwrite = page_mkwrite,
};

/* The time of access is not worth making all of the program wait for a lock. */
static int mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	struct sfs_ki_use use;

	if (sfs_ki_use(inode, SFS_USE_READ | SFS_USE_NOWAIT, &use) == 0) {
		file_accessed(file);
		sfs_ki_unuse(inode, &use);
	}
	vma->vm_ops = &vm_ops;
	return 0;
}

/* ---- the rest -------------------------------------------------------------- */

static loff_t llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	struct sfs_ki_use use;
	int ret;

	if (whence != SEEK_HOLE && whence != SEEK_DATA) {
		ret = whence == SEEK_END ? sfs_ki_refresh(inode) : 0;
		return ret < 0 ? ret :
				 generic_file_llseek(file, offset, whence);
	}
	inode_lock_shared(inode);
	ret = sfs_ki_use_fresh(inode, SFS_USE_READ, &use);
	if (ret < 0)
		offset = ret;
	else if (whence == SEEK_HOLE)
		offset = iomap_seek_hole(inode, offset, &sfs_iomap_read_ops);
	else
		offset = iomap_seek_data(inode, offset, &sfs_iomap_read_ops);
	if (ret == 0)
		sfs_ki_unuse(inode, &use);
	inode_unlock_shared(inode);
	if (offset < 0)
		return offset;
	return vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

static int open(struct inode *inode, struct file *file)
{
	int ret = generic_file_open(inode, file);

	if (ret < 0)
		return ret;
	file->f_mode |= FMODE_CAN_ODIRECT;
	return sfs_ki_file_opened(inode);
}

const struct file_operations sfs_file_fops = {
	.open = open,
	.release = sfs_release_vfs,
	.llseek = llseek,
	.read_iter = read_iter,
	.write_iter = write_iter,
	.splice_read = splice_read,
	.splice_write = iter_file_splice_write,
	.mmap = mmap,
	.fsync = sfs_fsync_vfs,
	.unlocked_ioctl = sfs_ioctl_vfs,
	.lock = sfs_lock_vfs,
	.flock = sfs_flock_vfs,
	.setlease = simple_nosetlease,
};

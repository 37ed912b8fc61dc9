/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regular files: reading, writing, mapping, finding holes.
 *
 * Buffered reads take no lock but those of the page cache.  All writes hold
 * i_rwsem exclusively, except direct ones of whole blocks inside of the file,
 * which share it: extents are guarded by the core's ilock, and what such a
 * write changes in the page cache the iomap library looks after.
 *
 * A direct write that is not of whole blocks may have to write zeroes around
 * itself, and one that makes the file longer moves the size, so both wait for
 * all others and for their own end.
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

/* ---- reading --------------------------------------------------------------- */

/*
 * The last block's bytes behind the end can be old contents (aops.c), and a
 * direct transfer of the block would leave them in the caller's memory.  That
 * block is left to the page cache.
 */
static ssize_t direct_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t want = iov_iter_count(to);
	unsigned int flags = 0;
	ssize_t done = 0;
	ssize_t ret = 0;
	loff_t whole;

	if (!want)
		return 0;
	if (down_read_killable(&inode->i_rwsem))
		return -EINTR;
	whole = i_size_read(inode) & ~(loff_t)BLOCK_MASK;
	if (iocb->ki_pos < whole) {
		iov_iter_truncate(to, whole - iocb->ki_pos);
		/* in two parts, so the first is waited for */
		if (iov_iter_count(to) < want)
			flags = IOMAP_DIO_FORCE_WAIT;
		done = iomap_dio_rw(iocb, to, &sfs_iomap_read_ops, NULL, flags,
				    NULL, 0);
	}
	inode_unlock_shared(inode);
	file_accessed(iocb->ki_filp);
	/* an error, or an asynchronous one that goes on by itself */
	if (done < 0)
		return done;

	iov_iter_reexpand(to, want - done);
	if (iocb->ki_pos == whole && iov_iter_count(to))
		ret = filemap_read(iocb, to, done);
	return ret ? ret : done;
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
		ret = filemap_read(iocb, to, 0);
		trace_sfs_read(inode, pos, want, ret);
		return ret;
	}
	sfs_vfs_count(inode->i_sb, direct_reads);
	ret = direct_read(iocb, to);
	count_direct(inode, ret);
	trace_sfs_direct_read(inode, pos, want, ret);
	return ret;
}

/* ---- writing --------------------------------------------------------------- */

/* What every write does before its data; i_rwsem.  Returns bytes to write. */
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

/* Many at a time.  0: has to be done alone, nothing has happened. */
static ssize_t direct_write_shared(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret = 0;

	if ((iocb->ki_flags & IOCB_APPEND) || !is_whole_blocks(iocb, from))
		return 0;
	if (down_read_killable(&inode->i_rwsem))
		return -EINTR;
	/* to take rights away from the file needs i_rwsem for itself */
	if (!makes_longer(iocb, from) && IS_NOSEC(inode) &&
	    !(inode->i_mode & (S_ISUID | S_ISGID))) {
		ret = write_checks(iocb, from);
		if (ret > 0)
			ret = iomap_dio_rw(iocb, from, &sfs_iomap_write_ops,
					   &direct_ops, 0, NULL, 0);
	}
	inode_unlock_shared(inode);
	return ret;
}

/* i_rwsem, which is held to the end. */
static ssize_t direct_write_alone(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	unsigned int flags = 0;

	if (!is_whole_blocks(iocb, from) || makes_longer(iocb, from)) {
		inode_dio_wait(inode);
		flags = IOMAP_DIO_FORCE_WAIT;
	}
	return iomap_dio_rw(iocb, from, &sfs_iomap_write_ops, &direct_ops,
			    flags, NULL, 0);
}

/* The page cache could not be kept out: through it, and then onto the device. */
static ssize_t write_through(struct kiocb *iocb, struct iov_iter *from)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	loff_t start = iocb->ki_pos;
	ssize_t ret;
	int err;

	sfs_vfs_count(file_inode(iocb->ki_filp)->i_sb, direct_fallbacks);
	ret = sfs_iomap_buffered_write(iocb, from, &sfs_iomap_write_ops);
	if (ret <= 0)
		return ret;
	err = filemap_write_and_wait_range(mapping, start, start + ret - 1);
	if (err < 0)
		return err;
	invalidate_mapping_pages(mapping, start >> PAGE_SHIFT,
				 (start + ret - 1) >> PAGE_SHIFT);
	return generic_write_sync(iocb, ret);
}

static ssize_t write_alone(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (down_write_killable(&inode->i_rwsem))
		return -EINTR;
	ret = write_checks(iocb, from);
	if (ret <= 0)
		goto out;
	if (iocb->ki_flags & IOCB_DIRECT) {
		ret = direct_write_alone(iocb, from);
		if (ret == -ENOTBLK)
			ret = write_through(iocb, from);
		goto out;
	}
	ret = sfs_iomap_buffered_write(iocb, from, &sfs_iomap_write_ops);
out:
	inode_unlock(inode);
	return ret;
}

static ssize_t write_direct(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t want = iov_iter_count(from);
	loff_t pos = iocb->ki_pos;
	ssize_t ret;

	sfs_vfs_count(inode->i_sb, direct_writes);
	ret = direct_write_shared(iocb, from);
	if (ret == 0 || ret == -ENOTBLK)
		ret = write_alone(iocb, from);
	count_direct(inode, ret);
	trace_sfs_direct_write(inode, pos, want, ret);
	return ret;
}

static ssize_t write_buffered(struct kiocb *iocb, struct iov_iter *from)
{
	size_t want = iov_iter_count(from);
	ssize_t ret = write_alone(iocb, from);

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

static vm_fault_t fault(struct vm_fault *vmf)
{
	vm_fault_t ret = filemap_fault(vmf);

	if (ret & VM_FAULT_LOCKED)
		hide_tail(file_inode(vmf->vma->vm_file),
			  page_folio(vmf->page));
	return ret;
}

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
	vm_fault_t ret;
	int err;

	sb_start_pagefault(inode->i_sb);
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
	sb_end_pagefault(inode->i_sb);
	return ret;
}

static const struct vm_operations_struct vm_ops = {
	.fault = fault,
	.map_pages = map_pages,
	.page_mkwrite = page_mkwrite,
};

static int mmap(struct file *file, struct vm_area_struct *vma)
{
	file_accessed(file);
	vma->vm_ops = &vm_ops;
	return 0;
}

/* ---- the rest -------------------------------------------------------------- */

static loff_t llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);

	if (whence != SEEK_HOLE && whence != SEEK_DATA)
		return generic_file_llseek(file, offset, whence);
	inode_lock_shared(inode);
	if (whence == SEEK_HOLE)
		offset = iomap_seek_hole(inode, offset, &sfs_iomap_read_ops);
	else
		offset = iomap_seek_data(inode, offset, &sfs_iomap_read_ops);
	inode_unlock_shared(inode);
	if (offset < 0)
		return offset;
	return vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

static int open(struct inode *inode, struct file *file)
{
	file->f_mode |= FMODE_CAN_ODIRECT;
	return generic_file_open(inode, file);
}

const struct file_operations sfs_file_fops = {
	.open = open,
	.llseek = llseek,
	.read_iter = read_iter,
	.write_iter = write_iter,
	.splice_read = sfs_splice_read,
	.splice_write = iter_file_splice_write,
	.mmap = mmap,
	.fsync = sfs_fsync_vfs,
	.unlocked_ioctl = sfs_ioctl_vfs,
	.lock = sfs_lock_vfs,
	.flock = sfs_flock_vfs,
	.setlease = simple_nosetlease,
};

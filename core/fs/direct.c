/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contents of files for hosts without a page cache: reading and writing through
 * the block port.
 *
 * A buffer is cut into chunks of at most CHUNK bytes.  When buffer and offset
 * are aligned, whole blocks go straight between the buffer and the device;
 * otherwise a chunk goes through memory of its own.  All transfers of a chunk
 * are in flight together.
 *
 * Writing a chunk: old contents of the blocks at its ends are read, blocks are
 * mapped (extent.c), written, and when all transfers are done one more hold
 * makes them written and moves the size.  A chunk counts when that hold is
 * over: a failed transfer leaves the file as it was, but for blocks that were
 * overwritten in place, where some of the new bytes may be.
 *
 * What a block has behind the size of the file is never shown and never
 * trusted: it is replaced by zeroes whenever the block is read in order to be
 * written, and when the file is going to grow over it (sfs_zero_tail()).
 *
 * A write that begins at the size or behind it changes no byte that the file
 * has, although it may rewrite the block with its last bytes.  So appending
 * does not wait for a version to become durable.
 *
 * Locks: Shared(ino) or Excl(ino), by the caller, over all of it.  No hold
 * while anything is in flight.
 */
#include "fs/fs.h"

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/mount_types.h"

#define CHUNK (1U << 20)
#define NR_XFERS 16

static u32 in_block(u64 off)
{
	return off & (SFS_BLOCK_SIZE - 1);
}

/* ---- transfers -------------------------------------------------------------- */

struct xfers;

struct xfer {
	struct sfs_io io;
	struct xfers *set;
};

struct xfers {
	struct sfs_host *host;
	u32 nr;			/* O: started since the last wait */
	atomic_t pending;	/* those that are not done, and the submitter */
	atomic_t err;		/* the first error */
	struct completion done;
	struct xfer x[NR_XFERS];
};

static struct xfers *xfers_alloc(struct sfs_fs *fs)
{
	struct xfers *xs = kmalloc(sizeof(*xs), GFP_NOFS);

	if (!xs)
		return NULL;
	xs->host = fs->host;
	xs->nr = 0;
	atomic_set(&xs->pending, 1);
	atomic_set(&xs->err, 0);
	init_completion(&xs->done);
	return xs;
}

static void xfer_done(struct sfs_io *io)
{
	struct xfers *xs = container_of(io, struct xfer, io)->set;

	if (io->err)
		atomic_cmpxchg(&xs->err, 0, io->err);
	if (atomic_dec_and_test(&xs->pending))
		complete(&xs->done);
}

/* Until nothing is in flight; returns and forgets the first error. */
static int xfers_wait(struct xfers *xs)
{
	int err;

	if (!atomic_dec_and_test(&xs->pending))
		wait_for_completion(&xs->done);
	reinit_completion(&xs->done);
	atomic_set(&xs->pending, 1);
	xs->nr = 0;
	err = atomic_read(&xs->err);
	atomic_set(&xs->err, 0);
	return err;
}

/* Blocks of the data device; @buf is aligned. */
static int xfers_start(struct xfers *xs, u8 flags, u64 phys, void *buf,
		       u64 blocks)
{
	struct xfer *x;
	int ret;

	if (xs->nr == NR_XFERS) {
		ret = xfers_wait(xs);
		if (ret < 0)
			return ret;
	}
	x = &xs->x[xs->nr++];
	x->set = xs;
	x->io = (struct sfs_io) {
		.done = xfer_done,
		.buf = buf,
		.offset = phys << SFS_BLOCK_SHIFT,
		.len = blocks << SFS_BLOCK_SHIFT,
		.dev = SFS_DEV_DATA,
		.flags = flags,
	};
	atomic_inc(&xs->pending);
	sfs_port_io_submit(xs->host, &x->io);
	return 0;
}

/* ---- reading ------------------------------------------------------------------ */

/* Whole blocks into aligned memory; what is not written reads as zeroes. */
static int read_blocks(struct sfs_fs *fs, u64 ino, struct xfers *xs, u64 block,
		       u64 nr, u8 *buf)
{
	struct sfs_extent ext;
	u64 at = 0;
	u64 n;
	int ret = 0;
	int err;

	while (at < nr) {
		ret = sfs_extent_map_read(fs, ino, block + at, &ext);
		if (ret == 0 && (ext.flags & SFS_EXT_OFFLINE))
			ret = -EOPNOTSUPP;
		if (ret < 0)
			break;
		n = min(ext.count, nr - at);
		if (ext.phys && !ext.flags) {
			ret = xfers_start(xs, 0, ext.phys,
					  buf + (at << SFS_BLOCK_SHIFT), n);
			if (ret < 0)
				break;
		} else {
			memset(buf + (at << SFS_BLOCK_SHIFT), 0,
			       n << SFS_BLOCK_SHIFT);
		}
		at += n;
	}
	err = xfers_wait(xs);
	return ret < 0 ? ret : err;
}

static bool is_aligned(const void *buf, u64 off)
{
	return !in_block((unsigned long)buf) && !in_block(off);
}

/* Returns the bytes read, at least one. */
static int read_chunk(struct sfs_fs *fs, u64 ino, struct xfers *xs, u64 off,
		      u8 *buf, u64 len)
{
	u64 block = off >> SFS_BLOCK_SHIFT;
	u32 skip = in_block(off);
	u32 size;
	u8 *mem;
	int ret;

	if (is_aligned(buf, off) && len >= SFS_BLOCK_SIZE) {
		len = min_t(u64, len, CHUNK) & ~(u64)(SFS_BLOCK_SIZE - 1);
		ret = read_blocks(fs, ino, xs, block, len >> SFS_BLOCK_SHIFT,
				  buf);
		return ret < 0 ? ret : (int)len;
	}
	len = min_t(u64, len, CHUNK - skip);
	size = ALIGN(skip + len, SFS_BLOCK_SIZE);
	mem = sfs_port_buf_alloc(size);
	if (!mem)
		return -ENOMEM;
	ret = read_blocks(fs, ino, xs, block, size >> SFS_BLOCK_SHIFT, mem);
	if (ret == 0)
		memcpy(buf, mem + skip, len);
	sfs_port_buf_free(mem, size);
	return ret < 0 ? ret : (int)len;
}

static int file_inode(struct sfs_fs *fs, struct sfs_lockset *locks, u64 ino,
		      struct sfs_inode *ret_si)
{
	int ret = sfs_inode_read(fs, locks, ino, ret_si);

	if (ret < 0)
		return ret;
	if (S_ISDIR(ret_si->mode))
		return -EISDIR;
	return S_ISREG(ret_si->mode) ? 0 : -EINVAL;
}

static s64 file_read(struct sfs_fs *fs, struct sfs_lockset *locks, u64 ino,
		     u64 off, void *buf, u32 len)
{
	struct sfs_inode si;
	struct xfers *xs;
	u64 done = 0;
	u64 want;
	int ret;

	ret = file_inode(fs, locks, ino, &si);
	if (ret < 0)
		return ret;
	if (off >= si.size)
		return 0;
	want = min_t(u64, len, si.size - off);
	xs = xfers_alloc(fs);
	if (!xs)
		return -ENOMEM;
	while (done < want) {
		ret = read_chunk(fs, ino, xs, off + done, (u8 *)buf + done,
				 want - done);
		if (ret < 0)
			break;
		done += ret;
	}
	kfree(xs);
	return done || ret >= 0 ? (s64)done : ret;
}

__s64 sfs_file_read(struct sfs_fs *fs, __u64 ino, __u64 off, void *buf,
		    __u32 len)
{
	struct sfs_lockset locks;
	s64 ret;

	sfs_count(fs->cnt, op_file_read);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = file_read(fs, &locks, ino, off, buf, len);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- the tail of the last block --------------------------------------------------- */

static int zero_tail(struct sfs_fs *fs, struct sfs_inode *si, u64 phys,
		     u8 *mem, bool *ret_wrote)
{
	struct xfers *xs = xfers_alloc(fs);
	u32 from = in_block(si->size);
	int ret;

	if (!xs)
		return -ENOMEM;
	xfers_start(xs, 0, phys, mem, 1);
	ret = xfers_wait(xs);
	if (ret == 0 && memchr_inv(mem + from, 0, SFS_BLOCK_SIZE - from)) {
		ret = sfs_data_overwrites(fs, si, true);
		if (ret < 0)
			goto out;
		memset(mem + from, 0, SFS_BLOCK_SIZE - from);
		xfers_start(xs, SFS_IO_WRITE, phys, mem, 1);
		ret = xfers_wait(xs);
		*ret_wrote = true;
	}
out:
	kfree(xs);
	return ret;
}

int sfs_zero_tail(struct sfs_fs *fs, struct sfs_inode *si,
		  bool *ret_wrote)
{
	struct sfs_extent ext;
	u8 *mem;
	int ret;

	if (!in_block(si->size))
		return 0;
	ret = sfs_extent_map_read(fs, si->ino, si->size >> SFS_BLOCK_SHIFT, &ext);
	if (ret < 0 || !ext.phys || ext.flags)
		return ret;
	mem = sfs_port_buf_alloc(SFS_BLOCK_SIZE);
	if (!mem)
		return -ENOMEM;
	ret = zero_tail(fs, si, ext.phys, mem, ret_wrote);
	sfs_port_buf_free(mem, SFS_BLOCK_SIZE);
	return ret;
}

/* ---- writing ---------------------------------------------------------------------- */

/* One block as the file has it, with zeroes behind the size. */
static int read_edge(struct sfs_fs *fs, const struct sfs_inode *si,
		     struct xfers *xs, u64 block, u8 *mem)
{
	u64 off = block << SFS_BLOCK_SHIFT;
	u32 valid;
	int ret;

	if (off >= si->size) {
		memset(mem, 0, SFS_BLOCK_SIZE);
		return 0;
	}
	ret = read_blocks(fs, si->ino, xs, block, 1, mem);
	if (ret < 0)
		return ret;
	valid = min_t(u64, si->size - off, SFS_BLOCK_SIZE);
	memset(mem + valid, 0, SFS_BLOCK_SIZE - valid);
	return 0;
}

/*
 * Maps and writes whole blocks.  Returns how many were mapped and written: not
 * all of them when space ran out after some.
 */
static int write_blocks(struct sfs_fs *fs, struct sfs_inode *si,
			struct xfers *xs, u64 block, u32 nr, bool keeps,
			u8 *buf)
{
	struct sfs_extent ext;
	u32 at = 0;
	int ret = 0;
	int err;

	while (at < nr) {
		ret = sfs_extent_map_write(fs, si, block + at, nr - at, keeps,
					   &ext);
		if (ret < 0)
			break;
		err = xfers_start(xs, SFS_IO_WRITE, ext.phys,
				  buf + ((u64)at << SFS_BLOCK_SHIFT),
				  ext.count);
		if (err < 0) {
			xfers_wait(xs);
			return err;
		}
		at += ext.count;
	}
	err = xfers_wait(xs);
	if (err < 0)
		return err;
	return at ? (int)at : ret;
}

/* Writes blocks that hold [off, off + len), then makes them part of the file. */
static int write_range(struct sfs_fs *fs, struct sfs_inode *si,
		       struct xfers *xs, u64 off, u32 len, u8 *buf)
{
	u64 block = off >> SFS_BLOCK_SHIFT;
	struct sfs_written how = { .class = SFS_SPACE_USER };
	u32 skip = in_block(off);
	u64 bytes;
	int ret;

	ret = write_blocks(fs, si, xs, block, sfs_size_blocks(skip + len),
			   off >= si->size, buf);
	if (ret < 0)
		return ret;
	bytes = min_t(u64, len, ((u64)ret << SFS_BLOCK_SHIFT) - skip);
	how.mtime = sfs_now(fs);
	how.ctime = how.mtime;
	ret = sfs_extent_written(fs, si, block, ret, off + bytes, &how);
	return ret < 0 ? ret : (int)bytes;
}

static int write_bounced(struct sfs_fs *fs, struct sfs_inode *si,
			 struct xfers *xs, u64 off, const u8 *buf, u32 len)
{
	u32 skip = in_block(off);
	u32 size = ALIGN(skip + len, SFS_BLOCK_SIZE);
	u32 last = size - SFS_BLOCK_SIZE;
	u64 block = off >> SFS_BLOCK_SHIFT;
	u8 *mem;
	int ret = 0;

	mem = sfs_port_buf_alloc(size);
	if (!mem)
		return -ENOMEM;
	if (skip)
		ret = read_edge(fs, si, xs, block, mem);
	if (ret == 0 && in_block(off + len) && (last || !skip))
		ret = read_edge(fs, si, xs,
				block + (last >> SFS_BLOCK_SHIFT), mem + last);
	if (ret == 0) {
		memcpy(mem + skip, buf, len);
		ret = write_range(fs, si, xs, off, len, mem);
	}
	sfs_port_buf_free(mem, size);
	return ret;
}

/* Returns the bytes written, at least one. */
static int write_chunk(struct sfs_fs *fs, struct sfs_inode *si,
		       struct xfers *xs, u64 off, const u8 *buf, u64 len)
{
	if (is_aligned(buf, off) && len >= SFS_BLOCK_SIZE) {
		len = min_t(u64, len, CHUNK) & ~(u64)(SFS_BLOCK_SIZE - 1);
		/* transfers that write do not change their buffer */
		return write_range(fs, si, xs, off, len, (u8 *)buf);
	}
	len = min_t(u64, len, CHUNK - in_block(off));
	return write_bounced(fs, si, xs, off, buf, len);
}

/*
 * Zeroes between the old size and a write that begins behind it: holes read so
 * by themselves, the last block's tail has to be made so.  When the write
 * itself begins in that block it does this.
 */
static int write_gap(struct sfs_fs *fs, struct sfs_inode *si, u64 off)
{
	bool wrote;
	int ret;

	ret = sfs_trunc_finish(fs, si);
	if (ret < 0 || off <= si->size ||
	    off >> SFS_BLOCK_SHIFT == si->size >> SFS_BLOCK_SHIFT)
		return ret;
	/* the hold that moves the size comes after data of its own */
	return sfs_zero_tail(fs, si, &wrote);
}

static s64 file_write(struct sfs_fs *fs, struct sfs_lockset *locks, u64 ino,
		      u64 off, const void *buf, u32 len)
{
	struct sfs_inode si;
	struct xfers *xs;
	u64 done = 0;
	u64 want;
	int ret;

	ret = file_inode(fs, locks, ino, &si);
	if (ret < 0 || !len)
		return ret;
	if (off >= SFS_MAX_FILE_SIZE)
		return -EFBIG;
	want = min_t(u64, len, SFS_MAX_FILE_SIZE - off);
	ret = write_gap(fs, &si, off);
	if (ret < 0)
		return ret;
	xs = xfers_alloc(fs);
	if (!xs)
		return -ENOMEM;
	while (done < want) {
		ret = write_chunk(fs, &si, xs, off + done,
				  (const u8 *)buf + done, want - done);
		if (ret < 0)
			break;
		done += ret;
	}
	kfree(xs);
	return done || ret >= 0 ? (s64)done : ret;
}

__s64 sfs_file_write(struct sfs_fs *fs, __u64 ino, __u64 off, const void *buf,
		     __u32 len)
{
	struct sfs_lockset locks;
	s64 ret;

	sfs_count(fs->cnt, op_file_write);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_WRITE);
	if (ret < 0)
		return ret;
	ret = file_write(fs, &locks, ino, off, buf, len);
	sfs_locks_end(fs, &locks);
	return ret;
}

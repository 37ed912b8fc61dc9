/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing as a host with a page cache does: it maps blocks, writes them by
 * itself, and tells the core when that is done, with the time at which the
 * program wrote.  In several pieces, as writeback may choose them.
 *
 * Only writes for which a page cache has to read nothing before: they begin at
 * a block and not behind the end of the file, and end at a block or not before
 * the end.
 */
#include "tests/model/posix.h"

#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/stat.h>
#include "mount/mount_types.h"
#include "shim/shim.h"

#define BLOCK 4096U

struct transfer {
	struct sfs_io io;
	struct completion done;
};

static void transfer_done(struct sfs_io *io)
{
	complete(&container_of(io, struct transfer, io)->done);
}

static int transfer(struct sfs_fs *fs, u64 phys, u8 *buf, u64 blocks)
{
	struct transfer t = {
		.io = {
			.done = transfer_done,
			.buf = buf,
			.offset = phys * BLOCK,
			.len = blocks * BLOCK,
			.dev = SFS_DEV_DATA,
			.flags = SFS_IO_WRITE,
		},
	};

	init_completion(&t.done);
	sfs_port_io_submit(fs->host, &t.io);
	wait_for_completion(&t.done);
	return t.io.err;
}

bool pm_can_write_mapped(struct sfs_fs *fs, const struct pm_op *op)
{
	struct sfs_attr attr;
	u64 end = op->off + op->io_len;

	if (!op->io_len || op->off % BLOCK ||
	    sfs_getattr(fs, op->ino, &attr) < 0 || !S_ISREG(attr.mode))
		return false;
	return op->off <= attr.size && (end >= attr.size || !(end % BLOCK)) &&
	       end <= PM_FILE_MAX;
}

/* @buf: aligned, with zeroes to the end of the last block. */
s64 pm_write_mapped(struct sfs_fs *fs, const struct pm_op *op, u8 *buf)
{
	u64 nr = DIV_ROUND_UP(op->io_len, BLOCK);
	u64 first = op->off / BLOCK;
	struct sfs_time now = {};
	struct sfs_extent ext;
	struct sfs_attr attr;
	u64 at = 0;
	int flags;
	int ret;

	ret = sfs_getattr(fs, op->ino, &attr);
	if (ret < 0)
		return ret;
	flags = op->off >= attr.size ? SFS_MAP_KEEPS : 0;
	sfs_port_wall_time(fs->host, &now.sec, &now.nsec);
	while (at < nr) {
		ret = sfs_map_write(fs, op->ino, first + at,
				    min(nr - at, 1 + (op->seed >> 8) % 16),
				    flags, &ext);
		if (ret < 0)
			break;
		ret = transfer(fs, ext.phys, buf + at * BLOCK, ext.count);
		if (ret < 0)
			break;
		ret = sfs_map_written(fs, op->ino, first + at, ext.count,
				      min(op->off + op->io_len,
					  (first + at + ext.count) * BLOCK),
				      &now, &now);
		if (ret < 0)
			break;
		at += ext.count;
	}
	return at ? (s64)min_t(u64, at * BLOCK, op->io_len) : ret;
}

/*
 * What a write leaves whose pages are dropped before writeback, because the
 * file goes or becomes shorter: blocks that are mapped and never written.  In
 * some of the new files; nothing that programs can see changes.
 */
void pm_map_unused(struct sfs_fs *fs, const struct sfs_attr *attr)
{
	struct sfs_extent ext;

	if (S_ISREG(attr->mode) && attr->ino % 4 == 0)
		sfs_map_write(fs, attr->ino, attr->ino / 4 % 3,
			      1 + attr->ino / 12 % 3, SFS_MAP_KEEPS, &ext);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open files and their contents.
 *
 * Files opened for writing bypass the page cache, those opened for reading
 * use it and keep it: nothing changes contents but writes that come through
 * here, and after each the pages it made old are dropped, by newer kernels
 * themselves, for older ones by us, before the reply.  That waits for page
 * locks which a READ may hold until we answer it; so it happens on a pool of
 * its own and after the inode's lock is released.
 *
 * Appending goes to the true end under the inode's lock; the kernel's idea of
 * where that is would be wrong once there are several mounts.
 *
 * Before contents change, a file loses what gives it rights (setuid, setgid,
 * capabilities).  That it has none of these is remembered per inode in a table
 * of the volume; entries are made and removed under the inode's lock.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAPS_XATTR "security.capability"

void op_open(struct sfs_req *req)
{
	const struct fw_open_in *in = req->d.arg;
	struct sfs_conn *conn = req->conn;
	struct sfs_setattr set = {
		.mask = SFS_SET_SIZE | SFS_SET_OPEN_TRUNC,
	};
	uint64_t ino = req->d.h->nodeid;
	struct fw_open_out out = { 0 };
	struct sfs_caller c;
	struct sfs_attr attr;
	struct sfs_ilock il;
	int ret;

	ret = sfs_handle_open(&conn->handles, conn->fs, ino, &out.fh);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	if (in->flags & O_TRUNC) {
		sfs_caller_init(&c, req);
		if (in->open_flags & FW_OPEN_KILL_SUIDGID)
			set.mask |= SFS_SET_KILL_PRIV;
		else
			c.cred.caps |= SFS_CAP_FSETID;
		sfs_ilock_excl(conn->fs, &il, ino, 0, 0, 0);
		ret = sfs_setattr(conn->fs, &c.cred, ino, &set, &attr);
		sfs_iunlock(conn->fs, &il);
		sfs_caller_exit(&c);
		if (ret < 0) {
			sfs_handle_close(&conn->handles, conn->fs, out.fh,
					 ino);
			sfs_reply_err(req, ret);
			return;
		}
	}
	out.open_flags = (in->flags & O_ACCMODE) == O_RDONLY ?
			 FW_FOPEN_KEEP_CACHE : FW_FOPEN_DIRECT_IO;
	sfs_reply_buf(req, &out, sizeof(out));
}

void op_release(struct sfs_req *req)
{
	const struct fw_release_in *in = req->d.arg;
	struct sfs_conn *conn = req->conn;

	sfs_unlock_released(conn, req->d.h->nodeid, in);
	sfs_handle_close(&conn->handles, conn->fs, in->fh, req->d.h->nodeid);
	sfs_reply_err(req, 0);
}

/* ---- reading ------------------------------------------------------------ */

void op_read(struct sfs_req *req)
{
	const struct fw_read_in *in = req->d.arg;
	uint32_t size = in->size < MAX_WRITE ? in->size : MAX_WRITE;
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_ilock il;
	int64_t n;

	sfs_ilock_shared(conn->fs, &il, ino);
	n = sfs_file_read(conn->fs, ino, in->offset, req->buf, size);
	sfs_iunlock(conn->fs, &il);
	if (n < 0) {
		sfs_reply_err(req, n);
		return;
	}
	if (n > 0 && !conn->noatime && !(in->flags & O_NOATIME))
		sfs_touch_atime(conn->fs, ino);
	sfs_reply_buf(req, req->buf, n);
}

/* ---- writing ------------------------------------------------------------ */

static _Atomic uint64_t *clean_slot(struct sfs_conn *conn, uint64_t ino)
{
	return &conn->vol->clean[ino % NR_CLEAN];
}

/* Excl(ino): a write has to look again. */
void sfs_not_clean(struct sfs_conn *conn, uint64_t ino)
{
	uint64_t expected = ino;

	atomic_compare_exchange_strong(clean_slot(conn, ino), &expected, 0);
}

/*
 * Excl(ino).  The kernel says whether the caller may keep setuid and setgid;
 * file capabilities go with any write.
 */
static int drop_rights(struct sfs_req *req, struct sfs_caller *c,
		       bool kill_suidgid)
{
	struct sfs_setattr set = { .mask = SFS_SET_KILL_PRIV };
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_attr attr;
	bool suid, caps;
	int ret;

	if (atomic_load(clean_slot(conn, ino)) == ino)
		return 0;
	ret = sfs_getattr(conn->fs, ino, &attr);
	if (ret < 0)
		return ret;
	suid = (attr.mode & S_ISUID) ||
	       (attr.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	ret = sfs_getxattr(conn->fs, &c->cred, ino, CAPS_XATTR, NULL, 0);
	if (ret < 0 && ret != -ENODATA && ret != -EOPNOTSUPP)
		return ret;
	caps = ret > 0;

	if (!suid && !caps) {
		atomic_store(clean_slot(conn, ino), ino);
		return 0;
	}
	if (suid && kill_suidgid)
		return sfs_setattr(conn->fs, &c->cred, ino, &set, &attr);
	if (!caps)
		return 0;
	c->cred.caps |= SFS_CAP_SYS_ADMIN;
	return sfs_removexattr(conn->fs, &c->cred, ino, CAPS_XATTR);
}

static int64_t locked_write(struct sfs_req *req, uint64_t *ret_off)
{
	const struct fw_write_in *in = req->d.arg;
	bool cached = in->write_flags & FW_WRITE_CACHE;
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid, off = in->offset;
	struct sfs_caller c;
	struct sfs_attr attr;
	int64_t ret = 0;

	sfs_caller_init(&c, req);
	/* a page of a mapping had its checks when it was made writable */
	if (!cached)
		ret = drop_rights(req, &c,
				  in->write_flags & FW_WRITE_KILL_SUIDGID);
	if (ret == 0 && !cached && (in->flags & O_APPEND)) {
		ret = sfs_getattr(conn->fs, ino, &attr);
		off = attr.size;
	}
	if (ret == 0)
		ret = sfs_file_write(conn->fs, ino, off, req->d.data,
				     req->d.data_len);
	sfs_caller_exit(&c);
	*ret_off = off;
	return ret;
}

static void reply_written(struct sfs_req *req, uint32_t len)
{
	struct fw_write_out out = { .size = len };

	sfs_reply_buf(req, &out, sizeof(out));
}

/* On a pool: what may take long after the write itself. */
static void finish_write(struct sfs_req *req)
{
	const struct fw_write_in *in = req->d.arg;
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	int ret = 0;

	if (in->flags & (O_SYNC | O_DSYNC))
		ret = sfs_fsync(conn->fs, ino,
				(in->flags & O_SYNC) != O_SYNC);
	if (conn->drop_pages)
		sfs_notify_inval(conn, ino, req->result[0], req->result[1]);
	if (ret < 0)
		sfs_reply_err(req, ret);
	else
		reply_written(req, req->result[1]);
}

void op_write(struct sfs_req *req)
{
	const struct fw_write_in *in = req->d.arg;
	bool cached = in->write_flags & FW_WRITE_CACHE;
	struct sfs_conn *conn = req->conn;
	struct sfs_ilock il;
	uint64_t off;
	int64_t n;

	sfs_ilock_excl(conn->fs, &il, req->d.h->nodeid, 0, 0, 0);
	n = locked_write(req, &off);
	sfs_iunlock(conn->fs, &il);
	if (n < 0) {
		sfs_reply_err(req, n);
		return;
	}
	/* pages under writeback are the newest there are, and msync() syncs */
	req->result[0] = off;
	req->result[1] = n;
	if (!cached && (in->flags & (O_SYNC | O_DSYNC)))
		sfs_defer(req, &conn->slow, finish_write);
	else if (!cached && conn->drop_pages && n)
		sfs_defer(req, &conn->notify, finish_write);
	else
		reply_written(req, n);
}

static void slow_fsync(struct sfs_req *req)
{
	const struct fw_fsync_in *in = req->d.arg;

	sfs_reply_err(req, sfs_fsync(req->conn->fs, req->d.h->nodeid,
				     in->fsync_flags & FW_FSYNC_DATASYNC));
}

/* Files and directories. */
void op_fsync(struct sfs_req *req)
{
	sfs_defer(req, &req->conn->slow, slow_fsync);
}

/* ---- holes -------------------------------------------------------------- */

/*
 * Offline and unwritten blocks count as data: only what was never allocated
 * is a hole.  Shared(ino).
 */
static int64_t seek(struct sfs_fs *fs, uint64_t ino, uint64_t off, bool hole)
{
	struct sfs_extent ext;
	struct sfs_attr attr;
	uint64_t block;
	int ret;

	ret = sfs_getattr(fs, ino, &attr);
	if (ret < 0)
		return ret;
	if (off >= attr.size)
		return -ENXIO;
	for (block = off / SFS_BLOCK; block * SFS_BLOCK < attr.size;
	     block = ext.block + ext.count) {
		ret = sfs_map_read(fs, ino, block, &ext);
		if (ret < 0)
			return ret;
		if (hole == (!ext.phys && !(ext.flags & SFS_EXT_OFFLINE)))
			return off > block * SFS_BLOCK ? off :
			       block * SFS_BLOCK;
		if (ext.count > UINT64_MAX / SFS_BLOCK - block)
			break;
	}
	/* every file ends with a hole */
	return hole ? (int64_t)attr.size : -ENXIO;
}

void op_lseek(struct sfs_req *req)
{
	const struct fw_lseek_in *in = req->d.arg;
	struct sfs_fs *fs = req->conn->fs;
	struct fw_lseek_out out;
	struct sfs_ilock il;
	int64_t ret;

	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE) {
		sfs_reply_err(req, -EINVAL);
		return;
	}
	sfs_ilock_shared(fs, &il, req->d.h->nodeid);
	ret = seek(fs, req->d.h->nodeid, in->offset, in->whence == SEEK_HOLE);
	sfs_iunlock(fs, &il);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	out.offset = ret;
	sfs_reply_buf(req, &out, sizeof(out));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open files and their contents.
 *
 * Files opened for writing bypass the page cache, those opened for reading
 * use it and keep it: contents change by writes that come through here, and
 * after each the pages it made old are dropped, by newer kernels themselves,
 * for older ones by us, before the reply; or by other mounts, and before that
 * the kernel is told to drop them (known.c).  Dropping waits for page locks
 * which a READ may hold until we answer it; what we drop ourselves happens on a
 * pool of its own and after the inode's lock is released.
 *
 * Who changes contents holds, in this order, the inode's lock, a use of the
 * cluster lock for writing, and the inode's contents' lock (struct sfs_change).
 * Who reads holds a use for reading and the contents' lock, shared, but not the
 * inode's lock: somebody may have that who waits for the cluster lock, while
 * the read is what the page waits for that has to be dropped before the cluster
 * lock is given up.  Nothing else that the inode's lock excludes (names,
 * attributes) changes what a read returns.  Contents' locks are shared by hash;
 * all who hold one are within a use, so they go on whatever happens to other
 * cluster locks.
 *
 * A READ for a page enters its use late, and its reply is sent before the use
 * ends.  It is done at once when the mount has the cluster lock, else it waits
 * on a pool of its own, because a thread of a queue that waits can not answer
 * the READs behind it (see also "The watcher" in known.c).
 *
 * Appending goes to the true end under these locks; the kernel's idea of where
 * that is may be wrong when there are several mounts.
 *
 * Before contents change, a file loses what gives it rights (setuid, setgid,
 * capabilities).  That it has none of these is remembered per inode in a table
 * of the mount; entries are made and removed under the inode's lock, believed
 * within a use, and forgotten when the cluster lock is given up.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAPS_XATTR "security.capability"

/* ---- locks -------------------------------------------------------------- */

static pthread_rwlock_t *contents_lock(struct sfs_conn *conn, uint64_t ino)
{
	return &conn->contents[(ino ^ ino >> 10) % NR_CONTENTS];
}

int sfs_change_begin(struct sfs_conn *conn, uint64_t ino, uint32_t use_flags,
		     struct sfs_change *ch)
{
	int ret;

	sfs_ilock_excl(conn->fs, &ch->il, ino, 0, 0, 0);
	ret = sfs_use_begin(conn->fs, ino, SFS_USE_WRITE | use_flags,
			    &ch->use);
	if (ret < 0) {
		sfs_iunlock(conn->fs, &ch->il);
		return ret;
	}
	ch->lock = contents_lock(conn, ino);
	pthread_rwlock_wrlock(ch->lock);
	return 0;
}

void sfs_change_end(struct sfs_conn *conn, struct sfs_change *ch)
{
	pthread_rwlock_unlock(ch->lock);
	sfs_use_end(conn->fs, &ch->use);
	sfs_iunlock(conn->fs, &ch->il);
}

/* With a use and the contents' lock. */
static void push_end(struct sfs_conn *conn, uint64_t ino, uint64_t size)
{
	char byte;

	if (sfs_file_read(conn->fs, ino, size - 1, &byte, 1) != 1)
		return;
	sfs_stores_read(conn, ino, size - 1, &byte, 1);
	sfs_known_end(conn, ino, size - 1, byte);
}

/* With the contents' lock, so that nobody changes it. */
static int getattr_and_push(struct sfs_req *req, struct sfs_attr *ret_attr)
{
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	int ret;

	ret = sfs_getattr(conn->fs, ino, ret_attr);
	if (ret < 0 || !S_ISREG(ret_attr->mode))
		return ret;
	if (ret_attr->size &&
	    sfs_handle_end_safe(&conn->handles, ino, ret_attr->size))
		push_end(conn, ino, ret_attr->size);
	/* others may rely on it from here on, not before */
	sfs_handle_end_told(&conn->handles, ino, req->seq, ret_attr->size);
	return 0;
}

void sfs_getattr_push(struct sfs_req *req,
		      void (*reply)(struct sfs_req *req,
				    const struct sfs_attr *attr))
{
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_attr attr;
	struct sfs_use use;
	int ret;

	if (!atomic_load(&conn->vol->several) ||
	    !sfs_handle_end_due(&conn->handles, ino, req->seq)) {
		ret = sfs_getattr(conn->fs, ino, &attr);
		if (ret < 0)
			sfs_reply_err(req, ret);
		else
			reply(req, &attr);
		return;
	}
	ret = sfs_use_begin(conn->fs, ino, SFS_USE_READ, &use);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	pthread_rwlock_rdlock(contents_lock(conn, ino));
	ret = getattr_and_push(req, &attr);
	pthread_rwlock_unlock(contents_lock(conn, ino));
	if (ret < 0)
		sfs_reply_err(req, ret);
	else
		reply(req, &attr);
	sfs_known_answered(conn);
	sfs_use_end(conn->fs, &use);
}

/* ---- opening ------------------------------------------------------------ */

static int open_truncate(struct sfs_req *req)
{
	const struct fw_open_in *in = req->d.arg;
	struct sfs_setattr set = {
		.mask = SFS_SET_SIZE | SFS_SET_OPEN_TRUNC,
	};
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_change ch;
	struct sfs_caller c;
	struct sfs_attr attr;
	int ret;

	sfs_caller_init(&c, req);
	if (in->open_flags & FW_OPEN_KILL_SUIDGID)
		set.mask |= SFS_SET_KILL_PRIV;
	else
		c.cred.caps |= SFS_CAP_FSETID;
	ret = sfs_change_begin(conn, ino, 0, &ch);
	if (ret == 0) {
		sfs_stores_write(conn, ino);
		ret = sfs_setattr(conn->fs, &c.cred, ino, &set, &attr);
		if (ret == 0)
			sfs_handle_shrunk(&conn->handles, ino, attr.size);
		sfs_change_end(conn, &ch);
	}
	sfs_caller_exit(&c);
	return ret;
}

void op_open(struct sfs_req *req)
{
	const struct fw_open_in *in = req->d.arg;
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct fw_open_out out = { 0 };
	int ret;

	ret = sfs_handle_open(&conn->handles, conn->fs, ino, in->flags,
			      &out.fh);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	if (in->flags & O_TRUNC) {
		ret = open_truncate(req);
		if (ret < 0) {
			sfs_handle_close(&conn->handles, conn->fs, out.fh,
					 ino);
			sfs_reply_err(req, ret);
			return;
		}
	}
	/* the lookup before it may have brought attributes that were old */
	if (atomic_load(&conn->vol->several) && sfs_known_recent(conn))
		sfs_notify_inval(conn, ino, -1, 0);
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

/* Answered when it returns 0, else with a negative errno not yet. */
static int read_contents(struct sfs_req *req, bool pages, uint32_t use_flags)
{
	const struct fw_read_in *in = req->d.arg;
	uint32_t size = in->size < MAX_WRITE ? in->size : MAX_WRITE;
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_use use;
	int64_t n = 0;

	n = sfs_use_begin(conn->fs, ino, SFS_USE_READ | use_flags, &use);
	if (n < 0)
		return n;
	pthread_rwlock_rdlock(contents_lock(conn, ino));
	if (pages && sfs_known_pages(conn, ino) < 0)
		n = -ENOMEM;
	if (n == 0)
		n = sfs_file_read(conn->fs, ino, in->offset, req->buf, size);
	if (n > 0)
		sfs_stores_read(conn, ino, in->offset, req->buf, n);
	/* the kernel takes the end of a page that is cut off for the file's */
	if (n >= 0 && n < size && pages)
		sfs_handle_shrunk(&conn->handles, ino, in->offset + n);
	pthread_rwlock_unlock(contents_lock(conn, ino));
	if (n >= 0)
		sfs_reply_buf(req, req->buf, n);
	if (n >= 0 && n < size && pages)
		sfs_known_answered(conn);
	/* in here because it would wait for the lock */
	if (n > 0 && !conn->noatime && !(in->flags & O_NOATIME))
		sfs_touch_atime(conn->fs, ino);
	sfs_use_end(conn->fs, &use);
	return n < 0 ? n : 0;
}

/* On a pool. */
static void wait_read_pages(struct sfs_req *req)
{
	const struct fw_read_in *in = req->d.arg;
	int ret;

	if (!sfs_req_room(req, in->size))
		return;
	ret = read_contents(req, true, SFS_USE_LATE);
	if (ret < 0)
		sfs_reply_err(req, ret);
}

void op_read(struct sfs_req *req)
{
	const struct fw_read_in *in = req->d.arg;
	bool pages = !(in->read_flags & FW_READ_LOCKOWNER);
	int ret;

	if (!sfs_req_room(req, in->size))
		return;
	ret = read_contents(req, pages,
			    pages ? SFS_USE_LATE | SFS_USE_NOWAIT : 0);
	if (ret == -EAGAIN && pages)
		sfs_defer(req, &req->conn->pages, wait_read_pages);
	else if (ret < 0)
		sfs_reply_err(req, ret);
}

void sfs_reads_help(struct sfs_conn *conn, uint64_t first, uint64_t last)
{
	const struct fw_read_in *in;
	struct sfs_req *req;
	int ret;

	while ((req = sfs_workpool_take(&conn->pages, first, last))) {
		in = req->d.arg;
		ret = 0;
		if (sfs_req_room(req, in->size))
			ret = read_contents(req, true,
					    SFS_USE_LATE | SFS_USE_NOWAIT);
		if (ret == -EAGAIN) {
			/* the next one would fare no better */
			sfs_workpool_put(&conn->pages, req);
			return;
		}
		if (ret < 0)
			sfs_reply_err(req, ret);
		sfs_req_free(req);
	}
}

/* ---- writing ------------------------------------------------------------ */

static _Atomic uint64_t *clean_slot(struct sfs_conn *conn, uint64_t ino)
{
	return &conn->clean[ino % NR_CLEAN];
}

void sfs_rights_forget(struct sfs_conn *conn, uint64_t first, uint64_t last)
{
	uint64_t ino;
	size_t i;

	for (i = 0; i < NR_CLEAN; i++) {
		ino = atomic_load_explicit(&conn->clean[i],
					   memory_order_relaxed);
		if (ino && ino >= first && ino <= last)
			atomic_compare_exchange_strong(&conn->clean[i], &ino,
						       0);
	}
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
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid, off = in->offset;
	struct sfs_caller c;
	struct sfs_attr attr;
	int64_t ret = 0;

	sfs_stores_write(conn, ino);
	sfs_caller_init(&c, req);
	ret = drop_rights(req, &c, in->write_flags & FW_WRITE_KILL_SUIDGID);
	if (ret == 0 && (in->flags & O_APPEND)) {
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

/*
 * Pages of a mapping under writeback: they are the newest there are, had their
 * checks when they were made writable, and msync() syncs.
 */
static void write_stores(struct sfs_req *req)
{
	int ret = sfs_stores_add(req);

	if (ret < 0)
		sfs_reply_err(req, ret);
	else if (ret > 0)
		req->replied = true;
	else
		reply_written(req, req->d.data_len);
}

void op_write(struct sfs_req *req)
{
	const struct fw_write_in *in = req->d.arg;
	struct sfs_conn *conn = req->conn;
	struct sfs_change ch;
	uint64_t off = 0;
	int64_t n;

	if (in->write_flags & FW_WRITE_CACHE) {
		write_stores(req);
		return;
	}
	n = sfs_change_begin(conn, req->d.h->nodeid, 0, &ch);
	if (n == 0) {
		n = locked_write(req, &off);
		if (n > 0)
			sfs_handle_grown(&conn->handles, req->d.h->nodeid,
					 off + n);
		sfs_change_end(conn, &ch);
	}
	if (n < 0) {
		sfs_reply_err(req, n);
		return;
	}
	req->result[0] = off;
	req->result[1] = n;
	if (in->flags & (O_SYNC | O_DSYNC))
		sfs_defer(req, &conn->slow, finish_write);
	else if (conn->drop_pages && n)
		sfs_defer(req, &conn->notify, finish_write);
	else
		reply_written(req, n);
}

static void slow_fsync(struct sfs_req *req)
{
	const struct fw_fsync_in *in = req->d.arg;
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	int ret, err;

	err = sfs_stores_sync(conn, ino);
	ret = sfs_fsync(conn->fs, ino, in->fsync_flags & FW_FSYNC_DATASYNC);
	sfs_reply_err(req, err < 0 ? err : ret);
}

/* Files and directories. */
void op_fsync(struct sfs_req *req)
{
	sfs_defer(req, &req->conn->slow, slow_fsync);
}

/* ---- holes -------------------------------------------------------------- */

/*
 * Offline and unwritten blocks count as data: only what was never allocated
 * is a hole.  With the contents' lock.
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
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct fw_lseek_out out;
	struct sfs_use use;
	int64_t ret;

	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE) {
		sfs_reply_err(req, -EINVAL);
		return;
	}
	sfs_stores_flush(conn, ino);
	ret = sfs_use_begin(conn->fs, ino, SFS_USE_READ, &use);
	if (ret == 0) {
		pthread_rwlock_rdlock(contents_lock(conn, ino));
		ret = seek(conn->fs, ino, in->offset,
			   in->whence == SEEK_HOLE);
		pthread_rwlock_unlock(contents_lock(conn, ino));
		sfs_use_end(conn->fs, &use);
	}
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	out.offset = ret;
	sfs_reply_buf(req, &out, sizeof(out));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attributes: reading and changing them, and what statfs(2) shows.
 *
 * Attributes may stay in the kernel for long: it knows what its own operations
 * do to them, and is told when another mount may change them (known.c).
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <linux/stat.h>

#define META_BLOCK 65536
#define BYTES_PER_INODE 2048	/* as df -i has always counted them */

void sfs_attr_to_wire(const struct sfs_attr *attr, struct fw_attr *ret_fa)
{
	*ret_fa = (struct fw_attr){
		.ino = attr->ino,
		.size = attr->size,
		.blocks = attr->blocks,
		.atime = attr->atime.sec,
		.atimensec = attr->atime.nsec,
		.mtime = attr->mtime.sec,
		.mtimensec = attr->mtime.nsec,
		.ctime = attr->ctime.sec,
		.ctimensec = attr->ctime.nsec,
		.mode = attr->mode,
		.nlink = attr->nlink,
		.uid = attr->uid,
		.gid = attr->gid,
		.rdev = attr->rdev,
		.blksize = SFS_BLOCK,
	};
}

/* How long the kernel may answer without asking. */
static __u64 valid_s(struct sfs_req *req, const struct sfs_attr *attr,
		     bool fresh)
{
	uint64_t valid = sfs_known_attr(req, attr->ino);

	sfs_handle_grown(&req->conn->handles, attr->ino, attr->size);

	if (attr->flags & SFS_ATTR_SHRINKING)
		return 0;
	return fresh && atomic_load(&req->conn->vol->several) ? 0 : valid;
}

void sfs_entry_to_wire(struct sfs_req *req, const struct sfs_attr *attr,
		       bool fresh, struct fw_entry_out *ret_eo)
{
	*ret_eo = (struct fw_entry_out){
		.nodeid = attr->ino,
		.entry_valid = sfs_known_names(req, req->d.h->nodeid),
		.attr_valid = valid_s(req, attr, fresh),
	};
	sfs_attr_to_wire(attr, &ret_eo->attr);
}

static void reply_attr(struct sfs_req *req, const struct sfs_attr *attr,
		       bool fresh)
{
	struct fw_attr_out out = { .attr_valid = valid_s(req, attr, fresh) };

	sfs_attr_to_wire(attr, &out.attr);
	sfs_reply_buf(req, &out, sizeof(out));
}

static void reply_known(struct sfs_req *req, const struct sfs_attr *attr)
{
	reply_attr(req, attr, false);
}

void op_getattr(struct sfs_req *req)
{
	sfs_getattr_push(req, reply_known);
}

static struct fw_statx_time statx_time(const struct sfs_time *t)
{
	return (struct fw_statx_time){ .sec = t->sec, .nsec = t->nsec };
}

static void reply_statx(struct sfs_req *req, const struct sfs_attr *attr)
{
	struct fw_statx_out out = {};
	const struct sfs_attr a = *attr;

	out.attr_valid = valid_s(req, attr, false);
	out.stat = (struct fw_statx){
		.mask = STATX_BASIC_STATS | STATX_BTIME,
		.blksize = SFS_BLOCK,
		.nlink = a.nlink,
		.uid = a.uid,
		.gid = a.gid,
		.mode = a.mode,
		.ino = a.ino,
		.size = a.size,
		.blocks = a.blocks,
		.atime = statx_time(&a.atime),
		.btime = statx_time(&a.crtime),
		.ctime = statx_time(&a.ctime),
		.mtime = statx_time(&a.mtime),
		/* the kernel's encoding: 12 bits of major in the middle */
		.rdev_major = (a.rdev & 0xfff00) >> 8,
		.rdev_minor = (a.rdev & 0xff) | ((a.rdev >> 12) & 0xfff00),
	};
	sfs_reply_buf(req, &out, sizeof(out));
}

/* The only way to tell the time of birth. */
void op_statx(struct sfs_req *req)
{
	sfs_getattr_push(req, reply_statx);
}

/* ---- changing ----------------------------------------------------------- */

static void setattr_from_wire(const struct fw_setattr_in *in,
			      struct sfs_setattr *ret_set)
{
	static const struct {
		uint32_t wire;
		uint32_t core;
	} map[] = {
		{ FW_SET_MODE, SFS_SET_MODE },
		{ FW_SET_UID, SFS_SET_UID },
		{ FW_SET_GID, SFS_SET_GID },
		{ FW_SET_SIZE, SFS_SET_SIZE },
		{ FW_SET_ATIME, SFS_SET_ATIME },
		{ FW_SET_MTIME, SFS_SET_MTIME },
		{ FW_SET_KILL_SUIDGID, SFS_SET_KILL_PRIV },
	};
	size_t i;

	*ret_set = (struct sfs_setattr){
		.mode = in->mode,
		.uid = in->uid,
		.gid = in->gid,
		.size = in->size,
		.atime = { .sec = in->atime, .nsec = in->atimensec },
		.mtime = { .sec = in->mtime, .nsec = in->mtimensec },
	};
	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (in->valid & map[i].wire)
			ret_set->mask |= map[i].core;
	/* "now" comes beside the bit of its time; the core knows one of them */
	if (in->valid & FW_SET_ATIME_NOW) {
		ret_set->mask &= ~SFS_SET_ATIME;
		ret_set->mask |= SFS_SET_ATIME_NOW;
	}
	if (in->valid & FW_SET_MTIME_NOW) {
		ret_set->mask &= ~SFS_SET_MTIME;
		ret_set->mask |= SFS_SET_MTIME_NOW;
	}
}

/*
 * A new size is a change of contents.  While it is being set the kernel writes
 * back no page of the file; so if it is told to drop one that was stored into,
 * because the cluster lock is wanted elsewhere, that waits for this truncation,
 * which waits for the lock.  So pages of a file that somebody may store into
 * are not dropped then, but after the answer.  A truncation that comes in the
 * middle of that is found by the watcher (known.c), and done under the lock that
 * the mount still has.
 */
static int begin_resize(struct sfs_req *req, struct sfs_change *ch)
{
	uint64_t ino = req->d.h->nodeid;
	int ret;

	ret = sfs_change_begin(req->conn, ino, 0, ch);
	if (atomic_exchange(&req->hurry, SFS_HURRY_BEGUN) != SFS_HURRY_ASKED ||
	    ret != -EINTR)
		return ret;
	ret = sfs_change_begin(req->conn, ino, SFS_USE_LATE | SFS_USE_NOWAIT,
			       ch);
	return ret == -EAGAIN ? -EINTR : ret;
}

/* Of attributes or of the size. */
static int set_locked(struct sfs_req *req, const struct sfs_cred *cred,
		      const struct sfs_setattr *set, struct sfs_attr *ret_attr)
{
	struct sfs_conn *conn = req->conn;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_change ch;
	struct sfs_ilock il;
	int ret;

	if (!(set->mask & SFS_SET_SIZE)) {
		sfs_ilock_excl(conn->fs, &il, ino, 0, 0, 0);
		ret = sfs_setattr(conn->fs, cred, ino, set, ret_attr);
		if (set->mask & SFS_SET_MODE)
			sfs_not_clean(conn, ino);
		sfs_iunlock(conn->fs, &il);
		return ret;
	}
	ret = begin_resize(req, &ch);
	if (ret < 0)
		return ret;
	sfs_stores_write(conn, ino);
	ret = sfs_setattr(conn->fs, cred, ino, set, ret_attr);
	sfs_not_clean(conn, ino);
	if (ret == 0)
		sfs_handle_shrunk(&conn->handles, ino, ret_attr->size);
	sfs_change_end(conn, &ch);
	return ret;
}

void op_setattr(struct sfs_req *req)
{
	const struct fw_setattr_in *in = req->d.arg;
	struct sfs_setattr set;
	struct sfs_caller c;
	struct sfs_attr attr;
	int ret;

	setattr_from_wire(in, &set);
	sfs_caller_init(&c, req);
	/* here rights decide what happens, not only whether it does */
	if ((set.mask & (SFS_SET_UID | SFS_SET_GID)) ||
	    ((set.mask & SFS_SET_MODE) && (set.mode & (S_ISGID | S_ISUID))))
		sfs_caller_fill(&c);
	/* the kernel says so when a truncation takes setuid and setgid */
	if ((set.mask & (SFS_SET_SIZE | SFS_SET_MODE | SFS_SET_KILL_PRIV)) ==
	    SFS_SET_SIZE)
		c.cred.caps |= SFS_CAP_FSETID;
	do {
		ret = set_locked(req, &c.cred, &set, &attr);
	} while (sfs_caller_again(&c, ret));
	sfs_caller_exit(&c);
	if (ret < 0)
		sfs_reply_err(req, ret);
	else
		reply_attr(req, &attr, true);
	/* what could not be dropped meanwhile */
	if (atomic_load(&req->drop_after))
		sfs_notify_inval(req->conn, req->d.h->nodeid, 0, 0);
}

/* Only access(2) itself comes here: default_permissions does the rest. */
void op_access(struct sfs_req *req)
{
	const struct fw_access_in *in = req->d.arg;
	struct sfs_caller c;
	int ret;

	sfs_caller_init(&c, req);
	sfs_caller_fill(&c);
	c.cred.host_checked = 0;
	ret = sfs_access(req->conn->fs, &c.cred, req->d.h->nodeid,
			 in->mask & 7);
	sfs_caller_exit(&c);
	sfs_reply_err(req, ret);
}

/* ---- the volume --------------------------------------------------------- */

void op_statfs(struct sfs_req *req)
{
	const uint64_t per_meta = META_BLOCK / SFS_BLOCK;
	uint64_t meta_free, data_free, meta_usable;
	struct fw_statfs_out out = { 0 };
	struct sfs_statfs st;
	int ret;

	ret = sfs_statfs(req->conn->fs, &st);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	meta_free = st.total_meta_blocks - st.used_meta_blocks;
	data_free = st.total_data_blocks - st.used_data_blocks;
	meta_usable = meta_free > st.reserved_meta_blocks ?
		      meta_free - st.reserved_meta_blocks : 0;

	out.bsize = SFS_BLOCK;
	out.frsize = SFS_BLOCK;
	out.namelen = SFS_NAME_MAX;
	out.blocks = st.total_meta_blocks * per_meta + st.total_data_blocks;
	out.bfree = meta_free * per_meta + data_free;
	out.bavail = meta_usable * per_meta + data_free;
	out.files = st.total_meta_blocks * (META_BLOCK / BYTES_PER_INODE);
	out.ffree = meta_usable * (META_BLOCK / BYTES_PER_INODE);
	sfs_reply_buf(req, &out, sizeof(out));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names: looking them up, making, moving and removing them.
 *
 * An operation that changes a name locks the directories and the inodes that
 * the name means, but which inode that is, only a lookup tells, and that is
 * done without locks.  So: look up, lock what was found, act; the core answers
 * ESTALE when the name means something else by now, and everything is done
 * again, a bounded number of times.
 *
 * An inode whose last name goes is kept until the kernel forgets it
 * (handle.c), because somebody may have it as current directory or through
 * O_PATH, which we are not told of.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* @fresh as for sfs_entry_to_wire(). */
static void reply_entry_or_err(struct sfs_req *req, int ret,
			       const struct sfs_attr *attr, bool fresh)
{
	struct fw_entry_out out;

	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	sfs_entry_to_wire(req, attr, fresh, &out);
	sfs_reply_buf(req, &out, sizeof(out));
}

/* Names that no directory may have; the kernel does not ask for them. */
static int check_name(const struct fw_request *d, int i)
{
	if (d->name_len[i] > SFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (!d->name_len[i] || memchr(d->name[i], '/', d->name_len[i]) ||
	    !strcmp(d->name[i], ".") || !strcmp(d->name[i], ".."))
		return -EINVAL;
	return 0;
}

/* The parent of a directory, for file handles: its second entry. */
static int lookup_parent(struct sfs_fs *fs, const struct sfs_cred *cred,
			 uint64_t dir, struct sfs_attr *ret_attr)
{
	union {
		struct sfs_dirent de;
		char bytes[sizeof(struct sfs_dirent) + 256];
	} buf;
	int ret;

	ret = sfs_readdir(fs, cred, dir, 1, &buf, sizeof(buf));
	if (ret < 0)
		return ret;
	if (ret == 0 || buf.de.pos != 1)
		return -ENOENT;
	return sfs_getattr(fs, buf.de.ino, ret_attr);
}

void op_lookup(struct sfs_req *req)
{
	struct fw_entry_out none = { 0 };
	const char *name = req->d.name[0];
	struct sfs_fs *fs = req->conn->fs;
	uint64_t dir = req->d.h->nodeid;
	struct sfs_caller c;
	struct sfs_attr attr;
	int ret;

	sfs_caller_init(&c, req);
	if (!strcmp(name, "."))
		ret = sfs_getattr(fs, dir, &attr);
	else if (!strcmp(name, ".."))
		ret = lookup_parent(fs, &c.cred, dir, &attr);
	else if (req->d.name_len[0] > SFS_NAME_MAX)
		ret = -ENAMETOOLONG;
	else
		ret = sfs_lookup(fs, &c.cred, dir, name, req->d.name_len[0],
				 &attr);
	sfs_caller_exit(&c);

	/* that there is no such name is worth remembering, too */
	if (ret == -ENOENT && strcmp(name, ".") && strcmp(name, "..")) {
		none.entry_valid = sfs_known_names(req, dir);
		sfs_reply_buf(req, &none, sizeof(none));
	} else {
		reply_entry_or_err(req, ret, &attr, false);
	}
}

void op_forget(struct sfs_req *req)
{
	struct sfs_conn *conn = req->conn;

	sfs_pin_forget(&conn->handles, conn->fs, req->d.h->nodeid);
	req->replied = true;
}

void op_batch_forget(struct sfs_req *req)
{
	const struct fw_batch_forget_in *in = req->d.arg;
	const struct fw_forget_one *one = req->d.data;
	struct sfs_conn *conn = req->conn;
	uint32_t i;

	for (i = 0; i < in->count; i++)
		sfs_pin_forget(&conn->handles, conn->fs, one[i].nodeid);
	req->replied = true;
}

void op_readlink(struct sfs_req *req)
{
	char target[SFS_SYMLINK_MAX + 1];
	int ret;

	ret = sfs_readlink(req->conn->fs, req->d.h->nodeid, target,
			   sizeof(target));
	if (ret < 0)
		sfs_reply_err(req, ret);
	else
		sfs_reply_buf(req, target, ret);
}

/* ---- making ------------------------------------------------------------- */

static int make(struct sfs_req *req, uint32_t mode, uint32_t rdev,
		struct sfs_attr *ret_attr)
{
	struct sfs_fs *fs = req->conn->fs;
	uint64_t dir = req->d.h->nodeid;
	struct sfs_caller c;
	struct sfs_ilock il;
	int ret;

	ret = check_name(&req->d, 0);
	if (ret < 0)
		return ret;
	sfs_caller_init(&c, req);
	/* who is not in the directory's group loses this bit */
	if (mode & S_ISGID)
		sfs_caller_fill(&c);
	do {
		sfs_ilock_excl(fs, &il, dir, 0, 0, 0);
		ret = sfs_create(fs, &c.cred, dir, req->d.name[0],
				 req->d.name_len[0], mode, rdev, ret_attr);
		sfs_iunlock(fs, &il);
	} while (sfs_caller_again(&c, ret));
	sfs_caller_exit(&c);
	return ret;
}

void op_mknod(struct sfs_req *req)
{
	const struct fw_mknod_in *in = req->d.arg;
	struct sfs_attr attr;
	int ret;

	ret = make(req, in->mode, in->rdev, &attr);
	reply_entry_or_err(req, ret, &attr, true);
}

void op_mkdir(struct sfs_req *req)
{
	const struct fw_mkdir_in *in = req->d.arg;
	struct sfs_attr attr;
	int ret;

	ret = make(req, S_IFDIR | (in->mode & 07777), 0, &attr);
	reply_entry_or_err(req, ret, &attr, true);
}

void op_create(struct sfs_req *req)
{
	const struct fw_create_in *in = req->d.arg;
	struct sfs_conn *conn = req->conn;
	struct fw_create_out out = { 0 };
	struct sfs_attr attr;
	int ret;

	ret = make(req, S_IFREG | (in->mode & 07777), 0, &attr);
	/*
	 * The kernel did not know of this name.  ESTALE makes it look again,
	 * and then it opens what is there, with the checks that belong to it.
	 */
	if (ret == -EEXIST && !(in->flags & O_EXCL))
		ret = -ESTALE;
	if (ret == 0)
		ret = sfs_handle_open(&conn->handles, conn->fs, attr.ino,
				      in->flags, &out.open.fh);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	sfs_entry_to_wire(req, &attr, true, &out.entry);
	out.open.open_flags = (in->flags & O_ACCMODE) == O_RDONLY ?
			      FW_FOPEN_KEEP_CACHE : FW_FOPEN_DIRECT_IO;
	sfs_reply_buf(req, &out, sizeof(out));
}

void op_symlink(struct sfs_req *req)
{
	struct sfs_fs *fs = req->conn->fs;
	uint64_t dir = req->d.h->nodeid;
	struct sfs_caller c;
	struct sfs_attr attr;
	struct sfs_ilock il;
	int ret;

	ret = check_name(&req->d, 0);
	if (ret == 0 && req->d.name_len[1] > SFS_SYMLINK_MAX)
		ret = -ENAMETOOLONG;
	if (ret == 0 && !req->d.name_len[1])
		ret = -ENOENT;
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	sfs_caller_init(&c, req);
	do {
		sfs_ilock_excl(fs, &il, dir, 0, 0, 0);
		ret = sfs_symlink(fs, &c.cred, dir, req->d.name[0],
				  req->d.name_len[0], req->d.name[1],
				  req->d.name_len[1], &attr);
		sfs_iunlock(fs, &il);
	} while (sfs_caller_again(&c, ret));
	sfs_caller_exit(&c);
	reply_entry_or_err(req, ret, &attr, true);
}

void op_link(struct sfs_req *req)
{
	const struct fw_link_in *in = req->d.arg;
	struct sfs_fs *fs = req->conn->fs;
	uint64_t dir = req->d.h->nodeid;
	struct sfs_caller c;
	struct sfs_attr attr;
	struct sfs_ilock il;
	int ret;

	ret = check_name(&req->d, 0);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	sfs_caller_init(&c, req);
	do {
		sfs_ilock_excl(fs, &il, dir, in->oldnodeid, 0, 0);
		ret = sfs_link(fs, &c.cred, in->oldnodeid, dir, req->d.name[0],
			       req->d.name_len[0], &attr);
		sfs_iunlock(fs, &il);
	} while (sfs_caller_again(&c, ret));
	sfs_caller_exit(&c);
	reply_entry_or_err(req, ret, &attr, true);
}

/* ---- removing ----------------------------------------------------------- */

/* @ino, opened before, may have lost its last name: keep it, or not. */
static void settle(struct sfs_conn *conn, uint64_t ino, bool removed)
{
	struct sfs_attr attr;

	if (removed && sfs_getattr(conn->fs, ino, &attr) == 0 &&
	    attr.nlink == 0)
		sfs_pin_add(&conn->handles, conn->fs, ino);
	else
		sfs_inode_close(conn->fs, ino);
}

static int try_remove(struct sfs_req *req, struct sfs_caller *c, bool is_dir)
{
	struct sfs_conn *conn = req->conn;
	const char *name = req->d.name[0];
	uint32_t len = req->d.name_len[0];
	uint64_t dir = req->d.h->nodeid;
	struct sfs_fs *fs = conn->fs;
	struct sfs_attr attr;
	struct sfs_ilock il;
	int ret;

	ret = sfs_lookup(fs, &c->cred, dir, name, len, &attr);
	if (ret < 0)
		return ret;
	ret = sfs_inode_open(fs, attr.ino, NULL);
	if (ret < 0)
		return ret == -ENOENT ? -ESTALE : ret;
	sfs_ilock_excl(fs, &il, dir, attr.ino, 0, 0);
	if (is_dir)
		ret = sfs_rmdir(fs, &c->cred, dir, name, len, attr.ino);
	else
		ret = sfs_unlink(fs, &c->cred, dir, name, len, attr.ino);
	sfs_iunlock(fs, &il);
	settle(conn, attr.ino, ret == 0);
	return ret;
}

static void remove_name(struct sfs_req *req, bool is_dir)
{
	struct sfs_caller c;
	int ret, tries = 0;

	ret = check_name(&req->d, 0);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	sfs_caller_init(&c, req);
	do {
		ret = try_remove(req, &c, is_dir);
	} while (sfs_caller_again(&c, ret) ||
		 (ret == -ESTALE && ++tries < RETRIES));
	sfs_caller_exit(&c);
	sfs_reply_err(req, ret);
}

void op_unlink(struct sfs_req *req)
{
	remove_name(req, false);
}

void op_rmdir(struct sfs_req *req)
{
	remove_name(req, true);
}

/* ---- moving ------------------------------------------------------------- */

struct move {
	struct sfs_req *req;
	struct sfs_caller c;
	uint64_t old_dir;
	uint64_t new_dir;
	uint32_t flags;
};

static int locked_rename(struct move *m, uint64_t ino, uint64_t new_ino)
{
	const struct fw_request *d = &m->req->d;
	struct sfs_fs *fs = m->req->conn->fs;
	bool differ = m->old_dir != m->new_dir;
	struct sfs_ilock il;
	int ret;

	if (differ)
		sfs_rename_lock(fs);
	sfs_ilock_excl(fs, &il, m->old_dir, m->new_dir, ino, new_ino);
	ret = sfs_rename(fs, &m->c.cred, m->old_dir, d->name[0],
			 d->name_len[0], ino, m->new_dir, d->name[1],
			 d->name_len[1], new_ino, m->flags);
	sfs_iunlock(fs, &il);
	if (differ)
		sfs_rename_unlock(fs);
	return ret;
}

static int try_rename(struct move *m)
{
	const struct fw_request *d = &m->req->d;
	struct sfs_conn *conn = m->req->conn;
	struct sfs_fs *fs = conn->fs;
	struct sfs_attr old, new;
	int ret;

	ret = sfs_lookup(fs, &m->c.cred, m->old_dir, d->name[0],
			 d->name_len[0], &old);
	if (ret < 0)
		return ret;
	ret = sfs_lookup(fs, &m->c.cred, m->new_dir, d->name[1],
			 d->name_len[1], &new);
	if (ret == -ENOENT)
		new.ino = 0;
	else if (ret < 0)
		return ret;

	if (new.ino) {
		ret = sfs_inode_open(fs, new.ino, NULL);
		if (ret < 0)
			return ret == -ENOENT ? -ESTALE : ret;
	}
	ret = locked_rename(m, old.ino, new.ino);
	if (new.ino)
		settle(conn, new.ino, ret == 0);
	return ret;
}

static void move_name(struct sfs_req *req, uint64_t new_dir, uint32_t flags)
{
	struct move m = {
		.req = req,
		.old_dir = req->d.h->nodeid,
		.new_dir = new_dir,
		.flags = flags,
	};
	int ret, tries = 0;

	/* exchange and whiteout are not offered */
	ret = flags & ~SFS_RENAME_NOREPLACE ? -EINVAL : 0;
	if (ret == 0)
		ret = check_name(&req->d, 0);
	if (ret == 0)
		ret = check_name(&req->d, 1);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	sfs_caller_init(&m.c, req);
	do {
		ret = try_rename(&m);
	} while (sfs_caller_again(&m.c, ret) ||
		 (ret == -ESTALE && ++tries < RETRIES));
	sfs_caller_exit(&m.c);
	sfs_reply_err(req, ret);
}

void op_rename(struct sfs_req *req)
{
	const struct fw_rename_in *in = req->d.arg;

	move_name(req, in->newdir, 0);
}

void op_rename2(struct sfs_req *req)
{
	const struct fw_rename2_in *in = req->d.arg;

	move_name(req, in->newdir, in->flags);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What operations answer and what they change.
 *
 * Where several errors fit, the order is that of Linux.
 */
#include "tests/model/posix.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "shim/shim.h"

#define MAY_X 1
#define MAY_W 2
#define MAY_R 4

/* ---- permissions ------------------------------------------------------------ */

static bool in_group(const struct sfs_cred *c, u32 gid)
{
	u32 i;

	for (i = 0; i < c->nr_groups; i++) {
		if (c->groups[i] == gid)
			return true;
	}
	return c->gid == gid;
}

static int may(const struct pm_inode *in, const struct sfs_cred *c, u32 want)
{
	u32 shift = 0;

	if (c->caps & SFS_CAP_DAC_OVERRIDE) {
		if (!S_ISDIR(in->mode) && (want & MAY_X) &&
		    !(in->mode & 0111))
			return -EACCES;
		return 0;
	}
	if (c->uid == in->uid)
		shift = 6;
	else if (in_group(c, in->gid))
		shift = 3;
	return ((in->mode >> shift) & want) == want ? 0 : -EACCES;
}

static bool owns(const struct pm_inode *in, const struct sfs_cred *c)
{
	return c->uid == in->uid || (c->caps & SFS_CAP_FOWNER);
}

/* ---- names ------------------------------------------------------------------- */

static int name_ok(const char *name, u32 len)
{
	u32 i;

	if (len == 0)
		return -ENOENT;
	if (len > 255)
		return -ENAMETOOLONG;
	for (i = 0; i < len; i++) {
		if (name[i] == '/' || name[i] == 0)
			return -EINVAL;
	}
	if ((len == 1 && name[0] == '.') ||
	    (len == 2 && name[0] == '.' && name[1] == '.'))
		return -EINVAL;
	return 0;
}

static int dir_ok(const struct posix *pm, const struct sfs_cred *c, u64 dir,
		  struct pm_inode **ret)
{
	struct pm_inode *d = pm_inode(pm, dir);

	if (!d)
		return -ENOENT;
	if (!S_ISDIR(d->mode))
		return -ENOTDIR;
	*ret = d;
	return may(d, c, MAY_X);
}

/* The name must not exist. */
static int can_add(const struct posix *pm, const struct sfs_cred *c, u64 dir,
		   const char *name, u32 len)
{
	struct pm_inode *d;
	int ret = name_ok(name, len);

	if (!ret)
		ret = dir_ok(pm, c, dir, &d);
	if (ret)
		return ret;
	if (pm_find(pm, dir, name, len))
		return -EEXIST;
	if (!d->nlink)
		return -ENOENT;
	return may(d, c, MAY_W | MAY_X);
}

static int sticky(const struct pm_inode *d, const struct pm_inode *in,
		  const struct sfs_cred *c)
{
	if ((d->mode & S_ISVTX) && c->uid != d->uid && !owns(in, c))
		return -EPERM;
	return 0;
}

static int can_take(const struct posix *pm, const struct sfs_cred *c, u64 dir,
		    const char *name, u32 len, u64 ino, struct pm_inode **ret)
{
	struct pm_entry *e;
	struct pm_inode *d;
	int err = name_ok(name, len);

	if (!err)
		err = dir_ok(pm, c, dir, &d);
	if (err)
		return err;
	e = pm_find(pm, dir, name, len);
	if (!e)
		return -ENOENT;
	if (e->ino != ino)
		return -ESTALE;
	*ret = pm_inode(pm, ino);
	err = may(d, c, MAY_W | MAY_X);
	return err ? err : sticky(d, *ret, c);
}

static bool dir_empty(const struct posix *pm, u64 dir)
{
	u32 i;

	for (i = 0; i < pm->nr_ents; i++) {
		if (pm->ents[i].dir == dir)
			return false;
	}
	return true;
}

static u64 parent_of(const struct posix *pm, u64 dir)
{
	u32 i;

	for (i = 0; i < pm->nr_ents; i++) {
		if (pm->ents[i].ino == dir)
			return pm->ents[i].dir;
	}
	return 0;
}

static bool is_below(const struct posix *pm, u64 dir, u64 top)
{
	for (; dir; dir = dir == pm->root ? 0 : parent_of(pm, dir)) {
		if (dir == top)
			return true;
	}
	return false;
}

static int predict_rename(const struct posix *pm, const struct sfs_cred *c,
			  const struct pm_op *op)
{
	struct pm_inode *victim;
	struct pm_inode *in;
	struct pm_inode *to;
	struct pm_entry *e;
	bool is_dir;
	int ret;

	if (op->flags & ~SFS_RENAME_NOREPLACE)
		return -EINVAL;
	ret = can_take(pm, c, op->dir, op->name, op->len, op->ino, &in);
	if (!ret)
		ret = name_ok(op->name2, op->len2);
	if (!ret)
		ret = dir_ok(pm, c, op->dir2, &to);
	if (ret)
		return ret;
	e = pm_find(pm, op->dir2, op->name2, op->len2);
	if (e && (op->flags & SFS_RENAME_NOREPLACE))
		return -EEXIST;
	if ((e ? e->ino : 0) != op->ino2)
		return -ESTALE;
	if (e && e->ino == op->ino)
		return 0;
	is_dir = S_ISDIR(in->mode);
	if (is_dir && op->dir != op->dir2) {
		/* nothing leads up from a directory that was removed */
		if (!to->nlink)
			return -ENOENT;
		if (is_below(pm, op->dir2, op->ino))
			return -EINVAL;
	}
	if (!e && !to->nlink)
		return -ENOENT;
	ret = may(to, c, MAY_W | MAY_X);
	if (ret)
		return ret;
	if (e) {
		victim = pm_inode(pm, e->ino);
		ret = sticky(to, victim, c);
		if (ret)
			return ret;
		if (is_dir && !S_ISDIR(victim->mode))
			return -ENOTDIR;
		if (!is_dir && S_ISDIR(victim->mode))
			return -EISDIR;
		if (is_dir && !dir_empty(pm, e->ino))
			return -ENOTEMPTY;
	}
	if (is_dir && op->dir != op->dir2)
		return may(in, c, MAY_W);
	return 0;
}

/* ---- attributes ----------------------------------------------------------------- */

static int predict_setattr(const struct posix *pm, const struct sfs_cred *c,
			   const struct pm_op *op)
{
	const struct sfs_setattr *set = &op->set;
	struct pm_inode *in = pm_inode(pm, op->ino);
	bool chown = c->caps & SFS_CAP_CHOWN;
	u32 mask = set->mask;

	if (!in)
		return -ENOENT;
	if ((mask & SFS_SET_ATIME) && set->atime.nsec > 999999999)
		return -EINVAL;
	if (mask & SFS_SET_SIZE) {
		if (S_ISDIR(in->mode))
			return -EISDIR;
		if (!S_ISREG(in->mode))
			return -EINVAL;
		if (set->size >> 63)
			return -EFBIG;
		if (!(mask & SFS_SET_OPEN_TRUNC) && may(in, c, MAY_W))
			return -EACCES;
	}
	if ((mask & SFS_SET_UID) && !chown &&
	    (in->uid != c->uid || set->uid != in->uid))
		return -EPERM;
	if ((mask & SFS_SET_GID) && !chown &&
	    (in->uid != c->uid ||
	     (set->gid != in->gid && !in_group(c, set->gid))))
		return -EPERM;
	if ((mask & SFS_SET_MODE) && !owns(in, c))
		return -EPERM;
	if (owns(in, c))
		return 0;
	if (mask & (SFS_SET_ATIME | SFS_SET_MTIME))
		return -EPERM;
	if (mask & (SFS_SET_ATIME_NOW | SFS_SET_MTIME_NOW))
		return may(in, c, MAY_W);
	return 0;
}

/* ---- xattrs ------------------------------------------------------------------------ */

static struct pm_xattr *xattr_find(struct pm_inode *in, const char *name)
{
	u32 i;

	for (i = 0; i < in->nr_xattrs; i++) {
		if (!strcmp(in->xattrs[i].name, name))
			return &in->xattrs[i];
	}
	return NULL;
}

static int xattr_ok(const struct pm_inode *in, const struct sfs_cred *c,
		    const char *name, bool write)
{
	if (!strncmp(name, "security.", 9))
		return 0;
	if (!strncmp(name, "trusted.", 8)) {
		if (c->caps & SFS_CAP_SYS_ADMIN)
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (!S_ISREG(in->mode) && !S_ISDIR(in->mode))
		return write ? -EPERM : -ENODATA;
	if (S_ISDIR(in->mode) && (in->mode & S_ISVTX) && write && !owns(in, c))
		return -EPERM;
	return may(in, c, write ? MAY_W : MAY_R);
}

static s64 predict_xattr(const struct posix *pm, const struct sfs_cred *c,
			 const struct pm_op *op)
{
	struct pm_inode *in = pm_inode(pm, op->ino);
	bool write = op->type != PM_GETXATTR;
	struct pm_xattr *x;
	int ret;

	if (op->type == PM_SETXATTR) {
		if (op->flags > 2)
			return -EINVAL;
		if (op->io_len > 65535)
			return -E2BIG;
	}
	if (!op->len || op->len > 255)
		return -ERANGE;
	if (!strncmp(op->name, "system.", 7) ||
	    !strncmp(op->name, "scoutfs.", 8))
		return -EOPNOTSUPP;
	if (!strcmp(op->name, "user."))
		return -EINVAL;
	if (!in)
		return strncmp(op->name, "security.", 9) || write ?
			       -ENOENT : -ENODATA;
	ret = xattr_ok(in, c, op->name, write);
	if (ret)
		return ret;
	x = xattr_find(in, op->name);
	if (op->type == PM_GETXATTR) {
		if (!x)
			return -ENODATA;
		return op->io_len && op->io_len < x->len ? -ERANGE :
							   (s64)x->len;
	}
	if (op->type == PM_REMOVEXATTR)
		return x ? 0 : -ENODATA;
	if (x && (op->flags & SFS_XATTR_CREATE))
		return -EEXIST;
	if (!x && (op->flags & SFS_XATTR_REPLACE))
		return -ENODATA;
	return 0;
}

/* ---- predicting ---------------------------------------------------------------------- */

static int predict_create(const struct posix *pm, const struct sfs_cred *c,
			  const struct pm_op *op)
{
	u32 type = op->mode & S_IFMT;
	int ret;

	if (type != S_IFREG && type != S_IFDIR && type != S_IFCHR &&
	    type != S_IFBLK && type != S_IFIFO && type != S_IFSOCK)
		return -EINVAL;
	ret = can_add(pm, c, op->dir, op->name, op->len);
	if (ret)
		return ret;
	if ((type == S_IFCHR || type == S_IFBLK) && !(c->caps & SFS_CAP_MKNOD))
		return -EPERM;
	return 0;
}

static int predict_link(const struct posix *pm, const struct sfs_cred *c,
			const struct pm_op *op)
{
	struct pm_inode *in = pm_inode(pm, op->ino);
	int ret;

	if (!in)
		return -ENOENT;
	ret = can_add(pm, c, op->dir, op->name, op->len);
	if (ret)
		return ret;
	if (S_ISDIR(in->mode))
		return -EPERM;
	return in->nlink ? 0 : -ENOENT;
}

static int predict_remove(const struct posix *pm, const struct sfs_cred *c,
			  const struct pm_op *op)
{
	struct pm_inode *in;
	int ret;

	ret = can_take(pm, c, op->dir, op->name, op->len, op->ino, &in);
	if (ret)
		return ret;
	if (op->type == PM_UNLINK)
		return S_ISDIR(in->mode) ? -EISDIR : 0;
	if (!S_ISDIR(in->mode))
		return -ENOTDIR;
	return dir_empty(pm, op->ino) ? 0 : -ENOTEMPTY;
}

static int predict_lookup(const struct posix *pm, const struct sfs_cred *c,
			  const struct pm_op *op)
{
	struct pm_inode *d;
	int ret = dir_ok(pm, c, op->dir, &d);

	if (ret)
		return ret;
	if (op->len == 1 && op->name[0] == '.')
		return 0;
	if (op->len == 2 && !memcmp(op->name, "..", 2))
		return d->nlink ? 0 : -ENOENT;
	ret = name_ok(op->name, op->len);
	if (ret)
		return ret;
	return pm_find(pm, op->dir, op->name, op->len) ? 0 : -ENOENT;
}

static int predict_symlink(const struct posix *pm, const struct sfs_cred *c,
			   const struct pm_op *op)
{
	if (!op->io_len)
		return -ENOENT;
	if (op->io_len > 4095)
		return -ENAMETOOLONG;
	return can_add(pm, c, op->dir, op->name, op->len);
}

static s64 predict_io(const struct posix *pm, const struct pm_op *op)
{
	struct pm_inode *in = pm_inode(pm, op->ino);

	if (!in)
		return -ENOENT;
	if (op->type == PM_READLINK) {
		if (!S_ISLNK(in->mode))
			return -EINVAL;
		return in->size > op->io_len ? -ERANGE : (s64)in->size;
	}
	if (S_ISDIR(in->mode))
		return -EISDIR;
	if (!S_ISREG(in->mode))
		return -EINVAL;
	if (op->type == PM_WRITE)
		return op->io_len;
	if (op->off >= in->size)
		return 0;
	return min_t(u64, op->io_len, in->size - op->off);
}

static int predict_readdir(const struct posix *pm, const struct sfs_cred *c,
			   const struct pm_op *op)
{
	struct pm_inode *d = pm_inode(pm, op->dir);

	if (!d)
		return -ENOENT;
	if (!S_ISDIR(d->mode))
		return -ENOTDIR;
	if (may(d, c, MAY_R))
		return -EACCES;
	return d->nlink ? 0 : -ENOENT;
}

s64 pm_predict(const struct posix *pm, const struct pm_op *op)
{
	struct sfs_cred c;

	pm_cred(op->cred, &c);
	switch (op->type) {
	case PM_LOOKUP:
		return predict_lookup(pm, &c, op);
	case PM_CREATE:
		return predict_create(pm, &c, op);
	case PM_SYMLINK:
		return predict_symlink(pm, &c, op);
	case PM_LINK:
		return predict_link(pm, &c, op);
	case PM_UNLINK:
	case PM_RMDIR:
		return predict_remove(pm, &c, op);
	case PM_RENAME:
		return predict_rename(pm, &c, op);
	case PM_SETATTR:
		return predict_setattr(pm, &c, op);
	case PM_READ:
	case PM_WRITE:
	case PM_READLINK:
		return predict_io(pm, op);
	case PM_READDIR:
		return predict_readdir(pm, &c, op);
	case PM_SETXATTR:
	case PM_GETXATTR:
	case PM_REMOVEXATTR:
		return predict_xattr(pm, &c, op);
	case PM_OPEN:
	case PM_STAT_MORE:
		return pm_inode(pm, op->ino) ? 0 : -ENOENT;
	}
	return 0;
}

/* ---- applying ------------------------------------------------------------------------- */

static struct pm_inode *inode_new(struct posix *pm, u64 ino)
{
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		if (pm->inodes[i].ino)
			continue;
		memset(&pm->inodes[i], 0, sizeof(pm->inodes[i]));
		pm->inodes[i].ino = ino;
		pm->nr_inodes++;
		return &pm->inodes[i];
	}
	shim_fail("the model is full");
}

static void inode_gone(struct posix *pm, struct pm_inode *in)
{
	if (in->nlink || in->opens)
		return;
	kvfree(in->data);
	memset(in, 0, sizeof(*in));
	pm->nr_inodes--;
}

static void entry_add(struct posix *pm, u64 dir, const char *name, u32 len,
		      struct pm_inode *in)
{
	struct pm_entry *e = &pm->ents[pm->nr_ents];
	struct pm_inode *d = pm_inode(pm, dir);

	if (pm->nr_ents == PM_MAX_ENTS)
		shim_fail("the model is full");
	pm->nr_ents++;
	e->dir = dir;
	e->ino = in->ino;
	e->len = len;
	memcpy(e->name, name, len);
	e->name[len] = 0;
	d->size += len;
	if (S_ISDIR(in->mode))
		d->nlink++;
}

static void entry_remove(struct posix *pm, u64 dir, const char *name, u32 len)
{
	struct pm_entry *e = pm_find(pm, dir, name, len);
	struct pm_inode *in = pm_inode(pm, e->ino);
	struct pm_inode *d = pm_inode(pm, dir);

	d->size -= len;
	if (S_ISDIR(in->mode))
		d->nlink--;
	memmove(e, e + 1, (u8 *)&pm->ents[pm->nr_ents] - (u8 *)(e + 1));
	pm->nr_ents--;
}

static void drop_link(struct posix *pm, u64 ino)
{
	struct pm_inode *in = pm_inode(pm, ino);

	in->nlink = S_ISDIR(in->mode) ? 0 : in->nlink - 1;
	inode_gone(pm, in);
}

static void file_resize(struct pm_inode *in, u64 size)
{
	if (size > PM_FILE_MAX)
		shim_fail("the model has no files of %llu bytes", size);
	if (!in->data) {
		shim_nofail_begin();
		in->data = kvzalloc(PM_FILE_MAX, GFP_NOFS);
		shim_nofail_end();
	}
	if (size > in->size)
		memset(in->data + in->size, 0, size - in->size);
	in->size = size;
}

static void apply_new(struct posix *pm, const struct pm_op *op, u64 ino,
		      u32 mode)
{
	struct pm_inode *d = pm_inode(pm, op->dir);
	struct pm_inode *in = inode_new(pm, ino);
	struct sfs_cred c;

	pm_cred(op->cred, &c);
	if (!S_ISLNK(mode))
		mode &= ~c.umask;
	in->uid = c.uid;
	in->gid = c.gid;
	if (d->mode & S_ISGID) {
		in->gid = d->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & S_ISGID) && (mode & S_IXGRP) &&
			 !in_group(&c, d->gid) && !(c.caps & SFS_CAP_FSETID))
			mode &= ~S_ISGID;
	}
	in->mode = mode;
	in->nlink = S_ISDIR(mode) ? 2 : 1;
	if (S_ISCHR(mode) || S_ISBLK(mode))
		in->rdev = op->rdev;
	if (S_ISLNK(mode)) {
		file_resize(in, op->io_len);
		pm_fill(op->seed, in->data, op->io_len);
	}
	entry_add(pm, op->dir, op->name, op->len, in);
}

static void apply_rename(struct posix *pm, const struct pm_op *op)
{
	struct pm_entry *e = pm_find(pm, op->dir2, op->name2, op->len2);
	struct pm_inode *in = pm_inode(pm, op->ino);

	if (e && e->ino == op->ino)
		return;
	if (e) {
		entry_remove(pm, op->dir2, op->name2, op->len2);
		drop_link(pm, op->ino2);
	}
	entry_remove(pm, op->dir, op->name, op->len);
	entry_add(pm, op->dir2, op->name2, op->len2, in);
}

static void xattr_drop(struct pm_inode *in, const char *name)
{
	struct pm_xattr *x = xattr_find(in, name);

	if (x)
		*x = in->xattrs[--in->nr_xattrs];
}

static u32 mode_dropped(const struct pm_inode *in, const struct sfs_cred *c)
{
	u32 mode = in->mode & ~S_ISUID;

	if ((mode & S_IXGRP) ||
	    (!in_group(c, in->gid) && !(c->caps & SFS_CAP_FSETID)))
		mode &= ~S_ISGID;
	return mode;
}

static void apply_setattr(struct posix *pm, const struct pm_op *op)
{
	const struct sfs_setattr *set = &op->set;
	struct pm_inode *in = pm_inode(pm, op->ino);
	u32 mask = set->mask;
	bool fsetid;
	struct sfs_cred c;

	pm_cred(op->cred, &c);
	fsetid = c.caps & SFS_CAP_FSETID;
	if (S_ISREG(in->mode) && (mask & (SFS_SET_UID | SFS_SET_GID |
					  SFS_SET_SIZE | SFS_SET_KILL_PRIV)))
		xattr_drop(in, "security.capability");
	if (mask & SFS_SET_MODE) {
		u32 gid = mask & SFS_SET_GID ? set->gid : in->gid;

		in->mode = (in->mode & S_IFMT) | (set->mode & 07777);
		if (!in_group(&c, gid) && !fsetid)
			in->mode &= ~S_ISGID;
	} else {
		if ((mask & (SFS_SET_UID | SFS_SET_GID)) && !S_ISDIR(in->mode))
			in->mode = mode_dropped(in, &c);
		if ((mask & (SFS_SET_SIZE | SFS_SET_KILL_PRIV)) &&
		    S_ISREG(in->mode) && !fsetid)
			in->mode = mode_dropped(in, &c);
	}
	if (mask & SFS_SET_UID)
		in->uid = set->uid;
	if (mask & SFS_SET_GID)
		in->gid = set->gid;
	if (mask & SFS_SET_SIZE)
		file_resize(in, set->size);
	if (mask & SFS_SET_ATIME)
		in->atime = set->atime;
	if (mask & SFS_SET_MTIME)
		in->mtime = set->mtime;
}

static void apply_write(struct posix *pm, const struct pm_op *op, s64 bytes)
{
	struct pm_inode *in = pm_inode(pm, op->ino);
	u8 *buf;

	if (!bytes)
		return;
	file_resize(in, max_t(u64, in->size, op->off + bytes));
	shim_nofail_begin();
	buf = kvmalloc(op->io_len, GFP_NOFS);
	shim_nofail_end();
	pm_fill(op->seed, buf, op->io_len);
	memcpy(in->data + op->off, buf, bytes);
	kvfree(buf);
}

static void apply_setxattr(struct posix *pm, const struct pm_op *op)
{
	struct pm_inode *in = pm_inode(pm, op->ino);
	struct pm_xattr *x = xattr_find(in, op->name);

	if (!x) {
		if (in->nr_xattrs == PM_MAX_XATTRS)
			shim_fail("the model is full");
		x = &in->xattrs[in->nr_xattrs++];
		memcpy(x->name, op->name, op->len + 1);
	}
	x->seed = op->seed;
	x->len = op->io_len;
}

void pm_apply(struct posix *pm, const struct pm_op *op,
	      const struct pm_result *res)
{
	struct pm_inode *in;

	switch (op->type) {
	case PM_CREATE:
		apply_new(pm, op, res->ino, op->mode);
		break;
	case PM_SYMLINK:
		apply_new(pm, op, res->ino, S_IFLNK | 0777);
		break;
	case PM_LINK:
		in = pm_inode(pm, op->ino);
		in->nlink++;
		entry_add(pm, op->dir, op->name, op->len, in);
		break;
	case PM_UNLINK:
	case PM_RMDIR:
		entry_remove(pm, op->dir, op->name, op->len);
		drop_link(pm, op->ino);
		break;
	case PM_RENAME:
		apply_rename(pm, op);
		break;
	case PM_SETATTR:
		apply_setattr(pm, op);
		break;
	case PM_WRITE:
		apply_write(pm, op, res->ret);
		break;
	case PM_SETXATTR:
		apply_setxattr(pm, op);
		break;
	case PM_REMOVEXATTR:
		xattr_drop(pm_inode(pm, op->ino), op->name);
		break;
	case PM_OPEN:
		pm_inode(pm, op->ino)->opens++;
		break;
	case PM_CLOSE:
		in = pm_inode(pm, op->ino);
		in->opens--;
		inode_gone(pm, in);
		break;
	}
}

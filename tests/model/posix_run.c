/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model against the real thing: running operations as a host does, with
 * its locks, and comparing what is there.
 */
#include "tests/model/posix.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "shim/shim.h"

/* One buffer for everything that needs one. */
#define BUF_SIZE (PM_FILE_MAX + 8192)

static u8 *buf_alloc(void)
{
	u8 *buf = shim_pages_alloc(BUF_SIZE);

	if (!buf)
		shim_fail("no memory");
	return buf;
}

static void buf_free(u8 *buf)
{
	shim_pages_free(buf, BUF_SIZE);
}

/* ---- running ------------------------------------------------------------------ */

static s64 run_write(struct sfs_fs *fs, const struct pm_op *op)
{
	u8 *buf = buf_alloc();
	u8 *at = buf;
	s64 ret;

	if ((op->seed & 2) && pm_can_write_mapped(fs, op)) {
		pm_fill(op->seed, buf, op->io_len);
		memset(buf + op->io_len, 0, -op->io_len & 4095);
		ret = pm_write_mapped(fs, op, buf);
		buf_free(buf);
		return ret;
	}
	/* aligned as the file or not, which go different ways */
	if (op->seed & 1)
		at += 1 + op->seed % 100;
	pm_fill(op->seed, at, op->io_len);
	ret = sfs_file_write(fs, op->ino, op->off, at, op->io_len);
	buf_free(buf);
	return ret;
}

static s64 run_symlink(struct sfs_fs *fs, const struct sfs_cred *c,
		       const struct pm_op *op, struct sfs_attr *attr)
{
	u8 *buf = buf_alloc();
	s64 ret;

	pm_fill(op->seed, buf, op->io_len);
	ret = sfs_symlink(fs, c, op->dir, op->name, op->len, (char *)buf,
			  op->io_len, attr);
	buf_free(buf);
	return ret;
}

static s64 run_buf(struct sfs_fs *fs, const struct sfs_cred *c,
		   const struct pm_op *op)
{
	u8 *buf = buf_alloc();
	s64 ret = 0;

	switch (op->type) {
	case PM_READ:
		ret = sfs_file_read(fs, op->ino, op->off,
				    op->seed & 1 ? buf + 5 : buf, op->io_len);
		break;
	case PM_READLINK:
		ret = sfs_readlink(fs, op->ino, (char *)buf, op->io_len);
		break;
	case PM_READDIR:
		ret = sfs_readdir(fs, c, op->dir, 0, buf, 4096);
		ret = min_t(s64, ret, 0);
		break;
	case PM_GETXATTR:
		ret = sfs_getxattr(fs, c, op->ino, op->name, buf, op->io_len);
		break;
	case PM_SETXATTR:
		pm_fill(op->seed, buf, op->io_len);
		ret = sfs_setxattr(fs, c, op->ino, op->name, buf, op->io_len,
				   op->flags);
		break;
	}
	buf_free(buf);
	return ret;
}

/* Now as a host that looks names up, now as one that has all inodes open. */
static int run_unlink(struct sfs_fs *fs, const struct sfs_cred *c,
		      const struct pm_op *op)
{
	struct sfs_attr attr;
	int ret;

	if ((op->seed & 1) || sfs_inode_open(fs, op->ino, NULL) < 0)
		return sfs_unlink(fs, c, op->dir, op->name, op->len, op->ino);
	ret = sfs_unlink_unused(fs, c, op->dir, op->name, op->len, op->ino, 1,
				&attr);
	sfs_inode_close(fs, op->ino);
	return ret;
}

static s64 run_op(struct sfs_fs *fs, const struct sfs_cred *c,
		  const struct pm_op *op, struct sfs_attr *attr)
{
	switch (op->type) {
	case PM_LOOKUP:
		return sfs_lookup(fs, c, op->dir, op->name, op->len, attr);
	case PM_CREATE:
		return sfs_create(fs, c, op->dir, op->name, op->len, op->mode,
				  op->rdev, attr);
	case PM_SYMLINK:
		return run_symlink(fs, c, op, attr);
	case PM_LINK:
		return sfs_link(fs, c, op->ino, op->dir, op->name, op->len,
				attr);
	case PM_UNLINK:
		return run_unlink(fs, c, op);
	case PM_RMDIR:
		return sfs_rmdir(fs, c, op->dir, op->name, op->len, op->ino);
	case PM_RENAME:
		return sfs_rename(fs, c, op->dir, op->name, op->len, op->ino,
				  op->dir2, op->name2, op->len2, op->ino2,
				  op->flags);
	case PM_SETATTR:
		return sfs_setattr(fs, c, op->ino, &op->set, attr);
	case PM_WRITE:
		return run_write(fs, op);
	case PM_REMOVEXATTR:
		return sfs_removexattr(fs, c, op->ino, op->name);
	case PM_OPEN:
		return sfs_inode_open(fs, op->ino, NULL);
	case PM_CLOSE:
		sfs_inode_close(fs, op->ino);
		return 0;
	case PM_STAT_MORE:
		return sfs_stat_more(fs, op->ino, attr);
	case PM_FSYNC:
		return sfs_fsync(fs, op->ino, 0);
	case PM_SYNC:
		return sfs_sync(fs);
	}
	return run_buf(fs, c, op);
}

void pm_run(struct sfs_fs *fs, const struct pm_op *op, struct pm_result *res)
{
	bool across = op->type == PM_RENAME && op->dir != op->dir2;
	struct sfs_attr attr = {};
	struct sfs_ilock il = {};
	struct sfs_cred c;

	pm_cred(op->cred, &c);
	switch (op->type) {
	case PM_LOOKUP:
	case PM_READDIR:
	case PM_GETXATTR:
	case PM_OPEN:
	case PM_CLOSE:
	case PM_FSYNC:
	case PM_SYNC:
		break;
	case PM_READ:
	case PM_READLINK:
	case PM_STAT_MORE:
		sfs_ilock_shared(fs, &il, op->ino);
		break;
	case PM_RENAME:
		if (across)
			sfs_rename_lock(fs);
		fallthrough;
	default:
		sfs_ilock_excl(fs, &il, op->dir, op->ino, op->dir2, op->ino2);
		break;
	}
	res->ret = run_op(fs, &c, op, &attr);
	res->ino = attr.ino;
	if (op->type == PM_CREATE && res->ret == 0)
		pm_map_unused(fs, &attr);
	sfs_iunlock(fs, &il);
	if (across)
		sfs_rename_unlock(fs);
}

/* ---- comparing one inode ----------------------------------------------------------- */

static void attr_eq(struct pm_report *rep, u64 ino, const char *what, u64 is,
		    u64 should)
{
	if (is != should)
		pm_error(rep, "inode %llu: %s is %llu, should be %llu", ino,
			 what, is, should);
}

static bool time_eq(const struct sfs_time *a, const struct sfs_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

static void time_check(struct pm_report *rep, u64 ino, const char *what,
		       const struct sfs_time *is, const struct sfs_time *should)
{
	if (!time_eq(is, should))
		pm_error(rep, "inode %llu: %s is %lld.%09u, should be %lld.%09u",
			 ino, what, is->sec, is->nsec, should->sec,
			 should->nsec);
}

static void compare_attr(const struct pm_inode *in, const struct sfs_attr *a,
			 struct pm_report *rep)
{
	attr_eq(rep, in->ino, "ino", a->ino, in->ino);
	attr_eq(rep, in->ino, "mode", a->mode, in->mode);
	attr_eq(rep, in->ino, "nlink", a->nlink, in->nlink);
	attr_eq(rep, in->ino, "uid", a->uid, in->uid);
	attr_eq(rep, in->ino, "gid", a->gid, in->gid);
	attr_eq(rep, in->ino, "rdev", a->rdev, in->rdev);
	attr_eq(rep, in->ino, "size", a->size, in->size);
}

/* What is not predicted has stayed as it was. */
static void compare_learned(const struct pm_inode *in, const struct sfs_attr *a,
			    struct pm_report *rep)
{
	attr_eq(rep, in->ino, "data_version", a->data_version,
		in->data_version);
	attr_eq(rep, in->ino, "data_seq", a->data_seq, in->data_seq);
	time_check(rep, in->ino, "atime", &a->atime, &in->atime);
	time_check(rep, in->ino, "mtime", &a->mtime, &in->mtime);
	time_check(rep, in->ino, "ctime", &a->ctime, &in->ctime);
	time_check(rep, in->ino, "crtime", &a->crtime, &in->crtime);
	if (a->meta_seq < in->meta_seq)
		pm_error(rep, "inode %llu: meta_seq went back", in->ino);
}

static bool op_changes_data(const struct posix *pm, const struct pm_op *op,
			    const struct pm_result *res)
{
	const struct pm_inode *in = pm_inode(pm, op->ino);

	if (op->type == PM_WRITE)
		return res->ret > 0;
	return op->type == PM_SETATTR && (op->set.mask & SFS_SET_SIZE) && in &&
	       in->size != op->set.size;
}

static bool time_before(const struct sfs_time *a, const struct sfs_time *b)
{
	return a->sec < b->sec || (a->sec == b->sec && a->nsec < b->nsec);
}

/* After an operation that may have changed it; @data: its contents. */
static void learn(struct pm_inode *in, struct sfs_fs *fs, bool is_new,
		  bool data, struct pm_report *rep)
{
	struct sfs_attr a = {};
	int ret = sfs_getattr(fs, in->ino, &a);

	if (ret < 0) {
		pm_error(rep, "inode %llu: getattr %d", in->ino, ret);
		return;
	}
	compare_attr(in, &a, rep);
	if (!is_new) {
		time_check(rep, in->ino, "crtime", &a.crtime, &in->crtime);
		if (time_before(&a.ctime, &in->ctime))
			pm_error(rep, "inode %llu: ctime went back", in->ino);
	}
	if (data && a.data_version <= in->data_version)
		pm_error(rep, "inode %llu: data_version did not change",
			 in->ino);
	if (!data && !is_new)
		attr_eq(rep, in->ino, "data_version", a.data_version,
			in->data_version);
	if (a.data_seq < in->data_seq || a.meta_seq < in->meta_seq)
		pm_error(rep, "inode %llu: a stamp went back", in->ino);
	in->atime = a.atime;
	in->mtime = a.mtime;
	in->ctime = a.ctime;
	in->crtime = a.crtime;
	in->data_version = a.data_version;
	in->data_seq = a.data_seq;
	in->meta_seq = a.meta_seq;
}

/* ---- a step ------------------------------------------------------------------------- */

static void unchanged(struct posix *pm, struct sfs_fs *fs, u64 ino,
		      struct pm_report *rep)
{
	struct pm_inode *in = pm_inode(pm, ino);
	struct sfs_attr a = {};

	if (!in)
		return;
	if (sfs_getattr(fs, ino, &a) < 0) {
		pm_error(rep, "inode %llu: gone", ino);
		return;
	}
	compare_attr(in, &a, rep);
	compare_learned(in, &a, rep);
}

/* A write that failed may have changed what it would have overwritten. */
static void relearn_contents(struct posix *pm, struct sfs_fs *fs,
			     const struct pm_op *op, struct pm_report *rep)
{
	struct pm_inode *in = pm_inode(pm, op->ino);
	struct sfs_attr a = {};
	u64 len;

	/* seen: what comes next has a version of its own */
	if (!in || !S_ISREG(in->mode) || sfs_stat_more(fs, op->ino, &a) < 0)
		return;
	in->data_version = a.data_version;
	in->data_seq = a.data_seq;
	in->meta_seq = a.meta_seq;
	if (op->off >= in->size)
		return;
	len = min_t(u64, op->io_len, in->size - op->off);
	while (len && sfs_file_read(fs, op->ino, op->off, in->data + op->off,
				    len) != len)
		;
}

static bool is_resource(s64 err)
{
	return err == -ENOSPC || err == -EIO || err == -ENOMEM ||
	       err == -EINTR;
}

void pm_step(struct posix *pm, struct sfs_fs *fs, const struct pm_op *op,
	     bool may_fail, struct pm_report *rep)
{
	u64 inos[4] = { op->dir, op->ino, op->dir2, op->ino2 };
	s64 want = pm_predict(pm, op);
	struct pm_result res = {};
	struct pm_inode *in;
	char text[512];
	bool changes_data;
	u32 errors = rep->errors;
	u32 i;

	pm_run(fs, op, &res);
	changes_data = op_changes_data(pm, op, &res);
	if (may_fail && is_resource(res.ret)) {
		if (op->type == PM_WRITE)
			relearn_contents(pm, fs, op, rep);
		for (i = 0; i < 4; i++)
			unchanged(pm, fs, inos[i], rep);
		goto out;
	}
	if (res.ret != want &&
	    !(may_fail && (op->type == PM_WRITE || op->type == PM_READ) &&
	      res.ret > 0 && res.ret < want)) {
		pm_error(rep, "answer is %lld, should be %lld", res.ret, want);
		goto out;
	}
	if (res.ret < 0) {
		for (i = 0; i < 4; i++)
			unchanged(pm, fs, inos[i], rep);
		goto out;
	}
	pm_apply(pm, op, &res);
	for (i = 0; i < 4; i++) {
		in = pm_inode(pm, inos[i]);
		if (in)
			learn(in, fs, false, changes_data && i == 1, rep);
	}
	in = pm_inode(pm, res.ino);
	if (in && (op->type == PM_CREATE || op->type == PM_SYMLINK))
		learn(in, fs, true, false, rep);
out:
	if (rep->errors != errors) {
		pm_op_to_text(op, text, sizeof(text));
		pm_error(rep, "after: %s", text);
	}
}

/* ---- everything ------------------------------------------------------------------------- */

static void compare_contents(const struct pm_inode *in, struct sfs_fs *fs,
			     u8 *buf, struct pm_report *rep)
{
	u32 skew = in->ino % 3 * 7;
	s64 ret;
	u64 i;

	ret = sfs_file_read(fs, in->ino, 0, buf + skew, in->size + 10);
	if (ret != in->size) {
		pm_error(rep, "inode %llu: read %lld of %llu", in->ino, ret,
			 in->size);
		return;
	}
	for (i = 0; i < in->size; i++) {
		if (buf[skew + i] != in->data[i]) {
			pm_error(rep, "inode %llu: byte %llu of %llu is %02x, should be %02x",
				 in->ino, i, in->size, buf[skew + i],
				 in->data[i]);
			return;
		}
	}
}

static void compare_xattrs(const struct pm_inode *in, struct sfs_fs *fs,
			   u8 *buf, struct pm_report *rep)
{
	const struct pm_xattr *x;
	struct sfs_cred c;
	u8 *want = buf + 70000;
	u32 names = 0;
	int ret;
	u32 i;

	pm_cred(0, &c);
	for (i = 0; i < in->nr_xattrs; i++) {
		x = &in->xattrs[i];
		names += strlen(x->name) + 1;
		ret = sfs_getxattr(fs, &c, in->ino, x->name, buf, 65535);
		pm_fill(x->seed, want, x->len);
		if (ret != x->len || memcmp(buf, want, x->len))
			pm_error(rep, "inode %llu: xattr %s is wrong (%d)",
				 in->ino, x->name, ret);
	}
	ret = sfs_listxattr(fs, &c, in->ino, NULL, 0);
	if (ret != names)
		pm_error(rep, "inode %llu: names of xattrs have %d bytes, should have %u",
			 in->ino, ret, names);
}

/* The model's entries of a directory in order, against readdir. */
static void compare_entries(const struct posix *pm, const struct pm_inode *dir,
			    struct sfs_fs *fs, u8 *buf, struct pm_report *rep)
{
	const struct sfs_dirent *d;
	struct sfs_cred c;
	u64 pos = 2;
	u32 e = 0;
	int ret;
	int at;

	pm_cred(0, &c);
	for (;;) {
		ret = sfs_readdir(fs, &c, dir->ino, pos, buf, 600);
		if (ret <= 0)
			break;
		for (at = 0; at < ret; at += d->rec_len) {
			d = (void *)(buf + at);
			while (e < pm->nr_ents && pm->ents[e].dir != dir->ino)
				e++;
			if (e == pm->nr_ents) {
				pm_error(rep, "directory %llu: %.*s is too much",
					 dir->ino, d->name_len, d->name);
				return;
			}
			if (d->pos < pos || d->next_pos <= d->pos ||
			    d->name_len != pm->ents[e].len ||
			    memcmp(d->name, pm->ents[e].name, d->name_len) ||
			    d->ino != pm->ents[e].ino)
				pm_error(rep, "directory %llu: %.*s where %s should be",
					 dir->ino, d->name_len, d->name,
					 pm->ents[e].name);
			pos = d->next_pos;
			e++;
		}
	}
	if (ret < 0)
		pm_error(rep, "directory %llu: readdir %d", dir->ino, ret);
	while (e < pm->nr_ents && pm->ents[e].dir != dir->ino)
		e++;
	if (e < pm->nr_ents)
		pm_error(rep, "directory %llu: %s is missing", dir->ino,
			 pm->ents[e].name);
}

/* Each path that ino_path gives leads to the inode, and there are nlink. */
static void compare_paths(const struct posix *pm, const struct pm_inode *in,
			  struct sfs_fs *fs, char *buf, struct pm_report *rep)
{
	const struct pm_entry *e;
	u64 dir_ino = 0;
	u64 dir_pos = 0;
	u32 n = 0;
	char *name;
	char *end;
	u64 ino;
	int ret;

	for (;;) {
		ret = sfs_ino_path(fs, in->ino, dir_ino, dir_pos, buf, 8192,
				   &dir_ino, &dir_pos);
		if (ret < 0)
			break;
		n++;
		dir_pos++;
		ino = pm->root;
		name = pm->root == 1 ? buf : strchr(buf, '/') + 1;
		for (; *name; name = *end ? end + 1 : end) {
			for (end = name; *end && *end != '/'; end++)
				;
			e = pm_find(pm, ino, name, end - name);
			ino = e ? e->ino : 0;
		}
		if (ino != in->ino || strlen(buf) + 1 != ret)
			pm_error(rep, "inode %llu: path %s is of %llu", in->ino,
				 buf, ino);
	}
	if (ret != -ENOENT)
		pm_error(rep, "inode %llu: ino_path %d", in->ino, ret);
	attr_eq(rep, in->ino, "number of paths", n,
		in->ino == 1 ? 0 : S_ISDIR(in->mode) ? !!in->nlink : in->nlink);
}

/* The first chunks of a write, up to a block's end. */
static void take_partly(struct pm_inode *in, const struct pm_range *r,
			const struct sfs_attr *a)
{
	if (a->size > in->size && a->size < r->off + r->len &&
	    a->size > r->off && a->size % 4096 == 0) {
		memset(in->data + in->size, 0, a->size - in->size);
		in->size = a->size;
	}
	if (a->data_version > in->data_version &&
	    !time_before(&a->ctime, &in->ctime)) {
		in->mtime = a->mtime;
		in->ctime = a->ctime;
	}
}

/* The version may have stepped ahead of a write that is undone. */
static void take_ranges(struct posix *pm, struct sfs_fs *fs)
{
	const struct pm_range *r;
	struct sfs_attr a = {};
	struct pm_inode *in;
	u32 i;

	for (i = 0; i < pm->nr_ranges; i++) {
		r = &pm->ranges[i];
		in = pm_inode(pm, r->ino);
		if (!in || !S_ISREG(in->mode) ||
		    sfs_getattr(fs, in->ino, &a) < 0)
			continue;
		if (r->partly)
			take_partly(in, r, &a);
		in->data_version = max(in->data_version, a.data_version);
		in->data_seq = max(in->data_seq, a.data_seq);
		if (r->off < in->size)
			sfs_file_read(fs, in->ino, r->off, in->data + r->off,
				      min(r->len, in->size - r->off));
	}
	pm->nr_ranges = 0;
	pm->nr_undone = 0;
}

void pm_compare(struct posix *pm, struct sfs_fs *fs, struct pm_report *rep)
{
	u8 *buf = buf_alloc();
	struct sfs_attr a = {};
	struct pm_inode *in;
	u32 i;
	int ret;

	take_ranges(pm, fs);
	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &pm->inodes[i];
		if (!in->ino)
			continue;
		ret = sfs_getattr(fs, in->ino, &a);
		if (ret < 0) {
			pm_error(rep, "inode %llu: getattr %d", in->ino, ret);
			continue;
		}
		compare_attr(in, &a, rep);
		compare_learned(in, &a, rep);
		compare_xattrs(in, fs, buf, rep);
		if (in->ino != pm->root || in->ino == 1)
			compare_paths(pm, in, fs, (char *)buf, rep);
		if (S_ISREG(in->mode))
			compare_contents(in, fs, buf, rep);
		if (S_ISDIR(in->mode) && in->nlink)
			compare_entries(pm, in, fs, buf, rep);
		if (!S_ISLNK(in->mode))
			continue;
		ret = sfs_readlink(fs, in->ino, (char *)buf, 5000);
		if (ret != in->size || memcmp(buf, in->data, in->size))
			pm_error(rep, "inode %llu: target is wrong", in->ino);
	}
	buf_free(buf);
}

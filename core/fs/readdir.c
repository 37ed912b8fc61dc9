/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading directories.
 *
 * Entries come in the order of their positions, which is that of their
 * creation: positions only grow and are not used twice.  So a reader that goes
 * on at next_pos sees every entry that exists from its first call to its last
 * exactly once, whatever is made and removed meanwhile, on this mount or after
 * a restart; entries made while it reads turn up at the end.
 *
 * No locks: the iterator reads one view after the other.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/mount_types.h"

/* Where the next record goes. */
struct fill {
	u8 *buf;
	u32 size;
	u32 used;
};

/* False when there is no room. */
static bool fill_entry(struct fill *f, const struct sfs_entry *e)
{
	struct sfs_dirent *d = (void *)(f->buf + f->used);
	u32 len = sizeof(*d) + e->name_len;
	u32 rec_len = ALIGN(len, 8);

	if (rec_len > f->size - f->used)
		return false;
	d->ino = e->ino;
	d->pos = e->pos;
	d->next_pos = e->pos + 1;
	d->rec_len = rec_len;
	d->type = e->type;
	d->name_len = e->name_len;
	memcpy(d->name, e->name, e->name_len);
	memset((u8 *)d + len, 0, rec_len - len);
	f->used += rec_len;
	return true;
}

/* "." and "..", as far as they are asked for.  False when there is no room. */
static int fill_dots(struct sfs_fs *fs, const struct sfs_lockset *locks,
		     struct fill *f, u64 dir, u64 pos)
{
	struct sfs_entry e = {
		.ino = dir,
		.pos = pos,
		.type = SFS_DT_DIR,
		.name = ".",
		.name_len = 1,
	};
	int ret;

	if (pos == 0) {
		if (!fill_entry(f, &e))
			return false;
		e.pos++;
	}
	if (pos >= SFS_FIRST_POS)
		return true;
	ret = sfs_dir_parent(fs, locks, dir, &e.ino);
	if (ret < 0)
		return ret;
	e.name = "..";
	e.name_len = 2;
	return fill_entry(f, &e);
}

static int fill_entries(struct sfs_fs *fs, struct fill *f, u64 dir, u64 pos,
			bool *ret_full)
{
	struct sfs_key first = SFS_KEY(SFS_ZONE_FS, dir, SFS_FS_READDIR, pos,
				       0, 0);
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, dir, SFS_FS_READDIR,
				      U64_MAX, U64_MAX, U8_MAX);
	struct sfs_entry e;
	struct sfs_iter it;
	const char *why;
	int ret;

	sfs_item_iter_init(fs, &it, &first, &last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		why = sfs_dirent_decode(&it.key, it.val, it.val_len, &e);
		if (why) {
			ret = sfs_item_bad(fs, &it.key, why);
			break;
		}
		if (!fill_entry(f, &e)) {
			*ret_full = true;
			ret = 0;
			break;
		}
	}
	sfs_iter_exit(&it);
	return ret;
}

static int readdir(struct sfs_fs *fs, struct sfs_lockset *locks,
		   const struct sfs_cred *cred, u64 dir, u64 pos, void *buf,
		   u32 size)
{
	struct fill f = { .buf = buf, .size = size };
	struct sfs_inode dsi;
	bool full = false;
	int ret;

	if (size > S32_MAX)
		f.size = S32_MAX;
	ret = sfs_inode_read(fs, locks, dir, &dsi);
	if (ret < 0)
		return ret;
	if (!S_ISDIR(dsi.mode))
		return -ENOTDIR;
	ret = sfs_perm_check(&dsi, cred, SFS_MAY_READ);
	if (ret < 0)
		return ret;
	if (!dsi.nlink)
		return -ENOENT;
	ret = fill_dots(fs, locks, &f, dir, pos);
	if (ret < 0)
		return ret;
	full = ret == 0;
	if (!full) {
		if (pos < SFS_FIRST_POS)
			pos = SFS_FIRST_POS;
		ret = fill_entries(fs, &f, dir, pos, &full);
		/* an error after some entries comes with the next call */
		if (ret < 0 && !f.used)
			return ret;
	}
	if (full && !f.used)
		return -EINVAL;
	return f.used;
}

int sfs_readdir(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
		__u64 pos, void *buf, __u32 size)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_readdir);
	ret = sfs_locks_ino(fs, &locks, dir, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = readdir(fs, &locks, cred, dir, pos, buf, size);
	sfs_locks_end(fs, &locks);
	return ret;
}

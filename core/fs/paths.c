/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From inodes up to the root, through back references.
 *
 * Reading a whole path is many reads, each under the lock of its inode.  The
 * rename lock of the cluster is used over them, so no directory moves meanwhile
 * and the path returned has existed as a whole; what may still happen on the way
 * is that the name is removed and then its directory, which makes the walk start
 * again.
 *
 * The number of steps is bounded: a path has less than PATH_LEN_MAX bytes, and
 * the ancestor check of rename stops at ANCESTORS_MAX levels, more than can be
 * made through a path of any length (each level is a cluster-wide directory).
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/mount_types.h"

#define ANCESTORS_MAX (1U << 24)
#define PATH_ATTEMPTS 10

#define BACKREF_BUF (sizeof(struct sfs_backref_item) + SFS_NAME_MAX)

/* The first entry of @ino at or after (dir, pos); its name is in @buf. */
static int backref_next(struct sfs_fs *fs, u64 ino, u64 dir, u64 pos,
			u8 *buf, struct sfs_entry *ret_e)
{
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_BACKREF, dir,
				     pos, 0);
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_BACKREF,
				      U64_MAX, U64_MAX, U8_MAX);
	const char *why;
	int ret;

	ret = sfs_item_next(fs, &key, &last, buf, BACKREF_BUF);
	if (ret == -ERANGE)
		return sfs_item_bad(fs, &key, "back reference: too long");
	if (ret < 0)
		return ret;
	why = sfs_backref_decode(&key, buf, ret, ret_e);
	return why ? sfs_item_bad(fs, &key, why) : 0;
}

int sfs_dir_parent(struct sfs_fs *fs, const struct sfs_lockset *locks, u64 dir,
		   u64 *ret_parent)
{
	u8 buf[BACKREF_BUF];
	struct sfs_entry e;
	int ret;

	SFS_ASSERT(sfs_locks_cover(locks, dir, SFS_LOCK_READ));
	if (dir == SFS_ROOT_INO) {
		*ret_parent = dir;
		return 0;
	}
	ret = backref_next(fs, dir, 0, 0, buf, &e);
	if (ret < 0)
		return ret;
	*ret_parent = e.dir;
	return 0;
}

/* backref_next() by itself, under the lock of @ino. */
static int backref_locked(struct sfs_fs *fs, u64 ino, u64 dir, u64 pos,
			  u8 *buf, struct sfs_entry *ret_e)
{
	struct sfs_lockset locks;
	int ret;

	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = backref_next(fs, ino, dir, pos, buf, ret_e);
	sfs_locks_end(fs, &locks);
	return ret;
}

int sfs_name_in_dir(struct sfs_fs *fs, __u64 ino, __u64 dir, char *buf)
{
	u8 val[BACKREF_BUF];
	struct sfs_entry e;
	int ret;

	ret = backref_locked(fs, ino, dir, 0, val, &e);
	if (ret < 0)
		return ret;
	if (e.dir != dir)
		return -ENOENT;
	memcpy(buf, e.name, e.name_len);
	return e.name_len;
}

int sfs_dir_is_under(struct sfs_fs *fs, u64 dir, u64 ino)
{
	u8 buf[BACKREF_BUF];
	struct sfs_entry e;
	struct sfs_key key;
	u32 n;
	int ret;

	for (n = 0; n < ANCESTORS_MAX; n++) {
		if (dir == ino)
			return 1;
		if (dir == SFS_ROOT_INO)
			return 0;
		ret = backref_locked(fs, dir, 0, 0, buf, &e);
		if (ret < 0)
			return ret;
		dir = e.dir;
	}
	key = sfs_inode_key(dir);
	return sfs_item_bad(fs, &key, "directory: no way up to the root");
}

/*
 * Puts the path at the end of buf[0..size), from its last component on.
 * -EAGAIN: a directory vanished on the way.
 */
static int path_build(struct sfs_fs *fs, const struct sfs_entry *first,
		      char *buf, u32 size, u32 *ret_start)
{
	u8 val[BACKREF_BUF];
	struct sfs_entry e = *first;
	u32 at = size;
	int ret;

	if (!at)
		return -ENAMETOOLONG;
	buf[--at] = '\0';
	for (;;) {
		if (at < e.name_len)
			return -ENAMETOOLONG;
		at -= e.name_len;
		memcpy(buf + at, e.name, e.name_len);
		if (e.dir == SFS_ROOT_INO)
			break;
		if (!at)
			return -ENAMETOOLONG;
		buf[--at] = '/';
		ret = backref_locked(fs, e.dir, 0, 0, val, &e);
		if (ret < 0)
			return ret == -ENOENT ? -EAGAIN : ret;
	}
	*ret_start = at;
	return 0;
}

static int ino_path(struct sfs_fs *fs, u64 ino, u64 dir_ino, u64 dir_pos,
		    char *buf, u32 size, struct sfs_entry *ret_e,
		    u32 *ret_start)
{
	u8 val[BACKREF_BUF];
	unsigned int n;
	int ret;

	for (n = 0; n < PATH_ATTEMPTS; n++) {
		ret = backref_locked(fs, ino, dir_ino, dir_pos, val, ret_e);
		if (ret < 0)
			return ret;
		ret = path_build(fs, ret_e, buf, size, ret_start);
		if (ret != -EAGAIN)
			return ret;
	}
	return -ELOOP;
}

int sfs_ino_path(struct sfs_fs *fs, __u64 ino, __u64 dir_ino, __u64 dir_pos,
		 char *buf, __u32 size, __u64 *ret_dir_ino,
		 __u64 *ret_dir_pos)
{
	struct sfs_lock_use whole;
	struct sfs_entry e;
	u32 start;
	int ret;

	sfs_count(fs->cnt, op_ino_path);
	if (ino == SFS_ROOT_INO)
		return -ENOENT;
	size = min_t(u32, size, S32_MAX);
	ret = sfs_lock_use_begin(fs, SFS_LOCK_RENAME, SFS_LOCK_READ, 0,
				 &whole);
	if (ret < 0)
		return ret;
	ret = ino_path(fs, ino, dir_ino, dir_pos, buf, size, &e, &start);
	sfs_lock_use_end(fs, &whole, 0);
	if (ret < 0)
		return ret;
	memmove(buf, buf + start, size - start);
	*ret_dir_ino = e.dir;
	*ret_dir_pos = e.pos;
	return size - start;
}

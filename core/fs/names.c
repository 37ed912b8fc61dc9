/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names: looking them up, making and removing them.  (Renaming: rename.c.)
 *
 * A directory entry is three items: by hash of the name, for lookup; by
 * position, for readdir; and at the inode it names, for paths.  They carry the
 * same contents and are made and removed in the same hold.
 *
 * Invariants, at every transaction boundary:
 *  - each entry has all three items, and no other position of its directory is
 *    at or behind the directory's next_pos
 *  - positions grow in the order of creation and are never used twice
 *  - no two entries of a directory have the same name
 *  - the size of a directory is the sum of the lengths of its names
 *  - nlink of a file is the number of its entries; of a directory 2 plus its
 *    subdirectories, and it has one entry (the root: none), or 0 when its
 *    entry is gone, and then it is empty
 *  - an inode with nlink 0 has an orphan item; one that nobody uses and that
 *    is nothing but its item goes with its last name instead (delete.c)
 *
 * Locks: the caller's exclusion of the inodes that change (api.h); everything
 * that is read before a hold is still true in it.
 */
#include "fs/fs.h"

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/mount_types.h"

int sfs_name_check(const char *name, u32 len)
{
	if (!len)
		return -ENOENT;
	if (len > SFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (memchr(name, 0, len) || memchr(name, '/', len))
		return -EINVAL;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return -EINVAL;
	return 0;
}

/* ---- entries ------------------------------------------------------------- */

#define DIRENT_BUF (sizeof(struct sfs_dirent_item) + SFS_NAME_MAX)

int sfs_entry_find(struct sfs_fs *fs, const struct sfs_lockset *locks, u64 dir,
		   const char *name, u32 len, struct sfs_entry *ret_e)
{
	u64 hash = sfs_name_hash(&fs->inodes->name_key, name, len);
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, dir, SFS_FS_DIRENT, hash,
				     0, 0);
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, dir, SFS_FS_DIRENT, hash,
				      U64_MAX, U8_MAX);
	u8 buf[DIRENT_BUF];
	struct sfs_entry e;
	const char *why;
	int ret;

	SFS_ASSERT(sfs_locks_cover(locks, dir, SFS_LOCK_READ));
	/* names with the same hash follow each other */
	for (;;) {
		ret = sfs_item_next(fs, &key, &last, buf, sizeof(buf));
		if (ret == -ERANGE)
			return sfs_item_bad(fs, &key, "entry: too long");
		if (ret < 0)
			return ret;
		why = sfs_dirent_decode(&key, buf, ret, &e);
		if (why)
			return sfs_item_bad(fs, &key, why);
		if (e.name_len == len && !memcmp(e.name, name, len))
			break;
		sfs_key_inc(&key);
	}
	e.name = name;
	*ret_e = e;
	return 0;
}

static struct sfs_key entry_key(const struct sfs_entry *e, u8 type)
{
	switch (type) {
	case SFS_FS_DIRENT:
		return SFS_KEY(SFS_ZONE_FS, e->dir, type, e->hash, e->pos, 0);
	case SFS_FS_READDIR:
		return SFS_KEY(SFS_ZONE_FS, e->dir, type, e->pos, 0, 0);
	}
	return SFS_KEY(SFS_ZONE_FS, e->ino, SFS_FS_BACKREF, e->dir, e->pos, 0);
}

void sfs_entry_put(struct sfs_fs *fs, struct sfs_hold *hold,
		   const struct sfs_entry *e)
{
	u8 buf[DIRENT_BUF];
	struct sfs_dirent_item *it = (void *)buf;
	struct sfs_backref_item *ref = (void *)buf;
	struct sfs_key key;

	it->ino = cpu_to_le64(e->ino);
	it->type = e->type;
	memcpy(it->name, e->name, e->name_len);
	key = entry_key(e, SFS_FS_DIRENT);
	sfs_item_put(fs, hold, &key, buf, sizeof(*it) + e->name_len);
	key = entry_key(e, SFS_FS_READDIR);
	sfs_item_put(fs, hold, &key, buf, sizeof(*it) + e->name_len);

	ref->type = e->type;
	memcpy(ref->name, e->name, e->name_len);
	key = entry_key(e, SFS_FS_BACKREF);
	sfs_item_put(fs, hold, &key, buf, sizeof(*ref) + e->name_len);
}

void sfs_entry_del(struct sfs_fs *fs, struct sfs_hold *hold,
		   const struct sfs_entry *e)
{
	struct sfs_key key;

	key = entry_key(e, SFS_FS_DIRENT);
	sfs_item_del(fs, hold, &key);
	key = entry_key(e, SFS_FS_READDIR);
	sfs_item_del(fs, hold, &key);
	key = entry_key(e, SFS_FS_BACKREF);
	sfs_item_del(fs, hold, &key);
}

void sfs_need_entry(struct sfs_need *need, u32 name_len)
{
	need->items += 3;
	need->val_bytes += 3 * (sizeof(struct sfs_dirent_item) + name_len);
}

/* ---- directories --------------------------------------------------------- */

int sfs_dir_read(struct sfs_fs *fs, struct sfs_lockset *locks,
		 const struct sfs_cred *cred, u64 dir,
		 struct sfs_inode *ret_dsi)
{
	struct sfs_inode dsi;
	int ret;

	ret = sfs_inode_read(fs, locks, dir, &dsi);
	if (ret < 0)
		return ret;
	if (!S_ISDIR(dsi.mode))
		return -ENOTDIR;
	ret = sfs_perm_check(&dsi, cred, SFS_MAY_EXEC);
	if (ret < 0)
		return ret;
	*ret_dsi = dsi;
	return 0;
}

int sfs_dir_for_new(struct sfs_fs *fs, struct sfs_lockset *locks,
		    const struct sfs_cred *cred, u64 dir, const char *name,
		    u32 len, struct sfs_inode *dsi, struct sfs_entry *e)
{
	int ret;

	ret = sfs_name_check(name, len);
	if (ret < 0)
		return ret;
	ret = sfs_dir_read(fs, locks, cred, dir, dsi);
	if (ret < 0)
		return ret;
	ret = sfs_entry_find(fs, locks, dir, name, len, e);
	if (ret != -ENOENT)
		return ret < 0 ? ret : -EEXIST;
	if (!dsi->nlink)
		return -ENOENT;
	*e = (struct sfs_entry) {
		.dir = dir,
		.pos = dsi->next_pos,
		.hash = sfs_name_hash(&fs->inodes->name_key, name, len),
		.name_len = len,
		.name = name,
	};
	return sfs_perm_check(dsi, cred, SFS_MAY_WRITE | SFS_MAY_EXEC);
}

int sfs_dir_for_gone(struct sfs_fs *fs, struct sfs_lockset *locks,
		     const struct sfs_cred *cred, u64 dir, const char *name,
		     u32 len, u64 ino, struct sfs_inode *dsi,
		     struct sfs_entry *e, struct sfs_inode *si)
{
	struct sfs_key key;
	int ret;

	ret = sfs_name_check(name, len);
	if (ret < 0)
		return ret;
	ret = sfs_dir_read(fs, locks, cred, dir, dsi);
	if (ret < 0)
		return ret;
	ret = sfs_entry_find(fs, locks, dir, name, len, e);
	if (ret < 0)
		return ret;
	if (e->ino != ino)
		return -ESTALE;
	ret = sfs_inode_read(fs, locks, ino, si);
	if (ret == -ENOENT) {
		key = entry_key(e, SFS_FS_DIRENT);
		return sfs_item_bad(fs, &key, "entry: its inode is missing");
	}
	if (ret < 0)
		return ret;
	ret = sfs_perm_check(dsi, cred, SFS_MAY_WRITE | SFS_MAY_EXEC);
	if (ret < 0)
		return ret;
	return sfs_perm_sticky(dsi, si, cred);
}

void sfs_inode_unlinked(struct sfs_fs *fs, struct sfs_hold *hold,
			struct sfs_inode *si)
{
	struct sfs_key key = sfs_work_key(si->ino, SFS_WORK_ORPHAN);

	si->nlink = S_ISDIR(si->mode) ? 0 : si->nlink - 1;
	if (!si->nlink)
		sfs_item_put(fs, hold, &key, NULL, 0);
}

/* ---- lookup --------------------------------------------------------------- */

/* The inode of a name; *ret_dsi is the directory. */
static int name_to_ino(struct sfs_fs *fs, struct sfs_lockset *locks,
		       const struct sfs_cred *cred, u64 dir, const char *name,
		       u32 len, struct sfs_inode *ret_dsi, u64 *ret_ino)
{
	struct sfs_entry e;
	int ret;

	ret = sfs_dir_read(fs, locks, cred, dir, ret_dsi);
	if (ret < 0)
		return ret;
	e.ino = dir;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		ret = sfs_dir_parent(fs, locks, dir, &e.ino);
	} else if (len != 1 || name[0] != '.') {
		ret = sfs_name_check(name, len);
		if (ret == 0)
			ret = sfs_entry_find(fs, locks, dir, name, len, &e);
	}
	if (ret == 0)
		*ret_ino = e.ino;
	return ret;
}

/* The attributes of the inode that a name has now, or had a moment ago. */
static int lookup_once(struct sfs_fs *fs, const struct sfs_cred *cred, u64 dir,
		       const char *name, u32 len, u64 *ret_ino,
		       struct sfs_attr *ret_attr)
{
	struct sfs_lockset locks;
	struct sfs_inode si;
	u64 ino;
	int ret;

	ret = sfs_locks_ino(fs, &locks, dir, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = name_to_ino(fs, &locks, cred, dir, name, len, &si, &ino);
	if (ret == 0)
		*ret_ino = ino;
	/* one lock after the other: the next may be a lower one */
	if (ret == 0 && !sfs_locks_cover(&locks, ino, SFS_LOCK_READ)) {
		sfs_locks_end(fs, &locks);
		ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
		if (ret < 0)
			return ret;
	}
	if (ret == 0 && ino != dir)
		ret = sfs_inode_read(fs, &locks, ino, &si);
	if (ret == 0)
		sfs_inode_to_attr(fs, &si, ret_attr);
	sfs_locks_end(fs, &locks);
	return ret;
}

int sfs_lookup(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	       const char *name, __u32 len, struct sfs_attr *ret_attr)
{
	u64 before;
	u64 ino = 0;
	int ret;

	sfs_count(fs->cnt, op_lookup);
	/*
	 * Between the two reads the name may go to another inode and its own be
	 * deleted.  Numbers are not used again, so each turn has another one.
	 */
	do {
		before = ino;
		ino = 0;
		ret = lookup_once(fs, cred, dir, name, len, &ino, ret_attr);
	} while (ret == -ENOENT && ino && ino != before);
	return ret;
}

int sfs_lookup_ino(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
		   const char *name, __u32 len, __u64 *ret_ino)
{
	struct sfs_lockset locks;
	struct sfs_inode dsi;
	int ret;

	sfs_count(fs->cnt, op_lookup);
	ret = sfs_locks_ino(fs, &locks, dir, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = name_to_ino(fs, &locks, cred, dir, name, len, &dsi, ret_ino);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- creating ------------------------------------------------------------- */

/* An inode that is being made, with its entry, in its directory. */
struct create {
	struct sfs_lockset locks;
	struct sfs_inode dsi;
	struct sfs_inode si;
	struct sfs_entry e;
	const char *target;	/* of a symlink */
	u32 target_len;
};

static int create_prepare(struct sfs_fs *fs, const struct sfs_cred *cred,
			  u64 dir, const char *name, u32 len, u32 mode,
			  struct create *op)
{
	int ret;

	ret = sfs_dir_for_new(fs, &op->locks, cred, dir, name, len, &op->dsi,
			      &op->e);
	if (ret < 0)
		return ret;
	if (S_ISDIR(mode) && op->dsi.nlink >= S32_MAX)
		return -EMLINK;
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !(cred->caps & SFS_CAP_MKNOD))
		return -EPERM;
	sfs_perm_init(&op->si, &op->dsi, cred, mode);
	op->si.locks = &op->locks;
	op->si.nlink = S_ISDIR(mode) ? 2 : 1;
	op->si.next_pos = S_ISDIR(mode) ? SFS_FIRST_POS : 0;
	op->si.size = op->target_len;
	op->e.type = sfs_mode_type(mode);
	ret = sfs_ino_alloc(fs, &op->locks, dir, S_ISDIR(mode), &op->si.ino);
	op->e.ino = op->si.ino;
	return ret;
}

static void create_apply(struct sfs_fs *fs, struct sfs_hold *hold,
			 struct create *op, const struct sfs_time *now)
{
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, op->si.ino, SFS_FS_SYMLINK,
				     0, 0, 0);
	u32 at;
	u32 len;

	for (at = 0; at < op->target_len; at += len) {
		len = min_t(u32, op->target_len - at, SFS_MAX_VAL);
		sfs_item_put(fs, hold, &key, op->target + at, len);
		key.f2++;
	}
	op->si.atime = *now;
	op->si.mtime = *now;
	op->si.ctime = *now;
	op->si.crtime = *now;
	sfs_inode_store_new(fs, hold, &op->si);
	sfs_entry_put(fs, hold, &op->e);

	op->dsi.next_pos++;
	op->dsi.size += op->e.name_len;
	if (S_ISDIR(op->si.mode))
		op->dsi.nlink++;
	sfs_inode_modified(&op->dsi, now);
	sfs_inode_store(fs, hold, &op->dsi);
}

static int create_do(struct sfs_fs *fs, struct create *op,
		     struct sfs_attr *ret_attr)
{
	struct sfs_need need = {};
	struct sfs_hold hold;
	struct sfs_time now;
	int ret;

	sfs_need_inode(&need);
	sfs_need_inode(&need);
	sfs_need_entry(&need, op->e.name_len);
	need.items += 2;
	need.val_bytes += op->target_len;
	now = sfs_now(fs);
	ret = sfs_hold_begin(fs, &op->locks, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	create_apply(fs, &hold, op, &now);
	sfs_hold_end(fs, &hold);
	sfs_inode_to_attr(fs, &op->si, ret_attr);
	return 0;
}

/* The lock of the directory and that of the group of the new inode. */
static int create_begin(struct sfs_fs *fs, u64 dir, u32 mode,
			struct sfs_lockset *locks)
{
	u64 ino;
	int ret;

	ret = sfs_ino_group_for(fs, dir, S_ISDIR(mode), &ino);
	if (ret < 0)
		return ret;
	locks->nr = 0;
	locks->flags = 0;
	sfs_locks_add(locks, sfs_lock_of_ino(dir), SFS_LOCK_WRITE);
	sfs_locks_add(locks, sfs_lock_of_ino(ino), SFS_LOCK_WRITE);
	return sfs_locks_begin(fs, locks);
}

static int create(struct sfs_fs *fs, const struct sfs_cred *cred, u64 dir,
		  const char *name, u32 len, u32 mode, struct create *op,
		  struct sfs_attr *ret_attr)
{
	int ret;

	do {
		ret = create_begin(fs, dir, mode, &op->locks);
		if (ret < 0)
			return ret;
		ret = create_prepare(fs, cred, dir, name, len, mode, op);
		if (ret == 0)
			ret = create_do(fs, op, ret_attr);
		sfs_locks_end(fs, &op->locks);
		/* the numbers it had the lock for went to somebody else */
	} while (ret == -EAGAIN);
	return ret;
}

int sfs_create(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	       const char *name, __u32 len, __u32 mode, __u32 rdev,
	       struct sfs_attr *ret_attr)
{
	struct create op = {};

	sfs_count(fs->cnt, op_create);
	switch (mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		op.si.rdev = rdev;
		break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return -EINVAL;
	}
	return create(fs, cred, dir, name, len, mode, &op, ret_attr);
}

int sfs_symlink(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
		const char *name, __u32 len, const char *target,
		__u32 target_len, struct sfs_attr *ret_attr)
{
	struct create op = { .target = target, .target_len = target_len };

	sfs_count(fs->cnt, op_symlink);
	if (!target_len)
		return -ENOENT;
	if (target_len > SFS_SYMLINK_MAX)
		return -ENAMETOOLONG;
	if (memchr(target, 0, target_len))
		return -EINVAL;
	return create(fs, cred, dir, name, len, S_IFLNK | 0777, &op, ret_attr);
}

static int readlink(struct sfs_fs *fs, struct sfs_lockset *locks, u64 ino,
		    char *buf, u32 size)
{
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_SYMLINK, 0, 0, 0);
	struct sfs_inode si;
	u32 at = 0;
	int ret;

	ret = sfs_inode_read(fs, locks, ino, &si);
	if (ret < 0)
		return ret;
	if (!S_ISLNK(si.mode))
		return -EINVAL;
	if (si.size > size)
		return -ERANGE;
	while (at < si.size) {
		ret = sfs_item_get(fs, &key, buf + at, si.size - at);
		if (ret == -ENOENT && sfs_inode_read(fs, locks, ino, &si) == -ENOENT)
			return -ENOENT;
		if (ret == -ENOENT || ret == -ERANGE || ret == 0)
			return sfs_item_bad(fs, &key,
					    "symlink: does not fit the size");
		if (ret < 0)
			return ret;
		at += ret;
		key.f2++;
	}
	return at;
}

int sfs_readlink(struct sfs_fs *fs, __u64 ino, char *buf, __u32 size)
{
	struct sfs_lockset locks;
	int ret;

	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = readlink(fs, &locks, ino, buf, size);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- linking and unlinking -------------------------------------------------- */

/* A directory and an inode, both for writing. */
static int dir_and_ino(struct sfs_fs *fs, struct sfs_lockset *locks, u64 dir,
		       u64 ino)
{
	locks->nr = 0;
	locks->flags = 0;
	sfs_locks_add(locks, sfs_lock_of_ino(dir), SFS_LOCK_WRITE);
	sfs_locks_add(locks, sfs_lock_of_ino(ino), SFS_LOCK_WRITE);
	return sfs_locks_begin(fs, locks);
}

static int link(struct sfs_fs *fs, struct sfs_lockset *locks,
		const struct sfs_cred *cred, u64 ino, u64 dir,
		const char *name, u32 len, struct sfs_attr *ret_attr)
{
	struct sfs_need need = {};
	struct sfs_inode dsi;
	struct sfs_inode si;
	struct sfs_hold hold;
	struct sfs_time now;
	struct sfs_entry e;
	int ret;

	ret = sfs_inode_read(fs, locks, ino, &si);
	if (ret < 0)
		return ret;
	ret = sfs_dir_for_new(fs, locks, cred, dir, name, len, &dsi, &e);
	if (ret < 0)
		return ret;
	if (S_ISDIR(si.mode))
		return -EPERM;
	if (!si.nlink)
		return -ENOENT;
	if (si.nlink >= S32_MAX)
		return -EMLINK;
	e.ino = ino;
	e.type = sfs_mode_type(si.mode);

	sfs_need_inode(&need);
	sfs_need_inode(&need);
	sfs_need_entry(&need, len);
	now = sfs_now(fs);
	ret = sfs_hold_begin(fs, locks, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	sfs_entry_put(fs, &hold, &e);
	si.nlink++;
	sfs_inode_changed(&si, &now);
	sfs_inode_store(fs, &hold, &si);
	dsi.next_pos++;
	dsi.size += len;
	sfs_inode_modified(&dsi, &now);
	sfs_inode_store(fs, &hold, &dsi);
	sfs_hold_end(fs, &hold);
	sfs_inode_to_attr(fs, &si, ret_attr);
	return 0;
}

int sfs_link(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
	     __u64 dir, const char *name, __u32 len, struct sfs_attr *ret_attr)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_link);
	ret = dir_and_ino(fs, &locks, dir, ino);
	if (ret < 0)
		return ret;
	ret = link(fs, &locks, cred, ino, dir, name, len, ret_attr);
	sfs_locks_end(fs, &locks);
	return ret;
}

/*
 * @opens: of the inode, by the caller, who will only close them.  What is known
 * of its use is known before the hold, and claimed until after it.
 */
static int remove_entry(struct sfs_fs *fs, struct sfs_inode *dsi,
			const struct sfs_entry *e, struct sfs_inode *si,
			u32 opens)
{
	struct sfs_ivol *vol = NULL;
	struct sfs_need need = {};
	struct sfs_hold hold;
	struct sfs_time now;
	bool at_once;
	int ret;

	at_once = sfs_delete_at_once(fs, si, opens, &vol);
	sfs_need_inode(&need);
	sfs_need_inode(&need);
	sfs_need_entry(&need, e->name_len);
	need.items += 1;
	now = sfs_now(fs);
	ret = sfs_hold_begin(fs, si->locks, &hold, SFS_SPACE_DELETE, &need);
	if (ret < 0)
		goto out;
	sfs_entry_del(fs, &hold, e);
	sfs_inode_changed(si, &now);
	if (at_once) {
		si->nlink = 0;
		sfs_inode_erase(fs, &hold, si);
	} else {
		sfs_inode_unlinked(fs, &hold, si);
		sfs_inode_store(fs, &hold, si);
	}
	dsi->size -= e->name_len;
	if (S_ISDIR(si->mode))
		dsi->nlink--;
	sfs_inode_modified(dsi, &now);
	sfs_inode_store(fs, &hold, dsi);
	sfs_hold_end(fs, &hold);
	if (!si->nlink && !at_once)
		sfs_ivol_orphaned(fs, si->ino);
out:
	if (at_once)
		sfs_delete_at_once_exit(fs, vol, ret == 0);
	return ret;
}

static int remove_name(struct sfs_fs *fs, const struct sfs_cred *cred, u64 dir,
		       const char *name, u32 len, u64 ino, bool is_dir,
		       u32 opens, struct sfs_attr *ret_attr)
{
	struct sfs_lockset locks;
	struct sfs_inode dsi;
	struct sfs_inode si;
	struct sfs_entry e;
	int ret;

	sfs_count(fs->cnt, op_unlink);
	ret = dir_and_ino(fs, &locks, dir, ino);
	if (ret < 0)
		return ret;
	ret = sfs_dir_for_gone(fs, &locks, cred, dir, name, len, ino, &dsi, &e,
			       &si);
	if (ret == 0 && S_ISDIR(si.mode) != is_dir)
		ret = is_dir ? -ENOTDIR : -EISDIR;
	if (ret == 0 && is_dir && si.size)
		ret = -ENOTEMPTY;
	if (ret == 0)
		ret = remove_entry(fs, &dsi, &e, &si, opens);
	if (ret == 0 && ret_attr)
		sfs_inode_to_attr(fs, &si, ret_attr);
	sfs_locks_end(fs, &locks);
	return ret;
}

int sfs_unlink_unused(struct sfs_fs *fs, const struct sfs_cred *cred,
		      __u64 dir, const char *name, __u32 len, __u64 ino,
		      __u32 opens, struct sfs_attr *ret_attr)
{
	return remove_name(fs, cred, dir, name, len, ino, false, opens,
			   ret_attr);
}

int sfs_unlink(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	       const char *name, __u32 len, __u64 ino)
{
	return sfs_unlink_unused(fs, cred, dir, name, len, ino, 0, NULL);
}

int sfs_rmdir(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	      const char *name, __u32 len, __u64 ino)
{
	return remove_name(fs, cred, dir, name, len, ino, true, 0, NULL);
}

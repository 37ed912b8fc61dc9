/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Renaming.
 *
 * One hold takes the old entry away, puts the new one, and takes the entry of
 * the inode that had the new name, so after a crash either all of it happened
 * or nothing.  The new entry gets a new position, also in its own directory:
 * positions are in the order of creation.  The back reference of a directory
 * is its "..", which follows without further ado.
 *
 * A directory must not come to lie below itself.  Whether it would is found out
 * by walking up from the new directory, before the locks of the four inodes are
 * taken, with one lock at a time.  The rename lock of the cluster keeps every
 * directory where it is meanwhile: only a rename between directories moves one,
 * and each of those has it for writing.  A directory on the way is not empty
 * and so can not be removed.
 *
 * Locks: the rename lock when the directories differ, then those of both
 * directories, the inode and the one it replaces, in ascending order; and the
 * caller's exclusion (api.h) of all of them in this mount.
 */
#include "fs/fs.h"

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include "base/report.h"
#include "mount/mount_types.h"

struct rename {
	struct sfs_lockset locks;
	const struct sfs_cred *cred;
	struct sfs_inode old_dsi;
	struct sfs_inode new_dsi;	/* unused when they are the same */
	struct sfs_inode *to;		/* that of the new name */
	struct sfs_inode si;
	struct sfs_inode victim;
	struct sfs_entry old;
	struct sfs_entry new;
	struct sfs_entry gone;		/* of the victim */
	bool replaces;
	bool across;			/* from one directory to another */
	struct sfs_time now;
};

/* The new name does not exist. */
static int rename_to_new(struct sfs_fs *fs, struct rename *op)
{
	if (!op->to->nlink)
		return -ENOENT;
	if (op->across && S_ISDIR(op->si.mode) && op->to->nlink >= S32_MAX)
		return -EMLINK;
	return sfs_perm_check(op->to, op->cred, SFS_MAY_WRITE | SFS_MAY_EXEC);
}

/* The new name belongs to op->victim. */
static int rename_to_existing(struct sfs_fs *fs, struct rename *op)
{
	int ret;

	ret = sfs_perm_check(op->to, op->cred, SFS_MAY_WRITE | SFS_MAY_EXEC);
	if (ret < 0)
		return ret;
	ret = sfs_perm_sticky(op->to, &op->victim, op->cred);
	if (ret < 0)
		return ret;
	if (S_ISDIR(op->si.mode) && !S_ISDIR(op->victim.mode))
		return -ENOTDIR;
	if (!S_ISDIR(op->si.mode) && S_ISDIR(op->victim.mode))
		return -EISDIR;
	if (S_ISDIR(op->victim.mode) && op->victim.size)
		return -ENOTEMPTY;
	return 0;
}

/* The directory of the new name and what is there. */
static int rename_find_new(struct sfs_fs *fs, struct rename *op, u64 new_dir,
			   const char *name, u32 len, u64 new_ino, u32 flags)
{
	int ret;

	ret = sfs_name_check(name, len);
	if (ret < 0)
		return ret;
	op->to = &op->old_dsi;
	op->across = new_dir != op->old.dir;
	if (op->across) {
		ret = sfs_dir_read(fs, &op->locks, op->cred, new_dir,
				   &op->new_dsi);
		if (ret < 0)
			return ret;
		op->to = &op->new_dsi;
	}
	ret = sfs_entry_find(fs, &op->locks, new_dir, name, len, &op->gone);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	op->replaces = ret == 0;
	if (op->replaces && (flags & SFS_RENAME_NOREPLACE))
		return -EEXIST;
	if ((op->replaces ? op->gone.ino : 0) != new_ino)
		return -ESTALE;
	op->new = (struct sfs_entry) {
		.dir = new_dir,
		.ino = op->si.ino,
		.pos = op->to->next_pos,
		.hash = sfs_name_hash(&fs->inodes->name_key, name, len),
		.type = op->old.type,
		.name_len = len,
		.name = name,
	};
	return 0;
}

static int rename_check(struct sfs_fs *fs, struct rename *op)
{
	int ret;

	if (op->replaces) {
		ret = sfs_inode_read(fs, &op->locks, op->gone.ino,
				     &op->victim);
		if (ret == 0)
			ret = rename_to_existing(fs, op);
	} else {
		ret = rename_to_new(fs, op);
	}
	if (ret < 0)
		return ret;
	/* its ".." changes */
	if (op->across && S_ISDIR(op->si.mode))
		return sfs_perm_check(&op->si, op->cred, SFS_MAY_WRITE);
	return 0;
}

static void rename_apply(struct sfs_fs *fs, struct sfs_hold *hold,
			 struct rename *op)
{
	bool is_dir = S_ISDIR(op->si.mode);
	struct sfs_time now = op->now;

	/* first: who looks without excluding us always finds the new name */
	sfs_entry_put(fs, hold, &op->new);
	sfs_entry_del(fs, hold, &op->old);
	op->old_dsi.size -= op->old.name_len;
	if (op->replaces) {
		sfs_entry_del(fs, hold, &op->gone);
		op->to->size -= op->gone.name_len;
		if (is_dir)
			op->to->nlink--;
		sfs_inode_changed(&op->victim, &now);
		sfs_inode_unlinked(fs, hold, &op->victim);
		sfs_inode_store(fs, hold, &op->victim);
	}
	op->to->size += op->new.name_len;
	op->to->next_pos++;
	if (op->across && is_dir) {
		op->old_dsi.nlink--;
		op->to->nlink++;
	}
	sfs_inode_changed(&op->si, &now);
	sfs_inode_store(fs, hold, &op->si);
	sfs_inode_modified(&op->old_dsi, &now);
	sfs_inode_store(fs, hold, &op->old_dsi);
	if (op->across) {
		sfs_inode_modified(op->to, &now);
		sfs_inode_store(fs, hold, op->to);
	}
}

static noinline int rename_do(struct sfs_fs *fs, struct rename *op)
{
	struct sfs_need need = {};
	struct sfs_hold hold;
	unsigned int i;
	int ret;

	for (i = 0; i < 4; i++)
		sfs_need_inode(&need);
	sfs_need_entry(&need, op->old.name_len);
	sfs_need_entry(&need, op->new.name_len);
	sfs_need_entry(&need, op->new.name_len);
	need.items += 1;
	op->now = sfs_now(fs);
	ret = sfs_hold_begin(fs, &op->locks, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	rename_apply(fs, &hold, op);
	sfs_hold_end(fs, &hold);
	if (op->replaces && !op->victim.nlink)
		sfs_ivol_orphaned(fs, op->victim.ino);
	return 0;
}

static int rename_locked(struct sfs_fs *fs, struct rename *op, u64 old_dir,
			 const char *old_name, u32 old_len, u64 ino,
			 u64 new_dir, const char *new_name, u32 new_len,
			 u64 new_ino, u32 flags, bool under)
{
	int ret;

	ret = sfs_dir_for_gone(fs, &op->locks, op->cred, old_dir, old_name,
			       old_len, ino, &op->old_dsi, &op->old, &op->si);
	if (ret == 0 && (flags & SFS_RENAME_NO_DIR) && S_ISDIR(op->si.mode))
		ret = -ESTALE;
	if (ret < 0)
		return ret;
	ret = rename_find_new(fs, op, new_dir, new_name, new_len, new_ino,
			      flags);
	if (ret < 0)
		return ret;
	/* two names of one inode: nothing happens, says POSIX */
	if (op->replaces && op->gone.ino == ino)
		return 0;
	if (under && S_ISDIR(op->si.mode))
		return -EINVAL;
	ret = rename_check(fs, op);
	if (ret < 0)
		return ret;
	return rename_do(fs, op);
}

/* The locks of all four. */
static int rename_begin(struct sfs_fs *fs, struct sfs_lockset *locks,
			u64 old_dir, u64 ino, u64 new_dir, u64 new_ino)
{
	sfs_locks_add(locks, sfs_lock_of_ino(old_dir), SFS_LOCK_WRITE);
	sfs_locks_add(locks, sfs_lock_of_ino(ino), SFS_LOCK_WRITE);
	sfs_locks_add(locks, sfs_lock_of_ino(new_dir), SFS_LOCK_WRITE);
	if (new_ino)
		sfs_locks_add(locks, sfs_lock_of_ino(new_ino), SFS_LOCK_WRITE);
	return sfs_locks_begin(fs, locks);
}

/* 1 when @ino is a directory above @dir, or it.  Has a stack frame of its own. */
static noinline int is_under(struct sfs_fs *fs, u64 dir, u64 ino)
{
	struct sfs_lockset locks;
	struct sfs_inode si;
	int ret;

	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = sfs_inode_read(fs, &locks, ino, &si);
	sfs_locks_end(fs, &locks);
	if (ret < 0 || !S_ISDIR(si.mode))
		return ret;
	return sfs_dir_is_under(fs, dir, ino);
}

int sfs_rename(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 old_dir,
	       const char *old_name, __u32 old_len, __u64 ino, __u64 new_dir,
	       const char *new_name, __u32 new_len, __u64 new_ino,
	       __u32 flags)
{
	struct rename op = { .cred = cred };
	struct sfs_lock_use whole = {};
	/* who is above whom is changed by directories alone */
	bool across = old_dir != new_dir && !(flags & SFS_RENAME_NO_DIR);
	int under = 0;
	int ret = 0;

	sfs_count(fs->cnt, op_rename);
	if (flags & ~(SFS_RENAME_NOREPLACE | SFS_RENAME_NO_DIR))
		return -EINVAL;
	if (across) {
		ret = sfs_lock_use_begin(fs, SFS_LOCK_RENAME, SFS_LOCK_WRITE, 0,
					 &whole);
		if (ret < 0)
			return ret;
		under = is_under(fs, new_dir, ino);
	}
	/* a new directory that is gone is found out below, in its turn */
	if (under < 0 && under != -ENOENT)
		ret = under;
	if (ret == 0)
		ret = rename_begin(fs, &op.locks, old_dir, ino, new_dir,
				   new_ino);
	if (ret == 0) {
		ret = rename_locked(fs, &op, old_dir, old_name, old_len, ino,
				    new_dir, new_name, new_len, new_ino, flags,
				    under > 0);
		sfs_locks_end(fs, &op.locks);
	}
	if (across)
		sfs_lock_use_end(fs, &whole, 0);
	return ret;
}

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
 * by walking up from the new directory.  The rename lock of the mount keeps
 * every directory where it is meanwhile: only a rename between directories
 * moves one, and each of those holds it.  A directory on the way is not empty
 * and so can not be removed.
 *
 * Locks: the rename lock when the directories differ, both directories, the
 * inode and the one it replaces, all exclusively and all taken by the caller.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include "base/report.h"
#include "mount/mount_types.h"

struct rename {
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
		ret = sfs_dir_read(fs, op->cred, new_dir, &op->new_dsi);
		if (ret < 0)
			return ret;
		op->to = &op->new_dsi;
	}
	ret = sfs_entry_find(fs, new_dir, name, len, &op->gone);
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

	if (op->across && S_ISDIR(op->si.mode)) {
		ret = sfs_dir_is_under(fs, op->new.dir, op->si.ino);
		if (ret != 0)
			return ret < 0 ? ret : -EINVAL;
	}
	if (op->replaces) {
		ret = sfs_inode_read(fs, op->gone.ino, &op->victim);
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
	sfs_entry_put(fs, hold, &op->new);
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

static int rename_do(struct sfs_fs *fs, struct rename *op)
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
	ret = sfs_hold_begin(fs, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	rename_apply(fs, &hold, op);
	sfs_hold_end(fs, &hold);
	if (op->replaces && !op->victim.nlink)
		sfs_ivol_orphaned(fs, op->victim.ino);
	return 0;
}

int sfs_rename(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 old_dir,
	       const char *old_name, __u32 old_len, __u64 ino, __u64 new_dir,
	       const char *new_name, __u32 new_len, __u64 new_ino,
	       __u32 flags)
{
	struct rename op = { .cred = cred };
	int ret;

	sfs_count(fs->cnt, op_rename);
	if (flags & ~SFS_RENAME_NOREPLACE)
		return -EINVAL;
	ret = sfs_dir_for_gone(fs, cred, old_dir, old_name, old_len, ino,
			       &op.old_dsi, &op.old, &op.si);
	if (ret < 0)
		return ret;
	ret = rename_find_new(fs, &op, new_dir, new_name, new_len, new_ino,
			      flags);
	if (ret < 0)
		return ret;
	/* two names of one inode: nothing happens, says POSIX */
	if (op.replaces && op.gone.ino == ino)
		return 0;
	ret = rename_check(fs, &op);
	if (ret < 0)
		return ret;
	return rename_do(fs, &op);
}

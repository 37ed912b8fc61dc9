/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Permissions: who may do what, and what new inodes inherit.
 *
 * The rules are those of Linux.  Both hosts get them from here, evaluated on
 * the item that the operation is about to change, under the exclusion that the
 * operation holds.  A host that checks read, write and execute permission by
 * itself (the kernel with ACLs or security modules knows more) says so in its
 * credentials, and those are not evaluated again; ownership, the sticky bit and
 * what happens to set-id bits always are.
 *
 * No locks, no state.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stat.h>

bool sfs_cred_in_group(const struct sfs_cred *cred, u32 gid)
{
	u32 i;

	if (cred->gid == gid)
		return true;
	for (i = 0; i < cred->nr_groups; i++) {
		if (cred->groups[i] == gid)
			return true;
	}
	return false;
}

bool sfs_perm_owner(const struct sfs_inode *si, const struct sfs_cred *cred)
{
	return cred->uid == si->uid || (cred->caps & SFS_CAP_FOWNER);
}

static bool cap_overrides(const struct sfs_inode *si,
			  const struct sfs_cred *cred, u32 mask)
{
	bool is_dir = S_ISDIR(si->mode);

	if (cred->caps & SFS_CAP_DAC_READ_SEARCH) {
		if (is_dir && !(mask & SFS_MAY_WRITE))
			return true;
		if (mask == SFS_MAY_READ)
			return true;
	}
	if (!(cred->caps & SFS_CAP_DAC_OVERRIDE))
		return false;
	return is_dir || !(mask & SFS_MAY_EXEC) || (si->mode & 0111);
}

int sfs_perm_evaluate(const struct sfs_inode *si, const struct sfs_cred *cred,
		      u32 mask)
{
	u32 bits = si->mode;

	if (cred->uid == si->uid)
		bits >>= 6;
	else if (sfs_cred_in_group(cred, si->gid))
		bits >>= 3;
	if (!(mask & ~bits & 7) || cap_overrides(si, cred, mask))
		return 0;
	return -EACCES;
}

int sfs_perm_check(const struct sfs_inode *si, const struct sfs_cred *cred,
		   u32 mask)
{
	return cred->host_checked ? 0 : sfs_perm_evaluate(si, cred, mask);
}

int sfs_perm_sticky(const struct sfs_inode *dir, const struct sfs_inode *si,
		    const struct sfs_cred *cred)
{
	if (!(dir->mode & S_ISVTX) || cred->uid == si->uid ||
	    cred->uid == dir->uid || (cred->caps & SFS_CAP_FOWNER))
		return 0;
	return -EPERM;
}

/* Owner, group and mode of an inode made in @dir. */
void sfs_perm_init(struct sfs_inode *si, const struct sfs_inode *dir,
		   const struct sfs_cred *cred, u32 mode)
{
	mode &= S_IFMT | 07777;
	if (!S_ISLNK(mode))
		mode &= ~(cred->umask & 0777);
	si->uid = cred->uid;
	si->gid = cred->gid;
	if (dir->mode & S_ISGID) {
		si->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			 !sfs_cred_in_group(cred, si->gid) &&
			 !(cred->caps & SFS_CAP_FSETID))
			mode &= ~S_ISGID;
	}
	si->mode = mode;
}

u32 sfs_perm_drop_ids(const struct sfs_inode *si, const struct sfs_cred *cred,
		      u32 mode)
{
	if (S_ISDIR(mode))
		return mode;
	mode &= ~S_ISUID;
	/* without S_IXGRP it is a mark for mandatory locking, not a privilege */
	if ((mode & S_IXGRP) || (!sfs_cred_in_group(cred, si->gid) &&
				 !(cred->caps & SFS_CAP_FSETID)))
		mode &= ~S_ISGID;
	return mode;
}

static int perm_set_times(const struct sfs_inode *si,
			  const struct sfs_cred *cred, u32 mask)
{
	if (sfs_perm_owner(si, cred))
		return 0;
	if (mask & (SFS_SET_ATIME | SFS_SET_MTIME))
		return -EPERM;
	if (mask & (SFS_SET_ATIME_NOW | SFS_SET_MTIME_NOW))
		return sfs_perm_check(si, cred, SFS_MAY_WRITE);
	return 0;
}

int sfs_perm_setattr(const struct sfs_inode *si, const struct sfs_cred *cred,
		     const struct sfs_setattr *set)
{
	bool chown = cred->caps & SFS_CAP_CHOWN;
	int ret;

	if (set->mask & SFS_SET_SIZE) {
		if (S_ISDIR(si->mode))
			return -EISDIR;
		if (!S_ISREG(si->mode))
			return -EINVAL;
		if (set->size > SFS_MAX_FILE_SIZE)
			return -EFBIG;
		if (!(set->mask & SFS_SET_OPEN_TRUNC)) {
			ret = sfs_perm_check(si, cred, SFS_MAY_WRITE);
			if (ret < 0)
				return ret;
		}
	}
	if ((set->mask & SFS_SET_UID) && !chown &&
	    (cred->uid != si->uid || set->uid != si->uid))
		return -EPERM;
	if ((set->mask & SFS_SET_GID) && !chown &&
	    (cred->uid != si->uid ||
	     (set->gid != si->gid && !sfs_cred_in_group(cred, set->gid))))
		return -EPERM;
	if ((set->mask & SFS_SET_MODE) && !sfs_perm_owner(si, cred))
		return -EPERM;
	return perm_set_times(si, cred, set->mask);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uses of cluster locks for hosts: what a host caches of an inode it reads, and
 * writes back, in a use of the inode's lock.
 */
#include "fs/fs.h"

#include <linux/build_bug.h>
#include <linux/kernel.h>

static_assert(sizeof(struct sfs_lock_use) <= sizeof(struct sfs_use));

static struct sfs_lock_use *lock_use(struct sfs_use *use)
{
	return (struct sfs_lock_use *)use->priv;
}

int sfs_use_begin(struct sfs_fs *fs, __u64 ino, __u32 flags,
		  struct sfs_use *use)
{
	u8 mode = flags & SFS_USE_WRITE ? SFS_LOCK_WRITE : SFS_LOCK_READ;

	return sfs_lock_use_begin(fs, sfs_lock_of_ino(ino), mode, flags,
				  lock_use(use));
}

void sfs_use_end(struct sfs_fs *fs, struct sfs_use *use)
{
	/* what is changed in it says so by itself */
	sfs_lock_use_end(fs, lock_use(use), 0);
}

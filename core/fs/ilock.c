/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of inodes for hosts that have none of their own, and the rename lock.
 *
 * Inodes share SFS_ILOCK_BUCKETS reader-writer semaphores by number.  All that
 * an operation needs are taken at once, in the order of the buckets, each
 * bucket once, so neither two operations nor two inodes of one operation can
 * deadlock.  Order: rename lock < ilocks < everything else of the core.  What
 * holds ilocks takes no others.
 *
 * The worker of delete.c takes the ilock of an inode before it changes it, so
 * with these locks Excl(ino) means excluded from it, too.  (For a host with its
 * own locks sfs_inode_open() keeps the worker away.)
 */
#include "fs/fs.h"

#include <linux/kernel.h>
#include "mount/mount_types.h"

static u32 ilock_bucket(u64 ino)
{
	return (ino ^ (ino >> 10)) % SFS_ILOCK_BUCKETS;
}

/* Into its place in ascending order, unless it is there already. */
static void ilock_add(struct sfs_ilock *il, u64 ino)
{
	u32 bucket = ilock_bucket(ino);
	u32 i;
	u32 n;

	if (!ino)
		return;
	for (i = 0; i < il->nr; i++) {
		if (il->bucket[i] == bucket)
			return;
		if (il->bucket[i] > bucket)
			break;
	}
	for (n = il->nr; n > i; n--)
		il->bucket[n] = il->bucket[n - 1];
	il->bucket[i] = bucket;
	il->nr++;
}

void sfs_ilock_shared(struct sfs_fs *fs, struct sfs_ilock *il, __u64 ino)
{
	il->nr = 0;
	il->excl = 0;
	ilock_add(il, ino);
	if (il->nr)
		down_read(&fs->inodes->ilocks[il->bucket[0]]);
}

void sfs_ilock_excl(struct sfs_fs *fs, struct sfs_ilock *il, __u64 a, __u64 b,
		    __u64 c, __u64 d)
{
	u32 i;

	il->nr = 0;
	il->excl = 1;
	ilock_add(il, a);
	ilock_add(il, b);
	ilock_add(il, c);
	ilock_add(il, d);
	for (i = 0; i < il->nr; i++)
		down_write_nested(&fs->inodes->ilocks[il->bucket[i]], i);
}

void sfs_iunlock(struct sfs_fs *fs, struct sfs_ilock *il)
{
	u32 i;

	for (i = il->nr; i > 0; i--) {
		if (il->excl)
			up_write(&fs->inodes->ilocks[il->bucket[i - 1]]);
		else
			up_read(&fs->inodes->ilocks[il->bucket[i - 1]]);
	}
	il->nr = 0;
}

void sfs_rename_lock(struct sfs_fs *fs)
{
	mutex_lock(&fs->inodes->rename_lock);
}

void sfs_rename_unlock(struct sfs_fs *fs)
{
	mutex_unlock(&fs->inodes->rename_lock);
}

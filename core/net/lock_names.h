/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_NET_LOCK_NAMES_H
#define SFS_NET_LOCK_NAMES_H

#include <linux/types.h>

/* Cluster locks: their modes, and what is called what in messages. */
enum sfs_lock_mode {
	SFS_LOCK_NONE = 0,
	SFS_LOCK_READ = 1,
	SFS_LOCK_WRITE = 2,
};

/* The epoch of a grant has the term of the server above these bits. */
#define SFS_LOCK_EPOCH_BITS 40

/* Names of locks. */
#define SFS_LOCK_RENAME 0	/* where directories are */
#define SFS_LOCK_GROUP_0 16	/* of the inode numbers below 1,024 */
#define SFS_LOCK_GROUP_SHIFT 10

static inline u64 sfs_lock_of_ino(u64 ino)
{
	return SFS_LOCK_GROUP_0 + (ino >> SFS_LOCK_GROUP_SHIFT);
}

/* The first inode number a lock covers; those of groups cover 1,024. */
static inline u64 sfs_lock_first_ino(u64 id)
{
	return (id - SFS_LOCK_GROUP_0) << SFS_LOCK_GROUP_SHIFT;
}

#endif

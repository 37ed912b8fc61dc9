/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cluster locks as the filesystem floor uses them.
 *
 * An operation collects the locks it needs in a set, begins it, reads and
 * changes what they cover, and ends it.  While a set is begun, no other mount
 * changes what it covers for reading or looks at what it covers for writing,
 * and this mount has all that others changed there before.
 *
 *	struct sfs_lockset locks = {};
 *
 *	sfs_locks_add(&locks, sfs_lock_of_ino(dir), SFS_LOCK_WRITE);
 *	sfs_locks_add(&locks, sfs_lock_of_ino(ino), SFS_LOCK_WRITE);
 *	ret = sfs_locks_begin(fs, &locks);
 *	...
 *	sfs_locks_end(fs, &locks);
 *
 * Locks are waited for in ascending order, and no thread waits for a lock
 * while it uses a higher one: so no operations, of whatever mounts, wait for
 * each other in a circle.  A thread that uses a lock already enters it again
 * without waiting, but never for writing while it uses it for reading.
 */
#ifndef SFS_MOUNT_LOCKS_H
#define SFS_MOUNT_LOCKS_H

#include <linux/list.h>
#include <linux/types.h>
#include "base/key.h"
#include "net/lock_names.h"

struct sfs_fs;
struct sfs_lock;
struct sfs_msg;
struct task_struct;

/* One use of one lock by one thread; on its stack. */
struct sfs_lock_use {
	struct sfs_lock *lock;		/* NULL: not begun */
	struct list_head head;		/* of the lock's users, or those waiting */
	struct task_struct *task;
	u8 mode;
	u8 flags;			/* enum sfs_use_flags */
	u8 entered;
	u8 dirty;			/* something it covers was changed */
};

int sfs_lock_use_begin(struct sfs_fs *fs, u64 id, u8 mode, u32 flags,
		       struct sfs_lock_use *use);
/* @txn_nr: the last transaction with changes made in this use, 0: none. */
void sfs_lock_use_end(struct sfs_fs *fs, struct sfs_lock_use *use, u64 txn_nr);

#define SFS_LOCKSET_MAX 5

struct sfs_lockset {
	u32 nr;
	u32 flags;			/* enum sfs_use_flags, of all */
	u64 txn_nr;			/* of the last hold under it */
	struct sfs_locked {
		u64 id;
		u8 mode;
		struct sfs_lock_use use;
	} lock[SFS_LOCKSET_MAX];
};

/* Keeps them in order; the stronger mode when it is there already. */
void sfs_locks_add(struct sfs_lockset *set, u64 id, u8 mode);
/* All or none: -EIO, -EINTR, -EAGAIN (NOWAIT), -ENOMEM. */
int sfs_locks_begin(struct sfs_fs *fs, struct sfs_lockset *set);
void sfs_locks_end(struct sfs_fs *fs, struct sfs_lockset *set);

/* A set of one inode's lock, begun. */
int sfs_locks_ino(struct sfs_fs *fs, struct sfs_lockset *set, u64 ino, u8 mode);

/*
 * Of a lock that is used for writing: changes whenever the mount gets it for
 * writing anew.  While it is the same nobody else has seen what it covers.
 */
u64 sfs_lock_tenure(const struct sfs_lock_use *use);
/* The use in the set that covers @ino; there is one. */
const struct sfs_lock_use *sfs_locks_use(const struct sfs_lockset *set, u64 ino);
u64 sfs_locks_tenure(const struct sfs_lockset *set, u64 ino);

/*
 * An inode is opened, under a lock of the set that covers it; closed.  Counted.
 * Others are told when the lock is given up, and when that has happened.
 */
int sfs_locks_opened(struct sfs_fs *fs, const struct sfs_lockset *set, u64 ino);
void sfs_locks_closed(struct sfs_fs *fs, u64 ino);
/*
 * Whether another mount may have @ino open; the set covers it for writing.  If
 * so, this mount is told later that it is worth another look.
 */
bool sfs_locks_open_elsewhere(struct sfs_fs *fs, const struct sfs_lockset *set,
			      u64 ino);

/* Whether what belongs to @ino may be read, or changed, under the set. */
bool sfs_locks_cover(const struct sfs_lockset *set, u64 ino, u8 mode);
/*
 * An item is changed in a hold of transaction @txn_nr; asserts that it may.
 * (@set is NULL in tests of the floors below, whose items are no inodes'.)
 */
void sfs_locks_changed(struct sfs_lockset *set, const struct sfs_key *key,
		       u64 txn_nr);

#endif

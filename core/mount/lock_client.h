/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cluster locks towards the rest of the mount: what arrives, what leaves with
 * a publish, and their life.
 */
#ifndef SFS_MOUNT_LOCK_CLIENT_H
#define SFS_MOUNT_LOCK_CLIENT_H

#include "mount/mount_types.h"

struct sfs_locks;
struct sfs_msg_lock_release;

int sfs_locks_start(struct sfs_fs *fs);
/* No use runs or comes, and no message. */
void sfs_locks_stop(struct sfs_fs *fs);
/* The mount is down: nobody waits any longer. */
void sfs_locks_fail(struct sfs_fs *fs);
/* The mount has failed: no upcall is running when it returns, and none will. */
void sfs_locks_drain(struct sfs_fs *fs);

/* A grant or a revoke of the server; does not wait. */
void sfs_locks_message(struct sfs_fs *fs, const struct sfs_msg *msg);
/* A version was applied: grants may have waited for it. */
void sfs_locks_applied(struct sfs_fs *fs);
/* A lock that came with a new group of inode numbers. */
int sfs_lock_install(struct sfs_fs *fs, u64 id, u64 epoch);

/*
 * Releases of what transactions up to @txn_nr changed, to go with the publish
 * of that one: at most @max.
 */
u32 sfs_locks_take_releases(struct sfs_fs *fs, u64 txn_nr,
			    struct sfs_msg_lock_release *rels, u32 max);
/* Transactions up to published_nr are durable: what still waits for that. */
void sfs_locks_published(struct sfs_fs *fs);

#endif

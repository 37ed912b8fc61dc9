/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_MOUNT_SESSION_H
#define SFS_MOUNT_SESSION_H

#include "mount/mount_types.h"

extern const struct sfs_client_ops sfs_session_ops;

/*
 * The manifest of a version that the server has now becomes what this mount
 * reads, unless it is there already.
 */
int sfs_session_load(struct sfs_fs *fs);
/*
 * locks.c: tells a server that does not know them which locks this mount has,
 * by any number of messages SFS_MSG_RESTATE through sfs_client_greet().  What
 * went with publishes up to @publish_nr has been given up.
 */
int sfs_locks_restate(struct sfs_fs *fs, u64 publish_nr);
/* Edits in the order of versions, and the whole manifest when some are missing. */
void sfs_session_edit_worker(struct work_struct *work);
/* The connection is closed: what is queued is of no use. */
void sfs_session_drop_edits(struct sfs_fs *fs);

#endif

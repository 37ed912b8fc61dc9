/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_MOUNT_MOUNT_H
#define SFS_MOUNT_MOUNT_H

#include "mount/mount_types.h"

/* Connects to the server, loads the manifest, opens the first transaction. */
int sfs_mount_join(struct sfs_host *host, struct sfs_hub *hub,
		   const struct sfs_mount_opts *opts, struct sfs_fs **ret_fs);
/*
 * Publishes what is left and departs; @fs is gone afterwards.  Returns the
 * error of that publish.
 */
int sfs_mount_leave(struct sfs_fs *fs);

/*
 * Its end without publishing or telling anybody, as if it had died: what it had
 * not published is lost, the server takes back what it owned.
 */
void sfs_mount_drop(struct sfs_fs *fs);
/* The first part of that: operations fail, waits end, nothing is published. */
void sfs_mount_kill(struct sfs_fs *fs);

/*
 * Who is told that inode @ino may be deleted now (0: to look for all such).
 * @fn may not wait; NULL: nobody, also none that runs when this returns.
 */
void sfs_mount_on_unused(struct sfs_fs *fs,
			 void (*fn)(struct sfs_fs *fs, u64 ino));

/* For the mount that runs.  One caller at a time, none while it leaves. */
void sfs_mount_set_opts(struct sfs_fs *fs, const struct sfs_mount_opts *opts);

/* The first error that took the mount down, 0 while it is up. */
int sfs_mount_error(struct sfs_fs *fs);
/* Takes the mount down: no operation succeeds after it. */
void sfs_mount_fail(struct sfs_fs *fs, int err, const char *why);

#endif

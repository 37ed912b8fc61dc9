/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_MOUNT_MOUNT_H
#define SFS_MOUNT_MOUNT_H

#include "mount/mount_types.h"

void sfs_mount_on_unused(struct sfs_fs *fs,
			 void (*fn)(struct sfs_fs *fs, u64 ino));
int sfs_mount_join(struct sfs_host *host, struct sfs_hub *hub,
		   const struct sfs_mount_opts *opts, struct sfs_fs **ret_fs);
int sfs_mount_leave(struct sfs_fs *fs);
void sfs_mount_kill(struct sfs_fs *fs);
void sfs_mount_drop(struct sfs_fs *fs);
void sfs_mount_set_opts(struct sfs_fs *fs, const struct sfs_mount_opts *opts);

#endif

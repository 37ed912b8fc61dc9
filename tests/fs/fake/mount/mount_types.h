/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mount as the filesystem floor sees it, without the floors below: for
 * tests over fake_txn.c.  Found before core/ by the include path of those.
 */
#ifndef SFS_MOUNT_TYPES_H
#define SFS_MOUNT_TYPES_H

#include <linux/types.h>
#include "api.h"
#include "mount/txn.h"

struct fake_txn;

struct sfs_fs {
	struct sfs_host *host;
	struct sfs_mount_opts opts;
	u64 fsid;
	u64 rid;
	u8 hash_key[16];
	struct sfs_inodes *inodes;
	struct sfs_counters *cnt;
	struct fake_txn *fake;
};

#endif

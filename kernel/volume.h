/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_VOLUME_H
#define SFS_KERNEL_VOLUME_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include "api.h"
#include "host.h"

struct fs_context;
struct sfs_owner;
struct sfs_bdev;

/*
 * A volume that this kernel uses: its two devices, claimed exclusively and in
 * the owner block, and the server.  All superblocks of a volume share one.
 */
struct sfs_volume {
	struct sfs_host host;
	struct sfs_server *srv;		/* I */
	struct sfs_owner *owner;	/* I */
	struct sfs_bdev *dev[SFS_NR_DEVS]; /* I: open devices, see compat.h */
	u64 fsid;			/* I */
	struct list_head node;		/* L(volumes): of the list of all */
	refcount_t users;		/* superblocks */
};

/*
 * The volume of the two devices, opened and with its server running, or one
 * more use of it when it is open already.  @force: as the mount option.  Errors
 * have been told through @fc and the log: -ENOTBLK for a path that is no block
 * device, -EBUSY when another host or program has it, -EINVAL for wrong order,
 * two devices of a kind or of two volumes, and what sfs_server_start() says.
 * Waits are killable.
 */
int sfs_volume_get(struct fs_context *fc, const char *data_path,
		   const char *meta_path, bool force,
		   struct sfs_volume **ret_vol);
/*
 * One use less.  With the last one the server stops and the devices are
 * released: as clean, unless @failed (the last publish did not succeed).
 */
void sfs_volume_put(struct sfs_volume *vol, bool failed);
/* The mount has its rid: into the owner block. */
void sfs_volume_set_rid(struct sfs_volume *vol, u64 rid);

#endif

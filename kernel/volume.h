/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_VOLUME_H
#define SFS_KERNEL_VOLUME_H

#include <linux/list.h>
#include <linux/types.h>

#include "api.h"
#include "compat.h"
#include "host.h"

struct fs_context;
struct sfs_owner;
struct sfs_shrinker;

enum sfs_volume_state {
	SFS_VOLUME_STARTING,
	SFS_VOLUME_READY,
	SFS_VOLUME_STOPPING,
};

/*
 * A volume that this kernel uses: its two devices, claimed exclusively and in
 * the owner block, and the server.  All superblocks of a volume share one.
 */
struct sfs_volume {
	struct sfs_host host;
	struct sfs_hub *hub;		/* I: server and mounts meet there */
	struct sfs_server *srv;		/* I */
	struct sfs_owner *owner;	/* I */
	struct sfs_shrinker *shrinker;	/* I: of the server's cache */
	struct sfs_bdev dev[SFS_NR_DEVS]; /* I: open devices, see compat.h */
	dev_t devt[SFS_NR_DEVS];	/* I: which they are */
	u64 fsid;			/* L(volumes): 0 until identified */
	struct list_head node;		/* L(volumes): of the list of all */
	enum sfs_volume_state state;	/* L(volumes) */
	unsigned int users;		/* L(volumes): superblocks */
	bool failed;			/* L(volumes): of one the last publish */
	spinlock_t mounts_lock;
	struct list_head mounts;	/* L(mounts_lock): struct sfs_sb, revoke.c */
	bool abandoned;			/* L(volumes): sfs_volume_abandon() */
};

/*
 * The volume of the two devices, opened and with its server running, or one
 * more use of it when it is open already.  @force: as the mount option.  Errors
 * have been told through @fc and the log: -ENOTBLK for a path that is no block
 * device, -EBUSY when another host or program has it, -EINVAL for wrong order,
 * two devices of a kind or of two volumes, -EROFS for a device that can not be
 * written, and what sfs_server_start() says.  Waits are killable.
 */
int sfs_volume_get(struct fs_context *fc, const char *data_path,
		   const char *meta_path, bool force,
		   struct sfs_volume **ret_vol);
/*
 * One use less.  With the last one the server stops and the devices are
 * released: as clean, unless @failed (the last publish did not succeed).
 */
void sfs_volume_put(struct sfs_volume *vol, bool failed);
/*
 * A device does not answer, and the superblock stays until it does although
 * nobody wants it any more: it is not to be had by other mounts.
 */
void sfs_volume_abandon(struct sfs_volume *vol);
/* The mount has its rid: into the owner block and the lines of the log. */
void sfs_volume_set_rid(struct sfs_volume *vol, u64 rid);

/* ---- owner.c ----------------------------------------------------------------- */

/*
 * Makes this kernel the owner of the volume @fsid and keeps it so until
 * released.  -EBUSY, with who has it in @who; -EINTR when killed while waiting.
 * Should it be lost later, the host is fenced.
 */
int sfs_owner_claim(struct sfs_host *host, u64 fsid, bool force, char *who,
		    size_t size, struct sfs_owner **ret_owner);
void sfs_owner_set_rid(struct sfs_owner *owner, u64 rid);
/* Says that release is near; others that wait may go on waiting. */
void sfs_owner_stopping(struct sfs_owner *owner);
/* @clean: the last publish succeeded. */
void sfs_owner_release(struct sfs_owner *owner, bool clean);
/*
 * Who owns a device that could not be claimed, for messages: 0 with the name
 * of that host, -ENODATA.
 */
int sfs_owner_who(struct block_device *bdev, char *who, size_t size,
		  bool *ret_stopping);

/* ---- shrinker.c -------------------------------------------------------------- */

/*
 * Gives clean metadata blocks of a mount (@fs) or of a server (@srv; one of
 * the two is NULL) back when memory is short.  -ENOMEM.
 */
int sfs_shrinker_create(struct sfs_fs *fs, struct sfs_server *srv,
			const char *name, struct sfs_shrinker **ret_shrinker);
/* Before what it shrinks goes.  Waits for those that run. */
void sfs_shrinker_destroy(struct sfs_shrinker *shrinker);

#endif

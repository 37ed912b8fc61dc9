/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_MOUNT_PUBLISH_H
#define SFS_MOUNT_PUBLISH_H

#include "mount/mount_types.h"

/* Data extents a transaction may consume or free, so that it fits a message. */
#define SFS_TXN_EXTENTS 4096

struct sfs_txn *sfs_txn_create(struct sfs_fs *fs, u64 nr, u64 seq);
void sfs_txn_free(struct sfs_txn *txn);

/* Transactions up to @nr should be published soon. */
void sfs_publish_kick(struct sfs_fs *fs, u64 nr);
/*
 * sfs_publish() for the end of a mount: being killed is no reason to stop
 * waiting.  -ETIMEDOUT after @patience_ms unless that is 0.
 */
int sfs_publish_last(struct sfs_fs *fs, u32 patience_ms);
/* Until the mount holds no sequence up to @seq, empty transactions included. */
void sfs_publish_beyond(struct sfs_fs *fs, u64 seq);
void sfs_publish_worker(struct work_struct *work);
void sfs_publish_timer(struct work_struct *work);
void sfs_publish_idle(struct work_struct *work);
/* Another mount published: soon this one must not hold it back. */
void sfs_publish_others(struct sfs_fs *fs);
/* Slices in level 0 of the current view. */
u32 sfs_publish_l0(struct sfs_fs *fs);

/* edits.c: the next version; -ESTALE when this is a later one. */
int sfs_mount_apply_edit(struct sfs_fs *fs, const struct sfs_msg *msg);
void sfs_mount_ack_worker(struct work_struct *work);
/* Waits until the version is applied. */
int sfs_mount_wait_version(struct sfs_fs *fs, u64 version);
/* Decodes slices from @p on; the caller owns @nr references in @slices. */
int sfs_mount_decode_slices(struct sfs_fs *fs, const u8 *p, const u8 *end,
			    u32 nr, struct sfs_slice **slices);
/* @edit is zeroed and to be freed, whatever comes of it. */
int sfs_mount_decode_edit(struct sfs_fs *fs, const struct sfs_msg *msg,
			  struct sfs_edit *edit);
void sfs_mount_free_edit(struct sfs_edit *edit);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_MOUNT_SPACE_H
#define SFS_MOUNT_SPACE_H

#include "mount/mount_types.h"

/* Room for one more extent than there are, at least @want; may sleep. */
int sfs_dext_room(struct sfs_dext_list *list, u32 want);
void sfs_dext_add(struct sfs_dext_list *list, u64 start, u64 count);
void sfs_dext_free(struct sfs_dext_list *list);

/*
 * Reserves @bytes of owned metadata space for a transaction, asking the server
 * for more when needed.  -ENOSPC, -EIO, -EINTR.
 */
int sfs_space_reserve(struct sfs_fs *fs, u64 bytes, enum sfs_space_class class);
void sfs_space_unreserve(struct sfs_fs *fs, u64 bytes);
/* What a run may need beyond its items: blocks of its own, rounding, tails. */
#define SFS_RUN_BASE_BYTES (160U << 10)
/* Bytes to reserve for items in a hold, wherever blocks happen to fall. */
u64 sfs_space_for_items(u32 items, u32 val_bytes);
/* Where a run that was reserved for goes; @arg is the mount. */
int sfs_space_get(void *arg, u32 len, u64 *ret_addr);
/* Segments that are used up and not yet told to the server: at most @max. */
u32 sfs_space_closed(struct sfs_fs *fs, u64 *ret_addrs, u32 max);
/* The answer to a request for space whose caller was killed. */
void sfs_space_late(void *arg, int slot, const struct sfs_msg *reply);
void sfs_space_exit(struct sfs_fs *fs);

#endif

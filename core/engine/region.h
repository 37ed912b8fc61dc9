/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_REGION_H
#define SFS_ENGINE_REGION_H

#include <linux/spinlock.h>
#include "base/identity.h"

/*
 * Space of the server region, in units.  Nothing about it is on the device:
 * root and log say what they use, the rest is free.
 */
struct sfs_region {
	u64 start;		/* I: bytes */
	u32 unit_bytes;		/* I */
	u32 nr_units;		/* I */
	spinlock_t lock;
	unsigned long *used;	/* L(lock): bitmap */
	u32 nr_used;		/* L(lock) */
	u32 hint;		/* L(lock): where to look next */
};

int sfs_region_init(struct sfs_region *reg, const struct sfs_identity *ident);
void sfs_region_exit(struct sfs_region *reg);
/* @units contiguous ones; -ENOSPC. */
int sfs_region_alloc(struct sfs_region *reg, u32 units, u64 *ret_addr);
void sfs_region_free(struct sfs_region *reg, u64 addr, u64 bytes);
/* Marks what root and log refer to; -EUCLEAN outside of the region. */
int sfs_region_mark(struct sfs_region *reg, u64 addr, u64 bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_SRV_ITEMS_H
#define SFS_SERVER_SRV_ITEMS_H

#include <linux/types.h>
#include "base/key.h"

/* NULL, or what is wrong with which field.  Slices only as to their length. */
const char *sfs_srv_item_check(const struct sfs_key *key, const void *val,
			       u32 len);
/* The value of a data extent. */
u64 sfs_srv_data_blocks(const void *val);
/* One line without newline; returns its length.  Bad values are printed so. */
int sfs_srv_item_to_text(const struct sfs_key *key, const void *val, u32 len,
			 u64 meta_bytes, char *buf, u32 size);

#endif

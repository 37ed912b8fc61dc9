/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_IDENTITY_H
#define SFS_BASE_IDENTITY_H

#include "base/block.h"
#include "api.h"

/* Everything the identity block says, what api.h does not show included. */
struct sfs_identity {
	struct sfs_volume_id id;
	u64 region_bytes;
	u32 segment_bytes;
	u8 hash_key[16];
};

/* Sizes of region and segments for a metadata device of @meta_bytes. */
void sfs_identity_geometry(u64 meta_bytes, u64 *ret_region_bytes,
			   u32 *ret_segment_bytes);

/* Device byte where segment 0 begins, and how many segments there are. */
u64 sfs_identity_seg_start(const struct sfs_identity *ident);
u64 sfs_identity_nr_segs(const struct sfs_identity *ident);

/*
 * What a block says of the volume: 0, -ENODATA, -EPROTONOSUPPORT or -EUCLEAN,
 * all with the field that is wrong.
 */
int sfs_identity_parse(const struct sfs_identity_block *blk,
		       struct sfs_wrong *ret_wrong,
		       struct sfs_identity *ret_ident);
/*
 * Line @nr of what it says, from 0 on; returns the number of the next line, 0
 * after the last one.
 */
u32 sfs_identity_to_text(const struct sfs_identity *ident, u32 nr, char *buf,
			 u32 size);
/* As sfs_read_identity() of api.h. */
int sfs_identity_read(struct sfs_host *host, int dev,
		      struct sfs_identity *ret_ident);
/* Writes all three copies: data device, tail of the metadata device, head. */
int sfs_identity_write(struct sfs_host *host, const struct sfs_identity *ident);

/*
 * Both devices' identities, checked against each other and against the sizes
 * of the devices.  -EINVAL for swapped devices or ones of different volumes.
 */
int sfs_identity_load(struct sfs_host *host, struct sfs_identity *ret_ident);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_LOG_FORMAT_H
#define SFS_ENGINE_LOG_FORMAT_H

#include "engine/manifest.h"

/*
 * A record of the log; hdr.owner is its position, counted from 1 in each term.
 * Followed by changes: a byte of kind, the key, for values their length
 * (varint) and bytes.  With MORE the changes take effect together with those
 * of the next record.  The next record is at @next_addr.
 */
struct sfs_log_record {
	struct sfs_block_hdr hdr;
	__le64 term;
	__le64 next_addr;
	__le32 prev_crc;	/* hdr.crc of the record before, 0 for the first */
	__le32 flags;
	__u8 payload[];
};
static_assert(sizeof(struct sfs_log_record) == 64);

#define SFS_LOG_MORE 1
#define SFS_LOG_MAX_RECORD (256U << 10)

/*
 * A root; hdr.owner is its generation.  Followed by the slices of the store's
 * manifest, each a __le32 length and a struct sfs_disk_slice.
 */
struct sfs_root_block {
	struct sfs_block_hdr hdr;
	__le64 term;
	__le64 version;
	__le64 next_id;		/* of runs and slices, the term in its upper half */
	__le64 log_addr;	/* of the first record to be replayed */
	__le64 log_segment;
	__le64 log_pos;
	__le32 log_prev_crc;
	__le32 nr_slices;
	__u8 slices[];
};
static_assert(sizeof(struct sfs_root_block) == 96);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_DISK_FORMAT_H
#define SFS_BASE_DISK_FORMAT_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include "base/key.h"

/*
 * Where things are on the two devices, and the header all metadata blocks
 * begin with.  docs/disk-format.md tells the whole story.  All integers are
 * little endian; all padding is zero.
 */
#define SFS_UNIT 4096			/* smallest thing ever written */

/* metadata device */
#define SFS_META_IDENTITY (64ULL << 10)
#define SFS_META_SLOTS (68ULL << 10)	/* 15 blocks of 4 KiB */
#define SFS_META_OWNER (128ULL << 10)
#define SFS_META_ROOT_A (192ULL << 10)
#define SFS_META_ROOT_B (256ULL << 10)
#define SFS_ROOT_BYTES (64U << 10)
#define SFS_META_REGION (320ULL << 10)	/* the server region, then segments */
#define SFS_META_TAIL (64ULL << 10)	/* the last: a copy of the identity */
/* data device */
#define SFS_DATA_IDENTITY (64ULL << 10)
#define SFS_DATA_FIRST (256ULL << 10)

/* Longest item, index, filter or footer block: 32 KiB. */
#define SFS_BLOCK_TARGET (32U << 10)

enum sfs_block_magic {
	SFS_MAGIC_ITEM = 0x69736673,
	SFS_MAGIC_INDEX = 0x6e736673,
	SFS_MAGIC_FILTER = 0x6c736673,
	SFS_MAGIC_FOOTER = 0x66736673,
	SFS_MAGIC_ROOT = 0x72736673,
	SFS_MAGIC_LOG = 0x67736673,
};

/*
 * The crc is crc32c (seed all ones) over bytes 4 to @len of the block.  @addr
 * is the byte offset on the metadata device where the block belongs.  Blocks
 * of runs carry the id of the run and their number in it; roots their
 * generation; log records their position.
 */
struct sfs_block_hdr {
	__le32 crc;
	__le32 magic;
	__le64 fsid;
	__le64 addr;
	__le64 owner;
	__le32 nr;
	__le32 len;
};
static_assert(sizeof(struct sfs_block_hdr) == 40);

/*
 * Identity.  The first 48 bytes are what libblkid's scoutfs probes read; a
 * fmt_vers of 1000 is one that the other implementation refuses.
 */
#define SFS_IDENTITY_MAGIC 0x103c428b
#define SFS_FMT_VERS 1000
#define SFS_IDENTITY_META 1		/* flags: this is the metadata device */

struct sfs_disk_slot {
	__u8 family;			/* 0 unused, 4 IPv4 */
	__u8 pad;
	__le16 port;
	__u8 addr[16];
	__u8 pad2[12];
};
static_assert(sizeof(struct sfs_disk_slot) == 32);

struct sfs_identity_block {
	__le32 crc;			/* over bytes 4 to 4096 */
	__le32 magic;
	__le64 hdr_fsid;
	__le64 seq;			/* steps with each rewrite */
	__le64 blkno;			/* 16: in 4 KiB blocks */
	__le64 id;			/* the same as hdr_fsid */
	__le64 fmt_vers;
	__le64 flags;
	__u8 uuid[16];
	/* ours from here on */
	__le32 our_version;		/* of everything below and of all formats */
	__le32 interface_version;	/* 1 or 2 */
	__le64 compat;			/* features: may be ignored */
	__le64 ro_compat;		/* ... unless one writes */
	__le64 incompat;		/* ... must be known */
	__le64 meta_bytes;
	__le64 data_bytes;
	__le64 region_bytes;		/* of the server region */
	__le32 segment_bytes;
	__le32 pad;
	__le64 data_alloc_zone_blocks;
	__u8 hash_key[16];		/* SipHash key of names */
	__le64 quorum_version;
	struct sfs_disk_slot slots[15];
	__u8 zero[4096 - 168 - 15 * 32];
};
static_assert(sizeof(struct sfs_identity_block) == 4096);
static_assert(offsetof(struct sfs_identity_block, fmt_vers) == 40);
static_assert(offsetof(struct sfs_identity_block, uuid) == 56);

#define SFS_OUR_VERSION 1
#define SFS_COMPAT_KNOWN 0ULL
#define SFS_RO_COMPAT_KNOWN 0ULL
#define SFS_INCOMPAT_KNOWN 0ULL

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values of the items in SFS_ZONE_FS and SFS_ZONE_WORK (keys: base/key.h).
 *
 *	item		key				value
 *	inode		ino INODE			sfs_inode_item
 *	xattr		ino XATTR hash id part		part 0: sfs_xattr_item, name,
 *							value; then more value
 *	entry by name	dir DIRENT hash position	sfs_dirent_item, name
 *	entry by pos.	dir READDIR position		sfs_dirent_item, name
 *	back reference	ino BACKREF dir position	sfs_backref_item, name
 *	symlink		ino SYMLINK part		bytes of the target
 *	extent		ino EXTENT last_block		sfs_extent_item
 *	orphan		ino ORPHAN			empty
 *	truncate	ino TRUNCATE			sfs_truncate_item
 *	index entries	0 META_SEQ|DATA_SEQ stamp ino	empty
 *
 * Everything is little-endian and packed: items are many and small, and their
 * values have no alignment in a block.  Names are not terminated; their length
 * is what the value has left.
 */
#ifndef SFS_FS_FORMAT_H
#define SFS_FS_FORMAT_H

#include <linux/types.h>
#include <linux/build_bug.h>

struct sfs_time_item {
	__le64 sec;		/* two's complement */
	__le32 nsec;
} __packed;

/*
 * Zero bytes at the end are not stored, but for the first
 * SFS_INODE_ITEM_MIN bytes.  So the fields that most inodes do not use come
 * last, and fields can be appended: to those who do not know them, an inode
 * that uses one is longer than it may be.
 */
struct sfs_inode_item {
	__le16 mode;
	__u8 version;
	__u8 zero;
	__le32 nlink;
	__le32 uid;
	__le32 gid;
	__le64 meta_seq;
	__le64 data_seq;	/* 0 but for regular files */
	struct sfs_time_item crtime;
	struct sfs_time_item ctime;
	struct sfs_time_item mtime;
	struct sfs_time_item atime;
	/* from here on zeroes at the end are cut off */
	__le64 size;
	__le64 data_version;
	__le64 online_blocks;
	__le32 flags;		/* SFS_INODE_* */
	__le32 rdev;
	__le64 next_pos;	/* directories: position of the next entry */
	__le64 next_xattr_id;
	__le64 offline_blocks;
	__le64 project;
} __packed;

#define SFS_INODE_VERSION 1
#define SFS_INODE_ITEM_MIN 80
static_assert(sizeof(struct sfs_inode_item) == 144);

/* A truncation is not finished: there may be extents beyond the size. */
#define SFS_INODE_TRUNCATING 1
/* It has extents, or had some once: also unwritten ones, which nothing counts. */
#define SFS_INODE_EXTENTS 2
#define SFS_INODE_ALL_FLAGS (SFS_INODE_TRUNCATING | SFS_INODE_EXTENTS)

struct sfs_dirent_item {
	__le64 ino;
	__u8 type;		/* DT_* of the inode */
	__u8 name[];
} __packed;
static_assert(sizeof(struct sfs_dirent_item) == 9);

struct sfs_backref_item {
	__u8 type;
	__u8 name[];
} __packed;
static_assert(sizeof(struct sfs_backref_item) == 1);

/* "." and ".." have the positions before these and are not stored. */
#define SFS_FIRST_POS 2

struct sfs_xattr_item {
	__le16 val_len;		/* of the whole value */
	__u8 name_len;
	__u8 zero;
	__u8 name[];		/* then the value as far as it fits */
} __packed;
static_assert(sizeof(struct sfs_xattr_item) == 4);

struct sfs_extent_item {
	__le64 count;		/* blocks */
	__le64 phys;		/* first block on the data device, 0: offline */
	__u8 flags;		/* enum sfs_extent_flags */
} __packed;
static_assert(sizeof(struct sfs_extent_item) == 17);

/* Blocks are numbered so that a block's byte offset fits loff_t (api.h). */
#define SFS_BLOCK_SHIFT 12
#define SFS_MAX_FILE_BLOCK (SFS_MAX_FILE_SIZE >> SFS_BLOCK_SHIFT)

struct sfs_truncate_item {
	__le64 size;		/* extents behind it go */
} __packed;
static_assert(sizeof(struct sfs_truncate_item) == 8);

/* values of the type of an entry */
#define SFS_DT_FIFO 1
#define SFS_DT_CHR 2
#define SFS_DT_DIR 4
#define SFS_DT_BLK 6
#define SFS_DT_REG 8
#define SFS_DT_LNK 10
#define SFS_DT_SOCK 12

#endif

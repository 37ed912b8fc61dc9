/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ioctl interface of scoutfs: what archive agents, gateways and the
 * scoutfs command ask a mounted filesystem.
 *
 * Calls are made on an open regular file or directory of the mount; anything
 * else answers ENOTTY.  "Any fd" below means whichever is at hand, usually
 * the root directory opened O_RDONLY; "the file" is the inode asked about.
 *
 * The size of its structure is a part of every command value, and two
 * commands may share a number: a server compares whole values.  The direction
 * bits say what they have always said, which is not always what happens;
 * where a call writes back through a command that claims to be write-only (or
 * reads through a read-only one), its comment says so.
 *
 * Structures have alignment 8, explicit padding that callers set to zero and
 * servers return as zero, and the byte order of the machine.  Fields named
 * *_ptr are addresses in the caller.  Sequence numbers ("seq") order changes
 * of metadata across the whole cluster.  Blocks of metadata are 64 KiB, of
 * data 4 KiB.
 *
 * This file needs nothing but fixed-width types and is read by the kernel and
 * by user space; tests/host/tools_abi.c pins every size, offset and value.
 */
#ifndef SCOUTFS_IOCTL_H
#define SCOUTFS_IOCTL_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define SCOUTFS_IOCTL_MAGIC 0xE8

#define SCOUTFS_META_BLOCK_BYTES 65536
#define SCOUTFS_DATA_BLOCK_BYTES 4096
#define SCOUTFS_ROOT_INO 1

/* ---- walking and naming ------------------------------------------------- */

/*
 * Inodes in the order of the sequence in which they last changed.
 *
 * Stores the entries with first <= position <= last, sorted by major and ino,
 * and returns their number.  Nothing past the stable sequence (see
 * statfs_more) is returned, so nothing can later appear at or below a
 * position that has been returned.  To go on, add one to the last entry:
 * ino, then on overflow minor, then major.
 *
 * The mount publishes first what it has changed.  For contents written through
 * a page cache that is the case once they have left it: see fsync(2), sync(2).
 *
 * Any fd, no privilege.  EINVAL: unknown index.
 */
struct scoutfs_ioctl_walk_inodes_entry {
	__u64 major;		/* the sequence the inode is filed under */
	__u64 ino;
	__u32 minor;		/* 0 on output */
	__u8 _pad[4];
};

struct scoutfs_ioctl_walk_inodes {
	struct scoutfs_ioctl_walk_inodes_entry first;
	struct scoutfs_ioctl_walk_inodes_entry last;
	__u64 entries_ptr;	/* struct scoutfs_ioctl_walk_inodes_entry[] */
	__u32 nr_entries;
	__u8 index;
	__u8 _pad[11];
};

enum scoutfs_ioctl_walk_inodes_index {
	SCOUTFS_IOC_WALK_INODES_META_SEQ = 0,	/* every inode */
	SCOUTFS_IOC_WALK_INODES_DATA_SEQ = 1,	/* regular files */
};

#define SCOUTFS_IOC_WALK_INODES \
	_IOW(SCOUTFS_IOCTL_MAGIC, 1, struct scoutfs_ioctl_walk_inodes)

/*
 * One path of an inode, from the root of the volume, without a leading slash.
 *
 * dir_ino and dir_pos say at which of its hard links to start and begin as
 * zeroes; the result has those of the link that was used.  The next call
 * continues at dir_pos + 1.  result_bytes covers the result and the path
 * behind it.
 *
 * Any fd, CAP_DAC_READ_SEARCH.  ENOENT: no (more) links, the root among
 * them.  ENAMETOOLONG: result_bytes is too small.  ELOOP: renames of parents
 * came in between too often.
 */
struct scoutfs_ioctl_ino_path {
	__u64 ino;
	__u64 dir_ino;
	__u64 dir_pos;
	__u64 result_ptr;	/* struct scoutfs_ioctl_ino_path_result */
	__u16 result_bytes;
	__u8 _pad[6];
};

struct scoutfs_ioctl_ino_path_result {
	__u64 dir_ino;
	__u64 dir_pos;
	__u16 path_bytes;	/* with the terminating NUL */
	__u8 _pad[6];
	__u8 path[];
};

#define SCOUTFS_IOC_INO_PATH \
	_IOW(SCOUTFS_IOCTL_MAGIC, 2, struct scoutfs_ioctl_ino_path)

/*
 * All directory entries that name an inode, sorted by directory and position,
 * as packed records; returns how many were stored, 0 when there are no more.
 * The last entry that exists carries the LAST flag.  The cursor moves as in
 * ino_path.
 *
 * Any fd, CAP_DAC_READ_SEARCH.  EINVAL: not even the first record fits.
 */
struct scoutfs_ioctl_get_referring_entries {
	__u64 ino;
	__u64 dir_ino;
	__u64 dir_pos;
	__u64 entries_ptr;	/* packed struct scoutfs_ioctl_dirent */
	__u64 entries_bytes;
};

struct scoutfs_ioctl_dirent {
	__u64 dir_ino;
	__u64 dir_pos;
	__u64 ino;
	__u16 entry_bytes;	/* to the next record, a multiple of 16 */
	__u8 flags;
	__u8 d_type;		/* DT_* */
	__u8 name_len;		/* without the NUL */
	__u8 name[3];		/* goes on behind the structure, NUL-terminated */
};

enum scoutfs_ioctl_dirent_flags {
	SCOUTFS_IOCTL_DIRENT_FLAG_LAST = 1 << 0,
};

#define SCOUTFS_IOC_GET_REFERRING_ENTRIES \
	_IOW(SCOUTFS_IOCTL_MAGIC, 17, \
	     struct scoutfs_ioctl_get_referring_entries)

/*
 * Numbers of existing inodes from start_ino on, out of the one group of 1024
 * numbers that start_ino is in.  Returns how many were stored; 0 says nothing
 * about later groups.
 *
 * Any fd opened for reading, CAP_SYS_ADMIN.  EINVAL: inos_ptr is not aligned
 * or has no room.
 */
struct scoutfs_ioctl_get_allocated_inos {
	__u64 start_ino;
	__u64 inos_ptr;		/* __u64[], aligned to 8 */
	__u64 inos_bytes;
};

#define SCOUTFS_IOC_GET_ALLOCATED_INOS \
	_IOW(SCOUTFS_IOCTL_MAGIC, 16, struct scoutfs_ioctl_get_allocated_inos)

/* ---- archival of contents ----------------------------------------------- */

/*
 * Frees the blocks of a range whose contents are in the archive: they become
 * offline, and whoever needs them waits until they are staged.
 *
 * The file, opened for writing.  ESTALE: its contents are not those of
 * data_version any more.  EINVAL: offset or length is not a multiple of 4096.
 */
struct scoutfs_ioctl_release {
	__u64 offset;
	__u64 length;
	__u64 data_version;
};

#define SCOUTFS_IOC_RELEASE \
	_IOW(SCOUTFS_IOCTL_MAGIC, 3, struct scoutfs_ioctl_release)

/*
 * Writes contents back from the archive without any visible change of the
 * file.  Returns the bytes written, which may be fewer than asked for.
 *
 * The file, opened for writing.  ESTALE as for release.  EINVAL: a range that
 * is not aligned (its end may be the file's) or ends behind the file.
 */
struct scoutfs_ioctl_stage {
	__u64 data_version;
	__u64 buf_ptr;
	__u64 offset;
	__s32 length;
	__u32 _pad;
};

#define SCOUTFS_IOC_STAGE \
	_IOW(SCOUTFS_IOCTL_MAGIC, 4, struct scoutfs_ioctl_stage)

/*
 * Lists tasks of this mount that wait for offline blocks, one record for each
 * block of each inode.  The cursor names the last record already seen.
 *
 * Any fd, no privilege.
 */
struct scoutfs_ioctl_data_waiting_entry {
	__u64 ino;
	__u64 iblock;		/* index of the 4 KiB block in the file */
	__u8 op;		/* enum scoutfs_ioctl_data_wait_op, ORed */
	__u8 _pad[7];
};

enum scoutfs_ioctl_data_wait_op {
	SCOUTFS_IOC_DWO_READ = 1 << 0,
	SCOUTFS_IOC_DWO_WRITE = 1 << 1,
	SCOUTFS_IOC_DWO_CHANGE_SIZE = 1 << 2,
};

struct scoutfs_ioctl_data_waiting {
	__u64 flags;		/* 0 */
	__u64 after_ino;
	__u64 after_iblock;
	__u64 ents_ptr;		/* struct scoutfs_ioctl_data_waiting_entry[] */
	__u16 ents_nr;
	__u8 _pad[6];
};

#define SCOUTFS_IOC_DATA_WAITING \
	_IOW(SCOUTFS_IOCTL_MAGIC, 6, struct scoutfs_ioctl_data_waiting)

/*
 * Ends waits for offline blocks of this mount with an error, because the
 * archive can not bring the contents back.  Returns the number of waiters.
 *
 * Any fd, CAP_SYS_ADMIN.  data_version is not looked at.
 */
struct scoutfs_ioctl_data_wait_err {
	__u64 ino;
	__u64 data_version;
	__u64 offset;
	__u64 count;		/* bytes */
	__u64 op;		/* enum scoutfs_ioctl_data_wait_op, ORed */
	__s64 err;		/* -4095..-1 */
};

#define SCOUTFS_IOC_DATA_WAIT_ERR \
	_IOW(SCOUTFS_IOCTL_MAGIC, 11, struct scoutfs_ioctl_data_wait_err)

/*
 * Moves extents from another file into this one without copying.
 *
 * The destination file; write permission for both inodes, however they are
 * open.  With the STAGE flag the blocks fill offline ranges of a destination
 * at data_version as stage does.
 */
struct scoutfs_ioctl_move_blocks {
	__u64 from_fd;
	__u64 from_off;
	__u64 len;
	__u64 to_off;
	__u64 data_version;
	__u64 flags;
};

enum scoutfs_ioctl_move_blocks_flags {
	SCOUTFS_IOC_MB_STAGE = 1 << 0,
};

#define SCOUTFS_IOC_MOVE_BLOCKS \
	_IOW(SCOUTFS_IOCTL_MAGIC, 13, struct scoutfs_ioctl_move_blocks)

/*
 * Turns offline blocks of a range into holes.
 *
 * The file, opened for writing.  ESTALE as for release; EINVAL: a block in
 * the range is online; EOVERFLOW: the range wraps or is not aligned.
 */
struct scoutfs_ioctl_punch_offline {
	__u64 offset;
	__u64 len;
	__u64 data_version;
	__u64 flags;		/* 0 */
};

#define SCOUTFS_IOC_PUNCH_OFFLINE \
	_IOW(SCOUTFS_IOCTL_MAGIC, 24, struct scoutfs_ioctl_punch_offline)

/* ---- attributes --------------------------------------------------------- */

/* What stat(2) has no room for.  The file or directory, no privilege. */
struct scoutfs_ioctl_stat_more {
	__u64 meta_seq;		/* of the last change of any kind */
	__u64 data_seq;		/* of the last change of contents or size */
	__u64 data_version;	/* counts changes of contents */
	__u64 online_blocks;
	__u64 offline_blocks;
	__u64 crtime_sec;
	__u32 crtime_nsec;
	__u8 _pad[4];
};

#define SCOUTFS_IOC_STAT_MORE \
	_IOR(SCOUTFS_IOCTL_MAGIC, 5, struct scoutfs_ioctl_stat_more)

/*
 * Sets up an empty file (data_version 0) as one that lives in the archive.
 * Size and both times are always applied; set_attr_x is more selective.
 *
 * The file, opened for writing, CAP_SYS_ADMIN.
 */
struct scoutfs_ioctl_setattr_more {
	__u64 data_version;	/* 0: leave it */
	__u64 i_size;
	__u64 flags;
	__u64 ctime_sec;
	__u32 ctime_nsec;
	__u32 crtime_nsec;
	__u64 crtime_sec;
};

enum scoutfs_ioctl_setattr_more_flags {
	SCOUTFS_IOC_SETATTR_MORE_OFFLINE = 1 << 0, /* all of i_size is offline */
};

#define SCOUTFS_IOC_SETATTR_MORE \
	_IOW(SCOUTFS_IOCTL_MAGIC, 7, struct scoutfs_ioctl_setattr_more)

/*
 * Reads or sets the attributes named in x_mask, all at once.
 *
 * Get writes back (through a write-only command) up to the end of the last
 * attribute asked for, zeroes in between; no privilege.  Set needs
 * CAP_SYS_ADMIN, and a file descriptor open for reading is enough.
 */
struct scoutfs_ioctl_inode_attr_x {
	__u64 x_mask;
	__u64 x_flags;
	__u64 meta_seq;
	__u64 data_seq;
	__u64 data_version;
	__u64 online_blocks;
	__u64 offline_blocks;
	__u64 ctime_sec;
	__u32 ctime_nsec;
	__u32 crtime_nsec;
	__u64 crtime_sec;
	__u64 size;
	__u64 bits;
	__u64 project_id;
};

enum scoutfs_ioctl_inode_attr_x_mask {
	SCOUTFS_IOC_IAX_META_SEQ = 1 << 0,
	SCOUTFS_IOC_IAX_DATA_SEQ = 1 << 1,
	SCOUTFS_IOC_IAX_DATA_VERSION = 1 << 2,
	SCOUTFS_IOC_IAX_ONLINE_BLOCKS = 1 << 3,
	SCOUTFS_IOC_IAX_OFFLINE_BLOCKS = 1 << 4,
	SCOUTFS_IOC_IAX_CTIME = 1 << 5,
	SCOUTFS_IOC_IAX_CRTIME = 1 << 6,
	SCOUTFS_IOC_IAX_SIZE = 1 << 7,
	SCOUTFS_IOC_IAX_RETENTION = 1 << 8,	/* in bits */
	SCOUTFS_IOC_IAX_PROJECT_ID = 1 << 9,
};

/* in x_flags */
enum scoutfs_ioctl_inode_attr_x_flags {
	SCOUTFS_IOC_IAX_F_SIZE_OFFLINE = 1 << 0, /* set: all of size is offline */
};

/* in bits */
enum scoutfs_ioctl_inode_attr_x_bits {
	SCOUTFS_IOC_IAX_B_RETENTION = 1 << 0,
};

#define SCOUTFS_IOC_GET_ATTR_X \
	_IOW(SCOUTFS_IOCTL_MAGIC, 18, struct scoutfs_ioctl_inode_attr_x)
#define SCOUTFS_IOC_SET_ATTR_X \
	_IOW(SCOUTFS_IOCTL_MAGIC, 19, struct scoutfs_ioctl_inode_attr_x)

/* ---- indexes of extended attributes ------------------------------------- */

/*
 * Names of attributes that listxattr(2) does not show, NUL-terminated, one
 * after the other.  Returns bytes, 0 at the end.  The cursor is updated.
 *
 * The file or directory, read permission for it.
 */
struct scoutfs_ioctl_listxattr_hidden {
	__u64 id_pos;		/* cursor, with hash_pos; starts as 0 */
	__u64 buf_ptr;
	__u32 buf_bytes;
	__u32 hash_pos;
};

#define SCOUTFS_IOC_LISTXATTR_HIDDEN \
	_IOWR(SCOUTFS_IOCTL_MAGIC, 8, struct scoutfs_ioctl_listxattr_hidden)

/*
 * Ascending numbers of inodes that may have an attribute of that name (which
 * has the srch tag): some may not, none is missing.  Returns how many; writes
 * output_flags back through a write-only command.
 *
 * Any fd opened for reading, CAP_SYS_ADMIN.
 */
struct scoutfs_ioctl_search_xattrs {
	__u64 next_ino;		/* inclusive range */
	__u64 last_ino;
	__u64 name_ptr;
	__u64 inodes_ptr;	/* __u64[] */
	__u64 output_flags;
	__u64 nr_inodes;
	__u16 name_bytes;
	__u8 _pad[6];
};

/* in output_flags */
enum scoutfs_ioctl_search_xattrs_oflags {
	SCOUTFS_SEARCH_XATTRS_OFLAG_END = 1 << 0, /* nothing more up to last_ino */
};

#define SCOUTFS_IOC_SEARCH_XATTRS \
	_IOW(SCOUTFS_IOCTL_MAGIC, 9, struct scoutfs_ioctl_search_xattrs)

#define SCOUTFS_IOCTL_XATTR_TOTAL_NAME_NR 3

/*
 * Sums of the values of totl tagged attributes by name, from pos_name on.
 * Returns how many.
 *
 * Any fd opened for reading, CAP_SYS_ADMIN.
 */
struct scoutfs_ioctl_xattr_total {
	__u64 name[SCOUTFS_IOCTL_XATTR_TOTAL_NAME_NR];
	__u64 total;		/* modulo 2^64 */
	__u64 count;		/* of attributes */
};

struct scoutfs_ioctl_read_xattr_totals {
	__u64 pos_name[SCOUTFS_IOCTL_XATTR_TOTAL_NAME_NR];
	__u64 totals_ptr;	/* aligned to 8 */
	__u64 totals_bytes;
};

#define SCOUTFS_IOC_READ_XATTR_TOTALS \
	_IOW(SCOUTFS_IOCTL_MAGIC, 15, struct scoutfs_ioctl_read_xattr_totals)

/*
 * Entries made by indx tagged attributes in a range, sorted by major, minor
 * and inode.  Returns how many.  Reads its structure through a read-only
 * command.
 *
 * Any fd, CAP_SYS_ADMIN.
 */
struct scoutfs_ioctl_xattr_index_entry {
	__u64 minor;
	__u64 ino;
	__u8 major;
	__u8 _pad[7];
};

struct scoutfs_ioctl_read_xattr_index {
	__u64 flags;
	struct scoutfs_ioctl_xattr_index_entry first;
	struct scoutfs_ioctl_xattr_index_entry last;
	__u64 entries_ptr;	/* struct scoutfs_ioctl_xattr_index_entry[] */
	__u64 entries_nr;
};

#define SCOUTFS_IOC_READ_XATTR_INDEX \
	_IOR(SCOUTFS_IOCTL_MAGIC, 23, struct scoutfs_ioctl_read_xattr_index)

/*
 * Adds to a total without any attribute: for tests and for repair.
 *
 * Any fd, CAP_SYS_ADMIN.
 */
struct scoutfs_ioctl_inject_totl_delta {
	__u64 name[SCOUTFS_IOCTL_XATTR_TOTAL_NAME_NR];
	__s64 total;
	__s64 count;
};

#define SCOUTFS_IOC_INJECT_TOTL_DELTA \
	_IOW(SCOUTFS_IOCTL_MAGIC, 25, struct scoutfs_ioctl_inject_totl_delta)

/* ---- the volume --------------------------------------------------------- */

/* Any fd, no privilege. */
struct scoutfs_ioctl_statfs_more {
	__u64 fsid;
	__u64 rid;		/* of this mount; never 0 nor ~0 */
	__u64 committed_seq;	/* the stable sequence */
	__u64 total_meta_blocks;
	__u64 total_data_blocks;
	__u64 reserved_meta_blocks; /* that ordinary operations can not have */
};

#define SCOUTFS_IOC_STATFS_MORE \
	_IOR(SCOUTFS_IOCTL_MAGIC, 10, struct scoutfs_ioctl_statfs_more)

/*
 * Who owns how many free blocks.  Returns the number of entries.
 *
 * Any fd, no privilege.  EOVERFLOW: the array is too small.
 */
struct scoutfs_ioctl_alloc_detail_entry {
	__u64 id;		/* of a server's pool or a mount */
	__u64 blocks;
	__u8 type;		/* 0 */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	__u8 __bit_pad : 6;
	__u8 avail : 1;
	__u8 meta : 1;
#else
	__u8 meta : 1;		/* metadata, else data */
	__u8 avail : 1;		/* available, else freed */
	__u8 __bit_pad : 6;
#endif
	__u8 __pad[6];
};

struct scoutfs_ioctl_alloc_detail {
	__u64 entries_ptr;	/* struct scoutfs_ioctl_alloc_detail_entry[] */
	__u64 entries_nr;
};

#define SCOUTFS_IOC_ALLOC_DETAIL \
	_IOW(SCOUTFS_IOCTL_MAGIC, 12, struct scoutfs_ioctl_alloc_detail)

/*
 * Lets the volume use more of its devices; 0 leaves one as it is.
 *
 * Any fd opened for reading, CAP_SYS_ADMIN.  EINVAL: a device would shrink or
 * is not that large.
 */
struct scoutfs_ioctl_resize_devices {
	__u64 new_total_meta_blocks;
	__u64 new_total_data_blocks;
};

#define SCOUTFS_IOC_RESIZE_DEVICES \
	_IOW(SCOUTFS_IOCTL_MAGIC, 14, struct scoutfs_ioctl_resize_devices)

/*
 * Quota rules.  Get returns a batch of them in no useful order and updates
 * the cursor (through a read-only command); delete wants the whole rule.
 *
 * Any fd, CAP_SYS_ADMIN.  EEXIST: to be added, but there.  ENOENT: to be
 * deleted, but not there.
 */
struct scoutfs_ioctl_get_quota_rules {
	__u64 iterator[2];	/* cursor, starts as zeroes */
	__u64 rules_ptr;	/* struct scoutfs_ioctl_quota_rule[] */
	__u64 rules_nr;
};

struct scoutfs_ioctl_quota_rule {
	__u64 name_val[SCOUTFS_IOCTL_XATTR_TOTAL_NAME_NR];
	__u64 limit;
	__u8 prio;
	__u8 op;
	__u8 rule_flags;
	__u8 name_source[SCOUTFS_IOCTL_XATTR_TOTAL_NAME_NR];
	__u8 name_flags[SCOUTFS_IOCTL_XATTR_TOTAL_NAME_NR];
	__u8 _pad[7];
};

enum scoutfs_ioctl_quota_rule_op {
	SCOUTFS_IOC_QUOTA_OP_INODE = 0,
	SCOUTFS_IOC_QUOTA_OP_DATA = 1,
};

enum scoutfs_ioctl_quota_rule_flags {
	SCOUTFS_IOC_QUOTA_RF_COUNT = 1 << 0,	/* compare counts, not sums */
};

enum scoutfs_ioctl_quota_name_source {
	SCOUTFS_IOC_QUOTA_NS_LITERAL = 0,
	SCOUTFS_IOC_QUOTA_NS_PROJ = 1,
	SCOUTFS_IOC_QUOTA_NS_UID = 2,
	SCOUTFS_IOC_QUOTA_NS_GID = 3,
};

enum scoutfs_ioctl_quota_name_flags {
	SCOUTFS_IOC_QUOTA_NF_SELECT = 1 << 0,	/* applies only to this value */
};

#define SCOUTFS_IOC_GET_QUOTA_RULES \
	_IOR(SCOUTFS_IOCTL_MAGIC, 20, struct scoutfs_ioctl_get_quota_rules)
#define SCOUTFS_IOC_ADD_QUOTA_RULE \
	_IOW(SCOUTFS_IOCTL_MAGIC, 21, struct scoutfs_ioctl_quota_rule)
#define SCOUTFS_IOC_DEL_QUOTA_RULE \
	_IOW(SCOUTFS_IOCTL_MAGIC, 22, struct scoutfs_ioctl_quota_rule)

/* ---- raw reads ---------------------------------------------------------- */

/*
 * Entries of the meta_seq index out of one version of the volume, so that no
 * inode is seen twice in a call.  Returns how many; last is written back with
 * the position up to which the answer is complete.  Reads its structure
 * through a read-only command.
 *
 * Any fd, CAP_SYS_ADMIN.  ESTALE: no version held still long enough.
 */
struct scoutfs_ioctl_meta_seq {
	__u64 meta_seq;
	__u64 ino;
};

struct scoutfs_ioctl_raw_read_meta_seq {
	struct scoutfs_ioctl_meta_seq start;
	struct scoutfs_ioctl_meta_seq end;
	struct scoutfs_ioctl_meta_seq last;
	__u64 results_ptr;	/* struct scoutfs_ioctl_meta_seq[] */
	__u32 results_size;	/* bytes */
	__u8 _pad[4];
};

/*
 * Inodes and chosen attributes of them as a stream of headers with payload,
 * all or nothing.  Returns bytes.  ERANGE: results_size is too small.
 */
struct scoutfs_ioctl_raw_read_inode_info {
	__u64 inos_ptr;		/* __u64[], ascending, aligned to 8 */
	__u32 inos_count;
	__u32 names_count;
	__u64 names_ptr;	/* NUL-terminated, one after the other */
	__u64 results_ptr;
	__u32 results_size;	/* bytes */
	__u8 _pad[4];
};

struct scoutfs_ioctl_raw_read_result {
	__u32 size;		/* of the payload */
	__u8 _pad[7];
	__u8 type;
};

enum scoutfs_ioctl_raw_read_type {
	SCOUTFS_IOC_RAW_READ_INODE = 1,	/* inode number, inode */
	SCOUTFS_IOC_RAW_READ_XATTR = 2,	/* name, NUL, value */
};

/* These share their number with inject_totl_delta, the first also with 24. */
#define SCOUTFS_IOC_RAW_READ_META_SEQ \
	_IOR(SCOUTFS_IOCTL_MAGIC, 25, struct scoutfs_ioctl_raw_read_meta_seq)
#define SCOUTFS_IOC_RAW_READ_META_SEQ_24 \
	_IOR(SCOUTFS_IOCTL_MAGIC, 24, struct scoutfs_ioctl_raw_read_meta_seq)
#define SCOUTFS_IOC_RAW_READ_INODE_INFO \
	_IOR(SCOUTFS_IOCTL_MAGIC, 25, struct scoutfs_ioctl_raw_read_inode_info)

/* ---- ours --------------------------------------------------------------- */

/*
 * WALK_INODES, INO_PATH or ALLOC_DETAIL for callers whose memory a filesystem
 * in userspace cannot reach, and whom it answers EOPNOTSUPP: the daemon runs in
 * a pid namespace of its own, or without privileges.  The pointer in args is
 * ignored, what it would point to comes back in result; as much as fits there.
 * Returns, requires and fails as the command it carries.
 * ENOTTY: from a filesystem in the kernel, which reaches everybody's memory.
 */
struct scoutfs_ioctl_inline {
	__u32 cmd;		/* SCOUTFS_IOC_*, whole */
	__u32 _pad;
	__u64 args[9];		/* structure of the command */
	__u64 result[1024];
};

#define SCOUTFS_IOC_INLINE \
	_IOWR(SCOUTFS_IOCTL_MAGIC, 64, struct scoutfs_ioctl_inline)

#endif

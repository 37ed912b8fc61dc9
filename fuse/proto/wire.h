/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The messages of /dev/fuse, versions 7.31 to 7.45, as far as we use them.
 *
 * Numbers and layouts are those of the kernel's interface; names and comments
 * are ours.  Everything is in the byte order of the machine and naturally
 * aligned.  A request is a header, the fixed part of its operation, then names
 * (each NUL-terminated) or data; a reply is a header and what the operation
 * returns.
 */
#ifndef SFS_FUSE_WIRE_H
#define SFS_FUSE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define FW_MAJOR 7
#define FW_MINOR_MIN 31
#define FW_MINOR_MAX 45
/* from here on the kernel itself drops pages behind a direct write */
#define FW_MINOR_DROPS_PAGES 45
#define FW_MINOR_EPOCH 44

#define FW_ROOT_ID 1
/* no read from the device may be shorter than this */
#define FW_MIN_READ 8192

enum fw_opcode {
	FW_LOOKUP = 1,
	FW_FORGET = 2,		/* no reply */
	FW_GETATTR = 3,
	FW_SETATTR = 4,
	FW_READLINK = 5,
	FW_SYMLINK = 6,
	FW_MKNOD = 8,
	FW_MKDIR = 9,
	FW_UNLINK = 10,
	FW_RMDIR = 11,
	FW_RENAME = 12,
	FW_LINK = 13,
	FW_OPEN = 14,
	FW_READ = 15,
	FW_WRITE = 16,
	FW_STATFS = 17,
	FW_RELEASE = 18,
	FW_FSYNC = 20,
	FW_SETXATTR = 21,
	FW_GETXATTR = 22,
	FW_LISTXATTR = 23,
	FW_REMOVEXATTR = 24,
	FW_FLUSH = 25,
	FW_INIT = 26,
	FW_OPENDIR = 27,
	FW_READDIR = 28,
	FW_RELEASEDIR = 29,
	FW_FSYNCDIR = 30,
	FW_GETLK = 31,
	FW_SETLK = 32,
	FW_SETLKW = 33,
	FW_ACCESS = 34,
	FW_CREATE = 35,
	FW_INTERRUPT = 36,	/* no reply but "try again" */
	FW_BMAP = 37,
	FW_DESTROY = 38,
	FW_IOCTL = 39,
	FW_POLL = 40,
	FW_NOTIFY_REPLY = 41,	/* no reply */
	FW_BATCH_FORGET = 42,	/* no reply */
	FW_FALLOCATE = 43,
	FW_READDIRPLUS = 44,
	FW_RENAME2 = 45,
	FW_LSEEK = 46,
	FW_COPY_FILE_RANGE = 47,
	FW_SYNCFS = 50,
	FW_TMPFILE = 51,
	FW_STATX = 52,
	FW_COPY_FILE_RANGE_64 = 53,
	FW_NR_OPCODES = 54,
};

#define FW_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type)

/* ---- headers ------------------------------------------------------------ */

struct fw_in_header {
	uint32_t len;		/* of the whole message */
	uint32_t opcode;
	uint64_t unique;	/* echoed in the reply; bit 0: an interrupt */
	uint64_t nodeid;
	uint32_t uid;
	uint32_t gid;
	uint32_t pid;		/* thread id; 0: not visible to the server */
	uint16_t total_extlen;	/* extensions at the end, in units of 8 */
	uint16_t padding;
};
FW_SIZE(fw_in_header, 40);

struct fw_out_header {
	uint32_t len;
	int32_t error;		/* 0 or -errno; notifications: their code */
	uint64_t unique;	/* 0: a notification */
};
FW_SIZE(fw_out_header, 16);

/* ---- negotiation -------------------------------------------------------- */

/* Features, the upper half in flags2. */
#define FW_ASYNC_READ		(1ULL << 0)
#define FW_POSIX_LOCKS		(1ULL << 1)
#define FW_ATOMIC_O_TRUNC	(1ULL << 3)
#define FW_EXPORT_SUPPORT	(1ULL << 4)
#define FW_BIG_WRITES		(1ULL << 5)
#define FW_FLOCK_LOCKS		(1ULL << 10)
#define FW_HAS_IOCTL_DIR	(1ULL << 11)
#define FW_DO_READDIRPLUS	(1ULL << 13)
#define FW_READDIRPLUS_AUTO	(1ULL << 14)
#define FW_ASYNC_DIO		(1ULL << 15)
#define FW_PARALLEL_DIROPS	(1ULL << 18)
#define FW_MAX_PAGES		(1ULL << 22)
#define FW_CACHE_SYMLINKS	(1ULL << 23)
#define FW_EXPLICIT_INVAL_DATA	(1ULL << 25)
#define FW_HANDLE_KILLPRIV_V2	(1ULL << 28)
#define FW_INIT_EXT		(1ULL << 30)
#define FW_DIRECT_IO_ALLOW_MMAP	(1ULL << 36)

struct fw_init_in {
	uint32_t major;
	uint32_t minor;
	uint32_t max_readahead;
	uint32_t flags;
	uint32_t flags2;	/* from here on with INIT_EXT only */
	uint32_t unused[11];
};
FW_SIZE(fw_init_in, 64);
#define FW_INIT_IN_SHORT offsetof(struct fw_init_in, flags2)

struct fw_init_out {
	uint32_t major;
	uint32_t minor;
	uint32_t max_readahead;
	uint32_t flags;
	uint16_t max_background;
	uint16_t congestion_threshold;
	uint32_t max_write;
	uint32_t time_gran;
	uint16_t max_pages;
	uint16_t map_alignment;
	uint32_t flags2;
	uint32_t max_stack_depth;
	uint16_t request_timeout;
	uint16_t unused[11];
};
FW_SIZE(fw_init_out, 64);

/* ---- attributes and names ----------------------------------------------- */

struct fw_attr {
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;	/* 512 bytes */
	uint64_t atime;
	uint64_t mtime;
	uint64_t ctime;
	uint32_t atimensec;
	uint32_t mtimensec;
	uint32_t ctimensec;
	uint32_t mode;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t blksize;
	uint32_t flags;
};
FW_SIZE(fw_attr, 88);

struct fw_entry_out {
	uint64_t nodeid;	/* 0: there is no such name, which may be cached */
	uint64_t generation;
	uint64_t entry_valid;	/* seconds */
	uint64_t attr_valid;
	uint32_t entry_valid_nsec;
	uint32_t attr_valid_nsec;
	struct fw_attr attr;
};
FW_SIZE(fw_entry_out, 128);

struct fw_attr_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t dummy;
	struct fw_attr attr;
};
FW_SIZE(fw_attr_out, 104);

struct fw_forget_in {
	uint64_t nlookup;
};

struct fw_batch_forget_in {
	uint32_t count;		/* of struct fw_forget_one that follow */
	uint32_t dummy;
};

struct fw_forget_one {
	uint64_t nodeid;
	uint64_t nlookup;
};

struct fw_getattr_in {
	uint32_t flags;
	uint32_t dummy;
	uint64_t fh;
};
FW_SIZE(fw_getattr_in, 16);

struct fw_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t flags;
	uint32_t mask;
};
FW_SIZE(fw_statx_in, 24);

struct fw_statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct fw_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare0;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct fw_statx_time atime;
	struct fw_statx_time btime;
	struct fw_statx_time ctime;
	struct fw_statx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare2[14];
};
FW_SIZE(fw_statx, 256);

struct fw_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct fw_statx stat;
};
FW_SIZE(fw_statx_out, 288);

/* in fw_setattr_in.valid */
#define FW_SET_MODE		(1U << 0)
#define FW_SET_UID		(1U << 1)
#define FW_SET_GID		(1U << 2)
#define FW_SET_SIZE		(1U << 3)
#define FW_SET_ATIME		(1U << 4)
#define FW_SET_MTIME		(1U << 5)
#define FW_SET_FH		(1U << 6)
#define FW_SET_ATIME_NOW	(1U << 7)
#define FW_SET_MTIME_NOW	(1U << 8)
#define FW_SET_CTIME		(1U << 10)
#define FW_SET_KILL_SUIDGID	(1U << 11)

struct fw_setattr_in {
	uint32_t valid;
	uint32_t padding;
	uint64_t fh;
	uint64_t size;
	uint64_t lock_owner;
	uint64_t atime;
	uint64_t mtime;
	uint64_t ctime;
	uint32_t atimensec;
	uint32_t mtimensec;
	uint32_t ctimensec;
	uint32_t mode;
	uint32_t unused4;
	uint32_t uid;
	uint32_t gid;
	uint32_t unused5;
};
FW_SIZE(fw_setattr_in, 88);

struct fw_mknod_in {
	uint32_t mode;
	uint32_t rdev;
	uint32_t umask;
	uint32_t padding;
};
FW_SIZE(fw_mknod_in, 16);

struct fw_mkdir_in {
	uint32_t mode;
	uint32_t umask;
};

struct fw_rename_in {
	uint64_t newdir;
};

struct fw_rename2_in {
	uint64_t newdir;
	uint32_t flags;
	uint32_t padding;
};
FW_SIZE(fw_rename2_in, 16);

struct fw_link_in {
	uint64_t oldnodeid;
};

struct fw_access_in {
	uint32_t mask;
	uint32_t padding;
};

struct fw_statfs_out {
	uint64_t blocks;
	uint64_t bfree;
	uint64_t bavail;
	uint64_t files;
	uint64_t ffree;
	uint32_t bsize;
	uint32_t namelen;
	uint32_t frsize;
	uint32_t padding;
	uint32_t spare[6];
};
FW_SIZE(fw_statfs_out, 80);

/* ---- open files --------------------------------------------------------- */

/* in open_flags of requests */
#define FW_OPEN_KILL_SUIDGID	(1U << 0)

struct fw_open_in {
	uint32_t flags;
	uint32_t open_flags;
};

struct fw_create_in {
	uint32_t flags;
	uint32_t mode;
	uint32_t umask;
	uint32_t open_flags;
};
FW_SIZE(fw_create_in, 16);

/* in open_flags of replies */
#define FW_FOPEN_DIRECT_IO	(1U << 0)
#define FW_FOPEN_KEEP_CACHE	(1U << 1)

struct fw_open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};
FW_SIZE(fw_open_out, 16);

struct fw_create_out {
	struct fw_entry_out entry;
	struct fw_open_out open;
};
FW_SIZE(fw_create_out, 144);

/* in release_flags */
#define FW_RELEASE_FLOCK_UNLOCK	(1U << 1)

struct fw_release_in {
	uint64_t fh;
	uint32_t flags;
	uint32_t release_flags;
	uint64_t lock_owner;
};
FW_SIZE(fw_release_in, 24);

struct fw_flush_in {
	uint64_t fh;
	uint32_t unused;
	uint32_t padding;
	uint64_t lock_owner;
};
FW_SIZE(fw_flush_in, 24);

/* in read_flags: for a call, not for pages of the cache */
#define FW_READ_LOCKOWNER	(1U << 1)

struct fw_read_in {
	uint64_t fh;
	uint64_t offset;
	uint32_t size;
	uint32_t read_flags;
	uint64_t lock_owner;
	uint32_t flags;		/* of the open file, as fcntl() has left them */
	uint32_t padding;
};
FW_SIZE(fw_read_in, 40);

/* in write_flags */
#define FW_WRITE_CACHE		(1U << 0) /* pages of a mapping, not a call */
#define FW_WRITE_KILL_SUIDGID	(1U << 2)

struct fw_write_in {
	uint64_t fh;
	uint64_t offset;
	uint32_t size;
	uint32_t write_flags;
	uint64_t lock_owner;
	uint32_t flags;
	uint32_t padding;
};
FW_SIZE(fw_write_in, 40);

struct fw_write_out {
	uint32_t size;
	uint32_t padding;
};

#define FW_FSYNC_DATASYNC	(1U << 0)

struct fw_fsync_in {
	uint64_t fh;
	uint32_t fsync_flags;
	uint32_t padding;
};
FW_SIZE(fw_fsync_in, 16);

struct fw_lseek_in {
	uint64_t fh;
	uint64_t offset;
	uint32_t whence;
	uint32_t padding;
};
FW_SIZE(fw_lseek_in, 24);

struct fw_lseek_out {
	uint64_t offset;
};

struct fw_dirent {
	uint64_t ino;
	uint64_t off;		/* continue here after this one */
	uint32_t namelen;
	uint32_t type;
	char name[];		/* padded to a multiple of 8 */
};
FW_SIZE(fw_dirent, 24);

struct fw_direntplus {
	struct fw_entry_out entry;
	struct fw_dirent dirent;
};
FW_SIZE(fw_direntplus, 152);

struct fw_file_lock {
	uint64_t start;
	uint64_t end;		/* the last byte */
	uint32_t type;		/* F_RDLCK, F_WRLCK, F_UNLCK */
	uint32_t pid;
};
FW_SIZE(fw_file_lock, 24);

/* in lk_flags: of flock(), not fcntl() */
#define FW_LK_FLOCK		(1U << 0)

struct fw_lk_in {
	uint64_t fh;
	uint64_t owner;
	struct fw_file_lock lk;
	uint32_t lk_flags;
	uint32_t padding;
};
FW_SIZE(fw_lk_in, 48);

struct fw_lk_out {
	struct fw_file_lock lk;
};

/* ---- attributes by name, commands --------------------------------------- */

struct fw_setxattr_in {
	uint32_t size;
	uint32_t flags;
};

struct fw_getxattr_in {
	uint32_t size;		/* 0: how long is it? */
	uint32_t padding;
};

struct fw_getxattr_out {
	uint32_t size;
	uint32_t padding;
};

/* in fw_ioctl_in.flags */
#define FW_IOCTL_COMPAT		(1U << 0)
#define FW_IOCTL_32BIT		(1U << 3)
#define FW_IOCTL_DIR		(1U << 4)

struct fw_ioctl_in {
	uint64_t fh;
	uint32_t flags;
	uint32_t cmd;
	uint64_t arg;
	uint32_t in_size;	/* bytes that follow */
	uint32_t out_size;	/* the reply may have */
};
FW_SIZE(fw_ioctl_in, 32);

struct fw_ioctl_out {
	int32_t result;
	uint32_t flags;
	uint32_t in_iovs;
	uint32_t out_iovs;
};
FW_SIZE(fw_ioctl_out, 16);

struct fw_interrupt_in {
	uint64_t unique;	/* of the request that should end */
};

/* ---- notifications ------------------------------------------------------ */

enum fw_notify {
	FW_NOTIFY_INVAL_INODE = 2,
	FW_NOTIFY_STORE = 4,	/* and the bytes */
	FW_NOTIFY_INC_EPOCH = 8, /* all names are asked for again; no data */
};

struct fw_inval_inode_out {
	uint64_t ino;
	int64_t off;		/* negative: attributes only */
	int64_t len;		/* 0: to the end */
};
FW_SIZE(fw_inval_inode_out, 24);

struct fw_store_out {
	uint64_t ino;
	uint64_t off;
	uint32_t size;
	uint32_t padding;
};
FW_SIZE(fw_store_out, 24);

#endif

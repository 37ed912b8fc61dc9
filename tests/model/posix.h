/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the filesystem: what POSIX (and Linux, where POSIX leaves it open)
 * says the operations of api.h do, over plain arrays in memory.
 *
 * Tests make an operation, ask the model what will come of it, run it, and
 * compare; and now and then compare everything.  A model can be cloned, so that
 * a test can keep the state of every moment that a crash may go back to.
 *
 * It shares no code with core/fs.
 */
#ifndef TESTS_MODEL_POSIX_H
#define TESTS_MODEL_POSIX_H

#include <linux/types.h>
#include "api.h"

#define PM_MAX_INODES 64
#define PM_MAX_ENTS 160
#define PM_MAX_XATTRS 6
#define PM_FILE_MAX (160U << 10)
#define PM_NR_CREDS 3

struct pm_xattr {
	char name[40];
	u64 seed;		/* its value is pm_fill(seed) */
	u32 len;
};

struct pm_inode {
	u64 ino;		/* 0: unused */
	u32 mode;
	u32 nlink;
	u32 uid;
	u32 gid;
	u32 rdev;
	u32 opens;
	u64 size;
	u8 *data;		/* size bytes of a file or a symlink's target */
	u32 nr_xattrs;
	struct pm_xattr xattrs[PM_MAX_XATTRS];
	/* not predicted but remembered: nothing changes them unasked */
	struct sfs_time atime;
	struct sfs_time mtime;
	struct sfs_time ctime;
	struct sfs_time crtime;
	u64 data_version;
	u64 data_seq;
	u64 meta_seq;
};

struct pm_entry {
	u64 dir;
	u64 ino;
	u32 len;
	char name[SFS_NAME_MAX + 1];
};

/* Bytes that were overwritten in place by what a crash undid. */
struct pm_range {
	u64 ino;
	u64 off;
	u64 len;
	bool partly;		/* some of it may have come through */
};

#define PM_MAX_RANGES 64

struct posix {
	u64 root;		/* the directory that all is below */
	struct pm_inode inodes[PM_MAX_INODES];
	struct pm_entry ents[PM_MAX_ENTS];	/* in the order of creation */
	u32 nr_ents;
	u32 nr_inodes;
	u32 nr_undone;
	u32 nr_ranges;
	struct pm_range ranges[PM_MAX_RANGES];
};

enum pm_type {
	PM_LOOKUP,
	PM_CREATE,		/* also directories and special files */
	PM_SYMLINK,
	PM_LINK,
	PM_UNLINK,
	PM_RMDIR,
	PM_RENAME,
	PM_SETATTR,
	PM_READ,
	PM_WRITE,
	PM_READLINK,
	PM_READDIR,
	PM_SETXATTR,
	PM_GETXATTR,
	PM_REMOVEXATTR,
	PM_OPEN,
	PM_CLOSE,
	PM_STAT_MORE,
	PM_FSYNC,
	PM_SYNC,
	PM_NR_TYPES,
};

struct pm_op {
	u8 type;
	u8 cred;
	u64 dir;
	u64 ino;
	u64 dir2;
	u64 ino2;
	u32 len;
	u32 len2;
	u32 mode;
	u32 rdev;
	u32 flags;
	u32 io_len;		/* of contents, values, targets */
	u64 off;
	u64 seed;
	struct sfs_setattr set;
	char name[SFS_NAME_MAX + 8];
	char name2[SFS_NAME_MAX + 8];
};

struct pm_result {
	s64 ret;
	u64 ino;		/* of lookup, create, symlink */
};

struct pm_report {
	void (*line)(void *arg, const char *text);
	void *arg;
	u32 errors;
};

/* writing as a host with a page cache does (posix_mapped.c) */
bool pm_can_write_mapped(struct sfs_fs *fs, const struct pm_op *op);
s64 pm_write_mapped(struct sfs_fs *fs, const struct pm_op *op, u8 *buf);
/* of a file that was just made */
void pm_map_unused(struct sfs_fs *fs, const struct sfs_attr *attr);

/* state (posix.c) */
struct posix *pm_create(struct sfs_fs *fs);
/* The same for what is below a directory that is empty. */
struct posix *pm_create_below(struct sfs_fs *fs, u64 dir);
struct posix *pm_clone(const struct posix *pm);
void pm_destroy(struct posix *pm);
/* A crash, or an unmount, as names and contents see it: nothing is open. */
void pm_close_all(struct posix *pm);
/*
 * @pm is what a crash would go back to, the operations told with this have
 * happened since, in that order.  Overwriting in place is not undone, so the
 * next pm_compare() takes those bytes as they are; and a long write is not one
 * transaction, so of the first operation, if it is one, a part may have
 * happened.
 */
void pm_undone(struct posix *pm, const struct pm_op *op);
struct pm_inode *pm_inode(const struct posix *pm, u64 ino);
struct pm_entry *pm_find(const struct posix *pm, u64 dir, const char *name,
			 u32 len);
void pm_cred(u32 nr, struct sfs_cred *cred);
void pm_fill(u64 seed, u8 *buf, u32 len);
void pm_error(struct pm_report *rep, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* what operations do (posix_ops.c) */
s64 pm_predict(const struct posix *pm, const struct pm_op *op);
/* After a success. */
void pm_apply(struct posix *pm, const struct pm_op *op,
	      const struct pm_result *res);

/* making them up (posix_gen.c); depends on *rng and the model alone */
void pm_generate(const struct posix *pm, u64 *rng, struct pm_op *op);
int pm_op_to_text(const struct pm_op *op, char *buf, u32 size);

/* against the real thing (posix_run.c) */
void pm_run(struct sfs_fs *fs, const struct pm_op *op, struct pm_result *res);
/*
 * Predicts, runs, compares, applies.  @may_fail: ENOSPC, EIO, ENOMEM and EINTR
 * are taken for what they are, and then nothing may have changed.
 */
void pm_step(struct posix *pm, struct sfs_fs *fs, const struct pm_op *op,
	     bool may_fail, struct pm_report *rep);
/* Everything: names, attributes, contents, attributes. */
void pm_compare(struct posix *pm, struct sfs_fs *fs, struct pm_report *rep);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_FS_TYPES_H
#define SFS_FS_TYPES_H

#include <linux/types.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "api.h"
#include "base/key.h"
#include "mount/locks.h"
#include "mount/txn.h"

/*
 * An inode item, decoded.  Lives on the stack of one operation, and is true as
 * long as the operation has the locks it was read under.
 */
struct sfs_inode {
	struct sfs_lockset *locks;
	u64 ino;
	u64 size;
	u64 meta_seq;
	u64 data_seq;
	u64 data_version;
	u64 online_blocks;
	u64 offline_blocks;
	u64 next_pos;
	u64 next_xattr_id;
	u64 project;
	struct sfs_time atime;
	struct sfs_time mtime;
	struct sfs_time ctime;
	struct sfs_time crtime;
	u32 mode;
	u32 nlink;
	u32 uid;
	u32 gid;
	u32 rdev;
	u32 flags;
};

/* A directory entry: what its three items say. */
struct sfs_entry {
	u64 dir;
	u64 ino;
	u64 pos;
	u64 hash;
	u8 type;		/* SFS_DT_* */
	u8 name_len;
	const char *name;	/* of the caller, not terminated */
};

/*
 * What a mount knows of an inode and does not store.  All fields but ino
 * belong to sfs_inodes.vol_lock; @version_txn, @fresh and @bumped change only
 * under Excl(ino) besides, apart from being cleared.
 */
struct sfs_ivol {
	struct list_head hash;
	struct list_head lru;	/* without users, but worth keeping */
	u64 ino;		/* I */
	u32 users;		/* pointers to this object, opens included */
	u32 opens;		/* sfs_inode_open() */
	u32 keeps;		/* sfs_inode_keep() */
	u8 busy;		/* it is claimed: enum sfs_busy */
	u8 again;		/* the worker came in vain */
	u8 fresh;		/* nobody has seen data_version since version_txn */
	u8 bumped;		/* data_version stepped ahead of the write it is for */
	u8 has_atime;
	u64 tenure;		/* of the lock, in which fresh and bumped were set */
	u64 version_txn;	/* transaction of the first step since it was seen */
	u64 shrink_txn;		/* transaction that last made it shorter */
	u64 data_txn;		/* transaction that last changed contents */
	struct sfs_time atime;
};

enum sfs_busy {
	SFS_BUSY_NO,
	SFS_BUSY_TRUNCATING,
	SFS_BUSY_DELETING,
	SFS_BUSY_UNLINKING,	/* it may go with its last name: an open waits */
};

/* A stretch of inode numbers that the files of one directory get. */
struct sfs_ino_run {
	u64 dir;		/* 0: none */
	u64 next;
	u64 end;
	u64 used_at;		/* for choosing the one that goes */
};

#define SFS_ILOCK_BUCKETS 512
#define SFS_IVOL_BUCKETS 1024
#define SFS_IVOL_IDLE_MAX 8192
#define SFS_INO_RUNS 64
#define SFS_DIR_INOS 16		/* numbers of a group that directories get */
#define SFS_WORK_MAX 1024

/* The filesystem floor of one mount. */
struct sfs_inodes {
	siphash_key_t name_key;		/* I */

	struct rw_semaphore ilocks[SFS_ILOCK_BUCKETS];
	struct mutex rename_lock;

	spinlock_t vol_lock;
	struct list_head vol_hash[SFS_IVOL_BUCKETS]; /* L(vol_lock) */
	struct list_head vol_lru;		/* L(vol_lock) */
	u32 vol_nr_idle;			/* L(vol_lock) */
	u64 vol_shrink_txn;			/* L(vol_lock): of those forgotten */
	u64 vol_data_txn;			/* L(vol_lock): of those forgotten */
	wait_queue_head_t vol_wait;		/* busy ended */

	struct mutex ino_mutex;
	struct sfs_ino_run ino_runs[SFS_INO_RUNS]; /* L(ino_mutex) */
	struct sfs_ino_run ino_dirs;		/* L(ino_mutex) */
	u64 ino_clock;				/* L(ino_mutex) */

	/* the worker of delete.c */
	struct sfs_fs *fs;			/* I */
	struct workqueue_struct *wq;		/* I */
	struct work_struct work;
	struct delayed_work scan;
	spinlock_t work_lock;
	u64 work_inos[SFS_WORK_MAX];		/* L(work_lock), a ring */
	u32 work_head;				/* L(work_lock) */
	u32 work_nr;				/* L(work_lock) */
	u8 work_scan;				/* L(work_lock): look at all items */
	u8 stopping;				/* L(work_lock) */
};

#endif

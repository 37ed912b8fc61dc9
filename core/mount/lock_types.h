/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the lock client share (locks.c: the table and its users;
 * lock_release.c: giving up; lock_talk.c: what servers say and are told).
 */
#ifndef SFS_MOUNT_LOCK_TYPES_H
#define SFS_MOUNT_LOCK_TYPES_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "mount/lock_client.h"
#include "mount/locks.h"
#include "mount/mount_types.h"

#define SFS_LOCK_SHARDS 64
#define SFS_LOCK_BUCKETS 64

#define SFS_LOCK_GROUP_INOS (1U << SFS_LOCK_GROUP_SHIFT)

/* How often each inode of a group is open here. */
struct sfs_lock_opens {
	u32 nr;				/* of all */
	u32 count[SFS_LOCK_GROUP_INOS];
};

struct sfs_lock_shard {
	spinlock_t lock;
	wait_queue_head_t wait;
	struct list_head hash[SFS_LOCK_BUCKETS];	/* L(lock) */
	struct list_head idle;		/* L(lock): without users, oldest first */
	struct list_head asking;	/* L(lock): with a request */
	struct list_head unapplied;	/* L(lock): need a version that is to come */
	u32 nr;				/* L(lock) */
};

/* Of all fields: L(shard->lock). */
struct sfs_lock {
	struct list_head hash;
	struct list_head idle;
	struct list_head asking;
	struct list_head unapplied;
	struct sfs_fs *fs;		/* I */
	struct sfs_lock_shard *shard;	/* I */
	u64 id;				/* I */
	u64 epoch;			/* of the grant, 0: none */
	u64 dead_epoch;			/* grants up to it were given up */
	u64 need_version;
	u64 req_nr;			/* 0: no request */
	unsigned long req_sent;		/* jiffies */
	unsigned long turn_end;		/* jiffies */
	u64 tenure;			/* since it is here for writing */
	u64 dirty_txn;			/* the last one with changes under it */
	u64 late_seq;			/* counts late users */
	struct sfs_lock_opens *opens;		/* NULL: none */
	u64 *others;			/* bits: open elsewhere; NULL: none */
	struct list_head users;
	struct list_head waiters;
	u32 nr_users[SFS_LOCK_WRITE + 1]; /* by mode, late ones apart */
	u32 nr_late[SFS_LOCK_WRITE + 1];
	u8 mode;
	u8 req_mode;
	u8 revoking;			/* it shall come down to keep */
	u8 keep;
	u8 at_once;			/* without a turn */
	u8 closing;			/* no new users above keep */
	struct delayed_work work;
};

/* A lock that is given up when a transaction is durable. */
struct sfs_lock_rel {
	struct list_head head;
	struct sfs_msg_lock_release body;
	u64 txn_nr;
	u64 sent_nr;			/* of the publish it went with, 0: none yet */
};

struct sfs_locks {
	struct sfs_fs *fs;		/* I */
	struct sfs_lock_shard shard[SFS_LOCK_SHARDS];
	atomic64_t last_req;
	atomic64_t last_tenure;
	atomic_t nr_unapplied;		/* grants that wait for a version */
	struct list_head releases;	/* L(fs->txn_lock) */
	struct workqueue_struct *wq;	/* I */
	struct delayed_work resend;
	bool stopping;			/* L: all shards' locks to set */
	u64 min_epoch;			/* L: the same; older grants come too late */
};

/* A request that is to be sent once no spinlock is held. */
struct sfs_lock_ask {
	u64 id;
	u64 nr;
	u64 held_epoch;
	u8 mode;
};

/* ---- locks.c --------------------------------------------------------------- */

struct sfs_lock_shard *sfs_lock_shard(struct sfs_fs *fs, u64 id);
struct sfs_lock *sfs_lock_find(struct sfs_lock_shard *shard, u64 id);
/* The lock, made when there is none; with shard->lock held, NULL: no memory. */
struct sfs_lock *sfs_lock_find_or_make(struct sfs_fs *fs,
				       struct sfs_lock_shard *shard, u64 id)
	__acquires(&shard->lock);
bool sfs_lock_is_idle(const struct sfs_lock *lk);
void sfs_lock_now_idle(struct sfs_lock *lk);
/* Users above the mode that is kept, of nr_users or nr_late. */
u32 sfs_lock_nr_above(const u32 *nr, u8 keep);
/* Lets in who may; with somebody left, a request that is needed for that. */
void sfs_lock_serve(struct sfs_lock *lk, struct sfs_lock_ask *ask);
void sfs_lock_not_unapplied(struct sfs_lock *lk);
/* The work, after @delay jiffies. */
void sfs_lock_queue(struct sfs_lock *lk, unsigned long delay);
/* It is to come down to @keep. */
void sfs_lock_revoke(struct sfs_lock *lk, u8 keep);
void sfs_lock_send_request(struct sfs_fs *fs, const struct sfs_lock_ask *ask);

/* ---- lock_release.c --------------------------------------------------------- */

void sfs_lock_work(struct work_struct *work);
void sfs_lock_give_up(struct sfs_fs *fs, u64 id, u8 keep);
void sfs_lock_destroy(struct sfs_lock *lk);
void sfs_lock_fill_in_use(const struct sfs_lock *lk,
			  struct sfs_msg_in_use *in_use);
/* Of that epoch a release goes with a publish that is to come. */
bool sfs_lock_release_pending(struct sfs_fs *fs, u64 id, u64 epoch);
void sfs_lock_send_release(struct sfs_fs *fs,
			   const struct sfs_msg_lock_release *body);
void sfs_lock_send_in_use(struct sfs_fs *fs, u64 id,
			  const struct sfs_msg_in_use *in_use);
/* What others say they have; @bits is owned, and taken or freed. */
void sfs_lock_learn_others(struct sfs_lock *lk, u64 *bits);
u64 *sfs_lock_decode_others(const struct sfs_msg_in_use *in_use);

#endif

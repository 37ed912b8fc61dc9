/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_MOUNT_TYPES_H
#define SFS_MOUNT_TYPES_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "base/identity.h"
#include "engine/engine.h"
#include "net/net.h"
#include "mount/flocks.h"
#include "mount/txn.h"

struct sfs_inodes;
struct sfs_locks;

/* An extent of the data device, in 4 KiB blocks. */
struct sfs_dext {
	u64 start;
	u64 count;
};

/* Grows as needed before a hold, never in it. */
struct sfs_dext_list {
	u32 nr;
	u32 cap;
	struct sfs_dext *ext;
};

/*
 * A transaction: the changes between two freezes.  It is born with a sequence
 * the mount holds, collects changes while it is the current one, and ends when
 * the edit that publishes it has been applied.
 */
struct sfs_txn {
	struct sfs_memgen *gen;		/* I */
	u64 nr;				/* I: counts this mount's transactions */
	u64 seq;			/* I: open at the server until published */
	u64 stamp;			/* L(fs->txn_lock): the largest of its changes */
	u32 holders;			/* L(fs->txn_lock): holds in progress */
	u32 extents_reserved;		/* L(fs->txn_lock) */
	u64 bytes_reserved;		/* L(fs->txn_lock): of metadata space */
	bool dirty;			/* L(fs->txn_lock) */
	bool data_dirty;		/* L(fs->txn_lock) */
	struct sfs_dext_list consumed;	/* L(fs->txn_lock) */
	struct sfs_dext_list freed;	/* L(fs->txn_lock) */
};

/* Metadata space this mount owns: whole segments, and one that is in use. */
struct sfs_own_seg {
	u64 addr;			/* bytes: free part */
	u64 len;
	u64 end;			/* of the last segment of this piece */
};

struct sfs_fs {
	struct sfs_host *host;		/* I */
	struct sfs_mount_opts opts;	/* A: each field by itself */
	struct sfs_identity ident;	/* I */
	u64 fsid;			/* I */
	u64 rid;			/* I */
	u8 hash_key[16];		/* I: SipHash key of names */
	struct sfs_inodes *inodes;	/* I: the filesystem floor's own */
	struct sfs_counters *cnt;	/* I */

	struct sfs_client net;		/* slots towards the server */
	struct sfs_engine eng;
	struct sfs_locks *locks;	/* I: once started */
	struct mutex unused_mutex;
	void (*unused)(struct sfs_fs *fs, u64 ino); /* L(unused_mutex): or NULL */

	/* transactions */
	spinlock_t txn_lock;
	wait_queue_head_t txn_wait;
	struct sfs_txn *txn;		/* L(txn_lock): current */
	struct sfs_txn *frozen;		/* L(txn_lock): being published, or NULL */
	u64 spare_seq;			/* L(txn_lock): for the next one, 0 none */
	u64 run_id;			/* O(publisher): for the next run */
	u64 taken_nr;			/* L(txn_lock): the reply to its publish is taken */
	u64 now;			/* L(txn_lock): Lamport clock */
	u64 published_nr;		/* L(txn_lock): all up to it are durable */
	u64 published_stamp;		/* L(txn_lock): largest of an item */
	u64 want_nr;			/* L(txn_lock): publish up to it soon */
	u64 want_seq;			/* L(txn_lock): and until none is open up to it */
	int err;			/* L(txn_lock): the mount is down */
	bool stopping;			/* L(txn_lock) */
	u64 freeze_bytes;		/* I: a transaction this large is frozen */
	struct workqueue_struct *wq;	/* I */
	struct work_struct publish_work;
	struct delayed_work timer_work;
	struct delayed_work idle_work;
	u32 skipped_ticks;		/* O(timer): while level 0 was long */

	/* applied edits */
	u64 applied_version;		/* L(txn_lock) */
	u64 received_version;		/* L(txn_lock): of the last edit that came */
	u64 acked_version;		/* L(txn_lock) */
	struct work_struct ack_work;
	struct mutex view_mutex;	/* who replaces the view */
	bool loaded;			/* L(txn_lock): the manifest is there */
	bool reload;			/* L(txn_lock): edits are missing */
	struct list_head edits;		/* L(txn_lock): received, not applied */
	u32 nr_edits;			/* L(txn_lock) */
	struct work_struct edit_work;
	bool joined;			/* L(txn_lock): the server knows this mount */

	struct sfs_flocks flocks;	/* locks of flock() and fcntl() */

	/* owned space */
	spinlock_t space_lock;
	struct mutex refill_mutex[2];	/* who waits for metadata space, by class */
	struct mutex data_mutex;	/* who asks for data space */
	struct mutex segs_mutex;	/* who adds segments */
	struct sfs_own_seg *segs;	/* L(space_lock) */
	u32 nr_segs;			/* L(space_lock) */
	u32 cap_segs;			/* L(space_lock) */
	u64 meta_owned;			/* L(space_lock): bytes of free parts */
	u64 meta_reserved;		/* L(space_lock): of them, for transactions */
	u64 meta_delete;		/* L(space_lock): of the rest, for deletes alone */
	struct sfs_dext_list data;	/* L(space_lock): owned, by start */
	u64 data_blocks;		/* L(space_lock): sum of them */
};

#endif

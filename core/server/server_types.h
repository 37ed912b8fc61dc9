/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_TYPES_H
#define SFS_SERVER_TYPES_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "base/identity.h"
#include "engine/store.h"
#include "net/hub.h"
#include "server/flocks.h"
#include "server/srv_format.h"

#define SFS_MAX_OPEN_SEQS 4

/* Segments of the metadata device: two bits of state, the rest references. */
enum sfs_seg_state {
	SFS_SEG_FREE = 0,
	SFS_SEG_OWNED = 1,
	SFS_SEG_LIVE = 2,
	SFS_SEG_PENDING = 3,
};
#define SFS_SEG_REF_BITS 30

struct sfs_seg_map {
	u64 start;		/* I: byte of segment 0 */
	u64 nr;			/* I */
	u32 bytes;		/* I: of a segment */
	u32 *seg;		/* L(store) */
	u64 nr_free;		/* L(store) */
	u64 nr_owned;		/* L(store) */
	u64 nr_pending;		/* L(store) */
	u64 hint;		/* L(store) */
	u64 reserve_job;	/* I: left to compaction */
	u64 reserve_delete;	/* I: left to deleting operations, besides */
};

/* One mount as the server sees it. */
struct sfs_session {
	struct list_head head;		/* L(store) */
	refcount_t refs;
	struct sfs_server *srv;		/* I */
	u64 rid;			/* I */
	spinlock_t lock;
	struct sfs_conn *conn;		/* L(lock): its newest link's, or NULL */
	u64 link_nr;			/* L(lock): number of that link */
	struct work_struct free_work;
	u64 open_seqs[SFS_MAX_OPEN_SEQS]; /* L(store): 0 none */
	u64 acked;			/* A: oldest version it may read; 0: did not say */
	u64 publish_nr;			/* L(store) */
	u64 run_id;			/* L(store): of the next run it publishes */
	u64 owned_segs;			/* L(store) */
	u64 owned_data;			/* L(store): blocks */
	bool joined;			/* L(store) */
	bool shut;			/* A: its mount is no more */
	bool greeted;			/* L(store): since this server started */
	struct sfs_manifest *load_man;	/* O(session slot): being loaded */
	u64 load_publish_nr;		/* O(session slot): its last publish in that */
	struct sfs_fl_session *flocks;	/* I */
	u64 published;			/* L(locks.mutex): version its last publish made */
	u64 published_stamp;		/* L(locks.mutex): largest stamp it published */
	struct list_head lock_holders;	/* L(locks.mutex) */
	struct list_head lock_waiters;	/* L(locks.mutex) */
	struct list_head lock_users;	/* L(locks.mutex) */
	struct list_head lock_watches;	/* L(locks.mutex) */
	struct sfs_session_slot {
		struct sfs_session *sess;
		struct work_struct work;
		spinlock_t lock;
		struct list_head queue;		/* L(lock) */
		u32 nr_queued;			/* L(lock) */
		bool closed;			/* L(lock): takes nothing more */
		u64 seq;			/* O: last one handled */
		struct sfs_msg *reply;		/* O: to it */
	} slots[SFS_NR_SLOTS];
};

/* What is sent once a ticket is durable, in the order of tickets. */
struct sfs_srv_post {
	struct list_head head;
	u64 ticket;
	u64 version;
	struct sfs_msg *edit;
};

#define SFS_SRV_LOCK_BUCKETS 4096

/* The lock service. */
struct sfs_srv_locks {
	struct mutex mutex;
	struct list_head hash[SFS_SRV_LOCK_BUCKETS]; /* L(mutex) */
	struct list_head revoking;	/* L(mutex): holders that were told to */
	u64 floor;			/* L(mutex): version for locks not in the table */
	u64 floor_stamp;		/* L(mutex): and stamp */
	u64 last_epoch;			/* L(mutex) */
	u64 nr;				/* L(mutex) */
	struct delayed_work resend;
	bool stopping;			/* L(mutex) */
};

struct sfs_server {
	struct sfs_host *host;		/* I */
	struct sfs_identity ident;	/* I */
	struct sfs_store *store;	/* I: its mutex guards what follows */
	struct sfs_engine *items;	/* I: the store's engine */
	struct sfs_counters *cnt;	/* I */

	u64 version;			/* L(store) */
	u64 stable;			/* L(store) */
	u64 top_stamp;			/* L(store): largest that was published */
	unsigned long advance_sent;	/* L(store): jiffies */
	u64 next_seq;			/* L(store): of transactions */
	u64 next_run;			/* L(store) */
	u64 next_slice;			/* L(store) */
	u64 next_order;			/* L(store) */
	u64 next_ino;			/* L(store) */

	struct sfs_engine vol;		/* manifest of the volume, no generations */
	struct sfs_seg_map segs;
	u64 data_total;			/* I: blocks */
	u64 data_free;			/* L(store): blocks */
	u64 data_hint;			/* L(store) */

	struct sfs_srv_locks locks;
	struct sfs_hub *hub;		/* I */
	struct sfs_listener listener;	/* I */
	spinlock_t link_lock;
	struct list_head links;		/* L(link_lock): not known to have ended */
	u32 nr_live_links;		/* L(link_lock): not freed yet */
	u64 nr_links;			/* L(link_lock): ever */
	u32 nr_sessions;		/* L(link_lock): not freed yet */
	wait_queue_head_t wait;		/* for links and sessions to go */

	struct list_head sessions;	/* L(store) */
	struct list_head posts;		/* L(store) to add */
	struct mutex post_mutex;	/* one sender at a time */
	u64 sent_version;		/* L(post_mutex) */
	struct delayed_work nudge_work;	/* tells who lags what was sent */

	struct sfs_srv_flocks flocks;

	struct workqueue_struct *wq;		/* I: requests */
	struct workqueue_struct *end_wq;	/* I: what waits for works of wq */
	struct workqueue_struct *job_wq;	/* I: compaction, reclaim */
	struct work_struct compact_work;
	struct work_struct reclaim_work;
	struct work_struct gone_work;
	u8 *slot_buf;			/* L(store): SFS_ITEM_MAX_VAL */
	bool compact_forced;		/* L(store): space is short */
	bool compacting;		/* L(store) */
	u64 compact_starved;		/* L(store): more free segments than these are needed */
	u64 compact_order;		/* L(store): up to it level 0 is being merged */
	bool stopping;			/* A */
	bool recovering;		/* A, L(store) to change: waits for mounts */
	bool dead;			/* A: killed, sends nothing any more */
	int compact_err;		/* L(store) */
};

#endif

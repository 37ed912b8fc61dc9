/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_MOUNT_FLOCKS_H
#define SFS_MOUNT_FLOCKS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include "api.h"
#include "net/net.h"

#define SFS_FLOCKS_BUCKETS 256

/* ---- owners and requests (flock_owners.c) ---------------------------------- */

/* What an owner holds in an inode, or (none) has unlocked.  L(mutex). */
struct sfs_fl_piece {
	struct list_head head;		/* by start */
	u64 start;
	u64 end;
	u64 order;
	u32 pid;
	u8 kind;
	u8 type;
};

struct sfs_fl_owner {
	struct list_head head;
	u64 ino;
	u64 owner;
	bool is_file;			/* flock */
	struct list_head pieces;
	struct list_head reqs;		/* under way or held back */
	u32 nr_abandoned;
};

struct sfs_fl_request {
	struct list_head head;		/* of its owner, oldest first */
	struct sfs_fl_owner *owner;
	struct sfs_flock lk;
	u64 nr;
	u64 sent_ns;
	u32 place;
	u8 op;				/* enum sfs_flock_op, never CANCEL */
	bool sent;			/* the server may know it */
	bool cancelling;
	bool abandoned;
	sfs_flock_done_t done;		/* NULL: has been called */
	void *arg;
};

struct sfs_flocks_place {
	struct sfs_fl_request *req;
	u32 next_free;			/* index + 1 */
};

/* I set at init only, L(mutex) */
struct sfs_flocks {
	struct sfs_host *host;		/* I */
	u64 rid;			/* I */
	struct sfs_counters *cnt;	/* I, or NULL */
	struct workqueue_struct *wq;	/* I */
	void (*send)(void *arg, struct sfs_msg *msg); /* I */
	int (*error)(void *arg);	/* I: why nothing can be done, 0 */
	void *arg;			/* I */
	struct mutex mutex;
	struct list_head owners[SFS_FLOCKS_BUCKETS]; /* L */
	struct sfs_flocks_place *places; /* L */
	u32 nr_places;			/* L */
	u32 nr_free;			/* L */
	u32 free_head;			/* L: index + 1 */
	u64 next_nr;			/* L */
	u32 resend_at;			/* L: place */
	bool paused;			/* L: between restate and resume */
	u64 restate_nr;			/* L: how often that was begun */
	struct delayed_work resend;
};

/* These: fl->mutex is held. */
struct sfs_fl_owner *sfs_fl_owner_find(struct sfs_flocks *fl,
				       const struct sfs_flock *lk);
struct sfs_fl_owner *sfs_fl_owner_get(struct sfs_flocks *fl,
				      const struct sfs_flock *lk);
/* Forgets what need not be kept, perhaps all of it. */
void sfs_fl_owner_put(struct sfs_fl_owner *own);
/* The range of @req has become @type by effect number @order. */
void sfs_fl_owner_apply(struct sfs_fl_owner *own,
			const struct sfs_fl_request *req, u8 type, u64 order);
void sfs_fl_owners_free(struct sfs_flocks *fl);
void sfs_fl_request_encode(const struct sfs_fl_request *req, u8 op,
			   struct sfs_msg_flock *m);
u8 sfs_fl_request_op(const struct sfs_fl_request *req);

/* ---- requests to the server (flocks.c) --------------------------------------- */

/*
 * @send owns the message, does not block and may lose it.  @error is asked now
 * and then; what is under way ends with it.
 */
void sfs_flocks_init(struct sfs_flocks *fl, struct sfs_host *host, u64 rid);
/* @wq lives until sfs_flocks_exit(). */
void sfs_flocks_start(struct sfs_flocks *fl, struct workqueue_struct *wq,
		      struct sfs_counters *cnt,
		      void (*send)(void *arg, struct sfs_msg *msg),
		      int (*error)(void *arg), void *arg);
/* No call runs or begins, no answer comes any more.  Also of one not started. */
void sfs_flocks_exit(struct sfs_flocks *fl);

/* As in api.h. */
void sfs_flocks_begin(struct sfs_flocks *fl, int call,
		      const struct sfs_flock *lk, sfs_flock_done_t done,
		      void *arg, u64 *ret_ticket);
void sfs_flocks_cancel(struct sfs_flocks *fl, u64 ticket);
void sfs_flocks_abandon(struct sfs_flocks *fl, u64 ticket);
int sfs_flocks_wait(struct sfs_flocks *fl, int call, struct sfs_flock *lk);
int sfs_flocks_held(struct sfs_flocks *fl, const struct sfs_flock *lk,
		    struct sfs_flock *ret_lk);

/* SFS_MSG_FLOCK_ANSWER, not owned. */
void sfs_flocks_answer(struct sfs_flocks *fl, const struct sfs_msg *msg);

/*
 * For whoever greets a server that has started again.  From restate on nothing
 * is sent, and no answer of the old server must come any more; the messages (of
 * type SFS_MSG_FLOCK_RESTATE, one at least, owned by the caller) are sent in
 * this order, each as a request with a reply, and once all of them have been
 * answered resume lets things go on.  Without an answer restate may be called
 * again.  0 or -ENOMEM, then there is no message.
 */
int sfs_flocks_restate(struct sfs_flocks *fl, struct list_head *ret_msgs);
void sfs_flocks_resume(struct sfs_flocks *fl);

#endif

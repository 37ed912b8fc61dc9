/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_FLOCKS_H
#define SFS_SERVER_FLOCKS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "api.h"
#include "net/net.h"

struct sfs_dump;
struct sfs_fl_session;
struct sfs_fl_wait;

/* Ranges and waiting requests that one mount may have at a time. */
#define SFS_FL_MAX (1U << 17)
#define SFS_FL_OWNERS 64
/* for how long a request that waits keeps later ones from overtaking it */
#define SFS_FL_FAIR_MS 1000

/* ---- the table of locks (flock_table.c) ------------------------------------ */

/* POSIX and OFD; flock */
enum sfs_fl_space {
	SFS_FL_RANGES = 0,
	SFS_FL_FILES = 1,
	SFS_FL_SPACES = 2,
};

/* A request as it came, its fields checked. */
struct sfs_fl_req {
	struct sfs_fl_session *ses;
	u64 nr;
	u64 ino;
	u64 owner;
	u64 start;
	u64 end;
	u32 place;
	u32 pid;
	u8 op;
	u8 kind;
	u8 type;
};

static inline int sfs_fl_space(u8 kind)
{
	return kind == SFS_FLOCK_FLOCK ? SFS_FL_FILES : SFS_FL_RANGES;
}

/* What is held.  Everything here L(table->mutex). */
struct sfs_fl_range {
	struct list_head head;		/* of its inode */
	struct list_head mine;		/* of its session */
	struct sfs_fl_inode *fi;
	struct sfs_fl_session *ses;
	u64 owner;
	u64 start;
	u64 end;
	u32 pid;
	u8 kind;
	u8 type;
	bool doubt;			/* restated, see sfs_fl_table_settle() */
};

/* What is waited for. */
struct sfs_fl_wait {
	struct list_head head;		/* of its inode, first come */
	struct list_head mine;		/* of its session */
	struct list_head owned;		/* of its owner's bucket */
	struct sfs_fl_inode *fi;
	struct sfs_fl_req req;
	u64 since_ns;
};

struct sfs_fl_inode {
	struct rb_node node;
	u64 ino;
	struct list_head held[SFS_FL_SPACES];
	struct list_head waits[SFS_FL_SPACES];
	struct list_head busy;		/* has requests that wait */
};

struct sfs_fl_table {
	struct sfs_host *host;		/* I */
	struct mutex mutex;
	struct rb_root inodes;		/* L */
	struct list_head busy;		/* L */
	struct list_head owned[SFS_FL_OWNERS]; /* L */
	u64 order;			/* L: of the last effect */
	u64 nr_held;			/* L */
	u64 nr_waits;			/* L */
	bool held_up;			/* L: a request waits out of fairness alone */
	/* I: @wait has what it wanted, or @err; frees it */
	void (*granted)(struct sfs_fl_wait *wait, int err, u8 effect);
};

/* The part of a session that the table counts and lists. */
struct sfs_fl_holder {
	struct list_head held;		/* L(table->mutex) */
	struct list_head waits;		/* L(table->mutex) */
	u32 nr;				/* L(table->mutex): both together */
	bool full;			/* L(table->mutex): it has been said */
};

/* All: the table's mutex is held. */
void sfs_fl_table_init(struct sfs_fl_table *t, struct sfs_host *host);
/*
 * Does what @req wants if that is possible now.  0, -EAGAIN, -ENOLCK; tells
 * what the request's range became also in case of an error, as messages do.
 */
int sfs_fl_table_set(struct sfs_fl_table *t, const struct sfs_fl_req *req,
		     u8 *ret_effect);
/*
 * When set says -EAGAIN, or it would not be fair: queues @wait, whose request
 * is filled in.  -EDEADLK, -ENOLCK: not queued.
 */
int sfs_fl_table_wait(struct sfs_fl_table *t, struct sfs_fl_wait *wait);
/* Takes it out of the queue and frees it. */
void sfs_fl_table_unwait(struct sfs_fl_table *t, struct sfs_fl_wait *wait);
/* Nobody waits who should have its turn before @req. */
bool sfs_fl_table_fair(struct sfs_fl_table *t, const struct sfs_fl_req *req);
/* What is in the way of @req, or NULL. */
const struct sfs_fl_range *sfs_fl_table_get(struct sfs_fl_table *t,
					    const struct sfs_fl_req *req);
/* Everything of a session goes, without a word to it. */
void sfs_fl_table_drop(struct sfs_fl_table *t, struct sfs_fl_session *ses);
/* Restated: held before, whoever else says so too. */
int sfs_fl_table_put(struct sfs_fl_table *t, const struct sfs_fl_req *req,
		     bool doubt);
/*
 * All mounts have restated: what was in doubt is decided.  @proven is told of
 * each that has been weakened, by a request the old server had granted.
 */
void sfs_fl_table_settle(struct sfs_fl_table *t,
			 void (*proven)(struct sfs_fl_session *ses, u64 ino,
					u64 owner));
/* Those that only fairness made wait may have waited long enough. */
void sfs_fl_table_tick(struct sfs_fl_table *t);

/* ---- the service (flocks.c) -------------------------------------------------- */

/* The last request of a mount in one place. */
struct sfs_fl_place {
	u64 nr;
	u64 order;
	s32 err;
	u8 effect;
	struct sfs_fl_wait *wait;	/* it is not answered yet */
};

/* A mount. */
struct sfs_fl_session {
	struct list_head head;		/* L(table->mutex): of the service */
	struct sfs_srv_flocks *fl;	/* I */
	u64 rid;			/* I */
	void (*send)(void *arg, struct sfs_msg *msg); /* I */
	void *arg;			/* I */
	struct sfs_fl_holder holder;
	struct sfs_fl_place *places;	/* L(table->mutex) */
	u32 nr_places;			/* L(table->mutex) */
	u64 restate_nr;			/* L(table->mutex): the restating */
	u32 next_part;			/* L(table->mutex): of it */
	struct list_head restated;	/* L(table->mutex): requests */
	spinlock_t lock;
	struct list_head queue;		/* L(lock) */
	u32 nr_queued;			/* L(lock) */
	struct work_struct work;
};

struct sfs_srv_flocks {
	struct sfs_fl_table table;
	struct sfs_counters *cnt;	/* I */
	struct workqueue_struct *wq;	/* I */
	struct list_head sessions;	/* L(table.mutex) */
	bool frozen;			/* L(table.mutex) */
	struct delayed_work tick;
};

void sfs_srv_flocks_init(struct sfs_srv_flocks *fl, struct sfs_host *host,
			 struct sfs_counters *cnt);
/* Before the first session; @wq lives until exit. */
void sfs_srv_flocks_start(struct sfs_srv_flocks *fl,
			  struct workqueue_struct *wq);
/* All sessions have been destroyed.  Also of one that was not started. */
void sfs_srv_flocks_exit(struct sfs_srv_flocks *fl);
/*
 * A server that starts with mounts that have locks freezes before it hears any
 * of them: nothing is granted, changed or answered until it thaws, when all
 * have restated what they hold or are known to be gone.
 */
void sfs_srv_flocks_freeze(struct sfs_srv_flocks *fl);
void sfs_srv_flocks_thaw(struct sfs_srv_flocks *fl);

/* @send owns the message, does not block, and may lose it.  NULL: no memory. */
struct sfs_fl_session *
sfs_fl_session_create(struct sfs_srv_flocks *fl, u64 rid,
		      void (*send)(void *arg, struct sfs_msg *msg), void *arg);
/* Its locks go; no message of it arrives any more. */
void sfs_fl_session_destroy(struct sfs_fl_session *ses);
/* SFS_MSG_FLOCK, owned.  Does not block. */
void sfs_fl_session_recv(struct sfs_fl_session *ses, struct sfs_msg *msg);
/* A request of type SFS_MSG_FLOCK_RESTATE while the service is frozen. */
int sfs_fl_session_restate(struct sfs_fl_session *ses,
			   const struct sfs_msg *msg);
/* The mount leaves, or has gone: all its locks are free. */
void sfs_fl_session_release(struct sfs_fl_session *ses);

/* Lines about what is held and what is waited for, by whom and since when. */
int sfs_srv_flocks_dump(struct sfs_srv_flocks *fl, struct sfs_dump *dump);

#endif

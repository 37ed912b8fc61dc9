/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_NET_NET_H
#define SFS_NET_NET_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "base/counters.h"
#include "net/msg_format.h"

struct sfs_host;

/* A message on its way or waiting to be handled. */
struct sfs_msg {
	struct list_head head;
	refcount_t refs;
	struct sfs_msg_hdr hdr;
	u8 payload[] __aligned(8);
};

struct sfs_msg *sfs_msg_alloc(u16 type, u32 len);
/* Wait for memory; for what must not be lost. */
struct sfs_msg *sfs_msg_alloc_wait(u16 type, u32 len);
struct sfs_msg *sfs_msg_copy_wait(const struct sfs_msg *msg);
void sfs_msg_get(struct sfs_msg *msg);
/* One reference less; NULL is allowed. */
void sfs_msg_free(struct sfs_msg *msg);
static inline u32 sfs_msg_len(const struct sfs_msg *msg)
{
	return le32_to_cpu(msg->hdr.len);
}

/* ---- connections ----------------------------------------------------------- */

struct sfs_conn;

enum sfs_conn_side {
	SFS_CONN_MOUNT = 0,
	SFS_CONN_SERVER = 1,
};

struct sfs_conn_ops {
	/* The next message, in the order of sending; owned.  Must not wait. */
	void (*recv)(void *arg, struct sfs_msg *msg);
	/* The connection has ended: nothing arrives any more.  Called once. */
	void (*closed)(void *arg);
};

enum sfs_wire_fate {
	SFS_WIRE_PASS,
	SFS_WIRE_LOSE,
	SFS_WIRE_TWICE,
	SFS_WIRE_CUT,		/* it is lost and the connection ends */
};

/*
 * For tests: what becomes of a message on its way to @to_side.  It is asked when
 * the message would arrive, one after the other for each end, and delays all
 * that are behind it by waiting, but not on once the connection has ended.
 */
struct sfs_wire {
	enum sfs_wire_fate (*fate)(void *arg, struct sfs_conn *conn,
				   int to_side, const struct sfs_msg *msg);
	void *arg;
};

/*
 * A connection with both ends free; each is given back with detach.  @wire
 * outlives it.
 */
struct sfs_conn *sfs_conn_create(struct sfs_host *host,
				 struct workqueue_struct *wq,
				 const struct sfs_wire *wire);
void sfs_conn_attach(struct sfs_conn *conn, int side,
		     const struct sfs_conn_ops *ops, void *arg);
/* While sending, for who does not have an end attached for himself. */
void sfs_conn_get(struct sfs_conn *conn);
void sfs_conn_put(struct sfs_conn *conn);
/* To the other end; owns @msg.  Lost when the connection has ended. */
void sfs_conn_send(struct sfs_conn *conn, int from_side, struct sfs_msg *msg);
/* Ends it for both; what is on its way is lost. */
void sfs_conn_shut(struct sfs_conn *conn);
bool sfs_conn_is_shut(struct sfs_conn *conn);
/* Ends it; after that no callback of this side runs.  Not called by one. */
void sfs_conn_detach(struct sfs_conn *conn, int side);

/* ---- the mount's slots ------------------------------------------------------- */

/*
 * The mount's side: slots with one request in flight each.  Who waits may leave
 * before the answer comes; then whoever is next waits for it first.
 */
struct sfs_client_slot {
	struct mutex mutex;
	u64 seq;			/* L(mutex) */
	bool left;			/* L(mutex): its answer is still to come */
	spinlock_t lock;
	struct sfs_msg *req;		/* L(lock): waits for its reply */
	struct sfs_msg *reply;		/* L(lock): nobody took it yet */
	u64 sent_ns;			/* L(lock) */
};

struct sfs_hub;
struct sfs_hub_member;
struct sfs_client;

struct sfs_client_ops {
	/* What the server sends by itself, in order; owned.  Must not wait. */
	void (*event)(void *arg, struct sfs_msg *msg);
	/*
	 * Introduces the mount to a server, with sfs_client_greet().  An error
	 * but -ENOTCONN is that server's last word.
	 */
	int (*greet)(void *arg);
	/* The server does not want this mount. */
	void (*refused)(void *arg, int err);
	/* May be NULL; what a successful request that was left behind brought. */
	void (*late)(void *arg, int slot, const struct sfs_msg *reply);
};

/*
 * A mount's side of the session: one request in flight in each slot, sent
 * again until it is answered, also by a later server.
 */
struct sfs_client {
	struct sfs_host *host;			/* I */
	struct sfs_hub *hub;			/* I */
	struct sfs_hub_member *member;		/* I */
	struct workqueue_struct *wq;		/* I */
	u64 rid;				/* I */
	const struct sfs_client_ops *ops;	/* I */
	void *arg;				/* I */
	struct sfs_counters *cnt;		/* I */

	struct sfs_client_slot slots[SFS_NR_SLOTS];
	wait_queue_head_t wait;
	struct work_struct connect_work;
	struct delayed_work resend_work;

	spinlock_t lock;
	struct sfs_conn *conn;		/* L(lock): replaced by connect_work */
	u64 term;			/* L(lock): of the server it has greeted */
	bool greeted;			/* L(lock): this connection */
	bool failed;			/* L(lock): requests end with -EIO */
	bool closing;			/* L(lock) */
	int refused;			/* L(lock) */
};

/*
 * Messages of either direction but replies are counted in @cnt.  From init on
 * the hub has the mount, from start on it connects, whenever a server is there.
 */
int sfs_client_init(struct sfs_client *client, struct sfs_hub *hub, u64 rid,
		    struct sfs_host *host, struct sfs_counters *cnt,
		    const struct sfs_client_ops *ops, void *arg);
void sfs_client_start(struct sfs_client *client);
/* Waits until a server was greeted for the first time. */
int sfs_client_wait_greeted(struct sfs_client *client);
/* Whether there is a server that was greeted, now or that soon. */
bool sfs_client_wait_server(struct sfs_client *client, u32 patience_ms);
/* No request is answered any more: those that wait end with -EIO. */
void sfs_client_fail(struct sfs_client *client);
/* Nothing is sent or received any more. */
void sfs_client_close(struct sfs_client *client);
/* After close, when nothing that the mount began is under way: the hub is told. */
void sfs_client_exit(struct sfs_client *client);
/*
 * Sends @req (owned) in @slot and waits for the answer.  0 and the reply,
 * which the caller frees, at least @min_len bytes long; or the server's errno;
 * or -EINTR when the thread is being killed, -EIO once the client was stopped:
 * then the request may or may not have its effect.
 */
int sfs_client_call(struct sfs_client *client, int slot, struct sfs_msg *req,
		    u32 min_len, struct sfs_msg **ret_reply);
/* The same, however long it takes, but not beyond the mount's own end. */
int sfs_client_call_sure(struct sfs_client *client, int slot,
			 struct sfs_msg *req, u32 min_len,
			 struct sfs_msg **ret_reply);
/*
 * The same for what ops->greet() says, in the slot of its own; -ENOTCONN when
 * the connection ended before the answer.
 */
int sfs_client_greet(struct sfs_client *client, struct sfs_msg *req,
		     u32 min_len, struct sfs_msg **ret_reply);
/* Without an answer; lost when there is no connection. */
void sfs_client_send(struct sfs_client *client, struct sfs_msg *msg);
/* Of the server that was greeted last, or is being greeted. */
u64 sfs_client_term(struct sfs_client *client);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_NET_NET_H
#define SFS_NET_NET_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "base/counters.h"
#include "net/msg_format.h"

/* A message on its way or waiting to be handled. */
struct sfs_msg {
	struct list_head head;
	struct sfs_msg_hdr hdr;
	u8 payload[] __aligned(8);
};

struct sfs_msg *sfs_msg_alloc(u16 type, u32 len);
/* Waits for memory; for what must not be lost. */
struct sfs_msg *sfs_msg_alloc_wait(u16 type, u32 len);
void sfs_msg_free(struct sfs_msg *msg);
static inline u32 sfs_msg_len(const struct sfs_msg *msg)
{
	return le32_to_cpu(msg->hdr.len);
}

/*
 * A connection inside one machine: two ends, each with a queue of messages
 * that a worker hands to recv() one after the other, in the order in which
 * they were sent.  recv() owns the message and must not block on work.
 */
struct sfs_conn_end {
	struct sfs_conn *conn;
	spinlock_t lock;
	struct list_head queue;		/* L(lock) */
	bool closed;			/* L(lock) */
	struct work_struct work;
	void (*recv)(void *arg, struct sfs_msg *msg);
	void *arg;
};

enum sfs_conn_side {
	SFS_CONN_MOUNT = 0,
	SFS_CONN_SERVER = 1,
};

struct sfs_conn {
	struct workqueue_struct *wq;
	struct sfs_conn_end end[2];
};

int sfs_conn_init(struct sfs_conn *conn);
void sfs_conn_close(struct sfs_conn *conn);
void sfs_conn_exit(struct sfs_conn *conn);
void sfs_conn_attach(struct sfs_conn *conn, int side,
		     void (*recv)(void *arg, struct sfs_msg *msg), void *arg);
/* To the other end; owns @msg. */
void sfs_conn_send(struct sfs_conn *conn, int from_side, struct sfs_msg *msg);

/*
 * The mount's side: slots with one request in flight each.  Who waits may leave
 * before the answer comes; then whoever is next waits for it first.
 */
struct sfs_client_slot {
	struct mutex mutex;
	u64 seq;			/* L(mutex) */
	bool left;			/* L(mutex): its answer is still to come */
	spinlock_t lock;
	wait_queue_head_t wait;
	struct sfs_msg *reply;		/* L(lock) */
	bool waiting;			/* L(lock) */
};

struct sfs_client {
	u64 rid;
	struct sfs_host *host;		/* I */
	bool stopped;			/* A: set once */
	struct sfs_conn conn;
	struct sfs_client_slot slots[SFS_NR_SLOTS];
	void (*event)(void *arg, struct sfs_msg *msg);
	/* I: may be NULL; what a successful request that was left behind brought */
	void (*late)(void *arg, int slot, const struct sfs_msg *reply);
	void *arg;
	struct sfs_counters *cnt;	/* I */
};

/*
 * @event gets what the server sends by itself, in order; owns the message.
 * Messages of either direction but replies are counted in @cnt.
 */
int sfs_client_init(struct sfs_client *client, struct sfs_host *host, u64 rid,
		    struct sfs_counters *cnt,
		    void (*event)(void *arg, struct sfs_msg *msg), void *arg);
/* Nothing arrives at either end any more; then the server lets go of it. */
void sfs_client_close(struct sfs_client *client);
void sfs_client_exit(struct sfs_client *client);
/*
 * Sends @req (owned) in @slot and waits for the answer.  0 and the reply,
 * which the caller frees, at least @min_len bytes long; or the server's errno;
 * or -EINTR when the thread is being killed, -EIO once the client was stopped:
 * then the request may or may not have its effect.
 */
int sfs_client_call(struct sfs_client *client, int slot, struct sfs_msg *req,
		    u32 min_len, struct sfs_msg **ret_reply);
/* The same, however long it takes and whether stopped or not. */
int sfs_client_call_sure(struct sfs_client *client, int slot,
			 struct sfs_msg *req, u32 min_len,
			 struct sfs_msg **ret_reply);
/* Nobody waits for an answer any more. */
void sfs_client_stop(struct sfs_client *client);
void sfs_client_send(struct sfs_client *client, struct sfs_msg *msg);

#endif

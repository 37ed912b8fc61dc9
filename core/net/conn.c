// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, and connections inside one machine.
 *
 * A connection has two ends, each with a queue that a worker of its own takes
 * messages from, in the order in which they were sent; connections among each
 * other have no order.  It lasts until one side ends it, or until a side takes
 * so little off its queue that the queue is full: who wants to go on connects
 * again and finds out what was lost.
 *
 * An end belongs to its side from attach to detach; the connection is freed
 * with the second of them.  The worker of an end runs only while its side is
 * attached, since detach ends the connection (nothing queues the worker after
 * that) and then waits for it.
 *
 * Locks: end->lock, a leaf.
 */
#include "net/net.h"

#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/killable.h"
#include "base/report.h"
#include "base/triggers.h"

/* Under way to one end: more than any number of slots and locks needs. */
#define MAX_QUEUED 16384
#define MAX_QUEUED_BYTES (64U << 20)

struct sfs_conn_end {
	struct sfs_conn *conn;
	spinlock_t lock;
	struct list_head queue;		/* L(lock) */
	u32 nr_queued;			/* L(lock) */
	u32 bytes_queued;		/* L(lock) */
	bool shut;			/* L(lock) */
	bool told;			/* O(worker): that it has ended */
	struct work_struct work;
	const struct sfs_conn_ops *ops;	/* I: once attached */
	void *arg;			/* I: once attached */
};

struct sfs_conn {
	refcount_t refs;		/* one for each end, and who sends */
	struct sfs_host *host;		/* I */
	struct workqueue_struct *wq;	/* I */
	const struct sfs_wire *wire;	/* I */
	struct sfs_conn_end end[2];
};

/* ---- messages --------------------------------------------------------------- */

struct sfs_msg *sfs_msg_alloc(u16 type, u32 len)
{
	struct sfs_msg *msg;

	msg = kvzalloc(sizeof(*msg) + len, GFP_NOFS);
	if (!msg)
		return NULL;
	INIT_LIST_HEAD(&msg->head);
	refcount_set(&msg->refs, 1);
	msg->hdr.type = cpu_to_le16(type);
	msg->hdr.len = cpu_to_le32(len);
	return msg;
}

struct sfs_msg *sfs_msg_alloc_wait(u16 type, u32 len)
{
	struct sfs_msg *msg;

	while (!(msg = sfs_msg_alloc(type, len)))
		msleep(1);
	return msg;
}

struct sfs_msg *sfs_msg_copy_wait(const struct sfs_msg *msg)
{
	struct sfs_msg *copy = sfs_msg_alloc_wait(0, sfs_msg_len(msg));

	copy->hdr = msg->hdr;
	memcpy(copy->payload, msg->payload, sfs_msg_len(msg));
	return copy;
}

void sfs_msg_get(struct sfs_msg *msg)
{
	refcount_inc(&msg->refs);
}

void sfs_msg_free(struct sfs_msg *msg)
{
	if (msg && refcount_dec_and_test(&msg->refs))
		kvfree(msg);
}

/* ---- ends ------------------------------------------------------------------- */

static struct sfs_msg *next_msg(struct sfs_conn_end *end, bool *ret_shut)
{
	struct sfs_msg *msg = NULL;

	spin_lock(&end->lock);
	*ret_shut = end->shut;
	if (!end->shut) {
		msg = list_first_entry_or_null(&end->queue, struct sfs_msg,
					       head);
		if (msg) {
			list_del_init(&msg->head);
			end->nr_queued--;
			end->bytes_queued -= sfs_msg_len(msg);
		}
	}
	spin_unlock(&end->lock);
	return msg;
}

/* What the triggers have for a message, in place of a test's wires. */
static enum sfs_wire_fate triggered(struct sfs_conn *conn)
{
	u8 ms;

	if (sfs_port_trigger(conn->host, SFS_TRIGGER_NET_DELAY)) {
		sfs_port_random(conn->host, &ms, sizeof(ms));
		msleep(1 + ms);
	}
	if (sfs_port_trigger(conn->host, SFS_TRIGGER_NET_LOSE))
		return SFS_WIRE_LOSE;
	if (sfs_port_trigger(conn->host, SFS_TRIGGER_NET_CUT))
		return SFS_WIRE_CUT;
	return sfs_port_trigger(conn->host, SFS_TRIGGER_NET_TWICE) ?
		       SFS_WIRE_TWICE : SFS_WIRE_PASS;
}

static void arrives(struct sfs_conn_end *end, struct sfs_msg *msg)
{
	int side = end == &end->conn->end[SFS_CONN_SERVER];
	struct sfs_conn *conn = end->conn;
	enum sfs_wire_fate fate;

	if (conn->wire->fate)
		fate = conn->wire->fate(conn->wire->arg, conn, side, msg);
	else
		fate = triggered(conn);
	/* it is not to arrive once the other side may think that it did not */
	if (sfs_conn_is_shut(conn))
		fate = SFS_WIRE_LOSE;
	if (fate == SFS_WIRE_CUT)
		sfs_conn_shut(conn);
	if (fate == SFS_WIRE_CUT || fate == SFS_WIRE_LOSE) {
		sfs_msg_free(msg);
		return;
	}
	if (fate == SFS_WIRE_TWICE)
		end->ops->recv(end->arg, sfs_msg_copy_wait(msg));
	end->ops->recv(end->arg, msg);
}

static void end_worker(struct work_struct *work)
{
	struct sfs_conn_end *end = container_of(work, struct sfs_conn_end,
						work);
	struct sfs_msg *msg;
	bool shut;

	while ((msg = next_msg(end, &shut)))
		arrives(end, msg);
	if (shut && !end->told) {
		end->told = true;
		end->ops->closed(end->arg);
	}
}

/* Whatever is queued now, and nothing is queued any more. */
static void shut_end(struct sfs_conn_end *end)
{
	struct sfs_msg *msg;
	struct sfs_msg *tmp;
	LIST_HEAD(lost);

	spin_lock(&end->lock);
	list_splice_init(&end->queue, &lost);
	end->nr_queued = 0;
	end->bytes_queued = 0;
	if (!end->shut) {
		end->shut = true;
		if (end->ops)
			queue_work(end->conn->wq, &end->work);
	}
	spin_unlock(&end->lock);
	list_for_each_entry_safe(msg, tmp, &lost, head)
		sfs_msg_free(msg);
}

/* ---- connections -------------------------------------------------------------- */

struct sfs_conn *sfs_conn_create(struct sfs_host *host,
				 struct workqueue_struct *wq,
				 const struct sfs_wire *wire)
{
	struct sfs_conn *conn;
	int i;

	conn = kzalloc(sizeof(*conn), GFP_NOFS);
	if (!conn)
		return NULL;
	conn->host = host;
	conn->wq = wq;
	conn->wire = wire;
	refcount_set(&conn->refs, 2);
	for (i = 0; i < 2; i++) {
		conn->end[i].conn = conn;
		spin_lock_init(&conn->end[i].lock);
		INIT_LIST_HEAD(&conn->end[i].queue);
		INIT_WORK(&conn->end[i].work, end_worker);
	}
	return conn;
}

void sfs_conn_attach(struct sfs_conn *conn, int side,
		     const struct sfs_conn_ops *ops, void *arg)
{
	struct sfs_conn_end *end = &conn->end[side];

	spin_lock(&end->lock);
	end->ops = ops;
	end->arg = arg;
	/* sent or ended before */
	if (end->shut || end->nr_queued)
		queue_work(conn->wq, &end->work);
	spin_unlock(&end->lock);
}

void sfs_conn_shut(struct sfs_conn *conn)
{
	shut_end(&conn->end[SFS_CONN_MOUNT]);
	shut_end(&conn->end[SFS_CONN_SERVER]);
}

bool sfs_conn_is_shut(struct sfs_conn *conn)
{
	bool shut;

	/* the first of the two to be shut */
	spin_lock(&conn->end[SFS_CONN_MOUNT].lock);
	shut = conn->end[SFS_CONN_MOUNT].shut;
	spin_unlock(&conn->end[SFS_CONN_MOUNT].lock);
	return shut;
}

void sfs_conn_get(struct sfs_conn *conn)
{
	refcount_inc(&conn->refs);
}

void sfs_conn_put(struct sfs_conn *conn)
{
	if (refcount_dec_and_test(&conn->refs))
		kfree(conn);
}

void sfs_conn_detach(struct sfs_conn *conn, int side)
{
	sfs_conn_shut(conn);
	cancel_work_sync(&conn->end[side].work);
	sfs_conn_put(conn);
}

void sfs_conn_send(struct sfs_conn *conn, int from_side, struct sfs_msg *msg)
{
	struct sfs_conn_end *end = &conn->end[!from_side];
	bool full = false;

	spin_lock(&end->lock);
	if (!end->shut) {
		full = end->nr_queued == MAX_QUEUED ||
		       end->bytes_queued > MAX_QUEUED_BYTES;
		if (!full) {
			list_add_tail(&msg->head, &end->queue);
			end->nr_queued++;
			end->bytes_queued += sfs_msg_len(msg);
			msg = NULL;
			if (end->ops)
				queue_work(conn->wq, &end->work);
		}
	}
	spin_unlock(&end->lock);
	sfs_msg_free(msg);
	if (full)
		sfs_conn_shut(conn);
}

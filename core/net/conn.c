// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, connections inside one machine, and the mount's request slots.
 *
 * Nothing is lost or reordered here, and the receiving side takes a message
 * off its queue without doing its work, so a long request delays no other.
 * What a slot promises (one request in flight, a repetition has its effect
 * once) is the same for connections that do lose.
 *
 * Locks: slot->mutex is held over a request; slot->lock and end->lock are
 * leaves.
 */
#include "net/net.h"

#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/killable.h"
#include "base/report.h"

struct sfs_msg *sfs_msg_alloc(u16 type, u32 len)
{
	struct sfs_msg *msg;

	msg = kvzalloc(sizeof(*msg) + len, GFP_NOFS);
	if (!msg)
		return NULL;
	INIT_LIST_HEAD(&msg->head);
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

void sfs_msg_free(struct sfs_msg *msg)
{
	kvfree(msg);
}

/* ---- connections --------------------------------------------------------- */

static struct sfs_msg *next_msg(struct sfs_conn_end *end)
{
	struct sfs_msg *msg;

	spin_lock(&end->lock);
	msg = list_first_entry_or_null(&end->queue, struct sfs_msg, head);
	if (msg)
		list_del_init(&msg->head);
	spin_unlock(&end->lock);
	return msg;
}

static void recv_work(struct work_struct *work)
{
	struct sfs_conn_end *end = container_of(work, struct sfs_conn_end,
						work);
	struct sfs_msg *msg;

	while ((msg = next_msg(end)))
		end->recv(end->arg, msg);
}

int sfs_conn_init(struct sfs_conn *conn)
{
	int i;

	conn->wq = alloc_workqueue("sfs-conn", WQ_UNBOUND | WQ_MEM_RECLAIM, 2);
	if (!conn->wq)
		return -ENOMEM;
	for (i = 0; i < 2; i++) {
		conn->end[i].conn = conn;
		conn->end[i].closed = true;
		spin_lock_init(&conn->end[i].lock);
		INIT_LIST_HEAD(&conn->end[i].queue);
		INIT_WORK(&conn->end[i].work, recv_work);
	}
	return 0;
}

void sfs_conn_attach(struct sfs_conn *conn, int side,
		     void (*recv)(void *arg, struct sfs_msg *msg), void *arg)
{
	struct sfs_conn_end *end = &conn->end[side];

	spin_lock(&end->lock);
	end->recv = recv;
	end->arg = arg;
	end->closed = false;
	spin_unlock(&end->lock);
}

void sfs_conn_close(struct sfs_conn *conn)
{
	int i;

	for (i = 0; i < 2; i++) {
		spin_lock(&conn->end[i].lock);
		conn->end[i].closed = true;
		spin_unlock(&conn->end[i].lock);
	}
	flush_workqueue(conn->wq);
}

void sfs_conn_exit(struct sfs_conn *conn)
{
	struct sfs_msg *msg;
	int i;

	sfs_conn_close(conn);
	destroy_workqueue(conn->wq);
	for (i = 0; i < 2; i++) {
		while ((msg = next_msg(&conn->end[i])))
			sfs_msg_free(msg);
	}
}

void sfs_conn_send(struct sfs_conn *conn, int from_side, struct sfs_msg *msg)
{
	struct sfs_conn_end *end = &conn->end[!from_side];
	bool closed;

	spin_lock(&end->lock);
	closed = end->closed;
	if (!closed) {
		list_add_tail(&msg->head, &end->queue);
		queue_work(conn->wq, &end->work);
	}
	spin_unlock(&end->lock);
	if (closed)
		sfs_msg_free(msg);
}

/* ---- the mount's slots --------------------------------------------------- */

static void count_msg(struct sfs_client *client, const struct sfs_msg *msg)
{
	u32 type = le16_to_cpu(msg->hdr.type);

	switch (type) {
	case SFS_MSG_JOIN ... SFS_MSG_LEAVE:
		sfs_count_nr(client->cnt, SFS_CNT_msg_join + type - SFS_MSG_JOIN,
			     1);
		break;
	case SFS_MSG_ACK:
		sfs_count(client->cnt, msg_ack);
		break;
	case SFS_MSG_EDIT:
		sfs_count(client->cnt, msg_edit);
		break;
	}
}

static_assert(SFS_CNT_msg_leave - SFS_CNT_msg_join ==
	      SFS_MSG_LEAVE - SFS_MSG_JOIN);

static void client_recv(void *arg, struct sfs_msg *msg)
{
	struct sfs_client *client = arg;
	struct sfs_client_slot *slot;

	if (!msg->hdr.is_reply) {
		count_msg(client, msg);
		client->event(client->arg, msg);
		return;
	}
	if (msg->hdr.slot >= SFS_NR_SLOTS) {
		sfs_msg_free(msg);
		return;
	}
	slot = &client->slots[msg->hdr.slot];
	spin_lock(&slot->lock);
	if (slot->waiting && le64_to_cpu(msg->hdr.seq) == slot->seq) {
		slot->reply = msg;
		slot->waiting = false;
		msg = NULL;
		wake_up_all(&slot->wait);
	}
	spin_unlock(&slot->lock);
	if (msg)
		sfs_msg_free(msg);
}

int sfs_client_init(struct sfs_client *client, struct sfs_host *host, u64 rid,
		    struct sfs_counters *cnt,
		    void (*event)(void *arg, struct sfs_msg *msg), void *arg)
{
	struct sfs_client_slot *slot;
	int ret;
	int i;

	client->rid = rid;
	client->host = host;
	client->stopped = false;
	client->late = NULL;
	client->cnt = cnt;
	client->event = event;
	client->arg = arg;
	for (i = 0; i < SFS_NR_SLOTS; i++) {
		slot = &client->slots[i];
		mutex_init(&slot->mutex);
		spin_lock_init(&slot->lock);
		init_waitqueue_head(&slot->wait);
		slot->left = false;
		slot->seq = 0;
		slot->reply = NULL;
		slot->waiting = false;
	}
	ret = sfs_conn_init(&client->conn);
	if (ret == 0)
		sfs_conn_attach(&client->conn, SFS_CONN_MOUNT, client_recv,
				client);
	return ret;
}

void sfs_client_close(struct sfs_client *client)
{
	sfs_conn_close(&client->conn);
}

void sfs_client_exit(struct sfs_client *client)
{
	int i;

	sfs_conn_exit(&client->conn);
	/* answers that came when nobody waited any more */
	for (i = 0; i < SFS_NR_SLOTS; i++)
		sfs_msg_free(client->slots[i].reply);
}

void sfs_client_stop(struct sfs_client *client)
{
	int i;

	WRITE_ONCE(client->stopped, true);
	for (i = 0; i < SFS_NR_SLOTS; i++)
		wake_up_all(&client->slots[i].wait);
}

static bool is_answered(struct sfs_client_slot *slot)
{
	bool answered;

	spin_lock(&slot->lock);
	answered = !slot->waiting;
	spin_unlock(&slot->lock);
	return answered;
}

/* 0: the answer to the last request of the slot is there. */
static int wait_answer(struct sfs_client *client, struct sfs_client_slot *slot,
		       bool sure)
{
	int ret = 0;

	lockdep_assert_held(&slot->mutex);
	if (sure)
		wait_event(slot->wait, is_answered(slot));
	else
		ret = sfs_wait_killable(client->host, slot->wait,
					is_answered(slot) ||
					READ_ONCE(client->stopped));
	if (ret == 0 && !is_answered(slot))
		ret = -EIO;
	slot->left = ret < 0;
	return ret;
}

/* To a request that nobody waits for any more. */
static void late_answer(struct sfs_client *client, int nr)
{
	struct sfs_msg *reply = client->slots[nr].reply;

	client->slots[nr].reply = NULL;
	if (client->late && !reply->hdr.err)
		client->late(client->arg, nr, reply);
	sfs_msg_free(reply);
}

static int exchange(struct sfs_client *client, int nr, struct sfs_msg *req,
		    bool sure, struct sfs_msg **ret_reply)
{
	struct sfs_client_slot *slot = &client->slots[nr];
	int ret;

	if (slot->left) {
		ret = wait_answer(client, slot, sure);
		if (ret < 0) {
			sfs_msg_free(req);
			return ret;
		}
		late_answer(client, nr);
	}
	spin_lock(&slot->lock);
	slot->seq++;
	slot->waiting = true;
	spin_unlock(&slot->lock);
	req->hdr.slot = (u8)nr;
	req->hdr.rid = cpu_to_le64(client->rid);
	req->hdr.seq = cpu_to_le64(slot->seq);
	count_msg(client, req);
	sfs_conn_send(&client->conn, SFS_CONN_MOUNT, req);
	ret = wait_answer(client, slot, sure);
	if (ret == 0) {
		*ret_reply = slot->reply;
		slot->reply = NULL;
	}
	return ret;
}

static int call(struct sfs_client *client, int nr, struct sfs_msg *req,
		u32 min_len, bool sure, struct sfs_msg **ret_reply)
{
	struct mutex *mutex = &client->slots[nr].mutex;
	struct sfs_msg *reply = NULL;
	int ret;

	if (sure) {
		mutex_lock(mutex);
	} else if (mutex_lock_killable(mutex)) {
		sfs_msg_free(req);
		return -EINTR;
	}
	ret = exchange(client, nr, req, sure, &reply);
	mutex_unlock(mutex);
	if (ret < 0)
		return ret;
	ret = -(int)le32_to_cpu(reply->hdr.err);
	if (ret == 0 && sfs_msg_len(reply) < min_len)
		ret = -EPROTO;
	if (ret == 0 && ret_reply) {
		*ret_reply = reply;
		return 0;
	}
	sfs_msg_free(reply);
	return ret;
}

int sfs_client_call(struct sfs_client *client, int slot, struct sfs_msg *req,
		    u32 min_len, struct sfs_msg **ret_reply)
{
	return call(client, slot, req, min_len, false, ret_reply);
}

int sfs_client_call_sure(struct sfs_client *client, int slot,
			 struct sfs_msg *req, u32 min_len,
			 struct sfs_msg **ret_reply)
{
	return call(client, slot, req, min_len, true, ret_reply);
}

void sfs_client_send(struct sfs_client *client, struct sfs_msg *msg)
{
	msg->hdr.rid = cpu_to_le64(client->rid);
	count_msg(client, msg);
	sfs_conn_send(&client->conn, SFS_CONN_MOUNT, msg);
}

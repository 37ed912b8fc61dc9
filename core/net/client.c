// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount's side of its session: connecting, and requests in slots.
 *
 * A slot has one request in flight.  Its number goes with it, and it is sent
 * again after a second without a reply and after each reconnect, so its effect
 * must not depend on how often it arrives: the server keeps the number and the
 * reply of the last one, in the record of its effect (docs/sessions.md).
 *
 * Connections come and go.  A new one begins with what the mount says of itself
 * (ops->greet); only then requests are sent.  One worker does that, so it is
 * the only one to replace client->conn.  Who waits for a reply waits across
 * reconnects and restarts of the server, as long as the mount lives.  Who is
 * killed leaves; the answer is waited for by the next one in the slot, which
 * takes over what it brought.
 *
 * Messages carry the term of the server.  The mount learns it from the answers
 * to its greeting and drops what has another one.
 *
 * Locks: slot->mutex is held over a request; slot->lock, then client->lock, are
 * leaves but for the ends' of a connection.
 */
#include "net/net.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/killable.h"
#include "base/report.h"
#include "net/hub.h"

#define RESEND_MS 1000

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
	case SFS_MSG_FLOCK:
	case SFS_MSG_FLOCK_ANSWER:
		sfs_count(client->cnt, msg_flock);
		break;
	}
}

static_assert(SFS_CNT_msg_leave - SFS_CNT_msg_join ==
	      SFS_MSG_LEAVE - SFS_MSG_JOIN);

/* ---- sending ------------------------------------------------------------------ */

u64 sfs_client_term(struct sfs_client *client)
{
	u64 term;

	spin_lock(&client->lock);
	term = client->term;
	spin_unlock(&client->lock);
	return term;
}

/* @greeting: also before the server was greeted. */
static void send_msg(struct sfs_client *client, struct sfs_msg *msg,
		     bool greeting)
{
	struct sfs_conn *conn = NULL;

	spin_lock(&client->lock);
	if (client->conn && (client->greeted || greeting)) {
		conn = client->conn;
		sfs_conn_get(conn);
		msg->hdr.term = cpu_to_le64(client->term);
	}
	spin_unlock(&client->lock);
	if (!conn) {
		sfs_msg_free(msg);
		return;
	}
	sfs_conn_send(conn, SFS_CONN_MOUNT, msg);
	sfs_conn_put(conn);
}

/* Sends the request of a slot if it waits, and for that long. */
static bool send_slot(struct sfs_client *client, int nr, u64 older_ns)
{
	struct sfs_client_slot *slot = &client->slots[nr];
	u64 now = sfs_port_boot_ns(client->host);
	struct sfs_msg *req = NULL;
	bool waits;

	spin_lock(&slot->lock);
	waits = slot->req;
	if (waits && now - slot->sent_ns >= older_ns) {
		req = slot->req;
		sfs_msg_get(req);
		slot->sent_ns = now;
	}
	spin_unlock(&slot->lock);
	if (req) {
		send_msg(client, sfs_msg_copy_wait(req), nr == SFS_SLOT_GREET);
		sfs_msg_free(req);
	}
	return waits;
}

static void arm_resend(struct sfs_client *client)
{
	spin_lock(&client->lock);
	if (!client->closing)
		queue_delayed_work(client->wq, &client->resend_work,
				   msecs_to_jiffies(RESEND_MS));
	spin_unlock(&client->lock);
}

static void kick_connect(struct sfs_client *client)
{
	spin_lock(&client->lock);
	if (!client->closing)
		queue_work(client->wq, &client->connect_work);
	spin_unlock(&client->lock);
}

static void resend_worker(struct work_struct *work)
{
	struct sfs_client *client = container_of(to_delayed_work(work),
						 struct sfs_client,
						 resend_work);
	bool waits = false;
	bool connected;
	int i;

	for (i = 0; i < SFS_NR_SLOTS; i++)
		waits |= send_slot(client, i, RESEND_MS * 1000000ULL / 2);
	spin_lock(&client->lock);
	connected = client->greeted;
	spin_unlock(&client->lock);
	if (!connected)
		kick_connect(client);
	if (waits)
		arm_resend(client);
}

/* ---- receiving ----------------------------------------------------------------- */

/* Whether @msg is from the server that this mount has greeted or is greeting. */
static bool is_current(struct sfs_client *client, const struct sfs_msg *msg)
{
	bool current_term;

	spin_lock(&client->lock);
	if (msg->hdr.is_reply && msg->hdr.slot == SFS_SLOT_GREET &&
	    !client->greeted)
		client->term = le64_to_cpu(msg->hdr.term);
	current_term = client->term == le64_to_cpu(msg->hdr.term);
	spin_unlock(&client->lock);
	return current_term;
}

static void client_recv(void *arg, struct sfs_msg *msg)
{
	struct sfs_client *client = arg;
	struct sfs_client_slot *slot;
	struct sfs_msg *req = NULL;

	if (!is_current(client, msg)) {
		sfs_msg_free(msg);
		return;
	}
	if (!msg->hdr.is_reply) {
		count_msg(client, msg);
		client->ops->event(client->arg, msg);
		return;
	}
	if (msg->hdr.slot >= SFS_NR_SLOTS) {
		sfs_msg_free(msg);
		return;
	}
	slot = &client->slots[msg->hdr.slot];
	spin_lock(&slot->lock);
	if (slot->req && slot->req->hdr.seq == msg->hdr.seq) {
		slot->reply = msg;
		req = slot->req;
		slot->req = NULL;
		msg = NULL;
	}
	spin_unlock(&slot->lock);
	sfs_msg_free(msg);
	if (req) {
		sfs_msg_free(req);
		wake_up_all(&client->wait);
	}
}

static void client_closed(void *arg)
{
	struct sfs_client *client = arg;

	spin_lock(&client->lock);
	client->greeted = false;
	spin_unlock(&client->lock);
	wake_up_all(&client->wait);
	kick_connect(client);
}

static const struct sfs_conn_ops client_conn_ops = {
	.recv = client_recv,
	.closed = client_closed,
};

/* ---- connecting ------------------------------------------------------------------ */

static void drop_conn(struct sfs_client *client)
{
	struct sfs_conn *conn;

	spin_lock(&client->lock);
	conn = client->conn;
	client->conn = NULL;
	client->greeted = false;
	spin_unlock(&client->lock);
	if (conn)
		sfs_conn_detach(conn, SFS_CONN_MOUNT);
}

/* 0: connected and greeted; -ENOTCONN: nobody listens, or not any more. */
static int connect_once(struct sfs_client *client)
{
	struct sfs_conn *conn;
	int ret;
	int i;

	drop_conn(client);
	ret = sfs_hub_connect(client->hub, &client_conn_ops, client, &conn);
	if (ret < 0)
		return ret;
	spin_lock(&client->lock);
	client->conn = conn;
	spin_unlock(&client->lock);
	ret = client->ops->greet(client->arg);
	if (ret < 0)
		return ret;
	spin_lock(&client->lock);
	client->greeted = !sfs_conn_is_shut(conn);
	spin_unlock(&client->lock);
	for (i = 0; i < SFS_NR_SLOTS; i++)
		send_slot(client, i, 0);
	return 0;
}

static bool wants_connection(struct sfs_client *client)
{
	bool wants;

	spin_lock(&client->lock);
	wants = !client->greeted && !client->closing && !client->refused;
	spin_unlock(&client->lock);
	return wants;
}

static void connect_worker(struct work_struct *work)
{
	struct sfs_client *client = container_of(work, struct sfs_client,
						 connect_work);
	int ret = 0;

	while (ret == 0 && wants_connection(client))
		ret = connect_once(client);
	wake_up_all(&client->wait);
	spin_lock(&client->lock);
	if (client->closing)
		ret = 0;	/* the greeting was interrupted */
	spin_unlock(&client->lock);
	if (ret == 0)
		return;
	/* -ENOTCONN: who listens next says so; but it may have ended meanwhile */
	if (ret == -ENOTCONN || ret == -ENOMEM || ret == -EINTR) {
		arm_resend(client);
		return;
	}
	spin_lock(&client->lock);
	client->refused = ret;
	spin_unlock(&client->lock);
	wake_up_all(&client->wait);
	client->ops->refused(client->arg, ret);
}

static void client_listening(void *arg)
{
	kick_connect(arg);
}

/* ---- requests ---------------------------------------------------------------------- */

/* Whether waiting for the answer in @slot has ended, and how. */
static bool call_ended(struct sfs_client *client, struct sfs_client_slot *slot,
		       int *ret_err)
{
	bool greeting = slot == &client->slots[SFS_SLOT_GREET];
	bool done;

	spin_lock(&slot->lock);
	done = slot->reply;
	spin_unlock(&slot->lock);
	*ret_err = 0;
	if (done)
		return true;
	spin_lock(&client->lock);
	if (client->closing || (client->failed && !greeting))
		*ret_err = -EIO;
	else if (greeting && sfs_conn_is_shut(client->conn))
		*ret_err = -ENOTCONN;
	spin_unlock(&client->lock);
	return *ret_err;
}

/*
 * 0: the answer to the last request of the slot is there.  Who is killed leaves
 * the request behind, and it is repeated all the same.
 */
static int wait_answer(struct sfs_client *client, struct sfs_client_slot *slot,
		       bool sure)
{
	struct sfs_msg *req = NULL;
	int ret = 0;

	lockdep_assert_held(&slot->mutex);
	if (sure)
		wait_event(client->wait, call_ended(client, slot, &ret));
	else if (sfs_wait_killable(client->host, client->wait,
				   call_ended(client, slot, &ret)) < 0)
		ret = -EINTR;
	slot->left = ret == -EINTR;
	if (ret < 0 && !slot->left) {
		spin_lock(&slot->lock);
		req = slot->req;
		slot->req = NULL;
		spin_unlock(&slot->lock);
	}
	sfs_msg_free(req);
	return ret;
}

static struct sfs_msg *take_reply(struct sfs_client_slot *slot)
{
	struct sfs_msg *reply;

	spin_lock(&slot->lock);
	reply = slot->reply;
	slot->reply = NULL;
	spin_unlock(&slot->lock);
	return reply;
}

/* To a request that nobody waits for any more. */
static void late_answer(struct sfs_client *client, int nr)
{
	struct sfs_msg *reply = take_reply(&client->slots[nr]);

	if (reply && client->ops->late && !reply->hdr.err)
		client->ops->late(client->arg, nr, reply);
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
	req->hdr.slot = (u8)nr;
	req->hdr.rid = cpu_to_le64(client->rid);
	req->hdr.seq = cpu_to_le64(++slot->seq);
	count_msg(client, req);
	spin_lock(&slot->lock);
	slot->req = req;
	slot->sent_ns = 0;
	spin_unlock(&slot->lock);
	send_slot(client, nr, 0);
	arm_resend(client);
	ret = wait_answer(client, slot, sure);
	if (ret == 0)
		*ret_reply = take_reply(slot);
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

int sfs_client_call(struct sfs_client *client, int nr, struct sfs_msg *req,
		    u32 min_len, struct sfs_msg **ret_reply)
{
	SFS_ASSERT_CMP(nr, !=, SFS_SLOT_GREET);
	return call(client, nr, req, min_len, false, ret_reply);
}

int sfs_client_call_sure(struct sfs_client *client, int nr, struct sfs_msg *req,
			 u32 min_len, struct sfs_msg **ret_reply)
{
	SFS_ASSERT_CMP(nr, !=, SFS_SLOT_GREET);
	return call(client, nr, req, min_len, true, ret_reply);
}

int sfs_client_greet(struct sfs_client *client, struct sfs_msg *req,
		     u32 min_len, struct sfs_msg **ret_reply)
{
	return call(client, SFS_SLOT_GREET, req, min_len, true, ret_reply);
}

void sfs_client_send(struct sfs_client *client, struct sfs_msg *msg)
{
	msg->hdr.rid = cpu_to_le64(client->rid);
	count_msg(client, msg);
	send_msg(client, msg, false);
}

/* ---- beginning and end --------------------------------------------------------------- */

int sfs_client_init(struct sfs_client *client, struct sfs_hub *hub, u64 rid,
		    struct sfs_host *host, struct sfs_counters *cnt,
		    const struct sfs_client_ops *ops, void *arg)
{
	struct sfs_client_slot *slot;
	int i;

	client->host = host;
	client->hub = hub;
	client->rid = rid;
	client->cnt = cnt;
	client->ops = ops;
	client->arg = arg;
	client->wq = alloc_workqueue("sfs-client", WQ_UNBOUND | WQ_MEM_RECLAIM,
				     2);
	if (!client->wq)
		return -ENOMEM;
	client->member = kzalloc(sizeof(*client->member), GFP_NOFS);
	if (!client->member) {
		destroy_workqueue(client->wq);
		return -ENOMEM;
	}
	init_waitqueue_head(&client->wait);
	spin_lock_init(&client->lock);
	INIT_WORK(&client->connect_work, connect_worker);
	INIT_DELAYED_WORK(&client->resend_work, resend_worker);
	for (i = 0; i < SFS_NR_SLOTS; i++) {
		slot = &client->slots[i];
		mutex_init(&slot->mutex);
		spin_lock_init(&slot->lock);
	}
	client->member->rid = rid;
	client->member->listening = client_listening;
	client->member->arg = client;
	sfs_hub_add(hub, client->member);
	return 0;
}

void sfs_client_start(struct sfs_client *client)
{
	kick_connect(client);
}

static bool was_greeted(struct sfs_client *client, int *ret_err)
{
	bool greeted;

	spin_lock(&client->lock);
	greeted = client->greeted;
	*ret_err = client->refused ?: client->failed ? -EIO : 0;
	spin_unlock(&client->lock);
	return greeted || *ret_err;
}

int sfs_client_wait_greeted(struct sfs_client *client)
{
	int err = 0;

	return sfs_wait_killable(client->host, client->wait,
				 was_greeted(client, &err)) ?: err;
}

bool sfs_client_wait_server(struct sfs_client *client, u32 patience_ms)
{
	int err;

	return wait_event_timeout(client->wait, was_greeted(client, &err),
				  msecs_to_jiffies(max(patience_ms, 1U))) &&
	       !err;
}

void sfs_client_fail(struct sfs_client *client)
{
	spin_lock(&client->lock);
	client->failed = true;
	spin_unlock(&client->lock);
	wake_up_all(&client->wait);
}

void sfs_client_close(struct sfs_client *client)
{
	spin_lock(&client->lock);
	client->closing = true;
	spin_unlock(&client->lock);
	wake_up_all(&client->wait);
	cancel_delayed_work_sync(&client->resend_work);
	cancel_work_sync(&client->connect_work);
	drop_conn(client);
}

void sfs_client_exit(struct sfs_client *client)
{
	int i;

	sfs_hub_remove(client->hub, client->member);
	destroy_workqueue(client->wq);
	/* what was left behind, and answers that came when nobody waited */
	for (i = 0; i < SFS_NR_SLOTS; i++) {
		sfs_msg_free(client->slots[i].req);
		sfs_msg_free(client->slots[i].reply);
	}
	kfree(client->member);
}

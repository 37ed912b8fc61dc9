// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: one a mount, from its introduction until it leaves.
 *
 * Each slot has a queue and a worker, so one request of a slot is handled at a
 * time and those of different slots side by side.  A request that comes again
 * with the number of the last one gets the same reply again; older ones are
 * dropped.  While the server recovers requests wait in their queues.
 *
 * A session is referenced by the server's list as long as the mount is one of
 * the volume's, by each link that has it, and by who found it.  It is freed by
 * a work item, since the last to let go may be one of its own slots.
 *
 * Locks: sess->lock and slot->lock, leaves.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/report.h"

/* A slot has one request in flight; the rest is repetition. */
#define MAX_REQUESTS 8

/* ---- requests ----------------------------------------------------------------- */

/* Requests with an effect have a slot each, in whose record they are found. */
static bool fits_slot(const struct sfs_msg *req)
{
	u8 slot = req->hdr.slot;

	switch (le16_to_cpu(req->hdr.type)) {
	case SFS_MSG_PUBLISH:
		return slot == SFS_SLOT_PUBLISH;
	case SFS_MSG_META_SPACE:
		return slot == SFS_SLOT_META_SPACE;
	case SFS_MSG_DATA_SPACE:
		return slot == SFS_SLOT_DATA_SPACE;
	case SFS_MSG_INO_GROUP:
		return slot == SFS_SLOT_INO_GROUP;
	case SFS_MSG_MANIFEST:
	case SFS_MSG_LEAVE:
		return slot == SFS_SLOT_SESSION;
	default:
		return true;
	}
}

static struct sfs_msg *handle(struct sfs_session *sess, struct sfs_msg *req)
{
	if (!fits_slot(req))
		return ERR_PTR(-EPROTO);
	switch (le16_to_cpu(req->hdr.type)) {
	case SFS_MSG_MANIFEST:
		return sfs_srv_manifest(sess, req);
	case SFS_MSG_LEAVE:
		return sfs_srv_leave(sess, req);
	case SFS_MSG_PUBLISH:
		return sfs_srv_publish(sess, req);
	case SFS_MSG_META_SPACE:
		return sfs_srv_meta_space(sess, req);
	case SFS_MSG_DATA_SPACE:
		return sfs_srv_data_space(sess, req);
	case SFS_MSG_INO_GROUP:
		return sfs_srv_ino_group(sess, req);
	case SFS_MSG_STABLE:
		return sfs_srv_query_stable(sess, req);
	case SFS_MSG_STATFS:
		return sfs_srv_statfs(sess, req);
	case SFS_MSG_ALLOC_DETAIL:
		return sfs_srv_alloc_detail(sess, req);
	default:
		return ERR_PTR(-EOPNOTSUPP);
	}
}

struct sfs_msg *sfs_srv_answer_to(const struct sfs_msg *req,
				  struct sfs_msg *reply)
{
	int err = 0;

	if (IS_ERR(reply)) {
		err = (int)-PTR_ERR(reply);
		reply = sfs_msg_alloc_wait(0, 0);
	}
	reply->hdr.type = req->hdr.type;
	reply->hdr.slot = req->hdr.slot;
	reply->hdr.seq = req->hdr.seq;
	reply->hdr.rid = req->hdr.rid;
	reply->hdr.is_reply = 1;
	reply->hdr.err = cpu_to_le32(err);
	return reply;
}

void sfs_srv_send(struct sfs_session *sess, struct sfs_msg *msg)
{
	struct sfs_conn *conn;

	msg->hdr.term = cpu_to_le64(sfs_store_term(sess->srv->store));
	spin_lock(&sess->lock);
	conn = READ_ONCE(sess->srv->dead) ? NULL : sess->conn;
	if (conn)
		sfs_conn_get(conn);
	spin_unlock(&sess->lock);
	if (!conn) {
		sfs_msg_free(msg);
		return;
	}
	sfs_conn_send(conn, SFS_CONN_SERVER, msg);
	sfs_conn_put(conn);
}

static void reply_to(struct sfs_session_slot *slot, struct sfs_msg *req,
		     struct sfs_msg *reply)
{
	reply = sfs_srv_answer_to(req, reply);
	sfs_msg_free(slot->reply);
	slot->reply = reply;
	sfs_srv_send(slot->sess, sfs_msg_copy_wait(reply));
}

static struct sfs_msg *next_request(struct sfs_session_slot *slot)
{
	struct sfs_msg *msg;

	spin_lock(&slot->lock);
	msg = list_first_entry_or_null(&slot->queue, struct sfs_msg, head);
	if (msg) {
		list_del_init(&msg->head);
		slot->nr_queued--;
	}
	spin_unlock(&slot->lock);
	return msg;
}

static void slot_worker(struct work_struct *work)
{
	struct sfs_session_slot *slot = container_of(work,
						     struct sfs_session_slot,
						     work);
	struct sfs_msg *req;
	u64 seq;

	while (!READ_ONCE(slot->sess->srv->recovering) &&
	       (req = next_request(slot))) {
		seq = le64_to_cpu(req->hdr.seq);
		if (seq == slot->seq && slot->reply &&
		    !sfs_broken(slot->sess->srv->host, NOSLOT)) {
			if (le16_to_cpu(req->hdr.type) == SFS_MSG_PUBLISH &&
			    req->hdr.slot == SFS_SLOT_PUBLISH)
				sfs_srv_publish_again(slot->sess, req);
			sfs_srv_send(slot->sess,
					 sfs_msg_copy_wait(slot->reply));
		} else if (seq > slot->seq ||
			   (seq == slot->seq &&
			    sfs_broken(slot->sess->srv->host, NOSLOT))) {
			slot->seq = seq;
			reply_to(slot, req, handle(slot->sess, req));
		}
		sfs_msg_free(req);
	}
}

void sfs_session_recv(struct sfs_session *sess, struct sfs_msg *msg)
{
	struct sfs_session_slot *slot;

	if (le16_to_cpu(msg->hdr.type) == SFS_MSG_ACK) {
		sfs_srv_ack(sess, msg);
		sfs_msg_free(msg);
		return;
	}
	if (le16_to_cpu(msg->hdr.type) == SFS_MSG_FLOCK) {
		sfs_fl_session_recv(sess->flocks, msg);
		return;
	}
	if (le16_to_cpu(msg->hdr.type) >= SFS_MSG_LOCK_REQUEST &&
	    le16_to_cpu(msg->hdr.type) <= SFS_MSG_LOCK_WATCH) {
		/* a server that recovers is asked again, or asks again itself */
		if (!READ_ONCE(sess->srv->recovering) && !READ_ONCE(sess->shut))
			sfs_srv_lock_message(sess, msg);
		sfs_msg_free(msg);
		return;
	}
	if (msg->hdr.slot >= SFS_NR_SLOTS) {
		sfs_msg_free(msg);
		return;
	}
	slot = &sess->slots[msg->hdr.slot];
	spin_lock(&slot->lock);
	if (!slot->closed && slot->nr_queued < MAX_REQUESTS) {
		list_add_tail(&msg->head, &slot->queue);
		slot->nr_queued++;
		queue_work(sess->srv->wq, &slot->work);
		msg = NULL;
	}
	spin_unlock(&slot->lock);
	sfs_msg_free(msg);
}

/* ---- beginning and end ---------------------------------------------------------- */

static void free_worker(struct work_struct *work)
{
	struct sfs_session *sess = container_of(work, struct sfs_session,
						free_work);
	struct sfs_server *srv = sess->srv;
	struct sfs_msg *msg;
	int i;

	for (i = 0; i < SFS_NR_SLOTS; i++) {
		flush_work(&sess->slots[i].work);
		while ((msg = next_request(&sess->slots[i])))
			sfs_msg_free(msg);
		sfs_msg_free(sess->slots[i].reply);
	}
	if (sess->load_man)
		sfs_manifest_put(&srv->vol, sess->load_man);
	sfs_fl_session_destroy(sess->flocks);
	/* of a message that came in between; no more can come */
	if (!list_empty(&sess->lock_holders) ||
	    !list_empty(&sess->lock_waiters) ||
	    !list_empty(&sess->lock_users) || !list_empty(&sess->lock_watches))
		sfs_srv_locks_forget(sess);
	kfree(sess);
	spin_lock(&srv->link_lock);
	srv->nr_sessions--;
	spin_unlock(&srv->link_lock);
	/* what it has kept from being free may be free now */
	sfs_srv_kick_reclaim(srv);
	wake_up_all(&srv->wait);
}

static void send_flock(void *arg, struct sfs_msg *msg)
{
	sfs_srv_send(arg, msg);
}

struct sfs_session *sfs_session_create(struct sfs_server *srv, u64 rid)
{
	struct sfs_session *sess;
	int i;

	sess = kzalloc(sizeof(*sess), GFP_NOFS);
	if (!sess)
		return NULL;
	refcount_set(&sess->refs, 1);
	sess->srv = srv;
	sess->rid = rid;
	sess->flocks = sfs_fl_session_create(&srv->flocks, rid, send_flock,
					     sess);
	if (!sess->flocks) {
		kfree(sess);
		return NULL;
	}
	spin_lock_init(&sess->lock);
	INIT_WORK(&sess->free_work, free_worker);
	INIT_LIST_HEAD(&sess->lock_holders);
	INIT_LIST_HEAD(&sess->lock_waiters);
	INIT_LIST_HEAD(&sess->lock_users);
	INIT_LIST_HEAD(&sess->lock_watches);
	for (i = 0; i < SFS_NR_SLOTS; i++) {
		sess->slots[i].sess = sess;
		spin_lock_init(&sess->slots[i].lock);
		INIT_LIST_HEAD(&sess->slots[i].queue);
		INIT_WORK(&sess->slots[i].work, slot_worker);
	}
	spin_lock(&srv->link_lock);
	srv->nr_sessions++;
	spin_unlock(&srv->link_lock);
	return sess;
}

void sfs_session_kick_all(struct sfs_server *srv)
{
	struct sfs_session *sess;
	int i;

	sfs_store_lock(srv->store);
	list_for_each_entry(sess, &srv->sessions, head) {
		for (i = 0; i < SFS_NR_SLOTS; i++)
			queue_work(srv->wq, &sess->slots[i].work);
	}
	sfs_store_unlock(srv->store);
}

void sfs_session_shut(struct sfs_session *sess)
{
	struct sfs_conn *conn;
	int i;

	WRITE_ONCE(sess->shut, true);
	for (i = 0; i < SFS_NR_SLOTS; i++) {
		spin_lock(&sess->slots[i].lock);
		sess->slots[i].closed = true;
		spin_unlock(&sess->slots[i].lock);
		flush_work(&sess->slots[i].work);
	}
	spin_lock(&sess->lock);
	conn = sess->conn;
	sess->conn = NULL;
	spin_unlock(&sess->lock);
	if (conn) {
		sfs_conn_shut(conn);
		sfs_conn_put(conn);
	}
}

void sfs_session_get(struct sfs_session *sess)
{
	refcount_inc(&sess->refs);
}

void sfs_session_put(struct sfs_session *sess)
{
	if (refcount_dec_and_test(&sess->refs))
		queue_work(sess->srv->end_wq, &sess->free_work);
}

struct sfs_session *sfs_session_find(struct sfs_server *srv, u64 rid)
{
	struct sfs_session *sess;

	list_for_each_entry(sess, &srv->sessions, head) {
		if (sess->rid == rid) {
			sfs_session_get(sess);
			return sess;
		}
	}
	return NULL;
}

static bool no_sessions(struct sfs_server *srv)
{
	bool none;

	spin_lock(&srv->link_lock);
	none = srv->nr_sessions == 0;
	spin_unlock(&srv->link_lock);
	return none;
}

void sfs_session_drop_all(struct sfs_server *srv)
{
	struct sfs_session *sess;

	do {
		sfs_store_lock(srv->store);
		sess = list_first_entry_or_null(&srv->sessions,
						struct sfs_session, head);
		if (sess)
			list_del(&sess->head);
		sfs_store_unlock(srv->store);
		if (sess) {
			sfs_srv_locks_forget(sess);
			sfs_session_put(sess);
		}
	} while (sess);
	wait_event(srv->wait, no_sessions(srv));
}

/* ---- sequences --------------------------------------------------------------------- */

u64 sfs_srv_open_seq(struct sfs_session *sess)
{
	int i;

	for (i = 0; i < SFS_MAX_OPEN_SEQS; i++) {
		if (!sess->open_seqs[i]) {
			sess->open_seqs[i] = sess->srv->next_seq++;
			return sess->open_seqs[i];
		}
	}
	return 0;
}

bool sfs_srv_close_seq(struct sfs_session *sess, u64 seq)
{
	int i;

	for (i = 0; i < SFS_MAX_OPEN_SEQS; i++) {
		if (seq && sess->open_seqs[i] == seq) {
			sess->open_seqs[i] = 0;
			return true;
		}
	}
	return false;
}

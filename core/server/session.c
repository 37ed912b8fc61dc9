// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: one a mount.  Requests are taken off the connection at once and
 * queued to their slot; each slot has a worker, so one request of a slot is
 * handled at a time and those of different slots side by side.
 *
 * A request that comes again with the number of the last one gets the same
 * reply again and has no further effect; older ones are dropped.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"

static struct sfs_msg *handle(struct sfs_session *sess, struct sfs_msg *req)
{
	switch (le16_to_cpu(req->hdr.type)) {
	case SFS_MSG_JOIN:
		return sfs_srv_join(sess, req);
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

void sfs_srv_send(struct sfs_session *sess, struct sfs_msg *msg)
{
	sfs_conn_send(&sess->client->conn, SFS_CONN_SERVER, msg);
}

static struct sfs_msg *copy_msg(const struct sfs_msg *msg)
{
	struct sfs_msg *copy = sfs_msg_alloc_wait(0, sfs_msg_len(msg));

	copy->hdr = msg->hdr;
	memcpy(copy->payload, msg->payload, sfs_msg_len(msg));
	return copy;
}

static void reply_to(struct sfs_session_slot *slot, struct sfs_msg *req,
		     struct sfs_msg *reply)
{
	struct sfs_session *sess = slot->sess;
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
	sfs_msg_free(slot->reply);
	slot->reply = reply;
	sfs_conn_send(&sess->client->conn, SFS_CONN_SERVER, copy_msg(reply));
}

static struct sfs_msg *next_request(struct sfs_session_slot *slot)
{
	struct sfs_msg *msg;

	spin_lock(&slot->lock);
	msg = list_first_entry_or_null(&slot->queue, struct sfs_msg, head);
	if (msg)
		list_del_init(&msg->head);
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

	while ((req = next_request(slot))) {
		seq = le64_to_cpu(req->hdr.seq);
		if (seq == slot->seq && slot->reply) {
			sfs_conn_send(&slot->sess->client->conn,
				      SFS_CONN_SERVER, copy_msg(slot->reply));
		} else if (seq > slot->seq) {
			slot->seq = seq;
			reply_to(slot, req, handle(slot->sess, req));
		}
		sfs_msg_free(req);
	}
}

static void session_recv(void *arg, struct sfs_msg *msg)
{
	struct sfs_session *sess = arg;
	struct sfs_session_slot *slot;

	if (le64_to_cpu(msg->hdr.rid) != sess->rid) {
		sfs_msg_free(msg);
		return;
	}
	if (le16_to_cpu(msg->hdr.type) == SFS_MSG_ACK) {
		sfs_srv_ack(sess, msg);
		sfs_msg_free(msg);
		return;
	}
	if (le16_to_cpu(msg->hdr.type) == SFS_MSG_LOCK_REQUEST ||
	    le16_to_cpu(msg->hdr.type) == SFS_MSG_LOCK_RELEASE) {
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
	list_add_tail(&msg->head, &slot->queue);
	spin_unlock(&slot->lock);
	queue_work(sess->srv->wq, &slot->work);
}

int sfs_server_attach(struct sfs_server *srv, struct sfs_client *client)
{
	struct sfs_session *sess;
	int i;

	sess = kzalloc(sizeof(*sess), GFP_NOFS);
	if (!sess)
		return -ENOMEM;
	sess->srv = srv;
	sess->client = client;
	sess->rid = client->rid;
	INIT_LIST_HEAD(&sess->lock_holders);
	INIT_LIST_HEAD(&sess->lock_waiters);
	for (i = 0; i < SFS_NR_SLOTS; i++) {
		sess->slots[i].sess = sess;
		spin_lock_init(&sess->slots[i].lock);
		INIT_LIST_HEAD(&sess->slots[i].queue);
		INIT_WORK(&sess->slots[i].work, slot_worker);
	}
	sfs_store_lock(srv->store);
	list_add_tail(&sess->head, &srv->sessions);
	sfs_store_unlock(srv->store);
	sfs_conn_attach(&client->conn, SFS_CONN_SERVER, session_recv, sess);
	return 0;
}

/*
 * The client has been shut down: no message arrives any more and none of its
 * requests is waited for.
 */
void sfs_server_detach(struct sfs_server *srv, struct sfs_client *client)
{
	struct sfs_session *sess;
	struct sfs_session *found = NULL;
	int i;

	sfs_store_lock(srv->store);
	list_for_each_entry(sess, &srv->sessions, head) {
		if (sess->client == client)
			found = sess;
	}
	sfs_store_unlock(srv->store);
	if (!found)
		return;
	for (i = 0; i < SFS_NR_SLOTS; i++)
		flush_work(&found->slots[i].work);
	sfs_srv_locks_forget(found);
	/* after the last sender of posts that may have seen it */
	mutex_lock(&srv->post_mutex);
	sfs_store_lock(srv->store);
	list_del(&found->head);
	sfs_store_unlock(srv->store);
	mutex_unlock(&srv->post_mutex);
	for (i = 0; i < SFS_NR_SLOTS; i++)
		sfs_msg_free(found->slots[i].reply);
	if (found->join_man)
		sfs_manifest_put(&srv->vol, found->join_man);
	kfree(found);
	queue_work(srv->job_wq, &srv->reclaim_work);
}

/* ---- joining and leaving ------------------------------------------------------ */

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

struct sfs_msg *sfs_srv_join(struct sfs_session *sess, struct sfs_msg *req)
{
	struct sfs_server *srv = sess->srv;
	struct sfs_msg_join_reply *body;
	struct sfs_srv_mount rec = {};
	struct sfs_store_txn txn;
	struct sfs_msg *reply;
	struct sfs_key key;
	u64 ticket;
	u64 spare;
	u64 seq;
	int ret;

	reply = sfs_msg_alloc(0, sizeof(*body));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	ret = sfs_store_begin(srv->store, &txn, 2,
			      sizeof(struct sfs_srv_state) + sizeof(rec));
	if (ret < 0)
		goto err_free;
	if (sess->joined) {
		sfs_store_abort(srv->store, &txn);
		ret = -EALREADY;
		goto err_free;
	}
	seq = sfs_srv_open_seq(sess);
	spare = sfs_srv_open_seq(sess);
	sess->joined = true;
	sess->join_man = sfs_engine_manifest(&srv->vol);
	/* no acknowledgement comes before our reply */
	WRITE_ONCE(sess->acked, sess->join_man->version);
	key = SFS_SRV_KEY(SFS_SRV_MOUNT, sess->rid, 0);
	sfs_store_put(srv->store, &txn, &key, &rec, sizeof(rec));
	body = (struct sfs_msg_join_reply *)reply->payload;
	body->version = cpu_to_le64(sess->join_man->version);
	body->stable = cpu_to_le64(sess->join_man->stable);
	body->seq = cpu_to_le64(seq);
	body->spare_seq = cpu_to_le64(spare);
	sess->run_id = srv->next_run++;
	body->run_id = cpu_to_le64(sess->run_id);
	sfs_srv_put_state(srv, &txn);
	ticket = sfs_store_end(srv->store, &txn);
	ret = sfs_srv_commit(srv, ticket);
	if (ret == 0)
		return reply;
err_free:
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

#define MANIFEST_BATCH 200

struct sfs_msg *sfs_srv_manifest(struct sfs_session *sess, struct sfs_msg *req)
{
	struct sfs_msg_manifest *ask = (struct sfs_msg_manifest *)req->payload;
	struct sfs_msg_manifest_reply *body;
	struct sfs_slice *slice;
	struct sfs_msg *reply;
	u32 seen = 0;
	u32 nr = 0;
	__le32 len;
	u32 first;
	u8 *p;
	u32 l;
	u32 i;

	if (sfs_msg_len(req) < sizeof(*ask) || !sess->join_man ||
	    le64_to_cpu(ask->version) != sess->join_man->version)
		return ERR_PTR(-EPROTO);
	reply = sfs_msg_alloc(0, sizeof(*body) +
			      MANIFEST_BATCH * (SFS_DISK_SLICE_MAX + 4));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_manifest_reply *)reply->payload;
	p = reply->payload + sizeof(*body);
	first = le32_to_cpu(ask->first);
	sfs_manifest_for_each(sess->join_man, l, i, slice) {
		if (seen++ < first || nr == MANIFEST_BATCH)
			continue;
		len = cpu_to_le32(sfs_slice_encode(slice, p + sizeof(len)));
		memcpy(p, &len, sizeof(len));
		p += sizeof(len) + le32_to_cpu(len);
		nr++;
	}
	body->nr = cpu_to_le32(nr);
	body->more = cpu_to_le32(first + nr < seen);
	reply->hdr.len = cpu_to_le32((u32)(p - reply->payload));
	if (first + nr >= seen) {
		sfs_manifest_put(&sess->srv->vol, sess->join_man);
		sess->join_man = NULL;
	}
	return reply;
}

/*
 * Everything the mount owns comes back and its sequences are closed, so the
 * stable sequence moves on in a version of its own.
 */
struct sfs_msg *sfs_srv_leave(struct sfs_session *sess, struct sfs_msg *req)
{
	struct sfs_server *srv = sess->srv;
	struct sfs_edit edit = {};
	struct sfs_store_txn txn;
	struct sfs_srv_post *post;
	struct sfs_msg *reply;
	struct sfs_key key;
	int ret;

	ret = sfs_data_reclaim(srv, sess->rid);
	if (ret < 0)
		return ERR_PTR(ret);
	reply = sfs_msg_alloc(0, 0);
	post = sfs_srv_post_alloc(&edit);
	ret = -ENOMEM;
	if (!reply || !post)
		goto err_free;
	ret = sfs_store_begin(srv->store, &txn, 2 * sess->owned_segs + 8,
			      sizeof(struct sfs_srv_state));
	if (ret < 0)
		goto err_free;
	memset(sess->open_seqs, 0, sizeof(sess->open_seqs));
	sess->joined = false;
	sess->owned_data = 0;
	ret = sfs_segs_close_all(srv, &txn, sess->rid, srv->version + 1);
	sess->owned_segs = 0;
	key = SFS_SRV_KEY(SFS_SRV_MOUNT, sess->rid, 0);
	sfs_store_del(srv->store, &txn, &key);
	if (ret == 0)
		ret = sfs_srv_new_version(srv, &txn, &edit, post);
	if (ret < 0) {
		sfs_store_poison(srv->store, &txn, ret);
		goto err_free;
	}
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	sfs_srv_locks_forget(sess);
	queue_work(srv->job_wq, &srv->reclaim_work);
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
err_free:
	if (post)
		sfs_srv_post_free(post);
	if (reply)
		sfs_msg_free(reply);
	return ERR_PTR(ret);
}

void sfs_srv_ack(struct sfs_session *sess, struct sfs_msg *msg)
{
	struct sfs_msg_ack *ack = (struct sfs_msg_ack *)msg->payload;

	if (sfs_msg_len(msg) < sizeof(*ack))
		return;
	/*
	 * Without the store's mutex, which is held for reading blocks: this is
	 * the one writer, and a stale value only keeps space longer.
	 */
	if (le64_to_cpu(ack->oldest) > READ_ONCE(sess->acked))
		WRITE_ONCE(sess->acked, le64_to_cpu(ack->oldest));
	if (!READ_ONCE(sess->srv->stopping))
		queue_work(sess->srv->job_wq, &sess->srv->reclaim_work);
}

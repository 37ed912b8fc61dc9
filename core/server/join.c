// SPDX-License-Identifier: GPL-2.0-only
/*
 * Joining, loading the manifest, acknowledging, and leaving.
 *
 * A mount is one of the volume's from the record of its join on until that
 * record is deleted, with which everything it had has come back.
 *
 * The manifest is loaded in parts of one version, which is kept for that long.
 * The mount is bound to its link before it asks, so that it gets the edits of
 * all versions after the one it loads.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"

/* ---- joining -------------------------------------------------------------------- */

static void join_change(struct sfs_session *sess, struct sfs_store_txn *txn,
			const struct sfs_msg *req, struct sfs_msg *reply)
{
	struct sfs_msg_join_reply *body =
		(struct sfs_msg_join_reply *)reply->payload;
	struct sfs_server *srv = sess->srv;
	struct sfs_srv_mount rec = {};
	struct sfs_key key;

	body->seq = cpu_to_le64(sfs_srv_open_seq(sess));
	body->spare_seq = cpu_to_le64(sfs_srv_open_seq(sess));
	sess->run_id = srv->next_run++;
	body->run_id = cpu_to_le64(sess->run_id);
	sess->joined = true;
	sess->greeted = true;
	key = SFS_SRV_KEY(SFS_SRV_MOUNT, sess->rid, 0);
	sfs_store_put(srv->store, txn, &key, &rec, sizeof(rec));
	sfs_srv_slot_put(sess, txn, req, reply);
	sfs_srv_put_state(srv, txn);
	sfs_session_get(sess);
	list_add_tail(&sess->head, &srv->sessions);
}

/*
 * The mount did not get the reply, or not yet: it gets the same.  To a server
 * that does not know it otherwise this is its introduction: nothing can have
 * happened since but what the reply says.
 */
static struct sfs_msg *join_again(struct sfs_session *sess)
{
	const struct sfs_msg_join_reply *body;
	struct sfs_server *srv = sess->srv;
	struct sfs_msg *reply = NULL;
	u64 ticket;
	int ret;

	sfs_store_lock(srv->store);
	if (sess->slots[SFS_SLOT_GREET].reply)
		reply = sfs_msg_copy_wait(sess->slots[SFS_SLOT_GREET].reply);
	if (!reply || sfs_msg_len(reply) < sizeof(*body)) {
		sfs_store_unlock(srv->store);
		sfs_msg_free(reply);
		return ERR_PTR(-EPROTO);
	}
	if (!sess->greeted) {
		body = (const struct sfs_msg_join_reply *)reply->payload;
		memset(sess->open_seqs, 0, sizeof(sess->open_seqs));
		sess->open_seqs[0] = le64_to_cpu(body->seq);
		sess->open_seqs[1] = le64_to_cpu(body->spare_seq);
		sess->greeted = true;
	}
	ticket = sfs_store_ticket(srv->store) - 1;
	sfs_store_unlock(srv->store);
	ret = sfs_srv_commit(srv, ticket);
	sfs_srv_try_thaw(srv);
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

struct sfs_msg *sfs_srv_join(struct sfs_server *srv, const struct sfs_msg *req,
			     struct sfs_session **ret_sess)
{
	u64 rid = le64_to_cpu(req->hdr.rid);
	struct sfs_session *sess;
	struct sfs_session *old;
	struct sfs_store_txn txn;
	struct sfs_msg *reply;
	int ret;

	sess = sfs_session_create(srv, rid);
	reply = sfs_msg_alloc(0, sizeof(struct sfs_msg_join_reply));
	ret = -ENOMEM;
	if (!sess || !reply)
		goto err_free;
	ret = sfs_store_begin(srv->store, &txn, 3,
			      sizeof(struct sfs_srv_state) +
				      sizeof(struct sfs_srv_mount) +
				      SFS_SRV_SLOT_ROOM(sfs_msg_len(reply)));
	if (ret < 0)
		goto err_free;
	old = sfs_session_find(srv, rid);
	if (old) {
		sfs_store_abort(srv->store, &txn);
		sfs_session_put(sess);
		sfs_msg_free(reply);
		*ret_sess = old;
		return join_again(old);
	}
	join_change(sess, &txn, req, reply);
	sfs_msg_free(sess->slots[SFS_SLOT_GREET].reply);
	sess->slots[SFS_SLOT_GREET].reply = sfs_msg_copy_wait(reply);
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	*ret_sess = sess;
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
err_free:
	if (sess)
		sfs_session_put(sess);
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

/* ---- the manifest ----------------------------------------------------------------- */

#define MANIFEST_BATCH 200

/* The version of now, once it is durable, is the one that is loaded. */
static int begin_load(struct sfs_session *sess)
{
	struct sfs_server *srv = sess->srv;
	u64 ticket;
	int ret;

	sfs_store_lock(srv->store);
	if (sess->load_man)
		sfs_manifest_put(&srv->vol, sess->load_man);
	sess->load_man = sfs_engine_manifest(&srv->vol);
	sess->load_publish_nr = sess->publish_nr;
	ret = sfs_store_error(srv->store);
	ticket = sfs_store_ticket(srv->store) - 1;
	sfs_store_unlock(srv->store);
	return ret ?: sfs_srv_commit(srv, ticket);
}

static void end_load(struct sfs_session *sess)
{
	sfs_manifest_put(&sess->srv->vol, sess->load_man);
	sess->load_man = NULL;
}

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
	int ret;

	if (sfs_msg_len(req) < sizeof(*ask))
		return ERR_PTR(-EPROTO);
	first = le32_to_cpu(ask->first);
	ret = ask->version ? 0 : begin_load(sess);
	if (ret < 0)
		return ERR_PTR(ret);
	if (!sess->load_man ||
	    (ask->version ? le64_to_cpu(ask->version) !=
				    sess->load_man->version : first))
		return ERR_PTR(-ESTALE);
	reply = sfs_msg_alloc(0, sizeof(*body) +
			      MANIFEST_BATCH * (SFS_DISK_SLICE_MAX + 4));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_manifest_reply *)reply->payload;
	p = reply->payload + sizeof(*body);
	sfs_manifest_for_each(sess->load_man, l, i, slice) {
		if (seen++ < first || nr == MANIFEST_BATCH)
			continue;
		len = cpu_to_le32(sfs_slice_encode(slice, p + sizeof(len)));
		memcpy(p, &len, sizeof(len));
		p += sizeof(len) + le32_to_cpu(len);
		nr++;
	}
	body->version = cpu_to_le64(sess->load_man->version);
	body->stable = cpu_to_le64(sess->load_man->stable);
	body->publish_nr = cpu_to_le64(sess->load_publish_nr);
	body->nr = cpu_to_le32(nr);
	body->more = cpu_to_le32(first + nr < seen);
	reply->hdr.len = cpu_to_le32((u32)(p - reply->payload));
	if (first + nr >= seen)
		end_load(sess);
	return reply;
}

/* ---- leaving ------------------------------------------------------------------------ */

struct sfs_msg *sfs_srv_leave(struct sfs_session *sess, struct sfs_msg *req)
{
	struct sfs_msg *reply;
	int ret;

	reply = sfs_msg_alloc(0, 0);
	if (!reply)
		return ERR_PTR(-ENOMEM);
	WRITE_ONCE(sess->shut, true);
	ret = sfs_srv_take_back(sess);
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

/* ---- acknowledgements ------------------------------------------------------------------ */

void sfs_srv_ack(struct sfs_session *sess, struct sfs_msg *msg)
{
	struct sfs_msg_ack *ack = (struct sfs_msg_ack *)msg->payload;

	if (sfs_msg_len(msg) < sizeof(*ack))
		return;
	/*
	 * Without the store's mutex, which is held for reading blocks.  Links
	 * of one session may both be here; of two values the smaller one may
	 * stay, which only keeps space until the next.
	 */
	if (le64_to_cpu(ack->oldest) > READ_ONCE(sess->acked))
		WRITE_ONCE(sess->acked, le64_to_cpu(ack->oldest));
	sfs_srv_kick_reclaim(sess->srv);
}

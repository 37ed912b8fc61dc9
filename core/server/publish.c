// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publishes.  One is one record of the log: the run becomes a slice of level 0
 * in a new version of the manifest, space changes hands, the transaction's
 * sequence is closed and the stable sequence computed again.  It is validated
 * as a whole before the first change (publish_check.c); an error after that, of
 * memory or of a device, stops the server, since what is in memory would no
 * longer be what the log says.
 */
#include "server/publish.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include "base/broken.h"

static int publish_space(struct sfs_session *sess, struct sfs_store_txn *txn,
			 const struct sfs_srv_publish *pub)
{
	struct sfs_server *srv = sess->srv;
	int ret = 0;
	u32 i;

	for (i = 0; i < pub->nr_consumed && ret == 0; i++) {
		ret = sfs_data_take(srv, txn, sess->rid, pub->consumed[i].start,
				    pub->consumed[i].count);
		sess->owned_data -= pub->consumed[i].count;
	}
	for (i = 0; i < pub->nr_freed && ret == 0; i++)
		ret = sfs_data_return(srv, txn, pub->freed[i].start,
				      pub->freed[i].count);
	for (i = 0; i < pub->nr_closed && ret == 0; i++) {
		ret = sfs_segs_close(srv, txn, sess->rid, pub->closed[i],
				     srv->version);
		sess->owned_segs -= ret == 0;
	}
	return ret;
}

static int publish_change(struct sfs_session *sess, struct sfs_store_txn *txn,
			  const struct sfs_srv_publish *pub, struct sfs_edit *edit,
			  struct sfs_srv_post *post,
			  const struct sfs_msg *req, struct sfs_msg *reply)
{
	struct sfs_msg_publish_reply *body =
		(struct sfs_msg_publish_reply *)reply->payload;
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_MOUNT, sess->rid, 0);
	struct sfs_server *srv = sess->srv;
	struct sfs_srv_mount rec;
	int ret;

	srv->top_stamp = max(srv->top_stamp, pub->max_stamp);
	/*
	 * The mount's transaction after this one has a later stamp already; the
	 * sequence that is given now is for the one after that.
	 */
	if (!sfs_broken(srv->host, NORAISE))
		srv->next_seq = max(srv->next_seq, pub->max_stamp + 2);
	sfs_srv_close_seq(sess, pub->txn_seq);
	body->spare_seq = cpu_to_le64(sfs_srv_open_seq(sess));
	sess->run_id = srv->next_run++;
	body->run_id = cpu_to_le64(sess->run_id);
	sess->publish_nr = pub->nr;
	ret = sfs_srv_new_version(srv, txn, edit, post);
	if (ret < 0)
		return ret;
	body->version = cpu_to_le64(edit->version);
	body->stable = cpu_to_le64(edit->stable);
	/* after the slices: a closed segment is live if it has any */
	ret = publish_space(sess, txn, pub);
	rec.publish_nr = cpu_to_le64(pub->nr);
	rec.version = cpu_to_le64(edit->version);
	sfs_store_put(srv->store, txn, &key, &rec, sizeof(rec));
	sfs_srv_slot_put(sess, txn, req, reply);
	return ret;
}

static int publish(struct sfs_session *sess, struct sfs_srv_publish *pub,
		   const struct sfs_msg *req, struct sfs_msg *reply)
{
	struct sfs_server *srv = sess->srv;
	struct sfs_edit edit = {
		.rid = sess->rid,
		.publish_nr = pub->nr,
		.nr_add = pub->slice ? 1 : 0,
		.add = &pub->slice,
	};
	u32 items = 3 + 2 * pub->nr_closed + 3 * pub->nr_consumed +
		    3 * pub->nr_freed;
	u32 bytes = sizeof(struct sfs_srv_mount) +
		    SFS_SRV_SLOT_ROOM(sfs_msg_len(reply)) +
		    24 * (pub->nr_consumed + pub->nr_freed);
	struct sfs_store_txn txn;
	struct sfs_srv_post *post;
	int ret;

	post = sfs_srv_post_alloc(&edit);
	if (!post)
		return -ENOMEM;
	sfs_srv_version_room(srv, &edit, &items, &bytes);
	ret = sfs_store_begin(srv->store, &txn, items, bytes);
	if (ret < 0)
		goto err_post;
	ret = sfs_srv_publish_check(sess, pub);
	if (ret < 0) {
		sfs_store_abort(srv->store, &txn);
		goto err_post;
	}
	if (pub->slice) {
		pub->slice->id = srv->next_slice++;
		pub->slice->order = srv->next_order++;
	}
	ret = publish_change(sess, &txn, pub, &edit, post, req, reply);
	if (ret < 0) {
		if (list_empty(&post->head))
			sfs_srv_post_free(post);
		sfs_store_poison(srv->store, &txn, ret);
		return ret;
	}
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	if (ret == 0)
		sfs_srv_locks_published(sess, edit.version, pub->max_stamp,
					pub->released, pub->nr_released);
	sfs_compact_kick(srv);
	return ret;
err_post:
	sfs_srv_post_free(post);
	return ret;
}

struct sfs_msg *sfs_srv_publish(struct sfs_session *sess, struct sfs_msg *req)
{
	struct sfs_srv_publish pub;
	struct sfs_msg *reply;
	int ret;

	reply = sfs_msg_alloc(0, sizeof(struct sfs_msg_publish_reply));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	ret = sfs_srv_publish_decode(sess, req, &pub);
	if (ret == 0) {
		ret = publish(sess, &pub, req, reply);
		sfs_srv_publish_exit(&pub);
	}
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

void sfs_srv_publish_again(struct sfs_session *sess, const struct sfs_msg *req)
{
	const struct sfs_msg *last = sess->slots[SFS_SLOT_PUBLISH].reply;
	const struct sfs_msg_publish_reply *body;
	struct sfs_srv_publish pub;

	/* it may have come in another slot than publishes do */
	if (!last)
		return;
	body = (const struct sfs_msg_publish_reply *)last->payload;
	if (last->hdr.err || sfs_msg_len(last) < sizeof(*body) ||
	    sfs_srv_publish_decode(sess, req, &pub) < 0)
		return;
	sfs_store_lock(sess->srv->store);
	sfs_srv_close_seq(sess, pub.txn_seq);
	sfs_store_unlock(sess->srv->store);
	sfs_srv_locks_published(sess, le64_to_cpu(body->version), pub.max_stamp,
				pub.released, pub.nr_released);
	sfs_srv_publish_exit(&pub);
}

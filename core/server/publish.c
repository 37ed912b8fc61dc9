// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publishes.  One is one record of the log: the run becomes a slice of level 0
 * in a new version of the manifest, space changes hands, the transaction's
 * sequence is closed and the stable sequence computed again.  It is validated
 * as a whole before the first change; an error after that stops the server,
 * since what is in memory would no longer be what the log says.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/report.h"

/* A publish message taken apart. */
struct publish {
	u64 nr;
	u64 txn_seq;
	u64 max_stamp;
	u32 nr_closed;
	u32 nr_consumed;
	u32 nr_freed;
	const __le64 *closed;
	const struct sfs_msg_extent *consumed;
	const struct sfs_msg_extent *freed;
	struct sfs_slice *slice;	/* NULL: no items */
};

static int bad_publish(struct sfs_session *sess, const char *field, u64 value)
{
	sfs_err(sess->srv->host,
		"malformed publish from mount %016llx: %s is %llu", sess->rid,
		field, value);
	return -EPROTO;
}

static int check_extents(struct sfs_session *sess,
			 const struct sfs_msg_extent *ext, u32 nr)
{
	u64 total = sess->srv->ident.id.data_bytes / SFS_UNIT;
	u64 start;
	u64 count;
	u32 i;

	for (i = 0; i < nr; i++) {
		start = le64_to_cpu(ext[i].start);
		count = le64_to_cpu(ext[i].count);
		if (start < SFS_DATA_FIRST / SFS_UNIT || start >= total)
			return bad_publish(sess, "a data block", start);
		if (count == 0 || count > total - start)
			return bad_publish(sess, "a number of data blocks",
					   count);
	}
	return 0;
}

static int decode_publish(struct sfs_session *sess, const struct sfs_msg *req,
			  struct publish *pub)
{
	const struct sfs_msg_publish *body =
		(const struct sfs_msg_publish *)req->payload;
	u32 len = sfs_msg_len(req);
	u32 slice_len;
	const u8 *p;
	int ret;

	memset(pub, 0, sizeof(*pub));
	if (len < sizeof(*body))
		return bad_publish(sess, "length", len);
	slice_len = le32_to_cpu(body->slice_len);
	pub->nr = le64_to_cpu(body->publish_nr);
	pub->txn_seq = le64_to_cpu(body->txn_seq);
	pub->max_stamp = le64_to_cpu(body->max_stamp);
	pub->nr_closed = le32_to_cpu(body->nr_closed);
	pub->nr_consumed = le32_to_cpu(body->nr_consumed);
	pub->nr_freed = le32_to_cpu(body->nr_freed);
	if (slice_len % 8 || slice_len > SFS_DISK_SLICE_MAX ||
	    pub->nr_closed > SFS_MSG_MAX / 8 ||
	    pub->nr_consumed > SFS_MSG_MAX / 16 ||
	    pub->nr_freed > SFS_MSG_MAX / 16 ||
	    sizeof(*body) + slice_len + 8ULL * pub->nr_closed +
			    16ULL * pub->nr_consumed + 16ULL * pub->nr_freed !=
		    len)
		return bad_publish(sess, "length", len);
	p = req->payload + sizeof(*body);
	pub->closed = (const __le64 *)(p + slice_len);
	pub->consumed = (const struct sfs_msg_extent *)(pub->closed +
							 pub->nr_closed);
	pub->freed = pub->consumed + pub->nr_consumed;
	ret = check_extents(sess, pub->consumed, pub->nr_consumed);
	if (ret == 0)
		ret = check_extents(sess, pub->freed, pub->nr_freed);
	if (ret == 0 && slice_len)
		ret = sfs_slice_decode(sess->srv->host, p, slice_len,
				       sess->srv->ident.id.meta_bytes,
				       &pub->slice);
	return ret;
}

static int publish_space(struct sfs_session *sess, struct sfs_store_txn *txn,
			 const struct publish *pub)
{
	struct sfs_server *srv = sess->srv;
	int ret = 0;
	u32 i;

	for (i = 0; i < pub->nr_consumed && ret == 0; i++)
		ret = sfs_data_take(srv, txn, sess->rid,
				    le64_to_cpu(pub->consumed[i].start),
				    le64_to_cpu(pub->consumed[i].count));
	if (ret < 0)
		bad_publish(sess, "space put into files: block",
			    le64_to_cpu(pub->consumed[i - 1].start));
	for (i = 0; i < pub->nr_freed && ret == 0; i++)
		ret = sfs_data_return(srv, txn,
				      le64_to_cpu(pub->freed[i].start),
				      le64_to_cpu(pub->freed[i].count));
	for (i = 0; i < pub->nr_closed && ret == 0; i++) {
		ret = sfs_segs_close(srv, txn, sess->rid,
				     le64_to_cpu(pub->closed[i]),
				     srv->version);
		sess->owned_segs -= ret == 0;
	}
	for (i = 0; i < pub->nr_consumed; i++)
		sess->owned_data -= le64_to_cpu(pub->consumed[i].count);
	return ret;
}

static int publish_change(struct sfs_session *sess, struct sfs_store_txn *txn,
			  const struct publish *pub, struct sfs_edit *edit,
			  struct sfs_srv_post *post,
			  const struct sfs_msg *req, struct sfs_msg *reply)
{
	struct sfs_msg_publish_reply *body =
		(struct sfs_msg_publish_reply *)reply->payload;
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_MOUNT, sess->rid, 0);
	struct sfs_server *srv = sess->srv;
	struct sfs_srv_mount rec;
	int ret;

	if (!sfs_broken(srv->host, NORAISE))
		sfs_srv_raise_seq(srv, pub->max_stamp);
	sfs_srv_close_seq(sess, pub->txn_seq);
	body->spare_seq = cpu_to_le64(sfs_srv_open_seq(sess));
	body->run_id = cpu_to_le64(srv->next_run++);
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

static bool seq_is_open(const struct sfs_session *sess, u64 seq)
{
	int i;

	for (i = 0; i < SFS_MAX_OPEN_SEQS; i++) {
		if (seq && sess->open_seqs[i] == seq)
			return true;
	}
	return false;
}

static int publish_fits(struct sfs_session *sess, const struct publish *pub)
{
	if (!sess->joined)
		return -EPROTO;
	if (pub->nr != sess->publish_nr + 1)
		return bad_publish(sess, "number", pub->nr);
	if (!seq_is_open(sess, pub->txn_seq))
		return bad_publish(sess, "transaction sequence", pub->txn_seq);
	if (pub->slice && (pub->slice->run->id >= sess->srv->next_run ||
			   pub->slice->level != 0))
		return bad_publish(sess, "run", pub->slice->run->id);
	return 0;
}

static int publish(struct sfs_session *sess, struct publish *pub,
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
	ret = publish_fits(sess, pub);
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
	sfs_compact_kick(srv);
	return ret;
err_post:
	sfs_srv_post_free(post);
	return ret;
}

struct sfs_msg *sfs_srv_publish(struct sfs_session *sess, struct sfs_msg *req)
{
	struct publish pub;
	struct sfs_msg *reply;
	int ret;

	reply = sfs_msg_alloc(0, sizeof(struct sfs_msg_publish_reply));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	ret = decode_publish(sess, req, &pub);
	if (ret == 0)
		ret = publish(sess, &pub, req, reply);
	if (pub.slice)
		sfs_slice_put(pub.slice);
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

void sfs_srv_publish_again(struct sfs_session *sess, const struct sfs_msg *req)
{
	const struct sfs_msg_publish *body =
		(const struct sfs_msg_publish *)req->payload;

	if (sfs_msg_len(req) < sizeof(*body))
		return;
	sfs_store_lock(sess->srv->store);
	sfs_srv_close_seq(sess, le64_to_cpu(body->txn_seq));
	sfs_store_unlock(sess->srv->store);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mounts ask the server for: publishing, space, inode numbers, questions.
 *
 * A publish is one record: the run becomes a slice of level 0 in a new version
 * of the manifest, space changes hands, the transaction's sequence is closed
 * and the stable sequence computed again.  It is validated as a whole before
 * the first change; an error after that stops the server, since what is in
 * memory would no longer be what the log says.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/log.h"

/* ---- publishing ----------------------------------------------------------------- */

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
			  struct sfs_msg_publish_reply *body)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_MOUNT, sess->rid, 0);
	struct sfs_server *srv = sess->srv;
	struct sfs_srv_mount rec;
	int ret;

	srv->next_seq = max(srv->next_seq, pub->max_stamp + 1);
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
		   struct sfs_msg_publish_reply *body)
{
	struct sfs_server *srv = sess->srv;
	struct sfs_edit edit = {
		.rid = sess->rid,
		.publish_nr = pub->nr,
		.nr_add = pub->slice ? 1 : 0,
		.add = &pub->slice,
	};
	u32 items = 2 + 2 * pub->nr_closed + 3 * pub->nr_consumed +
		    3 * pub->nr_freed;
	u32 bytes = sizeof(struct sfs_srv_mount) +
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
	ret = publish_change(sess, &txn, pub, &edit, post, body);
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
		ret = publish(sess, &pub,
			      (struct sfs_msg_publish_reply *)reply->payload);
	if (pub.slice)
		sfs_slice_put(pub.slice);
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

/* ---- space ------------------------------------------------------------------------ */

#define MAX_GIVE_SEGS 256

static struct sfs_msg *extents_reply(u32 nr)
{
	struct sfs_msg_extents_reply *body;

	return sfs_msg_alloc(0, sizeof(*body) + nr * sizeof(body->ext[0]));
}

/*
 * All mounts together own at most an eighth of the device; a mount that asks
 * for less than a segment gets one.
 */
struct sfs_msg *sfs_srv_meta_space(struct sfs_session *sess,
				   struct sfs_msg *req)
{
	struct sfs_msg_meta_space *ask =
		(struct sfs_msg_meta_space *)req->payload;
	struct sfs_server *srv = sess->srv;
	struct sfs_msg_extents_reply *body;
	struct sfs_seg_map *map = &srv->segs;
	struct sfs_store_txn txn;
	struct sfs_msg *reply;
	u64 reserve;
	bool again;
	u64 want;
	u64 addr;
	u32 nr = 0;
	int ret;

	if (sfs_msg_len(req) < sizeof(*ask) || !sess->joined)
		return ERR_PTR(-EPROTO);
	want = div_u64(le64_to_cpu(ask->bytes) + map->bytes - 1, map->bytes);
	want = clamp_t(u64, want, 1, MAX_GIVE_SEGS);
	reserve = map->reserve_job;
	if (!ask->for_delete)
		reserve += map->reserve_delete;
	reply = extents_reply((u32)want);
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_extents_reply *)reply->payload;
	ret = sfs_store_begin(srv->store, &txn, (u32)want, 0);
	if (ret < 0)
		goto err_free;
	while (nr < want && (nr == 0 || map->nr_owned < map->nr / 8)) {
		ret = sfs_segs_own(srv, &txn, sess->rid, reserve, &addr);
		if (ret < 0)
			break;
		body->ext[nr].start = cpu_to_le64(addr);
		body->ext[nr].count = cpu_to_le64(map->bytes);
		nr++;
	}
	sess->owned_segs += nr;
	if (!nr) {
		srv->compact_forced = true;
		again = sfs_compact_may_free(srv);
		sfs_store_abort(srv->store, &txn);
		sfs_compact_kick(srv);
		ret = again ? -EAGAIN : -ENOSPC;
		goto err_free;
	}
	body->nr = cpu_to_le32(nr);
	reply->hdr.len = cpu_to_le32(sizeof(*body) + nr * sizeof(body->ext[0]));
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	if (ret == 0)
		return reply;
err_free:
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

struct sfs_msg *sfs_srv_data_space(struct sfs_session *sess,
				   struct sfs_msg *req)
{
	struct sfs_msg_data_space *ask =
		(struct sfs_msg_data_space *)req->payload;
	struct sfs_server *srv = sess->srv;
	struct sfs_msg_extents_reply *body;
	struct sfs_store_txn txn;
	struct sfs_msg *reply;
	u64 start;
	u64 count;
	u64 want;
	int ret;

	if (sfs_msg_len(req) < sizeof(*ask) || !sess->joined)
		return ERR_PTR(-EPROTO);
	want = clamp_t(u64, le64_to_cpu(ask->blocks), 1,
		       max_t(u64, srv->data_total / 8, 1));
	reply = extents_reply(1);
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_extents_reply *)reply->payload;
	ret = sfs_store_begin(srv->store, &txn, 3, 3 * sizeof(__le64));
	if (ret < 0)
		goto err_free;
	ret = sfs_data_give(srv, &txn, sess->rid, want,
			    le64_to_cpu(ask->goal), &start, &count);
	if (ret < 0) {
		sfs_store_abort(srv->store, &txn);
		goto err_free;
	}
	sess->owned_data += count;
	body->nr = cpu_to_le32(1);
	body->ext[0].start = cpu_to_le64(start);
	body->ext[0].count = cpu_to_le64(count);
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	if (ret == 0)
		return reply;
err_free:
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

#define GROUP_INOS 1024

struct sfs_msg *sfs_srv_ino_group(struct sfs_session *sess,
				  struct sfs_msg *req)
{
	struct sfs_msg_ino_group_reply *body;
	struct sfs_server *srv = sess->srv;
	struct sfs_store_txn txn;
	struct sfs_msg *reply;
	int ret;

	reply = sfs_msg_alloc(0, sizeof(*body));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_ino_group_reply *)reply->payload;
	ret = sfs_store_begin(srv->store, &txn, 1, sizeof(struct sfs_srv_state));
	if (ret < 0)
		goto err_free;
	body->first_ino = cpu_to_le64(srv->next_ino);
	srv->next_ino += GROUP_INOS;
	sfs_srv_put_state(srv, &txn);
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	if (ret == 0)
		return reply;
err_free:
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

/* ---- questions ---------------------------------------------------------------------- */

struct sfs_msg *sfs_srv_query_stable(struct sfs_session *sess,
				     struct sfs_msg *req)
{
	struct sfs_msg_stable_reply *body;
	struct sfs_server *srv = sess->srv;
	struct sfs_msg *reply;
	u64 ticket;
	int ret;

	reply = sfs_msg_alloc(0, sizeof(*body));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_stable_reply *)reply->payload;
	sfs_store_lock(srv->store);
	body->version = cpu_to_le64(srv->version);
	body->stable = cpu_to_le64(srv->stable);
	ticket = sfs_store_ticket(srv->store) - 1;
	sfs_store_unlock(srv->store);
	ret = sfs_srv_commit(srv, ticket);
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

#define META_BLOCK (64ULL << 10)

struct sfs_msg *sfs_srv_statfs(struct sfs_session *sess, struct sfs_msg *req)
{
	struct sfs_msg_statfs_reply *body;
	struct sfs_server *srv = sess->srv;
	struct sfs_seg_map *map = &srv->segs;
	struct sfs_msg *reply;
	u64 used;

	reply = sfs_msg_alloc(0, sizeof(*body));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_statfs_reply *)reply->payload;
	sfs_store_lock(srv->store);
	used = srv->ident.id.meta_bytes - map->nr_free * map->bytes;
	body->stable = cpu_to_le64(srv->stable);
	body->total_meta_blocks =
		cpu_to_le64(srv->ident.id.meta_bytes / META_BLOCK);
	body->total_data_blocks =
		cpu_to_le64(srv->ident.id.data_bytes / SFS_UNIT);
	body->used_meta_blocks = cpu_to_le64(used / META_BLOCK);
	body->used_data_blocks =
		cpu_to_le64(srv->ident.id.data_bytes / SFS_UNIT -
			    srv->data_free);
	body->reserved_meta_blocks =
		cpu_to_le64((map->reserve_job + map->reserve_delete) *
			    map->bytes / META_BLOCK);
	sfs_store_unlock(srv->store);
	return reply;
}

static void add_entry(struct sfs_msg_alloc_detail_reply *body, u64 id,
		      u64 blocks, bool is_meta, bool is_avail)
{
	struct sfs_msg_alloc_entry *ent;
	u32 nr = le32_to_cpu(body->nr);

	ent = &body->ent[nr];
	memset(ent, 0, sizeof(*ent));
	ent->id = cpu_to_le64(id);
	ent->blocks = cpu_to_le64(blocks);
	ent->is_meta = is_meta;
	ent->is_avail = is_avail;
	body->nr = cpu_to_le32(nr + 1);
}

struct sfs_msg *sfs_srv_alloc_detail(struct sfs_session *sess,
				     struct sfs_msg *req)
{
	struct sfs_msg_alloc_detail_reply *body;
	struct sfs_server *srv = sess->srv;
	struct sfs_session *other;
	struct sfs_msg *reply;
	u64 seg = srv->segs.bytes;
	u32 nr = 3;

	sfs_store_lock(srv->store);
	list_for_each_entry(other, &srv->sessions, head)
		nr += 2;
	reply = sfs_msg_alloc(0, sizeof(*body) + nr * sizeof(body->ent[0]));
	if (!reply) {
		sfs_store_unlock(srv->store);
		return ERR_PTR(-ENOMEM);
	}
	body = (struct sfs_msg_alloc_detail_reply *)reply->payload;
	add_entry(body, 0, srv->segs.nr_free * seg / META_BLOCK, true, true);
	add_entry(body, 0, srv->segs.nr_pending * seg / META_BLOCK, true,
		  false);
	add_entry(body, 0, srv->data_free, false, true);
	list_for_each_entry(other, &srv->sessions, head) {
		add_entry(body, other->rid,
			  other->owned_segs * seg / META_BLOCK, true, true);
		add_entry(body, other->rid, other->owned_data, false, true);
	}
	sfs_store_unlock(srv->store);
	return reply;
}

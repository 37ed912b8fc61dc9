// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mounts ask the server for besides publishing: space, inode numbers, and
 * questions about the volume.
 *
 * What is given out is in the log before the answer leaves, together with the
 * answer, so a request that comes again is given the same.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/report.h"
#include "net/lock_names.h"

/* The end of a handler: @reply, or the error in its place. */
static struct sfs_msg *answer(struct sfs_msg *reply, int ret)
{
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

/* ---- space ------------------------------------------------------------------------ */

/* so that the reply fits a record */
#define MAX_GIVE_SEGS 200
static_assert(sizeof(struct sfs_srv_slot) + sizeof(struct sfs_msg_extents_reply) +
	      MAX_GIVE_SEGS * sizeof(struct sfs_msg_extent) <= SFS_ITEM_MAX_VAL);

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
	ret = sfs_store_begin(srv->store, &txn, (u32)want + 1,
			      SFS_SRV_SLOT_ROOM(sfs_msg_len(reply)));
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
	sfs_srv_slot_put(sess, &txn, req, reply);
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
err_free:
	return answer(reply, ret);
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
	ret = sfs_store_begin(srv->store, &txn, 4,
			      3 * sizeof(__le64) +
				      SFS_SRV_SLOT_ROOM(sfs_msg_len(reply)));
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
	sfs_srv_slot_put(sess, &txn, req, reply);
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
err_free:
	return answer(reply, ret);
}

#define GROUP_INOS 1024

struct sfs_msg *sfs_srv_ino_group(struct sfs_session *sess,
				  struct sfs_msg *req)
{
	struct sfs_msg_ino_group_reply *body;
	struct sfs_server *srv = sess->srv;
	struct sfs_store_txn txn;
	struct sfs_msg *reply;
	u64 epoch = 0;
	int ret;

	reply = sfs_msg_alloc(0, sizeof(*body));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_ino_group_reply *)reply->payload;
	ret = sfs_store_begin(srv->store, &txn, 2,
			      sizeof(struct sfs_srv_state) +
				      SFS_SRV_SLOT_ROOM(sizeof(*body)));
	if (ret < 0)
		goto err_free;
	body->first_ino = cpu_to_le64(srv->next_ino);
	srv->next_ino += GROUP_INOS;
	sfs_srv_put_state(srv, &txn);
	sfs_srv_slot_put(sess, &txn, req, reply);
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	/* nobody else knows these numbers: their lock is free */
	if (ret == 0)
		epoch = sfs_srv_lock_new(sess,
					 sfs_lock_of_ino(le64_to_cpu(body->first_ino)));
	body->lock_epoch = cpu_to_le64(epoch);
err_free:
	return answer(reply, ret);
}

/* ---- questions ---------------------------------------------------------------------- */

#define ADVANCE_MS 50

static bool holds_back(const struct sfs_session *sess, u64 seq)
{
	int i;

	for (i = 0; i < SFS_MAX_OPEN_SEQS; i++) {
		if (sess->open_seqs[i] && sess->open_seqs[i] <= seq)
			return true;
	}
	return false;
}

/* Not more often than mounts can follow. */
static void ask_to_advance(struct sfs_server *srv)
{
	struct sfs_msg_advance *body;
	struct sfs_session *sess;
	struct sfs_msg *msg;

	if (srv->stable >= srv->top_stamp ||
	    time_before(jiffies, srv->advance_sent +
					 msecs_to_jiffies(ADVANCE_MS)))
		return;
	srv->advance_sent = jiffies;
	list_for_each_entry(sess, &srv->sessions, head) {
		if (!holds_back(sess, srv->top_stamp))
			continue;
		msg = sfs_msg_alloc(SFS_MSG_ADVANCE, sizeof(*body));
		if (!msg)
			continue;	/* asked again */
		body = (struct sfs_msg_advance *)msg->payload;
		body->seq = cpu_to_le64(srv->top_stamp);
		sfs_srv_send(sess, msg);
	}
}

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
	/* a version that a poisoned transaction made never becomes durable */
	ret = sfs_store_error(srv->store);
	body->version = cpu_to_le64(srv->version);
	body->stable = cpu_to_le64(srv->stable);
	body->published = cpu_to_le64(srv->top_stamp);
	ask_to_advance(srv);
	ticket = sfs_store_ticket(srv->store) - 1;
	sfs_store_unlock(srv->store);
	if (ret == 0)
		ret = sfs_srv_commit(srv, ticket);
	return answer(reply, ret);
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

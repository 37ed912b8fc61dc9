// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server of a volume: start and stop, new versions of the manifest, and
 * the order in which their effects leave.
 *
 * All state is changed in transactions of the store and under its mutex.  A
 * handler changes, gets a ticket, waits until that is durable, and only then
 * replies; edits are queued under the mutex, so in version order, and sent in
 * that order once their tickets are durable, before the reply.
 *
 * A start may find mounts that a server before had: recover.c.
 *
 * Lock order: post_mutex > store mutex; session slots' locks are leaves.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/report.h"
#include "server/load.h"

void sfs_srv_put_state(struct sfs_server *srv, struct sfs_store_txn *txn)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_STATE, 0, 0);
	u64 next_seq = sfs_broken(srv->host, NORESERVE) ?
			       srv->next_seq / 2 + 1 :
			       srv->next_seq;
	struct sfs_srv_state state = {
		.version = cpu_to_le64(srv->version),
		.stable = cpu_to_le64(srv->stable),
		.next_seq = cpu_to_le64(next_seq),
		.next_run = cpu_to_le64(srv->next_run),
		.next_slice = cpu_to_le64(srv->next_slice),
		.next_order = cpu_to_le64(srv->next_order),
		.next_ino = cpu_to_le64(srv->next_ino),
	};

	sfs_store_put(srv->store, txn, &key, &state, sizeof(state));
}

/* The smallest open sequence minus one; all given out when none is open. */
u64 sfs_srv_stable(struct sfs_server *srv)
{
	u64 stable = srv->next_seq - 1;
	struct sfs_session *sess;
	int i;

	if (sfs_broken(srv->host, STABLEFREE))
		return stable;
	list_for_each_entry(sess, &srv->sessions, head) {
		for (i = 0; i < SFS_MAX_OPEN_SEQS; i++) {
			if (sess->open_seqs[i] && sess->open_seqs[i] <= stable)
				stable = sess->open_seqs[i] - 1;
		}
	}
	return stable;
}

/* ---- versions --------------------------------------------------------------- */

/* Segments that the pieces of a slice touch, at most. */
static u32 slice_segs(struct sfs_server *srv, const struct sfs_slice *slice)
{
	u64 segs = 0;
	u32 i;

	for (i = 0; i < slice->run->nr_pieces; i++)
		segs += div_u64(slice->run->pieces[i].len, srv->segs.bytes) + 2;
	return (u32)segs;
}

void sfs_srv_version_room(struct sfs_server *srv, const struct sfs_edit *edit,
			  u32 *items, u32 *bytes)
{
	struct sfs_manifest *man = sfs_engine_manifest(&srv->vol);
	struct sfs_slice *slice;
	u32 i;

	*items += edit->nr_del + edit->nr_add + 1;
	*bytes += sizeof(struct sfs_srv_state) +
		  edit->nr_add * SFS_DISK_SLICE_MAX;
	/* segments without slices become pending */
	for (i = 0; i < edit->nr_del; i++) {
		slice = sfs_manifest_find(man, edit->del[i]);
		if (slice)
			*items += slice_segs(srv, slice);
	}
	sfs_manifest_put(&srv->vol, man);
}

struct sfs_srv_post *sfs_srv_post_alloc(const struct sfs_edit *edit)
{
	struct sfs_srv_post *post;
	struct sfs_msg_edit *msg;
	u32 len;

	len = sizeof(*msg) + edit->nr_del * sizeof(__le64) +
	      edit->nr_add * (sizeof(__le32) + SFS_DISK_SLICE_MAX);
	post = kzalloc(sizeof(*post), GFP_NOFS);
	if (!post)
		return NULL;
	INIT_LIST_HEAD(&post->head);
	post->edit = sfs_msg_alloc(SFS_MSG_EDIT, len);
	if (!post->edit) {
		kfree(post);
		return NULL;
	}
	return post;
}

void sfs_srv_post_free(struct sfs_srv_post *post)
{
	sfs_msg_free(post->edit);
	kfree(post);
}

static void encode_edit(const struct sfs_edit *edit, struct sfs_msg *msg)
{
	struct sfs_msg_edit *body = (struct sfs_msg_edit *)msg->payload;
	__le32 len;
	u8 *p;
	u32 i;

	body->version = cpu_to_le64(edit->version);
	body->stable = cpu_to_le64(edit->stable);
	body->rid = cpu_to_le64(edit->rid);
	body->publish_nr = cpu_to_le64(edit->publish_nr);
	body->nr_del = cpu_to_le32(edit->nr_del);
	body->nr_add = cpu_to_le32(edit->nr_add);
	for (i = 0; i < edit->nr_del; i++)
		body->del[i] = cpu_to_le64(edit->del[i]);
	p = (u8 *)&body->del[edit->nr_del];
	for (i = 0; i < edit->nr_add; i++) {
		len = cpu_to_le32(sfs_slice_encode(edit->add[i],
						   p + sizeof(len)));
		memcpy(p, &len, sizeof(len));
		p += sizeof(len) + le32_to_cpu(len);
	}
	msg->hdr.len = cpu_to_le32((u32)(p - msg->payload));
}

static void put_slices(struct sfs_server *srv, struct sfs_store_txn *txn,
		       const struct sfs_edit *edit,
		       struct sfs_srv_post *post)
{
	struct sfs_msg_edit *body = (struct sfs_msg_edit *)post->edit->payload;
	u8 *p = (u8 *)&body->del[edit->nr_del];
	struct sfs_key key;
	__le32 len;
	u32 i;

	for (i = 0; i < edit->nr_del; i++) {
		key = SFS_SRV_KEY(SFS_SRV_SLICE, edit->del[i], 0);
		sfs_store_del(srv->store, txn, &key);
	}
	/* the message has them encoded already */
	for (i = 0; i < edit->nr_add; i++) {
		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		key = SFS_SRV_KEY(SFS_SRV_SLICE, edit->add[i]->id, 0);
		sfs_store_put(srv->store, txn, &key, p, le32_to_cpu(len));
		p += le32_to_cpu(len);
	}
}

int sfs_srv_new_version(struct sfs_server *srv, struct sfs_store_txn *txn,
			struct sfs_edit *edit, struct sfs_srv_post *post)
{
	struct sfs_manifest *old = sfs_engine_manifest(&srv->vol);
	struct sfs_manifest *man;
	struct sfs_slice *slice;
	int ret = 0;
	u32 i;

	edit->version = srv->version + 1;
	/* who did not come back yet may have open ones */
	edit->stable = srv->recovering ? srv->stable : sfs_srv_stable(srv);
	SFS_ASSERT_CMP(edit->stable, >=, srv->stable);
	man = sfs_manifest_apply(srv->host, old, edit);
	if (IS_ERR(man)) {
		ret = PTR_ERR(man);
		goto out;
	}
	sfs_engine_adopt(&srv->vol, man);
	encode_edit(edit, post->edit);
	put_slices(srv, txn, edit, post);
	for (i = 0; i < edit->nr_add && ret == 0; i++)
		ret = sfs_segs_add_slice(srv, edit->add[i]);
	for (i = 0; i < edit->nr_del && ret == 0; i++) {
		slice = sfs_manifest_find(old, edit->del[i]);
		sfs_segs_del_slice(srv, txn, slice, edit->version);
	}
	if (ret == 0)
		ret = sfs_engine_swap(&srv->vol, NULL, 0, man);
	sfs_manifest_put(&srv->vol, man);
	if (ret < 0)
		goto out;
	sfs_count(srv->cnt, server_edits);
	srv->version = edit->version;
	srv->stable = edit->stable;
	sfs_srv_put_state(srv, txn);
	post->ticket = sfs_store_ticket(srv->store);
	post->version = edit->version;
	list_add_tail(&post->head, &srv->posts);
out:
	sfs_manifest_put(&srv->vol, old);
	return ret;
}

static struct sfs_srv_post *next_post(struct sfs_server *srv, u64 durable)
{
	struct sfs_srv_post *post;

	post = list_first_entry_or_null(&srv->posts, struct sfs_srv_post, head);
	if (!post || post->ticket > durable)
		return NULL;
	list_del(&post->head);
	return post;
}

static void send_edit(struct sfs_session *sess, const struct sfs_msg *edit)
{
	sfs_srv_send(sess, sfs_msg_copy_wait(edit));
}

/* Sends what became durable, in order. */
static void send_posts(struct sfs_server *srv, u64 durable)
{
	struct sfs_session *sess;
	struct sfs_srv_post *post;

	mutex_lock(&srv->post_mutex);
	sfs_store_lock(srv->store);
	while ((post = next_post(srv, durable))) {
		list_for_each_entry(sess, &srv->sessions, head) {
			send_edit(sess, post->edit);
			sfs_count(srv->cnt, server_edits_sent);
		}
		srv->sent_version = post->version;
		sfs_srv_post_free(post);
	}
	sfs_store_unlock(srv->store);
	mutex_unlock(&srv->post_mutex);
	sfs_srv_kick_nudge(srv);
}

int sfs_srv_commit(struct sfs_server *srv, u64 ticket)
{
	int ret;

	ret = sfs_broken(srv->host, REVEAL) ? 0 :
					      sfs_store_wait(srv->store, ticket);
	if (ret == 0)
		send_posts(srv, max(ticket, sfs_store_durable(srv->store)));
	return ret;
}

/* ---- who lags ----------------------------------------------------------------- */

#define NUDGE_MS 1000

/*
 * A mount that has not acknowledged the newest version is told that it was
 * sent.  If the edit, or the acknowledgement, got lost, this heals it; if the
 * mount still reads an older version, it does no harm.
 */
void sfs_srv_nudge_worker(struct work_struct *work)
{
	struct sfs_server *srv = container_of(to_delayed_work(work),
					      struct sfs_server, nudge_work);
	struct sfs_msg_version *body;
	struct sfs_session *sess;
	struct sfs_msg *msg;
	bool lags = false;

	mutex_lock(&srv->post_mutex);
	sfs_store_lock(srv->store);
	list_for_each_entry(sess, &srv->sessions, head) {
		if (!sess->greeted ||
		    READ_ONCE(sess->acked) >= srv->sent_version)
			continue;
		lags = true;
		msg = sfs_msg_alloc(SFS_MSG_VERSION, sizeof(*body));
		if (!msg)
			continue;
		body = (struct sfs_msg_version *)msg->payload;
		body->version = cpu_to_le64(srv->sent_version);
		sfs_srv_send(sess, msg);
	}
	sfs_store_unlock(srv->store);
	mutex_unlock(&srv->post_mutex);
	if (lags)
		sfs_srv_kick_nudge(srv);
}

void sfs_srv_kick_nudge(struct sfs_server *srv)
{
	spin_lock(&srv->link_lock);
	if (!READ_ONCE(srv->stopping) && !READ_ONCE(srv->dead))
		queue_delayed_work(srv->wq, &srv->nudge_work,
				   msecs_to_jiffies(NUDGE_MS));
	spin_unlock(&srv->link_lock);
}

/* ---- start and stop ----------------------------------------------------------- */

static int load_state(struct sfs_server *srv)
{
	struct sfs_srv_counters cnt;
	int ret;

	ret = sfs_srv_read_counters(srv->items, &cnt);
	if (ret < 0)
		return ret;
	srv->version = cnt.version;
	srv->stable = cnt.stable;
	srv->sent_version = cnt.version;
	srv->next_seq = cnt.next_seq;
	srv->next_run = cnt.next_run;
	srv->next_slice = cnt.next_slice;
	srv->next_order = cnt.next_order;
	srv->next_ino = cnt.next_ino;
	return sfs_srv_load_manifest(srv->store, srv->ident.id.meta_bytes,
				     &cnt, &srv->vol);
}

static void server_free(struct sfs_server *srv)
{
	struct sfs_srv_post *post;
	struct sfs_srv_post *tmp;

	sfs_srv_locks_stop(srv);
	sfs_srv_flocks_exit(&srv->flocks);
	if (srv->wq)
		destroy_workqueue(srv->wq);
	if (srv->end_wq)
		destroy_workqueue(srv->end_wq);
	if (srv->job_wq)
		destroy_workqueue(srv->job_wq);
	list_for_each_entry_safe(post, tmp, &srv->posts, head)
		sfs_srv_post_free(post);
	if (srv->store)
		sfs_store_close(srv->store);
	sfs_segs_exit(srv);
	sfs_engine_exit(&srv->vol);
	sfs_counters_free(srv->cnt);
	kfree(srv->slot_buf);
	kfree(srv);
}

static struct sfs_server *server_alloc(struct sfs_host *host,
				       struct sfs_hub *hub)
{
	struct sfs_server *srv;

	srv = kzalloc(sizeof(*srv), GFP_NOFS);
	if (!srv)
		return NULL;
	srv->cnt = sfs_counters_create();
	srv->slot_buf = kmalloc(SFS_ITEM_MAX_VAL, GFP_NOFS);
	if (!srv->cnt || !srv->slot_buf) {
		sfs_counters_free(srv->cnt);
		kfree(srv->slot_buf);
		kfree(srv);
		return NULL;
	}
	srv->host = host;
	srv->hub = hub;
	sfs_srv_locks_init(srv);
	sfs_srv_flocks_init(&srv->flocks, host, srv->cnt);
	INIT_LIST_HEAD(&srv->sessions);
	INIT_LIST_HEAD(&srv->links);
	spin_lock_init(&srv->link_lock);
	init_waitqueue_head(&srv->wait);
	INIT_LIST_HEAD(&srv->posts);
	mutex_init(&srv->post_mutex);
	srv->compact_starved = U64_MAX;
	INIT_WORK(&srv->compact_work, sfs_compact_worker);
	INIT_WORK(&srv->reclaim_work, sfs_segs_reclaim_worker);
	INIT_WORK(&srv->gone_work, sfs_srv_gone_worker);
	INIT_DELAYED_WORK(&srv->nudge_work, sfs_srv_nudge_worker);
	srv->recovering = true;
	return srv;
}

static int server_load(struct sfs_server *srv)
{
	int ret;

	ret = load_state(srv);
	if (ret == 0)
		ret = sfs_segs_init(srv);
	if (ret == 0)
		ret = sfs_segs_load(srv);
	if (ret == 0)
		ret = sfs_data_load(srv);
	if (ret == 0)
		ret = sfs_srv_load_sessions(srv);
	sfs_srv_locks_begin(srv);
	return ret;
}

static void mount_gone(void *arg, u64 rid)
{
	sfs_srv_kick_gone(arg);
}

static int server_listen(struct sfs_server *srv)
{
	srv->listener.accept = sfs_srv_accept;
	srv->listener.gone = mount_gone;
	srv->listener.arg = srv;
	return sfs_hub_listen(srv->hub, &srv->listener);
}

int sfs_server_start(struct sfs_host *host, struct sfs_hub *hub,
		     struct sfs_server **ret_srv)
{
	struct sfs_server *srv;
	int ret;

	srv = server_alloc(host, hub);
	if (!srv)
		return -ENOMEM;
	ret = sfs_identity_load(host, &srv->ident);
	if (ret == 0)
		ret = sfs_engine_init(&srv->vol, host, srv->ident.id.fsid, 0);
	srv->vol.rd.cnt = srv->cnt;
	if (ret == 0) {
		srv->wq = alloc_workqueue("sfs-server",
					  WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
		srv->end_wq = alloc_workqueue("sfs-server-ends",
					      WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
		srv->job_wq = alloc_workqueue("sfs-jobs",
					      WQ_UNBOUND | WQ_MEM_RECLAIM, 2);
		if (!srv->wq || !srv->end_wq || !srv->job_wq)
			ret = -ENOMEM;
	}
	if (ret == 0) {
		sfs_srv_flocks_start(&srv->flocks, srv->wq);
		sfs_srv_flocks_freeze(&srv->flocks);
	}
	if (ret == 0)
		ret = sfs_store_open(host, &srv->ident, &srv->store);
	if (ret == 0) {
		sfs_store_count(srv->store, srv->cnt);
		srv->items = sfs_store_engine(srv->store);
		ret = server_load(srv);
	}
	if (ret == 0)
		ret = server_listen(srv);
	if (ret == 0) {
		sfs_srv_try_thaw(srv);
		/* so that what nobody reads is free from the beginning */
		flush_work(&srv->reclaim_work);
	}
	if (ret < 0) {
		WRITE_ONCE(srv->stopping, true);
		if (srv->store)
			sfs_session_drop_all(srv);
		server_free(srv);
		return ret;
	}
	*ret_srv = srv;
	return 0;
}

/* Nothing comes from mounts any more, and nothing is begun by itself. */
static void server_quiesce(struct sfs_server *srv)
{
	sfs_hub_unlisten(srv->hub);
	spin_lock(&srv->link_lock);
	WRITE_ONCE(srv->stopping, true);
	spin_unlock(&srv->link_lock);
	sfs_srv_shut_links(srv);
	sfs_srv_wait_links(srv);
	cancel_work_sync(&srv->gone_work);
	cancel_delayed_work_sync(&srv->nudge_work);
	cancel_work_sync(&srv->compact_work);
	cancel_work_sync(&srv->reclaim_work);
}

void sfs_server_stop(struct sfs_server *srv)
{
	/* mounts that just went; what an error keeps here the next start finds */
	flush_work(&srv->gone_work);
	server_quiesce(srv);
	sfs_session_drop_all(srv);
	server_free(srv);
}

/*
 * What has been sent to a device before is waited for, whether or not it
 * makes something durable that nobody will be told.
 */
void sfs_server_kill(struct sfs_server *srv)
{
	WRITE_ONCE(srv->dead, true);
	sfs_store_kill(srv->store);
	server_quiesce(srv);
	sfs_session_drop_all(srv);
	server_free(srv);
}

/* ---- memory --------------------------------------------------------------------- */

/* The cache of the volume's engine holds next to nothing: it has no budget. */
__u64 sfs_server_cache_bytes(struct sfs_server *srv)
{
	struct sfs_cache_stats stats;

	sfs_cache_stats(srv->items->rd.cache, &stats);
	return stats.bytes;
}

__u64 sfs_server_cache_shrink(struct sfs_server *srv, __u64 bytes)
{
	return sfs_cache_shrink(srv->items->rd.cache, bytes);
}

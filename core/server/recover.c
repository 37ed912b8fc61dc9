// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server that takes over from another one whose mounts live on.
 *
 * The log has said which mounts there are, what they own, and what they were
 * answered.  What it does not say the mounts do: each introduces itself with
 * the sequences it may stamp with, the versions it reads, and then its locks
 * and what it has in use.  Mounts of which the hub knows nothing are taken
 * back.  Until every mount of the log has done one or the other
 *
 *  - stable stays what it was: a mount that is missing may have open sequences
 *  - no request is handled, so no lock is granted that one of them may have
 *  - nothing that was removed is free: who did not say what it reads, reads all
 *
 * A publish whose reply the mount did not get is in the log or is not.  If it
 * is, it counts as answered: its sequence is closed, and the one that the reply
 * gives is open.  If it is not, the mount sends it again.
 *
 * An introduction may break off and begin again, here or at a later server.  A
 * mount that has read a version which the log does not have has lived on
 * something that was lost; it is refused.
 *
 * All under the store's mutex.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/report.h"

/* ---- what the log says ------------------------------------------------------ */

static int count_segs(struct sfs_session *sess)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, sess->rid, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_OWNED, sess->rid, U64_MAX);
	struct sfs_iter it;
	int ret;

	sfs_iter_init(sess->srv->items, &it, &key, &last);
	while ((ret = sfs_iter_next(&it)) > 0)
		sess->owned_segs++;
	sfs_iter_exit(&it);
	return ret;
}

static int count_data(struct sfs_session *sess)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_DATA_OWNED, sess->rid, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_DATA_OWNED, sess->rid,
					  U64_MAX);
	struct sfs_iter it;
	__le64 count;
	int ret;

	sfs_iter_init(sess->srv->items, &it, &key, &last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		if (it.val_len != sizeof(count)) {
			ret = -EIO;
			break;
		}
		memcpy(&count, it.val, sizeof(count));
		sess->owned_data += le64_to_cpu(count);
	}
	sfs_iter_exit(&it);
	return ret;
}

/* That for its next run, out of the last reply that has one. */
static void load_run_id(struct sfs_session *sess)
{
	const struct sfs_msg *pub = sess->slots[SFS_SLOT_PUBLISH].reply;
	const struct sfs_msg *join = sess->slots[SFS_SLOT_GREET].reply;

	if (pub && sfs_msg_len(pub) >= sizeof(struct sfs_msg_publish_reply))
		sess->run_id = le64_to_cpu(((const struct sfs_msg_publish_reply *)
						    pub->payload)->run_id);
	else if (join && sfs_msg_len(join) >= sizeof(struct sfs_msg_join_reply))
		sess->run_id = le64_to_cpu(((const struct sfs_msg_join_reply *)
						    join->payload)->run_id);
}

static int load_session(struct sfs_server *srv, u64 rid,
			const struct sfs_srv_mount *rec)
{
	struct sfs_session *sess;
	int ret;

	sess = sfs_session_create(srv, rid);
	if (!sess)
		return -ENOMEM;
	sess->joined = true;
	sess->publish_nr = le64_to_cpu(rec->publish_nr);
	list_add_tail(&sess->head, &srv->sessions);
	ret = count_segs(sess);
	if (ret == 0)
		ret = count_data(sess);
	if (ret == 0)
		ret = sfs_srv_slots_load(sess);
	load_run_id(sess);
	return ret;
}

int sfs_srv_load_sessions(struct sfs_server *srv)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_MOUNT, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_MOUNT, U64_MAX, 0);
	struct sfs_srv_mount rec;
	int ret;

	sfs_store_lock(srv->store);
	while ((ret = sfs_engine_next(srv->items, &key, &last, &rec,
				      sizeof(rec))) == sizeof(rec)) {
		ret = load_session(srv, key.f2, &rec);
		if (ret < 0)
			break;
		sfs_key_inc(&key);
	}
	sfs_store_unlock(srv->store);
	if (ret != -ENOENT)
		return ret < 0 ? ret : -EIO;
	return sfs_srv_take_back_gone(srv);
}

/* ---- serving ----------------------------------------------------------------- */

/* With the stable sequence that was held back, so nobody waits for a publish. */
static void thaw(struct sfs_server *srv)
{
	struct sfs_edit edit = {};
	struct sfs_store_txn txn;
	struct sfs_srv_post *post;
	int ret;

	post = sfs_srv_post_alloc(&edit);
	if (!post)
		return;		/* with the next version, then */
	ret = sfs_store_begin(srv->store, &txn, 1,
			      sizeof(struct sfs_srv_state));
	if (ret < 0) {
		sfs_srv_post_free(post);
		return;
	}
	ret = sfs_srv_new_version(srv, &txn, &edit, post);
	if (ret < 0) {
		if (list_empty(&post->head))
			sfs_srv_post_free(post);
		sfs_store_poison(srv->store, &txn, ret);
		return;
	}
	sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
}

void sfs_srv_try_thaw(struct sfs_server *srv)
{
	struct sfs_session *sess;
	bool thaws;

	sfs_store_lock(srv->store);
	thaws = srv->recovering;
	list_for_each_entry(sess, &srv->sessions, head)
		thaws &= sess->greeted;
	if (thaws)
		WRITE_ONCE(srv->recovering, false);
	sfs_store_unlock(srv->store);
	if (!thaws)
		return;
	thaw(srv);
	sfs_srv_flocks_thaw(&srv->flocks);
	sfs_session_kick_all(srv);
	sfs_srv_kick_reclaim(srv);
	sfs_compact_kick(srv);
}

/* ---- introductions -------------------------------------------------------------- */

static bool may_be_open(const struct sfs_server *srv, u64 seq)
{
	return seq == 0 || seq > srv->stable;
}

static int refuse(struct sfs_session *sess, const char *what, u64 found,
		  u64 limit)
{
	sfs_err(sess->srv->host,
		"mount %016llx is refused: %s is %llu, the log has %llu",
		sess->rid, what, found, limit);
	return -ESTALE;
}

/* Does what the mount says fit what the log says? */
static int greet_fits(struct sfs_session *sess,
		      const struct sfs_msg_greet *say)
{
	struct sfs_server *srv = sess->srv;
	u64 nr = le64_to_cpu(say->publish_nr);

	if (le64_to_cpu(say->applied) > srv->version)
		return refuse(sess, "the version it has applied",
			      le64_to_cpu(say->applied), srv->version);
	if (nr > sess->publish_nr || nr + 1 < sess->publish_nr)
		return refuse(sess, "its last publish", nr, sess->publish_nr);
	if (!may_be_open(srv, le64_to_cpu(say->txn_seq)) ||
	    !may_be_open(srv, le64_to_cpu(say->spare_seq)) ||
	    (nr == sess->publish_nr &&
	     !may_be_open(srv, le64_to_cpu(say->frozen_seq))))
		return refuse(sess, "the sequence of its transaction",
			      le64_to_cpu(say->txn_seq), srv->stable);
	return 0;
}

static void add_open(struct sfs_session *sess, u64 seq)
{
	int i;

	for (i = 0; seq && i < SFS_MAX_OPEN_SEQS; i++) {
		if (!sess->open_seqs[i]) {
			sess->open_seqs[i] = seq;
			/* numbers of before lie below; a bound all the same */
			sess->srv->next_seq = max(sess->srv->next_seq,
						  seq + 1);
			return;
		}
	}
}

/* The sequence that comes with the reply to the last publish. */
static u64 answered_seq(const struct sfs_session *sess)
{
	const struct sfs_msg *reply = sess->slots[SFS_SLOT_PUBLISH].reply;
	const struct sfs_msg_publish_reply *body;

	if (!reply || sfs_msg_len(reply) < sizeof(*body))
		return 0;
	body = (const struct sfs_msg_publish_reply *)reply->payload;
	return le64_to_cpu(body->spare_seq);
}

static void take_greeting(struct sfs_session *sess,
			  const struct sfs_msg_greet *say)
{
	memset(sess->open_seqs, 0, sizeof(sess->open_seqs));
	if (sfs_broken(sess->srv->host, GREETOWN))
		return;
	add_open(sess, le64_to_cpu(say->txn_seq));
	add_open(sess, le64_to_cpu(say->spare_seq));
	if (le64_to_cpu(say->publish_nr) == sess->publish_nr)
		add_open(sess, le64_to_cpu(say->frozen_seq));
	else
		add_open(sess, answered_seq(sess));
	sfs_srv_locks_recover(sess, NULL);
}

static struct sfs_session *find_session(struct sfs_server *srv,
					const struct sfs_msg *req)
{
	struct sfs_session *sess;

	sfs_store_lock(srv->store);
	sess = sfs_session_find(srv, le64_to_cpu(req->hdr.rid));
	sfs_store_unlock(srv->store);
	return sess;
}

struct sfs_msg *sfs_srv_greet(struct sfs_server *srv, const struct sfs_msg *req,
			      struct sfs_session **ret_sess)
{
	const struct sfs_msg_greet *say =
		(const struct sfs_msg_greet *)req->payload;
	struct sfs_msg_greet_reply *body;
	struct sfs_session *sess;
	struct sfs_msg *reply;
	int ret = 0;

	if (sfs_msg_len(req) < sizeof(*say))
		return ERR_PTR(-EPROTO);
	sess = find_session(srv, req);
	if (!sess)
		return ERR_PTR(-ESTALE);
	*ret_sess = sess;
	reply = sfs_msg_alloc(0, sizeof(*body));
	if (!reply)
		return ERR_PTR(-ENOMEM);
	body = (struct sfs_msg_greet_reply *)reply->payload;
	sfs_store_lock(srv->store);
	body->recover = cpu_to_le32(!sess->greeted);
	body->publish_nr = cpu_to_le64(sess->publish_nr);
	if (!sess->greeted) {
		ret = greet_fits(sess, say);
		if (ret == 0)
			take_greeting(sess, say);
	}
	if (ret == 0 && le64_to_cpu(say->oldest) > READ_ONCE(sess->acked))
		WRITE_ONCE(sess->acked, le64_to_cpu(say->oldest));
	sfs_store_unlock(srv->store);
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

void sfs_srv_greet_version(struct sfs_server *srv, struct sfs_msg *reply)
{
	struct sfs_msg_greet_reply *body =
		(struct sfs_msg_greet_reply *)reply->payload;

	/* it is changed under both mutexes */
	sfs_store_lock(srv->store);
	body->version = cpu_to_le64(srv->sent_version);
	sfs_store_unlock(srv->store);
}

/* Locks and what is in use, as much as fits a message. */
struct sfs_msg *sfs_srv_restate(struct sfs_server *srv,
				const struct sfs_msg *req)
{
	struct sfs_session *sess = find_session(srv, req);
	struct sfs_msg *reply = sfs_msg_alloc(0, 0);
	int ret = -ESTALE;

	if (sess) {
		sfs_store_lock(srv->store);
		ret = sess->greeted ? 0 : sfs_srv_locks_recover(sess, req);
		sfs_store_unlock(srv->store);
		sfs_session_put(sess);
	}
	if (!reply && ret == 0)
		ret = -ENOMEM;
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

struct sfs_msg *sfs_srv_restate_flocks(struct sfs_server *srv,
				       const struct sfs_msg *req)
{
	struct sfs_session *sess = find_session(srv, req);
	struct sfs_msg *reply = sfs_msg_alloc(0, 0);
	int ret = -ESTALE;

	if (sess) {
		/* what comes again after it has thawed is refused there */
		ret = sfs_fl_session_restate(sess->flocks, req);
		sfs_session_put(sess);
	}
	if (!reply && ret == 0)
		ret = -ENOMEM;
	if (ret == 0)
		return reply;
	sfs_msg_free(reply);
	return ERR_PTR(ret);
}

struct sfs_msg *sfs_srv_greeted(struct sfs_server *srv,
				const struct sfs_msg *req)
{
	struct sfs_session *sess = find_session(srv, req);
	struct sfs_msg *reply = sfs_msg_alloc(0, 0);

	if (sess && reply) {
		sfs_store_lock(srv->store);
		sess->greeted = true;
		sfs_store_unlock(srv->store);
	}
	if (sess)
		sfs_session_put(sess);
	if (!sess || !reply) {
		sfs_msg_free(reply);
		return ERR_PTR(sess ? -ENOMEM : -ESTALE);
	}
	sfs_srv_try_thaw(srv);
	return reply;
}

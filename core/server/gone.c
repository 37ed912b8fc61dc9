// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a mount, whether it said so or not: everything it owned comes
 * back.
 *
 * That is done in steps, each a transaction of the store that may be done again
 * without harm, and the record of the mount goes with the last: as long as it
 * is there, whichever server finds it goes on.  Nothing of the mount may be
 * under way any more when it begins: a mount that leaves has ended all, and of
 * one that went without a word the hub knows.
 */
#include "server/server.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "base/report.h"

/* The last step: what it closes makes stable move on, in its own version. */
static int forget(struct sfs_session *sess)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_MOUNT, sess->rid, 0);
	struct sfs_server *srv = sess->srv;
	struct sfs_edit edit = {};
	struct sfs_store_txn txn;
	struct sfs_srv_post *post;
	int ret;

	post = sfs_srv_post_alloc(&edit);
	if (!post)
		return -ENOMEM;
	ret = sfs_store_begin(srv->store, &txn, 2 + SFS_NR_SLOTS,
			      sizeof(struct sfs_srv_state));
	if (ret < 0)
		goto err_post;
	memset(sess->open_seqs, 0, sizeof(sess->open_seqs));
	sess->joined = false;
	sfs_srv_slots_del(sess, &txn);
	sfs_store_del(srv->store, &txn, &key);
	ret = sfs_srv_new_version(srv, &txn, &edit, post);
	if (ret < 0) {
		sfs_store_poison(srv->store, &txn, ret);
		goto err_post;
	}
	list_del(&sess->head);
	ret = sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
	sfs_srv_locks_forget(sess);
	sfs_fl_session_release(sess->flocks);
	sfs_session_put(sess);
	return ret;
err_post:
	if (list_empty(&post->head))
		sfs_srv_post_free(post);
	return ret;
}

int sfs_srv_take_back(struct sfs_session *sess)
{
	struct sfs_server *srv = sess->srv;
	int ret;

	ret = sfs_data_reclaim(srv, sess->rid);
	if (ret == 0) {
		sess->owned_data = 0;
		ret = sfs_segs_reclaim_owner(srv, sess->rid);
	}
	if (ret == 0) {
		sess->owned_segs = 0;
		ret = forget(sess);
	}
	sfs_srv_kick_reclaim(srv);
	return ret;
}

/* ---- without a word --------------------------------------------------------- */

/* A session, referenced, whose mount is no more. */
static struct sfs_session *find_gone(struct sfs_server *srv)
{
	struct sfs_session *found = NULL;
	struct sfs_session *sess;

	sfs_store_lock(srv->store);
	list_for_each_entry(sess, &srv->sessions, head) {
		if (!sfs_hub_has(srv->hub, sess->rid)) {
			sfs_session_get(sess);
			found = sess;
			break;
		}
	}
	sfs_store_unlock(srv->store);
	return found;
}

int sfs_srv_take_back_gone(struct sfs_server *srv)
{
	struct sfs_session *sess;
	int ret = sfs_store_error(srv->store);

	while (ret == 0 && (sess = find_gone(srv))) {
		sfs_info(srv->host, "mount %016llx went without saying so",
			 sess->rid);
		sfs_session_shut(sess);
		/* its last request may have been to leave */
		if (sess->joined)
			ret = sfs_srv_take_back(sess);
		sfs_session_put(sess);
	}
	return ret;
}

void sfs_srv_gone_worker(struct work_struct *work)
{
	struct sfs_server *srv = container_of(work, struct sfs_server,
					      gone_work);

	/* what an error leaves here is found again with the next who goes */
	if (sfs_srv_take_back_gone(srv) == 0)
		sfs_srv_try_thaw(srv);
}

void sfs_srv_kick_gone(struct sfs_server *srv)
{
	if (!READ_ONCE(srv->stopping))
		queue_work(srv->end_wq, &srv->gone_work);
}

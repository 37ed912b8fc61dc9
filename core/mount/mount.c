// SPDX-License-Identifier: GPL-2.0-only
/*
 * Joining and leaving: the life of a mount without the filesystem in it.
 *
 * Joining gives the mount its first two transaction sequences and a version of
 * the manifest; edits that arrive while that is being loaded wait in the
 * connection.  Leaving publishes what is left, gives everything back and says
 * so, after which the server has no record of the mount.
 *
 * A mount that failed departs without publishing: what it had not published
 * never existed.
 */
#include "mount/mount.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/lock_client.h"
#include "mount/publish.h"
#include "mount/space.h"
#include "server/attach.h"

#define DATA_LIST_EXTENTS 1024

void sfs_mount_opts_default(struct sfs_mount_opts *opts)
{
	memset(opts, 0, sizeof(*opts));
	opts->commit_interval_ms = 5000;
	opts->data_prealloc_blocks = 2048;
	opts->data_prealloc_contig_only = 1;
	opts->ino_alloc_per_lock = 1024;
	opts->orphan_scan_delay_ms = 10000;
}

int sfs_mount_error(struct sfs_fs *fs)
{
	int err;

	spin_lock(&fs->txn_lock);
	err = fs->err;
	spin_unlock(&fs->txn_lock);
	return err ? -EIO : 0;
}

void sfs_mount_fail(struct sfs_fs *fs, int err, const char *why)
{
	bool first;

	spin_lock(&fs->txn_lock);
	first = !fs->err;
	if (first)
		fs->err = -EIO;
	spin_unlock(&fs->txn_lock);
	if (!first)
		return;
	sfs_err(fs->host, "mount %016llx is down, error %d: %s", fs->rid, err,
		why);
	sfs_port_mount_down(fs->host, fs, why);
	/* whoever waits, for a device or the server, too, has an answer now */
	wake_up_all(&fs->txn_wait);
	sfs_cache_stop(fs->eng.rd.cache);
	sfs_client_stop(&fs->net);
	sfs_locks_fail(fs);
}

/* ---- joining ---------------------------------------------------------------------------- */

static struct sfs_fs *fs_alloc(struct sfs_host *host,
			       const struct sfs_mount_opts *opts)
{
	struct sfs_fs *fs;

	fs = kzalloc(sizeof(*fs), GFP_NOFS);
	if (!fs)
		return NULL;
	fs->host = host;
	fs->opts = *opts;
	do {
		sfs_port_random(host, &fs->rid, sizeof(fs->rid));
	} while (fs->rid == 0 || fs->rid == U64_MAX);
	spin_lock_init(&fs->txn_lock);
	spin_lock_init(&fs->space_lock);
	init_waitqueue_head(&fs->txn_wait);
	mutex_init(&fs->refill_mutex[SFS_SPACE_USER]);
	mutex_init(&fs->refill_mutex[SFS_SPACE_DELETE]);
	mutex_init(&fs->data_mutex);
	mutex_init(&fs->segs_mutex);
	mutex_init(&fs->view_mutex);
	INIT_LIST_HEAD(&fs->early);
	INIT_WORK(&fs->publish_work, sfs_publish_worker);
	INIT_WORK(&fs->ack_work, sfs_mount_ack_worker);
	INIT_DELAYED_WORK(&fs->timer_work, sfs_publish_timer);
	INIT_DELAYED_WORK(&fs->idle_work, sfs_publish_idle);
	return fs;
}

static void fs_free(struct sfs_fs *fs)
{
	if (fs->wq)
		destroy_workqueue(fs->wq);
	sfs_locks_stop(fs);
	sfs_engine_exit(&fs->eng);
	if (fs->txn)
		sfs_txn_free(fs->txn);
	if (fs->frozen)
		sfs_txn_free(fs->frozen);
	sfs_space_exit(fs);
	sfs_counters_free(fs->cnt);
	kfree(fs);
}

static int fs_init(struct sfs_fs *fs)
{
	int ret;

	fs->cnt = sfs_counters_create();
	if (!fs->cnt)
		return -ENOMEM;
	ret = sfs_identity_load(fs->host, &fs->ident);
	if (ret < 0)
		return ret;
	fs->fsid = fs->ident.id.fsid;
	memcpy(fs->hash_key, fs->ident.hash_key, sizeof(fs->hash_key));
	fs->freeze_bytes = clamp_t(u64, fs->ident.id.meta_bytes / 64,
				   512ULL << 10, 4ULL << 20);
	ret = sfs_engine_init(&fs->eng, fs->host, fs->fsid,
			      sfs_port_cache_budget(fs->host));
	fs->eng.rd.cnt = fs->cnt;
	if (ret == 0) {
		sfs_cache_killable(fs->eng.rd.cache);
		ret = sfs_dext_room(&fs->data, DATA_LIST_EXTENTS);
	}
	if (ret == 0) {
		fs->wq = alloc_workqueue("sfs-mount",
					 WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
		ret = fs->wq ? 0 : -ENOMEM;
	}
	return ret ?: sfs_locks_start(fs);
}

static int request_join(struct sfs_fs *fs, u64 *ret_version, u64 *ret_stable)
{
	const struct sfs_msg_join_reply *body;
	struct sfs_msg *reply;
	struct sfs_msg *req;
	int ret;

	req = sfs_msg_alloc(SFS_MSG_JOIN, 0);
	if (!req)
		return -ENOMEM;
	ret = sfs_client_call(&fs->net, SFS_SLOT_SESSION, req, sizeof(*body),
			      &reply);
	if (ret < 0)
		return ret;
	fs->joined = true;
	body = (const struct sfs_msg_join_reply *)reply->payload;
	*ret_version = le64_to_cpu(body->version);
	*ret_stable = le64_to_cpu(body->stable);
	fs->now = le64_to_cpu(body->seq);
	fs->spare_seq = le64_to_cpu(body->spare_seq);
	fs->run_id = le64_to_cpu(body->run_id);
	sfs_msg_free(reply);
	fs->txn = sfs_txn_create(fs, 1, fs->now);
	if (!fs->txn)
		return -ENOMEM;
	fs->txn->stamp = fs->now;
	return 0;
}

/* The next batch of slices of @version into @edit; *ret_more when not the last. */
static int request_slices(struct sfs_fs *fs, u64 version, struct sfs_edit *edit,
			  bool *ret_more)
{
	const struct sfs_msg_manifest_reply *body;
	struct sfs_msg_manifest *ask;
	struct sfs_slice **bigger;
	struct sfs_msg *reply;
	struct sfs_msg *req;
	u32 nr;
	int ret;

	req = sfs_msg_alloc(SFS_MSG_MANIFEST, sizeof(*ask));
	if (!req)
		return -ENOMEM;
	ask = (struct sfs_msg_manifest *)req->payload;
	ask->version = cpu_to_le64(version);
	ask->first = cpu_to_le32(edit->nr_add);
	ret = sfs_client_call(&fs->net, SFS_SLOT_SESSION, req, sizeof(*body),
			      &reply);
	if (ret < 0)
		return ret;
	body = (const struct sfs_msg_manifest_reply *)reply->payload;
	nr = le32_to_cpu(body->nr);
	*ret_more = le32_to_cpu(body->more);
	ret = -EPROTO;
	if (nr > sfs_msg_len(reply) / sizeof(struct sfs_disk_slice) ||
	    (*ret_more && nr == 0))
		goto out;
	ret = -ENOMEM;
	bigger = kvmalloc_array(edit->nr_add + nr + 1, sizeof(*bigger),
				GFP_NOFS);
	if (!bigger)
		goto out;
	if (edit->nr_add)
		memcpy(bigger, edit->add, edit->nr_add * sizeof(*bigger));
	kvfree(edit->add);
	edit->add = bigger;
	ret = sfs_mount_decode_slices(fs, (const u8 *)(body + 1),
				      reply->payload + sfs_msg_len(reply), nr,
				      edit->add + edit->nr_add);
	if (ret == 0)
		edit->nr_add += nr;
out:
	sfs_msg_free(reply);
	return ret;
}

static int load_manifest(struct sfs_fs *fs, u64 version, u64 stable)
{
	struct sfs_edit edit = { .version = version, .stable = stable };
	struct sfs_manifest *old;
	struct sfs_manifest *man;
	bool more = true;
	int ret = 0;
	u32 i;

	while (ret == 0 && more)
		ret = request_slices(fs, version, &edit, &more);
	if (ret == 0) {
		old = sfs_engine_manifest(&fs->eng);
		man = sfs_manifest_apply(fs->host, old, &edit);
		sfs_manifest_put(&fs->eng, old);
		ret = IS_ERR(man) ? PTR_ERR(man) : 0;
	}
	if (ret == 0) {
		sfs_engine_adopt(&fs->eng, man);
		ret = sfs_engine_swap(&fs->eng, &fs->txn->gen, 1, man);
		sfs_manifest_put(&fs->eng, man);
	}
	for (i = 0; i < edit.nr_add; i++)
		sfs_slice_put(edit.add[i]);
	kvfree(edit.add);
	return ret;
}

static void depart(struct sfs_fs *fs)
{
	if (fs->joined)
		sfs_client_call_sure(&fs->net, SFS_SLOT_SESSION,
				     sfs_msg_alloc_wait(SFS_MSG_LEAVE, 0), 0,
				     NULL);
}

/* Edits that come before the manifest is there are kept back, in order. */
static void early_event(void *arg, struct sfs_msg *msg)
{
	struct sfs_fs *fs = arg;

	spin_lock(&fs->txn_lock);
	if (!fs->loaded) {
		list_add_tail(&msg->head, &fs->early);
		msg = NULL;
	}
	spin_unlock(&fs->txn_lock);
	if (msg)
		sfs_mount_event(fs, msg);
}

static struct sfs_msg *next_early(struct sfs_fs *fs)
{
	struct sfs_msg *msg;

	spin_lock(&fs->txn_lock);
	msg = list_first_entry_or_null(&fs->early, struct sfs_msg, head);
	if (msg)
		list_del_init(&msg->head);
	else
		fs->loaded = true;
	spin_unlock(&fs->txn_lock);
	return msg;
}

static int join(struct sfs_fs *fs)
{
	struct sfs_msg *msg;
	u64 version;
	u64 stable;
	int ret;

	ret = request_join(fs, &version, &stable);
	if (ret == 0)
		ret = load_manifest(fs, version, stable);
	if (ret < 0) {
		fs->err = -EIO;		/* whatever is kept back is dropped */
	} else {
		fs->applied_version = version;
		fs->acked_version = version;
	}
	while ((msg = next_early(fs)))
		sfs_mount_event(fs, msg);
	/* for the blocks of two runs, whatever is in them */
	return ret ?: sfs_space_reserve(fs, 2 * SFS_RUN_BASE_BYTES,
					SFS_SPACE_DELETE);
}

/* Nothing is begun any more because of what others do. */
static void stop_idle(struct sfs_fs *fs)
{
	spin_lock(&fs->txn_lock);
	fs->stopping = true;
	spin_unlock(&fs->txn_lock);
	cancel_delayed_work_sync(&fs->idle_work);
}

int sfs_mount_join(struct sfs_host *host, struct sfs_server *srv,
		   const struct sfs_mount_opts *opts, struct sfs_fs **ret_fs)
{
	struct sfs_fs *fs;
	int ret;

	fs = fs_alloc(host, opts);
	if (!fs)
		return -ENOMEM;
	fs->srv = srv;
	ret = fs_init(fs);
	if (ret < 0)
		goto err_free;
	ret = sfs_client_init(&fs->net, host, fs->rid, fs->cnt, early_event, fs);
	if (ret < 0)
		goto err_free;
	fs->net.late = sfs_space_late;
	ret = sfs_server_attach(srv, &fs->net);
	if (ret < 0)
		goto err_client;
	ret = join(fs);
	if (ret < 0)
		goto err_depart;
	queue_delayed_work(fs->wq, &fs->timer_work,
			   msecs_to_jiffies(opts->commit_interval_ms));
	*ret_fs = fs;
	return 0;
err_depart:
	stop_idle(fs);
	depart(fs);
	sfs_client_close(&fs->net);
	sfs_server_detach(srv, &fs->net);
err_client:
	sfs_client_exit(&fs->net);
err_free:
	fs_free(fs);
	return ret;
}

void sfs_mount_set_opts(struct sfs_fs *fs, const struct sfs_mount_opts *opts)
{
	u32 ms = opts->commit_interval_ms;
	bool changed = ms != fs->opts.commit_interval_ms;

	WRITE_ONCE(fs->opts.commit_interval_ms, ms);
	WRITE_ONCE(fs->opts.data_prealloc_blocks, opts->data_prealloc_blocks);
	WRITE_ONCE(fs->opts.data_prealloc_contig_only,
		   opts->data_prealloc_contig_only);
	WRITE_ONCE(fs->opts.ino_alloc_per_lock, opts->ino_alloc_per_lock);
	WRITE_ONCE(fs->opts.orphan_scan_delay_ms, opts->orphan_scan_delay_ms);
	if (changed)
		mod_delayed_work(fs->wq, &fs->timer_work,
				 msecs_to_jiffies(ms));
}

void sfs_give_up(struct sfs_fs *fs, const char *why)
{
	sfs_mount_fail(fs, -ETIMEDOUT, why);
}

int sfs_abort(struct sfs_fs *fs, __u32 patience_ms)
{
	int ret = sfs_publish_last(fs, max(patience_ms, 1U));

	if (ret == -ETIMEDOUT)
		sfs_mount_fail(fs, ret,
			       "a forced unmount did not wait any longer for a transaction to be published");
	return ret;
}

/* ---- leaving ---------------------------------------------------------------------------- */

int sfs_mount_leave(struct sfs_fs *fs)
{
	int ret;

	ret = sfs_publish_last(fs, 0);
	stop_idle(fs);
	cancel_delayed_work_sync(&fs->timer_work);
	flush_workqueue(fs->wq);
	depart(fs);
	sfs_client_close(&fs->net);
	sfs_server_detach(fs->srv, &fs->net);
	sfs_client_exit(&fs->net);
	fs_free(fs);
	return ret;
}

/* ---- memory ------------------------------------------------------------------------------ */

__u64 sfs_mount_cache_bytes(struct sfs_fs *fs)
{
	struct sfs_cache_stats stats;

	sfs_cache_stats(fs->eng.rd.cache, &stats);
	return stats.bytes;
}

__u64 sfs_mount_cache_shrink(struct sfs_fs *fs, __u64 bytes)
{
	return sfs_cache_shrink(fs->eng.rd.cache, bytes);
}

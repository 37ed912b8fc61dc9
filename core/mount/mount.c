// SPDX-License-Identifier: GPL-2.0-only
/*
 * Joining and leaving: the life of a mount without the filesystem in it.
 *
 * Joining gives the mount its first two transaction sequences and a version of
 * the manifest (session.c).  Leaving publishes what is left, gives everything
 * back and says so, after which the server has no record of the mount.
 *
 * A mount that failed just goes, once nothing that it began is under way: what
 * it had not published never existed, and the server takes back what it owned.
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
#include "mount/session.h"
#include "mount/space.h"

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
	sfs_client_fail(&fs->net);
	sfs_err(fs->host, "mount %016llx is down, error %d: %s", fs->rid, err,
		why);
	sfs_port_mount_down(fs->host, fs, why);
	/* whoever waits, for a device or the server, too, has an answer now */
	wake_up_all(&fs->txn_wait);
	sfs_cache_stop(fs->eng.rd.cache);
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
	sfs_flocks_init(&fs->flocks, host, fs->rid);
	mutex_init(&fs->unused_mutex);
	INIT_LIST_HEAD(&fs->edits);
	INIT_WORK(&fs->edit_work, sfs_session_edit_worker);
	INIT_WORK(&fs->publish_work, sfs_publish_worker);
	INIT_WORK(&fs->ack_work, sfs_mount_ack_worker);
	INIT_DELAYED_WORK(&fs->timer_work, sfs_publish_timer);
	INIT_DELAYED_WORK(&fs->idle_work, sfs_publish_idle);
	return fs;
}

static void fs_free(struct sfs_fs *fs)
{
	sfs_flocks_exit(&fs->flocks);
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

static void send_flock(void *arg, struct sfs_msg *msg)
{
	struct sfs_fs *fs = arg;

	sfs_client_send(&fs->net, msg);
}

static int flock_error(void *arg)
{
	return sfs_mount_error(arg);
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
	if (ret == 0)
		sfs_flocks_start(&fs->flocks, fs->wq, fs->cnt, send_flock,
				 flock_error, fs);
	return ret ?: sfs_locks_start(fs);
}

static void depart(struct sfs_fs *fs)
{
	if (sfs_mount_error(fs))
		return;
	sfs_client_call_sure(&fs->net, SFS_SLOT_SESSION,
			     sfs_msg_alloc_wait(SFS_MSG_LEAVE, 0), 0, NULL);
}

static int join(struct sfs_fs *fs)
{
	int ret;

	sfs_client_start(&fs->net);
	ret = sfs_client_wait_greeted(&fs->net);
	if (ret == 0)
		ret = sfs_session_load(fs);
	/* for the blocks of two runs, whatever is in them */
	if (ret == 0)
		ret = sfs_space_reserve(fs, 2 * SFS_RUN_BASE_BYTES,
					SFS_SPACE_DELETE);
	return ret;
}

/* Nothing is begun any more because of what others do. */
static void stop_idle(struct sfs_fs *fs)
{
	spin_lock(&fs->txn_lock);
	fs->stopping = true;
	spin_unlock(&fs->txn_lock);
	cancel_delayed_work_sync(&fs->idle_work);
}

/* Nothing runs any more on behalf of the mount, but its connection. */
static void quiesce(struct sfs_fs *fs)
{
	stop_idle(fs);
	cancel_delayed_work_sync(&fs->timer_work);
	flush_workqueue(fs->wq);
}

static void disconnect(struct sfs_fs *fs)
{
	sfs_client_close(&fs->net);
	sfs_session_drop_edits(fs);
	flush_workqueue(fs->wq);
	sfs_locks_stop(fs);
	sfs_client_exit(&fs->net);
}

int sfs_mount_join(struct sfs_host *host, struct sfs_hub *hub,
		   const struct sfs_mount_opts *opts, struct sfs_fs **ret_fs)
{
	struct sfs_fs *fs;
	int ret;

	fs = fs_alloc(host, opts);
	if (!fs)
		return -ENOMEM;
	ret = fs_init(fs);
	if (ret < 0)
		goto err_free;
	ret = sfs_client_init(&fs->net, hub, fs->rid, host, fs->cnt,
			      &sfs_session_ops, fs);
	if (ret < 0)
		goto err_free;
	ret = join(fs);
	if (ret < 0)
		goto err_disconnect;
	queue_delayed_work(fs->wq, &fs->timer_work,
			   msecs_to_jiffies(opts->commit_interval_ms));
	*ret_fs = fs;
	return 0;
err_disconnect:
	quiesce(fs);
	/* when the hub hears of it everything comes back */
	disconnect(fs);
err_free:
	fs_free(fs);
	return ret;
}

void sfs_mount_on_unused(struct sfs_fs *fs,
			 void (*fn)(struct sfs_fs *fs, u64 ino))
{
	mutex_lock(&fs->unused_mutex);
	fs->unused = fn;
	mutex_unlock(&fs->unused_mutex);
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
	/* leaving needs a server, too; without one the mount just goes */
	else if (ret == 0 && !sfs_client_wait_server(&fs->net, patience_ms))
		sfs_mount_fail(fs, -ETIMEDOUT,
			       "a forced unmount did not wait any longer for a server to leave");
	return ret;
}

/* ---- leaving ---------------------------------------------------------------------------- */

int sfs_mount_leave(struct sfs_fs *fs)
{
	int ret;

	ret = sfs_publish_last(fs, 0);
	quiesce(fs);
	depart(fs);
	disconnect(fs);
	fs_free(fs);
	return ret;
}

void sfs_mount_kill(struct sfs_fs *fs)
{
	spin_lock(&fs->txn_lock);
	fs->err = -EIO;
	spin_unlock(&fs->txn_lock);
	sfs_client_fail(&fs->net);
	sfs_cache_stop(fs->eng.rd.cache);
	wake_up_all(&fs->txn_wait);
	sfs_locks_fail(fs);
}

void sfs_mount_drop(struct sfs_fs *fs)
{
	sfs_mount_kill(fs);
	quiesce(fs);
	disconnect(fs);
	fs_free(fs);
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

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mounting and unmounting, and the filesystem floor's part in it.
 *
 * A mount first joins (session with the server, transactions: mount/), then
 * this floor starts on top of it, and the other way round.  Between the two
 * there is nothing that could be left half done: all that this floor must not
 * lose is items.
 *
 * Stopping lets the worker finish the inodes it was told about, so that what
 * was deleted before an unmount is usually gone after it; a scan is not
 * finished, the next mount scans anyway.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include "base/report.h"
#include "mount/lock_client.h"
#include "mount/mount.h"
#include "mount/mount_types.h"

int sfs_inodes_start(struct sfs_fs *fs)
{
	struct sfs_inodes *in;
	unsigned int i;

	in = kvzalloc(sizeof(*in), GFP_NOFS);
	if (!in)
		return -ENOMEM;
	in->wq = alloc_workqueue("sfs_inodes", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!in->wq) {
		kvfree(in);
		return -ENOMEM;
	}
	sfs_name_hash_key(fs->hash_key, &in->name_key);
	for (i = 0; i < SFS_ILOCK_BUCKETS; i++)
		init_rwsem(&in->ilocks[i]);
	mutex_init(&in->rename_lock);
	spin_lock_init(&in->vol_lock);
	for (i = 0; i < SFS_IVOL_BUCKETS; i++)
		INIT_LIST_HEAD(&in->vol_hash[i]);
	INIT_LIST_HEAD(&in->vol_lru);
	init_waitqueue_head(&in->vol_wait);
	mutex_init(&in->ino_mutex);
	spin_lock_init(&in->work_lock);
	INIT_WORK(&in->work, sfs_work_run);
	INIT_DELAYED_WORK(&in->scan, sfs_work_scan);
	in->fs = fs;
	fs->inodes = in;
	sfs_mount_on_unused(fs, sfs_work_unused);
	queue_delayed_work(in->wq, &in->scan,
			   msecs_to_jiffies(fs->opts.orphan_scan_delay_ms));
	return 0;
}

static void vols_free(struct sfs_inodes *in)
{
	struct sfs_ivol *vol;
	struct sfs_ivol *tmp;

	list_for_each_entry_safe(vol, tmp, &in->vol_lru, lru) {
		list_del(&vol->hash);
		kfree(vol);
	}
}

void sfs_inodes_stop(struct sfs_fs *fs)
{
	struct sfs_inodes *in = fs->inodes;
	unsigned int i;

	sfs_mount_on_unused(fs, NULL);
	spin_lock(&in->work_lock);
	/* the worker's scan looks without the lock: it ends a little later */
	WRITE_ONCE(in->stopping, 1);
	spin_unlock(&in->work_lock);
	cancel_delayed_work_sync(&in->scan);
	destroy_workqueue(in->wq);
	vols_free(in);
	for (i = 0; i < SFS_IVOL_BUCKETS; i++)
		SFS_ASSERT(list_empty(&in->vol_hash[i]));
	mutex_destroy(&in->ino_mutex);
	mutex_destroy(&in->rename_lock);
	fs->inodes = NULL;
	kvfree(in);
}

int sfs_mount(struct sfs_host *host, struct sfs_hub *hub,
	      const struct sfs_mount_opts *opts, struct sfs_fs **ret_fs)
{
	struct sfs_fs *fs;
	int ret;

	ret = sfs_mount_join(host, hub, opts, &fs);
	if (ret < 0)
		return ret;
	ret = sfs_inodes_start(fs);
	if (ret < 0) {
		sfs_mount_leave(fs);
		return ret;
	}
	*ret_fs = fs;
	return 0;
}

/* What was in use when the mount died. */
static void vols_drop(struct sfs_inodes *in)
{
	struct sfs_ivol *vol;
	struct sfs_ivol *tmp;
	unsigned int i;

	vols_free(in);
	INIT_LIST_HEAD(&in->vol_lru);
	for (i = 0; i < SFS_IVOL_BUCKETS; i++) {
		list_for_each_entry_safe(vol, tmp, &in->vol_hash[i], hash) {
			list_del(&vol->hash);
			kfree(vol);
		}
	}
}

void sfs_mount_discard(struct sfs_fs *fs)
{
	sfs_mount_kill(fs);
	/* what is being revoked calls the host, and that calls us */
	sfs_locks_drain(fs);
	sfs_mount_on_unused(fs, NULL);
	/* the worker may have inodes of its own in use */
	WRITE_ONCE(fs->inodes->stopping, 1);
	cancel_delayed_work_sync(&fs->inodes->scan);
	flush_workqueue(fs->inodes->wq);
	vols_drop(fs->inodes);
	sfs_inodes_stop(fs);
	sfs_mount_drop(fs);
}

int sfs_unmount(struct sfs_fs *fs)
{
	sfs_inodes_stop(fs);
	return sfs_mount_leave(fs);
}

void sfs_set_mount_opts(struct sfs_fs *fs, const struct sfs_mount_opts *opts)
{
	struct sfs_inodes *in = fs->inodes;
	u32 ms = opts->orphan_scan_delay_ms;
	bool changed = ms != fs->opts.orphan_scan_delay_ms;

	sfs_mount_set_opts(fs, opts);
	/* whether or not one is due: a scan that finds nothing does nothing */
	if (changed)
		mod_delayed_work(in->wq, &in->scan, msecs_to_jiffies(ms));
}

int sfs_fsync(struct sfs_fs *fs, __u64 ino, int datasync)
{
	sfs_count(fs->cnt, op_sync);
	return sfs_publish(fs);
}

int sfs_sync(struct sfs_fs *fs)
{
	sfs_count(fs->cnt, op_sync);
	return sfs_publish(fs);
}

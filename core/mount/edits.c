// SPDX-License-Identifier: GPL-2.0-only
/*
 * New versions of the manifest, as the server tells them.
 *
 * Edits are applied strictly in the order of versions (session.c).  The edit of
 * an own publish drops the frozen generation in the same swap that brings in
 * its run.  A version is acknowledged once nothing older is pinned here; until
 * then the server keeps the space of what it removed.
 */
#include "mount/publish.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/killable.h"
#include "base/report.h"
#include "mount/lock_client.h"
#include "mount/mount.h"

int sfs_mount_decode_slices(struct sfs_fs *fs, const u8 *p, const u8 *end,
			    u32 nr, struct sfs_slice **slices)
{
	__le32 len;
	u32 done;
	int ret = 0;

	for (done = 0; done < nr; done++) {
		if (end - p < sizeof(len)) {
			ret = -EPROTO;
			break;
		}
		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		if (le32_to_cpu(len) > end - p) {
			ret = -EPROTO;
			break;
		}
		ret = sfs_slice_decode(fs->host, p, le32_to_cpu(len),
				       fs->ident.id.meta_bytes, &slices[done]);
		if (ret < 0)
			break;
		p += le32_to_cpu(len);
	}
	while (ret < 0 && done > 0)
		sfs_slice_put(slices[--done]);
	return ret;
}

/* Is this the edit of the transaction that is being published? */
static bool is_own(struct sfs_fs *fs, const struct sfs_edit *edit)
{
	bool own;

	spin_lock(&fs->txn_lock);
	own = edit->rid == fs->rid && fs->frozen &&
	      fs->frozen->nr == edit->publish_nr;
	spin_unlock(&fs->txn_lock);
	return own;
}

/* The generations that stay: all but the oldest when its edit comes in. */
static int apply(struct sfs_fs *fs, const struct sfs_edit *edit)
{
	struct sfs_manifest *old = sfs_engine_manifest(&fs->eng);
	struct sfs_view *view;
	struct sfs_manifest *man;
	u32 nr;
	int ret;

	man = sfs_manifest_apply(fs->host, old, edit);
	sfs_manifest_put(&fs->eng, old);
	if (IS_ERR(man))
		return PTR_ERR(man);
	sfs_engine_adopt(&fs->eng, man);
	mutex_lock(&fs->view_mutex);
	view = sfs_engine_view(&fs->eng);
	nr = view->nr_gens - is_own(fs, edit);
	ret = sfs_engine_swap(&fs->eng, view->gens, nr, man);
	sfs_view_put(&fs->eng, view);
	mutex_unlock(&fs->view_mutex);
	sfs_manifest_put(&fs->eng, man);
	sfs_count(fs->cnt, edits_applied);
	sfs_port_trace(fs->host, SFS_TRACE_EDIT, edit->version, edit->nr_add,
		       edit->nr_del);
	return ret;
}

int sfs_mount_decode_edit(struct sfs_fs *fs, const struct sfs_msg *msg,
			  struct sfs_edit *edit)
{
	const struct sfs_msg_edit *body =
		(const struct sfs_msg_edit *)msg->payload;
	const u8 *end = msg->payload + sfs_msg_len(msg);
	u32 i;

	if (sfs_msg_len(msg) < sizeof(*body))
		return -EPROTO;
	edit->version = le64_to_cpu(body->version);
	edit->stable = le64_to_cpu(body->stable);
	edit->rid = le64_to_cpu(body->rid);
	edit->publish_nr = le64_to_cpu(body->publish_nr);
	edit->nr_del = le32_to_cpu(body->nr_del);
	edit->nr_add = le32_to_cpu(body->nr_add);
	if (edit->nr_del > sfs_msg_len(msg) / 8 ||
	    edit->nr_add > sfs_msg_len(msg) / sizeof(struct sfs_disk_slice) ||
	    edit->nr_del * 8 > sfs_msg_len(msg) - sizeof(*body)) {
		edit->nr_add = 0;
		return -EPROTO;
	}
	edit->del = kvmalloc_array(edit->nr_del + 1, sizeof(*edit->del),
				   GFP_NOFS);
	edit->add = kvcalloc(edit->nr_add + 1, sizeof(*edit->add), GFP_NOFS);
	if (!edit->del || !edit->add) {
		edit->nr_add = 0;
		return -ENOMEM;
	}
	for (i = 0; i < edit->nr_del; i++)
		edit->del[i] = le64_to_cpu(body->del[i]);
	i = edit->nr_add;
	edit->nr_add = 0;
	if (sfs_mount_decode_slices(fs, (const u8 *)&body->del[edit->nr_del],
				    end, i, edit->add) < 0)
		return -EPROTO;
	edit->nr_add = i;
	return 0;
}

void sfs_mount_free_edit(struct sfs_edit *edit)
{
	u32 i;

	for (i = 0; i < edit->nr_add; i++)
		sfs_slice_put(edit->add[i]);
	kvfree(edit->add);
	kvfree(edit->del);
}

int sfs_mount_apply_edit(struct sfs_fs *fs, const struct sfs_msg *msg)
{
	struct sfs_edit edit = {};
	u64 applied;
	int ret;

	ret = sfs_mount_decode_edit(fs, msg, &edit);
	spin_lock(&fs->txn_lock);
	applied = fs->applied_version;
	spin_unlock(&fs->txn_lock);
	if (ret == 0 && edit.version <= applied)
		goto out;	/* the manifest that was loaded has it */
	if (ret == 0 && edit.version != applied + 1)
		ret = -ESTALE;	/* some were lost */
	if (ret == 0)
		ret = apply(fs, &edit);
	if (ret == 0) {
		spin_lock(&fs->txn_lock);
		fs->applied_version = edit.version;
		spin_unlock(&fs->txn_lock);
		wake_up_all(&fs->txn_wait);
		sfs_locks_applied(fs);
		queue_work(fs->wq, &fs->ack_work);
		if (edit.rid && edit.rid != fs->rid && edit.nr_add)
			sfs_publish_others(fs);
	}
out:
	sfs_mount_free_edit(&edit);
	return ret;
}

static bool version_applied(struct sfs_fs *fs, u64 version, int *ret_err)
{
	bool done;

	spin_lock(&fs->txn_lock);
	done = fs->applied_version >= version;
	*ret_err = done ? 0 : fs->err;
	spin_unlock(&fs->txn_lock);
	return done || *ret_err;
}

int sfs_mount_wait_version(struct sfs_fs *fs, u64 version)
{
	int err = 0;

	return sfs_wait_killable(fs->host, fs->txn_wait,
				 version_applied(fs, version, &err)) ?: err;
}

void sfs_mount_ack_worker(struct work_struct *work)
{
	struct sfs_fs *fs = container_of(work, struct sfs_fs, ack_work);
	u64 oldest = sfs_engine_oldest(&fs->eng);
	struct sfs_msg_ack *ack;
	struct sfs_msg *msg;
	bool newer;

	spin_lock(&fs->txn_lock);
	if (sfs_broken(fs->host, NOPIN))
		oldest = fs->applied_version;
	newer = fs->loaded && oldest > fs->acked_version;
	spin_unlock(&fs->txn_lock);
	if (!newer)
		return;
	msg = sfs_msg_alloc(SFS_MSG_ACK, sizeof(*ack));
	if (!msg)
		return;		/* the timer tries again */
	ack = (struct sfs_msg_ack *)msg->payload;
	ack->oldest = cpu_to_le64(oldest);
	spin_lock(&fs->txn_lock);
	fs->acked_version = oldest;
	spin_unlock(&fs->txn_lock);
	sfs_client_send(&fs->net, msg);
}

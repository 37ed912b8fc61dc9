// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mount asks the server outside of publishing: fresh inode numbers, a
 * version to walk indexes in, numbers about the volume.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/wait.h>
#include <linux/sched.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "api.h"
#include "base/report.h"
#include "mount/lock_client.h"
#include "mount/mount.h"
#include "net/lock_names.h"
#include "mount/publish.h"

static int ask(struct sfs_fs *fs, int slot, u16 type, u32 min_len,
	       struct sfs_msg **ret_reply)
{
	struct sfs_msg *req;
	int ret = sfs_mount_error(fs);

	if (ret < 0)
		return ret;
	req = sfs_msg_alloc(type, 0);
	if (!req)
		return -ENOMEM;
	return sfs_client_call(&fs->net, slot, req, min_len, ret_reply);
}

int sfs_ino_group(struct sfs_fs *fs, u64 *ret_first_ino)
{
	const struct sfs_msg_ino_group_reply *body;
	struct sfs_msg *reply;
	u64 epoch;
	int ret;

	ret = ask(fs, SFS_SLOT_INO_GROUP, SFS_MSG_INO_GROUP, sizeof(*body),
		  &reply);
	if (ret < 0)
		return ret;
	body = (const struct sfs_msg_ino_group_reply *)reply->payload;
	*ret_first_ino = le64_to_cpu(body->first_ino);
	epoch = le64_to_cpu(body->lock_epoch);
	sfs_msg_free(reply);
	if (epoch)
		ret = sfs_lock_install(fs, sfs_lock_of_ino(*ret_first_ino),
				       epoch);
	return ret;
}

/* How long a walk waits for mounts that hold the stable sequence back. */
#define STABLE_WAIT_NS 1000000000ULL
#define STABLE_POLL_MS 20

static bool is_beyond(struct sfs_fs *fs, u64 version)
{
	bool beyond;

	spin_lock(&fs->txn_lock);
	beyond = fs->applied_version > version || fs->err;
	spin_unlock(&fs->txn_lock);
	return beyond;
}

/*
 * Applies a version that has all that was published when this was called, and
 * shows it, if the other mounts follow in time.
 */
static int wait_stable(struct sfs_fs *fs)
{
	const struct sfs_msg_stable_reply *body;
	u64 start = sfs_port_boot_ns(fs->host);
	struct sfs_msg *reply;
	u64 target = 0;
	u64 version;
	u64 stable;
	int ret;

	for (;;) {
		ret = ask(fs, SFS_SLOT_QUERY, SFS_MSG_STABLE, sizeof(*body),
			  &reply);
		if (ret < 0)
			return ret;
		body = (const struct sfs_msg_stable_reply *)reply->payload;
		version = le64_to_cpu(body->version);
		stable = le64_to_cpu(body->stable);
		target = target ?: le64_to_cpu(body->published);
		sfs_msg_free(reply);
		ret = sfs_mount_wait_version(fs, version);
		if (ret < 0 || stable >= target ||
		    sfs_port_boot_ns(fs->host) - start > STABLE_WAIT_NS)
			return ret;
		if (sfs_port_killed(fs->host))
			return -EINTR;
		wait_event_timeout(fs->txn_wait, is_beyond(fs, version),
				   msecs_to_jiffies(STABLE_POLL_MS));
	}
}

int sfs_index_iter_init(struct sfs_fs *fs, struct sfs_iter *it,
			const struct sfs_key *first,
			const struct sfs_key *last, u64 *ret_stable)
{
	struct sfs_manifest *man;
	int ret;

	ret = sfs_publish(fs);
	if (ret == 0)
		ret = wait_stable(fs);
	if (ret < 0)
		return ret;
	man = sfs_engine_manifest(&fs->eng);
	sfs_iter_init_manifest(&fs->eng, it, man, first, last);
	*ret_stable = man->stable;
	sfs_manifest_put(&fs->eng, man);
	return 0;
}

int sfs_statfs(struct sfs_fs *fs, struct sfs_statfs *ret_st)
{
	const struct sfs_msg_statfs_reply *body;
	struct sfs_msg *reply;
	int ret;

	ret = ask(fs, SFS_SLOT_QUERY, SFS_MSG_STATFS, sizeof(*body), &reply);
	if (ret < 0)
		return ret;
	body = (const struct sfs_msg_statfs_reply *)reply->payload;
	memset(ret_st, 0, sizeof(*ret_st));
	ret_st->fsid = fs->fsid;
	ret_st->rid = fs->rid;
	ret_st->committed_seq = le64_to_cpu(body->stable);
	ret_st->total_meta_blocks = le64_to_cpu(body->total_meta_blocks);
	ret_st->total_data_blocks = le64_to_cpu(body->total_data_blocks);
	ret_st->used_meta_blocks = le64_to_cpu(body->used_meta_blocks);
	ret_st->used_data_blocks = le64_to_cpu(body->used_data_blocks);
	ret_st->reserved_meta_blocks = le64_to_cpu(body->reserved_meta_blocks);
	ret_st->interface_version = fs->ident.id.interface_version;
	sfs_msg_free(reply);
	return 0;
}

int sfs_alloc_detail(struct sfs_fs *fs, struct sfs_alloc_detail *ents, u32 nr)
{
	const struct sfs_msg_alloc_detail_reply *body;
	struct sfs_msg *reply;
	u32 have;
	int ret;
	u32 i;

	ret = ask(fs, SFS_SLOT_QUERY, SFS_MSG_ALLOC_DETAIL, sizeof(*body),
		  &reply);
	if (ret < 0)
		return ret;
	body = (const struct sfs_msg_alloc_detail_reply *)reply->payload;
	have = le32_to_cpu(body->nr);
	ret = have > nr ? -EOVERFLOW : (int)have;
	for (i = 0; ret >= 0 && i < have; i++) {
		memset(&ents[i], 0, sizeof(ents[i]));
		ents[i].id = le64_to_cpu(body->ent[i].id);
		ents[i].blocks = le64_to_cpu(body->ent[i].blocks);
		ents[i].is_meta = body->ent[i].is_meta;
		ents[i].is_avail = body->ent[i].is_avail;
	}
	sfs_msg_free(reply);
	return ret;
}

__u64 sfs_fsid(struct sfs_fs *fs)
{
	return fs->fsid;
}

__u64 sfs_rid(struct sfs_fs *fs)
{
	return fs->rid;
}

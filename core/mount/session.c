// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount's session with its server: who it is, and which version it reads.
 *
 * New versions arrive as edits, in the order of versions, and are queued: a
 * worker applies them, so that the connection does not wait for it.  When one
 * is missing (a message was lost, there was another connection, more were
 * queued than is reasonable) the whole manifest of a version that the server
 * has is loaded in its place.  It comes with the number of this mount's last
 * publish that is in it, so that a frozen generation is dropped in the same
 * swap in which its run comes in, exactly as with an edit of its own.
 *
 * The worker is the only one to change what is applied, once joined.
 */
#include "mount/session.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/lock_client.h"
#include "mount/mount.h"
#include "mount/publish.h"
#include "mount/space.h"

/* With more edits waiting, loading the manifest is less work. */
#define MAX_EDITS 1024

/* ---- greeting ----------------------------------------------------------------- */

static int join(struct sfs_fs *fs)
{
	const struct sfs_msg_join_reply *body;
	struct sfs_msg *reply;
	struct sfs_msg *req;
	u64 seq;
	int ret;

	req = sfs_msg_alloc(SFS_MSG_JOIN, 0);
	if (!req)
		return -ENOMEM;
	ret = sfs_client_greet(&fs->net, req, sizeof(*body), &reply);
	if (ret < 0)
		return ret;
	body = (const struct sfs_msg_join_reply *)reply->payload;
	seq = le64_to_cpu(body->seq);
	fs->txn = sfs_txn_create(fs, 1, seq);
	ret = fs->txn ? 0 : -ENOMEM;
	if (ret == 0) {
		fs->txn->stamp = seq;
		spin_lock(&fs->txn_lock);
		fs->now = seq;
		fs->spare_seq = le64_to_cpu(body->spare_seq);
		fs->run_id = le64_to_cpu(body->run_id);
		fs->joined = true;
		spin_unlock(&fs->txn_lock);
	}
	sfs_msg_free(reply);
	return ret;
}

/* One moment of the mount: what is open is in exactly one of the fields. */
static void say(struct sfs_fs *fs, struct sfs_msg_greet *body, u64 oldest)
{
	spin_lock(&fs->txn_lock);
	body->oldest = cpu_to_le64(fs->loaded ? oldest : 0);
	body->applied = cpu_to_le64(fs->applied_version);
	body->publish_nr = cpu_to_le64(fs->taken_nr);
	body->txn_seq = cpu_to_le64(fs->txn->seq);
	body->spare_seq = cpu_to_le64(fs->spare_seq);
	if (fs->frozen && fs->frozen->nr > fs->taken_nr)
		body->frozen_seq = cpu_to_le64(fs->frozen->seq);
	spin_unlock(&fs->txn_lock);
}

/* Edits may have been lost with the connection of before. */
static void check_version(struct sfs_fs *fs, u64 version)
{
	bool reload;

	spin_lock(&fs->txn_lock);
	reload = version > max(fs->applied_version, fs->received_version);
	fs->reload |= reload;
	/* whatever was acknowledged may not have arrived */
	fs->acked_version = 0;
	spin_unlock(&fs->txn_lock);
	if (reload)
		queue_work(fs->wq, &fs->edit_work);
	queue_work(fs->wq, &fs->ack_work);
}

static int restate_flocks(struct sfs_fs *fs)
{
	struct list_head msgs;
	struct sfs_msg *msg;
	int ret;

	ret = sfs_flocks_restate(&fs->flocks, &msgs);
	if (ret < 0)
		return ret;
	while ((msg = list_first_entry_or_null(&msgs, struct sfs_msg, head))) {
		list_del_init(&msg->head);
		if (ret == 0)
			ret = sfs_client_greet(&fs->net, msg, 0, NULL);
		else
			sfs_msg_free(msg);
	}
	return ret;
}

static int greet(struct sfs_fs *fs)
{
	const struct sfs_msg_greet_reply *body;
	struct sfs_msg *reply;
	struct sfs_msg *req;
	bool recover;
	u64 publish_nr;
	u64 version;
	int ret;

	req = sfs_msg_alloc(SFS_MSG_GREET, sizeof(struct sfs_msg_greet));
	if (!req)
		return -ENOMEM;
	say(fs, (struct sfs_msg_greet *)req->payload,
	    sfs_engine_oldest(&fs->eng));
	ret = sfs_client_greet(&fs->net, req, sizeof(*body), &reply);
	if (ret < 0)
		return ret;
	body = (const struct sfs_msg_greet_reply *)reply->payload;
	version = le64_to_cpu(body->version);
	publish_nr = le64_to_cpu(body->publish_nr);
	recover = le32_to_cpu(body->recover);
	sfs_msg_free(reply);
	if (recover) {
		ret = sfs_locks_restate(fs, publish_nr);
		if (ret == 0)
			ret = restate_flocks(fs);
		if (ret == 0) {
			req = sfs_msg_alloc_wait(SFS_MSG_GREETED, 0);
			ret = sfs_client_greet(&fs->net, req, 0, NULL);
		}
	}
	if (ret == 0) {
		sfs_flocks_resume(&fs->flocks);
		check_version(fs, version);
	}
	return ret;
}

static int session_greet(void *arg)
{
	struct sfs_fs *fs = arg;
	bool joined;

	spin_lock(&fs->txn_lock);
	joined = fs->joined;
	spin_unlock(&fs->txn_lock);
	return joined ? greet(fs) : join(fs);
}

static void session_refused(void *arg, int err)
{
	sfs_mount_fail(arg, err, "the server does not know this mount");
}

/* ---- loading the manifest --------------------------------------------------------- */

/* What comes with the slices of a version. */
struct load {
	struct sfs_edit edit;
	u64 publish_nr;
	bool more;
};

static int load_room(struct load *load, u32 nr)
{
	struct sfs_edit *edit = &load->edit;
	struct sfs_slice **bigger;

	bigger = kvmalloc_array(edit->nr_add + nr + 1, sizeof(*bigger),
				GFP_NOFS);
	if (!bigger)
		return -ENOMEM;
	if (edit->nr_add)
		memcpy(bigger, edit->add, edit->nr_add * sizeof(*bigger));
	kvfree(edit->add);
	edit->add = bigger;
	return 0;
}

static int take_slices(struct sfs_fs *fs, struct load *load,
		       const struct sfs_msg *reply)
{
	const struct sfs_msg_manifest_reply *body =
		(const struct sfs_msg_manifest_reply *)reply->payload;
	struct sfs_edit *edit = &load->edit;
	u32 nr = le32_to_cpu(body->nr);
	int ret;

	load->more = le32_to_cpu(body->more);
	load->publish_nr = le64_to_cpu(body->publish_nr);
	edit->stable = le64_to_cpu(body->stable);
	if (nr > sfs_msg_len(reply) / sizeof(struct sfs_disk_slice) ||
	    (load->more && nr == 0) || !body->version ||
	    (edit->version && edit->version != le64_to_cpu(body->version)))
		return -EPROTO;
	edit->version = le64_to_cpu(body->version);
	ret = load_room(load, nr);
	if (ret == 0)
		ret = sfs_mount_decode_slices(fs, (const u8 *)(body + 1),
					      reply->payload +
						      sfs_msg_len(reply),
					      nr, edit->add + edit->nr_add);
	if (ret == 0)
		edit->nr_add += nr;
	return ret;
}

/* The next batch of slices. */
static int request_slices(struct sfs_fs *fs, struct load *load)
{
	struct sfs_msg_manifest *ask;
	struct sfs_msg *reply;
	struct sfs_msg *req;
	int ret;

	req = sfs_msg_alloc(SFS_MSG_MANIFEST, sizeof(*ask));
	if (!req)
		return -ENOMEM;
	ask = (struct sfs_msg_manifest *)req->payload;
	ask->version = cpu_to_le64(load->edit.version);
	ask->first = cpu_to_le32(load->edit.nr_add);
	ret = sfs_client_call(&fs->net, SFS_SLOT_SESSION, req,
			      sizeof(struct sfs_msg_manifest_reply), &reply);
	if (ret < 0)
		return ret;
	ret = take_slices(fs, load, reply);
	sfs_msg_free(reply);
	return ret;
}

static void load_free(struct load *load)
{
	u32 i;

	for (i = 0; i < load->edit.nr_add; i++)
		sfs_slice_put(load->edit.add[i]);
	kvfree(load->edit.add);
	memset(load, 0, sizeof(*load));
}

static int request_all(struct sfs_fs *fs, struct load *load)
{
	int ret;

	do {
		load->more = true;
		ret = 0;
		while (ret == 0 && load->more)
			ret = request_slices(fs, load);
		/* another server, or another load: from the beginning */
		if (ret == -ESTALE)
			load_free(load);
	} while (ret == -ESTALE);
	return ret;
}

/*
 * The generations that stay are all, or all but the oldest, the one being
 * published, when the version has its run.
 */
static int swap_in(struct sfs_fs *fs, const struct load *load,
		   struct sfs_manifest *man)
{
	struct sfs_view *view;
	bool has_frozen;
	int ret;

	mutex_lock(&fs->view_mutex);
	view = sfs_engine_view(&fs->eng);
	spin_lock(&fs->txn_lock);
	has_frozen = view->nr_gens > 1 && fs->frozen &&
		     fs->frozen->nr <= load->publish_nr;
	spin_unlock(&fs->txn_lock);
	if (view->nr_gens)
		ret = sfs_engine_swap(&fs->eng, view->gens,
				      view->nr_gens - has_frozen, man);
	else
		ret = sfs_engine_swap(&fs->eng, &fs->txn->gen, 1, man);
	sfs_view_put(&fs->eng, view);
	mutex_unlock(&fs->view_mutex);
	return ret;
}

static int install(struct sfs_fs *fs, const struct load *load)
{
	struct sfs_manifest *none = sfs_manifest_create();
	struct sfs_manifest *man;
	int ret;

	if (!none)
		return -ENOMEM;
	man = sfs_manifest_apply(fs->host, none, &load->edit);
	sfs_manifest_free(none);
	if (IS_ERR(man))
		return PTR_ERR(man);
	sfs_engine_adopt(&fs->eng, man);
	ret = swap_in(fs, load, man);
	sfs_manifest_put(&fs->eng, man);
	return ret;
}

int sfs_session_load(struct sfs_fs *fs)
{
	struct load load = {};
	u64 version;
	u64 applied;
	int ret;

	ret = request_all(fs, &load);
	version = load.edit.version;
	spin_lock(&fs->txn_lock);
	applied = fs->applied_version;
	spin_unlock(&fs->txn_lock);
	if (ret == 0 && version > applied)
		ret = install(fs, &load);
	load_free(&load);
	if (ret < 0)
		return ret;
	spin_lock(&fs->txn_lock);
	fs->applied_version = max(applied, version);
	fs->loaded = true;
	spin_unlock(&fs->txn_lock);
	wake_up_all(&fs->txn_wait);
	sfs_locks_applied(fs);
	queue_work(fs->wq, &fs->ack_work);
	queue_work(fs->wq, &fs->edit_work);
	return 0;
}

/* ---- edits --------------------------------------------------------------------------- */

static struct sfs_msg *next_edit(struct sfs_fs *fs, bool *ret_reload)
{
	struct sfs_msg *msg = NULL;

	spin_lock(&fs->txn_lock);
	*ret_reload = fs->loaded && fs->reload;
	fs->reload &= !*ret_reload;
	if (fs->loaded && !*ret_reload)
		msg = list_first_entry_or_null(&fs->edits, struct sfs_msg,
					       head);
	if (msg) {
		list_del_init(&msg->head);
		fs->nr_edits--;
	}
	spin_unlock(&fs->txn_lock);
	return msg;
}

void sfs_session_edit_worker(struct work_struct *work)
{
	struct sfs_fs *fs = container_of(work, struct sfs_fs, edit_work);
	struct sfs_msg *msg;
	bool reload;
	int ret = 0;

	while (ret == 0 && !sfs_mount_error(fs)) {
		msg = next_edit(fs, &reload);
		if (!msg && !reload)
			return;
		if (msg) {
			ret = sfs_mount_apply_edit(fs, msg);
			sfs_msg_free(msg);
			reload = ret == -ESTALE;
		}
		if (reload) {
			sfs_count(fs->cnt, manifest_reloads);
			ret = sfs_session_load(fs);
		}
	}
	spin_lock(&fs->txn_lock);
	if (fs->stopping)
		ret = 0;
	spin_unlock(&fs->txn_lock);
	if (ret < 0)
		sfs_mount_fail(fs, ret,
			       "a new version of the manifest could not be applied");
}

static struct sfs_msg *queue_edit(struct sfs_fs *fs, struct sfs_msg *msg)
{
	const struct sfs_msg_edit *body =
		(const struct sfs_msg_edit *)msg->payload;

	if (sfs_msg_len(msg) < sizeof(*body))
		return msg;
	spin_lock(&fs->txn_lock);
	fs->received_version = max(fs->received_version,
				   le64_to_cpu(body->version));
	if (fs->nr_edits < MAX_EDITS) {
		list_add_tail(&msg->head, &fs->edits);
		fs->nr_edits++;
		msg = NULL;
	} else {
		fs->reload = true;
	}
	spin_unlock(&fs->txn_lock);
	queue_work(fs->wq, &fs->edit_work);
	return msg;
}

static void session_event(void *arg, struct sfs_msg *msg)
{
	const struct sfs_msg_version *version;
	const struct sfs_msg_advance *advance;
	struct sfs_fs *fs = arg;

	switch (le16_to_cpu(msg->hdr.type)) {
	case SFS_MSG_EDIT:
		msg = queue_edit(fs, msg);
		break;
	case SFS_MSG_LOCK_GRANT ... SFS_MSG_LOCK_UNUSED:
		sfs_locks_message(fs, msg);
		break;
	case SFS_MSG_ADVANCE:
		advance = (const struct sfs_msg_advance *)msg->payload;
		if (sfs_msg_len(msg) >= sizeof(*advance))
			sfs_publish_beyond(fs, le64_to_cpu(advance->seq));
		break;
	case SFS_MSG_FLOCK_ANSWER:
		sfs_flocks_answer(&fs->flocks, msg);
		break;
	case SFS_MSG_VERSION:
		version = (const struct sfs_msg_version *)msg->payload;
		if (sfs_msg_len(msg) >= sizeof(*version))
			check_version(fs, le64_to_cpu(version->version));
		break;
	}
	sfs_msg_free(msg);
}

void sfs_session_drop_edits(struct sfs_fs *fs)
{
	struct sfs_msg *msg;
	struct sfs_msg *tmp;
	LIST_HEAD(edits);

	spin_lock(&fs->txn_lock);
	list_splice_init(&fs->edits, &edits);
	fs->nr_edits = 0;
	spin_unlock(&fs->txn_lock);
	list_for_each_entry_safe(msg, tmp, &edits, head)
		sfs_msg_free(msg);
}

const struct sfs_client_ops sfs_session_ops = {
	.event = session_event,
	.greet = session_greet,
	.refused = session_refused,
	.late = sfs_space_late,
};

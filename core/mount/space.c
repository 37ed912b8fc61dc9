// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space that the mount owns: segments of the metadata device for its runs, and
 * extents of the data device for its files.
 *
 * Metadata space is reserved before a hold, for the most that its items can
 * take in a run, out of what the mount owns already; so a publish never asks
 * for space.  The reservation ends with the publish, which has taken what it
 * really needed out of what is owned.  Runs are appended to the segments one
 * after the other; a segment whose rest is too short for the next block is
 * closed and told to the server with the next publish.
 *
 * Deleting operations may use space that the server gave out of its reserve
 * for them; others may not.
 *
 * Locks: refill_mutex of the class, or data_mutex, around requests; segs_mutex;
 * space_lock, a leaf.
 */
#include "mount/space.h"

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "engine/run_write.h"
#include "mount/mount.h"

/* How often and how long a mount waits for compaction to free space. */
#define SPACE_RETRIES 400
#define SPACE_RETRY_MS 25

/* ---- lists of data extents ------------------------------------------------------- */

int sfs_dext_room(struct sfs_dext_list *list, u32 want)
{
	struct sfs_dext *bigger;
	u32 cap;

	if (list->cap >= want)
		return 0;
	cap = max_t(u32, want, max_t(u32, 64, 2 * list->cap));
	bigger = kvmalloc_array(cap, sizeof(*bigger), GFP_NOFS);
	if (!bigger)
		return -ENOMEM;
	if (list->nr)
		memcpy(bigger, list->ext, list->nr * sizeof(*bigger));
	kvfree(list->ext);
	list->ext = bigger;
	list->cap = cap;
	return 0;
}

/* Neighbours become one; there is room. */
void sfs_dext_add(struct sfs_dext_list *list, u64 start, u64 count)
{
	struct sfs_dext *last = &list->ext[list->nr - 1];

	if (list->nr && last->start + last->count == start) {
		last->count += count;
		return;
	}
	if (WARN_ON(list->nr == list->cap))
		return;
	list->ext[list->nr++] = (struct sfs_dext){ start, count };
}

void sfs_dext_free(struct sfs_dext_list *list)
{
	kvfree(list->ext);
	memset(list, 0, sizeof(*list));
}

/* ---- metadata ---------------------------------------------------------------------- */

/*
 * A block does not reach across segments.  In the worst case, 64 KiB segments
 * and blocks of 32 KiB that find 28 KiB left, 36 of 64 are used: less than
 * twice the bytes.
 */
u64 sfs_space_for_items(u32 items, u32 val_bytes)
{
	return 2 * (sfs_run_max_bytes(items, val_bytes) -
		    sfs_run_max_bytes(0, 0));
}

static int seg_room(struct sfs_fs *fs, u32 more)
{
	struct sfs_own_seg *bigger;
	struct sfs_own_seg *old;
	bool enough;
	u32 cap;

	lockdep_assert_held(&fs->segs_mutex);
	/* the publisher takes segments away meanwhile, but adds none */
	spin_lock(&fs->space_lock);
	cap = fs->nr_segs + more;
	enough = fs->cap_segs >= cap;
	spin_unlock(&fs->space_lock);
	if (enough)
		return 0;
	cap = 2 * cap;
	bigger = kvmalloc_array(cap, sizeof(*bigger), GFP_NOFS);
	if (!bigger)
		return -ENOMEM;
	spin_lock(&fs->space_lock);
	old = fs->segs;
	if (fs->nr_segs)
		memcpy(bigger, old, fs->nr_segs * sizeof(*bigger));
	fs->segs = bigger;
	fs->cap_segs = cap;
	spin_unlock(&fs->space_lock);
	kvfree(old);
	return 0;
}

static int add_segs(struct sfs_fs *fs, const struct sfs_msg_extents_reply *body,
		    bool for_delete)
{
	u32 nr = le32_to_cpu(body->nr);
	u64 addr;
	u64 len;
	u32 i;
	int ret;

	mutex_lock(&fs->segs_mutex);
	ret = seg_room(fs, nr);
	if (ret < 0)
		goto out;
	spin_lock(&fs->space_lock);
	for (i = 0; i < nr; i++) {
		addr = le64_to_cpu(body->ext[i].start);
		len = le64_to_cpu(body->ext[i].count);
		fs->segs[fs->nr_segs++] = (struct sfs_own_seg){
			.addr = addr,
			.len = len,
			.end = addr + len,
		};
		fs->meta_owned += len;
		if (for_delete)
			fs->meta_delete += len;
	}
	spin_unlock(&fs->space_lock);
out:
	mutex_unlock(&fs->segs_mutex);
	return ret;
}

static int take_segs(struct sfs_fs *fs, const struct sfs_msg *reply,
		     bool for_delete)
{
	const struct sfs_msg_extents_reply *body =
		(const struct sfs_msg_extents_reply *)reply->payload;

	if (sfs_msg_len(reply) < sizeof(*body) ||
	    le32_to_cpu(body->nr) > (sfs_msg_len(reply) - sizeof(*body)) /
					    sizeof(body->ext[0]))
		return -EPROTO;
	return add_segs(fs, body, for_delete);
}

static int request_segs(struct sfs_fs *fs, u64 bytes, bool for_delete)
{
	struct sfs_msg_meta_space *ask;
	struct sfs_msg *reply;
	struct sfs_msg *req;
	int ret;

	req = sfs_msg_alloc(SFS_MSG_META_SPACE, sizeof(*ask));
	if (!req)
		return -ENOMEM;
	ask = (struct sfs_msg_meta_space *)req->payload;
	ask->bytes = cpu_to_le64(bytes);
	ask->for_delete = cpu_to_le32(for_delete);
	ret = sfs_client_call(&fs->net, SFS_SLOT_META_SPACE, req, 0, &reply);
	if (ret < 0)
		return ret;
	ret = take_segs(fs, reply, for_delete);
	sfs_msg_free(reply);
	return ret;
}

static u64 unreserved(const struct sfs_fs *fs)
{
	return fs->meta_owned - min(fs->meta_owned, fs->meta_reserved);
}

static bool try_reserve(struct sfs_fs *fs, u64 bytes,
			enum sfs_space_class class)
{
	u64 left;
	bool ok;

	spin_lock(&fs->space_lock);
	left = unreserved(fs);
	if (class == SFS_SPACE_USER)
		left -= min(left, fs->meta_delete);
	ok = left >= bytes;
	if (ok)
		fs->meta_reserved += bytes;
	fs->meta_delete = min(fs->meta_delete, unreserved(fs));
	spin_unlock(&fs->space_lock);
	return ok;
}

int sfs_space_reserve(struct sfs_fs *fs, u64 bytes, enum sfs_space_class class)
{
	bool for_delete = class == SFS_SPACE_DELETE;
	int tries;
	int ret = 0;

	if (try_reserve(fs, bytes, class))
		return 0;
	if (mutex_lock_killable(&fs->refill_mutex[class]))
		return -EINTR;
	for (tries = 0; tries < SPACE_RETRIES; tries++) {
		ret = sfs_mount_error(fs);
		if (ret < 0)
			break;
		sfs_count(fs->cnt, meta_refills);
		ret = request_segs(fs, max(bytes, 2 * fs->freeze_bytes),
				   for_delete);
		sfs_port_trace(fs->host, SFS_TRACE_REFILL, 0, bytes, ret);
		if (try_reserve(fs, bytes, class)) {
			ret = 0;
			break;
		}
		if (ret < 0 && ret != -EAGAIN)
			break;
		sfs_count(fs->cnt, meta_refill_waits);
		if (ret == -EAGAIN)
			msleep(SPACE_RETRY_MS);
		ret = sfs_port_killed(fs->host) ? -EINTR : -ENOSPC;
		if (ret == -EINTR)
			break;
	}
	mutex_unlock(&fs->refill_mutex[class]);
	return ret;
}

void sfs_space_unreserve(struct sfs_fs *fs, u64 bytes)
{
	spin_lock(&fs->space_lock);
	fs->meta_reserved -= bytes;
	spin_unlock(&fs->space_lock);
}

/*
 * Only the publisher calls this.  The first segment with room is the open one;
 * closed ones stay in the list, without room, until they are told.
 */
int sfs_space_get(void *arg, u32 len, u64 *ret_addr)
{
	struct sfs_fs *fs = arg;
	struct sfs_own_seg *seg;
	int ret = -ENOSPC;
	u32 i;

	spin_lock(&fs->space_lock);
	for (i = 0; i < fs->nr_segs; i++) {
		seg = &fs->segs[i];
		if (seg->len >= len) {
			*ret_addr = seg->addr;
			seg->addr += len;
			seg->len -= len;
			fs->meta_owned -= len;
			ret = 0;
			break;
		}
		fs->meta_owned -= seg->len;
		seg->len = 0;
	}
	spin_unlock(&fs->space_lock);
	SFS_ASSERT_CMP(-ret, ==, 0);
	return ret;
}

u32 sfs_space_closed(struct sfs_fs *fs, u64 *ret_addrs, u32 max)
{
	struct sfs_own_seg *seg;
	u32 kept = 0;
	u32 nr = 0;
	u32 i;

	spin_lock(&fs->space_lock);
	for (i = 0; i < fs->nr_segs; i++) {
		seg = &fs->segs[i];
		if (seg->len == 0 && nr < max) {
			ret_addrs[nr++] = seg->end - fs->ident.segment_bytes;
			continue;
		}
		fs->segs[kept++] = *seg;
	}
	fs->nr_segs = kept;
	spin_unlock(&fs->space_lock);
	return nr;
}

/* ---- data ---------------------------------------------------------------------------- */

#define DATA_CHUNK_BLOCKS 16384		/* 64 MiB at a time */

static int take_data_reply(struct sfs_fs *fs, const struct sfs_msg *reply)
{
	const struct sfs_msg_extents_reply *body =
		(const struct sfs_msg_extents_reply *)reply->payload;

	if (sfs_msg_len(reply) < sizeof(*body) + sizeof(body->ext[0]))
		return -EPROTO;
	sfs_data_unreserve(fs, le64_to_cpu(body->ext[0].start),
			   le64_to_cpu(body->ext[0].count));
	return 0;
}

static int request_data(struct sfs_fs *fs, u64 goal, u64 want)
{
	struct sfs_msg_data_space *ask;
	struct sfs_msg *reply;
	struct sfs_msg *req;
	int ret;

	sfs_count(fs->cnt, data_refills);
	req = sfs_msg_alloc(SFS_MSG_DATA_SPACE, sizeof(*ask));
	if (!req)
		return -ENOMEM;
	ask = (struct sfs_msg_data_space *)req->payload;
	ask->blocks = cpu_to_le64(max_t(u64, want, DATA_CHUNK_BLOCKS));
	ask->goal = cpu_to_le64(goal);
	ret = sfs_client_call(&fs->net, SFS_SLOT_DATA_SPACE, req, 0, &reply);
	if (ret < 0)
		return ret;
	ret = take_data_reply(fs, reply);
	sfs_msg_free(reply);
	return ret;
}

/* The owned extent that suits best: at @goal, else the first long enough. */
static u32 pick_extent(const struct sfs_dext_list *list, u64 goal, u64 want)
{
	u32 best = 0;
	u32 i;

	for (i = 0; i < list->nr; i++) {
		if (goal && list->ext[i].start == goal)
			return i;
	}
	for (i = 0; i < list->nr; i++) {
		if (list->ext[i].count >= want)
			return i;
		if (list->ext[i].count > list->ext[best].count)
			best = i;
	}
	return best;
}

static bool take_data(struct sfs_fs *fs, u64 goal, u64 want, u64 *ret_start,
		      u64 *ret_count)
{
	struct sfs_dext_list *list = &fs->data;
	struct sfs_dext *ext;
	u32 i;

	spin_lock(&fs->space_lock);
	if (!list->nr) {
		spin_unlock(&fs->space_lock);
		return false;
	}
	i = pick_extent(list, goal, want);
	ext = &list->ext[i];
	*ret_start = ext->start;
	*ret_count = min(want, ext->count);
	ext->start += *ret_count;
	ext->count -= *ret_count;
	fs->data_blocks -= *ret_count;
	if (!ext->count)
		list->ext[i] = list->ext[--list->nr];
	spin_unlock(&fs->space_lock);
	return true;
}

int sfs_data_reserve(struct sfs_fs *fs, u64 goal, u64 want, u64 *ret_start,
		     u64 *ret_count)
{
	bool published = false;
	int ret = 0;

	if (take_data(fs, goal, want, ret_start, ret_count))
		return 0;
	if (mutex_lock_killable(&fs->data_mutex))
		return -EINTR;
	/* what a request brought, others may take before us */
	while (ret == 0) {
		if (take_data(fs, goal, want, ret_start, ret_count))
			break;
		ret = sfs_mount_error(fs);
		if (ret == 0)
			ret = request_data(fs, goal, want);
		sfs_port_trace(fs->host, SFS_TRACE_REFILL, 1, want, ret);
		if (ret == -ENOSPC && !published) {
			/* what was freed may not be published yet */
			published = true;
			mutex_unlock(&fs->data_mutex);
			ret = sfs_publish(fs);
			mutex_lock(&fs->data_mutex);
		}
	}
	mutex_unlock(&fs->data_mutex);
	return ret;
}

/* Room in the list is kept one ahead, so this can not fail. */
void sfs_data_unreserve(struct sfs_fs *fs, u64 start, u64 count)
{
	struct sfs_dext_list *list = &fs->data;
	u32 i;

	spin_lock(&fs->space_lock);
	fs->data_blocks += count;
	for (i = 0; i < list->nr; i++) {
		if (list->ext[i].start == start + count) {
			list->ext[i].start = start;
			list->ext[i].count += count;
			count = 0;
			break;
		}
		if (list->ext[i].start + list->ext[i].count == start) {
			list->ext[i].count += count;
			count = 0;
			break;
		}
	}
	if (count && list->nr < list->cap)
		list->ext[list->nr++] = (struct sfs_dext){ start, count };
	else if (count)
		fs->data_blocks -= count;	/* back at the next unmount */
	spin_unlock(&fs->space_lock);
}

/* Whatever it was asked for: what deletions may use is the smaller promise. */
void sfs_space_late(void *arg, int slot, const struct sfs_msg *reply)
{
	struct sfs_fs *fs = arg;

	if (slot == SFS_SLOT_META_SPACE)
		take_segs(fs, reply, true);
	else if (slot == SFS_SLOT_DATA_SPACE)
		take_data_reply(fs, reply);
}

void sfs_space_exit(struct sfs_fs *fs)
{
	kvfree(fs->segs);
	fs->segs = NULL;
	sfs_dext_free(&fs->data);
}

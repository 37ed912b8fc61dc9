// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publishing: how the transactions of a mount become part of the volume.
 *
 * One worker does it, one transaction at a time, in their order: freeze (swap
 * in an empty transaction that has a sequence already; the next holds go there
 * while this one is written), wait for the holds in it, write its items as a
 * run into owned space, flush the devices that were written to, and send the
 * server one message that carries all of its effects.  The transaction ends
 * when its edit has been applied (edits.c), in the same swap of the view that
 * drops its generation.
 *
 * A transaction that can not be published takes the mount down: it is neither
 * changed nor merged back nor forgotten, and operations fail from then on.
 */
#include "mount/publish.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/broken.h"
#include "base/killable.h"
#include "base/report.h"
#include "engine/run_write.h"
#include "mount/lock_client.h"
#include "mount/mount.h"
#include "mount/space.h"

/* With this many slices in level 0 the timer lets transactions grow. */
#define L0_SOFT_LIMIT 16
#define MAX_SKIPPED_TICKS 4
#define MAX_CLOSED 1024
#define MAX_RELEASED 512

struct sfs_txn *sfs_txn_create(struct sfs_fs *fs, u64 nr, u64 seq)
{
	struct sfs_txn *txn;

	txn = kzalloc(sizeof(*txn), GFP_NOFS);
	if (!txn)
		return NULL;
	txn->nr = nr;
	txn->seq = seq;
	txn->gen = sfs_memgen_create();
	if (!txn->gen || sfs_dext_room(&txn->consumed, SFS_TXN_EXTENTS) < 0 ||
	    sfs_dext_room(&txn->freed, SFS_TXN_EXTENTS) < 0) {
		sfs_txn_free(txn);
		return NULL;
	}
	return txn;
}

void sfs_txn_free(struct sfs_txn *txn)
{
	sfs_dext_free(&txn->consumed);
	sfs_dext_free(&txn->freed);
	if (txn->gen)
		sfs_memgen_put(txn->gen);
	kfree(txn);
}

u32 sfs_publish_l0(struct sfs_fs *fs)
{
	u32 nr;

	spin_lock(&fs->eng.lock);
	nr = fs->eng.view->man->levels[0]->nr;
	spin_unlock(&fs->eng.lock);
	return nr;
}

/* ---- writing ------------------------------------------------------------------------ */

static int write_run(struct sfs_fs *fs, struct sfs_txn *txn,
		     struct sfs_run **ret_run)
{
	struct sfs_run_space space = { sfs_space_get, fs };
	struct sfs_run_writer *wr;
	int ret;

	wr = sfs_run_writer_create(fs->host, fs->fsid, fs->run_id,
				   SFS_FILTER_HAS_INODES |
					   SFS_FILTER_HAS_NAMES, &space);
	if (IS_ERR(wr))
		return PTR_ERR(wr);
	ret = sfs_run_writer_add_gen(wr, txn->gen);
	if (ret < 0) {
		sfs_run_writer_abort(wr);
		return ret;
	}
	ret = sfs_run_writer_finish(wr, ret_run);
	if (ret == 0)
		sfs_count_by(fs->cnt, publish_bytes, (*ret_run)->bytes);
	return ret;
}

static void put_extents(struct sfs_msg_extent *ext,
			const struct sfs_dext_list *list)
{
	u32 i;

	for (i = 0; i < list->nr; i++) {
		ext[i].start = cpu_to_le64(list->ext[i].start);
		ext[i].count = cpu_to_le64(list->ext[i].count);
	}
}

static u32 put_slice(u8 *p, struct sfs_run *run)
{
	struct sfs_slice *slice;
	u32 len;

	slice = sfs_slice_create(run, 0, 0, 0);
	if (!slice)
		return 0;
	len = sfs_slice_encode(slice, p);
	sfs_slice_put(slice);
	return len;
}

static struct sfs_msg *publish_msg(struct sfs_fs *fs, struct sfs_txn *txn,
				   struct sfs_run *run)
{
	struct sfs_msg_publish *body;
	struct sfs_msg_lock_release *rels;
	struct sfs_msg_extent *ext;
	struct sfs_msg *msg;
	u32 nr_released;
	u64 *closed;
	u32 nr_closed;
	u32 slice_len = 0;
	__le64 *addr;
	u8 *p;
	u32 i;

	closed = kvmalloc_array(MAX_CLOSED, sizeof(*closed), GFP_NOFS);
	msg = sfs_msg_alloc(SFS_MSG_PUBLISH,
			    sizeof(*body) + SFS_DISK_SLICE_MAX +
			    8 * MAX_CLOSED + MAX_RELEASED * sizeof(*rels) +
			    16 * (txn->consumed.nr + txn->freed.nr));
	if (!closed || !msg)
		goto err;
	body = (struct sfs_msg_publish *)msg->payload;
	p = msg->payload + sizeof(*body);
	if (run) {
		slice_len = put_slice(p, run);
		if (!slice_len)
			goto err;
	}
	nr_closed = sfs_space_closed(fs, closed, MAX_CLOSED);
	addr = (__le64 *)(p + slice_len);
	for (i = 0; i < nr_closed; i++)
		addr[i] = cpu_to_le64(closed[i]);
	ext = (struct sfs_msg_extent *)(addr + nr_closed);
	put_extents(ext, &txn->consumed);
	put_extents(ext + txn->consumed.nr, &txn->freed);
	rels = (void *)(ext + txn->consumed.nr + txn->freed.nr);
	nr_released = sfs_locks_take_releases(fs, txn->nr, rels, MAX_RELEASED);
	body->publish_nr = cpu_to_le64(txn->nr);
	body->txn_seq = cpu_to_le64(txn->seq);
	body->max_stamp = cpu_to_le64(txn->stamp);
	body->slice_len = cpu_to_le32(slice_len);
	body->nr_closed = cpu_to_le32(nr_closed);
	body->nr_consumed = cpu_to_le32(txn->consumed.nr);
	body->nr_freed = cpu_to_le32(txn->freed.nr);
	body->nr_released = cpu_to_le32(nr_released);
	msg->hdr.len = cpu_to_le32((u32)((u8 *)(rels + nr_released) -
					 msg->payload));
	kvfree(closed);
	return msg;
err:
	kvfree(closed);
	if (msg)
		sfs_msg_free(msg);
	return NULL;
}

static int send_publish(struct sfs_fs *fs, struct sfs_txn *txn,
			struct sfs_run *run)
{
	const struct sfs_msg_publish_reply *body;
	struct sfs_msg *reply;
	struct sfs_msg *msg;
	u64 version;
	int ret;

	msg = publish_msg(fs, txn, run);
	if (!msg)
		return -ENOMEM;
	ret = sfs_client_call(&fs->net, SFS_SLOT_PUBLISH, msg, sizeof(*body),
			      &reply);
	if (ret < 0)
		return ret;
	body = (const struct sfs_msg_publish_reply *)reply->payload;
	version = le64_to_cpu(body->version);
	fs->run_id = le64_to_cpu(body->run_id);
	/* both at once: a greeting says either that it waits for the reply or not */
	spin_lock(&fs->txn_lock);
	fs->taken_nr = txn->nr;
	fs->spare_seq = le64_to_cpu(body->spare_seq);
	spin_unlock(&fs->txn_lock);
	sfs_msg_free(reply);
	return sfs_mount_wait_version(fs, version);
}

static int flush_devices(struct sfs_fs *fs, struct sfs_txn *txn,
			 struct sfs_run *run)
{
	int ret = 0;

	if (READ_ONCE(txn->data_dirty))
		ret = sfs_port_flush(fs->host, SFS_DEV_DATA);
	if (ret == 0 && run)
		ret = sfs_port_flush(fs->host, SFS_DEV_META);
	return ret;
}

/* ---- freezing ------------------------------------------------------------------------ */

/*
 * The current transaction becomes the frozen one, if it has anything.  Returns
 * it, NULL when there is nothing to do.
 */
static struct sfs_txn *freeze(struct sfs_fs *fs, int *ret_err)
{
	struct sfs_manifest *man;
	struct sfs_memgen *gens[2];
	struct sfs_txn *frozen = NULL;
	struct sfs_txn *next;
	bool still;
	bool alone;
	int ret;

	*ret_err = -ENOMEM;
	next = sfs_txn_create(fs, fs->txn->nr + 1, fs->spare_seq);
	if (!next)
		return NULL;
	gens[0] = next->gen;
	gens[1] = fs->txn->gen;
	/* first the view, then the transaction: nothing is in it yet */
	mutex_lock(&fs->view_mutex);
	man = sfs_engine_manifest(&fs->eng);
	ret = sfs_engine_swap(&fs->eng, gens, 2, man);
	sfs_manifest_put(&fs->eng, man);
	mutex_unlock(&fs->view_mutex);
	if (ret < 0) {
		sfs_txn_free(next);
		*ret_err = ret;
		return NULL;
	}
	still = sfs_broken(fs->host, NOSTEP);
	alone = sfs_broken(fs->host, NOLAMPORT);
	spin_lock(&fs->txn_lock);
	fs->now = max(fs->now + !still, next->seq);
	next->stamp = alone ? next->seq : fs->now;
	fs->frozen = fs->txn;
	fs->txn = next;
	fs->spare_seq = 0;
	frozen = fs->frozen;
	spin_unlock(&fs->txn_lock);
	wake_up_all(&fs->txn_wait);
	*ret_err = 0;
	return frozen;
}

static bool has_no_holders(struct sfs_fs *fs, struct sfs_txn *txn)
{
	bool none;

	spin_lock(&fs->txn_lock);
	none = txn->holders == 0;
	spin_unlock(&fs->txn_lock);
	return none;
}

static int publish_one(struct sfs_fs *fs)
{
	struct sfs_run *run = NULL;
	struct sfs_txn *txn;
	bool behind;
	int ret;

	txn = freeze(fs, &ret);
	if (!txn)
		return ret;
	wait_event(fs->txn_wait, has_no_holders(fs, txn));
	sfs_port_trace(fs->host, SFS_TRACE_FREEZE, txn->nr, txn->gen->nr_items,
		       txn->gen->val_bytes);
	if (txn->gen->nr_items)
		ret = write_run(fs, txn, &run);
	if (ret == 0)
		ret = flush_devices(fs, txn, run);
	/* declared down meanwhile: then nothing is published any more */
	if (ret == 0)
		ret = sfs_mount_error(fs);
	if (ret == 0)
		ret = send_publish(fs, txn, run);
	sfs_port_trace(fs->host, SFS_TRACE_PUBLISHED, txn->nr,
		       run ? run->bytes : 0, ret);
	if (run)
		sfs_run_put(run);
	if (ret < 0)
		return ret;
	sfs_count(fs->cnt, publishes);
	sfs_count_by(fs->cnt, publish_items, txn->gen->nr_items);
	sfs_count_by(fs->cnt, publish_extents,
		     txn->consumed.nr + txn->freed.nr);
	sfs_space_unreserve(fs, txn->bytes_reserved);
	spin_lock(&fs->txn_lock);
	fs->frozen = NULL;
	fs->published_nr = txn->nr;
	if (txn->gen->nr_items)
		fs->published_stamp = max(fs->published_stamp, txn->stamp);
	behind = fs->txn->seq <= fs->published_stamp;
	spin_unlock(&fs->txn_lock);
	wake_up_all(&fs->txn_wait);
	sfs_locks_published(fs);
	if (behind)
		sfs_publish_others(fs);
	sfs_txn_free(txn);
	return 0;
}

/* Whether the current transaction is wanted and has anything. */
static bool wants_publish(struct sfs_fs *fs)
{
	bool wants;

	spin_lock(&fs->txn_lock);
	wants = !fs->err && ((fs->txn->dirty && fs->want_nr >= fs->txn->nr) ||
			     fs->txn->seq <= fs->want_seq);
	spin_unlock(&fs->txn_lock);
	return wants;
}

void sfs_publish_worker(struct work_struct *work)
{
	struct sfs_fs *fs = container_of(work, struct sfs_fs, publish_work);
	int ret;

	while (wants_publish(fs)) {
		ret = publish_one(fs);
		if (ret < 0) {
			sfs_mount_fail(fs, ret,
				       "a transaction could not be published");
			return;
		}
	}
}

void sfs_publish_beyond(struct sfs_fs *fs, u64 seq)
{
	bool queue;

	spin_lock(&fs->txn_lock);
	fs->want_seq = max(fs->want_seq, seq);
	queue = !fs->err && !fs->stopping;
	spin_unlock(&fs->txn_lock);
	if (queue)
		queue_work(fs->wq, &fs->publish_work);
}

void sfs_publish_kick(struct sfs_fs *fs, u64 nr)
{
	bool queue;

	spin_lock(&fs->txn_lock);
	fs->want_nr = max(fs->want_nr, nr);
	queue = !fs->err;
	spin_unlock(&fs->txn_lock);
	if (queue)
		queue_work(fs->wq, &fs->publish_work);
}

void sfs_publish_timer(struct work_struct *work)
{
	struct sfs_fs *fs = container_of(to_delayed_work(work), struct sfs_fs,
					 timer_work);
	bool stopping;
	bool dirty;
	u64 nr;

	spin_lock(&fs->txn_lock);
	dirty = fs->txn->dirty && !fs->err;
	nr = fs->txn->nr;
	stopping = fs->stopping;
	spin_unlock(&fs->txn_lock);
	if (stopping)
		return;
	/* a while only: compaction may have stopped */
	if (!dirty || sfs_publish_l0(fs) < L0_SOFT_LIMIT ||
	    ++fs->skipped_ticks > MAX_SKIPPED_TICKS) {
		fs->skipped_ticks = 0;
		sfs_publish_kick(fs, dirty ? nr : 0);
	} else {
		sfs_count(fs->cnt, publish_timer_skips);
	}
	queue_work(fs->wq, &fs->ack_work);
	queue_delayed_work(fs->wq, &fs->timer_work,
			   msecs_to_jiffies(READ_ONCE(fs->opts.commit_interval_ms)));
}

/* ---- idle mounts ---------------------------------------------------------------------- */

#define IDLE_MS 1000

void sfs_publish_others(struct sfs_fs *fs)
{
	spin_lock(&fs->txn_lock);
	if (!fs->stopping && !fs->err)
		queue_delayed_work(fs->wq, &fs->idle_work,
				   msecs_to_jiffies(IDLE_MS));
	spin_unlock(&fs->txn_lock);
}

/* The empty current transaction is to be published as it is: its number. */
static bool take_empty(struct sfs_fs *fs, u64 *ret_nr)
{
	bool empty;

	spin_lock(&fs->txn_lock);
	empty = !fs->err && !fs->txn->dirty && !fs->frozen;
	if (empty) {
		fs->txn->dirty = true;
		*ret_nr = fs->txn->nr;
	}
	spin_unlock(&fs->txn_lock);
	return empty;
}

/*
 * The sequence of an empty transaction and the spare one keep the stable
 * sequence below what others have published since they were given out.  So
 * both are exchanged for newer ones, by publishing nothing twice; edits that
 * nothing comes with make nobody else do the same.
 */
void sfs_publish_idle(struct work_struct *work)
{
	struct sfs_fs *fs = container_of(to_delayed_work(work), struct sfs_fs,
					 idle_work);
	int i;
	u64 nr;

	sfs_count(fs->cnt, publish_idle);
	for (i = 0; i < 2; i++) {
		if (!take_empty(fs, &nr)) {
			/* not now: it is changing something itself */
			sfs_publish_others(fs);
			return;
		}
		if (sfs_txn_wait(fs, nr) < 0)
			return;
	}
}

/* ---- waiting -------------------------------------------------------------------------- */

static bool is_published(struct sfs_fs *fs, u64 nr, int *ret_err)
{
	bool done;

	spin_lock(&fs->txn_lock);
	done = fs->published_nr >= nr;
	*ret_err = done ? 0 : fs->err;
	spin_unlock(&fs->txn_lock);
	return done || *ret_err;
}

int sfs_txn_wait(struct sfs_fs *fs, u64 nr)
{
	int err;
	int ret;

	sfs_publish_kick(fs, nr);
	ret = sfs_wait_killable(fs->host, fs->txn_wait,
				is_published(fs, nr, &err));
	return ret ?: err;
}

u64 sfs_txn_current(struct sfs_fs *fs)
{
	u64 nr;

	spin_lock(&fs->txn_lock);
	nr = fs->txn->nr;
	spin_unlock(&fs->txn_lock);
	return nr;
}

/* The last transaction that has anything, or the error of the mount. */
static int last_txn(struct sfs_fs *fs, u64 *ret_nr)
{
	int err;

	spin_lock(&fs->txn_lock);
	/* an empty transaction is not published; the one before may be */
	*ret_nr = fs->txn->dirty ? fs->txn->nr : fs->txn->nr - 1;
	err = fs->err;
	spin_unlock(&fs->txn_lock);
	return err;
}

int sfs_publish(struct sfs_fs *fs)
{
	u64 nr;
	int err = last_txn(fs, &nr);

	return err ?: sfs_txn_wait(fs, nr);
}

int sfs_publish_last(struct sfs_fs *fs, u32 patience_ms)
{
	bool done = true;
	u64 nr;
	int err = last_txn(fs, &nr);

	if (err)
		return err;
	sfs_publish_kick(fs, nr);
	if (patience_ms)
		done = wait_event_timeout(fs->txn_wait,
					  is_published(fs, nr, &err),
					  msecs_to_jiffies(patience_ms));
	else
		wait_event(fs->txn_wait, is_published(fs, nr, &err));
	return done ? err : -ETIMEDOUT;
}

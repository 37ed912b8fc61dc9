// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compaction: moves what level 0 has to level 1, in bounded jobs.
 *
 * A job takes the oldest slices of level 0, a contiguous interval of its order,
 * and walks their keys from the smallest on in steps.  A step is one slice of
 * level 1 together with what level 0 has in its range, or a gap between two of
 * them with what level 0 has there; slices of level 1 that nothing falls into
 * are left alone.  Once the job has written enough it ends with one edit: the
 * level 0 slices lose their keys up to where it came, the level 1 slices it
 * merged are replaced.  The next job starts there; progress is the manifest.
 *
 * A run's space comes back only when all of it has been consumed.  So jobs go
 * on with the same slices of level 0 until nothing is left of them, and when
 * space is short these are few: what is needed besides the inputs is then no
 * more than they have in level 0 and what one job writes.
 *
 * Level 1 is the bottom, and nothing older than a job's input is in level 0,
 * so deletion marks end here.
 *
 * Space for the output is owned by the job (an item each segment, logged
 * before anything refers to it); after a crash the next start frees it.  One
 * job runs at a time.
 *
 * Invariant, asserted: outputs have no more items than inputs.  How many items
 * a slice has was said by the mount that published it; a job that finds more
 * ends there.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "base/triggers.h"
#include "engine/run_write.h"

#define L0_TRIGGER 4
#define MAX_INPUTS 16		/* of level 0 */
#define MAX_MERGED 256		/* of level 1 */
#define MAX_OUTPUTS 256

struct job {
	struct sfs_server *srv;
	struct sfs_manifest *man;	/* pinned */
	struct sfs_run_reader rd;
	struct sfs_slice *l0[MAX_INPUTS];	/* newest first */
	u64 l0_items[MAX_INPUTS];		/* consumed */
	u64 l0_dels[MAX_INPUTS];
	u32 nr_l0;
	struct sfs_slice *merged[MAX_MERGED];
	u32 nr_merged;
	struct sfs_run *out[MAX_OUTPUTS];
	u32 nr_out;
	struct sfs_run_writer *wr;
	u64 free_before;		/* segments */
	u64 most;			/* bytes to be written, or a step more */
	u64 cut;			/* an output with as many bytes ends */
	struct sfs_key done;		/* all keys up to it are consumed */
	u64 bytes;			/* written */
	u64 items_in;
	u64 items_out;
	u64 seg_addr;			/* output space */
	u64 seg_left;
	u32 nr_segs;
};

static u64 target_bytes(const struct sfs_server *srv)
{
	return clamp_t(u64, srv->ident.id.meta_bytes / 128, 512ULL << 10,
		       64ULL << 20);
}

static u64 job_bytes(const struct sfs_server *srv)
{
	return clamp_t(u64, srv->ident.id.meta_bytes / 32, 1ULL << 20,
		       512ULL << 20);
}

/* ---- output ------------------------------------------------------------------------ */

static int job_space(void *arg, u32 len, u64 *ret_addr)
{
	struct job *job = arg;
	struct sfs_server *srv = job->srv;
	struct sfs_store_txn txn;
	int ret;

	if (job->seg_left < len) {
		ret = sfs_store_begin(srv->store, &txn, 1, 0);
		if (ret < 0)
			return ret;
		ret = sfs_segs_own(srv, &txn, SFS_SRV_OWNER_JOB, 0,
				   &job->seg_addr);
		if (ret < 0) {
			sfs_store_abort(srv->store, &txn);
			return ret;
		}
		sfs_store_end(srv->store, &txn);
		job->seg_left = srv->segs.bytes;
		job->nr_segs++;
	}
	*ret_addr = job->seg_addr;
	job->seg_addr += len;
	job->seg_left -= len;
	return 0;
}

static int start_output(struct job *job)
{
	struct sfs_run_space space = { job_space, job };
	struct sfs_server *srv = job->srv;
	struct sfs_store_txn txn;
	u64 id;
	int ret;

	if (job->nr_out == MAX_OUTPUTS)
		return -EFBIG;
	/* the number is used up in the log before a block carries it */
	ret = sfs_store_begin(srv->store, &txn, 1, sizeof(struct sfs_srv_state));
	if (ret < 0)
		return ret;
	id = srv->next_run++;
	sfs_srv_put_state(srv, &txn);
	ret = sfs_store_wait(srv->store, sfs_store_end(srv->store, &txn));
	if (ret < 0)
		return ret;
	job->wr = sfs_run_writer_create(srv->host, srv->ident.id.fsid, id,
					SFS_FILTER_HAS_NAMES, &space);
	if (!IS_ERR(job->wr))
		return 0;
	ret = PTR_ERR(job->wr);
	job->wr = NULL;
	return ret;
}

static int end_output(struct job *job)
{
	u64 bytes;
	int ret;

	if (!job->wr)
		return 0;
	bytes = sfs_run_writer_bytes(job->wr);
	ret = sfs_run_writer_finish(job->wr, &job->out[job->nr_out]);
	job->wr = NULL;
	if (ret < 0)
		return ret;
	job->nr_out++;
	job->bytes += bytes;
	return 0;
}

static int add_item(struct job *job, const struct sfs_iter *it)
{
	int ret = 0;

	job->items_in++;
	if (it->is_deletion)
		return 0;
	if (!job->wr)
		ret = start_output(job);
	if (ret == 0)
		ret = sfs_run_writer_add(job->wr, &it->key, it->seq,
					 SFS_ITEM_VALUE, it->val, it->val_len);
	if (ret == 0)
		job->items_out++;
	if (ret == 0 && sfs_run_writer_bytes(job->wr) >= job->cut)
		ret = end_output(job);
	return ret;
}

/*
 * Outputs end between steps once they have the target's size.  Within a slice
 * they do only when it has grown by half of it, and then in its middle: with a
 * cut at the target's size a slice that had it and grew a little would become
 * one of the same size and a tiny one each time it is merged, and what ends in
 * tiny runs wastes segments.
 */
static u64 cut_bytes(const struct job *job, const struct sfs_slice *slice)
{
	u64 target = target_bytes(job->srv);

	if (!slice)
		return target;
	if (slice->run->bytes >= target + target / 2)
		return slice->run->bytes / 2 + target / 4;
	return 2 * target;
}

static u64 written(const struct job *job)
{
	return job->bytes + (job->wr ? sfs_run_writer_bytes(job->wr) : 0);
}

/* ---- steps ------------------------------------------------------------------------- */

/* The first key that level 0 has beyond what is done: 1, or 0 at the end. */
static int next_l0_key(struct job *job, bool first, struct sfs_key *ret_key)
{
	struct sfs_key from = SFS_KEY_MIN;
	struct sfs_iter it;
	int ret;

	if (!first) {
		from = job->done;
		sfs_key_inc(&from);
		if (sfs_key_equal(&from, &SFS_KEY_MIN))
			return 0;
	}
	sfs_iter_init_slices(&it, &job->rd, job->l0, job->nr_l0, &from,
			     &SFS_KEY_MAX);
	ret = sfs_iter_next(&it);
	if (ret > 0)
		*ret_key = it.key;
	sfs_iter_exit(&it);
	return ret;
}

/*
 * The range of the step that @key falls into: a slice of level 1, or the gap
 * from @key to the next one (*ret_slice NULL).
 */
static void step_range(struct job *job, const struct sfs_key *key,
		       struct sfs_slice **ret_slice, struct sfs_key *ret_first,
		       struct sfs_key *ret_last)
{
	struct sfs_level *level = job->man->levels[1];
	u32 at = sfs_level_seek(level, key);

	*ret_slice = NULL;
	*ret_first = *key;
	*ret_last = SFS_KEY_MAX;
	if (at == level->nr)
		return;
	if (sfs_key_cmp(&level->slices[at]->first, key) <= 0) {
		*ret_slice = level->slices[at];
		*ret_first = level->slices[at]->first;
		*ret_last = level->slices[at]->last;
		return;
	}
	*ret_last = level->slices[at]->first;
	sfs_key_dec(ret_last);
}

/*
 * Merges the step's range.  A gap may be long: it may end early, between two
 * items, once the job has written enough.
 */
static int merge_range(struct job *job, struct sfs_slice *slice,
		       const struct sfs_key *first, const struct sfs_key *last)
{
	struct sfs_slice *inputs[MAX_INPUTS + 1];
	struct sfs_key end = *last;
	struct sfs_iter it;
	u64 items;
	u64 dels;
	u32 nr = job->nr_l0;
	int ret;
	u32 i;

	memcpy(inputs, job->l0, nr * sizeof(inputs[0]));
	if (slice)
		inputs[nr++] = slice;
	job->cut = cut_bytes(job, slice);
	sfs_iter_init_slices(&it, &job->rd, inputs, nr, first, last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		ret = add_item(job, &it);
		if (ret < 0)
			break;
		if (!slice && written(job) >= job->most) {
			end = it.key;
			sfs_iter_next(&it);	/* counts the current item */
			ret = it.err;
			break;
		}
	}
	for (i = 0; i < job->nr_l0 && ret == 0; i++) {
		sfs_iter_passed(&it, i, &items, &dels);
		job->l0_items[i] += items;
		job->l0_dels[i] += dels;
	}
	sfs_iter_exit(&it);
	if (ret < 0)
		return ret;
	sfs_count(job->srv->cnt, compact_steps);
	sfs_port_trace(job->srv->host, SFS_TRACE_COMPACT_STEP, job->items_in,
		       job->items_out, written(job));
	if (slice)
		job->merged[job->nr_merged++] = slice;
	job->done = end;
	return 0;
}

/* Whether a slice of level 1 lies between what is done and @key. */
static bool passes_slice(struct job *job, const struct sfs_key *key)
{
	struct sfs_key after = job->done;
	struct sfs_level *level = job->man->levels[1];
	u32 at;

	sfs_key_inc(&after);
	at = sfs_level_seek(level, &after);
	return at < level->nr &&
	       sfs_key_cmp(&level->slices[at]->last, key) < 0;
}

/* With @slice the job might need more than there is. */
static bool too_much(const struct job *job, const struct sfs_slice *slice)
{
	u32 seg = job->srv->segs.bytes;

	/* what level 0 adds to it, and the end of the last segment */
	return slice && written(job) + slice->run->bytes +
				slice->run->bytes / 4 + 2 * seg >
			job->free_before * seg;
}

static bool job_full(const struct job *job)
{
	return written(job) >= job->most ||
	       sfs_port_trigger(job->srv->host, SFS_TRIGGER_JOB_END) ||
	       job->nr_merged == MAX_MERGED || job->nr_out >= MAX_OUTPUTS - 8 ||
	       READ_ONCE(job->srv->stopping) || READ_ONCE(job->srv->dead);
}

/* Returns 1 when level 0's input is used up, 0 when it ended before. */
static int run_steps(struct job *job)
{
	struct sfs_slice *slice;
	struct sfs_key first;
	struct sfs_key last;
	struct sfs_key key;
	bool begin = true;
	int ret;

	for (;;) {
		ret = next_l0_key(job, begin, &key);
		if (ret < 0)
			return ret;
		if (ret == 0) {
			job->done = SFS_KEY_MAX;
			return end_output(job) ?: 1;
		}
		if (!begin && job_full(job))
			return end_output(job);
		step_range(job, &key, &slice, &first, &last);
		if (!begin && too_much(job, slice))
			return end_output(job);
		/* an output may not reach across a slice that stays */
		if (!begin && passes_slice(job, &key)) {
			ret = end_output(job);
			if (ret < 0)
				return ret;
		}
		ret = merge_range(job, slice, &first, &last);
		if (ret == 0 && job->wr &&
		    sfs_run_writer_bytes(job->wr) >= target_bytes(job->srv))
			ret = end_output(job);
		if (ret < 0)
			return ret;
		begin = false;
	}
}

/* ---- the edit ------------------------------------------------------------------------ */

/* What is left of level 0 slice @i: NULL when nothing is. */
static int trim_l0(struct job *job, u32 i, struct sfs_slice **ret_slice)
{
	struct sfs_slice *slice = job->l0[i];
	struct sfs_key first = job->done;

	*ret_slice = NULL;
	/* the mount that published it has said how many there are */
	if (job->l0_items[i] > slice->items ||
	    job->l0_dels[i] > slice->deletions ||
	    slice->items - job->l0_items[i] <
		    slice->deletions - job->l0_dels[i]) {
		sfs_err(job->srv->host,
			"damaged manifest entry: run %llu has not %llu items, %llu of them deletions",
			slice->run->id, slice->items, slice->deletions);
		return -EIO;
	}
	if (job->l0_items[i] == slice->items ||
	    sfs_key_cmp(&slice->last, &job->done) <= 0)
		return 0;
	sfs_key_inc(&first);
	if (sfs_key_cmp(&slice->first, &first) > 0)
		first = slice->first;
	*ret_slice = sfs_slice_trim(slice, 0, &first,
				    slice->items - job->l0_items[i],
				    slice->deletions - job->l0_dels[i]);
	return *ret_slice ? 0 : -ENOMEM;
}

static int build_edit(struct job *job, struct sfs_edit *edit)
{
	struct sfs_slice *slice;
	int ret;
	u32 i;

	edit->del = kvmalloc_array(job->nr_l0 + job->nr_merged + 1,
				   sizeof(*edit->del), GFP_NOFS);
	edit->add = kvmalloc_array(job->nr_l0 + job->nr_out + 1,
				   sizeof(*edit->add), GFP_NOFS);
	if (!edit->del || !edit->add)
		return -ENOMEM;
	for (i = 0; i < job->nr_l0; i++) {
		if (job->l0_items[i] == 0 &&
		    sfs_key_cmp(&job->l0[i]->first, &job->done) > 0)
			continue;	/* not reached */
		ret = trim_l0(job, i, &slice);
		if (ret < 0)
			return ret;
		edit->del[edit->nr_del++] = job->l0[i]->id;
		if (slice)
			edit->add[edit->nr_add++] = slice;
	}
	for (i = 0; i < job->nr_merged; i++)
		edit->del[edit->nr_del++] = job->merged[i]->id;
	for (i = 0; i < job->nr_out; i++) {
		slice = sfs_slice_create(job->out[i], 0, 1, 0);
		if (!slice)
			return -ENOMEM;
		edit->add[edit->nr_add++] = slice;
	}
	return 0;
}

static void free_edit(struct sfs_edit *edit)
{
	u32 i;

	for (i = 0; i < edit->nr_add; i++)
		sfs_slice_put(edit->add[i]);
	kvfree(edit->del);
	kvfree(edit->add);
}

static int commit_edit(struct job *job, struct sfs_edit *edit)
{
	struct sfs_server *srv = job->srv;
	struct sfs_store_txn txn;
	struct sfs_srv_post *post;
	u32 items = 2;
	u32 bytes = 0;
	int ret;
	u32 i;

	post = sfs_srv_post_alloc(edit);
	if (!post)
		return -ENOMEM;
	sfs_srv_version_room(srv, edit, &items, &bytes);
	items += 2 * job->nr_segs;	/* all that the job owns is closed */
	ret = sfs_store_begin(srv->store, &txn, items, bytes);
	if (ret < 0)
		goto err_post;
	for (i = 0; i < edit->nr_add; i++)
		edit->add[i]->id = srv->next_slice++;
	ret = sfs_srv_new_version(srv, &txn, edit, post);
	if (ret == 0)
		ret = sfs_segs_close_all(srv, &txn, SFS_SRV_OWNER_JOB,
					 srv->version);
	if (ret < 0) {
		sfs_store_poison(srv->store, &txn, ret);
		goto err_post;
	}
	return sfs_srv_commit(srv, sfs_store_end(srv->store, &txn));
err_post:
	if (list_empty(&post->head))
		sfs_srv_post_free(post);
	return ret;
}

/* Nothing came of the job: its space is free once nobody reads, so at once. */
static void abandon(struct job *job)
{
	struct sfs_server *srv = job->srv;
	struct sfs_store_txn txn;

	if (sfs_store_begin(srv->store, &txn, 2 * job->nr_segs, 0) < 0)
		return;
	if (sfs_segs_close_all(srv, &txn, SFS_SRV_OWNER_JOB, srv->version) < 0) {
		sfs_store_poison(srv->store, &txn, -EIO);
		return;
	}
	sfs_store_end(srv->store, &txn);
}

/* ---- jobs ------------------------------------------------------------------------------ */

/* How many of the oldest slices of level 0 have an order up to @order. */
static u32 inputs_up_to(const struct sfs_level *level, u64 order)
{
	u32 nr = 0;

	while (nr < level->nr && nr < MAX_INPUTS &&
	       level->slices[level->nr - nr - 1]->order <= order)
		nr++;
	return nr;
}

/* The oldest slices of level 0 with up to @bytes, at least one. */
static u32 inputs_within(const struct sfs_level *level, u64 bytes)
{
	u64 sum = 0;
	u32 nr = 0;

	while (nr < level->nr && nr < MAX_INPUTS) {
		sum += level->slices[level->nr - nr - 1]->run->bytes;
		if (nr && sum > bytes)
			break;
		nr++;
	}
	return nr;
}

/* Half of what is free beyond the reserves may be used, else a job's bytes. */
static void take_inputs(struct job *job)
{
	struct sfs_level *level = job->man->levels[0];
	struct sfs_server *srv = job->srv;
	struct sfs_seg_map *map = &srv->segs;
	u64 kept = min(map->nr_free, map->reserve_job + map->reserve_delete);
	u64 spare = (map->nr_free - kept) * map->bytes;
	u32 i;

	job->free_before = map->nr_free;
	job->most = clamp_t(u64, map->nr_free * map->bytes / 4,
			    target_bytes(srv), job_bytes(srv));
	job->nr_l0 = inputs_up_to(level, srv->compact_order);
	if (!job->nr_l0)
		job->nr_l0 = inputs_within(level, max(job->most, spare / 2));
	for (i = 0; i < job->nr_l0; i++)
		job->l0[i] = level->slices[level->nr - job->nr_l0 + i];
	if (job->nr_l0)
		srv->compact_order = job->l0[0]->order;
}

static struct job *job_create(struct sfs_server *srv)
{
	struct job *job;

	job = kvzalloc(sizeof(*job), GFP_NOFS);
	if (!job)
		return NULL;
	job->srv = srv;
	job->rd = srv->vol.rd;
	job->rd.cache = NULL;
	sfs_store_lock(srv->store);
	job->man = sfs_engine_manifest(&srv->vol);
	take_inputs(job);
	sfs_store_unlock(srv->store);
	return job;
}

static void job_free(struct job *job)
{
	u32 i;

	if (job->wr)
		sfs_run_writer_abort(job->wr);
	for (i = 0; i < job->nr_out; i++)
		sfs_run_put(job->out[i]);
	sfs_manifest_put(&job->srv->vol, job->man);
	kvfree(job);
}

static void count_job(const struct job *job, int err)
{
	struct sfs_counters *cnt = job->srv->cnt;

	sfs_count_by(cnt, compact_bytes, job->bytes);
	if (err < 0) {
		sfs_count(cnt, compact_jobs_failed);
		return;
	}
	sfs_count(cnt, compact_jobs);
	sfs_count_by(cnt, compact_items_in, job->items_in);
	sfs_count_by(cnt, compact_items_out, job->items_out);
}

static int run_job(struct sfs_server *srv)
{
	struct sfs_edit edit = {};
	struct job *job;
	int ret;

	job = job_create(srv);
	if (!job)
		return -ENOMEM;
	if (!job->nr_l0) {
		job_free(job);
		return 0;
	}
	sfs_port_trace(srv->host, SFS_TRACE_COMPACT_BEGIN, job->nr_l0,
		       job->man->levels[0]->nr, job->man->version);
	ret = run_steps(job);
	if (ret >= 0)
		ret = sfs_port_flush(srv->host, SFS_DEV_META);
	SFS_ASSERT_CMP(job->items_out, <=, job->items_in);
	if (ret == 0)
		ret = build_edit(job, &edit);
	if (ret == 0)
		ret = commit_edit(job, &edit);
	free_edit(&edit);
	if (ret < 0) {
		if (job->wr)
			sfs_run_writer_abort(job->wr);
		job->wr = NULL;
		abandon(job);
	}
	count_job(job, ret);
	sfs_port_trace(srv->host, SFS_TRACE_COMPACT_END, job->nr_out,
		       job->bytes, ret);
	sfs_store_lock(srv->store);
	srv->compact_starved = ret == -ENOSPC ? job->free_before : U64_MAX;
	sfs_store_unlock(srv->store);
	job_free(job);
	return ret;
}

static u32 level0(struct sfs_server *srv)
{
	struct sfs_manifest *man = sfs_engine_manifest(&srv->vol);
	u32 nr = man->levels[0]->nr;

	sfs_manifest_put(&srv->vol, man);
	return nr;
}

static bool wants_job(struct sfs_server *srv)
{
	u32 nr = level0(srv);
	bool wants;

	sfs_store_lock(srv->store);
	wants = !srv->compact_err && !READ_ONCE(srv->stopping) &&
		!READ_ONCE(srv->dead) && !srv->recovering &&
		(nr >= L0_TRIGGER ||
		 (nr > 0 && (srv->compact_forced ||
			     sfs_port_trigger(srv->host,
					      SFS_TRIGGER_COMPACT))));
	if (!nr)
		srv->compact_forced = false;
	srv->compacting = wants;
	sfs_store_unlock(srv->store);
	return wants;
}

void sfs_compact_worker(struct work_struct *work)
{
	struct sfs_server *srv = container_of(work, struct sfs_server,
					      compact_work);
	int ret;

	while (wants_job(srv)) {
		ret = run_job(srv);
		queue_work(srv->job_wq, &srv->reclaim_work);
		if (ret == 0)
			continue;
		/* out of space now; goes on when there is more */
		if (ret != -ENOSPC && !READ_ONCE(srv->dead)) {
			sfs_err(srv->host,
				"compaction stopped: error %d; reading and writing go on, space is not reclaimed",
				ret);
			sfs_store_lock(srv->store);
			srv->compact_err = ret;
			sfs_store_unlock(srv->store);
		}
		break;
	}
	sfs_store_lock(srv->store);
	srv->compacting = false;
	sfs_store_unlock(srv->store);
}

void sfs_compact_kick(struct sfs_server *srv)
{
	if (!READ_ONCE(srv->stopping))
		queue_work(srv->job_wq, &srv->compact_work);
}

/* Called when segments became free. */
void sfs_compact_fed(struct sfs_server *srv)
{
	bool kick;

	sfs_store_lock(srv->store);
	kick = srv->segs.nr_free > srv->compact_starved;
	sfs_store_unlock(srv->store);
	if (kick)
		sfs_compact_kick(srv);
}

bool sfs_compact_may_free(struct sfs_server *srv)
{
	return srv->segs.nr_pending || srv->compacting ||
	       (level0(srv) && !srv->compact_err);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's private item store.
 *
 * A transaction changes the active generation under the store's mutex and puts
 * the same changes into a batch; the log worker writes all batches that have
 * come together as one sequence of records and tells who waits.  Transactions
 * see each other's changes before they are durable; that is harmless, because
 * nothing leaves the server before its own ticket is durable, and tickets
 * become durable in order.
 *
 * A checkpoint freezes the generation, writes it as a run, and makes it current
 * by writing the roots.  The log is replayed from where it stood at the freeze
 * or before; replaying changes that the run has already is harmless, since
 * they are values and not differences, and replay always goes to the end.  For
 * that the log must have all that the run has: a root is not written before
 * the last transaction of the frozen generation is durable in the log.
 * When there are four runs in level 0, the checkpoint merges them with level 1.
 *
 * Sequences of items have the term in their upper half, so they rise from one
 * run to the next across terms, too.
 *
 * Opening reads root and log, begins a new term with a fresh log segment and
 * checkpoints at once: from that root write on, the old term's log is history.
 *
 * Locks: store->mutex (transactions, freeze) > log->mutex; wait_lock is a leaf.
 * The checkpoint and log workers take the mutex only to swap pointers.
 */
#include "engine/store.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "base/report.h"
#include "base/triggers.h"
#include "engine/root.h"
#include "engine/run_write.h"

#define STORE_CACHE_BYTES (16ULL << 20)
#define MERGE_SLICES 4
#define BATCH_SLACK 64

struct sfs_store_batch {
	struct list_head head;
	u64 ticket;		/* of the last transaction in it */
	u32 len;
	u32 cap;
	u8 data[];
};

struct sfs_store {
	struct sfs_host *host;		/* I */
	struct sfs_identity ident;	/* I */
	struct sfs_engine eng;
	struct sfs_region region;
	struct sfs_log log;
	struct sfs_log old_log;		/* O: of the term before, at open */
	struct sfs_log_place replayed_from;	/* I */
	u64 replayed;			/* I: records */
	bool readonly;			/* I */
	u64 term;			/* I */
	struct sfs_counters *cnt;	/* I: may be NULL */
	struct workqueue_struct *wq;	/* I */
	struct work_struct log_work;
	struct work_struct checkpoint_work;

	struct mutex mutex;
	struct sfs_memgen *active;	/* L(mutex) to change */
	struct sfs_memgen *frozen;	/* L(mutex) to change */
	u64 version;			/* L(mutex): of the manifest */
	u64 seq;			/* L(mutex): of items */

	struct mutex checkpoint_mutex;	/* one at a time */
	u64 generation;			/* L(checkpoint_mutex): of the root */
	u8 root_copy;			/* L(checkpoint_mutex): write it first */
	u64 next_id;			/* L(checkpoint_mutex) */

	spinlock_t wait_lock;
	wait_queue_head_t wait;
	struct list_head batches;	/* L(wait_lock): ended, not logged */
	u64 pending_bytes;		/* L(wait_lock): ended, not logged */
	u64 ended;			/* L(wait_lock): last ticket */
	u64 durable;			/* L(wait_lock) */
	int err;			/* L(wait_lock) */
	bool checkpointing;		/* L(wait_lock) */
	bool killed;			/* A */
};

void sfs_store_count(struct sfs_store *store, struct sfs_counters *cnt)
{
	store->cnt = cnt;
	store->eng.rd.cnt = cnt;
}

struct sfs_engine *sfs_store_engine(struct sfs_store *store)
{
	return &store->eng;
}

u64 sfs_store_term(const struct sfs_store *store)
{
	return store->term;
}

u64 sfs_store_region_used(struct sfs_store *store)
{
	return (u64)store->region.nr_used * store->region.unit_bytes;
}

u32 sfs_store_region_unit(const struct sfs_store *store)
{
	return store->region.unit_bytes;
}

int sfs_store_error(struct sfs_store *store)
{
	int err;

	spin_lock(&store->wait_lock);
	err = store->err;
	spin_unlock(&store->wait_lock);
	return err;
}

/* Whatever it was: for all who wait, nothing becomes durable any more. */
static void store_fail(struct sfs_store *store)
{
	spin_lock(&store->wait_lock);
	if (!store->err)
		store->err = -EIO;
	spin_unlock(&store->wait_lock);
	wake_up_all(&store->wait);
}

void sfs_store_kill(struct sfs_store *store)
{
	WRITE_ONCE(store->killed, true);
	store_fail(store);
}

void sfs_store_lock(struct sfs_store *store)
{
	mutex_lock(&store->mutex);
}

bool sfs_store_trylock(struct sfs_store *store)
{
	return mutex_trylock(&store->mutex);
}

void sfs_store_unlock(struct sfs_store *store)
{
	mutex_unlock(&store->mutex);
}

/* ---- transactions --------------------------------------------------------- */

/*
 * A log longer than a quarter of the region waits for the checkpoint.  What is
 * on its way there counts, so that transactions that nobody waits for do not
 * pile up either.
 */
static bool log_has_room(struct sfs_store *store)
{
	u64 bytes = sfs_log_bytes(&store->log);
	bool room;

	spin_lock(&store->wait_lock);
	room = store->err || bytes + store->pending_bytes <
				     store->ident.region_bytes / 4;
	spin_unlock(&store->wait_lock);
	return room;
}

static bool log_is_long(struct sfs_store *store)
{
	return sfs_log_bytes(&store->log) > store->ident.region_bytes / 8;
}

static bool wants_checkpoint(struct sfs_store *store)
{
	u64 mem;

	spin_lock(&store->active->lock);
	mem = store->active->mem_bytes;
	spin_unlock(&store->active->lock);
	if (sfs_port_trigger(store->host, SFS_TRIGGER_CHECKPOINT))
		return true;
	return log_is_long(store) ||
	       mem > clamp_t(u64, store->ident.region_bytes / 8, 1ULL << 20,
			     64ULL << 20);
}

int sfs_store_begin(struct sfs_store *store, struct sfs_store_txn *txn,
		    u32 items, u32 val_bytes)
{
	u32 mem = items * (sfs_memgen_item_bytes(0) + 8) + val_bytes;
	u32 cap = items * sfs_log_change_bytes(0) + val_bytes + BATCH_SLACK;
	int ret;

	wait_event(store->wait, log_has_room(store));
	ret = sfs_store_error(store);
	if (ret < 0)
		return ret;
	txn->batch = kvmalloc(sizeof(*txn->batch) + cap, GFP_NOFS);
	if (!txn->batch)
		return -ENOMEM;
	txn->batch->len = 0;
	txn->batch->cap = cap;
	mutex_lock(&store->mutex);
	/* once more: the one before us may have been poisoned */
	ret = sfs_store_error(store);
	if (ret == 0)
		ret = sfs_memgen_cut(store->active, mem, &txn->mem);
	if (ret < 0) {
		mutex_unlock(&store->mutex);
		kvfree(txn->batch);
		return ret;
	}
	txn->mem_left = mem;
	store->seq++;
	return 0;
}

static void change(struct sfs_store *store, struct sfs_store_txn *txn,
		   const struct sfs_key *key, u8 kind, const void *val, u32 len)
{
	struct sfs_store_batch *batch = txn->batch;
	u8 *p = batch->data + batch->len;

	lockdep_assert_held(&store->mutex);
	SFS_ASSERT_CMP(batch->len + sfs_log_change_bytes(len), <=, batch->cap);
	p = sfs_log_put_change(p, key, kind, val, len);
	batch->len = (u32)(p - batch->data);
	sfs_memgen_set(store->active, &txn->mem, &txn->mem_left, key,
		       store->seq, kind, val, len);
}

void sfs_store_put(struct sfs_store *store, struct sfs_store_txn *txn,
		   const struct sfs_key *key, const void *val, u32 len)
{
	change(store, txn, key, SFS_ITEM_VALUE, val, len);
}

void sfs_store_del(struct sfs_store *store, struct sfs_store_txn *txn,
		   const struct sfs_key *key)
{
	change(store, txn, key, SFS_ITEM_DELETION, NULL, 0);
}

void sfs_store_abort(struct sfs_store *store, struct sfs_store_txn *txn)
{
	SFS_ASSERT_CMP(txn->batch->len, ==, 0);
	sfs_memgen_uncut(store->active, txn->mem, txn->mem_left);
	mutex_unlock(&store->mutex);
	kvfree(txn->batch);
}

u64 sfs_store_end(struct sfs_store *store, struct sfs_store_txn *txn)
{
	bool checkpoint;
	u64 ticket;

	sfs_memgen_uncut(store->active, txn->mem, txn->mem_left);
	checkpoint = wants_checkpoint(store);
	spin_lock(&store->wait_lock);
	ticket = txn->batch->len ? ++store->ended : store->ended;
	txn->batch->ticket = ticket;
	if (txn->batch->len) {
		list_add_tail(&txn->batch->head, &store->batches);
		store->pending_bytes += txn->batch->len;
		txn->batch = NULL;
	}
	spin_unlock(&store->wait_lock);
	mutex_unlock(&store->mutex);
	kvfree(txn->batch);
	queue_work(store->wq, &store->log_work);
	if (checkpoint)
		queue_work(store->wq, &store->checkpoint_work);
	return ticket;
}

u64 sfs_store_ticket(struct sfs_store *store)
{
	u64 ticket;

	lockdep_assert_held(&store->mutex);
	spin_lock(&store->wait_lock);
	ticket = store->ended + 1;
	spin_unlock(&store->wait_lock);
	return ticket;
}

void sfs_store_poison(struct sfs_store *store, struct sfs_store_txn *txn,
		      int err)
{
	sfs_err(store->host, "the server can not go on: error %d", err);
	store_fail(store);
	mutex_unlock(&store->mutex);
	kvfree(txn->batch);
}

u64 sfs_store_durable(struct sfs_store *store)
{
	u64 durable;

	spin_lock(&store->wait_lock);
	durable = store->durable;
	spin_unlock(&store->wait_lock);
	return durable;
}

static bool ticket_done(struct sfs_store *store, u64 ticket, int *ret_err)
{
	bool done;

	spin_lock(&store->wait_lock);
	done = store->durable >= ticket;
	*ret_err = done ? 0 : store->err;
	spin_unlock(&store->wait_lock);
	return done || *ret_err;
}

int sfs_store_wait(struct sfs_store *store, u64 ticket)
{
	int err;

	wait_event(store->wait, ticket_done(store, ticket, &err));
	return err;
}

/* ---- the log worker ------------------------------------------------------- */

/* All batches there are, as one; NULL when there are none. */
static struct sfs_store_batch *collect_batches(struct sfs_store *store)
{
	struct sfs_store_batch *batch;
	struct sfs_store_batch *tmp;
	struct sfs_store_batch *all;
	LIST_HEAD(list);
	u32 len = 0;

	spin_lock(&store->wait_lock);
	list_splice_init(&store->batches, &list);
	spin_unlock(&store->wait_lock);
	if (list_empty(&list))
		return NULL;
	if (list_is_singular(&list))
		return list_first_entry(&list, struct sfs_store_batch, head);
	list_for_each_entry(batch, &list, head)
		len += batch->len;
	all = kvmalloc(sizeof(*all) + len, GFP_NOFS);
	if (!all) {
		/* one at a time, then: only the first, the others go back */
		batch = list_first_entry(&list, struct sfs_store_batch, head);
		list_del(&batch->head);
		spin_lock(&store->wait_lock);
		list_splice(&list, &store->batches);
		spin_unlock(&store->wait_lock);
		return batch;
	}
	all->len = 0;
	list_for_each_entry_safe(batch, tmp, &list, head) {
		memcpy(all->data + all->len, batch->data, batch->len);
		all->len += batch->len;
		all->ticket = batch->ticket;
		kvfree(batch);
	}
	return all;
}

static void log_worker(struct work_struct *work)
{
	struct sfs_store *store = container_of(work, struct sfs_store,
					       log_work);
	struct sfs_store_batch *batch;
	int ret;

	while ((batch = collect_batches(store))) {
		ret = sfs_store_error(store);
		if (ret == 0)
			ret = sfs_log_append(&store->log, batch->data,
					     batch->len);
		if (ret < 0)
			store_fail(store);
		spin_lock(&store->wait_lock);
		if (ret == 0) {
			sfs_count(store->cnt, log_batches);
			sfs_count_by(store->cnt, log_transactions,
				     batch->ticket - store->durable);
			sfs_count_by(store->cnt, log_bytes, batch->len);
			store->durable = batch->ticket;
		}
		store->pending_bytes -= batch->len;
		spin_unlock(&store->wait_lock);
		wake_up_all(&store->wait);
		kvfree(batch);
		/* whoever waits for room must not depend on another's end */
		if (ret == 0 && log_is_long(store))
			queue_work(store->wq, &store->checkpoint_work);
	}
}

/* ---- checkpoints ---------------------------------------------------------- */

static u64 next_id(struct sfs_store *store)
{
	return store->term << 32 | store->next_id++;
}

/*
 * Space for a run: whole units, as many as are needed.  What is left of the
 * last one stays with the run.
 */
struct region_space {
	struct sfs_region *region;
	u64 addr;
	u64 left;
	struct sfs_piece taken[SFS_RUN_MAX_PIECES];
	u32 nr_taken;
};

static int region_space_get(void *arg, u32 len, u64 *ret_addr)
{
	struct region_space *space = arg;
	int ret;

	if (space->left < len) {
		if (space->nr_taken == SFS_RUN_MAX_PIECES)
			return -EFBIG;
		ret = sfs_region_alloc(space->region, 1, &space->addr);
		if (ret < 0)
			return ret;
		space->left = space->region->unit_bytes;
		space->taken[space->nr_taken++] = (struct sfs_piece){
			space->addr, space->left
		};
	}
	*ret_addr = space->addr;
	space->addr += len;
	space->left -= len;
	return 0;
}

static void region_space_undo(struct region_space *space)
{
	u32 i;

	for (i = 0; i < space->nr_taken; i++)
		sfs_region_free(space->region, space->taken[i].addr,
				space->taken[i].len);
	space->nr_taken = 0;
}

/* Frees the units of a run; neighbouring pieces may share none. */
static void free_run(struct sfs_store *store, const struct sfs_run *run)
{
	u64 unit = store->region.unit_bytes;
	u64 start;
	u64 end;
	u32 i;

	for (i = 0; i < run->nr_pieces; i++) {
		start = round_down(run->pieces[i].addr - store->region.start,
				   unit);
		end = round_up(run->pieces[i].addr + run->pieces[i].len -
				       store->region.start, unit);
		sfs_region_free(&store->region, store->region.start + start,
				end - start);
	}
}

static struct sfs_run_writer *start_run(struct sfs_store *store,
					struct region_space *space)
{
	struct sfs_run_space get = { region_space_get, space };

	memset(space, 0, sizeof(*space));
	space->region = &store->region;
	return sfs_run_writer_create(store->host, store->ident.id.fsid,
				     next_id(store), SFS_FILTER_HAS_INODES,
				     &get);
}

/* The edit of a checkpoint, and the runs that it makes free. */
struct checkpoint {
	struct sfs_edit edit;
	struct sfs_slice *add[64];
	u64 del[64];
	struct sfs_slice *old[64];	/* referenced */
	struct region_space space;
};

static int add_run(struct sfs_store *store, struct checkpoint *cp,
		   struct sfs_run_writer *wr, u8 level)
{
	struct sfs_slice *slice;
	struct sfs_run *run;
	u64 id = next_id(store);
	int ret;

	ret = sfs_run_writer_finish(wr, &run);
	if (ret < 0) {
		region_space_undo(&cp->space);
		return ret;
	}
	slice = sfs_slice_create(run, id, level, id);
	if (!slice || cp->edit.nr_add == ARRAY_SIZE(cp->add)) {
		if (slice)
			sfs_slice_put(slice);
		sfs_run_put(run);
		region_space_undo(&cp->space);
		return slice ? -EFBIG : -ENOMEM;
	}
	sfs_run_put(run);
	cp->add[cp->edit.nr_add++] = slice;
	return 0;
}

static int write_frozen(struct sfs_store *store, struct sfs_memgen *gen,
			struct checkpoint *cp)
{
	struct sfs_run_writer *wr;
	int ret;

	wr = start_run(store, &cp->space);
	if (IS_ERR(wr))
		return PTR_ERR(wr);
	ret = sfs_run_writer_add_gen(wr, gen);
	if (ret < 0) {
		sfs_run_writer_abort(wr);
		region_space_undo(&cp->space);
		return ret;
	}
	return add_run(store, cp, wr, 0);
}

/* Merges @nr slices into runs of level 1, which is the bottom. */
static int merge_slices(struct sfs_store *store, struct checkpoint *cp,
			struct sfs_slice **slices, u32 nr)
{
	u64 target = max_t(u64, store->ident.region_bytes / 32, 512ULL << 10);
	struct sfs_run_reader rd = store->eng.rd;
	struct sfs_run_writer *wr = NULL;
	struct sfs_iter it;
	int ret;

	rd.cache = NULL;
	sfs_iter_init_slices(&it, &rd, slices, nr, &SFS_KEY_MIN, &SFS_KEY_MAX);
	while ((ret = sfs_iter_next(&it)) > 0) {
		if (it.is_deletion)
			continue;
		if (!wr)
			wr = start_run(store, &cp->space);
		if (IS_ERR(wr)) {
			ret = PTR_ERR(wr);
			wr = NULL;
			break;
		}
		ret = sfs_run_writer_add(wr, &it.key, it.seq, SFS_ITEM_VALUE,
					 it.val, it.val_len);
		if (ret == 0 && sfs_run_writer_bytes(wr) >= target) {
			ret = add_run(store, cp, wr, 1);
			wr = NULL;
		}
		if (ret < 0)
			break;
	}
	sfs_iter_exit(&it);
	if (ret == 0 && wr) {
		ret = add_run(store, cp, wr, 1);
	} else if (wr) {
		sfs_run_writer_abort(wr);
		region_space_undo(&cp->space);
	}
	return ret;
}

static int merge_all(struct sfs_store *store, struct checkpoint *cp,
		     struct sfs_manifest *man)
{
	u32 l;
	u32 i;
	struct sfs_slice *slice;
	u32 nr = 0;

	sfs_manifest_for_each(man, l, i, slice) {
		if (nr == ARRAY_SIZE(cp->old))
			return -EFBIG;
		sfs_slice_get(slice);
		cp->old[nr] = slice;
		cp->del[nr++] = slice->id;
	}
	cp->edit.nr_del = nr;
	return merge_slices(store, cp, cp->old, nr);
}

static int write_root(struct sfs_store *store, struct sfs_manifest *man,
		      const struct sfs_log_place *log)
{
	struct sfs_root root = {
		.generation = store->generation + 1,
		.term = store->term,
		.version = man->version,
		.next_id = store->next_id,
		.log = *log,
		.first_copy = store->root_copy,
	};
	struct sfs_slice *slice;
	u32 l;
	u32 i;
	int ret;

	root.slices = kvcalloc(SFS_ROOT_BYTES / sizeof(struct sfs_disk_slice),
			       sizeof(*root.slices), GFP_NOFS);
	if (!root.slices)
		return -ENOMEM;
	ret = 0;
	sfs_manifest_for_each(man, l, i, slice) {
		if (root.nr_slices ==
		    SFS_ROOT_BYTES / sizeof(struct sfs_disk_slice)) {
			ret = -EFBIG;
			break;
		}
		root.slices[root.nr_slices++] = slice;
	}
	if (ret == 0)
		ret = sfs_port_flush(store->host, SFS_DEV_META);
	/* killed meanwhile, or what the root would rely on was not written */
	if (ret == 0)
		ret = sfs_store_error(store);
	if (ret == 0)
		ret = sfs_root_write(store->host, store->ident.id.fsid, &root);
	if (ret == 0)
		store->generation++;
	kvfree(root.slices);
	return ret;
}

/* *ret_ticket is that of the last transaction in the frozen generation. */
static int freeze(struct sfs_store *store, struct sfs_memgen **ret_gen,
		  struct sfs_log_place *ret_log, u64 *ret_ticket)
{
	struct sfs_memgen *gens[2];
	struct sfs_manifest *man;
	struct sfs_memgen *gen;
	int ret;

	gen = sfs_memgen_create();
	if (!gen)
		return -ENOMEM;
	mutex_lock(&store->mutex);
	/* half of a transaction may be in it since the caller looked */
	ret = sfs_store_error(store);
	if (ret < 0)
		goto out;
	gens[0] = gen;
	gens[1] = store->active;
	man = sfs_engine_manifest(&store->eng);
	/* whatever of the frozen generation is logged later is replayed twice */
	*ret_log = sfs_log_next(&store->log);
	*ret_ticket = sfs_store_ticket(store) - 1;
	ret = sfs_engine_swap(&store->eng, gens, 2, man);
	if (ret == 0) {
		store->frozen = store->active;
		store->active = gen;
		*ret_gen = store->frozen;
	}
	sfs_manifest_put(&store->eng, man);
out:
	mutex_unlock(&store->mutex);
	if (ret < 0)
		sfs_memgen_put(gen);
	return ret;
}

/* The frozen generation goes, the new version comes, in one swap. */
static int thaw(struct sfs_store *store, struct sfs_manifest *man)
{
	struct sfs_memgen *frozen;
	int ret;

	mutex_lock(&store->mutex);
	frozen = store->frozen;
	ret = sfs_engine_swap(&store->eng, &store->active, 1, man);
	if (ret == 0)
		store->frozen = NULL;
	mutex_unlock(&store->mutex);
	if (ret == 0)
		sfs_memgen_put(frozen);
	return ret;
}

static void checkpoint_free(struct checkpoint *cp)
{
	u32 i;

	for (i = 0; i < cp->edit.nr_add; i++)
		sfs_slice_put(cp->add[i]);
	for (i = 0; i < cp->edit.nr_del; i++)
		sfs_slice_put(cp->old[i]);
	kvfree(cp);
}

static struct checkpoint *checkpoint_alloc(struct sfs_store *store)
{
	struct checkpoint *cp;

	cp = kvzalloc(sizeof(*cp), GFP_NOFS);
	if (!cp)
		return NULL;
	cp->edit.add = cp->add;
	cp->edit.del = cp->del;
	cp->edit.version = ++store->version;
	return cp;
}

/*
 * The merged version comes, and its inputs are free: readers of this store hold
 * the mutex, so nobody is in the middle of the version before.
 */
static int swap_merged(struct sfs_store *store, struct checkpoint *cp,
		       struct sfs_manifest *man)
{
	int ret;
	u32 i;

	mutex_lock(&store->mutex);
	ret = sfs_engine_swap(&store->eng, &store->active, 1, man);
	for (i = 0; i < cp->edit.nr_del && ret == 0; i++)
		free_run(store, cp->old[i]->run);
	mutex_unlock(&store->mutex);
	return ret;
}

static int install(struct sfs_store *store, struct checkpoint *cp,
		   const struct sfs_log_place *log)
{
	struct sfs_manifest *old = sfs_engine_manifest(&store->eng);
	struct sfs_manifest *man;
	int ret;

	man = sfs_manifest_apply(store->host, old, &cp->edit);
	sfs_manifest_put(&store->eng, old);
	if (IS_ERR(man))
		return PTR_ERR(man);
	sfs_engine_adopt(&store->eng, man);
	ret = write_root(store, man, log);
	if (ret == 0)
		ret = cp->edit.nr_del ? swap_merged(store, cp, man) :
					thaw(store, man);
	sfs_manifest_put(&store->eng, man);
	return ret;
}

/*
 * Merging is a checkpoint of its own, without a frozen generation.  Its inputs
 * are free when no reader has the version before.
 */
static int merge(struct sfs_store *store, const struct sfs_log_place *log)
{
	struct sfs_manifest *man = sfs_engine_manifest(&store->eng);
	struct checkpoint *cp = NULL;
	int ret = 0;

	if (man->levels[0]->nr >= MERGE_SLICES) {
		cp = checkpoint_alloc(store);
		ret = cp ? merge_all(store, cp, man) : -ENOMEM;
	}
	sfs_manifest_put(&store->eng, man);
	if (cp && ret == 0)
		ret = install(store, cp, log);
	if (cp)
		checkpoint_free(cp);
	return ret;
}

static int checkpoint(struct sfs_store *store)
{
	struct sfs_memgen *gen = NULL;
	struct sfs_log_place log;
	struct checkpoint *cp;
	u64 ticket = 0;
	u64 items = 0;
	int ret;

	mutex_lock(&store->checkpoint_mutex);
	ret = sfs_store_error(store);
	if (ret == 0)
		ret = freeze(store, &gen, &log, &ticket);
	if (ret < 0)
		goto out;
	items = gen->nr_items;
	cp = checkpoint_alloc(store);
	ret = cp ? 0 : -ENOMEM;
	if (ret == 0 && gen->nr_items)
		ret = write_frozen(store, gen, cp);
	if (ret == 0)
		ret = sfs_store_wait(store, ticket);
	if (ret == 0)
		ret = install(store, cp, &log);
	if (cp)
		checkpoint_free(cp);
	if (ret == 0)
		ret = merge(store, &log);
	if (ret == 0) {
		sfs_log_trim(&store->log, &log);
		sfs_count(store->cnt, checkpoints);
	}
out:
	sfs_port_trace(store->host, SFS_TRACE_CHECKPOINT, store->generation,
		       items, ret);
	if (ret < 0 && !READ_ONCE(store->killed))
		sfs_err(store->host, "the server's checkpoint failed: error %d",
			ret);
	if (ret < 0)
		store_fail(store);
	mutex_unlock(&store->checkpoint_mutex);
	wake_up_all(&store->wait);
	return ret;
}

static void checkpoint_worker(struct work_struct *work)
{
	struct sfs_store *store = container_of(work, struct sfs_store,
					       checkpoint_work);
	bool wanted;

	mutex_lock(&store->mutex);
	wanted = wants_checkpoint(store);
	mutex_unlock(&store->mutex);
	if (wanted)
		checkpoint(store);
}

/* ---- opening and closing --------------------------------------------------- */

static int replay_change(void *arg, const struct sfs_log_change *change)
{
	struct sfs_store *store = arg;
	u32 bytes = sfs_memgen_item_bytes(change->val_len) + 8;
	u8 *mem;
	int ret;

	ret = sfs_memgen_cut(store->active, bytes, &mem);
	if (ret < 0)
		return ret;
	sfs_memgen_set(store->active, &mem, &bytes, &change->key, ++store->seq,
		       change->kind, change->val, change->val_len);
	sfs_memgen_uncut(store->active, mem, bytes);
	return 0;
}

static int mark_runs(struct sfs_store *store, const struct sfs_root *root)
{
	const struct sfs_run *run;
	int ret = 0;
	u32 i;
	u32 j;

	for (i = 0; i < root->nr_slices && ret == 0; i++) {
		run = root->slices[i]->run;
		for (j = 0; j < run->nr_pieces && ret == 0; j++)
			ret = sfs_region_mark(&store->region,
					      run->pieces[j].addr,
					      run->pieces[j].len);
	}
	if (ret < 0)
		sfs_err(store->host,
			"damaged root: a run lies outside of the server region");
	return ret;
}

static int load_manifest(struct sfs_store *store, struct sfs_root *root)
{
	struct sfs_edit edit = {
		.version = root->version,
		.nr_add = root->nr_slices,
		.add = root->slices,
	};
	struct sfs_manifest *old = sfs_engine_manifest(&store->eng);
	struct sfs_manifest *man;
	int ret;

	man = sfs_manifest_apply(store->host, old, &edit);
	sfs_manifest_put(&store->eng, old);
	if (IS_ERR(man))
		return PTR_ERR(man);
	sfs_engine_adopt(&store->eng, man);
	ret = sfs_engine_swap(&store->eng, &store->active, 1, man);
	sfs_manifest_put(&store->eng, man);
	return ret;
}

static void store_free(struct sfs_store *store)
{
	if (store->wq)
		destroy_workqueue(store->wq);
	sfs_log_exit(&store->log);
	sfs_log_exit(&store->old_log);
	sfs_engine_exit(&store->eng);
	if (store->active)
		sfs_memgen_put(store->active);
	if (store->frozen)
		sfs_memgen_put(store->frozen);
	sfs_region_exit(&store->region);
	kfree(store);
}

static struct sfs_store *store_alloc(struct sfs_host *host,
				     const struct sfs_identity *ident)
{
	struct sfs_store *store;
	int ret;

	store = kzalloc(sizeof(*store), GFP_NOFS);
	if (!store)
		return ERR_PTR(-ENOMEM);
	store->host = host;
	store->ident = *ident;
	mutex_init(&store->mutex);
	mutex_init(&store->checkpoint_mutex);
	spin_lock_init(&store->wait_lock);
	init_waitqueue_head(&store->wait);
	INIT_LIST_HEAD(&store->batches);
	INIT_WORK(&store->log_work, log_worker);
	INIT_WORK(&store->checkpoint_work, checkpoint_worker);
	sfs_log_init(&store->log, host, &store->region, ident->id.fsid);
	sfs_log_init(&store->old_log, host, &store->region, ident->id.fsid);
	ret = sfs_region_init(&store->region, ident);
	if (ret == 0) {
		/* the log's segments are whole units, known only now */
		sfs_log_init(&store->log, host, &store->region,
			     ident->id.fsid);
		sfs_log_init(&store->old_log, host, &store->region,
			     ident->id.fsid);
		store->active = sfs_memgen_create();
		store->wq = alloc_workqueue("sfs-store",
					    WQ_UNBOUND | WQ_MEM_RECLAIM, 2);
		if (!store->active || !store->wq)
			ret = -ENOMEM;
	}
	if (ret == 0)
		ret = sfs_engine_init(&store->eng, host, ident->id.fsid,
				      STORE_CACHE_BYTES);
	if (ret < 0) {
		store_free(store);
		return ERR_PTR(ret);
	}
	return store;
}

/* Root and log into memory; nothing is written. */
static int load(struct sfs_store *store, struct sfs_root *root)
{
	int ret;

	ret = sfs_root_read(store->host, &store->ident, root);
	if (ret < 0)
		return ret;
	store->generation = root->generation;
	store->root_copy = root->first_copy;
	store->version = root->version;
	store->term = root->term;
	store->replayed_from = root->log;
	/* above what this term's runs have, below what the next one will have */
	store->seq = root->term << 32 | 1ULL << 31;
	ret = mark_runs(store, root);
	if (ret == 0)
		ret = load_manifest(store, root);
	if (ret == 0)
		ret = sfs_log_replay(&store->old_log, root->term, &root->log,
				     replay_change, store, &store->replayed);
	sfs_root_free(root);
	return ret;
}

int sfs_store_open_readonly(struct sfs_host *host,
			    const struct sfs_identity *ident,
			    struct sfs_store **ret_store)
{
	struct sfs_store *store;
	struct sfs_root root;
	int ret;

	store = store_alloc(host, ident);
	if (IS_ERR(store))
		return PTR_ERR(store);
	store->readonly = true;
	ret = load(store, &root);
	if (ret < 0) {
		store_free(store);
		return ret;
	}
	*ret_store = store;
	return 0;
}

int sfs_store_open(struct sfs_host *host, const struct sfs_identity *ident,
		   struct sfs_store **ret_store)
{
	struct sfs_store *store;
	struct sfs_root root;
	int ret;

	store = store_alloc(host, ident);
	if (IS_ERR(store))
		return PTR_ERR(store);
	ret = load(store, &root);
	if (ret == 0) {
		store->term = root.term + 1;
		store->seq = store->term << 32;
		ret = sfs_log_start(&store->log, store->term);
	}
	if (ret == 0)
		ret = checkpoint(store);
	if (ret < 0) {
		store_free(store);
		return ret;
	}
	sfs_log_retire(&store->old_log);
	*ret_store = store;
	return 0;
}

void sfs_store_close(struct sfs_store *store)
{
	if (!store->readonly) {
		flush_workqueue(store->wq);
		if (!sfs_store_error(store))
			checkpoint(store);
	}
	store_free(store);
}

int sfs_store_format(struct sfs_host *host, const struct sfs_identity *ident)
{
	struct sfs_store *store;
	int ret;

	store = store_alloc(host, ident);
	if (IS_ERR(store))
		return PTR_ERR(store);
	store->term = 1;
	ret = sfs_log_start(&store->log, store->term);
	if (ret == 0)
		ret = checkpoint(store);
	store_free(store);
	return ret;
}

/* ---- printing -------------------------------------------------------------- */

int sfs_store_to_text(struct sfs_store *store, char *buf, u32 size)
{
	u64 pending;
	u64 durable;
	u64 ended;
	int err;

	spin_lock(&store->wait_lock);
	pending = store->pending_bytes;
	durable = store->durable;
	ended = store->ended;
	err = store->err;
	spin_unlock(&store->wait_lock);
	return scnprintf(buf, size,
			 "store term %llu transactions %llu durable %llu pending-bytes %llu log-bytes %llu region-bytes %llu used %llu error %d",
			 store->term, ended, durable, pending,
			 sfs_log_bytes(&store->log), store->ident.region_bytes,
			 sfs_store_region_used(store), err);
}

void sfs_store_log(struct sfs_store *store, struct sfs_log_place *ret_from,
		   u64 *ret_records)
{
	*ret_from = store->replayed_from;
	*ret_records = store->replayed;
}

int sfs_store_log_segments(struct sfs_store *store,
			   int (*fn)(void *arg, u64 addr, u64 bytes),
			   void *arg)
{
	struct sfs_log_segment *seg;
	int ret = 0;

	list_for_each_entry(seg, &store->old_log.segments, head) {
		ret = fn(arg, seg->addr, seg->bytes);
		if (ret < 0)
			break;
	}
	return ret;
}

void sfs_store_print(struct sfs_store *store,
		     void (*line)(void *arg, const char *text), void *arg)
{
	struct sfs_manifest *man = sfs_engine_manifest(&store->eng);
	struct sfs_slice *slice;
	char *buf;
	u32 l;
	u32 i;

	buf = kmalloc(512, GFP_NOFS);
	if (!buf)
		goto out;
	scnprintf(buf, 512,
		  "root generation %llu term %llu manifest version %llu",
		  store->generation, store->term, man->version);
	line(arg, buf);
	scnprintf(buf, 512,
		  "log from byte %llu in segment %llu position %llu, %llu records",
		  store->replayed_from.addr, store->replayed_from.segment,
		  store->replayed_from.pos, store->replayed);
	line(arg, buf);
	scnprintf(buf, 512, "server region units %u of %u bytes, %u used",
		  store->region.nr_units, store->region.unit_bytes,
		  store->region.nr_used);
	line(arg, buf);
	sfs_manifest_for_each(man, l, i, slice) {
		sfs_slice_to_text(slice, buf, 512);
		line(arg, buf);
	}
	kfree(buf);
out:
	sfs_manifest_put(&store->eng, man);
}

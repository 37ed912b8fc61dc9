// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts and power cuts.
 *
 * Fibers change items and data extents in holds and publish; compaction runs
 * beside them.  What a cut would leave at many moments is started again: items
 * and data space must be those of all holds in the first so many transactions,
 * and at least of those that a publish was told to be durable.
 */
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "tests/unit/lib/world.h"

#define NR_FIBERS 3
#define NR_KEYS 240
#define NR_HOLDS 400		/* of each fiber */
#define MAX_CHANGES 10
#define DATA_BLOCKS (64 * UNIT_MIB / SFS_UNIT)

struct change {
	u16 key;
	u32 tag;
};

struct hold {
	u64 txn_nr;
	u32 nr;
	struct change changes[MAX_CHANGES];
	/* a data extent that was put into or taken out of a file */
	u64 start;
	u32 count;
	bool frees;
};

struct fiber {
	struct run *run;
	struct hold *holds;	/* counted from 1 */
	u32 nr_holds;
	u32 id;
};

struct run {
	struct world w;
	struct pool pool;
	struct fiber fibers[NR_FIBERS];
	u64 ended;		/* highest transaction a hold has ended in */
	u64 promised;		/* transactions up to it are durable */
	u64 unused;
	u64 seed;
};

static struct sfs_key counter_key(u32 id)
{
	return SFS_KEY(SFS_ZONE_FEED, 1, 0, id, 0, 0);
}

/* ---- the workload -------------------------------------------------------- */

static void random_changes(struct fiber *fib, struct rng *rng,
			   struct hold *hold)
{
	u32 i;

	hold->nr = 1 + rng_below(rng, MAX_CHANGES);
	for (i = 0; i < hold->nr; i++) {
		/* each fiber has keys of its own */
		hold->changes[i].key = (u16)(rng_below(rng, NR_KEYS /
						       NR_FIBERS) *
						     NR_FIBERS + fib->id);
		hold->changes[i].tag = rng_below(rng, 4) ?
					       (u32)rng_u64(rng) | 1 : 0;
	}
}

/* An extent that this fiber has put into a file and not taken out again. */
static bool pick_used(struct fiber *fib, struct rng *rng, struct hold *hold)
{
	u32 n = 1 + rng_below(rng, fib->nr_holds);
	struct hold *old = &fib->holds[n];
	u32 i;

	if (!old->count || old->frees)
		return false;
	for (i = n + 1; i <= fib->nr_holds; i++) {
		if (fib->holds[i].frees && fib->holds[i].start == old->start)
			return false;
	}
	hold->start = old->start;
	hold->count = old->count;
	hold->frees = true;
	return true;
}

static void pick_data(struct fiber *fib, struct rng *rng, struct hold *hold)
{
	u64 count;

	switch (rng_below(rng, 4)) {
	case 0:
		if (sfs_data_reserve(fib->run->w.fs, 0, 1 + rng_below(rng, 20),
				     &hold->start, &count) < 0)
			bail_out("no data space");
		hold->count = (u32)count;
		break;
	case 1:
		if (fib->nr_holds)
			pick_used(fib, rng, hold);
		break;
	}
}

static void do_hold(struct fiber *fib, struct rng *rng)
{
	struct sfs_need need = { MAX_CHANGES + 1, 0, 1 };
	struct sfs_fs *fs = fib->run->w.fs;
	struct pool *pool = &fib->run->pool;
	struct hold *rec = &fib->holds[fib->nr_holds + 1];
	struct sfs_key key = counter_key(fib->id);
	u8 buf[SFS_ITEM_MAX_VAL];
	struct change *change;
	struct sfs_hold hold;
	__le64 count;
	u32 i;

	random_changes(fib, rng, rec);
	pick_data(fib, rng, rec);
	need.val_bytes = MAX_CHANGES * pool->max_val + 8;
	if (sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need) < 0)
		bail_out("hold");
	rec->txn_nr = hold.txn_nr;
	fib->nr_holds++;
	for (i = 0; i < rec->nr; i++) {
		change = &rec->changes[i];
		if (change->tag)
			sfs_item_put(fs, &hold, &pool->keys[change->key], buf,
				     value_fill(pool, change->tag, buf));
		else
			sfs_item_del(fs, &hold, &pool->keys[change->key]);
		shim_yield();
	}
	count = cpu_to_le64(fib->nr_holds);
	sfs_item_put(fs, &hold, &key, &count, sizeof(count));
	if (rec->count && rec->frees)
		sfs_data_free(fs, &hold, rec->start, rec->count);
	else if (rec->count)
		sfs_data_consume(fs, &hold, rec->start, rec->count);
	sfs_hold_end(fs, &hold);
	fib->run->ended = max(fib->run->ended, rec->txn_nr);
}

static void worker(void *arg)
{
	struct fiber *fib = arg;
	struct run *run = fib->run;
	struct rng rng = { run->seed * 104729 + fib->id };
	u64 ended;

	while (fib->nr_holds < NR_HOLDS) {
		do_hold(fib, &rng);
		if (rng_below(&rng, 6) == 0) {
			ended = run->ended;
			if (sfs_publish(run->w.fs) < 0)
				bail_out("publish");
			run->promised = max(run->promised, ended);
		}
		if (rng_below(&rng, 10) == 0)
			shim_sleep_ns(rng_below(&rng, 20000000));
	}
}

/* ---- what is there after a cut ------------------------------------------- */

/* How many holds of a fiber are there. */
static bool get_count(struct sfs_fs *fs, u32 id, u32 *ret_count)
{
	struct sfs_key key = counter_key(id);
	__le64 count = 0;
	int ret = sfs_item_get(fs, &key, &count, sizeof(count));

	*ret_count = (u32)le64_to_cpu(count);
	return ret == sizeof(count) || ret == -ENOENT;
}

/* Whether the counts are those of some transaction not below @promised. */
static bool counts_fit(const struct run *run, const u32 *counts, u64 promised)
{
	u64 high = U64_MAX;
	u64 low = promised;
	const struct fiber *fib;
	u32 i;

	for (i = 0; i < NR_FIBERS; i++) {
		fib = &run->fibers[i];
		if (counts[i] > fib->nr_holds)
			return false;
		if (counts[i])
			low = max(low, fib->holds[counts[i]].txn_nr);
		if (counts[i] < fib->nr_holds)
			high = min(high, fib->holds[counts[i] + 1].txn_nr - 1);
	}
	if (low > high)
		diag("transactions %llu to %llu, %llu promised", low, high,
		     promised);
	return low <= high;
}

static void model_at(const struct run *run, const u32 *counts, u32 *tags,
		     u8 *used)
{
	const struct hold *hold;
	u32 f;
	u32 h;
	u32 i;

	memset(tags, 0, NR_KEYS * sizeof(*tags));
	memset(used, 0, DATA_BLOCKS);
	/* first what was taken out, then what was put in, as a publish does */
	for (f = 0; f < NR_FIBERS; f++) {
		for (h = 1; h <= counts[f]; h++) {
			hold = &run->fibers[f].holds[h];
			for (i = 0; i < hold->nr; i++)
				tags[hold->changes[i].key] =
					hold->changes[i].tag;
			for (i = 0; i < hold->count; i++)
				used[hold->start + i] += hold->frees ? -1 : 1;
		}
	}
}

static bool check_world(const struct run *run, struct world *w, u64 promised,
			u32 *counts)
{
	struct sfs_iter it;
	u32 tags[NR_KEYS];
	bool good = true;
	u8 *used;
	u32 i;

	for (i = 0; i < NR_FIBERS && good; i++)
		good = get_count(w->fs, i, &counts[i]);
	if (!good || !counts_fit(run, counts, promised))
		return false;
	used = unit_alloc(DATA_BLOCKS);
	model_at(run, counts, tags, used);
	sfs_item_iter_init(w->fs, &it, &run->pool.keys[0],
			   &run->pool.keys[NR_KEYS - 1]);
	good = iter_matches(&it, &run->pool, tags, 0, NR_KEYS - 1) &&
	       world_data_fits(w, used, true) && world_segs_fit(w);
	unit_free(used);
	return good;
}

static bool check_cut(const struct run *run, struct vol *vol, u64 promised)
{
	struct world w = { .vol = *vol };
	u32 counts[NR_FIBERS];
	bool good = false;
	int ret;

	ret = world_start(&w);
	if (ret < 0) {
		diag("start: %d", ret);
		sim_host_log_dump(vol->host);
	} else {
		good = check_world(run, &w, promised, counts);
		if (world_stop(&w) < 0)
			good = false;
	}
	vol_destroy(vol);
	return good;
}

static void check_moments(struct run *run, struct moments *m)
{
	static const char *const names[] = {
		"cache lost", "nothing lost", "some lost", "sectors lost",
	};
	struct vol vol;
	bool good;
	u32 loss;
	u32 i;

	for (loss = SIM_LOSE_CACHE; loss <= SIM_LOSE_SECTORS; loss++) {
		good = true;
		for (i = 0; good && i < m->nr; i++) {
			/* each moment with one of the four */
			if ((i + run->seed) % 4 != loss)
				continue;
			moments_vol(m, i, run->seed + i, loss, &vol);
			good = check_cut(run, &vol, m->at[i].promised);
			if (!good)
				diag("moment %u of %u", i, m->nr);
		}
		ok(good, "cuts with %s", names[loss]);
	}
}

static void run_begin(struct run *run)
{
	struct sim_disk_opts opts = {
		.seed = run->seed,
		.min_us = 20,
		.max_us = 300,
		.slow_us = 20000,
		.slow_one_in = run->seed % 2 ? 10 : 200,
	};
	u32 i;

	vol_create_on(&run->w.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, &opts);
	vol_format(&run->w.vol);
	pool_init(&run->pool, NR_KEYS, run->seed % 3 ? 300 : 3900, run->seed);
	for (i = 0; i < NR_FIBERS; i++) {
		run->fibers[i].run = run;
		run->fibers[i].id = i;
		run->fibers[i].holds = unit_alloc((NR_HOLDS + 1) *
						  sizeof(struct hold));
	}
}

int shim_main(int argc, char **argv)
{
	struct run run = { .seed = shim_seed() };
	struct shim_task *tasks[NR_FIBERS];
	u32 counts[NR_FIBERS];
	struct moments m;
	u32 i;

	run_begin(&run);
	if (world_start(&run.w) < 0)
		bail_out("start");
	moments_start(&m, &run.w.vol, 500, 1, &run.promised, &run.unused);
	for (i = 0; i < NR_FIBERS; i++)
		tasks[i] = shim_go("worker", worker, &run.fibers[i]);
	for (i = 0; i < NR_FIBERS; i++)
		shim_join(tasks[i]);
	is_int(sfs_publish(run.w.fs), 0, "last publish");
	ok(check_world(&run, &run.w, run.ended, counts), "everything is there");
	is_int(world_stop(&run.w), 0, "leave and stop");
	moments_stop(&m);
	diag("%u effects, %u moments", m.seen, m.nr);
	is_int(world_start(&run.w), 0, "start again");
	ok(check_world(&run, &run.w, run.ended, counts), "it still is");
	is_int(world_stop(&run.w), 0, "leave and stop");
	check_moments(&run, &m);
	moments_free(&m);
	for (i = 0; i < NR_FIBERS; i++)
		unit_free(run.fibers[i].holds);
	pool_exit(&run.pool);
	vol_destroy(&run.w.vol);
	return done_testing();
}

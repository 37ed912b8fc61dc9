// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's store and power cuts.
 *
 * Fibers run transactions; at many moments what a cut of the power would leave
 * is put aside.  Each is opened: what is there must be what the first so many
 * transactions made, and at least those that somebody had waited for.  Opening
 * is cut, too, and what that leaves is opened again.
 */
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "engine/store.h"
#include "tests/unit/lib/unit.h"

#define NR_KEYS 160
#define NR_TXNS 700
#define NR_FIBERS 3
#define MAX_CHANGES 12

struct change {
	u16 key;
	u32 tag;		/* 0: deleted */
};

struct txn {
	u32 nr;
	struct change changes[MAX_CHANGES];
};

struct run {
	struct vol vol;
	struct pool pool;
	struct sfs_store *store;
	struct txn *txns;	/* NR_TXNS + 1, the first is not used */
	u64 begun;		/* transactions that made their changes */
	u64 promised;		/* all up to it are durable, somebody was told */
	u32 left;		/* for fibers to do */
	u64 seed;
};

static const struct sfs_key counter_key = SFS_KEY(200, 0, 0, 0, 0, 0);

static void random_txn(struct run *run, struct rng *rng, struct txn *txn)
{
	struct change *change;
	u32 i;

	txn->nr = 1 + rng_below(rng, MAX_CHANGES);
	for (i = 0; i < txn->nr; i++) {
		change = &txn->changes[i];
		change->key = (u16)rng_below(rng, NR_KEYS);
		change->tag = rng_below(rng, 5) ? (u32)rng_u64(rng) | 1 : 0;
	}
}

static u64 do_txn(struct run *run, struct rng *rng, u64 *ret_nr)
{
	u8 buf[SFS_ITEM_MAX_VAL];
	struct sfs_store_txn st;
	struct change *change;
	struct txn *txn;
	__le64 count;
	u32 i;
	int ret;

	ret = sfs_store_begin(run->store, &st, MAX_CHANGES + 1,
			      MAX_CHANGES * run->pool.max_val + 8);
	if (ret < 0)
		bail_out("begin: %d", ret);
	/* the store's mutex is held from here on */
	*ret_nr = ++run->begun;
	BUG_ON(run->begun > NR_TXNS);
	txn = &run->txns[run->begun];
	random_txn(run, rng, txn);
	for (i = 0; i < txn->nr; i++) {
		change = &txn->changes[i];
		if (change->tag)
			sfs_store_put(run->store, &st,
				      &run->pool.keys[change->key], buf,
				      value_fill(&run->pool, change->tag, buf));
		else
			sfs_store_del(run->store, &st,
				      &run->pool.keys[change->key]);
	}
	count = cpu_to_le64(*ret_nr);
	sfs_store_put(run->store, &st, &counter_key, &count, sizeof(count));
	return sfs_store_end(run->store, &st);
}

static void worker(void *arg)
{
	struct run *run = arg;
	struct rng rng = { run->seed * 7919 + run->left };
	u64 ticket;
	u64 nr;

	while (run->left) {
		run->left--;
		ticket = do_txn(run, &rng, &nr);
		if (rng_below(&rng, 3) == 0) {
			if (sfs_store_wait(run->store, ticket) < 0)
				bail_out("wait");
			run->promised = max(run->promised, nr);
		}
		if (rng_below(&rng, 8) == 0)
			shim_sleep_ns(rng_below(&rng, 3000000));
	}
}

/* Tags after the first @nr transactions. */
static void model_at(const struct run *run, u64 nr, u32 *tags)
{
	u64 t;
	u32 i;

	memset(tags, 0, NR_KEYS * sizeof(*tags));
	for (t = 1; t <= nr; t++) {
		for (i = 0; i < run->txns[t].nr; i++)
			tags[run->txns[t].changes[i].key] =
				run->txns[t].changes[i].tag;
	}
}

/* How many transactions the store has; all compared with the model. */
static bool check_store(const struct run *run, struct sfs_store *store,
			u64 at_least, u64 at_most, u64 *ret_nr)
{
	struct sfs_engine *eng = sfs_store_engine(store);
	u32 tags[NR_KEYS];
	__le64 count = 0;
	u64 nr;
	int ret;

	ret = sfs_engine_get(eng, &counter_key, &count, sizeof(count));
	if (ret < 0 && ret != -ENOENT) {
		diag("counter: %d", ret);
		return false;
	}
	nr = ret < 0 ? 0 : le64_to_cpu(count);
	*ret_nr = nr;
	if (nr < at_least || nr > at_most) {
		diag("%llu transactions are there, %llu were promised, %llu made",
		     nr, at_least, at_most);
		return false;
	}
	model_at(run, nr, tags);
	return engine_matches(eng, &run->pool, tags);
}

/* Opens @vol, which then is gone. */
static bool check_cut(const struct run *run, struct vol *vol, u64 at_least,
		      u64 at_most, u64 *ret_nr)
{
	struct sfs_store *store;
	bool good = false;
	int ret;

	ret = sfs_store_open(vol->host, &vol->ident, &store);
	if (ret < 0) {
		diag("open: %d", ret);
		sim_host_log_dump(vol->host);
	} else {
		good = check_store(run, store, at_least, at_most, ret_nr);
		sfs_store_close(store);
	}
	vol_destroy(vol);
	return good;
}

/*
 * Opening what is left of moment @i is cut at each of its writes in turn; that
 * changes nothing about what is there.
 */
static bool check_second_cut(const struct run *run, const struct moments *m,
			     u32 i, enum sim_loss loss, u64 nr)
{
	struct sfs_store *store;
	struct vol again;
	struct vol vol;
	bool off = true;
	u64 seed;
	u32 at;

	for (at = 1; off; at++) {
		seed = run->seed + i + at;
		moments_vol(m, i, run->seed + i, loss, &vol);
		sim_host_cut_at(vol.host, at, seed % 4 ? SIM_CUT_TORN :
						SIM_CUT_AFTER);
		if (sfs_store_open(vol.host, &vol.ident, &store) == 0)
			sfs_store_close(store);
		off = sim_host_is_off(vol.host);
		if (off) {
			vol_from(&again, &vol,
				 sim_host_image(vol.host, SFS_DEV_META, seed,
						SIM_LOSE_SOME),
				 sim_host_image(vol.host, SFS_DEV_DATA, seed,
						SIM_LOSE_SOME), seed);
			if (!check_cut(run, &again, nr, nr, &nr)) {
				diag("write %u of opening was cut", at);
				vol_destroy(&vol);
				return false;
			}
		}
		vol_destroy(&vol);
	}
	return true;
}

static void check_moments(struct run *run, struct moments *m)
{
	static const char *const names[] = {
		"cache lost", "nothing lost", "some lost", "sectors lost",
	};
	struct vol vol;
	bool good;
	u32 loss;
	u64 nr;
	u32 i;

	for (loss = SIM_LOSE_CACHE; loss <= SIM_LOSE_SECTORS; loss++) {
		good = true;
		for (i = 0; good && i < m->nr; i++) {
			/* each moment with two of the four */
			if ((i + loss) % 2)
				continue;
			moments_vol(m, i, run->seed + i, loss, &vol);
			good = check_cut(run, &vol, m->at[i].promised,
					 m->at[i].begun, &nr);
			if (good && (i + run->seed) % 12 == 0)
				good = check_second_cut(run, m, i, loss, nr);
			if (!good)
				diag("moment %u of %u", i, m->nr);
		}
		ok(good, "cuts with %s", names[loss]);
	}
}

int shim_main(int argc, char **argv)
{
	struct shim_task *tasks[NR_FIBERS];
	struct run run = { .seed = shim_seed(), .left = NR_TXNS };
	struct moments m;
	u64 nr;
	u32 i;
	struct sim_disk_opts opts = {
		.seed = shim_seed(),
		.min_us = 20,
		.max_us = 200,
		.slow_us = 30000,
		.slow_one_in = shim_seed() % 3 ? 3 : 100,
	};

	vol_create_on(&run.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, &opts);
	pool_init(&run.pool, NR_KEYS, 3900, run.seed);
	run.txns = unit_alloc((NR_TXNS + 1) * sizeof(*run.txns));
	is_int(sfs_store_format(run.vol.host, &run.vol.ident), 0, "format");
	moments_start(&m, &run.vol, 400, 1, &run.promised, &run.begun);
	is_int(sfs_store_open(run.vol.host, &run.vol.ident, &run.store), 0,
	       "open");
	for (i = 0; i < NR_FIBERS; i++)
		tasks[i] = shim_go("worker", worker, &run);
	for (i = 0; i < NR_FIBERS; i++)
		shim_join(tasks[i]);
	ok(check_store(&run, run.store, run.begun, run.begun, &nr),
	   "everything is there");
	sfs_store_close(run.store);
	moments_stop(&m);
	diag("%u effects, %u moments", m.seen, m.nr);
	check_moments(&run, &m);
	moments_free(&m);
	unit_free(run.txns);
	pool_exit(&run.pool);
	vol_destroy(&run.vol);
	return done_testing();
}

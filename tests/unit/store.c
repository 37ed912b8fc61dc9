// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's store without power cuts: damaged roots, failing transfers and
 * allocations, a log that grows faster than it is written, many checkpoints.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "engine/store.h"
#include "tests/unit/lib/unit.h"

#define NR_KEYS 300

struct run {
	struct vol vol;
	struct pool pool;
	struct sfs_store *store;
	u32 *tags;
	struct rng rng;
};

static void run_begin(struct run *run, u32 max_val)
{
	memset(run, 0, sizeof(*run));
	run->rng.state = shim_seed();
	vol_create(&run->vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	pool_init(&run->pool, NR_KEYS, max_val, shim_seed());
	run->tags = tags_new(&run->pool);
	if (sfs_store_format(run->vol.host, &run->vol.ident) < 0)
		bail_out("format");
}

static void run_end(struct run *run)
{
	unit_free(run->tags);
	pool_exit(&run->pool);
	vol_destroy(&run->vol);
}

static int run_open(struct run *run)
{
	return sfs_store_open(run->vol.host, &run->vol.ident, &run->store);
}

/* One transaction of @nr changes; its ticket or a negative errno. */
static s64 change(struct run *run, u32 nr)
{
	u8 buf[SFS_ITEM_MAX_VAL];
	struct sfs_store_txn txn;
	u32 key;
	u32 i;
	int ret;

	ret = sfs_store_begin(run->store, &txn, nr, nr * run->pool.max_val);
	if (ret < 0)
		return ret;
	for (i = 0; i < nr; i++) {
		key = rng_below(&run->rng, NR_KEYS);
		run->tags[key] = rng_below(&run->rng, 5) ?
					 (u32)rng_u64(&run->rng) | 1 : 0;
		if (run->tags[key])
			sfs_store_put(run->store, &txn, &run->pool.keys[key],
				      buf, value_fill(&run->pool,
						      run->tags[key], buf));
		else
			sfs_store_del(run->store, &txn, &run->pool.keys[key]);
	}
	return (s64)sfs_store_end(run->store, &txn);
}

static bool matches(struct run *run)
{
	u32 i;

	for (i = 0; i < 20; i++) {
		if (!engine_has(sfs_store_engine(run->store), &run->pool, i,
				run->tags[i]))
			return false;
	}
	return engine_matches(sfs_store_engine(run->store), &run->pool,
			      run->tags);
}

static void test_reopen(void)
{
	bool good = true;
	struct run run;
	u32 round;
	u64 term;
	u32 i;

	run_begin(&run, 3900);
	for (round = 0; round < 8 && good; round++) {
		good = run_open(&run) == 0 && matches(&run);
		term = sfs_store_term(run.store);
		good = good && term == round + 2;
		for (i = 0; i < 120 && good; i++)
			good = change(&run, 1 + rng_below(&run.rng, 12)) >= 0;
		good = good && matches(&run);
		sfs_store_close(run.store);
	}
	ok(good, "what was changed is there after each opening");
	is_int(run_open(&run), 0, "open");
	ok(sfs_store_region_used(run.store) < 4 * UNIT_MIB,
	   "%llu KiB of the region are used",
	   sfs_store_region_used(run.store) >> 10);
	sfs_store_close(run.store);
	is_int(sfs_store_open_readonly(run.vol.host, &run.vol.ident,
				       &run.store), 0, "open for reading");
	ok(matches(&run), "it is the same");
	sfs_store_close(run.store);
	run_end(&run);
}

/* Transactions that nobody waits for, while the log is slow. */
static void test_flood(void)
{
	struct sim_fault slow = { .ops = 0 };
	bool good = true;
	struct run run;
	s64 last = 0;
	u32 i;

	run_begin(&run, 3900);
	sim_disk_add_fault(run.vol.disk[SFS_DEV_META], &slow);
	is_int(run_open(&run), 0, "open");
	for (i = 0; i < 120 && good; i++) {
		last = change(&run, 100);
		good = last >= 0;
	}
	ok(good, "transactions without waiting");
	is_int(sfs_store_wait(run.store, last), 0, "all are durable");
	ok(matches(&run), "and there");
	sfs_store_close(run.store);
	sim_disk_clear_faults(run.vol.disk[SFS_DEV_META]);
	run_end(&run);
}

static void test_roots(void)
{
	static const u64 addr[] = { SFS_META_ROOT_A, SFS_META_ROOT_B };
	struct sim_fault fault = {
		.ops = SIM_READ,
		.err = -EIO,
		.len = SFS_ROOT_BYTES,
	};
	struct sim_disk *disk;
	struct run run;
	u32 i;

	run_begin(&run, 100);
	disk = run.vol.disk[SFS_DEV_META];
	is_int(run_open(&run), 0, "open");
	change(&run, 30);
	sfs_store_close(run.store);
	for (i = 0; i < 2; i++) {
		sim_disk_flip(disk, addr[i] + rng_below(&run.rng, 90), 3);
		is_int(run_open(&run), 0, "root %u is damaged", i);
		ok(matches(&run), "everything is there");
		change(&run, 30);
		sfs_store_close(run.store);
		fault.off = addr[i];
		sim_disk_add_fault(disk, &fault);
		is_int(run_open(&run), 0, "root %u is not readable", i);
		ok(matches(&run), "everything is there");
		sfs_store_close(run.store);
		sim_disk_clear_faults(disk);
	}
	for (i = 0; i < 2; i++)
		sim_disk_flip(disk, addr[i] + rng_below(&run.rng, 90), 3);
	is_int(run_open(&run), -EIO, "both roots are damaged");
	ok(sim_host_logged(run.vol.host, SFS_LOG_ERR, "neither"),
	   "and it is said");
	run_end(&run);
}

/* A write fails: nothing becomes durable any more, and all is said. */
static void test_errors(void)
{
	struct sim_fault fault = {
		.ops = SIM_WRITE,
		.err = -EIO,
		.len = 64 * UNIT_MIB,
	};
	struct run run;
	u32 *before;
	s64 ticket;
	u32 skip;
	int ret;

	run_begin(&run, 1000);
	before = tags_new(&run.pool);
	for (skip = 0; skip < 12; skip++) {
		is_int(run_open(&run), 0, "open");
		fault.skip = skip;
		sim_disk_add_fault(run.vol.disk[SFS_DEV_META], &fault);
		do {
			memcpy(before, run.tags, NR_KEYS * sizeof(u32));
			ticket = change(&run, 5);
			ret = ticket < 0 ? (int)ticket :
			      sfs_store_wait(run.store, ticket);
		} while (ret == 0);
		is_int(ret, -EIO, "write %u fails", skip);
		is_int(sfs_store_error(run.store), -EIO, "the store says so");
		is_int(change(&run, 1), -EIO, "and does no more");
		sfs_store_close(run.store);
		sim_disk_clear_faults(run.vol.disk[SFS_DEV_META]);
		/* the one that failed may be there or not */
		is_int(run_open(&run), 0, "open again");
		if (!engine_matches(sfs_store_engine(run.store), &run.pool,
				    before))
			ok(matches(&run), "with the one that failed");
		else
			memcpy(run.tags, before, NR_KEYS * sizeof(u32));
		sfs_store_close(run.store);
	}
	unit_free(before);
	run_end(&run);
}

static void test_no_memory(void)
{
	bool good = true;
	struct run run;
	u64 failed;
	int ret;
	u32 nth;

	run_begin(&run, 500);
	is_int(run_open(&run), 0, "open");
	change(&run, 200);
	sfs_store_close(run.store);
	for (nth = 1; good; nth++) {
		failed = shim_alloc_failed();
		shim_alloc_fail_nth(nth);
		ret = run_open(&run);
		shim_alloc_fail_nth(0);
		failed = shim_alloc_failed() - failed;
		if (ret == 0) {
			good = matches(&run);
			sfs_store_close(run.store);
		} else {
			good = ret == -ENOMEM;
		}
		if (!good)
			diag("allocation %u: %d", nth, ret);
		if (!failed)
			break;
	}
	ok(good && nth > 20, "opening without memory, %u times", nth);
	run_end(&run);
}

int shim_main(int argc, char **argv)
{
	test_reopen();
	test_flood();
	test_roots();
	test_errors();
	test_no_memory();
	return done_testing();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount without power cuts: readers beside holds, publishes and compaction
 * never miss an item; walks of indexes see what is stable and nothing else;
 * the stable sequence covers what was published and never goes down; a mount
 * that can not publish is down.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "tests/unit/lib/world.h"

#define NR_KEYS 200

struct run {
	struct world w;
	struct pool pool;
	u32 *tags;
	bool stop;
	bool good;
	u32 reads;
	u32 walks;
};

static void run_begin(struct run *run)
{
	memset(run, 0, sizeof(*run));
	vol_create(&run->w.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	vol_format(&run->w.vol);
	pool_init(&run->pool, NR_KEYS, 400, shim_seed());
	run->tags = tags_new(&run->pool);
	run->good = true;
	if (world_start(&run->w) < 0)
		bail_out("start");
}

static void run_end(struct run *run)
{
	is_int(world_stop(&run->w), 0, "leave and stop");
	unit_free(run->tags);
	pool_exit(&run->pool);
	vol_destroy(&run->w.vol);
}

static u64 put(struct run *run, const u32 *keys, const u32 *tags, u32 nr)
{
	struct sfs_need need = { nr, nr * run->pool.max_val, 0 };
	struct sfs_hold hold;
	u8 buf[400];
	u32 i;

	if (sfs_hold_begin(run->w.fs, NULL, &hold, SFS_SPACE_USER, &need) < 0)
		bail_out("hold");
	for (i = 0; i < nr; i++) {
		run->tags[keys[i]] = tags[i];
		if (tags[i])
			sfs_item_put(run->w.fs, &hold,
				     &run->pool.keys[keys[i]], buf,
				     value_fill(&run->pool, tags[i], buf));
		else
			sfs_item_del(run->w.fs, &hold,
				     &run->pool.keys[keys[i]]);
	}
	sfs_hold_end(run->w.fs, &hold);
	return hold.stamp;
}

/* ---- readers ------------------------------------------------------------- */

/* Keys with even numbers are always there, odd ones come and go. */
static void reader(void *arg)
{
	struct run *run = arg;
	struct rng rng = { shim_seed() + 77 };
	struct sfs_iter it;
	u8 buf[400];
	u32 next;
	u32 i;
	int ret;

	while (!run->stop && run->good) {
		i = 2 * rng_below(&rng, NR_KEYS / 2);
		ret = sfs_item_get(run->w.fs, &run->pool.keys[i], buf,
				   sizeof(buf));
		run->good = ret >= 0;
		run->reads++;
		if (!run->good)
			diag("key %u: %d", i, ret);
		if (run->reads % 8)
			continue;
		next = 0;
		sfs_item_iter_init(run->w.fs, &it, &run->pool.keys[0],
				   &run->pool.keys[NR_KEYS - 1]);
		while (run->good && (ret = sfs_iter_next(&it)) > 0) {
			for (i = next; i < NR_KEYS; i++) {
				if (sfs_key_equal(&run->pool.keys[i], &it.key))
					break;
			}
			/* at most one odd key may be passed over */
			run->good = i < NR_KEYS && (i == next || i == next + 1)
				    && (i == next || next % 2);
			next = i + 1;
			shim_yield();
		}
		if (run->good && ret == 0)
			run->good = next >= NR_KEYS - 1;
		if (!run->good)
			diag("a walk finds key %u of %u, ret %d", next - 1,
			     NR_KEYS, ret);
		sfs_iter_exit(&it);
		run->walks++;
	}
}

static void test_readers(void)
{
	struct shim_task *tasks[2];
	struct rng rng = { shim_seed() };
	struct run run;
	u32 round;
	u32 key;
	u32 tag;
	u32 i;

	run_begin(&run);
	for (i = 0; i < NR_KEYS; i += 2) {
		tag = i + 1;
		put(&run, &i, &tag, 1);
	}
	for (i = 0; i < 2; i++)
		tasks[i] = shim_go("reader", reader, &run);
	for (round = 0; round < 60 && run.good; round++) {
		for (i = 0; i < 20; i++) {
			key = rng_below(&rng, NR_KEYS);
			tag = key % 2 && rng_below(&rng, 2) ?
				      0 : (u32)rng_u64(&rng) | 1;
			put(&run, &key, &tag, 1);
			if (rng_below(&rng, 4) == 0)
				shim_yield();
		}
		if (sfs_publish(run.w.fs) < 0)
			run.good = false;
	}
	run.stop = true;
	for (i = 0; i < 2; i++)
		shim_join(tasks[i]);
	ok(run.good, "%u reads and %u walks beside %u publishes", run.reads,
	   run.walks, round);
	ok(engine_matches(&run.w.fs->eng, &run.pool, run.tags),
	   "the mount is as the model");
	run_end(&run);
}

/* ---- indexes ------------------------------------------------------------- */

static struct sfs_key index_key(u64 stamp, u64 nr)
{
	return SFS_KEY(SFS_ZONE_INDEX, 0, SFS_INDEX_META_SEQ, stamp, nr, 0);
}

/* One entry with its stamp in the key. */
static void put_entry(struct sfs_fs *fs, u64 nr, u64 *ret_stamp)
{
	struct sfs_need need = { 1, 0, 0 };
	struct sfs_hold hold;
	struct sfs_key key;

	if (sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need) < 0)
		bail_out("hold");
	key = index_key(hold.stamp, nr);
	sfs_item_put(fs, &hold, &key, NULL, 0);
	sfs_hold_end(fs, &hold);
	*ret_stamp = hold.stamp;
}

/* Entries with stamps up to the stable sequence: their number and the latter. */
static u32 walk_index(struct sfs_fs *fs, u64 *ret_stable)
{
	struct sfs_key first = index_key(0, 0);
	struct sfs_key last = index_key(U64_MAX, U64_MAX);
	struct sfs_iter it;
	u32 nr = 0;

	if (sfs_index_iter_init(fs, &it, &first, &last, ret_stable) < 0)
		bail_out("index walk");
	while (sfs_iter_next(&it) > 0)
		nr += it.key.f2 <= *ret_stable;
	sfs_iter_exit(&it);
	return nr;
}

static void test_index(void)
{
	struct rng rng = { shim_seed() };
	bool good = true;
	struct run run;
	u64 stable = 0;
	u64 before;
	u64 stamp;
	u32 round;
	u32 nr = 0;
	u32 i;

	run_begin(&run);
	for (round = 0; round < 30 && good; round++) {
		for (i = rng_below(&rng, 5); i; i--) {
			put_entry(run.w.fs, nr++, &stamp);
			good = good && stamp > stable;
		}
		if (rng_below(&rng, 3) == 0)
			good = good && sfs_publish(run.w.fs) == 0;
		before = stable;
		/* the walk publishes what was there before it */
		good = good && walk_index(run.w.fs, &stable) == nr &&
		       stable >= before;
	}
	ok(good, "each walk sees all %u entries, stable goes up to %llu", nr,
	   stable);
	run_end(&run);
}

/* A second mount that does nothing must not keep entries back for long. */
static void test_idle_mount(void)
{
	struct sfs_fs *idle;
	struct run run;
	u64 stable;
	u64 stamp;
	u32 seen;
	u32 nr;

	run_begin(&run);
	is_int(world_mount(&run.w, &idle), 0, "a second mount");
	for (nr = 0; nr < 6; nr++) {
		put_entry(run.w.fs, nr, &stamp);
		is_int(sfs_publish(run.w.fs), 0, "publish");
	}
	shim_sleep_ns(3000000000ULL);
	seen = walk_index(run.w.fs, &stable);
	is_u64(seen, nr, "entries are seen: last stamp %llu, stable %llu",
	       stamp, stable);
	is_int(sfs_mount_leave(idle), 0, "the second mount leaves");
	seen = walk_index(run.w.fs, &stable);
	is_u64(seen, nr, "seen without it: last stamp %llu, stable %llu",
	       stamp, stable);
	run_end(&run);
}

/* ---- a mount that goes down ---------------------------------------------- */

static void test_down(void)
{
	struct sim_fault fault = {
		.ops = SIM_WRITE,
		.err = -EIO,
		.off = SFS_META_REGION,
		.len = 64 * UNIT_MIB,
	};
	struct sfs_need need = { 1, 400, 0 };
	struct sfs_hold hold;
	struct run run;
	u8 buf[400];
	u32 key = 3;
	u32 tag = 5;

	run_begin(&run);
	put(&run, &key, &tag, 1);
	is_int(sfs_publish(run.w.fs), 0, "publish");
	fault.off = sfs_identity_seg_start(&run.w.vol.ident);
	fault.len = 64 * UNIT_MIB - fault.off;
	sim_disk_add_fault(run.w.vol.disk[SFS_DEV_META], &fault);
	tag = 7;
	put(&run, &key, &tag, 1);
	is_int(sfs_publish(run.w.fs), -EIO, "a publish whose write fails");
	ok(sim_host_down(run.w.vol.host), "the mount is down");
	is_int(sfs_hold_begin(run.w.fs, NULL, &hold, SFS_SPACE_USER, &need), -EIO,
	       "no holds");
	is_int(sfs_item_get(run.w.fs, &run.pool.keys[3], buf, sizeof(buf)),
	       -EIO, "no reads");
	sim_disk_clear_faults(run.w.vol.disk[SFS_DEV_META]);
	is_int(world_stop(&run.w), -EIO, "leaving says so");
	sim_host_down_forget(run.w.vol.host);
	is_int(world_start(&run.w), 0, "start again");
	ok(engine_has(&run.w.fs->eng, &run.pool, 3, 5),
	   "what was not published never was");
	ok(world_segs_fit(&run.w), "segments are in one place each");
	run_end(&run);
}

/* A publish that can not happen ends a forced unmount, and the mount. */
static void test_abort(void)
{
	struct sfs_need need = { 1, 400, 0 };
	struct sfs_hold hold;
	struct run run;
	u8 buf[400];
	u32 key = 3;
	u32 tag = 5;
	u64 start;

	run_begin(&run);
	put(&run, &key, &tag, 1);
	is_int(sfs_abort(run.w.fs, 1000), 0, "forced, but nothing is in the way");
	ok(!sim_host_down(run.w.vol.host), "the mount is up");
	tag = 7;
	put(&run, &key, &tag, 1);
	if (sfs_hold_begin(run.w.fs, NULL, &hold, SFS_SPACE_USER, &need) < 0)
		bail_out("hold");
	start = sfs_port_boot_ns(run.w.vol.host);
	is_int(sfs_abort(run.w.fs, 1000), -ETIMEDOUT, "a hold is in the way");
	start = sfs_port_boot_ns(run.w.vol.host) - start;
	ok(start >= 1000000000 && start < 2000000000, "after %llu ns", start);
	ok(sim_host_down(run.w.vol.host), "the mount is down");
	is_int(sfs_publish(run.w.fs), -EIO, "and says so");
	is_int(sfs_item_get(run.w.fs, &run.pool.keys[3], buf, sizeof(buf)),
	       -EIO, "to all");
	is_int(sfs_abort(run.w.fs, 1000), -EIO, "once more");
	sfs_hold_end(run.w.fs, &hold);
	is_int(world_stop(&run.w), -EIO, "leaving says so, too");
	sim_host_down_forget(run.w.vol.host);
	is_int(world_start(&run.w), 0, "start again");
	ok(engine_has(&run.w.fs->eng, &run.pool, 3, 5),
	   "what was published is there");
	run_end(&run);
}

/* ---- options ---------------------------------------------------------------- */

static bool published(struct run *run, u64 nr)
{
	bool is;

	spin_lock(&run->w.fs->txn_lock);
	is = run->w.fs->published_nr >= nr;
	spin_unlock(&run->w.fs->txn_lock);
	return is;
}

/* A timer that runs is started again. */
static void test_set_opts(void)
{
	struct sfs_mount_opts opts;
	struct run run;
	u32 key = 3;
	u32 tag = 5;
	u64 nr;

	run_begin(&run);
	sfs_mount_opts_default(&opts);
	opts.commit_interval_ms = 60000;
	sfs_mount_set_opts(run.w.fs, &opts);
	nr = sfs_txn_current(run.w.fs);
	put(&run, &key, &tag, 1);
	shim_sleep_ns(20000000000ULL);
	ok(!published(&run, nr), "nothing is published before the interval");
	opts.commit_interval_ms = 100;
	sfs_mount_set_opts(run.w.fs, &opts);
	shim_sleep_ns(1000000000ULL);
	ok(published(&run, nr), "a shorter one counts from now on");
	nr = sfs_txn_current(run.w.fs);
	put(&run, &key, &tag, 1);
	shim_sleep_ns(1000000000ULL);
	ok(published(&run, nr), "and again");
	run_end(&run);
}

/* ---- no memory ------------------------------------------------------------ */

static void test_no_memory(void)
{
	struct sfs_hub *hub;
	struct sfs_server *srv;
	bool good = true;
	struct run run;
	u64 failed;
	int ret = 0;
	u32 nth;
	u32 i;

	run_begin(&run);
	for (i = 0; i < NR_KEYS; i++)
		put(&run, &i, &i, 1);
	world_stop(&run.w);
	for (nth = 1; good; nth++) {
		failed = shim_alloc_failed();
		shim_alloc_fail_nth(nth);
		ret = sfs_hub_create(run.w.vol.host, &hub);
		if (ret == 0) {
			ret = sfs_server_start(run.w.vol.host, hub, &srv);
			shim_alloc_fail_nth(0);
			if (ret == 0)
				sfs_server_stop(srv);
			sfs_hub_destroy(hub);
		}
		shim_alloc_fail_nth(0);
		good = ret == 0 || ret == -ENOMEM;
		if (shim_alloc_failed() == failed)
			break;
	}
	ok(good, "starting a server, %u allocations fail, last %d", nth, ret);
	is_int(world_start(&run.w), 0, "start");
	ok(engine_matches(&run.w.fs->eng, &run.pool, run.tags),
	   "everything is there");
	run_end(&run);
}

int shim_main(int argc, char **argv)
{
	/* the test's own buffers for values */
	shim_stack_limit(64 << 10);
	test_readers();
	test_index();
	test_idle_mount();
	test_down();
	test_abort();
	test_set_opts();
	test_no_memory();
	return done_testing();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filesystem floor against the model of POSIX, over fake_txn.c: random
 * operations one after the other, the invariants of the items between them,
 * crashes, failing holds, transfers and allocations.
 *
 * model [--seed=N] [ops]
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "tests/fs/fake_txn.h"
#include "shim/shim.h"
#include "tests/model/posix.h"
#include "tests/tap.h"

struct run {
	struct fake_vol *vol;
	struct sfs_fs *fs;
	struct posix *pm;
	struct pm_report rep;
	u64 rng;
};

static void report_line(void *arg, const char *text)
{
	diag("%s", text);
}

static void run_mount(struct run *r)
{
	struct sfs_mount_opts opts = {
		.commit_interval_ms = 5000,
		.data_prealloc_blocks = 64,
		.data_prealloc_contig_only = r->rng % 3 != 0,
		.ino_alloc_per_lock = 1 + r->rng % 1024,
		.orphan_scan_delay_ms = 100,
	};

	if (sfs_mount((void *)r->vol, NULL, &opts, &r->fs) < 0)
		bail_out("mount");
}

static void run_begin(struct run *r, u64 seed)
{
	memset(r, 0, sizeof(*r));
	r->rng = seed;
	r->rep.line = report_line;
	r->vol = fake_vol_create(seed, 4096);
	r->vol->max_extent = seed % 4 ? 1 + seed % 9 : 0;
	run_mount(r);
	r->pm = pm_create(r->fs);
}

static void close_all(struct run *r)
{
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		for (; r->pm->inodes[i].opens; r->pm->inodes[i].opens--)
			sfs_inode_close(r->fs, r->pm->inodes[i].ino);
	}
	pm_close_all(r->pm);
}

static void run_end(struct run *r)
{
	close_all(r);
	r->vol->fail_hold_one_in = 0;
	r->vol->fail_io_one_in = 0;
	sfs_unmount(r->fs);
	r->rep.errors += fake_check(r->vol, true);
	is_u64(fake_count(r->vol, SFS_ZONE_WORK), 0,
	       "no unfinished work is left");
	pm_destroy(r->pm);
	fake_vol_destroy(r->vol);
}

static void run_ops(struct run *r, u32 nr, bool may_fail)
{
	struct pm_op op;
	u32 i;

	for (i = 0; i < nr && r->rep.errors < 20; i++) {
		pm_generate(r->pm, &r->rng, &op);
		pm_step(r->pm, r->fs, &op, may_fail, &r->rep);
		if (i % 16 == 0)
			r->rep.errors += fake_check(r->vol, false);
		if (i % 64 == 63 && !may_fail)
			pm_compare(r->pm, r->fs, &r->rep);
	}
}

static void test_plain(u64 seed, u32 nr)
{
	struct run r;

	run_begin(&r, seed);
	r.vol->publish_one_in = 7;
	run_ops(&r, nr, false);
	pm_compare(r.pm, r.fs, &r.rep);
	is_u64(r.rep.errors, 0, "seed %llu: %u operations as the model says",
	       seed, nr);
	run_end(&r);
	is_u64(r.rep.errors, 0, "seed %llu: items fit each other", seed);
}

/* Publishes between operations only, so what a crash leaves is known. */
static void test_crash(u64 seed, u32 nr)
{
	struct posix *durable;
	struct run r;
	u32 round;

	run_begin(&r, seed);
	for (round = 0; round < 12 && !r.rep.errors; round++) {
		run_ops(&r, nr / 24, false);
		sfs_sync(r.fs);
		durable = pm_clone(r.pm);
		/* operations that publish themselves move the point */
		r.vol->nr_publishes = 0;
		for (u32 i = 0; i < nr / 24 && !r.rep.errors; i++) {
			struct pm_op op;

			pm_generate(r.pm, &r.rng, &op);
			r.vol->nr_publishes = 0;
			pm_step(r.pm, r.fs, &op, false, &r.rep);
			if (!r.vol->nr_publishes) {
				pm_undone(durable, &op);
				continue;
			}
			sfs_sync(r.fs);
			pm_destroy(durable);
			durable = pm_clone(r.pm);
		}
		fake_crash(r.vol);
		close_all(&r);
		sfs_unmount(r.fs);
		fake_crash_data(r.vol);
		pm_destroy(r.pm);
		r.pm = durable;
		pm_close_all(r.pm);
		r.rep.errors += fake_check(r.vol, true);
		run_mount(&r);
		pm_compare(r.pm, r.fs, &r.rep);
		if (round % 2) {
			/* long enough for the scan */
			shim_sleep_ns(300000000);
			is_u64(fake_count(r.vol, SFS_ZONE_WORK), 0,
			       "the worker did what the crash left");
			r.rep.errors += fake_check(r.vol, false);
		}
	}
	is_u64(r.rep.errors, 0, "seed %llu: crashes lose nothing durable",
	       seed);
	shim_sleep_ns(300000000);
	run_end(&r);
}

/* Publishes and crashes anywhere: only the invariants are known. */
static void test_crash_anywhere(u64 seed, u32 nr)
{
	struct run r;
	u32 round;

	run_begin(&r, seed);
	for (round = 0; round < 12 && !r.rep.errors; round++) {
		struct posix *now;
		struct pm_report quiet = { .line = report_line };

		r.vol->publish_one_in = 3;
		run_ops(&r, nr / 12, false);
		fake_crash(r.vol);
		close_all(&r);
		sfs_unmount(r.fs);
		fake_crash_data(r.vol);
		r.rep.errors += fake_check(r.vol, true);
		run_mount(&r);
		r.rep.errors += quiet.errors;
		/* the model can not know where it is: start with a new one */
		now = r.pm;
		pm_destroy(now);
		shim_sleep_ns(300000000);
		is_u64(fake_count(r.vol, SFS_ZONE_WORK), 0,
		       "the worker did what the crash left");
		r.rep.errors += fake_check(r.vol, false);
		sfs_unmount(r.fs);
		fake_vol_destroy(r.vol);
		r.vol = fake_vol_create(seed + round, 4096);
		r.vol->max_extent = 5;
		run_mount(&r);
		r.pm = pm_create(r.fs);
	}
	is_u64(r.rep.errors, 0, "seed %llu: every boundary is consistent",
	       seed);
	run_end(&r);
}

static void test_failures(u64 seed, u32 nr)
{
	struct run r;

	run_begin(&r, seed);
	r.vol->publish_one_in = 5;
	r.vol->fail_hold_one_in = 11;
	r.vol->fail_io_one_in = 13;
	shim_alloc_fail_random(20000, seed);
	run_ops(&r, nr, true);
	shim_alloc_fail_random(0, 0);
	r.vol->fail_hold_one_in = 0;
	r.vol->fail_io_one_in = 0;
	pm_compare(r.pm, r.fs, &r.rep);
	is_u64(r.rep.errors, 0, "seed %llu: failures change nothing", seed);
	ok(r.vol->nr_failed > 0, "something failed");
	shim_sleep_ns(300000000);
	run_end(&r);
	is_u64(r.rep.errors, 0, "seed %llu: items fit each other", seed);
}

int shim_main(int argc, char **argv)
{
	u64 seed = shim_seed();
	u32 nr = 1500;

	if (argc > 1 && kstrtouint(argv[1], 10, &nr) < 0)
		bail_out("not a number: %s", argv[1]);
	plan(0);
	test_plain(seed, nr);
	test_plain(seed + 1, nr);
	test_crash(seed, nr);
	test_crash_anywhere(seed, nr / 2);
	test_failures(seed, nr);
	return done_testing();
}

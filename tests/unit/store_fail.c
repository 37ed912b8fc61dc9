// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's store where it could stop or go wrong for good: a transaction
 * that fails in its middle, and a log that grows faster than transactions end.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "base/triggers.h"
#include "engine/store.h"
#include "tests/unit/lib/unit.h"

#define NR_TRIES 60
#define NR_BIG 170

static const struct sfs_key half_key = SFS_KEY(200, 1, 0, 0, 0, 0);

struct run {
	struct vol vol;
	struct sfs_store *store;
	u32 nr_txns;		/* that were made */
	u32 nr_before;		/* that failer() makes before it fails */
};

static int do_txn(struct run *run, bool wait)
{
	struct sfs_key key = SFS_KEY(200, 2, 0, 0, 0, 0);
	struct sfs_store_txn txn;
	__le64 val;
	u64 ticket;
	int ret;

	ret = sfs_store_begin(run->store, &txn, 1, sizeof(val));
	if (ret < 0)
		return ret;
	val = cpu_to_le64(++run->nr_txns);
	sfs_store_put(run->store, &txn, &key, &val, sizeof(val));
	ticket = sfs_store_end(run->store, &txn);
	return wait ? sfs_store_wait(run->store, ticket) : 0;
}

/* Until the store fails. */
static void committer(void *arg)
{
	struct run *run = arg;

	while (do_txn(run, true) == 0)
		;
}

/* Makes half a transaction, then can not go on. */
static void failer(void *arg)
{
	struct run *run = arg;
	struct sfs_store_txn txn;
	u8 val = 1;
	u32 i;

	/* awake when others are: a checkpoint may be about to begin */
	for (i = 0; i < run->nr_before; i++) {
		if (do_txn(run, true) < 0)
			bail_out("a transaction");
	}
	if (sfs_store_begin(run->store, &txn, 2, 2) < 0)
		bail_out("begin");
	sfs_store_put(run->store, &txn, &half_key, &val, sizeof(val));
	shim_sleep_ns(50000);
	sfs_store_poison(run->store, &txn, -EIO);
}

static void start(struct run *run, u64 seed)
{
	struct sim_disk_opts opts = {
		.seed = seed,
		.min_us = 20,
		.max_us = 200,
	};

	memset(run, 0, sizeof(*run));
	vol_create_on(&run->vol, 64 * UNIT_MIB, 64 * UNIT_MIB, &opts);
	if (sfs_store_format(run->vol.host, &run->vol.ident) < 0 ||
	    sfs_store_open(run->vol.host, &run->vol.ident, &run->store) < 0)
		bail_out("no store");
}

/* One try; whether half of the transaction has become durable. */
static bool half_survives(u64 seed)
{
	struct shim_task *tasks[2];
	struct run run;
	u8 val;
	int ret;

	start(&run, seed);
	run.nr_before = seed % 5;
	sim_host_arm(run.vol.host, SFS_TRIGGER_CHECKPOINT, 1U << 30);
	tasks[0] = shim_go("committer", committer, &run);
	tasks[1] = shim_go("failer", failer, &run);
	shim_join(tasks[0]);
	shim_join(tasks[1]);
	sfs_store_close(run.store);
	sim_host_arm(run.vol.host, SFS_TRIGGER_CHECKPOINT, 0);
	if (sfs_store_open(run.vol.host, &run.vol.ident, &run.store) < 0)
		bail_out("the store does not open again");
	ret = sfs_engine_get(sfs_store_engine(run.store), &half_key, &val,
			     sizeof(val));
	sfs_store_close(run.store);
	vol_destroy(&run.vol);
	return ret != -ENOENT;
}

static void test_poison(void)
{
	int bad = 0;
	u32 i;

	for (i = 0; i < NR_TRIES; i++)
		bad += half_survives(shim_seed() * NR_TRIES + i);
	is_int(bad, 0, "no half of a transaction in %u stores", NR_TRIES);
}

/*
 * Each record has a segment of its own, so that the log is soon as long as it
 * may be before somebody asks for a checkpoint; then more comes at once than
 * new transactions accept.  Only a checkpoint makes room again.
 */
static void big_txn(struct run *run)
{
	static u8 val[SFS_ITEM_MAX_VAL];
	struct sfs_store_txn txn;
	struct sfs_key key;
	u32 i;

	if (sfs_store_begin(run->store, &txn, NR_BIG, NR_BIG * sizeof(val)) < 0)
		bail_out("begin");
	for (i = 0; i < NR_BIG; i++) {
		key = SFS_KEY(200, 3, 0, i, 0, 0);
		sfs_store_put(run->store, &txn, &key, val, sizeof(val));
	}
	sfs_store_end(run->store, &txn);
}

static void test_long_log(void)
{
	struct run run;
	int ret = 0;
	u32 i;

	start(&run, shim_seed());
	sim_host_arm(run.vol.host, SFS_TRIGGER_LOG_SEGMENT, 1U << 30);
	for (i = 0; i < 4; i++)
		ret = ret ?: do_txn(&run, true);
	/* the first of these two is being written when the second comes */
	ret = ret ?: do_txn(&run, false);
	shim_sleep_ns(10000);
	big_txn(&run);
	shim_sleep_ns(100000000);
	ret = ret ?: do_txn(&run, true);
	is_int(ret, 0, "a log that is long gets its checkpoint");
	sfs_store_close(run.store);
	vol_destroy(&run.vol);
}

int shim_main(int argc, char **argv)
{
	test_poison();
	test_long_log();
	return done_testing();
}

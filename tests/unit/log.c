// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of the server's store: replay gives what was appended, in whole
 * sequences, from any place; what is damaged is told from what is torn.
 */
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "engine/itemblock.h"
#include "engine/log.h"
#include "tests/unit/lib/unit.h"

#define TERM 5
#define MAX_APPENDS 400
#define MAX_CHANGE_BYTES (300 << 10)

/* What was appended: a sequence of changes with numbers that go up. */
struct append {
	struct sfs_log_place place;	/* of its first record */
	u64 end_pos;			/* of the record after its last */
	u32 first;			/* number of its first change */
	u32 nr;
};

struct run {
	struct vol vol;
	struct sfs_region region;
	struct sfs_log log;
	struct append *appends;
	u32 nr;
	u32 nr_changes;
	u8 *buf;
	struct rng rng;
};

static u32 change_len(u32 nr)
{
	return nr * 2654435761u % 3001;
}

/* Appends one sequence of about @bytes. */
static bool append(struct run *run, u32 bytes)
{
	struct append *app = &run->appends[run->nr++];
	static u8 val[3001];
	struct sfs_key key;
	u8 *p = run->buf;

	BUG_ON(run->nr > MAX_APPENDS);
	app->place = sfs_log_next(&run->log);
	app->first = run->nr_changes;
	app->nr = 0;
	do {
		key = SFS_KEY(200, 0, 0, run->nr_changes, 0, 0);
		memset(val, (u8)run->nr_changes, sizeof(val));
		p = sfs_log_put_change(p, &key, run->nr_changes % 7 ?
				       SFS_ITEM_VALUE : SFS_ITEM_DELETION, val,
				       change_len(run->nr_changes));
		run->nr_changes++;
		app->nr++;
	} while (p - run->buf < bytes);
	if (sfs_log_append(&run->log, run->buf, (u32)(p - run->buf)) < 0)
		return false;
	app->end_pos = sfs_log_next(&run->log).pos;
	return true;
}

static bool append_some(struct run *run, u32 nr)
{
	while (nr--) {
		if (!append(run, rng_below(&run->rng, 10) ?
			    rng_below(&run->rng, 30000) :
			    rng_below(&run->rng, MAX_CHANGE_BYTES - 4000)))
			return false;
	}
	return true;
}

struct seen {
	u32 next;
	bool good;
};

static int apply(void *arg, const struct sfs_log_change *change)
{
	struct seen *seen = arg;
	u32 nr = seen->next++;
	u32 i;

	if (change->key.f2 != nr ||
	    change->kind != (nr % 7 ? SFS_ITEM_VALUE : SFS_ITEM_DELETION) ||
	    change->val_len != (nr % 7 ? change_len(nr) : 0))
		seen->good = false;
	for (i = 0; i < change->val_len; i++) {
		if (change->val[i] != (u8)nr)
			seen->good = false;
	}
	return 0;
}

/* Replays from append @from on; *ret_next is the change after the last. */
static int replay(struct run *run, u32 from, u32 *ret_next, u64 *ret_records)
{
	struct seen seen = { .next = run->appends[from].first, .good = true };
	struct sfs_region region;
	struct sfs_log log;
	int ret;

	if (sfs_region_init(&region, &run->vol.ident) < 0)
		bail_out("no memory");
	sfs_log_init(&log, run->vol.host, &region, run->vol.ident.id.fsid);
	*ret_records = 0;
	ret = sfs_log_replay(&log, TERM, &run->appends[from].place, apply,
			     &seen, ret_records);
	if (!seen.good) {
		diag("a change before %u is another one", seen.next);
		ret = -EUCLEAN;
	}
	*ret_next = seen.next;
	sfs_log_exit(&log);
	sfs_region_exit(&region);
	return ret;
}

static void run_begin(struct run *run, u64 seed)
{
	memset(run, 0, sizeof(*run));
	run->rng.state = seed;
	vol_create(&run->vol, 64 * UNIT_MIB, 64 * UNIT_MIB, seed);
	run->appends = unit_alloc(MAX_APPENDS * sizeof(*run->appends));
	run->buf = unit_alloc(MAX_CHANGE_BYTES + 8192);
	if (sfs_region_init(&run->region, &run->vol.ident) < 0)
		bail_out("no memory");
	sfs_log_init(&run->log, run->vol.host, &run->region,
		     run->vol.ident.id.fsid);
	if (sfs_log_start(&run->log, TERM) < 0)
		bail_out("the log does not start");
}

static void run_end(struct run *run)
{
	sfs_log_exit(&run->log);
	sfs_region_exit(&run->region);
	unit_free(run->buf);
	unit_free(run->appends);
	vol_destroy(&run->vol);
}

static void test_replay(u64 seed)
{
	struct run run;
	bool good = true;
	u64 records;
	u32 from;
	u32 next;

	run_begin(&run, seed);
	ok(append_some(&run, 150), "sequences over several segments");
	for (from = 0; from < run.nr && good; from += 7) {
		good = replay(&run, from, &next, &records) == 0 &&
		       next == run.nr_changes &&
		       records == sfs_log_next(&run.log).pos -
					  run.appends[from].place.pos;
	}
	ok(good, "replay from any place to the end");
	run_end(&run);
}

/* The log goes round and round through the region. */
static void test_trim(u64 seed)
{
	struct sfs_log_place place;
	bool good = true;
	struct run run;
	u64 records;
	u32 rounds;
	u32 next;

	run_begin(&run, seed);
	for (rounds = 0; rounds < 40 && good; rounds++) {
		good = append_some(&run, 8);
		/* the last eight are kept */
		place = run.appends[run.nr - 8].place;
		sfs_log_trim(&run.log, &place);
		if (good)
			good = replay(&run, run.nr - 8, &next, &records) == 0 &&
			       next == run.nr_changes;
	}
	ok(good, "what is kept can be replayed, %llu bytes of the region used",
	   (u64)run.region.nr_used * run.region.unit_bytes);
	ok(run.region.nr_used * run.region.unit_bytes < 3 << 20,
	   "segments are given back");
	run_end(&run);
}

/* One byte of one record is damaged: see what replay makes of it. */
static bool damage(struct run *run, u32 i)
{
	struct append *app = &run->appends[i];
	u64 at = app->place.addr + rng_below(&run->rng, 100);
	unsigned int bit = rng_below(&run->rng, 8);
	bool is_last = app->place.pos + 1 == sfs_log_next(&run->log).pos;
	u64 records;
	u32 next;
	int ret;

	sim_disk_flip(run->vol.disk[SFS_DEV_META], at, bit);
	ret = replay(run, 0, &next, &records);
	sim_disk_flip(run->vol.disk[SFS_DEV_META], at, bit);
	if (is_last && ret == 0 && next == app->first)
		return true;
	if (!is_last && ret == -EIO)
		return true;
	diag("append %u of %u at %llu in segment %llu: replay says %d after change %u of %u",
	     i, run->nr, app->place.addr, app->place.segment, ret, next,
	     run->nr_changes);
	return false;
}

static void test_damage(u64 seed)
{
	bool good = true;
	struct run run;
	u32 i;

	run_begin(&run, seed);
	for (i = 0; i < 80; i++)
		append(&run, rng_below(&run.rng, 40000));
	append(&run, 100);
	for (i = 0; i < run.nr; i++)
		good &= damage(&run, i);
	ok(good, "damage is told from the end");
	run_end(&run);
}

/* A sequence of several records counts only as a whole. */
static void test_torn(u64 seed)
{
	struct run run;
	struct append *app;
	struct sfs_log_place last;
	bool good = true;
	u64 records;
	u32 next;
	u32 i;

	run_begin(&run, seed);
	good = append_some(&run, 5);
	last = sfs_log_next(&run.log);
	good = good && append(&run, MAX_CHANGE_BYTES - 4000);
	app = &run.appends[run.nr - 1];
	ok(good && app->end_pos > app->place.pos + 1, "more than a record");
	/* the last record of it begins where a fresh segment does */
	last = sfs_log_next(&run.log);
	for (i = 0; i < 2; i++) {
		sim_disk_flip(run.vol.disk[SFS_DEV_META],
			      last.segment + 50, 1);
		if (replay(&run, 0, &next, &records) < 0 ||
		    next != (i ? run.nr_changes : app->first))
			good = false;
	}
	ok(good, "a torn sequence never was");
	run_end(&run);
}

int shim_main(int argc, char **argv)
{
	test_replay(shim_seed());
	test_trim(shim_seed() + 1);
	test_damage(shim_seed() + 2);
	test_torn(shim_seed() + 3);
	return done_testing();
}

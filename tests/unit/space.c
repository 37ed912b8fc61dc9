// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata space of a small volume: filled until nothing goes any more, then
 * emptied; with readers that keep old versions for long.  Whatever happens,
 * the items are those of the model, each segment is in one place, deleting
 * works when writing does not, and in the end the space is there again.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "tests/unit/lib/world.h"

#define VAL_BYTES 1000
#define BATCH 64
#define NR_INODES 512

struct run {
	struct world w;
	struct rng rng;
	u64 nr_items;		/* put so far: numbers 0 .. nr_items - 1 */
	u64 first;		/* below it all are deleted */
	u32 order;		/* how keys follow from numbers */
	struct sfs_iter pin;	/* a reader that does not go away */
	bool pinned;
};

/*
 * Numbers to keys: ascending, so that compaction finds gaps; or all over, so
 * that each publish falls into all of level 1.
 */
static struct sfs_key item_key(const struct run *run, u64 nr)
{
	if (run->order == 0)
		return SFS_KEY(SFS_ZONE_FS, 1024 + nr / 16, SFS_FS_XATTR,
			       nr, 0, 0);
	return SFS_KEY(SFS_ZONE_FS, 1024 + nr * 2654435761u % NR_INODES,
		       SFS_FS_XATTR, nr, 0, 0);
}

static void item_val(u64 nr, u8 *val)
{
	memset(val, (u8)(nr ^ nr >> 8), VAL_BYTES);
	memcpy(val, &nr, sizeof(nr));
}

static int put_batch(struct run *run)
{
	struct sfs_need need = { BATCH, BATCH * VAL_BYTES, 0 };
	struct sfs_fs *fs = run->w.fs;
	struct sfs_hold hold;
	struct sfs_key key;
	u8 val[VAL_BYTES];
	int ret;
	u32 i;

	ret = sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	for (i = 0; i < BATCH; i++) {
		key = item_key(run, run->nr_items);
		item_val(run->nr_items++, val);
		sfs_item_put(fs, &hold, &key, val, VAL_BYTES);
	}
	sfs_hold_end(fs, &hold);
	return 0;
}

static int delete_batch(struct run *run)
{
	struct sfs_need need = { BATCH, 0, 0 };
	struct sfs_fs *fs = run->w.fs;
	struct sfs_hold hold;
	struct sfs_key key;
	int ret;
	u32 i;

	ret = sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_DELETE, &need);
	if (ret < 0)
		return ret;
	for (i = 0; i < BATCH && run->first < run->nr_items; i++) {
		key = item_key(run, run->first++);
		sfs_item_del(fs, &hold, &key);
	}
	sfs_hold_end(fs, &hold);
	return 0;
}

/* A reader that begins and then does not move. */
static void pin(struct run *run)
{
	struct sfs_key first = SFS_KEY(SFS_ZONE_FS, 0, 0, 0, 0, 0);

	sfs_item_iter_init(run->w.fs, &run->pin, &first, &SFS_KEY_MAX);
	if (sfs_iter_next(&run->pin) < 0)
		bail_out("reader");
	run->pinned = true;
}

static void unpin(struct run *run)
{
	if (run->pinned)
		sfs_iter_exit(&run->pin);
	run->pinned = false;
}

/* Every item that should be there, and no other. */
static bool check_items(struct run *run)
{
	struct sfs_key first = SFS_KEY(SFS_ZONE_FS, 0, 0, 0, 0, 0);
	u8 *seen = unit_alloc(run->nr_items + 1);
	struct sfs_iter it;
	u8 val[VAL_BYTES];
	bool good = true;
	u64 nr = 0;
	u64 left;
	int ret;

	sfs_item_iter_init(run->w.fs, &it, &first, &SFS_KEY_MAX);
	for (left = run->nr_items - run->first;
	     good && (ret = sfs_iter_next(&it)) > 0; left--) {
		nr = it.key.f2;
		good = nr >= run->first && nr < run->nr_items && !seen[nr];
		if (!good)
			break;
		seen[nr] = 1;
		item_val(nr, val);
		good = it.val_len == VAL_BYTES &&
		       !memcmp(it.val, val, VAL_BYTES);
	}
	sfs_iter_exit(&it);
	unit_free(seen);
	if (!good)
		diag("item %llu", nr);
	else if (ret < 0 || left)
		diag("walk ends with %d, %llu items are missing", ret, left);
	return good && ret == 0 && left == 0;
}

static void test_fill(struct run *run, bool slow_reader)
{
	const char *how = slow_reader ? "with a slow reader" : "alone";
	struct sfs_seg_map *map = &run->w.srv->segs;
	u64 most = run->first + 80 * UNIT_MIB / VAL_BYTES;
	u64 filled;
	int ret = 0;

	if (slow_reader)
		pin(run);
	while (ret == 0 && run->nr_items < most)
		ret = put_batch(run);
	is_int(ret, -ENOSPC, "filled, %s", how);
	filled = run->nr_items - run->first;
	ok(filled * VAL_BYTES > (slow_reader ? 8 : 24) * UNIT_MIB,
	   "%llu items of %u bytes on 64 MiB", filled, VAL_BYTES);
	unpin(run);
	is_int(sfs_publish(run->w.fs), 0, "what was put is published");
	ok(check_items(run), "all of it is there");
	ok(world_segs_fit(&run->w), "segments are in one place each");
	if (slow_reader)
		pin(run);
	ret = 0;
	while (ret == 0 && run->first < run->nr_items)
		ret = delete_batch(run);
	is_int(ret, 0, "everything is deleted, %s", how);
	diag("free %llu, owned %llu, pending %llu of %llu segments",
	     map->nr_free, map->nr_owned, map->nr_pending, map->nr);
	is_int(sfs_publish(run->w.fs), 0, "and published");
	unpin(run);
	ok(check_items(run), "nothing is left");
	ok(world_segs_fit(&run->w), "segments are in one place each");
}

/* Once it is asked for, all space comes back. */
static void test_free_again(struct run *run)
{
	struct sfs_seg_map *map = &run->w.srv->segs;
	u32 i;

	sfs_store_lock(run->w.srv->store);
	run->w.srv->compact_forced = true;
	sfs_store_unlock(run->w.srv->store);
	sfs_compact_kick(run->w.srv);
	for (i = 0; i < 10 && map->nr_free < map->nr * 3 / 4; i++)
		shim_sleep_ns(6000000000ULL);
	ok(map->nr_free >= map->nr * 3 / 4, "%llu of %llu segments are free",
	   map->nr_free, map->nr);
}

static void run_order(u32 order)
{
	struct run run = {
		.rng.state = shim_seed(),
		.order = order,
	};

	vol_create(&run.w.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	vol_format(&run.w.vol);
	if (world_start(&run.w) < 0)
		bail_out("start");
	diag("order %u", order);
	test_fill(&run, false);
	test_free_again(&run);
	test_fill(&run, true);
	test_free_again(&run);
	ok(!sim_host_logged(run.w.vol.host, SFS_LOG_ERR, NULL),
	   "no error was logged");
	is_int(world_stop(&run.w), 0, "leave and stop");
	vol_destroy(&run.w.vol);
}

int shim_main(int argc, char **argv)
{
	run_order(0);
	run_order(1);
	return done_testing();
}

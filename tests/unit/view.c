// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs, the manifest and views: random generations are written as runs into
 * level 0 or merged into level 1, and every lookup and walk through the view
 * is compared with the model.
 */
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "engine/run_write.h"
#include "tests/unit/lib/unit.h"

#define ADDR_FIRST (16 * UNIT_MIB)

struct run {
	struct vol vol;
	struct pool pool;
	struct rng rng;
	struct sfs_engine eng;
	struct sfs_memgen *active;
	u32 *tags;		/* what the view shows */
	u32 *below;		/* the same without the active generation */
	u8 *touched;		/* keys that the active generation has */
	u64 next_addr;
	u64 next_id;
	u64 version;
	u32 max_piece;		/* bytes; space is handed out in such pieces */
};

/* ---- writing ------------------------------------------------------------- */

/* Space with a hole from time to time, so that runs have several pieces. */
static int space_get(void *arg, u32 len, u64 *ret_addr)
{
	struct run *run = arg;

	if (rng_below(&run->rng, 4) == 0)
		run->next_addr += SFS_UNIT * rng_below(&run->rng, 3);
	if (run->next_addr + len > run->vol.ident.id.meta_bytes - SFS_META_TAIL)
		run->next_addr = ADDR_FIRST;
	*ret_addr = run->next_addr;
	run->next_addr += len;
	return 0;
}

static struct sfs_run_writer *writer(struct run *run)
{
	struct sfs_run_space space = { space_get, run };

	return sfs_run_writer_create(run->vol.host, run->vol.ident.id.fsid,
				     ++run->next_id, SFS_FILTER_HAS_INODES |
				     SFS_FILTER_HAS_NAMES, &space);
}

static void new_version(struct run *run, struct sfs_edit *edit)
{
	struct sfs_manifest *old = sfs_engine_manifest(&run->eng);
	struct sfs_manifest *man;

	edit->version = ++run->version;
	man = sfs_manifest_apply(run->vol.host, old, edit);
	if (IS_ERR(man))
		bail_out("edit: %ld", PTR_ERR(man));
	sfs_engine_adopt(&run->eng, man);
	if (sfs_engine_swap(&run->eng, &run->active, 1, man) < 0)
		bail_out("no memory");
	sfs_manifest_put(&run->eng, man);
	sfs_manifest_put(&run->eng, old);
}

/* Through the encoding, as everybody gets them. */
static struct sfs_slice *slice_of(struct run *run, struct sfs_run *r, u8 level)
{
	u64 id = ++run->next_id;
	struct sfs_slice *slice = sfs_slice_create(r, id, level,
						   level ? 0 : id);
	u8 *buf = unit_alloc(SFS_DISK_SLICE_MAX);
	struct sfs_slice *decoded;
	u32 len = sfs_slice_encode(slice, buf);

	if (sfs_slice_decode(run->vol.host, buf, len,
			     run->vol.ident.id.meta_bytes, &decoded) < 0)
		bail_out("slice");
	unit_free(buf);
	sfs_slice_put(slice);
	sfs_run_put(r);
	return decoded;
}

/* The active generation becomes a run of level 0. */
static void publish(struct run *run)
{
	struct sfs_memgen *old = run->active;
	struct sfs_edit edit = {};
	struct sfs_run_writer *wr;
	struct sfs_memitem *item;
	struct sfs_slice *slice;
	struct sfs_run *r;

	if (!old->nr_items)
		return;
	wr = writer(run);
	for (item = sfs_memgen_first(old); item;
	     item = sfs_memgen_after(old, item)) {
		if (sfs_run_writer_add(wr, &item->key, item->seq, item->kind,
				       item->val, item->val_len) < 0)
			bail_out("add");
	}
	if (sfs_run_writer_finish(wr, &r) < 0)
		bail_out("finish");
	slice = slice_of(run, r, 0);
	edit.nr_add = 1;
	edit.add = &slice;
	run->active = sfs_memgen_create();
	new_version(run, &edit);
	sfs_slice_put(slice);
	sfs_memgen_put(old);
	memcpy(run->below, run->tags, run->pool.nr * sizeof(u32));
	memset(run->touched, 0, run->pool.nr);
}

/* Everything published goes to level 1, in outputs of some size. */
static void merge(struct run *run)
{
	struct sfs_manifest *man = sfs_engine_manifest(&run->eng);
	u64 target = 4096ULL << rng_below(&run->rng, 10);
	struct sfs_slice *all[160];
	struct sfs_slice *out[128];
	struct sfs_edit edit = { .add = out };
	struct sfs_run_writer *wr = NULL;
	struct sfs_slice *slice;
	struct sfs_iter it;
	struct sfs_run *r;
	u64 del[160];
	u32 l;
	u32 i;

	sfs_manifest_for_each(man, l, i, slice) {
		BUG_ON(edit.nr_del == ARRAY_SIZE(all));
		all[edit.nr_del] = slice;
		del[edit.nr_del++] = slice->id;
	}
	edit.del = del;
	sfs_iter_init_slices(&it, &run->eng.rd, all, edit.nr_del, &SFS_KEY_MIN,
			     &SFS_KEY_MAX);
	while (sfs_iter_next(&it) > 0) {
		if (it.is_deletion)
			continue;
		if (!wr)
			wr = writer(run);
		if (sfs_run_writer_add(wr, &it.key, it.seq, SFS_ITEM_VALUE,
				       it.val, it.val_len) < 0)
			bail_out("add");
		if (sfs_run_writer_bytes(wr) < target ||
		    edit.nr_add == ARRAY_SIZE(out) - 1)
			continue;
		if (sfs_run_writer_finish(wr, &r) < 0)
			bail_out("finish");
		wr = NULL;
		out[edit.nr_add++] = slice_of(run, r, 1);
	}
	is_int(it.err, 0, "merge of %u slices", edit.nr_del);
	if (wr && sfs_run_writer_finish(wr, &r) == 0)
		out[edit.nr_add++] = slice_of(run, r, 1);
	sfs_iter_exit(&it);
	new_version(run, &edit);
	for (i = 0; i < edit.nr_add; i++)
		sfs_slice_put(out[i]);
	sfs_manifest_put(&run->eng, man);
}

static void change(struct run *run, u32 nr)
{
	u32 bytes = sfs_memgen_item_bytes(run->pool.max_val) + 8;
	u8 buf[SFS_ITEM_MAX_VAL];
	u32 left;
	u8 *mem;
	u32 len;
	u32 i;

	while (nr--) {
		i = rng_below(&run->rng, run->pool.nr);
		run->tags[i] = rng_below(&run->rng, 3) ?
				       (u32)rng_u64(&run->rng) | 1 : 0;
		run->touched[i] = 1;
		if (sfs_memgen_cut(run->active, bytes, &mem) < 0)
			bail_out("no memory");
		left = bytes;
		len = run->tags[i] ? value_fill(&run->pool, run->tags[i], buf) :
				     0;
		sfs_memgen_set(run->active, &mem, &left, &run->pool.keys[i],
			       run->version + 1, run->tags[i] ? SFS_ITEM_VALUE :
			       SFS_ITEM_DELETION, buf, len);
		sfs_memgen_uncut(run->active, mem, left);
	}
}

/* ---- reading ------------------------------------------------------------- */

/* A walk over part of the pool; ends are keys of it or beside them. */
static bool check_range(struct run *run)
{
	u32 a = rng_below(&run->rng, run->pool.nr);
	u32 b = a + rng_below(&run->rng, run->pool.nr - a);
	struct sfs_key first = run->pool.keys[a];
	struct sfs_key last = run->pool.keys[b];
	struct sfs_iter it;

	if (rng_below(&run->rng, 2)) {
		sfs_key_inc(&first);
		if (a < run->pool.nr - 1 &&
		    sfs_key_cmp(&run->pool.keys[a + 1], &first) >= 0)
			a++;
		else
			first = run->pool.keys[a];
	}
	if (a > b)
		return true;
	sfs_iter_init(&run->eng, &it, &first, &last);
	return iter_matches(&it, &run->pool, run->tags, a, b);
}

/* Of one inode, where filters decide which runs are looked at. */
static bool check_inode(struct run *run)
{
	u64 ino = run->pool.keys[rng_below(&run->rng, run->pool.nr)].f1;
	struct sfs_key first = SFS_KEY(SFS_ZONE_FS, ino, 0, 0, 0, 0);
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, ino, U8_MAX, U64_MAX,
				      U64_MAX, U8_MAX);
	struct sfs_iter it;
	u32 a = 0;
	u32 b;

	while (a < run->pool.nr && sfs_key_cmp(&run->pool.keys[a], &first) < 0)
		a++;
	for (b = a; b < run->pool.nr; b++) {
		if (sfs_key_cmp(&run->pool.keys[b], &last) > 0)
			break;
	}
	if (a == b)
		return true;
	sfs_iter_init(&run->eng, &it, &first, &last);
	return iter_matches(&it, &run->pool, run->tags, a, b - 1);
}

static bool check_absent(struct run *run)
{
	struct sfs_key key = run->pool.keys[rng_below(&run->rng,
						      run->pool.nr)];
	u8 buf[8];

	key.f3 += 7;
	return sfs_engine_get(&run->eng, &key, buf, sizeof(buf)) == -ENOENT;
}

static bool check_next(struct run *run)
{
	u32 i = rng_below(&run->rng, run->pool.nr);
	struct sfs_key key = run->pool.keys[i];
	u8 buf[SFS_ITEM_MAX_VAL];
	int ret;

	ret = sfs_engine_next(&run->eng, &key,
			      &run->pool.keys[run->pool.nr - 1], buf,
			      sizeof(buf));
	while (i < run->pool.nr && !run->tags[i])
		i++;
	if (i == run->pool.nr)
		return ret == -ENOENT;
	return ret >= 0 && sfs_key_equal(&key, &run->pool.keys[i]) &&
	       value_is(&run->pool, run->tags[i], buf, ret);
}

static bool check_all(struct run *run)
{
	struct sfs_manifest *man = sfs_engine_manifest(&run->eng);
	struct sfs_iter it;
	bool good = true;
	u32 i;

	for (i = 0; i < run->pool.nr && good; i++)
		good = engine_has(&run->eng, &run->pool, i, run->tags[i]);
	good = good && engine_matches(&run->eng, &run->pool, run->tags);
	for (i = 0; i < 30 && good; i++)
		good = check_range(run) && check_inode(run) &&
		       check_absent(run) && check_next(run);
	/* the manifest alone has nothing of the active generation */
	if (good) {
		sfs_iter_init_manifest(&run->eng, &it, man, &run->pool.keys[0],
				       &run->pool.keys[run->pool.nr - 1]);
		good = iter_matches(&it, &run->pool, run->below, 0,
				    run->pool.nr - 1);
	}
	sfs_manifest_put(&run->eng, man);
	return good;
}

static void test_views(u32 nr_keys, u32 max_val, u32 rounds, u64 cache)
{
	struct run run = { .rng.state = shim_seed() + nr_keys };
	bool good = true;
	u32 round;

	vol_create(&run.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	pool_init(&run.pool, nr_keys, max_val, shim_seed());
	run.tags = tags_new(&run.pool);
	run.below = tags_new(&run.pool);
	run.touched = unit_alloc(nr_keys);
	run.next_addr = ADDR_FIRST;
	run.active = sfs_memgen_create();
	if (sfs_engine_init(&run.eng, run.vol.host, run.vol.ident.id.fsid,
			    cache) < 0)
		bail_out("engine");
	new_version(&run, &(struct sfs_edit){});
	for (round = 0; round < rounds && good; round++) {
		change(&run, 1 + rng_below(&run.rng, nr_keys));
		good = check_all(&run);
		publish(&run);
		good = good && check_all(&run);
		if (rng_below(&run.rng, 3) == 0) {
			merge(&run);
			good = good && check_all(&run);
		}
	}
	ok(good, "%u keys, values of up to %u bytes, %u rounds", nr_keys,
	   max_val, round);
	sfs_engine_exit(&run.eng);
	sfs_memgen_put(run.active);
	unit_free(run.touched);
	unit_free(run.below);
	unit_free(run.tags);
	pool_exit(&run.pool);
	vol_destroy(&run.vol);
}

int shim_main(int argc, char **argv)
{
	/* the test's own buffers for values */
	shim_stack_limit(64 << 10);
	test_views(1, 10, 6, 1 << 20);
	test_views(12, 0, 10, 1 << 20);
	test_views(400, 60, 8, 1 << 20);
	test_views(600, 3900, 6, 256 << 10);
	test_views(2500, 24, 2, 1 << 20);
	return done_testing();
}

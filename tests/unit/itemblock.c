// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of items, filters, and long runs with index blocks.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "engine/filter.h"
#include "engine/itemblock.h"
#include "engine/run_write.h"
#include "tests/unit/lib/unit.h"

static struct rng rng;

struct block {
	struct sfs_itemblock_writer wr;
	struct sfs_block_id id;
	u8 buf[SFS_BLOCK_TARGET];
	u32 len;
	u32 nr;			/* first so many items of the pool are in it */
};

static u8 kind_of(u32 i)
{
	return i % 5 ? SFS_ITEM_VALUE : SFS_ITEM_DELETION;
}

static void fill(struct block *blk, const struct pool *pool, u32 most)
{
	u8 val[SFS_ITEM_MAX_VAL];
	u32 len;

	blk->id.magic = SFS_MAGIC_ITEM;
	blk->id.addr = 1 << 20;
	sfs_itemblock_begin(&blk->wr, blk->buf);
	for (blk->nr = 0; blk->nr < min(most, pool->nr); blk->nr++) {
		len = kind_of(blk->nr) == SFS_ITEM_VALUE ?
			      value_fill(pool, blk->nr, val) : 0;
		if (!sfs_itemblock_fits(&blk->wr, len))
			break;
		sfs_itemblock_add(&blk->wr, &pool->keys[blk->nr],
				  blk->nr * 77777777777ULL, kind_of(blk->nr),
				  val, len);
	}
	blk->len = sfs_itemblock_end(&blk->wr);
	sfs_block_seal(blk->buf, blk->len, &blk->id);
}

static bool item_is(const struct sfs_itemblock_cursor *cur,
		    const struct pool *pool, u32 i)
{
	struct sfs_key key;

	sfs_key_decode(&key, cur->bytes);
	if (!sfs_key_equal(&key, &pool->keys[i]) || cur->kind != kind_of(i) ||
	    cur->seq != i * 77777777777ULL)
		return false;
	return cur->kind == SFS_ITEM_DELETION ? cur->val_len == 0 :
		       value_is(pool, i, cur->val, cur->val_len);
}

static bool walk_and_seek(const struct block *blk, const struct pool *pool)
{
	struct sfs_itemblock_cursor cur;
	struct sfs_key key;
	bool more;
	u32 i;

	more = sfs_itemblock_first(&cur, blk->buf);
	for (i = 0; more && i < blk->nr; i++) {
		if (!item_is(&cur, pool, i))
			return false;
		more = sfs_itemblock_next(&cur);
	}
	if (more || i != blk->nr)
		return false;
	for (i = 0; i < blk->nr; i++) {
		if (!sfs_itemblock_seek(&cur, blk->buf, &pool->keys[i]) ||
		    !item_is(&cur, pool, i))
			return false;
		key = pool->keys[i];
		sfs_key_inc(&key);
		more = sfs_itemblock_seek(&cur, blk->buf, &key);
		if (more != (i + 1 < blk->nr) ||
		    (more && !item_is(&cur, pool, i + 1)))
			return false;
	}
	return true;
}

/* What passes the check can be walked, whatever it says. */
static bool flips_are_harmless(struct vol *vol, struct block *blk)
{
	struct sfs_itemblock_cursor cur;
	u32 step = blk->len > 4000 ? 7 : 1;
	bool more;
	u32 nr;
	u32 at;
	u8 bit;

	for (at = sizeof(struct sfs_block_hdr); at < blk->len; at += step) {
		bit = (u8)(1 << rng_below(&rng, 8));
		blk->buf[at] ^= bit;
		if (sfs_itemblock_check(vol->host, blk->buf, &blk->id) == 0) {
			nr = 0;
			for (more = sfs_itemblock_first(&cur, blk->buf); more;
			     more = sfs_itemblock_next(&cur))
				nr++;
			if (nr != blk->nr)
				return false;
		}
		blk->buf[at] ^= bit;
	}
	return true;
}

static void test_blocks(struct vol *vol)
{
	static const u32 sizes[][2] = {
		{ 1, 0 }, { 1, 4000 }, { 15, 3 }, { 16, 3 }, { 17, 3 },
		{ 33, 100 }, { 2000, 12 }, { 2000, 0 }, { 200, 4000 },
	};
	struct block *blk = unit_alloc(sizeof(*blk));
	struct pool pool;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pool_init(&pool, sizes[i][0], sizes[i][1], shim_seed() + i);
		fill(blk, &pool, pool.nr);
		is_int(sfs_itemblock_check(vol->host, blk->buf, &blk->id), 0,
		       "%u items in %u bytes", blk->nr, blk->len);
		ok(walk_and_seek(blk, &pool), "walks and seeks");
		ok(flips_are_harmless(vol, blk), "flipped bits");
		pool_exit(&pool);
	}
	unit_free(blk);
}

static void test_filter(void)
{
	u32 nr = 1 + rng_below(&rng, SFS_FILTER_MAX_KEYS);
	u32 bytes = sfs_filter_bytes(nr);
	u8 *bits = unit_alloc(bytes);
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, 0, 0, 0, 0, 0);
	bool good = true;
	u32 hits = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		key.f1 = i * 3;
		sfs_filter_add(bits, bytes, sfs_filter_hash_inode(&key));
	}
	for (i = 0; i < nr; i++) {
		key.f1 = i * 3;
		good &= sfs_filter_test(bits, bytes,
					sfs_filter_hash_inode(&key));
	}
	ok(good, "no false negatives among %u", nr);
	for (i = 0; i < 20000; i++) {
		key.f1 = (1ULL << 40) + i;
		hits += sfs_filter_test(bits, bytes,
					sfs_filter_hash_inode(&key));
	}
	ok(hits < 600, "%u of 20000 false positives", hits);
	unit_free(bits);
}

/* ---- a run with index blocks --------------------------------------------- */

#define NR_LONG 60000

static u64 next_addr;

static int space_get(void *arg, u32 len, u64 *ret_addr)
{
	*ret_addr = next_addr;
	next_addr += len;
	return 0;
}

static struct sfs_key long_key(u32 i)
{
	return SFS_KEY(SFS_ZONE_FS, 1000 + 2 * (i / 2), SFS_FS_DIRENT, i, 0, 0);
}

static bool has(struct sfs_run_reader *rd, struct sfs_run *run,
		const struct sfs_key *first, const struct sfs_key *last)
{
	struct sfs_run_cursor cur;
	bool ret = sfs_run_seek(&cur, rd, run, first, last) == 1;

	sfs_run_cursor_exit(&cur);
	return ret;
}

/* Filters rule out neither what is there nor, often, what is not. */
static bool may_have(struct sfs_run_reader *rd, struct sfs_run *run,
		     const struct sfs_key *key, u32 *asked, u32 *passed)
{
	struct sfs_key first = SFS_KEY(key->zone, key->f1, 0, 0, 0, 0);
	struct sfs_key last = SFS_KEY(key->zone, key->f1, U8_MAX, U64_MAX,
				      U64_MAX, U8_MAX);

	if (!has(rd, run, &first, &last))
		return false;
	first = *key;
	last = first;
	last.f3 = U64_MAX;
	last.f4 = U8_MAX;
	if (!has(rd, run, &first, &last))
		return false;
	first.f2 += 2;
	last.f2 += 2;
	++*asked;
	*passed += has(rd, run, &first, &last);
	return true;
}

static void test_long_run(struct vol *vol)
{
	struct sfs_run_space space = { space_get, NULL };
	struct sfs_run_cursor cur;
	struct sfs_run_reader rd = {
		.host = vol->host,
		.fsid = 1,
	};
	struct sfs_run_writer *wr;
	struct sfs_run *run;
	struct sfs_key key;
	bool good = true;
	u32 asked = 0;
	u32 passed = 0;
	u32 i;

	next_addr = 16 * UNIT_MIB;
	rd.cache = sfs_cache_create(vol->host, 4 * UNIT_MIB);
	wr = sfs_run_writer_create(vol->host, 1, 9, SFS_FILTER_HAS_INODES |
				   SFS_FILTER_HAS_NAMES, &space);
	for (i = 0; i < NR_LONG; i++) {
		key = long_key(i);
		if (sfs_run_writer_add(wr, &key, i, SFS_ITEM_VALUE, &i, 4) < 0)
			bail_out("add");
	}
	is_int(sfs_run_writer_finish(wr, &run), 0, "finish");
	ok(run->bytes <= sfs_run_max_bytes(NR_LONG, 4 * NR_LONG),
	   "%llu bytes for %u items", run->bytes, NR_LONG);
	for (i = 0; i < NR_LONG && good; i += 1 + rng_below(&rng, 40)) {
		key = long_key(i);
		good = sfs_run_lookup(&cur, &rd, run, &key) == 1;
		sfs_run_cursor_exit(&cur);
		good = good && may_have(&rd, run, &key, &asked, &passed);
		/* neither this name nor this inode is there */
		key.f2 += 2;
		good = good && sfs_run_lookup(&cur, &rd, run, &key) == 0;
		key = long_key(i);
		key.f1++;
		good = good && sfs_run_lookup(&cur, &rd, run, &key) == 0;
	}
	ok(good, "lookups up to item %u", i);
	ok(passed <= asked / 20, "%u of %u absent names pass", passed, asked);
	key = SFS_KEY_MIN;
	good = sfs_run_seek(&cur, &rd, run, &key, NULL) == 1;
	for (i = 0; good && i < NR_LONG; i++) {
		good = sfs_run_item(&cur)->seq == i;
		if (sfs_run_next(&cur) != (i + 1 < NR_LONG))
			good = false;
	}
	ok(good, "a walk to item %u", i);
	sfs_run_cursor_exit(&cur);
	sfs_run_put(run);
	sfs_cache_destroy(rd.cache);
}

int shim_main(int argc, char **argv)
{
	struct vol vol;

	/* the test's own buffers for values */
	shim_stack_limit(64 << 10);
	rng.state = shim_seed();
	vol_create(&vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	test_blocks(&vol);
	test_filter();
	test_long_run(&vol);
	vol_destroy(&vol);
	return done_testing();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests of the engine and the mount share: pools of keys, values that
 * follow from a tag, comparison with a model, volumes on simulated disks, and
 * the moments of a run at which the power might have been cut.
 */
#include "tests/unit/lib/unit.h"

#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "server/format.h"

/* ---- memory and chance -------------------------------------------------- */

void *unit_alloc(u64 bytes)
{
	void *p;

	shim_nofail_begin();
	p = kvzalloc(bytes ?: 1, GFP_NOFS);
	shim_nofail_end();
	BUG_ON(!p);
	return p;
}

void unit_free(void *p)
{
	kvfree(p);
}

u64 rng_u64(struct rng *rng)
{
	return shim_rand_next(&rng->state);
}

u32 rng_below(struct rng *rng, u32 n)
{
	return (u32)((rng_u64(rng) >> 16) % n);
}

/* ---- keys and values ---------------------------------------------------- */

static int cmp_keys(const void *a, const void *b)
{
	return sfs_key_cmp(a, b);
}

static struct sfs_key random_key(struct rng *rng)
{
	static const u8 types[] = {
		SFS_FS_INODE, SFS_FS_XATTR, SFS_FS_DIRENT, SFS_FS_DIRENT,
		SFS_FS_READDIR, SFS_FS_EXTENT,
	};
	u64 ino = 1024 + rng_below(rng, 40) * 97;

	switch (rng_below(rng, 8)) {
	case 0:
		return SFS_KEY(SFS_ZONE_INDEX, 0, SFS_INDEX_META_SEQ,
			       rng_below(rng, 1000), ino, 0);
	case 1:
		return SFS_KEY(SFS_ZONE_WORK, ino, SFS_WORK_ORPHAN, 0, 0, 0);
	default:
		return SFS_KEY(SFS_ZONE_FS, ino,
			       types[rng_below(rng, ARRAY_SIZE(types))],
			       rng_below(rng, 4) ? rng_below(rng, 100) :
						   rng_u64(rng),
			       rng_below(rng, 3), (u8)rng_below(rng, 2));
	}
}

void pool_init(struct pool *pool, u32 nr, u32 max_val, u64 seed)
{
	struct rng rng = { seed };
	u32 i;

	pool->nr = nr;
	pool->max_val = max_val;
	pool->keys = unit_alloc(nr * sizeof(*pool->keys));
	for (i = 0; i < nr; i++)
		pool->keys[i] = random_key(&rng);
	for (;;) {
		sort(pool->keys, nr, sizeof(*pool->keys), cmp_keys, NULL);
		for (i = 1; i < nr; i++) {
			if (sfs_key_equal(&pool->keys[i - 1], &pool->keys[i]))
				break;
		}
		if (i >= nr)
			return;
		pool->keys[i] = random_key(&rng);
	}
}

void pool_exit(struct pool *pool)
{
	unit_free(pool->keys);
}

u32 *tags_new(const struct pool *pool)
{
	return unit_alloc(pool->nr * sizeof(u32));
}

u32 value_len(const struct pool *pool, u32 tag)
{
	u64 state = tag;

	return (u32)((shim_rand_next(&state) >> 20) % (pool->max_val + 1));
}

u32 value_fill(const struct pool *pool, u32 tag, u8 *buf)
{
	u32 len = value_len(pool, tag);
	u64 state = tag + 1000000007ULL;
	u64 r = 0;
	u32 i;

	for (i = 0; i < len; i++) {
		if (i % 8 == 0)
			r = shim_rand_next(&state);
		buf[i] = (u8)(r >> (8 * (i % 8)));
	}
	return len;
}

bool value_is(const struct pool *pool, u32 tag, const void *val, u32 len)
{
	u8 buf[4000];

	BUG_ON(pool->max_val > sizeof(buf));
	return value_fill(pool, tag, buf) == len && !memcmp(buf, val, len);
}

static bool differs(const struct pool *pool, u32 i, const char *what)
{
	diag("key " SFS_KEY_FMT " (%u of the pool): %s",
	     SFS_KEY_ARG(&pool->keys[i]), i, what);
	return false;
}

bool iter_matches(struct sfs_iter *it, const struct pool *pool,
		  const u32 *tags, u32 first, u32 last)
{
	bool same = true;
	u32 i = first;
	int ret;

	while (same && (ret = sfs_iter_next(it)) > 0) {
		while (i <= last && !tags[i])
			i++;
		if (i > last || !sfs_key_equal(&it->key, &pool->keys[i])) {
			diag("walk finds " SFS_KEY_FMT, SFS_KEY_ARG(&it->key));
			same = differs(pool, min(i, pool->nr - 1),
				       "expected next");
		} else if (!value_is(pool, tags[i], it->val, it->val_len)) {
			same = differs(pool, i, "another value");
		}
		i++;
	}
	while (same && ret == 0 && i <= last) {
		if (tags[i])
			same = differs(pool, i, "not found");
		i++;
	}
	if (same && ret < 0) {
		diag("walk fails: %d", ret);
		same = false;
	}
	sfs_iter_exit(it);
	return same;
}

bool engine_matches(struct sfs_engine *eng, const struct pool *pool,
		    const u32 *tags)
{
	struct sfs_iter it;

	sfs_iter_init(eng, &it, &pool->keys[0], &pool->keys[pool->nr - 1]);
	return iter_matches(&it, pool, tags, 0, pool->nr - 1);
}

bool engine_has(struct sfs_engine *eng, const struct pool *pool, u32 i, u32 tag)
{
	u8 buf[4000];
	int ret;

	ret = sfs_engine_get(eng, &pool->keys[i], buf, sizeof(buf));
	if (!tag && ret == -ENOENT)
		return true;
	if (tag && ret >= 0 && value_is(pool, tag, buf, ret))
		return true;
	diag("lookup of " SFS_KEY_FMT ": %d, tag %u",
	     SFS_KEY_ARG(&pool->keys[i]), ret, tag);
	return false;
}

/* ---- volumes ------------------------------------------------------------ */

static void vol_open(struct vol *vol, struct sim_disk *meta,
		     struct sim_disk *data, u64 seed)
{
	vol->disk[SFS_DEV_META] = meta;
	vol->disk[SFS_DEV_DATA] = data;
	vol->host = sim_host_create(meta, data, seed + 2);
}

void vol_create_on(struct vol *vol, u64 meta_bytes, u64 data_bytes,
		   const struct sim_disk_opts *opts)
{
	struct sim_disk *meta = sim_disk_create(meta_bytes, opts);
	struct sim_disk_opts other = *opts;

	other.seed++;
	memset(vol, 0, sizeof(*vol));
	vol_open(vol, meta, sim_disk_create(data_bytes, &other), opts->seed);
	vol->ident.id.fsid = 0x5eed0000 + opts->seed;
	vol->ident.id.uuid[0] = 1;
	vol->ident.id.is_meta = 1;
	vol->ident.id.interface_version = 2;
	vol->ident.id.meta_bytes = meta_bytes;
	vol->ident.id.data_bytes = data_bytes;
	sfs_identity_geometry(meta_bytes, &vol->ident.region_bytes,
			      &vol->ident.segment_bytes);
}

void vol_create(struct vol *vol, u64 meta_bytes, u64 data_bytes, u64 seed)
{
	struct sim_disk_opts opts = { .seed = seed };

	vol_create_on(vol, meta_bytes, data_bytes, &opts);
}

void vol_from(struct vol *vol, const struct vol *like, struct sim_image *meta,
	      struct sim_image *data, u64 seed)
{
	struct sim_disk_opts opts = { .seed = seed };
	struct sim_disk *disk = sim_disk_from(meta, &opts);

	opts.seed++;
	vol->ident = like->ident;
	vol_open(vol, disk, sim_disk_from(data, &opts), seed);
}

void vol_destroy(struct vol *vol)
{
	int i;

	sim_host_destroy(vol->host);
	for (i = 0; i < SFS_NR_DEVS; i++)
		sim_disk_destroy(vol->disk[i]);
}

void vol_format(struct vol *vol)
{
	struct sfs_key key = SFS_KEY(1, 0, 0, 0, 0, 0);
	u32 bytes = sfs_memgen_item_bytes(0) + 8;
	struct sfs_memgen *gen = sfs_memgen_create();
	u8 *mem;

	if (!gen || sfs_memgen_cut(gen, bytes, &mem) < 0)
		bail_out("no memory");
	sfs_memgen_set(gen, &mem, &bytes, &key, 0, SFS_ITEM_VALUE, NULL, 0);
	if (sfs_server_format(vol->host, &vol->ident, gen) < 0 ||
	    sfs_identity_write(vol->host, &vol->ident) < 0)
		bail_out("the volume can not be made");
	sfs_memgen_put(gen);
}

/* ---- moments ------------------------------------------------------------ */

static void take_moment(struct sfs_host *host, u32 op, void *arg)
{
	struct moments *m = arg;
	struct moment *at;
	int i;

	if (m->seen++ % m->every || m->nr == m->max)
		return;
	at = &m->at[m->nr++];
	for (i = 0; i < SFS_NR_DEVS; i++)
		at->state[i] = sim_disk_state(m->vol->disk[i]);
	at->promised = *m->promise;
	at->begun = *m->begin;
}

void moments_start(struct moments *m, struct vol *vol, u32 max, u32 every,
		   const u64 *promise, const u64 *begin)
{
	memset(m, 0, sizeof(*m));
	m->vol = vol;
	m->promise = promise;
	m->begin = begin;
	m->every = every;
	m->max = max;
	m->at = unit_alloc(max * sizeof(*m->at));
	sim_host_on_effect(vol->host, take_moment, m);
}

void moments_stop(struct moments *m)
{
	sim_host_on_effect(m->vol->host, NULL, NULL);
}

void moments_free(struct moments *m)
{
	u32 i;
	int d;

	for (i = 0; i < m->nr; i++) {
		for (d = 0; d < SFS_NR_DEVS; d++)
			sim_state_free(m->at[i].state[d]);
	}
	unit_free(m->at);
}

void moments_vol(const struct moments *m, u32 i, u64 seed, enum sim_loss loss,
		 struct vol *ret_vol)
{
	struct sim_state *const *state = m->at[i].state;

	vol_from(ret_vol, m->vol,
		 sim_state_image(state[SFS_DEV_META], 2 * seed, loss),
		 sim_state_image(state[SFS_DEV_DATA], 2 * seed + 1, loss),
		 seed);
}

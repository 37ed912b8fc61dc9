/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_UNIT_LIB_H
#define TESTS_UNIT_LIB_H

#include <linux/types.h>
#include "base/identity.h"
#include "engine/engine.h"
#include "engine/iter.h"
#include "shim/shim.h"
#include "sim/host.h"
#include "tests/tap.h"

/*
 * What tests of the engine and the mount share.
 *
 * The model of an item store is an array of tags, one a key of a sorted pool:
 * 0 for "no item", anything else stands for a value whose length and bytes
 * follow from the tag.  A state of the store is then a small array, and the
 * next item in key order is the next tag that is not 0.
 */
struct pool {
	u32 nr;
	u32 max_val;		/* values are at most that long */
	struct sfs_key *keys;	/* ascending */
};

struct rng {
	u64 state;
};

/* ---- memory and chance -------------------------------------------------- */

/* Zeroed; never made to fail. */
void *unit_alloc(u64 bytes);
void unit_free(void *p);

u64 rng_u64(struct rng *rng);
/* 0 .. @n - 1 */
u32 rng_below(struct rng *rng, u32 n);

/* ---- keys and values ---------------------------------------------------- */

/* Keys of all zones that engines treat differently, in few inodes. */
void pool_init(struct pool *pool, u32 nr, u32 max_val, u64 seed);
void pool_exit(struct pool *pool);

u32 *tags_new(const struct pool *pool);
u32 value_len(const struct pool *pool, u32 tag);
/* @buf has max_val bytes; returns the length. */
u32 value_fill(const struct pool *pool, u32 tag, u8 *buf);
bool value_is(const struct pool *pool, u32 tag, const void *val, u32 len);

/*
 * Walks @it, which covers the keys of the pool from @first to @last (indexes),
 * and compares each item with @tags.  Says what is different and returns
 * false.  Ends the iterator.
 */
bool iter_matches(struct sfs_iter *it, const struct pool *pool,
		  const u32 *tags, u32 first, u32 last);
/* All keys of the pool in the engine's view. */
bool engine_matches(struct sfs_engine *eng, const struct pool *pool,
		    const u32 *tags);
/* One lookup. */
bool engine_has(struct sfs_engine *eng, const struct pool *pool, u32 i,
		u32 tag);

/* ---- volumes ------------------------------------------------------------ */

#define UNIT_MIB (1ULL << 20)

struct vol {
	struct sim_disk *disk[SFS_NR_DEVS];
	struct sfs_host *host;
	struct sfs_identity ident;
};

/* Two empty disks and what their identity will be. */
void vol_create(struct vol *vol, u64 meta_bytes, u64 data_bytes, u64 seed);
/* The same volume on other disks; takes over the images. */
void vol_from(struct vol *vol, const struct vol *like,
	      struct sim_image *meta, struct sim_image *data, u64 seed);
void vol_destroy(struct vol *vol);
/* As vol_create(), with disks of other times. */
void vol_create_on(struct vol *vol, u64 meta_bytes, u64 data_bytes,
		   const struct sim_disk_opts *opts);
/* Server region, identity, and one item that no pool has. */
void vol_format(struct vol *vol);

/* The states that a cut would leave, taken again and again in one run. */
struct moment {
	struct sim_state *state[SFS_NR_DEVS];
	u64 promised;		/* *promise at that moment */
	u64 begun;		/* *begin at that moment */
};
struct moments {
	struct vol *vol;
	const u64 *promise;
	const u64 *begin;
	u32 every;		/* one effect in so many is taken */
	u32 seen;
	u32 nr;
	u32 max;
	struct moment *at;
};

void moments_start(struct moments *m, struct vol *vol, u32 max, u32 every,
		   const u64 *promise, const u64 *begin);
void moments_stop(struct moments *m);
void moments_free(struct moments *m);
/* The volume as it may be after a cut at moment @i. */
void moments_vol(const struct moments *m, u32 i, u64 seed, enum sim_loss loss,
		 struct vol *ret_vol);

#endif

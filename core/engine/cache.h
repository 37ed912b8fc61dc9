/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_CACHE_H
#define SFS_ENGINE_CACHE_H

#include <linux/list.h>
#include "base/block.h"

struct sfs_cache;

/*
 * A checked, immutable block in memory; @buf is valid while it is held.  While
 * it is read the device is one of its users.
 */
struct sfs_block {
	struct hlist_node hash;		/* L(shard) */
	struct list_head lru;		/* L(shard) */
	struct sfs_block_id id;		/* I */
	void *buf;			/* I once loaded */
	u32 size;			/* I: bytes of @buf */
	u32 users;			/* L(shard) */
	u8 state;			/* L(shard) to change, A to read */
	u8 used_again;			/* A: a hint, a lost update is harmless */
	s32 err;			/* I once it failed */
	struct sfs_cache *cache;	/* I */
	struct sfs_io io;		/* O(device) while it is read */
};

struct sfs_cache *sfs_cache_create(struct sfs_host *host, u64 budget_bytes);
/* Nobody holds a block any more.  Waits for reads that were left behind. */
void sfs_cache_destroy(struct sfs_cache *cache);

/*
 * From now on who waits for a read leaves with -EINTR when its thread is being
 * killed.  Not for what must not fail because of who happens to run it.
 */
void sfs_cache_killable(struct sfs_cache *cache);
/* Nothing is read any more; who waits for a read leaves with -EIO. */
void sfs_cache_stop(struct sfs_cache *cache);

/*
 * The block @id, @size bytes on the device (a multiple of 4096), read and
 * checked if it is not cached.  ERR_PTR(-EIO) with a line when it is damaged.
 */
struct sfs_block *sfs_cache_get(struct sfs_cache *cache,
				const struct sfs_block_id *id, u32 size);
void sfs_cache_put(struct sfs_cache *cache, struct sfs_block *blk);

/* Gives back up to @bytes of clean blocks; returns what it freed. */
u64 sfs_cache_shrink(struct sfs_cache *cache, u64 bytes);

struct sfs_cache_stats {
	u64 hits;
	u64 misses;
	u64 read_bytes;
	u64 evictions;
	u64 shrunk_bytes;
	u64 blocks;		/* now */
	u64 bytes;		/* now */
	u64 budget_bytes;
};
void sfs_cache_stats(struct sfs_cache *cache, struct sfs_cache_stats *ret);

/* Header, then every field of the kind of block; also used without a cache. */
int sfs_block_check(struct sfs_host *host, const void *buf, u32 size,
		    const struct sfs_block_id *id);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of metadata blocks.
 *
 * Blocks of runs never change and run ids are never reused, so a cached block
 * is right for ever: there is nothing to invalidate, and coherence between
 * mounts is a question of which manifest version one reads, not of this cache.
 *
 * Blocks are found by (run id, number) in one of 16 shards, each a hash table
 * and a list in order of last use under one spinlock.  Whoever misses inserts
 * the block as loading and submits the read; the first of those who want it
 * that finds it arrived checks it.
 *
 * A block is freed under its shard's lock only while it has no users, and
 * whoever finds it there becomes a user under the same lock, so nobody can
 * hold what is freed.  The device is a user until it has completed: it may take
 * for ever, so who waits can leave (killed, or the cache was stopped) and the
 * block stays behind.  The cache itself is not freed before.
 *
 * Replacement is second chance: a block that was found again since it was last
 * looked at goes once more to the front.  The budget is kept per shard.
 */
#include "engine/cache.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>
#include "base/killable.h"
#include "base/report.h"
#include "engine/itemblock.h"

#define NR_SHARDS 16
#define NR_BUCKETS 1024
#define EVICT_SCAN 16
#define SHRINK_SCAN 256
#define SHRINK_ROUNDS 256

enum block_state {
	BLOCK_LOADING,		/* the device has it */
	BLOCK_ARRIVED,		/* read, not checked */
	BLOCK_CHECKING,		/* by one of its users */
	BLOCK_READY,
	BLOCK_FAILED,
};

struct cache_shard {
	spinlock_t lock;
	struct hlist_head *buckets;	/* L(lock) */
	struct list_head lru;		/* L(lock): most recent first */
	wait_queue_head_t loaded;
	u32 loading;			/* L(lock): blocks the device has */
	u64 bytes;			/* L(lock) */
	u64 blocks;			/* L(lock) */
	u64 hits;			/* L(lock) */
	u64 misses;			/* L(lock) */
	u64 read_bytes;			/* L(lock) */
	u64 evictions;			/* L(lock) */
	u64 shrunk_bytes;		/* L(lock) */
};

struct sfs_cache {
	struct sfs_host *host;		/* I */
	u64 shard_budget;		/* I: bytes */
	bool killable;			/* I */
	bool stopped;			/* A: set once */
	struct cache_shard shards[NR_SHARDS];
};

int sfs_block_check(struct sfs_host *host, const void *buf, u32 size,
		    const struct sfs_block_id *id)
{
	int ret;

	ret = sfs_block_verify(host, buf, size, id);
	if (ret == 0 && id->magic != SFS_MAGIC_FILTER)
		ret = sfs_itemblock_check(host, buf, id);
	return ret;
}

static u32 block_hash(const struct sfs_block_id *id)
{
	u64 h = (id->owner * 0x9e3779b97f4a7c15ULL + id->nr) *
		0x9e3779b97f4a7c15ULL;

	return (u32)(h >> 32);
}

static struct cache_shard *block_shard(struct sfs_cache *cache,
				       const struct sfs_block_id *id)
{
	return &cache->shards[block_hash(id) % NR_SHARDS];
}

static struct hlist_head *block_bucket(struct cache_shard *shard,
				       const struct sfs_block_id *id)
{
	return &shard->buckets[block_hash(id) / NR_SHARDS % NR_BUCKETS];
}

struct sfs_cache *sfs_cache_create(struct sfs_host *host, u64 budget_bytes)
{
	struct sfs_cache *cache;
	struct cache_shard *shard;
	int i;

	cache = kzalloc(sizeof(*cache), GFP_NOFS);
	if (!cache)
		return ERR_PTR(-ENOMEM);
	cache->host = host;
	cache->shard_budget = div_u64(budget_bytes, NR_SHARDS);
	for (i = 0; i < NR_SHARDS; i++) {
		shard = &cache->shards[i];
		spin_lock_init(&shard->lock);
		INIT_LIST_HEAD(&shard->lru);
		init_waitqueue_head(&shard->loaded);
		shard->buckets = kvcalloc(NR_BUCKETS, sizeof(*shard->buckets),
					  GFP_NOFS);
		if (!shard->buckets) {
			sfs_cache_destroy(cache);
			return ERR_PTR(-ENOMEM);
		}
	}
	return cache;
}

static void block_free(struct sfs_block *blk)
{
	if (blk->buf)
		sfs_port_buf_free(blk->buf, blk->size);
	kfree(blk);
}

/* Out of the shard; the caller frees it after dropping the lock. */
static void block_unlink(struct cache_shard *shard, struct sfs_block *blk)
{
	hlist_del(&blk->hash);
	list_del(&blk->lru);
	shard->bytes -= blk->size;
	shard->blocks--;
}

/*
 * Moves blocks without users to @victims until the shard is within @budget or
 * a bounded number of blocks has been looked at.
 */
static void shard_evict(struct cache_shard *shard, u64 budget, u32 scan,
			struct list_head *victims)
{
	struct sfs_block *blk;

	lockdep_assert_held(&shard->lock);
	while (shard->bytes > budget && scan-- > 0 && !list_empty(&shard->lru)) {
		blk = list_last_entry(&shard->lru, struct sfs_block, lru);
		if (blk->users || blk->used_again) {
			blk->used_again = 0;
			list_move(&blk->lru, &shard->lru);
			continue;
		}
		block_unlink(shard, blk);
		shard->evictions++;
		list_add(&blk->lru, victims);
	}
}

static u64 free_victims(struct list_head *victims)
{
	struct sfs_block *blk;
	struct sfs_block *tmp;
	u64 bytes = 0;

	list_for_each_entry_safe(blk, tmp, victims, lru) {
		list_del(&blk->lru);
		bytes += blk->size;
		block_free(blk);
	}
	return bytes;
}

static bool shard_idle(struct cache_shard *shard)
{
	bool idle;

	spin_lock(&shard->lock);
	idle = shard->loading == 0;
	spin_unlock(&shard->lock);
	return idle;
}

void sfs_cache_destroy(struct sfs_cache *cache)
{
	struct cache_shard *shard;
	struct sfs_block *blk;
	struct sfs_block *tmp;
	int i;

	for (i = 0; i < NR_SHARDS; i++) {
		shard = &cache->shards[i];
		if (!shard->buckets)
			continue;
		wait_event(shard->loaded, shard_idle(shard));
		list_for_each_entry_safe(blk, tmp, &shard->lru, lru) {
			SFS_ASSERT_CMP(blk->users, ==, 0);
			block_free(blk);
		}
		kvfree(shard->buckets);
	}
	kfree(cache);
}

void sfs_cache_killable(struct sfs_cache *cache)
{
	cache->killable = true;
}

void sfs_cache_stop(struct sfs_cache *cache)
{
	int i;

	WRITE_ONCE(cache->stopped, true);
	for (i = 0; i < NR_SHARDS; i++)
		wake_up_all(&cache->shards[i].loaded);
}

static struct sfs_block *shard_find(struct cache_shard *shard,
				    const struct sfs_block_id *id)
{
	struct sfs_block *blk;

	hlist_for_each_entry(blk, block_bucket(shard, id), hash) {
		if (blk->id.owner == id->owner && blk->id.nr == id->nr)
			return blk;
	}
	return NULL;
}

static struct sfs_block *block_alloc(struct sfs_cache *cache,
				     const struct sfs_block_id *id, u32 size)
{
	struct sfs_block *blk;

	blk = kzalloc(sizeof(*blk), GFP_NOFS);
	if (!blk)
		return NULL;
	blk->buf = sfs_port_buf_alloc(size);
	if (!blk->buf) {
		kfree(blk);
		return NULL;
	}
	blk->id = *id;
	blk->size = size;
	blk->cache = cache;
	blk->users = 2;		/* the caller and the device */
	blk->state = BLOCK_LOADING;
	return blk;
}

/* ---- loading ------------------------------------------------------------- */

/* Found by nobody from now on; the last user frees it. */
static void block_fail(struct cache_shard *shard, struct sfs_block *blk,
		       int err)
{
	lockdep_assert_held(&shard->lock);
	blk->err = err;
	smp_store_release(&blk->state, (u8)BLOCK_FAILED);
	block_unlink(shard, blk);
	INIT_LIST_HEAD(&blk->lru);
}

/* The device gives back what it has. */
static void block_loaded(struct sfs_io *io)
{
	struct sfs_block *blk = container_of(io, struct sfs_block, io);
	struct cache_shard *shard = block_shard(blk->cache, &blk->id);
	bool dead;

	if (io->err < 0)
		sfs_err(blk->cache->host,
			"can not read %u bytes at byte %llu of the metadata device: error %d",
			blk->size, blk->id.addr, io->err);
	spin_lock(&shard->lock);
	if (io->err < 0)
		block_fail(shard, blk, io->err);
	else
		smp_store_release(&blk->state, (u8)BLOCK_ARRIVED);
	dead = --blk->users == 0 && io->err < 0;
	shard->loading--;
	/* under the lock: once it is dropped the cache may be gone */
	wake_up_all(&shard->loaded);
	spin_unlock(&shard->lock);
	if (dead)
		block_free(blk);
}

static void block_load(struct sfs_cache *cache, struct sfs_block *blk)
{
	u64 end = sfs_port_dev_size(cache->host, SFS_DEV_META);

	blk->io = (struct sfs_io){
		.done = block_loaded,
		.buf = blk->buf,
		.offset = blk->id.addr,
		.len = blk->size,
		.dev = SFS_DEV_META,
	};
	/* where a damaged reference may point to */
	if (blk->id.addr >= end || blk->size > end - blk->id.addr) {
		blk->io.err = -EIO;
		block_loaded(&blk->io);
		return;
	}
	sfs_port_io_submit(cache->host, &blk->io);
}

/* One of those who want it checks it, once it is there. */
static void block_arrived(struct sfs_cache *cache, struct cache_shard *shard,
			  struct sfs_block *blk)
{
	bool mine;
	int ret;

	spin_lock(&shard->lock);
	mine = blk->state == BLOCK_ARRIVED;
	if (mine)
		WRITE_ONCE(blk->state, BLOCK_CHECKING);
	spin_unlock(&shard->lock);
	if (!mine)
		return;
	ret = sfs_block_check(cache->host, blk->buf, blk->size, &blk->id);
	spin_lock(&shard->lock);
	if (ret < 0)
		block_fail(shard, blk, ret);
	else
		smp_store_release(&blk->state, (u8)BLOCK_READY);
	spin_unlock(&shard->lock);
	wake_up_all(&shard->loaded);
}

static u8 block_state(const struct sfs_block *blk)
{
	return smp_load_acquire(&blk->state);
}

/* Is there anything to do but wait? */
static bool block_moved(struct sfs_cache *cache, const struct sfs_block *blk)
{
	u8 state = block_state(blk);

	return (state != BLOCK_LOADING && state != BLOCK_CHECKING) ||
	       READ_ONCE(cache->stopped);
}

/* 0: ready.  The caller is a user, also after an error. */
static int block_wait(struct sfs_cache *cache, struct cache_shard *shard,
		      struct sfs_block *blk)
{
	int ret;

	for (;;) {
		switch (block_state(blk)) {
		case BLOCK_READY:
			return 0;
		case BLOCK_FAILED:
			return blk->err;
		case BLOCK_ARRIVED:
			block_arrived(cache, shard, blk);
			continue;
		default:
			break;
		}
		if (READ_ONCE(cache->stopped))
			return -EIO;
		ret = 0;
		if (cache->killable)
			ret = sfs_wait_killable(cache->host, shard->loaded,
						block_moved(cache, blk));
		else
			wait_event(shard->loaded, block_moved(cache, blk));
		if (ret < 0)
			return ret;
	}
}

struct sfs_block *sfs_cache_get(struct sfs_cache *cache,
				const struct sfs_block_id *id, u32 size)
{
	struct cache_shard *shard = block_shard(cache, id);
	struct sfs_block *fresh = NULL;
	struct sfs_block *blk;
	LIST_HEAD(victims);
	int ret;

again:
	spin_lock(&shard->lock);
	blk = shard_find(shard, id);
	if (blk) {
		blk->users++;
		blk->used_again = 1;
		shard->hits++;
		spin_unlock(&shard->lock);
		if (fresh)
			block_free(fresh);
		goto wait;
	}
	if (!fresh) {
		spin_unlock(&shard->lock);
		if (READ_ONCE(cache->stopped))
			return ERR_PTR(-EIO);
		fresh = block_alloc(cache, id, size);
		if (!fresh)
			return ERR_PTR(-ENOMEM);
		goto again;
	}
	hlist_add_head(&fresh->hash, block_bucket(shard, id));
	list_add(&fresh->lru, &shard->lru);
	shard->bytes += size;
	shard->blocks++;
	shard->loading++;
	shard->misses++;
	shard->read_bytes += size;
	shard_evict(shard, cache->shard_budget, EVICT_SCAN, &victims);
	spin_unlock(&shard->lock);
	free_victims(&victims);
	blk = fresh;
	block_load(cache, blk);
wait:
	ret = block_wait(cache, shard, blk);
	if (ret == 0)
		return blk;
	sfs_cache_put(cache, blk);
	return ERR_PTR(ret);
}

void sfs_cache_put(struct sfs_cache *cache, struct sfs_block *blk)
{
	struct cache_shard *shard = block_shard(cache, &blk->id);
	bool dead;

	spin_lock(&shard->lock);
	SFS_ASSERT_CMP(blk->users, >, 0);
	blk->users--;
	dead = blk->users == 0 && blk->state == BLOCK_FAILED;
	spin_unlock(&shard->lock);
	if (dead)
		block_free(blk);
}

/* In rounds, so that the lock is held for some microseconds at a time. */
static u64 shard_shrink(struct cache_shard *shard, u64 share)
{
	LIST_HEAD(victims);
	u64 target = 0;
	u64 before;
	bool done = false;
	u32 round;

	for (round = 0; round < SHRINK_ROUNDS && !done; round++) {
		spin_lock(&shard->lock);
		if (round == 0 && shard->bytes > share)
			target = shard->bytes - share;
		before = shard->bytes;
		shard_evict(shard, target, SHRINK_SCAN, &victims);
		shard->shrunk_bytes += before - shard->bytes;
		done = shard->bytes <= target || list_empty(&shard->lru);
		spin_unlock(&shard->lock);
	}
	return free_victims(&victims);
}

/* The host may call this while it waits for memory: see api.h. */
u64 sfs_cache_shrink(struct sfs_cache *cache, u64 bytes)
{
	u64 share = div_u64(bytes, NR_SHARDS) + 1;
	u64 freed = 0;
	int i;

	for (i = 0; i < NR_SHARDS && freed < bytes; i++)
		freed += shard_shrink(&cache->shards[i], share);
	return freed;
}

void sfs_cache_stats(struct sfs_cache *cache, struct sfs_cache_stats *ret)
{
	struct cache_shard *shard;
	int i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < NR_SHARDS; i++) {
		shard = &cache->shards[i];
		spin_lock(&shard->lock);
		ret->hits += shard->hits;
		ret->misses += shard->misses;
		ret->read_bytes += shard->read_bytes;
		ret->evictions += shard->evictions;
		ret->shrunk_bytes += shard->shrunk_bytes;
		ret->blocks += shard->blocks;
		ret->bytes += shard->bytes;
		spin_unlock(&shard->lock);
	}
	ret->budget_bytes = cache->shard_budget * NR_SHARDS;
}

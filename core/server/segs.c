// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata space in segments.
 *
 * A segment is in exactly one state: free; owned by a mount or by the running
 * compaction, which may write to it; live, while slices refer to pieces in it;
 * or pending-free, from the version that removed its last slice on until every
 * mount has said that it reads nothing older.  An owned segment may have
 * references, too: what was published out of it so far.
 *
 * Owned and pending segments have items in the store; live ones are those that
 * the slices refer to and free ones are the rest, so the map in memory is
 * rebuilt from the store's items.  After a start mounts of before own what they
 * owned and may read what they read; the compaction of before is abandoned, and
 * what it owned is closed.
 *
 * Watermarks: compaction may take the last segment, deleting operations leave
 * what two jobs need, everybody else leaves the deleters' reserve besides.  The
 * latter is larger than what deletions themselves take, because merging what
 * everybody else has put into level 0 may need more space than it had there.
 *
 * All under the store's mutex.
 */
#include "server/server.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "base/broken.h"
#include "base/report.h"

#define REF_MASK ((1U << SFS_SEG_REF_BITS) - 1)

static u32 seg_state(const struct sfs_seg_map *map, u64 nr)
{
	return map->seg[nr] >> SFS_SEG_REF_BITS;
}

static u32 seg_refs(const struct sfs_seg_map *map, u64 nr)
{
	return map->seg[nr] & REF_MASK;
}

static void count_state(struct sfs_seg_map *map, u32 state, s64 diff)
{
	if (state == SFS_SEG_FREE)
		map->nr_free += diff;
	else if (state == SFS_SEG_OWNED)
		map->nr_owned += diff;
	else if (state == SFS_SEG_PENDING)
		map->nr_pending += diff;
}

static void set_state(struct sfs_seg_map *map, u64 nr, u32 state)
{
	count_state(map, seg_state(map, nr), -1);
	count_state(map, state, 1);
	map->seg[nr] = seg_refs(map, nr) | state << SFS_SEG_REF_BITS;
}

static u64 seg_addr(const struct sfs_seg_map *map, u64 nr)
{
	return map->start + nr * map->bytes;
}

static u64 addr_seg(const struct sfs_seg_map *map, u64 addr)
{
	return div_u64(addr - map->start, map->bytes);
}

int sfs_segs_init(struct sfs_server *srv)
{
	struct sfs_seg_map *map = &srv->segs;
	u64 job = max_t(u64, srv->ident.id.meta_bytes / 32, 1ULL << 20);

	map->start = sfs_identity_seg_start(&srv->ident);
	map->nr = sfs_identity_nr_segs(&srv->ident);
	map->bytes = srv->ident.segment_bytes;
	map->nr_free = map->nr;
	job = div_u64(min_t(u64, job, 1ULL << 30), map->bytes);
	map->reserve_job = 2 * job;
	map->reserve_delete = 3 * job;
	map->seg = kvcalloc(map->nr, sizeof(*map->seg), GFP_NOFS);
	return map->seg ? 0 : -ENOMEM;
}

void sfs_segs_exit(struct sfs_server *srv)
{
	kvfree(srv->segs.seg);
	srv->segs.seg = NULL;
}

static int piece_segs(struct sfs_server *srv, const struct sfs_piece *piece,
		      u64 *ret_first, u64 *ret_last)
{
	struct sfs_seg_map *map = &srv->segs;

	if (piece->addr < map->start ||
	    addr_seg(map, piece->addr + piece->len - 1) >= map->nr) {
		sfs_err(srv->host,
			"damaged manifest: a piece at byte %llu lies outside of the segments",
			piece->addr);
		return -EIO;
	}
	*ret_first = addr_seg(map, piece->addr);
	*ret_last = addr_seg(map, piece->addr + piece->len - 1);
	return 0;
}

int sfs_segs_add_slice(struct sfs_server *srv, const struct sfs_slice *slice)
{
	const struct sfs_run *run = slice->run;
	u64 first;
	u64 last;
	u64 nr;
	u32 i;
	int ret;

	for (i = 0; i < run->nr_pieces; i++) {
		ret = piece_segs(srv, &run->pieces[i], &first, &last);
		if (ret < 0)
			return ret;
		for (nr = first; nr <= last; nr++) {
			SFS_ASSERT_CMP(seg_refs(&srv->segs, nr), <, REF_MASK);
			srv->segs.seg[nr]++;
		}
	}
	return 0;
}

static void make_pending(struct sfs_server *srv, struct sfs_store_txn *txn,
			 u64 nr, u64 version)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_PENDING, version, nr);

	set_state(&srv->segs, nr, SFS_SEG_PENDING);
	sfs_store_put(srv->store, txn, &key, NULL, 0);
}

void sfs_segs_del_slice(struct sfs_server *srv, struct sfs_store_txn *txn,
			const struct sfs_slice *slice, u64 version)
{
	const struct sfs_run *run = slice->run;
	struct sfs_seg_map *map = &srv->segs;
	u64 first;
	u64 last;
	u64 nr;
	u32 i;

	for (i = 0; i < run->nr_pieces; i++) {
		if (piece_segs(srv, &run->pieces[i], &first, &last) < 0)
			continue;
		for (nr = first; nr <= last; nr++) {
			SFS_ASSERT_CMP(seg_refs(map, nr), >, 0);
			map->seg[nr]--;
			if (seg_refs(map, nr) == 0 &&
			    seg_state(map, nr) == SFS_SEG_LIVE)
				make_pending(srv, txn, nr, version);
		}
	}
}

static int find_free(struct sfs_seg_map *map, u64 *ret_nr)
{
	u64 i;
	u64 nr;

	for (i = 0; i < map->nr; i++) {
		nr = map->hint + i;
		if (nr >= map->nr)
			nr -= map->nr;
		if (seg_state(map, nr) == SFS_SEG_FREE) {
			map->hint = nr + 1 < map->nr ? nr + 1 : 0;
			*ret_nr = nr;
			return 0;
		}
	}
	return -ENOSPC;
}

int sfs_segs_own(struct sfs_server *srv, struct sfs_store_txn *txn, u64 owner,
		 u64 reserve, u64 *ret_addr)
{
	struct sfs_seg_map *map = &srv->segs;
	struct sfs_key key;
	u64 nr;
	int ret;

	if (map->nr_free <= reserve)
		return -ENOSPC;
	ret = find_free(map, &nr);
	if (ret < 0)
		return ret;
	SFS_ASSERT_CMP(seg_refs(map, nr), ==, 0);
	set_state(map, nr, SFS_SEG_OWNED);
	key = SFS_SRV_KEY(SFS_SRV_OWNED, owner, nr);
	sfs_store_put(srv->store, txn, &key, NULL, 0);
	*ret_addr = seg_addr(map, nr);
	return 0;
}

static void close_seg(struct sfs_server *srv, struct sfs_store_txn *txn,
		      u64 owner, u64 nr, u64 version)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, owner, nr);

	sfs_store_del(srv->store, txn, &key);
	if (seg_refs(&srv->segs, nr))
		set_state(&srv->segs, nr, SFS_SEG_LIVE);
	else
		make_pending(srv, txn, nr, version);
}

/* 0, -EINVAL when it is not, or the error of looking. */
static int is_owner(struct sfs_server *srv, u64 owner, u64 nr)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, owner, nr);
	u8 none;
	int ret;

	ret = sfs_engine_get(srv->items, &key, &none, 0);
	return ret == -ENOENT ? -EINVAL : min(ret, 0);
}

int sfs_segs_may_use(struct sfs_server *srv, u64 owner,
		     const struct sfs_piece *piece)
{
	struct sfs_seg_map *map = &srv->segs;
	u64 last;
	u64 nr;
	int ret;

	if (piece->addr < map->start)
		return -EINVAL;
	last = addr_seg(map, piece->addr + piece->len - 1);
	if (last >= map->nr)
		return -EINVAL;
	for (nr = addr_seg(map, piece->addr); nr <= last; nr++) {
		ret = is_owner(srv, owner, nr);
		if (ret < 0)
			return ret;
		/* pieces of a run are disjoint: fewer than that in a segment */
		if (seg_refs(map, nr) > REF_MASK - SFS_RUN_MAX_PIECES)
			return -EINVAL;
	}
	return 0;
}

int sfs_segs_may_close(struct sfs_server *srv, u64 owner, u64 addr)
{
	struct sfs_seg_map *map = &srv->segs;
	u64 nr;

	if (addr < map->start)
		return -EINVAL;
	nr = addr_seg(map, addr);
	if (nr >= map->nr || seg_addr(map, nr) != addr)
		return -EINVAL;
	return is_owner(srv, owner, nr);
}

int sfs_segs_close(struct sfs_server *srv, struct sfs_store_txn *txn,
		   u64 owner, u64 addr, u64 version)
{
	int ret = sfs_segs_may_close(srv, owner, addr);

	if (ret == 0)
		close_seg(srv, txn, owner, addr_seg(&srv->segs, addr), version);
	return ret;
}

int sfs_segs_close_all(struct sfs_server *srv, struct sfs_store_txn *txn,
		       u64 owner, u64 version)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, owner, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_OWNED, owner, U64_MAX);
	u8 none;
	int ret;

	while ((ret = sfs_engine_next(srv->items, &key, &last, &none, 0)) >= 0) {
		if (key.f3 >= srv->segs.nr)
			return -EIO;
		close_seg(srv, txn, owner, key.f3, version);
		sfs_key_inc(&key);
	}
	return ret == -ENOENT ? 0 : ret;
}

#define RECLAIM_BATCH 256

/* Closes a batch; returns how many, 0 when there are no more. */
static int close_batch(struct sfs_server *srv, u64 owner)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, owner, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_OWNED, owner, U64_MAX);
	struct sfs_store_txn txn;
	int nr = 0;
	u8 none;
	int ret;

	ret = sfs_store_begin(srv->store, &txn, 2 * RECLAIM_BATCH, 0);
	if (ret < 0)
		return ret;
	while (nr < RECLAIM_BATCH &&
	       (ret = sfs_engine_next(srv->items, &key, &last, &none, 0)) >= 0) {
		if (key.f3 >= srv->segs.nr) {
			ret = -EIO;
			break;
		}
		close_seg(srv, &txn, owner, key.f3, srv->version);
		sfs_key_inc(&key);
		nr++;
	}
	if (nr)
		sfs_store_end(srv->store, &txn);
	else
		sfs_store_abort(srv->store, &txn);
	return ret < 0 && ret != -ENOENT ? ret : nr;
}

int sfs_segs_reclaim_owner(struct sfs_server *srv, u64 owner)
{
	int ret;

	while ((ret = close_batch(srv, owner)) > 0)
		;
	return ret;
}

/* ---- pending-free ---------------------------------------------------------- */

/* The oldest version that anybody may still read. */
static u64 oldest_read(struct sfs_server *srv)
{
	u64 oldest = sfs_engine_oldest(&srv->vol);
	struct sfs_session *sess;

	list_for_each_entry(sess, &srv->sessions, head) {
		if (sess->joined && !sfs_broken(srv->host, NOACK))
			oldest = min(oldest, READ_ONCE(sess->acked));
	}
	return oldest;
}


/* Frees a batch; returns how many, 0 when there are no more. */
static int reclaim_batch(struct sfs_server *srv)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_PENDING, 0, 0);
	struct sfs_key last;
	struct sfs_store_txn txn;
	int nr = 0;
	u8 none;
	int ret;

	ret = sfs_store_begin(srv->store, &txn, RECLAIM_BATCH, 0);
	if (ret < 0)
		return ret;
	last = SFS_SRV_KEY(SFS_SRV_PENDING, oldest_read(srv), U64_MAX);
	while (nr < RECLAIM_BATCH &&
	       (ret = sfs_engine_next(srv->items, &key, &last, &none, 0)) >= 0) {
		if (key.f3 >= srv->segs.nr ||
		    seg_state(&srv->segs, key.f3) != SFS_SEG_PENDING) {
			ret = -EIO;
			break;
		}
		set_state(&srv->segs, key.f3, SFS_SEG_FREE);
		sfs_store_del(srv->store, &txn, &key);
		sfs_key_inc(&key);
		nr++;
	}
	if (nr)
		sfs_store_end(srv->store, &txn);
	else
		sfs_store_abort(srv->store, &txn);
	return ret < 0 && ret != -ENOENT ? ret : nr;
}

void sfs_segs_reclaim_worker(struct work_struct *work)
{
	struct sfs_server *srv = container_of(work, struct sfs_server,
					      reclaim_work);

	int nr;

	while ((nr = reclaim_batch(srv)) > 0)
		sfs_count_by(srv->cnt, segments_reclaimed, nr);
	sfs_compact_fed(srv);
}

void sfs_srv_kick_reclaim(struct sfs_server *srv)
{
	if (!READ_ONCE(srv->stopping))
		queue_work(srv->job_wq, &srv->reclaim_work);
}

/* ---- start ------------------------------------------------------------------ */

/* Marks the owned or pending segments of one kind in the map. */
static int load_kind(struct sfs_server *srv, u64 kind, u32 state)
{
	struct sfs_key key = SFS_SRV_KEY(kind, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(kind, U64_MAX, U64_MAX);
	struct sfs_iter it;
	int ret;

	sfs_store_lock(srv->store);
	sfs_iter_init(srv->items, &it, &key, &last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		if (it.key.f3 >= srv->segs.nr) {
			sfs_err(srv->host,
				"damaged space item: segment %llu of %llu",
				it.key.f3, srv->segs.nr);
			ret = -EIO;
			break;
		}
		set_state(&srv->segs, it.key.f3, state);
	}
	sfs_iter_exit(&it);
	sfs_store_unlock(srv->store);
	return ret;
}

int sfs_segs_load(struct sfs_server *srv)
{
	struct sfs_manifest *man = sfs_engine_manifest(&srv->vol);
	struct sfs_slice *slice;
	int ret = 0;
	u64 nr;
	u32 l;
	u32 i;

	sfs_manifest_for_each(man, l, i, slice) {
		if (ret == 0)
			ret = sfs_segs_add_slice(srv, slice);
	}
	sfs_manifest_put(&srv->vol, man);
	for (nr = 0; nr < srv->segs.nr; nr++) {
		if (seg_refs(&srv->segs, nr))
			set_state(&srv->segs, nr, SFS_SEG_LIVE);
	}
	if (ret == 0)
		ret = load_kind(srv, SFS_SRV_OWNED, SFS_SEG_OWNED);
	if (ret == 0)
		ret = load_kind(srv, SFS_SRV_PENDING, SFS_SEG_PENDING);
	if (ret == 0)
		ret = sfs_segs_reclaim_owner(srv, SFS_SRV_OWNER_JOB);
	return ret;
}

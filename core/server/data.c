// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space of the data device, in blocks of 4 KiB.
 *
 * A block is free, owned by a mount, or part of a file's extent.  Free and
 * owned extents are items of the store, filed under their last block, so that
 * the extent at or after a block is one forward seek; what files have is in
 * the volume's items and nowhere here.  A mount's publish says in one record
 * what it put into files and what it took out of them, so there is no moment
 * at which a block is in two places or in none.
 *
 * Blocks that a publish frees can be given out as soon as its record is
 * written: nothing is revealed before it is durable.
 *
 * Allocation takes the first extent from a moving hint on that is as long as
 * wanted, and the longest of some when none is.
 *
 * All under the store's mutex.
 */
#include "server/server.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/report.h"

#define MAX_LOOK 32
#define RECLAIM_BATCH 128

struct extent {
	u64 start;
	u64 count;
};

static u64 ext_last(const struct extent *ext)
{
	return ext->start + ext->count - 1;
}

static void put_extent(struct sfs_server *srv, struct sfs_store_txn *txn,
		       u64 kind, u64 rid, u64 start, u64 count)
{
	u64 last = start + count - 1;
	struct sfs_key key = kind == SFS_SRV_DATA_FREE ?
				     SFS_SRV_KEY(kind, last, 0) :
				     SFS_SRV_KEY(kind, rid, last);
	__le64 val = cpu_to_le64(count);

	sfs_store_put(srv->store, txn, &key, &val, sizeof(val));
}

static void del_extent(struct sfs_server *srv, struct sfs_store_txn *txn,
		       u64 kind, u64 rid, u64 last)
{
	struct sfs_key key = kind == SFS_SRV_DATA_FREE ?
				     SFS_SRV_KEY(kind, last, 0) :
				     SFS_SRV_KEY(kind, rid, last);

	sfs_store_del(srv->store, txn, &key);
}

/* The first extent of a kind whose last block is not below @block. */
static int next_extent(struct sfs_server *srv, u64 kind, u64 rid, u64 block,
		       struct extent *ret_ext)
{
	bool is_free = kind == SFS_SRV_DATA_FREE;
	struct sfs_key key = is_free ? SFS_SRV_KEY(kind, block, 0) :
				       SFS_SRV_KEY(kind, rid, block);
	struct sfs_key last = is_free ? SFS_SRV_KEY(kind, U64_MAX, 0) :
					SFS_SRV_KEY(kind, rid, U64_MAX);
	u64 last_block;
	__le64 val;
	u64 count;
	int ret;

	ret = sfs_engine_next(srv->items, &key, &last, &val, sizeof(val));
	if (ret < 0)
		return ret;
	last_block = is_free ? key.f2 : key.f3;
	count = le64_to_cpu(val);
	if (ret != sizeof(val) || count == 0 ||
	    last_block >= srv->ident.id.data_bytes / SFS_UNIT ||
	    count > last_block - SFS_DATA_FIRST / SFS_UNIT + 1) {
		sfs_err(srv->host,
			"damaged data space item: %llu blocks to block %llu",
			count, last_block);
		return -EIO;
	}
	ret_ext->start = last_block - count + 1;
	ret_ext->count = count;
	return 0;
}

/* Out of a free extent, from its start on: one item. */
static void cut_free(struct sfs_server *srv, struct sfs_store_txn *txn,
		     const struct extent *ext, u64 count)
{
	if (count == ext->count)
		del_extent(srv, txn, SFS_SRV_DATA_FREE, 0, ext_last(ext));
	else
		put_extent(srv, txn, SFS_SRV_DATA_FREE, 0, ext->start + count,
			   ext->count - count);
	srv->data_free -= count;
}

/*
 * Owned extents are as long as they can be, so that what a mount puts into
 * files in one piece is in one of them.  Looks at all it needs before the
 * first change, so that after an error there is nothing to take back.
 */
static int own_extent(struct sfs_server *srv, struct sfs_store_txn *txn,
		      u64 rid, u64 start, u64 count)
{
	struct extent ext;
	u64 first = start;
	int ret;

	ret = next_extent(srv, SFS_SRV_DATA_OWNED, rid, start - 1, &ext);
	if (ret == 0 && ext_last(&ext) == start - 1) {
		first = ext.start;
		ret = next_extent(srv, SFS_SRV_DATA_OWNED, rid, start + count,
				  &ext);
	}
	if (ret < 0 && ret != -ENOENT)
		return ret;
	if (first < start) {
		del_extent(srv, txn, SFS_SRV_DATA_OWNED, rid, start - 1);
		count += start - first;
		start = first;
	}
	if (ret == 0 && ext.start == start + count)
		count += ext.count;	/* the item of its last block is replaced */
	put_extent(srv, txn, SFS_SRV_DATA_OWNED, rid, start, count);
	return 0;
}

static int find_free(struct sfs_server *srv, u64 want, struct extent *ret_best)
{
	struct extent best = {};
	struct extent ext;
	u64 at = srv->data_hint;
	bool wrapped = false;
	int looked;
	int ret;

	for (looked = 0; looked < MAX_LOOK || !best.count; looked++) {
		ret = next_extent(srv, SFS_SRV_DATA_FREE, 0, at, &ext);
		if (ret == -ENOENT) {
			if (wrapped || srv->data_hint == 0)
				break;
			wrapped = true;
			at = 0;
			continue;
		}
		if (ret < 0)
			return ret;
		if (ext.count > best.count)
			best = ext;
		if (best.count >= want)
			break;
		at = ext_last(&ext) + 1;
	}
	if (!best.count)
		return -ENOSPC;
	*ret_best = best;
	return 0;
}

int sfs_data_give(struct sfs_server *srv, struct sfs_store_txn *txn, u64 rid,
		  u64 want, u64 goal, u64 *ret_start, u64 *ret_count)
{
	struct extent ext;
	u64 count;
	int ret;

	if (goal)
		srv->data_hint = goal;
	ret = find_free(srv, want, &ext);
	if (ret < 0)
		return ret;
	count = min(want, ext.count);
	ret = own_extent(srv, txn, rid, ext.start, count);
	if (ret < 0)
		return ret;
	cut_free(srv, txn, &ext, count);
	srv->data_hint = ext.start + count;
	*ret_start = ext.start;
	*ret_count = count;
	return 0;
}

int sfs_data_next(struct sfs_server *srv, bool owned, u64 rid, u64 block,
		  u64 *ret_start, u64 *ret_count)
{
	struct extent ext;
	int ret;

	ret = next_extent(srv, owned ? SFS_SRV_DATA_OWNED : SFS_SRV_DATA_FREE,
			  rid, block, &ext);
	if (ret < 0)
		return ret;
	*ret_start = ext.start;
	*ret_count = ext.count;
	return 0;
}

/* The owned extent that has all of the blocks, -EINVAL if there is none. */
static int find_owned(struct sfs_server *srv, u64 rid, u64 start, u64 count,
		      struct extent *ret_ext)
{
	struct extent ext;
	int ret;

	ret = next_extent(srv, SFS_SRV_DATA_OWNED, rid, start, &ext);
	if (ret < 0)
		return ret == -ENOENT ? -EINVAL : ret;
	if (count == 0 || start < ext.start || count > ext.count ||
	    start - ext.start > ext.count - count)
		return -EINVAL;
	*ret_ext = ext;
	return 0;
}

int sfs_data_may_take(struct sfs_server *srv, u64 rid, u64 start, u64 count)
{
	struct extent ext;

	return find_owned(srv, rid, start, count, &ext);
}

int sfs_data_take(struct sfs_server *srv, struct sfs_store_txn *txn, u64 rid,
		  u64 start, u64 count)
{
	struct extent ext;
	int ret;

	ret = find_owned(srv, rid, start, count, &ext);
	if (ret < 0)
		return ret;
	if (start + count <= ext_last(&ext))
		put_extent(srv, txn, SFS_SRV_DATA_OWNED, rid, start + count,
			   ext_last(&ext) - (start + count) + 1);
	else
		del_extent(srv, txn, SFS_SRV_DATA_OWNED, rid, ext_last(&ext));
	if (start > ext.start)
		put_extent(srv, txn, SFS_SRV_DATA_OWNED, rid, ext.start,
			   start - ext.start);
	return 0;
}

int sfs_data_return(struct sfs_server *srv, struct sfs_store_txn *txn,
		    u64 start, u64 count)
{
	u64 total = srv->ident.id.data_bytes / SFS_UNIT;
	struct extent ext;
	u64 freed = count;
	u64 first = start;
	int ret;

	if (count == 0 || start < SFS_DATA_FIRST / SFS_UNIT ||
	    start >= total || count > total - start)
		return -EINVAL;
	ret = next_extent(srv, SFS_SRV_DATA_FREE, 0, start - 1, &ext);
	if (ret == 0 && ext_last(&ext) == start - 1) {
		first = ext.start;
		ret = next_extent(srv, SFS_SRV_DATA_FREE, 0, start + count,
				  &ext);
	}
	if (ret < 0 && ret != -ENOENT)
		return ret;
	if (ret == 0 && ext.start < start + count) {
		sfs_err(srv->host,
			"blocks %llu to %llu of the data device are freed twice",
			start, start + count - 1);
		return -EUCLEAN;
	}
	if (first < start) {
		del_extent(srv, txn, SFS_SRV_DATA_FREE, 0, start - 1);
		count += start - first;
		start = first;
	}
	if (ret == 0 && ext.start == start + count)
		count += ext.count;	/* the item of its last block is replaced */
	put_extent(srv, txn, SFS_SRV_DATA_FREE, 0, start, count);
	srv->data_free += freed;
	return 0;
}

static int reclaim_batch(struct sfs_server *srv, u64 rid)
{
	struct sfs_store_txn txn;
	struct extent ext;
	int nr = 0;
	int ret;

	ret = sfs_store_begin(srv->store, &txn, 4 * RECLAIM_BATCH,
			      4 * RECLAIM_BATCH * sizeof(__le64));
	if (ret < 0)
		return ret;
	while (nr < RECLAIM_BATCH && ret == 0) {
		ret = next_extent(srv, SFS_SRV_DATA_OWNED, rid, 0, &ext);
		if (ret < 0)
			break;
		ret = sfs_data_return(srv, &txn, ext.start, ext.count);
		if (ret < 0)
			break;
		del_extent(srv, &txn, SFS_SRV_DATA_OWNED, rid, ext_last(&ext));
		nr++;
	}
	if (nr)
		sfs_store_end(srv->store, &txn);
	else
		sfs_store_abort(srv->store, &txn);
	return ret < 0 && ret != -ENOENT ? ret : nr;
}

int sfs_data_reclaim(struct sfs_server *srv, u64 rid)
{
	int ret;

	while ((ret = reclaim_batch(srv, rid)) > 0)
		;
	return ret;
}

/* Adds up what is free. */
int sfs_data_load(struct sfs_server *srv)
{
	struct extent ext;
	u64 at = 0;
	int ret;

	srv->data_total = srv->ident.id.data_bytes / SFS_UNIT -
			  SFS_DATA_FIRST / SFS_UNIT;
	srv->data_free = 0;
	sfs_store_lock(srv->store);
	while ((ret = next_extent(srv, SFS_SRV_DATA_FREE, 0, at, &ext)) == 0) {
		srv->data_free += ext.count;
		at = ext_last(&ext) + 1;
	}
	sfs_store_unlock(srv->store);
	return ret == -ENOENT ? 0 : ret;
}

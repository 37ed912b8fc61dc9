// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server and a mount over simulated disks, without the filesystem floor, and
 * checks of what the server says about space.
 */
#include "tests/unit/lib/world.h"

#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "api.h"

int world_mount(struct world *w, struct sfs_fs **ret_fs)
{
	struct sfs_mount_opts opts;

	sfs_mount_opts_default(&opts);
	if (w->commit_interval_ms)
		opts.commit_interval_ms = w->commit_interval_ms;
	return sfs_mount_join(w->vol.host, w->hub, &opts, ret_fs);
}

int world_start(struct world *w)
{
	int ret;

	ret = sfs_hub_create(w->vol.host, &w->hub);
	if (ret < 0)
		return ret;
	ret = sfs_server_start(w->vol.host, w->hub, &w->srv);
	if (ret < 0)
		goto err_hub;
	ret = world_mount(w, &w->fs);
	if (ret < 0)
		goto err_server;
	return 0;
err_server:
	sfs_server_stop(w->srv);
err_hub:
	sfs_hub_destroy(w->hub);
	return ret;
}

int world_stop(struct world *w)
{
	int ret = sfs_mount_leave(w->fs);

	sfs_server_stop(w->srv);
	sfs_hub_destroy(w->hub);
	return ret;
}

void world_settle(struct world *w)
{
	flush_workqueue(w->srv->job_wq);
	flush_workqueue(w->fs->wq);
	shim_sleep_ns(100000000);
	flush_workqueue(w->srv->job_wq);
}

/* ---- segments ------------------------------------------------------------ */

/* How often each segment has an item of @kind. */
static void count_items(struct world *w, u64 kind, u8 *count)
{
	struct sfs_key first = SFS_SRV_KEY(kind, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(kind, U64_MAX, U64_MAX);
	struct sfs_iter it;

	sfs_iter_init(w->srv->items, &it, &first, &last);
	while (sfs_iter_next(&it) > 0) {
		BUG_ON(it.key.f3 >= w->srv->segs.nr);
		count[it.key.f3]++;
	}
	sfs_iter_exit(&it);
}

static void count_refs(struct world *w, u32 *refs)
{
	struct sfs_manifest *man = sfs_engine_manifest(&w->srv->vol);
	struct sfs_seg_map *map = &w->srv->segs;
	struct sfs_slice *slice;
	struct sfs_piece *piece;
	u64 at;
	u32 l;
	u32 i;
	u32 j;

	sfs_manifest_for_each(man, l, i, slice) {
		for (j = 0; j < slice->run->nr_pieces; j++) {
			piece = &slice->run->pieces[j];
			for (at = (piece->addr - map->start) / map->bytes;
			     at <= (piece->addr + piece->len - 1 - map->start) /
				     map->bytes; at++)
				refs[at]++;
		}
	}
	sfs_manifest_put(&w->srv->vol, man);
}

bool world_segs_fit(struct world *w)
{
	struct sfs_seg_map *map = &w->srv->segs;
	u64 counts[4] = {};
	bool good = true;
	u8 *pending;
	u8 *owned;
	u32 *refs;
	u32 state;
	u64 i;

	sfs_store_lock(w->srv->store);
	owned = unit_alloc(map->nr);
	pending = unit_alloc(map->nr);
	refs = unit_alloc(map->nr * sizeof(*refs));
	count_items(w, SFS_SRV_OWNED, owned);
	count_items(w, SFS_SRV_PENDING, pending);
	count_refs(w, refs);
	for (i = 0; i < map->nr && good; i++) {
		state = map->seg[i] >> SFS_SEG_REF_BITS;
		counts[state]++;
		good = (map->seg[i] & ((1U << SFS_SEG_REF_BITS) - 1)) ==
			       refs[i] &&
		       owned[i] == (state == SFS_SEG_OWNED) &&
		       pending[i] == (state == SFS_SEG_PENDING) &&
		       (state == SFS_SEG_OWNED ||
			!refs[i] == (state != SFS_SEG_LIVE));
		if (!good)
			diag("segment %llu is in state %u, with %u references, %u in the map, items: owned %u, pending %u",
			     i, state, refs[i],
			     map->seg[i] & ((1U << SFS_SEG_REF_BITS) - 1),
			     owned[i], pending[i]);
	}
	if (good && (counts[SFS_SEG_FREE] != map->nr_free ||
		     counts[SFS_SEG_OWNED] != map->nr_owned ||
		     counts[SFS_SEG_PENDING] != map->nr_pending)) {
		diag("segments are counted wrong");
		good = false;
	}
	unit_free(refs);
	unit_free(pending);
	unit_free(owned);
	sfs_store_unlock(w->srv->store);
	return good;
}

/* ---- data ---------------------------------------------------------------- */

/* Marks the extents of @kind; false when one is marked already. */
static bool mark_extents(struct world *w, u64 kind, u8 mark, u8 *blocks, u64 nr)
{
	struct sfs_key first = SFS_SRV_KEY(kind, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(kind, U64_MAX, U64_MAX);
	struct sfs_iter it;
	bool good = true;
	__le64 count;
	u64 end;
	u64 i;

	sfs_iter_init(w->srv->items, &it, &first, &last);
	while (good && sfs_iter_next(&it) > 0) {
		memcpy(&count, it.val, sizeof(count));
		end = kind == SFS_SRV_DATA_FREE ? it.key.f2 : it.key.f3;
		for (i = 0; i < le64_to_cpu(count) && good; i++) {
			BUG_ON(end - i >= nr);
			good = !blocks[end - i];
			if (!good)
				diag("block %llu is in places %u and %u",
				     end - i, blocks[end - i], mark);
			blocks[end - i] = mark;
		}
	}
	sfs_iter_exit(&it);
	return good;
}

bool world_data_fits(struct world *w, const u8 *used, bool mounted)
{
	u64 nr = w->vol.ident.id.data_bytes / SFS_UNIT;
	u64 first = SFS_DATA_FIRST / SFS_UNIT;
	u8 *blocks = unit_alloc(nr);
	u64 nr_free = 0;
	bool good;
	u64 i;

	memcpy(blocks, used, nr);
	sfs_store_lock(w->srv->store);
	good = mark_extents(w, SFS_SRV_DATA_FREE, 2, blocks, nr) &&
	       mark_extents(w, SFS_SRV_DATA_OWNED, 3, blocks, nr);
	for (i = 0; i < nr && good; i++) {
		nr_free += blocks[i] == 2;
		good = blocks[i] ? i >= first : i < first;
		if (blocks[i] == 3 && !mounted)
			good = false;
		if (!good)
			diag("block %llu is in place %u", i, blocks[i]);
	}
	if (good && nr_free != w->srv->data_free) {
		diag("%llu blocks are free, the server counts %llu", nr_free,
		     w->srv->data_free);
		good = false;
	}
	sfs_store_unlock(w->srv->store);
	unit_free(blocks);
	return good;
}

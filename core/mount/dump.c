// SPDX-License-Identifier: GPL-2.0-only
/*
 * What there is in memory of a mount and its server, as lines of text, and the
 * values of their counters.
 *
 * For people who look for the reason of something, while it is happening: so
 * nothing here waits for I/O or for a publish.  A leaf lock is held for a copy
 * of a few numbers or of one array, never while text is made of it.  A manifest
 * is pinned while it is printed; whoever prints does not wait for a reader.
 */
#include "api.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/disk_format.h"
#include "base/triggers.h"
#include "mount/mount_types.h"
#include "server/dump.h"
#include "server/server_types.h"

#define LINE_BYTES 512

/* ---- the mount ------------------------------------------------------------------ */

static int dump_manifest(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_manifest *man = sfs_engine_manifest(&fs->eng);
	struct sfs_slice *slice;
	int ret;
	u32 l;
	u32 i;

	ret = sfs_dump_line(dump, "manifest version %llu stable %llu oldest-pinned %llu",
			    man->version, man->stable,
			    sfs_engine_oldest(&fs->eng));
	for (l = 0; l < SFS_MAX_LEVELS && ret == 0; l++)
		if (man->levels[l]->nr)
			ret = sfs_dump_line(dump, "level %u slices %u", l,
					    man->levels[l]->nr);
	sfs_manifest_for_each(man, l, i, slice) {
		if (ret)
			break;
		sfs_slice_to_text(slice, dump->buf, dump->size);
		ret = dump->line(dump->arg, dump->buf);
	}
	sfs_manifest_put(&fs->eng, man);
	return ret;
}

static int dump_gens(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_view *view = sfs_engine_view(&fs->eng);
	struct sfs_memgen *gen;
	u64 items;
	u64 vals;
	u64 mem;
	int ret = 0;
	u32 i;

	for (i = 0; i < view->nr_gens && ret == 0; i++) {
		gen = view->gens[i];
		spin_lock(&gen->lock);
		items = gen->nr_items;
		vals = gen->val_bytes;
		mem = gen->mem_bytes;
		spin_unlock(&gen->lock);
		ret = sfs_dump_line(dump, "generation %u items %llu value-bytes %llu memory-bytes %llu",
				    i, items, vals, mem);
	}
	sfs_view_put(&fs->eng, view);
	return ret;
}

static int dump_txn(struct sfs_dump *dump, const char *name,
		    const struct sfs_txn *txn)
{
	return sfs_dump_line(dump, "%s nr %llu seq %llu stamp %llu holders %u dirty %u data-dirty %u bytes-reserved %llu extents-reserved %u consumed %u freed %u",
			     name, txn->nr, txn->seq, txn->stamp, txn->holders,
			     txn->dirty, txn->data_dirty, txn->bytes_reserved,
			     txn->extents_reserved, txn->consumed.nr,
			     txn->freed.nr);
}

static int dump_transactions(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_txn current_txn;
	struct sfs_txn frozen = {};
	u64 published;
	u64 applied;
	u64 acked;
	u64 spare;
	u64 want;
	u64 now;
	int err;
	int ret;

	spin_lock(&fs->txn_lock);
	current_txn = *fs->txn;
	if (fs->frozen)
		frozen = *fs->frozen;
	published = fs->published_nr;
	applied = fs->applied_version;
	acked = fs->acked_version;
	spare = fs->spare_seq;
	want = fs->want_nr;
	now = fs->now;
	err = fs->err;
	spin_unlock(&fs->txn_lock);
	ret = sfs_dump_line(dump, "mount rid %016llx clock %llu published %llu wanted %llu spare-seq %llu applied-version %llu acked-version %llu error %d",
			    fs->rid, now, published, want, spare, applied,
			    acked, err);
	if (ret == 0)
		ret = dump_txn(dump, "current", &current_txn);
	if (ret == 0 && frozen.gen)
		ret = dump_txn(dump, "frozen", &frozen);
	return ret ?: dump_gens(fs, dump);
}

/* Segments and extents are kept in arrays: all of one, as they are now. */
struct space_copy {
	struct sfs_own_seg *segs;
	struct sfs_dext *data;
	u32 nr_segs;
	u32 nr_data;
	u64 meta_owned;
	u64 meta_reserved;
	u64 meta_delete;
	u64 data_blocks;
};

/* An array that has grown since its length was looked at is cut. */
static void copy_space(struct sfs_fs *fs, struct space_copy *c)
{
	u32 room_segs;
	u32 room_data;

	spin_lock(&fs->space_lock);
	room_segs = fs->nr_segs;
	room_data = fs->data.nr;
	spin_unlock(&fs->space_lock);
	c->segs = kvmalloc_array(room_segs + 1, sizeof(*c->segs), GFP_NOFS);
	c->data = kvmalloc_array(room_data + 1, sizeof(*c->data), GFP_NOFS);

	spin_lock(&fs->space_lock);
	c->nr_segs = c->segs ? min(room_segs, fs->nr_segs) : 0;
	c->nr_data = c->data ? min(room_data, fs->data.nr) : 0;
	if (c->nr_segs)
		memcpy(c->segs, fs->segs, c->nr_segs * sizeof(*c->segs));
	if (c->nr_data)
		memcpy(c->data, fs->data.ext, c->nr_data * sizeof(*c->data));
	c->meta_owned = fs->meta_owned;
	c->meta_reserved = fs->meta_reserved;
	c->meta_delete = fs->meta_delete;
	c->data_blocks = fs->data_blocks;
	spin_unlock(&fs->space_lock);
}

static int dump_space(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct space_copy c = {};
	int ret;
	u32 i;

	copy_space(fs, &c);
	ret = sfs_dump_line(dump, "metadata owned-bytes %llu reserved-bytes %llu delete-bytes %llu",
			    c.meta_owned, c.meta_reserved, c.meta_delete);
	for (i = 0; i < c.nr_segs && ret == 0; i++)
		ret = sfs_dump_line(dump, "segment end %llu free-from %llu free-bytes %llu",
				    c.segs[i].end, c.segs[i].addr,
				    c.segs[i].len);
	if (ret == 0)
		ret = sfs_dump_line(dump, "data owned-blocks %llu extents %u",
				    c.data_blocks, c.nr_data);
	for (i = 0; i < c.nr_data && ret == 0; i++)
		ret = sfs_dump_line(dump, "extent block %llu blocks %llu",
				    c.data[i].start, c.data[i].count);
	kvfree(c.segs);
	kvfree(c.data);
	return ret;
}

static int dump_cache(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_cache_stats st;

	sfs_cache_stats(fs->eng.rd.cache, &st);
	return sfs_dump_line(dump, "cache blocks %llu bytes %llu budget-bytes %llu hits %llu misses %llu evictions %llu",
			     st.blocks, st.bytes, st.budget_bytes, st.hits,
			     st.misses, st.evictions);
}

static int dump_sessions(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_server *srv = sfs_hub_get_server(fs->net.hub);
	int ret = srv ? sfs_srv_dump_sessions(srv, dump) : 0;

	sfs_hub_put_server(fs->net.hub);
	return ret;
}

static int dump_server(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_server *srv = sfs_hub_get_server(fs->net.hub);
	int ret = srv ? sfs_srv_dump_state(srv, dump) : 0;

	sfs_hub_put_server(fs->net.hub);
	return ret;
}

static int dump_file_locks(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_server *srv = sfs_hub_get_server(fs->net.hub);
	int ret = srv ? sfs_srv_flocks_dump(&srv->flocks, dump) : 0;

	sfs_hub_put_server(fs->net.hub);
	return ret;
}

static int dump_locks(struct sfs_fs *fs, struct sfs_dump *dump)
{
	struct sfs_server *srv = sfs_hub_get_server(fs->net.hub);
	int ret = srv ? sfs_srv_locks_dump(srv, dump) : 0;

	sfs_hub_put_server(fs->net.hub);
	return ret;
}

/* ---- for hosts ------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*fn)(struct sfs_fs *fs, struct sfs_dump *dump);
} dumps[] = {
	{ "manifest", dump_manifest },
	{ "transactions", dump_transactions },
	{ "space", dump_space },
	{ "cache", dump_cache },
	{ "sessions", dump_sessions },
	{ "server", dump_server },
	{ "locks", dump_locks },
	{ "file_locks", dump_file_locks },
};

int sfs_dumps_nr(void)
{
	return ARRAY_SIZE(dumps);
}

const char *sfs_dump_name(int i)
{
	return dumps[i].name;
}

void sfs_dump(struct sfs_fs *fs, int i,
	      int (*line)(void *arg, const char *text), void *arg)
{
	struct sfs_dump dump = {
		.line = line,
		.arg = arg,
		.size = LINE_BYTES,
	};

	dump.buf = kmalloc(LINE_BYTES, GFP_NOFS);
	if (!dump.buf)
		return;
	dumps[i].fn(fs, &dump);
	kfree(dump.buf);
}

/* The cache counts under locks that it takes anyway. */
static u64 cache_counter(struct sfs_fs *fs, int i)
{
	struct sfs_cache_stats st;

	sfs_cache_stats(fs->eng.rd.cache, &st);
	switch (i) {
	case SFS_CNT_cache_hits:
		return st.hits;
	case SFS_CNT_cache_misses:
		return st.misses;
	case SFS_CNT_cache_read_bytes:
		return st.read_bytes;
	case SFS_CNT_cache_evictions:
		return st.evictions;
	default:
		return st.shrunk_bytes;
	}
}

__u64 sfs_counter_read(struct sfs_fs *fs, int i)
{
	struct sfs_server *srv;
	u64 sum;

	if (i <= SFS_CNT_cache_shrunk_bytes)
		return cache_counter(fs, i);
	sum = sfs_counters_read(fs->cnt, i);
	srv = sfs_hub_get_server(fs->net.hub);
	if (srv)
		sum += sfs_counters_read(srv->cnt, i);
	sfs_hub_put_server(fs->net.hub);
	return sum;
}

int sfs_engine_version(void)
{
	return SFS_OUR_VERSION;
}

const char *sfs_trigger_name(unsigned int trigger)
{
	static const char *const names[] = {
#define SFS_TRIGGER_NAME(name, text) #name,
		SFS_TRIGGERS(SFS_TRIGGER_NAME)
#undef SFS_TRIGGER_NAME
	};

	return trigger < ARRAY_SIZE(names) ? names[trigger] : NULL;
}

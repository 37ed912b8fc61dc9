// SPDX-License-Identifier: GPL-2.0-only
/*
 * An item store: views and the lookup of single items.
 *
 * Readers pin a view for as long as they look; whoever changes what is to be
 * seen (a freeze, an applied edit) builds a new view and swaps the pointer.
 * A frozen generation leaves the view in the same swap in which the manifest
 * version with its run comes in, so that no reader sees both or neither.
 *
 * The newest version of an item is the one in the first source that has any:
 * generations from new to old, level 0 from new to old, then the levels.
 * Sequences are not compared for that; they are checked where it is cheap.
 *
 * Lock: eng->lock, a leaf, guards the pointer to the view, the references of
 * manifests and the list of live ones.
 */
#include "engine/engine.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"

int sfs_engine_init(struct sfs_engine *eng, struct sfs_host *host, u64 fsid,
		    u64 cache_bytes)
{
	struct sfs_manifest *man;
	struct sfs_cache *cache;
	int ret;

	memset(eng, 0, sizeof(*eng));
	eng->host = host;
	spin_lock_init(&eng->lock);
	INIT_LIST_HEAD(&eng->manifests);
	eng->rd.host = host;
	eng->rd.fsid = fsid;
	cache = sfs_cache_create(host, cache_bytes);
	if (IS_ERR(cache))
		return PTR_ERR(cache);
	man = sfs_manifest_create();
	if (!man) {
		sfs_cache_destroy(cache);
		return -ENOMEM;
	}
	sfs_engine_adopt(eng, man);
	ret = sfs_engine_swap(eng, NULL, 0, man);
	sfs_manifest_put(eng, man);
	/* without a cache there is nothing for sfs_engine_exit() to do */
	if (ret < 0)
		sfs_cache_destroy(cache);
	else
		eng->rd.cache = cache;
	return ret;
}

void sfs_engine_exit(struct sfs_engine *eng)
{
	if (!eng->rd.cache)
		return;
	sfs_view_put(eng, eng->view);
	eng->view = NULL;
	SFS_ASSERT(list_empty(&eng->manifests));
	sfs_cache_destroy(eng->rd.cache);
	eng->rd.cache = NULL;
}

/* ---- manifests ----------------------------------------------------------- */

void sfs_engine_adopt(struct sfs_engine *eng, struct sfs_manifest *man)
{
	spin_lock(&eng->lock);
	list_add_tail(&man->live, &eng->manifests);
	spin_unlock(&eng->lock);
}

struct sfs_manifest *sfs_engine_manifest(struct sfs_engine *eng)
{
	struct sfs_manifest *man;

	spin_lock(&eng->lock);
	man = eng->view->man;
	refcount_inc(&man->refs);
	spin_unlock(&eng->lock);
	return man;
}

void sfs_manifest_put(struct sfs_engine *eng, struct sfs_manifest *man)
{
	bool last;

	spin_lock(&eng->lock);
	last = refcount_dec_and_test(&man->refs);
	if (last)
		list_del(&man->live);
	spin_unlock(&eng->lock);
	if (last)
		sfs_manifest_free(man);
}

u64 sfs_engine_oldest(struct sfs_engine *eng)
{
	u64 version;

	spin_lock(&eng->lock);
	version = list_first_entry(&eng->manifests, struct sfs_manifest,
				   live)->version;
	spin_unlock(&eng->lock);
	return version;
}

/* ---- views --------------------------------------------------------------- */

struct sfs_view *sfs_engine_view(struct sfs_engine *eng)
{
	struct sfs_view *view;

	spin_lock(&eng->lock);
	view = eng->view;
	refcount_inc(&view->refs);
	spin_unlock(&eng->lock);
	return view;
}

void sfs_view_put(struct sfs_engine *eng, struct sfs_view *view)
{
	u32 i;

	if (!refcount_dec_and_test(&view->refs))
		return;
	for (i = 0; i < view->nr_gens; i++)
		sfs_memgen_put(view->gens[i]);
	sfs_manifest_put(eng, view->man);
	kfree(view);
}

int sfs_engine_swap(struct sfs_engine *eng, struct sfs_memgen **gens,
		    u32 nr_gens, struct sfs_manifest *man)
{
	struct sfs_view *view;
	struct sfs_view *old;
	u32 i;

	SFS_ASSERT_CMP(nr_gens, <=, SFS_VIEW_MAX_GENS);
	view = kzalloc(sizeof(*view), GFP_NOFS);
	if (!view)
		return -ENOMEM;
	refcount_set(&view->refs, 1);
	view->nr_gens = nr_gens;
	for (i = 0; i < nr_gens; i++) {
		sfs_memgen_get(gens[i]);
		view->gens[i] = gens[i];
	}
	view->man = man;
	spin_lock(&eng->lock);
	refcount_inc(&man->refs);
	old = eng->view;
	eng->view = view;
	spin_unlock(&eng->lock);
	if (old)
		sfs_view_put(eng, old);
	return 0;
}

/* ---- single items -------------------------------------------------------- */

/* 1 found, and its length and kind; 0 not in this run. */
static int get_in_run(struct sfs_engine *eng, struct sfs_slice *slice,
		      const struct sfs_key *key, void *buf, u32 size,
		      struct sfs_memitem_copy *ret_item)
{
	struct sfs_run_cursor cur;
	struct sfs_itemblock_cursor *at;
	int ret;

	ret = sfs_run_lookup(&cur, &eng->rd, slice->run, key);
	if (ret <= 0)
		return ret;
	at = sfs_run_item(&cur);
	ret_item->seq = at->seq;
	ret_item->kind = at->kind;
	ret_item->val_len = at->val_len;
	memcpy(buf, at->val, min_t(u32, size, at->val_len));
	sfs_run_cursor_exit(&cur);
	return 1;
}

static int get_in_manifest(struct sfs_engine *eng,
			   const struct sfs_manifest *man,
			   const struct sfs_key *key, void *buf, u32 size,
			   struct sfs_memitem_copy *ret_item)
{
	const struct sfs_level *level = man->levels[0];
	int ret;
	u32 i;

	for (i = 0; i < level->nr; i++) {
		if (!sfs_slice_overlaps(level->slices[i], key, key))
			continue;
		ret = get_in_run(eng, level->slices[i], key, buf, size,
				 ret_item);
		if (ret != 0)
			return ret;
	}
	for (i = 1; i < SFS_MAX_LEVELS; i++) {
		u32 at = sfs_level_seek(man->levels[i], key);

		level = man->levels[i];
		if (at == level->nr ||
		    !sfs_slice_overlaps(level->slices[at], key, key))
			continue;
		ret = get_in_run(eng, level->slices[at], key, buf, size,
				 ret_item);
		if (ret != 0)
			return ret;
	}
	return 0;
}

int sfs_engine_get(struct sfs_engine *eng, const struct sfs_key *key,
		   void *buf, u32 size)
{
	struct sfs_view *view = sfs_engine_view(eng);
	struct sfs_memitem_copy item;
	int ret = 0;
	u32 i;

	for (i = 0; i < view->nr_gens && ret == 0; i++)
		ret = sfs_memgen_lookup(view->gens[i], key, buf, size, &item);
	if (ret == 0)
		ret = get_in_manifest(eng, view->man, key, buf, size, &item);
	sfs_view_put(eng, view);
	if (ret < 0)
		return ret;
	if (ret == 0 || item.kind == SFS_ITEM_DELETION)
		return -ENOENT;
	return item.val_len <= size ? item.val_len : -ERANGE;
}

int sfs_engine_next(struct sfs_engine *eng, struct sfs_key *key,
		    const struct sfs_key *last, void *buf, u32 size)
{
	struct sfs_iter_item item;
	struct sfs_iter it;
	int ret;

	ret = sfs_iter_first(eng, key, last, buf, size, &item);
	if (ret <= 0)
		return ret ?: -ENOENT;
	if (!item.is_deletion) {
		*key = item.key;
		return item.val_len <= size ? (int)item.val_len : -ERANGE;
	}
	/* deleted items can be many: past them without starting over */
	if (sfs_key_equal(&item.key, last))
		return -ENOENT;
	sfs_key_inc(&item.key);
	sfs_iter_init(eng, &it, &item.key, last);
	ret = sfs_iter_next(&it);
	if (ret > 0) {
		*key = it.key;
		ret = it.val_len <= size ? it.val_len : -ERANGE;
		if (ret >= 0)
			memcpy(buf, it.val, it.val_len);
	} else if (ret == 0) {
		ret = -ENOENT;
	}
	sfs_iter_exit(&it);
	return ret;
}

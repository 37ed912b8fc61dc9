// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ordered walks: a merge of sorted sources in which, of items with equal keys,
 * the one of the newest source is seen and the others are passed over.
 *
 * A source is a generation of the memtable, a slice of level 0, or a deeper
 * level with its slices one after the other.  Each has a cursor with the key
 * of its current item; the smallest key is the next item.  There are rarely
 * more than a dozen, so they are compared one by one.
 *
 * The active generation changes while it is walked: its cursor copies an item
 * out under the table's lock and seeks again by key, so it sees each item that
 * was there all the time and may or may not see others.
 *
 * A range within one inode or one hash of a name lets filters rule out slices.
 */
#include "engine/iter.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "engine/engine.h"

/* what values but long xattrs, symlinks and names fit in */
#define FEW_BYTES 192

struct sfs_cursor {
	struct sfs_memgen *gen;		/* I: or */
	struct sfs_slice **slices;	/* I: these, one after the other */
	u32 nr_slices;			/* I */
	u32 at;				/* O: slice that run_cur walks */
	bool valid;			/* O: key and the rest are set */
	u8 kind;
	u32 val_len;
	u64 seq;
	struct sfs_key key;
	const void *val;
	u8 *buf;			/* O: copied value, for generations */
	u32 buf_len;
	struct sfs_run_cursor run_cur;
	u64 items;			/* O: passed */
	u64 deletions;
};

/*
 * The buffer is made when there is a value: most lookups find nothing in most
 * generations.  The active one may change between two tries; the second buffer
 * holds any value.
 */
static int mem_seek(struct sfs_iter *it, struct sfs_cursor *cur,
		    const struct sfs_key *key)
{
	struct sfs_memitem_copy item;

	for (;;) {
		cur->valid = sfs_memgen_next(cur->gen, key, &it->last, cur->buf,
					     cur->buf_len, &item);
		if (!cur->valid)
			return 0;
		if (item.val_len <= cur->buf_len)
			break;
		cur->valid = false;
		kfree(cur->buf);
		cur->buf_len = item.val_len <= FEW_BYTES ? FEW_BYTES :
							   SFS_ITEM_MAX_VAL;
		cur->buf = kmalloc(cur->buf_len, GFP_NOFS);
		if (!cur->buf) {
			cur->buf_len = 0;
			return -ENOMEM;
		}
	}
	cur->key = item.key;
	cur->seq = item.seq;
	cur->kind = item.kind;
	cur->val_len = item.val_len;
	cur->val = cur->buf;
	return 0;
}

/* The run cursor's item becomes the current one, if it is within the slice. */
static bool take_run_item(struct sfs_iter *it, struct sfs_cursor *cur)
{
	struct sfs_itemblock_cursor *at = sfs_run_item(&cur->run_cur);

	sfs_key_decode(&cur->key, at->bytes);
	cur->valid = sfs_key_cmp(&cur->key, &cur->slices[cur->at]->last) <= 0 &&
		     sfs_key_cmp(&cur->key, &it->last) <= 0;
	cur->seq = at->seq;
	cur->kind = at->kind;
	cur->val_len = at->val_len;
	cur->val = at->val;
	return cur->valid;
}

static bool within_inode(const struct sfs_iter *it)
{
	return it->first.zone == it->last.zone && it->first.f1 == it->last.f1 &&
	       it->first.zone == SFS_ZONE_FS;
}

/* To the first item not below @key, from slice cur->at on. */
static int slices_seek(struct sfs_iter *it, struct sfs_cursor *cur,
		       const struct sfs_key *key)
{
	const struct sfs_key *from;
	struct sfs_slice *slice;
	int ret;

	cur->valid = false;
	for (; cur->at < cur->nr_slices; cur->at++) {
		slice = cur->slices[cur->at];
		if (sfs_key_cmp(&slice->first, &it->last) > 0)
			return 0;
		if (sfs_key_cmp(&slice->last, key) < 0)
			continue;
		from = sfs_key_cmp(&slice->first, key) > 0 ? &slice->first :
							     key;
		ret = sfs_run_seek(&cur->run_cur, it->rd, slice->run, from,
				   within_inode(it) ? &it->last : NULL);
		if (ret < 0)
			return ret;
		if (ret > 0) {
			if (take_run_item(it, cur))
				return 0;
			sfs_run_cursor_exit(&cur->run_cur);
		}
	}
	return 0;
}

static int cursor_advance(struct sfs_iter *it, struct sfs_cursor *cur)
{
	struct sfs_key next;
	int ret;

	cur->items++;
	cur->deletions += cur->kind == SFS_ITEM_DELETION;
	next = cur->key;
	sfs_key_inc(&next);
	if (cur->gen)
		return mem_seek(it, cur, &next);
	ret = sfs_run_next(&cur->run_cur);
	if (ret < 0) {
		cur->valid = false;
		return ret;
	}
	if (ret > 0) {
		if (take_run_item(it, cur))
			return 0;
		sfs_run_cursor_exit(&cur->run_cur);
	}
	cur->at++;
	return slices_seek(it, cur, &next);
}

static struct sfs_cursor *add_cursor(struct sfs_iter *it)
{
	return &it->cursors[it->nr_cursors++];
}

static int add_gen(struct sfs_iter *it, struct sfs_memgen *gen)
{
	struct sfs_cursor *cur = add_cursor(it);

	cur->gen = gen;
	return mem_seek(it, cur, &it->first);
}

static int add_slices(struct sfs_iter *it, struct sfs_slice **slices, u32 nr,
		      u32 at)
{
	struct sfs_cursor *cur = add_cursor(it);

	cur->slices = slices;
	cur->nr_slices = nr;
	cur->at = at;
	return slices_seek(it, cur, &it->first);
}

static int add_level0(struct sfs_iter *it, struct sfs_level *level)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < level->nr && ret == 0; i++) {
		if (sfs_slice_overlaps(level->slices[i], &it->first, &it->last))
			ret = add_slices(it, &level->slices[i], 1, 0);
	}
	return ret;
}

/* The first slice of a deeper level in the range, NULL if there is none. */
static struct sfs_slice *level_slice(const struct sfs_iter *it,
				     const struct sfs_level *level, u32 *ret_at)
{
	u32 at = sfs_level_seek(level, &it->first);

	if (at == level->nr || !sfs_slice_overlaps(level->slices[at],
						   &it->first, &it->last))
		return NULL;
	*ret_at = at;
	return level->slices[at];
}

static int add_manifest(struct sfs_iter *it, struct sfs_manifest *man)
{
	struct sfs_level *level;
	int ret;
	u32 at;
	u32 l;

	ret = add_level0(it, man->levels[0]);
	for (l = 1; l < SFS_MAX_LEVELS && ret == 0; l++) {
		level = man->levels[l];
		if (level_slice(it, level, &at))
			ret = add_slices(it, level->slices, level->nr, at);
	}
	return ret;
}

/* How many sources the range has in a manifest at most. */
static u32 nr_sources(const struct sfs_iter *it, const struct sfs_manifest *man)
{
	const struct sfs_level *level = man->levels[0];
	u32 nr = 0;
	u32 at;
	u32 i;

	for (i = 0; i < level->nr; i++)
		nr += sfs_slice_overlaps(level->slices[i], &it->first,
					 &it->last);
	for (i = 1; i < SFS_MAX_LEVELS; i++)
		nr += level_slice(it, man->levels[i], &at) != NULL;
	return nr;
}

static int start(struct sfs_iter *it)
{
	struct sfs_manifest *man = it->man ?: it->view ? it->view->man : NULL;
	u32 gens = it->view ? it->view->nr_gens : 0;
	int ret = 0;
	u32 nr;
	u32 i;

	it->started = 1;
	if (!man)
		return 0;	/* slices: sfs_iter_init_slices() did it */
	nr = gens + nr_sources(it, man);
	if (nr == 0)
		return 0;
	it->cursors = kvcalloc(nr, sizeof(*it->cursors), GFP_NOFS);
	if (!it->cursors)
		return -ENOMEM;
	for (i = 0; i < gens && ret == 0; i++)
		ret = add_gen(it, it->view->gens[i]);
	if (ret == 0)
		ret = add_manifest(it, man);
	return ret;
}

/* Past the current key, in every source that has it. */
static int advance(struct sfs_iter *it)
{
	struct sfs_cursor *cur;
	bool disordered = false;
	bool newest = true;
	u64 seq = 0;
	int ret = 0;
	u32 i;

	for (i = 0; i < it->nr_cursors && ret == 0; i++) {
		cur = &it->cursors[i];
		if (!cur->valid || !sfs_key_equal(&cur->key, &it->key))
			continue;
		disordered |= !newest && cur->seq >= seq;
		newest = false;
		seq = cur->seq;
		ret = cursor_advance(it, cur);
	}
	if (disordered) {
		it->disordered = it->key;
		it->nr_disordered++;
	}
	return ret;
}

static struct sfs_cursor *smallest(struct sfs_iter *it)
{
	struct sfs_cursor *best = NULL;
	struct sfs_cursor *cur;
	u32 i;

	for (i = 0; i < it->nr_cursors; i++) {
		cur = &it->cursors[i];
		if (cur->valid &&
		    (!best || sfs_key_cmp(&cur->key, &best->key) < 0))
			best = cur;
	}
	return best;
}

int sfs_iter_next(struct sfs_iter *it)
{
	struct sfs_cursor *cur;
	int ret;

	if (it->err)
		return it->err;
	do {
		if (!it->started)
			ret = start(it);
		else
			ret = advance(it);
		if (ret < 0) {
			it->err = ret;
			return ret;
		}
		cur = smallest(it);
		if (!cur)
			return 0;
		it->key = cur->key;
	} while (cur->kind == SFS_ITEM_DELETION && !it->keep_deletions);
	it->val = cur->val;
	it->val_len = cur->val_len;
	it->seq = cur->seq;
	it->is_deletion = cur->kind == SFS_ITEM_DELETION;
	return 1;
}

void sfs_iter_exit(struct sfs_iter *it)
{
	u32 i;

	for (i = 0; i < it->nr_cursors; i++) {
		kfree(it->cursors[i].buf);
		sfs_run_cursor_exit(&it->cursors[i].run_cur);
	}
	kvfree(it->cursors);
	it->cursors = NULL;
	it->nr_cursors = 0;
	if (it->view)
		sfs_view_put(it->eng, it->view);
	if (it->man)
		sfs_manifest_put(it->eng, it->man);
	it->view = NULL;
	it->man = NULL;
	it->err = -EINVAL;
}

static void init(struct sfs_iter *it, struct sfs_engine *eng,
		 const struct sfs_key *first, const struct sfs_key *last)
{
	memset(it, 0, sizeof(*it));
	it->eng = eng;
	it->first = *first;
	it->last = *last;
	it->rd = eng ? &eng->rd : NULL;
}

void sfs_iter_init(struct sfs_engine *eng, struct sfs_iter *it,
		   const struct sfs_key *first, const struct sfs_key *last)
{
	init(it, eng, first, last);
	it->view = sfs_engine_view(eng);
}

void sfs_iter_init_manifest(struct sfs_engine *eng, struct sfs_iter *it,
			    struct sfs_manifest *man,
			    const struct sfs_key *first,
			    const struct sfs_key *last)
{
	init(it, eng, first, last);
	spin_lock(&eng->lock);
	refcount_inc(&man->refs);
	spin_unlock(&eng->lock);
	it->man = man;
}

void sfs_iter_init_slices(struct sfs_iter *it, struct sfs_run_reader *rd,
			  struct sfs_slice **slices, u32 nr,
			  const struct sfs_key *first,
			  const struct sfs_key *last)
{
	int ret = 0;
	u32 i;

	init(it, NULL, first, last);
	it->rd = rd;
	it->keep_deletions = 1;
	it->cursors = kvcalloc(nr, sizeof(*it->cursors), GFP_NOFS);
	if (!it->cursors)
		ret = -ENOMEM;
	for (i = 0; i < nr && ret == 0; i++)
		ret = add_slices(it, &slices[i], 1, 0);
	it->err = ret;
}

/* ---- the first item alone ------------------------------------------------ */

/* What was found so far; @it.last is the last key that would be before it. */
struct search {
	struct sfs_iter it;
	struct sfs_cursor cur;
	struct sfs_iter_item *item;
	void *buf;
	u32 size;
	bool found;
	bool done;		/* nothing can be before it */
};

/* Sources come newest first: an older version of the same key is no longer. */
static void found(struct search *s, const struct sfs_key *key, u8 kind,
		  u32 val_len)
{
	s->item->key = *key;
	s->item->val_len = val_len;
	s->item->is_deletion = kind == SFS_ITEM_DELETION;
	s->found = true;
	s->done = sfs_key_equal(key, &s->it.first);
	s->it.last = *key;
	sfs_key_dec(&s->it.last);
}

static void search_gen(struct search *s, struct sfs_memgen *gen)
{
	struct sfs_memitem_copy item;

	if (!s->done && sfs_memgen_next(gen, &s->it.first, &s->it.last, s->buf,
					s->size, &item))
		found(s, &item.key, item.kind, item.val_len);
}

static int search_slices(struct search *s, struct sfs_slice **slices, u32 nr,
			 u32 at)
{
	struct sfs_cursor *cur = &s->cur;
	int ret;

	cur->slices = slices;
	cur->nr_slices = nr;
	cur->at = at;
	ret = slices_seek(&s->it, cur, &s->it.first);
	if (ret < 0 || !cur->valid)
		return ret;
	memcpy(s->buf, cur->val, min(s->size, cur->val_len));
	found(s, &cur->key, cur->kind, cur->val_len);
	sfs_run_cursor_exit(&cur->run_cur);
	return 0;
}

static int search_manifest(struct search *s, struct sfs_manifest *man)
{
	struct sfs_level *level = man->levels[0];
	int ret = 0;
	u32 at;
	u32 i;

	for (i = 0; i < level->nr && !s->done && ret == 0; i++) {
		if (sfs_slice_overlaps(level->slices[i], &s->it.first,
				       &s->it.last))
			ret = search_slices(s, &level->slices[i], 1, 0);
	}
	for (i = 1; i < SFS_MAX_LEVELS && !s->done && ret == 0; i++) {
		level = man->levels[i];
		if (level->nr && level_slice(&s->it, level, &at))
			ret = search_slices(s, level->slices, level->nr, at);
	}
	return ret;
}

int sfs_iter_first(struct sfs_engine *eng, const struct sfs_key *first,
		   const struct sfs_key *last, void *buf, u32 size,
		   struct sfs_iter_item *ret_item)
{
	struct search s = { .item = ret_item, .buf = buf, .size = size };
	struct sfs_view *view;
	int ret;
	u32 i;

	init(&s.it, eng, first, last);
	view = sfs_engine_view(eng);
	for (i = 0; i < view->nr_gens; i++)
		search_gen(&s, view->gens[i]);
	ret = search_manifest(&s, view->man);
	sfs_view_put(eng, view);
	return ret < 0 ? ret : s.found;
}

void sfs_iter_passed(const struct sfs_iter *it, u32 i, u64 *ret_items,
		     u64 *ret_deletions)
{
	*ret_items = it->cursors[i].items;
	*ret_deletions = it->cursors[i].deletions;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every block of every run.
 *
 * A run is walked from its footer, the way readers go, but without their
 * cursors, so that a damaged block costs what is below it and nothing else.
 * Each block has to be what its parent says and to lie in the pieces of the
 * run; together they fill the pieces exactly, have numbers of their own (by
 * which the cache finds them) and nothing behind their used bytes.  Keys
 * ascend through the whole run, each parent's entry is the last key below it,
 * and every filter lets through what is below it.  Items and deletions are
 * counted for the run and for each slice.
 *
 * Memory: five blocks, and two bits for each 4 KiB of the run.
 */
#include "check/check.h"

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/block.h"
#include "engine/filter.h"

/* What a walk has of each slice of the run. */
struct slice_count {
	u64 items;
	u64 deletions;
};

/* A filter that covers what is being walked. */
struct filter {
	struct sfs_disk_child child;	/* the entry it was loaded for */
	u8 *buf;
	u32 nr;			/* block */
	u32 bytes;		/* of bits; 0: none */
	u8 has;
	bool wrong;		/* told already */
};

/* Level 0 is the footer, 1 an index block. */
#define NR_PARENTS 2

struct run_walk {
	struct sfs_checker *ck;
	const struct sfs_run *run;
	struct sfs_slice **slices;
	u32 nr_slices;
	struct slice_count *counts;
	const char *where;		/* how the run is called */
	bool of_store;
	u8 *parent_buf[NR_PARENTS];
	u8 *item_buf;
	struct filter filters[NR_PARENTS];
	unsigned long *units;		/* of the pieces, seen in blocks */
	unsigned long *numbers;		/* of blocks */
	u32 nr_units;
	u64 items;
	u64 deletions;
	u64 units_seen;
	bool damaged;
	bool any;			/* last is a key */
	u8 first[SFS_KEY_BYTES];
	u8 last[SFS_KEY_BYTES];
};

#define wrong(w, fmt, ...)						\
	do {								\
		(w)->damaged = true;					\
		sfs_check_found((w)->ck, "%s %llu: " fmt, (w)->where,	\
				(w)->run->id, ##__VA_ARGS__);		\
	} while (0)

/* ---- blocks ---------------------------------------------------------------- */

/* Which unit of the run, counted through its pieces, is at @addr. */
static bool find_unit(const struct run_walk *w, u64 addr, u32 len,
		      u32 *ret_unit)
{
	const struct sfs_piece *piece;
	u64 before = 0;
	u32 i;

	for (i = 0; i < w->run->nr_pieces; i++) {
		piece = &w->run->pieces[i];
		if (addr >= piece->addr && addr - piece->addr < piece->len &&
		    len <= piece->len - (addr - piece->addr)) {
			*ret_unit = (u32)((before + addr - piece->addr) /
					  SFS_UNIT);
			return true;
		}
		before += piece->len;
	}
	return false;
}

static bool place_is_wrong(struct run_walk *w, const struct sfs_block_id *id,
			   u32 size)
{
	const char *kind = sfs_block_kind(id->magic);
	u32 unit;
	u32 i;

	if (size == 0 || size > SFS_BLOCK_TARGET ||
	    !IS_ALIGNED(size, SFS_UNIT) || !IS_ALIGNED(id->addr, SFS_UNIT)) {
		wrong(w, "%s %u at byte %llu: size is %u", kind, id->nr,
		      id->addr, size);
		return true;
	}
	if (!find_unit(w, id->addr, size, &unit)) {
		wrong(w, "%s %u at byte %llu: lies outside of the run's pieces",
		      kind, id->nr, id->addr);
		return true;
	}
	if (id->nr >= w->nr_units) {
		wrong(w, "%s %u at byte %llu: number is expected below %u",
		      kind, id->nr, id->addr, w->nr_units);
		return true;
	}
	if (__test_and_set_bit(id->nr, w->numbers))
		wrong(w, "%s %u at byte %llu: another block has this number",
		      kind, id->nr, id->addr);
	for (i = unit; i < unit + size / SFS_UNIT; i++) {
		if (__test_and_set_bit(i, w->units)) {
			/* not read again, so damage can not make circles */
			wrong(w, "%s %u at byte %llu: overlaps another block",
			      kind, id->nr, id->addr);
			return true;
		}
	}
	w->units_seen += size / SFS_UNIT;
	return false;
}

static bool contents_are_wrong(struct run_walk *w,
			       const struct sfs_block_id *id, const u8 *buf,
			       u32 size)
{
	const struct sfs_block_hdr *hdr = (const struct sfs_block_hdr *)buf;
	const char *kind = sfs_block_kind(id->magic);
	struct sfs_wrong why;
	u32 at;

	if (sfs_block_wrong(buf, size, id, &why)) {
		wrong(w, "%s %u at byte %llu: %s is %llx, expected %llx", kind,
		      id->nr, id->addr, why.what, why.found, why.wanted);
		return true;
	}
	if (id->magic != SFS_MAGIC_FILTER && sfs_itemblock_wrong(buf, &why)) {
		wrong(w, "%s %u at byte %llu: %s (%llu)", kind, id->nr,
		      id->addr, why.what, why.found);
		return true;
	}
	for (at = le32_to_cpu(hdr->len); at < size && !buf[at]; at++)
		;
	if (at < size)
		wrong(w, "%s %u at byte %llu: byte %u behind its end is %x, expected 0",
		      kind, id->nr, id->addr, at, buf[at]);
	return false;
}

/* 1 the block is good, 0 it is not, which was told, or a negative errno. */
static int read_block(struct run_walk *w, u32 magic, u32 nr, u64 addr, u32 size,
		      u8 *buf)
{
	struct sfs_block_id id = {
		.magic = magic,
		.nr = nr,
		.fsid = w->ck->ident.id.fsid,
		.addr = addr,
		.owner = w->run->id,
	};
	int ret;

	if (place_is_wrong(w, &id, size))
		return 0;
	ret = sfs_check_progress(w->ck, size / SFS_UNIT);
	if (ret < 0)
		return ret;
	w->ck->res.blocks_read++;
	ret = sfs_io_read(w->ck->host, SFS_DEV_META, addr, buf, size);
	if (ret == -ENOMEM)
		return ret;
	if (ret < 0) {
		wrong(w, "%s %u at byte %llu: can not be read: error %d",
		      sfs_block_kind(magic), nr, addr, ret);
		return 0;
	}
	return !contents_are_wrong(w, &id, buf, size);
}

/* ---- items ----------------------------------------------------------------- */

static void check_filters(struct run_walk *w, const struct sfs_key *key)
{
	struct filter *f;
	const u8 *bits;
	u32 i;

	for (i = 0; i < NR_PARENTS; i++) {
		f = &w->filters[i];
		if (!f->bytes || f->wrong)
			continue;
		bits = f->buf + sizeof(struct sfs_block_hdr);
		f->wrong = ((f->has & SFS_FILTER_HAS_INODES) &&
			    !sfs_filter_test(bits, f->bytes,
					     sfs_filter_hash_inode(key))) ||
			   ((f->has & SFS_FILTER_HAS_NAMES) &&
			    sfs_filter_has_name(key) &&
			    !sfs_filter_test(bits, f->bytes,
					     sfs_filter_hash_name(key)));
		if (f->wrong)
			wrong(w, "filter block %u: hides key " SFS_KEY_FMT
			      ", which is there", f->nr, SFS_KEY_ARG(key));
	}
}

static void count_item(struct run_walk *w, const struct sfs_key *key,
		       bool is_deletion)
{
	u32 i;

	w->items++;
	w->deletions += is_deletion;
	for (i = 0; i < w->nr_slices; i++) {
		if (sfs_key_cmp(key, &w->slices[i]->first) < 0 ||
		    sfs_key_cmp(key, &w->slices[i]->last) > 0)
			continue;
		w->counts[i].items++;
		w->counts[i].deletions += is_deletion;
	}
}

static void check_item(struct run_walk *w,
		       const struct sfs_itemblock_cursor *cur, u32 block)
{
	const struct sfs_checker *ck = w->ck;
	struct sfs_key key;

	sfs_key_decode(&key, cur->bytes);
	if (w->any && memcmp(w->last, cur->bytes, SFS_KEY_BYTES) >= 0)
		wrong(w, "item block %u: key " SFS_KEY_FMT
		      " is not behind the one before it", block,
		      SFS_KEY_ARG(&key));
	if ((key.zone >= SFS_ZONE_SERVER) != w->of_store)
		wrong(w, "item block %u: key " SFS_KEY_FMT
		      " does not belong here", block, SFS_KEY_ARG(&key));
	if (!w->of_store && ck->has_counters && cur->seq >= ck->cnt.next_seq)
		wrong(w, "item " SFS_KEY_FMT
		      ": sequence is %llu, expected below next_seq %llu",
		      SFS_KEY_ARG(&key), cur->seq, ck->cnt.next_seq);
	if (!w->any)
		memcpy(w->first, cur->bytes, SFS_KEY_BYTES);
	memcpy(w->last, cur->bytes, SFS_KEY_BYTES);
	w->any = true;
	check_filters(w, &key);
	count_item(w, &key, cur->kind == SFS_ITEM_DELETION);
}

static int walk_items(struct run_walk *w, const struct sfs_disk_child *child)
{
	u32 nr = le32_to_cpu(child->nr);
	struct sfs_itemblock_cursor cur;
	bool more;
	int ret;

	ret = read_block(w, SFS_MAGIC_ITEM, nr, le64_to_cpu(child->addr),
			 le32_to_cpu(child->len), w->item_buf);
	if (ret <= 0)
		return ret;
	for (more = sfs_itemblock_first(&cur, w->item_buf); more;
	     more = sfs_itemblock_next(&cur))
		check_item(w, &cur, nr);
	return 0;
}

/* ---- parents ----------------------------------------------------------------- */

/* Do two entries say the same of their filter? */
static bool same_filter(const struct sfs_disk_child *a,
			const struct sfs_disk_child *b)
{
	return a->filter_addr == b->filter_addr &&
	       a->filter_len == b->filter_len && a->filter_nr == b->filter_nr &&
	       a->filter_keys == b->filter_keys &&
	       a->filter_has == b->filter_has;
}

static int load_filter(struct run_walk *w, int level,
		       const struct sfs_disk_child *child)
{
	static const struct sfs_disk_child none;
	struct filter *f = &w->filters[level];
	const struct sfs_block_hdr *hdr = (struct sfs_block_hdr *)f->buf;
	u32 nr = le32_to_cpu(child->filter_nr);
	u32 bytes = le32_to_cpu(child->filter_keys);
	int ret;

	if (!child->filter_len) {
		f->bytes = 0;
		if (!same_filter(child, &none))
			wrong(w, "an entry of a %s describes a filter that it has not",
			      level ? "index block" : "footer");
		return 0;
	}
	/* a footer's children share one */
	if (f->bytes && f->nr == nr) {
		if (!same_filter(child, &f->child))
			wrong(w, "filter block %u: entries that share it disagree",
			      nr);
		return 0;
	}
	f->bytes = 0;
	ret = read_block(w, SFS_MAGIC_FILTER, nr,
			 le64_to_cpu(child->filter_addr),
			 le32_to_cpu(child->filter_len), f->buf);
	if (ret <= 0)
		return ret;
	if (bytes == 0 || bytes != le32_to_cpu(hdr->len) - sizeof(*hdr)) {
		wrong(w, "filter block %u: has %u bytes of bits, expected %u",
		      nr, le32_to_cpu(hdr->len) - (u32)sizeof(*hdr), bytes);
		return 0;
	}
	f->nr = nr;
	f->child = *child;
	f->bytes = bytes;
	f->has = child->filter_has;
	f->wrong = false;
	return 0;
}

static bool child_is_wrong(struct run_walk *w, int level, u32 parent,
			   const struct sfs_itemblock_cursor *cur,
			   struct sfs_disk_child *child)
{
	static const u8 zero[sizeof(child->pad)];
	const char *kind = level ? "index block" : "footer";

	if (cur->kind != SFS_ITEM_VALUE || cur->val_len != sizeof(*child)) {
		wrong(w, "%s %u: an entry has %u bytes, expected %u", kind,
		      parent, cur->val_len, (u32)sizeof(*child));
		return true;
	}
	memcpy(child, cur->val, sizeof(*child));
	if (child->kind != SFS_CHILD_ITEMS &&
	    (child->kind != SFS_CHILD_INDEX || level)) {
		wrong(w, "%s %u: kind of an entry is %u", kind, parent,
		      child->kind);
		return true;
	}
	if (cur->seq || memcmp(child->pad, zero, sizeof(zero)) ||
	    child->filter_has & ~(SFS_FILTER_HAS_INODES | SFS_FILTER_HAS_NAMES))
		wrong(w, "%s %u: an entry has unused fields that are not zero",
		      kind, parent);
	return false;
}

/* After what is below an entry: does it end with the entry's key? */
static void end_child(struct run_walk *w, int level, u32 parent, const u8 *key)
{
	struct sfs_key is;
	struct sfs_key should;

	if (!w->damaged && w->any &&
	    memcmp(w->last, key, SFS_KEY_BYTES)) {
		sfs_key_decode(&is, key);
		sfs_key_decode(&should, w->last);
		wrong(w, "%s %u: key of an entry is " SFS_KEY_FMT ", expected "
		      SFS_KEY_FMT, level ? "index block" : "footer", parent,
		      SFS_KEY_ARG(&is), SFS_KEY_ARG(&should));
	}
	/* also when it could not be read: what follows is behind it */
	if (!w->any || memcmp(w->last, key, SFS_KEY_BYTES) < 0)
		memcpy(w->last, key, SFS_KEY_BYTES);
	w->any = true;
}

/* The blocks of items below the index block in parent_buf[1]. */
static int walk_index(struct run_walk *w, u32 nr)
{
	struct sfs_itemblock_cursor cur;
	struct sfs_disk_child child;
	bool more;
	int ret = 0;

	for (more = sfs_itemblock_first(&cur, w->parent_buf[1]);
	     more && ret == 0; more = sfs_itemblock_next(&cur)) {
		if (child_is_wrong(w, 1, nr, &cur, &child))
			continue;
		ret = load_filter(w, 1, &child);
		if (ret == 0)
			ret = walk_items(w, &child);
		if (ret == 0)
			end_child(w, 1, nr, cur.bytes);
	}
	w->filters[1].bytes = 0;
	return ret;
}

static int walk_footer_entry(struct run_walk *w,
			     const struct sfs_itemblock_cursor *cur)
{
	u32 footer = w->run->footer_nr;
	struct sfs_disk_child child;
	u32 nr;
	int ret;

	if (child_is_wrong(w, 0, footer, cur, &child))
		return 0;
	ret = load_filter(w, 0, &child);
	if (ret < 0)
		return ret;
	if (child.kind == SFS_CHILD_ITEMS) {
		ret = walk_items(w, &child);
	} else {
		nr = le32_to_cpu(child.nr);
		ret = read_block(w, SFS_MAGIC_INDEX, nr,
				 le64_to_cpu(child.addr),
				 le32_to_cpu(child.len), w->parent_buf[1]);
		if (ret > 0)
			ret = walk_index(w, nr);
	}
	if (ret == 0)
		end_child(w, 0, footer, cur->bytes);
	return ret;
}

static int walk_footer(struct run_walk *w)
{
	struct sfs_itemblock_cursor cur;
	bool more;
	int ret;

	ret = read_block(w, SFS_MAGIC_FOOTER, w->run->footer_nr,
			 w->run->footer_addr, w->run->footer_len,
			 w->parent_buf[0]);
	if (ret <= 0)
		return ret;
	for (more = sfs_itemblock_first(&cur, w->parent_buf[0]);
	     more && ret >= 0; more = sfs_itemblock_next(&cur))
		ret = walk_footer_entry(w, &cur);
	return min(ret, 0);
}

/* ---- one run ------------------------------------------------------------------ */

static void expect_u64(struct run_walk *w, const char *field, u64 found,
		       u64 expected)
{
	if (found != expected)
		wrong(w, "%s is %llu, expected %llu", field, found, expected);
}

static void check_slice(struct run_walk *w, u32 i)
{
	const struct sfs_slice *slice = w->slices[i];
	struct sfs_key first;
	struct sfs_key last;

	if (w->counts[i].items != slice->items)
		wrong(w, "slice %llu has %llu items in its range, expected %llu",
		      slice->id, w->counts[i].items, slice->items);
	if (w->counts[i].deletions != slice->deletions)
		wrong(w, "slice %llu has %llu deletions in its range, expected %llu",
		      slice->id, w->counts[i].deletions, slice->deletions);
	if (slice->items != w->run->items || w->counts[i].items != w->items)
		return;
	sfs_key_decode(&first, w->first);
	sfs_key_decode(&last, w->last);
	if (!sfs_key_equal(&first, &slice->first))
		wrong(w, "slice %llu: first key is " SFS_KEY_FMT
		      ", expected " SFS_KEY_FMT, slice->id,
		      SFS_KEY_ARG(&slice->first), SFS_KEY_ARG(&first));
	if (!sfs_key_equal(&last, &slice->last))
		wrong(w, "slice %llu: last key is " SFS_KEY_FMT
		      ", expected " SFS_KEY_FMT, slice->id,
		      SFS_KEY_ARG(&slice->last), SFS_KEY_ARG(&last));
}

/* Only of runs whose blocks are all good: the rest would follow from damage. */
static void check_totals(struct run_walk *w)
{
	u32 i;

	expect_u64(w, "number of items", w->run->items, w->items);
	expect_u64(w, "number of deletions", w->run->deletions, w->deletions);
	expect_u64(w, "size", w->run->bytes, w->units_seen * SFS_UNIT);
	i = find_first_zero_bit(w->units, w->nr_units);
	if (i < w->nr_units)
		wrong(w, "no block covers unit %u of its pieces, which have %u",
		      i, w->nr_units);
	for (i = 0; i < w->nr_slices; i++)
		check_slice(w, i);
}

static void walk_free(struct run_walk *w)
{
	int i;

	for (i = 0; i < NR_PARENTS; i++) {
		if (w->parent_buf[i])
			sfs_port_buf_free(w->parent_buf[i], SFS_BLOCK_TARGET);
		if (w->filters[i].buf)
			sfs_port_buf_free(w->filters[i].buf, SFS_BLOCK_TARGET);
	}
	if (w->item_buf)
		sfs_port_buf_free(w->item_buf, SFS_BLOCK_TARGET);
	kvfree(w->units);
	kvfree(w->numbers);
	kvfree(w->counts);
	kfree(w);
}

static struct run_walk *walk_alloc(struct sfs_checker *ck,
				   struct sfs_slice **slices, u32 nr,
				   u64 bytes)
{
	struct run_walk *w = kzalloc(sizeof(*w), GFP_NOFS);
	bool whole = true;
	int i;

	if (!w)
		return NULL;
	w->ck = ck;
	w->run = slices[0]->run;
	w->slices = slices;
	w->nr_slices = nr;
	w->nr_units = (u32)(bytes / SFS_UNIT);
	for (i = 0; i < NR_PARENTS; i++) {
		w->parent_buf[i] = sfs_port_buf_alloc(SFS_BLOCK_TARGET);
		w->filters[i].buf = sfs_port_buf_alloc(SFS_BLOCK_TARGET);
		whole &= w->parent_buf[i] && w->filters[i].buf;
	}
	w->item_buf = sfs_port_buf_alloc(SFS_BLOCK_TARGET);
	w->units = kvcalloc(BITS_TO_LONGS(w->nr_units), sizeof(long),
			    GFP_NOFS);
	w->numbers = kvcalloc(BITS_TO_LONGS(w->nr_units), sizeof(long),
			      GFP_NOFS);
	w->counts = kvcalloc(nr, sizeof(*w->counts), GFP_NOFS);
	if (whole && w->item_buf && w->units && w->numbers && w->counts)
		return w;
	walk_free(w);
	return NULL;
}

static u64 pieces_bytes(const struct sfs_run *run)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < run->nr_pieces; i++)
		bytes += run->pieces[i].len;
	return bytes;
}

/* Of a run and all its slices.  Clears *whole when it is damaged. */
static int check_run(struct sfs_checker *ck, bool of_store,
		     struct sfs_slice **slices, u32 nr, bool *whole)
{
	const char *where = of_store ? "server run" : "run";
	const struct sfs_run *run = slices[0]->run;
	u64 bytes = pieces_bytes(run);
	struct run_walk *w;
	int ret;

	ck->res.runs++;
	if (run->bytes != bytes || bytes > ck->ident.id.meta_bytes) {
		sfs_check_found(ck, "%s %llu: pieces have %llu bytes, expected %llu",
				where, run->id, bytes, run->bytes);
		*whole = false;
		return 0;
	}
	w = walk_alloc(ck, slices, nr, bytes);
	if (!w)
		return -ENOMEM;
	w->where = where;
	w->of_store = of_store;
	ret = walk_footer(w);
	if (ret == 0 && !w->damaged)
		check_totals(w);
	if (w->damaged)
		*whole = false;
	walk_free(w);
	return ret;
}

/* ---- all runs ------------------------------------------------------------------- */

static int check_list(struct sfs_checker *ck, bool of_store,
		      struct sfs_slice **slices, u32 nr, bool *whole)
{
	int ret = 0;
	u32 n;
	u32 i;

	for (i = 0; i < nr && ret == 0; i += n) {
		for (n = 1; i + n < nr; n++) {
			if (slices[i + n]->run->id != slices[i]->run->id)
				break;
		}
		ret = check_run(ck, of_store, slices + i, n, whole);
	}
	return ret;
}

static u64 list_units(struct sfs_slice **slices, u32 nr)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		bytes += slices[i]->run->bytes;
	return bytes / SFS_UNIT;
}

int sfs_check_store_runs(struct sfs_checker *ck)
{
	struct sfs_engine *eng = sfs_store_engine(ck->store);
	struct sfs_manifest *man = sfs_engine_manifest(eng);
	struct sfs_level *level;
	bool whole = true;
	u64 units = 0;
	int ret;
	u32 l;

	for (l = 0; l < SFS_MAX_LEVELS; l++)
		units += list_units(man->levels[l]->slices,
				    man->levels[l]->nr);
	ret = sfs_check_phase(ck, "runs of the server", units);
	for (l = 0; l < SFS_MAX_LEVELS && ret == 0; l++) {
		level = man->levels[l];
		ret = check_list(ck, true, level->slices, level->nr, &whole);
	}
	sfs_manifest_put(eng, man);
	return ret;
}

int sfs_check_volume_runs(struct sfs_checker *ck)
{
	struct sfs_slice_list *list = &ck->slices;
	int ret;

	ck->runs_whole = true;
	ret = sfs_check_phase(ck, "runs",
			      list_units(list->slices, list->nr));
	if (ret == 0)
		ret = check_list(ck, false, list->slices, list->nr,
				 &ck->runs_whole);
	return ret;
}

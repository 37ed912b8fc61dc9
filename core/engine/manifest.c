// SPDX-License-Identifier: GPL-2.0-only
/*
 * The manifest: which parts of which runs are live, and in which order.
 *
 * Versions are immutable.  A new version copies only the arrays of the levels
 * that its edit touches and shares the others, so a publish costs what level 0
 * is long.
 *
 * Invariants, checked for every new version: level 0 is ordered by strictly
 * falling order; the slices of a deeper level are disjoint and ascending; an
 * edit removes only what is there and adds no id twice.
 */
#include "engine/manifest.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"

/* ---- slices ------------------------------------------------------------- */

struct sfs_slice *sfs_slice_create(struct sfs_run *run, u64 id, u8 level,
				   u64 order)
{
	struct sfs_slice *slice;

	slice = kzalloc(sizeof(*slice), GFP_NOFS);
	if (!slice)
		return NULL;
	refcount_set(&slice->refs, 1);
	sfs_run_get(run);
	slice->run = run;
	slice->id = id;
	slice->level = level;
	slice->order = order;
	slice->items = run->items;
	slice->deletions = run->deletions;
	slice->first = run->first;
	slice->last = run->last;
	return slice;
}

struct sfs_slice *sfs_slice_trim(const struct sfs_slice *slice, u64 id,
				 const struct sfs_key *first, u64 items,
				 u64 deletions)
{
	struct sfs_slice *rest;

	rest = sfs_slice_create(slice->run, id, slice->level, slice->order);
	if (!rest)
		return NULL;
	rest->first = *first;
	rest->last = slice->last;
	rest->items = items;
	rest->deletions = deletions;
	return rest;
}

void sfs_slice_get(struct sfs_slice *slice)
{
	refcount_inc(&slice->refs);
}

void sfs_slice_put(struct sfs_slice *slice)
{
	if (!refcount_dec_and_test(&slice->refs))
		return;
	sfs_run_put(slice->run);
	kfree(slice);
}

bool sfs_slice_overlaps(const struct sfs_slice *slice,
			const struct sfs_key *first,
			const struct sfs_key *last)
{
	return sfs_key_cmp(&slice->first, last) <= 0 &&
	       sfs_key_cmp(&slice->last, first) >= 0;
}

u32 sfs_slice_encode(const struct sfs_slice *slice, void *buf)
{
	struct sfs_disk_slice *disk = buf;
	const struct sfs_run *run = slice->run;
	u32 i;

	memset(disk, 0, sizeof(*disk));
	disk->id = cpu_to_le64(slice->id);
	disk->run_id = cpu_to_le64(run->id);
	disk->order = cpu_to_le64(slice->order);
	disk->items = cpu_to_le64(slice->items);
	disk->deletions = cpu_to_le64(slice->deletions);
	disk->run_items = cpu_to_le64(run->items);
	disk->run_deletions = cpu_to_le64(run->deletions);
	disk->run_bytes = cpu_to_le64(run->bytes);
	disk->footer_addr = cpu_to_le64(run->footer_addr);
	disk->footer_len = cpu_to_le32(run->footer_len);
	disk->footer_nr = cpu_to_le32(run->footer_nr);
	disk->nr_pieces = cpu_to_le16(run->nr_pieces);
	disk->level = slice->level;
	sfs_key_encode(&slice->first, disk->first);
	sfs_key_encode(&slice->last, disk->last);
	for (i = 0; i < run->nr_pieces; i++) {
		disk->pieces[i].addr = cpu_to_le64(run->pieces[i].addr);
		disk->pieces[i].len = cpu_to_le64(run->pieces[i].len);
	}
	return struct_size(disk, pieces, run->nr_pieces);
}

static int bad_slice(struct sfs_wrong *wrong, const char *field, u64 value)
{
	*wrong = (struct sfs_wrong){ .what = field, .found = value };
	return -EIO;
}

static int decode_pieces(const struct sfs_disk_slice *disk, u64 meta_bytes,
			 struct sfs_run *run, struct sfs_wrong *wrong)
{
	u64 addr;
	u64 len;
	u32 i;

	for (i = 0; i < run->nr_pieces; i++) {
		addr = le64_to_cpu(disk->pieces[i].addr);
		len = le64_to_cpu(disk->pieces[i].len);
		if (!IS_ALIGNED(addr, SFS_UNIT) || addr < SFS_META_REGION ||
		    addr >= meta_bytes)
			return bad_slice(wrong, "address of a piece", addr);
		if (!IS_ALIGNED(len, SFS_UNIT) || len == 0 ||
		    len > meta_bytes - addr)
			return bad_slice(wrong, "length of a piece", len);
		run->pieces[i] = (struct sfs_piece){ addr, len };
	}
	return 0;
}

static void decode_run(const struct sfs_disk_slice *disk, struct sfs_run *run)
{
	run->id = le64_to_cpu(disk->run_id);
	run->items = le64_to_cpu(disk->run_items);
	run->deletions = le64_to_cpu(disk->run_deletions);
	run->bytes = le64_to_cpu(disk->run_bytes);
	run->footer_addr = le64_to_cpu(disk->footer_addr);
	run->footer_len = le32_to_cpu(disk->footer_len);
	run->footer_nr = le32_to_cpu(disk->footer_nr);
	sfs_key_decode(&run->first, disk->first);
	sfs_key_decode(&run->last, disk->last);
}

static int check_fields(const struct sfs_disk_slice *disk, u32 len,
			struct sfs_wrong *wrong)
{
	u16 pieces = le16_to_cpu(disk->nr_pieces);

	if (pieces == 0 || pieces > SFS_RUN_MAX_PIECES ||
	    struct_size(disk, pieces, pieces) != len)
		return bad_slice(wrong, "number of pieces", pieces);
	if (disk->level >= SFS_MAX_LEVELS)
		return bad_slice(wrong, "level", disk->level);
	if (memcmp(disk->first, disk->last, SFS_KEY_BYTES) > 0)
		return bad_slice(wrong, "key range at zone", disk->first[0]);
	if (le64_to_cpu(disk->deletions) > le64_to_cpu(disk->items))
		return bad_slice(wrong, "number of deletions",
				 le64_to_cpu(disk->deletions));
	return 0;
}

int sfs_slice_parse(const void *buf, u32 len, u64 meta_bytes,
		    struct sfs_wrong *ret_wrong, struct sfs_slice **ret_slice)
{
	const struct sfs_disk_slice *disk = buf;
	struct sfs_slice *slice;
	struct sfs_run *run;
	int ret;

	if (len < sizeof(*disk))
		return bad_slice(ret_wrong, "length", len);
	ret = check_fields(disk, len, ret_wrong);
	if (ret < 0)
		return ret;
	run = sfs_run_alloc(le16_to_cpu(disk->nr_pieces));
	if (!run)
		return -ENOMEM;
	decode_run(disk, run);
	ret = decode_pieces(disk, meta_bytes, run, ret_wrong);
	if (ret < 0)
		goto out;
	ret = -ENOMEM;
	slice = sfs_slice_create(run, le64_to_cpu(disk->id), disk->level,
				 le64_to_cpu(disk->order));
	if (!slice)
		goto out;
	slice->items = le64_to_cpu(disk->items);
	slice->deletions = le64_to_cpu(disk->deletions);
	*ret_slice = slice;
	ret = 0;
out:
	sfs_run_put(run);
	return ret;
}

int sfs_slice_decode(struct sfs_host *host, const void *buf, u32 len,
		     u64 meta_bytes, struct sfs_slice **ret_slice)
{
	const struct sfs_disk_slice *disk = buf;
	bool whole = len >= sizeof(*disk);
	struct sfs_wrong wrong;
	int ret;

	ret = sfs_slice_parse(buf, len, meta_bytes, &wrong, ret_slice);
	if (ret == -EIO)
		sfs_err(host,
			"damaged manifest entry: slice %llu of run %llu: %s is %llu",
			whole ? le64_to_cpu(disk->id) : 0,
			whole ? le64_to_cpu(disk->run_id) : 0, wrong.what,
			wrong.found);
	return ret;
}

int sfs_slice_to_text(const struct sfs_slice *slice, char *buf, u32 size)
{
	return scnprintf(buf, size,
			 "slice %llu level %u order %llu run %llu items %llu deletions %llu bytes %llu pieces %u footer %llu+%u keys " SFS_KEY_FMT
			 " to " SFS_KEY_FMT,
			 slice->id, slice->level, slice->order, slice->run->id,
			 slice->items, slice->deletions, slice->run->bytes,
			 slice->run->nr_pieces, slice->run->footer_addr,
			 slice->run->footer_len, SFS_KEY_ARG(&slice->first),
			 SFS_KEY_ARG(&slice->last));
}

/* ---- levels -------------------------------------------------------------- */

static struct sfs_level *level_alloc(u32 nr)
{
	struct sfs_level *level;

	level = kvzalloc(struct_size(level, slices, nr), GFP_NOFS);
	if (level)
		refcount_set(&level->refs, 1);
	return level;
}

static void level_put(struct sfs_level *level)
{
	u32 i;

	if (!level || !refcount_dec_and_test(&level->refs))
		return;
	for (i = 0; i < level->nr; i++)
		sfs_slice_put(level->slices[i]);
	kvfree(level);
}

u32 sfs_level_seek(const struct sfs_level *level, const struct sfs_key *key)
{
	u32 low = 0;
	u32 high = level->nr;
	u32 mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (sfs_key_cmp(&level->slices[mid]->last, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Whether @a stands before @b in its level. */
static bool slice_before(const struct sfs_slice *a, const struct sfs_slice *b)
{
	if (a->level == 0)
		return a->order > b->order;
	return sfs_key_cmp(&a->last, &b->first) < 0;
}

static bool edit_deletes(const struct sfs_edit *edit, u64 id)
{
	u32 i;

	for (i = 0; i < edit->nr_del; i++) {
		if (edit->del[i] == id)
			return true;
	}
	return false;
}

static void level_insert(struct sfs_level *level, struct sfs_slice *slice)
{
	u32 at = level->nr;

	while (at > 0 && slice_before(slice, level->slices[at - 1])) {
		level->slices[at] = level->slices[at - 1];
		at--;
	}
	level->slices[at] = slice;
	level->nr++;
	sfs_slice_get(slice);
}

static int level_check(struct sfs_host *host, const struct sfs_level *level)
{
	u32 i;

	for (i = 1; i < level->nr; i++) {
		if (slice_before(level->slices[i - 1], level->slices[i]))
			continue;
		sfs_err(host, "manifest: slices %llu and %llu overlap in level %u",
			level->slices[i - 1]->id, level->slices[i]->id,
			level->slices[i]->level);
		return -EUCLEAN;
	}
	return 0;
}

/* Level @nr after @edit; *ret_deleted grows by what it removed. */
static struct sfs_level *level_apply(struct sfs_host *host,
				     struct sfs_level *old, u8 nr,
				     const struct sfs_edit *edit,
				     u32 *ret_deleted)
{
	struct sfs_level *level;
	u32 deleted = 0;
	u32 added = 0;
	u32 i;

	for (i = 0; i < edit->nr_add; i++)
		added += edit->add[i]->level == nr;
	for (i = 0; i < old->nr && edit->nr_del; i++)
		deleted += edit_deletes(edit, old->slices[i]->id);
	if (!added && !deleted) {
		refcount_inc(&old->refs);
		return old;
	}
	level = level_alloc(old->nr + added - deleted);
	if (!level)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < old->nr; i++) {
		if (edit->nr_del && edit_deletes(edit, old->slices[i]->id))
			continue;
		level->slices[level->nr++] = old->slices[i];
		sfs_slice_get(old->slices[i]);
	}
	for (i = 0; i < edit->nr_add; i++) {
		if (edit->add[i]->level == nr)
			level_insert(level, edit->add[i]);
	}
	*ret_deleted += deleted;
	if (level_check(host, level) < 0) {
		level_put(level);
		return ERR_PTR(-EUCLEAN);
	}
	return level;
}

/* ---- versions ------------------------------------------------------------ */

static struct sfs_manifest *manifest_alloc(void)
{
	struct sfs_manifest *man;

	man = kzalloc(sizeof(*man), GFP_NOFS);
	if (!man)
		return NULL;
	refcount_set(&man->refs, 1);
	INIT_LIST_HEAD(&man->live);
	return man;
}

struct sfs_manifest *sfs_manifest_create(void)
{
	struct sfs_manifest *man;
	u32 l;

	man = manifest_alloc();
	if (!man)
		return NULL;
	for (l = 0; l < SFS_MAX_LEVELS; l++) {
		man->levels[l] = level_alloc(0);
		if (!man->levels[l]) {
			sfs_manifest_free(man);
			return NULL;
		}
	}
	return man;
}

void sfs_manifest_free(struct sfs_manifest *man)
{
	u32 l;

	for (l = 0; l < SFS_MAX_LEVELS; l++)
		level_put(man->levels[l]);
	kfree(man);
}

struct sfs_manifest *sfs_manifest_apply(struct sfs_host *host,
					const struct sfs_manifest *old,
					const struct sfs_edit *edit)
{
	struct sfs_manifest *man;
	struct sfs_level *level;
	u32 deleted = 0;
	u32 l;
	int ret;

	man = manifest_alloc();
	if (!man)
		return ERR_PTR(-ENOMEM);
	man->version = edit->version;
	man->stable = edit->stable;
	for (l = 0; l < SFS_MAX_LEVELS; l++) {
		level = level_apply(host, old->levels[l], (u8)l, edit,
				    &deleted);
		if (IS_ERR(level)) {
			ret = PTR_ERR(level);
			goto err_free;
		}
		man->levels[l] = level;
	}
	if (deleted != edit->nr_del) {
		sfs_err(host,
			"manifest: version %llu removes %u slices, %u are there",
			edit->version, edit->nr_del, deleted);
		ret = -EUCLEAN;
		goto err_free;
	}
	return man;
err_free:
	sfs_manifest_free(man);
	return ERR_PTR(ret);
}

struct sfs_slice *sfs_manifest_find(const struct sfs_manifest *man, u64 id)
{
	struct sfs_slice *slice;
	u32 l;
	u32 i;

	sfs_manifest_for_each(man, l, i, slice) {
		if (slice->id == id)
			return slice;
	}
	return NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The items of the server's store: each by itself, against the geometry of the
 * volume and against the counters, which have to be above every number in use.
 *
 * Leaves the slices of the volume, what segments are owned or pending, and the
 * extents of data space that are not in files.
 */
#include "check/check.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "server/srv_format.h"
#include "server/srv_items.h"

#define ITEM "server item " SFS_KEY_FMT

static void below(struct sfs_checker *ck, const struct sfs_key *key,
		  const char *field, u64 found, const char *counter, u64 limit)
{
	if (ck->has_counters && found >= limit)
		sfs_check_found(ck, ITEM ": %s is %llu, expected below %s %llu",
				SFS_KEY_ARG(key), field, found, counter, limit);
}

static void add_state(struct sfs_checker *ck, const struct sfs_key *key,
		      const void *val, u32 len)
{
	sfs_srv_counters_decode(val, len, &ck->cnt);
	ck->has_counters = true;
	below(ck, key, "stable", ck->cnt.stable, "next_seq", ck->cnt.next_seq);
}

static int add_slice(struct sfs_checker *ck, const struct sfs_key *key,
		     const void *val, u32 len)
{
	struct sfs_slice *slice;
	struct sfs_wrong wrong;
	u8 *again;
	int ret;

	ret = sfs_slice_parse(val, len, ck->ident.id.meta_bytes, &wrong,
			      &slice);
	if (ret == -EIO) {
		sfs_check_found(ck, ITEM ": slice: %s is %llu",
				SFS_KEY_ARG(key), wrong.what, wrong.found);
		ck->server_whole = false;
		return 0;
	}
	if (ret < 0)
		return ret;
	if (slice->id != key->f2)
		sfs_check_found(ck, ITEM ": slice: id is %llu, expected %llu",
				SFS_KEY_ARG(key), slice->id, key->f2);
	below(ck, key, "slice", slice->id, "next_slice", ck->cnt.next_slice);
	below(ck, key, "run", slice->run->id, "next_run", ck->cnt.next_run);
	if (slice->level == 0)
		below(ck, key, "order", slice->order, "next_order",
		      ck->cnt.next_order);
	again = kmalloc(SFS_DISK_SLICE_MAX, GFP_NOFS);
	if (again && (sfs_slice_encode(slice, again) != len ||
		      memcmp(again, val, len)))
		sfs_check_found(ck, ITEM ": slice: padding is not zero",
				SFS_KEY_ARG(key));
	ret = again ? sfs_slice_list_add(&ck->slices, slice) : -ENOMEM;
	if (ret < 0)
		sfs_slice_put(slice);
	kfree(again);
	return ret;
}

static int add_mount(struct sfs_checker *ck, const struct sfs_key *key,
		     const void *val)
{
	u64 *rid = sfs_fact_add(&ck->mounts, sizeof(*rid));
	struct sfs_srv_mount rec;

	memcpy(&rec, val, sizeof(rec));
	if (ck->has_counters && le64_to_cpu(rec.version) > ck->cnt.version)
		sfs_check_found(ck, ITEM ": version is %llu, expected at most %llu",
				SFS_KEY_ARG(key), le64_to_cpu(rec.version),
				ck->cnt.version);
	if (!rid)
		return -ENOMEM;
	*rid = key->f2;
	return 0;
}

/* Whatever says so is in front of what it has: the record of a mount goes last. */
static void has_mount(struct sfs_checker *ck, const struct sfs_key *key)
{
	const u64 *rids = ck->mounts.mem;
	size_t i;

	for (i = 0; i < ck->mounts.nr; i++) {
		if (rids[i] == key->f2)
			return;
	}
	sfs_check_found(ck, ITEM ": there is no mount %016llx",
			SFS_KEY_ARG(key), key->f2);
}

static void add_segment(struct sfs_checker *ck, const struct sfs_key *key)
{
	bool owned = key->f1 == SFS_SRV_OWNED;
	u8 *seg;

	if (key->f3 >= ck->nr_segs) {
		sfs_check_found(ck, ITEM ": segment is %llu, expected below %llu",
				SFS_KEY_ARG(key), key->f3, ck->nr_segs);
		return;
	}
	if (!owned && ck->has_counters && key->f2 > ck->cnt.version)
		sfs_check_found(ck, ITEM ": version is %llu, expected at most %llu",
				SFS_KEY_ARG(key), key->f2, ck->cnt.version);
	seg = &ck->segs[key->f3];
	if (*seg & SFS_SEG_IS_OWNED)
		sfs_check_found(ck, ITEM ": segment %llu is owned already",
				SFS_KEY_ARG(key), key->f3);
	else if (*seg & SFS_SEG_IS_PENDING)
		sfs_check_found(ck, ITEM ": segment %llu is pending free already",
				SFS_KEY_ARG(key), key->f3);
	*seg |= owned ? SFS_SEG_IS_OWNED : SFS_SEG_IS_PENDING;
	if (owned && key->f2 == SFS_SRV_OWNER_JOB)
		*seg |= SFS_SEG_IS_JOB;
	else if (owned)
		has_mount(ck, key);
}

static int add_space(struct sfs_checker *ck, const struct sfs_key *key,
		     const void *val)
{
	bool owned = key->f1 == SFS_SRV_DATA_OWNED;
	u64 last = owned ? key->f3 : key->f2;
	u64 first = SFS_DATA_FIRST / SFS_UNIT;
	u64 end = ck->ident.id.data_bytes / SFS_UNIT;
	u64 count = sfs_srv_data_blocks(val);
	struct sfs_space_fact *fact;

	if (last < first || last >= end) {
		sfs_check_found(ck, ITEM ": last block is %llu, expected from %llu to %llu",
				SFS_KEY_ARG(key), last, first, end - 1);
		return 0;
	}
	if (count > last - first + 1) {
		sfs_check_found(ck, ITEM ": number of blocks is %llu, expected at most %llu",
				SFS_KEY_ARG(key), count, last - first + 1);
		return 0;
	}
	if (owned && !key->f2)
		sfs_check_found(ck, ITEM ": owner is 0", SFS_KEY_ARG(key));
	else if (owned)
		has_mount(ck, key);
	fact = sfs_fact_add(&ck->space, sizeof(*fact));
	if (!fact)
		return -ENOMEM;
	fact->start = last - count + 1;
	fact->count = count;
	fact->owner = owned ? key->f2 : 0;
	return 0;
}

static int add_item(struct sfs_checker *ck, const struct sfs_key *key,
		    const void *val, u32 len)
{
	const char *why = sfs_srv_item_check(key, val, len);

	if (why) {
		sfs_check_found(ck, ITEM ": %s", SFS_KEY_ARG(key), why);
		ck->server_whole = false;
		return 0;
	}
	switch (key->f1) {
	case SFS_SRV_STATE:
		add_state(ck, key, val, len);
		return 0;
	case SFS_SRV_SLICE:
		return add_slice(ck, key, val, len);
	case SFS_SRV_MOUNT:
		return add_mount(ck, key, val);
	case SFS_SRV_SLOT:
		has_mount(ck, key);
		return 0;
	case SFS_SRV_OWNED:
	case SFS_SRV_PENDING:
		add_segment(ck, key);
		return 0;
	}
	return add_space(ck, key, val);
}

int sfs_check_server_items(struct sfs_checker *ck)
{
	struct sfs_key key = SFS_KEY_MIN;
	struct sfs_iter it;
	int ret;

	ret = sfs_check_phase(ck, "server items", 0);
	if (ret < 0)
		return ret;
	ck->server_whole = true;
	ck->nr_segs = sfs_identity_nr_segs(&ck->ident);
	ck->segs = kvzalloc(ck->nr_segs, GFP_NOFS);
	if (!ck->segs)
		return -ENOMEM;
	sfs_iter_init(sfs_store_engine(ck->store), &it, &key, &SFS_KEY_MAX);
	while ((ret = sfs_iter_next(&it)) > 0) {
		key = it.key;
		ret = add_item(ck, &key, it.val, it.val_len);
		if (ret == 0)
			ret = sfs_check_progress(ck, 1);
		if (ret < 0)
			break;
	}
	if (it.nr_disordered)
		sfs_check_found(ck, ITEM ": the version in a newer run has no higher sequence than the one in an older run (%llu such keys)",
				SFS_KEY_ARG(&it.disordered), it.nr_disordered);
	if (ret < 0 && ret == it.err && ret != -ENOMEM) {
		sfs_check_found(ck, "server items behind " SFS_KEY_FMT ": can not be read: error %d",
				SFS_KEY_ARG(&key), ret);
		ck->server_whole = false;
		ret = 0;
	}
	sfs_iter_exit(&it);
	if (ret == 0 && ck->server_whole && !ck->has_counters)
		sfs_check_found(ck, "server items: the state is missing");
	return ret;
}

/* ---- the manifest ---------------------------------------------------------- */

/* As they stand in the manifest, the newest of level 0 first. */
static int slice_cmp(const void *a, const void *b)
{
	const struct sfs_slice *x = *(struct sfs_slice *const *)a;
	const struct sfs_slice *y = *(struct sfs_slice *const *)b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->level == 0 && x->order != y->order)
		return x->order > y->order ? -1 : 1;
	return x->level ? sfs_key_cmp(&x->first, &y->first) : 0;
}

static int run_cmp(const void *a, const void *b)
{
	const struct sfs_slice *x = *(struct sfs_slice *const *)a;
	const struct sfs_slice *y = *(struct sfs_slice *const *)b;

	if (x->run->id != y->run->id)
		return x->run->id < y->run->id ? -1 : 1;
	return sfs_key_cmp(&x->first, &y->first);
}

static bool same_run(const struct sfs_run *a, const struct sfs_run *b)
{
	return a->items == b->items && a->deletions == b->deletions &&
	       a->bytes == b->bytes && a->footer_addr == b->footer_addr &&
	       a->footer_len == b->footer_len &&
	       a->footer_nr == b->footer_nr && a->nr_pieces == b->nr_pieces &&
	       !memcmp(a->pieces, b->pieces,
		       a->nr_pieces * sizeof(a->pieces[0]));
}

static bool compare_neighbours(struct sfs_checker *ck,
			       const struct sfs_slice *a,
			       const struct sfs_slice *b)
{
	if (a->level != b->level)
		return true;
	if (a->level == 0 && a->order == b->order) {
		sfs_check_found(ck, "slices %llu and %llu of level 0 have the same order %llu",
				a->id, b->id, a->order);
		return false;
	}
	if (a->level && sfs_key_cmp(&a->last, &b->first) >= 0) {
		sfs_check_found(ck, "slice %llu of level %u: first key is " SFS_KEY_FMT ", expected behind " SFS_KEY_FMT ", the last of slice %llu",
				b->id, b->level, SFS_KEY_ARG(&b->first),
				SFS_KEY_ARG(&a->last), a->id);
		return false;
	}
	return true;
}

/* Slices of one run: the same run, and each key in one of them only. */
static void compare_in_run(struct sfs_checker *ck, const struct sfs_slice *a,
			   const struct sfs_slice *b)
{
	if (a->run->id != b->run->id)
		return;
	if (!same_run(a->run, b->run))
		sfs_check_found(ck, "slices %llu and %llu describe run %llu differently",
				a->id, b->id, a->run->id);
	if (sfs_key_cmp(&a->last, &b->first) >= 0)
		sfs_check_found(ck, "slices %llu and %llu of run %llu overlap at key " SFS_KEY_FMT,
				a->id, b->id, a->run->id,
				SFS_KEY_ARG(&b->first));
}

/* The slices by their places in the manifest, and the manifest of them. */
int sfs_check_slices(struct sfs_checker *ck)
{
	struct sfs_slice_list *list = &ck->slices;
	struct sfs_edit edit = {
		.version = ck->cnt.version,
		.stable = ck->cnt.stable,
	};
	bool fits = true;
	int ret = 0;
	u32 i;

	if (list->nr)
		sort(list->slices, list->nr, sizeof(list->slices[0]),
		     slice_cmp, NULL);
	for (i = 1; i < list->nr; i++)
		fits &= compare_neighbours(ck, list->slices[i - 1],
					   list->slices[i]);
	if (fits) {
		edit.add = list->slices;
		edit.nr_add = list->nr;
		ret = sfs_srv_step_manifest(&ck->vol, &edit);
		ck->has_vol = ret == 0;
	}
	if (list->nr)
		sort(list->slices, list->nr, sizeof(list->slices[0]), run_cmp,
		     NULL);
	for (i = 1; i < list->nr; i++)
		compare_in_run(ck, list->slices[i - 1], list->slices[i]);
	return ret;
}

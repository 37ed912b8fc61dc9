// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space is in exactly one place.
 *
 *  - The server region: no unit belongs to two runs, or to a run and the log.
 *  - Segments of the metadata device: what runs refer to lies in them, no two
 *    runs in the same bytes; a segment that is pending free or owned by a
 *    compaction is one that no slice refers to.
 *  - The data device: free extents, those that mounts own and those of files
 *    are all of it, each block once.
 *
 * For the data device everything is laid side by side in the order of blocks,
 * so memory goes with the number of extents and a conflict names both sides.
 */
#include "check/check.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

/* A stretch of the metadata device; id 0: the log. */
struct piece_fact {
	u64 addr;
	u64 len;
	u64 run;
};

static int add_piece(struct sfs_facts *facts, u64 addr, u64 len, u64 run)
{
	struct piece_fact *fact = sfs_fact_add(facts, sizeof(*fact));

	if (!fact)
		return -ENOMEM;
	*fact = (struct piece_fact){ addr, len, run };
	return 0;
}

static int add_run(struct sfs_facts *facts, const struct sfs_run *run)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < run->nr_pieces && ret == 0; i++)
		ret = add_piece(facts, run->pieces[i].addr, run->pieces[i].len,
				run->id);
	return ret;
}

static int piece_cmp(const void *a, const void *b)
{
	const struct piece_fact *x = a;
	const struct piece_fact *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return 0;
}

static const char *user_kind(u64 run)
{
	return run ? "run" : "log";
}

static void compare_pieces(struct sfs_checker *ck, struct sfs_facts *facts,
			   const char *unit)
{
	const struct piece_fact *widest = facts->mem;
	const struct piece_fact *f = facts->mem;
	size_t i;

	if (facts->nr > 1)
		sort(facts->mem, facts->nr, sizeof(*f), piece_cmp, NULL);
	for (i = 1; i < facts->nr; i++) {
		if (f[i].addr < widest->addr + widest->len)
			sfs_check_found(ck, "%s at byte %llu belongs to %s %llu and to %s %llu",
					unit, f[i].addr,
					user_kind(widest->run), widest->run,
					user_kind(f[i].run), f[i].run);
		if (f[i].addr + f[i].len > widest->addr + widest->len)
			widest = &f[i];
	}
}

/* ---- the server region ------------------------------------------------------- */

struct region_walk {
	struct sfs_checker *ck;
	struct sfs_facts facts;
	u64 unit;
};

/* Whole units, since that is what is given out; neighbours of a run share. */
static int add_units(struct region_walk *w, u64 addr, u64 len, u64 run)
{
	struct piece_fact *last = w->facts.nr ?
		(struct piece_fact *)w->facts.mem + w->facts.nr - 1 : NULL;
	u64 start;
	u64 end;

	if (addr < SFS_META_REGION ||
	    addr + len > SFS_META_REGION + w->ck->ident.region_bytes) {
		sfs_check_found(w->ck, "%s %llu: bytes %llu to %llu lie outside of the server region",
				user_kind(run), run, addr, addr + len - 1);
		return 0;
	}
	start = round_down(addr - SFS_META_REGION, w->unit);
	end = round_up(addr + len - SFS_META_REGION, w->unit);
	if (last && run && last->run == run &&
	    last->addr + last->len == SFS_META_REGION + start + w->unit)
		start += w->unit;
	if (start == end)
		return 0;
	return add_piece(&w->facts, SFS_META_REGION + start, end - start, run);
}

static int add_log_segment(void *arg, u64 addr, u64 bytes)
{
	return add_units(arg, addr, bytes, 0);
}

int sfs_check_region(struct sfs_checker *ck)
{
	struct sfs_engine *eng = sfs_store_engine(ck->store);
	struct sfs_manifest *man = sfs_engine_manifest(eng);
	struct region_walk w = { .ck = ck };
	const struct sfs_run *run;
	struct sfs_slice *slice;
	int ret;
	u32 l;
	u32 i;
	u32 j;

	w.unit = sfs_store_region_unit(ck->store);
	ret = sfs_check_phase(ck, "server region", 0);
	sfs_manifest_for_each(man, l, i, slice) {
		run = slice->run;
		for (j = 0; j < run->nr_pieces && ret == 0; j++)
			ret = add_units(&w, run->pieces[j].addr,
					run->pieces[j].len, run->id);
	}
	if (ret == 0)
		ret = sfs_store_log_segments(ck->store, add_log_segment, &w);
	if (ret == 0)
		compare_pieces(ck, &w.facts, "unit of the server region");
	kvfree(w.facts.mem);
	sfs_manifest_put(eng, man);
	return ret;
}

/* ---- segments ------------------------------------------------------------------ */

static void use_segments(struct sfs_checker *ck, const struct sfs_run *run)
{
	u64 start = sfs_identity_seg_start(&ck->ident);
	u32 bytes = ck->ident.segment_bytes;
	const struct sfs_piece *piece;
	u64 last;
	u64 nr;
	u32 i;

	for (i = 0; i < run->nr_pieces; i++) {
		piece = &run->pieces[i];
		if (piece->addr < start ||
		    div_u64(piece->addr + piece->len - 1 - start, bytes) >=
			    ck->nr_segs) {
			sfs_check_found(ck, "run %llu: bytes %llu to %llu lie outside of the segments",
					run->id, piece->addr,
					piece->addr + piece->len - 1);
			continue;
		}
		last = div_u64(piece->addr + piece->len - 1 - start, bytes);
		for (nr = div_u64(piece->addr - start, bytes); nr <= last; nr++)
			ck->segs[nr] |= SFS_SEG_IS_LIVE;
	}
}

static void check_segment(struct sfs_checker *ck, u64 nr)
{
	u8 use = ck->segs[nr];

	ck->res.meta_segments_used += use != 0;
	if (!(use & SFS_SEG_IS_LIVE))
		return;
	if (use & SFS_SEG_IS_PENDING)
		sfs_check_found(ck, "segment %llu: is pending free, but slices refer to it",
				nr);
	if (use & SFS_SEG_IS_JOB)
		sfs_check_found(ck, "segment %llu: is owned by a compaction, but slices refer to it",
				nr);
}

int sfs_check_segments(struct sfs_checker *ck)
{
	struct sfs_slice_list *list = &ck->slices;
	struct sfs_facts facts = {};
	const struct sfs_run *run;
	int ret;
	u64 nr;
	u32 i;

	ret = sfs_check_phase(ck, "segments", 0);
	for (i = 0; i < list->nr && ret == 0; i++) {
		run = list->slices[i]->run;
		if (i && list->slices[i - 1]->run->id == run->id)
			continue;
		use_segments(ck, run);
		ret = add_run(&facts, run);
	}
	if (ret == 0)
		compare_pieces(ck, &facts, "metadata space");
	kvfree(facts.mem);
	for (nr = 0; nr < ck->nr_segs && ret == 0; nr++)
		check_segment(ck, nr);
	return ret;
}

/* ---- data ------------------------------------------------------------------------ */

static int space_cmp(const void *a, const void *b)
{
	const struct sfs_space_fact *x = a;
	const struct sfs_space_fact *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return 0;
}

/* Who has a stretch of blocks. */
struct user {
	u64 start;
	u64 end;
	const char *kind;
	u64 id;
	bool is_file;
};

static struct user space_user(const struct sfs_space_fact *fact)
{
	return (struct user){
		.start = fact->start,
		.end = fact->start + fact->count,
		.kind = fact->owner ? "mount" : "free space",
		.id = fact->owner,
	};
}

static struct user file_user(const struct sfs_extent_fact *fact)
{
	return (struct user){
		.start = fact->phys,
		.end = fact->phys + fact->count,
		.kind = "inode",
		.id = fact->ino,
		.is_file = true,
	};
}

/* @next begins not before @far, the one that reached farthest so far. */
static void next_user(struct sfs_checker *ck, struct user *far,
		      const struct user *next)
{
	if (next->start > far->end)
		sfs_check_found(ck, "data blocks %llu to %llu: are neither free nor owned nor in a file",
				far->end, next->start - 1);
	/* of two files the check of items has told */
	else if (next->start < far->end && !(next->is_file && far->is_file))
		sfs_check_found(ck, "data blocks %llu to %llu: belong to %s %llu and to %s %llu",
				next->start, min(far->end, next->end) - 1,
				far->kind, far->id, next->kind, next->id);
	if (next->end > far->end)
		*far = *next;
}

static void compare_users(struct sfs_checker *ck)
{
	const struct sfs_space_fact *space = ck->space.mem;
	const struct sfs_extent_fact *file = ck->items.extents.mem;
	u64 end = ck->ident.id.data_bytes / SFS_UNIT;
	size_t nr_space = ck->space.nr;
	size_t nr_files = ck->items.extents.nr;
	struct user far = {
		.end = SFS_DATA_FIRST / SFS_UNIT,
		.is_file = true,
	};
	struct user next;
	size_t i = 0;
	size_t j = 0;

	while (i < nr_space || j < nr_files) {
		if (j == nr_files ||
		    (i < nr_space && space[i].start <= file[j].phys))
			next = space_user(&space[i++]);
		else
			next = file_user(&file[j++]);
		next_user(ck, &far, &next);
	}
	next = (struct user){ .start = end, .end = end };
	if (far.end < end)
		next_user(ck, &far, &next);
}

int sfs_check_data(struct sfs_checker *ck)
{
	int ret;

	ret = sfs_check_phase(ck, "data blocks", 0);
	if (ret < 0)
		return ret;
	if (!ck->items_whole || !ck->server_whole) {
		sfs_check_note(ck, "blocks of the data device are not compared, because not everything that has some could be read");
		return 0;
	}
	if (ck->space.nr > 1)
		sort(ck->space.mem, ck->space.nr,
		     sizeof(struct sfs_space_fact), space_cmp, NULL);
	compare_users(ck);
	return 0;
}

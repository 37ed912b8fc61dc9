/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_ITER_H
#define SFS_ENGINE_ITER_H

#include <linux/types.h>
#include "base/key.h"

struct sfs_engine;
struct sfs_view;
struct sfs_manifest;
struct sfs_cursor;
struct sfs_run_reader;
struct sfs_slice;

/*
 * An ordered walk over the items of a view, of one manifest version, or of
 * given slices.  After sfs_iter_next() returned 1, @key, @val, @val_len and
 * @seq describe the item; @val points into memory that stays valid until the
 * next call.
 */
struct sfs_iter {
	struct sfs_key key;		/* O: current item */
	const void *val;
	u64 seq;
	u32 val_len;
	u8 is_deletion;

	struct sfs_engine *eng;		/* I: whose view or manifest is pinned */
	struct sfs_view *view;		/* I: pinned, or NULL */
	struct sfs_manifest *man;	/* I: pinned, or NULL */
	struct sfs_run_reader *rd;	/* I */
	struct sfs_key first;		/* I */
	struct sfs_key last;		/* I: inclusive */
	struct sfs_cursor *cursors;	/* O: one a source, newest first */
	u32 nr_cursors;
	u8 keep_deletions;		/* I: deletion marks are items, too */
	u8 started;
	s32 err;			/* O: first error, returned ever after */
	/*
	 * O: keys whose versions did not fall in sequence from newer to older
	 * sources, as far as the walk has gone beyond them; and the last one.
	 */
	u64 nr_disordered;
	struct sfs_key disordered;
};

/* 1 an item, 0 the end, or a negative errno, which it then goes on returning. */
int sfs_iter_next(struct sfs_iter *it);
void sfs_iter_exit(struct sfs_iter *it);

/*
 * The first item of a range, deletion marks included, in the newest version:
 * looks into one source after the other and needs no memory.  Returns 1 with as
 * many bytes of the value in @buf as fit, 0 when there is none, or an errno.
 */
struct sfs_iter_item {
	struct sfs_key key;
	u32 val_len;
	u8 is_deletion;
};
int sfs_iter_first(struct sfs_engine *eng, const struct sfs_key *first,
		   const struct sfs_key *last, void *buf, u32 size,
		   struct sfs_iter_item *ret_item);

/*
 * Over @nr slices, newest source first, deletion marks included; for merging.
 * Pins nothing: the caller keeps the slices.
 */
void sfs_iter_init_slices(struct sfs_iter *it, struct sfs_run_reader *rd,
			  struct sfs_slice **slices, u32 nr,
			  const struct sfs_key *first,
			  const struct sfs_key *last);
/* How much of slice @i the walk has passed, the current item excluded. */
void sfs_iter_passed(const struct sfs_iter *it, u32 i, u64 *ret_items,
		     u64 *ret_deletions);

#endif

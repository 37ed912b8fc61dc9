/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_ITER_H
#define SFS_ENGINE_ITER_H

#include <linux/types.h>
#include "base/key.h"

struct sfs_engine;
struct sfs_view;
struct sfs_cursor;

/*
 * An ordered walk over the items of a view, or of one manifest version.
 * After sfs_iter_next() returned 1, @key, @val, @val_len and @seq describe the
 * item; @val points into memory that stays valid until the next call.
 */
struct sfs_iter {
	struct sfs_key key;		/* O: current item */
	const void *val;
	u32 val_len;
	u64 seq;

	struct sfs_engine *eng;		/* I */
	struct sfs_view *view;		/* I: pinned */
	struct sfs_key pos;		/* O: where the next item is sought */
	struct sfs_key last;		/* I: inclusive */
	struct sfs_cursor *cursors;	/* O: one a source, newest source first */
	u32 nr_cursors;
	u8 manifest_only;		/* I: no memtables */
	u8 keep_deletions;		/* I: deletion marks are items too */
	u8 is_deletion;			/* O: current item is such a mark */
	u8 started;
	u8 done;
	s32 err;			/* O: first error; returned from then on */
	u8 *val_buf;			/* O: copy of a value in a memtable */
};

/* 1 an item, 0 the end, or a negative errno, which it then goes on returning. */
int sfs_iter_next(struct sfs_iter *it);
void sfs_iter_exit(struct sfs_iter *it);

#endif

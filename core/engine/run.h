/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_RUN_H
#define SFS_ENGINE_RUN_H

#include <linux/refcount.h>
#include "base/counters.h"
#include "engine/cache.h"
#include "engine/itemblock.h"

/* A contiguous piece of the metadata device, 4 KiB aligned. */
struct sfs_piece {
	u64 addr;	/* bytes */
	u64 len;	/* bytes */
};

#define SFS_RUN_MAX_PIECES 120

/*
 * A run: sorted items in blocks that never change.  The footer is the block
 * that is read first; it leads to index blocks or straight to item blocks.
 */
struct sfs_run {
	refcount_t refs;
	u64 id;			/* I */
	u64 footer_addr;	/* I */
	u32 footer_len;		/* I: stored bytes */
	u32 footer_nr;		/* I: number of the block */
	u64 items;		/* I: all items, deletions included */
	u64 deletions;		/* I */
	u64 bytes;		/* I: stored bytes of all blocks */
	struct sfs_key first;	/* I */
	struct sfs_key last;	/* I */
	u32 nr_pieces;		/* I */
	struct sfs_piece pieces[];
};

/* What the value of an entry in an index block or footer says. */
struct sfs_disk_child {
	__le64 addr;
	__le64 filter_addr;
	__le32 len;		/* stored bytes, a multiple of 4096 */
	__le32 nr;
	__le32 filter_len;	/* stored bytes, 0: no filter */
	__le32 filter_nr;
	__le32 filter_keys;	/* bytes of filter bits */
	__u8 kind;		/* SFS_CHILD_* */
	__u8 filter_has;	/* SFS_FILTER_HAS_* */
	__u8 pad[2];
};
static_assert(sizeof(struct sfs_disk_child) == 40);

enum sfs_child_kind {
	SFS_CHILD_ITEMS = 1,
	SFS_CHILD_INDEX = 2,
};

enum sfs_filter_has {
	SFS_FILTER_HAS_INODES = 1,
	SFS_FILTER_HAS_NAMES = 2,
};

struct sfs_run *sfs_run_alloc(u32 nr_pieces);
void sfs_run_get(struct sfs_run *run);
void sfs_run_put(struct sfs_run *run);

/* Where blocks come from; the same for all runs of an engine. */
struct sfs_run_reader {
	struct sfs_host *host;
	struct sfs_cache *cache;	/* NULL: read without caching */
	struct sfs_counters *cnt;	/* may be NULL */
	u64 fsid;
};

/*
 * A walk through the items of a run in [first, last].  Holds the footer, at
 * most one index block and one item block.
 */
struct sfs_run_cursor {
	struct sfs_run_reader *rd;
	struct sfs_run *run;
	struct sfs_block *blk[3];		/* footer, index, items */
	struct sfs_itemblock_cursor at[3];
	u8 depth;				/* blocks held; 0: no current item */
};

/*
 * The item with @key: 1 and *ret_at in a block that the cursor holds, 0 when
 * the run has none, or a negative errno.  Filters are asked on the way.
 */
int sfs_run_lookup(struct sfs_run_cursor *cur, struct sfs_run_reader *rd,
		   struct sfs_run *run, const struct sfs_key *key);
/*
 * To the first item not below @key: 1, 0 when there is none, or an error.  With
 * @last, which is in the same inode as @key, filters are asked, and the answer
 * is 0 when they say that the run has nothing in that range.
 */
int sfs_run_seek(struct sfs_run_cursor *cur, struct sfs_run_reader *rd,
		 struct sfs_run *run, const struct sfs_key *key,
		 const struct sfs_key *last);
int sfs_run_next(struct sfs_run_cursor *cur);
void sfs_run_cursor_exit(struct sfs_run_cursor *cur);

static inline struct sfs_itemblock_cursor *
sfs_run_item(struct sfs_run_cursor *cur)
{
	return &cur->at[cur->depth - 1];
}

#endif

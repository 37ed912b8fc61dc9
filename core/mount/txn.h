/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transactions of a mount, as the filesystem floor uses them.
 *
 * Operations change items inside a *hold*: a short, memory-only phase.  All
 * changes made in one hold, and those of a prefix of all earlier holds of this
 * mount, reach the volume together or not at all.  Rules:
 *
 *  - everything that can sleep or fail (reading items, allocating inode
 *    numbers and data space, checking permissions) is done before
 *    sfs_hold_begin(); between begin and end nothing sleeps and nothing fails
 *  - what was read before the hold stays true in it because the operation has
 *    the cluster locks and the caller the inodes exclusively (api.h says which)
 *  - the amounts given to sfs_hold_begin() are upper bounds; going beyond them
 *    is a bug and is asserted
 */
#ifndef SFS_MOUNT_TXN_H
#define SFS_MOUNT_TXN_H

#include <linux/types.h>
#include "base/key.h"
#include "engine/iter.h"

struct sfs_fs;
struct sfs_lockset;
struct sfs_memgen;
struct sfs_txn;

/* Which part of the free space an operation may use. */
enum sfs_space_class {
	SFS_SPACE_USER = 0,	/* everyone */
	SFS_SPACE_DELETE = 1,	/* what ends with more free space than before */
};

/* Upper bounds of what a hold will do. */
struct sfs_need {
	u32 items;		/* items put or deleted */
	u32 val_bytes;		/* bytes of all their values */
	u32 extents;		/* data extents consumed or freed */
};

struct sfs_hold {
	struct sfs_txn *txn;	/* I */
	struct sfs_lockset *locks; /* I: that cover what it changes */
	struct sfs_memgen *gen;	/* I: generation this hold writes to */
	u64 stamp;		/* I: for meta_seq, data_seq and items */
	u64 txn_seq;		/* I: sequence of the transaction; <= stamp */
	u64 txn_nr;		/* I: for sfs_txn_wait(); counts transactions of this mount */
	struct sfs_need left;	/* O: not yet used */
	u8 *mem;		/* O: memory cut out of the generation */
	u32 mem_left;		/* O: bytes */
};

/*
 * Under @locks, which cover all that is put or deleted for writing.  May wait
 * for a publish to end or for space.  -ENOSPC, -EIO when the mount
 * is down, -EINTR when the caller is being killed.
 */
int sfs_hold_begin(struct sfs_fs *fs, struct sfs_lockset *locks,
		   struct sfs_hold *hold, enum sfs_space_class class,
		   const struct sfs_need *need);
void sfs_hold_end(struct sfs_fs *fs, struct sfs_hold *hold);

/* @len is at most SFS_MAX_VAL (4,000) bytes.  The value is copied. */
void sfs_item_put(struct sfs_fs *fs, struct sfs_hold *hold,
		  const struct sfs_key *key, const void *val, u32 len);
/* Deleting what does not exist is allowed. */
void sfs_item_del(struct sfs_fs *fs, struct sfs_hold *hold,
		  const struct sfs_key *key);

/*
 * The newest version of an item as this mount sees it, its own unpublished
 * changes included.  Returns the length of the value (it is copied to @buf,
 * which has @size bytes), -ENOENT, -ERANGE when @size is too small, or -EIO.
 */
int sfs_item_get(struct sfs_fs *fs, const struct sfs_key *key, void *buf,
		 u32 size);

/*
 * The first item in [@key, @last]; *key becomes its key.  Otherwise as
 * sfs_item_get(); -ENOENT when there is none.
 */
int sfs_item_next(struct sfs_fs *fs, struct sfs_key *key,
		  const struct sfs_key *last, void *buf, u32 size);

/*
 * Iterators (engine/iter.h) over this mount's view:
 *
 *	sfs_item_iter_init(fs, &it, &first, &last);
 *	while ((ret = sfs_iter_next(&it)) > 0)
 *		use(it.key, it.val, it.val_len);
 *	sfs_iter_exit(&it);
 *
 * Items put while it runs are seen or not; it pins a view, so it is not kept
 * across a wait for anybody else.
 */
void sfs_item_iter_init(struct sfs_fs *fs, struct sfs_iter *it,
			const struct sfs_key *first,
			const struct sfs_key *last);

/*
 * For index walks: publishes this mount, then pins one manifest version and
 * gives its stable sequence.  The iterator reads that version alone.
 */
int sfs_index_iter_init(struct sfs_fs *fs, struct sfs_iter *it,
			const struct sfs_key *first,
			const struct sfs_key *last, u64 *ret_stable);

/*
 * Makes every change of this mount that ended before the call durable,
 * completed data writes included (the data device is flushed first).
 */
int sfs_publish(struct sfs_fs *fs);

/* Waits until transaction @txn_nr is durable, publishing it if it is not. */
int sfs_txn_wait(struct sfs_fs *fs, u64 txn_nr);
/* The transaction that new holds get now; smaller numbers may be durable. */
u64 sfs_txn_current(struct sfs_fs *fs);

/*
 * Data space, in 4 KiB blocks of the data device.  reserve takes one
 * contiguous extent of 1..@want blocks out of what this mount owns (asking the
 * server for more when needed; @goal is a wish for its first block, 0 for
 * none).  Then either consume it in a hold that makes an item refer to it, or
 * give it back.  Freed blocks are not handed out again before their freeing is
 * durable.
 */
int sfs_data_reserve(struct sfs_fs *fs, u64 goal, u64 want, u64 *ret_start,
		     u64 *ret_count);
void sfs_data_unreserve(struct sfs_fs *fs, u64 start, u64 count);
void sfs_data_consume(struct sfs_fs *fs, struct sfs_hold *hold, u64 start,
		      u64 count);
void sfs_data_free(struct sfs_fs *fs, struct sfs_hold *hold, u64 start,
		   u64 count);
/* Contents were written to the data device that this transaction names. */
void sfs_data_dirty(struct sfs_fs *fs, struct sfs_hold *hold);

/* A fresh group of 1,024 inode numbers, never handed out before. */
int sfs_ino_group(struct sfs_fs *fs, u64 *ret_first_ino);

#define SFS_MAX_VAL 4000
#define SFS_GROUP_INOS 1024
#define SFS_FIRST_INO 1024
#define SFS_BLOCK_SIZE 4096

#endif

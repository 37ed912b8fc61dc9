/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_MEMTABLE_H
#define SFS_ENGINE_MEMTABLE_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include "base/key.h"

/*
 * A generation of the memtable: the changes of one transaction, in memory.
 * Written to by holds, read by everybody, frozen when its publish begins, and
 * freed as a whole.
 */
struct sfs_memgen {
	refcount_t refs;
	spinlock_t lock;
	struct rb_root tables;		/* L(lock) to change shape */
	struct list_head chunks;	/* L(lock) */
	u8 *cursor;			/* L(lock): free part of the last chunk */
	u32 cursor_left;		/* L(lock) */
	u64 mem_bytes;			/* L(lock) to change, A: of all chunks */
	u64 nr_items;			/* L(lock): distinct keys */
	u64 val_bytes;			/* L(lock): of their newest values */
};

struct sfs_memitem {
	struct rb_node node;
	struct sfs_key key;
	u64 seq;
	const void *val;
	u16 val_len;
	u8 kind;
};

/* Memory one item with a value of @val_len bytes takes at most. */
u32 sfs_memgen_item_bytes(u32 val_len);

struct sfs_memgen *sfs_memgen_create(void);
void sfs_memgen_get(struct sfs_memgen *gen);
void sfs_memgen_put(struct sfs_memgen *gen);

/*
 * Cuts @bytes out of the generation for one writer, who spends them through
 * @mem and gives back the rest.
 */
int sfs_memgen_cut(struct sfs_memgen *gen, u32 bytes, u8 **ret_mem);
void sfs_memgen_uncut(struct sfs_memgen *gen, u8 *mem, u32 left);

/* Inserts or replaces; never fails, spends *mem. */
void sfs_memgen_set(struct sfs_memgen *gen, u8 **mem, u32 *mem_left,
		    const struct sfs_key *key, u64 seq, u8 kind,
		    const void *val, u32 val_len);

/* What a reader copies out of an item. */
struct sfs_memitem_copy {
	struct sfs_key key;
	u64 seq;
	u32 val_len;
	u8 kind;
};

/*
 * 1 and the item with @key (0 when there is none).  Its value is copied to
 * @buf as far as @size goes; val_len says how long it is.
 */
int sfs_memgen_lookup(struct sfs_memgen *gen, const struct sfs_key *key,
		      void *buf, u32 size, struct sfs_memitem_copy *ret);
/* The first item in [@key, @last]. */
int sfs_memgen_next(struct sfs_memgen *gen, const struct sfs_key *key,
		    const struct sfs_key *last, void *buf, u32 size,
		    struct sfs_memitem_copy *ret);

/* In key order, for a generation that no longer changes. */
struct sfs_memitem *sfs_memgen_first(struct sfs_memgen *gen);
struct sfs_memitem *sfs_memgen_after(struct sfs_memgen *gen,
				     const struct sfs_memitem *item);

#endif

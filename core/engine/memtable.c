// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generations of the memtable.
 *
 * Keys are spread over tables with disjoint ranges, one for each group of
 * inodes and one for each other zone, so that writers under different cluster
 * locks do not meet; a walk through the tables in order is sorted.  Each table
 * is a tree under its own spinlock.
 *
 * Memory comes from chunks that live as long as the generation.  A writer cuts
 * out what its changes can need at most before it starts, so that changing
 * items never allocates and never fails.  A replaced value stays where it is
 * until the generation goes.
 *
 * Locks: gen->lock guards the shape of the tree of tables and the chunks;
 * table->lock the items.  Never both.  Tables are only added, never removed,
 * so a table that was found stays.
 */
#include "engine/memtable.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"

/* Each as large as all before it: many transactions are a few items. */
#define CHUNK_MIN_BYTES (16U << 10)
#define CHUNK_MAX_BYTES (256U << 10)
#define GROUP_SHIFT 10

struct mem_chunk {
	struct list_head head;
	u64 bytes;
	u8 data[];
};

struct mem_table {
	struct rb_node node;	/* L(gen->lock) */
	u64 group;		/* I */
	u8 zone;		/* I */
	spinlock_t lock;
	struct rb_root items;	/* L(lock) */
};

static u64 key_group(const struct sfs_key *key)
{
	return key->zone == SFS_ZONE_FS ? key->f1 >> GROUP_SHIFT : 0;
}

static int table_cmp(const struct mem_table *table, u8 zone, u64 group)
{
	if (table->zone != zone)
		return table->zone < zone ? -1 : 1;
	if (table->group != group)
		return table->group < group ? -1 : 1;
	return 0;
}

u32 sfs_memgen_item_bytes(u32 val_len)
{
	return ALIGN(sizeof(struct sfs_memitem), 8) +
	       ALIGN(sizeof(struct mem_table), 8) + ALIGN(val_len, 8);
}

struct sfs_memgen *sfs_memgen_create(void)
{
	struct sfs_memgen *gen;

	gen = kzalloc(sizeof(*gen), GFP_NOFS);
	if (!gen)
		return NULL;
	refcount_set(&gen->refs, 1);
	spin_lock_init(&gen->lock);
	gen->tables = RB_ROOT;
	INIT_LIST_HEAD(&gen->chunks);
	return gen;
}

void sfs_memgen_get(struct sfs_memgen *gen)
{
	refcount_inc(&gen->refs);
}

void sfs_memgen_put(struct sfs_memgen *gen)
{
	struct mem_chunk *chunk;
	struct mem_chunk *tmp;

	if (!refcount_dec_and_test(&gen->refs))
		return;
	list_for_each_entry_safe(chunk, tmp, &gen->chunks, head)
		kvfree(chunk);
	kfree(gen);
}

static u8 *cut_locked(struct sfs_memgen *gen, u32 bytes)
{
	u8 *mem;

	if (gen->cursor_left < bytes)
		return NULL;
	mem = gen->cursor;
	gen->cursor += bytes;
	gen->cursor_left -= bytes;
	return mem;
}

int sfs_memgen_cut(struct sfs_memgen *gen, u32 bytes, u8 **ret_mem)
{
	struct mem_chunk *chunk;
	u32 size;
	u8 *mem;

	bytes = ALIGN(bytes, 8);
	spin_lock(&gen->lock);
	mem = cut_locked(gen, bytes);
	spin_unlock(&gen->lock);
	if (!mem) {
		size = (u32)clamp_t(u64, READ_ONCE(gen->mem_bytes),
				    CHUNK_MIN_BYTES, CHUNK_MAX_BYTES);
		size = max_t(u32, size, sizeof(*chunk) + bytes);
		chunk = kvmalloc(size, GFP_NOFS);
		if (!chunk)
			return -ENOMEM;
		chunk->bytes = size;
		spin_lock(&gen->lock);
		list_add(&chunk->head, &gen->chunks);
		WRITE_ONCE(gen->mem_bytes, gen->mem_bytes + size);
		gen->cursor = chunk->data;
		gen->cursor_left = (u32)(size - sizeof(*chunk));
		mem = cut_locked(gen, bytes);
		spin_unlock(&gen->lock);
	}
	*ret_mem = mem;
	return 0;
}

void sfs_memgen_uncut(struct sfs_memgen *gen, u8 *mem, u32 left)
{
	left = ALIGN(left, 8);	/* as the cut was rounded up */
	spin_lock(&gen->lock);
	if (mem + left == gen->cursor) {
		gen->cursor -= left;
		gen->cursor_left += left;
	}
	spin_unlock(&gen->lock);
}

static void *spend(u8 **mem, u32 *mem_left, u32 bytes)
{
	void *p = *mem;

	bytes = ALIGN(bytes, 8);
	SFS_ASSERT_CMP(*mem_left, >=, bytes);
	*mem += bytes;
	*mem_left -= bytes;
	return p;
}

static struct mem_table *find_table(struct sfs_memgen *gen, u8 zone, u64 group)
{
	struct rb_node *node = gen->tables.rb_node;
	struct mem_table *table;
	int cmp;

	while (node) {
		table = rb_entry(node, struct mem_table, node);
		cmp = table_cmp(table, zone, group);
		if (cmp == 0)
			return table;
		node = cmp > 0 ? node->rb_left : node->rb_right;
	}
	return NULL;
}

static void insert_table(struct sfs_memgen *gen, struct mem_table *table)
{
	struct rb_node **link = &gen->tables.rb_node;
	struct rb_node *parent = NULL;
	struct mem_table *other;

	while (*link) {
		parent = *link;
		other = rb_entry(parent, struct mem_table, node);
		link = table_cmp(other, table->zone, table->group) > 0 ?
			       &parent->rb_left :
			       &parent->rb_right;
	}
	rb_link_node(&table->node, parent, link);
	rb_insert_color(&table->node, &gen->tables);
}

static struct mem_table *get_table(struct sfs_memgen *gen, u8 **mem,
				   u32 *mem_left, const struct sfs_key *key)
{
	struct mem_table *table;
	u64 group = key_group(key);

	spin_lock(&gen->lock);
	table = find_table(gen, key->zone, group);
	if (!table) {
		table = spend(mem, mem_left, sizeof(*table));
		table->zone = key->zone;
		table->group = group;
		spin_lock_init(&table->lock);
		table->items = RB_ROOT;
		insert_table(gen, table);
	}
	spin_unlock(&gen->lock);
	return table;
}

/* The table that holds (zone, group), or the next one after it. */
static struct mem_table *table_from(struct sfs_memgen *gen, u8 zone, u64 group)
{
	struct rb_node *node;
	struct mem_table *table;
	struct mem_table *best = NULL;

	spin_lock(&gen->lock);
	node = gen->tables.rb_node;
	while (node) {
		table = rb_entry(node, struct mem_table, node);
		if (table_cmp(table, zone, group) >= 0) {
			best = table;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	spin_unlock(&gen->lock);
	return best;
}

static struct mem_table *table_after(struct sfs_memgen *gen,
				     struct mem_table *table)
{
	struct rb_node *node;

	spin_lock(&gen->lock);
	node = rb_next(&table->node);
	spin_unlock(&gen->lock);
	return node ? rb_entry(node, struct mem_table, node) : NULL;
}

/* First item not below @key. */
static struct sfs_memitem *seek_item(struct mem_table *table,
				     const struct sfs_key *key)
{
	struct rb_node *node = table->items.rb_node;
	struct sfs_memitem *best = NULL;
	struct sfs_memitem *item;
	int cmp;

	while (node) {
		item = rb_entry(node, struct sfs_memitem, node);
		cmp = sfs_key_cmp(&item->key, key);
		if (cmp == 0)
			return item;
		if (cmp > 0)
			best = item;
		node = cmp > 0 ? node->rb_left : node->rb_right;
	}
	return best;
}

/* The item with @key, new if need be; its contents are the caller's to set. */
static struct sfs_memitem *get_item(struct mem_table *table, u8 **mem,
				    u32 *mem_left, const struct sfs_key *key,
				    bool *ret_new)
{
	struct rb_node **link = &table->items.rb_node;
	struct rb_node *parent = NULL;
	struct sfs_memitem *item;
	int cmp;

	*ret_new = false;
	while (*link) {
		parent = *link;
		item = rb_entry(parent, struct sfs_memitem, node);
		cmp = sfs_key_cmp(&item->key, key);
		if (cmp == 0)
			return item;
		link = cmp > 0 ? &parent->rb_left : &parent->rb_right;
	}
	item = spend(mem, mem_left, sizeof(*item));
	item->key = *key;
	item->val_len = 0;
	item->seq = 0;
	rb_link_node(&item->node, parent, link);
	rb_insert_color(&item->node, &table->items);
	*ret_new = true;
	return item;
}

void sfs_memgen_set(struct sfs_memgen *gen, u8 **mem, u32 *mem_left,
		    const struct sfs_key *key, u64 seq, u8 kind,
		    const void *val, u32 val_len)
{
	struct mem_table *table;
	struct sfs_memitem *item;
	void *copy = NULL;
	u32 old_len;
	bool new;

	if (val_len) {
		copy = spend(mem, mem_left, val_len);
		memcpy(copy, val, val_len);
	}
	table = get_table(gen, mem, mem_left, key);
	spin_lock(&table->lock);
	item = get_item(table, mem, mem_left, key, &new);
	SFS_ASSERT_CMP(item->seq, <=, seq);
	old_len = item->val_len;
	item->seq = seq;
	item->val = copy;
	item->val_len = (u16)val_len;
	item->kind = kind;
	spin_unlock(&table->lock);

	spin_lock(&gen->lock);
	gen->nr_items += new;
	gen->val_bytes += val_len;
	gen->val_bytes -= old_len;
	spin_unlock(&gen->lock);
}

static void copy_item(const struct sfs_memitem *item, void *buf, u32 size,
		      struct sfs_memitem_copy *ret)
{
	ret->key = item->key;
	ret->seq = item->seq;
	ret->kind = item->kind;
	ret->val_len = item->val_len;
	if (item->val_len)
		memcpy(buf, item->val, min_t(u32, size, item->val_len));
}

int sfs_memgen_lookup(struct sfs_memgen *gen, const struct sfs_key *key,
		      void *buf, u32 size, struct sfs_memitem_copy *ret)
{
	struct mem_table *table;
	struct sfs_memitem *item;
	int found = 0;

	spin_lock(&gen->lock);
	table = find_table(gen, key->zone, key_group(key));
	spin_unlock(&gen->lock);
	if (!table)
		return 0;
	spin_lock(&table->lock);
	item = seek_item(table, key);
	if (item && sfs_key_equal(&item->key, key)) {
		copy_item(item, buf, size, ret);
		found = 1;
	}
	spin_unlock(&table->lock);
	return found;
}

int sfs_memgen_next(struct sfs_memgen *gen, const struct sfs_key *key,
		    const struct sfs_key *last, void *buf, u32 size,
		    struct sfs_memitem_copy *ret)
{
	struct mem_table *table;
	struct sfs_memitem *item;
	int found = 0;

	for (table = table_from(gen, key->zone, key_group(key)); table;
	     table = table_after(gen, table)) {
		if (table_cmp(table, last->zone, key_group(last)) > 0)
			return 0;
		spin_lock(&table->lock);
		item = seek_item(table, key);
		if (item && sfs_key_cmp(&item->key, last) <= 0) {
			copy_item(item, buf, size, ret);
			found = 1;
		}
		spin_unlock(&table->lock);
		if (found || item)
			return found;
	}
	return 0;
}

static struct sfs_memitem *table_first(struct mem_table *table)
{
	struct rb_node *node = rb_first(&table->items);

	return node ? rb_entry(node, struct sfs_memitem, node) : NULL;
}

static struct sfs_memitem *first_from(struct sfs_memgen *gen,
				      struct mem_table *table)
{
	struct sfs_memitem *item;

	for (; table; table = table_after(gen, table)) {
		item = table_first(table);
		if (item)
			return item;
	}
	return NULL;
}

struct sfs_memitem *sfs_memgen_first(struct sfs_memgen *gen)
{
	return first_from(gen, table_from(gen, 0, 0));
}

struct sfs_memitem *sfs_memgen_after(struct sfs_memgen *gen,
				     const struct sfs_memitem *item)
{
	struct rb_node *node = rb_next(&item->node);
	struct mem_table *table;

	if (node)
		return rb_entry(node, struct sfs_memitem, node);
	spin_lock(&gen->lock);
	table = find_table(gen, item->key.zone, key_group(&item->key));
	spin_unlock(&gen->lock);
	return first_from(gen, table_after(gen, table));
}

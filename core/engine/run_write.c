// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing runs, in one pass and with bounded memory.
 *
 * Items fill an item block; full blocks are sealed, given space and queued for
 * writing, and what they are called goes into a list of pending children.  The
 * list becomes an index block (after a filter block) when it is long or when
 * the filter is full; at the end it becomes the footer itself if no index
 * block was needed.  So a small run is an item block and a footer.
 *
 * Blocks that are neighbours on the device leave in one transfer of up to
 * 256 KiB; at most four transfers are in flight.  The first error is kept and
 * returned by the next call.
 *
 * A crash leaves blocks that nothing refers to in space that the writer owns.
 */
#include "engine/run_write.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>
#include "base/report.h"
#include "base/varint.h"
#include "engine/filter.h"

#define MAX_CHILDREN 400
#define CHUNK_BYTES (256U << 10)
#define MAX_IN_FLIGHT 4

struct pending_child {
	struct sfs_key last;
	struct sfs_disk_child child;
};

/* Block under construction. */
struct open_block {
	struct sfs_itemblock_writer wr;
	struct sfs_key last;
	u8 buf[SFS_BLOCK_TARGET];
};

struct write_chunk {
	struct sfs_io io;
	struct sfs_run_writer *wr;
};

struct sfs_run_writer {
	struct sfs_host *host;
	u64 fsid;
	struct sfs_run_space space;
	u8 filter_has;
	int err;

	struct open_block items;
	struct open_block index;	/* scratch for index blocks */
	struct open_block footer;	/* entries of index blocks */

	struct pending_child *children;	/* MAX_CHILDREN */
	u32 nr_children;
	u64 *hashes;			/* SFS_FILTER_MAX_KEYS */
	u32 nr_hashes;
	u64 last_inode_hash;

	u32 next_nr;			/* block number */
	u64 bytes;
	struct sfs_run *run;		/* being described */

	u8 *chunk;			/* gathers neighbouring blocks */
	u64 chunk_addr;
	u32 chunk_len;

	spinlock_t lock;
	wait_queue_head_t wait;
	u32 in_flight;			/* L(lock) */
	int io_err;			/* L(lock): first */
};

u64 sfs_run_max_bytes(u64 nr_items, u64 val_bytes)
{
	u64 data = nr_items * (1 + SFS_KEY_BYTES + SFS_VARINT_MAX + 3 + 2) +
		   val_bytes;

	/*
	 * A block is closed when the next item might not fit: at most about
	 * 4,100 of 32,768 bytes stay empty, an eighth.  Each block has 56
	 * bytes of header and at most 70 in an index; a filter has 20 bits an
	 * item.  The last blocks are rounded up to 4 KiB each.
	 */
	return data + data / 6 + nr_items * 3 + 10 * SFS_UNIT;
}

u64 sfs_run_writer_bytes(const struct sfs_run_writer *wr)
{
	return wr->bytes + sizeof(struct sfs_itemblock) +
	       wr->items.wr.data_len;
}

u64 sfs_run_writer_items(const struct sfs_run_writer *wr)
{
	return wr->run->items;
}

/* ---- transfers ---------------------------------------------------------- */

static void chunk_done(struct sfs_io *io)
{
	struct write_chunk *chunk = container_of(io, struct write_chunk, io);
	struct sfs_run_writer *wr = chunk->wr;

	sfs_port_buf_free(io->buf, CHUNK_BYTES);
	spin_lock(&wr->lock);
	if (io->err && !wr->io_err)
		wr->io_err = io->err;
	kfree(chunk);
	wr->in_flight--;
	/* under the lock: once it is dropped the writer may be gone */
	wake_up(&wr->wait);
	spin_unlock(&wr->lock);
}

static u32 in_flight(struct sfs_run_writer *wr)
{
	u32 nr;

	spin_lock(&wr->lock);
	nr = wr->in_flight;
	spin_unlock(&wr->lock);
	return nr;
}

static int chunk_submit(struct sfs_run_writer *wr)
{
	struct write_chunk *chunk;

	if (!wr->chunk_len)
		return 0;
	chunk = kzalloc(sizeof(*chunk), GFP_NOFS);
	if (!chunk)
		return -ENOMEM;
	wait_event(wr->wait, in_flight(wr) < MAX_IN_FLIGHT);
	chunk->wr = wr;
	chunk->io.done = chunk_done;
	chunk->io.buf = wr->chunk;
	chunk->io.offset = wr->chunk_addr;
	chunk->io.len = wr->chunk_len;
	chunk->io.dev = SFS_DEV_META;
	chunk->io.flags = SFS_IO_WRITE;
	wr->chunk = NULL;
	wr->chunk_len = 0;
	spin_lock(&wr->lock);
	wr->in_flight++;
	spin_unlock(&wr->lock);
	sfs_port_io_submit(wr->host, &chunk->io);
	return 0;
}

/* Room for @len bytes that go to @addr on the device. */
static u8 *chunk_room(struct sfs_run_writer *wr, u64 addr, u32 len)
{
	u8 *room;
	int ret;

	if (wr->chunk_len && (wr->chunk_addr + wr->chunk_len != addr ||
			      wr->chunk_len + len > CHUNK_BYTES)) {
		ret = chunk_submit(wr);
		if (ret < 0)
			return ERR_PTR(ret);
	}
	if (!wr->chunk) {
		wr->chunk = sfs_port_buf_alloc(CHUNK_BYTES);
		if (!wr->chunk)
			return ERR_PTR(-ENOMEM);
	}
	if (!wr->chunk_len)
		wr->chunk_addr = addr;
	room = wr->chunk + wr->chunk_len;
	wr->chunk_len += len;
	return room;
}

static int note_piece(struct sfs_run_writer *wr, u64 addr, u32 len)
{
	struct sfs_run *run = wr->run;
	struct sfs_piece *last = &run->pieces[run->nr_pieces - 1];

	if (run->nr_pieces && last->addr + last->len == addr) {
		last->len += len;
		return 0;
	}
	if (run->nr_pieces == SFS_RUN_MAX_PIECES)
		return -EFBIG;
	run->pieces[run->nr_pieces++] = (struct sfs_piece){ addr, len };
	return 0;
}

/*
 * Seals a block of @len bytes, gives it space and queues it.  *ret_id says
 * what it is called from now on; returns its stored length.
 */
static int block_write(struct sfs_run_writer *wr, u32 magic, u8 *buf, u32 len,
		       struct sfs_block_id *ret_id)
{
	u32 stored = round_up(len, SFS_UNIT);
	struct sfs_block_id id = {
		.magic = magic,
		.nr = wr->next_nr,
		.fsid = wr->fsid,
		.owner = wr->run->id,
	};
	u8 *room;
	int ret;

	ret = wr->space.get(wr->space.arg, stored, &id.addr);
	if (ret == 0)
		ret = note_piece(wr, id.addr, stored);
	if (ret < 0)
		return ret;
	room = chunk_room(wr, id.addr, stored);
	if (IS_ERR(room))
		return PTR_ERR(room);
	sfs_block_seal(buf, len, &id);
	memcpy(room, buf, len);
	memset(room + len, 0, stored - len);
	wr->next_nr++;
	wr->bytes += stored;
	*ret_id = id;
	return stored;
}

/* ---- blocks ------------------------------------------------------------- */

static int filter_write(struct sfs_run_writer *wr, struct sfs_disk_child *child)
{
	u32 bytes = sfs_filter_bytes(wr->nr_hashes);
	struct sfs_block_id id;
	u8 *buf = wr->index.buf;
	u32 i;
	int ret;

	memset(buf, 0, sizeof(struct sfs_block_hdr) + bytes);
	for (i = 0; i < wr->nr_hashes; i++)
		sfs_filter_add(buf + sizeof(struct sfs_block_hdr), bytes,
			       wr->hashes[i]);
	ret = block_write(wr, SFS_MAGIC_FILTER, buf,
			  sizeof(struct sfs_block_hdr) + bytes, &id);
	if (ret < 0)
		return ret;
	child->filter_addr = cpu_to_le64(id.addr);
	child->filter_len = cpu_to_le32(ret);
	child->filter_nr = cpu_to_le32(id.nr);
	child->filter_keys = cpu_to_le32(bytes);
	child->filter_has = wr->filter_has;
	return 0;
}

static void child_init(struct sfs_disk_child *child, u8 kind,
		       const struct sfs_block_id *id, u32 stored)
{
	memset(child, 0, sizeof(*child));
	child->kind = kind;
	child->addr = cpu_to_le64(id->addr);
	child->len = cpu_to_le32(stored);
	child->nr = cpu_to_le32(id->nr);
}

/* The pending children, in the block @open, and an empty list again. */
static void children_encode(struct sfs_run_writer *wr, struct open_block *open)
{
	struct pending_child *pend;
	u32 i;

	sfs_itemblock_begin(&open->wr, open->buf);
	for (i = 0; i < wr->nr_children; i++) {
		pend = &wr->children[i];
		sfs_itemblock_add(&open->wr, &pend->last, 0, SFS_ITEM_VALUE,
				  &pend->child, sizeof(pend->child));
	}
	wr->nr_children = 0;
	wr->nr_hashes = 0;
}

static int index_write(struct sfs_run_writer *wr)
{
	struct sfs_key last = wr->children[wr->nr_children - 1].last;
	struct sfs_disk_child filter = {};
	struct sfs_disk_child child;
	struct sfs_block_id id;
	int ret;

	ret = filter_write(wr, &filter);
	if (ret < 0)
		return ret;
	children_encode(wr, &wr->index);
	ret = block_write(wr, SFS_MAGIC_INDEX, wr->index.buf,
			  sfs_itemblock_end(&wr->index.wr), &id);
	if (ret < 0)
		return ret;
	child_init(&child, SFS_CHILD_INDEX, &id, ret);
	child.filter_addr = filter.filter_addr;
	child.filter_len = filter.filter_len;
	child.filter_nr = filter.filter_nr;
	child.filter_keys = filter.filter_keys;
	child.filter_has = filter.filter_has;
	if (!sfs_itemblock_fits(&wr->footer.wr, sizeof(child)))
		return -EFBIG;
	sfs_itemblock_add(&wr->footer.wr, &last, 0, SFS_ITEM_VALUE, &child,
			  sizeof(child));
	return 0;
}

static int items_write(struct sfs_run_writer *wr)
{
	struct pending_child *pend = &wr->children[wr->nr_children];
	struct sfs_block_id id;
	int ret;

	ret = block_write(wr, SFS_MAGIC_ITEM, wr->items.buf,
			  sfs_itemblock_end(&wr->items.wr), &id);
	if (ret < 0)
		return ret;
	pend->last = wr->items.last;
	child_init(&pend->child, SFS_CHILD_ITEMS, &id, ret);
	wr->nr_children++;
	sfs_itemblock_begin(&wr->items.wr, wr->items.buf);
	return 0;
}

static void note_hashes(struct sfs_run_writer *wr, const struct sfs_key *key)
{
	u64 hash = sfs_filter_hash_inode(key);

	if ((wr->filter_has & SFS_FILTER_HAS_INODES) &&
	    (wr->nr_hashes == 0 || hash != wr->last_inode_hash))
		wr->hashes[wr->nr_hashes++] = hash;
	wr->last_inode_hash = hash;
	if ((wr->filter_has & SFS_FILTER_HAS_NAMES) && sfs_filter_has_name(key))
		wr->hashes[wr->nr_hashes++] = sfs_filter_hash_name(key);
}

int sfs_run_writer_add(struct sfs_run_writer *wr, const struct sfs_key *key,
		       u64 seq, u8 kind, const void *val, u32 val_len)
{
	struct sfs_run *run = wr->run;
	int ret = wr->err;

	if (ret == 0 && !sfs_itemblock_fits(&wr->items.wr, val_len)) {
		ret = items_write(wr);
		if (ret == 0 && (wr->nr_children == MAX_CHILDREN ||
				 wr->nr_hashes + 2 * SFS_BLOCK_TARGET / 8 >
					 SFS_FILTER_MAX_KEYS))
			ret = index_write(wr);
	}
	if (ret < 0) {
		wr->err = ret;
		return ret;
	}
	sfs_itemblock_add(&wr->items.wr, key, seq, kind, val, val_len);
	note_hashes(wr, key);
	if (run->items == 0)
		run->first = *key;
	run->last = *key;
	wr->items.last = *key;
	run->items++;
	run->deletions += kind == SFS_ITEM_DELETION;
	return 0;
}

int sfs_run_writer_add_gen(struct sfs_run_writer *wr, struct sfs_memgen *gen)
{
	struct sfs_memitem *item;
	int ret = 0;

	for (item = sfs_memgen_first(gen); item && ret == 0;
	     item = sfs_memgen_after(gen, item))
		ret = sfs_run_writer_add(wr, &item->key, item->seq, item->kind,
					 item->val, item->val_len);
	return ret;
}

/* The footer's entries are the pending children if no index was written. */
static int footer_write(struct sfs_run_writer *wr)
{
	struct sfs_disk_child filter = {};
	struct pending_child *pend;
	struct sfs_block_id id;
	int ret = 0;
	u32 i;

	if (wr->footer.wr.nr_items) {
		if (wr->nr_children)
			ret = index_write(wr);
	} else {
		if (wr->nr_children > 1 && wr->nr_hashes)
			ret = filter_write(wr, &filter);
		for (i = 0; i < wr->nr_children && ret == 0; i++) {
			pend = &wr->children[i];
			pend->child.filter_addr = filter.filter_addr;
			pend->child.filter_len = filter.filter_len;
			pend->child.filter_nr = filter.filter_nr;
			pend->child.filter_keys = filter.filter_keys;
			pend->child.filter_has = filter.filter_has;
		}
		children_encode(wr, &wr->footer);
	}
	if (ret < 0)
		return ret;
	ret = block_write(wr, SFS_MAGIC_FOOTER, wr->footer.buf,
			  sfs_itemblock_end(&wr->footer.wr), &id);
	if (ret < 0)
		return ret;
	wr->run->footer_addr = id.addr;
	wr->run->footer_len = ret;
	wr->run->footer_nr = id.nr;
	return 0;
}

/* ---- life --------------------------------------------------------------- */

struct sfs_run_writer *sfs_run_writer_create(struct sfs_host *host, u64 fsid,
					     u64 run_id, u8 filter_has,
					     const struct sfs_run_space *space)
{
	struct sfs_run_writer *wr;

	wr = kvzalloc(sizeof(*wr), GFP_NOFS);
	if (!wr)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&wr->lock);
	init_waitqueue_head(&wr->wait);
	wr->host = host;
	wr->fsid = fsid;
	wr->space = *space;
	wr->filter_has = filter_has;
	wr->children = kvmalloc_array(MAX_CHILDREN, sizeof(*wr->children),
				      GFP_NOFS);
	wr->hashes = kvmalloc_array(SFS_FILTER_MAX_KEYS, sizeof(*wr->hashes),
				    GFP_NOFS);
	wr->run = sfs_run_alloc(SFS_RUN_MAX_PIECES);
	if (!wr->children || !wr->hashes || !wr->run) {
		sfs_run_writer_abort(wr);
		return ERR_PTR(-ENOMEM);
	}
	wr->run->id = run_id;
	wr->run->nr_pieces = 0;
	sfs_itemblock_begin(&wr->items.wr, wr->items.buf);
	sfs_itemblock_begin(&wr->footer.wr, wr->footer.buf);
	return wr;
}

static void writer_free(struct sfs_run_writer *wr)
{
	wait_event(wr->wait, in_flight(wr) == 0);
	if (wr->chunk)
		sfs_port_buf_free(wr->chunk, CHUNK_BYTES);
	if (wr->run)
		sfs_run_put(wr->run);
	kvfree(wr->children);
	kvfree(wr->hashes);
	kvfree(wr);
}

void sfs_run_writer_abort(struct sfs_run_writer *wr)
{
	writer_free(wr);
}

int sfs_run_writer_finish(struct sfs_run_writer *wr, struct sfs_run **ret_run)
{
	int ret = wr->err;

	SFS_ASSERT_CMP(wr->run->items, >, 0);
	if (ret == 0)
		ret = items_write(wr);
	if (ret == 0)
		ret = footer_write(wr);
	if (ret == 0)
		ret = chunk_submit(wr);
	wait_event(wr->wait, in_flight(wr) == 0);
	if (ret == 0)
		ret = wr->io_err;
	if (ret == 0) {
		wr->run->bytes = wr->bytes;
		*ret_run = wr->run;
		wr->run = NULL;
	}
	writer_free(wr);
	return ret;
}

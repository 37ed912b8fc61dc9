// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading runs: from the footer through at most one index block to a block of
 * items, and on from there.
 *
 * Entries of footers and index blocks are filed under the last key below the
 * child, so that the child that can hold a key is the first entry not below
 * it.  Each entry names the filter that covers its child; runs of a single
 * item block have none, since asking it would cost as much as looking.
 *
 * All children are checked when they come from the device (cache.c); what an
 * entry points to is checked here, before it is followed.
 */
#include "engine/run.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "engine/filter.h"

struct sfs_run *sfs_run_alloc(u32 nr_pieces)
{
	struct sfs_run *run;

	run = kvzalloc(struct_size(run, pieces, nr_pieces), GFP_NOFS);
	if (!run)
		return NULL;
	refcount_set(&run->refs, 1);
	run->nr_pieces = nr_pieces;
	return run;
}

void sfs_run_get(struct sfs_run *run)
{
	refcount_inc(&run->refs);
}

void sfs_run_put(struct sfs_run *run)
{
	if (refcount_dec_and_test(&run->refs))
		kvfree(run);
}

static struct sfs_block *read_uncached(struct sfs_run_reader *rd,
				       const struct sfs_block_id *id, u32 size)
{
	struct sfs_block *blk;
	int ret;

	blk = kzalloc(sizeof(*blk), GFP_NOFS);
	if (!blk)
		return ERR_PTR(-ENOMEM);
	blk->id = *id;
	blk->size = size;
	blk->buf = sfs_port_buf_alloc(size);
	ret = blk->buf ? sfs_io_read(rd->host, SFS_DEV_META, id->addr, blk->buf,
				     size) :
			 -ENOMEM;
	if (ret == 0)
		ret = sfs_block_check(rd->host, blk->buf, size, id);
	if (ret == 0)
		return blk;
	if (blk->buf)
		sfs_port_buf_free(blk->buf, size);
	kfree(blk);
	return ERR_PTR(ret);
}

static struct sfs_block *run_block(struct sfs_run_reader *rd,
				   const struct sfs_run *run, u32 magic,
				   u32 nr, u64 addr, u32 size)
{
	struct sfs_block_id id = {
		.magic = magic,
		.nr = nr,
		.fsid = rd->fsid,
		.addr = addr,
		.owner = run->id,
	};

	if (size == 0 || size > SFS_BLOCK_TARGET || !IS_ALIGNED(size, SFS_UNIT) ||
	    !IS_ALIGNED(addr, SFS_UNIT)) {
		sfs_err(rd->host,
			"damaged reference in run %llu: %s %u at byte %llu has %u bytes",
			run->id, sfs_block_kind(magic), nr, addr, size);
		return ERR_PTR(-EIO);
	}
	if (rd->cache)
		return sfs_cache_get(rd->cache, &id, size);
	sfs_count(rd->cnt, merge_block_reads);
	return read_uncached(rd, &id, size);
}

static void run_block_put(struct sfs_run_reader *rd, struct sfs_block *blk)
{
	if (rd->cache) {
		sfs_cache_put(rd->cache, blk);
		return;
	}
	sfs_port_buf_free(blk->buf, blk->size);
	kfree(blk);
}

/* Drops the blocks below level @depth. */
static void cursor_drop(struct sfs_run_cursor *cur, u8 depth)
{
	while (cur->depth > depth)
		run_block_put(cur->rd, cur->blk[--cur->depth]);
}

void sfs_run_cursor_exit(struct sfs_run_cursor *cur)
{
	cursor_drop(cur, 0);
}

static int cursor_push(struct sfs_run_cursor *cur, u32 magic, u32 nr, u64 addr,
		       u32 size)
{
	struct sfs_block *blk;

	blk = run_block(cur->rd, cur->run, magic, nr, addr, size);
	if (IS_ERR(blk))
		return PTR_ERR(blk);
	cur->blk[cur->depth++] = blk;
	return 0;
}

static int cursor_start(struct sfs_run_cursor *cur, struct sfs_run_reader *rd,
			struct sfs_run *run)
{
	cur->rd = rd;
	cur->run = run;
	cur->depth = 0;
	return cursor_push(cur, SFS_MAGIC_FOOTER, run->footer_nr,
			   run->footer_addr, run->footer_len);
}

/* The child that the current entry of the deepest block names. */
static int current_child(struct sfs_run_cursor *cur,
			 struct sfs_disk_child *child)
{
	struct sfs_itemblock_cursor *at = sfs_run_item(cur);

	if (at->val_len != sizeof(*child))
		goto bad;
	memcpy(child, at->val, sizeof(*child));
	if (child->kind != SFS_CHILD_ITEMS &&
	    (child->kind != SFS_CHILD_INDEX || cur->depth != 1))
		goto bad;
	return 0;
bad:
	sfs_err(cur->rd->host, "damaged index entry in run %llu, block %u",
		cur->run->id, cur->blk[cur->depth - 1]->id.nr);
	return -EIO;
}

static int push_child(struct sfs_run_cursor *cur,
		      const struct sfs_disk_child *child)
{
	u32 magic = child->kind == SFS_CHILD_ITEMS ? SFS_MAGIC_ITEM :
						     SFS_MAGIC_INDEX;

	return cursor_push(cur, magic, le32_to_cpu(child->nr),
			   le64_to_cpu(child->addr), le32_to_cpu(child->len));
}

/* Whether the filter of @child lets @hash through; 1 when it has none. */
static int child_filter(struct sfs_run_cursor *cur,
			const struct sfs_disk_child *child, u64 hash)
{
	struct sfs_block *blk;
	u32 bytes = le32_to_cpu(child->filter_keys);
	int ret;

	blk = run_block(cur->rd, cur->run, SFS_MAGIC_FILTER,
			le32_to_cpu(child->filter_nr),
			le64_to_cpu(child->filter_addr),
			le32_to_cpu(child->filter_len));
	if (IS_ERR(blk))
		return PTR_ERR(blk);
	if (bytes == 0 || bytes > blk->size - sizeof(struct sfs_block_hdr)) {
		sfs_err(cur->rd->host, "damaged filter in run %llu, block %u",
			cur->run->id, blk->id.nr);
		ret = -EIO;
	} else {
		ret = sfs_filter_test((u8 *)blk->buf +
					      sizeof(struct sfs_block_hdr),
				      bytes, hash);
	}
	run_block_put(cur->rd, blk);
	return ret;
}

static int filter_key(struct sfs_run_cursor *cur,
		      const struct sfs_disk_child *child,
		      const struct sfs_key *key, bool whole)
{
	if (!child->filter_len)
		return 1;
	if (whole && sfs_filter_has_name(key) &&
	    (child->filter_has & SFS_FILTER_HAS_NAMES))
		return child_filter(cur, child, sfs_filter_hash_name(key));
	if (child->filter_has & SFS_FILTER_HAS_INODES)
		return child_filter(cur, child, sfs_filter_hash_inode(key));
	return 1;
}

/*
 * What filters say of a range in the child that could hold its first item: 1
 * maybe, 0 nothing.  It may go on in the next child, unless this one's last key
 * lies beyond it.
 */
static int ask_filter(struct sfs_run_cursor *cur,
		      const struct sfs_disk_child *child,
		      const struct sfs_key *first, const struct sfs_key *last)
{
	bool one_name = first->type == last->type && first->f2 == last->f2;
	u8 bytes[SFS_KEY_BYTES];
	int ret;

	if (!child->filter_len)
		return 1;
	sfs_key_encode(last, bytes);
	if (sfs_key_bytes_cmp(sfs_run_item(cur)->bytes, bytes) < 0)
		return 1;
	ret = filter_key(cur, child, first, one_name);
	if (ret == 0)
		sfs_count(cur->rd->cnt, filter_skips);
	else if (ret > 0)
		sfs_count(cur->rd->cnt, filter_passes);
	return ret;
}

/*
 * Down to the first item not below @key.  With @last, filters are asked: 0 when
 * they say that there is nothing in the range.
 */
static int descend(struct sfs_run_cursor *cur, const struct sfs_key *key,
		   const struct sfs_key *last)
{
	struct sfs_disk_child child;
	u8 level;
	int ret;

	for (;;) {
		level = cur->depth - 1;
		if (!sfs_itemblock_seek(&cur->at[level], cur->blk[level]->buf,
					key))
			return 0;
		if (cur->blk[level]->id.magic == SFS_MAGIC_ITEM)
			return 1;
		ret = current_child(cur, &child);
		if (ret == 0 && last) {
			ret = ask_filter(cur, &child, key, last);
			if (ret == 0)
				return 0;
		}
		if (ret >= 0)
			ret = push_child(cur, &child);
		if (ret < 0)
			return ret;
	}
}

int sfs_run_lookup(struct sfs_run_cursor *cur, struct sfs_run_reader *rd,
		   struct sfs_run *run, const struct sfs_key *key)
{
	u8 bytes[SFS_KEY_BYTES];
	int ret;

	ret = cursor_start(cur, rd, run);
	if (ret == 0)
		ret = descend(cur, key, key);
	if (ret > 0) {
		sfs_key_encode(key, bytes);
		ret = sfs_key_bytes_cmp(sfs_run_item(cur)->bytes, bytes) == 0;
	}
	if (ret <= 0)
		cursor_drop(cur, 0);
	return ret;
}

int sfs_run_seek(struct sfs_run_cursor *cur, struct sfs_run_reader *rd,
		 struct sfs_run *run, const struct sfs_key *key,
		 const struct sfs_key *last)
{
	int ret;

	SFS_ASSERT(!last || (key->zone == last->zone && key->f1 == last->f1));
	ret = cursor_start(cur, rd, run);
	if (ret == 0)
		ret = descend(cur, key, last);
	if (ret <= 0)
		cursor_drop(cur, 0);
	return ret;
}

/* Below the current entry, to the leftmost item. */
static int descend_first(struct sfs_run_cursor *cur)
{
	struct sfs_disk_child child;
	u8 level;
	int ret;

	while (cur->blk[cur->depth - 1]->id.magic != SFS_MAGIC_ITEM) {
		ret = current_child(cur, &child);
		if (ret == 0)
			ret = push_child(cur, &child);
		if (ret < 0)
			return ret;
		level = cur->depth - 1;
		sfs_itemblock_first(&cur->at[level], cur->blk[level]->buf);
	}
	return 1;
}

int sfs_run_next(struct sfs_run_cursor *cur)
{
	int ret = 0;

	while (cur->depth > 0) {
		if (sfs_itemblock_next(sfs_run_item(cur))) {
			ret = descend_first(cur);
			break;
		}
		cursor_drop(cur, cur->depth - 1);
	}
	if (ret <= 0)
		cursor_drop(cur, 0);
	return ret;
}

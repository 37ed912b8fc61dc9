/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blocks of items.  In a block that passes the validator a walk meets exactly
 * the number of items that it claims, in ascending order, and a search for
 * each of them finds it.
 *
 * Input: the block after its header.
 */
#include "lib/fuzz.h"

#include <asm/byteorder.h>
#include <linux/bug.h>
#include <linux/string.h>
#include "engine/itemblock.h"

static void check_items(const struct sfs_itemblock *blk)
{
	struct sfs_itemblock_cursor cur;
	struct sfs_itemblock_cursor found;
	u8 last[SFS_KEY_BYTES];
	struct sfs_key key;
	u32 nr = 0;
	u8 sum = 0;
	u32 i;

	if (!sfs_itemblock_first(&cur, blk))
		BUG();
	do {
		BUG_ON(nr > 0 && memcmp(last, cur.bytes, SFS_KEY_BYTES) >= 0);
		memcpy(last, cur.bytes, SFS_KEY_BYTES);
		/* so that a sanitizer sees values that lie outside */
		for (i = 0; i < cur.val_len; i++)
			sum += cur.val[i];
		sfs_key_decode(&key, cur.bytes);
		BUG_ON(!sfs_itemblock_seek(&found, blk, &key));
		BUG_ON(memcmp(found.bytes, cur.bytes, SFS_KEY_BYTES) != 0);
		BUG_ON(found.val != cur.val || found.seq != cur.seq);
		nr++;
	} while (sfs_itemblock_next(&cur));
	BUG_ON(nr != le16_to_cpu(blk->nr_items));
	asm volatile("" : : "r"(sum));
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_block_id id = {
		.magic = SFS_MAGIC_ITEM,
		.addr = SFS_META_REGION,
	};
	u32 hdr = sizeof(struct sfs_block_hdr);
	u8 *buf;

	if (len > SFS_BLOCK_TARGET - hdr)
		return;
	buf = sfs_port_buf_alloc(SFS_BLOCK_TARGET);
	BUG_ON(!buf);
	memcpy(buf + hdr, data, len);
	sfs_block_seal(buf, hdr + len, &id);
	if (sfs_block_verify(host, buf, SFS_BLOCK_TARGET, &id) != 0)
		BUG();
	if (sfs_itemblock_check(host, buf, &id) == 0)
		check_items((struct sfs_itemblock *)buf);
	sfs_port_buf_free(buf, SFS_BLOCK_TARGET);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner block: one that is said to be intact has texts that end within it,
 * is written again as it was, and one changed bit of it is noticed.
 *
 * Input: the beginning of a block; the rest is zeroes.  As read, then with the
 * magic and checksum made right, so that what lies behind them is reached.
 */
#include "lib/fuzz.h"

#include <asm/byteorder.h>
#include <linux/bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "owner.h"

#define MAGIC "sfsowner"
#define CRC_AT 8

static void use(u8 *block, size_t bit)
{
	struct sfs_owner_info info;

	if (sfs_owner_block_decode(block, &info) < 0)
		return;
	BUG_ON(strnlen(info.boot_id, sizeof(info.boot_id)) ==
	       sizeof(info.boot_id));
	BUG_ON(strnlen(info.host_name, sizeof(info.host_name)) ==
	       sizeof(info.host_name));
	BUG_ON(!sfs_owner_block_is(block, info.nonce));
	BUG_ON(sfs_owner_block_is(block, info.nonce + 1));
	BUG_ON(sfs_owner_block_watched(block, block) != SFS_OWNER_WATCH);
	BUG_ON(sfs_owner_block_judge(block, info.fsid + !(info.fsid + 1) + 1,
				     "") != SFS_OWNER_TAKE);
	block[bit / 8] ^= 1 << bit % 8;
	BUG_ON(sfs_owner_block_decode(block, &info) == 0);
	block[bit / 8] ^= 1 << bit % 8;
}

static void seal(u8 *block)
{
	__le32 crc = 0;

	memcpy(block, MAGIC, sizeof(MAGIC) - 1);
	memcpy(block + CRC_AT, &crc, sizeof(crc));
	crc = cpu_to_le32(~crc32c(~0U, block, SFS_OWNER_BYTES));
	memcpy(block + CRC_AT, &crc, sizeof(crc));
}

/* What is understood survives being written and read again. */
static void again(const u8 *block, u8 *copy)
{
	struct sfs_owner_info info;
	struct sfs_owner_info back;

	memset(&info, 0, sizeof(info));
	memset(&back, 0, sizeof(back));
	if (sfs_owner_block_decode(block, &info) < 0)
		return;
	sfs_owner_block_encode(&info, copy);
	BUG_ON(sfs_owner_block_decode(copy, &back) < 0);
	BUG_ON(memcmp(&info, &back, sizeof(info)));
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	u8 *block;
	size_t bit;

	if (len > SFS_OWNER_BYTES)
		return;
	block = kzalloc(2 * SFS_OWNER_BYTES, GFP_NOFS);
	BUG_ON(!block);
	if (len)
		memcpy(block, data, len);
	bit = (len * 31 + (len ? data[len - 1] : 0)) % (8 * SFS_OWNER_BYTES);
	use(block, bit);
	seal(block);
	use(block, bit);
	again(block, block + SFS_OWNER_BYTES);
	kfree(block);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

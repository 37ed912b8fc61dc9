/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Identity blocks: what a device claims to be.  Whatever passes the validator
 * has sizes that fit each other and geometry inside of the device.
 *
 * Input: the block from its fourth byte on; crc, magic and version are put
 * right, because no fuzzer guesses them.
 */
#include "lib/fuzz.h"

#include <asm/byteorder.h>
#include <linux/bug.h>
#include <linux/crc32c.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/identity.h"

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_identity_block *blk;
	struct sfs_identity ident;
	u64 end;

	blk = (void *)(host->dev[SFS_DEV_META] + SFS_META_IDENTITY);
	memcpy((u8 *)blk + 4, data, min_t(size_t, len, sizeof(*blk) - 4));
	blk->magic = cpu_to_le32(SFS_IDENTITY_MAGIC);
	blk->fmt_vers = cpu_to_le64(SFS_FMT_VERS);
	blk->our_version = cpu_to_le32(SFS_OUR_VERSION);
	blk->crc = cpu_to_le32(crc32c(~0U, (u8 *)blk + 4, sizeof(*blk) - 4));
	if (sfs_identity_read(host, SFS_DEV_META, &ident) < 0)
		return;
	end = sfs_identity_seg_start(&ident) +
	      sfs_identity_nr_segs(&ident) * ident.segment_bytes;
	BUG_ON(ident.id.meta_bytes < SFS_MIN_DEV_BYTES);
	BUG_ON(sfs_identity_nr_segs(&ident) == 0);
	BUG_ON(end > ident.id.meta_bytes - SFS_META_TAIL);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

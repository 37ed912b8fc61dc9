/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of the manifest.  What passes the validator has its pieces on the
 * device, and encoding it again gives what was decoded.
 *
 * Input: the entry.
 */
#include "lib/fuzz.h"

#include <linux/bug.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "engine/manifest.h"

#define META_BYTES (1ULL << 30)

static void check_slice(struct sfs_host *host, const struct sfs_slice *slice)
{
	struct sfs_slice *again;
	char text[512];
	u8 *buf;
	u32 len;
	u32 i;

	BUG_ON(slice->level >= SFS_MAX_LEVELS);
	BUG_ON(sfs_key_cmp(&slice->first, &slice->last) > 0);
	for (i = 0; i < slice->run->nr_pieces; i++) {
		BUG_ON(slice->run->pieces[i].addr < SFS_META_REGION);
		BUG_ON(slice->run->pieces[i].addr +
		       slice->run->pieces[i].len > META_BYTES);
	}
	BUG_ON(sfs_slice_to_text(slice, text, sizeof(text)) <= 0);

	buf = sfs_port_buf_alloc(2 * SFS_UNIT);
	BUG_ON(!buf);
	len = sfs_slice_encode(slice, buf);
	if (sfs_slice_decode(host, buf, len, META_BYTES, &again) != 0)
		BUG();
	BUG_ON(again->id != slice->id || again->order != slice->order);
	BUG_ON(again->items != slice->items);
	BUG_ON(again->deletions != slice->deletions);
	BUG_ON(again->run->nr_pieces != slice->run->nr_pieces);
	sfs_slice_put(again);
	sfs_port_buf_free(buf, 2 * SFS_UNIT);
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_slice *slice;
	u8 *buf;

	if (len > 2 * SFS_UNIT)
		return;
	/* aligned, and with its end where a sanitizer looks */
	buf = kmalloc(len ?: 1, GFP_NOFS);
	BUG_ON(!buf);
	memcpy(buf, data, len);
	if (sfs_slice_decode(host, buf, len, META_BYTES, &slice) == 0) {
		check_slice(host, slice);
		sfs_slice_put(slice);
	}
	kfree(buf);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Items of the server's store, one at a time: every one can be checked and
 * printed, valid or not, and what is wrong has a name.
 *
 * Input: key and value.
 */
#include "lib/fuzz.h"

#include <linux/bug.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "engine/manifest.h"
#include "server/srv_items.h"

#define META_BYTES (1ULL << 30)

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_key key;
	char text[600];
	const char *why;
	u32 val_len;
	int text_len;
	u8 *val;

	if (len < SFS_KEY_BYTES || len > SFS_KEY_BYTES + SFS_ITEM_MAX_VAL)
		return;
	sfs_key_decode(&key, data);
	/* its zone is what the caller went by */
	key.zone = SFS_ZONE_SERVER;
	val_len = (u32)(len - SFS_KEY_BYTES);
	/* a copy, so that reading behind its end is seen */
	val = kmalloc(val_len ?: 1, GFP_NOFS);
	BUG_ON(!val);
	memcpy(val, data + SFS_KEY_BYTES, val_len);
	why = sfs_srv_item_check(&key, val, val_len);
	BUG_ON(why && !why[0]);
	text_len = sfs_srv_item_to_text(&key, val, val_len, META_BYTES, text,
					sizeof(text));
	BUG_ON(text_len <= 0 || text_len >= sizeof(text));
	BUG_ON(strlen(text) != text_len);
	kfree(val);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

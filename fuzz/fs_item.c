/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Items of the filesystem, one at a time.  Every value can be printed, valid
 * or not; a valid inode has one encoding, which is the one it was read from.
 *
 * Input: key and value.
 */
#include "lib/fuzz.h"

#include <linux/bug.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "fs/fs.h"
#include "fs/fs_format.h"

static void check_inode(const struct sfs_key *key, const u8 *val, u32 len)
{
	struct sfs_inode_item item;
	struct sfs_inode si;

	if (sfs_inode_decode(key, val, len, &si))
		return;
	BUG_ON(sfs_inode_encode(&si, &item) != len);
	BUG_ON(memcmp(&item, val, len) != 0);
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_key key;
	const char *why;
	char text[600];
	u32 val_len;
	int text_len;
	u8 *val;

	if (len < SFS_KEY_BYTES || len > SFS_KEY_BYTES + SFS_MAX_VAL)
		return;
	sfs_key_decode(&key, data);
	val_len = (u32)(len - SFS_KEY_BYTES);
	/* a copy, so that reading behind its end is seen */
	val = kmalloc(val_len ?: 1, GFP_NOFS);
	BUG_ON(!val);
	memcpy(val, data + SFS_KEY_BYTES, val_len);
	why = sfs_fs_item_check(&key, val, val_len);
	BUG_ON(why && !why[0]);
	text_len = sfs_fs_item_to_text(&key, val, val_len, text, sizeof(text));
	BUG_ON(text_len <= 0 || text_len >= sizeof(text));
	BUG_ON(strlen(text) != text_len);
	if (!why && key.zone == SFS_ZONE_FS && key.type == SFS_FS_INODE)
		check_inode(&key, val, val_len);
	kfree(val);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

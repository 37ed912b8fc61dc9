/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checker of a filesystem's items takes any set of them, in the order of
 * their keys, and reports; it counts every item it was given and reports as
 * many errors as it counts.
 *
 * Input: items, each a key, two bytes of length, the value.
 */
#include "lib/fuzz.h"

#include <linux/bug.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "check/fs_items.h"

#define HEAD (SFS_KEY_BYTES + 2)
#define MAX_VAL 4000

static void report(void *arg, const char *line)
{
	u64 *lines = arg;

	BUG_ON(!line[0]);
	(*lines)++;
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_items_check *ck;
	struct sfs_key key;
	struct sfs_key last;
	u64 lines = 0;
	u64 given = 0;
	u32 val_len;
	u8 *val;

	ck = kmalloc(sizeof(*ck), GFP_NOFS);
	val = kmalloc(MAX_VAL, GFP_NOFS);
	BUG_ON(!ck || !val);
	sfs_items_check_init(ck, report, &lines);
	ck->data_first = 64;
	ck->data_end = 1 << 20;
	while (len >= HEAD) {
		sfs_key_decode(&key, data);
		val_len = data[HEAD - 2] | data[HEAD - 1] << 8;
		val_len = min3(val_len, (u32)MAX_VAL, (u32)(len - HEAD));
		memcpy(val, data + HEAD, val_len);
		data += HEAD + val_len;
		len -= HEAD + val_len;
		if (given > 0 && sfs_key_cmp(&last, &key) >= 0)
			continue;
		last = key;
		given++;
		sfs_items_check_add(ck, &key, val, val_len);
	}
	sfs_items_check_end(ck);
	BUG_ON(ck->err);
	BUG_ON(ck->errors != lines);
	BUG_ON(ck->nr_items != given);
	sfs_items_check_exit(ck);
	kfree(val);
	kfree(ck);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The items of the volume: the newest version of each, compared with all the
 * others by fs_items.c, and with the counters of the server.
 *
 * On the way, for every key, sequences have to fall from newer to older runs.
 *
 * If blocks are damaged the comparison would tell of every item that lost a
 * partner in them.  So then the items of intact runs are only looked at by
 * themselves.
 */
#include "check/check.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "fs/fs.h"

static void report_item(void *arg, const char *line)
{
	struct sfs_checker *ck = arg;

	sfs_check_found(ck, "%s", line);
}

static void check_counters(struct sfs_checker *ck, const struct sfs_key *key)
{
	if (!ck->has_counters)
		return;
	if (key->zone == SFS_ZONE_FS && key->type == SFS_FS_INODE &&
	    key->f1 >= ck->cnt.next_ino)
		sfs_check_found(ck, "inode %llu: number is expected below next_ino %llu",
				key->f1, ck->cnt.next_ino);
	if (key->zone == SFS_ZONE_INDEX && key->f2 >= ck->cnt.next_seq)
		sfs_check_found(ck, "item " SFS_KEY_FMT ": stamp is expected below next_seq %llu",
				SFS_KEY_ARG(key), ck->cnt.next_seq);
}

static void add_item(struct sfs_checker *ck, const struct sfs_iter *it,
		     bool compare)
{
	const char *why;

	ck->res.items++;
	check_counters(ck, &it->key);
	if (compare) {
		sfs_items_check_add(&ck->items, &it->key, it->val, it->val_len);
		return;
	}
	why = sfs_fs_item_check(&it->key, it->val, it->val_len);
	if (why)
		sfs_check_found(ck, "item " SFS_KEY_FMT ": %s",
				SFS_KEY_ARG(&it->key), why);
}

/* 0 to the end, -EIO when something can not be read after all. */
static int walk(struct sfs_checker *ck, bool compare)
{
	u64 disordered = 0;
	struct sfs_iter it;
	int more;
	int ret = 0;

	sfs_iter_init(&ck->vol, &it, &SFS_KEY_MIN, &SFS_KEY_MAX);
	do {
		more = sfs_iter_next(&it);
		if (it.nr_disordered != disordered) {
			disordered = it.nr_disordered;
			sfs_check_found(ck, "item " SFS_KEY_FMT ": the version in a newer run has no higher sequence than the one in an older run",
					SFS_KEY_ARG(&it.disordered));
		}
		if (more > 0) {
			add_item(ck, &it, compare);
			ret = sfs_check_progress(ck, 1);
		}
	} while (more > 0 && ret == 0);
	sfs_iter_exit(&it);
	return ret ?: more;
}

static u64 count_items(const struct sfs_checker *ck)
{
	u64 nr = 0;
	u32 i;

	for (i = 0; i < ck->slices.nr; i++)
		nr += ck->slices.slices[i]->items;
	return nr;
}

static int compare_items(struct sfs_checker *ck)
{
	struct sfs_items_check *items = &ck->items;
	int ret;

	sfs_items_check_init(items, report_item, ck);
	memcpy(items->hash_key, ck->ident.hash_key, sizeof(items->hash_key));
	items->data_first = SFS_DATA_FIRST / SFS_UNIT;
	items->data_end = ck->ident.id.data_bytes / SFS_UNIT;
	ret = walk(ck, true);
	if (ret == 0)
		ret = sfs_check_phase(ck, "comparing items", 0);
	if (ret == 0)
		ret = sfs_items_check_end(items);
	if (ret < 0)
		return ret;
	ck->res.inodes = items->nr_inodes;
	ck->res.data_blocks_used = items->data_blocks;
	ck->items_whole = true;
	return 0;
}

int sfs_check_volume_items(struct sfs_checker *ck)
{
	int ret;

	ret = sfs_check_phase(ck, "items", count_items(ck));
	if (ret < 0)
		return ret;
	if (ck->has_vol && ck->runs_whole && ck->server_whole) {
		ret = compare_items(ck);
		if (ret != -EIO)
			return ret;
		sfs_check_found(ck, "items of the volume: can not all be read: error %d",
				ret);
		return 0;
	}
	sfs_check_note(ck, "items of the volume are not compared with each other, because not all of them could be read");
	if (!ck->has_vol)
		return 0;
	ret = walk(ck, false);
	return ret == -EIO ? 0 : ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The change indexes: which inodes changed, and when.
 *
 * Each inode has one entry (meta_seq, ino) in the meta index, each regular
 * file one (data_seq, ino) in the data index besides; a change moves it to the
 * stamp of the hold.  The entry and the field of the inode are changed in the
 * same hold, so a transaction has both or neither.
 *
 * The stamp of a hold is the mount's clock: it steps from transaction to
 * transaction, and is ahead of all that other mounts stamped under a lock
 * before it was granted to this one.  So an inode that has the
 * very stamp of the hold was stamped in this transaction, all others move up,
 * and every key of the index is inserted at most once and deleted at most once
 * (engine.md, invariant 11), which is what allows such pairs to vanish in a
 * merge.
 *
 * Walks read one published version of the volume and no memtable, and nothing
 * behind its stable sequence: an entry that such a walk returned does not turn
 * up again at a place the walk has passed, whatever crashes.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include "base/report.h"
#include "mount/mount_types.h"

static void index_move(struct sfs_fs *fs, struct sfs_hold *hold, u8 type,
		       u64 ino, u64 *stamp)
{
	struct sfs_key key = sfs_index_key(type, *stamp, ino);

	if (*stamp == hold->stamp)
		return;
	SFS_ASSERT_CMP(hold->stamp, >=, hold->txn_seq);
	SFS_ASSERT_CMP(hold->stamp, >, *stamp);
	sfs_item_del(fs, hold, &key);
	*stamp = hold->stamp;
	key.f2 = *stamp;
	sfs_item_put(fs, hold, &key, NULL, 0);
}

void sfs_index_meta(struct sfs_fs *fs, struct sfs_hold *hold,
		    struct sfs_inode *si)
{
	index_move(fs, hold, SFS_INDEX_META_SEQ, si->ino, &si->meta_seq);
}

void sfs_index_data(struct sfs_fs *fs, struct sfs_hold *hold,
		    struct sfs_inode *si)
{
	index_move(fs, hold, SFS_INDEX_DATA_SEQ, si->ino, &si->data_seq);
}

void sfs_index_erase(struct sfs_fs *fs, struct sfs_hold *hold,
		     const struct sfs_inode *si)
{
	struct sfs_key key;

	key = sfs_index_key(SFS_INDEX_META_SEQ, si->meta_seq, si->ino);
	sfs_item_del(fs, hold, &key);
	if (!S_ISREG(si->mode))
		return;
	key = sfs_index_key(SFS_INDEX_DATA_SEQ, si->data_seq, si->ino);
	sfs_item_del(fs, hold, &key);
}

/*
 * Entries are ordered by (major, minor, ino) and all have minor 0, so a minor
 * above that in a bound means the end of its major.  Agents make such bounds
 * by adding one to an entry.  False: the range is empty.
 */
static bool walk_range(u8 type, const struct sfs_walk_entry *first,
		       const struct sfs_walk_entry *last,
		       struct sfs_key *ret_first, struct sfs_key *ret_last)
{
	u64 major = first->major;
	u64 ino = first->ino;

	if (first->minor) {
		if (major == U64_MAX)
			return false;
		major++;
		ino = 0;
	}
	*ret_first = sfs_index_key(type, major, ino);
	*ret_last = sfs_index_key(type, last->major,
				  last->minor ? U64_MAX : last->ino);
	ret_last->f4 = U8_MAX;
	return sfs_key_cmp(ret_first, ret_last) <= 0;
}

int sfs_walk_inodes(struct sfs_fs *fs, int index,
		    const struct sfs_walk_entry *first,
		    const struct sfs_walk_entry *last,
		    struct sfs_walk_entry *ents, __u32 nr)
{
	struct sfs_key from;
	struct sfs_key to;
	struct sfs_iter it;
	const char *why;
	u64 stable;
	u32 n = 0;
	u8 type;
	int ret;

	sfs_count(fs->cnt, op_walk);
	if (index == SFS_WALK_META_SEQ)
		type = SFS_INDEX_META_SEQ;
	else if (index == SFS_WALK_DATA_SEQ)
		type = SFS_INDEX_DATA_SEQ;
	else
		return -EINVAL;
	if (nr > S32_MAX)
		nr = S32_MAX;
	if (!nr || !walk_range(type, first, last, &from, &to))
		return 0;

	ret = sfs_index_iter_init(fs, &it, &from, &to, &stable);
	if (ret < 0)
		return ret;
	while (n < nr && (ret = sfs_iter_next(&it)) > 0) {
		why = sfs_fs_item_check(&it.key, it.val, it.val_len);
		if (why) {
			ret = sfs_item_bad(fs, &it.key, why);
			break;
		}
		if (it.key.f2 > stable)
			break;
		ents[n++] = (struct sfs_walk_entry) {
			.major = it.key.f2,
			.ino = it.key.f3,
		};
	}
	sfs_iter_exit(&it);
	return ret < 0 ? ret : (int)n;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of cluster locks: what one operation needs, in the order in which it is
 * taken, and what it changed under them.
 *
 * Invariants: a set is sorted by lock and has each once; it is begun as a whole
 * or not at all; nothing is changed that no lock of the set covers for writing.
 */
#include "mount/locks.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include "api.h"
#include "base/report.h"

void sfs_locks_add(struct sfs_lockset *set, u64 id, u8 mode)
{
	u32 i;
	u32 n;

	for (i = 0; i < set->nr && set->lock[i].id <= id; i++) {
		if (set->lock[i].id == id) {
			set->lock[i].mode = max(set->lock[i].mode, mode);
			return;
		}
	}
	SFS_ASSERT_CMP(set->nr, <, SFS_LOCKSET_MAX);
	for (n = set->nr; n > i; n--) {
		set->lock[n].id = set->lock[n - 1].id;
		set->lock[n].mode = set->lock[n - 1].mode;
	}
	set->lock[i].id = id;
	set->lock[i].mode = mode;
	set->nr++;
}

int sfs_locks_begin(struct sfs_fs *fs, struct sfs_lockset *set)
{
	u32 i;
	int ret;

	set->txn_nr = 0;
	for (i = 0; i < set->nr; i++) {
		ret = sfs_lock_use_begin(fs, set->lock[i].id, set->lock[i].mode,
					 set->flags, &set->lock[i].use);
		if (ret < 0) {
			while (i-- > 0)
				sfs_lock_use_end(fs, &set->lock[i].use, 0);
			return ret;
		}
	}
	return 0;
}

void sfs_locks_end(struct sfs_fs *fs, struct sfs_lockset *set)
{
	struct sfs_lock_use *use;
	u32 i;

	for (i = set->nr; i > 0; i--) {
		use = &set->lock[i - 1].use;
		sfs_lock_use_end(fs, use, use->dirty ? set->txn_nr : 0);
	}
	set->nr = 0;
}

int sfs_locks_ino(struct sfs_fs *fs, struct sfs_lockset *set, u64 ino, u8 mode)
{
	set->nr = 0;
	set->flags = 0;
	sfs_locks_add(set, sfs_lock_of_ino(ino), mode);
	return sfs_locks_begin(fs, set);
}

/* Its place in the set; set->nr when it is not there. */
static u32 find(const struct sfs_lockset *set, u64 id)
{
	u32 i;

	for (i = 0; i < set->nr && set->lock[i].id != id; i++)
		;
	return i;
}

bool sfs_locks_cover(const struct sfs_lockset *set, u64 ino, u8 mode)
{
	u32 i = find(set, sfs_lock_of_ino(ino));

	return i < set->nr && set->lock[i].mode >= mode;
}

const struct sfs_lock_use *sfs_locks_use(const struct sfs_lockset *set, u64 ino)
{
	u32 i = find(set, sfs_lock_of_ino(ino));

	SFS_ASSERT_CMP(i, <, set->nr);
	return &set->lock[i].use;
}

u64 sfs_locks_tenure(const struct sfs_lockset *set, u64 ino)
{
	return sfs_lock_tenure(sfs_locks_use(set, ino));
}

void sfs_locks_changed(struct sfs_lockset *set, const struct sfs_key *key,
		       u64 txn_nr)
{
	u32 i;

	if (!set)
		return;
	set->txn_nr = txn_nr;
	/* other zones only have what follows from inodes changed with it */
	if (key->zone != SFS_ZONE_FS)
		return;
	i = find(set, sfs_lock_of_ino(key->f1));
	SFS_ASSERT(i < set->nr && set->lock[i].mode == SFS_LOCK_WRITE);
	if (i < set->nr)
		set->lock[i].use.dirty = 1;
}

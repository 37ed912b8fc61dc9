/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers for new inodes.
 *
 * A number is given out once, to one inode, ever: groups of 1,024 numbers come
 * from the server, which never hands out one twice, and what this mount does
 * not use of a group is lost with the mount.  2^64 numbers make that cheap.
 *
 * Groups are what cluster locks cover, so they follow the way inodes are used
 * together: the files that are made in one directory come from one group
 * (the mount option ino_alloc_per_lock says how many of a group are used), and
 * directories, in which different nodes tend to work, take few from each of
 * their own groups.
 *
 * The table of directories is bounded.  A directory that finds it full takes
 * over what is left of the group of the directory that was not used for the
 * longest time, so a mount that makes a file here and a file there does not
 * burn a group for each.
 *
 * A number is taken under the lock of its group.  Which group that will be is
 * asked before the lock is taken, since locks are taken in ascending order;
 * when it changed meanwhile, the operation begins again.
 *
 * Locks: ino_mutex, held while a group is asked for; it is below the inode
 * locks and above whatever the request takes.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include "base/report.h"
#include "mount/mount_types.h"

static struct sfs_ino_run *run_of_dir(struct sfs_inodes *in, u64 dir)
{
	struct sfs_ino_run *oldest = &in->ino_runs[0];
	struct sfs_ino_run *run;
	unsigned int i;

	lockdep_assert_held(&in->ino_mutex);
	for (i = 0; i < SFS_INO_RUNS; i++) {
		run = &in->ino_runs[i];
		if (run->dir == dir)
			return run;
		if (run->used_at < oldest->used_at)
			oldest = run;
	}
	oldest->dir = dir;
	return oldest;
}

static struct sfs_ino_run *run_for(struct sfs_inodes *in, u64 dir, bool is_dir)
{
	return is_dir ? &in->ino_dirs : run_of_dir(in, dir);
}

int sfs_ino_group_for(struct sfs_fs *fs, u64 dir, bool is_dir, u64 *ret_ino)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ino_run *run;
	u64 per_group;
	u64 first;
	int ret = 0;

	per_group = clamp_t(u64, READ_ONCE(fs->opts.ino_alloc_per_lock), 1,
			    SFS_GROUP_INOS);
	if (is_dir)
		per_group = SFS_DIR_INOS;

	if (mutex_lock_killable(&in->ino_mutex))
		return -EINTR;
	run = run_for(in, dir, is_dir);
	if (run->next == run->end) {
		ret = sfs_ino_group(fs, &first);
		if (ret < 0)
			goto out;
		SFS_ASSERT_CMP(first, >=, SFS_FIRST_INO);
		run->next = first;
		run->end = first + per_group;
	}
	*ret_ino = run->next;
out:
	mutex_unlock(&in->ino_mutex);
	return ret;
}

int sfs_ino_alloc(struct sfs_fs *fs, const struct sfs_lockset *locks, u64 dir,
		  bool is_dir, u64 *ret_ino)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ino_run *run;
	int ret = -EAGAIN;

	if (mutex_lock_killable(&in->ino_mutex))
		return -EINTR;
	run = run_for(in, dir, is_dir);
	if (run->next < run->end &&
	    sfs_locks_cover(locks, run->next, SFS_LOCK_WRITE)) {
		run->used_at = ++in->ino_clock;
		*ret_ino = run->next++;
		ret = 0;
	}
	mutex_unlock(&in->ino_mutex);
	return ret;
}

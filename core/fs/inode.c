/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inodes: reading and storing their items, attributes and their changes.
 *
 * There is no cache of inodes: each operation decodes the item, changes its
 * copy and stores it in one hold.  That the copy is still true at that moment
 * is the caller's exclusion (api.h).
 *
 * Invariants, at every transaction boundary:
 *  - an inode item has one entry in the meta index and, if it is a regular
 *    file, one in the data index, under the stamps it carries
 *  - ctime has never been later than it is
 *  - nlink is 0 exactly when there is an orphan item
 *  - online and offline blocks are the sums over the written and the offline
 *    extents
 *
 * A crash leaves the attributes of some transaction before, all of the same.
 * Times of access that were not stored with something else are lost.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/mount_types.h"

#define NSEC_PER_S 1000000000U

int sfs_inode_read(struct sfs_fs *fs, struct sfs_lockset *locks, u64 ino,
		   struct sfs_inode *ret_si)
{
	struct sfs_key key = sfs_inode_key(ino);
	struct sfs_inode_item it;
	const char *why;
	int ret;

	SFS_ASSERT(sfs_locks_cover(locks, ino, SFS_LOCK_READ));
	ret = sfs_item_get(fs, &key, &it, sizeof(it));
	if (ret == -ERANGE)
		return sfs_item_bad(fs, &key, "inode: value is too long");
	if (ret < 0)
		return ret;
	why = sfs_inode_decode(&key, &it, ret, ret_si);
	ret_si->locks = locks;
	return why ? sfs_item_bad(fs, &key, why) : 0;
}

void sfs_need_inode(struct sfs_need *need)
{
	need->items += 5;	/* the item, two entries out, two in */
	need->val_bytes += sizeof(struct sfs_inode_item);
}

void sfs_inode_put(struct sfs_fs *fs, struct sfs_hold *hold,
		   const struct sfs_inode *si)
{
	struct sfs_key key = sfs_inode_key(si->ino);
	struct sfs_inode_item it;
	u32 len = sfs_inode_encode(si, &it);

	sfs_item_put(fs, hold, &key, &it, len);
}

void sfs_inode_store(struct sfs_fs *fs, struct sfs_hold *hold,
		     struct sfs_inode *si)
{
	sfs_index_meta(fs, hold, si);
	sfs_atime_merge(fs, si->ino, &si->atime, true);
	sfs_inode_put(fs, hold, si);
}

void sfs_inode_store_new(struct sfs_fs *fs, struct sfs_hold *hold,
			 struct sfs_inode *si)
{
	struct sfs_key key;

	si->meta_seq = hold->stamp;
	key = sfs_index_key(SFS_INDEX_META_SEQ, si->meta_seq, si->ino);
	sfs_item_put(fs, hold, &key, NULL, 0);
	if (S_ISREG(si->mode)) {
		si->data_seq = hold->stamp;
		key = sfs_index_key(SFS_INDEX_DATA_SEQ, si->data_seq, si->ino);
		sfs_item_put(fs, hold, &key, NULL, 0);
	}
	sfs_inode_put(fs, hold, si);
}

void sfs_inode_erase(struct sfs_fs *fs, struct sfs_hold *hold,
		     const struct sfs_inode *si)
{
	struct sfs_key key = sfs_inode_key(si->ino);

	sfs_index_erase(fs, hold, si);
	sfs_item_del(fs, hold, &key);
}

/* ---- times -------------------------------------------------------------- */

struct sfs_time sfs_now(struct sfs_fs *fs)
{
	struct sfs_time now = {};

	sfs_port_wall_time(fs->host, &now.sec, &now.nsec);
	return now;
}

int sfs_time_cmp(const struct sfs_time *a, const struct sfs_time *b)
{
	if (a->sec != b->sec)
		return a->sec < b->sec ? -1 : 1;
	if (a->nsec != b->nsec)
		return a->nsec < b->nsec ? -1 : 1;
	return 0;
}

void sfs_inode_changed(struct sfs_inode *si, const struct sfs_time *now)
{
	if (sfs_time_cmp(now, &si->ctime) > 0)
		si->ctime = *now;
}

void sfs_inode_modified(struct sfs_inode *si, const struct sfs_time *now)
{
	si->mtime = *now;
	sfs_inode_changed(si, now);
}

/* ---- getattr ------------------------------------------------------------ */

void sfs_inode_to_attr(struct sfs_fs *fs, const struct sfs_inode *si,
		       struct sfs_attr *attr)
{
	*attr = (struct sfs_attr) {
		.ino = si->ino,
		.size = si->size,
		.blocks = (si->online_blocks + si->offline_blocks) * 8,
		.meta_seq = si->meta_seq,
		.data_seq = si->data_seq,
		.data_version = si->data_version,
		.online_blocks = si->online_blocks,
		.offline_blocks = si->offline_blocks,
		.project = si->project,
		.atime = si->atime,
		.mtime = si->mtime,
		.ctime = si->ctime,
		.crtime = si->crtime,
		.mode = si->mode,
		.nlink = si->nlink,
		.uid = si->uid,
		.gid = si->gid,
		.rdev = si->rdev,
		.flags = si->flags & SFS_INODE_TRUNCATING ? SFS_ATTR_SHRINKING :
							    0,
	};
	sfs_atime_merge(fs, si->ino, &attr->atime, false);
}

int sfs_getattr(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr)
{
	struct sfs_lockset locks;
	struct sfs_inode si;
	int ret;

	sfs_count(fs->cnt, op_getattr);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = sfs_inode_read(fs, &locks, ino, &si);
	if (ret == 0)
		sfs_inode_to_attr(fs, &si, ret_attr);
	sfs_locks_end(fs, &locks);
	return ret;
}

int sfs_access(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
	       __u32 mask)
{
	struct sfs_lockset locks;
	struct sfs_inode si;
	int ret;

	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = sfs_inode_read(fs, &locks, ino, &si);
	if (ret == 0)
		ret = sfs_perm_evaluate(&si, cred, mask & 7);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- setattr ------------------------------------------------------------ */

struct setattr {
	const struct sfs_cred *cred;
	const struct sfs_setattr *set;
	struct sfs_inode si;
	struct sfs_trunc tc;
	struct sfs_xattr_ref caps;	/* security.capability, going */
	struct sfs_ivol *vol;
	struct sfs_time now;
};

#define SET_SIMPLE (SFS_SET_MODE | SFS_SET_UID | SFS_SET_GID | SFS_SET_SIZE | \
		    SFS_SET_ATIME | SFS_SET_MTIME | SFS_SET_CTIME | \
		    SFS_SET_ATIME_NOW | SFS_SET_MTIME_NOW)

static u32 setattr_mode(const struct setattr *op)
{
	const struct sfs_setattr *set = op->set;
	const struct sfs_cred *cred = op->cred;
	const struct sfs_inode *si = &op->si;
	u32 gid = set->mask & SFS_SET_GID ? set->gid : si->gid;
	u32 mode = si->mode;

	if (set->mask & SFS_SET_MODE) {
		mode = (si->mode & S_IFMT) | (set->mode & 07777);
		if (!sfs_cred_in_group(cred, gid) &&
		    !(cred->caps & SFS_CAP_FSETID))
			mode &= ~S_ISGID;
		return mode;
	}
	if (set->mask & (SFS_SET_UID | SFS_SET_GID))
		mode = sfs_perm_drop_ids(si, cred, mode);
	if ((set->mask & (SFS_SET_SIZE | SFS_SET_KILL_PRIV)) &&
	    S_ISREG(mode) && !(cred->caps & SFS_CAP_FSETID))
		mode = sfs_perm_drop_ids(si, cred, mode);
	return mode;
}

static bool setattr_times_ok(const struct sfs_setattr *set)
{
	return (!(set->mask & SFS_SET_ATIME) || set->atime.nsec < NSEC_PER_S) &&
	       (!(set->mask & SFS_SET_MTIME) || set->mtime.nsec < NSEC_PER_S) &&
	       (!(set->mask & SFS_SET_CTIME) || set->ctime.nsec < NSEC_PER_S);
}

/* Everything that may fail or sleep. */
static int setattr_prepare(struct sfs_fs *fs, struct setattr *op)
{
	const struct sfs_setattr *set = op->set;
	int ret;

	if (!setattr_times_ok(set))
		return -EINVAL;
	ret = sfs_perm_setattr(&op->si, op->cred, set);
	if (ret < 0)
		return ret;
	if (S_ISREG(op->si.mode) &&
	    (set->mask & (SFS_SET_UID | SFS_SET_GID | SFS_SET_SIZE |
			  SFS_SET_KILL_PRIV))) {
		ret = sfs_xattr_find(fs, op->si.ino, "security.capability",
				     &op->caps);
		if (ret < 0 && ret != -ENODATA)
			return ret;
	}
	if (!(set->mask & SFS_SET_SIZE))
		return 0;
	ret = sfs_ivol_get(fs, op->si.ino, &op->vol);
	if (ret < 0)
		return ret;
	return sfs_trunc_prepare(fs, &op->si, set->size, &op->tc);
}

static void setattr_apply(struct sfs_fs *fs, struct sfs_hold *hold,
			  struct setattr *op)
{
	const struct sfs_setattr *set = op->set;
	struct sfs_inode *si = &op->si;

	si->mode = setattr_mode(op);
	if (set->mask & SFS_SET_UID)
		si->uid = set->uid;
	if (set->mask & SFS_SET_GID)
		si->gid = set->gid;
	sfs_inode_changed(si, &op->now);
	if (set->mask & SFS_SET_SIZE) {
		sfs_inode_modified(si, &op->now);
		if (set->size < si->size)
			sfs_data_shrunk(fs, hold, op->vol);
		sfs_trunc_apply(fs, hold, si, &op->tc);
		if (op->tc.changes)
			sfs_data_changed(fs, hold, si, op->vol);
	}
	/* a time of access in memory is older than one that is set */
	if (set->mask & (SFS_SET_ATIME | SFS_SET_ATIME_NOW))
		sfs_atime_merge(fs, si->ino, &si->atime, true);
	if (set->mask & SFS_SET_ATIME_NOW)
		si->atime = op->now;
	if (set->mask & SFS_SET_MTIME_NOW)
		si->mtime = op->now;
	if (set->mask & SFS_SET_ATIME)
		si->atime = set->atime;
	if (set->mask & SFS_SET_MTIME)
		si->mtime = set->mtime;
	if (set->mask & SFS_SET_CTIME)
		sfs_inode_changed(si, &set->ctime);
	if (op->caps.nr_parts)
		sfs_xattr_erase(fs, hold, si->ino, &op->caps);
	sfs_inode_store(fs, hold, si);
}

static int setattr_change(struct sfs_fs *fs, struct setattr *op)
{
	enum sfs_space_class class = SFS_SPACE_USER;
	struct sfs_need need = op->tc.need;
	struct sfs_hold hold;
	int ret;

	if ((op->set->mask & SFS_SET_SIZE) && op->set->size <= op->si.size)
		class = SFS_SPACE_DELETE;
	sfs_need_inode(&need);
	need.items += op->caps.nr_parts;
	op->now = sfs_now(fs);
	ret = sfs_hold_begin(fs, op->si.locks, &hold, class, &need);
	if (ret < 0)
		return ret;
	setattr_apply(fs, &hold, op);
	sfs_hold_end(fs, &hold);
	return 0;
}

static bool setattr_is_noop(const struct setattr *op)
{
	return !(op->set->mask & SET_SIMPLE) && !op->caps.nr_parts &&
	       setattr_mode(op) == op->si.mode;
}

static int setattr(struct sfs_fs *fs, struct sfs_lockset *locks,
		   const struct sfs_cred *cred, u64 ino,
		   const struct sfs_setattr *set, struct sfs_attr *ret_attr)
{
	struct setattr op = { .cred = cred, .set = set };
	int ret;

	ret = sfs_inode_read(fs, locks, ino, &op.si);
	if (ret < 0)
		return ret;
	ret = setattr_prepare(fs, &op);
	if (ret == 0 && !setattr_is_noop(&op))
		ret = setattr_change(fs, &op);
	sfs_trunc_exit(&op.tc);
	if (op.vol)
		sfs_ivol_put(fs, op.vol);
	if (ret < 0)
		return ret;
	/* the new size is there already; what is left is invisible */
	if ((op.si.flags & SFS_INODE_TRUNCATING) &&
	    sfs_trunc_finish(fs, &op.si) < 0)
		sfs_work_add(fs, ino);
	sfs_inode_to_attr(fs, &op.si, ret_attr);
	return 0;
}

int sfs_setattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		const struct sfs_setattr *set, struct sfs_attr *ret_attr)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_setattr);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_WRITE);
	if (ret < 0)
		return ret;
	ret = setattr(fs, &locks, cred, ino, set, ret_attr);
	sfs_locks_end(fs, &locks);
	return ret;
}

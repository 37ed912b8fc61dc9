/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a mount knows of inodes and does not store: which are in use, times of
 * access, and whether anybody has seen the current data_version.
 *
 * In use.  A host says open and close, keep and unkeep; an inode whose last
 * name is gone is deleted when nobody has it.  Deleting, and finishing a truncation, is
 * the worker's (delete.c): it claims an inode that nobody has.  So does an
 * unlink that takes the inode along with its last name.  An open waits for a
 * claim that truncates or unlinks, either may leave the inode there, and answers
 * ENOENT to one that deletes.  Who has a claim excludes others from the inode,
 * and nothing that it waits for waits for an open.
 *
 * Observed versions (engine.md, invariant 24).  Overwriting contents in place
 * would leave new bytes under an old data_version if the change of the version
 * were lost in a crash.  So before the first such overwrite after somebody saw
 * the version, the version steps and that step is made durable.  From then on,
 * until the next look, the durable version is one that nobody has seen, and
 * overwriting waits for nothing ("fresh").  Bytes behind the size do not count,
 * but while the transaction that made the file shorter is not durable they are
 * still contents after a crash: overwriting waits for that one, too.  A look is
 * sfs_stat_more(), not sfs_getattr(): hosts show a version to programs by the
 * former alone.  It first makes the contents durable that the version stands
 * for: a version that was seen never comes back with other contents.  An inode
 * this table does not know counts as seen, so entries may be forgotten at any
 * time.
 *
 * Times of access follow relatime: a read moves atime when it is not later than
 * mtime and ctime, or a day old.  It is stored when the inode is stored for
 * another reason, and lost with the table.
 *
 * Locks: vol_lock, a spinlock below everything.  Objects without users that
 * still carry something are kept on a list and the oldest go beyond
 * SFS_IVOL_IDLE_MAX.
 *
 * Freeing: an object is freed under vol_lock when it has no users and is off
 * the hash; others find it only through the hash, under vol_lock, and count
 * themselves as users there.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "base/killable.h"
#include "base/report.h"
#include "mount/mount_types.h"

#define ATIME_MAX_AGE_S (24 * 60 * 60)

static struct list_head *vol_bucket(struct sfs_inodes *in, u64 ino)
{
	return &in->vol_hash[(ino ^ (ino >> 10)) % SFS_IVOL_BUCKETS];
}

static struct sfs_ivol *vol_find(struct sfs_inodes *in, u64 ino)
{
	struct sfs_ivol *vol;

	lockdep_assert_held(&in->vol_lock);
	list_for_each_entry(vol, vol_bucket(in, ino), hash) {
		if (vol->ino == ino)
			return vol;
	}
	return NULL;
}

static void vol_use(struct sfs_inodes *in, struct sfs_ivol *vol)
{
	if (!vol->users++ && !list_empty(&vol->lru)) {
		list_del_init(&vol->lru);
		in->vol_nr_idle--;
	}
}

static void vol_unhash(struct sfs_inodes *in, struct sfs_ivol *vol)
{
	if (!list_empty(&vol->lru)) {
		list_del_init(&vol->lru);
		in->vol_nr_idle--;
	}
	list_del(&vol->hash);
}

int sfs_ivol_get(struct sfs_fs *fs, u64 ino, struct sfs_ivol **ret_vol)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ivol *new;
	struct sfs_ivol *vol;

	spin_lock(&in->vol_lock);
	vol = vol_find(in, ino);
	if (vol)
		vol_use(in, vol);
	spin_unlock(&in->vol_lock);
	if (vol) {
		*ret_vol = vol;
		return 0;
	}

	new = kzalloc(sizeof(*new), GFP_NOFS);
	if (!new)
		return -ENOMEM;
	new->ino = ino;
	INIT_LIST_HEAD(&new->lru);

	spin_lock(&in->vol_lock);
	vol = vol_find(in, ino);
	if (!vol) {
		list_add(&new->hash, vol_bucket(in, ino));
		vol = new;
		new = NULL;
	}
	vol_use(in, vol);
	spin_unlock(&in->vol_lock);
	kfree(new);
	*ret_vol = vol;
	return 0;
}

/* Returns an object to free, or NULL. */
static struct sfs_ivol *vol_unuse(struct sfs_inodes *in, struct sfs_ivol *vol)
{
	lockdep_assert_held(&in->vol_lock);
	SFS_ASSERT_CMP(vol->users, >, 0);
	if (--vol->users)
		return NULL;
	if (vol->fresh || vol->has_atime || vol->shrink_txn || vol->data_txn) {
		list_add_tail(&vol->lru, &in->vol_lru);
		if (++in->vol_nr_idle <= SFS_IVOL_IDLE_MAX)
			return NULL;
		vol = list_first_entry(&in->vol_lru, struct sfs_ivol, lru);
	}
	in->vol_shrink_txn = max(in->vol_shrink_txn, vol->shrink_txn);
	in->vol_data_txn = max(in->vol_data_txn, vol->data_txn);
	vol_unhash(in, vol);
	return vol;
}

void sfs_ivol_put(struct sfs_fs *fs, struct sfs_ivol *vol)
{
	struct sfs_inodes *in = fs->inodes;

	spin_lock(&in->vol_lock);
	vol = vol_unuse(in, vol);
	spin_unlock(&in->vol_lock);
	kfree(vol);
}

bool sfs_ivol_claim(struct sfs_fs *fs, struct sfs_ivol *vol,
		    enum sfs_busy busy, u32 opens)
{
	struct sfs_inodes *in = fs->inodes;
	bool ok;

	spin_lock(&in->vol_lock);
	ok = vol->opens + vol->keeps == opens && vol->busy == SFS_BUSY_NO;
	if (ok)
		WRITE_ONCE(vol->busy, busy);
	else
		vol->again = 1;
	spin_unlock(&in->vol_lock);
	return ok;
}

void sfs_ivol_unclaim(struct sfs_fs *fs, struct sfs_ivol *vol, bool gone)
{
	struct sfs_inodes *in = fs->inodes;

	spin_lock(&in->vol_lock);
	if (gone) {
		/* keep nothing of an inode that is gone */
		vol->fresh = 0;
		vol->has_atime = 0;
		vol->shrink_txn = 0;
		vol->data_txn = 0;
	}
	WRITE_ONCE(vol->busy, SFS_BUSY_NO);
	spin_unlock(&in->vol_lock);
	wake_up_all(&in->vol_wait);
}

void sfs_ivol_orphaned(struct sfs_fs *fs, u64 ino)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ivol *vol;
	bool in_use;

	spin_lock(&in->vol_lock);
	vol = vol_find(in, ino);
	in_use = vol && vol->opens + vol->keeps;
	if (in_use)
		vol->again = 1;
	spin_unlock(&in->vol_lock);
	if (!in_use)
		sfs_work_add(fs, ino);
}

/* ---- open and close ------------------------------------------------------ */

/* Nobody knows yet what the inode is going to be. */
static bool undecided(const struct sfs_ivol *vol)
{
	u8 busy = READ_ONCE(vol->busy);

	return busy == SFS_BUSY_TRUNCATING || busy == SFS_BUSY_UNLINKING;
}

/* Opens and keeps are counted alike: @count is one of the two. */
static int open_begin(struct sfs_fs *fs, struct sfs_ivol *vol, u32 *count)
{
	struct sfs_inodes *in = fs->inodes;
	int ret;

	for (;;) {
		spin_lock(&in->vol_lock);
		if (!undecided(vol))
			break;
		spin_unlock(&in->vol_lock);
		/* without the lock, which is taken to look again */
		ret = sfs_wait_killable(fs->host, in->vol_wait,
					!undecided(vol));
		if (ret < 0)
			return ret;
	}
	if (vol->busy == SFS_BUSY_DELETING) {
		spin_unlock(&in->vol_lock);
		return -ENOENT;
	}
	++*count;
	spin_unlock(&in->vol_lock);
	return 0;
}

/* Does anybody but the caller have it, at this moment? */
static bool others_have_it(struct sfs_fs *fs, struct sfs_ivol *vol)
{
	struct sfs_inodes *in = fs->inodes;
	bool ret;

	spin_lock(&in->vol_lock);
	ret = vol->opens + vol->keeps > 1;
	spin_unlock(&in->vol_lock);
	return ret;
}

/* Ends one pointer to @vol and what it was counted in. */
static void open_end(struct sfs_fs *fs, struct sfs_ivol *vol, u32 *count)
{
	struct sfs_inodes *in = fs->inodes;
	u64 ino = vol->ino;
	bool again;

	spin_lock(&in->vol_lock);
	SFS_ASSERT_CMP(*count, >, 0);
	--*count;
	again = !vol->opens && !vol->keeps && vol->again;
	if (again)
		vol->again = 0;
	vol = vol_unuse(in, vol);
	spin_unlock(&in->vol_lock);
	kfree(vol);
	if (again)
		sfs_work_add(fs, ino);
}

static int inode_open(struct sfs_fs *fs, u64 ino, bool keep,
		      struct sfs_attr *ret_attr)
{
	struct sfs_lockset locks;
	struct sfs_inode si;
	struct sfs_ivol *vol;
	u32 *count;
	int ret;

	ret = sfs_ivol_get(fs, ino, &vol);
	if (ret < 0)
		return ret;
	count = keep ? &vol->keeps : &vol->opens;
	ret = open_begin(fs, vol, count);
	if (ret < 0) {
		sfs_ivol_put(fs, vol);
		return ret;
	}
	/* only now: the worker decides by the count, so it is up first */
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0) {
		open_end(fs, vol, count);
		return ret;
	}
	ret = sfs_inode_read(fs, &locks, ino, &si);
	/*
	 * The last name may have gone since we counted ourselves; who took it
	 * away then has the inode open, or had, and is asked now, not before.
	 */
	if (ret == 0 && !si.nlink && !others_have_it(fs, vol))
		ret = -ENOENT;
	if (ret == 0 && !keep)
		ret = sfs_locks_opened(fs, &locks, ino);
	if (ret == 0 && ret_attr)
		sfs_inode_to_attr(fs, &si, ret_attr);
	sfs_locks_end(fs, &locks);
	if (ret < 0)
		open_end(fs, vol, count);
	return ret;
}

int sfs_inode_open(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr)
{
	return inode_open(fs, ino, false, ret_attr);
}

int sfs_inode_keep(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr)
{
	return inode_open(fs, ino, true, ret_attr);
}

static void inode_close(struct sfs_fs *fs, u64 ino, bool keep)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ivol *vol;

	/* the open keeps it in the table */
	spin_lock(&in->vol_lock);
	vol = vol_find(in, ino);
	spin_unlock(&in->vol_lock);
	SFS_ASSERT(vol);
	if (vol)
		open_end(fs, vol, keep ? &vol->keeps : &vol->opens);
	if (!keep)
		sfs_locks_closed(fs, ino);
}

void sfs_inode_close(struct sfs_fs *fs, __u64 ino)
{
	inode_close(fs, ino, false);
}

void sfs_inode_unkeep(struct sfs_fs *fs, __u64 ino)
{
	inode_close(fs, ino, true);
}

/* ---- versions ------------------------------------------------------------ */

/* Others may have seen the version since the lock was here for writing. */
static void vol_renew(struct sfs_ivol *vol, u64 tenure)
{
	if (vol->tenure == tenure)
		return;
	vol->tenure = tenure;
	vol->fresh = 0;
	vol->bumped = 0;
}

static void version_step(struct sfs_fs *fs, struct sfs_hold *hold,
			 struct sfs_inode *si, struct sfs_ivol *vol,
			 bool ahead)
{
	u64 tenure = sfs_locks_tenure(si->locks, si->ino);
	struct sfs_inodes *in = fs->inodes;

	sfs_index_data(fs, hold, si);
	spin_lock(&in->vol_lock);
	vol_renew(vol, tenure);
	if (ahead || !vol->bumped)
		si->data_version++;
	vol->bumped = ahead;
	vol->data_txn = hold->txn_nr;
	if (!vol->fresh) {
		vol->fresh = 1;
		vol->version_txn = hold->txn_nr;
	}
	spin_unlock(&in->vol_lock);
}

void sfs_data_changed(struct sfs_fs *fs, struct sfs_hold *hold,
		      struct sfs_inode *si, struct sfs_ivol *vol)
{
	version_step(fs, hold, si, vol, false);
}

void sfs_data_shrunk(struct sfs_fs *fs, struct sfs_hold *hold,
		     struct sfs_ivol *vol)
{
	struct sfs_inodes *in = fs->inodes;

	spin_lock(&in->vol_lock);
	vol->shrink_txn = hold->txn_nr;
	spin_unlock(&in->vol_lock);
}

static int version_ahead(struct sfs_fs *fs, struct sfs_inode *si,
			 struct sfs_ivol *vol, u64 *ret_txn)
{
	struct sfs_need need = {};
	struct sfs_hold hold;
	int ret;

	sfs_need_inode(&need);
	ret = sfs_hold_begin(fs, si->locks, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	version_step(fs, &hold, si, vol, true);
	sfs_inode_store(fs, &hold, si);
	*ret_txn = hold.txn_nr;
	sfs_hold_end(fs, &hold);
	return 0;
}

int sfs_data_overwrites(struct sfs_fs *fs, struct sfs_inode *si, bool keeps)
{
	u64 tenure = sfs_locks_tenure(si->locks, si->ino);
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ivol *vol;
	u64 shrink_txn;
	u64 txn;
	bool fresh;
	int ret;

	ret = sfs_ivol_get(fs, si->ino, &vol);
	if (ret < 0)
		return ret;
	spin_lock(&in->vol_lock);
	vol_renew(vol, tenure);
	fresh = vol->fresh;
	txn = vol->version_txn;
	shrink_txn = max(vol->shrink_txn, in->vol_shrink_txn);
	spin_unlock(&in->vol_lock);
	if (keeps)
		txn = 0;
	else if (!fresh)
		ret = version_ahead(fs, si, vol, &txn);
	txn = max(txn, shrink_txn);
	if (ret == 0 && txn)
		ret = sfs_txn_wait(fs, txn);
	sfs_ivol_put(fs, vol);
	return ret;
}

/* The transaction that has the latest change of contents, 0: a durable one. */
static u64 data_txn(struct sfs_fs *fs, u64 ino)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ivol *vol;
	u64 txn;

	spin_lock(&in->vol_lock);
	vol = vol_find(in, ino);
	txn = vol && vol->data_txn ? vol->data_txn : in->vol_data_txn;
	spin_unlock(&in->vol_lock);
	return txn;
}

int sfs_stat_more(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr)
{
	struct sfs_inodes *in = fs->inodes;
	u64 txn = data_txn(fs, ino);
	struct sfs_lockset locks;
	struct sfs_ivol *vol;
	int ret;

	ret = txn ? sfs_txn_wait(fs, txn) : 0;
	if (ret == 0)
		ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	spin_lock(&in->vol_lock);
	vol = vol_find(in, ino);
	if (vol) {
		vol->fresh = 0;
		vol->bumped = 0;
	}
	spin_unlock(&in->vol_lock);
	ret = sfs_getattr(fs, ino, ret_attr);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- times of access ------------------------------------------------------ */

void sfs_atime_merge(struct sfs_fs *fs, u64 ino, struct sfs_time *atime,
		     bool take)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_ivol *vol;

	spin_lock(&in->vol_lock);
	vol = vol_find(in, ino);
	if (vol && vol->has_atime) {
		if (sfs_time_cmp(&vol->atime, atime) > 0)
			*atime = vol->atime;
		if (take)
			vol->has_atime = 0;
	}
	spin_unlock(&in->vol_lock);
}

void sfs_touch_atime(struct sfs_fs *fs, __u64 ino)
{
	struct sfs_inodes *in = fs->inodes;
	struct sfs_time now = sfs_now(fs);
	struct sfs_lockset locks;
	struct sfs_time atime;
	struct sfs_ivol *vol;
	struct sfs_inode si;
	int ret;

	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return;
	ret = sfs_inode_read(fs, &locks, ino, &si);
	sfs_locks_end(fs, &locks);
	if (ret < 0)
		return;
	atime = si.atime;
	sfs_atime_merge(fs, ino, &atime, false);
	if (sfs_time_cmp(&atime, &si.mtime) > 0 &&
	    sfs_time_cmp(&atime, &si.ctime) > 0 &&
	    now.sec - atime.sec < ATIME_MAX_AGE_S)
		return;
	if (sfs_ivol_get(fs, ino, &vol) < 0)
		return;
	spin_lock(&in->vol_lock);
	vol->atime = now;
	vol->has_atime = 1;
	spin_unlock(&in->vol_lock);
	sfs_ivol_put(fs, vol);
}

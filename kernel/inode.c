/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inodes of the VFS, which are copies of what the core has.
 *
 * The core counts an inode as in use for as long as the VFS has it cached, so
 * one whose last name goes is deleted when the VFS has evicted it, and never
 * under it.  Only an unlink that is alone with an inode gives it up before
 * (dir.c), and from then to the eviction nobody gets it.
 *
 * Attributes are taken over when the inode comes into the cache and with the
 * answers of operations that return them.  Otherwise the copy is marked as
 * stale, and whoever wants to know reads again (sfs_ki_refresh()).  mode, owner
 * and links are always the core's.  Size and time of modification of a regular
 * file are the VFS inode's own while there are pages to be written: see aops.c.
 *
 * Locks: ki->lock is held from reading the core's attributes to having taken
 * them, so that an older answer is not taken after a newer one.  Operations
 * that return attributes are ordered among themselves by i_rwsem.
 *
 * Inodes are freed after an RCU grace period, because a walk that holds nothing
 * looks at mode, owner, gen and the target of a symlink.
 */
#include <linux/errno.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/writeback.h>

#include "counters.h"
#include "fs.h"
#include "trace.h"

/* Inode numbers are used as they are to find inodes in the VFS's table. */
static_assert(sizeof(unsigned long) == sizeof(u64));

static struct kmem_cache *ki_cache;

static void ki_init_once(void *obj)
{
	struct sfs_ki *ki = obj;

	inode_init_once(&ki->vfs);
	mutex_init(&ki->lock);
	mutex_init(&ki->flock_mutex);
}

int sfs_inode_cache_init(void)
{
	ki_cache = kmem_cache_create("scoutfs_inode", sizeof(struct sfs_ki), 0,
				     SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
				     ki_init_once);
	return ki_cache ? 0 : -ENOMEM;
}

void sfs_inode_cache_exit(void)
{
	/* inodes that wait for their grace period */
	rcu_barrier();
	kmem_cache_destroy(ki_cache);
}

struct inode *sfs_alloc_inode(struct super_block *sb)
{
	struct sfs_ki *ki = alloc_inode_sb(sb, ki_cache, GFP_KERNEL);

	if (!ki)
		return NULL;
	ki->flags = 0;
	/* one superblock is alone with its volume: what it knows stays true */
	ki->gen = 1;
	memset(&ki->crtime, 0, sizeof(ki->crtime));
	/* not once a slab object: what watches work items forgets freed ones */
	sfs_aops_init_inode(ki);
	return &ki->vfs;
}

void sfs_free_inode(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(ki_cache, SFS_KI(inode));
}

void sfs_evict_inode(struct inode *inode)
{
	sfs_vfs_count(inode->i_sb, evict);
	trace_sfs_evict(inode, 0);
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (test_and_clear_bit(SFS_KI_OPENED, &SFS_KI(inode)->flags))
		sfs_inode_close(SFS_FS(inode), inode->i_ino);
}

/* ---- attributes ---------------------------------------------------------- */

static struct timespec64 to_ts(const struct sfs_time *t)
{
	return (struct timespec64) { .tv_sec = t->sec, .tv_nsec = t->nsec };
}

static struct sfs_time from_ts(const struct timespec64 *ts)
{
	return (struct sfs_time) { .sec = ts->tv_sec, .nsec = ts->tv_nsec };
}

static bool later(struct timespec64 a, struct timespec64 b)
{
	return timespec64_compare(&a, &b) > 0;
}

static void take_locked(struct inode *inode, const struct sfs_attr *attr,
			bool all)
{
	struct timespec64 atime = to_ts(&attr->atime);
	struct timespec64 ctime = to_ts(&attr->ctime);

	lockdep_assert_held(&SFS_KI(inode)->lock);
	if (!S_ISREG(inode->i_mode))
		all = true;
	inode->i_mode = attr->mode;
	i_uid_write(inode, attr->uid);
	i_gid_write(inode, attr->gid);
	if (inode->i_nlink != attr->nlink)
		set_nlink(inode, attr->nlink);
	inode->i_blocks = attr->blocks;
	if (all || later(atime, inode_get_atime(inode)))
		inode_set_atime_to_ts(inode, atime);
	if (all || later(ctime, inode_get_ctime(inode)))
		inode_set_ctime_to_ts(inode, ctime);
	if (all) {
		inode_set_mtime_to_ts(inode, to_ts(&attr->mtime));
		i_size_write(inode, attr->size);
	}
	/* blocks go by themselves: whoever looks next sees how far it is */
	if (attr->flags & SFS_ATTR_SHRINKING)
		sfs_ki_stale_stat(inode);
}

void sfs_ki_take(struct inode *inode, const struct sfs_attr *attr, bool all)
{
	struct sfs_ki *ki = SFS_KI(inode);

	mutex_lock(&ki->lock);
	if ((inode->i_mode ^ attr->mode) & S_IFMT)
		WARN_ON_ONCE(1);
	else
		take_locked(inode, attr, all);
	mutex_unlock(&ki->lock);
}

void sfs_ki_take_set(struct inode *inode, const struct sfs_setattr *set,
		     const struct sfs_attr *attr)
{
	sfs_ki_take(inode, attr, false);
	if (set->mask & (SFS_SET_ATIME | SFS_SET_ATIME_NOW))
		inode_set_atime_to_ts(inode, to_ts(&attr->atime));
	if (set->mask & (SFS_SET_MTIME | SFS_SET_MTIME_NOW | SFS_SET_SIZE))
		inode_set_mtime_to_ts(inode, to_ts(&attr->mtime));
}

int sfs_ki_refresh(struct inode *inode)
{
	struct sfs_ki *ki = SFS_KI(inode);
	struct sfs_attr attr;
	int ret = 0;

	if (likely(!(READ_ONCE(ki->flags) &
		     (BIT(SFS_KI_STALE) | BIT(SFS_KI_STALE_STAT)))))
		return 0;
	if (mutex_lock_killable(&ki->lock))
		return -EINTR;
	/* before reading: what changes from here on sets them again */
	clear_bit(SFS_KI_STALE, &ki->flags);
	clear_bit(SFS_KI_STALE_STAT, &ki->flags);
	smp_mb__after_atomic();
	ret = sfs_getattr(SFS_FS(inode), inode->i_ino, &attr);
	if (ret == 0 && ((inode->i_mode ^ attr.mode) & S_IFMT))
		ret = -EIO;
	if (ret == 0)
		take_locked(inode, &attr, false);
	else
		sfs_ki_stale(inode);
	mutex_unlock(&ki->lock);
	sfs_vfs_count(inode->i_sb, refresh);
	trace_sfs_refresh(inode, ret);
	return ret;
}

/* ---- getting inodes ------------------------------------------------------ */

static int set_type(struct inode *inode, const struct sfs_attr *attr)
{
	switch (attr->mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &sfs_file_iops;
		inode->i_fop = &sfs_file_fops;
		inode->i_mapping->a_ops = &sfs_aops;
		break;
	case S_IFDIR:
		inode->i_op = &sfs_dir_iops;
		inode->i_fop = &sfs_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &sfs_symlink_iops;
		break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		init_special_inode(inode, attr->mode,
				   new_decode_dev(attr->rdev));
		inode->i_op = &sfs_special_iops;
		break;
	default:
		sfs_port_log(&SFS_SB(inode->i_sb)->vol->host, SFS_LOG_ERR,
			     "inode %llu has mode %o, which is no type of file; run fsck.scoutfs",
			     attr->ino, attr->mode);
		return -EIO;
	}
	return 0;
}

static int fill_new(struct inode *inode)
{
	struct sfs_ki *ki = SFS_KI(inode);
	struct sfs_attr attr;
	int ret;

	ret = sfs_inode_open(SFS_FS(inode), inode->i_ino, &attr);
	if (ret < 0)
		return ret;
	set_bit(SFS_KI_OPENED, &ki->flags);
	ret = set_type(inode, &attr);
	if (ret < 0)
		return ret;
	ki->crtime = attr.crtime;
	inode->i_mode = attr.mode;
	sfs_ki_take(inode, &attr, true);
	return 0;
}

/*
 * An unlink found itself alone with the inode, and the caller has come after
 * that (both look under i_lock): whether the inode stays is known when the
 * unlink has let go of i_rwsem.
 */
static struct inode *wait_leaving(struct inode *inode)
{
	inode_lock_shared(inode);
	inode_unlock_shared(inode);
	if (!test_bit(SFS_KI_LEAVING, &SFS_KI(inode)->flags))
		return inode;
	iput(inode);
	return ERR_PTR(-ENOENT);
}

struct inode *sfs_iget(struct super_block *sb, u64 ino)
{
	struct inode *inode;
	int ret;

	inode = iget_locked(sb, ino);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode->i_state & I_NEW)) {
		if (unlikely(test_bit(SFS_KI_LEAVING, &SFS_KI(inode)->flags)))
			return wait_leaving(inode);
		return inode;
	}
	ret = fill_new(inode);
	sfs_vfs_count(sb, iget);
	trace_sfs_iget(inode, ret);
	if (ret < 0) {
		iget_failed(inode);
		return ERR_PTR(ret);
	}
	unlock_new_inode(inode);
	return inode;
}

struct inode *sfs_iget_attr(struct super_block *sb, const struct sfs_attr *attr)
{
	/* opening reads the attributes anyway, and later ones */
	return sfs_iget(sb, attr->ino);
}

/* ---- operations ---------------------------------------------------------- */

int sfs_getattr_vfs(struct mnt_idmap *idmap, const struct path *path,
		    struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	int ret;

	ret = sfs_ki_refresh(inode);
	if (ret < 0)
		return ret;
	sfs_fillattr(idmap, mask, inode, stat);
	stat->blocks = sfs_blocks_vfs(inode, stat->blocks);
	stat->btime = to_ts(&SFS_KI(inode)->crtime);
	stat->result_mask |= STATX_BTIME;
	return 0;
}

int sfs_permission_vfs(struct mnt_idmap *idmap, struct inode *inode, int mask)
{
	int ret;

	if (unlikely(test_bit(SFS_KI_STALE, &SFS_KI(inode)->flags))) {
		if (mask & MAY_NOT_BLOCK)
			return -ECHILD;
		ret = sfs_ki_refresh(inode);
		if (ret < 0)
			return ret;
	}
	return generic_permission(idmap, inode, mask);
}

/*
 * The time of access goes to the core, which keeps it until the inode is stored
 * for another reason.  Times of modification come with the end of writeback;
 * those of special files stay here.
 */
int sfs_update_time_vfs(struct inode *inode, SFS_UPDATE_TIME(time, flags))
{
	struct timespec64 now = SFS_UPDATE_NOW(inode, time);

	if (flags & S_ATIME) {
		inode_set_atime_to_ts(inode, now);
		sfs_touch_atime(SFS_FS(inode), inode->i_ino);
	}
	if (flags & S_MTIME)
		inode_set_mtime_to_ts(inode, now);
	if (flags & S_CTIME)
		inode_set_ctime_to_ts(inode, now);
	return 0;
}

int sfs_fsync_vfs(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int ret;

	sfs_vfs_count(inode->i_sb, fsync);
	ret = sfs_write_and_wait(file, start, end);
	if (ret == 0)
		ret = sfs_fsync(SFS_FS(inode), inode->i_ino, datasync);
	trace_sfs_fsync(inode, ret);
	return ret;
}

/* ---- setattr ------------------------------------------------------------- */

static void from_iattr(const struct iattr *attr, struct sfs_setattr *set)
{
	unsigned int valid = attr->ia_valid;

	memset(set, 0, sizeof(*set));
	if (valid & ATTR_MODE) {
		set->mask |= SFS_SET_MODE;
		set->mode = attr->ia_mode & 07777;
	}
	if (valid & ATTR_UID) {
		set->mask |= SFS_SET_UID;
		set->uid = from_kuid(&init_user_ns, attr->ia_uid);
	}
	if (valid & ATTR_GID) {
		set->mask |= SFS_SET_GID;
		set->gid = from_kgid(&init_user_ns, attr->ia_gid);
	}
	if (valid & ATTR_ATIME)
		set->mask |= valid & ATTR_ATIME_SET ? SFS_SET_ATIME :
						      SFS_SET_ATIME_NOW;
	if (valid & ATTR_MTIME)
		set->mask |= valid & ATTR_MTIME_SET ? SFS_SET_MTIME :
						      SFS_SET_MTIME_NOW;
	set->atime = from_ts(&attr->ia_atime);
	set->mtime = from_ts(&attr->ia_mtime);
	if (valid & ATTR_SIZE) {
		set->mask |= SFS_SET_SIZE;
		set->size = attr->ia_size;
		/* the core moves this time with a size; no right is asked for */
		set->mask &= ~SFS_SET_MTIME_NOW;
		if (valid & (ATTR_OPEN | ATTR_FILE))
			set->mask |= SFS_SET_OPEN_TRUNC;
	}
}

static int locked_setattr(struct inode *inode, const struct sfs_cred *cred,
			  const struct sfs_setattr *set,
			  struct sfs_attr *ret_attr)
{
	struct sfs_fs *fs = SFS_FS(inode);
	struct sfs_ilock il;
	int ret;

	if ((set->mask & SFS_SET_SIZE) && S_ISREG(inode->i_mode))
		return sfs_set_size(inode, cred, set, ret_attr);
	sfs_ilock_excl(fs, &il, inode->i_ino, 0, 0, 0);
	ret = sfs_setattr(fs, cred, inode->i_ino, set, ret_attr);
	if (ret == 0)
		sfs_ki_take_set(inode, set, ret_attr);
	sfs_iunlock(fs, &il);
	return ret;
}

int sfs_setattr_vfs(struct mnt_idmap *idmap, struct dentry *dentry,
		    struct iattr *iattr)
{
	struct inode *inode = d_inode(dentry);
	struct sfs_setattr set;
	struct sfs_caller c;
	struct sfs_attr attr;
	int ret;

	ret = sfs_ki_refresh(inode);
	if (ret == 0)
		ret = setattr_prepare(idmap, dentry, iattr);
	if (ret < 0)
		return ret;
	from_iattr(iattr, &set);
	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	/* the VFS does it on behalf of somebody, such as dropping set-id bits */
	if (iattr->ia_valid & ATTR_FORCE) {
		c.cred.caps |= SFS_CAP_FOWNER | SFS_CAP_FSETID;
		c.cred.host_checked = 1;
	}
	ret = locked_setattr(inode, &c.cred, &set, &attr);
	sfs_caller_exit(&c);
	trace_sfs_setattr(inode, iattr->ia_valid, set.size, ret);
	return ret;
}

/* ---- symlinks ------------------------------------------------------------ */

/* Targets never change, so the first reading serves all others, without us. */
static const char *get_link(struct dentry *dentry, struct inode *inode,
			    struct delayed_call *done)
{
	char *target;
	char *other;
	char *buf;
	int ret;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	buf = kmalloc(SFS_SYMLINK_MAX + 1, GFP_KERNEL);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	ret = sfs_readlink(SFS_FS(inode), inode->i_ino, buf,
			   SFS_SYMLINK_MAX + 1);
	target = ret < 0 ? ERR_PTR(ret) :
			   kmemdup_nul(buf, ret, GFP_KERNEL_ACCOUNT);
	kfree(buf);
	if (IS_ERR_OR_NULL(target))
		return target ?: ERR_PTR(-ENOMEM);
	other = cmpxchg_release(&inode->i_link, NULL, target);
	if (other) {
		kfree(target);
		target = other;
	}
	return target;
}

const struct inode_operations sfs_file_iops = {
	.getattr = sfs_getattr_vfs,
	.setattr = sfs_setattr_vfs,
	.permission = sfs_permission_vfs,
	.update_time = sfs_update_time_vfs,
	.listxattr = sfs_listxattr_vfs,
	.fiemap = sfs_fiemap,
};

const struct inode_operations sfs_special_iops = {
	.getattr = sfs_getattr_vfs,
	.setattr = sfs_setattr_vfs,
	.permission = sfs_permission_vfs,
	.update_time = sfs_update_time_vfs,
	.listxattr = sfs_listxattr_vfs,
};

const struct inode_operations sfs_symlink_iops = {
	.get_link = get_link,
	.getattr = sfs_getattr_vfs,
	.setattr = sfs_setattr_vfs,
	.permission = sfs_permission_vfs,
	.update_time = sfs_update_time_vfs,
	.listxattr = sfs_listxattr_vfs,
};

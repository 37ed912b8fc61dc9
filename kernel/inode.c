/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inodes of the VFS, which are copies of what the core has.
 *
 * The core keeps an inode for as long as the VFS has it cached, so one whose
 * last name goes in this mount is deleted when the VFS has evicted it, and never
 * under it.  Only an unlink that is alone with an inode gives it up before
 * (dir.c), and from then to the eviction nobody gets it.  Another mount may
 * delete it meanwhile, unless files are open.  An operation that finds that out
 * says ESTALE: whoever came by a path looks the names up again, and sees what a
 * local filesystem would show him.
 *
 * Attributes are taken over when the inode comes into the cache and with the
 * answers of operations that return them.  Otherwise the copy is stale: the
 * cluster lock was given up since (ki->gen), or we changed something (flags).
 * Whoever wants to know reads again (sfs_ki_refresh()).  mode, owner and links
 * are always the core's.  Size and time of modification of a regular file are
 * the VFS inode's own from when they were read under a generation until that is
 * over: pages may be waiting to be written, see aops.c.
 *
 * Open files are in use in the whole cluster.  The core is told with the first
 * one and not again until the lock goes, if no file is open by then: opening
 * and closing the same file over and over asks nobody.
 *
 * Locks: ki->lock is held from reading the core's attributes to having taken
 * them, so that an older answer is not taken after a newer one.  It is taken in
 * a use of the inode, so nothing read under it is of an old generation, and a
 * writer does not start from a size that is about to be replaced.  Operations
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
	init_rwsem(&ki->core_sem);
	spin_lock_init(&ki->open_lock);
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
	ki->gen = sfs_ki_new_gen();
	ki->attr_gen = 0;
	INIT_LIST_HEAD(&ki->group_node);
	ki->pins = 0;
	ki->files = 0;
	ki->in_use = false;
	ki->no_linger = false;
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
	/* revokes have waited for its pages until here */
	sfs_ki_unregister(SFS_KI(inode));
	clear_inode(inode);
	sfs_ki_stop_lingering(SFS_KI(inode));
	if (test_and_clear_bit(SFS_KI_KEPT, &SFS_KI(inode)->flags))
		sfs_inode_unkeep(SFS_FS(inode), inode->i_ino);
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

void sfs_ki_take(struct inode *inode, const struct sfs_attr *attr)
{
	struct sfs_ki *ki = SFS_KI(inode);

	mutex_lock(&ki->lock);
	if ((inode->i_mode ^ attr->mode) & S_IFMT)
		WARN_ON_ONCE(1);
	else
		take_locked(inode, attr, false);
	mutex_unlock(&ki->lock);
}

void sfs_ki_take_set(struct inode *inode, const struct sfs_setattr *set,
		     const struct sfs_attr *attr)
{
	sfs_ki_take(inode, attr);
	if (set->mask & (SFS_SET_ATIME | SFS_SET_ATIME_NOW))
		inode_set_atime_to_ts(inode, to_ts(&attr->atime));
	if (set->mask & (SFS_SET_MTIME | SFS_SET_MTIME_NOW | SFS_SET_SIZE))
		inode_set_mtime_to_ts(inode, to_ts(&attr->mtime));
}

static int refresh_locked(struct inode *inode)
{
	struct sfs_ki *ki = SFS_KI(inode);
	unsigned long gen = READ_ONCE(ki->gen);
	struct sfs_attr attr;
	int ret;

	/* before reading: what changes from here on sets them again */
	clear_bit(SFS_KI_STALE, &ki->flags);
	clear_bit(SFS_KI_STALE_STAT, &ki->flags);
	smp_mb__after_atomic();
	ret = sfs_getattr(SFS_FS(inode), inode->i_ino, &attr);
	if (ret == 0 && ((inode->i_mode ^ attr.mode) & S_IFMT))
		ret = -EIO;
	if (ret < 0) {
		sfs_ki_stale(inode);
		return ret;
	}
	/* of another generation than ours: nothing waits to be written */
	take_locked(inode, &attr, ki->attr_gen != gen);
	/* whoever sees that they are fresh sees them */
	smp_store_release(&ki->attr_gen, gen);
	return 0;
}

/*
 * Another mount deleted it: it goes from the cache with its last reference.  The
 * first time the VFS is told to look names up again, since there may be another
 * inode where this one was.  Who still gets here afterwards started from it, as
 * a process does whose working directory was removed.
 */
static int gone(struct inode *inode)
{
	struct dentry *alias;

	if (test_and_set_bit(SFS_KI_GONE, &SFS_KI(inode)->flags))
		return -ENOENT;
	if (inode->i_nlink)
		clear_nlink(inode);
	if (S_ISDIR(inode->i_mode)) {
		alias = d_find_any_alias(inode);
		if (alias && !IS_ROOT(alias))
			d_drop(alias);
		dput(alias);
	}
	return -ESTALE;
}

int sfs_ki_refresh_used(struct inode *inode)
{
	struct sfs_ki *ki = SFS_KI(inode);
	int ret = 0;

	if (likely(sfs_ki_is_fresh(inode)))
		return 0;
	if (mutex_lock_killable(&ki->lock))
		return -EINTR;
	/* somebody may just have done it */
	if (!sfs_ki_is_fresh(inode))
		ret = refresh_locked(inode);
	mutex_unlock(&ki->lock);
	if (ret == -ENOENT)
		ret = gone(inode);
	sfs_vfs_count(inode->i_sb, refresh);
	trace_sfs_refresh(inode, ret);
	return ret;
}

int sfs_ki_refresh(struct inode *inode)
{
	struct sfs_ki_use use;
	int ret;

	if (likely(sfs_ki_is_fresh(inode)))
		return 0;
	ret = sfs_ki_use_fresh(inode, SFS_USE_READ, &use);
	if (ret == 0)
		sfs_ki_unuse(inode, &use);
	return ret;
}

/* ---- open files ----------------------------------------------------------- */

static bool opened_again(struct sfs_ki *ki)
{
	bool in_use;

	spin_lock(&ki->open_lock);
	in_use = ki->in_use;
	if (in_use)
		ki->files++;
	spin_unlock(&ki->open_lock);
	return in_use;
}

int sfs_ki_file_opened(struct inode *inode)
{
	struct sfs_ki *ki = SFS_KI(inode);
	unsigned long gen = READ_ONCE(ki->gen);
	bool other;
	int ret;

	if (opened_again(ki))
		return 0;
	ret = sfs_inode_open(SFS_FS(inode), inode->i_ino, NULL);
	if (ret < 0)
		return ret == -ENOENT ? -ESTALE : ret;
	spin_lock(&ki->open_lock);
	other = ki->in_use;
	ki->in_use = true;
	ki->files++;
	/* whose lock goes from here on sees in_use, under this spinlock */
	if (!other)
		ki->no_linger = ki->gen != gen;
	spin_unlock(&ki->open_lock);
	if (other)
		sfs_inode_close(SFS_FS(inode), inode->i_ino);
	return 0;
}

static void end_in_use(struct sfs_ki *ki, bool file_closed, bool lock_goes)
{
	struct inode *inode = &ki->vfs;
	bool end;

	spin_lock(&ki->open_lock);
	ki->files -= file_closed;
	ki->no_linger |= lock_goes;
	end = ki->in_use && !ki->files && ki->no_linger;
	if (end)
		ki->in_use = false;
	spin_unlock(&ki->open_lock);
	if (end)
		sfs_inode_close(SFS_FS(inode), inode->i_ino);
}

void sfs_ki_file_closed(struct inode *inode)
{
	end_in_use(SFS_KI(inode), true, false);
}

void sfs_ki_stop_lingering(struct sfs_ki *ki)
{
	end_in_use(ki, false, true);
}

int sfs_open_vfs(struct inode *inode, struct file *file)
{
	return sfs_ki_file_opened(inode);
}

int sfs_release_vfs(struct inode *inode, struct file *file)
{
	sfs_ki_file_closed(inode);
	return 0;
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
	unsigned long gen;
	int ret;

	ret = sfs_ki_register(ki);
	if (ret < 0)
		return ret;
	gen = READ_ONCE(ki->gen);
	ret = sfs_inode_keep(SFS_FS(inode), inode->i_ino, &attr);
	if (ret < 0)
		return ret;
	set_bit(SFS_KI_KEPT, &ki->flags);
	ret = set_type(inode, &attr);
	if (ret < 0)
		return ret;
	ki->crtime = attr.crtime;
	inode->i_mode = attr.mode;
	mutex_lock(&ki->lock);
	take_locked(inode, &attr, true);
	ki->attr_gen = gen;
	mutex_unlock(&ki->lock);
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
	/* keeping it reads the attributes anyway, and later ones */
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

	if (unlikely(!sfs_ki_is_fresh_mode(inode))) {
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
	struct sfs_ki_excl ex;
	int ret;

	if ((set->mask & SFS_SET_SIZE) && S_ISREG(inode->i_mode))
		return sfs_set_size(inode, cred, set, ret_attr);
	ret = sfs_ki_excl_begin(&ex, inode, NULL, NULL, NULL);
	if (ret < 0)
		return ret;
	ret = sfs_setattr(SFS_FS(inode), cred, inode->i_ino, set, ret_attr);
	if (ret == 0)
		sfs_ki_take_set(inode, set, ret_attr);
	sfs_ki_excl_end(&ex);
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
	if (ret == -ENOENT)
		ret = -ESTALE;
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

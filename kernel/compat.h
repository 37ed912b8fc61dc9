/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_COMPAT_H
#define SFS_KERNEL_COMPAT_H

/*
 * What differs between the kernels that are supported, Debian 12's 6.1 and its
 * 6.12: the only place of the tree that looks at the kernel's version.  Each
 * entry names the release that made it needed.
 */

#include <linux/version.h>

#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/xattr.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "scoutfs needs Linux 6.1 or later"
#endif

/* ---- block devices, shrinkers ------------------------------------------------ */

#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/slab.h>
/* of 6.1, it needs others before it */
#include <linux/shrinker.h>

/*
 * A block device that is open for reading and writing, claimed for @holder, or
 * with a NULL @holder for reading alone and not claimed.  -EACCES: it is
 * read-only.
 *
 * 6.9: an open block device is a file; 6.10: bdev_fput().
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)

struct sfs_bdev {
	struct file *file;
};

static inline int sfs_bdev_open(struct sfs_bdev *dev, const char *path,
				void *holder)
{
	blk_mode_t mode = BLK_OPEN_READ;
	struct file *file;

	if (holder)
		mode |= BLK_OPEN_WRITE | BLK_OPEN_RESTRICT_WRITES;
	file = bdev_file_open_by_path(path, mode, holder, NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	dev->file = file;
	return 0;
}

static inline struct block_device *sfs_bdev_get(const struct sfs_bdev *dev)
{
	return file_bdev(dev->file);
}

static inline void sfs_bdev_close(struct sfs_bdev *dev)
{
	bdev_fput(dev->file);
	dev->file = NULL;
}

static inline bool sfs_bdev_is_open(const struct sfs_bdev *dev)
{
	return dev->file;
}

#else

struct sfs_bdev {
	struct block_device *bdev;
	fmode_t mode;
};

static inline int sfs_bdev_open(struct sfs_bdev *dev, const char *path,
				void *holder)
{
	fmode_t mode = FMODE_READ | (holder ? FMODE_WRITE | FMODE_EXCL : 0);
	struct block_device *bdev;

	bdev = blkdev_get_by_path(path, mode, holder);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	dev->bdev = bdev;
	dev->mode = mode;
	return 0;
}

static inline struct block_device *sfs_bdev_get(const struct sfs_bdev *dev)
{
	return dev->bdev;
}

static inline void sfs_bdev_close(struct sfs_bdev *dev)
{
	blkdev_put(dev->bdev, dev->mode);
	dev->bdev = NULL;
}

static inline bool sfs_bdev_is_open(const struct sfs_bdev *dev)
{
	return dev->bdev;
}

#endif

/* 6.7: shrinkers are allocated by the kernel and have private_data. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)

static inline struct shrinker *sfs_compat_shrinker_alloc(const char *name,
							 void *private_data)
{
	struct shrinker *shrinker = shrinker_alloc(0, "%s", name);

	if (shrinker)
		shrinker->private_data = private_data;
	return shrinker;
}

static inline void *sfs_compat_shrinker_private(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

static inline int sfs_compat_shrinker_register(struct shrinker *shrinker,
					       const char *name)
{
	shrinker_register(shrinker);
	return 0;
}

/* Waits for those that run; also of one that was not registered. */
static inline void sfs_compat_shrinker_free(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}

#else

struct sfs_compat_shrinker {
	struct shrinker shrinker;
	void *private_data;
};

static inline struct shrinker *sfs_compat_shrinker_alloc(const char *name,
							 void *private_data)
{
	struct sfs_compat_shrinker *cs = kzalloc(sizeof(*cs), GFP_KERNEL);

	if (!cs)
		return NULL;
	cs->private_data = private_data;
	return &cs->shrinker;
}

static inline void *sfs_compat_shrinker_private(struct shrinker *shrinker)
{
	return container_of(shrinker, struct sfs_compat_shrinker,
			    shrinker)->private_data;
}

static inline int sfs_compat_shrinker_register(struct shrinker *shrinker,
					       const char *name)
{
	return register_shrinker(shrinker, "%s", name);
}

static inline void sfs_compat_shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(container_of(shrinker, struct sfs_compat_shrinker, shrinker));
}

#endif

/* ---- the VFS ---------------------------------------------------------------- */

/* 6.3: operations are given the mount's mapping of ids, not a user namespace. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define mnt_idmap user_namespace
#define nop_mnt_idmap init_user_ns
#endif

/* 6.6: generic_fillattr() is told what is asked for. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define sfs_fillattr(idmap, mask, inode, stat) \
	generic_fillattr(idmap, inode, stat)
#else
#define sfs_fillattr(idmap, mask, inode, stat) \
	generic_fillattr(idmap, mask, inode, stat)
#endif

/*
 * 6.6: i_op->update_time() finds out itself what time it is; before, it is
 * given.  SFS_UPDATE_TIME() is the rest of its parameters and SFS_UPDATE_NOW()
 * the time.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define SFS_UPDATE_TIME(now, flags) struct timespec64 *now, int flags
#define SFS_UPDATE_NOW(inode, now) (*(now))
#else
#define SFS_UPDATE_TIME(now, flags) int flags
#define SFS_UPDATE_NOW(inode, now) current_time(inode)
#endif

/* 6.7: times of inodes behind functions, all three of them. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct timespec64 inode_get_atime(const struct inode *inode)
{
	return inode->i_atime;
}

static inline void inode_set_atime_to_ts(struct inode *inode,
					 struct timespec64 ts)
{
	inode->i_atime = ts;
}

static inline struct timespec64 inode_get_mtime(const struct inode *inode)
{
	return inode->i_mtime;
}

static inline void inode_set_mtime_to_ts(struct inode *inode,
					 struct timespec64 ts)
{
	inode->i_mtime = ts;
}
#endif

/* 6.7: the table of a superblock's attribute handlers is constant. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define sfs_set_xattr_handlers(sb, table) \
	((sb)->s_xattr = (const struct xattr_handler **)(table))
#else
#define sfs_set_xattr_handlers(sb, table) ((sb)->s_xattr = (table))
#endif

/* ---- file locks --------------------------------------------------------------- */

/* 6.3: a header of their own; 6.9: what leases have, too, is in a part of it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#include <linux/filelock.h>
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define sfs_fl(fl, field) ((fl)->fl_##field)
#else
#define sfs_fl(fl, field) ((fl)->c.flc_##field)
#endif

/* ---- iomap ------------------------------------------------------------------ */

#include <linux/iomap.h>
#include <linux/pagemap.h>

/* 6.3 renamed the operations on folios, 6.10 put the bio into the ioend. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define sfs_iomap_folio_ops iomap_page_ops
#define sfs_iomap_set_folio_ops(iomap, ops) ((iomap)->page_ops = (ops))
#else
#define sfs_iomap_folio_ops iomap_folio_ops
#define sfs_iomap_set_folio_ops(iomap, ops) ((iomap)->folio_ops = (ops))
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define sfs_ioend_bio(ioend) ((ioend)->io_bio)
#define sfs_bio_ioend(bio) ((struct iomap_ioend *)(bio)->bi_private)
#else
#define SFS_MAP_BLOCKS_HAS_LEN
#define sfs_ioend_bio(ioend) (&(ioend)->io_bio)
#define sfs_bio_ioend(bio) iomap_ioend_from_bio(bio)
#endif

/* 6.6 marks parts of folios dirty. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define sfs_iomap_dirty_folio filemap_dirty_folio
#else
#define sfs_iomap_dirty_folio iomap_dirty_folio
#endif

/* 6.8 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define SFS_ERROR_REMOVE_FOLIO .error_remove_page = generic_error_remove_page
#else
#define SFS_ERROR_REMOVE_FOLIO .error_remove_folio = generic_error_remove_folio
#endif

/* 6.5: the library moves ki_pos itself; 6.12: it passes something on. */
static inline ssize_t sfs_iomap_buffered_write(struct kiocb *iocb,
					       struct iov_iter *from,
					       const struct iomap_ops *ops)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	ssize_t ret = iomap_file_buffered_write(iocb, from, ops);

	if (ret > 0)
		iocb->ki_pos += ret;
	return ret;
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	return iomap_file_buffered_write(iocb, from, ops);
#else
	return iomap_file_buffered_write(iocb, from, ops, NULL);
#endif
}

/* 6.6: faults may have the lock of their area instead of mmap_lock. */
#include <linux/mm.h>

static inline void sfs_release_fault_lock(struct vm_fault *vmf)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	mmap_read_unlock(vmf->vma->vm_mm);
#else
	release_fault_lock(vmf);
#endif
}

/* 6.5 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define sfs_splice_read generic_file_splice_read
#else
#define sfs_splice_read filemap_splice_read
#endif

#endif

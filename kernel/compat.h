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

#endif

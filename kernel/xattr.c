/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extended attributes between the VFS and the core.
 *
 * The core has the rules: which prefixes there are, who may see and change
 * them, what a change does to the inode.  It knows attributes by their whole
 * name, which the VFS cuts at the prefix of the handler.  The VFS has checked
 * most of it before; the core checks again, on what is stored.
 *
 * A name whose prefix has no handler is EOPNOTSUPP, which is what the core says
 * to it, too: system.* and so POSIX ACLs are among them.
 *
 * Values are buffers of the VFS in kernel memory, so nothing here touches the
 * caller's.
 *
 * security.* is read for the kernel's own sake at most writes (has the file
 * capabilities that must go?) and needs nobody's credentials: those are not
 * collected for it.  That it is not asked about at each and every write is
 * S_NOSEC's doing, which the VFS clears itself when a security attribute is
 * set through this mount.
 *
 * Locks: the VFS holds i_rwsem around a change; ends of writeback, which change
 * the same item, are kept away besides (sfs_ki_excl_begin()).  Reading takes
 * none.
 *
 * No attribute is cached.  After a change the VFS inode is stale: its ctime is
 * behind the core's.
 */
#include <linux/build_bug.h>
#include <linux/dcache.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/xattr.h>

#include "fs.h"
#include "trace.h"

static_assert(SFS_XATTR_CREATE == XATTR_CREATE);
static_assert(SFS_XATTR_REPLACE == XATTR_REPLACE);
static_assert(SFS_XATTR_NAME_MAX == XATTR_NAME_MAX);

static int get_as(const struct xattr_handler *handler,
		  const struct sfs_cred *cred, struct inode *inode,
		  const char *name, void *buf, size_t size)
{
	int ret;

	name = xattr_full_name(handler, name);
	ret = sfs_getxattr(SFS_FS(inode), cred, inode->i_ino, name, buf,
			   min_t(size_t, size, S32_MAX));
	trace_sfs_getxattr(inode, name, ret);
	return ret;
}

static int get_security(const struct xattr_handler *handler,
			struct dentry *dentry, struct inode *inode,
			const char *name, void *buf, size_t size)
{
	static const struct sfs_cred kernel = { .host_checked = 1 };

	return get_as(handler, &kernel, inode, name, buf, size);
}

static int get(const struct xattr_handler *handler, struct dentry *dentry,
	       struct inode *inode, const char *name, void *buf, size_t size)
{
	struct sfs_caller c;
	int ret;

	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	ret = get_as(handler, &c.cred, inode, name, buf, size);
	sfs_caller_exit(&c);
	return ret;
}

/* Without a value it is the removal. */
static int set(const struct xattr_handler *handler, struct mnt_idmap *idmap,
	       struct dentry *dentry, struct inode *inode, const char *name,
	       const void *val, size_t size, int flags)
{
	struct sfs_fs *fs = SFS_FS(inode);
	struct sfs_ki_excl ex;
	struct sfs_caller c;
	int ret;

	if (size > SFS_XATTR_SIZE_MAX)
		return -E2BIG;
	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	name = xattr_full_name(handler, name);
	ret = sfs_ki_excl_begin(&ex, inode, NULL, NULL, NULL);
	if (ret < 0)
		goto out;
	if (val)
		ret = sfs_setxattr(fs, &c.cred, inode->i_ino, name, val, size,
				   flags);
	else
		ret = sfs_removexattr(fs, &c.cred, inode->i_ino, name);
	sfs_ki_excl_end(&ex);
out:
	sfs_caller_exit(&c);
	trace_sfs_setxattr(inode, name, ret);
	if (ret == 0)
		sfs_ki_stale(inode);
	return ret;
}

ssize_t sfs_listxattr_vfs(struct dentry *dentry, char *buf, size_t size)
{
	struct inode *inode = d_inode(dentry);
	struct sfs_caller c;
	int ret;

	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	ret = sfs_listxattr(SFS_FS(inode), &c.cred, inode->i_ino, buf,
			    min_t(size_t, size, S32_MAX));
	sfs_caller_exit(&c);
	return ret;
}

static const struct xattr_handler user_handler = {
	.prefix = XATTR_USER_PREFIX,
	.get = get,
	.set = set,
};

static const struct xattr_handler trusted_handler = {
	.prefix = XATTR_TRUSTED_PREFIX,
	.get = get,
	.set = set,
};

static const struct xattr_handler security_handler = {
	.prefix = XATTR_SECURITY_PREFIX,
	.get = get_security,
	.set = set,
};

/* Tagged names, which feed indexes. */
static const struct xattr_handler scoutfs_handler = {
	.prefix = "scoutfs.",
	.get = get,
	.set = set,
};

const struct xattr_handler *const sfs_xattr_handlers[] = {
	&user_handler,
	&trusted_handler,
	&security_handler,
	&scoutfs_handler,
	NULL,
};

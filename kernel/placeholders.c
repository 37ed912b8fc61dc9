/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for the files of the module that are not there yet: each symbol
 * here is weak and loses against the real one.  Goes away with the last of
 * them.
 *
 * Regular files can be made and truncated, but neither read nor written.
 */
#include <linux/errno.h>
#include <linux/exportfs.h>
#include <linux/mm.h>

#include "fs.h"

const struct file_operations sfs_file_fops __weak = {
	.llseek = generic_file_llseek,
	.fsync = sfs_fsync_vfs,
};

const struct address_space_operations sfs_aops __weak = {};
const struct export_operations sfs_export_ops __weak = {};
const struct xattr_handler *const sfs_xattr_handlers[] __weak = { NULL };

void __weak sfs_aops_init_inode(struct sfs_ki *ki)
{
}

int __weak sfs_set_size(struct inode *inode, const struct sfs_cred *cred,
			const struct sfs_setattr *set,
			struct sfs_attr *ret_attr)
{
	struct sfs_fs *fs = SFS_FS(inode);
	struct sfs_ilock il;
	int ret;

	sfs_ilock_excl(fs, &il, inode->i_ino, 0, 0, 0);
	ret = sfs_setattr(fs, cred, inode->i_ino, set, ret_attr);
	sfs_iunlock(fs, &il);
	if (ret == 0)
		truncate_setsize(inode, set->size);
	return ret;
}

int __weak sfs_fiemap(struct inode *inode, struct fiemap_extent_info *fieinfo,
		      u64 start, u64 len)
{
	return -EOPNOTSUPP;
}

long __weak sfs_ioctl_vfs(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return -ENOTTY;
}

ssize_t __weak sfs_listxattr_vfs(struct dentry *dentry, char *buf, size_t size)
{
	return -EOPNOTSUPP;
}

int __weak sfs_sysfs_init(void)
{
	return 0;
}

void __weak sfs_sysfs_exit(void)
{
}

int __weak sfs_sysfs_add(struct sfs_sb *sbi)
{
	return 0;
}

void __weak sfs_sysfs_remove(struct sfs_sb *sbi)
{
}

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_DEBUGFS_H
#define SFS_KERNEL_DEBUGFS_H

struct sfs_debugfs;
struct sfs_sb;

/* For sysfs.c.  Nothing depends on debugfs: what can not be made is missing. */
void sfs_debugfs_init(void);
void sfs_debugfs_exit(void);
/* NULL when there is no memory. */
struct sfs_debugfs *sfs_debugfs_add(struct sfs_sb *sbi);
/* Waits for those who read or write; open files answer EIO from then on. */
void sfs_debugfs_remove(struct sfs_debugfs *dfs);

#endif

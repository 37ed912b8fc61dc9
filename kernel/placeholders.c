/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for the files of the module that are not there yet: each symbol
 * here is weak and loses against the real one.  Goes away with the last of
 * them.
 */
#include "fs.h"

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

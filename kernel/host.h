/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_HOST_H
#define SFS_KERNEL_HOST_H

/*
 * One opened volume in the kernel: what the ports know about the world around
 * the core.  Letters: I set before the core sees it.
 */
struct sfs_host {
	const char *name;	/* I: the data device, for log lines */
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_HOST_H
#define SFS_KERNEL_HOST_H

#include <linux/types.h>

#include "port.h"

struct block_device;

/*
 * One opened volume in the kernel: what the ports know about the world around
 * the core.  Part of struct sfs_volume (volume.h), which makes and ends it.
 * Letters: I set before the core sees it.
 */
struct sfs_host {
	char name[40];			/* for log lines: device, later also id */
	struct block_device *bdev[SFS_NR_DEVS];	/* I */
	u64 size[SFS_NR_DEVS];		/* I: bytes, multiples of 4096 */
	struct workqueue_struct *io_wq;	/* I: completions; WQ_MEM_RECLAIM */

	/* I: sfs_port_mount_down() */
	void (*on_down)(void *arg, const char *why);
	void *on_down_arg;
};

#endif

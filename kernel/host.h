/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_HOST_H
#define SFS_KERNEL_HOST_H

#include <linux/atomic.h>
#include <linux/types.h>

#include "port.h"

struct block_device;

/*
 * How a test trigger of the core (port.h) is armed: by debugfs.c, asked by
 * sfs_port_trigger().
 */
#define SFS_NR_ARMS 16

struct sfs_arm {
	atomic_t every;			/* 0: never, -1: once, N: every Nth time */
	atomic_t asked;			/* A: while armed */
	atomic_t fired;			/* A */
};

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

	struct sfs_arm arms[SFS_NR_ARMS];	/* A */
};

/* debugfs.c: whether the trigger fires now; cheap while it is not armed. */
int sfs_arm_fires(struct sfs_host *host, unsigned int trigger);

#endif

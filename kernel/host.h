/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_HOST_H
#define SFS_KERNEL_HOST_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "port.h"

struct block_device;

#define SFS_NR_ENDERS 8
#define SFS_NR_LOG_LEVELS (SFS_LOG_DEBUG + 1)

/* One of the work items that call sfs_io.done. */
struct sfs_io_ender {
	struct work_struct work;
	struct sfs_host *host;		/* I */
};

/* How many lines of a level were printed lately, see port_env.c. */
struct sfs_log_limit {
	unsigned long since;		/* L(log_lock): jiffies */
	u32 lines;			/* L(log_lock) */
	u32 dropped;			/* L(log_lock) */
};

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
 * Letters: I set before the core sees it, A atomic, L(lock).
 */
struct sfs_host {
	/*
	 * For log lines: A, one of the three below.  Device, then the volume's
	 * id and device, with one mount its id and device.  Each is written
	 * once, before @name points to it.
	 */
	const char *name;
	char dev_name[40];
	char vol_name[64];
	char mount_name[64];

	struct block_device *bdev[SFS_NR_DEVS];	/* I */
	u64 size[SFS_NR_DEVS];		/* I: bytes, multiples of 4096 */

	/* port_block.c */
	struct workqueue_struct *io_wq;	/* I: completions; WQ_MEM_RECLAIM */
	struct bio_set bios;		/* I */
	spinlock_t end_lock;		/* taken in interrupts */
	struct sfs_io *end_first;	/* L(end_lock): ended, not yet told */
	struct sfs_io *end_last;	/* L(end_lock) */
	unsigned long enders_busy;	/* L(end_lock): bits of @enders */
	struct sfs_io_ender enders[SFS_NR_ENDERS];
	atomic64_t errors[SFS_NR_DEVS];
	bool fenced;			/* A: see sfs_host_fence() */

	/* port_env.c */
	spinlock_t log_lock;
	struct sfs_log_limit log_limit[SFS_NR_LOG_LEVELS];
	/* the last error the core told this task, while @said_task is set */
	struct task_struct *said_task;	/* A */
	bool said_quiet;		/* O: it is not printed as well */
	char said[200];			/* O */

	/* I: sfs_port_mount_down() and sfs_host_fence(); may be NULL */
	void (*on_down)(void *arg, const char *why);
	void *on_down_arg;

	struct sfs_arm arms[SFS_NR_ARMS];	/* A */
};

/* ---- port_block.c ---------------------------------------------------------- */

/* Both devices are open.  -ENOMEM. */
int sfs_block_start(struct sfs_host *host);
/* Nothing is in flight. */
void sfs_block_stop(struct sfs_host *host);

/*
 * One transfer of a page, waited for, without the queues and whether fenced or
 * not: for the owner block.  The error as the device gives it.
 */
int sfs_bdev_rw(struct block_device *bdev, blk_opf_t opf, u64 offset,
		void *buf, u32 len);

/*
 * This machine does not own the volume any more: nothing is transferred from
 * now on, in either direction, since the blocks may be somebody else's by now.
 * What is on its way can not be called back.
 */
void sfs_host_fence(struct sfs_host *host, const char *why);

/* Whoever transfers without sfs_port_io_submit() asks before each transfer. */
static inline bool sfs_host_fenced(const struct sfs_host *host)
{
	return READ_ONCE(host->fenced);
}

/* ---- port_env.c ------------------------------------------------------------ */

void sfs_env_init(struct sfs_host *host);
/* Says how many lines were dropped. */
void sfs_env_exit(struct sfs_host *host);
/* Between the two, host->said is the last error or warning told by this task. */
void sfs_env_listen(struct sfs_host *host, bool quiet);
void sfs_env_listen_end(struct sfs_host *host);

/* ---- debugfs.c ------------------------------------------------------------- */

/* Whether the trigger fires now; cheap while it is not armed. */
int sfs_arm_fires(struct sfs_host *host, unsigned int trigger);

#endif

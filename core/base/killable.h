/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_KILLABLE_H
#define SFS_BASE_KILLABLE_H

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "port.h"

/*
 * Waits until @cond: 0, or -EINTR when the thread is being killed.
 *
 * A kernel wakes those that it kills.  Other hosts have requests of processes
 * elsewhere and know of their end when they are asked, which is now and then.
 */
#define SFS_KILLED_POLL_MS 500
#define sfs_wait_killable(host, wq, cond) ({				\
	long __left;							\
	do {								\
		__left = wait_event_killable_timeout(wq, cond,		\
				msecs_to_jiffies(SFS_KILLED_POLL_MS));	\
	} while (__left == 0 && !sfs_port_killed(host));		\
	__left > 0 ? 0 : -EINTR;					\
})

#endif

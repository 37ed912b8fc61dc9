/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SCHED_H
#define _LINUX_SCHED_H

#include <linux/types.h>
#include <linux/limits.h>
#include <linux/kernel.h>

#define MAX_SCHEDULE_TIMEOUT LONG_MAX

struct task_struct;			/* opaque */

struct task_struct *shim_current_task(void);
#define current shim_current_task()

int shim_cond_resched(const char *file, int line);
#define cond_resched() shim_cond_resched(__FILE__, __LINE__)

#endif

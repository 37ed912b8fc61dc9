/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conditions of wait_event() may take spinlocks but must not sleep: no
 * mutexes, no blocking allocations.  The shim ends the program when they do.
 */
#ifndef _LINUX_WAIT_H
#define _LINUX_WAIT_H

#include <linux/types.h>
#include <linux/list.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

typedef struct wait_queue_head {
	struct shim_raw raw;
	struct list_head head;
	const char *name;
} wait_queue_head_t;

#define __WAIT_QUEUE_HEAD_INITIALIZER(n) \
	{ .head = LIST_HEAD_INIT((n).head), .name = #n }
#define DECLARE_WAIT_QUEUE_HEAD(n) \
	wait_queue_head_t n = __WAIT_QUEUE_HEAD_INITIALIZER(n)

void shim_init_waitqueue_head(wait_queue_head_t *wq, const char *name);
#define init_waitqueue_head(wq) shim_init_waitqueue_head((wq), #wq)

void wake_up(wait_queue_head_t *wq);
void wake_up_all(wait_queue_head_t *wq);

static inline int waitqueue_active(wait_queue_head_t *wq)
{
	return !list_empty(&wq->head);
}

static inline bool wq_has_sleeper(wait_queue_head_t *wq)
{
	smp_mb();
	return waitqueue_active(wq);
}

/* one wait of one task, on its stack */
struct shim_wait {
	struct list_head entry;
	struct shim_task *task;
	wait_queue_head_t *wq;
	u64 deadline_ns;
	const char *file;
	const char *what;
	long ret;
	int line;
	bool killable;
	bool queued;
	bool timed;
	bool expired;
};

void shim_wait_begin(struct shim_wait *w, wait_queue_head_t *wq, bool killable,
		     long timeout, const char *what, const char *file,
		     int line);
void shim_wait_prepare(struct shim_wait *w);
/* true: evaluate the condition once more */
bool shim_wait_again(struct shim_wait *w, bool done);
long shim_wait_end(struct shim_wait *w);

#define __shim_wait_event(wq_head, condition, killable, timeout) ({	\
	struct shim_wait __wait;					\
	shim_wait_begin(&__wait, &(wq_head), (killable), (timeout),	\
			#condition, __FILE__, __LINE__);		\
	do {								\
		shim_wait_prepare(&__wait);				\
	} while (shim_wait_again(&__wait, (condition)));		\
	shim_wait_end(&__wait);						\
})

#define wait_event(wq_head, condition) \
	((void)__shim_wait_event(wq_head, condition, false, \
				 MAX_SCHEDULE_TIMEOUT))
/* 0 or -ERESTARTSYS */
#define wait_event_killable(wq_head, condition) ({			\
	long __wait_ret = __shim_wait_event(wq_head, condition, true,	\
					    MAX_SCHEDULE_TIMEOUT);	\
	__wait_ret < 0 ? (int)__wait_ret : 0;				\
})
/* 0 when it is still false after @timeout jiffies, else what is left, >= 1 */
#define wait_event_timeout(wq_head, condition, timeout) \
	__shim_wait_event(wq_head, condition, false, timeout)
/* ... or -ERESTARTSYS */
#define wait_event_killable_timeout(wq_head, condition, timeout) \
	__shim_wait_event(wq_head, condition, true, timeout)

#endif

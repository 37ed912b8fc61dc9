/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_COMPLETION_H
#define _LINUX_COMPLETION_H

#include <linux/wait.h>

struct completion {
	unsigned int done;		/* UINT_MAX: for everybody */
	wait_queue_head_t wait;
};

#define COMPLETION_INITIALIZER(work) \
	{ 0, __WAIT_QUEUE_HEAD_INITIALIZER((work).wait) }
#define DECLARE_COMPLETION(work) \
	struct completion work = COMPLETION_INITIALIZER(work)
#define DECLARE_COMPLETION_ONSTACK(work) DECLARE_COMPLETION(work)

void shim_init_completion(struct completion *x, const char *name);
#define init_completion(x) shim_init_completion((x), #x)
void reinit_completion(struct completion *x);

void complete(struct completion *x);
void complete_all(struct completion *x);
bool try_wait_for_completion(struct completion *x);
bool completion_done(struct completion *x);

long shim_wait_for_completion(struct completion *x, bool killable,
			      long timeout, const char *file, int line);
#define wait_for_completion(x) \
	((void)shim_wait_for_completion((x), false, MAX_SCHEDULE_TIMEOUT, \
					__FILE__, __LINE__))
#define wait_for_completion_timeout(x, timeout) \
	((unsigned long)shim_wait_for_completion((x), false, (timeout), \
						 __FILE__, __LINE__))
#define wait_for_completion_killable(x) ({				\
	long __wfc = shim_wait_for_completion((x), true,		\
				MAX_SCHEDULE_TIMEOUT, __FILE__, __LINE__); \
	__wfc < 0 ? (int)__wfc : 0;					\
})
#define wait_for_completion_killable_timeout(x, timeout) \
	shim_wait_for_completion((x), true, (timeout), __FILE__, __LINE__)

#endif

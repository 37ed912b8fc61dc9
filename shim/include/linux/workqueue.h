/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_WORKQUEUE_H
#define _LINUX_WORKQUEUE_H

#include <linux/types.h>
#include <linux/list.h>
#include <linux/lockdep.h>

struct workqueue_struct;
struct work_struct;

typedef void (*work_func_t)(struct work_struct *work);

struct work_struct {
	work_func_t func;
	struct list_head entry;
	struct workqueue_struct *wq;	/* it is pending on */
	u64 seq;			/* when it was queued */
	struct lockdep_map dep_map;
	unsigned int state;
	unsigned int canceling;
};

struct delayed_work {
	struct work_struct work;
	struct list_head timer_entry;
	struct workqueue_struct *wq;	/* for when the time has come */
	u64 expires_ns;
};

enum {
	WQ_UNBOUND = 1 << 1,
	WQ_FREEZABLE = 1 << 2,
	WQ_MEM_RECLAIM = 1 << 3,
	WQ_HIGHPRI = 1 << 4,
	WQ_CPU_INTENSIVE = 1 << 5,
	WQ_SYSFS = 1 << 6,
	WQ_MAX_ACTIVE = 512,
	WQ_DFL_ACTIVE = WQ_MAX_ACTIVE / 2,
};

void shim_work_init(struct work_struct *work, work_func_t func,
		    const char *name, const struct lock_class_key *key);
void shim_delayed_work_init(struct delayed_work *dwork, work_func_t func,
			    const char *name,
			    const struct lock_class_key *key);

#define INIT_WORK(work, func) do {					\
	static const struct lock_class_key __key;			\
	shim_work_init((work), (func), #work, &__key);			\
} while (0)
#define INIT_DELAYED_WORK(dwork, func) do {				\
	static const struct lock_class_key __key;			\
	shim_delayed_work_init((dwork), (func), #dwork, &__key);	\
} while (0)

/* @max_active works at once, 0 for the default */
struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags,
					 int max_active, ...)
	__printf(1, 4);
#define alloc_ordered_workqueue(fmt, flags, ...) \
	alloc_workqueue(fmt, WQ_UNBOUND | (flags), 1, ##__VA_ARGS__)
void destroy_workqueue(struct workqueue_struct *wq);

bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
bool queue_delayed_work(struct workqueue_struct *wq,
			struct delayed_work *dwork, unsigned long delay);
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
		      unsigned long delay);
bool flush_work(struct work_struct *work);
bool flush_delayed_work(struct delayed_work *dwork);
bool cancel_work(struct work_struct *work);
bool cancel_delayed_work(struct delayed_work *dwork);
bool cancel_work_sync(struct work_struct *work);
bool cancel_delayed_work_sync(struct delayed_work *dwork);
void flush_workqueue(struct workqueue_struct *wq);
void drain_workqueue(struct workqueue_struct *wq);
bool work_pending(struct work_struct *work);
bool delayed_work_pending(struct delayed_work *dwork);

static inline struct delayed_work *to_delayed_work(struct work_struct *work)
{
	return container_of(work, struct delayed_work, work);
}

#endif

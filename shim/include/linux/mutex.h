/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MUTEX_H
#define _LINUX_MUTEX_H

#include <linux/types.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>

struct mutex {
	unsigned long owner;		/* task | 1 when somebody waits */
	struct shim_raw wait_lock;
	struct list_head wait_list;
	struct lockdep_map dep_map;
};

#define __MUTEX_INITIALIZER(lockname)					\
	{ .wait_list = LIST_HEAD_INIT((lockname).wait_list),		\
	  .dep_map = { .name = #lockname,				\
		       .key = (const void *)&(lockname) } }
#define DEFINE_MUTEX(name) struct mutex name = __MUTEX_INITIALIZER(name)

void __mutex_init(struct mutex *lock, const char *name,
		  const struct lock_class_key *key);
void mutex_destroy(struct mutex *lock);
void mutex_lock_nested(struct mutex *lock, unsigned int subclass);
int __must_check mutex_lock_killable_nested(struct mutex *lock,
					    unsigned int subclass);
/* 1 for success, unlike down_trylock() */
int mutex_trylock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);
bool mutex_is_locked(struct mutex *lock);

#define mutex_init(mutex) do {						\
	static const struct lock_class_key __key;			\
	__mutex_init((mutex), #mutex, &__key);				\
} while (0)
#define mutex_lock(lock) mutex_lock_nested((lock), 0)
#define mutex_lock_killable(lock) mutex_lock_killable_nested((lock), 0)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H

#include <linux/types.h>
#include <linux/lockdep.h>
#include <linux/kernel.h>
#include <asm/barrier.h>
#include <shim/raw.h>

typedef struct spinlock {
	struct shim_task *owner;
	struct shim_raw raw;
	struct lockdep_map dep_map;
} spinlock_t;

#define __SPIN_LOCK_UNLOCKED(lockname)					\
	{ .dep_map = { .name = #lockname,				\
		       .key = (const void *)&(lockname) } }
#define DEFINE_SPINLOCK(x) spinlock_t x = __SPIN_LOCK_UNLOCKED(x)

void shim_spin_init(spinlock_t *lock, const char *name,
		    const struct lock_class_key *key);
void shim_spin_lock(spinlock_t *lock, unsigned int subclass)
	__acquires(lock);
int shim_spin_trylock(spinlock_t *lock);
void shim_spin_unlock(spinlock_t *lock) __releases(lock);
int shim_spin_is_locked(spinlock_t *lock);

#define spin_lock_init(lock) do {					\
	static const struct lock_class_key __key;			\
	shim_spin_init((lock), #lock, &__key);				\
} while (0)
#define spin_lock(lock) shim_spin_lock((lock), 0)
#define spin_lock_nested(lock, subclass) shim_spin_lock((lock), (subclass))
#define spin_trylock(lock) shim_spin_trylock(lock)
#define spin_unlock(lock) shim_spin_unlock(lock)
#define spin_is_locked(lock) shim_spin_is_locked(lock)
#define assert_spin_locked(lock) lockdep_assert_held(lock)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every lock belongs to a class, given by the place of its initialisation or
 * by lockdep_set_class().  The shim records which class was taken inside which
 * and ends the program at the first cycle.
 */
#ifndef _LINUX_LOCKDEP_H
#define _LINUX_LOCKDEP_H

#include <linux/types.h>

#define MAX_LOCKDEP_SUBCLASSES 8U
#define SINGLE_DEPTH_NESTING 1

/* only its address matters */
struct lock_class_key {
	char subkeys[8];
};

struct lockdep_map {
	const struct lock_class_key *key;
	const char *name;
	unsigned int cls;		/* of subclass 0, once known */
	unsigned int subclass;
};

void lockdep_init_map(struct lockdep_map *map, const char *name,
		      const struct lock_class_key *key, int subclass);
void shim_lock_map_acquire(struct lockdep_map *map, int read);
void shim_lock_map_release(struct lockdep_map *map);
/* 0 not held by this task, 1 held, 2 held for reading alone */
int shim_lock_held(const struct lockdep_map *map);
void shim_lock_assert_failed(const struct lockdep_map *map, const char *what,
			     const char *file, int line)
	__attribute__((noreturn, cold));

#define lockdep_set_class_and_name(lock, k, n) \
	lockdep_init_map(&(lock)->dep_map, (n), (k), 0)
#define lockdep_set_class(lock, k) \
	lockdep_set_class_and_name(lock, k, #k)
#define lockdep_set_subclass(lock, sub) \
	lockdep_init_map(&(lock)->dep_map, (lock)->dep_map.name, \
			 (lock)->dep_map.key, (sub))

/* pseudo-locks */
#define STATIC_LOCKDEP_MAP_INIT(n, k) \
	{ .name = (n), .key = (const void *)(k) }
#define lock_map_acquire(map) shim_lock_map_acquire((map), 0)
#define lock_map_acquire_read(map) shim_lock_map_acquire((map), 1)
#define lock_map_release(map) shim_lock_map_release(map)

#define lockdep_is_held(lock) shim_lock_held(&(lock)->dep_map)
#define __shim_lock_assert(lock, cond, what) do {			\
	int __held = shim_lock_held(&(lock)->dep_map);			\
	if (unlikely(!(cond)))						\
		shim_lock_assert_failed(&(lock)->dep_map, what,		\
					__FILE__, __LINE__);		\
} while (0)
#define lockdep_assert_held(lock) \
	__shim_lock_assert(lock, __held, "not held")
#define lockdep_assert_held_write(lock) \
	__shim_lock_assert(lock, __held == 1, "not held for writing")
#define lockdep_assert_held_read(lock) \
	__shim_lock_assert(lock, __held == 2, "not held for reading")
#define lockdep_assert_not_held(lock) \
	__shim_lock_assert(lock, !__held, "held")

#endif

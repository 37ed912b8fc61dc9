/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_RWSEM_H
#define _LINUX_RWSEM_H

#include <linux/types.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>

struct rw_semaphore {
	unsigned long count;		/* 1 writer, 2 waiters, n * 4 readers */
	struct shim_task *owner;	/* the writer */
	struct shim_raw wait_lock;
	struct list_head wait_list;
	struct lockdep_map dep_map;
};

#define __RWSEM_INITIALIZER(lockname)					\
	{ .wait_list = LIST_HEAD_INIT((lockname).wait_list),		\
	  .dep_map = { .name = #lockname,				\
		       .key = (const void *)&(lockname) } }
#define DECLARE_RWSEM(name) \
	struct rw_semaphore name = __RWSEM_INITIALIZER(name)

void __init_rwsem(struct rw_semaphore *sem, const char *name,
		  const struct lock_class_key *key);
#define init_rwsem(sem) do {						\
	static const struct lock_class_key __key;			\
	__init_rwsem((sem), #sem, &__key);				\
} while (0)

void down_read_nested(struct rw_semaphore *sem, int subclass);
void down_write_nested(struct rw_semaphore *sem, int subclass);
int __must_check down_read_killable_nested(struct rw_semaphore *sem,
					   int subclass);
int __must_check down_write_killable_nested(struct rw_semaphore *sem,
					    int subclass);
int down_read_trylock(struct rw_semaphore *sem);
int down_write_trylock(struct rw_semaphore *sem);
void up_read(struct rw_semaphore *sem);
void up_write(struct rw_semaphore *sem);
void downgrade_write(struct rw_semaphore *sem);
int rwsem_is_locked(struct rw_semaphore *sem);
int rwsem_is_contended(struct rw_semaphore *sem);

#define down_read(sem) down_read_nested((sem), 0)
#define down_write(sem) down_write_nested((sem), 0)
#define down_read_killable(sem) down_read_killable_nested((sem), 0)
#define down_write_killable(sem) down_write_killable_nested((sem), 0)

#endif

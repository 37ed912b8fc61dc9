/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spinlocks, mutexes and read-write semaphores over the backend's raw locks
 * and park/unpark.  Without contention each lock and unlock is one atomic
 * operation on the lock plus a note in the task's list of held locks.
 *
 * Every waiter is on the lock's list, guarded by its raw wait_lock, and takes
 * the raw lock once more before it goes on.  Whoever unparks it holds the raw
 * lock: therefore the waiter's task and stack are still there.
 *
 * A mutex may be taken by a passer-by before the waiter that was woken runs; a
 * semaphore is handed over in the order of arrival, with readers that follow
 * each other admitted together.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/bug.h>
#include "task.h"
#include "dep.h"

struct waiter {
	struct list_head entry;
	struct shim_task *task;
	bool write;
	bool granted;
};

static void raw_lock(struct shim_raw *raw)
{
	shim_raw_lock_word(&raw->word);
}

static void raw_unlock(struct shim_raw *raw)
{
	shim_raw_unlock_word(&raw->word);
}

/* ---- spinlocks ---------------------------------------------------------- */

void shim_spin_init(spinlock_t *lock, const char *name,
		    const struct lock_class_key *key)
{
	lock->owner = NULL;
	lock->raw.word = 0;
	lockdep_init_map(&lock->dep_map, name, key, 0);
}

void shim_spin_lock(spinlock_t *lock, unsigned int subclass)
{
	struct shim_task *self = shim_me();

	shim_preempt();
	shim_dep_acquire(self, &lock->dep_map, subclass, 0,
			 __builtin_return_address(0));
	raw_lock(&lock->raw);
	WRITE_ONCE(lock->owner, self);
	self->atomic++;
}

int shim_spin_trylock(spinlock_t *lock)
{
	struct shim_task *self = shim_me();

	if (!shim_raw_trylock_word(&lock->raw.word))
		return 0;
	shim_dep_acquire(self, &lock->dep_map, 0, SHIM_HELD_TRY,
			 __builtin_return_address(0));
	WRITE_ONCE(lock->owner, self);
	self->atomic++;
	return 1;
}

void shim_spin_unlock(spinlock_t *lock)
{
	struct shim_task *self = shim_me();

	if (unlikely(READ_ONCE(lock->owner) != self))
		shim_fail("unlock of spinlock %s by a task that does not own it",
			  lock->dep_map.name ? lock->dep_map.name : "?");
	shim_dep_release(self, &lock->dep_map);
	WRITE_ONCE(lock->owner, NULL);
	raw_unlock(&lock->raw);
	self->atomic--;
	shim_preempt();
}

int shim_spin_is_locked(spinlock_t *lock)
{
	return READ_ONCE(lock->raw.word) != 0;
}

/* ---- mutexes ------------------------------------------------------------ */

#define MUTEX_WAITERS 1UL

void __mutex_init(struct mutex *lock, const char *name,
		  const struct lock_class_key *key)
{
	lock->owner = 0;
	lock->wait_lock.word = 0;
	INIT_LIST_HEAD(&lock->wait_list);
	lockdep_init_map(&lock->dep_map, name, key, 0);
}

void mutex_destroy(struct mutex *lock)
{
	if (READ_ONCE(lock->owner))
		shim_fail("mutex %s is destroyed while it is locked",
			  lock->dep_map.name);
	lock->dep_map.key = NULL;
	lock->dep_map.cls = 0;
	lock->wait_list.next = LIST_POISON1;
}

bool mutex_is_locked(struct mutex *lock)
{
	return (READ_ONCE(lock->owner) & ~MUTEX_WAITERS) != 0;
}

/* keeps the mark for waiters */
static bool mutex_try(struct mutex *lock, struct shim_task *self)
{
	unsigned long old = READ_ONCE(lock->owner);

	while (!(old & ~MUTEX_WAITERS)) {
		if (__atomic_compare_exchange_n(&lock->owner, &old,
						(unsigned long)self | old,
						false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* the holder's unlock comes to the list from now on, or the mutex is ours */
static bool mutex_mark_or_take(struct mutex *lock, struct shim_task *self)
{
	__atomic_fetch_or(&lock->owner, MUTEX_WAITERS, __ATOMIC_RELAXED);
	return mutex_try(lock, self);
}

static int mutex_lock_slow(struct mutex *lock, struct shim_task *self,
			   bool killable)
{
	struct waiter w = { .task = self };
	int ret = 0;

	raw_lock(&lock->wait_lock);
	list_add_tail(&w.entry, &lock->wait_list);
	while (!mutex_mark_or_take(lock, self)) {
		if (killable && READ_ONCE(self->killed)) {
			ret = -EINTR;
			break;
		}
		raw_unlock(&lock->wait_lock);
		shim_park(0);
		raw_lock(&lock->wait_lock);
	}
	list_del(&w.entry);
	if (list_empty(&lock->wait_list))
		__atomic_fetch_and(&lock->owner, ~MUTEX_WAITERS,
				   __ATOMIC_RELAXED);
	/* a wake-up meant for us may be all that the next one gets */
	else if (ret && !mutex_is_locked(lock))
		shim_unpark(list_first_entry(&lock->wait_list, struct waiter,
					     entry)->task);
	raw_unlock(&lock->wait_lock);
	return ret;
}

static int mutex_lock_common(struct mutex *lock, unsigned int subclass,
			     bool killable, const void *ip)
{
	struct shim_task *self = shim_me();
	unsigned long old = 0;
	int ret = 0;

	shim_check_sleep(self, "mutex_lock()");
	shim_dep_acquire(self, &lock->dep_map, subclass, 0, ip);
	shim_preempt();
	if (unlikely(!__atomic_compare_exchange_n(&lock->owner, &old,
						  (unsigned long)self, false,
						  __ATOMIC_ACQUIRE,
						  __ATOMIC_RELAXED))) {
		self->wait_what = lock->dep_map.name;
		self->wait_file = "mutex";
		ret = mutex_lock_slow(lock, self, killable);
		self->wait_what = NULL;
	}
	if (ret)
		shim_dep_release(self, &lock->dep_map);
	return ret;
}

void mutex_lock_nested(struct mutex *lock, unsigned int subclass)
{
	mutex_lock_common(lock, subclass, false, __builtin_return_address(0));
}

int mutex_lock_killable_nested(struct mutex *lock, unsigned int subclass)
{
	return mutex_lock_common(lock, subclass, true,
				 __builtin_return_address(0));
}

int mutex_trylock(struct mutex *lock)
{
	struct shim_task *self = shim_me();

	shim_preempt();
	if (!mutex_try(lock, self))
		return 0;
	shim_dep_acquire(self, &lock->dep_map, 0, SHIM_HELD_TRY,
			 __builtin_return_address(0));
	return 1;
}

void mutex_unlock(struct mutex *lock)
{
	struct shim_task *self = shim_me();
	unsigned long old = (unsigned long)self;

	if (unlikely((READ_ONCE(lock->owner) & ~MUTEX_WAITERS) != old))
		shim_fail("unlock of mutex %s by a task that does not own it",
			  lock->dep_map.name ? lock->dep_map.name : "?");
	shim_dep_release(self, &lock->dep_map);
	if (likely(__atomic_compare_exchange_n(&lock->owner, &old, 0, false,
					       __ATOMIC_RELEASE,
					       __ATOMIC_RELAXED))) {
		shim_preempt();
		return;
	}
	raw_lock(&lock->wait_lock);
	__atomic_fetch_and(&lock->owner, MUTEX_WAITERS, __ATOMIC_RELEASE);
	if (!list_empty(&lock->wait_list))
		shim_unpark(list_first_entry(&lock->wait_list, struct waiter,
					     entry)->task);
	raw_unlock(&lock->wait_lock);
	shim_preempt();
}

/* ---- read-write semaphores ---------------------------------------------- */

#define RW_WRITER 1UL
#define RW_WAITERS 2UL
#define RW_READER 4UL

void __init_rwsem(struct rw_semaphore *sem, const char *name,
		  const struct lock_class_key *key)
{
	sem->count = 0;
	sem->owner = NULL;
	sem->wait_lock.word = 0;
	INIT_LIST_HEAD(&sem->wait_list);
	lockdep_init_map(&sem->dep_map, name, key, 0);
}

int rwsem_is_locked(struct rw_semaphore *sem)
{
	return (READ_ONCE(sem->count) & ~RW_WAITERS) != 0;
}

int rwsem_is_contended(struct rw_semaphore *sem)
{
	return !list_empty(&sem->wait_list);
}

static bool rw_try_read(struct rw_semaphore *sem, unsigned long hindrance)
{
	unsigned long old = READ_ONCE(sem->count);

	while (!(old & hindrance)) {
		if (__atomic_compare_exchange_n(&sem->count, &old,
						old + RW_READER, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool rw_try_write(struct rw_semaphore *sem)
{
	unsigned long old = READ_ONCE(sem->count);

	while (!(old & ~RW_WAITERS)) {
		if (__atomic_compare_exchange_n(&sem->count, &old,
						old | RW_WRITER, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* Hands the semaphore to those at the head of the list.  wait_lock is held. */
static void rw_grant(struct rw_semaphore *sem)
{
	struct waiter *w;

	while (!list_empty(&sem->wait_list)) {
		w = list_first_entry(&sem->wait_list, struct waiter, entry);
		if (w->write ? !rw_try_write(sem) :
			       !rw_try_read(sem, RW_WRITER))
			return;
		list_del(&w->entry);
		w->granted = true;
		shim_unpark(w->task);
	}
	__atomic_fetch_and(&sem->count, ~RW_WAITERS, __ATOMIC_RELAXED);
}

static int rw_wait(struct rw_semaphore *sem, struct shim_task *self,
		   bool write, bool killable)
{
	struct waiter w = { .task = self, .write = write };
	int ret = 0;

	self->wait_what = sem->dep_map.name;
	self->wait_file = write ? "rwsem write" : "rwsem read";
	raw_lock(&sem->wait_lock);
	list_add_tail(&w.entry, &sem->wait_list);
	__atomic_fetch_or(&sem->count, RW_WAITERS, __ATOMIC_RELAXED);
	rw_grant(sem);
	while (!w.granted) {
		if (killable && READ_ONCE(self->killed)) {
			list_del(&w.entry);
			rw_grant(sem);
			ret = -EINTR;
			break;
		}
		raw_unlock(&sem->wait_lock);
		shim_park(0);
		raw_lock(&sem->wait_lock);
	}
	raw_unlock(&sem->wait_lock);
	self->wait_what = NULL;
	return ret;
}

static int down_common(struct rw_semaphore *sem, int subclass, bool write,
		       bool killable, const void *ip)
{
	struct shim_task *self = shim_me();
	unsigned long old = 0;
	bool done;
	int ret = 0;

	shim_check_sleep(self, write ? "down_write()" : "down_read()");
	shim_dep_acquire(self, &sem->dep_map, subclass,
			 write ? 0 : SHIM_HELD_READ, ip);
	shim_preempt();
	if (write)
		done = __atomic_compare_exchange_n(&sem->count, &old,
						   RW_WRITER, false,
						   __ATOMIC_ACQUIRE,
						   __ATOMIC_RELAXED);
	else
		done = rw_try_read(sem, RW_WRITER | RW_WAITERS);
	if (!done)
		ret = rw_wait(sem, self, write, killable);
	if (ret)
		shim_dep_release(self, &sem->dep_map);
	else if (write)
		WRITE_ONCE(sem->owner, self);
	return ret;
}

void down_read_nested(struct rw_semaphore *sem, int subclass)
{
	down_common(sem, subclass, false, false, __builtin_return_address(0));
}

void down_write_nested(struct rw_semaphore *sem, int subclass)
{
	down_common(sem, subclass, true, false, __builtin_return_address(0));
}

int down_read_killable_nested(struct rw_semaphore *sem, int subclass)
{
	return down_common(sem, subclass, false, true,
			   __builtin_return_address(0));
}

int down_write_killable_nested(struct rw_semaphore *sem, int subclass)
{
	return down_common(sem, subclass, true, true,
			   __builtin_return_address(0));
}

int down_read_trylock(struct rw_semaphore *sem)
{
	shim_preempt();
	if (!rw_try_read(sem, RW_WRITER | RW_WAITERS))
		return 0;
	shim_dep_acquire(shim_me(), &sem->dep_map, 0,
			 SHIM_HELD_TRY | SHIM_HELD_READ,
			 __builtin_return_address(0));
	return 1;
}

int down_write_trylock(struct rw_semaphore *sem)
{
	struct shim_task *self = shim_me();
	unsigned long old = 0;

	shim_preempt();
	if (!__atomic_compare_exchange_n(&sem->count, &old, RW_WRITER, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return 0;
	shim_dep_acquire(self, &sem->dep_map, 0, SHIM_HELD_TRY,
			 __builtin_return_address(0));
	WRITE_ONCE(sem->owner, self);
	return 1;
}

static void rw_release(struct rw_semaphore *sem, unsigned long what)
{
	unsigned long left;

	left = __atomic_sub_fetch(&sem->count, what, __ATOMIC_RELEASE);
	if (unlikely(left & RW_WAITERS) && left < 2 * RW_READER) {
		raw_lock(&sem->wait_lock);
		rw_grant(sem);
		raw_unlock(&sem->wait_lock);
	}
	shim_preempt();
}

void up_read(struct rw_semaphore *sem)
{
	struct shim_task *self = shim_me();

	if (unlikely(shim_lock_held(&sem->dep_map) != 2))
		shim_fail("up_read() of %s by a task that does not hold it for reading",
			  sem->dep_map.name ? sem->dep_map.name : "?");
	shim_dep_release(self, &sem->dep_map);
	rw_release(sem, RW_READER);
}

void up_write(struct rw_semaphore *sem)
{
	struct shim_task *self = shim_me();

	if (unlikely(READ_ONCE(sem->owner) != self))
		shim_fail("up_write() of %s by a task that does not own it",
			  sem->dep_map.name ? sem->dep_map.name : "?");
	shim_dep_release(self, &sem->dep_map);
	WRITE_ONCE(sem->owner, NULL);
	rw_release(sem, RW_WRITER);
}

void downgrade_write(struct rw_semaphore *sem)
{
	struct shim_task *self = shim_me();

	if (unlikely(READ_ONCE(sem->owner) != self))
		shim_fail("downgrade_write() of %s by a task that does not own it",
			  sem->dep_map.name ? sem->dep_map.name : "?");
	shim_dep_set_read(self, &sem->dep_map);
	WRITE_ONCE(sem->owner, NULL);
	__atomic_add_fetch(&sem->count, RW_READER, __ATOMIC_RELAXED);
	rw_release(sem, RW_WRITER);
}

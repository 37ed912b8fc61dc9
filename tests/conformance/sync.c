/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conformance: locks, atomics, waiting, time.  Contexts at the same time are
 * works of one queue.
 */
#include <linux/kernel.h>
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "conf.h"

#define NR_WORKS 6

struct state {
	struct workqueue_struct *wq;
	struct work_struct works[NR_WORKS];
	struct mutex mutex;
	struct rw_semaphore sem;
	spinlock_t spin;
	wait_queue_head_t queue;
	struct completion comp;
	atomic_t inside;
	atomic_t ended;
	atomic_t most;
	int counter;
	int flag;
};

static struct state st;

static int begin(work_func_t fn)
{
	int i;

	st.wq = alloc_workqueue("conf_sync", WQ_UNBOUND, NR_WORKS);
	if (!st.wq)
		return -ENOMEM;
	mutex_init(&st.mutex);
	init_rwsem(&st.sem);
	spin_lock_init(&st.spin);
	init_waitqueue_head(&st.queue);
	init_completion(&st.comp);
	atomic_set(&st.inside, 0);
	atomic_set(&st.ended, 0);
	atomic_set(&st.most, 0);
	st.counter = 0;
	st.flag = 0;
	for (i = 0; i < NR_WORKS; i++)
		INIT_WORK(&st.works[i], fn);
	return 0;
}

static void queue_all(void)
{
	int i;

	for (i = 0; i < NR_WORKS; i++)
		queue_work(st.wq, &st.works[i]);
}

static void end(void)
{
	destroy_workqueue(st.wq);
}

static void mutex_work(struct work_struct *work)
{
	int i;

	for (i = 0; i < 50; i++) {
		mutex_lock(&st.mutex);
		if (atomic_inc_return(&st.inside) != 1)
			st.flag = 1;
		st.counter++;
		if (i % 10 == 0)
			msleep(1);
		atomic_dec(&st.inside);
		mutex_unlock(&st.mutex);
	}
}

static int mutexes(void)
{
	CHECK(!begin(mutex_work));
	CHECK(!mutex_is_locked(&st.mutex));
	CHECK(mutex_trylock(&st.mutex) && mutex_is_locked(&st.mutex));
	lockdep_assert_held(&st.mutex);
	mutex_unlock(&st.mutex);
	CHECK(!mutex_lock_killable(&st.mutex));
	mutex_unlock(&st.mutex);
	queue_all();
	flush_workqueue(st.wq);
	CHECK(st.counter == 50 * NR_WORKS && !st.flag);
	end();
	mutex_destroy(&st.mutex);
	return 0;
}

static void trylock_work(struct work_struct *work)
{
	if (mutex_trylock(&st.mutex)) {
		st.flag = 1;
		mutex_unlock(&st.mutex);
	}
	if (down_read_trylock(&st.sem)) {
		st.flag = 2;
		up_read(&st.sem);
	}
	if (down_write_trylock(&st.sem)) {
		st.flag = 3;
		up_write(&st.sem);
	}
	atomic_inc(&st.ended);
	wake_up(&st.queue);
}

static int trylocks(void)
{
	CHECK(!begin(trylock_work));
	mutex_lock(&st.mutex);
	down_write(&st.sem);
	lockdep_assert_held_write(&st.sem);
	CHECK(rwsem_is_locked(&st.sem));
	queue_work(st.wq, &st.works[0]);
	wait_event_timeout(st.queue, atomic_read(&st.ended), HZ);
	up_write(&st.sem);
	mutex_unlock(&st.mutex);
	end();
	CHECK(!st.flag);
	return 0;
}

static void rwsem_work(struct work_struct *work)
{
	bool write = work == &st.works[0] || work == &st.works[1];
	int i;

	for (i = 0; i < 40; i++) {
		if (write) {
			down_write(&st.sem);
			if (atomic_add_return(1000, &st.inside) != 1000)
				st.flag = 1;
			st.counter++;
			cond_resched();
			atomic_sub(1000, &st.inside);
			if (i % 2) {
				downgrade_write(&st.sem);
				up_read(&st.sem);
			} else {
				up_write(&st.sem);
			}
		} else {
			down_read(&st.sem);
			if (atomic_inc_return(&st.inside) >= 1000)
				st.flag = 2;
			if (i % 16 == 0)
				msleep(1);
			if (atomic_read(&st.inside) > atomic_read(&st.most))
				atomic_set(&st.most, atomic_read(&st.inside));
			atomic_dec(&st.inside);
			up_read(&st.sem);
		}
	}
}

static int rwsems(void)
{
	CHECK(!begin(rwsem_work));
	CHECK(down_read_trylock(&st.sem) && rwsem_is_locked(&st.sem));
	up_read(&st.sem);
	CHECK(down_write_trylock(&st.sem));
	up_write(&st.sem);
	CHECK(!down_write_killable(&st.sem));
	downgrade_write(&st.sem);
	lockdep_assert_held(&st.sem);
	up_read(&st.sem);
	CHECK(!rwsem_is_locked(&st.sem));
	queue_all();
	flush_workqueue(st.wq);
	CHECK(st.counter == 80 && !st.flag);
	CHECK(atomic_read(&st.most) > 1);
	end();
	return 0;
}

static void spin_work(struct work_struct *work)
{
	int i;

	for (i = 0; i < 500; i++) {
		spin_lock(&st.spin);
		if (atomic_inc_return(&st.inside) != 1)
			st.flag = 1;
		st.counter++;
		atomic_dec(&st.inside);
		spin_unlock(&st.spin);
	}
}

static int spinlocks(void)
{
	CHECK(!begin(spin_work));
	CHECK(spin_trylock(&st.spin));
	spin_unlock(&st.spin);
	queue_all();
	flush_workqueue(st.wq);
	CHECK(st.counter == 500 * NR_WORKS && !st.flag);
	end();
	return 0;
}

static void atomic_work(struct work_struct *work)
{
	int i;

	for (i = 0; i < 500; i++) {
		atomic_inc(&st.inside);
		if (atomic_inc_return(&st.ended) == 77)
			atomic_inc(&st.most);
	}
}

static int atomics(void)
{
	atomic64_t a = ATOMIC64_INIT(5);
	atomic_t b = ATOMIC_INIT(1);
	atomic_t zero = ATOMIC_INIT(0);
	unsigned long word = 3;
	s64 old = 6;

	CHECK(atomic64_read(&a) == 5 && atomic64_inc_return(&a) == 6);
	CHECK(atomic64_add_return(4, &a) == 10 && atomic64_sub_return(4, &a) == 6);
	CHECK(atomic64_fetch_add(1, &a) == 6 && atomic64_dec_return(&a) == 6);
	CHECK(atomic64_cmpxchg(&a, 5, 9) == 6 && atomic64_cmpxchg(&a, 6, 9) == 6);
	CHECK(!atomic64_try_cmpxchg(&a, &old, 1) && old == 9);
	CHECK(atomic64_try_cmpxchg(&a, &old, S64_MAX));
	CHECK(atomic64_xchg(&a, -1) == S64_MAX && atomic64_read(&a) == -1);
	CHECK(atomic64_inc_and_test(&a));
	atomic64_set(&a, 2);
	CHECK(!atomic64_dec_and_test(&a) && atomic64_dec_and_test(&a));
	CHECK(!atomic_inc_not_zero(&zero));
	CHECK(atomic_add_unless(&b, 2, 7) && atomic_read(&b) == 3);
	CHECK(!atomic_add_unless(&b, 1, 3) && atomic_read(&b) == 3);
	CHECK(atomic_fetch_or(12, &b) == 3 && atomic_fetch_and(6, &b) == 15);
	CHECK(atomic_read(&b) == 6 && atomic_sub_and_test(6, &b));
	CHECK(atomic_dec_if_positive(&b) == -1 && atomic_read(&b) == 0);
	CHECK(cmpxchg(&word, 3, 4) == 3 && xchg(&word, 9) == 4 && word == 9);
	smp_store_release(&word, 11);
	CHECK(smp_load_acquire(&word) == 11 && READ_ONCE(word) == 11);
	smp_mb();
	CHECK(!begin(atomic_work));
	queue_all();
	flush_workqueue(st.wq);
	CHECK(atomic_read(&st.inside) == 500 * NR_WORKS);
	CHECK(atomic_read(&st.most) == 1);
	end();
	return 0;
}

static int refcounts(void)
{
	struct mutex lock;
	refcount_t r;

	mutex_init(&lock);
	refcount_set(&r, 1);
	refcount_inc(&r);
	CHECK(refcount_read(&r) == 2 && refcount_inc_not_zero(&r));
	refcount_dec(&r);
	CHECK(!refcount_dec_and_test(&r));
	CHECK(refcount_dec_and_mutex_lock(&r, &lock));
	mutex_unlock(&lock);
	CHECK(!refcount_inc_not_zero(&r) && refcount_read(&r) == 0);
	refcount_set(&r, 1);
	CHECK(refcount_dec_if_one(&r) && !refcount_read(&r));
	return 0;
}

static void set_flag_work(struct work_struct *work)
{
	msleep(20);
	WRITE_ONCE(st.flag, 1);
	wake_up(&st.queue);
}

static void wait_work(struct work_struct *work)
{
	wait_event(st.queue, READ_ONCE(st.flag));
	atomic_inc(&st.ended);
}

static int waits(void)
{
	long left;
	int i;

	CHECK(!begin(wait_work));
	CHECK(!waitqueue_active(&st.queue));
	queue_all();
	CHECK(wait_event_timeout(st.queue, READ_ONCE(st.flag), HZ / 20) == 0);
	CHECK(atomic_read(&st.ended) == 0);
	WRITE_ONCE(st.flag, 1);
	wake_up_all(&st.queue);
	flush_workqueue(st.wq);
	CHECK(atomic_read(&st.ended) == NR_WORKS);
	/* true at once: everything is left, at least one */
	CHECK(wait_event_timeout(st.queue, true, 1234) == 1234);
	CHECK(wait_event_timeout(st.queue, true, 0) == 1);
	CHECK(wait_event_timeout(st.queue, false, 0) == 0);
	CHECK(wait_event_killable(st.queue, true) == 0);
	CHECK(wait_event_killable_timeout(st.queue, false, 2) == 0);
	for (i = 0; i < 3; i++) {
		WRITE_ONCE(st.flag, 0);
		INIT_WORK(&st.works[0], set_flag_work);
		queue_work(st.wq, &st.works[0]);
		left = wait_event_timeout(st.queue, READ_ONCE(st.flag), 100 * HZ);
		CHECK(left > 0 && left <= 100 * HZ);
		flush_work(&st.works[0]);
	}
	/* true when the time is over, though nobody woke us */
	left = jiffies + HZ / 50;
	CHECK(wait_event_timeout(st.queue, time_after_eq(jiffies,
				 (unsigned long)left), HZ / 20) == 1);
	end();
	return 0;
}

static void complete_work(struct work_struct *work)
{
	msleep(10);
	complete(&st.comp);
}

static void wait_comp_work(struct work_struct *work)
{
	wait_for_completion(&st.comp);
	atomic_inc(&st.ended);
}

static int completions(void)
{
	unsigned long left;
	int i;

	CHECK(!begin(complete_work));
	CHECK(!completion_done(&st.comp) && !try_wait_for_completion(&st.comp));
	CHECK(wait_for_completion_timeout(&st.comp, HZ / 50) == 0);
	complete(&st.comp);
	complete(&st.comp);
	CHECK(completion_done(&st.comp));
	wait_for_completion(&st.comp);
	CHECK(try_wait_for_completion(&st.comp));
	CHECK(!try_wait_for_completion(&st.comp));
	queue_work(st.wq, &st.works[0]);
	left = wait_for_completion_timeout(&st.comp, 100 * HZ);
	CHECK(left > 0 && left <= 100 * HZ);
	queue_work(st.wq, &st.works[1]);
	CHECK(!wait_for_completion_killable(&st.comp));
	flush_workqueue(st.wq);
	for (i = 0; i < NR_WORKS; i++)
		INIT_WORK(&st.works[i], wait_comp_work);
	queue_all();
	for (i = 1; i <= 3; i++) {
		complete(&st.comp);
		while (atomic_read(&st.ended) < i)
			msleep(1);
	}
	msleep(5);
	CHECK(atomic_read(&st.ended) == 3);
	complete_all(&st.comp);
	flush_workqueue(st.wq);
	CHECK(atomic_read(&st.ended) == NR_WORKS);
	wait_for_completion(&st.comp);
	wait_for_completion(&st.comp);
	CHECK(completion_done(&st.comp));
	reinit_completion(&st.comp);
	CHECK(!completion_done(&st.comp));
	end();
	return 0;
}

static int times(void)
{
	unsigned long before = jiffies;
	u64 ns = ktime_get_ns();

	msleep(30);
	CHECK(time_after(jiffies, before));
	CHECK(time_after_eq(jiffies, before + msecs_to_jiffies(29)));
	CHECK(ktime_get_ns() - ns >= 30 * NSEC_PER_MSEC);
	CHECK(time_before(before, jiffies) && time_before_eq(before, before));
	CHECK(time_after(0UL, ULONG_MAX) && time_before(ULONG_MAX, 0UL));
	CHECK(time_in_range(5UL, 1UL, 5UL));
	CHECK(msecs_to_jiffies(1000) == HZ && jiffies_to_msecs(HZ) == 1000);
	CHECK(msecs_to_jiffies(0) == 0 && msecs_to_jiffies(1) >= 1);
	CHECK(msecs_to_jiffies(-1) == MAX_JIFFY_OFFSET);
	CHECK(ktime_to_ms(ms_to_ktime(5)) == 5);
	ns = ktime_get_ns();
	usleep_range(100, 200);
	CHECK(ktime_get_ns() - ns >= 100000);
	CHECK(current == current && current);
	return 0;
}

const struct conf_case conf_sync[] = {
	{ "mutexes", mutexes },
	{ "try-locks", trylocks },
	{ "read-write semaphores", rwsems },
	{ "spinlocks", spinlocks },
	{ "atomics", atomics },
	{ "reference counts", refcounts },
	{ "wait queues", waits },
	{ "completions", completions },
	{ "time", times },
	{ NULL, NULL },
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the shim does not let pass.  Each case breaks one rule and has to end
 * the program; strict_run.c starts the cases and looks at the message.  Cases
 * that only the fiber backend (or a strict thread backend) can see are not
 * listed where shim_strict is not set.
 */
#include <linux/kernel.h>
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "shim/shim.h"

extern const int shim_strict;

static DEFINE_MUTEX(ma);
static DEFINE_MUTEX(mb);
static DEFINE_SPINLOCK(sa);
static DECLARE_RWSEM(ra);
static DECLARE_WAIT_QUEUE_HEAD(queue);
static struct workqueue_struct *wq;
static struct work_struct work;
static struct delayed_work dwork;

static void unlock_ma(void *arg)
{
	mutex_unlock(&ma);
}

static void up_ra(void *arg)
{
	up_write(&ra);
}

static void in_task(void (*fn)(void *arg))
{
	shim_join(shim_go("other", fn, NULL));
}

/* ---- locks -------------------------------------------------------------- */

static void lock_order(void)
{
	mutex_lock(&ma);
	mutex_lock(&mb);
	mutex_unlock(&mb);
	mutex_unlock(&ma);
	mutex_lock(&mb);
	mutex_lock(&ma);
}

static void lock_order_of_three(void)
{
	mutex_lock(&ma);
	down_read(&ra);
	up_read(&ra);
	mutex_unlock(&ma);
	down_write(&ra);
	mutex_lock(&mb);
	mutex_unlock(&mb);
	up_write(&ra);
	mutex_lock(&mb);
	mutex_lock(&ma);
}

static void init_two(struct mutex *m)
{
	int i;

	for (i = 0; i < 2; i++)
		mutex_init(&m[i]);
}

static void one_class(void)
{
	struct mutex m[2];

	init_two(m);
	mutex_lock(&m[0]);
	mutex_lock(&m[1]);
}

static void one_class_nested(void)
{
	struct mutex m[2];

	init_two(m);
	mutex_lock(&m[0]);
	mutex_lock_nested(&m[1], SINGLE_DEPTH_NESTING);
	mutex_unlock(&m[1]);
	mutex_unlock(&m[0]);
}

static void pseudo_lock_order(void)
{
	static struct lock_class_key key;
	struct lockdep_map map;

	lockdep_init_map(&map, "pseudo", &key, 0);
	lock_map_acquire(&map);
	mutex_lock(&ma);
	mutex_unlock(&ma);
	lock_map_release(&map);
	mutex_lock(&ma);
	lock_map_acquire(&map);
}

static void recursive_mutex(void)
{
	mutex_lock(&ma);
	mutex_lock(&ma);
}

static void recursive_read(void)
{
	down_read(&ra);
	down_read(&ra);
}

static void recursive_spinlock(void)
{
	spin_lock(&sa);
	spin_lock(&sa);
}

static void foreign_unlock(void)
{
	mutex_lock(&ma);
	in_task(unlock_ma);
}

static void foreign_up(void)
{
	down_write(&ra);
	in_task(up_ra);
}

static void unlock_unlocked(void)
{
	mutex_unlock(&ma);
}

static void up_read_of_writer(void)
{
	down_write(&ra);
	up_read(&ra);
}

static void uninitialised_mutex(void)
{
	struct mutex m;

	memset(&m, 0, sizeof(m));
	mutex_lock(&m);
}

static void destroy_locked(void)
{
	struct mutex m;

	mutex_init(&m);
	mutex_lock(&m);
	mutex_destroy(&m);
}

static void assert_held(void)
{
	lockdep_assert_held(&ma);
}

static void assert_held_write(void)
{
	down_read(&ra);
	lockdep_assert_held_write(&ra);
}

static void end_with_lock_fn(void *arg)
{
	mutex_lock(&ma);
}

static void end_with_lock(void)
{
	in_task(end_with_lock_fn);
}

/* ---- sleeping where it is not allowed ----------------------------------- */

static void mutex_in_atomic(void)
{
	spin_lock(&sa);
	mutex_lock(&ma);
}

static void sleep_in_atomic(void)
{
	spin_lock(&sa);
	msleep(1);
}

static void wait_in_atomic(void)
{
	spin_lock(&sa);
	wait_event(queue, true);
}

static void resched_in_atomic(void)
{
	spin_lock(&sa);
	cond_resched();
}

static void alloc_in_atomic(void)
{
	spin_lock(&sa);
	kmalloc(1, GFP_NOFS);
}

static bool blocking_condition(void)
{
	mutex_lock(&ma);
	mutex_unlock(&ma);
	return true;
}

static void blocking_in_wait(void)
{
	wait_event(queue, blocking_condition());
}

static bool allocating_condition(void)
{
	kfree(kmalloc(1, GFP_NOFS));
	return true;
}

static void alloc_in_wait(void)
{
	wait_event(queue, allocating_condition());
}

static bool spinning_condition(void)
{
	spin_lock(&sa);
	spin_unlock(&sa);
	return true;
}

static void spin_in_wait(void)
{
	wait_event(queue, spinning_condition());
}

/* ---- deadlocks and the like --------------------------------------------- */

static void lost_wakeup(void)
{
	wait_event(queue, false);
}

static void self_flush_fn(struct work_struct *w)
{
	flush_work(w);
}

static void flush_from_itself(void)
{
	wq = alloc_workqueue("strict", 0, 0);
	INIT_WORK(&work, self_flush_fn);
	queue_work(wq, &work);
	flush_work(&work);
}

static void lock_fn(struct work_struct *w)
{
	mutex_lock(&ma);
	mutex_unlock(&ma);
}

/* a deadlock if the work had been a little later */
static void flush_under_lock(void)
{
	wq = alloc_workqueue("strict", 0, 0);
	INIT_WORK(&work, lock_fn);
	queue_work(wq, &work);
	flush_work(&work);
	mutex_lock(&ma);
	queue_work(wq, &work);
	flush_work(&work);
}

static void keep_lock_fn(struct work_struct *w)
{
	mutex_lock(&ma);
}

static void work_keeps_lock(void)
{
	wq = alloc_workqueue("strict", 0, 0);
	INIT_WORK(&work, keep_lock_fn);
	queue_work(wq, &work);
	flush_work(&work);
}

static void nothing_fn(struct work_struct *w)
{
}

static void uninitialised_work(void)
{
	wq = alloc_workqueue("strict", 0, 0);
	queue_work(wq, &work);
}

static void destroy_with_timer(void)
{
	wq = alloc_workqueue("strict", 0, 0);
	INIT_DELAYED_WORK(&dwork, nothing_fn);
	queue_delayed_work(wq, &dwork, 1000);
	destroy_workqueue(wq);
}

static void queue_left(void)
{
	wq = alloc_workqueue("strict", 0, 0);
}

static void reclaim_fn(struct work_struct *w)
{
	struct workqueue_struct *other = alloc_workqueue("other", 0, 0);

	flush_workqueue(other);
}

static void flush_without_reclaim(void)
{
	wq = alloc_workqueue("strict", WQ_MEM_RECLAIM, 0);
	INIT_WORK(&work, reclaim_fn);
	queue_work(wq, &work);
	flush_work(&work);
}

static void sleeping_task(void *arg)
{
	msleep(100);
}

static void task_left(void)
{
	shim_go("left", sleeping_task, NULL);
}

static noinline int deep(int n)
{
	volatile char frame[512];

	frame[0] = n;
	/* all of it is needed */
	__asm__ __volatile__("" : : "r"(frame) : "memory");
	shim_yield();
	return n ? deep(n - 1) + frame[0] : 0;
}

static void deep_stack(void)
{
	deep(200);
}

static void hung_task(void)
{
	mutex_lock(&ma);
	shim_go("victim", end_with_lock_fn, NULL);
	for (;;)
		msleep(1000);
}

/* ---- memory ------------------------------------------------------------- */

static void double_free(void)
{
	void *p = kmalloc(50, GFP_NOFS);

	kfree(p);
	kfree(p);
}

static void foreign_free(void)
{
	static u64 block[40];

	kfree(block + 20);
}

static void kfree_of_kv(void)
{
	kfree(kvmalloc(100, GFP_NOFS));
}

static void write_behind(void)
{
	char *p = kmalloc(50, GFP_NOFS);

	*(volatile char *)(p + 50) = 1;
	kfree(p);
}

static void write_after_free(void)
{
	volatile char *p = kmalloc(50, GFP_NOFS);

	kfree((void *)p);
	p[10] = 1;
}

static void leak(void)
{
	*(void *volatile *)&wq = kmalloc(50, GFP_NOFS);
}

static void gfp_kernel(void)
{
	kmalloc(50, GFP_KERNEL);
}

static void gfp_kernel_allowed(void)
{
	unsigned int flags = memalloc_nofs_save();

	kfree(kmalloc(50, GFP_KERNEL));
	memalloc_nofs_restore(flags);
	shim_allow_gfp_kernel_begin();
	kfree(kmalloc(50, GFP_KERNEL));
	shim_allow_gfp_kernel_end();
}

static void too_large(void)
{
	kmalloc(KMALLOC_MAX_SIZE + 1, GFP_NOFS);
}

static void nofs_unbalanced(void)
{
	unsigned int a = memalloc_nofs_save();

	memalloc_nofs_save();
	memalloc_nofs_restore(a);
}

static void nth_fails(void)
{
	void *p;

	shim_alloc_fail_nth(2);
	p = kmalloc(1, GFP_NOFS);
	BUG_ON(!p || kmalloc(1, GFP_NOFS));
	kfree(p);
	p = kmalloc(1, GFP_NOFS);
	BUG_ON(!p);
	kfree(p);
	shim_alloc_fail_from(1);
	BUG_ON(kmalloc(1, GFP_NOFS) || kmalloc(1, GFP_NOFS));
	shim_nofail_begin();
	p = kmalloc(1, GFP_NOFS);
	BUG_ON(!p);
	kfree(p);
	shim_nofail_end();
	p = kmalloc(1, GFP_NOFS | __GFP_NOFAIL);
	BUG_ON(!p);
	kfree(p);
	BUG_ON(shim_alloc_failed() != 3);
	shim_alloc_fail_nth(0);
}

/* ---- others ------------------------------------------------------------- */

static void bug_on(void)
{
	BUG_ON(shim_strict < 2);
}

static void warn_on(void)
{
	if (WARN_ON_ONCE(shim_strict < 2))
		shim_exit(0);
}

static void refcount_of_nothing(void)
{
	refcount_t r = REFCOUNT_INIT(0);

	refcount_inc(&r);
}

static void refcount_below_zero(void)
{
	refcount_t r = REFCOUNT_INIT(1);

	if (refcount_dec_and_test(&r) && refcount_dec_and_test(&r))
		shim_exit(0);
}

static void list_add_twice(void)
{
	LIST_HEAD(head);
	struct list_head e;

	list_add(&e, &head);
	list_add(&e, &head);
}

static void list_del_twice(void)
{
	LIST_HEAD(head);
	struct list_head e;

	list_add(&e, &head);
	list_del(&e);
	list_del(&e);
}

static void reinit_with_waiter_fn(void *arg)
{
	wait_for_completion((struct completion *)arg);
}

static void reinit_with_waiter(void)
{
	static DECLARE_COMPLETION(comp);

	shim_go("waiter", reinit_with_waiter_fn, &comp);
	msleep(30);
	reinit_completion(&comp);
}

static void killed_fn(void *arg)
{
	BUG_ON(wait_event_killable(queue, false) != -ERESTARTSYS);
	BUG_ON(mutex_lock_killable(&ma) != -EINTR);
	BUG_ON(down_read_killable(&ra) != -EINTR);
	BUG_ON(down_write_killable(&ra) != -EINTR);
}

static void killed(void)
{
	struct shim_task *t;

	mutex_lock(&ma);
	down_write(&ra);
	t = shim_go("victim", killed_fn, NULL);
	msleep(10);
	shim_task_kill(t, 1);
	shim_join(t);
	up_write(&ra);
	mutex_unlock(&ma);
}

enum {
	ANY,
	STRICT,		/* needs shim_strict */
	FIBER,		/* needs the fiber backend */
	NOT_ASAN,	/* AddressSanitizer says it in its own words */
};

#ifdef __SANITIZE_ADDRESS__
#define SKIP_ASAN 1
#else
#define SKIP_ASAN 0
#endif

static const struct strict_case {
	const char *name;
	void (*fn)(void);
	int needs;
	const char *message;
} cases[] = {
	{ "lock-order", lock_order, STRICT, "lock order: takes ma" },
	{ "lock-order-of-three", lock_order_of_three, STRICT,
	  "lock order: takes ma" },
	{ "one-class", one_class, STRICT, "two locks of one class" },
	{ "one-class-nested", one_class_nested, ANY, "-" },
	{ "pseudo-lock-order", pseudo_lock_order, STRICT,
	  "lock order: takes pseudo" },
	{ "recursive-mutex", recursive_mutex, ANY, "recursive lock: ma" },
	{ "recursive-read", recursive_read, ANY, "recursive lock: ra" },
	{ "recursive-spinlock", recursive_spinlock, ANY, "recursive lock: sa" },
	{ "foreign-unlock", foreign_unlock, ANY, "does not own it" },
	{ "foreign-up", foreign_up, ANY, "does not own it" },
	{ "unlock-unlocked", unlock_unlocked, ANY, "does not own it" },
	{ "up-read-of-writer", up_read_of_writer, ANY, "for reading" },
	{ "uninitialised-mutex", uninitialised_mutex, STRICT,
	  "never initialised" },
	{ "destroy-locked", destroy_locked, ANY, "while it is locked" },
	{ "assert-held", assert_held, ANY, "lock ma is not held" },
	{ "assert-held-write", assert_held_write, ANY, "for writing" },
	{ "end-with-lock", end_with_lock, ANY, "ends with ma held" },
	{ "mutex-in-atomic", mutex_in_atomic, ANY, "a spinlock is held" },
	{ "sleep-in-atomic", sleep_in_atomic, ANY, "a spinlock is held" },
	{ "wait-in-atomic", wait_in_atomic, ANY, "a spinlock is held" },
	{ "resched-in-atomic", resched_in_atomic, ANY, "a spinlock is held" },
	{ "alloc-in-atomic", alloc_in_atomic, ANY, "a spinlock is held" },
	{ "blocking-in-wait", blocking_in_wait, ANY, "condition of a wait" },
	{ "alloc-in-wait", alloc_in_wait, ANY, "condition of a wait" },
	{ "spin-in-wait", spin_in_wait, ANY, "-" },
	{ "lost-wakeup", lost_wakeup, FIBER, "deadlock: no task can run" },
	{ "flush-from-itself", flush_from_itself, ANY, "from itself" },
	{ "flush-under-lock", flush_under_lock, STRICT, "lock order:" },
	{ "work-keeps-lock", work_keeps_lock, ANY, "returned with a lock" },
	{ "uninitialised-work", uninitialised_work, ANY, "never initialised" },
	{ "destroy-with-timer", destroy_with_timer, ANY, "still runs" },
	{ "queue-left", queue_left, ANY, "workqueue strict is still alive" },
	{ "flush-without-reclaim", flush_without_reclaim, ANY,
	  "(WQ_MEM_RECLAIM) waits for other" },
	{ "task-left", task_left, FIBER, "\"left\" is still alive" },
	{ "deep-stack", deep_stack, FIBER, "too much stack" },
	{ "hung-task", hung_task, FIBER, "has waited for ma" },
	{ "double-free", double_free, NOT_ASAN, "freed before" },
	{ "foreign-free", foreign_free, ANY, "not allocated memory" },
	{ "kfree-of-kv", kfree_of_kv, ANY, "memory from kvmalloc" },
	{ "write-behind", write_behind, NOT_ASAN, "write beyond the 50" },
	{ "write-after-free", write_after_free, NOT_ASAN, "write after free" },
	{ "leak", leak, ANY, "memory is still alive: 1 blocks, 50 bytes" },
	{ "gfp-kernel", gfp_kernel, ANY, "outside of a marked scope" },
	{ "gfp-kernel-allowed", gfp_kernel_allowed, ANY, "-" },
	{ "too-large", too_large, ANY, "allocation of 4194305 bytes" },
	{ "nofs-unbalanced", nofs_unbalanced, ANY, "does not match" },
	{ "nth-fails", nth_fails, ANY, "-" },
	{ "bug-on", bug_on, ANY, "BUG_ON(shim_strict < 2)" },
	{ "warn-on", warn_on, ANY, "WARN_ON(shim_strict < 2)" },
	{ "refcount-of-nothing", refcount_of_nothing, ANY, "BUG_ON" },
	{ "refcount-below-zero", refcount_below_zero, ANY, "BUG_ON" },
	{ "list-add-twice", list_add_twice, ANY, "added twice" },
	{ "list-del-twice", list_del_twice, ANY, "not on a list" },
	{ "reinit-with-waiter", reinit_with_waiter, ANY, "BUG_ON" },
	{ "killed", killed, ANY, "-" },
};

static bool applies(const struct strict_case *c)
{
	bool fiber = shim_steps() != 0;

	switch (c->needs) {
	case STRICT:
		return shim_strict;
	case NOT_ASAN:
		return shim_strict && !SKIP_ASAN;
	case FIBER:
		return fiber;
	default:
		return true;
	}
}

int shim_main(int argc, char **argv)
{
	int i;

	shim_yield();
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (argc < 2) {
			if (applies(&cases[i]))
				shim_printf("%s\t%s\n", cases[i].name,
					    cases[i].message);
		} else if (!strcmp(cases[i].name, argv[1])) {
			cases[i].fn();
			return 0;
		}
	}
	return argc > 1;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workqueues.  One raw lock, wq_lock, guards everything here; it is held for a
 * few instructions and never while a work runs.
 *
 * A queue has a list of pending works and up to max_active workers, made when
 * they are needed.  A work that is running is not run by a second worker: it
 * stays pending until the first one is done.  A work may free itself, so after
 * its function was called it is only compared by address.
 *
 * Each queueing gets a number.  Whoever flushes waits on a struct flusher for
 * everything up to a number, of one work or of one queue; whoever ends a work,
 * or takes it back, looks whether flushers are satisfied.
 *
 * Delayed works wait in a list sorted by time for the one timer task, which is
 * made when first needed and ended at the end of a run.
 */
#include <linux/bug.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include "task.h"
#include "dep.h"

enum work_state {
	WORK_MAGIC = 0x3a710000,
	WORK_PENDING = 1,	/* in a queue or waiting for its time */
	WORK_TIMER = 2,		/* waiting for its time */
};

struct worker {
	struct list_head entry;		/* L: of its queue */
	struct list_head busy_entry;	/* L: of all that run something */
	struct workqueue_struct *wq;	/* I */
	struct shim_task *task;		/* L: set by itself, once */
	struct work_struct *work;	/* L: running now; may be freed */
	u64 seq;			/* L: of that */
	bool idle;			/* L: parked, nobody has woken it */
};

struct workqueue_struct {
	struct list_head pending;	/* L */
	struct list_head workers;	/* L */
	struct list_head entry;		/* L: of all queues */
	struct lockdep_map dep_map;
	struct lock_class_key key;
	unsigned int flags;		/* I */
	int max_active;			/* I */
	int nr_workers;			/* L: made or being made */
	bool draining;			/* L */
	bool dying;			/* L */
	char name[24];			/* I */
};

struct flusher {
	struct list_head entry;		/* L */
	struct shim_task *task;
	const struct work_struct *work;	/* or NULL for the whole queue */
	struct workqueue_struct *wq;
	u64 seq;
	bool done;			/* L */
};

static unsigned int wq_lock;
static u64 last_seq;			/* L(wq_lock) */
static LIST_HEAD(queues);		/* L(wq_lock) */
static LIST_HEAD(busy_workers);		/* L(wq_lock) */
static LIST_HEAD(flushers);		/* L(wq_lock) */
static LIST_HEAD(timers);		/* L(wq_lock): by expires_ns */
static struct shim_task *timer_task;	/* L(wq_lock): set by itself */
static bool timer_made;			/* L(wq_lock): made or being made */
static bool timer_stop;			/* L(wq_lock) */

static void lock_wq(void)
{
	shim_raw_lock_word(&wq_lock);
}

static void unlock_wq(void)
{
	shim_raw_unlock_word(&wq_lock);
}

/* under wq_lock; work_pending() reads without it */
static void set_state(struct work_struct *work, unsigned int state)
{
	WRITE_ONCE(work->state, state);
}

static void check_work(const struct work_struct *work)
{
	if (unlikely((work->state & ~3u) != WORK_MAGIC))
		shim_fail("work %p was never initialised, or its memory was reused",
			  work);
}

void shim_work_init(struct work_struct *work, work_func_t func,
		    const char *name, const struct lock_class_key *key)
{
	memset(work, 0, sizeof(*work));
	work->func = func;
	work->state = WORK_MAGIC;
	INIT_LIST_HEAD(&work->entry);
	lockdep_init_map(&work->dep_map, name, key, 0);
}

void shim_delayed_work_init(struct delayed_work *dwork, work_func_t func,
			    const char *name, const struct lock_class_key *key)
{
	shim_work_init(&dwork->work, func, name, key);
	INIT_LIST_HEAD(&dwork->timer_entry);
	dwork->wq = NULL;
	dwork->expires_ns = 0;
}

/* ---- flushing; wq_lock is held ------------------------------------------ */

static struct worker *find_running(const struct work_struct *work)
{
	struct worker *w;

	list_for_each_entry(w, &busy_workers, busy_entry) {
		if (w->work == work)
			return w;
	}
	return NULL;
}

static bool queue_is_past(struct workqueue_struct *wq, u64 seq)
{
	struct work_struct *work;
	struct worker *w;

	list_for_each_entry(work, &wq->pending, entry) {
		if (work->seq <= seq)
			return false;
	}
	list_for_each_entry(w, &wq->workers, entry) {
		if (w->work && w->seq <= seq)
			return false;
	}
	return true;
}

/* @work's queueing number @seq in @wq was run or taken back */
static void work_ended(const struct work_struct *work,
		       struct workqueue_struct *wq, u64 seq)
{
	struct flusher *f;
	struct flusher *tmp;

	list_for_each_entry_safe(f, tmp, &flushers, entry) {
		if (f->work ? f->work != work || f->seq > seq :
			      f->wq != wq || !queue_is_past(wq, f->seq))
			continue;
		list_del_init(&f->entry);
		f->done = true;
		shim_unpark(f->task);
	}
}

/* lets go of wq_lock to wait, and comes back with it */
static void wait_flushed(struct flusher *f, const char *what)
{
	struct shim_task *self = shim_me();

	f->task = self;
	f->done = false;
	list_add_tail(&f->entry, &flushers);
	while (!f->done) {
		unlock_wq();
		self->wait_what = what;
		self->wait_file = "workqueue";
		shim_park(0);
		self->wait_what = NULL;
		lock_wq();
	}
}

/* ---- workers ------------------------------------------------------------ */

/* the first pending work that nobody runs, or NULL */
static struct work_struct *next_work(struct workqueue_struct *wq)
{
	struct work_struct *work;

	list_for_each_entry(work, &wq->pending, entry) {
		if (!find_running(work))
			return work;
	}
	return NULL;
}

static void check_after_work(struct worker *w, work_func_t func,
			     unsigned int nr_held)
{
	struct shim_task *self = w->task;

	if (self->nr_held != nr_held || self->atomic || self->nofs ||
	    self->gfp_kernel_ok)
		shim_fail("a work (%p) of %s returned with a lock or an allocation scope",
			  func, w->wq->name);
}

/* wq_lock is held, and is again afterwards */
static void run_work(struct worker *w, struct work_struct *work)
{
	struct lockdep_map map = work->dep_map;
	work_func_t func = work->func;
	struct shim_task *self = w->task;

	list_del_init(&work->entry);
	w->work = work;
	w->seq = work->seq;
	set_state(work, work->state & ~WORK_PENDING);
	list_add(&w->busy_entry, &busy_workers);
	unlock_wq();

	shim_preempt();
	shim_dep_acquire(self, &w->wq->dep_map, 0, 0, func);
	shim_dep_acquire(self, &map, 0, 0, func);
	func(work);
	check_after_work(w, func, 2);
	shim_dep_release(self, &map);
	shim_dep_release(self, &w->wq->dep_map);
	shim_preempt();

	lock_wq();
	list_del(&w->busy_entry);
	w->work = NULL;
	work_ended(work, w->wq, w->seq);
}

static void worker_fn(void *arg)
{
	struct worker *w = arg;
	struct workqueue_struct *wq = w->wq;
	struct work_struct *work;

	lock_wq();
	w->task = shim_me();
	w->task->worker = w;
	for (;;) {
		work = next_work(wq);
		if (work) {
			run_work(w, work);
			continue;
		}
		if (wq->dying)
			break;
		w->idle = true;
		w->task->idle = true;
		unlock_wq();
		shim_park(0);
		lock_wq();
		w->idle = false;
		w->task->idle = false;
	}
	unlock_wq();
	w->task->worker = NULL;
}

static void make_worker(struct workqueue_struct *wq)
{
	struct worker *w = shim_os_malloc(sizeof(*w));

	BUG_ON(!w);
	memset(w, 0, sizeof(*w));
	w->wq = wq;
	lock_wq();
	list_add_tail(&w->entry, &wq->workers);
	unlock_wq();
	/* it says itself who it is: @wq may be destroyed when we come back */
	shim_backend_go(wq->name, worker_fn, w);
}

/* Returns whether a worker has to be made once wq_lock is let go. */
static bool wake_worker(struct workqueue_struct *wq)
{
	struct worker *w;

	list_for_each_entry(w, &wq->workers, entry) {
		if (w->idle) {
			w->idle = false;
			shim_unpark(w->task);
			return false;
		}
	}
	if (wq->nr_workers >= wq->max_active)
		return false;
	wq->nr_workers++;
	return true;
}

/* ---- queueing ----------------------------------------------------------- */

/* wq_lock is held; the work is not pending */
static bool insert_work(struct workqueue_struct *wq, struct work_struct *work)
{
	const struct worker *self = shim_me()->worker;

	if (wq->dying || (wq->draining && !(self && self->wq == wq)))
		shim_fail("work %s queued on workqueue %s, which is being destroyed or drained",
			  work->dep_map.name, wq->name);
	set_state(work, work->state | WORK_PENDING);
	work->wq = wq;
	work->seq = ++last_seq;
	list_add_tail(&work->entry, &wq->pending);
	return wake_worker(wq);
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	bool make = false;
	bool queued = false;

	shim_preempt();
	lock_wq();
	check_work(work);
	if (!(work->state & WORK_PENDING) && !work->canceling) {
		make = insert_work(wq, work);
		queued = true;
	}
	unlock_wq();
	if (make)
		make_worker(wq);
	return queued;
}

/* wq_lock is held */
static void start_timer(struct workqueue_struct *wq,
			struct delayed_work *dwork, unsigned long delay)
{
	u64 ns = min_t(u64, delay, MAX_JIFFY_OFFSET / 1000000) * 1000000;
	struct delayed_work *pos;

	set_state(&dwork->work, dwork->work.state | WORK_PENDING | WORK_TIMER);
	dwork->wq = wq;
	dwork->expires_ns = shim_clock_ns() + ns;
	list_for_each_entry_reverse(pos, &timers, timer_entry) {
		if (pos->expires_ns <= dwork->expires_ns)
			break;
	}
	list_add(&dwork->timer_entry, &pos->timer_entry);
	if (timer_task)
		shim_unpark(timer_task);
}

/* wq_lock is held */
static void stop_timer(struct delayed_work *dwork)
{
	list_del_init(&dwork->timer_entry);
	set_state(&dwork->work,
		  dwork->work.state & ~(WORK_PENDING | WORK_TIMER));
}

static void timer_fn(void *arg)
{
	struct delayed_work *first;
	struct workqueue_struct *wq;
	u64 until;
	bool make;

	lock_wq();
	timer_task = shim_me();
	timer_task->idle = true;
	while (!timer_stop) {
		first = list_first_entry_or_null(&timers, struct delayed_work,
						 timer_entry);
		until = first ? first->expires_ns : 0;
		if (first && until <= shim_clock_ns()) {
			wq = first->wq;
			check_work(&first->work);
			stop_timer(first);
			make = insert_work(wq, &first->work);
			unlock_wq();
			if (make)
				make_worker(wq);
		} else {
			unlock_wq();
			shim_park(until);
		}
		lock_wq();
	}
	unlock_wq();
}

static void make_timer_task(void)
{
	bool make;

	if (READ_ONCE(timer_made))
		return;
	lock_wq();
	make = !timer_made;
	WRITE_ONCE(timer_made, true);
	unlock_wq();
	if (make)
		shim_backend_go("timers", timer_fn, NULL);
}

bool queue_delayed_work(struct workqueue_struct *wq,
			struct delayed_work *dwork, unsigned long delay)
{
	bool queued = false;

	if (!delay)
		return queue_work(wq, &dwork->work);
	shim_preempt();
	lock_wq();
	check_work(&dwork->work);
	if (!(dwork->work.state & WORK_PENDING) && !dwork->work.canceling) {
		start_timer(wq, dwork, delay);
		queued = true;
	}
	unlock_wq();
	make_timer_task();
	return queued;
}

/* Takes a pending work back.  wq_lock is held. */
static bool take_back(struct work_struct *work, bool delayed)
{
	struct workqueue_struct *wq = work->wq;

	if (!(work->state & WORK_PENDING))
		return false;
	if (delayed && (work->state & WORK_TIMER)) {
		stop_timer(to_delayed_work(work));
		return true;
	}
	list_del_init(&work->entry);
	set_state(work, work->state & ~WORK_PENDING);
	work_ended(work, wq, work->seq);
	return true;
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
		      unsigned long delay)
{
	bool was = false;
	bool make = false;

	shim_preempt();
	lock_wq();
	check_work(&dwork->work);
	if (!dwork->work.canceling) {
		was = take_back(&dwork->work, true);
		if (delay)
			start_timer(wq, dwork, delay);
		else
			make = insert_work(wq, &dwork->work);
	}
	unlock_wq();
	if (make)
		make_worker(wq);
	if (delay)
		make_timer_task();
	return was;
}

bool work_pending(struct work_struct *work)
{
	return (READ_ONCE(work->state) & WORK_PENDING) != 0;
}

bool delayed_work_pending(struct delayed_work *dwork)
{
	return work_pending(&dwork->work);
}

/* ---- flushing and cancelling -------------------------------------------- */

/* what waiting for @wq's works would deadlock with */
static void check_flush(struct workqueue_struct *wq, const char *what)
{
	struct shim_task *self = shim_me();
	const struct worker *w = self->worker;

	if (w && w->wq == wq && (wq->max_active == 1 || !strcmp(what, "flush_workqueue()")))
		shim_fail("%s of %s from a work of the same workqueue", what,
			  wq->name);
	if (w && (w->wq->flags & WQ_MEM_RECLAIM) &&
	    !(wq->flags & WQ_MEM_RECLAIM))
		shim_fail("a work of %s (WQ_MEM_RECLAIM) waits for %s, which is not",
			  w->wq->name, wq->name);
}

static void dep_touch(struct lockdep_map *map, const void *ip)
{
	struct shim_task *self = shim_me();

	shim_dep_acquire(self, map, 0, 0, ip);
	shim_dep_release(self, map);
}

/* Waits for the queueings of @work so far.  wq_lock is held and let go. */
static bool flush_and_unlock(struct work_struct *work, const char *what,
			     const void *ip)
{
	struct worker *running = find_running(work);
	struct flusher f = { .work = work };
	struct workqueue_struct *wq;
	struct lockdep_map map = work->dep_map;

	if (work->state & WORK_PENDING) {
		wq = work->wq;
		f.seq = work->seq;
	} else if (running) {
		wq = running->wq;
		f.seq = running->seq;
	} else {
		unlock_wq();
		return false;
	}
	if (running && running->task == shim_me())
		shim_fail("%s of %s from itself", what, map.name);
	unlock_wq();
	check_flush(wq, what);
	dep_touch(&map, ip);
	if (wq->max_active == 1 || (wq->flags & WQ_MEM_RECLAIM))
		dep_touch(&wq->dep_map, ip);
	lock_wq();
	/* it may have ended while we looked */
	running = find_running(work);
	if ((running && running->seq <= f.seq) ||
	    ((work->state & WORK_PENDING) && work->seq <= f.seq))
		wait_flushed(&f, what);
	unlock_wq();
	return true;
}

bool flush_work(struct work_struct *work)
{
	shim_check_sleep(shim_me(), "flush_work()");
	shim_preempt();
	lock_wq();
	check_work(work);
	if (work->state & WORK_TIMER) {
		unlock_wq();
		return false;
	}
	return flush_and_unlock(work, "flush_work()",
				__builtin_return_address(0));
}

bool flush_delayed_work(struct delayed_work *dwork)
{
	struct workqueue_struct *wq = NULL;
	bool make = false;

	shim_check_sleep(shim_me(), "flush_delayed_work()");
	shim_preempt();
	lock_wq();
	check_work(&dwork->work);
	if (dwork->work.state & WORK_TIMER) {
		wq = dwork->wq;
		stop_timer(dwork);
		make = insert_work(wq, &dwork->work);
	}
	unlock_wq();
	if (make)
		make_worker(wq);
	return flush_work(&dwork->work);
}

static bool cancel_common(struct work_struct *work, bool delayed)
{
	bool was;

	shim_preempt();
	lock_wq();
	check_work(work);
	was = take_back(work, delayed);
	unlock_wq();
	return was;
}

bool cancel_work(struct work_struct *work)
{
	return cancel_common(work, false);
}

bool cancel_delayed_work(struct delayed_work *dwork)
{
	return cancel_common(&dwork->work, true);
}

static bool cancel_sync(struct work_struct *work, bool delayed,
			const char *what, const void *ip)
{
	bool was;

	shim_check_sleep(shim_me(), what);
	shim_preempt();
	lock_wq();
	check_work(work);
	work->canceling++;
	was = take_back(work, delayed);
	flush_and_unlock(work, what, ip);
	lock_wq();
	work->canceling--;
	unlock_wq();
	return was;
}

bool cancel_work_sync(struct work_struct *work)
{
	return cancel_sync(work, false, "cancel_work_sync()",
			   __builtin_return_address(0));
}

bool cancel_delayed_work_sync(struct delayed_work *dwork)
{
	return cancel_sync(&dwork->work, true, "cancel_delayed_work_sync()",
			   __builtin_return_address(0));
}

void flush_workqueue(struct workqueue_struct *wq)
{
	struct flusher f = { .wq = wq };

	shim_check_sleep(shim_me(), "flush_workqueue()");
	check_flush(wq, "flush_workqueue()");
	dep_touch(&wq->dep_map, __builtin_return_address(0));
	shim_preempt();
	lock_wq();
	f.seq = last_seq;
	if (!queue_is_past(wq, f.seq))
		wait_flushed(&f, "flush_workqueue()");
	unlock_wq();
}

void drain_workqueue(struct workqueue_struct *wq)
{
	struct flusher f = { .wq = wq };

	shim_check_sleep(shim_me(), "drain_workqueue()");
	check_flush(wq, "flush_workqueue()");
	dep_touch(&wq->dep_map, __builtin_return_address(0));
	lock_wq();
	wq->draining = true;
	while (!queue_is_past(wq, U64_MAX)) {
		f.seq = U64_MAX;
		wait_flushed(&f, "drain_workqueue()");
	}
	wq->draining = false;
	unlock_wq();
}

/* ---- queues ------------------------------------------------------------- */

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags,
					 int max_active, ...)
{
	struct workqueue_struct *wq;
	va_list args;

	shim_check_sleep(shim_me(), "alloc_workqueue()");
	BUG_ON(max_active < 0 || max_active > WQ_MAX_ACTIVE);
	/* one kernel allocation, so that tests can make it fail */
	wq = kzalloc(sizeof(*wq), GFP_NOFS);
	if (!wq)
		return NULL;
	va_start(args, max_active);
	vsnprintf(wq->name, sizeof(wq->name), fmt, args);
	va_end(args);
	INIT_LIST_HEAD(&wq->pending);
	INIT_LIST_HEAD(&wq->workers);
	wq->flags = flags;
	wq->max_active = max_active ? max_active : WQ_DFL_ACTIVE;
	/* one class a call: the text of the format is the key */
	lockdep_init_map(&wq->dep_map, fmt, (const void *)fmt, 0);
	lock_wq();
	list_add_tail(&wq->entry, &queues);
	unlock_wq();
	return wq;
}

/* A delayed work that would fire into a destroyed queue.  wq_lock is held. */
static void check_no_timers(struct workqueue_struct *wq)
{
	struct delayed_work *dwork;

	list_for_each_entry(dwork, &timers, timer_entry) {
		if (dwork->wq == wq)
			shim_fail("workqueue %s is destroyed, but the timer of %s still runs",
				  wq->name, dwork->work.dep_map.name);
	}
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	struct worker *w;

	drain_workqueue(wq);
	lock_wq();
	check_no_timers(wq);
	wq->dying = true;
	list_del(&wq->entry);
	while (!list_empty(&wq->workers)) {
		w = list_first_entry(&wq->workers, struct worker, entry);
		list_del(&w->entry);
		/* it may not have begun yet */
		while (!w->task) {
			unlock_wq();
			shim_sleep_ns(1000);
			lock_wq();
		}
		if (w->idle)
			shim_unpark(w->task);
		unlock_wq();
		shim_backend_join(w->task);
		shim_os_free(w);
		lock_wq();
	}
	unlock_wq();
	kfree(wq);
}

void shim_workqueue_begin(void);
void shim_workqueue_end(int check);

void shim_workqueue_begin(void)
{
	timer_stop = false;
}

/* Ends the timer task; complains about what was left behind. */
void shim_workqueue_end(int check)
{
	struct shim_task *task = NULL;

	lock_wq();
	if (check && !list_empty(&queues))
		shim_fail("workqueue %s is still alive",
			  list_first_entry(&queues, struct workqueue_struct,
					   entry)->name);
	if (check && !list_empty(&timers))
		shim_fail("delayed work %s is still waiting",
			  list_first_entry(&timers, struct delayed_work,
					   timer_entry)->work.dep_map.name);
	timer_stop = true;
	while (timer_made && !timer_task) {
		unlock_wq();
		shim_sleep_ns(1000);
		lock_wq();
	}
	task = timer_task;
	timer_task = NULL;
	WRITE_ONCE(timer_made, false);
	if (task)
		shim_unpark(task);
	unlock_wq();
	if (task)
		shim_backend_join(task);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wait queues, completions and sleeping.
 *
 * A wait puts its entry on the queue before it looks at the condition, so that
 * a wake-up between looking and parking leaves a token and park returns at
 * once.  Entries are guarded by the queue's raw lock, which the waiter takes
 * once more before it goes on: wakers unpark under it.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/wait.h>
#include <linux/bug.h>
#include "task.h"

static void raw_lock(wait_queue_head_t *wq)
{
	shim_raw_lock_word(&wq->raw.word);
}

static void raw_unlock(wait_queue_head_t *wq)
{
	shim_raw_unlock_word(&wq->raw.word);
}

void shim_init_waitqueue_head(wait_queue_head_t *wq, const char *name)
{
	wq->raw.word = 0;
	INIT_LIST_HEAD(&wq->head);
	wq->name = name;
}

static u64 deadline(long timeout)
{
	u64 now = shim_clock_ns();

	BUG_ON(timeout < 0);
	if (timeout > LONG_MAX / 2 / (NSEC_PER_SEC / HZ))
		return 0;
	return now + timeout * (NSEC_PER_SEC / HZ) + !now;
}

/* jiffies left, at least one */
static long left(u64 deadline_ns)
{
	u64 now = shim_clock_ns();

	if (!deadline_ns)
		return MAX_SCHEDULE_TIMEOUT;
	if (now >= deadline_ns)
		return 1;
	return max_t(long, (deadline_ns - now) / (NSEC_PER_SEC / HZ), 1);
}

static void set_site(struct shim_task *self, const char *what,
		     const char *file, int line)
{
	self->wait_what = what;
	self->wait_file = file;
	self->wait_line = line;
}

void shim_wait_begin(struct shim_wait *w, wait_queue_head_t *wq, bool killable,
		     long timeout, const char *what, const char *file,
		     int line)
{
	w->task = shim_me();
	shim_check_sleep(w->task, "wait_event()");
	BUG_ON(!READ_ONCE(wq->head.next));
	shim_preempt();
	INIT_LIST_HEAD(&w->entry);
	w->wq = wq;
	w->timed = timeout != MAX_SCHEDULE_TIMEOUT;
	w->deadline_ns = w->timed ? deadline(timeout) : 0;
	w->what = what;
	w->file = file;
	w->line = line;
	w->killable = killable;
	w->queued = false;
	w->expired = false;
	w->ret = max(timeout, 1L);
	set_site(w->task, what, file, line);
}

/* From here to shim_wait_again() the condition is evaluated. */
void shim_wait_prepare(struct shim_wait *w)
{
	if (w->queued) {
		raw_lock(w->wq);
		if (list_empty(&w->entry))
			list_add_tail(&w->entry, &w->wq->head);
		raw_unlock(w->wq);
	}
	w->task->in_cond++;
}

bool shim_wait_again(struct shim_wait *w, bool done)
{
	w->task->in_cond--;
	if (done) {
		if (w->queued && w->timed)
			w->ret = left(w->deadline_ns);
		return false;
	}
	if (!w->queued) {
		w->queued = true;
		return true;
	}
	if (w->killable && READ_ONCE(w->task->killed)) {
		w->ret = -ERESTARTSYS;
		return false;
	}
	if (w->expired) {
		w->ret = 0;
		return false;
	}
	set_site(w->task, w->what, w->file, w->line);
	w->expired = shim_park(w->deadline_ns);
	return true;
}

long shim_wait_end(struct shim_wait *w)
{
	set_site(w->task, NULL, NULL, 0);
	if (w->queued) {
		raw_lock(w->wq);
		if (!list_empty(&w->entry))
			list_del_init(&w->entry);
		raw_unlock(w->wq);
	}
	return w->ret;
}

static void wake_first(wait_queue_head_t *wq)
{
	struct shim_wait *w;

	w = list_first_entry(&wq->head, struct shim_wait, entry);
	list_del_init(&w->entry);
	shim_unpark(w->task);
}

/* none of our waits is exclusive */
void wake_up_all(wait_queue_head_t *wq)
{
	shim_preempt();
	BUG_ON(!READ_ONCE(wq->head.next));
	raw_lock(wq);
	while (!list_empty(&wq->head))
		wake_first(wq);
	raw_unlock(wq);
}

void wake_up(wait_queue_head_t *wq)
{
	wake_up_all(wq);
}

/* ---- completions -------------------------------------------------------- */

void shim_init_completion(struct completion *x, const char *name)
{
	x->done = 0;
	shim_init_waitqueue_head(&x->wait, name);
}

void reinit_completion(struct completion *x)
{
	BUG_ON(waitqueue_active(&x->wait));
	WRITE_ONCE(x->done, 0);
}

/* nothing touches @x after the lock is let go: it may be gone by then */
void complete(struct completion *x)
{
	shim_preempt();
	raw_lock(&x->wait);
	if (x->done != UINT_MAX)
		WRITE_ONCE(x->done, x->done + 1);
	if (!list_empty(&x->wait.head))
		wake_first(&x->wait);
	raw_unlock(&x->wait);
}

void complete_all(struct completion *x)
{
	shim_preempt();
	raw_lock(&x->wait);
	WRITE_ONCE(x->done, UINT_MAX);
	while (!list_empty(&x->wait.head))
		wake_first(&x->wait);
	raw_unlock(&x->wait);
}

static bool take_done(struct completion *x)
{
	if (!x->done)
		return false;
	if (x->done != UINT_MAX)
		WRITE_ONCE(x->done, x->done - 1);
	return true;
}

bool try_wait_for_completion(struct completion *x)
{
	bool got;

	shim_preempt();
	raw_lock(&x->wait);
	got = take_done(x);
	raw_unlock(&x->wait);
	return got;
}

/* with the lock: whoever sees true may free @x */
bool completion_done(struct completion *x)
{
	bool done;

	raw_lock(&x->wait);
	done = x->done != 0;
	raw_unlock(&x->wait);
	return done;
}

long shim_wait_for_completion(struct completion *x, bool killable,
			      long timeout, const char *file, int line)
{
	struct shim_wait w = { .task = shim_me() };
	bool timed = timeout != MAX_SCHEDULE_TIMEOUT;
	u64 until = timed ? deadline(timeout) : 0;
	bool expired = false;
	long ret;

	shim_check_sleep(w.task, "wait_for_completion()");
	shim_preempt();
	set_site(w.task, x->wait.name, file, line);
	INIT_LIST_HEAD(&w.entry);
	raw_lock(&x->wait);
	for (;;) {
		if (take_done(x)) {
			ret = timed ? left(until) : MAX_SCHEDULE_TIMEOUT;
			break;
		}
		if (killable && READ_ONCE(w.task->killed)) {
			ret = -ERESTARTSYS;
			break;
		}
		if (expired) {
			ret = 0;
			break;
		}
		if (list_empty(&w.entry))
			list_add_tail(&w.entry, &x->wait.head);
		raw_unlock(&x->wait);
		expired = shim_park(until);
		raw_lock(&x->wait);
	}
	if (!list_empty(&w.entry))
		list_del_init(&w.entry);
	/* our wake-up may have been for a completion that others now miss */
	if (ret <= 0 && x->done && !list_empty(&x->wait.head))
		wake_first(&x->wait);
	raw_unlock(&x->wait);
	set_site(w.task, NULL, NULL, 0);
	return ret;
}

/* ---- time and scheduling ------------------------------------------------ */

unsigned long shim_jiffies(void)
{
	return INITIAL_JIFFIES + shim_clock_ns() / (NSEC_PER_SEC / HZ);
}

u64 ktime_get_ns(void)
{
	return shim_clock_ns();
}

void shim_sleep_ns(shim_u64 ns)
{
	struct shim_task *self = shim_me();
	u64 until = shim_clock_ns() + ns;

	shim_check_sleep(self, "sleeping");
	set_site(self, "sleep", "shim_sleep_ns", 0);
	while (shim_clock_ns() < until)
		shim_park(until);
	set_site(self, NULL, NULL, 0);
}

void msleep(unsigned int msecs)
{
	shim_sleep_ns((u64)msecs * NSEC_PER_MSEC);
}

void usleep_range(unsigned long min, unsigned long max)
{
	BUG_ON(min > max);
	shim_sleep_ns(min * NSEC_PER_USEC);
}

int shim_cond_resched(const char *file, int line)
{
	shim_check_sleep(shim_me(), "cond_resched()");
	shim_preempt();
	return 0;
}

void shim_yield(void)
{
	shim_preempt();
}

struct task_struct *shim_current_task(void)
{
	return (struct task_struct *)shim_me();
}

struct shim_task *shim_task_self(void)
{
	return shim_me();
}

const char *shim_task_name(const struct shim_task *task)
{
	return task->name;
}

void shim_task_kill(struct shim_task *task, int killed)
{
	WRITE_ONCE(task->killed, killed);
	if (killed)
		shim_unpark(task);
}

int shim_killed(void)
{
	return READ_ONCE(shim_me()->killed);
}

struct shim_task *shim_go(const char *name, void (*fn)(void *arg), void *arg)
{
	struct shim_task *task = shim_backend_go(name, fn, arg);

	shim_preempt();
	return task;
}

void shim_join(struct shim_task *task)
{
	shim_check_sleep(shim_me(), "shim_join()");
	set_site(shim_me(), task->name, "shim_join", 0);
	shim_backend_join(task);
	set_site(shim_me(), NULL, NULL, 0);
}

/* ---- scopes of allocation ----------------------------------------------- */

unsigned int memalloc_nofs_save(void)
{
	return shim_me()->nofs++;
}

void memalloc_nofs_restore(unsigned int flags)
{
	struct shim_task *self = shim_me();

	if (self->nofs != flags + 1)
		shim_fail("memalloc_nofs_restore() does not match its save");
	self->nofs = flags;
}

void shim_allow_gfp_kernel_begin(void)
{
	shim_me()->gfp_kernel_ok++;
}

void shim_allow_gfp_kernel_end(void)
{
	BUG_ON(!shim_me()->gfp_kernel_ok);
	shim_me()->gfp_kernel_ok--;
}

void shim_nofail_begin(void)
{
	shim_me()->nofail++;
}

void shim_nofail_end(void)
{
	BUG_ON(!shim_me()->nofail);
	shim_me()->nofail--;
}

void shim_still_begin(void)
{
	shim_me()->still++;
}

void shim_still_end(void)
{
	BUG_ON(!shim_me()->still);
	shim_me()->still--;
}

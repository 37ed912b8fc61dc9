/* SPDX-License-Identifier: GPL-2.0-only */
/* Conformance: workqueues. */
#include <linux/kernel.h>
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include "conf.h"

#define NR 12

static struct {
	struct workqueue_struct *wq;
	struct work_struct works[NR];
	struct delayed_work dwork;
	struct completion go;
	atomic_t inside;
	atomic_t most;
	atomic_t runs;
	u32 order;
	bool again;
	unsigned long ran_at;
} st;

static int begin(int max_active, work_func_t fn)
{
	int i;

	memset(&st, 0, sizeof(st));
	st.wq = alloc_workqueue("conf_%s", WQ_UNBOUND | WQ_MEM_RECLAIM,
				max_active, "work");
	if (!st.wq)
		return -1;
	init_completion(&st.go);
	for (i = 0; i < NR; i++)
		INIT_WORK(&st.works[i], fn);
	INIT_DELAYED_WORK(&st.dwork, fn);
	return 0;
}

static void busy_work(struct work_struct *work)
{
	int now = atomic_inc_return(&st.inside);
	int most = atomic_read(&st.most);

	while (now > most && !atomic_try_cmpxchg(&st.most, &most, now))
		;
	msleep(5);
	atomic_dec(&st.inside);
	atomic_inc(&st.runs);
}

static int max_active_one(int max)
{
	int i;

	CHECK(!begin(max, busy_work));
	for (i = 0; i < NR; i++)
		CHECK(queue_work(st.wq, &st.works[i]));
	flush_workqueue(st.wq);
	CHECK(atomic_read(&st.runs) == NR);
	CHECK(atomic_read(&st.most) == max);
	destroy_workqueue(st.wq);
	return 0;
}

static int max_active(void)
{
	CHECK(!max_active_one(1));
	CHECK(!max_active_one(2));
	CHECK(!max_active_one(5));
	return 0;
}

static void order_work(struct work_struct *work)
{
	st.order = st.order * 13 + (work - st.works);
	cond_resched();
}

static int ordered(void)
{
	u32 want = 0;
	int i;

	CHECK(!begin(1, order_work));
	destroy_workqueue(st.wq);
	st.wq = alloc_ordered_workqueue("conf_ordered", WQ_MEM_RECLAIM);
	CHECK(st.wq);
	for (i = 0; i < NR; i++) {
		want = want * 13 + (NR - 1 - i);
		queue_work(st.wq, &st.works[NR - 1 - i]);
	}
	destroy_workqueue(st.wq);
	CHECK(st.order == want);
	return 0;
}

static void gate_work(struct work_struct *work)
{
	int now = atomic_inc_return(&st.inside);

	if (now > 1)
		atomic_inc(&st.most);
	wait_for_completion(&st.go);
	atomic_dec(&st.inside);
	atomic_inc(&st.runs);
}

static int pending(void)
{
	CHECK(!begin(0, gate_work));
	CHECK(!work_pending(&st.works[0]) && !flush_work(&st.works[0]));
	CHECK(queue_work(st.wq, &st.works[0]));
	while (!atomic_read(&st.inside))
		msleep(1);
	/* it runs: it can be queued once more, and waits for itself */
	CHECK(!work_pending(&st.works[0]));
	CHECK(queue_work(st.wq, &st.works[0]));
	CHECK(!queue_work(st.wq, &st.works[0]) && work_pending(&st.works[0]));
	msleep(5);
	CHECK(atomic_read(&st.inside) == 1 && atomic_read(&st.runs) == 0);
	complete(&st.go);
	complete(&st.go);
	flush_work(&st.works[0]);
	CHECK(atomic_read(&st.runs) == 2 && atomic_read(&st.most) == 0);
	CHECK(!flush_work(&st.works[0]));
	destroy_workqueue(st.wq);
	return 0;
}

static int cancelling(void)
{
	CHECK(!begin(1, gate_work));
	CHECK(!cancel_work_sync(&st.works[0]));
	queue_work(st.wq, &st.works[0]);
	while (!atomic_read(&st.inside))
		msleep(1);
	queue_work(st.wq, &st.works[1]);
	/* behind the first one: never runs */
	CHECK(cancel_work_sync(&st.works[1]) && !work_pending(&st.works[1]));
	complete(&st.go);
	/* running: waits for it */
	CHECK(!cancel_work_sync(&st.works[0]));
	CHECK(atomic_read(&st.runs) == 1);
	flush_workqueue(st.wq);
	CHECK(atomic_read(&st.runs) == 1);
	CHECK(queue_work(st.wq, &st.works[1]));
	complete(&st.go);
	flush_work(&st.works[1]);
	CHECK(atomic_read(&st.runs) == 2);
	destroy_workqueue(st.wq);
	return 0;
}

static void delayed_fn(struct work_struct *work)
{
	struct delayed_work *dwork = to_delayed_work(work);

	WRITE_ONCE(st.ran_at, jiffies);
	atomic_inc(&st.runs);
	if (st.again)
		queue_delayed_work(st.wq, dwork, msecs_to_jiffies(3));
}

static int delayed(void)
{
	unsigned long start = jiffies;

	CHECK(!begin(0, delayed_fn));
	CHECK(queue_delayed_work(st.wq, &st.dwork, msecs_to_jiffies(40)));
	CHECK(!queue_delayed_work(st.wq, &st.dwork, 1));
	CHECK(delayed_work_pending(&st.dwork));
	msleep(1);
	CHECK(atomic_read(&st.runs) == 0);
	while (!atomic_read(&st.runs))
		msleep(1);
	CHECK(time_after_eq(READ_ONCE(st.ran_at), start + msecs_to_jiffies(39)));
	/* flush runs it now */
	start = jiffies;
	queue_delayed_work(st.wq, &st.dwork, 3600UL * HZ);
	flush_delayed_work(&st.dwork);
	CHECK(atomic_read(&st.runs) == 2);
	CHECK(time_before(jiffies, start + 1000UL * HZ));
	/* cancelled before its time */
	queue_delayed_work(st.wq, &st.dwork, 3600UL * HZ);
	CHECK(cancel_delayed_work_sync(&st.dwork));
	CHECK(!cancel_delayed_work_sync(&st.dwork));
	CHECK(!cancel_delayed_work(&st.dwork));
	/* a delay of nothing */
	CHECK(queue_delayed_work(st.wq, &st.dwork, 0));
	flush_delayed_work(&st.dwork);
	CHECK(atomic_read(&st.runs) == 3);
	destroy_workqueue(st.wq);
	return 0;
}

static int modifying(void)
{
	CHECK(!begin(0, delayed_fn));
	CHECK(!mod_delayed_work(st.wq, &st.dwork, 3600UL * HZ));
	CHECK(mod_delayed_work(st.wq, &st.dwork, 2));
	while (!atomic_read(&st.runs))
		msleep(1);
	CHECK(!mod_delayed_work(st.wq, &st.dwork, 0));
	flush_delayed_work(&st.dwork);
	CHECK(atomic_read(&st.runs) == 2);
	CHECK(queue_delayed_work(st.wq, &st.dwork, 1));
	CHECK(mod_delayed_work(st.wq, &st.dwork, 3600UL * HZ) ||
	      atomic_read(&st.runs) == 3);
	cancel_delayed_work_sync(&st.dwork);
	destroy_workqueue(st.wq);
	return 0;
}

/* a work that queues itself is stopped by cancelling */
static int requeueing(void)
{
	int runs;

	CHECK(!begin(0, delayed_fn));
	st.again = true;
	queue_delayed_work(st.wq, &st.dwork, 1);
	while (atomic_read(&st.runs) < 3)
		msleep(1);
	cancel_delayed_work_sync(&st.dwork);
	runs = atomic_read(&st.runs);
	CHECK(!delayed_work_pending(&st.dwork));
	msleep(20);
	CHECK(atomic_read(&st.runs) == runs);
	destroy_workqueue(st.wq);
	return 0;
}

static void free_work(struct work_struct *work)
{
	atomic_inc(&st.runs);
	kfree(work);
}

static int self_freeing(void)
{
	struct work_struct *work;
	int i;

	CHECK(!begin(3, free_work));
	for (i = 0; i < 50; i++) {
		work = kmalloc(sizeof(*work), GFP_NOFS);
		CHECK(work);
		INIT_WORK(work, free_work);
		CHECK(queue_work(st.wq, work));
	}
	flush_workqueue(st.wq);
	CHECK(atomic_read(&st.runs) == 50);
	destroy_workqueue(st.wq);
	return 0;
}

static void chain_work(struct work_struct *work)
{
	if (atomic_inc_return(&st.runs) < 20)
		queue_work(st.wq, work);
}

/* destroying a queue first lets chains come to their end */
static int draining(void)
{
	CHECK(!begin(2, chain_work));
	queue_work(st.wq, &st.works[0]);
	drain_workqueue(st.wq);
	CHECK(atomic_read(&st.runs) == 20);
	atomic_set(&st.runs, 0);
	queue_work(st.wq, &st.works[0]);
	destroy_workqueue(st.wq);
	CHECK(atomic_read(&st.runs) == 20);
	return 0;
}

/* queueing is allowed where sleeping is not */
static int atomic_context(void)
{
	spinlock_t lock;

	CHECK(!begin(0, busy_work));
	spin_lock_init(&lock);
	spin_lock(&lock);
	CHECK(queue_work(st.wq, &st.works[0]));
	CHECK(queue_delayed_work(st.wq, &st.dwork, 1));
	spin_unlock(&lock);
	flush_delayed_work(&st.dwork);
	destroy_workqueue(st.wq);
	CHECK(atomic_read(&st.runs) == 2);
	return 0;
}

const struct conf_case conf_work[] = {
	{ "max_active", max_active },
	{ "ordered queues", ordered },
	{ "pending and running", pending },
	{ "cancelling", cancelling },
	{ "delayed works", delayed },
	{ "modified delays", modifying },
	{ "works that queue themselves", requeueing },
	{ "works that free themselves", self_freeing },
	{ "draining", draining },
	{ "queueing in atomic context", atomic_context },
	{ NULL, NULL },
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A module that misbehaves when it is told to, to see that the machines of
 * scripts/vm notice (tests/vm/judges.sh).
 *
 * "insmod bad.ko kind=..." does one bad thing and succeeds; each kind needs a
 * boot of its own, as several judges stop watching after the first report of
 * any.  Unloading works after all kinds but "stay".  What is wrong here is wrong
 * on purpose and marked with a comment.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *kind = "none";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "none, warn, oops, uaf, overrun, sleep, lock, leak, slab, hang, stay");

static DEFINE_MUTEX(lock_a);
static DEFINE_MUTEX(lock_b);
static DEFINE_SPINLOCK(spin);
static struct kmem_cache *cache;
static struct task_struct *sleeper;
static DECLARE_COMPLETION(never);

/* Out of the compiler's sight, which would warn about what follows. */
static noinline void *hidden(void *p)
{
	OPTIMIZER_HIDE_VAR(p);
	return p;
}

static int do_warn(void)
{
	WARN(1, "bad: a warning\n");
	return 0;
}

static int do_oops(void)
{
	int *p = hidden(NULL);

	/* kills insmod, not the machine */
	return READ_ONCE(*p) & 1;
}

static int do_uaf(void)
{
	char *p = kmalloc(64, GFP_KERNEL);
	char c;

	if (!p)
		return -ENOMEM;
	kfree(p);
	c = READ_ONCE(*(char *)hidden(p));	/* freed */
	return c & 0;
}

static int do_overrun(void)
{
	char *p = kmalloc(60, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	WRITE_ONCE(((char *)hidden(p))[60], 1);	/* one behind the end */
	kfree(p);
	return 0;
}

static int do_sleep(void)
{
	spin_lock(&spin);
	might_sleep();				/* under a spin lock */
	spin_unlock(&spin);
	return 0;
}

static int do_lock(void)
{
	mutex_lock(&lock_a);
	mutex_lock(&lock_b);
	mutex_unlock(&lock_b);
	mutex_unlock(&lock_a);

	mutex_lock(&lock_b);
	mutex_lock(&lock_a);			/* the other way round */
	mutex_unlock(&lock_a);
	mutex_unlock(&lock_b);
	return 0;
}

static int do_leak(void)
{
	int i;

	/* several, as the last one's address may linger in a register */
	for (i = 0; i < 8; i++)
		memset(hidden(kmalloc(777, GFP_KERNEL)), i, 777);
	return 0;
}

static int do_slab(void)
{
	cache = kmem_cache_create("bad_objects", 100, 0, 0, NULL);
	if (!cache)
		return -ENOMEM;
	/* destroyed at unload with this one in it */
	hidden(kmem_cache_alloc(cache, GFP_KERNEL));
	return 0;
}

static int sleeper_main(void *unused)
{
	wait_for_completion(&never);		/* not interruptible, too long */
	return 0;
}

static int do_hang(void)
{
	struct task_struct *task;

	task = kthread_run(sleeper_main, NULL, "bad_sleeper");
	if (IS_ERR(task))
		return PTR_ERR(task);
	sleeper = get_task_struct(task);	/* it may end before bad_exit() asks */
	return 0;
}

static int do_stay(void)
{
	/* nobody puts it: the module can not be unloaded */
	return try_module_get(THIS_MODULE) ? 0 : -EINVAL;
}

static int do_none(void)
{
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} kinds[] = {
	{ "none", do_none },
	{ "warn", do_warn },
	{ "oops", do_oops },
	{ "uaf", do_uaf },
	{ "overrun", do_overrun },
	{ "sleep", do_sleep },
	{ "lock", do_lock },
	{ "leak", do_leak },
	{ "slab", do_slab },
	{ "hang", do_hang },
	{ "stay", do_stay },
};

static int __init bad_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kind, kinds[i].name))
			return kinds[i].run();
	}
	return -EINVAL;
}

static void __exit bad_exit(void)
{
	complete_all(&never);
	if (sleeper) {
		kthread_stop(sleeper);
		put_task_struct(sleeper);
	}
	kmem_cache_destroy(cache);
}

module_init(bad_init);
module_exit(bad_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("misbehaves on request");

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failure reports: what was violated, in which task, what it holds, the stack,
 * the seed, then abort().  A failure inside a report aborts at once.
 */
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/stdarg.h>
#include "task.h"

#define MAX_FRAMES 40

static int reporting;			/* A */
static void (*failure_fn)(void *arg);
static void *failure_arg;

int shim_fence_word;			/* asm/barrier.h */

static const char *banner;

void shim_set_banner(const char *text)
{
	banner = text;
}

void shim_report_banner(void)
{
	if (banner)
		shim_eprintf("\n==== %s\n", banner);
}

void shim_on_failure(void (*fn)(void *arg), void *arg)
{
	failure_fn = fn;
	failure_arg = arg;
}

void shim_report_begin(void)
{
	struct shim_task *self = shim_self;

	if (__atomic_exchange_n(&reporting, 1, __ATOMIC_SEQ_CST))
		shim_os_abort();
	shim_report_banner();
	shim_eprintf("\n==== shim: failure in task \"%s\"\n",
		     self ? self->name : "(none)");
	shim_backend_report_head();
}

void shim_report_held(struct shim_task *task)
{
	unsigned int i;

	for (i = 0; i < task->nr_held; i++)
		shim_eprintf("  holds %s%s (%p)\n", task->held[i].name,
			     task->held[i].flags & SHIM_HELD_READ ?
			     " for reading" : "", task->held[i].map);
}

void shim_report_end(void)
{
	void *ips[MAX_FRAMES];
	int nr;

	if (shim_self)
		shim_report_held(shim_self);
	nr = shim_os_backtrace(ips, MAX_FRAMES);
	shim_os_symbolize(ips, nr);
	shim_backend_report_tasks();
	shim_backend_report_head();
	if (failure_fn)
		failure_fn(failure_arg);
	shim_os_abort();
}

void shim_bug(const char *file, int line, const char *what)
{
	shim_report_begin();
	shim_eprintf("%s:%d: %s\n", file, line, what);
	shim_report_end();
}

void shim_bugf(const char *file, int line, const char *fmt, ...)
{
	char buf[256];
	va_list args;

	va_start(args, fmt);
	vscnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	shim_bug(file, line, buf);
}

void shim_fail(const char *fmt, ...)
{
	char buf[1024];
	va_list args;

	va_start(args, fmt);
	vscnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	shim_report_begin();
	shim_eprintf("%s\n", buf);
	shim_report_end();
}

void shim_list_bug(const char *what, void *entry)
{
	shim_fail("%s: entry %p", what, entry);
}

void shim_check_sleep(struct shim_task *self, const char *what)
{
	if (unlikely(self->atomic))
		shim_fail("%s may sleep, but a spinlock is held", what);
	if (unlikely(self->in_cond))
		shim_fail("%s may sleep inside the condition of a wait (%s at %s:%d)",
			  what, self->wait_what ? self->wait_what : "?",
			  self->wait_file ? self->wait_file : "?",
			  self->wait_line);
}

void shim_might_sleep(const char *file, int line)
{
	shim_check_sleep(shim_me(), "might_sleep()");
	shim_preempt();
}

void shim_check_task_end(struct shim_task *self)
{
	if (self->nr_held)
		shim_fail("task \"%s\" ends with %s held", self->name,
			  self->held[self->nr_held - 1].name);
	if (self->nofs || self->gfp_kernel_ok || self->nofail)
		shim_fail("task \"%s\" ends inside an allocation scope",
			  self->name);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing stacks: the registers that a called function has to keep are pushed
 * on the old stack and popped from the new one.  Floating point control words
 * are the same for all fibers.
 *
 * AddressSanitizer keeps a shadow of the current stack and, when it looks for
 * uses after return, a second stack for each; it is told before and after.
 */
#include <signal.h>
#include <ucontext.h>

#include "shim/common/task.h"
#include "shim/fiber/switch.h"

#ifdef __SANITIZE_ADDRESS__
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

__asm__(
	".text\n"
	".globl shim_fiber_switch\n"
	".type shim_fiber_switch, @function\n"
	"shim_fiber_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size shim_fiber_switch, . - shim_fiber_switch\n");

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

static const void *outer_bottom;
static size_t outer_size;

void fiber_asan_leave(struct fiber_asan *from, struct fiber_asan *to,
		      int ends)
{
	const void *bottom = to->bottom ? to->bottom : outer_bottom;
	size_t size = to->bottom ? to->size : outer_size;

	__sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack,
				       bottom, size);
}

/* @self is NULL at the beginning of a fiber */
void fiber_asan_enter(struct fiber_asan *self)
{
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(self ? self->fake_stack : NULL,
					&bottom, &size);
	if (!outer_bottom) {
		outer_bottom = bottom;
		outer_size = size;
	}
}

void fiber_asan_unpoison(void *p, size_t len)
{
	__asan_unpoison_memory_region(p, len);
}

int fiber_asan_on_death(void (*fn)(void))
{
	__sanitizer_set_death_callback(fn);
	return 1;
}
#else
void fiber_asan_leave(struct fiber_asan *from, struct fiber_asan *to,
		      int ends)
{
}

void fiber_asan_enter(struct fiber_asan *self)
{
}

void fiber_asan_unpoison(void *p, size_t len)
{
}

int fiber_asan_on_death(void (*fn)(void))
{
	return 0;
}
#endif

void fiber_report_context(void *ucontext)
{
	ucontext_t *uc = ucontext;
	char *fp = (char *)uc->uc_mcontext.gregs[REG_RBP];
	char *sp = (char *)uc->uc_mcontext.gregs[REG_RSP];
	void *ips[40];
	int nr = 1;

	/* + 1: the instruction itself, not the one before a return address */
	ips[0] = (char *)uc->uc_mcontext.gregs[REG_RIP] + 1;
	if (fp >= sp && fp < sp + (64 << 10))
		nr += shim_os_backtrace_from(fp, sp, fp + (16 << 10), ips + 1,
					     39);
	shim_os_symbolize(ips, nr);
}

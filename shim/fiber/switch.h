/* SPDX-License-Identifier: GPL-2.0-only */
/* What of the fibers depends on the machine and on the compiler's sanitizers. */
#ifndef SHIM_FIBER_SWITCH_H
#define SHIM_FIBER_SWITCH_H

#include <stddef.h>

#ifndef __x86_64__
#error "fibers need shim_fiber_switch() for this machine"
#endif

/* below the return address on the stack of a fiber that does not run */
#define FIBER_SAVED_REGS 6
#define FIBER_SAVED_FP 5

/* Stores the stack pointer of this fiber and goes on with the other's. */
void shim_fiber_switch(void **ret_sp, void *sp);

struct fiber_asan {
	void *fake_stack;
	const void *bottom;
	size_t size;
};

/* Before and after a switch, so that AddressSanitizer knows the stack. */
void fiber_asan_leave(struct fiber_asan *from, struct fiber_asan *to,
		      int ends);
void fiber_asan_enter(struct fiber_asan *self);
void fiber_asan_unpoison(void *p, size_t len);
/* Returns whether a sanitizer reports signals itself. */
int fiber_asan_on_death(void (*fn)(void));

/* The stack of a fault. */
void fiber_report_context(void *ucontext);

#endif

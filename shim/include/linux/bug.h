/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim is stricter than the kernel: what warns there ends the program
 * here, with place, seed and stack.
 */
#ifndef _LINUX_BUG_H
#define _LINUX_BUG_H

#include <linux/compiler.h>
#include <linux/build_bug.h>

void shim_bug(const char *file, int line, const char *what) __noreturn __cold;
void shim_bugf(const char *file, int line, const char *fmt, ...)
	__noreturn __cold __printf(3, 4);

#define BUG() shim_bug(__FILE__, __LINE__, "BUG")
#define BUG_ON(cond) do {						\
	if (unlikely(cond))						\
		shim_bug(__FILE__, __LINE__, "BUG_ON(" #cond ")");	\
} while (0)
#define WARN_ON(cond) ({						\
	int __warn_on = !!(cond);					\
	if (unlikely(__warn_on))					\
		shim_bug(__FILE__, __LINE__, "WARN_ON(" #cond ")");	\
	unlikely(__warn_on);						\
})
#define WARN(cond, ...) ({						\
	int __warn_on = !!(cond);					\
	if (unlikely(__warn_on))					\
		shim_bugf(__FILE__, __LINE__, __VA_ARGS__);		\
	unlikely(__warn_on);						\
})
#define WARN_ON_ONCE(cond) WARN_ON(cond)
#define WARN_ONCE(cond, ...) WARN(cond, __VA_ARGS__)

#endif

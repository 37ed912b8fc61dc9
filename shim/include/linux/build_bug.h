/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_BUILD_BUG_H
#define _LINUX_BUILD_BUG_H

#include <linux/compiler.h>

/* static_assert(expression) or static_assert(expression, "text") */
#define static_assert(expr, ...) \
	__static_assert_text(expr, ##__VA_ARGS__, #expr)
#define __static_assert_text(expr, text, ...) _Static_assert(expr, text)

/* the condition has to be constant; 0 bytes of code */
#define BUILD_BUG_ON(cond) \
	((void)sizeof(char[1 - 2 * !!(cond)]))
#define BUILD_BUG_ON_MSG(cond, msg) BUILD_BUG_ON(cond)
#define BUILD_BUG_ON_ZERO(cond) \
	((int)sizeof(struct { int : -!!(cond); }))
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) \
	BUILD_BUG_ON((n) == 0 || (((n) & ((n) - 1)) != 0))

#endif

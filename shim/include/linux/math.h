/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MATH_H
#define _LINUX_MATH_H

#include <linux/types.h>

/* powers of two */
#define __round_mask(x, y) ((typeof(x))((y) - 1))
#define round_up(x, y) ((((x) - 1) | __round_mask(x, y)) + 1)
#define round_down(x, y) ((x) & ~__round_mask(x, y))

/* anything; 64-bit operands only by constants, as in 32-bit kernels */
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define DIV_ROUND_DOWN_ULL(n, d) ((unsigned long long)(n) / (d))
#define DIV_ROUND_UP_ULL(n, d) \
	DIV_ROUND_DOWN_ULL((unsigned long long)(n) + (d) - 1, (d))
#define DIV_ROUND_CLOSEST(n, d) (((n) + (d) / 2) / (d))
#define roundup(x, y) ({						\
	typeof(y) __roundup_y = (y);					\
	(((x) + (__roundup_y - 1)) / __roundup_y) * __roundup_y;	\
})
#define rounddown(x, y) ({						\
	typeof(x) __rounddown_x = (x);					\
	__rounddown_x - (__rounddown_x % (y));				\
})

#define abs(x) ({							\
	typeof(x) __abs_x = (x);					\
	__abs_x < 0 ? -__abs_x : __abs_x;				\
})

unsigned long int_sqrt(unsigned long x);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As strict as the stricter of the two kernels: both operands of min() and
 * max() have the same type, and the result is no constant expression.
 */
#ifndef _LINUX_MINMAX_H
#define _LINUX_MINMAX_H

#include <linux/compiler.h>
#include <linux/build_bug.h>
#include <linux/types.h>

#define __mm_same(x, y) \
	((void)sizeof((typeof(x) *)1 == (typeof(y) *)1))
#define __mm_once(op, x, y, ux, uy) ({					\
	typeof(x) ux = (x);						\
	typeof(y) uy = (y);						\
	__mm_same(x, y);						\
	ux op uy ? ux : uy;						\
})
#define __mm_cat2(a, b) a##b
#define __mm_cat(a, b) __mm_cat2(a, b)
#define __mm(op, x, y)							\
	__mm_once(op, x, y, __mm_cat(__mm_x, __COUNTER__),		\
		  __mm_cat(__mm_y, __COUNTER__))

#define min(x, y) __mm(<, x, y)
#define max(x, y) __mm(>, x, y)
#define min_t(type, x, y) __mm(<, (type)(x), (type)(y))
#define max_t(type, x, y) __mm(>, (type)(x), (type)(y))
#define min3(x, y, z) min((typeof(x))min(x, y), z)
#define max3(x, y, z) max((typeof(x))max(x, y), z)
#define clamp(val, lo, hi) min((typeof(val))max(val, lo), hi)
#define clamp_t(type, val, lo, hi) min_t(type, max_t(type, val, lo), hi)
#define clamp_val(val, lo, hi) clamp_t(typeof(val), val, lo, hi)
#define swap(a, b) do {							\
	typeof(a) __swap_tmp = (a);					\
	(a) = (b);							\
	(b) = __swap_tmp;						\
} while (0)

#endif

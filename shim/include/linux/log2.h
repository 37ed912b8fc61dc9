/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_LOG2_H
#define _LINUX_LOG2_H

#include <linux/types.h>
#include <linux/bitops.h>

/* constant for constants; -1 for 0 */
#define ilog2(n) \
	((int)((n) ? 63 - __builtin_clzll((unsigned long long)(n) | !(n)) : -1))

static inline bool __attribute__((const)) is_power_of_2(unsigned long n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* not for 0 */
#define roundup_pow_of_two(n) \
	((n) == 1 ? 1UL : (1UL << (ilog2((unsigned long)(n) - 1) + 1)))
#define rounddown_pow_of_two(n) (1UL << ilog2((unsigned long)(n)))
#define order_base_2(n) ((n) > 1 ? ilog2((n) - 1) + 1 : 0)

#endif

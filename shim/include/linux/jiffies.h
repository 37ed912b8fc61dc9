/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_JIFFIES_H
#define _LINUX_JIFFIES_H

#include <linux/types.h>
#include <linux/limits.h>
#include <linux/ktime.h>

#define HZ 1000

/*
 * One a millisecond; as in the kernel they start five minutes before the low
 * 32 bits overflow.
 */
#define INITIAL_JIFFIES ((unsigned long)(unsigned int)(-300 * HZ))
unsigned long shim_jiffies(void);
#define jiffies shim_jiffies()

static inline u64 get_jiffies_64(void)
{
	return jiffies;
}

#define MAX_JIFFY_OFFSET ((LONG_MAX >> 1) - 1)

#define time_after(a, b) ((long)((b) - (a)) < 0)
#define time_before(a, b) time_after(b, a)
#define time_after_eq(a, b) ((long)((a) - (b)) >= 0)
#define time_before_eq(a, b) time_after_eq(b, a)
#define time_in_range(a, b, c) (time_after_eq(a, b) && time_before_eq(a, c))
#define time_is_before_jiffies(a) time_after(jiffies, a)
#define time_is_after_jiffies(a) time_before(jiffies, a)
#define time_after64(a, b) ((s64)((b) - (a)) < 0)
#define time_before64(a, b) time_after64(b, a)

static inline unsigned long msecs_to_jiffies(const unsigned int m)
{
	return (int)m < 0 ? (unsigned long)MAX_JIFFY_OFFSET : m;
}

static inline unsigned int jiffies_to_msecs(const unsigned long j)
{
	return j;
}

static inline unsigned long usecs_to_jiffies(const unsigned int u)
{
	return ((unsigned long)u + 999) / 1000;
}

static inline unsigned int jiffies_to_usecs(const unsigned long j)
{
	return j * 1000;
}

static inline unsigned long nsecs_to_jiffies(u64 n)
{
	return n / 1000000;
}

static inline u64 jiffies_to_nsecs(const unsigned long j)
{
	return (u64)j * 1000000;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H

#include <linux/stdarg.h>
#include <linux/types.h>
#include <linux/limits.h>
#include <linux/stddef.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/build_bug.h>
#include <asm/byteorder.h>

#define ARRAY_SIZE(arr) \
	(sizeof(arr) / sizeof((arr)[0]) + \
	 BUILD_BUG_ON_ZERO(__same_type((arr), &(arr)[0])))

#define ALIGN(x, a) (((x) + ((typeof(x))(a) - 1)) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a) - 1))
#define PTR_ALIGN(p, a) ((typeof(p))ALIGN((unsigned long)(p), (a)))
#define IS_ALIGNED(x, a) (((x) & ((typeof(x))(a) - 1)) == 0)

#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define lower_32_bits(n) ((u32)((n) & 0xffffffff))

#define __stringify_1(x...) #x
#define __stringify(x...) __stringify_1(x)

/*
 * The conversions of the closed list: d i u x X c s p %, flags - 0 + space #,
 * width and precision (also *), lengths hh h l ll z t.  No %pX extensions.
 * Anything else ends the program.
 */
int snprintf(char *buf, size_t size, const char *fmt, ...)
	__asm__("shim_snprintf") __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
	__asm__("shim_vsnprintf") __printf(3, 0);
int scnprintf(char *buf, size_t size, const char *fmt, ...)
	__asm__("shim_scnprintf") __printf(3, 4);
int vscnprintf(char *buf, size_t size, const char *fmt, va_list args)
	__asm__("shim_vscnprintf") __printf(3, 0);
char *kasprintf(gfp_t gfp, const char *fmt, ...) __malloc __printf(2, 3);
char *kvasprintf(gfp_t gfp, const char *fmt, va_list args)
	__malloc __printf(2, 0);

/* -EINVAL for anything but one number (and one newline), -ERANGE */
int __must_check kstrtoull(const char *s, unsigned int base,
			   unsigned long long *res);
int __must_check kstrtoll(const char *s, unsigned int base, long long *res);
int __must_check kstrtouint(const char *s, unsigned int base,
			    unsigned int *res);
int __must_check kstrtoint(const char *s, unsigned int base, int *res);
static inline int __must_check kstrtou64(const char *s, unsigned int base,
					 u64 *res)
{
	return kstrtoull(s, base, res);
}
static inline int __must_check kstrtos64(const char *s, unsigned int base,
					 s64 *res)
{
	return kstrtoll(s, base, res);
}
static inline int __must_check kstrtou32(const char *s, unsigned int base,
					 u32 *res)
{
	return kstrtouint(s, base, res);
}

/* Ends the program when the caller may not sleep here. */
void shim_might_sleep(const char *file, int line);
#define might_sleep() shim_might_sleep(__FILE__, __LINE__)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_COMPILER_H
#define _LINUX_COMPILER_H

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __packed __attribute__((packed))
#define __aligned(x) __attribute__((aligned(x)))
#define __must_check __attribute__((warn_unused_result))
#define __maybe_unused __attribute__((unused))
#define __always_unused __attribute__((unused))
#define __used __attribute__((used))
#define __noreturn __attribute__((noreturn))
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define __pure __attribute__((pure))
#define __cold __attribute__((cold))
#define __weak __attribute__((weak))
#define __malloc __attribute__((malloc))
#define __always_inline inline __attribute__((always_inline))
#define noinline __attribute__((noinline))
#define fallthrough __attribute__((fallthrough))
#define barrier() __asm__ __volatile__("" : : : "memory")

#ifdef __CHECKER__
#define __bitwise __attribute__((bitwise))
#define __force __attribute__((force))
#define __acquires(x) __attribute__((context(x, 0, 1)))
#define __releases(x) __attribute__((context(x, 1, 0)))
#define __must_hold(x) __attribute__((context(x, 1, 1)))
#else
#define __bitwise
#define __force
#define __acquires(x)
#define __releases(x)
#define __must_hold(x)
#endif

/*
 * Machine words only, as in the kernel.  Relaxed atomics instead of volatile:
 * the same code, and ThreadSanitizer sees what is meant.
 */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, val) __atomic_store_n(&(x), (val), __ATOMIC_RELAXED)

#define __same_type(a, b) __builtin_types_compatible_p(typeof(a), typeof(b))

/* 1 for an integer constant expression: a null pointer constant decides ?: */
#define __is_constexpr(x)						\
	(sizeof(int) == sizeof(*(1 ? (void *)((long)(x) * 0L) : (int *)1)))

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel ordering rules: what returns a value orders fully, what does not is
 * relaxed, failed cmpxchg is relaxed, and so are the _relaxed forms.
 */
#ifndef _LINUX_ATOMIC_H
#define _LINUX_ATOMIC_H

#include <linux/types.h>
#include <asm/barrier.h>

#define ATOMIC_INIT(i) { (i) }
#define ATOMIC64_INIT(i) { (i) }
#define ATOMIC_LONG_INIT(i) { (i) }

#define __SHIM_ATOMIC(pfx, type, val)					\
static inline val pfx##_read(const type *v)				\
{									\
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);		\
}									\
static inline val pfx##_read_acquire(const type *v)			\
{									\
	return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);		\
}									\
static inline void pfx##_set(type *v, val i)				\
{									\
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);		\
}									\
static inline void pfx##_set_release(type *v, val i)			\
{									\
	__atomic_store_n(&v->counter, i, __ATOMIC_RELEASE);		\
}									\
static inline void pfx##_add(val i, type *v)				\
{									\
	__atomic_fetch_add(&v->counter, i, __ATOMIC_RELAXED);		\
}									\
static inline void pfx##_sub(val i, type *v)				\
{									\
	__atomic_fetch_sub(&v->counter, i, __ATOMIC_RELAXED);		\
}									\
static inline void pfx##_inc(type *v)					\
{									\
	__atomic_fetch_add(&v->counter, 1, __ATOMIC_RELAXED);		\
}									\
static inline void pfx##_dec(type *v)					\
{									\
	__atomic_fetch_sub(&v->counter, 1, __ATOMIC_RELAXED);		\
}									\
static inline void pfx##_and(val i, type *v)				\
{									\
	__atomic_fetch_and(&v->counter, i, __ATOMIC_RELAXED);		\
}									\
static inline void pfx##_or(val i, type *v)				\
{									\
	__atomic_fetch_or(&v->counter, i, __ATOMIC_RELAXED);		\
}									\
static inline val pfx##_add_return(val i, type *v)			\
{									\
	return __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST);	\
}									\
static inline val pfx##_sub_return(val i, type *v)			\
{									\
	return __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST);	\
}									\
static inline val pfx##_inc_return(type *v)				\
{									\
	return pfx##_add_return(1, v);					\
}									\
static inline val pfx##_dec_return(type *v)				\
{									\
	return pfx##_sub_return(1, v);					\
}									\
static inline val pfx##_fetch_add(val i, type *v)			\
{									\
	return __atomic_fetch_add(&v->counter, i, __ATOMIC_SEQ_CST);	\
}									\
static inline val pfx##_fetch_sub(val i, type *v)			\
{									\
	return __atomic_fetch_sub(&v->counter, i, __ATOMIC_SEQ_CST);	\
}									\
static inline val pfx##_fetch_inc(type *v)				\
{									\
	return pfx##_fetch_add(1, v);					\
}									\
static inline val pfx##_fetch_dec(type *v)				\
{									\
	return pfx##_fetch_sub(1, v);					\
}									\
static inline val pfx##_fetch_and(val i, type *v)			\
{									\
	return __atomic_fetch_and(&v->counter, i, __ATOMIC_SEQ_CST);	\
}									\
static inline val pfx##_fetch_or(val i, type *v)			\
{									\
	return __atomic_fetch_or(&v->counter, i, __ATOMIC_SEQ_CST);	\
}									\
static inline val pfx##_xchg(type *v, val i)				\
{									\
	return __atomic_exchange_n(&v->counter, i, __ATOMIC_SEQ_CST);	\
}									\
static inline val pfx##_cmpxchg(type *v, val old, val new)		\
{									\
	__atomic_compare_exchange_n(&v->counter, &old, new, false,	\
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); \
	return old;							\
}									\
static inline bool pfx##_try_cmpxchg(type *v, val *old, val new)	\
{									\
	return __atomic_compare_exchange_n(&v->counter, old, new, false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); \
}									\
static inline bool pfx##_dec_and_test(type *v)				\
{									\
	return pfx##_dec_return(v) == 0;				\
}									\
static inline bool pfx##_inc_and_test(type *v)				\
{									\
	return pfx##_inc_return(v) == 0;				\
}									\
static inline bool pfx##_sub_and_test(val i, type *v)			\
{									\
	return pfx##_sub_return(i, v) == 0;				\
}									\
static inline bool pfx##_add_negative(val i, type *v)			\
{									\
	return pfx##_add_return(i, v) < 0;				\
}									\
static inline val pfx##_fetch_add_unless(type *v, val a, val u)	\
{									\
	val c = pfx##_read(v);						\
									\
	while (c != u && !pfx##_try_cmpxchg(v, &c, c + a))		\
		;							\
	return c;							\
}									\
static inline bool pfx##_add_unless(type *v, val a, val u)		\
{									\
	return pfx##_fetch_add_unless(v, a, u) != u;			\
}									\
static inline bool pfx##_inc_not_zero(type *v)				\
{									\
	return pfx##_add_unless(v, 1, 0);				\
}									\
static inline val pfx##_dec_if_positive(type *v)			\
{									\
	val c = pfx##_read(v);						\
									\
	while (c > 0 && !pfx##_try_cmpxchg(v, &c, c - 1))		\
		;							\
	return c - 1;							\
}

__SHIM_ATOMIC(atomic, atomic_t, int)
__SHIM_ATOMIC(atomic64, atomic64_t, s64)
__SHIM_ATOMIC(atomic_long, atomic_long_t, long)

#define xchg(ptr, v) __atomic_exchange_n((ptr), (v), __ATOMIC_SEQ_CST)
#define cmpxchg(ptr, old, new) ({					\
	typeof(*(ptr)) __cx_old = (old);				\
	__atomic_compare_exchange_n((ptr), &__cx_old, (new), false,	\
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); \
	__cx_old;							\
})
#define try_cmpxchg(ptr, oldp, new) \
	__atomic_compare_exchange_n((ptr), (oldp), (new), false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory.  Everything can fail, and tests make it fail.  Stricter than the
 * kernel: what kv*alloc() gave is freed by kvfree() alone; GFP_KERNEL is only
 * for marked scopes; new memory is filled with rubbish.
 */
#ifndef _LINUX_SLAB_H
#define _LINUX_SLAB_H

#include <linux/types.h>
#include <linux/compiler.h>
#include <linux/overflow.h>

#define ___GFP_IO 0x40u
#define ___GFP_FS 0x80u
#define ___GFP_ZERO 0x100u
#define ___GFP_ATOMIC 0x200u
#define ___GFP_DIRECT_RECLAIM 0x400u
#define ___GFP_KSWAPD_RECLAIM 0x800u
#define ___GFP_NOWARN 0x2000u
#define ___GFP_RETRY_MAYFAIL 0x4000u
#define ___GFP_NOFAIL 0x8000u
#define ___GFP_NORETRY 0x10000u

#define __GFP_IO ((__force gfp_t)___GFP_IO)
#define __GFP_FS ((__force gfp_t)___GFP_FS)
#define __GFP_ZERO ((__force gfp_t)___GFP_ZERO)
#define __GFP_DIRECT_RECLAIM ((__force gfp_t)___GFP_DIRECT_RECLAIM)
#define __GFP_KSWAPD_RECLAIM ((__force gfp_t)___GFP_KSWAPD_RECLAIM)
#define __GFP_RECLAIM \
	((__force gfp_t)(___GFP_DIRECT_RECLAIM | ___GFP_KSWAPD_RECLAIM))
#define __GFP_NOWARN ((__force gfp_t)___GFP_NOWARN)
#define __GFP_RETRY_MAYFAIL ((__force gfp_t)___GFP_RETRY_MAYFAIL)
#define __GFP_NOFAIL ((__force gfp_t)___GFP_NOFAIL)
#define __GFP_NORETRY ((__force gfp_t)___GFP_NORETRY)

#define GFP_ATOMIC \
	((__force gfp_t)(___GFP_ATOMIC | ___GFP_KSWAPD_RECLAIM))
#define GFP_KERNEL (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_NOWAIT (__GFP_KSWAPD_RECLAIM)
#define GFP_NOIO (__GFP_RECLAIM)
#define GFP_NOFS (__GFP_RECLAIM | __GFP_IO)

static inline bool gfpflags_allow_blocking(const gfp_t flags)
{
	return !!(flags & __GFP_DIRECT_RECLAIM);
}

#define ARCH_KMALLOC_MINALIGN 8
#define KMALLOC_MAX_SIZE (1UL << 22)

#define ZERO_SIZE_PTR ((void *)16)
#define ZERO_OR_NULL_PTR(x) ((unsigned long)(x) <= (unsigned long)ZERO_SIZE_PTR)

void *shim_alloc(size_t size, gfp_t gfp, bool kv, const char *file, int line);
void *shim_realloc(const void *p, size_t size, gfp_t gfp, const char *file,
		   int line) __must_check;
void shim_free(const void *p, bool kv);

#define __SHIM_HERE __FILE__, __LINE__
#define kmalloc(size, gfp) shim_alloc((size), (gfp), false, __SHIM_HERE)
#define kzalloc(size, gfp) kmalloc((size), (gfp) | __GFP_ZERO)
#define kmalloc_array(n, size, gfp) kmalloc(size_mul((n), (size)), (gfp))
#define kcalloc(n, size, gfp) kmalloc_array((n), (size), (gfp) | __GFP_ZERO)
#define krealloc(p, size, gfp) \
	shim_realloc((p), (size), (gfp), __SHIM_HERE)
#define krealloc_array(p, n, size, gfp) \
	krealloc((p), size_mul((n), (size)), (gfp))

#define kvmalloc(size, gfp) shim_alloc((size), (gfp), true, __SHIM_HERE)
#define kvzalloc(size, gfp) kvmalloc((size), (gfp) | __GFP_ZERO)
#define kvmalloc_array(n, size, gfp) kvmalloc(size_mul((n), (size)), (gfp))
#define kvcalloc(n, size, gfp) \
	kvmalloc_array((n), (size), (gfp) | __GFP_ZERO)

static inline void kfree(const void *p)
{
	shim_free(p, false);
}

static inline void kvfree(const void *p)
{
	shim_free(p, true);
}

void kfree_sensitive(const void *p);

#endif

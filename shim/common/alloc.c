/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmalloc() and friends over the system's malloc().
 *
 * Every block has a header in front: size, who made it, a magic number that
 * tells live from freed, and (strict backends) its place in the list of what
 * is alive, guarded by list_lock.  Strict backends also put eight known bytes
 * behind the block, fill new memory with rubbish and keep freed blocks back
 * for a while, filled with a pattern, to see late writes; AddressSanitizer
 * does those three better, so they are left to it when it is there.
 *
 * Which allocation fails is decided by a count or by a seeded generator.
 * Blocking allocations are places where the scheduler may switch.
 */
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/bug.h>
#include "task.h"

#define LIVE_MAGIC 0x5c0f7511u
#define FREED_MAGIC 0xdeadf7eeu
#define TAIL_BYTES 8
#define TAIL_PATTERN 0xbb
#define NEW_PATTERN 0x5a
#define FREED_PATTERN 0x6b
#define HELD_BACK 1024
#define HELD_BACK_MAX 4096

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifndef HAVE_ASAN
#define HAVE_ASAN 0
#endif

struct block {
	struct list_head entry;		/* L(list_lock) */
	size_t size;
	const char *file;
	u32 line;
	u32 magic;
	u64 kv;
	u64 pad;
} __aligned(16);

static unsigned int list_lock;
static LIST_HEAD(alive);		/* L(list_lock) */
static struct block *held_back[HELD_BACK];	/* L(list_lock) */
static unsigned int held_next;		/* L(list_lock) */
static u64 nr_blocks;			/* A */
static u64 nr_bytes;			/* A */
static u64 nr_allocs;			/* A: that could fail */
static u64 nr_failed;			/* A */
static u64 fail_at;			/* A: count of allocations, 0 never */
static int fail_onwards;		/* A */
static unsigned int fail_ppm;		/* A */
static u64 fail_state;			/* L(list_lock) */

static bool strict_memory(void)
{
	return shim_strict && !HAVE_ASAN;
}

static bool decide_random(void)
{
	u64 r;

	shim_raw_lock_word(&list_lock);
	r = shim_rand_next(&fail_state);
	shim_raw_unlock_word(&list_lock);
	return (r >> 33) % 1000000 < READ_ONCE(fail_ppm);
}

static bool decide_failure(struct shim_task *self, gfp_t gfp)
{
	u64 nr;
	u64 at;
	bool fail;

	if (self->nofail || (gfp & __GFP_NOFAIL))
		return false;
	nr = __atomic_add_fetch(&nr_allocs, 1, __ATOMIC_RELAXED);
	at = READ_ONCE(fail_at);
	fail = at && (nr == at || (nr > at && READ_ONCE(fail_onwards)));
	if (!fail && READ_ONCE(fail_ppm))
		fail = decide_random();
	if (fail)
		__atomic_add_fetch(&nr_failed, 1, __ATOMIC_RELAXED);
	return fail;
}

static void check_context(struct shim_task *self, size_t size, gfp_t gfp,
			  bool kv, const char *file, int line)
{
	if (gfp & __GFP_DIRECT_RECLAIM) {
		shim_check_sleep(self, "a blocking allocation");
		if ((gfp & __GFP_FS) && !self->nofs && !self->gfp_kernel_ok)
			shim_bug(file, line, "GFP_KERNEL outside of a marked scope");
	} else if (kv) {
		shim_bug(file, line, "kvmalloc() that must not sleep");
	}
	if ((gfp & __GFP_NOFAIL) && !(gfp & __GFP_DIRECT_RECLAIM))
		shim_bug(file, line, "__GFP_NOFAIL without blocking");
	if (size != SIZE_MAX && size > (kv ? INT_MAX : KMALLOC_MAX_SIZE))
		shim_bugf(file, line, "allocation of %zu bytes", size);
}

static void set_tail(struct block *b)
{
	if (strict_memory())
		memset((char *)(b + 1) + b->size, TAIL_PATTERN, TAIL_BYTES);
}

static void note_alive(struct block *b)
{
	__atomic_add_fetch(&nr_blocks, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&nr_bytes, b->size, __ATOMIC_RELAXED);
	if (!shim_strict)
		return;
	shim_raw_lock_word(&list_lock);
	list_add_tail(&b->entry, &alive);
	shim_raw_unlock_word(&list_lock);
}

void *shim_alloc(size_t size, gfp_t gfp, bool kv, const char *file, int line)
{
	struct shim_task *self = shim_me();
	struct block *b;

	check_context(self, size, gfp, kv, file, line);
	if (gfp & __GFP_DIRECT_RECLAIM)
		shim_preempt();
	if (decide_failure(self, gfp) || size == SIZE_MAX)
		return NULL;
	if (size == 0)
		return ZERO_SIZE_PTR;
	b = shim_os_malloc(sizeof(*b) + size + TAIL_BYTES * strict_memory());
	if (!b)
		return NULL;
	b->size = size;
	b->file = file;
	b->line = line;
	b->magic = LIVE_MAGIC;
	b->kv = kv;
	set_tail(b);
	if (gfp & __GFP_ZERO)
		memset(b + 1, 0, size);
	else if (shim_strict)
		memset(b + 1, NEW_PATTERN, size);
	note_alive(b);
	return b + 1;
}

static struct block *check_block(const void *p, const char *what)
{
	struct block *b = (struct block *)p - 1;

	if ((unsigned long)p & 15 || b->magic != LIVE_MAGIC) {
		if (!((unsigned long)p & 15) && b->magic == FREED_MAGIC)
			shim_fail("%s: %p was freed before; made at %s:%u",
				  what, p, b->file, b->line);
		shim_fail("%s: %p is not allocated memory", what, p);
	}
	if (strict_memory() &&
	    memchr_inv((const char *)p + b->size, TAIL_PATTERN, TAIL_BYTES))
		shim_fail("%s: write beyond the %zu bytes at %p, made at %s:%u",
			  what, b->size, p, b->file, b->line);
	return b;
}

static void note_dead(struct block *b)
{
	__atomic_sub_fetch(&nr_blocks, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&nr_bytes, b->size, __ATOMIC_RELAXED);
	if (!shim_strict)
		return;
	shim_raw_lock_word(&list_lock);
	list_del(&b->entry);
	shim_raw_unlock_word(&list_lock);
}

static void release(struct block *b)
{
	if (memchr_inv(b + 1, FREED_PATTERN, b->size))
		shim_fail("write after free to %p (%zu bytes), made at %s:%u",
			  b + 1, b->size, b->file, b->line);
	shim_os_free(b);
}

/* Keeps @b for a while, to see writes and frees that come too late. */
static void hold_back(struct block *b)
{
	struct block *old;

	memset(b + 1, FREED_PATTERN, b->size);
	shim_raw_lock_word(&list_lock);
	old = held_back[held_next];
	held_back[held_next] = b;
	held_next = (held_next + 1) % HELD_BACK;
	shim_raw_unlock_word(&list_lock);
	if (old)
		release(old);
}

void shim_free(const void *p, bool kv)
{
	struct block *b;

	if (ZERO_OR_NULL_PTR(p))
		return;
	b = check_block(p, kv ? "kvfree()" : "kfree()");
	if (kv)
		shim_check_sleep(shim_me(), "kvfree()");
	if (b->kv && !kv)
		shim_fail("kfree() of memory from kvmalloc() at %s:%u",
			  b->file, b->line);
	note_dead(b);
	b->magic = FREED_MAGIC;
	if (strict_memory() && b->size <= HELD_BACK_MAX)
		hold_back(b);
	else
		shim_os_free(b);
}

/* Always moves, so that pointers to the old place are found. */
void *shim_realloc(const void *p, size_t size, gfp_t gfp, const char *file,
		   int line)
{
	struct block *old = NULL;
	void *new;

	if (!ZERO_OR_NULL_PTR(p)) {
		old = check_block(p, "krealloc()");
		if (old->kv)
			shim_bug(file, line, "krealloc() of memory from kvmalloc()");
	}
	if (size == 0) {
		kfree(p);
		return ZERO_SIZE_PTR;
	}
	new = shim_alloc(size, gfp, false, file, line);
	if (new && old) {
		memcpy(new, p, min(size, old->size));
		kfree(p);
	}
	return new;
}

void kfree_sensitive(const void *p)
{
	if (!ZERO_OR_NULL_PTR(p))
		memzero_explicit((void *)p,
				 check_block(p, "kfree_sensitive()")->size);
	kfree(p);
}

shim_u64 shim_mem_blocks(void)
{
	return READ_ONCE(nr_blocks);
}

shim_u64 shim_mem_bytes(void)
{
	return READ_ONCE(nr_bytes);
}

shim_u64 shim_alloc_count(void)
{
	return READ_ONCE(nr_allocs);
}

shim_u64 shim_alloc_failed(void)
{
	return READ_ONCE(nr_failed);
}

void shim_alloc_fail_nth(shim_u64 nth)
{
	WRITE_ONCE(fail_onwards, 0);
	WRITE_ONCE(fail_at, nth ? READ_ONCE(nr_allocs) + nth : 0);
}

void shim_alloc_fail_from(shim_u64 nth)
{
	WRITE_ONCE(fail_onwards, nth != 0);
	WRITE_ONCE(fail_at, nth ? READ_ONCE(nr_allocs) + nth : 0);
}

void shim_alloc_fail_random(unsigned int per_million, shim_u64 seed)
{
	shim_raw_lock_word(&list_lock);
	fail_state = seed;
	shim_raw_unlock_word(&list_lock);
	WRITE_ONCE(fail_ppm, per_million);
}

static void report_alive(void)
{
	struct block *b;
	int n = 0;

	list_for_each_entry(b, &alive, entry) {
		shim_eprintf("  %p: %zu bytes, made at %s:%u\n", b + 1,
			     b->size, b->file, b->line);
		if (++n == 50) {
			shim_eprintf("  ...\n");
			break;
		}
	}
}

void shim_check_leaks(void)
{
	if (!READ_ONCE(nr_blocks))
		return;
	shim_report_begin();
	shim_eprintf("memory is still alive: %llu blocks, %llu bytes\n",
		     (unsigned long long)nr_blocks,
		     (unsigned long long)nr_bytes);
	report_alive();
	shim_report_end();
}

/* What was held back is looked at once more. */
static void drain_held_back(void)
{
	int i;

	for (i = 0; i < HELD_BACK; i++) {
		if (held_back[i])
			release(held_back[i]);
		held_back[i] = NULL;
	}
	held_next = 0;
}

void shim_alloc_reset(void);
void shim_alloc_reset(void)
{
	shim_alloc_fail_nth(0);
	WRITE_ONCE(fail_ppm, 0);
	drain_held_back();
}

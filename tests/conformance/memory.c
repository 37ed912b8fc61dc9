/* SPDX-License-Identifier: GPL-2.0-only */
/* Conformance: allocation. */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "conf.h"

static int small(void)
{
	u8 *p;
	u8 *q;

	p = kmalloc(100, GFP_NOFS);
	CHECK(p && IS_ALIGNED((unsigned long)p, ARCH_KMALLOC_MINALIGN));
	memset(p, 7, 100);
	q = krealloc(p, 200, GFP_NOFS);
	CHECK(q && !memchr_inv(q, 7, 100));
	p = krealloc(q, 50, GFP_NOFS);
	CHECK(p && !memchr_inv(p, 7, 50));
	kfree(p);
	p = kzalloc(300, GFP_NOWAIT);
	CHECK(p && !memchr_inv(p, 0, 300));
	kfree_sensitive(p);
	p = kcalloc(10, 30, GFP_NOFS);
	CHECK(p && !memchr_inv(p, 0, 300));
	kfree(p);
	p = krealloc(NULL, 10, GFP_NOFS);
	CHECK(p);
	kfree(p);
	kfree(NULL);
	return 0;
}

static int nothing(void)
{
	void *p = kmalloc(0, GFP_NOFS);

	CHECK(p == ZERO_SIZE_PTR && ZERO_OR_NULL_PTR(p));
	kfree(p);
	kvfree(NULL);
	kvfree(kvmalloc(0, GFP_NOFS));
	return 0;
}

static int too_much(void)
{
	/* hidden from the compiler, which warns of impossible sizes */
	volatile size_t many = SIZE_MAX / 4;

	CHECK(!kmalloc_array(many, 8, GFP_NOFS | __GFP_NOWARN));
	CHECK(!kcalloc(many, 8, GFP_NOFS | __GFP_NOWARN));
	CHECK(!kvmalloc_array(many, 8, GFP_NOFS | __GFP_NOWARN));
	CHECK(!kvcalloc(many, 8, GFP_NOFS | __GFP_NOWARN));
	return 0;
}

static int large(void)
{
	u8 *p = kvmalloc(3 << 20, GFP_NOFS);

	CHECK(p);
	memset(p, 1, 3 << 20);
	kvfree(p);
	p = kvzalloc(100000, GFP_NOFS);
	CHECK(p && !memchr_inv(p, 0, 100000));
	kvfree(p);
	p = kvcalloc(1000, 10, GFP_NOFS);
	CHECK(p && !memchr_inv(p, 0, 10000));
	kvfree(p);
	p = kmalloc(10, GFP_NOFS);
	kvfree(p);
	return 0;
}

static int copies(void)
{
	char *p = kstrdup("hello", GFP_NOFS);
	char *q;

	CHECK(p && !strcmp(p, "hello"));
	q = kmemdup(p, 6, GFP_NOFS);
	CHECK(q && q != p && !strcmp(q, "hello"));
	kfree(q);
	q = kmemdup_nul(p, 4, GFP_NOFS);
	CHECK(q && !strcmp(q, "hell"));
	kfree(q);
	q = kstrndup(p, 2, GFP_NOFS);
	CHECK(q && !strcmp(q, "he"));
	kfree(q);
	q = kasprintf(GFP_NOFS, "%s-%d", p, 7);
	CHECK(q && !strcmp(q, "hello-7"));
	kfree(q);
	kfree(p);
	CHECK(!kstrdup(NULL, GFP_NOFS));
	return 0;
}

static int scopes(void)
{
	unsigned int outer = memalloc_nofs_save();
	unsigned int inner = memalloc_nofs_save();
	void *p = kmalloc(10, GFP_KERNEL);

	memalloc_nofs_restore(inner);
	memalloc_nofs_restore(outer);
	CHECK(p);
	kfree(p);
	CHECK(PAGE_SIZE >= 4096 && PAGE_ALIGN(1) == PAGE_SIZE);
	CHECK(gfpflags_allow_blocking(GFP_NOFS));
	CHECK(!gfpflags_allow_blocking(GFP_NOWAIT));
	CHECK(!gfpflags_allow_blocking(GFP_ATOMIC));
	return 0;
}

const struct conf_case conf_memory[] = {
	{ "small blocks", small },
	{ "blocks of nothing", nothing },
	{ "impossible sizes", too_much },
	{ "large blocks", large },
	{ "copies", copies },
	{ "allocation scopes", scopes },
	{ NULL, NULL },
};

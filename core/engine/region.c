// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space of the server region.
 *
 * Volatile: rebuilt from the root's runs and the log's segments whenever the
 * store is opened, so a crash has nothing to repair here.  A unit that is
 * allocated and then not referred to is free again after the next open.
 */
#include "engine/region.h"

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "base/report.h"

int sfs_region_init(struct sfs_region *reg, const struct sfs_identity *ident)
{
	u64 unit = clamp_t(u64, rounddown_pow_of_two(ident->region_bytes / 128),
			   64ULL << 10, 4ULL << 20);

	spin_lock_init(&reg->lock);
	reg->start = SFS_META_REGION;
	reg->unit_bytes = (u32)unit;
	reg->nr_units = (u32)div_u64(ident->region_bytes, (u32)unit);
	reg->nr_used = 0;
	reg->hint = 0;
	reg->used = kvcalloc(BITS_TO_LONGS(reg->nr_units), sizeof(long),
			     GFP_NOFS);
	return reg->used ? 0 : -ENOMEM;
}

void sfs_region_exit(struct sfs_region *reg)
{
	kvfree(reg->used);
	reg->used = NULL;
}

/* First of @units free ones in a row in [from, to), or @to. */
static u32 find_free(const struct sfs_region *reg, u32 from, u32 to, u32 units)
{
	u32 at = from;
	u32 end;

	while (at + units <= to) {
		at = find_next_zero_bit(reg->used, to, at);
		if (at + units > to)
			break;
		end = find_next_bit(reg->used, at + units, at);
		if (end >= at + units)
			return at;
		at = end;
	}
	return to;
}

int sfs_region_alloc(struct sfs_region *reg, u32 units, u64 *ret_addr)
{
	int ret = -ENOSPC;
	u32 at;

	spin_lock(&reg->lock);
	at = find_free(reg, reg->hint, reg->nr_units, units);
	if (at == reg->nr_units)
		at = find_free(reg, 0, reg->nr_units, units);
	if (at < reg->nr_units) {
		bitmap_set(reg->used, at, units);
		reg->nr_used += units;
		reg->hint = at + units;
		*ret_addr = reg->start + (u64)at * reg->unit_bytes;
		ret = 0;
	}
	spin_unlock(&reg->lock);
	return ret;
}

static void region_units(const struct sfs_region *reg, u64 addr, u64 bytes,
			 u32 *ret_first, u32 *ret_nr)
{
	u32 first = (u32)div_u64(addr - reg->start, reg->unit_bytes);
	u32 last = (u32)div_u64(addr + bytes - 1 - reg->start, reg->unit_bytes);

	*ret_first = first;
	*ret_nr = last - first + 1;
}

void sfs_region_free(struct sfs_region *reg, u64 addr, u64 bytes)
{
	u32 first;
	u32 nr;
	u32 i;

	region_units(reg, addr, bytes, &first, &nr);
	spin_lock(&reg->lock);
	for (i = first; i < first + nr; i++) {
		SFS_ASSERT(test_bit(i, reg->used));
		__clear_bit(i, reg->used);
	}
	reg->nr_used -= nr;
	spin_unlock(&reg->lock);
}

int sfs_region_mark(struct sfs_region *reg, u64 addr, u64 bytes)
{
	u64 size = (u64)reg->nr_units * reg->unit_bytes;
	u32 first;
	u32 nr;
	u32 i;

	if (addr < reg->start || bytes == 0 || bytes > size ||
	    addr - reg->start > size - bytes)
		return -EUCLEAN;
	region_units(reg, addr, bytes, &first, &nr);
	spin_lock(&reg->lock);
	for (i = first; i < first + nr; i++) {
		reg->nr_used += !test_bit(i, reg->used);
		__set_bit(i, reg->used);
	}
	spin_unlock(&reg->lock);
	return 0;
}

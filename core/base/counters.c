// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: their names, and reading one out of its copies.
 *
 * Counting takes no lock and orders nothing; the value of a counter says
 * nothing about that of another one.
 */
#include "base/counters.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "api.h"

static const struct {
	const char *name;
	const char *text;
} table[] = {
#define SFS_COUNTER_ROW(name, text) { #name, text },
	SFS_COUNTERS(SFS_COUNTER_ROW)
#undef SFS_COUNTER_ROW
};

/* Large enough that allocators give whole pages: copies begin at cache lines. */
struct sfs_counters *sfs_counters_create(void)
{
	return kvzalloc(sizeof(struct sfs_counters), GFP_NOFS);
}

void sfs_counters_free(struct sfs_counters *cnt)
{
	kvfree(cnt);
}

u64 sfs_counters_read(const struct sfs_counters *cnt, u32 nr)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < SFS_COUNTER_SHARDS; i++)
		sum += atomic64_read(&cnt->v[i][nr]);
	return sum;
}

int sfs_counters_nr(void)
{
	return SFS_NR_COUNTERS;
}

const char *sfs_counter_name(int i)
{
	return table[i].name;
}

const char *sfs_counter_text(int i)
{
	return table[i].text;
}

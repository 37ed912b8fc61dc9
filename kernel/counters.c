// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of the VFS side.
 *
 * A processor adds to its own copy, so counting costs next to nothing; reading
 * adds the copies up and may miss what is being added.
 */
#include "counters.h"

#include <linux/kernel.h>

static const char *const names[] = {
#define SFS_VFS_COUNTER_NAME(name, text) #name,
	SFS_VFS_COUNTERS(SFS_VFS_COUNTER_NAME)
#undef SFS_VFS_COUNTER_NAME
};

int sfs_counters_alloc(struct sfs_sb *sbi)
{
	sbi->counters = alloc_percpu(struct sfs_vfs_counters);
	return sbi->counters ? 0 : -ENOMEM;
}

void sfs_counters_release(struct sfs_sb *sbi)
{
	free_percpu(sbi->counters);
	sbi->counters = NULL;
}

int sfs_vfs_counters_nr(void)
{
	return ARRAY_SIZE(names);
}

const char *sfs_vfs_counter_name(int i)
{
	return names[i];
}

u64 sfs_vfs_counter_read(const struct sfs_sb *sbi, int i)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(sbi->counters, cpu)->v[i]);
	return sum;
}

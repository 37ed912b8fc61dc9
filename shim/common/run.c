/* SPDX-License-Identifier: GPL-2.0-only */
/* Beginning and end of a run, and seeded random numbers for tests. */
#include <linux/kernel.h>
#include "task.h"

static u64 test_rand_state;

void shim_workqueue_begin(void);
void shim_workqueue_end(int check);
void shim_alloc_reset(void);

/* splitmix64 (Steele, Lea, Flood 2014) */
shim_u64 shim_rand_next(shim_u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Tests that draw from several threads get them in no certain order. */
shim_u64 shim_rand(void)
{
	u64 state = __atomic_fetch_add(&test_rand_state, 0x9e3779b97f4a7c15ULL,
				       __ATOMIC_RELAXED);

	return shim_rand_next(&state);
}

void shim_common_begin(void)
{
	test_rand_state = shim_seed() ^ 0x7465737472616e64ULL;
	shim_workqueue_begin();
}

void shim_common_end(int check)
{
	shim_workqueue_end(check);
	shim_alloc_reset();
	if (check)
		shim_check_leaks();
}

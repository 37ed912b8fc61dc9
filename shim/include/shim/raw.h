/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the lock types are made of.  The layout is the same for both backends,
 * so that one compilation of the core links with either.
 */
#ifndef SHIM_RAW_H
#define SHIM_RAW_H

#include <linux/types.h>

struct shim_task;

/* guards lists of waiters for a few instructions */
struct shim_raw {
	unsigned int word;
};

#define SHIM_RAW_INIT { 0 }

#endif

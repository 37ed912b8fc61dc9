/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_COMMON_DEP_H
#define SHIM_COMMON_DEP_H

#include <linux/lockdep.h>
#include "task.h"

/* Before waiting for a lock, or after a try-lock got it. */
void shim_dep_acquire(struct shim_task *self, struct lockdep_map *map,
		      unsigned int subclass, unsigned int flags,
		      const void *ip);
void shim_dep_release(struct shim_task *self, struct lockdep_map *map);
/* now it is held for reading */
void shim_dep_set_read(struct shim_task *self, struct lockdep_map *map);

#endif

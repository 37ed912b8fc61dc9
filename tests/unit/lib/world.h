/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_UNIT_LIB_WORLD_H
#define TESTS_UNIT_LIB_WORLD_H

#include "mount/mount.h"
#include "mount/publish.h"
#include "server/server.h"
#include "tests/unit/lib/unit.h"

/* A volume with a running server and one mount. */
struct world {
	struct vol vol;
	struct sfs_hub *hub;
	struct sfs_server *srv;
	struct sfs_fs *fs;
	u32 commit_interval_ms;
};

/* Both return 0 or what failed, with nothing left running. */
int world_start(struct world *w);
int world_mount(struct world *w, struct sfs_fs **ret_fs);
/* The error of the last publish. */
int world_stop(struct world *w);

/*
 * Segments of the metadata device: map, items and manifest agree, and each is
 * in exactly one state.  Says what does not fit.
 */
bool world_segs_fit(struct world *w);
/*
 * Blocks of the data device: @used has one byte a block, 1 for those of files;
 * every other one is free or, with @mounted, owned by somebody.
 */
bool world_data_fits(struct world *w, const u8 *used, bool mounted);
/* Waits until nothing is compacted or reclaimed any more. */
void world_settle(struct world *w);

#endif

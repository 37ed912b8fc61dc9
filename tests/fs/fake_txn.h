/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mount without an engine: items in a tree in memory, transactions that
 * become durable at once or never, a data device that loses what was not
 * flushed.  The filesystem floor is tested over it.
 *
 * A struct fake_vol is the volume: what a crash leaves.  It stands in for
 * struct sfs_host, so sfs_mount((void *)vol, NULL, &opts, &fs) mounts it.
 */
#ifndef FAKE_TXN_H
#define FAKE_TXN_H

#include <linux/rbtree.h>
#include "api.h"
#include "check/fs_items.h"

struct fake_vol {
	struct rb_root items;	/* published */
	u64 rng;
	u64 next_seq;
	u64 next_group;
	u64 stable;
	s64 clock_ns;		/* of the wall, and it goes back at times */

	u64 nr_blocks;		/* of the data device */
	u8 *state;		/* of each: enum fake_block, volatile */
	u8 *data;
	u8 *old;		/* durable contents */
	u8 *dirty;		/* data differs from old */

	/* knobs */
	u32 publish_one_in;	/* holds; 0: only when asked for */
	u32 max_extent;		/* longest piece of data space, 0: no limit */
	u32 fail_hold_one_in;	/* -ENOSPC */
	u32 fail_io_one_in;	/* -EIO */
	bool quiet;		/* no log lines */

	bool crashed;		/* nothing is published any more */
	u64 nr_holds;
	u64 nr_publishes;
	u64 nr_failed;		/* by the knobs */
	u64 nr_waits;		/* sfs_txn_wait() that had to publish */
	struct sfs_fs *fs;	/* mounted */
};

struct fake_vol *fake_vol_create(u64 seed, u64 nr_blocks);
void fake_vol_destroy(struct fake_vol *vol);

/* From now on nothing more becomes durable; then unmount. */
void fake_crash(struct fake_vol *vol);
/* After the unmount: what unflushed writes come to. */
void fake_crash_data(struct fake_vol *vol);

/* Checks the published items, or those of the mount.  Returns errors. */
u64 fake_check(struct fake_vol *vol, bool published);
/* A walk over all items, printed. */
void fake_dump(struct fake_vol *vol, bool published);
/* Items in memory of a zone. */
u64 fake_count(struct fake_vol *vol, u8 zone);

u64 fake_rand(struct fake_vol *vol);

#endif

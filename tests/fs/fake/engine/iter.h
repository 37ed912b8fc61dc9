/* SPDX-License-Identifier: GPL-2.0-only */
/* Iterators as the filesystem floor sees them, over fake_txn.c. */
#ifndef SFS_ENGINE_ITER_H
#define SFS_ENGINE_ITER_H

#include <linux/types.h>
#include "base/key.h"

struct sfs_fs;

struct sfs_iter {
	struct sfs_key key;
	const void *val;
	u32 val_len;
	u64 seq;

	struct sfs_fs *fs;
	struct sfs_key pos;
	struct sfs_key last;
	bool published;
	bool done;
	u8 *val_buf;
};

int sfs_iter_next(struct sfs_iter *it);
void sfs_iter_exit(struct sfs_iter *it);

#endif

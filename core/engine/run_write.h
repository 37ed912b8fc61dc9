/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_RUN_WRITE_H
#define SFS_ENGINE_RUN_WRITE_H

#include "engine/memtable.h"
#include "engine/run.h"

struct sfs_run_writer;

/*
 * Where a run goes.  get() hands out @len contiguous bytes (a multiple of
 * 4096) of metadata space that the writer owns, or a negative errno.
 */
struct sfs_run_space {
	int (*get)(void *arg, u32 len, u64 *ret_addr);
	void *arg;
};

/* @filter_has: what filters contain, SFS_FILTER_HAS_*. */
struct sfs_run_writer *sfs_run_writer_create(struct sfs_host *host, u64 fsid,
					     u64 run_id, u8 filter_has,
					     const struct sfs_run_space *space);
/* Keys in strictly ascending order. */
int sfs_run_writer_add(struct sfs_run_writer *wr, const struct sfs_key *key,
		       u64 seq, u8 kind, const void *val, u32 val_len);
/* All items of a generation that no longer changes. */
int sfs_run_writer_add_gen(struct sfs_run_writer *wr, struct sfs_memgen *gen);
/* Bytes stored so far, blocks under construction included. */
u64 sfs_run_writer_bytes(const struct sfs_run_writer *wr);
u64 sfs_run_writer_items(const struct sfs_run_writer *wr);

/*
 * Writes what is left and waits for everything; the caller flushes the device.
 * The run has at least one item.  The writer is gone in any case.
 */
int sfs_run_writer_finish(struct sfs_run_writer *wr, struct sfs_run **ret_run);
void sfs_run_writer_abort(struct sfs_run_writer *wr);

/* Most bytes that a run of these items can take on the device. */
u64 sfs_run_max_bytes(u64 nr_items, u64 val_bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_LOAD_H
#define SFS_SERVER_LOAD_H

#include "engine/engine.h"

struct sfs_store;

/* What the state item says, see srv_format.h. */
struct sfs_srv_counters {
	u64 version;
	u64 stable;
	u64 next_seq;
	u64 next_run;
	u64 next_slice;
	u64 next_order;
	u64 next_ino;
};

/* -EIO for a wrong length. */
int sfs_srv_counters_decode(const void *val, u32 len,
			    struct sfs_srv_counters *ret_cnt);
/* -EIO with a line when there are none. */
int sfs_srv_read_counters(struct sfs_engine *items,
			  struct sfs_srv_counters *ret_cnt);

/* Slices, each with a reference. */
struct sfs_slice_list {
	struct sfs_slice **slices;
	u32 nr;
	u32 cap;
};

/* Takes over the reference, unless it fails. */
int sfs_slice_list_add(struct sfs_slice_list *list, struct sfs_slice *slice);
void sfs_slice_list_free(struct sfs_slice_list *list);

/* The manifest after @edit becomes the only thing in the view of @vol. */
int sfs_srv_step_manifest(struct sfs_engine *vol, const struct sfs_edit *edit);
/* That of all slices in the store. */
int sfs_srv_load_manifest(struct sfs_store *store, u64 meta_bytes,
			  const struct sfs_srv_counters *cnt,
			  struct sfs_engine *vol);

#endif

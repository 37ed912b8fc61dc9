/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_CHECK_CHECK_H
#define SFS_CHECK_CHECK_H

#include "api.h"
#include "base/identity.h"
#include "check/fs_items.h"
#include "engine/store.h"
#include "server/load.h"

/* A stretch of the data device, in blocks; owner 0: free. */
struct sfs_space_fact {
	u64 start;
	u64 count;
	u64 owner;
};

/* What segments of the metadata device are, as far as seen; any combination. */
enum sfs_seg_use {
	SFS_SEG_IS_OWNED = 1,
	SFS_SEG_IS_PENDING = 2,
	SFS_SEG_IS_LIVE = 4,
	SFS_SEG_IS_JOB = 8,	/* owned by a compaction */
};

/*
 * One check.  Phases run in the order of their declaration below and leave
 * what the later ones need; one that could not see everything clears a flag,
 * and comparisons that would only repeat the damage are left out.
 */
struct sfs_checker {
	struct sfs_host *host;
	const struct sfs_check_ops *ops;
	struct sfs_check_result res;
	const char *phase;
	u64 done;
	u64 total;
	u64 told;			/* done, when progress was told last */

	struct sfs_identity ident;
	struct sfs_store *store;	/* NULL: can not be read */

	bool server_whole;		/* all items of the store were seen */
	bool has_counters;
	struct sfs_srv_counters cnt;
	struct sfs_slice_list slices;	/* of the volume, by run */
	u64 nr_segs;
	u8 *segs;			/* enum sfs_seg_use of each */
	struct sfs_facts space;		/* struct sfs_space_fact */
	struct sfs_facts mounts;	/* u64: ids, ascending */

	bool runs_whole;		/* all blocks of all runs were good */
	struct sfs_engine vol;
	bool has_vol;

	bool items_whole;		/* all items of the volume were compared */
	struct sfs_items_check items;

	char line[512];
};

/* One finding. */
void sfs_check_found(struct sfs_checker *ck, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A line that is no error by itself. */
void sfs_check_note(struct sfs_checker *ck, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* -ECANCELED when the check is to stop. */
int sfs_check_phase(struct sfs_checker *ck, const char *phase, u64 total);
int sfs_check_progress(struct sfs_checker *ck, u64 done);

/*
 * All return 0, or a negative errno when the check can not go on: no memory,
 * canceled.  Damage is not one of those.
 */
/* copies.c: -EUCLEAN and the like when there is no usable identity */
int sfs_check_identity(struct sfs_checker *ck);
int sfs_check_roots(struct sfs_checker *ck);
/* server_items.c */
int sfs_check_server_items(struct sfs_checker *ck);
int sfs_check_slices(struct sfs_checker *ck);
/* runs.c */
int sfs_check_store_runs(struct sfs_checker *ck);
int sfs_check_volume_runs(struct sfs_checker *ck);
/* space.c */
int sfs_check_region(struct sfs_checker *ck);
int sfs_check_segments(struct sfs_checker *ck);
int sfs_check_data(struct sfs_checker *ck);
/* volume.c */
int sfs_check_volume_items(struct sfs_checker *ck);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_MANIFEST_H
#define SFS_ENGINE_MANIFEST_H

#include <linux/list.h>
#include <linux/refcount.h>
#include "engine/run.h"

#define SFS_MAX_LEVELS 7

/* The part of a run, [first, last], that is live, and where it stands. */
struct sfs_slice {
	refcount_t refs;
	struct sfs_run *run;	/* I: referenced */
	u64 id;			/* I: never reused */
	u64 order;		/* I: in level 0, by it newer slices win */
	u64 items;		/* I: in [first, last], deletions included */
	u64 deletions;		/* I */
	struct sfs_key first;	/* I */
	struct sfs_key last;	/* I */
	u8 level;		/* I */
};

/*
 * The slices of a level: level 0 from the newest (highest order) to the
 * oldest, deeper ones disjoint and by key.
 */
struct sfs_level {
	refcount_t refs;
	u32 nr;
	struct sfs_slice *slices[];
};

/* One version of the list of live runs.  Immutable; levels are shared. */
struct sfs_manifest {
	refcount_t refs;
	struct list_head live;	/* L(engine): all pinned versions, ascending */
	u64 version;
	u64 stable;
	struct sfs_level *levels[SFS_MAX_LEVELS];
};

/* What makes a version out of the one before it. */
struct sfs_edit {
	u64 version;
	u64 stable;
	u64 rid;		/* whose publish this is, 0: a compaction */
	u64 publish_nr;
	u32 nr_del;
	u32 nr_add;
	u64 *del;		/* ids of slices */
	struct sfs_slice **add;	/* referenced */
};

/*
 * On disk (an item of the server's engine) and on the wire.  Packed: both put
 * it at any address.
 */
struct sfs_disk_piece {
	__le64 addr;
	__le64 len;
} __packed;

struct sfs_disk_slice {
	__le64 id;
	__le64 run_id;
	__le64 order;
	__le64 items;
	__le64 deletions;
	__le64 run_items;
	__le64 run_deletions;
	__le64 run_bytes;
	__le64 footer_addr;
	__le32 footer_len;
	__le32 footer_nr;
	__le16 nr_pieces;
	__u8 level;
	__u8 first[SFS_KEY_BYTES];
	__u8 last[SFS_KEY_BYTES];
	__u8 pad[7];
	struct sfs_disk_piece pieces[];
} __packed;
static_assert(sizeof(struct sfs_disk_slice) == 144);
#define SFS_DISK_SLICE_MAX                                                     \
	(sizeof(struct sfs_disk_slice) +                                       \
	 SFS_RUN_MAX_PIECES * sizeof(struct sfs_disk_piece))

struct sfs_slice *sfs_slice_create(struct sfs_run *run, u64 id, u8 level,
				   u64 order);
/* The rest of @slice from @first on, with what is left of its counts. */
struct sfs_slice *sfs_slice_trim(const struct sfs_slice *slice, u64 id,
				 const struct sfs_key *first, u64 items,
				 u64 deletions);
void sfs_slice_get(struct sfs_slice *slice);
void sfs_slice_put(struct sfs_slice *slice);
bool sfs_slice_overlaps(const struct sfs_slice *slice,
			const struct sfs_key *first,
			const struct sfs_key *last);

/* @buf has SFS_DISK_SLICE_MAX bytes; returns the length. */
u32 sfs_slice_encode(const struct sfs_slice *slice, void *buf);
/*
 * Validates every field; -EIO, the first says what is wrong, the second logs
 * it.  @meta_bytes bounds addresses.
 */
int sfs_slice_parse(const void *buf, u32 len, u64 meta_bytes,
		    struct sfs_wrong *ret_wrong, struct sfs_slice **ret_slice);
int sfs_slice_decode(struct sfs_host *host, const void *buf, u32 len,
		     u64 meta_bytes, struct sfs_slice **ret_slice);
int sfs_slice_to_text(const struct sfs_slice *slice, char *buf, u32 size);

struct sfs_manifest *sfs_manifest_create(void);
/* A new version; -EUCLEAN when the edit does not fit (names it). */
struct sfs_manifest *sfs_manifest_apply(struct sfs_host *host,
					const struct sfs_manifest *old,
					const struct sfs_edit *edit);
/* The last reference; its engine has it off its list. */
void sfs_manifest_free(struct sfs_manifest *man);
struct sfs_slice *sfs_manifest_find(const struct sfs_manifest *man, u64 id);

/* Position of the first slice in @level (below 0) that ends not below @key. */
u32 sfs_level_seek(const struct sfs_level *level, const struct sfs_key *key);

#define sfs_manifest_for_each(man, l, i, slice)				\
	for ((l) = 0; (l) < SFS_MAX_LEVELS; (l)++)			\
		for ((i) = 0; (i) < (man)->levels[l]->nr &&		\
			      ((slice) = (man)->levels[l]->slices[i], 1); \
		     (i)++)

#endif

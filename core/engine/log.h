/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_LOG_H
#define SFS_ENGINE_LOG_H

#include <linux/list.h>
#include <linux/mutex.h>
#include "engine/log_format.h"
#include "engine/region.h"

/* Where a record stands or will stand. */
struct sfs_log_place {
	u64 addr;
	u64 segment;		/* address of the segment it is in */
	u64 pos;
	u32 prev_crc;
	u64 bytes;		/* written up to there since the last trim */
};

/* A stretch of the region that holds records. */
struct sfs_log_segment {
	struct list_head head;
	u64 addr;
	u64 bytes;
	u64 first_pos;		/* of the first record in it */
};

struct sfs_log {
	struct sfs_host *host;		/* I */
	struct sfs_region *region;	/* I */
	u64 fsid;			/* I */
	u64 term;			/* I */
	u32 segment_bytes;		/* I */
	struct mutex mutex;
	struct sfs_log_place next;	/* L(mutex) */
	struct list_head segments;	/* L(mutex): oldest first */
	u64 bytes;			/* L(mutex) to change: written since last trimmed */
	u8 *buf;			/* L(mutex): SFS_LOG_MAX_RECORD */
};

void sfs_log_init(struct sfs_log *log, struct sfs_host *host,
		  struct sfs_region *region, u64 fsid);
void sfs_log_exit(struct sfs_log *log);
/* Begins @term in a fresh segment. */
int sfs_log_start(struct sfs_log *log, u64 term);
/* Appends @len bytes of changes as one atomic sequence of records, durably. */
int sfs_log_append(struct sfs_log *log, const u8 *changes, u32 len);
struct sfs_log_place sfs_log_next(struct sfs_log *log);
/* Records before @place, which sfs_log_next() gave, are no longer needed. */
void sfs_log_trim(struct sfs_log *log, const struct sfs_log_place *place);
u64 sfs_log_bytes(struct sfs_log *log);
/* All records of a log that was replayed are history. */
void sfs_log_retire(struct sfs_log *log);

/*
 * Calls @apply for each change from @from on, atomic sequences only as a
 * whole, and marks the segments in the region.  Stops at the first record that
 * does not fit; -EIO when that can only be damage.
 */
struct sfs_log_change {
	struct sfs_key key;
	const u8 *val;
	u32 val_len;
	u8 kind;
};
int sfs_log_replay(struct sfs_log *log, u64 term,
		   const struct sfs_log_place *from,
		   int (*apply)(void *arg, const struct sfs_log_change *change),
		   void *arg, u64 *ret_records);

u8 *sfs_log_put_change(u8 *p, const struct sfs_key *key, u8 kind,
		       const void *val, u32 len);
u32 sfs_log_change_bytes(u32 val_len);

#endif

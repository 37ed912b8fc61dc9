/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_ENGINE_H
#define SFS_ENGINE_ENGINE_H

#include <linux/spinlock.h>
#include "engine/iter.h"
#include "engine/manifest.h"
#include "engine/memtable.h"

#define SFS_VIEW_MAX_GENS 3

/* What a reader sees: generations from new to old, then a manifest version. */
struct sfs_view {
	refcount_t refs;
	u32 nr_gens;
	struct sfs_memgen *gens[SFS_VIEW_MAX_GENS];
	struct sfs_manifest *man;
};

/*
 * An item store: one view that is replaced as a whole, and the way to the
 * blocks of its runs.  Who owns the engine decides what becomes durable when.
 */
struct sfs_engine {
	struct sfs_host *host;		/* I */
	struct sfs_run_reader rd;	/* I */
	spinlock_t lock;
	struct sfs_view *view;		/* L(lock): current */
	struct list_head manifests;	/* L(lock): live versions, ascending */
};

int sfs_engine_init(struct sfs_engine *eng, struct sfs_host *host, u64 fsid,
		    u64 cache_bytes);
void sfs_engine_exit(struct sfs_engine *eng);

struct sfs_view *sfs_engine_view(struct sfs_engine *eng);
void sfs_view_put(struct sfs_engine *eng, struct sfs_view *view);

/*
 * Replaces the view.  Takes its own references.  -ENOMEM leaves it as it was.
 */
int sfs_engine_swap(struct sfs_engine *eng, struct sfs_memgen **gens,
		    u32 nr_gens, struct sfs_manifest *man);

/* Takes over the creator's reference: the manifest is live from here on. */
void sfs_engine_adopt(struct sfs_engine *eng, struct sfs_manifest *man);
struct sfs_manifest *sfs_engine_manifest(struct sfs_engine *eng);
void sfs_manifest_put(struct sfs_engine *eng, struct sfs_manifest *man);
/* The oldest version that anybody may still read. */
u64 sfs_engine_oldest(struct sfs_engine *eng);

/*
 * The newest version of the item: its length, -ENOENT, -ERANGE when it is
 * longer than @size, -EIO.
 */
int sfs_engine_get(struct sfs_engine *eng, const struct sfs_key *key,
		   void *buf, u32 size);
int sfs_engine_next(struct sfs_engine *eng, struct sfs_key *key,
		    const struct sfs_key *last, void *buf, u32 size);

void sfs_iter_init(struct sfs_engine *eng, struct sfs_iter *it,
		   const struct sfs_key *first, const struct sfs_key *last);
/* Over one manifest version alone. */
void sfs_iter_init_manifest(struct sfs_engine *eng, struct sfs_iter *it,
			    struct sfs_manifest *man,
			    const struct sfs_key *first,
			    const struct sfs_key *last);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_CHECK_FS_ITEMS_H
#define SFS_CHECK_FS_ITEMS_H

#include <linux/types.h>
#include "base/key.h"

/* An array that grows; the size of its elements is the user's. */
struct sfs_facts {
	void *mem;
	size_t nr;
	size_t cap;
};

/* Room for one more, zeroed; NULL when there is no memory. */
void *sfs_fact_add(struct sfs_facts *f, size_t size);

/* A piece of the data device that a file has. */
struct sfs_extent_fact {
	u64 phys;
	u64 count;
	u64 ino;
	u64 block;
};

/*
 * What the items of a volume must have in common.  Give it every live item of
 * the zones of the filesystem in the order of their keys, then end.  @report
 * gets one line for each thing that is wrong.
 */
struct sfs_items_check {
	void (*report)(void *arg, const char *line);
	void *arg;
	u8 hash_key[16];	/* of names, as in the identity */
	u64 data_first;		/* blocks of the data device that files may */
	u64 data_end;		/* have; end 0: no limit */

	u64 errors;
	u64 nr_items;
	u64 nr_inodes;
	u64 data_blocks;	/* named by extents */
	int err;		/* could not go on: no memory */
	struct sfs_facts extents; /* sfs_extent_fact, after end by phys */

	/* private */
	struct sfs_key prev;
	struct sfs_facts inodes;
	struct sfs_facts by_name;
	struct sfs_facts by_pos;
	struct sfs_facts backrefs;
	struct sfs_facts index;
	struct sfs_facts work;
	u64 xattr_hash;
	u64 xattr_id;
	u32 xattr_parts;
	u32 xattr_rest;
	struct sfs_key named;	/* last entry by name or xattr, and its name */
	u32 name_len;
	u8 name[256];
	char line[512];
};

void sfs_items_check_init(struct sfs_items_check *ck,
			  void (*report)(void *arg, const char *line),
			  void *arg);
void sfs_items_check_add(struct sfs_items_check *ck, const struct sfs_key *key,
			 const void *val, u32 len);
/* 0 or a negative errno; what was found is in ck->errors. */
int sfs_items_check_end(struct sfs_items_check *ck);
void sfs_items_check_exit(struct sfs_items_check *ck);

#endif

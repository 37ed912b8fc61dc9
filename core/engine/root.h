/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_ROOT_H
#define SFS_ENGINE_ROOT_H

#include "base/block.h"
#include "base/identity.h"
#include "engine/log.h"
#include "engine/manifest.h"

/* A root in memory. */
struct sfs_root {
	u64 generation;
	u64 term;
	u64 version;
	u64 next_id;
	struct sfs_log_place log;
	u8 first_copy;		/* to be written first: not the current one */
	u32 nr_slices;
	struct sfs_slice **slices;	/* referenced; freed by sfs_root_free() */
};

/* Bytes on the metadata device. */
extern const u64 sfs_root_addr[2];

/*
 * One copy, whatever the other is like; @buf has SFS_ROOT_BYTES bytes.  On
 * failure @ret_wrong->what is NULL if the device could not be read.
 */
int sfs_root_read_copy(struct sfs_host *host, const struct sfs_identity *ident,
		       int nr, void *buf, struct sfs_wrong *ret_wrong,
		       struct sfs_root *ret_root);
/*
 * The newest root that is readable.  -EIO with lines when none is; a warning
 * when one of the two copies is not.
 */
int sfs_root_read(struct sfs_host *host, const struct sfs_identity *ident,
		  struct sfs_root *ret_root);
/*
 * Writes both copies, one after the other, durably: until the first is, the
 * old root is current; from then on this one.  @root->first_copy is that of
 * sfs_root_read() or any when both have the same generation.
 */
int sfs_root_write(struct sfs_host *host, u64 fsid,
		   const struct sfs_root *root);
void sfs_root_free(struct sfs_root *root);

#endif

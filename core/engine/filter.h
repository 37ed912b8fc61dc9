/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_FILTER_H
#define SFS_ENGINE_FILTER_H

#include "base/key.h"

/*
 * Bloom filters over what items have in common: the inode (zone, f1), and for
 * entries by name hash also (zone, f1, type, f2).  About 1 % false positives.
 */
#define SFS_FILTER_BITS_PER_KEY 10
#define SFS_FILTER_PROBES 7
/* so that the bits of one filter fit a block */
#define SFS_FILTER_MAX_KEYS 25000

u64 sfs_filter_hash_inode(const struct sfs_key *key);
u64 sfs_filter_hash_name(const struct sfs_key *key);
/* Entries by name hash have a filter key of their own. */
bool sfs_filter_has_name(const struct sfs_key *key);

u32 sfs_filter_bytes(u32 nr_keys);
void sfs_filter_add(u8 *bits, u32 bytes, u64 hash);
bool sfs_filter_test(const u8 *bits, u32 bytes, u64 hash);

#endif

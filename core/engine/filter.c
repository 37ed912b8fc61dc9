// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bloom filters with double hashing (Kirsch and Mitzenmacher, "Less Hashing,
 * Same Performance", 2006).  A filter is on disk, so neither the hash nor the
 * number of probes may change within a format version.
 */
#include "engine/filter.h"

#include <linux/kernel.h>
#include <linux/minmax.h>

/* The finalizer of MurmurHash3: every input bit changes half of the output. */
static u64 mix(u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	h ^= h >> 33;
	return h;
}

u64 sfs_filter_hash_inode(const struct sfs_key *key)
{
	return mix(mix(key->f1) + key->zone);
}

u64 sfs_filter_hash_name(const struct sfs_key *key)
{
	return mix(mix(sfs_filter_hash_inode(key) ^ key->f2) + key->type);
}

bool sfs_filter_has_name(const struct sfs_key *key)
{
	return key->zone == SFS_ZONE_FS && key->type == SFS_FS_DIRENT;
}

u32 sfs_filter_bytes(u32 nr_keys)
{
	return max_t(u32, 8, DIV_ROUND_UP(nr_keys * SFS_FILTER_BITS_PER_KEY, 8));
}

/* The bit of probe @i; multiply-shift instead of a division. */
static u32 probe_bit(u32 bytes, u64 hash, u32 i)
{
	u32 h = (u32)hash + i * ((u32)(hash >> 32) | 1);

	return (u32)(((u64)h * (bytes * 8)) >> 32);
}

void sfs_filter_add(u8 *bits, u32 bytes, u64 hash)
{
	u32 bit;
	u32 i;

	for (i = 0; i < SFS_FILTER_PROBES; i++) {
		bit = probe_bit(bytes, hash, i);
		bits[bit / 8] |= (u8)(1 << (bit % 8));
	}
}

bool sfs_filter_test(const u8 *bits, u32 bytes, u64 hash)
{
	u32 bit;
	u32 i;

	for (i = 0; i < SFS_FILTER_PROBES; i++) {
		bit = probe_bit(bytes, hash, i);
		if (!(bits[bit / 8] & (1 << (bit % 8))))
			return false;
	}
	return true;
}

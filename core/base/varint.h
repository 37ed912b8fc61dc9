/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_VARINT_H
#define SFS_BASE_VARINT_H

#include <linux/types.h>

/*
 * Unsigned numbers in 1 to 10 bytes, seven bits a byte, low ones first; signed
 * ones folded so that small magnitudes stay short (LEB128 and zigzag, as in
 * DWARF and protocol buffers).
 */
#define SFS_VARINT_MAX 10

static inline u8 *sfs_varint_put(u8 *p, u64 v)
{
	while (v >= 0x80) {
		*p++ = (u8)(v | 0x80);
		v >>= 7;
	}
	*p++ = (u8)v;
	return p;
}

/* NULL when the number does not end before @end or exceeds 64 bits. */
static inline const u8 *sfs_varint_get(const u8 *p, const u8 *end, u64 *ret)
{
	u64 v = 0;
	unsigned int shift;

	/* nearly always */
	if (p < end && *p < 0x80) {
		*ret = *p;
		return p + 1;
	}
	for (shift = 0; shift < 64; shift += 7) {
		if (p >= end)
			return NULL;
		if (shift == 63 && *p > 1)
			return NULL;
		v |= (u64)(*p & 0x7f) << shift;
		if (!(*p++ & 0x80)) {
			*ret = v;
			return p;
		}
	}
	return NULL;
}

static inline u64 sfs_zigzag(s64 v)
{
	return ((u64)v << 1) ^ (u64)(v >> 63);
}

static inline s64 sfs_unzigzag(u64 v)
{
	return (s64)(v >> 1) ^ -(s64)(v & 1);
}

#endif

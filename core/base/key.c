// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys: comparison, successor and predecessor, the 27 bytes on disk.
 *
 * The space of keys is the 216-bit numbers that those bytes are; inc and dec
 * are plus and minus one on them.
 */
#include "base/key.h"

#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

int sfs_key_cmp(const struct sfs_key *a, const struct sfs_key *b)
{
	if (a->zone != b->zone)
		return a->zone < b->zone ? -1 : 1;
	if (a->f1 != b->f1)
		return a->f1 < b->f1 ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->f2 != b->f2)
		return a->f2 < b->f2 ? -1 : 1;
	if (a->f3 != b->f3)
		return a->f3 < b->f3 ? -1 : 1;
	if (a->f4 != b->f4)
		return a->f4 < b->f4 ? -1 : 1;
	return 0;
}

bool sfs_key_equal(const struct sfs_key *a, const struct sfs_key *b)
{
	return sfs_key_cmp(a, b) == 0;
}

void sfs_key_inc(struct sfs_key *key)
{
	if (++key->f4)
		return;
	if (++key->f3)
		return;
	if (++key->f2)
		return;
	if (++key->type)
		return;
	if (++key->f1)
		return;
	++key->zone;
}

void sfs_key_dec(struct sfs_key *key)
{
	if (key->f4--)
		return;
	if (key->f3--)
		return;
	if (key->f2--)
		return;
	if (key->type--)
		return;
	if (key->f1--)
		return;
	key->zone--;
}

static void put_be64(u8 *p, u64 v)
{
	__be64 be = cpu_to_be64(v);

	memcpy(p, &be, sizeof(be));
}

static u64 get_be64(const u8 *p)
{
	__be64 be;

	memcpy(&be, p, sizeof(be));
	return be64_to_cpu(be);
}

/* The last word overlaps the one before it. */
int sfs_key_bytes_cmp(const u8 *a, const u8 *b)
{
	static const u8 at[] = { 0, 8, 16, SFS_KEY_BYTES - 8 };
	u64 x;
	u64 y;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		x = get_be64(a + at[i]);
		y = get_be64(b + at[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

void sfs_key_encode(const struct sfs_key *key, u8 *buf)
{
	buf[0] = key->zone;
	put_be64(buf + 1, key->f1);
	buf[9] = key->type;
	put_be64(buf + 10, key->f2);
	put_be64(buf + 18, key->f3);
	buf[26] = key->f4;
}

void sfs_key_decode(struct sfs_key *key, const u8 *buf)
{
	key->zone = buf[0];
	key->f1 = get_be64(buf + 1);
	key->type = buf[9];
	key->f2 = get_be64(buf + 10);
	key->f3 = get_be64(buf + 18);
	key->f4 = buf[26];
}

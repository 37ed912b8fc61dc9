// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys: comparison, successor and predecessor, the 27 bytes on disk.
 *
 * The space of keys is the 216-bit numbers that those bytes are; inc and dec
 * are plus and minus one on them.
 */
#include "base/key.h"

#include <linux/kernel.h>
#include <linux/limits.h>

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
	key->f1 = sfs_key_word(buf + 1);
	key->type = buf[9];
	key->f2 = sfs_key_word(buf + 10);
	key->f3 = sfs_key_word(buf + 18);
	key->f4 = buf[26];
}

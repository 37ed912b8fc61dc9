/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner block: its checksum, and whether one that was read may be used.
 * Depends on nothing, so that a fuzzer can have it alone.
 */
#include "host/owner_block.h"

#include <endian.h>
#include <string.h>

/* Castagnoli's polynomial, reflected; a block every two seconds needs no table */
static __u32 crc32c(const void *data, size_t len)
{
	const unsigned char *p = data;
	__u32 crc = ~0U;
	int bit;

	while (len--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (0x82f63b78 & -(crc & 1));
	}
	return ~crc;
}

__u32 sfs_owner_block_crc(const struct owner_block *ob)
{
	struct owner_block copy = *ob;

	copy.crc = 0;
	return crc32c(&copy, sizeof(copy));
}

bool sfs_owner_block_intact(const struct owner_block *ob)
{
	return le64toh(ob->magic) == OWNER_MAGIC &&
	       le32toh(ob->crc) == sfs_owner_block_crc(ob) &&
	       memchr(ob->boot_id, 0, sizeof(ob->boot_id)) &&
	       memchr(ob->host_name, 0, sizeof(ob->host_name));
}

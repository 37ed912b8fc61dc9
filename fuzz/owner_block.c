/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner block: one that is said to be intact has texts that end within it,
 * and one changed bit of it is noticed.
 *
 * Input: the beginning of a block; the rest is zeroes.  As read, then with the
 * magic and checksum made right, so that what lies behind them is reached.
 *
 * This one belongs to the libc world, as what it tests.
 */
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/owner_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(int ok)
{
	if (!ok)
		abort();
}

static void use(struct owner_block *ob, size_t bit)
{
	uint8_t *bytes = (uint8_t *)ob;

	if (!sfs_owner_block_intact(ob))
		return;
	check(strlen(ob->boot_id) < sizeof(ob->boot_id));
	check(strlen(ob->host_name) < sizeof(ob->host_name));
	bytes[bit / 8] ^= 1 << bit % 8;
	check(!sfs_owner_block_intact(ob));
	bytes[bit / 8] ^= 1 << bit % 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct owner_block *ob;
	size_t bit;

	if (len > sizeof(*ob))
		return 0;
	ob = calloc(1, sizeof(*ob));
	check(ob != NULL);
	if (len)
		memcpy(ob, data, len);
	bit = (len * 31 + (len ? data[len - 1] : 0)) % (8 * sizeof(*ob));
	use(ob, bit);
	ob->magic = htole64(OWNER_MAGIC);
	ob->crc = htole32(sfs_owner_block_crc(ob));
	use(ob, bit);
	free(ob);
	return 0;
}

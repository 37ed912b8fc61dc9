/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the owner block of another host, of this one, or half of one means for
 * somebody who wants the volume.
 */
#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/string.h>
#include "owner.h"
#include "tests/unit/lib/unit.h"

#define FSID 0x1122334455667788ULL
#define BOOT "0b4ff5a3-8d5e-4c1c-9a41-3f6d3ad8a6b0"
#define OTHER_BOOT "00000000-0000-0000-0000-000000000000"

static u8 *block;
static u8 *again;

static struct sfs_owner_info claim(u32 state)
{
	struct sfs_owner_info info;

	memset(&info, 0, sizeof(info));
	info.state = state;
	info.pid = 4711;
	info.fsid = FSID;
	info.rid = 0x0102030405060708ULL;
	info.nonce = 0xfeedULL;
	info.counter = 7;
	info.start_time = 12345;
	info.pid_ns = 4026531836ULL;
	strscpy(info.boot_id, BOOT, sizeof(info.boot_id));
	strscpy(info.host_name, "somewhere", sizeof(info.host_name));
	return info;
}

static void put(u8 *buf, u32 state, u64 counter)
{
	struct sfs_owner_info info = claim(state);

	info.counter = counter;
	sfs_owner_block_encode(&info, buf);
}

static void test_layout(void)
{
	static const u8 head[] = { 's', 'f', 's', 'o', 'w', 'n', 'e', 'r' };
	struct sfs_owner_info info = claim(SFS_OWNER_ACTIVE);
	struct sfs_owner_info back;

	memset(&back, 0, sizeof(back));
	memset(block, 0xff, SFS_OWNER_BYTES);
	sfs_owner_block_encode(&info, block);
	ok(!memcmp(block, head, sizeof(head)) && block[12] == 1 &&
	   block[64] == (4711 & 0xff) && !strcmp((char *)block + 72, BOOT) &&
	   !strcmp((char *)block + 112, "somewhere"),
	   "the layout is that of the disk format");
	is_int(sfs_owner_block_decode(block, &back), 0, "it is understood");
	ok(!memcmp(&info, &back, sizeof(info)), "as it was meant");
	ok(sfs_owner_block_is(block, 0xfeed), "this claim");
	ok(!sfs_owner_block_is(block, 0xbeef), "not another one");
}

static void test_damaged(void)
{
	struct sfs_owner_info info;

	memset(block, 0, SFS_OWNER_BYTES);
	is_int(sfs_owner_block_decode(block, &info), -ENODATA, "never written");
	is_int(sfs_owner_block_judge(block, FSID, BOOT), SFS_OWNER_TAKE,
	       "is free");
	put(block, SFS_OWNER_ACTIVE, 1);
	block[SFS_OWNER_BYTES - 1] ^= 1;
	is_int(sfs_owner_block_decode(block, &info), -EUCLEAN, "damaged");
	ok(!sfs_owner_block_is(block, 0xfeed), "is nobody's claim");
	is_int(sfs_owner_block_judge(block, FSID, BOOT), SFS_OWNER_WATCH,
	       "may be half of a rewrite");
	put(again, SFS_OWNER_ACTIVE, 2);
	is_int(sfs_owner_block_watched(block, again), SFS_OWNER_BUSY,
	       "whose other half came");
}

static void test_verdicts(void)
{
	u32 state;

	for (state = SFS_OWNER_NONE; state <= SFS_OWNER_FAILED; state++) {
		bool alive = state == SFS_OWNER_ACTIVE ||
			     state == SFS_OWNER_STOPPING;

		put(block, state, 1);
		is_int(sfs_owner_block_judge(block, FSID, BOOT),
		       alive ? SFS_OWNER_LOCAL : SFS_OWNER_TAKE,
		       "state %u of this boot", state);
		is_int(sfs_owner_block_judge(block, FSID, OTHER_BOOT),
		       alive ? SFS_OWNER_WATCH : SFS_OWNER_TAKE,
		       "of another boot");
		is_int(sfs_owner_block_judge(block, FSID, ""),
		       alive ? SFS_OWNER_WATCH : SFS_OWNER_TAKE,
		       "of who knows which");
		is_int(sfs_owner_block_judge(block, FSID + 1, OTHER_BOOT),
		       SFS_OWNER_TAKE, "of an older volume");
		is_int(sfs_owner_block_judge(block, 0, OTHER_BOOT),
		       alive ? SFS_OWNER_WATCH : SFS_OWNER_TAKE,
		       "of a volume that is not known yet");
	}
}

static void test_watching(void)
{
	put(block, SFS_OWNER_ACTIVE, 1);
	put(again, SFS_OWNER_ACTIVE, 1);
	is_int(sfs_owner_block_watched(block, again), SFS_OWNER_WATCH,
	       "a counter that stands still");
	put(again, SFS_OWNER_ACTIVE, 2);
	is_int(sfs_owner_block_watched(block, again), SFS_OWNER_BUSY,
	       "one that moves");
	put(again, SFS_OWNER_STOPPING, 2);
	is_int(sfs_owner_block_watched(block, again), SFS_OWNER_BUSY,
	       "an owner that is about to leave");
	put(again, SFS_OWNER_CLEAN, 2);
	is_int(sfs_owner_block_watched(block, again), SFS_OWNER_TAKE,
	       "one that left");
	put(again, SFS_OWNER_FAILED, 2);
	is_int(sfs_owner_block_watched(block, again), SFS_OWNER_TAKE,
	       "one that left in disorder");
	again[300] ^= 1;
	is_int(sfs_owner_block_watched(block, again), SFS_OWNER_BUSY,
	       "half of a rewrite");
}

int shim_main(int argc, char **argv)
{
	block = unit_alloc(SFS_OWNER_BYTES);
	again = unit_alloc(SFS_OWNER_BYTES);
	test_layout();
	test_damaged();
	test_verdicts();
	test_watching();
	unit_free(block);
	unit_free(again);
	return done_testing();
}

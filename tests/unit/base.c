// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys, numbers of variable length, blocks, and the identity of a volume.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>
#include "base/block.h"
#include "base/varint.h"
#include "tests/unit/lib/unit.h"

static struct rng rng;

/* ---- keys ---------------------------------------------------------------- */

/* Numbers near the ends of their range as often as others. */
static u64 edgy(u64 max)
{
	switch (rng_below(&rng, 4)) {
	case 0:
		return rng_below(&rng, 2);
	case 1:
		return max - rng_below(&rng, 2);
	default:
		return rng_u64(&rng) & max;
	}
}

static struct sfs_key edgy_key(void)
{
	return SFS_KEY((u8)edgy(U8_MAX), edgy(U64_MAX), (u8)edgy(U8_MAX),
		       edgy(U64_MAX), edgy(U64_MAX), (u8)edgy(U8_MAX));
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void test_keys(void)
{
	u8 bytes[2][SFS_KEY_BYTES];
	struct sfs_key a;
	struct sfs_key b;
	bool order = true;
	bool step = true;
	bool same = true;
	u32 i;

	for (i = 0; i < 20000; i++) {
		a = edgy_key();
		b = rng_below(&rng, 3) ? edgy_key() : a;
		if (rng_below(&rng, 2))
			b.f4 = (u8)edgy(U8_MAX);
		sfs_key_encode(&a, bytes[0]);
		sfs_key_encode(&b, bytes[1]);
		order &= sign(memcmp(bytes[0], bytes[1], SFS_KEY_BYTES)) ==
			 sfs_key_cmp(&a, &b);
		order &= sfs_key_cmp(&a, &b) == -sfs_key_cmp(&b, &a);
		sfs_key_decode(&b, bytes[0]);
		same &= sfs_key_equal(&a, &b);
		sfs_key_inc(&b);
		step &= sfs_key_equal(&a, &SFS_KEY_MAX) ||
			sfs_key_cmp(&a, &b) < 0;
		sfs_key_dec(&b);
		step &= sfs_key_equal(&a, &b);
	}
	ok(order, "bytes compare as keys do");
	ok(same, "decoding undoes encoding");
	ok(step, "inc and dec are neighbours");
	a = SFS_KEY_MAX;
	sfs_key_inc(&a);
	ok(sfs_key_equal(&a, &SFS_KEY_MIN), "inc wraps around");
	sfs_key_dec(&a);
	ok(sfs_key_equal(&a, &SFS_KEY_MAX), "dec wraps around");
}

static void test_varint(void)
{
	u8 buf[SFS_VARINT_MAX + 1];
	bool good = true;
	const u8 *end;
	u64 got;
	u64 v;
	u8 *p;
	u32 i;

	for (i = 0; i < 20000; i++) {
		v = rng_u64(&rng) >> rng_below(&rng, 64);
		p = sfs_varint_put(buf, v);
		end = sfs_varint_get(buf, p, &got);
		good &= end == p && got == v && p - buf <= SFS_VARINT_MAX;
		good &= !sfs_varint_get(buf, p - 1, &got);
		good &= sfs_unzigzag(sfs_zigzag((s64)v)) == (s64)v;
	}
	ok(good, "numbers of variable length");
	memset(buf, 0xff, sizeof(buf));
	ok(!sfs_varint_get(buf, buf + sizeof(buf), &got), "one without an end");
	buf[9] = 2;
	ok(!sfs_varint_get(buf, buf + sizeof(buf), &got), "more than 64 bits");
}

/* ---- blocks -------------------------------------------------------------- */

static void test_block(struct vol *vol)
{
	struct sfs_block_id id = {
		.magic = SFS_MAGIC_ITEM,
		.nr = 3,
		.fsid = 5,
		.addr = 81920,
		.owner = 7,
	};
	u8 *buf = unit_alloc(8192);
	struct sfs_block_id other;
	bool good = true;
	u32 i;

	for (i = 0; i < 8192; i++)
		buf[i] = (u8)rng_u64(&rng);
	sfs_block_seal(buf, 5000, &id);
	is_int(sfs_block_verify(vol->host, buf, 8192, &id), 0, "sealed");
	is_int(sfs_block_verify(vol->host, buf, 4096, &id), -EIO, "too short");
	for (i = 0; i < 5000; i++) {
		buf[i] ^= 1 << i % 8;
		good &= sfs_block_verify(vol->host, buf, 8192, &id) == -EIO;
		buf[i] ^= 1 << i % 8;
	}
	ok(good, "every damaged byte is found");
	for (i = 0; i < 5; i++) {
		other = id;
		other.magic += i == 0;
		other.nr += i == 1;
		other.fsid += i == 2;
		other.addr += i == 3;
		other.owner += i == 4;
		is_int(sfs_block_verify(vol->host, buf, 8192, &other), -EIO,
		       "not the one that was meant");
	}
	unit_free(buf);
}

/* ---- identity ------------------------------------------------------------ */

static void test_geometry(void)
{
	struct sfs_identity ident = {};
	u64 size;
	u64 end;

	for (size = 64 * UNIT_MIB; size <= 64 * UNIT_MIB << 20; size *= 2) {
		ident.id.meta_bytes = size + 65536 * rng_below(&rng, 100);
		sfs_identity_geometry(ident.id.meta_bytes, &ident.region_bytes,
				      &ident.segment_bytes);
		end = sfs_identity_seg_start(&ident) +
		      sfs_identity_nr_segs(&ident) * ident.segment_bytes;
		ok(is_power_of_2(ident.segment_bytes) &&
		   ident.segment_bytes >= 64 << 10 &&
		   ident.segment_bytes <= 4 << 20 &&
		   ident.region_bytes >= 8 * UNIT_MIB &&
		   end <= ident.id.meta_bytes - SFS_META_TAIL &&
		   end + ident.segment_bytes >
			   ident.id.meta_bytes - SFS_META_TAIL &&
		   end - sfs_identity_seg_start(&ident) >= size / 2,
		   "geometry of %llu MiB", size / UNIT_MIB);
	}
}

static void swap_devices(struct vol *vol)
{
	u8 *meta = unit_alloc(SFS_UNIT);
	u8 *data = unit_alloc(SFS_UNIT);

	sim_image_read(sim_disk_contents(vol->disk[SFS_DEV_META]),
		       SFS_META_IDENTITY, meta, SFS_UNIT);
	sim_image_read(sim_disk_contents(vol->disk[SFS_DEV_DATA]),
		       SFS_DATA_IDENTITY, data, SFS_UNIT);
	sim_disk_scribble(vol->disk[SFS_DEV_META], SFS_META_IDENTITY, data,
			  SFS_UNIT);
	sim_disk_scribble(vol->disk[SFS_DEV_DATA], SFS_DATA_IDENTITY, meta,
			  SFS_UNIT);
	unit_free(meta);
	unit_free(data);
}

static void test_identity(struct vol *vol)
{
	struct sfs_identity ident;
	struct sfs_identity other;
	struct vol small;
	bool good = true;
	u32 at;
	int ret;

	is_int(sfs_identity_load(vol->host, &ident), -ENODATA, "no volume");
	vol->ident.id.slots[3].used = 1;
	vol->ident.id.slots[3].family = 4;
	vol->ident.id.slots[3].port = 1234;
	vol->ident.id.slots[3].addr[2] = 9;
	is_int(sfs_identity_write(vol->host, &vol->ident), 0, "written");
	is_int(sfs_identity_load(vol->host, &ident), 0, "read");
	ok(!memcmp(&ident, &vol->ident, sizeof(ident)), "it is the same");
	for (at = 0; at < SFS_UNIT; at++) {
		sim_disk_flip(vol->disk[SFS_DEV_META], SFS_META_IDENTITY + at,
			      at % 8);
		ret = sfs_identity_load(vol->host, &ident);
		good &= ret == -EUCLEAN || ret == -ENODATA ||
			ret == -EPROTONOSUPPORT;
		sim_disk_flip(vol->disk[SFS_DEV_META], SFS_META_IDENTITY + at,
			      at % 8);
	}
	ok(good, "every damaged byte is found");
	swap_devices(vol);
	is_int(sfs_identity_load(vol->host, &ident), -EINVAL, "swapped");
	ok(sim_host_logged(vol->host, SFS_LOG_ERR, "swapped"), "it is said");
	swap_devices(vol);

	/* a device that has become shorter than its volume */
	vol_create(&small, 64 * UNIT_MIB, 64 * UNIT_MIB, 9);
	other = small.ident;
	other.id.data_bytes *= 2;
	sfs_identity_write(small.host, &other);
	is_int(sfs_identity_load(small.host, &ident), -EINVAL, "truncated");
	ok(sim_host_logged(small.host, SFS_LOG_ERR, "truncated"), "it is said");
	vol_destroy(&small);
}

static void test_other_volume(struct vol *vol)
{
	u64 at = SFS_DATA_IDENTITY;
	struct sfs_identity ident;
	struct vol other;
	u8 *buf = unit_alloc(SFS_UNIT);

	vol_create(&other, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed() + 5);
	sfs_identity_write(vol->host, &vol->ident);
	sfs_identity_write(other.host, &other.ident);
	sim_image_read(sim_disk_contents(other.disk[SFS_DEV_DATA]), at, buf,
		       SFS_UNIT);
	sim_disk_scribble(vol->disk[SFS_DEV_DATA], at, buf, SFS_UNIT);
	is_int(sfs_identity_load(vol->host, &ident), -EINVAL,
	       "devices of different volumes");
	vol_destroy(&other);
	unit_free(buf);
}

int shim_main(int argc, char **argv)
{
	struct vol vol;

	rng.state = shim_seed();
	vol_create(&vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	test_keys();
	test_varint();
	test_block(&vol);
	test_geometry();
	test_identity(&vol);
	test_other_volume(&vol);
	vol_destroy(&vol);
	return done_testing();
}

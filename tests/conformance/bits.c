/* SPDX-License-Identifier: GPL-2.0-only */
/* Conformance: numbers, bits, byte order, division, rounding, overflow. */
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/limits.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "conf.h"

static_assert(sizeof(u8) == 1 && sizeof(u16) == 2 && sizeof(u32) == 4 &&
	      sizeof(u64) == 8 && sizeof(loff_t) == 8 && sizeof(umode_t) == 2);
static_assert(ilog2(4096) == 12, "usable in constants");

static int types_and_limits(void)
{
	CHECK(U8_MAX == 255 && S8_MAX == 127 && S8_MIN == -128);
	CHECK(U16_MAX == 65535 && S16_MAX == 32767 && S16_MIN == -32768);
	CHECK(U32_MAX == 0xffffffffU && S32_MAX == 0x7fffffff);
	CHECK(S32_MIN == -S32_MAX - 1 && S64_MIN == -S64_MAX - 1);
	CHECK(U64_MAX == 0xffffffffffffffffULL);
	CHECK(S64_MAX == 0x7fffffffffffffffLL);
	CHECK(INT_MAX == S32_MAX && UINT_MAX == U32_MAX);
	CHECK(LONG_MAX > 0 && LONG_MIN < 0 && ULONG_MAX == ~0UL);
	CHECK(SIZE_MAX == ~(size_t)0);
	CHECK((s8)-1 < 0 && (s16)-1 < 0 && (s32)-1 < 0 && (s64)-1 < 0);
	CHECK(NAME_MAX == 255 && PATH_MAX == 4096);
	CHECK((bool)256 == true && !(bool)0);
	CHECK(NULL == (void *)0);
	return 0;
}

struct outer {
	u32 before;
	struct {
		u8 x;
	} inner;
	u64 after[3];
};

static int structures(void)
{
	struct outer o;
	u8 arr[17];

	CHECK(container_of(&o.inner, struct outer, inner) == &o);
	CHECK(container_of(&o.after[0], struct outer, after[0]) == &o);
	CHECK(offsetof(struct outer, after) == 8);
	CHECK(sizeof_field(struct outer, after) == 24);
	CHECK(offsetofend(struct outer, before) == 4);
	CHECK(ARRAY_SIZE(arr) == 17 && ARRAY_SIZE(o.after) == 3);
	BUILD_BUG_ON(ARRAY_SIZE(arr) != 17);
	return 0;
}

static int calls;

static int counted(int v)
{
	calls++;
	return v;
}

static int minmax(void)
{
	int a = 1;
	int b = -2;

	CHECK(min(a, b) == -2 && max(a, b) == 1);
	CHECK(min_t(u8, a + 256, 3) == 1 && max_t(s64, -1, 0) == 0);
	CHECK(min3(3, 1, 2) == 1 && max3(1, 3, 2) == 3);
	CHECK(clamp(5, 1, 3) == 3 && clamp(-5, 1, 3) == 1);
	CHECK(clamp(2, 1, 3) == 2 && clamp_t(u64, 9, 1, 8) == 8);
	calls = 0;
	CHECK(max(counted(7), counted(3)) == 7 && calls == 2);
	swap(a, b);
	CHECK(a == -2 && b == 1);
	return 0;
}

static int rounding(void)
{
	u64 big = (1ULL << 40) + 1;

	CHECK(round_up(big, 4096) == (1ULL << 40) + 4096);
	CHECK(round_down(big, 4096) == 1ULL << 40);
	CHECK(round_up(4096, 4096) == 4096 && round_up(0, 8) == 0);
	CHECK(roundup(10, 3) == 12 && rounddown(10, 3) == 9);
	CHECK(DIV_ROUND_UP(10, 3) == 4 && DIV_ROUND_UP(9, 3) == 3);
	CHECK(DIV_ROUND_UP_ULL(big, 4096) == (1ULL << 28) + 1);
	CHECK(ALIGN(13, 8) == 16 && ALIGN(16, 8) == 16);
	CHECK(ALIGN_DOWN(13, 8) == 8);
	CHECK(IS_ALIGNED(16, 8) && !IS_ALIGNED(12, 8));
	CHECK(abs(-3) == 3 && abs(3) == 3);
	CHECK(upper_32_bits(big) == 256 && lower_32_bits(big) == 1);
	return 0;
}

static int division(void)
{
	u64 rem;
	u32 rem32;

	CHECK(div_u64(10000000000ULL, 7) == 1428571428ULL);
	CHECK(div_u64_rem(10000000000ULL, 7, &rem32) == 1428571428ULL);
	CHECK(rem32 == 4);
	CHECK(div64_u64(U64_MAX, 1ULL << 33) == (1ULL << 31) - 1);
	CHECK(div64_u64_rem(U64_MAX, 10000000001ULL, &rem) == 1844674407ULL);
	CHECK(rem == U64_MAX - 1844674407ULL * 10000000001ULL);
	CHECK(div_s64(-7, 2) == -3);
	CHECK(mul_u64_u32_div(1ULL << 60, 3000, 1000) == 3ULL << 60);
	CHECK(int_sqrt(99) == 9 && int_sqrt(100) == 10 && int_sqrt(0) == 0);
	return 0;
}

static int bit_positions(void)
{
	u64 v;
	int i;

	for (i = 0; i < 64; i++) {
		v = 1ULL << i;
		CHECK(ilog2(v) == i && fls64(v) == i + 1);
		CHECK(__fls(v) == i && __ffs(v) == i);
		CHECK(is_power_of_2(v));
		CHECK(i < 2 || !is_power_of_2(v - 1));
		CHECK(i == 0 || ilog2(v + (v - 1)) == i);
	}
	CHECK(fls64(0) == 0 && fls(0) == 0 && ffs(0) == 0);
	CHECK(fls(0x80000000U) == 32 && ffs(0x80) == 8 && fls(1) == 1);
	CHECK(!is_power_of_2(0));
	v = 5;
	CHECK(roundup_pow_of_two(v) == 8 && rounddown_pow_of_two(v) == 4);
	v = 8;
	CHECK(roundup_pow_of_two(v) == 8 && rounddown_pow_of_two(v) == 8);
	v = 1;
	CHECK(roundup_pow_of_two(v) == 1);
	CHECK(order_base_2(1) == 0 && order_base_2(5) == 3);
	CHECK(hweight64(0xf0f0f0f0f0f0f0f0ULL) == 32 && hweight32(7) == 3);
	CHECK(hweight8(0xff) == 8);
	CHECK(rol64(1, 63) == 1ULL << 63 && ror64(1, 1) == 1ULL << 63);
	CHECK(rol32(0x80000001U, 1) == 3 && ror32(1, 1) == 0x80000000U);
	CHECK(BIT(3) == 8 && BIT_ULL(40) == 1ULL << 40);
	CHECK(GENMASK(7, 4) == 0xf0 && GENMASK_ULL(63, 62) == 3ULL << 62);
	return 0;
}

static int bit_operations(void)
{
	unsigned long map[3] = { 0 };

	set_bit(70, map);
	CHECK(test_bit(70, map) && map[1] == 64 && !map[0] && !map[2]);
	CHECK(test_and_set_bit(70, map) && !test_and_set_bit(0, map));
	CHECK(test_and_clear_bit(70, map) && !test_and_clear_bit(70, map));
	change_bit(1, map);
	CHECK(map[0] == 3);
	CHECK(test_and_change_bit(1, map) && map[0] == 1);
	clear_bit(0, map);
	__set_bit(191, map);
	CHECK(test_bit(191, map) && __test_and_clear_bit(191, map));
	CHECK(!__test_and_set_bit(5, map));
	__clear_bit(5, map);
	__assign_bit(6, map, true);
	CHECK(map[0] == 64);
	__assign_bit(6, map, false);
	CHECK(!map[0] && !map[1] && !map[2]);
	return 0;
}

static int bitmaps(void)
{
	DECLARE_BITMAP(map, 200);
	DECLARE_BITMAP(other, 200);
	unsigned long bit;
	unsigned int n = 0;

	bitmap_zero(map, 200);
	CHECK(bitmap_empty(map, 200));
	CHECK(find_first_bit(map, 200) == 200);
	CHECK(find_first_zero_bit(map, 200) == 0);
	bitmap_set(map, 60, 80);
	CHECK(bitmap_weight(map, 200) == 80 && bitmap_weight(map, 64) == 4);
	CHECK(find_first_bit(map, 200) == 60 && find_next_bit(map, 200, 61) == 61);
	CHECK(find_next_zero_bit(map, 200, 60) == 140);
	CHECK(find_next_bit(map, 200, 140) == 200);
	CHECK(find_next_bit(map, 100, 300) == 100);
	CHECK(find_last_bit(map, 200) == 139);
	bitmap_clear(map, 64, 70);
	CHECK(bitmap_weight(map, 200) == 10);
	CHECK(find_next_bit(map, 200, 64) == 134);
	for_each_set_bit(bit, map, 200)
		n += bit;
	CHECK(n == 60 + 61 + 62 + 63 + 134 + 135 + 136 + 137 + 138 + 139);
	bitmap_copy(other, map, 200);
	CHECK(bitmap_equal(map, other, 200) && bitmap_subset(map, other, 200));
	clear_bit(60, other);
	CHECK(!bitmap_equal(map, other, 200) && bitmap_subset(other, map, 200));
	CHECK(!bitmap_subset(map, other, 200));
	CHECK(bitmap_andnot(other, map, other, 200) && test_bit(60, other));
	CHECK(bitmap_weight(other, 200) == 1 && bitmap_intersects(map, other, 200));
	bitmap_xor(map, map, other, 200);
	CHECK(!test_bit(60, map) && !bitmap_and(other, map, other, 200));
	bitmap_or(other, map, other, 200);
	CHECK(bitmap_equal(other, map, 200));
	bitmap_fill(map, 200);
	CHECK(bitmap_full(map, 200) && !bitmap_full(other, 200));
	bitmap_clear(map, 10, 3);
	bitmap_clear(map, 30, 7);
	CHECK(bitmap_find_next_zero_area(map, 200, 0, 3, 0) == 10);
	CHECK(bitmap_find_next_zero_area(map, 200, 0, 5, 0) == 30);
	CHECK(bitmap_find_next_zero_area(map, 200, 0, 4, 3) == 32);
	CHECK(bitmap_find_next_zero_area(map, 200, 0, 8, 0) >= 200);
	return 0;
}

static int byte_order(void)
{
	static const u8 le[8] = { 8, 7, 6, 5, 4, 3, 2, 1 };
	static const u8 be[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	__le64 l = cpu_to_le64(0x0102030405060708ULL);
	__be64 b = cpu_to_be64(0x0102030405060708ULL);
	__le32 l32 = cpu_to_le32(0x05060708);
	__be32 b32 = cpu_to_be32(0x01020304);
	__le16 l16 = cpu_to_le16(0x0708);
	__be16 b16 = cpu_to_be16(0x0102);

	CHECK(!memcmp(&l, le, 8) && !memcmp(&b, be, 8));
	CHECK(!memcmp(&l32, le, 4) && !memcmp(&b32, be, 4));
	CHECK(!memcmp(&l16, le, 2) && !memcmp(&b16, be, 2));
	CHECK(le64_to_cpu(l) == be64_to_cpu(b));
	CHECK(le32_to_cpu(l32) == 0x05060708 && be32_to_cpu(b32) == 0x01020304);
	CHECK(le16_to_cpu(l16) == 0x0708 && be16_to_cpu(b16) == 0x0102);
	le64_add_cpu(&l, -8);
	CHECK(le64_to_cpu(l) == 0x0102030405060700ULL);
	le32_add_cpu(&l32, 1);
	CHECK(le32_to_cpu(l32) == 0x05060709);
	return 0;
}

struct flexible {
	u64 head;
	u32 tail[];
};

static int overflow(void)
{
	struct flexible *f = NULL;
	size_t many = SIZE_MAX / 2;
	u32 small;
	u64 sum;

	CHECK(check_add_overflow(U64_MAX, (u64)1, &sum) && sum == 0);
	CHECK(!check_add_overflow(U64_MAX, (u64)0, &sum) && sum == U64_MAX);
	CHECK(check_mul_overflow((u32)65536, (u32)65536, &small));
	CHECK(!check_mul_overflow((u32)65535, (u32)65536, &small));
	CHECK(small == 0xffff0000);
	CHECK(check_sub_overflow((u32)1, (u32)2, &small));
	CHECK(struct_size(f, tail, 3) == 20);
	CHECK(struct_size(f, tail, many) == SIZE_MAX);
	CHECK(array_size(3, 5) == 15 && array_size(many, 3) == SIZE_MAX);
	CHECK(array3_size(2, 3, 4) == 24 && size_add(SIZE_MAX, 1) == SIZE_MAX);
	CHECK(flex_array_size(f, tail, 4) == 16);
	return 0;
}

static int error_pointers(void)
{
	int x;
	void *p = ERR_PTR(-EUCLEAN);

	CHECK(IS_ERR(p) && PTR_ERR(p) == -EUCLEAN);
	CHECK(!IS_ERR(&x) && !IS_ERR(NULL) && IS_ERR_OR_NULL(NULL));
	CHECK(IS_ERR_OR_NULL(p) && !IS_ERR_OR_NULL(&x));
	CHECK(PTR_ERR_OR_ZERO(p) == -EUCLEAN && PTR_ERR_OR_ZERO(&x) == 0);
	CHECK(ERR_CAST(p) == p && IS_ERR(ERR_PTR(-MAX_ERRNO)));
	CHECK(!IS_ERR(ERR_PTR(-MAX_ERRNO - 1)));
	CHECK(EPERM == 1 && ENOENT == 2 && EINTR == 4 && EIO == 5);
	CHECK(EAGAIN == 11 && ENOMEM == 12 && EACCES == 13 && ENOTBLK == 15);
	CHECK(EBUSY == 16 && EEXIST == 17 && EXDEV == 18 && ENOTDIR == 20);
	CHECK(EISDIR == 21 && EINVAL == 22 && ENOTTY == 25 && EFBIG == 27);
	CHECK(ENOSPC == 28 && EROFS == 30 && EMLINK == 31 && ERANGE == 34);
	CHECK(EDEADLK == 35 && ENAMETOOLONG == 36 && ENOSYS == 38);
	CHECK(ENOTEMPTY == 39 && ELOOP == 40 && ENODATA == 61 && EPROTO == 71);
	CHECK(EOVERFLOW == 75 && EPROTONOSUPPORT == 93 && EOPNOTSUPP == 95);
	CHECK(ETIMEDOUT == 110 && ESTALE == 116 && EUCLEAN == 117);
	CHECK(EDQUOT == 122 && ECANCELED == 125 && ERESTARTSYS == 512);
	return 0;
}

static int modes(void)
{
	CHECK(S_ISREG(S_IFREG | 0644) && S_ISDIR(S_IFDIR) && S_ISLNK(S_IFLNK));
	CHECK(S_ISCHR(S_IFCHR) && S_ISBLK(S_IFBLK) && S_ISFIFO(S_IFIFO));
	CHECK(S_ISSOCK(S_IFSOCK) && !S_ISREG(S_IFDIR));
	CHECK(S_IFMT == 0170000 && S_IFREG == 0100000 && S_IFDIR == 0040000);
	CHECK(S_IRWXUGO == 0777 && S_IALLUGO == 07777);
	CHECK(S_ISUID == 04000 && S_ISGID == 02000 && S_ISVTX == 01000);
	CHECK(S_IXUGO == 0111 && S_IRUGO == 0444 && S_IWUGO == 0222);
	return 0;
}

const struct conf_case conf_bits[] = {
	{ "types and limits", types_and_limits },
	{ "structures", structures },
	{ "minmax", minmax },
	{ "rounding", rounding },
	{ "division", division },
	{ "log2 and bit positions", bit_positions },
	{ "bit operations", bit_operations },
	{ "bitmaps", bitmaps },
	{ "byte order", byte_order },
	{ "overflow", overflow },
	{ "error pointers and numbers", error_pointers },
	{ "file modes", modes },
	{ NULL, NULL },
};

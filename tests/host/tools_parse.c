/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values in arguments of the scoutfs command (tools/parse.c), and the line
 * that shows progress.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "api.h"
#include "scoutfs/ioctl.h"
#include "tap.h"
#include "tools/parse.h"
#include "tools/progress.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define MAX (~0ULL)

struct number {
	const char *str;
	int ret;
	unsigned long long val;
};

static const struct number numbers[] = {
	{ "0", 0, 0 },
	{ "42", 0, 42 },
	{ "010", 0, 8 },
	{ "0x1F", 0, 31 },
	{ "18446744073709551615", 0, MAX },
	{ "-1", 0, MAX },
	{ "-0x10", 0, MAX - 15 },
	{ "18446744073709551616", -ERANGE },
	{ "-18446744073709551616", -ERANGE },
	{ "", -EINVAL },
	{ "-", -EINVAL },
	{ "--1", -EINVAL },
	{ "+1", -EINVAL },
	{ " 1", -EINVAL },
	{ "1 ", -EINVAL },
	{ "08", -EINVAL },
	{ "0x", -EINVAL },
	{ "1.", -EINVAL },
	{ "one", -EINVAL },
	{ "4K", -EINVAL },
};

static const struct number sizes[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "0x1000", 0, 4096 },
	{ "1K", 0, 1ULL << 10 },
	{ "64M", 0, 64ULL << 20 },
	{ "0x10G", 0, 16ULL << 30 },
	{ "3T", 0, 3ULL << 40 },
	{ "16383P", 0, 16383ULL << 50 },
	{ "16384P", -ERANGE },
	{ "18446744073709551615K", -ERANGE },
	{ "18446744073709551616", -ERANGE },
	{ "1k", -EINVAL },
	{ "1KB", -EINVAL },
	{ "1KK", -EINVAL },
	{ "1E", -EINVAL },
	{ "1.5G", -EINVAL },
	{ "M", -EINVAL },
	{ "-1", -EINVAL },
	{ "-1K", -EINVAL },
	{ "", -EINVAL },
};

static void test_numbers(const char *what,
			 int (*parse)(const char *str, __u64 *ret_val),
			 const struct number *num, size_t nr)
{
	__u64 val;
	int ret;

	for (; nr--; num++) {
		val = 77;
		ret = parse(num->str, &val);
		ok(ret == num->ret && val == (ret ? 77 : num->val),
		       "%s '%s': %d, %llu", what, num->str, ret,
		       (unsigned long long)val);
	}
}

static void test_range(void)
{
	__u64 val = 77;

	ok(parse_u64_range("5", 5, 9, &val) == 0 && val == 5,
	       "the least of a range is in it");
	ok(parse_u64_range("9", 5, 9, &val) == 0 && val == 9,
	       "the most of a range is in it");
	ok(parse_u64_range("4", 5, 9, &val) == -ERANGE && val == 9,
	       "less than a range");
	ok(parse_u64_range("10", 5, 9, &val) == -ERANGE, "more");
	ok(parse_u64_range("-1", 5, MAX, &val) == -ERANGE,
	       "a negative number is in no range");
	ok(parse_u64_range("x", 5, 9, &val) == -EINVAL, "no number");
}

struct pos {
	const char *str;
	int ret;
	unsigned long long major, ino, last_ino;
	unsigned int minor, last_minor;
};

static const struct pos positions[] = {
	{ "0", 0, 0, 0, MAX, 0, ~0U },
	{ "7", 0, 7, 0, MAX, 0, ~0U },
	{ "-1", 0, MAX, 0, MAX, 0, ~0U },
	{ "7.2", 0, 7, 0, 0, 2, 2 },
	{ "7.2.9", 0, 7, 9, 9, 2, 2 },
	{ "0x10.010.1", 0, 16, 1, 1, 8, 8 },
	{ "-1.-1.-1", 0, MAX, MAX, MAX, ~0U, ~0U },
	{ "1.4294967295.3", 0, 1, 3, 3, ~0U, ~0U },
	{ "1.4294967296.3", -ERANGE },
	{ "18446744073709551616", -ERANGE },
	{ "", -EINVAL },
	{ ".", -EINVAL },
	{ "1.", -EINVAL },
	{ "1..2", -EINVAL },
	{ ".1", -EINVAL },
	{ "1.2.3.4", -EINVAL },
	{ "1.2.3.", -EINVAL },
	{ "1,2", -EINVAL },
	{ "1.two", -EINVAL },
};

static void test_positions(void)
{
	struct scoutfs_ioctl_walk_inodes_entry first, last;
	const struct pos *pos;
	int first_ret, last_ret;
	bool same;

	for (pos = positions; pos < positions + NR(positions); pos++) {
		first_ret = parse_walk_first(pos->str, &first);
		last_ret = parse_walk_last(pos->str, &last);
		same = first_ret == pos->ret && last_ret == pos->ret;
		if (same && !first_ret)
			same = first.major == pos->major &&
			       first.minor == pos->minor &&
			       first.ino == pos->ino &&
			       last.major == pos->major &&
			       last.minor == pos->last_minor &&
			       last.ino == pos->last_ino;
		ok(same, "position '%s'", pos->str);
	}
}

struct slot {
	const char *str;
	const char *msg;	/* a part of it; NULL: it is fine */
};

/* each adds to the slots of those before */
static const struct slot slots[] = {
	{ "0,10.0.0.1,12345" },
	{ "14,10.0.0.1,65535" },
	{ "0x2,255.255.255.254,1" },
	{ "3,10.0.0.4", "NR,ADDR,PORT" },
	{ "3", "NR,ADDR,PORT" },
	{ "", "NR,ADDR,PORT" },
	{ "3,10.0.0.4,1,2", "port '1,2'" },
	{ "15,10.0.0.4,12345", "slot number '15'" },
	{ "-1,10.0.0.4,12345", "slot number '-1'" },
	{ "x,10.0.0.4,12345", "slot number 'x'" },
	{ "3,host,12345", "'host' is not a numeric IPv4 address" },
	{ "3,10.0.4,12345", "'10.0.4' is not a numeric" },
	{ "3,::1,12345", "'::1' is not a numeric" },
	{ "3,0.0.0.0,12345", "not the address of one host" },
	{ "3,255.255.255.255,12345", "not the address of one host" },
	{ "3,224.0.0.1,12345", "not the address of one host" },
	{ "3,10.0.0.4,0", "port '0'" },
	{ "3,10.0.0.4,65536", "port '65536'" },
	{ "3,10.0.0.4,", "port ''" },
	{ "0,10.0.0.9,12345", "slot 0 is given twice" },
	{ "3,10.0.0.1,12345", "slots 0 and 3 have the same" },
	{ "3,10.0.0.1,12346" },
};

static void test_slots(void)
{
	struct sfs_quorum_slot all[SFS_MAX_SLOTS] = { { 0 } };
	const struct slot *slot;
	char msg[256];
	int ret;

	for (slot = slots; slot < slots + NR(slots); slot++) {
		msg[0] = '\0';
		ret = parse_quorum_slot(slot->str, all, msg, sizeof(msg));
		if (!slot->msg)
			ok(ret == 0, "slot '%s'", slot->str);
		else
			ok(ret == -EINVAL && strstr(msg, slot->msg),
			       "slot '%s': %s", slot->str, msg);
	}
	ok(all[0].used && all[2].used && all[3].used && all[14].used &&
	       !all[1].used && !all[4].used, "the good slots are stored");
	ok(all[0].family == 4 && all[0].port == 12345 &&
	       memcmp(all[0].addr, "\x0a\0\0\x01", 4) == 0,
	       "an address is in network order");
}

static void test_progress(const char *want, __u64 done, __u64 total, __u64 ms)
{
	char line[80];

	progress_line(line, sizeof(line), "runs", done, total, ms);
	ok(strcmp(line, want) == 0, "progress '%s'", line);
}

int main(void)
{
	plan(0);
	test_numbers("number", parse_u64, numbers, NR(numbers));
	test_numbers("size", parse_size, sizes, NR(sizes));
	test_range();
	test_positions();
	test_slots();
	test_progress("runs", 0, 0, 0);
	test_progress("runs", 5, 0, 1000);
	test_progress("runs: 0 of 8, 0%", 0, 8, 1000);
	test_progress("runs: 500 of 2000, 25%, 100/s, 0:15 left", 500, 2000,
		      5000);
	test_progress("runs: 10 of 6010, 0%, 1/s, 100:00 left", 10, 6010,
		      10000);
	test_progress("runs: 9 of 8", 9, 8, 1000);
	return done_testing();
}

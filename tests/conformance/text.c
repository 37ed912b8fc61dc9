/* SPDX-License-Identifier: GPL-2.0-only */
/* Conformance: strings, formatting, numbers as text, checksums, hashes. */
#include <linux/kernel.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/siphash.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "conf.h"

static int strings(void)
{
	char buf[8];
	char many[] = "a,b,,c";
	char *at = many;
	static const u8 same[20] = { [19] = 1 };

	CHECK(strscpy(buf, "hello", sizeof(buf)) == 5 && !strcmp(buf, "hello"));
	CHECK(strscpy(buf, "hello world", sizeof(buf)) == -E2BIG);
	CHECK(!strcmp(buf, "hello w"));
	CHECK(strscpy(buf, "seven77", sizeof(buf)) == 7);
	CHECK(strscpy(buf, "x", 0) == -E2BIG);
	memset(buf, 'z', sizeof(buf));
	CHECK(strscpy_pad(buf, "ab", sizeof(buf)) == 2);
	CHECK(!memchr_inv(buf + 2, 0, 6));
	CHECK(strlen("abc") == 3 && strnlen("abc", 2) == 2);
	CHECK(strcmp("a", "b") < 0 && strncmp("abc", "abd", 2) == 0);
	CHECK(memcmp("\xff", "\x01", 1) > 0 && strcmp("\xff", "\x01") > 0);
	CHECK(strchr("abc", 'c') && !strchr("abc", 'd') && !*strchr("a", 0));
	CHECK(*strrchr("a/b/c", '/') && !strcmp(strrchr("a/b/c", '/'), "/c"));
	CHECK(!strcmp(strchrnul("abc", 'x'), ""));
	CHECK(strnchr("abc", 2, 'b') && !strnchr("abc", 2, 'c'));
	CHECK(!strcmp(strstr("foobar", "ba"), "bar") && !strstr("a", "b"));
	CHECK(strnstr("foobar", "ba", 5) && !strnstr("foobar", "ba", 4));
	CHECK(!strcmp(strsep(&at, ","), "a") && !strcmp(strsep(&at, ","), "b"));
	CHECK(!strcmp(strsep(&at, ","), "") && !strcmp(strsep(&at, ","), "c"));
	CHECK(!strsep(&at, ","));
	CHECK(strspn("aab", "a") == 2 && strcspn("aab", "b") == 2);
	CHECK(!strcasecmp("AbC", "aBc") && strncasecmp("ABx", "aby", 2) == 0);
	CHECK(strstarts("foobar", "foo") && !strstarts("fo", "foo"));
	CHECK(str_has_prefix("foobar", "foo") == 3 && !str_has_prefix("f", "foo"));
	CHECK(sysfs_streq("on", "on\n") && !sysfs_streq("on", "off"));
	CHECK(!memchr_inv(same, 0, 19) && memchr_inv(same, 0, 20) == same + 19);
	CHECK(memchr_inv(same + 3, 1, 1) == same + 3 && !memchr_inv(same, 9, 0));
	CHECK(memchr("abc", 'b', 3) && !memchr("abc", 'c', 2));
	return 0;
}

struct format_case {
	const char *want;
	const char *fmt;
	u64 arg;
};

/* all with one 64-bit argument */
static const struct format_case formats[] = {
	{ "18446744073709551615", "%llu", U64_MAX },
	{ "-1", "%lld", U64_MAX },
	{ "ffffffffffffffff", "%llx", U64_MAX },
	{ "00000000000000ff", "%016llx", 255 },
	{ "0xff", "%#llx", 255 },
	{ "FF", "%llX", 255 },
	{ "   42", "%5llu", 42 },
	{ "42   |", "%-5llu|", 42 },
	{ "00042", "%05llu", 42 },
	{ "+42", "%+lld", 42 },
	{ " 42", "% lld", 42 },
	{ "0", "%llu", 0 },
	{ "755", "%llo", 0755 },
	{ "  -7", "%4lld", (u64)-7 },
	{ "-007", "%04lld", (u64)-7 },
	{ "  007", "%5.3llu", 7 },
	{ "100%", "%llu%%", 100 },
};

static __printf(3, 4) int va_print(char *buf, size_t size, const char *fmt,
				   ...)
{
	va_list args;
	va_list again;
	int a;
	int b;

	va_start(args, fmt);
	va_copy(again, args);
	a = vsnprintf(buf, size, fmt, args);
	b = vscnprintf(buf, size, fmt, again);
	va_end(again);
	va_end(args);
	return a * 100 + b;
}

static int formatting(void)
{
	char buf[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		va_print(buf, sizeof(buf), formats[i].fmt, formats[i].arg);
		if (strcmp(buf, formats[i].want)) {
			conf_failed(formats[i].fmt, i, buf);
			return -1;
		}
	}
	CHECK(snprintf(buf, sizeof(buf), "%s|%5s|%-5s|%.2s|%.*s", "ab", "cd",
		       "ef", "ghi", 1, "jk") == 19);
	CHECK(!strcmp(buf, "ab|   cd|ef   |gh|j"));
	return 0;
}

static int more_formatting(void)
{
	/* hidden from the compiler, which warns of cut text */
	volatile size_t three = 3;
	volatile size_t four = 4;
	volatile size_t none = 0;
	char *volatile nowhere = NULL;
	char buf[64];

	snprintf(buf, sizeof(buf), "%c%c %d %u %i", 'x', 'y', -5, 5u, 6);
	CHECK(!strcmp(buf, "xy -5 5 6"));
	snprintf(buf, sizeof(buf), "%zu %zd %ld %lu", (size_t)7, (ssize_t)-7,
		 -8L, 8UL);
	CHECK(!strcmp(buf, "7 -7 -8 8"));
	snprintf(buf, sizeof(buf), "%02x%02x %04X %hhu %hu", 10, 11, 0xabc,
		 (u8)200, (u16)60000);
	CHECK(!strcmp(buf, "0a0b 0ABC 200 60000"));
	snprintf(buf, sizeof(buf), "%*d|%-*d|", 4, 1, 4, 2);
	CHECK(!strcmp(buf, "   1|2   |"));
	CHECK(snprintf(buf, four, "%s", "abcdef") == 6 && !strcmp(buf, "abc"));
	CHECK(scnprintf(buf, 4, "%s", "abcdef") == 3 && !strcmp(buf, "abc"));
	CHECK(scnprintf(buf, 10, "%s", "abcdef") == 6);
	CHECK(scnprintf(buf, none, "%s", "abc") == 0);
	CHECK(snprintf(nowhere, none, "%d", 1234) == 4);
	CHECK(va_print(buf, three, "%d", 12345) == 502 && !strcmp(buf, "12"));
	snprintf(buf, sizeof(buf), "%d %d", INT_MIN, INT_MAX);
	CHECK(!strcmp(buf, "-2147483648 2147483647"));
	return 0;
}

static int parsing(void)
{
	unsigned int u = 1;
	u64 v = 1;
	s64 s = 1;
	int i = 1;

	CHECK(!kstrtou64("18446744073709551615", 10, &v) && v == U64_MAX);
	CHECK(kstrtou64("18446744073709551616", 10, &v) == -ERANGE);
	CHECK(!kstrtou64("0x1F", 0, &v) && v == 31);
	CHECK(!kstrtou64("017", 0, &v) && v == 15);
	CHECK(!kstrtou64("ff\n", 16, &v) && v == 255);
	CHECK(!kstrtou64("+5", 10, &v) && v == 5);
	CHECK(kstrtou64("", 10, &v) == -EINVAL);
	CHECK(kstrtou64("5x", 10, &v) == -EINVAL);
	CHECK(kstrtou64(" 5", 10, &v) == -EINVAL);
	CHECK(kstrtou64("-5", 10, &v) == -EINVAL && v == 5);
	CHECK(!kstrtos64("-5", 10, &s) && s == -5);
	CHECK(!kstrtos64("-9223372036854775808", 10, &s) && s == S64_MIN);
	CHECK(kstrtos64("9223372036854775808", 10, &s) == -ERANGE);
	CHECK(!kstrtouint("4294967295", 10, &u) && u == U32_MAX);
	CHECK(kstrtouint("4294967296", 10, &u) == -ERANGE);
	CHECK(!kstrtoint("-2147483648", 10, &i) && i == INT_MIN);
	CHECK(kstrtoint("2147483648", 10, &i) == -ERANGE);
	return 0;
}

static u8 pattern[10000];

static void fill_pattern(void)
{
	u32 x = 1;
	int i;

	for (i = 0; i < sizeof(pattern); i++) {
		x = x * 1664525 + 1013904223;
		pattern[i] = x >> 24;
	}
}

/* bit by bit */
static u32 slow_crc(u32 crc, const u8 *p, u32 len)
{
	int i;

	for (; len; len--, p++) {
		crc ^= *p;
		for (i = 0; i < 8; i++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

static int crc(void)
{
	u8 v[32];
	u32 len;
	int i;

	CHECK(~crc32c(~0, "123456789", 9) == 0xe3069283);
	memset(v, 0, 32);
	CHECK(~crc32c(~0, v, 32) == 0x8a9136aa);
	memset(v, 0xff, 32);
	CHECK(~crc32c(~0, v, 32) == 0x62a8ab43);
	for (i = 0; i < 32; i++)
		v[i] = i;
	CHECK(~crc32c(~0, v, 32) == 0x46dd794e);
	for (i = 0; i < 32; i++)
		v[i] = 31 - i;
	CHECK(~crc32c(~0, v, 32) == 0x113fdb5c);
	CHECK(crc32c(5, v, 0) == 5);
	fill_pattern();
	for (len = 1; len < sizeof(pattern) - 8; len += 1 + len / 3)
		CHECK(crc32c(len, pattern + len % 8, len) ==
		      slow_crc(len, pattern + len % 8, len));
	CHECK(crc32c(crc32c(1, pattern, 4096), pattern + 4096, 5000) ==
	      crc32c(1, pattern, 9096));
	return 0;
}

/* the reference implementation's vectors for messages 00 01 .. n-1 */
static const u64 sip_vectors[] = {
	0x726fdb47dd0e0e31ULL, 0x74f839c593dc67fdULL, 0x0d6c8009d9a94f5aULL,
	0x85676696d7fb7e2dULL, 0xcf2794e0277187b7ULL, 0x18765564cd99a68dULL,
	0xcbc9466e58fee3ceULL, 0xab0200f58b01d137ULL, 0x93f5f5799a932462ULL,
};

static int sip(void)
{
	siphash_key_t key = {
		{ 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL },
	};
	static const siphash_key_t zero;
	__le64 words[4];
	u8 msg[16];
	int i;

	for (i = 0; i < 16; i++)
		msg[i] = i;
	for (i = 0; i < ARRAY_SIZE(sip_vectors); i++)
		CHECK(siphash(msg, i, &key) == sip_vectors[i]);
	CHECK(siphash(msg, 15, &key) == 0xa129ca6149be45e5ULL);
	for (i = 0; i < 4; i++)
		words[i] = cpu_to_le64(i * 0x123456789abcdefULL);
	CHECK(siphash_1u64(0, &key) == siphash(words, 8, &key));
	CHECK(siphash_2u64(0, 0x123456789abcdefULL, &key) ==
	      siphash(words, 16, &key));
	CHECK(siphash_3u64(0, 0x123456789abcdefULL, 2 * 0x123456789abcdefULL,
			   &key) == siphash(words, 24, &key));
	CHECK(siphash_4u64(0, 0x123456789abcdefULL, 2 * 0x123456789abcdefULL,
			   3 * 0x123456789abcdefULL, &key) ==
	      siphash(words, 32, &key));
	CHECK(siphash_key_is_zero(&zero) && !siphash_key_is_zero(&key));
	return 0;
}

const struct conf_case conf_text[] = {
	{ "strings", strings },
	{ "formatting of integers", formatting },
	{ "other formatting", more_formatting },
	{ "parsing of numbers", parsing },
	{ "crc32c", crc },
	{ "siphash", sip },
	{ NULL, NULL },
};

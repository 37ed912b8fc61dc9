/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CRC-32C and SipHash-2-4, with the kernel's conventions: crc32c() inverts
 * neither seed nor result, and hashes of words are those of the bytes of the
 * words in little-endian order.
 */
#include <linux/crc32c.h>
#include <linux/siphash.h>
#include <linux/bitops.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "task.h"

/* the reversed polynomial 0x1edc6f41 */
#define CRC32C_POLY 0x82f63b78u

static u32 crc_table[8][256];
static int crc_state;		/* A: 0 not known, 1 tables, 2 instruction */

static void crc_make_tables(void)
{
	u32 crc;
	int i;
	int j;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (j = 0; j < 8; j++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC32C_POLY : 0);
		__atomic_store_n(&crc_table[0][i], crc, __ATOMIC_RELAXED);
	}
	for (i = 0; i < 256; i++) {
		crc = crc_table[0][i];
		for (j = 1; j < 8; j++) {
			crc = (crc >> 8) ^ crc_table[0][crc & 0xff];
			__atomic_store_n(&crc_table[j][i], crc,
					 __ATOMIC_RELAXED);
		}
	}
}

/* Repeating this from several tasks at once is harmless: same values. */
static int crc_init(void)
{
	int state = 1;

	if (shim_os_has_crc32())
		state = 2;
	else
		crc_make_tables();
	__atomic_store_n(&crc_state, state, __ATOMIC_RELEASE);
	return state;
}

static u32 crc_by_table(u32 crc, const u8 *p, unsigned int len)
{
	u64 w;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		w = le64_to_cpu((__force __le64)w) ^ crc;
		crc = crc_table[7][w & 0xff] ^
		      crc_table[6][(w >> 8) & 0xff] ^
		      crc_table[5][(w >> 16) & 0xff] ^
		      crc_table[4][(w >> 24) & 0xff] ^
		      crc_table[3][(w >> 32) & 0xff] ^
		      crc_table[2][(w >> 40) & 0xff] ^
		      crc_table[1][(w >> 48) & 0xff] ^
		      crc_table[0][w >> 56];
	}
	for (; len; len--, p++)
		crc = (crc >> 8) ^ crc_table[0][(crc ^ *p) & 0xff];
	return crc;
}

#ifdef __x86_64__
/*
 * The instruction takes three cycles but one can start every cycle: long
 * buffers are cut into three streams of CHUNK bytes.  A stream's crc is moved
 * over the bytes that follow it by multiplying with x^(8 * n) modulo the
 * polynomial, which is linear: four tables of 256 entries for each distance.
 */
#define CHUNK 1024

static u32 shift_table[4][256];
static int shift_state;		/* A */

static u64 crc_insn64(u64 crc, u64 w)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "rm"(w));
	return crc;
}

static u32 crc_insn8(u32 crc, u8 b)
{
	__asm__("crc32b %1, %0" : "+r"(crc) : "rm"(b));
	return crc;
}

static u32 crc_zeros(u32 crc, unsigned int len)
{
	u64 c = crc;

	for (; len; len -= 8)
		c = crc_insn64(c, 0);
	return c;
}

/* Repeating this from several tasks at once is harmless: same values. */
static void shift_init(void)
{
	int i;
	int j;

	for (j = 0; j < 4; j++) {
		for (i = 0; i < 256; i++)
			__atomic_store_n(&shift_table[j][i],
					 crc_zeros((u32)i << (8 * j), CHUNK),
					 __ATOMIC_RELAXED);
	}
	__atomic_store_n(&shift_state, 1, __ATOMIC_RELEASE);
}

static u32 shift(u32 crc)
{
	return shift_table[0][crc & 0xff] ^ shift_table[1][(crc >> 8) & 0xff] ^
	       shift_table[2][(crc >> 16) & 0xff] ^ shift_table[3][crc >> 24];
}

static u32 crc_three(u32 crc, const u8 *p)
{
	u64 a = crc;
	u64 b = 0;
	u64 c = 0;
	u64 w;
	int i;

	for (i = 0; i < CHUNK; i += 8) {
		memcpy(&w, p + i, 8);
		a = crc_insn64(a, w);
		memcpy(&w, p + CHUNK + i, 8);
		b = crc_insn64(b, w);
		memcpy(&w, p + 2 * CHUNK + i, 8);
		c = crc_insn64(c, w);
	}
	return shift(shift(a) ^ (u32)b) ^ (u32)c;
}

static u32 crc_by_insn(u32 crc, const u8 *p, unsigned int len)
{
	u64 c;
	u64 w;

	if (len >= 3 * CHUNK &&
	    !__atomic_load_n(&shift_state, __ATOMIC_ACQUIRE))
		shift_init();
	for (; len >= 3 * CHUNK; len -= 3 * CHUNK, p += 3 * CHUNK)
		crc = crc_three(crc, p);
	c = crc;
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		c = crc_insn64(c, w);
	}
	crc = c;
	for (; len; len--, p++)
		crc = crc_insn8(crc, *p);
	return crc;
}
#else
static u32 crc_by_insn(u32 crc, const u8 *p, unsigned int len)
{
	return crc_by_table(crc, p, len);
}
#endif

u32 crc32c(u32 crc, const void *address, unsigned int length)
{
	int state = __atomic_load_n(&crc_state, __ATOMIC_ACQUIRE);

	if (!state)
		state = crc_init();
	if (state == 2)
		return crc_by_insn(crc, address, length);
	return crc_by_table(crc, address, length);
}

/* for the test of both ways */
u32 shim_crc32c_table(u32 crc, const void *address, unsigned int length);
u32 shim_crc32c_table(u32 crc, const void *address, unsigned int length)
{
	crc_make_tables();
	return crc_by_table(crc, address, length);
}

struct sip {
	u64 v0, v1, v2, v3;
};

static void sip_init(struct sip *s, const siphash_key_t *key)
{
	s->v0 = key->key[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key->key[1] ^ 0x646f72616e646f6dULL;
	s->v2 = key->key[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key->key[1] ^ 0x7465646279746573ULL;
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rol64(s->v1, 13) ^ s->v0;
	s->v3 = rol64(s->v3, 16) ^ s->v2;
	s->v0 = rol64(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rol64(s->v1, 17) ^ s->v2;
	s->v3 = rol64(s->v3, 21) ^ s->v0;
	s->v2 = rol64(s->v2, 32);
}

static void sip_word(struct sip *s, u64 m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

static u64 sip_end(struct sip *s, u64 last)
{
	sip_word(s, last);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

u64 siphash(const void *data, size_t len, const siphash_key_t *key)
{
	const u8 *p = data;
	u64 last = (u64)len << 56;
	struct sip s;
	size_t n;
	u64 w;
	int i;

	sip_init(&s, key);
	for (n = len; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		sip_word(&s, le64_to_cpu((__force __le64)w));
	}
	for (i = 0; i < n; i++)
		last |= (u64)p[i] << (8 * i);
	return sip_end(&s, last);
}

u64 siphash_1u64(const u64 a, const siphash_key_t *key)
{
	struct sip s;

	sip_init(&s, key);
	sip_word(&s, a);
	return sip_end(&s, 8ULL << 56);
}

u64 siphash_2u64(const u64 a, const u64 b, const siphash_key_t *key)
{
	struct sip s;

	sip_init(&s, key);
	sip_word(&s, a);
	sip_word(&s, b);
	return sip_end(&s, 16ULL << 56);
}

u64 siphash_3u64(const u64 a, const u64 b, const u64 c,
		 const siphash_key_t *key)
{
	struct sip s;

	sip_init(&s, key);
	sip_word(&s, a);
	sip_word(&s, b);
	sip_word(&s, c);
	return sip_end(&s, 24ULL << 56);
}

u64 siphash_4u64(const u64 a, const u64 b, const u64 c, const u64 d,
		 const siphash_key_t *key)
{
	struct sip s;

	sip_init(&s, key);
	sip_word(&s, a);
	sip_word(&s, b);
	sip_word(&s, c);
	sip_word(&s, d);
	return sip_end(&s, 32ULL << 56);
}

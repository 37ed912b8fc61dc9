/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of this folder share.  Each checks what it does itself:
 * status 0, or 1 with a line that says what was wrong.
 */
#ifndef TESTS_MOUNT_CHECK_H
#define TESTS_MOUNT_CHECK_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (errno %d %s)\n", err, strerror(err));
	exit(1);
}

#define CHECK(cond) \
	((cond) ? (void)0 : fail("line %d: %s", __LINE__, #cond))
/* The call fails with this errno. */
#define FAILS(call, err) \
	do { \
		errno = 0; \
		if ((call) != -1 || errno != (err)) \
			fail("line %d: %s, expected %s", __LINE__, #call, \
			     #err); \
	} while (0)

/* With a k or an m for 1024 and its square. */
static inline uint64_t number(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);

	if (*end == 'k')
		return n << 10;
	if (*end == 'm')
		return n << 20;
	if (*end)
		fail("%s is no number", s);
	return n;
}

/* xorshift64*, Vigna 2014; *state is not 0 */
static inline uint64_t next_random(uint64_t *state, uint64_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dULL >> 16) % below;
}

/* What belongs at each 8 bytes: nothing else in the volume looks like it. */
static inline uint64_t word_at(uint64_t pos, uint64_t seed)
{
	uint64_t x = (pos + 1) * 0x9e3779b97f4a7c15ULL ^ seed;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

static inline void fill_pattern(unsigned char *buf, size_t len, uint64_t off,
				uint64_t seed)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < len; i++) {
		word = word_at((off + i) / 8, seed);
		buf[i] = word >> ((off + i) % 8 * 8);
	}
}

struct command {
	const char *name;
	int nr_args;
	void (*fn)(char **arg);
};

/* PROGRAM COMMAND ARGUMENT...: for main(); the table ends with an empty entry */
static inline int run_command(const struct command *cmd, char **argv)
{
	int nr = 0;

	while (argv[nr])
		nr++;
	for (; nr > 1 && cmd->name; cmd++) {
		if (strcmp(argv[1], cmd->name))
			continue;
		if (nr - 2 < cmd->nr_args)
			break;
		cmd->fn(argv + 2);
		return 0;
	}
	fprintf(stderr, "%s: wrong arguments\n", argv[0]);
	return 2;
}

#endif

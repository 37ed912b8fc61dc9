/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small harness that prints the Test Anything Protocol.  For both worlds:
 * link build/tests/tap.o with programs of the shim world, tap_libc.o with the
 * others.
 *
 *	plan(3);			(or 0 when the number is not known)
 *	ok(x > 0, "x is positive");
 *	is_u64(got, 5, "five %s", "things");
 *	skip(1, "no device");
 *	return done_testing();
 *
 * Tests return the truth of what they tested, so that one can stop early.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

void plan(int nr_tests);
/* Prints what is missing; 0 when all went well, else 1. */
int done_testing(void);

int tap_ok(int ok, const char *file, int line, const char *what,
	   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int tap_is_u64(unsigned long long got, unsigned long long want,
	       const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
int tap_is_s64(long long got, long long want, const char *file, int line,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int tap_is_str(const char *got, const char *want, const char *file, int line,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#define ok(cond, ...) tap_ok(!!(cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
#define is_u64(got, want, ...) \
	tap_is_u64((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
	tap_is_s64((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) \
	tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define pass(...) tap_ok(1, __FILE__, __LINE__, "", __VA_ARGS__)
#define fail(...) tap_ok(0, __FILE__, __LINE__, "reached", __VA_ARGS__)

/* @nr tests are not run, for a reason */
void skip(int nr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* the whole program is not run; returns the exit status */
int skip_all(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* a comment; may have several lines */
void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* gives up: exits */
void bail_out(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#endif

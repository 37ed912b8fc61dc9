/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test Anything Protocol for tests of the libc world, the plan at the end.
 */
#ifndef TESTS_TOOLS_TAP_H
#define TESTS_TOOLS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count;
static int tap_failed;

__attribute__((format(printf, 1, 2), unused))
static void tap_diag(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

__attribute__((format(printf, 2, 3)))
static bool tap_ok(bool ok, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", ok ? "" : "not ", ++tap_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	if (!ok)
		tap_failed++;
	return ok;
}

/* The exit status of main(). */
static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	if (tap_failed)
		tap_diag("%d of %d failed", tap_failed, tap_count);
	return tap_failed ? 1 : 0;
}

#endif

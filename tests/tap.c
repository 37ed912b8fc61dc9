/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See tap.h.  Compiled for both worlds; with TAP_LIBC for libc's.  Each line
 * is written at once, so that lines of several tasks do not mix.
 */
#ifdef TAP_LIBC
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#else
#include <linux/kernel.h>
#include <linux/string.h>
#include "shim/shim.h"
#endif
#include "tests/tap.h"

static int planned;
static int nr_done;		/* A */
static int nr_failed;		/* A */

#ifdef TAP_LIBC
static void emit(const char *line)
{
	fputs(line, stdout);
	fflush(stdout);
}

static void leave(int status)
{
	exit(status);
}
#else
static void emit(const char *line)
{
	shim_printf("%s", line);
}

static void leave(int status)
{
	shim_exit(status);
}
#endif

static int report(int ok, const char *fmt, va_list args)
{
	int nr = __atomic_add_fetch(&nr_done, 1, __ATOMIC_RELAXED);
	char line[400];
	int n;

	n = snprintf(line, sizeof(line), "%s %d - ", ok ? "ok" : "not ok", nr);
	/* one byte is left for the end of the line */
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, args);
	n = strlen(line);
	line[n] = '\n';
	line[n + 1] = '\0';
	emit(line);
	if (!ok)
		__atomic_add_fetch(&nr_failed, 1, __ATOMIC_RELAXED);
	return ok;
}

static void comment(const char *fmt, va_list args)
{
	char text[800];
	char line[810];
	char *at = text;
	char *end;

	vsnprintf(text, sizeof(text), fmt, args);
	for (;;) {
		end = strchr(at, '\n');
		if (end)
			*end = '\0';
		if (*at || !end) {
			snprintf(line, sizeof(line), "# %s\n", at);
			emit(line);
		}
		if (!end || !end[1])
			return;
		at = end + 1;
	}
}

void diag(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	comment(fmt, args);
	va_end(args);
}

void plan(int nr_tests)
{
	char line[40];

	planned = nr_tests;
	if (!nr_tests)
		return;
	snprintf(line, sizeof(line), "1..%d\n", nr_tests);
	emit(line);
}

int done_testing(void)
{
	char line[40];

	if (!planned) {
		snprintf(line, sizeof(line), "1..%d\n", nr_done);
		emit(line);
	} else if (planned != nr_done) {
		diag("planned %d tests, ran %d", planned, nr_done);
		nr_failed++;
	}
	if (nr_failed)
		diag("%d of %d failed", nr_failed, nr_done);
	return nr_failed != 0;
}

int tap_ok(int ok, const char *file, int line, const char *what,
	   const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(ok, fmt, args);
	va_end(args);
	if (!ok)
		diag("%s:%d: not true: %s", file, line, what);
	return ok;
}

int tap_is_u64(unsigned long long got, unsigned long long want,
	       const char *file, int line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(got == want, fmt, args);
	va_end(args);
	if (got != want)
		diag("%s:%d: got %llu (%#llx), want %llu (%#llx)", file, line,
		     got, got, want, want);
	return got == want;
}

int tap_is_s64(long long got, long long want, const char *file, int line,
	       const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(got == want, fmt, args);
	va_end(args);
	if (got != want)
		diag("%s:%d: got %lld, want %lld", file, line, got, want);
	return got == want;
}

int tap_is_str(const char *got, const char *want, const char *file, int line,
	       const char *fmt, ...)
{
	int same = got && want ? strcmp(got, want) == 0 : got == want;
	va_list args;

	va_start(args, fmt);
	report(same, fmt, args);
	va_end(args);
	if (!same)
		diag("%s:%d: got  \"%s\"\nwant \"%s\"", file, line,
		     got ? got : "(null)", want ? want : "(null)");
	return same;
}

void skip(int nr, const char *fmt, ...)
{
	char why[200];
	char line[240];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	while (nr-- > 0) {
		snprintf(line, sizeof(line), "ok %d # SKIP %s\n",
			 __atomic_add_fetch(&nr_done, 1, __ATOMIC_RELAXED),
			 why);
		emit(line);
	}
}

int skip_all(const char *fmt, ...)
{
	char why[200];
	char line[240];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	snprintf(line, sizeof(line), "1..0 # SKIP %s\n", why);
	emit(line);
	return 0;
}

void bail_out(const char *fmt, ...)
{
	char why[200];
	char line[240];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	snprintf(line, sizeof(line), "Bail out! %s\n", why);
	emit(line);
	leave(99);
	__builtin_unreachable();
}

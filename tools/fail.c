/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lines that say what went wrong, on standard error.
 */
#include "tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fail(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return err;
}

int fail_errno(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, ": %s (%d)\n", strerror(-err), -err);
	return err;
}

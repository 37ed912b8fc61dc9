/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of this folder say when something is not as it has to be:
 * one line, and exit status 1.
 */
#ifndef TESTS_MOUNT_CHECK_H
#define TESTS_MOUNT_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void check_failed(int line, const char *what)
{
	int err = errno;

	fprintf(stderr, "line %d: %s (errno %d %s)\n", line, what, err,
		strerror(err));
	exit(1);
}

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__LINE__, #cond))
/* The call fails with this errno. */
#define FAILS(call, err) \
	do { \
		errno = 0; \
		if ((call) != -1 || errno != (err)) \
			check_failed(__LINE__, #call " expected " #err); \
	} while (0)

#endif

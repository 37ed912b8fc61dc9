/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_TOOLS_CHECK_H
#define SFS_TOOLS_CHECK_H

#include <stdbool.h>

/* Bits of exit statuses, see fsck(8). */
enum fsck_status {
	FSCK_UNCORRECTED = 4,
	FSCK_FAILED = 8,
	FSCK_USAGE = 16,
	FSCK_CANCELED = 32,
};

struct check_opts {
	const char *prog;
	const char *meta;
	const char *data;
	bool json;
	bool trust_clean;	/* nothing to do when it was unmounted cleanly */
	bool quiet;		/* say nothing when there is nothing wrong */
};

/* A negative errno or an exit status. */
int check_volume(const struct check_opts *opts);

#endif

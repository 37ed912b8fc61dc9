/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_TOOLS_PROGRESS_H
#define SFS_TOOLS_PROGRESS_H

#include <linux/types.h>

/* Shows progress on stderr if that is a terminal, and catches SIGINT. */
void progress_start(void);
/* As sfs_check_ops.progress: nonzero when the user wants to stop. */
int progress_show(void *arg, const char *phase, __u64 done, __u64 total);
/* Something else is about to be printed. */
void progress_clear(void);
void progress_stop(void);

/* How fast and how long yet, as shown; for tests. */
void progress_line(char *buf, unsigned int size, const char *phase,
		   __u64 done, __u64 total, __u64 elapsed_ms);

#endif

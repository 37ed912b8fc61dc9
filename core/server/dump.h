/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_DUMP_H
#define SFS_SERVER_DUMP_H

#include <linux/types.h>

struct sfs_server;

/* Where lines go, and room to make one. */
struct sfs_dump {
	int (*line)(void *arg, const char *text);
	void *arg;
	char *buf;
	u32 size;
};

/* What @line returned. */
int sfs_dump_line(struct sfs_dump *dump, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

int sfs_srv_dump_sessions(struct sfs_server *srv, struct sfs_dump *dump);
/* locks.c: cluster locks that somebody waits for. */
int sfs_srv_locks_dump(struct sfs_server *srv, struct sfs_dump *dump);
int sfs_srv_dump_state(struct sfs_server *srv, struct sfs_dump *dump);

#endif

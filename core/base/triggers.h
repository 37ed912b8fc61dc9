/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_TRIGGERS_H
#define SFS_BASE_TRIGGERS_H

#include "port.h"

/*
 * Rare paths that a test can take when it wants to: X(NAME, what happens).
 * Each asks once; hosts for users never say yes.
 */
#define SFS_TRIGGERS(X)                                                        \
	X(FREEZE, "a transaction is published although it is small")           \
	X(CHECKPOINT, "the server's store checkpoints although its log is short") \
	X(LOG_SEGMENT, "the next log record begins a new segment")             \
	X(COMPACT, "compaction begins with less than four slices")             \
	X(JOB_END, "a compaction job ends after this step")                     \
	X(REVOKE, "a mount gives up a cluster lock after a use of it")         \
	X(DOWNGRADE, "... or keeps it for reading alone")                      \
	X(NET_DELAY, "a message between mount and server is late")             \
	X(NET_LOSE, "... is lost")                                             \
	X(NET_TWICE, "... arrives twice")                                      \
	X(NET_CUT, "... is lost and its connection ends")

enum sfs_trigger {
#define SFS_TRIGGER_ENUM(name, text) SFS_TRIGGER_##name,
	SFS_TRIGGERS(SFS_TRIGGER_ENUM)
#undef SFS_TRIGGER_ENUM
	SFS_NR_TRIGGERS
};

#endif

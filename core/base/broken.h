/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_BROKEN_H
#define SFS_BASE_BROKEN_H

#include "base/triggers.h"

/*
 * Rules of the protocol that a test breaks for a whole run, to see that the
 * simulator notices: X(NAME, what is broken).  They are triggers beyond those
 * of base/triggers.h, which are allowed to happen; a volume does not survive
 * these.  No host can name them, but the simulator's.
 *
 * The names are those of the protocol's model, as far as it has them.
 */
#define SFS_BROKEN(X)                                                          \
	X(NOSLOT, "a request that is repeated has its effect again")           \
	X(NOTERM, "messages of an old term are taken")                         \
	X(NOACK, "space is free again without acknowledgements")               \
	X(NOPIN, "acknowledgements ignore views that are read")                \
	X(NOLAMPORT, "stamps are the transaction's sequence alone")            \
	X(NOSTEP, "the clock does not step at a freeze")                       \
	X(NORAISE, "the server does not count on above published stamps")      \
	X(NORESERVE, "counters go back when a server restarts")                \
	X(STABLEFREE, "stable ignores open transactions")                      \
	X(GREETOWN, "open sequences are not restated to a new server")         \
	X(REVEAL, "effects are told before their log record is durable")       \
	X(NONEED, "a grant is used before what others changed has come")       \
	X(RELEARLY, "a lock is released before what it covers is published")   \
	X(DUPGRANT, "grants that nobody asked for are taken")                  \
	X(RELNOEPOCH, "a release counts for any grant")                        \
	X(NOWRITEBACK, "a revoke does not write back")                         \
	X(NODROP, "a revoke leaves what the host has cached")                  \
	X(NOINUSE, "a release does not say what is in use")

enum sfs_broken_rule {
	SFS_BROKEN_BEFORE = SFS_NR_TRIGGERS - 1,
#define SFS_BROKEN_ENUM(name, text) SFS_BROKEN_##name,
	SFS_BROKEN(SFS_BROKEN_ENUM)
#undef SFS_BROKEN_ENUM
	SFS_NR_TRIGGERS_AND_BROKEN
};

#define sfs_broken(host, name) sfs_port_trigger(host, SFS_BROKEN_##name)

#endif

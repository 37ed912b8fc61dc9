/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs that have failed once, because of the core or of the simulator.  Changes
 * of the simulator or of the core make other runs of the same seeds, so they
 * guard little after a while; old ones may go.
 */
#include "sim/sim.h"

#include <linux/kernel.h>

const struct sim_regression sim_regressions[] = {
	{ "crash", 204, 1, "part of a write, then the power went" },
	{ "crash", 307, 1, "a look at contents that the crash undid" },
	{ "every", 318, 1, "the same" },
	{ "eio-write", 20, 1, "a short write" },
	{ "eio-write", 143, 1, "what a failed write left in the disk's cache" },
	{ "eio-read", 1002, 1, "a failed operation next after the prefix" },
	{ "eio-read", 2043, 1, "a scan for unfinished work that failed" },
	{ "crash", 17, 1, "the older root is not always the second" },
	{ "nomem", 13, 1, "the same" },
	{ "eio-write", 9, 1, "a torn root" },
	{ "fill", 1000390, 2, "no space although emptied" },
	{ "every", 4001039, 3, "a look that the crash cut off" },
	{ "crash", 1882375477790444, 3, "a read that the power cut shortens" },
	{ "every", 1882376012565660, 1, "a cut just before a look has ended" },
	{ "nomem", 1882377682946895, 1, "a version of a poisoned transaction" },
	{ "many-crash", 39, 1, "an inode that nobody has open any more" },
	{ "many-kill", 21, 1, "the same" },
	{ "many-die", 18, 1, "a revoke while a mount is discarded" },
	{ "many-wire", 318, 1, "what is in use, in a release that was lost" },
	{ "many-wire", 330, 1, "two open the first inode of a group" },
	{ "many-kill", 359, 1, "two mounts say they have a lock" },
	{ "shared-wire", 37, 1, "a greeting whose connection has ended" },
	{ "many-die", 11743, 1, "who wrote last in a file that is back" },
	{ "many-crash", 50490, 1, "the same" },
	{ },
};

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_FUZZ_H
#define SFS_FUZZ_H

#include <linux/types.h>

#include "port.h"

/*
 * What fuzzers share.  A fuzzer calls fuzz_run() from LLVMFuzzerTestOneInput();
 * its function runs as a task of the shim, with a host whose two devices are
 * memory and empty.  What the function allocates and does not free is reported,
 * as is whatever else the shim does not like.
 */
struct sfs_host {
	u8 *dev[SFS_NR_DEVS];
	u64 size[SFS_NR_DEVS];
};

typedef void (*fuzz_fn)(struct sfs_host *host, const u8 *data, size_t len);

int fuzz_run(fuzz_fn fn, const u8 *data, size_t len);

/* What libFuzzer calls; each fuzzer defines it. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

#endif

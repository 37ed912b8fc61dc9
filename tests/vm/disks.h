/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `disks` records and `replay` reads: native byte order, both run on one
 * machine.  A record is this, then @len bytes of data if it is a write or a
 * mark.
 */
#ifndef TESTS_VM_DISKS_H
#define TESTS_VM_DISKS_H

#include <stdint.h>

#define DISKS_MAGIC 0x6b736964u

enum disks_op {
	DISKS_WRITE = 1,
	DISKS_ZERO,		/* trim or write-zeroes of @len bytes */
	/*
	 * A flush was answered.  It covers those of its disk's writes whose
	 * @seq is at most @offset: the ones answered before it was sent.
	 */
	DISKS_FLUSH,
	DISKS_MARK,		/* text from the machine's control disk */
};

struct disks_record {
	uint32_t magic;
	uint16_t op;
	uint16_t disk;
	uint64_t seq;		/* of writes, zeroes, from 1 on over all disks */
	uint64_t offset;
	uint32_t len;
	uint32_t zero;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_HOST_OWNER_BLOCK_H
#define SFS_HOST_OWNER_BLOCK_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* The owner block on the metadata device; little endian.  What it is for: owner.c. */
#define OWNER_OFFSET (128 * 1024)
#define OWNER_BYTES 4096
#define OWNER_MAGIC 0x72656e776f736673ULL	/* "sfsowner" */

enum owner_state {
	OWNER_NONE = 0,
	OWNER_ACTIVE = 1,
	OWNER_STOPPING = 2,	/* still active, but not for long */
	OWNER_CLEAN = 3,	/* released after everything was published */
	OWNER_FAILED = 4,	/* released, the last publish had failed */
};

struct owner_block {
	__u64 magic;
	__u32 crc;		/* crc32c of the block with this field 0 */
	__u32 state;		/* enum owner_state */
	__u64 fsid;
	__u64 rid;		/* 0 until the mount has one */
	__u64 nonce;		/* of this claim */
	__u64 counter;
	__u64 start_time;	/* of the process, clock ticks since boot */
	__u64 pid_ns;
	__u32 pid;
	__u32 pad;
	char boot_id[40];	/* NUL-terminated text */
	char host_name[72];
	char zero[OWNER_BYTES - 184];
};
_Static_assert(sizeof(struct owner_block) == OWNER_BYTES, "owner block size");
_Static_assert(offsetof(struct owner_block, boot_id) == 72, "owner boot_id");
_Static_assert(offsetof(struct owner_block, zero) == 184, "owner zero");

/* For the crc field of a block that is complete but for it; host byte order. */
__u32 sfs_owner_block_crc(const struct owner_block *ob);
/* Magic and crc are right and the texts end: every field may be used. */
bool sfs_owner_block_intact(const struct owner_block *ob);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values in arguments.  All functions return 0, -EINVAL for what is not a
 * value of that kind or -ERANGE for one that is too large, and leave their
 * outputs alone when they fail.
 */
#ifndef SFS_TOOLS_PARSE_H
#define SFS_TOOLS_PARSE_H

#include <stddef.h>
#include <linux/types.h>

struct scoutfs_ioctl_walk_inodes_entry;
struct sfs_quorum_slot;

/* C notation: decimal, 0x, 0.  Negative numbers wrap: -1 is the largest. */
int parse_u64(const char *str, __u64 *ret_val);
int parse_u64_range(const char *str, __u64 min, __u64 max, __u64 *ret_val);
/* C notation, then maybe one of K M G T P: powers of 1024. */
int parse_size(const char *str, __u64 *ret_bytes);

/*
 * MAJOR[.MINOR[.INO]], parts that are missing being 0; parse_walk_last() takes
 * a MAJOR alone for the last position in it.
 */
int parse_walk_first(const char *str,
		     struct scoutfs_ioctl_walk_inodes_entry *ret_pos);
int parse_walk_last(const char *str,
		    struct scoutfs_ioctl_walk_inodes_entry *ret_pos);

/*
 * NR,ADDR,PORT into the slot NR of the array @slots.  On failure @msg says
 * what is wrong, duplicates of other slots included.
 */
int parse_quorum_slot(const char *str, struct sfs_quorum_slot *slots,
		      char *msg, size_t msg_size);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_COUNTERS_H
#define SFS_KERNEL_COUNTERS_H

/*
 * What the VFS side counts, one set a superblock: X(name, what one of it is).
 * They are files of counters/ beside those of the core (base/counters.h) and
 * follow the same rules; names begin with vfs_.
 */

#include <linux/percpu.h>

#include "fs.h"

#define SFS_VFS_COUNTERS(X)                                                    \
	X(vfs_revalidate, "cached name checked, other than in an RCU walk")    \
	X(vfs_revalidate_drop, "of them: no longer valid, dropped")            \
	X(vfs_refresh, "attributes read again because the core had newer ones") \
	X(vfs_iget, "inode brought into memory")                               \
	X(vfs_evict, "inode dropped from memory")                              \
	X(vfs_read, "read() and its relatives")                                \
	X(vfs_write, "write() and its relatives")                              \
	X(vfs_fault_write, "page of a mapping made writable")                  \
	X(vfs_fsync, "fsync()")                                                \
	X(vfs_direct_reads, "of the reads: past the page cache")               \
	X(vfs_direct_writes, "of the writes: past the page cache")             \
	X(vfs_direct_bytes, "byte past the page cache, by calls that waited")  \
	X(vfs_direct_fallbacks, "direct write that went through the page cache") \
	X(vfs_writebacks, "writeback of a file begun")                         \
	X(vfs_ioends, "transfer of writeback ended")                           \
	X(vfs_ioend_bytes, "byte in them")                                     \
	X(vfs_ioend_errors, "of them: failed")                                 \
	X(vfs_revoke_writes, "dirty contents of a cluster lock's files written, because it goes or is kept for reading alone") \
	X(vfs_revoke_drops, "what was cached under a cluster lock dropped")    \
	X(vfs_ioctl, "ioctl()")                                                \
	X(vfs_handles, "file handle made or opened")

enum sfs_vfs_counter {
#define SFS_VFS_COUNTER_ENUM(name, text) SFS_VC_##name,
	SFS_VFS_COUNTERS(SFS_VFS_COUNTER_ENUM)
#undef SFS_VFS_COUNTER_ENUM
	SFS_NR_VFS_COUNTERS
};

struct sfs_vfs_counters {
	u64 v[SFS_NR_VFS_COUNTERS];
};

/*
 * The counters are there before the superblock is and go after its last inode.
 * RCU walks may be in it for longer, so nothing is counted in those.
 */
static inline void sfs_vfs_count_nr(const struct sfs_sb *sbi, int nr, u64 by)
{
	this_cpu_add(sbi->counters->v[nr], by);
}

/* sfs_vfs_count(sb, read) counts vfs_read. */
#define sfs_vfs_count(sb, name)						\
	sfs_vfs_count_nr(SFS_SB(sb), SFS_VC_vfs_##name, 1)
#define sfs_vfs_count_by(sb, name, by)					\
	sfs_vfs_count_nr(SFS_SB(sb), SFS_VC_vfs_##name, by)

int sfs_vfs_counters_nr(void);
const char *sfs_vfs_counter_name(int i);
u64 sfs_vfs_counter_read(const struct sfs_sb *sbi, int i);

#endif

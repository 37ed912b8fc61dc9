/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_COUNTERS_H
#define SFS_BASE_COUNTERS_H

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/types.h>

/*
 * What the core counts: X(name, what one of it is).  A name is a file in the
 * counters/ directory of a mount and keeps its meaning; each is described in
 * docs/operating.md.  They only grow, and begin at 0 with the mount or, where
 * the server counts, with the server.
 *
 * The first ones are counted in the cache under its own locks.
 */
#define SFS_COUNTERS(X)                                                        \
	X(cache_hits, "metadata block found in memory")                        \
	X(cache_misses, "metadata block not in memory, so read")               \
	X(cache_read_bytes, "byte of metadata blocks read into the cache")     \
	X(cache_evictions, "block dropped because the cache was full")         \
	X(cache_shrunk_bytes, "byte dropped because the machine wants memory") \
	X(merge_block_reads, "metadata block read by compaction")              \
	X(filter_skips, "block not read because a filter ruled the item out")  \
	X(filter_passes, "block read after a filter had let the item pass")    \
	X(item_reads, "item looked up by its key")                             \
	X(holds, "changing operation begun in a transaction")                  \
	X(hold_waits, "of them: had to wait before it could begin")            \
	X(hold_waits_level0, "of them: waited because compaction is behind")   \
	X(publishes, "transaction published")                                  \
	X(publish_items, "item written by publishing")                         \
	X(publish_bytes, "byte of runs written by publishing")                 \
	X(publish_extents, "data extent consumed or freed by publishing")      \
	X(publish_idle, "exchange of sequences of an idle mount")              \
	X(publish_timer_skips, "tick that let a transaction grow")             \
	X(edits_applied, "new version of the manifest taken over")             \
	X(meta_refills, "request for metadata space")                          \
	X(meta_refill_waits, "of them: had to be repeated, no space was free") \
	X(data_refills, "request for data space")                              \
	X(op_lookup, "name looked up")                                         \
	X(op_getattr, "attributes read")                                       \
	X(op_setattr, "attributes or size set")                                \
	X(op_create, "file, directory or special file made")                   \
	X(op_symlink, "symbolic link made")                                    \
	X(op_link, "hard link made")                                           \
	X(op_unlink, "name removed, of a directory too")                       \
	X(op_rename, "name changed")                                           \
	X(op_readdir, "part of a directory listed")                            \
	X(op_xattr_read, "extended attribute read or attributes listed")       \
	X(op_xattr_write, "extended attribute set or removed")                 \
	X(op_file_read, "read through the core's buffers")                     \
	X(op_file_write, "write through the core's buffers")                   \
	X(op_map_read, "extent looked up")                                     \
	X(op_map_write, "extent made ready for writing")                       \
	X(op_map_written, "extent told to have been written")                  \
	X(op_sync, "fsync or sync")                                            \
	X(op_walk, "batch of an index walk")                                   \
	X(op_ino_path, "path of an inode asked")                               \
	X(inodes_deleted, "inode without names removed by the worker")         \
	X(truncates_finished, "truncation finished by the worker")             \
	X(worker_scans, "search for interrupted deletions and truncations")    \
	X(lock_waits, "use of a cluster lock that had to wait")                \
	X(lock_requests, "request for a cluster lock")                         \
	X(lock_grants, "cluster lock granted to this mount")                   \
	X(lock_revokes, "cluster lock the server wants back")                  \
	X(lock_releases, "cluster lock given up, or kept for reading alone")   \
	X(msg_join, "request to join")                                         \
	X(msg_manifest, "request for a part of the manifest")                  \
	X(msg_publish, "request to publish a transaction")                     \
	X(msg_meta_space, "request for metadata space, as a message")          \
	X(msg_data_space, "request for data space, as a message")              \
	X(msg_ino_group, "request for inode numbers")                          \
	X(msg_stable, "request for the stable sequence")                       \
	X(msg_statfs, "request for numbers about the volume")                  \
	X(msg_alloc_detail, "request for who has which space")                 \
	X(msg_leave, "request to leave")                                       \
	X(op_flock, "file lock set, dropped or asked about")                   \
	X(msg_flock, "message about file locks, without a reply")              \
	X(msg_ack, "version acknowledged, message without a reply")            \
	X(msg_edit, "new version received")                                    \
	X(manifest_reloads, "manifest loaded as a whole because edits were missing") \
	X(server_edits, "new version of the manifest made")                    \
	X(server_edits_sent, "new version sent to a mount")                    \
	X(server_msgs_dropped, "message of another term or of nobody dropped")     \
	X(server_grants, "cluster lock granted to a mount")                    \
	X(server_revokes, "cluster lock asked back from a mount")              \
	X(server_flock_waits, "file lock that had to be waited for")           \
	X(server_flock_deadlocks, "file lock refused with EDEADLK")            \
	X(log_batches, "group of the server's transactions made durable")      \
	X(log_transactions, "transaction of the server in such a group")       \
	X(log_bytes, "byte of changes written to the server's log")            \
	X(checkpoints, "checkpoint of the server's store")                     \
	X(compact_jobs, "compaction job finished")                             \
	X(compact_jobs_failed, "compaction job given up")                      \
	X(compact_steps, "range merged by compaction")                         \
	X(compact_items_in, "item read by compaction jobs that finished")      \
	X(compact_items_out, "item written by compaction jobs that finished")  \
	X(compact_bytes, "byte of runs written by compaction")                 \
	X(segments_reclaimed, "metadata segment that became free again")

enum sfs_counter {
#define SFS_COUNTER_ENUM(name, text) SFS_CNT_##name,
	SFS_COUNTERS(SFS_COUNTER_ENUM)
#undef SFS_COUNTER_ENUM
	SFS_NR_COUNTERS
};

/*
 * Each counter exists in several copies that are 64 bytes apart from each
 * other's, and a thread adds to the one that its stack's address picks: so
 * threads on different processors mostly write to different cache lines, and
 * an addition stays at a few nanoseconds.  What a read adds up is no moment's
 * truth, but nothing is counted twice or lost.
 */
#define SFS_COUNTER_SHARD_BITS 4
#define SFS_COUNTER_SHARDS (1 << SFS_COUNTER_SHARD_BITS)
#define SFS_COUNTER_STRIDE round_up(SFS_NR_COUNTERS, 8)

struct sfs_counters {
	atomic64_t v[SFS_COUNTER_SHARDS][SFS_COUNTER_STRIDE];	/* A */
};

struct sfs_counters *sfs_counters_create(void);
void sfs_counters_free(struct sfs_counters *cnt);
u64 sfs_counters_read(const struct sfs_counters *cnt, u32 nr);

static inline u32 sfs_counter_shard(void)
{
	u32 stack = (u32)((unsigned long)__builtin_frame_address(0) >> 14);

	return stack * 0x9e3779b1U >> (32 - SFS_COUNTER_SHARD_BITS);
}

/* @cnt may be NULL: of what belongs to no mount and no server. */
static inline void sfs_count_nr(struct sfs_counters *cnt, u32 nr, u64 by)
{
	if (cnt)
		atomic64_add(by, &cnt->v[sfs_counter_shard()][nr]);
}

#define sfs_count(cnt, name) sfs_count_nr(cnt, SFS_CNT_##name, 1)
#define sfs_count_by(cnt, name, by) sfs_count_nr(cnt, SFS_CNT_##name, by)

#endif

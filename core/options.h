/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mount options of all hosts: one list says what there is, which values they
 * may have and what they are without being given.
 *
 * Options that older setups carry in their fstab are all known and checked,
 * also those that have no effect in this release because what they tune is
 * not there (they say so in the list).
 *
 * The core itself reads none of this: it is told by struct sfs_mount_opts.
 */
#ifndef SFS_OPTIONS_H
#define SFS_OPTIONS_H

enum sfs_option_flags {
	SFS_OPT_ONCE = 1,	/* given twice is an error */
	SFS_OPT_SWITCH = 2,	/* without a value: 1; "noacl": 0 */
	SFS_OPT_PATH = 4,
	SFS_OPT_INERT = 8,	/* no effect in this release */
	SFS_OPT_NEWLINE = 16,	/* shown with one */
	SFS_OPT_HIDDEN = 32,	/* no file that shows it */
	SFS_OPT_RUNTIME = 64,	/* may be changed while mounted */
	SFS_OPT_NOFILE = 128,	/* no file in sysfs, for compatibility */
};

#define SFS_PREALLOC_MAX ((1LL << 52) - 1)
#define SFS_KEEPALIVE_MAX 0x7fffffff

/*
 * X(name, default, least, greatest, flags) for each; numbers but for paths.
 *
 * quorum_slot_nr: there is no quorum yet, recorded.  acl: POSIX ACLs are not
 * there yet.  lock_idle_count: the number of cluster locks that are kept is
 * fixed (mount/locks.c).  log_merge_wait_timeout_ms and the two timeouts: there
 * are no such merges, no leader and no connections of TCP.  commit_interval_ms:
 * how long changes may stay unpublished without a sync.  force: mount although
 * the owner block says that another host has the volume, unsafe.  separate: in
 * the kernel, a mount that shares no caches with other mounts of the volume; in
 * the daemon all are.
 */
#define SFS_OPTIONS(X)							\
	X(metadev_path, 0, 0, 0, SFS_OPT_PATH)				\
	X(quorum_slot_nr, -1, 0, 14,					\
	  SFS_OPT_ONCE | SFS_OPT_NEWLINE | SFS_OPT_INERT)		\
	X(acl, 1, 0, 1, SFS_OPT_SWITCH | SFS_OPT_INERT)			\
	X(data_prealloc_blocks, 2048, 1, SFS_PREALLOC_MAX,		\
	  SFS_OPT_RUNTIME)						\
	X(data_prealloc_contig_only, 1, 0, 1, SFS_OPT_RUNTIME)		\
	X(ino_alloc_per_lock, 1024, 1, 1024, SFS_OPT_RUNTIME)		\
	X(lock_idle_count, 10000, 32, 100000,				\
	  SFS_OPT_INERT | SFS_OPT_RUNTIME)				\
	X(log_merge_wait_timeout_ms, 500, 100, 60000,			\
	  SFS_OPT_INERT | SFS_OPT_RUNTIME)				\
	X(orphan_scan_delay_ms, 10000, 100, 60000,			\
	  SFS_OPT_ONCE | SFS_OPT_RUNTIME)				\
	X(quorum_heartbeat_timeout_ms, 10000, 2000, 60000,		\
	  SFS_OPT_INERT | SFS_OPT_RUNTIME)				\
	X(tcp_keepalive_timeout_ms, 24000, 3001, SFS_KEEPALIVE_MAX,	\
	  SFS_OPT_INERT | SFS_OPT_NOFILE)				\
	X(commit_interval_ms, 5000, 100, 60000, SFS_OPT_RUNTIME)	\
	X(force, 0, 0, 1, SFS_OPT_SWITCH | SFS_OPT_HIDDEN)		\
	X(separate, 0, 0, 1, SFS_OPT_SWITCH | SFS_OPT_HIDDEN)

#endif

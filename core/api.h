/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hosts call: the whole surface of the core, in plain types.
 *
 * Functions return 0 (or a count where said) or a negative errno.  Output
 * parameters come last and are untouched on failure.
 *
 * Locking contract.  The core keeps no copy of inodes.  "Excl(x)" means that
 * the caller has made sure that no other call that names inode x as Excl or
 * Shared runs meanwhile, "Shared(x)" that no Excl one does: the kernel host
 * has i_rwsem for that, others use sfs_ilock_*() below.  Calls without a note
 * may come at any time.  Name operations take the inode number the caller
 * believes the name has (from sfs_lookup() without locks) and return -ESTALE
 * when it has another one by now: look up again, lock again.
 *
 * Every call may sleep.
 */
#ifndef SFS_API_H
#define SFS_API_H

#include <linux/types.h>
#include "port.h"

struct sfs_fs;
struct sfs_hub;
struct sfs_server;

/* ---- volumes, servers, mounts ------------------------------------------ */

#define SFS_MAX_SLOTS 15

struct sfs_quorum_slot {
	__u8 used;
	__u8 family;		/* 4: IPv4; 6 is reserved */
	__u16 port;
	__u8 addr[16];		/* network order, the first 4 bytes for IPv4 */
};

struct sfs_format_opts {
	__u64 fsid;		/* 0: random */
	__u8 uuid[16];		/* all zero: random */
	__u32 interface_version;	/* 1 or 2, see interface.md 5.6 */
	__u64 meta_bytes;	/* 0: all of the device */
	__u64 data_bytes;
	__u64 data_alloc_zone_blocks;	/* recorded */
	struct sfs_quorum_slot slots[SFS_MAX_SLOTS];
};

/* What the identity block says; the same on both devices but is_meta. */
struct sfs_volume_id {
	__u64 fsid;
	__u8 uuid[16];
	__u8 is_meta;
	__u32 interface_version;
	__u64 meta_bytes;
	__u64 data_bytes;
	__u64 data_alloc_zone_blocks;
	__u64 quorum_version;
	struct sfs_quorum_slot slots[SFS_MAX_SLOTS];
};

#define SFS_MIN_DEV_BYTES (64ULL << 20)

/*
 * Writes a new, empty volume over both devices of @host.  -EINVAL with a log
 * line for devices that are too small.  Does not look at what they hold.
 */
int sfs_format(struct sfs_host *host, const struct sfs_format_opts *opts,
	       struct sfs_volume_id *ret_id);

/*
 * Reads and validates the identity of one device.  -ENODATA: no scoutfs magic
 * there (not ours, or never formatted); -EPROTONOSUPPORT: a scoutfs of another
 * implementation or version; -EUCLEAN: ours but damaged.  Each with a log line.
 */
int sfs_read_identity(struct sfs_host *host, int dev,
		      struct sfs_volume_id *ret_id);

/*
 * Where the server of a volume and its mounts in this machine meet.  Made
 * before all of them and destroyed after them.
 */
int sfs_hub_create(struct sfs_host *host, struct sfs_hub **ret_hub);
void sfs_hub_destroy(struct sfs_hub *hub);

/*
 * Starts the server of the volume: validates both identities against each
 * other, reads roots and log, begins a new term.  -EBUSY when @hub has one.
 * Mounts of @hub that a server before this one had go on with it; those of
 * which nobody knows any more are reclaimed.
 */
int sfs_server_start(struct sfs_host *host, struct sfs_hub *hub,
		     struct sfs_server **ret_srv);
/* All mounts have gone.  Writes a checkpoint so that the next start is quick. */
void sfs_server_stop(struct sfs_server *srv);
/*
 * As a crash of the server alone: when this returns it has written and sent
 * its last, and its memory is free.  Its mounts live; what needs a server waits
 * until another one is started.
 */
void sfs_server_kill(struct sfs_server *srv);

struct sfs_mount_opts {
	__u32 commit_interval_ms;	/* 100..60000, default 5000 */
	__u64 data_prealloc_blocks;	/* default 2048 */
	__u32 data_prealloc_contig_only; /* default 1 */
	__u32 ino_alloc_per_lock;	/* 1..1024, default 1024 */
	__u32 orphan_scan_delay_ms;	/* 100..60000, default 10000 */
};
void sfs_mount_opts_default(struct sfs_mount_opts *opts);
/*
 * Of a mount that runs: the new values hold from now on, timers that run are
 * started again with them.  One caller at a time.
 */
void sfs_set_mount_opts(struct sfs_fs *fs, const struct sfs_mount_opts *opts);

/*
 * Waits for a server to listen at @hub; -EINTR when killed meanwhile.
 */
int sfs_mount(struct sfs_host *host, struct sfs_hub *hub,
	      const struct sfs_mount_opts *opts, struct sfs_fs **ret_fs);
/*
 * Publishes what is left and departs.  No other call runs meanwhile or after.
 * Returns the error of that last publish; the mount is gone in any case.
 */
int sfs_unmount(struct sfs_fs *fs);
/*
 * The end of a mount that is not to publish anything more, for example because
 * it has failed: as if it had died.  Nothing that the host began on its devices
 * is under way, no other call runs meanwhile or after; what is open is
 * forgotten.
 */
void sfs_mount_discard(struct sfs_fs *fs);

/*
 * Before an unmount that must not take long: publishes what is left, and
 * declares the mount down when that has not succeeded after @patience_ms.  All
 * that wait for a publish or for room get EIO then, and so do all operations
 * from then on, also those that wait for a device.  Nothing ends what a device
 * has not completed: sfs_unmount() waits for that.
 */
int sfs_abort(struct sfs_fs *fs, __u32 patience_ms);
/* Declares the mount down at once. */
void sfs_give_up(struct sfs_fs *fs, const char *why);

__u64 sfs_fsid(struct sfs_fs *fs);
__u64 sfs_rid(struct sfs_fs *fs);	/* never 0 nor ~0 */

/*
 * Clean blocks of metadata in the cache of a mount, of a server: bytes, and
 * giving back about so many; returns what was freed.  For a host that is short
 * of memory: may be called from within any allocation, also one of the core.
 * Takes nothing but spinlocks under which nothing is allocated, waits for no
 * I/O and calls only sfs_port_buf_free().  Not once sfs_unmount() or
 * sfs_server_stop() has been called.
 */
__u64 sfs_mount_cache_bytes(struct sfs_fs *fs);
__u64 sfs_mount_cache_shrink(struct sfs_fs *fs, __u64 bytes);
__u64 sfs_server_cache_bytes(struct sfs_server *srv);
__u64 sfs_server_cache_shrink(struct sfs_server *srv, __u64 bytes);

/* ---- attributes -------------------------------------------------------- */

#define SFS_ROOT_INO 1
#define SFS_MAX_FILE_SIZE 0x7fffffffffffffffULL

struct sfs_time {
	__s64 sec;
	__u32 nsec;
	__u32 pad;
};

struct sfs_attr {
	__u64 ino;
	__u64 size;
	__u64 blocks;		/* 512-byte units: (online + offline) * 8 */
	__u64 meta_seq;
	__u64 data_seq;
	__u64 data_version;
	__u64 online_blocks;	/* 4 KiB units */
	__u64 offline_blocks;
	__u64 project;
	struct sfs_time atime;
	struct sfs_time mtime;
	struct sfs_time ctime;
	struct sfs_time crtime;
	__u32 mode;		/* S_IFMT included */
	__u32 nlink;
	__u32 uid;
	__u32 gid;
	__u32 rdev;		/* new_encode_dev() form */
	__u32 flags;		/* enum sfs_attr_flags */
};

enum sfs_attr_flags {
	/* a truncation is being finished: block counts still fall by themselves */
	SFS_ATTR_SHRINKING = 1U << 31,
};

/* capabilities a caller has, in sfs_cred.caps */
enum sfs_caps {
	SFS_CAP_CHOWN = 1 << 0,
	SFS_CAP_DAC_OVERRIDE = 1 << 1,
	SFS_CAP_DAC_READ_SEARCH = 1 << 2,
	SFS_CAP_FOWNER = 1 << 3,
	SFS_CAP_FSETID = 1 << 4,
	SFS_CAP_MKNOD = 1 << 5,
	SFS_CAP_SYS_ADMIN = 1 << 6,
};

struct sfs_cred {
	__u32 uid;		/* fsuid */
	__u32 gid;		/* fsgid */
	__u32 caps;
	__u32 umask;		/* applied to the mode of new inodes */
	__u32 host_checked;	/* the host has checked rwx permissions; the core then does not */
	__u32 nr_groups;	/* supplementary */
	const __u32 *groups;
};

enum sfs_setattr_mask {
	SFS_SET_MODE = 1 << 0,
	SFS_SET_UID = 1 << 1,
	SFS_SET_GID = 1 << 2,
	SFS_SET_SIZE = 1 << 3,
	SFS_SET_ATIME = 1 << 4,
	SFS_SET_MTIME = 1 << 5,
	SFS_SET_CTIME = 1 << 6,
	SFS_SET_ATIME_NOW = 1 << 7,
	SFS_SET_MTIME_NOW = 1 << 8,
	/* drop setuid, setgid and security.capability as a write does */
	SFS_SET_KILL_PRIV = 1 << 9,
	/* size change by O_TRUNC: caller has write access through the open */
	SFS_SET_OPEN_TRUNC = 1 << 10,
};

struct sfs_setattr {
	__u32 mask;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u64 size;
	struct sfs_time atime;
	struct sfs_time mtime;
	struct sfs_time ctime;
};

int sfs_getattr(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr);
/*
 * The same for whoever is going to act on data_version: contents that are
 * overwritten in place from now on are so under a later version, also after a
 * crash; and what the version stands for is durable, so that no crash brings it
 * back with other contents.  May publish.  A host shows data_version to
 * programs only from here.  Shared(ino).
 */
int sfs_stat_more(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr);
/* Excl(ino).  A size change also changes extents; see sfs_file_write(). */
int sfs_setattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		const struct sfs_setattr *set, struct sfs_attr *ret_attr);
/* @mask: 4 read, 2 write, 1 execute.  0 or -EACCES. */
int sfs_access(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
	       __u32 mask);

/*
 * Times of access live in memory: relatime, not published for themselves.
 */
void sfs_touch_atime(struct sfs_fs *fs, __u64 ino);

/* ---- names ------------------------------------------------------------- */

#define SFS_NAME_MAX 255
#define SFS_SYMLINK_MAX 4095

/* Shared(dir) is not needed: one item is one atomic read. */
int sfs_lookup(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	       const char *name, __u32 len, struct sfs_attr *ret_attr);
/* The same for a host that has the inode, or will ask sfs_inode_open(). */
int sfs_lookup_ino(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
		   const char *name, __u32 len, __u64 *ret_ino);
/* Directories, regular files and special files, by S_IFMT.  Excl(dir). */
int sfs_create(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	       const char *name, __u32 len, __u32 mode, __u32 rdev,
	       struct sfs_attr *ret_attr);
/* Excl(dir). */
int sfs_symlink(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
		const char *name, __u32 len, const char *target,
		__u32 target_len, struct sfs_attr *ret_attr);
/* Excl(dir), Excl(ino). */
int sfs_link(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
	     __u64 dir, const char *name, __u32 len, struct sfs_attr *ret_attr);
/* Excl(dir), Excl(ino). */
int sfs_unlink(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	       const char *name, __u32 len, __u64 ino);
/*
 * sfs_unlink() by a host that has opened @ino @opens times and promises that
 * until it has closed them all it makes no use of the inode: if nobody else has
 * it open, it may be gone with its last name.  *@ret_attr is the inode after
 * it, with nlink 0 when this was the last; may be NULL.
 */
int sfs_unlink_unused(struct sfs_fs *fs, const struct sfs_cred *cred,
		      __u64 dir, const char *name, __u32 len, __u64 ino,
		      __u32 opens, struct sfs_attr *ret_attr);
int sfs_rmdir(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
	      const char *name, __u32 len, __u64 ino);

#define SFS_RENAME_NOREPLACE 1
/*
 * @ino is no directory, as the host knows: the lock on the tree is not needed,
 * and a host may have uses of all the inodes named.  -ESTALE if it is one.
 */
#define SFS_RENAME_NO_DIR 2

/*
 * Excl(both directories), Excl(ino), Excl(new_ino) when it is not 0 (the new
 * name does not exist).  When the directories differ the caller also holds
 * the rename lock of the mount (sfs_rename_lock()).
 */
int sfs_rename(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 old_dir,
	       const char *old_name, __u32 old_len, __u64 ino, __u64 new_dir,
	       const char *new_name, __u32 new_len, __u64 new_ino,
	       __u32 flags);

/* Returns the length of the target, not terminated; -ERANGE when @size is too small. */
int sfs_readlink(struct sfs_fs *fs, __u64 ino, char *buf, __u32 size);

/*
 * Entries of @dir from position @pos on, in creation order, "." (position 0)
 * and ".." (position 1) first.  Records follow each other in @buf; returns the
 * bytes used, 0 at the end, -EINVAL when not even one fits.
 */
struct sfs_dirent {
	__u64 ino;
	__u64 pos;		/* of this entry */
	__u64 next_pos;		/* continue here after it */
	__u16 rec_len;		/* to the next record, a multiple of 8 */
	__u8 type;		/* DT_* */
	__u8 name_len;
	char name[];		/* not terminated */
};
int sfs_readdir(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 dir,
		__u64 pos, void *buf, __u32 size);

/* ---- extended attributes ----------------------------------------------- */

#define SFS_XATTR_NAME_MAX 255
#define SFS_XATTR_SIZE_MAX 65535
#define SFS_XATTR_CREATE 1
#define SFS_XATTR_REPLACE 2

/* Whole names with their prefix.  @size 0 asks for the length alone. */
int sfs_getxattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		 const char *name, void *buf, __u32 size);
/* Excl(ino). */
int sfs_setxattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		 const char *name, const void *val, __u32 len, __u32 flags);
int sfs_removexattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		    const char *name);
/* NUL-terminated names one after the other; returns bytes; @size 0 asks only. */
int sfs_listxattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		  char *buf, __u32 size);

/* ---- what hosts cache ---------------------------------------------------- */

/*
 * A use of the cluster lock that covers @ino.  While it lasts no other mount
 * changes what the lock covers (read), or reads it (write).  Contents,
 * attributes and names that were read in a use are valid until
 * sfs_port_invalidate() is called for the inode (of names: the directory), so a
 * host that caches them notes, before the call that reads, how often that has
 * happened, and trusts what it read for as long as it has not happened again.
 *
 * Every call of this header uses the locks it needs by itself.  A host begins
 * a use of its own where that is too short: around reading into and writing
 * from its cache of contents.  Within it the thread only makes calls about this
 * inode, waits for no lock that a thread outside of a use may hold, and touches
 * no memory of users that is not there; calls that need the same lock do not
 * wait for it again.  A use for reading encloses no call that changes anything.
 *
 * LATE: the use is part of what a revoke waits for (writing back, completing
 * I/O, reading for a page that is locked meanwhile): it enters as long as the
 * lock has not been given up.  NOWAIT: -EAGAIN in place of waiting.
 */
enum sfs_use_flags {
	SFS_USE_READ = 0,
	SFS_USE_WRITE = 1,
	SFS_USE_LATE = 2,
	SFS_USE_NOWAIT = 4,
};
struct sfs_use {
	void *priv[6];		/* the core's */
};
/* -EIO: the mount is down.  -EINTR: the thread is being killed. */
int sfs_use_begin(struct sfs_fs *fs, __u64 ino, __u32 flags,
		  struct sfs_use *use);
void sfs_use_end(struct sfs_fs *fs, struct sfs_use *use);

/* ---- open files, locks of hosts without VFS inodes ---------------------- */

/*
 * An inode in use is not deleted when its last name goes, by whichever mount.
 * Counted.  open is -ENOENT when the inode is gone already; @ret_attr may be
 * NULL.
 */
int sfs_inode_open(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr);
void sfs_inode_close(struct sfs_fs *fs, __u64 ino);
/*
 * The host has an object for @ino with which it excludes calls from each other
 * (the locking contract above): until unkeep the worker of this mount leaves
 * the inode alone.  Other mounts may delete it.  Counted; otherwise as open.
 */
int sfs_inode_keep(struct sfs_fs *fs, __u64 ino, struct sfs_attr *ret_attr);
void sfs_inode_unkeep(struct sfs_fs *fs, __u64 ino);

/*
 * Locks for the contract above, hashed by inode number.  Up to four inodes at
 * once (0s and repetitions are ignored), taken in an order that can not
 * deadlock; the rename lock comes first.
 */
struct sfs_ilock {
	__u32 nr;
	__u32 bucket[4];
	__u8 excl;
};
void sfs_ilock_shared(struct sfs_fs *fs, struct sfs_ilock *il, __u64 ino);
void sfs_ilock_excl(struct sfs_fs *fs, struct sfs_ilock *il, __u64 a, __u64 b,
		    __u64 c, __u64 d);
void sfs_iunlock(struct sfs_fs *fs, struct sfs_ilock *il);
void sfs_rename_lock(struct sfs_fs *fs);
void sfs_rename_unlock(struct sfs_fs *fs);

/* ---- file contents ------------------------------------------------------ */

enum sfs_extent_flags {
	SFS_EXT_OFFLINE = 1,
	SFS_EXT_UNWRITTEN = 2,
};

/* Logical range [block, block + count) in 4 KiB blocks; phys 0 is a hole. */
struct sfs_extent {
	__u64 block;
	__u64 count;
	__u64 phys;		/* block of the data device */
	__u8 flags;
};

/*
 * The extent or hole that covers @block, cut to start there.  Shared(ino).
 * Beyond the last extent: a hole of U64_MAX - block blocks.
 */
int sfs_map_read(struct sfs_fs *fs, __u64 ino, __u64 block,
		 struct sfs_extent *ret_ext);
enum sfs_map_flags {
	/* no byte the file has is going to change: it is appended to */
	SFS_MAP_KEEPS = 1,
};

/*
 * Makes blocks from @block on ready to be written: allocates unwritten blocks
 * over a hole, and before blocks that are written already may be overwritten
 * in place, publishes the change of data_version that this implies.  Returns
 * what covers @block, at most @count blocks, never a hole.  Excl(ino).
 */
int sfs_map_write(struct sfs_fs *fs, __u64 ino, __u64 block, __u64 count,
		  int flags, struct sfs_extent *ret_ext);
/*
 * The blocks [@block, @block + @count), mapped by sfs_map_write(), have been
 * written.  Unwritten ones become written; the size grows to @size if that is
 * larger; data_seq and data_version follow.  mtime becomes @mtime, ctime as
 * late as @ctime: when the writes happened that a page cache has collected.
 * May use space that is kept for deletions, because the write has been
 * promised.  Excl(ino).
 */
int sfs_map_written(struct sfs_fs *fs, __u64 ino, __u64 block, __u64 count,
		    __u64 size, const struct sfs_time *mtime,
		    const struct sfs_time *ctime);

/*
 * Reading and writing through a buffer, for hosts without a page cache
 * (fs/direct.c): partial blocks, holes, zeroes beyond the end.  @buf and @off
 * need no alignment; aligned ones save a copy.  Returns bytes.
 * read: Shared(ino); write: Excl(ino).
 */
__s64 sfs_file_read(struct sfs_fs *fs, __u64 ino, __u64 off, void *buf,
		    __u32 len);
__s64 sfs_file_write(struct sfs_fs *fs, __u64 ino, __u64 off, const void *buf,
		     __u32 len);

/* fsync, fdatasync: everything of this mount that happened before.  No locks. */
int sfs_fsync(struct sfs_fs *fs, __u64 ino, int datasync);
/* sync: the same for all. */
int sfs_sync(struct sfs_fs *fs);

/* ---- locks of flock() and fcntl() ----------------------------------------- */

/*
 * Locks between all mounts of the volume.  They are kept by the server for as
 * long as the mount lives, also over a restart of the server, and belong to
 * whoever the host says: the owner of a POSIX lock is a process (its table of
 * files), of the other kinds an open file.  POSIX and OFD locks are in each
 * other's way, flock's in neither's; ranges matter to the first two alone.
 *
 * An owner that sets a range anew replaces what it had there; flock's drops the
 * old one first, whether or not it gets the new one, as flock(2) says.
 */
enum sfs_flock_kind {
	SFS_FLOCK_POSIX = 0,
	SFS_FLOCK_OFD = 1,
	SFS_FLOCK_FLOCK = 2,
};
enum sfs_flock_type {
	SFS_FLOCK_NONE = 0,	/* unlocks */
	SFS_FLOCK_READ = 1,
	SFS_FLOCK_WRITE = 2,
};
struct sfs_flock {
	__u64 ino;
	__u64 owner;
	__u64 start;
	__u64 end;		/* the last byte that is meant */
	__u64 rid;		/* of an answer: the mount that holds it */
	__u32 pid;		/* for whoever asks who is in the way */
	__u8 kind;		/* enum sfs_flock_kind */
	__u8 type;		/* enum sfs_flock_type */
};

enum sfs_flock_call {
	SFS_FLOCK_SET,		/* -EAGAIN when it is not free */
	SFS_FLOCK_WAIT,		/* ... waits; -EDEADLK for POSIX locks */
	SFS_FLOCK_GET,		/* what is in the way */
};
/*
 * Called once for each call that was begun, by a worker of the core or by
 * whoever begins or ends it; may sleep but waits for no other call.  @lk is
 * what is in the way, for GET alone, its type NONE when nothing is.
 *
 * 0, -EAGAIN, -EDEADLK, -EINTR (it was ended), -ENOLCK (there are too many),
 * -EIO (the mount is down), -ENOMEM.
 */
typedef void (*sfs_flock_done_t)(void *arg, int ret,
				 const struct sfs_flock *lk);
/* @ret_ticket names the call from before @done may come; 0 never does. */
void sfs_flock_begin(struct sfs_fs *fs, int call, const struct sfs_flock *lk,
		     sfs_flock_done_t done, void *arg, __u64 *ret_ticket);
/*
 * Ends a WAIT: @done soon comes with -EINTR and nothing changed, or with
 * another result that was faster.  Harmless for calls that are over.
 */
void sfs_flock_cancel(struct sfs_fs *fs, __u64 ticket);
/*
 * For an owner that dies: @done has come, or is being called, when this
 * returns.  What the call may have locked is unlocked again; an unlock is
 * completed behind the caller's back, before anything else of this owner.
 */
void sfs_flock_abandon(struct sfs_fs *fs, __u64 ticket);

/* The same, waiting, until the thread is being killed (-EINTR, abandoned). */
int sfs_file_lock(struct sfs_fs *fs, const struct sfs_flock *lk, int wait);
int sfs_file_getlk(struct sfs_fs *fs, struct sfs_flock *lk);
/* All that @owner has on @ino, of POSIX and OFD or of flock; quick if nothing. */
int sfs_file_locks_release(struct sfs_fs *fs, __u64 ino, __u64 owner,
			   int kind);
/*
 * The first piece of @lk's range that its owner holds, into @ret_lk; 1, or 0
 * when it holds nothing there.  For hosts that keep a copy.
 */
int sfs_flock_held(struct sfs_fs *fs, const struct sfs_flock *lk,
		   struct sfs_flock *ret_lk);

/* ---- questions archive software asks ----------------------------------- */

struct sfs_walk_entry {
	__u64 major;
	__u64 ino;
	__u32 minor;
	__u32 pad;
};
enum sfs_walk_index {
	SFS_WALK_META_SEQ = 0,
	SFS_WALK_DATA_SEQ = 1,
};
/* Inclusive range; returns the number of entries stored. */
int sfs_walk_inodes(struct sfs_fs *fs, int index,
		    const struct sfs_walk_entry *first,
		    const struct sfs_walk_entry *last,
		    struct sfs_walk_entry *ents, __u32 nr);

/*
 * One path of an inode relative to the root, NUL-terminated: through the hard
 * link at or after (@dir_ino, @dir_pos).  Returns its length with the NUL.
 * -ENOENT, -ENAMETOOLONG, -ELOOP as in interface.md 1.4.1.
 */
int sfs_ino_path(struct sfs_fs *fs, __u64 ino, __u64 dir_ino, __u64 dir_pos,
		 char *buf, __u32 size, __u64 *ret_dir_ino,
		 __u64 *ret_dir_pos);

/*
 * The first name that @ino has in the directory @dir, at most SFS_NAME_MAX
 * bytes in @buf, not terminated.  Returns its length; -ENOENT: it has none
 * there.
 */
int sfs_name_in_dir(struct sfs_fs *fs, __u64 ino, __u64 dir, char *buf);

struct sfs_statfs {
	__u64 fsid;
	__u64 rid;
	__u64 committed_seq;		/* the stable sequence */
	__u64 total_meta_blocks;	/* 64 KiB */
	__u64 total_data_blocks;	/* 4 KiB */
	__u64 used_meta_blocks;		/* 64 KiB */
	__u64 used_data_blocks;		/* 4 KiB */
	__u64 reserved_meta_blocks;	/* 64 KiB that ordinary operations can not have */
	__u64 interface_version;
};
int sfs_statfs(struct sfs_fs *fs, struct sfs_statfs *ret_st);

struct sfs_alloc_detail {
	__u64 id;		/* 0 the server, else the rid of a mount */
	__u64 blocks;		/* 64 KiB of metadata, 4 KiB of data */
	__u8 is_meta;
	__u8 is_avail;		/* else freed and not yet reusable */
};
/* Returns the number of entries; -EOVERFLOW when @nr is too small. */
int sfs_alloc_detail(struct sfs_fs *fs, struct sfs_alloc_detail *ents,
		     __u32 nr);

/* ---- what is counted, what there is ------------------------------------- */

/*
 * Counters of a mount and of the server it talks to (base/counters.h).  They
 * only grow.  Names are fit to be file names.
 */
int sfs_counters_nr(void);
const char *sfs_counter_name(int i);
const char *sfs_counter_text(int i);
__u64 sfs_counter_read(struct sfs_fs *fs, int i);

/*
 * Lines about objects in memory, for whoever looks for the reason of
 * something.  Each object is copied under its lock and formatted outside;
 * objects of one dump may be of different moments.  @line returns nonzero to
 * end it.
 */
int sfs_dumps_nr(void);
const char *sfs_dump_name(int i);
void sfs_dump(struct sfs_fs *fs, int i,
	      int (*line)(void *arg, const char *text), void *arg);

/* The version of what is on the device, which format_version does not show. */
int sfs_engine_version(void);
/* Names of the test triggers (port.h), NULL beyond the last. */
const char *sfs_trigger_name(unsigned int trigger);

/* ---- checking and printing ---------------------------------------------- */

/*
 * Offline check of the volume (no mount, no server).  Findings are lines given
 * to @report; @progress is told now and then and may return nonzero to stop.
 */
struct sfs_check_ops {
	void (*report)(void *arg, const char *line);
	int (*progress)(void *arg, const char *phase, __u64 done, __u64 total);
	void *arg;
};
struct sfs_check_result {
	__u64 errors;
	__u64 inodes;
	__u64 items;
	__u64 runs;
	__u64 blocks_read;
	__u64 meta_segments_used;
	__u64 data_blocks_used;
};
/* 0 when the check could run, whatever it found; -ECANCELED when stopped. */
int sfs_check(struct sfs_host *host, const struct sfs_check_ops *ops,
	      struct sfs_check_result *ret_result);

/* Lines of text about the volume: identity, roots, log, manifest, items. */
enum sfs_print_flags {
	SFS_PRINT_ITEMS = 1,	/* every item, not the structure alone */
};
int sfs_print(struct sfs_host *host, int flags,
	      void (*line)(void *arg, const char *text), void *arg);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ports: everything the core needs from the world around it and that is
 * not a kernel name of the closed list.  Plain functions, resolved at link
 * time: the kernel module, the userspace hosts and the simulator each bring
 * their own.
 *
 * This header and api.h are read in three worlds (core, kernel, libc), so
 * they use nothing but fixed-width types.
 *
 * All calls may sleep unless said otherwise.  No port is called with a
 * spinlock held.
 */
#ifndef SFS_PORT_H
#define SFS_PORT_H

#include <linux/types.h>

/*
 * One host object per opened volume: its two devices, its log, its clocks.
 * Created and owned by the host, opaque to the core, outlives every mount and
 * server that was started with it.
 */
struct sfs_host;

/* ---- block ------------------------------------------------------------- */

enum sfs_dev {
	SFS_DEV_META = 0,
	SFS_DEV_DATA = 1,
	SFS_NR_DEVS = 2,
};

enum sfs_io_flags {
	SFS_IO_WRITE = 1,	/* else read */
	SFS_IO_FUA = 2,		/* durable when done (write, then flush without it) */
};

/*
 * One asynchronous transfer.  @offset and @len are multiples of 4096 bytes and
 * @buf comes from sfs_port_buf_alloc() or is at least 4096-byte aligned.  The
 * submitter owns the object and the buffer again when @done is called; @done
 * runs in process context, may sleep briefly, may submit more, and sees
 * io->err (0 or a negative errno; a short transfer is -EIO).
 */
struct sfs_io {
	void (*done)(struct sfs_io *io);
	void *buf;
	__u64 offset;		/* bytes from the start of the device */
	__u32 len;		/* bytes */
	__u8 dev;		/* enum sfs_dev */
	__u8 flags;		/* enum sfs_io_flags */
	__s32 err;
	void *host_priv[4];	/* for the port, while in flight */
};

void sfs_port_io_submit(struct sfs_host *host, struct sfs_io *io);

/* Makes every write of @dev that was done before the call durable. */
int sfs_port_flush(struct sfs_host *host, int dev);

/* Usable size in bytes, a multiple of 4096. */
__u64 sfs_port_dev_size(struct sfs_host *host, int dev);

/* Page-aligned I/O memory; NULL when there is none. */
void *sfs_port_buf_alloc(__u32 len);
void sfs_port_buf_free(void *buf, __u32 len);

/* ---- env --------------------------------------------------------------- */

/* Nanoseconds since boot: never goes back, no relation to wall time. */
__u64 sfs_port_boot_ns(struct sfs_host *host);
void sfs_port_wall_time(struct sfs_host *host, __s64 *ret_sec,
			__u32 *ret_nsec);
void sfs_port_random(struct sfs_host *host, void *buf, __u32 len);

enum sfs_log_level {
	SFS_LOG_ERR,
	SFS_LOG_WARN,
	SFS_LOG_INFO,
	SFS_LOG_DEBUG,
};

/* One line, without its newline; the host adds device, id and time. */
void sfs_port_log(struct sfs_host *host, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The calling thread should stop waiting because its process is dying. */
int sfs_port_killed(struct sfs_host *host);

/*
 * Test triggers, see base/triggers.h for the list: a rare path asks whether it
 * should be taken now.  Hosts for users answer 0.
 */
int sfs_port_trigger(struct sfs_host *host, unsigned int trigger);

/* Bytes that the cache of clean metadata blocks may use. */
__u64 sfs_port_cache_budget(struct sfs_host *host);

/*
 * Rare events inside the core, for whoever traces the host: what it does with
 * one must be cheap.  a, b, c are as the list says; errors are 0 or negative.
 */
enum sfs_trace_event {
	SFS_TRACE_FREEZE,		/* transaction, its items, their bytes */
	SFS_TRACE_PUBLISHED,		/* transaction, bytes of its run, error */
	SFS_TRACE_EDIT,			/* version, slices that came, that went */
	SFS_TRACE_REFILL,		/* 0 metadata or 1 data, amount, error */
	SFS_TRACE_COMPACT_BEGIN,	/* slices of level 0 taken, there, version */
	SFS_TRACE_COMPACT_STEP,		/* items read and written so far, bytes */
	SFS_TRACE_COMPACT_END,		/* runs written, their bytes, error */
	SFS_TRACE_CHECKPOINT,		/* root generation, items, error */
	SFS_NR_TRACE_EVENTS
};
void sfs_port_trace(struct sfs_host *host, int event, __s64 a, __s64 b,
		    __s64 c);

/* ---- host: upcalls ----------------------------------------------------- */

/*
 * The mount can not go on (a publish failed for good, a block it needs for
 * that is damaged): operations return EIO from now on.  Called once a mount.
 */
struct sfs_fs;
void sfs_port_mount_down(struct sfs_host *host, struct sfs_fs *fs,
			 const char *why);

/*
 * The mount is giving up its cluster lock on the inodes [first, last], or
 * keeps it for reading alone.  Called by workers of the core, which hold no
 * lock then and have stopped all uses but late ones (api.h); several ranges at
 * a time, and a range again when something came in between.  The host takes no
 * lock here that one of its threads holds around a call of the core, waits for
 * nothing that may wait for a use without SFS_USE_LATE, and drops no reference
 * that may be the last one to an inode.
 *
 * writeback: contents that are in the host's memory alone have been written
 * and announced (sfs_map_written()) when this returns, and direct I/O and
 * readahead in flight have ended; what could not be written is lost, and the
 * host tells who asks for that (fsync).
 */
void sfs_port_writeback(struct sfs_host *host, struct sfs_fs *fs,
			__u64 first_ino, __u64 last_ino);
/* invalidate: contents, attributes and names read so far are not used again. */
void sfs_port_invalidate(struct sfs_host *host, struct sfs_fs *fs,
			 __u64 first_ino, __u64 last_ino);

#endif

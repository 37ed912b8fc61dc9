/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon and the tools share: opened devices, ownership of them, the
 * log, mount options, the status directory, and with them the ports of the
 * core.
 *
 * Everything that can go wrong here has been reported in one line on the log
 * when a function returns an error, unless its comment says otherwise.
 */
#ifndef SFS_HOST_H
#define SFS_HOST_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api.h"

#define SFS_BLOCK 4096
/* device's path, or its stand-in in messages when there is none */
#define SFS_PATH_MAX 4096

/* ---- log (log.c) -------------------------------------------------------- */

enum sfs_log_mode {
	SFS_LOG_STDERR,		/* tools: every line but debug */
	SFS_LOG_STARTING,	/* daemon: warnings to stderr, all to syslog */
	SFS_LOG_SYSLOG,
};

/* @prog stays referenced; it is the prefix of every line. */
void sfs_host_log_init(const char *prog, enum sfs_log_mode mode, bool debug);
void sfs_log(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void sfs_vlog(int level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/*
 * Gives lines of this thread that are errors or warnings to @buf (the last
 * one stays) instead of the log, until called with NULL.
 */
void sfs_host_log_capture(char *buf, size_t size);

/* ---- one volume (device.c) ---------------------------------------------- */

enum sfs_host_flags {
	SFS_HOST_RDONLY = 1,	/* nothing is written; shared file locks */
	SFS_HOST_FORMAT = 2,	/* whatever the devices hold is no error */
	SFS_HOST_FORCE = 4,	/* do not ask the owner block */
	SFS_HOST_NOLOCK = 8,	/* with RDONLY: look at devices in use */
};

struct sfs_host_dev {
	char *path;		/* I as given */
	int fd;			/* I holds the locks; -1: not given */
	__u64 size;		/* I bytes, rounded down to 4096 */
	bool is_block;		/* I device, else a regular file */
	bool direct;		/* I opened with O_DIRECT */
	dev_t rdev;		/* I of a block device */
	dev_t fs_dev;		/* I with fs_ino: which file this is */
	ino_t fs_ino;		/* I */
	__u64 errors;		/* A: transfers and flushes that failed */
};

struct sfs_ring;
struct sfs_pool;
struct sfs_powercut;
struct sfs_owner;

/* I set at open only, A atomic */
struct sfs_host {
	struct sfs_host_dev dev[SFS_NR_DEVS];	/* I */
	struct sfs_volume_id id[SFS_NR_DEVS];	/* I valid: identified */
	bool identified;			/* I */
	unsigned int flags;			/* I enum sfs_host_flags */
	struct sfs_pool *pool;			/* I see block.c */
	struct sfs_ring *ring;			/* I or NULL: there is none */
	bool ring_first;			/* I a test switch */
	struct sfs_powercut *powercut;		/* I or NULL: see powercut.c */
	struct sfs_owner *owner;		/* I or NULL: see owner.c */
	char name[32];				/* I prefix of the core's lines */
	__u64 cache_budget;			/* I bytes */
	atomic_int down;			/* A a mount has failed for good */
	unsigned int revoke_one_in;		/* I a test switch, or 0 */
	atomic_uint revoke_random;		/* A its state */
	/* I told of sfs_port_invalidate(); may be NULL */
	void (*on_invalidate)(void *arg, struct sfs_fs *fs, __u64 first,
			      __u64 last);
	/* I told of a failed mount and of lost ownership; may be NULL */
	void (*on_down)(void *arg, const char *why);
	void *on_down_arg;
};

/*
 * Opens one (@data_path NULL) or both devices and, without FORMAT, checks that
 * they are the two devices of one volume.  Waits up to ten seconds for a
 * daemon that is exiting.  The errors are those of docs/errors.md.
 */
int sfs_host_open(const char *meta_path, const char *data_path,
		  unsigned int flags, struct sfs_host **ret_host);
/* No mount and no server is left. */
void sfs_host_close(struct sfs_host *host);

/*
 * Reads both identities without any lock: of which volume are these?  For
 * programs that look for its daemon.
 */
int sfs_host_peek(const char *meta_path, const char *data_path,
		  struct sfs_volume_id *ret_id);

/*
 * What libblkid finds on a device, such as "ext4 filesystem" or "gpt partition
 * table", NUL-terminated.  Returns 1, or 0 when it finds nothing it knows.
 */
int sfs_host_probe(const struct sfs_host *host, int dev, char *buf,
		   size_t size);

/* Starts and stops what carries out I/O (block.c); done by open and close. */
int sfs_block_start(struct sfs_host *host);
void sfs_block_stop(struct sfs_host *host);
/* One synchronous transfer by the same ways. */
int sfs_block_rw(struct sfs_host *host, int dev, __u64 offset, void *buf,
		 __u32 len, unsigned int flags);

/* ---- simulated power cuts (powercut.c) ---------------------------------- */

/* NULL without the switch in the environment. */
int sfs_powercut_start(struct sfs_host *host, struct sfs_powercut **ret_pc);
void sfs_powercut_stop(struct sfs_powercut *pc);
int sfs_powercut_io(struct sfs_powercut *pc, struct sfs_io *io);
int sfs_powercut_flush(struct sfs_powercut *pc, int dev);
/* Does not return. */
void sfs_powercut_now(struct sfs_powercut *pc);

/* The raw transfers below it, in block.c. */
int sfs_raw_pread(struct sfs_host *host, int dev, void *buf, __u32 len,
		  __u64 offset);
int sfs_raw_pwrite(struct sfs_host *host, int dev, const void *buf, __u32 len,
		   __u64 offset, bool fua);
int sfs_raw_flush(struct sfs_host *host, int dev);

/* ---- environment (env.c) ------------------------------------------------ */

/*
 * The request that this thread works for; sfs_port_killed() asks
 * @killed(@arg).  NULL when there is none.
 */
void sfs_host_set_killed(int (*killed)(void *arg), void *arg);

/* Reads the switch for tests of revoking, see sfs_port_trigger(). */
void sfs_host_revoke_init(struct sfs_host *host);

/* Where sockets and status live: /run/scoutfs, or a directory of one's own. */
const char *sfs_run_dir(void);
int sfs_run_dir_make(void);
/* The daemon's socket of volume @fsid. */
void sfs_socket_path(__u64 fsid, char *buf, size_t size);

/* ---- ownership (owner.c) ------------------------------------------------ */

/*
 * Makes this process the owner of the volume and keeps it so until released.
 * -EBUSY names the host that has it.
 */
int sfs_owner_claim(struct sfs_host *host);
/* Like claim, but nothing is written: is there another owner? */
int sfs_owner_check(struct sfs_host *host);
/* Was it released in order, or never owned?  Does not wait for anything. */
bool sfs_owner_clean(struct sfs_host *host);
/* The mount's id, known later than the claim. */
void sfs_owner_set_rid(struct sfs_host *host, __u64 rid);
/* Says that release is near; others that wait may go on waiting. */
void sfs_owner_stopping(struct sfs_host *host);
/* @clean: the last publish succeeded. */
void sfs_owner_release(struct sfs_host *host, bool clean);
/* Who owns it according to the device: for messages.  0 or -ENODATA. */
int sfs_owner_who(const struct sfs_host_dev *dev, char *buf, size_t size,
		  bool *ret_stopping);

/* ---- mount options (options.c) ------------------------------------------ */

struct sfs_options {
	char metadev_path[SFS_PATH_MAX];
	__s64 quorum_slot_nr;		/* -1: none */
	__s64 acl;
	__s64 data_prealloc_blocks;
	__s64 data_prealloc_contig_only;
	__s64 ino_alloc_per_lock;
	__s64 lock_idle_count;
	__s64 log_merge_wait_timeout_ms;
	__s64 orphan_scan_delay_ms;
	__s64 quorum_heartbeat_timeout_ms;
	__s64 tcp_keepalive_timeout_ms;
	__s64 commit_interval_ms;
	__s64 force;
	__s64 separate;
	unsigned long seen;		/* by place in the table */
	unsigned long mount_flags;	/* MS_*: ro, nosuid, ... */
	bool sloppy;
};

void sfs_options_default(struct sfs_options *opts);
/*
 * Adds a comma-separated list; "\," is a comma in a value.  -EINVAL with a
 * line that names the option, the value and what it may be.
 */
int sfs_options_parse(struct sfs_options *opts, const char *list);
/* From here on, unknown options are ignored (mount -s). */
void sfs_options_sloppy(struct sfs_options *opts);
/* The options that a mount must have; -EINVAL with a line. */
int sfs_options_complete(const struct sfs_options *opts);
/* What the core wants to know of them. */
void sfs_options_mount(const struct sfs_options *opts,
		       struct sfs_mount_opts *ret_opts);
/* The list that parses to the same; -ENAMETOOLONG. */
int sfs_options_show(const struct sfs_options *opts, char *buf, size_t size);
/*
 * Calls @fn for every option with its value as the status directory shows it;
 * stops at the first error.
 */
int sfs_options_each(const struct sfs_options *opts,
		     int (*fn)(void *arg, const char *name, const char *value),
		     void *arg);

/* ---- mounting (fusemount.c) and talking to a daemon (control.c) --------- */

/*
 * Mounts at @dir in our mount namespace: by mount(2) as root, by fusermount3
 * otherwise.  Returns the connection to the kernel and its number in fusectl.
 */
int sfs_fuse_mount(const char *spec, const char *dir, unsigned long flags,
		   int *ret_fd, unsigned int *ret_minor);
/* -EBUSY when it is in use, unless @lazy.  Nothing is logged. */
int sfs_fuse_unmount(const char *dir, bool lazy);
/*
 * The number in fusectl of what is mounted at @dir, as we see it; 0 when that
 * is nothing or none of our kind.
 */
unsigned int sfs_fuse_minor_at(const char *dir);
/* What a killed daemon left at @dir is detached. */
void sfs_fuse_unmount_dead(const char *dir);

#define SFS_CONTROL_MAX 16384
/* grows when programs and daemons of before do not understand each other */
#define SFS_CONTROL_VERSION "2"

/* One message is NUL-terminated words; -ECONNRESET when the other has gone. */
int sfs_control_send(int sock, int fd, const char *const *words,
		     unsigned int nr);
/* At most @max words, which point into @buf; returns their number. */
int sfs_control_recv(int sock, char *buf, size_t size, const char **ret_words,
		     unsigned int max, int *ret_fd);

/*
 * Asks the daemon of volume @fsid a question about the mount @rid; the answer
 * as sfs_control_recv() gives it.  Nothing is logged.
 */
int sfs_control_ask(__u64 fsid, __u64 rid, const char *question, char *buf,
		    size_t size, const char **ret_words, unsigned int max);

struct sfs_mount_request {
	const char *spec;		/* the data device */
	const char *dir;
	const struct sfs_options *opts;
	const char *mount_ns;		/* NULL: ours */
	bool verbose;
};
/* Mounts through the volume's daemon, which is started when there is none. */
int sfs_control_mount(const struct sfs_mount_request *mr);

/* ---- status directory (status.c) ---------------------------------------- */

struct sfs_status;
/* Removes what a killed daemon of this volume has left; we own the volume. */
void sfs_status_clear(__u64 fsid);
int sfs_status_create(struct sfs_host *host, __u64 fsid, __u64 rid,
		      const struct sfs_options *opts,
		      struct sfs_status **ret_st);
void sfs_status_remove(struct sfs_status *st);
/* Removes what killed daemons of other volumes have left in the run directory. */
void sfs_status_sweep(void);

#endif

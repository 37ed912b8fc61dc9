/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's own structures: a volume, its mounts (connections to the
 * kernel), requests, and the pools that work on those which may take long.
 *
 * Lock order, outermost first: locks of the core's inodes (sfs_ilock_*), then
 * any one lock of the daemon.  The daemon's own locks are leaves: nothing is
 * called while one is held.
 */
#ifndef SFS_FUSE_DAEMON_H
#define SFS_FUSE_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "api.h"
#include "fuse/proto/decode.h"
#include "host/host.h"

#define MAX_WRITE (1024 * 1024)
#define MAX_QUEUES 32
#define THREAD_STACK_BYTES (512 * 1024)

struct scoutfs_ioctl_inline;
struct sfs_conn;
struct sfs_req;

/* ---- pools of threads for what may block for long (work.c) -------------- */

/* I set at init only, L(lock) */
struct sfs_workpool {
	pthread_mutex_t lock;
	pthread_cond_t wake;		/* there is work, or stop */
	pthread_cond_t idle;		/* a thread has ended */
	struct sfs_req *head;		/* L */
	struct sfs_req *tail;		/* L */
	unsigned int nr_queued;		/* L */
	unsigned int nr_threads;	/* L */
	unsigned int nr_waiting;	/* L */
	unsigned int max_threads;	/* I */
	bool stop;			/* L */
};

void sfs_workpool_init(struct sfs_workpool *wp, unsigned int max_threads);
/* What is queued is still done. */
void sfs_workpool_stop(struct sfs_workpool *wp);
/*
 * Goes on with @req in @fn on a thread of @wp, which replies.  The caller
 * returns without a reply and does not touch @req any more.
 */
void sfs_defer(struct sfs_req *req, struct sfs_workpool *wp,
	       void (*fn)(struct sfs_req *req));
/* True when @req was taken out of its queue: the caller replies and frees. */
bool sfs_workpool_cancel(struct sfs_workpool *wp, struct sfs_req *req);

/* ---- requests (conn.c) -------------------------------------------------- */

/* O owned by the thread that works on it, A atomic, I set when it arrives */
struct sfs_req {
	struct fw_request d;		/* I */
	struct sfs_conn *conn;		/* I */
	int fd;				/* I the queue it came by */
	void *buf;			/* O for replies, page aligned; may be NULL */
	bool replied;			/* O */
	bool deferred;			/* O goes on elsewhere */
	bool on_heap;			/* I message is behind this structure */
	atomic_int interrupted;		/* A */
	struct sfs_req *active_next;	/* L(conn->active_lock) */
	struct sfs_req *queue_next;	/* L(pool's lock) */
	struct sfs_workpool *queued_in;	/* I may be taken out of it; or NULL */
	void (*fn)(struct sfs_req *req);
	uint64_t result[2];		/* O for the second half */
	uint64_t ticket;		/* L(conn->active_lock) a lock call, or 0 */
	struct scoutfs_ioctl_inline *inl; /* O where an ioctl's answer goes, or NULL */
	uint64_t msg[];			/* I copy of the message */
};

void sfs_reply_err(struct sfs_req *req, int err);
void sfs_reply_buf(struct sfs_req *req, const void *data, size_t len);
void sfs_reply_two(struct sfs_req *req, const void *a, size_t a_len,
		   const void *b, size_t b_len);
/*
 * A copy of @req that lives until whoever has it has replied, deactivates and
 * frees it; the caller returns without a reply.  NULL: it was replied to.
 */
struct sfs_req *sfs_req_detach(struct sfs_req *req);
/* A detached request waits in the core under this name, unless it is over. */
void sfs_req_has_ticket(struct sfs_conn *conn, uint64_t unique,
			uint64_t ticket);
void sfs_req_activate(struct sfs_req *req);
void sfs_req_deactivate(struct sfs_req *req);

/* One operation, see dispatch.c. */
void sfs_dispatch(struct sfs_req *req);

/* ---- handles and inodes that are kept (handle.c) ------------------------ */

struct sfs_handles {
	pthread_mutex_t lock;
	struct sfs_handle *slot;	/* L */
	uint32_t nr_slots;		/* L */
	uint32_t free_head;		/* L index + 1, 0: none */
	struct sfs_pin **pins;		/* L */
	uint64_t nr_open;		/* L */
};

int sfs_handles_init(struct sfs_handles *hs);
/* Closes in the core whatever is still open or pinned. */
void sfs_handles_exit(struct sfs_handles *hs, struct sfs_fs *fs);
int sfs_handle_open(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t ino,
		    uint64_t *ret_fh);
void sfs_handle_close(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t fh,
		      uint64_t ino);
/*
 * Keeps an inode without names in use until the kernel forgets it.  It is
 * open in the core already; the table takes that over.
 */
void sfs_pin_add(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t ino);
void sfs_pin_forget(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t ino);

/* ---- owners of locks (op_lock.c) ------------------------------------------ */

#define SFS_LOCKER_BUCKETS 256

struct sfs_lockers {
	pthread_mutex_t lock;
	struct sfs_locker *bucket[SFS_LOCKER_BUCKETS]; /* L */
};

void sfs_lockers_init(struct sfs_lockers *lk);
void sfs_lockers_exit(struct sfs_lockers *lk);
/* RELEASE of a handle: unlocks what close() has not. */
void sfs_unlock_released(struct sfs_conn *conn, uint64_t ino,
			 const struct fw_release_in *in);

/* ---- callers (cred.c) --------------------------------------------------- */

struct sfs_caller {
	struct sfs_cred cred;
	uint32_t *groups;
	struct sfs_req *req;
	bool full;
};

/* uid and gid alone: for what the kernel has checked already. */
void sfs_caller_init(struct sfs_caller *c, struct sfs_req *req);
/* Adds capabilities and groups, which costs two looks at /proc. */
void sfs_caller_fill(struct sfs_caller *c);
/*
 * The operation answered @ret: true when it should be done again because the
 * caller turned out to have more rights than were stated.
 */
bool sfs_caller_again(struct sfs_caller *c, int ret);
void sfs_caller_exit(struct sfs_caller *c);
/* Is the thread about to die of SIGKILL?  For waits. */
bool sfs_thread_dying(uint32_t tid);

/* ---- a volume and its mounts -------------------------------------------- */

#define NR_ACTIVE 64
#define NR_CLEAN 4096

struct sfs_queue {
	struct sfs_conn *conn;
	pthread_t thread;
	int fd;
	bool started;
	atomic_bool ended;
};

/* One mount.  I set at start only, A atomic, L(lock named) */
struct sfs_conn {
	struct sfs_conn *next;		/* O main thread */
	struct sfs_volume *vol;		/* I */
	struct sfs_fs *fs;		/* I */
	char *dir;			/* I where it is mounted, for messages */
	unsigned int dev_minor;		/* I its number in fusectl */
	struct fw_session session;	/* I */
	bool drop_pages;		/* I after direct writes, ourselves */
	bool noatime;			/* I */
	struct sfs_queue queue[MAX_QUEUES]; /* I */
	unsigned int nr_queues;		/* I */
	atomic_uint nr_running;		/* A queues that have not ended */
	atomic_bool stop;		/* A */
	pthread_mutex_t active_lock;
	struct sfs_req *active[NR_ACTIVE]; /* L(active_lock) */
	struct sfs_handles handles;
	struct sfs_lockers lockers;
	struct sfs_workpool slow;	/* fsync */
	struct sfs_workpool user;	/* whatever touches a caller's memory */
	struct sfs_workpool notify;	/* waits for the kernel's page locks */
};

/*
 * Starts serving @fd, which it takes over in any case.  Answers INIT first.
 */
int sfs_conn_start(struct sfs_volume *vol, int fd, const char *dir,
		   unsigned int dev_minor, bool noatime,
		   struct sfs_conn **ret_conn);
/* Has the kernel let go of it? */
bool sfs_conn_ended(struct sfs_conn *conn);
/* Ends it whatever the kernel does, after requests under way. */
void sfs_conn_stop(struct sfs_conn *conn);
/* Makes the kernel fail everything that waits for this mount. */
void sfs_conn_abort(struct sfs_conn *conn);
/* Tells the kernel to drop pages of a file. */
void sfs_notify_inval(struct sfs_conn *conn, uint64_t ino, int64_t off,
		      int64_t len);

struct sfs_volume {
	struct sfs_host *host;		/* I */
	struct sfs_hub *hub;		/* I */
	struct sfs_server *srv;		/* I */
	struct sfs_fs *fs;		/* I */
	struct sfs_options opts;	/* I */
	struct sfs_status *status;	/* I */
	struct sfs_conn *conns;		/* O main thread */
	int event_fd;			/* I wakes the main thread */
	/* A inodes known to have nothing that a write must take away */
	_Atomic uint64_t clean[NR_CLEAN];
};

int sfs_volume_start(const char *meta, const char *data,
		     const struct sfs_options *opts, int event_fd,
		     struct sfs_volume **ret_vol);
int sfs_volume_stop(struct sfs_volume *vol);

/* ---- operations (op_*.c) ------------------------------------------------ */

#define TIMEOUT_S 3600		/* one mount: nobody else changes anything */
#define RETRIES 32		/* of names that change under our hands */

void sfs_attr_to_wire(const struct sfs_attr *attr, struct fw_attr *ret_fa);
void sfs_entry_to_wire(const struct sfs_attr *attr,
		       struct fw_entry_out *ret_eo);
void sfs_not_clean(struct sfs_conn *conn, uint64_t ino);

void op_getattr(struct sfs_req *req);
void op_statx(struct sfs_req *req);
void op_setattr(struct sfs_req *req);
void op_access(struct sfs_req *req);
void op_statfs(struct sfs_req *req);
void op_lookup(struct sfs_req *req);
void op_forget(struct sfs_req *req);
void op_batch_forget(struct sfs_req *req);
void op_readlink(struct sfs_req *req);
void op_symlink(struct sfs_req *req);
void op_mknod(struct sfs_req *req);
void op_mkdir(struct sfs_req *req);
void op_unlink(struct sfs_req *req);
void op_rmdir(struct sfs_req *req);
void op_rename(struct sfs_req *req);
void op_rename2(struct sfs_req *req);
void op_link(struct sfs_req *req);
void op_create(struct sfs_req *req);
void op_open(struct sfs_req *req);
void op_opendir(struct sfs_req *req);
void op_release(struct sfs_req *req);
void op_readdir(struct sfs_req *req);
void op_readdirplus(struct sfs_req *req);
void op_read(struct sfs_req *req);
void op_write(struct sfs_req *req);
void op_fsync(struct sfs_req *req);
void op_lseek(struct sfs_req *req);
void op_getlk(struct sfs_req *req);
void op_setlk(struct sfs_req *req);
void op_setlkw(struct sfs_req *req);
void op_flush(struct sfs_req *req);
void op_getxattr(struct sfs_req *req);
void op_setxattr(struct sfs_req *req);
void op_listxattr(struct sfs_req *req);
void op_removexattr(struct sfs_req *req);
void op_ioctl(struct sfs_req *req);

#endif

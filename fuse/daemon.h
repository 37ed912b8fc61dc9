/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's own structures: a volume, its mounts (each a mount of the core
 * and a connection to the kernel), requests, and the pools that work on those
 * which may take long.
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
/* All of @req is done by a thread of @wp, from the start. */
void sfs_defer_all(struct sfs_req *req, struct sfs_workpool *wp);
/* True when @req was taken out of its queue: the caller replies and frees. */
bool sfs_workpool_cancel(struct sfs_workpool *wp, struct sfs_req *req);
/* Takes out one that has not begun and is about inodes [first, last]; or NULL. */
struct sfs_req *sfs_workpool_take(struct sfs_workpool *wp, uint64_t first,
				  uint64_t last);
/* And back, as the oldest. */
void sfs_workpool_put(struct sfs_workpool *wp, struct sfs_req *req);

/* ---- requests (conn.c) -------------------------------------------------- */

/* A sweep waits for a truncation; see op_attr.c. */
enum sfs_hurry {
	SFS_HURRY_NO,
	SFS_HURRY_ASKED,	/* leave the wait, do it late */
	SFS_HURRY_BEGUN,	/* it waits for nothing any more */
};

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
	atomic_int hurry;		/* A enum sfs_hurry */
	atomic_bool drop_after;		/* A pages, see sfs_reqs_resizing() */
	struct sfs_req *active_next;	/* L(conn->active_lock) */
	struct sfs_req *queue_next;	/* L(pool's lock) */
	struct sfs_workpool *queued_in;	/* I may be taken out of it; or NULL */
	void (*fn)(struct sfs_req *req);
	uint64_t result[2];		/* O for the second half */
	uint64_t seq;			/* O sweeps before it asked the core */
	void *own_buf;			/* O to be freed with it */
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
/* Of one on the heap that has been answered. */
void sfs_req_free(struct sfs_req *req);
/*
 * Is somebody setting the size of a file that may be stored into?  Then its
 * pages can not be dropped now, and are when that is done.
 */
bool sfs_reqs_resizing(struct sfs_conn *conn, uint64_t ino);
/* Truncations of these inodes that wait are done late, if that can be. */
void sfs_reqs_hurry(struct sfs_conn *conn, uint64_t first, uint64_t last);
/* For sfs_host_set_killed(): its process is dying, or the mount is. */
int sfs_req_killed(void *req);
/* Room for @len bytes of a reply; false: it has been answered with an error. */
bool sfs_req_room(struct sfs_req *req, size_t len);

/* One operation, see dispatch.c. */
void sfs_dispatch(struct sfs_req *req);

/* ---- handles and inodes that are kept (handle.c) ------------------------ */

struct sfs_handles {
	pthread_mutex_t lock;
	struct sfs_handle *slot;	/* L */
	uint32_t nr_slots;		/* L */
	uint32_t free_head;		/* L index + 1, 0: none */
	uint32_t *by_ino;		/* L chains of slots: index + 1, 0: none */
	struct sfs_pin **pins;		/* L */
	atomic_uint nr_pins;		/* A */
	uint64_t nr_open;		/* L */
};

int sfs_handles_init(struct sfs_handles *hs);
/* Closes in the core whatever is still open or pinned. */
void sfs_handles_exit(struct sfs_handles *hs, struct sfs_fs *fs);
int sfs_handle_open(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t ino,
		    uint32_t open_flags, uint64_t *ret_fh);
void sfs_handle_close(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t fh,
		      uint64_t ino);
/* Is @ino open for reading and writing? */
bool sfs_handle_rdwr(struct sfs_handles *hs, uint64_t ino);
/* Is @ino open, and the kernel not told where it ends since sweep @seq? */
bool sfs_handle_end_due(struct sfs_handles *hs, uint64_t ino, uint64_t seq);
/*
 * May the kernel be given the last byte of it, which is @size long now?  Not
 * when that may be in a page that somebody has stored into.
 */
bool sfs_handle_end_safe(struct sfs_handles *hs, uint64_t ino, uint64_t size);
/* It has been, or knows; with the contents' lock. */
void sfs_handle_end_told(struct sfs_handles *hs, uint64_t ino, uint64_t seq,
			 uint64_t size);
/* The kernel knows now that it is as long as that, or longer. */
void sfs_handle_grown(struct sfs_handles *hs, uint64_t ino, uint64_t size);
/* Or no longer than that; with the contents' lock. */
void sfs_handle_shrunk(struct sfs_handles *hs, uint64_t ino, uint64_t size);
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

/* ---- what the kernel may remember (known.c) ------------------------------ */

#define NR_KNOWN 64

struct sfs_known_group;
struct sfs_sweep;

struct sfs_known_bucket {
	pthread_mutex_t lock;
	struct sfs_known_group *groups;	/* L */
};

/* A atomic, L(lock), O who starts and ends the mount */
struct sfs_known {
	atomic_uint_fast64_t seq;	/* A sweeps that have begun */
	atomic_uint_fast64_t last_ns;	/* A when the last one did; 0: never */
	atomic_uint_fast64_t attr_ns;	/* A see sfs_known_answered() */
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* there are sweeps, or none, or stop */
	struct sfs_sweep *sweeps;	/* L */
	bool stop;			/* L */
	bool watched;			/* O */
	pthread_t watcher;		/* O */
	struct sfs_known_bucket bucket[NR_KNOWN];
};

void sfs_known_init(struct sfs_known *kn);
void sfs_known_exit(struct sfs_known *kn);
/* Starts what looks after sweeps; and ends it when there are none. */
int sfs_known_watch(struct sfs_conn *conn);
void sfs_known_unwatch(struct sfs_conn *conn);
/* To be noted in req->seq before the core is asked. */
uint64_t sfs_known_seq(struct sfs_known *kn);
/* What is about to be replied; for how many seconds it is valid. */
uint64_t sfs_known_attr(struct sfs_req *req, uint64_t ino);
uint64_t sfs_known_names(struct sfs_req *req, uint64_t dir);
/* The kernel is given pages; within the use in which they were read. */
int sfs_known_pages(struct sfs_conn *conn, uint64_t ino);
/*
 * Tells the kernel that the file ends with @byte at @off, within the use in
 * which it was read.  Waits for the page.
 */
void sfs_known_end(struct sfs_conn *conn, uint64_t ino, uint64_t off,
		   char byte);
/* Where an open file ends has just been replied, within a use. */
void sfs_known_answered(struct sfs_conn *conn);
/* Was there a sweep lately? */
bool sfs_known_recent(struct sfs_conn *conn);
/* How long names may live on after there are several mounts. */
void sfs_known_names_expire(unsigned int *ret_ms);
/* The mount gives up its lock on these: takes back what the kernel knows. */
void sfs_known_sweep(struct sfs_conn *conn, uint64_t first, uint64_t last);

/* ---- stores through mappings (stores.c) ---------------------------------- */

struct sfs_store;
struct sfs_store_err;

/* L(lock), A atomic, O who ends the mount */
struct sfs_stores {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct sfs_store *head;		/* L oldest first */
	struct sfs_store **tail;	/* L */
	uint64_t bytes;			/* L */
	atomic_uint nr;			/* A with one that is being written */
	struct sfs_store_err *errs;	/* L */
	pthread_t thread;		/* L, then O */
	bool started;			/* L */
	bool stop;			/* L */
};

void sfs_stores_init(struct sfs_stores *st);
/* All are written first. */
void sfs_stores_exit(struct sfs_conn *conn);
/*
 * Takes the contents of a WRITE.  0: to be answered now; 1: it will be; or a
 * negative errno.
 */
int sfs_stores_add(struct sfs_req *req);
/* Between sfs_change_begin() and sfs_change_end() for this inode. */
void sfs_stores_write(struct sfs_conn *conn, uint64_t ino);
/* Without. */
void sfs_stores_flush(struct sfs_conn *conn, uint64_t ino);
/* And which error there was. */
int sfs_stores_sync(struct sfs_conn *conn, uint64_t ino);
/* Answers all. */
void sfs_stores_help(struct sfs_conn *conn);
/* Puts what is not in the file yet over what was read from it. */
void sfs_stores_read(struct sfs_conn *conn, uint64_t ino, uint64_t off,
		     char *buf, uint64_t len);

/* ---- contents (op_file.c) ------------------------------------------------ */

/* Changing contents: see the top of op_file.c. */
struct sfs_change {
	struct sfs_ilock il;
	struct sfs_use use;
	pthread_rwlock_t *lock;
};
/* Errors, and @use_flags beside SFS_USE_WRITE, as sfs_use_begin() has them. */
int sfs_change_begin(struct sfs_conn *conn, uint64_t ino, uint32_t use_flags,
		     struct sfs_change *ch);
void sfs_change_end(struct sfs_conn *conn, struct sfs_change *ch);
/*
 * Replies with the attributes of a file that may be open; when another mount
 * may have made it longer, the kernel is told where it ends before that.
 */
void sfs_getattr_push(struct sfs_req *req,
		      void (*reply)(struct sfs_req *req,
				    const struct sfs_attr *attr));
/* Answers reads of pages that a sweep waits for. */
void sfs_reads_help(struct sfs_conn *conn, uint64_t first, uint64_t last);
/* Other mounts may change who has rights. */
void sfs_rights_forget(struct sfs_conn *conn, uint64_t first, uint64_t last);

/* ---- a volume and its mounts -------------------------------------------- */

#define NR_ACTIVE 64
#define NR_CLEAN 4096
#define NR_CONTENTS 256

struct sfs_queue {
	struct sfs_conn *conn;
	pthread_t thread;
	int fd;
	bool started;
	atomic_bool ended;
};

/* One mount.  I set before it serves, A atomic, L(lock named) */
struct sfs_conn {
	struct sfs_conn *next;		/* L(vol->lock) */
	struct sfs_volume *vol;		/* I */
	struct sfs_fs *fs;		/* I */
	struct sfs_options opts;	/* I */
	struct sfs_status *status;	/* I */
	char *dir;			/* I where it is mounted, for messages */
	unsigned int dev_minor;		/* I its number in fusectl; 0: unknown */
	struct fw_session session;	/* I */
	bool drop_pages;		/* I after direct writes, ourselves */
	bool noatime;			/* I */
	struct sfs_queue queue[MAX_QUEUES]; /* I */
	unsigned int nr_queues;		/* I */
	atomic_uint nr_running;		/* A queues that have not ended */
	atomic_bool serving;		/* A the main thread takes it down */
	atomic_bool stop;		/* A */
	pthread_mutex_t active_lock;
	struct sfs_req *active[NR_ACTIVE]; /* L(active_lock) */
	struct sfs_handles handles;
	struct sfs_lockers lockers;
	struct sfs_workpool slow;	/* fsync */
	struct sfs_workpool user;	/* whatever touches a caller's memory */
	struct sfs_workpool notify;	/* waits for the kernel's page locks */
	struct sfs_workpool ops;	/* what may wait for cluster locks */
	struct sfs_workpool pages;	/* reads of pages that have to */
	atomic_uint nr_inline;		/* A queues' threads that may wait */
	atomic_uint max_inline;		/* A of them, with several mounts */
	atomic_uint nr_notifying;	/* A who use the descriptor below */
	atomic_uint nr_held;		/* A clients that use it */
	atomic_int notify_fd;		/* A -1: nothing is told any more */
	struct sfs_known known;
	struct sfs_stores stores;
	pthread_rwlock_t contents[NR_CONTENTS]; /* by inode, see op_file.c */
	/* A inodes known to have nothing that a write must take away */
	_Atomic uint64_t clean[NR_CLEAN];
};

/*
 * Mounts the volume once more in the core, with files that show it, and adds
 * that to the volume's list.  Nothing is connected yet.
 */
int sfs_conn_open(struct sfs_volume *vol, const struct sfs_options *opts,
		    const char *dir, struct sfs_conn **ret_conn);
/* Serves @fd, which it takes over in any case.  Answers INIT first. */
int sfs_conn_serve(struct sfs_conn *conn, int fd, unsigned int dev_minor);
/* Has the kernel let go of it? */
bool sfs_conn_ended(struct sfs_conn *conn);
/*
 * Ends it whatever the kernel does, after requests under way, and unmounts in
 * the core.  Returns the error of the last publish.
 */
int sfs_conn_destroy(struct sfs_conn *conn);
/* Makes the kernel fail everything that waits for this mount. */
void sfs_conn_abort(struct sfs_conn *conn);
/*
 * Tells the kernel to drop pages of a file, which waits for those that are
 * locked, and its attributes; negative @off: these alone.
 */
void sfs_notify_inval(struct sfs_conn *conn, uint64_t ino, int64_t off,
		      int64_t len);
/* Puts a byte into the kernel's page, so that the file is as long as that. */
void sfs_notify_store(struct sfs_conn *conn, uint64_t ino, uint64_t off,
		      char byte);
/* Tells the kernel to ask again for all names. */
void sfs_notify_epoch(struct sfs_conn *conn);

/* I set at start only, L(lock), A atomic */
struct sfs_volume {
	struct sfs_host *host;		/* I */
	struct sfs_hub *hub;		/* I */
	struct sfs_server *srv;		/* I */
	int event_fd;			/* I wakes the main thread */
	pthread_mutex_t lock;
	struct sfs_conn *conns;		/* L */
	unsigned int nr_clients;	/* L who may still mount */
	bool ended;			/* L there will be no more */
	unsigned int nr_mounts;		/* L of the core, and those on their way */
	bool dirty;			/* O main: a last publish has failed */
	atomic_bool several;		/* A somebody else may change things */
};

int sfs_volume_start(const char *meta, const char *data,
		     const struct sfs_options *opts, int event_fd,
		     struct sfs_volume **ret_vol);
/* Without a mount. */
void sfs_volume_stop(struct sfs_volume *vol);
/* Has the main thread look what there is to do. */
void sfs_volume_wake(struct sfs_volume *vol);

/* ---- who wants to mount (client.c) --------------------------------------- */

/* What @sock asks, as a thread of its own if it can be. */
void sfs_daemon_client(struct sfs_volume *vol, int sock);
/*
 * The "mount" of who has started this daemon, in @words; the volume is up.
 * Returns when it is served, or the error that it has been told.
 */
int sfs_daemon_mount(struct sfs_volume *vol, int sock,
		     const char *const *words, unsigned int nr);
void sfs_daemon_error(int sock, int err, const char *text);

/* ---- operations (op_*.c) ------------------------------------------------ */

#define TIMEOUT_S 3600		/* until the kernel is told otherwise */
#define RETRIES 32		/* of names that change under our hands */

void sfs_attr_to_wire(const struct sfs_attr *attr, struct fw_attr *ret_fa);
/*
 * For a name of the request's directory.  @fresh: the kernel can not see that
 * the attributes have been overtaken (known.c).
 */
void sfs_entry_to_wire(struct sfs_req *req, const struct sfs_attr *attr,
		       bool fresh, struct fw_entry_out *ret_eo);
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

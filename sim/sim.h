/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <linux/types.h>
#include "api.h"
#include "sim/host.h"
#include "tests/model/posix.h"

/*
 * The crash simulator: one volume on two simulated disks, actors that change
 * it and know what it should be, and power cuts.  What a crash may leave is
 * defined at the top of expect.c.
 */

#define SIM_DEV_BYTES SFS_MIN_DEV_BYTES
#define SIM_MAX_ACTORS 4

/* ---- memory, random numbers, failing (world.c) -------------------------- */

/* Zeroed; of the simulator itself: never made to fail.  kvfree(). */
void *sim_zalloc(size_t len);
/*
 * The same for what is read into or written from, aligned: the core goes
 * different ways by alignment, and addresses must not decide anything.
 */
void *sim_buf(size_t len);
void sim_buf_free(void *buf);
u64 sim_rnd(u64 *rng, u64 n);
static inline bool sim_one_in(u64 *rng, u64 n)
{
	return sim_rnd(rng, n) == 0;
}

/* ---- the volume (world.c) ------------------------------------------------ */

struct sim_actor;
struct sim_snap;
struct sim_watch;

struct sim_world {
	u64 seed;
	u64 rng;
	struct sfs_mount_opts opts;
	struct sim_disk_opts disk_opts;
	u32 freeze_bytes;		/* 0: the mount's own choice */
	u64 cache_bytes;		/* 0: the host's own choice */

	struct sim_disk *disk[SFS_NR_DEVS];
	struct sfs_host *host;
	struct sfs_hub *hub;
	struct sfs_server *srv;
	struct sfs_fs *fs;

	struct sim_actor *actors[SIM_MAX_ACTORS];
	u32 nr_actors;
	u64 events;			/* counts begins, ends and cuts */
	bool stop;			/* actors end after their operation */
	bool watched;			/* operations that do not end are failures */
	struct shim_task *overseer;
	bool may_fail;			/* operations may fail for resources */
	u64 trace;			/* hash of everything that happened */

	struct sim_snap *snaps;		/* states of the disks to recover from */
	u32 nr_snaps;
	u32 max_snaps;
	struct sim_watch *watch;	/* agents that look */

	/* totals, for reports */
	u64 nr_ops;
	u64 nr_states;
	u64 nr_same_states;
	u64 nr_generations;
	s64 overhead;			/* blocks of data that nobody has */
};

struct sim_world *sim_world_create(u64 seed);
void sim_world_destroy(struct sim_world *w);
void sim_trace_add(struct sim_world *w, u64 x);

/* A volume that was formatted, or has a tree of files; not to be changed. */
const struct sim_image *const *sim_fresh_volume(void);

/* Takes over the images. */
void sim_plug(struct sim_world *w, struct sim_image *meta,
	      struct sim_image *data);
void sim_unplug(struct sim_world *w);
/* Starts server and mount; what start is refused with. */
int sim_try_mount(struct sim_world *w);
void sim_mount(struct sim_world *w);
/* Returns what the unmount says. */
int sim_unmount(struct sim_world *w);
/* Without findings, or the run ends. */
void sim_check(struct sim_world *w, const char *when);
/* How many findings; the first ones are printed when @show. */
u64 sim_count_findings(struct sim_world *w, bool show);

/* ---- what is there (tree.c) ---------------------------------------------- */

struct sim_node {
	struct sfs_attr attr;
	u8 *data;			/* contents or target, attr.size bytes */
	u32 nr_xattrs;
	u64 xattrs;			/* sum of hashes of names and values */
	u64 mapped;			/* blocks of the data device */
	u32 nr_names;			/* seen on the walk */
};

struct sim_name {
	u64 dir;
	u64 ino;
	u64 pos;
	u32 len;
	char name[SFS_NAME_MAX + 1];
};

struct sim_tree {
	u32 nr_nodes;
	u32 nr_names;
	u32 max_nodes;
	u32 max_names;
	struct sim_node *nodes;
	struct sim_name *names;		/* of a directory: together, in order */
};

/* Reads all that names lead to from the root on; anything strange ends the run. */
struct sim_tree *sim_tree_read(struct sim_world *w);
void sim_tree_free(struct sim_tree *t);
struct sim_node *sim_tree_node(const struct sim_tree *t, u64 ino);
u64 sim_hash(u64 h, const void *buf, u64 len);
u64 sim_xattr_hash(const char *name, const void *val, u32 len);

/* ---- actors (actor.c) ------------------------------------------------------ */

struct sim_rec {
	struct pm_op op;
	struct pm_result res;
	u64 begin;
	u64 end;			/* U64_MAX: unknown what became of it */
	u32 nr_learned;
	struct sfs_attr learned[5];	/* of what it touched */
	/* contents that a failed write left, instead of an operation */
	bool relearned;
	u8 *data;
	u64 size;
};

/* What a program has been told about the contents of a file. */
struct sim_seen {
	u64 ino;
	u64 data_version;
	u64 size;
	u64 hash;
	u64 event;
};

struct sim_actor {
	struct sim_world *w;
	u32 nr;
	u32 ops_left;
	u64 root;
	u64 rng;
	struct posix *pm;		/* as it is now */
	struct posix *base;		/* what log[0] was applied to */
	struct sim_rec **log;
	u32 nr_log;
	u32 max_log;
	u32 first;			/* records before it are in base */
	struct sim_seen *seen;
	u32 nr_seen;
	u32 max_seen;
	u32 think_us;
	u32 focus;			/* bits of operations it prefers */
	u64 busy_since;			/* 0: between operations */
	u64 last_written;		/* an inode */
	u64 synced_stamp;		/* no change after the last sync has it */
	struct shim_task *task;
};

/* Each has a directory of its own, made and synced here. */
void sim_actors_create(struct sim_world *w, u32 nr);
/* An actor for a directory that is there: its contents are taken as they are. */
void sim_actors_destroy(struct sim_world *w);
/* Runs @ops operations each, to the end or until the power is off. */
void sim_actors_run(struct sim_world *w, u32 ops);
void sim_actors_start(struct sim_world *w, u32 ops);
void sim_actors_join(struct sim_world *w);
/* One operation; false when nothing more can be done. */
bool sim_actor_step(struct sim_actor *a, const struct pm_op *op);
/* Closes what is open, in the mount and in the model. */
void sim_actors_close(struct sim_world *w);
/* Forgets the past: what is now is where the log begins. */
void sim_actor_settle(struct sim_actor *a);
void sim_learned_take(struct posix *pm, const struct sim_rec *rec);

/* ---- what should be there (expect.c) ---------------------------------------- */

/*
 * Compares what is there with what the actors did until @event, a crash: some
 * prefix in the order of their operations with all that was synced.  Ends the
 * run if it is not.  The number of operations of each that happened goes to
 * @ret_nr.
 */
void sim_expect_crash(struct sim_world *w, const struct sim_tree *t, u64 event,
		      u32 *ret_nr);
/* Exactly what the actors have now. */
void sim_expect_now(struct sim_world *w, const struct sim_tree *t);
/* The actors go on from what is there, after the crash at @event. */
void sim_actors_adopt(struct sim_world *w, const struct sim_tree *t,
		      const u32 *nr);

/* ---- crashes (crash.c) ------------------------------------------------------- */

/* From now on every write is a moment at which power may fail. */
void sim_snaps_begin(struct sim_world *w, u32 max);
void sim_snaps_end(struct sim_world *w);
/* Recovers them, @draws each, and checks what is there. */
void sim_snaps_check(struct sim_world *w, u32 draws);
void sim_snaps_free(struct sim_world *w);
/* The host is off: what a crash leaves is checked @draws times. */
void sim_cut_check(struct sim_world *w, u64 event, u32 draws);
/* The same, and goes on with one of them: mounted, models reset. */
void sim_cut_recover(struct sim_world *w, u64 event);
/* Of a new volume: how many blocks are for nobody. */
void sim_measure(struct sim_world *w);
/*
 * What must hold when nothing is going on, given what is there: after a while
 * no unfinished work, indexes that fit, no space lost.
 */
void sim_check_quiet(struct sim_world *w, const struct sim_tree *t);

/* ---- agents that only look (watch.c) ------------------------------------------ */

void sim_watch_start(struct sim_world *w);
void sim_watch_stop(struct sim_world *w);
/* Whether the indexes have exactly the inodes of the tree; says what not. */
bool sim_watch_compare(struct sim_world *w, const struct sim_tree *t,
		       char *why, u32 size);

/* ---- kinds of runs --------------------------------------------------------------- */

struct sim_kind {
	const char *name;
	const char *what;
	int (*run)(u64 seed, u32 scale);
	u32 weight;			/* in campaigns */
	bool patient;			/* locks may be held for an hour */
};
extern const struct sim_kind sim_kinds[];
const struct sim_kind *sim_kind(const char *name);

int sim_run_plain(u64 seed, u32 scale);
int sim_run_crash(u64 seed, u32 scale);
int sim_run_every(u64 seed, u32 scale);
int sim_run_eio_read(u64 seed, u32 scale);
int sim_run_eio_write(u64 seed, u32 scale);
int sim_run_flip(u64 seed, u32 scale);
int sim_run_nomem(u64 seed, u32 scale);
int sim_run_shared(u64 seed, u32 scale);
int sim_run_many(u64 seed, u32 scale);
int sim_run_shared_crash(u64 seed, u32 scale);
int sim_run_many_crash(u64 seed, u32 scale);
int sim_run_shared_kill(u64 seed, u32 scale);
int sim_run_many_kill(u64 seed, u32 scale);
int sim_run_shared_wire(u64 seed, u32 scale);
int sim_run_many_die(u64 seed, u32 scale);
int sim_run_many_wire(u64 seed, u32 scale);
int sim_run_fill(u64 seed, u32 scale);
int sim_run_seq1(u64 seed, u32 scale);
int sim_run_seq2(u64 seed, u32 scale);
/* Outside of runs: what sequences begin with. */
void sim_seq_prepare(void);
u64 sim_nr_seq1(void);
u64 sim_nr_seq2(void);

/* Runs that failed once; ends with a kind of NULL. */
struct sim_regression {
	const char *kind;
	u64 seed;
	u32 scale;
	const char *why;
};
extern const struct sim_regression sim_regressions[];

/* Totals over all runs of the process. */
struct sim_totals {
	u64 runs;
	u64 ops;
	u64 states;
	u64 same_states;
	u64 generations;
	u64 lost;			/* runs whose order was too much to find */
	u64 trace;			/* of the last run */
};
extern struct sim_totals sim_totals;
extern bool sim_verbose;

#endif

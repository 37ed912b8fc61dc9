/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_MANY_H
#define SIM_MANY_H

#include "sim/sim.h"
#include "sim/hcache.h"

/*
 * Several mounts of one volume, with programs on each that work on the same
 * objects, and a check that all they saw could have happened one after the
 * other (linear.c).
 */

#define MANY_MAX_MOUNTS 5
#define MANY_MAX_ACTORS 12
#define MANY_MAX_OPENS 4

enum many_seen {
	SEEN_ATTR = 1,		/* call->attr is what it answered */
	SEEN_DIRTY = 2,		/* ... by a host that had not written back */
	SEEN_HASH = 4,		/* call->hash is of what it answered */
};

/* An operation of a program, as it looked from outside. */
struct many_call {
	struct pm_op op;
	u32 actor;
	u32 mount;
	u64 begin;		/* in events */
	u64 end;		/* 0: it runs */
	u64 began_ns;
	u64 ended_ns;
	bool unknown;		/* its mount died: nobody knows what became of it */
	bool mine;		/* its mount had it open all the time */
	bool append;		/* a write at the size, whatever that was */
	bool direct;		/* not through the host's cache */
	u32 seen;		/* enum many_seen */
	s64 ret;
	u64 ino;		/* what was found or made; of an append: where */
	u64 hash;
	u8 *data;		/* what a read has read, ret bytes */
	struct sfs_attr attr;
	u64 txn_first;		/* transactions of the mount it may be part of */
	u64 txn_last;
	u32 place;		/* of linear_crash.c: among those it replays */
};

struct many;
struct lin;
struct lin_state;

struct many_mount {
	struct many *m;
	u32 nr;
	struct sfs_fs *fs;	/* NULL: not mounted */
	bool dying;		/* no operation begins */
	struct hcache *cache;
	u32 guests;		/* tasks beside actors that use it */
	u64 synced;		/* what began before this event is durable */
};

struct many_actor {
	struct many *m;
	struct many_mount *mnt;
	u32 nr;
	u64 rng;
	u32 ops_left;
	u32 think_us;
	u32 focus;
	u64 home;		/* a directory it prefers, 0: none */
	u32 nr_opens;
	u64 opens[MANY_MAX_OPENS];
	struct many_call *call;	/* the one that runs */
	bool alive;		/* its task has not ended */
	struct shim_task *task;
};

struct many_opts {
	u32 nr_mounts;
	u32 nr_actors;		/* of each mount */
	u32 max_file;		/* bytes, about */
	bool no_opens;		/* SIM_NO_OPENS=1: no file is held open */
};

struct many {
	struct sim_world *w;
	struct many_opts opts;
	struct many_mount mounts[MANY_MAX_MOUNTS];
	struct many_actor actors[MANY_MAX_ACTORS];
	u32 nr_actors;
	struct lin *lin;
	struct many_wire *wire;
	struct many_walker *walkers;	/* 2, or NULL */
	bool walkers_stop;
	bool stop;
	bool late;		/* what ends now, ends after a death */
	bool watched;
	u32 nr_broken;		/* agents that have broken something */
	u64 healed_ns;		/* since when nothing is */
	struct shim_task *overseer;
	u64 nr_ops;
	u64 nr_good;		/* that did not fail */
};

/* ---- the world (many.c) -------------------------------------------------- */

struct many *many_create(u64 seed, const struct many_opts *opts);
/* Everything unmounts, the volume is compared and checked, all is freed. */
void many_end(struct many *m);
/* Nothing that is done there counts any more. */
bool many_is_dead(const struct many_mount *mnt);
void many_plug(struct many *m, struct sim_image *meta, struct sim_image *data);
/* Server and all mounts; the server alone, when no mount is left. */
void many_up(struct many *m);
void many_down(struct many *m);
int many_mount(struct many *m, u32 nr);
/* Without writing anything back: the mount has died. */
void many_drop(struct many *m, u32 nr);
void many_unmount(struct many *m, u32 nr);
/* What is dirty in hosts' caches. */
void many_flush_all(struct many *m);
/* Rounds of operations, to their end. */
void many_run(struct many *m, u32 ops);
void many_start(struct many *m, u32 ops);
void many_join(struct many *m);
/* Between the two no operation needs to get on. */
void many_broken(struct many *m);
void many_healed(struct many *m);
/* Nothing runs: what each mount shows is what the operations made. */
void many_compare(struct many *m, bool quiet);

/* ---- what programs do (many_act.c) --------------------------------------- */

void many_actor_init(struct many *m, u32 nr, struct many_mount *mnt);
void many_act(void *arg);
void many_close_all(struct many *m, struct many_mount *mnt);

/* ---- messages (many_wire.c) ---------------------------------------------- */

void many_wire_create(struct many *m);
void many_wire_destroy(struct many *m);
/* A new hub: its messages go through the weather. */
void many_wire_plug(struct many *m);
/* Between the two messages are lost, and so on. */
void many_weather_start(struct many *m);
void many_weather_join(struct many *m);

/* ---- is there an order (linear.c) ---------------------------------------- */

struct lin *lin_create(struct many *m, struct sfs_fs *fs);
void lin_destroy(struct lin *l);
/* Owns the call until it is settled. */
void lin_begin(struct lin *l, struct many_call *call);
void lin_end(struct lin *l, struct many_call *call);
/* About what there is now, for who makes up operations. */
const struct posix *lin_guess(const struct lin *l);
/* How many states there are that fit what was seen. */
u32 lin_width(const struct lin *l);
/*
 * Nothing runs: one of the states is what @t shows, which @from sees now, or
 * the run ends.
 */
void lin_look(struct lin *l, const struct sim_tree *t, const char *from);
/* What happened until now is over: it is forgotten but for its state. */
void lin_settle(struct lin *l, const struct sim_tree *t);
/* Somebody has closed it, at rest. */
void lin_close(struct lin *l, u64 ino);

/* ---- agents with cursors (many_walk.c) ----------------------------------- */

void many_walkers_start(struct many *m);
void many_walkers_join(struct many *m);
/* They wait for nothing any more. */
void many_walkers_kill(struct many *m);
void many_walkers_forget(struct many *m);
void many_walkers_check(struct many *m, const struct sim_tree *t);

/* ---- what a crash leaves (linear_crash.c) -------------------------------- */

struct lin_fate {
	bool dead;
	u64 durable;		/* its last transaction that surely is */
};
/*
 * Nothing runs, and some mounts have died: what @t, read from @fs, shows now is
 * what they have left, or the run ends.  Goes on from there.
 */
void lin_crash(struct lin *l, const struct sim_tree *t, struct sfs_fs *fs,
	       const struct lin_fate *fate);
void lin_crash_unnamed(struct lin_state *st, struct sfs_fs *fs);
/* What lin_crash_state() looks at, and what else it has found out. */
struct lin_wreck {
	const struct many *m;
	const struct lin_state *base;	/* at the last settling */
	const struct lin_state *st;	/* what came of it */
	struct many_call *const *running;
	u32 nr_running;
	const struct sim_tree *t;	/* what there is */
	const struct lin_fate *fate;
	bool tell;		/* what comes of each choice */
	bool blurred;		/* not all could be looked at */
};
/* The state that is left; NULL and why not. */
struct lin_state *lin_crash_state(struct lin_wreck *wreck, char *why,
				  u32 size);
/* As lin_do(), but for what was seen. */
bool lin_redo(struct lin_state *st, struct many_call *c, char *why, u32 size);
void lin_state_contents(struct lin_state *st, u64 ino, const u8 *data,
			u64 size);

/* ---- one state (linear_state.c) ------------------------------------------ */

/* What is not known of an inode until somebody looks. */
struct lin_open {
	bool mtime;
	bool ctime;
	bool version;
};

/* A call that happened, or two ways that lead to the same state. */
struct lin_step {
	struct lin_step *prev;	/* NULL: the last settling */
	struct lin_step *other;	/* of two ways, without a call */
	struct lin_step *older;	/* of all states */
	struct many_call *call;
	u32 users;		/* lin_steps_to(): those who come after it */
	u32 waiting;		/* linear_crash.c: of them */
	struct lin_state *ways;	/* ... what they need */
};

/* A state that all that was seen may have led to. */
struct lin_state {
	struct posix *pm;
	struct lin_open open[PM_MAX_INODES];
	struct lin_step *last;	/* how it came to be */
	u32 done;		/* actors whose running call is in it already */
	u64 hash;
	struct lin_state *next;	/* of linear_crash.c */
};

struct lin_state *lin_state_create(struct posix *pm);
struct lin_state *lin_state_clone(const struct lin_state *st);
void lin_state_free(struct lin_state *st);
/* All of them; no state remembers how it came to be then. */
void lin_steps_free(void);
void lin_state_hash(struct lin_state *st);
/* They are alike: how @other came to be is how @st may have, too. */
void lin_state_join(struct lin_state *st, const struct lin_state *other);
/* Those that lead there, the oldest first; to be freed. */
struct lin_step **lin_steps_to(struct lin_step *last, u32 *ret_nr);
/* Could this be the next?  Says why not. */
bool lin_may(const struct lin_state *st, const struct many_call *c, char *why,
	     u32 size);
/* The same, and makes it happen; after a refusal the state is of no use. */
bool lin_do(struct lin_state *st, struct many_call *c, char *why, u32 size);
bool lin_attr_fits(struct lin_state *st, const struct sfs_attr *at, bool dirty,
		   char *why, u32 size);
/* One who had it open has not any more. */
void lin_state_close(struct lin_state *st, u64 ino);
bool lin_changes(const struct many_call *c);
/* Does their order matter? */
bool lin_related(const struct many_call *a, const struct many_call *b);
/* Readdir as a sum over entries. */
u64 lin_entry_hash(const char *name, u32 len, u64 ino);

/* ---- against the tree (linear_tree.c) ------------------------------------ */

bool lin_tree_fits(struct lin_state *st, const struct sim_tree *t, char *why,
		   u32 size);
/* What the model does not predict is taken from what is there. */
void lin_tree_learn(struct lin_state *st, const struct sim_tree *t);

#endif

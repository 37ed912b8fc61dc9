/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Power cuts, and what is found after them.
 *
 * Two ways.  A snapshot is taken while the volume goes on: the states of both
 * disks at the moment a write or a flush took effect.  Later images are drawn
 * from it, in which each write that was not durable is there, missing or torn,
 * and recovered in a world of their own.  A cut ends the machine, and its
 * volume may go on after it.
 *
 * Recovering: the checker finds nothing, server and mount start without
 * complaint, names and inodes are what expect.c says, and after a while there
 * is no unfinished work, the indexes fit, and no block is lost.
 */
#include "sim/sim.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "shim/shim.h"

#define QUIET_TRIES 60
#define MAX_DETAIL 64

struct sim_snap {
	struct sim_state *st[SFS_NR_DEVS];
	u64 event;
};

/* ---- when nothing is going on --------------------------------------------------- */

/* Blocks of the data device that neither server, mount nor files have. */
static s64 unowned_blocks(struct sim_world *w, const struct sim_tree *t)
{
	struct sfs_alloc_detail ents[MAX_DETAIL];
	struct sfs_statfs st;
	s64 left;
	int nr;
	u32 i;

	if (sfs_statfs(w->fs, &st))
		shim_fail("statfs");
	nr = sfs_alloc_detail(w->fs, ents, MAX_DETAIL);
	if (nr < 0)
		shim_fail("alloc_detail: %d", nr);
	left = st.total_data_blocks;
	for (i = 0; i < nr; i++)
		left -= ents[i].is_meta ? 0 : ents[i].blocks;
	for (i = 0; i < t->nr_nodes; i++)
		left -= t->nodes[i].mapped;
	return left;
}

void sim_measure(struct sim_world *w)
{
	struct sim_tree *t = sim_tree_read(w);

	w->overhead = unowned_blocks(w, t);
	sim_tree_free(t);
}

void sim_check_quiet(struct sim_world *w, const struct sim_tree *t)
{
	char why[200];
	s64 overhead = 0;
	u32 i;

	for (i = 0; i < QUIET_TRIES; i++) {
		if (sfs_sync(w->fs))
			shim_fail("sync after all that happened");
		overhead = unowned_blocks(w, t);
		if (sim_watch_compare(w, t, why, sizeof(why)) &&
		    overhead == w->overhead)
			return;
		shim_sleep_ns(200000000);
	}
	if (!sim_watch_compare(w, t, why, sizeof(why)))
		shim_fail("%s", why);
	shim_fail("%lld blocks of data belong to nobody, should be %lld",
		  overhead, w->overhead);
}

/* ---- recovering an image ------------------------------------------------------------ */

static struct sim_tree *recover(struct sim_world *w, struct sim_image *img[2])
{
	struct sim_world *r = sim_world_create(sim_rnd(&w->rng, 1ULL << 48));
	struct sim_tree *t;

	memset(&r->disk_opts, 0, sizeof(r->disk_opts));
	r->disk_opts.min_us = 1;
	r->disk_opts.max_us = 5;
	r->overhead = w->overhead;
	sim_plug(r, img[0], img[1]);
	sim_check(r, "after a crash");
	sim_mount(r);
	t = sim_tree_read(r);
	sim_check_quiet(r, t);
	if (sim_unmount(r))
		shim_fail("unmount after recovery");
	if (sim_one_in(&r->rng, 8))
		sim_check(r, "unmounted after a crash");
	sim_unplug(r);
	sim_trace_add(w, shim_clock_ns());
	r->trace = 0;
	sim_world_destroy(r);
	return t;
}

/* The images that were recovered last, and what was found there. */
struct last {
	struct sim_image *img[SFS_NR_DEVS];
	struct sim_tree *t;
};

static void forget(struct last *last)
{
	int i;

	for (i = 0; i < 2; i++) {
		sim_image_free(last->img[i]);
		last->img[i] = NULL;
	}
	if (last->t)
		sim_tree_free(last->t);
	last->t = NULL;
}

/* Takes over the images. */
static void check_images(struct sim_world *w, struct sim_image *img[2],
			 u64 event, struct last *last)
{
	u32 nr[SIM_MAX_ACTORS];

	w->nr_states++;
	if (last->t && sim_image_equal(last->img[0], img[0]) &&
	    sim_image_equal(last->img[1], img[1])) {
		w->nr_same_states++;
		sim_image_free(img[0]);
		sim_image_free(img[1]);
	} else {
		forget(last);
		last->img[0] = sim_image_clone(img[0]);
		last->img[1] = sim_image_clone(img[1]);
		last->t = recover(w, img);
	}
	sim_expect_crash(w, last->t, event, nr);
}

static enum sim_loss loss_of(struct sim_world *w, u32 draw)
{
	static const enum sim_loss first[] = {
		SIM_LOSE_CACHE, SIM_LOSE_NOTHING, SIM_LOSE_SOME,
		SIM_LOSE_SECTORS,
	};

	if (draw < 2 && sim_one_in(&w->rng, 2))
		return first[draw];
	return sim_one_in(&w->rng, 4) ? SIM_LOSE_SECTORS : SIM_LOSE_SOME;
}

/* ---- snapshots --------------------------------------------------------------------------- */

static void take_snap(struct sfs_host *host, u32 op, void *arg)
{
	struct sim_world *w = arg;
	struct sim_snap *s;
	int i;

	if (w->nr_snaps == w->max_snaps) {
		w->stop = true;
		return;
	}
	s = &w->snaps[w->nr_snaps++];
	s->event = ++w->events;
	for (i = 0; i < 2; i++)
		s->st[i] = sim_disk_state(w->disk[i]);
	sim_trace_add(w, op);
	sim_trace_add(w, shim_clock_ns());
}

void sim_snaps_begin(struct sim_world *w, u32 max)
{
	w->snaps = sim_zalloc(max * sizeof(*w->snaps));
	w->max_snaps = max;
	w->nr_snaps = 0;
	sim_host_on_effect(w->host, take_snap, w);
}

void sim_snaps_end(struct sim_world *w)
{
	sim_host_on_effect(w->host, NULL, NULL);
}

void sim_snaps_check(struct sim_world *w, u32 draws)
{
	struct last last = {};
	struct sim_image *img[2];
	enum sim_loss loss;
	struct sim_snap *s;
	u64 seed;
	u32 i;
	u32 d;

	for (i = 0; i < w->nr_snaps; i++) {
		s = &w->snaps[i];
		for (d = 0; d < draws; d++) {
			loss = loss_of(w, d);
			seed = sim_rnd(&w->rng, 1ULL << 48);
			img[0] = sim_state_image(s->st[0], seed, loss);
			img[1] = sim_state_image(s->st[1], seed + 1, loss);
			check_images(w, img, s->event, &last);
		}
	}
	forget(&last);
}

void sim_snaps_free(struct sim_world *w)
{
	u32 i;

	for (i = 0; i < w->nr_snaps; i++) {
		sim_state_free(w->snaps[i].st[0]);
		sim_state_free(w->snaps[i].st[1]);
	}
	kvfree(w->snaps);
	w->snaps = NULL;
	w->nr_snaps = 0;
}

/* ---- cuts ------------------------------------------------------------------------------------ */

static void draw_cut(struct sim_world *w, u32 draw, struct sim_image *img[2])
{
	enum sim_loss loss = loss_of(w, draw);
	u64 seed = sim_rnd(&w->rng, 1ULL << 48);
	int i;

	for (i = 0; i < 2; i++)
		img[i] = sim_host_image(w->host, i, seed, loss);
}

void sim_cut_check(struct sim_world *w, u64 event, u32 draws)
{
	struct last last = {};
	struct sim_image *img[2];
	u32 d;

	for (d = 0; d < draws; d++) {
		draw_cut(w, d, img);
		check_images(w, img, event, &last);
	}
	forget(&last);
}

/* The power goes again while the volume starts. */
static void cut_starting(struct sim_world *w)
{
	static const enum sim_cut hows[] = {
		SIM_CUT_BEFORE, SIM_CUT_TORN, SIM_CUT_AFTER,
	};
	struct sim_image *img[2];

	sim_host_cut_at(w->host, 1 + sim_rnd(&w->rng, 8),
			hows[sim_rnd(&w->rng, 3)]);
	if (!sim_try_mount(w))
		sim_unmount(w);
	sim_host_cut(w->host);
	draw_cut(w, 2, img);
	sim_unplug(w);
	sim_plug(w, img[0], img[1]);
}

struct start {
	struct sim_world *w;
	int ret;
	bool done;
};

static void start_and_stop(void *arg)
{
	struct start *s = arg;

	s->ret = sim_try_mount(s->w);
	if (!s->ret)
		sim_unmount(s->w);
	s->done = true;
}

/*
 * A server that fails when it has started is one that went: whoever mounts
 * waits for the next, until somebody ends that.
 */
static int start_or_end(struct sim_world *w)
{
	struct start s = { .w = w };
	struct shim_task *task = shim_go("start", start_and_stop, &s);
	bool ended = false;

	while (!s.done) {
		shim_sleep_ns(1000000);
		if (ended || s.done ||
		    !sim_host_logged(w->host, SFS_LOG_ERR,
				     "the server can not go on"))
			continue;
		shim_task_kill(task, true);
		ended = true;
	}
	shim_join(task);
	return ended && s.ret == -EINTR ? -EIO : s.ret;
}

/* Starting fails for want of memory or a read: it says so, and no more. */
static void fail_starting(struct sim_world *w)
{
	struct sim_fault f = { .ops = SIM_READ, .err = -EIO,
			       .len = SIM_DEV_BYTES, .times = 1 };
	bool memory = sim_one_in(&w->rng, 2);
	int ret;

	f.skip = sim_rnd(&w->rng, 40);
	if (memory)
		shim_alloc_fail_nth(1 + sim_rnd(&w->rng, 500));
	else
		sim_disk_add_fault(w->disk[0], &f);
	ret = start_or_end(w);
	shim_alloc_fail_nth(0);
	sim_disk_clear_faults(w->disk[0]);
	sim_trace_add(w, ret);
	if (ret && ret != -EIO && ret != -ENOMEM)
		shim_fail("starting with a failing %s answers %d",
			  memory ? "allocation" : "read", ret);
	sim_host_log_forget(w->host);
	sim_host_down_forget(w->host);
}

void sim_cut_recover(struct sim_world *w, u64 event)
{
	u32 nr[SIM_MAX_ACTORS];
	struct sim_image *img[2];
	struct sim_tree *t;

	draw_cut(w, 2, img);
	sim_unplug(w);
	sim_plug(w, img[0], img[1]);
	while (sim_one_in(&w->rng, 3))
		cut_starting(w);
	while (sim_one_in(&w->rng, 3))
		fail_starting(w);
	w->nr_states++;
	w->nr_generations++;
	sim_check(w, "after a crash");
	sim_mount(w);
	t = sim_tree_read(w);
	sim_expect_crash(w, t, event, nr);
	sim_actors_adopt(w, t, nr);
	if (sim_one_in(&w->rng, 2))
		sim_check_quiet(w, t);
	sim_tree_free(t);
}

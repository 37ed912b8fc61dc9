/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs of random operations: without crashes, with power cuts at random
 * moments and several lives of one volume, and with a power cut at every write.
 */
#include "sim/sim.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "shim/shim.h"

static struct sim_world *begin(u64 seed, u32 max_actors)
{
	struct sim_world *w = sim_world_create(seed);
	const struct sim_image *const *fresh = sim_fresh_volume();

	sim_plug(w, sim_image_clone(fresh[0]), sim_image_clone(fresh[1]));
	sim_mount(w);
	sim_measure(w);
	sim_actors_create(w, 1 + sim_rnd(&w->rng, max_actors));
	return w;
}

static void compare(struct sim_world *w, bool quiet)
{
	struct sim_tree *t = sim_tree_read(w);

	sim_expect_now(w, t);
	if (quiet)
		sim_check_quiet(w, t);
	sim_tree_free(t);
}

/* The end of every run: nothing is lost by unmounting and mounting again. */
static void end(struct sim_world *w)
{
	sim_actors_close(w);
	compare(w, true);
	if (sim_unmount(w))
		shim_fail("unmount");
	sim_check(w, "unmounted");
	sim_mount(w);
	compare(w, true);
	if (sim_unmount(w))
		shim_fail("second unmount");
	sim_unplug(w);
	sim_actors_destroy(w);
	sim_world_destroy(w);
}

int sim_run_plain(u64 seed, u32 scale)
{
	struct sim_world *w = begin(seed, 3);
	u32 rounds = 3;

	while (rounds--) {
		sim_watch_start(w);
		sim_actors_run(w, 40 * scale);
		sim_watch_stop(w);
		compare(w, false);
	}
	end(w);
	return 0;
}

/* ---- random cuts ------------------------------------------------------------------- */

struct bell {
	struct sim_world *w;
	u64 ns;
	u64 event;
};

/* Cuts the power after a while, if no write has done it. */
static void ring(void *arg)
{
	struct bell *b = arg;

	shim_sleep_ns(b->ns);
	sim_host_cut(b->w->host);
	b->event = b->event ? b->event : ++b->w->events;
}

static void one_life(struct sim_world *w, u32 scale)
{
	static const enum sim_cut hows[] = {
		SIM_CUT_BEFORE, SIM_CUT_TORN, SIM_CUT_AFTER,
	};
	struct bell bell = { .w = w };
	struct shim_task *task;

	bell.ns = (1 + sim_rnd(&w->rng, 400 * scale)) * 10000000ULL;
	if (!sim_one_in(&w->rng, 3))
		sim_host_cut_at(w->host, sim_host_writes(w->host) + 1 +
					 sim_rnd(&w->rng, 30 * scale),
				hows[sim_rnd(&w->rng, 3)]);
	sim_watch_start(w);
	sim_actors_start(w, 60 * scale);
	task = shim_go("bell", ring, &bell);
	sim_actors_join(w);
	shim_join(task);
	sim_watch_stop(w);
	sim_actors_close(w);
	sim_unmount(w);
	/* a write may have cut earlier: nothing that ended since was durable */
	sim_cut_check(w, U64_MAX - 1, 2);
	sim_cut_recover(w, U64_MAX - 1);
}

int sim_run_crash(u64 seed, u32 scale)
{
	struct sim_world *w = begin(seed, 3);
	u32 lives = 2 + sim_rnd(&w->rng, 4);

	while (lives--)
		one_life(w, scale);
	sim_actors_run(w, 10 * scale);
	end(w);
	return 0;
}

/* ---- every write -------------------------------------------------------------------- */

int sim_run_every(u64 seed, u32 scale)
{
	struct sim_world *w = begin(seed, 2);

	sim_actors_run(w, sim_rnd(&w->rng, 30));
	sim_actors_close(w);
	if (sfs_sync(w->fs))
		shim_fail("sync");
	compare(w, true);
	sim_actor_settle(w->actors[0]);
	if (w->nr_actors > 1)
		sim_actor_settle(w->actors[1]);
	sim_snaps_begin(w, 40 * scale);
	sim_watch_start(w);
	sim_actors_run(w, 10 * scale);
	sim_watch_stop(w);
	sim_snaps_end(w);
	sim_snaps_check(w, 2);
	sim_snaps_free(w);
	end(w);
	return 0;
}

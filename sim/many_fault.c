/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs of several mounts in which something breaks: the machine, the server, a
 * mount, messages.  What each leaves is in linear_crash.c; after everything
 * works again all calls end within bounded time (many.c watches over that).
 */
#include "sim/many.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mount/mount.h"
#include "mount/mount_types.h"
#include "shim/shim.h"

static struct many *begin(u64 seed, u32 min_mounts, u32 max_mounts)
{
	struct many_opts opts = { .max_file = 24 << 10 };
	u64 rng = seed;

	opts.nr_mounts = min_mounts +
			 sim_rnd(&rng, max_mounts - min_mounts + 1);
	opts.nr_actors = 1 + sim_rnd(&rng, 5 / opts.nr_mounts);
	return many_create(seed, &opts);
}

/* ---- the machine --------------------------------------------------------------------- */

struct bell {
	struct many *m;
	u64 ns;
};

/*
 * Cuts the power after a while, if no write has done it.  Nobody is left then
 * to wait for anything, as for a lock of a mount that can not give it up: no
 * program, and no worker of a mount, for which a program waits in turn.
 */
static void ring(void *arg)
{
	struct bell *b = arg;
	struct many *m = b->m;
	u64 until = shim_clock_ns() + b->ns;
	u32 i;

	while (shim_clock_ns() < until && !sim_host_is_off(m->w->host))
		shim_sleep_ns(1000000);
	sim_host_cut(m->w->host);
	shim_sleep_ns(1000000);
	for (i = 0; i < m->opts.nr_mounts; i++) {
		if (m->mounts[i].fs)
			sfs_mount_fail(m->mounts[i].fs, -EIO,
				       "the power is off");
	}
	for (i = 0; i < m->nr_actors; i++) {
		if (m->actors[i].alive)
			shim_task_kill(m->actors[i].task, true);
	}
	many_walkers_kill(m);
}

static void fates(const struct many *m, struct lin_fate *fate)
{
	const struct many_mount *mnt;
	u32 i;

	memset(fate, 0, MANY_MAX_MOUNTS * sizeof(*fate));
	for (i = 0; i < m->opts.nr_mounts; i++) {
		mnt = &m->mounts[i];
		fate[i].dead = true;
		if (mnt->fs)
			fate[i].durable = mnt->fs->published_nr;
	}
}

/* The machine is off; another one starts with what its disks have. */
static void recover(struct many *m)
{
	static const enum sim_loss losses[] = {
		SIM_LOSE_CACHE, SIM_LOSE_NOTHING, SIM_LOSE_SOME,
		SIM_LOSE_SOME, SIM_LOSE_SECTORS,
	};
	enum sim_loss loss = losses[sim_rnd(&m->w->rng, 5)];
	u64 seed = sim_rnd(&m->w->rng, 1ULL << 48);
	struct lin_fate fate[MANY_MAX_MOUNTS];
	struct sim_world *w = m->w;
	struct sim_image *img[2];
	struct sim_tree *t;
	u32 i;

	fates(m, fate);
	for (i = 0; i < m->opts.nr_mounts; i++)
		many_drop(m, i);
	many_down(m);
	for (i = 0; i < 2; i++)
		img[i] = sim_host_image(w->host, i, seed, loss);
	sim_unplug(w);
	many_plug(m, img[0], img[1]);
	w->nr_states++;
	sim_check(w, "after a crash");
	many_up(m);
	t = sim_tree_read(w);
	lin_crash(m->lin, t, m->w->fs, fate);
	sim_tree_free(t);
}

static void one_life(struct many *m, u32 scale)
{
	static const enum sim_cut hows[] = {
		SIM_CUT_BEFORE, SIM_CUT_TORN, SIM_CUT_AFTER,
	};
	struct sim_world *w = m->w;
	struct bell bell = { .m = m };
	struct shim_task *task;

	bell.ns = (1 + sim_rnd(&w->rng, 300 * scale)) * 10000000ULL;
	if (!sim_one_in(&w->rng, 3))
		sim_host_cut_at(w->host, sim_host_writes(w->host) + 1 +
					 sim_rnd(&w->rng, 60 * scale),
				hows[sim_rnd(&w->rng, 3)]);
	many_walkers_start(m);
	many_start(m, 80 * scale);
	task = shim_go("bell", ring, &bell);
	shim_join(task);
	many_join(m);
	many_walkers_join(m);
	recover(m);
}

static int crash(u64 seed, u32 scale, u32 min_mounts, u32 max_mounts)
{
	struct many *m = begin(seed, min_mounts, max_mounts);
	u32 lives = 2 + sim_rnd(&m->w->rng, 3);

	while (lives--) {
		one_life(m, scale);
		if (sim_one_in(&m->w->rng, 3))
			many_compare(m, true);
	}
	many_run(m, 20 * scale);
	many_end(m);
	return 0;
}

int sim_run_shared_crash(u64 seed, u32 scale)
{
	return crash(seed, scale, 1, 1);
}

int sim_run_many_crash(u64 seed, u32 scale)
{
	return crash(seed, scale, 2, 4);
}

/* ---- the server ------------------------------------------------------------------------ */

struct killer {
	struct many *m;
	u32 times;
	bool stop;
};

/*
 * Until the next moment: a while, or a number of writes, which may be those of
 * anybody.
 */
static void wait_for_trouble(struct many *m)
{
	struct sim_world *w = m->w;
	u64 until = shim_clock_ns() +
		    (1 + sim_rnd(&w->rng, 100)) * 10000000ULL;
	u64 writes = U64_MAX;

	if (sim_one_in(&w->rng, 2))
		writes = sim_host_writes(w->host) + 1 + sim_rnd(&w->rng, 30);
	while (shim_clock_ns() < until && sim_host_writes(w->host) < writes)
		shim_sleep_ns(20000);
}

static void start_server(struct many *m)
{
	int ret = sfs_server_start(m->w->host, m->w->hub, &m->w->srv);

	if (ret)
		shim_fail("the server does not start again: %d", ret);
}

static void kill_servers(void *arg)
{
	struct killer *k = arg;
	struct many *m = k->m;
	u64 *rng = &m->w->rng;

	while (k->times-- && !k->stop) {
		wait_for_trouble(m);
		many_broken(m);
		sfs_server_kill(m->w->srv);
		m->w->srv = NULL;
		sim_trace_add(m->w, shim_clock_ns());
		if (sim_one_in(rng, 2))
			shim_sleep_ns(sim_rnd(rng, 3000) * 1000000ULL);
		start_server(m);
		/* one that is hardly there goes again */
		if (sim_one_in(rng, 4)) {
			shim_sleep_ns(sim_rnd(rng, 20000) * 1000ULL);
			sfs_server_kill(m->w->srv);
			start_server(m);
		}
		many_healed(m);
	}
}

static int kill(u64 seed, u32 scale, u32 min_mounts, u32 max_mounts)
{
	struct many *m = begin(seed, min_mounts, max_mounts);
	struct killer killer = { .m = m };
	struct shim_task *task;
	u32 rounds = 3;

	while (rounds--) {
		killer.times = 1 + sim_rnd(&m->w->rng, 4);
		many_walkers_start(m);
		many_start(m, 60 * scale);
		task = shim_go("killer", kill_servers, &killer);
		many_join(m);
		shim_join(task);
		many_walkers_join(m);
		many_compare(m, sim_one_in(&m->w->rng, 2));
	}
	many_end(m);
	return 0;
}

int sim_run_shared_kill(u64 seed, u32 scale)
{
	return kill(seed, scale, 1, 1);
}

int sim_run_many_kill(u64 seed, u32 scale)
{
	return kill(seed, scale, 2, 4);
}

/* ---- messages ---------------------------------------------------------------------------- */

static int wire(u64 seed, u32 scale, u32 min_mounts, u32 max_mounts)
{
	struct many *m = begin(seed, min_mounts, max_mounts);
	struct killer killer = { .m = m };
	struct shim_task *task = NULL;
	u32 rounds = 3;

	while (rounds--) {
		killer.times = sim_rnd(&m->w->rng, 3);
		many_walkers_start(m);
		many_weather_start(m);
		many_start(m, 60 * scale);
		if (seed & 1)
			task = shim_go("killer", kill_servers, &killer);
		many_join(m);
		if (task)
			shim_join(task);
		task = NULL;
		many_walkers_join(m);
		many_weather_join(m);
		many_compare(m, sim_one_in(&m->w->rng, 2));
	}
	many_end(m);
	return 0;
}

int sim_run_shared_wire(u64 seed, u32 scale)
{
	return wire(seed, scale, 1, 1);
}

int sim_run_many_wire(u64 seed, u32 scale)
{
	return wire(seed, scale, 2, 4);
}

/* ---- a mount ------------------------------------------------------------------------------- */

/* From now on nobody learns what became of a call. */
static void stop_the_world(struct many *m, struct many_mount *mnt)
{
	struct many_actor *a;
	u32 i;

	m->stop = true;
	m->late = true;
	mnt->dying = true;
	for (i = 0; i < m->nr_actors; i++) {
		a = &m->actors[i];
		if (a->mnt == mnt && a->alive)
			shim_task_kill(a->task, true);
	}
	for (i = 0; i < m->nr_actors; i++) {
		a = &m->actors[i];
		while (a->mnt == mnt && a->alive)
			shim_sleep_ns(100000);
		if (a->mnt == mnt)
			a->nr_opens = 0;
	}
	while (mnt->guests)
		shim_sleep_ns(100000);
}

static void one_death(struct many *m, u32 scale)
{
	struct many_mount *mnt = &m->mounts[sim_rnd(&m->w->rng,
						    m->opts.nr_mounts)];
	struct lin_fate fate[MANY_MAX_MOUNTS] = {};
	struct sim_tree *t;

	many_walkers_start(m);
	many_start(m, 80 * scale);
	wait_for_trouble(m);
	stop_the_world(m, mnt);
	fate[mnt->nr].dead = true;
	fate[mnt->nr].durable = mnt->fs->published_nr;
	many_drop(m, mnt->nr);
	many_join(m);
	many_walkers_join(m);
	m->late = false;
	/* the one that died comes back, and any shows what it has left */
	if (many_mount(m, mnt->nr))
		shim_fail("mount %u can not be mounted again", mnt->nr);
	many_flush_all(m);
	m->w->fs = m->mounts[sim_rnd(&m->w->rng, m->opts.nr_mounts)].fs;
	t = sim_tree_read(m->w);
	lin_crash(m->lin, t, m->w->fs, fate);
	sim_tree_free(t);
	many_compare(m, sim_one_in(&m->w->rng, 2));
}

int sim_run_many_die(u64 seed, u32 scale)
{
	struct many *m = begin(seed, 1, 4);
	u32 deaths = 3;

	while (deaths--)
		one_death(m, scale);
	many_run(m, 20 * scale);
	many_end(m);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A volume with several mounts: starting, running, comparing, ending; and the
 * kinds of runs that have no faults.
 */
#include "sim/many.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mount/mount_types.h"
#include "shim/shim.h"

/* Virtual time that one operation may take when nothing is broken. */
#define MAX_OP_NS (60ULL * 1000000000ULL)

/* ---- what the core asks for ---------------------------------------------- */

static struct many_mount *of(struct many *m, const struct sfs_fs *fs)
{
	u32 i;

	for (i = 0; i < MANY_MAX_MOUNTS; i++) {
		if (fs && m->mounts[i].fs == fs)
			return &m->mounts[i];
	}
	return NULL;
}

static void revoke(void *arg, struct sfs_fs *fs, u64 first, u64 last,
		   bool writeback)
{
	struct many_mount *mnt = of(arg, fs);

	/* nothing is cached before a mount has been mounted */
	if (!mnt)
		return;
	if (writeback)
		hcache_writeback(mnt->cache, first, last);
	else
		hcache_invalidate(mnt->cache, first, last, many_is_dead(mnt));
}

/* ---- starting ------------------------------------------------------------ */

int many_mount(struct many *m, u32 nr)
{
	struct many_mount *mnt = &m->mounts[nr];
	struct sim_world *w = m->w;
	int ret;

	ret = sfs_mount(w->host, w->hub, &w->opts, &mnt->fs);
	if (ret) {
		mnt->fs = NULL;
		return ret;
	}
	if (w->freeze_bytes)
		mnt->fs->freeze_bytes = w->freeze_bytes;
	mnt->m = m;
	mnt->nr = nr;
	mnt->dying = false;
	mnt->cache = hcache_create(mnt->fs, sim_rnd(&w->rng, 1ULL << 48));
	return 0;
}

void many_unmount(struct many *m, u32 nr)
{
	struct many_mount *mnt = &m->mounts[nr];

	if (!mnt->fs)
		return;
	many_close_all(m, mnt);
	if (hcache_flush_all(mnt->cache))
		shim_fail("mount %u: pages could not be written before unmounting",
			  nr);
	if (sfs_unmount(mnt->fs))
		shim_fail("mount %u: unmount", nr);
	hcache_destroy(mnt->cache);
	mnt->cache = NULL;
	mnt->fs = NULL;
}

bool many_is_dead(const struct many_mount *mnt)
{
	return mnt->dying || !mnt->fs || sim_host_is_off(mnt->m->w->host) ||
	       READ_ONCE(mnt->fs->err);
}

void many_drop(struct many *m, u32 nr)
{
	struct many_mount *mnt = &m->mounts[nr];
	u32 i;

	if (!mnt->fs)
		return;
	for (i = 0; i < m->nr_actors; i++) {
		if (m->actors[i].mnt == mnt)
			m->actors[i].nr_opens = 0;
	}
	sfs_mount_discard(mnt->fs);
	hcache_destroy(mnt->cache);
	mnt->cache = NULL;
	mnt->fs = NULL;
}

void many_plug(struct many *m, struct sim_image *meta, struct sim_image *data)
{
	sim_plug(m->w, meta, data);
	sim_host_on_revoke(m->w->host, revoke, m);
}

void many_up(struct many *m)
{
	u32 i;

	if (sfs_hub_create(m->w->host, &m->w->hub))
		shim_fail("no hub");
	many_wire_plug(m);
	if (sfs_server_start(m->w->host, m->w->hub, &m->w->srv))
		shim_fail("the server does not start");
	for (i = 0; i < m->opts.nr_mounts; i++) {
		if (many_mount(m, i))
			shim_fail("mount %u can not be mounted", i);
	}
	m->w->fs = m->mounts[0].fs;
}

void many_down(struct many *m)
{
	sfs_server_stop(m->w->srv);
	sfs_hub_destroy(m->w->hub);
	m->w->srv = NULL;
	m->w->hub = NULL;
}

struct many *many_create(u64 seed, const struct many_opts *opts)
{
	const struct sim_image *const *fresh = sim_fresh_volume();
	struct many *m = sim_zalloc(sizeof(*m));
	struct sim_world *w = sim_world_create(seed);
	u32 i;
	u32 k;

	m->w = w;
	m->opts = *opts;
	m->opts.no_opens = shim_getenv("SIM_NO_OPENS");
	many_wire_create(m);
	many_plug(m, sim_image_clone(fresh[0]), sim_image_clone(fresh[1]));
	many_up(m);
	sim_measure(w);
	m->lin = lin_create(m, w->fs);
	for (k = 0; k < opts->nr_actors; k++) {
		for (i = 0; i < opts->nr_mounts; i++)
			many_actor_init(m, m->nr_actors++, &m->mounts[i]);
	}
	return m;
}

/* ---- running ------------------------------------------------------------- */

void many_broken(struct many *m)
{
	m->nr_broken++;
}

void many_healed(struct many *m)
{
	m->nr_broken--;
	m->healed_ns = shim_clock_ns();
}

/* Whatever happens, an operation ends, once everything works. */
static void watch_over(void *arg)
{
	struct many *m = arg;
	const struct many_call *c;
	u64 now;
	char text[400];
	u32 i;

	while (m->watched) {
		now = shim_clock_ns();
		for (i = 0; i < m->nr_actors; i++) {
			c = m->actors[i].call;
			if (!c || m->nr_broken ||
			    now - max(c->began_ns, m->healed_ns) <= MAX_OP_NS)
				continue;
			pm_op_to_text(&c->op, text, sizeof(text));
			shim_fail("mount %u, actor %u: this does not end since %llu ms: %s",
				  c->mount, c->actor, c->began_ns / 1000000,
				  text);
		}
		shim_sleep_ns(MAX_OP_NS / 60);
	}
}

void many_start(struct many *m, u32 ops)
{
	struct many_actor *a;
	u32 i;

	m->stop = false;
	m->watched = true;
	m->healed_ns = shim_clock_ns();
	m->overseer = shim_go("overseer", watch_over, m);
	for (i = 0; i < m->nr_actors; i++) {
		a = &m->actors[i];
		a->task = NULL;
		a->ops_left = ops;
		a->alive = a->mnt->fs;
		if (a->alive)
			a->task = shim_go("actor", many_act, a);
	}
}

void many_join(struct many *m)
{
	u32 i;

	for (i = 0; i < m->nr_actors; i++) {
		if (m->actors[i].task)
			shim_join(m->actors[i].task);
	}
	m->watched = false;
	shim_join(m->overseer);
}

void many_run(struct many *m, u32 ops)
{
	many_start(m, ops);
	many_join(m);
}

/* ---- comparing ----------------------------------------------------------- */

void many_flush_all(struct many *m)
{
	u32 i;

	for (i = 0; i < m->opts.nr_mounts; i++) {
		if (m->mounts[i].fs && hcache_flush_all(m->mounts[i].cache))
			shim_fail("mount %u: pages could not be written", i);
	}
}

void many_compare(struct many *m, bool quiet)
{
	struct sim_tree *last = NULL;
	struct sim_tree *t;
	char text[40];
	u32 i;

	for (i = 0; quiet && i < m->opts.nr_mounts; i++) {
		if (m->mounts[i].fs)
			many_close_all(m, &m->mounts[i]);
	}
	many_flush_all(m);
	for (i = 0; i < m->opts.nr_mounts; i++) {
		if (!m->mounts[i].fs)
			continue;
		m->w->fs = m->mounts[i].fs;
		t = sim_tree_read(m->w);
		scnprintf(text, sizeof(text), "mount %u", i);
		lin_look(m->lin, t, text);
		if (last)
			sim_tree_free(last);
		last = t;
	}
	lin_settle(m->lin, last);
	for (i = 0; quiet && i < m->opts.nr_mounts; i++) {
		if (m->mounts[i].fs && sfs_sync(m->mounts[i].fs))
			shim_fail("mount %u: sync", i);
	}
	if (quiet) {
		sim_check_quiet(m->w, last);
		many_walkers_check(m, last);
	}
	sim_tree_free(last);
}

/* ---- ending -------------------------------------------------------------- */

void many_close_all(struct many *m, struct many_mount *mnt)
{
	struct many_actor *a;
	u32 i;

	for (i = 0; i < m->nr_actors; i++) {
		a = &m->actors[i];
		while (a->mnt == mnt && a->nr_opens) {
			a->nr_opens--;
			sfs_inode_close(mnt->fs, a->opens[a->nr_opens]);
			lin_close(m->lin, a->opens[a->nr_opens]);
		}
	}
}

void many_end(struct many *m)
{
	struct sim_world *w = m->w;
	u32 i;

	many_compare(m, true);
	for (i = 0; i < m->opts.nr_mounts; i++)
		many_unmount(m, i);
	many_down(m);
	sim_check(w, "unmounted");
	many_up(m);
	many_compare(m, true);
	for (i = 0; i < m->opts.nr_mounts; i++)
		many_unmount(m, i);
	many_down(m);
	sim_unplug(w);
	many_walkers_forget(m);
	many_wire_destroy(m);
	lin_destroy(m->lin);
	sim_world_destroy(w);
	kvfree(m);
}

/* ---- runs ---------------------------------------------------------------- */

static int run(u64 seed, u32 scale, u32 nr_mounts, u32 nr_actors)
{
	struct many_opts opts = {
		.nr_mounts = nr_mounts,
		.nr_actors = nr_actors,
		.max_file = 24 << 10,
	};
	struct many *m = many_create(seed, &opts);
	u32 rounds = 3;

	while (rounds--) {
		many_walkers_start(m);
		many_run(m, 60 * scale);
		many_walkers_join(m);
		many_compare(m, false);
	}
	many_end(m);
	return 0;
}

/* One mount, several programs on the same objects. */
int sim_run_shared(u64 seed, u32 scale)
{
	return run(seed, scale, 1, 2 + seed % 4);
}

int sim_run_many(u64 seed, u32 scale)
{
	u32 mounts = 2 + seed / 3 % 4;

	return run(seed, scale, mounts, 1 + seed % 3 * (mounts < 4));
}

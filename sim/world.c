/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One volume in the simulator: its two disks, the machine they are plugged
 * into, server and mount; and what all parts of the simulator share.
 *
 * Everything follows from the seed of a run: random numbers come from
 * generators that it began, time is virtual, nothing depends on addresses.  The
 * hash of the trace (operations, answers, moments of writes, what was found
 * after crashes) says whether two runs were the same.
 */
#include "sim/sim.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mount/mount_types.h"
#include "shim/shim.h"

struct sim_totals sim_totals;
bool sim_verbose;

void *sim_zalloc(size_t len)
{
	void *p;

	shim_nofail_begin();
	p = kvzalloc(len ? len : 1, GFP_NOFS);
	shim_nofail_end();
	if (!p)
		shim_fail("no memory");
	return p;
}

/* Like the ports' own: what is needed for freeing is in front. */
void *sim_buf(size_t len)
{
	void *block = sim_zalloc(len + 4096 + sizeof(void *));
	void **buf = PTR_ALIGN(block + sizeof(void *), 4096);

	buf[-1] = block;
	return buf;
}

void sim_buf_free(void *buf)
{
	if (buf)
		kvfree(((void **)buf)[-1]);
}

u64 sim_rnd(u64 *rng, u64 n)
{
	shim_u64 state = *rng;
	u64 r = shim_rand_next(&state);

	*rng = state;
	return (r >> 8) % n;
}

void sim_trace_add(struct sim_world *w, u64 x)
{
	w->trace = (w->trace ^ x) * 0x9e3779b97f4a7c15ULL;
	w->trace ^= w->trace >> 29;
}

static void vary_opts(struct sim_world *w)
{
	static const u32 intervals[] = { 100, 100, 300, 1000, 5000 };
	static const u32 prealloc[] = { 0, 1, 3, 8, 64, 2048 };
	static const u32 groups[] = { 1, 4, 32, 1024 };
	static const u32 freeze[] = { 0, 0, 4096, 16384, 65536 };
	u64 *rng = &w->rng;

	sfs_mount_opts_default(&w->opts);
	w->opts.commit_interval_ms = intervals[sim_rnd(rng, 5)];
	w->opts.data_prealloc_blocks = prealloc[sim_rnd(rng, 6)];
	w->opts.data_prealloc_contig_only = sim_rnd(rng, 2);
	w->opts.ino_alloc_per_lock = groups[sim_rnd(rng, 4)];
	w->opts.orphan_scan_delay_ms = 100;
	w->freeze_bytes = freeze[sim_rnd(rng, 5)];
	w->cache_bytes = sim_one_in(rng, 3) ? 256 << 10 : 0;
	w->disk_opts.min_us = 5;
	w->disk_opts.max_us = 50 + sim_rnd(rng, 200);
	w->disk_opts.slow_us = 20000;
	w->disk_opts.slow_one_in = sim_rnd(rng, 2) ? 30 : 0;
	w->disk_opts.flush_us = 1 + sim_rnd(rng, 2000);
}

struct sim_world *sim_world_create(u64 seed)
{
	struct sim_world *w = sim_zalloc(sizeof(*w));

	w->seed = seed;
	w->rng = seed ^ 0x73696d756c617465ULL;
	vary_opts(w);
	return w;
}

void sim_world_destroy(struct sim_world *w)
{
	sim_totals.ops += w->nr_ops;
	sim_totals.states += w->nr_states;
	sim_totals.same_states += w->nr_same_states;
	sim_totals.generations += w->nr_generations;
	sim_totals.trace = w->trace;
	kvfree(w);
}

/* ---- the first volume --------------------------------------------------------- */

/* Made once a process, always with the same seed, so that all runs share it. */
static const struct sim_image *fresh[SFS_NR_DEVS];

static int make_fresh(void *arg)
{
	struct sfs_format_opts opts = { .interface_version = 2 };
	struct sfs_volume_id id;
	struct sim_disk *disk[2];
	struct sfs_host *host;
	int i;

	for (i = 0; i < 2; i++)
		disk[i] = sim_disk_create(SIM_DEV_BYTES, NULL);
	host = sim_host_create(disk[0], disk[1], 1);
	if (sfs_format(host, &opts, &id))
		shim_fail("no volume could be formatted");
	for (i = 0; i < 2; i++)
		fresh[i] = sim_image_clone(sim_disk_contents(disk[i]));
	sim_host_destroy(host);
	for (i = 0; i < 2; i++)
		sim_disk_destroy(disk[i]);
	return 0;
}

const struct sim_image *const *sim_fresh_volume(void)
{
	struct shim_run_opts opts = { .seed = 1 };

	if (!fresh[0])
		shim_run(&opts, make_fresh, NULL);
	return fresh;
}

/* ---- power on, power off --------------------------------------------------------- */

void sim_plug(struct sim_world *w, struct sim_image *meta,
	      struct sim_image *data)
{
	struct sim_image *img[2] = { meta, data };
	u64 seed;
	int i;

	for (i = 0; i < 2; i++) {
		w->disk_opts.seed = sim_rnd(&w->rng, 1ULL << 40);
		w->disk[i] = sim_disk_from(img[i], &w->disk_opts);
	}
	seed = sim_rnd(&w->rng, 1ULL << 40);
	w->host = sim_host_create(w->disk[0], w->disk[1], seed);
	if (w->cache_bytes)
		sim_host_set_cache_budget(w->host, w->cache_bytes);
	/* one machine in three takes its rare paths often */
	if (seed % 3 == 0)
		sim_host_arm_all(w->host, 2 + (u32)(seed >> 8) % 30);
}

void sim_unplug(struct sim_world *w)
{
	int i;

	sim_host_destroy(w->host);
	w->host = NULL;
	for (i = 0; i < 2; i++) {
		sim_disk_destroy(w->disk[i]);
		w->disk[i] = NULL;
	}
}

int sim_try_mount(struct sim_world *w)
{
	int ret;

	ret = sfs_hub_create(w->host, &w->hub);
	if (ret)
		return ret;
	ret = sfs_server_start(w->host, w->hub, &w->srv);
	if (ret)
		goto err_hub;
	ret = sfs_mount(w->host, w->hub, &w->opts, &w->fs);
	if (ret)
		goto err_server;
	if (w->freeze_bytes)
		w->fs->freeze_bytes = w->freeze_bytes;
	return 0;
err_server:
	sfs_server_stop(w->srv);
err_hub:
	sfs_hub_destroy(w->hub);
	return ret;
}

void sim_mount(struct sim_world *w)
{
	int ret = sim_try_mount(w);

	if (ret)
		shim_fail("the volume can not be mounted: %d", ret);
	/* a root that was torn has a twin, and says so */
	if (sim_host_logged(w->host, SFS_LOG_WARN, NULL) >
	    sim_host_logged(w->host, SFS_LOG_WARN, "root at byte"))
		shim_fail("mounting complained");
}

int sim_unmount(struct sim_world *w)
{
	int ret = sfs_unmount(w->fs);

	sfs_server_stop(w->srv);
	sfs_hub_destroy(w->hub);
	w->fs = NULL;
	w->srv = NULL;
	return ret;
}

/* ---- checking ------------------------------------------------------------------ */

struct findings {
	u32 printed;
	bool show;
};

static void report(void *arg, const char *line)
{
	struct findings *f = arg;

	if (f->show && strncmp(line, "warning:", 8) && f->printed++ < 20)
		shim_eprintf("check: %s\n", line);
}

u64 sim_count_findings(struct sim_world *w, bool show)
{
	struct findings f = { .show = show };
	struct sfs_check_ops ops = { .report = report, .arg = &f };
	struct sfs_check_result res = {};
	int ret = sfs_check(w->host, &ops, &res);

	if (ret)
		shim_fail("check ended with %d", ret);
	return res.errors;
}

void sim_check(struct sim_world *w, const char *when)
{
	u64 n = sim_count_findings(w, true);

	if (n)
		shim_fail("%s: check has %llu findings", when, n);
}

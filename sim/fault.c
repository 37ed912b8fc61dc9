/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in which something fails: transfers, memory, bits at rest, space.
 *
 * Reads that fail: operations answer EIO, and when reads work again everything
 * is as the model says; a mount that went down meanwhile is as after a crash.
 * Writes and flushes that fail: the mount goes down, what was synced is there
 * after the next start.  No memory: operations answer ENOMEM or the mount goes
 * down; nothing that was synced is lost, nothing is left behind.  A flipped bit
 * in metadata: whoever meets it says EIO and logs where it is; what can be read
 * is right.
 */
#include "sim/sim.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
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

static void end(struct sim_world *w)
{
	sim_actors_close(w);
	compare(w, true);
	if (sim_unmount(w))
		shim_fail("unmount");
	sim_check(w, "unmounted");
	sim_unplug(w);
	sim_actors_destroy(w);
	sim_world_destroy(w);
}

/* The mount is down: what is there is what a crash leaves. */
static void start_again(struct sim_world *w)
{
	sim_actors_close(w);
	sim_unmount(w);
	sim_host_cut(w->host);
	sim_cut_recover(w, U64_MAX - 1);
}

/* Operations and questions fail from now on. */
static bool is_dead(struct sim_world *w)
{
	struct sfs_walk_entry first = {};
	struct sfs_walk_entry last = { U64_MAX, U64_MAX, U32_MAX, 0 };
	struct sfs_walk_entry ent;

	return sim_host_down(w->host) ||
	       sfs_walk_inodes(w->fs, 0, &first, &last, &ent, 1) < 0;
}

/* Has any actor an operation of which nobody knows what became? */
static bool is_uncertain(const struct sim_world *w)
{
	const struct sim_actor *a;
	u32 i;

	for (i = 0; i < w->nr_actors; i++) {
		a = w->actors[i];
		if (a->nr_log && a->log[a->nr_log - 1]->end == U64_MAX)
			return true;
	}
	return false;
}

/* ---- transfers ----------------------------------------------------------------------- */

static void add_faults(struct sim_world *w, u32 ops, s32 err, u32 nr)
{
	struct sim_fault f = { .ops = ops, .err = err, .len = SIM_DEV_BYTES };
	u32 i;

	for (i = 0; i < nr; i++) {
		f.skip = sim_rnd(&w->rng, 60);
		f.times = 1 + sim_rnd(&w->rng, 3);
		sim_disk_add_fault(w->disk[sim_rnd(&w->rng, 2)], &f);
	}
}

static void clear_faults(struct sim_world *w)
{
	sim_disk_clear_faults(w->disk[0]);
	sim_disk_clear_faults(w->disk[1]);
}

static int run_faults(u64 seed, u32 scale, u32 ops)
{
	struct sim_world *w = begin(seed, 3);
	u32 rounds = 4;

	w->may_fail = true;
	while (rounds--) {
		sim_actors_run(w, sim_rnd(&w->rng, 20));
		add_faults(w, ops, -EIO, 1 + sim_rnd(&w->rng, 4));
		sim_actors_run(w, 30 * scale);
		clear_faults(w);
		if (is_dead(w) || is_uncertain(w)) {
			start_again(w);
			w->may_fail = true;
			continue;
		}
		compare(w, false);
	}
	if (sfs_sync(w->fs) || is_dead(w))
		start_again(w);
	end(w);
	return 0;
}

int sim_run_eio_read(u64 seed, u32 scale)
{
	return run_faults(seed, scale, SIM_READ);
}

int sim_run_eio_write(u64 seed, u32 scale)
{
	return run_faults(seed, scale, SIM_WRITE | SIM_FLUSH);
}

/* ---- memory ------------------------------------------------------------------------------ */

int sim_run_nomem(u64 seed, u32 scale)
{
	struct sim_world *w = begin(seed, 3);
	u32 rounds = 4;
	u32 odds;

	w->may_fail = true;
	while (rounds--) {
		sim_actors_run(w, sim_rnd(&w->rng, 20));
		odds = 1U << sim_rnd(&w->rng, 16);
		if (sim_one_in(&w->rng, 3))
			shim_alloc_fail_nth(1 + sim_rnd(&w->rng, 2000));
		else
			shim_alloc_fail_random(odds, sim_rnd(&w->rng,
							     1ULL << 40));
		sim_actors_run(w, 30 * scale);
		shim_alloc_fail_random(0, 0);
		shim_alloc_fail_nth(0);
		if (is_dead(w) || is_uncertain(w)) {
			start_again(w);
			continue;
		}
		compare(w, false);
	}
	end(w);
	return 0;
}

/* ---- bits at rest -------------------------------------------------------------------------- */

/* Reads as much as it can; what can be read is what the model says. */
static u32 read_what_is_there(struct sim_world *w)
{
	u8 *buf = sim_buf(PM_FILE_MAX);
	const struct pm_inode *in;
	struct sfs_attr at;
	u32 errors = 0;
	u32 i;
	u32 k;
	s64 ret;

	for (i = 0; i < w->nr_actors; i++) {
		for (k = 0; k < PM_MAX_INODES; k++) {
			in = &w->actors[i]->pm->inodes[k];
			if (!in->ino || !in->nlink)
				continue;
			ret = sfs_getattr(w->fs, in->ino, &at);
			if (ret == -EIO) {
				errors++;
				continue;
			}
			if (ret || at.mode != in->mode ||
			    at.size != in->size ||
			    at.data_version != in->data_version)
				shim_fail("inode %llu: wrong attributes from a damaged volume (%lld)",
					  in->ino, ret);
			if (!S_ISREG(in->mode) || !in->size)
				continue;
			ret = sfs_file_read(w->fs, in->ino, 0, buf, in->size);
			if (ret < 0 ? ret != -EIO :
			    memcmp(buf, in->data, ret) != 0)
				shim_fail("inode %llu: wrong contents from a damaged volume (%lld)",
					  in->ino, ret);
			errors += ret != in->size;
		}
	}
	sim_buf_free(buf);
	return errors;
}

/* A place of the metadata device that something was written to. */
static u64 pick_byte(struct sim_world *w)
{
	const struct sim_image *img = sim_disk_contents(w->disk[0]);
	u8 page[512];
	u32 tries;
	u64 off = 0;

	for (tries = 0; tries < 100000; tries++) {
		off = sim_rnd(&w->rng, SIM_DEV_BYTES / 512) * 512;
		sim_image_read(img, off, page, 512);
		if (memchr_inv(page, 0, 512))
			break;
	}
	return off + sim_rnd(&w->rng, 512);
}

int sim_run_flip(u64 seed, u32 scale)
{
	struct sim_world *w = begin(seed, 2);
	u32 nr_flips;
	u32 errors;
	u32 i;

	sim_actors_run(w, 40 * scale);
	sim_actors_close(w);
	if (sfs_sync(w->fs) || sim_unmount(w))
		shim_fail("unmount");
	nr_flips = 1 + sim_rnd(&w->rng, 8);
	for (i = 0; i < nr_flips; i++)
		sim_disk_flip(w->disk[0], pick_byte(w), sim_rnd(&w->rng, 8));
	sim_trace_add(w, sim_count_findings(w, false));
	sim_host_log_forget(w->host);
	if (!sim_try_mount(w)) {
		sim_host_log_forget(w->host);
		errors = read_what_is_there(w);
		if (errors && !sim_host_logged(w->host, SFS_LOG_ERR, "byte"))
			shim_fail("EIO, and no line says where");
		sim_trace_add(w, errors);
		w->may_fail = true;
		sim_unmount(w);
	} else if (!sim_host_logged(w->host, SFS_LOG_ERR, NULL)) {
		shim_fail("a damaged volume is refused, and no line says why");
	}
	sim_unplug(w);
	sim_actors_destroy(w);
	sim_world_destroy(w);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two mounts whose server is killed and started again at any moment, whose
 * messages are lost, late and repeated, and that die themselves.
 *
 * Each mount changes items and data extents of its own in holds and keeps a log
 * of them; an item counts its holds.  Whatever happens to the server, nothing
 * of it is lost or done twice, both mounts see the same in the end, and space
 * is in one place each.  What a mount that died leaves is a prefix of its log
 * with all that it was told to be durable.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "api.h"
#include "base/triggers.h"
#include "tests/unit/lib/world.h"

#define NR_MOUNTS 2
#define NR_KEYS 160
#define NR_HOLDS 1500		/* of each mount, in all phases */
#define MAX_CHANGES 8
#define DATA_BLOCKS (64 * UNIT_MIB / SFS_UNIT)

struct change {
	u16 key;
	u32 tag;
};

struct hold {
	u32 nr;
	struct change changes[MAX_CHANGES];
	u64 start;
	u32 count;
	bool frees;
};

struct actor {
	struct run *run;
	struct sfs_fs *fs;
	struct hold *holds;	/* counted from 1 */
	u32 nr_holds;
	u32 promised;		/* holds up to it are durable */
	u32 until;		/* this phase ends with so many */
	u32 id;
	bool dies;
	bool dead;		/* nobody touches fs any more */
	u64 first_ino;		/* of the last group */
};

struct run {
	struct world w;
	struct pool pool;
	struct actor actors[NR_MOUNTS];
	u32 running;		/* actors */
	u64 effects;		/* writes and flushes */
	u64 stable;		/* that a mount has seen */
	u32 restarts;
	u32 deaths;
	bool weather;
	bool killing;
	bool dying;
	struct rng rng;
	u64 seed;
};

static struct sfs_key counter_key(u32 id)
{
	return SFS_KEY(SFS_ZONE_FEED, 1, 0, id, 0, 0);
}

/* ---- what a mount does ------------------------------------------------------ */

/* An extent that this actor has put into a file and not taken out again. */
static bool pick_used(struct actor *a, struct rng *rng, struct hold *hold)
{
	u32 n = 1 + rng_below(rng, a->nr_holds);
	struct hold *old = &a->holds[n];
	u32 i;

	if (!old->count || old->frees)
		return false;
	for (i = n + 1; i <= a->nr_holds; i++) {
		if (a->holds[i].frees && a->holds[i].start == old->start)
			return false;
	}
	hold->start = old->start;
	hold->count = old->count;
	hold->frees = true;
	return true;
}

static int pick(struct actor *a, struct rng *rng, struct hold *hold)
{
	u64 count;
	int ret = 0;
	u32 i;

	memset(hold, 0, sizeof(*hold));
	hold->nr = 1 + rng_below(rng, MAX_CHANGES);
	for (i = 0; i < hold->nr; i++) {
		hold->changes[i].key = (u16)(rng_below(rng, NR_KEYS /
						       NR_MOUNTS) *
						     NR_MOUNTS + a->id);
		hold->changes[i].tag = rng_below(rng, 4) ?
					       (u32)rng_u64(rng) | 1 : 0;
	}
	switch (rng_below(rng, 4)) {
	case 0:
		ret = sfs_data_reserve(a->fs, 0, 1 + rng_below(rng, 20),
				       &hold->start, &count);
		hold->count = (u32)count;
		break;
	case 1:
		if (a->nr_holds)
			pick_used(a, rng, hold);
		break;
	}
	return ret;
}

static int do_hold(struct actor *a, struct rng *rng)
{
	struct sfs_need need = { MAX_CHANGES + 1, 0, 1 };
	struct hold *rec = &a->holds[a->nr_holds + 1];
	struct sfs_key key = counter_key(a->id);
	struct pool *pool = &a->run->pool;
	u8 buf[SFS_ITEM_MAX_VAL];
	struct sfs_fs *fs = a->fs;
	struct change *change;
	struct sfs_hold hold;
	__le64 count;
	int ret;
	u32 i;

	ret = pick(a, rng, rec);
	if (ret < 0)
		return ret;
	need.val_bytes = MAX_CHANGES * pool->max_val + 8;
	ret = sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	a->nr_holds++;
	for (i = 0; i < rec->nr; i++) {
		change = &rec->changes[i];
		if (change->tag)
			sfs_item_put(fs, &hold, &pool->keys[change->key], buf,
				     value_fill(pool, change->tag, buf));
		else
			sfs_item_del(fs, &hold, &pool->keys[change->key]);
		shim_yield();
	}
	count = cpu_to_le64(a->nr_holds);
	sfs_item_put(fs, &hold, &key, &count, sizeof(count));
	if (rec->count && rec->frees)
		sfs_data_free(fs, &hold, rec->start, rec->count);
	else if (rec->count)
		sfs_data_consume(fs, &hold, rec->start, rec->count);
	sfs_hold_end(fs, &hold);
	return 0;
}

/* What else a mount asks its server. */
static int ask(struct actor *a, struct rng *rng)
{
	struct sfs_statfs st;
	struct sfs_iter it;
	u64 stable;
	u64 ino;
	int ret;

	switch (rng_below(rng, 3)) {
	case 0:
		ret = sfs_ino_group(a->fs, &ino);
		if (ret == 0 && ino <= a->first_ino)
			bail_out("inode numbers %llu after %llu", ino,
				 a->first_ino);
		if (ret == 0)
			a->first_ino = ino;
		return ret;
	case 1:
		return sfs_statfs(a->fs, &st);
	default:
		ret = sfs_index_iter_init(a->fs, &it, &SFS_KEY_MIN,
					  &SFS_KEY_MAX, &stable);
		if (ret == 0)
			sfs_iter_exit(&it);
		if (ret == 0 && stable < a->run->stable)
			bail_out("stable %llu after %llu", stable,
				 a->run->stable);
		if (ret == 0)
			a->run->stable = stable;
		return ret;
	}
}

static int step(struct actor *a, struct rng *rng)
{
	u32 ended;
	int ret;

	ret = do_hold(a, rng);
	if (ret == 0 && rng_below(rng, 6) == 0) {
		ended = a->nr_holds;
		ret = sfs_publish(a->fs);
		if (ret == 0)
			a->promised = ended;
	}
	if (ret == 0 && rng_below(rng, 20) == 0)
		ret = ask(a, rng);
	if (rng_below(rng, 8) == 0)
		shim_sleep_ns(rng_below(rng, 20000000));
	return ret;
}

/* What is there of a mount that died is where it goes on, as another mount. */
static void come_back(struct actor *a)
{
	struct sfs_key key = counter_key(a->id);
	__le64 count = 0;
	int ret;

	while (!a->dead)
		shim_sleep_ns(100000);
	sfs_mount_drop(a->fs);
	a->run->deaths++;
	ret = world_mount(&a->run->w, &a->fs);
	if (ret < 0)
		bail_out("mount again: %d", ret);
	ret = sfs_item_get(a->fs, &key, &count, sizeof(count));
	if (ret < 0 && ret != -ENOENT)
		bail_out("counter: %d", ret);
	if (le64_to_cpu(count) > a->nr_holds ||
	    le64_to_cpu(count) < a->promised)
		bail_out("%llu holds are there, %u were promised of %u",
			 le64_to_cpu(count), a->promised, a->nr_holds);
	a->nr_holds = (u32)le64_to_cpu(count);
	a->promised = a->nr_holds;
	a->dies = false;
	a->dead = false;
}

static void actor_main(void *arg)
{
	struct actor *a = arg;
	struct rng rng = { a->run->seed * 104729 + a->id + a->until * 17 };
	int ret;

	while (a->nr_holds < a->until) {
		ret = step(a, &rng);
		if (ret < 0 && !a->dies)
			bail_out("mount %u: %d, %s", a->id, ret,
				 sim_host_down(a->run->w.vol.host));
		if (a->dies)
			come_back(a);
	}
	a->run->running--;
}

/* ---- what happens to them ------------------------------------------------------ */

static void on_effect(struct sfs_host *host, u32 op, void *arg)
{
	struct run *run = arg;

	run->effects++;
}

static void restart(struct run *run)
{
	struct world *w = &run->w;
	int ret;

	sfs_server_kill(w->srv);
	w->srv = NULL;
	if (rng_below(&run->rng, 3) == 0)
		shim_sleep_ns(rng_below(&run->rng, 3000000) * 1000ULL);
	ret = sfs_server_start(w->vol.host, w->hub, &w->srv);
	if (ret < 0)
		bail_out("start: %d", ret);
	if (w->srv->stable < run->stable)
		bail_out("stable fell from %llu to %llu", run->stable,
			 w->srv->stable);
	run->restarts++;
}

static void killer(void *arg)
{
	struct run *run = arg;
	u64 at;

	while (run->running) {
		at = run->effects + 1 + rng_below(&run->rng,
						  rng_below(&run->rng, 3) ?
							  60 : 5);
		while (run->running && run->effects < at)
			shim_sleep_ns(rng_below(&run->rng, 200000));
		restart(run);
	}
}

static void weather(void *arg)
{
	struct run *run = arg;
	u32 trigger;

	while (run->running) {
		trigger = SFS_TRIGGER_NET_DELAY + rng_below(&run->rng, 4);
		sim_host_arm(run->w.vol.host, trigger,
			     1 + rng_below(&run->rng, 3));
		shim_sleep_ns(rng_below(&run->rng, 400000) * 1000ULL);
	}
}

static void reaper(void *arg)
{
	struct run *run = arg;
	struct actor *a;

	while (run->running) {
		shim_sleep_ns(rng_below(&run->rng, 600000) * 1000ULL);
		a = &run->actors[rng_below(&run->rng, NR_MOUNTS)];
		if (a->dies || a->nr_holds >= a->until)
			continue;
		a->dies = true;
		sfs_mount_kill(a->fs);
		a->dead = true;
	}
}

/* ---- what must be there -------------------------------------------------------- */

static void model(const struct run *run, u32 *tags, u8 *used)
{
	const struct hold *hold;
	u32 f;
	u32 h;
	u32 i;

	memset(tags, 0, NR_KEYS * sizeof(*tags));
	memset(used, 0, DATA_BLOCKS);
	for (f = 0; f < NR_MOUNTS; f++) {
		for (h = 1; h <= run->actors[f].nr_holds; h++) {
			hold = &run->actors[f].holds[h];
			for (i = 0; i < hold->nr; i++)
				tags[hold->changes[i].key] =
					hold->changes[i].tag;
			for (i = 0; i < hold->count; i++)
				used[hold->start + i] += hold->frees ? -1 : 1;
		}
	}
}

static bool all_applied(struct run *run)
{
	u32 i;

	for (i = 0; i < NR_MOUNTS; i++) {
		if (run->actors[i].fs->applied_version < run->w.srv->version)
			return false;
	}
	return !run->w.srv->recovering;
}

static void check_all(struct run *run, const char *what)
{
	u8 *used = unit_alloc(DATA_BLOCKS);
	struct world *w = &run->w;
	u32 tags[NR_KEYS];
	bool good = true;
	u32 tries;
	u32 i;

	for (i = 0; i < NR_MOUNTS; i++)
		good &= sfs_publish(run->actors[i].fs) == 0;
	ok(good, "%s: the last publishes", what);
	for (tries = 0; !all_applied(run) && tries < 1000; tries++)
		shim_sleep_ns(10000000);
	ok(all_applied(run), "%s: all versions are applied", what);
	model(run, tags, used);
	for (i = 0; i < NR_MOUNTS; i++)
		ok(engine_matches(&run->actors[i].fs->eng, &run->pool, tags),
		   "%s: mount %u sees everything", what, i);
	ok(world_data_fits(w, used, true), "%s: data space", what);
	ok(world_segs_fit(w), "%s: segments", what);
	unit_free(used);
}

static void phase(struct run *run, const char *what, u32 holds)
{
	struct shim_task *tasks[NR_MOUNTS + 3];
	u32 nr = 0;
	u32 i;

	run->running = NR_MOUNTS;
	for (i = 0; i < NR_MOUNTS; i++) {
		run->actors[i].until = run->actors[i].nr_holds + holds;
		tasks[nr++] = shim_go("actor", actor_main, &run->actors[i]);
	}
	if (run->killing)
		tasks[nr++] = shim_go("killer", killer, run);
	if (run->weather)
		tasks[nr++] = shim_go("weather", weather, run);
	if (run->dying)
		tasks[nr++] = shim_go("reaper", reaper, run);
	while (nr)
		shim_join(tasks[--nr]);
	diag("%s: %u restarts, %u deaths so far", what, run->restarts,
	     run->deaths);
	check_all(run, what);
}

/* ---- the whole ------------------------------------------------------------------ */

static void run_begin(struct run *run)
{
	struct sim_disk_opts opts = {
		.seed = run->seed,
		.min_us = 20,
		.max_us = 300,
		.slow_us = 20000,
		.slow_one_in = run->seed % 2 ? 10 : 200,
	};
	struct world *w = &run->w;
	u32 i;

	run->rng.state = run->seed * 31;
	vol_create_on(&w->vol, 64 * UNIT_MIB, 64 * UNIT_MIB, &opts);
	vol_format(&w->vol);
	pool_init(&run->pool, NR_KEYS, run->seed % 3 ? 300 : 3900, run->seed);
	if (sfs_hub_create(w->vol.host, &w->hub) < 0 ||
	    sfs_server_start(w->vol.host, w->hub, &w->srv) < 0)
		bail_out("start");
	w->commit_interval_ms = 100;
	for (i = 0; i < NR_MOUNTS; i++) {
		run->actors[i].run = run;
		run->actors[i].id = i;
		run->actors[i].holds = unit_alloc((NR_HOLDS + 1) *
						  sizeof(struct hold));
		if (world_mount(w, &run->actors[i].fs) < 0)
			bail_out("mount");
	}
	sim_host_on_effect(w->vol.host, on_effect, run);
}

/* Of the volume's items only the server's are those of a filesystem. */
static void report(void *arg, const char *line)
{
	u32 *findings = arg;

	if (strncmp(line, "server", 6) && strncmp(line, "segment", 7) &&
	    strncmp(line, "slice", 5) && strncmp(line, "run", 3))
		return;
	(*findings)++;
	diag("%s", line);
}

/*
 * A mount that has seen more than the log has lived on something that was lost:
 * it goes down, and the others go on once it is no more.
 */
static void test_ahead(struct run *run)
{
	struct sfs_fs *fs;

	if (world_mount(&run->w, &fs) < 0)
		bail_out("mount");
	sfs_server_kill(run->w.srv);
	fs->applied_version += 1000;
	if (sfs_server_start(run->w.vol.host, run->w.hub, &run->w.srv) < 0)
		bail_out("start");
	shim_sleep_ns(2000000000);
	is_int(sfs_mount_error(fs), -EIO, "a mount ahead of the log is refused");
	ok(run->w.srv->recovering, "and waited for");
	sfs_mount_drop(fs);
	check_all(run, "after that");
}

/* A clean end leaves nothing of any mount. */
static void run_end(struct run *run)
{
	u32 findings = 0;
	struct sfs_check_ops ops = { .report = report, .arg = &findings };
	u8 *used = unit_alloc(DATA_BLOCKS);
	struct sfs_check_result res = {};
	struct world *w = &run->w;
	u32 tags[NR_KEYS];
	u32 i;

	model(run, tags, used);
	for (i = 0; i < NR_MOUNTS; i++)
		is_int(sfs_mount_leave(run->actors[i].fs), 0, "leave");
	ok(world_data_fits(w, used, false), "no data space is lost");
	/* compaction and what is freed by it come to rest */
	shim_sleep_ns(2000000000);
	is_u64(w->srv->segs.nr_owned, 0, "no segment is owned");
	is_u64(w->srv->segs.nr_pending, 0, "none is pending");
	is_u64(w->srv->stable, w->srv->next_seq - 1,
	       "no sequence is open");
	sfs_server_stop(w->srv);
	sfs_hub_destroy(w->hub);
	is_int(sfs_check(w->vol.host, &ops, &res), 0, "check");
	is_u64(findings, 0, "check has no findings");
	for (i = 0; i < NR_MOUNTS; i++)
		unit_free(run->actors[i].holds);
	pool_exit(&run->pool);
	vol_destroy(&w->vol);
	unit_free(used);
}

int shim_main(int argc, char **argv)
{
	struct run run = { .seed = shim_seed() };

	run_begin(&run);
	phase(&run, "undisturbed", 60);
	run.killing = true;
	phase(&run, "server killed", 500);
	run.killing = false;
	run.weather = true;
	phase(&run, "bad connections", 120);
	run.killing = true;
	phase(&run, "both", 300);
	run.dying = true;
	phase(&run, "mounts die, too", 120);
	run.killing = false;
	run.weather = false;
	phase(&run, "mounts die", 60);
	run.dying = false;
	phase(&run, "undisturbed again", 40);
	test_ahead(&run);
	run_end(&run);
	return done_testing();
}

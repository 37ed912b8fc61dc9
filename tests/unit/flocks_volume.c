// SPDX-License-Identifier: GPL-2.0-only
/*
 * File locks of two mounts of a volume whose server is killed again and again,
 * with messages that are lost, late and repeated: who has a lock has it alone,
 * every wait ends, and what a mount that dies held is free.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "api.h"
#include "base/triggers.h"
#include "tests/unit/lib/world.h"

#define NR_ACTORS 6
#define NR_TURNS 40
#define NR_BYTES 8
#define INO 7

struct run {
	struct world w;
	struct sfs_fs *fs[2];
	struct rng rng;
	u32 inside[NR_BYTES];
	u32 running;
	u32 turns;
	u32 kills;
	bool broken;
};

struct actor {
	struct run *run;
	struct shim_task *task;
	u32 nr;
};

static struct sfs_flock lock_of(const struct actor *a, u8 type, u64 start,
				u64 end)
{
	return (struct sfs_flock){
		.ino = INO,
		.owner = a->nr,
		.start = start,
		.end = end,
		.pid = a->nr,
		.kind = a->nr % 3 ? SFS_FLOCK_POSIX : SFS_FLOCK_OFD,
		.type = type,
	};
}

static void actor_main(void *arg)
{
	struct actor *a = arg;
	struct run *run = a->run;
	struct sfs_fs *fs = run->fs[a->nr % 2];
	struct sfs_flock lk;
	u64 start;
	u64 end;
	u32 i;
	u64 b;
	int ret;

	for (i = 0; i < NR_TURNS; i++) {
		start = rng_below(&run->rng, NR_BYTES);
		end = start + rng_below(&run->rng, (u32)(NR_BYTES - start));
		lk = lock_of(a, SFS_FLOCK_WRITE, start, end);
		ret = sfs_file_lock(fs, &lk, rng_below(&run->rng, 4) != 0);
		if (ret == -EAGAIN)
			continue;
		run->broken |= ret != 0;
		for (b = start; b <= end; b++)
			run->broken |= run->inside[b]++ != 0;
		shim_sleep_ns(rng_below(&run->rng, 30000000));
		for (b = start; b <= end; b++)
			run->broken |= --run->inside[b] != 0;
		ret = sfs_file_locks_release(fs, INO, a->nr, lk.kind);
		run->broken |= ret != 0;
		run->turns++;
	}
	run->running--;
}

static void trouble(struct run *run, bool weather)
{
	static const unsigned int triggers[] = {
		SFS_TRIGGER_NET_DELAY, SFS_TRIGGER_NET_LOSE,
		SFS_TRIGGER_NET_TWICE, SFS_TRIGGER_NET_CUT,
	};
	struct world *w = &run->w;

	while (run->running) {
		shim_sleep_ns(rng_below(&run->rng, 200000000));
		if (weather)
			sim_host_arm(w->vol.host,
				     triggers[rng_below(&run->rng, 4)], 1);
		if (rng_below(&run->rng, 2))
			continue;
		sfs_server_kill(w->srv);
		shim_sleep_ns(rng_below(&run->rng, 100000000));
		if (sfs_server_start(w->vol.host, w->hub, &w->srv) < 0)
			bail_out("no server starts");
		run->kills++;
	}
}

static void test_kills(struct run *run, bool weather)
{
	struct actor actors[NR_ACTORS];
	u32 i;

	run->turns = run->kills = 0;
	run->running = NR_ACTORS;
	for (i = 0; i < NR_ACTORS; i++) {
		actors[i] = (struct actor){ .run = run, .nr = i };
		actors[i].task = shim_go("actor", actor_main, &actors[i]);
	}
	trouble(run, weather);
	for (i = 0; i < NR_ACTORS; i++)
		shim_join(actors[i].task);
	ok(!run->broken, "locks hold, weather %u", weather);
	diag("%u turns, %u servers", run->turns, run->kills);
}

/* It dies with locks, and the other one waits for them. */
static void test_death(struct run *run)
{
	struct actor a = { .run = run, .nr = 1 };
	struct actor b = { .run = run, .nr = 2 };
	struct sfs_flock lk = lock_of(&a, SFS_FLOCK_WRITE, 0, 100);

	is_int(sfs_file_lock(run->fs[1], &lk, 0), 0, "locked");
	lk = lock_of(&b, SFS_FLOCK_READ, 3, 3);
	is_int(sfs_file_lock(run->fs[0], &lk, 0), -EAGAIN, "by another mount");
	sfs_mount_drop(run->fs[1]);
	is_int(sfs_file_lock(run->fs[0], &lk, 1), 0, "free when that dies");
	is_int(sfs_file_locks_release(run->fs[0], INO, 2, SFS_FLOCK_POSIX), 0,
	       "unlocked");
}

int shim_main(int argc, char **argv)
{
	struct run run = { .rng = { shim_seed() } };

	vol_create(&run.w.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	vol_format(&run.w.vol);
	if (world_start(&run.w) < 0 || world_mount(&run.w, &run.fs[1]) < 0)
		bail_out("start");
	run.fs[0] = run.w.fs;
	test_kills(&run, false);
	test_kills(&run, true);
	test_death(&run);
	is_u64(run.w.srv->flocks.table.nr_held, 0, "nothing is held");
	is_u64(run.w.srv->flocks.table.nr_waits, 0, "nobody waits");
	is_int(world_stop(&run.w), 0, "leave and stop");
	vol_destroy(&run.w.vol);
	return done_testing();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk that takes everything and completes nothing: who is killed while
 * waiting for it leaves, and all leave once the mount is declared down.  What
 * was left behind is finished when the disk goes on.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "api.h"
#include "tests/unit/lib/world.h"

#define NR_KEYS 40
#define VAL_BYTES 400
#define NR_READERS 4

struct run {
	struct world w;
	struct sfs_fs *fs;	/* a second mount, whose cache is empty */
};

/* One thread that does one thing. */
struct actor {
	struct run *run;
	struct shim_task *task;
	int (*fn)(struct run *run);
	int ret;
	bool done;
};

static struct sfs_key key_of(u32 i)
{
	return SFS_KEY(SFS_ZONE_FS, 0, 0, i + 1, 0, 0);
}

static int put(struct sfs_fs *fs, u32 i, u32 nr)
{
	struct sfs_need need = { nr, nr * VAL_BYTES, 0 };
	u8 val[VAL_BYTES];
	struct sfs_hold hold;
	struct sfs_key key;
	int ret;

	ret = sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	while (nr-- > 0) {
		key = key_of(i + nr);
		memset(val, (int)(i + nr), sizeof(val));
		sfs_item_put(fs, &hold, &key, val, sizeof(val));
	}
	sfs_hold_end(fs, &hold);
	return 0;
}

static int get(struct sfs_fs *fs, u32 i)
{
	struct sfs_key key = key_of(i);
	u8 val[VAL_BYTES];
	int ret;

	ret = sfs_item_get(fs, &key, val, sizeof(val));
	return ret < 0 ? ret : ret != VAL_BYTES || val[0] != (u8)i;
}

static int do_read(struct run *run)
{
	return get(run->fs, 3);
}

static int do_publish(struct run *run)
{
	return put(run->fs, NR_KEYS, 1) ?: sfs_publish(run->fs);
}

static int do_data(struct run *run)
{
	u64 start;
	u64 count;
	int ret;

	ret = sfs_data_reserve(run->fs, 0, 1, &start, &count);
	if (ret == 0)
		sfs_data_unreserve(run->fs, start, count);
	return ret;
}

static void act(void *arg)
{
	struct actor *actor = arg;

	actor->ret = actor->fn(actor->run);
	actor->done = true;
}

static void actor_start(struct actor *actor, struct run *run,
			int (*fn)(struct run *run))
{
	*actor = (struct actor){ .run = run, .fn = fn };
	actor->task = shim_go("actor", act, actor);
}

static void hold_disks(struct run *run, bool held)
{
	sim_disk_hold(run->w.vol.disk[SFS_DEV_META], held);
	sim_disk_hold(run->w.vol.disk[SFS_DEV_DATA], held);
}

static void run_begin(struct run *run)
{
	memset(run, 0, sizeof(*run));
	vol_create(&run->w.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	vol_format(&run->w.vol);
	if (world_start(&run->w) < 0 || put(run->w.fs, 0, NR_KEYS) < 0 ||
	    sfs_publish(run->w.fs) < 0 || world_mount(&run->w, &run->fs) < 0)
		bail_out("start");
	hold_disks(run, true);
}

static void run_end(struct run *run)
{
	is_int(world_stop(&run->w), 0, "the other mount leaves");
	vol_destroy(&run->w.vol);
}

static void wait_ms(u32 ms)
{
	shim_sleep_ns((u64)ms * 1000000);
}

static void kill_one(struct actor *actor, const char *what)
{
	shim_task_kill(actor->task, 1);
	wait_ms(10);
	ok(actor->done && actor->ret == -EINTR, "%s can be killed", what);
	shim_join(actor->task);
}

/* Killed, one after the other; then the disk goes on and all is well. */
static void test_kill(void)
{
	struct actor readers[NR_READERS];
	struct actor publisher;
	struct actor data;
	struct run run;
	u32 i;

	run_begin(&run);
	for (i = 0; i < NR_READERS; i++)
		actor_start(&readers[i], &run, do_read);
	actor_start(&publisher, &run, do_publish);
	actor_start(&data, &run, do_data);
	wait_ms(20000);
	for (i = 0; i < NR_READERS; i++)
		ok(!readers[i].done, "a reader waits");
	ok(!publisher.done && !data.done, "so do others");
	/* whose read it is, and one that waits for it */
	kill_one(&readers[0], "a reader");
	kill_one(&readers[2], "another reader");
	ok(!readers[1].done && !readers[3].done, "the others go on waiting");
	kill_one(&publisher, "who waits for a publish");
	kill_one(&data, "who waits for the server");
	actor_start(&data, &run, do_data);
	wait_ms(1000);
	kill_one(&data, "who waits for the answer that nobody took");

	hold_disks(&run, false);
	shim_join(readers[1].task);
	shim_join(readers[3].task);
	ok(readers[1].ret == 0 && readers[3].ret == 0,
	   "the disk goes on: those that were left have read it");
	is_int(get(run.fs, 3), 0, "the block is there for all");
	is_int(do_data(&run), 0, "space");
	is_int(do_publish(&run), 0, "publish");
	ok(world_segs_fit(&run.w), "segments are in one place each");
	is_int(sfs_mount_leave(run.fs), 0, "leave");
	run_end(&run);
}

static int do_leave(struct run *run)
{
	return sfs_mount_leave(run->fs);
}

/* Declared down: everybody has an answer; leaving ends when the disk goes on. */
static void test_give_up(void)
{
	struct actor readers[NR_READERS];
	struct actor publisher;
	struct actor data;
	struct actor leaver;
	struct run run;
	u32 i;

	run_begin(&run);
	for (i = 0; i < NR_READERS; i++)
		actor_start(&readers[i], &run, do_read);
	actor_start(&publisher, &run, do_publish);
	actor_start(&data, &run, do_data);
	wait_ms(1000);
	sfs_give_up(run.fs, "the test says so");
	wait_ms(10);
	for (i = 0; i < NR_READERS; i++) {
		ok(readers[i].done && readers[i].ret == -EIO,
		   "a reader has an error");
		shim_join(readers[i].task);
	}
	ok(publisher.done && publisher.ret == -EIO, "who published, too");
	ok(data.done && data.ret == -EIO, "who waited for the server, too");
	shim_join(publisher.task);
	shim_join(data.task);
	is_int(get(run.fs, 3), -EIO, "nothing is read any more");

	actor_start(&leaver, &run, do_leave);
	wait_ms(20000);
	ok(!leaver.done, "leaving waits for the disk");
	hold_disks(&run, false);
	shim_join(leaver.task);
	is_int(leaver.ret, -EIO, "it ends when the disk goes on");
	is_int(get(run.w.fs, 3), 0, "the other mount reads");
	is_int(put(run.w.fs, 7, 1) ?: sfs_publish(run.w.fs), 0,
	       "and publishes");
	ok(world_segs_fit(&run.w), "segments are in one place each");
	run_end(&run);
}

int shim_main(int argc, char **argv)
{
	test_kill();
	test_give_up();
	return done_testing();
}

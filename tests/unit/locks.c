/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two mounts of one volume in one process: what one does the other sees when
 * the call has returned, whoever had the locks before; a single mount asks once
 * per lock; locks given up at random do no harm.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "api.h"
#include "shim/shim.h"
#include "sim/host.h"
#include "tests/tap.h"

#define DEV_BYTES SFS_MIN_DEV_BYTES
#define NR_MOUNTS 3
#define ROUNDS 60

static const struct sfs_cred root = { .caps = ~0u };

static struct sim_disk *disk[2];
static struct sfs_host *host;
static struct sfs_hub *hub;
static struct sfs_server *srv;
static struct sfs_fs *mnt[NR_MOUNTS];

static void begin(u32 nr)
{
	struct sfs_format_opts fmt = { .interface_version = 2 };
	struct sfs_mount_opts opts;
	struct sfs_volume_id id;
	u32 i;

	disk[0] = sim_disk_from(sim_image_create(DEV_BYTES), NULL);
	disk[1] = sim_disk_from(sim_image_create(DEV_BYTES), NULL);
	host = sim_host_create(disk[0], disk[1], shim_rand());
	sfs_mount_opts_default(&opts);
	if (sfs_format(host, &fmt, &id) < 0 || sfs_hub_create(host, &hub) < 0 ||
	    sfs_server_start(host, hub, &srv) < 0)
		bail_out("no server");
	for (i = 0; i < nr; i++) {
		if (sfs_mount(host, hub, &opts, &mnt[i]) < 0)
			bail_out("no mount");
	}
}

static void report(void *arg, const char *line)
{
	diag("%s", line);
}

static int progress(void *arg, const char *phase, u64 done, u64 total)
{
	return 0;
}

static void end(u32 nr)
{
	struct sfs_check_ops ops = { .report = report, .progress = progress };
	struct sfs_check_result res;
	u32 i;

	for (i = 0; i < nr; i++)
		is_int(sfs_unmount(mnt[i]), 0, "unmount");
	sfs_server_stop(srv);
	sfs_hub_destroy(hub);
	is_int(sfs_check(host, &ops, &res), 0, "check runs");
	is_int(res.errors, 0, "and finds nothing");
	sim_host_destroy(host);
	sim_disk_destroy(disk[0]);
	sim_disk_destroy(disk[1]);
}

static u64 counter(struct sfs_fs *fs, const char *name)
{
	int i;

	for (i = 0; i < sfs_counters_nr(); i++) {
		if (!strcmp(sfs_counter_name(i), name))
			return sfs_counter_read(fs, i);
	}
	bail_out("no counter %s", name);
	return 0;
}

static int make(struct sfs_fs *fs, u64 dir, const char *name, u32 mode,
		u64 *ret_ino)
{
	struct sfs_attr attr;
	int ret;

	ret = sfs_create(fs, &root, dir, name, strlen(name), mode, 0, &attr);
	if (ret == 0 && ret_ino)
		*ret_ino = attr.ino;
	return ret;
}

static int look(struct sfs_fs *fs, u64 dir, const char *name, u64 *ret_ino)
{
	struct sfs_attr attr;
	int ret;

	ret = sfs_lookup(fs, &root, dir, name, strlen(name), &attr);
	if (ret == 0)
		*ret_ino = attr.ino;
	return ret;
}

/* Warm operations of a mount that is alone cost no message. */
static void test_alone(void)
{
	char name[16];
	u64 requests;
	u64 ino = 0;
	u64 dir = 0;
	u32 i;

	begin(1);
	is_int(make(mnt[0], 1, "d", S_IFDIR | 0755, &dir), 0, "mkdir");
	is_int(make(mnt[0], dir, "f", S_IFREG | 0644, &ino), 0, "create");
	requests = counter(mnt[0], "lock_requests");
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(mnt[0], dir, name, S_IFREG | 0644, &ino);
		look(mnt[0], dir, name, &ino);
		sfs_file_write(mnt[0], ino, 0, "abc", 3);
	}
	is_u64(counter(mnt[0], "lock_requests"), requests,
	       "warm creates, lookups and writes ask for nothing");
	ok(requests <= 3, "the first ones asked once per lock");
	end(1);
}

static void test_names(void)
{
	u64 ino = 0;
	u64 dir = 0;

	begin(2);
	is_int(make(mnt[0], 1, "d", S_IFDIR | 0755, &dir), 0, "mkdir in one");
	is_int(look(mnt[1], 1, "d", &ino), 0, "is seen in the other");
	is_u64(ino, dir, "as the same");
	is_int(make(mnt[1], dir, "f", S_IFREG | 0644, &ino), 0,
	       "a file made there");
	is_int(make(mnt[0], dir, "f", S_IFREG | 0644, NULL), -EEXIST,
	       "is in the way here");
	is_int(sfs_unlink(mnt[0], &root, dir, "f", 1, ino), 0, "removed here");
	is_int(look(mnt[1], dir, "f", &ino), -ENOENT, "it is gone there");
	is_int(sfs_rmdir(mnt[1], &root, 1, "d", 1, dir), 0,
	       "and the directory can go");
	is_int(make(mnt[0], dir, "g", S_IFREG | 0644, NULL), -ENOENT,
	       "so that nothing is made in it");
	end(2);
}

static void test_contents(void)
{
	struct sfs_attr attr;
	u64 ino = 0;
	u64 at = 0;
	char buf[8];
	u32 i;

	begin(2);
	make(mnt[0], 1, "f", S_IFREG | 0644, &ino);
	for (i = 0; i < 20; i++) {
		if (sfs_getattr(mnt[i & 1], ino, &attr) < 0 ||
		    attr.size != at ||
		    sfs_file_write(mnt[i & 1], ino, at, "01234567", 8) != 8)
			break;
		at += 8;
		if (sfs_file_read(mnt[!(i & 1)], ino, at - 8, buf, 8) != 8 ||
		    memcmp(buf, "01234567", 8))
			break;
	}
	is_int(i, 20, "what one appended the other reads");
	ok(counter(mnt[0], "lock_revokes") > 0, "with locks that moved");
	end(2);
}

/* ---- what it costs --------------------------------------------------------------- */

/* Messages between mounts and server about locks and publishing, so far. */
struct cost {
	u64 requests;
	u64 grants;
	u64 revokes;
	u64 releases;
	u64 publishes;
};

static struct cost cost_now(u32 nr)
{
	struct cost c = {};
	u32 i;

	for (i = 0; i < nr; i++) {
		c.requests += counter(mnt[i], "lock_requests");
		c.grants += counter(mnt[i], "lock_grants");
		c.revokes += counter(mnt[i], "lock_revokes");
		c.releases += counter(mnt[i], "lock_releases");
		c.publishes += counter(mnt[i], "publishes");
	}
	return c;
}

static void test_costs(void)
{
	struct sfs_attr attr;
	struct cost before;
	struct cost now;
	u64 ino = 0;

	begin(2);
	make(mnt[0], 1, "f", S_IFREG | 0644, &ino);
	is_int(sfs_sync(mnt[0]), 0, "sync");
	before = cost_now(2);
	is_int(sfs_getattr(mnt[1], ino, &attr), 0, "a cold stat elsewhere");
	now = cost_now(2);
	is_u64(now.requests - before.requests, 1, "asks once for its lock");
	is_u64(now.revokes - before.revokes, 1, "which is asked back once");
	is_u64(now.releases - before.releases, 1, "and released once");
	is_u64(now.publishes, before.publishes, "without a publish: it is clean");
	before = now;
	is_int(sfs_getattr(mnt[1], ino, &attr), 0, "again");
	is_int(sfs_getattr(mnt[0], ino, &attr), 0, "and at home");
	now = cost_now(2);
	is_u64(now.requests, before.requests, "for nothing");

	sfs_file_write(mnt[0], ino, 0, "abc", 3);
	before = cost_now(1);
	is_int(sfs_fsync(mnt[0], ino, 0), 0, "fsync");
	now = cost_now(1);
	is_u64(now.publishes - before.publishes, 1, "is one publish");
	is_u64(now.requests, before.requests, "and asks for no lock");

	sfs_file_write(mnt[0], ino, 0, "def", 3);
	before = cost_now(2);
	is_int(sfs_file_write(mnt[1], ino, 3, "ghi", 3), 3, "a write elsewhere");
	now = cost_now(2);
	is_u64(now.requests - before.requests, 1, "a dirty lock: one request");
	is_u64(now.revokes - before.revokes, 1, "one revoke");
	is_u64(now.publishes - before.publishes, 1, "one publish");
	is_u64(now.releases - before.releases, 1, "with the release in it");
	is_u64(now.grants - before.grants, 1, "one grant: four hops");
	end(2);
}

/* ---- in use ------------------------------------------------------------------- */

static u64 deleted(u32 nr)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		sum += counter(mnt[i], "inodes_deleted");
	return sum;
}

static void test_in_use(bool loses)
{
	struct sfs_attr attr;
	char buf[4] = {};
	u64 ino = 0;
	u64 other = 0;

	begin(2);
	if (loses)
		sim_host_arm_name(host, "NET_LOSE", 3);
	make(mnt[0], 1, "f", S_IFREG | 0644, &ino);
	make(mnt[0], 1, "g", S_IFREG | 0644, &other);
	sfs_file_write(mnt[0], ino, 0, "abc", 3);
	is_int(sfs_inode_open(mnt[0], ino, NULL), 0, "open here");
	is_int(sfs_unlink(mnt[1], &root, 1, "f", 1, ino), 0, "unlink there");
	is_int(sfs_unlink(mnt[1], &root, 1, "g", 1, other), 0,
	       "and another that nobody has open");
	shim_sleep_ns(30000000000ULL);
	is_int(sfs_getattr(mnt[1], other, &attr), -ENOENT, "that is gone");
	is_int(sfs_file_read(mnt[0], ino, 0, buf, 3), 3, "it is still there");
	ok(!memcmp(buf, "abc", 3), "with its contents");
	is_int(sfs_getattr(mnt[1], ino, &attr), 0, "for the other mount, too");
	is_int(attr.nlink, 0, "without a name");
	is_u64(deleted(2), 1, "one was deleted");
	sfs_inode_close(mnt[0], ino);
	shim_sleep_ns(30000000000ULL);
	is_int(sfs_getattr(mnt[0], ino, &attr), -ENOENT,
	       "closed, it is gone, too");
	is_u64(deleted(2), 2, "two were deleted");
	end(2);
}

/* ---- leaving ------------------------------------------------------------------- */

/* A mount goes while messages are lost, late, repeated, and connections end. */
static void test_leave(void)
{
	static const char *const nets[] = { "NET_DELAY", "NET_LOSE",
					    "NET_TWICE", "NET_CUT" };
	u64 dir = 0;
	u32 i;

	begin(1);
	make(mnt[0], 1, "d", S_IFDIR | 0755, &dir);
	for (i = 0; i < ARRAY_SIZE(nets); i++)
		sim_host_arm_name(host, nets[i], 1 + shim_rand() % 3);
	make(mnt[0], dir, "f", S_IFREG | 0644, NULL);
	end(1);
}

/* ---- walks --------------------------------------------------------------------- */

static int walk(struct sfs_fs *fs, struct sfs_walk_entry *ents, u32 nr)
{
	struct sfs_walk_entry first = {};
	struct sfs_walk_entry last = { ~0ULL, ~0ULL, ~0U };

	return sfs_walk_inodes(fs, SFS_WALK_META_SEQ, &first, &last, ents, nr);
}

/* What others have published is in a walk, also with them idle or busy. */
static void test_walk(void)
{
	struct sfs_walk_entry ents[32];
	u64 ino[4] = {};
	char name[8];
	int seen = 0;
	int nr;
	u32 i;

	begin(3);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make(mnt[i % 3], 1, name, S_IFREG | 0644, &ino[i]);
	}
	is_int(sfs_fsync(mnt[0], ino[0], 0), 0, "fsync");
	is_int(sfs_fsync(mnt[1], ino[1], 0), 0, "and there");
	nr = walk(mnt[2], ents, ARRAY_SIZE(ents));
	for (i = 0; (int)i < nr; i++)
		seen += ents[i].ino == ino[0] || ents[i].ino == ino[1] ||
			ents[i].ino == ino[2] || ents[i].ino == ino[3];
	is_int(seen, 4, "a walk of the third has all");
	for (i = 1; (int)i < nr; i++) {
		if (ents[i].major < ents[i - 1].major)
			break;
	}
	is_int(i, nr, "in order");
	end(3);
}

/* ---- a crowd ------------------------------------------------------------------ */

struct actor {
	u32 nr;
	u64 dir;
	u32 done;
};

/* Each adds to the counter in the file's first bytes under its exclusion. */
static void crowd(void *arg)
{
	struct actor *a = arg;
	struct sfs_fs *fs = mnt[a->nr];
	char name[16];
	u64 ino;
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "n%u",
			 (u32)(shim_rand() % 12));
		if (make(fs, a->dir, name, S_IFREG | 0644, &ino) == 0)
			a->done++;
		else if (look(fs, a->dir, name, &ino) == 0 &&
			 sfs_unlink(fs, &root, a->dir, name, strlen(name),
				    ino) == 0)
			a->done--;
	}
}

static bool crowd_ends;

/* The server dies and another one comes, again and again. */
static void killer(void *arg)
{
	while (!READ_ONCE(crowd_ends)) {
		shim_sleep_ns(shim_rand() % 300000000);
		sfs_server_kill(srv);
		shim_sleep_ns(shim_rand() % 100000000);
		if (sfs_server_start(host, hub, &srv) < 0)
			bail_out("no server any more");
	}
}

static void test_crowd(bool triggers, bool kills)
{
	struct shim_task *task[NR_MOUNTS];
	struct shim_task *kill = NULL;
	struct actor a[NR_MOUNTS] = {};
	struct sfs_attr attr;
	u64 left = 0;
	u64 dir = 0;
	u32 i;

	begin(NR_MOUNTS);
	if (triggers)
		sim_host_arm_all(host, 4);
	make(mnt[0], 1, "d", S_IFDIR | 0755, &dir);
	for (i = 0; i < NR_MOUNTS; i++) {
		a[i].nr = i;
		a[i].dir = dir;
		task[i] = shim_go("crowd", crowd, &a[i]);
	}
	crowd_ends = false;
	if (kills)
		kill = shim_go("killer", killer, NULL);
	for (i = 0; i < NR_MOUNTS; i++) {
		shim_join(task[i]);
		left += a[i].done;
	}
	WRITE_ONCE(crowd_ends, true);
	if (kills)
		shim_join(kill);
	for (i = 0; i < NR_MOUNTS; i++) {
		is_int(sfs_getattr(mnt[i], dir, &attr), 0, "stat");
		ok(attr.size >= 2 * (u32)left && attr.size <= 3 * (u32)left,
		   "what is left are the names made and not removed");
	}
	end(NR_MOUNTS);
}

int shim_main(int argc, char **argv)
{
	int i;

	plan(0);
	test_alone();
	test_names();
	test_contents();
	test_costs();
	test_in_use(false);
	test_in_use(true);
	for (i = 0; i < 20; i++)
		test_leave();
	test_walk();
	test_crowd(false, false);
	test_crowd(true, false);
	test_crowd(false, true);
	test_crowd(true, true);
	return done_testing();
}

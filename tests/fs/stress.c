/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many tasks in one small directory tree: operations as a host makes them,
 * with names that others take away meanwhile.  Nothing is known of the answers
 * but that they are possible ones; the items must fit each other all the time,
 * also where a crash cuts.
 *
 * stress [--seed=N] [operations a task]
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "fs/fs.h"
#include "shim/shim.h"
#include "tests/fs/fake_txn.h"
#include "tests/tap.h"

#define NR_TASKS 6
#define IO_MAX 20000

struct task {
	struct sfs_fs *fs;
	shim_u64 rng;
	u32 nr_ops;
	u32 nr_good;
	u32 nr_bad;		/* answers that can not be */
	u8 *buf;
};

static struct fake_vol *vol;
static struct sfs_cred root = { .caps = ~0U };

static u64 rnd(struct task *t, u64 n)
{
	return (shim_rand_next(&t->rng) >> 8) % n;
}

static void rnd_name(struct task *t, char *name)
{
	name[0] = 'a' + rnd(t, 6);
	name[1] = 0;
}

/* A directory by walking down some steps, and a name in it. */
static u64 rnd_dir(struct task *t)
{
	struct sfs_attr attr;
	u64 dir = SFS_ROOT_INO;
	u32 depth = rnd(t, 4);
	char name[2];

	while (depth--) {
		rnd_name(t, name);
		if (!sfs_lookup(t->fs, &root, dir, name, 1, &attr) &&
		    S_ISDIR(attr.mode))
			dir = attr.ino;
	}
	return dir;
}

static u64 ino_of(struct task *t, u64 dir, const char *name)
{
	struct sfs_attr attr = {};

	if (sfs_lookup(t->fs, &root, dir, name, 1, &attr) < 0)
		return 0;
	return attr.ino;
}

static int op_rename(struct task *t)
{
	u64 dir = rnd_dir(t);
	u64 dir2 = rnd_dir(t);
	struct sfs_ilock il;
	char name[2];
	char name2[2];
	u64 ino;
	u64 ino2;
	int ret;

	rnd_name(t, name);
	rnd_name(t, name2);
	ino = ino_of(t, dir, name);
	ino2 = ino_of(t, dir2, name2);
	if (dir != dir2)
		sfs_rename_lock(t->fs);
	sfs_ilock_excl(t->fs, &il, dir, dir2, ino, ino2);
	ret = sfs_rename(t->fs, &root, dir, name, 1, ino, dir2, name2, 1, ino2,
			 0);
	sfs_iunlock(t->fs, &il);
	if (dir != dir2)
		sfs_rename_unlock(t->fs);
	return ret;
}

static int op_name(struct task *t, u32 what)
{
	struct sfs_attr attr;
	struct sfs_ilock il;
	u64 dir = rnd_dir(t);
	char name[2];
	u64 ino;
	int ret;

	rnd_name(t, name);
	ino = ino_of(t, dir, name);
	if (what == 2) {
		char other[2];

		rnd_name(t, other);
		ino = ino_of(t, rnd_dir(t), other);
	}
	sfs_ilock_excl(t->fs, &il, dir, ino, 0, 0);
	switch (what) {
	case 0:
		ret = sfs_create(t->fs, &root, dir, name, 1, S_IFREG | 0644, 0,
				 &attr);
		break;
	case 1:
		ret = sfs_create(t->fs, &root, dir, name, 1, S_IFDIR | 0755, 0,
				 &attr);
		break;
	case 2:
		ret = sfs_link(t->fs, &root, ino, dir, name, 1, &attr);
		break;
	case 3:
		ret = sfs_unlink(t->fs, &root, dir, name, 1, ino);
		break;
	default:
		ret = sfs_rmdir(t->fs, &root, dir, name, 1, ino);
		break;
	}
	sfs_iunlock(t->fs, &il);
	return ret;
}

/* Something with an open file, whatever happens to its name. */
static int op_file(struct task *t)
{
	struct sfs_setattr set = { .mask = SFS_SET_SIZE };
	struct sfs_attr attr;
	struct sfs_ilock il;
	u64 off = rnd(t, 60000);
	u32 len = rnd(t, IO_MAX);
	char name[2];
	s64 ret;
	u64 ino;

	rnd_name(t, name);
	ino = ino_of(t, rnd_dir(t), name);
	ret = sfs_inode_open(t->fs, ino, NULL);
	if (ret < 0)
		return ret;
	if (rnd(t, 3) == 0) {
		sfs_ilock_shared(t->fs, &il, ino);
		ret = sfs_file_read(t->fs, ino, off, t->buf, len);
		if (rnd(t, 2))
			sfs_stat_more(t->fs, ino, &attr);
	} else {
		sfs_ilock_excl(t->fs, &il, ino, 0, 0, 0);
		switch (rnd(t, 4)) {
		case 0:
			set.size = rnd(t, 60000);
			ret = sfs_setattr(t->fs, &root, ino, &set, &attr);
			break;
		case 1:
			ret = sfs_setxattr(t->fs, &root, ino, "user.x", t->buf,
					   rnd(t, IO_MAX), 0);
			break;
		default:
			ret = sfs_file_write(t->fs, ino, off, t->buf, len);
			break;
		}
	}
	sfs_iunlock(t->fs, &il);
	sfs_inode_close(t->fs, ino);
	return ret;
}

/* Readers without locks see something possible. */
static int op_look(struct task *t)
{
	u64 dir = rnd_dir(t);
	u64 dir_ino = 0;
	u64 dir_pos = 0;
	char name[2];
	u64 ino;

	rnd_name(t, name);
	ino = ino_of(t, dir, name);
	switch (rnd(t, 4)) {
	case 0:
		return sfs_readdir(t->fs, &root, dir, 0, t->buf, 400);
	case 1:
		return sfs_getxattr(t->fs, &root, ino, "user.x", t->buf,
				    IO_MAX);
	case 2:
		sfs_touch_atime(t->fs, ino);
		return 0;
	}
	return sfs_ino_path(t->fs, ino, 0, 0, (char *)t->buf, IO_MAX, &dir_ino,
			    &dir_pos);
}

static bool possible(int err)
{
	switch (err) {
	case -ENOENT:
	case -EEXIST:
	case -ENOTDIR:
	case -EISDIR:
	case -ENOTEMPTY:
	case -EINVAL:
	case -ESTALE:
	case -EPERM:
	case -ENODATA:
	case -ENOSPC:
	case -ELOOP:
		return true;
	}
	return err >= 0;
}

static void task_fn(void *arg)
{
	struct task *t = arg;
	u32 i;
	int ret;

	for (i = 0; i < t->nr_ops; i++) {
		switch (rnd(t, 10)) {
		case 0:
		case 1:
		case 2:
			ret = op_rename(t);
			break;
		case 3:
		case 4:
		case 5:
		case 6:
			ret = op_name(t, rnd(t, 5));
			break;
		case 7:
			ret = op_look(t);
			break;
		default:
			ret = op_file(t);
			break;
		}
		if (vol->crashed)
			return;
		t->nr_good += ret >= 0;
		if (!possible(ret)) {
			diag("an answer of %d", ret);
			t->nr_bad++;
		}
	}
}

static void checker_fn(void *arg)
{
	u64 *errors = arg;
	u32 i;

	for (i = 0; i < 20 && !vol->crashed; i++) {
		shim_sleep_ns(1000);
		*errors += fake_check(vol, false);
		*errors += fake_check(vol, true);
	}
}

static void mount_vol(struct sfs_fs **ret_fs)
{
	struct sfs_mount_opts opts = {
		.data_prealloc_blocks = 16,
		.data_prealloc_contig_only = 1,
		.ino_alloc_per_lock = 8,
		.orphan_scan_delay_ms = 100,
	};

	if (sfs_mount((void *)vol, NULL, &opts, ret_fs) < 0)
		bail_out("mount");
}

static void round_of(u64 seed, u32 nr_ops, bool crash)
{
	struct shim_task *tasks[NR_TASKS + 1];
	struct task t[NR_TASKS] = {};
	struct sfs_fs *fs;
	u64 errors = 0;
	u32 good = 0;
	u32 bad = 0;
	u32 i;

	vol = fake_vol_create(seed, 4096);
	vol->publish_one_in = 5;
	vol->max_extent = 3;
	mount_vol(&fs);
	for (i = 0; i < NR_TASKS; i++) {
		t[i].fs = fs;
		t[i].rng = seed * NR_TASKS + i;
		t[i].nr_ops = nr_ops;
		t[i].buf = shim_pages_alloc(IO_MAX + 4096);
		tasks[i] = shim_go("task", task_fn, &t[i]);
	}
	tasks[i] = shim_go("checker", checker_fn, &errors);
	if (crash) {
		while (vol->nr_holds < nr_ops)
			shim_yield();
		vol->quiet = true;
		fake_crash(vol);
	}
	for (i = 0; i < NR_TASKS; i++) {
		shim_join(tasks[i]);
		shim_pages_free(t[i].buf, IO_MAX + 4096);
		good += t[i].nr_good;
		bad += t[i].nr_bad;
	}
	shim_join(tasks[i]);
	sfs_unmount(fs);
	if (crash)
		fake_crash_data(vol);
	errors += fake_check(vol, true);
	mount_vol(&fs);
	shim_sleep_ns(300000000);
	errors += fake_check(vol, false);
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "no work is left");
	sfs_unmount(fs);
	is_u64(errors, 0, "seed %llu: items fit each other", seed);
	is_u64(bad, 0, "answers are possible ones");
	ok(crash || good > nr_ops, "%u operations succeeded", good);
	fake_vol_destroy(vol);
}

int shim_main(int argc, char **argv)
{
	u32 nr = 300;
	u32 i;

	if (argc > 1 && kstrtouint(argv[1], 10, &nr) < 0)
		bail_out("not a number: %s", argv[1]);
	plan(0);
	for (i = 0; i < 3; i++) {
		round_of(shim_seed() + i, nr, false);
		round_of(shim_seed() + i, nr, true);
	}
	return done_testing();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All sequences of one and of two operations with fixed arguments over a small
 * tree, with and without a sync between them, and a power cut at every write
 * until they are synced.  Bugs of crash consistency nearly always show with two
 * operations on few names (CrashMonkey's B3, Mohan and others, OSDI 2018).
 *
 * The tree is made once and cloned; names are resolved when their operation
 * comes, and a sequence whose second operation has nothing to work on then is
 * only run up to there.
 */
#include "sim/sim.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "shim/common/task.h"

struct seq_op {
	u8 type;
	const char *path;	/* of the name or the inode, below the root */
	const char *path2;	/* the new name */
	u32 mode;
	u32 mask;
	u32 flags;
	u32 len;
	u64 off;
	const char *xattr;
};

/* f 10,000 bytes, g 100 with a second name h, l a symlink; A, B, E directories */
static const struct seq_op tree[] = {
	{ PM_CREATE, "A", .mode = S_IFDIR | 0755 },
	{ PM_CREATE, "B", .mode = S_IFDIR | 0755 },
	{ PM_CREATE, "E", .mode = S_IFDIR | 0755 },
	{ PM_CREATE, "f", .mode = S_IFREG | 0644 },
	{ PM_CREATE, "A/g", .mode = S_IFREG | 0644 },
	{ PM_LINK, "A/g", "h" },
	{ PM_SYMLINK, "l", .len = 30 },
	{ PM_WRITE, "f", .len = 10000 },
	{ PM_WRITE, "h", .len = 100 },
	{ PM_SETXATTR, "f", .xattr = "user.a", .len = 50 },
	{ PM_STAT_MORE, "f" },
	{ PM_SYNC, "" },
};

static const struct seq_op ops[] = {
	{ PM_CREATE, "x", .mode = S_IFREG | 0644 },
	{ PM_CREATE, "A/x", .mode = S_IFREG | 0600 },
	{ PM_CREATE, "D", .mode = S_IFDIR | 0755 },
	{ PM_CREATE, "E/D", .mode = S_IFDIR | 0755 },
	{ PM_CREATE, "q", .mode = S_IFCHR | 0600 },
	{ PM_CREATE, "A/p", .mode = S_IFIFO | 0644 },
	{ PM_SYMLINK, "s", .len = 5 },
	{ PM_SYMLINK, "A/s", .len = 4000 },
	{ PM_LINK, "f", "A/f" },
	{ PM_LINK, "h", "x" },
	{ PM_LINK, "l", "E/l" },
	{ PM_UNLINK, "f" },
	{ PM_UNLINK, "A/g" },
	{ PM_UNLINK, "h" },
	{ PM_UNLINK, "l" },
	{ PM_UNLINK, "x" },
	{ PM_RMDIR, "E" },
	{ PM_RMDIR, "D" },
	{ PM_RENAME, "f", "x" },
	{ PM_RENAME, "f", "A/x" },
	{ PM_RENAME, "f", "h" },
	{ PM_RENAME, "A/g", "f" },
	{ PM_RENAME, "A/g", "E/g" },
	{ PM_RENAME, "h", "A/g" },
	{ PM_RENAME, "x", "f" },
	{ PM_RENAME, "f", "x", .flags = SFS_RENAME_NOREPLACE },
	{ PM_RENAME, "E", "D" },
	{ PM_RENAME, "E", "B" },
	{ PM_RENAME, "E", "A/E" },
	{ PM_RENAME, "A", "E" },
	{ PM_RENAME, "A", "E/A" },
	{ PM_WRITE, "f", .off = 10000, .len = 100 },
	{ PM_WRITE, "f", .off = 10000, .len = 9000 },
	{ PM_WRITE, "f", .off = 5000, .len = 100 },
	{ PM_WRITE, "f", .off = 0, .len = 4096 },
	{ PM_WRITE, "f", .off = 50, .len = 100 },
	{ PM_WRITE, "f", .off = 4000, .len = 300 },
	{ PM_WRITE, "f", .off = 0, .len = 12288 },
	{ PM_WRITE, "f", .off = 40000, .len = 50 },
	{ PM_WRITE, "h", .off = 4090, .len = 20 },
	{ PM_WRITE, "x", .off = 0, .len = 3000 },
	{ PM_SETATTR, "f", .mask = SFS_SET_SIZE, .off = 0 },
	{ PM_SETATTR, "f", .mask = SFS_SET_SIZE, .off = 5000 },
	{ PM_SETATTR, "f", .mask = SFS_SET_SIZE, .off = 4096 },
	{ PM_SETATTR, "f", .mask = SFS_SET_SIZE, .off = 10100 },
	{ PM_SETATTR, "f", .mask = SFS_SET_SIZE, .off = 30000 },
	{ PM_SETATTR, "h", .mask = SFS_SET_SIZE, .off = 50 },
	{ PM_SETATTR, "f", .mask = SFS_SET_MODE, .mode = 0600 },
	{ PM_SETATTR, "f", .mask = SFS_SET_UID | SFS_SET_GID },
	{ PM_SETATTR, "A", .mask = SFS_SET_ATIME | SFS_SET_MTIME },
	{ PM_SETXATTR, "f", .xattr = "user.b", .len = 100 },
	{ PM_SETXATTR, "f", .xattr = "user.a", .len = 9000 },
	{ PM_SETXATTR, "A", .xattr = "trusted.t", .len = 0 },
	{ PM_REMOVEXATTR, "f", .xattr = "user.a" },
	{ PM_REMOVEXATTR, "f", .xattr = "user.b" },
	{ PM_OPEN, "f" },
	{ PM_STAT_MORE, "f" },
	{ PM_FSYNC, "f" },
	{ PM_SYNC, "" },
};

#define NR_OPS ARRAY_SIZE(ops)

u64 sim_nr_seq1(void)
{
	return NR_OPS;
}

u64 sim_nr_seq2(void)
{
	return NR_OPS * NR_OPS * 2;
}

/* ---- operations from paths ---------------------------------------------------------- */

/* The last component to @name, the directory before it to @dir; its inode. */
static u64 resolve(const struct posix *pm, const char *path, u64 *dir,
		   char *name, u32 *len)
{
	const struct pm_entry *e;
	const char *end;
	u64 at = pm->root;

	*dir = at;
	*len = 0;
	while (*path) {
		end = strchrnul(path, '/');
		*dir = at;
		*len = end - path;
		memcpy(name, path, *len);
		name[*len] = 0;
		e = at ? pm_find(pm, at, name, *len) : NULL;
		at = e ? e->ino : 0;
		path = *end ? end + 1 : end;
	}
	return at;
}

/* False when there is nothing for it to work on. */
static bool make_op(const struct posix *pm, const struct seq_op *s, u32 seed,
		    struct pm_op *op)
{
	char name[SFS_NAME_MAX + 8];
	u64 dir;
	u64 ino;
	u32 len;

	memset(op, 0, sizeof(*op));
	op->type = s->type;
	op->mode = s->mode;
	op->flags = s->flags;
	op->off = s->off;
	op->io_len = s->len;
	op->seed = seed;
	op->rdev = 0x105;
	op->set = (struct sfs_setattr) {
		.mask = s->mask, .mode = s->mode, .uid = 1000, .gid = 1001,
		.size = s->off, .atime = { 1000, 5 }, .mtime = { 2000, 6 },
	};
	ino = resolve(pm, s->path, &dir, name, &len);
	switch (s->type) {
	case PM_CREATE:
	case PM_SYMLINK:
		op->dir = dir;
		break;
	case PM_LINK:
		op->ino = ino;
		resolve(pm, s->path2, &op->dir, name, &len);
		break;
	case PM_UNLINK:
	case PM_RMDIR:
		op->ino = ino;
		op->dir = dir;
		break;
	case PM_RENAME:
		op->ino = ino;
		op->dir = dir;
		op->ino2 = resolve(pm, s->path2, &op->dir2, op->name2,
				   &op->len2);
		break;
	default:
		op->ino = ino;
		len = s->xattr ? strlen(s->xattr) : 0;
		memcpy(name, s->xattr ? s->xattr : "", len + 1);
		break;
	}
	op->len = len;
	memcpy(op->name, name, len + 1);
	if (s->type == PM_RENAME && !op->dir2)
		return false;
	return (ino || s->type == PM_CREATE || s->type == PM_SYMLINK) &&
	       (op->dir || s->type > PM_RENAME || s->type == PM_LOOKUP);
}

static bool step(struct sim_actor *a, const struct seq_op *s, u32 seed)
{
	struct pm_op *op = sim_zalloc(sizeof(*op));
	bool ok = make_op(a->pm, s, seed, op);

	if (ok && !sim_actor_step(a, op))
		shim_fail("an operation did not end");
	kvfree(op);
	return ok;
}

/* ---- the tree ------------------------------------------------------------------------- */

/* Made once a process.  The model's memory is not that of any run. */
static struct {
	struct sim_image *img[SFS_NR_DEVS];
	struct posix *pm;
	u8 *data[PM_MAX_INODES];
	struct sim_seen seen;		/* the look at f */
	s64 overhead;
} base;

static void keep_model(const struct posix *pm)
{
	u32 i;

	base.pm = shim_os_malloc(sizeof(*pm));
	memcpy(base.pm, pm, sizeof(*pm));
	for (i = 0; i < PM_MAX_INODES; i++) {
		if (!pm->inodes[i].data)
			continue;
		base.data[i] = shim_os_malloc(pm->inodes[i].size + 1);
		memcpy(base.data[i], pm->inodes[i].data, pm->inodes[i].size);
	}
}

static struct posix *kept_model(void)
{
	struct posix *pm = sim_zalloc(sizeof(*pm));
	u32 i;

	memcpy(pm, base.pm, sizeof(*pm));
	for (i = 0; i < PM_MAX_INODES; i++) {
		if (!pm->inodes[i].data)
			continue;
		pm->inodes[i].data = sim_zalloc(PM_FILE_MAX);
		memcpy(pm->inodes[i].data, base.data[i], pm->inodes[i].size);
	}
	return pm;
}

static int make_base(void *arg)
{
	struct sim_world *w = sim_world_create(1);
	const struct sim_image *const *fresh = sim_fresh_volume();
	u32 i;

	sim_plug(w, sim_image_clone(fresh[0]), sim_image_clone(fresh[1]));
	sim_mount(w);
	sim_measure(w);
	sim_actors_create(w, 1);
	for (i = 0; i < ARRAY_SIZE(tree); i++) {
		if (!step(w->actors[0], &tree[i], i))
			shim_fail("the tree can not be made");
	}
	keep_model(w->actors[0]->pm);
	base.seen = w->actors[0]->seen[0];
	base.seen.event = 0;
	base.overhead = w->overhead;
	if (sim_unmount(w))
		shim_fail("unmount");
	for (i = 0; i < 2; i++)
		base.img[i] = sim_image_clone(sim_disk_contents(w->disk[i]));
	sim_unplug(w);
	sim_actors_destroy(w);
	sim_world_destroy(w);
	return 0;
}

void sim_seq_prepare(void)
{
	struct shim_run_opts opts = { .seed = 1 };

	sim_fresh_volume();
	if (!base.pm)
		shim_run(&opts, make_base, NULL);
}

/* ---- one sequence --------------------------------------------------------------------- */

static struct sim_world *begin(u64 seed)
{
	struct sim_world *w = sim_world_create(seed);
	struct sim_actor *a = sim_zalloc(sizeof(*a));

	w->overhead = base.overhead;
	w->opts.commit_interval_ms = 60000;
	sim_plug(w, sim_image_clone(base.img[0]), sim_image_clone(base.img[1]));
	sim_mount(w);
	w->actors[0] = a;
	w->nr_actors = 1;
	a->w = w;
	a->pm = kept_model();
	a->root = a->pm->root;
	sim_actor_settle(a);
	a->seen = sim_zalloc(sizeof(*a->seen));
	*a->seen = base.seen;
	a->nr_seen = 1;
	a->max_seen = 1;
	return w;
}

static void end(struct sim_world *w)
{
	struct sim_tree *t;

	sim_snaps_end(w);
	sim_snaps_check(w, 2);
	sim_snaps_free(w);
	sim_actors_close(w);
	t = sim_tree_read(w);
	sim_expect_now(w, t);
	sim_tree_free(t);
	if (sim_unmount(w))
		shim_fail("unmount");
	sim_unplug(w);
	sim_actors_destroy(w);
	sim_world_destroy(w);
}

static const struct seq_op sync_op = { PM_SYNC, "" };

int sim_run_seq1(u64 seed, u32 scale)
{
	struct sim_world *w = begin(seed);
	struct sim_actor *a = w->actors[0];

	sim_snaps_begin(w, 400);
	step(a, &ops[seed % NR_OPS], 101);
	step(a, &sync_op, 0);
	end(w);
	return 0;
}

int sim_run_seq2(u64 seed, u32 scale)
{
	struct sim_world *w = begin(seed);
	struct sim_actor *a = w->actors[0];
	u64 n = seed % (NR_OPS * NR_OPS * 2);

	sim_snaps_begin(w, 400);
	if (step(a, &ops[n / 2 / NR_OPS], 101)) {
		if (n & 1)
			step(a, &sync_op, 0);
		step(a, &ops[n / 2 % NR_OPS], 102);
	}
	step(a, &sync_op, 0);
	end(w);
	return 0;
}

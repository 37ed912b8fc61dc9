/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A volume that is filled until nothing more fits, its data device or its
 * metadata device or both, then emptied, twice.  What could be written can be
 * read, deleting always works, space comes back, also after a power cut while
 * the volume was full; and with a slow reader, an iterator that keeps an old
 * version of the manifest for a while.
 *
 * Operations that need no space work on a full volume.
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
#include "engine/iter.h"
#include "mount/mount_types.h"
#include "server/server.h"
#include "shim/shim.h"

#define CHUNK (256U << 10)
#define XATTR_BYTES 65535
#define MAX_FILES 4096
#define NR_FILLERS 2
#define EMPTY_TRIES 400
/* runs, filters and segments in use that a nearly empty volume may keep */
#define META_SLACK (6ULL << 20)

static const struct sfs_cred super = { .caps = ~0U };

struct file {
	u64 ino;
	u64 size;
	bool synced;
};

struct filler {
	struct sim_world *w;
	struct fill *fl;
	u32 nr;
	u64 dir;
	u64 rng;
	u32 nr_files;
	struct file *files;
	struct shim_task *task;
};

struct fill {
	struct sim_world *w;
	bool data;		/* fill the data device, else metadata */
	bool stop_reader;
	struct filler f[NR_FILLERS];
	struct shim_task *reader;
	u64 used_data;
	u64 used_meta;
};

static u32 name_of(char *name, u32 size, u32 i)
{
	return scnprintf(name, size, "file-%u", i);
}

static u64 seed_of(const struct filler *f, u32 i, u64 off)
{
	return f->nr * 1000003ULL + i * 1009ULL + off;
}

/* ---- filling ---------------------------------------------------------------------- */

static int add_data(struct filler *f, u32 i, u8 *buf)
{
	struct file *file = &f->files[i];
	u32 len = CHUNK - 4096 * sim_rnd(&f->rng, 3);
	s64 ret;

	while (file->size < 16 * CHUNK && !sim_one_in(&f->rng, 12)) {
		pm_fill(seed_of(f, i, file->size), buf, len);
		ret = sfs_file_write(f->w->fs, file->ino, file->size, buf,
				     len);
		if (ret < 0)
			return ret;
		file->size += ret;
		if (ret < len)
			return -ENOSPC;
	}
	return 0;
}

static int add_meta(struct filler *f, u32 i, u8 *buf)
{
	pm_fill(seed_of(f, i, 0), buf, XATTR_BYTES);
	return sfs_setxattr(f->w->fs, &super, f->files[i].ino, "user.big", buf,
			    XATTR_BYTES, 0);
}

static int add_file(struct filler *f, u8 *buf)
{
	struct sim_world *w = f->w;
	u32 i = f->nr_files;
	struct sfs_ilock il;
	struct sfs_attr at;
	char name[24];
	int ret;

	sfs_ilock_excl(w->fs, &il, f->dir, 0, 0, 0);
	ret = sfs_create(w->fs, &super, f->dir, name,
			 name_of(name, sizeof(name), i), S_IFREG | 0644, 0,
			 &at);
	sfs_iunlock(w->fs, &il);
	if (ret)
		return ret;
	f->files[i].ino = at.ino;
	f->files[i].size = 0;
	f->nr_files++;
	w->nr_ops++;
	sfs_ilock_excl(w->fs, &il, at.ino, 0, 0, 0);
	ret = f->fl->data ? add_data(f, i, buf) : add_meta(f, i, buf);
	sfs_iunlock(w->fs, &il);
	sim_trace_add(w, ret);
	sim_trace_add(w, shim_clock_ns());
	return ret;
}

static void fill_up(void *arg)
{
	struct filler *f = arg;
	u8 *buf = sim_buf(CHUNK);
	u32 failed = 0;
	int ret = 0;

	while (failed < 4 && f->nr_files < MAX_FILES) {
		ret = add_file(f, buf);
		if (ret == -ENOSPC)
			failed++;
		else if (ret)
			break;
		if (sim_one_in(&f->rng, 40) && sfs_sync(f->w->fs))
			break;
	}
	if (failed < 4 && !sim_host_is_off(f->w->host))
		shim_fail("filling ended with %d after %u files", ret,
			  f->nr_files);
	sim_buf_free(buf);
}

/* ---- checking --------------------------------------------------------------------- */

static void check_file(struct filler *f, u32 i, u8 *buf, u8 *want)
{
	struct file *file = &f->files[i];
	u64 off = 0;
	s64 ret;

	while (off < file->size) {
		ret = sfs_file_read(f->w->fs, file->ino, off, buf, 4096);
		if (ret != 4096)
			shim_fail("file %u: read at %llu: %lld", i, off, ret);
		off += 4096;
	}
	pm_fill(seed_of(f, i, 0), want, 4096);
	if (file->size && (sfs_file_read(f->w->fs, file->ino, 0, buf, 4096) !=
			   4096 || memcmp(buf, want, 4096)))
		shim_fail("file %u: contents are wrong", i);
}

static void check_some(struct fill *fl)
{
	u8 *buf = sim_buf(8192);
	u32 k;
	u32 i;

	for (k = 0; k < NR_FILLERS; k++) {
		for (i = 0; i < fl->f[k].nr_files; i += 1 + i / 4)
			check_file(&fl->f[k], i, buf, buf + 4096);
	}
	sim_buf_free(buf);
}

/* ---- emptying --------------------------------------------------------------------- */

static void empty_out(void *arg)
{
	struct filler *f = arg;
	struct sfs_ilock il;
	char name[24];
	u32 len;
	u32 i;
	int ret;

	for (i = 0; i < f->nr_files; i++) {
		len = name_of(name, sizeof(name), i);
		sfs_ilock_excl(f->w->fs, &il, f->dir, f->files[i].ino, 0, 0);
		ret = sfs_unlink(f->w->fs, &super, f->dir, name, len,
				 f->files[i].ino);
		sfs_iunlock(f->w->fs, &il);
		/* after a cut the last ones were never there */
		if (ret && ret != -ENOENT)
			shim_fail("a full volume: file %u of %u can not be deleted: %d",
				  i, f->nr_files, ret);
		f->w->nr_ops++;
	}
	f->nr_files = 0;
}

/* Keeps an old version of the manifest for a while, again and again. */
static void read_slowly(void *arg)
{
	struct fill *fl = arg;
	struct sfs_fs *fs = fl->w->fs;
	u64 rng = fl->w->seed;
	struct sfs_iter it;
	u32 n;

	while (!fl->stop_reader) {
		sfs_item_iter_init(fs, &it, &SFS_KEY_MIN, &SFS_KEY_MAX);
		for (n = 0; n < 30 && sfs_iter_next(&it) > 0; n++)
			shim_sleep_ns(sim_rnd(&rng, 60000000));
		sfs_iter_exit(&it);
		shim_sleep_ns(sim_rnd(&rng, 500000000));
	}
}

static void used(struct sim_world *w, u64 *ret_data, u64 *ret_meta)
{
	struct sfs_alloc_detail ents[16];
	struct sfs_statfs st;
	int nr;
	u32 i;

	if (sfs_statfs(w->fs, &st))
		shim_fail("statfs");
	nr = sfs_alloc_detail(w->fs, ents, 16);
	if (nr < 0)
		shim_fail("alloc_detail: %d", nr);
	*ret_data = st.total_data_blocks;
	*ret_meta = st.used_meta_blocks << 16;
	for (i = 0; i < nr; i++)
		*ret_data -= ents[i].is_meta ? 0 : ents[i].blocks;
}

/* All space comes back; small publishes give compaction its reason. */
static void wait_empty(struct fill *fl)
{
	struct sfs_setattr set = { .mask = SFS_SET_MTIME_NOW };
	struct sim_world *w = fl->w;
	struct sfs_attr at;
	u64 data;
	u64 meta;
	u32 i;
	int ret;

	for (i = 0; i < EMPTY_TRIES; i++) {
		ret = sfs_setattr(w->fs, &super, fl->f[0].dir, &set, &at);
		if (sim_verbose && ret)
			shim_printf("emptied at %llu ms, %u: %d: level 0 %u, level 1 %u, segments %llu free, %llu owned, %llu pending\n",
				    shim_clock_ns() / 1000000, i, ret,
				    w->fs->eng.view->man->levels[0]->nr,
				    w->fs->eng.view->man->levels[1]->nr,
				    w->srv->segs.nr_free,
				    w->srv->segs.nr_owned,
				    w->srv->segs.nr_pending);
		if ((ret && ret != -ENOSPC) || sfs_sync(w->fs))
			shim_fail("an emptied volume can not be written to: %d",
				  ret);
		used(w, &data, &meta);
		if (data == fl->used_data &&
		    meta <= fl->used_meta + META_SLACK)
			return;
		shim_sleep_ns(100000000);
	}
	shim_fail("emptied, but %llu blocks of data are in use (were %llu), %llu bytes of metadata (were %llu)",
		  data, fl->used_data, meta, fl->used_meta);
}

/* ---- the run ----------------------------------------------------------------------- */

static void all(struct fill *fl, const char *name, void (*fn)(void *))
{
	u32 i;

	for (i = 0; i < NR_FILLERS; i++)
		fl->f[i].task = shim_go(name, fn, &fl->f[i]);
	for (i = 0; i < NR_FILLERS; i++)
		shim_join(fl->f[i].task);
}

static void reader(struct fill *fl, bool on)
{
	if (on) {
		fl->stop_reader = false;
		fl->reader = shim_go("reader", read_slowly, fl);
	} else {
		fl->stop_reader = true;
		shim_join(fl->reader);
	}
}

static void cut_and_recover(struct sim_world *w)
{
	struct sim_image *img[2];
	u64 seed = sim_rnd(&w->rng, 1ULL << 48);
	int i;

	sim_host_cut(w->host);
	sim_unmount(w);
	for (i = 0; i < 2; i++)
		img[i] = sim_host_image(w->host, i, seed, SIM_LOSE_SOME);
	sim_unplug(w);
	sim_plug(w, img[0], img[1]);
	w->nr_states++;
	w->nr_generations++;
	sim_check(w, "after a crash while it was full");
	sim_mount(w);
}

static void fill_begin(struct fill *fl, struct sim_world *w)
{
	struct sfs_attr at;
	char name[8];
	u32 i;

	fl->w = w;
	for (i = 0; i < NR_FILLERS; i++) {
		fl->f[i].w = w;
		fl->f[i].fl = fl;
		fl->f[i].nr = i;
		fl->f[i].rng = sim_rnd(&w->rng, 1ULL << 48);
		fl->f[i].files = sim_zalloc(MAX_FILES * sizeof(struct file));
		if (sfs_create(w->fs, &super, 1, name,
			       scnprintf(name, sizeof(name), "d%u", i),
			       S_IFDIR | 0755, 0, &at))
			shim_fail("no directory");
		fl->f[i].dir = at.ino;
	}
	if (sfs_sync(w->fs))
		shim_fail("sync");
	used(w, &fl->used_data, &fl->used_meta);
}

int sim_run_fill(u64 seed, u32 scale)
{
	struct sim_world *w = sim_world_create(seed);
	const struct sim_image *const *fresh = sim_fresh_volume();
	struct fill *fl = sim_zalloc(sizeof(*fl));
	u32 rounds = 2;

	w->freeze_bytes = 0;
	sim_plug(w, sim_image_clone(fresh[0]), sim_image_clone(fresh[1]));
	sim_mount(w);
	fill_begin(fl, w);
	fl->data = sim_rnd(&w->rng, 2);
	while (rounds--) {
		reader(fl, true);
		all(fl, "filler", fill_up);
		check_some(fl);
		reader(fl, false);
		if (sim_one_in(&w->rng, 3))
			cut_and_recover(w);
		reader(fl, true);
		all(fl, "emptier", empty_out);
		reader(fl, false);
		wait_empty(fl);
		fl->data = !fl->data;
	}
	if (sim_unmount(w))
		shim_fail("unmount");
	sim_check(w, "unmounted");
	sim_unplug(w);
	for (rounds = 0; rounds < NR_FILLERS; rounds++)
		kvfree(fl->f[rounds].files);
	kvfree(fl);
	sim_world_destroy(w);
	return 0;
}

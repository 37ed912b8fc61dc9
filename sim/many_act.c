/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs on mounts: each makes up operations from a guess of what there is,
 * runs them as a host with a cache would (hcache.c), and tells linear.c what it
 * saw.  Names and inodes are those of everybody, so what was guessed may be
 * wrong by the time it runs, and then the answer says so.
 *
 * Contents go through the cache or, as direct I/O does, by it.  What an
 * operation saw of an inode is told only if it is of one moment: not when dirty
 * pages were being written back meanwhile.
 *
 * Locks: those of inodes of the mount, as api.h wants them.
 */
#include "sim/many.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "mount/mount_types.h"
#include "shim/shim.h"

#define BUF_BYTES (PM_FILE_MAX + 8192)
#define DIR_BYTES (48U << 10)

static bool is_dirty(struct many_actor *a, u64 ino)
{
	return hcache_is_dirty(a->mnt->cache, ino);
}

static void saw_attr(struct many_call *c, const struct sfs_attr *attr,
		     bool dirty)
{
	c->attr = *attr;
	c->seen |= SEEN_ATTR | (dirty ? SEEN_DIRTY : 0);
}

static void saw_bytes(struct many_call *c, const void *buf, s64 len)
{
	if (len < 0)
		return;
	c->hash = sim_hash(0, buf, len);
	c->seen |= SEEN_HASH;
}

/* ---- names --------------------------------------------------------------- */

static s64 run_new(struct many_actor *a, struct many_call *c,
		   const struct sfs_cred *cred)
{
	struct sfs_fs *fs = a->mnt->fs;
	const struct pm_op *op = &c->op;
	struct sfs_attr attr = {};
	u8 *buf;
	s64 ret;

	if (op->type == PM_CREATE) {
		ret = sfs_create(fs, cred, op->dir, op->name, op->len,
				 op->mode, op->rdev, &attr);
		if (!ret)
			pm_map_unused(fs, &attr);
	} else {
		buf = sim_buf(op->io_len + 1);
		pm_fill(op->seed, buf, op->io_len);
		ret = sfs_symlink(fs, cred, op->dir, op->name, op->len,
				  (char *)buf, op->io_len, &attr);
		sim_buf_free(buf);
	}
	if (!ret) {
		c->ino = attr.ino;
		saw_attr(c, &attr, false);
	}
	return ret;
}

static s64 run_link(struct many_actor *a, struct many_call *c,
		    const struct sfs_cred *cred)
{
	const struct pm_op *op = &c->op;
	bool dirty = is_dirty(a, op->ino);
	struct sfs_attr attr = {};
	s64 ret;

	ret = sfs_link(a->mnt->fs, cred, op->ino, op->dir, op->name, op->len,
		       &attr);
	if (!ret && !dirty)
		saw_attr(c, &attr, false);
	return ret;
}

static s64 run_names(struct many_actor *a, struct many_call *c,
		     const struct sfs_cred *cred)
{
	struct sfs_fs *fs = a->mnt->fs;
	const struct pm_op *op = &c->op;
	const u64 inos[4] = { op->dir, op->ino, op->dir2, op->ino2 };
	bool across = op->type == PM_RENAME && op->dir != op->dir2;
	struct sfs_ilock il;
	s64 ret;

	if (across)
		sfs_rename_lock(fs);
	sfs_ilock_excl(fs, &il, inos[0], inos[1], inos[2], inos[3]);
	hcache_change_begin(a->mnt->cache, inos, 4);
	switch (op->type) {
	case PM_LINK:
		ret = run_link(a, c, cred);
		break;
	case PM_UNLINK:
		ret = sfs_unlink(fs, cred, op->dir, op->name, op->len, op->ino);
		break;
	case PM_RMDIR:
		ret = sfs_rmdir(fs, cred, op->dir, op->name, op->len, op->ino);
		break;
	case PM_RENAME:
		ret = sfs_rename(fs, cred, op->dir, op->name, op->len, op->ino,
				 op->dir2, op->name2, op->len2, op->ino2,
				 op->flags);
		break;
	default:
		ret = run_new(a, c, cred);
		break;
	}
	hcache_change_end(a->mnt->cache, inos, 4);
	sfs_iunlock(fs, &il);
	if (across)
		sfs_rename_unlock(fs);
	return ret;
}

static s64 run_lookup(struct many_actor *a, struct many_call *c,
		      const struct sfs_cred *cred)
{
	struct hcache *hc = a->mnt->cache;
	const struct pm_op *op = &c->op;
	struct sfs_attr attr = {};
	bool dirty = false;
	struct sfs_ilock il;
	s64 ret;

	if (c->direct) {
		sfs_ilock_shared(a->mnt->fs, &il, op->dir);
		ret = sfs_lookup(a->mnt->fs, cred, op->dir, op->name, op->len,
				 &attr);
		sfs_iunlock(a->mnt->fs, &il);
		/* pages may have been written back since it looked */
		dirty = true;
	} else {
		ret = hcache_lookup(hc, cred, op->dir, op->name, op->len,
				    &attr, &dirty);
	}
	if (ret)
		return ret;
	c->ino = attr.ino;
	if (!c->direct && attr.mode)
		saw_attr(c, &attr, dirty);
	return 0;
}

static s64 run_readdir(struct many_actor *a, struct many_call *c,
		       const struct sfs_cred *cred)
{
	struct sfs_fs *fs = a->mnt->fs;
	u8 *buf = sim_zalloc(DIR_BYTES);
	const struct sfs_dirent *d;
	struct sfs_ilock il;
	u64 pos = 0;
	s64 ret;
	s64 at;

	sfs_ilock_shared(fs, &il, c->op.dir);
	ret = sfs_readdir(fs, cred, c->op.dir, 0, buf, DIR_BYTES);
	sfs_iunlock(fs, &il);
	for (at = 0; at < ret; at += d->rec_len) {
		d = (const void *)(buf + at);
		if (d->pos < pos || d->next_pos <= d->pos)
			shim_fail("directory %llu: position %llu, next %llu after %llu",
				  c->op.dir, d->pos, d->next_pos, pos);
		pos = d->next_pos;
		if (d->pos >= 2)
			c->hash += lin_entry_hash(d->name, d->name_len,
						  d->ino);
	}
	kvfree(buf);
	return min(ret, 0LL);
}

/* ---- contents ------------------------------------------------------------ */

static s64 run_read(struct many_actor *a, struct many_call *c)
{
	struct sfs_fs *fs = a->mnt->fs;
	const struct pm_op *op = &c->op;
	u8 *buf = sim_buf(op->io_len + 8);
	u8 *at = op->seed & 1 ? buf + 5 : buf;
	struct sfs_ilock il;
	s64 ret;

	if (c->direct) {
		sfs_ilock_excl(fs, &il, op->ino, 0, 0, 0);
		hcache_flush(a->mnt->cache, op->ino, false);
		ret = sfs_file_read(fs, op->ino, op->off, at, op->io_len);
		sfs_iunlock(fs, &il);
	} else {
		ret = hcache_read(a->mnt->cache, op->ino, op->off, at,
				  op->io_len);
	}
	saw_bytes(c, at, ret);
	if (ret > 0) {
		c->data = sim_zalloc(ret);
		memcpy(c->data, at, ret);
	}
	sim_buf_free(buf);
	return ret;
}

/* In a use for writing, which makes several calls one. */
static s64 write_direct(struct many_actor *a, struct many_call *c, u8 *buf)
{
	struct sfs_fs *fs = a->mnt->fs;
	struct pm_op *op = &c->op;
	struct sfs_attr attr = {};
	s64 ret;

	ret = sfs_getattr(fs, op->ino, &attr);
	if (ret)
		return ret;
	if (c->append)
		op->off = attr.size;
	if ((op->seed & 2) && pm_can_write_mapped(fs, op)) {
		memset(buf + op->io_len, 0, -op->io_len & 4095);
		return pm_write_mapped(fs, op, buf);
	}
	if (op->seed & 1) {
		memmove(buf + 1 + op->seed % 100, buf, op->io_len);
		buf += 1 + op->seed % 100;
	}
	return sfs_file_write(fs, op->ino, op->off, buf, op->io_len);
}

static s64 run_write(struct many_actor *a, struct many_call *c)
{
	struct hcache *hc = a->mnt->cache;
	struct sfs_fs *fs = a->mnt->fs;
	struct pm_op *op = &c->op;
	u8 *buf = sim_buf(op->io_len + 8192);
	s64 ret = -EOPNOTSUPP;
	struct sfs_ilock il;
	struct sfs_use use;

	pm_fill(op->seed, buf, op->io_len);
	sfs_ilock_excl(fs, &il, op->ino, 0, 0, 0);
	if (!c->direct)
		ret = hcache_write(hc, op->ino, op->off, buf, op->io_len,
				   c->append, &op->off);
	if (ret == -EOPNOTSUPP) {
		c->direct = true;
		hcache_flush(hc, op->ino, true);
		hcache_change_begin(hc, &op->ino, 1);
		ret = sfs_use_begin(fs, op->ino, SFS_USE_WRITE, &use);
		if (!ret) {
			ret = write_direct(a, c, buf);
			sfs_use_end(fs, &use);
		}
		hcache_change_end(hc, &op->ino, 1);
	}
	sfs_iunlock(fs, &il);
	sim_buf_free(buf);
	return ret;
}

/* ---- the rest ------------------------------------------------------------ */

static s64 run_setattr(struct many_actor *a, struct many_call *c,
		       const struct sfs_cred *cred)
{
	struct hcache *hc = a->mnt->cache;
	struct sfs_fs *fs = a->mnt->fs;
	struct sfs_attr attr = {};
	struct sfs_ilock il;
	s64 ret;

	sfs_ilock_excl(fs, &il, c->op.ino, 0, 0, 0);
	hcache_flush(hc, c->op.ino, true);
	hcache_change_begin(hc, &c->op.ino, 1);
	ret = sfs_setattr(fs, cred, c->op.ino, &c->op.set, &attr);
	hcache_change_end(hc, &c->op.ino, 1);
	sfs_iunlock(fs, &il);
	if (!ret)
		saw_attr(c, &attr, false);
	return ret;
}

static s64 run_stat(struct many_actor *a, struct many_call *c)
{
	struct hcache *hc = a->mnt->cache;
	struct sfs_fs *fs = a->mnt->fs;
	struct sfs_attr attr = {};
	bool dirty = false;
	struct sfs_ilock il;
	s64 ret;

	if (c->direct) {
		sfs_ilock_excl(fs, &il, c->op.ino, 0, 0, 0);
		hcache_flush(hc, c->op.ino, false);
		ret = c->op.seed & 1 ? sfs_getattr(fs, c->op.ino, &attr) :
				       sfs_stat_more(fs, c->op.ino, &attr);
		sfs_iunlock(fs, &il);
	} else {
		ret = hcache_getattr(hc, c->op.ino, &attr, &dirty);
	}
	if (!ret)
		saw_attr(c, &attr, dirty);
	return ret;
}

static s64 run_xattr(struct many_actor *a, struct many_call *c,
		     const struct sfs_cred *cred)
{
	struct hcache *hc = a->mnt->cache;
	struct sfs_fs *fs = a->mnt->fs;
	const struct pm_op *op = &c->op;
	u8 *buf = sim_buf(op->io_len + 1);
	struct sfs_ilock il;
	s64 ret;

	if (op->type == PM_GETXATTR) {
		ret = sfs_getxattr(fs, cred, op->ino, op->name, buf,
				   op->io_len);
		if (op->io_len)
			saw_bytes(c, buf, ret);
		sim_buf_free(buf);
		return ret;
	}
	pm_fill(op->seed, buf, op->io_len);
	sfs_ilock_excl(fs, &il, op->ino, 0, 0, 0);
	hcache_change_begin(hc, &op->ino, 1);
	if (op->type == PM_SETXATTR)
		ret = sfs_setxattr(fs, cred, op->ino, op->name, buf,
				   op->io_len, op->flags);
	else
		ret = sfs_removexattr(fs, cred, op->ino, op->name);
	hcache_change_end(hc, &op->ino, 1);
	sfs_iunlock(fs, &il);
	sim_buf_free(buf);
	return ret;
}

static s64 run_readlink(struct many_actor *a, struct many_call *c)
{
	u8 *buf = sim_buf(c->op.io_len + 1);
	s64 ret;

	ret = sfs_readlink(a->mnt->fs, c->op.ino, (char *)buf, c->op.io_len);
	saw_bytes(c, buf, ret);
	sim_buf_free(buf);
	return ret;
}

static s64 run_open(struct many_actor *a, struct many_call *c)
{
	s64 ret;
	u32 i;

	if (c->op.type == PM_OPEN) {
		ret = sfs_inode_open(a->mnt->fs, c->op.ino, NULL);
		if (!ret)
			a->opens[a->nr_opens++] = c->op.ino;
		return ret;
	}
	sfs_inode_close(a->mnt->fs, c->op.ino);
	for (i = 0; a->opens[i] != c->op.ino; i++)
		;
	a->opens[i] = a->opens[--a->nr_opens];
	return 0;
}

static s64 run_sync(struct many_actor *a, struct many_call *c)
{
	s64 ret = hcache_flush_all(a->mnt->cache);
	s64 err;

	err = c->op.type == PM_SYNC ? sfs_sync(a->mnt->fs) :
				      sfs_fsync(a->mnt->fs, c->op.ino, 0);
	if (!ret && !err)
		a->mnt->synced = max(a->mnt->synced, c->begin);
	return ret ?: err;
}

static s64 run_call(struct many_actor *a, struct many_call *c)
{
	struct sfs_cred cred;

	pm_cred(c->op.cred, &cred);
	switch (c->op.type) {
	case PM_LOOKUP:
		return run_lookup(a, c, &cred);
	case PM_READDIR:
		return run_readdir(a, c, &cred);
	case PM_READ:
		return run_read(a, c);
	case PM_WRITE:
		return run_write(a, c);
	case PM_SETATTR:
		return run_setattr(a, c, &cred);
	case PM_STAT_MORE:
		return run_stat(a, c);
	case PM_SETXATTR:
	case PM_GETXATTR:
	case PM_REMOVEXATTR:
		return run_xattr(a, c, &cred);
	case PM_READLINK:
		return run_readlink(a, c);
	case PM_OPEN:
	case PM_CLOSE:
		return run_open(a, c);
	case PM_FSYNC:
	case PM_SYNC:
		return run_sync(a, c);
	}
	return run_names(a, c, &cred);
}

/* ---- making up ----------------------------------------------------------- */

/* What an actor does most. */
static const u32 focuses[] = {
	~0U,
	~0U,
	1U << PM_WRITE | 1U << PM_SETATTR | 1U << PM_STAT_MORE | 1U << PM_READ |
		1U << PM_CREATE,
	1U << PM_CREATE | 1U << PM_SYMLINK | 1U << PM_LINK | 1U << PM_UNLINK |
		1U << PM_RMDIR | 1U << PM_RENAME | 1U << PM_OPEN |
		1U << PM_LOOKUP | 1U << PM_READDIR,
	1U << PM_LOOKUP | 1U << PM_READ | 1U << PM_READDIR |
		1U << PM_STAT_MORE | 1U << PM_GETXATTR,
};

/* Does it happen where the actor is at home? */
static bool is_home(const struct many_actor *a, const struct posix *pm,
		    const struct pm_op *op)
{
	u32 i;

	if (!a->home || op->dir == a->home)
		return true;
	for (i = 0; !op->dir && i < pm->nr_ents; i++) {
		if (pm->ents[i].ino == op->ino && pm->ents[i].dir == a->home)
			return true;
	}
	return false;
}

static void find_home(struct many_actor *a, const struct posix *pm)
{
	const struct pm_inode *in = pm_inode(pm, a->home);

	if (in && in->nlink && !sim_one_in(&a->rng, 60))
		return;
	a->home = 0;
	in = &pm->inodes[sim_rnd(&a->rng, PM_MAX_INODES)];
	if (in->ino && S_ISDIR(in->mode) && in->nlink &&
	    sim_one_in(&a->rng, 2))
		a->home = in->ino;
}

/* Opens are the actor's own; files are as large as this run wants them. */
static void adapt(struct many_actor *a, const struct posix *pm,
		  struct pm_op *op)
{
	u32 limit = a->m->opts.max_file;

	if ((op->type == PM_CLOSE || op->type == PM_OPEN) &&
	    a->m->opts.no_opens) {
		op->type = PM_STAT_MORE;
		op->ino = 1;
	}
	if (op->type == PM_CLOSE || op->type == PM_OPEN) {
		op->type = PM_OPEN;
		if (a->nr_opens == MANY_MAX_OPENS ||
		    (a->nr_opens && sim_one_in(&a->rng, 2))) {
			op->type = PM_CLOSE;
			op->ino = a->opens[sim_rnd(&a->rng, a->nr_opens)];
		}
		return;
	}
	if (op->type == PM_WRITE || op->type == PM_READ) {
		op->off %= limit;
		if (op->io_len > limit / 2)
			op->io_len %= limit / 2;
	}
	if (op->type == PM_SETATTR && (op->set.mask & SFS_SET_SIZE))
		op->set.size %= limit + 4096;
	/* those that are open and have no name any more */
	if (a->nr_opens && !op->dir && op->ino && sim_one_in(&a->rng, 4))
		op->ino = a->opens[sim_rnd(&a->rng, a->nr_opens)];
}

static void make_up(struct many_actor *a, struct many_call *c)
{
	const struct posix *pm = lin_guess(a->m->lin);
	u32 tries = 10;

	find_home(a, pm);
	do {
		pm_generate(pm, &a->rng, &c->op);
	} while (tries-- && (!(a->focus >> c->op.type & 1) ||
			     !is_home(a, pm, &c->op)));
	/* ambiguity that grows wants somebody to look */
	if (lin_width(a->m->lin) > 24 && c->op.ino && !c->op.dir)
		c->op.type = PM_READ;
	adapt(a, pm, &c->op);
	c->append = c->op.type == PM_WRITE && sim_one_in(&a->rng, 3);
	c->direct = sim_one_in(&a->rng, 3);
	if (c->append)
		c->op.off = 0;
}

/* ---- a step -------------------------------------------------------------- */

/* The model holds no files larger than this; who appends may not know. */
static bool is_too_much(const struct many_actor *a, const struct many_call *c)
{
	const struct pm_inode *in = pm_inode(lin_guess(a->m->lin), c->op.ino);

	return c->append &&
	       in && in->size + (u64)c->op.io_len * (MANY_MAX_ACTORS + 1) >
			     PM_FILE_MAX;
}

static u64 txn_nr(struct sfs_fs *fs)
{
	u64 nr;

	spin_lock(&fs->txn_lock);
	nr = fs->txn ? fs->txn->nr : 0;
	spin_unlock(&fs->txn_lock);
	return nr;
}

/* Has anybody of this mount the inode open? */
static bool has_open(const struct many_actor *a, u64 ino)
{
	const struct many_actor *b;
	u32 i;
	u32 k;

	for (i = 0; i < a->m->nr_actors; i++) {
		b = &a->m->actors[i];
		for (k = 0; b->mnt == a->mnt && k < b->nr_opens; k++) {
			if (b->opens[k] == ino)
				return true;
		}
	}
	return false;
}

static void step(struct many_actor *a)
{
	struct many_call *c = sim_zalloc(sizeof(*c));
	struct many *m = a->m;

	make_up(a, c);
	if (is_too_much(a, c)) {
		kvfree(c);
		return;
	}
	c->actor = a->nr;
	c->mount = a->mnt->nr;
	c->begin = ++m->w->events;
	c->began_ns = shim_clock_ns();
	c->txn_first = txn_nr(a->mnt->fs);
	c->mine = has_open(a, c->op.ino);
	lin_begin(m->lin, c);
	a->call = c;
	c->ret = run_call(a, c);
	a->call = NULL;
	c->mine &= has_open(a, c->op.ino);
	c->txn_last = txn_nr(a->mnt->fs);
	c->ended_ns = shim_clock_ns();
	c->end = ++m->w->events;
	/* dirty pages may be lost by now, and with them what others saw */
	if (many_is_dead(a->mnt) || m->late)
		c->unknown = true;
	m->nr_ops++;
	m->nr_good += c->ret >= 0;
	m->w->nr_ops++;
	sim_trace_add(m->w, c->op.type ^ (u64)c->ret << 8);
	sim_trace_add(m->w, shim_clock_ns());
	lin_end(m->lin, c);
}

void many_act(void *arg)
{
	struct many_actor *a = arg;

	while (a->ops_left && !a->m->stop && !many_is_dead(a->mnt)) {
		a->ops_left--;
		step(a);
		if (sim_one_in(&a->rng, 4))
			shim_sleep_ns(sim_rnd(&a->rng, a->think_us) * 1000ULL);
		/* what a host writes back by itself */
		if (sim_one_in(&a->rng, 40))
			hcache_flush_all(a->mnt->cache);
	}
	a->alive = false;
}

void many_actor_init(struct many *m, u32 nr, struct many_mount *mnt)
{
	struct many_actor *a = &m->actors[nr];

	a->m = m;
	a->mnt = mnt;
	a->nr = nr;
	a->rng = sim_rnd(&m->w->rng, 1ULL << 48);
	a->focus = focuses[sim_rnd(&m->w->rng, ARRAY_SIZE(focuses))];
	a->think_us = 1 << sim_rnd(&m->w->rng, 17);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left when mounts died, all of them with the machine or one alone.
 *
 * A mount that dies takes with it what it had not published; it publishes its
 * transactions in order.  So of each dead mount those calls are left that were
 * in transactions up to one of which the last that is known to be durable is
 * the smallest choice, and that and the next the only ones.  Whoever saw what a
 * mount changed did so after it was published, so what is left makes sense by
 * itself: the calls that are left give the same answers without the others, in
 * the order that was found.  That is replayed from the state at the last
 * settling, for every choice, until one is what is there.
 *
 * Two things are weaker.  A call that nobody learned the end of, or during which
 * a transaction was frozen, may be on either side.  And files that were written
 * through the cache or in place by what may be lost have whatever size and
 * contents they have.
 */
#include "sim/many.h"

#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "shim/shim.h"

#define MAX_CALLS 8192
#define MAX_UNSURE 9
#define MAX_LOOSE 256
#define WHY 300

struct replay {
	const struct lin_fate *fate;
	const struct sim_tree *t;
	struct many_call *calls[MAX_CALLS];	/* in their order */
	u32 nr;
	u32 unsure[MAX_UNSURE];	/* of them */
	u32 nr_unsure;
	u64 loose[MAX_LOOSE];	/* inodes whose contents may be anything */
	u32 nr_loose;
	u64 durable[MANY_MAX_MOUNTS];
	u32 unsure_in;		/* bits */
	char why[WHY];
};

static void loosen(struct replay *r, u64 ino)
{
	u32 i;

	for (i = 0; i < r->nr_loose; i++) {
		if (r->loose[i] == ino)
			return;
	}
	if (r->nr_loose < MAX_LOOSE)
		r->loose[r->nr_loose++] = ino;
}

static bool is_loose(const struct replay *r, u64 ino)
{
	u32 i;

	for (i = 0; i < r->nr_loose; i++) {
		if (r->loose[i] == ino)
			return true;
	}
	return false;
}

static bool resizes(const struct many_call *c)
{
	return c->op.type == PM_WRITE ||
	       (c->op.type == PM_SETATTR && (c->op.set.mask & SFS_SET_SIZE));
}

/* What was made by a call that was cut off shows where it is. */
static void find_made(struct replay *r, struct many_call *c)
{
	const struct sim_name *n;
	u32 i;

	if (!c->unknown || c->ino ||
	    (c->op.type != PM_CREATE && c->op.type != PM_SYMLINK))
		return;
	for (i = 0; i < r->t->nr_names; i++) {
		n = &r->t->names[i];
		if (n->dir == c->op.dir && n->len == c->op.len &&
		    !memcmp(n->name, c->op.name, n->len))
			c->ino = n->ino;
	}
}

static void collect(struct replay *r, const struct lin_state *st,
		    struct many_call *const *running, u32 nr_running)
{
	const struct lin_step *step;
	struct many_call *c;
	u32 i;

	r->nr = 0;
	for (step = st->last; step; step = step->prev)
		r->nr++;
	if (r->nr + nr_running > MAX_CALLS)
		shim_fail("%u calls since the last settling", r->nr);
	i = r->nr;
	for (step = st->last; step; step = step->prev)
		r->calls[--i] = step->call;
	for (i = 0; i < nr_running; i++) {
		if (!(st->done >> running[i]->actor & 1) &&
		    lin_changes(running[i]))
			r->calls[r->nr++] = running[i];
	}
	for (i = 0; i < r->nr; i++) {
		c = r->calls[i];
		find_made(r, c);
		if (resizes(c) &&
		    (c->unknown || (r->fate[c->mount].dead &&
				    (!c->direct || c->txn_last >
						   r->fate[c->mount].durable))))
			loosen(r, c->op.ino);
	}
}

/* Which calls may be on either side, given the last durable transactions. */
static void find_unsure(struct replay *r)
{
	const struct many_call *c;
	u32 i;

	r->nr_unsure = 0;
	for (i = 0; i < r->nr && r->nr_unsure < MAX_UNSURE; i++) {
		c = r->calls[i];
		if (!r->fate[c->mount].dead ? c->unknown :
		    c->txn_first <= r->durable[c->mount] &&
		    (c->unknown || c->txn_last > r->durable[c->mount]))
			r->unsure[r->nr_unsure++] = i;
	}
}

static bool is_left(const struct replay *r, u32 i)
{
	const struct many_call *c = r->calls[i];
	u32 k;

	/* these are no changes of the volume, and are counted again */
	if (c->op.type == PM_OPEN || c->op.type == PM_CLOSE)
		return !c->unknown;
	for (k = 0; k < r->nr_unsure; k++) {
		if (r->unsure[k] == i)
			return r->unsure_in >> k & 1;
	}
	return !r->fate[c->mount].dead ||
	       c->txn_first <= r->durable[c->mount];
}

/* Files nobody has open on a mount that lives are gone. */
static void recount_opens(struct lin_state *st, const struct many *m)
{
	const struct many_actor *a;
	struct pm_inode *in;
	u32 i;
	u32 k;
	u32 n;

	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &st->pm->inodes[i];
		if (!in->ino)
			continue;
		in->opens = 2;
		for (k = 0; k < m->nr_actors; k++) {
			a = &m->actors[k];
			for (n = 0; n < a->nr_opens; n++)
				in->opens += a->opens[n] == in->ino;
		}
		lin_state_close(st, in->ino);
	}
}

/* Contents and sizes that nobody can know, and what the model never knows. */
static void take_loose(const struct replay *r, struct lin_state *st)
{
	const struct sim_node *n;
	struct pm_inode *in;
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &st->pm->inodes[i];
		n = in->ino ? sim_tree_node(r->t, in->ino) : NULL;
		if (!n)
			continue;
		st->open[i] = (struct lin_open) { };
		in->mtime = n->attr.mtime;
		in->ctime = n->attr.ctime;
		in->crtime = n->attr.crtime;
		in->data_version = n->attr.data_version;
		in->data_seq = n->attr.data_seq;
		in->meta_seq = n->attr.meta_seq;
		if (S_ISREG(in->mode) && is_loose(r, in->ino) &&
		    n->attr.size <= PM_FILE_MAX)
			lin_state_contents(st, in->ino, n->data, n->attr.size);
	}
}

static bool try_one(struct replay *r, const struct many *m,
		    struct lin_state *st)
{
	char why[WHY] = "";
	u32 i;

	for (i = 0; i < r->nr; i++) {
		if (!is_left(r, i))
			continue;
		if (lin_redo(st, r->calls[i], why, WHY))
			continue;
		/* a call that was cut off may as well not have happened */
		if (r->calls[i]->unknown)
			return false;
		scnprintf(r->why, WHY, "mount %u, actor %u at %llu ms: %s",
			  r->calls[i]->mount, r->calls[i]->actor,
			  r->calls[i]->began_ns / 1000000, why);
		return false;
	}
	recount_opens(st, m);
	take_loose(r, st);
	return lin_tree_fits(st, r->t, r->why, WHY);
}

/* All choices of what is durable for mount @nr and those behind it. */
static struct lin_state *try_all(struct replay *r, const struct many *m,
				 const struct lin_state *base, u32 nr)
{
	struct lin_state *st = NULL;
	u32 tries;
	u32 d;

	if (nr < MANY_MAX_MOUNTS) {
		for (d = 0; d <= r->fate[nr].dead && !st; d++) {
			r->durable[nr] = r->fate[nr].durable + d;
			st = try_all(r, m, base, nr + 1);
		}
		return st;
	}
	find_unsure(r);
	tries = 1U << r->nr_unsure;
	/* most of the time all that may be there is */
	for (r->unsure_in = tries; r->unsure_in--;) {
		st = lin_state_clone(base);
		st->last = NULL;
		if (try_one(r, m, st))
			return st;
		lin_state_free(st);
	}
	return NULL;
}

struct lin_state *lin_crash_state(const struct many *m,
				  const struct lin_state *base,
				  const struct lin_state *st,
				  struct many_call *const *running,
				  u32 nr_running, const struct sim_tree *t,
				  const struct lin_fate *fate, char *why,
				  u32 size)
{
	struct replay *r = sim_zalloc(sizeof(*r));
	struct lin_state *found;

	r->fate = fate;
	r->t = t;
	collect(r, st, running, nr_running);
	found = try_all(r, m, base, 0);
	strscpy(why, r->why, size);
	kvfree(r);
	return found;
}

/* Who has no name is not in the tree: what it is now has to be asked for. */
void lin_crash_unnamed(struct lin_state *st, struct sfs_fs *fs)
{
	u8 *buf = sim_buf(PM_FILE_MAX);
	struct sfs_attr at = {};
	struct pm_inode *in;
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &st->pm->inodes[i];
		if (!in->ino || in->nlink || sfs_getattr(fs, in->ino, &at))
			continue;
		in->mode = at.mode;
		in->uid = at.uid;
		in->gid = at.gid;
		in->mtime = at.mtime;
		in->ctime = at.ctime;
		in->data_version = at.data_version;
		in->data_seq = at.data_seq;
		in->meta_seq = at.meta_seq;
		st->open[i] = (struct lin_open) { };
		if (S_ISREG(in->mode) && at.size <= PM_FILE_MAX &&
		    sfs_file_read(fs, in->ino, 0, buf, at.size) == at.size)
			lin_state_contents(st, in->ino, buf, at.size);
	}
	sim_buf_free(buf);
}

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
 * an order that was found.  That is replayed from the state at the last
 * settling, for every choice, until one is what is there.
 *
 * There may have been several orders that led to the same state, because a call
 * that is lost now had made them alike: who has overwritten whom in a file is
 * forgotten when the file is deleted.  So states are replayed in sets, along
 * all the ways that led there (struct lin_step), and become one again where
 * they are alike in what is left.
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
#define MAX_WAYS 64
#define WHY 300

struct replay {
	const struct lin_fate *fate;
	const struct sim_tree *t;
	struct lin_wreck *wreck;
	struct lin_step **steps;	/* in their order */
	u32 nr_steps;
	struct many_call *calls[MAX_CALLS];	/* of them */
	u32 nr;
	u32 unsure[MAX_UNSURE];	/* of these */
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

static void add_call(struct replay *r, struct many_call *c)
{
	const struct lin_fate *fate = &r->fate[c->mount];

	/* in another order it was here already */
	if (c->place < r->nr && r->calls[c->place] == c)
		return;
	if (r->nr == MAX_CALLS)
		shim_fail("%u calls since the last settling", r->nr);
	c->place = r->nr++;
	r->calls[c->place] = c;
	find_made(r, c);
	if (resizes(c) &&
	    (c->unknown ||
	     (fate->dead && (!c->direct || c->txn_last > fate->durable))))
		loosen(r, c->op.ino);
}

static bool is_to_come(const struct lin_wreck *w, const struct many_call *c)
{
	return !(w->st->done >> c->actor & 1) && lin_changes(c);
}

static void collect(struct replay *r)
{
	const struct lin_wreck *w = r->wreck;
	u32 i;

	r->steps = lin_steps_to(w->st->last, &r->nr_steps);
	for (i = 0; i < r->nr_steps; i++) {
		if (r->steps[i]->call)
			add_call(r, r->steps[i]->call);
	}
	for (i = 0; i < w->nr_running; i++) {
		if (is_to_come(w, w->running[i]))
			add_call(r, w->running[i]);
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

static bool is_left(const struct replay *r, const struct many_call *c)
{
	u32 k;

	/* these are no changes of the volume, and are counted again */
	if (c->op.type == PM_OPEN || c->op.type == PM_CLOSE)
		return !c->unknown;
	for (k = 0; k < r->nr_unsure; k++) {
		if (r->unsure[k] == c->place)
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

/* ---- replaying ----------------------------------------------------------- */

static void free_ways(struct lin_state *ways)
{
	struct lin_state *st;

	while ((st = ways)) {
		ways = st->next;
		lin_state_free(st);
	}
}

/* All that may be after @step, for one of those that come next. */
static struct lin_state *ways_after(struct replay *r, struct lin_step *step)
{
	struct lin_state *ways = NULL;
	const struct lin_state *st;
	struct lin_state *new;

	if (!step) {
		new = lin_state_clone(r->wreck->base);
		new->last = NULL;
		return new;
	}
	if (!--step->waiting) {
		swap(ways, step->ways);
		return ways;
	}
	for (st = step->ways; st; st = st->next) {
		new = lin_state_clone(st);
		new->next = ways;
		ways = new;
	}
	return ways;
}

static void add_ways(struct replay *r, struct lin_state **ways,
		     struct lin_state *more)
{
	struct lin_state *old;
	struct lin_state *st;
	u32 nr;

	while ((st = more)) {
		more = st->next;
		lin_state_hash(st);
		nr = 0;
		for (old = *ways; old && old->hash != st->hash; old = old->next)
			nr++;
		if (old || nr == MAX_WAYS) {
			r->wreck->blurred |= !old;
			lin_state_free(st);
			continue;
		}
		st->next = *ways;
		*ways = st;
	}
}

static bool redo(struct replay *r, struct lin_state *st, struct many_call *c)
{
	char why[WHY] = "";

	if (lin_redo(st, c, why, WHY))
		return true;
	/* a call that was cut off may as well not have happened */
	if (!c->unknown)
		scnprintf(r->why, WHY, "mount %u, actor %u at %llu ms: %s",
			  c->mount, c->actor, c->began_ns / 1000000, why);
	return false;
}

/* Those in which it can happen remain. */
static struct lin_state *happen(struct replay *r, struct lin_state *ways,
				struct many_call *c)
{
	struct lin_state **at = &ways;
	struct lin_state *st;

	if (!is_left(r, c))
		return ways;
	while ((st = *at)) {
		if (redo(r, st, c)) {
			at = &st->next;
		} else {
			*at = st->next;
			lin_state_free(st);
		}
	}
	return ways;
}

static struct lin_state *replay_steps(struct replay *r)
{
	const struct lin_wreck *w = r->wreck;
	struct lin_state *ways;
	struct lin_step *step;
	u32 i;

	for (i = 0; i < r->nr_steps; i++)
		r->steps[i]->waiting = r->steps[i]->users;
	for (i = 0; i < r->nr_steps; i++) {
		step = r->steps[i];
		if (step->call) {
			step->ways = happen(r, ways_after(r, step->prev),
					    step->call);
			continue;
		}
		add_ways(r, &step->ways, ways_after(r, step->prev));
		add_ways(r, &step->ways, ways_after(r, step->other));
	}
	ways = ways_after(r, w->st->last);
	for (i = 0; i < w->nr_running; i++) {
		if (is_to_come(w, w->running[i]))
			ways = happen(r, ways, w->running[i]);
	}
	return ways;
}

static struct lin_state *try_one(struct replay *r)
{
	struct lin_state *ways = replay_steps(r);
	struct lin_state *st;

	while ((st = ways)) {
		ways = st->next;
		recount_opens(st, r->wreck->m);
		take_loose(r, st);
		if (lin_tree_fits(st, r->t, r->why, WHY))
			break;
		lin_state_free(st);
	}
	free_ways(ways);
	if (st)
		st->next = NULL;
	return st;
}

static void tell(const struct replay *r)
{
	u32 i;

	if (!r->wreck->tell)
		return;
	for (i = 0; i < MANY_MAX_MOUNTS; i++) {
		if (r->fate[i].dead)
			shim_eprintf("mount %u to %llu, ", i, r->durable[i]);
	}
	shim_eprintf("%x of %u calls that are unsure: %s\n", r->unsure_in,
		     r->nr_unsure, r->why);
}

/* All choices of what is durable for mount @nr and those behind it. */
static struct lin_state *try_all(struct replay *r, u32 nr)
{
	struct lin_state *st = NULL;
	u32 tries;
	u32 d;

	if (nr < MANY_MAX_MOUNTS) {
		for (d = 0; d <= r->fate[nr].dead && !st; d++) {
			r->durable[nr] = r->fate[nr].durable + d;
			st = try_all(r, nr + 1);
		}
		return st;
	}
	find_unsure(r);
	tries = 1U << r->nr_unsure;
	/* most of the time all that may be there is */
	for (r->unsure_in = tries; !st && r->unsure_in--;) {
		r->why[0] = '\0';
		st = try_one(r);
		if (!st)
			tell(r);
	}
	return st;
}

struct lin_state *lin_crash_state(struct lin_wreck *wreck, char *why, u32 size)
{
	struct replay *r = sim_zalloc(sizeof(*r));
	struct lin_state *found;

	r->wreck = wreck;
	r->fate = wreck->fate;
	r->t = wreck->t;
	collect(r);
	found = try_all(r, 0);
	strscpy(why, r->why, size);
	kvfree(r->steps);
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

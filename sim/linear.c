/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is there an order of all calls, in which each comes between its begin and its
 * end, that explains what everybody saw?
 *
 * All states that the volume may be in are kept (linear_state.c), one most of
 * the time.  When a call ends it has happened: in a state that does not have it
 * yet it happens now, or after others that run at that moment and have to do
 * with it (Wing and Gong's search, where Lowe's "just in time" leaves what is
 * not needed yet for later).  A state in which what was seen can not happen is
 * dropped; when none is left, there is no such order.  States that are alike
 * become one, which knows all the ways that led there: a crash may undo what
 * made them alike (linear_crash.c).
 *
 * An end is looked at when what all calls that ran then saw is known, so this
 * lags behind what happens by the longest of them.
 *
 * Names of a directory are a set here; their order is compared only at rest.
 */
#include "sim/many.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "shim/shim.h"

#define MAX_STATES 192
#define SHOW_CALLS 60
#define WHY 300
#define MAX_SHUFFLES 40

struct event {
	struct many_call *call;
	bool is_end;
};

struct lin {
	struct many *m;
	struct lin_state *base;		/* at the last settling */
	struct lin_state *states[MAX_STATES];
	u32 nr_states;
	u32 most_states;
	bool blurred;		/* states were dropped for want of room */
	bool lost;		/* and then none was left */
	bool talk;		/* SIM_CALLS=1: a line a call */
	struct many_call *running[MANY_MAX_ACTORS];
	struct event *events;
	u32 first_event;
	u32 nr_events;
	u32 max_events;
	struct many_call **calls;	/* since the last settling */
	u32 nr_calls;
	u32 max_calls;
};

static void *grown(void *old, u32 nr, u32 *max, size_t size)
{
	void *new;

	if (nr < *max)
		return old;
	*max = max(*max * 2, 256U);
	new = sim_zalloc(*max * size);
	if (old)
		memcpy(new, old, nr * size);
	kvfree(old);
	return new;
}

/* ---- reports ------------------------------------------------------------- */

static void show_call(const struct many_call *c)
{
	char text[400];

	pm_op_to_text(&c->op, text, sizeof(text));
	shim_eprintf("  %llu.%06llu to %llu.%06llu ms, mount %u, actor %u, transactions %llu to %llu: %lld%s, ino %llu%s%s: %s\n",
		     c->began_ns / 1000000, c->began_ns % 1000000,
		     c->ended_ns / 1000000, c->ended_ns % 1000000, c->mount,
		     c->actor, c->txn_first, c->txn_last, c->ret,
		     c->unknown ? " (unknown)" : "", c->ino,
		     c->append ? ", append" : "", c->direct ? ", direct" : "",
		     text);
	if (c->seen & SEEN_ATTR)
		shim_eprintf("    saw inode %llu: mode %o, nlink %u, size %llu, meta_seq %llu, data_seq %llu, data_version %llu, ctime %lld.%09u%s\n",
			     c->attr.ino, c->attr.mode, c->attr.nlink,
			     c->attr.size, c->attr.meta_seq, c->attr.data_seq,
			     c->attr.data_version, c->attr.ctime.sec,
			     c->attr.ctime.nsec,
			     c->seen & SEEN_DIRTY ? ", dirty" : "");
}

/* All that has to do with it, or with what has, from its directory on. */
static void show_history(const struct lin *l, const struct many_call *about)
{
	u32 show[SHOW_CALLS];
	u32 nr = 0;
	u32 i;

	for (i = l->nr_calls; i-- && nr < SHOW_CALLS;) {
		if (l->calls[i] == about || lin_related(l->calls[i], about))
			show[nr++] = i;
	}
	shim_eprintf("what happened to these objects, in the order of begins:\n");
	while (nr--)
		show_call(l->calls[show[nr]]);
}

static void __attribute__((noreturn))
no_order(const struct lin *l, const struct many_call *c, const char *why)
{
	show_history(l, c);
	shim_eprintf("what can not be explained:\n");
	show_call(c);
	shim_fail("no order of the calls of all mounts explains what was seen: %s",
		  why);
}

/* ---- searching ----------------------------------------------------------- */

struct search {
	struct lin *l;
	struct many_call *want;
	u32 near;		/* actors whose calls may have to come before it */
	struct lin_state *out[MAX_STATES];
	u32 nr_out;
	char why[WHY];		/* it can not happen, as found first */
};

static void keep(struct search *s, struct lin_state *st)
{
	u32 i;

	lin_state_hash(st);
	for (i = 0; i < s->nr_out; i++) {
		if (s->out[i]->hash == st->hash) {
			lin_state_join(s->out[i], st);
			lin_state_free(st);
			return;
		}
	}
	if (s->nr_out == MAX_STATES) {
		s->l->blurred = true;
		lin_state_free(st);
		return;
	}
	s->out[s->nr_out++] = st;
}

/*
 * What changes nothing and tells nothing that the state does not know may as
 * well happen as soon as it can.
 */
static void look_first(struct search *s, struct lin_state *st)
{
	struct many_call *c;
	char why[WHY];
	u32 i;

	for (i = 0; i < s->l->m->nr_actors; i++) {
		c = s->l->running[i];
		if ((s->near >> i & 1) && !(st->done >> i & 1) &&
		    c != s->want && !lin_changes(c) &&
		    !(c->seen & SEEN_ATTR) && lin_may(st, c, why, WHY))
			st->done |= 1U << i;
	}
}

/* Owns @st. */
static void explore(struct search *s, struct lin_state *st)
{
	struct lin_state *other;
	struct many_call *c;
	char why[WHY] = "";
	u32 i;

	look_first(s, st);
	for (i = 0; i < s->l->m->nr_actors; i++) {
		c = s->l->running[i];
		if (!(s->near >> i & 1) || (st->done >> i & 1) ||
		    c == s->want || !lin_may(st, c, why, WHY))
			continue;
		other = lin_state_clone(st);
		if (lin_do(other, c, why, WHY)) {
			other->done |= 1U << i;
			explore(s, other);
		} else {
			lin_state_free(other);
		}
	}
	if (lin_do(st, s->want, why, WHY)) {
		keep(s, st);
		return;
	}
	if (!s->why[0])
		strscpy(s->why, why, sizeof(s->why));
	lin_state_free(st);
}

/* Those that are related to it by way of each other. */
static u32 near(const struct lin *l, const struct many_call *want)
{
	u32 set = 1U << want->actor;
	u32 old;
	u32 i;
	u32 k;

	do {
		old = set;
		for (i = 0; i < l->m->nr_actors; i++) {
			if (!l->running[i] || (set >> i & 1))
				continue;
			for (k = 0; k < l->m->nr_actors; k++) {
				if ((old >> k & 1) &&
				    lin_related(l->running[i], l->running[k]))
					set |= 1U << i;
			}
		}
	} while (set != old);
	return set;
}

static void ended(struct lin *l, struct many_call *c)
{
	struct search *s = sim_zalloc(sizeof(*s));
	struct lin_state *spare = NULL;
	u32 i;

	if (l->blurred)
		spare = lin_state_clone(l->states[0]);
	s->l = l;
	s->want = c;
	s->near = near(l, c);
	for (i = 0; i < l->nr_states; i++) {
		if (l->states[i]->done >> c->actor & 1) {
			l->states[i]->done &= ~(1U << c->actor);
			keep(s, l->states[i]);
		} else {
			explore(s, l->states[i]);
		}
	}
	l->running[c->actor] = NULL;
	if (!s->nr_out && !l->blurred)
		no_order(l, c, s->why);
	if (!s->nr_out && !spare)
		shim_fail("all states were dropped at once");
	l->lost = !s->nr_out;
	if (l->lost)
		s->out[s->nr_out++] = spare;
	else if (spare)
		lin_state_free(spare);
	l->nr_states = s->nr_out;
	memcpy(l->states, s->out, sizeof(l->states));
	l->most_states = max(l->most_states, l->nr_states);
	kvfree(s);
}

/* The usual case: nothing that runs has to do with it. */
static bool ended_alone(struct lin *l, struct many_call *c)
{
	char why[WHY] = "";

	if (l->nr_states != 1 || l->states[0]->done ||
	    near(l, c) != 1U << c->actor)
		return false;
	if (!lin_do(l->states[0], c, why, WHY) && !l->blurred)
		no_order(l, c, why);
	l->running[c->actor] = NULL;
	return true;
}

static bool all_known(const struct lin *l)
{
	u32 i;

	for (i = 0; i < l->m->nr_actors; i++) {
		if (l->running[i] && !l->running[i]->end)
			return false;
	}
	return true;
}

static void catch_up(struct lin *l)
{
	struct event *e;

	while (l->first_event < l->nr_events) {
		e = &l->events[l->first_event];
		if (e->is_end && !all_known(l))
			return;
		l->first_event++;
		if (!e->is_end)
			l->running[e->call->actor] = e->call;
		else if (e->call->unknown)
			continue;	/* it may happen yet, or never */
		else if (l->lost)
			l->running[e->call->actor] = NULL;
		else if (!ended_alone(l, e->call))
			ended(l, e->call);
	}
	l->first_event = 0;
	l->nr_events = 0;
}

static void add_event(struct lin *l, struct many_call *call, bool is_end)
{
	l->events = grown(l->events, l->nr_events, &l->max_events,
			  sizeof(*l->events));
	l->events[l->nr_events++] = (struct event) { call, is_end };
}

void lin_begin(struct lin *l, struct many_call *call)
{
	shim_still_begin();
	l->calls = grown(l->calls, l->nr_calls, &l->max_calls,
			 sizeof(*l->calls));
	l->calls[l->nr_calls++] = call;
	add_event(l, call, false);
	shim_still_end();
}

void lin_end(struct lin *l, struct many_call *call)
{
	shim_still_begin();
	if (l->talk)
		show_call(call);
	add_event(l, call, true);
	catch_up(l);
	shim_still_end();
}

const struct posix *lin_guess(const struct lin *l)
{
	return l->states[0]->pm;
}

u32 lin_width(const struct lin *l)
{
	return l->nr_states;
}

/* ---- at rest ------------------------------------------------------------- */

void lin_look(struct lin *l, const struct sim_tree *t, const char *from)
{
	char why[WHY] = "";
	char first[WHY] = "";
	u32 n = 0;
	u32 i;

	catch_up(l);
	if (l->lost)
		return;
	for (i = 0; i < l->nr_states; i++) {
		if (lin_tree_fits(l->states[i], t, why, WHY)) {
			l->states[n++] = l->states[i];
			continue;
		}
		if (!first[0])
			strscpy(first, why, sizeof(first));
		/* the last one stays, to be told about */
		if (i + 1 < l->nr_states || n)
			lin_state_free(l->states[i]);
	}
	if (!n && !l->blurred) {
		for (i = l->nr_calls > 40 ? l->nr_calls - 40 : 0;
		     i < l->nr_calls; i++)
			show_call(l->calls[i]);
		shim_fail("at rest, %s shows what no order of the calls leads to: %s",
			  from, first);
	}
	if (!n) {
		l->states[0] = l->states[l->nr_states - 1];
		l->lost = true;
	}
	l->nr_states = max(n, 1U);
}

void lin_close(struct lin *l, u64 ino)
{
	u32 i;

	for (i = 0; i < l->nr_states; i++)
		lin_state_close(l->states[i], ino);
}

static void forget_calls(struct lin *l)
{
	lin_steps_free();
	while (l->nr_calls) {
		kvfree(l->calls[--l->nr_calls]->data);
		kvfree(l->calls[l->nr_calls]);
	}
}

static void settled(struct lin *l)
{
	u32 i;

	for (i = 0; i < l->nr_states; i++) {
		l->states[i]->last = NULL;
		l->states[i]->done = 0;
	}
	if (l->base)
		lin_state_free(l->base);
	l->base = lin_state_clone(l->states[0]);
	forget_calls(l);
}

void lin_settle(struct lin *l, const struct sim_tree *t)
{
	u32 i;

	if (l->lost) {
		/* there were too many: this run says nothing any more */
		forget_calls(l);
		return;
	}
	/* several when they differ in inodes that have no name */
	for (i = 0; i < l->nr_states; i++)
		lin_tree_learn(l->states[i], t);
	l->blurred = false;
	settled(l);
}

/* In the order of their ends at first, then any. */
static void shuffle(struct many_call **calls, u32 nr, u32 try)
{
	u64 rng = try;
	u32 i;
	u32 k;

	for (i = 1; i < nr; i++) {
		for (k = i; k; k--) {
			if (try ? !sim_one_in(&rng, 2) :
				  calls[k - 1]->end <= calls[k]->end)
				break;
			swap(calls[k - 1], calls[k]);
		}
	}
}

/* It may come from any of the states, with what runs in any order. */
static struct lin_state *find_left(struct lin *l, struct many_call **running,
				   struct lin_wreck *wreck, char *why)
{
	u32 shuffles = wreck->nr_running > 1 ? MAX_SHUFFLES : 1;
	struct lin_state *found;
	u32 tries;
	u32 i;

	for (tries = 0; tries < shuffles; tries++) {
		shuffle(running, wreck->nr_running, tries);
		for (i = 0; i < l->nr_states; i++) {
			wreck->st = l->states[i];
			found = lin_crash_state(wreck, why, WHY);
			if (found)
				return found;
		}
	}
	return NULL;
}

static void __attribute__((noreturn))
no_state(const struct lin *l, struct lin_wreck *wreck, char *why)
{
	u32 i;

	for (i = l->nr_calls > 60 ? l->nr_calls - 60 : 0; i < l->nr_calls; i++)
		show_call(l->calls[i]);
	for (i = 0; i < MANY_MAX_MOUNTS; i++) {
		if (wreck->fate[i].dead)
			shim_eprintf("mount %u is dead, its transactions to %llu are durable\n",
				     i, wreck->fate[i].durable);
	}
	wreck->tell = true;
	lin_crash_state(wreck, why, WHY);
	shim_fail("what dead mounts have left is no state of theirs: %s", why);
}

void lin_crash(struct lin *l, const struct sim_tree *t, struct sfs_fs *fs,
	       const struct lin_fate *fate)
{
	struct many_call *running[MANY_MAX_ACTORS];
	struct lin_wreck wreck = {
		.m = l->m, .base = l->base, .running = running, .t = t,
		.fate = fate,
	};
	struct lin_state *found;
	char why[WHY] = "";
	u32 i;

	catch_up(l);
	for (i = 0; i < l->m->nr_actors; i++) {
		if (l->running[i])
			running[wreck.nr_running++] = l->running[i];
	}
	memset(l->running, 0, sizeof(l->running));
	found = l->lost ? NULL : find_left(l, running, &wreck, why);
	if (!found && !l->lost && !wreck.blurred)
		no_state(l, &wreck, why);
	if (!found) {
		l->lost = true;
		forget_calls(l);
		return;
	}
	for (i = 0; i < l->nr_states; i++)
		lin_state_free(l->states[i]);
	l->states[0] = found;
	l->nr_states = 1;
	l->blurred = false;
	lin_tree_learn(found, t);
	lin_crash_unnamed(found, fs);
	settled(l);
}

struct lin *lin_create(struct many *m, struct sfs_fs *fs)
{
	struct lin *l = sim_zalloc(sizeof(*l));
	const char *env = shim_getenv("SIM_CALLS");

	l->talk = env && *env == '1';
	l->m = m;
	l->states[0] = lin_state_create(pm_create(fs));
	l->states[0]->pm->inodes[0].opens = 1;
	l->nr_states = 1;
	settled(l);
	return l;
}

void lin_destroy(struct lin *l)
{
	u32 i;

	sim_totals.lost += l->lost;
	for (i = 0; i < l->nr_states; i++)
		lin_state_free(l->states[i]);
	lin_state_free(l->base);
	forget_calls(l);
	kvfree(l->calls);
	kvfree(l->events);
	kvfree(l);
}

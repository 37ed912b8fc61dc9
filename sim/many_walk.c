/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Agents with cursors, as archives have them: each keeps what it was told of
 * every inode and up to which sequence, asks now one mount and now another, and
 * goes on from there.
 *
 * A walk ends at the stable sequence that was told before it began, and the
 * next one begins behind that.  So an agent sees each change of each inode once
 * its sequence is stable; nothing appears at or below a sequence that it was
 * told is stable; what it is told never goes down, at no mount; and at rest it
 * knows the last stamp of every inode there is.
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
#include "shim/shim.h"

#define STEP 64

struct known {
	u64 ino;
	u64 stamp;
};

struct many_walker {
	struct many *m;
	int index;
	u64 rng;
	u64 next;			/* all below it is known */
	bool broken;			/* some from there on are known, too */
	u64 told[MANY_MAX_MOUNTS];	/* the stable sequence, by each mount */
	struct known *known;
	u32 nr_known;
	u32 max_known;
	u64 nr_seen;
	bool alive;
	struct shim_task *task;
};

static struct known *known_of(struct many_walker *wk, u64 ino)
{
	u32 i;

	for (i = 0; i < wk->nr_known; i++) {
		if (wk->known[i].ino == ino)
			return &wk->known[i];
	}
	return NULL;
}

static void learn(struct many_walker *wk, const struct sfs_walk_entry *e,
		  u32 mount)
{
	struct known *k = known_of(wk, e->ino);
	struct known *bigger;

	if (k && k->stamp >= e->major && !(wk->broken && k->stamp == e->major))
		shim_fail("index %d, mount %u: inode %llu at %llu was at %llu before",
			  wk->index, mount, e->ino, e->major, k->stamp);
	if (!k && wk->nr_known == wk->max_known) {
		wk->max_known = max(2 * wk->max_known, 128U);
		bigger = sim_zalloc(wk->max_known * sizeof(*bigger));
		if (wk->known)
			memcpy(bigger, wk->known,
			       wk->nr_known * sizeof(*bigger));
		kvfree(wk->known);
		wk->known = bigger;
	}
	if (!k)
		k = &wk->known[wk->nr_known++];
	k->ino = e->ino;
	k->stamp = e->major;
	wk->nr_seen++;
}

/* Everything at or below the cursor is known already. */
static void check_behind(struct many_walker *wk, struct many_mount *mnt,
			 struct sfs_walk_entry *ents)
{
	struct sfs_walk_entry first = {};
	struct sfs_walk_entry last = { wk->next - 1, U64_MAX, U32_MAX, 0 };
	const struct known *k;
	int nr;
	int i;

	do {
		nr = sfs_walk_inodes(mnt->fs, wk->index, &first, &last, ents,
				     STEP);
		for (i = 0; i < nr; i++) {
			k = known_of(wk, ents[i].ino);
			if (!k || k->stamp != ents[i].major)
				shim_fail("index %d, mount %u: inode %llu appeared at %llu, below %llu, where everything was stable; it was known at %llu",
					  wk->index, mnt->nr, ents[i].ino,
					  ents[i].major, wk->next,
					  k ? k->stamp : 0);
			first = ents[i];
			first.ino++;
		}
	} while (nr == STEP);
}

static void walk_on(struct many_walker *wk, struct many_mount *mnt,
		    struct sfs_walk_entry *ents)
{
	struct sfs_walk_entry first = { .major = wk->next };
	struct sfs_walk_entry last = { 0, U64_MAX, U32_MAX, 0 };
	struct sfs_statfs st;
	int nr;
	int i;

	if (sfs_statfs(mnt->fs, &st))
		return;
	if (st.committed_seq < wk->told[mnt->nr])
		shim_fail("mount %u: the stable sequence went from %llu to %llu",
			  mnt->nr, wk->told[mnt->nr], st.committed_seq);
	wk->told[mnt->nr] = st.committed_seq;
	last.major = st.committed_seq;
	while (last.major >= wk->next) {
		nr = sfs_walk_inodes(mnt->fs, wk->index, &first, &last, ents,
				     STEP);
		if (nr < 0) {
			wk->broken = true;
			return;
		}
		for (i = 0; i < nr; i++) {
			if (ents[i].major < first.major)
				shim_fail("index %d, mount %u: inode %llu at %llu, the walk began at %llu",
					  wk->index, mnt->nr, ents[i].ino,
					  ents[i].major, first.major);
			learn(wk, &ents[i], mnt->nr);
			first = ents[i];
			first.ino++;
		}
		if (nr == STEP)
			continue;
		wk->next = last.major + 1;
		wk->broken = false;
	}
}

static void look(struct many_walker *wk, struct many_mount *mnt)
{
	struct sfs_walk_entry *ents = sim_zalloc(STEP * sizeof(*ents));

	walk_on(wk, mnt, ents);
	if (wk->next && !mnt->dying && sim_one_in(&wk->rng, 3))
		check_behind(wk, mnt, ents);
	kvfree(ents);
}

static void walker(void *arg)
{
	struct many_walker *wk = arg;
	struct many *m = wk->m;
	struct many_mount *mnt;

	while (!m->walkers_stop) {
		mnt = &m->mounts[sim_rnd(&wk->rng, m->opts.nr_mounts)];
		if (mnt->fs && !mnt->dying) {
			mnt->guests++;
			look(wk, mnt);
			mnt->guests--;
		}
		shim_sleep_ns(sim_rnd(&wk->rng, 200000000));
	}
	wk->alive = false;
}

void many_walkers_start(struct many *m)
{
	struct many_walker *wk;
	u32 i;

	m->walkers_stop = false;
	if (!m->walkers)
		m->walkers = sim_zalloc(2 * sizeof(*wk));
	for (i = 0; i < 2; i++) {
		wk = &m->walkers[i];
		wk->m = m;
		wk->index = i;
		wk->rng = wk->rng ?: sim_rnd(&m->w->rng, 1ULL << 48);
		wk->alive = true;
		wk->task = shim_go("walker", walker, wk);
	}
}

void many_walkers_kill(struct many *m)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		if (m->walkers[i].alive)
			shim_task_kill(m->walkers[i].task, true);
	}
}

void many_walkers_join(struct many *m)
{
	u32 i;

	m->walkers_stop = true;
	for (i = 0; i < 2; i++)
		shim_join(m->walkers[i].task);
}

/* The sequences of a volume that lost its last changes: agents begin again. */
void many_walkers_forget(struct many *m)
{
	u32 i;

	for (i = 0; m->walkers && i < 2; i++) {
		kvfree(m->walkers[i].known);
		m->walkers[i].known = NULL;
	}
	kvfree(m->walkers);
	m->walkers = NULL;
}

/* At rest and synced: who goes on from the cursors knows everything. */
void many_walkers_check(struct many *m, const struct sim_tree *t)
{
	const struct sim_node *n;
	struct many_walker *wk;
	const struct known *k;
	u64 stamp;
	u32 i;
	u32 j;

	for (i = 0; m->walkers && i < 2; i++) {
		wk = &m->walkers[i];
		for (j = 0; j < m->opts.nr_mounts; j++) {
			if (m->mounts[j].fs)
				look(wk, &m->mounts[j]);
		}
		for (j = 0; j < t->nr_nodes; j++) {
			n = &t->nodes[j];
			if (i && !S_ISREG(n->attr.mode))
				continue;
			stamp = i ? n->attr.data_seq : n->attr.meta_seq;
			k = known_of(wk, n->attr.ino);
			if (!k || k->stamp != stamp)
				shim_fail("index %u: at rest inode %llu is at %llu, an agent that goes on at %llu was told %llu",
					  i, n->attr.ino, stamp, wk->next,
					  k ? k->stamp : 0);
		}
	}
}

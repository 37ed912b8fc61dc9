/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Agents that only look while actors work: walks of both indexes, numbers of
 * the volume, readdir over directories that change.
 *
 * A walk returns ascending entries, an inode once; an inode's stamp never goes
 * back from one walk to the next; and nothing appears at or below a stable
 * sequence that was told before a walk began: whoever goes on from there has
 * missed nothing.
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
#include "shim/shim.h"

#define MAX_ENTS 1024

struct seen {
	u32 nr;
	u64 stable;		/* told before the walk began */
	struct sfs_walk_entry ents[MAX_ENTS];
};

struct sim_watch {
	struct sim_world *w;
	u64 rng;
	bool stop;
	struct shim_task *task;
	struct seen last[2];
	struct seen now;
};

static int walk_all(struct sim_world *w, int index, struct sfs_walk_entry *ents)
{
	struct sfs_walk_entry first = {};
	struct sfs_walk_entry last = { U64_MAX, U64_MAX, U32_MAX, 0 };

	return sfs_walk_inodes(w->fs, index, &first, &last, ents, MAX_ENTS);
}

static bool ents_less(const struct sfs_walk_entry *a,
		      const struct sfs_walk_entry *b)
{
	return a->major < b->major || (a->major == b->major && a->ino < b->ino);
}

static const struct sfs_walk_entry *find_ino(const struct seen *s, u64 ino)
{
	u32 i;

	for (i = 0; i < s->nr; i++) {
		if (s->ents[i].ino == ino)
			return &s->ents[i];
	}
	return NULL;
}

static void check_walk(const struct seen *last, const struct seen *now,
		       int index)
{
	const struct sfs_walk_entry *e;
	const struct sfs_walk_entry *before;
	u32 i;
	u32 k;

	for (i = 0; i < now->nr; i++) {
		e = &now->ents[i];
		if (i && !ents_less(e - 1, e))
			shim_fail("walk of index %d: %llu of inode %llu after %llu of inode %llu",
				  index, e->major, e->ino, e[-1].major,
				  e[-1].ino);
		for (k = 0; k < i; k++) {
			if (now->ents[k].ino == e->ino)
				shim_fail("walk of index %d: inode %llu at %llu and %llu",
					  index, e->ino, now->ents[k].major,
					  e->major);
		}
		before = find_ino(last, e->ino);
		if (before && before->major > e->major)
			shim_fail("walk of index %d: inode %llu went from %llu to %llu",
				  index, e->ino, before->major, e->major);
		if (e->major <= last->stable &&
		    (!before || before->major != e->major))
			shim_fail("walk of index %d: inode %llu appeared at %llu, %llu was stable",
				  index, e->ino, e->major, last->stable);
	}
}

static void look_at_index(struct sim_watch *wa, int index)
{
	struct seen *last = &wa->last[index];
	struct sfs_statfs st;
	int ret;

	if (sfs_statfs(wa->w->fs, &st))
		return;
	if (st.committed_seq < last->stable)
		shim_fail("the stable sequence went from %llu to %llu",
			  last->stable, st.committed_seq);
	wa->now.stable = st.committed_seq;
	ret = walk_all(wa->w, index, wa->now.ents);
	if (ret < 0)
		return;
	wa->now.nr = ret;
	check_walk(last, &wa->now, index);
	*last = wa->now;
}

/* From position to position in small steps, while names come and go. */
static void look_at_names(struct sim_watch *wa)
{
	const struct sfs_cred cred = { .caps = ~0U };
	struct sim_actor *a = wa->w->actors[sim_rnd(&wa->rng,
						    wa->w->nr_actors)];
	const struct sfs_dirent *d;
	u8 *buf = sim_zalloc(4096);
	u64 pos = 0;
	int ret;
	int at;

	do {
		ret = sfs_readdir(wa->w->fs, &cred, a->root, pos, buf,
				  300 + sim_rnd(&wa->rng, 1000));
		for (at = 0; at < ret; at += d->rec_len) {
			d = (const void *)(buf + at);
			if (d->pos < pos || d->next_pos <= d->pos)
				shim_fail("directory %llu: position %llu after %llu",
					  a->root, d->pos, pos);
			pos = d->next_pos;
		}
		shim_yield();
	} while (ret > 0);
	kvfree(buf);
}

static void watch(void *arg)
{
	struct sim_watch *wa = arg;
	struct sfs_alloc_detail ents[16];

	while (!wa->stop) {
		switch (sim_rnd(&wa->rng, 4)) {
		case 0:
			look_at_index(wa, SFS_WALK_META_SEQ);
			break;
		case 1:
			look_at_index(wa, SFS_WALK_DATA_SEQ);
			break;
		case 2:
			look_at_names(wa);
			break;
		default:
			sfs_alloc_detail(wa->w->fs, ents, 16);
			break;
		}
		shim_sleep_ns(sim_rnd(&wa->rng, 300000000));
	}
}

void sim_watch_start(struct sim_world *w)
{
	w->watch = sim_zalloc(sizeof(*w->watch));
	w->watch->w = w;
	w->watch->rng = sim_rnd(&w->rng, 1ULL << 48);
	w->watch->task = shim_go("watch", watch, w->watch);
}

void sim_watch_stop(struct sim_world *w)
{
	if (!w->watch)
		return;
	w->watch->stop = true;
	shim_join(w->watch->task);
	kvfree(w->watch);
	w->watch = NULL;
}

/* ---- against the tree ---------------------------------------------------------------- */

static bool index_fits(const struct sim_tree *t, int index,
		       const struct sfs_walk_entry *ents, int nr, char *why,
		       u32 size)
{
	const struct sim_node *n;
	u32 want = 0;
	u64 stamp;
	u32 i;

	for (i = 0; i < t->nr_nodes; i++)
		want += index == SFS_WALK_META_SEQ ||
			S_ISREG(t->nodes[i].attr.mode);
	for (i = 0; i < nr; i++) {
		n = sim_tree_node(t, ents[i].ino);
		if (!n) {
			scnprintf(why, size,
				  "index %d has inode %llu at %llu, which has no name",
				  index, ents[i].ino, ents[i].major);
			return false;
		}
		stamp = index == SFS_WALK_META_SEQ ? n->attr.meta_seq :
						     n->attr.data_seq;
		if (stamp != ents[i].major) {
			scnprintf(why, size,
				  "index %d has inode %llu at %llu, its stamp is %llu",
				  index, ents[i].ino, ents[i].major, stamp);
			return false;
		}
	}
	if (nr == want)
		return true;
	scnprintf(why, size, "index %d has %d inodes, should have %u", index,
		  nr, want);
	return false;
}

bool sim_watch_compare(struct sim_world *w, const struct sim_tree *t,
		       char *why, u32 size)
{
	struct sfs_walk_entry *ents = sim_zalloc(MAX_ENTS * sizeof(*ents));
	bool fits = true;
	int index;
	int nr;

	for (index = 0; index < 2 && fits; index++) {
		nr = walk_all(w, index, ents);
		if (nr < 0)
			shim_fail("walk of index %d: %d", index, nr);
		fits = index_fits(t, index, ents, nr, why, size);
	}
	kvfree(ents);
	return fits;
}

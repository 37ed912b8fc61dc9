// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of file locks: who holds which range of which inode, and who waits
 * for one.
 *
 * An owner is a session and a number its host chose.  Two ranges of different
 * owners that overlap are both for reading.  What one owner holds in an inode
 * does not overlap, and pieces of one type that touch each other are one.  Each
 * inode has two such spaces that do not know of each other: ranges (POSIX and
 * OFD locks) and flock, where a range is the whole file.
 *
 * Requests that wait are granted in the order in which they came, as far as
 * what is held lets them.  One that could be granted still waits while an
 * earlier one is in its way, so that readers do not starve a writer, but not
 * for longer than SFS_FL_FAIR_MS, and not if its owner holds something of the
 * inode already: without these two, fairness alone could make a deadlock that
 * no program is to blame for.
 *
 * Before a POSIX lock waits, the owners in its way are followed through what
 * they wait for themselves; coming back to the owner is EDEADLK.  The search is
 * bounded, and beyond the bound waits are taken for harmless.  flock and OFD
 * locks have owners that several processes may share, and no such search.
 *
 * Everything is under the table's mutex; searches are linear in what one inode
 * has.  Nothing of this is on the device.
 */
#include "server/flocks.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "api.h"
#include "base/report.h"

#define FAIR_NS (SFS_FL_FAIR_MS * 1000000ULL)
/* the deadlock search: owners, ranges looked at */
#define MAX_CHAIN 48
#define MAX_LOOKS 20000

static struct list_head *owner_bucket(struct sfs_fl_table *t,
				      const struct sfs_fl_session *ses,
				      u64 owner)
{
	u64 hash = (owner ^ ses->rid) * 0x9e3779b97f4a7c15ULL;

	return &t->owned[(hash >> 32) % SFS_FL_OWNERS];
}

/* ---- inodes ------------------------------------------------------------- */

static struct sfs_fl_inode *find_inode(struct sfs_fl_table *t, u64 ino)
{
	struct rb_node *node = t->inodes.rb_node;
	struct sfs_fl_inode *fi;

	while (node) {
		fi = rb_entry(node, struct sfs_fl_inode, node);
		if (ino == fi->ino)
			return fi;
		node = ino < fi->ino ? node->rb_left : node->rb_right;
	}
	return NULL;
}

static struct sfs_fl_inode *get_inode(struct sfs_fl_table *t, u64 ino)
{
	struct rb_node **link = &t->inodes.rb_node;
	struct rb_node *parent = NULL;
	struct sfs_fl_inode *fi;
	int i;

	while (*link) {
		parent = *link;
		fi = rb_entry(parent, struct sfs_fl_inode, node);
		if (ino == fi->ino)
			return fi;
		link = ino < fi->ino ? &parent->rb_left : &parent->rb_right;
	}
	fi = kzalloc(sizeof(*fi), GFP_NOFS);
	if (!fi)
		return NULL;
	fi->ino = ino;
	INIT_LIST_HEAD(&fi->busy);
	for (i = 0; i < SFS_FL_SPACES; i++) {
		INIT_LIST_HEAD(&fi->held[i]);
		INIT_LIST_HEAD(&fi->waits[i]);
	}
	rb_link_node(&fi->node, parent, link);
	rb_insert_color(&fi->node, &t->inodes);
	return fi;
}

static void put_inode(struct sfs_fl_table *t, struct sfs_fl_inode *fi)
{
	int i;

	for (i = 0; i < SFS_FL_SPACES; i++) {
		if (!list_empty(&fi->held[i]) || !list_empty(&fi->waits[i]))
			return;
	}
	rb_erase(&fi->node, &t->inodes);
	kfree(fi);
}

void sfs_fl_table_init(struct sfs_fl_table *t, struct sfs_host *host)
{
	int i;

	memset(t, 0, sizeof(*t));
	t->host = host;
	mutex_init(&t->mutex);
	t->inodes = RB_ROOT;
	INIT_LIST_HEAD(&t->busy);
	for (i = 0; i < SFS_FL_OWNERS; i++)
		INIT_LIST_HEAD(&t->owned[i]);
}

/* ---- what is in the way ------------------------------------------------- */

static bool is_of(const struct sfs_fl_range *r, const struct sfs_fl_req *req)
{
	return r->ses == req->ses && r->owner == req->owner;
}

static bool overlaps(const struct sfs_fl_range *r, const struct sfs_fl_req *req)
{
	return r->start <= req->end && req->start <= r->end;
}

static bool in_way(const struct sfs_fl_range *r, const struct sfs_fl_req *req)
{
	return !is_of(r, req) && overlaps(r, req) &&
	       (r->type == SFS_FLOCK_WRITE || req->type == SFS_FLOCK_WRITE);
}

static struct sfs_fl_range *conflict(struct sfs_fl_inode *fi,
				     const struct sfs_fl_req *req)
{
	struct sfs_fl_range *r;

	if (req->type == SFS_FLOCK_NONE)
		return NULL;
	list_for_each_entry(r, &fi->held[sfs_fl_space(req->kind)], head) {
		if (in_way(r, req))
			return r;
	}
	return NULL;
}

const struct sfs_fl_range *sfs_fl_table_get(struct sfs_fl_table *t,
					    const struct sfs_fl_req *req)
{
	struct sfs_fl_inode *fi = find_inode(t, req->ino);

	return fi ? conflict(fi, req) : NULL;
}

static bool holds_any(struct sfs_fl_inode *fi, const struct sfs_fl_req *req)
{
	struct sfs_fl_range *r;

	list_for_each_entry(r, &fi->held[sfs_fl_space(req->kind)], head) {
		if (is_of(r, req))
			return true;
	}
	return false;
}

static bool reqs_conflict(const struct sfs_fl_req *a,
			  const struct sfs_fl_req *b)
{
	return !(a->ses == b->ses && a->owner == b->owner) &&
	       a->start <= b->end && b->start <= a->end &&
	       (a->type == SFS_FLOCK_WRITE || b->type == SFS_FLOCK_WRITE);
}

/* A request before @end of the queue should have its turn before @req. */
static bool overtakes(struct sfs_fl_inode *fi, const struct sfs_fl_req *req,
		      const struct sfs_fl_wait *end)
{
	struct sfs_fl_wait *wait;

	list_for_each_entry(wait, &fi->waits[sfs_fl_space(req->kind)], head) {
		if (wait == end)
			return false;
		if (reqs_conflict(&wait->req, req))
			return !holds_any(fi, req);
	}
	return false;
}

bool sfs_fl_table_fair(struct sfs_fl_table *t, const struct sfs_fl_req *req)
{
	struct sfs_fl_inode *fi = find_inode(t, req->ino);

	return !fi || !overtakes(fi, req, NULL);
}

/* ---- ranges ------------------------------------------------------------- */

static bool has_room(struct sfs_fl_table *t, struct sfs_fl_session *ses, u32 nr)
{
	if (ses->holder.nr + nr <= SFS_FL_MAX)
		return true;
	if (!ses->holder.full)
		sfs_warn(t->host,
			 "mount %016llx has %u file locks, more than %u are refused (ENOLCK)",
			 ses->rid, ses->holder.nr, SFS_FL_MAX);
	ses->holder.full = true;
	return false;
}

static void link_range(struct sfs_fl_table *t, struct sfs_fl_inode *fi,
		      struct sfs_fl_range *r)
{
	r->fi = fi;
	list_add_tail(&r->head, &fi->held[sfs_fl_space(r->kind)]);
	list_add_tail(&r->mine, &r->ses->holder.held);
	r->ses->holder.nr++;
	t->nr_held++;
}

static void drop_range(struct sfs_fl_table *t, struct sfs_fl_range *r)
{
	list_del(&r->head);
	list_del(&r->mine);
	r->ses->holder.nr--;
	if (r->ses->holder.nr < SFS_FL_MAX / 2)
		r->ses->holder.full = false;
	t->nr_held--;
	kfree(r);
}

static struct sfs_fl_range *new_range(const struct sfs_fl_req *req)
{
	struct sfs_fl_range *r = kzalloc(sizeof(*r), GFP_NOFS);

	if (r) {
		r->ses = req->ses;
		r->owner = req->owner;
		r->start = req->start;
		r->end = req->end;
		r->pid = req->pid;
		r->kind = req->kind;
		r->type = req->type;
	}
	return r;
}

/* The owner's piece that would lose its middle to @req. */
static struct sfs_fl_range *surrounding(struct sfs_fl_inode *fi,
					const struct sfs_fl_req *req)
{
	struct sfs_fl_range *r;

	list_for_each_entry(r, &fi->held[sfs_fl_space(req->kind)], head) {
		if (is_of(r, req) && r->start < req->start && r->end > req->end)
			return r;
	}
	return NULL;
}

/* One piece of the owner makes room for @add, or for nothing, in @req's range. */
static void make_room(struct sfs_fl_table *t, struct sfs_fl_range *r,
		     const struct sfs_fl_req *req, struct sfs_fl_range *add)
{
	if (add && r->type == add->type) {
		/* also those that only touch */
		if (r->start && r->start - 1 > add->end)
			return;
		if (add->start && add->start - 1 > r->end)
			return;
		add->start = min(add->start, r->start);
		add->end = max(add->end, r->end);
		drop_range(t, r);
	} else if (overlaps(r, req)) {
		if (r->start < req->start)
			r->end = req->start - 1;
		else if (r->end > req->end)
			r->start = req->end + 1;
		else
			drop_range(t, r);
	}
}

/* The range becomes the owner's, of that type; nobody is in the way. */
static int set_range(struct sfs_fl_table *t, struct sfs_fl_inode *fi,
		     const struct sfs_fl_req *req)
{
	struct sfs_fl_range *middle = surrounding(fi, req);
	struct sfs_fl_range *rest = NULL;
	struct sfs_fl_range *add = NULL;
	struct sfs_fl_range *tmp;
	struct sfs_fl_range *r;
	bool split;

	if (middle && middle->type == req->type)
		return 0;
	split = middle;
	if ((req->type || split) &&
	    !has_room(t, req->ses, (req->type ? 1 : 0) + split))
		return -ENOLCK;
	if (req->type)
		add = new_range(req);
	if (split)
		rest = new_range(req);
	if ((req->type && !add) || (split && !rest)) {
		kfree(add);
		kfree(rest);
		return -ENOLCK;
	}
	if (split) {
		rest->start = req->end + 1;
		rest->end = middle->end;
		rest->pid = middle->pid;
		rest->type = middle->type;
		rest->doubt = middle->doubt;
		middle->end = req->start - 1;
		link_range(t, fi, rest);
	} else {
		list_for_each_entry_safe(r, tmp,
					 &fi->held[sfs_fl_space(req->kind)],
					 head) {
			if (is_of(r, req))
				make_room(t, r, req, add);
		}
	}
	if (add)
		link_range(t, fi, add);
	return 0;
}

/* flock: what the owner had goes first unless it is the same. */
static int set_file(struct sfs_fl_table *t, struct sfs_fl_inode *fi,
		    const struct sfs_fl_req *req, u8 *ret_effect)
{
	struct sfs_fl_range *own = NULL;
	struct sfs_fl_range *r;
	int ret;

	list_for_each_entry(r, &fi->held[SFS_FL_FILES], head) {
		if (is_of(r, req))
			own = r;
	}
	if (own && own->type == req->type)
		return 0;
	if (own) {
		drop_range(t, own);
		*ret_effect = 1 + SFS_FLOCK_NONE;
	}
	if (req->type == SFS_FLOCK_NONE)
		return 0;
	if (conflict(fi, req))
		return -EAGAIN;
	ret = set_range(t, fi, req);
	if (ret == 0)
		*ret_effect = 1 + req->type;
	return ret;
}

static int set(struct sfs_fl_table *t, struct sfs_fl_inode *fi,
	       const struct sfs_fl_req *req, u8 *ret_effect)
{
	int ret;

	if (req->kind == SFS_FLOCK_FLOCK)
		return set_file(t, fi, req, ret_effect);
	if (conflict(fi, req))
		return -EAGAIN;
	ret = set_range(t, fi, req);
	if (ret == 0)
		*ret_effect = 1 + req->type;
	return ret;
}

/* ---- waiting ------------------------------------------------------------ */

static void unlink_wait(struct sfs_fl_table *t, struct sfs_fl_wait *wait)
{
	struct sfs_fl_inode *fi = wait->fi;

	list_del(&wait->head);
	list_del(&wait->mine);
	list_del(&wait->owned);
	wait->req.ses->holder.nr--;
	t->nr_waits--;
	if (list_empty(&fi->waits[SFS_FL_RANGES]) &&
	    list_empty(&fi->waits[SFS_FL_FILES]))
		list_del_init(&fi->busy);
}

/* Now, as far as what is held and those before it are concerned? */
static bool may_have(struct sfs_fl_table *t, const struct sfs_fl_wait *wait,
		     u64 now)
{
	if (conflict(wait->fi, &wait->req))
		return false;
	if (now - wait->since_ns >= FAIR_NS ||
	    !overtakes(wait->fi, &wait->req, wait))
		return true;
	t->held_up = true;
	return false;
}

/* 1: one that waits got what it wanted, or will never. */
static int wake_one(struct sfs_fl_table *t, struct sfs_fl_inode *fi, int space)
{
	u64 now = sfs_port_boot_ns(t->host);
	struct sfs_fl_wait *wait;
	u8 effect = 0;
	int err;

	list_for_each_entry(wait, &fi->waits[space], head) {
		if (!may_have(t, wait, now))
			continue;
		err = set(t, fi, &wait->req, &effect);
		SFS_ASSERT(err != -EAGAIN);
		unlink_wait(t, wait);
		t->granted(wait, err, effect);
		return 1;
	}
	return 0;
}

/*
 * The inode stays.  From the front again after each, because who waits to read
 * what it has for writing makes way for others by getting it.
 */
static void wake(struct sfs_fl_table *t, struct sfs_fl_inode *fi, int space)
{
	while (wake_one(t, fi, space))
		;
}

int sfs_fl_table_set(struct sfs_fl_table *t, const struct sfs_fl_req *req,
		     u8 *ret_effect)
{
	struct sfs_fl_inode *fi;
	int ret;

	*ret_effect = 0;
	if (req->type == SFS_FLOCK_NONE)
		fi = find_inode(t, req->ino);
	else
		fi = get_inode(t, req->ino);
	if (!fi) {
		/* an unlock of nothing also has had its effect */
		if (req->type)
			return -ENOLCK;
		*ret_effect = 1 + SFS_FLOCK_NONE;
		return 0;
	}
	ret = set(t, fi, req, ret_effect);
	if (*ret_effect)
		wake(t, fi, sfs_fl_space(req->kind));
	put_inode(t, fi);
	return ret;
}

/* ---- deadlocks ---------------------------------------------------------- */

struct chain {
	const struct sfs_fl_req *req;	/* of whom it must not lead to */
	u32 looks;
	u32 nr;
	struct {
		struct sfs_fl_session *ses;
		u64 owner;
	} who[MAX_CHAIN];
};

static void add_owner(struct chain *c, const struct sfs_fl_range *r)
{
	u32 i;

	for (i = 0; i < c->nr; i++) {
		if (c->who[i].ses == r->ses && c->who[i].owner == r->owner)
			return;
	}
	if (c->nr < MAX_CHAIN) {
		c->who[c->nr].ses = r->ses;
		c->who[c->nr].owner = r->owner;
		c->nr++;
	}
}

/* All that @req would wait for; true: its own owner is among them. */
static bool follow(struct chain *c, struct sfs_fl_inode *fi,
		   const struct sfs_fl_req *req)
{
	struct sfs_fl_range *r;

	list_for_each_entry(r, &fi->held[SFS_FL_RANGES], head) {
		if (++c->looks > MAX_LOOKS)
			return false;
		if (r->kind != SFS_FLOCK_POSIX || !in_way(r, req))
			continue;
		if (is_of(r, c->req))
			return true;
		add_owner(c, r);
	}
	return false;
}

static bool deadlock(struct sfs_fl_table *t, struct sfs_fl_inode *fi,
		     const struct sfs_fl_req *req)
{
	struct chain c = { .req = req };
	struct sfs_fl_wait *wait;
	struct list_head *bucket;
	u32 i;

	if (follow(&c, fi, req))
		return true;
	for (i = 0; i < c.nr; i++) {
		bucket = owner_bucket(t, c.who[i].ses, c.who[i].owner);
		list_for_each_entry(wait, bucket, owned) {
			if (++c.looks > MAX_LOOKS)
				return false;
			if (wait->req.ses != c.who[i].ses ||
			    wait->req.owner != c.who[i].owner ||
			    wait->req.kind != SFS_FLOCK_POSIX)
				continue;
			if (follow(&c, wait->fi, &wait->req))
				return true;
		}
	}
	return false;
}

int sfs_fl_table_wait(struct sfs_fl_table *t, struct sfs_fl_wait *wait)
{
	struct sfs_fl_req *req = &wait->req;
	struct sfs_fl_inode *fi = get_inode(t, req->ino);
	int ret = 0;

	if (!fi)
		return -ENOLCK;
	if (req->kind == SFS_FLOCK_POSIX && deadlock(t, fi, req))
		ret = -EDEADLK;
	else if (!has_room(t, req->ses, 1))
		ret = -ENOLCK;
	if (ret < 0) {
		put_inode(t, fi);
		return ret;
	}
	wait->fi = fi;
	wait->since_ns = sfs_port_boot_ns(t->host);
	list_add_tail(&wait->head, &fi->waits[sfs_fl_space(req->kind)]);
	list_add_tail(&wait->mine, &req->ses->holder.waits);
	list_add_tail(&wait->owned, owner_bucket(t, req->ses, req->owner));
	if (list_empty(&fi->busy))
		list_add_tail(&fi->busy, &t->busy);
	req->ses->holder.nr++;
	t->nr_waits++;
	if (!conflict(fi, req))
		t->held_up = true;
	return 0;
}

void sfs_fl_table_unwait(struct sfs_fl_table *t, struct sfs_fl_wait *wait)
{
	struct sfs_fl_inode *fi = wait->fi;

	unlink_wait(t, wait);
	/* those behind it may have waited for it alone */
	wake(t, fi, sfs_fl_space(wait->req.kind));
	kfree(wait);
	put_inode(t, fi);
}

void sfs_fl_table_tick(struct sfs_fl_table *t)
{
	struct sfs_fl_inode *fi;
	struct sfs_fl_inode *tmp;
	int i;

	t->held_up = false;
	list_for_each_entry_safe(fi, tmp, &t->busy, busy) {
		for (i = 0; i < SFS_FL_SPACES; i++)
			wake(t, fi, i);
	}
}

void sfs_fl_table_drop(struct sfs_fl_table *t, struct sfs_fl_session *ses)
{
	struct sfs_fl_inode *fi;
	struct sfs_fl_range *r;
	struct sfs_fl_wait *w;
	int space;

	while ((w = list_first_entry_or_null(&ses->holder.waits,
					     struct sfs_fl_wait, mine)))
		sfs_fl_table_unwait(t, w);
	while ((r = list_first_entry_or_null(&ses->holder.held,
					     struct sfs_fl_range, mine))) {
		fi = r->fi;
		space = sfs_fl_space(r->kind);
		drop_range(t, r);
		wake(t, fi, space);
		put_inode(t, fi);
	}
	SFS_ASSERT_CMP(ses->holder.nr, ==, 0);
}

/* ---- after a restart ---------------------------------------------------- */

int sfs_fl_table_put(struct sfs_fl_table *t, const struct sfs_fl_req *req,
		     bool doubt)
{
	struct sfs_fl_inode *fi = get_inode(t, req->ino);
	const struct sfs_fl_range *other;
	struct sfs_fl_range *r;

	if (!fi)
		return -ENOMEM;
	other = conflict(fi, req);
	if (other && !doubt && !other->doubt)
		sfs_err(t->host,
			"mounts %016llx and %016llx both say that they hold a file lock on inode %llu, bytes %llu to %llu",
			req->ses->rid, other->ses->rid, req->ino,
			max(req->start, other->start),
			min(req->end, other->end));
	/* requests under way may have cut it into more pieces than it was */
	r = req->ses->holder.nr < 4 * SFS_FL_MAX ? new_range(req) : NULL;
	if (r) {
		r->doubt = doubt;
		link_range(t, fi, r);
	}
	put_inode(t, fi);
	return r ? 0 : -ENOMEM;
}

static bool refuted(struct sfs_fl_inode *fi, const struct sfs_fl_range *doubted)
{
	struct sfs_fl_req req = {
		.ses = doubted->ses,
		.owner = doubted->owner,
		.start = doubted->start,
		.end = doubted->end,
		.kind = doubted->kind,
		.type = doubted->type,
	};

	return conflict(fi, &req);
}

/*
 * A mount restates as doubtful what it held for writing while it asked to have
 * it for reading and had no answer.  Whether the old server had granted that
 * shows in others who read there.
 */
void sfs_fl_table_settle(struct sfs_fl_table *t,
			 void (*proven)(struct sfs_fl_session *ses, u64 ino,
					u64 owner))
{
	struct sfs_fl_inode *fi;
	struct sfs_fl_range *r;
	struct rb_node *node;

	for (node = rb_first(&t->inodes); node; node = rb_next(node)) {
		fi = rb_entry(node, struct sfs_fl_inode, node);
		list_for_each_entry(r, &fi->held[SFS_FL_RANGES], head) {
			if (!r->doubt)
				continue;
			r->doubt = false;
			if (!refuted(fi, r))
				continue;
			r->type = SFS_FLOCK_READ;
			proven(r->ses, fi->ino, r->owner);
		}
	}
}

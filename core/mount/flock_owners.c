// SPDX-License-Identifier: GPL-2.0-only
/*
 * What owners of this mount hold, and saying it again to another server.
 *
 * What an owner holds in an inode is a set of pieces that do not overlap, each
 * with the number that the server gave to the effect that made it.  Answers are
 * taken over in any order: an effect changes only what no later one has
 * changed.  While requests of an owner are under way, pieces of type none
 * remember unlocks for that purpose; afterwards they go.
 *
 * Restating: pieces, without those that a request under way unlocks (the new
 * server will do that too), and as doubtful those that one weakens; then the
 * requests themselves.  Numbers of effects begin anew.
 *
 * Locks: all under fl->mutex.
 */
#include "mount/flocks.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

/* ---- owners ------------------------------------------------------------- */

static struct list_head *bucket_of(struct sfs_flocks *fl, u64 ino, u64 owner)
{
	u64 hash = (ino * 31 + owner) * 0x9e3779b97f4a7c15ULL;

	return &fl->owners[(hash >> 32) % SFS_FLOCKS_BUCKETS];
}

struct sfs_fl_owner *sfs_fl_owner_find(struct sfs_flocks *fl,
				const struct sfs_flock *lk)
{
	bool is_file = lk->kind == SFS_FLOCK_FLOCK;
	struct sfs_fl_owner *own;

	list_for_each_entry(own, bucket_of(fl, lk->ino, lk->owner), head) {
		if (own->ino == lk->ino && own->owner == lk->owner &&
		    own->is_file == is_file)
			return own;
	}
	return NULL;
}

struct sfs_fl_owner *sfs_fl_owner_get(struct sfs_flocks *fl,
			       const struct sfs_flock *lk)
{
	struct sfs_fl_owner *own = sfs_fl_owner_find(fl, lk);

	if (own)
		return own;
	own = kzalloc(sizeof(*own), GFP_NOFS);
	if (!own)
		return NULL;
	own->ino = lk->ino;
	own->owner = lk->owner;
	own->is_file = lk->kind == SFS_FLOCK_FLOCK;
	INIT_LIST_HEAD(&own->pieces);
	INIT_LIST_HEAD(&own->reqs);
	list_add(&own->head, bucket_of(fl, lk->ino, lk->owner));
	return own;
}

static void free_piece(struct sfs_fl_piece *p)
{
	list_del(&p->head);
	kfree(p);
}

/* ---- what is held ------------------------------------------------------- */

/* An effect that is not noted would be a lock that nobody knows of. */
static struct sfs_fl_piece *new_piece(void)
{
	struct sfs_fl_piece *p;

	while (!(p = kzalloc(sizeof(*p), GFP_NOFS)))
		cond_resched();
	return p;
}

static void insert_piece(struct sfs_fl_owner *own, struct sfs_fl_piece *new)
{
	struct sfs_fl_piece *p;

	list_for_each_entry(p, &own->pieces, head) {
		if (p->start > new->start)
			break;
	}
	list_add_tail(&new->head, &p->head);
}

/* @p becomes two pieces, the second one beginning at @at. */
static void split_piece(struct sfs_fl_piece *p, u64 at)
{
	struct sfs_fl_piece *rest = new_piece();

	*rest = *p;
	rest->start = at;
	p->end = at - 1;
	list_add(&rest->head, &p->head);
}

/* Of pieces that touch each other and differ in nothing that matters, one. */
static void merge_pieces(struct sfs_fl_owner *own, bool order_matters)
{
	struct sfs_fl_piece *prev = NULL;
	struct sfs_fl_piece *tmp;
	struct sfs_fl_piece *p;

	list_for_each_entry_safe(p, tmp, &own->pieces, head) {
		if (prev && prev->end + 1 == p->start &&
		    prev->type == p->type &&
		    (!order_matters || prev->order == p->order)) {
			prev->end = p->end;
			prev->order = max(prev->order, p->order);
			free_piece(p);
		} else {
			prev = p;
		}
	}
}

/* Nothing is under way: unlocks need not be remembered, nor an empty owner. */
void sfs_fl_owner_put(struct sfs_fl_owner *own)
{
	struct sfs_fl_piece *tmp;
	struct sfs_fl_piece *p;

	if (!list_empty(&own->reqs))
		return;
	list_for_each_entry_safe(p, tmp, &own->pieces, head) {
		if (p->type == SFS_FLOCK_NONE)
			free_piece(p);
	}
	merge_pieces(own, false);
	if (list_empty(&own->pieces)) {
		list_del(&own->head);
		kfree(own);
	}
}

static void add_piece(struct sfs_fl_owner *own, const struct sfs_fl_request *req, u64 start,
		      u64 end, u8 type, u64 order)
{
	struct sfs_fl_piece *p = new_piece();

	p->start = start;
	p->end = end;
	p->order = order;
	p->pid = req->lk.pid;
	p->kind = req->lk.kind;
	p->type = type;
	insert_piece(own, p);
}

/* The range of @req has become @type by effect number @order. */
void sfs_fl_owner_apply(struct sfs_fl_owner *own, const struct sfs_fl_request *req, u8 type,
		  u64 order)
{
	u64 start = req->lk.start;
	u64 end = req->lk.end;
	u64 pos = start;
	bool full = false;
	struct sfs_fl_piece *tmp;
	struct sfs_fl_piece *p;

	list_for_each_entry_safe(p, tmp, &own->pieces, head) {
		if (p->end < start)
			continue;
		if (p->start > end)
			break;
		if (p->order > order) {
			/* has been changed since */
			if (p->start > pos)
				add_piece(own, req, pos, p->start - 1, type,
					  order);
			full = p->end == U64_MAX;
			pos = full ? pos : max(pos, p->end + 1);
			continue;
		}
		if (p->start < start) {
			split_piece(p, start);
			tmp = list_next_entry(p, head);
			continue;
		}
		if (p->end > end)
			split_piece(p, end + 1);
		free_piece(p);
	}
	if (!full && pos <= end)
		add_piece(own, req, pos, end, type, order);
	merge_pieces(own, true);
}

int sfs_flocks_held(struct sfs_flocks *fl, const struct sfs_flock *lk,
		    struct sfs_flock *ret_lk)
{
	struct sfs_fl_owner *own;
	struct sfs_fl_piece *p;
	int ret = 0;

	mutex_lock(&fl->mutex);
	own = sfs_fl_owner_find(fl, lk);
	if (own) {
		list_for_each_entry(p, &own->pieces, head) {
			if (p->type == SFS_FLOCK_NONE || p->end < lk->start ||
			    p->start > lk->end)
				continue;
			*ret_lk = *lk;
			ret_lk->start = max(p->start, lk->start);
			ret_lk->end = min(p->end, lk->end);
			ret_lk->type = p->type;
			ret = 1;
			break;
		}
	}
	mutex_unlock(&fl->mutex);
	return ret;
}

void sfs_fl_owners_free(struct sfs_flocks *fl)
{
	struct sfs_fl_owner *own;
	struct sfs_fl_piece *tmp;
	struct sfs_fl_piece *p;
	int i;

	for (i = 0; i < SFS_FLOCKS_BUCKETS; i++) {
		while ((own = list_first_entry_or_null(&fl->owners[i],
						       struct sfs_fl_owner,
						       head))) {
			list_for_each_entry_safe(p, tmp, &own->pieces, head)
				free_piece(p);
			list_del(&own->head);
			kfree(own);
		}
	}
}

/* ---- restating ---------------------------------------------------------- */

/* Messages as they fill. */
struct telling {
	struct list_head *msgs;
	struct sfs_msg *msg;
	u64 restate_nr;
	u32 nr_msgs;
	u32 nr;				/* in the last one */
};

static int tell(struct telling *t, const struct sfs_msg_flock *m)
{
	struct sfs_msg_flock_restate *body;

	if (!t->msg || (m && t->nr == SFS_FLOCK_RESTATE_BATCH)) {
		struct sfs_msg *msg = sfs_msg_alloc(SFS_MSG_FLOCK_RESTATE,
						    sizeof(*body) +
						    SFS_FLOCK_RESTATE_BATCH *
						    sizeof(body->ent[0]));

		if (!msg)
			return -ENOMEM;
		body = (struct sfs_msg_flock_restate *)msg->payload;
		body->nr = cpu_to_le64(t->restate_nr);
		body->part = cpu_to_le32(t->nr_msgs++);
		list_add_tail(&msg->head, t->msgs);
		t->msg = msg;
		t->nr = 0;
	}
	body = (struct sfs_msg_flock_restate *)t->msg->payload;
	if (m)
		body->ent[t->nr++] = *m;
	body->nr_ents = cpu_to_le32(t->nr);
	t->msg->hdr.len = cpu_to_le32(sizeof(*body) +
				      t->nr * sizeof(body->ent[0]));
	return 0;
}

/* flock drops the old lock before anything else; it comes with the request. */
static bool is_dropped(const struct sfs_fl_owner *own, const struct sfs_fl_piece *p)
{
	struct sfs_fl_request *req;

	list_for_each_entry(req, &own->reqs, head) {
		if (own->is_file && req->sent && req->op != SFS_FLOCK_OP_GET &&
		    req->lk.type != p->type)
			return true;
	}
	return false;
}

/* What requests under way leave of @p at @pos (0: nothing), up to which byte. */
static u8 restated_as(const struct sfs_fl_owner *own, const struct sfs_fl_piece *p, u64 pos,
		      u64 *ret_end)
{
	u8 op = SFS_FLOCK_OP_HELD;
	struct sfs_fl_request *req;

	*ret_end = p->end;
	list_for_each_entry(req, &own->reqs, head) {
		if (!req->sent || req->op == SFS_FLOCK_OP_GET ||
		    req->lk.type >= p->type || req->lk.end < pos)
			continue;
		if (req->lk.start > pos) {
			*ret_end = min(*ret_end, req->lk.start - 1);
			continue;
		}
		*ret_end = min(*ret_end, req->lk.end);
		if (req->lk.type == SFS_FLOCK_NONE)
			op = 0;
		else if (op)
			op = SFS_FLOCK_OP_DOUBT;
	}
	return op;
}

static int tell_piece(struct telling *t, const struct sfs_fl_owner *own,
		      const struct sfs_fl_piece *p)
{
	struct sfs_fl_request as = {
		.lk = {
			.ino = own->ino, .owner = own->owner, .pid = p->pid,
			.kind = p->kind, .type = p->type,
		},
	};
	struct sfs_msg_flock m;
	u64 pos = p->start;
	u64 end;
	int ret;
	u8 op;

	for (;;) {
		op = restated_as(own, p, pos, &end);
		if (op) {
			as.lk.start = pos;
			as.lk.end = end;
			sfs_fl_request_encode(&as, op, &m);
			ret = tell(t, &m);
			if (ret < 0)
				return ret;
		}
		if (end == p->end)
			return 0;
		pos = end + 1;
	}
}

static int tell_held(struct telling *t, struct sfs_fl_owner *own)
{
	struct sfs_fl_piece *tmp;
	struct sfs_fl_piece *p;
	int ret = 0;

	list_for_each_entry_safe(p, tmp, &own->pieces, head) {
		if (p->type == SFS_FLOCK_NONE || is_dropped(own, p)) {
			free_piece(p);
			continue;
		}
		p->order = 0;
		if (ret == 0)
			ret = tell_piece(t, own, p);
	}
	return ret;
}

static int tell_all(struct sfs_flocks *fl, struct telling *t)
{
	struct sfs_fl_request *req;
	struct sfs_msg_flock m;
	struct sfs_fl_owner *own;
	int ret;
	u32 i;

	ret = tell(t, NULL);
	for (i = 0; i < SFS_FLOCKS_BUCKETS && ret == 0; i++) {
		list_for_each_entry(own, &fl->owners[i], head) {
			ret = tell_held(t, own);
			if (ret < 0)
				break;
		}
	}
	for (i = 0; i < fl->nr_places && ret == 0; i++) {
		req = fl->places[i].req;
		if (!req || !req->sent || req->op == SFS_FLOCK_OP_GET)
			continue;
		sfs_fl_request_encode(req, sfs_fl_request_op(req), &m);
		ret = tell(t, &m);
	}
	return ret;
}

int sfs_flocks_restate(struct sfs_flocks *fl, struct list_head *ret_msgs)
{
	struct telling t = { .msgs = ret_msgs };
	struct sfs_msg *msg;
	int ret;

	INIT_LIST_HEAD(ret_msgs);
	mutex_lock(&fl->mutex);
	fl->paused = true;
	t.restate_nr = ++fl->restate_nr;
	ret = tell_all(fl, &t);
	mutex_unlock(&fl->mutex);
	while (ret < 0 && (msg = list_first_entry_or_null(ret_msgs,
							  struct sfs_msg,
							  head))) {
		list_del(&msg->head);
		sfs_msg_free(msg);
	}
	return ret;
}

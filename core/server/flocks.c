// SPDX-License-Identifier: GPL-2.0-only
/*
 * The service of file locks: flock() and fcntl() between all mounts.
 *
 * What it promises:
 * - A request has its effect once, however often it comes, and is answered the
 *   same way each time.  A mount has one unanswered request in each of its
 *   places; the last number there and its answer are kept until the next.
 * - What was answered as granted holds until its owner changes it, or until the
 *   mount leaves or has been reclaimed.  A server that starts answers nobody
 *   before all mounts have said again what they hold.
 * - A request that waits ends with its grant, with its cancellation, or with
 *   its mount; never both granted and cancelled.
 * - Effects on one inode are numbered in their order, so a mount knows what it
 *   holds although answers are lost and overtake each other.
 *
 * A message is queued when it comes and worked on by the session's worker, one
 * after the other; nothing here waits for a mount.  What can not be taken or
 * answered for want of memory is dropped: the mount says it again.
 *
 * A restarted server may hear of a range from a mount that the old server had
 * already allowed it to weaken, without the mount having learnt of it; such a
 * piece comes as doubtful, together with the request, and settles at the end.
 * What the mount unlocks, it does not restate.
 *
 * Locks: table.mutex for all state; session->lock, a leaf, for its queue.
 * Nothing survives a crash, and nothing has to.
 */
#include "server/flocks.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "api.h"
#include "base/report.h"
#include "server/dump.h"

#define MAX_QUEUED 4096
#define TICK_MS 250
#define DUMP_LINES 1000

struct restated {
	struct list_head head;
	struct sfs_fl_req req;
	bool proven;
};

static void decode(struct sfs_fl_session *ses, const struct sfs_msg_flock *m,
		   struct sfs_fl_req *req)
{
	req->ses = ses;
	req->nr = le64_to_cpu(m->nr);
	req->ino = le64_to_cpu(m->ino);
	req->owner = le64_to_cpu(m->owner);
	req->start = le64_to_cpu(m->start);
	req->end = le64_to_cpu(m->end);
	req->place = le32_to_cpu(m->place);
	req->pid = le32_to_cpu(m->pid);
	req->op = m->op;
	req->kind = m->kind;
	req->type = m->type;
	if (req->kind == SFS_FLOCK_FLOCK) {
		req->start = 0;
		req->end = U64_MAX;
	}
}

static bool is_valid(const struct sfs_fl_req *req)
{
	return req->kind <= SFS_FLOCK_FLOCK && req->type <= SFS_FLOCK_WRITE &&
	       req->start <= req->end && req->place < SFS_FLOCK_PLACES &&
	       req->op >= SFS_FLOCK_OP_SET && req->op <= SFS_FLOCK_OP_DOUBT;
}

/* ---- answers ------------------------------------------------------------ */

static struct sfs_msg_flock_answer *new_answer(u32 nr_place, u64 nr,
					       struct sfs_msg **ret_msg)
{
	struct sfs_msg_flock_answer *body;
	struct sfs_msg *msg;

	msg = sfs_msg_alloc(SFS_MSG_FLOCK_ANSWER, sizeof(*body));
	if (!msg)
		return NULL;
	body = (struct sfs_msg_flock_answer *)msg->payload;
	body->nr = cpu_to_le64(nr);
	body->place = cpu_to_le32(nr_place);
	*ret_msg = msg;
	return body;
}

static void answer(struct sfs_fl_session *ses, u32 nr)
{
	struct sfs_fl_place *place = &ses->places[nr];
	struct sfs_msg_flock_answer *body;
	struct sfs_msg *msg;

	SFS_ASSERT(!place->wait);
	body = new_answer(nr, place->nr, &msg);
	if (!body)
		return;
	body->order = cpu_to_le64(place->order);
	body->err = cpu_to_le32((u32)-place->err);
	body->effect = place->effect;
	ses->send(ses->arg, msg);
}

static void note_effect(struct sfs_fl_session *ses, u32 nr, u8 effect)
{
	struct sfs_fl_place *place = &ses->places[nr];

	if (effect) {
		place->effect = effect;
		place->order = ++ses->fl->table.order;
	}
}

static void granted(struct sfs_fl_wait *wait, int err, u8 effect)
{
	struct sfs_fl_session *ses = wait->req.ses;
	struct sfs_fl_place *place = &ses->places[wait->req.place];

	SFS_ASSERT(place->wait == wait);
	place->wait = NULL;
	place->err = err;
	note_effect(ses, wait->req.place, effect);
	kfree(wait);
	answer(ses, (u32)(place - ses->places));
}

static void answer_get(const struct sfs_fl_req *req)
{
	struct sfs_msg_flock_answer *body;
	const struct sfs_fl_range *r;
	struct sfs_msg *msg;

	body = new_answer(req->place, req->nr, &msg);
	if (!body)
		return;
	r = sfs_fl_table_get(&req->ses->fl->table, req);
	if (r) {
		body->kind = r->kind;
		body->type = r->type;
		body->pid = cpu_to_le32(r->pid);
		body->rid = cpu_to_le64(r->ses->rid);
		body->start = cpu_to_le64(r->start);
		body->end = cpu_to_le64(r->end);
	}
	req->ses->send(req->ses->arg, msg);
}

/* ---- requests ----------------------------------------------------------- */

static struct sfs_fl_place *get_place(struct sfs_fl_session *ses, u32 nr)
{
	struct sfs_fl_place *more;
	u32 nr_places;

	if (nr < ses->nr_places)
		return &ses->places[nr];
	nr_places = min_t(u32, max_t(u32, 2 * ses->nr_places, nr + 16),
			  SFS_FLOCK_PLACES);
	more = kvcalloc(nr_places, sizeof(*more), GFP_NOFS);
	if (!more)
		return NULL;
	if (ses->nr_places)
		memcpy(more, ses->places, ses->nr_places * sizeof(*more));
	kvfree(ses->places);
	ses->places = more;
	ses->nr_places = nr_places;
	return &more[nr];
}

static void kick_tick(struct sfs_srv_flocks *fl)
{
	if (fl->table.held_up)
		queue_delayed_work(fl->wq, &fl->tick,
				   msecs_to_jiffies(TICK_MS));
}

/* -EINPROGRESS: it waits. */
static int begin_wait(const struct sfs_fl_req *req)
{
	struct sfs_srv_flocks *fl = req->ses->fl;
	struct sfs_fl_wait *wait;
	int ret;

	wait = kzalloc(sizeof(*wait), GFP_NOFS);
	if (!wait)
		return -ENOLCK;
	wait->req = *req;
	ret = sfs_fl_table_wait(&fl->table, wait);
	if (ret < 0) {
		if (ret == -EDEADLK)
			sfs_count(fl->cnt, server_flock_deadlocks);
		kfree(wait);
		return ret;
	}
	sfs_count(fl->cnt, server_flock_waits);
	req->ses->places[req->place].wait = wait;
	kick_tick(fl);
	return -EINPROGRESS;
}

/* A number that its place has not had before. */
static void handle_new(const struct sfs_fl_req *req)
{
	struct sfs_fl_table *t = &req->ses->fl->table;
	struct sfs_fl_place *place = &req->ses->places[req->place];
	u8 effect = 0;
	int err = -EAGAIN;

	/* of a mount that gave up on it, or has forgotten */
	if (place->wait)
		sfs_fl_table_unwait(t, place->wait);
	memset(place, 0, sizeof(*place));
	place->nr = req->nr;
	switch (req->op) {
	case SFS_FLOCK_OP_SET:
		err = sfs_fl_table_set(t, req, &effect);
		break;
	case SFS_FLOCK_OP_WAIT:
		if (req->type == SFS_FLOCK_NONE || sfs_fl_table_fair(t, req))
			err = sfs_fl_table_set(t, req, &effect);
		break;
	case SFS_FLOCK_OP_CANCEL:
		err = -EINTR;
		break;
	default:
		err = -EINVAL;
	}
	note_effect(req->ses, req->place, effect);
	if (req->op == SFS_FLOCK_OP_WAIT && err == -EAGAIN)
		err = begin_wait(req);
	if (err == -EINPROGRESS)
		return;
	place->err = err;
	answer(req->ses, req->place);
}

static void handle(const struct sfs_fl_req *req)
{
	struct sfs_fl_place *place = get_place(req->ses, req->place);
	struct sfs_fl_wait *wait;

	if (!place || req->nr < place->nr)
		return;
	if (req->op == SFS_FLOCK_OP_GET) {
		answer_get(req);
	} else if (req->nr > place->nr) {
		handle_new(req);
	} else if (place->wait && req->op == SFS_FLOCK_OP_CANCEL) {
		wait = place->wait;
		place->wait = NULL;
		place->err = -EINTR;
		sfs_fl_table_unwait(&req->ses->fl->table, wait);
		answer(req->ses, req->place);
	} else if (!place->wait) {
		answer(req->ses, req->place);
	}
}

/* ---- sessions ----------------------------------------------------------- */

static struct sfs_msg *next_msg(struct sfs_fl_session *ses)
{
	struct sfs_msg *msg;

	spin_lock(&ses->lock);
	msg = list_first_entry_or_null(&ses->queue, struct sfs_msg, head);
	if (msg) {
		list_del_init(&msg->head);
		ses->nr_queued--;
	}
	spin_unlock(&ses->lock);
	return msg;
}

static void session_worker(struct work_struct *work)
{
	struct sfs_fl_session *ses = container_of(work, struct sfs_fl_session,
						  work);
	struct sfs_srv_flocks *fl = ses->fl;
	struct sfs_fl_req req;
	struct sfs_msg *msg;

	for (;;) {
		mutex_lock(&fl->table.mutex);
		/* thawing queues it again */
		msg = fl->frozen ? NULL : next_msg(ses);
		if (msg) {
			decode(ses, (struct sfs_msg_flock *)msg->payload, &req);
			if (is_valid(&req))
				handle(&req);
			sfs_msg_free(msg);
		}
		mutex_unlock(&fl->table.mutex);
		if (!msg)
			break;
	}
}

void sfs_fl_session_recv(struct sfs_fl_session *ses, struct sfs_msg *msg)
{
	bool full;

	if (sfs_msg_len(msg) < sizeof(struct sfs_msg_flock)) {
		sfs_msg_free(msg);
		return;
	}
	spin_lock(&ses->lock);
	full = ses->nr_queued >= MAX_QUEUED;
	if (!full) {
		list_add_tail(&msg->head, &ses->queue);
		ses->nr_queued++;
	}
	spin_unlock(&ses->lock);
	if (full)
		sfs_msg_free(msg);
	else
		queue_work(ses->fl->wq, &ses->work);
}

struct sfs_fl_session *
sfs_fl_session_create(struct sfs_srv_flocks *fl, u64 rid,
		      void (*send)(void *arg, struct sfs_msg *msg), void *arg)
{
	struct sfs_fl_session *ses = kzalloc(sizeof(*ses), GFP_NOFS);

	if (!ses)
		return NULL;
	ses->fl = fl;
	ses->rid = rid;
	ses->send = send;
	ses->arg = arg;
	INIT_LIST_HEAD(&ses->holder.held);
	INIT_LIST_HEAD(&ses->holder.waits);
	INIT_LIST_HEAD(&ses->restated);
	spin_lock_init(&ses->lock);
	INIT_LIST_HEAD(&ses->queue);
	INIT_WORK(&ses->work, session_worker);
	mutex_lock(&fl->table.mutex);
	list_add_tail(&ses->head, &fl->sessions);
	mutex_unlock(&fl->table.mutex);
	return ses;
}

static void forget_restated(struct sfs_fl_session *ses)
{
	struct restated *res;

	while ((res = list_first_entry_or_null(&ses->restated, struct restated,
					       head))) {
		list_del(&res->head);
		kfree(res);
	}
}

/* The table's mutex is held. */
static void release(struct sfs_fl_session *ses)
{
	forget_restated(ses);
	sfs_fl_table_drop(&ses->fl->table, ses);
	kvfree(ses->places);
	ses->places = NULL;
	ses->nr_places = 0;
}

void sfs_fl_session_release(struct sfs_fl_session *ses)
{
	mutex_lock(&ses->fl->table.mutex);
	release(ses);
	mutex_unlock(&ses->fl->table.mutex);
}

void sfs_fl_session_destroy(struct sfs_fl_session *ses)
{
	struct sfs_msg *msg;

	cancel_work_sync(&ses->work);
	mutex_lock(&ses->fl->table.mutex);
	release(ses);
	list_del(&ses->head);
	mutex_unlock(&ses->fl->table.mutex);
	/* thawing may have queued it until it was off the list */
	cancel_work_sync(&ses->work);
	while ((msg = next_msg(ses)))
		sfs_msg_free(msg);
	kfree(ses);
}

/* ---- restart ------------------------------------------------------------ */

static int restate_one(struct sfs_fl_session *ses,
		       const struct sfs_msg_flock *m)
{
	struct restated *res;
	struct sfs_fl_req req;

	decode(ses, m, &req);
	if (!is_valid(&req))
		return -EPROTO;
	if (req.op == SFS_FLOCK_OP_HELD || req.op == SFS_FLOCK_OP_DOUBT) {
		if (req.type == SFS_FLOCK_NONE)
			return -EPROTO;
		return sfs_fl_table_put(&ses->fl->table, &req,
					req.op == SFS_FLOCK_OP_DOUBT);
	}
	res = kzalloc(sizeof(*res), GFP_NOFS);
	if (!res)
		return -ENOMEM;
	res->req = req;
	list_add_tail(&res->head, &ses->restated);
	return 0;
}

/* 1: this part is new; 0: it has been here; the mutex is held. */
static int next_part(struct sfs_fl_session *ses, u64 nr, u32 part)
{
	/* whoever is late has lost what it held */
	if (!ses->fl->frozen)
		return -ESTALE;
	if (nr > ses->restate_nr && part == 0) {
		release(ses);
		ses->restate_nr = nr;
		ses->next_part = 0;
	}
	if (nr > ses->restate_nr || (nr == ses->restate_nr &&
				     part > ses->next_part))
		return -EPROTO;
	return nr == ses->restate_nr && part == ses->next_part;
}

int sfs_fl_session_restate(struct sfs_fl_session *ses,
			   const struct sfs_msg *msg)
{
	const struct sfs_msg_flock_restate *body =
		(const struct sfs_msg_flock_restate *)msg->payload;
	u32 nr;
	u32 i;
	int ret;

	if (sfs_msg_len(msg) < sizeof(*body))
		return -EPROTO;
	nr = le32_to_cpu(body->nr_ents);
	if (nr > (sfs_msg_len(msg) - sizeof(*body)) / sizeof(body->ent[0]))
		return -EPROTO;
	mutex_lock(&ses->fl->table.mutex);
	ret = next_part(ses, le64_to_cpu(body->nr), le32_to_cpu(body->part));
	if (ret > 0) {
		ses->next_part++;
		ret = 0;
		for (i = 0; i < nr && ret == 0; i++)
			ret = restate_one(ses, &body->ent[i]);
	}
	mutex_unlock(&ses->fl->table.mutex);
	return ret;
}

void sfs_srv_flocks_freeze(struct sfs_srv_flocks *fl)
{
	mutex_lock(&fl->table.mutex);
	fl->frozen = true;
	mutex_unlock(&fl->table.mutex);
}

/* The old server had granted what this owner asked for there. */
static void proven(struct sfs_fl_session *ses, u64 ino, u64 owner)
{
	struct restated *res;

	list_for_each_entry(res, &ses->restated, head) {
		if (res->req.ino != ino || res->req.owner != owner ||
		    res->req.type != SFS_FLOCK_READ)
			continue;
		res->proven = true;
		if (res->req.op == SFS_FLOCK_OP_CANCEL)
			res->req.op = SFS_FLOCK_OP_WAIT;
	}
}

static void handle_restated(struct sfs_srv_flocks *fl, bool only_proven)
{
	struct sfs_fl_session *ses;
	struct restated *res;
	struct restated *tmp;

	list_for_each_entry(ses, &fl->sessions, head) {
		list_for_each_entry_safe(res, tmp, &ses->restated, head) {
			if (only_proven && !res->proven)
				continue;
			list_del(&res->head);
			handle(&res->req);
			kfree(res);
		}
	}
}

void sfs_srv_flocks_thaw(struct sfs_srv_flocks *fl)
{
	struct sfs_fl_session *ses;

	mutex_lock(&fl->table.mutex);
	if (fl->frozen) {
		fl->frozen = false;
		sfs_fl_table_settle(&fl->table, proven);
		handle_restated(fl, true);
		handle_restated(fl, false);
		list_for_each_entry(ses, &fl->sessions, head)
			queue_work(fl->wq, &ses->work);
	}
	mutex_unlock(&fl->table.mutex);
}

/* ---- start and stop ----------------------------------------------------- */

static void tick_worker(struct work_struct *work)
{
	struct sfs_srv_flocks *fl = container_of(work, struct sfs_srv_flocks,
						 tick.work);

	mutex_lock(&fl->table.mutex);
	if (!fl->frozen)
		sfs_fl_table_tick(&fl->table);
	kick_tick(fl);
	mutex_unlock(&fl->table.mutex);
}

void sfs_srv_flocks_init(struct sfs_srv_flocks *fl, struct sfs_host *host,
			 struct sfs_counters *cnt)
{
	sfs_fl_table_init(&fl->table, host);
	fl->table.granted = granted;
	fl->cnt = cnt;
	fl->wq = NULL;
	INIT_LIST_HEAD(&fl->sessions);
	fl->frozen = false;
	INIT_DELAYED_WORK(&fl->tick, tick_worker);
}

void sfs_srv_flocks_start(struct sfs_srv_flocks *fl,
			  struct workqueue_struct *wq)
{
	fl->wq = wq;
}

void sfs_srv_flocks_exit(struct sfs_srv_flocks *fl)
{
	SFS_ASSERT(list_empty(&fl->sessions));
	SFS_ASSERT(RB_EMPTY_ROOT(&fl->table.inodes));
	cancel_delayed_work_sync(&fl->tick);
}

/* ---- seeing ------------------------------------------------------------- */

static const char *const kind_names[] = { "posix", "ofd", "flock" };
static const char *const type_names[] = { "none", "read", "write" };

/* Lines are copies: text is made of them outside of the mutex. */
struct seen {
	u64 ino;
	u64 rid;
	u64 owner;
	u64 start;
	u64 end;
	u64 waits_ns;
	u32 pid;
	u8 kind;
	u8 type;
	bool waits;
};

static void see_held(struct seen *s, const struct sfs_fl_range *r)
{
	*s = (struct seen){
		.ino = r->fi->ino, .rid = r->ses->rid, .owner = r->owner,
		.start = r->start, .end = r->end, .pid = r->pid,
		.kind = r->kind, .type = r->type,
	};
}

static void see_wait(struct seen *s, const struct sfs_fl_wait *w, u64 now)
{
	*s = (struct seen){
		.ino = w->fi->ino, .rid = w->req.ses->rid,
		.owner = w->req.owner, .start = w->req.start,
		.end = w->req.end, .pid = w->req.pid, .kind = w->req.kind,
		.type = w->req.type, .waits_ns = now - w->since_ns,
		.waits = true,
	};
}

/* Inodes that somebody waits for come first: held, then waiting. */
static u32 see(struct sfs_srv_flocks *fl, struct seen *seen, u32 max)
{
	u64 now = sfs_port_boot_ns(fl->table.host);
	struct sfs_fl_inode *fi;
	struct sfs_fl_range *r;
	struct sfs_fl_wait *w;
	struct rb_node *node;
	u32 nr = 0;
	int pass;
	int i;

	for (pass = 0; pass < 2; pass++) {
		for (node = rb_first(&fl->table.inodes); node;
		     node = rb_next(node)) {
			fi = rb_entry(node, struct sfs_fl_inode, node);
			for (i = 0; i < SFS_FL_SPACES; i++) {
				if (list_empty(&fi->waits[i]) != pass)
					continue;
				list_for_each_entry(r, &fi->held[i], head) {
					if (nr < max)
						see_held(&seen[nr++], r);
				}
				list_for_each_entry(w, &fi->waits[i], head) {
					if (nr < max)
						see_wait(&seen[nr++], w, now);
				}
			}
		}
	}
	return nr;
}

static int dump_one(struct sfs_dump *dump, const struct seen *s)
{
	if (!s->waits)
		return sfs_dump_line(dump, "ino %llu held %s %s bytes %llu-%llu rid %016llx owner %llx pid %u",
				     s->ino, kind_names[s->kind],
				     type_names[s->type], s->start, s->end,
				     s->rid, s->owner, s->pid);
	return sfs_dump_line(dump, "ino %llu waits %s %s bytes %llu-%llu rid %016llx owner %llx pid %u for-ms %llu",
			     s->ino, kind_names[s->kind], type_names[s->type],
			     s->start, s->end, s->rid, s->owner, s->pid,
			     s->waits_ns / 1000000);
}

int sfs_srv_flocks_dump(struct sfs_srv_flocks *fl, struct sfs_dump *dump)
{
	struct seen *seen;
	u64 nr_held;
	u64 nr_waits;
	bool frozen;
	int ret;
	u32 nr;
	u32 i;

	seen = kvmalloc_array(DUMP_LINES, sizeof(*seen), GFP_NOFS);
	if (!seen)
		return 0;
	mutex_lock(&fl->table.mutex);
	nr = see(fl, seen, DUMP_LINES);
	nr_held = fl->table.nr_held;
	nr_waits = fl->table.nr_waits;
	frozen = fl->frozen;
	mutex_unlock(&fl->table.mutex);
	ret = sfs_dump_line(dump, "file-locks held %llu waits %llu frozen %u",
			    nr_held, nr_waits, frozen);
	for (i = 0; i < nr && ret == 0; i++)
		ret = dump_one(dump, &seen[i]);
	if (ret == 0 && nr < nr_held + nr_waits)
		ret = sfs_dump_line(dump, "and %llu more",
				    nr_held + nr_waits - nr);
	kvfree(seen);
	return ret;
}

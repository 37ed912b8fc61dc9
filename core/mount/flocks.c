// SPDX-License-Identifier: GPL-2.0-only
/*
 * File locks as a mount sees them: requests to the server until they are
 * answered, and what this mount holds, to say it again to a server that has
 * started anew.  Nothing is decided here: each lock call is a round trip.
 *
 * A request has a place that no other unanswered one has, and a number; it is
 * repeated each second until its answer comes, which the server gives alike
 * each time (server/flocks.c).  A place is given to another request only then.
 *
 * A call that was abandoned is over for the host but not here: its request is
 * brought to an end, and a lock that it got is unlocked again.  Until then new
 * requests of the same owner are held back, because the host may use the number
 * of that owner for another one, which must not lose by it.
 *
 * Locks: fl->mutex for everything; done() is called without it.
 */
#include "mount/flocks.h"

#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>
#include "base/report.h"
#include "mount/mount_types.h"

#define RESEND_MS 1000
#define RESEND_NS (RESEND_MS * 1000000ULL)
/* at a time, so that many that wait do not fill the connection */
#define RESEND_MAX 256

/* ---- places ------------------------------------------------------------- */

static int more_places(struct sfs_flocks *fl)
{
	u32 nr = fl->nr_places ? 2 * fl->nr_places : 16;
	struct sfs_flocks_place *more;
	u32 i;

	if (nr > SFS_FLOCK_PLACES)
		return -ENOLCK;
	more = kvcalloc(nr, sizeof(*more), GFP_NOFS);
	if (!more)
		return -ENOMEM;
	if (fl->nr_places)
		memcpy(more, fl->places, fl->nr_places * sizeof(*more));
	for (i = nr; i-- > fl->nr_places;) {
		more[i].next_free = fl->free_head;
		fl->free_head = i + 1;
	}
	kvfree(fl->places);
	fl->places = more;
	fl->nr_free += nr - fl->nr_places;
	fl->nr_places = nr;
	return 0;
}

static int take_place(struct sfs_flocks *fl, struct sfs_fl_request *req)
{
	int ret;

	if (!fl->free_head) {
		ret = more_places(fl);
		if (ret < 0)
			return ret;
	}
	req->place = fl->free_head - 1;
	fl->free_head = fl->places[req->place].next_free;
	fl->places[req->place].req = req;
	fl->nr_free--;
	return 0;
}

static void give_place(struct sfs_flocks *fl, struct sfs_fl_request *req)
{
	struct sfs_flocks_place *place = &fl->places[req->place];

	place->req = NULL;
	place->next_free = fl->free_head;
	fl->free_head = req->place + 1;
	fl->nr_free++;
}

/* Never 0: numbers begin with 1. */
static u64 ticket_of(const struct sfs_fl_request *req)
{
	return req->nr * SFS_FLOCK_PLACES + req->place;
}

static struct sfs_fl_request *find_request(struct sfs_flocks *fl, u32 place, u64 nr)
{
	struct sfs_fl_request *req;

	if (place >= fl->nr_places)
		return NULL;
	req = fl->places[place].req;
	return req && req->nr == nr ? req : NULL;
}

/* ---- sending ------------------------------------------------------------ */

void sfs_fl_request_encode(const struct sfs_fl_request *req, u8 op, struct sfs_msg_flock *m)
{
	memset(m, 0, sizeof(*m));
	m->nr = cpu_to_le64(req->nr);
	m->ino = cpu_to_le64(req->lk.ino);
	m->owner = cpu_to_le64(req->lk.owner);
	m->start = cpu_to_le64(req->lk.start);
	m->end = cpu_to_le64(req->lk.end);
	m->place = cpu_to_le32(req->place);
	m->pid = cpu_to_le32(req->lk.pid);
	m->op = op;
	m->kind = req->lk.kind;
	m->type = req->lk.type;
}

u8 sfs_fl_request_op(const struct sfs_fl_request *req)
{
	return req->cancelling ? SFS_FLOCK_OP_CANCEL : req->op;
}

static bool is_held_back(const struct sfs_fl_request *req)
{
	return req->owner->nr_abandoned && !req->abandoned;
}

/* What is lost here, or for want of memory, the worker repeats. */
static void send(struct sfs_flocks *fl, struct sfs_fl_request *req)
{
	struct sfs_msg *msg;

	if (fl->paused || is_held_back(req))
		return;
	req->sent = true;
	req->sent_ns = sfs_port_boot_ns(fl->host);
	msg = sfs_msg_alloc(SFS_MSG_FLOCK, sizeof(struct sfs_msg_flock));
	if (!msg)
		return;
	sfs_fl_request_encode(req, sfs_fl_request_op(req), (struct sfs_msg_flock *)msg->payload);
	fl->send(fl->arg, msg);
}

/* ---- the end of requests ------------------------------------------------ */

static void send_held_back(struct sfs_flocks *fl, struct sfs_fl_owner *own)
{
	struct sfs_fl_request *req;

	if (own->nr_abandoned)
		return;
	list_for_each_entry(req, &own->reqs, head) {
		if (!req->sent)
			send(fl, req);
	}
}

static void free_request(struct sfs_flocks *fl, struct sfs_fl_request *req)
{
	struct sfs_fl_owner *own = req->owner;

	give_place(fl, req);
	list_del(&req->head);
	if (req->abandoned) {
		own->nr_abandoned--;
		send_held_back(fl, own);
	}
	kfree(req);
	sfs_fl_owner_put(own);
}

/* A lock that nobody wanted any more when it came: the same request unlocks. */
static bool undo(struct sfs_flocks *fl, struct sfs_fl_request *req, int err)
{
	if (!req->abandoned || err || req->lk.type == SFS_FLOCK_NONE)
		return false;
	req->lk.type = SFS_FLOCK_NONE;
	req->op = SFS_FLOCK_OP_SET;
	req->cancelling = false;
	req->nr = fl->next_nr++;
	send(fl, req);
	return true;
}

static void answer_lock(const struct sfs_msg_flock_answer *m,
			struct sfs_flock *lk)
{
	lk->rid = le64_to_cpu(m->rid);
	lk->start = le64_to_cpu(m->start);
	lk->end = le64_to_cpu(m->end);
	lk->pid = le32_to_cpu(m->pid);
	lk->kind = m->kind;
	lk->type = m->type;
}

void sfs_flocks_answer(struct sfs_flocks *fl, const struct sfs_msg *msg)
{
	const struct sfs_msg_flock_answer *m =
		(const struct sfs_msg_flock_answer *)msg->payload;
	struct sfs_flock found = {};
	sfs_flock_done_t done;
	struct sfs_fl_request *req;
	void *arg;
	int err;

	if (sfs_msg_len(msg) < sizeof(*m))
		return;
	err = -(int)le32_to_cpu(m->err);
	mutex_lock(&fl->mutex);
	req = find_request(fl, le32_to_cpu(m->place), le64_to_cpu(m->nr));
	if (!req || !req->sent) {
		mutex_unlock(&fl->mutex);
		return;
	}
	if (m->effect)
		sfs_fl_owner_apply(req->owner, req, m->effect - 1, le64_to_cpu(m->order));
	found = req->lk;
	if (req->op == SFS_FLOCK_OP_GET)
		answer_lock(m, &found);
	done = req->done;
	arg = req->arg;
	req->done = NULL;
	if (!undo(fl, req, err))
		free_request(fl, req);
	mutex_unlock(&fl->mutex);
	if (done)
		done(arg, err, &found);
}

/* ---- calls -------------------------------------------------------------- */

static struct sfs_fl_request *new_request(int call, const struct sfs_flock *lk,
				   sfs_flock_done_t done, void *arg)
{
	struct sfs_fl_request *req = kzalloc(sizeof(*req), GFP_NOFS);

	if (!req)
		return NULL;
	req->lk = *lk;
	if (lk->kind == SFS_FLOCK_FLOCK) {
		req->lk.start = 0;
		req->lk.end = U64_MAX;
	}
	req->op = SFS_FLOCK_OP_SET;
	if (call == SFS_FLOCK_GET)
		req->op = SFS_FLOCK_OP_GET;
	else if (call == SFS_FLOCK_WAIT && lk->type != SFS_FLOCK_NONE)
		req->op = SFS_FLOCK_OP_WAIT;
	req->done = done;
	req->arg = arg;
	return req;
}

static int begin(struct sfs_flocks *fl, struct sfs_fl_request *req, u64 *ret_ticket)
{
	struct sfs_fl_owner *own = sfs_fl_owner_get(fl, &req->lk);
	int ret;

	if (!own)
		return -ENOMEM;
	/* quick for whoever closes a file */
	if (req->lk.type == SFS_FLOCK_NONE && list_empty(&own->reqs) &&
	    list_empty(&own->pieces)) {
		sfs_fl_owner_put(own);
		return 1;
	}
	ret = take_place(fl, req);
	if (ret < 0) {
		sfs_fl_owner_put(own);
		return ret;
	}
	req->nr = fl->next_nr++;
	req->owner = own;
	list_add_tail(&req->head, &own->reqs);
	*ret_ticket = ticket_of(req);
	send(fl, req);
	queue_delayed_work(fl->wq, &fl->resend, msecs_to_jiffies(RESEND_MS));
	return 0;
}

void sfs_flocks_begin(struct sfs_flocks *fl, int call,
		      const struct sfs_flock *lk, sfs_flock_done_t done,
		      void *arg, u64 *ret_ticket)
{
	struct sfs_fl_request *req;
	int ret;

	sfs_count(fl->cnt, op_flock);
	*ret_ticket = 0;
	ret = fl->error(fl->arg);
	if (ret == 0 && (lk->kind > SFS_FLOCK_FLOCK ||
			 lk->type > SFS_FLOCK_WRITE || lk->start > lk->end))
		ret = -EINVAL;
	if (ret < 0) {
		done(arg, ret, lk);
		return;
	}
	req = new_request(call, lk, done, arg);
	ret = -ENOMEM;
	if (req) {
		mutex_lock(&fl->mutex);
		ret = begin(fl, req, ret_ticket);
		mutex_unlock(&fl->mutex);
	}
	if (ret) {
		kfree(req);
		done(arg, min(ret, 0), lk);
	}
}

/* Takes @done out of @req, which goes when the server does not know it. */
static void end_unsent(struct sfs_flocks *fl, struct sfs_fl_request *req)
{
	req->done = NULL;
	free_request(fl, req);
}

void sfs_flocks_cancel(struct sfs_flocks *fl, u64 ticket)
{
	sfs_flock_done_t done = NULL;
	struct sfs_fl_request *req;
	struct sfs_flock lk;
	void *arg = NULL;

	mutex_lock(&fl->mutex);
	req = find_request(fl, ticket % SFS_FLOCK_PLACES,
			   ticket / SFS_FLOCK_PLACES);
	if (req && req->done && req->op == SFS_FLOCK_OP_WAIT) {
		if (!req->sent) {
			done = req->done;
			arg = req->arg;
			lk = req->lk;
			end_unsent(fl, req);
		} else {
			req->cancelling = true;
			send(fl, req);
		}
	}
	mutex_unlock(&fl->mutex);
	if (done)
		done(arg, -EINTR, &lk);
}

void sfs_flocks_abandon(struct sfs_flocks *fl, u64 ticket)
{
	sfs_flock_done_t done = NULL;
	struct sfs_fl_request *req;
	struct sfs_flock lk;
	void *arg = NULL;

	mutex_lock(&fl->mutex);
	req = find_request(fl, ticket % SFS_FLOCK_PLACES,
			   ticket / SFS_FLOCK_PLACES);
	if (req && req->done) {
		done = req->done;
		arg = req->arg;
		lk = req->lk;
		req->done = NULL;
		if (req->op == SFS_FLOCK_OP_GET ||
		    (!req->sent && req->lk.type != SFS_FLOCK_NONE)) {
			end_unsent(fl, req);
		} else {
			req->abandoned = true;
			req->owner->nr_abandoned++;
			req->cancelling = req->op == SFS_FLOCK_OP_WAIT;
			send(fl, req);
		}
	}
	mutex_unlock(&fl->mutex);
	if (done)
		done(arg, -EINTR, &lk);
}

/* ---- waiting ------------------------------------------------------------ */

struct waiter {
	struct completion done;
	struct sfs_flock lk;
	int ret;
};

static void wake_waiter(void *arg, int ret, const struct sfs_flock *lk)
{
	struct waiter *w = arg;

	w->lk = *lk;
	w->ret = ret;
	complete(&w->done);
}

int sfs_flocks_wait(struct sfs_flocks *fl, int call, struct sfs_flock *lk)
{
	struct waiter w;
	u64 ticket;

	init_completion(&w.done);
	sfs_flocks_begin(fl, call, lk, wake_waiter, &w, &ticket);
	if (wait_for_completion_killable(&w.done)) {
		sfs_flocks_abandon(fl, ticket);
		wait_for_completion(&w.done);
	}
	if (call == SFS_FLOCK_GET && w.ret == 0)
		*lk = w.lk;
	return w.ret;
}

/* ---- repeating ---------------------------------------------------------- */

/* Everything under way ends, because nothing will be answered. */
static void fail_all(struct sfs_flocks *fl, int err)
{
	sfs_flock_done_t done;
	struct sfs_fl_request *req;
	struct sfs_flock lk;
	void *arg;
	u32 i = 0;

	mutex_lock(&fl->mutex);
	while (i < fl->nr_places) {
		req = fl->places[i].req;
		done = NULL;
		if (req) {
			done = req->done;
			arg = req->arg;
			lk = req->lk;
			req->done = NULL;
			free_request(fl, req);
		}
		if (done) {
			mutex_unlock(&fl->mutex);
			done(arg, err, &lk);
			mutex_lock(&fl->mutex);
		}
		i++;
	}
	mutex_unlock(&fl->mutex);
}

static bool resend_due(struct sfs_flocks *fl)
{
	u64 now = sfs_port_boot_ns(fl->host);
	struct sfs_fl_request *req;
	bool any = false;
	u32 nr_sent = 0;
	u32 i;

	mutex_lock(&fl->mutex);
	for (i = 0; i < fl->nr_places && nr_sent < RESEND_MAX; i++) {
		/* not always the same ones first */
		if (++fl->resend_at >= fl->nr_places)
			fl->resend_at = 0;
		req = fl->places[fl->resend_at].req;
		if (!req)
			continue;
		any = true;
		if (req->sent && now - req->sent_ns < RESEND_NS)
			continue;
		send(fl, req);
		nr_sent++;
	}
	mutex_unlock(&fl->mutex);
	return any;
}

static void resend_worker(struct work_struct *work)
{
	struct sfs_flocks *fl = container_of(work, struct sfs_flocks,
					     resend.work);
	int err = fl->error(fl->arg);

	if (err)
		fail_all(fl, err);
	else if (resend_due(fl))
		queue_delayed_work(fl->wq, &fl->resend,
				   msecs_to_jiffies(RESEND_MS));
}

/* ---- start and stop ----------------------------------------------------- */

void sfs_flocks_resume(struct sfs_flocks *fl)
{
	struct sfs_fl_request *req;
	u32 i;

	mutex_lock(&fl->mutex);
	fl->paused = false;
	for (i = 0; i < fl->nr_places; i++) {
		req = fl->places[i].req;
		/* the others have been restated, or will be repeated */
		if (req && (!req->sent || req->op == SFS_FLOCK_OP_GET))
			send(fl, req);
	}
	mutex_unlock(&fl->mutex);
}

void sfs_flocks_init(struct sfs_flocks *fl, struct sfs_host *host, u64 rid)
{
	int i;

	memset(fl, 0, sizeof(*fl));
	fl->host = host;
	fl->rid = rid;
	fl->next_nr = 1;
	mutex_init(&fl->mutex);
	for (i = 0; i < SFS_FLOCKS_BUCKETS; i++)
		INIT_LIST_HEAD(&fl->owners[i]);
	INIT_DELAYED_WORK(&fl->resend, resend_worker);
}

void sfs_flocks_start(struct sfs_flocks *fl, struct workqueue_struct *wq,
		      struct sfs_counters *cnt,
		      void (*send)(void *arg, struct sfs_msg *msg),
		      int (*error)(void *arg), void *arg)
{
	fl->wq = wq;
	fl->cnt = cnt;
	fl->send = send;
	fl->error = error;
	fl->arg = arg;
}

void sfs_flocks_exit(struct sfs_flocks *fl)
{
	if (fl->wq)
		cancel_delayed_work_sync(&fl->resend);
	fail_all(fl, -EIO);
	sfs_fl_owners_free(fl);
	kvfree(fl->places);
}

/* ---- for hosts ---------------------------------------------------------- */

void sfs_flock_begin(struct sfs_fs *fs, int call, const struct sfs_flock *lk,
		     sfs_flock_done_t done, void *arg, __u64 *ret_ticket)
{
	sfs_flocks_begin(&fs->flocks, call, lk, done, arg, ret_ticket);
}

void sfs_flock_cancel(struct sfs_fs *fs, __u64 ticket)
{
	sfs_flocks_cancel(&fs->flocks, ticket);
}

void sfs_flock_abandon(struct sfs_fs *fs, __u64 ticket)
{
	sfs_flocks_abandon(&fs->flocks, ticket);
}

int sfs_file_lock(struct sfs_fs *fs, const struct sfs_flock *lk, int wait)
{
	struct sfs_flock copy = *lk;

	return sfs_flocks_wait(&fs->flocks,
			       wait ? SFS_FLOCK_WAIT : SFS_FLOCK_SET, &copy);
}

int sfs_file_getlk(struct sfs_fs *fs, struct sfs_flock *lk)
{
	return sfs_flocks_wait(&fs->flocks, SFS_FLOCK_GET, lk);
}

int sfs_file_locks_release(struct sfs_fs *fs, __u64 ino, __u64 owner,
			   int kind)
{
	struct sfs_flock lk = {
		.ino = ino,
		.owner = owner,
		.end = U64_MAX,
		.kind = (u8)kind,
		.type = SFS_FLOCK_NONE,
	};

	return sfs_flocks_wait(&fs->flocks, SFS_FLOCK_SET, &lk);
}

int sfs_flock_held(struct sfs_fs *fs, const struct sfs_flock *lk,
		   struct sfs_flock *ret_lk)
{
	return sfs_flocks_held(&fs->flocks, lk, ret_lk);
}

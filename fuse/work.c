/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pools of threads for requests that may block for long, so that the queues'
 * own threads stay free for reads of pages.
 *
 * There is one pool for each reason to block: a pool full of calls that wait
 * for a caller's memory (which may be a mapping of a file on this very mount
 * and so wait for a READ), for a publish, for cluster locks, or for the
 * kernel's page locks never stops the others.  Threads are started when
 * there is work for them, up to the pool's bound, and stay.  The queue is
 * bounded by the number of tasks in the kernel that wait for an answer.
 */
#include "fuse/daemon.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sfs_workpool_init(struct sfs_workpool *wp, unsigned int max_threads)
{
	memset(wp, 0, sizeof(*wp));
	pthread_mutex_init(&wp->lock, NULL);
	pthread_cond_init(&wp->wake, NULL);
	pthread_cond_init(&wp->idle, NULL);
	wp->max_threads = max_threads;
}

static struct sfs_req *dequeue(struct sfs_workpool *wp)
{
	struct sfs_req *req = wp->head;

	if (req) {
		wp->head = req->queue_next;
		wp->nr_queued--;
	}
	return req;
}

static void *work_main(void *arg)
{
	struct sfs_workpool *wp = arg;
	struct sfs_req *req;

	pthread_mutex_lock(&wp->lock);
	for (;;) {
		req = dequeue(wp);
		if (!req && wp->stop)
			break;
		if (!req) {
			wp->nr_waiting++;
			pthread_cond_wait(&wp->wake, &wp->lock);
			wp->nr_waiting--;
			continue;
		}
		pthread_mutex_unlock(&wp->lock);
		sfs_host_set_killed(sfs_req_killed, req);
		req->fn(req);
		sfs_host_set_killed(NULL, NULL);
		sfs_req_free(req);
		pthread_mutex_lock(&wp->lock);
	}
	wp->nr_threads--;
	pthread_cond_signal(&wp->idle);
	pthread_mutex_unlock(&wp->lock);
	return NULL;
}

/* With wp->lock.  False when there is no thread at all to do the work. */
static bool need_thread(struct sfs_workpool *wp)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (wp->nr_waiting >= wp->nr_queued ||
	    wp->nr_threads >= wp->max_threads)
		return true;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, work_main, wp) == 0)
		wp->nr_threads++;
	pthread_attr_destroy(&attr);
	return wp->nr_threads > 0;
}

/* With wp->lock. */
static bool remove_queued(struct sfs_workpool *wp, struct sfs_req *req)
{
	struct sfs_req **p, *prev = NULL;

	for (p = &wp->head; *p; prev = *p, p = &(*p)->queue_next) {
		if (*p != req)
			continue;
		*p = req->queue_next;
		if (wp->tail == req)
			wp->tail = prev;
		wp->nr_queued--;
		return true;
	}
	return false;
}

/* @all: with its names and data, not only what its second half needs. */
static struct sfs_req *copy_req(const struct sfs_req *req, bool all)
{
	size_t len = req->d.h->len;
	struct sfs_req *copy;

	/* the data of a WRITE has been used already and is large */
	if (!all && req->d.h->opcode == FW_WRITE)
		len = sizeof(struct fw_in_header) + sizeof(struct fw_write_in);
	copy = calloc(1, sizeof(*copy) + len);
	if (!copy)
		return NULL;
	copy->conn = req->conn;
	copy->fd = req->fd;
	copy->on_heap = true;
	memcpy(copy->result, req->result, sizeof(copy->result));
	memcpy(copy->msg, req->d.h, len);
	atomic_init(&copy->interrupted, atomic_load(&req->interrupted));
	copy->seq = req->seq;
	if (all) {
		/* what has been taken apart once can be */
		if (fw_decode(copy->msg, len, &copy->d) == 0)
			return copy;
		free(copy);
		return NULL;
	}
	copy->d = req->d;
	copy->d.h = (void *)copy->msg;
	copy->d.arg = copy->d.h + 1;
	/* behind the fixed part lie names and data, at the same distances */
	if (req->d.h->opcode == FW_IOCTL)
		copy->d.data = (const char *)copy->d.arg + req->d.arg_len;
	else
		copy->d.data_len = 0;
	copy->d.nr_names = 0;
	return copy;
}

/* The same, not to be found yet. */
static struct sfs_req *take_over(struct sfs_req *req, bool all)
{
	struct sfs_req *work;

	work = copy_req(req, all);
	if (!work) {
		sfs_reply_err(req, -ENOMEM);
		return NULL;
	}
	req->deferred = true;
	sfs_req_deactivate(req);
	/* from here on nobody finds @req; it may have been found till now */
	if (atomic_load(&req->interrupted))
		atomic_store(&work->interrupted, 1);
	return work;
}

struct sfs_req *sfs_req_detach(struct sfs_req *req)
{
	struct sfs_req *work;

	assert(!req->on_heap);
	work = take_over(req, false);
	if (work)
		sfs_req_activate(work);
	return work;
}

static void defer(struct sfs_req *req, struct sfs_workpool *wp,
		  void (*fn)(struct sfs_req *req), bool all)
{
	struct sfs_req *work;
	bool ok;

	work = take_over(req, all);
	if (!work)
		return;
	work->fn = fn;
	/* a write has happened and must not be answered as if it had not */
	if (all || req->d.h->opcode != FW_WRITE)
		work->queued_in = wp;
	sfs_req_activate(work);

	pthread_mutex_lock(&wp->lock);
	if (wp->head)
		wp->tail->queue_next = work;
	else
		wp->head = work;
	wp->tail = work;
	wp->nr_queued++;
	ok = need_thread(wp);
	pthread_cond_signal(&wp->wake);
	pthread_mutex_unlock(&wp->lock);
	/* without a single thread, better here than never */
	if (!ok && sfs_workpool_cancel(wp, work)) {
		fn(work);
		sfs_req_free(work);
	}
}

void sfs_defer(struct sfs_req *req, struct sfs_workpool *wp,
	       void (*fn)(struct sfs_req *req))
{
	/* a thread of a pool may as well wait for this, too */
	if (req->on_heap)
		fn(req);
	else
		defer(req, wp, fn, false);
}

void sfs_defer_all(struct sfs_req *req, struct sfs_workpool *wp)
{
	assert(!req->on_heap);
	defer(req, wp, sfs_dispatch, true);
}

struct sfs_req *sfs_workpool_take(struct sfs_workpool *wp, uint64_t first,
				  uint64_t last)
{
	struct sfs_req *req;

	pthread_mutex_lock(&wp->lock);
	for (req = wp->head; req; req = req->queue_next)
		if (req->d.h->nodeid >= first && req->d.h->nodeid <= last)
			break;
	if (req)
		remove_queued(wp, req);
	pthread_mutex_unlock(&wp->lock);
	return req;
}

void sfs_workpool_put(struct sfs_workpool *wp, struct sfs_req *req)
{
	pthread_mutex_lock(&wp->lock);
	req->queue_next = wp->head;
	wp->head = req;
	if (!req->queue_next)
		wp->tail = req;
	wp->nr_queued++;
	need_thread(wp);
	pthread_cond_signal(&wp->wake);
	pthread_mutex_unlock(&wp->lock);
}

bool sfs_workpool_cancel(struct sfs_workpool *wp, struct sfs_req *req)
{
	bool found;

	pthread_mutex_lock(&wp->lock);
	found = remove_queued(wp, req);
	pthread_mutex_unlock(&wp->lock);
	return found;
}

void sfs_workpool_stop(struct sfs_workpool *wp)
{
	pthread_mutex_lock(&wp->lock);
	wp->stop = true;
	pthread_cond_broadcast(&wp->wake);
	while (wp->nr_threads)
		pthread_cond_wait(&wp->idle, &wp->lock);
	pthread_mutex_unlock(&wp->lock);
	pthread_mutex_destroy(&wp->lock);
	pthread_cond_destroy(&wp->wake);
	pthread_cond_destroy(&wp->idle);
}

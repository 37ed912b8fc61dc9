/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Actors: each makes up operations below a directory of its own, runs them on
 * the mount as a host would, compares every answer and every attribute with
 * the model, and keeps a log of what it did.
 *
 * An operation that ends while the power is off may have happened or not; it
 * is the last one of its actor until somebody has looked (expect.c).
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

/* Virtual time that one operation may take. */
#define MAX_OP_NS (60ULL * 1000000000ULL)

static void __attribute__((noreturn))
op_failed(struct sim_actor *a, const struct sim_rec *rec, const char *what)
{
	char text[400];

	pm_op_to_text(&rec->op, text, sizeof(text));
	shim_fail("actor %u, operation %u: %s\nafter: %s", a->nr, a->nr_log - 1,
		  what, text);
}

/* ---- the log -------------------------------------------------------------------- */

static struct sim_rec *log_add(struct sim_actor *a, const struct pm_op *op)
{
	struct sim_rec **bigger;
	struct sim_rec *rec = sim_zalloc(sizeof(*rec));

	if (a->nr_log == a->max_log) {
		a->max_log = max(2 * a->max_log, 64U);
		bigger = sim_zalloc(a->max_log * sizeof(*bigger));
		if (a->log)
			memcpy(bigger, a->log, a->nr_log * sizeof(*bigger));
		kvfree(a->log);
		a->log = bigger;
	}
	a->log[a->nr_log++] = rec;
	rec->op = *op;
	rec->begin = ++a->w->events;
	rec->end = U64_MAX;
	return rec;
}

void sim_actor_settle(struct sim_actor *a)
{
	u32 i;

	for (i = 0; i < a->nr_log; i++) {
		sim_buf_free(a->log[i]->data);
		kvfree(a->log[i]);
	}
	a->nr_log = 0;
	a->first = 0;
	a->nr_seen = 0;
	if (a->base)
		pm_destroy(a->base);
	a->base = pm_clone(a->pm);
}

/* ---- what an operation left ------------------------------------------------------ */

static bool time_before(const struct sfs_time *x, const struct sfs_time *y)
{
	return x->sec < y->sec || (x->sec == y->sec && x->nsec < y->nsec);
}

static const char *attrs_wrong(const struct pm_inode *in,
			       const struct sfs_attr *at)
{
	if (at->mode != in->mode)
		return "mode";
	if (at->nlink != in->nlink)
		return "nlink";
	if (at->uid != in->uid || at->gid != in->gid)
		return "owner";
	if (at->rdev != in->rdev)
		return "rdev";
	if (at->size != in->size)
		return "size";
	return NULL;
}

static const char *history_wrong(const struct sim_actor *a,
				 const struct pm_inode *in,
				 const struct sfs_attr *at, bool data)
{
	/* what was synced has been seen by agents: changes come after it */
	if ((at->ctime.sec != in->ctime.sec ||
	     at->ctime.nsec != in->ctime.nsec) &&
	    at->meta_seq <= a->synced_stamp)
		return "meta_seq (changed after a sync, and not moved)";
	if (data && at->data_seq <= a->synced_stamp)
		return "data_seq (changed after a sync, and not moved)";
	if (at->crtime.sec != in->crtime.sec ||
	    at->crtime.nsec != in->crtime.nsec)
		return "crtime";
	if (time_before(&at->ctime, &in->ctime))
		return "ctime (it went back)";
	if (at->meta_seq < in->meta_seq || at->data_seq < in->data_seq)
		return "a stamp (it went back)";
	if (data && at->data_version <= in->data_version)
		return "data_version (it did not change)";
	if (!data && at->data_version != in->data_version)
		return "data_version (it changed)";
	return NULL;
}

/* False when the mount does not tell, because the power went. */
static bool learn_one(struct sim_actor *a, struct sim_rec *rec, u64 ino,
		      bool is_new, bool data)
{
	struct pm_inode *in = pm_inode(a->pm, ino);
	struct sfs_attr *at = &rec->learned[rec->nr_learned];
	const char *wrong;
	char text[120];
	int ret;

	if (!in)
		return true;
	shim_nofail_begin();
	ret = sfs_getattr(a->w->fs, ino, at);
	shim_nofail_end();
	if (ret == -EIO && (sim_host_is_off(a->w->host) || a->w->may_fail))
		return false;
	wrong = ret ? "getattr" : attrs_wrong(in, at);
	if (!wrong && !is_new)
		wrong = history_wrong(a, in, at, data);
	if (wrong) {
		scnprintf(text, sizeof(text), "inode %llu: %s is wrong (%d)",
			  ino, wrong, ret);
		op_failed(a, rec, text);
	}
	rec->nr_learned++;
	return true;
}

static bool changes_data(const struct posix *pm, const struct sim_rec *rec)
{
	const struct pm_inode *in = pm_inode(pm, rec->op.ino);

	if (rec->op.type == PM_WRITE)
		return rec->res.ret > 0;
	return rec->op.type == PM_SETATTR && !rec->res.ret &&
	       (rec->op.set.mask & SFS_SET_SIZE) && in &&
	       in->size != rec->op.set.size;
}

static bool learn(struct sim_actor *a, struct sim_rec *rec, bool data)
{
	const u64 inos[4] = { rec->op.dir, rec->op.ino, rec->op.dir2,
			      rec->op.ino2 };
	u32 i;
	u32 k;

	for (i = 0; i < 4; i++) {
		for (k = 0; k < i; k++) {
			if (inos[k] == inos[i])
				break;
		}
		if (k == i && !learn_one(a, rec, inos[i], false,
					 data && inos[i] == rec->op.ino))
			return false;
	}
	if (rec->res.ret >= 0 &&
	    (rec->op.type == PM_CREATE || rec->op.type == PM_SYMLINK) &&
	    !learn_one(a, rec, rec->res.ino, true, false))
		return false;
	sim_learned_take(a->pm, rec);
	return true;
}

/* ---- looking ----------------------------------------------------------------------- */

static void saw(struct sim_actor *a, u64 ino)
{
	const struct pm_inode *in = pm_inode(a->pm, ino);
	struct sim_seen *s;

	if (!in || !S_ISREG(in->mode))
		return;
	if (a->nr_seen == a->max_seen) {
		a->max_seen = max(2 * a->max_seen, 32U);
		s = sim_zalloc(a->max_seen * sizeof(*s));
		if (a->seen)
			memcpy(s, a->seen, a->nr_seen * sizeof(*s));
		kvfree(a->seen);
		a->seen = s;
	}
	s = &a->seen[a->nr_seen++];
	s->ino = ino;
	s->data_version = in->data_version;
	s->size = in->size;
	s->hash = sim_hash(0, in->data, in->size);
	/* the look ends now: cuts so far came before it */
	s->event = a->w->events + 1;
}

/* The contents that were read are those of the model. */
static void check_read(struct sim_actor *a, struct sim_rec *rec)
{
	const struct pm_inode *in = pm_inode(a->pm, rec->op.ino);
	u8 *buf;
	s64 ret;

	if (!in || !in->size || !S_ISREG(in->mode))
		return;
	buf = sim_buf(in->size);
	shim_nofail_begin();
	ret = sfs_file_read(a->w->fs, in->ino, 0, buf, in->size);
	shim_nofail_end();
	if (ret != in->size && !a->w->may_fail && !sim_host_is_off(a->w->host))
		op_failed(a, rec, "the file can not be read");
	if (ret > 0 && memcmp(buf, in->data, ret))
		op_failed(a, rec, "contents are wrong");
	sim_buf_free(buf);
}

/* ---- operations that fail for resources ----------------------------------------------- */

static bool is_resource(s64 err)
{
	return err == -ENOSPC || err == -EIO || err == -ENOMEM ||
	       err == -EINTR;
}

static bool has_written(const struct sim_rec *rec)
{
	u8 *buf = sim_zalloc(rec->op.io_len);
	bool ok;

	pm_fill(rec->op.seed, buf, rec->op.io_len);
	ok = !memcmp(buf, rec->data + rec->op.off, rec->res.ret);
	kvfree(buf);
	return ok;
}

/*
 * A write or a change of size that failed may have changed what it was to
 * overwrite, or stepped the version.
 */
static bool relearn(struct sim_actor *a, struct sim_rec *rec)
{
	struct pm_inode *in = pm_inode(a->pm, rec->op.ino);
	struct sfs_attr at = {};
	u32 tries = 30;
	s64 ret;

	if (!in || !S_ISREG(in->mode))
		return true;
	/* nobody promises that what it left in the disk's cache stays there */
	while (sfs_port_flush(a->w->host, SFS_DEV_DATA) && tries)
		tries--;
	shim_nofail_begin();
	ret = sfs_stat_more(a->w->fs, in->ino, &at);
	if (!ret) {
		rec->data = sim_buf(at.size);
		ret = sfs_file_read(a->w->fs, in->ino, 0, rec->data, at.size);
	}
	shim_nofail_end();
	if (ret != at.size)
		return false;
	if (at.size != in->size && rec->op.type != PM_WRITE)
		op_failed(a, rec, "it failed and changed the size");
	if (rec->res.ret > 0 && !has_written(rec))
		op_failed(a, rec, "what it says it has written is not there");
	rec->relearned = true;
	rec->size = at.size;
	if (!in->data)
		in->data = sim_zalloc(PM_FILE_MAX);
	memcpy(in->data, rec->data, rec->size);
	in->size = rec->size;
	rec->learned[rec->nr_learned++] = at;
	sim_learned_take(a->pm, rec);
	return true;
}

/* ---- a step -------------------------------------------------------------------------------- */

static bool answer_fits(const struct sim_actor *a, const struct sim_rec *rec,
			s64 want)
{
	if (rec->res.ret == want)
		return true;
	return a->w->may_fail && rec->res.ret > 0 && rec->res.ret < want &&
	       (rec->op.type == PM_WRITE || rec->op.type == PM_READ);
}

static bool failed_step(struct sim_actor *a, struct sim_rec *rec)
{
	bool data = rec->op.type == PM_WRITE ||
		    (rec->op.type == PM_SETATTR &&
		     (rec->op.set.mask & SFS_SET_SIZE));

	if (!(data ? relearn(a, rec) : learn(a, rec, false)))
		return false;
	rec->res.ret = -1;
	rec->end = ++a->w->events;
	return true;
}

static void synced(struct sim_actor *a)
{
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++)
		a->synced_stamp = max3(a->synced_stamp,
				       a->pm->inodes[i].meta_seq,
				       a->pm->inodes[i].data_seq);
}

bool sim_actor_step(struct sim_actor *a, const struct pm_op *op)
{
	struct sim_world *w = a->w;
	struct sim_rec *rec = log_add(a, op);
	s64 want = pm_predict(a->pm, op);
	bool data;
	char text[100];

	a->busy_since = shim_clock_ns();
	pm_run(w->fs, op, &rec->res);
	a->busy_since = 0;
	w->nr_ops++;
	sim_trace_add(w, op->type ^ (u64)rec->res.ret << 8);
	sim_trace_add(w, shim_clock_ns());
	if (is_resource(rec->res.ret) && rec->res.ret != want) {
		if (sim_host_is_off(w->host) || sim_host_down(w->host))
			return false;
		if (w->may_fail)
			return failed_step(a, rec);
	}
	/* part of a transfer, then the power went */
	if ((op->type == PM_WRITE || op->type == PM_READ) &&
	    rec->res.ret > 0 && rec->res.ret < want &&
	    (sim_host_is_off(w->host) || sim_host_down(w->host)))
		return false;
	if (!answer_fits(a, rec, want)) {
		scnprintf(text, sizeof(text), "answer is %lld, should be %lld",
			  rec->res.ret, want);
		op_failed(a, rec, text);
	}
	if (op->type == PM_WRITE && rec->res.ret > 0 && rec->res.ret < want)
		return failed_step(a, rec);
	data = changes_data(a->pm, rec);
	if (rec->res.ret >= 0)
		pm_apply(a->pm, op, &rec->res);
	if (!learn(a, rec, data))
		return false;
	if (op->type == PM_WRITE && rec->res.ret > 0)
		a->last_written = op->ino;
	if (op->type == PM_STAT_MORE && rec->res.ret >= 0)
		saw(a, op->ino);
	if (op->type == PM_READ && rec->res.ret > 0)
		check_read(a, rec);
	rec->end = ++w->events;
	if ((op->type == PM_SYNC || op->type == PM_FSYNC) && !rec->res.ret)
		synced(a);
	return true;
}

/* What an actor does most. */
static const u32 focuses[] = {
	~0U,
	~0U,
	1U << PM_WRITE | 1U << PM_SETATTR | 1U << PM_STAT_MORE | 1U << PM_READ |
		1U << PM_CREATE | 1U << PM_FSYNC,
	1U << PM_CREATE | 1U << PM_SYMLINK | 1U << PM_LINK | 1U << PM_UNLINK |
		1U << PM_RMDIR | 1U << PM_RENAME | 1U << PM_OPEN |
		1U << PM_CLOSE | 1U << PM_SYNC,
};

/* Looking at a file and writing to it, again and again. */
static bool same_file(struct sim_actor *a, struct pm_op *op)
{
	const struct pm_inode *in = pm_inode(a->pm, a->last_written);

	if (!in || !S_ISREG(in->mode) || !in->size || sim_one_in(&a->rng, 2))
		return false;
	memset(op, 0, sizeof(*op));
	op->ino = in->ino;
	op->type = sim_one_in(&a->rng, 2) ? PM_STAT_MORE : PM_WRITE;
	if (op->type == PM_STAT_MORE)
		return true;
	op->seed = sim_rnd(&a->rng, U32_MAX);
	op->off = sim_rnd(&a->rng, in->size);
	if (sim_one_in(&a->rng, 2))
		op->off &= ~4095ULL;
	op->io_len = 1 + sim_rnd(&a->rng, min(in->size - op->off, 9000ULL));
	return true;
}

static void make_up(struct sim_actor *a, struct pm_op *op)
{
	u32 tries = 12;

	if ((a->focus >> PM_STAT_MORE & 1) && ~a->focus && same_file(a, op))
		return;
	do {
		pm_generate(a->pm, &a->rng, op);
	} while (!(a->focus >> op->type & 1) && tries--);
}

static void act(void *arg)
{
	struct sim_actor *a = arg;
	struct pm_op op;

	while (a->ops_left && !a->w->stop) {
		a->ops_left--;
		make_up(a, &op);
		if (!sim_actor_step(a, &op))
			break;
		if (sim_one_in(&a->rng, 4))
			shim_sleep_ns(sim_rnd(&a->rng, a->think_us) * 1000ULL);
	}
}

/* Whatever happens, an operation ends. */
static void watch_over(void *arg)
{
	struct sim_world *w = arg;
	struct sim_actor *a;
	u32 i;

	while (w->watched) {
		for (i = 0; i < w->nr_actors; i++) {
			a = w->actors[i];
			if (a->busy_since &&
			    shim_clock_ns() - a->busy_since > MAX_OP_NS)
				op_failed(a, a->log[a->nr_log - 1],
					  "it does not end");
		}
		shim_sleep_ns(MAX_OP_NS / 60);
	}
}

/* ---- all of them ----------------------------------------------------------------- */

void sim_actors_create(struct sim_world *w, u32 nr)
{
	static const u16 modes[] = { 0755, 0777, 01777, 02775 };
	struct sfs_cred cred;
	struct sim_actor *a;
	struct sfs_attr at;
	char name[2] = "A";

	pm_cred(0, &cred);
	cred.umask = 0;
	for (; w->nr_actors < nr; w->nr_actors++, name[0]++) {
		a = sim_zalloc(sizeof(*a));
		w->actors[w->nr_actors] = a;
		a->w = w;
		a->nr = w->nr_actors;
		a->rng = sim_rnd(&w->rng, 1ULL << 48);
		a->focus = focuses[sim_rnd(&w->rng, ARRAY_SIZE(focuses))];
		a->think_us = 1 << sim_rnd(&w->rng, 17);
		if (sfs_create(w->fs, &cred, 1, name, 1,
			       S_IFDIR | modes[sim_rnd(&w->rng, 4)], 0, &at))
			shim_fail("no directory for an actor");
		a->root = at.ino;
	}
	if (sfs_sync(w->fs))
		shim_fail("sync");
	for (nr = 0; nr < w->nr_actors; nr++) {
		a = w->actors[nr];
		a->pm = pm_create_below(w->fs, a->root);
		sim_actor_settle(a);
	}
}

void sim_actors_destroy(struct sim_world *w)
{
	struct sim_actor *a;

	while (w->nr_actors) {
		a = w->actors[--w->nr_actors];
		sim_actor_settle(a);
		pm_destroy(a->base);
		pm_destroy(a->pm);
		kvfree(a->log);
		kvfree(a->seen);
		kvfree(a);
	}
}

void sim_actors_start(struct sim_world *w, u32 ops)
{
	u32 i;

	w->stop = false;
	w->watched = true;
	w->overseer = shim_go("overseer", watch_over, w);
	for (i = 0; i < w->nr_actors; i++) {
		w->actors[i]->ops_left = ops;
		w->actors[i]->task = shim_go("actor", act, w->actors[i]);
	}
}

void sim_actors_join(struct sim_world *w)
{
	u32 i;

	for (i = 0; i < w->nr_actors; i++)
		shim_join(w->actors[i]->task);
	w->watched = false;
	shim_join(w->overseer);
}

void sim_actors_run(struct sim_world *w, u32 ops)
{
	sim_actors_start(w, ops);
	sim_actors_join(w);
}

void sim_actors_close(struct sim_world *w)
{
	struct posix *pm;
	u32 i;
	u32 k;

	for (i = 0; i < w->nr_actors; i++) {
		pm = w->actors[i]->pm;
		for (k = 0; k < PM_MAX_INODES; k++) {
			for (; pm->inodes[k].opens; pm->inodes[k].opens--)
				sfs_inode_close(w->fs, pm->inodes[k].ino);
		}
		pm_close_all(pm);
	}
}

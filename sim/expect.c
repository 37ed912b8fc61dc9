/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a crash may leave.
 *
 * Each actor has a directory of its own and does one operation after the other
 * below it; its log has all of them, with the times at which they began and
 * ended, and what the attributes of what they touched were afterwards.  Several
 * actors run at the same time, so there is no total order, but an operation
 * that ended before another one began comes before it.
 *
 * After a crash there is a number n for each actor so that:
 *
 *  1. What is below its directory is the state after its first n operations:
 *     names in the order of creation, every attribute (times, meta_seq,
 *     data_seq and data_version included), extended attributes, contents.
 *  2. n covers all operations that had ended when a sync or fsync of anybody
 *     began that returned 0 before the crash.
 *  3. The cut is closed: no operation that is missing ended before one that is
 *     there began (publishing is a prefix of all transactions of the mount).
 *  4. Inodes without names are gone, as nobody has them open any more.
 *
 * Two things are weaker, by design.  Operation n+1 may be there in part if it
 * writes or changes a size, because such operations are several transactions:
 * its file may have a data_version, stamps, and for writes a size and times
 * from between before and after.  And contents that are overwritten in place do
 * not wait for the transaction: each 512-byte sector of a file may be that of
 * any state from n on that the file had (with zeroes behind the size of that
 * state).  But whoever looked at a data_version with sfs_stat_more() has seen
 * contents, and as long as the inode says the same version these are the
 * contents, byte by byte (engine.md, invariant 24; docs/decisions/0012).
 *
 * Blocks that no item refers to are nobody's business here; that freed blocks
 * are not reused before the freeing is durable follows from 1.
 */
#include "sim/sim.h"

#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include "shim/shim.h"

/* How one actor's state differs; the last one that was found, for reports. */
struct diff {
	char text[256];
};

struct match {
	const struct sim_tree *t;
	struct sim_actor *a;
	u64 event;		/* of the crash; U64_MAX: none */
	struct diff diff;
};

static bool differs(struct match *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Remembers why; always false. */
static bool differs(struct match *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(m->diff.text, sizeof(m->diff.text), fmt, args);
	va_end(args);
	return false;
}

/* ---- attributes ------------------------------------------------------------- */

static bool num_eq(struct match *m, u64 ino, const char *what, u64 is,
		   u64 should)
{
	if (is == should)
		return true;
	return differs(m, "inode %llu: %s is %llu, should be %llu", ino, what,
		       is, should);
}

static bool time_eq(struct match *m, u64 ino, const char *what,
		    const struct sfs_time *is, const struct sfs_time *should)
{
	if (is->sec == should->sec && is->nsec == should->nsec)
		return true;
	return differs(m, "inode %llu: %s is %lld.%09u, should be %lld.%09u",
		       ino, what, is->sec, is->nsec, should->sec, should->nsec);
}

static bool attrs_eq(struct match *m, const struct pm_inode *in,
		     const struct sfs_attr *a)
{
	u64 ino = in->ino;

	return num_eq(m, ino, "mode", a->mode, in->mode) &&
	       num_eq(m, ino, "nlink", a->nlink, in->nlink) &&
	       num_eq(m, ino, "uid", a->uid, in->uid) &&
	       num_eq(m, ino, "gid", a->gid, in->gid) &&
	       num_eq(m, ino, "rdev", a->rdev, in->rdev) &&
	       time_eq(m, ino, "atime", &a->atime, &in->atime) &&
	       time_eq(m, ino, "crtime", &a->crtime, &in->crtime);
}

/* What operation n+1 may have changed alone. */
static bool data_attrs_eq(struct match *m, const struct pm_inode *in,
			  const struct sfs_attr *a)
{
	u64 ino = in->ino;

	return num_eq(m, ino, "size", a->size, in->size) &&
	       num_eq(m, ino, "data_version", a->data_version,
		      in->data_version) &&
	       num_eq(m, ino, "data_seq", a->data_seq, in->data_seq) &&
	       num_eq(m, ino, "meta_seq", a->meta_seq, in->meta_seq) &&
	       time_eq(m, ino, "mtime", &a->mtime, &in->mtime) &&
	       time_eq(m, ino, "ctime", &a->ctime, &in->ctime);
}

static bool is_write(const struct pm_op *op)
{
	return op->type == PM_WRITE;
}

static bool is_resize(const struct pm_op *op)
{
	return op->type == PM_SETATTR && (op->set.mask & SFS_SET_SIZE);
}

/* @rec, which is next, may have happened in part. */
static bool data_attrs_between(struct match *m, const struct pm_inode *in,
			       const struct sfs_attr *a,
			       const struct sim_rec *rec)
{
	u64 end = in->size;

	if (is_write(&rec->op))
		end = max(end, rec->op.off + rec->op.io_len);
	else if (!time_eq(m, in->ino, "mtime", &a->mtime, &in->mtime) ||
		 !time_eq(m, in->ino, "ctime", &a->ctime, &in->ctime))
		return false;
	if (a->size < in->size || a->size > end)
		return differs(m, "inode %llu: size is %llu, should be %llu to %llu",
			       in->ino, a->size, in->size, end);
	/* a step ahead of overwriting, and one a chunk */
	if (a->data_version < in->data_version ||
	    a->data_version > in->data_version + 64)
		return differs(m, "inode %llu: data_version is %llu, should be %llu or a little more",
			       in->ino, a->data_version, in->data_version);
	if (a->data_seq < in->data_seq || a->meta_seq < in->meta_seq)
		return differs(m, "inode %llu: a stamp went back", in->ino);
	return true;
}

/* ---- names --------------------------------------------------------------------- */

static bool entries_eq(struct match *m, const struct posix *pm, u64 dir)
{
	const struct sim_tree *t = m->t;
	const struct pm_entry *e;
	const struct sim_name *n;
	u32 i = 0;
	u32 k = 0;

	for (;; i++, k++) {
		while (i < pm->nr_ents && pm->ents[i].dir != dir)
			i++;
		while (k < t->nr_names && t->names[k].dir != dir)
			k++;
		e = i < pm->nr_ents ? &pm->ents[i] : NULL;
		n = k < t->nr_names ? &t->names[k] : NULL;
		if (!e && !n)
			return true;
		if (!e || !n || e->len != n->len || e->ino != n->ino ||
		    memcmp(e->name, n->name, e->len))
			return differs(m, "directory %llu: %.40s of %llu where %.40s of %llu should be",
				       dir, n ? n->name : "(nothing)",
				       n ? n->ino : 0,
				       e ? e->name : "(nothing)",
				       e ? e->ino : 0);
	}
}

/* Nodes below @dir, itself included: by counting those the actor's model lacks. */
static u32 nodes_below(const struct sim_tree *t, u64 dir)
{
	u64 *todo = sim_zalloc((t->nr_nodes + 1) * sizeof(*todo));
	u32 nr = 1;
	u32 at;
	u32 i;
	u32 k;

	todo[0] = dir;
	for (at = 0; at < nr; at++) {
		for (i = 0; i < t->nr_names; i++) {
			if (t->names[i].dir != todo[at])
				continue;
			for (k = 0; k < nr; k++) {
				if (todo[k] == t->names[i].ino)
					break;
			}
			if (k == nr)
				todo[nr++] = t->names[i].ino;
		}
	}
	kvfree(todo);
	return nr;
}

/* ---- contents -------------------------------------------------------------------- */

static bool sector_eq(const u8 *is, u64 size, const struct pm_inode *in,
		      u64 at)
{
	u32 len = min_t(u64, SIM_SECTOR, size - at);
	u32 have = 0;

	if (in->size > at)
		have = min_t(u64, len, in->size - at);
	return (!have || !memcmp(is + at, in->data + at, have)) &&
	       (have == len || !memchr_inv(is + at + have, 0, len - have));
}

/* Marks the sectors that are those of the model's inode. */
static u32 mark_sectors(const struct sim_node *n, const struct pm_inode *in,
			u8 *ok)
{
	u32 left = 0;
	u64 at;

	for (at = 0; at < n->attr.size; at += SIM_SECTOR) {
		if (!ok[at / SIM_SECTOR] &&
		    sector_eq(n->data, n->attr.size, in, at))
			ok[at / SIM_SECTOR] = 1;
		left += !ok[at / SIM_SECTOR];
	}
	return left;
}

static void apply_rec(struct posix *pm, const struct sim_rec *rec);

/*
 * Contents of one file against all states from @pm, which has @nr operations
 * applied, on.
 */
static bool contents_later(struct match *m, const struct posix *pm, u32 nr,
			   const struct sim_node *n)
{
	struct posix *later = pm_clone(pm);
	struct sim_actor *a = m->a;
	u8 *ok = sim_zalloc(n->attr.size / SIM_SECTOR + 1);
	struct pm_inode *in;
	struct sim_rec *rec;
	u32 left;
	u32 i;

	left = mark_sectors(n, pm_inode(later, n->attr.ino), ok);
	for (i = nr; left && i < a->nr_log; i++) {
		rec = a->log[i];
		if (rec->begin > m->event)
			break;
		apply_rec(later, rec);
		in = pm_inode(later, n->attr.ino);
		if (!in)
			break;
		if (rec->op.ino == n->attr.ino)
			left = mark_sectors(n, in, ok);
	}
	for (i = 0; left && ok[i]; i++)
		;
	kvfree(ok);
	pm_destroy(later);
	return !left || differs(m, "inode %llu: %u sectors of %llu bytes are of no state, the first at %u, byte %02x",
				n->attr.ino, left, n->attr.size,
				i * SIM_SECTOR, n->data[i * SIM_SECTOR]);
}

static bool contents_eq(struct match *m, const struct posix *pm, u32 nr,
			const struct pm_inode *in, const struct sim_node *n)
{
	if (n->attr.size == in->size &&
	    (!in->size || !memcmp(n->data, in->data, in->size)))
		return true;
	if (!S_ISREG(in->mode) || m->event == U64_MAX)
		return differs(m, "inode %llu: contents differ", in->ino);
	return contents_later(m, pm, nr, n);
}

static bool xattrs_eq(struct match *m, const struct pm_inode *in,
		      const struct sim_node *n)
{
	u8 *buf = sim_zalloc(65536);
	u64 sum = 0;
	u32 i;

	for (i = 0; i < in->nr_xattrs; i++) {
		pm_fill(in->xattrs[i].seed, buf, in->xattrs[i].len);
		sum += sim_xattr_hash(in->xattrs[i].name, buf,
				      in->xattrs[i].len);
	}
	kvfree(buf);
	if (sum == n->xattrs && in->nr_xattrs == n->nr_xattrs)
		return true;
	return differs(m, "inode %llu: extended attributes differ, %u of %u",
		       in->ino, n->nr_xattrs, in->nr_xattrs);
}

/* ---- one state ------------------------------------------------------------------- */

/*
 * Is this the state after @nr operations?  @next, if not NULL, may be there in
 * part.
 */
static bool state_eq(struct match *m, const struct posix *pm, u32 nr,
		     const struct sim_rec *next)
{
	const struct pm_inode *in;
	const struct sim_node *n;
	u32 nodes = 0;
	u32 i;

	if (next && ((!is_write(&next->op) && !is_resize(&next->op)) ||
		     (next->end != U64_MAX && next->res.ret < 0 &&
		      !next->relearned)))
		next = NULL;
	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &pm->inodes[i];
		if (!in->ino || !in->nlink)
			continue;
		n = sim_tree_node(m->t, in->ino);
		if (!n)
			return differs(m, "inode %llu is missing", in->ino);
		nodes++;
		if (!attrs_eq(m, in, &n->attr))
			return false;
		if (!data_attrs_eq(m, in, &n->attr) &&
		    (!next || next->op.ino != in->ino ||
		     !data_attrs_between(m, in, &n->attr, next)))
			return false;
		if (S_ISDIR(in->mode) && !entries_eq(m, pm, in->ino))
			return false;
	}
	if (nodes != nodes_below(m->t, pm->root))
		return differs(m, "there are %u inodes, should be %u",
			       nodes_below(m->t, pm->root), nodes);
	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &pm->inodes[i];
		if (!in->ino || !in->nlink)
			continue;
		n = sim_tree_node(m->t, in->ino);
		if (!xattrs_eq(m, in, n))
			return false;
		if ((S_ISREG(in->mode) || S_ISLNK(in->mode)) &&
		    !contents_eq(m, pm, nr, in, n))
			return false;
	}
	return true;
}

/* ---- applying the log -------------------------------------------------------------- */

void sim_learned_take(struct posix *pm, const struct sim_rec *rec)
{
	const struct sfs_attr *a;
	struct pm_inode *in;
	u32 i;

	for (i = 0; i < rec->nr_learned; i++) {
		a = &rec->learned[i];
		in = pm_inode(pm, a->ino);
		if (!in)
			continue;
		in->atime = a->atime;
		in->mtime = a->mtime;
		in->ctime = a->ctime;
		in->crtime = a->crtime;
		in->data_version = a->data_version;
		in->data_seq = a->data_seq;
		in->meta_seq = a->meta_seq;
	}
}

static void apply_contents(struct posix *pm, const struct sim_rec *rec)
{
	struct pm_inode *in = pm_inode(pm, rec->op.ino);

	if (!in)
		return;
	if (!in->data)
		in->data = sim_zalloc(PM_FILE_MAX);
	memcpy(in->data, rec->data, rec->size);
	in->size = rec->size;
}

static void apply_rec(struct posix *pm, const struct sim_rec *rec)
{
	struct pm_result res = rec->res;

	if (rec->relearned) {
		apply_contents(pm, rec);
	} else {
		if (rec->end == U64_MAX)
			res.ret = is_write(&rec->op) || is_resize(&rec->op) ?
					  pm_predict(pm, &rec->op) : -1;
		if (res.ret >= 0)
			pm_apply(pm, &rec->op, &res);
	}
	sim_learned_take(pm, rec);
}

#define CHANGES								\
	(1U << PM_CREATE | 1U << PM_SYMLINK | 1U << PM_LINK |		\
	 1U << PM_UNLINK | 1U << PM_RMDIR | 1U << PM_RENAME |		\
	 1U << PM_SETATTR | 1U << PM_WRITE | 1U << PM_SETXATTR |	\
	 1U << PM_REMOVEXATTR)

/*
 * An operation that the crash cut off, if it happened after all: what it made
 * and the attributes that it left are taken from what is there.
 */
static struct sim_rec *completed(struct match *m, const struct posix *pm,
				 const struct sim_rec *rec)
{
	const u64 inos[4] = { rec->op.dir, rec->op.ino, rec->op.dir2,
			      rec->op.ino2 };
	struct sim_rec *new = sim_zalloc(sizeof(*new));
	const struct sim_node *n;
	u32 i;

	*new = *rec;
	new->res.ret = pm_predict(pm, &rec->op);
	if (new->res.ret < 0 || !(CHANGES >> rec->op.type & 1))
		goto none;
	if (rec->op.type == PM_CREATE || rec->op.type == PM_SYMLINK) {
		for (i = 0; i < m->t->nr_names; i++) {
			if (m->t->names[i].dir == rec->op.dir &&
			    m->t->names[i].len == rec->op.len &&
			    !memcmp(m->t->names[i].name, rec->op.name,
				    rec->op.len))
				break;
		}
		if (i == m->t->nr_names)
			goto none;
		new->res.ino = m->t->names[i].ino;
	}
	new->nr_learned = 0;
	for (i = 0; i < 5; i++) {
		n = sim_tree_node(m->t, i < 4 ? inos[i] : new->res.ino);
		if (n)
			new->learned[new->nr_learned++] = n->attr;
	}
	new->end = rec->begin;
	return new;
none:
	kvfree(new);
	return NULL;
}

/* ---- all prefixes -------------------------------------------------------------------- */

/* The prefixes that fit: several when operations change nothing. */
struct range {
	u32 hi;
	bool any;
	u8 *fits;
};

static void note(struct range *r, u32 n)
{
	r->any = true;
	r->hi = n;
	r->fits[n] = 1;
}

/* The first from @n on that fits; hi + 1 if there is none. */
static u32 next_fit(const struct range *r, u32 n)
{
	while (n <= r->hi && !r->fits[n])
		n++;
	return n;
}

/* Begins before the crash. */
static u32 nr_begun(const struct sim_actor *a, u64 event)
{
	u32 n = a->nr_log;

	while (n > a->first && a->log[n - 1]->begin > event)
		n--;
	return n;
}

static void match_actor(struct match *m, struct range *r)
{
	struct sim_actor *a = m->a;
	struct posix *pm = pm_clone(a->base);
	u32 end = nr_begun(a, m->event);
	struct sim_rec *done;
	struct sim_rec *rec;
	struct diff best = {};
	u32 n;

	for (n = a->first; n <= end; n++) {
		rec = n < end ? a->log[n] : NULL;
		if (state_eq(m, pm, n, rec))
			note(r, n);
		else if (n == a->first || n == end)
			strscpy(best.text + (n == end ? 128 : 0), m->diff.text,
				128);
		if (!rec)
			break;
		if (rec->end != U64_MAX) {
			apply_rec(pm, rec);
			continue;
		}
		/* the last one, and nobody knows whether it happened */
		done = completed(m, pm, rec);
		if (done) {
			apply_rec(pm, done);
			if (state_eq(m, pm, n + 1, NULL))
				note(r, n + 1);
			else
				strscpy(best.text + 128, m->diff.text, 128);
			kvfree(done);
		}
		break;
	}
	pm_destroy(pm);
	m->diff = best;
}

static void print_log(const struct sim_actor *a, u64 event)
{
	u32 end = nr_begun(a, event);
	u32 n = end > a->first + 60 ? end - 60 : a->first;
	const struct sfs_attr *at;
	char text[400];
	u32 i;

	for (; n < end; n++) {
		pm_op_to_text(&a->log[n]->op, text, sizeof(text));
		shim_eprintf("actor %u, operation %u, %llu to %lld: %lld %s\n",
			     a->nr, n, a->log[n]->begin,
			     (s64)a->log[n]->end, a->log[n]->res.ret, text);
		for (i = 0; i < a->log[n]->nr_learned; i++) {
			at = &a->log[n]->learned[i];
			shim_eprintf("  inode %llu: meta_seq %llu, data_seq %llu, data_version %llu, size %llu, nlink %u\n",
				     at->ino, at->meta_seq, at->data_seq,
				     at->data_version, at->size, at->nlink);
		}
	}
}

/* All that ended before a sync began that returned before the crash. */
static u64 sync_event(struct sim_world *w, u64 event)
{
	const struct sim_rec *rec;
	u64 synced = 0;
	u32 i;
	u32 n;

	for (i = 0; i < w->nr_actors; i++) {
		for (n = 0; n < w->actors[i]->nr_log; n++) {
			rec = w->actors[i]->log[n];
			if ((rec->op.type == PM_SYNC ||
			     rec->op.type == PM_FSYNC) && !rec->res.ret &&
			    rec->end <= event)
				synced = max(synced, rec->begin);
		}
	}
	return synced;
}

/* The smallest cut that is closed, or the run ends. */
static void close_cut(struct sim_world *w, const struct range *r, u32 *nr)
{
	const struct sim_actor *a;
	u64 begun = 0;
	u32 lost;
	bool again = true;
	u32 i;

	for (i = 0; i < w->nr_actors; i++)
		nr[i] = next_fit(&r[i], 0);
	while (again) {
		again = false;
		for (i = 0; i < w->nr_actors; i++) {
			a = w->actors[i];
			if (nr[i] > a->first)
				begun = max(begun, a->log[nr[i] - 1]->begin);
		}
		for (i = 0; i < w->nr_actors; i++) {
			a = w->actors[i];
			if (nr[i] == a->nr_log || a->log[nr[i]]->end >= begun)
				continue;
			again = true;
			lost = nr[i];
			nr[i] = next_fit(&r[i], lost + 1);
			if (nr[i] <= r[i].hi)
				continue;
			for (i = 0; i < w->nr_actors; i++) {
				shim_eprintf("actor %u: %u operations are there\n",
					     i, nr[i]);
				print_log(w->actors[i], U64_MAX);
			}
			shim_fail("actor %u: operation %u is lost, but one that began after it had ended is there",
				  a->nr, lost);
		}
	}
}

/* Contents of a version that somebody looked at have not changed since. */
static void check_seen(const struct sim_actor *a, const struct sim_tree *t,
		       u64 event)
{
	const struct sim_seen *s;
	const struct sim_node *n;
	u32 i;

	for (i = 0; i < a->nr_seen; i++) {
		s = &a->seen[i];
		n = sim_tree_node(t, s->ino);
		if (s->event > event || !n ||
		    n->attr.data_version != s->data_version)
			continue;
		if (n->attr.size == s->size &&
		    sim_hash(0, n->data, s->size) == s->hash)
			continue;
		print_log(a, event);
		shim_fail("inode %llu: data_version %llu is what was seen at %llu, before the crash at %llu, the contents are not (size %llu, was %llu)",
			  s->ino, s->data_version, s->event, event,
			  n->attr.size, s->size);
	}
}

/*
 * What was synced before this crash was so before all later ones that are
 * looked at: the base of the comparison moves there, once.
 */
static void advance(struct sim_actor *a, u64 synced)
{
	while (a->first < a->nr_log && a->log[a->first]->end < synced)
		apply_rec(a->base, a->log[a->first++]);
}

void sim_expect_crash(struct sim_world *w, const struct sim_tree *t, u64 event,
		      u32 *ret_nr)
{
	u64 synced = sync_event(w, event);
	struct range r[SIM_MAX_ACTORS] = {};
	struct match *m = sim_zalloc(sizeof(*m));
	struct sim_actor *a;
	u32 i;

	for (i = 0; i < w->nr_actors; i++) {
		a = w->actors[i];
		advance(a, synced);
		m->t = t;
		m->a = a;
		m->event = event;
		r[i].fits = sim_zalloc(a->nr_log + 2);
		match_actor(m, &r[i]);
		if (!r[i].any) {
			print_log(a, event);
			shim_fail("actor %u: what the crash at %llu left is no state of operation %u (synced) to %u\nagainst the first: %.127s\nagainst the last: %s",
				  i, event, a->first, nr_begun(a, event),
				  m->diff.text, m->diff.text + 128);
		}
		check_seen(a, t, event);
	}
	close_cut(w, r, ret_nr);
	for (i = 0; i < w->nr_actors; i++) {
		sim_trace_add(w, ret_nr[i]);
		kvfree(r[i].fits);
	}
	kvfree(m);
}

void sim_expect_now(struct sim_world *w, const struct sim_tree *t)
{
	struct match *m = sim_zalloc(sizeof(*m));
	u32 i;

	m->t = t;
	m->event = U64_MAX;
	for (i = 0; i < w->nr_actors; i++) {
		m->a = w->actors[i];
		if (!state_eq(m, m->a->pm, m->a->nr_log, NULL)) {
			print_log(m->a, U64_MAX);
			shim_fail("actor %u: what is there is not what it should be: %s",
				  i, m->diff.text);
		}
	}
	kvfree(m);
}

/* ---- going on ---------------------------------------------------------------------------- */

static void adopt(struct sim_actor *a, const struct sim_tree *t, u32 nr)
{
	const struct sim_node *n;
	struct match m = { .t = t, .a = a };
	struct pm_inode *in;
	struct sim_rec *rec;
	u32 i;

	pm_destroy(a->pm);
	a->pm = pm_clone(a->base);
	for (i = a->first; i < nr; i++) {
		rec = a->log[i];
		if (rec->end == U64_MAX)
			rec = completed(&m, a->pm, rec);
		apply_rec(a->pm, rec);
		if (rec != a->log[i])
			kvfree(rec);
	}
	pm_close_all(a->pm);
	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &a->pm->inodes[i];
		if (!in->ino)
			continue;
		n = sim_tree_node(t, in->ino);
		if (!n) {
			print_log(a, U64_MAX);
			shim_fail("inode %llu, nlink %u, is in the state that fits, but not there",
				  in->ino, in->nlink);
		}
		in->size = n->attr.size;
		in->atime = n->attr.atime;
		in->mtime = n->attr.mtime;
		in->ctime = n->attr.ctime;
		in->data_version = n->attr.data_version;
		in->data_seq = n->attr.data_seq;
		in->meta_seq = n->attr.meta_seq;
		if (S_ISREG(in->mode) && in->size) {
			if (!in->data)
				in->data = sim_zalloc(PM_FILE_MAX);
			memcpy(in->data, n->data, in->size);
		}
	}
	sim_actor_settle(a);
}

void sim_actors_adopt(struct sim_world *w, const struct sim_tree *t,
		      const u32 *nr)
{
	u32 i;

	for (i = 0; i < w->nr_actors; i++)
		adopt(w->actors[i], t, nr[i]);
}

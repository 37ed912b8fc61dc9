/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One state that the volume may be in, and whether a call that somebody has
 * seen may be what happens next there.
 *
 * The model says what an operation answers; here is what it leaves open: an
 * inode's times and data_version are what the first look after a change says,
 * and stay so until the next change; stamps never go back.
 *
 * An inode without names that nobody has open is dead: the volume removes it
 * some time later, and a program that still has its number gets an error, or
 * an inode without links.  The model holds one open of each inode more than
 * there are, so that this file decides when it goes.
 *
 * States share the contents of files until one of them writes.
 */
#include "sim/many.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include "shim/shim.h"

/* numbers below are made up by the generator or the root */
#define FIRST_INO 1000

static bool say(char *why, u32 size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Always false. */
static bool say(char *why, u32 size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(why, size, fmt, args);
	va_end(args);
	return false;
}

/* ---- contents that are shared -------------------------------------------- */

/* Contents that more than one state has. */
struct shared {
	struct shared *next;
	const u8 *data;
	u32 others;
};

#define NR_SHARED 256
static struct shared *shared[NR_SHARED];

static struct shared **shared_at(const u8 *data)
{
	struct shared **at = &shared[((unsigned long)data >> 12) % NR_SHARED];

	while (*at && (*at)->data != data)
		at = &(*at)->next;
	return at;
}

static void data_share(const u8 *data)
{
	struct shared **at = shared_at(data);

	if (!*at) {
		*at = sim_zalloc(sizeof(**at));
		(*at)->data = data;
	}
	(*at)->others++;
}

static bool data_is_shared(const u8 *data)
{
	return data && *shared_at(data);
}

static void data_drop(u8 *data)
{
	struct shared **at = shared_at(data);
	struct shared *sh = *at;

	if (!sh) {
		kvfree(data);
	} else if (!--sh->others) {
		*at = sh->next;
		kvfree(sh);
	}
}

static void data_own(struct pm_inode *in)
{
	u8 *mine;

	if (!in || !data_is_shared(in->data))
		return;
	mine = sim_zalloc(PM_FILE_MAX);
	memcpy(mine, in->data, in->size);
	data_drop(in->data);
	in->data = mine;
}

/* ---- states -------------------------------------------------------------- */

struct lin_state *lin_state_create(struct posix *pm)
{
	struct lin_state *st = sim_zalloc(sizeof(*st));

	st->pm = pm;
	return st;
}

struct lin_state *lin_state_clone(const struct lin_state *st)
{
	struct lin_state *new = sim_zalloc(sizeof(*new));
	struct pm_inode *in;
	u32 i;

	*new = *st;
	new->next = NULL;
	new->pm = sim_zalloc(sizeof(*new->pm));
	memcpy(new->pm, st->pm, sizeof(*new->pm));
	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &new->pm->inodes[i];
		if (in->data)
			data_share(in->data);
	}
	return new;
}

void lin_state_free(struct lin_state *st)
{
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		if (st->pm->inodes[i].data)
			data_drop(st->pm->inodes[i].data);
	}
	kvfree(st->pm);
	kvfree(st);
}

u64 lin_entry_hash(const char *name, u32 len, u64 ino)
{
	return sim_hash(ino * 3 + 1, name, len);
}

static u64 inode_hash(const struct pm_inode *in, const struct lin_open *open)
{
	u64 h = sim_hash(in->ino, &in->mode, 6 * sizeof(u32));
	u32 i;

	h = sim_hash(h, &in->size, sizeof(in->size));
	if (in->size && in->data)
		h = sim_hash(h, in->data, in->size);
	for (i = 0; i < in->nr_xattrs; i++)
		h += sim_hash(in->xattrs[i].seed * 64 + in->xattrs[i].len,
			      in->xattrs[i].name,
			      strlen(in->xattrs[i].name));
	if (!open->mtime)
		h = sim_hash(h, &in->mtime, sizeof(in->mtime));
	if (!open->ctime)
		h = sim_hash(h, &in->ctime, sizeof(in->ctime));
	return sim_hash(h, &in->data_version, sizeof(in->data_version)) +
	       open->version;
}

void lin_state_hash(struct lin_state *st)
{
	const struct posix *pm = st->pm;
	u64 h = st->done;
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		if (pm->inodes[i].ino)
			h += inode_hash(&pm->inodes[i], &st->open[i]);
	}
	for (i = 0; i < pm->nr_ents; i++)
		h += pm->ents[i].dir * 0x9e3779b97f4a7c15ULL ^
		     lin_entry_hash(pm->ents[i].name, pm->ents[i].len,
				    pm->ents[i].ino);
	st->hash = h;
}

/* ---- which calls have to do with each other ------------------------------ */

bool lin_changes(const struct many_call *c)
{
	switch (c->op.type) {
	case PM_CREATE:
	case PM_SYMLINK:
	case PM_LINK:
	case PM_UNLINK:
	case PM_RMDIR:
	case PM_RENAME:
	case PM_SETATTR:
	case PM_SETXATTR:
	case PM_REMOVEXATTR:
	case PM_OPEN:
	case PM_CLOSE:
		return c->ret >= 0 || c->unknown;
	case PM_WRITE:
		return c->ret > 0 || c->unknown;
	}
	return false;
}

static bool makes(const struct many_call *c)
{
	return c->op.type == PM_CREATE || c->op.type == PM_SYMLINK;
}

static bool crosses(const struct many_call *c)
{
	return c->op.type == PM_RENAME && c->op.dir != c->op.dir2;
}

static void touched(const struct many_call *c, u64 *inos)
{
	inos[0] = c->op.dir;
	inos[1] = c->op.ino;
	inos[2] = c->op.dir2;
	inos[3] = c->op.ino2;
	inos[4] = makes(c) || c->op.type == PM_LOOKUP ? c->ino : 0;
	inos[5] = crosses(c) ? U64_MAX : 0;
}

bool lin_related(const struct many_call *a, const struct many_call *b)
{
	u64 x[6];
	u64 y[6];
	u32 i;
	u32 k;

	if (!lin_changes(a) && !lin_changes(b))
		return false;
	touched(a, x);
	touched(b, y);
	for (i = 0; i < 6; i++) {
		for (k = 0; x[i] && k < 6; k++) {
			if (x[i] == y[k])
				return true;
		}
	}
	return false;
}

/* ---- dead inodes --------------------------------------------------------- */

static bool is_dead(const struct posix *pm, u64 ino)
{
	return ino >= FIRST_INO && !pm_inode(pm, ino);
}

static bool names_dead(const struct posix *pm, const struct many_call *c)
{
	return is_dead(pm, c->op.dir) || is_dead(pm, c->op.ino) ||
	       is_dead(pm, c->op.dir2) || is_dead(pm, c->op.ino2);
}

/* What is tried with a dead inode fails, or has no effect that can be seen. */
static bool dead_fits(const struct posix *pm, const struct many_call *c)
{
	if (c->ret < 0)
		return true;
	switch (c->op.type) {
	case PM_LOOKUP:
		return c->op.name[0] == '.';
	case PM_CREATE:
	case PM_SYMLINK:
	case PM_LINK:
	case PM_UNLINK:
	case PM_RMDIR:
	case PM_RENAME:
	case PM_READDIR:
		return false;
	}
	return !(c->seen & SEEN_ATTR) || !c->attr.nlink;
}

/* Nobody has it and it has no name: from here on it is dead. */
static void bury(struct lin_state *st, u64 ino)
{
	struct pm_inode *in = pm_inode(st->pm, ino);

	if (!in || in->nlink || in->opens > 1)
		return;
	if (in->data)
		data_drop(in->data);
	memset(in, 0, sizeof(*in));
	st->pm->nr_inodes--;
}

void lin_state_close(struct lin_state *st, u64 ino)
{
	struct pm_inode *in = pm_inode(st->pm, ino);

	if (!in)
		return;
	in->opens--;
	bury(st, ino);
}

/* ---- attributes ---------------------------------------------------------- */

static bool time_eq(const struct sfs_time *a, const struct sfs_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

static bool time_before(const struct sfs_time *a, const struct sfs_time *b)
{
	return a->sec < b->sec || (a->sec == b->sec && a->nsec < b->nsec);
}

static bool same(u64 ino, const char *what, u64 is, u64 should, char *why,
		 u32 size)
{
	return is == should ||
	       say(why, size, "inode %llu: %s is %llu, should be %llu", ino,
		   what, is, should);
}

static bool times_fit(struct pm_inode *in, struct lin_open *open,
		      const struct sfs_attr *at, char *why, u32 size)
{
	if (!open->mtime && !time_eq(&at->mtime, &in->mtime))
		return say(why, size, "inode %llu: mtime is %lld.%09u, was %lld.%09u",
			   in->ino, at->mtime.sec, at->mtime.nsec,
			   in->mtime.sec, in->mtime.nsec);
	if (open->ctime ? time_before(&at->ctime, &in->ctime) :
			  !time_eq(&at->ctime, &in->ctime))
		return say(why, size, "inode %llu: ctime is %lld.%09u, was %lld.%09u%s",
			   in->ino, at->ctime.sec, at->ctime.nsec,
			   in->ctime.sec, in->ctime.nsec,
			   open->ctime ? " before the change" : "");
	if (in->crtime.sec && !time_eq(&at->crtime, &in->crtime))
		return say(why, size, "inode %llu: crtime has changed",
			   in->ino);
	in->mtime = at->mtime;
	in->ctime = at->ctime;
	in->crtime = at->crtime;
	open->mtime = false;
	open->ctime = false;
	return true;
}

bool lin_attr_fits(struct lin_state *st, const struct sfs_attr *at, bool dirty,
		   char *why, u32 size)
{
	struct pm_inode *in = pm_inode(st->pm, at->ino);
	struct lin_open *open;
	u64 ino = at->ino;

	if (!in)
		return say(why, size, "inode %llu is dead", ino);
	open = &st->open[in - st->pm->inodes];
	if (!same(ino, "mode", at->mode, in->mode, why, size) ||
	    !same(ino, "nlink", at->nlink, in->nlink, why, size) ||
	    !same(ino, "uid", at->uid, in->uid, why, size) ||
	    !same(ino, "gid", at->gid, in->gid, why, size) ||
	    !same(ino, "rdev", at->rdev, in->rdev, why, size) ||
	    !same(ino, "size", at->size, in->size, why, size))
		return false;
	if (dirty)
		return true;
	if (!times_fit(in, open, at, why, size))
		return false;
	if (at->meta_seq < in->meta_seq || at->data_seq < in->data_seq)
		return say(why, size, "inode %llu: meta_seq %llu, data_seq %llu, were %llu and %llu",
			   ino, at->meta_seq, at->data_seq, in->meta_seq,
			   in->data_seq);
	if (open->version ? at->data_version <= in->data_version :
			    at->data_version != in->data_version)
		return say(why, size, "inode %llu: data_version is %llu, was %llu%s",
			   ino, at->data_version, in->data_version,
			   open->version ? " before the change" : "");
	in->meta_seq = at->meta_seq;
	in->data_seq = at->data_seq;
	in->data_version = at->data_version;
	open->version = false;
	return true;
}

/* ---- answers ------------------------------------------------------------- */

static u64 parent_of(const struct posix *pm, u64 dir)
{
	u32 i;

	for (i = 0; i < pm->nr_ents; i++) {
		if (pm->ents[i].ino == dir)
			return pm->ents[i].dir;
	}
	return dir == pm->root ? dir : 0;
}

static bool lookup_fits(const struct posix *pm, const struct many_call *c,
			char *why, u32 size)
{
	const struct pm_entry *e;
	u64 want;

	if (c->op.len == 1 && c->op.name[0] == '.')
		want = c->op.dir;
	else if (c->op.len == 2 && !memcmp(c->op.name, "..", 2))
		want = parent_of(pm, c->op.dir);
	else
		want = (e = pm_find(pm, c->op.dir, c->op.name, c->op.len)) ?
			       e->ino : 0;
	return same(c->op.dir, "what a name leads to", c->ino, want, why,
		    size);
}

static bool readdir_fits(const struct posix *pm, const struct many_call *c,
			 char *why, u32 size)
{
	u64 h = 0;
	u32 i;

	for (i = 0; i < pm->nr_ents; i++) {
		if (pm->ents[i].dir == c->op.dir)
			h += lin_entry_hash(pm->ents[i].name, pm->ents[i].len,
					    pm->ents[i].ino);
	}
	return h == c->hash ||
	       say(why, size, "directory %llu: other entries than there are",
		   c->op.dir);
}

/* The first byte that should not be there. */
static bool data_fits(const struct pm_inode *in, const struct many_call *c,
		      char *why, u32 size)
{
	u64 off = c->op.type == PM_READ ? c->op.off : 0;
	u64 i;
	u64 k;

	if (c->ret <= 0 || sim_hash(0, in->data + off, c->ret) == c->hash)
		return true;
	if (!c->data)
		return say(why, size, "inode %llu: another target than there is",
			   in->ino);
	for (i = 0; c->data[i] == in->data[off + i]; i++)
		;
	for (k = i; k < c->ret && c->data[k] != in->data[off + k]; k++)
		;
	return say(why, size, "inode %llu: byte %llu of %llu is %02x, should be %02x, and so on to %llu",
		   in->ino, off + i, in->size, c->data[i], in->data[off + i],
		   off + k);
}

static bool xattr_fits(const struct pm_inode *in, const struct many_call *c,
		       char *why, u32 size)
{
	u8 *buf;
	u64 h;
	u32 i;

	if (c->ret < 0 || !c->op.io_len)
		return true;
	for (i = 0; strcmp(in->xattrs[i].name, c->op.name); i++)
		;
	buf = sim_zalloc(in->xattrs[i].len + 1);
	pm_fill(in->xattrs[i].seed, buf, in->xattrs[i].len);
	h = sim_hash(0, buf, in->xattrs[i].len);
	kvfree(buf);
	return h == c->hash ||
	       say(why, size, "inode %llu: %s has another value than there is",
		   in->ino, c->op.name);
}

static bool seen_fits(const struct posix *pm, const struct many_call *c,
		      char *why, u32 size)
{
	const struct pm_inode *in = pm_inode(pm, c->op.ino);

	if (c->ret < 0)
		return true;
	switch (c->op.type) {
	case PM_LOOKUP:
		return lookup_fits(pm, c, why, size);
	case PM_READDIR:
		return readdir_fits(pm, c, why, size);
	case PM_READ:
	case PM_READLINK:
		return data_fits(in, c, why, size);
	case PM_GETXATTR:
		return xattr_fits(in, c, why, size);
	case PM_WRITE:
		return !c->append || c->op.off == in->size ||
		       say(why, size, "inode %llu: appended at %llu, the end was %llu",
			   in->ino, c->op.off, in->size);
	case PM_CREATE:
	case PM_SYMLINK:
		return !pm_inode(pm, c->ino) ||
		       say(why, size, "a new inode has number %llu, which is in use",
			   c->ino);
	}
	return true;
}

/*
 * A mount that does not have an inode can not get hold of it any more when its
 * last name is gone, although others have it.
 */
static bool open_is_late(const struct posix *pm, const struct many_call *c)
{
	const struct pm_inode *in = pm_inode(pm, c->op.ino);

	return c->ret == -ENOENT && !c->mine && in && !in->nlink &&
	       (c->op.type == PM_OPEN || c->op.type == PM_WRITE);
}

bool lin_may(const struct lin_state *st, const struct many_call *c, char *why,
	     u32 size)
{
	s64 want;

	if (c->op.type == PM_SYNC || c->op.type == PM_FSYNC ||
	    c->op.type == PM_CLOSE)
		return c->ret >= 0 || c->unknown ||
		       say(why, size, "answer is %lld", c->ret);
	if (names_dead(st->pm, c))
		return c->unknown || dead_fits(st->pm, c) ||
		       say(why, size, "success (%lld) with an inode that is dead",
			   c->ret);
	if (open_is_late(st->pm, c))
		return true;
	want = pm_predict(st->pm, &c->op);
	if (c->unknown)
		return want >= 0 &&
		       (!makes(c) || (c->ino && !pm_inode(st->pm, c->ino)));
	if (want != c->ret)
		return say(why, size, "answer is %lld, should be %lld", c->ret,
			   want);
	return seen_fits(st->pm, c, why, size);
}

/* ---- happening ----------------------------------------------------------- */

static void opened(struct lin_state *st, u64 ino, bool mtime, bool version)
{
	struct pm_inode *in = pm_inode(st->pm, ino);
	struct lin_open *open;

	if (!in)
		return;
	open = &st->open[in - st->pm->inodes];
	open->ctime = true;
	open->mtime |= mtime;
	open->version |= version;
}

static void after(struct lin_state *st, const struct many_call *c, u64 size)
{
	const struct pm_op *op = &c->op;
	struct pm_inode *in;

	switch (op->type) {
	case PM_CREATE:
	case PM_SYMLINK:
		in = pm_inode(st->pm, c->ino);
		in->opens = 1;
		st->open[in - st->pm->inodes] = (struct lin_open) { };
		opened(st, c->ino, true, false);
		opened(st, op->dir, true, false);
		break;
	case PM_LINK:
	case PM_UNLINK:
	case PM_RMDIR:
	case PM_RENAME:
		opened(st, op->dir, true, false);
		opened(st, op->dir2, true, false);
		opened(st, op->ino, false, false);
		opened(st, op->ino2, false, false);
		break;
	case PM_WRITE:
		opened(st, op->ino, true, true);
		break;
	case PM_SETATTR:
		in = pm_inode(st->pm, op->ino);
		opened(st, op->ino, true, in->size != size);
		if (op->set.mask & SFS_SET_MTIME)
			st->open[in - st->pm->inodes].mtime = false;
		break;
	case PM_SETXATTR:
	case PM_REMOVEXATTR:
		opened(st, op->ino, false, false);
		break;
	}
	bury(st, op->ino);
	bury(st, op->ino2);
}

/* All there are, of whatever state. */
static struct lin_step *steps;

void lin_steps_free(void)
{
	struct lin_step *step;

	while ((step = steps)) {
		steps = step->older;
		kvfree(step);
	}
}

static struct lin_step *new_step(struct lin_step *prev)
{
	struct lin_step *step = sim_zalloc(sizeof(*step));

	step->prev = prev;
	step->older = steps;
	steps = step;
	return step;
}

void lin_state_join(struct lin_state *st, const struct lin_state *other)
{
	struct lin_step *step;

	if (st->last == other->last)
		return;
	step = new_step(st->last);
	step->other = other->last;
	st->last = step;
}

struct lin_step **lin_steps_to(struct lin_step *last, u32 *ret_nr)
{
	struct lin_step **to;
	struct lin_step *s;
	u32 nr = 0;

	for (s = steps; s; s = s->older)
		s->users = s == last;
	/* who comes after one is newer */
	for (s = steps; s; s = s->older) {
		nr += s->users != 0;
		if (s->users && s->prev)
			s->prev->users++;
		if (s->users && s->other)
			s->other->users++;
	}
	*ret_nr = nr;
	to = sim_zalloc((nr + 1) * sizeof(struct lin_step *));
	for (s = steps; s; s = s->older) {
		if (s->users)
			to[--nr] = s;
	}
	return to;
}

static void happens(struct lin_state *st, const struct many_call *c)
{
	struct pm_result res = { .ret = c->ret, .ino = c->ino };
	struct pm_inode *in = pm_inode(st->pm, c->op.ino);
	u64 old_size = in ? in->size : 0;

	if (c->unknown)
		res.ret = pm_predict(st->pm, &c->op);
	if (c->op.type == PM_WRITE || c->op.type == PM_SETATTR)
		data_own(in);
	pm_apply(st->pm, &c->op, &res);
	after(st, c, old_size);
}

bool lin_redo(struct lin_state *st, struct many_call *c, char *why, u32 size)
{
	struct many_call again = *c;

	/* where it appended is nobody's business */
	again.append = false;
	if (!lin_may(st, &again, why, size))
		return false;
	if (!names_dead(st->pm, c))
		happens(st, c);
	return true;
}

void lin_state_contents(struct lin_state *st, u64 ino, const u8 *data,
			u64 size)
{
	struct pm_inode *in = pm_inode(st->pm, ino);

	data_own(in);
	if (!in->data)
		in->data = sim_zalloc(PM_FILE_MAX);
	memcpy(in->data, data, size);
	in->size = size;
}

bool lin_do(struct lin_state *st, struct many_call *c, char *why, u32 size)
{
	if (!lin_may(st, c, why, size))
		return false;
	if (names_dead(st->pm, c))
		return true;
	if (lin_changes(c)) {
		happens(st, c);
		st->last = new_step(st->last);
		st->last->call = c;
	}
	if (!(c->seen & SEEN_ATTR))
		return true;
	return lin_attr_fits(st, &c->attr, c->seen & SEEN_DIRTY, why, size);
}

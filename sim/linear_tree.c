/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A state against all that a mount shows when nothing is going on: names,
 * attributes, contents, extended attributes, and nothing beside them.
 */
#include "sim/many.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "shim/shim.h"

static bool names_fit(const struct posix *pm, const struct sim_tree *t,
		      char *why, u32 size)
{
	const struct pm_entry *e;
	const struct sim_name *n;
	u32 i;

	for (i = 0; i < t->nr_names; i++) {
		n = &t->names[i];
		e = pm_find(pm, n->dir, n->name, n->len);
		if (e && e->ino == n->ino)
			continue;
		scnprintf(why, size,
			  "directory %llu has %.40s (%u bytes) of inode %llu, should be %llu",
			  n->dir, n->name, n->len, n->ino, e ? e->ino : 0);
		return false;
	}
	if (t->nr_names == pm->nr_ents)
		return true;
	for (i = 0; i < pm->nr_ents; i++) {
		u32 k;

		e = &pm->ents[i];
		for (k = 0; k < t->nr_names; k++) {
			n = &t->names[k];
			if (n->dir == e->dir && n->len == e->len &&
			    !memcmp(n->name, e->name, e->len))
				break;
		}
		if (k == t->nr_names)
			break;
	}
	e = &pm->ents[i];
	scnprintf(why, size, "directory %llu lacks %.40s of inode %llu",
		  e->dir, e->name, e->ino);
	return false;
}

static bool xattrs_fit(const struct pm_inode *in, const struct sim_node *n)
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
	return sum == n->xattrs && in->nr_xattrs == n->nr_xattrs;
}

static bool inode_fits(struct lin_state *st, const struct pm_inode *in,
		       const struct sim_node *n, char *why, u32 size)
{
	if (!lin_attr_fits(st, &n->attr, false, why, size))
		return false;
	if ((S_ISREG(in->mode) || S_ISLNK(in->mode)) && in->size &&
	    memcmp(in->data, n->data, in->size)) {
		scnprintf(why, size, "inode %llu: contents differ", in->ino);
		return false;
	}
	if (!xattrs_fit(in, n)) {
		scnprintf(why, size,
			  "inode %llu: extended attributes differ, %u of %u",
			  in->ino, n->nr_xattrs, in->nr_xattrs);
		return false;
	}
	return true;
}

bool lin_tree_fits(struct lin_state *st, const struct sim_tree *t, char *why,
		   u32 size)
{
	const struct posix *pm = st->pm;
	const struct pm_inode *in;
	const struct sim_node *n;
	u32 i;

	if (!names_fit(pm, t, why, size))
		return false;
	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &pm->inodes[i];
		if (!in->ino || !in->nlink)
			continue;
		n = sim_tree_node(t, in->ino);
		if (!n) {
			scnprintf(why, size, "inode %llu is missing", in->ino);
			return false;
		}
		if (!inode_fits(st, in, n, why, size))
			return false;
	}
	return true;
}

/* Names in the order of readdir; times and stamps were learned by comparing. */
void lin_tree_learn(struct lin_state *st, const struct sim_tree *t)
{
	struct posix *pm = st->pm;
	struct pm_entry *e;
	u32 i;

	for (i = 0; i < t->nr_names; i++) {
		e = &pm->ents[i];
		e->dir = t->names[i].dir;
		e->ino = t->names[i].ino;
		e->len = t->names[i].len;
		memcpy(e->name, t->names[i].name, e->len + 1);
	}
	pm->nr_ents = t->nr_names;
}

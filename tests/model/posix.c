/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of the model: inodes, entries, copies.
 */
#include "tests/model/posix.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include "shim/shim.h"

static const u32 pm_groups[] = { 2000 };

void pm_cred(u32 nr, struct sfs_cred *cred)
{
	*cred = (struct sfs_cred) { .umask = 022 };
	if (nr == 0) {
		cred->caps = SFS_CAP_CHOWN | SFS_CAP_DAC_OVERRIDE |
			     SFS_CAP_DAC_READ_SEARCH | SFS_CAP_FOWNER |
			     SFS_CAP_FSETID | SFS_CAP_MKNOD |
			     SFS_CAP_SYS_ADMIN;
		return;
	}
	cred->uid = 999 + nr;
	cred->gid = 999 + nr;
	cred->umask = nr == 1 ? 002 : 077;
	cred->nr_groups = 1;
	cred->groups = pm_groups;
}

void pm_fill(u64 seed, u8 *buf, u32 len)
{
	shim_u64 state = seed;
	u64 word = 0;
	u32 i;

	for (i = 0; i < len; i++) {
		if (i % 8 == 0)
			word = shim_rand_next(&state);
		buf[i] = word >> (i % 8 * 8);
		if (!buf[i])
			buf[i] = 1;
	}
}

void pm_error(struct pm_report *rep, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vscnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	rep->errors++;
	rep->line(rep->arg, line);
}

struct pm_inode *pm_inode(const struct posix *pm, u64 ino)
{
	u32 i;

	for (i = 0; ino && i < PM_MAX_INODES; i++) {
		if (pm->inodes[i].ino == ino)
			return (struct pm_inode *)&pm->inodes[i];
	}
	return NULL;
}

struct pm_entry *pm_find(const struct posix *pm, u64 dir, const char *name,
			 u32 len)
{
	u32 i;

	for (i = 0; i < pm->nr_ents; i++) {
		if (pm->ents[i].dir == dir && pm->ents[i].len == len &&
		    !memcmp(pm->ents[i].name, name, len))
			return (struct pm_entry *)&pm->ents[i];
	}
	return NULL;
}

struct posix *pm_create_below(struct sfs_fs *fs, u64 dir)
{
	struct sfs_attr attr = {};
	struct pm_inode *in;
	struct posix *pm;

	shim_nofail_begin();
	pm = kvzalloc(sizeof(*pm), GFP_NOFS);
	shim_nofail_end();
	if (!pm || sfs_getattr(fs, dir, &attr) < 0)
		shim_fail("no root");
	pm->root = dir;
	in = &pm->inodes[0];
	in->ino = dir;
	in->mode = attr.mode;
	in->nlink = 2;
	in->uid = attr.uid;
	in->gid = attr.gid;
	in->atime = attr.atime;
	in->mtime = attr.mtime;
	in->ctime = attr.ctime;
	in->crtime = attr.crtime;
	in->data_version = attr.data_version;
	in->data_seq = attr.data_seq;
	in->meta_seq = attr.meta_seq;
	pm->nr_inodes = 1;
	return pm;
}

struct posix *pm_create(struct sfs_fs *fs)
{
	return pm_create_below(fs, 1);
}

struct posix *pm_clone(const struct posix *pm)
{
	struct posix *new;
	u32 i;

	shim_nofail_begin();
	new = kvmalloc(sizeof(*new), GFP_NOFS);
	if (!new)
		shim_fail("no memory");
	memcpy(new, pm, sizeof(*new));
	new->nr_ranges = 0;
	new->nr_undone = 0;
	for (i = 0; i < PM_MAX_INODES; i++) {
		if (!pm->inodes[i].data)
			continue;
		new->inodes[i].data = kvmalloc(PM_FILE_MAX, GFP_NOFS);
		if (!new->inodes[i].data)
			shim_fail("no memory");
		memcpy(new->inodes[i].data, pm->inodes[i].data,
		       pm->inodes[i].size);
	}
	shim_nofail_end();
	return new;
}

void pm_destroy(struct posix *pm)
{
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++)
		kvfree(pm->inodes[i].data);
	kvfree(pm);
}

void pm_close_all(struct posix *pm)
{
	struct pm_inode *in;
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		in = &pm->inodes[i];
		in->opens = 0;
		if (!in->ino || in->nlink)
			continue;
		kvfree(in->data);
		memset(in, 0, sizeof(*in));
		pm->nr_inodes--;
	}
}

void pm_undone(struct posix *pm, const struct pm_op *op)
{
	struct pm_range *r;

	pm->nr_undone++;
	if (op->type != PM_WRITE)
		return;
	if (pm->nr_ranges == PM_MAX_RANGES)
		shim_fail("the model is full");
	r = &pm->ranges[pm->nr_ranges++];
	r->ino = op->ino;
	r->off = op->off;
	r->len = op->io_len;
	r->partly = pm->nr_undone == 1;
}

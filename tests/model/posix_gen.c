/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations made up at random, from a seed and the model's state.
 *
 * Names are few, so that operations meet; most operations are possible ones on
 * things that exist, some are not.
 */
#include "tests/model/posix.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "shim/shim.h"

static u64 rnd(u64 *rng, u64 n)
{
	shim_u64 state = *rng;
	u64 r = shim_rand_next(&state);

	*rng = state;
	return (r >> 8) % n;
}

static bool one_in(u64 *rng, u64 n)
{
	return rnd(rng, n) == 0;
}

/* How often each comes up; together they need not be anything. */
static const u8 weights[PM_NR_TYPES] = {
	[PM_LOOKUP] = 4,	[PM_CREATE] = 16,	[PM_SYMLINK] = 3,
	[PM_LINK] = 6,		[PM_UNLINK] = 8,	[PM_RMDIR] = 4,
	[PM_RENAME] = 12,	[PM_SETATTR] = 12,	[PM_READ] = 4,
	[PM_WRITE] = 18,	[PM_READLINK] = 1,	[PM_READDIR] = 2,
	[PM_SETXATTR] = 6,	[PM_GETXATTR] = 3,	[PM_REMOVEXATTR] = 2,
	[PM_OPEN] = 3,		[PM_CLOSE] = 3,		[PM_STAT_MORE] = 3,
	[PM_FSYNC] = 2,		[PM_SYNC] = 1,
};

static u8 gen_type(u64 *rng)
{
	u32 total = 0;
	u64 r;
	u8 i;

	for (i = 0; i < PM_NR_TYPES; i++)
		total += weights[i];
	r = rnd(rng, total);
	for (i = 0; r >= weights[i]; i++)
		r -= weights[i];
	return i;
}

static void gen_name(u64 *rng, char *name, u32 *len)
{
	static const char *const odd[] = { "", ".", "..", "x/y" };
	u32 n;

	if (one_in(rng, 40)) {
		n = rnd(rng, ARRAY_SIZE(odd));
		*len = strlen(odd[n]);
		memcpy(name, odd[n], *len + 1);
		return;
	}
	if (one_in(rng, 30)) {
		*len = 254 + rnd(rng, 3);
		memset(name, 'l', *len);
		name[*len] = 0;
		return;
	}
	name[0] = 'a' + rnd(rng, 7);
	name[1] = 0;
	*len = 1;
}

/* An inode whose type has a bit in @types (1 << type); 0 when there is none. */
static u64 gen_inode(const struct posix *pm, u64 *rng, u32 types)
{
	u32 at = rnd(rng, PM_MAX_INODES);
	u32 i;

	for (i = 0; i < PM_MAX_INODES; i++) {
		const struct pm_inode *in =
			&pm->inodes[(at + i) % PM_MAX_INODES];

		if (in->ino && (types >> (in->mode >> 12) & 1))
			return in->ino;
	}
	return 0;
}

#define DIRS (1U << (S_IFDIR >> 12))
#define FILES (1U << (S_IFREG >> 12))
#define LINKS (1U << (S_IFLNK >> 12))
#define ANY (~0U)

static u64 gen_dir(const struct posix *pm, u64 *rng)
{
	if (one_in(rng, 40))
		return gen_inode(pm, rng, ANY);
	if (one_in(rng, 150))
		return 999;
	if (one_in(rng, 4))
		return pm->root;
	return gen_inode(pm, rng, DIRS);
}

static u64 gen_file(const struct posix *pm, u64 *rng)
{
	u64 ino = one_in(rng, 30) ? 0 : gen_inode(pm, rng, FILES);

	return ino ? ino : gen_inode(pm, rng, ANY);
}

/* A name that exists, most of the time, and the inode it has. */
static void gen_existing(const struct posix *pm, u64 *rng, struct pm_op *op,
			 u32 types)
{
	const struct pm_entry *e;
	u32 n;

	op->dir = gen_dir(pm, rng);
	gen_name(rng, op->name, &op->len);
	for (n = 0; n < 8 && pm->nr_ents && !one_in(rng, 12); n++) {
		e = &pm->ents[rnd(rng, pm->nr_ents)];
		if (!(types >> (pm_inode(pm, e->ino)->mode >> 12) & 1))
			continue;
		op->dir = e->dir;
		op->len = e->len;
		memcpy(op->name, e->name, e->len + 1);
		break;
	}
	e = pm_find(pm, op->dir, op->name, op->len);
	op->ino = e && !one_in(rng, 60) ? e->ino : 998;
}

static u32 gen_mode(u64 *rng)
{
	static const u16 modes[] = { 0777, 0755, 0644, 0600, 0770, 01777,
				     02775, 04755, 02755, 06711, 0, 0444 };

	return one_in(rng, 4) ? rnd(rng, 010000) :
				modes[rnd(rng, ARRAY_SIZE(modes))];
}

static void gen_create(const struct posix *pm, u64 *rng, struct pm_op *op)
{
	static const u32 types[] = { S_IFREG, S_IFREG, S_IFREG, S_IFREG,
				     S_IFDIR, S_IFDIR, S_IFDIR, S_IFIFO,
				     S_IFCHR, S_IFSOCK };

	op->dir = gen_dir(pm, rng);
	gen_name(rng, op->name, &op->len);
	op->mode = types[rnd(rng, ARRAY_SIZE(types))] | gen_mode(rng);
	if (one_in(rng, 200))
		op->mode = gen_mode(rng);
	op->rdev = rnd(rng, 1000);
	op->io_len = one_in(rng, 4) ? rnd(rng, 4200) : 1 + rnd(rng, 60);
}

static void gen_rename(const struct posix *pm, u64 *rng, struct pm_op *op)
{
	const struct pm_entry *e;

	gen_existing(pm, rng, op, ANY);
	op->dir2 = one_in(rng, 3) ? op->dir : gen_dir(pm, rng);
	gen_name(rng, op->name2, &op->len2);
	if (one_in(rng, 4) && pm->nr_ents) {
		e = &pm->ents[rnd(rng, pm->nr_ents)];
		op->dir2 = e->dir;
		op->len2 = e->len;
		memcpy(op->name2, e->name, e->len + 1);
	}
	e = pm_find(pm, op->dir2, op->name2, op->len2);
	op->ino2 = e ? e->ino : 0;
	if (one_in(rng, 80))
		op->ino2 = 997;
	op->flags = one_in(rng, 6) ? SFS_RENAME_NOREPLACE : 0;
	if (one_in(rng, 200))
		op->flags = 4;
}

/* Offsets and sizes: near block boundaries more often than not. */
static u64 gen_off(u64 *rng, u64 max)
{
	u64 off = rnd(rng, max);

	if (one_in(rng, 3))
		off = rnd(rng, 3 * SFS_NAME_MAX);
	else if (one_in(rng, 2))
		off &= ~4095ULL;
	if (one_in(rng, 8) && off)
		off--;
	return off;
}

static void gen_setattr(const struct posix *pm, u64 *rng, struct pm_op *op)
{
	static const u32 ids[] = { 0, 1000, 1001, 2000 };
	struct sfs_setattr *set = &op->set;
	const struct pm_inode *in;

	op->ino = gen_inode(pm, rng, ANY);
	switch (rnd(rng, 8)) {
	case 0:
		set->mask = SFS_SET_MODE;
		break;
	case 1:
		set->mask = rnd(rng, 2) ? SFS_SET_UID : SFS_SET_GID;
		break;
	case 2:
		set->mask = SFS_SET_ATIME | SFS_SET_MTIME;
		break;
	case 3:
		set->mask = SFS_SET_ATIME_NOW | SFS_SET_MTIME_NOW;
		break;
	case 4:
		set->mask = SFS_SET_KILL_PRIV;
		break;
	case 5:
		set->mask = SFS_SET_MODE | SFS_SET_UID | SFS_SET_GID;
		break;
	default:
		set->mask = SFS_SET_SIZE;
		op->ino = gen_file(pm, rng);
		if (one_in(rng, 3))
			set->mask |= SFS_SET_OPEN_TRUNC;
		break;
	}
	set->mode = gen_mode(rng);
	set->uid = ids[rnd(rng, ARRAY_SIZE(ids) - 1)];
	set->gid = ids[rnd(rng, ARRAY_SIZE(ids))];
	set->size = one_in(rng, 3) ? 0 : gen_off(rng, PM_FILE_MAX);
	in = pm_inode(pm, op->ino);
	if (in && one_in(rng, 6))
		set->size = in->size < PM_FILE_MAX ? in->size : 0;
	set->atime.sec = (s64)rnd(rng, 1ULL << 33) - (1LL << 32);
	set->atime.nsec = rnd(rng, 1000000000 + 10);
	set->mtime.sec = rnd(rng, 1ULL << 32);
	set->mtime.nsec = rnd(rng, 1000000000);
	if (set->mask & SFS_SET_MTIME)
		set->atime.nsec = set->atime.nsec < 1000000000 ?
					  set->atime.nsec : 1000000000;
}

static void gen_io(const struct posix *pm, u64 *rng, struct pm_op *op)
{
	const struct pm_inode *in;

	op->ino = gen_file(pm, rng);
	op->off = gen_off(rng, PM_FILE_MAX - (40 << 10));
	in = pm_inode(pm, op->ino);
	if (in && one_in(rng, 3) && in->size < PM_FILE_MAX - (40 << 10))
		op->off = in->size;
	op->io_len = gen_off(rng, 40 << 10);
	if (one_in(rng, 3))
		op->io_len = rnd(rng, 200);
}

static void gen_xattr(const struct posix *pm, u64 *rng, struct pm_op *op)
{
	static const char *const names[] = {
		"user.a", "user.b", "user.a", "trusted.t", "security.s",
		"security.capability", "system.posix_acl_access",
		"scoutfs.hide.x", "user.", "",
	};
	static const u32 lens[] = { 0, 1, 20, 3985, 3990, 3991, 3995, 4000,
				    8000, 20000, 65535, 65536 };
	const char *name = names[rnd(rng, ARRAY_SIZE(names))];

	op->ino = gen_inode(pm, rng, ANY);
	if (one_in(rng, 200))
		op->ino = 999;
	op->len = strlen(name);
	memcpy(op->name, name, op->len + 1);
	if (one_in(rng, 60)) {
		op->len = 256;
		memset(op->name, 'u', 256);
		memcpy(op->name, "user.", 5);
		op->name[256] = 0;
	}
	op->io_len = one_in(rng, 2) ? rnd(rng, 100) :
				      lens[rnd(rng, ARRAY_SIZE(lens))];
	op->flags = one_in(rng, 3) ? rnd(rng, 3) : 0;
	if (one_in(rng, 100))
		op->flags = 3;
}

/* Is there room in the model for what it makes? */
static bool has_room(const struct posix *pm, const struct pm_op *op)
{
	switch (op->type) {
	case PM_CREATE:
	case PM_SYMLINK:
		return pm->nr_inodes < PM_MAX_INODES * 3 / 4 &&
		       pm->nr_ents < PM_MAX_ENTS - 1;
	case PM_LINK:
	case PM_RENAME:
		return pm->nr_ents < PM_MAX_ENTS - 1;
	}
	return true;
}

void pm_generate(const struct posix *pm, u64 *rng, struct pm_op *op)
{
	u32 i;

	memset(op, 0, sizeof(*op));
	do {
		op->type = gen_type(rng);
	} while (!has_room(pm, op));
	op->cred = one_in(rng, 4) ? 1 + rnd(rng, PM_NR_CREDS - 1) : 0;
	op->seed = rnd(rng, U32_MAX);
	switch (op->type) {
	case PM_LOOKUP:
		gen_existing(pm, rng, op, ANY);
		op->ino = 0;
		break;
	case PM_CREATE:
	case PM_SYMLINK:
		gen_create(pm, rng, op);
		break;
	case PM_LINK:
		gen_create(pm, rng, op);
		op->ino = one_in(rng, 10) ? gen_inode(pm, rng, ANY) :
					    gen_file(pm, rng);
		break;
	case PM_UNLINK:
		gen_existing(pm, rng, op, one_in(rng, 20) ? ANY : ~DIRS);
		break;
	case PM_RMDIR:
		gen_existing(pm, rng, op, one_in(rng, 20) ? ANY : DIRS);
		break;
	case PM_RENAME:
		gen_rename(pm, rng, op);
		break;
	case PM_SETATTR:
		gen_setattr(pm, rng, op);
		break;
	case PM_READ:
	case PM_WRITE:
		gen_io(pm, rng, op);
		break;
	case PM_READLINK:
		op->ino = gen_inode(pm, rng, LINKS);
		op->io_len = rnd(rng, 5000);
		break;
	case PM_READDIR:
		op->dir = gen_dir(pm, rng);
		break;
	case PM_SETXATTR:
	case PM_GETXATTR:
	case PM_REMOVEXATTR:
		gen_xattr(pm, rng, op);
		break;
	case PM_CLOSE:
		/* an open one, or the operation becomes an open */
		op->type = PM_OPEN;
		op->ino = gen_inode(pm, rng, ANY);
		for (i = 0; i < PM_MAX_INODES; i++) {
			if (pm->inodes[i].opens) {
				op->type = PM_CLOSE;
				op->ino = pm->inodes[i].ino;
			}
		}
		break;
	default:
		op->ino = gen_inode(pm, rng, ANY);
		break;
	}
}

int pm_op_to_text(const struct pm_op *op, char *buf, u32 size)
{
	static const char *const names[PM_NR_TYPES] = {
		"lookup", "create", "symlink", "link", "unlink", "rmdir",
		"rename", "setattr", "read", "write", "readlink", "readdir",
		"setxattr", "getxattr", "removexattr", "open", "close",
		"stat_more", "fsync", "sync",
	};

	return scnprintf(buf, size,
		"%s cred %u dir %llu %.10s(%u) ino %llu dir2 %llu %.10s(%u)"
		" ino2 %llu mode %o flags %x off %llu len %u"
		" mask %x smode %o uid %u gid %u size %llu",
		names[op->type], op->cred, op->dir, op->name, op->len, op->ino,
		op->dir2, op->name2, op->len2, op->ino2, op->mode, op->flags,
		op->off, op->io_len, op->set.mask, op->set.mode, op->set.uid,
		op->set.gid, op->set.size);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checking the filesystem's items against each other.
 *
 * Each item is validated by itself as it passes, and leaves facts in arrays:
 * inodes, the three kinds of entries, extents, index entries, unfinished work.
 * At the end the arrays are sorted and compared:
 *
 *  - every entry has its three items with equal contents, a hash that is the
 *    name's, and an inode
 *  - link counts, sizes of directories, next positions and block counts are
 *    what the entries and extents make them
 *  - both change indexes have exactly the entries the inodes say
 *  - no two extents overlap, neither in a file nor on the device
 *  - inodes without names, and those with a truncation to finish, have their
 *    items of unfinished work, and nobody else has
 *  - every directory has a way up to the root
 *
 * Memory: some 400 bytes for an empty file; a volume that is too large for
 * that is answered with ENOMEM.
 *
 * It reads no device and takes no locks; whoever feeds it decides which
 * version of the volume it looks at.
 */
#include "check/fs_items.h"

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "fs/fs.h"

struct entry_fact {
	u64 dir;
	u64 pos;
	u64 ino;
	u64 hash;		/* of the name */
	u32 type;
	u32 name_len;
};

enum way {
	WAY_UNKNOWN,
	WAY_WALKING,
	WAY_TO_ROOT,
	WAY_NOWHERE,
};

struct inode_fact {
	struct sfs_inode si;
	/* what the other items say */
	u64 entries;		/* that name it */
	u64 subdirs;
	u64 names_size;
	u64 max_pos;
	u64 parent;
	u64 online;
	u64 offline;
	u64 next_block;		/* behind its last extent */
	u64 max_xattr_id;
	u32 symlink_len;
	u8 has_xattr;
	u8 beyond;		/* written blocks behind the size */
	u8 orphan;
	u8 truncate;
	u8 way;			/* enum way */
};

struct index_fact {
	u64 type;
	u64 stamp;
	u64 ino;
};

struct work_fact {
	u64 ino;
	u64 type;
	u64 size;
};

#define LLU(x) ((unsigned long long)(x))
#define bad(ck, fmt, ...)						\
	do {								\
		scnprintf((ck)->line, sizeof((ck)->line), fmt,		\
			  ##__VA_ARGS__);				\
		bad_line(ck);						\
	} while (0)

static void bad_line(struct sfs_items_check *ck)
{
	ck->errors++;
	ck->report(ck->arg, ck->line);
}

void *sfs_fact_add(struct sfs_facts *f, size_t size)
{
	size_t cap = f->cap ? f->cap * 2 : 64;
	void *mem;

	if (f->nr == f->cap) {
		mem = kvmalloc(cap * size, GFP_NOFS);
		if (!mem)
			return NULL;
		if (f->nr)
			memcpy(mem, f->mem, f->nr * size);
		kvfree(f->mem);
		f->mem = mem;
		f->cap = cap;
	}
	mem = (u8 *)f->mem + f->nr++ * size;
	memset(mem, 0, size);
	return mem;
}

static void *fact_add(struct sfs_items_check *ck, struct sfs_facts *f,
		      size_t size)
{
	void *fact = sfs_fact_add(f, size);

	if (!fact)
		ck->err = -ENOMEM;
	return fact;
}

void sfs_items_check_init(struct sfs_items_check *ck,
			  void (*report)(void *arg, const char *line),
			  void *arg)
{
	memset(ck, 0, sizeof(*ck));
	ck->report = report;
	ck->arg = arg;
}

void sfs_items_check_exit(struct sfs_items_check *ck)
{
	kvfree(ck->inodes.mem);
	kvfree(ck->by_name.mem);
	kvfree(ck->by_pos.mem);
	kvfree(ck->backrefs.mem);
	kvfree(ck->extents.mem);
	kvfree(ck->index.mem);
	kvfree(ck->work.mem);
}

/* ---- items as they come ---------------------------------------------------- */

static u64 name_hash(struct sfs_items_check *ck, const void *name, u32 len)
{
	siphash_key_t key;

	sfs_name_hash_key(ck->hash_key, &key);
	return sfs_name_hash(&key, name, len);
}

/* Items of an inode follow the inode item: it is the last one, or missing. */
static struct inode_fact *inode_of(struct sfs_items_check *ck,
				   const struct sfs_key *key)
{
	struct inode_fact *inodes = ck->inodes.mem;
	struct inode_fact *in;

	in = ck->inodes.nr ? &inodes[ck->inodes.nr - 1] : NULL;
	if (in && in->si.ino == key->f1)
		return in;
	bad(ck, "item " SFS_KEY_FMT ": its inode is missing",
	    SFS_KEY_ARG(key));
	return NULL;
}

static void add_inode(struct sfs_items_check *ck, const struct sfs_key *key,
		      const void *val, u32 len)
{
	struct inode_fact *in = fact_add(ck, &ck->inodes, sizeof(*in));

	if (in)
		sfs_inode_decode(key, val, len, &in->si);
}

/*
 * Items with a name are filed under its hash, so equal names are neighbours:
 * is this the name of the item before?
 */
static void check_name(struct sfs_items_check *ck, const struct sfs_key *key,
		       const void *name, u32 len)
{
	if (ck->named.f1 == key->f1 && ck->named.type == key->type &&
	    ck->named.f2 == key->f2 && ck->name_len == len &&
	    !memcmp(ck->name, name, len))
		bad(ck, "item " SFS_KEY_FMT ": has the same name as " SFS_KEY_FMT,
		    SFS_KEY_ARG(key), SFS_KEY_ARG(&ck->named));
	ck->named = *key;
	ck->name_len = min_t(u32, len, sizeof(ck->name));
	memcpy(ck->name, name, ck->name_len);
}

static void add_entry(struct sfs_items_check *ck, struct sfs_facts *f,
		      const struct sfs_key *key, const void *val, u32 len)
{
	struct inode_fact *in = inode_of(ck, key);
	struct entry_fact *fact;
	struct sfs_entry e = {};

	if (key->type == SFS_FS_BACKREF)
		sfs_backref_decode(key, val, len, &e);
	else
		sfs_dirent_decode(key, val, len, &e);
	if (in && key->type != SFS_FS_BACKREF && !S_ISDIR(in->si.mode))
		bad(ck, "inode %llu: has entries but is no directory",
		    LLU(key->f1));
	fact = fact_add(ck, f, sizeof(*fact));
	if (!fact)
		return;
	*fact = (struct entry_fact) {
		.dir = e.dir,
		.pos = e.pos,
		.ino = e.ino,
		.hash = name_hash(ck, e.name, e.name_len),
		.type = e.type,
		.name_len = e.name_len,
	};
	if (key->type == SFS_FS_DIRENT)
		check_name(ck, key, e.name, e.name_len);
	if (key->type == SFS_FS_DIRENT && fact->hash != key->f2)
		bad(ck, "item " SFS_KEY_FMT ": the hash is not the name's",
		    SFS_KEY_ARG(key));
}

static void count_extent(struct sfs_items_check *ck, struct inode_fact *in,
			 const struct sfs_extent *ext)
{
	if (ext->block < in->next_block)
		bad(ck, "inode %llu: extents overlap at block %llu",
		    LLU(in->si.ino), LLU(ext->block));
	in->next_block = sfs_ext_end(ext);
	if (ext->flags & SFS_EXT_OFFLINE)
		in->offline += ext->count;
	else if (!(ext->flags & SFS_EXT_UNWRITTEN))
		in->online += ext->count;
	if (!ext->flags && sfs_ext_end(ext) > sfs_size_blocks(in->si.size))
		in->beyond = 1;
}

static void add_extent(struct sfs_items_check *ck, const struct sfs_key *key,
		       const void *val, u32 len)
{
	struct inode_fact *in = inode_of(ck, key);
	struct sfs_extent_fact *fact;
	struct sfs_extent ext = {};

	sfs_extent_decode(key, val, len, &ext);
	if (in)
		count_extent(ck, in, &ext);
	if (!ext.phys)
		return;
	fact = fact_add(ck, &ck->extents, sizeof(*fact));
	if (!fact)
		return;
	fact->phys = ext.phys;
	fact->count = ext.count;
	fact->ino = key->f1;
	fact->block = ext.block;
	ck->data_blocks += ext.count;
}

static void xattr_end(struct sfs_items_check *ck)
{
	if (ck->xattr_rest)
		bad(ck, "inode %llu xattr id %llu hash %llu: %u bytes of the value are missing",
		    LLU(ck->named.f1), LLU(ck->xattr_id),
		    LLU(ck->xattr_hash), ck->xattr_rest);
	ck->xattr_rest = 0;
}

static void add_xattr_part(struct sfs_items_check *ck,
			   const struct inode_fact *in,
			   const struct sfs_key *key, u32 len)
{
	/* a deletion that is under way took what was before it */
	if (in && !in->si.nlink && !in->has_xattr)
		return;
	if (key->f2 != ck->xattr_hash || key->f3 != ck->xattr_id ||
	    key->f4 != ck->xattr_parts || !ck->xattr_rest ||
	    len != min_t(u32, ck->xattr_rest, SFS_MAX_VAL)) {
		bad(ck, "item " SFS_KEY_FMT ": a part out of place",
		    SFS_KEY_ARG(key));
		return;
	}
	ck->xattr_parts++;
	ck->xattr_rest -= len;
}

static void add_xattr(struct sfs_items_check *ck, const struct sfs_key *key,
		      const void *val, u32 len)
{
	const struct sfs_xattr_item *it = val;
	struct inode_fact *in = inode_of(ck, key);
	u32 name_len = 0;
	u32 val_len = 0;

	if (key->f4) {
		add_xattr_part(ck, in, key, len);
		return;
	}
	xattr_end(ck);
	sfs_xattr_decode(key, val, len, &name_len, &val_len);
	check_name(ck, key, it->name, name_len);
	if (name_hash(ck, it->name, name_len) != key->f2)
		bad(ck, "item " SFS_KEY_FMT ": the hash is not the name's",
		    SFS_KEY_ARG(key));
	ck->xattr_hash = key->f2;
	ck->xattr_id = key->f3;
	ck->xattr_parts = 1;
	ck->xattr_rest = val_len - (len - sizeof(*it) - name_len);
	if (in) {
		in->has_xattr = 1;
		in->max_xattr_id = max(in->max_xattr_id, key->f3);
	}
}

static void add_symlink(struct sfs_items_check *ck, const struct sfs_key *key,
			u32 len)
{
	struct inode_fact *in = inode_of(ck, key);

	if (!in)
		return;
	if (!S_ISLNK(in->si.mode))
		bad(ck, "inode %llu: has a target but is no symlink",
		    LLU(key->f1));
	if (in->si.nlink && key->f2 * SFS_MAX_VAL != in->symlink_len)
		bad(ck, "inode %llu: a part of the target is missing",
		    LLU(key->f1));
	in->symlink_len += len;
}

static void add_index(struct sfs_items_check *ck, const struct sfs_key *key)
{
	struct index_fact *fact = fact_add(ck, &ck->index, sizeof(*fact));

	if (!fact)
		return;
	fact->type = key->type;
	fact->stamp = key->f2;
	fact->ino = key->f3;
}

static void add_work(struct sfs_items_check *ck, const struct sfs_key *key,
		     const void *val)
{
	struct work_fact *fact = fact_add(ck, &ck->work, sizeof(*fact));
	const struct sfs_truncate_item *it = val;

	if (!fact)
		return;
	fact->ino = key->f1;
	fact->type = key->type;
	if (key->type == SFS_WORK_TRUNCATE)
		fact->size = le64_to_cpu(it->size);
}

static void add_fs(struct sfs_items_check *ck, const struct sfs_key *key,
		   const void *val, u32 len)
{
	if (key->type != SFS_FS_XATTR)
		xattr_end(ck);
	switch (key->type) {
	case SFS_FS_INODE:
		add_inode(ck, key, val, len);
		break;
	case SFS_FS_XATTR:
		add_xattr(ck, key, val, len);
		break;
	case SFS_FS_DIRENT:
		add_entry(ck, &ck->by_name, key, val, len);
		break;
	case SFS_FS_READDIR:
		add_entry(ck, &ck->by_pos, key, val, len);
		break;
	case SFS_FS_BACKREF:
		add_entry(ck, &ck->backrefs, key, val, len);
		break;
	case SFS_FS_SYMLINK:
		add_symlink(ck, key, len);
		break;
	case SFS_FS_EXTENT:
		add_extent(ck, key, val, len);
		break;
	}
}

void sfs_items_check_add(struct sfs_items_check *ck, const struct sfs_key *key,
			 const void *val, u32 len)
{
	const char *why = sfs_fs_item_check(key, val, len);

	if (ck->nr_items++ && sfs_key_cmp(&ck->prev, key) >= 0)
		bad(ck, "item " SFS_KEY_FMT ": out of order",
		    SFS_KEY_ARG(key));
	ck->prev = *key;
	if (why)
		bad(ck, "item " SFS_KEY_FMT ": %s", SFS_KEY_ARG(key), why);
	else if (key->zone == SFS_ZONE_INDEX)
		add_index(ck, key);
	else if (key->zone == SFS_ZONE_WORK)
		add_work(ck, key, val);
	else
		add_fs(ck, key, val, len);
}

/* ---- comparing --------------------------------------------------------------- */

static int u64_cmp(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

static int entry_cmp(const void *a, const void *b)
{
	const struct entry_fact *x = a;
	const struct entry_fact *y = b;

	return u64_cmp(x->dir, y->dir) ?: u64_cmp(x->pos, y->pos) ?:
	       u64_cmp(x->ino, y->ino) ?: u64_cmp(x->hash, y->hash) ?:
	       u64_cmp(x->type, y->type);
}

static int extent_cmp(const void *a, const void *b)
{
	const struct sfs_extent_fact *x = a;
	const struct sfs_extent_fact *y = b;

	return u64_cmp(x->phys, y->phys);
}

static struct inode_fact *inode_find(struct sfs_items_check *ck, u64 ino)
{
	struct inode_fact *inodes = ck->inodes.mem;
	size_t hi = ck->inodes.nr;
	size_t lo = 0;
	size_t mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (inodes[mid].si.ino == ino)
			return &inodes[mid];
		if (inodes[mid].si.ino < ino)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void bad_entry(struct sfs_items_check *ck, const struct entry_fact *e,
		      const char *has, const char *lacks)
{
	bad(ck, "directory %llu position %llu inode %llu: an entry %s without one %s",
	    LLU(e->dir), LLU(e->pos), LLU(e->ino), has, lacks);
}

/* Two sorted lists of the same entries, by different items. */
static void compare_entries(struct sfs_items_check *ck,
			    const struct sfs_facts *fa, const char *na,
			    const struct sfs_facts *fb, const char *nb)
{
	const struct entry_fact *a = fa->mem;
	const struct entry_fact *b = fb->mem;
	size_t i = 0;
	size_t j = 0;
	int cmp;

	while (i < fa->nr || j < fb->nr) {
		if (i == fa->nr)
			cmp = 1;
		else if (j == fb->nr)
			cmp = -1;
		else
			cmp = entry_cmp(&a[i], &b[j]);
		if (cmp < 0)
			bad_entry(ck, &a[i], na, nb);
		if (cmp > 0)
			bad_entry(ck, &b[j], nb, na);
		i += cmp <= 0;
		j += cmp >= 0;
	}
}

static void count_entry(struct sfs_items_check *ck, const struct entry_fact *e)
{
	struct inode_fact *dir = inode_find(ck, e->dir);
	struct inode_fact *in = inode_find(ck, e->ino);

	if (!in) {
		bad(ck, "directory %llu position %llu: inode %llu is missing",
		    LLU(e->dir), LLU(e->pos), LLU(e->ino));
		return;
	}
	if (e->type != sfs_mode_type(in->si.mode))
		bad(ck, "directory %llu position %llu: type is not that of inode %llu",
		    LLU(e->dir), LLU(e->pos), LLU(e->ino));
	in->entries++;
	in->parent = e->dir;
	if (!dir)
		return;
	dir->names_size += e->name_len;
	dir->max_pos = max(dir->max_pos, e->pos);
	if (S_ISDIR(in->si.mode))
		dir->subdirs++;
}

static void facts_sort(struct sfs_facts *f, size_t size,
		       int (*cmp)(const void *, const void *))
{
	if (f->nr > 1)
		sort(f->mem, f->nr, size, cmp, NULL);
}

static void check_entries(struct sfs_items_check *ck)
{
	const struct entry_fact *e;
	size_t i;

	facts_sort(&ck->by_name, sizeof(*e), entry_cmp);
	facts_sort(&ck->by_pos, sizeof(*e), entry_cmp);
	facts_sort(&ck->backrefs, sizeof(*e), entry_cmp);
	compare_entries(ck, &ck->by_pos, "by position", &ck->by_name,
			"by name");
	compare_entries(ck, &ck->by_pos, "by position", &ck->backrefs,
			"at its inode");
	e = ck->by_pos.mem;
	for (i = 0; i < ck->by_pos.nr; i++)
		count_entry(ck, &e[i]);
}

static void expect(struct sfs_items_check *ck, const struct inode_fact *in,
		   const char *what, u64 is, u64 should)
{
	if (is != should)
		bad(ck, "inode %llu: %s is %llu, should be %llu",
		    LLU(in->si.ino), what, LLU(is), LLU(should));
}

static void check_dir(struct sfs_items_check *ck, const struct inode_fact *in)
{
	const struct sfs_inode *si = &in->si;
	bool is_root = si->ino == SFS_ROOT_INO;

	if (si->nlink || in->subdirs || is_root)
		expect(ck, in, "nlink", si->nlink, 2 + in->subdirs);
	expect(ck, in, "number of its names", in->entries,
	       si->nlink && !is_root ? 1 : 0);
	expect(ck, in, "size", si->size, in->names_size);
	if (si->next_pos <= in->max_pos)
		bad(ck, "inode %llu: next_pos %llu is not behind %llu",
		    LLU(si->ino), LLU(si->next_pos), LLU(in->max_pos));
}

static void check_inode(struct sfs_items_check *ck, const struct inode_fact *in)
{
	const struct sfs_inode *si = &in->si;

	if (S_ISDIR(si->mode))
		check_dir(ck, in);
	else
		expect(ck, in, "nlink", si->nlink, in->entries);
	/* a deletion that is under way may have taken the target */
	if (S_ISLNK(si->mode) && si->nlink)
		expect(ck, in, "size", si->size, in->symlink_len);
	expect(ck, in, "online_blocks", si->online_blocks, in->online);
	expect(ck, in, "offline_blocks", si->offline_blocks, in->offline);
	expect(ck, in, "presence of an orphan item", in->orphan, !si->nlink);
	expect(ck, in, "presence of a truncation", in->truncate,
	       !!(si->flags & SFS_INODE_TRUNCATING));
	if (in->beyond && !(si->flags & SFS_INODE_TRUNCATING))
		bad(ck, "inode %llu: written blocks behind its size",
		    LLU(si->ino));
	if (in->next_block && !(si->flags & SFS_INODE_EXTENTS))
		bad(ck, "inode %llu: has extents that its flags deny",
		    LLU(si->ino));
	if (in->has_xattr && in->max_xattr_id >= si->next_xattr_id)
		bad(ck, "inode %llu: next_xattr_id %llu is not behind %llu",
		    LLU(si->ino), LLU(si->next_xattr_id),
		    LLU(in->max_xattr_id));
}

static void check_work(struct sfs_items_check *ck)
{
	const struct work_fact *w = ck->work.mem;
	struct inode_fact *in;
	size_t i;

	for (i = 0; i < ck->work.nr; i++) {
		in = inode_find(ck, w[i].ino);
		if (!in) {
			bad(ck, "unfinished work type %llu: inode %llu is missing",
			    LLU(w[i].type), LLU(w[i].ino));
			continue;
		}
		if (w[i].type == SFS_WORK_ORPHAN) {
			in->orphan = 1;
			continue;
		}
		in->truncate = 1;
		expect(ck, in, "size of its truncation", w[i].size,
		       in->si.size);
	}
}

static int index_cmp(const struct index_fact *f, u64 type, u64 stamp, u64 ino)
{
	return u64_cmp(f->type, type) ?: u64_cmp(f->stamp, stamp) ?:
	       u64_cmp(f->ino, ino);
}

static void expect_index(struct sfs_items_check *ck, u64 type, u64 stamp,
			 u64 ino)
{
	const struct index_fact *f = ck->index.mem;
	size_t hi = ck->index.nr;
	size_t lo = 0;
	size_t mid;
	int cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = index_cmp(&f[mid], type, stamp, ino);
		if (!cmp)
			return;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	bad(ck, "inode %llu: no index entry type %llu stamp %llu", LLU(ino),
	    LLU(type), LLU(stamp));
}

/* Each inode's entries exist, and there are no others. */
static void check_index(struct sfs_items_check *ck)
{
	const struct inode_fact *in = ck->inodes.mem;
	const struct index_fact *f = ck->index.mem;
	const struct inode_fact *of;
	size_t i;
	u64 is;

	for (i = 0; i < ck->inodes.nr; i++) {
		expect_index(ck, SFS_INDEX_META_SEQ, in[i].si.meta_seq,
			     in[i].si.ino);
		if (S_ISREG(in[i].si.mode))
			expect_index(ck, SFS_INDEX_DATA_SEQ,
				     in[i].si.data_seq, in[i].si.ino);
	}
	for (i = 0; i < ck->index.nr; i++) {
		of = inode_find(ck, f[i].ino);
		if (of && f[i].type == SFS_INDEX_META_SEQ)
			is = of->si.meta_seq;
		else if (of && S_ISREG(of->si.mode))
			is = of->si.data_seq;
		else
			is = ~f[i].stamp;
		if (is != f[i].stamp)
			bad(ck, "index entry type %llu stamp %llu inode %llu: not the inode's",
			    LLU(f[i].type), LLU(f[i].stamp), LLU(f[i].ino));
	}
}

static void check_extents(struct sfs_items_check *ck)
{
	const struct sfs_extent_fact *f = ck->extents.mem;
	u64 end = ck->data_first;
	size_t i;

	facts_sort(&ck->extents, sizeof(*f), extent_cmp);
	for (i = 0; i < ck->extents.nr; i++) {
		if (f[i].phys < end)
			bad(ck, "inode %llu block %llu: data block %llu is not its own",
			    LLU(f[i].ino), LLU(f[i].block), LLU(f[i].phys));
		end = max(end, f[i].phys + f[i].count);
	}
	if (ck->data_end && end > ck->data_end)
		bad(ck, "extents reach data block %llu, the end is %llu",
		    LLU(end), LLU(ck->data_end));
}

static struct inode_fact *parent_of(struct sfs_items_check *ck,
				    const struct inode_fact *in)
{
	return in->entries ? inode_find(ck, in->parent) : NULL;
}

/*
 * Each walk stops at an inode whose way is known and then marks what it
 * passed, so all walks together take as many steps as there are inodes.
 */
static void check_ways(struct sfs_items_check *ck)
{
	struct inode_fact *inodes = ck->inodes.mem;
	struct inode_fact *in;
	size_t i;
	u8 way;

	in = inode_find(ck, SFS_ROOT_INO);
	if (!in) {
		bad(ck, "inode %d: the root is missing", SFS_ROOT_INO);
		return;
	}
	in->way = WAY_TO_ROOT;
	for (i = 0; i < ck->inodes.nr; i++) {
		for (in = &inodes[i]; in && in->way == WAY_UNKNOWN;
		     in = parent_of(ck, in))
			in->way = WAY_WALKING;
		way = in && in->way == WAY_TO_ROOT ? WAY_TO_ROOT : WAY_NOWHERE;
		if (way == WAY_NOWHERE && inodes[i].way == WAY_WALKING &&
		    inodes[i].si.nlink)
			bad(ck, "inode %llu: no way to the root",
			    LLU(inodes[i].si.ino));
		for (in = &inodes[i]; in && in->way == WAY_WALKING;
		     in = parent_of(ck, in))
			in->way = way;
	}
}

int sfs_items_check_end(struct sfs_items_check *ck)
{
	struct inode_fact *in;
	size_t i;

	xattr_end(ck);
	if (ck->err < 0)
		return ck->err;
	check_work(ck);
	check_entries(ck);
	check_index(ck);
	check_extents(ck);
	check_ways(ck);
	in = ck->inodes.mem;
	for (i = 0; i < ck->inodes.nr; i++)
		check_inode(ck, &in[i]);
	ck->nr_inodes = ck->inodes.nr;
	return 0;
}

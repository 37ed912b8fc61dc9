/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cache of a host, as it exists in the kernel: pages with contents, some of
 * them dirty, attributes and names.
 *
 * What was read in a use of the cluster lock is valid until the generation of
 * its inode moves: when the core says so (the upcall "invalidate"), and around
 * changes that this mount makes itself.  What is valid is used without asking
 * the core or taking a lock.  Dirty pages exist only under the write lock: they
 * come to be in a use for writing and are written back, in late uses, before
 * the lock goes.  A dirty page at "invalidate" is a broken promise and ends the
 * run.
 *
 * The size of a file with dirty pages is the host's own, like its times, until
 * they are written back; what the core says about the inode is overlaid with
 * it.  An inode with dirty pages is kept (sfs_inode_keep()), and let go by
 * whoever comes by later, because the worker of a revoke must not do that.
 *
 * Locks: fibers switch only where something waits, and nothing here waits
 * between looking and acting on it.
 */
#include "sim/hcache.h"

#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "mount/mount_types.h"
#include "shim/shim.h"
#include "sim/sim.h"

#define PAGE 4096U
#define NR_PAGES (PM_FILE_MAX / PAGE)
#define NR_NAMES 64
#define SHORT_NAME 8
#define NR_BUCKETS 64

struct hpage {
	bool filled;
	bool dirty;
	u64 gen;
	u8 *data;
};

struct hnode {
	struct list_head entry;
	u64 ino;
	u64 gen;
	u32 changing;		/* calls of this mount that change it */
	bool has_attr;
	u64 attr_gen;
	struct sfs_attr attr;
	u32 nr_dirty;
	u64 size;		/* while something is dirty */
	struct sfs_time time;
	u64 steps;		/* of what is dirty */
	bool kept;
	struct hpage pages[NR_PAGES];
};

struct hname {
	u64 dir;
	u64 gen;		/* of the directory */
	u64 ino;		/* 0: there is none */
	u32 len;
	char name[SHORT_NAME];
};

struct hcache {
	struct sfs_fs *fs;
	u64 rng;
	struct list_head nodes[NR_BUCKETS];
	struct hname names[NR_NAMES];
};

static struct hnode *find(struct hcache *hc, u64 ino)
{
	struct hnode *n;

	list_for_each_entry(n, &hc->nodes[ino % NR_BUCKETS], entry) {
		if (n->ino == ino)
			return n;
	}
	return NULL;
}

static struct hnode *get(struct hcache *hc, u64 ino)
{
	struct hnode *n = find(hc, ino);

	if (!n) {
		shim_still_begin();
		n = sim_zalloc(sizeof(*n));
		n->ino = ino;
		list_add_tail(&n->entry, &hc->nodes[ino % NR_BUCKETS]);
		shim_still_end();
	}
	return n;
}

struct hcache *hcache_create(struct sfs_fs *fs, u64 seed)
{
	struct hcache *hc = sim_zalloc(sizeof(*hc));
	u32 i;

	hc->fs = fs;
	hc->rng = seed;
	for (i = 0; i < NR_BUCKETS; i++)
		INIT_LIST_HEAD(&hc->nodes[i]);
	return hc;
}

void hcache_destroy(struct hcache *hc)
{
	struct hnode *n;
	u32 i;
	u32 p;

	for (i = 0; i < NR_BUCKETS; i++) {
		while (!list_empty(&hc->nodes[i])) {
			n = list_first_entry(&hc->nodes[i], struct hnode,
					     entry);
			list_del(&n->entry);
			for (p = 0; p < NR_PAGES; p++)
				sim_buf_free(n->pages[p].data);
			kvfree(n);
		}
	}
	kvfree(hc);
}

/* ---- what is valid -------------------------------------------------------------- */

void hcache_change_begin(struct hcache *hc, const u64 *inos, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		if (inos[i])
			get(hc, inos[i])->changing++;
	}
}

void hcache_change_end(struct hcache *hc, const u64 *inos, u32 nr)
{
	struct hnode *n;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (!inos[i])
			continue;
		n = get(hc, inos[i]);
		n->changing--;
		n->gen++;
	}
}

static bool page_valid(const struct hnode *n, const struct hpage *p)
{
	return p->dirty || (p->filled && !n->changing && p->gen == n->gen);
}

static bool attr_valid(const struct hnode *n)
{
	return n->has_attr && !n->changing && n->attr_gen == n->gen;
}

static void overlay(const struct hnode *n, struct sfs_attr *attr)
{
	if (n->nr_dirty)
		attr->size = max(attr->size, n->size);
}

bool hcache_overlay(struct hcache *hc, struct sfs_attr *attr)
{
	struct hnode *n = find(hc, attr->ino);

	if (!n || !n->nr_dirty)
		return false;
	overlay(n, attr);
	return true;
}

bool hcache_is_dirty(struct hcache *hc, u64 ino)
{
	const struct hnode *n = find(hc, ino);

	return n && n->nr_dirty;
}

/* Whatever is written back between asking and overlaying: ask again. */
static int load_attr(struct hcache *hc, struct hnode *n)
{
	struct sfs_attr attr = {};
	u64 steps;
	u64 gen;
	int ret;

	do {
		steps = n->steps;
		gen = n->gen;
		ret = sfs_getattr(hc->fs, n->ino, &attr);
		if (ret)
			return ret;
	} while (steps != n->steps);
	n->attr = attr;
	n->attr_gen = gen;
	n->has_attr = true;
	return 0;
}

int hcache_getattr(struct hcache *hc, u64 ino, struct sfs_attr *ret_attr,
		   bool *ret_dirty)
{
	struct hnode *n = get(hc, ino);
	struct sfs_ilock il = {};
	int ret = 0;

	/* a direct write may be several steps */
	if (n->changing)
		sfs_ilock_shared(hc->fs, &il, ino);
	if (!attr_valid(n))
		ret = load_attr(hc, n);
	sfs_iunlock(hc->fs, &il);
	if (ret)
		return ret;
	*ret_attr = n->attr;
	*ret_dirty = n->nr_dirty;
	overlay(n, ret_attr);
	return 0;
}

/* ---- names ------------------------------------------------------------------------ */

static struct hname *name_slot(struct hcache *hc, u64 dir, const char *name,
			       u32 len)
{
	return &hc->names[sim_hash(dir, name, len) % NR_NAMES];
}

int hcache_lookup(struct hcache *hc, const struct sfs_cred *cred, u64 dir,
		  const char *name, u32 len, struct sfs_attr *ret_attr,
		  bool *ret_dirty)
{
	struct hname *s = name_slot(hc, dir, name, len);
	struct hnode *d = get(hc, dir);
	struct sfs_ilock il;
	u64 gen = d->gen;
	u64 ino;
	int ret;

	*ret_dirty = false;
	if (len <= SHORT_NAME && s->dir == dir && s->len == len &&
	    !memcmp(s->name, name, len) && s->gen == gen && !d->changing &&
	    cred->uid == 0) {
		if (!s->ino)
			return -ENOENT;
		d = find(hc, s->ino);
		if (d && attr_valid(d)) {
			*ret_attr = d->attr;
			*ret_dirty = d->nr_dirty;
			overlay(d, ret_attr);
			return 0;
		}
	}
	/*
	 * As in a kernel, the directory is locked: while a name gets another
	 * inode there is a moment without it.
	 */
	sfs_ilock_shared(hc->fs, &il, dir);
	ret = sfs_lookup_ino(hc->fs, cred, dir, name, len, &ino);
	sfs_iunlock(hc->fs, &il);
	if (ret && ret != -ENOENT)
		return ret;
	if (len && len <= SHORT_NAME && name[0] != '.' && cred->uid == 0) {
		s->dir = dir;
		s->gen = gen;
		s->ino = ret ? 0 : ino;
		s->len = len;
		memcpy(s->name, name, len);
	}
	if (ret)
		return ret;
	ret_attr->ino = ino;
	return 0;
}

/* ---- writing back -------------------------------------------------------------------- */

struct transfer {
	struct sfs_io io;
	struct completion done;
};

static void transfer_done(struct sfs_io *io)
{
	complete(&container_of(io, struct transfer, io)->done);
}

static int transfer(struct sfs_fs *fs, u64 phys, u8 *buf)
{
	struct transfer t = {
		.io = {
			.done = transfer_done,
			.buf = buf,
			.offset = phys * PAGE,
			.len = PAGE,
			.dev = SFS_DEV_DATA,
			.flags = SFS_IO_WRITE,
		},
	};

	init_completion(&t.done);
	sfs_port_io_submit(fs->host, &t.io);
	wait_for_completion(&t.done);
	return t.io.err;
}

static int write_page(struct hcache *hc, struct hnode *n, u32 p)
{
	struct sfs_extent ext;
	struct sfs_attr attr;
	u64 end;
	int ret;

	ret = sfs_getattr(hc->fs, n->ino, &attr);
	if (!ret)
		ret = sfs_map_write(hc->fs, n->ino, p, 1,
				    (u64)p * PAGE >= attr.size ?
					    SFS_MAP_KEEPS : 0, &ext);
	if (!ret)
		ret = transfer(hc->fs, ext.phys, n->pages[p].data);
	if (ret)
		return ret;
	end = min_t(u64, n->size, ((u64)p + 1) * PAGE);
	return sfs_map_written(hc->fs, n->ino, p, 1, end, &n->time, &n->time);
}

static void clean_page(struct hnode *n, u32 p)
{
	n->nr_dirty -= n->pages[p].dirty;
	n->pages[p].dirty = false;
}

/* Nobody will ever write it. */
static void lose_node(struct hnode *n)
{
	u32 p;

	for (p = 0; p < NR_PAGES; p++) {
		n->pages[p].filled &= !n->pages[p].dirty;
		clean_page(n, p);
	}
	n->has_attr = false;
	n->steps++;
}

/*
 * In a use, or with the mount down.  What can not be written is lost: the
 * inode is gone, or the mount is.
 */
static int write_node(struct hcache *hc, struct hnode *n)
{
	int err = 0;
	u32 p;

	for (p = 0; p < NR_PAGES && n->nr_dirty; p++) {
		if (!n->pages[p].dirty)
			continue;
		if (!err)
			err = write_page(hc, n, p);
		n->pages[p].gen = n->gen;
		n->pages[p].filled = !err;
		clean_page(n, p);
	}
	n->has_attr = false;
	n->steps++;
	return err;
}

static int flush_node(struct hcache *hc, struct hnode *n, u32 flags)
{
	struct sfs_use use;
	int ret;

	if (!n->nr_dirty)
		return 0;
	ret = sfs_use_begin(hc->fs, n->ino, SFS_USE_WRITE | flags, &use);
	if (ret) {
		lose_node(n);
		return -EIO;
	}
	ret = write_node(hc, n);
	sfs_use_end(hc->fs, &use);
	return ret;
}

int hcache_flush(struct hcache *hc, u64 ino, bool drop)
{
	struct hnode *n = find(hc, ino);
	int ret;

	if (!n)
		return 0;
	ret = flush_node(hc, n, 0);
	if (n->kept && !n->nr_dirty) {
		n->kept = false;
		sfs_inode_unkeep(hc->fs, ino);
	}
	if (drop)
		n->gen++;
	return ret;
}

static struct hnode *next_kept(struct hcache *hc)
{
	struct hnode *n;
	u32 i;

	for (i = 0; i < NR_BUCKETS; i++) {
		list_for_each_entry(n, &hc->nodes[i], entry) {
			if (n->kept)
				return n;
		}
	}
	return NULL;
}

int hcache_flush_all(struct hcache *hc)
{
	struct sfs_ilock il;
	struct hnode *n;
	int err = 0;
	int ret;

	while ((n = next_kept(hc))) {
		sfs_ilock_excl(hc->fs, &il, n->ino, 0, 0, 0);
		ret = hcache_flush(hc, n->ino, false);
		sfs_iunlock(hc->fs, &il);
		if (ret != -ENOENT && ret != -ESTALE)
			err = err ?: ret;
	}
	return err;
}

/* ---- upcalls --------------------------------------------------------------------------- */

void hcache_writeback(struct hcache *hc, u64 first, u64 last)
{
	struct hnode *n;
	u32 i;

	for (i = 0; i < NR_BUCKETS; i++) {
		list_for_each_entry(n, &hc->nodes[i], entry) {
			if (n->ino >= first && n->ino <= last)
				flush_node(hc, n, SFS_USE_LATE);
		}
	}
}

void hcache_invalidate(struct hcache *hc, u64 first, u64 last, bool dead)
{
	struct hnode *n;
	u32 i;

	for (i = 0; i < NR_BUCKETS; i++) {
		list_for_each_entry(n, &hc->nodes[i], entry) {
			if (n->ino < first || n->ino > last)
				continue;
			if (dead)
				lose_node(n);
			if (n->nr_dirty)
				shim_fail("inode %llu is invalidated and has dirty pages: somebody wrote after writeback",
					  n->ino);
			n->gen++;
		}
	}
}

/* ---- contents ----------------------------------------------------------------------------- */

/*
 * In a use, and nobody of this mount changes the file.  Others may fill the
 * same page: a buffer of one's own does what the lock of a page does in a
 * kernel, nobody reads where something is being read to.
 */
static int fill_page(struct hcache *hc, struct hnode *n, u32 p)
{
	struct hpage *pg = &n->pages[p];
	u64 gen = n->gen;
	u8 *data;
	s64 ret;

	shim_still_begin();
	data = sim_buf(PAGE);
	if (!pg->data)
		pg->data = sim_buf(PAGE);
	shim_still_end();
	ret = sfs_file_read(hc->fs, n->ino, (u64)p * PAGE, data, PAGE);
	if (ret >= 0 && !page_valid(n, pg)) {
		memcpy(pg->data, data, ret);
		memset(pg->data + ret, 0, PAGE - ret);
		pg->filled = true;
		pg->gen = gen;
	}
	sim_buf_free(data);
	return min(ret, 0LL);
}

/* Everything that is needed is valid: no lock, no core. */
static bool read_hit(struct hnode *n, u64 off, u8 *buf, u32 len, s64 *ret)
{
	struct sfs_attr attr;
	u64 at;
	u32 n_bytes;

	if (!attr_valid(n) || !S_ISREG(n->attr.mode))
		return false;
	attr = n->attr;
	overlay(n, &attr);
	*ret = off >= attr.size ? 0 : min_t(u64, len, attr.size - off);
	for (at = off; at < off + *ret; at = (at / PAGE + 1) * PAGE) {
		if (!page_valid(n, &n->pages[at / PAGE]))
			return false;
	}
	for (at = off; at < off + *ret; at += n_bytes) {
		n_bytes = min_t(u64, PAGE - at % PAGE, off + *ret - at);
		memcpy(buf + (at - off), n->pages[at / PAGE].data + at % PAGE,
		       n_bytes);
	}
	return true;
}

/* Everything that is needed and not valid. */
static int fill(struct hcache *hc, struct hnode *n, u64 off, u32 len)
{
	u64 last = min_t(u64, NR_PAGES, DIV_ROUND_UP(off + len, PAGE));
	int ret = 0;
	u32 p;

	if (!attr_valid(n))
		ret = load_attr(hc, n);
	if (!ret && !S_ISREG(n->attr.mode))
		return -EOPNOTSUPP;
	for (p = off / PAGE; p < last && !ret; p++) {
		if (!page_valid(n, &n->pages[p]))
			ret = fill_page(hc, n, p);
	}
	return ret;
}

/*
 * In a use for reading.  Pages that are written back meanwhile, because the
 * lock will be one for reading alone, change attributes.
 */
static s64 read_miss(struct hcache *hc, struct hnode *n, u64 off, u8 *buf,
		     u32 len)
{
	u64 gen = n->gen;
	s64 ret;

	do {
		ret = fill(hc, n, off, len);
		if (ret == -EOPNOTSUPP)
			return sfs_file_read(hc->fs, n->ino, off, buf, len);
		if (ret)
			return ret;
		if (n->gen != gen)
			shim_fail("inode %llu: the cache was invalidated in a use, generation %llu, was %llu, %u changes",
				  n->ino, n->gen, gen, n->changing);
	} while (!read_hit(n, off, buf, len, &ret));
	return ret;
}

s64 hcache_read(struct hcache *hc, u64 ino, u64 off, u8 *buf, u32 len)
{
	struct hnode *n = get(hc, ino);
	struct sfs_ilock il;
	struct sfs_use use;
	s64 ret;

	if (off + len <= NR_PAGES * PAGE && read_hit(n, off, buf, len, &ret))
		return ret;
	sfs_ilock_shared(hc->fs, &il, ino);
	ret = sfs_use_begin(hc->fs, ino, SFS_USE_READ, &use);
	if (!ret) {
		ret = read_miss(hc, n, off, buf, len);
		sfs_use_end(hc->fs, &use);
	}
	sfs_iunlock(hc->fs, &il);
	return ret;
}

/* A page that will be changed in part. */
static int ready_page(struct hcache *hc, struct hnode *n, u32 p)
{
	struct hpage *pg = &n->pages[p];
	int ret = 0;

	if (!page_valid(n, pg))
		ret = fill_page(hc, n, p);
	return ret;
}

static void make_dirty(struct hcache *hc, struct hnode *n, u32 p)
{
	n->nr_dirty += !n->pages[p].dirty;
	n->pages[p].dirty = true;
}

static s64 write_in_use(struct hcache *hc, struct hnode *n, u64 off,
			const u8 *buf, u32 len, bool append, u64 *ret_off)
{
	struct sfs_attr attr;
	u32 bytes;
	u64 size;
	u64 at;
	int ret;
	u32 p;

	ret = sfs_getattr(hc->fs, n->ino, &attr);
	if (ret)
		return ret;
	size = n->nr_dirty ? max(attr.size, n->size) : attr.size;
	if (append)
		off = size;
	if (!S_ISREG(attr.mode) || !len || off + len > NR_PAGES * PAGE)
		return -EOPNOTSUPP;
	if (!n->kept) {
		ret = sfs_inode_keep(hc->fs, n->ino, NULL);
		if (ret)
			return ret;
		n->kept = true;
	}
	/* what is behind the end in its page becomes part of the file */
	if (off + len > size && size % PAGE)
		ret = ready_page(hc, n, size / PAGE);
	for (p = off / PAGE; !ret && p <= (off + len - 1) / PAGE; p++)
		ret = ready_page(hc, n, p);
	if (ret)
		return ret;
	if (off + len > size && size % PAGE)
		make_dirty(hc, n, size / PAGE);
	for (at = off; at < off + len; at += bytes) {
		bytes = min_t(u64, PAGE - at % PAGE, off + len - at);
		memcpy(n->pages[at / PAGE].data + at % PAGE, buf + (at - off),
		       bytes);
		make_dirty(hc, n, at / PAGE);
	}
	n->size = max(size, off + len);
	n->steps++;
	sfs_port_wall_time(hc->fs->host, &n->time.sec, &n->time.nsec);
	*ret_off = off;
	return len;
}

s64 hcache_write(struct hcache *hc, u64 ino, u64 off, const u8 *buf, u32 len,
		 bool append, u64 *ret_off)
{
	struct hnode *n = get(hc, ino);
	struct sfs_use use;
	s64 ret;

	ret = sfs_use_begin(hc->fs, ino, SFS_USE_WRITE, &use);
	if (ret)
		return ret;
	ret = write_in_use(hc, n, off, buf, len, append, ret_off);
	sfs_use_end(hc->fs, &use);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that a mounted volume shows, read once: names from the root on in
 * the order of readdir, and of each inode that has a name attributes, contents,
 * extended attributes and mapped blocks.
 *
 * What contradicts itself ends the run here: positions that do not ascend, a
 * name that lookup does not find, counts of links or blocks that do not fit.
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

#define BUF_BYTES (192U << 10)

static const struct sfs_cred super = { .caps = ~0U };

u64 sim_hash(u64 h, const void *buf, u64 len)
{
	const u8 *p = buf;
	u64 word;

	h ^= len * 0x9e3779b97f4a7c15ULL;
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	for (; len; len--, p++) {
		h = (h ^ *p) * 0xc4ceb9fe1a85ec53ULL;
		h ^= h >> 29;
	}
	return h;
}

u64 sim_xattr_hash(const char *name, const void *val, u32 len)
{
	return sim_hash(sim_hash(1, name, strlen(name)), val, len);
}

struct sim_node *sim_tree_node(const struct sim_tree *t, u64 ino)
{
	u32 i;

	for (i = 0; i < t->nr_nodes; i++) {
		if (t->nodes[i].attr.ino == ino)
			return &t->nodes[i];
	}
	return NULL;
}

static void *grown(void *old, u32 nr, u32 *max, size_t size)
{
	void *new;

	if (nr < *max)
		return old;
	*max = max(*max * 2, 64U);
	new = sim_zalloc(*max * size);
	if (old)
		memcpy(new, old, nr * size);
	kvfree(old);
	return new;
}

static void read_contents(struct sim_world *w, struct sim_node *n, u8 *buf)
{
	u64 size = n->attr.size;
	u64 at;
	s64 ret;

	n->data = sim_buf(size + 1);
	if (S_ISLNK(n->attr.mode)) {
		ret = sfs_readlink(w->fs, n->attr.ino, (char *)n->data, size);
		if (ret != size)
			shim_fail("inode %llu: readlink %lld, size %llu",
				  n->attr.ino, ret, size);
		return;
	}
	for (at = 0; at < size; at += ret) {
		ret = sfs_file_read(w->fs, n->attr.ino, at, n->data + at,
				    min_t(u64, size - at, 1 << 20));
		if (ret <= 0)
			shim_fail("inode %llu: read at %llu of %llu: %lld",
				  n->attr.ino, at, size, ret);
	}
	ret = sfs_file_read(w->fs, n->attr.ino, size, buf, 4096);
	if (ret)
		shim_fail("inode %llu: read behind the end: %lld", n->attr.ino,
			  ret);
}

static void read_extents(struct sim_world *w, struct sim_node *n)
{
	struct sfs_extent ext;
	u64 written = 0;
	u64 block = 0;
	int ret;

	for (;;) {
		ret = sfs_map_read(w->fs, n->attr.ino, block, &ext);
		if (ret)
			shim_fail("inode %llu: map of block %llu: %d",
				  n->attr.ino, block, ret);
		if (ext.block != block || !ext.count)
			shim_fail("inode %llu: map of block %llu is of %llu+%llu",
				  n->attr.ino, block, ext.block, ext.count);
		if (ext.phys) {
			n->mapped += ext.count;
			written += ext.flags ? 0 : ext.count;
		}
		if (ext.count >= U64_MAX - block)
			break;
		block += ext.count;
	}
	if (written != n->attr.online_blocks)
		shim_fail("inode %llu: %llu written blocks, online_blocks is %llu",
			  n->attr.ino, written, n->attr.online_blocks);
	if (n->attr.blocks != (n->attr.online_blocks +
			       n->attr.offline_blocks) * 8)
		shim_fail("inode %llu: blocks is %llu", n->attr.ino,
			  n->attr.blocks);
}

static void read_xattrs(struct sim_world *w, struct sim_node *n, u8 *buf)
{
	char *names = (char *)buf + 70000;
	char *name;
	int len;
	int ret;

	len = sfs_listxattr(w->fs, &super, n->attr.ino, names, 65536);
	if (len < 0)
		shim_fail("inode %llu: listxattr %d", n->attr.ino, len);
	for (name = names; name < names + len; name += strlen(name) + 1) {
		ret = sfs_getxattr(w->fs, &super, n->attr.ino, name, buf,
				   65536);
		if (ret < 0)
			shim_fail("inode %llu: getxattr %s: %d", n->attr.ino,
				  name, ret);
		n->nr_xattrs++;
		n->xattrs += sim_xattr_hash(name, buf, ret);
	}
}

static void add_node(struct sim_world *w, struct sim_tree *t, u64 ino, u8 *buf)
{
	struct sim_node *n;
	int ret;

	t->nodes = grown(t->nodes, t->nr_nodes, &t->max_nodes, sizeof(*n));
	n = &t->nodes[t->nr_nodes++];
	ret = sfs_getattr(w->fs, ino, &n->attr);
	if (ret || n->attr.ino != ino)
		shim_fail("inode %llu has a name, but getattr says %d", ino,
			  ret);
	read_xattrs(w, n, buf);
	if (S_ISREG(n->attr.mode) || S_ISLNK(n->attr.mode))
		read_contents(w, n, buf);
	if (S_ISREG(n->attr.mode))
		read_extents(w, n);
}

static void add_name(struct sim_world *w, struct sim_tree *t, u64 dir,
		     const struct sfs_dirent *d, u8 *buf)
{
	struct sim_node *node;
	struct sfs_attr attr;
	struct sim_name *n;
	int ret;

	t->names = grown(t->names, t->nr_names, &t->max_names, sizeof(*n));
	n = &t->names[t->nr_names++];
	n->dir = dir;
	n->ino = d->ino;
	n->pos = d->pos;
	n->len = d->name_len;
	memcpy(n->name, d->name, d->name_len);
	ret = sfs_lookup(w->fs, &super, dir, n->name, n->len, &attr);
	if (ret || attr.ino != d->ino)
		shim_fail("directory %llu: entry %s of %llu, lookup says %d, %llu",
			  dir, n->name, d->ino, ret, ret ? 0 : attr.ino);
	if (attr.mode >> 12 != d->type)
		shim_fail("directory %llu: entry %s has type %u, mode %o", dir,
			  n->name, d->type, attr.mode);
	if (!sim_tree_node(t, d->ino))
		add_node(w, t, d->ino, buf);
	node = sim_tree_node(t, d->ino);
	if (node->nr_names++ && S_ISDIR(node->attr.mode))
		shim_fail("directory %llu has two names", d->ino);
}

static void read_dir(struct sim_world *w, struct sim_tree *t, u64 dir, u8 *buf)
{
	u8 *ents = sim_zalloc(4096);
	const struct sfs_dirent *d;
	u64 pos = 2;
	int ret;
	int at;

	for (;;) {
		ret = sfs_readdir(w->fs, &super, dir, pos, ents, 4096);
		if (ret <= 0)
			break;
		for (at = 0; at < ret; at += d->rec_len) {
			d = (const void *)(ents + at);
			if (d->pos < pos || d->next_pos <= d->pos)
				shim_fail("directory %llu: position %llu, next %llu after %llu",
					  dir, d->pos, d->next_pos, pos);
			add_name(w, t, dir, d, buf);
			pos = d->next_pos;
		}
	}
	if (ret < 0)
		shim_fail("directory %llu: readdir %d", dir, ret);
	kvfree(ents);
}

static void check_links(const struct sim_tree *t)
{
	const struct sim_node *n;
	const struct sim_node *child;
	u32 subdirs;
	u64 size;
	u32 i;
	u32 k;

	for (i = 0; i < t->nr_nodes; i++) {
		n = &t->nodes[i];
		if (!S_ISDIR(n->attr.mode)) {
			if (n->attr.nlink != n->nr_names)
				shim_fail("inode %llu: nlink %u, %u names",
					  n->attr.ino, n->attr.nlink,
					  n->nr_names);
			continue;
		}
		subdirs = 0;
		size = 0;
		for (k = 0; k < t->nr_names; k++) {
			if (t->names[k].dir != n->attr.ino)
				continue;
			size += t->names[k].len;
			child = sim_tree_node(t, t->names[k].ino);
			subdirs += S_ISDIR(child->attr.mode);
		}
		if (n->attr.nlink != subdirs + 2 || n->attr.size != size)
			shim_fail("directory %llu: nlink %u, size %llu, has %u directories, %llu bytes of names",
				  n->attr.ino, n->attr.nlink, n->attr.size,
				  subdirs, size);
	}
}

struct sim_tree *sim_tree_read(struct sim_world *w)
{
	struct sim_tree *t = sim_zalloc(sizeof(*t));
	u8 *buf = sim_buf(BUF_BYTES);
	u32 i;

	add_node(w, t, 1, buf);
	for (i = 0; i < t->nr_nodes; i++) {
		if (S_ISDIR(t->nodes[i].attr.mode))
			read_dir(w, t, t->nodes[i].attr.ino, buf);
	}
	check_links(t);
	sim_buf_free(buf);
	return t;
}

void sim_tree_free(struct sim_tree *t)
{
	u32 i;

	for (i = 0; i < t->nr_nodes; i++)
		sim_buf_free(t->nodes[i].data);
	kvfree(t->nodes);
	kvfree(t->names);
	kvfree(t);
}

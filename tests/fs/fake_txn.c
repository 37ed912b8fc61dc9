/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See fake_txn.h.  Implements mount/txn.h, engine/iter.h, the part of mount.h
 * and the part of port.h that core/fs uses.
 *
 * Publishing copies the whole tree, with every hold kept out by a semaphore;
 * that is slow and obviously right, which is what a stand-in should be.
 *
 * Stricter than the real thing where that is cheap: amounts of a hold are
 * counted exactly, each data block has a state and only its proper changes are
 * accepted, an index key that is put twice or deleted twice is an error, and
 * data is flushed only by a transaction that said sfs_data_dirty().
 */
#include "tests/fs/fake_txn.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include "base/report.h"
#include "fs/fs.h"
#include "mount/lock_client.h"
#include "mount/mount.h"
#include "shim/shim.h"

#define DATA_FIRST 64	/* blocks before the data of files */

enum fake_block {
	BLOCK_FREE,
	BLOCK_RESERVED,
	BLOCK_USED,
	BLOCK_FREED,	/* not durably */
};

struct fitem {
	struct rb_node node;
	struct sfs_key key;
	u64 seq;
	u32 len;
	u8 val[];
};

struct fake_txn {
	struct fake_vol *vol;
	struct rb_root items;		/* with what is not published */
	struct rw_semaphore holds;
	spinlock_t lock;
	struct list_head uses;		/* of cluster locks */
	u64 seq;
	u64 nr;
	u64 published_nr;
	bool dirty;
	bool data_dirty;
};

#define must(cond)							\
	do {								\
		if (!(cond))						\
			shim_fail("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

u64 fake_rand(struct fake_vol *vol)
{
	shim_u64 state = vol->rng;
	u64 r = shim_rand_next(&state);

	vol->rng = state;
	return r;
}

static bool one_in(struct fake_vol *vol, u32 n)
{
	return n && fake_rand(vol) % n == 0;
}

/* ---- trees ------------------------------------------------------------------ */

static struct fitem *item_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct fitem, node) : NULL;
}

static struct fitem *tree_ge(struct rb_root *root, const struct sfs_key *key)
{
	struct rb_node *node = root->rb_node;
	struct fitem *best = NULL;
	struct fitem *it;

	while (node) {
		it = item_of(node);
		if (sfs_key_cmp(&it->key, key) >= 0) {
			best = it;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/* Returns the item that had the key. */
static struct fitem *tree_put(struct rb_root *root, struct fitem *new)
{
	struct rb_node **link = &root->rb_node;
	struct rb_node *parent = NULL;
	struct fitem *it;
	int cmp;

	while (*link) {
		parent = *link;
		it = item_of(parent);
		cmp = sfs_key_cmp(&new->key, &it->key);
		if (!cmp) {
			rb_replace_node(&it->node, &new->node, root);
			return it;
		}
		link = cmp < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, root);
	return NULL;
}

static void tree_free(struct rb_root *root)
{
	struct fitem *it;

	while ((it = item_of(rb_first(root)))) {
		rb_erase(&it->node, root);
		kfree(it);
	}
}

static struct fitem *item_new(const struct sfs_key *key, u64 seq,
			      const void *val, u32 len)
{
	struct fitem *it;

	shim_nofail_begin();
	it = kmalloc(sizeof(*it) + len, GFP_NOFS);
	shim_nofail_end();
	must(it);
	it->key = *key;
	it->seq = seq;
	it->len = len;
	if (len)
		memcpy(it->val, val, len);
	return it;
}

static void tree_copy(struct rb_root *to, struct rb_root *from)
{
	struct rb_node *node;
	struct fitem *it;

	tree_free(to);
	for (node = rb_first(from); node; node = rb_next(node)) {
		it = item_of(node);
		tree_put(to, item_new(&it->key, it->seq, it->val, it->len));
	}
}

/* ---- the volume --------------------------------------------------------------- */

static void format_put(void *arg, const struct sfs_key *key, const void *val,
		       u32 len)
{
	struct fake_vol *vol = arg;

	tree_put(&vol->items, item_new(key, 0, val, len));
}

struct fake_vol *fake_vol_create(u64 seed, u64 nr_blocks)
{
	struct fake_vol *vol;

	shim_nofail_begin();
	vol = kzalloc(sizeof(*vol), GFP_NOFS);
	must(vol);
	vol->items = RB_ROOT;
	vol->rng = seed * 2 + 1;
	vol->next_seq = 1;
	vol->next_group = SFS_FIRST_INO;
	vol->clock_ns = 1700000000LL * 1000000000;
	vol->nr_blocks = nr_blocks;
	vol->state = kvzalloc(nr_blocks, GFP_NOFS);
	vol->dirty = kvzalloc(nr_blocks, GFP_NOFS);
	vol->data = shim_pages_alloc(nr_blocks * SFS_BLOCK_SIZE);
	vol->old = shim_pages_alloc(nr_blocks * SFS_BLOCK_SIZE);
	must(vol->state && vol->dirty && vol->data && vol->old);
	shim_nofail_end();
	/* what nobody has written must not be seen */
	memset(vol->data, 0xdb, nr_blocks * SFS_BLOCK_SIZE);
	memset(vol->old, 0xdb, nr_blocks * SFS_BLOCK_SIZE);
	must(!sfs_fs_format_items(format_put, vol, 1700000000, 5));
	return vol;
}

void fake_vol_destroy(struct fake_vol *vol)
{
	must(!vol->fs);
	tree_free(&vol->items);
	kvfree(vol->state);
	kvfree(vol->dirty);
	shim_pages_free(vol->data, vol->nr_blocks * SFS_BLOCK_SIZE);
	shim_pages_free(vol->old, vol->nr_blocks * SFS_BLOCK_SIZE);
	kfree(vol);
}

void fake_crash(struct fake_vol *vol)
{
	vol->crashed = true;
}

void fake_crash_data(struct fake_vol *vol)
{
	u8 *data;
	u8 *old;
	u64 b;
	u32 i;

	must(!vol->fs);
	for (b = 0; b < vol->nr_blocks; b++) {
		if (!vol->dirty[b])
			continue;
		data = vol->data + b * SFS_BLOCK_SIZE;
		old = vol->old + b * SFS_BLOCK_SIZE;
		for (i = 0; i < SFS_BLOCK_SIZE; i += 512) {
			if (one_in(vol, 2))
				memcpy(data + i, old + i, 512);
		}
		memcpy(old, data, SFS_BLOCK_SIZE);
		vol->dirty[b] = 0;
	}
	vol->crashed = false;
}

/* ---- mount -------------------------------------------------------------------- */

static void blocks_set(struct fake_vol *vol, u64 start, u64 count, u8 from,
		       u8 to)
{
	u64 b;

	must(start >= DATA_FIRST && start + count <= vol->nr_blocks);
	for (b = start; b < start + count; b++) {
		must(vol->state[b] == from);
		vol->state[b] = to;
	}
}

static void blocks_load(struct fake_vol *vol)
{
	struct sfs_extent ext;
	struct rb_node *node;
	struct fitem *it;

	memset(vol->state, BLOCK_FREE, vol->nr_blocks);
	for (node = rb_first(&vol->items); node; node = rb_next(node)) {
		it = item_of(node);
		if (it->key.zone != SFS_ZONE_FS ||
		    it->key.type != SFS_FS_EXTENT)
			continue;
		must(!sfs_extent_decode(&it->key, it->val, it->len, &ext));
		if (ext.phys)
			blocks_set(vol, ext.phys, ext.count, BLOCK_FREE,
				   BLOCK_USED);
	}
}

int sfs_mount_join(struct sfs_host *host, struct sfs_hub *hub,
		   const struct sfs_mount_opts *opts, struct sfs_fs **ret_fs)
{
	struct fake_vol *vol = (void *)host;
	struct fake_txn *ft;
	struct sfs_fs *fs;
	u32 i;

	must(!vol->fs);
	shim_nofail_begin();
	fs = kzalloc(sizeof(*fs), GFP_NOFS);
	ft = kzalloc(sizeof(*ft), GFP_NOFS);
	shim_nofail_end();
	must(fs && ft);
	fs->host = host;
	fs->opts = *opts;
	fs->fsid = 0x1234;
	fs->rid = 1;
	for (i = 0; i < sizeof(fs->hash_key); i++)
		fs->hash_key[i] = i * 7;
	fs->fake = ft;
	ft->vol = vol;
	ft->items = RB_ROOT;
	tree_copy(&ft->items, &vol->items);
	init_rwsem(&ft->holds);
	spin_lock_init(&ft->lock);
	INIT_LIST_HEAD(&ft->uses);
	ft->nr = 1;
	ft->seq = vol->next_seq++;
	blocks_load(vol);
	vol->fs = fs;
	*ret_fs = fs;
	return 0;
}

static void flush_data(struct fake_vol *vol)
{
	u64 b;

	for (b = 0; b < vol->nr_blocks; b++) {
		if (!vol->dirty[b])
			continue;
		memcpy(vol->old + b * SFS_BLOCK_SIZE,
		       vol->data + b * SFS_BLOCK_SIZE, SFS_BLOCK_SIZE);
		vol->dirty[b] = 0;
	}
}

int sfs_publish(struct sfs_fs *fs)
{
	struct fake_txn *ft = fs->fake;
	struct fake_vol *vol = ft->vol;
	u64 b;

	if (vol->crashed)
		return -EIO;
	down_write(&ft->holds);
	if (ft->data_dirty)
		flush_data(vol);
	if (ft->dirty)
		tree_copy(&vol->items, &ft->items);
	for (b = 0; b < vol->nr_blocks; b++) {
		if (vol->state[b] == BLOCK_FREED)
			vol->state[b] = BLOCK_FREE;
	}
	vol->stable = ft->seq;
	vol->nr_publishes++;
	ft->published_nr = ft->nr++;
	ft->seq = vol->next_seq;
	vol->next_seq += 1 + fake_rand(vol) % 3;
	ft->dirty = false;
	ft->data_dirty = false;
	up_write(&ft->holds);
	return 0;
}

void sfs_mount_set_opts(struct sfs_fs *fs, const struct sfs_mount_opts *opts)
{
	fs->opts = *opts;
}

void sfs_mount_kill(struct sfs_fs *fs)
{
	fake_crash(fs->fake->vol);
}

void sfs_mount_drop(struct sfs_fs *fs)
{
	sfs_mount_leave(fs);
}

int sfs_mount_leave(struct sfs_fs *fs)
{
	struct fake_txn *ft = fs->fake;
	struct fake_vol *vol = ft->vol;
	int ret = sfs_publish(fs);
	u64 b;

	for (b = 0; b < vol->nr_blocks; b++)
		must(vol->state[b] != BLOCK_RESERVED);
	tree_free(&ft->items);
	kfree(ft);
	kfree(fs);
	vol->fs = NULL;
	return ret;
}

/* ---- cluster locks ------------------------------------------------------------ */

/*
 * There is nobody else, so they are always here; what is checked is the order
 * in which a thread takes them, and that it never writes within reading.
 */
int sfs_lock_use_begin(struct sfs_fs *fs, u64 id, u8 mode, u32 flags,
		       struct sfs_lock_use *use)
{
	struct fake_txn *ft = fs->fake;
	struct sfs_lock_use *other;

	shim_yield();
	spin_lock(&ft->lock);
	list_for_each_entry(other, &ft->uses, head) {
		if (other->task != current)
			continue;
		must((unsigned long)other->lock <= id + 1);
		must((unsigned long)other->lock != id + 1 ||
		     other->mode >= mode);
	}
	*use = (struct sfs_lock_use) {
		.lock = (struct sfs_lock *)(unsigned long)(id + 1),
		.task = current,
		.mode = mode,
	};
	list_add(&use->head, &ft->uses);
	spin_unlock(&ft->lock);
	return 0;
}

void sfs_lock_use_end(struct sfs_fs *fs, struct sfs_lock_use *use, u64 txn_nr)
{
	must(use->task == current);
	spin_lock(&fs->fake->lock);
	list_del(&use->head);
	spin_unlock(&fs->fake->lock);
}

u64 sfs_lock_tenure(const struct sfs_lock_use *use)
{
	must(use->mode == SFS_LOCK_WRITE);
	return 1;
}

void sfs_mount_on_unused(struct sfs_fs *fs,
			 void (*fn)(struct sfs_fs *fs, u64 ino))
{
}

int sfs_locks_opened(struct sfs_fs *fs, const struct sfs_lockset *set, u64 ino)
{
	return 0;
}

void sfs_locks_closed(struct sfs_fs *fs, u64 ino)
{
}

bool sfs_locks_open_elsewhere(struct sfs_fs *fs, const struct sfs_lockset *set,
			      u64 ino)
{
	return false;
}

/* ---- holds --------------------------------------------------------------------- */

int sfs_hold_begin(struct sfs_fs *fs, struct sfs_lockset *locks,
		   struct sfs_hold *hold, enum sfs_space_class class,
		   const struct sfs_need *need)
{
	struct fake_txn *ft = fs->fake;
	struct fake_vol *vol = ft->vol;

	shim_yield();
	if (vol->crashed)
		return -EIO;
	if (one_in(vol, vol->fail_hold_one_in)) {
		vol->nr_failed++;
		return -ENOSPC;
	}
	if (one_in(vol, vol->publish_one_in))
		sfs_publish(fs);
	down_read(&ft->holds);
	vol->nr_holds++;
	memset(hold, 0, sizeof(*hold));
	hold->locks = locks;
	hold->stamp = ft->seq;
	hold->txn_seq = ft->seq;
	hold->txn_nr = ft->nr;
	hold->left = *need;
	return 0;
}

void sfs_hold_end(struct sfs_fs *fs, struct sfs_hold *hold)
{
	fs->fake->dirty = true;
	up_read(&fs->fake->holds);
}

static void hold_use(struct sfs_hold *hold, u32 len)
{
	must(hold->left.items >= 1);
	must(hold->left.val_bytes >= len);
	hold->left.items--;
	hold->left.val_bytes -= len;
}

void sfs_item_put(struct sfs_fs *fs, struct sfs_hold *hold,
		  const struct sfs_key *key, const void *val, u32 len)
{
	const char *why = sfs_fs_item_check(key, val, len);
	struct fake_txn *ft = fs->fake;
	struct fitem *new;
	struct fitem *old;

	if (why)
		shim_fail("put " SFS_KEY_FMT ": %s", SFS_KEY_ARG(key), why);
	must(len <= SFS_MAX_VAL);
	hold_use(hold, len);
	sfs_locks_changed(hold->locks, key, hold->txn_nr);
	new = item_new(key, hold->stamp, val, len);
	spin_lock(&ft->lock);
	old = tree_put(&ft->items, new);
	spin_unlock(&ft->lock);
	must(!old || key->zone != SFS_ZONE_INDEX);
	kfree(old);
}

void sfs_item_del(struct sfs_fs *fs, struct sfs_hold *hold,
		  const struct sfs_key *key)
{
	struct fake_txn *ft = fs->fake;
	struct fitem *it;

	hold_use(hold, 0);
	sfs_locks_changed(hold->locks, key, hold->txn_nr);
	spin_lock(&ft->lock);
	it = tree_ge(&ft->items, key);
	if (it && sfs_key_equal(&it->key, key))
		rb_erase(&it->node, &ft->items);
	else
		it = NULL;
	spin_unlock(&ft->lock);
	must(it || key->zone != SFS_ZONE_INDEX);
	kfree(it);
}

int sfs_item_next(struct sfs_fs *fs, struct sfs_key *key,
		  const struct sfs_key *last, void *buf, u32 size)
{
	struct fake_txn *ft = fs->fake;
	struct fitem *it;
	int ret = -ENOENT;

	shim_yield();
	spin_lock(&ft->lock);
	it = tree_ge(&ft->items, key);
	if (it && sfs_key_cmp(&it->key, last) <= 0) {
		*key = it->key;
		ret = it->len <= size ? it->len : -ERANGE;
		if (ret > 0)
			memcpy(buf, it->val, it->len);
	}
	spin_unlock(&ft->lock);
	return ret;
}

int sfs_item_get(struct sfs_fs *fs, const struct sfs_key *key, void *buf,
		 u32 size)
{
	struct sfs_key first = *key;

	return sfs_item_next(fs, &first, key, buf, size);
}

/* ---- iterators -------------------------------------------------------------------- */

static void iter_init(struct sfs_fs *fs, struct sfs_iter *it,
		      const struct sfs_key *first, const struct sfs_key *last,
		      bool published)
{
	memset(it, 0, sizeof(*it));
	it->fs = fs;
	it->pos = *first;
	it->last = *last;
	it->published = published;
	shim_nofail_begin();
	it->val_buf = kmalloc(SFS_MAX_VAL, GFP_NOFS);
	shim_nofail_end();
	must(it->val_buf);
}

void sfs_item_iter_init(struct sfs_fs *fs, struct sfs_iter *it,
			const struct sfs_key *first,
			const struct sfs_key *last)
{
	iter_init(fs, it, first, last, false);
}

int sfs_index_iter_init(struct sfs_fs *fs, struct sfs_iter *it,
			const struct sfs_key *first,
			const struct sfs_key *last, u64 *ret_stable)
{
	int ret = sfs_publish(fs);

	if (ret < 0)
		return ret;
	iter_init(fs, it, first, last, true);
	*ret_stable = fs->fake->vol->stable;
	return 0;
}

int sfs_iter_next(struct sfs_iter *it)
{
	struct fake_txn *ft = it->fs->fake;
	struct fitem *item;
	int ret = 0;

	shim_yield();
	if (it->done)
		return 0;
	spin_lock(&ft->lock);
	item = tree_ge(it->published ? &ft->vol->items : &ft->items,
		       &it->pos);
	if (item && sfs_key_cmp(&item->key, &it->last) <= 0) {
		it->key = item->key;
		it->seq = item->seq;
		it->val_len = item->len;
		it->val = it->val_buf;
		memcpy(it->val_buf, item->val, item->len);
		it->pos = item->key;
		sfs_key_inc(&it->pos);
		ret = 1;
	}
	spin_unlock(&ft->lock);
	it->done = !ret;
	return ret;
}

void sfs_iter_exit(struct sfs_iter *it)
{
	kfree(it->val_buf);
	it->val_buf = NULL;
}

int sfs_txn_wait(struct sfs_fs *fs, u64 txn_nr)
{
	struct fake_txn *ft = fs->fake;

	if (ft->published_nr >= txn_nr)
		return 0;
	ft->vol->nr_waits++;
	return sfs_publish(fs);
}

u64 sfs_txn_current(struct sfs_fs *fs)
{
	return fs->fake->nr;
}

/* ---- data space --------------------------------------------------------------------- */

int sfs_data_reserve(struct sfs_fs *fs, u64 goal, u64 want, u64 *ret_start,
		     u64 *ret_count)
{
	struct fake_vol *vol = fs->fake->vol;
	u64 start = 0;
	u64 n = 0;
	u64 b;

	must(want);
	if (vol->max_extent)
		want = min_t(u64, want, 1 + fake_rand(vol) % vol->max_extent);
	if (goal >= DATA_FIRST && goal < vol->nr_blocks &&
	    vol->state[goal] == BLOCK_FREE)
		start = goal;
	for (b = DATA_FIRST; !start && b < vol->nr_blocks; b++) {
		if (vol->state[b] == BLOCK_FREE)
			start = b;
	}
	if (!start)
		return -ENOSPC;
	while (n < want && start + n < vol->nr_blocks &&
	       vol->state[start + n] == BLOCK_FREE)
		n++;
	blocks_set(vol, start, n, BLOCK_FREE, BLOCK_RESERVED);
	*ret_start = start;
	*ret_count = n;
	return 0;
}

void sfs_data_unreserve(struct sfs_fs *fs, u64 start, u64 count)
{
	blocks_set(fs->fake->vol, start, count, BLOCK_RESERVED, BLOCK_FREE);
}

void sfs_data_consume(struct sfs_fs *fs, struct sfs_hold *hold, u64 start,
		      u64 count)
{
	must(hold->left.extents-- >= 1);
	blocks_set(fs->fake->vol, start, count, BLOCK_RESERVED, BLOCK_USED);
}

void sfs_data_free(struct sfs_fs *fs, struct sfs_hold *hold, u64 start,
		   u64 count)
{
	must(hold->left.extents-- >= 1);
	blocks_set(fs->fake->vol, start, count, BLOCK_USED, BLOCK_FREED);
}

void sfs_data_dirty(struct sfs_fs *fs, struct sfs_hold *hold)
{
	fs->fake->data_dirty = true;
}

int sfs_ino_group(struct sfs_fs *fs, u64 *ret_first_ino)
{
	struct fake_vol *vol = fs->fake->vol;

	shim_yield();
	*ret_first_ino = vol->next_group;
	vol->next_group += SFS_GROUP_INOS;
	return 0;
}

/* ---- ports ---------------------------------------------------------------------------- */

void sfs_port_io_submit(struct sfs_host *host, struct sfs_io *io)
{
	struct fake_vol *vol = (void *)host;
	u64 block = io->offset / SFS_BLOCK_SIZE;
	u64 end = block + io->len / SFS_BLOCK_SIZE;
	u8 *dev = vol->data + io->offset;

	must(io->dev == SFS_DEV_DATA && io->len);
	must(io->offset % SFS_BLOCK_SIZE == 0 && io->len % SFS_BLOCK_SIZE == 0);
	must((unsigned long)io->buf % SFS_BLOCK_SIZE == 0);
	must(block >= DATA_FIRST && end <= vol->nr_blocks);
	shim_yield();
	io->err = 0;
	if (one_in(vol, vol->fail_io_one_in)) {
		vol->nr_failed++;
		io->err = -EIO;
	} else if (io->flags & SFS_IO_WRITE) {
		memcpy(dev, io->buf, io->len);
		for (; block < end; block++)
			vol->dirty[block] = 1;
	} else {
		memcpy(io->buf, dev, io->len);
	}
	io->done(io);
}

void *sfs_port_buf_alloc(__u32 len)
{
	must(len && len % SFS_BLOCK_SIZE == 0);
	return shim_pages_alloc(len);
}

void sfs_port_buf_free(void *buf, __u32 len)
{
	shim_pages_free(buf, len);
}

void sfs_port_wall_time(struct sfs_host *host, __s64 *ret_sec,
			__u32 *ret_nsec)
{
	struct fake_vol *vol = (void *)host;

	if (one_in(vol, 50))
		vol->clock_ns -= fake_rand(vol) % 5000000000ULL;
	else
		vol->clock_ns += fake_rand(vol) % 400000000;
	*ret_sec = vol->clock_ns / 1000000000;
	*ret_nsec = vol->clock_ns % 1000000000;
}

int sfs_port_killed(struct sfs_host *host)
{
	return 0;
}

void sfs_port_log(struct sfs_host *host, int level, const char *fmt, ...)
{
	struct fake_vol *vol = (void *)host;
	char line[256];
	va_list args;

	if (vol->quiet)
		return;
	va_start(args, fmt);
	vscnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	shim_printf("# log: %s\n", line);
}

/* ---- looking at it ------------------------------------------------------------------------ */

static struct rb_root *fake_items(struct fake_vol *vol, bool published)
{
	return published || !vol->fs ? &vol->items : &vol->fs->fake->items;
}

static void check_report(void *arg, const char *line)
{
	shim_printf("# check: %s\n", line);
}

u64 fake_check(struct fake_vol *vol, bool published)
{
	struct sfs_items_check *ck;
	struct rb_node *node;
	struct fitem *it;
	u64 errors;
	u64 used = 0;
	u64 b;
	u32 i;

	/* not in the middle of a hold */
	if (vol->fs)
		down_write(&vol->fs->fake->holds);
	shim_nofail_begin();
	ck = kmalloc(sizeof(*ck), GFP_NOFS);
	must(ck);
	sfs_items_check_init(ck, check_report, NULL);
	for (i = 0; i < sizeof(ck->hash_key); i++)
		ck->hash_key[i] = i * 7;
	ck->data_first = DATA_FIRST;
	ck->data_end = vol->nr_blocks;
	for (node = rb_first(fake_items(vol, published)); node;
	     node = rb_next(node)) {
		it = item_of(node);
		sfs_items_check_add(ck, &it->key, it->val, it->len);
	}
	must(!sfs_items_check_end(ck));
	errors = ck->errors;
	if (!published && vol->fs) {
		for (b = 0; b < vol->nr_blocks; b++)
			used += vol->state[b] == BLOCK_USED;
		if (used != ck->data_blocks) {
			shim_printf("# check: %llu blocks used, %llu named\n",
				    used, ck->data_blocks);
			errors++;
		}
	}
	sfs_items_check_exit(ck);
	kfree(ck);
	shim_nofail_end();
	if (vol->fs)
		up_write(&vol->fs->fake->holds);
	return errors;
}

void fake_dump(struct fake_vol *vol, bool published)
{
	struct rb_node *node;
	struct fitem *it;
	char line[512];

	for (node = rb_first(fake_items(vol, published)); node;
	     node = rb_next(node)) {
		it = item_of(node);
		sfs_fs_item_to_text(&it->key, it->val, it->len, line,
				    sizeof(line));
		shim_printf("# %s\n", line);
	}
}

u64 fake_count(struct fake_vol *vol, u8 zone)
{
	struct rb_node *node;
	u64 n = 0;

	for (node = rb_first(fake_items(vol, false)); node;
	     node = rb_next(node))
		n += item_of(node)->key.zone == zone;
	return n;
}

void sfs_locks_drain(struct sfs_fs *fs)
{
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filesystem floor: what the model does not know, one thing after the
 * other.  Indexes, versions, large files and their ends, deletion, positions,
 * times of access, decoders.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "fs/fs.h"
#include "mount/mount_types.h"
#include "shim/shim.h"
#include "tests/fs/fake_txn.h"
#include "tests/tap.h"

#define BLK SFS_BLOCK_SIZE

static struct fake_vol *vol;
static struct sfs_fs *fs;
static struct sfs_cred root = { .caps = ~0U };
static u8 *buf;

static void mount_vol(void)
{
	struct sfs_mount_opts opts = {
		.commit_interval_ms = 5000,
		.data_prealloc_blocks = 2048,
		.data_prealloc_contig_only = 1,
		.ino_alloc_per_lock = 1024,
		.orphan_scan_delay_ms = 100,
	};

	if (sfs_mount((void *)vol, NULL, &opts, &fs) < 0)
		bail_out("mount");
}

static void begin(void)
{
	vol = fake_vol_create(shim_seed(), 4096);
	mount_vol();
}

static void crash(void)
{
	fake_crash(vol);
	vol->quiet = true;
	sfs_unmount(fs);
	vol->quiet = false;
	fake_crash_data(vol);
	is_u64(fake_check(vol, true), 0, "a consistent volume after a crash");
	mount_vol();
}

static void end(void)
{
	is_u64(fake_check(vol, false), 0, "a consistent volume at the end");
	is_int(sfs_unmount(fs), 0, "unmount");
	fake_vol_destroy(vol);
}

static u64 create(u64 dir, const char *name, u32 mode)
{
	struct sfs_attr attr = {};
	int ret = sfs_create(fs, &root, dir, name, strlen(name), mode, 0,
			     &attr);

	if (ret < 0)
		bail_out("create %s: %d", name, ret);
	return attr.ino;
}

static struct sfs_attr stat_of(u64 ino)
{
	struct sfs_attr attr = {};
	int ret = sfs_getattr(fs, ino, &attr);

	if (ret < 0)
		bail_out("getattr %llu: %d", ino, ret);
	return attr;
}

static int unlink_name(u64 dir, const char *name, u64 ino)
{
	return sfs_unlink(fs, &root, dir, name, strlen(name), ino);
}

static int set_size(u64 ino, u64 size)
{
	struct sfs_setattr set = { .mask = SFS_SET_SIZE, .size = size };
	struct sfs_attr attr;

	return sfs_setattr(fs, &root, ino, &set, &attr);
}

static s64 write_byte(u64 ino, u64 off, u8 byte, u32 len)
{
	memset(buf, byte, len);
	return sfs_file_write(fs, ino, off, buf, len);
}

/* All bytes of a range are @byte. */
static bool reads(u64 ino, u64 off, u8 byte, u32 len)
{
	memset(buf, ~byte, len);
	return sfs_file_read(fs, ino, off, buf, len) == len &&
	       !memchr_inv(buf, byte, len);
}

static u32 nr_extents(u64 ino)
{
	struct sfs_extent ext = {};
	u64 block = 0;
	u32 n = 0;

	while (!sfs_extent_next(fs, ino, block, &ext)) {
		n++;
		block = sfs_ext_end(&ext);
	}
	return n;
}

/* ---- indexes ---------------------------------------------------------------- */

static const struct sfs_walk_entry walk_first;
static const struct sfs_walk_entry walk_last = { .major = U64_MAX,
						 .ino = U64_MAX };

static void test_walk(void)
{
	struct sfs_walk_entry e[8];
	struct sfs_walk_entry from;
	u64 a;
	u64 b;

	begin();
	is_int(sfs_walk_inodes(fs, 0, &walk_first, &walk_last, e, 8), 1,
	       "a new volume has one inode");
	ok(e[0].ino == 1 && e[0].major == 0, "the root, with stamp 0");
	is_int(sfs_walk_inodes(fs, 1, &walk_first, &walk_last, e, 8), 0,
	       "and no file");
	is_int(sfs_walk_inodes(fs, 2, &walk_first, &walk_last, e, 8), -EINVAL,
	       "there is no third index");
	is_int(sfs_walk_inodes(fs, 0, &walk_last, &walk_first, e, 8), 0,
	       "an empty range");
	is_int(sfs_walk_inodes(fs, 0, &walk_first, &walk_last, e, 0), 0,
	       "no room");
	a = create(1, "a", S_IFREG | 0644);
	sfs_sync(fs);
	b = create(1, "b", S_IFREG | 0644);
	is_int(sfs_walk_inodes(fs, 1, &walk_first, &walk_last, e, 8), 2,
	       "both files");
	ok(e[0].ino == a && e[1].ino == b, "in the order of change");
	from = e[0];
	from.ino++;
	is_int(sfs_walk_inodes(fs, 1, &from, &walk_last, e, 8), 1,
	       "going on behind the first");
	ok(e[0].ino == b, "gives the second");
	from = e[0];
	from.minor = 1;
	is_int(sfs_walk_inodes(fs, 1, &from, &walk_last, e, 8), 0,
	       "a minor means behind its major");
	write_byte(a, 0, 1, 10);
	is_int(sfs_walk_inodes(fs, 1, &walk_first, &walk_last, e, 8), 2,
	       "still one entry a file");
	ok(e[0].ino == b && e[1].ino == a, "that which changed is last");
	unlink_name(1, "a", a);
	shim_sleep_ns(1000000);
	is_int(sfs_walk_inodes(fs, 1, &walk_first, &walk_last, e, 8), 1,
	       "a deleted file is gone");
	end();
}

/* ---- sizes of items ------------------------------------------------------------ */

static void count_bytes(void *arg, const struct sfs_key *key, const void *val,
			u32 len)
{
	*(u32 *)arg += SFS_KEY_BYTES + len;
}

static void test_small(void)
{
	struct sfs_inode si = { .mode = S_IFREG | 0644, .nlink = 1 };
	u8 item[sizeof(struct sfs_inode_item)];
	u32 bytes = 0;

	si.meta_seq = si.data_seq = 123456;
	si.atime.sec = si.mtime.sec = si.ctime.sec = si.crtime.sec = 1700000000;
	bytes = sfs_inode_encode(&si, item);
	is_u64(bytes, SFS_INODE_ITEM_MIN, "an empty file's inode is small");
	/* keys of six items, three names of ten bytes */
	bytes += 6 * SFS_KEY_BYTES + 3 * 10 +
		 2 * sizeof(struct sfs_dirent_item) +
		 sizeof(struct sfs_backref_item);
	ok(bytes < 300, "an empty file has %u bytes of items", bytes);
	bytes = 0;
	is_int(sfs_fs_format_items(count_bytes, &bytes, 5, 6), 0,
	       "items of an empty volume");
	ok(bytes > 0, "there are some");
}

/* ---- versions ------------------------------------------------------------------- */

static void test_versions(void)
{
	struct sfs_attr attr;
	u64 f;

	begin();
	f = create(1, "f", S_IFREG | 0644);
	is_u64(stat_of(f).data_version, 0, "a new file has version 0");
	write_byte(f, 0, 1, 3 * BLK);
	is_u64(stat_of(f).data_version, 1, "the first write makes it 1");
	sfs_sync(fs);
	vol->nr_waits = 0;
	write_byte(f, 0, 2, BLK);
	is_u64(vol->nr_waits, 0, "a version nobody saw is not waited for");
	ok(stat_of(f).data_version > 1, "but steps");

	sfs_sync(fs);
	sfs_stat_more(fs, f, &attr);
	write_byte(f, 0, 3, BLK);
	is_u64(vol->nr_waits, 1, "one that was seen is");
	is_u64(stat_of(f).data_version, attr.data_version + 1,
	       "and steps once");
	write_byte(f, BLK, 3, BLK);
	write_byte(f, 0, 3, BLK);
	is_u64(vol->nr_waits, 1, "once, not for every write");

	sfs_sync(fs);
	sfs_stat_more(fs, f, &attr);
	vol->nr_waits = 0;
	write_byte(f, 3 * BLK, 4, 100);
	write_byte(f, 3 * BLK + 100, 5, 100);
	is_u64(vol->nr_waits, 0, "appending waits for nothing");
	ok(reads(f, 3 * BLK, 4, 100) && reads(f, 3 * BLK + 100, 5, 100),
	   "and is there");

	sfs_sync(fs);
	sfs_stat_more(fs, f, &attr);
	write_byte(f, 0, 9, BLK);
	crash();
	ok(stat_of(f).data_version > attr.data_version,
	   "after a crash, contents that changed have another version");
	vol->nr_waits = 0;
	write_byte(f, 0, 8, BLK);
	is_u64(vol->nr_waits, 1, "after a mount all count as seen");
	end();
}

/* ---- ends of files ---------------------------------------------------------------- */

static void test_tail(void)
{
	u64 f;

	begin();
	f = create(1, "f", S_IFREG | 0644);
	write_byte(f, 0, 7, 2 * BLK);
	sfs_sync(fs);
	is_int(set_size(f, 100), 0, "shorter");
	is_int(set_size(f, 2 * BLK), 0, "longer again");
	ok(reads(f, 0, 7, 100), "what was kept is there");
	ok(reads(f, 100, 0, 2 * BLK - 100), "what was cut off is not");
	crash();
	is_u64(stat_of(f).size, 100, "zeroing waited for the shrinking");
	is_int(set_size(f, 50), 0, "shorter");
	is_int(write_byte(f, 5000, 6, 10), 10, "a write behind the end");
	ok(reads(f, 50, 0, 4950), "zeroes before it");
	ok(reads(f, 5000, 6, 10), "and what was written");
	is_u64(stat_of(f).size, 5010, "the new size");
	is_int(set_size(f, 1ULL << 62), 0, "as long as can be");
	is_int(write_byte(f, SFS_MAX_FILE_SIZE - 5, 6, 10), 5, "up to the end");
	is_int(write_byte(f, SFS_MAX_FILE_SIZE, 6, 10), -EFBIG, "not behind");
	is_u64(stat_of(f).size, SFS_MAX_FILE_SIZE, "the largest size");
	is_int(set_size(f, SFS_MAX_FILE_SIZE + 1), -EFBIG, "no larger one");
	end();
}

/* A file of @nr blocks with holes between: as many extents. */
static u64 holey(const char *name, u32 nr)
{
	u64 f = create(1, name, S_IFREG | 0644);
	u32 i;

	for (i = 0; i < nr; i++)
		write_byte(f, (u64)i * 2 * BLK, 1 + i % 200, BLK);
	return f;
}

static void test_large_truncate(void)
{
	u64 f;

	begin();
	f = holey("f", 500);
	is_u64(nr_extents(f), 500, "many extents");
	is_u64(stat_of(f).online_blocks, 500, "all online");
	sfs_sync(fs);
	is_int(set_size(f, 3 * BLK), 0, "cut off");
	is_u64(nr_extents(f), 2, "two are left");
	is_u64(stat_of(f).online_blocks, 2, "and counted");
	crash();
	is_u64(stat_of(f).online_blocks, 500, "a crash undoes all of it");

	/* die in the middle: the size is durable, some of the rest */
	vol->publish_one_in = 2;
	set_size(f, 3 * BLK);
	vol->publish_one_in = 0;
	fake_crash(vol);
	sfs_unmount(fs);
	fake_crash_data(vol);
	is_u64(fake_check(vol, true), 0, "consistent in the middle");
	mount_vol();
	is_u64(stat_of(f).size, 3 * BLK, "the size is the new one");
	is_int(set_size(f, 100 * BLK), 0, "longer again");
	ok(reads(f, 3 * BLK, 0, 60 * BLK), "nothing old in it");
	is_u64(nr_extents(f), 2, "nothing left");
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "no work, either");
	end();
}

/* A truncation is left to the worker when holds fail. */
static void test_unfinished(void)
{
	u64 f;
	u64 g;

	begin();
	f = holey("f", 300);
	g = holey("g", 300);
	sfs_sync(fs);
	shim_alloc_fail_nth(0);
	vol->fail_hold_one_in = 3;
	while (set_size(f, 5) < 0)
		;
	while (set_size(g, 5) < 0)
		;
	vol->fail_hold_one_in = 0;
	is_u64(stat_of(f).size, 5, "the size changed");
	shim_sleep_ns(300000000);
	is_u64(nr_extents(f), 1, "the worker did the rest");
	is_u64(nr_extents(g), 1, "of both");
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "no work is left");
	end();
}

/* ---- deletion ------------------------------------------------------------------------ */

static void test_delete(void)
{
	struct sfs_attr attr;
	u64 f;
	u64 d;

	begin();
	f = holey("f", 300);
	memset(buf, 'v', 65535);
	is_int(sfs_setxattr(fs, &root, f, "user.x", buf, 65535, 0), 0,
	       "with a long attribute");
	is_int(sfs_inode_open(fs, f, &attr), 0, "open");
	is_u64(attr.ino, f, "and its attributes");
	is_int(sfs_inode_open(fs, f, NULL), 0, "twice");
	is_int(unlink_name(1, "f", f), 0, "unlink");
	shim_sleep_ns(300000000);
	is_u64(stat_of(f).nlink, 0, "no name");
	ok(reads(f, 2 * BLK, 2, BLK), "but readable");
	is_int(write_byte(f, 0, 9, 10), 10, "and writable");
	sfs_inode_close(fs, f);
	shim_sleep_ns(1000000);
	is_int(sfs_getattr(fs, f, &attr), 0, "still open once");
	is_int(sfs_link(fs, &root, f, 1, "g", 1, &attr), -ENOENT,
	       "a new name is not possible");
	is_u64(fake_count(vol, SFS_ZONE_WORK), 1, "it is an orphan");
	sfs_inode_close(fs, f);
	shim_sleep_ns(1000000);
	is_int(sfs_getattr(fs, f, &attr), -ENOENT, "gone with the last close");
	is_int(sfs_inode_open(fs, f, NULL), -ENOENT, "not to be opened");
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "no orphan");
	is_u64(fake_count(vol, SFS_ZONE_FS), 1, "nothing but the root");

	f = holey("f", 300);
	d = create(1, "d", S_IFDIR | 0755);
	sfs_inode_open(fs, f, NULL);
	sfs_inode_open(fs, d, NULL);
	unlink_name(1, "f", f);
	sfs_rmdir(fs, &root, 1, "d", 1, d);
	is_int(sfs_create(fs, &root, d, "x", 1, S_IFREG, 0, &attr), -ENOENT,
	       "nothing can be made in a directory that was removed");
	is_int(sfs_readdir(fs, &root, d, 0, buf, 4096), -ENOENT,
	       "nor read there");
	sfs_sync(fs);
	fake_crash(vol);
	sfs_inode_close(fs, f);
	sfs_inode_close(fs, d);
	vol->quiet = true;
	sfs_unmount(fs);
	vol->quiet = false;
	fake_crash_data(vol);
	mount_vol();
	is_u64(fake_count(vol, SFS_ZONE_WORK), 2, "orphans after a crash");
	shim_sleep_ns(300000000);
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "are deleted");
	is_u64(fake_count(vol, SFS_ZONE_FS), 1, "with everything");
	end();
}

/*
 * What nobody uses and has nothing but its item goes with its last name: no
 * orphan in between, which only a transaction of its own could show.
 */
static void test_delete_bare(void)
{
	struct sfs_attr attr = {};
	u64 holds;
	u64 f;

	begin();
	vol->publish_one_in = 1;
	f = create(1, "f", S_IFREG | 0644);
	holds = vol->nr_holds;
	is_int(unlink_name(1, "f", f), 0, "unlink of what nobody has open");
	is_u64(vol->nr_holds, holds + 1, "in one hold");
	is_int(sfs_getattr(fs, f, &attr), -ENOENT, "it is gone");
	is_u64(fake_count(vol, SFS_ZONE_FS), 1, "nothing but the root");
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "no orphan");

	f = create(1, "f", S_IFREG | 0644);
	sfs_inode_open(fs, f, NULL);
	is_int(sfs_unlink_unused(fs, &root, 1, "f", 1, f, 1, &attr), 0,
	       "unlink with the only open of its own");
	ok(attr.ino == f && attr.nlink == 0, "and its attributes");
	is_int(sfs_getattr(fs, f, &attr), -ENOENT, "it is gone");
	is_int(sfs_inode_open(fs, f, NULL), -ENOENT, "not to be opened");
	sfs_inode_close(fs, f);
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "no orphan");

	f = create(1, "f", S_IFREG | 0644);
	sfs_link(fs, &root, f, 1, "g", 1, &attr);
	sfs_inode_open(fs, f, NULL);
	is_int(sfs_unlink_unused(fs, &root, 1, "f", 1, f, 1, &attr), 0,
	       "unlink of the last name but one");
	is_u64(attr.nlink, 1, "leaves the other");
	is_u64(stat_of(f).nlink, 1, "and the inode");
	sfs_inode_open(fs, f, NULL);
	is_int(sfs_unlink_unused(fs, &root, 1, "g", 1, f, 1, &attr), 0,
	       "unlink while another has it open");
	is_u64(stat_of(f).nlink, 0, "keeps it");
	is_u64(fake_count(vol, SFS_ZONE_WORK), 1, "as an orphan");
	sfs_inode_close(fs, f);
	is_int(write_byte(f, 0, 1, 10), 10, "which can be written");
	sfs_inode_close(fs, f);
	shim_sleep_ns(100000000);
	is_u64(fake_count(vol, SFS_ZONE_FS), 1, "until the last close");

	f = create(1, "f", S_IFREG | 0644);
	vol->fail_hold_one_in = 1;
	is_int(unlink_name(1, "f", f), -ENOSPC, "no room");
	vol->fail_hold_one_in = 0;
	is_int(sfs_inode_open(fs, f, NULL), 0, "it is there as before");
	sfs_inode_close(fs, f);
	is_int(unlink_name(1, "f", f), 0, "unlink");
	end();
}

/* An open that comes while the last name goes finds all of it or nothing. */
struct opener {
	u64 ino;
	int ret;
	bool done;
};

static void open_meanwhile(void *arg)
{
	struct opener *o = arg;

	o->ret = sfs_inode_open(fs, o->ino, NULL);
	o->done = true;
}

static void test_delete_bare_race(void)
{
	struct sfs_ivol *v;
	struct opener o = {};
	struct shim_task *task;

	begin();
	o.ino = create(1, "f", S_IFREG | 0644);
	is_int(sfs_ivol_get(fs, o.ino, &v), 0, "an unlink");
	ok(sfs_ivol_claim(fs, v, SFS_BUSY_UNLINKING, 0), "that is under way");
	task = shim_go("opener", open_meanwhile, &o);
	shim_sleep_ns(1000000);
	ok(!o.done, "keeps an open waiting");
	sfs_ivol_unclaim(fs, v, false);
	shim_sleep_ns(1000000);
	ok(o.done, "until it has");
	shim_join(task);
	is_int(o.ret, 0, "failed");
	sfs_inode_close(fs, o.ino);
	sfs_ivol_put(fs, v);
	end();
}

/* More at once than the worker's list holds. */
static void test_delete_many(void)
{
	char name[16];
	u64 *inos = kmalloc_array(1500, sizeof(*inos), GFP_NOFS);
	u32 i;

	begin();
	for (i = 0; i < 1500; i++) {
		scnprintf(name, sizeof(name), "f%u", i);
		inos[i] = create(1, name, S_IFREG | 0600);
		sfs_inode_open(fs, inos[i], NULL);
	}
	for (i = 0; i < 1500; i++) {
		scnprintf(name, sizeof(name), "f%u", i);
		unlink_name(1, name, inos[i]);
	}
	shim_sleep_ns(1000000000);
	is_u64(fake_count(vol, SFS_ZONE_WORK), 1500, "all are orphans");
	for (i = 0; i < 1500; i++)
		sfs_inode_close(fs, inos[i]);
	shim_sleep_ns(1000000000);
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "none is forgotten");
	is_u64(stat_of(1).size, 0, "the directory is empty");
	kfree(inos);
	end();
}

/* ---- directories ----------------------------------------------------------------------- */

static void test_readdir(void)
{
	const struct sfs_dirent *d = (void *)buf;
	char name[16];
	u64 pos = 0;
	u64 inos[20];
	u32 n = 0;
	u32 i;
	int ret;

	begin();
	for (i = 0; i < 20; i++) {
		scnprintf(name, sizeof(name), "n%02u", i);
		inos[i] = create(1, name, S_IFREG | 0644);
	}
	is_int(sfs_readdir(fs, &root, 1, 0, buf, 10), -EINVAL,
	       "no room for one");
	/* one at a time, removing and making others on the way */
	while ((ret = sfs_readdir(fs, &root, 1, pos, buf, 40)) > 0) {
		if (n == 0)
			ok(d->pos == 0 && d->ino == 1 && d->name_len == 1,
			   "first itself");
		else if (n == 1)
			ok(d->pos == 1 && d->ino == 1 && d->name_len == 2,
			   "then its parent");
		else if (d->ino != inos[n - 2])
			break;
		pos = d->next_pos;
		if (n == 7) {
			unlink_name(1, "n00", inos[0]);
			unlink_name(1, "n05", inos[5]);
		}
		n++;
	}
	is_int(ret, 0, "read to the end");
	is_u64(n, 22, "each entry once, in order");
	is_u64(stat_of(1).size, 18 * 3, "size is the sum of the names");
	create(1, "late", S_IFREG | 0644);
	is_int(sfs_readdir(fs, &root, 1, pos, buf, 4096), 40,
	       "a new one is behind all others");
	end();
}

/* Names by directory: what connects an inode that was reached by its number. */
static void test_name_in_dir(void)
{
	struct sfs_attr attr;
	char name[SFS_NAME_MAX + 1];
	char longest[SFS_NAME_MAX + 1];
	u64 dir;
	u64 sub;
	u64 f;

	begin();
	memset(longest, 'n', SFS_NAME_MAX);
	dir = create(1, "dir", S_IFDIR | 0755);
	sub = create(dir, "sub", S_IFDIR | 0755);
	f = create(sub, "f", S_IFREG | 0644);
	is_int(sfs_link(fs, &root, f, dir, longest, SFS_NAME_MAX, &attr), 0,
	       "second name");
	memset(name, 'x', sizeof(name));
	ok(sfs_name_in_dir(fs, f, sub, name) == 1 && name[0] == 'f' &&
	   name[1] == 'x', "name in a directory");
	ok(sfs_name_in_dir(fs, f, dir, name) == SFS_NAME_MAX &&
	   !memcmp(name, longest, SFS_NAME_MAX) && name[SFS_NAME_MAX] == 'x',
	   "longest name in another one");
	ok(sfs_name_in_dir(fs, sub, dir, name) == 3 &&
	   !memcmp(name, "sub", 3), "name of a directory");
	is_int(sfs_name_in_dir(fs, f, 1, name), -ENOENT, "not in the root");
	is_int(sfs_name_in_dir(fs, f, U64_MAX, name), -ENOENT, "nor there");
	is_int(sfs_name_in_dir(fs, f, f, name), -ENOENT, "no directory");
	is_int(sfs_name_in_dir(fs, 1, 1, name), -ENOENT,
	       "the root has no name");
	is_int(sfs_name_in_dir(fs, 9999999, 1, name), -ENOENT, "no inode");
	end();
}

static void test_inos(void)
{
	struct sfs_attr attr;
	char name[16];
	u64 group = 0;
	u64 d;
	u64 f;
	u32 i;
	u32 same = 0;

	begin();
	d = create(1, "d", S_IFDIR | 0755);
	for (i = 0; i < 40; i++) {
		scnprintf(name, sizeof(name), "f%u", i);
		f = create(d, name, S_IFREG | 0644);
		group = group ? group : f / 1024;
		same += f / 1024 == group;
		create(1, name, S_IFREG | 0644);
	}
	is_u64(same, 40, "files of a directory come from one group");
	ok(d / 1024 != group, "directories from another");
	for (i = 0, group = 0; i < 40; i++) {
		scnprintf(name, sizeof(name), "d%u", i);
		f = create(d, name, S_IFDIR | 0755);
		if (f / 1024 != group)
			same++;
		group = f / 1024;
	}
	is_u64(same, 43, "sixteen directories a group");
	is_u64(stat_of(d).nlink, 42, "links of a directory");
	is_int(sfs_lookup(fs, &root, d, "..", 2, &attr), 0, "up");
	is_u64(attr.ino, 1, "is the root");
	end();
}

/* ---- times --------------------------------------------------------------------------- */

static void test_atime(void)
{
	struct sfs_setattr set = { .mask = SFS_SET_ATIME };
	struct sfs_time was;
	struct sfs_time t;
	struct sfs_attr attr;
	u64 f;

	begin();
	f = create(1, "f", S_IFREG | 0644);
	was = stat_of(f).atime;
	vol->clock_ns += 10000000000LL;
	sfs_touch_atime(fs, f);
	t = stat_of(f).atime;
	ok(sfs_time_cmp(&t, &was) > 0, "the first read after a change counts");
	vol->clock_ns += 10000000000LL;
	sfs_touch_atime(fs, f);
	was = stat_of(f).atime;
	ok(!sfs_time_cmp(&t, &was), "the next one does not");
	vol->clock_ns += 100000LL * 1000000000;
	sfs_touch_atime(fs, f);
	was = stat_of(f).atime;
	ok(sfs_time_cmp(&t, &was) < 0, "but a day later it does");
	set.atime.sec = 5;
	is_int(sfs_setattr(fs, &root, f, &set, &attr), 0, "set");
	is_int(attr.atime.sec, 5, "what was set holds");
	sfs_sync(fs);
	vol->clock_ns += 10000000000LL;
	sfs_touch_atime(fs, f);
	crash();
	is_int(stat_of(f).atime.sec, 5, "not stored for itself");
	sfs_touch_atime(fs, f);
	t = stat_of(f).atime;
	is_int(sfs_link(fs, &root, f, 1, "g", 1, &attr), 0, "but with another");
	sfs_sync(fs);
	crash();
	was = stat_of(f).atime;
	ok(!sfs_time_cmp(&t, &was), "change");
	end();
}

/* ---- allocation ------------------------------------------------------------------------ */

static void test_prealloc(void)
{
	struct sfs_extent ext;
	u64 f;
	u64 g;
	u32 i;

	begin();
	f = create(1, "f", S_IFREG | 0644);
	g = create(1, "g", S_IFREG | 0644);
	for (i = 0; i < 256; i++) {
		write_byte(f, i * BLK, 1, BLK);
		write_byte(g, i * BLK, 2, BLK);
	}
	ok(nr_extents(f) < 14, "files written side by side have few extents (%u)",
	   nr_extents(f));
	is_u64(stat_of(f).blocks, 256 * 8, "what is ahead is not counted");
	is_int(sfs_map_read(fs, f, 256, &ext), 0, "look behind the end");
	is_int(set_size(f, 256 * BLK), 0, "the same size");
	is_int(sfs_map_read(fs, f, 256, &ext), 0, "look again");
	is_u64(ext.phys, 0, "nothing is ahead any more");
	ok(reads(f, 0, 1, 256 * BLK), "contents of one");
	ok(reads(g, 0, 2, 256 * BLK), "and the other");
	end();
}

/* What is set at run time holds from the next write on. */
static void test_set_opts(void)
{
	struct sfs_mount_opts opts = {
		.commit_interval_ms = 5000,
		.data_prealloc_blocks = 1,
		.data_prealloc_contig_only = 1,
		.ino_alloc_per_lock = 1024,
		.orphan_scan_delay_ms = 100,
	};
	u64 f;
	u64 g;
	u32 i;

	begin();
	sfs_set_mount_opts(fs, &opts);
	f = create(1, "f", S_IFREG | 0644);
	g = create(1, "g", S_IFREG | 0644);
	for (i = 0; i < 64; i++) {
		write_byte(f, i * BLK, 1, BLK);
		write_byte(g, i * BLK, 2, BLK);
	}
	ok(nr_extents(f) > 60, "nothing is ahead: %u extents", nr_extents(f));
	end();
}

static void test_full(void)
{
	s64 ret = 0;
	u64 off = 0;
	u64 f;

	begin();
	f = create(1, "f", S_IFREG | 0644);
	while ((ret = write_byte(f, off, 3, 1 << 20)) > 0)
		off += ret;
	is_int(ret, -ENOSPC, "the device is full");
	is_u64(stat_of(f).size, off, "the size is what was written");
	is_u64(off, (4096 - 64) * BLK, "every block is used");
	is_int(unlink_name(1, "f", f), 0, "deleting is possible");
	shim_sleep_ns(1000000);
	sfs_sync(fs);
	f = create(1, "g", S_IFREG | 0644);
	is_int(write_byte(f, 0, 3, 1 << 20), 1 << 20, "there is room again");
	end();
}

/* ---- decoders --------------------------------------------------------------------------- */

struct sample {
	struct sfs_key key;
	u32 len;
	u8 val[600];
};

/* A valid item of some type. */
static void sample_make(struct sample *s, u64 r)
{
	struct sfs_inode si = { .mode = S_IFREG | 0644, .nlink = 1,
				.size = r >> 40, .project = r >> 60 };
	struct sfs_extent ext = { .count = 3, .phys = 100 };
	u8 name[] = "some name";

	memset(s, 0, sizeof(*s));
	s->key = SFS_KEY(SFS_ZONE_FS, 5, 0, 5, 5, 0);
	switch (r % 8) {
	case 0:
		s->key = sfs_inode_key(5);
		s->len = sfs_inode_encode(&si, s->val);
		return;
	case 1:
		s->key = sfs_extent_key(5, 9);
		sfs_extent_encode(&ext, s->val);
		s->len = sizeof(struct sfs_extent_item);
		return;
	case 2:
		s->key = sfs_work_key(5, SFS_WORK_TRUNCATE);
		s->len = sizeof(struct sfs_truncate_item);
		return;
	case 3:
		s->key = sfs_index_key(SFS_INDEX_META_SEQ, 5, 5);
		return;
	case 4:
		s->key.type = SFS_FS_XATTR;
		s->len = 4 + sizeof(name) - 1 + 3;
		s->val[0] = 3;
		s->val[2] = sizeof(name) - 1;
		memcpy(s->val + 4, name, sizeof(name) - 1);
		return;
	case 5:
		s->key.type = SFS_FS_BACKREF;
		s->len = sizeof(name);
		s->val[0] = SFS_DT_REG;
		memcpy(s->val + 1, name, sizeof(name) - 1);
		return;
	case 6:
		s->key = SFS_KEY(SFS_ZONE_FS, 5, SFS_FS_SYMLINK, 1, 0, 0);
		s->len = sizeof(name) - 1;
		memcpy(s->val, name, sizeof(name) - 1);
		return;
	}
	s->key.type = SFS_FS_DIRENT;
	s->len = 9 + sizeof(name) - 1;
	s->val[0] = 77;
	s->val[8] = SFS_DT_REG;
	memcpy(s->val + 9, name, sizeof(name) - 1);
}

/* Whatever the bytes are: no crash, and what is accepted can be printed. */
static void test_decoders(void)
{
	struct sample *s = kmalloc(sizeof(*s), GFP_NOFS);
	shim_u64 rng = shim_seed();
	char text[700];
	u32 good = 0;
	u8 *exact;
	u32 i;
	u32 n;

	for (i = 0; i < 16; i++) {
		sample_make(s, i);
		if (sfs_fs_item_check(&s->key, s->val, s->len))
			fail("sample %u: %s", i,
			     sfs_fs_item_check(&s->key, s->val, s->len));
	}
	for (i = 0; i < 20000; i++) {
		sample_make(s, shim_rand_next(&rng));
		if (i % 3 == 0)
			s->len = shim_rand_next(&rng) % 300;
		if (i % 5 == 0)
			s->key.type = shim_rand_next(&rng) % 40;
		for (n = shim_rand_next(&rng) % 4; n; n--)
			s->val[shim_rand_next(&rng) % (s->len + 1)] =
				shim_rand_next(&rng);
		/* of its very length, so that ASan sees reads behind it */
		exact = kmalloc(s->len ? s->len : 1, GFP_NOFS);
		memcpy(exact, s->val, s->len);
		good += !sfs_fs_item_check(&s->key, exact, s->len);
		n = sfs_fs_item_to_text(&s->key, exact, s->len, text,
					sizeof(text));
		if (n != strlen(text))
			fail("a text of %u bytes", n);
		kfree(exact);
	}
	ok(good > 1000 && good < 15000, "%u of 20000 mutations are valid",
	   good);
	kfree(s);
}

/* ---- names with equal hashes ------------------------------------------------------------- */

static void put_item(const struct sfs_key *key, const void *val, u32 len)
{
	struct sfs_need need = { .items = 1, .val_bytes = len };
	struct sfs_hold hold;

	if (sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need) < 0)
		bail_out("hold");
	sfs_item_put(fs, &hold, key, val, len);
	sfs_hold_end(fs, &hold);
}

/* They can not be found, so they are made by hand. */
static void test_collisions(void)
{
	u64 hash = sfs_name_hash(&fs->inodes->name_key, "f", 1);
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, 1, SFS_FS_DIRENT, hash, 2,
				     0);
	u8 other[] = { 77, 0, 0, 0, 0, 0, 0, 0, SFS_DT_REG, 'z', 'z' };
	u8 xattr[] = { 1, 0, 6, 0, 'u', 's', 'e', 'r', '.', 'z', '!' };
	struct sfs_setattr set = { .mask = SFS_SET_MTIME_NOW };
	struct sfs_attr attr = {};
	u64 f;

	/* positions 2 and 4 have another name with the same hash */
	put_item(&key, other, sizeof(other));
	create(1, "x", S_IFREG);
	is_int(sfs_lookup(fs, &root, 1, "f", 1, &attr), -ENOENT,
	       "another name with that hash is not it");
	f = create(1, "f", S_IFREG | 0644);
	key.f3 = 4;
	put_item(&key, other, sizeof(other));
	is_int(sfs_lookup(fs, &root, 1, "f", 1, &attr), 0, "found between");
	is_u64(attr.ino, f, "the right one");
	is_int(unlink_name(1, "f", f), 0, "removed");
	is_int(sfs_lookup(fs, &root, 1, "f", 1, &attr), -ENOENT,
	       "the others are not it");

	f = create(1, "g", S_IFREG | 0644);
	hash = sfs_name_hash(&fs->inodes->name_key, "user.a", 6);
	is_int(sfs_setxattr(fs, &root, f, "user.a", "vv", 2, 0), 0, "an xattr");
	key = SFS_KEY(SFS_ZONE_FS, f, SFS_FS_XATTR, hash, 0, 0);
	put_item(&key, xattr, sizeof(xattr));
	is_int(sfs_getxattr(fs, &root, f, "user.a", buf, 10), -ENODATA,
	       "another one with that hash is not it");
	is_int(sfs_setxattr(fs, &root, f, "user.a", "vv", 2, 0), 0,
	       "beside it");
	is_int(sfs_getxattr(fs, &root, f, "user.a", buf, 10), 2, "found");
	is_int(sfs_setxattr(fs, &root, f, "user.a", "www", 3,
			    SFS_XATTR_REPLACE), 0, "replaced");
	is_int(sfs_listxattr(fs, &root, f, (char *)buf, 100), 14,
	       "both are listed");
	is_int(sfs_setattr(fs, &root, f, &set, &attr), 0, "nothing else minds");
}

/* ---- memory ---------------------------------------------------------------------------- */

/* Each allocation of an operation fails in turn; then it works. */
#define each_alloc(expr, what)						\
	do {								\
		u32 nth = 0;						\
		int r;							\
									\
		do {							\
			shim_alloc_fail_nth(++nth);			\
			r = (expr);					\
			shim_alloc_fail_nth(0);				\
		} while (r == -ENOMEM && nth < 50);			\
		ok(r >= 0, "%s: %d, after %u failures", what, r,	\
		   nth - 1);						\
	} while (0)

static void test_memory(void)
{
	struct sfs_attr attr = {};
	u64 dir_ino;
	u64 pos;
	u64 f;

	begin();
	each_alloc(sfs_create(fs, &root, 1, "f", 1, S_IFREG | 0644, 0, &attr),
		   "create");
	f = attr.ino;
	each_alloc(write_byte(f, 100, 5, 3 * BLK), "write");
	each_alloc(write_byte(f, 3, 5, 3 * BLK), "overwrite");
	each_alloc(set_size(f, 5), "truncate");
	each_alloc(set_size(f, BLK), "extend");
	each_alloc(sfs_file_read(fs, f, 0, buf, 100), "read");
	each_alloc(sfs_setxattr(fs, &root, f, "user.a", buf, 9000, 0),
		   "setxattr");
	each_alloc(sfs_getxattr(fs, &root, f, "user.a", buf, 9000),
		   "getxattr");
	each_alloc(sfs_listxattr(fs, &root, f, (char *)buf, 100), "listxattr");
	each_alloc(sfs_link(fs, &root, f, 1, "g", 1, &attr), "link");
	each_alloc(sfs_rename(fs, &root, 1, "f", 1, f, 1, "h", 1, 0, 0),
		   "rename");
	each_alloc(sfs_ino_path(fs, f, 0, 0, (char *)buf, 100, &dir_ino, &pos),
		   "ino_path");
	each_alloc(sfs_name_in_dir(fs, f, 1, (char *)buf), "name_in_dir");
	each_alloc(sfs_readdir(fs, &root, 1, 0, buf, 4096), "readdir");
	each_alloc(sfs_inode_open(fs, f, NULL), "open");
	each_alloc(unlink_name(1, "g", f), "unlink");
	each_alloc(unlink_name(1, "h", f), "unlink");
	/* the worker, too, fails and comes back */
	shim_alloc_fail_from(1);
	sfs_inode_close(fs, f);
	shim_sleep_ns(50000000);
	shim_alloc_fail_nth(0);
	is_u64(fake_count(vol, SFS_ZONE_WORK), 1, "not deleted yet");
	shim_sleep_ns(500000000);
	is_u64(fake_count(vol, SFS_ZONE_WORK), 0, "but then");
	end();
}

/* A damaged item is an error of the operation that reads it, not a crash. */
static void test_damage(void)
{
	struct sfs_need need = { .items = 1, .val_bytes = 200 };
	struct sfs_inode si = { .mode = S_IFREG, .nlink = 1 };
	struct sfs_attr attr;
	struct sfs_hold hold;
	struct sfs_key key;
	u8 item[144];
	u64 f;

	begin();
	f = create(1, "f", S_IFREG | 0644);
	/* an entry whose inode is missing */
	key = sfs_inode_key(f);
	sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need);
	sfs_item_del(fs, &hold, &key);
	sfs_hold_end(fs, &hold);
	vol->quiet = true;
	is_int(sfs_lookup(fs, &root, 1, "f", 1, &attr), -ENOENT, "lookup");
	is_int(unlink_name(1, "f", f), -EIO, "unlink");
	ok(fake_check(vol, false) > 0, "the checker finds it");
	si.meta_seq = si.data_seq = vol->next_seq;
	sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need);
	sfs_item_put(fs, &hold, &key, item, sfs_inode_encode(&si, item));
	sfs_hold_end(fs, &hold);
	ok(fake_check(vol, false) > 0, "and an inode without index entries");
	sfs_unmount(fs);
	fake_vol_destroy(vol);
}

int shim_main(int argc, char **argv)
{
	plan(0);
	buf = shim_pages_alloc(2 << 20);
	test_walk();
	test_small();
	test_versions();
	test_tail();
	test_large_truncate();
	test_unfinished();
	test_delete();
	test_delete_bare();
	test_delete_bare_race();
	test_delete_many();
	test_readdir();
	test_name_in_dir();
	test_inos();
	test_atime();
	test_prealloc();
	test_set_opts();
	test_full();
	test_decoders();
	test_damage();
	begin();
	test_collisions();
	sfs_unmount(fs);
	fake_vol_destroy(vol);
	test_memory();
	shim_pages_free(buf, 2 << 20);
	return done_testing();
}

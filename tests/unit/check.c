/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The check of a volume: silent about whole ones, also after a power cut; it
 * finds every flipped bit in what is live, takes any contents behind a right
 * checksum without harm, and names each logical damage once.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "api.h"
#include "base/block.h"
#include "engine/root.h"
#include "engine/store.h"
#include "fs/fs.h"
#include "server/format.h"
#include "server/load.h"
#include "server/srv_format.h"
#include "server/srv_items.h"
#include "shim/shim.h"
#include "sim/host.h"
#include "tests/tap.h"

#define DEV_BYTES SFS_MIN_DEV_BYTES
#define ROOT 1
#define NR_DIRS 4
#define NR_FILES 90
#define MAX_LINES 8

static const struct sfs_cred root = { .caps = ~0u };

struct volume {
	struct sim_disk *disk[2];
	struct sfs_host *host;
	struct sfs_hub *hub;
	struct sfs_server *srv;
	struct sfs_fs *fs;
};

/* What a check said. */
struct findings {
	u32 lines;
	u32 notes;
	u32 of_runs;
	struct sfs_check_result res;
	int ret;
	char line[MAX_LINES][200];
};

/* ---- volumes ------------------------------------------------------------------ */

/* takes over both images; NULL: empty disks */
static void plug(struct volume *v, struct sim_image *meta,
		 struct sim_image *data)
{
	memset(v, 0, sizeof(*v));
	if (!meta)
		meta = sim_image_create(DEV_BYTES);
	if (!data)
		data = sim_image_create(DEV_BYTES);
	v->disk[0] = sim_disk_from(meta, NULL);
	v->disk[1] = sim_disk_from(data, NULL);
	v->host = sim_host_create(v->disk[0], v->disk[1], shim_rand());
}

static void unplug(struct volume *v)
{
	sim_host_destroy(v->host);
	sim_disk_destroy(v->disk[0]);
	sim_disk_destroy(v->disk[1]);
}

/* The same contents on other disks. */
static void copy(struct volume *to, const struct volume *from)
{
	plug(to, sim_image_clone(sim_disk_contents(from->disk[0])),
	     sim_image_clone(sim_disk_contents(from->disk[1])));
}

static void mount(struct volume *v)
{
	struct sfs_mount_opts opts;
	int ret;

	sfs_mount_opts_default(&opts);
	ret = sfs_hub_create(v->host, &v->hub) ?:
	      sfs_server_start(v->host, v->hub, &v->srv) ?:
	      sfs_mount(v->host, v->hub, &opts, &v->fs);
	if (ret < 0)
		bail_out("mount: %d", ret);
}

static int unmount(struct volume *v)
{
	int ret = sfs_unmount(v->fs);

	sfs_server_stop(v->srv);
	sfs_hub_destroy(v->hub);
	return ret;
}

static void format(struct volume *v)
{
	struct sfs_format_opts opts = { .interface_version = 2 };
	struct sfs_volume_id id;
	int ret;

	plug(v, NULL, NULL);
	ret = sfs_format(v->host, &opts, &id);
	if (ret < 0)
		bail_out("format: %d", ret);
}

static u64 make(struct volume *v, u64 dir, u32 mode, u32 i)
{
	struct sfs_attr attr = {};
	char name[24];
	u32 len;

	len = scnprintf(name, sizeof(name), "%s-%u",
			S_ISDIR(mode) ? "dir" : "file", i);
	sfs_create(v->fs, &root, dir, name, len, mode, 0, &attr);
	return attr.ino;
}

static u64 lookup(struct volume *v, u64 dir, const char *name)
{
	struct sfs_attr attr = {};

	sfs_lookup(v->fs, &root, dir, name, strlen(name), &attr);
	return attr.ino;
}

/*
 * A file with so many items that its deletion takes several steps, deleted
 * while the volume is being published.
 */
static void delete_large(struct volume *v, u64 dir)
{
	static char large[26000];
	u64 ino = make(v, dir, S_IFREG | 0644, 1000);
	char name[24];
	u32 i;

	memset(large, 'l', sizeof(large));
	for (i = 0; i < 20; i++) {
		scnprintf(name, sizeof(name), "user.large-%u", i);
		sfs_setxattr(v->fs, &root, ino, name, large, sizeof(large), 0);
	}
	sfs_sync(v->fs);
	sfs_unlink(v->fs, &root, dir, "file-1000", 9, ino);
	for (i = 0; i < 3; i++) {
		make(v, dir, S_IFREG | 0644, 2000 + i);
		sfs_sync(v->fs);
	}
}

/* Some of everything, in several runs; ends early when the host is off. */
static void fill(struct volume *v)
{
	static char val[5000];
	u64 dirs[NR_DIRS];
	struct sfs_attr attr;
	char name[24];
	u32 len;
	u64 dir;
	u64 ino;
	u32 i;

	memset(val, 'v', sizeof(val));
	for (i = 0; i < NR_DIRS; i++)
		dirs[i] = make(v, ROOT, S_IFDIR | 0755, i);
	for (i = 0; i < NR_FILES && !sim_host_is_off(v->host); i++) {
		dir = dirs[i % NR_DIRS];
		ino = make(v, dir, S_IFREG | 0644, i);
		len = scnprintf(name, sizeof(name), "file-%u", i);
		sfs_file_write(v->fs, ino, (i % 5) * 10000, val,
			       1 + (i * 997) % sizeof(val));
		if (i % 6 == 0)
			sfs_setxattr(v->fs, &root, ino, "user.tag", val, i * 50, 0);
		if (i % 7 == 0)
			sfs_link(v->fs, &root, ino, ROOT, name, len, &attr);
		if (i % 11 == 0)
			sfs_unlink(v->fs, &root, dir, name, len, ino);
		if (i % 13 == 0) {
			len = scnprintf(name, sizeof(name), "link-%u", i);
			sfs_symlink(v->fs, &root, ROOT, name, len, val,
				    1 + i * 40, &attr);
		}
		if (i % 8 == 7)
			sfs_sync(v->fs);
		if (i % 40 == 39)
			delete_large(v, dirs[0]);
	}
}

/* ---- findings ----------------------------------------------------------------- */

static void report(void *arg, const char *line)
{
	struct findings *f = arg;

	if (f->lines < MAX_LINES)
		strscpy(f->line[f->lines], line, sizeof(f->line[0]));
	if (!strncmp(line, "warning:", 8))
		f->notes++;
	if (!strncmp(line, "run ", 4))
		f->of_runs++;
	f->lines++;
}

static void check(struct volume *v, struct findings *f)
{
	struct sfs_check_ops ops = { .report = report, .arg = f };

	memset(f, 0, sizeof(*f));
	f->ret = sfs_check(v->host, &ops, &f->res);
}

static void tell(const struct findings *f)
{
	u32 i;

	diag("check returned %d, %llu errors, %u lines", f->ret,
	     f->res.errors, f->lines);
	for (i = 0; i < min_t(u32, f->lines, MAX_LINES); i++)
		diag("%s", f->line[i]);
}

static bool is_silent(const struct findings *f)
{
	if (f->ret == 0 && f->res.errors == 0 && f->lines == f->notes)
		return true;
	tell(f);
	return false;
}

/* ---- whole volumes ------------------------------------------------------------ */

static void test_whole(struct volume *v)
{
	struct findings f;

	format(v);
	check(v, &f);
	ok(is_silent(&f) && !f.notes, "a fresh volume");
	is_u64(f.res.inodes, 1, "inodes");
	mount(v);
	fill(v);
	is_int(unmount(v), 0, "unmount");
	check(v, &f);
	ok(is_silent(&f) && !f.notes, "a volume with files");
	ok(f.res.inodes > NR_FILES, "%llu inodes", f.res.inodes);
	ok(f.res.items > f.res.inodes, "%llu items", f.res.items);
	ok(f.res.data_blocks_used > 50, "%llu blocks", f.res.data_blocks_used);
	ok(f.res.runs > 2, "%llu runs", f.res.runs);
}

/* Any state that a power cut can leave is one without errors. */
static void test_cuts(u32 nr)
{
	struct volume again;
	struct findings f;
	struct volume v;
	u32 bad = 0;
	u32 i;
	u32 j;

	for (i = 0; i < nr; i++) {
		format(&v);
		mount(&v);
		sim_host_cut_at(v.host, sim_host_writes(v.host) + 1 +
				shim_rand() % 150, shim_rand() % 3);
		fill(&v);
		unmount(&v);
		sim_host_cut(v.host);
		for (j = 0; j < 4; j++) {
			plug(&again, sim_host_image(v.host, 0, j, j),
			     sim_host_image(v.host, 1, j, j));
			check(&again, &f);
			bad += !is_silent(&f);
			unplug(&again);
		}
		unplug(&v);
	}
	is_u64(bad, 0, "%u power cuts leave no errors", nr);
}

static int stop_at(void *arg, const char *phase, u64 done, u64 total)
{
	u32 *left = arg;

	return *left == 0 || --*left == 0;
}

static void nothing(void *arg, const char *line)
{
}

static void line_printed(void *arg, const char *text)
{
	u32 *lines = arg;

	++*lines;
}

static void test_print(struct volume *v)
{
	u32 lines = 0;
	u32 all = 0;
	int ret;

	ret = sfs_print(v->host, 0, line_printed, &lines);
	if (ret == 0)
		ret = sfs_print(v->host, SFS_PRINT_ITEMS, line_printed, &all);
	is_int(ret, 0, "printed");
	ok(lines > 5 && all > lines + NR_FILES, "%u lines, %u with items",
	   lines, all);
}

/* Each allocation fails once: no harm, and -ENOMEM if it mattered. */
static void test_no_memory(struct volume *v)
{
	struct findings f;
	u64 before = shim_alloc_count();
	u32 lines;
	u64 all;
	u32 bad = 0;
	u64 i;

	check(v, &f);
	sfs_print(v->host, SFS_PRINT_ITEMS, line_printed, &lines);
	all = shim_alloc_count() - before;
	for (i = 1; i <= all; i += 1 + all / 400) {
		shim_alloc_fail_nth(i);
		check(v, &f);
		bad += f.ret != -ENOMEM && !is_silent(&f);
		sfs_print(v->host, SFS_PRINT_ITEMS, line_printed, &lines);
		shim_alloc_fail_nth(0);
	}
	is_u64(bad, 0, "failing allocations, %llu", all);
}

static void test_stop(struct volume *v)
{
	struct sfs_check_result res;
	u32 left = 3;
	struct sfs_check_ops ops = {
		.report = nothing,
		.progress = stop_at,
		.arg = &left, };

	is_int(sfs_check(v->host, &ops, &res), -ECANCELED, "stopped");
}

/* ---- damage below the checksums ----------------------------------------------- */

struct place {
	u64 addr;
	u64 len;
};
static struct place places[4000];
static u32 nr_places;
static u64 places_bytes;

static void add_place(u64 addr, u64 len)
{
	if (nr_places == ARRAY_SIZE(places))
		bail_out("too many places");
	places[nr_places++] = (struct place){ addr, len };
	places_bytes += len;
}

static void add_runs(struct sfs_engine *eng)
{
	struct sfs_manifest *man = sfs_engine_manifest(eng);
	const struct sfs_run *run;
	struct sfs_slice *slice;
	u32 l;
	u32 i;
	u32 j;

	sfs_manifest_for_each(man, l, i, slice) {
		run = slice->run;
		for (j = 0; j < run->nr_pieces; j++)
			add_place(run->pieces[j].addr, run->pieces[j].len);
	}
	sfs_manifest_put(eng, man);
}

/* The runs of the volume, and those of the server. */
static void find_runs(struct volume *v, bool and_server)
{
	struct sfs_srv_counters cnt;
	struct sfs_identity ident;
	struct sfs_store *st;
	struct sfs_engine vol;

	nr_places = 0;
	places_bytes = 0;
	if (sfs_identity_load(v->host, &ident) ||
	    sfs_store_open_readonly(v->host, &ident, &st) ||
	    sfs_engine_init(&vol, v->host, ident.id.fsid, 0) ||
	    sfs_srv_read_counters(sfs_store_engine(st), &cnt) ||
	    sfs_srv_load_manifest(st, ident.id.meta_bytes, &cnt, &vol))
		bail_out("the volume can not be read");
	if (and_server)
		add_runs(sfs_store_engine(st));
	add_runs(&vol);
	sfs_engine_exit(&vol);
	sfs_store_close(st);
}

/* Everything on the metadata device that counts, but for the log. */
static void find_places(struct volume *v)
{
	find_runs(v, true);
	add_place(SFS_META_IDENTITY, SFS_UNIT);
	add_place(DEV_BYTES - SFS_META_TAIL, SFS_UNIT);
	add_place(SFS_META_ROOT_A, SFS_ROOT_BYTES);
	add_place(SFS_META_ROOT_B, SFS_ROOT_BYTES);
}

static u64 random_place(void)
{
	u64 at = shim_rand() % places_bytes;
	u32 i;

	for (i = 0; at >= places[i].len; i++)
		at -= places[i].len;
	return places[i].addr + at;
}

static void test_flips(struct volume *v, u32 nr)
{
	struct volume bad;
	struct findings f;
	u32 missed = 0;
	u64 at;
	u32 i;

	for (i = 0; i < nr; i++) {
		copy(&bad, v);
		at = random_place();
		sim_disk_flip(bad.disk[0], at, shim_rand() % 8);
		check(&bad, &f);
		if (f.lines == 0) {
			diag("a flip at byte %llu", at);
			missed++;
		}
		unplug(&bad);
	}
	is_u64(missed, 0, "%u flipped bits of %llu live bytes are found", nr,
	       places_bytes);
}

/* A whole block that is not readable, which the check survives. */
static void test_read_errors(struct volume *v, u32 nr)
{
	struct sim_fault fault = { .ops = SIM_READ, .err = -EIO, .len = 512 };
	struct volume bad;
	struct findings f;
	u32 missed = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		copy(&bad, v);
		fault.off = random_place() & ~511ULL;
		sim_disk_add_fault(bad.disk[0], &fault);
		check(&bad, &f);
		missed += f.lines == 0;
		unplug(&bad);
	}
	is_u64(missed, 0, "%u read errors are found", nr);
}

/* ---- damage under a right checksum -------------------------------------------- */

static u8 block[SFS_ROOT_BYTES];
static u8 before[SFS_ROOT_BYTES];

/* The block that has byte @at, in @block; false when none begins there. */
static bool find_block(struct volume *v, u64 at, struct sfs_block_id *id,
		       u32 *ret_len)
{
	const struct sfs_block_hdr *hdr = (struct sfs_block_hdr *)block;
	u64 addr = at & ~(u64)(SFS_UNIT - 1);
	u32 back;

	for (back = 0; back < 16; back++, addr -= SFS_UNIT) {
		sim_image_read(sim_disk_contents(v->disk[0]), addr, block,
			       sizeof(block));
		*id = (struct sfs_block_id){
			.magic = le32_to_cpu(hdr->magic),
			.nr = le32_to_cpu(hdr->nr),
			.fsid = le64_to_cpu(hdr->fsid),
			.addr = addr,
			.owner = le64_to_cpu(hdr->owner), };
		*ret_len = le32_to_cpu(hdr->len);
		if (le64_to_cpu(hdr->addr) == addr &&
		    *ret_len <= sizeof(block) && at < addr + *ret_len)
			return true;
	}
	return false;
}

static void mutate(u32 len)
{
	u32 from = sizeof(struct sfs_block_hdr);
	u32 at;
	u32 n;

	if (len <= from + 8)
		return;
	for (n = 1 + shim_rand() % 3; n; n--) {
		at = from + shim_rand() % (len - from - 8);
		switch (shim_rand() % 4) {
		case 0:
			block[at] ^= 1 << shim_rand() % 8;
			break;
		case 1:
			block[at] = shim_rand();
			break;
		case 2:
			memset(block + at, shim_rand() % 2 ? 0xff : 0, 8);
			break;
		default:
			memmove(block + at, block + from +
				shim_rand() % (len - from - 8), 8);
		}
	}
}

static void test_mutations(struct volume *v, u32 nr)
{
	struct sfs_block_id id;
	struct volume bad;
	struct findings f;
	u32 missed = 0;
	u32 found = 0;
	u32 done = 0;
	u32 len;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (!find_block(v, random_place(), &id, &len))
			continue;
		memcpy(before, block, sizeof(before));
		mutate(len);
		if (!memcmp(before, block, sizeof(before)))
			continue;
		sfs_block_seal(block, len, &id);
		copy(&bad, v);
		sim_disk_scribble(bad.disk[0], id.addr, block, len);
		if (id.magic == SFS_MAGIC_ROOT) {
			/* its twin has to go, or nobody looks at this one */
			memset(block, 0, sizeof(block));
			sim_disk_scribble(bad.disk[0],
					  SFS_META_ROOT_A + SFS_META_ROOT_B -
					  id.addr, block, sizeof(block));
		}
		check(&bad, &f);
		sfs_print(bad.host, SFS_PRINT_ITEMS, nothing, NULL);
		done++;
		found += f.lines > 0;
		/*
		 * The bytes of names and values say nothing of themselves, and
		 * a filter may let through more than it has to.
		 */
		if (!f.lines && id.magic != SFS_MAGIC_ITEM &&
		    id.magic != SFS_MAGIC_FILTER) {
			diag("a mutated %s", sfs_block_kind(id.magic));
			missed++;
		}
		unplug(&bad);
	}
	ok(done && !missed, "%u of %u mutated blocks are found, none does harm",
	   found, done);
}

/* ---- damage of the volume's items ---------------------------------------------- */

static struct sfs_hold hold;
static u8 val[SFS_MAX_VAL];

static void put(struct volume *v, const struct sfs_key *key, const void *buf,
		u32 len)
{
	sfs_item_put(v->fs, &hold, key, buf, len);
}

static void del(struct volume *v, const struct sfs_key *key)
{
	sfs_item_del(v->fs, &hold, key);
}

/* The first item of @ino of that type not below (f2, f3, f4), in @val. */
static struct sfs_key first_of(struct volume *v, u64 ino, u8 type, u64 f2,
			       u8 f4, u32 *ret_len)
{
	struct sfs_key last = SFS_KEY(SFS_ZONE_FS, ino, type, U64_MAX, U64_MAX,
				      U8_MAX);
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, ino, type, f2, 0, 0);
	int ret;

	do {
		ret = sfs_item_next(v->fs, &key, &last, val, sizeof(val));
		if (ret < 0)
			bail_out("no item of type %u: %d", type, ret);
		*ret_len = ret;
		if (key.f4 == f4)
			return key;
		sfs_key_inc(&key);
	} while (true);
}

static void drop_first(struct volume *v, u64 ino, u8 type, u8 f4)
{
	u32 len;
	struct sfs_key key = first_of(v, ino, type, 0, f4, &len);

	del(v, &key);
}

static struct sfs_inode get_inode(struct volume *v, u64 ino)
{
	struct sfs_key key = sfs_inode_key(ino);
	struct sfs_inode si = {};
	int ret;

	ret = sfs_item_get(v->fs, &key, val, sizeof(val));
	if (ret < 0 || sfs_inode_decode(&key, val, ret, &si))
		bail_out("inode %llu: %d", ino, ret);
	return si;
}

static void put_inode(struct volume *v, const struct sfs_inode *si)
{
	struct sfs_key key = sfs_inode_key(si->ino);

	put(v, &key, val, sfs_inode_encode(si, val));
}

static u64 file(struct volume *v, const char *dir, const char *name)
{
	return lookup(v, lookup(v, ROOT, dir), name);
}

static void lose_dirent(struct volume *v)
{
	drop_first(v, lookup(v, ROOT, "dir-1"), SFS_FS_DIRENT, 0);
}

static void lose_readdir(struct volume *v)
{
	drop_first(v, lookup(v, ROOT, "dir-1"), SFS_FS_READDIR, 0);
}

static void lose_backref(struct volume *v)
{
	drop_first(v, file(v, "dir-1", "file-1"), SFS_FS_BACKREF, 0);
}

static void more_links(struct volume *v)
{
	struct sfs_inode si = get_inode(v, file(v, "dir-1", "file-1"));

	si.nlink++;
	put_inode(v, &si);
}

static void more_links_dir(struct volume *v)
{
	struct sfs_inode si = get_inode(v, lookup(v, ROOT, "dir-2"));

	si.nlink++;
	put_inode(v, &si);
}

static void low_position(struct volume *v)
{
	struct sfs_inode si = get_inode(v, lookup(v, ROOT, "dir-2"));

	si.next_pos = SFS_FIRST_POS;
	put_inode(v, &si);
}

static void leak_extent(struct volume *v)
{
	struct sfs_inode si = get_inode(v, file(v, "dir-1", "file-1"));
	struct sfs_extent ext;
	struct sfs_key key;
	u32 len;

	key = first_of(v, si.ino, SFS_FS_EXTENT, 0, 0, &len);
	if (sfs_extent_decode(&key, val, len, &ext))
		bail_out("extent");
	del(v, &key);
	if (!ext.flags)
		si.online_blocks -= ext.count;
	put_inode(v, &si);
}

static void free_used(struct volume *v)
{
	u64 ino = file(v, "dir-1", "file-1");
	struct sfs_extent ext;
	struct sfs_key key;
	u32 len;

	key = first_of(v, ino, SFS_FS_EXTENT, 0, 0, &len);
	if (sfs_extent_decode(&key, val, len, &ext))
		bail_out("extent");
	sfs_data_free(v->fs, &hold, ext.phys, 1);
}

static void wrong_blocks(struct volume *v)
{
	struct sfs_inode si = get_inode(v, file(v, "dir-1", "file-1"));

	si.online_blocks++;
	put_inode(v, &si);
}

static void stale_index(struct volume *v)
{
	struct sfs_inode si = get_inode(v, file(v, "dir-1", "file-1"));
	struct sfs_key key = sfs_index_key(SFS_INDEX_META_SEQ,
					   si.meta_seq - 1, si.ino);

	put(v, &key, NULL, 0);
}

static void lose_index(struct volume *v)
{
	struct sfs_inode si = get_inode(v, file(v, "dir-1", "file-1"));
	struct sfs_key key = sfs_index_key(SFS_INDEX_DATA_SEQ, si.data_seq, si.ino);

	del(v, &key);
}

static void lose_orphan(struct volume *v)
{
	struct sfs_inode si = get_inode(v, lookup(v, ROOT, "link-13"));
	struct sfs_key key;

	/* a special file that nobody has a name for */
	si = (struct sfs_inode) {
		.ino = si.ino + 500,
		.mode = S_IFIFO | 0600,
		.meta_seq = si.meta_seq, };
	key = sfs_index_key(SFS_INDEX_META_SEQ, si.meta_seq, si.ino);
	put_inode(v, &si);
	put(v, &key, NULL, 0);
}

static void lose_xattr_part(struct volume *v)
{
	drop_first(v, file(v, "dir-0", "file-84"), SFS_FS_XATTR, 1);
}

static void lose_target(struct volume *v)
{
	drop_first(v, lookup(v, ROOT, "link-13"), SFS_FS_SYMLINK, 0);
}

static void bad_mode(struct volume *v)
{
	struct sfs_key key = sfs_inode_key(file(v, "dir-1", "file-1"));
	int len = sfs_item_get(v->fs, &key, val, sizeof(val));

	/* takes the inode out of what is compared, so others miss it, too */
	val[1] = 0;
	put(v, &key, val, len);
}

/* The same name once more, at another position, with all three items. */
static void name_twice(struct volume *v)
{
	u64 dir = lookup(v, ROOT, "dir-1");
	struct sfs_inode dsi = get_inode(v, dir);
	struct sfs_inode si = get_inode(v, lookup(v, dir, "file-1"));
	struct sfs_entry e;
	struct sfs_key key;
	u32 len;

	key = first_of(v, dir, SFS_FS_DIRENT, 0, 0, &len);
	do {
		if (sfs_dirent_decode(&key, val, len, &e))
			bail_out("entry");
		if (e.ino == si.ino)
			break;
		key = first_of(v, dir, SFS_FS_DIRENT, key.f2 + 1, 0, &len);
	} while (true);
	e.pos = dsi.next_pos++;
	sfs_entry_put(v->fs, &hold, &e);
	dsi.size += e.name_len;
	si.nlink++;
	put_inode(v, &dsi);
	put_inode(v, &si);
}

static void unknown_type(struct volume *v)
{
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, 5000, 99, 0, 0, 0);

	put(v, &key, NULL, 0);
}

struct damage {
	const char *name;
	void (*fn)(struct volume *v);
	const char *text;	/* in the first finding */
	bool more;		/* has others in consequence */
};

static const struct damage item_damages[] = {
	{ "an entry by name is lost", lose_dirent, "without one by name" },
	{ "an entry by position is lost", lose_readdir,
	  "without one by position", true },
	{ "a back reference is lost", lose_backref,
	  "without one at its inode" },
	{ "nlink of a file is wrong", more_links, "nlink is" },
	{ "nlink of a directory is wrong", more_links_dir, "nlink is" },
	{ "next_pos is too low", low_position, "next_pos" },
	{ "data blocks leak", leak_extent, "neither free nor owned" },
	{ "data blocks are free and used", free_used, "belong to" },
	{ "online_blocks is wrong", wrong_blocks, "online_blocks is" },
	{ "a stale index entry", stale_index, "not the inode's" },
	{ "a lost index entry", lose_index, "no index entry" },
	{ "an orphan without work", lose_orphan, "orphan item" },
	{ "a part of an xattr is lost", lose_xattr_part, "value are missing" },
	{ "a symlink has no target", lose_target, "size is" },
	{ "a name exists twice", name_twice, "has the same name" },
	{ "a mode without type", bad_mode, "mode has no known type", true },
	{ "an item of no known type", unknown_type, "type is unknown" },
};

static void expect(const struct damage *d, const struct findings *f)
{
	bool good = f->ret == 0 && (d->more || f->res.errors == 1);
	bool told = false;
	u32 i;

	for (i = 0; i < min_t(u32, f->lines, MAX_LINES); i++)
		told |= strstr(f->line[i], d->text) != NULL;
	if (!good || !told)
		tell(f);
	ok(good && told, "%s", d->name);
}

static void test_items(struct volume *v)
{
	struct sfs_need need = { .items = 8, .val_bytes = 1000, .extents = 4 };
	const struct damage *d;
	struct findings f;
	struct volume bad;

	for (d = item_damages; d < item_damages + ARRAY_SIZE(item_damages);
	     d++) {
		copy(&bad, v);
		mount(&bad);
		if (sfs_hold_begin(bad.fs, NULL, &hold, SFS_SPACE_USER, &need))
			bail_out("hold");
		d->fn(&bad);
		sfs_hold_end(bad.fs, &hold);
		if (unmount(&bad))
			bail_out("unmount");
		check(&bad, &f);
		expect(d, &f);
		unplug(&bad);
	}
}

/* ---- damage of the server's items ----------------------------------------------- */

static struct sfs_store *store;
static struct sfs_store_txn txn;

static void srv_put(const struct sfs_key *key, const void *buf, u32 len)
{
	sfs_store_put(store, &txn, key, buf, len);
}

/* The first item of the kind, in @val. */
static struct sfs_key srv_first(u64 kind, u32 *ret_len)
{
	struct sfs_key key = SFS_SRV_KEY(kind, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(kind, U64_MAX, U64_MAX);
	int ret;

	ret = sfs_engine_next(sfs_store_engine(store), &key, &last, val,
			      sizeof(val));
	if (ret < 0)
		bail_out("no server item of kind %llu: %d", kind, ret);
	*ret_len = ret;
	return key;
}

/* The first slice that is all of its run. */
static struct sfs_key whole_slice(u32 *ret_len)
{
	struct sfs_disk_slice *slice = (struct sfs_disk_slice *)val;
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_SLICE, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_SLICE, U64_MAX, U64_MAX);
	int ret;

	do {
		ret = sfs_engine_next(sfs_store_engine(store), &key, &last,
				      val, sizeof(val));
		if (ret < 0)
			bail_out("no slice is all of its run");
		*ret_len = ret;
		if (slice->items == slice->run_items)
			return key;
		sfs_key_inc(&key);
	} while (true);
}

static u64 live_segment(void)
{
	struct sfs_identity ident;
	struct sfs_disk_slice *slice = (struct sfs_disk_slice *)val;
	u32 len;

	sfs_identity_geometry(DEV_BYTES, &ident.region_bytes, &ident.segment_bytes);
	srv_first(SFS_SRV_SLICE, &len);
	return (le64_to_cpu(slice->pieces[0].addr) -
		sfs_identity_seg_start(&ident)) / ident.segment_bytes;
}

static void pending_live(struct volume *v)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_PENDING, 1, live_segment());

	srv_put(&key, NULL, 0);
}

static void job_live(struct volume *v)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, SFS_SRV_OWNER_JOB,
					 live_segment());

	srv_put(&key, NULL, 0);
}

static void owned_twice(struct volume *v)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, 77, 500);

	srv_put(&key, NULL, 0);
	key.f2 = 78;
	srv_put(&key, NULL, 0);
}

static void owned_beyond(struct volume *v)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_OWNED, 77, 1 << 20);

	srv_put(&key, NULL, 0);
}

static void unknown_kind(struct volume *v)
{
	struct sfs_key key = SFS_SRV_KEY(99, 0, 0);

	srv_put(&key, NULL, 0);
}

static void stable_high(struct volume *v)
{
	struct sfs_srv_state *state = (struct sfs_srv_state *)val;
	u32 len;
	struct sfs_key key = srv_first(SFS_SRV_STATE, &len);

	state->stable = state->next_seq;
	srv_put(&key, val, len);
}

static void counters_low(struct volume *v)
{
	struct sfs_srv_state *state = (struct sfs_srv_state *)val;
	u32 len;
	struct sfs_key key = srv_first(SFS_SRV_STATE, &len);

	state->next_ino = cpu_to_le64(1024);
	srv_put(&key, val, len);
}

static void no_state(struct volume *v)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_STATE, 0, 0);

	sfs_store_del(store, &txn, &key);
}

static void free_short(struct volume *v)
{
	/* the large one at the end of the device */
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_DATA_FREE,
					 DEV_BYTES / SFS_UNIT - 1, 0);
	__le64 blocks;

	if (sfs_engine_get(sfs_store_engine(store), &key, val,
			   sizeof(val)) < 0)
		bail_out("no free blocks at the end");
	blocks = cpu_to_le64(sfs_srv_data_blocks(val) - 1);

	srv_put(&key, &blocks, sizeof(blocks));
}

static void owned_and_free(struct volume *v)
{
	u32 len;
	struct sfs_key key = srv_first(SFS_SRV_DATA_FREE, &len);
	__le64 blocks = cpu_to_le64(1);

	key = SFS_SRV_KEY(SFS_SRV_DATA_OWNED, 77, key.f2);
	srv_put(&key, &blocks, sizeof(blocks));
}

static void slice_items(struct volume *v)
{
	struct sfs_disk_slice *slice = (struct sfs_disk_slice *)val;
	u32 len;
	struct sfs_key key = srv_first(SFS_SRV_SLICE, &len);

	slice->items = cpu_to_le64(le64_to_cpu(slice->items) + 1);
	srv_put(&key, val, len);
}

static void slice_range(struct volume *v)
{
	struct sfs_disk_slice *slice = (struct sfs_disk_slice *)val;
	u32 len;
	struct sfs_key key = whole_slice(&len);

	slice->first[0]--;
	srv_put(&key, val, len);
}

static void slice_level(struct volume *v)
{
	struct sfs_disk_slice *slice = (struct sfs_disk_slice *)val;
	u32 len;
	struct sfs_key key = srv_first(SFS_SRV_SLICE, &len);

	slice->level = 200;
	srv_put(&key, val, len);
}

/* All there are: some could be missed by nobody, having only deletions. */
static void slices_lost(struct volume *v)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_SLICE, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_SLICE, U64_MAX, U64_MAX);

	while (sfs_engine_next(sfs_store_engine(store), &key, &last, val,
			       sizeof(val)) >= 0) {
		sfs_store_del(store, &txn, &key);
		sfs_key_inc(&key);
	}
}

static const struct damage server_damages[] = {
	{ "a live segment is pending", pending_live, "pending free, but" },
	{ "a live segment is a job's", job_live, "by a compaction, but" },
	{ "a segment has two owners", owned_twice, "is owned already", true },
	{ "a segment that is not there", owned_beyond, "expected below" },
	{ "an item of no known kind", unknown_kind, "kind is unknown" },
	{ "stable is not below next_seq", stable_high, "stable is" },
	{ "inodes beyond next_ino", counters_low, "below next_ino", true },
	{ "no state", no_state, "state is missing" },
	{ "free blocks are lost", free_short, "neither free nor owned" },
	{ "blocks are owned and free", owned_and_free, "belong to", true },
	{ "a slice with a wrong count", slice_items, "items in its range" },
	{ "a slice with a wrong range", slice_range, "first key is", true },
	{ "a slice of no known level", slice_level, "level is 200" },
	{ "slices are lost", slices_lost, "the root is missing", true },
};

static void test_server_items(struct volume *v)
{
	const struct damage *d;
	struct sfs_identity ident;
	struct findings f;
	struct volume bad;

	if (sfs_identity_load(v->host, &ident))
		bail_out("identity");
	for (d = server_damages;
	     d < server_damages + ARRAY_SIZE(server_damages); d++) {
		copy(&bad, v);
		if (sfs_store_open(bad.host, &ident, &store) ||
		    sfs_store_begin(store, &txn, 64, 5000))
			bail_out("store");
		d->fn(&bad);
		if (sfs_store_wait(store, sfs_store_end(store, &txn)))
			bail_out("store");
		sfs_store_close(store);
		check(&bad, &f);
		expect(d, &f);
		unplug(&bad);
	}
}

/* ---- a run with index blocks ----------------------------------------------------- */

#define BIG_BYTES (4ULL << 30)
#define BIG_ITEMS 60000

static void add_big_items(struct sfs_memgen *gen)
{
	u32 bytes = sfs_memgen_item_bytes(12) + 8;
	struct sfs_key key;
	u32 left;
	u8 *mem;
	u32 i;

	memset(val, 'n', 12);
	for (i = 0; i < BIG_ITEMS; i++) {
		key = SFS_KEY(SFS_ZONE_FS, 1024 + i / 100, SFS_FS_DIRENT,
			      shim_rand(), 2, 0);
		left = bytes;
		if (sfs_memgen_cut(gen, bytes, &mem))
			bail_out("no memory");
		sfs_memgen_set(gen, &mem, &left, &key, 0, SFS_ITEM_VALUE, val, 12);
		sfs_memgen_uncut(gen, mem, left);
	}
}

/*
 * Nothing but entries by name, which lack everything else; what counts here
 * is what is said of the run.
 */
static void test_big_run(void)
{
	struct sfs_identity ident = {
		.id = {
			.fsid = 77,
			.is_meta = 1,
			.interface_version = 2,
			.meta_bytes = BIG_BYTES,
			.data_bytes = DEV_BYTES,
		}, };
	struct sfs_memgen *gen = sfs_memgen_create();
	struct findings f;
	struct volume bad;
	struct volume v;
	u32 missed = 0;
	u32 i;

	sfs_identity_geometry(BIG_BYTES, &ident.region_bytes,
			      &ident.segment_bytes);
	plug(&v, sim_image_create(BIG_BYTES), NULL);
	add_big_items(gen);
	if (sfs_server_format(v.host, &ident, gen) ||
	    sfs_identity_write(v.host, &ident))
		bail_out("format");
	sfs_memgen_put(gen);
	check(&v, &f);
	if (!ok(f.ret == 0 && f.of_runs == 0 && f.res.items == BIG_ITEMS,
		"a run with index blocks: %llu blocks read", f.res.blocks_read))
		tell(&f);
	find_runs(&v, false);
	for (i = 0; i < 30; i++) {
		copy(&bad, &v);
		sim_disk_flip(bad.disk[0], random_place(), shim_rand() % 8);
		check(&bad, &f);
		missed += f.of_runs == 0;
		unplug(&bad);
	}
	is_u64(missed, 0, "flipped bits in it are found");
	unplug(&v);
}

int shim_main(int argc, char **argv)
{
	struct volume v;

	plan(0);
	test_whole(&v);
	find_places(&v);
	test_flips(&v, 150);
	test_read_errors(&v, 20);
	test_mutations(&v, 300);
	test_items(&v);
	test_server_items(&v);
	test_stop(&v);
	test_print(&v);
	test_no_memory(&v);
	unplug(&v);
	test_cuts(6);
	test_big_run();
	return done_testing();
}

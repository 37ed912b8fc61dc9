/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole volume over simulated disks: what was synced survives a power cut at
 * any write, names that are found after it are a prefix of those that were
 * made, and a mount ends properly whatever fails under it.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "api.h"
#include "shim/shim.h"
#include "sim/host.h"
#include "tests/tap.h"

#define DEV_BYTES SFS_MIN_DEV_BYTES
#define ROOT 1
#define NR_NAMES 60
#define SYNC_EVERY 7

static const struct sfs_cred root = { .caps = ~0u };

struct volume {
	struct sim_disk *disk[2];
	struct sfs_host *host;
	struct sfs_hub *hub;
	struct sfs_server *srv;
	struct sfs_fs *fs;
};

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
	/* rare paths in half of the cases */
	if (shim_rand() & 1)
		sim_host_arm_all(v->host, 2 + shim_rand() % 20);
}

static void unplug(struct volume *v)
{
	sim_host_destroy(v->host);
	sim_disk_destroy(v->disk[0]);
	sim_disk_destroy(v->disk[1]);
}

static int mount(struct volume *v)
{
	struct sfs_mount_opts opts;
	int ret;

	sfs_mount_opts_default(&opts);
	ret = sfs_hub_create(v->host, &v->hub);
	if (ret)
		return ret;
	ret = sfs_server_start(v->host, v->hub, &v->srv);
	if (ret) {
		sfs_hub_destroy(v->hub);
		return ret;
	}
	ret = sfs_mount(v->host, v->hub, &opts, &v->fs);
	if (ret) {
		sfs_server_stop(v->srv);
		sfs_hub_destroy(v->hub);
	}
	return ret;
}

static int unmount(struct volume *v)
{
	int ret = sfs_unmount(v->fs);

	sfs_server_stop(v->srv);
	sfs_hub_destroy(v->hub);
	return ret;
}

static u32 name_of(char *buf, u32 size, u32 i)
{
	return scnprintf(buf, size, "name-%u", i);
}

/* Makes names until something fails; returns how many are synced. */
static u32 make_names(struct volume *v, u32 *ret_made)
{
	struct sfs_attr attr;
	u32 synced = 0;
	char name[24];
	u32 i;

	for (i = 0; i < NR_NAMES; i++) {
		if (sfs_create(v->fs, &root, ROOT, name,
			       name_of(name, sizeof(name), i), S_IFREG | 0644,
			       0, &attr))
			break;
		if (i % SYNC_EVERY == SYNC_EVERY - 1) {
			if (sfs_sync(v->fs))
				break;
			synced = i + 1;
		}
	}
	*ret_made = i;
	return synced;
}

/* The number of names from the first one on; -1 when one is missing between. */
static int find_names(struct volume *v)
{
	struct sfs_attr attr;
	char name[24];
	int found = 0;
	int ret;
	u32 i;

	for (i = 0; i < NR_NAMES; i++) {
		ret = sfs_lookup(v->fs, &root, ROOT, name,
				 name_of(name, sizeof(name), i), &attr);
		if (ret == 0 && found != i)
			return -1;
		if (ret && ret != -ENOENT)
			return ret;
		found += ret == 0;
	}
	return found;
}

static void formatted(struct volume *v)
{
	struct sfs_format_opts opts = { .interface_version = 2 };
	struct sfs_volume_id id;
	int ret;

	plug(v, NULL, NULL);
	ret = sfs_format(v->host, &opts, &id);
	if (ret)
		bail_out("format: %d", ret);
}

/* After a cut: mounts what each of some images holds. */
static int check_images(struct volume *v, u32 synced, u32 made)
{
	struct volume again;
	int bad = 0;
	int found;
	int ret;
	int i;

	for (i = 0; i < 4; i++) {
		plug(&again, sim_host_image(v->host, 0, i, i),
		     sim_host_image(v->host, 1, i, i));
		ret = mount(&again);
		found = ret ? ret : find_names(&again);
		if (found < (int)synced || found > (int)made + 1) {
			diag("image %d: %d names found, %u synced, %u made",
			     i, found, synced, made);
			sim_host_log_dump(again.host);
			bad++;
		}
		if (!ret && unmount(&again))
			bad++;
		unplug(&again);
	}
	return bad;
}

static void test_cuts(int nr)
{
	struct volume v;
	u32 synced;
	u32 made;
	int bad = 0;
	int i;

	for (i = 0; i < nr; i++) {
		formatted(&v);
		if (mount(&v))
			bail_out("mount of a fresh volume");
		sim_host_cut_at(v.host, sim_host_writes(v.host) + 1 +
				shim_rand() % 40, shim_rand() % 3);
		synced = make_names(&v, &made);
		unmount(&v);
		sim_host_cut(v.host);
		bad += check_images(&v, synced, made) != 0;
		unplug(&v);
	}
	is_int(bad, 0, "%d power cuts: what was synced is there", nr);
}

static void test_clean(void)
{
	struct volume v;
	u32 made;

	formatted(&v);
	is_int(mount(&v), 0, "mount");
	make_names(&v, &made);
	is_u64(made, NR_NAMES, "all names made");
	is_int(unmount(&v), 0, "unmount");
	is_int(mount(&v), 0, "mount again");
	is_int(find_names(&v), NR_NAMES, "all names found");
	is_int(unmount(&v), 0, "unmount");
	unplug(&v);
}

/* Allocations fail at random while names are made. */
static void test_no_memory(void)
{
	struct volume v;
	u32 synced;
	u32 made;
	int found;

	formatted(&v);
	if (mount(&v))
		bail_out("mount of a fresh volume");
	shim_alloc_fail_random(3000, shim_rand());
	synced = make_names(&v, &made);
	shim_alloc_fail_random(0, 0);
	unmount(&v);
	is_int(mount(&v), 0, "mount after %llu failed allocations",
	       shim_alloc_failed());
	found = find_names(&v);
	ok(found >= (int)synced && found <= (int)made + 1,
	   "%d names found, %u synced, %u made", found, synced, made);
	is_int(unmount(&v), 0, "unmount");
	unplug(&v);
}

/* Writes of the metadata device fail from some moment on. */
static void test_write_errors(void)
{
	struct sim_fault f = { .ops = SIM_WRITE, .err = -EIO, .len = U64_MAX / 2 };
	struct volume v;
	u32 synced;
	u32 made;
	int found;

	formatted(&v);
	if (mount(&v))
		bail_out("mount of a fresh volume");
	f.skip = shim_rand() % 20;
	sim_disk_add_fault(v.disk[0], &f);
	synced = make_names(&v, &made);
	unmount(&v);
	sim_disk_clear_faults(v.disk[0]);
	is_int(mount(&v), 0, "mount after write errors");
	found = find_names(&v);
	ok(found >= (int)synced && found <= (int)made + 1,
	   "%d names found, %u synced, %u made", found, synced, made);
	is_int(unmount(&v), 0, "unmount");
	unplug(&v);
}

int shim_main(int argc, char **argv)
{
	plan(0);
	test_clean();
	test_cuts(10);
	test_no_memory();
	test_write_errors();
	return done_testing();
}

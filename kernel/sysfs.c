// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mount shows of itself in /sys/fs/scoutfs/f.FSID.r.RID/: the files that
 * the FUSE host has in its status directory, and here options can be changed
 * by root.  docs/operating.md has them all.
 *
 * One kobject a mount, with a group of attributes for each subdirectory.  The
 * tables of attributes are the same for all mounts and made once, since names
 * come from the core's lists.
 *
 * Lifetime: a reader or writer of a file is counted by kernfs, and deleting the
 * kobject waits for those inside; who has a file still open gets ENODEV from
 * then on.  So what show and store use lives until sfs_sysfs_remove() returns.
 * The kobject itself may be held longer by others; removal waits for its
 * release, which is also what keeps the module's text there for it.
 *
 * No locks of the filesystem are taken.  Options change in options.c.
 */
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "counters.h"
#include "debugfs.h"
#include "fs.h"

struct sfs_sysfs {
	struct kobject kobj;
	struct completion released;
	struct sfs_sb *sbi;			/* I */
	struct sfs_volume_id id;		/* I */
	struct sfs_debugfs *debugfs;		/* I: may be NULL */
};

struct sysfs_file {
	struct attribute attr;
	ssize_t (*show)(struct sfs_sysfs *sys, int nr, char *buf);
	ssize_t (*store)(struct sfs_sysfs *sys, int nr, const char *buf,
			 size_t len);
	int nr;					/* I: what of a table it is */
};

static struct kset *scoutfs_kset;		/* I */

/* ---- files ------------------------------------------------------------------ */

static ssize_t show_fsid(struct sfs_sysfs *sys, int nr, char *buf)
{
	return sysfs_emit(buf, "%016llx\n", sfs_fsid(sys->sbi->fs));
}

static ssize_t show_rid(struct sfs_sysfs *sys, int nr, char *buf)
{
	return sysfs_emit(buf, "%016llx\n", sfs_rid(sys->sbi->fs));
}

/* What programs know the numbers of, not what is on the devices. */
static ssize_t show_format_version(struct sfs_sysfs *sys, int nr, char *buf)
{
	return sysfs_emit(buf, "%u\n", sys->id.interface_version);
}

static ssize_t show_engine_version(struct sfs_sysfs *sys, int nr, char *buf)
{
	return sysfs_emit(buf, "%d\n", sfs_engine_version());
}

static ssize_t show_data_device(struct sfs_sysfs *sys, int nr, char *buf)
{
	struct block_device *bdev = sys->sbi->vol->host.bdev[SFS_DEV_DATA];

	return sysfs_emit(buf, "%u:%u\n", MAJOR(bdev->bd_dev),
			  MINOR(bdev->bd_dev));
}

static ssize_t show_zone_blocks(struct sfs_sysfs *sys, int nr, char *buf)
{
	if (!sys->id.data_alloc_zone_blocks)
		return 0;
	return sysfs_emit(buf, "%llu", sys->id.data_alloc_zone_blocks);
}

static ssize_t show_counter(struct sfs_sysfs *sys, int nr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", sfs_counter_read(sys->sbi->fs, nr));
}

static ssize_t show_vfs_counter(struct sfs_sysfs *sys, int nr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", sfs_vfs_counter_read(sys->sbi, nr));
}

static ssize_t show_option(struct sfs_sysfs *sys, int nr, char *buf)
{
	return sfs_options_text(&sys->sbi->opts, nr, buf, PAGE_SIZE);
}

/* The newline that echo adds is no part of a value. */
static ssize_t store_option(struct sfs_sysfs *sys, int nr, const char *buf,
			    size_t len)
{
	size_t used = len;
	char *text;
	int ret;

	if (used && buf[used - 1] == '\n')
		used--;
	if (memchr(buf, '\0', used))
		return -EINVAL;
	text = kstrndup(buf, used, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	ret = sfs_options_set(sys->sbi, nr, text);
	kfree(text);
	return ret < 0 ? ret : len;
}

#define SYSFS_FILE(file_name, fn) {					\
	.attr = { .name = #file_name, .mode = 0444 },			\
	.show = fn,							\
}

static struct sysfs_file top_files[] = {
	SYSFS_FILE(fsid, show_fsid),
	SYSFS_FILE(rid, show_rid),
	SYSFS_FILE(format_version, show_format_version),
	SYSFS_FILE(engine_version, show_engine_version),
	SYSFS_FILE(data_device_maj_min, show_data_device),
};

static struct sysfs_file volume_files[] = {
	SYSFS_FILE(data_alloc_zone_blocks, show_zone_blocks),
};

/* ---- tables ------------------------------------------------------------------ */

static struct attribute_group top_group;	/* I */
static struct attribute_group volume_group = { .name = "volume_options" };
static struct attribute_group options_group = { .name = "mount_options" };
static struct attribute_group counters_group = { .name = "counters" };
static struct sysfs_file *option_files;		/* I */
static struct sysfs_file *counter_files;	/* I */

static const struct attribute_group *groups[] = {
	&top_group, &volume_group, &options_group, &counters_group, NULL
};

/* The array of pointers that a group wants. */
static int make_group(struct attribute_group *group, struct sysfs_file *files,
		      int nr)
{
	int i;

	group->attrs = kcalloc(nr + 1, sizeof(*group->attrs), GFP_KERNEL);
	if (!group->attrs)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		sysfs_attr_init(&files[i].attr);
		group->attrs[i] = &files[i].attr;
	}
	return 0;
}

static int make_options(void)
{
	int nr = sfs_options_nr();
	umode_t mode;
	int i;

	option_files = kcalloc(nr, sizeof(*option_files), GFP_KERNEL);
	if (!option_files)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		option_files[i].attr.name = sfs_options_name(i, &mode);
		option_files[i].attr.mode = mode;
		option_files[i].show = show_option;
		option_files[i].store = store_option;
		option_files[i].nr = i;
	}
	return make_group(&options_group, option_files, nr);
}

static int make_counters(void)
{
	int core = sfs_counters_nr();
	int nr = core + sfs_vfs_counters_nr();
	struct sysfs_file *f;
	int i;

	counter_files = kcalloc(nr, sizeof(*counter_files), GFP_KERNEL);
	if (!counter_files)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		f = &counter_files[i];
		f->nr = i < core ? i : i - core;
		f->attr.name = i < core ? sfs_counter_name(f->nr) :
					  sfs_vfs_counter_name(f->nr);
		f->attr.mode = 0444;
		f->show = i < core ? show_counter : show_vfs_counter;
	}
	return make_group(&counters_group, counter_files, nr);
}

static void free_tables(void)
{
	int i;

	for (i = 0; groups[i]; i++) {
		struct attribute_group *group =
			(struct attribute_group *)groups[i];

		kfree(group->attrs);
		group->attrs = NULL;
	}
	kfree(option_files);
	kfree(counter_files);
}

/* ---- the kobject ------------------------------------------------------------- */

static ssize_t file_show(struct kobject *kobj, struct attribute *attr,
			 char *buf)
{
	struct sysfs_file *f = container_of(attr, struct sysfs_file, attr);

	return f->show(container_of(kobj, struct sfs_sysfs, kobj), f->nr, buf);
}

static ssize_t file_store(struct kobject *kobj, struct attribute *attr,
			  const char *buf, size_t len)
{
	struct sysfs_file *f = container_of(attr, struct sysfs_file, attr);

	if (!f->store)
		return -EACCES;
	return f->store(container_of(kobj, struct sfs_sysfs, kobj), f->nr, buf,
			len);
}

static void release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct sfs_sysfs, kobj)->released);
}

static const struct sysfs_ops file_ops = {
	.show = file_show,
	.store = file_store,
};

static const struct kobj_type mount_type = {
	.sysfs_ops = &file_ops,
	.release = release,
	.default_groups = groups,
};

static void put_and_free(struct sfs_sysfs *sys)
{
	kobject_put(&sys->kobj);
	wait_for_completion(&sys->released);
	kfree(sys);
}

int sfs_sysfs_add(struct sfs_sb *sbi)
{
	struct sfs_sysfs *sys;
	int ret;

	sys = kzalloc(sizeof(*sys), GFP_KERNEL);
	if (!sys)
		return -ENOMEM;
	sys->sbi = sbi;
	init_completion(&sys->released);
	ret = sfs_read_identity(&sbi->vol->host, SFS_DEV_META, &sys->id);
	if (ret < 0) {
		kfree(sys);
		return ret;
	}
	sys->kobj.kset = scoutfs_kset;
	ret = kobject_init_and_add(&sys->kobj, &mount_type, NULL, "%s",
				   sbi->ident);
	if (ret < 0) {
		pr_err("scoutfs %s: cannot make /sys/fs/scoutfs/%s: error %d\n",
		       sbi->vol->host.name, sbi->ident, ret);
		put_and_free(sys);
		return ret;
	}
	sys->debugfs = sfs_debugfs_add(sbi);
	sbi->sysfs = sys;
	return 0;
}

void sfs_sysfs_remove(struct sfs_sb *sbi)
{
	struct sfs_sysfs *sys = sbi->sysfs;

	if (!sys)
		return;
	sbi->sysfs = NULL;
	sfs_debugfs_remove(sys->debugfs);
	kobject_del(&sys->kobj);
	put_and_free(sys);
}

int sfs_sysfs_init(void)
{
	int ret;

	ret = make_group(&top_group, top_files, ARRAY_SIZE(top_files));
	if (ret == 0)
		ret = make_group(&volume_group, volume_files,
				 ARRAY_SIZE(volume_files));
	if (ret == 0)
		ret = make_options();
	if (ret == 0)
		ret = make_counters();
	if (ret < 0)
		goto err_tables;
	scoutfs_kset = kset_create_and_add("scoutfs", NULL, fs_kobj);
	if (!scoutfs_kset) {
		ret = -ENOMEM;
		goto err_tables;
	}
	sfs_debugfs_init();
	return 0;
err_tables:
	free_tables();
	return ret;
}

void sfs_sysfs_exit(void)
{
	sfs_debugfs_exit();
	kset_unregister(scoutfs_kset);
	free_tables();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * For whoever looks for the reason of something, as root: what the core has in
 * memory, as text, and test triggers, below
 * /sys/kernel/debug/scoutfs/f.FSID.r.RID/.
 *
 * A dump is taken as a whole when its file is opened, into memory that is
 * bounded, and read from there: the core holds nothing for a slow reader, and
 * what one reads fits together.  The copy belongs to the open file and goes
 * with it, also after the mount has gone.
 *
 * debugfs counts who is inside of open, read and write, and removal waits for
 * them; release runs in any case and touches nothing but the copy.  Open files
 * hold the module.
 *
 * Triggers are armed per volume, so in the directories of all its mounts at
 * once.  Not armed they cost the core one read of a line that nobody writes.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "debugfs.h"
#include "fs.h"

/* What is longer is cut, and says so. */
#define MAX_SNAPSHOT (4U << 20)
#define FIRST_SNAPSHOT (4U << 10)

struct dump_file {
	struct sfs_fs *fs;		/* I */
	int nr;				/* I */
};

struct arm_file {
	struct sfs_host *host;		/* I */
	unsigned int nr;		/* I */
};

struct sfs_debugfs {
	struct dentry *dir;		/* I */
	struct arm_file arms[SFS_NR_ARMS]; /* I */
	struct dump_file dumps[];	/* I */
};

static struct dentry *root_dir;		/* I */

/* ---- dumps -------------------------------------------------------------------- */

struct snapshot {
	char *text;
	size_t len;
	size_t size;
	int err;
};

static bool grow(struct snapshot *snap, size_t more)
{
	size_t size = snap->size ?: FIRST_SNAPSHOT;
	char *text;

	while (size < snap->len + more)
		size *= 2;
	if (size == snap->size)
		return true;
	text = kvmalloc(size, GFP_KERNEL);
	if (!text) {
		snap->err = -ENOMEM;
		return false;
	}
	if (snap->len)
		memcpy(text, snap->text, snap->len);
	kvfree(snap->text);
	snap->text = text;
	snap->size = size;
	return true;
}

static int append_line(void *arg, const char *text)
{
	static const char cut[] = "... and more\n";
	struct snapshot *snap = arg;
	size_t len = strlen(text);
	bool full = snap->len + len + sizeof(cut) > MAX_SNAPSHOT;

	if (full) {
		text = cut;
		len = sizeof(cut) - 2;
	}
	if (!grow(snap, len + 1))
		return snap->err;
	memcpy(snap->text + snap->len, text, len);
	snap->text[snap->len + len] = '\n';
	snap->len += len + 1;
	return full ? -EFBIG : 0;
}

static int dump_open(struct inode *inode, struct file *file)
{
	struct dump_file *df = inode->i_private;
	struct snapshot *snap;
	int ret;

	snap = kzalloc(sizeof(*snap), GFP_KERNEL);
	if (!snap)
		return -ENOMEM;
	sfs_dump(df->fs, df->nr, append_line, snap);
	ret = snap->err;
	if (ret < 0) {
		kvfree(snap->text);
		kfree(snap);
		return ret;
	}
	file->private_data = snap;
	return nonseekable_open(inode, file);
}

static ssize_t dump_read(struct file *file, char __user *buf, size_t len,
			 loff_t *pos)
{
	struct snapshot *snap = file->private_data;

	return simple_read_from_buffer(buf, len, pos, snap->text, snap->len);
}

static int dump_release(struct inode *inode, struct file *file)
{
	struct snapshot *snap = file->private_data;

	kvfree(snap->text);
	kfree(snap);
	return 0;
}

static const struct file_operations dump_fops = {
	.owner = THIS_MODULE,
	.open = dump_open,
	.read = dump_read,
	.release = dump_release,
};

/* ---- triggers ------------------------------------------------------------------ */

int sfs_arm_fires(struct sfs_host *host, unsigned int trigger)
{
	struct sfs_arm *arm;
	int every;

	if (trigger >= SFS_NR_ARMS)
		return 0;
	arm = &host->arms[trigger];
	every = atomic_read(&arm->every);
	if (likely(!every))
		return 0;
	if (every < 0) {
		if (atomic_cmpxchg(&arm->every, every, 0) != every)
			return 0;
	} else if ((unsigned int)atomic_inc_return(&arm->asked) % every) {
		return 0;
	}
	atomic_inc(&arm->fired);
	return 1;
}

static ssize_t arm_read(struct file *file, char __user *buf, size_t len,
			loff_t *pos)
{
	struct arm_file *af = file->private_data;
	struct sfs_arm *arm = &af->host->arms[af->nr];
	int every = atomic_read(&arm->every);
	int fired = atomic_read(&arm->fired);
	char text[48];
	int n;

	if (every < 0)
		n = scnprintf(text, sizeof(text), "once, fired %d\n", fired);
	else
		n = scnprintf(text, sizeof(text), "%d, fired %d\n", every,
			      fired);
	return simple_read_from_buffer(buf, len, pos, text, n);
}

static ssize_t arm_write(struct file *file, const char __user *buf, size_t len,
			 loff_t *pos)
{
	struct arm_file *af = file->private_data;
	struct sfs_arm *arm = &af->host->arms[af->nr];
	char text[16];
	int every;
	int ret;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, len))
		return -EFAULT;
	text[len] = '\0';
	if (sysfs_streq(text, "once")) {
		every = -1;
	} else {
		ret = kstrtoint(text, 10, &every);
		if (ret < 0)
			return ret;
		if (every < 0)
			return -EINVAL;
	}
	atomic_set(&arm->asked, 0);
	atomic_set(&arm->every, every);
	return len;
}

static const struct file_operations arm_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = arm_read,
	.write = arm_write,
	.llseek = noop_llseek,
};

/* ---- directories ----------------------------------------------------------------- */

static void add_triggers(struct sfs_debugfs *dfs, struct sfs_host *host)
{
	struct dentry *dir = debugfs_create_dir("trigger", dfs->dir);
	const char *name;
	unsigned int i;

	for (i = 0; i < SFS_NR_ARMS && (name = sfs_trigger_name(i)); i++) {
		dfs->arms[i].host = host;
		dfs->arms[i].nr = i;
		debugfs_create_file(name, 0600, dir, &dfs->arms[i], &arm_fops);
	}
}

struct sfs_debugfs *sfs_debugfs_add(struct sfs_sb *sbi)
{
	struct sfs_debugfs *dfs;
	int nr = sfs_dumps_nr();
	int i;

	dfs = kzalloc(struct_size(dfs, dumps, nr), GFP_KERNEL);
	if (!dfs)
		return NULL;
	dfs->dir = debugfs_create_dir(sbi->ident, root_dir);
	for (i = 0; i < nr; i++) {
		dfs->dumps[i].fs = sbi->fs;
		dfs->dumps[i].nr = i;
		debugfs_create_file(sfs_dump_name(i), 0400, dfs->dir,
				    &dfs->dumps[i], &dump_fops);
	}
	add_triggers(dfs, &sbi->vol->host);
	return dfs;
}

void sfs_debugfs_remove(struct sfs_debugfs *dfs)
{
	if (!dfs)
		return;
	debugfs_remove(dfs->dir);
	kfree(dfs);
}

void sfs_debugfs_init(void)
{
	root_dir = debugfs_create_dir("scoutfs", NULL);
}

void sfs_debugfs_exit(void)
{
	debugfs_remove(root_dir);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module, mounting and unmounting.
 *
 * A volume that is mounted several times in one kernel has one superblock, as
 * with a filesystem on a disk: the caches are shared and nothing has to be
 * agreed on.  A mount with the option "separate" has one of its own, which is
 * to the others what a mount on another machine would be (docs/decisions/0017).
 * Which superblock serves a mount is decided in one place (same_super()).
 *
 * Order of an unmount, each step after the one before has ended: files in
 * sysfs; the VFS writes what is dirty and evicts its inodes, which closes them
 * in the core; the core publishes and leaves; the volume loses a user, and with
 * the last one its server stops and the devices are released.  The core leaves
 * in put_super, under s_umount: a mount of the same volume that comes meanwhile
 * waits for that, and so never reads what is about to be replaced.
 *
 * A read-only mount is one for the VFS: the core below it goes on deleting and
 * publishing.
 *
 * umount -f does not wait for a device for ever: see force_work().
 *
 * A mount that is down (the core could not publish) answers EIO until it has
 * been unmounted; what it had not published is gone, and the devices are not
 * marked as cleanly released.
 */
#include <linux/backing-dev.h>
#include <linux/completion.h>
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/workqueue.h>

#include "counters.h"
#include "fs.h"
#include "trace.h"

#define SCOUTFS_SUPER_MAGIC 0x554f4353
#define BLOCK_BITS 12
#define META_BLOCK 65536
#define BYTES_PER_INODE 2048	/* as df -i has always counted them */

/* How long umount -f waits for what is not published before it is given up. */
#define FORCE_PATIENCE_MS 5000
/* And for anything to happen, after which it goes on without having waited. */
#define FORCE_WAIT_MS 8000
#define FORCE_POLL_MS 100

/* Of the module: a work item may free its superblock. */
static struct workqueue_struct *force_wq;

/* fc->fs_private */
struct mount_ctx {
	struct sfs_options opts;
};

/* ---- operations ---------------------------------------------------------- */

static int sync_fs(struct super_block *sb, int wait)
{
	return wait ? sfs_sync(SFS_SB(sb)->fs) : 0;
}

static int statfs(struct dentry *dentry, struct kstatfs *buf)
{
	const u64 per_meta = META_BLOCK >> BLOCK_BITS;
	struct sfs_sb *sbi = SFS_SB(dentry->d_sb);
	u64 meta_free, data_free, meta_usable;
	struct sfs_statfs st;
	int ret;

	ret = sfs_statfs(sbi->fs, &st);
	if (ret < 0)
		return ret;
	meta_free = st.total_meta_blocks - st.used_meta_blocks;
	data_free = st.total_data_blocks - st.used_data_blocks;
	meta_usable = meta_free > st.reserved_meta_blocks ?
		      meta_free - st.reserved_meta_blocks : 0;

	buf->f_type = SCOUTFS_SUPER_MAGIC;
	buf->f_bsize = 1 << BLOCK_BITS;
	buf->f_frsize = 1 << BLOCK_BITS;
	buf->f_namelen = SFS_NAME_MAX;
	buf->f_fsid = u64_to_fsid(st.fsid);
	buf->f_blocks = st.total_meta_blocks * per_meta + st.total_data_blocks;
	buf->f_bfree = meta_free * per_meta + data_free;
	buf->f_bavail = meta_usable * per_meta + data_free;
	buf->f_files = st.total_meta_blocks * (META_BLOCK / BYTES_PER_INODE);
	buf->f_ffree = meta_usable * (META_BLOCK / BYTES_PER_INODE);
	return 0;
}

static int show_options(struct seq_file *seq, struct dentry *root)
{
	return sfs_options_show(seq, &SFS_SB(root->d_sb)->opts);
}

/* ---- umount -f ----------------------------------------------------------- */

static void probe(struct sfs_sb *sbi, int dev, void *page)
{
	sfs_bdev_rw(sbi->vol->host.bdev[dev], REQ_OP_READ, 0, page, PAGE_SIZE);
}

/* What an unmount would wait for.  Ends when the devices have answered. */
static void settle(struct sfs_sb *sbi)
{
	struct super_block *sb = sbi->sb;
	void *page = (void *)__get_free_page(GFP_KERNEL);

	if (sfs_abort(sbi->fs, FORCE_PATIENCE_MS) < 0)
		pr_warn("scoutfs %s: unmount was forced, what was not published is lost; run fsck.scoutfs when the devices work\n",
			sbi->ident);
	down_read(&sb->s_umount);
	sync_filesystem(sb);
	up_read(&sb->s_umount);
	/* reads that nobody waits for any more: their folios do */
	if (page) {
		probe(sbi, SFS_DEV_META, page);
		probe(sbi, SFS_DEV_DATA, page);
	}
	free_page((unsigned long)page);
}

/*
 * Has a reference of the superblock.  Normally it is given back before the
 * unmount goes on, which then has the last one.  If a device does not answer in
 * time the unmount goes on without waiting and this is the last: what is left
 * of the mount is torn down here, when the device has completed what it was
 * given.  Until then module and devices are in use.
 */
static void force_work(struct work_struct *work)
{
	struct sfs_sb *sbi = container_of(work, struct sfs_sb, force_work);
	struct super_block *sb = sbi->sb;
	bool given_up;

	settle(sbi);
	spin_lock(&sbi->force_lock);
	given_up = sbi->given_up;
	if (!given_up) {
		sbi->forcing = false;
		/* not the last: who waits has one */
		WARN_ON_ONCE(!atomic_add_unless(&sb->s_active, -1, 1));
	}
	complete_all(&sbi->force_done);
	spin_unlock(&sbi->force_lock);
	if (!given_up)
		return;
	/* it may be in use still, and nothing tells when it no longer is */
	while (atomic_read(&sb->s_active) > 1)
		msleep(FORCE_POLL_MS);
	pr_info("scoutfs %s: the devices work again, the forced unmount ends\n",
		sbi->ident);
	deactivate_super(sb);
}

/* Whether this one begins it, or has to wait for another one. */
static void force_start(struct sfs_sb *sbi)
{
	bool start;

	spin_lock(&sbi->force_lock);
	start = !sbi->forcing;
	sbi->forcing = true;
	if (start) {
		reinit_completion(&sbi->force_done);
		atomic_inc(&sbi->sb->s_active);
	}
	spin_unlock(&sbi->force_lock);
	if (start)
		queue_work(force_wq, &sbi->force_work);
}

/* umount -f, before anything else of it. */
static void umount_begin(struct super_block *sb)
{
	struct sfs_sb *sbi = SFS_SB(sb);
	unsigned long left;
	bool given_up;
	u64 written;

	force_start(sbi);
	/* a device that is slow may have much to write; each step is bounded */
	do {
		written = sfs_vfs_counter_read(sbi, SFS_VC_vfs_ioends);
		left = wait_for_completion_timeout(&sbi->force_done,
					msecs_to_jiffies(FORCE_WAIT_MS));
	} while (!left && !sfs_host_fenced(&sbi->vol->host) &&
		 sfs_vfs_counter_read(sbi, SFS_VC_vfs_ioends) != written);
	spin_lock(&sbi->force_lock);
	given_up = sbi->forcing;
	sbi->given_up |= given_up;
	spin_unlock(&sbi->force_lock);
	if (!given_up)
		return;
	sfs_volume_abandon(sbi->vol);
	sfs_give_up(sbi->fs, "a forced unmount did not wait any longer for a device");
	pr_warn("scoutfs %s: a device does not answer: the forced unmount goes on without it; module and devices stay in use until it does\n",
		sbi->ident);
}

/* ---- leaving ------------------------------------------------------------- */

static void leave_core(struct sfs_sb *sbi)
{
	u64 fsid = sfs_fsid(sbi->fs);
	u64 rid = sfs_rid(sbi->fs);
	int ret;

	sfs_revoke_stop(sbi);
	ret = sfs_unmount(sbi->fs);
	if (ret < 0)
		sbi->failed = true;
	trace_sfs_unmount(sbi->sb, fsid, rid, ret);
}

/* The core leaves the volume; inodes have gone. */
static void leave(struct sfs_sb *sbi)
{
	if (sbi->sync_wq)
		destroy_workqueue(sbi->sync_wq);
	sbi->sync_wq = NULL;
	if (sbi->ioend_wq)
		destroy_workqueue(sbi->ioend_wq);
	sbi->ioend_wq = NULL;
	sfs_shrinker_destroy(sbi->shrinker);
	sbi->shrinker = NULL;
	if (sbi->fs)
		leave_core(sbi);
	sbi->fs = NULL;
}

static void put_super(struct super_block *sb)
{
	leave(SFS_SB(sb));
}

static const struct super_operations super_ops = {
	.alloc_inode = sfs_alloc_inode,
	.free_inode = sfs_free_inode,
	.evict_inode = sfs_evict_inode,
	.put_super = put_super,
	.sync_fs = sync_fs,
	.statfs = statfs,
	.show_options = show_options,
	.umount_begin = umount_begin,
};

/* ---- mounting ------------------------------------------------------------ */

static void sbi_free(struct sfs_sb *sbi)
{
	if (!sbi)
		return;
	if (sbi->vol)
		sfs_volume_put(sbi->vol, sbi->failed);
	sfs_revoke_exit(sbi);
	sfs_options_free(&sbi->opts);
	sfs_counters_release(sbi);
	mutex_destroy(&sbi->opts_lock);
	kfree(sbi);
}

static int start_core(struct sfs_sb *sbi)
{
	struct sfs_mount_opts mopts;
	int ret;

	sfs_options_mount(&sbi->opts, &mopts);
	ret = sfs_mount(&sbi->vol->host, sbi->vol->hub, &mopts, &sbi->fs);
	trace_sfs_mount(sbi->sb, sbi->vol->fsid,
			ret < 0 ? 0 : sfs_rid(sbi->fs), ret);
	if (ret < 0)
		return ret;
	sfs_revoke_start(sbi);
	sfs_volume_set_rid(sbi->vol, sfs_rid(sbi->fs));
	snprintf(sbi->ident, sizeof(sbi->ident), "f.%06llx.r.%06llx",
		 sfs_fsid(sbi->fs) >> 40, sfs_rid(sbi->fs) >> 40);
	return sfs_shrinker_create(sbi->fs, NULL, sbi->ident, &sbi->shrinker);
}

static void fill_fields(struct super_block *sb)
{
	sb->s_magic = SCOUTFS_SUPER_MAGIC;
	sb->s_blocksize = 1 << BLOCK_BITS;
	sb->s_blocksize_bits = BLOCK_BITS;
	sb->s_maxbytes = min_t(u64, SFS_MAX_FILE_SIZE, MAX_LFS_FILESIZE);
	sb->s_time_gran = 1;
	sb->s_time_min = S64_MIN;
	sb->s_time_max = S64_MAX;
	/* that a file has no privileges to drop is remembered until its lock goes */
	sb->s_flags |= SB_NOSEC;
	sb->s_op = &super_ops;
	sb->s_d_op = &sfs_dentry_ops;
	sb->s_export_op = &sfs_export_ops;
	sfs_set_xattr_handlers(sb, sfs_xattr_handlers);
}

/* What fails is undone by kill_sb(). */
static int fill_super(struct super_block *sb)
{
	struct sfs_sb *sbi = SFS_SB(sb);
	struct inode *root;
	int ret;

	fill_fields(sb);
	ret = super_setup_bdi(sb);
	if (ret < 0)
		return ret;
	sbi->ioend_wq = alloc_workqueue("scoutfs-ioend", WQ_MEM_RECLAIM, 0);
	sbi->sync_wq = alloc_workqueue("scoutfs-sync",
				       WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!sbi->ioend_wq || !sbi->sync_wq)
		return -ENOMEM;
	ret = start_core(sbi);
	if (ret < 0)
		return ret;
	root = sfs_iget(sb, SFS_ROOT_INO);
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->s_root = d_make_root(root);
	if (!sb->s_root)
		return -ENOMEM;
	return sfs_sysfs_add(sbi);
}

/* Does the superblock serve the mount that is being made? */
static int same_super(struct super_block *sb, struct fs_context *fc)
{
	struct sfs_sb *mine = fc->s_fs_info;

	return SFS_SB(sb)->vol == mine->vol && !mine->opts.separate &&
	       !SFS_SB(sb)->opts.separate;
}

static int share_super(struct super_block *sb, struct fs_context *fc)
{
	struct mount_ctx *ctx = fc->fs_private;

	if ((fc->sb_flags ^ sb->s_flags) & SB_RDONLY) {
		errorfc(fc, "the volume is mounted already, and %s",
		       sb_rdonly(sb) ? "read-only" : "for writing");
		return -EBUSY;
	}
	sfs_options_ignored(SFS_SB(sb), &ctx->opts);
	return 0;
}

static int open_volume(struct fs_context *fc)
{
	struct mount_ctx *ctx = fc->fs_private;
	struct sfs_sb *sbi;
	int ret;

	if (!fc->source || !*fc->source)
		return invalfc(fc, "the data device is missing: mount -t scoutfs -o metadev_path=METADATA-DEVICE DATA-DEVICE DIRECTORY");
	if (!ctx->opts.metadev_path)
		return invalfc(fc, "option metadev_path is missing: -o metadev_path=METADATA-DEVICE");
	sbi = kzalloc(sizeof(*sbi), GFP_KERNEL);
	if (!sbi)
		return -ENOMEM;
	mutex_init(&sbi->opts_lock);
	sfs_revoke_init(sbi);
	spin_lock_init(&sbi->force_lock);
	init_completion(&sbi->force_done);
	INIT_WORK(&sbi->force_work, force_work);
	fc->s_fs_info = sbi;
	sbi->opts = ctx->opts;
	sbi->opts.metadev_path = kstrdup(ctx->opts.metadev_path, GFP_KERNEL);
	if (!sbi->opts.metadev_path)
		return -ENOMEM;
	ret = sfs_counters_alloc(sbi);
	if (ret < 0)
		return ret;
	return sfs_volume_get(fc, fc->source, ctx->opts.metadev_path,
			      ctx->opts.force, &sbi->vol);
}

static int get_tree(struct fs_context *fc)
{
	struct super_block *sb;
	int ret;

	ret = open_volume(fc);
	if (ret < 0)
		return ret;
	sb = sget_fc(fc, same_super, set_anon_super_fc);
	if (IS_ERR(sb))
		return PTR_ERR(sb);
	if (sb->s_root) {
		ret = share_super(sb, fc);
	} else {
		SFS_SB(sb)->sb = sb;
		ret = fill_super(sb);
		if (ret == 0)
			sb->s_flags |= SB_ACTIVE;
	}
	if (ret < 0) {
		deactivate_locked_super(sb);
		return ret;
	}
	fc->root = dget(sb->s_root);
	return 0;
}

static int reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	struct mount_ctx *ctx = fc->fs_private;
	int ret;

	ret = sync_filesystem(sb);
	return ret ?: sfs_options_change(fc, SFS_SB(sb), &ctx->opts);
}

static int parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct mount_ctx *ctx = fc->fs_private;

	return sfs_options_parse(fc, &ctx->opts, param);
}

static void free_fc(struct fs_context *fc)
{
	struct mount_ctx *ctx = fc->fs_private;

	sbi_free(fc->s_fs_info);
	sfs_options_free(&ctx->opts);
	kfree(ctx);
}

static const struct fs_context_operations context_ops = {
	.parse_param = parse_param,
	.get_tree = get_tree,
	.reconfigure = reconfigure,
	.free = free_fc,
};

static int init_fs_context(struct fs_context *fc)
{
	struct mount_ctx *ctx;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	sfs_options_default(&ctx->opts);
	fc->fs_private = ctx;
	fc->ops = &context_ops;
	return 0;
}

static void kill_sb(struct super_block *sb)
{
	struct sfs_sb *sbi = SFS_SB(sb);

	sfs_sysfs_remove(sbi);
	/* they have inodes */
	if (sbi->sync_wq)
		flush_workqueue(sbi->sync_wq);
	kill_anon_super(sb);
	/* of a mount that did not get as far as its root */
	leave(sbi);
	sbi_free(sbi);
}

static struct file_system_type fs_type = {
	.owner = THIS_MODULE,
	.name = "scoutfs",
	.parameters = sfs_fs_parameters,
	.init_fs_context = init_fs_context,
	.kill_sb = kill_sb,
};

/* ---- the module ---------------------------------------------------------- */

static int __init scoutfs_init(void)
{
	int ret;

	force_wq = alloc_workqueue("scoutfs-force", WQ_UNBOUND, 0);
	if (!force_wq)
		return -ENOMEM;
	ret = sfs_inode_cache_init();
	if (ret < 0)
		goto err_wq;
	ret = sfs_sysfs_init();
	if (ret < 0)
		goto err_cache;
	ret = register_filesystem(&fs_type);
	if (ret < 0)
		goto err_sysfs;
	return 0;
err_sysfs:
	sfs_sysfs_exit();
err_cache:
	sfs_inode_cache_exit();
err_wq:
	destroy_workqueue(force_wq);
	return ret;
}

static void __exit scoutfs_exit(void)
{
	unregister_filesystem(&fs_type);
	/* its last work item may be about to return */
	destroy_workqueue(force_wq);
	sfs_sysfs_exit();
	sfs_inode_cache_exit();
}

module_init(scoutfs_init);
module_exit(scoutfs_exit);

MODULE_DESCRIPTION("scoutfs, a clustered filesystem for archives");
MODULE_LICENSE("GPL");
MODULE_ALIAS_FS("scoutfs");

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module: registers the filesystem with the VFS.
 *
 * The whole core is linked in, but nothing connects it with the VFS yet: a
 * mount answers EOPNOTSUPP and says which program can mount the volume.  Every
 * option is accepted before that, so that this is the answer whatever the
 * command line was.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/init.h>
#include <linux/module.h>

#include "compat.h"

static int parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	return 0;
}

static int get_tree(struct fs_context *fc)
{
	errorf(fc, "scoutfs: this module can not mount yet, use mount.scoutfs and scoutfs-fuse");
	return -EOPNOTSUPP;
}

static const struct fs_context_operations context_ops = {
	.parse_param = parse_param,
	.get_tree = get_tree,
};

static int init_fs_context(struct fs_context *fc)
{
	fc->ops = &context_ops;
	return 0;
}

static struct file_system_type fs_type = {
	.owner = THIS_MODULE,
	.name = "scoutfs",
	.init_fs_context = init_fs_context,
	.kill_sb = kill_anon_super,
};

static int __init scoutfs_init(void)
{
	return register_filesystem(&fs_type);
}

static void __exit scoutfs_exit(void)
{
	unregister_filesystem(&fs_type);
}

module_init(scoutfs_init);
module_exit(scoutfs_exit);

MODULE_DESCRIPTION("scoutfs, a clustered filesystem for archives");
MODULE_LICENSE("GPL");
MODULE_ALIAS_FS("scoutfs");

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_FS_H
#define SFS_KERNEL_FS_H

/*
 * What the files of the VFS side share.
 *
 * Floors, each calling downwards only:
 *
 *	super.c options.c		mounting
 *	dir.c file.c export.c ioctl.c	operations of the VFS
 *	aops.c xattr.c			page cache and extents; attributes
 *	inode.c cred.c			VFS inodes and the core's; who is asking
 *	volume.c owner.c shrinker.c	devices and server, shared by superblocks; memory
 *	port_block.c port_env.c		ports
 *
 * Locks, outermost first:
 *
 *	i_rwsem (parents before children, as the VFS takes them; sfs_iget() may
 *	wait for that of the inode it finds, so it counts as a child)
 *	mapping->invalidate_lock
 *	folio locks, then writeback
 *	the core's ilocks (sfs_ilock_*), around each call of the core that asks
 *	for Excl() or Shared(); nothing of the VFS is taken under them
 *	ki->lock
 *
 * The core's own waits (for a publish, for room) never wait for a folio, an
 * inode or anything else above, so they may happen under all of these.
 *
 * The core has the truth about an inode; the VFS inode is a copy.  Except for
 * regular files' size and times of modification: between a write and the end
 * of its writeback the VFS inode is ahead (aops.c).
 */

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/fs_parser.h>
#include <linux/iomap.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "api.h"
#include "compat.h"
#include "volume.h"

struct sfs_sysfs;
struct sfs_vfs_counters;

/* Values of mount options; names, ranges and defaults: options.c. */
struct sfs_options {
	char *metadev_path;		/* kmalloc'ed */
	s64 quorum_slot_nr;
	s64 acl;
	s64 data_prealloc_blocks;
	s64 data_prealloc_contig_only;
	s64 ino_alloc_per_lock;
	s64 lock_idle_count;
	s64 log_merge_wait_timeout_ms;
	s64 orphan_scan_delay_ms;
	s64 quorum_heartbeat_timeout_ms;
	s64 tcp_keepalive_timeout_ms;
	s64 commit_interval_ms;
	s64 force;
	unsigned long seen;		/* by place in the list: was given */
};

/* sb->s_fs_info */
struct sfs_sb {
	struct super_block *sb;		/* I */
	struct sfs_volume *vol;		/* I */
	struct sfs_fs *fs;		/* I: the mount of the core */
	struct sfs_shrinker *shrinker;	/* I: of its cache */
	struct sfs_options opts;	/* L(opts_lock); read anywhere, READ_ONCE */
	struct mutex opts_lock;		/* who changes options: remount, sysfs */
	struct sfs_sysfs *sysfs;	/* I: NULL until the root is there */
	struct sfs_vfs_counters __percpu *counters; /* I: counters.h */
	struct workqueue_struct *ioend_wq; /* I: ends of writeback, aops.c */
	struct workqueue_struct *sync_wq; /* I: sfs_write_and_wait() */
	/* umount -f, super.c */
	struct work_struct force_work;
	struct completion force_done;
	spinlock_t force_lock;
	bool forcing;			/* L(force_lock): the work has a reference */
	bool given_up;			/* L(force_lock): and keeps it */
	bool failed;			/* O(unmount): the last publish failed */
	char ident[32];			/* I: "f.XXXXXX.r.XXXXXX" */
};

static inline struct sfs_sb *SFS_SB(struct super_block *sb)
{
	return sb->s_fs_info;
}

enum sfs_ki_flags {
	SFS_KI_STALE,		/* the core has newer attributes, see sfs_ki_refresh() */
	SFS_KI_STALE_STAT,	/* the same, but mode and owner are as they were */
	SFS_KI_OPENED,		/* sfs_inode_open() succeeded for it */
	SFS_KI_LEAVING,		/* i_lock, to set: its last name goes, nobody else has it */
};

/* One VFS inode per inode number of a mount; allocated with 0s and a lock. */
struct sfs_ki {
	struct inode vfs;
	unsigned long flags;		/* enum sfs_ki_flags, atomic bit operations */
	/*
	 * Generation of the right to what is cached below this inode: names are
	 * valid while dentry->d_time is their directory's.  Never changes as
	 * long as a volume has one superblock in one cluster.
	 */
	unsigned long gen;
	struct mutex lock;		/* who refreshes */
	struct mutex flock_mutex;	/* who records file locks, lock.c */
	struct sfs_time crtime;		/* I */

	/* aops.c: ends of writeback that wait for their worker */
	spinlock_t ioend_lock;
	struct list_head ioends;	/* L(ioend_lock) */
	struct work_struct ioend_work;
	u32 map_seq;			/* L(ilock): counts changes of extents */
};

static inline struct sfs_ki *SFS_KI(const struct inode *inode)
{
	return container_of(inode, struct sfs_ki, vfs);
}

static inline struct sfs_fs *SFS_FS(const struct inode *inode)
{
	return SFS_SB(inode->i_sb)->fs;
}

/* ---- cred.c ---------------------------------------------------------------- */

/* The caller as the core knows it.  Lives on the stack between the two calls. */
struct sfs_caller {
	struct sfs_cred cred;
	u32 few[32];
	u32 *many;			/* kvmalloc'ed when there are more */
};
int sfs_caller_init(struct sfs_caller *c);
void sfs_caller_exit(struct sfs_caller *c);

/* ---- inode.c --------------------------------------------------------------- */

int sfs_inode_cache_init(void);
void sfs_inode_cache_exit(void);
struct inode *sfs_alloc_inode(struct super_block *sb);
void sfs_free_inode(struct inode *inode);
void sfs_evict_inode(struct inode *inode);

/*
 * The VFS inode of @ino, with a reference.  ERR_PTR: -ENOENT when it is gone,
 * -EIO, -ENOMEM.  Opens the inode in the core for as long as the VFS has it.
 */
struct inode *sfs_iget(struct super_block *sb, u64 ino);
/* The same of one that was just looked up or made and has these attributes. */
struct inode *sfs_iget_attr(struct super_block *sb, const struct sfs_attr *attr);

/* The core changed this inode; whoever wants attributes next reads them again. */
static inline void sfs_ki_stale(struct inode *inode)
{
	set_bit(SFS_KI_STALE, &SFS_KI(inode)->flags);
}
/*
 * The same after a change of anything but mode, uid and gid (an entry came or
 * went, blocks were allocated): permission to go through it needs no reading.
 */
static inline void sfs_ki_stale_stat(struct inode *inode)
{
	set_bit(SFS_KI_STALE_STAT, &SFS_KI(inode)->flags);
}
/* Reads attributes again if the core has newer ones. */
int sfs_ki_refresh(struct inode *inode);
/*
 * Takes what the core says over into the VFS inode.  Of a regular file size and
 * mtime move only if @all, and otherwise ctime and atime only forward: with
 * @all the caller has i_rwsem and knows that no writeback is behind (a new
 * inode, a new size).  Takes ki->lock.
 */
void sfs_ki_take(struct inode *inode, const struct sfs_attr *attr, bool all);

/*
 * After sfs_setattr() of @set, and under the same ilock: ends of writeback read
 * the times under it, so none brings back an older one.
 */
void sfs_ki_take_set(struct inode *inode, const struct sfs_setattr *set,
		     const struct sfs_attr *attr);

extern const struct inode_operations sfs_file_iops;	/* inode.c */
extern const struct inode_operations sfs_special_iops;	/* inode.c */
extern const struct inode_operations sfs_symlink_iops;	/* inode.c */
extern const struct inode_operations sfs_dir_iops;	/* dir.c */
extern const struct file_operations sfs_dir_fops;	/* dir.c */
extern const struct dentry_operations sfs_dentry_ops;	/* dir.c */
extern const struct file_operations sfs_file_fops;	/* file.c */
extern const struct address_space_operations sfs_aops;	/* aops.c */
extern const struct export_operations sfs_export_ops;	/* export.c */
extern const struct xattr_handler *const sfs_xattr_handlers[]; /* xattr.c */

int sfs_getattr_vfs(struct mnt_idmap *idmap, const struct path *path,
		    struct kstat *stat, u32 mask, unsigned int flags);
int sfs_setattr_vfs(struct mnt_idmap *idmap, struct dentry *dentry,
		    struct iattr *iattr);
int sfs_permission_vfs(struct mnt_idmap *idmap, struct inode *inode, int mask);
int sfs_update_time_vfs(struct inode *inode, SFS_UPDATE_TIME(time, flags));
int sfs_fsync_vfs(struct file *file, loff_t start, loff_t end, int datasync);

/* ---- aops.c ----------------------------------------------------------------- */

int sfs_write_and_wait(struct file *file, loff_t start, loff_t end);
void sfs_aops_init_inode(struct sfs_ki *ki);	/* of each new one */
/*
 * ATTR_SIZE of a regular file: page cache, writeback and the core in the right
 * order.  i_rwsem is held.  @set is what the core is to change, size included;
 * returns the attributes it has then.
 */
int sfs_set_size(struct inode *inode, const struct sfs_cred *cred,
		 const struct sfs_setattr *set, struct sfs_attr *ret_attr);
/*
 * sfs_stat_more() with everything in the page cache written first, and no write
 * meanwhile.  Takes i_rwsem shared and the invalidate lock.
 */
int sfs_stat_more_vfs(struct inode *inode, struct sfs_attr *ret_attr);
/*
 * [@pos, @pos + @len) is on the device: the core makes it part of the file as
 * far as it lies below @size, with the VFS inode's times.  May wait.
 */
int sfs_written(struct inode *inode, loff_t pos, loff_t len, loff_t size);
/*
 * Does the waiting for a later write to [@pos, @pos + @len), as far as it is
 * below the size, while the caller has no folio locked.
 */
int sfs_prepare_write(struct inode *inode, loff_t pos, loff_t len);
/* Before the file becomes longer: zeroes behind its end.  i_rwsem. */
int sfs_zero_eof(struct inode *inode);
/* st_blocks, given what the core counts: also what is not written back yet. */
u64 sfs_blocks_vfs(struct inode *inode, u64 blocks);
extern const struct iomap_ops sfs_iomap_read_ops;
extern const struct iomap_ops sfs_iomap_write_ops;
int sfs_fiemap(struct inode *inode, struct fiemap_extent_info *fieinfo,
	       u64 start, u64 len);

/* ---- ioctl.c, xattr.c -------------------------------------------------------- */

/* Of regular files and directories; all others ENOTTY. */
long sfs_ioctl_vfs(struct file *file, unsigned int cmd, unsigned long arg);
ssize_t sfs_listxattr_vfs(struct dentry *dentry, char *buf, size_t size);

/* ---- lock.c -------------------------------------------------------------------- */

int sfs_lock_vfs(struct file *file, int cmd, struct file_lock *fl);
int sfs_flock_vfs(struct file *file, int cmd, struct file_lock *fl);

/* ---- options.c ---------------------------------------------------------------- */

extern const struct fs_parameter_spec sfs_fs_parameters[];
void sfs_options_default(struct sfs_options *opts);
int sfs_options_parse(struct fs_context *fc, struct sfs_options *opts,
		      struct fs_parameter *param);
void sfs_options_free(struct sfs_options *opts);
/* Warns of options that @opts was given and that @sbi has with other values. */
void sfs_options_ignored(const struct sfs_sb *sbi,
			 const struct sfs_options *opts);
/*
 * Remount: what was given takes effect, all of it or with an error none.
 */
int sfs_options_change(struct fs_context *fc, struct sfs_sb *sbi,
		       const struct sfs_options *opts);
int sfs_options_show(struct seq_file *seq, const struct sfs_options *opts);
/* What of it the core wants to know. */
void sfs_options_mount(const struct sfs_options *opts,
		       struct sfs_mount_opts *ret_opts);
/*
 * The options that have a file below mount_options/: value as text without
 * newline (but quorum_slot_nr), or a new one that takes effect at once.
 * -EROFS for one that can not be changed at run time, -EINVAL with a log line
 * for a bad value.
 */
int sfs_options_nr(void);
const char *sfs_options_name(int i, umode_t *ret_mode);
int sfs_options_text(const struct sfs_options *opts, int i, char *buf,
		     size_t size);
int sfs_options_set(struct sfs_sb *sbi, int i, const char *text);

/* ---- counters.c, see counters.h ---------------------------------------------------- */

/* With the superblock's private part; release is for one without, too. */
int sfs_counters_alloc(struct sfs_sb *sbi);
void sfs_counters_release(struct sfs_sb *sbi);

/* ---- sysfs.c, debugfs.c --------------------------------------------------------- */

int sfs_sysfs_init(void);
void sfs_sysfs_exit(void);
/* Both are there as long as the mount; remove waits for open files to end. */
int sfs_sysfs_add(struct sfs_sb *sbi);
void sfs_sysfs_remove(struct sfs_sb *sbi);

#endif

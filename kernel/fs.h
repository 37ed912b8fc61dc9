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
 *	revoke.c			uses of cluster locks, giving them up
 *	volume.c owner.c shrinker.c	devices and server, shared by superblocks; memory
 *	port_block.c port_env.c		ports
 *
 * Locks, outermost first:
 *
 *	i_rwsem (parents before children, as the VFS takes them; sfs_iget() may
 *	wait for that of the inode it finds, so it counts as a child); mmap_lock
 *	uses of cluster locks, by ascending inode number (revoke.c)
 *	mapping->invalidate_lock
 *	folio locks, then writeback
 *	ki->core_sem, one or two inodes' (sfs_ki_excl_begin())
 *	ki->lock
 *
 * So whoever waits for a cluster lock holds none of those below it, the core's
 * own waits inside of its calls included: while something below is held, a use
 * of the inode's lock is there already, and the core enters it again without
 * waiting.  A revoke waits for uses to end, and then for folios, writeback and
 * ki->core_sem, which are held by those who have a use, or need none.  Faults
 * in user memory may take anything from mmap_lock on, so none happens in a use.
 *
 * Directories need no ki->core_sem: what changes one holds its i_rwsem.  The
 * core's ilocks and its rename lock are not used here.  Its worker, which has no
 * i_rwsem, leaves inodes alone that a VFS inode keeps (sfs_inode_keep()).
 *
 * The core's waits for a publish and for room never wait for a folio, an inode
 * or anything else above, so they may happen under all of these.
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
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

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
	s64 separate;
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

	/* revoke.c */
	struct list_head node;		/* L(vol->mounts_lock) */
	unsigned int upcalls;		/* L(vol->mounts_lock): that run */
	struct xarray groups;		/* inodes in memory, by groups of numbers */
	wait_queue_head_t revoke_wait;	/* for upcalls and ki->pins to be 0 */
	char ident[32];			/* I: "f.XXXXXX.r.XXXXXX" */
};

static inline struct sfs_sb *SFS_SB(struct super_block *sb)
{
	return sb->s_fs_info;
}

enum sfs_ki_flags {
	SFS_KI_STALE,		/* the core has newer attributes, see sfs_ki_refresh() */
	SFS_KI_STALE_STAT,	/* the same, but mode and owner are as they were */
	SFS_KI_KEPT,		/* sfs_inode_keep() succeeded for it */
	SFS_KI_GONE,		/* another mount has deleted it */
	SFS_KI_LEAVING,		/* i_lock, to set: its last name goes, nobody else has it */
};

/* One VFS inode per inode number of a mount; allocated with 0s and a lock. */
struct sfs_ki {
	struct inode vfs;
	unsigned long flags;		/* enum sfs_ki_flags, atomic bit operations */
	/*
	 * Generation of the right to what is cached of this inode, unlike that
	 * of any other and never 0: another one since the cluster lock was
	 * given up (revoke.c).  Names below it are valid while dentry->d_time
	 * is their directory's, attributes while @attr_gen is.  What is read
	 * from the core is cached under the generation from before the call.
	 */
	unsigned long gen;		/* A */
	unsigned long attr_gen;		/* L(lock), in a use; read anywhere */
	struct mutex lock;		/* who refreshes */
	struct rw_semaphore core_sem;	/* Excl(ino) and Shared(ino) of api.h */
	struct mutex flock_mutex;	/* who records file locks, lock.c */
	struct sfs_time crtime;		/* I */

	/* revoke.c */
	struct list_head group_node;	/* L(sbi->groups) */
	unsigned int pins;		/* L(sbi->groups): eviction waits for 0 */

	/* inode.c: open files, see sfs_ki_file_opened() */
	spinlock_t open_lock;
	unsigned int files;		/* L(open_lock) */
	bool in_use;			/* L(open_lock): sfs_inode_open() is on */
	bool no_linger;			/* L(open_lock): but only with open files */

	/* aops.c: ends of writeback that wait for their worker */
	spinlock_t ioend_lock;
	struct list_head ioends;	/* L(ioend_lock) */
	struct work_struct ioend_work;
	u32 map_seq;			/* L(core_sem): counts changes of extents */
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

/* ---- revoke.c -------------------------------------------------------------- */

/* With the superblock's private part; before the core has it, and after. */
void sfs_revoke_init(struct sfs_sb *sbi);
void sfs_revoke_exit(struct sfs_sb *sbi);
/* The core has the mount: its revokes find it.  Until stop, which waits. */
void sfs_revoke_start(struct sfs_sb *sbi);
void sfs_revoke_stop(struct sfs_sb *sbi);

/* Of a new VFS inode, before anything is read for it; -ENOMEM. */
int sfs_ki_register(struct sfs_ki *ki);
/* Nothing is cached in it any more.  Waits for revokes that look at it. */
void sfs_ki_unregister(struct sfs_ki *ki);
/* A generation that nothing has. */
unsigned long sfs_ki_new_gen(void);

/* A use of the cluster lock of an inode, as sfs_use_begin() of api.h. */
struct sfs_ki_use {
	struct sfs_use use;
	bool outermost;			/* lockdep knows of it */
};
int sfs_ki_use(struct inode *inode, u32 flags, struct sfs_ki_use *use);
void sfs_ki_unuse(struct inode *inode, struct sfs_ki_use *use);
/* The same, and attributes are the core's for as long as it lasts. */
int sfs_ki_use_fresh(struct inode *inode, u32 flags, struct sfs_ki_use *use);

/*
 * Uses for writing of directories and other inodes (each may be NULL), and the
 * latter, which are no directories, for the caller alone: for calls of the core
 * that name @a and @b as Excl().  The VFS holds their i_rwsem or they are known
 * to nobody else.  Killable.
 */
struct sfs_ki_excl {
	struct sfs_ki_use use[4];
	struct inode *used[4];		/* ascending */
	unsigned int nr;
	struct inode *locked[2];
};
int sfs_ki_excl_begin(struct sfs_ki_excl *ex, struct inode *a, struct inode *b,
		      struct inode *dir1, struct inode *dir2);
void sfs_ki_excl_end(struct sfs_ki_excl *ex);

/* ---- inode.c --------------------------------------------------------------- */

int sfs_inode_cache_init(void);
void sfs_inode_cache_exit(void);
struct inode *sfs_alloc_inode(struct super_block *sb);
void sfs_free_inode(struct inode *inode);
void sfs_evict_inode(struct inode *inode);

/*
 * The VFS inode of @ino, with a reference.  ERR_PTR: -ENOENT when it is gone,
 * -EIO, -ENOMEM.  Keeps the inode in the core for as long as the VFS has it.
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
/* Are attributes as they were when they were last read? */
static inline bool sfs_ki_is_fresh(const struct inode *inode)
{
	const struct sfs_ki *ki = SFS_KI(inode);

	return smp_load_acquire(&ki->attr_gen) == READ_ONCE(ki->gen) &&
	       !(READ_ONCE(ki->flags) &
		 (BIT(SFS_KI_STALE) | BIT(SFS_KI_STALE_STAT)));
}
/* Those of them that say who may do what. */
static inline bool sfs_ki_is_fresh_mode(const struct inode *inode)
{
	const struct sfs_ki *ki = SFS_KI(inode);

	return smp_load_acquire(&ki->attr_gen) == READ_ONCE(ki->gen) &&
	       !test_bit(SFS_KI_STALE, &ki->flags);
}
/*
 * Reads attributes again if the core has newer ones.  -ESTALE, and later on
 * -ENOENT: another mount has deleted the inode.
 */
int sfs_ki_refresh(struct inode *inode);
/* The same by who has a use of it, as one who goes by the size needs it. */
int sfs_ki_refresh_used(struct inode *inode);
/*
 * Takes what the core says over into the VFS inode.  Of a regular file size and
 * mtime stay, and ctime and atime move only forward: the VFS inode may be ahead.
 * In a use of the inode.  Takes ki->lock.
 */
void sfs_ki_take(struct inode *inode, const struct sfs_attr *attr);

/*
 * An open file more, one less.  An inode with open files is in use in the whole
 * cluster: -ESTALE when it is deleted already.
 */
int sfs_ki_file_opened(struct inode *inode);
void sfs_ki_file_closed(struct inode *inode);
/* Its lock goes: not in use any longer than it has open files. */
void sfs_ki_stop_lingering(struct sfs_ki *ki);
/* f_op->open of files without one of their own, and release. */
int sfs_open_vfs(struct inode *inode, struct file *file);
int sfs_release_vfs(struct inode *inode, struct file *file);

/*
 * After sfs_setattr() of @set, within the same sfs_ki_excl_begin(): ends of
 * writeback read the times there, so none brings back an older one.
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
 * meanwhile.  Takes i_rwsem and the invalidate lock.
 */
int sfs_stat_more_vfs(struct inode *inode, struct sfs_attr *ret_attr);
/*
 * [@pos, @pos + @len) is on the device: the core makes it part of the file as
 * far as it lies below @size, with the VFS inode's times.  May wait, but for no
 * cluster lock: this is what a revoke waits for.
 */
int sfs_written(struct inode *inode, loff_t pos, loff_t len, loff_t size);
/*
 * Does the waiting for a later write to [@pos, @pos + @len), as far as it is
 * below the size, while the caller has no folio locked.  In a use for writing.
 */
int sfs_prepare_write(struct inode *inode, loff_t pos, loff_t len);
/*
 * Before the file becomes longer: zeroes behind its end.  i_rwsem, and in a use
 * for writing.
 */
int sfs_zero_eof(struct inode *inode);
/* st_blocks, given what the core counts: also what is not written back yet. */
u64 sfs_blocks_vfs(struct inode *inode, u64 blocks);
/* Both in a use of the inode, for reading and for writing. */
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

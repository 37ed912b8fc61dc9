/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, system "scoutfs" (docs/operating.md lists them).
 *
 * One at each entry from the VFS, when it is done: with what it was asked for
 * and what it returned; one at each extent that the core maps, and at each end
 * of writeback; the core's rare events; each log line.  Inodes are shown with
 * the number of the superblock's device, since several mounts of a volume are
 * several superblocks.
 *
 * Names are cut to what fits, so that an event has a fixed size.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM scoutfs

#if !defined(SFS_KERNEL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SFS_KERNEL_TRACE_H

#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "api.h"

#ifndef SFS_TRACE_NAME_BYTES
#define SFS_TRACE_NAME_BYTES 48

static inline void sfs_trace_name(char *to, const char *name, unsigned int len)
{
	len = min_t(unsigned int, len, SFS_TRACE_NAME_BYTES - 1);
	memcpy(to, name, len);
	to[len] = '\0';
}
#endif

TRACE_DEFINE_ENUM(SFS_TRACE_FREEZE);
TRACE_DEFINE_ENUM(SFS_TRACE_PUBLISHED);
TRACE_DEFINE_ENUM(SFS_TRACE_EDIT);
TRACE_DEFINE_ENUM(SFS_TRACE_REFILL);
TRACE_DEFINE_ENUM(SFS_TRACE_COMPACT_BEGIN);
TRACE_DEFINE_ENUM(SFS_TRACE_COMPACT_STEP);
TRACE_DEFINE_ENUM(SFS_TRACE_COMPACT_END);
TRACE_DEFINE_ENUM(SFS_TRACE_CHECKPOINT);

#define show_core_event(event)						\
	__print_symbolic(event,						\
			 { SFS_TRACE_FREEZE, "freeze" },		\
			 { SFS_TRACE_PUBLISHED, "published" },		\
			 { SFS_TRACE_EDIT, "edit" },			\
			 { SFS_TRACE_REFILL, "refill" },		\
			 { SFS_TRACE_COMPACT_BEGIN, "compact-begin" },	\
			 { SFS_TRACE_COMPACT_STEP, "compact-step" },	\
			 { SFS_TRACE_COMPACT_END, "compact-end" },	\
			 { SFS_TRACE_CHECKPOINT, "checkpoint" })

/* ---- names: an operation on a name of a directory ------------------------------- */

DECLARE_EVENT_CLASS(sfs_name_class,
	TP_PROTO(const struct inode *dir, const struct qstr *name, u64 ino,
		 int ret),
	TP_ARGS(dir, name, ino, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, dir)
		__field(u64, ino)
		__field(int, ret)
		__array(char, name, SFS_TRACE_NAME_BYTES)
	),
	TP_fast_assign(
		__entry->dev = dir->i_sb->s_dev;
		__entry->dir = dir->i_ino;
		__entry->ino = ino;
		__entry->ret = ret;
		sfs_trace_name(__entry->name, name->name, name->len);
	),
	TP_printk("dev %d:%d dir %llu name %s ino %llu ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->dir,
		  __entry->name, __entry->ino, __entry->ret)
);

#define SFS_NAME_EVENT(event)						\
DEFINE_EVENT(sfs_name_class, event,					\
	TP_PROTO(const struct inode *dir, const struct qstr *name, u64 ino, \
		 int ret),						\
	TP_ARGS(dir, name, ino, ret))

SFS_NAME_EVENT(sfs_lookup);
SFS_NAME_EVENT(sfs_create);
SFS_NAME_EVENT(sfs_symlink);
SFS_NAME_EVENT(sfs_link);
SFS_NAME_EVENT(sfs_unlink);
SFS_NAME_EVENT(sfs_rename_from);
SFS_NAME_EVENT(sfs_rename_to);
/* a cached name was checked; ret is what d_revalidate returned */
SFS_NAME_EVENT(sfs_revalidate);

/* ---- inodes ------------------------------------------------------------------------ */

DECLARE_EVENT_CLASS(sfs_inode_class,
	TP_PROTO(const struct inode *inode, int ret),
	TP_ARGS(inode, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(umode_t, mode)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->mode = inode->i_mode;
		__entry->ret = ret;
	),
	TP_printk("dev %d:%d ino %llu mode 0%o ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->mode, __entry->ret)
);

#define SFS_INODE_EVENT(event)						\
DEFINE_EVENT(sfs_inode_class, event,					\
	TP_PROTO(const struct inode *inode, int ret),			\
	TP_ARGS(inode, ret))

SFS_INODE_EVENT(sfs_iget);
SFS_INODE_EVENT(sfs_refresh);
SFS_INODE_EVENT(sfs_evict);
SFS_INODE_EVENT(sfs_fsync);
SFS_INODE_EVENT(sfs_readdir);

TRACE_EVENT(sfs_setattr,
	TP_PROTO(const struct inode *inode, unsigned int mask, u64 size,
		 int ret),
	TP_ARGS(inode, mask, size, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, size)
		__field(unsigned int, mask)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->size = size;
		__entry->mask = mask;
		__entry->ret = ret;
	),
	TP_printk("dev %d:%d ino %llu ia_valid %#x size %llu ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->mask, __entry->size, __entry->ret)
);

TRACE_EVENT(sfs_ioctl,
	TP_PROTO(const struct inode *inode, unsigned int cmd, long ret),
	TP_ARGS(inode, cmd, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(unsigned int, cmd)
		__field(long, ret)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->cmd = cmd;
		__entry->ret = ret;
	),
	TP_printk("dev %d:%d ino %llu cmd %#x ret %ld",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->cmd, __entry->ret)
);

DECLARE_EVENT_CLASS(sfs_xattr_class,
	TP_PROTO(const struct inode *inode, const char *name, ssize_t ret),
	TP_ARGS(inode, name, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(ssize_t, ret)
		__array(char, name, SFS_TRACE_NAME_BYTES)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->ret = ret;
		sfs_trace_name(__entry->name, name, strlen(name));
	),
	TP_printk("dev %d:%d ino %llu name %s ret %zd",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->name, __entry->ret)
);

#define SFS_XATTR_EVENT(event)						\
DEFINE_EVENT(sfs_xattr_class, event,					\
	TP_PROTO(const struct inode *inode, const char *name, ssize_t ret), \
	TP_ARGS(inode, name, ret))

SFS_XATTR_EVENT(sfs_getxattr);
SFS_XATTR_EVENT(sfs_setxattr);

/* ---- contents ------------------------------------------------------------------------ */

/* A range of a file in bytes; ret is bytes or an error. */
DECLARE_EVENT_CLASS(sfs_io_class,
	TP_PROTO(const struct inode *inode, loff_t pos, u64 len, ssize_t ret),
	TP_ARGS(inode, pos, len, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(loff_t, pos)
		__field(u64, len)
		__field(ssize_t, ret)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->pos = pos;
		__entry->len = len;
		__entry->ret = ret;
	),
	TP_printk("dev %d:%d ino %llu pos %lld len %llu ret %zd",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->pos, __entry->len, __entry->ret)
);

#define SFS_IO_EVENT(event)						\
DEFINE_EVENT(sfs_io_class, event,					\
	TP_PROTO(const struct inode *inode, loff_t pos, u64 len,	\
		 ssize_t ret),						\
	TP_ARGS(inode, pos, len, ret))

SFS_IO_EVENT(sfs_read);
SFS_IO_EVENT(sfs_write);
SFS_IO_EVENT(sfs_direct_read);
SFS_IO_EVENT(sfs_direct_write);
SFS_IO_EVENT(sfs_fault_write);
SFS_IO_EVENT(sfs_writeback);
/* a transfer of writeback has ended and the core has been told */
SFS_IO_EVENT(sfs_ioend);

/* What the core answered, in blocks of 4 KiB; flags are enum sfs_extent_flags. */
DECLARE_EVENT_CLASS(sfs_extent_class,
	TP_PROTO(const struct inode *inode, const struct sfs_extent *ext),
	TP_ARGS(inode, ext),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, block)
		__field(u64, count)
		__field(u64, phys)
		__field(u8, flags)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->block = ext->block;
		__entry->count = ext->count;
		__entry->phys = ext->phys;
		__entry->flags = ext->flags;
	),
	TP_printk("dev %d:%d ino %llu block %llu count %llu phys %llu flags %#x",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->block, __entry->count, __entry->phys,
		  __entry->flags)
);

#define SFS_EXTENT_EVENT(event)						\
DEFINE_EVENT(sfs_extent_class, event,					\
	TP_PROTO(const struct inode *inode, const struct sfs_extent *ext), \
	TP_ARGS(inode, ext))

SFS_EXTENT_EVENT(sfs_map_read);
SFS_EXTENT_EVENT(sfs_map_write);

/* The core was told that these blocks have been written. */
TRACE_EVENT(sfs_map_written,
	TP_PROTO(const struct inode *inode, u64 block, u64 count, int ret),
	TP_ARGS(inode, block, count, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, block)
		__field(u64, count)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->block = block;
		__entry->count = count;
		__entry->ret = ret;
	),
	TP_printk("dev %d:%d ino %llu block %llu count %llu ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->block, __entry->count, __entry->ret)
);

/* ---- mounts and the core ---------------------------------------------------------------- */

DECLARE_EVENT_CLASS(sfs_mount_class,
	TP_PROTO(const struct super_block *sb, u64 fsid, u64 rid, int ret),
	TP_ARGS(sb, fsid, rid, ret),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, fsid)
		__field(u64, rid)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->dev = sb->s_dev;
		__entry->fsid = fsid;
		__entry->rid = rid;
		__entry->ret = ret;
	),
	TP_printk("dev %d:%d fsid %016llx rid %016llx ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->fsid,
		  __entry->rid, __entry->ret)
);

#define SFS_MOUNT_EVENT(event)						\
DEFINE_EVENT(sfs_mount_class, event,					\
	TP_PROTO(const struct super_block *sb, u64 fsid, u64 rid, int ret), \
	TP_ARGS(sb, fsid, rid, ret))

SFS_MOUNT_EVENT(sfs_mount);
SFS_MOUNT_EVENT(sfs_unmount);

/* sfs_port_trace(), see port.h for the meaning of the numbers */
TRACE_EVENT(sfs_core,
	TP_PROTO(const char *host, int event, s64 a, s64 b, s64 c),
	TP_ARGS(host, event, a, b, c),
	TP_STRUCT__entry(
		__array(char, host, SFS_TRACE_NAME_BYTES)
		__field(int, event)
		__field(s64, a)
		__field(s64, b)
		__field(s64, c)
	),
	TP_fast_assign(
		sfs_trace_name(__entry->host, host, strlen(host));
		__entry->event = event;
		__entry->a = a;
		__entry->b = b;
		__entry->c = c;
	),
	TP_printk("%s %s %lld %lld %lld", __entry->host,
		  show_core_event(__entry->event), __entry->a, __entry->b,
		  __entry->c)
);

/* each line of the log, also those that are left out there as too many */
TRACE_EVENT(sfs_log,
	TP_PROTO(const char *host, int level, struct va_format *vaf),
	TP_ARGS(host, level, vaf),
	TP_STRUCT__entry(
		__array(char, host, SFS_TRACE_NAME_BYTES)
		__field(int, level)
		__vstring(text, vaf->fmt, vaf->va)
	),
	TP_fast_assign(
		sfs_trace_name(__entry->host, host, strlen(host));
		__entry->level = level;
		__assign_vstr(text, vaf->fmt, vaf->va);
	),
	TP_printk("%s level %d: %s", __entry->host, __entry->level,
		  __get_str(text))
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

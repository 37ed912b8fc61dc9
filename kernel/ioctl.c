/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The questions that archive software asks through ioctl(2), see
 * include/scoutfs/ioctl.h.
 *
 * Memory of the caller is touched while nothing is held: no lock of the core or
 * the VFS, no reservation.  It may be a mapping of a file on this very mount,
 * even of the one that is asked about, and a fault then reads or maps blocks
 * like any other.  So answers are collected in memory of our own, a bounded
 * amount at a time, and copied out afterwards.
 *
 * What is copied out starts as zeroes, or all of it is assigned, padding
 * included; no byte behind the answer is written.
 *
 * Commands are told apart by their whole value: numbers have been used twice.
 * All others are ENOTTY, those of 32-bit processes among them (file_operations
 * without a compat_ioctl), and SCOUTFS_IOC_INLINE, which is there for daemons
 * that can not reach their callers' memory.
 *
 * A walk sees what this mount did before it: it publishes that first.  Contents
 * that are in the page cache alone have not happened yet in this sense.  They
 * have when fsync, sync or the kernel's own writeback has written them: to write
 * all dirty pages of the mount at each walk would make an agent that asks every
 * second undo what the page cache is for.
 *
 * Locks: of the ones that the calls into the core ask for; see aops.c for what
 * stat_more takes besides.
 */
#include <linux/build_bug.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "counters.h"
#include "fs.h"
#include "scoutfs/ioctl.h"
#include "trace.h"

#define WALK_CHUNK 2048
#define DETAIL_MIN 256
#define DETAIL_MAX (1U << 20)

static long to_user(u64 addr, const void *data, size_t len)
{
	return copy_to_user(u64_to_user_ptr(addr), data, len) ? -EFAULT : 0;
}

/* ---- walk_inodes ------------------------------------------------------------- */

/* One chunk as the core gives it, and as the caller gets it. */
struct walk_bufs {
	u32 nr;				/* room in each */
	struct sfs_walk_entry *ents;
	struct scoutfs_ioctl_walk_inodes_entry *out;
};

static struct sfs_walk_entry
walk_position(const struct scoutfs_ioctl_walk_inodes_entry *e)
{
	return (struct sfs_walk_entry) {
		.major = e->major,
		.ino = e->ino,
		.minor = e->minor,
	};
}

static void walk_to_wire(const struct walk_bufs *bufs, u32 nr)
{
	u32 i;

	memset(bufs->out, 0, nr * sizeof(bufs->out[0]));
	for (i = 0; i < nr; i++) {
		bufs->out[i].major = bufs->ents[i].major;
		bufs->out[i].ino = bufs->ents[i].ino;
	}
}

/* The position behind @pos; false when there is none. */
static bool walk_next(struct sfs_walk_entry *pos)
{
	if (++pos->ino)
		return true;
	if (++pos->minor)
		return true;
	return ++pos->major;
}

/* Copies out in chunks.  Entries stored before an error are the answer. */
static long walk(struct sfs_fs *fs, const struct scoutfs_ioctl_walk_inodes *in,
		 const struct walk_bufs *bufs)
{
	struct sfs_walk_entry first = walk_position(&in->first);
	struct sfs_walk_entry last = walk_position(&in->last);
	u32 want = min_t(u32, in->nr_entries, S32_MAX);
	u32 done = 0;
	u32 nr;
	long ret = 0;

	while (done < want) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		nr = min(want - done, bufs->nr);
		ret = sfs_walk_inodes(fs, in->index, &first, &last, bufs->ents,
				      nr);
		if (ret <= 0)
			break;
		nr = ret;
		walk_to_wire(bufs, nr);
		ret = to_user(in->entries_ptr + done * sizeof(bufs->out[0]),
			      bufs->out, nr * sizeof(bufs->out[0]));
		if (ret < 0)
			break;
		done += nr;
		first = bufs->ents[nr - 1];
		first.minor = 0;
		if (!walk_next(&first))
			break;
		cond_resched();
	}
	return done ? done : ret;
}

static long walk_inodes(struct inode *inode, void __user *arg)
{
	struct scoutfs_ioctl_walk_inodes in;
	struct walk_bufs bufs;
	long ret;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	if (in.index != SCOUTFS_IOC_WALK_INODES_META_SEQ &&
	    in.index != SCOUTFS_IOC_WALK_INODES_DATA_SEQ)
		return -EINVAL;
	if (!in.nr_entries)
		return 0;
	ret = sfs_sync(SFS_FS(inode));
	if (ret < 0)
		return ret;
	bufs.nr = min_t(u32, in.nr_entries, WALK_CHUNK);
	bufs.ents = kvmalloc_array(bufs.nr, sizeof(*bufs.ents),
				   GFP_KERNEL_ACCOUNT);
	bufs.out = kvmalloc_array(bufs.nr, sizeof(*bufs.out),
				  GFP_KERNEL_ACCOUNT);
	ret = -ENOMEM;
	if (bufs.ents && bufs.out)
		ret = walk(SFS_FS(inode), &in, &bufs);
	kvfree(bufs.ents);
	kvfree(bufs.out);
	return ret;
}

/* ---- ino_path ------------------------------------------------------------------ */

static long ino_path(struct inode *inode, void __user *arg)
{
	struct scoutfs_ioctl_ino_path_result *res;
	struct scoutfs_ioctl_ino_path in;
	u64 dir_ino = 0;
	u64 dir_pos = 0;
	long ret;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	if (!capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	if (in.result_bytes <= sizeof(*res))
		return -ENAMETOOLONG;
	res = kvzalloc(in.result_bytes, GFP_KERNEL_ACCOUNT);
	if (!res)
		return -ENOMEM;
	ret = sfs_ino_path(SFS_FS(inode), in.ino, in.dir_ino, in.dir_pos,
			   (char *)res + sizeof(*res),
			   in.result_bytes - sizeof(*res), &dir_ino, &dir_pos);
	if (ret < 0)
		goto out;
	res->dir_ino = dir_ino;
	res->dir_pos = dir_pos;
	res->path_bytes = ret;
	ret = to_user(in.result_ptr, res, sizeof(*res) + ret);
out:
	kvfree(res);
	return ret;
}

/* ---- numbers of an inode and of the volume -------------------------------------- */

static long stat_more(struct inode *inode, void __user *arg)
{
	struct scoutfs_ioctl_stat_more out;
	struct sfs_attr attr;
	int ret;

	ret = sfs_stat_more_vfs(inode, &attr);
	if (ret < 0)
		return ret;
	memset(&out, 0, sizeof(out));
	out.meta_seq = attr.meta_seq;
	out.data_seq = attr.data_seq;
	out.data_version = attr.data_version;
	out.online_blocks = attr.online_blocks;
	out.offline_blocks = attr.offline_blocks;
	out.crtime_sec = attr.crtime.sec;
	out.crtime_nsec = attr.crtime.nsec;
	return copy_to_user(arg, &out, sizeof(out)) ? -EFAULT : 0;
}

static long statfs_more(struct inode *inode, void __user *arg)
{
	struct scoutfs_ioctl_statfs_more out;
	struct sfs_statfs st;
	int ret;

	ret = sfs_statfs(SFS_FS(inode), &st);
	if (ret < 0)
		return ret;
	memset(&out, 0, sizeof(out));
	out.fsid = st.fsid;
	out.rid = st.rid;
	out.committed_seq = st.committed_seq;
	out.total_meta_blocks = st.total_meta_blocks;
	out.total_data_blocks = st.total_data_blocks;
	out.reserved_meta_blocks = st.reserved_meta_blocks;
	return copy_to_user(arg, &out, sizeof(out)) ? -EFAULT : 0;
}

/* ---- alloc_detail ---------------------------------------------------------------- */

/* However many there are: asks with more and more room. */
static int get_details(struct sfs_fs *fs, struct sfs_alloc_detail **ret_ents)
{
	struct sfs_alloc_detail *ents;
	int ret = -EOVERFLOW;
	u32 nr;

	for (nr = DETAIL_MIN; ret == -EOVERFLOW && nr <= DETAIL_MAX; nr *= 4) {
		ents = kvmalloc_array(nr, sizeof(*ents), GFP_KERNEL_ACCOUNT);
		if (!ents)
			return -ENOMEM;
		ret = sfs_alloc_detail(fs, ents, nr);
		if (ret >= 0)
			*ret_ents = ents;
		else
			kvfree(ents);
	}
	return ret;
}

static long copy_details(const struct scoutfs_ioctl_alloc_detail *in,
			 const struct sfs_alloc_detail *ents, u32 nr)
{
	struct scoutfs_ioctl_alloc_detail_entry *out;
	long ret;
	u32 i;

	if (nr > in->entries_nr)
		return -EOVERFLOW;
	out = kvcalloc(max(nr, 1U), sizeof(*out), GFP_KERNEL_ACCOUNT);
	if (!out)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		out[i].id = ents[i].id;
		out[i].blocks = ents[i].blocks;
		out[i].meta = !!ents[i].is_meta;
		out[i].avail = !!ents[i].is_avail;
	}
	ret = to_user(in->entries_ptr, out, nr * sizeof(*out));
	kvfree(out);
	return ret < 0 ? ret : nr;
}

static long alloc_detail(struct inode *inode, void __user *arg)
{
	struct scoutfs_ioctl_alloc_detail in;
	struct sfs_alloc_detail *ents = NULL;
	long ret;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	ret = get_details(SFS_FS(inode), &ents);
	if (ret >= 0)
		ret = copy_details(&in, ents, ret);
	kvfree(ents);
	return ret;
}

/* ---- dispatch ---------------------------------------------------------------------- */

static long dispatch(struct inode *inode, unsigned int cmd, void __user *argp)
{
	switch (cmd) {
	case SCOUTFS_IOC_WALK_INODES:
		return walk_inodes(inode, argp);
	case SCOUTFS_IOC_INO_PATH:
		return ino_path(inode, argp);
	case SCOUTFS_IOC_STAT_MORE:
		return stat_more(inode, argp);
	case SCOUTFS_IOC_STATFS_MORE:
		return statfs_more(inode, argp);
	case SCOUTFS_IOC_ALLOC_DETAIL:
		return alloc_detail(inode, argp);
	default:
		return -ENOTTY;
	}
}

long sfs_ioctl_vfs(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct inode *inode = file_inode(file);
	long ret;

	sfs_vfs_count(inode->i_sb, ioctl);
	ret = dispatch(inode, cmd, (void __user *)arg);
	trace_sfs_ioctl(inode, cmd, ret);
	return ret;
}

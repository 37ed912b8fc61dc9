/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File handles: for name_to_handle_at(2), open_by_handle_at(2) and nfsd.
 *
 * A handle is the number of its inode and of a directory that has a name of
 * it, or 0.  Numbers are not used twice, so they are enough: there is no
 * generation, and programs make handles of numbers that they have from an
 * index.  The layout is part of the interface; what a handle has behind it is
 * not looked at.
 *
 * Every handle comes from outside.  A number without an inode, or whose inode
 * has no names left, is ESTALE; so are unknown types and short ones.
 *
 * Directories that were reached by handle have to be connected to the root by
 * their names.  Back references have those, so that takes one seek a level
 * however large directories are.  Permissions of the caller play no part in
 * it: who may use handles is decided above.
 *
 * Locks: none of ours.  The VFS holds i_rwsem of the child in get_parent.
 */
#include <linux/build_bug.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/string.h>

#include "counters.h"
#include "fs.h"

#define FH_TYPE 0x81
#define FH_TYPE_PARENT 0x82

struct handle {
	__le64 ino;
	__le64 parent;
};

/* Lengths of handles are counted in these. */
#define FH_WORDS ((int)(sizeof(struct handle) / sizeof(u32)))

static_assert(sizeof(struct handle) == 16);

static int encode_fh(struct inode *inode, u32 *fh, int *max_len,
		     struct inode *parent)
{
	struct handle h = { .ino = cpu_to_le64(inode->i_ino) };
	int room = *max_len;

	sfs_vfs_count(inode->i_sb, handles);
	*max_len = FH_WORDS;
	if (room < FH_WORDS)
		return FILEID_INVALID;
	if (parent)
		h.parent = cpu_to_le64(parent->i_ino);
	/* not aligned for 64 bits */
	memcpy(fh, &h, sizeof(h));
	return parent ? FH_TYPE_PARENT : FH_TYPE;
}

/* The inode of a number, as long as it has a name. */
static struct inode *named_inode(struct super_block *sb, u64 ino)
{
	struct inode *inode;
	int ret;

	if (!ino)
		return ERR_PTR(-ESTALE);
	inode = sfs_iget(sb, ino);
	if (IS_ERR(inode))
		return PTR_ERR(inode) == -ENOENT ? ERR_PTR(-ESTALE) : inode;
	ret = sfs_ki_refresh(inode);
	if (ret == -ENOENT || (ret == 0 && !inode->i_nlink))
		ret = -ESTALE;
	if (ret < 0) {
		iput(inode);
		return ERR_PTR(ret);
	}
	return inode;
}

static struct dentry *fh_to_dentry(struct super_block *sb, struct fid *fid,
				   int fh_len, int fh_type)
{
	struct handle h;

	sfs_vfs_count(sb, handles);
	if ((fh_type != FH_TYPE && fh_type != FH_TYPE_PARENT) ||
	    fh_len < FH_WORDS)
		return ERR_PTR(-ESTALE);
	memcpy(&h, fid, sizeof(h));
	return d_obtain_alias(named_inode(sb, le64_to_cpu(h.ino)));
}

static struct dentry *fh_to_parent(struct super_block *sb, struct fid *fid,
				   int fh_len, int fh_type)
{
	struct inode *inode;
	struct handle h;

	if (fh_type != FH_TYPE_PARENT || fh_len < FH_WORDS)
		return ERR_PTR(-ESTALE);
	memcpy(&h, fid, sizeof(h));
	inode = named_inode(sb, le64_to_cpu(h.parent));
	if (!IS_ERR(inode) && !S_ISDIR(inode->i_mode)) {
		iput(inode);
		return ERR_PTR(-ESTALE);
	}
	return d_obtain_alias(inode);
}

static struct dentry *get_parent(struct dentry *child)
{
	static const struct sfs_cred kernel = { .host_checked = 1 };
	struct inode *inode = d_inode(child);
	union {
		struct sfs_dirent de;
		char bytes[sizeof(struct sfs_dirent) + SFS_NAME_MAX];
	} buf;
	int ret;

	/* position 1 is ".." */
	ret = sfs_readdir(SFS_FS(inode), &kernel, inode->i_ino, 1, &buf,
			  sizeof(buf));
	if (ret == 0 || (ret > 0 && buf.de.pos != 1))
		ret = -ESTALE;
	if (ret < 0)
		return ERR_PTR(ret == -ENOENT ? -ESTALE : ret);
	return d_obtain_alias(named_inode(inode->i_sb, buf.de.ino));
}

/* @name has room for SFS_NAME_MAX + 1 bytes. */
static int get_name(struct dentry *parent, char *name, struct dentry *child)
{
	struct inode *dir = d_inode(parent);
	int ret;

	if (!S_ISDIR(dir->i_mode))
		return -ENOTDIR;
	ret = sfs_name_in_dir(SFS_FS(dir), d_inode(child)->i_ino, dir->i_ino,
			      name);
	if (ret < 0)
		return ret;
	name[ret] = '\0';
	return 0;
}

/* nfsd promises that what it has answered survives a crash. */
static int commit_metadata(struct inode *inode)
{
	return sfs_fsync(SFS_FS(inode), inode->i_ino, 0);
}

const struct export_operations sfs_export_ops = {
	.encode_fh = encode_fh,
	.fh_to_dentry = fh_to_dentry,
	.fh_to_parent = fh_to_parent,
	.get_parent = get_parent,
	.get_name = get_name,
	.commit_metadata = commit_metadata,
};

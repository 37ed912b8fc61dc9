/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names: looking them up, making, moving and removing them, reading
 * directories.
 *
 * The VFS holds i_rwsem of the directories and of the inodes concerned, and
 * its dentries say which inode a name means.  The core is told that inode, and
 * answers ESTALE when the name means something else by now.  Then the dentry is
 * made invalid, the VFS looks the name up again and repeats the operation.
 *
 * A dentry, also one that says that there is no such name, is valid as long as
 * its d_time is the gen of its directory, as it was before the core was asked
 * about the name.  0 is never a gen.  When it is another one by now, the core is
 * asked again, and a name that means what it meant stays: nothing is said about
 * directories below it, mounts on them and processes in them for a lock that
 * went and came back.  A directory that another mount moved is found by its new
 * name and its dentry moves along; until then getcwd() tells the old one.  One
 * that was removed there is unhashed when its name is looked up.
 *
 * Unlinking what nobody else uses takes the inode along at once.  To know that,
 * the dentry leaves the cache before its name goes, and whoever asks for the
 * inode by its number waits for the outcome.
 *
 * After a change, the times, size and links of directories are not read at
 * once but when somebody asks for them; the links of what lost a name are,
 * because the VFS decides by them when to evict.
 *
 * Positions in directories are the core's: they grow in the order in which
 * entries were made and are not used twice, so a reader that comes back finds
 * its place whatever happened meanwhile.
 *
 * Locks: as in fs.h.  User memory is touched without locks of the core.  What
 * changes an inode that is no directory excludes the ends of its writeback
 * (sfs_ki_excl_begin()).
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "counters.h"
#include "fs.h"
#include "trace.h"

#define READDIR_BYTES 16384
#define LOOKUP_TRIES 10
/* For the locks of where a directory was before; each a millisecond. */
#define SPLICE_TRIES 50

/* For what the filesystem does by itself. */
static const struct sfs_cred own_cred = { .caps = ~0U, .host_checked = 1 };

/* ---- dentries ------------------------------------------------------------ */

/* What names below it will be valid under: taken before the core is asked. */
static unsigned long gen_of(const struct inode *dir)
{
	return READ_ONCE(SFS_KI(dir)->gen);
}

static void dentry_valid(struct dentry *dentry, unsigned long gen)
{
	WRITE_ONCE(dentry->d_time, gen);
}

static void dentry_stale(struct dentry *dentry)
{
	WRITE_ONCE(dentry->d_time, 0);
}

static bool is_valid(const struct dentry *dentry, const struct inode *dir)
{
	return dir && READ_ONCE(dentry->d_time) == gen_of(dir);
}

/* A name can be changed while it is looked at. */
static void trace_revalidate(const struct inode *dir, struct dentry *dentry,
			     bool valid)
{
	struct inode *inode = d_inode(dentry);
	struct name_snapshot snap;

	take_dentry_name_snapshot(&snap, dentry);
	trace_sfs_revalidate(dir, &snap.name, inode ? inode->i_ino : 0, valid);
	release_dentry_name_snapshot(&snap);
}

/*
 * Does the name mean what it meant?  Who may look it up was asked before.  It can
 * move away meanwhile; what it gets here is nothing then, since generations are
 * of one directory.
 */
static int ask_again(struct inode *dir, struct dentry *dentry)
{
	unsigned long gen = gen_of(dir);
	struct name_snapshot snap;
	struct inode *inode;
	u64 ino = 0;
	int ret;

	take_dentry_name_snapshot(&snap, dentry);
	inode = d_inode(dentry);
	ret = sfs_lookup_ino(SFS_FS(dir), &own_cred, dir->i_ino, snap.name.name,
			     snap.name.len, &ino);
	release_dentry_name_snapshot(&snap);
	if (ret < 0 && ret != -ENOENT && ret != -ESTALE)
		return ret;
	if (ino != (inode ? inode->i_ino : 0))
		return 0;
	dentry_valid(dentry, gen);
	return 1;
}

static int dentry_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct dentry *parent;
	struct inode *dir;
	int ret;

	/* the superblock may be going away: its private part is not looked at */
	if (flags & LOOKUP_RCU) {
		parent = READ_ONCE(dentry->d_parent);
		return is_valid(dentry, d_inode_rcu(parent)) ? 1 : -ECHILD;
	}
	sfs_vfs_count(dentry->d_sb, revalidate);
	parent = dget_parent(dentry);
	dir = d_inode(parent);
	ret = is_valid(dentry, dir);
	if (!ret && dir)
		ret = ask_again(dir, dentry);
	if (trace_sfs_revalidate_enabled() && dir)
		trace_revalidate(dir, dentry, ret > 0);
	dput(parent);
	if (!ret)
		sfs_vfs_count(dentry->d_sb, revalidate_drop);
	return ret;
}

const struct dentry_operations sfs_dentry_ops = {
	.d_revalidate = dentry_revalidate,
};

/* What the name of @dentry means; NULL when there is no such name. */
static struct inode *find_inode(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = NULL;
	struct sfs_caller c;
	u64 ino = 0;
	int tries = 0;
	int ret;

	if (dentry->d_name.len > SFS_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ERR_PTR(ret);
	do {
		ret = sfs_lookup_ino(SFS_FS(dir), &c.cred, dir->i_ino,
				     dentry->d_name.name, dentry->d_name.len,
				     &ino);
		if (ret < 0)
			break;
		/* it may go between the two: is there another by now? */
		inode = sfs_iget(dir->i_sb, ino);
	} while (inode == ERR_PTR(-ENOENT) && ++tries < LOOKUP_TRIES);
	sfs_caller_exit(&c);
	trace_sfs_lookup(dir, &dentry->d_name, ino, ret);
	if (ret == -ENOENT || inode == ERR_PTR(-ENOENT))
		return NULL;
	return ret < 0 ? ERR_PTR(ret) : inode;
}

/*
 * A directory has one dentry, which gets this place.  That needs locks of where
 * it was, which are only tried, because we have the ones of where it goes.
 */
static struct dentry *splice_dir(struct inode *inode, struct dentry *dentry,
				 unsigned long gen)
{
	struct dentry *alias = d_find_any_alias(inode);
	struct dentry *found;
	int tries = 0;

	if (alias)
		dentry_valid(alias, gen);
	dput(alias);
	for (;;) {
		ihold(inode);
		found = d_splice_alias(inode, dentry);
		if (found != ERR_PTR(-ESTALE) || ++tries == SPLICE_TRIES ||
		    fatal_signal_pending(current))
			break;
		msleep(1);
	}
	iput(inode);
	return found;
}

static struct dentry *lookup(struct inode *dir, struct dentry *dentry,
			     unsigned int flags)
{
	unsigned long gen = gen_of(dir);
	struct inode *inode = find_inode(dir, dentry);

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	dentry_valid(dentry, gen);
	if (inode && S_ISDIR(inode->i_mode))
		return splice_dir(inode, dentry, gen);
	return d_splice_alias(inode, dentry);
}

/* ---- making -------------------------------------------------------------- */

/* What is to be made. */
struct recipe {
	umode_t mode;
	dev_t rdev;
	const char *target;		/* of a symlink */
};

static int make_name(struct inode *dir, struct dentry *dentry,
		     const struct recipe *r, struct sfs_attr *ret_attr)
{
	const struct qstr *name = &dentry->d_name;
	struct sfs_fs *fs = SFS_FS(dir);
	struct sfs_caller c;
	int ret;

	if (name->len > SFS_NAME_MAX)
		return -ENAMETOOLONG;
	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	if (r->target)
		ret = sfs_symlink(fs, &c.cred, dir->i_ino, name->name,
				  name->len, r->target, strlen(r->target),
				  ret_attr);
	else
		ret = sfs_create(fs, &c.cred, dir->i_ino, name->name,
				 name->len, r->mode, new_encode_dev(r->rdev),
				 ret_attr);
	sfs_caller_exit(&c);
	if (r->target)
		trace_sfs_symlink(dir, name, ret < 0 ? 0 : ret_attr->ino, ret);
	else
		trace_sfs_create(dir, name, ret < 0 ? 0 : ret_attr->ino, ret);
	return ret;
}

/* A name that was made a moment ago goes again; its inode was not shown yet. */
static void unmake_name(struct inode *dir, struct dentry *dentry,
			const struct sfs_attr *attr)
{
	const struct qstr *name = &dentry->d_name;
	struct sfs_fs *fs = SFS_FS(dir);
	int ret;

	if (S_ISDIR(attr->mode))
		ret = sfs_rmdir(fs, &own_cred, dir->i_ino, name->name,
				name->len, attr->ino);
	else
		ret = sfs_unlink(fs, &own_cred, dir->i_ino, name->name,
				 name->len, attr->ino);
	if (ret < 0)
		sfs_port_log(&SFS_SB(dir->i_sb)->vol->host, SFS_LOG_ERR,
			     "inode %llu was made, but not completely, and stays: error %d",
			     attr->ino, ret);
	dentry_stale(dentry);
}

/* Labels that security modules want a new inode to have. */
static int init_xattrs(struct inode *inode, const struct xattr *xattrs,
		       void *arg)
{
	struct sfs_fs *fs = SFS_FS(inode);
	const struct xattr *x;
	char *name;
	int ret = 0;

	for (x = xattrs; x->name && ret == 0; x++) {
		name = kasprintf(GFP_KERNEL, XATTR_SECURITY_PREFIX "%s",
				 x->name);
		if (!name)
			return -ENOMEM;
		ret = sfs_setxattr(fs, &own_cred, inode->i_ino, name, x->value,
				   x->value_len, 0);
		kfree(name);
	}
	sfs_ki_stale_stat(inode);
	return ret;
}

/* Name and inode; @dentry does not have it yet. */
static struct inode *make(struct inode *dir, struct dentry *dentry,
			  const struct recipe *r)
{
	unsigned long gen = gen_of(dir);
	struct sfs_attr attr;
	struct inode *inode;
	int ret;

	ret = make_name(dir, dentry, r, &attr);
	if (ret == -EEXIST)
		dentry_stale(dentry);
	if (ret < 0)
		return ERR_PTR(ret);
	sfs_ki_stale_stat(dir);
	inode = sfs_iget_attr(dir->i_sb, &attr);
	/* another mount has removed it already */
	if (inode == ERR_PTR(-ENOENT))
		return ERR_PTR(-ESTALE);
	if (IS_ERR(inode)) {
		ret = PTR_ERR(inode);
		goto err_name;
	}
	ret = security_inode_init_security(inode, dir, &dentry->d_name,
					   init_xattrs, NULL);
	if (ret < 0 && ret != -EOPNOTSUPP)
		goto err_inode;
	dentry_valid(dentry, gen);
	return inode;
err_inode:
	unmake_name(dir, dentry, &attr);
	sfs_ki_stale_stat(inode);
	sfs_ki_refresh(inode);
	iput(inode);
	return ERR_PTR(ret);
err_name:
	unmake_name(dir, dentry, &attr);
	return ERR_PTR(ret);
}

static int make_at(struct inode *dir, struct dentry *dentry,
		   const struct recipe *r)
{
	struct inode *inode = make(dir, dentry, r);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_instantiate(dentry, inode);
	return 0;
}

static int create(struct mnt_idmap *idmap, struct inode *dir,
		  struct dentry *dentry, umode_t mode, bool excl)
{
	struct recipe r = { .mode = S_IFREG | (mode & 07777) };
	int ret = make_at(dir, dentry, &r);

	/* somebody made it: look again, and open what is there */
	return ret == -EEXIST && !excl ? -ESTALE : ret;
}

static int mknod(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode, dev_t rdev)
{
	struct recipe r = { .mode = mode, .rdev = rdev };

	return make_at(dir, dentry, &r);
}

static int mkdir(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode)
{
	struct recipe r = { .mode = S_IFDIR | (mode & 07777) };

	return make_at(dir, dentry, &r);
}

static int symlink(struct mnt_idmap *idmap, struct inode *dir,
		   struct dentry *dentry, const char *target)
{
	struct recipe r = { .target = target };

	return make_at(dir, dentry, &r);
}

/*
 * Where a file may have to be made, making it is tried first: that saves the
 * lookup when it is new, and is the only way that can not be overtaken.
 */
static int atomic_open(struct inode *dir, struct dentry *dentry,
		       struct file *file, unsigned int flags, umode_t mode)
{
	struct recipe r = { .mode = S_IFREG | (mode & 07777) };
	struct dentry *found;
	struct inode *inode;

	if (flags & O_CREAT) {
		inode = make(dir, dentry, &r);
		if (!IS_ERR(inode)) {
			if (d_in_lookup(dentry))
				d_add(dentry, inode);
			else
				d_instantiate(dentry, inode);
			file->f_mode |= FMODE_CREATED;
			return finish_open(file, dentry, NULL);
		}
		if (inode != ERR_PTR(-EEXIST) || (flags & O_EXCL))
			return PTR_ERR(inode);
		/* a dentry that said there was none */
		if (!d_in_lookup(dentry))
			return -ESTALE;
	}
	if (!d_in_lookup(dentry))
		return finish_no_open(file, NULL);
	found = lookup(dir, dentry, 0);
	if (IS_ERR(found))
		return PTR_ERR(found);
	return finish_no_open(file, found);
}

static int link(struct dentry *old_dentry, struct inode *dir,
		struct dentry *dentry)
{
	struct inode *inode = d_inode(old_dentry);
	const struct qstr *name = &dentry->d_name;
	unsigned long gen = gen_of(dir);
	struct sfs_ki_excl ex;
	struct sfs_caller c;
	struct sfs_attr attr;
	int ret;

	if (name->len > SFS_NAME_MAX)
		return -ENAMETOOLONG;
	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	ret = sfs_ki_excl_begin(&ex, inode, NULL, dir, NULL);
	if (ret < 0)
		goto out;
	ret = sfs_link(SFS_FS(dir), &c.cred, inode->i_ino, dir->i_ino,
		       name->name, name->len, &attr);
	if (ret == 0)
		sfs_ki_take(inode, &attr);
	sfs_ki_excl_end(&ex);
out:
	sfs_caller_exit(&c);
	trace_sfs_link(dir, name, inode->i_ino, ret);
	if (ret == -EEXIST)
		dentry_stale(dentry);
	if (ret < 0)
		return ret;
	sfs_ki_stale_stat(dir);
	dentry_valid(dentry, gen);
	ihold(inode);
	d_instantiate(dentry, inode);
	return 0;
}

/* ---- removing ------------------------------------------------------------ */

/* A name of @inode went, perhaps its last. */
static void lost_name(struct inode *inode)
{
	sfs_ki_stale_stat(inode);
	/* an error says that the mount is down, and then nothing is deleted */
	sfs_ki_refresh(inode);
}

/*
 * Whether the VFS's caller is alone with an inode that is going to lose a name,
 * and from then on stays so: no walk finds the dentry any more, not even one
 * that looks at it right now without a reference (d_seq), and sfs_iget() waits.
 * The dentry and the VFS itself have one reference each.
 */
static bool alone_with(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	bool alone;

	/* pages may be written at any time, which needs the inode */
	if (!mapping_empty(inode->i_mapping))
		return false;
	spin_lock(&inode->i_lock);
	spin_lock(&dentry->d_lock);
	alone = d_count(dentry) == 1 && atomic_read(&inode->i_count) <= 2 &&
		hlist_is_singular_node(&dentry->d_u.d_alias, &inode->i_dentry);
	if (alone) {
		set_bit(SFS_KI_LEAVING, &SFS_KI(inode)->flags);
		__d_drop(dentry);
	}
	spin_unlock(&dentry->d_lock);
	spin_unlock(&inode->i_lock);
	return alone;
}

/* The inode still has a name. */
static void stays(struct dentry *dentry, bool found)
{
	clear_bit(SFS_KI_LEAVING, &SFS_KI(d_inode(dentry))->flags);
	if (found)
		d_rehash(dentry);
}

static int unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	const struct qstr *name = &dentry->d_name;
	struct sfs_ki_excl ex;
	struct sfs_attr attr;
	struct sfs_caller c;
	bool alone;
	int ret;

	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	alone = alone_with(dentry);
	/* then it has no open files: what is counted is that we keep it */
	if (alone)
		sfs_ki_stop_lingering(SFS_KI(inode));
	ret = sfs_ki_excl_begin(&ex, inode, NULL, dir, NULL);
	if (ret < 0)
		goto out;
	ret = sfs_unlink_unused(SFS_FS(dir), &c.cred, dir->i_ino, name->name,
				name->len, inode->i_ino, alone ? 1 : 0, &attr);
	if (ret == 0)
		sfs_ki_take(inode, &attr);
	sfs_ki_excl_end(&ex);
out:
	sfs_caller_exit(&c);
	trace_sfs_unlink(dir, name, inode->i_ino, ret);
	if (alone && (ret < 0 || attr.nlink))
		stays(dentry, ret < 0);
	if (ret == -ESTALE || ret == -ENOENT)
		dentry_stale(dentry);
	if (ret < 0)
		return ret;
	sfs_ki_stale_stat(dir);
	return 0;
}

static int rmdir(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	const struct qstr *name = &dentry->d_name;
	struct sfs_fs *fs = SFS_FS(dir);
	struct sfs_caller c;
	int ret;

	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	ret = sfs_rmdir(fs, &c.cred, dir->i_ino, name->name, name->len,
			inode->i_ino);
	sfs_caller_exit(&c);
	trace_sfs_unlink(dir, name, inode->i_ino, ret);
	if (ret == -ESTALE || ret == -ENOENT)
		dentry_stale(dentry);
	if (ret < 0)
		return ret;
	sfs_ki_stale_stat(dir);
	lost_name(inode);
	return 0;
}

/* ---- moving -------------------------------------------------------------- */

struct move {
	struct inode *old_dir;
	struct dentry *old_dentry;
	struct inode *new_dir;
	struct dentry *new_dentry;
	unsigned int flags;
};

static struct inode *no_dir(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);

	return inode && !S_ISDIR(inode->i_mode) ? inode : NULL;
}

static int move_used(const struct move *m, const struct sfs_cred *cred,
		     u32 flags)
{
	const struct qstr *old_name = &m->old_dentry->d_name;
	const struct qstr *new_name = &m->new_dentry->d_name;
	u64 ino = d_inode(m->old_dentry)->i_ino;
	u64 new_ino = d_really_is_positive(m->new_dentry) ?
		      d_inode(m->new_dentry)->i_ino : 0;
	int ret;

	if (m->flags & RENAME_NOREPLACE)
		flags |= SFS_RENAME_NOREPLACE;
	ret = sfs_rename(SFS_FS(m->old_dir), cred, m->old_dir->i_ino,
			 old_name->name, old_name->len, ino, m->new_dir->i_ino,
			 new_name->name, new_name->len, new_ino, flags);
	trace_sfs_rename_from(m->old_dir, old_name, ino, ret);
	trace_sfs_rename_to(m->new_dir, new_name, new_ino, ret);
	return ret;
}

/*
 * Directories need no exclusion beyond i_rwsem, and no use of ours around the
 * core's own, which looks at ancestors before it has its locks.  Within a mount
 * the VFS moves one directory at a time.
 */
static int move_name(const struct move *m, const struct sfs_cred *cred)
{
	struct inode *inode = no_dir(m->old_dentry);
	struct sfs_ki_excl ex;
	int ret;

	if (!inode)
		return move_used(m, cred, 0);
	ret = sfs_ki_excl_begin(&ex, inode, no_dir(m->new_dentry), m->old_dir,
				m->new_dir);
	if (ret < 0)
		return ret;
	ret = move_used(m, cred, SFS_RENAME_NO_DIR);
	sfs_ki_excl_end(&ex);
	return ret;
}

static int rename(struct mnt_idmap *idmap, struct inode *old_dir,
		  struct dentry *old_dentry, struct inode *new_dir,
		  struct dentry *new_dentry, unsigned int flags)
{
	const struct move m = {
		old_dir, old_dentry, new_dir, new_dentry, flags,
	};
	unsigned long gen = gen_of(new_dir);
	struct sfs_caller c;
	int ret;

	/* exchange and whiteout are not offered */
	if (flags & ~RENAME_NOREPLACE)
		return -EINVAL;
	if (new_dentry->d_name.len > SFS_NAME_MAX)
		return -ENAMETOOLONG;
	ret = sfs_caller_init(&c);
	if (ret < 0)
		return ret;
	ret = move_name(&m, &c.cred);
	sfs_caller_exit(&c);
	if (ret == -ESTALE || ret == -ENOENT)
		dentry_stale(old_dentry);
	if (ret == -ESTALE || ret == -EEXIST)
		dentry_stale(new_dentry);
	if (ret < 0)
		return ret;
	sfs_ki_stale_stat(old_dir);
	sfs_ki_stale_stat(new_dir);
	sfs_ki_stale_stat(d_inode(old_dentry));
	if (d_really_is_positive(new_dentry))
		lost_name(d_inode(new_dentry));
	/* the VFS moves it to its new place */
	dentry_valid(old_dentry, gen);
	return 0;
}

/* ---- reading ------------------------------------------------------------- */

/* False when the reader's buffer is full. */
static bool emit(struct dir_context *ctx, const char *buf, int bytes)
{
	const struct sfs_dirent *de;
	int i;

	for (i = 0; i < bytes; i += de->rec_len) {
		de = (const struct sfs_dirent *)(buf + i);
		ctx->pos = de->pos;
		if (!dir_emit(ctx, de->name, de->name_len, de->ino, de->type))
			return false;
		ctx->pos = de->next_pos;
	}
	return true;
}

static int iterate(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	struct sfs_caller c;
	char *buf;
	int ret;

	buf = kvmalloc(READDIR_BYTES, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = sfs_caller_init(&c);
	if (ret < 0)
		goto out;
	/* opening it was the question of permission */
	c.cred.host_checked = 1;
	do {
		ret = sfs_readdir(SFS_FS(dir), &c.cred, dir->i_ino, ctx->pos,
				  buf, READDIR_BYTES);
		if (ret > 0 && fatal_signal_pending(current))
			ret = -EINTR;
	} while (ret > 0 && emit(ctx, buf, ret));
	sfs_caller_exit(&c);
out:
	kvfree(buf);
	trace_sfs_readdir(dir, ret);
	return min(ret, 0);
}

const struct inode_operations sfs_dir_iops = {
	.lookup = lookup,
	.create = create,
	.mknod = mknod,
	.mkdir = mkdir,
	.symlink = symlink,
	.link = link,
	.unlink = unlink,
	.rmdir = rmdir,
	.rename = rename,
	.atomic_open = atomic_open,
	.getattr = sfs_getattr_vfs,
	.setattr = sfs_setattr_vfs,
	.permission = sfs_permission_vfs,
	.update_time = sfs_update_time_vfs,
	.listxattr = sfs_listxattr_vfs,
};

const struct file_operations sfs_dir_fops = {
	.open = sfs_open_vfs,
	.release = sfs_release_vfs,
	.llseek = generic_file_llseek,
	.read = generic_read_dir,
	.iterate_shared = iterate,
	.fsync = sfs_fsync_vfs,
	.unlocked_ioctl = sfs_ioctl_vfs,
	.lock = sfs_lock_vfs,
	.flock = sfs_flock_vfs,
	.setlease = simple_nosetlease,
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extended attributes.
 *
 * An attribute is one item or several: the first has the lengths, the name and
 * the start of the value, the others the rest.  Items of one attribute share
 * an id; ids of an inode are not used twice, so a reader that looks without
 * exclusion while the value is replaced finds parts of one value or a part
 * missing, never a mixture, and begins again.  (A value that fits its first
 * item keeps the id when the new one does, too: one item is replaced at once.)
 *
 * A change is one hold whatever its size: at most 17 parts come and 17 go.
 *
 * Asking for an attribute that does not exist is one seek: every write of the
 * kernel asks for security.capability.
 *
 * Locks: Excl(ino) for changes, none for reading.
 */
#include "fs/fs.h"

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/mount_types.h"

#define READ_ATTEMPTS 10

enum xattr_class {
	XATTR_USER,
	XATTR_TRUSTED,
	XATTR_SECURITY,
};

/* An attribute with its first item. */
struct xattr {
	u64 hash;
	u64 id;
	u32 name_len;
	u32 val_len;
	u32 here;		/* bytes of the value in the first item */
	u8 item[SFS_MAX_VAL];
};

static struct sfs_key xattr_key(u64 ino, u64 hash, u64 id, u8 part)
{
	return SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_XATTR, hash, id, part);
}

static u32 val_in_first(u32 name_len, u32 val_len)
{
	return min_t(u32, val_len,
		     SFS_MAX_VAL - sizeof(struct sfs_xattr_item) - name_len);
}

static u32 nr_parts(u32 name_len, u32 val_len)
{
	u32 rest = val_len - val_in_first(name_len, val_len);

	return 1 + DIV_ROUND_UP(rest, SFS_MAX_VAL);
}

/* ---- names and permissions ------------------------------------------------- */

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* Also counts the name. */
static int xattr_class(const char *name, u32 *ret_len)
{
	size_t len = strnlen(name, SFS_XATTR_NAME_MAX + 1);
	int class;

	if (!len || len > SFS_XATTR_NAME_MAX)
		return -ERANGE;
	if (has_prefix(name, "user."))
		class = XATTR_USER;
	else if (has_prefix(name, "trusted."))
		class = XATTR_TRUSTED;
	else if (has_prefix(name, "security."))
		class = XATTR_SECURITY;
	else
		return -EOPNOTSUPP;
	if (name[len - 1] == '.' && strchr(name, '.') == name + len - 1)
		return -EINVAL;
	*ret_len = len;
	return class;
}

/*
 * The rules of xattr(7).  What only the holder of some capability may do with
 * security.* is the business of the security modules above both hosts.
 */
static int xattr_permission(const struct sfs_inode *si,
			    const struct sfs_cred *cred, int class, u32 mask)
{
	bool writes = mask & SFS_MAY_WRITE;

	if (class == XATTR_SECURITY)
		return 0;
	if (class == XATTR_TRUSTED) {
		if (cred->caps & SFS_CAP_SYS_ADMIN)
			return 0;
		return writes ? -EPERM : -ENODATA;
	}
	if (!S_ISREG(si->mode) && !S_ISDIR(si->mode))
		return writes ? -EPERM : -ENODATA;
	if (S_ISDIR(si->mode) && (si->mode & S_ISVTX) && writes &&
	    !sfs_perm_owner(si, cred))
		return -EPERM;
	return sfs_perm_check(si, cred, mask);
}

/* ---- finding ------------------------------------------------------------------ */

static int xattr_find(struct sfs_fs *fs, u64 ino, const char *name, u32 len,
		      struct xattr *x)
{
	u64 hash = sfs_name_hash(&fs->inodes->name_key, name, len);
	struct sfs_key key = xattr_key(ino, hash, 0, 0);
	struct sfs_key last = xattr_key(ino, hash, U64_MAX, U8_MAX);
	const struct sfs_xattr_item *it = (const void *)x->item;
	const char *why;
	int ret;

	for (;;) {
		ret = sfs_item_next(fs, &key, &last, x->item, sizeof(x->item));
		if (ret < 0)
			return ret == -ENOENT ? -ENODATA : ret;
		if (!key.f4) {
			why = sfs_xattr_decode(&key, x->item, ret,
					       &x->name_len, &x->val_len);
			if (why)
				return sfs_item_bad(fs, &key, why);
			if (x->name_len == len && !memcmp(it->name, name, len))
				break;
		}
		/* another name with this hash: behind its parts */
		if (key.f3 == U64_MAX)
			return -ENODATA;
		key = xattr_key(ino, hash, key.f3 + 1, 0);
	}
	x->hash = hash;
	x->id = key.f3;
	x->here = val_in_first(x->name_len, x->val_len);
	return 0;
}

static struct xattr *xattr_alloc(void)
{
	return kmalloc(sizeof(struct xattr), GFP_NOFS);
}

int sfs_xattr_find(struct sfs_fs *fs, u64 ino, const char *name,
		   struct sfs_xattr_ref *ret_ref)
{
	struct xattr *x = xattr_alloc();
	int ret;

	if (!x)
		return -ENOMEM;
	ret = xattr_find(fs, ino, name, strlen(name), x);
	if (ret == 0) {
		ret_ref->hash = x->hash;
		ret_ref->id = x->id;
		ret_ref->nr_parts = nr_parts(x->name_len, x->val_len);
	}
	kfree(x);
	return ret;
}

void sfs_xattr_erase(struct sfs_fs *fs, struct sfs_hold *hold, u64 ino,
		     const struct sfs_xattr_ref *ref)
{
	struct sfs_key key = xattr_key(ino, ref->hash, ref->id, 0);
	u32 i;

	for (i = 0; i < ref->nr_parts; i++) {
		key.f4 = i;
		sfs_item_del(fs, hold, &key);
	}
}

/* ---- reading ------------------------------------------------------------------- */

/* -EAGAIN: replaced meanwhile. */
static int xattr_copy(struct sfs_fs *fs, u64 ino, const struct xattr *x,
		      u8 *buf)
{
	struct sfs_key key = xattr_key(ino, x->hash, x->id, 0);
	u32 at = x->here;
	u32 want;
	int ret;

	memcpy(buf, x->item + sizeof(struct sfs_xattr_item) + x->name_len, at);
	while (at < x->val_len) {
		key.f4++;
		want = min_t(u32, x->val_len - at, SFS_MAX_VAL);
		ret = sfs_item_get(fs, &key, buf + at, want);
		if (ret == -ENOENT)
			return -EAGAIN;
		if (ret == -ERANGE || (ret >= 0 && ret != want))
			return sfs_item_bad(fs, &key,
					    "xattr: part has a wrong length");
		if (ret < 0)
			return ret;
		at += want;
	}
	return x->val_len;
}

static int xattr_read(struct sfs_fs *fs, u64 ino, const char *name, u32 len,
		      struct xattr *x, void *buf, u32 size)
{
	unsigned int n;
	int ret;

	for (n = 0; n < READ_ATTEMPTS; n++) {
		ret = xattr_find(fs, ino, name, len, x);
		if (ret < 0)
			return ret;
		if (!size)
			return x->val_len;
		if (x->val_len > size)
			return -ERANGE;
		ret = xattr_copy(fs, ino, x, buf);
		if (ret != -EAGAIN)
			return ret;
	}
	return -EIO;
}

static int getxattr(struct sfs_fs *fs, struct sfs_lockset *locks,
		    const struct sfs_cred *cred, u64 ino, const char *name,
		    void *buf, u32 size)
{
	struct sfs_inode si;
	struct xattr *x;
	u32 len = 0;
	int class;
	int ret;

	class = xattr_class(name, &len);
	if (class < 0)
		return class;
	if (class != XATTR_SECURITY) {
		ret = sfs_inode_read(fs, locks, ino, &si);
		if (ret < 0)
			return ret;
		ret = xattr_permission(&si, cred, class, SFS_MAY_READ);
		if (ret < 0)
			return ret;
	}
	x = xattr_alloc();
	if (!x)
		return -ENOMEM;
	ret = xattr_read(fs, ino, name, len, x, buf, size);
	kfree(x);
	return ret;
}

int sfs_getxattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		 const char *name, void *buf, __u32 size)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_xattr_read);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = getxattr(fs, &locks, cred, ino, name, buf, size);
	sfs_locks_end(fs, &locks);
	return ret;
}

static bool xattr_is_listed(const struct sfs_cred *cred, const char *name,
			    u32 len)
{
	if (len < 8 || strncmp(name, "trusted.", 8))
		return true;
	return cred->caps & SFS_CAP_SYS_ADMIN;
}

static int listxattr(struct sfs_fs *fs, struct sfs_lockset *locks,
		     const struct sfs_cred *cred, u64 ino, char *buf, u32 size)
{
	struct sfs_key first = xattr_key(ino, 0, 0, 0);
	struct sfs_key last = xattr_key(ino, U64_MAX, U64_MAX, U8_MAX);
	struct sfs_inode si;
	struct sfs_iter it;
	const char *why;
	const char *name;
	u32 name_len;
	u32 val_len;
	u32 used = 0;
	int ret;

	ret = sfs_inode_read(fs, locks, ino, &si);
	if (ret < 0)
		return ret;
	sfs_item_iter_init(fs, &it, &first, &last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		if (it.key.f4)
			continue;
		why = sfs_xattr_decode(&it.key, it.val, it.val_len, &name_len,
				       &val_len);
		if (why) {
			ret = sfs_item_bad(fs, &it.key, why);
			break;
		}
		name = (const char *)it.val + sizeof(struct sfs_xattr_item);
		if (!xattr_is_listed(cred, name, name_len))
			continue;
		if (used > S32_MAX - name_len - 1 ||
		    (size && name_len + 1 > size - used)) {
			ret = -ERANGE;
			break;
		}
		if (size) {
			memcpy(buf + used, name, name_len);
			buf[used + name_len] = '\0';
		}
		used += name_len + 1;
	}
	sfs_iter_exit(&it);
	return ret < 0 ? ret : (int)used;
}

int sfs_listxattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		  char *buf, __u32 size)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_xattr_read);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_READ);
	if (ret < 0)
		return ret;
	ret = listxattr(fs, &locks, cred, ino, buf, size);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* ---- changing -------------------------------------------------------------------- */

struct change {
	struct sfs_inode si;
	struct sfs_xattr_ref old;	/* nr_parts 0: there is none */
	const char *name;
	const u8 *val;			/* of the new one */
	u32 name_len;
	u32 val_len;
	struct xattr *x;
};

static int change_prepare(struct sfs_fs *fs, struct sfs_lockset *locks,
			  const struct sfs_cred *cred, u64 ino,
			  const char *name, struct change *ch)
{
	int class;
	int ret;

	class = xattr_class(name, &ch->name_len);
	if (class < 0)
		return class;
	ch->name = name;
	ret = sfs_inode_read(fs, locks, ino, &ch->si);
	if (ret < 0)
		return ret;
	ret = xattr_permission(&ch->si, cred, class, SFS_MAY_WRITE);
	if (ret < 0)
		return ret;
	ch->x = xattr_alloc();
	if (!ch->x)
		return -ENOMEM;
	ret = xattr_find(fs, ino, name, ch->name_len, ch->x);
	if (ret < 0)
		return ret;
	ch->old.hash = ch->x->hash;
	ch->old.id = ch->x->id;
	ch->old.nr_parts = nr_parts(ch->x->name_len, ch->x->val_len);
	return 0;
}

/* Chooses the id, and makes the first item in ch->x. */
static void change_encode(struct sfs_fs *fs, struct change *ch)
{
	struct sfs_xattr_item *it = (void *)ch->x->item;
	struct xattr *x = ch->x;

	x->hash = sfs_name_hash(&fs->inodes->name_key, ch->name, ch->name_len);
	if (ch->old.nr_parts == 1 && nr_parts(ch->name_len, ch->val_len) == 1) {
		x->id = ch->old.id;
		ch->old.nr_parts = 0;
	} else {
		x->id = ch->si.next_xattr_id++;
	}
	x->here = val_in_first(ch->name_len, ch->val_len);
	it->val_len = cpu_to_le16(ch->val_len);
	it->name_len = ch->name_len;
	it->zero = 0;
	memcpy(it->name, ch->name, ch->name_len);
	if (x->here)
		memcpy(it->name + ch->name_len, ch->val, x->here);
}

static void change_put(struct sfs_fs *fs, struct sfs_hold *hold,
		       const struct change *ch)
{
	const struct xattr *x = ch->x;
	struct sfs_key key = xattr_key(ch->si.ino, x->hash, x->id, 0);
	u32 at = x->here;
	u32 len;

	sfs_item_put(fs, hold, &key, x->item,
		     sizeof(struct sfs_xattr_item) + ch->name_len + at);
	for (; at < ch->val_len; at += len) {
		len = min_t(u32, ch->val_len - at, SFS_MAX_VAL);
		key.f4++;
		sfs_item_put(fs, hold, &key, ch->val + at, len);
	}
}

static int setxattr(struct sfs_fs *fs, struct sfs_lockset *locks,
		    const struct sfs_cred *cred, u64 ino, const char *name,
		    const void *val, u32 len, u32 flags)
{
	struct change ch = { .val = val, .val_len = len };
	struct sfs_need need = {};
	struct sfs_hold hold;
	struct sfs_time now;
	int ret;

	if ((flags & ~(SFS_XATTR_CREATE | SFS_XATTR_REPLACE)) ||
	    flags == (SFS_XATTR_CREATE | SFS_XATTR_REPLACE))
		return -EINVAL;
	if (len > SFS_XATTR_SIZE_MAX)
		return -E2BIG;
	ret = change_prepare(fs, locks, cred, ino, name, &ch);
	if (ret == 0 && (flags & SFS_XATTR_CREATE))
		ret = -EEXIST;
	if (ret == -ENODATA && ch.x && !(flags & SFS_XATTR_REPLACE))
		ret = 0;
	if (ret < 0)
		goto out;

	change_encode(fs, &ch);
	sfs_need_inode(&need);
	need.items += nr_parts(ch.name_len, len) + ch.old.nr_parts;
	need.val_bytes += sizeof(struct sfs_xattr_item) + ch.name_len + len;
	now = sfs_now(fs);
	ret = sfs_hold_begin(fs, ch.si.locks, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		goto out;
	sfs_xattr_erase(fs, &hold, ino, &ch.old);
	change_put(fs, &hold, &ch);
	sfs_inode_changed(&ch.si, &now);
	sfs_inode_store(fs, &hold, &ch.si);
	sfs_hold_end(fs, &hold);
out:
	kfree(ch.x);
	return ret;
}

int sfs_setxattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		 const char *name, const void *val, __u32 len, __u32 flags)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_xattr_write);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_WRITE);
	if (ret < 0)
		return ret;
	ret = setxattr(fs, &locks, cred, ino, name, val, len, flags);
	sfs_locks_end(fs, &locks);
	return ret;
}

static int removexattr(struct sfs_fs *fs, struct sfs_lockset *locks,
		       const struct sfs_cred *cred, u64 ino, const char *name)
{
	struct change ch = {};
	struct sfs_need need = {};
	struct sfs_hold hold;
	struct sfs_time now;
	int ret;

	ret = change_prepare(fs, locks, cred, ino, name, &ch);
	if (ret < 0)
		goto out;
	sfs_need_inode(&need);
	need.items += ch.old.nr_parts;
	now = sfs_now(fs);
	ret = sfs_hold_begin(fs, ch.si.locks, &hold, SFS_SPACE_DELETE, &need);
	if (ret < 0)
		goto out;
	sfs_xattr_erase(fs, &hold, ino, &ch.old);
	sfs_inode_changed(&ch.si, &now);
	sfs_inode_store(fs, &hold, &ch.si);
	sfs_hold_end(fs, &hold);
out:
	kfree(ch.x);
	return ret;
}

int sfs_removexattr(struct sfs_fs *fs, const struct sfs_cred *cred, __u64 ino,
		    const char *name)
{
	struct sfs_lockset locks;
	int ret;

	sfs_count(fs->cnt, op_xattr_write);
	ret = sfs_locks_ino(fs, &locks, ino, SFS_LOCK_WRITE);
	if (ret < 0)
		return ret;
	ret = removexattr(fs, &locks, cred, ino, name);
	sfs_locks_end(fs, &locks);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values of the filesystem's items: encoding, decoding, printing.
 *
 * A decoder believes nothing: it checks the length, every field and what the
 * value and its key must have in common, and names the field that is wrong.
 * What can only be seen by looking at several items together (does the entry
 * by name have one by position, is the link count right) is not checked here
 * but in check/.
 *
 * Encodings are canonical: equal contents make equal bytes.
 *
 * No locks, no memory, no state.
 */
#include "fs/fs.h"

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/stat.h>
#include <linux/string.h>
#include "base/report.h"
#include "mount/mount_types.h"

#define NSEC_MAX 999999999U

struct sfs_key sfs_inode_key(u64 ino)
{
	return SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_INODE, 0, 0, 0);
}

struct sfs_key sfs_extent_key(u64 ino, u64 last)
{
	return SFS_KEY(SFS_ZONE_FS, ino, SFS_FS_EXTENT, last, 0, 0);
}

struct sfs_key sfs_work_key(u64 ino, u8 type)
{
	return SFS_KEY(SFS_ZONE_WORK, ino, type, 0, 0, 0);
}

struct sfs_key sfs_index_key(u8 type, u64 stamp, u64 ino)
{
	return SFS_KEY(SFS_ZONE_INDEX, 0, type, stamp, ino, 0);
}

int sfs_item_bad(struct sfs_fs *fs, const struct sfs_key *key,
		 const char *why)
{
	sfs_err(fs->host, "item " SFS_KEY_FMT ": %s", SFS_KEY_ARG(key), why);
	return -EIO;
}

/*
 * The hash of a name decides only where its entry is kept; the key is there so
 * that a list of colliding names made for one volume does not fit others.
 */
void sfs_name_hash_key(const u8 *bytes, siphash_key_t *ret_key)
{
	__le64 words[2];

	memcpy(words, bytes, sizeof(words));
	ret_key->key[0] = le64_to_cpu(words[0]);
	ret_key->key[1] = le64_to_cpu(words[1]);
}

u64 sfs_name_hash(const siphash_key_t *key, const char *name, u32 len)
{
	return siphash(name, len, key);
}

/* ---- inodes ---------------------------------------------------------- */

static void time_encode(struct sfs_time_item *it, const struct sfs_time *t)
{
	it->sec = cpu_to_le64((u64)t->sec);
	it->nsec = cpu_to_le32(t->nsec);
}

static bool time_decode(const struct sfs_time_item *it, struct sfs_time *t)
{
	t->sec = (s64)le64_to_cpu(it->sec);
	t->nsec = le32_to_cpu(it->nsec);
	t->pad = 0;
	return t->nsec <= NSEC_MAX;
}

u32 sfs_inode_encode(const struct sfs_inode *si, void *buf)
{
	struct sfs_inode_item *it = buf;
	const u8 *bytes = buf;
	u32 len = sizeof(*it);

	memset(it, 0, sizeof(*it));
	it->mode = cpu_to_le16(si->mode);
	it->version = SFS_INODE_VERSION;
	it->nlink = cpu_to_le32(si->nlink);
	it->uid = cpu_to_le32(si->uid);
	it->gid = cpu_to_le32(si->gid);
	it->meta_seq = cpu_to_le64(si->meta_seq);
	it->data_seq = cpu_to_le64(si->data_seq);
	time_encode(&it->crtime, &si->crtime);
	time_encode(&it->ctime, &si->ctime);
	time_encode(&it->mtime, &si->mtime);
	time_encode(&it->atime, &si->atime);
	it->size = cpu_to_le64(si->size);
	it->data_version = cpu_to_le64(si->data_version);
	it->online_blocks = cpu_to_le64(si->online_blocks);
	it->flags = cpu_to_le32(si->flags);
	it->rdev = cpu_to_le32(si->rdev);
	it->next_pos = cpu_to_le64(si->next_pos);
	it->next_xattr_id = cpu_to_le64(si->next_xattr_id);
	it->offline_blocks = cpu_to_le64(si->offline_blocks);
	it->project = cpu_to_le64(si->project);

	while (len > SFS_INODE_ITEM_MIN && !bytes[len - 1])
		len--;
	return len;
}

static bool mode_has_type(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	}
	return false;
}

/* What must hold between the fields of an inode. */
static const char *inode_check(const struct sfs_inode *si)
{
	if (!mode_has_type(si->mode))
		return "inode: mode has no known type";
	if (si->nlink > S32_MAX)
		return "inode: nlink is too large";
	if (si->size > SFS_MAX_FILE_SIZE)
		return "inode: size is too large";
	if (si->flags & ~SFS_INODE_ALL_FLAGS)
		return "inode: flags has unknown bits";
	if (S_ISDIR(si->mode) && si->next_pos < SFS_FIRST_POS)
		return "inode: next_pos is too small";
	if (!S_ISDIR(si->mode) && si->next_pos)
		return "inode: next_pos without a directory";
	if (!S_ISCHR(si->mode) && !S_ISBLK(si->mode) && si->rdev)
		return "inode: rdev without a device";
	if (S_ISREG(si->mode))
		return NULL;
	if (si->data_seq)
		return "inode: data_seq without a regular file";
	if (si->data_version)
		return "inode: data_version without a regular file";
	if (si->online_blocks)
		return "inode: online_blocks without a regular file";
	if (si->offline_blocks)
		return "inode: offline_blocks without a regular file";
	return NULL;
}

const char *sfs_inode_decode(const struct sfs_key *key, const void *val,
			     u32 len, struct sfs_inode *ret_si)
{
	struct sfs_inode_item it = {};
	struct sfs_inode si = { .ino = key->f1 };
	const char *why;

	if (len < SFS_INODE_ITEM_MIN)
		return "inode: value is too short";
	if (len > sizeof(it))
		return "inode: value is too long";
	if (len > SFS_INODE_ITEM_MIN && !((const u8 *)val)[len - 1])
		return "inode: value ends with a zero";
	memcpy(&it, val, len);
	if (it.version != SFS_INODE_VERSION)
		return "inode: version is unknown";
	if (it.zero)
		return "inode: padding is not zero";
	if (!time_decode(&it.crtime, &si.crtime))
		return "inode: crtime has too many nanoseconds";
	if (!time_decode(&it.ctime, &si.ctime))
		return "inode: ctime has too many nanoseconds";
	if (!time_decode(&it.mtime, &si.mtime))
		return "inode: mtime has too many nanoseconds";
	if (!time_decode(&it.atime, &si.atime))
		return "inode: atime has too many nanoseconds";
	si.mode = le16_to_cpu(it.mode);
	si.nlink = le32_to_cpu(it.nlink);
	si.uid = le32_to_cpu(it.uid);
	si.gid = le32_to_cpu(it.gid);
	si.meta_seq = le64_to_cpu(it.meta_seq);
	si.data_seq = le64_to_cpu(it.data_seq);
	si.size = le64_to_cpu(it.size);
	si.data_version = le64_to_cpu(it.data_version);
	si.online_blocks = le64_to_cpu(it.online_blocks);
	si.flags = le32_to_cpu(it.flags);
	si.rdev = le32_to_cpu(it.rdev);
	si.next_pos = le64_to_cpu(it.next_pos);
	si.next_xattr_id = le64_to_cpu(it.next_xattr_id);
	si.offline_blocks = le64_to_cpu(it.offline_blocks);
	si.project = le64_to_cpu(it.project);
	why = inode_check(&si);
	if (!why)
		*ret_si = si;
	return why;
}

/* ---- entries ---------------------------------------------------------- */

static const char *name_check(const u8 *name, u32 len)
{
	u32 i;

	if (!len)
		return "entry: name is empty";
	if (len > SFS_NAME_MAX)
		return "entry: name is too long";
	for (i = 0; i < len; i++) {
		if (!name[i] || name[i] == '/')
			return "entry: name has a character that can not be";
	}
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return "entry: name is . or ..";
	return NULL;
}

static const char *type_check(u8 type)
{
	if (!mode_has_type((u32)type << 12))
		return "entry: type is unknown";
	return NULL;
}

/* of SFS_FS_DIRENT and SFS_FS_READDIR items */
const char *sfs_dirent_decode(const struct sfs_key *key, const void *val,
			      u32 len, struct sfs_entry *ret_e)
{
	const struct sfs_dirent_item *it = val;
	struct sfs_entry e = { .dir = key->f1 };
	const char *why;

	if (len < sizeof(*it))
		return "entry: value is too short";
	len -= sizeof(*it);
	why = name_check(it->name, len);
	if (!why)
		why = type_check(it->type);
	if (why)
		return why;
	if (key->type == SFS_FS_DIRENT) {
		e.hash = key->f2;
		e.pos = key->f3;
	} else {
		e.pos = key->f2;
	}
	e.ino = le64_to_cpu(it->ino);
	e.type = it->type;
	e.name = (const char *)it->name;
	e.name_len = len;
	if (e.pos < SFS_FIRST_POS)
		return "entry: position is too small";
	if (!e.ino)
		return "entry: ino is 0";
	*ret_e = e;
	return NULL;
}

const char *sfs_backref_decode(const struct sfs_key *key, const void *val,
			       u32 len, struct sfs_entry *ret_e)
{
	const struct sfs_backref_item *it = val;
	const char *why;

	if (len < sizeof(*it))
		return "back reference: value is too short";
	len -= sizeof(*it);
	why = name_check(it->name, len);
	if (!why)
		why = type_check(it->type);
	if (why)
		return why;
	if (key->f3 < SFS_FIRST_POS)
		return "back reference: position is too small";
	*ret_e = (struct sfs_entry) {
		.dir = key->f2,
		.ino = key->f1,
		.pos = key->f3,
		.type = it->type,
		.name_len = len,
		.name = (const char *)it->name,
	};
	return NULL;
}

/* ---- extents ---------------------------------------------------------- */

void sfs_extent_encode(const struct sfs_extent *ext, void *buf)
{
	struct sfs_extent_item *it = buf;

	it->count = cpu_to_le64(ext->count);
	it->phys = cpu_to_le64(ext->phys);
	it->flags = ext->flags;
}

const char *sfs_extent_decode(const struct sfs_key *key, const void *val,
			      u32 len, struct sfs_extent *ret_ext)
{
	const struct sfs_extent_item *it = val;
	u64 last = key->f2;
	u64 count;
	u64 phys;

	if (len != sizeof(*it))
		return "extent: value has a wrong length";
	count = le64_to_cpu(it->count);
	phys = le64_to_cpu(it->phys);
	if (last > SFS_MAX_FILE_BLOCK)
		return "extent: last block is too large";
	if (!count || count > last + 1)
		return "extent: count does not fit the last block";
	if (it->flags != 0 && it->flags != SFS_EXT_OFFLINE &&
	    it->flags != SFS_EXT_UNWRITTEN)
		return "extent: flags are not possible";
	if (!phys != !!(it->flags & SFS_EXT_OFFLINE))
		return "extent: phys does not fit the flags";
	if (phys > SFS_MAX_FILE_BLOCK || count > SFS_MAX_FILE_BLOCK - phys)
		return "extent: phys is too large";
	*ret_ext = (struct sfs_extent) {
		.block = last - count + 1,
		.count = count,
		.phys = phys,
		.flags = it->flags,
	};
	return NULL;
}

/* ---- xattrs, symlinks, work ------------------------------------------- */

const char *sfs_xattr_decode(const struct sfs_key *key, const void *val,
			     u32 len, u32 *ret_name_len, u32 *ret_val_len)
{
	const struct sfs_xattr_item *it = val;
	u32 name_len;
	u32 val_len;
	u32 here;

	if (len < sizeof(*it))
		return "xattr: value is too short";
	val_len = le16_to_cpu(it->val_len);
	name_len = it->name_len;
	if (!name_len || name_len > len - sizeof(*it))
		return "xattr: name_len does not fit";
	if (it->zero)
		return "xattr: padding is not zero";
	if (memchr(it->name, 0, name_len))
		return "xattr: name has a zero";
	here = min_t(u32, val_len, SFS_MAX_VAL - sizeof(*it) - name_len);
	if (len != sizeof(*it) + name_len + here)
		return "xattr: val_len does not fit the first part";
	*ret_name_len = name_len;
	*ret_val_len = val_len;
	return NULL;
}

static const char *truncate_check(const void *val, u32 len)
{
	const struct sfs_truncate_item *it = val;

	if (len != sizeof(*it))
		return "truncation: value has a wrong length";
	if (le64_to_cpu(it->size) > SFS_MAX_FILE_SIZE)
		return "truncation: size is too large";
	return NULL;
}

static const char *fs_zone_check(const struct sfs_key *key, const void *val,
				 u32 len)
{
	struct sfs_extent ext;
	struct sfs_inode si;
	struct sfs_entry e;
	u32 name_len;
	u32 val_len;

	switch (key->type) {
	case SFS_FS_INODE:
		if (key->f2 || key->f3 || key->f4)
			return "inode: key has unused fields";
		return sfs_inode_decode(key, val, len, &si);
	case SFS_FS_DIRENT:
		if (key->f4)
			return "entry: key has unused fields";
		return sfs_dirent_decode(key, val, len, &e);
	case SFS_FS_READDIR:
		if (key->f3 || key->f4)
			return "entry: key has unused fields";
		return sfs_dirent_decode(key, val, len, &e);
	case SFS_FS_BACKREF:
		if (key->f4)
			return "back reference: key has unused fields";
		return sfs_backref_decode(key, val, len, &e);
	case SFS_FS_SYMLINK:
		if (key->f2 > 1 || key->f3 || key->f4)
			return "symlink: key has unused fields";
		return len && len <= SFS_MAX_VAL && !memchr(val, 0, len) ?
			       NULL : "symlink: bad target";
	case SFS_FS_XATTR:
		if (!key->f4)
			return sfs_xattr_decode(key, val, len, &name_len,
						&val_len);
		return len && len <= SFS_MAX_VAL ?
			       NULL : "xattr: part has a wrong length";
	case SFS_FS_EXTENT:
		if (key->f3 || key->f4)
			return "extent: key has unused fields";
		return sfs_extent_decode(key, val, len, &ext);
	}
	return "key: type is unknown";
}

const char *sfs_fs_item_check(const struct sfs_key *key, const void *val,
			      u32 len)
{
	switch (key->zone) {
	case SFS_ZONE_FS:
		if (!key->f1)
			return "key: ino is 0";
		return fs_zone_check(key, val, len);
	case SFS_ZONE_WORK:
		if (!key->f1 || key->f2 || key->f3 || key->f4)
			return "work: key has unused fields or no ino";
		if (key->type == SFS_WORK_TRUNCATE)
			return truncate_check(val, len);
		if (key->type != SFS_WORK_ORPHAN)
			return "work: type is unknown";
		return len ? "orphan: value is not empty" : NULL;
	case SFS_ZONE_INDEX:
		if (key->type != SFS_INDEX_META_SEQ &&
		    key->type != SFS_INDEX_DATA_SEQ)
			return "index entry: type is unknown";
		if (key->f1 || !key->f3 || key->f4)
			return "index entry: key has unused fields or no ino";
		return len ? "index entry: value is not empty" : NULL;
	}
	return "key: zone is unknown";
}

/* ---- printing ---------------------------------------------------------- */

/* A name with everything unusual as \ooo. */
static void name_to_text(const char *name, u32 len, char *buf, u32 size)
{
	u32 at = 0;
	u32 i;

	buf[0] = '\0';
	for (i = 0; i < len && at + 5 < size; i++) {
		u8 c = name[i];

		if (c > ' ' && c < 127 && c != '\\')
			at += scnprintf(buf + at, size - at, "%c", c);
		else
			at += scnprintf(buf + at, size - at, "\\%03o", c);
	}
}

static int inode_to_text(const struct sfs_inode *si, char *buf, u32 size)
{
	return scnprintf(buf, size,
		"inode %llu mode %o nlink %u uid %u gid %u size %llu"
		" meta_seq %llu data_seq %llu data_version %llu"
		" online_blocks %llu offline_blocks %llu flags %x rdev %u"
		" next_pos %llu next_xattr_id %llu project %llu"
		" crtime %lld.%09u ctime %lld.%09u"
		" mtime %lld.%09u atime %lld.%09u",
		(unsigned long long)si->ino, si->mode, si->nlink, si->uid,
		si->gid, (unsigned long long)si->size,
		(unsigned long long)si->meta_seq,
		(unsigned long long)si->data_seq,
		(unsigned long long)si->data_version,
		(unsigned long long)si->online_blocks,
		(unsigned long long)si->offline_blocks, si->flags, si->rdev,
		(unsigned long long)si->next_pos,
		(unsigned long long)si->next_xattr_id,
		(unsigned long long)si->project,
		(long long)si->crtime.sec, si->crtime.nsec,
		(long long)si->ctime.sec, si->ctime.nsec,
		(long long)si->mtime.sec, si->mtime.nsec,
		(long long)si->atime.sec, si->atime.nsec);
}

static int entry_to_text(const char *what, const struct sfs_entry *e,
			 char *buf, u32 size)
{
	char name[SFS_NAME_MAX + 1];

	name_to_text(e->name, e->name_len, name, sizeof(name));
	return scnprintf(buf, size, "%s dir %llu pos %llu ino %llu type %u %s",
			 what, (unsigned long long)e->dir,
			 (unsigned long long)e->pos,
			 (unsigned long long)e->ino, e->type, name);
}

static int xattr_to_text(const struct sfs_key *key, const void *val, u32 len,
			 char *buf, u32 size)
{
	const struct sfs_xattr_item *it = val;
	char name[SFS_NAME_MAX + 1];

	if (key->f4)
		return scnprintf(buf, size, "xattr of %llu id %llu part %u",
				 (unsigned long long)key->f1,
				 (unsigned long long)key->f3, key->f4);
	name_to_text((const char *)it->name, it->name_len, name, sizeof(name));
	return scnprintf(buf, size, "xattr of %llu id %llu val_len %u %s",
			 (unsigned long long)key->f1,
			 (unsigned long long)key->f3,
			 le16_to_cpu(it->val_len), name);
}

static int fs_zone_to_text(const struct sfs_key *key, const void *val,
			   u32 len, char *buf, u32 size)
{
	struct sfs_extent ext = {};
	struct sfs_inode si = {};
	struct sfs_entry e = {};

	switch (key->type) {
	case SFS_FS_INODE:
		sfs_inode_decode(key, val, len, &si);
		return inode_to_text(&si, buf, size);
	case SFS_FS_DIRENT:
		sfs_dirent_decode(key, val, len, &e);
		return entry_to_text("entry by name", &e, buf, size);
	case SFS_FS_READDIR:
		sfs_dirent_decode(key, val, len, &e);
		return entry_to_text("entry by position", &e, buf, size);
	case SFS_FS_BACKREF:
		sfs_backref_decode(key, val, len, &e);
		return entry_to_text("back reference", &e, buf, size);
	case SFS_FS_SYMLINK:
		return scnprintf(buf, size, "symlink %llu part %llu len %u",
				 (unsigned long long)key->f1,
				 (unsigned long long)key->f2, len);
	case SFS_FS_XATTR:
		return xattr_to_text(key, val, len, buf, size);
	}
	sfs_extent_decode(key, val, len, &ext);
	return scnprintf(buf, size,
			 "extent of %llu block %llu count %llu phys %llu%s%s",
			 (unsigned long long)key->f1,
			 (unsigned long long)ext.block,
			 (unsigned long long)ext.count,
			 (unsigned long long)ext.phys,
			 ext.flags & SFS_EXT_OFFLINE ? " offline" : "",
			 ext.flags & SFS_EXT_UNWRITTEN ? " unwritten" : "");
}

int sfs_fs_item_to_text(const struct sfs_key *key, const void *val, u32 len,
			char *buf, u32 size)
{
	const struct sfs_truncate_item *it = val;
	const char *why = sfs_fs_item_check(key, val, len);
	const char *what;

	if (why)
		return scnprintf(buf, size, "BAD %s", why);
	if (key->zone == SFS_ZONE_FS)
		return fs_zone_to_text(key, val, len, buf, size);
	if (key->zone == SFS_ZONE_INDEX) {
		what = key->type == SFS_INDEX_META_SEQ ? "meta_seq" :
							 "data_seq";
		return scnprintf(buf, size, "%s %llu ino %llu", what,
				 (unsigned long long)key->f2,
				 (unsigned long long)key->f3);
	}
	if (key->type == SFS_WORK_ORPHAN)
		return scnprintf(buf, size, "orphan %llu",
				 (unsigned long long)key->f1);
	return scnprintf(buf, size, "truncation of %llu to %llu",
			 (unsigned long long)key->f1,
			 (unsigned long long)le64_to_cpu(it->size));
}

/* ---- a fresh volume ----------------------------------------------------- */

int sfs_fs_format_items(void (*put)(void *arg, const struct sfs_key *key,
				    const void *val, u32 len),
			void *arg, s64 sec, u32 nsec)
{
	struct sfs_time now = { .sec = sec, .nsec = nsec };
	struct sfs_inode root = {
		.ino = SFS_ROOT_INO,
		.mode = S_IFDIR | 0755,
		.nlink = 2,
		.next_pos = SFS_FIRST_POS,
		.atime = now,
		.mtime = now,
		.ctime = now,
		.crtime = now,
	};
	struct sfs_inode_item it;
	struct sfs_key key;

	if (nsec > NSEC_MAX)
		return -EINVAL;
	/* in the order of their keys: the caller may be writing a run */
	key = sfs_index_key(SFS_INDEX_META_SEQ, root.meta_seq, root.ino);
	put(arg, &key, NULL, 0);
	key = sfs_inode_key(root.ino);
	put(arg, &key, &it, sfs_inode_encode(&root, &it));
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filesystem floor: functions its files share, and the few that the floors
 * beside it (check/, sfs_format()) use.
 */
#ifndef SFS_FS_H
#define SFS_FS_H

#include "base/counters.h"
#include "fs/fs_format.h"
#include "fs/fs_types.h"

/* ---- super.c: start and stop ------------------------------------------- */

/*
 * After the mount has joined: looks for unfinished work in the background.
 * stop: no other call runs or comes; what is left undone is done by the next
 * mount.
 */
int sfs_inodes_start(struct sfs_fs *fs);
void sfs_inodes_stop(struct sfs_fs *fs);

/* ---- items.c: values of items ------------------------------------------- */

/*
 * Every value read goes through one of these.  They return NULL, or what is
 * wrong with which field.
 */
const char *sfs_inode_decode(const struct sfs_key *key, const void *val,
			     u32 len, struct sfs_inode *ret_si);
const char *sfs_dirent_decode(const struct sfs_key *key, const void *val,
			      u32 len, struct sfs_entry *ret_e);
const char *sfs_backref_decode(const struct sfs_key *key, const void *val,
			       u32 len, struct sfs_entry *ret_e);
const char *sfs_extent_decode(const struct sfs_key *key, const void *val,
			      u32 len, struct sfs_extent *ret_ext);
const char *sfs_xattr_decode(const struct sfs_key *key, const void *val,
			     u32 len, u32 *ret_name_len, u32 *ret_val_len);
/* The same for any item of the zones of this floor, by its key. */
const char *sfs_fs_item_check(const struct sfs_key *key, const void *val,
			      u32 len);
/* One line without newline; returns its length.  Bad values are printed so. */
int sfs_fs_item_to_text(const struct sfs_key *key, const void *val, u32 len,
			char *buf, u32 size);

/* @buf has sizeof(struct sfs_inode_item) bytes; returns those to store. */
u32 sfs_inode_encode(const struct sfs_inode *si, void *buf);
void sfs_extent_encode(const struct sfs_extent *ext, void *buf);

/* Names of @len bytes under the key of the volume, which is 16 bytes. */
void sfs_name_hash_key(const u8 *bytes, siphash_key_t *ret_key);
u64 sfs_name_hash(const siphash_key_t *key, const char *name, u32 len);

struct sfs_key sfs_inode_key(u64 ino);
struct sfs_key sfs_extent_key(u64 ino, u64 last);
struct sfs_key sfs_work_key(u64 ino, u8 type);
struct sfs_key sfs_index_key(u8 type, u64 stamp, u64 ino);

static inline u8 sfs_mode_type(u32 mode)
{
	return (mode >> 12) & 15;
}

/* Logs that an item is damaged; returns -EIO. */
int sfs_item_bad(struct sfs_fs *fs, const struct sfs_key *key,
		 const char *why);

/*
 * The items of an empty volume: the root directory.  For sfs_format().
 */
int sfs_fs_format_items(void (*put)(void *arg, const struct sfs_key *key,
				    const void *val, u32 len),
			void *arg, s64 sec, u32 nsec);

/* ---- inode.c ------------------------------------------------------------ */

/* Under @locks, which cover @ino. */
int sfs_inode_read(struct sfs_fs *fs, struct sfs_lockset *locks, u64 ino,
		   struct sfs_inode *ret_si);
/* Of an inode that exists: stamps meta_seq, stores the item. */
void sfs_inode_store(struct sfs_fs *fs, struct sfs_hold *hold,
		     struct sfs_inode *si);
/* The item alone, when nothing changed that the index or users know of. */
void sfs_inode_put(struct sfs_fs *fs, struct sfs_hold *hold,
		   const struct sfs_inode *si);
void sfs_inode_store_new(struct sfs_fs *fs, struct sfs_hold *hold,
			 struct sfs_inode *si);
void sfs_inode_erase(struct sfs_fs *fs, struct sfs_hold *hold,
		     const struct sfs_inode *si);
void sfs_inode_to_attr(struct sfs_fs *fs, const struct sfs_inode *si,
		       struct sfs_attr *attr);

struct sfs_time sfs_now(struct sfs_fs *fs);
int sfs_time_cmp(const struct sfs_time *a, const struct sfs_time *b);
/* ctime never goes back. */
void sfs_inode_changed(struct sfs_inode *si, const struct sfs_time *now);
/* ... and mtime */
void sfs_inode_modified(struct sfs_inode *si, const struct sfs_time *now);

/* What sfs_inode_store(), also after sfs_data_changed(), needs. */
void sfs_need_inode(struct sfs_need *need);

/* ---- index.c ------------------------------------------------------------ */

void sfs_index_meta(struct sfs_fs *fs, struct sfs_hold *hold,
		    struct sfs_inode *si);
void sfs_index_data(struct sfs_fs *fs, struct sfs_hold *hold,
		    struct sfs_inode *si);
void sfs_index_erase(struct sfs_fs *fs, struct sfs_hold *hold,
		     const struct sfs_inode *si);

/* ---- inonum.c ----------------------------------------------------------- */

/*
 * Numbers that no inode ever had.  group: a number out of the group that the
 * next inode made in @dir will come from, to take its lock; alloc: the number
 * itself, -EAGAIN when it would come from another group by now.
 */
int sfs_ino_group_for(struct sfs_fs *fs, u64 dir, bool is_dir, u64 *ret_ino);
int sfs_ino_alloc(struct sfs_fs *fs, const struct sfs_lockset *locks, u64 dir,
		  bool is_dir, u64 *ret_ino);

/* ---- perm.c ------------------------------------------------------------- */

#define SFS_MAY_EXEC 1
#define SFS_MAY_WRITE 2
#define SFS_MAY_READ 4

bool sfs_cred_in_group(const struct sfs_cred *cred, u32 gid);
/* Trusts a host that has checked; the second does not. */
int sfs_perm_check(const struct sfs_inode *si, const struct sfs_cred *cred,
		   u32 mask);
int sfs_perm_evaluate(const struct sfs_inode *si, const struct sfs_cred *cred,
		      u32 mask);
bool sfs_perm_owner(const struct sfs_inode *si, const struct sfs_cred *cred);
int sfs_perm_sticky(const struct sfs_inode *dir, const struct sfs_inode *si,
		    const struct sfs_cred *cred);
void sfs_perm_init(struct sfs_inode *si, const struct sfs_inode *dir,
		   const struct sfs_cred *cred, u32 mode);
/* @mode without what chown, writing, truncating take from it. */
u32 sfs_perm_drop_ids(const struct sfs_inode *si, const struct sfs_cred *cred,
		      u32 mode);
int sfs_perm_setattr(const struct sfs_inode *si, const struct sfs_cred *cred,
		     const struct sfs_setattr *set);

/* ---- names.c ------------------------------------------------------------ */

int sfs_name_check(const char *name, u32 len);
/* The entry of that name; ret_e->name is @name.  @locks cover @dir. */
int sfs_entry_find(struct sfs_fs *fs, const struct sfs_lockset *locks, u64 dir,
		   const char *name, u32 len, struct sfs_entry *ret_e);
void sfs_entry_put(struct sfs_fs *fs, struct sfs_hold *hold,
		   const struct sfs_entry *e);
void sfs_entry_del(struct sfs_fs *fs, struct sfs_hold *hold,
		   const struct sfs_entry *e);
void sfs_need_entry(struct sfs_need *need, u32 name_len);
int sfs_dir_read(struct sfs_fs *fs, struct sfs_lockset *locks,
		 const struct sfs_cred *cred, u64 dir,
		 struct sfs_inode *ret_dsi);
/*
 * A directory that is to get, or to lose, an entry; checks both.  Under @locks,
 * which cover the directory (and the inode) for writing.
 */
int sfs_dir_for_new(struct sfs_fs *fs, struct sfs_lockset *locks,
		    const struct sfs_cred *cred, u64 dir, const char *name,
		    u32 len, struct sfs_inode *dsi, struct sfs_entry *e);
int sfs_dir_for_gone(struct sfs_fs *fs, struct sfs_lockset *locks,
		     const struct sfs_cred *cred, u64 dir, const char *name,
		     u32 len, u64 ino, struct sfs_inode *dsi,
		     struct sfs_entry *e, struct sfs_inode *si);
/* One link less; the last one makes an orphan.  Room: 1 item. */
void sfs_inode_unlinked(struct sfs_fs *fs, struct sfs_hold *hold,
			struct sfs_inode *si);

/* ---- paths.c ------------------------------------------------------------ */

/* The directory that has @dir's entry; the root is its own.  @locks cover @dir. */
int sfs_dir_parent(struct sfs_fs *fs, const struct sfs_lockset *locks, u64 dir,
		   u64 *ret_parent);
/* 1 when @ino is @dir or above it.  Uses the locks on the way one by one. */
int sfs_dir_is_under(struct sfs_fs *fs, u64 dir, u64 ino);

/* ---- xattr.c ------------------------------------------------------------ */

/*
 * Preparing the removal of an attribute that may not exist, as a part of
 * another operation: @ret_parts is 0 then.
 */
struct sfs_xattr_ref {
	u64 hash;
	u64 id;
	u32 nr_parts;
};
int sfs_xattr_find(struct sfs_fs *fs, u64 ino, const char *name,
		   struct sfs_xattr_ref *ret_ref);
void sfs_xattr_erase(struct sfs_fs *fs, struct sfs_hold *hold, u64 ino,
		     const struct sfs_xattr_ref *ref);

/* ---- extent.c ----------------------------------------------------------- */

#define SFS_EXT_BATCH 64

struct sfs_ext_batch {
	u32 nr;
	bool more;		/* there are others behind these */
	struct sfs_extent ext[SFS_EXT_BATCH];
};

static inline u64 sfs_ext_end(const struct sfs_extent *ext)
{
	return ext->block + ext->count;
}

static inline u64 sfs_size_blocks(u64 size)
{
	return (size >> SFS_BLOCK_SHIFT) + !!(size & (SFS_BLOCK_SIZE - 1));
}

/* The first extent that ends at or after @block. */
int sfs_extent_next(struct sfs_fs *fs, u64 ino, u64 block,
		    struct sfs_extent *ret_ext);
/* Those that reach beyond @block, the first ones. */
int sfs_extent_collect(struct sfs_fs *fs, u64 ino, u64 block,
		       struct sfs_ext_batch *batch);
void sfs_extent_put(struct sfs_fs *fs, struct sfs_hold *hold, u64 ino,
		    const struct sfs_extent *ext);
void sfs_extent_del(struct sfs_fs *fs, struct sfs_hold *hold, u64 ino,
		    const struct sfs_extent *ext);
/* sfs_map_read() for a caller that has the lock. */
int sfs_extent_map_read(struct sfs_fs *fs, u64 ino, u64 block,
			struct sfs_extent *ret_ext);
/* Frees what @ext has from @cut on; counts in @si. */
void sfs_extent_cut(struct sfs_fs *fs, struct sfs_hold *hold,
		    struct sfs_inode *si, const struct sfs_extent *ext,
		    u64 cut);
/*
 * sfs_map_write() for a caller that knows more: with @keeps no byte below the
 * size is going to change.
 */
int sfs_extent_map_write(struct sfs_fs *fs, struct sfs_inode *si, u64 block,
			 u64 count, bool keeps, struct sfs_extent *ret_ext);

/* How blocks became written: when, and from which space their items come. */
struct sfs_written {
	enum sfs_space_class class;
	struct sfs_time mtime;
	struct sfs_time ctime;
};
/* sfs_map_written() on a copy of the inode that is kept up to date. */
int sfs_extent_written(struct sfs_fs *fs, struct sfs_inode *si, u64 block,
		       u64 count, u64 size, const struct sfs_written *how);

/* ---- truncate.c --------------------------------------------------------- */

/*
 * Changing the size of @si: prepare, then apply within a hold that has
 * tc->need more, then finish, which frees what did not fit into the hold.
 */
struct sfs_trunc {
	u64 size;
	bool changes;		/* the size */
	bool zeroed;		/* wrote to the data device */
	struct sfs_need need;
	struct sfs_ext_batch *batch;
};
int sfs_trunc_prepare(struct sfs_fs *fs, struct sfs_inode *si, u64 size,
		      struct sfs_trunc *tc);
void sfs_trunc_apply(struct sfs_fs *fs, struct sfs_hold *hold,
		     struct sfs_inode *si, struct sfs_trunc *tc);
void sfs_trunc_exit(struct sfs_trunc *tc);
/* Does what an earlier truncation left to do.  Excl(si->ino). */
int sfs_trunc_finish(struct sfs_fs *fs, struct sfs_inode *si);

/* ---- open.c: what is known of inodes and not stored --------------------- */

int sfs_ivol_get(struct sfs_fs *fs, u64 ino, struct sfs_ivol **ret_vol);
void sfs_ivol_put(struct sfs_fs *fs, struct sfs_ivol *vol);
/*
 * False when somebody has the inode in use, beside the @opens of the caller,
 * and then the worker gets it with the last close.  @gone: it is deleted.
 */
bool sfs_ivol_claim(struct sfs_fs *fs, struct sfs_ivol *vol,
		    enum sfs_busy busy, u32 opens);
void sfs_ivol_unclaim(struct sfs_fs *fs, struct sfs_ivol *vol, bool gone);
/* The last name went: the worker gets it, now or with the last close. */
void sfs_ivol_orphaned(struct sfs_fs *fs, u64 ino);

/* Contents or size of @si change in this hold. */
void sfs_data_changed(struct sfs_fs *fs, struct sfs_hold *hold,
		      struct sfs_inode *si, struct sfs_ivol *vol);
/* It gets shorter. */
void sfs_data_shrunk(struct sfs_fs *fs, struct sfs_hold *hold,
		     struct sfs_ivol *vol);
/*
 * Before written blocks are overwritten in place: waits for what must be
 * durable by then.  With @keeps no byte below the size is going to change.
 */
int sfs_data_overwrites(struct sfs_fs *fs, struct sfs_inode *si, bool keeps);

void sfs_atime_merge(struct sfs_fs *fs, u64 ino, struct sfs_time *atime,
		     bool take);

/* ---- delete.c ----------------------------------------------------------- */

/*
 * An unlink of @si, which still has its names: when this was the last one, and
 * all its items may go in the same hold, claims it and returns true.  Then
 * exit, with whether that happened.  Excl(si->ino).
 */
bool sfs_delete_at_once(struct sfs_fs *fs, const struct sfs_inode *si,
			u32 opens, struct sfs_ivol **ret_vol);
void sfs_delete_at_once_exit(struct sfs_fs *fs, struct sfs_ivol *vol,
			     bool gone);

/* There may be something to do for the worker at this inode. */
void sfs_work_add(struct sfs_fs *fs, u64 ino);
/* The server says that nobody has it any more; 0: look at all that is left. */
void sfs_work_unused(struct sfs_fs *fs, u64 ino);
void sfs_work_run(struct work_struct *work);
void sfs_work_scan(struct work_struct *work);

/* ---- direct.c ----------------------------------------------------------- */

/*
 * Before the size of @si grows: zeroes what its last block has beyond the
 * size.  *ret_wrote: data was written, the hold must say so.
 */
int sfs_zero_tail(struct sfs_fs *fs, struct sfs_inode *si,
		  bool *ret_wrote);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cluster locks and what the VFS caches: uses of locks, and giving them up.
 *
 * What is cached of an inode (attributes, pages, what its names mean) was read
 * in a use of its lock and is as good as that until the lock is given up.  Then
 * the core calls sfs_port_invalidate(), and the inode gets another generation:
 * attributes and dentries that carry the old one are read again when somebody
 * wants them, pages are unmapped and dropped at once.  What was read before and
 * is stored afterwards carries the old generation too, so it is no hit.  No
 * generation is given twice, not even to different inodes: a dentry that moves
 * is not valid in its new place by accident.
 *
 * Before that, sfs_port_writeback() writes what is dirty.  Uses have ended by
 * then, so nothing becomes dirty meanwhile: who makes something dirty, through
 * a mapping as well, has a use for writing and comes back to us for the next
 * page or after the page was written.  A revoke waits for folios, for writeback
 * and its ends, for direct I/O, and for nothing else: it takes no lock that is
 * held by who waits for a use (kernel/fs.h).
 *
 * Inodes in memory are found by the groups of numbers that share a lock, in an
 * array that has only the groups that have some.  A revoke holds no reference
 * to the inode it is at, because letting go of it could mean to evict it; it
 * pins it, and eviction waits for pins.  Whoever evicts may hold anything, but
 * nothing of an inode that nobody refers to, so what the revoke waits for at
 * that inode is I/O alone.
 *
 * Locks: the xarray's own lock guards lists and pins; ki->open_lock is taken
 * below it.  vol->mounts_lock is a leaf.
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>

#include "counters.h"
#include "fs.h"
#include "trace.h"

/* Of inode numbers: as many as share a lock.  Others would work, more slowly. */
#define GROUP_SHIFT 10

struct group {
	struct list_head inodes;	/* L(sbi->groups) */
};

static atomic64_t last_gen;

unsigned long sfs_ki_new_gen(void)
{
	return atomic64_inc_return(&last_gen);
}

/* ---- uses ------------------------------------------------------------------ */

#ifdef CONFIG_DEBUG_LOCK_ALLOC

/*
 * All cluster locks together, as the rest of the kernel sees them: users are
 * readers, and may have to wait for each other because of revokes.  That a
 * thread enters one again, or a higher one, is the core's to check.
 */
static struct lockdep_map dep_map =
	STATIC_LOCKDEP_MAP_INIT("scoutfs_cluster_lock", &dep_map);

static void dep_enter(struct sfs_ki_use *use, u32 flags, unsigned long ip)
{
	/* not held yet when it waits, so it is told before */
	use->outermost = !(flags & SFS_USE_LATE) && !lock_is_held(&dep_map);
	if (use->outermost)
		rwsem_acquire_read(&dep_map, 0, !!(flags & SFS_USE_NOWAIT), ip);
}

static void dep_leave(struct sfs_ki_use *use, unsigned long ip)
{
	if (use->outermost)
		rwsem_release(&dep_map, ip);
	use->outermost = false;
}

#else

static void dep_enter(struct sfs_ki_use *use, u32 flags, unsigned long ip)
{
}

static void dep_leave(struct sfs_ki_use *use, unsigned long ip)
{
}

#endif

int sfs_ki_use(struct inode *inode, u32 flags, struct sfs_ki_use *use)
{
	int ret;

	dep_enter(use, flags, _RET_IP_);
	ret = sfs_use_begin(SFS_FS(inode), inode->i_ino, flags, &use->use);
	if (ret < 0)
		dep_leave(use, _RET_IP_);
	return ret;
}

void sfs_ki_unuse(struct inode *inode, struct sfs_ki_use *use)
{
	sfs_use_end(SFS_FS(inode), &use->use);
	dep_leave(use, _RET_IP_);
}

int sfs_ki_use_fresh(struct inode *inode, u32 flags, struct sfs_ki_use *use)
{
	int ret;

	ret = sfs_ki_use(inode, flags, use);
	if (ret < 0)
		return ret;
	ret = sfs_ki_refresh_used(inode);
	if (ret < 0)
		sfs_ki_unuse(inode, use);
	return ret;
}

/* ---- several --------------------------------------------------------------- */

/* Keeps them in ascending order, each once. */
static void excl_add(struct sfs_ki_excl *ex, struct inode *inode)
{
	unsigned int i, n;

	if (!inode)
		return;
	for (i = 0; i < ex->nr && ex->used[i]->i_ino <= inode->i_ino; i++) {
		if (ex->used[i] == inode)
			return;
	}
	for (n = ex->nr; n > i; n--)
		ex->used[n] = ex->used[n - 1];
	ex->used[i] = inode;
	ex->nr++;
}

static void unuse_first(struct sfs_ki_excl *ex, unsigned int nr)
{
	while (nr-- > 0)
		sfs_ki_unuse(ex->used[nr], &ex->use[nr]);
}

static int lock_both(struct inode **inodes)
{
	if (inodes[0] &&
	    down_write_killable(&SFS_KI(inodes[0])->core_sem))
		return -EINTR;
	if (inodes[1] &&
	    down_write_killable_nested(&SFS_KI(inodes[1])->core_sem,
				       SINGLE_DEPTH_NESTING)) {
		if (inodes[0])
			up_write(&SFS_KI(inodes[0])->core_sem);
		return -EINTR;
	}
	return 0;
}

int sfs_ki_excl_begin(struct sfs_ki_excl *ex, struct inode *a, struct inode *b,
		      struct inode *dir1, struct inode *dir2)
{
	unsigned int i;
	int ret;

	if (a == b)
		b = NULL;
	if (a && b && a->i_ino > b->i_ino)
		swap(a, b);
	ex->nr = 0;
	ex->locked[0] = a;
	ex->locked[1] = b;
	excl_add(ex, a);
	excl_add(ex, b);
	excl_add(ex, dir1);
	excl_add(ex, dir2);
	for (i = 0; i < ex->nr; i++) {
		ret = sfs_ki_use(ex->used[i], SFS_USE_WRITE, &ex->use[i]);
		if (ret < 0)
			goto err_uses;
	}
	ret = lock_both(ex->locked);
	if (ret < 0)
		goto err_uses;
	return 0;
err_uses:
	unuse_first(ex, i);
	return ret;
}

void sfs_ki_excl_end(struct sfs_ki_excl *ex)
{
	if (ex->locked[1])
		up_write(&SFS_KI(ex->locked[1])->core_sem);
	if (ex->locked[0])
		up_write(&SFS_KI(ex->locked[0])->core_sem);
	unuse_first(ex, ex->nr);
}

/* ---- inodes in memory ------------------------------------------------------ */

static struct sfs_sb *sbi_of(struct sfs_ki *ki)
{
	return SFS_SB(ki->vfs.i_sb);
}

static unsigned long group_of(const struct sfs_ki *ki)
{
	return ki->vfs.i_ino >> GROUP_SHIFT;
}

/* False when there is no such group yet. */
static bool add_to_group(struct sfs_sb *sbi, struct sfs_ki *ki)
{
	struct group *group;

	xa_lock(&sbi->groups);
	group = xa_load(&sbi->groups, group_of(ki));
	if (group)
		list_add_tail(&ki->group_node, &group->inodes);
	xa_unlock(&sbi->groups);
	return group;
}

int sfs_ki_register(struct sfs_ki *ki)
{
	struct sfs_sb *sbi = sbi_of(ki);
	struct group *group;
	int ret;

	while (!add_to_group(sbi, ki)) {
		group = kmalloc(sizeof(*group), GFP_NOFS);
		if (!group)
			return -ENOMEM;
		INIT_LIST_HEAD(&group->inodes);
		ret = xa_insert(&sbi->groups, group_of(ki), group, GFP_NOFS);
		if (ret < 0)
			kfree(group);
		if (ret < 0 && ret != -EBUSY)
			return ret;
	}
	return 0;
}

void sfs_ki_unregister(struct sfs_ki *ki)
{
	struct sfs_sb *sbi = sbi_of(ki);
	struct group *group;

	if (list_empty(&ki->group_node))
		return;
	xa_lock(&sbi->groups);
	while (ki->pins) {
		xa_unlock(&sbi->groups);
		wait_event(sbi->revoke_wait, !READ_ONCE(ki->pins));
		xa_lock(&sbi->groups);
	}
	group = xa_load(&sbi->groups, group_of(ki));
	list_del_init(&ki->group_node);
	if (list_empty(&group->inodes))
		__xa_erase(&sbi->groups, group_of(ki));
	else
		group = NULL;
	xa_unlock(&sbi->groups);
	kfree(group);
}

static void unpin(struct sfs_sb *sbi, struct sfs_ki *ki)
{
	WRITE_ONCE(ki->pins, ki->pins - 1);
	if (!ki->pins)
		wake_up_all(&sbi->revoke_wait);
}

/* Goes through all inodes of a range; the one it is at is pinned. */
struct walk {
	struct sfs_sb *sbi;
	unsigned long group;
	unsigned long last_group;
	struct sfs_ki *ki;
};

static void walk_init(struct walk *w, struct sfs_sb *sbi, u64 first_ino,
		      u64 last_ino)
{
	w->sbi = sbi;
	w->group = first_ino >> GROUP_SHIFT;
	w->last_group = last_ino >> GROUP_SHIFT;
	w->ki = NULL;
}

static struct list_head *first_of_group(struct walk *w)
{
	struct group *group = xa_find(&w->sbi->groups, &w->group,
				      w->last_group, XA_PRESENT);

	return group ? group->inodes.next : NULL;
}

/*
 * The next one for which there is @work to be done, or NULL.  A group has at
 * least one inode, whose list ends at the group.
 */
static struct sfs_ki *walk_next(struct walk *w, bool (*work)(struct sfs_ki *))
{
	struct sfs_sb *sbi = w->sbi;
	struct sfs_ki *last = w->ki;
	struct list_head *pos;
	struct group *group;

	w->ki = NULL;
	xa_lock(&sbi->groups);
	pos = last ? last->group_node.next : first_of_group(w);
	while (pos && !w->ki) {
		group = xa_load(&sbi->groups, w->group);
		for (; pos != &group->inodes; pos = pos->next) {
			w->ki = list_entry(pos, struct sfs_ki, group_node);
			if (work(w->ki))
				break;
			w->ki = NULL;
		}
		if (w->ki || w->group == w->last_group)
			break;
		w->group++;
		pos = first_of_group(w);
	}
	if (w->ki)
		w->ki->pins++;
	if (last)
		unpin(sbi, last);
	xa_unlock(&sbi->groups);
	return w->ki;
}

/* ---- giving up ------------------------------------------------------------- */

static bool has_contents(struct sfs_ki *ki)
{
	return S_ISREG(ki->vfs.i_mode) && READ_ONCE(ki->vfs.i_data.nrpages);
}

static bool to_write(struct sfs_ki *ki)
{
	return has_contents(ki) || atomic_read(&ki->vfs.i_dio_count);
}

/* What fails is kept for fsync: errors of the mapping are not looked at. */
static void write_contents(struct sfs_ki *ki)
{
	struct address_space *mapping = &ki->vfs.i_data;

	if (has_contents(ki)) {
		filemap_fdatawrite(mapping);
		filemap_fdatawait_keep_errors(mapping);
	}
	inode_dio_wait(&ki->vfs);
}

/* Nothing of it is used from here on but its pages; does not sleep. */
static bool invalidate(struct sfs_ki *ki)
{
	struct inode *inode = &ki->vfs;

	WRITE_ONCE(ki->gen, sfs_ki_new_gen());
	/* an iomap that was made before fits no more */
	WRITE_ONCE(ki->map_seq, ki->map_seq + 1);
	/* who sets it, or takes it for granted, has a use */
	inode_set_flags(inode, 0, S_NOSEC);
	forget_all_cached_acls(inode);
	return false;
}

static bool to_drop(struct sfs_ki *ki)
{
	bool in_use;

	spin_lock(&ki->open_lock);
	in_use = ki->in_use;
	spin_unlock(&ki->open_lock);
	return in_use || has_contents(ki);
}

static void drop_contents(struct sfs_ki *ki)
{
	struct address_space *mapping = &ki->vfs.i_data;

	if (has_contents(ki)) {
		unmap_mapping_range(mapping, 0, 0, 0);
		truncate_inode_pages(mapping, 0);
	}
	sfs_ki_stop_lingering(ki);
}

/* ---- upcalls --------------------------------------------------------------- */

static struct sfs_volume *vol_of(struct sfs_host *host)
{
	return container_of(host, struct sfs_volume, host);
}

/* The superblock of a mount of the core, which stays until upcall_end(). */
static struct sfs_sb *upcall_begin(struct sfs_host *host, struct sfs_fs *fs)
{
	struct sfs_volume *vol = vol_of(host);
	struct sfs_sb *sbi;

	spin_lock(&vol->mounts_lock);
	list_for_each_entry(sbi, &vol->mounts, node) {
		if (sbi->fs == fs) {
			sbi->upcalls++;
			spin_unlock(&vol->mounts_lock);
			return sbi;
		}
	}
	spin_unlock(&vol->mounts_lock);
	return NULL;
}

static void upcall_end(struct sfs_sb *sbi)
{
	struct sfs_volume *vol = sbi->vol;

	spin_lock(&vol->mounts_lock);
	WRITE_ONCE(sbi->upcalls, sbi->upcalls - 1);
	if (!sbi->upcalls)
		wake_up_all(&sbi->revoke_wait);
	spin_unlock(&vol->mounts_lock);
}

void sfs_port_writeback(struct sfs_host *host, struct sfs_fs *fs,
			__u64 first_ino, __u64 last_ino)
{
	struct sfs_sb *sbi = upcall_begin(host, fs);
	struct sfs_ki *ki;
	struct walk w;

	if (!sbi)
		return;
	walk_init(&w, sbi, first_ino, last_ino);
	while ((ki = walk_next(&w, to_write)))
		write_contents(ki);
	sfs_vfs_count(sbi->sb, revoke_writes);
	upcall_end(sbi);
}

void sfs_port_invalidate(struct sfs_host *host, struct sfs_fs *fs,
			 __u64 first_ino, __u64 last_ino)
{
	struct sfs_sb *sbi = upcall_begin(host, fs);
	struct sfs_ki *ki;
	struct walk w;

	if (!sbi)
		return;
	walk_init(&w, sbi, first_ino, last_ino);
	walk_next(&w, invalidate);
	walk_init(&w, sbi, first_ino, last_ino);
	while ((ki = walk_next(&w, to_drop)))
		drop_contents(ki);
	sfs_vfs_count(sbi->sb, revoke_drops);
	upcall_end(sbi);
}

/* ---- life ------------------------------------------------------------------ */

void sfs_revoke_init(struct sfs_sb *sbi)
{
	INIT_LIST_HEAD(&sbi->node);
	xa_init(&sbi->groups);
	init_waitqueue_head(&sbi->revoke_wait);
}

void sfs_revoke_exit(struct sfs_sb *sbi)
{
	WARN_ON_ONCE(!xa_empty(&sbi->groups));
	xa_destroy(&sbi->groups);
}

void sfs_revoke_start(struct sfs_sb *sbi)
{
	spin_lock(&sbi->vol->mounts_lock);
	list_add_tail(&sbi->node, &sbi->vol->mounts);
	spin_unlock(&sbi->vol->mounts_lock);
}

void sfs_revoke_stop(struct sfs_sb *sbi)
{
	if (list_empty(&sbi->node))
		return;
	spin_lock(&sbi->vol->mounts_lock);
	list_del_init(&sbi->node);
	spin_unlock(&sbi->vol->mounts_lock);
	wait_event(sbi->revoke_wait, !READ_ONCE(sbi->upcalls));
	/* the last one wakes under this lock */
	spin_lock(&sbi->vol->mounts_lock);
	spin_unlock(&sbi->vol->mounts_lock);
}

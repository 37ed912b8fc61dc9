/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of flock() and fcntl(), and leases, which are refused.
 *
 * The core decides, together with all other mounts.  What an owner has is also
 * recorded with the VFS inode, because that is how the VFS finds out what to
 * unlock when files are closed, and for /proc/locks.  The record follows the
 * core: after each call the caller's range is set to what the core says the
 * owner holds there, under ki->flock_mutex, so threads of one owner that lock
 * and unlock at the same time leave the record right, whichever comes last.
 *
 * What is recorded is held, but for the moment between a change in the core and
 * its record.  So a record of another owner that is in the way is about to go,
 * and whoever sees it tries again.
 *
 * A wait in the core ends with any signal for locks that may wait, otherwise
 * with one that kills; the unlocks of a process that exits go on without it.
 *
 * ki->flock_mutex is outermost; only memory is touched under it.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>

#include "fs.h"

/* how long a process that exits waits for its unlocks */
#define EXIT_WAIT_MS 1000

/* ---- calls of the core -------------------------------------------------- */

struct lock_call {
	struct completion done;
	struct sfs_flock lk;
	int ret;
};

static void call_done(void *arg, int ret, const struct sfs_flock *lk)
{
	struct lock_call *c = arg;

	c->lk = *lk;
	c->ret = ret;
	complete(&c->done);
}

/* Ends an interruptible wait; true: but for a signal that kills. */
static bool give_up(struct sfs_fs *fs, struct lock_call *c, u64 ticket)
{
	if (fatal_signal_pending(current))
		return false;
	sfs_flock_cancel(fs, ticket);
	return !wait_for_completion_killable(&c->done);
}

/* @lk is also what GET found.  -EINTR: a signal, or the exit of a process. */
static int call_core(struct sfs_fs *fs, int call, struct sfs_flock *lk)
{
	struct lock_call c;
	bool over;
	__u64 ticket;

	init_completion(&c.done);
	sfs_flock_begin(fs, call, lk, call_done, &c, &ticket);
	if (current->flags & (PF_EXITING | PF_KTHREAD))
		over = wait_for_completion_timeout(&c.done,
					msecs_to_jiffies(EXIT_WAIT_MS));
	else if (call == SFS_FLOCK_WAIT)
		over = !wait_for_completion_interruptible(&c.done) ||
		       give_up(fs, &c, ticket);
	else
		over = !wait_for_completion_killable(&c.done);
	if (!over) {
		sfs_flock_abandon(fs, ticket);
		wait_for_completion(&c.done);
	}
	if (call == SFS_FLOCK_GET && c.ret == 0)
		*lk = c.lk;
	return c.ret;
}

static void to_core(struct file *file, struct file_lock *fl,
		    struct sfs_flock *ret_lk)
{
	struct sfs_flock lk = {
		.ino = file_inode(file)->i_ino,
		.owner = (unsigned long)sfs_fl(fl, owner),
		.start = fl->fl_start,
		.end = fl->fl_end,
		.pid = sfs_fl(fl, pid),
		.kind = SFS_FLOCK_POSIX,
		.type = SFS_FLOCK_NONE,
	};

	if (sfs_fl(fl, flags) & FL_FLOCK)
		lk.kind = SFS_FLOCK_FLOCK;
	else if (sfs_fl(fl, flags) & FL_OFDLCK)
		lk.kind = SFS_FLOCK_OFD;
	if (sfs_fl(fl, type) == F_RDLCK)
		lk.type = SFS_FLOCK_READ;
	else if (sfs_fl(fl, type) == F_WRLCK)
		lk.type = SFS_FLOCK_WRITE;
	*ret_lk = lk;
}

static unsigned char type_to_vfs(u8 type)
{
	switch (type) {
	case SFS_FLOCK_READ:
		return F_RDLCK;
	case SFS_FLOCK_WRITE:
		return F_WRLCK;
	default:
		return F_UNLCK;
	}
}

/* ---- the record --------------------------------------------------------- */

/* Of a part of @fl's range; -EAGAIN when another one is still recorded there. */
static int record(struct file *file, struct file_lock *fl, u64 start, u64 end,
		  u8 type)
{
	struct file_lock part;
	int ret;

	locks_init_lock(&part);
	locks_copy_lock(&part, fl);
	part.fl_start = start;
	part.fl_end = end;
	sfs_fl(&part, type) = type_to_vfs(type);
	sfs_fl(&part, flags) &= ~(FL_SLEEP | FL_CLOSE);
	ret = locks_lock_file_wait(file, &part);
	locks_release_private(&part);
	return ret;
}

/* ki->flock_mutex: @fl's range becomes what the core says. */
static int follow_core(struct file *file, struct file_lock *fl,
		       const struct sfs_flock *range)
{
	struct sfs_flock rest = *range;
	struct sfs_flock held;
	int ret = 0;

	if (range->kind == SFS_FLOCK_FLOCK) {
		if (!sfs_flock_held(SFS_FS(file_inode(file)), &rest, &held))
			held.type = SFS_FLOCK_NONE;
		return record(file, fl, fl->fl_start, fl->fl_end, held.type);
	}
	while (ret == 0 &&
	       sfs_flock_held(SFS_FS(file_inode(file)), &rest, &held)) {
		if (held.start > rest.start)
			ret = record(file, fl, rest.start, held.start - 1,
				     SFS_FLOCK_NONE);
		if (ret == 0)
			ret = record(file, fl, held.start, held.end, held.type);
		if (held.end == range->end)
			return ret;
		rest.start = held.end + 1;
	}
	if (ret == 0)
		ret = record(file, fl, rest.start, rest.end, SFS_FLOCK_NONE);
	return ret;
}

static int update_record(struct file *file, struct file_lock *fl,
			 const struct sfs_flock *range)
{
	struct sfs_ki *ki = SFS_KI(file_inode(file));
	int ret;

	for (;;) {
		mutex_lock(&ki->flock_mutex);
		ret = follow_core(file, fl, range);
		mutex_unlock(&ki->flock_mutex);
		if (ret != -EAGAIN || fatal_signal_pending(current))
			return ret;
		msleep(1);
	}
}

/* ---- operations of the VFS ---------------------------------------------- */

static int get_lock(struct file *file, struct file_lock *fl)
{
	struct sfs_fs *fs = SFS_FS(file_inode(file));
	struct sfs_flock lk;
	int ret;

	to_core(file, fl, &lk);
	ret = call_core(fs, SFS_FLOCK_GET, &lk);
	if (ret < 0)
		return ret;
	sfs_fl(fl, type) = type_to_vfs(lk.type);
	if (lk.type == SFS_FLOCK_NONE)
		return 0;
	fl->fl_start = lk.start;
	fl->fl_end = lk.end;
	sfs_fl(fl, flags) = FL_POSIX;
	if (lk.kind == SFS_FLOCK_OFD)
		sfs_fl(fl, flags) |= FL_OFDLCK;
	/* negative means that it is a process of somewhere else */
	sfs_fl(fl, pid) = lk.rid == sfs_rid(fs) ? (int)lk.pid : -(int)lk.pid;
	return 0;
}

static int set_lock(struct file *file, int cmd, struct file_lock *fl)
{
	struct sfs_fs *fs = SFS_FS(file_inode(file));
	struct sfs_flock lk;
	int err;
	int ret;

	to_core(file, fl, &lk);
	ret = call_core(fs, IS_SETLKW(cmd) ? SFS_FLOCK_WAIT : SFS_FLOCK_SET,
			&lk);
	/* an owner that goes, and an unlock that will happen without it */
	if (ret < 0 && lk.type == SFS_FLOCK_NONE)
		return record(file, fl, fl->fl_start, fl->fl_end,
			      SFS_FLOCK_NONE);
	if (ret < 0 && lk.kind != SFS_FLOCK_FLOCK)
		goto out;
	err = update_record(file, fl, &lk);
	if (ret == 0 && err < 0) {
		/* what is not recorded would never be unlocked */
		lk.type = SFS_FLOCK_NONE;
		call_core(fs, SFS_FLOCK_SET, &lk);
		record(file, fl, fl->fl_start, fl->fl_end, SFS_FLOCK_NONE);
		ret = err == -ENOMEM ? -ENOLCK : err;
	}
out:
	return ret == -EINTR && signal_pending(current) ? -ERESTARTSYS : ret;
}

int sfs_lock_vfs(struct file *file, int cmd, struct file_lock *fl)
{
	if (!(sfs_fl(fl, flags) & FL_POSIX))
		return -ENOLCK;
	if (cmd == F_CANCELLK)
		return 0;
	if (IS_GETLK(cmd))
		return get_lock(file, fl);
	return set_lock(file, cmd, fl);
}

int sfs_flock_vfs(struct file *file, int cmd, struct file_lock *fl)
{
	if (!(sfs_fl(fl, flags) & FL_FLOCK))
		return -ENOLCK;
	return set_lock(file, cmd, fl);
}

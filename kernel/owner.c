/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who owns the volume: the module's part in the protocol of core/owner.h, the
 * same that the daemon plays (host/owner.c).  A kernel has pid 0.
 *
 * The devices are claimed exclusively before the block is read.  Of a claim
 * made in this boot that says
 *	- of a process of the first pid namespace: it is looked up, and free
 *	  when it is gone.  It could not be asked less: an exclusive claim on a
 *	  loop device says nothing about a daemon that uses the file below it;
 *	- of a process elsewhere, or of this kernel: nothing that could be looked
 *	  up, so it is watched.  A kernel mount that ends in order leaves no such
 *	  claim.
 *
 * Renewing goes straight to the device, without the queues of the block port,
 * by a work item of a queue of its own with a rescuer: it must not wait for
 * memory or for anybody's transfers to be taken care of.
 *
 * Losing the volume can not end the machine as it ends a daemon, so it fences
 * the host: nothing is transferred any more, and the mounts fail one by one as
 * they notice.  Writes on their way to the device at that moment may still
 * arrive; that is the same best effort as a daemon's, and the reason why quorum
 * will replace this.
 *
 * Lock: owner->lock around @info and the blocks, with I/O under it.
 */
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/utsname.h>
#include <linux/workqueue.h>

#include "owner.h"
#include "volume.h"

struct sfs_owner {
	struct sfs_host *host;		/* I */
	struct workqueue_struct *wq;	/* I */
	struct delayed_work work;
	struct mutex lock;
	struct sfs_owner_info info;	/* L(lock): what was written last */
	void *block;			/* L(lock): to write it from */
	void *seen;			/* L(lock): what was read last */
	ktime_t renewed;		/* L(lock): when the block was last ours */
	bool lost;			/* L(lock) */
};

/* ---- this machine, other processes --------------------------------------------- */

/*
 * The text that user space reads in /proc/sys/kernel/random/boot_id.  It is
 * made when it is first read, and no function for modules does that, so this
 * reads the file too: in a mount of proc that nobody else sees, because the
 * caller's /proc may be another one or none.  An empty text when it fails; then
 * every claim counts as one of another machine, and is watched.
 */
static void read_boot_id(char *buf, size_t size)
{
	struct file_system_type *type = get_fs_type("proc");
	struct vfsmount *mnt;
	struct file *file;
	ssize_t len = 0;
	loff_t pos = 0;

	memset(buf, 0, size);
	if (!type)
		return;
	mnt = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(mnt))
		return;
	file = file_open_root_mnt(mnt, "sys/kernel/random/boot_id", O_RDONLY,
				  0);
	if (!IS_ERR(file)) {
		len = kernel_read(file, buf, size - 1, &pos);
		fput(file);
	}
	kern_unmount(mnt);
	if (len < 0)
		memset(buf, 0, size);
	strim(buf);
}

/* Clock ticks of user space, as field 22 of /proc/PID/stat. */
static u64 start_ticks(const struct task_struct *task)
{
	return div_u64(task->start_boottime, NSEC_PER_SEC / USER_HZ);
}

/*
 * Has the process of a claim ended, with its devices closed?  False also for
 * one that can not be looked up.
 */
static bool process_gone(const struct sfs_owner_info *info)
{
	struct task_struct *task;
	bool gone;

	if (info->pid == 0 || info->pid_ns != init_pid_ns.ns.inum)
		return false;
	rcu_read_lock();
	task = pid_task(find_pid_ns(info->pid, &init_pid_ns), PIDTYPE_TGID);
	gone = !task || start_ticks(task) != info->start_time ||
	       (READ_ONCE(task->exit_state) && thread_group_empty(task));
	rcu_read_unlock();
	return gone;
}

/* ---- reading and writing ---------------------------------------------------------- */

static int read_block(struct block_device *bdev, void *block)
{
	return sfs_bdev_rw(bdev, REQ_OP_READ | REQ_SYNC | REQ_META | REQ_PRIO,
			   SFS_OWNER_OFFSET, block, SFS_OWNER_BYTES);
}

static int write_ours(struct sfs_owner *owner, u32 state)
{
	lockdep_assert_held(&owner->lock);
	owner->info.state = state;
	owner->info.counter++;
	sfs_owner_block_encode(&owner->info, owner->block);
	return sfs_bdev_rw(owner->host->bdev[SFS_DEV_META],
			   REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | REQ_META |
			   REQ_PRIO | REQ_FUA, SFS_OWNER_OFFSET, owner->block,
			   SFS_OWNER_BYTES);
}

static bool still_ours(const struct sfs_owner *owner)
{
	return sfs_owner_block_is(owner->seen, owner->info.nonce);
}

static void name_of(const void *block, char *who, size_t size)
{
	struct sfs_owner_info info;

	strscpy(who, sfs_owner_block_decode(block, &info) == 0 ?
		info.host_name : "(unknown)", size);
}

int sfs_owner_who(struct block_device *bdev, char *who, size_t size,
		  bool *ret_stopping)
{
	void *block = sfs_port_buf_alloc(SFS_OWNER_BYTES);
	struct sfs_owner_info info;
	int ret = -ENODATA;

	if (block && read_block(bdev, block) == 0 &&
	    sfs_owner_block_decode(block, &info) == 0 &&
	    (info.state == SFS_OWNER_ACTIVE ||
	     info.state == SFS_OWNER_STOPPING)) {
		strscpy(who, info.host_name, size);
		*ret_stopping = info.state == SFS_OWNER_STOPPING;
		ret = 0;
	}
	sfs_port_buf_free(block, SFS_OWNER_BYTES);
	return ret;
}

/* ---- asking -------------------------------------------------------------------------- */

static int sleep_killable(unsigned int ms)
{
	schedule_timeout_killable(msecs_to_jiffies(ms));
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* A verdict when the block changed, or TAKE when it did not for long enough. */
static int watch(struct sfs_owner *owner, const void *block, void *again)
{
	struct block_device *bdev = owner->host->bdev[SFS_DEV_META];
	enum sfs_owner_verdict verdict;
	unsigned int ms;
	char who[80];
	int ret;

	name_of(block, who, sizeof(who));
	sfs_port_log(owner->host, SFS_LOG_WARN,
		     "was not released by host %s; watching for %d seconds whether it is alive",
		     who, SFS_OWNER_WATCH_MS / 1000);
	for (ms = 0; ms < SFS_OWNER_WATCH_MS; ms += SFS_OWNER_POLL_MS) {
		ret = sleep_killable(SFS_OWNER_POLL_MS) ?:
		      read_block(bdev, again);
		if (ret < 0)
			return ret;
		verdict = sfs_owner_block_watched(block, again);
		if (verdict != SFS_OWNER_WATCH)
			return verdict;
	}
	return SFS_OWNER_TAKE;
}

/* 0 when the volume may be had; -EBUSY, and @owner->seen says who has it. */
static int ask(struct sfs_owner *owner)
{
	struct block_device *bdev = owner->host->bdev[SFS_DEV_META];
	struct sfs_owner_info info;
	int ret;

	ret = read_block(bdev, owner->block);
	if (ret < 0)
		return ret;
	memcpy(owner->seen, owner->block, SFS_OWNER_BYTES);
	ret = sfs_owner_block_judge(owner->block, owner->info.fsid,
				    owner->info.boot_id);
	if (ret == SFS_OWNER_LOCAL) {
		ret = SFS_OWNER_WATCH;
		if (sfs_owner_block_decode(owner->block, &info) == 0 &&
		    process_gone(&info))
			ret = SFS_OWNER_TAKE;
	}
	if (ret == SFS_OWNER_WATCH)
		ret = watch(owner, owner->block, owner->seen);
	return ret == SFS_OWNER_BUSY ? -EBUSY : min(ret, 0);
}

/* Writes our claim and looks whether it is the one that stayed. */
static int write_claim(struct sfs_owner *owner)
{
	struct block_device *bdev = owner->host->bdev[SFS_DEV_META];
	int ret;

	owner->renewed = ktime_get_boottime();
	ret = write_ours(owner, SFS_OWNER_ACTIVE);
	if (ret < 0)
		return ret;
	msleep(SFS_OWNER_SETTLE_MS);
	ret = read_block(bdev, owner->seen);
	if (ret < 0)
		return ret;
	return still_ours(owner) ? 0 : -EBUSY;
}

/* ---- keeping it ----------------------------------------------------------------------- */

static void lost(struct sfs_owner *owner, const char *why)
{
	owner->lost = true;
	sfs_host_fence(owner->host, why);
}

/* Once: read, and write when it is still ours. */
static void renew(struct sfs_owner *owner)
{
	struct sfs_host *host = owner->host;
	ktime_t now = ktime_get_boottime();
	char who[80];
	int ret;

	ret = read_block(host->bdev[SFS_DEV_META], owner->seen);
	if (ret == 0 && !still_ours(owner)) {
		name_of(owner->seen, who, sizeof(who));
		lost(owner, who);
		return;
	}
	if (ret == 0)
		ret = write_ours(owner, owner->info.state);
	if (ret == 0) {
		owner->renewed = now;
		return;
	}
	sfs_port_log(host, SFS_LOG_WARN,
		     "can not renew the owner block: error %d", ret);
	/* others take over soon, so it has to be over before */
	if (ktime_ms_delta(ktime_get_boottime(), owner->renewed) >
	    SFS_OWNER_LOST_MS)
		lost(owner, "its block can not be renewed");
}

static void owner_work(struct work_struct *work)
{
	struct sfs_owner *owner = container_of(to_delayed_work(work),
					       struct sfs_owner, work);
	unsigned int nofs = memalloc_nofs_save();

	mutex_lock(&owner->lock);
	renew(owner);
	if (!owner->lost)
		queue_delayed_work(owner->wq, &owner->work,
				   msecs_to_jiffies(SFS_OWNER_INTERVAL_MS));
	mutex_unlock(&owner->lock);
	memalloc_nofs_restore(nofs);
}

static void free_owner(struct sfs_owner *owner)
{
	if (owner->wq)
		destroy_workqueue(owner->wq);
	sfs_port_buf_free(owner->block, SFS_OWNER_BYTES);
	sfs_port_buf_free(owner->seen, SFS_OWNER_BYTES);
	mutex_destroy(&owner->lock);
	kfree(owner);
}

static struct sfs_owner *new_owner(struct sfs_host *host, u64 fsid)
{
	struct sfs_owner *owner = kzalloc(sizeof(*owner), GFP_KERNEL);

	if (!owner)
		return NULL;
	owner->host = host;
	mutex_init(&owner->lock);
	INIT_DELAYED_WORK(&owner->work, owner_work);
	owner->block = sfs_port_buf_alloc(SFS_OWNER_BYTES);
	owner->seen = sfs_port_buf_alloc(SFS_OWNER_BYTES);
	owner->wq = alloc_workqueue("sfs-owner", WQ_UNBOUND | WQ_HIGHPRI |
				    WQ_MEM_RECLAIM, 1);
	if (!owner->block || !owner->seen || !owner->wq) {
		free_owner(owner);
		return NULL;
	}
	owner->info.fsid = fsid;
	sfs_port_random(host, &owner->info.nonce, sizeof(owner->info.nonce));
	read_boot_id(owner->info.boot_id, sizeof(owner->info.boot_id));
	/* of the machine, not of a container that happens to mount */
	strscpy(owner->info.host_name, init_utsname()->nodename,
		sizeof(owner->info.host_name));
	return owner;
}

int sfs_owner_claim(struct sfs_host *host, u64 fsid, bool force, char *who,
		    size_t size, struct sfs_owner **ret_owner)
{
	struct sfs_owner *owner = new_owner(host, fsid);
	int ret;

	if (!owner)
		return -ENOMEM;
	mutex_lock(&owner->lock);
	ret = (force ? 0 : ask(owner)) ?: write_claim(owner);
	if (ret == -EBUSY)
		name_of(owner->seen, who, size);
	mutex_unlock(&owner->lock);
	if (ret < 0) {
		free_owner(owner);
		return ret;
	}
	queue_delayed_work(owner->wq, &owner->work,
			   msecs_to_jiffies(SFS_OWNER_INTERVAL_MS));
	*ret_owner = owner;
	return 0;
}

void sfs_owner_set_rid(struct sfs_owner *owner, u64 rid)
{
	mutex_lock(&owner->lock);
	owner->info.rid = rid;
	mutex_unlock(&owner->lock);
}

void sfs_owner_stopping(struct sfs_owner *owner)
{
	mutex_lock(&owner->lock);
	/* an error here is noticed at the next renewal */
	if (!owner->lost)
		write_ours(owner, SFS_OWNER_STOPPING);
	mutex_unlock(&owner->lock);
}

void sfs_owner_release(struct sfs_owner *owner, bool clean)
{
	struct sfs_host *host = owner->host;

	cancel_delayed_work_sync(&owner->work);
	mutex_lock(&owner->lock);
	/* not over somebody else's block */
	if (!owner->lost &&
	    read_block(host->bdev[SFS_DEV_META], owner->seen) == 0 &&
	    still_ours(owner) &&
	    write_ours(owner, clean ? SFS_OWNER_CLEAN : SFS_OWNER_FAILED) < 0)
		sfs_port_log(host, SFS_LOG_WARN,
			     "can not write the owner block");
	mutex_unlock(&owner->lock);
	free_owner(owner);
}

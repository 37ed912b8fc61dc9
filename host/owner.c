/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who owns the volume: one 4 KiB block at 128 KiB of the metadata device, as
 * long as there is no quorum that decides it.
 *
 * The owner rewrites its block every two seconds, each time with a larger
 * counter and durably, and reads it before: another owner in it means that
 * this process was taken for dead (it was stopped for long, say), and the only
 * safe thing left to do is to end at once, before it writes anything else.
 *
 * Locks of this machine (device.c) are held before the block is read.  A new
 * owner takes over
 *	- a block without an owner: not valid, of an older volume on the same
 *	  device, or released;
 *	- from a process of this boot of this machine that is gone; the locks
 *	  say so, and where they can not (an image file that is also a loop
 *	  device) its process id does;
 *	- from another machine or boot when the counter stands still for three
 *	  intervals.
 * Two machines that take over in the same instant both write and then look
 * again: the last one wins.  That is best effort on a device with delays,
 * which is why quorum replaces it.
 *
 * A crash leaves a block that says "active" with a counter that stands still.
 *
 * A block that is not intact is watched like a live one: it may be half of a
 * rewrite.
 */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "owner.h"

/* I set at claim only, L(lock) */
struct sfs_owner {
	struct sfs_host *host;		/* I */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct sfs_owner_info ours;	/* L what was written last */
	void *block;			/* L to write it from */
	void *seen;			/* L what was read last */
	bool stop;			/* L */
};

/* ---- this machine, this process ----------------------------------------- */

static void read_boot_id(char *buf, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	memset(buf, 0, size);
	if (fd >= 0) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
}

/* When process @pid started, 0 when there is none; field 22 of its stat. */
static __u64 start_time_of(__u32 pid)
{
	char path[64], buf[1024], *p;
	unsigned long long start = 0;
	ssize_t n;
	int fd, i;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	/* the name in parentheses may contain anything */
	p = strrchr(buf, ')');
	for (i = 2; p && i < 22; i++) {
		p = strchr(p + 1, ' ');
		/* a zombie has given up its devices already */
		if (p && i == 2 && p[1] == 'Z')
			return 0;
	}
	if (!p || sscanf(p, " %llu", &start) != 1)
		return 0;
	return start;
}

static __u64 our_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

/* For a block of this boot: is its process there, as far as we can see? */
static bool process_lives(const struct sfs_owner_info *info)
{
	return info->pid_ns == our_pid_ns() && info->start_time &&
	       start_time_of(info->pid) == info->start_time;
}

/* ---- reading and writing ------------------------------------------------ */

static int read_block(struct sfs_host *host, void *block)
{
	return sfs_block_rw(host, SFS_DEV_META, SFS_OWNER_OFFSET, block,
			    SFS_OWNER_BYTES, 0);
}

static int write_ours(struct sfs_owner *ow, __u32 state)
{
	ow->ours.state = state;
	ow->ours.counter++;
	sfs_owner_block_encode(&ow->ours, ow->block);
	return sfs_block_rw(ow->host, SFS_DEV_META, SFS_OWNER_OFFSET,
			    ow->block, SFS_OWNER_BYTES,
			    SFS_IO_WRITE | SFS_IO_FUA);
}

/* For messages; @info holds the name. */
static const char *host_of(const void *block, struct sfs_owner_info *info)
{
	if (sfs_owner_block_decode(block, info) < 0)
		return "(unknown)";
	return info->host_name;
}

static void say_owned(struct sfs_host *host, const void *block)
{
	struct sfs_owner_info info;

	sfs_log(SFS_LOG_ERR,
		"%s: in use by scoutfs on host %s; unmount it there first",
		host->dev[SFS_DEV_META].path, host_of(block, &info));
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* TAKE when the block did not change for long enough; @again is scratch. */
static int watch(struct sfs_host *host, const void *block, void *again)
{
	enum sfs_owner_verdict verdict;
	struct sfs_owner_info info;
	unsigned int ms;
	int ret;

	sfs_log(SFS_LOG_WARN,
		"%s: was not released by host %s; watching for %d seconds whether it is alive",
		host->dev[SFS_DEV_META].path, host_of(block, &info),
		SFS_OWNER_WATCH_MS / 1000);
	for (ms = 0; ms < SFS_OWNER_WATCH_MS; ms += SFS_OWNER_POLL_MS) {
		sleep_ms(SFS_OWNER_POLL_MS);
		ret = read_block(host, again);
		if (ret < 0)
			return ret;
		verdict = sfs_owner_block_watched(block, again);
		if (verdict != SFS_OWNER_WATCH)
			return verdict;
	}
	return SFS_OWNER_TAKE;
}

/*
 * A claim of this boot.  Of one by the kernel all that is known is whether it
 * stands still: where the locks of this machine meet, its mount has ended, but
 * a loop device does not meet the image file below it.
 */
static enum sfs_owner_verdict judge_local(const void *block)
{
	struct sfs_owner_info info;

	if (sfs_owner_block_decode(block, &info) < 0 || info.pid == 0)
		return SFS_OWNER_WATCH;
	return process_lives(&info) ? SFS_OWNER_BUSY : SFS_OWNER_TAKE;
}

/* 0 when the volume may be had; @block and @again are scratch. */
static int ask(struct sfs_host *host, void *block, void *again)
{
	__u64 fsid = host->identified ? host->id[SFS_DEV_META].fsid : 0;
	char boot_id[sizeof(((struct sfs_owner_info *)0)->boot_id)];
	int ret;

	ret = read_block(host, block);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "%s: cannot read the owner block: %s",
			host->dev[SFS_DEV_META].path, strerror(-ret));
		return ret;
	}
	if (host->flags & SFS_HOST_FORCE)
		return 0;
	memcpy(again, block, SFS_OWNER_BYTES);
	read_boot_id(boot_id, sizeof(boot_id));
	ret = sfs_owner_block_judge(block, fsid, boot_id);
	if (ret == SFS_OWNER_LOCAL)
		ret = judge_local(block);
	if (ret == SFS_OWNER_WATCH)
		ret = watch(host, block, again);
	if (ret == SFS_OWNER_BUSY) {
		say_owned(host, again);
		return -EBUSY;
	}
	return ret < 0 ? ret : 0;
}

int sfs_owner_check(struct sfs_host *host)
{
	char *two = sfs_port_buf_alloc(2 * SFS_OWNER_BYTES);
	int ret;

	if (!two)
		return -ENOMEM;
	ret = ask(host, two, two + SFS_OWNER_BYTES);
	sfs_port_buf_free(two, 2 * SFS_OWNER_BYTES);
	return ret;
}

bool sfs_owner_clean(struct sfs_host *host)
{
	void *block = sfs_port_buf_alloc(SFS_OWNER_BYTES);
	struct sfs_owner_info info;
	bool clean = false;
	int ret;

	if (block && read_block(host, block) == 0) {
		ret = sfs_owner_block_decode(block, &info);
		clean = ret == -ENODATA ||
			(ret == 0 && (info.state == SFS_OWNER_CLEAN ||
				      info.fsid != host->id[SFS_DEV_META].fsid));
	}
	sfs_port_buf_free(block, SFS_OWNER_BYTES);
	return clean;
}

/* Without locks and ports, for messages to those who did not get a lock. */
int sfs_owner_who(const struct sfs_host_dev *dev, char *buf, size_t size,
		  bool *ret_stopping)
{
	__u64 block[SFS_OWNER_BYTES / sizeof(__u64)];
	struct sfs_owner_info info;
	int fd, ret = -ENODATA;

	if (!dev->path)
		return -ENODATA;
	fd = open(dev->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENODATA;
	/* the owner writes with O_DIRECT, so what is cached may be old */
	posix_fadvise(fd, SFS_OWNER_OFFSET, sizeof(block),
		      POSIX_FADV_DONTNEED);
	if (pread(fd, block, sizeof(block), SFS_OWNER_OFFSET) ==
		    sizeof(block) &&
	    sfs_owner_block_decode(block, &info) == 0) {
		snprintf(buf, size, "%s", info.host_name);
		*ret_stopping = info.state != SFS_OWNER_ACTIVE;
		ret = 0;
	}
	close(fd);
	return ret;
}

/* ---- keeping it --------------------------------------------------------- */

static void lost(struct sfs_owner *ow, const char *why)
{
	struct sfs_host *host = ow->host;

	sfs_log(SFS_LOG_ERR,
		"%s: no longer the owner of this volume (%s); ending at once",
		host->name, why);
	/* anything written from here on could be over the new owner's data */
	_exit(1);
}

static bool still_ours(struct sfs_owner *ow)
{
	return sfs_owner_block_is(ow->seen, ow->ours.nonce);
}

/*
 * Others take over after three intervals without a change, so an owner that
 * could not renew for that long has to be gone by then.
 */
static void *owner_main(void *arg)
{
	struct sfs_owner *ow = arg;
	struct sfs_owner_info info;
	struct timespec ts;
	__u64 now, renewed = sfs_port_boot_ns(ow->host);
	int ret;

	pthread_mutex_lock(&ow->lock);
	while (!ow->stop) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_sec += SFS_OWNER_INTERVAL_MS / 1000;
		pthread_cond_timedwait(&ow->wake, &ow->lock, &ts);
		if (ow->stop)
			break;
		ret = read_block(ow->host, ow->seen);
		if (ret == 0 && !still_ours(ow))
			lost(ow, sfs_owner_block_decode(ow->seen, &info) == 0 ?
				 info.host_name : "the owner block is damaged");
		if (ret == 0)
			ret = write_ours(ow, ow->ours.state);
		now = sfs_port_boot_ns(ow->host);
		if (ret == 0)
			renewed = now;
		else if (now - renewed > SFS_OWNER_LOST_MS * 1000000ULL)
			lost(ow, "its block can not be renewed");
	}
	pthread_mutex_unlock(&ow->lock);
	return NULL;
}

static void init_ours(struct sfs_host *host, struct sfs_owner_info *info)
{
	memset(info, 0, sizeof(*info));
	info->fsid = host->id[SFS_DEV_META].fsid;
	sfs_port_random(host, &info->nonce, sizeof(info->nonce));
	info->pid = getpid();
	info->start_time = start_time_of(getpid());
	info->pid_ns = our_pid_ns();
	read_boot_id(info->boot_id, sizeof(info->boot_id));
	if (gethostname(info->host_name, sizeof(info->host_name) - 1) < 0)
		strcpy(info->host_name, "(unknown)");
}

static void free_owner(struct sfs_owner *ow)
{
	sfs_port_buf_free(ow->block, SFS_OWNER_BYTES);
	sfs_port_buf_free(ow->seen, SFS_OWNER_BYTES);
	pthread_mutex_destroy(&ow->lock);
	pthread_cond_destroy(&ow->wake);
	free(ow);
}

static struct sfs_owner *new_owner(struct sfs_host *host)
{
	struct sfs_owner *ow = calloc(1, sizeof(*ow));
	pthread_condattr_t attr;

	if (!ow)
		return NULL;
	ow->host = host;
	pthread_mutex_init(&ow->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ow->wake, &attr);
	pthread_condattr_destroy(&attr);
	ow->block = sfs_port_buf_alloc(SFS_OWNER_BYTES);
	ow->seen = sfs_port_buf_alloc(SFS_OWNER_BYTES);
	if (!ow->block || !ow->seen) {
		free_owner(ow);
		return NULL;
	}
	init_ours(host, &ow->ours);
	return ow;
}

/* Writes our claim and looks whether it is the one that stayed. */
static int write_claim(struct sfs_owner *ow)
{
	struct sfs_host *host = ow->host;
	int ret;

	ret = write_ours(ow, SFS_OWNER_ACTIVE);
	if (ret == 0) {
		sleep_ms(SFS_OWNER_SETTLE_MS);
		ret = read_block(host, ow->seen);
	}
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "%s: cannot write the owner block: %s",
			host->dev[SFS_DEV_META].path, strerror(-ret));
		return ret;
	}
	if (!still_ours(ow)) {
		say_owned(host, ow->seen);
		return -EBUSY;
	}
	return 0;
}

int sfs_owner_claim(struct sfs_host *host)
{
	struct sfs_owner *ow = new_owner(host);
	int ret;

	if (!ow)
		return -ENOMEM;
	/* the scratch blocks are not those that are written */
	ret = sfs_owner_check(host);
	if (ret < 0)
		goto err_free;
	ret = write_claim(ow);
	if (ret < 0)
		goto err_free;
	ret = -pthread_create(&ow->thread, NULL, owner_main, ow);
	if (ret < 0)
		goto err_free;
	host->owner = ow;
	return 0;

err_free:
	free_owner(ow);
	return ret;
}

void sfs_owner_set_rid(struct sfs_host *host, __u64 rid)
{
	struct sfs_owner *ow = host->owner;

	pthread_mutex_lock(&ow->lock);
	ow->ours.rid = rid;
	pthread_mutex_unlock(&ow->lock);
}

void sfs_owner_stopping(struct sfs_host *host)
{
	struct sfs_owner *ow = host->owner;

	if (!ow)
		return;
	pthread_mutex_lock(&ow->lock);
	/* an error here is noticed at the next renewal */
	write_ours(ow, SFS_OWNER_STOPPING);
	pthread_mutex_unlock(&ow->lock);
}

void sfs_owner_release(struct sfs_host *host, bool clean)
{
	struct sfs_owner *ow = host->owner;

	if (!ow)
		return;
	pthread_mutex_lock(&ow->lock);
	ow->stop = true;
	pthread_cond_broadcast(&ow->wake);
	pthread_mutex_unlock(&ow->lock);
	pthread_join(ow->thread, NULL);

	/* not over somebody else's block */
	if (read_block(host, ow->seen) == 0 && still_ours(ow) &&
	    write_ours(ow, clean ? SFS_OWNER_CLEAN : SFS_OWNER_FAILED) < 0)
		sfs_log(SFS_LOG_WARN, "%s: cannot write the owner block",
			host->name);
	host->owner = NULL;
	free_owner(ow);
}

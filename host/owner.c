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

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/owner_block.h"

#define INTERVAL_MS 2000
#define POLL_MS 250
#define SETTLE_MS 50

/* I set at claim only, L(lock) */
struct sfs_owner {
	struct sfs_host *host;		/* I */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct owner_block *ours;	/* L what was written last */
	struct owner_block *seen;	/* L what was read last */
	bool stop;			/* L */
};

static bool is_alive_state(const struct owner_block *ob)
{
	__u32 state = le32toh(ob->state);

	return state == OWNER_ACTIVE || state == OWNER_STOPPING;
}

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

static bool is_this_boot(const struct owner_block *ob)
{
	char boot_id[sizeof(ob->boot_id)];

	read_boot_id(boot_id, sizeof(boot_id));
	return boot_id[0] && !strcmp(boot_id, ob->boot_id);
}

/* For a block of this boot: is its process there, as far as we can see? */
static bool process_lives(const struct owner_block *ob)
{
	__u64 start = le64toh(ob->start_time);

	return le64toh(ob->pid_ns) == our_pid_ns() && start &&
	       start_time_of(le32toh(ob->pid)) == start;
}

/* ---- reading and writing ------------------------------------------------ */

static int read_block(struct sfs_host *host, struct owner_block *ob)
{
	return sfs_block_rw(host, SFS_DEV_META, OWNER_OFFSET, ob, sizeof(*ob),
			    0);
}

static int write_ours(struct sfs_owner *ow, __u32 state)
{
	struct owner_block *ob = ow->ours;

	ob->state = htole32(state);
	ob->counter = htole64(le64toh(ob->counter) + 1);
	ob->crc = htole32(sfs_owner_block_crc(ob));
	return sfs_block_rw(ow->host, SFS_DEV_META, OWNER_OFFSET, ob,
			    sizeof(*ob), SFS_IO_WRITE | SFS_IO_FUA);
}

static void say_owned(struct sfs_host *host, const struct owner_block *ob)
{
	sfs_log(SFS_LOG_ERR,
		"%s: in use by scoutfs on host %s; unmount it there first",
		host->dev[SFS_DEV_META].path,
		sfs_owner_block_intact(ob) ? ob->host_name : "(unknown)");
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

/* 0 when the block did not change for three intervals. */
static int watch(struct sfs_host *host, struct owner_block *ob,
		 struct owner_block *again)
{
	unsigned int ms;
	int ret;

	sfs_log(SFS_LOG_WARN,
		"%s: was not released by host %s; watching for %d seconds whether it is alive",
		host->dev[SFS_DEV_META].path,
		sfs_owner_block_intact(ob) ? ob->host_name : "(unknown)",
		3 * INTERVAL_MS / 1000);
	for (ms = 0; ms < 3 * INTERVAL_MS; ms += POLL_MS) {
		sleep_ms(POLL_MS);
		ret = read_block(host, again);
		if (ret < 0)
			return ret;
		if (!memcmp(ob, again, sizeof(*ob)))
			continue;
		if (sfs_owner_block_intact(again) && !is_alive_state(again))
			return 0;
		say_owned(host, again);
		return -EBUSY;
	}
	return 0;
}

/* 0 when the volume may be had; @ob and @again are scratch. */
static int ask(struct sfs_host *host, struct owner_block *ob,
	       struct owner_block *again)
{
	int ret;

	ret = read_block(host, ob);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "%s: cannot read the owner block: %s",
			host->dev[SFS_DEV_META].path, strerror(-ret));
		return ret;
	}
	if (host->flags & SFS_HOST_FORCE)
		return 0;
	if (le64toh(ob->magic) != OWNER_MAGIC)
		return 0;
	if (sfs_owner_block_intact(ob)) {
		if (host->identified &&
		    le64toh(ob->fsid) != host->id[SFS_DEV_META].fsid)
			return 0;
		if (!is_alive_state(ob))
			return 0;
		if (is_this_boot(ob)) {
			if (!process_lives(ob))
				return 0;
			say_owned(host, ob);
			return -EBUSY;
		}
	}
	return watch(host, ob, again);
}

int sfs_owner_check(struct sfs_host *host)
{
	struct owner_block *two = sfs_port_buf_alloc(2 * SFS_BLOCK);
	int ret;

	if (!two)
		return -ENOMEM;
	ret = ask(host, two, two + 1);
	sfs_port_buf_free(two, 2 * SFS_BLOCK);
	return ret;
}

bool sfs_owner_clean(struct sfs_host *host)
{
	struct owner_block *ob = sfs_port_buf_alloc(SFS_BLOCK);
	bool clean = false;

	if (ob && read_block(host, ob) == 0)
		clean = le64toh(ob->magic) != OWNER_MAGIC ||
			(sfs_owner_block_intact(ob) &&
			 (le32toh(ob->state) == OWNER_CLEAN ||
			  le64toh(ob->fsid) != host->id[SFS_DEV_META].fsid));
	sfs_port_buf_free(ob, SFS_BLOCK);
	return clean;
}

/* Without locks and ports, for messages to those who did not get a lock. */
int sfs_owner_who(const struct sfs_host_dev *dev, char *buf, size_t size,
		  bool *ret_stopping)
{
	struct owner_block ob;
	int fd, ret = -ENODATA;
	__u32 state;

	if (!dev->path)
		return -ENODATA;
	fd = open(dev->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENODATA;
	/* the owner writes with O_DIRECT, so what is cached may be old */
	posix_fadvise(fd, OWNER_OFFSET, sizeof(ob), POSIX_FADV_DONTNEED);
	if (pread(fd, &ob, sizeof(ob), OWNER_OFFSET) == sizeof(ob) &&
	    sfs_owner_block_intact(&ob)) {
		state = le32toh(ob.state);
		snprintf(buf, size, "%s", ob.host_name);
		*ret_stopping = state != OWNER_ACTIVE;
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
	return sfs_owner_block_intact(ow->seen) && ow->seen->nonce == ow->ours->nonce;
}

/*
 * Others take over after three intervals without a change, so an owner that
 * could not renew for that long has to be gone by then.
 */
static void *owner_main(void *arg)
{
	struct sfs_owner *ow = arg;
	struct timespec ts;
	__u64 now, renewed = sfs_port_boot_ns(ow->host);
	int ret;

	pthread_mutex_lock(&ow->lock);
	while (!ow->stop) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_sec += INTERVAL_MS / 1000;
		pthread_cond_timedwait(&ow->wake, &ow->lock, &ts);
		if (ow->stop)
			break;
		ret = read_block(ow->host, ow->seen);
		if (ret == 0 && !still_ours(ow))
			lost(ow, sfs_owner_block_intact(ow->seen) ? ow->seen->host_name :
				 "the owner block is damaged");
		if (ret == 0)
			ret = write_ours(ow, le32toh(ow->ours->state));
		now = sfs_port_boot_ns(ow->host);
		if (ret == 0)
			renewed = now;
		else if (now - renewed > 2ULL * INTERVAL_MS * 1000000)
			lost(ow, "its block can not be renewed");
	}
	pthread_mutex_unlock(&ow->lock);
	return NULL;
}

static void init_ours(struct sfs_host *host, struct owner_block *ob)
{
	memset(ob, 0, sizeof(*ob));
	ob->magic = htole64(OWNER_MAGIC);
	ob->fsid = htole64(host->id[SFS_DEV_META].fsid);
	sfs_port_random(host, &ob->nonce, sizeof(ob->nonce));
	ob->pid = htole32(getpid());
	ob->start_time = htole64(start_time_of(getpid()));
	ob->pid_ns = htole64(our_pid_ns());
	read_boot_id(ob->boot_id, sizeof(ob->boot_id));
	if (gethostname(ob->host_name, sizeof(ob->host_name) - 1) < 0)
		strcpy(ob->host_name, "(unknown)");
}

static void free_owner(struct sfs_owner *ow)
{
	sfs_port_buf_free(ow->ours, SFS_BLOCK);
	sfs_port_buf_free(ow->seen, SFS_BLOCK);
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
	ow->ours = sfs_port_buf_alloc(SFS_BLOCK);
	ow->seen = sfs_port_buf_alloc(SFS_BLOCK);
	if (!ow->ours || !ow->seen) {
		free_owner(ow);
		return NULL;
	}
	init_ours(host, ow->ours);
	return ow;
}

/* Writes our claim and looks whether it is the one that stayed. */
static int write_claim(struct sfs_owner *ow)
{
	struct sfs_host *host = ow->host;
	int ret;

	ret = write_ours(ow, OWNER_ACTIVE);
	if (ret == 0) {
		sleep_ms(SETTLE_MS);
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
	ow->ours->rid = htole64(rid);
	pthread_mutex_unlock(&ow->lock);
}

void sfs_owner_stopping(struct sfs_host *host)
{
	struct sfs_owner *ow = host->owner;

	if (!ow)
		return;
	pthread_mutex_lock(&ow->lock);
	/* an error here is noticed at the next renewal */
	write_ours(ow, OWNER_STOPPING);
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
	    write_ours(ow, clean ? OWNER_CLEAN : OWNER_FAILED) < 0)
		sfs_log(SFS_LOG_WARN, "%s: cannot write the owner block",
			host->name);
	host->owner = NULL;
	free_owner(ow);
}

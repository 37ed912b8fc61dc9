/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment port: clocks, random numbers, the log, what a thread waits
 * for, the memory budget; and where the processes of one machine meet (sockets
 * and status files).
 */
#include "host/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

__u64 sfs_port_boot_ns(struct sfs_host *host)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void sfs_port_wall_time(struct sfs_host *host, __s64 *ret_sec,
			__u32 *ret_nsec)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	*ret_sec = ts.tv_sec;
	*ret_nsec = ts.tv_nsec;
}

void sfs_port_random(struct sfs_host *host, void *buf, __u32 len)
{
	char *p = buf;
	ssize_t n;

	while (len) {
		n = getrandom(p, len, 0);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			/* a kernel of 3.17 or later has it: nothing to do */
			abort();
		}
		p += n;
		len -= n;
	}
}

void sfs_port_log(struct sfs_host *host, int level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (host && host->name[0])
		sfs_log(level, "%s: %s", host->name, text);
	else
		sfs_log(level, "%s", text);
}

static __thread int (*killed_fn)(void *arg);
static __thread void *killed_arg;

void sfs_host_set_killed(int (*killed)(void *arg), void *arg)
{
	killed_fn = killed;
	killed_arg = arg;
}

int sfs_port_killed(struct sfs_host *host)
{
	return killed_fn ? killed_fn(killed_arg) : 0;
}

/*
 * A test switch (docs/fuse.md): mounts give up cluster locks, or keep them for
 * reading alone, at the end of one use of so many.
 */
void sfs_host_revoke_init(struct sfs_host *host)
{
	const char *env = getenv("SCOUTFS_REVOKE");

	if (env)
		host->revoke_one_in = strtoul(env, NULL, 10);
	atomic_init(&host->revoke_random, 1);
}

int sfs_port_trigger(struct sfs_host *host, unsigned int trigger)
{
	const char *name;
	unsigned int n;

	if (!host->revoke_one_in)
		return 0;
	name = sfs_trigger_name(trigger);
	if (!name || (strcmp(name, "REVOKE") && strcmp(name, "DOWNGRADE")))
		return 0;
	n = atomic_fetch_add(&host->revoke_random, 1) * 2654435761U;
	return (n >> 8) % host->revoke_one_in == 0;
}

/* Lines for whoever lets the daemon tell all. */
void sfs_port_trace(struct sfs_host *host, int event, __s64 a, __s64 b,
		    __s64 c)
{
	static const char *const names[SFS_NR_TRACE_EVENTS] = {
		[SFS_TRACE_FREEZE] = "freeze",
		[SFS_TRACE_PUBLISHED] = "published",
		[SFS_TRACE_EDIT] = "edit",
		[SFS_TRACE_REFILL] = "refill",
		[SFS_TRACE_COMPACT_BEGIN] = "compact-begin",
		[SFS_TRACE_COMPACT_STEP] = "compact-step",
		[SFS_TRACE_COMPACT_END] = "compact-end",
		[SFS_TRACE_CHECKPOINT] = "checkpoint",
	};

	sfs_port_log(host, SFS_LOG_DEBUG, "%s %lld %lld %lld", names[event], a,
		     b, c);
}

__u64 sfs_port_cache_budget(struct sfs_host *host)
{
	return host->cache_budget;
}

void sfs_port_mount_down(struct sfs_host *host, struct sfs_fs *fs,
			 const char *why)
{
	if (atomic_exchange(&host->down, 1))
		return;
	sfs_log(SFS_LOG_ERR,
		"%s: the mount has failed and answers EIO from now on: %s",
		host->name, why);
	if (host->on_down)
		host->on_down(host->on_down_arg, why);
}

/* Nothing of a file is in this process alone, but see fuse/stores.c. */
void sfs_port_writeback(struct sfs_host *host, struct sfs_fs *fs,
			__u64 first_ino, __u64 last_ino)
{
}

void sfs_port_invalidate(struct sfs_host *host, struct sfs_fs *fs,
			 __u64 first_ino, __u64 last_ino)
{
	if (host->on_invalidate)
		host->on_invalidate(host->on_down_arg, fs, first_ino,
				    last_ino);
}

/*
 * Root's daemons meet in /run/scoutfs.  Others have a directory of their own;
 * without XDG_RUNTIME_DIR there is no place that is surely theirs.
 */
const char *sfs_run_dir(void)
{
	static char dir[SFS_PATH_MAX];
	const char *xdg;

	if (dir[0])
		return dir;
	xdg = getenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0 || !xdg || xdg[0] != '/')
		snprintf(dir, sizeof(dir), "/run/scoutfs");
	else
		snprintf(dir, sizeof(dir), "%.4000s/scoutfs", xdg);
	return dir;
}

int sfs_run_dir_make(void)
{
	const char *dir = sfs_run_dir();
	struct stat st;
	int err;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
		err = errno;
		sfs_log(SFS_LOG_ERR, "cannot make %s: %s%s", dir,
			strerror(err), geteuid() == 0 ? "" :
			"; without root set XDG_RUNTIME_DIR");
		return -err;
	}
	if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 022)) {
		sfs_log(SFS_LOG_ERR,
			"%s is not a directory that only its owner, uid %u, can change",
			dir, geteuid());
		return -EPERM;
	}
	return 0;
}

void sfs_socket_path(__u64 fsid, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%016llx.sock", sfs_run_dir(), fsid);
}

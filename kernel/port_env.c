/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Environment of the core in the kernel: clocks, random bytes, log lines, the
 * question whether the calling thread is being killed, memory for the cache.
 *
 * Log lines are limited per volume and level, so that a damaged volume that is
 * walked does not fill the log of the machine; how many lines are missing is
 * said with the first one that is printed again, and at the end.  Debug lines
 * are for those who turn them on (dynamic debug) and have no limit.
 *
 * Lock: log_lock, a leaf; nothing is printed while it is held.
 */
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/stdarg.h>
#include <linux/timekeeping.h>

#include "port.h"
#include "host.h"
#include "trace.h"

#define LOG_WINDOW (5 * HZ)
#define LOG_LINES 30

/* ---- clocks and chance ------------------------------------------------------ */

__u64 sfs_port_boot_ns(struct sfs_host *host)
{
	return ktime_get_boottime_ns();
}

void sfs_port_wall_time(struct sfs_host *host, __s64 *ret_sec,
			__u32 *ret_nsec)
{
	struct timespec64 ts;

	/* the VFS' clock for files: a finer one would run ahead of it */
	ktime_get_coarse_real_ts64(&ts);
	*ret_sec = ts.tv_sec;
	*ret_nsec = ts.tv_nsec;
}

void sfs_port_random(struct sfs_host *host, void *buf, __u32 len)
{
	get_random_bytes(buf, len);
}

/* ---- log ---------------------------------------------------------------------- */

static bool log_allowed(struct sfs_host *host, int level, u32 *ret_dropped)
{
	struct sfs_log_limit *lim = &host->log_limit[level];
	unsigned long flags;
	bool allowed;

	*ret_dropped = 0;
	if (level == SFS_LOG_DEBUG)
		return true;
	spin_lock_irqsave(&host->log_lock, flags);
	if (!lim->lines || time_after(jiffies, lim->since + LOG_WINDOW)) {
		lim->since = jiffies;
		lim->lines = 0;
		*ret_dropped = lim->dropped;
		lim->dropped = 0;
	}
	allowed = lim->lines < LOG_LINES;
	if (allowed)
		lim->lines++;
	else
		lim->dropped++;
	spin_unlock_irqrestore(&host->log_lock, flags);
	return allowed;
}

static void say_dropped(struct sfs_host *host, u32 dropped)
{
	if (dropped)
		pr_warn("scoutfs %s: %u lines like the last ones were dropped\n",
			READ_ONCE(host->name), dropped);
}

static void print_line(struct sfs_host *host, int level, struct va_format *vaf)
{
	const char *name = READ_ONCE(host->name);

	switch (level) {
	case SFS_LOG_ERR:
		pr_err("scoutfs %s: %pV\n", name, vaf);
		break;
	case SFS_LOG_WARN:
		pr_warn("scoutfs %s: %pV\n", name, vaf);
		break;
	case SFS_LOG_INFO:
		pr_info("scoutfs %s: %pV\n", name, vaf);
		break;
	default:
		pr_debug("scoutfs %s: %pV\n", name, vaf);
		break;
	}
}

/* True when whoever listens has it and nothing is to be printed. */
static bool listened(struct sfs_host *host, int level, struct va_format *vaf)
{
	if (level > SFS_LOG_WARN || READ_ONCE(host->said_task) != current)
		return false;
	scnprintf(host->said, sizeof(host->said), "%pV", vaf);
	return host->said_quiet;
}

void sfs_port_log(struct sfs_host *host, int level, const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;
	u32 dropped;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	level = clamp_t(int, level, SFS_LOG_ERR, SFS_LOG_DEBUG);
	trace_sfs_log(READ_ONCE(host->name), level, &vaf);
	if (!listened(host, level, &vaf) &&
	    log_allowed(host, level, &dropped)) {
		say_dropped(host, dropped);
		print_line(host, level, &vaf);
	}
	va_end(args);
}

void sfs_env_listen(struct sfs_host *host, bool quiet)
{
	host->said[0] = '\0';
	host->said_quiet = quiet;
	WRITE_ONCE(host->said_task, current);
}

void sfs_env_listen_end(struct sfs_host *host)
{
	WRITE_ONCE(host->said_task, NULL);
}

void sfs_env_init(struct sfs_host *host)
{
	spin_lock_init(&host->log_lock);
	host->name = host->dev_name;
}

void sfs_env_exit(struct sfs_host *host)
{
	int level;

	for (level = 0; level < SFS_NR_LOG_LEVELS; level++)
		say_dropped(host, host->log_limit[level].dropped);
}

/* ---- the rest ------------------------------------------------------------------- */

int sfs_port_killed(struct sfs_host *host)
{
	return fatal_signal_pending(current);
}

/* Only root arms one, see debugfs.c. */
int sfs_port_trigger(struct sfs_host *host, unsigned int trigger)
{
	return sfs_arm_fires(host, trigger);
}

/*
 * A quarter of the memory for each mount.  It is an upper limit only, since the
 * blocks are clean and shrinker.c gives them back under pressure.  Not more,
 * because unlike page cache they are not counted as available by those who look
 * at how much memory a machine has left.
 */
__u64 sfs_port_cache_budget(struct sfs_host *host)
{
	__u64 bytes = ((__u64)totalram_pages() << PAGE_SHIFT) / 4;

	return max_t(__u64, bytes, 32ULL << 20);
}

void sfs_port_mount_down(struct sfs_host *host, struct sfs_fs *fs,
			 const char *why)
{
	sfs_port_log(host, SFS_LOG_ERR,
		     "the mount has failed and answers EIO from now on: %s",
		     why);
	if (host->on_down)
		host->on_down(host->on_down_arg, why);
}

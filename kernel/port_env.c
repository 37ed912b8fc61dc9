/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Environment of the core in the kernel: clocks, random bytes, log lines, the
 * question whether the calling thread is being killed.
 *
 * No locks, no state.  Test triggers are armed in debugfs.c.  A mount that goes
 * down is only logged: what the VFS has to be told then comes with the mounts
 * themselves (kernel/super.c).
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/stdarg.h>
#include <linux/timekeeping.h>

#include "port.h"
#include "host.h"

__u64 sfs_port_boot_ns(struct sfs_host *host)
{
	return ktime_get_boottime_ns();
}

void sfs_port_wall_time(struct sfs_host *host, __s64 *ret_sec,
			__u32 *ret_nsec)
{
	struct timespec64 ts;

	ktime_get_real_ts64(&ts);
	*ret_sec = ts.tv_sec;
	*ret_nsec = ts.tv_nsec;
}

void sfs_port_random(struct sfs_host *host, void *buf, __u32 len)
{
	get_random_bytes(buf, len);
}

void sfs_port_log(struct sfs_host *host, int level, const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;

	switch (level) {
	case SFS_LOG_ERR:
		pr_err("scoutfs %s: %pV\n", host->name, &vaf);
		break;
	case SFS_LOG_WARN:
		pr_warn("scoutfs %s: %pV\n", host->name, &vaf);
		break;
	case SFS_LOG_INFO:
		pr_info("scoutfs %s: %pV\n", host->name, &vaf);
		break;
	default:
		pr_debug("scoutfs %s: %pV\n", host->name, &vaf);
		break;
	}

	va_end(args);
}

int sfs_port_killed(struct sfs_host *host)
{
	return fatal_signal_pending(current);
}

int sfs_port_trigger(struct sfs_host *host, unsigned int trigger)
{
	return sfs_arm_fires(host, trigger);
}

/* A sixteenth of the memory, as long as nothing tells the core to shrink. */
__u64 sfs_port_cache_budget(struct sfs_host *host)
{
	return ((__u64)totalram_pages() << PAGE_SHIFT) / 16;
}

void sfs_port_mount_down(struct sfs_host *host, struct sfs_fs *fs,
			 const char *why)
{
	pr_err("scoutfs %s: the mount is down: %s\n", host->name, why);
}

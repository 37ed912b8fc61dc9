/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ports of core/port.h in the simulator.
 *
 * A host that was cut gets no transfer through any more; those that are under
 * way fail when their time comes, so that whoever waits for them is unwound.
 * The states of both disks are taken at the moment of the cut.
 *
 * I/O buffers are blocks of kvmalloc(), aligned by hand: they take part in
 * failing allocations and in the check for what was left behind.
 */
#include "host.h"

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/broken.h"
#include "shim/common/task.h"

/* more than there are, so that tests can have some of their own */
#define MAX_TRIGGERS (SFS_NR_TRIGGERS_AND_BROKEN + 16)
#define MAX_LINES 4096
#define WALL_BASE 1700000000LL
#define NS_PER_SEC 1000000000ULL

struct line {
	struct list_head entry;
	int level;
	char text[];
};

struct sfs_host {
	struct sim_disk_user user;
	struct sim_disk *disk[SFS_NR_DEVS];
	struct sim_state *state[SFS_NR_DEVS];	/* when it went off */
	void (*on_effect)(struct sfs_host *host, u32 op, void *arg);
	void *on_effect_arg;
	void (*revoker)(void *arg, struct sfs_fs *fs, u64 first, u64 last,
			bool writeback);
	void *revoker_arg;
	u64 rand;
	u64 nr_writes;
	u64 cut_at;			/* 0 never */
	enum sim_cut cut_how;
	bool going_off;			/* once the write at hand is dropped */
	bool off;
	bool verbose;
	struct list_head lines;
	u32 nr_lines;
	char down[120];
	struct sfs_fs *downs[8];	/* of whom it was said */
	u32 nr_downs;
	s64 wall_offset;
	u64 cache_budget;
	u32 arm_all;
	u32 armed[MAX_TRIGGERS];
	u32 fired[MAX_TRIGGERS];
};

static const char * const level_names[] = { "error", "warn", "info", "debug" };

/* ---- power -------------------------------------------------------------- */

static void go_off(struct sfs_host *host)
{
	int dev;

	host->off = true;
	for (dev = 0; dev < SFS_NR_DEVS; dev++)
		host->state[dev] = sim_disk_state(host->disk[dev]);
}

void sim_host_cut(struct sfs_host *host)
{
	if (!host->off)
		go_off(host);
}

void sim_host_cut_at(struct sfs_host *host, u64 nr, enum sim_cut how)
{
	host->cut_at = nr;
	host->cut_how = how;
}

bool sim_host_is_off(const struct sfs_host *host)
{
	return host->off;
}

u64 sim_host_writes(const struct sfs_host *host)
{
	return host->nr_writes;
}

struct sim_image *sim_host_image(struct sfs_host *host, int dev, u64 seed,
				 enum sim_loss loss)
{
	BUG_ON(!host->off);
	/* the two disks of one cut are not torn alike */
	return sim_state_image(host->state[dev], seed * 2 + dev, loss);
}

void sim_host_on_effect(struct sfs_host *host,
			void (*fn)(struct sfs_host *host, u32 op, void *arg),
			void *arg)
{
	host->on_effect = fn;
	host->on_effect_arg = arg;
}

static struct sfs_host *to_host(struct sim_disk_user *user)
{
	return container_of(user, struct sfs_host, user);
}

static enum sim_fate fate(struct sim_disk_user *user, bool write)
{
	struct sfs_host *host = to_host(user);

	if (host->off)
		return SIM_NEVER;
	if (!write)
		return SIM_HAPPENS;
	if (++host->nr_writes != host->cut_at)
		return SIM_HAPPENS;
	switch (host->cut_how) {
	case SIM_CUT_BEFORE:
		host->nr_writes--;
		host->going_off = true;
		return SIM_NEVER;
	case SIM_CUT_TORN:
		return SIM_TORN;
	default:
		return SIM_LAST;
	}
}

static void effect(struct sim_disk_user *user, u32 op)
{
	struct sfs_host *host = to_host(user);

	if ((op == SIM_WRITE || op == SIM_FLUSH) && host->on_effect)
		host->on_effect(host, op, host->on_effect_arg);
	if (host->going_off || (op == SIM_WRITE &&
				host->nr_writes == host->cut_at))
		sim_host_cut(host);
}

/* ---- block -------------------------------------------------------------- */

void sfs_port_io_submit(struct sfs_host *host, struct sfs_io *io)
{
	BUG_ON(io->dev >= SFS_NR_DEVS);
	sim_disk_submit(host->disk[io->dev], &host->user, io);
}

int sfs_port_flush(struct sfs_host *host, int dev)
{
	BUG_ON(dev < 0 || dev >= SFS_NR_DEVS);
	return sim_disk_flush(host->disk[dev], &host->user);
}

u64 sfs_port_dev_size(struct sfs_host *host, int dev)
{
	return sim_disk_size(host->disk[dev]);
}

/* what sfs_port_buf_free() needs is in front of the buffer */
void *sfs_port_buf_alloc(u32 len)
{
	void *block;
	void **buf;

	BUG_ON(!len || len > (64 << 20));
	block = kvmalloc(len + PAGE_SIZE + sizeof(void *), GFP_NOFS);
	if (!block)
		return NULL;
	buf = PTR_ALIGN(block + sizeof(void *), PAGE_SIZE);
	buf[-1] = block;
	return buf;
}

void sfs_port_buf_free(void *buf, u32 len)
{
	if (!buf)
		return;
	BUG_ON(!IS_ALIGNED((unsigned long)buf, PAGE_SIZE));
	kvfree(((void **)buf)[-1]);
}

/* ---- env ---------------------------------------------------------------- */

u64 sfs_port_boot_ns(struct sfs_host *host)
{
	return shim_clock_ns();
}

void sfs_port_wall_time(struct sfs_host *host, s64 *ret_sec, u32 *ret_nsec)
{
	u64 now = shim_clock_ns();

	*ret_sec = WALL_BASE + host->wall_offset + (s64)(now / NS_PER_SEC);
	*ret_nsec = now % NS_PER_SEC;
}

void sfs_port_random(struct sfs_host *host, void *buf, u32 len)
{
	u8 *p = buf;
	u64 r;
	u32 n;

	for (; len; len -= n, p += n) {
		r = shim_rand_next(&host->rand);
		n = min_t(u32, len, sizeof(r));
		memcpy(p, &r, n);
	}
}

static void forget_line(struct sfs_host *host)
{
	struct line *l = list_first_entry(&host->lines, struct line, entry);

	list_del(&l->entry);
	shim_os_free(l);
	host->nr_lines--;
}

void sfs_port_log(struct sfs_host *host, int level, const char *fmt, ...)
{
	char text[400];
	struct line *l;
	va_list args;
	int len;

	BUG_ON(level < SFS_LOG_ERR || level > SFS_LOG_DEBUG);
	va_start(args, fmt);
	len = vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len && text[len - 1] == '\n')
		shim_fail("a log line ends with a newline: %s", text);
	if (host->verbose)
		shim_eprintf("[%s] %s\n", level_names[level], text);
	l = shim_os_malloc(sizeof(*l) + len + 1);
	BUG_ON(!l);
	l->level = level;
	memcpy(l->text, text, len + 1);
	list_add_tail(&l->entry, &host->lines);
	if (++host->nr_lines > MAX_LINES)
		forget_line(host);
}

int sfs_port_killed(struct sfs_host *host)
{
	return shim_killed();
}

int sfs_port_trigger(struct sfs_host *host, unsigned int trigger)
{
	bool fires = false;

	BUG_ON(trigger >= MAX_TRIGGERS);
	if (host->armed[trigger] == U32_MAX) {
		fires = true;
	} else if (host->armed[trigger]) {
		host->armed[trigger]--;
		fires = true;
	} else if (host->arm_all && trigger < SFS_NR_TRIGGERS &&
		   (trigger < SFS_TRIGGER_NET_DELAY ||
		    trigger > SFS_TRIGGER_NET_CUT)) {
		/* so many messages at random would let nothing through */
		fires = (shim_rand_next(&host->rand) >> 20) %
			host->arm_all == 0;
	}
	host->fired[trigger] += fires;
	return fires;
}

void sfs_port_trace(struct sfs_host *host, int event, s64 a, s64 b, s64 c)
{
	BUG_ON(event < 0 || event >= SFS_NR_TRACE_EVENTS);
}

u64 sfs_port_cache_budget(struct sfs_host *host)
{
	return host->cache_budget;
}

void sfs_port_mount_down(struct sfs_host *host, struct sfs_fs *fs,
			 const char *why)
{
	u32 i;

	for (i = 0; i < host->nr_downs; i++) {
		if (host->downs[i] == fs)
			shim_fail("a mount is down twice: %s, then %s",
				  host->down, why);
	}
	if (host->nr_downs < ARRAY_SIZE(host->downs))
		host->downs[host->nr_downs++] = fs;
	strscpy(host->down, why, sizeof(host->down));
	if (host->verbose)
		shim_eprintf("[down] %s\n", why);
}

void sfs_port_writeback(struct sfs_host *host, struct sfs_fs *fs,
			__u64 first_ino, __u64 last_ino)
{
	if (host->revoker)
		host->revoker(host->revoker_arg, fs, first_ino, last_ino,
			      true);
}

void sfs_port_invalidate(struct sfs_host *host, struct sfs_fs *fs,
			 __u64 first_ino, __u64 last_ino)
{
	if (host->revoker)
		host->revoker(host->revoker_arg, fs, first_ino, last_ino,
			      false);
}

void sim_host_on_revoke(struct sfs_host *host,
			void (*fn)(void *arg, struct sfs_fs *fs, u64 first,
				   u64 last, bool writeback),
			void *arg)
{
	host->revoker = fn;
	host->revoker_arg = arg;
}

/* ---- what the host told ------------------------------------------------- */

void sim_host_verbose(struct sfs_host *host, bool on)
{
	host->verbose = on;
}

u32 sim_host_logged(struct sfs_host *host, int level, const char *text)
{
	struct line *l;
	u32 n = 0;

	list_for_each_entry(l, &host->lines, entry)
		n += l->level <= level && (!text || strstr(l->text, text));
	return n;
}

void sim_host_log_forget(struct sfs_host *host)
{
	while (!list_empty(&host->lines))
		forget_line(host);
}

void sim_host_log_dump(struct sfs_host *host)
{
	struct line *l;
	u32 skip = host->nr_lines > 100 ? host->nr_lines - 100 : 0;

	list_for_each_entry(l, &host->lines, entry) {
		if (skip)
			skip--;
		else
			shim_eprintf("[%s] %s\n", level_names[l->level],
				     l->text);
	}
}

const char *sim_host_down(const struct sfs_host *host)
{
	return host->down[0] ? host->down : NULL;
}

void sim_host_down_forget(struct sfs_host *host)
{
	host->down[0] = '\0';
	host->nr_downs = 0;
}

/* ---- settings ----------------------------------------------------------- */

void sim_host_set_wall_offset(struct sfs_host *host, s64 sec)
{
	host->wall_offset = sec;
}

void sim_host_set_cache_budget(struct sfs_host *host, u64 bytes)
{
	host->cache_budget = bytes;
}

void sim_host_arm(struct sfs_host *host, unsigned int trigger, u32 times)
{
	BUG_ON(trigger >= MAX_TRIGGERS);
	host->armed[trigger] = times;
}

int sim_host_arm_name(struct sfs_host *host, const char *name, u32 times)
{
	static const char * const names[] = {
#define TRIGGER_NAME(name, text) #name,
		SFS_TRIGGERS(TRIGGER_NAME)
		SFS_BROKEN(TRIGGER_NAME)
#undef TRIGGER_NAME
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i], name)) {
			sim_host_arm(host, i, times);
			return 0;
		}
	}
	return -ENOENT;
}

void sim_host_arm_all(struct sfs_host *host, u32 one_in)
{
	host->arm_all = one_in;
}

u32 sim_host_fired(const struct sfs_host *host, unsigned int trigger)
{
	BUG_ON(trigger >= MAX_TRIGGERS);
	return host->fired[trigger];
}

static void dump_on_failure(void *arg)
{
	struct sfs_host *host = arg;

	shim_eprintf("last lines of the log:\n");
	sim_host_log_dump(host);
}

struct sfs_host *sim_host_create(struct sim_disk *meta, struct sim_disk *data,
				 u64 seed)
{
	struct sfs_host *host = shim_os_malloc(sizeof(*host));
	const char *env = shim_getenv("SIM_LOG");

	BUG_ON(!host);
	memset(host, 0, sizeof(*host));
	host->user.fate = fate;
	host->user.effect = effect;
	host->disk[SFS_DEV_META] = meta;
	host->disk[SFS_DEV_DATA] = data;
	host->rand = seed;
	host->verbose = env && *env == '1';
	host->cache_budget = 16 << 20;
	env = shim_getenv("SIM_BREAK");
	if (env && sim_host_arm_name(host, env, U32_MAX))
		shim_fail("there is no rule %s", env);
	INIT_LIST_HEAD(&host->lines);
	shim_on_failure(dump_on_failure, host);
	return host;
}

void sim_host_destroy(struct sfs_host *host)
{
	int dev;

	shim_on_failure(NULL, NULL);
	for (dev = 0; dev < SFS_NR_DEVS; dev++)
		sim_state_free(host->state[dev]);
	sim_host_log_forget(host);
	shim_os_free(host);
}

struct sim_disk *sim_host_disk(struct sfs_host *host, int dev)
{
	return host->disk[dev];
}

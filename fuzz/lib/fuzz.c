/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host for fuzzers: two devices in memory, clocks that stand still, no log.
 *
 * libFuzzer makes one call after the other in one thread, so the devices are
 * made once and cleared where they were written.
 */
#include "fuzz.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "shim/shim.h"

/* all that fuzzers need; larger volumes are claimed, not stored */
#define DEV_BYTES (1ULL << 20)

struct call {
	fuzz_fn fn;
	struct sfs_host *host;
	const u8 *data;
	size_t len;
};

static struct sfs_host the_host;

static int call_fn(void *arg)
{
	struct call *call = arg;

	call->fn(call->host, call->data, call->len);
	return 0;
}

int fuzz_run(fuzz_fn fn, const u8 *data, size_t len)
{
	struct shim_run_opts opts = { .seed = 1 };
	struct call call = {
		.fn = fn,
		.host = &the_host,
		.data = data,
		.len = len,
	};
	int i;

	for (i = 0; i < SFS_NR_DEVS; i++) {
		if (!the_host.dev[i])
			the_host.dev[i] = shim_pages_alloc(DEV_BYTES);
		if (!the_host.dev[i])
			shim_fail("no memory for the devices");
		memset(the_host.dev[i], 0, DEV_BYTES);
		the_host.size[i] = DEV_BYTES;
	}
	shim_run(&opts, call_fn, &call);
	return 0;
}

void sfs_port_io_submit(struct sfs_host *host, struct sfs_io *io)
{
	u64 size = min_t(u64, host->size[io->dev], DEV_BYTES);
	u8 *at = host->dev[io->dev] + io->offset;

	if (io->offset > size || io->len > size - io->offset) {
		io->err = -EIO;
	} else {
		io->err = 0;
		if (io->flags & SFS_IO_WRITE)
			memcpy(at, io->buf, io->len);
		else
			memcpy(io->buf, at, io->len);
	}
	io->done(io);
}

int sfs_port_flush(struct sfs_host *host, int dev)
{
	return 0;
}

__u64 sfs_port_dev_size(struct sfs_host *host, int dev)
{
	return host->size[dev];
}

void *sfs_port_buf_alloc(__u32 len)
{
	return shim_pages_alloc(len);
}

void sfs_port_buf_free(void *buf, __u32 len)
{
	shim_pages_free(buf, len);
}

__u64 sfs_port_boot_ns(struct sfs_host *host)
{
	return 1;
}

void sfs_port_wall_time(struct sfs_host *host, __s64 *ret_sec, __u32 *ret_nsec)
{
	*ret_sec = 1;
	*ret_nsec = 0;
}

void sfs_port_random(struct sfs_host *host, void *buf, __u32 len)
{
	memset(buf, 1, len);
}

void sfs_port_log(struct sfs_host *host, int level, const char *fmt, ...)
{
}

int sfs_port_killed(struct sfs_host *host)
{
	return 0;
}

int sfs_port_trigger(struct sfs_host *host, unsigned int trigger)
{
	return 0;
}

void sfs_port_trace(struct sfs_host *host, int event, __s64 a, __s64 b,
		    __s64 c)
{
}

__u64 sfs_port_cache_budget(struct sfs_host *host)
{
	return 1 << 20;
}

void sfs_port_mount_down(struct sfs_host *host, struct sfs_fs *fs,
			 const char *why)
{
}

void sfs_port_writeback(struct sfs_host *host, struct sfs_fs *fs,
			__u64 first_ino, __u64 last_ino)
{
}

void sfs_port_invalidate(struct sfs_host *host, struct sfs_fs *fs,
			 __u64 first_ino, __u64 last_ino)
{
}

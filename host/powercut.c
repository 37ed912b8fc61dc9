/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test switch of the block port: devices with a volatile write cache, whose
 * power can be cut.  Killing a process proves little about durability,
 * because what it has written survives in the page cache; this proves more.
 *
 *	SCOUTFS_POWERCUT=seed=N[,after=K]
 *
 * With it, writes stay in memory.  A flush writes all of its device through, a
 * write with FUA itself alone.  At the K-th write or flush, or when
 * sfs_powercut_now() is called (the daemon does on SIGUSR2), power fails:
 * by the seed, every block of 4 KiB that is not durable gets any of the
 * versions it has had since it was, or the durable one, or a mixture of them
 * by sectors of 512 bytes; then the process exits with status 86.  Lost, torn
 * and reordered writes all look like this afterwards.
 *
 * One lock around everything: writes reach the devices one at a time, so that
 * none is under way when the power fails.  Reads see the cache.  A block that
 * has had too many versions forgets one of them, and a cache that is full is
 * written through: both only make some bad outcomes rarer.
 */
#include "host/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POWERCUT_EXIT 86
#define NR_VERSIONS 4
#define NR_BUCKETS 4096
#define MAX_BLOCKS 32768		/* 128 MiB and its versions */
#define SECTOR 512

/* A block whose content is not durable; the last version is what reads see. */
struct vblock {
	struct vblock *next;
	__u64 offset;
	int dev;
	unsigned int nr;
	void *version[NR_VERSIONS];
};

struct sfs_powercut {
	struct sfs_host *host;
	pthread_mutex_t lock;
	struct vblock *bucket[NR_BUCKETS];	/* L(lock) */
	unsigned int nr_blocks;			/* L(lock) */
	__u64 random;				/* L(lock) */
	__u64 events;				/* L(lock) writes, flushes */
	__u64 after;				/* I 0: on command only */
};

/* xorshift64*, Vigna 2014: the seed alone decides */
static __u32 next_random(struct sfs_powercut *pc, __u32 bound)
{
	pc->random ^= pc->random >> 12;
	pc->random ^= pc->random << 25;
	pc->random ^= pc->random >> 27;
	return ((pc->random * 2685821657736338717ULL) >> 33) % bound;
}

static struct vblock **bucket_of(struct sfs_powercut *pc, int dev,
				 __u64 offset)
{
	return &pc->bucket[(offset / SFS_BLOCK * 2 + dev) % NR_BUCKETS];
}

static struct vblock **find(struct sfs_powercut *pc, int dev, __u64 offset)
{
	struct vblock **p = bucket_of(pc, dev, offset);

	while (*p && ((*p)->offset != offset || (*p)->dev != dev))
		p = &(*p)->next;
	return p;
}

static void drop(struct sfs_powercut *pc, struct vblock **p)
{
	struct vblock *vb = *p;
	unsigned int i;

	*p = vb->next;
	for (i = 0; i < vb->nr; i++)
		free(vb->version[i]);
	free(vb);
	pc->nr_blocks--;
}

static int add_version(struct sfs_powercut *pc, int dev, __u64 offset,
		       const void *data)
{
	struct vblock **p = find(pc, dev, offset);
	struct vblock *vb = *p;
	void *copy = sfs_port_buf_alloc(SFS_BLOCK);
	unsigned int i;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, SFS_BLOCK);
	if (!vb) {
		vb = calloc(1, sizeof(*vb));
		if (!vb) {
			sfs_port_buf_free(copy, SFS_BLOCK);
			return -ENOMEM;
		}
		vb->dev = dev;
		vb->offset = offset;
		*p = vb;
		pc->nr_blocks++;
	}
	if (vb->nr == NR_VERSIONS) {
		i = next_random(pc, NR_VERSIONS);
		free(vb->version[i]);
		vb->nr--;
		memmove(&vb->version[i], &vb->version[i + 1],
			(vb->nr - i) * sizeof(vb->version[0]));
	}
	vb->version[vb->nr++] = copy;
	return 0;
}

/* What the device has of this block after the power is back. */
static void lose_block(struct sfs_powercut *pc, struct vblock *vb, char *buf)
{
	unsigned int pick = next_random(pc, vb->nr + 1);
	bool torn = next_random(pc, 4) == 0;
	unsigned int s;

	if (!torn && pick == 0)
		return;
	if (sfs_raw_pread(pc->host, vb->dev, buf, SFS_BLOCK, vb->offset) < 0)
		return;
	for (s = 0; s < SFS_BLOCK; s += SECTOR) {
		if (torn)
			pick = next_random(pc, vb->nr + 1);
		if (pick)
			memcpy(buf + s, (char *)vb->version[pick - 1] + s,
			       SECTOR);
	}
	sfs_raw_pwrite(pc->host, vb->dev, buf, SFS_BLOCK, vb->offset, false);
}

static void cut(struct sfs_powercut *pc)
{
	char *buf = sfs_port_buf_alloc(SFS_BLOCK);
	struct vblock *vb;
	unsigned int i;

	sfs_log(SFS_LOG_WARN, "power cut at event %llu, %u blocks in the cache",
		pc->events, pc->nr_blocks);
	for (i = 0; buf && i < NR_BUCKETS; i++)
		for (vb = pc->bucket[i]; vb; vb = vb->next)
			lose_block(pc, vb, buf);
	_exit(POWERCUT_EXIT);
}

void sfs_powercut_now(struct sfs_powercut *pc)
{
	pthread_mutex_lock(&pc->lock);
	cut(pc);
}

/* @dev below 0: all devices. */
static int write_through(struct sfs_powercut *pc, int dev)
{
	struct vblock **p, *vb;
	unsigned int i;
	int ret;

	for (i = 0; i < NR_BUCKETS; i++) {
		p = &pc->bucket[i];
		while ((vb = *p)) {
			if (dev >= 0 && vb->dev != dev) {
				p = &vb->next;
				continue;
			}
			ret = sfs_raw_pwrite(pc->host, vb->dev,
					     vb->version[vb->nr - 1],
					     SFS_BLOCK, vb->offset, false);
			if (ret < 0)
				return ret;
			drop(pc, p);
		}
	}
	return 0;
}

static int cached_write(struct sfs_powercut *pc, struct sfs_io *io)
{
	__u32 pos;
	int ret;

	for (pos = 0; pos < io->len; pos += SFS_BLOCK) {
		ret = add_version(pc, io->dev, io->offset + pos,
				  (char *)io->buf + pos);
		if (ret < 0)
			return ret;
	}
	pc->events++;
	if (pc->events == pc->after)
		cut(pc);
	if (pc->nr_blocks > MAX_BLOCKS)
		return write_through(pc, -1);
	if (!(io->flags & SFS_IO_FUA))
		return 0;

	for (pos = 0; pos < io->len; pos += SFS_BLOCK)
		drop(pc, find(pc, io->dev, io->offset + pos));
	return sfs_raw_pwrite(pc->host, io->dev, io->buf, io->len, io->offset,
			      true);
}

static int cached_read(struct sfs_powercut *pc, struct sfs_io *io)
{
	struct vblock *vb;
	__u32 pos;
	int ret;

	ret = sfs_raw_pread(pc->host, io->dev, io->buf, io->len, io->offset);
	if (ret < 0)
		return ret;
	for (pos = 0; pos < io->len; pos += SFS_BLOCK) {
		vb = *find(pc, io->dev, io->offset + pos);
		if (vb)
			memcpy((char *)io->buf + pos, vb->version[vb->nr - 1],
			       SFS_BLOCK);
	}
	return 0;
}

int sfs_powercut_io(struct sfs_powercut *pc, struct sfs_io *io)
{
	int ret;

	pthread_mutex_lock(&pc->lock);
	if (io->flags & SFS_IO_WRITE)
		ret = cached_write(pc, io);
	else
		ret = cached_read(pc, io);
	pthread_mutex_unlock(&pc->lock);
	return ret;
}

int sfs_powercut_flush(struct sfs_powercut *pc, int dev)
{
	int ret;

	pthread_mutex_lock(&pc->lock);
	pc->events++;
	if (pc->events == pc->after)
		cut(pc);
	ret = write_through(pc, dev);
	if (ret == 0)
		ret = sfs_raw_flush(pc->host, dev);
	pthread_mutex_unlock(&pc->lock);
	return ret;
}

int sfs_powercut_start(struct sfs_host *host, struct sfs_powercut **ret_pc)
{
	const char *env = getenv("SCOUTFS_POWERCUT");
	unsigned long long seed, after = 0;
	struct sfs_powercut *pc;

	if (!env || !env[0] || (host->flags & SFS_HOST_RDONLY)) {
		*ret_pc = NULL;
		return 0;
	}
	if (sscanf(env, "seed=%llu,after=%llu", &seed, &after) < 1) {
		sfs_log(SFS_LOG_ERR,
			"SCOUTFS_POWERCUT is \"%s\", not seed=N[,after=K]",
			env);
		return -EINVAL;
	}
	pc = calloc(1, sizeof(*pc));
	if (!pc)
		return -ENOMEM;
	pc->host = host;
	pc->after = after;
	pc->random = seed * 0x9e3779b97f4a7c15ULL + 1;
	pthread_mutex_init(&pc->lock, NULL);
	sfs_log(SFS_LOG_INFO, "simulated power: seed %llu, cut after %llu",
		seed, after);
	*ret_pc = pc;
	return 0;
}

/* Power is there to the end: everything reaches the devices. */
void sfs_powercut_stop(struct sfs_powercut *pc)
{
	if (!pc)
		return;
	if (write_through(pc, -1) < 0)
		sfs_log(SFS_LOG_ERR, "simulated power: last writes failed");
	pthread_mutex_destroy(&pc->lock);
	free(pc);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block port of the kernel.
 *
 * A transfer is one or more bios, made and submitted one after the other from
 * a set of our own, so that making them never fails and waits for nothing but
 * bios on their way; that set is not the one all filesystems share, because
 * the device may be a loop device on such a filesystem.  All state lives in
 * sfs_io.host_priv and is gone when the callback runs: a callback may free its
 * io, submit more, and wait for memory without holding up a bio.
 *
 * Callbacks run in a few work items of a queue of the volume, which take the
 * transfers that ended from one list.  Several, so that a callback that sleeps
 * does not hold up the others.  The queue is unbound and of high priority:
 * whoever waits for a log record pays for the time until its callback runs,
 * and the processor that took the interrupt may be busy with a compaction that
 * does not give way.  It has a rescuer, since pages may not be written before
 * a callback has run.
 *
 * Priorities of the device: metadata is marked as such.  Reads, and durable
 * writes (the log, roots, the identity), go first.  Other writes are runs, for
 * which a publish waits, hence synchronous, but which may be as large as a
 * compaction's.
 *
 * Errors: the log says what the device said, the core hears EIO, as it does
 * from other hosts.  (ENOSPC of a thin device would look like a full volume.)
 *
 * A fenced host transfers nothing, see host.h.
 *
 * Lock: end_lock, a leaf, with interrupts off.
 */
#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/bitops.h>
#include <linux/blkdev.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "port.h"
#include "host.h"

#define BIO_RESERVE 16

/* What is kept in sfs_io.host_priv. */
struct io_state {
	struct sfs_host *host;
	struct sfs_io *next;		/* L(end_lock): in the list of ended ones */
	atomic_t pending;		/* bios, and one while they are made */
	int err;			/* A: the first one */
};

static struct io_state *state_of(struct sfs_io *io)
{
	BUILD_BUG_ON(sizeof(struct io_state) > sizeof(io->host_priv));
	return (struct io_state *)io->host_priv;
}

static const char *const dev_names[SFS_NR_DEVS] = {
	[SFS_DEV_META] = "metadata",
	[SFS_DEV_DATA] = "data",
};

/* ---- ends ------------------------------------------------------------------- */

/* After some lines for a device each doubling of their number is worth one. */
static bool worth_a_line(struct sfs_host *host, int dev, u64 *ret_nr)
{
	*ret_nr = atomic64_inc_return(&host->errors[dev]);
	return *ret_nr < 10 || !(*ret_nr & (*ret_nr - 1));
}

static void say_failed(struct sfs_host *host, const struct sfs_io *io, int err)
{
	u64 nr;

	if (!worth_a_line(host, io->dev, &nr))
		return;
	sfs_port_log(host, SFS_LOG_ERR,
		     "the %s device %pg failed %s %u bytes at byte %llu: error %d (failure %llu)",
		     dev_names[io->dev], host->bdev[io->dev],
		     io->flags & SFS_IO_WRITE ? "writing" : "reading", io->len,
		     io->offset, err, nr);
}

static void end_io(struct sfs_io *io)
{
	struct io_state *st = state_of(io);
	struct sfs_host *host = st->host;
	int err = st->err;

	if (!(io->flags & SFS_IO_WRITE) && is_vmalloc_addr(io->buf))
		invalidate_kernel_vmap_range(io->buf, io->len);
	if (err && !sfs_host_fenced(host))
		say_failed(host, io, err);
	io->err = err ? -EIO : 0;
	io->done(io);
}

/* The next one that ended; NULL and the bit of this worker cleared. */
static struct sfs_io *next_ended(struct sfs_host *host, unsigned int worker)
{
	struct sfs_io *io;

	spin_lock_irq(&host->end_lock);
	io = host->end_first;
	if (io)
		host->end_first = state_of(io)->next;
	else
		__clear_bit(worker, &host->enders_busy);
	spin_unlock_irq(&host->end_lock);
	return io;
}

static void ender_work(struct work_struct *work)
{
	struct sfs_io_ender *ender = container_of(work, struct sfs_io_ender,
						  work);
	struct sfs_host *host = ender->host;
	unsigned int nofs = memalloc_nofs_save();
	struct sfs_io *io;

	while ((io = next_ended(host, ender - host->enders))) {
		end_io(io);
		cond_resched();
	}
	memalloc_nofs_restore(nofs);
}

/* In interrupts, too. */
static void queue_end(struct sfs_host *host, struct sfs_io *io)
{
	unsigned long flags;
	unsigned long worker;

	state_of(io)->next = NULL;
	spin_lock_irqsave(&host->end_lock, flags);
	if (host->end_first)
		state_of(host->end_last)->next = io;
	else
		host->end_first = io;
	host->end_last = io;
	worker = ffz(host->enders_busy);
	if (worker < SFS_NR_ENDERS) {
		__set_bit(worker, &host->enders_busy);
		queue_work(host->io_wq, &host->enders[worker].work);
	}
	spin_unlock_irqrestore(&host->end_lock, flags);
}

static void put_pending(struct sfs_io *io)
{
	struct io_state *st = state_of(io);

	if (atomic_dec_and_test(&st->pending))
		queue_end(st->host, io);
}

static void bio_done(struct bio *bio)
{
	struct sfs_io *io = bio->bi_private;

	if (bio->bi_status)
		cmpxchg(&state_of(io)->err, 0,
			blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	put_pending(io);
}

/* ---- beginnings ---------------------------------------------------------------- */

/* Adds what fits of [@buf, @buf + @len); returns how much. */
static u32 add_buf(struct bio *bio, void *buf, u32 len)
{
	u32 added = 0;
	struct page *page;
	u32 part;

	/* one piece of the linear mapping is one vector */
	if (!is_vmalloc_addr(buf))
		return bio_add_page(bio, virt_to_page(buf), len,
				    offset_in_page(buf));
	while (added < len) {
		page = vmalloc_to_page(buf + added);
		part = min_t(u32, len - added,
			     PAGE_SIZE - offset_in_page(buf + added));
		if (bio_add_page(bio, page, part,
				 offset_in_page(buf + added)) != part)
			break;
		added += part;
	}
	return added;
}

static blk_opf_t io_opf(const struct sfs_io *io)
{
	blk_opf_t opf = io->dev == SFS_DEV_META ? REQ_META : 0;

	if (!(io->flags & SFS_IO_WRITE))
		return opf | REQ_OP_READ | (opf & REQ_META ? REQ_PRIO : 0);
	opf |= REQ_OP_WRITE | REQ_SYNC;
	if (io->flags & SFS_IO_FUA)
		opf |= REQ_FUA | REQ_IDLE | (opf & REQ_META ? REQ_PRIO : 0);
	return opf;
}

static unsigned short nr_vecs(void *buf, u32 len)
{
	if (!is_vmalloc_addr(buf))
		return 1;
	return bio_max_segs(DIV_ROUND_UP(offset_in_page(buf) + len, PAGE_SIZE));
}

static void submit(struct sfs_host *host, struct sfs_io *io)
{
	blk_opf_t opf = io_opf(io);
	struct blk_plug plug;
	struct bio *bio;
	u32 pos = 0;
	u32 added;

	if (is_vmalloc_addr(io->buf))
		flush_kernel_vmap_range(io->buf, io->len);
	blk_start_plug(&plug);
	while (pos < io->len) {
		bio = bio_alloc_bioset(host->bdev[io->dev],
				       nr_vecs(io->buf + pos, io->len - pos),
				       opf, GFP_NOFS, &host->bios);
		bio->bi_iter.bi_sector = (io->offset + pos) >> SECTOR_SHIFT;
		bio->bi_end_io = bio_done;
		bio->bi_private = io;
		added = add_buf(bio, io->buf + pos, io->len - pos);
		if (WARN_ON_ONCE(!added)) {
			bio_put(bio);
			cmpxchg(&state_of(io)->err, 0, -EIO);
			break;
		}
		pos += added;
		atomic_inc(&state_of(io)->pending);
		submit_bio(bio);
	}
	blk_finish_plug(&plug);
}

/* Is this a transfer that may be started at all? */
static int check_io(struct sfs_host *host, const struct sfs_io *io)
{
	if (WARN_ON_ONCE(io->dev >= SFS_NR_DEVS || !io->len ||
			 ((io->offset | io->len) & 4095) ||
			 ((unsigned long)io->buf & 4095)))
		return -EINVAL;
	if (sfs_host_fenced(host))
		return -EIO;
	if (io->len > host->size[io->dev] ||
	    io->offset > host->size[io->dev] - io->len)
		return -EIO;
	return 0;
}

void sfs_port_io_submit(struct sfs_host *host, struct sfs_io *io)
{
	struct io_state *st = state_of(io);

	st->host = host;
	st->err = check_io(host, io);
	atomic_set(&st->pending, 1);
	if (!st->err)
		submit(host, io);
	put_pending(io);
}

int sfs_port_flush(struct sfs_host *host, int dev)
{
	u64 nr;
	int ret;

	if (sfs_host_fenced(host))
		return -EIO;
	ret = blkdev_issue_flush(host->bdev[dev]);
	if (ret == 0)
		return 0;
	if (worth_a_line(host, dev, &nr))
		sfs_port_log(host, SFS_LOG_ERR,
			     "the %s device %pg failed flushing: error %d (failure %llu)",
			     dev_names[dev], host->bdev[dev], ret, nr);
	return -EIO;
}

__u64 sfs_port_dev_size(struct sfs_host *host, int dev)
{
	return host->size[dev];
}

/* ---- memory ----------------------------------------------------------------------- */

void *sfs_port_buf_alloc(__u32 len)
{
	unsigned int nofs = memalloc_nofs_save();
	void *buf;

	/* the first try is not worth any effort unless it is the only one */
	buf = alloc_pages_exact(len, len <= PAGE_SIZE ? GFP_NOFS :
				GFP_NOFS | __GFP_NORETRY | __GFP_NOWARN);
	if (!buf && len > PAGE_SIZE)
		buf = vmalloc(len);
	memalloc_nofs_restore(nofs);

	return buf;
}

void sfs_port_buf_free(void *buf, __u32 len)
{
	if (is_vmalloc_addr(buf))
		vfree(buf);
	else if (buf)
		free_pages_exact(buf, len);
}

/* ---- for the host itself ------------------------------------------------------------ */

int sfs_bdev_rw(struct block_device *bdev, blk_opf_t opf, u64 offset,
		void *buf, u32 len)
{
	struct bio_vec vec;
	struct bio bio;
	int ret;

	bio_init(&bio, bdev, &vec, 1, opf);
	bio.bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	ret = bio_add_page(&bio, virt_to_page(buf), len,
			   offset_in_page(buf)) == len ? 0 : -EIO;
	if (ret == 0)
		ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return ret;
}

void sfs_host_fence(struct sfs_host *host, const char *why)
{
	if (xchg(&host->fenced, true))
		return;
	sfs_port_log(host, SFS_LOG_ERR,
		     "no longer the owner of this volume (%s): nothing is read or written any more; unmount it here",
		     why);
	if (host->on_down)
		host->on_down(host->on_down_arg, why);
}

int sfs_block_start(struct sfs_host *host)
{
	int ret;
	int i;

	spin_lock_init(&host->end_lock);
	for (i = 0; i < SFS_NR_ENDERS; i++) {
		host->enders[i].host = host;
		INIT_WORK(&host->enders[i].work, ender_work);
	}
	ret = bioset_init(&host->bios, BIO_RESERVE, 0, BIOSET_NEED_BVECS);
	if (ret < 0)
		return ret;
	host->io_wq = alloc_workqueue("sfs-io", WQ_UNBOUND | WQ_HIGHPRI |
				      WQ_MEM_RECLAIM, 0);
	if (!host->io_wq) {
		bioset_exit(&host->bios);
		return -ENOMEM;
	}
	return 0;
}

void sfs_block_stop(struct sfs_host *host)
{
	WARN_ON_ONCE(host->end_first);
	destroy_workqueue(host->io_wq);
	bioset_exit(&host->bios);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulated disk.
 *
 * Two images: @contents is what reads see, @durable what certainly survives a
 * power cut.  Writes between them are struct write, on @inflight from their
 * submission, then in @cached in the order in which they took effect.  They
 * are counted references, because states (see below) keep them; one that has
 * to change while somebody else refers to it is copied.
 *
 * A transfer takes effect all at once when its time has come, in a fiber of
 * the disk (a completer), which then calls its done().  There are several of
 * them, so that a done() that waits stops nobody; one of them, the leader,
 * waits for the next time and makes another one leader before it works.
 * Reads that meet writes in flight see any mixture of sectors.
 *
 * Everything here runs in fibers and switches only where it sleeps or calls
 * out, so there are no locks.
 *
 * Of the core it checks: aligned transfers within the device, buffers that
 * nobody changes while they are written, and no two writes in flight to the
 * same bytes.  The buffer of a read is filled with rubbish at once.
 */
#include "disk.h"

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/string.h>
#include "port.h"
#include "shim/common/task.h"

#define NR_COMPLETERS 4
#define MAX_TRANSFER (16u << 20)
#define READ_RUBBISH 0xa7
#define HELD_POLL_NS 1000000

struct write {
	struct list_head entry;		/* in disk->inflight while there */
	u32 refs;
	u32 len;
	u64 off;
	u8 *data;
	unsigned long *gone;		/* sectors that newer durable ones replaced */
	bool fua;
};

struct request {
	struct list_head entry;		/* in disk->requests, by due_ns */
	struct sim_disk_user *user;
	struct sfs_io *io;
	struct write *write;		/* or NULL: a read */
	u64 due_ns;
};

struct fault {
	struct list_head entry;
	struct sim_fault f;
	u32 seen;
};

/* all of it used by one fiber at a time */
struct sim_disk {
	struct sim_disk_opts opts;
	struct sim_image *contents;
	struct sim_image *durable;
	struct list_head inflight;
	struct list_head faults;
	struct list_head requests;
	bool held;			/* nothing completes */
	struct write **cached;
	u32 nr_cached;
	u32 max_cached;
	u64 rand;
	u64 nr_taken;			/* cached ones that were flushed */
	struct sim_disk_counts counts;
	struct shim_task *completers[NR_COMPLETERS];
	struct shim_task *leader;
	bool stop;
};

static u64 draw(struct sim_disk *disk)
{
	return shim_rand_next(&disk->rand) >> 11;
}

static void *get(size_t size)
{
	void *p = shim_os_malloc(size);

	BUG_ON(!p);
	memset(p, 0, size);
	return p;
}

/* ---- writes ------------------------------------------------------------- */

static u32 nr_sectors(const struct write *w)
{
	return w->len / SIM_SECTOR;
}

static struct write *new_write(u64 off, u32 len, const void *data)
{
	struct write *w = get(sizeof(*w));

	INIT_LIST_HEAD(&w->entry);
	w->refs = 1;
	w->off = off;
	w->len = len;
	w->data = shim_os_malloc(len);
	BUG_ON(!w->data);
	memcpy(w->data, data, len);
	w->gone = get(BITS_TO_LONGS(nr_sectors(w)) * sizeof(long));
	return w;
}

static void put_write(struct write *w)
{
	if (--w->refs)
		return;
	shim_os_free(w->data);
	shim_os_free(w->gone);
	shim_os_free(w);
}

/* Writes its sectors to @img, all but those that are gone. */
static void apply(struct sim_image *img, const struct write *w)
{
	u32 nr = nr_sectors(w);
	u32 end;
	u32 i;

	for (i = 0; i < nr; i = end) {
		i = find_next_zero_bit(w->gone, nr, i);
		if (i == nr)
			break;
		end = find_next_bit(w->gone, nr, i);
		sim_image_write(img, w->off + i * SIM_SECTOR,
				w->data + i * SIM_SECTOR,
				(end - i) * SIM_SECTOR);
	}
}

static bool overlaps(const struct write *w, u64 off, u64 len)
{
	return w->off < off + len && off < w->off + w->len;
}

/* One that no state refers to, so that it can be changed. */
static struct write *own_write(struct write *w)
{
	struct write *copy;

	if (w->refs == 1)
		return w;
	copy = new_write(w->off, w->len, w->data);
	memcpy(copy->gone, w->gone,
	       BITS_TO_LONGS(nr_sectors(w)) * sizeof(long));
	copy->fua = w->fua;
	list_replace_init(&w->entry, &copy->entry);
	put_write(w);
	return copy;
}

/* A durable write of @by supersedes what is cached of the same sectors. */
static void supersede(struct write **slot, const struct write *by)
{
	struct write *w = *slot;
	u32 i;

	if (!overlaps(w, by->off, by->len))
		return;
	w = *slot = own_write(w);
	for (i = 0; i < nr_sectors(w); i++) {
		if (w->off + i * SIM_SECTOR >= by->off &&
		    w->off + i * SIM_SECTOR < by->off + by->len)
			__set_bit(i, w->gone);
	}
}

static void add_cached(struct sim_disk *disk, struct write *w)
{
	struct write **bigger;

	if (disk->nr_cached == disk->max_cached) {
		disk->max_cached = max(disk->max_cached * 2, 64u);
		bigger = get(disk->max_cached * sizeof(*bigger));
		if (disk->cached)
			memcpy(bigger, disk->cached,
			       disk->nr_cached * sizeof(*bigger));
		shim_os_free(disk->cached);
		disk->cached = bigger;
	}
	disk->cached[disk->nr_cached++] = w;
}

/* It leaves the list of those in flight and takes effect. */
static void take_effect(struct sim_disk *disk, struct write *w)
{
	u32 i;

	list_del_init(&w->entry);
	apply(disk->contents, w);
	if (!w->fua && !disk->opts.write_through) {
		add_cached(disk, w);
		return;
	}
	for (i = 0; i < disk->nr_cached; i++)
		supersede(&disk->cached[i], w);
	apply(disk->durable, w);
	put_write(w);
}

static void lose_some_sectors(struct sim_disk *disk, struct request *r)
{
	struct write *w = own_write(r->write);
	u32 i;

	r->write = w;
	w->fua = false;
	for (i = 0; i < nr_sectors(w); i++) {
		if (draw(disk) & 1)
			__set_bit(i, w->gone);
	}
}

static void check_overlap(struct sim_disk *disk, const struct write *w)
{
	struct write *other;

	if (disk->opts.allow_overlap)
		return;
	list_for_each_entry(other, &disk->inflight, entry) {
		if (overlaps(other, w->off, w->len))
			shim_fail("two writes in flight to the same bytes: %llu+%u and %llu+%u",
				  other->off, other->len, w->off, w->len);
	}
}

/* ---- faults ------------------------------------------------------------- */

void sim_disk_add_fault(struct sim_disk *disk, const struct sim_fault *fault)
{
	struct fault *f = get(sizeof(*f));

	f->f = *fault;
	list_add_tail(&f->entry, &disk->faults);
}

void sim_disk_clear_faults(struct sim_disk *disk)
{
	struct fault *f;
	struct fault *tmp;

	list_for_each_entry_safe(f, tmp, &disk->faults, entry) {
		list_del(&f->entry);
		shim_os_free(f);
	}
}

static struct sim_fault *find_fault(struct sim_disk *disk, u32 op, u64 off,
				    u64 len)
{
	struct fault *f;

	list_for_each_entry(f, &disk->faults, entry) {
		if (!(f->f.ops & op))
			continue;
		if (op != SIM_FLUSH &&
		    (off >= f->f.off + f->f.len || f->f.off >= off + len))
			continue;
		if (f->seen++ < f->f.skip)
			continue;
		if (f->f.times && f->seen > f->f.skip + f->f.times)
			continue;
		disk->counts.errors++;
		return &f->f;
	}
	return NULL;
}

static void flip_in_buffer(struct sim_disk *disk, const struct sim_fault *f,
			   u64 off, u8 *buf, u32 len)
{
	u64 first = max(f->off, off);
	u64 end = min(f->off + f->len, off + len);
	u64 at = first + draw(disk) % (end - first);

	buf[at - off] ^= 1 << (draw(disk) & 7);
}

/* ---- transfers ---------------------------------------------------------- */

static u64 delay_ns(struct sim_disk *disk)
{
	const struct sim_disk_opts *o = &disk->opts;
	u64 us = o->min_us + draw(disk) % (o->max_us - o->min_us + 1);

	if (o->slow_one_in && draw(disk) % o->slow_one_in == 0)
		us += draw(disk) % (o->slow_us + 1);
	return us * 1000 + draw(disk) % 1000;
}

static void read_contents(struct sim_disk *disk, u64 off, u8 *buf, u32 len)
{
	struct write *w;
	u64 at;
	u32 i;

	sim_image_read(disk->contents, off, buf, len);
	list_for_each_entry(w, &disk->inflight, entry) {
		if (!overlaps(w, off, len))
			continue;
		for (i = 0; i < nr_sectors(w); i++) {
			at = w->off + i * SIM_SECTOR;
			if (at >= off && at < off + len && (draw(disk) & 1))
				memcpy(buf + (at - off),
				       w->data + i * SIM_SECTOR, SIM_SECTOR);
		}
	}
}

static int do_read(struct sim_disk *disk, struct sfs_io *io)
{
	struct sim_fault *f = find_fault(disk, SIM_READ, io->offset, io->len);

	disk->counts.reads++;
	disk->counts.read_bytes += io->len;
	if (f && f->err)
		return f->err;
	read_contents(disk, io->offset, io->buf, io->len);
	if (f)
		flip_in_buffer(disk, f, io->offset, io->buf, io->len);
	return 0;
}

static int do_write(struct sim_disk *disk, struct request *r)
{
	struct write *w = r->write;
	struct sim_fault *f = find_fault(disk, SIM_WRITE, w->off, w->len);

	disk->counts.writes++;
	disk->counts.write_bytes += w->len;
	if (memcmp(w->data, r->io->buf, w->len))
		shim_fail("the buffer of a write to %llu+%u was changed while it was in flight",
			  w->off, w->len);
	if (f && f->err)
		lose_some_sectors(disk, r);
	take_effect(disk, r->write);
	return f ? f->err : 0;
}

static void drop_write(struct write *w)
{
	list_del_init(&w->entry);
	put_write(w);
}

static int run_request(struct sim_disk *disk, struct request *r)
{
	enum sim_fate fate = r->user->fate(r->user, r->write != NULL);
	int err;

	switch (fate) {
	case SIM_NEVER:
		if (r->write)
			drop_write(r->write);
		if (r->user->effect)
			r->user->effect(r->user, 0);
		return -EIO;
	case SIM_TORN:
		lose_some_sectors(disk, r);
		take_effect(disk, r->write);
		break;
	default:
		err = r->write ? do_write(disk, r) : do_read(disk, r->io);
		if (r->user->effect)
			r->user->effect(r->user,
					r->write ? SIM_WRITE : SIM_READ);
		return fate == SIM_LAST ? -EIO : err;
	}
	if (r->user->effect)
		r->user->effect(r->user, SIM_WRITE);
	return -EIO;
}

static void complete_request(struct sim_disk *disk, struct request *r)
{
	struct sfs_io *io = r->io;
	struct shim_task *self = shim_me();

	io->err = run_request(disk, r);
	shim_os_free(r);
	shim_preempt();
	io->done(io);
	if (self->nr_held || self->atomic)
		shim_fail("done() of a transfer returned with a lock");
}

/* Another completer waits for the next request; this one is busy. */
static void pass_leadership(struct sim_disk *disk)
{
	struct shim_task *self = shim_me();
	int i;

	disk->leader = NULL;
	for (i = 0; i < NR_COMPLETERS; i++) {
		if (disk->completers[i] && disk->completers[i] != self &&
		    disk->completers[i]->idle) {
			disk->leader = disk->completers[i];
			shim_unpark(disk->leader);
			return;
		}
	}
}

static void completer(void *arg)
{
	struct sim_disk *disk = arg;
	struct shim_task *self = shim_me();
	struct request *r;

	while (!disk->stop) {
		if (!disk->leader)
			disk->leader = self;
		r = list_first_entry_or_null(&disk->requests, struct request,
					     entry);
		if (disk->leader == self && r && !disk->held &&
		    r->due_ns <= shim_clock_ns()) {
			list_del(&r->entry);
			pass_leadership(disk);
			complete_request(disk, r);
			continue;
		}
		self->idle = 1;
		shim_park(disk->leader == self && r && !disk->held ?
				  r->due_ns : 0);
		self->idle = 0;
	}
}

static void check_transfer(struct sim_disk *disk, const struct sfs_io *io)
{
	u64 size = sim_image_size(disk->contents);

	if (!io->len || io->len > MAX_TRANSFER ||
	    (io->offset | io->len | (unsigned long)io->buf) % SIM_PAGE)
		shim_fail("transfer is not aligned: offset %llu, length %u, buffer %p",
			  io->offset, io->len, io->buf);
	if (io->offset > size || io->len > size - io->offset)
		shim_fail("transfer beyond the device: offset %llu, length %u",
			  io->offset, io->len);
	if (!io->done || io->flags & ~(SFS_IO_WRITE | SFS_IO_FUA))
		shim_fail("transfer is not initialised");
}

void sim_disk_submit(struct sim_disk *disk, struct sim_disk_user *user,
		     struct sfs_io *io)
{
	struct request *r;
	struct request *pos;

	shim_check_sleep(shim_me(), "a transfer");
	check_transfer(disk, io);
	shim_preempt();
	r = get(sizeof(*r));
	r->user = user;
	r->io = io;
	r->due_ns = shim_clock_ns() + delay_ns(disk);
	if (io->flags & SFS_IO_WRITE) {
		r->write = new_write(io->offset, io->len, io->buf);
		r->write->fua = io->flags & SFS_IO_FUA;
		check_overlap(disk, r->write);
		list_add_tail(&r->write->entry, &disk->inflight);
	} else {
		memset(io->buf, READ_RUBBISH, io->len);
	}
	list_for_each_entry_reverse(pos, &disk->requests, entry) {
		if (pos->due_ns <= r->due_ns)
			break;
	}
	list_add(&r->entry, &pos->entry);
	if (disk->leader)
		shim_unpark(disk->leader);
	shim_preempt();
}

void sim_disk_hold(struct sim_disk *disk, bool held)
{
	disk->held = held;
	if (!held && disk->leader)
		shim_unpark(disk->leader);
}

/* The first @nr cached writes are durable now. */
static void make_durable(struct sim_disk *disk, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		apply(disk->durable, disk->cached[i]);
		put_write(disk->cached[i]);
	}
	disk->nr_cached -= nr;
	disk->nr_taken += nr;
	memmove(disk->cached, disk->cached + nr,
		disk->nr_cached * sizeof(disk->cached[0]));
	if (!disk->nr_cached) {
		/* the same bytes: let them share memory */
		sim_image_free(disk->durable);
		disk->durable = sim_image_clone(disk->contents);
	}
}

int sim_disk_flush(struct sim_disk *disk, struct sim_disk_user *user)
{
	u64 upto = disk->nr_taken + disk->nr_cached;
	struct sim_fault *f;

	shim_check_sleep(shim_me(), "a flush");
	shim_sleep_ns(delay_ns(disk) +
		      draw(disk) % (disk->opts.flush_us * 1000ULL + 1));
	while (disk->held)
		shim_sleep_ns(HELD_POLL_NS);
	if (user->fate(user, false) != SIM_HAPPENS)
		return -EIO;
	disk->counts.flushes++;
	f = find_fault(disk, SIM_FLUSH, 0, 0);
	if (f)
		return f->err ? f->err : -EIO;
	/* another flush may have taken some of them */
	if (upto > disk->nr_taken)
		make_durable(disk, upto - disk->nr_taken);
	if (user->effect)
		user->effect(user, SIM_FLUSH);
	return 0;
}

/* ---- disks -------------------------------------------------------------- */

struct sim_disk *sim_disk_from(struct sim_image *img,
			       const struct sim_disk_opts *opts)
{
	struct sim_disk *disk = get(sizeof(*disk));
	int i;

	if (opts)
		disk->opts = *opts;
	else
		disk->opts.seed = shim_rand();
	if (!disk->opts.max_us) {
		disk->opts.min_us = 20;
		disk->opts.max_us = 200;
		disk->opts.slow_us = 20000;
		disk->opts.slow_one_in = 50;
		disk->opts.flush_us = 2000;
	}
	BUG_ON(disk->opts.min_us > disk->opts.max_us);
	BUG_ON(sim_image_size(img) % SIM_PAGE);
	disk->rand = disk->opts.seed;
	disk->contents = img;
	disk->durable = sim_image_clone(img);
	INIT_LIST_HEAD(&disk->inflight);
	INIT_LIST_HEAD(&disk->faults);
	INIT_LIST_HEAD(&disk->requests);
	for (i = 0; i < NR_COMPLETERS; i++)
		disk->completers[i] = shim_go("disk", completer, disk);
	return disk;
}

struct sim_disk *sim_disk_create(u64 size, const struct sim_disk_opts *opts)
{
	return sim_disk_from(sim_image_create(size), opts);
}

void sim_disk_destroy(struct sim_disk *disk)
{
	u32 i;

	if (!list_empty(&disk->requests))
		shim_fail("a disk is destroyed with transfers in flight");
	/* those whose done() has not returned yet are waited for */
	disk->stop = true;
	for (i = 0; i < NR_COMPLETERS; i++) {
		if (disk->completers[i]->idle)
			shim_unpark(disk->completers[i]);
		shim_join(disk->completers[i]);
	}
	for (i = 0; i < disk->nr_cached; i++)
		put_write(disk->cached[i]);
	sim_disk_clear_faults(disk);
	shim_os_free(disk->cached);
	sim_image_free(disk->contents);
	sim_image_free(disk->durable);
	shim_os_free(disk);
}

u64 sim_disk_size(const struct sim_disk *disk)
{
	return sim_image_size(disk->contents);
}

const struct sim_image *sim_disk_contents(const struct sim_disk *disk)
{
	return disk->contents;
}

const struct sim_image *sim_disk_durable(const struct sim_disk *disk)
{
	return disk->durable;
}

void sim_disk_flip(struct sim_disk *disk, u64 off, unsigned int bit)
{
	sim_image_flip(disk->contents, off, bit);
	sim_image_flip(disk->durable, off, bit);
}

void sim_disk_scribble(struct sim_disk *disk, u64 off, const void *buf,
		       u32 len)
{
	sim_image_write(disk->contents, off, buf, len);
	sim_image_write(disk->durable, off, buf, len);
}

void sim_disk_counts(const struct sim_disk *disk,
		     struct sim_disk_counts *ret_counts)
{
	*ret_counts = disk->counts;
}

/* ---- power cuts --------------------------------------------------------- */

struct sim_state {
	struct sim_image *durable;
	u32 nr_cached;			/* the first ones, in order */
	u32 nr;
	struct write *writes[];
};

struct sim_state *sim_disk_state(struct sim_disk *disk)
{
	struct sim_state *st;
	struct write *w;
	u32 nr = disk->nr_cached;
	u32 i;

	list_for_each_entry(w, &disk->inflight, entry)
		nr++;
	st = get(sizeof(*st) + nr * sizeof(st->writes[0]));
	st->durable = sim_image_clone(disk->durable);
	st->nr_cached = disk->nr_cached;
	for (i = 0; i < disk->nr_cached; i++)
		st->writes[st->nr++] = disk->cached[i];
	list_for_each_entry(w, &disk->inflight, entry)
		st->writes[st->nr++] = w;
	for (i = 0; i < st->nr; i++)
		st->writes[i]->refs++;
	return st;
}

u32 sim_state_nr_volatile(const struct sim_state *state)
{
	return state->nr;
}

void sim_state_free(struct sim_state *state)
{
	u32 i;

	if (!state)
		return;
	for (i = 0; i < state->nr; i++)
		put_write(state->writes[i]);
	sim_image_free(state->durable);
	shim_os_free(state);
}

static void apply_torn(struct sim_image *img, const struct write *w, u64 *rand)
{
	u32 i;

	for (i = 0; i < nr_sectors(w); i++) {
		if (!test_bit(i, w->gone) && (shim_rand_next(rand) >> 40 & 1))
			sim_image_write(img, w->off + i * SIM_SECTOR,
					w->data + i * SIM_SECTOR, SIM_SECTOR);
	}
}

/* @odds of 16 are lost, as many as are left over torn in half of the cases */
static void apply_some(struct sim_image *img, const struct write *w, u32 odds,
		       u64 *rand)
{
	u64 r = shim_rand_next(rand) >> 32;

	if (r % 16 < odds)
		return;
	if (r >> 8 & 1)
		apply_torn(img, w, rand);
	else
		apply(img, w);
}

struct sim_image *sim_state_image(const struct sim_state *state, u64 seed,
				  enum sim_loss loss)
{
	struct sim_image *img = sim_image_clone(state->durable);
	u64 rand = seed;
	/* images that lose nearly nothing and nearly all are rare otherwise */
	u32 odds = (shim_rand_next(&rand) >> 32) % 16;
	u32 i;

	for (i = 0; i < state->nr; i++) {
		switch (loss) {
		case SIM_LOSE_CACHE:
			break;
		case SIM_LOSE_NOTHING:
			if (i < state->nr_cached)
				apply(img, state->writes[i]);
			break;
		case SIM_LOSE_SOME:
			apply_some(img, state->writes[i], odds, &rand);
			break;
		case SIM_LOSE_SECTORS:
			apply_torn(img, state->writes[i], &rand);
			break;
		}
	}
	return img;
}

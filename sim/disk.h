/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <linux/types.h>
#include "image.h"

struct sfs_io;
struct sim_disk;
struct sim_state;

/*
 * A disk with a volatile write cache.
 *
 * A write is *in flight* from its submission to its completion, then it is
 * *cached*: reads see it, a power cut may lose it.  A flush makes durable what
 * was cached when it was called; a write with SFS_IO_FUA is durable when it is
 * complete, and only itself.  Transfers complete after seeded delays, out of
 * order.
 *
 * What a power cut leaves: the durable contents, and of every write that is
 * cached or in flight all, nothing, or some of its sectors (512 bytes, each
 * old or new), cached ones in the order of their completion.
 */
struct sim_disk_opts {
	u64 seed;
	/* virtual times; all 0 for the defaults */
	u32 min_us;
	u32 max_us;
	u32 slow_us;		/* at most, one of @slow_one_in */
	u32 slow_one_in;
	u32 flush_us;		/* at most */
	/* writes in flight to the same bytes are an error unless this is set */
	bool allow_overlap;
	/* no volatile cache: every write is durable when complete */
	bool write_through;
};

/* Within a run of the shim.  @opts may be NULL. */
struct sim_disk *sim_disk_create(u64 size, const struct sim_disk_opts *opts);
/* Takes over @img. */
struct sim_disk *sim_disk_from(struct sim_image *img,
			       const struct sim_disk_opts *opts);
/* Nothing is in flight any more. */
void sim_disk_destroy(struct sim_disk *disk);

u64 sim_disk_size(const struct sim_disk *disk);
/* What reads see now, and what is durable for certain; not to be changed. */
const struct sim_image *sim_disk_contents(const struct sim_disk *disk);
const struct sim_image *sim_disk_durable(const struct sim_disk *disk);

/* Damages what is stored, without a word. */
void sim_disk_flip(struct sim_disk *disk, u64 off, unsigned int bit);
void sim_disk_scribble(struct sim_disk *disk, u64 off, const void *buf,
		       u32 len);

struct sim_disk_counts {
	u64 reads;
	u64 writes;
	u64 flushes;
	u64 read_bytes;
	u64 write_bytes;
	u64 errors;		/* injected */
};
void sim_disk_counts(const struct sim_disk *disk,
		     struct sim_disk_counts *ret_counts);

/* While it is held the disk takes everything and completes nothing. */
void sim_disk_hold(struct sim_disk *disk, bool held);

/* ---- faults ------------------------------------------------------------- */

enum sim_ops {
	SIM_READ = 1,
	SIM_WRITE = 2,
	SIM_FLUSH = 4,
};

/*
 * Transfers that touch [off, off + len) are met, but for the first @skip ones,
 * @times of them (0: all).  With @err they fail with it; a write that fails
 * has changed some of its sectors or none.  Without, a read delivers one
 * flipped bit within the range.
 */
struct sim_fault {
	u32 ops;
	s32 err;		/* negative, or 0 to flip a bit of what is read */
	u64 off;
	u64 len;
	u32 skip;
	u32 times;
};
void sim_disk_add_fault(struct sim_disk *disk, const struct sim_fault *fault);
void sim_disk_clear_faults(struct sim_disk *disk);

/* ---- transfers (for the port) ------------------------------------------- */

/* Told at the moment a transfer takes effect; what becomes of it. */
enum sim_fate {
	SIM_HAPPENS,
	SIM_NEVER,		/* the host is off, or goes off: fails, changes nothing */
	SIM_TORN,		/* the host goes off now: some sectors, fails */
	SIM_LAST,		/* happens, then the host goes off: fails */
};
struct sim_disk_user {
	enum sim_fate (*fate)(struct sim_disk_user *user, bool write);
	/* after it took effect, before it is completed; op 0: it did not */
	void (*effect)(struct sim_disk_user *user, u32 op);
};

void sim_disk_submit(struct sim_disk *disk, struct sim_disk_user *user,
		     struct sfs_io *io);
int sim_disk_flush(struct sim_disk *disk, struct sim_disk_user *user);

/* ---- power cuts --------------------------------------------------------- */

enum sim_loss {
	SIM_LOSE_CACHE,		/* all that is not durable */
	SIM_LOSE_NOTHING,	/* all that was complete survives */
	SIM_LOSE_SOME,		/* whole writes, parts, nothing; by seed */
	SIM_LOSE_SECTORS,	/* every sector by itself; by seed */
};

/*
 * What a power cut now would leave to chance.  Cheap; any number of images can
 * be drawn from it, also when the disk has gone on.
 */
struct sim_state *sim_disk_state(struct sim_disk *disk);
struct sim_image *sim_state_image(const struct sim_state *state, u64 seed,
				  enum sim_loss loss);
/* Writes that are not durable. */
u32 sim_state_nr_volatile(const struct sim_state *state);
void sim_state_free(struct sim_state *state);

#endif

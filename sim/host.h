/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include <linux/types.h>
#include "port.h"
#include "disk.h"

/*
 * The ports in the simulator: one machine with two disks, which belong to the
 * caller and outlive it.
 */
struct sfs_host *sim_host_create(struct sim_disk *meta, struct sim_disk *data,
				 u64 seed);
/* Everything that was started with it has ended. */
void sim_host_destroy(struct sfs_host *host);
struct sim_disk *sim_host_disk(struct sfs_host *host, int dev);

/* ---- power -------------------------------------------------------------- */

enum sim_cut {
	SIM_CUT_BEFORE,		/* the write never happens */
	SIM_CUT_TORN,		/* some of its sectors, which are then cached */
	SIM_CUT_AFTER,		/* it happens, its submitter does not learn of it */
};

/*
 * From now on, or from when write number @nr takes effect (1 is the first of
 * this host, on both disks), nothing more reaches the disks and everything
 * fails with -EIO.  What a power cut of the disks at that moment leaves is
 * drawn with sim_host_image(), as often as wanted.
 */
void sim_host_cut(struct sfs_host *host);
void sim_host_cut_at(struct sfs_host *host, u64 nr, enum sim_cut how);
bool sim_host_is_off(const struct sfs_host *host);
/* Writes of this host that took effect so far, on both disks. */
u64 sim_host_writes(const struct sfs_host *host);
/* For a host that is off: the disk after the cut; the caller frees it. */
struct sim_image *sim_host_image(struct sfs_host *host, int dev, u64 seed,
				 enum sim_loss loss);
/*
 * @fn is called whenever a write or a flush has taken effect, before it is
 * completed; it may take sim_disk_state() of both disks.
 */
void sim_host_on_effect(struct sfs_host *host,
			void (*fn)(struct sfs_host *host, u32 op, void *arg),
			void *arg);

/* Called for the upcalls writeback and invalidate. */
void sim_host_on_revoke(struct sfs_host *host,
			void (*fn)(void *arg, struct sfs_fs *fs, u64 first,
				   u64 last, bool writeback),
			void *arg);

/* ---- what the host told ------------------------------------------------- */

/* Log lines also go to stderr (also with SIM_LOG=1 in the environment). */
void sim_host_verbose(struct sfs_host *host, bool on);
/* Number of lines of at most this level that contain @text (NULL: any). */
u32 sim_host_logged(struct sfs_host *host, int level, const char *text);
void sim_host_log_forget(struct sfs_host *host);
/* The last lines that were logged, to stderr. */
void sim_host_log_dump(struct sfs_host *host);
/* Why the mount is down, or NULL. */
const char *sim_host_down(const struct sfs_host *host);
void sim_host_down_forget(struct sfs_host *host);

/* ---- settings ----------------------------------------------------------- */

void sim_host_set_wall_offset(struct sfs_host *host, s64 sec);
void sim_host_set_cache_budget(struct sfs_host *host, u64 bytes);
/* Trigger number @trigger fires the next @times times it is asked. */
void sim_host_arm(struct sfs_host *host, unsigned int trigger, u32 times);
/* The same by its name in base/triggers.h; -ENOENT for others. */
int sim_host_arm_name(struct sfs_host *host, const char *name, u32 times);
/* All triggers fire at random, one time in so many; 0 stops that. */
void sim_host_arm_all(struct sfs_host *host, u32 one_in);
/* How often it fired. */
u32 sim_host_fired(const struct sfs_host *host, unsigned int trigger);

#endif

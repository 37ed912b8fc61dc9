/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner block: which host has a volume open, as long as there is no quorum
 * that decides it.  One 4 KiB block of the metadata device.
 *
 * What is here has no state and does no I/O: the layout, the rules by which a
 * block is judged, and the times that all hosts must agree on.  Hosts read,
 * write and wait.  Like port.h, this header is read in three worlds.
 *
 * The protocol.  The owner writes its claim, reads it again after
 * SFS_OWNER_SETTLE_MS, and from then on rewrites it each SFS_OWNER_INTERVAL_MS
 * with a larger counter, durably, reading it before: whoever finds another
 * claim in it, or could not renew its own for SFS_OWNER_LOST_MS, must not write
 * to the volume any more.  Who wants the volume asks sfs_owner_block_judge(),
 * after taking whatever locks its machine has for devices.
 */
#ifndef SFS_OWNER_H
#define SFS_OWNER_H

#include <linux/types.h>

#define SFS_OWNER_OFFSET (128 * 1024)	/* bytes, of the metadata device */
#define SFS_OWNER_BYTES 4096

#define SFS_OWNER_INTERVAL_MS 2000
/* a claim that does not change for so long is dead; looked at each POLL_MS */
#define SFS_OWNER_WATCH_MS (3 * SFS_OWNER_INTERVAL_MS)
#define SFS_OWNER_POLL_MS 250
/* so that the old owner has ended before a new one may come */
#define SFS_OWNER_LOST_MS (2 * SFS_OWNER_INTERVAL_MS)
#define SFS_OWNER_SETTLE_MS 50

enum sfs_owner_state {
	SFS_OWNER_NONE = 0,
	SFS_OWNER_ACTIVE = 1,
	SFS_OWNER_STOPPING = 2,	/* still active, but not for long */
	SFS_OWNER_CLEAN = 3,	/* released after everything was published */
	SFS_OWNER_FAILED = 4,	/* released, the last publish had failed */
};

/* What the block says. */
struct sfs_owner_info {
	__u32 state;		/* enum sfs_owner_state */
	__u32 pid;		/* 0: the kernel of that machine */
	__u64 fsid;
	__u64 rid;		/* 0 until the mount has one */
	__u64 nonce;		/* of this claim */
	__u64 counter;
	__u64 start_time;	/* of the process, clock ticks since boot */
	__u64 pid_ns;		/* inode number of its pid namespace */
	char boot_id[40];	/* NUL-terminated text */
	char host_name[72];
};

/* @block is SFS_OWNER_BYTES, aligned to 8. */
void sfs_owner_block_encode(const struct sfs_owner_info *info, void *block);
/*
 * -ENODATA: never written.  -EUCLEAN: damaged, or half of a rewrite.  Else
 * every field may be used.
 */
int sfs_owner_block_decode(const void *block, struct sfs_owner_info *ret_info);
/* Does it hold the claim with this nonce? */
int sfs_owner_block_is(const void *block, __u64 nonce);

enum sfs_owner_verdict {
	/* nobody's: never owned, released, or of an older volume */
	SFS_OWNER_TAKE,
	/*
	 * Claimed in this boot of this machine: free if whoever wrote it is
	 * known to have ended, else BUSY; if that can not be known, WATCH.
	 */
	SFS_OWNER_LOCAL,
	/* perhaps alive: free if it stands still for SFS_OWNER_WATCH_MS */
	SFS_OWNER_WATCH,
	SFS_OWNER_BUSY,		/* somebody is alive */
};

/* Who wants it: @fsid 0 when the volume is not known, @boot_id "" likewise. */
enum sfs_owner_verdict sfs_owner_block_judge(const void *block, __u64 fsid,
					     const char *boot_id);
/* The block is @again, was @first when it was judged.  Never LOCAL. */
enum sfs_owner_verdict sfs_owner_block_watched(const void *first,
					       const void *again);

#endif

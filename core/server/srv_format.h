/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_SRV_FORMAT_H
#define SFS_SERVER_SRV_FORMAT_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include "base/key.h"

/*
 * Items of the server's store.  Their keys are (SFS_ZONE_SERVER, f1 = kind,
 * type = 0, f2, f3); those that own space exist once for each piece of it.
 */
enum sfs_srv_kind {
	SFS_SRV_STATE = 1,	/* the one struct sfs_srv_state */
	SFS_SRV_SLICE = 2,	/* f2 = id: struct sfs_disk_slice */
	SFS_SRV_MOUNT = 3,	/* f2 = rid: struct sfs_srv_mount */
	SFS_SRV_OWNED = 4,	/* f2 = owner, f3 = segment: no value */
	SFS_SRV_PENDING = 5,	/* f2 = version, f3 = segment: no value */
	SFS_SRV_DATA_FREE = 6,	/* f2 = last block: __le64 blocks */
	SFS_SRV_DATA_OWNED = 7,	/* f2 = rid, f3 = last block: __le64 blocks */
	SFS_SRV_SLOT = 8,	/* f2 = rid, f3 = slot: struct sfs_srv_slot, reply */
};

#define SFS_SRV_KEY(kind, a, b) SFS_KEY(SFS_ZONE_SERVER, kind, 0, a, b, 0)

/* Owner of segments that a compaction writes to; no mount has this rid. */
#define SFS_SRV_OWNER_JOB 0

/*
 * Counters hold the next number to be given out; every number that leaves the
 * server does so after the record that has the counter above it.
 */
struct sfs_srv_state {
	__le64 version;		/* of the manifest */
	__le64 stable;
	__le64 next_seq;	/* of transactions */
	__le64 next_run;
	__le64 next_slice;
	__le64 next_order;	/* of level 0 */
	__le64 next_ino;
};
static_assert(sizeof(struct sfs_srv_state) == 56);

struct sfs_srv_mount {
	__le64 publish_nr;	/* last one that took effect */
	__le64 version;		/* that it made */
};
static_assert(sizeof(struct sfs_srv_mount) == 16);

/*
 * The last request of a slot that had an effect, in the record of that effect;
 * its reply follows.
 */
struct sfs_srv_slot {
	__le64 seq;
	__le16 type;		/* of the message */
	__u8 pad[6];
};
static_assert(sizeof(struct sfs_srv_slot) == 16);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_NET_MSG_FORMAT_H
#define SFS_NET_MSG_FORMAT_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include "base/key.h"

/*
 * Messages between a mount and the server.  Little endian, explicit padding
 * that is zero.  A request names a slot of its mount and the number of the
 * request in it; there is one request in flight per slot, and one that is
 * repeated with the same number has its effect once.
 */
#define SFS_MSG_MAX (1U << 20)

enum sfs_msg_type {
	SFS_MSG_JOIN = 1,
	SFS_MSG_MANIFEST = 2,
	SFS_MSG_PUBLISH = 3,
	SFS_MSG_META_SPACE = 4,
	SFS_MSG_DATA_SPACE = 5,
	SFS_MSG_INO_GROUP = 6,
	SFS_MSG_STABLE = 7,
	SFS_MSG_STATFS = 8,
	SFS_MSG_ALLOC_DETAIL = 9,
	SFS_MSG_LEAVE = 10,
	/* introductions, in the slot for them */
	SFS_MSG_GREET = 24,
	SFS_MSG_RESTATE = 25,
	SFS_MSG_GREETED = 26,
	SFS_MSG_FLOCK_RESTATE = 27,
	/* without a reply */
	SFS_MSG_ACK = 32,
	SFS_MSG_LOCK_REQUEST = 33,
	SFS_MSG_LOCK_RELEASE = 34,
	SFS_MSG_LOCK_IN_USE = 35,
	SFS_MSG_LOCK_WATCH = 36,
	SFS_MSG_FLOCK = 48,
	/* from the server */
	SFS_MSG_EDIT = 64,
	SFS_MSG_LOCK_GRANT = 65,
	SFS_MSG_LOCK_REVOKE = 66,
	SFS_MSG_LOCK_ASK = 67,
	SFS_MSG_LOCK_UNUSED = 68,
	SFS_MSG_VERSION = 72,
	SFS_MSG_ADVANCE = 73,
	SFS_MSG_FLOCK_ANSWER = 80,
};

enum sfs_slot {
	SFS_SLOT_PUBLISH = 0,
	SFS_SLOT_META_SPACE = 1,
	SFS_SLOT_DATA_SPACE = 2,
	SFS_SLOT_INO_GROUP = 3,
	SFS_SLOT_QUERY = 4,
	SFS_SLOT_SESSION = 5,
	SFS_SLOT_GREET = 6,	/* introductions; repeated as often as needed */
	SFS_NR_SLOTS = 7,
};

struct sfs_msg_hdr {
	__le16 type;
	__u8 slot;
	__u8 is_reply;
	__le32 len;		/* of what follows */
	__le64 rid;
	__le64 seq;		/* of the request in its slot */
	__le64 term;		/* of the server; 0 until the mount knows it */
	__le32 err;		/* of a reply: a positive errno, 0 */
	__le32 pad;
};
static_assert(sizeof(struct sfs_msg_hdr) == 40);

struct sfs_msg_join_reply {
	__le64 seq;		/* open sequence of the first transaction */
	__le64 spare_seq;	/* and of the second */
	__le64 run_id;		/* for the first run */
};

/*
 * A mount that has joined introduces itself on a new connection: which versions
 * it reads, and the sequences it may stamp with.  A server that does not know
 * it asks for the rest: any number of RESTATE (locks, what is in use), then
 * GREETED.
 */
struct sfs_msg_greet {
	__le64 oldest;		/* version that it may still read */
	__le64 applied;
	__le64 publish_nr;	/* last one whose reply it has taken */
	__le64 txn_seq;
	__le64 spare_seq;	/* 0: none */
	__le64 frozen_seq;	/* of publish_nr + 1, which is under way; 0: none */
};
struct sfs_msg_greet_reply {
	__le64 version;		/* the newest */
	__le64 publish_nr;	/* this mount's last one, also if not answered */
	__le32 recover;		/* restate */
	__le32 pad;
};

/*
 * Slices of the newest version (0), then of the same, from the cursor on.
 * ESTALE: the server does not have that one any more, begin again.
 */
struct sfs_msg_manifest {
	__le64 version;
	__le32 first;		/* how many were sent before */
	__le32 pad;
};
struct sfs_msg_manifest_reply {
	__le64 version;
	__le64 stable;
	__le64 publish_nr;	/* the mount's last one that is in it */
	__le32 nr;
	__le32 more;		/* 0: these were the last */
	/* nr times: __le32 length, struct sfs_disk_slice, no padding */
};

struct sfs_msg_extent {
	__le64 start;
	__le64 count;
};

/*
 * One transaction.  Followed by the slice of its run (@slice_len bytes, 0 for
 * a transaction without items), then extents: @nr_used segments' pieces that
 * are full and no longer owned, @nr_consumed and @nr_freed of data space, and
 * @nr_released struct sfs_msg_lock_release of locks that waited for it.
 */
struct sfs_msg_publish {
	__le64 publish_nr;	/* steps by one */
	__le64 txn_seq;		/* closed by this */
	__le64 max_stamp;
	__le32 slice_len;
	__le32 nr_closed;	/* segments given up: __le64 addresses */
	__le32 nr_consumed;
	__le32 nr_freed;
	__le32 nr_released;
	__le32 pad;
};
struct sfs_msg_publish_reply {
	__le64 version;		/* whose edit this is */
	__le64 stable;
	__le64 spare_seq;
	__le64 run_id;		/* for the next run */
};

struct sfs_msg_meta_space {
	__le64 bytes;		/* wanted */
	__le32 for_delete;	/* may use the reserve of deleting operations */
	__le32 pad;
};
/* Followed by nr extents in bytes; 0 with err EAGAIN: ask again soon. */
struct sfs_msg_extents_reply {
	__le32 nr;
	__le32 pad;
	struct sfs_msg_extent ext[];
};

struct sfs_msg_data_space {
	__le64 blocks;		/* wanted */
	__le64 goal;
};

struct sfs_msg_ino_group_reply {
	__le64 first_ino;
	__le64 lock_epoch;	/* the group's lock comes with it, for writing */
};

/*
 * The newest version.  When its stable is below what was published so far, the
 * mounts that hold it back are asked to advance, and the asker comes again.
 */
struct sfs_msg_stable_reply {
	__le64 version;
	__le64 stable;
	__le64 published;	/* the largest stamp in it */
};

/* A mount shall publish until it stamps with no sequence up to @seq. */
struct sfs_msg_advance {
	__le64 seq;
};

struct sfs_msg_statfs_reply {
	__le64 stable;
	__le64 total_meta_blocks;
	__le64 total_data_blocks;
	__le64 used_meta_blocks;
	__le64 used_data_blocks;
	__le64 reserved_meta_blocks;
};

struct sfs_msg_alloc_detail_reply {
	__le32 nr;
	__le32 pad;
	struct sfs_msg_alloc_entry {
		__le64 id;
		__le64 blocks;
		__u8 is_meta;
		__u8 is_avail;
		__u8 pad[6];
	} ent[];
};

struct sfs_msg_ack {
	__le64 oldest;		/* version that this mount may still read */
};

/* Versions up to this one were sent; repeated to who has not acknowledged it. */
struct sfs_msg_version {
	__le64 version;
};

/*
 * Locks.  Any of these may be lost or come twice.  A mount has one request for
 * a lock at a time and repeats it until it is answered; a server repeats a
 * revoke until the lock was released.  The epoch of a lock is the number its
 * grant got; they grow, also from server to server: a mount takes a grant only
 * for the request it has, a server a release only for the epoch it granted
 * last to that mount.
 */

/* Inodes of a group that somebody has open: a bit each. */
struct sfs_msg_in_use {
	__le64 bits[16];
};

struct sfs_msg_lock_request {
	__le64 id;
	__le64 nr;		/* of the request, ascending in a mount */
	__le64 held_epoch;	/* what it has for reading meanwhile, 0: nothing */
	__u8 mode;
	__u8 pad[7];
};
struct sfs_msg_lock_grant {
	__le64 id;
	__le64 nr;		/* of the request */
	__le64 epoch;
	__le64 need_version;	/* must have been applied before it is used */
	__le64 stamp;		/* changes are stamped with later ones */
	struct sfs_msg_in_use others;	/* as far as known */
	__u8 mode;		/* at least what was asked for */
	__u8 pad[7];
};
struct sfs_msg_lock_revoke {
	__le64 id;
	__le64 epoch;
	__u8 keep;		/* the mode that may be kept */
	__u8 pad[7];
};
struct sfs_msg_lock_release {
	__le64 id;
	__le64 epoch;
	__u8 keep;		/* the mode that is kept */
	__u8 pad[7];
	struct sfs_msg_in_use in_use;	/* by this mount, when nothing is kept */
};

/*
 * Deleting.  Who has a lock knows what others had in use when they gave it up.
 * A mount that would delete such an inode watches it; the server asks those who
 * have it, tells the watcher when nobody has any more, and asks a mount to look
 * for all that is left to delete (ino 0) when another one has gone.
 */
struct sfs_msg_lock_in_use {
	__le64 id;
	struct sfs_msg_in_use in_use;
};
struct sfs_msg_lock_ask {
	__le64 id;
};
struct sfs_msg_lock_watch {
	__le64 ino;
};
struct sfs_msg_lock_unused {
	__le64 ino;
	__le64 epoch;		/* of the lock, if the mount has it; 0 */
};

/*
 * What a mount has, to a server that does not know: locks with their epochs,
 * one that is being given up with the mode it had; then what is open of groups
 * whose lock the mount does not have.
 */
struct sfs_msg_lock_held {
	__le64 id;
	__le64 epoch;
	__u8 mode;
	__u8 pad[7];
};
struct sfs_msg_restate {
	__le32 nr_held;
	__le32 nr_in_use;
	/* struct sfs_msg_lock_held, then struct sfs_msg_lock_in_use */
};

/* A new version: ids removed, then slices added as in manifest_reply. */
struct sfs_msg_edit {
	__le64 version;
	__le64 stable;
	__le64 rid;		/* whose publish, 0: none */
	__le64 publish_nr;
	__le32 nr_del;
	__le32 nr_add;
	__le64 del[];
};

/* ---- locks of flock() and fcntl() ------------------------------------------- */

/*
 * A mount numbers its requests; those that are unanswered have different
 * places.  A request in a place means that the one before it there has been
 * answered.  A mount repeats what is not answered; whatever comes twice has its
 * effect once and is answered alike.
 */
#define SFS_FLOCK_PLACES 16384

enum sfs_flock_op {
	SFS_FLOCK_OP_SET = 1,	/* @type none unlocks; else or EAGAIN */
	SFS_FLOCK_OP_WAIT = 2,	/* set, as soon as it can be */
	SFS_FLOCK_OP_CANCEL = 3, /* the WAIT with this place and number */
	SFS_FLOCK_OP_GET = 4,	/* what is in the way of it? */
	/* in a restatement: what this mount holds */
	SFS_FLOCK_OP_HELD = 5,
	SFS_FLOCK_OP_DOUBT = 6,	/* ... unless a request that follows weakened it */
};

struct sfs_msg_flock {
	__le64 nr;		/* of the request, ascending in a place */
	__le64 ino;
	__le64 owner;
	__le64 start;
	__le64 end;		/* the last byte that is meant */
	__le32 place;
	__le32 pid;
	__u8 op;
	__u8 kind;		/* enum sfs_flock_kind */
	__u8 type;		/* enum sfs_flock_type */
	__u8 pad[5];
};
static_assert(sizeof(struct sfs_msg_flock) == 56);

/*
 * @effect is what the range of the request became by it, 0 when nothing, else
 * 1 + its type; also of one that failed.  @order ascends with the effects on an
 * inode, so that answers may be taken over in any order.
 */
struct sfs_msg_flock_answer {
	__le64 nr;
	__le64 order;
	__le32 place;
	__le32 err;		/* a positive errno, 0 */
	__u8 effect;
	/* of GET: what is in the way, type none when nothing is */
	__u8 kind;
	__u8 type;
	__u8 pad;
	__le32 pid;
	__le64 rid;
	__le64 start;
	__le64 end;
};
static_assert(sizeof(struct sfs_msg_flock_answer) == 56);

/*
 * As a request with a reply, in parts: what is held comes first, then the
 * requests.  The first part of a later restating (greater @nr) replaces all
 * that was said in earlier ones.
 */
struct sfs_msg_flock_restate {
	__le64 nr;
	__le32 part;		/* from 0 on */
	__le32 nr_ents;
	struct sfs_msg_flock ent[];
};
#define SFS_FLOCK_RESTATE_BATCH 512

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_PUBLISH_H
#define SFS_SERVER_PUBLISH_H

#include "server/server.h"

/* Of the data device, in blocks. */
struct sfs_srv_extent {
	u64 start;
	u64 count;
};

/* A publish message taken apart. */
struct sfs_srv_publish {
	u64 nr;
	u64 txn_seq;
	u64 max_stamp;
	u32 nr_closed;
	u32 nr_consumed;
	u32 nr_freed;
	u32 nr_released;
	u64 *closed;			/* addresses of segments, ascending */
	struct sfs_srv_extent *consumed; /* ascending, disjoint */
	struct sfs_srv_extent *freed;	/* the same; may have consumed ones */
	const struct sfs_msg_lock_release *released; /* in the message */
	struct sfs_slice *slice;	/* NULL: no items */
};

/*
 * Takes @req apart and validates what can be said without the server's state.
 * -EPROTO with a line that names the mount and the thing.
 */
int sfs_srv_publish_decode(struct sfs_session *sess, const struct sfs_msg *req,
			   struct sfs_srv_publish *ret_pub);
void sfs_srv_publish_exit(struct sfs_srv_publish *pub);
/*
 * Whether all that it names is this mount's to give or to use, as things stand
 * now.  The store is locked; changes nothing.  Errors as above, or -EIO.
 */
int sfs_srv_publish_check(struct sfs_session *sess,
			  const struct sfs_srv_publish *pub);

#endif

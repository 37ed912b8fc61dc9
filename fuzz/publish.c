/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Publishes as a mount sends them.  What the decoder lets through has extents
 * on the device, in order and disjoint, and no segment twice.
 *
 * Input: the payload of the message.
 */
#include "lib/fuzz.h"

#include <linux/bug.h>
#include <linux/string.h>
#include "server/publish.h"

#define META_BYTES (1ULL << 30)
#define DATA_BYTES (1ULL << 30)

static void check_extents(const struct sfs_srv_extent *ext, u32 nr)
{
	u64 free_from = SFS_DATA_FIRST / SFS_UNIT;
	u32 i;

	for (i = 0; i < nr; i++) {
		BUG_ON(ext[i].start < free_from || !ext[i].count);
		free_from = ext[i].start + ext[i].count;
		BUG_ON(free_from > DATA_BYTES / SFS_UNIT);
	}
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	static struct sfs_server srv;	/* too large for a fiber */
	struct sfs_session sess = { .srv = &srv, .rid = 1 };
	struct sfs_srv_publish pub;
	struct sfs_msg *msg;
	u32 i;

	srv.host = host;
	srv.ident.id.meta_bytes = META_BYTES;
	srv.ident.id.data_bytes = DATA_BYTES;
	msg = sfs_msg_alloc(SFS_MSG_PUBLISH, (u32)len);
	BUG_ON(!msg);
	memcpy(msg->payload, data, len);
	if (sfs_srv_publish_decode(&sess, msg, &pub) == 0) {
		check_extents(pub.consumed, pub.nr_consumed);
		check_extents(pub.freed, pub.nr_freed);
		for (i = 1; i < pub.nr_closed; i++)
			BUG_ON(pub.closed[i] <= pub.closed[i - 1]);
		sfs_srv_publish_exit(&pub);
	}
	sfs_msg_free(msg);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

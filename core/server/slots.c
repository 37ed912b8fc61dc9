// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of slots: a request has its effect once.
 *
 * The number of the request and its reply are written in the same transaction
 * of the store as its effect, so after a crash there are both or neither.  A
 * request that comes again, to this server or to a later one, is answered with
 * that reply.  Requests without effects, and errors, have no record: they are
 * handled again.
 *
 * A join is in the slot of introductions.  It has no number: there is one for
 * each mount.
 */
#include "server/server.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"

static u8 *record_encode(const struct sfs_msg *req, const struct sfs_msg *reply,
			 u8 *buf)
{
	struct sfs_srv_slot rec = {
		.seq = req->hdr.slot == SFS_SLOT_GREET ? 0 : req->hdr.seq,
		.type = req->hdr.type,
	};

	memcpy(buf, &rec, sizeof(rec));
	memcpy(buf + sizeof(rec), reply->payload, sfs_msg_len(reply));
	return buf;
}

void sfs_srv_slot_put(struct sfs_session *sess, struct sfs_store_txn *txn,
		      const struct sfs_msg *req, const struct sfs_msg *reply)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_SLOT, sess->rid,
					 req->hdr.slot);
	u32 len = SFS_SRV_SLOT_ROOM(sfs_msg_len(reply));
	struct sfs_server *srv = sess->srv;

	SFS_ASSERT_CMP(len, <=, SFS_ITEM_MAX_VAL);
	sfs_store_put(srv->store, txn, &key,
		      record_encode(req, reply, srv->slot_buf), len);
}

/* At most SFS_NR_SLOTS items. */
void sfs_srv_slots_del(struct sfs_session *sess, struct sfs_store_txn *txn)
{
	struct sfs_key key;
	u64 i;

	for (i = 0; i < SFS_NR_SLOTS; i++) {
		key = SFS_SRV_KEY(SFS_SRV_SLOT, sess->rid, i);
		sfs_store_del(sess->srv->store, txn, &key);
	}
}

static int load_one(struct sfs_session *sess, u64 nr, u8 *buf)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_SLOT, sess->rid, nr);
	struct sfs_session_slot *slot = &sess->slots[nr];
	struct sfs_srv_slot rec;
	struct sfs_msg *reply;
	u32 len;
	int ret;

	ret = sfs_engine_get(sess->srv->items, &key, buf, SFS_ITEM_MAX_VAL);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	if (ret < sizeof(rec)) {
		sfs_err(sess->srv->host,
			"damaged slot %llu of mount %016llx: %d bytes", nr,
			sess->rid, ret);
		return -EIO;
	}
	memcpy(&rec, buf, sizeof(rec));
	len = ret - sizeof(rec);
	reply = sfs_msg_alloc(le16_to_cpu(rec.type), len);
	if (!reply)
		return -ENOMEM;
	memcpy(reply->payload, buf + sizeof(rec), len);
	reply->hdr.slot = (u8)nr;
	reply->hdr.seq = rec.seq;
	reply->hdr.rid = cpu_to_le64(sess->rid);
	reply->hdr.is_reply = 1;
	slot->seq = le64_to_cpu(rec.seq);
	slot->reply = reply;
	return 0;
}

int sfs_srv_slots_load(struct sfs_session *sess)
{
	u8 *buf = kmalloc(SFS_ITEM_MAX_VAL, GFP_NOFS);
	int ret = buf ? 0 : -ENOMEM;
	u64 i;

	for (i = 0; i < SFS_NR_SLOTS && ret == 0; i++)
		ret = load_one(sess, i, buf);
	kfree(buf);
	return ret;
}

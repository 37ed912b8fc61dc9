// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items of the server's store by themselves: are key and value well formed,
 * and what do they say?
 *
 * Whether the numbers in them fit the volume and each other is a question for
 * check/.
 */
#include "server/srv_items.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "engine/manifest.h"
#include "net/msg_format.h"
#include "server/load.h"
#include "server/srv_format.h"

static const char *slice_check(const struct sfs_key *key, u32 len)
{
	if (key->f3)
		return "slice: key has unused fields";
	if (len < sizeof(struct sfs_disk_slice) || len > SFS_DISK_SLICE_MAX)
		return "slice: value has a wrong length";
	return NULL;
}

static const char *data_check(u64 owner_field, const void *val, u32 len)
{
	if (owner_field)
		return "free data extent: key has unused fields";
	if (len != sizeof(__le64))
		return "data extent: value has a wrong length";
	if (!sfs_srv_data_blocks(val))
		return "data extent: is empty";
	return NULL;
}

static const char *slot_check(const struct sfs_key *key, const void *val,
			      u32 len)
{
	struct sfs_srv_slot rec;
	u32 i;

	if (key->f3 >= SFS_NR_SLOTS)
		return "slot: number is unknown";
	if (len < sizeof(rec))
		return "slot: value has a wrong length";
	memcpy(&rec, val, sizeof(rec));
	for (i = 0; i < sizeof(rec.pad); i++) {
		if (rec.pad[i])
			return "slot: padding is not zero";
	}
	return NULL;
}

const char *sfs_srv_item_check(const struct sfs_key *key, const void *val,
			       u32 len)
{
	if (key->zone != SFS_ZONE_SERVER)
		return "key: zone is not the server's";
	if (key->type || key->f4)
		return "key: has unused fields";
	switch (key->f1) {
	case SFS_SRV_STATE:
		if (key->f2 || key->f3)
			return "state: key has unused fields";
		return len == sizeof(struct sfs_srv_state) ?
			       NULL : "state: value has a wrong length";
	case SFS_SRV_SLICE:
		return slice_check(key, len);
	case SFS_SRV_MOUNT:
		if (key->f3)
			return "mount: key has unused fields";
		return len == sizeof(struct sfs_srv_mount) ?
			       NULL : "mount: value has a wrong length";
	case SFS_SRV_OWNED:
	case SFS_SRV_PENDING:
		return len ? "segment: value is not empty" : NULL;
	case SFS_SRV_DATA_FREE:
		return data_check(key->f3, val, len);
	case SFS_SRV_DATA_OWNED:
		return data_check(0, val, len);
	case SFS_SRV_SLOT:
		return slot_check(key, val, len);
	}
	return "key: kind is unknown";
}

u64 sfs_srv_data_blocks(const void *val)
{
	__le64 blocks;

	memcpy(&blocks, val, sizeof(blocks));
	return le64_to_cpu(blocks);
}

static int counters_to_text(const void *val, u32 len, char *buf, u32 size)
{
	struct sfs_srv_counters cnt = {};

	sfs_srv_counters_decode(val, len, &cnt);
	return scnprintf(buf, size,
			 "state version %llu stable %llu next_seq %llu next_run %llu next_slice %llu next_order %llu next_ino %llu",
			 cnt.version, cnt.stable, cnt.next_seq, cnt.next_run,
			 cnt.next_slice, cnt.next_order, cnt.next_ino);
}

static int slice_to_text(const void *val, u32 len, u64 meta_bytes, char *buf,
			 u32 size)
{
	struct sfs_slice *slice;
	struct sfs_wrong wrong;
	int ret;

	ret = sfs_slice_parse(val, len, meta_bytes, &wrong, &slice);
	if (ret == -EIO)
		return scnprintf(buf, size, "BAD slice: %s is %llu",
				 wrong.what, wrong.found);
	if (ret < 0)
		return scnprintf(buf, size, "slice: error %d", ret);
	ret = sfs_slice_to_text(slice, buf, size);
	sfs_slice_put(slice);
	return ret;
}

static int mount_to_text(u64 rid, const void *val, char *buf, u32 size)
{
	struct sfs_srv_mount rec;

	memcpy(&rec, val, sizeof(rec));
	return scnprintf(buf, size, "mount %016llx publish %llu version %llu",
			 rid, le64_to_cpu(rec.publish_nr),
			 le64_to_cpu(rec.version));
}

static int slot_to_text(const struct sfs_key *key, const void *val, u32 len,
			char *buf, u32 size)
{
	struct sfs_srv_slot rec;

	memcpy(&rec, val, sizeof(rec));
	return scnprintf(buf, size,
			 "slot %llu of mount %016llx request %llu type %u reply %u bytes",
			 key->f3, key->f2, le64_to_cpu(rec.seq),
			 le16_to_cpu(rec.type), len - (u32)sizeof(rec));
}

int sfs_srv_item_to_text(const struct sfs_key *key, const void *val, u32 len,
			 u64 meta_bytes, char *buf, u32 size)
{
	const char *why = sfs_srv_item_check(key, val, len);
	u64 count;

	if (why)
		return scnprintf(buf, size, "BAD %s", why);
	switch (key->f1) {
	case SFS_SRV_STATE:
		return counters_to_text(val, len, buf, size);
	case SFS_SRV_SLICE:
		return slice_to_text(val, len, meta_bytes, buf, size);
	case SFS_SRV_MOUNT:
		return mount_to_text(key->f2, val, buf, size);
	case SFS_SRV_OWNED:
		return scnprintf(buf, size, "segment %llu owned by %016llx",
				 key->f3, key->f2);
	case SFS_SRV_PENDING:
		return scnprintf(buf, size,
				 "segment %llu pending free since version %llu",
				 key->f3, key->f2);
	case SFS_SRV_SLOT:
		return slot_to_text(key, val, len, buf, size);
	case SFS_SRV_DATA_FREE:
		count = sfs_srv_data_blocks(val);
		return scnprintf(buf, size, "data free %llu blocks from %llu",
				 count, key->f2 - count + 1);
	}
	count = sfs_srv_data_blocks(val);
	return scnprintf(buf, size,
			 "data owned by %016llx %llu blocks from %llu",
			 key->f2, count, key->f3 - count + 1);
}

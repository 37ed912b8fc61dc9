/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of the server's store.  Replay of any chain of records ends, applies
 * only whole sequences, and leaves nothing behind.
 *
 * Input: records, each of two bytes of length, one that says what stands in
 * its field for the next record, one of flags, and the changes.
 */
#include "lib/fuzz.h"

#include <asm/byteorder.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "base/block.h"
#include "engine/log.h"

#define TERM 3
#define MAX_RECORDS 32

enum next_kind {
	NEXT_BEHIND,
	NEXT_SEGMENT,
	NEXT_RAW,
};

struct writer {
	struct sfs_host *host;
	const u8 *data;
	size_t len;
	u64 addr;
	u64 end;		/* of the segment */
	u64 pos;
	u32 prev_crc;
};

static u64 where_next(struct writer *wr, u8 kind, u64 behind)
{
	u64 raw;

	if (kind == NEXT_SEGMENT)
		return wr->end;
	if (kind != NEXT_RAW || wr->len < sizeof(raw))
		return behind;
	memcpy(&raw, wr->data, sizeof(raw));
	wr->data += sizeof(raw);
	wr->len -= sizeof(raw);
	return raw;
}

/* Returns false when the input or the room is used up. */
static bool put_record(struct writer *wr, u32 segment_bytes)
{
	struct sfs_log_record *rec;
	struct sfs_block_id id = {
		.magic = SFS_MAGIC_LOG,
		.fsid = 1,
		.addr = wr->addr,
		.owner = wr->pos,
	};
	u64 next;
	u32 stored;
	u32 len;
	u8 kind;
	u8 flags;

	if (wr->len < 4)
		return false;
	len = wr->data[0] | wr->data[1] << 8;
	kind = wr->data[2];
	flags = wr->data[3];
	wr->data += 4;
	wr->len -= 4;
	len = min_t(u32, len, (u32)wr->len);
	stored = round_up(sizeof(*rec) + len, SFS_UNIT);
	if (stored > wr->end - wr->addr)
		return false;
	rec = (void *)(wr->host->dev[SFS_DEV_META] + wr->addr);
	memcpy(rec->payload, wr->data, len);
	wr->data += len;
	wr->len -= len;
	next = where_next(wr, kind, wr->addr + stored);
	rec->term = cpu_to_le64(TERM);
	rec->next_addr = cpu_to_le64(next);
	rec->prev_crc = cpu_to_le32(wr->prev_crc);
	rec->flags = cpu_to_le32(flags);
	sfs_block_seal(rec, sizeof(*rec) + len, &id);
	wr->prev_crc = le32_to_cpu(rec->hdr.crc);
	wr->pos++;
	if (next == wr->end)
		wr->end += segment_bytes;
	else if (next != wr->addr + stored)
		return false;
	wr->addr = next;
	/* the memory behind the device ends here */
	return wr->end <= 1 << 20;
}

static int apply(void *arg, const struct sfs_log_change *change)
{
	u8 *sum = arg;
	u32 i;

	BUG_ON(change->val_len > SFS_ITEM_MAX_VAL);
	for (i = 0; i < change->val_len; i++)
		*sum += change->val[i];
	return 0;
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_identity ident = { .id.meta_bytes = SFS_MIN_DEV_BYTES };
	struct sfs_log_place from = {
		.addr = SFS_META_REGION,
		.segment = SFS_META_REGION,
		.pos = 1,
	};
	struct writer wr = {
		.host = host,
		.data = data,
		.len = len,
		.addr = SFS_META_REGION,
		.pos = 1,
	};
	struct sfs_region region;
	struct sfs_log log;
	u64 records = 0;
	u8 sum = 0;
	int i;

	sfs_identity_geometry(SFS_MIN_DEV_BYTES, &ident.region_bytes,
			      &ident.segment_bytes);
	host->size[SFS_DEV_META] = SFS_MIN_DEV_BYTES;
	BUG_ON(sfs_region_init(&region, &ident) != 0);
	sfs_log_init(&log, host, &region, 1);
	wr.end = wr.addr + log.segment_bytes;
	for (i = 0; i < MAX_RECORDS; i++) {
		if (!put_record(&wr, log.segment_bytes))
			break;
	}
	sfs_log_replay(&log, TERM, &from, apply, &sum, &records);
	BUG_ON(records > wr.pos - 1);
	sfs_log_exit(&log);
	sfs_region_exit(&region);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

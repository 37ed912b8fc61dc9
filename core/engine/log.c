// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of the server's store: a chain of records, each written durably
 * before the next one is, so that what was revealed can be replayed.
 *
 * A record says where the next one will be, normally right behind it, else at
 * the start of a fresh segment.  It carries the term, its position and the crc
 * of the one before: whatever else lies at that place, an older use of the
 * space or a torn write, does not fit and ends the log.
 *
 * A torn record is always the last that was written.  So a record that does
 * not fit while a later one of the same term stands behind it was damaged
 * after it had become durable; that is an error and not the end.  When it may
 * have been the last one of its segment, the one behind it is looked for at
 * all places where a segment may begin.
 *
 * A term never appends to the segments of another one.
 */
#include "engine/log.h"

#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/block.h"
#include "base/report.h"
#include "base/triggers.h"
#include "base/varint.h"

/* A record is not begun with less room than this in its segment. */
#define MIN_ROOM (16U << 10)
/* Most records are not longer. */
#define FIRST_READ (16U << 10)
/* Changes of one atomic sequence that replay holds in memory. */
#define MAX_SEQUENCE (64U << 20)

void sfs_log_init(struct sfs_log *log, struct sfs_host *host,
		  struct sfs_region *region, u64 fsid)
{
	memset(log, 0, sizeof(*log));
	log->host = host;
	log->region = region;
	log->fsid = fsid;
	log->segment_bytes = max(region->unit_bytes, SFS_LOG_MAX_RECORD);
	mutex_init(&log->mutex);
	INIT_LIST_HEAD(&log->segments);
}

void sfs_log_exit(struct sfs_log *log)
{
	struct sfs_log_segment *seg;
	struct sfs_log_segment *tmp;

	list_for_each_entry_safe(seg, tmp, &log->segments, head)
		kfree(seg);
	INIT_LIST_HEAD(&log->segments);
	if (log->buf)
		sfs_port_buf_free(log->buf, SFS_LOG_MAX_RECORD);
	log->buf = NULL;
}

static int add_segment(struct sfs_log *log, u64 addr, u64 first_pos)
{
	struct sfs_log_segment *seg;

	seg = kzalloc(sizeof(*seg), GFP_NOFS);
	if (!seg)
		return -ENOMEM;
	seg->addr = addr;
	seg->bytes = log->segment_bytes;
	seg->first_pos = first_pos;
	list_add_tail(&seg->head, &log->segments);
	return 0;
}

static int new_segment(struct sfs_log *log, u64 first_pos, u64 *ret_addr)
{
	u64 addr;
	int ret;

	ret = sfs_region_alloc(log->region,
			       log->segment_bytes / log->region->unit_bytes,
			       &addr);
	if (ret < 0)
		return ret;
	ret = add_segment(log, addr, first_pos);
	if (ret < 0) {
		sfs_region_free(log->region, addr, log->segment_bytes);
		return ret;
	}
	*ret_addr = addr;
	return 0;
}

int sfs_log_start(struct sfs_log *log, u64 term)
{
	u64 addr;
	int ret = 0;

	mutex_lock(&log->mutex);
	if (!log->buf)
		log->buf = sfs_port_buf_alloc(SFS_LOG_MAX_RECORD);
	if (!log->buf)
		ret = -ENOMEM;
	if (ret == 0)
		ret = new_segment(log, 1, &addr);
	if (ret == 0) {
		log->term = term;
		log->next = (struct sfs_log_place){
			.addr = addr,
			.segment = addr,
			.pos = 1,
		};
		log->bytes = 0;
	}
	mutex_unlock(&log->mutex);
	return ret;
}

static u64 segment_end(const struct sfs_log *log)
{
	return log->next.segment + log->segment_bytes;
}

/*
 * Decides where the record after one of @stored bytes goes.  A fresh segment
 * may begin right where the current one ends.
 */
static int place_after(struct sfs_log *log, u32 stored, u64 *ret_segment,
		       u64 *ret_addr)
{
	u64 addr = log->next.addr + stored;
	int ret;

	SFS_ASSERT_CMP(addr, <=, segment_end(log));
	if (segment_end(log) - addr >= MIN_ROOM &&
	    !sfs_port_trigger(log->host, SFS_TRIGGER_LOG_SEGMENT)) {
		*ret_segment = log->next.segment;
		*ret_addr = addr;
		return 0;
	}
	ret = new_segment(log, log->next.pos + 1, ret_addr);
	if (ret < 0)
		return ret;
	*ret_segment = *ret_addr;
	return 0;
}

static int append_record(struct sfs_log *log, const u8 *changes, u32 len,
			 u32 flags)
{
	struct sfs_log_record *rec = (struct sfs_log_record *)log->buf;
	u32 used = sizeof(*rec) + len;
	u32 stored = round_up(used, SFS_UNIT);
	struct sfs_block_id id = {
		.magic = SFS_MAGIC_LOG,
		.fsid = log->fsid,
		.addr = log->next.addr,
		.owner = log->next.pos,
	};
	u64 next_segment;
	u64 next_addr;
	int ret;

	ret = place_after(log, stored, &next_segment, &next_addr);
	if (ret < 0)
		return ret;
	memset(rec, 0, sizeof(*rec));
	rec->term = cpu_to_le64(log->term);
	rec->next_addr = cpu_to_le64(next_addr);
	rec->prev_crc = cpu_to_le32(log->next.prev_crc);
	rec->flags = cpu_to_le32(flags);
	memcpy(rec->payload, changes, len);
	memset(log->buf + used, 0, stored - used);
	sfs_block_seal(rec, used, &id);
	ret = sfs_io_write(log->host, SFS_DEV_META, id.addr, rec, stored,
			   SFS_IO_FUA);
	if (ret < 0)
		return ret;
	/* what is left of a segment counts as written */
	if (next_segment != log->next.segment)
		stored += segment_end(log) - (id.addr + stored);
	log->next.segment = next_segment;
	log->next.addr = next_addr;
	log->next.pos++;
	log->next.prev_crc = le32_to_cpu(rec->hdr.crc);
	WRITE_ONCE(log->bytes, log->bytes + stored);
	return 0;
}

int sfs_log_append(struct sfs_log *log, const u8 *changes, u32 len)
{
	u32 room;
	u32 part;
	int ret = 0;

	mutex_lock(&log->mutex);
	while (len > 0 && ret == 0) {
		room = (u32)min_t(u64, SFS_LOG_MAX_RECORD,
				  segment_end(log) - log->next.addr);
		part = min_t(u32, len, room - sizeof(struct sfs_log_record));
		len -= part;
		ret = append_record(log, changes, part, len ? SFS_LOG_MORE : 0);
		changes += part;
	}
	mutex_unlock(&log->mutex);
	if (ret < 0)
		sfs_err(log->host, "can not write the server's log: error %d",
			ret);
	return ret;
}

struct sfs_log_place sfs_log_next(struct sfs_log *log)
{
	struct sfs_log_place place;

	mutex_lock(&log->mutex);
	place = log->next;
	place.bytes = log->bytes;
	mutex_unlock(&log->mutex);
	return place;
}

/*
 * A segment is free once the one after it begins at or before @pos, so the
 * one that holds @place always stays.
 */
void sfs_log_trim(struct sfs_log *log, const struct sfs_log_place *place)
{
	struct sfs_log_segment *seg;
	struct sfs_log_segment *after;

	mutex_lock(&log->mutex);
	for (;;) {
		seg = list_first_entry_or_null(&log->segments,
					       struct sfs_log_segment, head);
		if (!seg || list_is_last(&seg->head, &log->segments))
			break;
		after = list_next_entry(seg, head);
		if (after->first_pos > place->pos)
			break;
		sfs_region_free(log->region, seg->addr, seg->bytes);
		list_del(&seg->head);
		kfree(seg);
	}
	WRITE_ONCE(log->bytes, log->bytes - place->bytes);
	mutex_unlock(&log->mutex);
}

void sfs_log_retire(struct sfs_log *log)
{
	struct sfs_log_segment *seg;

	mutex_lock(&log->mutex);
	list_for_each_entry(seg, &log->segments, head)
		sfs_region_free(log->region, seg->addr, seg->bytes);
	mutex_unlock(&log->mutex);
	sfs_log_exit(log);
}

u64 sfs_log_bytes(struct sfs_log *log)
{
	/* stale is harmless: it only decides when a checkpoint begins */
	return READ_ONCE(log->bytes);
}

/* ---- changes -------------------------------------------------------------- */

u32 sfs_log_change_bytes(u32 val_len)
{
	return 1 + SFS_KEY_BYTES + 3 + val_len;
}

u8 *sfs_log_put_change(u8 *p, const struct sfs_key *key, u8 kind,
		       const void *val, u32 len)
{
	*p++ = kind;
	sfs_key_encode(key, p);
	p += SFS_KEY_BYTES;
	if (kind == SFS_ITEM_VALUE) {
		p = sfs_varint_put(p, len);
		if (len)
			memcpy(p, val, len);
		p += len;
	}
	return p;
}

static const u8 *get_change(const u8 *p, const u8 *end,
			    struct sfs_log_change *change)
{
	u64 len;

	if (end - p < 1 + SFS_KEY_BYTES)
		return NULL;
	change->kind = *p++;
	sfs_key_decode(&change->key, p);
	p += SFS_KEY_BYTES;
	change->val = p;
	change->val_len = 0;
	if (change->kind == SFS_ITEM_DELETION)
		return p;
	if (change->kind != SFS_ITEM_VALUE)
		return NULL;
	p = sfs_varint_get(p, end, &len);
	if (!p || len > SFS_ITEM_MAX_VAL || len > (u64)(end - p))
		return NULL;
	change->val = p;
	change->val_len = (u32)len;
	return p + len;
}

/* ---- replay --------------------------------------------------------------- */

/* An atomic sequence as it is put together again. */
struct sequence {
	u8 *buf;
	u32 len;
	u32 cap;
};

static int sequence_add(struct sequence *seq, const u8 *data, u32 len)
{
	u32 cap;
	u8 *buf;

	if (len == 0)
		return 0;
	if (len > MAX_SEQUENCE - seq->len)
		return -EIO;
	if (seq->len + len > seq->cap) {
		cap = max(2 * seq->cap, seq->len + len);
		buf = kvmalloc(cap, GFP_NOFS);
		if (!buf)
			return -ENOMEM;
		if (seq->len)
			memcpy(buf, seq->buf, seq->len);
		kvfree(seq->buf);
		seq->buf = buf;
		seq->cap = cap;
	}
	memcpy(seq->buf + seq->len, data, len);
	seq->len += len;
	return 0;
}

static int apply_sequence(struct sfs_log *log, u64 pos, struct sequence *seq,
			  int (*apply)(void *arg,
				       const struct sfs_log_change *change),
			  void *arg)
{
	struct sfs_log_change change;
	const u8 *end;
	const u8 *p;
	int ret;

	/* a record without changes: nobody writes one, but it is harmless */
	if (seq->len == 0)
		return 0;
	p = seq->buf;
	end = p + seq->len;
	while (p < end) {
		p = get_change(p, end, &change);
		if (!p) {
			sfs_err(log->host,
				"damaged change in log record %llu", pos);
			return -EIO;
		}
		ret = apply(arg, &change);
		if (ret < 0)
			return ret;
	}
	seq->len = 0;
	return 0;
}

static bool record_fits(struct sfs_log *log, u64 term,
			const struct sfs_log_place *at, u32 size)
{
	const struct sfs_log_record *rec = (struct sfs_log_record *)log->buf;
	u32 len = le32_to_cpu(rec->hdr.len);
	u32 crc;

	if (le32_to_cpu(rec->hdr.magic) != SFS_MAGIC_LOG ||
	    le64_to_cpu(rec->hdr.fsid) != log->fsid ||
	    le64_to_cpu(rec->hdr.addr) != at->addr ||
	    le64_to_cpu(rec->hdr.owner) != at->pos ||
	    le64_to_cpu(rec->term) != term ||
	    le32_to_cpu(rec->prev_crc) != at->prev_crc ||
	    len < sizeof(*rec) || len > size)
		return false;
	crc = crc32c(~0U, log->buf + 4, len - 4);
	return crc == le32_to_cpu(rec->hdr.crc);
}

static bool is_later(struct sfs_log *log, u64 term,
		     const struct sfs_log_place *at,
		     const struct sfs_log_record *rec, u64 addr)
{
	return le32_to_cpu(rec->hdr.magic) == SFS_MAGIC_LOG &&
	       le64_to_cpu(rec->hdr.fsid) == log->fsid &&
	       le64_to_cpu(rec->hdr.addr) == addr &&
	       le64_to_cpu(rec->hdr.owner) > at->pos &&
	       le64_to_cpu(rec->term) == term &&
	       le32_to_cpu(rec->hdr.len) >= sizeof(*rec);
}

/* Whether a record of this term with a position beyond @at follows in @size. */
static bool later_record(struct sfs_log *log, u64 term,
			 const struct sfs_log_place *at, u32 size)
{
	const struct sfs_log_record *rec;
	u32 off;
	u32 len;

	for (off = SFS_UNIT; off < size; off += SFS_UNIT) {
		rec = (struct sfs_log_record *)(log->buf + off);
		len = le32_to_cpu(rec->hdr.len);
		if (is_later(log, term, at, rec, at->addr + off) &&
		    len <= size - off &&
		    crc32c(~0U, log->buf + off + 4, len - 4) ==
			    le32_to_cpu(rec->hdr.crc))
			return true;
	}
	return false;
}

/*
 * Whether a record of this term with a position beyond @at begins at @addr.
 * Its header is in one sector and says enough; what can not be read there is
 * none of our business.
 */
static bool later_at(struct sfs_log *log, u64 term,
		     const struct sfs_log_place *at, u64 addr)
{
	return sfs_io_read(log->host, SFS_DEV_META, addr, log->buf,
			   SFS_UNIT) == 0 &&
	       is_later(log, term, at, (struct sfs_log_record *)log->buf, addr);
}

/* The same beyond the first SFS_LOG_MAX_RECORD bytes, wherever it may be. */
static bool later_elsewhere(struct sfs_log *log, u64 term,
			    const struct sfs_log_place *at)
{
	const struct sfs_region *reg = log->region;
	u64 end = at->segment + log->segment_bytes;
	u64 addr;
	u32 i;

	if (end - at->addr >= SFS_LOG_MAX_RECORD + MIN_ROOM)
		return later_at(log, term, at, at->addr + SFS_LOG_MAX_RECORD);
	for (i = 0; i < reg->nr_units; i++) {
		addr = reg->start + (u64)i * reg->unit_bytes;
		if ((addr < at->segment || addr >= end) &&
		    later_at(log, term, at, addr))
			return true;
	}
	return false;
}

static int read_bytes(struct sfs_log *log, u64 addr, u32 size)
{
	int ret;

	ret = sfs_io_read(log->host, SFS_DEV_META, addr, log->buf, size);
	if (ret < 0)
		sfs_err(log->host,
			"can not read the server's log at byte %llu: error %d",
			addr, ret);
	return ret;
}

/* 1 the record at @at is in the buffer, 0 the log ends there, or an error. */
static int read_record(struct sfs_log *log, u64 term,
		       const struct sfs_log_place *at)
{
	u32 size = (u32)min_t(u64, SFS_LOG_MAX_RECORD,
			      at->segment + log->segment_bytes - at->addr);
	u32 some = min_t(u32, size, FIRST_READ);
	int ret;

	ret = read_bytes(log, at->addr, some);
	if (ret < 0)
		return ret;
	if (record_fits(log, term, at, some))
		return 1;
	ret = read_bytes(log, at->addr, size);
	if (ret < 0)
		return ret;
	if (record_fits(log, term, at, size))
		return 1;
	if (!later_record(log, term, at, size) &&
	    !later_elsewhere(log, term, at))
		return 0;
	sfs_err(log->host,
		"damaged log record %llu of term %llu at byte %llu of the metadata device: later ones are there",
		at->pos, term, at->addr);
	return -EIO;
}

/* Notes the segment that @at is in; -EIO when it can not be one. */
static int enter_segment(struct sfs_log *log, const struct sfs_log_place *at)
{
	if (!IS_ALIGNED(at->addr, SFS_UNIT) || at->addr < at->segment ||
	    at->addr - at->segment >= log->segment_bytes ||
	    sfs_region_mark(log->region, at->segment,
			    log->segment_bytes) < 0) {
		sfs_err(log->host,
			"damaged log: record %llu at byte %llu of the metadata device",
			at->pos, at->addr);
		return -EIO;
	}
	return add_segment(log, at->segment, at->pos);
}

int sfs_log_replay(struct sfs_log *log, u64 term,
		   const struct sfs_log_place *from,
		   int (*apply)(void *arg, const struct sfs_log_change *change),
		   void *arg, u64 *ret_records)
{
	struct sfs_log_record *rec;
	struct sfs_log_place at = *from;
	struct sequence seq = {};
	u64 records = 0;
	u64 next;
	int ret;

	log->buf = sfs_port_buf_alloc(SFS_LOG_MAX_RECORD);
	if (!log->buf)
		return -ENOMEM;
	rec = (struct sfs_log_record *)log->buf;
	ret = enter_segment(log, &at);
	while (ret == 0) {
		ret = read_record(log, term, &at);
		if (ret <= 0)
			break;
		ret = sequence_add(&seq, rec->payload,
				   le32_to_cpu(rec->hdr.len) - sizeof(*rec));
		if (ret == 0 && !(le32_to_cpu(rec->flags) & SFS_LOG_MORE))
			ret = apply_sequence(log, at.pos, &seq, apply, arg);
		records++;
		next = le64_to_cpu(rec->next_addr);
		at.pos++;
		at.prev_crc = le32_to_cpu(rec->hdr.crc);
		at.addr += round_up(le32_to_cpu(rec->hdr.len), SFS_UNIT);
		/* a segment may lie right behind the one before it */
		if (ret == 0 && (next != at.addr ||
				 next == at.segment + log->segment_bytes)) {
			at.addr = next;
			at.segment = next;
			ret = enter_segment(log, &at);
		}
	}
	kvfree(seq.buf);
	if (ret == 0)
		*ret_records = records;
	return ret;
}

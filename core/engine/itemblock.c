// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of sorted items: what runs consist of.  Index blocks and footers are
 * blocks of this kind, too, with the last key below a child as the key.
 *
 * An entry is one byte (bits 0-4: how many bytes of the key it shares with the
 * one before, bits 5-7: kind), the rest of the key, the sequence relative to
 * the block's base (zigzag varint), and for values their length (varint) and
 * bytes.  Every 16th entry shares nothing and is a restart point, whose offset
 * is in the array at the end: seeking is a binary search there and at most 16
 * entries on.
 *
 * sfs_itemblock_check() looks at every entry once, when a block comes from the
 * device; cursors then trust it.  Invariant: keys ascend strictly.
 */
#include "engine/itemblock.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/report.h"
#include "base/varint.h"

#define SHARED_MASK 0x1f
#define KIND_SHIFT 5
/* first byte, whole key, sequence, length */
#define ENTRY_MAX_HEAD (1 + SFS_KEY_BYTES + SFS_VARINT_MAX + 3)

void sfs_itemblock_begin(struct sfs_itemblock_writer *wr, u8 *buf)
{
	wr->buf = buf;
	wr->data_len = 0;
	wr->nr_items = 0;
	wr->nr_restarts = 0;
	wr->base_seq = 0;
	memset(buf, 0, sizeof(struct sfs_itemblock));
}

bool sfs_itemblock_fits(const struct sfs_itemblock_writer *wr, u32 val_len)
{
	u32 len = sizeof(struct sfs_itemblock) + wr->data_len +
		  (wr->nr_restarts + 1) * sizeof(__le16) + ENTRY_MAX_HEAD +
		  val_len;

	return len <= SFS_BLOCK_TARGET && wr->nr_restarts < SFS_MAX_RESTARTS;
}

static u32 shared_bytes(const u8 *a, const u8 *b)
{
	u32 i = 0;

	while (i < SFS_KEY_BYTES && a[i] == b[i])
		i++;
	return i;
}

void sfs_itemblock_add(struct sfs_itemblock_writer *wr,
		       const struct sfs_key *key, u64 seq, u8 kind,
		       const void *val, u32 val_len)
{
	u8 *start = wr->buf + sizeof(struct sfs_itemblock);
	u8 *p = start + wr->data_len;
	u8 bytes[SFS_KEY_BYTES];
	u32 shared = 0;

	SFS_ASSERT(sfs_itemblock_fits(wr, val_len));
	sfs_key_encode(key, bytes);
	SFS_ASSERT(wr->nr_items == 0 ||
		   sfs_key_bytes_cmp(wr->last, bytes) < 0);
	if (wr->nr_items == 0)
		wr->base_seq = seq;
	if (wr->nr_items % SFS_RESTART_EVERY == 0)
		wr->restarts[wr->nr_restarts++] = cpu_to_le16(wr->data_len);
	else
		shared = shared_bytes(wr->last, bytes);
	*p++ = (u8)(shared | kind << KIND_SHIFT);
	memcpy(p, bytes + shared, SFS_KEY_BYTES - shared);
	p += SFS_KEY_BYTES - shared;
	p = sfs_varint_put(p, sfs_zigzag((s64)(seq - wr->base_seq)));
	if (kind == SFS_ITEM_VALUE) {
		p = sfs_varint_put(p, val_len);
		if (val_len)
			memcpy(p, val, val_len);
		p += val_len;
	}
	memcpy(wr->last, bytes, SFS_KEY_BYTES);
	wr->data_len = (u32)(p - start);
	wr->nr_items++;
}

u32 sfs_itemblock_end(struct sfs_itemblock_writer *wr)
{
	struct sfs_itemblock *blk = (struct sfs_itemblock *)wr->buf;
	u32 restart_bytes = wr->nr_restarts * sizeof(__le16);
	u32 len = sizeof(*blk) + wr->data_len + restart_bytes;

	blk->base_seq = cpu_to_le64(wr->base_seq);
	blk->data_len = cpu_to_le32(wr->data_len);
	blk->nr_items = cpu_to_le16(wr->nr_items);
	blk->nr_restarts = cpu_to_le16(wr->nr_restarts);
	memcpy(blk->data + wr->data_len, wr->restarts, restart_bytes);
	return len;
}

/* The rest of a key: so short that a call, or a string instruction, is dear. */
static void copy_key_bytes(u8 *dst, const u8 *src, u32 len)
{
	for (; len >= 8; len -= 8, dst += 8, src += 8)
		memcpy(dst, src, 8);
	if (len & 4) {
		memcpy(dst, src, 4);
		dst += 4;
		src += 4;
	}
	for (len &= 3; len > 0; len--)
		*dst++ = *src++;
}

/*
 * The entry at @p becomes the current one.  Returns the byte after it, NULL
 * when it does not fit before @cur->end.
 */
static const u8 *parse_entry(struct sfs_itemblock_cursor *cur, const u8 *p)
{
	u32 shared;
	u64 num;

	if (p >= cur->end)
		return NULL;
	shared = *p & SHARED_MASK;
	cur->kind = *p++ >> KIND_SHIFT;
	if (shared > SFS_KEY_BYTES || cur->end - p < SFS_KEY_BYTES - shared)
		return NULL;
	copy_key_bytes(cur->bytes + shared, p, SFS_KEY_BYTES - shared);
	p = sfs_varint_get(p + SFS_KEY_BYTES - shared, cur->end, &num);
	if (!p)
		return NULL;
	cur->seq = le64_to_cpu(cur->blk->base_seq) + (u64)sfs_unzigzag(num);
	cur->val = p;
	cur->val_len = 0;
	if (cur->kind != SFS_ITEM_VALUE)
		return p;
	p = sfs_varint_get(p, cur->end, &num);
	if (!p || num > SFS_ITEM_MAX_VAL || num > (u64)(cur->end - p))
		return NULL;
	cur->val = p;
	cur->val_len = (u32)num;
	return p + num;
}

static u16 restart_offset(const struct sfs_itemblock *blk, u32 nr)
{
	const u8 *p = blk->data + le32_to_cpu(blk->data_len) + 2 * nr;

	return (u16)(p[0] | p[1] << 8);
}

static void cursor_init(struct sfs_itemblock_cursor *cur, const void *buf)
{
	const struct sfs_itemblock *blk = buf;

	cur->blk = blk;
	cur->next = blk->data;
	cur->end = blk->data + le32_to_cpu(blk->data_len);
}

static bool bad(struct sfs_wrong *wrong, const char *what, u64 value)
{
	*wrong = (struct sfs_wrong){ .what = what, .found = value };
	return true;
}

bool sfs_itemblock_wrong(const void *buf, struct sfs_wrong *ret_wrong)
{
	const struct sfs_itemblock *blk = buf;
	u32 len = le32_to_cpu(blk->hdr.len);
	u32 nr = le16_to_cpu(blk->nr_items);
	u32 restarts = le16_to_cpu(blk->nr_restarts);
	u32 data_len = le32_to_cpu(blk->data_len);
	struct sfs_itemblock_cursor cur;
	u8 last[SFS_KEY_BYTES];
	const u8 *p;
	u32 i;

	if (len < sizeof(*blk) ||
	    (u64)sizeof(*blk) + data_len + 2 * restarts != len)
		return bad(ret_wrong, "lengths do not add up", data_len);
	if (nr == 0 || restarts != DIV_ROUND_UP(nr, SFS_RESTART_EVERY))
		return bad(ret_wrong, "wrong number of items", nr);
	cursor_init(&cur, buf);
	p = blk->data;
	for (i = 0; i < nr; i++) {
		if (i % SFS_RESTART_EVERY == 0 &&
		    (p >= cur.end || (*p & SHARED_MASK) != 0 ||
		     restart_offset(blk, i / SFS_RESTART_EVERY) !=
			     p - blk->data))
			return bad(ret_wrong, "wrong restart point at item", i);
		p = parse_entry(&cur, p);
		if (!p)
			return bad(ret_wrong, "malformed item", i);
		if (cur.kind != SFS_ITEM_VALUE && cur.kind != SFS_ITEM_DELETION)
			return bad(ret_wrong, "unknown kind of item", cur.kind);
		if (i > 0 && sfs_key_bytes_cmp(last, cur.bytes) >= 0)
			return bad(ret_wrong, "keys out of order at item", i);
		memcpy(last, cur.bytes, SFS_KEY_BYTES);
	}
	if (p != cur.end)
		return bad(ret_wrong, "bytes after the last item", cur.end - p);
	return false;
}

int sfs_itemblock_check(struct sfs_host *host, const void *buf,
			const struct sfs_block_id *id)
{
	struct sfs_wrong wrong;

	if (!sfs_itemblock_wrong(buf, &wrong))
		return 0;
	sfs_err(host,
		"damaged %s at byte %llu of the metadata device (owner %llu, number %u): %s (%llu)",
		sfs_block_kind(id->magic), id->addr, id->owner, id->nr,
		wrong.what, wrong.found);
	return -EIO;
}

bool sfs_itemblock_next(struct sfs_itemblock_cursor *cur)
{
	if (cur->next == cur->end)
		return false;
	cur->next = parse_entry(cur, cur->next);
	return !WARN_ON(!cur->next);
}

bool sfs_itemblock_first(struct sfs_itemblock_cursor *cur, const void *buf)
{
	cursor_init(cur, buf);
	return sfs_itemblock_next(cur);
}

static const u8 *skip_varint(const u8 *p)
{
	while (*p++ & 0x80)
		;
	return p;
}

/*
 * From the restart point @p, whose key is not above @bytes unless it is the
 * first, to the first entry that is not below.  No key is put together on the
 * way: entries below agree with @bytes in the first @match bytes, so one that
 * shares more with its predecessor is below as well, one that shares fewer is
 * above, and of one that shares as many the rest decides.  For the same reason
 * the bytes that the entry found shares are those of @bytes.
 */
static const u8 *scan(const u8 *p, const u8 *end, const u8 *bytes)
{
	const u8 *rest;
	u32 match = 0;
	u32 shared;
	u64 len;

	while (p < end) {
		shared = *p & SHARED_MASK;
		rest = p + 1 - shared;
		if (shared < match)
			break;
		if (shared == match) {
			while (match < SFS_KEY_BYTES &&
			       rest[match] == bytes[match])
				match++;
			if (match == SFS_KEY_BYTES ||
			    rest[match] > bytes[match])
				break;
		}
		len = 0;
		rest = skip_varint(rest + SFS_KEY_BYTES);
		if (*p >> KIND_SHIFT == SFS_ITEM_VALUE)
			rest = sfs_varint_get(rest, end, &len);
		if (WARN_ON(!rest))
			return end;
		p = rest + len;
	}
	return p;
}

bool sfs_itemblock_seek(struct sfs_itemblock_cursor *cur, const void *buf,
			const struct sfs_key *key)
{
	const struct sfs_itemblock *blk = buf;
	u32 low = 0;
	u32 high = le16_to_cpu(blk->nr_restarts);
	u8 bytes[SFS_KEY_BYTES];
	u32 mid;

	sfs_key_encode(key, bytes);
	cursor_init(cur, buf);
	/* the last restart point whose key is not above the wanted one */
	while (high - low > 1) {
		mid = (low + high) / 2;
		if (sfs_key_bytes_cmp(blk->data + restart_offset(blk, mid) + 1,
				      bytes) <= 0)
			low = mid;
		else
			high = mid;
	}
	cur->next = scan(blk->data + restart_offset(blk, low), cur->end, bytes);
	memcpy(cur->bytes, bytes, SFS_KEY_BYTES);
	return sfs_itemblock_next(cur);
}

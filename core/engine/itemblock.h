/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_ITEMBLOCK_H
#define SFS_ENGINE_ITEMBLOCK_H

#include "base/block.h"
#include "base/key.h"

enum sfs_item_kind {
	SFS_ITEM_VALUE = 1,
	SFS_ITEM_DELETION = 2,
};

#define SFS_ITEM_MAX_VAL 4000
#define SFS_RESTART_EVERY 16
#define SFS_MAX_RESTARTS 1024

/* After the header; then data, then the restart offsets (__le16 each). */
struct sfs_itemblock {
	struct sfs_block_hdr hdr;
	__le64 base_seq;	/* sequence the items' are relative to */
	__le32 data_len;
	__le16 nr_items;
	__le16 nr_restarts;
	u8 data[];
};
static_assert(sizeof(struct sfs_itemblock) == 56);

/* Fills one block; @buf has SFS_BLOCK_TARGET bytes. */
struct sfs_itemblock_writer {
	u8 *buf;
	u32 data_len;
	u16 nr_items;
	u16 nr_restarts;
	u64 base_seq;
	u8 last[SFS_KEY_BYTES];
	__le16 restarts[SFS_MAX_RESTARTS];
};

void sfs_itemblock_begin(struct sfs_itemblock_writer *wr, u8 *buf);
bool sfs_itemblock_fits(const struct sfs_itemblock_writer *wr, u32 val_len);
/* Keys in strictly ascending order; the item must fit. */
void sfs_itemblock_add(struct sfs_itemblock_writer *wr,
		       const struct sfs_key *key, u64 seq, u8 kind,
		       const void *val, u32 val_len);
/* Completes all but the header; returns the length to seal. */
u32 sfs_itemblock_end(struct sfs_itemblock_writer *wr);

/* Every field of a block whose header was verified. */
bool sfs_itemblock_wrong(const void *buf, struct sfs_wrong *ret_wrong);
/* The same; -EIO with a line. */
int sfs_itemblock_check(struct sfs_host *host, const void *buf,
			const struct sfs_block_id *id);

/* A place in a checked block. */
struct sfs_itemblock_cursor {
	const struct sfs_itemblock *blk;
	const u8 *next;		/* entry after the current one */
	const u8 *end;
	const u8 *val;
	u64 seq;
	u32 val_len;
	u8 kind;
	u8 bytes[SFS_KEY_BYTES];
};

/* Each returns whether there is a current item. */
bool sfs_itemblock_first(struct sfs_itemblock_cursor *cur, const void *buf);
bool sfs_itemblock_next(struct sfs_itemblock_cursor *cur);
/* The first item whose key is not below @key. */
bool sfs_itemblock_seek(struct sfs_itemblock_cursor *cur, const void *buf,
			const struct sfs_key *key);

#endif

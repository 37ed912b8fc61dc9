/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_BLOCK_H
#define SFS_BASE_BLOCK_H

#include "base/disk_format.h"
#include "port.h"

/* What a block must say of itself to be the one that was meant. */
struct sfs_block_id {
	u32 magic;
	u32 nr;
	u64 fsid;
	u64 addr;	/* bytes on the metadata device */
	u64 owner;
};

/* What is wrong with something that was read, for a line about it. */
struct sfs_wrong {
	const char *what;	/* a field, or the rule that is broken */
	u64 found;
	u64 wanted;		/* if has_wanted */
	bool has_wanted;
};

const char *sfs_block_kind(u32 magic);

/* Fills in the header of a block of @len used bytes, its crc last. */
void sfs_block_seal(void *buf, u32 len, const struct sfs_block_id *id);

/*
 * Whether the block at @buf, of which @size bytes were read, is not the one
 * that @id means.
 */
bool sfs_block_wrong(const void *buf, u32 size, const struct sfs_block_id *id,
		     struct sfs_wrong *ret_wrong);
/*
 * 0, or -EIO with a line that names the block, the field and both values.
 * @size is how many bytes were read; on success the used length is in the
 * header and at most @size.
 */
int sfs_block_verify(struct sfs_host *host, const void *buf, u32 size,
		     const struct sfs_block_id *id);

/* One transfer, waited for.  -EIO beyond the end of the device. */
int sfs_io_read(struct sfs_host *host, int dev, u64 offset, void *buf, u32 len);
int sfs_io_write(struct sfs_host *host, int dev, u64 offset, void *buf,
		 u32 len, int flags);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two roots of the server's store: where its runs are and where its log
 * begins.
 *
 * Both copies are written at each checkpoint, the second after the first is
 * durable, and nothing the older generation refers to is reused before both
 * are.  So a crash leaves at least one whole copy, and a copy that is damaged
 * later has a twin of the same generation: falling back never loses a change.
 *
 * After a crash between the two writes only one copy is current, and what the
 * other one refers to is not kept.  The first write after that goes to the
 * other one, so that a crash in it leaves the current one alone.
 */
#include "engine/root.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"

const u64 sfs_root_addr[2] = { SFS_META_ROOT_A, SFS_META_ROOT_B };

void sfs_root_free(struct sfs_root *root)
{
	u32 i;

	for (i = 0; i < root->nr_slices; i++)
		sfs_slice_put(root->slices[i]);
	kvfree(root->slices);
	root->slices = NULL;
	root->nr_slices = 0;
}

static int bad_root(struct sfs_wrong *wrong, const char *field, u64 value)
{
	*wrong = (struct sfs_wrong){ .what = field, .found = value };
	return -EIO;
}

static int decode_slices(u64 meta_bytes, const struct sfs_root_block *blk,
			 u32 nr, struct sfs_root *root, struct sfs_wrong *wrong)
{
	const u8 *p = blk->slices;
	const u8 *end = (const u8 *)blk + le32_to_cpu(blk->hdr.len);
	__le32 len;
	int ret;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (end - p < sizeof(len))
			return bad_root(wrong, "end before slice", i);
		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		if (le32_to_cpu(len) > end - p)
			return bad_root(wrong, "length of a slice",
					le32_to_cpu(len));
		ret = sfs_slice_parse(p, le32_to_cpu(len), meta_bytes, wrong,
				      &root->slices[i]);
		if (ret < 0)
			return ret;
		root->nr_slices++;
		p += le32_to_cpu(len);
	}
	if (p != end)
		return bad_root(wrong, "bytes after the last slice", end - p);
	return 0;
}

static int decode(u64 meta_bytes, const struct sfs_root_block *blk,
		  struct sfs_root *root, struct sfs_wrong *wrong)
{
	u32 nr = le32_to_cpu(blk->nr_slices);
	int ret;

	memset(root, 0, sizeof(*root));
	if (le32_to_cpu(blk->hdr.len) < sizeof(*blk))
		return bad_root(wrong, "length", le32_to_cpu(blk->hdr.len));
	if (nr > SFS_ROOT_BYTES / sizeof(struct sfs_disk_slice))
		return bad_root(wrong, "number of slices", nr);
	root->generation = le64_to_cpu(blk->hdr.owner);
	root->term = le64_to_cpu(blk->term);
	root->version = le64_to_cpu(blk->version);
	root->next_id = le64_to_cpu(blk->next_id);
	root->log.addr = le64_to_cpu(blk->log_addr);
	root->log.segment = le64_to_cpu(blk->log_segment);
	root->log.pos = le64_to_cpu(blk->log_pos);
	root->log.prev_crc = le32_to_cpu(blk->log_prev_crc);
	root->slices = kvcalloc(nr + 1, sizeof(*root->slices), GFP_NOFS);
	if (!root->slices)
		return -ENOMEM;
	ret = decode_slices(meta_bytes, blk, nr, root, wrong);
	if (ret < 0)
		sfs_root_free(root);
	return ret;
}

/* The generation is not known beforehand: it is whatever the block says. */
int sfs_root_read_copy(struct sfs_host *host, const struct sfs_identity *ident,
		       int nr, void *buf, struct sfs_wrong *ret_wrong,
		       struct sfs_root *ret_root)
{
	struct sfs_root_block *blk = buf;
	struct sfs_block_id id = {
		.magic = SFS_MAGIC_ROOT,
		.fsid = ident->id.fsid,
		.addr = sfs_root_addr[nr],
	};
	int ret;

	ret_wrong->what = NULL;
	ret = sfs_io_read(host, SFS_DEV_META, id.addr, buf, SFS_ROOT_BYTES);
	if (ret < 0)
		return ret;
	id.owner = le64_to_cpu(blk->hdr.owner);
	if (sfs_block_wrong(buf, SFS_ROOT_BYTES, &id, ret_wrong))
		return -EIO;
	return decode(ident->id.meta_bytes, blk, ret_root, ret_wrong);
}

static int read_one(struct sfs_host *host, const struct sfs_identity *ident,
		    int nr, void *buf, struct sfs_root *root)
{
	struct sfs_wrong wrong;
	int ret;

	ret = sfs_root_read_copy(host, ident, nr, buf, &wrong, root);
	if (ret < 0 && wrong.what)
		sfs_err(host,
			"damaged root at byte %llu of the metadata device: %s is %llu",
			sfs_root_addr[nr], wrong.what, wrong.found);
	else if (ret < 0)
		sfs_err(host, "can not read the root at byte %llu: error %d",
			sfs_root_addr[nr], ret);
	return ret;
}

int sfs_root_read(struct sfs_host *host, const struct sfs_identity *ident,
		  struct sfs_root *ret_root)
{
	struct sfs_root roots[2];
	void *buf;
	int ret[2];
	int pick;
	int i;

	buf = sfs_port_buf_alloc(SFS_ROOT_BYTES);
	if (!buf)
		return -ENOMEM;
	for (i = 0; i < 2; i++)
		ret[i] = read_one(host, ident, i, buf, &roots[i]);
	sfs_port_buf_free(buf, SFS_ROOT_BYTES);
	if (ret[0] < 0 && ret[1] < 0) {
		sfs_err(host, "neither of the two roots is readable");
		return ret[0];
	}
	if (ret[0] < 0 || ret[1] < 0) {
		pick = ret[0] < 0;
		sfs_warn(host,
			 "the root at byte %llu is not readable, its twin at %llu is used",
			 sfs_root_addr[!pick], sfs_root_addr[pick]);
	} else {
		pick = roots[1].generation > roots[0].generation;
		sfs_root_free(&roots[!pick]);
	}
	*ret_root = roots[pick];
	ret_root->first_copy = !pick;
	return 0;
}

static int encode(const struct sfs_root *root, struct sfs_root_block *blk,
		  u32 *ret_len)
{
	u8 *p = blk->slices;
	u8 *end = (u8 *)blk + SFS_ROOT_BYTES;
	__le32 len;
	u32 i;

	memset(blk, 0, SFS_ROOT_BYTES);
	blk->term = cpu_to_le64(root->term);
	blk->version = cpu_to_le64(root->version);
	blk->next_id = cpu_to_le64(root->next_id);
	blk->log_addr = cpu_to_le64(root->log.addr);
	blk->log_segment = cpu_to_le64(root->log.segment);
	blk->log_pos = cpu_to_le64(root->log.pos);
	blk->log_prev_crc = cpu_to_le32(root->log.prev_crc);
	blk->nr_slices = cpu_to_le32(root->nr_slices);
	for (i = 0; i < root->nr_slices; i++) {
		if (end - p < SFS_DISK_SLICE_MAX + sizeof(len))
			return -EFBIG;
		len = cpu_to_le32(sfs_slice_encode(root->slices[i],
						   p + sizeof(len)));
		memcpy(p, &len, sizeof(len));
		p += sizeof(len) + le32_to_cpu(len);
	}
	*ret_len = (u32)(p - (u8 *)blk);
	return 0;
}

int sfs_root_write(struct sfs_host *host, u64 fsid, const struct sfs_root *root)
{
	struct sfs_block_id id = {
		.magic = SFS_MAGIC_ROOT,
		.fsid = fsid,
		.owner = root->generation,
	};
	void *buf;
	u32 len;
	int ret;
	int i;

	buf = sfs_port_buf_alloc(SFS_ROOT_BYTES);
	if (!buf)
		return -ENOMEM;
	ret = encode(root, buf, &len);
	for (i = 0; i < 2 && ret == 0; i++) {
		id.addr = sfs_root_addr[i ^ root->first_copy];
		sfs_block_seal(buf, len, &id);
		ret = sfs_io_write(host, SFS_DEV_META, id.addr, buf,
				   SFS_ROOT_BYTES, SFS_IO_FUA);
	}
	if (ret < 0)
		sfs_err(host, "can not write the root at byte %llu: error %d",
			id.addr, ret);
	sfs_port_buf_free(buf, SFS_ROOT_BYTES);
	return ret;
}

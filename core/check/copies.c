// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is on the devices more than once: the identity of the volume, in three
 * places, and the root of the server's store, in two.
 *
 * The identity at the head of the metadata device is what a mount uses; when
 * it is damaged the check goes on with another one.
 *
 * Roots are written one after the other.  A crash in between leaves an older
 * second one, or one that is torn; the next start writes both.
 */
#include "check/check.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "engine/root.h"

/* ---- identity ------------------------------------------------------------ */

enum copy_nr {
	COPY_HEAD,
	COPY_TAIL,
	COPY_DATA,
	NR_COPIES,
};

static const char *const copy_name[] = {
	"at the head of the metadata device",
	"at the tail of the metadata device",
	"on the data device",
};

struct copy {
	struct sfs_identity ident;
	bool good;
};

static int read_copy(struct sfs_checker *ck, int nr, u64 offset,
		     struct sfs_identity_block *blk, struct copy *copy)
{
	int dev = nr == COPY_DATA ? SFS_DEV_DATA : SFS_DEV_META;
	struct sfs_wrong wrong;
	int ret;

	ret = sfs_io_read(ck->host, dev, offset, blk, sizeof(*blk));
	if (ret < 0) {
		sfs_check_found(ck, "identity %s, byte %llu: can not be read: error %d",
				copy_name[nr], offset, ret);
		return ret;
	}
	ck->res.blocks_read++;
	ret = sfs_identity_parse(blk, &wrong, &copy->ident);
	if (ret < 0) {
		sfs_check_found(ck, "identity %s, byte %llu: %s is %llx",
				copy_name[nr], offset, wrong.what,
				wrong.found);
		return ret;
	}
	copy->good = true;
	return 0;
}

static void differ_u64(struct sfs_checker *ck, int nr, const char *field,
		       u64 found, u64 expected)
{
	if (found != expected)
		sfs_check_found(ck, "identity %s: %s is %llx, expected %llx as %s",
				copy_name[nr], field, found, expected,
				copy_name[COPY_HEAD]);
}

static void differ_mem(struct sfs_checker *ck, int nr, const char *field,
		       const void *found, const void *expected, size_t len)
{
	if (memcmp(found, expected, len))
		sfs_check_found(ck, "identity %s: %s is not that %s",
				copy_name[nr], field, copy_name[COPY_HEAD]);
}

static void compare_copy(struct sfs_checker *ck, int nr,
			 const struct sfs_identity *a)
{
	const struct sfs_identity *b = &ck->ident;

	differ_u64(ck, nr, "is_meta", a->id.is_meta, nr != COPY_DATA);
	differ_u64(ck, nr, "fsid", a->id.fsid, b->id.fsid);
	differ_mem(ck, nr, "uuid", a->id.uuid, b->id.uuid,
		   sizeof(a->id.uuid));
	differ_u64(ck, nr, "interface version", a->id.interface_version,
		   b->id.interface_version);
	differ_u64(ck, nr, "metadata size", a->id.meta_bytes,
		   b->id.meta_bytes);
	differ_u64(ck, nr, "data size", a->id.data_bytes, b->id.data_bytes);
	differ_u64(ck, nr, "allocation zone", a->id.data_alloc_zone_blocks,
		   b->id.data_alloc_zone_blocks);
	differ_u64(ck, nr, "quorum version", a->id.quorum_version,
		   b->id.quorum_version);
	differ_mem(ck, nr, "hash key", a->hash_key, b->hash_key,
		   sizeof(a->hash_key));
	differ_mem(ck, nr, "list of quorum slots", a->id.slots, b->id.slots,
		   sizeof(a->id.slots));
}

static void check_device(struct sfs_checker *ck, int dev, const char *name,
			 u64 bytes)
{
	u64 size = sfs_port_dev_size(ck->host, dev);

	if (size < bytes)
		sfs_check_found(ck, "the %s device has %llu bytes, its volume needs %llu",
				name, size, bytes);
}

/* Without the head, the tail is where a volume on all of the device has it. */
static u64 tail_offset(struct sfs_checker *ck, const struct copy *head)
{
	u64 bytes = head->good ? head->ident.id.meta_bytes :
				 sfs_port_dev_size(ck->host, SFS_DEV_META);

	return round_down(bytes, SFS_META_TAIL) - SFS_META_TAIL;
}

static int read_copies(struct sfs_checker *ck, struct sfs_identity_block *blk,
		       struct copy *copies)
{
	struct copy *head = &copies[COPY_HEAD];
	int ret;
	int i;

	ret = read_copy(ck, COPY_HEAD, SFS_META_IDENTITY, blk, head);
	read_copy(ck, COPY_TAIL, tail_offset(ck, head), blk,
		  &copies[COPY_TAIL]);
	read_copy(ck, COPY_DATA, SFS_DATA_IDENTITY, blk, &copies[COPY_DATA]);
	for (i = 0; i < NR_COPIES && !copies[i].good; i++)
		;
	if (i == NR_COPIES)
		return ret;
	ck->ident = copies[i].ident;
	for (i = 0; i < NR_COPIES; i++) {
		if (copies[i].good)
			compare_copy(ck, i, &copies[i].ident);
	}
	return 0;
}

int sfs_check_identity(struct sfs_checker *ck)
{
	struct sfs_identity_block *blk;
	struct copy *copies;
	int ret;

	ret = sfs_check_phase(ck, "identity", NR_COPIES);
	if (ret < 0)
		return ret;
	copies = kcalloc(NR_COPIES, sizeof(*copies), GFP_NOFS);
	blk = sfs_port_buf_alloc(sizeof(*blk));
	ret = copies && blk ? read_copies(ck, blk, copies) : -ENOMEM;
	if (blk)
		sfs_port_buf_free(blk, sizeof(*blk));
	kfree(copies);
	if (ret < 0)
		return ret;
	check_device(ck, SFS_DEV_META, "metadata", ck->ident.id.meta_bytes);
	check_device(ck, SFS_DEV_DATA, "data", ck->ident.id.data_bytes);
	return 0;
}

/* ---- roots --------------------------------------------------------------- */

static bool is_zero(const u8 *p, u32 len)
{
	while (len && !*p) {
		p++;
		len--;
	}
	return len == 0;
}

/* 1 readable, 0 not, or a negative errno. */
static int read_root(struct sfs_checker *ck, int nr, void *buf,
		     struct sfs_root *root)
{
	const struct sfs_block_hdr *hdr = buf;
	struct sfs_wrong wrong;
	u32 len;
	int ret;

	ret = sfs_root_read_copy(ck->host, &ck->ident, nr, buf, &wrong, root);
	if (ret == -ENOMEM)
		return ret;
	ck->res.blocks_read++;
	if (ret < 0 && !wrong.what) {
		sfs_check_found(ck, "root at byte %llu: can not be read: error %d",
				sfs_root_addr[nr], ret);
		return 0;
	}
	if (ret < 0) {
		sfs_check_note(ck, "root at byte %llu is torn or damaged: %s is %llx, expected %llx",
			       sfs_root_addr[nr], wrong.what, wrong.found,
			       wrong.has_wanted ? wrong.wanted : 0);
		return 0;
	}
	len = le32_to_cpu(hdr->len);
	/* a torn write of a root that is shorter than the one before leaves that */
	if (!is_zero((u8 *)buf + len, SFS_ROOT_BYTES - len))
		sfs_check_note(ck, "root at byte %llu: bytes behind its length %u are not zero",
				sfs_root_addr[nr], len);
	return 1;
}

/* A crash between the two writes, in either order, leaves them one apart. */
static void compare_roots(struct sfs_checker *ck, const struct sfs_root *roots,
			  u8 *const *bufs)
{
	const struct sfs_block_hdr *hdr = (struct sfs_block_hdr *)bufs[0];
	int new = roots[1].generation > roots[0].generation;

	if (roots[new].generation > roots[!new].generation + 1) {
		sfs_check_found(ck, "root at byte %llu: generation is %llu, expected not less than %llu, one before that at byte %llu",
				sfs_root_addr[!new], roots[!new].generation,
				roots[new].generation - 1, sfs_root_addr[new]);
		return;
	}
	if (roots[new].generation > roots[!new].generation) {
		sfs_check_note(ck, "root at byte %llu has generation %llu, the one at byte %llu still %llu",
			       sfs_root_addr[new], roots[new].generation,
			       sfs_root_addr[!new], roots[!new].generation);
		return;
	}
	if (memcmp(bufs[0] + sizeof(*hdr), bufs[1] + sizeof(*hdr),
		   le32_to_cpu(hdr->len) - sizeof(*hdr)))
		sfs_check_found(ck, "roots at bytes %llu and %llu: contents differ, but both have generation %llu",
				sfs_root_addr[0], sfs_root_addr[1],
				roots[0].generation);
}

int sfs_check_roots(struct sfs_checker *ck)
{
	struct sfs_root roots[2] = {};
	u8 *bufs[2] = {};
	int good[2] = {};
	int ret;
	int i;

	ret = sfs_check_phase(ck, "roots", 2);
	for (i = 0; i < 2 && ret == 0; i++) {
		bufs[i] = sfs_port_buf_alloc(SFS_ROOT_BYTES);
		if (!bufs[i]) {
			ret = -ENOMEM;
			break;
		}
		good[i] = read_root(ck, i, bufs[i], &roots[i]);
		ret = min(good[i], 0);
	}
	if (ret == 0 && good[0] && good[1])
		compare_roots(ck, roots, bufs);
	for (i = 0; i < 2; i++) {
		if (good[i] > 0)
			sfs_root_free(&roots[i]);
		if (bufs[i])
			sfs_port_buf_free(bufs[i], SFS_ROOT_BYTES);
	}
	return ret;
}

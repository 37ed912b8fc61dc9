// SPDX-License-Identifier: GPL-2.0-only
/*
 * The identity of a volume: one 4 KiB block on each device that says which
 * volume this is, how large its parts are and who may run its server.
 *
 * Written by mkfs and by administrative commands only, never while mounted.
 * mkfs writes the copy at the head of the metadata device last: before that
 * write the devices are not a scoutfs volume, after it they are a whole one.
 * The copy at the tail of the metadata device serves when the head was
 * overwritten (check names it; a mount does not use it).
 */
#include "base/identity.h"

#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/report.h"

static const char *const dev_name[] = { "metadata", "data" };

void sfs_identity_geometry(u64 meta_bytes, u64 *ret_region_bytes,
			   u32 *ret_segment_bytes)
{
	u64 seg = clamp_t(u64, roundup_pow_of_two(meta_bytes / 1024),
			  64ULL << 10, 4ULL << 20);
	u64 region = clamp_t(u64, meta_bytes / 16, 8ULL << 20, 64ULL << 30);

	*ret_segment_bytes = (u32)seg;
	*ret_region_bytes = round_down(region, 64ULL << 10);
}

u64 sfs_identity_seg_start(const struct sfs_identity *ident)
{
	return SFS_META_REGION + ident->region_bytes;
}

u64 sfs_identity_nr_segs(const struct sfs_identity *ident)
{
	u64 start = sfs_identity_seg_start(ident);

	return div_u64(ident->id.meta_bytes - SFS_META_TAIL - start,
		       ident->segment_bytes);
}

static void encode(struct sfs_identity_block *blk,
		   const struct sfs_identity *ident, int dev)
{
	const struct sfs_volume_id *id = &ident->id;
	int i;

	memset(blk, 0, sizeof(*blk));
	blk->magic = cpu_to_le32(SFS_IDENTITY_MAGIC);
	blk->hdr_fsid = cpu_to_le64(id->fsid);
	blk->seq = cpu_to_le64(1);
	blk->blkno = cpu_to_le64(SFS_META_IDENTITY / SFS_UNIT);
	blk->id = blk->hdr_fsid;
	blk->fmt_vers = cpu_to_le64(SFS_FMT_VERS);
	blk->flags = cpu_to_le64(dev == SFS_DEV_META ? SFS_IDENTITY_META : 0);
	memcpy(blk->uuid, id->uuid, sizeof(blk->uuid));
	blk->our_version = cpu_to_le32(SFS_OUR_VERSION);
	blk->interface_version = cpu_to_le32(id->interface_version);
	blk->meta_bytes = cpu_to_le64(id->meta_bytes);
	blk->data_bytes = cpu_to_le64(id->data_bytes);
	blk->region_bytes = cpu_to_le64(ident->region_bytes);
	blk->segment_bytes = cpu_to_le32(ident->segment_bytes);
	blk->data_alloc_zone_blocks = cpu_to_le64(id->data_alloc_zone_blocks);
	memcpy(blk->hash_key, ident->hash_key, sizeof(blk->hash_key));
	blk->quorum_version = cpu_to_le64(id->quorum_version);
	for (i = 0; i < SFS_MAX_SLOTS; i++) {
		if (!id->slots[i].used)
			continue;
		blk->slots[i].family = id->slots[i].family;
		blk->slots[i].port = cpu_to_le16(id->slots[i].port);
		memcpy(blk->slots[i].addr, id->slots[i].addr,
		       sizeof(blk->slots[i].addr));
	}
	blk->crc = cpu_to_le32(crc32c(~0U, (u8 *)blk + 4, sizeof(*blk) - 4));
}

static int bad_field(struct sfs_wrong *wrong, const char *field, u64 value)
{
	*wrong = (struct sfs_wrong){ .what = field, .found = value };
	return -EUCLEAN;
}

static int check_sizes(const struct sfs_identity *ident,
		       struct sfs_wrong *wrong)
{
	const struct sfs_volume_id *id = &ident->id;
	u64 region;
	u32 seg;

	if (id->meta_bytes < SFS_MIN_DEV_BYTES || id->meta_bytes > 1ULL << 56 ||
	    !IS_ALIGNED(id->meta_bytes, 64 << 10))
		return bad_field(wrong, "metadata size", id->meta_bytes);
	if (id->data_bytes < SFS_MIN_DEV_BYTES || id->data_bytes > 1ULL << 60 ||
	    !IS_ALIGNED(id->data_bytes, SFS_UNIT))
		return bad_field(wrong, "data size", id->data_bytes);
	sfs_identity_geometry(id->meta_bytes, &region, &seg);
	if (ident->region_bytes != region)
		return bad_field(wrong, "server region size",
				 ident->region_bytes);
	if (ident->segment_bytes != seg)
		return bad_field(wrong, "segment size", ident->segment_bytes);
	if (id->interface_version < 1 || id->interface_version > 2)
		return bad_field(wrong, "interface version",
				 id->interface_version);
	return 0;
}

static int decode_slots(const struct sfs_identity_block *blk,
			struct sfs_volume_id *id, struct sfs_wrong *wrong)
{
	int i;

	for (i = 0; i < SFS_MAX_SLOTS; i++) {
		if (blk->slots[i].family != 0 && blk->slots[i].family != 4)
			return bad_field(wrong, "quorum slot family",
					 blk->slots[i].family);
		id->slots[i].used = blk->slots[i].family != 0;
		id->slots[i].family = blk->slots[i].family;
		id->slots[i].port = le16_to_cpu(blk->slots[i].port);
		memcpy(id->slots[i].addr, blk->slots[i].addr,
		       sizeof(id->slots[i].addr));
	}
	return 0;
}

static int decode(const struct sfs_identity_block *blk,
		  struct sfs_identity *ident, struct sfs_wrong *wrong)
{
	struct sfs_volume_id *id = &ident->id;
	u64 unknown;
	int ret;

	memset(ident, 0, sizeof(*ident));
	id->fsid = le64_to_cpu(blk->id);
	memcpy(id->uuid, blk->uuid, sizeof(id->uuid));
	id->is_meta = !!(le64_to_cpu(blk->flags) & SFS_IDENTITY_META);
	id->interface_version = le32_to_cpu(blk->interface_version);
	id->meta_bytes = le64_to_cpu(blk->meta_bytes);
	id->data_bytes = le64_to_cpu(blk->data_bytes);
	id->data_alloc_zone_blocks = le64_to_cpu(blk->data_alloc_zone_blocks);
	id->quorum_version = le64_to_cpu(blk->quorum_version);
	ident->region_bytes = le64_to_cpu(blk->region_bytes);
	ident->segment_bytes = le32_to_cpu(blk->segment_bytes);
	memcpy(ident->hash_key, blk->hash_key, sizeof(ident->hash_key));
	ret = decode_slots(blk, id, wrong);
	if (ret < 0)
		return ret;
	unknown = (le64_to_cpu(blk->incompat) & ~SFS_INCOMPAT_KNOWN) |
		  (le64_to_cpu(blk->ro_compat) & ~SFS_RO_COMPAT_KNOWN);
	if (le32_to_cpu(blk->our_version) != SFS_OUR_VERSION || unknown) {
		*wrong = (struct sfs_wrong){
			.what = "format",
			.found = le32_to_cpu(blk->our_version),
			.wanted = unknown,
		};
		return -EPROTONOSUPPORT;
	}
	if (blk->hdr_fsid != blk->id)
		return bad_field(wrong, "fsid", le64_to_cpu(blk->hdr_fsid));
	return check_sizes(ident, wrong);
}

int sfs_identity_parse(const struct sfs_identity_block *blk,
		       struct sfs_wrong *ret_wrong,
		       struct sfs_identity *ret_ident)
{
	struct sfs_identity ident;
	u32 crc;
	int ret;

	if (le32_to_cpu(blk->magic) != SFS_IDENTITY_MAGIC) {
		bad_field(ret_wrong, "magic", le32_to_cpu(blk->magic));
		return -ENODATA;
	}
	if (le64_to_cpu(blk->fmt_vers) != SFS_FMT_VERS) {
		bad_field(ret_wrong, "format version",
			  le64_to_cpu(blk->fmt_vers));
		return -EPROTONOSUPPORT;
	}
	crc = crc32c(~0U, (u8 *)blk + 4, sizeof(*blk) - 4);
	if (le32_to_cpu(blk->crc) != crc)
		return bad_field(ret_wrong, "crc", le32_to_cpu(blk->crc));
	ret = decode(blk, &ident, ret_wrong);
	if (ret == 0)
		*ret_ident = ident;
	return ret;
}

static void uuid_to_text(const u8 *uuid, char *buf, u32 size)
{
	u32 at = 0;
	int i;

	for (i = 0; i < 16; i++)
		at += scnprintf(buf + at, size - at, "%02x%s", uuid[i],
				i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
}

static void slot_to_text(const struct sfs_volume_id *id, u32 nr, char *buf,
			 u32 size)
{
	const struct sfs_quorum_slot *slot = &id->slots[nr];

	scnprintf(buf, size, "quorum slot %u %u.%u.%u.%u:%u", nr,
		  slot->addr[0], slot->addr[1], slot->addr[2], slot->addr[3],
		  slot->port);
}

/* The line after that of slot @nr - 1. */
static u32 next_slot(const struct sfs_volume_id *id, u32 nr)
{
	while (nr < SFS_MAX_SLOTS && !id->slots[nr].used)
		nr++;
	return nr < SFS_MAX_SLOTS ? nr + 1 : 0;
}

u32 sfs_identity_to_text(const struct sfs_identity *ident, u32 nr, char *buf,
			 u32 size)
{
	const struct sfs_volume_id *id = &ident->id;
	char uuid[40];

	if (nr > 0) {
		slot_to_text(id, nr - 1, buf, size);
		return next_slot(id, nr);
	}
	uuid_to_text(id->uuid, uuid, sizeof(uuid));
	scnprintf(buf, size,
		  "volume fsid %016llx uuid %s interface version %u metadata bytes %llu data bytes %llu server region bytes %llu segment bytes %u segments %llu data allocation zone %llu quorum version %llu",
		  id->fsid, uuid, id->interface_version, id->meta_bytes,
		  id->data_bytes, ident->region_bytes, ident->segment_bytes,
		  sfs_identity_nr_segs(ident), id->data_alloc_zone_blocks,
		  id->quorum_version);
	return next_slot(id, 0);
}

static void log_wrong(struct sfs_host *host, int dev, int err,
		      const struct sfs_identity_block *blk,
		      const struct sfs_wrong *wrong)
{
	if (err == -ENODATA)
		sfs_err(host,
			"no scoutfs on the %s device: make one with mkfs.scoutfs",
			dev_name[dev]);
	else if (err == -EUCLEAN)
		sfs_err(host,
			"identity block of the %s device is damaged: %s is %llu",
			dev_name[dev], wrong->what, wrong->found);
	else if (le64_to_cpu(blk->fmt_vers) != SFS_FMT_VERS)
		sfs_err(host,
			"the %s device holds a scoutfs of format version %llu, made by another implementation",
			dev_name[dev], wrong->found);
	else
		sfs_err(host,
			"the %s device holds a scoutfs of format %llu with features %llx that this version does not know: use a newer one",
			dev_name[dev], wrong->found, wrong->wanted);
}

int sfs_identity_read(struct sfs_host *host, int dev,
		      struct sfs_identity *ret_ident)
{
	struct sfs_identity_block *blk;
	struct sfs_wrong wrong;
	int ret;

	blk = sfs_port_buf_alloc(sizeof(*blk));
	if (!blk)
		return -ENOMEM;
	ret = sfs_io_read(host, dev, SFS_META_IDENTITY, blk, sizeof(*blk));
	if (ret < 0) {
		sfs_err(host, "can not read the %s device: error %d",
			dev_name[dev], ret);
	} else {
		ret = sfs_identity_parse(blk, &wrong, ret_ident);
		if (ret < 0)
			log_wrong(host, dev, ret, blk, &wrong);
	}
	sfs_port_buf_free(blk, sizeof(*blk));
	return ret;
}

int sfs_read_identity(struct sfs_host *host, int dev,
		      struct sfs_volume_id *ret_id)
{
	struct sfs_identity ident;
	int ret;

	ret = sfs_identity_read(host, dev, &ident);
	if (ret == 0)
		*ret_id = ident.id;
	return ret;
}

int sfs_identity_write(struct sfs_host *host, const struct sfs_identity *ident)
{
	struct sfs_identity_block *blk;
	u64 tail = ident->id.meta_bytes - SFS_META_TAIL;
	int ret;

	blk = sfs_port_buf_alloc(sizeof(*blk));
	if (!blk)
		return -ENOMEM;
	encode(blk, ident, SFS_DEV_DATA);
	ret = sfs_io_write(host, SFS_DEV_DATA, SFS_DATA_IDENTITY, blk,
			   sizeof(*blk), SFS_IO_FUA);
	if (ret == 0) {
		encode(blk, ident, SFS_DEV_META);
		ret = sfs_io_write(host, SFS_DEV_META, tail, blk, sizeof(*blk),
				   SFS_IO_FUA);
	}
	if (ret == 0)
		ret = sfs_io_write(host, SFS_DEV_META, SFS_META_IDENTITY, blk,
				   sizeof(*blk), SFS_IO_FUA);
	sfs_port_buf_free(blk, sizeof(*blk));
	return ret;
}

static int too_small(struct sfs_host *host, int dev, u64 bytes)
{
	u64 size = sfs_port_dev_size(host, dev);

	if (size >= bytes)
		return 0;
	sfs_err(host,
		"the %s device has %llu bytes, its volume needs %llu: was it truncated?",
		dev_name[dev], size, bytes);
	return -EINVAL;
}

int sfs_identity_load(struct sfs_host *host, struct sfs_identity *ret_ident)
{
	struct sfs_identity meta;
	struct sfs_identity data;
	int ret;

	ret = sfs_identity_read(host, SFS_DEV_META, &meta) ?:
	      sfs_identity_read(host, SFS_DEV_DATA, &data);
	if (ret < 0)
		return ret;
	if (!meta.id.is_meta && data.id.is_meta) {
		sfs_err(host,
			"the two devices are swapped: metadev_path names the data device");
		return -EINVAL;
	}
	if (!meta.id.is_meta || data.id.is_meta) {
		sfs_err(host, "both devices are %s devices",
			meta.id.is_meta ? "metadata" : "data");
		return -EINVAL;
	}
	if (meta.id.fsid != data.id.fsid ||
	    memcmp(meta.id.uuid, data.id.uuid, sizeof(meta.id.uuid))) {
		sfs_err(host,
			"the devices belong to different volumes: metadata %016llx, data %016llx",
			meta.id.fsid, data.id.fsid);
		return -EINVAL;
	}
	ret = too_small(host, SFS_DEV_META, meta.id.meta_bytes) ?:
	      too_small(host, SFS_DEV_DATA, meta.id.data_bytes);
	if (ret == 0)
		*ret_ident = meta;
	return ret;
}

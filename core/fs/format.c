// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making a volume: geometry, the first items, and the identity last.
 *
 * Whatever was on the devices stays recognizable until the identity block of
 * the metadata device is written over its place: an mkfs that is interrupted
 * leaves no scoutfs volume.
 */
#include "fs/fs.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "api.h"
#include "base/block.h"
#include "base/identity.h"
#include "base/report.h"
#include "engine/itemblock.h"
#include "server/format.h"

struct collect {
	struct sfs_memgen *gen;
	int err;
};

static void collect_item(void *arg, const struct sfs_key *key, const void *val,
			 u32 len)
{
	u32 bytes = sfs_memgen_item_bytes(len) + 8;
	struct collect *col = arg;
	u8 *mem;
	int ret;

	ret = sfs_memgen_cut(col->gen, bytes, &mem);
	if (ret < 0) {
		col->err = ret;
		return;
	}
	sfs_memgen_set(col->gen, &mem, &bytes, key, 0, SFS_ITEM_VALUE, val,
		       len);
}

static int choose_size(struct sfs_host *host, int dev, const char *name,
		       u64 wish, u32 align, u64 *ret_bytes)
{
	u64 size = sfs_port_dev_size(host, dev);

	if (wish)
		size = min(size, wish);
	size = round_down(size, align);
	if (size < SFS_MIN_DEV_BYTES) {
		sfs_err(host,
			"the %s device has %llu bytes, at least %llu are needed",
			name, size, SFS_MIN_DEV_BYTES);
		return -EINVAL;
	}
	*ret_bytes = size;
	return 0;
}

static void random_id(struct sfs_host *host, struct sfs_identity *ident)
{
	struct sfs_volume_id *id = &ident->id;
	static const u8 none[16];

	while (id->fsid == 0)
		sfs_port_random(host, &id->fsid, sizeof(id->fsid));
	if (memcmp(id->uuid, none, sizeof(none)) == 0) {
		sfs_port_random(host, id->uuid, sizeof(id->uuid));
		/* RFC 4122: version 4, variant 1 */
		id->uuid[6] = (id->uuid[6] & 0x0f) | 0x40;
		id->uuid[8] = (id->uuid[8] & 0x3f) | 0x80;
	}
	sfs_port_random(host, ident->hash_key, sizeof(ident->hash_key));
}

static int make_identity(struct sfs_host *host,
			 const struct sfs_format_opts *opts,
			 struct sfs_identity *ident)
{
	struct sfs_volume_id *id = &ident->id;
	int ret;
	int i;

	memset(ident, 0, sizeof(*ident));
	ret = choose_size(host, SFS_DEV_META, "metadata", opts->meta_bytes,
			  64 << 10, &id->meta_bytes);
	if (ret == 0)
		ret = choose_size(host, SFS_DEV_DATA, "data", opts->data_bytes,
				  SFS_UNIT, &id->data_bytes);
	if (ret < 0)
		return ret;
	if (opts->interface_version < 1 || opts->interface_version > 2)
		return -EINVAL;
	id->is_meta = 1;
	id->fsid = opts->fsid;
	memcpy(id->uuid, opts->uuid, sizeof(id->uuid));
	id->interface_version = opts->interface_version;
	id->data_alloc_zone_blocks = opts->data_alloc_zone_blocks;
	for (i = 0; i < SFS_MAX_SLOTS; i++) {
		id->slots[i] = opts->slots[i];
		if (opts->slots[i].used)
			id->quorum_version = 1;
	}
	random_id(host, ident);
	sfs_identity_geometry(id->meta_bytes, &ident->region_bytes,
			      &ident->segment_bytes);
	return 0;
}

/* Slot and owner blocks of whatever was here before. */
static int clear_blocks(struct sfs_host *host)
{
	u32 len = SFS_META_ROOT_A - SFS_META_SLOTS;
	void *buf;
	int ret;

	buf = sfs_port_buf_alloc(len);
	if (!buf)
		return -ENOMEM;
	memset(buf, 0, len);
	ret = sfs_io_write(host, SFS_DEV_META, SFS_META_SLOTS, buf, len,
			   SFS_IO_FUA);
	sfs_port_buf_free(buf, len);
	return ret;
}

int sfs_format(struct sfs_host *host, const struct sfs_format_opts *opts,
	       struct sfs_volume_id *ret_id)
{
	struct sfs_identity ident;
	struct collect col = {};
	u32 nsec;
	s64 sec;
	int ret;

	ret = make_identity(host, opts, &ident);
	if (ret < 0)
		return ret;
	col.gen = sfs_memgen_create();
	if (!col.gen)
		return -ENOMEM;
	sfs_port_wall_time(host, &sec, &nsec);
	ret = sfs_fs_format_items(collect_item, &col, sec, nsec);
	if (ret == 0)
		ret = col.err;
	if (ret == 0)
		ret = clear_blocks(host);
	if (ret == 0)
		ret = sfs_server_format(host, &ident, col.gen);
	if (ret == 0)
		ret = sfs_identity_write(host, &ident);
	sfs_memgen_put(col.gen);
	if (ret == 0)
		*ret_id = ident.id;
	return ret;
}

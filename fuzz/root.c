/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Roots of the server's store, and what they lead to.  A root that passes its
 * validator can be written again and then reads the same; opening the store
 * with it ends with an error or with a store, whatever its slices and the
 * place of its log are.
 *
 * Input: the root after the header of its block.
 */
#include "lib/fuzz.h"

#include <linux/bug.h>
#include <linux/string.h>
#include "base/block.h"
#include "engine/root.h"
#include "engine/store.h"

#define META_BYTES SFS_MIN_DEV_BYTES

static void identity(struct sfs_identity *ident)
{
	memset(ident, 0, sizeof(*ident));
	ident->id.fsid = 1;
	ident->id.meta_bytes = META_BYTES;
	ident->id.data_bytes = SFS_MIN_DEV_BYTES;
	sfs_identity_geometry(META_BYTES, &ident->region_bytes,
			      &ident->segment_bytes);
}

static void put_root(struct sfs_host *host, u64 addr, const u8 *data, u32 len)
{
	struct sfs_block_id id = {
		.magic = SFS_MAGIC_ROOT,
		.fsid = 1,
		.addr = addr,
		.owner = 7,
	};
	u32 hdr = sizeof(struct sfs_block_hdr);
	u8 *buf = host->dev[SFS_DEV_META] + addr;

	memcpy(buf + hdr, data, len);
	sfs_block_seal(buf, hdr + len, &id);
}

static void check_again(struct sfs_host *host,
			const struct sfs_identity *ident,
			const struct sfs_root *root)
{
	struct sfs_root again;

	if (sfs_root_write(host, ident->id.fsid, root) < 0)
		return;
	if (sfs_root_read(host, ident, &again) < 0)
		BUG();
	BUG_ON(again.generation != root->generation);
	BUG_ON(again.term != root->term);
	BUG_ON(again.next_id != root->next_id);
	BUG_ON(again.nr_slices != root->nr_slices);
	BUG_ON(again.log.addr != root->log.addr);
	BUG_ON(again.log.pos != root->log.pos);
	sfs_root_free(&again);
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	struct sfs_identity ident;
	struct sfs_store *store;
	struct sfs_root root;

	if (len > SFS_ROOT_BYTES - sizeof(struct sfs_block_hdr))
		return;
	identity(&ident);
	host->size[SFS_DEV_META] = META_BYTES;
	put_root(host, SFS_META_ROOT_A, data, (u32)len);
	put_root(host, SFS_META_ROOT_B, data, (u32)len);
	if (sfs_root_read(host, &ident, &root) < 0)
		return;
	check_again(host, &ident, &root);
	sfs_root_free(&root);
	if (sfs_store_open_readonly(host, &ident, &store) == 0)
		sfs_store_close(store);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

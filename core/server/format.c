// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new volume as the server sees it: one run with the first items in the
 * first segment, all of the data device free, counters at their beginnings.
 *
 * Nothing of it counts before the identity is written, which the caller does
 * last.
 */
#include "server/format.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/block.h"
#include "base/report.h"
#include "engine/run_write.h"
#include "engine/store.h"
#include "server/srv_format.h"

#define FIRST_INO 1024

struct first_space {
	u64 addr;
	u64 end;
};

static int first_space_get(void *arg, u32 len, u64 *ret_addr)
{
	struct first_space *space = arg;

	if (space->end - space->addr < len)
		return -ENOSPC;
	*ret_addr = space->addr;
	space->addr += len;
	return 0;
}

static int write_run(struct sfs_host *host, const struct sfs_identity *ident,
		     struct sfs_memgen *gen, struct sfs_run **ret_run)
{
	u64 start = sfs_identity_seg_start(ident);
	struct first_space first = { start, start + ident->segment_bytes };
	struct sfs_run_space space = { first_space_get, &first };
	struct sfs_run_writer *wr;
	int ret;

	wr = sfs_run_writer_create(host, ident->id.fsid, 1,
				   SFS_FILTER_HAS_NAMES, &space);
	if (IS_ERR(wr))
		return PTR_ERR(wr);
	ret = sfs_run_writer_add_gen(wr, gen);
	if (ret < 0) {
		sfs_run_writer_abort(wr);
		return ret;
	}
	ret = sfs_run_writer_finish(wr, ret_run);
	return ret ?: sfs_port_flush(host, SFS_DEV_META);
}

static int put_items(struct sfs_store *store, const struct sfs_identity *ident,
		     const struct sfs_slice *slice, u8 *buf)
{
	u64 blocks = ident->id.data_bytes / SFS_UNIT;
	__le64 free = cpu_to_le64(blocks - SFS_DATA_FIRST / SFS_UNIT);
	struct sfs_srv_state state = {
		.version = cpu_to_le64(1),
		.next_seq = cpu_to_le64(1),
		.next_run = cpu_to_le64(2),
		.next_slice = cpu_to_le64(2),
		.next_order = cpu_to_le64(1),
		.next_ino = cpu_to_le64(FIRST_INO),
	};
	struct sfs_store_txn txn;
	struct sfs_key key;
	u32 len;
	int ret;

	len = sfs_slice_encode(slice, buf);
	ret = sfs_store_begin(store, &txn, 3, len + sizeof(state) + 8);
	if (ret < 0)
		return ret;
	key = SFS_SRV_KEY(SFS_SRV_STATE, 0, 0);
	sfs_store_put(store, &txn, &key, &state, sizeof(state));
	key = SFS_SRV_KEY(SFS_SRV_SLICE, slice->id, 0);
	sfs_store_put(store, &txn, &key, buf, len);
	key = SFS_SRV_KEY(SFS_SRV_DATA_FREE, blocks - 1, 0);
	sfs_store_put(store, &txn, &key, &free, sizeof(free));
	return sfs_store_wait(store, sfs_store_end(store, &txn));
}

int sfs_server_format(struct sfs_host *host, const struct sfs_identity *ident,
		      struct sfs_memgen *gen)
{
	struct sfs_slice *slice = NULL;
	struct sfs_store *store;
	struct sfs_run *run;
	u8 *buf;
	int ret;

	ret = sfs_store_format(host, ident);
	if (ret == 0)
		ret = write_run(host, ident, gen, &run);
	if (ret < 0)
		return ret;
	buf = kmalloc(SFS_DISK_SLICE_MAX, GFP_NOFS);
	slice = sfs_slice_create(run, 1, 1, 0);
	ret = buf && slice ? sfs_store_open(host, ident, &store) : -ENOMEM;
	if (ret == 0) {
		ret = put_items(store, ident, slice, buf);
		sfs_store_close(store);
	}
	if (slice)
		sfs_slice_put(slice);
	sfs_run_put(run);
	kfree(buf);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading what the server's store says of the volume: counters and manifest.
 *
 * The server does so when it starts, check and print do it on a store that was
 * opened for reading.  Nothing is written.
 */
#include "server/load.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/report.h"
#include "engine/store.h"
#include "server/srv_format.h"

/* ---- counters ------------------------------------------------------------ */

int sfs_srv_counters_decode(const void *val, u32 len,
			    struct sfs_srv_counters *ret_cnt)
{
	struct sfs_srv_state state;

	if (len != sizeof(state))
		return -EIO;
	/* items lie in blocks at any address */
	memcpy(&state, val, sizeof(state));
	*ret_cnt = (struct sfs_srv_counters){
		.version = le64_to_cpu(state.version),
		.stable = le64_to_cpu(state.stable),
		.next_seq = le64_to_cpu(state.next_seq),
		.next_run = le64_to_cpu(state.next_run),
		.next_slice = le64_to_cpu(state.next_slice),
		.next_order = le64_to_cpu(state.next_order),
		.next_ino = le64_to_cpu(state.next_ino),
	};
	return 0;
}

int sfs_srv_read_counters(struct sfs_engine *items,
			  struct sfs_srv_counters *ret_cnt)
{
	struct sfs_key key = SFS_SRV_KEY(SFS_SRV_STATE, 0, 0);
	struct sfs_srv_state state;
	int ret;

	ret = sfs_engine_get(items, &key, &state, sizeof(state));
	if (ret >= 0 &&
	    sfs_srv_counters_decode(&state, (u32)ret, ret_cnt) == 0)
		return 0;
	sfs_err(items->host, "damaged server state: %d bytes", ret);
	return ret < 0 && ret != -ENOENT ? ret : -EIO;
}

/* ---- manifest ------------------------------------------------------------ */

int sfs_slice_list_add(struct sfs_slice_list *list, struct sfs_slice *slice)
{
	struct sfs_slice **bigger;
	u32 cap;

	if (list->nr == list->cap) {
		cap = list->cap ? 2 * list->cap : 64;
		bigger = kvmalloc_array(cap, sizeof(*bigger), GFP_NOFS);
		if (!bigger)
			return -ENOMEM;
		if (list->nr)
			memcpy(bigger, list->slices,
			       list->nr * sizeof(*bigger));
		kvfree(list->slices);
		list->slices = bigger;
		list->cap = cap;
	}
	list->slices[list->nr++] = slice;
	return 0;
}

void sfs_slice_list_free(struct sfs_slice_list *list)
{
	u32 i;

	for (i = 0; i < list->nr; i++)
		sfs_slice_put(list->slices[i]);
	kvfree(list->slices);
	memset(list, 0, sizeof(*list));
}

static int read_slices(struct sfs_engine *items, u64 meta_bytes,
		       struct sfs_slice_list *list)
{
	struct sfs_key first = SFS_SRV_KEY(SFS_SRV_SLICE, 0, 0);
	struct sfs_key last = SFS_SRV_KEY(SFS_SRV_SLICE, U64_MAX, U64_MAX);
	struct sfs_slice *slice;
	struct sfs_iter it;
	int ret;

	sfs_iter_init(items, &it, &first, &last);
	while ((ret = sfs_iter_next(&it)) > 0) {
		ret = sfs_slice_decode(items->host, it.val, it.val_len,
				       meta_bytes, &slice);
		if (ret == 0) {
			ret = sfs_slice_list_add(list, slice);
			if (ret < 0)
				sfs_slice_put(slice);
		}
		if (ret < 0)
			break;
	}
	sfs_iter_exit(&it);
	return ret;
}

int sfs_srv_step_manifest(struct sfs_engine *vol, const struct sfs_edit *edit)
{
	struct sfs_manifest *old = sfs_engine_manifest(vol);
	struct sfs_manifest *man;
	int ret;

	man = sfs_manifest_apply(vol->host, old, edit);
	sfs_manifest_put(vol, old);
	if (IS_ERR(man))
		return PTR_ERR(man);
	sfs_engine_adopt(vol, man);
	ret = sfs_engine_swap(vol, NULL, 0, man);
	sfs_manifest_put(vol, man);
	return ret;
}

int sfs_srv_load_manifest(struct sfs_store *store, u64 meta_bytes,
			  const struct sfs_srv_counters *cnt,
			  struct sfs_engine *vol)
{
	struct sfs_slice_list list = {};
	struct sfs_edit edit = {
		.version = cnt->version,
		.stable = cnt->stable,
	};
	int ret;

	sfs_store_lock(store);
	ret = read_slices(sfs_store_engine(store), meta_bytes, &list);
	sfs_store_unlock(store);
	edit.add = list.slices;
	edit.nr_add = list.nr;
	if (ret == 0)
		ret = sfs_srv_step_manifest(vol, &edit);
	sfs_slice_list_free(&list);
	return ret == -EUCLEAN ? -EIO : ret;
}

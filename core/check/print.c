// SPDX-License-Identifier: GPL-2.0-only
/*
 * A volume as text: identity, roots and log, the items of the server with the
 * manifest among them, and the items of the volume.
 *
 * Each object has its printer beside its decoder; here they are only put in
 * order.  Needs the metadata device alone.  What can not be read ends the
 * output with an error after everything before it.
 */
#include "api.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include "engine/store.h"
#include "fs/fs.h"
#include "server/load.h"
#include "server/srv_items.h"

#define LINE_BYTES 2048
#define VOL_CACHE_BYTES (4ULL << 20)

struct printing {
	struct sfs_identity ident;
	void (*line)(void *arg, const char *text);
	void *arg;
	char *buf;			/* LINE_BYTES */
};

static void print_identity(struct printing *pr)
{
	u32 at = 0;

	do {
		at = sfs_identity_to_text(&pr->ident, at, pr->buf, LINE_BYTES);
		pr->line(pr->arg, pr->buf);
	} while (at);
}

static int print_items(struct printing *pr, struct sfs_engine *eng,
		       bool of_server)
{
	struct sfs_iter it;
	int len;
	int ret;

	sfs_iter_init(eng, &it, &SFS_KEY_MIN, &SFS_KEY_MAX);
	while ((ret = sfs_iter_next(&it)) > 0) {
		len = scnprintf(pr->buf, LINE_BYTES, SFS_KEY_FMT " = ",
				SFS_KEY_ARG(&it.key));
		if (of_server)
			sfs_srv_item_to_text(&it.key, it.val, it.val_len,
					     pr->ident.id.meta_bytes,
					     pr->buf + len, LINE_BYTES - len);
		else
			sfs_fs_item_to_text(&it.key, it.val, it.val_len,
					    pr->buf + len, LINE_BYTES - len);
		pr->line(pr->arg, pr->buf);
	}
	sfs_iter_exit(&it);
	return ret;
}

static int print_volume(struct printing *pr, struct sfs_host *host,
			struct sfs_store *store)
{
	struct sfs_srv_counters cnt;
	struct sfs_engine vol;
	int ret;

	ret = sfs_engine_init(&vol, host, pr->ident.id.fsid, VOL_CACHE_BYTES);
	if (ret < 0)
		return ret;
	ret = sfs_srv_read_counters(sfs_store_engine(store), &cnt);
	if (ret == 0)
		ret = sfs_srv_load_manifest(store, pr->ident.id.meta_bytes,
					    &cnt, &vol);
	if (ret == 0)
		ret = print_items(pr, &vol, false);
	sfs_engine_exit(&vol);
	return ret;
}

int sfs_print(struct sfs_host *host, int flags,
	      void (*line)(void *arg, const char *text), void *arg)
{
	struct printing pr = { .line = line, .arg = arg };
	struct sfs_store *store;
	int ret;

	pr.buf = kmalloc(LINE_BYTES, GFP_NOFS);
	if (!pr.buf)
		return -ENOMEM;
	ret = sfs_identity_read(host, SFS_DEV_META, &pr.ident);
	if (ret < 0)
		goto out;
	print_identity(&pr);
	ret = sfs_store_open_readonly(host, &pr.ident, &store);
	if (ret < 0)
		goto out;
	sfs_store_print(store, line, arg);
	ret = print_items(&pr, sfs_store_engine(store), true);
	if (ret == 0 && (flags & SFS_PRINT_ITEMS))
		ret = print_volume(&pr, host, store);
	sfs_store_close(store);
out:
	kfree(pr.buf);
	return ret;
}

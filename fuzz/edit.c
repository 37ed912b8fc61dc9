/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * New versions of the manifest as the server tells them.  What the decoder
 * lets through is applied to an empty manifest or does not fit it.
 *
 * Input: the payload of the message.
 */
#include "lib/fuzz.h"

#include <linux/bug.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "mount/publish.h"

#define META_BYTES (1ULL << 30)

static void apply(struct sfs_host *host, const struct sfs_edit *edit)
{
	struct sfs_manifest *old = sfs_manifest_create();
	struct sfs_manifest *man;

	BUG_ON(!old);
	man = sfs_manifest_apply(host, old, edit);
	BUG_ON(IS_ERR(man) && PTR_ERR(man) != -EUCLEAN);
	BUG_ON(!IS_ERR(man) && edit->nr_del);
	if (!IS_ERR(man))
		sfs_manifest_free(man);
	sfs_manifest_free(old);
}

static void one(struct sfs_host *host, const u8 *data, size_t len)
{
	static struct sfs_fs fs;	/* too large for a fiber */
	struct sfs_edit edit = {};
	struct sfs_msg *msg;

	fs.host = host;
	fs.ident.id.meta_bytes = META_BYTES;
	msg = sfs_msg_alloc(SFS_MSG_EDIT, (u32)len);
	BUG_ON(!msg);
	memcpy(msg->payload, data, len);
	if (sfs_mount_decode_edit(&fs, msg, &edit) == 0)
		apply(host, &edit);
	sfs_mount_free_edit(&edit);
	sfs_msg_free(msg);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	return fuzz_run(one, data, len);
}

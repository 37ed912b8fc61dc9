/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner block: its layout, and what one that was read means for somebody
 * who wants the volume.  The protocol around it is described in owner.h.
 *
 * A block that is not intact is watched like a live one: it may be half of a
 * rewrite.  Everything is little endian; the crc is the usual crc32c, with
 * inverted seed and result, of the block with the crc field zero.
 */
#include <asm/byteorder.h>
#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include "base/report.h"
#include "owner.h"

#define OWNER_MAGIC 0x72656e776f736673ULL	/* "sfsowner" */

struct owner_block {
	__le64 magic;
	__le32 crc;
	__le32 state;
	__le64 fsid;
	__le64 rid;
	__le64 nonce;
	__le64 counter;
	__le64 start_time;
	__le64 pid_ns;
	__le32 pid;
	__le32 pad;
	char boot_id[40];
	char host_name[72];
	char zero[SFS_OWNER_BYTES - 184];
};
static_assert(sizeof(struct owner_block) == SFS_OWNER_BYTES);
static_assert(offsetof(struct owner_block, crc) == 8);
static_assert(offsetof(struct owner_block, boot_id) == 72);
static_assert(offsetof(struct owner_block, zero) == 184);

static u32 block_crc(const struct owner_block *ob)
{
	const u32 before = offsetof(struct owner_block, crc);
	const u32 after = before + sizeof(ob->crc);
	const __le32 zero = 0;
	u32 crc;

	crc = crc32c(~0U, ob, before);
	crc = crc32c(crc, &zero, sizeof(zero));
	return ~crc32c(crc, (const u8 *)ob + after, sizeof(*ob) - after);
}

static bool is_intact(const struct owner_block *ob)
{
	return le64_to_cpu(ob->magic) == OWNER_MAGIC &&
	       le32_to_cpu(ob->crc) == block_crc(ob) &&
	       memchr(ob->boot_id, 0, sizeof(ob->boot_id)) &&
	       memchr(ob->host_name, 0, sizeof(ob->host_name));
}

/* Alive as far as its state goes. */
static bool is_claimed(const struct owner_block *ob)
{
	u32 state = le32_to_cpu(ob->state);

	return state == SFS_OWNER_ACTIVE || state == SFS_OWNER_STOPPING;
}

void sfs_owner_block_encode(const struct sfs_owner_info *info, void *block)
{
	struct owner_block *ob = block;

	SFS_ASSERT(memchr(info->boot_id, 0, sizeof(info->boot_id)));
	SFS_ASSERT(memchr(info->host_name, 0, sizeof(info->host_name)));
	memset(ob, 0, sizeof(*ob));
	ob->magic = cpu_to_le64(OWNER_MAGIC);
	ob->state = cpu_to_le32(info->state);
	ob->fsid = cpu_to_le64(info->fsid);
	ob->rid = cpu_to_le64(info->rid);
	ob->nonce = cpu_to_le64(info->nonce);
	ob->counter = cpu_to_le64(info->counter);
	ob->start_time = cpu_to_le64(info->start_time);
	ob->pid_ns = cpu_to_le64(info->pid_ns);
	ob->pid = cpu_to_le32(info->pid);
	memcpy(ob->boot_id, info->boot_id, sizeof(ob->boot_id));
	memcpy(ob->host_name, info->host_name, sizeof(ob->host_name));
	ob->crc = cpu_to_le32(block_crc(ob));
}

int sfs_owner_block_decode(const void *block, struct sfs_owner_info *ret_info)
{
	const struct owner_block *ob = block;

	if (le64_to_cpu(ob->magic) != OWNER_MAGIC)
		return -ENODATA;
	if (!is_intact(ob))
		return -EUCLEAN;
	ret_info->state = le32_to_cpu(ob->state);
	ret_info->pid = le32_to_cpu(ob->pid);
	ret_info->fsid = le64_to_cpu(ob->fsid);
	ret_info->rid = le64_to_cpu(ob->rid);
	ret_info->nonce = le64_to_cpu(ob->nonce);
	ret_info->counter = le64_to_cpu(ob->counter);
	ret_info->start_time = le64_to_cpu(ob->start_time);
	ret_info->pid_ns = le64_to_cpu(ob->pid_ns);
	memcpy(ret_info->boot_id, ob->boot_id, sizeof(ret_info->boot_id));
	memcpy(ret_info->host_name, ob->host_name, sizeof(ret_info->host_name));
	return 0;
}

int sfs_owner_block_is(const void *block, __u64 nonce)
{
	const struct owner_block *ob = block;

	return is_intact(ob) && le64_to_cpu(ob->nonce) == nonce;
}

enum sfs_owner_verdict sfs_owner_block_judge(const void *block, __u64 fsid,
					     const char *boot_id)
{
	const struct owner_block *ob = block;

	if (le64_to_cpu(ob->magic) != OWNER_MAGIC)
		return SFS_OWNER_TAKE;
	if (!is_intact(ob))
		return SFS_OWNER_WATCH;
	if ((fsid && le64_to_cpu(ob->fsid) != fsid) || !is_claimed(ob))
		return SFS_OWNER_TAKE;
	if (boot_id[0] && !strcmp(boot_id, ob->boot_id))
		return SFS_OWNER_LOCAL;
	return SFS_OWNER_WATCH;
}

enum sfs_owner_verdict sfs_owner_block_watched(const void *first,
					       const void *again)
{
	const struct owner_block *ob = again;

	if (!memcmp(first, again, sizeof(*ob)))
		return SFS_OWNER_WATCH;
	return is_intact(ob) && !is_claimed(ob) ? SFS_OWNER_TAKE :
						  SFS_OWNER_BUSY;
}

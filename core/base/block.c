// SPDX-License-Identifier: GPL-2.0-only
/*
 * The header all metadata blocks begin with, and transfers that are waited
 * for.
 *
 * A block says who it is (magic, volume, owner, number in it, own address), so
 * that one that was lost, misdirected or left over from an earlier use of its
 * space is told from the one that was meant even when its crc is right.
 */
#include "base/block.h"

#include <linux/completion.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "base/report.h"

const char *sfs_block_kind(u32 magic)
{
	switch (magic) {
	case SFS_MAGIC_ITEM:
		return "item block";
	case SFS_MAGIC_INDEX:
		return "index block";
	case SFS_MAGIC_FILTER:
		return "filter block";
	case SFS_MAGIC_FOOTER:
		return "footer";
	case SFS_MAGIC_ROOT:
		return "root";
	case SFS_MAGIC_LOG:
		return "log record";
	default:
		return "block";
	}
}

static u32 block_crc(const void *buf, u32 len)
{
	return crc32c(~0U, (const u8 *)buf + sizeof(__le32),
		      len - sizeof(__le32));
}

void sfs_block_seal(void *buf, u32 len, const struct sfs_block_id *id)
{
	struct sfs_block_hdr *hdr = buf;

	SFS_ASSERT_CMP(len, >=, sizeof(*hdr));
	hdr->magic = cpu_to_le32(id->magic);
	hdr->fsid = cpu_to_le64(id->fsid);
	hdr->addr = cpu_to_le64(id->addr);
	hdr->owner = cpu_to_le64(id->owner);
	hdr->nr = cpu_to_le32(id->nr);
	hdr->len = cpu_to_le32(len);
	hdr->crc = cpu_to_le32(block_crc(buf, len));
}

static bool differs(struct sfs_wrong *wrong, const char *field, u64 found,
		    u64 wanted)
{
	if (found == wanted)
		return false;
	*wrong = (struct sfs_wrong){ field, found, wanted, true };
	return true;
}

bool sfs_block_wrong(const void *buf, u32 size, const struct sfs_block_id *id,
		     struct sfs_wrong *ret_wrong)
{
	const struct sfs_block_hdr *hdr = buf;
	u32 len = le32_to_cpu(hdr->len);

	if (differs(ret_wrong, "magic", le32_to_cpu(hdr->magic), id->magic))
		return true;
	if (len < sizeof(*hdr) || len > size)
		return differs(ret_wrong, "length", len, size);
	return differs(ret_wrong, "crc", le32_to_cpu(hdr->crc),
		       block_crc(buf, len)) ||
	       differs(ret_wrong, "fsid", le64_to_cpu(hdr->fsid), id->fsid) ||
	       differs(ret_wrong, "address", le64_to_cpu(hdr->addr),
		       id->addr) ||
	       differs(ret_wrong, "owner", le64_to_cpu(hdr->owner),
		       id->owner) ||
	       differs(ret_wrong, "number", le32_to_cpu(hdr->nr), id->nr);
}

int sfs_block_verify(struct sfs_host *host, const void *buf, u32 size,
		     const struct sfs_block_id *id)
{
	struct sfs_wrong wrong;

	if (!sfs_block_wrong(buf, size, id, &wrong))
		return 0;
	sfs_err(host,
		"damaged %s at byte %llu of the metadata device (owner %llu, number %u): %s is %llx, expected %llx",
		sfs_block_kind(id->magic), id->addr, id->owner, id->nr,
		wrong.what, wrong.found, wrong.wanted);
	return -EIO;
}

struct sync_io {
	struct sfs_io io;
	struct completion done;
};

static void sync_io_done(struct sfs_io *io)
{
	struct sync_io *sync = container_of(io, struct sync_io, io);

	complete(&sync->done);
}

static int sync_io(struct sfs_host *host, int dev, u64 offset, void *buf,
		   u32 len, int flags)
{
	struct sync_io sync = {
		.io = {
			.done = sync_io_done,
			.buf = buf,
			.offset = offset,
			.len = len,
			.dev = dev,
			.flags = flags,
		},
	};

	/* where a damaged reference may point to */
	if (offset >= sfs_port_dev_size(host, dev) ||
	    len > sfs_port_dev_size(host, dev) - offset)
		return -EIO;
	init_completion(&sync.done);
	sfs_port_io_submit(host, &sync.io);
	wait_for_completion(&sync.done);
	return sync.io.err;
}

int sfs_io_read(struct sfs_host *host, int dev, u64 offset, void *buf, u32 len)
{
	return sync_io(host, dev, offset, buf, len, 0);
}

int sfs_io_write(struct sfs_host *host, int dev, u64 offset, void *buf,
		 u32 len, int flags)
{
	return sync_io(host, dev, offset, buf, len, SFS_IO_WRITE | flags);
}

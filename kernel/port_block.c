/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block port of the kernel.
 *
 * The memory for transfers is real: page-aligned, physically contiguous when
 * that is to be had, so that one bio vector will do.  The transfers are not
 * there yet: all of them fail with EOPNOTSUPP, and since kernel/super.c refuses
 * to mount, the core is never given a host to try them with.
 *
 * A failed transfer completes inside the submit call.  That is process context
 * and may sleep, which is all that port.h promises to the callback.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "port.h"
#include "host.h"

void sfs_port_io_submit(struct sfs_host *host, struct sfs_io *io)
{
	io->err = -EOPNOTSUPP;
	io->done(io);
}

int sfs_port_flush(struct sfs_host *host, int dev)
{
	return -EOPNOTSUPP;
}

__u64 sfs_port_dev_size(struct sfs_host *host, int dev)
{
	return 0;
}

void *sfs_port_buf_alloc(__u32 len)
{
	unsigned int nofs = memalloc_nofs_save();
	void *buf;

	buf = alloc_pages_exact(len, GFP_NOFS | __GFP_NORETRY | __GFP_NOWARN);
	if (!buf)
		buf = vmalloc(len);
	memalloc_nofs_restore(nofs);

	return buf;
}

void sfs_port_buf_free(void *buf, __u32 len)
{
	if (is_vmalloc_addr(buf))
		vfree(buf);
	else if (buf)
		free_pages_exact(buf, len);
}

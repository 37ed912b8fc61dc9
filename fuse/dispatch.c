/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which function answers which request.
 *
 * What is not offered is refused with the errno that makes the kernel do the
 * right thing without us: ENOSYS for operations that it then does itself or
 * reports as EOPNOTSUPP, and does not ask for again.
 */
#include "fuse/daemon.h"

#include <errno.h>

static void op_not_here(struct sfs_req *req)
{
	sfs_reply_err(req, -ENOSYS);
}

static void op_nothing(struct sfs_req *req)
{
	sfs_reply_err(req, 0);
}

/* Answers of the kernel to notifications we do not send. */
static void op_ignore(struct sfs_req *req)
{
	req->replied = true;
}

/* INIT came first and once. */
static void op_again(struct sfs_req *req)
{
	sfs_reply_err(req, -EPROTO);
}

static void (*const ops[FW_NR_OPCODES])(struct sfs_req *req) = {
	[FW_LOOKUP] = op_lookup,
	[FW_FORGET] = op_forget,
	[FW_GETATTR] = op_getattr,
	[FW_SETATTR] = op_setattr,
	[FW_READLINK] = op_readlink,
	[FW_SYMLINK] = op_symlink,
	[FW_MKNOD] = op_mknod,
	[FW_MKDIR] = op_mkdir,
	[FW_UNLINK] = op_unlink,
	[FW_RMDIR] = op_rmdir,
	[FW_RENAME] = op_rename,
	[FW_LINK] = op_link,
	[FW_OPEN] = op_open,
	[FW_READ] = op_read,
	[FW_WRITE] = op_write,
	[FW_STATFS] = op_statfs,
	[FW_RELEASE] = op_release,
	[FW_FSYNC] = op_fsync,
	[FW_SETXATTR] = op_setxattr,
	[FW_GETXATTR] = op_getxattr,
	[FW_LISTXATTR] = op_listxattr,
	[FW_REMOVEXATTR] = op_removexattr,
	[FW_FLUSH] = op_flush,
	[FW_INIT] = op_again,
	[FW_OPENDIR] = op_opendir,
	[FW_READDIR] = op_readdir,
	[FW_RELEASEDIR] = op_release,
	[FW_FSYNCDIR] = op_fsync,
	[FW_GETLK] = op_getlk,
	[FW_SETLK] = op_setlk,
	[FW_SETLKW] = op_setlkw,
	[FW_ACCESS] = op_access,
	[FW_CREATE] = op_create,
	[FW_DESTROY] = op_nothing,
	[FW_IOCTL] = op_ioctl,
	[FW_NOTIFY_REPLY] = op_ignore,
	[FW_BATCH_FORGET] = op_batch_forget,
	[FW_READDIRPLUS] = op_readdirplus,
	[FW_RENAME2] = op_rename2,
	[FW_LSEEK] = op_lseek,
	[FW_STATX] = op_statx,
};

void sfs_dispatch(struct sfs_req *req)
{
	uint32_t opcode = req->d.h->opcode;

	req->seq = sfs_known_seq(&req->conn->known);
	if (opcode < FW_NR_OPCODES && ops[opcode])
		ops[opcode](req);
	else
		op_not_here(req);
}

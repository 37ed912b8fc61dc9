/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extended attributes.  Names come whole, with their prefix; which prefixes
 * there are and who may see and change them is the core's business.  trusted.*
 * depends on a capability that the core has to know of in advance, because
 * without it the answer is not an error but that there is no such attribute.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <string.h>

static bool is_privileged(const char *name)
{
	return !strncmp(name, "trusted.", 8) || !strncmp(name, "scoutfs.", 8);
}

/* The value or the list, or, for size 0, how long it is. */
static void reply_value(struct sfs_req *req, int ret, uint32_t size)
{
	struct fw_getxattr_out out = { .size = ret };

	if (ret < 0)
		sfs_reply_err(req, ret);
	else if (!size)
		sfs_reply_buf(req, &out, sizeof(out));
	else if (ret)
		sfs_reply_buf(req, req->buf, ret);
	else
		sfs_reply_err(req, 0);
}

void op_getxattr(struct sfs_req *req)
{
	const struct fw_getxattr_in *in = req->d.arg;
	uint32_t size = in->size < MAX_WRITE ? in->size : MAX_WRITE;
	struct sfs_caller c;
	int ret;

	if (req->d.name_len[0] > SFS_XATTR_NAME_MAX) {
		sfs_reply_err(req, -ERANGE);
		return;
	}
	if (!sfs_req_room(req, size))
		return;
	sfs_caller_init(&c, req);
	if (is_privileged(req->d.name[0]))
		sfs_caller_fill(&c);
	do {
		ret = sfs_getxattr(req->conn->fs, &c.cred, req->d.h->nodeid,
				   req->d.name[0], req->buf, size);
	} while (sfs_caller_again(&c, ret));
	sfs_caller_exit(&c);
	reply_value(req, ret, size);
}

void op_listxattr(struct sfs_req *req)
{
	const struct fw_getxattr_in *in = req->d.arg;
	uint32_t size = in->size < MAX_WRITE ? in->size : MAX_WRITE;
	struct sfs_caller c;
	int ret;

	if (!sfs_req_room(req, size))
		return;
	sfs_caller_init(&c, req);
	sfs_caller_fill(&c);
	ret = sfs_listxattr(req->conn->fs, &c.cred, req->d.h->nodeid,
			    req->buf, size);
	sfs_caller_exit(&c);
	reply_value(req, ret, size);
}

void op_setxattr(struct sfs_req *req)
{
	const struct fw_setxattr_in *in = req->d.arg;
	struct sfs_fs *fs = req->conn->fs;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_caller c;
	struct sfs_ilock il;
	int ret;

	if (req->d.name_len[0] > SFS_XATTR_NAME_MAX ||
	    (in->flags & ~(SFS_XATTR_CREATE | SFS_XATTR_REPLACE))) {
		sfs_reply_err(req, -EINVAL);
		return;
	}
	sfs_caller_init(&c, req);
	if (is_privileged(req->d.name[0]))
		sfs_caller_fill(&c);
	do {
		sfs_ilock_excl(fs, &il, ino, 0, 0, 0);
		ret = sfs_setxattr(fs, &c.cred, ino, req->d.name[0],
				   req->d.data, req->d.data_len, in->flags);
		sfs_not_clean(req->conn, ino);
		sfs_iunlock(fs, &il);
	} while (sfs_caller_again(&c, ret));
	sfs_caller_exit(&c);
	sfs_reply_err(req, ret);
}

void op_removexattr(struct sfs_req *req)
{
	struct sfs_fs *fs = req->conn->fs;
	uint64_t ino = req->d.h->nodeid;
	struct sfs_caller c;
	struct sfs_ilock il;
	int ret;

	sfs_caller_init(&c, req);
	if (is_privileged(req->d.name[0]))
		sfs_caller_fill(&c);
	do {
		sfs_ilock_excl(fs, &il, ino, 0, 0, 0);
		ret = sfs_removexattr(fs, &c.cred, ino, req->d.name[0]);
		sfs_iunlock(fs, &il);
	} while (sfs_caller_again(&c, ret));
	sfs_caller_exit(&c);
	sfs_reply_err(req, ret);
}

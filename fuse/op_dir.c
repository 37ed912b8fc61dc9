/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading directories.  Positions are the core's own: 64 bits, in creation
 * order, and valid for as long as the directory lives, so that there is
 * nothing to remember between two calls.
 *
 * With attributes (READDIRPLUS), each entry is worth a lookup to the kernel.
 * An inode that has gone between its entry and its attributes is given without
 * them, and so are all while there are several mounts (known.c).
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <string.h>

#define SCRATCH_BYTES 16384
#define SCRATCH_MIN 320		/* one record with the longest name */
#define ALIGN8(n) (((n) + 7) & ~7U)

void op_opendir(struct sfs_req *req)
{
	struct sfs_conn *conn = req->conn;
	struct fw_open_out out = { 0 };
	int ret;

	ret = sfs_handle_open(&conn->handles, conn->fs, req->d.h->nodeid, 0,
			      &out.fh);
	if (ret < 0)
		sfs_reply_err(req, ret);
	else
		sfs_reply_buf(req, &out, sizeof(out));
}

/* Fills one entry in; 0 when there is no room for it. */
static uint32_t put_plain(const struct sfs_dirent *de, char *p, uint32_t room)
{
	uint32_t len = ALIGN8(sizeof(struct fw_dirent) + de->name_len);
	struct fw_dirent *fd = (struct fw_dirent *)p;

	if (len > room)
		return 0;
	memset(p, 0, len);
	fd->ino = de->ino;
	fd->off = de->next_pos;
	fd->namelen = de->name_len;
	fd->type = de->type;
	memcpy(fd->name, de->name, de->name_len);
	return len;
}

static uint32_t put_plus(struct sfs_req *req, const struct sfs_dirent *de,
			 char *p, uint32_t room)
{
	struct sfs_conn *conn = req->conn;
	struct fw_entry_out *eo = (struct fw_entry_out *)p;
	struct sfs_attr attr;
	uint32_t len;

	if (room < sizeof(*eo))
		return 0;
	len = put_plain(de, p + sizeof(*eo), room - sizeof(*eo));
	if (!len)
		return 0;
	memset(eo, 0, sizeof(*eo));
	/* positions 0 and 1 are the directory and its parent */
	if (de->pos > 1 && !atomic_load(&conn->vol->several) &&
	    sfs_getattr(conn->fs, de->ino, &attr) == 0)
		sfs_entry_to_wire(req, &attr, true, eo);
	return sizeof(*eo) + len;
}

/* Room for about as many of the core's records as fit into a reply. */
static uint32_t scratch_size(uint32_t reply_size, bool plus)
{
	uint32_t size = plus ? reply_size / 4 : reply_size;

	if (size < SCRATCH_MIN)
		return SCRATCH_MIN;
	return size > SCRATCH_BYTES ? SCRATCH_BYTES : size;
}

static void read_entries(struct sfs_req *req, bool plus)
{
	const struct fw_read_in *in = req->d.arg;
	uint32_t size = in->size < MAX_WRITE ? in->size : MAX_WRITE;
	uint64_t scratch[SCRATCH_BYTES / 8];
	struct sfs_fs *fs = req->conn->fs;
	const struct sfs_dirent *de;
	uint64_t pos = in->offset;
	struct sfs_caller c;
	uint32_t used = 0, len;
	char *out;
	int n, i;

	if (!sfs_req_room(req, size))
		return;
	out = req->buf;
	sfs_caller_init(&c, req);
	do {
		n = sfs_readdir(fs, &c.cred, req->d.h->nodeid, pos, scratch,
				scratch_size(size - used, plus));
		for (i = 0, len = 1; i < n && len; i += de->rec_len) {
			de = (const void *)((char *)scratch + i);
			if (plus)
				len = put_plus(req, de, out + used,
					       size - used);
			else
				len = put_plain(de, out + used, size - used);
			used += len;
			if (len)
				pos = de->next_pos;
		}
	} while (n > 0 && len);
	sfs_caller_exit(&c);

	/* entries that were read are not lost to a later error */
	if (n < 0 && !used)
		sfs_reply_err(req, n);
	else if (n > 0 && !used)
		sfs_reply_err(req, -EINVAL);
	else
		sfs_reply_buf(req, out, used);
}

void op_readdir(struct sfs_req *req)
{
	read_entries(req, false);
}

void op_readdirplus(struct sfs_req *req)
{
	read_entries(req, true);
}

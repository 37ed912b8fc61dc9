/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding the parts of a request: nothing behind this file looks at a length
 * again.  One table says what each operation consists of.
 *
 * The kernel is trusted with the files but not with our memory: whatever the
 * bytes are, the parts lie within the message, names end within it, and data
 * is as long as its operation says.  Requests whose lengths contradict each
 * other are refused as a whole.
 */
#include "fuse/proto/decode.h"

#include <errno.h>
#include <string.h>

enum part_flags {
	DATA_NONE = 0,
	DATA_WRITE,
	DATA_SETXATTR,
	DATA_IOCTL,
	DATA_FORGETS,
	DATA_REST,	/* whatever there is, nobody looks at it */
};

static const struct shape {
	const char *name;
	uint16_t arg_len;
	uint8_t nr_names;
	uint8_t data;		/* enum part_flags */
} shapes[FW_NR_OPCODES] = {
#define SHAPE(op, arg, names, data) [FW_##op] = { #op, arg, names, data }
	SHAPE(LOOKUP, 0, 1, DATA_NONE),
	SHAPE(FORGET, sizeof(struct fw_forget_in), 0, DATA_NONE),
	SHAPE(GETATTR, sizeof(struct fw_getattr_in), 0, DATA_NONE),
	SHAPE(SETATTR, sizeof(struct fw_setattr_in), 0, DATA_NONE),
	SHAPE(READLINK, 0, 0, DATA_NONE),
	SHAPE(SYMLINK, 0, 2, DATA_NONE),
	SHAPE(MKNOD, sizeof(struct fw_mknod_in), 1, DATA_NONE),
	SHAPE(MKDIR, sizeof(struct fw_mkdir_in), 1, DATA_NONE),
	SHAPE(UNLINK, 0, 1, DATA_NONE),
	SHAPE(RMDIR, 0, 1, DATA_NONE),
	SHAPE(RENAME, sizeof(struct fw_rename_in), 2, DATA_NONE),
	SHAPE(LINK, sizeof(struct fw_link_in), 1, DATA_NONE),
	SHAPE(OPEN, sizeof(struct fw_open_in), 0, DATA_NONE),
	SHAPE(READ, sizeof(struct fw_read_in), 0, DATA_NONE),
	SHAPE(WRITE, sizeof(struct fw_write_in), 0, DATA_WRITE),
	SHAPE(STATFS, 0, 0, DATA_NONE),
	SHAPE(RELEASE, sizeof(struct fw_release_in), 0, DATA_NONE),
	SHAPE(FSYNC, sizeof(struct fw_fsync_in), 0, DATA_NONE),
	SHAPE(SETXATTR, sizeof(struct fw_setxattr_in), 1, DATA_SETXATTR),
	SHAPE(GETXATTR, sizeof(struct fw_getxattr_in), 1, DATA_NONE),
	SHAPE(LISTXATTR, sizeof(struct fw_getxattr_in), 0, DATA_NONE),
	SHAPE(REMOVEXATTR, 0, 1, DATA_NONE),
	SHAPE(FLUSH, sizeof(struct fw_flush_in), 0, DATA_NONE),
	/* its fixed part has grown over time, so that it counts as data */
	SHAPE(INIT, 0, 0, DATA_REST),
	SHAPE(OPENDIR, sizeof(struct fw_open_in), 0, DATA_NONE),
	SHAPE(READDIR, sizeof(struct fw_read_in), 0, DATA_NONE),
	SHAPE(RELEASEDIR, sizeof(struct fw_release_in), 0, DATA_NONE),
	SHAPE(FSYNCDIR, sizeof(struct fw_fsync_in), 0, DATA_NONE),
	SHAPE(GETLK, sizeof(struct fw_lk_in), 0, DATA_NONE),
	SHAPE(SETLK, sizeof(struct fw_lk_in), 0, DATA_NONE),
	SHAPE(SETLKW, sizeof(struct fw_lk_in), 0, DATA_NONE),
	SHAPE(ACCESS, sizeof(struct fw_access_in), 0, DATA_NONE),
	SHAPE(CREATE, sizeof(struct fw_create_in), 1, DATA_NONE),
	SHAPE(INTERRUPT, sizeof(struct fw_interrupt_in), 0, DATA_NONE),
	SHAPE(BMAP, 0, 0, DATA_REST),
	SHAPE(DESTROY, 0, 0, DATA_NONE),
	SHAPE(IOCTL, sizeof(struct fw_ioctl_in), 0, DATA_IOCTL),
	SHAPE(POLL, 0, 0, DATA_REST),
	SHAPE(NOTIFY_REPLY, 0, 0, DATA_REST),
	SHAPE(BATCH_FORGET, sizeof(struct fw_batch_forget_in), 0,
	      DATA_FORGETS),
	SHAPE(FALLOCATE, 0, 0, DATA_REST),
	SHAPE(READDIRPLUS, sizeof(struct fw_read_in), 0, DATA_NONE),
	SHAPE(RENAME2, sizeof(struct fw_rename2_in), 2, DATA_NONE),
	SHAPE(LSEEK, sizeof(struct fw_lseek_in), 0, DATA_NONE),
	SHAPE(COPY_FILE_RANGE, 0, 0, DATA_REST),
	SHAPE(SYNCFS, 0, 0, DATA_REST),
	SHAPE(TMPFILE, 0, 0, DATA_REST),
	SHAPE(STATX, sizeof(struct fw_statx_in), 0, DATA_NONE),
	SHAPE(COPY_FILE_RANGE_64, 0, 0, DATA_REST),
#undef SHAPE
};

const char *fw_opcode_name(uint32_t opcode)
{
	if (opcode >= FW_NR_OPCODES || !shapes[opcode].name)
		return "?";
	return shapes[opcode].name;
}

/* How many bytes of data does the fixed part announce? */
static uint64_t data_wanted(const struct shape *shape, const void *arg)
{
	switch (shape->data) {
	case DATA_WRITE:
		return ((const struct fw_write_in *)arg)->size;
	case DATA_SETXATTR:
		return ((const struct fw_setxattr_in *)arg)->size;
	case DATA_IOCTL:
		return ((const struct fw_ioctl_in *)arg)->in_size;
	case DATA_FORGETS:
		return ((const struct fw_batch_forget_in *)arg)->count *
		       (uint64_t)sizeof(struct fw_forget_one);
	default:
		return 0;
	}
}

static int decode_body(const struct shape *shape, const char *p, size_t len,
		       struct fw_request *req)
{
	const char *nul;

	if (len < shape->arg_len)
		return -EPROTO;
	req->arg = p;
	req->arg_len = shape->arg_len;
	p += shape->arg_len;
	len -= shape->arg_len;

	while (req->nr_names < shape->nr_names) {
		nul = memchr(p, 0, len);
		if (!nul)
			return -EPROTO;
		req->name[req->nr_names] = p;
		req->name_len[req->nr_names++] = nul - p;
		len -= nul + 1 - p;
		p = nul + 1;
	}

	if (shape->data == DATA_REST) {
		req->data_len = len;
	} else {
		if (data_wanted(shape, req->arg) > len)
			return -EPROTO;
		req->data_len = data_wanted(shape, req->arg);
	}
	req->data = p;
	return 0;
}

int fw_decode(const void *msg, size_t len, struct fw_request *ret_req)
{
	const struct fw_in_header *h = msg;
	struct fw_request req = { 0 };
	size_t ext;
	int ret;

	memset(ret_req, 0, sizeof(*ret_req));
	if (len < sizeof(*h))
		return -EPROTO;
	ret_req->h = h;
	ext = h->total_extlen * 8UL;
	if (h->len != len || ext > len - sizeof(*h))
		return -EPROTO;
	req.h = h;
	if (h->opcode < FW_NR_OPCODES && shapes[h->opcode].name) {
		ret = decode_body(&shapes[h->opcode], (const char *)(h + 1),
				  len - sizeof(*h) - ext, &req);
		if (ret < 0)
			return ret;
	}
	*ret_req = req;
	return 0;
}

/* ---- negotiation -------------------------------------------------------- */

/*
 * What we want when it is offered.  Never WRITEBACK_CACHE: the kernel would
 * own the size and the times of cached files and not learn of changes made
 * elsewhere.  Names and attributes are dropped by us when they change, so
 * EXPLICIT_INVAL_DATA instead of guesses from times.
 */
#define WANTED (FW_ASYNC_READ | FW_POSIX_LOCKS | FW_FLOCK_LOCKS | \
		FW_ATOMIC_O_TRUNC | FW_EXPORT_SUPPORT | \
		FW_BIG_WRITES | FW_HAS_IOCTL_DIR | FW_DO_READDIRPLUS | \
		FW_READDIRPLUS_AUTO | FW_ASYNC_DIO | FW_PARALLEL_DIROPS | \
		FW_MAX_PAGES | FW_CACHE_SYMLINKS | FW_EXPLICIT_INVAL_DATA | \
		FW_HANDLE_KILLPRIV_V2 | FW_INIT_EXT | FW_DIRECT_IO_ALLOW_MMAP)
/* Without these we do not work. */
#define NEEDED (FW_ASYNC_READ | FW_BIG_WRITES | FW_MAX_PAGES)

int fw_negotiate(const struct fw_request *req, const struct fw_limits *limits,
		 struct fw_session *ret_session, struct fw_init_out *ret_out)
{
	uint32_t max_minor = limits->minor ? limits->minor : FW_MINOR_MAX;
	struct fw_init_in in = { 0 };
	struct fw_init_out out = { 0 };
	uint64_t features;
	size_t len = req->data_len;

	if (len < FW_INIT_IN_SHORT)
		return -EPROTO;
	memcpy(&in, req->data, len < sizeof(in) ? len : sizeof(in));

	out.major = FW_MAJOR;
	out.minor = max_minor;
	if (in.major > FW_MAJOR) {
		*ret_out = out;
		return 1;
	}
	if (in.major < FW_MAJOR || in.minor < FW_MINOR_MIN)
		return -EPROTO;
	if (in.minor < out.minor)
		out.minor = in.minor;

	features = in.flags;
	if (in.flags & FW_INIT_EXT)
		features |= (uint64_t)in.flags2 << 32;
	features &= WANTED;
	if ((features & NEEDED) != NEEDED)
		return -EPROTO;

	out.flags = (uint32_t)features;
	out.flags2 = features >> 32;
	out.max_readahead = in.max_readahead < limits->max_readahead ?
			    in.max_readahead : limits->max_readahead;
	out.max_background = 64;
	out.congestion_threshold = 48;
	out.max_write = limits->max_write;
	out.max_pages = limits->max_write / 4096;
	out.time_gran = 1;
	ret_session->minor = out.minor;
	ret_session->features = features;
	*ret_out = out;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_FUSE_DECODE_H
#define SFS_FUSE_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "fuse/proto/wire.h"

/* A request whose parts have been found and measured; all point into it. */
struct fw_request {
	const struct fw_in_header *h;
	const void *arg;		/* fixed part; as long as its structure */
	uint32_t arg_len;
	uint32_t nr_names;
	const char *name[2];		/* NUL-terminated */
	uint32_t name_len[2];		/* without the NUL */
	const void *data;
	uint32_t data_len;
};

/*
 * Takes apart the @len bytes at @msg, aligned to 8.  0, or -EPROTO when the
 * lengths do not fit together, with only ret_req->h set when there is a whole
 * header, else that NULL.
 */
int fw_decode(const void *msg, size_t len, struct fw_request *ret_req);

/* "LOOKUP"; "?" for numbers without a name. */
const char *fw_opcode_name(uint32_t opcode);

struct fw_limits {
	uint32_t max_write;
	uint32_t max_readahead;
	uint32_t minor;			/* at most this, 0: all we know */
};

/* What was agreed upon with the kernel. */
struct fw_session {
	uint32_t minor;
	uint64_t features;
};

/*
 * Answers an INIT request.  -EPROTO with @ret_out set to what the kernel
 * should be told when the versions do not fit (a newer major version asks
 * again: 1 is returned and the reply sent).
 */
int fw_negotiate(const struct fw_request *req, const struct fw_limits *limits,
		 struct fw_session *ret_session, struct fw_init_out *ret_out);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decoder of FUSE messages: whatever the kernel sends, the parts lie within
 * the message, and names end within it.  Each byte of each part is read, so
 * that AddressSanitizer sees what lies outside.
 *
 * This one belongs to the libc world: the protocol layer uses nothing of the
 * core.
 */
#include <stdlib.h>
#include <string.h>

#include "fuse/proto/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile uint8_t sink;

static void touch(const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len--)
		sink ^= *b++;
}

static void check(int ok)
{
	if (!ok)
		abort();
}

static void use(const struct fw_request *req)
{
	struct fw_limits limits = { 1 << 20, 1 << 20, 0 };
	struct fw_session session;
	struct fw_init_out out;
	uint32_t i;
	int ret;

	touch(req->arg, req->arg_len);
	for (i = 0; i < req->nr_names; i++) {
		check(strlen(req->name[i]) == req->name_len[i]);
		touch(req->name[i], req->name_len[i] + 1);
	}
	touch(req->data, req->data_len);
	check(fw_opcode_name(req->h->opcode) != NULL);
	if (req->h->opcode != FW_INIT)
		return;
	ret = fw_negotiate(req, &limits, &session, &out);
	check(ret <= 1);
	if (ret == 0) {
		check(session.minor >= FW_MINOR_MIN &&
		      session.minor <= FW_MINOR_MAX);
		check(out.max_write <= limits.max_write);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fw_request req;
	/* of exactly this size, so that any byte beyond it is noticed */
	uint8_t *msg = malloc(len ? len : 1);

	if (!msg)
		return 0;
	memcpy(msg, data, len);
	if (fw_decode(msg, len, &req) == 0)
		use(&req);
	/* lengths that are right get further */
	if (len >= sizeof(struct fw_in_header)) {
		((struct fw_in_header *)msg)->len = len;
		((struct fw_in_header *)msg)->total_extlen &= 7;
		if (fw_decode(msg, len, &req) == 0)
			use(&req);
	}
	free(msg);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that no mount would send: whatever their type, length and contents
 * are, they are answered, and the server goes on serving others.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "tests/unit/lib/world.h"

static struct rng rng;

static void event(void *arg, struct sfs_msg *msg)
{
	sfs_msg_free(msg);
}

/* Numbers that fields may have, small, huge and in between. */
static u64 field(void)
{
	switch (rng_below(&rng, 4)) {
	case 0:
		return rng_below(&rng, 5);
	case 1:
		return U64_MAX - rng_below(&rng, 5);
	case 2:
		return rng_u64(&rng) >> rng_below(&rng, 64);
	default:
		return (u64)rng_below(&rng, 20000) << 12;
	}
}

static struct sfs_msg *random_request(u16 type)
{
	u32 len = rng_below(&rng, 4) ? 8 * rng_below(&rng, 60) :
				       rng_below(&rng, 300);
	struct sfs_msg *msg = sfs_msg_alloc(type, len);
	u64 v;
	u32 i;

	if (!msg)
		bail_out("no memory");
	for (i = 0; i < len; i += sizeof(v)) {
		v = field();
		memcpy(msg->payload + i, &v, min_t(u32, sizeof(v), len - i));
	}
	return msg;
}

/*
 * A publish whose lengths fit each other, with the number of the next one.
 * What it names is not this mount's: see refused.c for one thing at a time.
 */
static struct sfs_msg *random_publish(void)
{
	u32 slice_len = rng_below(&rng, 2) * (144 + 16 * rng_below(&rng, 3));
	u32 nr[3] = { rng_below(&rng, 3), rng_below(&rng, 3),
		      rng_below(&rng, 3) };
	struct sfs_msg_publish *body;
	struct sfs_msg *msg;
	u32 len;

	len = sizeof(*body) + slice_len + 8 * nr[0] + 16 * (nr[1] + nr[2]);
	do {
		msg = random_request(SFS_MSG_PUBLISH);
		if (sfs_msg_len(msg) >= len)
			break;
		sfs_msg_free(msg);
	} while (true);
	msg->hdr.len = cpu_to_le32(len);
	body = (struct sfs_msg_publish *)msg->payload;
	body->publish_nr = cpu_to_le64(1);
	body->slice_len = cpu_to_le32(slice_len);
	body->nr_closed = cpu_to_le32(nr[0]);
	body->nr_consumed = cpu_to_le32(nr[1]);
	body->nr_freed = cpu_to_le32(nr[2]);
	return msg;
}

static void send(struct sfs_client *client, u32 *answered)
{
	static const u16 types[] = {
		0, SFS_MSG_MANIFEST, SFS_MSG_PUBLISH, SFS_MSG_META_SPACE,
		SFS_MSG_DATA_SPACE, SFS_MSG_INO_GROUP, SFS_MSG_STABLE,
		SFS_MSG_STATFS, SFS_MSG_ALLOC_DETAIL, SFS_MSG_EDIT, 999,
	};
	struct sfs_msg *reply = NULL;
	struct sfs_msg *msg;

	if (rng_below(&rng, 8) == 0) {
		msg = random_request(SFS_MSG_ACK);
		msg->hdr.slot = (u8)rng_u64(&rng);
		sfs_client_send(client, msg);
		return;
	}
	msg = rng_below(&rng, 3) ?
		      random_request(types[rng_below(&rng,
						     ARRAY_SIZE(types))]) :
		      random_publish();
	if (sfs_client_call(client, (int)rng_below(&rng, SFS_NR_SLOTS), msg, 0,
			    &reply) == 0)
		sfs_msg_free(reply);
	(*answered)++;
}

static void test_client(struct world *w, bool join)
{
	struct sfs_msg *msg = sfs_msg_alloc(SFS_MSG_JOIN, 0);
	struct sfs_msg *reply;
	struct sfs_client client;
	u32 answered = 0;
	u32 i;

	if (sfs_client_init(&client, w->vol.host, 4711, NULL, event, NULL) < 0 ||
	    sfs_server_attach(w->srv, &client) < 0)
		bail_out("client");
	if (join)
		is_int(sfs_client_call(&client, SFS_SLOT_SESSION, msg, 0,
				       &reply), 0, "join");
	sfs_msg_free(join ? reply : msg);
	for (i = 0; i < 1500; i++)
		send(&client, &answered);
	msg = sfs_msg_alloc(SFS_MSG_LEAVE, 0);
	sfs_client_call(&client, SFS_SLOT_SESSION, msg, 0, NULL);
	sfs_client_close(&client);
	sfs_server_detach(w->srv, &client);
	sfs_client_exit(&client);
	ok(answered, "%u requests are answered, %s", answered,
	   join ? "joined" : "not joined");
	is_int(sfs_store_error(w->srv->store), 0, "the server goes on");
	ok(world_segs_fit(w), "segments are in one place each");
}

int shim_main(int argc, char **argv)
{
	u8 *used = unit_alloc(64 * UNIT_MIB / SFS_UNIT);
	struct world w = {};

	rng.state = shim_seed();
	vol_create(&w.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	vol_format(&w.vol);
	if (world_start(&w) < 0)
		bail_out("start");
	test_client(&w, false);
	test_client(&w, true);
	ok(world_data_fits(&w, used, true), "data space is all there");
	is_int(world_stop(&w), 0, "leave and stop");
	unit_free(used);
	vol_destroy(&w.vol);
	return done_testing();
}

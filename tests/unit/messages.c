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
	if (sfs_client_call(client, (int)rng_below(&rng, SFS_SLOT_GREET), msg, 0,
			    &reply) == 0)
		sfs_msg_free(reply);
	(*answered)++;
}

static int greet(void *arg)
{
	struct sfs_client *client = arg;
	struct sfs_msg *reply;
	int ret;

	ret = sfs_client_greet(client, sfs_msg_alloc(SFS_MSG_JOIN, 0), 0,
			       &reply);
	if (ret == 0)
		sfs_msg_free(reply);
	return ret;
}

static void refused(void *arg, int err)
{
}

static const struct sfs_client_ops client_ops = {
	.event = event,
	.greet = greet,
	.refused = refused,
};

static void test_client(struct world *w)
{
	struct sfs_client client = {};
	struct sfs_msg *msg;
	u32 answered = 0;
	u32 i;

	if (sfs_client_init(&client, w->hub, 4711, w->vol.host, NULL,
			    &client_ops, &client) < 0)
		bail_out("client");
	sfs_client_start(&client);
	is_int(sfs_client_wait_greeted(&client), 0, "join");
	for (i = 0; i < 1500; i++)
		send(&client, &answered);
	msg = sfs_msg_alloc(SFS_MSG_LEAVE, 0);
	is_int(sfs_client_call(&client, SFS_SLOT_SESSION, msg, 0, NULL), 0,
	       "leave");
	sfs_client_close(&client);
	sfs_client_exit(&client);
	ok(answered, "%u requests are answered", answered);
	is_int(sfs_store_error(w->srv->store), 0, "the server goes on");
	ok(world_segs_fit(w), "segments are in one place each");
}

static void stranger_recv(void *arg, struct sfs_msg *msg)
{
	(*(u32 *)arg)++;
	sfs_msg_free(msg);
}

static void stranger_closed(void *arg)
{
}

static const struct sfs_conn_ops stranger_ops = {
	.recv = stranger_recv,
	.closed = stranger_closed,
};

/* Somebody who has not introduced himself is not listened to. */
static void test_stranger(struct world *w)
{
	u64 version = w->srv->version;
	struct sfs_conn *conn;
	struct sfs_msg *msg;
	u32 answers = 0;
	u32 i;

	if (sfs_hub_connect(w->hub, &stranger_ops, &answers, &conn) < 0)
		bail_out("connect");
	for (i = 0; i < 1500; i++) {
		msg = rng_below(&rng, 3) ?
			      random_request((u16)(2 + rng_below(&rng, 100))) :
			      random_publish();
		msg->hdr.slot = (u8)rng_u64(&rng);
		msg->hdr.rid = cpu_to_le64(rng_below(&rng, 2) ?
						   w->fs->rid : field());
		msg->hdr.seq = cpu_to_le64(field());
		msg->hdr.term = cpu_to_le64(
			rng_below(&rng, 2) ? sfs_store_term(w->srv->store) :
					     field());
		sfs_conn_send(conn, SFS_CONN_MOUNT, msg);
	}
	shim_sleep_ns(1000000000);
	sfs_conn_detach(conn, SFS_CONN_MOUNT);
	ok(answers < 100, "a stranger gets %u answers", answers);
	ok(w->srv->version == version, "nothing has changed");
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
	test_stranger(&w);
	test_client(&w);
	ok(world_data_fits(&w, used, true), "data space is all there");
	is_int(world_stop(&w), 0, "leave and stop");
	unit_free(used);
	vol_destroy(&w.vol);
	return done_testing();
}

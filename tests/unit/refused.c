// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publishes of a mount that names what is not its own: each is refused with
 * one line, changes nothing, and the server and other mounts go on.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "tests/unit/lib/world.h"

#define MAX_PARTS 4

/* A mount that is made of messages. */
struct peer {
	struct world *w;
	struct sfs_client client;
	u64 nr;			/* of the next publish */
	u64 seq;
	u64 spare;
	u64 run_id;
	u64 seg[2];		/* segments that it owns, */
	u64 seg_bytes;
	u64 data;		/* the first of 1,000 blocks that it owns, */
	u64 other_seg;		/* and that the other mount does */
	u64 other_data;
	u64 free_data;		/* a block that nobody has */
};

/* What a publish has; zero is what is right, and none. */
struct parts {
	u64 nr_off;
	u64 seq_off;
	u64 stamp;
	u64 closed[MAX_PARTS];
	struct sfs_msg_extent consumed[MAX_PARTS];
	struct sfs_msg_extent freed[MAX_PARTS];
	struct sfs_piece pieces[MAX_PARTS];
	u64 run_off;
	u8 level;
	u64 items_off;
	u64 footer_off;
	u64 bytes_off;
	u32 len_off;
};

static struct sfs_msg *call(struct peer *peer, int slot, u16 type,
			    const void *payload, u32 len)
{
	struct sfs_msg *msg = sfs_msg_alloc(type, len);
	struct sfs_msg *reply;

	if (!msg)
		bail_out("no memory");
	if (len)
		memcpy(msg->payload, payload, len);
	if (sfs_client_call(&peer->client, slot, msg, 0, &reply) < 0)
		bail_out("request %u", type);
	return reply;
}

static void event(void *arg, struct sfs_msg *msg)
{
	sfs_msg_free(msg);
}

static void peer_space(struct peer *peer)
{
	struct sfs_msg_extents_reply *ext;
	struct sfs_msg_meta_space meta = {};
	struct sfs_msg_data_space data = { .blocks = cpu_to_le64(1000) };
	struct sfs_msg *reply;
	int i;

	for (i = 0; i < 2; i++) {
		meta.bytes = cpu_to_le64(1);
		reply = call(peer, SFS_SLOT_META_SPACE, SFS_MSG_META_SPACE,
			     &meta, sizeof(meta));
		ext = (struct sfs_msg_extents_reply *)reply->payload;
		peer->seg[i] = le64_to_cpu(ext->ext[0].start);
		peer->seg_bytes = le64_to_cpu(ext->ext[0].count);
		sfs_msg_free(reply);
	}
	reply = call(peer, SFS_SLOT_DATA_SPACE, SFS_MSG_DATA_SPACE, &data,
		     sizeof(data));
	ext = (struct sfs_msg_extents_reply *)reply->payload;
	peer->data = le64_to_cpu(ext->ext[0].start);
	if (le64_to_cpu(ext->ext[0].count) != 1000)
		bail_out("data space");
	sfs_msg_free(reply);
}

static int peer_greet(void *arg)
{
	struct peer *peer = arg;
	struct sfs_msg_join_reply *join;
	struct sfs_msg *reply;
	int ret;

	ret = sfs_client_greet(&peer->client, sfs_msg_alloc(SFS_MSG_JOIN, 0),
			       sizeof(*join), &reply);
	if (ret < 0)
		return ret;
	join = (struct sfs_msg_join_reply *)reply->payload;
	peer->seq = le64_to_cpu(join->seq);
	peer->spare = le64_to_cpu(join->spare_seq);
	peer->run_id = le64_to_cpu(join->run_id);
	sfs_msg_free(reply);
	return 0;
}

static void peer_refused(void *arg, int err)
{
}

static const struct sfs_client_ops peer_ops = {
	.event = event,
	.greet = peer_greet,
	.refused = peer_refused,
};

static void peer_join(struct peer *peer, struct world *w)
{
	u64 count;

	memset(peer, 0, sizeof(*peer));
	peer->w = w;
	peer->nr = 1;
	if (sfs_client_init(&peer->client, w->hub, 4711, w->vol.host, NULL,
			    &peer_ops, peer) < 0)
		bail_out("client");
	sfs_client_start(&peer->client);
	if (sfs_client_wait_greeted(&peer->client) < 0)
		bail_out("join");
	peer_space(peer);
	peer->other_seg = w->fs->segs[0].end - peer->seg_bytes;
	if (sfs_data_reserve(w->fs, 0, 1, &peer->other_data, &count) < 0)
		bail_out("data space of the other mount");
	sfs_data_unreserve(w->fs, peer->other_data, count);
	peer->free_data = w->vol.ident.id.data_bytes / SFS_UNIT - 1;
}

static void peer_leave(struct peer *peer)
{
	sfs_msg_free(call(peer, SFS_SLOT_SESSION, SFS_MSG_LEAVE, NULL, 0));
	sfs_client_close(&peer->client);
	sfs_client_exit(&peer->client);
}

/* ---- publishes ----------------------------------------------------------- */

static struct sfs_slice *parts_slice(const struct peer *peer,
				     const struct parts *parts)
{
	struct sfs_slice *slice;
	struct sfs_run *run;
	u32 nr = 0;

	while (nr < MAX_PARTS && parts->pieces[nr].len)
		nr++;
	if (!nr)
		return NULL;
	run = sfs_run_alloc(nr);
	if (!run)
		bail_out("no memory");
	memcpy(run->pieces, parts->pieces, nr * sizeof(run->pieces[0]));
	run->id = peer->run_id + parts->run_off;
	run->items = 1;
	run->footer_addr = parts->pieces[0].addr + parts->footer_off;
	run->footer_len = SFS_UNIT;
	run->bytes = parts->bytes_off;
	while (nr > 0)
		run->bytes += run->pieces[--nr].len;
	slice = sfs_slice_create(run, 0, parts->level, 0);
	sfs_run_put(run);
	if (!slice)
		bail_out("no memory");
	slice->items += parts->items_off;
	return slice;
}

static u32 put_extents(u8 *p, const struct sfs_msg_extent *ext, __le32 *ret_nr)
{
	u32 nr = 0;

	while (nr < MAX_PARTS && ext[nr].start)
		nr++;
	memcpy(p, ext, nr * sizeof(*ext));
	*ret_nr = cpu_to_le32(nr);
	return nr * sizeof(*ext);
}

static struct sfs_msg *parts_msg(const struct peer *peer,
				 const struct parts *parts)
{
	struct sfs_slice *slice = parts_slice(peer, parts);
	struct sfs_msg_publish *body;
	struct sfs_msg *msg;
	u32 len = 0;
	u32 nr = 0;
	u8 *p;

	msg = sfs_msg_alloc(SFS_MSG_PUBLISH, 4096 + parts->len_off);
	if (!msg)
		bail_out("no memory");
	body = (struct sfs_msg_publish *)msg->payload;
	p = (u8 *)(body + 1);
	if (slice) {
		len = sfs_slice_encode(slice, p);
		sfs_slice_put(slice);
	}
	body->publish_nr = cpu_to_le64(peer->nr + parts->nr_off);
	body->txn_seq = cpu_to_le64(peer->seq + parts->seq_off);
	body->max_stamp = cpu_to_le64(parts->stamp ?: peer->seq);
	body->slice_len = cpu_to_le32(len);
	p += len;
	for (; nr < MAX_PARTS && parts->closed[nr]; nr++, p += 8)
		memcpy(p, &parts->closed[nr], 8);
	body->nr_closed = cpu_to_le32(nr);
	p += put_extents(p, parts->consumed, &body->nr_consumed);
	p += put_extents(p, parts->freed, &body->nr_freed);
	msg->hdr.len = cpu_to_le32((u32)(p - msg->payload) + parts->len_off);
	return msg;
}

static bool server_is_well(struct world *w, const u8 *used)
{
	return sfs_store_error(w->srv->store) == 0 && world_segs_fit(w) &&
	       world_data_fits(w, used, true);
}

static void refused(struct peer *peer, const struct parts *parts,
		    const char *why, const u8 *used)
{
	struct sfs_host *host = peer->w->vol.host;
	u64 version = peer->w->srv->version;
	int ret;

	sim_host_log_forget(host);
	ret = sfs_client_call(&peer->client, SFS_SLOT_PUBLISH,
			      parts_msg(peer, parts), 0, NULL);
	is_int(ret, -EPROTO, "refused: %s", why);
	if (!ok(sim_host_logged(host, SFS_LOG_ERR, why) == 1 &&
		sim_host_logged(host, SFS_LOG_ERR, "1267") == 1 &&
		sim_host_logged(host, SFS_LOG_ERR, NULL) == 1,
		"one line says so and names the mount"))
		sim_host_log_dump(host);
	ok(server_is_well(peer->w, used) && peer->w->srv->version == version,
	   "nothing has changed");
}

static void accepted(struct peer *peer, const struct parts *parts,
		     const char *what, const u8 *used)
{
	struct sfs_msg_publish_reply *body;
	struct sfs_msg *reply;
	int ret;

	ret = sfs_client_call(&peer->client, SFS_SLOT_PUBLISH,
			      parts_msg(peer, parts), sizeof(*body), &reply);
	is_int(ret, 0, "accepted: %s", what);
	if (ret < 0)
		bail_out("no way to go on");
	body = (struct sfs_msg_publish_reply *)reply->payload;
	peer->nr++;
	peer->seq = peer->spare;
	peer->spare = le64_to_cpu(body->spare_seq);
	peer->run_id = le64_to_cpu(body->run_id);
	sfs_msg_free(reply);
	ok(server_is_well(peer->w, used), "and space is in one place each");
}

#define EXT(at, nr) { cpu_to_le64(at), cpu_to_le64(nr) }

/* ---- one wrong thing at a time ------------------------------------------- */

static void test_message(struct peer *p, const u8 *used)
{
	refused(p, &(struct parts){ .nr_off = 1 }, "not the next one", used);
	refused(p, &(struct parts){ .seq_off = 1000 }, "is not open", used);
	refused(p, &(struct parts){ .stamp = U64_MAX - 1 }, "far beyond", used);
	refused(p, &(struct parts){ .len_off = 8 }, "its parts do not make up", used);
	refused(p, &(struct parts){ .len_off = 2 << 20 }, "a message of", used);
}

static void test_segments(struct peer *p, const u8 *used)
{
	refused(p, &(struct parts){ .closed = { p->other_seg } },
		"is closed but not one it owns", used);
	refused(p, &(struct parts){ .closed = { p->seg[0] + SFS_UNIT } },
		"is closed but not one it owns", used);
	refused(p, &(struct parts){ .closed = { SFS_UNIT } },
		"is closed but not one it owns", used);
	refused(p, &(struct parts){ .closed = { U64_MAX - 1 } },
		"is closed but not one it owns", used);
	refused(p, &(struct parts){ .closed = { p->seg[0], p->seg[1],
						p->seg[0] } },
		"is closed twice", used);
	/* the good one first */
	refused(p, &(struct parts){ .closed = { p->seg[0], p->other_seg } },
		"is closed but not one it owns", used);
}

static void test_run(struct peer *p, const u8 *used)
{
	struct sfs_piece good = { p->seg[0], 2 * SFS_UNIT };
	struct sfs_piece over = { p->seg[1] + p->seg_bytes - SFS_UNIT,
				  2 * SFS_UNIT };
	u64 end = p->w->vol.ident.id.meta_bytes;

	refused(p, &(struct parts){ .pieces = { good }, .run_off = 1 },
		"a number that was not given to it", used);
	refused(p, &(struct parts){ .pieces = { good }, .run_off = -1ULL },
		"a number that was not given to it", used);
	refused(p, &(struct parts){ .pieces = { good }, .level = 1 },
		"level 1 is not where", used);
	refused(p, &(struct parts){ .pieces = { good }, .items_off = 1 },
		"not all published", used);
	refused(p, &(struct parts){ .pieces = { good },
				    .footer_off = 2 * SFS_UNIT },
		"the footer at byte", used);
	refused(p, &(struct parts){ .pieces = { good }, .bytes_off = SFS_UNIT },
		"its pieces do not make up", used);
	refused(p, &(struct parts){ .pieces = { good, good } },
		"is in its run twice", used);
	refused(p, &(struct parts){ .pieces = { { p->other_seg, SFS_UNIT } } },
		"is not in segments it owns", used);
	refused(p, &(struct parts){ .pieces = { good, over } },
		"is not in segments it owns", used);
	refused(p, &(struct parts){ .pieces = { { SFS_META_REGION,
						  SFS_UNIT } } },
		"is not in segments it owns", used);
	refused(p, &(struct parts){ .pieces = { { end, SFS_UNIT } } },
		"a wrong address of a piece", used);
	/* all is well with the run, so that what follows is looked at */
	refused(p, &(struct parts){ .pieces = { good },
				    .closed = { p->other_seg } },
		"is closed but not one it owns", used);
}

static void test_consumed(struct peer *p, const u8 *used)
{
	u64 end = p->w->vol.ident.id.data_bytes / SFS_UNIT;

	refused(p, &(struct parts){ .consumed = { EXT(p->other_data, 1) } },
		"goes into a file but is not one it owns", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->free_data, 1) } },
		"goes into a file but is not one it owns", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->data + 10, 10),
						  EXT(p->data + 999, 2) } },
		"goes into a file but is not one it owns", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->data, 20),
						  EXT(p->data + 50, 1),
						  EXT(p->data + 19, 1) } },
		"is named twice", used);
	refused(p, &(struct parts){ .consumed = { EXT(end, 1) } },
		"outside of the data device", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->data, 0) } },
		"is empty or too long", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->data, U64_MAX) } },
		"is empty or too long", used);
}

static void test_freed(struct peer *p, const u8 *used)
{
	refused(p, &(struct parts){ .freed = { EXT(p->free_data, 1) } },
		"is freed but not in use", used);
	refused(p, &(struct parts){ .freed = { EXT(p->other_data, 1) } },
		"is freed but owned by a mount", used);
	refused(p, &(struct parts){ .freed = { EXT(p->data, 1) } },
		"is freed but owned by a mount", used);
	/* what goes into a file may come back, and no more than that */
	refused(p, &(struct parts){ .consumed = { EXT(p->data, 5),
						  EXT(p->data + 6, 5) },
				    .freed = { EXT(p->data, 8) } },
		"is freed but owned by a mount", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->data, 5) },
				    .freed = { EXT(p->data, 2),
					       EXT(p->data + 1, 2) } },
		"is named twice", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->data, 5) },
				    .freed = { EXT(p->data + 2, 1),
					       EXT(p->free_data, 1) } },
		"is freed but not in use", used);
}

/* What is right goes through, and is then no longer what it was. */
static void test_good(struct peer *p, u8 *used)
{
	memset(used + p->data, 1, 5);
	memset(used + p->data + 3, 0, 1);
	memset(used + p->data + 8, 1, 2);
	accepted(p, &(struct parts){ .closed = { p->seg[1] },
				     .consumed = { EXT(p->data + 8, 2),
						   EXT(p->data, 5) },
				     .freed = { EXT(p->data + 3, 1) } },
		 "a segment is closed, blocks go into a file and one comes back",
		 used);
	refused(p, &(struct parts){ .closed = { p->seg[1] } },
		"is closed but not one it owns", used);
	refused(p, &(struct parts){ .consumed = { EXT(p->data + 4, 1) } },
		"goes into a file but is not one it owns", used);
	refused(p, &(struct parts){ .freed = { EXT(p->data, 5) } },
		"is freed but not in use", used);
	memset(used, 0, p->free_data);
	accepted(p, &(struct parts){ .freed = { EXT(p->data + 8, 2),
						EXT(p->data + 4, 1),
						EXT(p->data, 3) } },
		 "all of them come back", used);
	refused(p, &(struct parts){ .freed = { EXT(p->data + 4, 1) } },
		"is freed but not in use", used);
}

/* ---- whole mounts -------------------------------------------------------- */

static int change(struct sfs_fs *fs)
{
	struct sfs_key key = SFS_KEY(SFS_ZONE_FS, 0, 0, 1, 0, 0);
	struct sfs_need need = { 1, 8, 0 };
	struct sfs_hold hold;
	int ret;

	ret = sfs_hold_begin(fs, NULL, &hold, SFS_SPACE_USER, &need);
	if (ret < 0)
		return ret;
	sfs_item_put(fs, &hold, &key, "12345678", 8);
	sfs_hold_end(fs, &hold);
	return sfs_publish(fs);
}

static void test_mounts(struct world *w, const u8 *used)
{
	struct sfs_fs *other;

	if (world_mount(w, &other) < 0)
		bail_out("second mount");
	is_int(change(other), 0, "a second mount changes something");
	other->run_id++;
	is_int(change(other), -EIO, "its publish is refused later");
	is_int(sfs_mount_error(other), -EIO, "it is down");
	ok(server_is_well(w, used), "the server is well");
	is_int(change(w->fs), 0, "the first mount goes on");
	is_int(sfs_mount_leave(other), -EIO, "the one that is down leaves");
	ok(server_is_well(w, used), "the server is well");
	is_int(change(w->fs), 0, "the first mount goes on");
}

int shim_main(int argc, char **argv)
{
	u8 *used = unit_alloc(64 * UNIT_MIB / SFS_UNIT);
	struct world w = {};
	struct peer peer;

	vol_create(&w.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	vol_format(&w.vol);
	if (world_start(&w) < 0)
		bail_out("start");
	peer_join(&peer, &w);
	test_message(&peer, used);
	test_segments(&peer, used);
	test_run(&peer, used);
	test_consumed(&peer, used);
	test_freed(&peer, used);
	test_good(&peer, used);
	peer_leave(&peer);
	test_mounts(&w, used);
	is_int(world_stop(&w), 0, "leave and stop");
	unit_free(used);
	vol_destroy(&w.vol);
	return done_testing();
}

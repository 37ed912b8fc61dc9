/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weather on the wires between mounts and server: messages that come late, not
 * at all or twice, connections that end, all messages of one kind lost for a
 * while, a mount that hears and says nothing for an hour; and mounts that hold
 * on to an old view of the volume.
 *
 * It changes from time to time and clears up at the end of a round.
 */
#include "sim/many.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mount/mount_types.h"
#include "net/hub.h"
#include "shim/shim.h"

#define NR_KNOWN 4096

struct many_wire {
	struct many *m;
	u64 rng;
	/* one in so many; 0: none */
	u32 lose;
	u32 twice;
	u32 cut;
	u32 late;
	u64 late_ns;
	u32 lost_type;		/* all of them, 0: none */
	int lost_side;
	u32 paused;		/* bits of mounts */
	struct {
		const struct sfs_conn *conn;
		u64 rid;
	} known[NR_KNOWN];
	u32 nr_known;
	bool stop;
	bool talk;
	struct shim_task *task;
};

/*
 * Messages of the server name nobody: it is who spoke last over the connection,
 * and a mount speaks first.
 */
static u64 rid_of(struct many_wire *wi, const struct sfs_conn *conn,
		  const struct sfs_msg *msg)
{
	u64 rid = le64_to_cpu(msg->hdr.rid);
	u32 i;

	for (i = 0; i < wi->nr_known; i++) {
		if (wi->known[i].conn == conn)
			break;
	}
	if (i == wi->nr_known) {
		/* so many can not be in use at a time */
		if (wi->nr_known == NR_KNOWN)
			wi->nr_known = i = 0;
		wi->known[i].conn = conn;
		wi->known[i].rid = 0;
		wi->nr_known++;
	}
	if (rid)
		wi->known[i].rid = rid;
	return wi->known[i].rid;
}

static struct many_mount *mount_of(struct many_wire *wi, u64 rid)
{
	struct many *m = wi->m;
	u32 i;

	for (i = 0; i < m->opts.nr_mounts; i++) {
		if (m->mounts[i].fs && sfs_rid(m->mounts[i].fs) == rid)
			return &m->mounts[i];
	}
	return NULL;
}

static bool odds(struct many_wire *wi, u32 one_in)
{
	return one_in && sim_one_in(&wi->rng, one_in);
}

static enum sfs_wire_fate decide(struct many_wire *wi, struct sfs_conn *conn,
				 int to_side, const struct sfs_msg *msg)
{
	struct many_mount *mnt = mount_of(wi, rid_of(wi, conn, msg));

	while (mnt && (wi->paused >> mnt->nr & 1) && !sfs_conn_is_shut(conn))
		shim_sleep_ns(1000000);
	if (odds(wi, wi->late))
		shim_sleep_ns(sim_rnd(&wi->rng, wi->late_ns));
	if (sfs_conn_is_shut(conn))
		return SFS_WIRE_LOSE;
	if (wi->lost_type && le16_to_cpu(msg->hdr.type) == wi->lost_type &&
	    to_side == wi->lost_side)
		return SFS_WIRE_LOSE;
	if (odds(wi, wi->lose))
		return SFS_WIRE_LOSE;
	if (odds(wi, wi->twice))
		return SFS_WIRE_TWICE;
	return odds(wi, wi->cut) ? SFS_WIRE_CUT : SFS_WIRE_PASS;
}

/* SIM_WIRE=1: a line a message, with the first words of what is in it. */
static void show(struct many_wire *wi, int to_side, const struct sfs_msg *msg,
		 enum sfs_wire_fate fate)
{
	static const char *const fates[] = { "", " LOST", " TWICE", " CUT" };
	struct many_mount *mnt = mount_of(wi, le64_to_cpu(msg->hdr.rid));
	const __le64 *w = (const void *)msg->payload;
	u32 nr = min(sfs_msg_len(msg) / 8, 4U);
	u32 i;

	shim_eprintf("  %llu ms: mount %d %s server: type %u%s seq %llu:",
		     shim_clock_ns() / 1000000, mnt ? (int)mnt->nr : -1,
		     to_side ? "->" : "<-", le16_to_cpu(msg->hdr.type),
		     msg->hdr.is_reply ? " (reply)" : "",
		     le64_to_cpu(msg->hdr.seq));
	for (i = 0; i < nr; i++)
		shim_eprintf(" %llx", le64_to_cpu(w[i]));
	shim_eprintf("%s\n", fates[fate]);
}

static enum sfs_wire_fate fate(void *arg, struct sfs_conn *conn, int to_side,
			       const struct sfs_msg *msg)
{
	struct many_wire *wi = arg;
	enum sfs_wire_fate fate = decide(wi, conn, to_side, msg);

	if (wi->talk)
		show(wi, to_side, msg, fate);
	return fate;
}

void many_wire_create(struct many *m)
{
	struct many_wire *wi = sim_zalloc(sizeof(*wi));

	wi->m = m;
	wi->talk = shim_getenv("SIM_WIRE");
	wi->rng = sim_rnd(&m->w->rng, 1ULL << 48);
	m->wire = wi;
}

void many_wire_destroy(struct many *m)
{
	kvfree(m->wire);
	m->wire = NULL;
}

void many_wire_plug(struct many *m)
{
	struct sfs_wire wire = { .fate = fate, .arg = m->wire };

	if (m->wire)
		sfs_hub_set_wire(m->w->hub, &wire);
}

/* ---- weather -------------------------------------------------------------------------- */

static void clear_up(struct many_wire *wi)
{
	wi->lose = 0;
	wi->twice = 0;
	wi->cut = 0;
	wi->late = 0;
	wi->lost_type = 0;
	wi->paused = 0;
}

/* Nobody gives back what is old while a mount reads from it. */
static void hold_view(struct many_wire *wi, u64 ns)
{
	struct many *m = wi->m;
	struct many_mount *mnt = &m->mounts[sim_rnd(&wi->rng,
						    m->opts.nr_mounts)];
	struct sfs_view *view;

	if (!mnt->fs)
		return;
	view = sfs_engine_view(&mnt->fs->eng);
	shim_sleep_ns(ns);
	sfs_view_put(&mnt->fs->eng, view);
}

static void change(struct many_wire *wi)
{
	u64 ns = (1 + sim_rnd(&wi->rng, 300)) * 10000000ULL;

	clear_up(wi);
	switch (sim_rnd(&wi->rng, 8)) {
	case 0:
	case 1:
	case 2:
		if (sim_one_in(&wi->rng, 2))
			wi->lose = 2 + sim_rnd(&wi->rng, 30);
		if (sim_one_in(&wi->rng, 2))
			wi->twice = 2 + sim_rnd(&wi->rng, 20);
		if (sim_one_in(&wi->rng, 2))
			wi->cut = 5 + sim_rnd(&wi->rng, 60);
		wi->late = 1 + sim_rnd(&wi->rng, 10);
		wi->late_ns = 1 + sim_rnd(&wi->rng, 20000000);
		break;
	case 3:
	case 4:
		wi->lost_type = 1 + sim_rnd(&wi->rng, 20);
		if (sim_one_in(&wi->rng, 2))
			wi->lost_type = 32 + sim_rnd(&wi->rng, 6);
		else if (sim_one_in(&wi->rng, 2))
			wi->lost_type = 64 + sim_rnd(&wi->rng, 6);
		wi->lost_side = sim_rnd(&wi->rng, 2);
		ns *= 5;
		break;
	case 5:
		wi->paused = 1U << sim_rnd(&wi->rng, wi->m->opts.nr_mounts);
		if (sim_one_in(&wi->rng, 4))
			ns = 3600ULL * 1000000000ULL;
		break;
	case 6:
		hold_view(wi, 4 * ns);
		break;
	}
	shim_sleep_ns(ns);
}

static void weather(void *arg)
{
	struct many_wire *wi = arg;

	while (!wi->stop) {
		many_broken(wi->m);
		change(wi);
		clear_up(wi);
		many_healed(wi->m);
		shim_sleep_ns(sim_rnd(&wi->rng, 3000000000ULL));
	}
}

void many_weather_start(struct many *m)
{
	m->wire->stop = false;
	m->wire->task = shim_go("weather", weather, m->wire);
}

void many_weather_join(struct many *m)
{
	m->wire->stop = true;
	shim_join(m->wire->task);
}

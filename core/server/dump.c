// SPDX-License-Identifier: GPL-2.0-only
/*
 * What there is in memory of the server, as lines of text.
 *
 * The store's mutex guards nearly all of it and is held over reads of blocks
 * and while the log is full.  Who wants to know why the server does not answer
 * must not end up waiting for it too: it is tried for a second.
 */
#include "server/dump.h"

#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include "server/server.h"

#define LOCK_TRIES 100
#define LOCK_TRY_MS 10
#define MAX_SESSIONS 64

int sfs_dump_line(struct sfs_dump *dump, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(dump->buf, dump->size, fmt, ap);
	va_end(ap);
	return dump->line(dump->arg, dump->buf);
}

static bool lock_soon(struct sfs_server *srv)
{
	int i;

	for (i = 0; i < LOCK_TRIES; i++) {
		if (sfs_store_trylock(srv->store))
			return true;
		msleep(LOCK_TRY_MS);
	}
	return false;
}

/* Of a session, as long as the store is locked. */
struct session_copy {
	u64 rid;
	u64 publish_nr;
	u64 acked;
	u64 owned_segs;
	u64 owned_data;
	u64 open_seqs[SFS_MAX_OPEN_SEQS];
	bool joined;
};

static u32 copy_sessions(struct sfs_server *srv, struct session_copy *copies,
			 u32 *ret_all)
{
	struct sfs_session *sess;
	u32 all = 0;

	list_for_each_entry(sess, &srv->sessions, head) {
		struct session_copy *c = &copies[all];

		if (all++ >= MAX_SESSIONS)
			continue;
		c->rid = sess->rid;
		c->publish_nr = sess->publish_nr;
		c->acked = READ_ONCE(sess->acked);
		c->owned_segs = sess->owned_segs;
		c->owned_data = sess->owned_data;
		memcpy(c->open_seqs, sess->open_seqs, sizeof(c->open_seqs));
		c->joined = sess->joined;
	}
	*ret_all = all;
	return min_t(u32, all, MAX_SESSIONS);
}

int sfs_srv_dump_sessions(struct sfs_server *srv, struct sfs_dump *dump)
{
	struct session_copy *copies;
	struct session_copy *c;
	u32 all;
	u32 nr;
	int ret = 0;
	u32 i;

	copies = kcalloc(MAX_SESSIONS, sizeof(*copies), GFP_NOFS);
	if (!copies)
		return 0;
	if (!lock_soon(srv)) {
		kfree(copies);
		return sfs_dump_line(dump, "the server is busy");
	}
	nr = copy_sessions(srv, copies, &all);
	sfs_store_unlock(srv->store);
	for (i = 0; i < nr && ret == 0; i++) {
		c = &copies[i];
		ret = sfs_dump_line(dump, "session rid %016llx joined %u publishes %llu acked-version %llu owned-segments %llu owned-blocks %llu open-seqs %llu %llu %llu %llu",
				    c->rid, c->joined, c->publish_nr, c->acked,
				    c->owned_segs, c->owned_data,
				    c->open_seqs[0], c->open_seqs[1],
				    c->open_seqs[2], c->open_seqs[3]);
	}
	if (ret == 0 && nr < all)
		ret = sfs_dump_line(dump, "and %u more sessions", all - nr);
	kfree(copies);
	return ret;
}

/* ---- the server itself ------------------------------------------------------------ */

struct state_copy {
	u64 version;
	u64 stable;
	u64 next_seq;
	u64 next_run;
	u64 next_slice;
	u64 next_ino;
	u64 data_free;
	u64 nr_free;
	u64 nr_owned;
	u64 nr_pending;
	bool compacting;
	bool compact_forced;
	int compact_err;
};

static bool copy_state(struct sfs_server *srv, struct state_copy *c)
{
	if (!lock_soon(srv))
		return false;
	c->version = srv->version;
	c->stable = srv->stable;
	c->next_seq = srv->next_seq;
	c->next_run = srv->next_run;
	c->next_slice = srv->next_slice;
	c->next_ino = srv->next_ino;
	c->data_free = srv->data_free;
	c->nr_free = srv->segs.nr_free;
	c->nr_owned = srv->segs.nr_owned;
	c->nr_pending = srv->segs.nr_pending;
	c->compacting = srv->compacting;
	c->compact_forced = srv->compact_forced;
	c->compact_err = srv->compact_err;
	sfs_store_unlock(srv->store);
	return true;
}

int sfs_srv_dump_state(struct sfs_server *srv, struct sfs_dump *dump)
{
	struct state_copy c;
	int ret;

	sfs_store_to_text(srv->store, dump->buf, dump->size);
	ret = dump->line(dump->arg, dump->buf);
	if (ret)
		return ret;
	if (!copy_state(srv, &c))
		return sfs_dump_line(dump, "the server is busy");
	ret = sfs_dump_line(dump, "volume version %llu stable %llu next-seq %llu next-run %llu next-slice %llu next-ino %llu",
			    c.version, c.stable, c.next_seq, c.next_run,
			    c.next_slice, c.next_ino);
	if (ret == 0)
		ret = sfs_dump_line(dump, "segments all %llu bytes-each %u free %llu owned %llu pending %llu job-reserve %llu delete-reserve %llu",
				    srv->segs.nr, srv->segs.bytes, c.nr_free,
				    c.nr_owned, c.nr_pending,
				    srv->segs.reserve_job,
				    srv->segs.reserve_delete);
	if (ret == 0)
		ret = sfs_dump_line(dump, "data blocks %llu free %llu",
				    srv->data_total, c.data_free);
	if (ret == 0)
		ret = sfs_dump_line(dump, "compaction running %u forced %u error %d",
				    c.compacting, c.compact_forced,
				    c.compact_err);
	return ret;
}

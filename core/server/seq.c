// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequences of transactions and of grants: never given out twice, whatever
 * becomes of the server.
 *
 * The state item has a number that none given out has reached; the next server
 * begins there.  It is raised in steps, so that numbers can be given out without
 * a record each, and long before it is reached.  A transaction of the store may
 * take more than that: its own record raises it, and nothing leaves before.
 *
 * Locks: seq_lock, a leaf but for the store's wait_lock.
 */
#include "server/server.h"

#include <linux/kernel.h>
#include <linux/minmax.h>

#define BATCH 65536

void sfs_srv_seq_init(struct sfs_server *srv, u64 first)
{
	srv->next_seq = first;
	srv->seq_logged = first;
	srv->seq_durable = first;
	srv->seq_ticket = 0;
}

u64 sfs_srv_take_seq(struct sfs_server *srv)
{
	u64 seq;

	spin_lock(&srv->seq_lock);
	seq = srv->next_seq++;
	spin_unlock(&srv->seq_lock);
	return seq;
}

void sfs_srv_raise_seq(struct sfs_server *srv, u64 stamp)
{
	spin_lock(&srv->seq_lock);
	srv->next_seq = max(srv->next_seq, stamp + 1);
	spin_unlock(&srv->seq_lock);
}

u64 sfs_srv_seq_bound(struct sfs_server *srv)
{
	u64 bound;

	spin_lock(&srv->seq_lock);
	bound = srv->next_seq;
	spin_unlock(&srv->seq_lock);
	return bound;
}

u64 sfs_srv_next_seq(struct sfs_server *srv)
{
	u64 seq = 0;
	bool low;

	spin_lock(&srv->seq_lock);
	if (srv->seq_durable < srv->seq_logged &&
	    sfs_store_durable(srv->store) >= srv->seq_ticket)
		srv->seq_durable = srv->seq_logged;
	if (srv->next_seq < srv->seq_durable)
		seq = srv->next_seq++;
	low = srv->seq_logged < srv->next_seq + BATCH / 2;
	spin_unlock(&srv->seq_lock);
	if (low && !READ_ONCE(srv->stopping))
		queue_work(srv->wq, &srv->seq_work);
	return seq;
}

u64 sfs_srv_seq_reserve(struct sfs_server *srv)
{
	u64 logged;

	spin_lock(&srv->seq_lock);
	if (srv->seq_logged < srv->next_seq + BATCH / 2) {
		if (srv->seq_ticket &&
		    sfs_store_durable(srv->store) >= srv->seq_ticket)
			srv->seq_durable = srv->seq_logged;
		srv->seq_logged = srv->next_seq + BATCH;
		srv->seq_ticket = sfs_store_ticket(srv->store);
	}
	logged = srv->seq_logged;
	spin_unlock(&srv->seq_lock);
	return logged;
}

void sfs_srv_seq_worker(struct work_struct *work)
{
	struct sfs_server *srv = container_of(work, struct sfs_server,
					      seq_work);
	struct sfs_store_txn txn;

	/* without memory: the next who asks for a number comes back here */
	if (sfs_store_begin(srv->store, &txn, 1,
			    sizeof(struct sfs_srv_state)) < 0)
		return;
	sfs_srv_put_state(srv, &txn);
	sfs_store_end(srv->store, &txn);
}

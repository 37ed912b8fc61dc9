// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hub: where the mounts of a volume and its server meet as long as they
 * are in one machine.
 *
 * It takes the place of an address.  A server listens here, mounts connect, and
 * connect again when the connection ended and a server listens.  What only a
 * machine can know of its own mounts is known here, too: which of them exist.
 * A new server waits for those to greet it, and one that is taken off the list
 * has ended everything it had begun, so that what it owned can be given to
 * others.
 *
 * Locks: hub->mutex, held over callbacks, which take spinlocks and queue work.
 */
#include "net/hub.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include "api.h"
#include "base/report.h"

struct sfs_hub {
	struct sfs_host *host;			/* I */
	struct workqueue_struct *wq;		/* I: of all connections */
	struct mutex mutex;
	const struct sfs_listener *listener;	/* L(mutex) */
	struct list_head members;		/* L(mutex) */
	struct sfs_wire wire;			/* I: of all connections */
};

int sfs_hub_create(struct sfs_host *host, struct sfs_hub **ret_hub)
{
	struct sfs_hub *hub;

	hub = kzalloc(sizeof(*hub), GFP_NOFS);
	if (!hub)
		return -ENOMEM;
	hub->host = host;
	mutex_init(&hub->mutex);
	INIT_LIST_HEAD(&hub->members);
	hub->wq = alloc_workqueue("sfs-hub", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!hub->wq) {
		kfree(hub);
		return -ENOMEM;
	}
	*ret_hub = hub;
	return 0;
}

void sfs_hub_destroy(struct sfs_hub *hub)
{
	SFS_ASSERT(!hub->listener);
	SFS_ASSERT(list_empty(&hub->members));
	destroy_workqueue(hub->wq);
	mutex_destroy(&hub->mutex);
	kfree(hub);
}

void sfs_hub_set_wire(struct sfs_hub *hub, const struct sfs_wire *wire)
{
	hub->wire = *wire;
}

/* ---- the server's side ------------------------------------------------------- */

int sfs_hub_listen(struct sfs_hub *hub, const struct sfs_listener *listener)
{
	struct sfs_hub_member *member;
	int ret = 0;

	mutex_lock(&hub->mutex);
	if (hub->listener) {
		ret = -EBUSY;
	} else {
		hub->listener = listener;
		list_for_each_entry(member, &hub->members, head)
			member->listening(member->arg);
	}
	mutex_unlock(&hub->mutex);
	return ret;
}

void sfs_hub_unlisten(struct sfs_hub *hub)
{
	mutex_lock(&hub->mutex);
	hub->listener = NULL;
	mutex_unlock(&hub->mutex);
}

bool sfs_hub_has(struct sfs_hub *hub, u64 rid)
{
	struct sfs_hub_member *member;
	bool has = false;

	mutex_lock(&hub->mutex);
	list_for_each_entry(member, &hub->members, head)
		has |= member->rid == rid;
	mutex_unlock(&hub->mutex);
	return has;
}

void *sfs_hub_get_server(struct sfs_hub *hub)
{
	mutex_lock(&hub->mutex);
	return hub->listener ? hub->listener->arg : NULL;
}

void sfs_hub_put_server(struct sfs_hub *hub)
{
	mutex_unlock(&hub->mutex);
}

/* ---- the mounts' side ---------------------------------------------------------- */

void sfs_hub_add(struct sfs_hub *hub, struct sfs_hub_member *member)
{
	mutex_lock(&hub->mutex);
	list_add_tail(&member->head, &hub->members);
	mutex_unlock(&hub->mutex);
}

void sfs_hub_remove(struct sfs_hub *hub, struct sfs_hub_member *member)
{
	mutex_lock(&hub->mutex);
	list_del(&member->head);
	if (hub->listener)
		hub->listener->gone(hub->listener->arg, member->rid);
	mutex_unlock(&hub->mutex);
}

int sfs_hub_connect(struct sfs_hub *hub, const struct sfs_conn_ops *ops,
		    void *arg, struct sfs_conn **ret_conn)
{
	struct sfs_conn *conn;
	int ret = -ENOTCONN;

	conn = sfs_conn_create(hub->host, hub->wq, &hub->wire);
	if (!conn)
		return -ENOMEM;
	sfs_conn_attach(conn, SFS_CONN_MOUNT, ops, arg);
	mutex_lock(&hub->mutex);
	if (hub->listener)
		ret = hub->listener->accept(hub->listener->arg, conn);
	mutex_unlock(&hub->mutex);
	if (ret < 0) {
		/* nobody has the other end */
		sfs_conn_detach(conn, SFS_CONN_SERVER);
		sfs_conn_detach(conn, SFS_CONN_MOUNT);
		return ret;
	}
	*ret_conn = conn;
	return 0;
}

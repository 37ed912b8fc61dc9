/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_NET_HUB_H
#define SFS_NET_HUB_H

#include "net/net.h"

/*
 * The wires of a volume inside one machine: where its server listens, where
 * mounts connect, and which mounts there are.
 */
struct sfs_hub;

/*
 * Callbacks of who listens.  They are called one at a time and must neither
 * wait nor call the hub.
 */
struct sfs_listener {
	/* Takes its end of @conn with sfs_conn_attach(), or says why not. */
	int (*accept)(void *arg, struct sfs_conn *conn);
	/* The mount @rid is no more; nothing it began is under way. */
	void (*gone)(void *arg, u64 rid);
	void *arg;
};

/* -EBUSY while somebody else listens. */
int sfs_hub_listen(struct sfs_hub *hub, const struct sfs_listener *listener);
/* No callback is running when it returns, and none will. */
void sfs_hub_unlisten(struct sfs_hub *hub);
/* Whether the mount @rid is one of this hub's. */
bool sfs_hub_has(struct sfs_hub *hub, u64 rid);

/*
 * For who wants to look at a server that is in this machine: what listens as
 * listener->arg, which does not go until put; or NULL.  May wait.
 */
void *sfs_hub_get_server(struct sfs_hub *hub);
void sfs_hub_put_server(struct sfs_hub *hub);

/* A mount of this hub, from before it connects until it is no more. */
struct sfs_hub_member {
	struct list_head head;		/* L(hub) */
	u64 rid;			/* I */
	/* A server listens; must not wait. */
	void (*listening)(void *arg);
	void *arg;
};
void sfs_hub_add(struct sfs_hub *hub, struct sfs_hub_member *member);
void sfs_hub_remove(struct sfs_hub *hub, struct sfs_hub_member *member);
/* -ENOTCONN when nobody listens. */
int sfs_hub_connect(struct sfs_hub *hub, const struct sfs_conn_ops *ops,
		    void *arg, struct sfs_conn **ret_conn);

/* For tests.  Before anybody connects. */
void sfs_hub_set_wire(struct sfs_hub *hub, const struct sfs_wire *wire);

#endif

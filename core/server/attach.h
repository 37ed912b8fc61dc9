/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_ATTACH_H
#define SFS_SERVER_ATTACH_H

struct sfs_server;
struct sfs_client;

/* A mount of the same process attaches itself, then talks through @client. */
int sfs_server_attach(struct sfs_server *srv, struct sfs_client *client);
/* The client's connection has been closed. */
void sfs_server_detach(struct sfs_server *srv, struct sfs_client *client);

#endif

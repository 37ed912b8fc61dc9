/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_FORMAT_H
#define SFS_SERVER_FORMAT_H

#include "base/identity.h"
#include "engine/memtable.h"

/*
 * Server region, roots and first items of an empty volume whose contents are
 * the items of @gen.  The identity is not written yet.
 */
int sfs_server_format(struct sfs_host *host, const struct sfs_identity *ident,
		      struct sfs_memgen *gen);

#endif

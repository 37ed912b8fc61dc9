// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the lock service takes part in a session's beginning and end: nothing
 * is locked yet.
 */
#include "server/server.h"

int sfs_srv_locks_recover(struct sfs_session *sess, const struct sfs_msg *msg)
{
	return 0;
}

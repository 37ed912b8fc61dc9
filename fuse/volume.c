/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A volume in this process: its devices, the ownership of them and the server,
 * brought up in that order and taken down in the reverse one.  Mounts come and
 * go in between (conn.c).
 *
 * A crash at any point leaves the owner block as "active", which the next
 * owner on this machine recognises as dead; the core recovers by itself.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The mount can not be found yet while it is being mounted, and the kernel
 * knows nothing of it then.  It goes away after its mount of the core, so it
 * is there for as long as the core can tell it something.
 */
static void on_invalidate(void *arg, struct sfs_fs *fs, __u64 first,
			  __u64 last)
{
	struct sfs_volume *vol = arg;
	struct sfs_conn *conn;

	pthread_mutex_lock(&vol->lock);
	conn = vol->conns;
	while (conn && conn->fs != fs)
		conn = conn->next;
	pthread_mutex_unlock(&vol->lock);
	if (conn)
		sfs_known_sweep(conn, first, last);
}

void sfs_volume_wake(struct sfs_volume *vol)
{
	uint64_t one = 1;

	if (write(vol->event_fd, &one, sizeof(one)) < 0)
		sfs_log(SFS_LOG_ERR, "eventfd: %s", strerror(errno));
}

int sfs_volume_start(const char *meta, const char *data,
		     const struct sfs_options *opts, int event_fd,
		     struct sfs_volume **ret_vol)
{
	struct sfs_volume *vol = calloc(1, sizeof(*vol));
	int ret;

	if (!vol)
		return -ENOMEM;
	vol->event_fd = event_fd;
	pthread_mutex_init(&vol->lock, NULL);
	ret = sfs_run_dir_make();
	if (ret == 0)
		ret = sfs_host_open(meta, data,
				    opts->force ? SFS_HOST_FORCE : 0,
				    &vol->host);
	if (ret < 0)
		goto err_free;
	sfs_host_revoke_init(vol->host);
	vol->host->on_invalidate = on_invalidate;
	vol->host->on_down_arg = vol;
	ret = sfs_owner_claim(vol->host);
	if (ret < 0)
		goto err_close;
	ret = sfs_hub_create(vol->host, &vol->hub);
	if (ret < 0)
		goto err_close;
	ret = sfs_server_start(vol->host, vol->hub, &vol->srv);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "%s: the server does not start: %s",
			vol->host->dev[SFS_DEV_META].path, strerror(-ret));
		goto err_hub;
	}
	sfs_status_clear(vol->host->id[SFS_DEV_META].fsid);
	*ret_vol = vol;
	return 0;

err_hub:
	sfs_hub_destroy(vol->hub);
err_close:
	sfs_host_close(vol->host);
err_free:
	free(vol);
	return ret;
}

void sfs_volume_stop(struct sfs_volume *vol)
{
	sfs_owner_stopping(vol->host);
	sfs_server_stop(vol->srv);
	sfs_hub_destroy(vol->hub);
	sfs_owner_release(vol->host, !vol->dirty);
	sfs_host_close(vol->host);
	pthread_mutex_destroy(&vol->lock);
	free(vol);
}

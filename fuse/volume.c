/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A volume in this process: its devices, the ownership of them, the server,
 * one mount of the core, and the files that show it; brought up in that order
 * and taken down in the reverse one.
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

static void on_down(void *arg, const char *why)
{
	struct sfs_volume *vol = arg;
	uint64_t one = 1;

	/* the main thread tells whoever started us, if it is early enough */
	if (write(vol->event_fd, &one, sizeof(one)) < 0)
		sfs_log(SFS_LOG_DEBUG, "eventfd: %s", strerror(errno));
}

static int start_core(struct sfs_volume *vol)
{
	struct sfs_mount_opts opts;
	int ret;

	ret = sfs_hub_create(vol->host, &vol->hub);
	if (ret < 0)
		return ret;
	ret = sfs_server_start(vol->host, vol->hub, &vol->srv);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "%s: the server does not start: %s",
			vol->host->dev[SFS_DEV_META].path, strerror(-ret));
		goto err_hub;
	}
	sfs_options_mount(&vol->opts, &opts);
	ret = sfs_mount(vol->host, vol->hub, &opts, &vol->fs);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "%s: cannot be mounted: %s",
			vol->host->dev[SFS_DEV_META].path, strerror(-ret));
		goto err_server;
	}
	return 0;

err_server:
	sfs_server_stop(vol->srv);
err_hub:
	sfs_hub_destroy(vol->hub);
	return ret;
}

int sfs_volume_start(const char *meta, const char *data,
		     const struct sfs_options *opts, int event_fd,
		     struct sfs_volume **ret_vol)
{
	struct sfs_volume *vol = calloc(1, sizeof(*vol));
	int ret;

	if (!vol)
		return -ENOMEM;
	vol->opts = *opts;
	/* on the daemon's own command line it is an argument */
	if (!opts->metadev_path[0])
		snprintf(vol->opts.metadev_path,
			 sizeof(vol->opts.metadev_path), "%s", meta);
	vol->event_fd = event_fd;
	ret = sfs_run_dir_make();
	if (ret == 0)
		ret = sfs_host_open(meta, data,
				    opts->force ? SFS_HOST_FORCE : 0,
				    &vol->host);
	if (ret < 0)
		goto err_free;
	vol->host->on_down = on_down;
	vol->host->on_down_arg = vol;
	ret = sfs_owner_claim(vol->host);
	if (ret < 0)
		goto err_close;
	ret = start_core(vol);
	if (ret < 0)
		goto err_close;
	sfs_owner_set_rid(vol->host, sfs_rid(vol->fs));
	ret = sfs_status_create(vol->host, sfs_fsid(vol->fs), sfs_rid(vol->fs),
				&vol->opts, &vol->status);
	if (ret < 0)
		goto err_stop;
	*ret_vol = vol;
	return 0;

err_stop:
	sfs_volume_stop(vol);
	return ret;
err_close:
	sfs_host_close(vol->host);
err_free:
	free(vol);
	return ret;
}

/* Returns the error of the last publish. */
int sfs_volume_stop(struct sfs_volume *vol)
{
	int ret;

	sfs_owner_stopping(vol->host);
	sfs_status_remove(vol->status);
	ret = sfs_unmount(vol->fs);
	if (ret < 0)
		sfs_log(SFS_LOG_ERR,
			"%s: the last changes could not be published: %s",
			vol->host->name, strerror(-ret));
	sfs_server_stop(vol->srv);
	sfs_hub_destroy(vol->hub);
	sfs_owner_release(vol->host, ret == 0);
	sfs_host_close(vol->host);
	free(vol);
	return ret;
}

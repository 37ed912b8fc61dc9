/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is given back when the machine needs it: the core's caches of
 * clean metadata blocks, one shrinker for each mount and each server.
 *
 * Objects are counted in units of 4 KiB, so that scanning so many of them asks
 * for about as much memory as the kernel believes.
 *
 * Called from within allocations, whatever their flags: what the core promises
 * for these calls (api.h) is that they wait for nothing, so that it does not
 * matter whether the allocation may enter a filesystem.  Freeing needs vfree()
 * for buffers that were not to be had in one piece, which may sleep, as
 * shrinkers may.
 *
 * A shrinker goes before its mount or server; removing it waits for calls that
 * are running.
 */
#include <linux/errno.h>
#include <linux/slab.h>

#include "volume.h"

#define OBJECT_BYTES 4096

struct sfs_shrinker {
	struct sfs_fs *fs;		/* I: or NULL */
	struct sfs_server *srv;		/* I: or NULL */
	struct shrinker *shrinker;	/* I */
};

static unsigned long count_objects(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	struct sfs_shrinker *sh = sfs_compat_shrinker_private(shrinker);
	u64 bytes = sh->fs ? sfs_mount_cache_bytes(sh->fs) :
			     sfs_server_cache_bytes(sh->srv);

	return bytes / OBJECT_BYTES ?: SHRINK_EMPTY;
}

static unsigned long scan_objects(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	struct sfs_shrinker *sh = sfs_compat_shrinker_private(shrinker);
	u64 bytes = (u64)sc->nr_to_scan * OBJECT_BYTES;

	bytes = sh->fs ? sfs_mount_cache_shrink(sh->fs, bytes) :
			 sfs_server_cache_shrink(sh->srv, bytes);
	return bytes / OBJECT_BYTES;
}

int sfs_shrinker_create(struct sfs_fs *fs, struct sfs_server *srv,
			const char *name, struct sfs_shrinker **ret_shrinker)
{
	struct sfs_shrinker *sh = kzalloc(sizeof(*sh), GFP_KERNEL);
	char text[80];
	int ret;

	if (!sh)
		return -ENOMEM;
	sh->fs = fs;
	sh->srv = srv;
	scnprintf(text, sizeof(text), "scoutfs-%s:%s", fs ? "mount" : "server",
		  name);
	sh->shrinker = sfs_compat_shrinker_alloc(text, sh);
	if (!sh->shrinker) {
		kfree(sh);
		return -ENOMEM;
	}
	sh->shrinker->count_objects = count_objects;
	sh->shrinker->scan_objects = scan_objects;
	/* a block that is missed costs a read, as a page of a file does */
	sh->shrinker->seeks = DEFAULT_SEEKS;
	ret = sfs_compat_shrinker_register(sh->shrinker, text);
	if (ret < 0) {
		sfs_compat_shrinker_free(sh->shrinker);
		kfree(sh);
		return ret;
	}
	*ret_shrinker = sh;
	return 0;
}

void sfs_shrinker_destroy(struct sfs_shrinker *sh)
{
	if (!sh)
		return;
	sfs_compat_shrinker_free(sh->shrinker);
	kfree(sh);
}

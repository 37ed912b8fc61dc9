/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The volumes this kernel uses: opening their devices, saying in one line what
 * is wrong with them and what to do about it, owning them, their servers.
 *
 * A volume is known by its two device numbers, so that it does not matter by
 * which paths a second mount names them.  It is in the list from before its
 * devices are opened until after they are closed; whoever wants one that is
 * starting or stopping waits, so that mounting right after unmounting works.
 * Nothing is done while the list is locked: starting may watch another owner
 * for seconds.
 *
 * A daemon that lost its last mount needs a moment for its last publish.  So
 * whoever finds the devices claimed waits: ten seconds when the owner block
 * says that its owner is about to leave, else a second and a half, which is
 * what it may take a daemon to notice that it was unmounted.
 *
 * The errnos are those of the table in docs/errors.md.  Lines go to the log of
 * the kernel and to the mount's file descriptor (fsopen(2)), from where new
 * versions of mount(8) show them.
 *
 * A crash leaves an owner block that stands still, and a log that the next
 * start of a server replays.
 *
 * Lock: volumes_lock around the list and the fields it guards, a leaf.
 */
#include <linux/blkdev.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "volume.h"

#define WAIT_STEP_MS 50
#define WAIT_LEAVING_MS 10000
#define WAIT_OTHER_MS 1500

static const char *const role_names[SFS_NR_DEVS] = {
	[SFS_DEV_META] = "metadata",
	[SFS_DEV_DATA] = "data",
};

static DEFINE_MUTEX(volumes_lock);
static LIST_HEAD(volumes);
static DECLARE_WAIT_QUEUE_HEAD(volumes_wait);
/* L(volumes) to change: counts ends of starting and stopping */
static unsigned long volumes_changes;

/* What a start needs besides the volume: the mount it is for. */
struct start {
	struct fs_context *fc;
	const char *path[SFS_NR_DEVS];
	bool force;
};

/* An error of this mount: to whoever asked for it, and to the log. */
static __printf(2, 3) void say(struct fs_context *fc, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = kvasprintf(GFP_KERNEL, fmt, args);
	va_end(args);
	if (!text)
		return;
	pr_err("scoutfs: %s\n", text);
	/* without a file descriptor this would only print it once more */
	if (fc->log.log)
		errorf(fc, "%s", text);
	kfree(text);
}

/* ---- devices ------------------------------------------------------------------- */

static int find_dev(struct start *st, int dev, dev_t *ret_devt)
{
	const char *path = st->path[dev];
	int ret;

	ret = lookup_bdev(path, ret_devt);
	if (ret == 0)
		return 0;
	if (ret == -ENOENT || ret == -ENOTDIR)
		say(st->fc, "%s: there is no such %s device; check the path",
		    path, role_names[dev]);
	else if (ret == -ENOTBLK)
		say(st->fc, "%s: not a block device; name the %s device (losetup makes one of an image file)",
		    path, role_names[dev]);
	else if (ret == -EACCES)
		say(st->fc, "%s: no permission to use this %s device, or its filesystem is mounted nodev",
		    path, role_names[dev]);
	else
		say(st->fc, "%s: cannot look at the %s device: error %d", path,
		    role_names[dev], ret);
	return ret;
}

static int find_devs(struct start *st, dev_t *devt)
{
	int ret;

	ret = find_dev(st, SFS_DEV_META, &devt[SFS_DEV_META]) ?:
	      find_dev(st, SFS_DEV_DATA, &devt[SFS_DEV_DATA]);
	if (ret == 0 && devt[SFS_DEV_META] == devt[SFS_DEV_DATA]) {
		say(st->fc, "%s and %s are the same device; metadata and data need one each",
		    st->path[SFS_DEV_META], st->path[SFS_DEV_DATA]);
		ret = -EINVAL;
	}
	return ret;
}

static void close_devs(struct sfs_volume *vol)
{
	int dev;

	for (dev = 0; dev < SFS_NR_DEVS; dev++) {
		if (sfs_bdev_is_open(&vol->dev[dev]))
			sfs_bdev_close(&vol->dev[dev]);
	}
}

/* Both or none; *ret_dev is the one that could not be had. */
static int try_open(struct sfs_volume *vol, struct start *st, int *ret_dev)
{
	int dev, ret;

	for (dev = 0; dev < SFS_NR_DEVS; dev++) {
		ret = sfs_bdev_open(&vol->dev[dev], st->path[dev], vol);
		if (ret < 0) {
			close_devs(vol);
			*ret_dev = dev;
			return ret;
		}
	}
	return 0;
}

/* Who has the volume according to a metadata device that is claimed. */
static int who_has(struct start *st, char *who, size_t size, bool *ret_stopping)
{
	struct sfs_bdev meta;
	int ret;

	if (sfs_bdev_open(&meta, st->path[SFS_DEV_META], NULL) < 0)
		return -ENODATA;
	ret = sfs_owner_who(sfs_bdev_get(&meta), who, size, ret_stopping);
	sfs_bdev_close(&meta);
	return ret;
}

static void say_busy(struct start *st, const char *path, const char *who)
{
	if (who[0])
		say(st->fc, "%s: in use by scoutfs on host %s; unmount it there first",
		    path, who);
	else
		say(st->fc, "%s: in use by something else; see findmnt, lsblk and fuser -v %s",
		    path, path);
}

static void say_open_failed(struct start *st, int dev, int err)
{
	if (err == -EROFS)
		say(st->fc, "%s: the %s device is read-only; every mount writes to it, also one with the option ro",
		    st->path[dev], role_names[dev]);
	else if (err != -EINTR)
		say(st->fc, "%s: cannot open the %s device: error %d",
		    st->path[dev], role_names[dev], err);
}

static int open_devs(struct sfs_volume *vol, struct start *st)
{
	unsigned int waited = 0;
	bool stopping;
	char who[80];
	int dev = 0;
	int ret;

	for (;;) {
		ret = try_open(vol, st, &dev);
		if (ret != -EBUSY)
			break;
		who[0] = '\0';
		stopping = false;
		who_has(st, who, sizeof(who), &stopping);
		if (waited >= (stopping ? WAIT_LEAVING_MS : WAIT_OTHER_MS)) {
			say_busy(st, st->path[dev], who);
			return -EBUSY;
		}
		schedule_timeout_killable(msecs_to_jiffies(WAIT_STEP_MS));
		if (fatal_signal_pending(current))
			return -EINTR;
		waited += WAIT_STEP_MS;
	}
	if (ret == -EACCES)
		ret = -EROFS;
	if (ret < 0)
		say_open_failed(st, dev, ret);
	return ret;
}

static int measure(struct sfs_volume *vol, struct start *st, int dev)
{
	struct block_device *bdev = sfs_bdev_get(&vol->dev[dev]);
	struct sfs_host *host = &vol->host;

	if (bdev_read_only(bdev)) {
		say_open_failed(st, dev, -EROFS);
		return -EROFS;
	}
	if (bdev_logical_block_size(bdev) > 4096) {
		say(st->fc, "%s: has sectors of %u bytes, at most 4096 are possible",
		    st->path[dev], bdev_logical_block_size(bdev));
		return -EINVAL;
	}
	host->bdev[dev] = bdev;
	host->size[dev] = round_down(bdev_nr_bytes(bdev), 4096);
	if (host->size[dev] < SFS_MIN_DEV_BYTES) {
		say(st->fc, "%s: too small: the %s device has %llu bytes and needs %llu (64 MiB)",
		    st->path[dev], role_names[dev], host->size[dev],
		    SFS_MIN_DEV_BYTES);
		return -EINVAL;
	}
	return 0;
}

/* ---- what is on them -------------------------------------------------------------- */

static int say_not_ours(struct sfs_volume *vol, struct start *st, int dev,
			int err)
{
	const char *path = st->path[dev];
	const char *core_says = vol->host.said;

	switch (err) {
	case -ENODATA:
		say(st->fc, "%s: holds no scoutfs volume; is this the right %s device? mkfs.scoutfs makes a volume",
		    path, role_names[dev]);
		/* "no data available" says nothing to a user of mount */
		return -EINVAL;
	case -EPROTONOSUPPORT:
		say(st->fc, "%s: a scoutfs volume of another version, which needs the program that made it: %s",
		    path, core_says);
		return err;
	case -EUCLEAN:
		say(st->fc, "%s: the %s device of a scoutfs volume is damaged, see scoutfs check: %s",
		    path, role_names[dev], core_says);
		return err;
	default:
		say(st->fc, "%s: cannot read the %s device: error %d", path,
		    role_names[dev], err);
		return err;
	}
}

static int check_pair(struct start *st, const struct sfs_volume_id *meta,
		      const struct sfs_volume_id *data)
{
	const char *mpath = st->path[SFS_DEV_META];
	const char *dpath = st->path[SFS_DEV_DATA];

	if (!meta->is_meta && data->is_meta) {
		say(st->fc, "devices are swapped: %s is the metadata device and %s the data device; name the data device first and the other as metadev_path",
		    dpath, mpath);
		return -EINVAL;
	}
	if (meta->is_meta == data->is_meta) {
		say(st->fc, "%s and %s are both %s devices; one of each is needed",
		    mpath, dpath, meta->is_meta ? "metadata" : "data");
		return -EINVAL;
	}
	if (meta->fsid != data->fsid ||
	    memcmp(meta->uuid, data->uuid, sizeof(meta->uuid))) {
		say(st->fc, "%s and %s belong to different volumes (%016llx and %016llx)",
		    mpath, dpath, meta->fsid, data->fsid);
		return -EINVAL;
	}
	return 0;
}

static int check_size(struct sfs_volume *vol, struct start *st, int dev,
		      u64 want)
{
	if (want <= vol->host.size[dev])
		return 0;
	say(st->fc, "%s: too small: the volume was made with %llu bytes of %s, the device has %llu; was it cut?",
	    st->path[dev], want, role_names[dev], vol->host.size[dev]);
	return -EINVAL;
}

static int read_identities(struct sfs_volume *vol, struct start *st,
			   struct sfs_volume_id *ids)
{
	int dev, ret;

	for (dev = 0; dev < SFS_NR_DEVS; dev++) {
		sfs_env_listen(&vol->host, true);
		ret = sfs_read_identity(&vol->host, dev, &ids[dev]);
		sfs_env_listen_end(&vol->host);
		if (ret < 0)
			return say_not_ours(vol, st, dev, ret);
	}
	return check_pair(st, &ids[SFS_DEV_META], &ids[SFS_DEV_DATA]) ?:
	       check_size(vol, st, SFS_DEV_META,
			  ids[SFS_DEV_META].meta_bytes) ?:
	       check_size(vol, st, SFS_DEV_DATA,
			  ids[SFS_DEV_META].data_bytes);
}

/* The same volume by other device nodes, which do not know of each other? */
static int check_fsid(struct sfs_volume *vol, struct start *st, u64 fsid)
{
	struct sfs_volume *other;
	int ret = 0;

	mutex_lock(&volumes_lock);
	list_for_each_entry(other, &volumes, node) {
		if (other != vol && other->fsid == fsid)
			ret = -EBUSY;
	}
	if (ret == 0)
		vol->fsid = fsid;
	mutex_unlock(&volumes_lock);
	if (ret < 0)
		say(st->fc, "%s: the volume %016llx is mounted here already, through other devices: another path to the same disk, or a copy of it",
		    st->path[SFS_DEV_DATA], fsid);
	return ret;
}

static int identify(struct sfs_volume *vol, struct start *st)
{
	struct sfs_host *host = &vol->host;
	struct sfs_volume_id *ids;
	int ret;

	ids = kcalloc(SFS_NR_DEVS, sizeof(*ids), GFP_KERNEL);
	if (!ids)
		return -ENOMEM;
	ret = read_identities(vol, st, ids) ?:
	      check_fsid(vol, st, ids[SFS_DEV_META].fsid);
	kfree(ids);
	if (ret < 0)
		return ret;
	scnprintf(host->vol_name, sizeof(host->vol_name), "f.%06llx (%s)",
		  vol->fsid >> 40, host->dev_name);
	smp_store_release(&host->name, host->vol_name);
	return 0;
}

/* ---- start and stop ----------------------------------------------------------------- */

static int claim(struct sfs_volume *vol, struct start *st)
{
	const char *path = st->path[SFS_DEV_META];
	char who[80];
	int ret;

	ret = sfs_owner_claim(&vol->host, vol->fsid, st->force, who,
			      sizeof(who), &vol->owner);
	if (ret == -EBUSY)
		say_busy(st, path, who);
	else if (ret < 0 && ret != -EINTR)
		say(st->fc, "%s: cannot become the owner of the volume: error %d",
		    path, ret);
	return ret;
}

static int start_server(struct sfs_volume *vol, struct start *st)
{
	struct sfs_host *host = &vol->host;
	int ret;

	ret = sfs_hub_create(host, &vol->hub);
	if (ret < 0)
		return ret;
	/* its lines are also in the log: there may be several */
	sfs_env_listen(host, false);
	ret = sfs_server_start(host, vol->hub, &vol->srv);
	sfs_env_listen_end(host);
	if (ret < 0) {
		say(st->fc, "%s: cannot start the server of the volume: error %d%s%s",
		    st->path[SFS_DEV_META], ret, host->said[0] ? ": " : "",
		    host->said);
		goto err_hub;
	}
	ret = sfs_shrinker_create(NULL, vol->srv, host->name, &vol->shrinker);
	if (ret < 0)
		goto err_server;
	return 0;

err_server:
	sfs_server_stop(vol->srv);
err_hub:
	sfs_hub_destroy(vol->hub);
	return ret;
}

static int start_opened(struct sfs_volume *vol, struct start *st)
{
	struct sfs_host *host = &vol->host;
	int ret;

	ret = measure(vol, st, SFS_DEV_META) ?: measure(vol, st, SFS_DEV_DATA);
	if (ret < 0)
		return ret;
	scnprintf(host->dev_name, sizeof(host->dev_name), "%pg",
		  host->bdev[SFS_DEV_DATA]);
	sfs_env_init(host);
	ret = sfs_block_start(host);
	if (ret < 0)
		return ret;
	ret = identify(vol, st) ?: claim(vol, st);
	if (ret < 0)
		goto err_block;
	ret = start_server(vol, st);
	if (ret < 0)
		goto err_owner;
	return 0;

err_owner:
	sfs_owner_release(vol->owner, false);
err_block:
	sfs_block_stop(host);
	return ret;
}

static int start(struct sfs_volume *vol, struct start *st)
{
	int ret;

	ret = open_devs(vol, st);
	if (ret < 0)
		return ret;
	ret = start_opened(vol, st);
	if (ret < 0)
		close_devs(vol);
	return ret;
}

static void stop(struct sfs_volume *vol)
{
	struct sfs_host *host = &vol->host;

	sfs_owner_stopping(vol->owner);
	sfs_shrinker_destroy(vol->shrinker);
	sfs_server_stop(vol->srv);
	sfs_hub_destroy(vol->hub);
	sfs_owner_release(vol->owner, !vol->failed && !sfs_host_fenced(host));
	sfs_block_stop(host);
	sfs_env_exit(host);
	/* gives up the claims, so this comes last */
	close_devs(vol);
}

/* ---- the list --------------------------------------------------------------------------- */

/* Starting or stopping ended: @vol is ready, or gone. */
static void settle(struct sfs_volume *vol, bool ready)
{
	mutex_lock(&volumes_lock);
	if (ready)
		vol->state = SFS_VOLUME_READY;
	else
		list_del(&vol->node);
	volumes_changes++;
	mutex_unlock(&volumes_lock);
	wake_up_all(&volumes_wait);
	if (!ready)
		kfree(vol);
}

/*
 * A volume in the list that has one of the devices, and whether it is the one
 * that was meant: 0, or -EINVAL with a line.
 */
static int match(struct start *st, const struct sfs_volume *vol,
		 const dev_t *devt)
{
	bool meta = vol->devt[SFS_DEV_META] == devt[SFS_DEV_META];
	bool data = vol->devt[SFS_DEV_DATA] == devt[SFS_DEV_DATA];
	int dev = meta ? SFS_DEV_DATA : SFS_DEV_META;

	if (meta && data)
		return 0;
	if (meta || data)
		say(st->fc, "%s is in use with another %s device, %u:%u; name that one or unmount there first",
		    st->path[!dev], role_names[dev], MAJOR(vol->devt[dev]),
		    MINOR(vol->devt[dev]));
	else
		say(st->fc, "%s and %s are in use in other roles: is the data device named as metadev_path?",
		    st->path[SFS_DEV_META], st->path[SFS_DEV_DATA]);
	return -EINVAL;
}

static struct sfs_volume *find_volume(const dev_t *devt)
{
	struct sfs_volume *vol;
	int i;

	list_for_each_entry(vol, &volumes, node) {
		for (i = 0; i < SFS_NR_DEVS; i++) {
			if (vol->devt[i] == devt[SFS_DEV_META] ||
			    vol->devt[i] == devt[SFS_DEV_DATA])
				return vol;
		}
	}
	return NULL;
}

/*
 * One more use of a volume that is ready, or @fresh, now in the list, which the
 * caller has to start.
 */
static int enter(struct start *st, const dev_t *devt, struct sfs_volume *fresh,
		 struct sfs_volume **ret_vol)
{
	unsigned long changes;
	struct sfs_volume *vol;
	bool abandoned;
	long left;
	int ret;

	for (;;) {
		if (mutex_lock_killable(&volumes_lock))
			return -EINTR;
		vol = find_volume(devt);
		ret = vol ? match(st, vol, devt) : 0;
		abandoned = vol && vol->abandoned;
		if (ret < 0 || !vol ||
		    (vol->state == SFS_VOLUME_READY && !abandoned))
			break;
		changes = volumes_changes;
		mutex_unlock(&volumes_lock);
		left = wait_event_killable_timeout(volumes_wait,
				READ_ONCE(volumes_changes) != changes,
				abandoned ? msecs_to_jiffies(WAIT_LEAVING_MS) :
					    MAX_SCHEDULE_TIMEOUT);
		if (left < 0)
			return -EINTR;
		if (left == 0) {
			say(st->fc, "%s: a device of this volume does not answer, and a forced unmount waits for that; try again when it works",
			    st->path[SFS_DEV_DATA]);
			return -EBUSY;
		}
	}
	if (ret == 0 && vol && sfs_host_fenced(&vol->host)) {
		say(st->fc, "%s: another host took this volume while it was mounted here; unmount it everywhere on this machine first",
		    st->path[SFS_DEV_DATA]);
		ret = -EIO;
	}
	if (ret == 0 && !vol) {
		vol = fresh;
		list_add_tail(&vol->node, &volumes);
	}
	if (ret == 0) {
		vol->users++;
		*ret_vol = vol;
	}
	mutex_unlock(&volumes_lock);
	return ret;
}

int sfs_volume_get(struct fs_context *fc, const char *data_path,
		   const char *meta_path, bool force,
		   struct sfs_volume **ret_vol)
{
	struct start st = {
		.fc = fc,
		.path = {
			[SFS_DEV_META] = meta_path,
			[SFS_DEV_DATA] = data_path,
		},
		.force = force,
	};
	struct sfs_volume *fresh, *vol;
	dev_t devt[SFS_NR_DEVS];
	int ret;

	ret = find_devs(&st, devt);
	if (ret < 0)
		return ret;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return -ENOMEM;
	spin_lock_init(&fresh->mounts_lock);
	INIT_LIST_HEAD(&fresh->mounts);
	memcpy(fresh->devt, devt, sizeof(devt));
	ret = enter(&st, devt, fresh, &vol);
	if (ret < 0 || vol != fresh)
		kfree(fresh);
	if (ret < 0)
		return ret;
	if (vol == fresh) {
		ret = start(vol, &st);
		settle(vol, ret == 0);
		if (ret < 0)
			return ret;
	}
	*ret_vol = vol;
	return 0;
}

void sfs_volume_put(struct sfs_volume *vol, bool failed)
{
	bool last;

	mutex_lock(&volumes_lock);
	WARN_ON_ONCE(vol->state != SFS_VOLUME_READY);
	vol->failed |= failed;
	last = --vol->users == 0;
	if (last)
		vol->state = SFS_VOLUME_STOPPING;
	/* a mount that came just before has a superblock of its own now */
	vol->abandoned = false;
	mutex_unlock(&volumes_lock);
	if (!last)
		return;
	stop(vol);
	settle(vol, false);
}

void sfs_volume_abandon(struct sfs_volume *vol)
{
	mutex_lock(&volumes_lock);
	vol->abandoned = true;
	mutex_unlock(&volumes_lock);
}

void sfs_volume_set_rid(struct sfs_volume *vol, u64 rid)
{
	struct sfs_host *host = &vol->host;
	bool first;

	mutex_lock(&volumes_lock);
	first = !host->mount_name[0];
	if (first)
		scnprintf(host->mount_name, sizeof(host->mount_name),
			  "f.%06llx.r.%06llx (%s)", vol->fsid >> 40, rid >> 40,
			  host->dev_name);
	mutex_unlock(&volumes_lock);
	/* lines of a volume with several mounts are of none of them */
	smp_store_release(&host->name, first ? host->mount_name :
					       host->vol_name);
	sfs_owner_set_rid(vol->owner, rid);
}

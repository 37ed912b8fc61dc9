/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opening the two devices of a volume, and saying in one line what is wrong
 * with them and what to do about it.
 *
 * Devices are block devices or regular files.  Two processes of one machine
 * are kept apart by O_EXCL on block devices (two device nodes of one device do
 * not see each other's file locks) and by an open file description lock on
 * both; machines by the owner block, see owner.c.
 *
 * A daemon that lost its last mount needs a moment for its last publish.  So
 * whoever finds the devices locked waits: ten seconds when the owner block
 * says that its owner is about to leave, else a second, which is what it may
 * take a daemon to notice that it was unmounted.
 *
 * The errnos are those of the table in docs/errors.md.
 */
#include "host/host.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_STEP_MS 50
#define WAIT_LEAVING_MS 10000
#define WAIT_OTHER_MS 1500

static const char *const role_names[SFS_NR_DEVS] = {
	[SFS_DEV_META] = "metadata",
	[SFS_DEV_DATA] = "data",
};

/* ---- one device --------------------------------------------------------- */

static int check_kind(const char *path, int dev, struct stat *st)
{
	int err;

	if (stat(path, st) < 0) {
		err = errno;
		if (err == ENOENT)
			sfs_log(SFS_LOG_ERR,
				"%s: there is no such %s device; check the path",
				path, role_names[dev]);
		else
			sfs_log(SFS_LOG_ERR, "%s: cannot look at the %s device: %s",
				path, role_names[dev], strerror(err));
		return -err;
	}
	if (!S_ISBLK(st->st_mode) && !S_ISREG(st->st_mode)) {
		sfs_log(SFS_LOG_ERR,
			"%s: not a block device or a regular file; name the %s device",
			path, role_names[dev]);
		return -ENOTBLK;
	}
	return 0;
}

static int try_open(struct sfs_host *host, struct sfs_host_dev *d)
{
	int flags = O_CLOEXEC | O_NOCTTY;

	flags |= host->flags & SFS_HOST_RDONLY ? O_RDONLY : O_RDWR;
	if (d->is_block && !(host->flags & SFS_HOST_NOLOCK))
		flags |= O_EXCL;
	d->direct = true;
	d->fd = open(d->path, flags | O_DIRECT);
	if (d->fd < 0 && errno == EINVAL) {
		/* such as tmpfs of older kernels */
		d->direct = false;
		d->fd = open(d->path, flags);
	}
	return d->fd < 0 ? -errno : 0;
}

static int try_lock(struct sfs_host *host, struct sfs_host_dev *d)
{
	struct flock fl = {
		.l_type = host->flags & SFS_HOST_RDONLY ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (host->flags & SFS_HOST_NOLOCK)
		return 0;
	if (fcntl(d->fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static int try_take(struct sfs_host *host, struct sfs_host_dev *d)
{
	int ret;

	ret = try_open(host, d);
	if (ret < 0)
		return ret;
	ret = try_lock(host, d);
	if (ret < 0) {
		close(d->fd);
		d->fd = -1;
	}
	return ret;
}

/* The line for a device that somebody else has, when waiting is over. */
static void say_busy(const struct sfs_host_dev *d, const char *who)
{
	if (who[0])
		sfs_log(SFS_LOG_ERR,
			"%s: in use by scoutfs on host %s; unmount it there first",
			d->path, who);
	else
		sfs_log(SFS_LOG_ERR,
			"%s: in use by something else; see findmnt, lsblk and fuser -v %s",
			d->path, d->path);
}

static int take(struct sfs_host *host, struct sfs_host_dev *d)
{
	const struct sfs_host_dev *meta = &host->dev[SFS_DEV_META];
	unsigned int waited = 0, limit;
	bool leaving;
	char who[80];
	int ret;

	for (;;) {
		ret = try_take(host, d);
		if (ret != -EBUSY)
			return ret;
		who[0] = '\0';
		leaving = false;
		limit = WAIT_OTHER_MS;
		if (sfs_owner_who(meta, who, sizeof(who), &leaving) == 0 &&
		    leaving)
			limit = WAIT_LEAVING_MS;
		if (waited >= limit) {
			say_busy(d, who);
			return -EBUSY;
		}
		usleep(WAIT_STEP_MS * 1000);
		waited += WAIT_STEP_MS;
	}
}

static int measure(struct sfs_host_dev *d, const struct stat *st)
{
	int sector = 0;
	__u64 bytes;

	if (!d->is_block) {
		d->size = st->st_size & ~(SFS_BLOCK - 1ULL);
		return 0;
	}
	if (ioctl(d->fd, BLKGETSIZE64, &bytes) < 0 ||
	    ioctl(d->fd, BLKSSZGET, &sector) < 0)
		return -errno;
	d->size = bytes & ~(SFS_BLOCK - 1ULL);
	if (sector > SFS_BLOCK) {
		sfs_log(SFS_LOG_ERR,
			"%s: has sectors of %d bytes, at most %d are possible",
			d->path, sector, SFS_BLOCK);
		return -EINVAL;
	}
	return 0;
}

static void say_open_failed(const struct sfs_host_dev *d, int dev, int err)
{
	if (err == EROFS)
		sfs_log(SFS_LOG_ERR,
			"%s: the %s device is read-only; a mount writes to it",
			d->path, role_names[dev]);
	else if (err != EBUSY)
		sfs_log(SFS_LOG_ERR, "%s: cannot open the %s device: %s",
			d->path, role_names[dev], strerror(err));
}

static int open_dev(struct sfs_host *host, int dev, const char *path)
{
	struct sfs_host_dev *d = &host->dev[dev];
	struct stat st;
	int ret;

	ret = check_kind(path, dev, &st);
	if (ret < 0)
		return ret;
	d->path = strdup(path);
	if (!d->path)
		return -ENOMEM;
	d->is_block = S_ISBLK(st.st_mode);
	d->rdev = d->is_block ? st.st_rdev : 0;
	d->fs_dev = st.st_dev;
	d->fs_ino = st.st_ino;

	ret = take(host, d);
	if (ret < 0) {
		say_open_failed(d, dev, -ret);
		return ret;
	}
	/* again, now that nobody else changes it */
	if (fstat(d->fd, &st) < 0)
		return -errno;
	ret = measure(d, &st);
	if (ret < 0)
		return ret;
	if (d->size < SFS_MIN_DEV_BYTES) {
		sfs_log(SFS_LOG_ERR,
			"%s: too small: the %s device has %llu bytes and needs %llu (64 MiB)",
			path, role_names[dev], d->size,
			(unsigned long long)SFS_MIN_DEV_BYTES);
		return -EINVAL;
	}
	return 0;
}

static bool same_thing(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Before any is opened: the second O_EXCL open would only say busy. */
static int check_equal(const char *meta_path, const char *data_path)
{
	struct stat a, b;

	if (stat(meta_path, &a) < 0 || stat(data_path, &b) < 0)
		return 0;
	if (!same_thing(&a, &b))
		return 0;
	sfs_log(SFS_LOG_ERR,
		"%s and %s are the same device; metadata and data need one each",
		meta_path, data_path);
	return -EINVAL;
}

/* ---- what is on them ---------------------------------------------------- */

static int probe_fd(int fd, char *buf, size_t size)
{
	const char *type = NULL, *table = NULL;
	blkid_probe pr = blkid_new_probe();
	int ret, found = 0;

	if (!pr)
		return 0;
	if (blkid_probe_set_device(pr, fd, 0, 0) == 0) {
		blkid_probe_enable_superblocks(pr, 1);
		blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE);
		blkid_probe_enable_partitions(pr, 1);
		ret = blkid_do_safeprobe(pr);
		if (ret == -2) {
			snprintf(buf, size, "several kinds of signatures");
			found = 1;
		} else if (ret == 0) {
			blkid_probe_lookup_value(pr, "TYPE", &type, NULL);
			blkid_probe_lookup_value(pr, "PTTYPE", &table, NULL);
		}
	}
	if (type)
		found = snprintf(buf, size, "%s filesystem", type) > 0;
	else if (table)
		found = snprintf(buf, size, "%s partition table", table) > 0;
	blkid_free_probe(pr);
	return found;
}

int sfs_host_probe(const struct sfs_host *host, int dev, char *buf,
		   size_t size)
{
	/* libblkid reads with any alignment, which O_DIRECT does not take */
	int fd = open(host->dev[dev].path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return 0;
	ret = probe_fd(fd, buf, size);
	close(fd);
	return ret;
}

static int say_not_ours(struct sfs_host *host, int dev, int err,
			const char *core_says)
{
	const char *path = host->dev[dev].path;
	char what[80];

	switch (err) {
	case -ENODATA:
		if (sfs_host_probe(host, dev, what, sizeof(what)))
			sfs_log(SFS_LOG_ERR,
				"%s: holds %s, not a scoutfs volume; is this the right %s device?",
				path, what, role_names[dev]);
		else
			sfs_log(SFS_LOG_ERR,
				"%s: holds no scoutfs volume; format one with mkfs.scoutfs or check the path",
				path);
		return -EINVAL;
	case -EPROTONOSUPPORT:
		sfs_log(SFS_LOG_ERR,
			"%s: a scoutfs volume of another version, which needs the program that made it: %s",
			path, core_says);
		return err;
	case -EUCLEAN:
		sfs_log(SFS_LOG_ERR,
			"%s: the %s device of a scoutfs volume is damaged, see scoutfs check: %s",
			path, role_names[dev], core_says);
		return err;
	default:
		sfs_log(SFS_LOG_ERR, "%s: cannot read the %s device: %s", path,
			role_names[dev], strerror(-err));
		return err;
	}
}

static int check_pair(struct sfs_host *host)
{
	const struct sfs_volume_id *m = &host->id[SFS_DEV_META];
	const struct sfs_volume_id *d = &host->id[SFS_DEV_DATA];
	const char *mpath = host->dev[SFS_DEV_META].path;
	const char *dpath = host->dev[SFS_DEV_DATA].path;

	if (!m->is_meta && d->is_meta) {
		sfs_log(SFS_LOG_ERR,
			"devices are swapped: %s is the metadata device and %s the data device",
			dpath, mpath);
		return -EINVAL;
	}
	if (m->is_meta == d->is_meta) {
		sfs_log(SFS_LOG_ERR,
			"%s and %s are both %s devices; one of each is needed",
			mpath, dpath, m->is_meta ? "metadata" : "data");
		return -EINVAL;
	}
	if (m->fsid != d->fsid || memcmp(m->uuid, d->uuid, sizeof(m->uuid))) {
		sfs_log(SFS_LOG_ERR,
			"%s and %s belong to different volumes (%016llx and %016llx)",
			mpath, dpath, m->fsid, d->fsid);
		return -EINVAL;
	}
	return 0;
}

static int check_size(struct sfs_host *host, int dev)
{
	const struct sfs_volume_id *id = &host->id[dev];
	__u64 want = dev == SFS_DEV_META ? id->meta_bytes : id->data_bytes;

	if (want <= host->dev[dev].size)
		return 0;
	sfs_log(SFS_LOG_ERR,
		"%s: too small: the volume was made with %llu bytes of %s, the device has %llu; was it cut?",
		host->dev[dev].path, want, role_names[dev],
		host->dev[dev].size);
	return -EINVAL;
}

static int identify(struct sfs_host *host)
{
	char core_says[512];
	int dev, ret;

	for (dev = 0; dev < SFS_NR_DEVS; dev++) {
		if (host->dev[dev].fd < 0)
			continue;
		sfs_host_log_capture(core_says, sizeof(core_says));
		ret = sfs_read_identity(host, dev, &host->id[dev]);
		sfs_host_log_capture(NULL, 0);
		if (ret < 0)
			return say_not_ours(host, dev, ret, core_says);
	}
	if (host->dev[SFS_DEV_DATA].fd >= 0) {
		ret = check_pair(host);
		if (ret < 0)
			return ret;
	} else if (!host->id[SFS_DEV_META].is_meta) {
		sfs_log(SFS_LOG_ERR,
			"%s: the data device of a volume; name its metadata device",
			host->dev[SFS_DEV_META].path);
		return -EINVAL;
	}
	for (dev = 0; dev < SFS_NR_DEVS; dev++) {
		if (host->dev[dev].fd < 0)
			continue;
		ret = check_size(host, dev);
		if (ret < 0)
			return ret;
	}
	host->identified = true;
	snprintf(host->name, sizeof(host->name), "f.%06llx",
		 host->id[SFS_DEV_META].fsid >> 40);
	return 0;
}

/* ---- both --------------------------------------------------------------- */

/* A sixteenth of the memory, between 32 MiB and 8 GiB. */
static __u64 default_budget(void)
{
	__u64 bytes = (__u64)sysconf(_SC_PHYS_PAGES) *
		      sysconf(_SC_PAGESIZE) / 16;

	if (bytes < (32ULL << 20))
		return 32ULL << 20;
	return bytes > (8ULL << 30) ? 8ULL << 30 : bytes;
}

static int open_both(struct sfs_host *host, const char *meta_path,
		     const char *data_path)
{
	int ret;

	if (data_path) {
		ret = check_equal(meta_path, data_path);
		if (ret < 0)
			return ret;
	}
	ret = open_dev(host, SFS_DEV_META, meta_path);
	if (ret < 0)
		return ret;
	if (data_path) {
		ret = open_dev(host, SFS_DEV_DATA, data_path);
		if (ret < 0)
			return ret;
	}
	ret = sfs_block_start(host);
	if (ret < 0)
		return ret;
	return host->flags & SFS_HOST_FORMAT ? 0 : identify(host);
}

int sfs_host_open(const char *meta_path, const char *data_path,
		  unsigned int flags, struct sfs_host **ret_host)
{
	struct sfs_host *host = calloc(1, sizeof(*host));
	int dev, ret;

	if (!host)
		return -ENOMEM;
	for (dev = 0; dev < SFS_NR_DEVS; dev++)
		host->dev[dev].fd = -1;
	host->flags = flags;
	host->cache_budget = default_budget();
	ret = open_both(host, meta_path, data_path);
	if (ret < 0) {
		sfs_host_close(host);
		return ret;
	}
	*ret_host = host;
	return 0;
}

void sfs_host_close(struct sfs_host *host)
{
	int dev;

	if (!host)
		return;
	sfs_owner_release(host, false);
	sfs_block_stop(host);
	/* closing gives up the locks, so this comes last */
	for (dev = 0; dev < SFS_NR_DEVS; dev++) {
		if (host->dev[dev].fd >= 0)
			close(host->dev[dev].fd);
		free(host->dev[dev].path);
	}
	free(host);
}

int sfs_host_peek(const char *meta_path, const char *data_path,
		  struct sfs_volume_id *ret_id)
{
	struct sfs_host *host;
	int ret;

	ret = sfs_host_open(meta_path, data_path,
			    SFS_HOST_RDONLY | SFS_HOST_NOLOCK, &host);
	if (ret < 0)
		return ret;
	*ret_id = host->id[SFS_DEV_META];
	sfs_host_close(host);
	return 0;
}

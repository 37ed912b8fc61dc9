/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a mount shows of itself to scripts: a directory of small files, named
 * and filled like those that the kernel host has in sysfs, under the run
 * directory.
 *
 * The directory is filled under a name with a dot and then renamed, so that
 * whoever finds it finds it complete.  What a killed daemon left is removed by
 * the next one: of the same volume, because the caller owns it, of others when
 * nobody listens on their socket.
 */
#include "host/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

struct sfs_status {
	char name[40];
	int run_fd;
};

static int write_file(int dir_fd, const char *name, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;
	int fd;

	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0444);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	close(fd);
	return n == (ssize_t)len ? 0 : -EIO;
}

static int write_option(void *arg, const char *name, const char *value)
{
	return write_file(*(int *)arg, name, value);
}

static int make_dir(int parent_fd, const char *name)
{
	int fd;

	if (mkdirat(parent_fd, name, 0755) < 0)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int fill_options(int dir_fd, const struct sfs_options *opts)
{
	int fd, ret;

	fd = make_dir(dir_fd, "mount_options");
	if (fd < 0)
		return fd;
	ret = sfs_options_each(opts, write_option, &fd);
	close(fd);
	return ret;
}

static int fill_volume_options(int dir_fd, const struct sfs_volume_id *id)
{
	char text[32] = "";
	int fd, ret;

	fd = make_dir(dir_fd, "volume_options");
	if (fd < 0)
		return fd;
	if (id->data_alloc_zone_blocks)
		snprintf(text, sizeof(text), "%llu",
			 id->data_alloc_zone_blocks);
	ret = write_file(fd, "data_alloc_zone_blocks", text);
	close(fd);
	return ret;
}

static int fill(struct sfs_host *host, int dir_fd, __u64 fsid, __u64 rid,
		const struct sfs_options *opts)
{
	const struct sfs_host_dev *data = &host->dev[SFS_DEV_DATA];
	const struct sfs_volume_id *id = &host->id[SFS_DEV_META];
	char text[64];
	int ret;

	snprintf(text, sizeof(text), "%016llx\n", fsid);
	ret = write_file(dir_fd, "fsid", text);
	if (ret < 0)
		return ret;
	snprintf(text, sizeof(text), "%016llx\n", rid);
	ret = write_file(dir_fd, "rid", text);
	if (ret < 0)
		return ret;
	snprintf(text, sizeof(text), "%u\n", id->interface_version);
	ret = write_file(dir_fd, "format_version", text);
	if (ret < 0)
		return ret;
	snprintf(text, sizeof(text), "%d\n", sfs_engine_version());
	ret = write_file(dir_fd, "engine_version", text);
	if (ret < 0)
		return ret;
	/* an image file has no numbers */
	if (data->is_block) {
		snprintf(text, sizeof(text), "%u:%u\n", major(data->rdev),
			 minor(data->rdev));
		ret = write_file(dir_fd, "data_device_maj_min", text);
		if (ret < 0)
			return ret;
	}
	ret = fill_volume_options(dir_fd, id);
	if (ret < 0)
		return ret;
	return fill_options(dir_fd, opts);
}

/* Two levels are all there is. */
static void remove_tree(int parent_fd, const char *name, int depth)
{
	struct dirent *de;
	DIR *dir;
	int fd;

	fd = openat(parent_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (unlinkat(fd, de->d_name, 0) < 0 && depth)
			remove_tree(fd, de->d_name, depth - 1);
	}
	closedir(dir);
	unlinkat(parent_fd, name, AT_REMOVEDIR);
}

/* @digits: the first six of the volume's id. */
static void remove_leftovers(int run_fd, const char *digits)
{
	char prefix[16], hidden[16];
	struct dirent *de;
	DIR *dir;
	int fd;

	snprintf(prefix, sizeof(prefix), "f.%.6s.r.", digits);
	snprintf(hidden, sizeof(hidden), ".f.%.6s.r.", digits);
	fd = openat(run_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(dir))) {
		if (!strncmp(de->d_name, prefix, strlen(prefix)) ||
		    !strncmp(de->d_name, hidden, strlen(hidden)))
			remove_tree(run_fd, de->d_name, 1);
	}
	closedir(dir);
}

int sfs_status_create(struct sfs_host *host, __u64 fsid, __u64 rid,
		      const struct sfs_options *opts,
		      struct sfs_status **ret_st)
{
	struct sfs_status *st = calloc(1, sizeof(*st));
	char hidden[48];
	int fd, ret;

	if (!st)
		return -ENOMEM;
	st->run_fd = open(sfs_run_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->run_fd < 0) {
		ret = -errno;
		goto err_free;
	}
	snprintf(st->name, sizeof(st->name), "f.%06llx.r.%06llx", fsid >> 40,
		 rid >> 40);
	snprintf(hidden, sizeof(hidden), ".%s", st->name);
	fd = make_dir(st->run_fd, hidden);
	if (fd < 0) {
		ret = fd;
		goto err_close;
	}
	ret = fill(host, fd, fsid, rid, opts);
	close(fd);
	if (ret == 0 &&
	    renameat(st->run_fd, hidden, st->run_fd, st->name) < 0)
		ret = -errno;
	if (ret < 0)
		goto err_remove;
	*ret_st = st;
	return 0;

err_remove:
	remove_tree(st->run_fd, hidden, 1);
err_close:
	close(st->run_fd);
err_free:
	sfs_log(SFS_LOG_ERR, "cannot write status files in %s: %s",
		sfs_run_dir(), strerror(-ret));
	free(st);
	return ret;
}

void sfs_status_clear(__u64 fsid)
{
	int run_fd = open(sfs_run_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char digits[8];

	if (run_fd < 0)
		return;
	snprintf(digits, sizeof(digits), "%06llx", fsid >> 40);
	remove_leftovers(run_fd, digits);
	close(run_fd);
}

void sfs_status_remove(struct sfs_status *st)
{
	if (!st)
		return;
	remove_tree(st->run_fd, st->name, 1);
	close(st->run_fd);
	free(st);
}

/* Nobody listens any more: a daemon's socket appears when it does. */
static bool is_dead_socket(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	bool dead = false;
	int sock, len;

	len = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s",
		       sfs_run_dir(), name);
	if (len >= (int)sizeof(addr.sun_path))
		return false;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		      0);
	if (sock < 0)
		return false;
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		dead = errno == ECONNREFUSED;
	close(sock);
	return dead;
}

void sfs_status_sweep(void)
{
	DIR *dir = opendir(sfs_run_dir());
	struct dirent *de;
	char digits[7];

	if (!dir)
		return;
	while ((de = readdir(dir))) {
		if (strlen(de->d_name) != strlen("0123456789abcdef.sock") ||
		    strcmp(de->d_name + 16, ".sock") ||
		    !is_dead_socket(de->d_name))
			continue;
		snprintf(digits, sizeof(digits), "%s", de->d_name);
		remove_leftovers(dirfd(dir), digits);
		unlinkat(dirfd(dir), de->d_name, 0);
	}
	closedir(dir);
}

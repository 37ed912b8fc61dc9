/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to a mounted filesystem: finding it, and ioctls with their errors.
 */
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

const char *mount_path(const char *path)
{
	const char *env;

	if (path)
		return path;
	env = getenv("SCOUTFS_MOUNT_PATH");
	return env && *env ? env : ".";
}

/* A fifo without a writer would otherwise be waited for. */
int open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? fail_errno(-errno, "failed to open '%s'", path) : fd;
}

int call_ioctl(int fd, const char *path, const char *name, unsigned long cmd,
	       void *arg, int quiet)
{
	int ret;
	int err;

	do {
		ret = ioctl(fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);
	if (ret >= 0)
		return ret;
	err = -errno;
	if (err == quiet)
		return err;
	if (err == -ENOTTY)
		return fail(err, "'%s' is not on a scoutfs filesystem", path);
	return fail_errno(err, "%s ioctl on '%s' failed", name, path);
}

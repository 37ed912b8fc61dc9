/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to a mounted filesystem: finding it, ioctls with their errors, and
 * printing the structures they fill.
 */
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "printer.h"

static const char *default_path(void)
{
	const char *env = getenv("SCOUTFS_MOUNT_PATH");

	return env && *env ? env : ".";
}

int on_path(struct common_opts *com, int (*fn)(int fd, void *arg), void *arg)
{
	int ret;
	int fd;

	if (!com->path)
		com->path = default_path();
	/* without O_NONBLOCK a fifo would wait for a writer */
	fd = open(com->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(-errno, "failed to open '%s'", com->path);
	ret = fn(fd, arg);
	close(fd);
	return ret;
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

struct printer *fields_begin(const struct common_opts *com, const char *only)
{
	static const struct printer_layout layout = {
		.style = PRINTER_LABELS,
		.width = 17,
	};
	struct printer *pr = printer_create(stdout, com->json, &layout);

	if (only)
		printer_only(pr, only);
	return pr;
}

int fields_end(struct printer *pr, const char *only)
{
	bool found;

	printer_end(pr);
	found = printer_found(pr);
	printer_destroy(pr);
	return found ? 0 : fail(-EINVAL, "unknown field '%s'", only);
}

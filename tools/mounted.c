/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to a mounted filesystem: finding it, ioctls with their errors, and
 * printing the structures they fill.
 */
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "printer.h"
#include "scoutfs/ioctl.h"

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

/* The same with the answer in the structure: see SCOUTFS_IOC_INLINE. */
static int ioctl_inline(int fd, unsigned long cmd, void *arg)
{
	struct scoutfs_ioctl_inline inl = { .cmd = cmd };
	const struct scoutfs_ioctl_ino_path_result *res =
		(const void *)inl.result;
	const struct scoutfs_ioctl_walk_inodes *wi = arg;
	const struct scoutfs_ioctl_alloc_detail *ad = arg;
	const struct scoutfs_ioctl_ino_path *ip = arg;
	size_t len;
	__u64 ptr;
	int ret;

	memcpy(inl.args, arg, _IOC_SIZE(cmd));
	ret = ioctl(fd, SCOUTFS_IOC_INLINE, &inl);
	if (ret < 0)
		return ret;
	switch (cmd) {
	case SCOUTFS_IOC_WALK_INODES:
		ptr = wi->entries_ptr;
		len = ret * sizeof(wi->first);
		break;
	case SCOUTFS_IOC_INO_PATH:
		ptr = ip->result_ptr;
		len = sizeof(*res) + res->path_bytes;
		break;
	default:
		ptr = ad->entries_ptr;
		len = ret * sizeof(struct scoutfs_ioctl_alloc_detail_entry);
	}
	if (len > sizeof(inl.result)) {
		errno = EPROTO;
		return -1;
	}
	memcpy((void *)(unsigned long)ptr, inl.result, len);
	return ret;
}

static bool has_pointer(unsigned long cmd)
{
	return cmd == SCOUTFS_IOC_WALK_INODES || cmd == SCOUTFS_IOC_INO_PATH ||
	       cmd == SCOUTFS_IOC_ALLOC_DETAIL;
}

int call_ioctl(int fd, const char *path, const char *name, unsigned long cmd,
	       void *arg, int quiet)
{
	int ret;
	int err;

	do {
		ret = ioctl(fd, cmd, arg);
		if (ret < 0 && errno == EOPNOTSUPP && has_pointer(cmd))
			ret = ioctl_inline(fd, cmd, arg);
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

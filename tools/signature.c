/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device holds before mkfs: signatures of filesystems and partition
 * tables.
 *
 * libblkid knows everybody else's; of scoutfs only its newest releases know,
 * so the magic is looked for here as well.  A format leaves the first 64 KiB
 * and the ends of devices alone, and old signatures there would make others
 * take the device for what it was: mkfs -f wipes them first.  A crash in
 * between leaves a device with nothing on it, which is what was asked for.
 *
 * The descriptors here are not exclusive: the caller holds the devices.
 */
#include "signature.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "tools.h"

/* Where libblkid looks for scoutfs: behind the checksum at 64 KiB. */
#define MAGIC_OFFSET (65536 + 4)
static const unsigned char magic[4] = { 0x8b, 0x42, 0x3c, 0x10 };

/* NULL with errno set. */
static blkid_probe new_probe(int fd)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr || blkid_probe_set_device(pr, fd, 0, 0) ||
	    blkid_probe_enable_superblocks(pr, 1) ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE |
					      BLKID_SUBLKS_MAGIC) ||
	    blkid_probe_enable_partitions(pr, 1) ||
	    blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC)) {
		blkid_free_probe(pr);
		errno = errno ? errno : EIO;
		return NULL;
	}
	return pr;
}

static int report(const char *path, blkid_probe pr)
{
	const char *name = "unknown";

	if (blkid_probe_lookup_value(pr, "TYPE", &name, NULL) == 0)
		return fail(-EEXIST,
			    "'%s' appears to contain an existing %s superblock; use -f to overwrite it",
			    path, name);
	blkid_probe_lookup_value(pr, "PTTYPE", &name, NULL);
	return fail(-EEXIST,
		    "'%s' appears to contain a partition table (%s); use -f to overwrite it",
		    path, name);
}

static int check_others(const char *path, int fd)
{
	blkid_probe pr = new_probe(fd);
	int ret;

	if (!pr)
		return fail_errno(-errno, "failed to examine '%s'", path);
	ret = blkid_do_probe(pr);
	if (ret == 0)
		ret = report(path, pr);
	else if (ret < 0)
		ret = fail(-EIO, "failed to examine '%s' for other filesystems",
			   path);
	else
		ret = 0;
	blkid_free_probe(pr);
	return ret;
}

static int check_own(const char *path, int fd)
{
	unsigned char buf[sizeof(magic)] = { 0 };

	if (pread(fd, buf, sizeof(buf), MAGIC_OFFSET) < 0)
		return fail_errno(-errno, "failed to read '%s'", path);
	if (memcmp(buf, magic, sizeof(magic)) == 0)
		return fail(-EEXIST,
			    "'%s' appears to contain an existing scoutfs superblock; use -f to overwrite it",
			    path);
	return 0;
}

int signature_check(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return fail_errno(-errno, "failed to open '%s'", path);
	ret = check_others(path, fd);
	if (ret == 0)
		ret = check_own(path, fd);
	close(fd);
	return ret;
}

int signature_wipe(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	blkid_probe pr;
	int ret = 0;

	if (fd < 0)
		return fail_errno(-errno, "failed to open '%s'", path);
	pr = new_probe(fd);
	if (!pr)
		ret = -errno;
	while (ret == 0 && blkid_do_probe(pr) == 0)
		if (blkid_do_wipe(pr, 0))
			ret = errno ? -errno : -EIO;
	blkid_free_probe(pr);
	if (ret == 0 && fsync(fd))
		ret = -errno;
	close(fd);
	return ret ? fail_errno(ret, "failed to wipe old signatures from '%s'",
				path) : 0;
}

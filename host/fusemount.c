/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mounting and unmounting the kernel's side of a FUSE filesystem.
 *
 * A mount made by mount(2) does not wait for a server: the kernel queues its
 * first message, and only who looks into the directory waits.
 */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define FS_TYPE "fuse.scoutfs"

/* mountinfo writes blanks and backslashes as octal numbers. */
static void unescape(char *s)
{
	char *out = s;
	unsigned int c;

	while (*s) {
		if (s[0] == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*out++ = c;
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/*
 * The uppermost mount at @dir.  Without touching @dir itself, which could
 * wait for a server that is not there.  -ENOENT: nothing is mounted there.
 */
static int find_mount(const char *dir, unsigned int *ret_minor,
		      bool *ret_ours)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point = NULL, *type;
	unsigned int minor;
	size_t size = 0;
	int ret = -ENOENT;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		free(point);
		point = NULL;
		if (sscanf(line, "%*d %*d %*u:%u %*s %ms", &minor,
			   &point) != 2)
			continue;
		unescape(point);
		if (strcmp(point, dir))
			continue;
		type = strstr(line, " - ");
		*ret_minor = minor;
		*ret_ours = type && !strncmp(type + 3, FS_TYPE " ",
					     strlen(FS_TYPE) + 1);
		ret = 0;
	}
	free(point);
	free(line);
	fclose(f);
	return ret;
}

static int mount_as_root(const char *spec, const char *dir,
			 unsigned long flags, int *ret_fd)
{
	char data[128];
	int fd, ret;

	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		sfs_log(SFS_LOG_ERR,
			"cannot open /dev/fuse: %s; is the fuse module loaded?",
			strerror(-ret));
		return ret;
	}
	snprintf(data, sizeof(data),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions,allow_other",
		 fd, getuid(), getgid());
	if (mount(spec, dir, FS_TYPE, flags, data) < 0) {
		ret = -errno;
		sfs_log(SFS_LOG_ERR, "cannot mount on %s: %s", dir,
			strerror(-ret));
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- fusermount3 -------------------------------------------------------- */

static int run_fusermount(char *const argv[], int comm_fd)
{
	char num[16];
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (comm_fd >= 0) {
			snprintf(num, sizeof(num), "%d", comm_fd);
			setenv("_FUSE_COMMFD", num, 1);
			fcntl(comm_fd, F_SETFD, 0);
		}
		execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		sfs_log(SFS_LOG_ERR,
			"without root, fusermount3 (package fuse3) is needed");
		return -ENOENT;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* A comma in the name of the source would end it. */
static void fusermount_options(const char *spec, unsigned long flags,
			       char *buf, size_t size)
{
	char name[512];
	size_t i;

	snprintf(name, sizeof(name), "%s", spec);
	for (i = 0; name[i]; i++)
		if (name[i] == ',' || name[i] == '\\')
			name[i] = '_';
	snprintf(buf, size,
		 "fsname=%s,subtype=scoutfs,default_permissions%s%s", name,
		 flags & MS_RDONLY ? ",ro" : "",
		 flags & MS_NOATIME ? ",noatime" : "");
}

static int mount_as_user(const char *spec, const char *dir,
			 unsigned long flags, int *ret_fd)
{
	char opts[768], buf[64];
	char *argv[] = { "fusermount3", "-o", opts, "--", (char *)dir, NULL };
	const char *word;
	int sv[2], ret;

	fusermount_options(spec, flags, opts, sizeof(opts));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	ret = run_fusermount(argv, sv[0]);
	close(sv[0]);
	*ret_fd = -1;
	if (ret == 0)
		ret = sfs_control_recv(sv[1], buf, sizeof(buf), &word, 1,
				       ret_fd);
	close(sv[1]);
	if (ret >= 0 && *ret_fd < 0)
		ret = -EPROTO;
	if (ret < 0)
		sfs_log(SFS_LOG_ERR, "fusermount3 cannot mount on %s", dir);
	return ret < 0 ? ret : 0;
}

/* ---- for others --------------------------------------------------------- */

unsigned int sfs_fuse_minor_at(const char *dir)
{
	unsigned int minor;
	bool ours;

	return find_mount(dir, &minor, &ours) == 0 && ours ? minor : 0;
}

int sfs_fuse_mount(const char *spec, const char *dir, unsigned long flags,
		   int *ret_fd, unsigned int *ret_minor)
{
	bool ours;
	int ret;

	if (geteuid() == 0)
		ret = mount_as_root(spec, dir, flags, ret_fd);
	else
		ret = mount_as_user(spec, dir, flags, ret_fd);
	if (ret < 0)
		return ret;
	/* needed in emergencies only */
	if (find_mount(dir, ret_minor, &ours) < 0)
		*ret_minor = 0;
	return 0;
}

int sfs_fuse_unmount(const char *dir, bool lazy)
{
	char *argv[] = { "fusermount3", "-u", lazy ? "-z" : "-q", "--",
			 (char *)dir, NULL };

	if (geteuid() != 0)
		return run_fusermount(argv, -1);
	if (umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0)
		return -errno;
	return 0;
}

void sfs_fuse_unmount_dead(const char *dir)
{
	unsigned int minor;
	struct statfs st;
	bool ours;

	/* attributes may be cached, this never is */
	if (statfs(dir, &st) == 0 ||
	    (errno != ENOTCONN && errno != ECONNABORTED))
		return;
	if (find_mount(dir, &minor, &ours) < 0 || !ours)
		return;
	if (sfs_fuse_unmount(dir, true) == 0)
		sfs_log(SFS_LOG_WARN,
			"detached what a daemon that is gone had mounted on %s",
			dir);
}

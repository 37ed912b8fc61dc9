/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a mount gets to the daemon of its volume.
 *
 * There is one daemon for a volume on a host.  Who mounts looks for its socket
 * and talks to it, or starts it and talks to it over a pair of sockets that it
 * inherits.  What they say is the same:
 *
 *	"mount" VERSION META DATA DIR OPTIONS NOATIME THERE ->
 *					<- "go"		the volume is up
 *	"fd" MINOR, with the descriptor	->
 *					<- "serving"
 *
 * NOATIME is empty or not, THERE the number in fusectl of what is mounted on
 * DIR already, or 0.  The devices are paths without links; the daemon compares
 * what they are.  Others ask "counters" RID and get "counters" and then NAME
 * VALUE for each.
 *
 * The daemon may answer "error" ERRNO TEXT instead (TEXT empty when it has
 * told stderr), or "wait" when it is about to end: then the devices will be
 * free soon, and a new daemon waits for that by itself.
 *
 * The mount itself is made here, in the caller's namespace, and only once the
 * volume is up: a mount that fails leaves nothing mounted.  If we die before
 * the descriptor is handed over, the daemon is left without a mount and ends.
 */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMON "scoutfs-fuse"
#define NR_WAITS 100
#define WAIT_MS 100

/* ---- messages ----------------------------------------------------------- */

int sfs_control_send(int sock, int fd, const char *const *words,
		     unsigned int nr)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	char buf[SFS_CONTROL_MAX];
	struct iovec iov = { buf, 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	unsigned int i;
	size_t len;

	for (i = 0; i < nr; i++) {
		len = strlen(words[i]) + 1;
		if (iov.iov_len + len > sizeof(buf))
			return -ENAMETOOLONG;
		memcpy(buf + iov.iov_len, words[i], len);
		iov.iov_len += len;
	}
	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int fd_of(struct msghdr *msg)
{
	struct cmsghdr *c;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len != CMSG_LEN(sizeof(int)))
			continue;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		return fd;
	}
	return -1;
}

int sfs_control_recv(int sock, char *buf, size_t size, const char **ret_words,
		     unsigned int max, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { buf, size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	unsigned int nr = 0;
	char *p, *end;
	ssize_t n;
	int fd;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	fd = fd_of(&msg);
	if (ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	if (n == 0)
		return -ECONNRESET;
	/* fusermount3 sends a byte that means nothing */
	if (buf[n - 1] != '\0')
		return 0;
	for (p = buf; p < buf + n && nr < max; p = end + 1) {
		end = memchr(p, 0, buf + n - p);
		ret_words[nr++] = p;
	}
	return nr;
}

/* ---- finding or starting the daemon ------------------------------------- */

/* -ENOENT, -ECONNREFUSED: there is none. */
static int connect_daemon(__u64 fsid)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[SFS_PATH_MAX + 32];
	int sock, ret;

	sfs_socket_path(fsid, path, sizeof(path));
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		ret = -errno;
		close(sock);
		return ret;
	}
	return sock;
}

int sfs_control_ask(__u64 fsid, __u64 rid, const char *question, char *buf,
		    size_t size, const char **ret_words, unsigned int max)
{
	struct timeval tv = { .tv_sec = 10 };
	const char *word[] = { question, NULL };
	char digits[24];
	int sock, ret;

	snprintf(digits, sizeof(digits), "%016llx", rid);
	word[1] = digits;
	sock = connect_daemon(fsid);
	if (sock < 0)
		return sock;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	ret = sfs_control_send(sock, -1, word, 2);
	if (ret == 0)
		ret = sfs_control_recv(sock, buf, size, ret_words, max, NULL);
	close(sock);
	return ret;
}

/* Beside this program, else wherever PATH finds it. */
static void exec_daemon(int sock)
{
	char self[PATH_MAX], num[16];
	char *argv[] = { DAEMON, "--control", num, NULL };
	ssize_t n;
	char *slash;

	snprintf(num, sizeof(num), "%d", sock);
	fcntl(sock, F_SETFD, 0);
	n = readlink("/proc/self/exe", self, sizeof(self) - sizeof(DAEMON));
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			strcpy(slash + 1, DAEMON);
			execv(self, argv);
		}
	}
	execv("/usr/sbin/" DAEMON, argv);
	execv("/usr/libexec/scoutfs/" DAEMON, argv);
	execvp(DAEMON, argv);
	sfs_log(SFS_LOG_ERR, "cannot find the program " DAEMON);
	_exit(127);
}

static int start_daemon(void)
{
	int sv[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		ret = -errno;
		close(sv[0]);
		close(sv[1]);
		return ret;
	}
	if (pid == 0) {
		/* twice, so that nobody has to wait for the daemon */
		if (fork() != 0)
			_exit(0);
		setsid();
		exec_daemon(sv[1]);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(sv[1]);
	return sv[0];
}

/* ---- mounting ----------------------------------------------------------- */

/* @ns is a process id or a path.  For this process, which has one thread. */
static int enter_ns(const char *ns)
{
	char path[64];
	int fd, ret = 0;

	if (ns[strspn(ns, "0123456789")] == '\0') {
		snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", ns);
		ns = path;
	}
	fd = open(ns, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNS) < 0) {
		ret = -errno;
		sfs_log(SFS_LOG_ERR, "cannot enter mount namespace %s: %s", ns,
			strerror(-ret));
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * An answer: 0 for @want, 1 for "wait", or the daemon's error.  @ending: it may
 * be one that ends without having noticed us, which is as good as "wait".
 */
static int expect(int sock, const char *want, bool ending)
{
	char buf[SFS_CONTROL_MAX];
	const char *word[3];
	int nr, err;

	nr = sfs_control_recv(sock, buf, sizeof(buf), word, 3, NULL);
	if (nr == -ECONNRESET && ending)
		return 1;
	if (nr == -ECONNRESET) {
		sfs_log(SFS_LOG_ERR, "the daemon has ended; see its log");
		return nr;
	}
	if (nr < 0) {
		sfs_log(SFS_LOG_ERR, "no answer from the daemon: %s",
			strerror(-nr));
		return nr;
	}
	if (nr >= 1 && !strcmp(word[0], want))
		return 0;
	if (nr >= 1 && !strcmp(word[0], "wait"))
		return 1;
	if (nr == 3 && !strcmp(word[0], "error")) {
		err = atoi(word[1]);
		if (word[2][0])
			sfs_log(SFS_LOG_ERR, "%s", word[2]);
		return err > 0 ? -err : -EIO;
	}
	sfs_log(SFS_LOG_ERR,
		"the daemon's answer makes no sense; is it of another version of scoutfs?");
	return -EPROTO;
}

static int send_request(int sock, const struct sfs_mount_request *mr)
{
	char *opts = malloc(SFS_CONTROL_MAX), *meta, *data;
	char there[16];
	int ret;

	snprintf(there, sizeof(there), "%u", mr->mount_ns ? 0 :
		 sfs_fuse_minor_at(mr->dir));

	/* a daemon that was started elsewhere has another directory */
	meta = realpath(mr->opts->metadev_path, NULL);
	data = realpath(mr->spec, NULL);
	ret = opts ? sfs_options_show(mr->opts, opts, SFS_CONTROL_MAX) :
	      -ENOMEM;
	if (ret == 0) {
		const char *word[] = {
			"mount",
			SFS_CONTROL_VERSION,
			meta ? meta : mr->opts->metadev_path,
			data ? data : mr->spec,
			mr->dir,
			opts,
			mr->opts->mount_flags & MS_NOATIME ? "noatime" : "",
			there,
		};

		ret = sfs_control_send(sock, -1, word, 8);
	}
	free(opts);
	free(meta);
	free(data);
	return ret;
}

static int talk(int sock, const struct sfs_mount_request *mr, bool started)
{
	const char *word[] = { "fd", NULL };
	unsigned int minor;
	char num[16];
	int fd, ret;

	ret = send_request(sock, mr);
	if ((ret == -EPIPE || ret == -ECONNRESET) && !started)
		return 1;
	if (ret == 0)
		ret = expect(sock, "go", !started);
	if (ret != 0)
		return ret;
	if (mr->mount_ns) {
		ret = enter_ns(mr->mount_ns);
		if (ret < 0)
			return ret;
	}
	ret = sfs_fuse_mount(mr->spec, mr->dir, mr->opts->mount_flags, &fd,
			     &minor);
	if (ret < 0)
		return ret;
	snprintf(num, sizeof(num), "%u", minor);
	word[1] = num;
	ret = sfs_control_send(sock, fd, word, 2);
	close(fd);
	if (ret == 0)
		ret = expect(sock, "serving", false);
	if (ret != 0)
		sfs_fuse_unmount(mr->dir, true);
	return ret;
}

static int check_dir(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0) {
		int err = errno;

		sfs_log(SFS_LOG_ERR, "mount point %s: %s", dir, strerror(err));
		return -err;
	}
	if (!S_ISDIR(st.st_mode)) {
		sfs_log(SFS_LOG_ERR, "mount point %s is not a directory", dir);
		return -ENOTDIR;
	}
	return 0;
}

int sfs_control_mount(const struct sfs_mount_request *mr)
{
	struct sfs_volume_id id;
	int sock, ret, i;
	bool started;

	sfs_fuse_unmount_dead(mr->dir);
	if (!mr->mount_ns) {
		ret = check_dir(mr->dir);
		if (ret < 0)
			return ret;
	}
	ret = sfs_host_peek(mr->opts->metadev_path, mr->spec, &id);
	if (ret < 0)
		return ret;
	for (i = 0; i < NR_WAITS; i++) {
		sock = connect_daemon(id.fsid);
		started = sock < 0;
		if (started) {
			if (mr->verbose)
				sfs_log(SFS_LOG_INFO, "starting " DAEMON);
			sock = start_daemon();
		}
		if (sock < 0) {
			sfs_log(SFS_LOG_ERR, "cannot start " DAEMON ": %s",
				strerror(-sock));
			return sock;
		}
		ret = talk(sock, mr, started);
		close(sock);
		if (ret <= 0)
			return ret;
		usleep(WAIT_MS * 1000);
	}
	sfs_log(SFS_LOG_ERR, "the daemon of this volume does not end");
	return -EBUSY;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs-fuse: the daemon of one volume on one host.
 *
 * The main thread takes down mounts that the kernel has let go of.  It waits
 * for signals, for the end of a mount, and for others that want to mount,
 * which client.c deals with.  With the last mount it ends, after everything is
 * published and the devices are released.
 *
 * SIGTERM and SIGINT unmount.  Where that does not help because files are in
 * use, the mount is detached, and after some seconds its connection aborted:
 * those who still use it get errors, but what was written is published.  A
 * watchdog ends the process if even this takes too long.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef SFS_VERSION
#define SFS_VERSION "0.1"
#endif
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

#define PROG "scoutfs-fuse"
#define DETACH_WAIT_MS 5000	/* after a lazy unmount, before the abort */
#define WATCHDOG_S 120

struct daemon {
	struct sfs_volume *vol;
	int event_fd;
	int signal_fd;
	int listen_fd;		/* -1: none */
	int control_fd;		/* of who started us, -1: nobody */
	bool foreground;
	bool ending;
	char socket_path[SFS_PATH_MAX + 32];
};

/* ---- the process -------------------------------------------------------- */

static void on_usr1(int sig)
{
	/* only there to end a read(), see sfs_conn_stop() */
}

static int setup_signals(struct daemon *d)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	sigset_t set;

	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	/* all threads inherit this: these come to the descriptor only */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->signal_fd < 0 || d->event_fd < 0) {
		sfs_log(SFS_LOG_ERR, "cannot start: %s", strerror(errno));
		return -errno;
	}
	return 0;
}

/* With a limit, locked memory would make every later mapping fail. */
static bool may_lock_memory(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
	    limit.rlim_cur == RLIM_INFINITY)
		return true;
	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[0].effective & (1U << CAP_IPC_LOCK));
}

/*
 * Memory that must be written back through us should not wait for memory, and
 * neither should we.  Both want privileges and are worth trying only.
 */
static void setup_memory(void)
{
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		sfs_log(SFS_LOG_DEBUG, "PR_SET_IO_FLUSHER: %s",
			strerror(errno));
	if (!may_lock_memory())
		return;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		sfs_log(SFS_LOG_DEBUG, "mlockall: %s", strerror(errno));
}

/* From here on nobody reads what we say on the terminal. */
static void go_background(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	sfs_host_log_init(PROG, SFS_LOG_SYSLOG, false);
	if (fd >= 0) {
		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
	if (chdir("/") < 0)
		sfs_log(SFS_LOG_DEBUG, "chdir: %s", strerror(errno));
}

/*
 * Whoever starts us may have closed the standard descriptors; a device must
 * not get one of their numbers.  Status files are for everybody to read.
 */
static void setup_process(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	umask(022);
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	nanosleep(&ts, NULL);
}

/* ---- mounts ------------------------------------------------------------- */

static struct sfs_conn *find_ended(struct sfs_volume *vol, bool any)
{
	struct sfs_conn *conn;

	pthread_mutex_lock(&vol->lock);
	conn = vol->conns;
	while (conn && (!atomic_load(&conn->serving) ||
			!(any || sfs_conn_ended(conn))))
		conn = conn->next;
	pthread_mutex_unlock(&vol->lock);
	return conn;
}

static void take_down(struct daemon *d, struct sfs_conn *conn)
{
	sfs_log(SFS_LOG_INFO, "%s: unmounted from %s", d->vol->host->name,
		conn->dir);
	if (sfs_conn_destroy(conn) < 0)
		d->vol->dirty = true;
}

/* False once there is no mount and nobody who wants one; then for good. */
static bool in_use(struct sfs_volume *vol)
{
	bool yes;

	pthread_mutex_lock(&vol->lock);
	yes = vol->conns || vol->nr_clients;
	if (!yes)
		vol->ended = true;
	pthread_mutex_unlock(&vol->lock);
	return yes;
}

/* Something else may be mounted there, or another of our mounts, on top. */
static int unmount_dir(struct sfs_conn *conn, bool lazy)
{
	if (conn->dev_minor && sfs_fuse_minor_at(conn->dir) != conn->dev_minor)
		return -EINVAL;
	return sfs_fuse_unmount(conn->dir, lazy);
}

static void stop_conn(struct daemon *d, struct sfs_conn *conn)
{
	unsigned int ms;
	int ret;

	ret = unmount_dir(conn, false);
	if (ret == -EBUSY)
		ret = unmount_dir(conn, true);
	if (ret < 0 && ret != -EINVAL && ret != -ENOENT)
		sfs_log(SFS_LOG_WARN, "cannot unmount %s: %s", conn->dir,
			strerror(-ret));
	for (ms = 0; !sfs_conn_ended(conn) && ms < DETACH_WAIT_MS; ms += 20)
		sleep_ms(20);
	if (!sfs_conn_ended(conn)) {
		sfs_log(SFS_LOG_WARN, "%s is still in use: aborting it",
			conn->dir);
		sfs_conn_abort(conn);
	}
	take_down(d, conn);
}

/* Our descriptors go with us, which frees whoever waits for this mount. */
static void *watchdog_main(void *arg)
{
	sleep_ms(WATCHDOG_S * 1000);
	sfs_log(SFS_LOG_ERR, "the end takes more than %d seconds: giving up",
		WATCHDOG_S);
	_exit(1);
}

static void start_watchdog(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, watchdog_main, NULL))
		sfs_log(SFS_LOG_WARN, "no watchdog: %s", strerror(errno));
	pthread_attr_destroy(&attr);
}

/* ---- the socket --------------------------------------------------------- */

static void accept_client(struct daemon *d)
{
	int sock = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (sock >= 0)
		sfs_daemon_client(d->vol, sock);
}

/* Under another name first: a socket that can be seen can be connected to. */
static int bind_socket(struct daemon *d)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock, ret = 0;

	if (strlen(d->socket_path) + strlen(".new") >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	sprintf(addr.sun_path, "%s.new", d->socket_path);
	/* we own the volume, so whoever had these names is gone */
	unlink(addr.sun_path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		      0);
	if (sock < 0)
		return -errno;
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(sock, 16) < 0 ||
	    rename(addr.sun_path, d->socket_path) < 0) {
		ret = -errno;
		unlink(addr.sun_path);
		close(sock);
		return ret;
	}
	return sock;
}

static int listen_on(struct daemon *d)
{
	int ret;

	sfs_socket_path(d->vol->host->id[SFS_DEV_META].fsid, d->socket_path,
			sizeof(d->socket_path));
	ret = bind_socket(d);
	if (ret < 0) {
		sfs_log(SFS_LOG_ERR, "cannot listen on %s: %s", d->socket_path,
			strerror(-ret));
		return ret;
	}
	d->listen_fd = ret;
	sfs_status_sweep();
	return 0;
}

static void stop_listening(struct daemon *d)
{
	if (d->listen_fd < 0)
		return;
	unlink(d->socket_path);
	close(d->listen_fd);
	d->listen_fd = -1;
}

/* ---- running ------------------------------------------------------------ */

static void read_signals(struct daemon *d)
{
	struct signalfd_siginfo si;

	while (read(d->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP && !d->foreground)
			continue;
		if (si.ssi_signo != SIGUSR2)
			d->ending = true;
		else if (d->vol->host->powercut)
			sfs_powercut_now(d->vol->host->powercut);
	}
}

static void loop(struct daemon *d)
{
	struct pollfd pfd[3] = {
		{ .fd = d->signal_fd, .events = POLLIN },
		{ .fd = d->event_fd, .events = POLLIN },
		{ .fd = d->listen_fd, .events = POLLIN },
	};
	struct sfs_conn *conn;
	uint64_t count;

	while (!d->ending && in_use(d->vol)) {
		if (poll(pfd, 3, -1) < 0 && errno != EINTR)
			break;
		if (read(d->event_fd, &count, sizeof(count)) > 0)
			while ((conn = find_ended(d->vol, false)))
				take_down(d, conn);
		read_signals(d);
		if (!d->ending)
			accept_client(d);
	}
}

/* -EIO: something that was not synced is lost. */
static int finish(struct daemon *d)
{
	struct sfs_volume *vol = d->vol;
	struct sfs_conn *conn;
	bool dirty;

	pthread_mutex_lock(&vol->lock);
	vol->ended = true;
	pthread_mutex_unlock(&vol->lock);
	stop_listening(d);
	sfs_owner_stopping(vol->host);
	start_watchdog();
	do {
		while ((conn = find_ended(vol, true)))
			stop_conn(d, conn);
		/* a client that is in the middle of it has a timeout */
		sleep_ms(in_use(vol) ? 20 : 0);
	} while (in_use(vol));
	dirty = vol->dirty;
	sfs_volume_stop(vol);
	return dirty ? -EIO : 0;
}

/* Started by mount.scoutfs: devices and options come as a message. */
static int run_controlled(struct daemon *d)
{
	char buf[SFS_CONTROL_MAX];
	struct sfs_options opts;
	const char *word[8];
	int nr, ret;

	nr = sfs_control_recv(d->control_fd, buf, sizeof(buf), word, 8, NULL);
	if (nr != 8 || strcmp(word[0], "mount") ||
	    strcmp(word[1], SFS_CONTROL_VERSION)) {
		sfs_daemon_error(d->control_fd, -EPROTONOSUPPORT,
				 "the program " PROG " is of another version of scoutfs");
		return -EPROTO;
	}
	sfs_options_default(&opts);
	ret = sfs_options_parse(&opts, word[5]);
	if (ret == 0)
		ret = sfs_volume_start(word[2], word[3], &opts, d->event_fd,
				       &d->vol);
	if (ret < 0) {
		sfs_daemon_error(d->control_fd, ret, "");
		return ret;
	}
	ret = listen_on(d);
	if (ret < 0)
		sfs_daemon_error(d->control_fd, ret, "");
	else
		ret = sfs_daemon_mount(d->vol, d->control_fd, word, nr);
	close(d->control_fd);
	if (ret == 0) {
		go_background();
		loop(d);
	}
	nr = finish(d);
	return ret < 0 ? ret : nr;
}

static int mount_in_foreground(struct daemon *d, const char *data,
			       const char *dir,
			       const struct sfs_options *opts)
{
	struct sfs_conn *conn;
	unsigned int minor;
	int fd, ret;

	ret = sfs_conn_open(d->vol, opts, dir, &conn);
	if (ret < 0)
		return ret;
	ret = sfs_fuse_mount(data, dir, opts->mount_flags, &fd, &minor);
	if (ret == 0) {
		ret = sfs_conn_serve(conn, fd, minor);
		if (ret < 0)
			sfs_fuse_unmount(dir, true);
	}
	if (ret < 0)
		sfs_conn_destroy(conn);
	return ret;
}

static int run_foreground(struct daemon *d, const char *meta,
			  const char *data, const char *dir,
			  struct sfs_options *opts)
{
	int ret, last;

	sfs_fuse_unmount_dead(dir);
	/* on this command line it is an argument */
	if (!opts->metadev_path[0])
		snprintf(opts->metadev_path, sizeof(opts->metadev_path), "%s",
			 meta);
	ret = sfs_volume_start(meta, data, opts, d->event_fd, &d->vol);
	if (ret < 0)
		return ret;
	ret = listen_on(d);
	if (ret == 0)
		ret = mount_in_foreground(d, data, dir, opts);
	if (ret == 0)
		loop(d);
	last = finish(d);
	return ret < 0 ? ret : last;
}

/* ---- command line ------------------------------------------------------- */

static const char usage_text[] =
	"usage: " PROG " [-f|--foreground] [-d|--debug] [-o OPTION,...] METADATA-DEVICE DATA-DEVICE DIRECTORY\n"
	"       " PROG " --help | --version\n"
	"\n"
	"Mounts a scoutfs volume.  \"mount -t scoutfs -o metadev_path=METADATA-DEVICE\n"
	"DATA-DEVICE DIRECTORY\" does the same through mount.scoutfs(8).  The mount ends\n"
	"with umount(8) or, in the foreground, with Ctrl-C.  Options are those of\n"
	"scoutfs(5).\n";

enum {
	ARG_CONTROL = 256,
};

static const struct option long_options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "debug", no_argument, NULL, 'd' },
	{ "options", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "control", required_argument, NULL, ARG_CONTROL },
	{ NULL, 0, NULL, 0 },
};

struct args {
	struct sfs_options opts;
	bool foreground;
	bool debug;
	int control_fd;
	int err;
};

/* -1: go on; else the exit status. */
static int parse_args(int argc, char **argv, struct args *a)
{
	int c;

	while ((c = getopt_long(argc, argv, "fdo:hV", long_options,
				NULL)) != -1) {
		switch (c) {
		case 'f':
			a->foreground = true;
			break;
		case 'd':
			a->debug = true;
			break;
		case 'o':
			if (a->err == 0)
				a->err = sfs_options_parse(&a->opts, optarg);
			break;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		case 'V':
			printf(PROG " " SFS_VERSION "\n");
			return 0;
		case ARG_CONTROL:
			a->control_fd = atoi(optarg);
			break;
		default:
			fputs(usage_text, stderr);
			return 64;
		}
	}
	if (argc - optind != (a->control_fd >= 0 ? 0 : 3)) {
		fputs(usage_text, stderr);
		return 64;
	}
	return -1;
}

static int run_args(struct args *a, char **argv)
{
	struct daemon d = {
		.listen_fd = -1,
		.control_fd = a->control_fd,
		.foreground = a->foreground,
	};
	struct sfs_mount_request mr = {
		.spec = argv[1],
		.opts = &a->opts,
	};
	char *dir;
	int ret;

	if (a->control_fd >= 0) {
		fcntl(a->control_fd, F_SETFD, FD_CLOEXEC);
		sfs_host_log_init(PROG, SFS_LOG_STARTING, a->debug);
		ret = setup_signals(&d);
		setup_memory();
		return ret < 0 ? ret : run_controlled(&d);
	}

	/* a dead mount at its end cannot be resolved */
	dir = realpath(argv[2], NULL);
	mr.dir = dir ? dir : argv[2];
	if (!a->foreground) {
		snprintf(a->opts.metadev_path, sizeof(a->opts.metadev_path),
			 "%s", argv[0]);
		ret = sfs_control_mount(&mr);
	} else {
		ret = setup_signals(&d);
		setup_memory();
		if (ret == 0)
			ret = run_foreground(&d, argv[0], argv[1], mr.dir,
					     &a->opts);
	}
	free(dir);
	return ret;
}

int main(int argc, char **argv)
{
	struct args a = { .control_fd = -1 };
	int ret;

	setup_process();
	sfs_host_log_init(PROG, SFS_LOG_STDERR, false);
	sfs_options_default(&a.opts);
	ret = parse_args(argc, argv, &a);
	if (ret >= 0)
		return ret;
	sfs_host_log_init(PROG, SFS_LOG_STDERR, a.debug);
	ret = a.err;
	if (ret == 0)
		ret = run_args(&a, argv + optind);
	return ret < 0 ? 1 : 0;
}

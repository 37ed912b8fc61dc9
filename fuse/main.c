/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs-fuse: the daemon of one volume on one host.
 *
 * The main thread owns the list of mounts.  It waits for signals, for the end
 * of a mount, and for others that want to mount (host/control.c has what they
 * say).  With the last mount it ends, after everything is published and the
 * devices are released.
 *
 * For now a volume has one mount at a time; a second one is refused.  The
 * list, and the socket that outlives a single mount, are there for more.
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
#define HELLO_TIMEOUT_S 30

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

static void add_conn(struct daemon *d, struct sfs_conn *conn)
{
	conn->next = d->vol->conns;
	d->vol->conns = conn;
}

/* Takes down the mounts that the kernel has let go of. */
static void reap_conns(struct daemon *d)
{
	struct sfs_conn **p = &d->vol->conns, *conn;

	while ((conn = *p)) {
		if (!sfs_conn_ended(conn)) {
			p = &conn->next;
			continue;
		}
		*p = conn->next;
		sfs_log(SFS_LOG_INFO, "%s: unmounted from %s",
			d->vol->host->name, conn->dir);
		sfs_conn_stop(conn);
	}
}

static void stop_conn(struct sfs_conn *conn)
{
	unsigned int ms;
	int ret;

	ret = sfs_fuse_unmount(conn->dir, false);
	if (ret == -EBUSY)
		ret = sfs_fuse_unmount(conn->dir, true);
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
	sfs_conn_stop(conn);
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

/* ---- those who want to mount -------------------------------------------- */

static void say(int sock, const char *word)
{
	sfs_control_send(sock, -1, &word, 1);
}

static void say_error(int sock, int err, const char *text)
{
	const char *word[] = { "error", NULL, text };
	char num[16];

	snprintf(num, sizeof(num), "%d", -err);
	word[1] = num;
	sfs_control_send(sock, -1, word, 3);
}

/* The second half: the kernel's descriptor, and INIT. */
static int serve(struct daemon *d, int sock, const char *dir, bool noatime)
{
	char buf[64];
	const char *word[2];
	struct sfs_conn *conn;
	int nr, fd, ret;

	nr = sfs_control_recv(sock, buf, sizeof(buf), word, 2, &fd);
	if (nr < 0)
		return nr;
	if (nr != 2 || strcmp(word[0], "fd") || fd < 0) {
		if (fd >= 0)
			close(fd);
		return -EPROTO;
	}
	ret = sfs_conn_start(d->vol, fd, dir, strtoul(word[1], NULL, 10),
			     noatime, &conn);
	if (ret < 0) {
		say_error(sock, ret, "");
		return ret;
	}
	add_conn(d, conn);
	sfs_log(SFS_LOG_INFO, "%s: mounted on %s, FUSE 7.%u",
		d->vol->host->name, conn->dir, conn->session.minor);
	say(sock, "serving");
	return 0;
}

static void say_counters(struct daemon *d, int sock)
{
	int i, nr = sfs_counters_nr();
	const char **word = calloc(1 + 2 * nr, sizeof(*word));
	char (*value)[24] = calloc(nr, sizeof(*value));

	if (!word || !value) {
		say_error(sock, -ENOMEM, "no memory");
		goto out;
	}
	word[0] = "counters";
	for (i = 0; i < nr; i++) {
		snprintf(value[i], sizeof(value[i]), "%llu",
			 sfs_counter_read(d->vol->fs, i));
		word[1 + 2 * i] = sfs_counter_name(i);
		word[2 + 2 * i] = value[i];
	}
	sfs_control_send(sock, -1, word, 1 + 2 * nr);
out:
	free(value);
	free(word);
}

/* A daemon that has a mount already: one is all there can be, for now. */
static void refuse(struct daemon *d, int sock)
{
	struct sfs_conn *conn;
	char text[SFS_PATH_MAX + 128];
	int i;

	/* an unmount just now may not have been noticed yet */
	for (i = 0; i < 30 && d->vol->conns && !sfs_conn_ended(d->vol->conns);
	     i++)
		sleep_ms(10);
	conn = d->vol->conns;
	if (!conn || sfs_conn_ended(conn)) {
		say(sock, "wait");
		return;
	}
	snprintf(text, sizeof(text),
		 "this volume is mounted on %s already; one mount at a time is possible",
		 conn->dir);
	say_error(sock, -EBUSY, text);
}

static void set_timeout(int sock)
{
	struct timeval tv = { .tv_sec = HELLO_TIMEOUT_S };

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static void accept_client(struct daemon *d)
{
	char buf[SFS_CONTROL_MAX];
	const char *word[6];
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int sock, nr;

	sock = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (sock < 0)
		return;
	set_timeout(sock);
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid())) {
		say_error(sock, -EPERM, "the daemon belongs to another user");
	} else {
		nr = sfs_control_recv(sock, buf, sizeof(buf), word, 6, NULL);
		if (nr >= 1 && !strcmp(word[0], "mount"))
			refuse(d, sock);
		else if (nr >= 1 && !strcmp(word[0], "counters"))
			say_counters(d, sock);
		else if (nr >= 0)
			say_error(sock, -EPROTO, "unknown request");
	}
	close(sock);
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

	sfs_socket_path(sfs_fsid(d->vol->fs), d->socket_path,
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
	uint64_t count;

	while (d->vol->conns && !d->ending) {
		if (poll(pfd, 3, -1) < 0 && errno != EINTR)
			break;
		if (read(d->event_fd, &count, sizeof(count)) > 0)
			reap_conns(d);
		read_signals(d);
		if (d->vol->conns && !d->ending)
			accept_client(d);
	}
}

static int finish(struct daemon *d)
{
	struct sfs_conn *conn;

	stop_listening(d);
	sfs_owner_stopping(d->vol->host);
	start_watchdog();
	while ((conn = d->vol->conns)) {
		d->vol->conns = conn->next;
		stop_conn(conn);
	}
	return sfs_volume_stop(d->vol);
}

/* Started by mount.scoutfs: devices and options come as a message. */
static int run_controlled(struct daemon *d)
{
	char buf[SFS_CONTROL_MAX];
	struct sfs_options opts;
	const char *word[6];
	int nr, ret;

	nr = sfs_control_recv(d->control_fd, buf, sizeof(buf), word, 6, NULL);
	if (nr != 6 || strcmp(word[0], "mount"))
		return -EPROTO;
	sfs_options_default(&opts);
	ret = sfs_options_parse(&opts, word[4]);
	/* as an absolute path */
	snprintf(opts.metadev_path, sizeof(opts.metadev_path), "%s", word[1]);
	if (ret == 0)
		ret = sfs_volume_start(word[1], word[2], &opts, d->event_fd,
				       &d->vol);
	if (ret < 0) {
		say_error(d->control_fd, ret, "");
		return ret;
	}
	ret = listen_on(d);
	if (ret < 0) {
		say_error(d->control_fd, ret, "");
	} else {
		say(d->control_fd, "go");
		ret = serve(d, d->control_fd, word[3], word[5][0]);
	}
	close(d->control_fd);
	if (ret == 0) {
		go_background();
		loop(d);
	}
	nr = finish(d);
	return ret < 0 ? ret : nr;
}

static int run_foreground(struct daemon *d, const char *meta,
			  const char *data, const char *dir,
			  const struct sfs_options *opts)
{
	struct sfs_conn *conn;
	unsigned int minor;
	int fd, ret, last;

	sfs_fuse_unmount_dead(dir);
	ret = sfs_volume_start(meta, data, opts, d->event_fd, &d->vol);
	if (ret < 0)
		return ret;
	ret = listen_on(d);
	if (ret == 0)
		ret = sfs_fuse_mount(data, dir, opts->mount_flags, &fd,
				     &minor);
	if (ret == 0) {
		ret = sfs_conn_start(d->vol, fd, dir, minor,
				     opts->mount_flags & MS_NOATIME, &conn);
		if (ret < 0)
			sfs_fuse_unmount(dir, true);
	}
	if (ret == 0) {
		add_conn(d, conn);
		sfs_log(SFS_LOG_INFO, "%s: mounted on %s, FUSE 7.%u",
			d->vol->host->name, dir, conn->session.minor);
		loop(d);
	}
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

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Those who talk to the daemon over its socket: who mounts the volume once
 * more, and who asks for counters.  host/control.c has what they say and the
 * other side of it.
 *
 * Each gets a thread, so that one that is slow, or has stopped in the middle,
 * keeps nobody waiting; the socket's timeout ends it.  While there is one, the
 * daemon does not end with its last mount (vol->nr_clients).  Once it is
 * ending, who comes is told to wait: the devices will be free soon.
 *
 * What goes wrong is told to the client in one line, the last one that was
 * logged for it; our own stderr has nobody who reads it any more.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_CLIENT_S 30
#define MAX_WORDS 8
#define LINE_MAX_BYTES (2 * SFS_PATH_MAX + 512)

struct client {
	struct sfs_volume *vol;
	int sock;
};

static void say(int sock, const char *word)
{
	sfs_control_send(sock, -1, &word, 1);
}

void sfs_daemon_error(int sock, int err, const char *text)
{
	const char *word[] = { "error", NULL, text };
	char num[16];

	snprintf(num, sizeof(num), "%d", -err);
	word[1] = num;
	sfs_control_send(sock, -1, word, 3);
}

/* ---- mounting ----------------------------------------------------------- */

/* Is @path what we have opened, by whatever name? */
static bool is_device(const struct sfs_host_dev *dev, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if (S_ISBLK(st.st_mode))
		return dev->is_block && st.st_rdev == dev->rdev;
	return !dev->is_block && st.st_dev == dev->fs_dev &&
	       st.st_ino == dev->fs_ino;
}

/* A copy of the devices has the same id and is another volume. */
static int check_devices(struct sfs_volume *vol, const char *meta,
			 const char *data)
{
	const struct sfs_host_dev *dev = vol->host->dev;
	const char *other = NULL;

	if (!is_device(&dev[SFS_DEV_META], meta))
		other = meta;
	else if (!is_device(&dev[SFS_DEV_DATA], data))
		other = data;
	if (!other)
		return 0;
	sfs_log(SFS_LOG_ERR,
		"%s has the id of a volume that is mounted from %s and %s; a copy can not be mounted beside it",
		other, dev[SFS_DEV_META].path, dev[SFS_DEV_DATA].path);
	return -EBUSY;
}

/* @minor is what is mounted there already, as the client sees it. */
static int check_dir(struct sfs_volume *vol, const char *dir,
		     const char *minor)
{
	unsigned int nr = strtoul(minor, NULL, 10);
	struct sfs_conn *conn;

	pthread_mutex_lock(&vol->lock);
	conn = vol->conns;
	while (conn && (!nr || conn->dev_minor != nr ||
			sfs_conn_ended(conn)))
		conn = conn->next;
	pthread_mutex_unlock(&vol->lock);
	if (!conn)
		return 0;
	sfs_log(SFS_LOG_ERR, "this volume is mounted on %s already", dir);
	return -EBUSY;
}

/* The second half: the kernel's descriptor, and INIT. */
static int serve(struct sfs_conn *conn, int sock)
{
	char buf[64];
	const char *word[2];
	int nr, fd;

	say(sock, "go");
	nr = sfs_control_recv(sock, buf, sizeof(buf), word, 2, &fd);
	if (nr < 0)
		return nr;
	if (nr != 2 || strcmp(word[0], "fd") || fd < 0) {
		if (fd >= 0)
			close(fd);
		sfs_log(SFS_LOG_ERR, "%s: a mount without a descriptor",
			conn->dir);
		return -EPROTO;
	}
	return sfs_conn_serve(conn, fd, strtoul(word[1], NULL, 10));
}

static int check_words(struct sfs_volume *vol, const char *const *words,
		       unsigned int nr)
{
	int ret;

	if (nr < 2 || strcmp(words[1], SFS_CONTROL_VERSION)) {
		sfs_log(SFS_LOG_ERR,
			"the daemon of this volume is of another version of scoutfs: it speaks version " SFS_CONTROL_VERSION " with programs that mount, not %.20s; unmount the volume everywhere on this host first",
			nr < 2 ? "none" : words[1]);
		return -EPROTONOSUPPORT;
	}
	if (nr != MAX_WORDS) {
		sfs_log(SFS_LOG_ERR,
			"a request to mount has %u words and not %d", nr,
			MAX_WORDS);
		return -EPROTO;
	}
	ret = check_devices(vol, words[2], words[3]);
	return ret < 0 ? ret : check_dir(vol, words[4], words[7]);
}

static int mount_words(struct sfs_volume *vol, int sock,
		       const char *const *words, unsigned int nr)
{
	struct sfs_options *opts;
	struct sfs_conn *conn;
	int ret;

	ret = check_words(vol, words, nr);
	if (ret < 0)
		return ret;
	opts = malloc(sizeof(*opts));
	if (!opts)
		return -ENOMEM;
	sfs_options_default(opts);
	ret = sfs_options_parse(opts, words[5]);
	if (ret == 0) {
		/* as an absolute path */
		snprintf(opts->metadev_path, sizeof(opts->metadev_path), "%s",
			 words[2]);
		if (words[6][0])
			opts->mount_flags |= MS_NOATIME;
		ret = sfs_conn_open(vol, opts, words[4], &conn);
	}
	free(opts);
	if (ret < 0)
		return ret;
	ret = serve(conn, sock);
	if (ret < 0)
		sfs_conn_destroy(conn);
	return ret;
}

int sfs_daemon_mount(struct sfs_volume *vol, int sock,
		     const char *const *words, unsigned int nr)
{
	int ret = mount_words(vol, sock, words, nr);

	/* what there is to say is on the stderr that we share with it */
	if (ret < 0)
		sfs_daemon_error(sock, ret, "");
	else
		say(sock, "serving");
	return ret;
}

static void another_mount(struct sfs_volume *vol, int sock,
			  const char *const *words, unsigned int nr)
{
	char text[LINE_MAX_BYTES];
	int ret;

	sfs_host_log_capture(text, sizeof(text));
	ret = mount_words(vol, sock, words, nr);
	sfs_host_log_capture(NULL, 0);
	if (ret == 0) {
		say(sock, "serving");
		return;
	}
	if (!text[0])
		snprintf(text, sizeof(text), "cannot be mounted: %s",
			 strerror(-ret));
	sfs_log(SFS_LOG_WARN, "refused a mount: %s", text);
	sfs_daemon_error(sock, ret, text);
}

/* ---- counters ----------------------------------------------------------- */

/* Of the mount with id @rid, 16 hex digits; -ESTALE when it has gone. */
static int read_counters(struct sfs_volume *vol, const char *rid, int nr,
			 char (*value)[24])
{
	unsigned long long want = strtoull(rid, NULL, 16);
	struct sfs_conn *conn;
	int i;

	pthread_mutex_lock(&vol->lock);
	conn = vol->conns;
	while (conn && (sfs_rid(conn->fs) != want ||
			!atomic_load(&conn->serving)))
		conn = conn->next;
	for (i = 0; conn && i < nr; i++)
		snprintf(value[i], sizeof(value[i]), "%llu",
			 sfs_counter_read(conn->fs, i));
	pthread_mutex_unlock(&vol->lock);
	return conn ? 0 : -ESTALE;
}

static void say_counters(struct sfs_volume *vol, int sock, const char *rid)
{
	int i, ret, nr = sfs_counters_nr();
	const char **word = calloc(1 + 2 * nr, sizeof(*word));
	char (*value)[24] = calloc(nr, sizeof(*value));

	ret = word && value ? read_counters(vol, rid, nr, value) : -ENOMEM;
	if (ret < 0) {
		sfs_daemon_error(sock, ret, ret == -ESTALE ?
				 "there is no mount with this id" :
				 "no memory");
		goto out;
	}
	word[0] = "counters";
	for (i = 0; i < nr; i++) {
		word[1 + 2 * i] = sfs_counter_name(i);
		word[2 + 2 * i] = value[i];
	}
	sfs_control_send(sock, -1, word, 1 + 2 * nr);
out:
	free(value);
	free(word);
}

/* ---- for tests ---------------------------------------------------------- */

/* As if the mount gave up its cluster lock on these inodes. */
static void sweep(struct sfs_volume *vol, int sock, const char *const *words)
{
	unsigned long long want = strtoull(words[1], NULL, 16);
	struct sfs_conn *conn;

	pthread_mutex_lock(&vol->lock);
	conn = vol->conns;
	while (conn && (sfs_rid(conn->fs) != want ||
			!atomic_load(&conn->serving)))
		conn = conn->next;
	if (conn)
		atomic_fetch_add(&conn->nr_held, 1);
	pthread_mutex_unlock(&vol->lock);
	if (!conn) {
		sfs_daemon_error(sock, -ESTALE,
				 "there is no mount with this id");
		return;
	}
	sfs_known_sweep(conn, strtoull(words[2], NULL, 10),
			strtoull(words[3], NULL, 10));
	atomic_fetch_sub(&conn->nr_held, 1);
	say(sock, "done");
}

/* ---- who is it, and what does it want? ---------------------------------- */

static void answer(struct sfs_volume *vol, int sock)
{
	char buf[SFS_CONTROL_MAX];
	const char *word[MAX_WORDS];
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int nr;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid())) {
		sfs_daemon_error(sock, -EPERM,
				 "the daemon belongs to another user");
		return;
	}
	nr = sfs_control_recv(sock, buf, sizeof(buf), word, MAX_WORDS, NULL);
	if (nr >= 1 && !strcmp(word[0], "mount"))
		another_mount(vol, sock, word, nr);
	else if (nr == 2 && !strcmp(word[0], "counters"))
		say_counters(vol, sock, word[1]);
	else if (nr == 4 && !strcmp(word[0], "sweep"))
		sweep(vol, sock, word);
	else if (nr >= 0)
		sfs_daemon_error(sock, -EPROTO,
				 "the daemon does not know this request; is it of another version?");
}

static bool begin_client(struct sfs_volume *vol)
{
	bool ok;

	pthread_mutex_lock(&vol->lock);
	ok = !vol->ended;
	vol->nr_clients += ok;
	pthread_mutex_unlock(&vol->lock);
	return ok;
}

static void end_client(struct sfs_volume *vol)
{
	pthread_mutex_lock(&vol->lock);
	vol->nr_clients--;
	/* under the lock: without it the volume may be gone */
	sfs_volume_wake(vol);
	pthread_mutex_unlock(&vol->lock);
}

static void *client_main(void *arg)
{
	struct client *c = arg;

	answer(c->vol, c->sock);
	close(c->sock);
	end_client(c->vol);
	free(c);
	return NULL;
}

void sfs_daemon_client(struct sfs_volume *vol, int sock)
{
	struct timeval tv = { .tv_sec = TIMEOUT_CLIENT_S };
	struct client *c = malloc(sizeof(*c));
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	/* counted from here on, so that the volume stays while it is asked */
	if (!begin_client(vol)) {
		say(sock, "wait");
		close(sock);
		free(c);
		return;
	}
	if (c) {
		*c = (struct client){ .vol = vol, .sock = sock };
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		ret = pthread_create(&thread, &attr, client_main, c);
		pthread_attr_destroy(&attr);
		if (ret == 0)
			return;
		free(c);
	}
	sfs_daemon_error(sock, -ENOMEM, "the daemon can start no thread");
	close(sock);
	end_client(vol);
}

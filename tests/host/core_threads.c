/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core under real threads: a volume on two image files, its server, a
 * mount with short transactions, and eight threads that do everything that
 * core/api.h offers to the same few names and inodes, by the locking contract
 * of that header.  The simulator decides schedules and replays them, but it
 * switches at yield points only; here they are as the machine makes them, and
 * under ThreadSanitizer (make tsan) every access is watched.
 *
 * What must hold is little, as nobody knows what the others did: only errors
 * that the state of the names can explain, blocks of files that are as one
 * writer left them, directories that read to their end, a volume without
 * findings after each unmount, nothing left by those that deleted.  The same
 * for mounts that end as soon as they began, and for one whose device fails in
 * the middle.
 *
 *	core_threads [SECONDS]		of each of the long rounds, default 1
 *
 * SHIM_SEED is where each thread's random numbers begin.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "tap.h"

#define NR_THREADS 8
#define NR_DIRS 6
#define NR_NAMES 24
#define NR_BLOCKS 64		/* of a file, in the first rounds */
#define BLOCK 4096
#define ROOT 1
#define RETRIES 20
#define NR_LIVES 8
/* A call that takes longer has not come back: the threads are stuck. */
#define HANG_S 240

static const struct sfs_cred root = { .caps = ~0u };
static char meta[300], data[300];

static struct sfs_host *host;
static struct sfs_hub *hub;
static struct sfs_server *srv;
static struct sfs_fs *fs;
static __u64 dirs[NR_DIRS];

static atomic_bool stop;
static atomic_bool broken_device;
static atomic_int bad;
static atomic_ulong calls;

struct worker {
	pthread_t thread;
	__u64 rand;
	unsigned int max_blocks;
	_Alignas(BLOCK) unsigned char buf[8 * BLOCK];
};

static __u64 rnd(struct worker *w, __u64 below)
{
	w->rand ^= w->rand << 13;
	w->rand ^= w->rand >> 7;
	w->rand ^= w->rand << 17;
	return (w->rand >> 11) % below;
}

/* ---- errors ------------------------------------------------------------- */

/* What others may have done meanwhile, or that there is no space. */
static const int usual[] = {
	ENOENT, EEXIST, ESTALE, ENOTEMPTY, EISDIR, ENOTDIR, ENOSPC, ENODATA,
	ERANGE, ELOOP, EINVAL, EPERM, EFBIG, EMLINK,
};

static __s64 check(__s64 ret, const char *call)
{
	unsigned int i;

	atomic_fetch_add(&calls, 1);
	if (ret >= 0)
		return ret;
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (ret == -usual[i])
			return ret;
	}
	if (ret == -EIO && atomic_load(&broken_device))
		return ret;
	if (atomic_fetch_add(&bad, 1) < 10)
		diag("%s: %s", call, strerror((int)-ret));
	return ret;
}

#define CALL(call) check((call), #call)

static void broken(const char *what, __u64 ino, __u64 value)
{
	if (atomic_fetch_add(&bad, 1) < 10)
		diag("inode %llu: %s %llu", ino, what, value);
}

/* ---- names -------------------------------------------------------------- */

static __u32 pick_name(struct worker *w, char *name)
{
	return sprintf(name, "n%llu", rnd(w, NR_NAMES));
}

static __u64 pick_dir(struct worker *w)
{
	return dirs[rnd(w, NR_DIRS)];
}

static __u64 pick_ino(struct worker *w)
{
	struct sfs_attr attr;
	char name[16];
	__u32 len = pick_name(w, name);

	if (CALL(sfs_lookup(fs, &root, pick_dir(w), name, len, &attr)) < 0)
		return 0;
	return attr.ino;
}

static void op_create(struct worker *w)
{
	__u32 mode = rnd(w, 4) ? S_IFREG | 0644 : S_IFDIR | 0755;
	__u64 dir = pick_dir(w);
	struct sfs_attr attr;
	struct sfs_ilock il;
	char name[16];
	__u32 len = pick_name(w, name);

	sfs_ilock_excl(fs, &il, dir, 0, 0, 0);
	if (rnd(w, 8))
		CALL(sfs_create(fs, &root, dir, name, len, mode, 0, &attr));
	else
		CALL(sfs_symlink(fs, &root, dir, name, len, name, len, &attr));
	sfs_iunlock(fs, &il);
}

static void op_link(struct worker *w)
{
	__u64 ino = pick_ino(w), dir = pick_dir(w);
	struct sfs_attr attr;
	struct sfs_ilock il;
	char name[16];
	__u32 len = pick_name(w, name);

	if (!ino)
		return;
	sfs_ilock_excl(fs, &il, dir, ino, 0, 0);
	CALL(sfs_link(fs, &root, ino, dir, name, len, &attr));
	sfs_iunlock(fs, &il);
}

static int remove_name(__u64 dir, const char *name, __u32 len)
{
	struct sfs_attr attr;
	struct sfs_ilock il;
	int ret;

	ret = CALL(sfs_lookup(fs, &root, dir, name, len, &attr));
	if (ret < 0)
		return ret;
	/* as a host does that keeps what is in use */
	ret = CALL(sfs_inode_open(fs, attr.ino, NULL));
	if (ret < 0)
		return -ESTALE;
	sfs_ilock_excl(fs, &il, dir, attr.ino, 0, 0);
	if (S_ISDIR(attr.mode))
		ret = CALL(sfs_rmdir(fs, &root, dir, name, len, attr.ino));
	else
		ret = CALL(sfs_unlink(fs, &root, dir, name, len, attr.ino));
	sfs_iunlock(fs, &il);
	sfs_inode_close(fs, attr.ino);
	return ret;
}

static void op_remove(struct worker *w)
{
	__u64 dir = pick_dir(w);
	char name[16];
	__u32 len = pick_name(w, name);
	int tries = 0;

	while (remove_name(dir, name, len) == -ESTALE && ++tries < RETRIES)
		;
}

static int try_rename(__u64 from, const char *name, __u32 len, __u64 to,
		      const char *new_name, __u32 new_len, __u32 flags)
{
	struct sfs_attr attr, new = { 0 };
	struct sfs_ilock il;
	int ret;

	ret = CALL(sfs_lookup(fs, &root, from, name, len, &attr));
	if (ret < 0)
		return ret;
	ret = CALL(sfs_lookup(fs, &root, to, new_name, new_len, &new));
	if (ret < 0 && ret != -ENOENT)
		return ret;
	if (from != to)
		sfs_rename_lock(fs);
	sfs_ilock_excl(fs, &il, from, to, attr.ino, new.ino);
	ret = CALL(sfs_rename(fs, &root, from, name, len, attr.ino, to,
			      new_name, new_len, new.ino, flags));
	sfs_iunlock(fs, &il);
	if (from != to)
		sfs_rename_unlock(fs);
	return ret;
}

static void op_rename(struct worker *w)
{
	__u64 from = pick_dir(w), to = pick_dir(w);
	char name[16], new_name[16];
	__u32 len = pick_name(w, name);
	__u32 new_len = pick_name(w, new_name);
	__u32 flags = rnd(w, 3) ? 0 : SFS_RENAME_NOREPLACE;
	int tries = 0;

	while (try_rename(from, name, len, to, new_name, new_len, flags) ==
		       -ESTALE && ++tries < RETRIES)
		;
}

static void op_readdir(struct worker *w)
{
	__u64 dir = pick_dir(w), pos = 0;
	const struct sfs_dirent *de;
	char buf[700] __attribute__((aligned(8)));
	int n, i, seen = 0;

	while ((n = CALL(sfs_readdir(fs, &root, dir, pos, buf,
				     sizeof(buf)))) > 0) {
		for (i = 0; i < n; i += de->rec_len) {
			de = (const void *)(buf + i);
			if (de->next_pos <= pos)
				broken("position", dir, pos);
			pos = de->next_pos;
			seen++;
		}
	}
	if (n == 0 && seen < 2)
		broken("entries", dir, seen);
}

/* ---- contents ------------------------------------------------------------ */

/* One writer's block: each word says the inode, the block and which write. */
static void stamp(unsigned char *p, __u64 ino, __u64 block, __u64 write)
{
	__u64 *word = (__u64 *)p;
	unsigned int i;

	for (i = 0; i < BLOCK / sizeof(*word); i += 2) {
		word[i] = ino << 20 | block;
		word[i + 1] = write;
	}
}

static void check_stamp(const unsigned char *p, __u64 ino, __u64 block)
{
	const __u64 *word = (const __u64 *)p;
	unsigned int i;

	if (word[0] && word[0] != (ino << 20 | block)) {
		broken("foreign contents", ino, word[0]);
		return;
	}
	for (i = 2; i < BLOCK / sizeof(*word); i += 2) {
		if (word[i] != word[0] || word[i + 1] != word[1]) {
			broken("torn block", ino, block);
			return;
		}
	}
}

static void op_write(struct worker *w)
{
	__u64 ino = pick_ino(w), block = rnd(w, w->max_blocks);
	__u32 nr = 1 + rnd(w, 8), i;
	struct sfs_ilock il;
	__s64 n;

	if (!ino || CALL(sfs_inode_open(fs, ino, NULL)) < 0)
		return;
	for (i = 0; i < nr; i++)
		stamp(w->buf + i * BLOCK, ino, block + i, rnd(w, ~0ULL));
	sfs_ilock_excl(fs, &il, ino, 0, 0, 0);
	n = CALL(sfs_file_write(fs, ino, block * BLOCK, w->buf, nr * BLOCK));
	sfs_iunlock(fs, &il);
	if (n > 0 && n > nr * BLOCK)
		broken("bytes written", ino, n);
	if (n > 0 && !rnd(w, 16))
		CALL(sfs_fsync(fs, ino, 0));
	sfs_inode_close(fs, ino);
}

static void op_read(struct worker *w)
{
	__u64 ino = pick_ino(w), block = rnd(w, w->max_blocks);
	struct sfs_ilock il;
	__s64 n, i;

	if (!ino || CALL(sfs_inode_open(fs, ino, NULL)) < 0)
		return;
	sfs_ilock_shared(fs, &il, ino);
	n = CALL(sfs_file_read(fs, ino, block * BLOCK, w->buf,
			       sizeof(w->buf)));
	sfs_iunlock(fs, &il);
	for (i = 0; i + BLOCK <= n; i += BLOCK)
		check_stamp(w->buf + i, ino, block + i / BLOCK);
	sfs_touch_atime(fs, ino);
	sfs_inode_close(fs, ino);
}

static void op_setattr(struct worker *w)
{
	struct sfs_setattr set = { .mask = SFS_SET_MODE, .mode = 0640 };
	__u64 ino = pick_ino(w);
	struct sfs_attr attr;
	struct sfs_ilock il;

	if (!ino || CALL(sfs_inode_open(fs, ino, NULL)) < 0)
		return;
	if (rnd(w, 2)) {
		set.mask = SFS_SET_SIZE | SFS_SET_MTIME_NOW;
		set.size = rnd(w, w->max_blocks) * BLOCK;
	}
	sfs_ilock_excl(fs, &il, ino, 0, 0, 0);
	CALL(sfs_setattr(fs, &root, ino, &set, &attr));
	sfs_iunlock(fs, &il);
	sfs_inode_close(fs, ino);
}

static void op_getattr(struct worker *w)
{
	__u64 ino = pick_ino(w);
	struct sfs_extent ext;
	struct sfs_attr attr;
	struct sfs_ilock il;

	if (!ino)
		return;
	CALL(sfs_getattr(fs, ino, &attr));
	sfs_ilock_shared(fs, &il, ino);
	CALL(sfs_stat_more(fs, ino, &attr));
	CALL(sfs_map_read(fs, ino, rnd(w, w->max_blocks), &ext));
	sfs_iunlock(fs, &il);
	CALL(sfs_readlink(fs, ino, (char *)w->buf, 4096));
}

/* ---- the rest ------------------------------------------------------------- */

static void op_xattr(struct worker *w)
{
	__u64 ino = pick_ino(w);
	struct sfs_ilock il;
	char name[16];
	__u32 len = rnd(w, 40) ? rnd(w, 300) : rnd(w, sizeof(w->buf));

	if (!ino)
		return;
	sprintf(name, "user.x%llu", rnd(w, 4));
	switch (rnd(w, 4)) {
	case 0:
		CALL(sfs_getxattr(fs, &root, ino, name, w->buf,
				  sizeof(w->buf)));
		return;
	case 1:
		CALL(sfs_listxattr(fs, &root, ino, (char *)w->buf,
				   sizeof(w->buf)));
		return;
	}
	sfs_ilock_excl(fs, &il, ino, 0, 0, 0);
	if (rnd(w, 3))
		CALL(sfs_setxattr(fs, &root, ino, name, w->buf, len, 0));
	else
		CALL(sfs_removexattr(fs, &root, ino, name));
	sfs_iunlock(fs, &il);
}

static void op_walk(struct worker *w)
{
	struct sfs_walk_entry first = { 0 }, ents[64];
	struct sfs_walk_entry last = { .major = ~0ULL, .ino = ~0ULL,
				       .minor = ~0U };
	int index = rnd(w, 2) ? SFS_WALK_META_SEQ : SFS_WALK_DATA_SEQ;
	int n, i, rounds;

	for (rounds = 0; rounds < 8; rounds++) {
		n = CALL(sfs_walk_inodes(fs, index, &first, &last, ents, 64));
		if (n <= 0)
			return;
		for (i = 1; i < n; i++) {
			if (ents[i].major < ents[i - 1].major)
				broken("walk goes back", ents[i].ino,
				       ents[i].major);
		}
		first = ents[n - 1];
		first.ino++;
	}
}

static void op_path(struct worker *w)
{
	__u64 ino = pick_ino(w), next_dir, next_pos;

	if (ino)
		CALL(sfs_ino_path(fs, ino, 0, 0, (char *)w->buf, 1024,
				  &next_dir, &next_pos));
}

static void op_volume(struct worker *w)
{
	struct sfs_alloc_detail detail[64];
	struct sfs_statfs st;

	switch (rnd(w, 3)) {
	case 0:
		CALL(sfs_statfs(fs, &st));
		break;
	case 1:
		CALL(sfs_alloc_detail(fs, detail, 64));
		break;
	default:
		CALL(sfs_sync(fs));
	}
}

static const struct {
	void (*fn)(struct worker *w);
	unsigned int weight;
} ops[] = {
	{ op_create, 16 }, { op_remove, 12 }, { op_rename, 10 },
	{ op_link, 4 }, { op_write, 16 }, { op_read, 12 },
	{ op_setattr, 6 }, { op_getattr, 10 }, { op_xattr, 10 },
	{ op_readdir, 6 }, { op_walk, 2 }, { op_path, 3 }, { op_volume, 2 },
};
#define NR_OPS (sizeof(ops) / sizeof(ops[0]))

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	unsigned int total = 0, i, at;

	for (i = 0; i < NR_OPS; i++)
		total += ops[i].weight;
	while (!atomic_load(&stop)) {
		at = rnd(w, total);
		for (i = 0; at >= ops[i].weight; i++)
			at -= ops[i].weight;
		ops[i].fn(w);
	}
	return NULL;
}

/* ---- rounds ---------------------------------------------------------------- */

static void report(void *arg, const char *line)
{
	diag("check: %s", line);
}

/* -1 when it could not run, else the findings. */
static int check_volume(void)
{
	struct sfs_check_ops check_ops = { .report = report };
	struct sfs_check_result result = { 0 };

	if (sfs_host_open(meta, data, 0, &host) < 0)
		return -1;
	if (sfs_check(host, &check_ops, &result) < 0)
		result.errors = -1;
	sfs_host_close(host);
	return (int)result.errors;
}

static int format(void)
{
	struct sfs_format_opts opts = { .interface_version = 2 };
	struct sfs_volume_id id;
	int ret;

	ret = sfs_host_open(meta, data, SFS_HOST_FORMAT, &host);
	if (ret < 0)
		return ret;
	ret = sfs_format(host, &opts, &id);
	sfs_host_close(host);
	return ret;
}

static int mount_volume(void)
{
	struct sfs_mount_opts opts;
	int ret;

	sfs_mount_opts_default(&opts);
	opts.commit_interval_ms = 100;
	opts.orphan_scan_delay_ms = 100;
	ret = sfs_host_open(meta, data, 0, &host);
	if (ret < 0)
		return ret;
	ret = sfs_hub_create(host, &hub);
	if (ret < 0)
		goto err_close;
	ret = sfs_server_start(host, hub, &srv);
	if (ret < 0)
		goto err_hub;
	ret = sfs_mount(host, hub, &opts, &fs);
	if (ret < 0)
		goto err_stop;
	return 0;
err_stop:
	sfs_server_stop(srv);
err_hub:
	sfs_hub_destroy(hub);
err_close:
	sfs_host_close(host);
	return ret;
}

static int unmount_volume(void)
{
	int ret = sfs_unmount(fs);

	sfs_server_stop(srv);
	sfs_hub_destroy(hub);
	sfs_host_close(host);
	return ret;
}

static int make_dirs(void)
{
	struct sfs_attr attr;
	struct sfs_ilock il;
	char name[16];
	int ret = 0, i;

	for (i = 0; i < NR_DIRS && ret == 0; i++) {
		sfs_ilock_excl(fs, &il, ROOT, 0, 0, 0);
		ret = sfs_create(fs, &root, ROOT, name, sprintf(name, "d%d", i),
				 S_IFDIR | 0755, 0, &attr);
		sfs_iunlock(fs, &il);
		dirs[i] = attr.ino;
	}
	return ret;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/* @middle, if there is one, is called in the middle of the time. */
static void run_threads(unsigned int ms, unsigned int max_blocks,
			void (*middle)(void))
{
	const char *seed = getenv("SHIM_SEED");
	static struct worker workers[NR_THREADS];
	static __u64 round;
	int i;

	round++;
	atomic_store(&stop, false);
	for (i = 0; i < NR_THREADS; i++) {
		workers[i].max_blocks = max_blocks;
		workers[i].rand = ((seed ? strtoull(seed, NULL, 0) : 1) + 1) *
				  0x9e3779b97f4a7c15ULL ^ (round << 32 | (i + 1));
		if (pthread_create(&workers[i].thread, NULL, worker_main,
				   &workers[i]))
			bail_out("pthread_create");
	}
	sleep_ms(ms / 2);
	if (middle)
		middle();
	sleep_ms(ms / 2);
	atomic_store(&stop, true);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Every name goes, whatever else is in the way; the directories stay. */
static void remove_all(void)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct sfs_dirent *de;
	int n, i, d, removed, pass = 0;

	do {
		removed = 0;
		for (d = 0; d < NR_DIRS; d++) {
			n = sfs_readdir(fs, &root, dirs[d], 2, buf,
					sizeof(buf));
			for (i = 0; i < n; i += de->rec_len) {
				de = (const void *)(buf + i);
				if (remove_name(dirs[d], de->name,
						de->name_len) == 0)
					removed++;
			}
		}
	} while (removed && ++pass < 1000);
}

static void one_round(const char *what, unsigned int seconds,
		      unsigned int max_blocks, bool clean)
{
	if (!is_int(mount_volume(), 0, "%s: mount", what))
		bail_out("nothing to work with");
	if (!dirs[0] && !is_int(make_dirs(), 0, "%s: directories", what))
		bail_out("nothing to work in");
	run_threads(seconds * 1000, max_blocks, NULL);
	is_int(atomic_load(&bad), 0, "%s: %lu calls, no unexpected answer",
	       what, atomic_load(&calls));
	if (clean)
		remove_all();
	is_int(unmount_volume(), 0, "%s: unmount", what);
	is_int(check_volume(), 0, "%s: nothing to find", what);
}

/* Whatever a mount begins has an end, also if that comes at once. */
static void short_lives(void)
{
	int good = 0, i;

	for (i = 0; i < NR_LIVES && mount_volume() == 0; i++) {
		run_threads(i * 10, NR_BLOCKS, NULL);
		good += unmount_volume() == 0;
	}
	is_int(good, NR_LIVES, "short lives");
	is_int(atomic_load(&bad), 0, "short lives: no unexpected answer");
	is_int(check_volume(), 0, "short lives: nothing to find");
}

static int good_fd;

/* From now on the metadata device can not be written to. */
static void break_device(void)
{
	int fd = open(meta, O_RDONLY | O_CLOEXEC);

	good_fd = dup(host->dev[SFS_DEV_META].fd);
	if (fd < 0 || good_fd < 0 ||
	    dup2(fd, host->dev[SFS_DEV_META].fd) < 0)
		bail_out("cannot break the device");
	close(fd);
	atomic_store(&broken_device, true);
}

/* A mount that fails under its users ends in order; the volume is as synced. */
static void failing_device(void)
{
	int ret;

	if (!is_int(mount_volume(), 0, "failing device: mount"))
		return;
	run_threads(1000, NR_BLOCKS, break_device);
	is_int(atomic_load(&bad), 0, "failing device: no unexpected answer");
	ret = sfs_unmount(fs);
	ok(ret < 0, "failing device: unmount says so (%d)", ret);
	sfs_server_stop(srv);
	sfs_hub_destroy(hub);
	dup2(good_fd, host->dev[SFS_DEV_META].fd);
	close(good_fd);
	atomic_store(&broken_device, false);
	sfs_host_close(host);
	is_int(check_volume(), 0, "failing device: nothing to find");
}

static void image(char *path, size_t size, const char *dir, const char *name)
{
	FILE *f;

	snprintf(path, size, "%s/core_threads.%s.%d", dir, name, getpid());
	f = fopen(path, "w");
	if (!f || ftruncate(fileno(f), SFS_MIN_DEV_BYTES) < 0)
		bail_out("%s: %s", path, strerror(errno));
	fclose(f);
}

static void remove_images(void)
{
	unlink(meta);
	unlink(data);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 1;
	const char *dir = getenv("SCRATCH");

	if (!dir)
		dir = getenv("TMPDIR");
	if (!dir)
		dir = "/tmp";
	alarm(HANG_S + 6 * seconds);
	plan(0);
	image(meta, sizeof(meta), dir, "meta");
	image(data, sizeof(data), dir, "data");
	atexit(remove_images);
	sfs_host_log_init("core_threads", SFS_LOG_STDERR, false);
	if (!is_int(format(), 0, "format"))
		bail_out("no volume");
	one_round("small files", seconds, NR_BLOCKS, false);
	/* all that there are can not fit */
	one_round("out of space", seconds, 4096, false);
	short_lives();
	failing_device();
	one_round("again", seconds, NR_BLOCKS, true);
	return done_testing();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bench/vm measures: operations on a mounted filesystem, in one process
 * that does nothing else.
 *
 *	work [-s SCALE] TYPE SOURCE OPTIONS DIR GROUP
 *
 * Mounts SOURCE, which was just formatted, on DIR, does the operations of a
 * group and unmounts.  Every measurement is a line of JSON on stdout: how many
 * operations, their time, the time in which a processor was not idle, the same
 * for the syncfs(2) behind operations that write, and what the block devices
 * did in all of it.  Not idle is what any task did, so work that a filesystem
 * leaves to its threads is in it if it was done before the end of the syncfs.
 *
 * On a machine that counts instructions (QEMU -icount shift=0, one processor)
 * one nanosecond that is not idle is one instruction, in the kernel and here.
 *
 * "Cold" is after unmounting, dropping the caches and mounting again, "hot" is
 * right after the same was done once.  A group relies on nothing but an empty
 * filesystem.  Any error ends the program.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "scoutfs/ioctl.h"

#define NR_FILES	50000
#define NR_XATTR_FILES	20000
#define NR_SMALL_FILES	20000
#define NR_FSYNCS	300
#define NR_FIND_FILES	120000
#define NR_CHANGES	10
#define SEQ_BYTES	(1ULL << 30)

#define MAX_DIRS	120
#define SMALL_BYTES	4096
#define IO_BYTES	(1 << 20)
#define MAX_DISKS	4

struct sample {
	int64_t wall_ns;
	int64_t idle_ns;	/* of all processors together */
};

struct disk_io {
	uint64_t reads;
	uint64_t read_bytes;
	uint64_t writes;
	uint64_t write_bytes;
	uint64_t flushes;
};

struct meter {
	struct disk_io io;
	struct sample begin;
	struct sample done;	/* the operations */
	struct sample synced;	/* and syncfs; equal to done if there was none */
};

static struct {
	const char *type, *source, *options, *dir;
	unsigned int scale;
	int timer_list;
	long nr_cpus;
	int root;		/* of the mount */
	int dirs[MAX_DIRS];
	unsigned int nr_dirs;
	char *buf;		/* IO_BYTES */
} b = { .scale = 1, .root = -1 };

/* ---- measuring ---------------------------------------------------------- */

static uint64_t sum_of(const char *text, const char *name)
{
	uint64_t sum = 0;

	for (text = strstr(text, name); text; text = strstr(text, name)) {
		text += strlen(name);
		sum += strtoull(text + strspn(text, " :"), NULL, 10);
	}
	return sum;
}

/*
 * Nanoseconds, where /proc/stat has hundredths of seconds.  Reading it does not
 * sleep, so nothing is lost between this and the clock.
 */
static int64_t idle_ns(void)
{
	static char text[1 << 20];
	size_t len = 0;
	ssize_t got;

	while (len < sizeof(text) - 1) {
		got = pread(b.timer_list, text + len, sizeof(text) - 1 - len, len);
		if (got < 0)
			err(1, "/proc/timer_list");
		if (got == 0)
			break;
		len += got;
	}
	text[len] = '\0';
	if (!strstr(text, "idle_sleeptime"))
		errx(1, "this kernel does not account idle time (NO_HZ_COMMON)");
	return sum_of(text, ".idle_sleeptime") + sum_of(text, ".iowait_sleeptime");
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void add_io(struct disk_io *io, int sign)
{
	uint64_t f[16];
	char path[64];
	FILE *file;
	int i, n;

	for (n = 0; n < MAX_DISKS; n++) {
		snprintf(path, sizeof(path), "/sys/block/vd%c/stat", 'a' + n);
		file = fopen(path, "re");
		if (!file)
			continue;
		for (i = 0; i < 16; i++) {
			if (fscanf(file, "%" SCNu64, &f[i]) != 1)
				errx(1, "%s has %d numbers", path, i);
		}
		fclose(file);
		io->reads += sign * f[0];
		io->read_bytes += sign * f[2] * 512;
		io->writes += sign * f[4];
		io->write_bytes += sign * f[6] * 512;
		io->flushes += sign * f[15];
	}
}

static void begin(struct meter *m)
{
	memset(m, 0, sizeof(*m));
	add_io(&m->io, -1);
	m->begin.idle_ns = idle_ns();
	m->begin.wall_ns = now_ns();
}

static void take(struct sample *s)
{
	s->wall_ns = now_ns();
	s->idle_ns = idle_ns();
}

static int64_t busy_ns(const struct sample *from, const struct sample *to)
{
	return (to->wall_ns - from->wall_ns) * b.nr_cpus -
	       (to->idle_ns - from->idle_ns);
}

static void report(struct meter *m, const char *name, const char *suffix,
		   unsigned int ops)
{
	add_io(&m->io, 1);
	printf("{\"case\": \"%s%s\", \"ops\": %u, \"ns\": %" PRId64
	       ", \"at_ns\": %" PRId64 ", \"cpu_ns\": %" PRId64 ", \"sync_ns\": %" PRId64
	       ", \"sync_cpu_ns\": %" PRId64 ", \"reads\": %" PRIu64
	       ", \"read_bytes\": %" PRIu64 ", \"writes\": %" PRIu64
	       ", \"write_bytes\": %" PRIu64 ", \"flushes\": %" PRIu64 "}\n",
	       name, suffix, ops, m->done.wall_ns - m->begin.wall_ns,
	       m->begin.wall_ns, busy_ns(&m->begin, &m->done), m->synced.wall_ns - m->done.wall_ns,
	       m->synced.wall_ns == m->done.wall_ns ? 0 :
	       busy_ns(&m->done, &m->synced), m->io.reads, m->io.read_bytes,
	       m->io.writes, m->io.write_bytes, m->io.flushes);
	fflush(stdout);
}

/* Ends a measurement of operations that only read. */
static void end(struct meter *m, const char *name, const char *suffix,
		unsigned int ops)
{
	take(&m->done);
	m->synced = m->done;
	report(m, name, suffix, ops);
}

/* Ends one of operations that write. */
static void end_sync(struct meter *m, const char *name, const char *suffix,
		     unsigned int ops)
{
	take(&m->done);
	if (syncfs(b.root))
		err(1, "syncfs %s", b.dir);
	take(&m->synced);
	report(m, name, suffix, ops);
}

/* ---- mounting ----------------------------------------------------------- */

static int open_at(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

static void close_fd(int fd)
{
	if (close(fd))
		err(1, "close");
}

static void open_dirs(void)
{
	char name[16];
	unsigned int i;

	b.root = open_at(AT_FDCWD, b.dir, O_RDONLY | O_DIRECTORY);
	for (i = 0; i < b.nr_dirs; i++) {
		snprintf(name, sizeof(name), "d%03u", i);
		b.dirs[i] = open_at(b.root, name, O_RDONLY | O_DIRECTORY);
	}
}

static void mount_it(void)
{
	if (mount(b.source, b.dir, b.type, 0, b.options))
		err(1, "mount -t %s -o '%s' %s %s", b.type, b.options, b.source, b.dir);
	open_dirs();
}

static void unmount_it(void)
{
	unsigned int i;

	for (i = 0; i < b.nr_dirs; i++)
		close_fd(b.dirs[i]);
	close_fd(b.root);
	if (umount(b.dir))
		err(1, "umount %s", b.dir);
}

static void go_cold(void)
{
	int fd;

	unmount_it();
	sync();
	fd = open_at(AT_FDCWD, "/proc/sys/vm/drop_caches", O_WRONLY);
	if (write(fd, "3", 1) != 1)
		err(1, "drop_caches");
	close_fd(fd);
	mount_it();
}

static void make_dirs(unsigned int nr)
{
	char name[16];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "d%03u", i);
		if (mkdirat(b.root, name, 0755))
			err(1, "mkdir %s", name);
	}
	close_fd(b.root);
	b.nr_dirs = nr;
	open_dirs();
}

static unsigned int scaled(unsigned int nr)
{
	nr /= b.scale;
	return nr ? nr : 1;
}

/* ---- operations on many files ------------------------------------------- */

/* Files are spread over the directories in runs: 0..999 in the first, ... */
struct set {
	unsigned int nr;
	unsigned int per_dir;
};

static struct set set_of(unsigned int nr)
{
	struct set s = { .nr = scaled(nr) };

	s.per_dir = (s.nr + b.nr_dirs - 1) / b.nr_dirs;
	return s;
}

struct file_name {
	int dir;
	char text[16];
};

static void name_of(const struct set *s, unsigned int i, char letter,
		    struct file_name *n)
{
	n->dir = b.dirs[i / s->per_dir];
	snprintf(n->text, sizeof(n->text), "%c%08u", letter, i);
}

static void create_files(const struct set *s)
{
	struct file_name n;
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		name_of(s, i, 'f', &n);
		close_fd(open_at(n.dir, n.text, O_WRONLY | O_CREAT | O_EXCL));
	}
}

static void stat_files(const struct set *s)
{
	struct file_name n;
	struct stat st;
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		name_of(s, i, 'f', &n);
		if (fstatat(n.dir, n.text, &st, AT_SYMLINK_NOFOLLOW))
			err(1, "stat %s", n.text);
	}
}

/* Within their directory, or to the one after it. */
static void rename_files(const struct set *s, bool other_dir)
{
	struct file_name from, to;
	unsigned int i, dir;

	for (i = 0; i < s->nr; i++) {
		name_of(s, i, 'f', &from);
		name_of(s, i, 'r', &to);
		if (other_dir) {
			dir = i / s->per_dir + 1;
			to.dir = b.dirs[dir < b.nr_dirs ? dir : 0];
		}
		if (renameat(from.dir, from.text, to.dir, to.text))
			err(1, "rename %s", from.text);
	}
}

static void unlink_files(const struct set *s, char letter, unsigned int dir_shift)
{
	struct file_name n;
	unsigned int i, dir;

	for (i = 0; i < s->nr; i++) {
		name_of(s, i, letter, &n);
		dir = i / s->per_dir + dir_shift;
		if (unlinkat(b.dirs[dir < b.nr_dirs ? dir : 0], n.text, 0))
			err(1, "unlink %s", n.text);
	}
}

/* Calls @each, if there is one, with every entry but "." and "..". */
static unsigned int read_dirs(void (*each)(int dir, const char *name, void *arg),
			      void *arg)
{
	static char buf[32768] __attribute__((aligned(8)));
	unsigned int count = 0, i;
	struct dirent64 *de;
	long got, at;

	for (i = 0; i < b.nr_dirs; i++) {
		if (lseek(b.dirs[i], 0, SEEK_SET))
			err(1, "lseek of a directory");
		while ((got = syscall(SYS_getdents64, b.dirs[i], buf, sizeof(buf))) > 0) {
			for (at = 0; at < got; at += de->d_reclen) {
				de = (void *)(buf + at);
				if (de->d_name[0] == '.')
					continue;
				count++;
				if (each)
					each(b.dirs[i], de->d_name, arg);
			}
		}
		if (got < 0)
			err(1, "getdents64");
	}
	return count;
}

static void readdir_files(const struct set *s)
{
	unsigned int count = read_dirs(NULL, NULL);

	if (count != s->nr)
		errx(1, "readdir has found %u files instead of %u", count, s->nr);
}

/* ---- groups ------------------------------------------------------------- */

static void names_group(const char *suffix, unsigned int nr_dirs)
{
	bool other_dir = nr_dirs > 1;
	struct meter m;
	struct set s;

	make_dirs(nr_dirs);
	s = set_of(NR_FILES);

	begin(&m);
	create_files(&s);
	end_sync(&m, "create", suffix, s.nr);

	go_cold();
	begin(&m);
	readdir_files(&s);
	end(&m, "readdir cold", suffix, s.nr);
	begin(&m);
	readdir_files(&s);
	end(&m, "readdir hot", suffix, s.nr);

	go_cold();
	begin(&m);
	stat_files(&s);
	end(&m, "stat cold", suffix, s.nr);
	begin(&m);
	stat_files(&s);
	end(&m, "stat hot", suffix, s.nr);

	begin(&m);
	rename_files(&s, other_dir);
	end_sync(&m, "rename", suffix, s.nr);

	begin(&m);
	unlink_files(&s, 'r', other_dir);
	end_sync(&m, "unlink hot", suffix, s.nr);

	create_files(&s);
	go_cold();
	begin(&m);
	unlink_files(&s, 'f', 0);
	end_sync(&m, "unlink cold", suffix, s.nr);
}

static void one_group(void)
{
	names_group(", 1 directory", 1);
}

static void fifty_group(void)
{
	names_group(", 50 directories", 50);
}

static void xattr_group(void)
{
	static const char value[32] = "thirty-one letters as the value";
	struct file_name n;
	struct meter m;
	char path[32];
	unsigned int i;
	struct set s;

	make_dirs(1);
	s = set_of(NR_XATTR_FILES);
	create_files(&s);
	if (syncfs(b.root) || fchdir(b.dirs[0]))
		err(1, "%s", b.dir);

	begin(&m);
	for (i = 0; i < s.nr; i++) {
		name_of(&s, i, 'f', &n);
		snprintf(path, sizeof(path), "%s", n.text);
		if (lsetxattr(path, "user.bench", value, sizeof(value), 0))
			err(1, "setxattr %s", path);
	}
	end_sync(&m, "setxattr", "", s.nr);
	if (chdir("/"))
		err(1, "/");
}

/* A new file with 4 KiB, for each. */
static void write_small(int dir, const char *name, bool sync)
{
	int fd = open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL);

	if (write(fd, b.buf, SMALL_BYTES) != SMALL_BYTES)
		err(1, "write %s", name);
	if (sync && fsync(fd))
		err(1, "fsync %s", name);
	close_fd(fd);
}

static void small_group(void)
{
	struct file_name n;
	struct meter m;
	unsigned int i;
	struct set s;
	int fd;

	make_dirs(1);
	s = set_of(NR_SMALL_FILES);
	begin(&m);
	for (i = 0; i < s.nr; i++) {
		name_of(&s, i, 'f', &n);
		write_small(n.dir, n.text, false);
	}
	end_sync(&m, "create and write 4 KiB", "", s.nr);

	go_cold();
	begin(&m);
	for (i = 0; i < s.nr; i++) {
		name_of(&s, i, 'f', &n);
		fd = open_at(n.dir, n.text, O_RDONLY);
		if (read(fd, b.buf, IO_BYTES) != SMALL_BYTES)
			err(1, "read %s", n.text);
		close_fd(fd);
	}
	end(&m, "open and read 4 KiB cold", "", s.nr);
}

static void fsync_group(void)
{
	struct meter m;
	char name[16];
	unsigned int i;

	make_dirs(1);
	begin(&m);
	for (i = 0; i < NR_FSYNCS; i++) {
		snprintf(name, sizeof(name), "f%08u", i);
		write_small(b.dirs[0], name, true);
	}
	end(&m, "create, write 4 KiB, fsync", "", NR_FSYNCS);
}

static void seq_pass(const char *name, bool writes)
{
	unsigned int i, nr = SEQ_BYTES / IO_BYTES / b.scale;
	struct meter m;
	ssize_t done;
	int fd;

	begin(&m);
	fd = open_at(b.root, "big", writes ? O_WRONLY | O_CREAT : O_RDONLY);
	for (i = 0; i < nr; i++) {
		done = writes ? write(fd, b.buf, IO_BYTES) : read(fd, b.buf, IO_BYTES);
		if (done != IO_BYTES)
			err(1, "%s: %zd bytes done", name, done);
	}
	close_fd(fd);
	if (writes)
		end_sync(&m, name, "", nr);
	else
		end(&m, name, "", nr);
}

static void seq_group(void)
{
	seq_pass("sequential write, a MiB", true);
	go_cold();
	seq_pass("sequential read cold, a MiB", false);
	seq_pass("sequential overwrite, a MiB", true);
}

/* ---- what has changed --------------------------------------------------- */

struct newer {
	struct timespec than;
	unsigned int found;
};

static void is_newer(int dir, const char *name, void *arg)
{
	struct newer *newer = arg;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		err(1, "stat %s", name);
	newer->found += st.st_mtim.tv_sec > newer->than.tv_sec ||
			(st.st_mtim.tv_sec == newer->than.tv_sec &&
			 st.st_mtim.tv_nsec > newer->than.tv_nsec);
}

static void check_found(const char *what, unsigned int found)
{
	if (found != NR_CHANGES)
		errx(1, "%s has found %u changes instead of %u", what, found,
		     NR_CHANGES);
}

/* As find -newer does: every name, and the times of every file. */
static void find_newer(const char *name, const struct timespec *than)
{
	struct newer newer = { .than = *than };
	struct meter m;

	begin(&m);
	read_dirs(is_newer, &newer);
	end(&m, name, "", 1);
	check_found(name, newer.found);
}

/* The index, and a path for each inode it names. */
static void walk_newer(const char *name, uint64_t seq)
{
	struct scoutfs_ioctl_walk_inodes_entry ent[NR_CHANGES * 2];
	struct scoutfs_ioctl_walk_inodes walk = {
		.first = { .major = seq },
		.last = { .major = UINT64_MAX, .ino = UINT64_MAX, .minor = UINT32_MAX },
		.entries_ptr = (uintptr_t)ent,
		.nr_entries = NR_CHANGES * 2,
		.index = SCOUTFS_IOC_WALK_INODES_DATA_SEQ,
	};
	struct scoutfs_ioctl_ino_path path = {
		.result_ptr = (uintptr_t)b.buf,
		.result_bytes = 4096,
	};
	struct meter m;
	int i, nr;

	begin(&m);
	nr = ioctl(b.root, SCOUTFS_IOC_WALK_INODES, &walk);
	if (nr < 0)
		err(1, "walk-inodes");
	for (i = 0; i < nr; i++) {
		path.ino = ent[i].ino;
		if (ioctl(b.root, SCOUTFS_IOC_INO_PATH, &path))
			err(1, "ino-path");
	}
	end(&m, name, "", 1);
	check_found(name, nr);
}

static void change_some(const struct set *s)
{
	struct file_name n;
	unsigned int i;
	int fd;

	for (i = 0; i < NR_CHANGES; i++) {
		name_of(s, (uint64_t)s->nr * i / NR_CHANGES, 'f', &n);
		fd = open_at(n.dir, n.text, O_WRONLY);
		if (write(fd, "x", 1) != 1)
			err(1, "write %s", n.text);
		close_fd(fd);
	}
}

static void find_group(void)
{
	bool walks = !strcmp(b.type, "scoutfs");
	const struct timespec tick = { .tv_nsec = 20000000 };
	struct scoutfs_ioctl_statfs_more more = {};
	struct timespec than;
	struct set s;

	make_dirs(MAX_DIRS);
	s = set_of(NR_FIND_FILES);
	create_files(&s);
	if (syncfs(b.root))
		err(1, "syncfs %s", b.dir);
	if (walks && ioctl(b.root, SCOUTFS_IOC_STATFS_MORE, &more))
		err(1, "statfs-more");

	clock_gettime(CLOCK_REALTIME_COARSE, &than);
	nanosleep(&tick, NULL);
	change_some(&s);

	go_cold();
	if (walks) {
		walk_newer("10 changes by walk-inodes cold", more.committed_seq + 1);
		walk_newer("10 changes by walk-inodes hot", more.committed_seq + 1);
		go_cold();
	}
	find_newer("10 changes by find cold", &than);
	find_newer("10 changes by find hot", &than);
}

static const struct {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "one", one_group },
	{ "fifty", fifty_group },
	{ "xattr", xattr_group },
	{ "small", small_group },
	{ "fsync", fsync_group },
	{ "seq", seq_group },
	{ "find", find_group },
};

static void usage(void)
{
	errx(2, "work [-s SCALE] TYPE SOURCE OPTIONS DIR GROUP");
}

int main(int argc, char **argv)
{
	struct meter m;
	unsigned int i;

	if (argc > 2 && !strcmp(argv[1], "-s")) {
		b.scale = atoi(argv[2]);
		argv += 2;
		argc -= 2;
	}
	if (argc != 6 || b.scale == 0 || b.scale > 1024)
		usage();
	b.type = argv[1];
	b.source = argv[2];
	b.options = argv[3];
	b.dir = argv[4];
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (!strcmp(groups[i].name, argv[5]))
			break;
	}
	if (i == sizeof(groups) / sizeof(groups[0]))
		errx(2, "there is no group '%s'", argv[5]);

	b.nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	b.timer_list = open_at(AT_FDCWD, "/proc/timer_list", O_RDONLY);
	b.buf = malloc(IO_BYTES);
	if (!b.buf)
		errx(1, "no memory");
	memset(b.buf, 'x', IO_BYTES);
	/* Programs come through virtiofs; no fault is measured. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		err(1, "mlockall");
	begin(&m);
	take(&m.done);

	mount_it();
	groups[i].run();
	unmount_it();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bench/several measures on directories of one volume, each on a mount:
 *
 *	mounts create SECONDS DIR...	a process for each DIR, which may be the
 *					same directory on several mounts, makes
 *					empty files: how many a second, each
 *	mounts handover SECONDS A B	one directory on two mounts: a file's mode
 *					is changed by one and the other in turn,
 *					so its lock is handed over dirty each time
 *	mounts share SECONDS A B	the same, but every second time it is only
 *					looked at
 *	mounts warm SECONDS DIR...	like create, but looks at one file
 *
 * One line on stdout: numbers per second, one for each process.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_DIRS 16

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void create_one(int dir, unsigned int who, unsigned long nr)
{
	char name[64];
	int fd;

	sprintf(name, "file %u %lu", who, nr);
	fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd < 0)
		err(1, "%s", name);
	close(fd);
}

static void look(int dir, unsigned int who, unsigned long nr)
{
	struct stat st;

	if (fstatat(dir, "looked at", &st, 0) < 0)
		err(1, "looked at");
}

/* A process for each, from one moment on; what each did in a second. */
static void parallel(char **dirs, unsigned int nr_dirs, double seconds,
		     void (*one)(int dir, unsigned int who, unsigned long nr))
{
	double *rate = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double begin = now() + 0.2, took;
	unsigned long nr = 0;
	unsigned int i;
	int dir, status;

	if (rate == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < nr_dirs; i++) {
		if (fork())
			continue;
		dir = open_dir(dirs[i]);
		while (now() < begin)
			usleep(1000);
		do {
			one(dir, i, nr++);
			took = now() - begin;
		} while (took < seconds);
		rate[i] = nr / took;
		_exit(0);
	}
	for (i = 0; i < nr_dirs; i++)
		if (wait(&status) < 0 || status)
			errx(1, "a process has failed");
	for (i = 0; i < nr_dirs; i++)
		printf("%s%.0f", i ? " " : "", rate[i]);
	printf("\n");
}

static void in_turn(char **dirs, double seconds, int look_only)
{
	double begin = now(), took;
	unsigned long nr = 0;
	int dir[2], i, fd;
	struct stat st;

	for (i = 0; i < 2; i++)
		dir[i] = open_dir(dirs[i]);
	fd = openat(dir[0], "handed over", O_CREAT | O_WRONLY, 0644);
	if (fd < 0)
		err(1, "handed over");
	close(fd);
	do {
		i = nr & 1;
		if (i && look_only) {
			if (fstatat(dir[i], "handed over", &st, 0) < 0)
				err(1, "stat");
			if ((st.st_mode & 0777) != ((nr - 1) & 0777))
				errx(1, "mode is %o and not %o",
				     st.st_mode & 0777,
				     (unsigned int)(nr - 1) & 0777);
		} else if (fchmodat(dir[i], "handed over", nr & 0777, 0) < 0) {
			err(1, "chmod");
		}
		nr++;
		took = now() - begin;
	} while (took < seconds);
	printf("%.0f\n", nr / took);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 0;
	int nr = argc - 3, fd;

	if (seconds <= 0 || nr < 1 || nr > MAX_DIRS)
		errx(2, "usage: mounts create|warm|handover|share SECONDS DIR...");
	if (!strcmp(argv[1], "create")) {
		parallel(argv + 3, nr, seconds, create_one);
	} else if (!strcmp(argv[1], "warm")) {
		fd = openat(open_dir(argv[3]), "looked at", O_CREAT | O_WRONLY,
			    0644);
		if (fd < 0)
			err(1, "looked at");
		close(fd);
		parallel(argv + 3, nr, seconds, look);
	} else if (nr == 2) {
		in_turn(argv + 3, seconds, !strcmp(argv[1], "share"));
	} else {
		errx(2, "%s wants two directories", argv[1]);
	}
	return 0;
}

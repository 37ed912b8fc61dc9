/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may own a volume (host/owner.c): other owners are played by a child
 * process, or by editing the owner block as another machine would write it.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "tap.h"

#define SIZE (64ULL << 20)
#define OWNER_AT (128 * 1024)

/* Places in the block, as the disk has them. */
enum {
	AT_CRC = 8,
	AT_STATE = 12,
	AT_COUNTER = 40,
	AT_BOOT_ID = 72,
	AT_HOST = 112,
};

static char meta[256];

static __u32 crc32c(const unsigned char *p, size_t len)
{
	__u32 crc = ~0U;
	int bit;

	while (len--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void read_raw(unsigned char *block)
{
	int fd = open(meta, O_RDONLY);

	if (fd < 0 || pread(fd, block, SFS_BLOCK, OWNER_AT) != SFS_BLOCK)
		exit(1);
	close(fd);
}

static void write_raw(unsigned char *block)
{
	int fd = open(meta, O_WRONLY);
	__u32 crc = 0;

	memcpy(block + AT_CRC, &crc, 4);
	crc = htole32(crc32c(block, SFS_BLOCK));
	memcpy(block + AT_CRC, &crc, 4);
	if (fd < 0 || pwrite(fd, block, SFS_BLOCK, OWNER_AT) != SFS_BLOCK ||
	    fsync(fd) < 0)
		exit(1);
	close(fd);
}

static struct sfs_host *open_host(unsigned int flags)
{
	struct sfs_host *host;

	if (sfs_host_open(meta, NULL, flags | SFS_HOST_FORMAT, &host) < 0)
		return NULL;
	return host;
}

/* Claims and gives back; the result of the claim and how long it took. */
static int claim_once(unsigned int flags, double *ret_seconds)
{
	struct sfs_host *host = open_host(flags);
	struct timespec a, b;
	int ret;

	if (!host)
		return -EBUSY;
	clock_gettime(CLOCK_MONOTONIC, &a);
	ret = sfs_owner_claim(host);
	clock_gettime(CLOCK_MONOTONIC, &b);
	*ret_seconds = b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9;
	sfs_owner_release(host, true);
	sfs_host_close(host);
	return ret;
}

static void test_free(void)
{
	bool stopping = false;
	struct sfs_host *host;
	char who[80];
	double t;

	ok(claim_once(0, &t) == 0 && t < 2, "a new device is free");
	ok(claim_once(0, &t) == 0 && t < 2, "so is a released one");
	host = open_host(0);
	ok(host && sfs_owner_claim(host) == 0, "claimed");
	ok(sfs_owner_who(&host->dev[0], who, sizeof(who), &stopping) ==
	       0 && who[0] && !stopping, "the block says by whom (%s)", who);
	sfs_owner_stopping(host);
	ok(sfs_owner_who(&host->dev[0], who, sizeof(who), &stopping) ==
	       0 && stopping, "and when it is about to leave");
	sfs_owner_release(host, true);
	sfs_host_close(host);
}

/* An owner of this machine that was killed: no need to wait. */
static void test_killed(void)
{
	struct sfs_host *host;
	int pipefd[2], status;
	double t;
	pid_t pid;
	char c;

	if (pipe(pipefd) < 0)
		exit(1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		host = open_host(0);
		if (!host || sfs_owner_claim(host) < 0 ||
		    write(pipefd[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ok(read(pipefd[0], &c, 1) == 1, "a child owns it");
	ok(claim_once(0, &t) == -EBUSY, "nobody else can");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(claim_once(0, &t) == 0 && t < 2, "until it is killed");
	close(pipefd[0]);
	close(pipefd[1]);
}

/* The block as another machine leaves it when it crashes. */
static void make_foreign(unsigned char *block)
{
	__u32 state = htole32(1);

	read_raw(block);
	memcpy(block + AT_STATE, &state, 4);
	strcpy((char *)block + AT_BOOT_ID,
	       "00000000-0000-0000-0000-000000000000");
	strcpy((char *)block + AT_HOST, "elsewhere");
	write_raw(block);
}

static void test_foreign(void)
{
	unsigned char block[SFS_BLOCK];
	__u64 counter;
	int status, i;
	char line[256];
	double t;
	pid_t pid;

	make_foreign(block);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		for (i = 0; i < 20; i++) {
			sleep(1);
			memcpy(&counter, block + AT_COUNTER, 8);
			counter = htole64(le64toh(counter) + 1);
			memcpy(block + AT_COUNTER, &counter, 8);
			write_raw(block);
		}
		_exit(0);
	}
	sfs_host_log_capture(line, sizeof(line));
	ok(claim_once(0, &t) == -EBUSY, "another machine is alive");
	sfs_host_log_capture(NULL, 0);
	ok(strstr(line, "on host elsewhere") != NULL, "and named");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);

	make_foreign(block);
	ok(claim_once(0, &t) == 0 && t > 5.5 && t < 12,
	       "another machine is dead: %.1f s", t);
	make_foreign(block);
	ok(claim_once(SFS_HOST_FORCE, &t) == 0 && t < 2,
	       "force does not wait");
	make_foreign(block);
	block[200] ^= 1;
	block[AT_CRC] ^= 1;
	status = open(meta, O_WRONLY);
	if (pwrite(status, block, SFS_BLOCK, OWNER_AT) != SFS_BLOCK)
		exit(1);
	close(status);
	ok(claim_once(0, &t) == 0 && t > 5.5, "a torn block is watched");
}

/* Somebody took over while we were stopped: the process ends at once. */
static void test_lost(void)
{
	unsigned char block[SFS_BLOCK];
	struct sfs_host *host;
	int pipefd[2], status = -1, i;
	pid_t pid;
	char c;

	if (pipe(pipefd) < 0)
		exit(1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		host = open_host(0);
		if (!host || sfs_owner_claim(host) < 0 ||
		    write(pipefd[1], "x", 1) != 1)
			_exit(3);
		sleep(20);
		_exit(4);
	}
	if (read(pipefd[0], &c, 1) != 1)
		exit(1);
	read_raw(block);
	/* the nonce, which makes it another claim */
	block[32] ^= 1;
	write_raw(block);
	for (i = 0; i < 80 && waitpid(pid, &status, WNOHANG) == 0; i++)
		usleep(100000);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1,
	       "a process that lost the volume ends at once");
	kill(pid, SIGKILL);
	close(pipefd[0]);
	close(pipefd[1]);
}

int main(void)
{
	const char *scratch = getenv("SCRATCH");
	int fd;

	snprintf(meta, sizeof(meta), "%s/owner-XXXXXX",
		 scratch ? scratch : "/tmp");
	fd = mkstemp(meta);
	if (fd < 0 || ftruncate(fd, SIZE) < 0)
		return 1;
	close(fd);
	plan(0);
	sfs_host_log_init("owner", SFS_LOG_STDERR, false);

	test_free();
	test_killed();
	test_foreign();
	test_lost();

	unlink(meta);
	return done_testing();
}

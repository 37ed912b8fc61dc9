/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the shim needs of libc, and what test programs get of it.  The only
 * files of the shim that see libc headers are here and in the backends.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/common/task.h"

extern char **environ;

void *shim_os_malloc(unsigned long len)
{
	return malloc(len);
}

void shim_os_free(void *p)
{
	free(p);
}

void shim_os_write(int fd, const char *s, unsigned long len)
{
	ssize_t n;

	while (len) {
		n = write(fd, s, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		s += n;
		len -= n;
	}
}

void shim_os_abort(void)
{
	abort();
}

int shim_os_has_crc32(void)
{
#ifdef __x86_64__
	return !getenv("SHIM_CRC_TABLE") && __builtin_cpu_supports("sse4.2");
#else
	return 0;
#endif
}

/* ---- stacks ------------------------------------------------------------- */

/*
 * Frame pointers: everything of ours is compiled with them.  [@low, @high)
 * is the stack; a frame outside of it, or not above the last, ends the walk.
 */
__attribute__((no_sanitize("address", "thread", "undefined")))
int shim_os_backtrace_from(void *fp, void *low, void *high, void **ips,
			   int max)
{
	uintptr_t at = (uintptr_t)fp;
	uintptr_t *frame;
	int n = 0;

	while (n < max && at >= (uintptr_t)low && !(at & 7) &&
	       at + 16 <= (uintptr_t)high) {
		frame = (uintptr_t *)at;
		if (!frame[1])
			break;
		ips[n++] = (void *)frame[1];
		if (frame[0] <= at)
			break;
		at = frame[0];
	}
	return n;
}

__attribute__((no_sanitize("address", "thread", "undefined")))
int shim_os_backtrace(void **ips, int max)
{
	char *fp = __builtin_frame_address(0);

	/* far enough for any stack; a wild frame is stopped by its order */
	return shim_os_backtrace_from(fp, fp, fp + (64 << 10), ips, max);
}

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
	*(uintptr_t *)arg = info->dlpi_addr;
	return 1;
}

/* addr2line prints names and lines; without it the addresses have to do */
static int run_addr2line(uintptr_t base, void *const *ips, int nr)
{
	static char text[64][24];
	static char *argv[72] = { "addr2line", "-apfisC", "-e" };
	static char exe[512];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int status = -1;
	int n = 3;
	pid_t pid;
	int i;
	posix_spawn_file_actions_t fa;

	if (len <= 0 || getenv("SHIM_NO_SYMBOLS"))
		return -1;
	argv[n++] = exe;
	for (i = 0; i < nr && i < 64; i++) {
		/* the call, not what follows it */
		snprintf(text[i], sizeof(text[i]), "%#lx",
			 (unsigned long)((uintptr_t)ips[i] - base - 1));
		argv[n++] = text[i];
	}
	argv[n] = NULL;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, 2, 1);
	if (posix_spawnp(&pid, "addr2line", &fa, NULL, argv, environ))
		return -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

void shim_os_symbolize(void *const *ips, int nr)
{
	uintptr_t base = 0;
	char line[64];
	int len;
	int i;

	if (nr <= 0)
		return;
	dl_iterate_phdr(find_base, &base);
	if (run_addr2line(base, ips, nr) == 0)
		return;
	for (i = 0; i < nr; i++) {
		len = snprintf(line, sizeof(line), "  %#lx (+%#lx)\n",
			       (unsigned long)ips[i],
			       (unsigned long)((uintptr_t)ips[i] - base));
		shim_os_write(2, line, len);
	}
}

/* ---- for tests ---------------------------------------------------------- */

void shim_exit(int status)
{
	fflush(NULL);
	_exit(status);
}

const char *shim_getenv(const char *name)
{
	return getenv(name);
}

shim_u64 shim_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

shim_u64 shim_wall_time(void)
{
	return time(NULL);
}

long shim_file_read(const char *path, void **ret_buf)
{
	struct stat st;
	char *buf = NULL;
	ssize_t n;
	long done = 0;
	long ret;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = -EIO;
	if (fstat(fd, &st) < 0)
		goto out;
	ret = -ENOMEM;
	buf = malloc(st.st_size + 1);
	if (!buf)
		goto out;
	while (done < st.st_size) {
		n = read(fd, buf + done, st.st_size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ret = -errno;
			goto out;
		}
		if (n == 0)
			break;
		done += n;
	}
	buf[done] = '\0';
	*ret_buf = buf;
	buf = NULL;
	ret = done;
out:
	free(buf);
	close(fd);
	return ret;
}

int shim_file_write(const char *path, const void *buf, unsigned long len)
{
	const char *p = buf;
	ssize_t n;
	int ret = 0;
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ret = -errno;
			break;
		}
		p += n;
		len -= n;
	}
	if (close(fd) < 0 && !ret)
		ret = -errno;
	return ret;
}

int shim_file_open(const char *path, int create)
{
	int fd = open(path, create ? O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC :
				     O_RDWR | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd;
}

long shim_file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

int shim_file_resize(int fd, unsigned long len)
{
	return ftruncate(fd, len) < 0 ? -errno : 0;
}

int shim_file_pread(int fd, void *buf, unsigned long len, unsigned long off)
{
	ssize_t n = pread(fd, buf, len, off);

	if (n < 0)
		return -errno;
	return n == len ? 0 : -EIO;
}

int shim_file_pwrite(int fd, const void *buf, unsigned long len,
		     unsigned long off)
{
	ssize_t n = pwrite(fd, buf, len, off);

	if (n < 0)
		return -errno;
	return n == len ? 0 : -EIO;
}

void shim_file_close(int fd)
{
	close(fd);
}

void shim_file_free(void *buf)
{
	free(buf);
}

void *shim_pages_alloc(unsigned long len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void shim_pages_free(void *p, unsigned long len)
{
	if (p)
		munmap(p, len);
}

int shim_isatty(int fd)
{
	return isatty(fd);
}

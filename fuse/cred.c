/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is asking.  A request carries the uid and gid that count for files;
 * capabilities and supplementary groups have to be looked up in /proc by the
 * caller's thread id, which is valid as long as its request is not answered.
 *
 * The kernel has checked permissions already (default_permissions), and most
 * operations need neither.  So they are first tried without, and only when
 * the core refuses, looked up and tried again.  Where more rights change the
 * result instead of allowing it, operations look them up at once.
 *
 * A caller has a capability when its thread has it effective and its user
 * namespace is ours: root of a container is nobody here.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_MAX (1024 * 1024)
#define MAX_GROUPS 65536

static const struct {
	unsigned int bit;
	uint32_t cap;
} caps[] = {
	{ 0, SFS_CAP_CHOWN },
	{ 1, SFS_CAP_DAC_OVERRIDE },
	{ 2, SFS_CAP_DAC_READ_SEARCH },
	{ 3, SFS_CAP_FOWNER },
	{ 4, SFS_CAP_FSETID },
	{ 21, SFS_CAP_SYS_ADMIN },
	{ 27, SFS_CAP_MKNOD },
};

void sfs_caller_init(struct sfs_caller *c, struct sfs_req *req)
{
	memset(c, 0, sizeof(*c));
	c->req = req;
	c->cred.uid = req->d.h->uid;
	c->cred.gid = req->d.h->gid;
	/* of the mode the kernel has taken away the umask */
	c->cred.umask = 0;
	c->cred.host_checked = 1;
}

void sfs_caller_exit(struct sfs_caller *c)
{
	free(c->groups);
}

/* The whole of /proc/TID/status, NUL-terminated, to be freed; or NULL. */
static char *read_status(uint32_t tid)
{
	size_t size = 4096, len = 0;
	char path[48], *buf = NULL, *bigger;
	ssize_t n;
	int fd;

	if (!tid)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	for (;;) {
		bigger = realloc(buf, size);
		if (!bigger)
			goto err;
		buf = bigger;
		n = read(fd, buf + len, size - len - 1);
		if (n < 0)
			goto err;
		len += n;
		if (n == 0)
			break;
		if (len == size - 1 && (size *= 2) > STATUS_MAX)
			goto err;
	}
	close(fd);
	buf[len] = '\0';
	return buf;
err:
	close(fd);
	free(buf);
	return NULL;
}

/* What follows "\nNAME:\t". */
static const char *field(const char *status, const char *name)
{
	const char *p = strstr(status, name);

	return p ? p + strlen(name) : NULL;
}

static bool same_user_ns(uint32_t tid)
{
	struct stat theirs, ours;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%u/ns/user", tid);
	return stat(path, &theirs) == 0 &&
	       stat("/proc/self/ns/user", &ours) == 0 &&
	       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static uint32_t parse_caps(const char *status, uint32_t tid)
{
	const char *p = field(status, "\nCapEff:\t");
	unsigned long long eff;
	uint32_t ret = 0;
	size_t i;

	if (!p || sscanf(p, "%llx", &eff) != 1 || !eff || !same_user_ns(tid))
		return 0;
	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (eff & (1ULL << caps[i].bit))
			ret |= caps[i].cap;
	return ret;
}

static void parse_groups(struct sfs_caller *c, const char *status)
{
	const char *p = field(status, "\nGroups:\t");
	unsigned long gid;
	uint32_t nr = 0, i;
	const char *q;
	char *end;

	if (!p)
		return;
	for (q = p; *q && *q != '\n'; q++)
		nr += *q == ' ';
	if (nr > MAX_GROUPS)
		nr = MAX_GROUPS;
	nr++;	/* whether or not the line ends with a blank */
	c->groups = malloc(nr * sizeof(c->groups[0]));
	if (!c->groups)
		return;
	for (i = 0; i < nr && *p && *p != '\n'; p = end) {
		gid = strtoul(p, &end, 10);
		if (end == p)
			break;
		c->groups[i++] = gid;
		while (*end == ' ')
			end++;
	}
	c->cred.groups = c->groups;
	c->cred.nr_groups = i;
}

void sfs_caller_fill(struct sfs_caller *c)
{
	uint32_t tid = c->req->d.h->pid;
	char *status;

	if (c->full)
		return;
	c->full = true;
	status = read_status(tid);
	if (!status)
		return;
	c->cred.caps = parse_caps(status, tid);
	parse_groups(c, status);
	free(status);
}

bool sfs_caller_again(struct sfs_caller *c, int ret)
{
	if (c->full || (ret != -EPERM && ret != -EACCES))
		return false;
	sfs_caller_fill(c);
	return c->cred.caps || c->cred.nr_groups;
}

bool sfs_thread_dying(uint32_t tid)
{
	char *status = read_status(tid);
	unsigned long long pending = 0;
	const char *p;
	bool dying;

	if (!status)
		return true;
	p = field(status, "\nSigPnd:\t");
	if (p && sscanf(p, "%llx", &pending) != 1)
		pending = 0;
	/* whatever ends a process becomes SIGKILL in each of its threads */
	dying = pending & (1ULL << (9 - 1));
	free(status);
	return dying;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of a process: whole lines, to stderr in the foreground and while a
 * daemon is starting (whoever started it reads them), else to syslog.  With
 * SCOUTFS_LOG=FILE in the environment, all of them also go to that file.
 *
 * One line is one write, so that lines of several threads do not mix.  The
 * settings change only while the process has one thread or between "starting"
 * and "running", where reading the old mode sends one line to the old place.
 */
#include "host/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static const char *log_prog = "scoutfs";
static atomic_int log_mode = SFS_LOG_STDERR;
static bool log_debug;
static int log_file = -1;

static __thread char *capture_buf;
static __thread size_t capture_size;

void sfs_host_log_init(const char *prog, enum sfs_log_mode mode, bool debug)
{
	const char *path = getenv("SCOUTFS_LOG");

	log_prog = prog;
	log_debug = debug;
	if (path && log_file < 0)
		log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				0600);
	if (mode != SFS_LOG_STDERR)
		openlog(prog, LOG_PID, LOG_DAEMON);
	atomic_store(&log_mode, mode);
}

void sfs_host_log_capture(char *buf, size_t size)
{
	capture_buf = buf;
	capture_size = size;
	if (buf && size)
		buf[0] = '\0';
}

static void write_line(int fd, const char *text)
{
	char line[1200];
	int len;

	len = snprintf(line, sizeof(line), "%s: %s\n", log_prog, text);
	if (len >= (int)sizeof(line)) {
		len = sizeof(line) - 1;
		line[len - 1] = '\n';
	}
	/* nobody is left to be told that it does not work */
	if (write(fd, line, len) < 0)
		return;
}

static int syslog_level(int level)
{
	switch (level) {
	case SFS_LOG_ERR:
		return LOG_ERR;
	case SFS_LOG_WARN:
		return LOG_WARNING;
	case SFS_LOG_INFO:
		return LOG_INFO;
	default:
		return LOG_DEBUG;
	}
}

void sfs_vlog(int level, const char *fmt, va_list ap)
{
	int mode = atomic_load(&log_mode);
	char text[1024];

	if (level == SFS_LOG_DEBUG && !log_debug)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);

	if (capture_buf && level <= SFS_LOG_WARN) {
		snprintf(capture_buf, capture_size, "%s", text);
		return;
	}
	if (mode == SFS_LOG_STDERR ||
	    (mode == SFS_LOG_STARTING && level <= SFS_LOG_WARN))
		write_line(STDERR_FILENO, text);
	if (log_file >= 0)
		write_line(log_file, text);
	if (mode != SFS_LOG_STDERR)
		syslog(syslog_level(level), "%s", text);
}

void sfs_log(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sfs_vlog(level, fmt, ap);
	va_end(ap);
}

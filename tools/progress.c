/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Progress of long work: one line on the terminal, rewritten a few times a
 * second, and SIGINT or SIGTERM as a wish to stop.
 *
 * The rate is that of the current phase from its start, which is steadier than
 * that of the last second and needs no history.  State is global because
 * signals are.
 */
#include "progress.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS 200

static volatile sig_atomic_t stop;

static struct {
	bool terminal;
	bool shown;
	const char *phase;	/* compared as text: a copy would do as well */
	__u64 phase_ms;		/* when it started */
	__u64 next_ms;
} state;

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_signal(int sig)
{
	stop = 1;
}

static void set_signals(void (*handler)(int))
{
	struct sigaction act = { .sa_handler = handler,
				 .sa_flags = SA_RESTART };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

void progress_start(void)
{
	memset(&state, 0, sizeof(state));
	state.terminal = isatty(STDERR_FILENO);
	stop = 0;
	set_signals(on_signal);
}

void progress_clear(void)
{
	if (state.shown)
		fputs("\r\033[K", stderr);
	state.shown = false;
}

void progress_stop(void)
{
	progress_clear();
	set_signals(SIG_DFL);
}

void progress_line(char *buf, unsigned int size, const char *phase,
		   __u64 done, __u64 total, __u64 elapsed_ms)
{
	__u64 rate = elapsed_ms ? done * 1000 / elapsed_ms : 0;
	__u64 left;
	int len;

	/* some phases can not tell how long they are */
	if (total == 0) {
		snprintf(buf, size, "%s", phase);
		return;
	}
	len = snprintf(buf, size, "%s: %llu of %llu", phase,
		       (unsigned long long)done, (unsigned long long)total);
	if (done <= total && len < (int)size)
		len += snprintf(buf + len, size - len, ", %u%%",
				(unsigned int)((double)done * 100 / total));
	if (rate == 0 || done > total || len >= (int)size)
		return;
	left = (total - done) / rate;
	snprintf(buf + len, size - len, ", %llu/s, %llu:%02u left",
		 (unsigned long long)rate, (unsigned long long)left / 60,
		 (unsigned int)(left % 60));
}

int progress_show(void *arg, const char *phase, __u64 done, __u64 total)
{
	__u64 now;
	char line[160];

	if (!state.terminal || stop)
		return stop;
	now = now_ms();
	if (!state.phase || strcmp(state.phase, phase) != 0) {
		state.phase = phase;
		state.phase_ms = now;
		state.next_ms = 0;
	}
	if (now < state.next_ms)
		return stop;
	state.next_ms = now + INTERVAL_MS;
	progress_line(line, sizeof(line), phase, done, total,
		      now - state.phase_ms);
	fprintf(stderr, "\r%s\033[K", line);
	state.shown = true;
	return stop;
}

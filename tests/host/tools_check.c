/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands make of a check (tools/check.c): exit statuses, output,
 * being stopped.  The core and the host library are played here, so that a
 * check finds what a test wants it to find.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "tap.h"
#include "tools/check.h"

/* how it goes, and what was called */
static struct {
	int open_ret;
	int owner_ret;
	int check_ret;
	bool clean;
	int signal;		/* that arrives in the middle */
	int nr_findings;
	int nr_checks;
	int nr_open;
	unsigned int flags;	/* of the open */
} play;

static struct sfs_host host;

void sfs_host_log_init(const char *prog, enum sfs_log_mode mode, bool debug)
{
}

int sfs_host_open(const char *meta_path, const char *data_path,
		  unsigned int flags, struct sfs_host **ret_host)
{
	play.flags = flags;
	if (play.open_ret == 0) {
		play.nr_open++;
		*ret_host = &host;
	}
	return play.open_ret;
}

void sfs_host_close(struct sfs_host *h)
{
	play.nr_open--;
}

int sfs_owner_check(struct sfs_host *h)
{
	return play.owner_ret;
}

bool sfs_owner_clean(struct sfs_host *h)
{
	return play.clean;
}

int sfs_check(struct sfs_host *h, const struct sfs_check_ops *ops,
	      struct sfs_check_result *ret_result)
{
	char line[40];
	int i;

	play.nr_checks++;
	for (i = 0; i < 10; i++) {
		if (i < play.nr_findings) {
			snprintf(line, sizeof(line), "finding %d", i);
			ops->report(ops->arg, line);
		}
		if (i == 5 && play.signal)
			raise(play.signal);
		if (ops->progress(ops->arg, "items", i, 10))
			return -ECANCELED;
	}
	if (play.check_ret)
		return play.check_ret;
	*ret_result = (struct sfs_check_result) {
		.errors = play.nr_findings,
		.inodes = 3,
	};
	return 0;
}

#define SUMMARY(errors)				\
	"errors:                 " errors "\n"	\
	"inodes:                 3\n"		\
	"items:                  0\n"		\
	"runs:                   0\n"		\
	"blocks read:            0\n"		\
	"metadata segments used: 0\n"		\
	"data blocks used:       0\n"

static void expect(const char *what, const struct check_opts *opts, int ret,
		   const char *want)
{
	FILE *real = stdout;
	char *text = NULL;
	size_t size = 0;
	int got;

	fflush(stdout);
	stdout = open_memstream(&text, &size);
	got = check_volume(opts);
	fclose(stdout);
	stdout = real;
	if (!ok(got == ret, "%s: returns %d", what, ret))
		diag("returned %d", got);
	if (!ok(strcmp(text, want) == 0, "%s: output", what))
		diag("printed [%s], expected [%s]", text, want);
	ok(play.nr_open == 0, "%s: devices are closed", what);
	ok(play.flags == SFS_HOST_RDONLY, "%s: nothing can be written",
	       what);
	free(text);
}

static void test_results(const struct check_opts *opts)
{
	play.nr_findings = 0;
	expect("nothing wrong", opts, 0, SUMMARY("0"));
	play.nr_findings = 2;
	expect("two errors", opts, FSCK_UNCORRECTED,
	       "finding 0\nfinding 1\n" SUMMARY("2"));
	play.check_ret = -EIO;
	expect("devices fail", opts, -EIO, "finding 0\nfinding 1\n");
	play.check_ret = 0;
	play.nr_findings = 0;
}

static void test_refusals(const struct check_opts *opts)
{
	play.nr_checks = 0;
	play.open_ret = -EBUSY;
	expect("devices are in use", opts, -EBUSY, "");
	play.open_ret = 0;
	play.owner_ret = -EBUSY;
	expect("another host has it", opts, -EBUSY, "");
	play.owner_ret = 0;
	ok(play.nr_checks == 0, "what is in use is not checked");
}

static void test_signals(const struct check_opts *opts)
{
	play.signal = SIGINT;
	expect("SIGINT", opts, FSCK_CANCELED, "");
	play.signal = SIGTERM;
	expect("SIGTERM", opts, FSCK_CANCELED, "");
	play.signal = 0;
	expect("after signals", opts, 0, SUMMARY("0"));
}

static void test_clean(const struct check_opts *opts)
{
	struct check_opts fsck = *opts;

	fsck.quiet = true;
	expect("quiet, nothing wrong", &fsck, 0, "");
	fsck.trust_clean = true;
	play.nr_checks = 0;
	expect("not unmounted in order", &fsck, 0, "");
	ok(play.nr_checks == 1, "then it is checked");
	play.clean = true;
	play.nr_findings = 1;
	expect("unmounted in order", &fsck, 0, "");
	ok(play.nr_checks == 1, "then it is not checked");
	fsck.trust_clean = false;
	expect("unmounted in order, but checked", &fsck, FSCK_UNCORRECTED,
	       "finding 0\n" SUMMARY("1"));
}

static void test_json(const struct check_opts *opts)
{
	struct check_opts json = *opts;

	json.json = true;
	play.nr_findings = 1;
	expect("JSON", &json, FSCK_UNCORRECTED,
	       "{\"finding\": \"finding 0\"}\n"
	       "{\"errors\": 1, \"inodes\": 3, \"items\": 0, \"runs\": 0, "
	       "\"blocks_read\": 0, \"meta_segments_used\": 0, "
	       "\"data_blocks_used\": 0}\n");
	play.nr_findings = 0;
}

int main(void)
{
	const struct check_opts opts = {
		.prog = "check",
		.meta = "meta",
		.data = "data",
	};

	plan(0);
	test_results(&opts);
	test_refusals(&opts);
	test_signals(&opts);
	test_json(&opts);
	test_clean(&opts);
	return done_testing();
}

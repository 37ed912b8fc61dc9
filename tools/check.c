/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `scoutfs check` and `fsck.scoutfs` share: opens the volume, lets the
 * core check it and prints what it found.
 *
 * Nothing is ever written.  The volume must not be mounted meanwhile, here or
 * on another host: a check that races with changes would report them as
 * damage.  Opening takes the locks of this host, and the owner block tells of
 * others.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>

#include "api.h"
#include "host/host.h"
#include "printer.h"
#include "progress.h"
#include "tools.h"

struct check {
	const struct check_opts *opts;
	struct printer *findings;
};

static void report(void *arg, const char *line)
{
	struct check *chk = arg;

	progress_clear();
	printer_str(chk->findings, "finding", NULL, line);
	printer_end(chk->findings);
	fflush(stdout);
}

static void print_summary(const struct check_opts *opts,
			  const struct sfs_check_result *res)
{
	static const struct printer_layout layout = {
		.style = PRINTER_LABELS,
		.colon = ":",
	};
	struct printer *pr = printer_create(stdout, opts->json, &layout);

	printer_u64(pr, "errors", res->errors);
	printer_u64(pr, "inodes", res->inodes);
	printer_u64(pr, "items", res->items);
	printer_u64(pr, "runs", res->runs);
	printer_u64_as(pr, "blocks_read", "blocks read", res->blocks_read,
		       NULL);
	printer_u64_as(pr, "meta_segments_used", "metadata segments used",
		       res->meta_segments_used, NULL);
	printer_u64_as(pr, "data_blocks_used", "data blocks used",
		       res->data_blocks_used, NULL);
	printer_end(pr);
	printer_destroy(pr);
}

static int check(const struct check_opts *opts, struct sfs_host *host)
{
	static const struct printer_layout layout = { .style = PRINTER_BARE };
	struct check chk = { .opts = opts };
	struct sfs_check_ops ops = {
		.report = report,
		.progress = progress_show,
		.arg = &chk,
	};
	struct sfs_check_result res = { 0 };
	int ret;

	chk.findings = printer_create(stdout, opts->json, &layout);
	progress_start();
	ret = sfs_check(host, &ops, &res);
	progress_stop();
	printer_destroy(chk.findings);
	if (ret == -ECANCELED) {
		fail(ret, "check of '%s' and '%s' was stopped before its end",
		     opts->meta, opts->data);
		return FSCK_CANCELED;
	}
	if (ret)
		return fail_errno(ret, "failed to check '%s' and '%s'",
				  opts->meta, opts->data);
	if (res.errors || !opts->quiet)
		print_summary(opts, &res);
	return res.errors ? FSCK_UNCORRECTED : 0;
}

int check_volume(const struct check_opts *opts)
{
	struct sfs_host *host;
	int ret;

	sfs_host_log_init(opts->prog, SFS_LOG_STDERR, false);
	ret = sfs_host_open(opts->meta, opts->data, SFS_HOST_RDONLY, &host);
	if (ret)
		return ret;
	if (opts->trust_clean && sfs_owner_clean(host)) {
		sfs_host_close(host);
		return 0;
	}
	ret = sfs_owner_check(host);
	if (ret == 0)
		ret = check(opts, host);
	sfs_host_close(host);
	return ret;
}

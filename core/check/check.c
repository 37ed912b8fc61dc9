// SPDX-License-Identifier: GPL-2.0-only
/*
 * The offline check of a volume: phases, findings, progress.
 *
 * Reads only, and needs the volume at rest: no mount, no server.  It looks at
 * the state a start would begin with, root and replayed log, without the
 * changes that a start makes.
 *
 * A finding is one line that names the object, the field, what was found and
 * what should be there.  Lines that begin with "warning:" tell of what a crash
 * may leave and the next start repairs, such as a root that was not written
 * to its end; they do not count as errors.
 *
 * Memory: the slices and pieces of the manifest, a byte for each segment of
 * the metadata device, 24 bytes for each extent of data space, and what
 * fs_items.c needs for the inodes; never the contents of runs.
 */
#include "check/check.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stdarg.h>

/* Progress is told again after so many steps. */
#define PROGRESS_STEPS 256
#define VOL_CACHE_BYTES (32ULL << 20)

void sfs_check_found(struct sfs_checker *ck, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(ck->line, sizeof(ck->line), fmt, args);
	va_end(args);
	ck->res.errors++;
	ck->ops->report(ck->ops->arg, ck->line);
}

void sfs_check_note(struct sfs_checker *ck, const char *fmt, ...)
{
	va_list args;
	int len;

	len = scnprintf(ck->line, sizeof(ck->line), "warning: ");
	va_start(args, fmt);
	vscnprintf(ck->line + len, sizeof(ck->line) - len, fmt, args);
	va_end(args);
	ck->ops->report(ck->ops->arg, ck->line);
}

static int tell_progress(struct sfs_checker *ck)
{
	ck->told = ck->done;
	if (ck->ops->progress &&
	    ck->ops->progress(ck->ops->arg, ck->phase, ck->done, ck->total))
		return -ECANCELED;
	return 0;
}

int sfs_check_phase(struct sfs_checker *ck, const char *phase, u64 total)
{
	ck->phase = phase;
	ck->done = 0;
	ck->total = total;
	return tell_progress(ck);
}

int sfs_check_progress(struct sfs_checker *ck, u64 done)
{
	ck->done += done;
	/* damage may lead to more than was expected */
	if (ck->total && ck->done > ck->total)
		ck->done = ck->total;
	if (ck->done - ck->told < PROGRESS_STEPS)
		return 0;
	return tell_progress(ck);
}

static int open_store(struct sfs_checker *ck)
{
	int ret;

	ret = sfs_store_open_readonly(ck->host, &ck->ident, &ck->store);
	if (ret == 0)
		return 0;
	ck->store = NULL;
	if (ret == -ENOMEM)
		return ret;
	sfs_check_found(ck,
			"the server's roots or log can not be used: error %d; nothing behind them is checked",
			ret);
	return 0;
}

static int check_server(struct sfs_checker *ck)
{
	int ret;

	ret = sfs_check_region(ck);
	if (ret == 0)
		ret = sfs_check_store_runs(ck);
	if (ret == 0)
		ret = sfs_check_server_items(ck);
	if (ret == 0)
		ret = sfs_check_slices(ck);
	return ret;
}

static int check_volume(struct sfs_checker *ck)
{
	int ret;

	ret = sfs_check_segments(ck);
	if (ret == 0)
		ret = sfs_check_volume_runs(ck);
	if (ret == 0)
		ret = sfs_check_volume_items(ck);
	if (ret == 0)
		ret = sfs_check_data(ck);
	return ret;
}

static int run_phases(struct sfs_checker *ck)
{
	int ret;

	ret = sfs_check_identity(ck);
	if (ret == 0)
		ret = sfs_check_roots(ck);
	if (ret == 0)
		ret = open_store(ck);
	if (ret < 0 || !ck->store)
		return ret;
	ret = sfs_engine_init(&ck->vol, ck->host, ck->ident.id.fsid,
			      VOL_CACHE_BYTES);
	if (ret < 0)
		return ret;
	ret = check_server(ck);
	if (ret == 0)
		ret = check_volume(ck);
	return ret;
}

int sfs_check(struct sfs_host *host, const struct sfs_check_ops *ops,
	      struct sfs_check_result *ret_result)
{
	struct sfs_checker *ck;
	int ret;

	ck = kvzalloc(sizeof(*ck), GFP_NOFS);
	if (!ck)
		return -ENOMEM;
	ck->host = host;
	ck->ops = ops;
	ret = run_phases(ck);
	if (ret == 0)
		*ret_result = ck->res;
	sfs_items_check_exit(&ck->items);
	sfs_engine_exit(&ck->vol);
	sfs_slice_list_free(&ck->slices);
	kvfree(ck->segs);
	kvfree(ck->space.mem);
	kvfree(ck->mounts.mem);
	if (ck->store)
		sfs_store_close(ck->store);
	kvfree(ck);
	return ret;
}

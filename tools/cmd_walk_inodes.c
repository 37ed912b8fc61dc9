/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs walk-inodes: inodes in the order of their last change.
 *
 * Reads batch after batch and prints each before it asks for the next, so that
 * a reader at the other end of a pipe sees what there is.  Nothing of a batch
 * is kept; a walk over changes that go on for ever ends at the stable sequence
 * of its last batch.
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "printer.h"
#include "scoutfs/ioctl.h"

#define BATCH 1024

/* in the order of the arguments */
enum { ARG_INDEX, ARG_FIRST, ARG_LAST, ARG_PATH, NR_ARGS };

struct walk_opts {
	struct common_opts com;
	char *args[NR_ARGS];
	struct scoutfs_ioctl_walk_inodes_entry first;
	struct scoutfs_ioctl_walk_inodes_entry last;
	__u8 index;
};

static const struct argp_option options[] = {
	OPTION_PATH,
	OPTION_JSON,
	{ 0 },
};

static void check_args(struct argp_state *state, struct walk_opts *opts)
{
	if (strcmp(opts->args[ARG_INDEX], "meta_seq") == 0)
		opts->index = SCOUTFS_IOC_WALK_INODES_META_SEQ;
	else if (strcmp(opts->args[ARG_INDEX], "data_seq") == 0)
		opts->index = SCOUTFS_IOC_WALK_INODES_DATA_SEQ;
	else
		argp_error(state,
			   "unknown index '%s', it has to be meta_seq or data_seq",
			   opts->args[ARG_INDEX]);
	if (parse_walk_first(opts->args[ARG_FIRST], &opts->first))
		argp_error(state,
			   "FIRST '%s' is not a position MAJOR[.MINOR[.INO]]",
			   opts->args[ARG_FIRST]);
	if (parse_walk_last(opts->args[ARG_LAST], &opts->last))
		argp_error(state,
			   "LAST '%s' is not a position MAJOR[.MINOR[.INO]]",
			   opts->args[ARG_LAST]);
	if (opts->args[ARG_PATH] && opts->com.path)
		argp_error(state, "a path is given twice: '%s' and '%s'",
			   opts->com.path, opts->args[ARG_PATH]);
	if (opts->args[ARG_PATH])
		opts->com.path = opts->args[ARG_PATH];
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = {
		"INDEX", "FIRST", "LAST", "PATH", NULL
	};
	struct walk_opts *opts = state->input;
	error_t err;

	switch (key) {
	default:
		err = args_common(state, key, arg, &opts->com, names, 3,
				   opts->args);
		if (key == ARGP_KEY_END)
			check_args(state, opts);
		return err;
	}
}

static const struct argp argp = {
	options, parse_opt, "INDEX FIRST LAST [PATH]",
	"Print the inodes whose last change lies between the positions FIRST "
	"and LAST of an index.\vINDEX is meta_seq (changes of any kind) or "
	"data_seq (changes of contents of regular files).  A position is "
	"MAJOR[.MINOR[.INO]], missing parts being 0; LAST may be a MAJOR alone "
	"and then means the end of it.  -1 is the largest number.",
};

static void print_entry(struct printer *pr,
			const struct scoutfs_ioctl_walk_inodes_entry *ent)
{
	printer_u64(pr, "major", ent->major);
	printer_u64(pr, "minor", ent->minor);
	printer_u64(pr, "ino", ent->ino);
	printer_end(pr);
}

/* Returns false when there is no position after @pos. */
static bool next_pos(struct scoutfs_ioctl_walk_inodes_entry *pos)
{
	if (++pos->ino == 0 && ++pos->minor == 0 && ++pos->major == 0)
		return false;
	return true;
}

/* Returns 1 when there may be more. */
static int walk_batch(int fd, const struct walk_opts *opts,
		      struct scoutfs_ioctl_walk_inodes *wi,
		      struct scoutfs_ioctl_walk_inodes_entry *ents,
		      struct printer *pr)
{
	int ret;
	int i;

	ret = call_ioctl(fd, opts->com.path, "WALK_INODES",
			 SCOUTFS_IOC_WALK_INODES, wi, 0);
	if (ret <= 0)
		return ret;
	if (ret > BATCH)
		return fail(-EIO,
			    "WALK_INODES ioctl on '%s' returned %d entries, %d were wanted",
			    opts->com.path, ret, BATCH);
	for (i = 0; i < ret; i++)
		print_entry(pr, &ents[i]);
	if (fflush(stdout) != 0)
		return 0;
	wi->first = ents[ret - 1];
	return next_pos(&wi->first);
}

static int walk(int fd, void *arg)
{
	const struct walk_opts *opts = arg;
	static const int widths[] = { 20, 20, 10, 20 };
	static const struct printer_layout layout = {
		.style = PRINTER_COLUMNS,
		.widths = widths,
		.header_every = 25,
	};
	struct scoutfs_ioctl_walk_inodes_entry ents[BATCH];
	struct scoutfs_ioctl_walk_inodes wi = {
		.first = opts->first,
		.last = opts->last,
		.entries_ptr = (unsigned long)ents,
		.nr_entries = BATCH,
		.index = opts->index,
	};
	struct printer *pr = printer_create(stdout, opts->com.json, &layout);
	int ret;

	do {
		ret = walk_batch(fd, opts, &wi, ents, pr);
	} while (ret > 0);
	printer_destroy(pr);
	return ret;
}

static int run(int argc, char **argv)
{
	struct walk_opts opts = { .com.path = NULL };

	args_parse(&argp, argc, argv, &opts);
	return on_path(&opts.com, walk, &opts);
}

const struct cmd cmd_walk_inodes = {
	.name = "walk-inodes",
	.group = CMD_SEARCH,
	.args = "INDEX FIRST LAST [PATH]",
	.summary = "list inodes by the sequence of their last change",
	.run = run,
};

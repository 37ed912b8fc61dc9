/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scoutfs ino-path: the paths of an inode, one for each of its hard links.
 *
 * The cursor only moves forward, so a link that is made meanwhile may or may
 * not be seen and none is seen twice.
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parse.h"
#include "printer.h"
#include "scoutfs/ioctl.h"

/* Whatever fits into the ioctl's 16 bits. */
#define RESULT_BYTES 65535

struct ino_path_opts {
	struct common_opts com;
	char *ino_arg;
	__u64 ino;
};

static const struct argp_option options[] = {
	OPTION_PATH,
	OPTION_JSON,
	{ 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = { "INO", NULL };
	struct ino_path_opts *opts = state->input;
	error_t err;

	switch (key) {
	default:
		err = args_common(state, key, arg, &opts->com, names, 1,
				   &opts->ino_arg);
		if (key == ARGP_KEY_END &&
		    parse_u64(opts->ino_arg, &opts->ino))
			argp_error(state, "'%s' is not an inode number",
				   opts->ino_arg);
		return err;
	}
}

static const struct argp argp = {
	options, parse_opt, "INO",
	"Print the paths, relative to the root of the filesystem, that lead "
	"to an inode.",
};

/* Returns 1 when there was a path. */
static int next_path(int fd, const char *path,
		     struct scoutfs_ioctl_ino_path *ip, struct printer *pr)
{
	struct scoutfs_ioctl_ino_path_result *res =
		(void *)(unsigned long)ip->result_ptr;
	int ret;

	ret = call_ioctl(fd, path, "INO_PATH", SCOUTFS_IOC_INO_PATH, ip,
			 -ENOENT);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	if (res->path_bytes == 0 ||
	    res->path_bytes > RESULT_BYTES - sizeof(*res) ||
	    res->path[res->path_bytes - 1] != '\0')
		return fail(-EIO,
			    "INO_PATH ioctl on '%s' returned a path that does not end",
			    path);
	printer_str(pr, "path", NULL, (const char *)res->path);
	printer_end(pr);
	ip->dir_ino = res->dir_ino;
	ip->dir_pos = res->dir_pos + 1;
	if (ip->dir_pos == 0)
		ip->dir_ino++;
	return 1;
}

static int print_paths(int fd, const struct ino_path_opts *opts, void *res)
{
	static const struct printer_layout layout = { .style = PRINTER_BARE };
	struct printer *pr = printer_create(stdout, opts->com.json, &layout);
	struct scoutfs_ioctl_ino_path ip = {
		.ino = opts->ino,
		.result_ptr = (unsigned long)res,
		.result_bytes = RESULT_BYTES,
	};
	int ret;

	do {
		ret = next_path(fd, opts->com.path, &ip, pr);
	} while (ret > 0 && !ferror(stdout));
	printer_destroy(pr);
	return ret;
}

static int ino_path(int fd, void *arg)
{
	void *res = malloc(RESULT_BYTES);
	int ret;

	if (!res)
		return fail(-ENOMEM, "out of memory");
	ret = print_paths(fd, arg, res);
	free(res);
	return ret < 0 ? ret : 0;
}

static int run(int argc, char **argv)
{
	struct ino_path_opts opts = { .com.path = NULL };

	args_parse(&argp, argc, argv, &opts);
	return on_path(&opts.com, ino_path, &opts);
}

const struct cmd cmd_ino_path = {
	.name = "ino-path",
	.group = CMD_INFO,
	.args = "INO",
	.summary = "print the paths of an inode",
	.run = run,
};

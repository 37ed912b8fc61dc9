/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the subcommands of `scoutfs` share: how they are registered, their
 * common options and the ways they talk about failure.
 */
#ifndef SFS_TOOLS_TOOLS_H
#define SFS_TOOLS_TOOLS_H

#include <argp.h>
#include <stdbool.h>

enum cmd_group {
	CMD_ADMIN,
	CMD_INFO,
	CMD_SEARCH,
	CMD_AGENT,
	CMD_DEBUG,
	NR_CMD_GROUPS,
};

/*
 * One subcommand.  @run returns 0, a negative errno after it has printed a
 * line that says what went wrong (the frame adds the line with the errno and
 * exits with @fail_status), or another positive exit status.
 */
struct cmd {
	const char *name;
	enum cmd_group group;
	const char *args;	/* positional arguments, for the usage text */
	const char *summary;
	int (*run)(int argc, char **argv);
	int fail_status;	/* 0 stands for 1 */
};

extern const struct cmd cmd_check;
extern const struct cmd cmd_counters;
extern const struct cmd cmd_df;
extern const struct cmd cmd_fsck;
extern const struct cmd cmd_ino_path;
extern const struct cmd cmd_mkfs;
extern const struct cmd cmd_print;
extern const struct cmd cmd_stat;
extern const struct cmd cmd_statfs;
extern const struct cmd cmd_walk_inodes;

/* ---- options ------------------------------------------------------------ */

/* Long options without a letter. */
enum {
	OPT_JSON = 0x100,
};

#define OPTION_JSON { "json", OPT_JSON, NULL, 0, \
	"Print one JSON object per line instead of text" }
#define OPTION_PATH { "path", 'p', "PATH", 0, \
	"Any path on the mounted filesystem; default: SCOUTFS_MOUNT_PATH in " \
	"the environment, else the current directory" }

/*
 * argp_parse(), but an argument that looks like a negative number is no
 * option.  Exits on usage errors.
 */
void args_parse(const struct argp *argp, int argc, char **argv, void *input);
/* Options that most commands have; NULL and false are not given. */
struct common_opts {
	const char *path;
	bool json;
};

/*
 * The end of every parser: takes common options and stores positional
 * arguments in @ret_args, which has room for all of the NULL-terminated
 * @names; fewer than @min or too many of them are usage errors.
 */
error_t args_common(struct argp_state *state, int key, char *arg,
		    struct common_opts *com, const char *const *names, int min,
		    char **ret_args);

/* ---- failure ------------------------------------------------------------ */

/* The line that says what went wrong; always returns @err. */
int fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with ": STRERROR (ERRNO)" at its end. */
int fail_errno(int err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- mounted filesystems ------------------------------------------------ */

struct printer;

/*
 * Opens com->path, or what stands for it when it is not given, and returns
 * what @fn returns for its descriptor.  com->path is set then.
 */
int on_path(struct common_opts *com, int (*fn)(int fd, void *arg), void *arg);
/*
 * ioctl(2) that returns a negative errno; ENOTTY becomes the line that @path
 * is not on a scoutfs filesystem, other errors except those in @quiet (which
 * may be 0) a line with the name of the command.
 */
int call_ioctl(int fd, const char *path, const char *name, unsigned long cmd,
	       void *arg, int quiet);

/*
 * A record of fields, a line for each, of which @only may be wanted alone.
 * fields_end() prints it and fails when there is no such field.
 */
struct printer *fields_begin(const struct common_opts *com, const char *only);
int fields_end(struct printer *pr, const char *only);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Command lines: GNU argp, with two additions.
 *
 * The quick start everybody has copied says `walk-inodes meta_seq 0 -1 /mnt`,
 * and getopt takes that -1 for an option.  No option of ours is a digit, so
 * an argument of a dash and a digit is a number: before argp sees a command
 * line the positional arguments move, in their order, behind a "--".  To know
 * what is positional takes knowing which options have arguments, and the
 * table that argp is given says that.
 *
 * Missing arguments are named ("missing LAST argument") instead of being a
 * bare "Too few arguments".
 */
#include "tools.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *arg)
{
	return arg[0] == '-' && isdigit((unsigned char)arg[1]);
}

static bool is_positional(const char *arg)
{
	return arg[0] != '-' || arg[1] == '\0' || is_number(arg);
}

static bool letter_takes_arg(const struct argp *argp, char letter)
{
	const struct argp_option *opt;

	for (opt = argp->options; opt->name || opt->key || opt->doc; opt++)
		if (opt->key == letter)
			return opt->arg && !(opt->flags & OPTION_ARG_OPTIONAL);
	return false;
}

/* Long names may be cut short; getopt complains about ambiguous ones. */
static bool long_takes_arg(const struct argp *argp, const char *name)
{
	const struct argp_option *opt;
	size_t len = strlen(name);

	for (opt = argp->options; opt->name || opt->key || opt->doc; opt++)
		if (opt->name && strncmp(opt->name, name, len) == 0)
			return opt->arg && !(opt->flags & OPTION_ARG_OPTIONAL);
	return false;
}

/* Is the argument behind the option @arg a part of it? */
static bool takes_next(const struct argp *argp, const char *arg)
{
	size_t i;

	if (arg[1] == '-')
		return !strchr(arg, '=') && long_takes_arg(argp, arg + 2);
	for (i = 1; arg[i]; i++)
		if (letter_takes_arg(argp, arg[i]))
			return arg[i + 1] == '\0';
	return false;
}

void args_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	char **sorted = calloc(argc + 2, sizeof(char *));
	char **pos = calloc(argc + 1, sizeof(char *));
	int nr_pos = 0;
	int nr = 0;
	int i;

	if (!sorted || !pos)
		abort();
	sorted[nr++] = argv[0];
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (is_positional(argv[i])) {
			pos[nr_pos++] = argv[i];
			continue;
		}
		sorted[nr++] = argv[i];
		if (!takes_next(argp, argv[i]))
			continue;
		/* getopt is to miss it, and not to take the "--" for it */
		if (i + 1 == argc)
			goto parse;
		sorted[nr++] = argv[++i];
	}
	for (i++; i < argc; i++)
		pos[nr_pos++] = argv[i];
	sorted[nr++] = "--";
	memcpy(sorted + nr, pos, nr_pos * sizeof(char *));
	nr += nr_pos;
parse:
	argp_parse(argp, nr, sorted, 0, NULL, input);
	free(pos);
	free(sorted);
}

error_t args_common(struct argp_state *state, int key, char *arg,
		    struct common_opts *com, const char *const *names, int min,
		    char **ret_args)
{
	unsigned int max = 0;

	while (names[max])
		max++;
	switch (key) {
	case 'p':
		com->path = arg;
		return 0;
	case OPT_JSON:
		com->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num >= max)
			argp_error(state, "unexpected argument '%s'", arg);
		ret_args[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < (unsigned int)min)
			argp_error(state, "missing %s argument",
				   names[state->arg_num]);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

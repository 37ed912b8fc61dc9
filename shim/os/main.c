/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * main() for programs of the shim world, which define shim_main().  It is in a
 * file of its own so that the linker leaves it out where there is another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/shim.h"

struct args {
	int argc;
	char **argv;
};

static int run_main(void *arg)
{
	struct args *a = arg;

	return shim_main(a->argc, a->argv);
}

int main(int argc, char **argv)
{
	struct shim_run_opts opts = { .seed = 1 };
	struct args a = { .argv = argv };
	const char *env = getenv("SHIM_SEED");
	int ret;
	int i;

	if (env && *env)
		opts.seed = strtoull(env, NULL, 0);
	for (i = 0; i < argc; i++) {
		if (strncmp(argv[i], "--seed=", 7) == 0)
			opts.seed = strtoull(argv[i] + 7, NULL, 0);
		else
			argv[a.argc++] = argv[i];
	}
	argv[a.argc] = NULL;
	ret = shim_run(&opts, run_main, &a);
	fflush(NULL);
	return ret;
}

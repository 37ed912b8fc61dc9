/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the conformance cases in userspace; linked once with each backend.
 * With arguments, only cases whose name begins with one of them.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include "shim/shim.h"
#include "tests/tap.h"
#include "conf.h"

static const struct conf_case * const tables[] = {
	conf_bits, conf_containers, conf_memory, conf_text, conf_sync,
	conf_work,
};

void conf_failed(const char *file, int line, const char *what)
{
	diag("%s:%d: %s", file, line, what);
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strstarts(name, argv[i]))
			return true;
	}
	return argc <= 1;
}

int shim_main(int argc, char **argv)
{
	const struct conf_case *c;
	u64 blocks;
	int ret;
	int i;

	plan(0);
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (c = tables[i]; c->name; c++) {
			if (!wanted(c->name, argc, argv))
				continue;
			blocks = shim_mem_blocks();
			ret = c->run();
			ok(ret == 0 && shim_mem_blocks() == blocks, "%s",
			   c->name);
		}
	}
	return done_testing();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the conformance cases in a kernel, while the module is loaded: what they
 * expect of the shim is what the kernel does.  The verdicts are in TAP in
 * /sys/kernel/debug/conformance until the module is unloaded.  The parameter
 * `only` is the beginning of the names of the cases to run.
 *
 * Nothing else runs the cases at the same time, so there are no locks.
 */
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "conf.h"

#define TEXT_LEN (64 << 10)

static const struct conf_case * const tables[] = {
	conf_bits, conf_containers, conf_memory, conf_text, conf_sync,
	conf_work,
};

static char *only = "";
module_param(only, charp, 0444);
MODULE_PARM_DESC(only, "run the cases whose names begin so");

static struct debugfs_blob_wrapper text;
static struct dentry *file;

static __printf(1, 2) void tell(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	text.size += vscnprintf(text.data + text.size, TEXT_LEN - text.size,
				fmt, args);
	va_end(args);
}

void conf_failed(const char *path, int line, const char *what)
{
	tell("# %s:%d: %s\n", kbasename(path), line, what);
}

static void run_all(void)
{
	const struct conf_case *c;
	int nr = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (c = tables[i]; c->name; c++) {
			if (!strstarts(c->name, only))
				continue;
			/* where it was if it does not come back */
			pr_info("conformance: %s\n", c->name);
			tell("%sok %d - %s\n", c->run() ? "not " : "", ++nr,
			     c->name);
		}
	}
	tell("1..%d\n", nr);
}

static int __init conformance_init(void)
{
	text.data = kvzalloc(TEXT_LEN, GFP_KERNEL);
	if (!text.data)
		return -ENOMEM;
	run_all();
	file = debugfs_create_blob("conformance", 0400, NULL, &text);
	return 0;
}

static void __exit conformance_exit(void)
{
	debugfs_remove(file);
	kvfree(text.data);
}

module_init(conformance_init);
module_exit(conformance_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("conformance of the shim's kernel names");

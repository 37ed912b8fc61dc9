/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conformance of the kernel names of the closed list.  The cases are written
 * against these names alone, so that the same files run with both backends of
 * the shim and, as a test module, in a real kernel: what a case expects is
 * what the kernel does.
 *
 * A case returns 0, or an error after conf_failed() said where.  Contexts that
 * run at the same time are works: making threads is not on the list.
 */
#ifndef CONFORMANCE_CONF_H
#define CONFORMANCE_CONF_H

struct conf_case {
	const char *name;
	int (*run)(void);
};

/* ends with an entry without name */
extern const struct conf_case conf_bits[];
extern const struct conf_case conf_containers[];
extern const struct conf_case conf_memory[];
extern const struct conf_case conf_text[];
extern const struct conf_case conf_sync[];
extern const struct conf_case conf_work[];

/* given by the runner */
void conf_failed(const char *file, int line, const char *what);

#define CHECK(cond) do {						\
	if (!(cond)) {							\
		conf_failed(__FILE__, __LINE__, #cond);			\
		return -1;						\
	}								\
} while (0)

#endif

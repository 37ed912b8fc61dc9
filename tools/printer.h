/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts on standard output, as text or as JSON.
 *
 * A command describes how its text looks once and then hands in records of
 * (name, value) pairs.  In JSON every record is one object on a line of its
 * own, whatever the command and however many there are.
 */
#ifndef SFS_TOOLS_PRINTER_H
#define SFS_TOOLS_PRINTER_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

enum printer_style {
	PRINTER_LABELS,		/* a label and its value on each line */
	PRINTER_COLUMNS,	/* records are rows of columns of fixed width */
	PRINTER_TABLE,		/* rows, right aligned, as wide as needed */
	PRINTER_BARE,		/* the values alone, one on each line */
};

struct printer_layout {
	enum printer_style style;
	const char *title;	/* LABELS: a line above */
	int indent;		/* LABELS */
	int width;		/* LABELS: least width of the labels */
	const char *colon;	/* LABELS: behind the label, or NULL */
	const int *widths;	/* COLUMNS: of the row number, then of facts */
	int header_every;	/* COLUMNS: rows */
};

struct printer;

/* Does not fail: a command without memory for this ends. */
struct printer *printer_create(FILE *out, bool json,
			       const struct printer_layout *layout);
/* Prints what is still held back. */
void printer_destroy(struct printer *pr);

/*
 * Only the fact called @name, as a bare value.  printer_found() tells whether
 * a record had it.
 */
void printer_only(struct printer *pr, const char *name);
bool printer_found(const struct printer *pr);

/*
 * Facts of the current record, which printer_end() prints.  @name is the name
 * in JSON; labels and headers show the second name, where there is one.
 */
void printer_u64(struct printer *pr, const char *name, __u64 val);
/* A number that text shows as @text. */
void printer_u64_as(struct printer *pr, const char *name, const char *label,
		    __u64 val, const char *text);
/*
 * Any bytes.  What is not UTF-8 reads as U+FFFD in JSON, and NAME_hex has all
 * bytes then.
 */
void printer_str(struct printer *pr, const char *name, const char *label,
		 const char *str);
/* Calls with the same name make a list. */
void printer_item(struct printer *pr, const char *name, const char *label,
		  const char *str);
void printer_end(struct printer *pr);

/* Number with two decimals, @sep and a unit of a power of 1024, for people. */
void printer_human(char *buf, size_t size, const char *sep, __u64 bytes);

#endif

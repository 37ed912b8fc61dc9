/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts on standard output, as text or as JSON.
 *
 * Facts are collected until their record ends, so that both sinks see the same
 * things and a layout can look at a record as a whole.  PRINTER_TABLE holds
 * all rows back until the end, because it does not know its widths before;
 * everything else is written as it comes, so that a walk over millions of
 * inodes needs no memory.
 *
 * JSON has numbers up to 2^63 - 1; larger ones are strings of digits.
 */
#include "printer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum fact_kind {
	FACT_U64,
	FACT_STR,
	FACT_ITEM,
};

struct fact {
	const char *name;
	const char *label;
	char *text;		/* NULL: the number is the text */
	__u64 num;
	enum fact_kind kind;
};

/* A record that TABLE holds back. */
struct row {
	struct row *next;
	size_t nr;
	char *cells[];
};

struct printer {
	FILE *out;
	struct printer_layout layout;
	const char *only;
	bool json;
	bool found;
	struct fact *facts;
	size_t nr;
	size_t max;
	__u64 nr_records;
	struct row *rows;
	struct row **tail;
};

static void *must(void *ptr)
{
	if (!ptr) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return ptr;
}

struct printer *printer_create(FILE *out, bool json,
			       const struct printer_layout *layout)
{
	struct printer *pr = must(calloc(1, sizeof(*pr)));

	pr->out = out;
	pr->json = json;
	pr->layout = *layout;
	pr->tail = &pr->rows;
	return pr;
}

void printer_only(struct printer *pr, const char *name)
{
	pr->only = name;
	pr->layout.style = PRINTER_BARE;
}

bool printer_found(const struct printer *pr)
{
	return pr->found;
}

/* ---- collecting --------------------------------------------------------- */

static void add(struct printer *pr, struct fact fact, const char *text)
{
	if (pr->only && strcmp(pr->only, fact.name) != 0)
		return;
	pr->found = true;
	if (pr->nr == pr->max) {
		pr->max = pr->max ? pr->max * 2 : 8;
		pr->facts = must(realloc(pr->facts,
					 pr->max * sizeof(*pr->facts)));
	}
	if (!fact.label)
		fact.label = fact.name;
	if (text)
		fact.text = must(strdup(text));
	pr->facts[pr->nr++] = fact;
}

void printer_u64(struct printer *pr, const char *name, __u64 val)
{
	add(pr, (struct fact) { .name = name, .num = val }, NULL);
}

void printer_u64_as(struct printer *pr, const char *name, const char *label,
		    __u64 val, const char *text)
{
	add(pr, (struct fact) { .name = name, .label = label, .num = val },
	    text);
}

void printer_str(struct printer *pr, const char *name, const char *label,
		 const char *str)
{
	add(pr, (struct fact) { .name = name, .label = label,
				.kind = FACT_STR }, str);
}

void printer_item(struct printer *pr, const char *name, const char *label,
		  const char *str)
{
	add(pr, (struct fact) { .name = name, .label = label,
				.kind = FACT_ITEM }, str);
}

/* ---- JSON --------------------------------------------------------------- */

/* Bytes of the well-formed UTF-8 sequence at @str, 0 when there is none. */
static size_t utf8_len(const unsigned char *str)
{
	size_t len, i;

	if (str[0] < 0x80)
		return 1;
	if (str[0] < 0xc2 || str[0] > 0xf4)
		return 0;
	len = str[0] < 0xe0 ? 2 : str[0] < 0xf0 ? 3 : 4;
	for (i = 1; i < len; i++)
		if ((str[i] & 0xc0) != 0x80)
			return 0;
	/* longer than needed, surrogates, beyond U+10FFFF */
	if ((str[0] == 0xe0 && str[1] < 0xa0) ||
	    (str[0] == 0xed && str[1] > 0x9f) ||
	    (str[0] == 0xf0 && str[1] < 0x90) ||
	    (str[0] == 0xf4 && str[1] > 0x8f))
		return 0;
	return len;
}

/* Returns whether all of @str was UTF-8. */
static bool to_utf8(const char *str, char **ret_utf8)
{
	const unsigned char *in = (const unsigned char *)str;
	char *out = must(malloc(strlen(str) * 3 + 1));
	bool clean = true;
	size_t len;

	*ret_utf8 = out;
	while (*in) {
		len = utf8_len(in);
		if (len == 0) {
			memcpy(out, "\xef\xbf\xbd", 3);
			out += 3;
			in++;
			clean = false;
			continue;
		}
		memcpy(out, in, len);
		out += len;
		in += len;
	}
	*out = '\0';
	return clean;
}

static void set_json(json_t *obj, const char *name, json_t *val)
{
	if (json_object_set_new(obj, name, must(val)))
		must(NULL);
}

static void json_str(json_t *obj, const char *name, const char *str)
{
	char hex_name[64];
	size_t len = strlen(str);
	char *utf8, *hex;
	bool clean;
	size_t i;

	clean = to_utf8(str, &utf8);
	set_json(obj, name, json_string(utf8));
	free(utf8);
	if (!clean) {
		hex = must(malloc(len * 2 + 1));
		for (i = 0; i < len; i++)
			snprintf(hex + i * 2, 3, "%02x", (unsigned char)str[i]);
		snprintf(hex_name, sizeof(hex_name), "%s_hex", name);
		set_json(obj, hex_name, json_string(hex));
		free(hex);
	}
}

static void json_u64(json_t *obj, const char *name, __u64 val)
{
	char buf[24];

	if ((__s64)val >= 0) {
		set_json(obj, name, json_integer((json_int_t)val));
		return;
	}
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)val);
	set_json(obj, name, json_string(buf));
}

static void json_item(json_t *obj, const char *name, const char *str)
{
	json_t *list = json_object_get(obj, name);
	char *utf8;

	if (!list) {
		list = json_array();
		set_json(obj, name, list);
	}
	to_utf8(str, &utf8);
	if (json_array_append_new(list, must(json_string(utf8))))
		must(NULL);
	free(utf8);
}

static void print_json(struct printer *pr)
{
	json_t *obj = must(json_object());
	const struct fact *fact;

	for (fact = pr->facts; fact < pr->facts + pr->nr; fact++) {
		if (fact->kind == FACT_U64)
			json_u64(obj, fact->name, fact->num);
		else if (fact->kind == FACT_STR)
			json_str(obj, fact->name, fact->text);
		else
			json_item(obj, fact->name, fact->text);
	}
	json_dumpf(obj, pr->out, 0);
	fputc('\n', pr->out);
	json_decref(obj);
}

/* ---- text --------------------------------------------------------------- */

/* @buf has room for any number. */
static const char *text_of(const struct fact *fact, char buf[24])
{
	if (fact->text)
		return fact->text;
	snprintf(buf, 24, "%llu", (unsigned long long)fact->num);
	return buf;
}

static void print_labels(struct printer *pr)
{
	const struct printer_layout *lay = &pr->layout;
	const char *colon = lay->colon ? lay->colon : "";
	int width = lay->width;
	const struct fact *fact;
	const char *label;
	char buf[24];
	int len;

	for (fact = pr->facts; fact < pr->facts + pr->nr; fact++) {
		len = (int)(strlen(fact->label) + strlen(colon));
		width = len > width ? len : width;
	}
	if (lay->title)
		fprintf(pr->out, "%s\n", lay->title);
	for (fact = pr->facts; fact < pr->facts + pr->nr; fact++) {
		label = fact->label;
		/* a list has its label at its head */
		if (fact > pr->facts && fact->kind == FACT_ITEM &&
		    strcmp(fact[-1].name, fact->name) == 0)
			label = NULL;
		len = fprintf(pr->out, "%*s%s%s", lay->indent, "",
			      label ? label : "", label ? colon : "");
		fprintf(pr->out, "%*s %s\n", lay->indent + width - len, "",
			text_of(fact, buf));
	}
}

static void print_columns(struct printer *pr)
{
	const int *widths = pr->layout.widths;
	const struct fact *fact;
	char buf[24];
	size_t i;

	if (pr->nr_records % pr->layout.header_every == 0) {
		fprintf(pr->out, "%-*s", widths[0], "#");
		for (i = 0; i < pr->nr; i++)
			fprintf(pr->out, " %-*s", widths[i + 1],
				pr->facts[i].label);
		fputc('\n', pr->out);
	}
	fprintf(pr->out, "%-*llu", widths[0],
		(unsigned long long)pr->nr_records);
	for (i = 0; i < pr->nr; i++) {
		fact = &pr->facts[i];
		fprintf(pr->out, " %-*s", widths[i + 1], text_of(fact, buf));
	}
	fputc('\n', pr->out);
}

static void print_bare(struct printer *pr)
{
	const struct fact *fact;
	char buf[24];

	for (fact = pr->facts; fact < pr->facts + pr->nr; fact++)
		fprintf(pr->out, "%s\n", text_of(fact, buf));
}

static void hold_row(struct printer *pr, bool header)
{
	struct row *row = must(calloc(1, sizeof(*row) +
					 pr->nr * sizeof(row->cells[0])));
	const char *text;
	char buf[24];
	size_t i;

	for (i = 0; i < pr->nr; i++) {
		text = header ? pr->facts[i].label :
				text_of(&pr->facts[i], buf);
		row->cells[i] = must(strdup(text));
	}
	row->nr = pr->nr;
	*pr->tail = row;
	pr->tail = &row->next;
}

static int cell_width(const struct printer *pr, size_t col)
{
	const struct row *row;
	int width = 0;
	int len;

	for (row = pr->rows; row; row = row->next) {
		len = col < row->nr ? (int)strlen(row->cells[col]) : 0;
		width = len > width ? len : width;
	}
	return width;
}

static void print_rows(struct printer *pr)
{
	struct row *row, *next;
	size_t i;

	for (row = pr->rows; row; row = row->next) {
		for (i = 0; i < row->nr; i++)
			fprintf(pr->out, "%*s  ", cell_width(pr, i),
				row->cells[i]);
		fputc('\n', pr->out);
	}
	for (row = pr->rows; row; row = next) {
		next = row->next;
		for (i = 0; i < row->nr; i++)
			free(row->cells[i]);
		free(row);
	}
}

static void print_text(struct printer *pr)
{
	switch (pr->layout.style) {
	case PRINTER_LABELS:
		print_labels(pr);
		break;
	case PRINTER_COLUMNS:
		print_columns(pr);
		break;
	case PRINTER_TABLE:
		if (pr->nr_records == 0)
			hold_row(pr, true);
		hold_row(pr, false);
		break;
	case PRINTER_BARE:
		print_bare(pr);
		break;
	}
}

void printer_end(struct printer *pr)
{
	size_t i;

	if (pr->nr && pr->json)
		print_json(pr);
	else if (pr->nr)
		print_text(pr);
	for (i = 0; i < pr->nr; i++)
		free(pr->facts[i].text);
	pr->nr = 0;
	pr->nr_records++;
}

void printer_destroy(struct printer *pr)
{
	print_rows(pr);
	free(pr->facts);
	free(pr);
}

void printer_human(char *buf, size_t size, const char *sep, __u64 bytes)
{
	static const char *const units[] = {
		"B", "KB", "MB", "GB", "TB", "PB", "EB",
	};
	double val = (double)bytes;
	int i = 0;

	for (; val >= 1024.0 && i < 6; i++)
		val /= 1024.0;
	snprintf(buf, size, "%.2f%s%s", val, sep, units[i]);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts as text and as JSON (tools/printer.c): the layouts to the letter, and
 * both sinks saying the same.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "tools/printer.h"

static const int widths[] = { 4, 6, 3 };
static const struct printer_layout labels = {
	.style = PRINTER_LABELS,
	.title = "Title:",
	.indent = 2,
	.width = 8,
	.colon = ":",
};
static const struct printer_layout columns = {
	.style = PRINTER_COLUMNS,
	.widths = widths,
	.header_every = 2,
};
static const struct printer_layout table = { .style = PRINTER_TABLE };
static const struct printer_layout bare = { .style = PRINTER_BARE };

/* What @fill prints; the caller frees it. */
static char *printed(const struct printer_layout *layout, bool json,
		     void (*fill)(struct printer *pr))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct printer *pr = printer_create(out, json, layout);

	fill(pr);
	printer_destroy(pr);
	fclose(out);
	return text;
}

static void expect(const char *what, const struct printer_layout *layout,
		   bool json, void (*fill)(struct printer *pr),
		   const char *want)
{
	char *got = printed(layout, json, fill);

	if (!ok(strcmp(got, want) == 0, "%s", what))
		diag("printed [%s], expected [%s]", got, want);
	free(got);
}

static void nothing(struct printer *pr)
{
}

static void volume(struct printer *pr)
{
	printer_u64(pr, "nr", 3);
	printer_str(pr, "long_name", "long name here", "text");
	printer_u64_as(pr, "bytes", "in bytes", 4096, "4096 (4.00 KB)");
	printer_item(pr, "slots", NULL, "one");
	printer_item(pr, "slots", NULL, "two");
	printer_end(pr);
}

static void three_rows(struct printer *pr)
{
	__u64 i;

	for (i = 0; i < 3; i++) {
		printer_u64(pr, "major", i * 100);
		printer_u64(pr, "ino", i);
		printer_end(pr);
	}
}

static void one_fact(struct printer *pr)
{
	printer_only(pr, "bytes");
	volume(pr);
	ok(printer_found(pr), "a chosen fact is found");
}

static void no_fact(struct printer *pr)
{
	printer_only(pr, "byte");
	volume(pr);
	ok(!printer_found(pr), "a chosen fact that is not there is not");
}

static void odd_strings(struct printer *pr)
{
	printer_str(pr, "a", NULL, "quote \" and \xc3\xa4 \xf0\x9f\x90\x9f");
	printer_end(pr);
	printer_str(pr, "b", NULL, "x\xff\xc0\xafy\xed\xa0\x80");
	printer_end(pr);
}

static void large(struct printer *pr)
{
	printer_u64(pr, "half", 0x7fffffffffffffffULL);
	printer_u64(pr, "all", ~0ULL);
	printer_end(pr);
}

static void test_layouts(void)
{
	expect("labels", &labels, false, volume,
	       "Title:\n"
	       "  nr:             3\n"
	       "  long name here: text\n"
	       "  in bytes:       4096 (4.00 KB)\n"
	       "  slots:          one\n"
	       "                  two\n");
	expect("columns, a header every two rows", &columns, false,
	       three_rows,
	       "#    major  ino\n"
	       "0    0      0  \n"
	       "1    100    1  \n"
	       "#    major  ino\n"
	       "2    200    2  \n");
	expect("a table is as wide as needed", &table, false, three_rows,
	       "major  ino  \n"
	       "    0    0  \n"
	       "  100    1  \n"
	       "  200    2  \n");
	expect("bare values", &bare, false, three_rows,
	       "0\n0\n100\n1\n200\n2\n");
	expect("no rows have no header", &columns, false, nothing, "");
	expect("no rows, no table", &table, false, nothing, "");
	expect("no rows in JSON", &table, true, nothing, "");
	expect("one fact", &labels, false, one_fact, "4096 (4.00 KB)\n");
	expect("one fact in JSON", &labels, true, one_fact,
	       "{\"bytes\": 4096}\n");
	expect("no such fact", &labels, false, no_fact, "");
}

static void test_json(void)
{
	expect("a record in JSON", &labels, true, volume,
	       "{\"nr\": 3, \"long_name\": \"text\", \"bytes\": 4096, "
	       "\"slots\": [\"one\", \"two\"]}\n");
	expect("rows in JSON", &columns, true, three_rows,
	       "{\"major\": 0, \"ino\": 0}\n"
	       "{\"major\": 100, \"ino\": 1}\n"
	       "{\"major\": 200, \"ino\": 2}\n");
	expect("strings in JSON", &bare, true, odd_strings,
	       "{\"a\": \"quote \\\" and \xc3\xa4 \xf0\x9f\x90\x9f\"}\n"
	       "{\"b\": \"x"
	       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy"
	       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\", "
	       "\"b_hex\": \"78ffc0af79eda080\"}\n");
	expect("strings as text are the bytes", &bare, false, odd_strings,
	       "quote \" and \xc3\xa4 \xf0\x9f\x90\x9f\n"
	       "x\xff\xc0\xafy\xed\xa0\x80\n");
	expect("large numbers in JSON", &bare, true, large,
	       "{\"half\": 9223372036854775807, "
	       "\"all\": \"18446744073709551615\"}\n");
}

/* Every value in JSON is a cell of the same row as text. */
static void test_same(void)
{
	char *text = printed(&table, false, three_rows);
	char *json = printed(&table, true, three_rows);
	char *text_pos, *json_pos;
	char *text_row = strtok_r(text, "\n", &text_pos);
	char *json_row = strtok_r(json, "\n", &json_pos);
	unsigned long major, ino;
	json_t *obj;
	bool same;
	int rows = 0;

	while (json_row && (text_row = strtok_r(NULL, "\n", &text_pos))) {
		obj = json_loads(json_row, 0, NULL);
		same = obj && sscanf(text_row, "%lu %lu", &major, &ino) == 2 &&
		       json_integer_value(json_object_get(obj, "major")) ==
				(json_int_t)major &&
		       json_integer_value(json_object_get(obj, "ino")) ==
				(json_int_t)ino;
		ok(same, "row %d is the same as text and JSON", rows++);
		json_decref(obj);
		json_row = strtok_r(NULL, "\n", &json_pos);
	}
	ok(rows == 3, "all rows are there in both");
	free(text);
	free(json);
}

static void test_human(const char *want, __u64 bytes)
{
	char buf[24];

	printer_human(buf, sizeof(buf), " ", bytes);
	ok(strcmp(buf, want) == 0, "%llu bytes are %s",
	       (unsigned long long)bytes, buf);
}

int main(void)
{
	plan(0);
	test_layouts();
	test_json();
	test_same();
	test_human("0.00 B", 0);
	test_human("1023.00 B", 1023);
	test_human("1.00 KB", 1024);
	test_human("64.00 MB", 64 << 20);
	test_human("1.50 TB", 3ULL << 39);
	test_human("16.00 EB", ~0ULL);
	return done_testing();
}

/*
 * Files of tables, in the forms in which machines' tables are passed around:
 *
 * - raw: the bytes of one table (`acpidump -b`, `acpixtract`, /sys/firmware/acpi/tables/SRAT, iasl's
 *   output), whatever the file is called;
 * - acpidump's text: any number of tables, each a line with signature and address, lines of an offset,
 *   up to 16 bytes and the same bytes as text, and an empty line:
 *
 *	SRAT @ 0x00000000BFF70000
 *	    0000: 53 52 41 54 A0 05 00 00 02 65 41 4D 44 20 20 20  SRAT.....eAMD
 *
 * - a directory of such files, as `acpidump -b` makes one: its files in order of name. Those that hold
 *   no table are passed over, as notes of whoever collected them; all may be none.
 *
 * Lines may end as on Windows. A file counts as text if one of its lines begins a table so, else as raw if it begins with a
 * signature. Whether a table is as long as its header says is not judged here: the kernel has
 * its own rule for that.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "inspect.h"

/* Real tables are below a mebibyte, and a dump of all of a machine's below 16. */
#define MAX_FILE_BYTES ((size_t)64 << 20)

static void *must(void *block)
{
	if (!block) {
		fprintf(stderr, "numa-inspect: out of memory\n");
		exit(1);
	}
	return block;
}

static struct table *add_table(struct table_set *set, const char *name)
{
	struct table *table;

	set->tables = must(realloc(set->tables, (set->nr + 1) * sizeof(*table)));
	table = &set->tables[set->nr++];
	*table = (struct table){.name = must(strdup(name))};
	return table;
}

/* The block is exactly as long as the table, so that a sanitizer sees each read past its end. */
static void append_bytes(struct table *table, const u8 *bytes, size_t len)
{
	table->bytes = must(realloc(table->bytes, table->len + len));
	memcpy(table->bytes + table->len, bytes, len);
	table->len += len;
}

void free_tables(struct table_set *set)
{
	for (size_t i = 0; i < set->nr; i++) {
		free(set->tables[i].name);
		free(set->tables[i].bytes);
	}
	free(set->tables);
	*set = (struct table_set){0};
}

static bool bad_file(const char *path, const char *why)
{
	fprintf(stderr, "numa-inspect: %s: %s\n", path, why);
	return false;
}

/* The whole file, with a NUL behind it. NULL, with a line, if it cannot be read. */
static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *bytes = NULL;
	size_t room = 0;

	*len = 0;
	if (!file) {
		fputs("numa-inspect: ", stderr);
		perror(path);
		return NULL;
	}
	do {
		room += 1 << 16;
		bytes = must(realloc(bytes, room + 1));
		*len += fread(bytes + *len, 1, room - *len, file);
	} while (*len == room && room < MAX_FILE_BYTES);
	bytes[*len] = '\0';
	if (ferror(file) || *len == MAX_FILE_BYTES) {
		bad_file(path, ferror(file) ? "cannot be read" : "too large for tables");
		free(bytes);
		bytes = NULL;
	}
	fclose(file);
	return bytes;
}

static bool is_signature(const char *text)
{
	for (int i = 0; i < 4; i++)
		if (!isupper((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) &&
		    text[i] != '_')
			return false;
	return true;
}

/* --- acpidump's text ----------------------------------------------------------------------- */

/* "SRAT @ 0x...": the name and the address begin a table. */
static bool begins_table(const char *line)
{
	return strlen(line) > 9 && is_signature(line) && strncmp(line + 4, " @ 0x", 5) == 0 &&
	       isxdigit((unsigned char)line[9]);
}

static int hex_byte(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;

	if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
		return -1;
	high = strchr(digits, tolower((unsigned char)text[0]));
	low = strchr(digits, tolower((unsigned char)text[1]));
	return (int)(high - digits) * 16 + (int)(low - digits);
}

/* The bytes of "    0010: 53 52 ...": each a blank and two digits, 16 at most. 0: no such line. */
static size_t bytes_of_line(const char *line, unsigned long *offset, u8 bytes[16])
{
	size_t nr = 0;
	char *at;

	*offset = strtoul(line, &at, 16);
	if (at == line || *at++ != ':')
		return 0;
	for (int byte; nr < 16 && *at == ' '; at += 3) {
		byte = hex_byte(at + 1);
		if (byte < 0)
			break;
		bytes[nr++] = (u8)byte;
	}
	return nr;
}

static bool bad_line(const char *path, unsigned int number, const char *what)
{
	fprintf(stderr, "numa-inspect: %s:%u: %s\n", path, number, what);
	return false;
}

/* One line, ended by a NUL. What belongs to no table is passed over. */
static bool read_line(struct table_set *set, const char *path, const char *line,
		      unsigned int number, bool *in_table)
{
	unsigned long offset;
	u8 bytes[16];
	size_t len;

	if (begins_table(line)) {
		char name[512];

		snprintf(name, sizeof(name), "%.400s:%.*s", path, (int)strcspn(line + 7, "\r"),
			 line + 7);
		add_table(set, name);
		*in_table = true;
		return true;
	}
	if (line[strspn(line, " \t\r")] == '\0')
		*in_table = false;
	if (!*in_table)
		return true;
	len = bytes_of_line(line, &offset, bytes);
	if (len == 0)
		return bad_line(path, number, "no line of a table's bytes");
	if (offset != set->tables[set->nr - 1].len)
		return bad_line(path, number,
				"the offset does not go on where the last line ended");
	append_bytes(&set->tables[set->nr - 1], bytes, len);
	return true;
}

static bool is_dump(const char *text)
{
	while (text && !begins_table(text)) {
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return text != NULL;
}

static bool read_dump(struct table_set *set, const char *path, char *text)
{
	bool in_table = false;
	unsigned int number = 0;

	while (text) {
		char *end = strchr(text, '\n');

		if (end)
			*end++ = '\0';
		if (!read_line(set, path, text, ++number, &in_table))
			return false;
		text = end;
	}
	return true;
}

/* --- Either -------------------------------------------------------------------------------- */

/* Adds the tables of a file's bytes. `*found` is false if it is of neither form. */
static bool add_tables(struct table_set *set, const char *path, char *bytes, size_t len,
		       bool *found)
{
	bool is_raw = len >= 4 && (is_signature(bytes) || memcmp(bytes, "RSD ", 4) == 0);
	size_t first = set->nr;

	*found = true;
	if (is_dump(bytes)) {
		if (!read_dump(set, path, bytes))
			return false;
	} else if (is_raw) {
		append_bytes(add_table(set, path), (const u8 *)bytes, len);
	} else {
		*found = false;
	}
	for (size_t i = first; i < set->nr; i++)
		if (set->tables[i].len < 4)
			return bad_file(set->tables[i].name, "a table without even a signature");
	return true;
}

static bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool read_directory(struct table_set *set, const char *path, struct dirent **entries, int nr)
{
	size_t path_len = strlen(path);
	const char *slash = path[path_len - 1] == '/' ? "" : "/";
	bool ok = true, found, any = false;

	for (int i = 0; i < nr; i++) {
		char name[4096];
		size_t len;
		char *bytes = NULL;

		snprintf(name, sizeof(name), "%s%s%s", path, slash, entries[i]->d_name);
		if (ok && is_file(name))
			bytes = read_file(name, &len);
		if (bytes)
			ok = add_tables(set, name, bytes, len, &found);
		any |= bytes && found;
		free(bytes);
		free(entries[i]);
	}
	free(entries);
	return ok && (any || bad_file(path, "no file in it holds a table"));
}

bool read_tables(struct table_set *set, const char *path)
{
	struct dirent **entries;
	int nr = scandir(path, &entries, NULL, alphasort);
	bool ok, found;
	size_t len;
	char *bytes;

	if (nr >= 0)
		return read_directory(set, path, entries, nr);
	bytes = read_file(path, &len);
	if (!bytes)
		return false;
	ok = add_tables(set, path, bytes, len, &found) &&
	     (found || bad_file(path, "neither a table nor the text of acpidump"));
	free(bytes);
	return ok;
}

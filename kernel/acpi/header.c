/*
 * The common shape of ACPI tables: header, checksum, list of entries.
 *
 *	 0        4       8   9  10      16              24                36
 *	+--------+-------+---+---+-------+---------------+----------------+------ ... --+
 *	| "SRAT" | length|rev|sum| OEM   | OEM table id  | revisions, ids | body        |
 *	+--------+-------+---+---+-------+---------------+----------------+------ ... --+
 *
 * `length` counts everything, the header too; all its bytes together add up to 0 modulo 256.
 * The bodies of SRAT, MADT and HMAT are a few fixed bytes and then entries of (type, length, ...).
 * In the first two type and length are a byte each; HMAT, which came later, has 16 and 32 bits:
 *
 *	 0    1    2                        0       2       4            8
 *	+----+----+------ ... --+          +-------+-------+------------+------ ... --+
 *	|type| len| body        |          | type  |   0   | length     | body        |
 *	+----+----+------ ... --+          +-------+-------+------------+------ ... --+
 *
 * All bounds are decided here: a parser opens its table (the length it then knows is within the
 * bytes it was given) and gets entries that lie wholly inside it. An entry of length 0 is what
 * other kernels have looped on for ever. Nothing after it can be found, since only lengths lead
 * from one entry to the next, so the walk ends there and the caller counts what it left.
 *
 * Source: ACPI Specification 6.5, 5.2.6 (header), 5.2.12 (MADT), 5.2.16 (SRAT), 5.2.28 (HMAT).
 */
#include <base/bytes.h>
#include <base/errno.h>
#include <base/string.h>

#include "acpi_internal.h"

bool acpi_checksum_ok(const void *bytes, size_t len)
{
	const u8 *at = bytes;
	u8 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + at[i]);
	return sum == 0;
}

void acpi_copy_text(char *dst, const u8 *src, size_t len)
{
	size_t end = 0;

	for (size_t i = 0; i < len; i++) {
		dst[i] = src[i] >= ' ' && src[i] <= '~' ? (char)src[i] : '?';
		if (src[i] != ' ' && src[i] != 0)
			end = i + 1;
	}
	dst[end] = 0;
}

int acpi_parse_header(const void *bytes, size_t len, struct acpi_header *out)
{
	const u8 *at = bytes;

	memset(out, 0, sizeof(*out));
	if (len < ACPI_HEADER_BYTES)
		return -EINVAL;
	acpi_copy_text(out->signature, at, 4);
	out->length = read_le32(at + 4);
	out->revision = at[8];
	acpi_copy_text(out->oem_id, at + 10, 6);
	acpi_copy_text(out->oem_table_id, at + 16, 8);
	if (out->length < ACPI_HEADER_BYTES || out->length > len)
		return -EINVAL;
	out->checksum_ok = acpi_checksum_ok(bytes, out->length);
	return 0;
}

int acpi_open_table(const void *bytes, size_t len, const char *signature, size_t fixed_bytes,
		    struct acpi_header *header)
{
	int err = acpi_parse_header(bytes, len, header);

	if (err)
		return err;
	if (memcmp(bytes, signature, 4) != 0 || header->length < fixed_bytes)
		return -EINVAL;
	return 0;
}

/* The entry at `at`, of which `left` bytes are in the table; false if there is none. */
static bool open_entry(const u8 *at, size_t left, bool wide, struct acpi_entry *entry)
{
	u32 least = wide ? 8 : 2;

	if (left < least)
		return false;
	entry->bytes = at;
	entry->type = wide ? read_le16(at) : at[0];
	entry->len = wide ? read_le32(at + 4) : at[1];
	return entry->len >= least && entry->len <= left;
}

void acpi_keep(const struct acpi_array *array, const void *item)
{
	size_t bytes = array->item_bytes;
	bool in_use = array->in_use(item);
	u8 *end = (u8 *)array->items + *array->nr * bytes, *unused = end;

	if (*array->nr == array->max) {
		(*array->nr_dropped)++;
		if (!in_use || *array->nr_unused == 0)
			return;
		do
			unused -= bytes;
		while (array->in_use(unused));
		memmove(unused, unused + bytes, (size_t)(end - unused) - bytes);
		end -= bytes;
		(*array->nr)--;
		(*array->nr_unused)--;
	}
	memcpy(end, item, bytes);
	(*array->nr)++;
	*array->nr_unused += !in_use;
}

static void read_entry(const struct acpi_layout *layout, const struct acpi_entry *entry,
		       void *table, struct acpi_passed *passed)
{
	const struct acpi_entry_reader *reader =
		entry->type < layout->nr_types ? &layout->types[entry->type] : NULL;

	if (!reader || !reader->read) {
		if (passed->nr_unknown++ == 0)
			passed->first_unknown = entry->type;
	} else if (entry->len < reader->min_bytes) {
		passed->nr_malformed++;
	} else {
		reader->read(table, entry);
	}
}

struct acpi_passed acpi_read_entries(const void *bytes, const struct acpi_header *header,
				     const struct acpi_layout *layout, void *table)
{
	const u8 *at = (const u8 *)bytes + layout->fixed_bytes;
	size_t left = header->length - layout->fixed_bytes;
	struct acpi_passed passed = {0};
	struct acpi_entry entry;

	while (open_entry(at, left, layout->wide, &entry)) {
		read_entry(layout, &entry, table, &passed);
		at += entry.len;
		left -= entry.len;
	}
	passed.nr_malformed += left != 0;
	passed.bytes_unread = (u32)left;
	return passed;
}

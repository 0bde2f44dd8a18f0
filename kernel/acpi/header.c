/*
 * The common shape of ACPI tables: header, checksum, list of entries.
 *
 *	 0        4       8   9  10      16              24                36
 *	+--------+-------+---+---+-------+---------------+----------------+------ ... --+
 *	| "SRAT" | length|rev|sum| OEM   | OEM table id  | revisions, ids | body        |
 *	+--------+-------+---+---+-------+---------------+----------------+------ ... --+
 *
 * `length` counts everything, the header too; all its bytes together add up to 0 modulo 256.
 * The bodies of SRAT and MADT are a few fixed bytes and then entries of (type, length, ...).
 *
 * All bounds are decided here: a parser opens its table (the length it then knows is within the
 * bytes it was given) and gets entries that lie wholly inside it. An entry of length 0 is what
 * other kernels have looped on for ever. Nothing after it can be found, since only lengths lead
 * from one entry to the next, so the walk ends there and the caller counts what it left.
 *
 * Source: ACPI Specification 6.5, 5.2.6 (header), 5.2.12 (MADT), 5.2.16 (SRAT).
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

/* Fixed-size text of the firmware: printable, and without the padding at its end. */
static void copy_text(char *dst, const u8 *src, size_t len)
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
	copy_text(out->signature, at, 4);
	out->length = read_le32(at + 4);
	out->revision = at[8];
	copy_text(out->oem_id, at + 10, 6);
	copy_text(out->oem_table_id, at + 16, 8);
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

struct acpi_walk acpi_walk_start(const void *bytes, const struct acpi_header *header,
				 size_t fixed_bytes)
{
	return (struct acpi_walk){.at = (const u8 *)bytes + fixed_bytes,
				  .left = header->length - fixed_bytes};
}

bool acpi_walk_next(struct acpi_walk *walk, struct acpi_entry *entry)
{
	u8 len;

	if (walk->left < 2)
		return false;
	len = walk->at[1];
	if (len < 2 || len > walk->left)
		return false;
	*entry = (struct acpi_entry){.bytes = walk->at, .type = walk->at[0], .len = len};
	walk->at += len;
	walk->left -= len;
	return true;
}

/* What the table parsers share: opening a table, and walking its entries within bounds. */
#ifndef ACPI_INTERNAL_H
#define ACPI_INTERNAL_H

#include <kernel/acpi.h>

/*
 * Opens a table whose fixed part is `fixed_bytes` long: 0, or -EINVAL if it is shorter than
 * that, longer than `len`, or has another signature.
 */
int acpi_open_table(const void *bytes, size_t len, const char *signature, size_t fixed_bytes,
		    struct acpi_header *header);

/* Do the bytes add up to 0 modulo 256, as every ACPI structure's must? */
bool acpi_checksum_ok(const void *bytes, size_t len);

/*
 * A walk over the entries of SRAT or MADT: type byte, length byte, body. It ends where the
 * entries end, or at the first whose length leads nowhere (0, 1, or past the end): then
 * left > 0.
 */
struct acpi_walk {
	const u8 *at;
	size_t left;
};

struct acpi_entry {
	const u8 *bytes; /* `len` of them */
	u8 type, len;
};

struct acpi_walk acpi_walk_start(const void *bytes, const struct acpi_header *header,
				 size_t fixed_bytes);
bool acpi_walk_next(struct acpi_walk *walk, struct acpi_entry *entry);

#endif

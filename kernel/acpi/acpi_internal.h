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

/* Fixed-size text of the firmware: printable, and without the padding at its end. dst has len + 1. */
void acpi_copy_text(char *dst, const u8 *src, size_t len);

/* An entry: type, length, body. It lies wholly inside its table. */
struct acpi_entry {
	const u8 *bytes; /* `len` of them */
	u32 type, len;
};

/* What a table's entries look like, and who reads those of each type. */
struct acpi_entry_reader {
	u32 min_bytes;
	void (*read)(void *table, const struct acpi_entry *entry); /* NULL: an unknown type */
};

struct acpi_layout {
	size_t fixed_bytes; /* before the first entry */
	bool wide;          /* type and length of 16 and 32 bits, not of 8 and 8 */
	u32 nr_types;
	const struct acpi_entry_reader *types; /* by type */
};

/* What was passed over. */
struct acpi_passed {
	u32 nr_unknown, first_unknown; /* of no known type; the type of the first */
	u32 nr_malformed;              /* too short for their type, or the one that ends the walk */
	u32 bytes_unread;              /* from the entry that ended the walk */
};

/*
 * Gives each entry to its reader, up to the end or to the first whose length leads nowhere
 * (shorter than type and length, or past the end). `table` is what the readers fill.
 */
struct acpi_passed acpi_read_entries(const void *bytes, const struct acpi_header *header,
				     const struct acpi_layout *layout, void *table);

/* An array of entries of one kind, in the table's order. */
struct acpi_array {
	void *items;
	size_t item_bytes;
	u32 max;
	u32 *nr;         /* items in it */
	u32 *nr_unused;  /* of them, those that are not in use */
	u32 *nr_dropped; /* entries that it had no room for */
	bool (*in_use)(const void *item);
};

/*
 * Puts an entry at the end. Where there is no room, the last one that stands for something empty is
 * dropped, be it this one: whoever lists a thousand empty sockets shall not lose those that are not.
 */
void acpi_keep(const struct acpi_array *array, const void *item);

#endif

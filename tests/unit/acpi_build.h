/*
 * Building firmware tables byte by byte, so that a test states exactly what the firmware said.
 *
 *	struct table srat;
 *
 *	srat_begin(&srat, 3);
 *	srat_memory(&srat, 0, MiB(1), GiB(2), SRAT_ENABLED);
 *	table_end(&srat);
 *
 * Parsers are then fed exact_copy()s: as long as the bytes to the byte, so that the address
 * sanitizer sees any read past them, and at an odd address, so that UBSan sees a cast.
 */
#ifndef TESTS_UNIT_ACPI_BUILD_H
#define TESTS_UNIT_ACPI_BUILD_H

#include <base/string.h>
#include <base/types.h>
#include <stdlib.h>

#define TABLE_MAX_BYTES 131072

struct table {
	size_t len;
	u8 bytes[TABLE_MAX_BYTES];
};

#define SRAT_ENABLED     1u
#define SRAT_HOTPLUG     2u
#define SRAT_NONVOLATILE 4u
#define MADT_ENABLED     1u
#define MADT_CAPABLE     2u

/* --- Bytes --------------------------------------------------------------------------------- */

static inline void put_bytes(struct table *t, const void *bytes, size_t len)
{
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

/* The low `width` bytes of value, lowest first. */
static inline void put(struct table *t, u64 value, size_t width)
{
	for (size_t i = 0; i < width; i++)
		t->bytes[t->len++] = (u8)(value >> (8 * i));
}

static inline void patch(struct table *t, size_t at, u64 value, size_t width)
{
	size_t len = t->len;

	t->len = at;
	put(t, value, width);
	t->len = len;
}

/* Sets the byte at `at` so that [0, len) adds up to 0. */
static inline void patch_checksum(struct table *t, size_t at, size_t len)
{
	u8 sum = 0;

	t->bytes[at] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + t->bytes[i]);
	t->bytes[at] = (u8)-sum;
}

/* The bytes alone, at an odd address; exact_free() takes them back. */
static inline u8 *exact_copy(const void *bytes, size_t len)
{
	u8 *block = malloc(len + 1);

	if (!block)
		abort();
	if (len)
		memcpy(block + 1, bytes, len);
	return block + 1;
}

static inline void exact_free(u8 *copy)
{
	free(copy - 1);
}

/* --- Tables -------------------------------------------------------------------------------- */

static inline void table_begin(struct table *t, const char *signature, u8 revision)
{
	t->len = 0;
	put_bytes(t, signature, 4);
	put(t, 0, 4); /* length: table_end() */
	put(t, revision, 1);
	put(t, 0, 1); /* checksum: table_end() */
	put_bytes(t, "HIGHWT", 6);
	put_bytes(t, "UNITTEST", 8);
	put(t, 1, 4);
	put_bytes(t, "TEST", 4);
	put(t, 1, 4);
}

static inline void table_end(struct table *t)
{
	patch(t, 4, t->len, 4);
	patch_checksum(t, 9, t->len);
}

static inline void rsdp_build(struct table *t, u8 revision, u32 rsdt, u64 xsdt)
{
	t->len = 0;
	put_bytes(t, "RSD PTR ", 8);
	put(t, 0, 1);
	put_bytes(t, "HIGHWT", 6);
	put(t, revision, 1);
	put(t, rsdt, 4);
	patch_checksum(t, 8, 20);
	if (revision >= 2) {
		put(t, 36, 4);
		put(t, xsdt, 8);
		put(t, 0, 4);
		patch_checksum(t, 32, 36);
	}
}

static inline void srat_begin(struct table *t, u8 revision)
{
	table_begin(t, "SRAT", revision);
	put(t, 1, 4);
	put(t, 0, 8);
}

/* Type 0. All four bytes of the domain are written, whatever the revision. */
static inline void srat_cpu(struct table *t, u32 domain, u8 apic_id, u32 flags)
{
	put(t, 0, 1);
	put(t, 16, 1);
	put(t, domain & 0xff, 1);
	put(t, apic_id, 1);
	put(t, flags, 4);
	put(t, 0, 1);
	put(t, domain >> 8, 3);
	put(t, 0, 4);
}

/* Type 1. */
static inline void srat_memory(struct table *t, u32 domain, u64 base, u64 length, u32 flags)
{
	put(t, 1, 1);
	put(t, 40, 1);
	put(t, domain, 4);
	put(t, 0, 2);
	put(t, base, 8);
	put(t, length, 8);
	put(t, 0, 4);
	put(t, flags, 4);
	put(t, 0, 8);
}

/* Type 2. */
static inline void srat_x2apic(struct table *t, u32 domain, u32 apic_id, u32 flags)
{
	put(t, 2, 1);
	put(t, 24, 1);
	put(t, 0, 2);
	put(t, domain, 4);
	put(t, apic_id, 4);
	put(t, flags, 4);
	put(t, 0, 8);
}

/* Type 5, of a PCI device (handle 1) or by ACPI name (handle 0); the name has 16 bytes. */
static inline void srat_initiator(struct table *t, u32 domain, u8 handle, const void *name,
				  u32 flags)
{
	put(t, 5, 1);
	put(t, 32, 1);
	put(t, 0, 1);
	put(t, handle, 1);
	put(t, domain, 4);
	put_bytes(t, name, 16);
	put(t, flags, 4);
	put(t, 0, 4);
}

/* An entry of any type, its body zeros. */
static inline void put_entry(struct table *t, u8 type, u8 len)
{
	put(t, type, 1);
	put(t, len, 1);
	for (u32 i = 2; i < len; i++)
		put(t, 0, 1);
}

static inline void slit_build(struct table *t, u64 localities, const u8 *matrix, size_t len)
{
	table_begin(t, "SLIT", 1);
	put(t, localities, 8);
	put_bytes(t, matrix, len);
	table_end(t);
}

static inline void madt_begin(struct table *t, u32 lapic_address)
{
	table_begin(t, "APIC", 3);
	put(t, lapic_address, 4);
	put(t, 1, 4);
}

static inline void madt_lapic(struct table *t, u8 uid, u8 apic_id, u32 flags)
{
	put(t, 0, 1);
	put(t, 8, 1);
	put(t, uid, 1);
	put(t, apic_id, 1);
	put(t, flags, 4);
}

static inline void madt_x2apic(struct table *t, u32 uid, u32 apic_id, u32 flags)
{
	put(t, 9, 1);
	put(t, 16, 1);
	put(t, 0, 2);
	put(t, apic_id, 4);
	put(t, flags, 4);
	put(t, uid, 4);
}

static inline void madt_lapic_address(struct table *t, u64 address)
{
	put(t, 5, 1);
	put(t, 12, 1);
	put(t, 0, 2);
	put(t, address, 8);
}

static inline void hmat_begin(struct table *t, u8 revision)
{
	table_begin(t, "HMAT", revision);
	put(t, 0, 4);
}

/* Type 0. */
static inline void hmat_attributes(struct table *t, u16 flags, u32 initiator, u32 memory)
{
	put(t, 0, 2);
	put(t, 0, 2);
	put(t, 40, 4);
	put(t, flags, 2);
	put(t, 0, 2);
	put(t, initiator, 4);
	put(t, memory, 4);
	put(t, 0, 4);
	put(t, 0, 8);
	put(t, 0, 8);
}

/* Type 1, up to its lists: the caller puts rows, columns (4 bytes each) and values (2). */
static inline void hmat_matrix(struct table *t, u8 level, u8 data, u64 base_unit, u32 rows,
			       u32 columns)
{
	put(t, 1, 2);
	put(t, 0, 2);
	put(t, 32 + 4 * ((u64)rows + columns) + 2 * (u64)rows * columns, 4);
	put(t, level, 1);
	put(t, data, 1);
	put(t, 0, 2);
	put(t, rows, 4);
	put(t, columns, 4);
	put(t, 0, 4);
	put(t, base_unit, 8);
}

/* Type 2. */
static inline void hmat_cache(struct table *t, u32 memory, u64 size_bytes, u32 attributes)
{
	put(t, 2, 2);
	put(t, 0, 2);
	put(t, 32, 4);
	put(t, memory, 4);
	put(t, 0, 4);
	put(t, size_bytes, 8);
	put(t, attributes, 4);
	put(t, 0, 4);
}

/* --- Hostile variants ---------------------------------------------------------------------- */

/* Where a table of each sort keeps its length. */
#define ACPI_LENGTH_AT       4
#define MULTIBOOT2_LENGTH_AT 0

/*
 * Feeds fn every truncation of the table: as cut off (its length field then lies), and with the
 * length field mended, so that the cut goes through the entries. Returns how many there were.
 */
static inline u32 each_truncation(const struct table *t, size_t length_at,
				  void (*fn)(const u8 *bytes, size_t len))
{
	u32 nr = 0;

	for (size_t len = 0; len <= t->len; len++) {
		u8 *copy = exact_copy(t->bytes, len);

		fn(copy, len);
		nr++;
		if (len >= length_at + 4) {
			u32 length = (u32)len;

			memcpy(copy + length_at, &length, sizeof(length));
			fn(copy, len);
			nr++;
		}
		exact_free(copy);
	}
	return nr;
}

/* Feeds fn the table with each of its bytes set to each other value, one at a time. */
static inline u32 each_mutation(const struct table *t, void (*fn)(const u8 *bytes, size_t len))
{
	u8 *copy = exact_copy(t->bytes, t->len);
	u32 nr = 0;

	for (size_t at = 0; at < t->len; at++) {
		for (u32 change = 1; change < 256; change++) {
			copy[at] = (u8)(t->bytes[at] ^ change);
			fn(copy, t->len);
			nr++;
		}
		copy[at] = t->bytes[at];
	}
	exact_free(copy);
	return nr;
}

#endif

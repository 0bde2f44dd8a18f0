/*
 * The root of the tables, twice over.
 *
 * The same bytes are read as an RSDP, an RSDT and an XSDT. An RSDP is taken only if its checksum
 * holds, which blind changes break: so once as they are and once with both sums mended.
 *
 * Then they are a machine's memory, with the RSDP at address 0: addresses in tables are places in the
 * input. What is mapped is a copy of the asked bytes alone, and gone with the next mapping: that is
 * how long acpi_read_tables() may use it. What was found is then described, as `numa` does.
 */
#include "fuzz.h"

#include <base/bytes.h>
#include <base/errno.h>
#include <base/format.h>
#include <kernel/acpi.h>

#define RSDP_V1_BYTES 20
#define RSDP_V2_BYTES 36

static bool adds_up(const u8 *bytes, size_t len)
{
	u8 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + bytes[i]);
	return sum == 0;
}

static void read_rsdp(const u8 *bytes, size_t len)
{
	struct acpi_rsdp rsdp;
	int err = acpi_parse_rsdp(bytes, len, &rsdp);

	if (err) {
		FUZZ_SAME(err, -EINVAL);
		return;
	}
	FUZZ_CHECK(len >= RSDP_V1_BYTES && memcmp(bytes, "RSD PTR ", 8) == 0, "this is no RSDP");
	FUZZ_CHECK(adds_up(bytes, RSDP_V1_BYTES), "wrong sum, and accepted");
	FUZZ_SAME(rsdp.rsdt, read_le32(bytes + 16));
	FUZZ_SAME(rsdp.revision, bytes[15]);
	if (rsdp.extension_ok) {
		FUZZ_CHECK(rsdp.revision >= 2 && len >= RSDP_V2_BYTES, "extension of revision %u",
			   rsdp.revision);
		FUZZ_CHECK(adds_up(bytes, RSDP_V2_BYTES), "wrong second sum, and accepted");
		FUZZ_SAME(rsdp.xsdt, read_le64(bytes + 24));
	} else {
		FUZZ_SAME(rsdp.xsdt, 0);
	}
}

static void read_mended_rsdp(const u8 *bytes, size_t len)
{
	u8 *copy = fuzz_exact_copy(bytes, len);

	if (len >= RSDP_V1_BYTES) {
		memcpy(copy, "RSD PTR ", 8);
		fuzz_mend_checksum(copy, 8, RSDP_V1_BYTES);
	}
	if (len >= RSDP_V2_BYTES)
		fuzz_mend_checksum(copy, 32, RSDP_V2_BYTES);
	read_rsdp(copy, len);
	fuzz_free(copy);
}

/* Entries of 4 or 8 bytes: each is listed in its order, is null, or did not fit. */
static void read_list(const u8 *bytes, size_t len, size_t width,
		      int (*parse)(const void *bytes, size_t len, struct acpi_table_list *out))
{
	static struct acpi_table_list list;
	u32 nr = 0, nr_null = 0, nr_more = 0;
	int err = parse(bytes, len, &list);

	if (err) {
		FUZZ_SAME(err, -EINVAL);
		return;
	}
	FUZZ_CHECK(list.nr <= ACPI_MAX_TABLES, "%u tables", list.nr);
	for (size_t at = ACPI_HEADER_BYTES; at + width <= read_le32(bytes + 4); at += width) {
		u64 addr = width == 8 ? read_le64(bytes + at) : read_le32(bytes + at);

		if (addr == 0) {
			nr_null++;
		} else if (nr == ACPI_MAX_TABLES) {
			nr_more++;
		} else {
			FUZZ_CHECK(nr < list.nr, "entry %u is lost", nr);
			FUZZ_SAME(list.addr[nr], addr);
			nr++;
		}
	}
	FUZZ_SAME(list.nr, nr);
	FUZZ_SAME(list.nr_null, nr_null);
	FUZZ_SAME(list.nr_dropped, nr_more);
}

/* --- As memory ------------------------------------------------------------------------------ */

static struct acpi_tables tables;
static struct topology_notes notes;

static const u8 *ram;
static size_t ram_bytes;
static u8 *mapped;

static void unmap(void)
{
	if (mapped)
		fuzz_free(mapped);
	mapped = NULL;
}

static const void *map(phys_addr_t base, u64 size_bytes)
{
	unmap();
	if (base > ram_bytes || size_bytes > ram_bytes - base)
		return NULL;
	mapped = fuzz_exact_copy(ram + base, size_bytes);
	return mapped;
}

static void expect_places(void)
{
	FUZZ_CHECK(tables.nr_places <= ARRAY_SIZE(tables.places), "%u places", tables.nr_places);
	for (u32 i = 0; i < tables.nr_places; i++) {
		const struct acpi_place *place = &tables.places[i];

		FUZZ_CHECK(place->addr < ram_bytes &&
				   place->header.length <= ram_bytes - place->addr,
			   "table at 0x%llx", (unsigned long long)place->addr);
		for (u32 j = 0; j < i; j++)
			FUZZ_CHECK(tables.places[j].addr != place->addr, "read twice: 0x%llx",
				   (unsigned long long)place->addr);
	}
	FUZZ_CHECK(tables.nr_places || notes.nr, "no table, and not a word why");
}

/* A table is said to be there if and only if one at the places listed can be parsed. */
static void expect_first(const char *signature, bool have)
{
	bool found = false;

	for (u32 i = 0; i < tables.nr_places; i++) {
		const struct acpi_header *header = &tables.places[i].header;

		found |= strcmp(header->signature, signature) == 0 && header->length >= 48;
	}
	FUZZ_CHECK(!found || have, "%s is there, and not found", signature);
}

static void drop(const char *fmt, ...) __printf_like(1, 2);

/* Formatted, so that ASan sees what is read, and dropped. */
static void drop(const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
}

static void describe(void)
{
	static struct numa_topology topology;

	acpi_build_topology(tables.have_srat ? &tables.srat : NULL,
			    tables.have_slit ? &tables.slit : NULL,
			    tables.have_madt ? &tables.madt : NULL, 0, &topology, &notes);
	acpi_describe(&tables, &topology, NULL, drop);
}

static void read_memory(const u8 *data, size_t size)
{
	u8 *rsdp = fuzz_exact_copy(data, MIN(size, (size_t)RSDP_V2_BYTES));

	ram = data;
	ram_bytes = size;
	memset(&notes, 0, sizeof(notes));
	acpi_read_tables(rsdp, MIN(size, (size_t)RSDP_V2_BYTES), map, &tables, &notes);
	unmap();
	fuzz_free(rsdp);
	expect_places();
	expect_first("SRAT", tables.have_srat);
	expect_first("SLIT", tables.have_slit);
	expect_first("APIC", tables.have_madt);
	expect_first("HMAT", tables.have_hmat);
	describe();
}

/* --- One input ------------------------------------------------------------------------------ */

/* Tables alone are changed as such; memory keeps its layout and gets an RSDP that is one. */
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	if (size < RSDP_V2_BYTES || memcmp(data, "RSD PTR ", 8) != 0)
		return fuzz_mutate_tables(data, size, max_size, seed);
	size = LLVMFuzzerMutate(data, size, max_size);
	if (size >= RSDP_V2_BYTES && seed % 8) {
		fuzz_mend_checksum(data, 8, RSDP_V1_BYTES);
		fuzz_mend_checksum(data, 32, RSDP_V2_BYTES);
	}
	return size;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *bytes = fuzz_exact_copy(data, size);

	read_rsdp(bytes, size);
	read_mended_rsdp(bytes, size);
	read_list(bytes, size, 4, acpi_parse_rsdt);
	read_list(bytes, size, 8, acpi_parse_xsdt);
	fuzz_free(bytes);
	read_memory(data, size);
	return 0;
}

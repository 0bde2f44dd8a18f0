/*
 * Finding tables: physical memory made up of a few blocks, each mapped on its own, and an RSDP that
 * leads into it or astray.
 *
 *	0x1000 RSDT   0x2000 XSDT   0x10000 SRAT   0x20000 SLIT   0x30000 APIC   0x5_0000_0000 HMAT
 */
#include <kernel/acpi.h>
#include <kernel/test.h>

#include "acpi_build.h"

#define RSDT_AT    0x1000u
#define XSDT_AT    0x2000u
#define SRAT_AT    0x10000u
#define SLIT_AT    0x20000u
#define MADT_AT    0x30000u
#define HMAT_AT    0x500000000ull
#define NOTHING    0x666000u /* no memory behind it */

#define MAX_BLOCKS (ACPI_MAX_TABLES + 16)

/* --- Physical memory ----------------------------------------------------------------------- */

static struct block {
	phys_addr_t addr;
	u8 *bytes; /* exactly `len`, so that a read past them is seen */
	size_t len;
} blocks[MAX_BLOCKS];
static u32 nr_blocks, nr_maps;
static u8 *mapped; /* what the last call gave: it holds until the next one only */

static struct table table, rsdp;
static struct acpi_tables found;
static struct topology_notes notes;

static void memory_clear(void)
{
	for (u32 i = 0; i < nr_blocks; i++)
		exact_free(blocks[i].bytes);
	nr_blocks = 0;
}

static struct block *block_at(phys_addr_t addr)
{
	for (u32 i = 0; i < nr_blocks; i++)
		if (blocks[i].addr == addr)
			return &blocks[i];
	return NULL;
}

/* Puts the table that was built at addr, in place of what was there. */
static void place(phys_addr_t addr)
{
	struct block *block = block_at(addr);

	if (block)
		exact_free(block->bytes);
	else
		block = &blocks[nr_blocks++];
	*block = (struct block){addr, exact_copy(table.bytes, table.len), table.len};
}

static const void *map(phys_addr_t base, u64 size_bytes)
{
	const struct block *block = block_at(base);

	nr_maps++;
	if (mapped)
		exact_free(mapped);
	mapped = NULL;
	if (!block || size_bytes > block->len)
		return NULL;
	mapped = exact_copy(block->bytes, size_bytes);
	return mapped;
}

/* --- A machine ----------------------------------------------------------------------------- */

static void place_list(phys_addr_t addr, const u64 *entries, u32 nr)
{
	bool wide = addr == XSDT_AT;

	table_begin(&table, wide ? "XSDT" : "RSDT", 1);
	for (u32 i = 0; i < nr; i++)
		put(&table, entries[i], wide ? 8 : 4);
	table_end(&table);
	place(addr);
}

static void place_srat(phys_addr_t addr, u32 domain)
{
	srat_begin(&table, 3);
	srat_memory(&table, domain, 0, GiB(1), SRAT_ENABLED);
	table_end(&table);
	place(addr);
}

/* A machine whose tables are all well, with both lists. */
static void machine_begin(void)
{
	static const u64 both[] = {SRAT_AT, SLIT_AT, MADT_AT, HMAT_AT};
	static const u8 matrix[] = {10};

	memory_clear();
	place_srat(SRAT_AT, 7);
	slit_build(&table, 1, matrix, 1);
	place(SLIT_AT);
	madt_begin(&table, 0xfee00000);
	madt_lapic(&table, 0, 0, MADT_ENABLED);
	table_end(&table);
	place(MADT_AT);
	hmat_begin(&table, 2);
	table_end(&table);
	place(HMAT_AT);
	place_list(XSDT_AT, both, 4);
	place_list(RSDT_AT, both, 3);
	rsdp_build(&rsdp, 2, RSDT_AT, XSDT_AT);
}

static void read_tables(void)
{
	memset(&found, 0xa5, sizeof(found)); /* nothing of what was there may count */
	memset(&notes, 0, sizeof(notes));
	nr_maps = 0;
	acpi_read_tables(rsdp.bytes, rsdp.len, map, &found, &notes);
	if (mapped)
		exact_free(mapped);
	mapped = NULL;
}

static bool noted(const char *text)
{
	for (u32 i = 0; i < notes.nr; i++)
		if (strstr(notes.text[i], text))
			return true;
	return false;
}

static bool has_place(phys_addr_t addr, const char *signature)
{
	for (u32 i = 0; i < found.nr_places; i++)
		if (found.places[i].addr == addr)
			return strcmp(found.places[i].header.signature, signature) == 0;
	return false;
}

/* --- The way to the tables ----------------------------------------------------------------- */

static void xsdt_leads_to_all(struct ktest *t)
{
	machine_begin();
	read_tables();
	EXPECT_EQ(t, notes.nr, 0);
	EXPECT_EQ(t, found.nr_places, 5);
	EXPECT(t, has_place(XSDT_AT, "XSDT"));
	EXPECT(t, has_place(SRAT_AT, "SRAT"));
	EXPECT(t, !has_place(RSDT_AT, "RSDT"));
	EXPECT(t, found.have_srat && found.have_slit && found.have_madt);
	EXPECT_EQ(t, found.srat.memory[0].domain, 7);
	EXPECT_EQ(t, found.slit.localities, 1);
	EXPECT_EQ(t, found.madt.nr_cpus, 1);

	/* Above 4 GiB only an XSDT can point. */
	EXPECT(t, found.have_hmat && found.hmat.known);
	EXPECT(t, has_place(HMAT_AT, "HMAT"));
}

/* A BIOS under QEMU gives revision 0: no XSDT. */
static void rsdt_where_there_is_no_xsdt(struct ktest *t)
{
	machine_begin();
	rsdp_build(&rsdp, 0, RSDT_AT, 0);
	read_tables();
	EXPECT_EQ(t, notes.nr, 0);
	EXPECT_EQ(t, found.nr_places, 4);
	EXPECT(t, has_place(RSDT_AT, "RSDT"));
	EXPECT(t, found.have_srat && found.have_slit && found.have_madt && !found.have_hmat);
}

static void bad_extension_means_rsdt(struct ktest *t)
{
	machine_begin();
	rsdp.bytes[24] ^= 0xff; /* the XSDT's address, which the second checksum covers */
	read_tables();
	EXPECT(t, noted("RSDP: wrong extended checksum: RSDT used, not XSDT"));
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT(t, has_place(RSDT_AT, "RSDT"));
	EXPECT(t, found.have_srat);
}

static void useless_xsdt_means_rsdt(struct ktest *t)
{
	static const u64 nulls[] = {0, 0}, astray[] = {NOTHING};
	static const char *const whys[] = {"XSDT: 2 null entries", "no table at 0x666000",
					   "no XSDT at 0x2000", "no table at 0x2000"};

	for (u32 i = 0; i < ARRAY_SIZE(whys); i++) {
		machine_begin();
		if (i == 0)
			place_list(XSDT_AT, nulls, 2);
		else if (i == 1)
			place_list(XSDT_AT, astray, 1);
		else if (i == 2)
			place_srat(XSDT_AT, 1); /* something, but no XSDT */
		else
			block_at(XSDT_AT)->addr = NOTHING + 1;
		read_tables();
		EXPECT(t, noted(whys[i]));
		EXPECT(t, noted("XSDT leads to no table: RSDT used"));
		EXPECT_EQ(t, notes.nr, 2);
		EXPECT(t, found.have_srat && found.have_slit && found.have_madt);
		EXPECT_EQ(t, found.srat.memory[0].domain, 7);
	}
}

static void without_rsdp_there_is_nothing(struct ktest *t)
{
	machine_begin();
	rsdp.len = 0;
	read_tables();
	EXPECT(t, noted("the loader gave no RSDP"));
	EXPECT_EQ(t, found.nr_places + found.have_srat + nr_maps, 0);

	machine_begin();
	rsdp.bytes[0] = 'X';
	read_tables();
	EXPECT(t, noted("is no RSDP"));
	EXPECT_EQ(t, found.nr_places + found.have_srat + nr_maps, 0);

	memory_clear(); /* an RSDP that leads nowhere */
	rsdp_build(&rsdp, 2, RSDT_AT, XSDT_AT);
	read_tables();
	EXPECT(t, noted("RSDP leads to no table"));
	EXPECT_EQ(t, found.nr_places, 0);
}

/* OVMF leaves null entries in place of tables that it refused. */
static void null_entries_are_left_out(struct ktest *t)
{
	static const u64 with_null[] = {0, SRAT_AT, 0, MADT_AT};

	machine_begin();
	rsdp_build(&rsdp, 0, RSDT_AT, 0);
	place_list(RSDT_AT, with_null, 4);
	read_tables();
	EXPECT(t, noted("RSDT: 2 null entries, 0 more than fit: left out"));
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT(t, found.have_srat && found.have_madt && !found.have_slit);
}

/* A list that names itself, the other list, and a table twice: each address is read once. */
static void loops_and_repeats_end(struct ktest *t)
{
	static const u64 again[] = {XSDT_AT, SRAT_AT, SRAT_AT, RSDT_AT, SRAT_AT, MADT_AT};

	machine_begin();
	place_list(XSDT_AT, again, ARRAY_SIZE(again));
	read_tables();
	EXPECT(t, noted("XSDT lists 3 tables again, or itself: read once"));
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT_EQ(t, found.nr_places, 4); /* XSDT, SRAT, RSDT as a mere table, APIC */
	EXPECT_EQ(t, nr_maps, 8);
	EXPECT(t, found.have_srat && found.have_madt);
	EXPECT(t, !found.have_slit); /* the RSDT was not followed */
}

static void list_of_more_than_fit(struct ktest *t)
{
	u64 many[ACPI_MAX_TABLES + 5];

	machine_begin();
	for (u32 i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = 0x100000 + (u64)i * 0x1000;
		table_begin(&table, "SSDT", 1);
		table_end(&table);
		place(many[i]);
	}
	place_list(XSDT_AT, many, ARRAY_SIZE(many));
	read_tables();
	EXPECT_EQ(t, found.nr_places, ACPI_MAX_TABLES + 1);
	EXPECT(t, noted("XSDT: 0 null entries, 5 more than fit: left out"));
	EXPECT(t, !found.have_srat);
}

/* --- Tables that are not as they should be --------------------------------------------------- */

/* Two SRATs: one real machine has them, and QEMU with `-acpitable`. */
static void first_of_two_srats_counts(struct ktest *t)
{
	static const u64 two[] = {SRAT_AT, 0x11000, MADT_AT};

	machine_begin();
	place_srat(0x11000, 9);
	place_list(XSDT_AT, two, 3);
	read_tables();
	EXPECT(t, noted("another SRAT at 0x11000: the first one is used"));
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT_EQ(t, found.srat.memory[0].domain, 7);
	EXPECT(t, has_place(0x11000, "SRAT")); /* its memory must stay, too */

	/* If the first is not one, the second is the first. */
	table_begin(&table, "SRAT", 3);
	table_end(&table);
	place(SRAT_AT);
	read_tables();
	EXPECT(t, noted("SRAT at 0x10000 is too short for one: left out"));
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT_EQ(t, found.srat.memory[0].domain, 9);
}

static void wrong_checksum_is_said_and_used(struct ktest *t)
{
	machine_begin();
	block_at(SRAT_AT)->bytes[9]++;
	block_at(XSDT_AT)->bytes[9]++;
	read_tables();
	EXPECT(t, noted("SRAT at 0x10000 has a wrong checksum: used all the same"));
	EXPECT(t, noted("XSDT at 0x2000 has a wrong checksum: used all the same"));
	EXPECT_EQ(t, notes.nr, 2);
	EXPECT(t, found.have_srat && found.have_slit);
	EXPECT_EQ(t, found.srat.memory[0].domain, 7);
}

/* Longer than what can be mapped, than any table, shorter than a header; and no header at all. */
static void impossible_lengths_are_left_out(struct ktest *t)
{
	static const struct {
		u32 length;
		const char *why;
	} lies[] = {
		{1000, "(length 1000, cannot all be mapped)"},
		{MiB(16) + 1, "longer than any table"},
		{0xffffffff, "longer than any table"}, /* memory that is not there reads so */
		{35, "shorter than a header"},
		{0, "shorter than a header"},
	};

	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		machine_begin();
		memcpy(block_at(SRAT_AT)->bytes + 4, &lies[i].length, 4);
		read_tables();
		EXPECT(t, noted("no table at 0x10000"));
		EXPECT(t, noted(lies[i].why));
		EXPECT_EQ(t, notes.nr, 1);
		EXPECT(t, !found.have_srat && found.have_slit && found.have_madt);
		EXPECT(t, !has_place(SRAT_AT, "SRAT"));
	}
	machine_begin();
	block_at(SRAT_AT)->len = 20;
	read_tables();
	EXPECT(t, noted("no table at 0x10000 (length 0, cannot be mapped): left out"));
	EXPECT(t, !found.have_srat && found.have_slit);
}

/* Each kind that is used can be too short, without harm to the others. */
static void too_short_for_its_kind(struct ktest *t)
{
	static const char *const kinds[] = {"SRAT", "SLIT", "APIC", "HMAT"};
	static const u64 addrs[] = {SRAT_AT, SLIT_AT, MADT_AT, HMAT_AT};

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		machine_begin();
		table_begin(&table, kinds[i], 1);
		table_end(&table);
		place(addrs[i]);
		read_tables();
		EXPECT_EQ(t, notes.nr, 1);
		EXPECT(t, noted("is too short for one: left out"));
		EXPECT_EQ(t, found.have_srat, i != 0);
		EXPECT_EQ(t, found.have_slit, i != 1);
		EXPECT_EQ(t, found.have_madt, i != 2);
		EXPECT_EQ(t, found.have_hmat, i != 3);
	}
	memory_clear();
}

static const struct ktest_case cases[] = {
	KTEST(xsdt_leads_to_all),
	KTEST(rsdt_where_there_is_no_xsdt),
	KTEST(bad_extension_means_rsdt),
	KTEST(useless_xsdt_means_rsdt),
	KTEST(without_rsdp_there_is_nothing),
	KTEST(null_entries_are_left_out),
	KTEST(loops_and_repeats_end),
	KTEST(list_of_more_than_fit),
	KTEST(first_of_two_srats_counts),
	KTEST(wrong_checksum_is_said_and_used),
	KTEST(impossible_lengths_are_left_out),
	KTEST(too_short_for_its_kind),
};
KTEST_SUITE(acpi_find, cases);

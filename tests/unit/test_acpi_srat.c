/* SRAT: what each entry type says, the widths of domains, and tables that lie. */
#include <base/errno.h>
#include <kernel/acpi.h>
#include <kernel/test.h>

#include "acpi_build.h"

#define SRAT_FIXED 48

static struct table table;
static struct acpi_srat srat;

/* Ends the table and parses an exact copy of it. */
static int parse_table(void)
{
	u8 *copy;
	int err;

	table_end(&table);
	copy = exact_copy(table.bytes, table.len);
	err = acpi_parse_srat(copy, table.len, &srat);
	exact_free(copy);
	return err;
}

/*
 * The 6 GiB machine with 2 nodes that q35 makes: node 0 lies on both sides of the hole.
 *
 *	0  640K 1M             2G      4G        5G          7G
 *	|----|  |--------------|        |---------|-----------|
 *	  0            0                     0          1
 */
static void q35_with_two_nodes(struct ktest *t)
{
	srat_begin(&table, 1);
	for (u8 id = 0; id < 4; id++)
		srat_cpu(&table, id / 2, id, SRAT_ENABLED);
	srat_memory(&table, 0, 0, KiB(640), SRAT_ENABLED);
	srat_memory(&table, 0, MiB(1), GiB(2) - MiB(1), SRAT_ENABLED);
	srat_memory(&table, 0, GiB(4), GiB(1), SRAT_ENABLED);
	srat_memory(&table, 1, GiB(5), GiB(2), SRAT_ENABLED);
	srat_memory(&table, 0, 0, 0, 0);
	ASSERT_EQ(t, parse_table(), 0);

	EXPECT_STREQ(t, srat.header.signature, "SRAT");
	EXPECT_EQ(t, srat.header.revision, 1);
	EXPECT(t, srat.header.checksum_ok);
	ASSERT_EQ(t, srat.nr_cpus, 4);
	for (u32 i = 0; i < 4; i++) {
		EXPECT_EQ(t, srat.cpus[i].apic_id, i);
		EXPECT_EQ(t, srat.cpus[i].domain, i / 2);
		EXPECT(t, srat.cpus[i].enabled);
		EXPECT(t, !srat.cpus[i].x2apic);
	}
	ASSERT_EQ(t, srat.nr_memory, 5);
	EXPECT_EQ(t, srat.memory[1].base, MiB(1));
	EXPECT_EQ(t, srat.memory[1].length, GiB(2) - MiB(1));
	EXPECT_EQ(t, srat.memory[1].domain, 0);
	EXPECT_EQ(t, srat.memory[3].base, GiB(5));
	EXPECT_EQ(t, srat.memory[3].domain, 1);
	EXPECT(t, srat.memory[3].enabled);
	EXPECT(t, !srat.memory[3].hotplug);
	EXPECT(t, !srat.memory[4].enabled);
	EXPECT_EQ(t, srat.nr_unknown + srat.nr_malformed + srat.nr_dropped + srat.bytes_unread, 0);
}

/* Revision 2 widened the domain of types 0 and 1; before that the bytes were reserved. */
static void domain_width_follows_revision(struct ktest *t)
{
	for (u8 revision = 0; revision <= 4; revision++) {
		bool wide = revision >= 2;

		srat_begin(&table, revision);
		srat_cpu(&table, 0x12345678, 9, SRAT_ENABLED);
		srat_memory(&table, 0x9abcdef0, 0, GiB(1), SRAT_ENABLED);
		srat_x2apic(&table, 0x87654321, 0x1234, SRAT_ENABLED);
		ASSERT_EQ(t, parse_table(), 0);
		ASSERT_EQ(t, srat.nr_cpus, 2);
		ASSERT_EQ(t, srat.nr_memory, 1);
		EXPECT_EQ(t, srat.cpus[0].domain, wide ? 0x12345678 : 0x78);
		EXPECT_EQ(t, srat.memory[0].domain, wide ? 0x9abcdef0 : 0xf0);
		EXPECT_EQ(t, srat.cpus[1].domain, 0x87654321);
	}
}

static void x2apic_ids_are_32_bits(struct ktest *t)
{
	srat_begin(&table, 3);
	srat_x2apic(&table, 5, 0xfedcba98, SRAT_ENABLED);
	srat_x2apic(&table, 6, 7, 0);
	ASSERT_EQ(t, parse_table(), 0);
	ASSERT_EQ(t, srat.nr_cpus, 2);
	EXPECT_EQ(t, srat.cpus[0].apic_id, 0xfedcba98);
	EXPECT_EQ(t, srat.cpus[0].domain, 5);
	EXPECT(t, srat.cpus[0].enabled);
	EXPECT(t, srat.cpus[0].x2apic);
	EXPECT(t, !srat.cpus[1].enabled);
}

static void memory_flags_one_by_one(struct ktest *t)
{
	srat_begin(&table, 3);
	for (u32 flags = 0; flags < 8; flags++)
		srat_memory(&table, 0, GiB(flags), GiB(1), flags | 0xfffffff8);
	ASSERT_EQ(t, parse_table(), 0);
	ASSERT_EQ(t, srat.nr_memory, 8);
	for (u32 flags = 0; flags < 8; flags++) {
		EXPECT_EQ(t, srat.memory[flags].enabled, (flags & SRAT_ENABLED) != 0);
		EXPECT_EQ(t, srat.memory[flags].hotplug, (flags & SRAT_HOTPLUG) != 0);
		EXPECT_EQ(t, srat.memory[flags].nonvolatile, (flags & SRAT_NONVOLATILE) != 0);
	}
}

/* A device by its place on PCI, one by its ACPI name, and one by something newer. */
static void initiators_of_each_handle(struct ktest *t)
{
	static const u8 pci[16] = {0x34, 0x12, 0xfa, 0x3b}, newer[16] = {0xff, 0xff};

	srat_begin(&table, 1);
	srat_initiator(&table, 0x12345678, 1, pci, SRAT_ENABLED);
	srat_initiator(&table, 2, 0, "ACPI0017\x44\x33\x22\x11\0\0\0", 0);
	srat_initiator(&table, 3, 9, newer, ~SRAT_ENABLED);
	ASSERT_EQ(t, parse_table(), 0);
	ASSERT_EQ(t, srat.nr_initiators, 3);
	EXPECT_EQ(t, srat.initiators[0].domain, 0x12345678); /* of 32 bits in any revision */
	EXPECT(t, srat.initiators[0].enabled);
	EXPECT_EQ(t, srat.initiators[0].handle_type, ACPI_HANDLE_PCI);
	EXPECT_EQ(t, srat.initiators[0].segment, 0x1234);
	EXPECT_EQ(t, srat.initiators[0].bdf, 0x3bfa);
	EXPECT_EQ(t, srat.initiators[1].handle_type, ACPI_HANDLE_ACPI);
	EXPECT_STREQ(t, srat.initiators[1].hid, "ACPI0017");
	EXPECT_EQ(t, srat.initiators[1].uid, 0x11223344);
	EXPECT(t, !srat.initiators[1].enabled);
	EXPECT_EQ(t, srat.initiators[2].handle_type, 9);
	EXPECT_EQ(t, srat.initiators[2].segment, 0);
	EXPECT(t, !srat.initiators[2].enabled);
	EXPECT_EQ(t, srat.nr_unknown, 0);
}

/* Other types, and entries longer than their type: the next one is still found. */
static void unknown_types_are_passed_over(struct ktest *t)
{
	srat_begin(&table, 3);
	put_entry(&table, 3, 18);
	srat_cpu(&table, 1, 1, SRAT_ENABLED);
	put_entry(&table, 6, 32);
	put_entry(&table, 255, 255);
	put_entry(&table, 200, 2);
	put_entry(&table, 0, 24); /* a CPU entry with 8 bytes of a later version */
	srat_memory(&table, 1, 0, GiB(1), SRAT_ENABLED);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, srat.nr_cpus, 2);
	EXPECT_EQ(t, srat.nr_memory, 1);
	EXPECT_EQ(t, srat.nr_unknown, 4);
	EXPECT_EQ(t, srat.first_unknown, 3);
	EXPECT_EQ(t, srat.nr_malformed, 0);
}

static void short_entries_are_passed_over(struct ktest *t)
{
	srat_begin(&table, 3);
	put_entry(&table, 0, 15);
	put_entry(&table, 1, 39);
	put_entry(&table, 2, 23);
	put_entry(&table, 5, 31);
	put_entry(&table, 1, 2);
	srat_cpu(&table, 1, 1, SRAT_ENABLED);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, srat.nr_malformed, 5);
	EXPECT_EQ(t, srat.bytes_unread, 0);
	EXPECT_EQ(t, srat.nr_cpus, 1);
	EXPECT_EQ(t, srat.nr_memory, 0);
}

/* Lengths 0 and 1 lead nowhere: what came before is kept, the rest is counted. */
static void zero_length_ends_the_walk(struct ktest *t)
{
	for (u8 len = 0; len <= 1; len++) {
		srat_begin(&table, 3);
		srat_cpu(&table, 0, 1, SRAT_ENABLED);
		put(&table, 0, 1);
		put(&table, len, 1);
		srat_cpu(&table, 0, 2, SRAT_ENABLED);
		ASSERT_EQ(t, parse_table(), 0);
		EXPECT_EQ(t, srat.nr_cpus, 1);
		EXPECT_EQ(t, srat.nr_malformed, 1);
		EXPECT_EQ(t, srat.bytes_unread, 18);
	}
}

static void entry_past_the_end_ends_the_walk(struct ktest *t)
{
	srat_begin(&table, 3);
	srat_cpu(&table, 0, 1, SRAT_ENABLED);
	srat_memory(&table, 0, 0, GiB(1), SRAT_ENABLED);
	table.len -= 1; /* the last entry says 40 and has 39 */
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, srat.nr_cpus, 1);
	EXPECT_EQ(t, srat.nr_memory, 0);
	EXPECT_EQ(t, srat.nr_malformed, 1);
	EXPECT_EQ(t, srat.bytes_unread, 39);

	/* A single byte is no entry either. */
	srat_begin(&table, 3);
	srat_cpu(&table, 0, 1, SRAT_ENABLED);
	put(&table, 0, 1);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, srat.nr_cpus, 1);
	EXPECT_EQ(t, srat.nr_malformed, 1);
	EXPECT_EQ(t, srat.bytes_unread, 1);
}

static void full_arrays_count_the_rest(struct ktest *t)
{
	srat_begin(&table, 3);
	for (u32 i = 0; i < ACPI_MAX_CPUS + 2; i++)
		srat_x2apic(&table, 0, i, SRAT_ENABLED);
	for (u32 i = 0; i < ACPI_MAX_MEMORY + 5; i++)
		srat_memory(&table, 0, GiB(i), GiB(1), SRAT_ENABLED);
	for (u32 i = 0; i < ACPI_MAX_INITIATORS + 3; i++)
		srat_initiator(&table, i, 1, "0123456789abcdef", SRAT_ENABLED);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, srat.nr_initiators, ACPI_MAX_INITIATORS);
	EXPECT_EQ(t, srat.initiators[ACPI_MAX_INITIATORS - 1].domain, ACPI_MAX_INITIATORS - 1);
	EXPECT_EQ(t, srat.nr_cpus, ACPI_MAX_CPUS);
	EXPECT_EQ(t, srat.cpus[ACPI_MAX_CPUS - 1].apic_id, ACPI_MAX_CPUS - 1);
	EXPECT_EQ(t, srat.nr_memory, ACPI_MAX_MEMORY);
	EXPECT_EQ(t, srat.memory[ACPI_MAX_MEMORY - 1].base, GiB(ACPI_MAX_MEMORY - 1));
	EXPECT_EQ(t, srat.nr_dropped, 10);
}

/*
 * Empty sockets and slots before, between and behind what is there: that is kept whole and in its
 * order, and of the empty ones as many as fit, the first ones.
 */
static void what_is_empty_makes_room(struct ktest *t)
{
	u32 nr_used = 0;

	srat_begin(&table, 3);
	for (u32 i = 0; i < 2 * ACPI_MAX_CPUS; i++) {
		bool used = i % 4 == 3;

		srat_x2apic(&table, i, i, used ? SRAT_ENABLED : 0);
		srat_memory(&table, i, GiB(i), i % 8 == 0 || used ? GiB(1) : 0,
			    i % 8 == 0 ? 0 : SRAT_ENABLED); /* disabled, or of length 0 */
	}
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, srat.nr_cpus, ACPI_MAX_CPUS);
	EXPECT_EQ(t, srat.nr_memory, ACPI_MAX_MEMORY);
	EXPECT_EQ(t, srat.nr_dropped, ACPI_MAX_CPUS + 2 * ACPI_MAX_CPUS - ACPI_MAX_MEMORY);
	EXPECT_EQ(t, srat.nr_unused_cpus, ACPI_MAX_CPUS / 2);
	for (u32 i = 0; i < ACPI_MAX_CPUS; i++) {
		if (i > 0)
			EXPECT(t, srat.cpus[i].apic_id > srat.cpus[i - 1].apic_id);
		if (srat.cpus[i].enabled)
			EXPECT_EQ(t, srat.cpus[i].apic_id, 4 * nr_used++ + 3);
	}
	EXPECT_EQ(t, nr_used, ACPI_MAX_CPUS / 2);
	EXPECT_EQ(t, srat.cpus[0].apic_id, 0);
	nr_used = 0;
	for (u32 i = 0; i < ACPI_MAX_MEMORY; i++)
		if (srat.memory[i].enabled && srat.memory[i].length)
			EXPECT_EQ(t, srat.memory[i].domain, 4 * nr_used++ + 3);
	EXPECT_EQ(t, nr_used, ACPI_MAX_CPUS / 2);
}

static void what_is_no_srat(struct ktest *t)
{
	srat_begin(&table, 3);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, srat.nr_cpus + srat.nr_memory, 0);
	table_end(&table);
	table.bytes[3] = 'X';
	EXPECT_EQ(t, acpi_parse_srat(table.bytes, table.len, &srat), -EINVAL);

	table_begin(&table, "SRAT", 3); /* the header alone: 12 bytes are missing */
	EXPECT_EQ(t, parse_table(), -EINVAL);
}

static u32 nr_parsed;
static bool beyond_bounds;

static void try_srat(const u8 *bytes, size_t len)
{
	if (acpi_parse_srat(bytes, len, &srat) == 0)
		nr_parsed++;
	if (srat.nr_cpus > len / 16 || srat.nr_memory > len / 40 || srat.nr_initiators > len / 32 ||
	    srat.bytes_unread > len)
		beyond_bounds = true;
}

static void survives_any_byte(struct ktest *t)
{
	srat_begin(&table, 3);
	srat_cpu(&table, 1, 1, SRAT_ENABLED);
	srat_memory(&table, 1, 0, GiB(1), SRAT_ENABLED);
	srat_x2apic(&table, 2, 300, SRAT_ENABLED);
	put_entry(&table, 5, 32);
	srat_memory(&table, 2, GiB(1), GiB(1), SRAT_ENABLED);
	table_end(&table);

	each_truncation(&table, ACPI_LENGTH_AT, try_srat);
	EXPECT_EQ(t, nr_parsed, 1 + (table.len - SRAT_FIXED + 1));
	EXPECT_EQ(t, each_mutation(&table, try_srat), table.len * 255);
	EXPECT(t, !beyond_bounds);
}

static const struct ktest_case cases[] = {
	KTEST(q35_with_two_nodes),
	KTEST(domain_width_follows_revision),
	KTEST(x2apic_ids_are_32_bits),
	KTEST(memory_flags_one_by_one),
	KTEST(initiators_of_each_handle),
	KTEST(unknown_types_are_passed_over),
	KTEST(short_entries_are_passed_over),
	KTEST_SLOW(zero_length_ends_the_walk, 10),        /* a loop fails soon */
	KTEST_SLOW(entry_past_the_end_ends_the_walk, 10), /* a loop fails soon */
	KTEST(full_arrays_count_the_rest),
	KTEST(what_is_empty_makes_room),
	KTEST(what_is_no_srat),
	KTEST(survives_any_byte),
};
KTEST_SUITE(acpi_srat, cases);

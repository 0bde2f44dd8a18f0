/* MADT: the CPUs it lists, in both forms, among entries of other types. */
#include <base/errno.h>
#include <kernel/acpi.h>
#include <kernel/test.h>

#include "acpi_build.h"

#define MADT_FIXED 44

static struct table table;
static struct acpi_madt madt;

static int parse_table(void)
{
	u8 *copy;
	int err;

	table_end(&table);
	copy = exact_copy(table.bytes, table.len);
	err = acpi_parse_madt(copy, table.len, &madt);
	exact_free(copy);
	return err;
}

static void cpus_of_both_forms(struct ktest *t)
{
	madt_begin(&table, 0xfee00000);
	put_entry(&table, 1, 12); /* I/O APIC */
	madt_lapic(&table, 1, 16, MADT_ENABLED);
	madt_lapic(&table, 2, 131, 0);
	put_entry(&table, 2, 10); /* interrupt source override */
	madt_lapic(&table, 3, 132, MADT_CAPABLE);
	madt_x2apic(&table, 0x10000, 0xabcdef, MADT_ENABLED);
	put_entry(&table, 127, 60);
	ASSERT_EQ(t, parse_table(), 0);

	EXPECT_STREQ(t, madt.header.signature, "APIC");
	EXPECT(t, madt.header.checksum_ok);
	EXPECT_EQ(t, madt.lapic_address, 0xfee00000);
	ASSERT_EQ(t, madt.nr_cpus, 4);
	EXPECT_EQ(t, madt.cpus[0].apic_id, 16);
	EXPECT_EQ(t, madt.cpus[0].uid, 1);
	EXPECT(t, madt.cpus[0].enabled);
	EXPECT(t, !madt.cpus[0].online_capable);
	EXPECT(t, !madt.cpus[0].x2apic);
	EXPECT_EQ(t, madt.cpus[1].apic_id, 131);
	EXPECT(t, !madt.cpus[1].enabled);
	EXPECT(t, !madt.cpus[2].enabled);
	EXPECT(t, madt.cpus[2].online_capable);
	EXPECT_EQ(t, madt.cpus[3].apic_id, 0xabcdef);
	EXPECT_EQ(t, madt.cpus[3].uid, 0x10000);
	EXPECT(t, madt.cpus[3].enabled);
	EXPECT(t, madt.cpus[3].x2apic);
	EXPECT_EQ(t, madt.nr_malformed + madt.nr_dropped + madt.bytes_unread, 0);
}

static void address_override_wins(struct ktest *t)
{
	madt_begin(&table, 0xfee00000);
	madt_lapic_address(&table, 0x1fee00000);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, madt.lapic_address, 0x1fee00000);
	EXPECT_EQ(t, madt.nr_cpus, 0);
}

static void short_entries_are_passed_over(struct ktest *t)
{
	madt_begin(&table, 0xfee00000);
	put_entry(&table, 0, 7);
	put_entry(&table, 5, 11);
	put_entry(&table, 9, 15);
	madt_lapic(&table, 0, 3, MADT_ENABLED);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, madt.nr_malformed, 3);
	EXPECT_EQ(t, madt.bytes_unread, 0);
	EXPECT_EQ(t, madt.lapic_address, 0xfee00000);
	ASSERT_EQ(t, madt.nr_cpus, 1);
	EXPECT_EQ(t, madt.cpus[0].apic_id, 3);
}

static void bad_length_ends_the_walk(struct ktest *t)
{
	static const u8 lengths[] = {0, 1, 200};

	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++) {
		madt_begin(&table, 0xfee00000);
		madt_lapic(&table, 0, 1, MADT_ENABLED);
		put(&table, 0, 1);
		put(&table, lengths[i], 1);
		madt_lapic(&table, 0, 2, MADT_ENABLED);
		ASSERT_EQ(t, parse_table(), 0);
		EXPECT_EQ(t, madt.nr_cpus, 1);
		EXPECT_EQ(t, madt.nr_malformed, 1);
		EXPECT_EQ(t, madt.bytes_unread, 10);
	}
}

static void full_array_counts_the_rest(struct ktest *t)
{
	madt_begin(&table, 0xfee00000);
	for (u32 i = 0; i < ACPI_MAX_CPUS + 4; i++)
		madt_x2apic(&table, i, i, MADT_ENABLED);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, madt.nr_cpus, ACPI_MAX_CPUS);
	EXPECT_EQ(t, madt.nr_dropped, 4);
}

/* A thousand empty sockets before the CPUs that are there. */
static void empty_sockets_make_room(struct ktest *t)
{
	madt_begin(&table, 0xfee00000);
	for (u32 i = 0; i < 1000; i++)
		madt_x2apic(&table, i, 5000 + i, 0);
	for (u32 i = 0; i < 3; i++)
		madt_lapic(&table, i, i, MADT_ENABLED);
	madt_x2apic(&table, 9, 9000, 0);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, madt.nr_cpus, ACPI_MAX_CPUS);
	EXPECT_EQ(t, madt.nr_unused_cpus, ACPI_MAX_CPUS - 3);
	EXPECT_EQ(t, madt.nr_dropped, 1004 - ACPI_MAX_CPUS);
	EXPECT_EQ(t, madt.cpus[ACPI_MAX_CPUS - 4].apic_id, 5000 + ACPI_MAX_CPUS - 4);
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(t, madt.cpus[ACPI_MAX_CPUS - 3 + i].apic_id, i);
}

static void what_is_no_madt(struct ktest *t)
{
	table_begin(&table, "APIC", 3); /* the header alone: address and flags are missing */
	put(&table, 0xfee00000, 4);
	EXPECT_EQ(t, parse_table(), -EINVAL);
	table_begin(&table, "MADT", 3); /* its name, but not its signature */
	put(&table, 0, 8);
	EXPECT_EQ(t, parse_table(), -EINVAL);
}

static u32 nr_parsed;
static bool beyond_bounds;

static void try_madt(const u8 *bytes, size_t len)
{
	if (acpi_parse_madt(bytes, len, &madt) == 0)
		nr_parsed++;
	if (madt.nr_cpus > len / 8 || madt.bytes_unread > len)
		beyond_bounds = true;
}

static void survives_any_byte(struct ktest *t)
{
	madt_begin(&table, 0xfee00000);
	madt_lapic(&table, 0, 0, MADT_ENABLED);
	madt_lapic_address(&table, 0x1fee00000);
	put_entry(&table, 1, 12);
	madt_x2apic(&table, 1, 300, MADT_ENABLED);
	madt_lapic(&table, 2, 2, MADT_ENABLED);
	table_end(&table);

	each_truncation(&table, ACPI_LENGTH_AT, try_madt);
	EXPECT_EQ(t, nr_parsed, 1 + (table.len - MADT_FIXED + 1));
	EXPECT_EQ(t, each_mutation(&table, try_madt), table.len * 255);
	EXPECT(t, !beyond_bounds);
}

static const struct ktest_case cases[] = {
	KTEST(cpus_of_both_forms),
	KTEST(address_override_wins),
	KTEST(short_entries_are_passed_over),
	KTEST_SLOW(bad_length_ends_the_walk, 10), /* a loop fails soon */
	KTEST(full_array_counts_the_rest),
	KTEST(empty_sockets_make_room),
	KTEST(what_is_no_madt),
	KTEST(survives_any_byte),
};
KTEST_SUITE(acpi_madt, cases);

/* RSDP, the common header, RSDT and XSDT: from the root pointer to the list of tables. */
#include <base/errno.h>
#include <kernel/acpi.h>
#include <kernel/test.h>

#include "acpi_build.h"

static struct table table;

/* --- RSDP ---------------------------------------------------------------------------------- */

/* Revision 0 has an RSDT only, revision 2 both; its second part makes it longer. */
static void rsdp_of_both_revisions(struct ktest *t)
{
	static const struct {
		u8 revision;
		size_t len;
		u64 xsdt;
	} forms[] = {{0, 20, 0}, {2, 36, 0x123456789abcdef0}};

	for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
		struct acpi_rsdp rsdp;

		rsdp_build(&table, forms[i].revision, 0x7ffe1234, forms[i].xsdt);
		ASSERT_EQ(t, table.len, forms[i].len);
		ASSERT_EQ(t, acpi_parse_rsdp(table.bytes, table.len, &rsdp), 0);
		EXPECT_EQ(t, rsdp.revision, forms[i].revision);
		EXPECT_EQ(t, rsdp.rsdt, 0x7ffe1234);
		EXPECT_EQ(t, rsdp.xsdt, forms[i].xsdt);
		EXPECT_EQ(t, rsdp.extension_ok, forms[i].revision == 2);
	}
}

/* Revision 0 has no second part: bytes that happen to stand there mean nothing. */
static void rsdp_1_0_ignores_what_follows(struct ktest *t)
{
	struct acpi_rsdp rsdp;

	rsdp_build(&table, 2, 0x1000, 0x2000);
	table.bytes[15] = 0;
	patch_checksum(&table, 8, 20);
	patch_checksum(&table, 32, 36);
	ASSERT_EQ(t, acpi_parse_rsdp(table.bytes, table.len, &rsdp), 0);
	EXPECT_EQ(t, rsdp.xsdt, 0);
}

static void rsdp_bad_extension_falls_back(struct ktest *t)
{
	struct acpi_rsdp rsdp;

	rsdp_build(&table, 2, 0x1000, 0x2000);
	table.bytes[25] ^= 1;
	ASSERT_EQ(t, acpi_parse_rsdp(table.bytes, table.len, &rsdp), 0);
	EXPECT_EQ(t, rsdp.rsdt, 0x1000);
	EXPECT_EQ(t, rsdp.xsdt, 0);
	EXPECT(t, !rsdp.extension_ok);

	/* And when only the first 20 bytes were handed over. */
	rsdp_build(&table, 2, 0x1000, 0x2000);
	ASSERT_EQ(t, acpi_parse_rsdp(table.bytes, 20, &rsdp), 0);
	EXPECT_EQ(t, rsdp.rsdt, 0x1000);
	EXPECT_EQ(t, rsdp.xsdt, 0);
	EXPECT(t, !rsdp.extension_ok);
}

static void rsdp_needs_signature_and_checksum(struct ktest *t)
{
	struct acpi_rsdp rsdp;

	rsdp_build(&table, 0, 0x1000, 0);
	table.bytes[16] ^= 1;
	EXPECT_EQ(t, acpi_parse_rsdp(table.bytes, table.len, &rsdp), -EINVAL);
	rsdp_build(&table, 0, 0x1000, 0);
	table.bytes[7] = 'X'; /* and a checksum that holds */
	patch_checksum(&table, 8, 20);
	EXPECT_EQ(t, acpi_parse_rsdp(table.bytes, table.len, &rsdp), -EINVAL);
	EXPECT_EQ(t, rsdp.rsdt, 0);
}

static u32 nr_accepted;
static bool accepted_foreign_xsdt;

static void try_rsdp(const u8 *bytes, size_t len)
{
	struct acpi_rsdp rsdp;

	if (acpi_parse_rsdp(bytes, len, &rsdp) != 0)
		return;
	nr_accepted++;
	if (rsdp.xsdt != 0 && rsdp.xsdt != 0x2000)
		accepted_foreign_xsdt = true;
}

static void rsdp_survives_any_byte(struct ktest *t)
{
	rsdp_build(&table, 2, 0x1000, 0x2000);
	nr_accepted = 0;
	/* Lengths 20 to 36 are at least the 1.0 form. No length field is mended: none is read. */
	EXPECT_EQ(t, each_truncation(&table, table.len, try_rsdp), 37);
	EXPECT_EQ(t, nr_accepted, 17);

	/* One changed byte breaks one of the sums, so no changed XSDT address is ever believed. */
	nr_accepted = 0;
	EXPECT_EQ(t, each_mutation(&table, try_rsdp), 36 * 255);
	EXPECT_EQ(t, nr_accepted, 16 * 255);
	EXPECT(t, !accepted_foreign_xsdt);
}

/* --- Header -------------------------------------------------------------------------------- */

static void header_fields(struct ktest *t)
{
	struct acpi_header header;

	table_begin(&table, "TEST", 7);
	put(&table, 0x55, 1);
	table_end(&table);
	ASSERT_EQ(t, acpi_parse_header(table.bytes, table.len + 10, &header), 0);
	EXPECT_STREQ(t, header.signature, "TEST");
	EXPECT_EQ(t, header.length, 37);
	EXPECT_EQ(t, header.revision, 7);
	EXPECT(t, header.checksum_ok);
	EXPECT_STREQ(t, header.oem_id, "HIGHWT");
	EXPECT_STREQ(t, header.oem_table_id, "UNITTEST");
}

static void header_reports_checksum(struct ktest *t)
{
	struct acpi_header header;

	table_begin(&table, "TEST", 7);
	table_end(&table);
	table.bytes[30] ^= 0x10;
	ASSERT_EQ(t, acpi_parse_header(table.bytes, table.len, &header), 0);
	EXPECT(t, !header.checksum_ok);
	EXPECT_EQ(t, header.length, 36);
}

/* Text goes to the log: padding is cut, what cannot be printed is masked. */
static void header_text_is_printable(struct ktest *t)
{
	struct acpi_header header;

	table_begin(&table, "T\x1bST", 1);
	memcpy(table.bytes + 10, "AB \0  ", 6);
	memcpy(table.bytes + 16, "\0\0\0\0\0\0\0\0", 8);
	table_end(&table);
	ASSERT_EQ(t, acpi_parse_header(table.bytes, table.len, &header), 0);
	EXPECT_STREQ(t, header.signature, "T?ST");
	EXPECT_STREQ(t, header.oem_id, "AB");
	EXPECT_STREQ(t, header.oem_table_id, "");
}

static void header_length_is_bounded(struct ktest *t)
{
	struct acpi_header header;

	table_begin(&table, "TEST", 1);
	table_end(&table);
	for (u32 length = 0; length < 36; length++) {
		patch(&table, 4, length, 4);
		EXPECT_EQ(t, acpi_parse_header(table.bytes, table.len, &header), -EINVAL);
	}
	patch(&table, 4, 37, 4);
	EXPECT_EQ(t, acpi_parse_header(table.bytes, table.len, &header), -EINVAL);
	patch(&table, 4, 0xffffffff, 4);
	EXPECT_EQ(t, acpi_parse_header(table.bytes, table.len, &header), -EINVAL);
	EXPECT_EQ(t, acpi_parse_header(table.bytes, 35, &header), -EINVAL);
	EXPECT_EQ(t, acpi_parse_header(NULL, 0, &header), -EINVAL);
}

/* --- RSDT and XSDT ------------------------------------------------------------------------- */

static struct acpi_table_list list;

static void lists_of_both_widths(struct ktest *t)
{
	table_begin(&table, "RSDT", 1);
	put(&table, 0x7ffe0001, 4);
	put(&table, 0x7ffe0002, 4);
	put(&table, 0x7ffe0003, 4);
	table_end(&table);
	ASSERT_EQ(t, acpi_parse_rsdt(table.bytes, table.len, &list), 0);
	ASSERT_EQ(t, list.nr, 3);
	EXPECT_EQ(t, list.addr[0], 0x7ffe0001);
	EXPECT_EQ(t, list.addr[2], 0x7ffe0003);
	EXPECT_EQ(t, acpi_parse_xsdt(table.bytes, table.len, &list), -EINVAL);

	table_begin(&table, "XSDT", 1);
	put(&table, 0x123456789a, 8);
	put(&table, 0x7ffe0002, 8);
	table_end(&table);
	ASSERT_EQ(t, acpi_parse_xsdt(table.bytes, table.len, &list), 0);
	ASSERT_EQ(t, list.nr, 2);
	EXPECT_EQ(t, list.addr[0], 0x123456789a);
	EXPECT_EQ(t, list.addr[1], 0x7ffe0002);
	EXPECT_EQ(t, acpi_parse_rsdt(table.bytes, table.len, &list), -EINVAL);
}

static void lists_leave_out_null_and_halves(struct ktest *t)
{
	table_begin(&table, "XSDT", 1);
	put(&table, 0, 8);
	put(&table, 0x1000, 8);
	put(&table, 0, 8);
	put(&table, 0x2000, 7); /* seven eighths of an entry */
	table_end(&table);
	ASSERT_EQ(t, acpi_parse_xsdt(table.bytes, table.len, &list), 0);
	EXPECT_EQ(t, list.nr, 1);
	EXPECT_EQ(t, list.addr[0], 0x1000);
	EXPECT_EQ(t, list.nr_null, 2);
	EXPECT_EQ(t, list.nr_dropped, 0);

	table_begin(&table, "XSDT", 1);
	table_end(&table);
	ASSERT_EQ(t, acpi_parse_xsdt(table.bytes, table.len, &list), 0);
	EXPECT_EQ(t, list.nr, 0);
}

static void lists_drop_what_does_not_fit(struct ktest *t)
{
	table_begin(&table, "RSDT", 1);
	for (u32 i = 1; i <= ACPI_MAX_TABLES + 3; i++)
		put(&table, i << 12, 4);
	table_end(&table);
	ASSERT_EQ(t, acpi_parse_rsdt(table.bytes, table.len, &list), 0);
	EXPECT_EQ(t, list.nr, ACPI_MAX_TABLES);
	EXPECT_EQ(t, list.addr[ACPI_MAX_TABLES - 1], (u64)ACPI_MAX_TABLES << 12);
	EXPECT_EQ(t, list.nr_dropped, 3);
}

static u32 max_listed;

static void try_list(const u8 *bytes, size_t len)
{
	if (acpi_parse_xsdt(bytes, len, &list) == 0)
		nr_accepted++;
	max_listed = MAX(max_listed, list.nr);
}

static void lists_survive_any_byte(struct ktest *t)
{
	table_begin(&table, "XSDT", 1);
	for (u64 i = 1; i <= 6; i++)
		put(&table, i << 20, 8);
	table_end(&table);
	nr_accepted = max_listed = 0;
	each_truncation(&table, ACPI_LENGTH_AT, try_list);
	EXPECT_EQ(t, nr_accepted, 1 + (table.len - ACPI_HEADER_BYTES + 1));
	EXPECT_EQ(t, max_listed, 6);
	EXPECT_EQ(t, each_mutation(&table, try_list), table.len * 255);
	EXPECT_EQ(t, max_listed, 6);
}

static const struct ktest_case cases[] = {
	KTEST(rsdp_of_both_revisions),          KTEST(rsdp_1_0_ignores_what_follows),
	KTEST(rsdp_bad_extension_falls_back),   KTEST(rsdp_needs_signature_and_checksum),
	KTEST(rsdp_survives_any_byte),          KTEST(header_fields),
	KTEST(header_reports_checksum),         KTEST(header_text_is_printable),
	KTEST(header_length_is_bounded),        KTEST(lists_of_both_widths),
	KTEST(lists_leave_out_null_and_halves), KTEST(lists_drop_what_does_not_fit),
	KTEST(lists_survive_any_byte),
};
KTEST_SUITE(acpi_root, cases);

/* HMAT: its three kinds of entries in both revisions, units, and tables that lie. */
#include <base/errno.h>
#include <kernel/acpi.h>
#include <kernel/test.h>

#include "acpi_build.h"

#define HMAT_FIXED 40

static struct table table;
static struct acpi_hmat hmat;
static struct topology_notes notes;

static int parse_table(void)
{
	u8 *copy;
	int err;

	table_end(&table);
	copy = exact_copy(table.bytes, table.len);
	err = acpi_parse_hmat(copy, table.len, &hmat);
	exact_free(copy);
	return err;
}

/* Rows 0 and 1, columns 0, 1 and 7. */
static void put_two_by_three(struct table *t, u8 level, u8 data, u64 base_unit)
{
	static const u32 domains[] = {0, 1, 0, 1, 7};
	static const u16 values[] = {10, 21, 35, 22, 10, 0};

	hmat_matrix(t, level, data, base_unit, 2, 3);
	for (u32 i = 0; i < ARRAY_SIZE(domains); i++)
		put(t, domains[i], 4);
	for (u32 i = 0; i < ARRAY_SIZE(values); i++)
		put(t, values[i], 2);
}

static void attributes_of_both_revisions(struct ktest *t)
{
	for (u8 revision = 1; revision <= 2; revision++) {
		hmat_begin(&table, revision);
		hmat_attributes(&table, 1, 3, 4);
		hmat_attributes(&table, 2, 5, 0x12345678);
		ASSERT_EQ(t, parse_table(), 0);
		EXPECT(t, hmat.known);
		ASSERT_EQ(t, hmat.nr_attributes, 2);
		EXPECT_EQ(t, hmat.attributes[0].initiator, 3);
		EXPECT_EQ(t, hmat.attributes[0].memory, 4);
		EXPECT(t, hmat.attributes[0].initiator_valid);
		EXPECT_EQ(t, hmat.attributes[0].memory_valid, revision == 2);
		EXPECT(t, !hmat.attributes[1].initiator_valid);
		EXPECT(t, hmat.attributes[1].memory_valid);
		EXPECT_EQ(t, hmat.attributes[1].memory, 0x12345678);
	}
}

static void matrix_by_row_and_column(struct ktest *t)
{
	const struct acpi_hmat_matrix *m = &hmat.matrices[1];

	hmat_begin(&table, 2);
	put_two_by_three(&table, 0, ACPI_HMAT_ACCESS_LATENCY, 1000);
	put_two_by_three(&table, 0xf2, ACPI_HMAT_WRITE_BANDWIDTH, 0x100000000);
	ASSERT_EQ(t, parse_table(), 0);
	ASSERT_EQ(t, hmat.nr_matrices, 2);
	EXPECT_EQ(t, hmat.matrices[0].level, 0);
	EXPECT_EQ(t, m->level, 2); /* the upper four bits are flags */
	EXPECT_EQ(t, m->data, ACPI_HMAT_WRITE_BANDWIDTH);
	EXPECT_EQ(t, m->base_unit, 0x100000000);
	EXPECT_EQ(t, m->nr_initiators, 2);
	EXPECT_EQ(t, m->nr_targets, 3);
	EXPECT_EQ(t, m->first_domain, 5);
	EXPECT_EQ(t, m->first_value, 6);
	EXPECT_EQ(t, hmat.domains[m->first_domain + 2 + 2], 7);
	EXPECT_EQ(t, hmat.values[m->first_value + 3], 22);
	EXPECT_EQ(t, acpi_hmat_value(&hmat, &hmat.matrices[0], 0, 1), 21);
	EXPECT_EQ(t, acpi_hmat_value(&hmat, &hmat.matrices[0], 1, 0), 22);
	EXPECT_EQ(t, acpi_hmat_value(&hmat, &hmat.matrices[0], 0, 2), 35);
	EXPECT_EQ(t, acpi_hmat_value(&hmat, &hmat.matrices[0], 1, 2), 0); /* not given */
}

/* Tenths in revision 1; picoseconds and MB/s in revision 2. */
static void units_follow_revision(struct ktest *t)
{
	static const struct {
		u8 revision, data;
		u64 base_unit;
		u16 value;
		u32 expected;
	} rules[] = {
		{1, ACPI_HMAT_READ_LATENCY, 100, 15, 150},
		{1, ACPI_HMAT_READ_LATENCY, 1, 15, 2}, /* rounded up */
		{1, ACPI_HMAT_READ_BANDWIDTH, 100, 15, 150},
		{2, ACPI_HMAT_WRITE_LATENCY, 100, 15, 2},
		{2, ACPI_HMAT_WRITE_LATENCY, 1000, 15, 15},
		{2, ACPI_HMAT_ACCESS_BANDWIDTH, 1024, 15, 15360},
		{2, ACPI_HMAT_ACCESS_BANDWIDTH, 1, 0xfffe, 0xfffe},
		{2, ACPI_HMAT_ACCESS_BANDWIDTH, 1, 0xffff, 0}, /* not reachable */
		{2, ACPI_HMAT_ACCESS_BANDWIDTH, 0, 15, 0},
		{2, ACPI_HMAT_ACCESS_BANDWIDTH, 0x11111111, 15, 0xffffffff},
		{2, ACPI_HMAT_ACCESS_BANDWIDTH, 0x11111112, 15, 0}, /* more than 32 bits */
		{2, ACPI_HMAT_READ_LATENCY, ~0ull, 1, 0},
		{2, ACPI_HMAT_READ_LATENCY, 0xffffffff, 1, 4294968},
	};

	for (u32 i = 0; i < ARRAY_SIZE(rules); i++) {
		hmat_begin(&table, rules[i].revision);
		hmat_matrix(&table, 0, rules[i].data, rules[i].base_unit, 1, 1);
		put(&table, 0, 8);
		put(&table, rules[i].value, 2);
		ASSERT_EQ(t, parse_table(), 0);
		ASSERT_EQ(t, hmat.nr_matrices, 1);
		EXPECT_EQ(t, acpi_hmat_value(&hmat, &hmat.matrices[0], 0, 0), rules[i].expected);
	}
}

static void caches_field_by_field(struct ktest *t)
{
	hmat_begin(&table, 2);
	hmat_cache(&table, 6, 0x123456789a, 0x00401213);
	hmat_cache(&table, 7, 1, 0xffff0000);
	ASSERT_EQ(t, parse_table(), 0);
	ASSERT_EQ(t, hmat.nr_caches, 2);
	EXPECT_EQ(t, hmat.caches[0].memory, 6);
	EXPECT_EQ(t, hmat.caches[0].size_bytes, 0x123456789a);
	EXPECT_EQ(t, hmat.caches[0].levels, 3);
	EXPECT_EQ(t, hmat.caches[0].level, 1);
	EXPECT_EQ(t, hmat.caches[0].associativity, 2);
	EXPECT_EQ(t, hmat.caches[0].write_policy, 1);
	EXPECT_EQ(t, hmat.caches[0].line_bytes, 64);
	EXPECT_EQ(t, hmat.caches[1].line_bytes, 0xffff);
	EXPECT_EQ(t, hmat.caches[1].level, 0);
}

static void other_revisions_are_not_read(struct ktest *t)
{
	for (u32 revision = 0; revision <= 255; revision += revision == 3 ? 252 : 3) {
		hmat_begin(&table, (u8)revision);
		hmat_attributes(&table, 3, 0, 0);
		ASSERT_EQ(t, parse_table(), 0);
		EXPECT(t, !hmat.known);
		EXPECT_EQ(t, hmat.nr_attributes, 0);
	}
}

/* Rows and columns that the entry has no room for, up to those whose product wraps. */
static void matrix_that_is_not_there(struct ktest *t)
{
	static const u32 lies[][2] = {{2, 4},
				      {3, 3},
				      {0x80000000, 2},
				      {2, 0x80000000},
				      {0xffffffff, 1},
				      {0xffffffff, 0xffffffff},
				      {0x10000, 0x10000}};

	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		hmat_begin(&table, 2);
		put_two_by_three(&table, 0, 0, 1);
		patch(&table, HMAT_FIXED + 12, lies[i][0], 4);
		patch(&table, HMAT_FIXED + 16, lies[i][1], 4);
		hmat_cache(&table, 1, 1, 1);
		ASSERT_EQ(t, parse_table(), 0);
		EXPECT_EQ(t, hmat.nr_matrices, 0);
		EXPECT_EQ(t, hmat.nr_malformed, 1);
		EXPECT_EQ(t, hmat.nr_caches, 1); /* the next entry is found */
	}

	/* Less than there is room for is no lie. */
	hmat_begin(&table, 2);
	put_two_by_three(&table, 0, 0, 1);
	patch(&table, HMAT_FIXED + 16, 0, 4);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, hmat.nr_matrices, 1);
	EXPECT_EQ(t, hmat.nr_values, 0);
	EXPECT_EQ(t, hmat.nr_malformed, 0);
}

static void put_square(u32 n)
{
	hmat_matrix(&table, 0, 0, 1, n, n);
	for (u32 i = 0; i < 2 * n; i++)
		put(&table, i, 4);
	for (u32 i = 0; i < n * n; i++)
		put(&table, i, 2);
}

static void full_arrays_count_the_rest(struct ktest *t)
{
	hmat_begin(&table, 2);
	for (u32 i = 0; i < 5; i++)
		put_square(64); /* four fill the values */
	put_square(1);
	for (u32 i = 0; i < ACPI_HMAT_MAX_ATTRIBUTES + 3; i++)
		hmat_attributes(&table, 3, i, i);
	for (u32 i = 0; i < ACPI_HMAT_MAX_CACHES + 1; i++)
		hmat_cache(&table, i, 1, 1);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, hmat.nr_matrices, 4);
	EXPECT_EQ(t, hmat.nr_values, ACPI_HMAT_MAX_VALUES);
	EXPECT_EQ(t, hmat.values[ACPI_HMAT_MAX_VALUES - 1], 64 * 64 - 1);
	EXPECT_EQ(t, hmat.nr_attributes, ACPI_HMAT_MAX_ATTRIBUTES);
	EXPECT_EQ(t, hmat.nr_caches, ACPI_HMAT_MAX_CACHES);
	EXPECT_EQ(t, hmat.nr_dropped, 2 + 3 + 1);

	hmat_begin(&table, 2);
	for (u32 i = 0; i < ACPI_HMAT_MAX_MATRICES + 2; i++)
		put_square(1);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, hmat.nr_matrices, ACPI_HMAT_MAX_MATRICES);
	EXPECT_EQ(t, hmat.nr_dropped, 2);

	hmat_begin(&table, 2); /* long lists without values */
	hmat_matrix(&table, 0, 0, 1, ACPI_HMAT_MAX_DOMAINS, 0);
	for (u32 i = 0; i < ACPI_HMAT_MAX_DOMAINS; i++)
		put(&table, i, 4);
	put_square(1);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, hmat.nr_matrices, 1);
	EXPECT_EQ(t, hmat.nr_domains, ACPI_HMAT_MAX_DOMAINS);
	EXPECT_EQ(t, hmat.nr_dropped, 1);
}

/* An entry's length has 32 bits here; one shorter than type and length leads nowhere. */
static void bad_length_ends_the_walk(struct ktest *t)
{
	static const u32 lengths[] = {0, 1, 7, 200, 0xffffffff};

	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++) {
		hmat_begin(&table, 2);
		hmat_cache(&table, 1, 1, 1);
		put(&table, 2, 4);
		put(&table, lengths[i], 4);
		hmat_cache(&table, 1, 1, 1);
		ASSERT_EQ(t, parse_table(), 0);
		EXPECT_EQ(t, hmat.nr_caches, 1);
		EXPECT_EQ(t, hmat.nr_malformed, 1);
		EXPECT_EQ(t, hmat.bytes_unread, 40);
	}
}

static void short_and_unknown_are_passed_over(struct ktest *t)
{
	hmat_begin(&table, 2);
	for (u32 type = 0; type <= 3; type++) {
		put(&table, type, 4);
		put(&table, 16, 4);
		put(&table, 0, 8);
	}
	hmat_cache(&table, 1, 1, 1);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, hmat.nr_malformed, 3);
	EXPECT_EQ(t, hmat.nr_unknown, 1);
	EXPECT_EQ(t, hmat.first_unknown, 3);
	EXPECT_EQ(t, hmat.nr_caches, 1);
}

static void what_is_odd_is_noted(struct ktest *t)
{
	static struct numa_topology topology = {.nr_nodes = 2, .domain = {0, 1}};
	static struct numa_topology flat = {.nr_nodes = 1};

	hmat_begin(&table, 2);
	put_two_by_three(&table, 0, 0, 1); /* names domain 7 */
	hmat_attributes(&table, 1, 8, 0);
	hmat_attributes(&table, 0, 8, 9); /* 8 is not valid here */
	hmat_cache(&table, 1, 1, 1);
	ASSERT_EQ(t, parse_table(), 0);
	memset(&notes, 0, sizeof(notes));
	acpi_note_hmat(&hmat, &topology, &notes);
	ASSERT_EQ(t, notes.nr, 1);
	EXPECT_STREQ(t, notes.text[0], "HMAT names domains that are no nodes, 3 times");

	/* The same HMAT, on a machine without a usable SRAT. */
	memset(&notes, 0, sizeof(notes));
	acpi_note_hmat(&hmat, &flat, &notes);
	ASSERT_EQ(t, notes.nr, 1);
	EXPECT_STREQ(t, notes.text[0], "HMAT is not applied: there is one node");

	memset(&hmat, 0, sizeof(hmat));
	memset(&notes, 0, sizeof(notes));
	hmat.header.revision = 3;
	hmat.nr_malformed = 1;
	hmat.nr_unknown = 2;
	hmat.nr_dropped = 3;
	acpi_note_hmat(&hmat, &topology, &notes);
	EXPECT_EQ(t, notes.nr, 4);
	EXPECT_STREQ(t, notes.text[0], "HMAT is of revision 3, not 1 or 2: not read");
}

static u32 nr_parsed;
static bool beyond_bounds;

static void try_hmat(const u8 *bytes, size_t len)
{
	if (acpi_parse_hmat(bytes, len, &hmat) == 0)
		nr_parsed++;
	if (hmat.nr_attributes > len / 40 || hmat.nr_caches > len / 32 ||
	    hmat.nr_matrices > len / 32 || hmat.nr_values > len / 2 || hmat.bytes_unread > len)
		beyond_bounds = true;
}

static void survives_any_byte(struct ktest *t)
{
	hmat_begin(&table, 2);
	hmat_attributes(&table, 3, 0, 1);
	put_two_by_three(&table, 0, 3, 100);
	hmat_cache(&table, 1, 1, 1);
	table_end(&table);

	each_truncation(&table, ACPI_LENGTH_AT, try_hmat);
	EXPECT_EQ(t, nr_parsed, 1 + (table.len - HMAT_FIXED + 1));
	EXPECT_EQ(t, each_mutation(&table, try_hmat), table.len * 255);
	EXPECT(t, !beyond_bounds);
}

static void what_is_no_hmat(struct ktest *t)
{
	table_begin(&table, "HMAT", 2); /* the header alone: 4 bytes are missing */
	EXPECT_EQ(t, parse_table(), -EINVAL);
	table_begin(&table, "HMAX", 2);
	put(&table, 0, 4);
	EXPECT_EQ(t, parse_table(), -EINVAL);
}

static const struct ktest_case cases[] = {
	KTEST(attributes_of_both_revisions),
	KTEST(matrix_by_row_and_column),
	KTEST(units_follow_revision),
	KTEST(caches_field_by_field),
	KTEST(other_revisions_are_not_read),
	KTEST(matrix_that_is_not_there),
	KTEST(full_arrays_count_the_rest),
	KTEST_SLOW(bad_length_ends_the_walk, 10), /* a loop fails soon */
	KTEST(short_and_unknown_are_passed_over),
	KTEST(what_is_odd_is_noted),
	KTEST(survives_any_byte),
	KTEST(what_is_no_hmat),
};
KTEST_SUITE(acpi_hmat, cases);

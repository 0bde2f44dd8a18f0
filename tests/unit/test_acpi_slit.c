/* SLIT: the matrix, and locality counts that do not fit their table. */
#include <base/errno.h>
#include <kernel/acpi.h>
#include <kernel/test.h>

#include "acpi_build.h"

#define SLIT_FIXED 44

static struct table table;
static struct acpi_slit slit;

static int parse_table(void)
{
	u8 *copy = exact_copy(table.bytes, table.len);
	int err = acpi_parse_slit(copy, table.len, &slit);

	exact_free(copy);
	return err;
}

static void asymmetric_matrix(struct ktest *t)
{
	static const u8 matrix[3][3] = {{10, 20, 30}, {21, 10, 255}, {31, 11, 10}};

	slit_build(&table, 3, &matrix[0][0], sizeof(matrix));
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT(t, slit.header.checksum_ok);
	EXPECT_EQ(t, slit.localities, 3);
	EXPECT_EQ(t, slit.nr_kept, 3);
	for (u32 i = 0; i < 3; i++)
		for (u32 j = 0; j < 3; j++)
			EXPECT_EQ(t, slit.distance[i][j], matrix[i][j]);
	EXPECT(t, !slit.truncated);
	EXPECT_EQ(t, slit.nr_bad_local + slit.nr_bad_remote, 0);
}

static void broken_rules_are_counted(struct ktest *t)
{
	static const u8 matrix[3][3] = {{10, 10, 20}, {9, 11, 20}, {20, 0, 0}};

	slit_build(&table, 3, &matrix[0][0], sizeof(matrix));
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, slit.nr_bad_local, 2);
	EXPECT_EQ(t, slit.nr_bad_remote, 3);
}

/* One real machine has 108 bytes and says 1: what follows the matrix is padding. */
static void padding_after_the_matrix(struct ktest *t)
{
	u8 bytes[64] = {10};

	slit_build(&table, 1, bytes, sizeof(bytes));
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, slit.nr_kept, 1);
	EXPECT_EQ(t, slit.distance[0][0], 10);
	EXPECT_EQ(t, slit.bytes_unread, 63);
	EXPECT(t, !slit.truncated);
	EXPECT_EQ(t, slit.nr_bad_local + slit.nr_bad_remote, 0);
}

static void matrix_that_is_not_there(struct ktest *t)
{
	static const u64 lies[] = {3, 255, 65535, 65536, 1ull << 31, 1ull << 32, 1ull << 63, ~0ull};
	static const u8 matrix[8] = {10, 20, 20, 10, 20, 20, 20, 20};

	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		slit_build(&table, lies[i], matrix, sizeof(matrix));
		ASSERT_EQ(t, parse_table(), 0);
		EXPECT(t, slit.truncated);
		EXPECT_EQ(t, slit.localities, lies[i]);
		EXPECT_EQ(t, slit.nr_kept, 0);
	}
	slit_build(&table, 0, matrix, 0);
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT(t, !slit.truncated);
	EXPECT_EQ(t, slit.nr_kept, 0);
}

/* More rows than are kept: those kept are right, and those beyond are still judged. */
static void more_localities_than_kept(struct ktest *t)
{
	static u8 matrix[300 * 300];

	for (u32 i = 0; i < 300; i++)
		for (u32 j = 0; j < 300; j++)
			matrix[i * 300 + j] = i == j ? 10 : (u8)(11 + (i * 7 + j) % 200);
	slit_build(&table, 300, matrix, sizeof(matrix));
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, slit.localities, 300);
	EXPECT_EQ(t, slit.nr_kept, ACPI_MAX_LOCALITIES);
	EXPECT_EQ(t, slit.distance[255][254], 11 + (255 * 7 + 254) % 200);
	EXPECT_EQ(t, slit.nr_bad_local + slit.nr_bad_remote, 0);

	matrix[299 * 300 + 299] = 11;
	matrix[299 * 300] = 10;
	slit_build(&table, 300, matrix, sizeof(matrix));
	ASSERT_EQ(t, parse_table(), 0);
	EXPECT_EQ(t, slit.nr_bad_local, 1);
	EXPECT_EQ(t, slit.nr_bad_remote, 1);
}

static void what_is_no_slit(struct ktest *t)
{
	table_begin(&table, "SLIT", 1); /* the header alone: the count is missing */
	table_end(&table);
	EXPECT_EQ(t, parse_table(), -EINVAL);
	slit_build(&table, 1, (const u8 *)"\x0a", 1);
	table.bytes[0] = 'X';
	EXPECT_EQ(t, parse_table(), -EINVAL);
}

static u32 nr_parsed, nr_truncated;
static bool beyond_bounds;

static void try_slit(const u8 *bytes, size_t len)
{
	if (acpi_parse_slit(bytes, len, &slit) == 0)
		nr_parsed++;
	nr_truncated += slit.truncated;
	if ((u64)slit.nr_kept * slit.nr_kept > len)
		beyond_bounds = true;
}

static void survives_any_byte(struct ktest *t)
{
	static const u8 matrix[3][3] = {{10, 20, 30}, {21, 10, 40}, {31, 11, 10}};

	slit_build(&table, 3, &matrix[0][0], sizeof(matrix));
	each_truncation(&table, ACPI_LENGTH_AT, try_slit);
	EXPECT_EQ(t, nr_parsed, 1 + (table.len - SLIT_FIXED + 1));
	EXPECT_EQ(t, nr_truncated, 9); /* matrices of 0 to 8 bytes */
	EXPECT_EQ(t, each_mutation(&table, try_slit), table.len * 255);
	EXPECT(t, !beyond_bounds);
}

static const struct ktest_case cases[] = {
	KTEST(asymmetric_matrix),         KTEST(broken_rules_are_counted),
	KTEST(padding_after_the_matrix),  KTEST(matrix_that_is_not_there),
	KTEST(more_localities_than_kept), KTEST(what_is_no_slit),
	KTEST(survives_any_byte),
};
KTEST_SUITE(acpi_slit, cases);

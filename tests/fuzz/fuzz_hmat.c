/*
 * HMAT: any bytes. Each entry is in one count; a matrix is kept with exactly its rows, columns and
 * values, and what a value means in units is worked out again in wider numbers.
 */
#include "fuzz.h"

#include <base/bytes.h>
#include <base/errno.h>
#include <kernel/acpi.h>

#define HMAT_FIXED_BYTES   40
#define MATRIX_FIXED_BYTES 32

static struct acpi_hmat hmat, again;

static void expect_value(const struct acpi_hmat_matrix *matrix, u32 row, u32 column)
{
	u32 value = acpi_hmat_value(&hmat, matrix, row, column);
	u16 entry = hmat.values[matrix->first_value + row * matrix->nr_targets + column];
	u32 unit = hmat.header.revision == 1                 ? 10
		   : matrix->data <= ACPI_HMAT_WRITE_LATENCY ? 1000
							     : 1;
	unsigned __int128 exact = (unsigned __int128)entry * matrix->base_unit;

	if (entry == 0xffff || exact > UINT32_MAX)
		exact = 0;
	FUZZ_SAME(value, (u32)((exact + unit - 1) / unit));
}

/* The matrix is the one at `entry`: its domains in their order, its values row by row. */
static void expect_matrix(const struct acpi_hmat_matrix *matrix, const u8 *entry)
{
	u32 nr_domains = matrix->nr_initiators + matrix->nr_targets;

	FUZZ_SAME(matrix->nr_initiators, read_le32(entry + 12));
	FUZZ_SAME(matrix->nr_targets, read_le32(entry + 16));
	FUZZ_SAME(matrix->base_unit, read_le64(entry + 24));
	FUZZ_CHECK(matrix->first_domain + nr_domains <= hmat.nr_domains, "domains past the pool");
	entry += MATRIX_FIXED_BYTES;
	for (u32 i = 0; i < nr_domains; i++, entry += 4)
		FUZZ_SAME(hmat.domains[matrix->first_domain + i], read_le32(entry));
	for (u32 row = 0; row < matrix->nr_initiators; row++) {
		for (u32 column = 0; column < matrix->nr_targets; column++, entry += 2) {
			u32 at = matrix->first_value + row * matrix->nr_targets + column;

			FUZZ_CHECK(at < hmat.nr_values, "value %u of %u", at, hmat.nr_values);
			FUZZ_SAME(hmat.values[at], read_le16(entry));
			expect_value(matrix, row, column);
		}
	}
}

/* Does the entry's length hold the matrix that it announces? */
static bool holds_matrix(const u8 *entry)
{
	u32 len = read_le32(entry + 4);
	unsigned __int128 rows, columns;

	/* A shorter entry may be the last of the table: its numbers would be beyond it. */
	if (len < MATRIX_FIXED_BYTES)
		return false;
	rows = read_le32(entry + 12);
	columns = read_le32(entry + 16);
	return MATRIX_FIXED_BYTES + 4 * (rows + columns) + 2 * rows * columns <= len;
}

static void expect_entries(const u8 *table)
{
	u32 length = hmat.header.length, at = HMAT_FIXED_BYTES, nr = 0, nr_matrices = 0;
	bool all_kept = hmat.nr_dropped == 0;
	u32 len;

	for (; at + 8 <= length; at += len, nr++) {
		const u8 *entry = table + at;

		len = read_le32(entry + 4);
		if (len < 8 || len > length - at)
			break;
		/* With none dropped the n-th matrix of the table is the n-th kept. */
		if (all_kept && read_le16(entry) == 1 && holds_matrix(entry)) {
			FUZZ_CHECK(nr_matrices < hmat.nr_matrices, "matrix %u is lost",
				   nr_matrices);
			expect_matrix(&hmat.matrices[nr_matrices++], entry);
		}
	}
	FUZZ_SAME(hmat.bytes_unread, length - at);
	nr += length != at; /* the entry that ends the walk */
	FUZZ_SAME(hmat.nr_attributes + hmat.nr_matrices + hmat.nr_caches + hmat.nr_unknown +
			  hmat.nr_malformed + hmat.nr_dropped,
		  nr);
	if (all_kept)
		FUZZ_SAME(hmat.nr_matrices, nr_matrices);
}

static void expect_same(void)
{
	FUZZ_SAME(hmat.nr_attributes, again.nr_attributes);
	FUZZ_SAME(hmat.nr_matrices, again.nr_matrices);
	FUZZ_SAME(hmat.nr_caches, again.nr_caches);
	FUZZ_SAME(hmat.nr_domains, again.nr_domains);
	FUZZ_SAME(hmat.nr_values, again.nr_values);
	FUZZ_SAME(hmat.nr_malformed, again.nr_malformed);
	FUZZ_CHECK(memcmp(hmat.domains, again.domains, hmat.nr_domains * sizeof(hmat.domains[0])) ==
			   0,
		   "other domains");
	FUZZ_CHECK(memcmp(hmat.values, again.values, hmat.nr_values * sizeof(hmat.values[0])) == 0,
		   "other values");
}

static void expect_bounds(void)
{
	FUZZ_CHECK(hmat.nr_attributes <= ACPI_HMAT_MAX_ATTRIBUTES, "%u", hmat.nr_attributes);
	FUZZ_CHECK(hmat.nr_matrices <= ACPI_HMAT_MAX_MATRICES, "%u", hmat.nr_matrices);
	FUZZ_CHECK(hmat.nr_caches <= ACPI_HMAT_MAX_CACHES, "%u", hmat.nr_caches);
	FUZZ_CHECK(hmat.nr_domains <= ACPI_HMAT_MAX_DOMAINS, "%u", hmat.nr_domains);
	FUZZ_CHECK(hmat.nr_values <= ACPI_HMAT_MAX_VALUES, "%u", hmat.nr_values);
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return fuzz_mutate_tables(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *table = fuzz_exact_copy(data, size), *exact;
	int err = acpi_parse_hmat(table, size, &hmat);

	if (err) {
		FUZZ_SAME(err, -EINVAL);
	} else {
		FUZZ_SAME(hmat.known, table[8] == 1 || table[8] == 2);
		expect_bounds();
		if (hmat.known)
			expect_entries(table);
		exact = fuzz_exact_copy(table, hmat.header.length);
		FUZZ_SAME(acpi_parse_hmat(exact, hmat.header.length, &again), 0);
		expect_same();
		fuzz_free(exact);
	}
	fuzz_free(table);
	return 0;
}

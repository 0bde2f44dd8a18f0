/*
 * SLIT: any bytes. The matrix is kept as it stands in the table or not at all, and what is wrong
 * with it is counted as a second reading counts it.
 */
#include "fuzz.h"

#include <base/bytes.h>
#include <base/errno.h>
#include <kernel/acpi.h>

#define SLIT_FIXED_BYTES 44

static struct acpi_slit slit, again;

/* How many bytes of matrix the locality count asks for, or more than any table has. */
static u64 matrix_bytes(u64 localities)
{
	return localities > UINT32_MAX ? UINT64_MAX : localities * localities;
}

static void expect_matrix(const u8 *matrix)
{
	u32 nr_bad_local = 0, nr_bad_remote = 0;
	u64 n = slit.localities;

	FUZZ_SAME(slit.nr_kept, MIN(n, (u64)ACPI_MAX_LOCALITIES));
	for (u64 i = 0; i < n * n; i++) {
		u64 from = i / n, to = i % n;

		nr_bad_local += from == to && matrix[i] != LOCAL_DISTANCE;
		nr_bad_remote += from != to && matrix[i] <= LOCAL_DISTANCE;
		if (from < slit.nr_kept && to < slit.nr_kept)
			FUZZ_SAME(slit.distance[from][to], matrix[i]);
	}
	FUZZ_SAME(slit.nr_bad_local, nr_bad_local);
	FUZZ_SAME(slit.nr_bad_remote, nr_bad_remote);
	FUZZ_SAME(slit.bytes_unread, slit.header.length - SLIT_FIXED_BYTES - n * n);
}

static void expect_same(void)
{
	FUZZ_SAME(slit.localities, again.localities);
	FUZZ_SAME(slit.truncated, again.truncated);
	FUZZ_SAME(slit.nr_kept, again.nr_kept);
	FUZZ_SAME(slit.nr_bad_local, again.nr_bad_local);
	FUZZ_SAME(slit.nr_bad_remote, again.nr_bad_remote);
	for (u32 i = 0; i < slit.nr_kept; i++)
		FUZZ_CHECK(memcmp(slit.distance[i], again.distance[i], slit.nr_kept) == 0,
			   "row %u differs", i);
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return fuzz_mutate_tables(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *table = fuzz_exact_copy(data, size), *exact;
	int err = acpi_parse_slit(table, size, &slit);

	if (err) {
		FUZZ_SAME(err, -EINVAL);
	} else {
		u32 length = slit.header.length;

		FUZZ_SAME(slit.localities, read_le64(table + 36));
		FUZZ_SAME(slit.truncated,
			  matrix_bytes(slit.localities) > length - SLIT_FIXED_BYTES);
		if (slit.truncated)
			FUZZ_SAME(slit.nr_kept, 0);
		else
			expect_matrix(table + SLIT_FIXED_BYTES);

		exact = fuzz_exact_copy(table, length);
		FUZZ_SAME(acpi_parse_slit(exact, length, &again), 0);
		expect_same();
		fuzz_free(exact);
	}
	fuzz_free(table);
	return 0;
}

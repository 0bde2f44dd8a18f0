/*
 * SLIT, the System Locality Information Table: how far the domains are from each other.
 *
 * After the header: the number n of localities (8 bytes), then n rows of n bytes.
 * distance[i][j] is what it costs domain i to reach domain j, 10 being a domain's own memory; the
 * matrix need not be symmetric. Index and domain number are the same thing, so a machine with
 * domains 1..4 has a SLIT of 5 localities, whose row 0 means nothing.
 *
 * n is the firmware's word: larger or smaller than the number of domains, with padding after the
 * matrix, or claiming a matrix that is not there. The last is the dangerous one: such a
 * table keeps no distance. That everything else adds up is judged over the whole matrix, by
 * the two rules that Linux uses, and left to distances.c to act on.
 *
 * Source: ACPI Specification 6.5, 5.2.17.
 */
#include <base/bytes.h>
#include <base/errno.h>
#include <base/string.h>

#include "acpi_internal.h"

#define SLIT_FIXED_BYTES 44

static void read_row(struct acpi_slit *out, const u8 *row, u32 i)
{
	for (u32 j = 0; j < out->localities; j++) {
		if (i == j)
			out->nr_bad_local += row[j] != LOCAL_DISTANCE;
		else
			out->nr_bad_remote += row[j] <= LOCAL_DISTANCE;
		if (i < out->nr_kept && j < out->nr_kept)
			out->distance[i][j] = row[j];
	}
}

int acpi_parse_slit(const void *bytes, size_t len, struct acpi_slit *out)
{
	const u8 *matrix;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_open_table(bytes, len, "SLIT", SLIT_FIXED_BYTES, &out->header);
	if (err)
		return err;
	out->localities = read_le64((const u8 *)bytes + ACPI_HEADER_BYTES);

	/* The first test bounds the square: a table of 4 GiB has no row of 65536. */
	if (out->localities > 0xffff ||
	    out->localities * out->localities > out->header.length - SLIT_FIXED_BYTES) {
		out->truncated = true;
		return 0;
	}
	out->bytes_unread =
		(u32)(out->header.length - SLIT_FIXED_BYTES - out->localities * out->localities);
	out->nr_kept = (u32)MIN(out->localities, (u64)ACPI_MAX_LOCALITIES);
	matrix = (const u8 *)bytes + SLIT_FIXED_BYTES;
	for (u32 i = 0; i < out->localities; i++)
		read_row(out, matrix + (size_t)i * out->localities, i);
	return 0;
}

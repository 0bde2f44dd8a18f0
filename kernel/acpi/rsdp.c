/*
 * From the root pointer to the list of tables.
 *
 *	RSDP --(revision 2)--> XSDT: header, then 8-byte addresses ---+--> SRAT
 *	     \--(any)--------> RSDT: header, then 4-byte addresses    +--> SLIT
 *	                                                              +--> APIC (MADT) ...
 *
 *	 0            8   9      15  16      20      24              32  33    36
 *	+------------+---+------+---+-------+-------+---------------+---+-----+
 *	| "RSD PTR " |sum| OEM  |rev| rsdt  | length| xsdt          |sum|     |
 *	+------------+---+------+---+-------+-------+---------------+---+-----+
 *	|<------------ ACPI 1.0: 20 bytes ->|<-- revision 2: 16 more -------->|
 *
 * A BIOS under QEMU gives the 1.0 form and an RSDT only; UEFI gives both. A kernel that
 * reads XSDTs only sees no tables at all on the former.
 *
 * The first checksum decides whether this is an RSDP. If the second one fails, the XSDT's address
 * may be anything, but the RSDT's was covered by the first: that one is used. The second sum runs
 * over 36 bytes and not over the length field, which it would have to trust to do so.
 *
 * Source: ACPI Specification 6.5, 5.2.5 (RSDP), 5.2.7 (RSDT), 5.2.8 (XSDT).
 */
#include <base/bytes.h>
#include <base/errno.h>
#include <base/string.h>

#include "acpi_internal.h"

#define RSDP_V1_BYTES 20
#define RSDP_V2_BYTES 36

int acpi_parse_rsdp(const void *bytes, size_t len, struct acpi_rsdp *out)
{
	const u8 *at = bytes;

	memset(out, 0, sizeof(*out));
	if (len < RSDP_V1_BYTES || memcmp(at, "RSD PTR ", 8) != 0 ||
	    !acpi_checksum_ok(at, RSDP_V1_BYTES))
		return -EINVAL;
	out->revision = at[15];
	out->rsdt = read_le32(at + 16);
	if (out->revision >= 2 && len >= RSDP_V2_BYTES && acpi_checksum_ok(at, RSDP_V2_BYTES)) {
		out->extension_ok = true;
		out->xsdt = read_le64(at + 24);
	}
	return 0;
}

static int parse_list(const void *bytes, size_t len, const char *signature, size_t entry_bytes,
		      struct acpi_table_list *out)
{
	struct acpi_header header;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_open_table(bytes, len, signature, ACPI_HEADER_BYTES, &header);
	if (err)
		return err;
	for (size_t at = ACPI_HEADER_BYTES; header.length - at >= entry_bytes; at += entry_bytes) {
		const u8 *entry = (const u8 *)bytes + at;
		u64 addr = entry_bytes == 8 ? read_le64(entry) : read_le32(entry);

		if (addr == 0)
			out->nr_null++;
		else if (out->nr == ACPI_MAX_TABLES)
			out->nr_dropped++;
		else
			out->addr[out->nr++] = addr;
	}
	return 0;
}

int acpi_parse_rsdt(const void *bytes, size_t len, struct acpi_table_list *out)
{
	return parse_list(bytes, len, "RSDT", 4, out);
}

int acpi_parse_xsdt(const void *bytes, size_t len, struct acpi_table_list *out)
{
	return parse_list(bytes, len, "XSDT", 8, out);
}

/*
 * From the loader's copy of the RSDP to the tables.
 *
 *	RSDP --> XSDT --> SRAT, SLIT, APIC, HMAT, others
 *	   \---> RSDT --> the same, where there is no XSDT or it leads to no table
 *
 * Memory is reached through a function that maps a range of it, so that this runs on the host over
 * memory that a test makes up. Nothing keeps a pointer into a mapping: each parser copies what it
 * needs.
 *
 * What is trusted:
 * - A table whose checksum is wrong is used all the same, as Linux does for every table: such
 *   firmware exists, and the parsers are safe on any content. The RSDP's first one must hold.
 * - A table with a length below the header's or above 16 MiB, or at an address that cannot be
 *   mapped for its whole length, is left out. An address with no memory behind it reads as all
 *   ones: such a length.
 * - Of two tables of a kind the first is used (as Linux: instance 0); one that is too short to be of
 *   its kind does not count as the first.
 * - A list may name a table twice, itself, or the other list. Nothing is followed from a table but
 *   the two lists, each walked once, so there is no loop; an address is read once.
 *
 * Source: ACPI Specification 6.5, 5.2.5 to 5.2.8.
 */
#include <base/bytes.h>
#include <base/format.h>
#include <base/string.h>

#include "acpi_internal.h"

#define MAX_TABLE_BYTES MiB(16)

/* One search: what acpi_read_tables() was given. */
struct search {
	const void *(*map)(phys_addr_t base, u64 size_bytes);
	struct acpi_tables *tables;
	struct topology_notes *notes;
};

/* --- One table ----------------------------------------------------------------------------- */

/* Maps a table whole and reads its header. NULL, with a note, if it is none. */
static const void *map_table(const struct search *search, phys_addr_t addr,
			     struct acpi_header *header)
{
	const u8 *bytes = search->map(addr, ACPI_HEADER_BYTES);
	u32 length = bytes ? read_le32(bytes + 4) : 0;
	const char *why = "";

	if (!bytes)
		why = ", cannot be mapped";
	else if (length < ACPI_HEADER_BYTES)
		why = ", shorter than a header";
	else if (length > MAX_TABLE_BYTES)
		why = ", longer than any table";
	else if (!(bytes = search->map(addr, length)))
		why = ", cannot all be mapped";
	if (why[0] || acpi_parse_header(bytes, length, header) != 0) {
		topology_note(search->notes, "no table at 0x%llx (length %u%s): left out",
			      (unsigned long long)addr, length, why);
		return NULL;
	}
	if (!header->checksum_ok)
		topology_note(search->notes, "%s at 0x%llx has a wrong checksum: used all the same",
			      header->signature, (unsigned long long)addr);
	return bytes;
}

static bool is_known(const struct acpi_tables *tables, phys_addr_t addr)
{
	for (u32 i = 0; i < tables->nr_places; i++)
		if (tables->places[i].addr == addr)
			return true;
	return false;
}

static void remember(struct acpi_tables *tables, phys_addr_t addr, const struct acpi_header *header)
{
	tables->places[tables->nr_places++] = (struct acpi_place){addr, *header};
}

/* Parses a table if it is of a kind that is used: 0, or -EINVAL. Sets *have to that kind's flag. */
static int parse_if_used(struct acpi_tables *tables, const void *bytes,
			 const struct acpi_header *header, bool **have)
{
	if (strcmp(header->signature, "SRAT") == 0) {
		*have = &tables->have_srat;
		return **have ? 0 : acpi_parse_srat(bytes, header->length, &tables->srat);
	}
	if (strcmp(header->signature, "SLIT") == 0) {
		*have = &tables->have_slit;
		return **have ? 0 : acpi_parse_slit(bytes, header->length, &tables->slit);
	}
	if (strcmp(header->signature, "APIC") == 0) {
		*have = &tables->have_madt;
		return **have ? 0 : acpi_parse_madt(bytes, header->length, &tables->madt);
	}
	if (strcmp(header->signature, "HMAT") == 0) {
		*have = &tables->have_hmat;
		return **have ? 0 : acpi_parse_hmat(bytes, header->length, &tables->hmat);
	}
	*have = NULL;
	return 0;
}

static bool read_table(const struct search *search, phys_addr_t addr)
{
	struct acpi_header header;
	const void *bytes = map_table(search, addr, &header);
	bool *have;

	if (!bytes)
		return false;
	remember(search->tables, addr, &header);
	if (parse_if_used(search->tables, bytes, &header, &have) != 0)
		topology_note(search->notes, "%s at 0x%llx is too short for one: left out",
			      header.signature, (unsigned long long)addr);
	else if (have && *have)
		topology_note(search->notes, "another %s at 0x%llx: the first one is used",
			      header.signature, (unsigned long long)addr);
	else if (have)
		*have = true;
	return true;
}

/* --- From the RSDP to all of them ---------------------------------------------------------- */

/* Reads every table that the RSDT or XSDT at addr lists. Returns how many there were. */
static u32 read_listed(const struct search *search, phys_addr_t addr, const char *signature,
		       int (*parse)(const void *bytes, size_t len, struct acpi_table_list *out))
{
	struct acpi_table_list list;
	struct acpi_header header;
	const void *bytes = addr ? map_table(search, addr, &header) : NULL;
	u32 nr_read = 0, nr_again = 0;

	if (!bytes)
		return 0;
	if (parse(bytes, header.length, &list) != 0) {
		topology_note(search->notes, "no %s at 0x%llx, where the RSDP says", signature,
			      (unsigned long long)addr);
		return 0;
	}
	remember(search->tables, addr, &header);
	if (list.nr_null || list.nr_dropped)
		topology_note(search->notes, "%s: %u null entr%s, %u more than fit: left out",
			      signature, list.nr_null, plural_y(list.nr_null), list.nr_dropped);
	for (u32 i = 0; i < list.nr; i++) {
		if (is_known(search->tables, list.addr[i]))
			nr_again++;
		else
			nr_read += read_table(search, list.addr[i]);
	}
	if (nr_again)
		topology_note(search->notes, "%s lists %u table%s again, or itself: read once",
			      signature, nr_again, plural(nr_again));
	return nr_read;
}

void acpi_read_tables(const void *rsdp, size_t rsdp_bytes,
		      const void *(*map)(phys_addr_t base, u64 size_bytes), struct acpi_tables *out,
		      struct topology_notes *notes)
{
	const struct search search = {map, out, notes};
	struct acpi_rsdp root;

	memset(out, 0, sizeof(*out));
	if (rsdp_bytes == 0) {
		topology_note(notes, "the loader gave no RSDP: no ACPI tables");
		return;
	}
	if (acpi_parse_rsdp(rsdp, rsdp_bytes, &root) != 0) {
		topology_note(notes, "what the loader gave is no RSDP: no ACPI tables");
		return;
	}
	if (root.revision >= 2 && !root.extension_ok)
		topology_note(notes, "RSDP: wrong extended checksum: RSDT used, not XSDT");
	if (read_listed(&search, root.xsdt, "XSDT", acpi_parse_xsdt) > 0)
		return;
	if (root.xsdt)
		topology_note(notes, "XSDT leads to no table: RSDT used");
	if (read_listed(&search, root.rsdt, "RSDT", acpi_parse_rsdt) == 0)
		topology_note(notes, "RSDP leads to no table");
}

/*
 * The machine's own tables: finding them in memory, and what became of them.
 *
 * The loader hands over a copy of the RSDP. From it the XSDT is walked, or the RSDT where there is
 * no XSDT or it leads to no table. The first SRAT, SLIT and MADT found are parsed (each parser
 * copies what it needs into a static struct), and topology.c makes nodes of them.
 *
 * This runs before paging_init(), while the entry's page tables are in use; nothing here keeps a
 * pointer into a mapping. What stays is the list of where the tables are, for those
 * who must not hand that memory out: firmware should put its tables into reserved memory, loaders
 * that replace tables put them into ordinary RAM.
 *
 * What is trusted:
 * - A table whose checksum is wrong is used all the same, as Linux does for every table: such
 *   firmware exists, and the parsers are safe on any content. The RSDP's first one must hold.
 * - A table with a length below the header's or above 16 MiB, or at an address that cannot be
 *   mapped, is left out. An address with no memory behind it reads as all ones: such a length.
 * - A second table of the same kind is left out.
 * Each of these is a note, for the log and for `numa`.
 *
 * Source: ACPI Specification 6.5, 5.2.
 */
#include <base/bytes.h>
#include <base/format.h>
#include <base/string.h>
#include <boot/boot_info.h>
#include <kernel/printk.h>
#include <x86/paging.h>
#include <x86/regs.h>

#include "acpi_internal.h"

#define MAX_TABLE_BYTES MiB(16)

struct table_place {
	phys_addr_t addr;
	u32 length;
	char signature[5];
};

/* The tables of one list, RSDT or XSDT, and the lists themselves. */
static struct table_place places[ACPI_MAX_TABLES + 2];
static u32 nr_places;

static struct acpi_srat srat;
static struct acpi_slit slit;
static struct acpi_madt madt;
static bool have_srat, have_slit, have_madt;

static struct numa_topology topology;
static struct topology_notes notes;

const struct topology_notes *acpi_notes(void)
{
	return &notes;
}

const struct numa_topology *acpi_topology(void)
{
	return &topology;
}

void acpi_for_each_table(void (*fn)(phys_addr_t base, u64 size_bytes, const char *signature))
{
	for (u32 i = 0; i < nr_places; i++)
		fn(places[i].addr, places[i].length, places[i].signature);
}

/* --- Reading one table --------------------------------------------------------------------- */

/* Maps a table whole and reads its header. NULL, with a log line, if it is none. */
static const void *map_table(phys_addr_t addr, struct acpi_header *header)
{
	const u8 *bytes = paging_map_firmware(addr, ACPI_HEADER_BYTES);
	u32 length = bytes ? read_le32(bytes + 4) : 0;

	if (length < ACPI_HEADER_BYTES || length > MAX_TABLE_BYTES)
		bytes = NULL;
	else
		bytes = paging_map_firmware(addr, length);
	if (!bytes || acpi_parse_header(bytes, length, header) != 0) {
		topology_note(&notes, "no table at 0x%llx (length %u): left out",
			      (unsigned long long)addr, length);
		return NULL;
	}
	klog(LOG_DEBUG, "acpi", "%s 0x%012llx %6u bytes, revision %u, %s %s", header->signature,
	     (unsigned long long)addr, length, header->revision, header->oem_id,
	     header->oem_table_id);
	if (!header->checksum_ok)
		topology_note(&notes, "%s at 0x%llx has a wrong checksum: used all the same",
			      header->signature, (unsigned long long)addr);
	return bytes;
}

static void remember_place(phys_addr_t addr, const struct acpi_header *header)
{
	struct table_place *place = &places[nr_places++];

	place->addr = addr;
	place->length = header->length;
	memcpy(place->signature, header->signature, sizeof(place->signature));
}

static int parse_srat(const void *bytes, size_t len)
{
	return acpi_parse_srat(bytes, len, &srat);
}

static int parse_slit(const void *bytes, size_t len)
{
	return acpi_parse_slit(bytes, len, &slit);
}

static int parse_madt(const void *bytes, size_t len)
{
	return acpi_parse_madt(bytes, len, &madt);
}

/* The tables that are used, and whether one was. */
static const struct {
	const char *signature;
	int (*parse)(const void *bytes, size_t len);
	bool *have;
} used_tables[] = {
	{"SRAT", parse_srat, &have_srat},
	{"SLIT", parse_slit, &have_slit},
	{"APIC", parse_madt, &have_madt},
};

static bool read_table(phys_addr_t addr)
{
	struct acpi_header header;
	const void *bytes = map_table(addr, &header);

	if (!bytes)
		return false;
	remember_place(addr, &header);
	for (u32 i = 0; i < ARRAY_SIZE(used_tables); i++) {
		if (strcmp(header.signature, used_tables[i].signature) != 0)
			continue;
		if (*used_tables[i].have)
			topology_note(&notes, "another %s at 0x%llx: the first one is used",
				      header.signature, (unsigned long long)addr);
		else if (used_tables[i].parse(bytes, header.length) == 0)
			*used_tables[i].have = true;
		else
			topology_note(&notes, "%s at 0x%llx is too short for one: left out",
				      header.signature, (unsigned long long)addr);
	}
	return true;
}

/* --- From the RSDP to all of them ---------------------------------------------------------- */

/* Reads every table that the RSDT or XSDT at addr lists. Returns how many there were. */
static u32 read_listed(phys_addr_t addr, const char *signature,
		       int (*parse)(const void *bytes, size_t len, struct acpi_table_list *out))
{
	static struct acpi_table_list list;
	struct acpi_header header;
	const void *bytes = addr ? map_table(addr, &header) : NULL;
	u32 nr_read = 0;

	if (!bytes)
		return 0;
	if (parse(bytes, header.length, &list) != 0) {
		topology_note(&notes, "no %s at 0x%llx, where the RSDP says", signature,
			      (unsigned long long)addr);
		return 0;
	}
	remember_place(addr, &header);
	if (list.nr_null || list.nr_dropped)
		topology_note(&notes, "%s: %u null entries, %u more than fit: left out", signature,
			      list.nr_null, list.nr_dropped);
	for (u32 i = 0; i < list.nr; i++)
		nr_read += read_table(list.addr[i]);
	return nr_read;
}

static void read_tables(const struct boot_info *info)
{
	struct acpi_rsdp rsdp;
	u32 nr_read;

	if (info->rsdp_bytes == 0) {
		topology_note(&notes, "the loader gave no RSDP: no ACPI tables");
		return;
	}
	if (acpi_parse_rsdp(info->rsdp, info->rsdp_bytes, &rsdp) != 0) {
		topology_note(&notes, "what the loader gave is no RSDP: no ACPI tables");
		return;
	}
	if (rsdp.revision >= 2 && !rsdp.extension_ok)
		topology_note(&notes, "RSDP: wrong extended checksum: RSDT used, not XSDT");
	nr_read = read_listed(rsdp.xsdt, "XSDT", acpi_parse_xsdt);
	if (nr_read == 0) {
		if (rsdp.xsdt)
			topology_note(&notes, "XSDT leads to no table: RSDT used");
		nr_read = read_listed(rsdp.rsdt, "RSDT", acpi_parse_rsdt);
	}
	klog(LOG_INFO, "acpi", "RSDP revision %u, %u tables%s%s%s", rsdp.revision, nr_read,
	     have_srat ? ", SRAT" : "", have_slit ? ", SLIT" : "", have_madt ? ", MADT" : "");
}

/* --- What came out ------------------------------------------------------------------------- */

/* A node with many ranges takes several lines, each complete in itself. */
static void log_node(u32 nid)
{
	char ranges[160];
	size_t at = 0;
	u32 nr_cpus = 0;

	for (u32 i = 0; i < topology.nr_cpus; i++)
		nr_cpus += topology.cpus[i].nid == (int)nid;
	for (u32 i = 0; i < topology.nr_ranges; i++) {
		const struct numa_range *r = &topology.ranges[i];

		if (r->nid != (int)nid)
			continue;
		if (at > sizeof(ranges) - 48) {
			klog(LOG_INFO, "numa", "node %u: domain %u, ranges%s ...", nid,
			     topology.domain[nid], ranges);
			at = 0;
		}
		at += (size_t)snprintf(ranges + at, sizeof(ranges) - at, " [mem 0x%llx-0x%llx]",
				       (unsigned long long)r->base, (unsigned long long)r->end - 1);
	}
	klog(LOG_INFO, "numa", "node %u: domain %u, ranges%s, %u CPUs", nid, topology.domain[nid],
	     at ? ranges : " none", nr_cpus);
}

/* The id by which the tables know this CPU: CPUID leaf 1, EBX bits 31..24. */
static u32 this_apic_id(void)
{
	return cpuid(1).ebx >> 24;
}

void acpi_init(const struct boot_info *info, bool numa_on)
{
	read_tables(info);
	if (!numa_on)
		topology_note(&notes, "numa=off: SRAT and SLIT are not used");
	acpi_build_topology(have_srat && numa_on ? &srat : NULL,
			    have_slit && numa_on ? &slit : NULL, have_madt ? &madt : NULL,
			    this_apic_id(), &topology, &notes);
	for (u32 i = 0; i < notes.nr; i++)
		klog(LOG_NOTICE, "numa", "%s", notes.text[i]);
	if (notes.nr_dropped)
		klog(LOG_NOTICE, "numa", "%u more notes", notes.nr_dropped);
	for (u32 nid = 0; nid < topology.nr_nodes; nid++)
		log_node(nid);
}

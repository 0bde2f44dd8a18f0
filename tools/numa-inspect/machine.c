/*
 * From files to the topology, by the kernel's own code: kernel/acpi from the RSDP on, numa_init().
 *
 * The kernel finds tables in memory. So the files are laid out as one: table i stands at
 * 4 GiB + (i + 1) * 16 MiB, where only 64-bit addresses lead, and a root table that lists them in the
 * order of the files stands below, with an RSDP that leads to it. What is behind the end of a file
 * cannot be mapped.
 *
 *	RSDP -> 0x1000: XSDT -> 0x101000000: first file, 0x102000000: second file, ...
 *
 * If the files have the machine's own root tables, those are not followed, for nobody knows
 * where their addresses led; but as many of their entries as are null are null here, too, and it
 * is an RSDT, with tables below 4 GiB, if they have no XSDT. FACS and DSDT are not listed by root tables.
 */
#include <mm/memblock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

#define ROOT_ADDR  0x1000
#define TABLE_STEP 0x1000000u /* the kernel takes no table for longer */

struct root {
	u8 rsdp[36];
	size_t rsdp_bytes;
	u8 *list; /* RSDT or XSDT */
	size_t list_bytes;
};

/* What map() below is to find. */
static const struct table_set *mapped_set;
static const struct root *mapped_root;

static bool is_a(const struct table *table, const char *signature)
{
	return table->len >= 4 && memcmp(table->bytes, signature, 4) == 0;
}

/* The machine's own root table. NULL: it is not among the files. */
static const struct table *find(const struct table_set *set, const char *signature)
{
	for (size_t i = 0; i < set->nr; i++)
		if (is_a(&set->tables[i], signature))
			return &set->tables[i];
	return NULL;
}

static bool has_rsdt_only(const struct table_set *set)
{
	return find(set, "RSDT") && !find(set, "XSDT");
}

phys_addr_t table_address(const struct table_set *set, size_t index)
{
	phys_addr_t below = has_rsdt_only(set) ? 0 : GiB(4);

	return below + (phys_addr_t)TABLE_STEP * (index + 1);
}

static const void *map(phys_addr_t base, u64 size_bytes)
{
	const u8 *bytes = mapped_root->list;
	phys_addr_t addr = ROOT_ADDR;
	size_t len = mapped_root->list_bytes;

	if (base >= TABLE_STEP) {
		u64 index = (base - table_address(mapped_set, 0)) / TABLE_STEP;

		if (index >= mapped_set->nr)
			return NULL; /* also below the first: the difference wraps */
		addr = table_address(mapped_set, index);
		bytes = mapped_set->tables[index].bytes;
		len = mapped_set->tables[index].len;
	}
	if (base < addr || base - addr > len || size_bytes > len - (base - addr))
		return NULL;
	return bytes + (base - addr);
}

/* --- The root ------------------------------------------------------------------------------ */

static bool is_listed(const struct table *table)
{
	static const char *const unlisted[] = {"RSD ", "RSDT", "XSDT", "FACS", "DSDT"};

	for (size_t i = 0; i < ARRAY_SIZE(unlisted); i++)
		if (is_a(table, unlisted[i]))
			return false;
	return true;
}

static void put(u8 *at, u64 value, size_t width)
{
	for (size_t i = 0; i < width; i++)
		at[i] = (u8)(value >> (8 * i));
}

static void put_checksum(u8 *at, const u8 *bytes, size_t len)
{
	u8 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + bytes[i]);
	*at = (u8)(*at - sum);
}

static void build_list(struct root *root, const struct table_set *set, const char *signature,
		       size_t entry_bytes, u32 nr_null)
{
	size_t room = ACPI_HEADER_BYTES + (set->nr + nr_null) * entry_bytes;
	u8 *list = calloc(1, room);

	if (!list) {
		fprintf(stderr, "numa-inspect: out of memory\n");
		exit(1);
	}
	root->list = list;
	root->list_bytes = ACPI_HEADER_BYTES + nr_null * entry_bytes;
	memcpy(list, signature, 4);
	list[8] = 1;
	for (size_t i = 0; i < set->nr; i++) {
		if (!is_listed(&set->tables[i]))
			continue;
		put(list + root->list_bytes, table_address(set, i), entry_bytes);
		root->list_bytes += entry_bytes;
	}
	put(list + 4, root->list_bytes, 4);
	put_checksum(list + 9, list, root->list_bytes);
}

static void build_root(struct root *root, const struct table_set *set)
{
	const struct table *xsdt = find(set, "XSDT"), *rsdt = find(set, "RSDT");
	static struct acpi_table_list own; /* stays empty if it is none or no good */
	bool old = has_rsdt_only(set);

	if (xsdt)
		acpi_parse_xsdt(xsdt->bytes, xsdt->len, &own);
	else if (rsdt)
		acpi_parse_rsdt(rsdt->bytes, rsdt->len, &own);
	build_list(root, set, old ? "RSDT" : "XSDT", old ? 4 : 8, own.nr_null);

	memcpy(root->rsdp, "RSD PTR ", 8);
	root->rsdp[15] = old ? 0 : 2;
	root->rsdp_bytes = old ? 20 : 36;
	put(root->rsdp + 16, old ? ROOT_ADDR : 0, 4);
	put_checksum(root->rsdp + 8, root->rsdp, 20);
	put(root->rsdp + 20, 36, 4);
	put(root->rsdp + 24, old ? 0 : ROOT_ADDR, 8);
	put_checksum(root->rsdp + 32, root->rsdp, 36);
}

/* --- The machine --------------------------------------------------------------------------- */

/* Where the kernel asks the CPU it runs on, the first enabled one stands for it. */
static u32 boot_apic_id(const struct machine *machine)
{
	const struct acpi_madt *madt = &machine->tables.madt;

	if (machine->boot_apic_id != BOOT_CPU_BY_MADT)
		return (u32)machine->boot_apic_id;
	for (u32 i = 0; machine->tables.have_madt && i < madt->nr_cpus; i++)
		if (madt->cpus[i].enabled)
			return madt->cpus[i].apic_id;
	return 0;
}

bool build_machine(struct machine *machine, const struct table_set *set)
{
	const struct acpi_tables *tables = &machine->tables;
	struct topology_notes *notes = &machine->notes;
	struct root root = {0};

	build_root(&root, set);
	mapped_set = set;
	mapped_root = &root;
	acpi_read_tables(root.rsdp, root.rsdp_bytes, map, &machine->tables, notes);
	free(root.list);

	acpi_build_topology(tables->have_srat ? &tables->srat : NULL,
			    tables->have_slit ? &tables->slit : NULL,
			    tables->have_madt ? &tables->madt : NULL, boot_apic_id(machine),
			    &machine->topology, notes);
	if (tables->have_hmat)
		acpi_note_hmat(&tables->hmat, &machine->topology, notes);
	if (machine->have_ram) {
		acpi_note_empty_ranges(&machine->topology, memblock_next_ram, notes);
		acpi_note_uncovered_ram(&machine->topology, memblock_next_ram, notes);
	}
	return numa_init(&machine->topology) == 0;
}

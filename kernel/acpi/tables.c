/*
 * This machine's own tables, and what became of them.
 *
 * find.c reads the tables, topology.c makes nodes of them; this file has their memory, asks the CPU
 * for its APIC id, and logs. It runs before paging_init(), while the entry's page tables are in
 * use. What stays is what was parsed and the list of where the tables are, for those who must
 * not hand that memory out: firmware should put its tables into reserved memory, loaders that
 * replace tables put them into ordinary RAM.
 */
#include <base/format.h>
#include <boot/boot_info.h>
#include <kernel/acpi.h>
#include <kernel/printk.h>
#include <x86/paging.h>
#include <x86/regs.h>

static struct acpi_tables tables;
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

const struct acpi_tables *acpi_tables(void)
{
	return &tables;
}

void acpi_for_each_table(void (*fn)(phys_addr_t base, u64 size_bytes, const char *signature))
{
	for (u32 i = 0; i < tables.nr_places; i++)
		fn(tables.places[i].addr, tables.places[i].header.length,
		   tables.places[i].header.signature);
}

static void log_tables(void)
{
	for (u32 i = 0; i < tables.nr_places; i++) {
		const struct acpi_header *h = &tables.places[i].header;

		klog(LOG_DEBUG, "acpi", "%s 0x%012llx %6u bytes, revision %u, %s %s", h->signature,
		     (unsigned long long)tables.places[i].addr, h->length, h->revision, h->oem_id,
		     h->oem_table_id);
	}
	klog(LOG_INFO, "acpi", "%u table%s%s%s%s%s", tables.nr_places, plural(tables.nr_places),
	     tables.have_srat ? ", SRAT" : "", tables.have_slit ? ", SLIT" : "",
	     tables.have_madt ? ", MADT" : "", tables.have_hmat ? ", HMAT" : "");
}

static void log_notes(void)
{
	for (u32 i = 0; i < notes.nr; i++)
		klog(LOG_NOTICE, "numa", "%s", notes.text[i]);
	if (notes.nr_dropped)
		klog(LOG_NOTICE, "numa", "and %u more: oddities without room", notes.nr_dropped);
}

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
	klog(LOG_INFO, "numa", "node %u: domain %u, ranges%s, %u CPU%s", nid, topology.domain[nid],
	     at ? ranges : " none", nr_cpus, plural(nr_cpus));
}

/*
 * The id by which the tables know this CPU. CPUID leaf 0xB has all 32 bits of it, where the CPU has
 * that leaf (EBX, the number of threads, is 0 if not); leaf 1 has the lower 8.
 */
static u32 this_apic_id(void)
{
	if (cpuid(0).eax >= 0xb) {
		struct cpuid_result topology_leaf = cpuid(0xb);

		if (topology_leaf.ebx & 0xffff)
			return topology_leaf.edx;
	}
	return cpuid(1).ebx >> 24;
}

void acpi_init(const struct boot_info *info, bool numa_on)
{
	acpi_read_tables(info->rsdp, info->rsdp_bytes, paging_map_firmware, &tables, &notes);
	log_tables();
	if (!numa_on)
		topology_note(&notes, "numa=off: SRAT and SLIT are not used");
	acpi_build_topology(tables.have_srat && numa_on ? &tables.srat : NULL,
			    tables.have_slit && numa_on ? &tables.slit : NULL,
			    tables.have_madt ? &tables.madt : NULL, this_apic_id(), &topology,
			    &notes);
	if (tables.have_hmat && numa_on)
		acpi_note_hmat(&tables.hmat, &topology, &notes);
	acpi_note_empty_ranges(&topology, memblock_next_ram, &notes);
	log_notes();
	/* Not logged here: numa_init() says the same, and where that RAM goes. */
	acpi_note_uncovered_ram(&topology, memblock_next_ram, &notes);
	for (u32 nid = 0; nid < topology.nr_nodes; nid++)
		log_node(nid);
}

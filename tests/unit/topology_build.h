/*
 * What the firmware says and what comes of it, for the tests of acpi_build_topology(). Each file
 * that includes this has tables of its own.
 */
#ifndef TESTS_UNIT_TOPOLOGY_BUILD_H
#define TESTS_UNIT_TOPOLOGY_BUILD_H

#include <base/string.h>
#include <kernel/acpi.h>
#include <kernel/test.h>

static struct acpi_srat srat;
static struct acpi_slit slit;
static struct acpi_madt madt;
static struct numa_topology topology;
static struct topology_notes notes;

/* --- What the firmware says ---------------------------------------------------------------- */

static inline void tables_begin(void)
{
	memset(&srat, 0, sizeof(srat));
	memset(&slit, 0, sizeof(slit));
	memset(&madt, 0, sizeof(madt));
}

static inline struct acpi_srat_memory *memory(u32 domain, u64 base, u64 end)
{
	struct acpi_srat_memory *m = &srat.memory[srat.nr_memory++];

	*m = (struct acpi_srat_memory){
		.base = base, .length = end - base, .domain = domain, .enabled = true};
	return m;
}

/* Domains 0 and 1, a gigabyte each. */
static inline void two_nodes(void)
{
	tables_begin();
	memory(0, 0, GiB(1));
	memory(1, GiB(1), GiB(2));
}

/* A CPU that SRAT places. */
static inline struct acpi_srat_cpu *placed_cpu(u32 domain, u32 apic_id)
{
	struct acpi_srat_cpu *cpu = &srat.cpus[srat.nr_cpus++];

	*cpu = (struct acpi_srat_cpu){.apic_id = apic_id, .domain = domain, .enabled = true};
	return cpu;
}

/* A CPU that MADT lists. */
static inline struct acpi_madt_cpu *listed_cpu(u32 apic_id)
{
	struct acpi_madt_cpu *cpu = &madt.cpus[madt.nr_cpus++];

	*cpu = (struct acpi_madt_cpu){.apic_id = apic_id, .uid = apic_id, .enabled = true};
	return cpu;
}

/* A CPU in both. */
static inline void cpu(u32 domain, u32 apic_id)
{
	placed_cpu(domain, apic_id);
	listed_cpu(apic_id);
}

static inline void distances(u32 localities, const u8 *matrix)
{
	slit.localities = slit.nr_kept = localities;
	for (u32 i = 0; i < localities; i++)
		for (u32 j = 0; j < localities; j++)
			slit.distance[i][j] = matrix[i * localities + j];
}

/* --- What comes of it ---------------------------------------------------------------------- */

/* NUMA-1 to NUMA-3 of <mm/numa.h>, and that no APIC id is there twice. */
static inline bool is_sound(const struct numa_topology *n)
{
	bool sound = n->nr_nodes >= 1 && n->nr_nodes <= MAX_NUMNODES && n->nr_cpus >= 1 &&
		     n->nr_cpus <= NUMA_MAX_CPUS && n->nr_ranges <= NUMA_MAX_RANGES;

	for (u32 i = 0; sound && i < n->nr_ranges; i++) {
		sound &= n->ranges[i].base < n->ranges[i].end;
		sound &= n->ranges[i].nid >= 0 && n->ranges[i].nid < (int)n->nr_nodes;
		sound &= i == 0 || n->ranges[i - 1].end <= n->ranges[i].base;
	}
	for (u32 i = 0; sound && i < n->nr_cpus; i++) {
		sound &= n->cpus[i].nid >= 0 && n->cpus[i].nid < (int)n->nr_nodes;
		for (u32 j = 0; j < i; j++)
			sound &= n->cpus[i].apic_id != n->cpus[j].apic_id;
	}
	for (u32 i = 0; sound && i < n->nr_nodes; i++) {
		sound &= i == 0 || n->domain[i - 1] < n->domain[i];
		for (u32 j = 0; j < n->nr_nodes; j++)
			sound &= i == j ? n->distance[i][j] == 10 : n->distance[i][j] > 10;
	}
	return sound;
}

static inline void build_from(const struct acpi_srat *s, const struct acpi_slit *d,
			      const struct acpi_madt *m, u32 boot_apic_id)
{
	memset(&topology, 0xa5, sizeof(topology)); /* nothing of what was there may count */
	memset(&notes, 0, sizeof(notes));
	acpi_build_topology(s, d, m, boot_apic_id, &topology, &notes);
}

/* With a SLIT only where the test gave one. */
static inline void build(struct ktest *t)
{
	build_from(&srat, slit.localities ? &slit : NULL, &madt, 0);
	EXPECT(t, is_sound(&topology));
}

static inline void expect_range(struct ktest *t, u32 i, int nid, u64 base, u64 end)
{
	const struct numa_range *r = &topology.ranges[i];

	EXPECT_MSG(t, i < topology.nr_ranges && r->nid == nid && r->base == base && r->end == end,
		   "range %u of %u is node %d 0x%llx-0x%llx, expected node %d 0x%llx-0x%llx", i,
		   topology.nr_ranges, r->nid, (unsigned long long)r->base,
		   (unsigned long long)r->end, nid, (unsigned long long)base,
		   (unsigned long long)end);
}

static inline bool noted(const char *text)
{
	for (u32 i = 0; i < notes.nr; i++)
		if (strstr(notes.text[i], text))
			return true;
	return false;
}

#endif

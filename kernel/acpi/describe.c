/*
 * What the tables say, as text: the part of the monitor's `numa` that is the firmware's account and
 * not the kernel's. It stands as it is in the tables, with what is not used: next to the nodes
 * that were made of it, it shows why they are so.
 *
 *	firmware ranges:
 *	domain 0: [mem 0x0000000000100000-0x000000000fffffff], 261120 of 261120 KiB are RAM
 *	domain 1: [mem 0x0000000100000000-0x00000002dfffffff] hot-pluggable, 0 of 7864320 KiB are RAM
 *	hmat: revision 2
 *	hmat: access latency from domain 0: 0=5 1=10 ns
 *
 * numa-inspect prints the same lines of a machine that is elsewhere, so nothing here knows of a
 * console: the caller gives the function that prints.
 */
#include "topology_internal.h"

/* Where the text goes. `next_ram` walks RAM; NULL: not known here. */
struct output {
	void (*print)(const char *fmt, ...) __printf_like(1, 2);
	bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range);
};

/* CPUs that are enabled and none of ours, since no interrupt would reach them. */
static void describe_unused_cpus(const struct acpi_tables *tables,
				 const struct numa_topology *topology, const struct output *out)
{
	for (u32 i = 0; tables->have_madt && i < tables->madt.nr_cpus; i++) {
		const struct acpi_madt_cpu *cpu = &tables->madt.cpus[i];

		if (!cpu->enabled || !cpu->x2apic || cpu->apic_id <= ACPI_MAX_APIC_ID ||
		    cpu->apic_id == topology->cpus[0].apic_id)
			continue;
		out->print("no cpu: apic id %u", cpu->apic_id);
		for (u32 j = 0; tables->have_srat && j < tables->srat.nr_cpus; j++)
			if (tables->srat.cpus[j].apic_id == cpu->apic_id)
				out->print(", domain %u", tables->srat.cpus[j].domain);
		out->print(": above %d, left out\n", ACPI_MAX_APIC_ID);
	}
}

/* --- SRAT ---------------------------------------------------------------------------------- */

/* Memory, empty slots apart, and how much of it is RAM. */
static void describe_ranges(const struct acpi_srat *srat, const struct output *out)
{
	out->print("firmware ranges:\n");
	for (u32 i = 0; i < srat->nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat->memory[i];
		u64 end = m->length > UINT64_MAX - m->base ? UINT64_MAX : m->base + m->length;

		if (m->length == 0)
			continue;
		out->print("domain %u: [mem 0x%016llx-0x%016llx]%s%s%s", m->domain,
			   (unsigned long long)m->base, (unsigned long long)end - 1,
			   m->enabled ? "" : " disabled", m->hotplug ? " hot-pluggable" : "",
			   m->nonvolatile ? " non-volatile" : "");
		if (out->next_ram)
			out->print(
				", %llu of %llu KiB are RAM",
				(unsigned long long)acpi_ram_bytes(out->next_ram, m->base, end) >>
					10,
				(unsigned long long)m->length >> 10);
		else
			out->print(", %llu KiB", (unsigned long long)m->length >> 10);
		out->print("\n");
	}
}

static void describe_initiators(const struct acpi_srat *srat, const struct output *out)
{
	for (u32 i = 0; i < srat->nr_initiators; i++) {
		const struct acpi_srat_initiator *g = &srat->initiators[i];

		out->print("domain %u: generic initiator%s, ", g->domain,
			   g->enabled ? "" : " (disabled)");
		if (g->handle_type == ACPI_HANDLE_PCI)
			out->print("PCI %04x:%02x:%02x.%u\n", g->segment, g->bdf >> 8,
				   g->bdf >> 3 & 0x1f, g->bdf & 7);
		else if (g->handle_type == ACPI_HANDLE_ACPI)
			out->print("ACPI %s, UID %u\n", g->hid, g->uid);
		else
			out->print("a handle of type %u\n", g->handle_type);
	}
}

/* --- HMAT ---------------------------------------------------------------------------------- */

static void describe_matrix(const struct acpi_hmat *hmat, const struct acpi_hmat_matrix *matrix,
			    const struct output *out)
{
	static const char *const names[] = {"access latency", "read latency",
					    "write latency",  "access bandwidth",
					    "read bandwidth", "write bandwidth"};
	const u32 *rows = &hmat->domains[matrix->first_domain];
	const u32 *columns = rows + matrix->nr_initiators;

	if (matrix->data >= ARRAY_SIZE(names)) {
		out->print("hmat: a matrix of reserved type %u\n", matrix->data);
		return;
	}
	for (u32 i = 0; i < matrix->nr_initiators; i++) {
		out->print("hmat: %s", names[matrix->data]);
		if (matrix->level)
			out->print(" of cache level %u", matrix->level);
		out->print(" from domain %u:", rows[i]);
		for (u32 j = 0; j < matrix->nr_targets; j++)
			out->print(" %u=%u", columns[j], acpi_hmat_value(hmat, matrix, i, j));
		out->print("%s\n", matrix->data <= ACPI_HMAT_WRITE_LATENCY ? " ns" : " MB/s");
	}
}

/* Known, not used: distances are SLIT's. 0 is "not given". */
static void describe_hmat(const struct acpi_hmat *hmat, const struct output *out)
{
	out->print("hmat: revision %u\n", hmat->header.revision);
	for (u32 i = 0; i < hmat->nr_attributes; i++) {
		const struct acpi_hmat_attributes *a = &hmat->attributes[i];

		if (a->memory_valid && a->initiator_valid)
			out->print("hmat: memory of domain %u is local to domain %u\n", a->memory,
				   a->initiator);
	}
	for (u32 i = 0; i < hmat->nr_matrices; i++)
		describe_matrix(hmat, &hmat->matrices[i], out);
	for (u32 i = 0; i < hmat->nr_caches; i++) {
		const struct acpi_hmat_cache *c = &hmat->caches[i];

		out->print(
			"hmat: memory of domain %u has a cache, level %u of %u, %llu KiB, lines of "
			"%u\n",
			c->memory, c->level, c->levels, (unsigned long long)c->size_bytes >> 10,
			c->line_bytes);
	}
}

void acpi_describe(const struct acpi_tables *tables, const struct numa_topology *topology,
		   bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
		   void (*print)(const char *fmt, ...) __printf_like(1, 2))
{
	const struct output out = {print, next_ram};

	describe_unused_cpus(tables, topology, &out);
	if (tables->have_srat) {
		describe_ranges(&tables->srat, &out);
		describe_initiators(&tables->srat, &out);
	}
	if (tables->have_hmat)
		describe_hmat(&tables->hmat, &out);
}

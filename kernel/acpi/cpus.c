/*
 * From MADT to CPUs, and from SRAT to their nodes.
 *
 * - CPUs are the MADT's enabled ones, each APIC id once, the boot CPU first, then in the table's
 *   order. One that is only online-capable could be plugged in later, which nothing here can do.
 * - A CPU with an APIC id above 254 is left out: an IPI reaches it in x2APIC mode only, which is not
 *   used. (The boot CPU runs already, and stays whatever its id.) Its domain is a node all the same:
 *   the memory near it is there.
 * - SRAT and MADT disagree now and then. One that SRAT does not name is on node 0 (Linux: on a node
 *   chosen round robin; FreeBSD panics). One that only SRAT names is not there: MADT says what can
 *   be started.
 * - If SRAT names an APIC id twice, the first entry counts. (Linux: the last one; FreeBSD refuses
 *   the SRAT.)
 */
#include <base/format.h>

#include "topology_internal.h"

/* An APIC id that stands for all CPUs and is none's. */
#define APIC_BROADCAST   0xffu
#define X2APIC_BROADCAST 0xffffffffu

_Static_assert(ACPI_MAX_APIC_ID + 2 <= NUMA_MAX_CPUS,
	       "each usable id and the boot CPU's have room");

struct cpu_counts {
	u32 nr_duplicate, nr_pluggable;
	u32 nr_homeless, first_homeless; /* how many, and the APIC id of the first of them */
	u32 nr_too_high, first_too_high;
};

static void count_first(u32 *nr, u32 *first, u32 apic_id)
{
	if ((*nr)++ == 0)
		*first = apic_id;
}

/* --- What SRAT says ------------------------------------------------------------------------ */

static const struct acpi_srat_cpu *find_in_srat(const struct acpi_srat *srat, u32 apic_id)
{
	for (u32 i = 0; i < srat->nr_cpus; i++)
		if (srat->cpus[i].enabled && srat->cpus[i].apic_id == apic_id)
			return &srat->cpus[i];
	return NULL;
}

static void note_srat_duplicates(const struct acpi_srat *srat, struct topology_notes *notes)
{
	u32 nr_same = 0, nr_conflicts = 0;

	for (u32 i = 0; i < srat->nr_cpus; i++) {
		const struct acpi_srat_cpu *cpu = &srat->cpus[i];
		const struct acpi_srat_cpu *first;

		if (!cpu->enabled)
			continue;
		first = find_in_srat(srat, cpu->apic_id);
		if (first == cpu)
			continue;
		if (first->domain == cpu->domain)
			nr_same++;
		else if (topology_note_this(&nr_conflicts))
			topology_note(notes,
				      "SRAT: APIC id %u is in domains %u and %u: the first counts",
				      cpu->apic_id, first->domain, cpu->domain);
	}
	topology_note_rest(notes, nr_conflicts, "CPUs in two domains");
	if (nr_same)
		topology_note(notes, "SRAT names %u CPU%s more than once, in the same domain",
			      nr_same, plural(nr_same));
}

static bool is_enabled_in_madt(const struct acpi_madt *madt, u32 apic_id)
{
	for (u32 i = 0; i < madt->nr_cpus; i++)
		if (madt->cpus[i].enabled && madt->cpus[i].apic_id == apic_id)
			return true;
	return false;
}

static void note_srat_only(const struct acpi_srat *srat, const struct acpi_madt *madt,
			   u32 boot_apic_id, struct topology_notes *notes)
{
	u32 nr = 0, first = 0;

	for (u32 i = 0; i < srat->nr_cpus; i++) {
		const struct acpi_srat_cpu *cpu = &srat->cpus[i];

		if (cpu->enabled && cpu->apic_id != boot_apic_id &&
		    !is_enabled_in_madt(madt, cpu->apic_id))
			count_first(&nr, &first, cpu->apic_id);
	}
	if (nr)
		topology_note(notes,
			      "%u CPU%s of SRAT not enabled in MADT (first: APIC id %u): left out",
			      nr, plural(nr), first);
}

/* --- What MADT says ------------------------------------------------------------------------ */

/* SRAT may be NULL: then there is one node. */
static int cpu_to_nid(const struct acpi_srat *srat, const struct numa_topology *topology,
		      u32 apic_id, struct cpu_counts *counts)
{
	const struct acpi_srat_cpu *cpu;

	if (!srat)
		return 0;
	cpu = find_in_srat(srat, apic_id);
	if (cpu)
		return acpi_domain_node(topology, cpu->domain);
	count_first(&counts->nr_homeless, &counts->first_homeless, apic_id);
	return 0;
}

static void add_cpu(const struct acpi_srat *srat, struct numa_topology *topology, u32 apic_id,
		    struct cpu_counts *counts)
{
	for (u32 i = 0; i < topology->nr_cpus; i++) {
		if (topology->cpus[i].apic_id == apic_id) {
			counts->nr_duplicate++;
			return;
		}
	}
	topology->cpus[topology->nr_cpus++] = (struct numa_cpu){
		.apic_id = apic_id,
		.nid = cpu_to_nid(srat, topology, apic_id, counts),
	};
}

static bool is_cpu(const struct acpi_madt_cpu *cpu)
{
	return cpu->apic_id != (cpu->x2apic ? X2APIC_BROADCAST : APIC_BROADCAST);
}

static void add_listed(const struct acpi_srat *srat, const struct acpi_madt *madt, u32 boot_apic_id,
		       struct numa_topology *topology, struct cpu_counts *counts)
{
	bool boot_seen = false;

	for (u32 i = 0; i < madt->nr_cpus; i++) {
		const struct acpi_madt_cpu *cpu = &madt->cpus[i];

		if (!is_cpu(cpu))
			continue;
		if (!cpu->enabled)
			counts->nr_pluggable += cpu->online_capable;
		else if (cpu->apic_id == boot_apic_id && !boot_seen)
			boot_seen = true; /* it is CPU 0 already */
		else if (cpu->apic_id > ACPI_MAX_APIC_ID && cpu->apic_id != boot_apic_id)
			count_first(&counts->nr_too_high, &counts->first_too_high, cpu->apic_id);
		else
			add_cpu(srat, topology, cpu->apic_id, counts);
	}
}

/* --- Notes --------------------------------------------------------------------------------- */

static void note_madt(const struct acpi_madt *madt, u32 boot_apic_id, struct topology_notes *notes)
{
	if (!madt) {
		topology_note(notes, "no MADT: only the boot CPU is known");
		return;
	}
	if (madt->nr_malformed)
		topology_note(notes, "MADT: %u malformed entr%s passed over, %u byte%s not read",
			      madt->nr_malformed, plural_y(madt->nr_malformed), madt->bytes_unread,
			      plural(madt->bytes_unread));
	if (madt->nr_dropped)
		topology_note(notes, "MADT: %u CPU%s more than fit, left out", madt->nr_dropped,
			      plural(madt->nr_dropped));
	if (!is_enabled_in_madt(madt, boot_apic_id))
		topology_note(notes, "MADT does not list the boot CPU (APIC id %u) as enabled",
			      boot_apic_id);
}

static void note_counts(const struct cpu_counts *counts, struct topology_notes *notes)
{
	if (counts->nr_duplicate)
		topology_note(notes, "MADT lists %u CPU%s more than once", counts->nr_duplicate,
			      plural(counts->nr_duplicate));
	if (counts->nr_pluggable)
		topology_note(notes, "MADT: %u CPU%s could be plugged in: left out",
			      counts->nr_pluggable, plural(counts->nr_pluggable));
	if (counts->nr_too_high)
		topology_note(notes, "%u CPU%s with an APIC id above %d (first: %u): left out",
			      counts->nr_too_high, plural(counts->nr_too_high), ACPI_MAX_APIC_ID,
			      counts->first_too_high);
	if (counts->nr_homeless)
		topology_note(notes, "%u CPU%s not in SRAT (first: APIC id %u): put on node 0",
			      counts->nr_homeless, plural(counts->nr_homeless),
			      counts->first_homeless);
}

void topology_set_cpus(const struct acpi_srat *srat, const struct acpi_madt *madt, u32 boot_apic_id,
		       struct numa_topology *topology, struct topology_notes *notes)
{
	struct cpu_counts counts = {0};

	topology->nr_cpus = 0;
	add_cpu(srat, topology, boot_apic_id, &counts);
	if (madt)
		add_listed(srat, madt, boot_apic_id, topology, &counts);
	note_madt(madt, boot_apic_id, notes);
	note_counts(&counts, notes);
	if (srat)
		note_srat_duplicates(srat, notes);
	if (srat && madt)
		note_srat_only(srat, madt, boot_apic_id, notes);
}

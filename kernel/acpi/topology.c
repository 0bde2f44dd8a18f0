/*
 * From tables to nodes.
 *
 * SRAT says which domain a range of memory or a CPU belongs to, SLIT how far domains are apart,
 * MADT which CPUs exist. A *domain* is the firmware's number: sparse, up to 32 bits. A *node* is
 * ours: dense from 0, in order of domain number, so that the same machine always gets the
 * same nodes whatever the order of its table.
 *
 *	SRAT  domain 4 [0,2G)   domain 1 [2G,4G)   domain 4 [4G,8G)   domain 9: a CPU only
 *
 *	      0         2G        4G                  8G
 *	      +---------+---------+-------------------+
 *	      | node 1  | node 0  | node 1            |     node 2 has no memory
 *	      +---------+---------+-------------------+
 *	      domain[] = { 1, 4, 9 }
 *
 * The rules, and who else has them:
 *
 * - What is disabled or empty does not exist, and its domain does not exist for it. Non-volatile
 *   memory is no RAM. Hot-pluggable ranges count: a range only says whose memory would be
 *   there, RAM is where the loader's map says so; and firmware marks all of it hot-pluggable.
 * - Ranges of one node that touch or overlap are merged. Where ranges of two nodes overlap,
 *   the one that starts lower keeps the shared part and the other is cut. (Linux then refuses the
 *   whole SRAT. We rather lose one boundary than all of them.)
 * - SLIT is taken whole or not at all: 10 on the diagonal, more than 10 elsewhere (as Linux).
 *   Its index is the domain number. Pairs that it does not cover are 20 apart.
 * - CPUs are the MADT's enabled ones, each APIC id once, the boot CPU first, then in the table's
 *   order; one that SRAT does not name is on node 0.
 * - Nothing is lost for lack of room: domains past the last node that fits are added to that
 *   node. Ranges that did not fit SRAT's array are RAM without a range, which numa_init()
 *   gives to a neighbour.
 * - No SRAT, or none that names memory: one node.
 *
 * Whatever was doubted, cut or left out is a note. Everything here is a function of its
 * arguments alone. The largest loops are quadratic in table entries, of which there are at
 * most 512 of a kind.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/acpi.h>

/* No x86-64 has longer physical addresses; the flat topology's only range ends there, too. */
#define PHYS_LIMIT ((u64)1 << 52)

/* An APIC id that stands for all CPUs and is none's. */
#define APIC_BROADCAST   0xffu
#define X2APIC_BROADCAST 0xffffffffu

_Static_assert(ACPI_MAX_MEMORY <= NUMA_MAX_RANGES, "every range of an SRAT has room");

void topology_note(struct topology_notes *notes, const char *fmt, ...)
{
	va_list args;

	if (notes->nr == TOPOLOGY_MAX_NOTES) {
		notes->nr_dropped++;
		return;
	}
	va_start(args, fmt);
	vsnprintf(notes->text[notes->nr++], sizeof(notes->text[0]), fmt, args);
	va_end(args);
}

/* Does this entry say whose some RAM is? */
static bool names_ram(const struct acpi_srat_memory *memory)
{
	return memory->enabled && !memory->nonvolatile && memory->length != 0 &&
	       memory->base < PHYS_LIMIT;
}

static bool srat_usable(const struct acpi_srat *srat, struct topology_notes *notes)
{
	if (!srat) {
		topology_note(notes, "without SRAT: one node owns all memory");
		return false;
	}
	for (u32 i = 0; i < srat->nr_memory; i++)
		if (names_ram(&srat->memory[i]))
			return true;
	topology_note(notes, "SRAT names no enabled memory: one node owns all memory");
	return false;
}

/* What the parser had to pass over, and what is passed over here. */
static void note_skipped(const struct acpi_srat *srat, struct topology_notes *notes)
{
	if (srat->nr_malformed)
		topology_note(notes, "SRAT: %u malformed entries passed over, %u bytes not read",
			      srat->nr_malformed, srat->bytes_unread);
	if (srat->nr_unknown)
		topology_note(notes, "SRAT: %u entries of unknown type passed over",
			      srat->nr_unknown);
	if (srat->nr_dropped)
		topology_note(notes, "SRAT: %u entries more than fit, left out", srat->nr_dropped);
	for (u32 i = 0; i < srat->nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat->memory[i];
		const char *why = NULL;

		if (!m->enabled || m->length == 0)
			continue;
		if (m->nonvolatile)
			why = "is non-volatile";
		else if (m->base >= PHYS_LIMIT)
			why = "is beyond any physical address";
		if (why)
			topology_note(notes, "[mem 0x%llx, 0x%llx bytes] of domain %u %s: not used",
				      (unsigned long long)m->base, (unsigned long long)m->length,
				      m->domain, why);
	}
}

/*
 * Inserts a domain into the sorted domain[] if it is not there. A full array keeps the
 * lowest ones; returns false if a domain was left without a node.
 */
static bool add_domain(struct numa_topology *topology, u32 domain)
{
	u32 *domains = topology->domain;
	bool full = topology->nr_nodes == MAX_NUMNODES;
	u32 at = 0, moved;

	while (at < topology->nr_nodes && domains[at] < domain)
		at++;
	if (at == MAX_NUMNODES)
		return false;
	if (at < topology->nr_nodes && domains[at] == domain)
		return true;

	/* If it is full the highest falls out at the end. */
	moved = topology->nr_nodes - at - full;
	memmove(&domains[at + 1], &domains[at], moved * sizeof(domains[0]));
	domains[at] = domain;
	topology->nr_nodes += !full;
	return !full;
}

static void collect_domains(const struct acpi_srat *srat, struct numa_topology *topology,
			    struct topology_notes *notes)
{
	bool all_fit = true;

	for (u32 i = 0; i < srat->nr_memory; i++)
		if (names_ram(&srat->memory[i]))
			all_fit &= add_domain(topology, srat->memory[i].domain);
	for (u32 i = 0; i < srat->nr_cpus; i++)
		if (srat->cpus[i].enabled)
			all_fit &= add_domain(topology, srat->cpus[i].domain);
	if (!all_fit)
		topology_note(notes, "more than %d domains: those above domain %u join node %d",
			      MAX_NUMNODES, topology->domain[MAX_NUMNODES - 1], MAX_NUMNODES - 1);
}

/* The node of a domain that is in use: its place, or the last node if it found none. */
static int domain_to_nid(const struct numa_topology *topology, u32 domain)
{
	u32 nid = 0;

	while (nid < topology->nr_nodes - 1 && topology->domain[nid] < domain)
		nid++;
	return (int)nid;
}

/* --- Ranges -------------------------------------------------------------------------------- */

static void collect_ranges(const struct acpi_srat *srat, struct numa_topology *topology,
			   struct topology_notes *notes)
{
	u32 nr_hotplug = 0, nr_cut = 0;

	for (u32 i = 0; i < srat->nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat->memory[i];
		u64 length;

		if (!names_ram(m))
			continue;
		length = MIN(m->length, PHYS_LIMIT - m->base);
		nr_hotplug += m->hotplug;
		nr_cut += length < m->length;
		topology->ranges[topology->nr_ranges++] = (struct numa_range){
			.base = m->base,
			.end = m->base + length,
			.nid = domain_to_nid(topology, m->domain),
		};
	}
	if (nr_hotplug)
		topology_note(notes, "SRAT: %u ranges are hot-pluggable: RAM where the map has it",
			      nr_hotplug);
	if (nr_cut)
		topology_note(notes, "SRAT: %u ranges go beyond any physical address: cut", nr_cut);
}

/* By base; ranges with the same base stay in the table's order. */
static void sort_ranges(struct numa_topology *topology)
{
	struct numa_range *ranges = topology->ranges;

	for (u32 i = 1; i < topology->nr_ranges; i++) {
		struct numa_range moving = ranges[i];
		u32 at = i;

		for (; at > 0 && ranges[at - 1].base > moving.base; at--)
			ranges[at] = ranges[at - 1];
		ranges[at] = moving;
	}
}

/* Says which parts of `next` are another node's already. */
static void note_overlaps(const struct numa_range *kept, u32 nr, const struct numa_range *next,
			  struct topology_notes *notes)
{
	for (u32 i = nr; i-- > 0 && kept[i].end > next->base;) {
		u64 base = MAX(kept[i].base, next->base);
		u64 end = MIN(kept[i].end, next->end);

		if (base < end && kept[i].nid != next->nid)
			topology_note(
				notes,
				"[mem 0x%llx-0x%llx] is claimed by nodes %d and %d: it is %d's",
				(unsigned long long)base, (unsigned long long)end - 1, kept[i].nid,
				next->nid, kept[i].nid);
	}
}

/*
 * Makes sorted ranges disjoint and merges those of one node that touch:
 *
 *	node 0  |--------------|                   |--------------|
 *	node 1        |-------------|       =>                    |---------|
 *	node 1                      |----|
 *
 * Those kept are disjoint and in order, and no later one starts below them: so a range
 * that overlaps any of them starts, if anything is left of it, where the last one ends.
 */
static void separate_ranges(struct numa_topology *topology, struct topology_notes *notes)
{
	struct numa_range *kept = topology->ranges;
	u32 nr = 0;

	for (u32 i = 0; i < topology->nr_ranges; i++) {
		struct numa_range next = topology->ranges[i];
		struct numa_range *last = nr ? &kept[nr - 1] : NULL;

		note_overlaps(kept, nr, &next, notes);
		if (last && next.nid == last->nid && next.base <= last->end) {
			last->end = MAX(last->end, next.end);
			continue;
		}
		if (last)
			next.base = MAX(next.base, last->end);
		if (next.base < next.end)
			kept[nr++] = next;
	}
	topology->nr_ranges = nr;
}

/* --- Distances ----------------------------------------------------------------------------- */

static bool slit_usable(const struct acpi_slit *slit, u32 nr_nodes, struct topology_notes *notes)
{
	const char *why = NULL;

	if (!slit) {
		if (nr_nodes > 1)
			topology_note(notes, "no SLIT: distances are %d within a node, else %d",
				      LOCAL_DISTANCE, REMOTE_DISTANCE);
		return false;
	}
	if (slit->truncated)
		why = "it is shorter than its matrix";
	else if (slit->nr_bad_local)
		why = "a distance to itself is not 10";
	else if (slit->nr_bad_remote)
		why = "a distance to another is 10 or less";
	if (why)
		topology_note(notes, "SLIT of %llu localities is not used: %s",
			      (unsigned long long)slit->localities, why);
	return why == NULL;
}

static void set_distances(const struct acpi_slit *slit, struct numa_topology *topology,
			  struct topology_notes *notes)
{
	u32 nr_kept = slit_usable(slit, topology->nr_nodes, notes) ? slit->nr_kept : 0;
	u32 nr_outside = 0;

	for (u32 i = 0; i < topology->nr_nodes; i++) {
		u32 from = topology->domain[i];

		nr_outside += from >= nr_kept;
		for (u32 j = 0; j < topology->nr_nodes; j++) {
			u32 to = topology->domain[j];
			u8 distance = i == j ? LOCAL_DISTANCE : REMOTE_DISTANCE;

			if (from < nr_kept && to < nr_kept)
				distance = slit->distance[from][to];
			topology->distance[i][j] = distance;
		}
	}
	if (nr_kept && nr_outside)
		topology_note(notes, "SLIT: %u nodes are not in it: %d away from all others",
			      nr_outside, REMOTE_DISTANCE);
}

/* --- CPUs ---------------------------------------------------------------------------------- */

struct cpu_counts {
	u32 nr_duplicate, nr_dropped, nr_homeless;
	u32 homeless_id; /* the first of them */
};

/* SRAT may be NULL: then there is one node. */
static int cpu_to_nid(const struct acpi_srat *srat, const struct numa_topology *topology,
		      u32 apic_id, struct cpu_counts *counts)
{
	if (!srat)
		return 0;
	for (u32 i = 0; i < srat->nr_cpus; i++)
		if (srat->cpus[i].enabled && srat->cpus[i].apic_id == apic_id)
			return domain_to_nid(topology, srat->cpus[i].domain);
	if (counts->nr_homeless++ == 0)
		counts->homeless_id = apic_id;
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
	if (topology->nr_cpus == NUMA_MAX_CPUS) {
		counts->nr_dropped++;
		return;
	}
	topology->cpus[topology->nr_cpus++] = (struct numa_cpu){
		.apic_id = apic_id,
		.nid = cpu_to_nid(srat, topology, apic_id, counts),
	};
}

static bool is_cpu(const struct acpi_madt_cpu *cpu)
{
	return cpu->enabled && cpu->apic_id != (cpu->x2apic ? X2APIC_BROADCAST : APIC_BROADCAST);
}

static void note_madt(const struct acpi_madt *madt, bool boot_listed, u32 boot_apic_id,
		      struct topology_notes *notes)
{
	if (!madt) {
		topology_note(notes, "no MADT: only the boot CPU is known");
		return;
	}
	if (madt->nr_malformed)
		topology_note(notes, "MADT: %u malformed entries passed over, %u bytes not read",
			      madt->nr_malformed, madt->bytes_unread);
	if (!boot_listed)
		topology_note(notes, "MADT does not list the boot CPU (APIC id %u) as enabled",
			      boot_apic_id);
}

static void collect_cpus(const struct acpi_srat *srat, const struct acpi_madt *madt,
			 u32 boot_apic_id, struct numa_topology *topology,
			 struct topology_notes *notes)
{
	struct cpu_counts counts = {.nr_dropped = madt ? madt->nr_dropped : 0};
	bool boot_listed = false;

	topology->nr_cpus = 0;
	add_cpu(srat, topology, boot_apic_id, &counts);
	for (u32 i = 0; madt && i < madt->nr_cpus; i++) {
		u32 apic_id = madt->cpus[i].apic_id;

		if (!is_cpu(&madt->cpus[i]))
			continue;
		if (apic_id == boot_apic_id && !boot_listed)
			boot_listed = true;
		else
			add_cpu(srat, topology, apic_id, &counts);
	}
	note_madt(madt, boot_listed, boot_apic_id, notes);
	if (counts.nr_duplicate)
		topology_note(notes, "MADT lists %u CPUs more than once", counts.nr_duplicate);
	if (counts.nr_dropped)
		topology_note(notes, "MADT: %u CPUs more than fit, left out", counts.nr_dropped);
	if (counts.nr_homeless)
		topology_note(notes, "%u CPUs are not in SRAT (first: APIC id %u): put on node 0",
			      counts.nr_homeless, counts.homeless_id);
}

/* --- All of it ----------------------------------------------------------------------------- */

void acpi_build_topology(const struct acpi_srat *srat, const struct acpi_slit *slit,
			 const struct acpi_madt *madt, u32 boot_apic_id,
			 struct numa_topology *topology, struct topology_notes *notes)
{
	if (srat)
		note_skipped(srat, notes);
	if (srat_usable(srat, notes)) {
		memset(topology, 0, sizeof(*topology));
		collect_domains(srat, topology, notes);
		collect_ranges(srat, topology, notes);
		sort_ranges(topology);
		separate_ranges(topology, notes);
		set_distances(slit, topology, notes);
	} else {
		numa_topology_flat(topology);
		srat = NULL;
	}
	collect_cpus(srat, madt, boot_apic_id, topology, notes);
}

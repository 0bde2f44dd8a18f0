/*
 * From tables to nodes: which domains are nodes, and the order of the steps.
 *
 * SRAT says which domain a range of memory or a CPU belongs to, SLIT how far domains are apart,
 * MADT which CPUs exist. A *domain* is the firmware's number: sparse, up to 32 bits. A *node* is
 * ours: dense from 0, in order of domain number, so that the same machine always gets the
 * same nodes whatever the order of its table (as FreeBSD; Linux numbers them as they come).
 *
 *	SRAT  domain 4 [0,2G)   domain 1 [2G,4G)   domain 4 [4G,8G)   domain 9: a CPU only
 *
 *	      0         2G        4G                  8G
 *	      +---------+---------+-------------------+
 *	      | node 1  | node 0  | node 1            |     node 2 has no memory
 *	      +---------+---------+-------------------+
 *	      domain[] = { 1, 4, 9 }
 *
 * ranges.c decides who owns which memory, distances.c and cpus.c what their names say; their rules
 * are there. Those of this file:
 *
 * - What is disabled or empty does not exist, and its domain does not exist for it. Non-volatile
 *   memory is no RAM. Hot-pluggable ranges count: a range only says whose memory would be
 *   there, RAM is where the loader's map says so; and firmware marks all of it hot-pluggable.
 * - The domain of an enabled generic initiator is a node, even one without memory and CPUs. Linux
 *   does so (acpi_parse_gi_affinity(): node_set() in numa_nodes_parsed), because a device's driver
 *   shall be able to ask for memory near that domain; FreeBSD passes the entry over. An empty node
 *   costs a zone list and gives whoever knows the device a distance to it.
 * - Domains past the last node that fits join that node: their memory is used. (Linux and FreeBSD
 *   refuse the whole SRAT.)
 * - No SRAT, or none that names memory: one node.
 *
 * Whatever was doubted, cut or left out is a note. All of this is a function of its arguments alone.
 * The largest loops are quadratic in table entries, of which there are at most 512 of a kind.
 */
#include <base/format.h>
#include <base/string.h>

#include "topology_internal.h"

static bool srat_usable(const struct acpi_srat *srat, struct topology_notes *notes)
{
	if (!srat) {
		topology_note(notes, "without SRAT: one node owns all memory");
		return false;
	}
	for (u32 i = 0; i < srat->nr_memory; i++)
		if (names_ram(&srat->memory[i]))
			return true;
	topology_note(notes, "SRAT names no memory that is used: one node owns all memory");
	return false;
}

/* What the parser had to pass over. */
static void note_passed_over(const struct acpi_srat *srat, struct topology_notes *notes)
{
	if (srat->nr_malformed)
		topology_note(notes, "SRAT: %u malformed entr%s passed over, %u byte%s not read",
			      srat->nr_malformed, plural_y(srat->nr_malformed), srat->bytes_unread,
			      plural(srat->bytes_unread));
	if (srat->nr_unknown)
		topology_note(notes, "SRAT: %u entr%s of unknown type passed over (first: type %u)",
			      srat->nr_unknown, plural_y(srat->nr_unknown), srat->first_unknown);
	if (srat->nr_dropped)
		topology_note(notes, "SRAT: %u entr%s more than fit, left out", srat->nr_dropped,
			      plural_y(srat->nr_dropped));
}

/* --- Which domains are nodes --------------------------------------------------------------- */

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
	for (u32 i = 0; i < srat->nr_initiators; i++)
		if (srat->initiators[i].enabled)
			all_fit &= add_domain(topology, srat->initiators[i].domain);
	if (!all_fit)
		topology_note(notes, "more than %d domains: those above domain %u join node %d",
			      MAX_NUMNODES, topology->domain[MAX_NUMNODES - 1], MAX_NUMNODES - 1);
}

int acpi_domain_node(const struct numa_topology *topology, u32 domain)
{
	u32 nid = 0;

	while (nid < topology->nr_nodes && topology->domain[nid] < domain)
		nid++;
	if (nid == MAX_NUMNODES)
		return MAX_NUMNODES - 1; /* it joined the last */
	return nid < topology->nr_nodes && topology->domain[nid] == domain ? (int)nid
									   : NUMA_NO_NODE;
}

static void note_initiators(const struct acpi_srat *srat, struct topology_notes *notes)
{
	u32 nr = 0;

	for (u32 i = 0; i < srat->nr_initiators; i++)
		nr += srat->initiators[i].enabled;
	if (nr)
		topology_note(notes, "SRAT: %u generic initiator%s: a node for each domain", nr,
			      plural(nr));
}

/* --- All of it ----------------------------------------------------------------------------- */

void acpi_build_topology(const struct acpi_srat *srat, const struct acpi_slit *slit,
			 const struct acpi_madt *madt, u32 boot_apic_id,
			 struct numa_topology *topology, struct topology_notes *notes)
{
	if (srat) {
		note_passed_over(srat, notes);
		topology_note_unused(srat, notes);
	}
	if (srat_usable(srat, notes)) {
		memset(topology, 0, sizeof(*topology));
		collect_domains(srat, topology, notes);
		note_initiators(srat, notes);
		topology_set_ranges(srat, topology, notes);
		topology_set_distances(slit, topology, notes);
	} else {
		numa_topology_flat(topology);
		if (slit && slit->localities > 1)
			topology_note(notes, "SLIT is not applied: there is one node");
		srat = NULL;
	}
	topology_set_cpus(srat, madt, boot_apic_id, topology, notes);
}

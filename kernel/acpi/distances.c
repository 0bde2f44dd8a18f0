/*
 * From SLIT to distances between nodes.
 *
 * - SLIT is taken whole or not at all: 10 on the diagonal and more than 10 elsewhere, over all its
 *   localities, as Linux (slit_valid()). FreeBSD takes any values. Many tables have 10 everywhere,
 *   which would make every node the nearest.
 * - Its index is the domain number, not the node's. What it says of domains that are no nodes is
 *   not used; pairs that it does not cover are 20 apart (Linux: REMOTE_DISTANCE).
 * - It need not be symmetric: a link can be faster in one direction. Each direction is used as it
 *   stands, as Linux and FreeBSD do.
 * - 255 means "not reachable". It is kept as a distance, the farthest there is (as Linux; FreeBSD
 *   takes it for "not known"): the memory can still be given away when no other is left.
 */
#include <base/format.h>

#include "topology_internal.h"

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
	else if (slit->localities == 0)
		why = "it is empty";
	else if (slit->nr_bad_local)
		why = "a distance to itself is not 10";
	else if (slit->nr_bad_remote)
		why = "a distance to another is 10 or less";
	if (why)
		topology_note(notes, "SLIT of %llu localit%s is not used: %s",
			      (unsigned long long)slit->localities, plural_y(slit->localities),
			      why);
	return why == NULL;
}

static void note_size(const struct acpi_slit *slit, const struct numa_topology *topology,
		      struct topology_notes *notes)
{
	u32 nr_inside = 0, nr_not_kept = 0, nr_outside;

	for (u32 nid = 0; nid < topology->nr_nodes; nid++) {
		nr_inside += topology->domain[nid] < slit->localities;
		nr_not_kept += topology->domain[nid] < slit->localities &&
			       topology->domain[nid] >= slit->nr_kept;
	}
	nr_outside = topology->nr_nodes - nr_inside;
	if (nr_outside)
		topology_note(notes, "SLIT: %u node%s not in it: %d away from all others",
			      nr_outside, plural(nr_outside), REMOTE_DISTANCE);
	if (nr_not_kept)
		topology_note(notes,
			      "SLIT: %u node%s of a domain above %u: %d away from all others",
			      nr_not_kept, plural(nr_not_kept), slit->nr_kept - 1, REMOTE_DISTANCE);
	if (slit->localities > nr_inside)
		topology_note(notes, "SLIT: %llu of its %llu localit%s without a node: not used",
			      (unsigned long long)slit->localities - nr_inside,
			      (unsigned long long)slit->localities, plural_y(slit->localities));
	if (slit->bytes_unread)
		topology_note(notes, "SLIT: %u byte%s after its %llu localit%s: not used",
			      slit->bytes_unread, plural(slit->bytes_unread),
			      (unsigned long long)slit->localities, plural_y(slit->localities));
}

static void note_values(const struct numa_topology *topology, struct topology_notes *notes)
{
	u32 nr_asymmetric = 0, nr_unreachable = 0, first_i = 0, first_j = 0;

	for (u32 i = 0; i < topology->nr_nodes; i++) {
		for (u32 j = 0; j < topology->nr_nodes; j++) {
			nr_unreachable += topology->distance[i][j] == 255;
			if (i < j && topology->distance[i][j] != topology->distance[j][i] &&
			    nr_asymmetric++ == 0) {
				first_i = i;
				first_j = j;
			}
		}
	}
	if (nr_asymmetric)
		topology_note(
			notes,
			"SLIT: %u pair%s not symmetric (node %u to %u: %u, back: %u): used so",
			nr_asymmetric, plural(nr_asymmetric), first_i, first_j,
			topology->distance[first_i][first_j], topology->distance[first_j][first_i]);
	if (nr_unreachable)
		topology_note(notes, "SLIT: %u distance%s of 255, not reachable: used as farthest",
			      nr_unreachable, plural(nr_unreachable));
}

void topology_set_distances(const struct acpi_slit *slit, struct numa_topology *topology,
			    struct topology_notes *notes)
{
	bool usable = slit_usable(slit, topology->nr_nodes, notes);
	u32 nr_kept = usable ? slit->nr_kept : 0;

	for (u32 i = 0; i < topology->nr_nodes; i++) {
		u32 from = topology->domain[i];

		for (u32 j = 0; j < topology->nr_nodes; j++) {
			u32 to = topology->domain[j];
			u8 distance = i == j ? LOCAL_DISTANCE : REMOTE_DISTANCE;

			if (from < nr_kept && to < nr_kept)
				distance = slit->distance[from][to];
			topology->distance[i][j] = distance;
		}
	}
	if (usable) {
		note_size(slit, topology, notes);
		note_values(topology, notes);
	}
}

/*
 * How the firmware's two accounts of memory fit: the ranges of SRAT, and the RAM of its map.
 *
 *	ranges  |------0------|-----1-----|     |---2---|
 *	RAM        |----| |--------|  |-----------|
 *	                               uncovered ^^    no RAM for 2's end: that is usual
 *
 * A range is cut by the map as a matter of course: there are holes in it, and it may end where
 * memory could still be plugged in. What is odd is a range that has no RAM at all (Linux keeps
 * those apart as numa_reserved_meminfo, FreeBSD says "Ignoring memory"), and RAM in no range. Of
 * that, Linux accepted less than 1 MiB and else refused the SRAT, FreeBSD refuses it; here
 * numa_init() gives it to a neighbour.
 */
#include "topology_internal.h"

u64 acpi_ram_bytes(bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
		   phys_addr_t base, phys_addr_t end)
{
	struct memblock_range ram;
	phys_addr_t cursor = 0;
	u64 bytes = 0;

	while (next_ram(&cursor, &ram)) {
		phys_addr_t from = MAX(base, ram.base), to = MIN(end, ram.end);

		if (from < to)
			bytes += to - from;
	}
	return bytes;
}

void acpi_note_empty_ranges(const struct numa_topology *topology,
			    bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
			    struct topology_notes *notes)
{
	u32 nr = 0;

	for (u32 i = 0; i < topology->nr_ranges; i++) {
		const struct numa_range *r = &topology->ranges[i];

		if (acpi_ram_bytes(next_ram, r->base, r->end) == 0 && topology_note_this(&nr))
			topology_note(notes, "[mem 0x%llx-0x%llx] of node %d has no RAM in the map",
				      (unsigned long long)r->base, (unsigned long long)r->end - 1,
				      r->nid);
	}
	topology_note_rest(notes, nr, "ranges without RAM");
}

static void note_uncovered(phys_addr_t base, phys_addr_t end, u32 *nr, struct topology_notes *notes)
{
	if (base < end && topology_note_this(nr))
		topology_note(notes, "[mem 0x%llx-0x%llx] is RAM in no range: given to a neighbour",
			      (unsigned long long)base, (unsigned long long)end - 1);
}

void acpi_note_uncovered_ram(const struct numa_topology *topology,
			     bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
			     struct topology_notes *notes)
{
	struct memblock_range ram;
	phys_addr_t cursor = 0;
	u32 nr = 0;

	while (next_ram(&cursor, &ram)) {
		phys_addr_t at = ram.base;

		/* Ranges are sorted and disjoint. */
		for (u32 i = 0; i < topology->nr_ranges && at < ram.end; i++) {
			const struct numa_range *r = &topology->ranges[i];

			if (r->end <= at)
				continue;
			note_uncovered(at, MIN(r->base, ram.end), &nr, notes);
			at = MAX(at, MIN(r->end, ram.end));
		}
		note_uncovered(at, ram.end, &nr, notes);
	}
	topology_note_rest(notes, nr, "RAM in no range");
}

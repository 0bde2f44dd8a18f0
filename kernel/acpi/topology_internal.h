/* The steps from tables to nodes, each in a file of its own; topology.c calls them in this order. */
#ifndef TOPOLOGY_INTERNAL_H
#define TOPOLOGY_INTERNAL_H

#include <kernel/acpi.h>

/* No x86-64 has longer physical addresses. */
#define PHYS_LIMIT ((u64)1 << 52)
/* Nodes cannot share less. */
#define PAGE_BYTES 4096u

/* Does this entry say whose some RAM is? */
static inline bool names_ram(const struct acpi_srat_memory *memory)
{
	return memory->enabled && !memory->nonvolatile && memory->length != 0 &&
	       memory->base < PHYS_LIMIT;
}

/* The end of an entry that names RAM. */
static inline u64 ram_end(const struct acpi_srat_memory *memory)
{
	return memory->base + MIN(memory->length, PHYS_LIMIT - memory->base);
}

/*
 * A line for each oddity of a kind would leave no room for other kinds: the first few have one each,
 * the rest one line together. `*nr` counts them, and starts at 0.
 */
bool topology_note_this(u32 *nr);
void topology_note_rest(struct topology_notes *notes, u32 nr, const char *what);

/* Which of SRAT's memory is not used, and why: said even if that is all of it. */
void topology_note_unused(const struct acpi_srat *srat, struct topology_notes *notes);

/* Each wants domain[] and nr_nodes, and sets what its name says. Notes are appended. */
void topology_set_ranges(const struct acpi_srat *srat, struct numa_topology *topology,
			 struct topology_notes *notes);
void topology_set_distances(const struct acpi_slit *slit, struct numa_topology *topology,
			    struct topology_notes *notes);
/* SRAT and MADT may be NULL. */
void topology_set_cpus(const struct acpi_srat *srat, const struct acpi_madt *madt, u32 boot_apic_id,
		       struct numa_topology *topology, struct topology_notes *notes);

#endif

/*
 * memblock's own data, for mm/check.c.
 */
#ifndef MM_MEMBLOCK_INTERNAL_H
#define MM_MEMBLOCK_INTERNAL_H

#include <base/types.h>
#include <mm/numa.h>

/* A range of the topology and a gap after it, each of them twice over for what the firmware cuts. */
#define MEMBLOCK_MAX_REGIONS (4 * NUMA_MAX_RANGES)

/* [base, end), whole pages. */
struct region {
	phys_addr_t base, end;
	int attr; /* memory: node id or NUMA_NO_NODE; reserved: enum memblock_owner */
};

/*
 * Invariants (check: MEMBLOCK-*):
 *   MEMBLOCK-1  regions are not empty, of whole pages, sorted by base, and do not overlap
 *   MEMBLOCK-2  two that touch differ in their attribute
 *   NUMA-4      after numa_init() every region of memory has a node
 * No lock: boot CPU only, and constant after memblock_close().
 */
struct region_list {
	u32 nr;
	struct region region[MEMBLOCK_MAX_REGIONS];
};

const struct region_list *memblock_region_list(bool of_reserved);

#endif

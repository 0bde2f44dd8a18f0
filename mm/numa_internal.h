/*
 * The invariants of a topology, one function each, for numa_init() and mm/check.c.
 */
#ifndef MM_NUMA_INTERNAL_H
#define MM_NUMA_INTERNAL_H

#include <mm/numa.h>

bool numa_check_nodes(const struct numa_topology *t);     /* NUMA-1 */
bool numa_check_ranges(const struct numa_topology *t);    /* NUMA-2 */
bool numa_check_distances(const struct numa_topology *t); /* NUMA-3 */

/* Which nodes have pages to give, once zones exist. */
void numa_set_memory_mask(nodemask_t mask);

#endif

/*
 * Nodes: which CPU and which memory belongs to which, and how far apart they are.
 *
 * The kernel hands over one struct numa_topology, built from its firmware's tables; this
 * file checks it, gives every byte of RAM in memblock an owner node, and answers questions.
 *
 * A firmware range need not be RAM (it spans the PCI hole), and RAM need not be in a range: then
 * it goes to the node of the nearest range below, since firmware that forgets something mostly
 * forgets the end. No RAM is ever left without a node.
 *
 * Constant after numa_init(): no locks. Only the mask of nodes with memory changes once more, when
 * mm_init() knows which nodes have pages to give.
 */
#include <mm/numa.h>

#include <arch/page.h>
#include <base/assert.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/memblock.h>
#include <mm/os.h>

#include "numa_internal.h"

static struct numa_topology current_topology;
u8 numa_cpu_node[NUMA_MAX_CPUS];

_Static_assert(MAX_NUMNODES <= 256, "numa_cpu_node has a byte for a node");
static nodemask_t memory_mask, cpu_mask;

void numa_topology_flat(struct numa_topology *topology)
{
	memset(topology, 0, sizeof(*topology));
	topology->nr_nodes = 1;
	topology->nr_ranges = 1;
	topology->ranges[0] = (struct numa_range){0, (phys_addr_t)1 << PHYS_ADDR_BITS_MAX, 0};
	topology->nr_cpus = 1;
	topology->distance[0][0] = LOCAL_DISTANCE;
}

/* --- Is the topology one? ------------------------------------------------------------------ */

bool numa_check_nodes(const struct numa_topology *t)
{
	if (t->nr_nodes < 1 || t->nr_nodes > MAX_NUMNODES || t->nr_ranges > NUMA_MAX_RANGES ||
	    t->nr_cpus > NUMA_MAX_CPUS)
		return false;
	for (u32 i = 0; i < t->nr_ranges; i++) {
		if (t->ranges[i].nid < 0 || (u32)t->ranges[i].nid >= t->nr_nodes)
			return false;
	}
	for (u32 i = 0; i < t->nr_cpus; i++) {
		if (t->cpus[i].nid < 0 || (u32)t->cpus[i].nid >= t->nr_nodes)
			return false;
	}
	return true;
}

bool numa_check_ranges(const struct numa_topology *t)
{
	for (u32 i = 0; i < t->nr_ranges; i++) {
		if (t->ranges[i].base >= t->ranges[i].end)
			return false;
		if (i > 0 && t->ranges[i].base < t->ranges[i - 1].end)
			return false;
	}
	return true;
}

bool numa_check_distances(const struct numa_topology *t)
{
	for (u32 i = 0; i < t->nr_nodes; i++) {
		for (u32 j = 0; j < t->nr_nodes; j++) {
			if ((i == j) != (t->distance[i][j] == LOCAL_DISTANCE) ||
			    t->distance[i][j] < LOCAL_DISTANCE)
				return false;
		}
	}
	return true;
}

/* --- Installing it ------------------------------------------------------------------------- */

/* The node of the last range that begins at or below addr; of the first range if none does. */
static int nearest_range_node(phys_addr_t addr)
{
	const struct numa_topology *t = &current_topology;
	int nid = t->nr_ranges ? t->ranges[0].nid : 0;

	for (u32 i = 0; i < t->nr_ranges && t->ranges[i].base <= addr; i++)
		nid = t->ranges[i].nid;
	return nid;
}

static int assign_uncovered_ram(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next_ram(&cursor, &range)) {
		int nid, err;

		if (range.nid != NUMA_NO_NODE)
			continue;
		nid = nearest_range_node(range.base);
		os_log(OS_LOG_WARN, "numa",
		       "[mem 0x%012llx-0x%012llx] is in no range of the firmware's: given to node "
		       "%d",
		       (unsigned long long)range.base, (unsigned long long)range.end - 1, nid);
		err = memblock_set_node(range.base, range.end - range.base, nid);
		if (err)
			return err;
	}
	return 0;
}

/* Gives all RAM its node by current_topology; -ENOSPC if memblock cannot hold that many pieces. */
static int assign_ram(void)
{
	for (u32 i = 0; i < current_topology.nr_ranges; i++) {
		const struct numa_range *r = &current_topology.ranges[i];
		int err = memblock_set_node(r->base, r->end - r->base, r->nid);

		if (err)
			return err;
	}
	return assign_uncovered_ram();
}

static void derive(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	memory_mask = 0;
	while (memblock_next_ram(&cursor, &range))
		memory_mask |= NODE_BIT(range.nid);
	cpu_mask = 0;
	for (u32 i = 0; i < current_topology.nr_cpus; i++) {
		cpu_mask |= NODE_BIT(current_topology.cpus[i].nid);
		numa_cpu_node[i] = (u8)current_topology.cpus[i].nid;
	}
}

int numa_init(const struct numa_topology *topology)
{
	int err = -EINVAL;

	if (numa_check_nodes(topology) && numa_check_ranges(topology) &&
	    numa_check_distances(topology)) {
		current_topology = *topology;
		err = assign_ram();
	}
	if (err) {
		os_log(OS_LOG_ERR, "numa", "%s: using one node",
		       err == -ENOSPC ? "memory is in more pieces than memblock holds"
				      : "topology breaks its invariants");
		numa_topology_flat(&current_topology);
		/* One piece a gap of RAM, which memblock held before. */
		if (assign_ram() != 0)
			os_panic("numa: memblock cannot hold even one node");
	}
	derive();
	return err;
}

void numa_set_memory_mask(nodemask_t mask)
{
	memory_mask = mask;
}

/* --- Questions ----------------------------------------------------------------------------- */

const struct numa_topology *numa_topology(void)
{
	return &current_topology;
}

int numa_distance(int from, int to)
{
	ASSERT_MSG(from >= 0 && (u32)from < current_topology.nr_nodes && to >= 0 &&
			   (u32)to < current_topology.nr_nodes,
		   "distance from node %d to node %d of %u", from, to, current_topology.nr_nodes);
	return current_topology.distance[from][to];
}

nodemask_t node_possible_mask(void)
{
	u32 nr = current_topology.nr_nodes;

	return nr ? ~(nodemask_t)0 >> (MAX_NUMNODES - nr) : 0;
}

nodemask_t node_memory_mask(void)
{
	return memory_mask;
}

nodemask_t node_cpu_mask(void)
{
	return cpu_mask;
}

/* --- Early memory near a node -------------------------------------------------------------- */

phys_addr_t numa_alloc_early(int nid, u64 size_bytes, u64 align_bytes, enum memblock_owner owner)
{
	nodemask_t left = node_possible_mask();

	while (left) {
		struct memblock_request request = {size_bytes, align_bytes, 0, NUMA_NO_NODE, owner};
		phys_addr_t at;
		int n;

		for_each_node_mask(n, left) {
			if (request.nid == NUMA_NO_NODE ||
			    numa_distance(nid, n) < numa_distance(nid, request.nid))
				request.nid = n;
		}
		at = memblock_alloc(&request);
		if (at)
			return at;
		left &= ~NODE_BIT(request.nid);
	}
	return 0;
}

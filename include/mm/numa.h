/*
 * Nodes: what they are, how far apart, which CPU and which memory belongs to which.
 *
 * The kernel decodes its firmware's tables into a struct numa_topology and hands it to
 * numa_init() once, before memblock gives out memory by node. From then on it is constant.
 *
 * Terms: a *domain* (proximity domain) is the firmware's number, sparse and up to 32 bits;
 * a *node* is ours, dense from 0. Distances are SLIT's: 10 is local, larger is farther.
 */
#ifndef MM_NUMA_H
#define MM_NUMA_H

#include <base/types.h>
#include <mm/memblock.h>

#define MAX_NUMNODES    64
#define NUMA_NO_NODE    (-1)
#define LOCAL_DISTANCE  10
#define REMOTE_DISTANCE 20

#define NUMA_MAX_RANGES 512
#define NUMA_MAX_CPUS   512

/* One bit a node. */
typedef u64 nodemask_t;
#define NODE_BIT(nid) ((nodemask_t)1 << (nid))

static inline bool node_isset(int nid, nodemask_t mask)
{
	return (mask >> nid) & 1;
}

#define for_each_node_mask(nid, mask)            \
	for (nid = 0; nid < MAX_NUMNODES; nid++) \
		if (!node_isset(nid, mask)) {    \
		} else

/* Memory of a node as the firmware names it; [base, end) need not be all RAM. */
struct numa_range {
	phys_addr_t base, end;
	int nid;
};

struct numa_cpu {
	u32 apic_id;
	int nid;
};

/*
 * Invariants (check: NUMA-*):
 *   NUMA-1  1 <= nr_nodes <= MAX_NUMNODES, every nid in ranges and cpus is below it
 *   NUMA-2  ranges are sorted by base and do not overlap
 *   NUMA-3  distance[i][i] == LOCAL_DISTANCE; distance[i][j] > LOCAL_DISTANCE for i != j
 */
struct numa_topology {
	u32 nr_nodes;
	u32 domain[MAX_NUMNODES]; /* node -> the firmware's number */
	u32 nr_ranges;
	struct numa_range ranges[NUMA_MAX_RANGES];
	u32 nr_cpus; /* enabled ones; index is the CPU number, 0 boots */
	struct numa_cpu cpus[NUMA_MAX_CPUS];
	u8 distance[MAX_NUMNODES][MAX_NUMNODES];
};

/* A machine without a usable SRAT: one node that owns everything. */
void numa_topology_flat(struct numa_topology *topology);

/*
 * Installs the topology (copied) and tells memblock which memory is whose. RAM that no
 * range covers goes to the node of the nearest range below it (else above), and a log line
 * says so. Boot only. Returns 0; or -EINVAL if an invariant above does not hold, -ENOSPC if
 * memblock cannot hold so many pieces: then a log line says so and the flat topology is installed.
 */
int numa_init(const struct numa_topology *topology);

const struct numa_topology *numa_topology(void);
int numa_distance(int from, int to);

/* The node of a CPU; node 0 for an unknown one. Inline: every request without a node asks. */
extern u8 numa_cpu_node[NUMA_MAX_CPUS];
static inline int cpu_to_node(u32 cpu)
{
	return cpu < NUMA_MAX_CPUS ? numa_cpu_node[cpu] : 0;
}

nodemask_t node_possible_mask(void); /* every node */
nodemask_t node_memory_mask(void);   /* nodes with memory */
nodemask_t node_cpu_mask(void);      /* nodes with a CPU */

/*
 * Early memory on node nid, or the nearest node that has it. As memblock_alloc(): a physical
 * address, 0 if no node has any left. Boot only.
 */
phys_addr_t numa_alloc_early(int nid, u64 size_bytes, u64 align_bytes, enum memblock_owner owner);

#define for_each_node(nid) for_each_node_mask(nid, node_possible_mask())

#endif

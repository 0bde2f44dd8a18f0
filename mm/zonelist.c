/*
 * Zonelists: in which order a request looks for memory.
 *
 * Every node has two. The fallback list names all zones of the machine, its own first, then node by
 * node outward; the this-node list, for __GFP_THISNODE, only its own. Within a node the highest
 * zone comes first, so that low memory is what is taken last.
 *
 * The order of nodes is by distance. Ties are where a naive sort does harm: on a machine whose
 * nodes are all equally far apart every node would fall back to node 0, and fill it. So, as Linux
 * does, among equally near nodes prefer
 *
 *	- the next higher number, round from the asking node (n < node costs 1),
 *	- a node without CPUs, whose own requests do not need it (a CPU costs 1),
 *	- the node that is first fallback of fewest others (its load, less than any distance).
 *
 * Linux adds the two penalties to the distance itself, so that a node at 21 can come before one at
 * 20; here they decide ties only, as the words say.
 *
 * Source: Linux mm/page_alloc.c, find_next_best_node() and build_zonelists(), for the criteria.
 */
#include <base/assert.h>

#include "zone.h"

struct zone *first_zone[MAX_NUMNODES];

/* What can speak against a node beside its distance: a lower number, and CPUs. */
#define TIE_PENALTIES 3 /* how many steps that makes: 0, 1, 2 */

/* How often a node already heads a group of equal distance in some node's list. */
static u32 node_load[MAX_NUMNODES];

/* Distance decides; the penalties order nodes of equal distance, and the load those still equal. */
static u32 fallback_cost(int from, int to)
{
	u32 cost = (u32)numa_distance(from, to) * TIE_PENALTIES;

	cost += to < from;
	cost += node_isset(to, node_cpu_mask());
	return cost * MAX_NUMNODES + node_load[to];
}

/* The best of `left` to come next in the list of `from`, or NUMA_NO_NODE. */
static int next_best_node(int from, nodemask_t left)
{
	int best = NUMA_NO_NODE, nid;

	if (node_isset(from, left))
		return from;
	for_each_node_mask(nid, left) {
		if (best == NUMA_NO_NODE || fallback_cost(from, nid) < fallback_cost(from, best))
			best = nid;
	}
	return best;
}

static void zonelist_add_node(struct zonelist *list, int nid)
{
	for (u32 type = MAX_NR_ZONES; type-- > 0;) {
		struct zone *zone = &NODE_DATA(nid)->zones[type];

		if (zone->managed_pages)
			list->ref[list->nr++].zone = zone;
	}
}

static void zonelist_build(struct pglist_data *node)
{
	nodemask_t left = node_memory_mask();
	int nid, previous = node->nid;

	zonelist_add_node(&node->zonelist[ZONELIST_THISNODE], node->nid);

	while ((nid = next_best_node(node->nid, left)) != NUMA_NO_NODE) {
		/* The first of each group of equal distance bears that group's load. */
		if (numa_distance(node->nid, nid) != numa_distance(node->nid, previous))
			node_load[nid]++;
		previous = nid;
		left &= ~NODE_BIT(nid);
		zonelist_add_node(&node->zonelist[ZONELIST_FALLBACK], nid);
	}
}

void zonelists_init(void)
{
	static struct zone no_zone = {.fast_mark = ~(u64)0};
	int nid;

	for (nid = 0; nid < MAX_NUMNODES; nid++)
		first_zone[nid] = &no_zone;
	for_each_node(nid) {
		zonelist_build(NODE_DATA(nid));
		first_zone[nid] = NODE_DATA(nid)->zonelist[ZONELIST_FALLBACK].ref[0].zone;
	}
}

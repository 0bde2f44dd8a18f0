/*
 * A machine whose nodes fill up, for the suites about fallback: one cache, and counters since a mark.
 */
#ifndef TESTS_UNIT_SLAB_FALLBACK_ENV_H
#define TESTS_UNIT_SLAB_FALLBACK_ENV_H

#include <mm/kmalloc.h>
#include <mm/page_alloc.h>
#include <mm/policy.h>
#include <mm/vmstat.h>

#include "host.h"
#include "mm/slab.h"
#include "sham_machine.h"
#include "tests/reclaim/sham.h"

/*
 *	node 0   4G .. 4G+24M   CPU 0          distances   10 20 40
 *	node 1   5G .. 5G+24M   CPU 1                      20 10 20
 *	node 2   6G .. 6G+24M   no CPU                     40 20 10
 */
static const struct host_machine machine = {
	.ram = {{GiB(4), MiB(24), 0}, {GiB(5), MiB(24), 1}, {GiB(6), MiB(24), 2}},
	.nr_nodes = 3,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
	.distance = {{10, 20, 40}, {20, 10, 20}, {40, 20, 10}},
	.min_free_kbytes = 256,
};

#define SIZE 256u
static struct kmem_cache *cache;
static u64 before[NR_VMSTAT_ITEMS];

static inline void boot(enum mm_behaviour behaviour)
{
	(void)mm_policy_choose(MM_FALLBACK, behaviour);
	sham_machine_boot(&machine);
	slab_all_cpus_run();
	cache = kmem_cache_create("test", SIZE, 0, 0, NULL);
}

static inline void mark(void)
{
	for (u32 i = 0; i < NR_VMSTAT_ITEMS; i++)
		before[i] = vmstat_read((enum vmstat_item)i);
}

static inline u64 since(enum vmstat_item item)
{
	return vmstat_read(item) - before[item];
}

/* All pages of the node that are to be had without reclaim, as pages nobody reclaims. */
static inline void exhaust(int nid)
{
	while (alloc_pages_node(nid, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, 0))
		;
}

/* Free objects of the node: a slab's worth or more, of which one object stays out. */
static inline void *leave_objects(int nid)
{
	void *object[2];

	object[0] = kmem_cache_alloc_node(cache, GFP_NOWAIT | __GFP_THISNODE, nid);
	object[1] = kmem_cache_alloc_node(cache, GFP_NOWAIT | __GFP_THISNODE, nid);
	kmem_cache_free(cache, object[1]);
	return object[0];
}

/* What the CPU has of its own node goes out, until a request needs a slab. */
static inline void empty_own_stack(void)
{
	u64 slabs = cache->node[0]->nr_slabs;

	while (cache->node[0]->nr_slabs == slabs && cache->node[0]->nr_slabs > 0 &&
	       cache->local[0]->nr > 0)
		(void)!kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_THISNODE);
}

static inline int node_of(const void *object)
{
	return object ? virt_to_page(object)->nid : NUMA_NO_NODE;
}

/* All of memory is clean page cache. */
static inline void fill_with_cache(void)
{
	for (int nid = 0; nid < 3; nid++)
		sham_fill(nid, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, 0, SHAM_MAX_PAGES);
	mark();
}

#endif

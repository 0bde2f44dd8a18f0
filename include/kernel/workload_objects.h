/*
 * A load on one object cache from one CPU: requests that prefer one node, and what they got. Theory in
 * kernel/workload_objects.c.
 */
#ifndef KERNEL_WORKLOAD_OBJECTS_H
#define KERNEL_WORKLOAD_OBJECTS_H

#include <mm/numa.h>
#include <mm/slab.h>

/* Of one load: its requests, and the whole machine's counters over it. */
struct object_figures {
	u64 requests, failed;
	u64 slabs, pages;  /* made; of so many pages */
	u64 needless;      /* of them, though there were free objects elsewhere */
	u64 remote;        /* objects of another node than the preferred one */
	u64 active, total; /* of the cache when it was over: objects in use, and all */
	u64 looks, found, drains, retries, atomic; /* fallback's steps */
	u64 scanned, reclaimed;                    /* pages, by whomever */
};

struct kept_object;

struct object_load {
	/* Who begins it says these. */
	struct kmem_cache *cache;
	int nid; /* preferred */
	u32 kmalloc; /* asks kmalloc_node() for so many bytes, the cache being that class; 0: the cache */
	u64 timeout_ns; /* of each run */

	/* The load's own. */
	struct kept_object *kept;
	u32 order, nr_objects; /* of the cache's slabs */
	u64 grown;             /* slabs that were made when it looked last */
	/* By node: objects of all slabs; that the load has; that others had when it began. */
	u64 total[MAX_NUMNODES], active[MAX_NUMNODES], others[MAX_NUMNODES];
};

/* Threads, all of them. Looks at the cache: nobody else uses it from here on, or little. */
void object_load_begin(struct object_load *load);
/*
 * So many requests; objects stay. With a node (NUMA_NO_NODE: the CPU's) and these flags. False: somebody has
 * interrupted the monitor, or the time is over; then figures are those of the part.
 */
bool object_load_run(struct object_load *load, u64 nr, int nid, gfp_t gfp,
		     struct object_figures *out);
/* Gives every second object of all slabs back, as `seed` says; how many. */
u64 object_load_halve(struct object_load *load, u64 seed);
/* Objects of other nodes than the preferred one that nobody has. */
u64 object_load_free_elsewhere(const struct object_load *load);
void object_load_release(struct object_load *load);

#endif

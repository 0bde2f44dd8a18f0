/*
 * Looking at object caches from outside: copies for reports, tests and people. A copy of a home belongs together; one of
 * a whole cache, or of what CPUs have, is of several moments.
 *
 * Threads, unless a function says otherwise. Nothing here changes anything.
 */
#ifndef MM_SLAB_INSPECT_H
#define MM_SLAB_INSPECT_H

#include <mm/numa.h>
#include <mm/page.h>
#include <mm/slab.h>

/* What a cache counts on each node, beside vmstat's sums over all. */
enum slab_event {
	SLAB_EV_GROWN,    /* slabs made */
	SLAB_EV_GIVEN,    /* slabs given back */
	SLAB_EV_REFILLS,  /* a stack was filled from here */
	SLAB_EV_FLUSHES,  /* a stack gave back to here */
	SLAB_EV_HOME,     /* objects that came from a CPU of another node */
	SLAB_EV_FALLBACK, /* objects given to requests that preferred another node */
	SLAB_EV_REAPED,   /* objects that reaping has taken from stacks and shared */
	NR_SLAB_EVENTS
};
const char *slab_event_name(enum slab_event event);

/* --- Caches, kept from going --------------------------------------------------------------------------- */

/* By name, until slab_cache_put(); NULL: there is none. */
struct kmem_cache *slab_cache_get(const char *name);
/* The one after `last` (NULL: the first), kept; gives `last` up. For walks. */
struct kmem_cache *slab_cache_next(struct kmem_cache *last);
void slab_cache_put(struct kmem_cache *cache);

/* The name of the cache at this address, of SLAB_NAME_BYTES; false: there is none. It is not followed. */
bool slab_cache_name_at(const void *address, char *name);

/* Of a cache, as Linux's slabinfo counts: what CPUs and nodes keep beside slabs is active. */
struct slab_cache_snapshot {
	const char *name;
	u32 object_size; /* as asked for */
	u32 size;        /* from one to the next */
	u32 align, flags;
	u32 order, nr_objects; /* of a slab */
	const char *map_place; /* where a slab's map is, in words */
	u32 map_bytes;
	u32 colours, colour_bytes;
	u32 left_bytes; /* of a slab: neither object nor map; colours come out of it */
	u32 limit, batch, shared;
	u64 slabs, active_slabs, objects, active_objects;
	u64 shared_objects; /* kept by nodes for their CPUs */
};
void slab_cache_snapshot(struct kmem_cache *cache, struct slab_cache_snapshot *out);

/* A cache on one node. False: it has no home there. */
struct slab_node_snapshot {
	u64 full, partial, free; /* slabs */
	u64 objects, free_objects;
	u64 free_limit; /* more free objects than that are not kept */
	u32 shared, shared_limit;
	u64 events[NR_SLAB_EVENTS];
};
bool slab_node_snapshot(struct kmem_cache *cache, int nid, struct slab_node_snapshot *out);

/* What a CPU has: that CPU looks. Interrupts on. False: there is no such CPU. */
struct slab_cpu_snapshot {
	int nid; /* the CPU's own: of[nid] is its own array, the others are alien */
	struct slab_array {
		u32 nr, limit, batch; /* limit 0: none */
	} of[MAX_NUMNODES];
};
bool slab_cpu_snapshot(struct kmem_cache *cache, u32 cpu, struct slab_cpu_snapshot *out);

/* --- Slabs ----------------------------------------------------------------------------------------------- */

#define SLAB_MAP_WORDS 16 /* objects beyond 1024 are left out of the picture */

struct slab_snapshot {
	pfn_t pfn;
	int nid;
	u32 nr_objects, nr_free;
	u32 offset, size; /* of the first place, from the first page; of each */
	u64 free_map[SLAB_MAP_WORDS];
};
/* The one that the node would take from next; else a full one. False: it has none. */
bool slab_snapshot(struct kmem_cache *cache, int nid, struct slab_snapshot *out);
/* The one that the frame is of, and the name of its cache (SLAB_NAME_BYTES). False: it is of none. */
bool slab_of_page(pfn_t pfn, struct slab_snapshot *out, char *name);
/* Which object the byte is in that is `offset` bytes into the slab; false: in none. */
bool slab_object_at(const struct slab_snapshot *slab, u64 offset, u32 *index);

static inline bool slab_object_is_free(const struct slab_snapshot *slab, u32 index)
{
	return index / 64 < SLAB_MAP_WORDS && slab->free_map[index / 64] >> index % 64 & 1;
}

/* --- Sums ------------------------------------------------------------------------------------------------ */

/* Pages of slabs on a node; NUMA_NO_NODE: on all. */
u64 slab_pages(int nid);

/* The largest caches by pages, largest first; how many. */
struct slab_use {
	char name[SLAB_NAME_BYTES];
	u64 pages, used_bytes;
};
u32 slab_largest(struct slab_use *out, u32 max);

/* In words: the arg of TRACE_SLAB_FALLBACK. */
const char *slab_fallback_step_name(u64 step);

#endif

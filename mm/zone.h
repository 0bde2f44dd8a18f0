/*
 * Zones and nodes, private to mm/.
 */
#ifndef MM_ZONE_H
#define MM_ZONE_H

#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <base/atomic.h>
#include <base/list.h>
#include <base/types.h>
#include <mm/gfp.h>
#include <mm/inspect.h>
#include <mm/numa.h>
#include <mm/page.h>

#include "lru.h"
#include "reclaim.h"

/* First frame that is beyond the reach of a DMA / DMA32 request. */
#define ZONE_DMA_END_PFN   (MiB(16) >> PAGE_SHIFT)
#define ZONE_DMA32_END_PFN (GiB(4) >> PAGE_SHIFT)

/* The free blocks of one order. */
struct free_area {
	struct list_head list; /* of struct page.free_link, last freed first */
	u64 nr_free;           /* blocks on it */
};

/* Those in pageblocks of one type. */
struct free_lists {
	u32 orders; /* a bit for each that has a block; may be read without the lock as a hint */
	struct free_area area[NR_ORDERS];
};

/*
 * A block that somebody is gathering: mm/claim.c. Under the zone's lock; `word` may be read without it.
 *
 * Invariants (check):
 *   CLAIM-1  a claim in use has a block above PCP_MAX_ORDER, aligned, of the zone, and apart from other
 *            claims'; nr_claims is how many there are
 *   CLAIM-2  the CAPTURED pages in its block are nr_captured, and none of them is FREE
 *   CLAIM-3  the zone's nr_captured is the sum over its claims, and of all CAPTURED pages
 */
#define MAX_CLAIMS 4
struct claim {
	u64 word; /* claim_word(): where it is; 0: not in use */
	u64 nr_captured;
	u64 serial; /* which of the zone's claims has it */
};

/*
 * The memory of one node that one class of requests can reach.
 *
 * Invariants (check):
 *   ZONE-1   managed <= present <= spanned, and free + captured <= managed
 *   BUDDY-1  a page on free[t].area[o] is FREE, of order o, of this zone, its frame
 *            aligned to 1 << o and its block inside the zone's span
 *   BUDDY-2  free[t].area[o].nr_free is the length of its list, whose links agree
 *   BUDDY-3  no block and its buddy are both free at the same order below MAX_ORDER
 *   BUDDY-4  nr_free_pages is the sum over types and orders of nr_free << order
 *   BUDDY-5  bit o of free[t].orders is set if and only if free[t].area[o] is not empty
 *   BUDDY-6  conservation: FREE, ALLOCATED, PCP and CAPTURED blocks add up to managed
 *   BTYPE-1  a page on free[t].area[o] is in a pageblock of type t, and so is all of its block
 *   BTYPE-2  a pageblock with RAM of two nodes is UNMOVABLE, and says that it is shared
 *   BTYPE-3  an ALLOCATED or PCP block says for which type it was taken, and its order's list
 *   WMARK-1  watermark[] is the zone's share of min_free_kbytes, low and high above it in
 *            equal gaps (watermark_compute())
 *   WMARK-2  lowmem_reserve[] is a share of the memory above (lowmem_reserve_compute())
 */
struct zone {
	/* Read on the hit path. Constant after mm_init(), but for fast_mark and nr_free_pages below. */
	struct per_cpu_pages *pcp[MAX_CPUS]; /* mm/pcp.c */
	/* low mark and reserve of an ordinary request, and a small block: see alloc_fast() */
	u64 fast_mark;

	/* Constant after mm_init(). */
	int nid;
	enum zone_type type;
	pfn_t start_pfn;
	u64 spanned_pages; /* from the first to the last frame, holes included */
	u64 present_pages; /* RAM in it */
	u64 managed_pages; /* given to the buddy allocator */

	/* Written by watermark_setup(), read at any time: each a single aligned word. */
	u64 watermark[NR_WMARK];          /* pages */
	u64 lowmem_reserve[MAX_NR_ZONES]; /* pages, by the class of the request */

	/* Where targeted reclaim looks next: a hint, written by any of its users (mm/target.c). */
	pfn_t target_cursor_pfn;

	/* Guarded by lock; nr_free_pages and free[].orders may be read without it as a hint. */
	struct spinlock lock;
	u64 nr_free_pages;
	u64 nr_captured; /* in claimed blocks: in no count above, on no list */
	u32 nr_claims;   /* may be read without the lock, too */
	struct claim claim[MAX_CLAIMS];
	u64 claim_serial;
	struct free_lists free[NR_BLOCK_TYPES];
	u64 events[NR_ZONE_EVENTS]; /* those counted without the lock are atomic */
};

/* A bit for each order that has a block of any type. Relaxed: without the lock it is a hint. */
static inline u32 zone_free_orders(const struct zone *zone)
{
	u32 orders = 0;

	for (u32 type = 0; type < NR_BLOCK_TYPES; type++)
		orders |= load_relaxed(&zone->free[type].orders);
	return orders;
}

/* A place to look for memory, in order of preference. */
struct zoneref {
	struct zone *zone;
};

/*
 * Invariants (check):
 *   ZONELIST-1  no zone twice, none without managed pages; a this-node list has only its node's
 *   ZONELIST-2  distances do not fall from one node to the next; within a node the highest
 *               zone comes first
 *   ZONELIST-3  the fallback list names every zone that has managed pages
 * Constant after mm_init().
 */
struct zonelist {
	u32 nr;
	struct zoneref ref[MAX_NUMNODES * MAX_NR_ZONES];
};

enum zonelist_kind { ZONELIST_FALLBACK, ZONELIST_THISNODE, NR_ZONELISTS };

/* A node: its zones and its order of preference. Stands in its own memory where it has some. */
struct pglist_data {
	int nid;
	struct zone zones[MAX_NR_ZONES];
	struct zonelist zonelist[NR_ZONELISTS];
	struct lru_node lru;
	struct reclaim_node reclaim;
};

extern struct pglist_data *node_data[MAX_NUMNODES];
#define NODE_DATA(nid) (node_data[nid])

/*
 * What the hit paths look up in one step: a zone by node and type, and the first zone of each node's
 * fallback list. A number that is no node's has a zone there that never has a free page.
 * Constant after mm_init().
 */
_Static_assert(MAX_NUMNODES <= 256, "a node's number is a byte of struct page");
#define NR_PLACES (PAGE_PLACE(MAX_NR_ZONES - 1, MAX_NUMNODES - 1) + 1)
extern struct zone *zone_table[NR_PLACES]; /* by page->place */
extern struct zone *first_zone[MAX_NUMNODES];

static inline struct zone *page_zone(const struct page *page)
{
	return zone_table[page->place];
}

/* NULL: no such node or zone. */
struct zone *zone_find(int nid, enum zone_type type);

/* Every zone of every node, populated or not. */
#define for_each_zone(nid, zone)                                                                \
	for_each_node(nid)                                                                      \
		for (zone = NODE_DATA(nid)->zones; zone < NODE_DATA(nid)->zones + MAX_NR_ZONES; \
		     zone++)

static inline void zone_count_locked(struct zone *zone, enum zone_event event, u64 n)
{
	zone->events[event] += n;
}

/* For the events that are counted without the lock. Relaxed: a figure, it orders nothing. */
static inline void zone_count_atomic(struct zone *zone, enum zone_event event)
{
	__atomic_fetch_add(&zone->events[event], 1, __ATOMIC_RELAXED);
}

static inline enum zone_type pfn_zone_type(pfn_t pfn)
{
	return pfn < ZONE_DMA_END_PFN     ? ZONE_DMA
	       : pfn < ZONE_DMA32_END_PFN ? ZONE_DMA32
					  : ZONE_NORMAL;
}

/* mm/zone.c: allocates every node's data and computes the spans of its zones. */
void zones_init(void);
/* mm/zonelist.c: fills every node's zonelists. After managed_pages are known. */
void zonelists_init(void);

#endif

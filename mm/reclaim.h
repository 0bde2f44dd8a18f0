/*
 * The engine, private to mm/: for kswapd, the slow path, and targeted reclaim.
 */
#ifndef MM_RECLAIM_PRIVATE_H
#define MM_RECLAIM_PRIVATE_H

#include <mm/lru.h>
#include <mm/mempolicy.h>
#include <mm/reclaim.h>

struct pglist_data;
struct zonelist;

/* Above it reclaim by age will not make a block: one is emptied, and nobody is brought to his end for it. */
#define PAGE_ALLOC_COSTLY_ORDER 3

#define RECLAIM_BATCH_PAGES     32
#define RECLAIM_PRIORITY        12 /* the first pass looks at 1/4096 of each list, the last at all of it */

/* How often a reclaimer goes over everything without freeing anything, until it gives up. */
#define MAX_FRUITLESS_ROUNDS 16

/* A reclaimer that finds only pages being written waits so long at most for one to be done. */
#define WRITEBACK_WAIT_NS 100000000ull

/*
 * A node's reclaim: struct pglist_data's `reclaim`. No lock: each word has one writer, or is atomic.
 *
 * Invariants (check):
 *   RECLAIM-1  either no node has a kswapd, or each with memory has one and no other node
 *   RECLAIM-2  a kswapd is HOPELESS after MAX_FRUITLESS_ROUNDS rounds, never earlier; none counts more
 *   RECLAIM-3  each time that it was woken it has ended balanced, or has given up, but for one that lasts
 *   RECLAIM-4  no more pages are reclaimed than scanned
 */
struct reclaim_node {
	/* Atomic, relaxed, but for `reclaimed` (after `scanned`): figures. */
	u64 scanned[NR_RECLAIMERS], reclaimed[NR_RECLAIMERS];
	u64 written, activated, rotated;
	u64 throttled;

	/* kswapd's: it writes the state, but for HOPELESS -> ASLEEP, which is for who brings hope. */
	u32 state;     /* enum kswapd_state; atomic */
	u32 fruitless; /* rounds without progress, on end; atomic */
	u64 wakes, balanced, gave_up;
	/* When it gave up: to see whether something has changed since. */
	u64 free_then, reclaimable_then, written_then, all_written_then;
	u32 hopeless_below; /* it gave up the class before this one: larger ones were not tried, or have it */

	/* Atomic: what kswapd is asked for: a byte for each class, 0 or an order plus 1. */
	u32 wanted;
	bool stop;                     /* atomic: it shall end */
	struct os_wait_queue kswapd;   /* it waits here for something wanted */
	struct os_wait_queue throttle; /* requests, until it has made room */

	/* kswapd_start()'s. */
	struct os_thread *thread;
	char name[16];
};

/* What is wanted, for whom. Const once built. */
struct reclaim_request {
	enum reclaimer who;
	enum zone_type request_class; /* pages of higher zones do not help */
	unsigned int order;
	u64 nr_to_reclaim; /* pages; enough */
	struct reclaim_scope scope;
	bool may_block;
	const struct zonelist *zonelist;  /* DIRECT: nodes in this order ... */
	const struct node_permit *permit; /* ... that it allows */
};

/* What has come of it. */
struct reclaim_progress {
	u64 scanned, reclaimed; /* pages, and objects' worth by shrinkers in `shrunk` */
	u64 shrunk;
	u64 writing;    /* pages that wait for a device */
	bool passed_by; /* a cache that could not be asked now */
};

void reclaim_node_init(struct reclaim_node *reclaim);

/* One node, one priority: its share of the lists and caches, but no more than is still wanted. */
void reclaim_node(int nid, const struct reclaim_request *request, u32 priority,
		  struct reclaim_progress *progress);
/*
 * From low priority to high over all nodes that the request may use. Pages freed, and objects. May sleep if it
 * says so. *passed_by: nothing freed does not mean that there is nothing, since a cache could not be asked. As a
 * thread that may not be sent here again: within memalloc_noreclaim_save().
 */
u64 direct_reclaim(const struct reclaim_request *request, bool *passed_by);
/*
 * Isolated pages, of one node, to their owners, and where they belong then: empties the list. `scanned` counts
 * them.
 */
void reclaim_pages(struct list_head *pages, const struct reclaim_request *request,
		   struct reclaim_progress *progress);

/* --- mm/target.c: one block, for costly orders ----------------------------------------------------- */

/*
 * Pages that must be free besides, so that some zone from which a block can be had stays above its min mark without
 * the block.
 */
u64 pages_missing_for_block(const struct reclaim_request *request);
/*
 * One aligned block of the order, all of whose pages are then free, unless others were quicker. Pages freed.
 * Thread with PF_MEMALLOC, no lock held; may sleep if the request may.
 */
u64 reclaim_block(const struct reclaim_request *request);

/* --- mm/kswapd.c --------------------------------------------------------------------------------- */

/*
 * Every permitted node of the list that has no zone above its low mark for this order and class. Any context
 * from which a thread may be woken.
 */
void wake_all_kswapds(const struct zonelist *zonelist, const struct node_permit *permit,
		      unsigned int order, enum zone_type request_class);
/* One node, whether it has enough or not. */
void wake_kswapd(int nid, unsigned int order, enum zone_type request_class);
/* Somebody else has freed something on the node, so kswapd may be able to. */
void kswapd_has_hope(int nid);
/* Is there something on the node's lists of that zone? A hint. */
bool zone_has_reclaimable(const struct pglist_data *node, u32 type);

/* --- mm/throttle.c -------------------------------------------------------------------------------- */

/* While half of the reserve is gone: waits for kswapd, a second at most. False: it did not have to. */
bool throttle_direct_reclaim(const struct zonelist *zonelist, const struct node_permit *permit,
			     enum zone_type request_class);

#endif

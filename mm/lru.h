/*
 * LRU lists, private to mm/: for reclaim. Theory in mm/lru.c.
 */
#ifndef MM_LRU_PRIVATE_H
#define MM_LRU_PRIVATE_H

#include <arch/spinlock.h>
#include <mm/lru.h>
#include <mm/os_task.h>

struct zone;

/* page->lru_flags, the lists' own; the others are in <mm/lru.h>. */
#define LRU_FROM_ACTIVE 0x40u /* ISOLATED: it was active */

/*
 * A node's reclaimable pages: struct pglist_data's `lru`.
 *
 * Invariants (check):
 *   LRU-1  a page on list[l] says so in page->lru, is ALLOCATED with order 0 and PAGE_MARK_LRU, of this node,
 *          and has a reference, or somebody who put the last one is waiting for the lock
 *   LRU-2  nr[l] is the length of list[l], and the sum over zones of nr_zone[z][l]; nr[ISOLATED] is how many
 *          pages of the node say that they are
 *   LRU-3  nr_dirty and nr_writeback are how many pages on the lists, or isolated, have the flag
 *   LRU-4  every page with PAGE_MARK_LRU is on a list of its node, or isolated; no other page says that it is
 */
struct lru_node {
	/* Guarded by lock: interrupts off; nothing is taken under it. */
	struct spinlock lock;
	struct list_head list[NR_LRU_LISTS]; /* head: youngest; NONE and ISOLATED are not used */
	u64 nr[NR_LRU_LISTS];
	u64 nr_zone[MAX_NR_ZONES][NR_LRU_LISTS];

	/* Atomic, relaxed: figures. */
	u64 nr_dirty, nr_writeback;
	u64 age;

	/* Woken by each end of a write while somebody waits. */
	struct os_wait_queue writeback_wait;
	u32 nr_waiting; /* atomic */
	u64 nr_written; /* atomic: writes that have ended */
};

void lru_node_init(struct lru_node *lru);

/* What the flags were. Relaxed: for those that say nothing of the content; their changes have one order. */
static inline u32 lru_set_flags(struct page *page, u32 flags)
{
	return __atomic_fetch_or(&page->lru_flags, flags, __ATOMIC_RELAXED);
}

static inline u32 lru_clear_flags(struct page *page, u32 flags)
{
	return __atomic_fetch_and(&page->lru_flags, ~flags, __ATOMIC_RELAXED);
}

/* What it was. Relaxed: a figure, it orders nothing. */
static inline u64 lru_count(u64 *count, s64 n)
{
	return __atomic_fetch_add(count, (u64)n, __ATOMIC_RELAXED);
}

/*
 * Takes up to nr_to_scan pages from the tail of the list of the node, of zones up to request_class, and one
 * reference of each; those of zones above are moved to the head. *scanned: how many were looked at.
 * Returns how many are in `pages` (an initialised list, of page->lru_link).
 */
u32 lru_isolate_tail(int nid, enum lru_list list, enum zone_type request_class, u32 nr_to_scan,
		     struct list_head *pages, u32 *scanned);
/* This page, wherever it is, if it is inactive or active. Any struct page. */
bool lru_isolate_page(struct page *page);
/*
 * Where it goes, head or tail: INACTIVE or ACTIVE; a page pinned meanwhile goes to PINNED, and one whose write
 * reclaim waits for and is over to the inactive tail. Counts pgactivate, pgdeactivate, pgrotated.
 * Drops the isolator's reference. The page is on none of the caller's lists any more.
 */
void lru_putback(struct page *page, enum lru_list list, bool tail);
/* Isolated and frozen: off the LRU, and free in its zone's lists, not in a CPU's own. */
void lru_free_frozen(struct page *page);

/* Is the inactive list too short to see a page's second use? */
bool lru_inactive_is_low(int nid);
/* Was it touched since this was last asked? Clears it. */
bool lru_test_clear_referenced(struct page *page);
/* Pages that reclaim could find: inactive and active, of zones up to the class. */
u64 lru_reclaimable_pages(int nid, enum zone_type request_class);
/* The same of one zone, and those that are isolated now: not lost. */
u64 lru_evictable_of_zone(const struct zone *zone);
/* Isolated, and its write has begun: when that is over, to the inactive tail. Then lru_putback(). */
static inline void lru_reclaim_when_written(struct page *page)
{
	lru_set_flags(page, LRU_RECLAIM);
}
/* Sleeps until a write of the node has ended, or the time is over. True at once if none is under way. */
bool lru_wait_writeback(int nid, u64 timeout_ns);

/* --- Between mm/lru.c, mm/writeback.c and mm/workingset.c --------------------------------------- */

/* NULL: no such node. */
struct lru_node *lru_of_node(int nid);
/* Of a page that is on an LRU. */
struct lru_node *page_lru_node(const struct page *page);
/* False: it is not inactive. Counts the age, and no event. */
bool lru_activate(struct page *page);
/* The end of its write: to the inactive tail. */
void lru_rotate_written(struct page *page);

#endif

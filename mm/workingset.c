/*
 * How long the inactive list should be, and whether a page that comes back was missed.
 *
 * With too short an inactive list a page is evicted before its second touch can be seen, and no page ever
 * becomes active again, however often it returns. So evictions are remembered. Each node has an age that counts
 * pages that left it and pages that were activated: each of these moves the inactive list on by one place.
 * Whoever loses a page keeps the age in its place:
 *
 *	   age 1000                          age 1040
 *	   evicted, shadow 1000              comes back: it would have stayed in a list 40 longer
 *	       |<--------- distance 40 --------->|
 *
 * If the active list has at least that many pages, this one would have had room among them, and has been used
 * more lately than the one that was not evicted in its favour: it is activated at once (Linux's
 * mm/workingset.c has the argument at length).
 *
 *	shadow:  31   26 25               0
 *	        |  node |  age, low 26 bits |     0: nothing known
 *
 * The distance is taken on the node that the page has left. 2^26 pages are 256 GiB: only after so many evictions
 * is a page taken for one that was away for a short time, and the price is one activation.
 *
 * Lists: half of memory that is used again and again must fit into the active list beside a stream
 * that passes through once. The inactive list is low below a quarter of both (2Q: Kin), on large memory
 * below Linux's share, 1/(1 + sqrt(10 * GiB)): a list need be no longer because memory is.
 *
 * No lock of its own; the age is an atomic figure.
 */
#include "lru.h"

#include <base/math.h>

#include "vmstat.h"
#include "zone.h"

#define SHADOW_AGE_BITS 26
#define SHADOW_AGE_MASK (((u32)1 << SHADOW_AGE_BITS) - 1)
_Static_assert(MAX_NUMNODES <= 1 << (32 - SHADOW_AGE_BITS), "a node fits beside the age");

#define PAGES_PER_GIB_SHIFT (30 - PAGE_SHIFT)

u32 workingset_eviction(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);
	u32 age = (u32)lru_count(&lru->age, 1) & SHADOW_AGE_MASK;
	u32 shadow = (u32)page->nid << SHADOW_AGE_BITS | age;

	/* 0 has a meaning of its own: then one place farther away. */
	return shadow ? shadow : SHADOW_AGE_MASK;
}

bool workingset_refault(struct page *page, u32 shadow)
{
	const struct lru_node *from = lru_of_node((int)(shadow >> SHADOW_AGE_BITS));
	u32 distance;

	if (shadow == 0 || !from)
		return false;
	vmstat_count(VMSTAT_WORKINGSET_REFAULT);
	/* Relaxed: figures. */
	distance = ((u32)load_relaxed(&from->age) - shadow) & SHADOW_AGE_MASK;
	if (distance > load_relaxed(&from->nr[LRU_ACTIVE]) || !lru_activate(page))
		return false;
	vmstat_count(VMSTAT_WORKINGSET_ACTIVATE);
	return true;
}

bool lru_inactive_is_low(int nid)
{
	const struct lru_node *lru = lru_of_node(nid);
	u64 inactive, active, gib;

	if (!lru)
		return false;
	/* Relaxed: hints. */
	inactive = load_relaxed(&lru->nr[LRU_INACTIVE]);
	active = load_relaxed(&lru->nr[LRU_ACTIVE]);
	gib = (inactive + active) >> PAGES_PER_GIB_SHIFT;
	return inactive * MAX((u64)3, integer_sqrt(10 * gib)) < active;
}

/*
 * The buddy allocator: the free blocks of one zone.
 *
 * Memory is handed out in blocks of 1 << order pages, aligned to their size. Every block of order o
 * has one buddy, the other half of the block of order o + 1 that holds both; its frame number
 * differs in bit o alone. A request for which there is no block halves a larger one until it fits; a
 * block given back merges with its buddy, if that is free as a whole, and again one order up:
 *
 *	order 3   |         taken apart           |       take order 0:
 *	order 2   |       .       |       F       |
 *	order 1   |   .   |   F   |                       3 splits: one block of each
 *	order 0   | A | F |                               order stays free
 *
 * Merging is eager: two free buddies never coexist (BUDDY-3). So freeing everything gives back
 * exactly the blocks there were at boot, and `check` can say so.
 *
 * Only the head of a block carries state and order; its other pages are TAIL and stay so
 * whatever the head does. A split or a merge therefore writes one struct page per order, and an
 * allocation of order 10 costs no more than one of order 0.
 *
 * nonempty_orders has a bit for each order that has a block, so the search for the smallest
 * that fits is one instruction.
 *
 * Lock: the zone's, held by every caller. Nothing here takes another.
 * Source: Knowlton, "A fast storage allocator", CACM 8 (1965); Knuth, TAOCP vol. 1, 2.5.
 */
#include "buddy.h"

#include <base/assert.h>

/* --- Free areas ---------------------------------------------------------------------------- */

static inline void area_add(struct zone *zone, struct page *page, unsigned int order)
{
	store_relaxed(&page->head, PAGE_HEAD(PAGE_FREE, order));
	list_add(&page->free_link, &zone->free_area[order].list);
	zone->free_area[order].nr_free++;
	store_relaxed(&zone->nonempty_orders, zone->nonempty_orders | (u32)1 << order);
}

static inline void area_remove(struct zone *zone, struct page *page, unsigned int order)
{
	list_unlink(&page->free_link);
	if (--zone->free_area[order].nr_free == 0)
		store_relaxed(&zone->nonempty_orders, zone->nonempty_orders & ~((u32)1 << order));
}

/* Relaxed: who reads it without the lock takes it for a hint. */
static void add_free_pages(struct zone *zone, s64 pages)
{
	store_relaxed(&zone->nr_free_pages, zone->nr_free_pages + (u64)pages);
}

/* --- Taking -------------------------------------------------------------------------------- */

/* Halves the block until it has the order; the upper halves become free blocks. */
static void split_down(struct zone *zone, struct page *page, unsigned int from_order,
		       unsigned int order)
{
	while (from_order > order) {
		from_order--;
		area_add(zone, page + ((u64)1 << from_order), from_order);
		zone_count_locked(zone, ZONE_SPLIT, 1);
	}
}

/* Takes the smallest block of at least this order off its list; NULL if there is none. */
static struct page *take_smallest(struct zone *zone, unsigned int order, unsigned int *found)
{
	u32 fitting = zone->nonempty_orders >> order;
	struct page *page;

	if (fitting == 0)
		return NULL;
	*found = order + (unsigned int)__builtin_ctz(fitting);
	page = list_first_entry(&zone->free_area[*found].list, struct page, free_link);
	area_remove(zone, page, *found);
	return page;
}

struct page *buddy_take_locked(struct zone *zone, unsigned int order)
{
	unsigned int found;
	struct page *page = take_smallest(zone, order, &found);

	if (!page)
		return NULL;
	split_down(zone, page, found, order);
	store_relaxed(&page->head, PAGE_HEAD(PAGE_ALLOCATED, order));
	add_free_pages(zone, -((s64)1 << order));
	return page;
}

/*
 * Small remains go first, so taking many does not break large blocks while there are small ones. A
 * block that is larger than what is wanted is halved down to the largest power of two that is, and
 * that is cut up at once: one list operation for all its pieces.
 */
u32 buddy_take_many_locked(struct zone *zone, unsigned int order, u32 nr, struct page **stack)
{
	u32 taken = 0;

	while (taken < nr) {
		u32 most = order + 31 - (u32)__builtin_clz(nr - taken);
		unsigned int found, cut;
		struct page *page = take_smallest(zone, order, &found);

		if (!page)
			break;
		cut = MIN(found, most);
		split_down(zone, page, found, cut);
		for (u64 at = (u64)1 << cut; at > 0;) {
			at -= (u64)1 << order;
			store_relaxed(&page[at].head, PAGE_HEAD(PAGE_PCP, order));
			page[at].pcp_next = *stack;
			*stack = &page[at];
		}
		zone_count_locked(zone, ZONE_SPLIT, ((u64)1 << (cut - order)) - 1);
		taken += (u32)1 << (cut - order);
	}
	add_free_pages(zone, -(s64)((u64)taken << order));
	return taken;
}

/* --- Giving back --------------------------------------------------------------------------- */

/*
 * Blocks merge if the buddy is FREE, of the same order and of this zone: a page of another zone can
 * be a buddy by number where nodes share a 4 MiB unit. All of that is one comparison of its header.
 * Relaxed: what our lock does not guard next door (another zone's page, or one that a CPU has on
 * its own list) may change meanwhile, but never to or from this value.
 *
 * Merges as far as it goes, and lists what comes of it; returns its order.
 */
static inline unsigned int merge_up(struct zone *zone, struct page *page, unsigned int order)
{
	u64 free_header = PAGE_HEADER(PAGE_FREE, 0, zone->type, zone->nid);

	while (order < MAX_ORDER) {
		struct page *buddy = buddy_page(page, order);

		if (load_relaxed(&buddy->header) != (free_header | order << 8))
			break;
		area_remove(zone, buddy, order);

		/* The lower one heads both; the upper is a head no more. */
		if (buddy < page) {
			store_relaxed(&page->head, PAGE_HEAD(PAGE_TAIL, order));
			page = buddy;
		} else {
			store_relaxed(&buddy->head, PAGE_HEAD(PAGE_TAIL, order));
		}
		order++;
	}
	area_add(zone, page, order);
	return order;
}

void buddy_give_locked(struct zone *zone, struct page *page, unsigned int order)
{
	add_free_pages(zone, (s64)1 << order);
	zone_count_locked(zone, ZONE_MERGE, merge_up(zone, page, order) - order);
}

struct page *buddy_give_many_locked(struct zone *zone, struct page *stack, unsigned int order)
{
	u64 given = 0, merges = 0;

	while (stack && stack->head == PAGE_HEAD(PAGE_PCP, order)) {
		struct page *next = stack->pcp_next;

		merges += merge_up(zone, stack, order) - order;
		given++;
		stack = next;
	}
	add_free_pages(zone, (s64)(given << order));
	zone_count_locked(zone, ZONE_MERGE, merges);
	return stack;
}

void buddy_donate(struct zone *zone, struct page *page, unsigned int order)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);

	ASSERT_MSG(page->state == PAGE_TAIL, "donated pfn 0x%llx is %s",
		   (unsigned long long)page_to_pfn(page),
		   page_state_name((enum page_state)page->state));
	zone->managed_pages += (u64)1 << order;
	buddy_give_locked(zone, page, order);
	spin_unlock_irqrestore(&zone->lock, flags);
}

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

static void area_add(struct zone *zone, struct page *page, unsigned int order)
{
	page->state = PAGE_FREE;
	page->order = (u8)order;
	list_add(&page->free_link, &zone->free_area[order].list);
	zone->free_area[order].nr_free++;
	zone->nonempty_orders |= (u32)1 << order;
}

static void area_remove(struct zone *zone, struct page *page, unsigned int order)
{
	list_del(&page->free_link);
	if (--zone->free_area[order].nr_free == 0)
		zone->nonempty_orders &= ~((u32)1 << order);
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

struct page *buddy_take_locked(struct zone *zone, unsigned int order)
{
	u32 fitting = zone->nonempty_orders >> order;
	unsigned int found;
	struct page *page;

	if (fitting == 0)
		return NULL;
	found = order + (unsigned int)__builtin_ctz(fitting);
	page = list_first_entry(&zone->free_area[found].list, struct page, free_link);
	area_remove(zone, page, found);
	split_down(zone, page, found, order);

	page->state = PAGE_ALLOCATED;
	page->order = (u8)order;
	zone->nr_free_pages -= (u64)1 << order;
	return page;
}

/* --- Giving back --------------------------------------------------------------------------- */

/*
 * May a block of this order and zone merge with this page? A page of another zone can be a buddy
 * by number where nodes share a 4 MiB unit: its node and zone, which are constant, come first, since
 * our lock does not guard its state.
 */
static bool is_free_buddy(const struct page *page, const struct zone *zone, unsigned int order)
{
	return page->nid == zone->nid && page->zone == zone->type && page->state == PAGE_FREE &&
	       page->order == order;
}

void buddy_give_locked(struct zone *zone, struct page *page, unsigned int order)
{
	pfn_t pfn = page_to_pfn(page);

	zone->nr_free_pages += (u64)1 << order;
	while (order < MAX_ORDER) {
		struct page *buddy = page + (s64)(buddy_pfn(pfn, order) - pfn);

		if (!is_free_buddy(buddy, zone, order))
			break;
		area_remove(zone, buddy, order);
		zone_count_locked(zone, ZONE_MERGE, 1);

		/* The lower one heads both; the upper is a head no more. */
		if (buddy < page) {
			page->state = PAGE_TAIL;
			page = buddy;
			pfn = buddy_pfn(pfn, order);
		} else {
			buddy->state = PAGE_TAIL;
		}
		order++;
	}
	area_add(zone, page, order);
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

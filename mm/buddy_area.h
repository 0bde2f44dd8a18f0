/*
 * One zone's free lists, one by type and order: adding and removing. Shared by who takes and gives
 * (mm/buddy.c), who moves between types (mm/block_type.c) and who gathers (mm/claim.c).
 *
 * Lock: the zone's, held by every caller.
 */
#ifndef MM_BUDDY_AREA_H
#define MM_BUDDY_AREA_H

#include "zone.h"

static inline struct free_area *area_of(struct zone *zone, enum block_type type, unsigned int order)
{
	return &zone->free_area[type][order];
}

/* `area` is that of type and order, `head` PAGE_HEAD(PAGE_FREE, order): who merges has all at hand. */
static inline void area_push(struct zone *zone, struct free_area *area, enum block_type type,
			     struct page *page, unsigned int order, u16 head)
{
	/* Relaxed, as all of these: see mm/buddy.c. */
	store_relaxed(&page->head, head);
	list_add(&page->free_link, &area->list);
	if (area->nr_free++ == 0) {
		zone->type_orders[type] |= (u32)1 << order;
		store_relaxed(&zone->nonempty_orders, zone->nonempty_orders | (u32)1 << order);
	}
}

static inline void area_add(struct zone *zone, enum block_type type, struct page *page,
			    unsigned int order)
{
	area_push(zone, area_of(zone, type, order), type, page, order, PAGE_HEAD(PAGE_FREE, order));
}

static inline void area_remove(struct zone *zone, struct free_area *area, enum block_type type,
			       struct page *page, unsigned int order)
{
	list_unlink(&page->free_link);
	if (--area->nr_free == 0) {
		u32 others = zone->type_orders[!type];

		zone->type_orders[type] &= ~((u32)1 << order);
		store_relaxed(&zone->nonempty_orders, zone->type_orders[type] | others);
	}
}

/* Takes the smallest block of the type of at least this order off its list; NULL if there is none. */
static inline struct page *take_smallest(struct zone *zone, enum block_type type,
					 unsigned int order, unsigned int *found)
{
	u32 fitting = zone->type_orders[type] >> order;
	struct free_area *area;
	struct page *page;

	if (fitting == 0)
		return NULL;
	*found = order + (unsigned int)__builtin_ctz(fitting);
	area = area_of(zone, type, *found);
	page = list_first_entry(&area->list, struct page, free_link);
	area_remove(zone, area, type, page, *found);
	return page;
}

/* Relaxed: who reads it without the lock takes it for a hint. */
static inline void add_free_pages(struct zone *zone, s64 pages)
{
	store_relaxed(&zone->nr_free_pages, zone->nr_free_pages + (u64)pages);
}

_Static_assert(NR_BLOCK_TYPES == 2, "the other type is !type");

#endif

/*
 * One zone's free lists, one by type and order: adding and removing. Shared by who takes and gives
 * (mm/buddy.c), who moves between types (mm/block_type.c) and who gathers (mm/claim.c).
 *
 * Lock: the zone's, held by every caller.
 */
#ifndef MM_BUDDY_AREA_H
#define MM_BUDDY_AREA_H

#include "zone.h"

/*
 * Who adds or removes several blocks carries `orders` along, and stores it once: *orders is the lists'.
 * After area_add() it is the caller's to set. Relaxed, as all of these: see mm/buddy.c.
 */
static inline void area_add(struct free_area *area, struct page *page, unsigned int order)
{
	store_relaxed(&page->head, PAGE_HEAD(PAGE_FREE, order));
	list_add(&page->free_link, &area->list);
	area->nr_free++;
}

static inline void area_push(struct free_area *area, struct page *page, unsigned int order,
			     u32 *orders)
{
	area_add(area, page, order);
	*orders |= (u32)1 << order;
}

static inline void area_unlink(struct free_area *area, struct page *page, unsigned int order,
			       u32 *orders)
{
	list_unlink(&page->free_link);
	if (--area->nr_free == 0)
		*orders &= ~((u32)1 << order);
}

static inline void lists_add(struct free_lists *lists, struct page *page, unsigned int order)
{
	u32 orders = lists->orders;

	area_push(&lists->area[order], page, order, &orders);
	store_relaxed(&lists->orders, orders);
}

static inline void lists_remove(struct free_lists *lists, struct page *page, unsigned int order)
{
	u32 orders = lists->orders;

	area_unlink(&lists->area[order], page, order, &orders);
	store_relaxed(&lists->orders, orders);
}

/* Those that a pageblock of the type has its free blocks on. A choice of two is less than a product. */
static inline struct free_lists *lists_of(struct zone *zone, enum block_type type)
{
	return type == BLOCK_MOVABLE ? &zone->free[BLOCK_MOVABLE] : &zone->free[BLOCK_UNMOVABLE];
}

/* A block off its list. Two words, so that it is returned in registers. */
struct taken_block {
	struct page *page; /* NULL: there was none */
	unsigned int order;
	enum block_type type; /* of its pageblock: where what is not wanted of it goes */
};

/* Takes the smallest block of at least this order, of the type. */
static inline struct taken_block take_smallest(struct zone *zone, unsigned int order,
					       enum block_type type)
{
	struct free_lists *lists = lists_of(zone, type);
	struct taken_block block = {.order = order, .type = type};
	u32 fitting = lists->orders >> order;

	if (fitting == 0)
		return block;
	block.order += (unsigned int)__builtin_ctz(fitting);
	block.page = list_first_entry(&lists->area[block.order].list, struct page, free_link);
	lists_remove(lists, block.page, block.order);
	return block;
}

/*
 * How many frames the block at this page has, if one begins here, else 1. Relaxed: between ALLOCATED and
 * PCP the state changes without the lock, as do marks; that it is a head, and its order, do not.
 */
static inline u64 frames_at(const struct page *page)
{
	u16 head = load_relaxed(&page->head);

	return page_state_is_head(head & 0xff) ? (u64)1 << PAGE_HEAD_ORDER(head) : 1;
}

/* Relaxed: who reads it without the lock takes it for a hint. */
static inline void add_free_pages(struct zone *zone, s64 pages)
{
	store_relaxed(&zone->nr_free_pages, zone->nr_free_pages + (u64)pages);
}

_Static_assert(NR_BLOCK_TYPES == 2, "the other type is !type");

#endif

/*
 * The buddy allocator of one zone. No policy here, and no other zone.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include "zone.h"

/* Takes a block of the order off the lists, ALLOCATED; NULL if none is large enough. */
struct page *buddy_take_locked(struct zone *zone, unsigned int order);
/* Puts a block back that is on no list and in no count, and merges as far as it goes. */
void buddy_give_locked(struct zone *zone, struct page *page, unsigned int order);
/* Boot only: frames that the zone did not manage before. */
void buddy_donate(struct zone *zone, struct page *page, unsigned int order);

/* The frame that a block of the order merges with. */
static inline pfn_t buddy_pfn(pfn_t pfn, unsigned int order)
{
	return pfn ^ ((pfn_t)1 << order);
}

#endif

/*
 * The buddy allocator of one zone. No policy here, and no other zone.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include "zone.h"

/*
 * Takes a block of the order off the lists, ALLOCATED; NULL if none is large enough. It is of the type, or
 * of the other if that has none.
 */
struct page *buddy_take_locked(struct zone *zone, unsigned int order, enum block_type type);
/*
 * Takes up to `nr` blocks of the order, PCP, and stacks them: the one with the lowest address of each
 * block that was cut up on top. Returns how many; fewer only if the zone has no more.
 */
u32 buddy_take_many_locked(struct zone *zone, unsigned int order, enum block_type type, u32 nr,
			   struct page **stack);
/* Puts a block back that is on no list and in no count, and merges as far as it goes. */
void buddy_give_locked(struct zone *zone, struct page *page, unsigned int order);
/*
 * The same for a stack of PCP blocks of one order. Returns NULL; or, the rest being left alone, the
 * first that is not what it should be.
 */
struct page *buddy_give_many_locked(struct zone *zone, struct page *stack, unsigned int order);
/* Boot only: frames that the zone did not manage before. */
void buddy_donate(struct zone *zone, struct page *page, unsigned int order);

/* The frame that a block of the order merges with. */
static inline pfn_t buddy_pfn(pfn_t pfn, unsigned int order)
{
	return pfn ^ ((pfn_t)1 << order);
}

/*
 * The same by struct page. The memory map starts at a multiple of what a block of the largest order
 * takes of it (memmap_init() looks), and an entry is a power of two: so the bits of a frame number
 * are bits of the entry's address. `span` is what a block of the order takes of the map, in bytes.
 */
#define MAP_SPAN(order) (sizeof(struct page) << (order))
_Static_assert((sizeof(struct page) & (sizeof(struct page) - 1)) == 0, "a power of two");

static inline struct page *buddy_page(const struct page *page, uintptr_t span)
{
	return (struct page *)((uintptr_t)page ^ span);
}

/* Of a block and its buddy the upper one, and the other of an upper one. */
static inline struct page *buddy_upper(const struct page *page, uintptr_t span)
{
	return (struct page *)((uintptr_t)page | span);
}

static inline struct page *buddy_lower_of(const struct page *upper, uintptr_t span)
{
	return (struct page *)((uintptr_t)upper - span);
}

#endif

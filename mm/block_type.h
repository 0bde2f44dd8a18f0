/*
 * Types of memory: which pageblocks are for pages that can be moved. See mm/block_type.c.
 */
#ifndef MM_BLOCK_TYPE_H
#define MM_BLOCK_TYPE_H

#include <mm/gfp.h>

#include "buddy.h"
#include "buddy_area.h"

/* The type that is looked for is the request's and this: 0, if there is but one. Constant after boot. */
extern u32 block_type_mask;

static inline enum block_type gfp_block_type(gfp_t gfp)
{
	return gfp & __GFP_MOVABLE ? BLOCK_MOVABLE : BLOCK_UNMOVABLE;
}

/* The first frame of the pageblock, whose struct page has its type: see buddy.h for the bits. */
static inline struct page *pageblock_first(const struct page *page)
{
	return (struct page *)((uintptr_t)page & ~(uintptr_t)(MAP_SPAN(PAGEBLOCK_ORDER) - 1));
}

static inline enum block_type pageblock_type(const struct page *page)
{
	return (enum block_type)pageblock_first(page)->pageblock_type;
}

/* Sets that of each pageblock of a block that is free as a whole, of order PAGEBLOCK_ORDER or more. */
void pageblocks_convert_locked(struct zone *zone, struct page *page, unsigned int order,
			       enum block_type type);

/*
 * The type has no block of the order: takes one of the other type off its lists. *may_convert: whether a
 * pageblock may be looked through to convert it; false afterwards if that came to nothing.
 */
struct taken_block block_type_fall_back_locked(struct zone *zone, unsigned int order,
					       enum block_type wanted, bool *may_convert);

/* Boot: every pageblock's first type, after the memory map is there and before it is handed over. */
void block_types_init(bool enabled);

#endif

/*
 * Block types: keeping what can be moved apart from what cannot.
 *
 * A large block can be made only where every page of it is free or can be made free. The pages of a
 * page cache can: they are dropped or moved. A kernel stack or a slab cannot, and one such page in
 * every 2 MiB is enough to leave a machine without a large block for ever, however much of it is
 * free. So memory has a type by pageblocks of 2 MiB, and requests that say __GFP_MOVABLE take from
 * pageblocks for movable pages, all others from the rest:
 *
 *	without types    |m..u|.m.m|u.m.|m.u.|mm..|.um.|     five of six have an unmovable page
 *	with             |uuuu|mm..|m.m.|.m.m|m..m|m..m|     one
 *
 * Free blocks are listed by the type of their pageblock, always (BTYPE-1), whoever had them: a page
 * that is given back needs no memory of why it was taken.
 *
 * At boot a pageblock is movable if every page of it is the allocator's. Where one is not (the kernel,
 * the memory map, a hole, the edge of RAM), no large block can ever be made, so there unmovable pages
 * spoil nothing: they begin with those, and claim others one by one as they need them.
 *
 * --- When a type has nothing left
 *
 * Half the machine may be free and all of it of the other type, so there is no failing: it takes from
 * the other's, and the question is how to do it in as few pageblocks as possible.
 *
 *   1  The other type's largest block tells where most is free. If it is one or two whole pageblocks,
 *      they change their type: nobody else is in them.
 *   2  If it is less, and either large (PAGEBLOCK_ORDER / 2 or more) or wanted for unmovable pages,
 *      its pageblock changes its type if at least half of it is free or already has pages of the
 *      new type ("alike"); its free blocks change lists. Unmovable requests always try, since what
 *      they leave in a movable pageblock is what cannot be undone; movable ones do not for a small
 *      block, since a movable page in the wrong place harms nobody for long.
 *   3  Otherwise the smallest block that fits is taken and the pageblock stays what it is: the large
 *      free blocks stay whole for a steal by rule 1 or 2 later on.
 *
 * This is Linux's way (Gorman's grouping by mobility, 2007, as of 6.15), where 3 took the largest, too,
 * until 2025. Unlike there, what is alike is counted and not guessed: each block says for which type it
 * was taken. Rule 2 looks at one pageblock only, so a request walks 512 struct pages at most under the
 * zone's lock; and a refill of many blocks tries it until it fails once.
 *
 * --- Pageblocks with RAM of two nodes
 *
 * Nodes may share a pageblock, and the type is one byte under two zones' locks. Such a pageblock is
 * UNMOVABLE from boot on and never converted (BTYPE-2): no large block can ever be made there
 * anyway. In any other only one zone has pages, since zones of a node meet at multiples of 4 MiB.
 *
 * --- Without
 *
 * mm.block_types=off makes every pageblock UNMOVABLE, and every request look there: one type, and what rules
 * 1 to 3 are about does not come up. The paths are the same.
 *
 * Lock: the zone's. Sources: Gorman and Whitcroft, "The What, The Why and the Where To of
 * Anti-Fragmentation", OLS 2006; Linux Documentation/mm/physical_memory.rst.
 */
#include "block_type.h"

#include <base/assert.h>
#include <mm/memblock.h>

#include "buddy_area.h"

u32 block_type_mask;

_Static_assert(MAX_ORDER == PAGEBLOCK_ORDER + 1, "a block is at most two pageblocks");

/* Free or alike from here on: half. */
#define ENOUGH_TO_CONVERT (PAGEBLOCK_PAGES / 2)

/* --- Converting ---------------------------------------------------------------------------- */

static void set_type(struct zone *zone, struct page *first, enum block_type type)
{
	ASSERT_MSG(!first->pageblock_shared, "pageblock of pfn 0x%llx is shared by nodes",
		   (unsigned long long)page_to_pfn(first));
	/* Relaxed: reports read it without the lock. */
	store_relaxed(&first->pageblock_type, (u8)type);
	zone_count_locked(zone, EXTFRAG_PAGEBLOCK, 1);
}

void pageblocks_convert_locked(struct zone *zone, struct page *page, unsigned int order,
			       enum block_type type)
{
	for (u64 i = 0; i < (u64)1 << order; i += PAGEBLOCK_PAGES) {
		if (page[i].pageblock_type != type)
			set_type(zone, &page[i], type);
	}
}

/* Frames of the pageblock that are free, or that the type can live beside. */
static u64 free_or_alike(const struct page *first, enum block_type type)
{
	u64 frames, nr = 0;

	for (u64 i = 0; i < PAGEBLOCK_PAGES; i += frames) {
		const struct page *page = first + i;
		u8 state = load_relaxed(&page->state); /* relaxed: as above */
		bool alike = state == PAGE_ALLOCATED || state == PAGE_PCP
				     ? PAGE_LIST_TYPE(page->list) == type
				     : type == BLOCK_UNMOVABLE; /* what boot has reserved stays */

		frames = frames_at(page);
		if (alike || state == PAGE_FREE || state == PAGE_CAPTURED)
			nr += frames;
	}
	return nr;
}

/* Its free blocks change lists with it. */
static void convert_in_part(struct zone *zone, struct page *first, enum block_type type)
{
	u64 frames;

	for (u64 i = 0; i < PAGEBLOCK_PAGES; i += frames) {
		struct page *page = first + i;

		frames = frames_at(page);
		if (load_relaxed(&page->state) != PAGE_FREE) /* relaxed: as above */
			continue;
		lists_remove(&zone->free[!type], page, page->order);
		lists_add(&zone->free[type], page, page->order);
	}
	set_type(zone, first, type);
}

/* --- Falling back -------------------------------------------------------------------------- */

static bool try_convert(struct zone *zone, struct page *page, unsigned int order,
			enum block_type type)
{
	struct page *first = pageblock_first(page);

	if (first->pageblock_shared)
		return false;
	if (order < PAGEBLOCK_ORDER / 2 && type != BLOCK_UNMOVABLE)
		return false;
	if (free_or_alike(first, type) < ENOUGH_TO_CONVERT)
		return false;
	convert_in_part(zone, first, type);
	return true;
}

struct taken_block block_type_fall_back_locked(struct zone *zone, unsigned int order,
					       enum block_type wanted, bool *may_convert)
{
	struct free_lists *lists = &zone->free[!wanted];
	struct taken_block block = {.type = wanted};

	if (lists->orders >> order == 0)
		return block;
	block.order = 31 - (unsigned int)__builtin_clz(lists->orders);
	block.page = list_first_entry(&lists->area[block.order].list, struct page, free_link);
	if (block.order >= PAGEBLOCK_ORDER) {
		lists_remove(lists, block.page, block.order);
		pageblocks_convert_locked(zone, block.page, block.order, wanted);
		zone_count_locked(zone, EXTFRAG_STEAL, 1);
		return block;
	}
	if (*may_convert && try_convert(zone, block.page, block.order, wanted)) {
		zone_count_locked(zone, EXTFRAG_STEAL, 1);
		return take_smallest(zone, order, wanted);
	}
	*may_convert = false;
	zone_count_locked(zone, EXTFRAG_FALLBACK, 1);
	return take_smallest(zone, order, !wanted);
}

/* --- Boot ---------------------------------------------------------------------------------- */

/* The pageblocks of the RAM [start, end) of one node; the first may be shared with the one before. */
static void init_range(pfn_t start, pfn_t end, bool shares_first)
{
	u8 type = block_type_mask ? BLOCK_MOVABLE : BLOCK_UNMOVABLE;

	for (pfn_t pfn = ALIGN_DOWN(start, PAGEBLOCK_PAGES); pfn < end; pfn += PAGEBLOCK_PAGES) {
		struct page *first = pfn_to_page(pfn);
		bool whole = pfn >= start && pfn + PAGEBLOCK_PAGES <= end;

		if (pfn < start && shares_first)
			first->pageblock_shared = true;
		first->pageblock_type = whole ? type : BLOCK_UNMOVABLE;
	}
}

/* Those that have a page which boot keeps. */
static void init_reserved(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next(&cursor, &range)) {
		pfn_t pfn = ALIGN_DOWN(pfn_down(range.base), PAGEBLOCK_PAGES);

		if (!range.reserved)
			continue;
		for (; pfn < pfn_down(range.end); pfn += PAGEBLOCK_PAGES)
			pfn_to_page(pfn)->pageblock_type = BLOCK_UNMOVABLE;
	}
}

void block_types_init(bool enabled)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;
	pfn_t last = 0; /* of the range before */
	int nid = NUMA_NO_NODE;

	block_type_mask = enabled;
	while (memblock_next_ram(&cursor, &range)) {
		pfn_t start = pfn_down(range.base);
		bool meets = nid != NUMA_NO_NODE && nid != range.nid &&
			     last / PAGEBLOCK_PAGES == start / PAGEBLOCK_PAGES;

		init_range(start, pfn_down(range.end), meets);
		last = pfn_down(range.end) - 1;
		nid = range.nid;
	}
	init_reserved();
}

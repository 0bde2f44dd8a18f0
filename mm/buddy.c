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
 * Blocks are listed by order and by the type of the memory that they are in (mm/block_type.c).
 * The lists of a type have a bit for each order that has a block, so the search for the smallest that
 * fits is one instruction.
 *
 * Lock: the zone's, held by every caller. Nothing here takes another. Two kinds of words are read by
 * others without it, and are therefore written by atomic stores, all relaxed:
 *
 *   nr_free_pages, orders            hints for the marks: each by itself, nothing is concluded from it
 *   a page's state, order            asked by a zone next door that merges (below), by a free that
 *                                    checks its argument, by who looks. A block's content and links
 *                                    go from one owner to the next by the lock or a list's ownership,
 *                                    never by these bytes, so they release nothing
 *
 * Source: Knowlton, "A fast storage allocator", CACM 8 (1965); Knuth, TAOCP vol. 1, 2.5.
 */
#include "buddy.h"

#include <base/assert.h>
#include <mm/trace.h>

#include "block_type.h"
#include "buddy_area.h"

/* --- Tracing -------------------------------------------------------------------------------- */

/*
 * Out of line, from what the callers have at hand anyway, and where nothing is left to do: so they pay
 * a look at trace_enabled and, being leaves, not a register more.
 */

/* Returns the page, so that the caller need not keep it. */
static __noinline struct page *trace_split(const struct zone *zone, struct page *page,
					   unsigned int from_order, unsigned int order)
{
	if (from_order > order)
		trace(TRACE_ZONE_SPLIT, .id = page_to_pfn(page), .arg = order,
		      .nid = (u16)zone->nid, .order = (u8)from_order, .zone = (u8)zone->type);
	return page;
}

/* After merge_up(): the block began at a multiple of its size. */
static __noinline void trace_merge(const struct page *page, unsigned int order, unsigned int merged)
{
	const struct zone *zone = page_zone(page);

	if (merged > order)
		trace(TRACE_ZONE_MERGE, .id = ALIGN_DOWN(page_to_pfn(page), (pfn_t)1 << merged),
		      .arg = order, .nid = (u16)zone->nid, .order = (u8)merged,
		      .zone = (u8)zone->type);
}

/* --- Taking -------------------------------------------------------------------------------- */

/* Halves the block until it has the order; the upper halves become free blocks. */
static inline void split_down(struct zone *zone, const struct taken_block *block,
			      unsigned int order)
{
	struct free_lists *lists = lists_of(zone, block->type);
	unsigned int half = block->order;
	/* One of each order on the way gets a block. */
	u32 orders = lists->orders | (((u32)1 << half) - ((u32)1 << order));

	zone_count_locked(zone, ZONE_SPLIT, half - order);
	while (half > order) {
		half--;
		area_add(&lists->area[half], block->page + ((u64)1 << half), half);
	}
	store_relaxed(&lists->orders, orders);
}

/* Of the type, or of the other one if there must be. Out of line is what is rare. */
static inline struct taken_block take(struct zone *zone, unsigned int order, enum block_type type,
				      bool *may_convert)
{
	struct taken_block block = take_smallest(zone, order, type);

	return likely(block.page) ? block
				  : block_type_fall_back_locked(zone, order, type, may_convert);
}

struct page *buddy_take_locked(struct zone *zone, unsigned int order, enum block_type type)
{
	bool may_convert = true;
	struct taken_block block = take(zone, order, type & block_type_mask, &may_convert);
	struct page *page = block.page;

	if (!page)
		return NULL;
	split_down(zone, &block, order);
	page->list = PAGE_LIST(order, type);
	/* Relaxed: the block goes to the caller, on this CPU. */
	store_relaxed(&page->head, PAGE_HEAD(PAGE_ALLOCATED, order));
	add_free_pages(zone, -((s64)1 << order));
	if (unlikely(load_relaxed(&trace_enabled)))
		return trace_split(zone, page, block.order, order);
	return page;
}

/* A piece of the order, PCP, on top of the stack. */
static inline struct page *stack_piece(struct page *piece, unsigned int order, u8 list,
				       struct page *stack)
{
	/* Relaxed: the list that it goes to is owned. */
	store_relaxed(&piece->head, PAGE_HEAD(PAGE_PCP, order));
	piece->list = list;
	piece->pcp_next = stack;
	return piece;
}

/* Cuts a block into pieces and stacks them: the lowest on top. */
static inline struct page *cut_up(struct page *page, unsigned int from_order, unsigned int order,
				  u8 list, struct page *stack)
{
	struct page *piece = page + ((u64)1 << from_order);

	do {
		piece -= (u64)1 << order;
		stack = stack_piece(piece, order, list, stack);
	} while (piece != page);
	return stack;
}

/*
 * Small remains go first, so taking many does not break large blocks while there are small ones. A
 * block that is larger than what is wanted is halved down to the largest power of two that is, and
 * that is cut up at once: one list operation for all its pieces.
 */
u32 buddy_take_many_locked(struct zone *zone, unsigned int order, enum block_type type, u32 nr,
			   struct page **stack)
{
	enum block_type wanted = type & block_type_mask;
	u8 list = PAGE_LIST(order, type);
	struct page *top = *stack;
	u32 taken = 0, blocks = 0;
	bool may_convert = true;

	while (taken < nr) {
		struct taken_block block = take(zone, order, wanted, &may_convert);
		unsigned int cut;

		if (!block.page)
			break;
		blocks++;
		/* Of what has come back page by page there are many that fit as they are. */
		if (block.order == order) {
			top = stack_piece(block.page, order, list, top);
			taken++;
			continue;
		}
		cut = MIN(block.order, order + 31 - (u32)__builtin_clz(nr - taken));
		if (block.order > cut)
			split_down(zone, &block, cut);
		if (unlikely(load_relaxed(&trace_enabled)))
			trace_split(zone, block.page, block.order, cut);
		top = cut_up(block.page, cut, order, list, top);
		taken += (u32)1 << (cut - order);
	}
	*stack = top;
	zone_count_locked(zone, ZONE_SPLIT, taken - blocks);
	add_free_pages(zone, -(s64)((u64)taken << order));
	return taken;
}

/* --- Giving back --------------------------------------------------------------------------- */

/*
 * Blocks merge if the buddy is FREE, of the same order and of this zone: a page of another zone can
 * be a buddy by number where nodes share a 4 MiB unit. All of that is one comparison of its header's
 * first half. Relaxed: what our lock does not guard next door (another zone's page, or one that a CPU
 * has on its own list) may change meanwhile, but never to or from this value.
 *
 * Inside a pageblock all is of one type. Two whole pageblocks that merge become of that of the block
 * given back: nobody is in either.
 */

/* What a free block of the zone shows, but for the order. */
static inline u32 free_block(const struct zone *zone)
{
	return PAGE_BLOCK(PAGE_FREE, 0, (u32)zone->type, (u32)zone->nid);
}

/* Of the block and its buddy the lower one, which heads both; the upper is a head no more. */
static inline struct page *unite(struct page *page, uintptr_t span)
{
	page = buddy_upper(page, span);
	store_relaxed(&page->state, PAGE_TAIL);
	return buddy_lower_of(page, span);
}

/* The last step: two pageblocks, if the buddy is as free: if it shows `block`. */
static __noinline unsigned int merge_pageblocks(struct zone *zone, struct page *page,
						enum block_type type, u32 block)
{
	unsigned int order = PAGEBLOCK_ORDER;
	struct page *buddy = buddy_page(page, MAP_SPAN(PAGEBLOCK_ORDER));

	if (load_relaxed(&buddy->block) == block) {
		lists_remove(lists_of(zone, buddy->pageblock_type), buddy, order);
		if (unlikely(buddy->pageblock_type != type))
			pageblocks_convert_locked(zone, buddy, order, type);
		page = unite(page, MAP_SPAN(PAGEBLOCK_ORDER));
		order++;
	}
	lists_add(lists_of(zone, type), page, order);
	return order;
}

/*
 * Merges as far as it goes, and lists what comes of it; returns its order. What changes from order to
 * order is carried along: this is most of what giving back a page costs.
 */
static __always_inline unsigned int merge_up(struct zone *zone, struct page *page,
					     unsigned int order, u32 block)
{
	enum block_type type = pageblock_type(page);
	struct free_lists *lists =
		type == BLOCK_MOVABLE ? &zone->free[BLOCK_MOVABLE] : &zone->free[BLOCK_UNMOVABLE];
	struct free_area *area = &lists->area[order];
	uintptr_t span = MAP_SPAN(order);
	u32 orders = lists->orders;

	block += (u32)order << 8;
	for (; order < PAGEBLOCK_ORDER; order++, area++, span <<= 1, block += 1 << 8) {
		struct page *buddy = buddy_page(page, span);

		if (load_relaxed(&buddy->block) != block) {
			area_push(area, page, order, &orders);
			store_relaxed(&lists->orders, orders);
			return order;
		}
		area_unlink(area, buddy, order, &orders);
		page = unite(page, span);
	}
	store_relaxed(&lists->orders, orders);
	if (order == PAGEBLOCK_ORDER)
		return merge_pageblocks(zone, page, type, block);
	lists_add(lists, page, order);
	return order;
}

void buddy_give_locked(struct zone *zone, struct page *page, unsigned int order)
{
	unsigned int merged = merge_up(zone, page, order, free_block(zone));

	add_free_pages(zone, (s64)1 << order);
	zone_count_locked(zone, ZONE_MERGE, merged - order);
	if (unlikely(load_relaxed(&trace_enabled)))
		trace_merge(page, order, merged);
}

struct page *buddy_give_many_locked(struct zone *zone, struct page *stack, unsigned int order)
{
	u32 block = free_block(zone);
	u64 given = 0, merges = 0;

	while (stack && stack->head == PAGE_HEAD(PAGE_PCP, order)) {
		struct page *next = stack->pcp_next;

		unsigned int merged = merge_up(zone, stack, order, block);

		if (unlikely(load_relaxed(&trace_enabled)))
			trace_merge(stack, order, merged);
		merges += merged - order;
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

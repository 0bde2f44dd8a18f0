/*
 * The invariants of block types: who says which type, and that they agree.
 */
#include <mm/memblock.h>

#include "block_type.h"
#include "check_internal.h"

#define ULL(x) ((unsigned long long)(x))

static void typed_block(struct check *c, const struct page *page, u32 i)
{
	u64 frames = (u64)1 << free_list_order(i);

	c->report->items++;
	for (u64 at = 0; at < frames; at += PAGEBLOCK_PAGES) {
		if (pageblock_type(page + at) != free_list_type(i))
			check_fail(
				c,
				"pfn 0x%llx, order %u, is listed as %s, in a pageblock of type %u",
				ULL(page_to_pfn(page)), free_list_order(i),
				block_type_name(free_list_type(i)), pageblock_type(page + at));
	}
}

static void typed_lists(struct check *c, struct zone *zone)
{
	for (u32 i = 0; i < NR_FREE_LISTS; i++) {
		struct list_walk walk = list_walk_start(zone, i);
		const struct page *page;

		while ((page = list_walk_next(&walk)) != NULL)
			typed_block(c, page, i);
	}
}

/* Has the pageblock RAM of more than one node? */
static bool nodes_meet(pfn_t first)
{
	phys_addr_t cursor = pfn_to_phys(first);
	struct memblock_range range;
	int nid = NUMA_NO_NODE;

	while (memblock_next_ram(&cursor, &range) &&
	       pfn_down(range.base) < first + PAGEBLOCK_PAGES) {
		if (nid != NUMA_NO_NODE && range.nid != nid)
			return true;
		nid = range.nid;
	}
	return false;
}

static void shared_pageblocks(struct check *c)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next_ram(&cursor, &range)) {
		pfn_t pfn = ALIGN_DOWN(pfn_down(range.base), PAGEBLOCK_PAGES);

		for (; pfn < pfn_down(range.end); pfn += PAGEBLOCK_PAGES) {
			const struct page *first = pfn_to_page(pfn);
			bool shared = nodes_meet(pfn);

			/* RAM without a struct page is the business of PAGE-1. */
			if (!pfn_valid(pfn))
				continue;
			c->report->items++;
			if (first->pageblock_shared != shared ||
			    first->pageblock_type >= NR_BLOCK_TYPES ||
			    (shared && first->pageblock_type != BLOCK_UNMOVABLE))
				check_fail(c,
					   "the pageblock of pfn 0x%llx is of type %u, shared %u, "
					   "by its RAM %u",
					   ULL(pfn), first->pageblock_type, first->pageblock_shared,
					   shared);
		}
	}
}

/* Does a block that somebody has, or a CPU, say what for? */
static bool says_its_list(const struct page *page)
{
	return PAGE_LIST_TYPE(page->list) < NR_BLOCK_TYPES &&
	       page->list == PAGE_LIST(page->order, PAGE_LIST_TYPE(page->list));
}

static void lists_said(struct check *c, struct zone *zone)
{
	pfn_t pfn = zone->start_pfn, end = pfn + zone->spanned_pages;

	while (pfn < end) {
		const struct page *page = pfn_to_page(pfn);
		bool head = pfn_valid(pfn) && page_is_of(page, zone) &&
			    page_state_is_head(page->state) && page->order <= MAX_ORDER;

		if (head && (page->state == PAGE_ALLOCATED || page->state == PAGE_PCP) &&
		    !says_its_list(page))
			check_fail(c, "pfn 0x%llx, order %u, was taken for list %u", ULL(pfn),
				   page->order, page->list);
		pfn += head             ? (u64)1 << page->order
		       : pfn_valid(pfn) ? 1
					: MAX_BLOCK_PAGES - pfn % MAX_BLOCK_PAGES;
	}
}

const struct invariant type_invariants[] = {
	{"BTYPE-1", "a free block is listed by the type of its pageblocks",
	 .run_zone_locked = typed_lists},
	{"BTYPE-2", "a pageblock with RAM of two nodes is unmovable, and says so",
	 .run = shared_pageblocks},
	{"BTYPE-3", "a block in use or on a CPU's list says for which list it was taken",
	 .run_zone_locked = lists_said},
};
const u32 nr_type_invariants = ARRAY_SIZE(type_invariants);

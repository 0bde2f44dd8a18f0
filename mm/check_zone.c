/*
 * The invariants of zones, free lists and pages.
 *
 * A zone is walked under its lock, so a list of free blocks is looked at as it is; the walk is
 * bounded by the counts, so that a list that runs in a circle is found and not followed.
 */
#include <arch/page.h>
#include <base/assert.h>
#include <mm/memblock.h>
#include <mm/mm.h>

#include "buddy.h"
#include "check_internal.h"
#include "memmap.h"
#include "pcp.h"
#include "watermark.h"
#include "zone.h"

#define ULL(x) ((unsigned long long)(x))

static void zone_fail(struct check *c, const struct zone *zone, const char *what, u64 a, u64 b)
{
	check_fail(c, "node %d zone %s: %s: %llu and %llu", zone->nid, zone_type_name(zone->type),
		   what, ULL(a), ULL(b));
}

/* --- Counts -------------------------------------------------------------------------------- */

static void zone_counts(struct check *c, struct zone *zone)
{
	if (zone->managed_pages > zone->present_pages)
		zone_fail(c, zone, "managed over present", zone->managed_pages,
			  zone->present_pages);
	if (zone->present_pages > zone->spanned_pages)
		zone_fail(c, zone, "present over spanned", zone->present_pages,
			  zone->spanned_pages);
	if (zone->nr_free_pages + zone->nr_captured > zone->managed_pages)
		zone_fail(c, zone, "free and captured over managed",
			  zone->nr_free_pages + zone->nr_captured, zone->managed_pages);
}

static void free_sum(struct check *c, struct zone *zone)
{
	u64 pages = 0;

	for (u32 i = 0; i < NR_FREE_LISTS; i++)
		pages += zone->free[free_list_type(i)].area[free_list_order(i)].nr_free
			 << free_list_order(i);
	if (pages != zone->nr_free_pages)
		zone_fail(c, zone, "pages on lists and nr_free_pages", pages, zone->nr_free_pages);
}

static void order_bits(struct check *c, struct zone *zone)
{
	for (u32 i = 0; i < NR_FREE_LISTS; i++) {
		const struct free_lists *lists = &zone->free[free_list_type(i)];
		u32 order = free_list_order(i);
		bool bit = lists->orders >> order & 1;

		if (bit == list_empty(&lists->area[order].list))
			zone_fail(c, zone, "order and its bit", order, bit);
	}
}

/* --- Free lists ---------------------------------------------------------------------------- */

bool page_is_of(const struct page *page, const struct zone *zone)
{
	return page->nid == zone->nid && page->zone == zone->type;
}

static bool inside_span(const struct zone *zone, pfn_t pfn, u32 order)
{
	return pfn >= zone->start_pfn &&
	       pfn + ((u64)1 << order) <= zone->start_pfn + zone->spanned_pages;
}

/* The page whose free_link this is, or NULL if it is no page's. */
static struct page *link_page(struct list_head *link)
{
	uintptr_t at = (uintptr_t)link - offsetof(struct page, free_link);

	if (at < VMEMMAP_BASE || !IS_ALIGNED(at - VMEMMAP_BASE, sizeof(struct page)) ||
	    !pfn_valid((at - VMEMMAP_BASE) / sizeof(struct page)))
		return NULL;
	return (struct page *)at;
}

struct list_walk list_walk_start(const struct zone *zone, u32 i)
{
	const struct free_area *area = &zone->free[free_list_type(i)].area[free_list_order(i)];

	return (struct list_walk){.area = area, .at = area->list.next};
}

struct page *list_walk_next(struct list_walk *walk)
{
	struct page *page = walk->at == &walk->area->list ? NULL : link_page(walk->at);

	if (!page || walk->seen == walk->area->nr_free)
		return NULL;
	walk->seen++;
	walk->at = page->free_link.next;
	return page;
}

static void free_entry(struct check *c, const struct zone *zone, const struct page *page, u32 order)
{
	pfn_t pfn = page_to_pfn(page);

	c->report->items++;
	if (page->state != PAGE_FREE || page->order != order || !page_is_of(page, zone) ||
	    !IS_ALIGNED(pfn, (pfn_t)1 << order) || !inside_span(zone, pfn, order))
		check_fail(c,
			   "node %d zone %s list %u: pfn 0x%llx is %s, order %u, node %u zone %u",
			   zone->nid, zone_type_name(zone->type), order, ULL(pfn),
			   page_state_name((enum page_state)page->state), page->order, page->nid,
			   page->zone);
}

static void free_lists(struct check *c, struct zone *zone)
{
	for (u32 i = 0; i < NR_FREE_LISTS; i++) {
		struct list_walk walk = list_walk_start(zone, i);
		const struct page *page;

		while ((page = list_walk_next(&walk)) != NULL)
			free_entry(c, zone, page, free_list_order(i));
	}
}

static void free_lengths(struct check *c, struct zone *zone)
{
	for (u32 i = 0; i < NR_FREE_LISTS; i++) {
		u32 order = free_list_order(i);
		struct list_walk walk = list_walk_start(zone, i);
		const struct free_area *area = walk.area;
		const struct list_head *previous = &area->list;
		struct page *page;

		while ((page = list_walk_next(&walk)) != NULL) {
			if (page->free_link.prev != previous)
				zone_fail(c, zone, "a link back is wrong: order and entry", order,
					  walk.seen);
			previous = &page->free_link;
		}
		if (walk.at != &area->list || area->list.prev != previous)
			zone_fail(c, zone, "a list does not end at its head: order and entry",
				  order, walk.seen);
		if (walk.seen != area->nr_free)
			zone_fail(c, zone, "length of a list and its count", walk.seen,
				  area->nr_free);
	}
}

static void merged_eagerly(struct check *c, struct zone *zone)
{
	for (u32 i = 0; i < NR_FREE_LISTS; i++) {
		struct list_walk walk = list_walk_start(zone, i);
		u32 order = free_list_order(i);
		const struct page *page;

		while (order < MAX_ORDER && (page = list_walk_next(&walk)) != NULL) {
			pfn_t pfn = page_to_pfn(page);
			const struct page *buddy = pfn_to_page(buddy_pfn(pfn, order));

			if (buddy->state == PAGE_FREE && buddy->order == order &&
			    page_is_of(buddy, zone))
				check_fail(c, "pfn 0x%llx and its buddy are both free at order %u",
					   ULL(pfn), order);
		}
	}
}

/* --- Per-CPU lists ------------------------------------------------------------------------- */

static u64 listed_pcp_pages(const struct zone *zone)
{
	u64 pages = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		for (u32 i = 0; i < NR_PCP_LISTS; i++)
			pages += pcp_nr_blocks(&zone->pcp[cpu]->list[i]) << i % NR_PCP_ORDERS;
	}
	return pages;
}

/* Does the pointer lead to a struct page at all? */
static bool is_page(const struct page *page)
{
	uintptr_t at = (uintptr_t)page;

	return at >= VMEMMAP_BASE && IS_ALIGNED(at - VMEMMAP_BASE, sizeof(struct page)) &&
	       pfn_valid((at - VMEMMAP_BASE) / sizeof(struct page));
}

/* Walks a stack to its end, or as far as its count; returns its length, ~0 if it goes on. */
static u64 pcp_stack(struct check *c, const struct zone *zone, const struct page *page, u32 nr,
		     u32 index)
{
	u32 order = index % NR_PCP_ORDERS;
	u64 seen = 0;

	for (; page && seen < nr; page = page->pcp_next, seen++) {
		c->report->items++;
		if (!is_page(page) || page->head != PAGE_HEAD(PAGE_PCP, order) ||
		    page->list != index || !page_is_of(page, zone) ||
		    !IS_ALIGNED(page_to_pfn(page), (pfn_t)1 << order)) {
			zone_fail(c, zone, "a per-CPU list has a page that is not of it: list",
				  index, (u64)(uintptr_t)page);
			return nr;
		}
	}
	return page ? ~(u64)0 : seen;
}

/* The stacks besides the hot one; false: they are not as many and as long as the list says. */
static bool pcp_cold_stacks(struct check *c, const struct zone *zone, const struct pcp_list *list,
			    u32 index)
{
	struct list_head *link = list->cold.next;

	for (u32 i = 0; i < list->nr_cold; i++) {
		const struct page *top = list_entry(link, struct page, pcp_stack);

		if (!is_page(top) ||
		    pcp_stack(c, zone, top, list->capacity, index) != list->capacity)
			return false;
		link = top->pcp_stack.next;
	}
	return list->nr_cold == 0 || link == &list->cold;
}

static void pcp_entries(struct check *c, struct zone *zone)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		for (u32 i = 0; i < NR_PCP_LISTS; i++) {
			const struct pcp_list *list = &zone->pcp[cpu]->list[i];

			if (pcp_stack(c, zone, list->hot, list->nr_hot, i) != list->nr_hot ||
			    !pcp_cold_stacks(c, zone, list, i))
				zone_fail(c, zone, "length of a per-CPU list is not its count: CPU",
					  cpu, i);
		}
	}
}

static void pcp_capacities(struct check *c, struct zone *zone)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		for (u32 i = 0; i < NR_PCP_LISTS; i++) {
			const struct pcp_list *list = &zone->pcp[cpu]->list[i];

			if (list->nr_hot > list->capacity || list->nr_cold > list->max_cold)
				zone_fail(c, zone, "a per-CPU list over its capacity: CPU, list",
					  cpu, i);
		}
	}
}

/* --- Every page ---------------------------------------------------------------------------- */

struct walk {
	u64 free_pages, allocated_pages, pcp_pages, captured_pages, strays;
};

/* Is this a head that may be one: its order legal, its block aligned and inside the zone? */
static bool is_head(const struct zone *zone, const struct page *page, pfn_t pfn)
{
	return page_state_is_head(page->state) && page->order <= MAX_ORDER &&
	       IS_ALIGNED(pfn, (pfn_t)1 << page->order) && inside_span(zone, pfn, page->order);
}

/* One step: the page, or the whole block that it heads. Returns how many frames that was. */
static u64 walk_step(struct check *c, const struct zone *zone, pfn_t pfn, struct walk *w)
{
	const struct page *page = pfn_to_page(pfn);
	u64 pages;

	if (!page_is_of(page, zone) || page->state == PAGE_HOLE || page->state == PAGE_RESERVED)
		return 1;
	c->report->items++;
	if (!is_head(zone, page, pfn)) {
		if (w->strays++ == 0)
			check_fail(c, "pfn 0x%llx is %s, order %u, and heads nothing", ULL(pfn),
				   page_state_name((enum page_state)page->state), page->order);
		return 1;
	}
	pages = (u64)1 << page->order;
	if (page->state == PAGE_FREE)
		w->free_pages += pages;
	else if (page->state == PAGE_PCP)
		w->pcp_pages += pages;
	else if (page->state == PAGE_CAPTURED)
		w->captured_pages += pages;
	else
		w->allocated_pages += pages;
	return pages;
}

static struct walk walk_zone(struct check *c, const struct zone *zone)
{
	pfn_t pfn = zone->start_pfn, end = pfn + zone->spanned_pages;
	struct walk w = {0};

	while (pfn < end)
		pfn += pfn_valid(pfn) ? walk_step(c, zone, pfn, &w)
				      : MAX_BLOCK_PAGES - pfn % MAX_BLOCK_PAGES;
	return w;
}

/* Walking from head to head both finds strays (PAGE-2, PAGE-3) and adds up (BUDDY-6). */
static void conservation(struct check *c, struct zone *zone)
{
	struct walk w = walk_zone(c, zone);

	if (w.free_pages != zone->nr_free_pages)
		zone_fail(c, zone, "pages of free heads and nr_free_pages", w.free_pages,
			  zone->nr_free_pages);
	if (w.pcp_pages != listed_pcp_pages(zone))
		zone_fail(c, zone, "pages that say they are on per-CPU lists, and those lists'",
			  w.pcp_pages, listed_pcp_pages(zone));
	if (w.free_pages + w.allocated_pages + w.pcp_pages + w.captured_pages !=
	    zone->managed_pages)
		zone_fail(c, zone, "free, allocated, per-CPU and captured pages, and managed",
			  w.free_pages + w.allocated_pages + w.pcp_pages + w.captured_pages,
			  zone->managed_pages);
}

/* The first of a block's other pages that is no TAIL of the zone; none: `pages`. Most of check's time is spent here. */
static u64 first_stray(const struct page *block, u64 pages, const struct zone *zone)
{
	const u32 tail = PAGE_BLOCK(PAGE_TAIL, 0, (u32)zone->type, (u32)zone->nid);
	u64 i = 1;

	/* All but the order, at once. */
	while (i < pages && (block[i].block & 0xffff00ffu) == tail)
		i++;
	return i;
}

/* The other pages of a block: TAIL, of the same zone. */
static void block_tails(struct check *c, struct zone *zone)
{
	pfn_t pfn = zone->start_pfn, end = pfn + zone->spanned_pages;
	struct walk w = {0};

	while (pfn < end) {
		u64 pages, stray;

		if (!pfn_valid(pfn)) {
			pfn += MAX_BLOCK_PAGES - pfn % MAX_BLOCK_PAGES;
			continue;
		}
		pages = walk_step(c, zone, pfn, &w);
		stray = first_stray(pfn_to_page(pfn), pages, zone);
		if (stray < pages)
			check_fail(
				c, "pfn 0x%llx, inside the block of 0x%llx, is %s",
				ULL(pfn + stray), ULL(pfn),
				page_state_name((enum page_state)pfn_to_page(pfn + stray)->state));
		pfn += pages;
	}
}

/* What frames of one unit and range must be. Their states are all that are not too small by `nr_states` or more. */
struct placed {
	u32 least; /* PAGE_BLOCK() with the first of the states */
	u32 nr_states;
};

static struct placed placed_as(const struct memblock_range *range, pfn_t pfn)
{
	enum page_state first = range->reserved ? PAGE_RESERVED : PAGE_FREE;

	return (struct placed){
		.least = PAGE_BLOCK(first, 0, (u32)pfn_zone_type(pfn), (u32)range->nid),
		.nr_states = range->reserved ? 1 : NR_PAGE_STATES - PAGE_FREE,
	};
}

/* The first that is not; none: `pages`. Here and in first_stray() check's time goes, a comparison for each frame. */
static u64 first_misplaced(const struct page *page, u64 pages, struct placed placed)
{
	u64 i = 0;

	while (i < pages && (page[i].block & 0xffff00ffu) - placed.least < placed.nr_states)
		i++;
	return i;
}

/* Of these frames, which one unit holds: all of a unit has struct pages, or none of it. */
static bool unit_placed(struct check *c, const struct memblock_range *range, pfn_t pfn, pfn_t end)
{
	const struct page *page;

	c->report->items += end - pfn;
	if (!pfn_valid(pfn)) {
		check_fail(c, "pfn 0x%llx is RAM and has no struct page", ULL(pfn));
		return false;
	}
	pfn += first_misplaced(pfn_to_page(pfn), end - pfn, placed_as(range, pfn));
	if (pfn == end)
		return true;
	page = pfn_to_page(pfn);
	check_fail(c, "pfn 0x%llx is %s, node %u zone %u; memblock: node %d, %s", ULL(pfn),
		   page_state_name((enum page_state)page->state), page->nid, page->zone, range->nid,
		   range->reserved ? memblock_owner_name(range->owner) : "free");
	return false;
}

/* Node and zone of each frame of RAM are memblock's; it is no hole; the allocator's own are RAM. */
static void pages_placed(struct check *c)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next(&cursor, &range)) {
		pfn_t pfn = pfn_down(range.base), end = pfn_down(range.end), stop;

		for (; pfn < end; pfn = stop) {
			stop = MIN(end, ALIGN_DOWN(pfn, UNIT_PAGES) + UNIT_PAGES);
			if (!unit_placed(c, &range, pfn, stop))
				break;
		}
	}
}

/* --- Marks --------------------------------------------------------------------------------- */

static void marks_shared_out(struct check *c, struct zone *zone)
{
	u64 expected[NR_WMARK];

	watermark_compute(zone, mm_min_free_kbytes(), expected);
	for (u32 mark = 0; mark < NR_WMARK; mark++) {
		if (zone->watermark[mark] != expected[mark])
			check_fail(c, "node %d zone %s: mark %u is %llu, by its share %llu",
				   zone->nid, zone_type_name(zone->type), mark,
				   ULL(zone->watermark[mark]), ULL(expected[mark]));
	}
}

static void reserve_by_ratio(struct check *c, struct zone *zone)
{
	u64 expected[MAX_NR_ZONES];

	lowmem_reserve_compute(zone, expected);
	for (u32 i = 0; i < MAX_NR_ZONES; i++) {
		if (zone->lowmem_reserve[i] != expected[i])
			check_fail(c, "node %d zone %s: %llu kept from class %u, by the ratio %llu",
				   zone->nid, zone_type_name(zone->type),
				   ULL(zone->lowmem_reserve[i]), i, ULL(expected[i]));
	}
}

const struct invariant zone_invariants[] = {
	{"ZONE-1", "free and captured <= managed <= present <= spanned",
	 .run_zone_locked = zone_counts},
	{"BUDDY-2", "a list's links agree, it ends at its head, its length is its count",
	 .run_zone_locked = free_lengths},
	{"BUDDY-1", "a listed block is free, of its list's order, aligned, in its zone",
	 .run_zone_locked = free_lists},
	{"BUDDY-3", "no two buddies are both free", .run_zone_locked = merged_eagerly},
	{"BUDDY-4", "nr_free_pages is what is on the lists", .run_zone_locked = free_sum},
	{"BUDDY-5", "a bit for each order that has a block, and no other",
	 .run_zone_locked = order_bits},
	{"BUDDY-6", "free, allocated, per-CPU and captured pages are all managed ones",
	 .run_zone_locked = conservation},
	{"PCP-1", "a block on a CPU's list is of its order, type, zone; counts agree",
	 .run_zone_locked = pcp_entries},
	{"PCP-2", "no per-CPU list is longer than it may be", .run_zone_locked = pcp_capacities},
	{"PAGE-1", "every frame of RAM has its node and zone, reserved as memblock says",
	 .run = pages_placed},
	{"PAGE-2", "a head is aligned and of a legal order, the rest of its block tails",
	 .run_zone_locked = block_tails},
	{"WMARK-1", "marks are the zone's share of min_free_kbytes, in equal gaps",
	 .run_zone_locked = marks_shared_out},
	{"WMARK-2", "what is kept from a class is its share of the memory above the zone",
	 .run_zone_locked = reserve_by_ratio},
};
const u32 nr_zone_invariants = ARRAY_SIZE(zone_invariants);

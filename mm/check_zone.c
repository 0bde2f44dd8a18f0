/*
 * The invariants of zones, free lists and pages.
 *
 * A zone is walked under its lock, so a list of free blocks is looked at as it is; the walk is
 * bounded by the counts, so that a list that runs in a circle is found and not followed.
 */
#include <arch/page.h>
#include <base/assert.h>
#include <mm/memblock.h>

#include "buddy.h"
#include "check_internal.h"
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

	for (u32 order = 0; order < NR_ORDERS; order++)
		pages += zone->free_area[order].nr_free << order;
	if (pages != zone->nr_free_pages)
		zone_fail(c, zone, "pages on lists and nr_free_pages", pages, zone->nr_free_pages);
}

static void order_bits(struct check *c, struct zone *zone)
{
	for (u32 order = 0; order < NR_ORDERS; order++) {
		bool bit = zone->nonempty_orders >> order & 1;

		if (bit == list_empty(&zone->free_area[order].list))
			zone_fail(c, zone, "order and its bit in nonempty_orders", order, bit);
	}
}

/* --- Free lists ---------------------------------------------------------------------------- */

static bool inside_span(const struct zone *zone, pfn_t pfn, u32 order)
{
	return pfn >= zone->start_pfn &&
	       pfn + ((u64)1 << order) <= zone->start_pfn + zone->spanned_pages;
}

static void free_entry(struct check *c, const struct zone *zone, const struct page *page, u32 order)
{
	pfn_t pfn = page_to_pfn(page);

	c->report->items++;
	if (page->state != PAGE_FREE || page->order != order || page_zone(page) != zone ||
	    !IS_ALIGNED(pfn, (pfn_t)1 << order) || !inside_span(zone, pfn, order))
		check_fail(c,
			   "node %d zone %s list %u: pfn 0x%llx is %s, order %u, node %u zone %u",
			   zone->nid, zone_type_name(zone->type), order, ULL(pfn),
			   page_state_name((enum page_state)page->state), page->order, page->nid,
			   page->zone);
}

static void free_lists(struct check *c, struct zone *zone)
{
	for (u32 order = 0; order < NR_ORDERS; order++) {
		const struct page *page;
		u64 seen = 0;

		list_for_each_entry(page, &zone->free_area[order].list, free_link) {
			if (seen++ == zone->free_area[order].nr_free)
				break;
			free_entry(c, zone, page, order);
		}
	}
}

static void free_lengths(struct check *c, struct zone *zone)
{
	for (u32 order = 0; order < NR_ORDERS; order++) {
		const struct free_area *area = &zone->free_area[order];
		const struct list_head *link = area->list.next;
		u64 length = 0;

		for (; link != &area->list && length <= area->nr_free; link = link->next) {
			if (link->next->prev != link) {
				zone_fail(c, zone, "list of this order broken after entry", order,
					  length);
				return;
			}
			length++;
		}
		if (length != area->nr_free)
			zone_fail(c, zone, "length of a list and its count", length, area->nr_free);
	}
}

static void merged_eagerly(struct check *c, struct zone *zone)
{
	for (u32 order = 0; order < MAX_ORDER; order++) {
		const struct page *page;
		u64 seen = 0;

		list_for_each_entry(page, &zone->free_area[order].list, free_link) {
			const struct page *buddy = pfn_to_page(buddy_pfn(page_to_pfn(page), order));

			if (seen++ == zone->free_area[order].nr_free)
				break;
			if (buddy->state == PAGE_FREE && buddy->order == order &&
			    page_zone(buddy) == zone)
				check_fail(c, "pfn 0x%llx and its buddy are both free at order %u",
					   ULL(page_to_pfn(page)), order);
		}
	}
}

/* --- Every page ---------------------------------------------------------------------------- */

struct walk {
	u64 free_pages, allocated_pages, strays;
};

/* One step: the page, or the whole block that it heads. Returns how many frames that was. */
static u64 walk_step(struct check *c, const struct zone *zone, pfn_t pfn, struct walk *w)
{
	const struct page *page = pfn_to_page(pfn);
	u64 pages = (u64)1 << page->order;

	if (page_zone(page) != zone || page->state == PAGE_HOLE || page->state == PAGE_RESERVED)
		return 1;
	c->report->items++;
	if ((page->state != PAGE_FREE && page->state != PAGE_ALLOCATED) ||
	    page->order > MAX_ORDER || !IS_ALIGNED(pfn, pages) ||
	    !inside_span(zone, pfn, page->order)) {
		if (w->strays++ == 0)
			check_fail(c, "pfn 0x%llx is %s, order %u, and heads nothing", ULL(pfn),
				   page_state_name((enum page_state)page->state), page->order);
		return 1;
	}
	if (page->state == PAGE_FREE)
		w->free_pages += pages;
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
	if (w.free_pages + w.allocated_pages + zone->nr_captured != zone->managed_pages)
		zone_fail(c, zone, "free, allocated and captured pages, and managed",
			  w.free_pages + w.allocated_pages + zone->nr_captured,
			  zone->managed_pages);
}

/* The other pages of a block: TAIL, of the same zone. */
static void block_tails(struct check *c, struct zone *zone)
{
	pfn_t pfn = zone->start_pfn, end = pfn + zone->spanned_pages;
	struct walk w = {0};

	while (pfn < end) {
		u64 pages;

		if (!pfn_valid(pfn)) {
			pfn += MAX_BLOCK_PAGES - pfn % MAX_BLOCK_PAGES;
			continue;
		}
		pages = walk_step(c, zone, pfn, &w);
		for (u64 i = 1; i < pages; i++) {
			const struct page *tail = pfn_to_page(pfn + i);

			if (tail->state != PAGE_TAIL || page_zone(tail) != zone) {
				check_fail(c, "pfn 0x%llx, inside the block of 0x%llx, is %s",
					   ULL(pfn + i), ULL(pfn),
					   page_state_name((enum page_state)tail->state));
				break;
			}
		}
		pfn += pages;
	}
}

/* Node and zone of each frame of RAM are memblock's; it is no hole; the allocator's own are RAM. */
static void pages_placed(struct check *c)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next(&cursor, &range)) {
		for (pfn_t pfn = pfn_down(range.base); pfn < pfn_down(range.end); pfn++) {
			const struct page *page = pfn_to_page(pfn);

			c->report->items++;
			if (!pfn_valid(pfn)) {
				check_fail(c, "pfn 0x%llx is RAM and has no struct page", ULL(pfn));
				break;
			}
			if (page->nid != range.nid || page->zone != pfn_zone_type(pfn) ||
			    page->state == PAGE_HOLE ||
			    range.reserved != (page->state == PAGE_RESERVED)) {
				check_fail(c,
					   "pfn 0x%llx is %s, node %u zone %u; memblock: node "
					   "%d, %s",
					   ULL(pfn), page_state_name((enum page_state)page->state),
					   page->nid, page->zone, range.nid,
					   range.reserved ? memblock_owner_name(range.owner)
							  : "free");
				break;
			}
		}
	}
}

/* --- Marks --------------------------------------------------------------------------------- */

static void marks_ordered(struct check *c, struct zone *zone)
{
	u64 min = zone->watermark[WMARK_MIN], low = zone->watermark[WMARK_LOW];
	u64 high = zone->watermark[WMARK_HIGH];

	if (min > low || low > high || low - min != high - low)
		check_fail(c, "node %d zone %s: min %llu low %llu high %llu", zone->nid,
			   zone_type_name(zone->type), ULL(min), ULL(low), ULL(high));
}

static void reserve_rises(struct check *c, struct zone *zone)
{
	for (u32 i = 0; i < MAX_NR_ZONES; i++) {
		bool own = i <= zone->type;

		if (own ? zone->lowmem_reserve[i] != 0
			: zone->lowmem_reserve[i] < zone->lowmem_reserve[i - 1])
			zone_fail(c, zone, "class and its lowmem reserve", i,
				  zone->lowmem_reserve[i]);
	}
}

const struct invariant zone_invariants[] = {
	{"ZONE-1", "free and captured <= managed <= present <= spanned",
	 .run_zone_locked = zone_counts},
	{"BUDDY-2", "a list's count is its length, and its links agree",
	 .run_zone_locked = free_lengths},
	{"BUDDY-1", "a listed block is free, of its list's order, aligned, in its zone",
	 .run_zone_locked = free_lists},
	{"BUDDY-3", "no two buddies are both free", .run_zone_locked = merged_eagerly},
	{"BUDDY-4", "nr_free_pages is what is on the lists", .run_zone_locked = free_sum},
	{"BUDDY-5", "a bit for each order that has a block, and no other",
	 .run_zone_locked = order_bits},
	{"BUDDY-6", "free, allocated and captured pages are all that the zone manages",
	 .run_zone_locked = conservation},
	{"PAGE-1", "every frame of RAM has its node and zone, reserved as memblock says",
	 .run = pages_placed},
	{"PAGE-2", "every head is aligned and of a legal order, the rest of its block tails",
	 .run_zone_locked = block_tails},
	{"WMARK-1", "min, low and high rise by equal gaps", .run_zone_locked = marks_ordered},
	{"WMARK-2", "nothing is kept from the own class, more from higher ones",
	 .run_zone_locked = reserve_rises},
};
const u32 nr_zone_invariants = ARRAY_SIZE(zone_invariants);

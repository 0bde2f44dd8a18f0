/*
 * Giving pages back.
 *
 *	__free_pages(page, order)
 *	    |
 *	hit path    a small block, nothing special about it, room on this CPU's list
 *	    |  no
 *	    v
 *	free_block  is this a struct page, and its block what the caller says? marks cleared
 *	    |
 *	    +-----> this CPU's lists, with a flush if they are full (mm/pcp.c)
 *	    |  closed, in use, or a large block
 *	    v
 *	the zone    its claims (mm/claim.c), else its buddy lists
 *	    ^
 *	    |
 *	page_free_to_zone(page)     reclaim's: whoever waits for the mark sees the page at once
 *
 * Everything a caller can get wrong is caught before anything is changed, and named. A page with PAGE_MARK_LRU
 * is not its holder's to free: others may have references. Nor is one with PAGE_MARK_SLAB: objects are in it, and its
 * cache takes the mark off first. The marks are part of `head`, so that such a
 * page leaves the hit path at no cost, and ends in the report below.
 *
 * Lock: one zone's, with interrupts off; before it, this CPU's ownership of its own lists (mm/pcp.c).
 * Nothing is printed under either.
 */
#include "page_free.h"

#include <mm/memblock.h>
#include <mm/os.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>

#include "buddy.h"
#include "claim.h"
#include "memmap.h"
#include "pcp.h"
#include "slab.h" /* for a name in a report */

/* Whose pages are not their holder's to free. */
#define MARKS_NOT_TO_FREE (PAGE_MARK_LRU | PAGE_MARK_SLAB)

/* --- What the caller got wrong -------------------------------------------------------------- */

/* The head of the block that a TAIL page is in, or NULL. */
static const struct page *block_head(const struct page *page)
{
	pfn_t pfn = page_to_pfn(page);

	for (unsigned int order = 1; order <= MAX_ORDER; order++) {
		const struct page *head = pfn_to_page(ALIGN_DOWN(pfn, (pfn_t)1 << order));

		if (page_state_is_head(head->state) && head->order >= order)
			return head;
	}
	return NULL;
}

static const char *reserved_for(pfn_t pfn)
{
	struct memblock_range range;
	phys_addr_t cursor = pfn_to_phys(pfn);

	if (memblock_next(&cursor, &range) && range.base == pfn_to_phys(pfn) && range.reserved)
		return memblock_owner_name(range.owner);
	return "unknown";
}

/* Says what the page really is, and does not return. */
static __noinline _Noreturn void report_bad_free(const struct page *page, unsigned int order,
						 uintptr_t call_site)
{
	unsigned long long pfn = page_to_pfn(page);
	const struct page *head;
	char caller[OS_CALLER_BYTES];

	os_describe_caller(call_site, caller, sizeof(caller));
	switch (page->state) {
	case PAGE_FREE:
		os_panic("double free: pfn 0x%llx (node %u, zone %s) heads a free block of order "
			 "%u; freed with order %u by %s",
			 pfn, page->nid, zone_type_name(page->zone), page->order, order, caller);
	case PAGE_PCP:
		os_panic("double free: pfn 0x%llx (node %u, zone %s) is on a per-CPU list of order "
			 "%u; freed with order %u by %s",
			 pfn, page->nid, zone_type_name(page->zone), page->order, order, caller);
	case PAGE_CAPTURED:
		os_panic("double free: pfn 0x%llx (node %u, zone %s) is captured by a claim, order "
			 "%u; freed with order %u by %s",
			 pfn, page->nid, zone_type_name(page->zone), page->order, order, caller);
	case PAGE_ALLOCATED:
		if (page->marks & PAGE_MARK_LRU)
			os_panic("page on an LRU: put_page() frees it: pfn 0x%llx (node %u, zone "
				 "%s); freed with order %u by %s",
				 pfn, page->nid, zone_type_name(page->zone), order, caller);
		if (page->marks & PAGE_MARK_SLAB)
			os_panic("page of a slab of cache '%s': the cache frees it: pfn 0x%llx "
				 "(node %u, zone %s); freed with order %u by %s",
				 page->slab_home->cache->name, pfn, page->nid,
				 zone_type_name(page->zone), order, caller);
		os_panic("wrong order: pfn 0x%llx (node %u, zone %s) was allocated with order %u, "
			 "freed with order %u by %s",
			 pfn, page->nid, zone_type_name(page->zone), page->order, order, caller);
	case PAGE_RESERVED:
		os_panic("free of a reserved page: pfn 0x%llx (node %u) belongs to: %s; freed with "
			 "order %u by %s",
			 pfn, page->nid, reserved_for(pfn), order, caller);
	case PAGE_TAIL:
		head = block_head(page);
		if (head && head->state != PAGE_ALLOCATED)
			os_panic("double free: pfn 0x%llx is inside a free block (head pfn 0x%llx, "
				 "order %u); freed with order %u by %s",
				 pfn, (unsigned long long)page_to_pfn(head), head->order, order,
				 caller);
		if (head)
			os_panic(
				"free of a page inside a block: pfn 0x%llx (head pfn 0x%llx, order "
				"%u); freed with order %u by %s",
				pfn, (unsigned long long)page_to_pfn(head), head->order, order,
				caller);
		break;
	default:
		break;
	}
	os_panic("free of pfn 0x%llx, which is %s (state %u); freed with order %u by %s", pfn,
		 page_state_name(page->state), page->state, order, caller);
}

/* Not even the address of a struct page, or of a page. */
static __noinline _Noreturn void report_bad_address(const void *addr, const char *what,
						    unsigned int order, uintptr_t call_site)
{
	char caller[OS_CALLER_BYTES];

	os_describe_caller(call_site, caller, sizeof(caller));
	os_panic("free of %p, which is %s; freed with order %u by %s", addr, what, order, caller);
}

/* --- Giving back ---------------------------------------------------------------------------- */

/*
 * An address that is no multiple of the size has no frame number to ask about. By rotating instead of
 * shifting, its low bits become the highest of a number that no section reaches.
 */
static inline bool is_struct_page(const struct page *page)
{
	const u32 shift = __builtin_ctzll(sizeof(struct page));
	u64 offset = (uintptr_t)page - VMEMMAP_BASE;

	return memmap_covers(offset >> shift | offset << (64 - shift));
}

/* Before the page is given back: after that another CPU may have it, and trace that first. */
static __noinline void trace_free(const struct page *page, unsigned int order, uintptr_t call_site)
{
	if (order <= MAX_ORDER && page->head == PAGE_HEAD(PAGE_ALLOCATED, order))
		trace(TRACE_PAGE_FREE, .id = page_to_pfn(page), .call_site = call_site,
		      .nid = page->nid, .order = (u8)order, .zone = page->zone);
}

/* Whatever it was to its holder, it is a page like others now. Only if what the caller says is right. */
static void page_prepare_free(struct page *page, unsigned int order)
{
	if (unlikely(page->marks) && page->state == PAGE_ALLOCATED && page->order == order &&
	    !(page->marks & MARKS_NOT_TO_FREE))
		/* Relaxed: as page_set_mark(). */
		store_relaxed(&page->head, PAGE_HEAD(PAGE_ALLOCATED, order));
}

/* False: the block is not what the caller says, and nothing is changed. */
static __always_inline bool give_to_zone(struct zone *zone, struct page *page, unsigned int order)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);
	/* Under the lock: of two CPUs that free the same page, one sees the other's work. */
	bool good = order <= MAX_ORDER && page->head == PAGE_HEAD(PAGE_ALLOCATED, order);

	if (likely(good)) {
		if (unlikely(claims_touch(zone, page, order)))
			claims_give_locked(zone, page, order);
		else
			buddy_give_locked(zone, page, order);
		zone_count_locked(zone, ZONE_FREE, 1);
		zone_count_locked(zone, ZONE_FREE_PAGES, (u64)1 << order);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return good;
}

static __noinline void free_block(struct page *page, unsigned int order, uintptr_t call_site)
{
	struct zone *zone;

	if (unlikely(!is_struct_page(page)))
		report_bad_address(page, "no struct page", order, call_site);

	zone = page_zone(page);
	page_prepare_free(page, order);
	if (unlikely(load_relaxed(&trace_enabled)))
		trace_free(page, order, call_site);
	if (order <= PCP_MAX_ORDER && page->head == PAGE_HEAD(PAGE_ALLOCATED, order) &&
	    pcp_free(zone, page, order))
		return;
	if (unlikely(!give_to_zone(zone, page, order)))
		report_bad_free(page, order, call_site);
}

void page_free_to_zone(struct page *page)
{
	page_prepare_free(page, 0);
	if (unlikely(load_relaxed(&trace_enabled)))
		trace_free(page, 0, os_call_site());
	if (unlikely(!give_to_zone(page_zone(page), page, 0)))
		report_bad_free(page, 0, os_call_site());
}

/* The hit path back. False decides nothing, either. */
static __always_inline bool free_hit(struct page *page, unsigned int order)
{
	return likely(order <= PCP_MAX_ORDER && is_struct_page(page) &&
		      page->head == PAGE_HEAD(PAGE_ALLOCATED, order)) &&
	       pcp_free_hit(page_zone(page), page);
}

void __free_pages(struct page *page, unsigned int order)
{
	if (unlikely(!free_hit(page, order)))
		free_block(page, order, os_call_site());
}

void free_pages(void *addr, unsigned int order)
{
	if (unlikely(!IS_ALIGNED((uintptr_t)addr, PAGE_SIZE)))
		report_bad_address(addr, "inside a page", order, os_call_site());
	if (addr && unlikely(!free_hit(virt_to_page(addr), order)))
		free_block(virt_to_page(addr), order, os_call_site());
}

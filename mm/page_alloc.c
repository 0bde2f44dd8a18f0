/*
 * The request for pages: from a caller's words to a block, and back.
 *
 *	alloc_pages_node(nid, gfp, order)
 *	    |
 *	hit path    a small block, the first zone above its low mark, this CPU's lists have one
 *	    |  else build the context: zonelist, class of the request
 *	    v
 *	fast path   walk the zonelist, take where the low mark holds
 *	    |  none
 *	    v
 *	slow path   again at the min mark, less what the request's urgency allows;
 *	            once more when the pages that CPUs keep for themselves are back
 *	    |  none
 *	    v
 *	NULL, and a line that says why
 *
 * A free goes the same way down: check what is given back, this CPU's lists, the zone's buddy
 * lists. Everything a caller can get wrong is caught before anything is changed, and named.
 *
 * Lock: one zone's at a time, with interrupts off; before it, this CPU's ownership of its own lists
 * (mm/pcp.c). Nothing is printed under either.
 */
#include "alloc_context.h"

#include <base/assert.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/memblock.h>
#include <mm/os.h>
#include <mm/trace.h>

#include "block_type.h"
#include "buddy.h"
#include "memmap.h"
#include "pcp.h"
#include "watermark.h"

/* --- Taking -------------------------------------------------------------------------------- */

static enum zone_type gfp_class(gfp_t gfp)
{
	if (gfp & __GFP_DMA)
		return ZONE_DMA;
	return gfp & __GFP_DMA32 ? ZONE_DMA32 : ZONE_NORMAL;
}

/* How far below the min mark the request may go. */
static u32 gfp_alloc_flags(gfp_t gfp)
{
	u32 flags = 0;

	if (gfp & __GFP_HIGH)
		flags |= ALLOC_MIN_RESERVE;
	if (!(gfp & __GFP_DIRECT_RECLAIM))
		flags |= ALLOC_NON_BLOCK;
	return flags;
}

/* Linux's NUMA statistics: did the request get the node it preferred, and is it the CPU's own? */
static void count_placement_locked(struct zone *zone, const struct zone *preferred)
{
	bool local = zone->nid == cpu_to_node(smp_processor_id());

	zone_count_locked(zone, zone->nid == preferred->nid ? NUMA_HIT : NUMA_MISS, 1);
	zone_count_locked(zone, local ? NUMA_LOCAL : NUMA_OTHER, 1);
}

/* Takes a block from this zone, marks or not; NULL if it has none that large. */
static struct page *take_from_zone(struct zone *zone, const struct zone *preferred,
				   const struct alloc_context *ac)
{
	unsigned int order = ac->order;
	unsigned long flags;
	struct page *page;

	if (order <= PCP_MAX_ORDER) {
		page = pcp_alloc(zone, order, ac->block_type, ac->request_class, zone != preferred);
		if (page)
			return page;
	}
	flags = spin_lock_irqsave(&zone->lock);
	page = buddy_take_locked(zone, order, ac->block_type);
	if (page) {
		zone_count_locked(zone, ZONE_ALLOC, 1);
		zone_count_locked(zone, ZONE_ALLOC_PAGES, (u64)1 << order);
		count_placement_locked(zone, preferred);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return page;
}

/* One walk along the zonelist against one mark. The first zone that the request may use is preferred. */
static struct page *take_from_zonelist(const struct alloc_context *ac, enum zone_watermark mark,
				       u32 alloc_flags)
{
	struct zone *preferred = NULL;

	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		struct zone *zone = ac->zonelist->ref[i].zone;
		struct page *page;

		if (zone->type > ac->request_class)
			continue;
		if (!preferred)
			preferred = zone;
		if (!zone_watermark_ok(zone, ac->order, load_relaxed(&zone->watermark[mark]),
				       ac->request_class, alloc_flags)) {
			zone_count_atomic(zone, ZONE_WMARK_FAILED);
			continue;
		}
		page = take_from_zone(zone, preferred, ac);
		if (page) {
			if (zone->nid != preferred->nid)
				zone_count_atomic(preferred, NUMA_FOREIGN);
			return page;
		}
	}
	return NULL;
}

/* One line for the request, one for each zone it could have used. */
static void report_failure(const struct alloc_context *ac, uintptr_t call_site)
{
	char gfp_text[96], caller[OS_CALLER_BYTES];

	gfp_format(ac->gfp, gfp_text, sizeof(gfp_text));
	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_WARN, "mm", "allocation failed: order %u, %s, from node %d, by %s", ac->order,
	       gfp_text, ac->preferred_nid, caller);
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		const struct zone *zone = ac->zonelist->ref[i].zone;
		u32 orders = load_relaxed(&zone->nonempty_orders);

		if (zone->type > ac->request_class)
			continue;
		/* Relaxed: figures for people, read without the lock. */
		os_log(OS_LOG_WARN, "mm",
		       "  node %d %s: free %llu, min %llu, reserve %llu, largest order %d",
		       zone->nid, zone_type_name(zone->type),
		       (unsigned long long)load_relaxed(&zone->nr_free_pages),
		       (unsigned long long)load_relaxed(&zone->watermark[WMARK_MIN]),
		       (unsigned long long)load_relaxed(&zone->lowmem_reserve[ac->request_class]),
		       orders ? 31 - __builtin_clz(orders) : -1);
	}
}

static __noinline void give_up(const struct alloc_context *ac, uintptr_t call_site)
{
	trace(TRACE_PAGE_ALLOC_FAILED, .call_site = call_site, .gfp = ac->gfp,
	      .nid = (u16)ac->preferred_nid, .order = (u8)ac->order, .zone = (u8)ac->request_class);
	if (!(ac->gfp & __GFP_NOWARN))
		report_failure(ac, call_site);
}

static __noinline void report_bad_request(const char *wrong, int nid, gfp_t gfp, unsigned int order,
					  uintptr_t call_site)
{
	char caller[OS_CALLER_BYTES];

	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_ERR, "mm", "bad request: %s (node %d, gfp 0x%x, order %u, by %s)", wrong, nid,
	       gfp, order, caller);
}

/* Everything a caller can get wrong, in one line each. */
static bool request_is_valid(int nid, gfp_t gfp, unsigned int order, uintptr_t call_site)
{
	const char *wrong = NULL;

	if (order > MAX_ORDER)
		wrong = "order above 10";
	else if (nid < 0 || nid >= MAX_NUMNODES || NODE_DATA(nid) == NULL)
		wrong = "no such node";
	else if (gfp & ~__GFP_ALL)
		wrong = "unknown gfp flag";
	if (wrong)
		report_bad_request(wrong, nid, gfp, order, call_site);
	return wrong == NULL;
}

/* Below the low mark: as deep as the request may go, then what the CPUs have put aside. */
static struct page *take_slowly(const struct alloc_context *ac)
{
	u32 alloc_flags = gfp_alloc_flags(ac->gfp);
	struct page *page = take_from_zonelist(ac, WMARK_MIN, alloc_flags);

	if (!page && drain_all_pages() > 0)
		page = take_from_zonelist(ac, WMARK_MIN, alloc_flags);
	return page;
}

/* Out of line, so that the caller pays one look at trace_enabled. */
static __noinline void trace_alloc(const struct page *page, unsigned int order, gfp_t gfp,
				   uintptr_t call_site)
{
	trace(TRACE_PAGE_ALLOC, .id = page_to_pfn(page), .call_site = call_site, .gfp = gfp,
	      .nid = page->nid, .order = (u8)order, .zone = page->zone);
}

static __noinline struct page *alloc_block(int nid, gfp_t gfp, unsigned int order,
					   uintptr_t call_site)
{
	enum zonelist_kind kind = gfp & __GFP_THISNODE ? ZONELIST_THISNODE : ZONELIST_FALLBACK;
	struct page *page;

	if (nid == NUMA_NO_NODE)
		nid = cpu_to_node(smp_processor_id());
	if (unlikely(!request_is_valid(nid, gfp, order, call_site)))
		return NULL;

	const struct alloc_context ac = {
		.gfp = gfp,
		.order = order,
		.block_type = gfp_block_type(gfp),
		.preferred_nid = nid,
		.zonelist = &NODE_DATA(nid)->zonelist[kind],
		.request_class = gfp_class(gfp),
	};

	page = take_from_zonelist(&ac, WMARK_LOW, 0);
	if (unlikely(!page))
		page = take_slowly(&ac);
	if (unlikely(!page)) {
		give_up(&ac, call_site);
		return NULL;
	}
	if (unlikely(load_relaxed(&trace_enabled)))
		trace_alloc(page, order, gfp, call_site);
	if (gfp & __GFP_ZERO)
		memset(page_address(page), 0, PAGE_SIZE << order);
	return page;
}

/* Flags that ask for nothing that the hit path would have to do or look at. */
#define GFP_HIT_PATH (__GFP_ALL & ~(__GFP_DMA | __GFP_DMA32 | __GFP_THISNODE | __GFP_ZERO))

/*
 * The hit path: what nearly every request takes. No lock, interrupts stay on. NULL decides nothing:
 * the request then goes its whole way. fast_mark is the low mark of an ordinary request, with room
 * for the largest block that comes this way; the count of free pages is a hint here as there.
 */
static __always_inline struct page *alloc_hit(int nid, gfp_t gfp, unsigned int order)
{
	struct zone *zone;

	if (unlikely(order > PCP_MAX_ORDER || gfp & ~GFP_HIT_PATH || (u32)nid >= MAX_NUMNODES))
		return NULL;
	zone = first_zone[nid];
	/* Relaxed: hints, as said above. */
	if (unlikely(load_relaxed(&zone->nr_free_pages) <= load_relaxed(&zone->fast_mark)))
		return NULL;
	return pcp_alloc_hit(zone, pcp_index(order, gfp));
}

/* Who asked is looked up where it is needed: a hit then needs no stack frame. */
struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_hit(nid, gfp, order);

	return likely(page) ? page : alloc_block(nid, gfp, order, os_call_site());
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	int nid = cpu_to_node(smp_processor_id());
	struct page *page = alloc_hit(nid, gfp, order);

	return likely(page) ? page : alloc_block(nid, gfp, order, os_call_site());
}

void *get_free_pages(gfp_t gfp, unsigned int order)
{
	int nid = cpu_to_node(smp_processor_id());
	struct page *page = alloc_hit(nid, gfp, order);

	if (unlikely(!page))
		page = alloc_block(nid, gfp, order, os_call_site());
	return page ? page_address(page) : NULL;
}

/* --- Giving back --------------------------------------------------------------------------- */

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
	case PAGE_ALLOCATED:
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

/* An address that is no multiple of the size has no frame number to ask about. */
static inline bool is_struct_page(const struct page *page)
{
	return IS_ALIGNED((uintptr_t)page - VMEMMAP_BASE, sizeof(struct page)) &&
	       memmap_covers(page_to_pfn(page));
}

/* Before the page is given back: after that another CPU may have it, and trace that first. */
static __noinline void trace_free(const struct page *page, unsigned int order, uintptr_t call_site)
{
	if (order <= MAX_ORDER && page->head == PAGE_HEAD(PAGE_ALLOCATED, order))
		trace(TRACE_PAGE_FREE, .id = page_to_pfn(page), .call_site = call_site,
		      .nid = page->nid, .order = (u8)order, .zone = page->zone);
}

static __noinline void free_block(struct page *page, unsigned int order, uintptr_t call_site)
{
	struct zone *zone;
	unsigned long flags;
	bool good;

	if (unlikely(!is_struct_page(page)))
		report_bad_address(page, "no struct page", order, call_site);

	zone = page_zone(page);
	if (unlikely(load_relaxed(&trace_enabled)))
		trace_free(page, order, call_site);
	if (order <= PCP_MAX_ORDER && page->head == PAGE_HEAD(PAGE_ALLOCATED, order) &&
	    pcp_free(zone, page, order))
		return;
	flags = spin_lock_irqsave(&zone->lock);
	/* Under the lock: of two CPUs that free the same page, one sees the other's work. */
	good = order <= MAX_ORDER && page->head == PAGE_HEAD(PAGE_ALLOCATED, order);
	if (likely(good)) {
		buddy_give_locked(zone, page, order);
		zone_count_locked(zone, ZONE_FREE, 1);
		zone_count_locked(zone, ZONE_FREE_PAGES, (u64)1 << order);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	if (unlikely(!good))
		report_bad_free(page, order, call_site);
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

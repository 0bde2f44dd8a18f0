/*
 * Targeted reclaim: one aligned block is emptied, instead of as many pages from anywhere.
 *
 * Reclaim by age frees pages that lie where they happen to lie. That 2^k of them are one aligned block is
 * as likely as f^(2^k), where f is the share of memory that is free: with half of it free and order 4 one
 * block in 65536. So for orders above PAGE_ALLOC_COSTLY_ORDER the slow path has a block chosen, and just that
 * one emptied:
 *
 *	. free   i inactive   a active   D dirty   X nobody's to take (kernel, pinned, in use now)
 *
 *	|i.iia.i.|iXi..i..|aaiaaaia|i..i.D.i|....i.i.|iiiiiiii|
 *	    8        -        26       12       2        8        price, by page_price()
 *	                                    |........|            the cheapest is emptied
 *
 * --- Looking, then taking
 *
 * A search looks at as many pages of a zone as SEARCH_BLOCKS blocks have, from where the last one ended, and
 * keeps the MAX_TRIES cheapest blocks. One that its first page rules out has cost one look, and so has an allocated
 * block that is larger: so the kernel's own memory is soon passed. If there was nothing but that, the search
 * goes on to SEARCH_PAGES looks, a millisecond: most requests have one search. It holds no lock and has no
 * references. The memory map is always there, so any
 * struct page of it may be read; what is read may be wrong by the time it is used. It decides only what
 * is tried.
 *
 * Emptying decides again, page by page, under the LRU lock: lru_isolate_page() says whether a page is
 * inactive or active now. First all of them are isolated, then they are evicted. If one is not to be
 * had, the others go back to their lists and nothing has been lost: a block with one page that stays is worth
 * nothing, and its other pages are worth keeping. Then the next cheapest is tried.
 *
 *	looked --> chosen --> given up      a page was not to be had
 *	              |
 *	              +-----> completed     one free block
 *	              +-----> incomplete    an owner kept a page, a write takes too long, or others
 *	                                    took free pages of it meanwhile
 *
 * That last one is what nobody prevents here: pages that are free are anybody's. mm/claim.c keeps a block
 * together; using it for this is the next step.
 *
 * Dirty pages: their writes are begun, all at once, then waited for, and what is clean then is evicted.
 *
 * What bounds it: pages looked at, holes stepped over, zones, tries, passes and the wait for writes;
 * each has its constant below. None of them depends on how much memory there is.
 *
 * Which zone: in the order of the request's zonelist, those that its class and nodes allow, if emptying one
 * block can bring the zone above its min mark. A zone that has a block already ends it: what the
 * request lacks there is no block.
 *
 * Locks: none is held. The LRU lock and the zone's are taken by others, for a page at a time.
 *
 * Source: Linux's lumpy reclaim (2.6.23 to 3.4), which took the pages around one from the list's tail,
 * whatever they were; and the choice of pageblocks in mm/compaction.c.
 */
#include "reclaim.h"

#include <base/atomic.h>
#include <mm/trace.h>

#include "claim.h"
#include "lru.h"
#include "memmap.h"
#include "pcp.h"
#include "vmstat.h"
#include "zone.h"

#define SEARCH_BLOCKS 64    /* so many blocks' pages are looked at in one zone */
#define SEARCH_PAGES  16384 /* and so many, if that is more, while nothing was found */
#define SEARCH_HOPS   256   /* over parts of a zone without struct pages */
#define SEARCH_ZONES  8
#define MAX_TRIES     4 /* blocks emptied, or given up */
#define MAX_PASSES    4 /* over one block whose pages are being written */
#define WRITE_WAIT_NS 100000000ull

/* --- The policy ---------------------------------------------------------------------------------- */

#define NOT_TO_BE_HAD (~(u32)0)

/*
 * What it costs to have the page's frame free. A block costs the sum, and one page that is not to be had
 * rules it out. All of the policy is here.
 *
 *	0   it is free, or on a CPU's own list, which is drained
 *	1   inactive: nobody will miss it soon
 *	4   active: it will probably be read again
 *	+8  dirty: it must be written first. Only if the request may
 *	+8  being written: that must be waited for
 *
 * In use at this moment (a reference beside the owner's, and the write's) is not to be had: one such page
 * and the others would be evicted for nothing.
 */
static u32 page_price(const struct page *page, u16 head, const struct reclaim_scope *scope)
{
	u8 state = head & 0xff, list;
	u32 flags, refs, price;

	if (state == PAGE_FREE || state == PAGE_PCP)
		return 0;
	if (state != PAGE_ALLOCATED || !(PAGE_HEAD_MARKS(head) & PAGE_MARK_LRU))
		return NOT_TO_BE_HAD;
	/* Relaxed: all of it is a guess, see the top. */
	list = load_relaxed(&page->lru);
	flags = load_relaxed(&page->lru_flags);
	refs = page_ref_count(page);
	if ((list != LRU_INACTIVE && list != LRU_ACTIVE) || (flags & LRU_UNEVICTABLE))
		return NOT_TO_BE_HAD;
	if (refs == 0 || refs > (flags & LRU_WRITEBACK ? 2 : 1))
		return NOT_TO_BE_HAD;
	if ((flags & LRU_DIRTY) && !scope->may_write)
		return NOT_TO_BE_HAD;
	price = list == LRU_ACTIVE ? 4 : 1;
	price += flags & LRU_DIRTY ? 8 : 0;
	price += flags & LRU_WRITEBACK ? 8 : 0;
	return price;
}

/* --- Looking ------------------------------------------------------------------------------------- */

/* A block that could be emptied. */
struct candidate {
	struct page *first;
	u32 price;
	u32 nr_evictable; /* pages that are free afterwards and are not now */
	bool on_lists;    /* CPUs have pages of it */
};

/* One search of one zone. */
struct search {
	const struct reclaim_request *request;
	struct zone *zone;
	u64 nr_missing; /* pages that the zone lacks to its mark with the block taken */
	u32 nr_found;
	struct candidate found[MAX_TRIES]; /* cheapest first; of equals the first one seen */
};

static u64 block_pages(const struct reclaim_request *request)
{
	return (u64)1 << request->order;
}

/*
 * False: one of its pages is not to be had, or is of another zone or node, or there is too little to evict. From
 * head to head; where a page that is none follows on a block that was looked at, it is part of one that
 * begins elsewhere, or things have changed. *nr_pages: for the search's budget, those up to the first that ruled
 * it out.
 */
static bool look_at_block(const struct search *s, struct page *first, struct candidate *out,
			  u64 *nr_pages)
{
	const u16 place = PAGE_PLACE((u32)s->zone->type, (u32)s->zone->nid);
	u64 frames;

	*out = (struct candidate){.first = first};
	*nr_pages = block_pages(s->request);
	for (u64 i = 0; i < block_pages(s->request); i += frames) {
		/* Relaxed: a guess, as all here. Both halves at once. */
		u32 block = load_relaxed(&first[i].block);
		u16 head = (u16)block;
		u32 price = page_price(&first[i], head, &s->request->scope);

		if (block >> 16 != place || price == NOT_TO_BE_HAD) {
			*nr_pages = i + 1;
			return false;
		}
		out->price += price;
		out->nr_evictable += price > 0;
		out->on_lists |= (head & 0xff) == PAGE_PCP;
		frames = (u64)1 << PAGE_HEAD_ORDER(head);
	}
	return out->nr_evictable > 0 && out->nr_evictable >= s->nr_missing &&
	       !claims_touch(s->zone, first, s->request->order);
}

static void keep_cheapest(struct search *s, const struct candidate *candidate)
{
	u32 i = s->nr_found;

	while (i > 0 && s->found[i - 1].price > candidate->price)
		i--;
	if (i == MAX_TRIES)
		return;
	s->nr_found = MIN(s->nr_found + 1, (u32)MAX_TRIES);
	for (u32 j = s->nr_found - 1; j > i; j--)
		s->found[j] = s->found[j - 1];
	s->found[i] = *candidate;
}

/* The first frame after this one that may have a struct page: the next unit's, or section's. */
static pfn_t after_hole(pfn_t pfn)
{
	u64 section = pfn / SECTION_PAGES;

	if (section < nr_sections && section_present[section] == 0)
		return (section + 1) * SECTION_PAGES;
	return ALIGN_DOWN(pfn, UNIT_PAGES) + UNIT_PAGES;
}

/* How many frames further the next block may begin: after all of an allocated one. */
static u64 to_next_block(const struct page *first, u64 size)
{
	u16 head = load_relaxed(&first->head); /* relaxed: a guess */

	return (head & 0xff) == PAGE_ALLOCATED ? MAX(size, (u64)1 << PAGE_HEAD_ORDER(head)) : size;
}

static bool search_goes_on(const struct search *s, u64 pages_seen)
{
	return pages_seen < SEARCH_BLOCKS * block_pages(s->request) ||
	       (s->nr_found == 0 && pages_seen < SEARCH_PAGES);
}

/* From the zone's cursor on, once round at most. */
static void search_zone(struct search *s)
{
	const u64 size = block_pages(s->request);
	struct zone *zone = s->zone;
	pfn_t start = ALIGN_UP(zone->start_pfn, size);
	pfn_t end = ALIGN_DOWN(zone->start_pfn + zone->spanned_pages, size), next;
	/* Relaxed: who else searches begins at the same place, or does not. */
	pfn_t pfn = ALIGN_DOWN(load_relaxed(&zone->target_cursor_pfn), size);
	u64 left = end > start ? end - start : 0, pages_seen = 0, nr_pages;
	u32 looked = 0, hops = 0;

	s->nr_found = 0;
	while (left > 0 && search_goes_on(s, pages_seen) && hops < SEARCH_HOPS) {
		struct candidate candidate;

		if (pfn < start || pfn >= end)
			pfn = start;
		next = pfn + size;
		if (memmap_covers(pfn)) {
			looked++;
			if (look_at_block(s, pfn_to_page(pfn), &candidate, &nr_pages))
				keep_cheapest(s, &candidate);
			pages_seen += nr_pages;
			next = pfn + to_next_block(pfn_to_page(pfn), size);
		} else {
			hops++;
			next = after_hole(pfn);
		}
		left -= MIN(left, next - pfn);
		pfn = next;
	}
	store_relaxed(&zone->target_cursor_pfn, pfn);
	vmstat_count_many(VMSTAT_TARGET_LOOKED, looked);
	vmstat_count_many(VMSTAT_TARGET_LOOKED_PAGES, pages_seen);
}

/* --- Emptying ------------------------------------------------------------------------------------ */

static void put_all_back(struct list_head *pages)
{
	while (!list_empty(pages)) {
		struct page *page = list_first_entry(pages, struct page, lru_link);

		list_del(&page->lru_link);
		/* Relaxed: the isolator's. */
		lru_putback(page,
			    load_relaxed(&page->lru_flags) & LRU_FROM_ACTIVE ? LRU_ACTIVE
									     : LRU_INACTIVE,
			    false);
	}
}

/*
 * Every page of the block that is not free, isolated. False: one is not to be had; none is isolated
 * then. Here it is the LRU lock that says so; what is free may be taken, or merge, at any time.
 */
static bool isolate_block(struct page *first, unsigned int order, struct list_head *pages)
{
	u64 frames;

	for (u64 i = 0; i < (u64)1 << order; i += frames) {
		u16 head = load_relaxed(&first[i].head); /* relaxed: as frames_at() */
		u8 state = head & 0xff;

		frames = 1;
		if (state == PAGE_FREE || state == PAGE_PCP) {
			frames = (u64)1 << PAGE_HEAD_ORDER(head);
		} else if (lru_isolate_page(&first[i])) {
			list_add_tail(&first[i].lru_link, pages);
		} else {
			put_all_back(pages);
			return false;
		}
	}
	return true;
}

/* Is all of it free, as one block or in a larger one? A guess: it may be taken at any time. */
static bool is_whole(struct page *first, unsigned int order)
{
	for (unsigned int above = order; above <= MAX_ORDER; above++) {
		const struct page *head =
			pfn_to_page(ALIGN_DOWN(page_to_pfn(first), (pfn_t)1 << above));

		if (load_relaxed(&head->head) == PAGE_HEAD(PAGE_FREE, above)) /* relaxed: a guess */
			return true;
	}
	return false;
}

/* Until none of its pages is being written; false: it has taken too long. */
static bool wait_for_writes(const struct candidate *c, unsigned int order)
{
	u64 start = arch_timestamp(), waited_ns;

	for (u64 i = 0; i < (u64)1 << order; i++) {
		const struct page *page = c->first + i;

		/* Relaxed: a page that is somebody else's by now is waited for a little, for nothing. */
		while ((PAGE_HEAD_MARKS(load_relaxed(&page->head)) & PAGE_MARK_LRU) &&
		       (load_relaxed(&page->lru_flags) & LRU_WRITEBACK)) {
			waited_ns = arch_timestamp_to_ns(arch_timestamp() - start);
			if (waited_ns >= WRITE_WAIT_NS ||
			    !lru_wait_writeback(page->nid, WRITE_WAIT_NS - waited_ns))
				return false;
		}
	}
	return true;
}

/* Pages freed. *isolated: it was all to be had, at first. */
static u64 empty_block(const struct search *s, const struct candidate *c, bool *isolated)
{
	const struct reclaim_request *request = s->request;
	bool wrote = false;
	u64 freed = 0;

	if (c->on_lists)
		drain_zone_pages(s->zone);
	for (u32 pass = 0; pass < MAX_PASSES; pass++) {
		struct reclaim_progress progress = {0};
		struct list_head pages;
		struct page *page;

		list_init(&pages);
		if (!isolate_block(c->first, request->order, &pages))
			break;
		*isolated = true;
		if (list_empty(&pages))
			break;
		/* Whatever its owner's touches say, it is this page that is wanted. */
		list_for_each_entry(page, &pages, lru_link)
			lru_test_clear_referenced(page);
		reclaim_pages(&pages, request, &progress);
		freed += progress.reclaimed;
		/* A write that is over may have a reference for a moment longer: once more for it, too. */
		wrote |= progress.writing > 0;
		if (!wrote || !request->may_block || !wait_for_writes(c, request->order))
			break;
	}
	return freed;
}

/* True: the block is whole. */
static bool try_block(const struct search *s, const struct candidate *c, u64 *freed)
{
	unsigned int order = s->request->order;
	bool isolated = false, whole;
	u64 evicted;

	vmstat_count(VMSTAT_TARGET_CHOSEN);
	evicted = empty_block(s, c, &isolated);
	whole = is_whole(c->first, order);
	vmstat_count_many(VMSTAT_TARGET_EVICTED, evicted);
	vmstat_count(whole      ? VMSTAT_TARGET_COMPLETED
		     : isolated ? VMSTAT_TARGET_INCOMPLETE
				: VMSTAT_TARGET_GIVEN_UP);
	trace(TRACE_RECLAIM_BLOCK, .id = page_to_pfn(c->first), .arg = evicted << 1 | whole,
	      .order = (u8)order, .nid = (u16)s->zone->nid, .zone = (u8)s->zone->type);
	*freed += evicted;
	return whole;
}

/* --- One request --------------------------------------------------------------------------------- */

/* Pages that the zone lacks to stay above its min mark when the block is taken. */
static u64 pages_missing(const struct zone *zone, const struct reclaim_request *request)
{
	/* Relaxed: hints. */
	u64 must = load_relaxed(&zone->watermark[WMARK_MIN]) +
		   load_relaxed(&zone->lowmem_reserve[request->request_class]) +
		   block_pages(request);
	u64 has = load_relaxed(&zone->nr_free_pages);

	return has < must ? must - has : 0;
}

/* Is the zone one of those that it may use? */
static bool is_for(const struct reclaim_request *request, const struct zone *zone)
{
	return zone->type <= request->request_class && permit_allows(request->permit, zone->nid);
}

u64 pages_missing_for_block(const struct reclaim_request *request)
{
	const struct zonelist *zonelist = request->zonelist;
	u64 least = ~(u64)0;

	for (u32 i = 0; i < zonelist->nr && least > 0; i++) {
		const struct zone *zone = zonelist->ref[i].zone;

		/* Where nothing can be evicted no block can be emptied, though there may be enough pages. */
		if (is_for(request, zone) && lru_evictable_of_zone(zone) > 0)
			least = MIN(least, pages_missing(zone, request));
	}
	return least == ~(u64)0 ? 0 : least;
}

u64 reclaim_block(const struct reclaim_request *request)
{
	const struct zonelist *zonelist = request->zonelist;
	struct search s = {.request = request};
	u32 zones = 0, tries = 0;
	u64 freed = 0;

	for (u32 i = 0; i < zonelist->nr && zones < SEARCH_ZONES; i++) {
		s.zone = zonelist->ref[i].zone;
		if (!is_for(request, s.zone))
			continue;
		s.nr_missing = pages_missing(s.zone, request);
		if (s.nr_missing > block_pages(request))
			continue;
		if (s.nr_missing == 0 && zone_free_orders(s.zone) >> request->order)
			break;
		zones++;
		search_zone(&s);
		for (u32 n = 0; n < s.nr_found && tries < MAX_TRIES; n++, tries++) {
			if (try_block(&s, &s.found[n], &freed))
				return freed;
		}
	}
	return freed;
}

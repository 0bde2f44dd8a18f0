/*
 * Movable and other pages come and go at random, in a zone that is nearly full: a page cache that is
 * written and dropped, and beside it kernel memory, some of which stays for long. At the end all that
 * is movable is given back, as reclaim would, and what is left is looked at: in how many pageblocks
 * is a page that stays? In each of them there will be no large block for as long as it does.
 *
 * Pages are not kept in a table: each that is taken carries a tag in its struct page, which is its
 * holder's, and one to give back is found by trying frames at random.
 */
#include "type_mix.h"

#include <mm/inspect.h>
#include <mm/page_alloc.h>

#include "stress_internal.h"

#define TAG_MOVABLE 0x6d6f7661626c6521ull
#define TAG_STAYS   0x7374617973212121ull
#define TAG_WORD    6 /* of the struct page */
#define MAX_TRIES   64

struct run {
	const struct type_mix *mix;
	struct random_state random;
	pfn_t start;
	u64 frames;
	u64 pages[NR_BLOCK_TYPES], limit[NR_BLOCK_TYPES];
	u64 requests;
};

static u64 tag_of(enum block_type type)
{
	return type == BLOCK_MOVABLE ? TAG_MOVABLE : TAG_STAYS;
}

/* Whose the frame is; NR_BLOCK_TYPES: none of ours. */
static enum block_type type_at(const struct page *page)
{
	if (page->state != PAGE_ALLOCATED || page->arm_words[TAG_WORD] == 0)
		return NR_BLOCK_TYPES;
	if (page->arm_words[TAG_WORD] == TAG_MOVABLE)
		return BLOCK_MOVABLE;
	return page->arm_words[TAG_WORD] == TAG_STAYS ? BLOCK_UNMOVABLE : NR_BLOCK_TYPES;
}

/* Mostly single pages, at times up to eight together. */
static bool take(struct run *r, enum block_type type)
{
	u32 order = random_below(&r->random, 4) ? 0 : random_below(&r->random, 4);
	gfp_t gfp = r->mix->gfp | __GFP_NOWARN | (type == BLOCK_MOVABLE ? __GFP_MOVABLE : 0);
	struct page *page = alloc_pages_node(r->mix->nid, gfp, order);

	if (!page)
		return false;
	page->arm_words[TAG_WORD] = tag_of(type);
	r->pages[type] += (u64)1 << order;
	r->requests++;
	return true;
}

static void give(struct run *r, struct page *page, enum block_type type)
{
	u32 order = page->order;

	page->arm_words[TAG_WORD] = 0;
	r->pages[type] -= (u64)1 << order;
	__free_pages(page, order);
}

static void give_random(struct run *r)
{
	for (u32 tries = 0; tries < MAX_TRIES; tries++) {
		pfn_t pfn = r->start + random_next(&r->random) % r->frames;
		struct page *page = pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
		enum block_type type = page ? type_at(page) : NR_BLOCK_TYPES;

		/* What stays, stays longer. */
		if (type == BLOCK_MOVABLE ||
		    (type == BLOCK_UNMOVABLE && random_below(&r->random, 4) == 0)) {
			give(r, page, type);
			return;
		}
	}
}

static void give_all(struct run *r, enum block_type type)
{
	for (pfn_t pfn = r->start; pfn < r->start + r->frames; pfn++) {
		if (pfn_valid(pfn) && type_at(pfn_to_page(pfn)) == type)
			give(r, pfn_to_page(pfn), type);
	}
}

static void churn(struct run *r)
{
	u64 steps = (r->limit[0] + r->limit[1]) * (r->mix->turns + 1);

	for (u64 step = 0; step < steps; step++) {
		enum block_type type = random_below(&r->random, 100) < r->mix->stays_percent
					       ? BLOCK_UNMOVABLE
					       : BLOCK_MOVABLE;

		/* What stays is sometimes more, sometimes less. */
		if (r->pages[type] + 8 > r->limit[type] || !take(r, type))
			give_random(r);
	}
}

static void look(const struct run *r, struct type_mix_result *result)
{
	pfn_t last = NO_PFN;

	result->pages_that_stay = r->pages[BLOCK_UNMOVABLE];
	result->pageblocks = r->frames / PAGEBLOCK_PAGES;
	result->least = (r->pages[BLOCK_UNMOVABLE] + PAGEBLOCK_PAGES - 1) / PAGEBLOCK_PAGES;
	for (pfn_t pfn = r->start; pfn < r->start + r->frames; pfn++) {
		if (pfn / PAGEBLOCK_PAGES == last || !pfn_valid(pfn) ||
		    type_at(pfn_to_page(pfn)) != BLOCK_UNMOVABLE)
			continue;
		last = pfn / PAGEBLOCK_PAGES;
		result->spread++;
	}
}

bool type_mix_run(const struct type_mix *mix, struct type_mix_result *result)
{
	struct run r = {.mix = mix, .random = {mix->seed * 2654435761u + 29}};
	struct page *page = alloc_pages_node(mix->nid, mix->gfp, 0);
	struct zone_snapshot zone;
	u64 pages;

	*result = (struct type_mix_result){0};
	if (!page || !zone_snapshot(page->nid, (enum zone_type)page->zone, &zone))
		return false;
	__free_pages(page, 0);
	r.start = ALIGN_DOWN(zone.start_pfn, PAGEBLOCK_PAGES);
	r.frames = zone.start_pfn + zone.spanned_pages - r.start;
	/* Of what is above the mark: a request that reclaims in vain each time would only take long. */
	pages = zone.free_pages - MIN(zone.free_pages, zone.watermark[WMARK_MIN]);
	pages = pages * mix->full_percent / 100;
	r.limit[BLOCK_UNMOVABLE] = pages * mix->stays_percent / 100;
	r.limit[BLOCK_MOVABLE] = pages - r.limit[BLOCK_UNMOVABLE];
	churn(&r);
	give_all(&r, BLOCK_MOVABLE);
	look(&r, result);
	result->requests = r.requests;
	give_all(&r, BLOCK_UNMOVABLE);
	return true;
}

/*
 * The invariants of claims: which blocks are claimed, and that what is captured is theirs.
 */
#include "buddy_area.h"
#include "check_internal.h"
#include "claim.h"
#include "pcp.h"

#define ULL(x) ((unsigned long long)(x))

/* May a block be claimed that begins there? What does not hold is not walked, either. */
static bool is_sound(const struct zone *zone, u64 word)
{
	pfn_t pfn = claim_word_pfn(word);
	unsigned int order = claim_word_order(word);

	return order > PCP_MAX_ORDER && order <= MAX_ORDER && IS_ALIGNED(pfn, (pfn_t)1 << order) &&
	       pfn >= zone->start_pfn &&
	       pfn + ((pfn_t)1 << order) <= zone->start_pfn + zone->spanned_pages && pfn_valid(pfn);
}

static bool are_apart(u64 a, u64 b)
{
	u64 size_a = (u64)1 << claim_word_order(a), size_b = (u64)1 << claim_word_order(b);

	return claim_word_pfn(a) + size_a <= claim_word_pfn(b) ||
	       claim_word_pfn(b) + size_b <= claim_word_pfn(a);
}

static void claimed_blocks(struct check *c, struct zone *zone)
{
	u32 nr = 0;

	for (u32 i = 0; i < MAX_CLAIMS; i++) {
		u64 word = zone->claim[i].word;

		if (!word)
			continue;
		nr++;
		c->report->items++;
		if (!is_sound(zone, word))
			check_fail(c, "node %d zone %s: claim of pfn 0x%llx, order %u", zone->nid,
				   zone_type_name(zone->type), ULL(claim_word_pfn(word)),
				   claim_word_order(word));
		for (u32 j = 0; j < i; j++) {
			u64 other = zone->claim[j].word;

			if (other && !are_apart(word, other))
				check_fail(c, "pfn 0x%llx and pfn 0x%llx: claims overlap",
					   ULL(claim_word_pfn(word)), ULL(claim_word_pfn(other)));
		}
	}
	if (nr != zone->nr_claims)
		check_fail(c, "node %d zone %s: %u claims, nr_claims is %u", zone->nid,
			   zone_type_name(zone->type), nr, zone->nr_claims);
}

static void claimed_pages(struct check *c, struct zone *zone)
{
	for (u32 i = 0; i < MAX_CLAIMS; i++) {
		const struct claim *claim = &zone->claim[i];
		u64 captured = 0, free = 0, frames;

		if (!claim->word || !is_sound(zone, claim->word))
			continue;
		for (u64 at = 0; at < (u64)1 << claim_word_order(claim->word); at += frames) {
			const struct page *page = pfn_to_page(claim_word_pfn(claim->word) + at);

			c->report->items++;
			frames = frames_at(page);
			captured += page->state == PAGE_CAPTURED ? frames : 0;
			free += page->state == PAGE_FREE ? frames : 0;
		}
		if (captured != claim->nr_captured || free > 0)
			check_fail(c,
				   "claim of pfn 0x%llx: %llu pages captured, %llu free, its count "
				   "is %llu",
				   ULL(claim_word_pfn(claim->word)), ULL(captured), ULL(free),
				   ULL(claim->nr_captured));
	}
}

/* Of all heads of the zone that say so. */
static u64 captured_pages(struct check *c, const struct zone *zone)
{
	pfn_t pfn = zone->start_pfn, end = pfn + zone->spanned_pages;
	u64 pages = 0;

	while (pfn < end) {
		const struct page *page = pfn_to_page(pfn);
		u64 frames;

		if (!pfn_valid(pfn)) {
			pfn += MAX_BLOCK_PAGES - pfn % MAX_BLOCK_PAGES;
			continue;
		}
		c->report->items++;
		frames = page_is_of(page, zone) && page->order <= MAX_ORDER ? frames_at(page) : 1;
		if (page_is_of(page, zone) && page->state == PAGE_CAPTURED)
			pages += frames;
		pfn += frames;
	}
	return pages;
}

static void captured_sum(struct check *c, struct zone *zone)
{
	u64 claimed = 0, said = captured_pages(c, zone);

	for (u32 i = 0; i < MAX_CLAIMS; i++)
		claimed += zone->claim[i].word ? zone->claim[i].nr_captured : 0;
	if (claimed != zone->nr_captured || said != zone->nr_captured)
		check_fail(c,
			   "node %d zone %s: nr_captured is %llu, of its claims %llu, %llu pages "
			   "say so",
			   zone->nid, zone_type_name(zone->type), ULL(zone->nr_captured),
			   ULL(claimed), ULL(said));
}

const struct invariant claim_invariants[] = {
	{"CLAIM-1", "claimed blocks are legal, in their zone, apart, and counted",
	 .run_zone_locked = claimed_blocks},
	{"CLAIM-2", "of a claimed block what is captured is counted, and nothing is free",
	 .run_zone_locked = claimed_pages},
	{"CLAIM-3", "a zone's captured pages are its claims', and no others",
	 .run_zone_locked = captured_sum},
};
const u32 nr_claim_invariants = ARRAY_SIZE(claim_invariants);

/*
 * Claims: blocks that somebody is gathering.
 *
 * Who wants a large block where there is none has to free its pages one by one, and between the first and
 * the last of them others would take what is free already, or merge it away. A claim keeps it together:
 * an aligned block is announced to its zone, and each page of it that is free, or is freed from then on,
 * is *captured*: on no list, in no count of free pages, nobody's but the claim's.
 *
 *	begin    |....AA..A...PPPA|     . free   P on a CPU's list   A somebody's
 *	         |ccccAAccAcccPPPA|     what is free is taken from the buddy lists
 *	         |ccccAAccAccccccA|     CPUs' lists are drained: it comes by the free path
 *	others
 *	free     |ccccccccccccccc A|    by the free path
 *	         |cccccccccccccccc|     complete: claim_take() makes one block of it
 *
 * The other end is claim_end(): what has come goes back to the buddy lists, and merges.
 *
 * --- The free path: prepare, claim, pcp, buddy
 *
 *   prepare  marks cleared, trace: whatever it was to its holder, it is a page like others now
 *   claim    a part of it is claimed: that part is captured
 *   pcp      a small block goes to this CPU's list
 *   buddy    else it goes to the zone, and merges
 *
 * The hit path knows nothing of claims: while a zone has one, the limit up to which hits may free to its
 * lists is 0, so every free goes the way above. Batches that CPUs give back (flush, drain) pass by the
 * claims as well, so a block that got onto a list all the same (it was owned for too long to be drained)
 * is captured later; nothing is lost but time.
 *
 * Who owns a list looks at the claims before he frees to it. Ownership is what orders this: the claimer
 * announces, then owns each list once to drain it; who owns one after that sees the announcement, who
 * owned it before has left his block where it is drained.
 *
 * --- What a claim is not
 *
 * It is mechanism. Which block, whether marks allow it, how long to wait: mm/capture.c decides. A zone
 * has MAX_CLAIMS at most, of MAX_BLOCK_PAGES each, so what can be out of the free counts is bounded. Pages
 * that nobody frees are not moved.
 *
 * A captured block is a head, CAPTURED, with its order, and does not merge with others: the claim may
 * end as one block or as many, and one walk over its frames does either.
 *
 * Lock: the zone's; a list's ownership may be held before it. Never both ways round: claim_begin() owns
 * lists while it has no lock.
 */
#include "claim.h"

#include <base/assert.h>
#include <base/errno.h>
#include <mm/os.h>

#include "block_type.h"
#include "buddy.h"
#include "buddy_area.h"
#include "pcp.h"

/* --- Who is where -------------------------------------------------------------------------- */

static bool overlap(u64 word, pfn_t pfn, unsigned int order)
{
	unsigned int larger = MAX(claim_word_order(word), order);

	/* Both aligned to their size: they meet if they are in the same block of the larger one's. */
	return word && claim_word_pfn(word) >> larger == pfn >> larger;
}

bool claims_touch_slowly(const struct zone *zone, const struct page *page, unsigned int order)
{
	for (u32 i = 0; i < MAX_CLAIMS; i++) {
		/* Relaxed: as claims_touch(). */
		if (overlap(load_relaxed(&zone->claim[i].word), page_to_pfn(page), order))
			return true;
	}
	return false;
}

/* The claim whose block holds this one; NULL if none holds all of it. */
static struct claim *claim_of(struct zone *zone, const struct page *page, unsigned int order)
{
	for (u32 i = 0; i < MAX_CLAIMS; i++) {
		struct claim *claim = &zone->claim[i];

		if (order <= claim_word_order(claim->word) &&
		    overlap(claim->word, page_to_pfn(page), order))
			return claim;
	}
	return NULL;
}

/* --- Capturing ----------------------------------------------------------------------------- */

/* A block in no list and no count, all of it in the claim's. */
static void capture(struct zone *zone, struct claim *claim, struct page *page, unsigned int order)
{
	/* Relaxed: a zone next door that merges only asks whether it is FREE. */
	store_relaxed(&page->head, PAGE_HEAD(PAGE_CAPTURED, order));
	claim->nr_captured += (u64)1 << order;
	zone->nr_captured += (u64)1 << order;
	zone_count_locked(zone, CLAIM_CAPTURED_PAGES, (u64)1 << order);
}

/* The largest part of the block that begins at the page and is all of a claim, or of none. */
static unsigned int part_order(const struct zone *zone, const struct page *page, unsigned int order)
{
	while (order > 0) {
		bool aligned = IS_ALIGNED(page_to_pfn(page), (pfn_t)1 << order);

		if (aligned && (!claims_touch_slowly(zone, page, order) ||
				claim_of((struct zone *)(uintptr_t)zone, page, order)))
			break;
		order--;
	}
	return order;
}

void claims_give_locked(struct zone *zone, struct page *page, unsigned int order)
{
	struct page *end = page + ((u64)1 << order);

	while (page < end) {
		unsigned int part = part_order(zone, page, order);
		struct claim *claim = claim_of(zone, page, part);

		if (claim)
			capture(zone, claim, page, part);
		else
			buddy_give_locked(zone, page, part);
		page += (u64)1 << part;
	}
}

struct page *claims_filter_locked(struct zone *zone, struct page *stack, unsigned int order)
{
	struct page **link = &stack, *page = stack;

	while (page && page->head == PAGE_HEAD(PAGE_PCP, order)) {
		struct page *next = page->pcp_next;

		if (claims_touch(zone, page, order)) {
			/* Relaxed: a link in a struct page, which others may look at. */
			store_relaxed(link, next);
			claims_give_locked(zone, page, order);
		} else {
			link = &page->pcp_next;
		}
		page = next;
	}
	return stack;
}

/* --- Beginning ----------------------------------------------------------------------------- */

/* Can all of it ever be free in this zone? */
static bool is_managed(const struct zone *zone, pfn_t pfn, unsigned int order)
{
	u64 frames;

	if (pfn < zone->start_pfn ||
	    pfn + ((pfn_t)1 << order) > zone->start_pfn + zone->spanned_pages || !pfn_valid(pfn))
		return false;
	/* Struct pages come by units, and a block is in one. */
	for (u64 i = 0; i < (u64)1 << order; i += frames) {
		const struct page *page = pfn_to_page(pfn + i);
		u8 state = load_relaxed(&page->state); /* relaxed: as frames_at() */

		if (page_zone(page) != zone || state == PAGE_HOLE || state == PAGE_RESERVED)
			return false;
		frames = frames_at(page);
	}
	return true;
}

/* Takes a FREE block off its list; the parts of it that are claimed are captured. */
static void take_free(struct zone *zone, struct page *page)
{
	unsigned int order = page->order;

	lists_remove(&zone->free[pageblock_type(page)], page, order);
	add_free_pages(zone, -((s64)1 << order));
	claims_give_locked(zone, page, order);
}

/* What of the block is free: inside a larger block that is, or in pieces. */
static void take_all_free(struct zone *zone, struct page *first, unsigned int order)
{
	u64 frames;

	for (unsigned int above = order; above <= MAX_ORDER; above++) {
		struct page *head = (struct page *)((uintptr_t)first & ~(MAP_SPAN(above) - 1));

		if (load_relaxed(&head->block) ==
		    PAGE_BLOCK(PAGE_FREE, above, (u32)zone->type, (u32)zone->nid)) {
			take_free(zone, head);
			return;
		}
	}
	for (u64 i = 0; i < (u64)1 << order; i += frames) {
		struct page *page = first + i;

		frames = frames_at(page);
		if (load_relaxed(&page->state) == PAGE_FREE) /* relaxed: as frames_at() */
			take_free(zone, page);
	}
}

static int begin_locked(struct zone *zone, pfn_t pfn, unsigned int order,
			struct claim_ticket *ticket)
{
	struct page *page = pfn_to_page(pfn);
	struct claim *claim = zone->claim;

	if (!is_managed(zone, pfn, order))
		return -ENOENT;
	if (claims_touch(zone, page, order))
		return -EBUSY;
	while (claim < zone->claim + MAX_CLAIMS && claim->word)
		claim++;
	if (claim == zone->claim + MAX_CLAIMS)
		return -ENOSPC;
	claim->nr_captured = 0;
	claim->serial = ++zone->claim_serial;
	/* Relaxed: read without the lock by who frees; see the top for what orders it. */
	store_relaxed(&claim->word, claim_word(pfn, order));
	store_relaxed(&zone->nr_claims, zone->nr_claims + 1);
	zone_count_locked(zone, CLAIM_BEGUN, 1);
	*ticket = (struct claim_ticket){zone, (u32)(claim - zone->claim), claim->serial};
	take_all_free(zone, page, order);
	return 0;
}

int claim_begin(struct zone *zone, pfn_t pfn, unsigned int order, struct claim_ticket *ticket)
{
	unsigned long flags;
	int err;

	*ticket = (struct claim_ticket){0};
	if (order <= PCP_MAX_ORDER || order > MAX_ORDER || !IS_ALIGNED(pfn, (pfn_t)1 << order))
		return -EINVAL;
	flags = spin_lock_irqsave(&zone->lock);
	err = begin_locked(zone, pfn, order, ticket);
	spin_unlock_irqrestore(&zone->lock, flags);
	if (err == 0)
		pcp_claim_begun(zone);
	return err;
}

/* --- Ending -------------------------------------------------------------------------------- */

/*
 * Takes the zone's lock, and finds the claim that the ticket is for. A ticket that was never given, or has
 * been used, is a bug in who holds it: he would end somebody else's.
 */
static struct claim *lock_claim(const struct claim_ticket *ticket, const char *what,
				unsigned long *flags)
{
	struct zone *zone = ticket->zone;
	struct claim *claim;

	if (unlikely(!zone || ticket->slot >= MAX_CLAIMS))
		os_panic("a claim is %s that was never begun, or has ended", what);
	*flags = spin_lock_irqsave(&zone->lock);
	claim = &zone->claim[ticket->slot];
	if (likely(claim->word && claim->serial == ticket->serial))
		return claim;
	spin_unlock_irqrestore(&zone->lock, *flags);
	os_panic("claim %llu of node %d zone %s is %s, and has ended before",
		 (unsigned long long)ticket->serial, zone->nid, zone_type_name(zone->type), what);
}

/* The zone has no such claim any more; its pages are whose the caller says. */
static void forget_locked(struct zone *zone, struct claim *claim)
{
	zone->nr_captured -= claim->nr_captured;
	claim->nr_captured = 0;
	/* Relaxed: who still sees it comes to the lock, and looks again. */
	store_relaxed(&claim->word, 0);
	store_relaxed(&zone->nr_claims, zone->nr_claims - 1);
}

u64 claim_missing(const struct claim_ticket *ticket)
{
	unsigned long flags;
	const struct claim *claim = lock_claim(ticket, "asked about", &flags);
	u64 missing;

	missing = ((u64)1 << claim_word_order(claim->word)) - claim->nr_captured;
	spin_unlock_irqrestore(&ticket->zone->lock, flags);
	return missing;
}

/* All captured: one block, whose other heads are heads no more. */
static struct page *unite_locked(struct zone *zone, u64 word, enum block_type type)
{
	struct page *first = pfn_to_page(claim_word_pfn(word));
	unsigned int order = claim_word_order(word);

	/* Relaxed: as capture(). */
	for (u64 i = 0, frames; i < (u64)1 << order; i += frames) {
		frames = frames_at(first + i);
		store_relaxed(&first[i].state, PAGE_TAIL);
	}
	store_relaxed(&first->head, PAGE_HEAD(PAGE_ALLOCATED, order));
	first->list = PAGE_LIST(order, type);
	/* As for a request that finds them free: nobody else is in them. */
	if (order >= PAGEBLOCK_ORDER)
		pageblocks_convert_locked(zone, first, order, type & block_type_mask);
	zone_count_locked(zone, ZONE_ALLOC, 1);
	zone_count_locked(zone, ZONE_ALLOC_PAGES, (u64)1 << order);
	zone_count_locked(zone, CLAIM_COMPLETED, 1);
	return first;
}

struct page *claim_take(struct claim_ticket *ticket, enum block_type type)
{
	struct zone *zone = ticket->zone;
	struct page *page = NULL;
	struct claim *claim;
	unsigned long flags;
	u64 word;

	claim = lock_claim(ticket, "taken", &flags);
	word = claim->word;
	if (claim->nr_captured == (u64)1 << claim_word_order(word)) {
		forget_locked(zone, claim);
		page = unite_locked(zone, word, type);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	if (!page)
		return NULL;
	*ticket = (struct claim_ticket){0};
	pcp_claim_ended(zone);
	return page;
}

void claim_end(struct claim_ticket *ticket)
{
	struct zone *zone = ticket->zone;
	struct claim *claim;
	struct page *first;
	unsigned long flags;
	u64 word;

	claim = lock_claim(ticket, "ended", &flags);
	word = claim->word;
	first = pfn_to_page(claim_word_pfn(word));
	zone_count_locked(zone, CLAIM_RETURNED_PAGES, claim->nr_captured);
	forget_locked(zone, claim);
	for (u64 i = 0, frames; i < (u64)1 << claim_word_order(word); i += frames) {
		frames = frames_at(first + i);
		/* Relaxed: others' pages between them may change their state. */
		if (load_relaxed(&first[i].state) == PAGE_CAPTURED)
			buddy_give_locked(zone, first + i, first[i].order);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	*ticket = (struct claim_ticket){0};
	pcp_claim_ended(zone);
}

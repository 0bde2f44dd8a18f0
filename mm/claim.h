/*
 * Claims: blocks that somebody is gathering. See mm/claim.c for the theory.
 */
#ifndef MM_CLAIM_H
#define MM_CLAIM_H

#include "zone.h"

/* What a claimer holds. All zero: nothing. Its own; not to be copied and used twice. */
struct claim_ticket {
	struct zone *zone;
	u32 slot;
	u64 serial;
};

/*
 * Begins to gather the block of the order at the frame. What of it is free is the claim's at once, what
 * CPUs keep is drained, and what is freed from now on goes to it. Marks are not looked at: who claims
 * decides. Threads and interrupts that may drain_all_pages(); not under a zone's lock.
 *
 *   -EINVAL  order at most PCP_MAX_ORDER or above MAX_ORDER, frame not aligned to it
 *   -ENOENT  a frame of the block is not managed by this zone, and so will never be freed to it
 *   -EBUSY   a part of it is claimed
 *   -ENOSPC  the zone has MAX_CLAIMS already
 */
int claim_begin(struct zone *zone, pfn_t pfn, unsigned int order, struct claim_ticket *ticket);

/* Pages of the block that are still somebody's. Any context. */
u64 claim_missing(const struct claim_ticket *ticket);

/*
 * The whole block, ALLOCATED for that type, its marks clear, and the claim is ended; NULL if pages are
 * missing: it goes on. Contexts as claim_begin().
 */
struct page *claim_take(struct claim_ticket *ticket, enum block_type type);

/* Ends it and gives back what has come together. Contexts as claim_begin(). */
void claim_end(struct claim_ticket *ticket);

/* --- For the free path ---------------------------------------------------------------------- */

/* A claim's range as one word, so that it is read at once without the lock; 0: none. */
static inline u64 claim_word(pfn_t pfn, unsigned int order)
{
	return pfn << 8 | order;
}

static inline pfn_t claim_word_pfn(u64 word)
{
	return word >> 8;
}

static inline unsigned int claim_word_order(u64 word)
{
	return word & 0xff;
}

bool claims_touch_slowly(const struct zone *zone, const struct page *page, unsigned int order);

/*
 * Is any part of the block claimed? With the zone's lock: exactly so. Without: what is claimed is seen by
 * who owns a list of the zone after claim_begin() has drained it.
 */
static inline bool claims_touch(const struct zone *zone, const struct page *page,
				unsigned int order)
{
	/* Relaxed: the lock or the list's ownership orders it, as said. */
	return unlikely(load_relaxed(&zone->nr_claims)) && claims_touch_slowly(zone, page, order);
}

/* As buddy_give_locked(), of a block that claims touch: their parts go to them. */
void claims_give_locked(struct zone *zone, struct page *page, unsigned int order);
/*
 * Of a stack of PCP blocks, those that claims touch go to them; returns the stack of the others. It
 * ends at the first that is not what it should be, which stays on it.
 */
struct page *claims_filter_locked(struct zone *zone, struct page *stack, unsigned int order);

#endif

/*
 * When a request gives up: whether another round of reclaim is worth it, and whether somebody may be brought to his
 * end for it. The rules are here and nowhere else; mm/alloc_slow.c asks them between its steps, which say what is
 * done. Nothing here changes anything but the request's own account of its rounds.
 *
 * Who gives up when: without __GFP_DIRECT_RECLAIM, or where one cannot sleep, or while freeing memory
 * oneself: after DRAIN. With __GFP_NORETRY: after one round of RECLAIM. A costly order (above 3) without
 * __GFP_RETRY_MAYFAIL: the same. Others go on
 *
 *	- while something is freed, or it could be enough: some zone would be above its mark if all that is
 *	  reclaimable were free, or a cache could not be asked just now,
 *	- until MAX_FRUITLESS_ROUNDS on end have freed nothing, with a pause after each; for costly orders
 *	  until so many in all, since pages say little of blocks,
 *	- until MAX_RECLAIM_ROUNDS: others have taken each time what this one has freed.
 *
 * __GFP_RETRY_MAYFAIL, __GFP_THISNODE, costly orders and the low classes never come to OOM.
 *
 * No locks. All that is read of zones and lists are hints.
 *
 * Source: Linux mm/page_alloc.c, should_reclaim_retry() and __alloc_pages_may_oom(), for what is asked.
 */
#include "alloc_retry.h"

#include "lru.h"
#include "reclaim.h"
#include "watermark.h"

#define MAX_RECLAIM_ROUNDS 128

/*
 * Would there be enough in a zone if all that is reclaimable were free? What others have isolated at this moment will
 * be free, or back.
 */
static bool could_be_enough(const struct alloc_context *ac)
{
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		const struct zone *zone = ac->zonelist->ref[i].zone;
		struct watermark_check check;
		u64 pages;

		if (zone->type > ac->request_class || !permit_allows(&ac->permit, zone->nid))
			continue;
		pages = lru_evictable_of_zone(zone);
		if (pages == 0)
			continue;
		/* Relaxed: old or new, either will do. */
		zone_watermark_check(zone, ac->order, load_relaxed(&zone->watermark[WMARK_MIN]),
				     ac->request_class, ac->alloc_flags, pages, &check);
		if (check.pages_ok)
			return true;
	}
	return false;
}

bool may_go_lower_now(const struct alloc_context *ac)
{
	return gfp_alloc_flags(ac->gfp) & ~ac->alloc_flags & ALLOC_OOM;
}

bool worth_another_round(const struct alloc_context *ac, u64 progress, struct retries *retries)
{
	bool costly = ac->order > PAGE_ALLOC_COSTLY_ORDER;

	retries->rounds++;
	/* Chosen to end meanwhile: the request is to be built anew, with what it may now. */
	if (may_go_lower_now(ac))
		return false;
	if ((ac->gfp & __GFP_NORETRY) || (costly && !(ac->gfp & __GFP_RETRY_MAYFAIL)))
		return false;
	/* Pages say little of blocks: for large ones progress is no reason to hope for ever. */
	if (progress > 0 && !costly)
		retries->fruitless = 0;
	else
		retries->fruitless++;
	return retries->fruitless < MAX_FRUITLESS_ROUNDS && retries->rounds < MAX_RECLAIM_ROUNDS &&
	       (progress > 0 || retries->passed_by || could_be_enough(ac));
}

bool may_reclaim(const struct alloc_context *ac)
{
	return ac->may_block && !(os_current()->flags & PF_MEMALLOC);
}

/*
 * Is what was true when the request was built no longer so? Its cpuset has moved, or it has been chosen to end: then
 * it looks first with what it may now. What must not fail has no such turn to lose.
 */
static bool is_to_be_built_anew(const struct alloc_context *ac)
{
	return may_go_lower_now(ac) || (permit_is_stale(&ac->permit) && !(ac->gfp & __GFP_NOFAIL));
}

/*
 * What a victim gives back lies anywhere: who wants a page of the low zones would bring one after the other to his
 * end, and have none of it.
 */
bool may_oom(const struct alloc_context *ac)
{
	return may_reclaim(ac) && !is_to_be_built_anew(ac) &&
	       ac->order <= PAGE_ALLOC_COSTLY_ORDER && ac->request_class == ZONE_NORMAL &&
	       !(ac->gfp & (__GFP_NORETRY | __GFP_RETRY_MAYFAIL | __GFP_THISNODE));
}

/*
 * Who may write nothing itself cannot know that there is nothing: what lies on the lists is there for kswapd, and for
 * requests that may. They are given as many rounds as there are; nobody is brought to his end meanwhile.
 */
bool others_may_free_it(const struct alloc_context *ac)
{
	return !(ac->gfp & __GFP_IO) && could_be_enough(ac);
}

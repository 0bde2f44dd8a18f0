/*
 * The request, beyond the hit path: what it may do, where it looks, and what it does when there is
 * little left.
 *
 *	context   built once (mm/alloc_context.c)
 *	FAST      each zone against its low mark            this is where nearly all of them end
 *	 - - - - - - - - - - - - - - - - - - - - - - - - - the slow path begins
 *	WAKE_KSWAPD   somebody else shall make room meanwhile
 *	MIN           each zone against its min mark, less what the request may use of it
 *	NO_MARKS      entitled requests: every page there is. Such a page is marked
 *	 - - - - - - - - - - - - - - - - - - - - - - - - - from here on only who may block
 *	RECLAIM       free something oneself, and look again        bounded by MAX_RECLAIM_ROUNDS
 *	DRAIN         what CPUs have put aside of the zones it may use goes back, and look again (all do)
 *	OOM           somebody must end
 *	GIVE_UP       or, with __GFP_NOFAIL, again from MIN         bounded by MAX_NOFAIL_ROUNDS
 *
 * Who gives up when: without __GFP_DIRECT_RECLAIM, or where one cannot sleep, or while freeing memory
 * oneself: after DRAIN. With __GFP_NORETRY: after one round. A costly order (above 3) without
 * __GFP_RETRY_MAYFAIL: the same. Else as long as reclaim makes progress. __GFP_RETRY_MAYFAIL and costly
 * orders never come to OOM.
 *
 * There is no reclaim and no OOM yet: RECLAIM frees nothing, which counts as a round without progress,
 * and OOM finds nobody. Their places are here, and what depends on them (bounds, give-up rules) is.
 *
 * A failure is final only if the cpuset stood still: see mm/mempolicy.c. The context is built anew
 * then, as what was const was true of the old one.
 *
 * A rehearsal (ac->recorder, for `explain`) goes the same way through the same functions, takes nothing
 * and counts nothing.
 *
 * Source: Linux mm/page_alloc.c, __alloc_pages_slowpath(), for the order of steps and the names.
 */
#include "alloc_context.h"

#include <base/errno.h>
#include <mm/os.h>
#include <mm/trace.h>

#include "alloc_report.h"
#include "pcp.h"
#include "vmstat.h"
#include "watermark.h"

#define PAGE_ALLOC_COSTLY_ORDER 3
#define MAX_RECLAIM_ROUNDS      16
#define MAX_CPUSET_ROUNDS       16
#define MAX_NOFAIL_ROUNDS       16
/* Between two rounds of a request that must not fail: others may free something. */
#define NOFAIL_PAUSE_NS 10000000ull

/* --- Looking and taking -------------------------------------------------------------------------- */

/* Takes a block from this zone, marks or not; NULL if it has none that large. */
static struct page *take_from_zone(const struct alloc_context *ac, struct zone *zone,
				   const struct zone *preferred)
{
	struct page *page = NULL;

	/* The lists count only what is plain; an interleaved page shall be seen where it went. */
	if (ac->order <= PCP_MAX_ORDER && !ac->permit.by_policy)
		page = pcp_alloc(zone, ac->order, ac->block_type, ac->request_class,
				 zone->nid != preferred->nid);
	if (page)
		return page;
	page = zone_take(zone, ac->order, ac->block_type, preferred->nid);
	if (page && ac->permit.by_policy && zone->nid == preferred->nid)
		zone_count_atomic(zone, NUMA_INTERLEAVE_HIT);
	return page;
}

/* May this request have a block of this zone now? With a recorder, also why not. */
static enum zone_verdict judge(const struct alloc_context *ac, const struct zone *zone,
			       enum zone_watermark mark, u32 alloc_flags)
{
	u64 pages = load_relaxed(&zone->watermark[mark]); /* relaxed: old or new, either will do */
	enum zone_verdict verdict;

	if (zone->type > ac->request_class)
		verdict = VERDICT_CLASS;
	else if (!permit_allows(&ac->permit, zone->nid))
		verdict = VERDICT_POLICY;
	else if (alloc_flags & ALLOC_NO_WATERMARKS)
		verdict = VERDICT_TAKE;
	else if (zone_watermark_ok(zone, ac->order, pages, ac->request_class, alloc_flags))
		verdict = VERDICT_TAKE;
	else
		verdict = VERDICT_MARK;
	return unlikely(ac->recorder) ? rehearse_zone(ac, zone, mark, alloc_flags, verdict)
				      : verdict;
}

/*
 * A page that was taken without marks is one of the reserve if the request's own class would not have
 * got it; who takes it is told by the mark, and must not give it to others.
 */
static void mark_reserve(struct page *page)
{
	page_set_mark(page, PAGE_MARK_RESERVE);
	zone_count_atomic(page_zone(page), ZONE_RESERVE_TAKEN);
}

struct page *alloc_walk(const struct alloc_context *ac, enum zone_watermark mark, u32 alloc_flags)
{
	struct zone *preferred = NULL;

	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		struct zone *zone = ac->zonelist->ref[i].zone;
		enum zone_verdict verdict = judge(ac, zone, mark, alloc_flags);
		struct page *page;
		bool own_ok = true;

		/* The first zone that the request may use at all is preferred. */
		if (!preferred && verdict != VERDICT_CLASS && verdict != VERDICT_POLICY)
			preferred = zone;
		if (verdict == VERDICT_MARK && !ac->recorder)
			zone_count_atomic(zone, ZONE_WMARK_FAILED);
		if (verdict != VERDICT_TAKE)
			continue;
		if (ac->recorder)
			return REHEARSED_PAGE;
		if (alloc_flags & ALLOC_NO_WATERMARKS)
			own_ok = zone_watermark_ok(zone, ac->order,
						   load_relaxed(&zone->watermark[WMARK_MIN]),
						   ac->request_class, ac->alloc_flags);
		page = take_from_zone(ac, zone, preferred);
		if (!page)
			continue;
		if (unlikely(!own_ok))
			mark_reserve(page);
		if (zone->nid != preferred->nid)
			zone_count_atomic(preferred, NUMA_FOREIGN);
		return page;
	}
	return NULL;
}

/* --- The steps ----------------------------------------------------------------------------------- */

/* Under which a step of the slow path is counted. Reclaim, as in Linux, by the class of the request. */
static enum vmstat_item step_item(const struct alloc_context *ac, enum alloc_step step)
{
	static const enum vmstat_item items[NR_ALLOC_STEPS] = {
		[STEP_WAKE_KSWAPD] = VMSTAT_ALLOC_WAKE_KSWAPD,
		[STEP_MIN] = VMSTAT_ALLOC_MIN,
		[STEP_NO_MARKS] = VMSTAT_ALLOC_NO_MARKS,
		[STEP_AFTER_RECLAIM] = VMSTAT_ALLOC_AFTER_RECLAIM,
		[STEP_DRAIN] = VMSTAT_ALLOC_DRAIN,
		[STEP_AFTER_DRAIN] = VMSTAT_ALLOC_AFTER_DRAIN,
		[STEP_OOM] = VMSTAT_ALLOC_OOM,
		[STEP_GIVE_UP] = VMSTAT_ALLOC_GIVE_UP,
	};

	return step == STEP_RECLAIM ? vmstat_allocstall(ac->request_class) : items[step];
}

static void begin_step(const struct alloc_context *ac, enum alloc_step step)
{
	if (ac->recorder)
		rehearse_step(ac->recorder, step);
	else
		vmstat_count(step_item(ac, step));
}

/* Without what lies beyond a mark's reach: the marks first, then, for the entitled, none. */
static struct page *look_below(const struct alloc_context *ac, enum alloc_step step)
{
	struct page *page;

	begin_step(ac, step);
	page = alloc_walk(ac, WMARK_MIN, ac->alloc_flags);
	if (page || !ac->permit.entitled)
		return page;
	begin_step(ac, STEP_NO_MARKS);
	return alloc_walk(ac, WMARK_MIN, ALLOC_NO_WATERMARKS);
}

/* Pages freed. There is nothing yet that could be: pages that nobody needs come with the page cache. */
static u64 reclaim(const struct alloc_context *ac)
{
	begin_step(ac, STEP_RECLAIM);
	return 0;
}

/* Whether it is worth another round after one that freed so much. */
static bool go_on(const struct alloc_context *ac, u64 progress, u32 round)
{
	if (ac->gfp & __GFP_NORETRY)
		return false;
	if (ac->order > PAGE_ALLOC_COSTLY_ORDER && !(ac->gfp & __GFP_RETRY_MAYFAIL))
		return false;
	return progress > 0 && round < MAX_RECLAIM_ROUNDS;
}

/* Who frees memory itself must not be sent to free memory: there would be no end to it. */
static bool may_reclaim(const struct alloc_context *ac)
{
	return ac->may_block && !(os_current()->flags & PF_MEMALLOC);
}

static struct page *reclaim_and_look(const struct alloc_context *ac)
{
	struct page *page = NULL;
	u64 progress;

	for (u32 round = 1; !page; round++) {
		progress = reclaim(ac);
		if (progress > 0)
			page = look_below(ac, STEP_AFTER_RECLAIM);
		if (page || !go_on(ac, progress, round))
			break;
	}
	return page;
}

/* Of the zones that the request may use: each has lists of every CPU, and others would not help. */
static void drain_permitted(const struct alloc_context *ac)
{
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		struct zone *zone = ac->zonelist->ref[i].zone;

		if (zone->type <= ac->request_class && permit_allows(&ac->permit, zone->nid))
			drain_zone_pages(zone);
	}
}

/* Looks also if nothing was put aside: another request may have drained it all a moment ago. */
static struct page *drain_and_look(const struct alloc_context *ac)
{
	begin_step(ac, STEP_DRAIN);
	if (ac->recorder)
		rehearse_drain(ac->recorder);
	else
		drain_permitted(ac);
	return look_below(ac, STEP_AFTER_DRAIN);
}

static bool may_oom(const struct alloc_context *ac)
{
	return may_reclaim(ac) && ac->order <= PAGE_ALLOC_COSTLY_ORDER &&
	       !(ac->gfp & (__GFP_NORETRY | __GFP_RETRY_MAYFAIL | __GFP_THISNODE));
}

/* Somebody has ended, and gives back what he had. There is nobody yet to ask. */
static bool oom(const struct alloc_context *ac)
{
	begin_step(ac, STEP_OOM);
	return false;
}

struct page *alloc_slowly(const struct alloc_context *ac)
{
	struct page *page;

	if (ac->gfp & __GFP_KSWAPD_RECLAIM)
		begin_step(ac, STEP_WAKE_KSWAPD);
	page = look_below(ac, STEP_MIN);
	if (!page && may_reclaim(ac))
		page = reclaim_and_look(ac);
	if (!page)
		page = drain_and_look(ac);
	if (!page && may_oom(ac) && oom(ac))
		page = look_below(ac, STEP_MIN);
	return page;
}

/* --- The end ------------------------------------------------------------------------------------- */

static __noinline void give_up(const struct alloc_context *ac, uintptr_t call_site)
{
	begin_step(ac, STEP_GIVE_UP);
	trace(TRACE_PAGE_ALLOC_FAILED, .call_site = call_site, .gfp = ac->gfp,
	      .nid = (u16)ac->permit.preferred_nid, .order = (u8)ac->order,
	      .zone = (u8)ac->request_class);
	if (!(ac->gfp & __GFP_NOWARN))
		report_alloc_failure(ac, call_site);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* Others may free something meanwhile, if this one may let them. */
static void pause_a_moment(const struct alloc_context *ac)
{
	struct os_wait_queue nobody;

	if (!ac->may_block)
		return;
	os_wait_queue_init(&nobody, "page request");
	os_wait(&nobody, never, NULL, NOFAIL_PAUSE_NS);
}

/* If the cpuset has changed, what was true of the old one is no answer. */
static bool begin_anew(struct alloc_context *ac, int nid, const struct mempolicy *policy)
{
	if (!permit_is_stale(&ac->permit))
		return false;
	vmstat_count(VMSTAT_ALLOC_MEMS_MOVED);
	alloc_context_find_place(ac, nid, policy);
	return true;
}

/* There is nothing the caller could do without it: as often as may help, and then the truth. */
static struct page *alloc_without_fail(struct alloc_context *ac, int nid,
				       const struct mempolicy *policy, uintptr_t call_site)
{
	char caller[OS_CALLER_BYTES];

	for (u32 round = 1; round < MAX_NOFAIL_ROUNDS; round++) {
		struct page *page;

		pause_a_moment(ac);
		begin_anew(ac, nid, policy);
		page = alloc_slowly(ac);
		if (page)
			return page;
	}
	give_up(ac, call_site);
	os_describe_caller(call_site, caller, sizeof(caller));
	os_panic("no memory for a request that must not fail: order %u, from node %d, by %s",
		 ac->order, ac->permit.preferred_nid, caller);
}

struct page *alloc_by_context(struct alloc_context *ac, int nid, const struct mempolicy *policy,
			      uintptr_t call_site)
{
	struct page *page = NULL;

	for (u32 round = 0; round < MAX_CPUSET_ROUNDS; round++) {
		page = alloc_walk(ac, WMARK_LOW, 0);
		if (likely(page))
			return page;
		page = alloc_slowly(ac);
		if (page || !begin_anew(ac, nid, policy))
			break;
	}
	if (!page && (ac->gfp & __GFP_NOFAIL))
		return alloc_without_fail(ac, nid, policy, call_site);
	if (!page)
		give_up(ac, call_site);
	return page;
}

/*
 * The request, beyond the hit path: what it may do, where it looks, and what it does when there is
 * little left.
 *
 *	context   built once (mm/alloc_context.c)
 *	FAST      each zone against its low mark            this is where nearly all of them end
 *	 - - - - - - - - - - - - - - - - - - - - - - - - - the slow path begins
 *	WAKE_KSWAPD   of each node that is below its low marks: it makes room meanwhile
 *	MIN           each zone against its min mark, less what the request may use of it
 *	NO_MARKS      entitled requests: every page there is. Such a page is marked
 *	 - - - - - - - - - - - - - - - - - - - - - - - - - from here on only who may block
 *	RECLAIM       waits for kswapd if half of the reserve is gone; frees something itself; looks again
 *	DRAIN         what CPUs have put aside of the zones it may use goes back, and look again (all do)
 *	OOM           somebody must end; then again from MIN        bounded by MAX_OOM_ROUNDS, where it
 *	              only waited by MAX_OOM_WAITS, of a second each at most
 *	GIVE_UP       or, with __GFP_NOFAIL, again from MIN         bounded by MAX_NOFAIL_ROUNDS
 *
 * Who gives up when stands in mm/alloc_retry.c.
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
#include "alloc_retry.h"
#include "lru.h"
#include "oom.h"
#include "pcp.h"
#include "reclaim.h"
#include "vmstat.h"
#include "watermark.h"

#define MAX_CPUSET_ROUNDS 16
#define MAX_NOFAIL_ROUNDS 16
#define MAX_OOM_ROUNDS    16
#define MAX_OOM_WAITS     1024
/* Between two rounds that have freed nothing: others may free something. */
#define PAUSE_NS 10000000ull

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

/* What it frees comes too late for this request, and in time for those that follow. */
static void wake_kswapds(const struct alloc_context *ac)
{
	begin_step(ac, STEP_WAKE_KSWAPD);
	if (!ac->recorder)
		wake_all_kswapds(ac->zonelist, &ac->permit, ac->order, ac->request_class);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* Others may free something meanwhile. */
static void pause_a_moment(void)
{
	struct os_wait_queue nobody;

	os_wait_queue_init(&nobody, "page request");
	os_wait(&nobody, never, NULL, PAUSE_NS);
}

/* How many pages a rehearsal can say that reclaim would find. */
static u64 reclaimable_pages(const struct alloc_context *ac)
{
	u64 pages = 0;
	int nid;

	for_each_node_mask(nid, ac->permit.nodes & node_memory_mask())
		pages += lru_reclaimable_pages(nid, ac->request_class);
	return pages;
}

/*
 * Frees something, in the caller's own time. Pages freed, and objects; *passed_by: see direct_reclaim(). What it
 * asks for meanwhile is not sent here again.
 */
static u64 reclaim(const struct alloc_context *ac, bool *passed_by)
{
	const struct reclaim_request request = {
		.who = RECLAIM_DIRECT,
		.request_class = ac->request_class,
		.order = ac->order,
		.nr_to_reclaim = MAX((u64)RECLAIM_BATCH_PAGES, (u64)1 << ac->order),
		.scope = {.may_write = ac->gfp & __GFP_IO},
		.may_block = ac->may_block,
		.zonelist = ac->zonelist,
		.permit = &ac->permit,
	};
	u64 freed;
	u32 saved;

	begin_step(ac, STEP_RECLAIM);
	throttle_direct_reclaim(ac->zonelist, &ac->permit, ac->request_class);
	saved = memalloc_noreclaim_save();
	freed = direct_reclaim(&request, passed_by);
	memalloc_noreclaim_restore(saved);
	return freed;
}

/* What reclaim would free is known to nobody before: if there is something, the rehearsal ends here. */
static struct page *rehearse_reclaim(const struct alloc_context *ac)
{
	u64 pages = reclaimable_pages(ac);

	ac->recorder->out->reclaimable_pages = pages;
	begin_step(ac, STEP_RECLAIM);
	return pages ? REHEARSED_PAGE : NULL;
}

static struct page *reclaim_and_look(const struct alloc_context *ac)
{
	struct retries retries = {0};

	if (ac->recorder)
		return rehearse_reclaim(ac);
	for (;;) {
		u64 progress = reclaim(ac, &retries.passed_by);
		struct page *page = NULL;

		/* Others may have freed something, too. */
		if (progress > 0 || retries.rounds > 0)
			page = look_below(ac, STEP_AFTER_RECLAIM);
		if (page || !worth_another_round(ac, progress, &retries))
			return page;
		if (progress == 0)
			pause_a_moment();
	}
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

/* Somebody has ended, or is about to: worth another look. */
static bool oom(const struct alloc_context *ac, uintptr_t call_site, struct oom_rounds *so_far)
{
	enum oom_outcome outcome;

	if (so_far->rounds == MAX_OOM_ROUNDS || so_far->waits == MAX_OOM_WAITS || !may_oom(ac))
		return false;
	if (others_may_free_it(ac)) {
		so_far->rounds++;
		return true;
	}
	begin_step(ac, STEP_OOM);
	outcome = ac->recorder ? OOM_NOBODY : out_of_memory(ac, call_site);
	if (outcome == OOM_WAITED)
		so_far->waits++;
	else
		so_far->rounds++;
	return outcome != OOM_NOBODY;
}

struct page *alloc_slowly(const struct alloc_context *ac, uintptr_t call_site)
{
	struct oom_rounds so_far = {0};
	struct page *page;

	if (ac->gfp & __GFP_KSWAPD_RECLAIM)
		wake_kswapds(ac);
	page = look_below(ac, STEP_MIN);
	while (!page) {
		if (may_reclaim(ac))
			page = reclaim_and_look(ac);
		if (!page)
			page = drain_and_look(ac);
		if (page || !oom(ac, call_site, &so_far))
			break;
		page = look_below(ac, STEP_MIN);
	}
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

/*
 * If the cpuset has changed, what was true of the old one is no answer. Nor is what was true before this very
 * task was chosen to end: it may go lower now.
 */
static bool begin_anew(struct alloc_context *ac, int nid, const struct mempolicy *policy)
{
	bool stale = permit_is_stale(&ac->permit);

	if (!stale && !may_go_lower_now(ac))
		return false;
	if (stale)
		vmstat_count(VMSTAT_ALLOC_MEMS_MOVED);
	ac->alloc_flags = gfp_alloc_flags(ac->gfp);
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

		if (ac->may_block)
			pause_a_moment();
		begin_anew(ac, nid, policy);
		page = alloc_slowly(ac, call_site);
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
		page = alloc_slowly(ac, call_site);
		if (page || !begin_anew(ac, nid, policy))
			break;
	}
	if (!page && (ac->gfp & __GFP_NOFAIL))
		return alloc_without_fail(ac, nid, policy, call_site);
	if (!page)
		give_up(ac, call_site);
	return page;
}

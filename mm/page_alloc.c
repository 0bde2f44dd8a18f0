/*
 * The request for pages: from a caller's words to a block. The way back is mm/page_free.c.
 *
 *	alloc_pages_node(nid, gfp, order)
 *	    |
 *	hit path    a small block, the first zone above its low mark, this CPU's lists have one
 *	    |  no
 *	    v
 *	plain       the same zone and mark, but any order, or a list that must be filled first
 *	    |  no: then build the context: who may take where, how far down
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
 * Everything a caller can get wrong is caught before anything is changed, and named.
 *
 * Lock: one zone's at a time, with interrupts off; before it, this CPU's ownership of its own lists
 * (mm/pcp.c). Nothing is printed under either.
 */
#include "alloc_context.h"

#include <base/string.h>
#include <mm/os.h>
#include <mm/trace.h>

#include "block_type.h"
#include "fault_inject.h"
#include "pcp.h"
#include "vmstat.h"

/* --- Taking -------------------------------------------------------------------------------- */

/* Out of line, so that the caller pays one look at trace_enabled. */
static __noinline void trace_alloc(const struct page *page, unsigned int order, gfp_t gfp,
				   uintptr_t call_site)
{
	trace(TRACE_PAGE_ALLOC, .id = page_to_pfn(page), .call_site = call_site, .gfp = gfp,
	      .nid = page->nid, .order = (u8)order, .zone = page->zone);
}

static __noinline void report_bad_request(const char *wrong, int nid, gfp_t gfp, unsigned int order,
					  uintptr_t call_site)
{
	char caller[OS_CALLER_BYTES];

	vmstat_count(VMSTAT_ALLOC_REFUSED);
	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_ERR, "mm", "bad request: %s (node %d, gfp 0x%x, order %u, by %s)", wrong, nid,
	       gfp, order, caller);
}

/*
 * The hit path: what nearly every request takes. No lock, interrupts stay on. NULL decides nothing:
 * the request then goes its whole way. fast_mark is the low mark of an ordinary request, with room
 * for the largest block that comes this way; the count of free pages is a hint here as there.
 */
static __always_inline enum hit_verdict hit_zone(int nid, gfp_t gfp, unsigned int order,
						 struct zone **zone)
{
	if (unlikely(order > PCP_MAX_ORDER || (u32)nid >= MAX_NUMNODES))
		return HIT_NOT_ASKED;
	if (unlikely(!this_task_may_hit(gfp)))
		return gfp < GFP_HIT_END ? HIT_LIMITED : HIT_NOT_ASKED;
	*zone = first_zone[nid];
	/* Relaxed: hints, as said above. */
	if (unlikely(load_relaxed(&(*zone)->nr_free_pages) <= load_relaxed(&(*zone)->fast_mark)))
		return HIT_MARK;
	return HIT_TAKE;
}

static __always_inline struct page *alloc_hit(int nid, gfp_t gfp, unsigned int order)
{
	u32 index = pcp_index(order, gfp);
	struct zone *zone;

	if (unlikely(hit_zone(nid, gfp, order, &zone) != HIT_TAKE))
		return NULL;
	return pcp_alloc_hit(zone, index);
}

/* A request's whole way. `policy` NULL: the task's. */
static __noinline struct page *alloc_whole_way(int nid, gfp_t gfp, unsigned int order,
					       const struct mempolicy *policy, uintptr_t call_site)
{
	const char *fault = alloc_request_fault(nid, gfp, order, policy);
	struct alloc_context ac;
	struct page *page;

	if (unlikely(fault)) {
		report_bad_request(fault, nid, gfp, order, call_site);
		return NULL;
	}
	if (fault_injected(gfp, order, call_site))
		return NULL;
	alloc_context_build(&ac, nid, gfp, order, policy);
	page = alloc_by_context(&ac, nid, policy, call_site);
	if (unlikely(!page))
		return NULL;
	if (unlikely(load_relaxed(&trace_enabled)))
		trace_alloc(page, order, gfp, call_site);
	if (gfp & __GFP_ZERO)
		memset(page_address(page), 0, PAGE_SIZE << order);
	return page;
}

/*
 * What the hit path would serve, but for the order or an empty list, is served by the same zone's lists
 * under its lock: nobody has to say again who asks, and for what. As there NULL decides nothing, and
 * while hit paths are closed it is the answer.
 */
static inline struct page *alloc_plain(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page = NULL;
	struct zone *zone;
	u64 free, mark;

	if (order > MAX_ORDER || !this_task_may_hit(gfp))
		return NULL;
	if (nid == NUMA_NO_NODE)
		nid = cpu_to_node(
			smp_processor_id()); /* there is no policy, or it would be limited */
	if ((u32)nid >= MAX_NUMNODES)
		return NULL;
	zone = first_zone[nid];
	/* Relaxed: hints, as in hit_zone(). What is asked for comes off before the mark is looked at. */
	free = load_relaxed(&zone->nr_free_pages);
	mark = load_relaxed(&zone->fast_mark);
	if (free <= mark || free - mark <= (u64)1 << order)
		return NULL;
	if (order <= PCP_MAX_ORDER)
		page = pcp_alloc(zone, order, gfp_block_type(gfp), ZONE_NORMAL, false);
	return page ? page : zone_take(zone, order, gfp_block_type(gfp), zone->nid);
}

/* A request that the hit path has not served. */
static __noinline struct page *alloc_block(int nid, gfp_t gfp, unsigned int order,
					   uintptr_t call_site)
{
	struct page *page = alloc_plain(nid, gfp, order);

	return likely(page) ? page : alloc_whole_way(nid, gfp, order, NULL, call_site);
}

enum hit_verdict alloc_hit_verdict(int nid, gfp_t gfp, unsigned int order, struct zone **zone)
{
	enum hit_verdict verdict = hit_zone(nid, gfp, order, zone);

	if (verdict == HIT_TAKE && !pcp_has_block(*zone, order, gfp_block_type(gfp)))
		return HIT_EMPTY;
	return verdict;
}

/* cpu_to_node() without a question: a CPU that runs has a number. */
static __always_inline int this_node(void)
{
	return numa_cpu_node[smp_processor_id()];
}

/* Who asked is looked up where it is needed: a hit then needs no stack frame. */
struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_hit(nid, gfp, order);

	return likely(page) ? page : alloc_block(nid, gfp, order, os_call_site());
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_hit(this_node(), gfp, order);

	return likely(page) ? page : alloc_block(NUMA_NO_NODE, gfp, order, os_call_site());
}

struct page *alloc_pages_policy(const struct mempolicy *policy, gfp_t gfp, unsigned int order)
{
	return alloc_whole_way(NUMA_NO_NODE, gfp, order, policy, os_call_site());
}

void *get_free_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_hit(this_node(), gfp, order);

	if (unlikely(!page))
		page = alloc_block(NUMA_NO_NODE, gfp, order, os_call_site());
	return page ? page_address(page) : NULL;
}

/*
 * A request that no stack has served: from there to an object or NULL, in the documented order.
 *
 *	plain       nothing special about it: its home's stack is filled, and serves it
 *	 - - - - -  else the request is built: who may have memory where (struct slab_request)
 *	STACK       the preferred node: what this CPU has of it
 *	LISTS       what is shared there, its partial slabs, its free ones
 *	GROW        a new slab from that node's memory, without reclaim
 *	            __GFP_THISNODE ends here, and reclaims, if it may; with __GFP_NOFAIL by an object or a panic
 *	FALLBACK    another node, by the installed policy: mm/slab_fallback.c
 *	            the cpuset has moved meanwhile: all again, at most MAX_CPUSET_ROUNDS
 *
 * Where somebody looks over the shoulder (debugging, tracing, injection: the stacks are closed) every request comes
 * this way, takes one object from the lists, and is reported.
 *
 * Lock: a node's, with interrupts off; no page is asked for under it. A page is asked for with interrupts as the caller
 * has them, so a request that may block sleeps only where it may.
 */
#include "slab_request.h"

#include <base/atomic.h>
#include <base/string.h>
#include <mm/os.h>
#include <mm/trace.h>

#include "fault_inject.h"
#include "rate_limit.h"
#include "vmstat.h"

#define MAX_CPUSET_ROUNDS 16

/* --- Of one home -------------------------------------------------------------------------------------- */

/* From this CPU's stack of the home, filled if need be; NULL: it has none, or the home has nothing. Interrupts off. */
static void *take_by_stack(struct kmem_cache_node *home)
{
	struct cpu_stack *stack = home->stack[smp_processor_id()];

	if (stack->nr == 0 && (stack->limit == 0 || slab_stack_refill(home, stack) == 0))
		return NULL;
	slab_hint_u32(&stack->nr, stack->nr - 1);
	return stack->entry[stack->nr];
}

void *slab_take_from_home(struct kmem_cache_node *home)
{
	unsigned long flags = irq_save();
	void *object = take_by_stack(home);

	if (!object && home->stack[smp_processor_id()]->limit == 0) {
		spin_lock(&home->lock);
		slab_node_take_locked(home, &object, 1, 1);
		spin_unlock(&home->lock);
	}
	irq_restore(flags);
	return object;
}

void *slab_publish(struct kmem_cache_node *home, struct page *slab)
{
	unsigned long flags = irq_save();
	struct cpu_stack *stack = home->stack[smp_processor_id()];
	void *object = NULL;

	spin_lock(&home->lock);
	/* The maker's first: it has paid for it, and nobody can come before. */
	slab_node_add_locked(home, slab, &object, 1);
	if (stack->nr == 0 && stack->limit > 0) {
		u32 want = MIN(stack->batch, stack->limit);

		slab_stack_moved(stack, slab_node_take_locked(home, stack->entry, want, want));
	}
	spin_unlock(&home->lock);
	irq_restore(flags);
	return object;
}

/* --- The preferred node ------------------------------------------------------------------------------- */

void *slab_grow_on(struct kmem_cache *cache, int nid, gfp_t gfp)
{
	struct page *slab = slab_grow(cache, nid, gfp);

	return slab ? slab_publish(cache->node[slab->nid], slab) : NULL;
}

/*
 * Of a forbidden node there is no object to be had. Who must not fail, and wants it of that node alone, asks for a
 * page all the same: what becomes of that, as of a node without memory, the page allocator alone says. It waits, in
 * case the cpuset moves, and then panics.
 */
static void *alloc_near(const struct slab_request *request)
{
	int nid = request->permit.preferred_nid;
	gfp_t gfp = request->gfp;
	bool is_permitted = permit_allows(&request->permit, nid);
	void *object = is_permitted ? slab_take_from_home(request->cache->node[nid]) : NULL;

	if (object)
		return object;
	if (!is_permitted && ~gfp & (__GFP_THISNODE | __GFP_NOFAIL))
		return NULL;
	return slab_grow_on(request->cache, nid, gfp & __GFP_THISNODE ? gfp : slab_near_gfp(gfp));
}

/* --- The whole way ------------------------------------------------------------------------------------ */

/* What the caller has got wrong, or NULL. */
static const char *request_fault(const struct kmem_cache *cache, gfp_t gfp, int nid)
{
	if (nid != NUMA_NO_NODE && ((u32)nid >= MAX_NUMNODES || cache->node[nid] == &slab_no_home))
		return "no such node";
	if (gfp & ~__GFP_ALL)
		return "unknown gfp flags";
	if (gfp & (__GFP_DMA | __GFP_DMA32) & ~cache->zone_gfp)
		return "the cache has no memory of that zone";
	if ((gfp & __GFP_ZERO) && cache->ctor)
		return "__GFP_ZERO would undo the constructor";
	return gfp_contradiction(gfp, cache->order);
}

static __noinline void report_bad_request(const char *wrong, const struct kmem_cache *cache,
					  gfp_t gfp, int nid, uintptr_t call_site)
{
	char caller[OS_CALLER_BYTES];

	vmstat_count(VMSTAT_ALLOC_REFUSED);
	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_ERR, "slab", "bad request: %s (cache %s, node %d, gfp 0x%x, by %s)", wrong,
	       cache->name, nid, gfp, caller);
}

/* Who asks in a loop fails in a loop: as often as is said of pages (mm/alloc_report.c). */
static __noinline void report_failure(const struct slab_request *request)
{
	static struct rate_limit limit = {.burst = 10, .interval_ns = 5000000000ull};
	char caller[OS_CALLER_BYTES];
	u64 held_back;

	vmstat_count(VMSTAT_SLAB_FAIL);
	if ((request->gfp & __GFP_NOWARN) || !rate_limit_pass(&limit, &held_back))
		return;
	if (held_back)
		os_log(OS_LOG_WARN, "slab", "%llu failures were not said",
		       (unsigned long long)held_back);
	os_describe_caller(request->call_site, caller, sizeof(caller));
	os_log(OS_LOG_WARN, "slab",
	       "no object of %s (%u bytes, order %u) for %s: node %d, gfp 0x%x",
	       request->cache->name, request->cache->object_size, request->cache->order, caller,
	       request->nid, request->gfp);
}

static void build(struct slab_request *request, struct kmem_cache *cache, gfp_t gfp, int nid,
		  uintptr_t call_site)
{
	*request = (struct slab_request){
		.cache = cache,
		.gfp = (gfp & ~(__GFP_ZERO | __GFP_MOVABLE)) | cache->zone_gfp,
		.nid = nid,
		.may_block = (gfp & __GFP_DIRECT_RECLAIM) && os_may_sleep(),
		.call_site = call_site,
	};
	permit_build(&request->permit, nid, gfp, NULL);
	/* Near a node without memory is what that node's nearest has. */
	if (!node_isset(request->permit.preferred_nid, node_memory_mask()) &&
	    !(gfp & __GFP_THISNODE))
		request->permit.preferred_nid = slab_near_node(request->permit.preferred_nid);
}

static void *alloc_whole_way(struct kmem_cache *cache, gfp_t gfp, int nid, uintptr_t call_site)
{
	struct slab_request request;
	void *object;

	for (u32 round = 0;; round++) {
		build(&request, cache, gfp, nid, call_site);
		object = alloc_near(&request);
		if (!object && !(gfp & __GFP_THISNODE))
			object = slab_fall_back(&request);
		if (object || !slab_fallback_begins_anew() || !permit_is_stale(&request.permit) ||
		    round == MAX_CPUSET_ROUNDS)
			break;
		vmstat_count(VMSTAT_SLAB_MEMS_MOVED);
	}
	if (unlikely(!object))
		report_failure(&request);
	return object;
}

/* What a hit would have done, had there been something on the stack. NULL decides nothing. */
static void *alloc_plain(struct kmem_cache *cache, gfp_t gfp, int nid)
{
	struct kmem_cache_node *home;
	unsigned long flags;
	void *object;

	if (!this_task_may_hit(gfp) || (nid != NUMA_NO_NODE && (u32)nid >= MAX_NUMNODES))
		return NULL;
	flags = irq_save();
	home = cache->node[nid == NUMA_NO_NODE ? slab_cpu_node(smp_processor_id()) : nid];
	object = take_by_stack(home);
	irq_restore(flags);
	return object;
}

static __noinline void trace_alloc(const struct kmem_cache *cache, const void *object, gfp_t gfp,
				   uintptr_t call_site)
{
	trace(TRACE_SLAB_ALLOC, .id = (u64)(uintptr_t)object, .call_site = call_site, .gfp = gfp,
	      .arg = cache->object_size, .nid = virt_to_page(object)->nid);
}

void *slab_alloc_slowly(struct kmem_cache *cache, gfp_t gfp, int nid, uintptr_t call_site)
{
	const char *wrong;
	void *object = alloc_plain(cache, gfp, nid);

	if (likely(object))
		return object;
	if ((gfp & __GFP_DMA) && cache->dma_twin)
		cache = cache->dma_twin;
	wrong = request_fault(cache, gfp, nid);
	if (unlikely(wrong)) {
		report_bad_request(wrong, cache, gfp, nid, call_site);
		return NULL;
	}
	if (fault_injected(gfp, 0, call_site))
		return NULL;
	object = alloc_whole_way(cache, gfp, nid, call_site);
	if (unlikely(!object))
		return NULL;
	if (cache->flags & SLAB_DEBUG_ALL)
		slab_debug_alloc(cache, object, call_site);
	if (unlikely(load_relaxed(&trace_enabled)))
		trace_alloc(cache, object, gfp, call_site);
	if (gfp & __GFP_ZERO)
		memset(object, 0, cache->object_size);
	return object;
}

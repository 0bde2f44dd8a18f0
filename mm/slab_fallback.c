/*
 * Fallback: the preferred node has neither a free object nor a page for a new slab. Where does the object come from?
 *
 * The mechanism is one walk; what it asks on its way is the policy, installed at boot (mm.fallback). The story is that of
 * a patch of 2006, docs/fallback.md tells it:
 *
 *	                      before                 posted                      after
 *	LOOK  whom            who is permitted       the cpuset, to the letter   who is permitted
 *	      how often       once a zone            once a zone                 once, nearest first
 *	      what counts     -                      objects on the lists        and what is shared, or on stacks
 *	      nothing there   a page of that node    -                           -
 *	DRAIN                 -                      -                           CPUs give back this home's objects
 *	PAGE                  -                      from anywhere, reclaim      from anywhere, reclaim
 *	      sleeps          -                      with interrupts off         where it may
 *	      first object    -                      for who comes first         for the maker
 *	cpuset moved          fails                  fails                       begins anew
 *	asked of one node     quietly                quietly                     kswapd is woken
 *	  by the entitled     of its reserve         of its reserve              not of its reserve
 *
 * Before: a node-exact request neither reclaims nor wakes kswapd, so with every node full of page cache nothing is found
 * although all of it could be had; and a node with a page is grown while a further one has half-empty slabs. Posted looks for
 * objects first, then asks for one page from anywhere. What was wrong with that is in the table's second column.
 * After asks the same predicate for objects and pages: else a task takes pages where it may not take objects, and
 * slabs pile up without end (Linux's defect of 2014).
 *
 * A page's own node says whose lists the slab joins. `nr_free_objects` and the like are read without the lock: a
 * hint. Who was told wrong looks at the next node, or makes a slab more.
 *
 * DRAIN asks other CPUs and waits for them, so only who may sleep does; it looks at small stacks only, those of
 * CPUs for other nodes' objects (alien arrays). What a CPU keeps of its own node's is the CPU's.
 *
 * A request with __GFP_NOFAIL gets a page from anywhere under each of them, and its first object.
 *
 * Posted has two defects that would end the machine, and are shown without that. It sleeps with interrupts off: the
 * report is made where it would, then they are enabled. Its retry, when others have emptied the new slab first, has
 * no bound: here it has MAX_POSTED_ROUNDS.
 *
 * Lock: none held from one step to the next.
 *
 * Source: C. Lameter, "Slab: Better fallback allocation behavior", linux-mm, November 2006; V. Davydov, "slab: fix
 * cpuset check in fallback_alloc", 2014; J. Kim, "mm/slab: make cache_grow() handle the page allocated on arbitrary
 * node", 2016; that node-exact requests ended before kswapd was woken: Lameter, "GFP_THISNODE must not trigger global
 * reclaim", 2006. Ideas only.
 */
#include "slab_fallback.h"

#include <base/atomic.h>
#include <mm/os.h>
#include <mm/policy.h>
#include <mm/trace.h>

#include "rate_limit.h"
#include "slab_request.h"
#include "vmstat.h"

#define MAX_POSTED_ROUNDS 1000

/* What a policy is asked. */
struct fallback_policy {
	/* May the request have objects of that node? */
	bool (*may_look)(const struct slab_request *request, int nid);
	/* How many free objects of the home count? A hint. NULL: nobody asks. */
	u64 (*objects_of)(const struct kmem_cache_node *home);
	bool once_a_zone;    /* a node is looked at for each of its zones */
	bool grows_each;     /* a node without objects is asked for a page, and for no more */
	bool drains;         /* CPUs are asked for what they have of other nodes' */
	bool page_anywhere;  /* in the end a page is asked for by the caller's own flags */
	bool interrupts_off; /* and that without enabling them */
	bool begins_anew;    /* a failure is looked at again if the cpuset has moved meanwhile */
	bool maker_is_first; /* who has made a slab has its first object */
	bool wakes_kswapd; /* a node that is asked for a page, and for no more, is told that it is short */
	bool reserve_last; /* and gives none of its reserve, whoever asks: that is for PAGE */
};

static const struct fallback_policy *policy;

static void tell(const struct slab_request *request, enum slab_fallback_step step, int nid)
{
	trace(TRACE_SLAB_FALLBACK, .id = (u64)(uintptr_t)request->cache, .arg = step,
	      .nid = (u16)nid, .gfp = request->gfp, .call_site = request->call_site);
}

/* --- What the policies answer ------------------------------------------------------------------------- */

static bool look_as_permitted(const struct slab_request *request, int nid)
{
	return permit_allows(&request->permit, nid);
}

/* The cpuset to the letter: also for those who may leave it, and then take pages outside. */
static bool look_by_cpuset(const struct slab_request *request, int nid)
{
	return permit_allows(&request->permit, nid) &&
	       node_isset(nid, load_relaxed(&os_current()->mems_allowed));
}

/* Relaxed, here and below: hints. */
static u64 objects_on_lists(const struct kmem_cache_node *home)
{
	return load_relaxed(&home->nr_free_objects);
}

/* Interrupts off for this CPU's stack: who replaces it frees it when an interrupt has been here. */
static u64 objects_in_reach(const struct kmem_cache_node *home)
{
	unsigned long flags = irq_save();
	u64 on_stack = load_relaxed(&home->stack[smp_processor_id()]->nr);

	irq_restore(flags);
	return objects_on_lists(home) + load_relaxed(&home->nr_shared) + on_stack;
}

static const struct fallback_policy policies[] = {
	[MM_BEFORE] = {.may_look = look_as_permitted, .once_a_zone = true, .grows_each = true},
	[MM_POSTED] = {.may_look = look_by_cpuset,
		       .objects_of = objects_on_lists,
		       .once_a_zone = true,
		       .page_anywhere = true,
		       .interrupts_off = true},
	[MM_AFTER] = {.may_look = look_as_permitted,
		      .objects_of = objects_in_reach,
		      .drains = true,
		      .page_anywhere = true,
		      .begins_anew = true,
		      .maker_is_first = true,
		      .wakes_kswapd = true,
		      .reserve_last = true},
};

bool slab_fallback_begins_anew(void)
{
	return policy->begins_anew;
}

gfp_t slab_near_gfp(gfp_t gfp)
{
	gfp &= ~(__GFP_DIRECT_RECLAIM | __GFP_IO | __GFP_NOFAIL | __GFP_RETRY_MAYFAIL);
	if (!policy->wakes_kswapd)
		gfp &= ~__GFP_KSWAPD_RECLAIM;
	if (policy->reserve_last)
		gfp |= __GFP_NOMEMALLOC;
	return gfp | __GFP_THISNODE | __GFP_NOWARN;
}

void slab_fallback_install(void)
{
	policy = &policies[mm_policy_install(MM_FALLBACK)];
}

/* --- LOOK ----------------------------------------------------------------------------------------------- */

static void *look_at(const struct slab_request *request, int nid)
{
	struct kmem_cache_node *home = request->cache->node[nid];
	void *object;

	vmstat_count(VMSTAT_SLAB_FALLBACK_LOOK);
	tell(request, SLAB_FALLBACK_LOOK, nid);
	if (policy->objects_of && policy->objects_of(home) == 0)
		return NULL;
	object = slab_take_from_home(home);
	if (object) {
		vmstat_count(VMSTAT_SLAB_FALLBACK_OBJECT);
		tell(request, SLAB_FALLBACK_OBJECT, nid);
		return object;
	}
	return policy->grows_each ? slab_grow_on(request->cache, nid, slab_near_gfp(request->gfp))
				  : NULL;
}

/* Along the preferred node's list, which names each zone. */
static void *look_around(const struct slab_request *request)
{
	const struct zonelist *list =
		&NODE_DATA(request->permit.preferred_nid)->zonelist[ZONELIST_FALLBACK];
	int previous = request->permit.preferred_nid;
	void *object = NULL;

	for (u32 i = 0; i < list->nr && !object; i++) {
		int nid = list->ref[i].zone->nid;

		/* A node's zones come one behind the other, the preferred node's first. */
		if (!policy->once_a_zone && nid == previous)
			continue;
		previous = nid;
		if (policy->may_look(request, nid))
			object = look_at(request, nid);
	}
	return object;
}

/* --- DRAIN ---------------------------------------------------------------------------------------------- */

/* Has any CPU an object of a node that the request may have, and that is not its own? */
static bool others_have_some(const struct slab_request *request)
{
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		const struct kmem_cache_node *home = request->cache->node[nid];

		for (u32 cpu = 0; policy->may_look(request, nid) && cpu < MAX_CPUS; cpu++) {
			if (slab_cpu_node(cpu) != nid && load_relaxed(&home->stack[cpu]->nr) > 0)
				return true;
		}
	}
	return false;
}

/*
 * CPUs are disturbed only if there is something. While another has the turn, who reaps, replaces stacks or looks as we
 * do, nobody else may look at them from outside: then they are asked at once, as they look at their own. Else a
 * request would fail because somebody was reaping just then.
 */
static bool is_worth_draining(const struct slab_request *request)
{
	bool is_worth;

	if (!policy->drains || !request->may_block)
		return false;
	if (!slab_stacks_hold(request->cache))
		return true;
	is_worth = others_have_some(request);
	slab_stacks_release(request->cache);
	return is_worth;
}

static void *drain_and_look(const struct slab_request *request)
{
	if (!is_worth_draining(request))
		return NULL;
	vmstat_count(VMSTAT_SLAB_FALLBACK_DRAIN);
	tell(request, SLAB_FALLBACK_DRAIN, request->permit.preferred_nid);
	slab_aliens_drain(request->cache);
	return look_around(request);
}

/* --- PAGE ----------------------------------------------------------------------------------------------- */

/* By whom the node is chosen: the caller, the policy for this very request, or whatever comes of the task's. */
static int page_node(const struct slab_request *request)
{
	if (request->nid != NUMA_NO_NODE)
		return request->nid;
	return request->permit.by_policy ? request->permit.preferred_nid : NUMA_NO_NODE;
}

/* What a checker of sleeps would say at this place, had the caller's interrupts stayed off. */
static void report_sleep(const struct slab_request *request)
{
	static struct rate_limit limit = {.burst = 4, .interval_ns = 1000000000ull};
	char caller[OS_CALLER_BYTES];
	u64 held_back;

	vmstat_count(VMSTAT_SLAB_FALLBACK_ATOMIC);
	if (!rate_limit_pass(&limit, &held_back))
		return;
	os_describe_caller(request->call_site, caller, sizeof(caller));
	os_log(OS_LOG_ERR, "slab", "BUG: a request that may sleep, with interrupts off: %s for %s",
	       request->cache->name, caller);
}

/* The caller has no code for NULL: of this no policy makes a failure. */
static bool must_not_fail(const struct slab_request *request)
{
	return request->gfp & __GFP_NOFAIL;
}

/* The new slab is everybody's, and its maker one of them: perhaps it is empty when he comes. */
static void *publish_and_hope(struct kmem_cache_node *home, struct page *slab)
{
	unsigned long flags = spin_lock_irqsave(&home->lock);

	slab_node_add_locked(home, slab, NULL, 0);
	spin_unlock_irqrestore(&home->lock, flags);
	return slab_take_from_home(home);
}

/* An object of a page from anywhere; NULL and *made: there was a page, and others had all of it. */
static void *grow_anywhere(const struct slab_request *request, bool *made)
{
	struct page *slab;

	if (policy->interrupts_off && request->may_block)
		report_sleep(request);
	slab = slab_grow(request->cache, page_node(request), request->gfp);
	*made = slab != NULL;
	if (!slab)
		return NULL;
	vmstat_count(VMSTAT_SLAB_FALLBACK_PAGE);
	tell(request, SLAB_FALLBACK_PAGE, slab->nid);
	return policy->maker_is_first || must_not_fail(request)
		       ? slab_publish(request->cache->node[slab->nid], slab)
		       : publish_and_hope(request->cache->node[slab->nid], slab);
}

/* The object's home has given to who preferred another. Relaxed: a figure, and counted without the lock. */
static void count_given(const struct slab_request *request, const void *object)
{
	struct kmem_cache_node *home = request->cache->node[virt_to_page(object)->nid];

	if (home->nid != request->permit.preferred_nid)
		__atomic_fetch_add(&home->events[SLAB_EV_FALLBACK], 1, __ATOMIC_RELAXED);
}

void *slab_fall_back(const struct slab_request *request)
{
	void *object = NULL;
	bool made = true;

	vmstat_count(VMSTAT_SLAB_FALLBACK);
	for (u32 round = 0; made && !object && round < MAX_POSTED_ROUNDS; round++) {
		if (round > 0)
			vmstat_count(VMSTAT_SLAB_FALLBACK_RETRY);
		object = look_around(request);
		if (!object)
			object = drain_and_look(request);
		made = false;
		if (!object && (policy->page_anywhere || must_not_fail(request)))
			object = grow_anywhere(request, &made);
	}
	if (object)
		count_given(request, object);
	return object;
}

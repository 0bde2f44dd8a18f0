/*
 * The engine: taking pages away from who can do without them. kswapd and requests that ran out use the same one.
 *
 *	priority 12, 11, ... 0: the share of each list that is looked at, 1/2^priority
 *	   |
 *	   |  each node in turn                                    reclaim_node()
 *	   v
 *	active tail ---> inactive head      while the inactive list is short. Touched since: once more round
 *	inactive tail -> isolated, 32 at a time, each to its owner's evict():
 *
 *	      FREED      free in its zone: who looks at the marks next sees it there
 *	      WRITING    to the inactive head; the end of its write brings it to the tail
 *	      KEPT       busy, or may not be written: where it came from, head
 *	      ACTIVATED  in use after all: active head
 *
 *	caches, by mm/shrinker.c           the same share of their objects
 *
 * The first pass looks at little, so that what is cold everywhere goes before what is warm anywhere. Only if it
 * frees too little the next one looks at twice as much. So the cost of a page does not depend on how much
 * memory there is, as long as there are cold pages at the tails; and when there is nothing to be had,
 * the passes together look at each page twice, and end.
 *
 * Pages of zones above the request's class do not help and are left alone, but must be stepped over: that is
 * counted apart (hw_pgskip).
 *
 * A page of the inactive list that was touched once has no second chance: once is what every page is
 * touched that is read and never again. A second touch has moved it to the active list. An active page
 * that was touched since it was last looked at goes round once more; as each look clears the bit, a list
 * of nothing but such pages is through after one round.
 *
 * An inactive list that is long enough may still have nothing to give: its pages are busy, dirty where no write
 * may begin, or of zones above the class. If the last pass frees none of them, as many active pages as are
 * wanted are taken as well: what is used is given up before anybody is brought to his end for it.
 *
 * Writing: a page being written is not asked for again. Who finds nothing else waits for any write of the node
 * to end, if it may sleep: without that it would rush through all priorities while a device is at work. If there is
 * none, but dirty pages that the device may have refused, it waits for one of another node: the device is one. A
 * wait that ends without one is the last of the round, so a dead device costs a round 100 ms, and what is behind its
 * pages is still looked at.
 *
 * A write's packet may take any page, its acknowledgement may not: writes could use up all that is left, and
 * none of them would ever end. So none begins where an interrupt could not have a page.
 *
 * No locks are held but for the moments of isolating and putting back. The reclaimer's own requests (the packet
 * of a write) may use the reserve and are not sent here: PF_MEMALLOC.
 *
 * Source: Linux mm/vmscan.c for priorities, batches and the names of counters.
 */
#include "reclaim.h"

#include <base/assert.h>
#include <mm/trace.h>

#include "lru.h"
#include "shrinker.h"
#include "vmstat.h"
#include "watermark.h"
#include "zone.h"

/* By age, for one costly request: as many pages as MAX_RECLAIM_ROUNDS (mm/alloc_retry.c) of a batch. */
#define MAX_AGE_PASSES 16
#define AGE_PASS_PAGES (8 * RECLAIM_BATCH_PAGES)

void reclaim_node_init(struct reclaim_node *reclaim)
{
	os_wait_queue_init(&reclaim->kswapd, "kswapd");
	os_wait_queue_init(&reclaim->throttle, "reclaim throttle");
}

/* Relaxed: a figure, it orders nothing. */
static void count(u64 *counter, u64 n)
{
	if (n)
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* --- Isolated pages to their owners ---------------------------------------------------------------- */

/* What a batch has come to, added to the shared words once. */
struct batch {
	u64 scanned, freed, begun, writing, activated, rotated;
};

static bool interrupts_have_a_page(int nid)
{
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		const struct zone *zone = &NODE_DATA(nid)->zones[type];

		/* Relaxed: old or new, either will do. */
		if (zone_watermark_ok(zone, 0, load_relaxed(&zone->watermark[WMARK_MIN]),
				      ZONE_NORMAL, ALLOC_MIN_RESERVE))
			return true;
	}
	return false;
}

/*
 * A write that begins takes pages, and ends by one that its device's interrupt can get, down to 3/8 of the mark
 * (GFP_ATOMIC). Below half of it in all zones that eighth is what is left for them; then one write a
 * node at a time, so that it goes on. Relaxed: some at once may be one too many each.
 */
static bool may_begin_write(int nid)
{
	int other;

	if (interrupts_have_a_page(nid))
		return true;
	for_each_node_mask(other, node_memory_mask() & ~NODE_BIT(nid)) {
		if (interrupts_have_a_page(other))
			return true;
	}
	return load_relaxed(&NODE_DATA(nid)->lru.nr_writeback) == 0;
}

/* Relaxed flag: a write that ends meanwhile is met the next time. */
static enum lru_outcome evict(struct page *page, const struct reclaim_request *request,
			      struct batch *batch)
{
	struct reclaim_scope scope = request->scope;
	u32 flags = page_lru_flags(page);
	enum lru_outcome outcome;

	if (flags & LRU_WRITEBACK)
		return LRU_WRITING;
	if (flags & LRU_DIRTY)
		scope.may_write = scope.may_write && may_begin_write(page->nid);
	outcome = page->lru_owner->evict(page, &scope);
	batch->begun += outcome == LRU_WRITING;
	return outcome;
}

static void put_where_it_belongs(struct page *page, enum lru_outcome outcome, struct batch *batch)
{
	bool was_active = page_lru_flags(page) & LRU_FROM_ACTIVE;

	switch (outcome) {
	case LRU_FREED:
		batch->freed++;
		lru_free_frozen(page);
		return;
	case LRU_ACTIVATED:
		batch->activated++;
		lru_putback(page, LRU_ACTIVE, false);
		return;
	case LRU_WRITING:
		batch->writing++;
		lru_reclaim_when_written(page);
		lru_putback(page, LRU_INACTIVE, false);
		return;
	default:
		batch->rotated++;
		lru_putback(page, was_active ? LRU_ACTIVE : LRU_INACTIVE, false);
		return;
	}
}

static void count_batch(int nid, enum reclaimer who, const struct batch *batch,
			struct reclaim_progress *progress)
{
	struct reclaim_node *reclaim = &NODE_DATA(nid)->reclaim;
	bool kswapd = who == RECLAIM_KSWAPD;

	progress->scanned += batch->scanned;
	progress->reclaimed += batch->freed;
	progress->writing += batch->writing;
	count(&reclaim->scanned[who], batch->scanned);
	/* Release: who sees these freed sees them scanned, too. */
	__atomic_fetch_add(&reclaim->reclaimed[who], batch->freed, __ATOMIC_RELEASE);
	count(&reclaim->written, batch->begun);
	count(&reclaim->activated, batch->activated);
	count(&reclaim->rotated, batch->rotated + batch->writing);
	vmstat_count_many(kswapd ? VMSTAT_PGSCAN_KSWAPD : VMSTAT_PGSCAN_DIRECT, batch->scanned);
	vmstat_count_many(kswapd ? VMSTAT_PGSTEAL_KSWAPD : VMSTAT_PGSTEAL_DIRECT, batch->freed);
	vmstat_count_many(VMSTAT_VMSCAN_WRITE, batch->begun);
}

void reclaim_pages(struct list_head *pages, const struct reclaim_request *request,
		   struct reclaim_progress *progress)
{
	struct batch batch = {0};
	int nid = NUMA_NO_NODE;

	while (!list_empty(pages)) {
		struct page *page = list_first_entry(pages, struct page, lru_link);

		ASSERT(nid == NUMA_NO_NODE || nid == page->nid);
		nid = page->nid;
		list_del(&page->lru_link);
		batch.scanned++;
		put_where_it_belongs(page, evict(page, request, &batch), &batch);
	}
	if (nid == NUMA_NO_NODE)
		return;
	count_batch(nid, request->who, &batch, progress);
	if (request->who == RECLAIM_DIRECT && batch.freed)
		kswapd_has_hope(nid);
}

/* --- A node's lists --------------------------------------------------------------------------------- */

/* Pages of the list that this pass looks at, at most. */
static u64 share(int nid, enum lru_list list, u32 priority)
{
	/* Relaxed: a figure. */
	return load_relaxed(&NODE_DATA(nid)->lru.nr[list]) >> priority;
}

/* How much of what is left the next batch looks at. */
static u32 next_batch(u64 left)
{
	return (u32)MIN(left, (u64)RECLAIM_BATCH_PAGES);
}

/* From the tail of the active list: back to its head, or to the inactive one. How many of the latter. */
static u32 deactivate(struct list_head *pages)
{
	u32 nr = 0;

	while (!list_empty(pages)) {
		struct page *page = list_first_entry(pages, struct page, lru_link);
		bool referenced = lru_test_clear_referenced(page);

		list_del(&page->lru_link);
		lru_putback(page, referenced ? LRU_ACTIVE : LRU_INACTIVE, false);
		nr += !referenced;
	}
	return nr;
}

/*
 * While the inactive list is short, or until there are at_least so many pages more in it. Ends: each look is at one
 * page more of the share, or finds none. How many were moved there.
 */
static u64 age_active(int nid, enum zone_type request_class, u32 priority, u64 at_least)
{
	u64 left = share(nid, LRU_ACTIVE, priority), aged = 0;

	while (left > 0 && (aged < at_least || lru_inactive_is_low(nid))) {
		struct list_head pages;
		u32 scanned;

		list_init(&pages);
		lru_isolate_tail(nid, LRU_ACTIVE, request_class, next_batch(left), &pages,
				 &scanned);
		vmstat_count_many(VMSTAT_PGREFILL, scanned);
		aged += deactivate(&pages);
		if (scanned == 0)
			break;
		left -= MIN(left, (u64)scanned);
	}
	return aged;
}

static void shrink_inactive(int nid, const struct reclaim_request *request, u32 priority,
			    struct reclaim_progress *progress)
{
	u64 left = share(nid, LRU_INACTIVE, priority);

	while (left > 0 && progress->reclaimed < request->nr_to_reclaim) {
		struct list_head pages;
		u32 scanned, taken;

		list_init(&pages);
		taken = lru_isolate_tail(nid, LRU_INACTIVE, request->request_class,
					 next_batch(left), &pages, &scanned);
		vmstat_count_many(VMSTAT_PGSKIP, scanned - taken);
		reclaim_pages(&pages, request, progress);
		if (scanned == 0)
			break;
		left -= MIN(left, (u64)scanned);
	}
}

/*
 * The caches are pressed for as large a share as was looked at of the pages; where there are no pages, for the
 * share of this priority.
 */
void reclaim_node(int nid, const struct reclaim_request *request, u32 priority,
		  struct reclaim_progress *progress)
{
	u64 total = lru_reclaimable_pages(nid, request->request_class);
	u64 before = progress->scanned;

	if (total == 0) {
		progress->shrunk += shrink_caches(nid, 1, (u64)1 << priority, &progress->passed_by);
		return;
	}
	if (lru_inactive_is_low(nid))
		age_active(nid, request->request_class, priority, 0);
	shrink_inactive(nid, request, priority, progress);
	if (priority == 0 && progress->reclaimed == 0) {
		if (age_active(nid, request->request_class, priority, request->nr_to_reclaim) > 0)
			shrink_inactive(nid, request, priority, progress);
	}
	progress->shrunk +=
		shrink_caches(nid, progress->scanned - before, total, &progress->passed_by);
}

/* --- Direct reclaim --------------------------------------------------------------------------------- */

/* One pass over the nodes in the request's order. Returns a node where writes are under way, or none. */
static int pass_over_nodes(const struct reclaim_request *request, u32 priority,
			   struct reclaim_progress *progress)
{
	int done = NUMA_NO_NODE, writes_at = NUMA_NO_NODE;

	for (u32 i = 0; i < request->zonelist->nr; i++) {
		int nid = request->zonelist->ref[i].zone->nid;
		u64 writing = progress->writing;

		/* A node's zones stand together. */
		if (nid == done || !permit_allows(request->permit, nid))
			continue;
		done = nid;
		reclaim_node(nid, request, priority, progress);
		if (progress->writing > writing && writes_at == NUMA_NO_NODE)
			writes_at = nid;
		if (progress->reclaimed >= request->nr_to_reclaim)
			break;
	}
	return writes_at;
}

/*
 * A node whose writes may keep the device from taking those of a node that has some dirty pages; or none. Relaxed:
 * hints.
 */
static int writes_before(nodemask_t nodes)
{
	s64 dirty = 0;
	int nid;

	for_each_node_mask(nid, nodes & node_memory_mask())
		dirty += (s64)load_relaxed(&NODE_DATA(nid)->lru.nr_dirty);
	for_each_node_mask(nid, node_memory_mask()) {
		if (dirty > 0 && (s64)load_relaxed(&NODE_DATA(nid)->lru.nr_writeback) > 0)
			return nid;
	}
	return NUMA_NO_NODE;
}

static void reclaim_by_age(const struct reclaim_request *request, struct reclaim_progress *progress)
{
	bool may_wait = request->may_block;

	for (u32 priority = RECLAIM_PRIORITY + 1; priority-- > 0;) {
		u64 before = progress->reclaimed + progress->shrunk;
		int writes_at = pass_over_nodes(request, priority, progress);

		if (progress->reclaimed >= request->nr_to_reclaim)
			break;
		if (writes_at == NUMA_NO_NODE && request->scope.may_write && priority == 0)
			writes_at = writes_before(request->permit->nodes);
		if (may_wait && writes_at != NUMA_NO_NODE &&
		    progress->reclaimed + progress->shrunk == before)
			may_wait = lru_wait_writeback(writes_at, WRITEBACK_WAIT_NS);
	}
}

/*
 * By age only what the marks want besides the block. Not what was freed says whether that is reached, but the zones: the
 * oldest pages may all be of another. What single pages may have in all their rounds is the most here, too.
 */
static void reclaim_costly(const struct reclaim_request *request, struct reclaim_progress *progress)
{
	struct reclaim_request by_age = *request;
	u64 before;

	for (u32 pass = 0; pass < MAX_AGE_PASSES; pass++) {
		u64 missing = pages_missing_for_block(request);

		if (missing == 0)
			break;
		before = progress->reclaimed;
		by_age.nr_to_reclaim = before + MIN(missing, (u64)AGE_PASS_PAGES);
		reclaim_by_age(&by_age, progress);
		if (progress->reclaimed == before)
			break;
	}
	progress->reclaimed += reclaim_block(request);
}

/*
 * Objects count, though a cache may free them for ever, and not a page with them: the slow path ends after
 * MAX_RECLAIM_ROUNDS, whatever this says. That they were freed is all that can be known here of
 * pages that another request has taken at once.
 */
u64 direct_reclaim(const struct reclaim_request *request, bool *passed_by)
{
	struct reclaim_progress progress = {0};

	ASSERT(os_current()->flags & PF_MEMALLOC);
	trace(TRACE_RECLAIM_BEGIN, .nid = (u16)request->permit->preferred_nid,
	      .order = (u8)request->order, .zone = (u8)request->request_class,
	      .arg = request->nr_to_reclaim);
	if (request->order > PAGE_ALLOC_COSTLY_ORDER)
		reclaim_costly(request, &progress);
	else
		reclaim_by_age(request, &progress);
	trace(TRACE_RECLAIM_END, .nid = (u16)request->permit->preferred_nid,
	      .order = (u8)request->order, .zone = (u8)request->request_class,
	      .id = progress.scanned, .arg = progress.reclaimed);
	*passed_by = progress.passed_by;
	return progress.reclaimed + progress.shrunk;
}

/* --- Looking ------------------------------------------------------------------------------------------ */

/* Relaxed, but for what is reclaimed: figures of several moments. */
bool reclaim_snapshot(int nid, struct reclaim_snapshot *out)
{
	const struct reclaim_node *reclaim;

	*out = (struct reclaim_snapshot){0};
	if (nid < 0 || nid >= MAX_NUMNODES || NODE_DATA(nid) == NULL)
		return false;
	reclaim = &NODE_DATA(nid)->reclaim;
	out->state = (enum kswapd_state)load_acquire(&reclaim->state);
	out->wakes = load_relaxed(&reclaim->wakes);
	out->balanced = load_relaxed(&reclaim->balanced);
	out->gave_up = load_relaxed(&reclaim->gave_up);
	out->rounds_without_progress = load_relaxed(&reclaim->fruitless);
	out->throttled = load_relaxed(&reclaim->throttled);
	for (u32 who = 0; who < NR_RECLAIMERS; who++) {
		/* Acquire: no more than were scanned by then. */
		out->reclaimed[who] = load_acquire(&reclaim->reclaimed[who]);
		out->scanned[who] = load_relaxed(&reclaim->scanned[who]);
	}
	out->written = load_relaxed(&reclaim->written);
	out->activated = load_relaxed(&reclaim->activated);
	out->rotated = load_relaxed(&reclaim->rotated);
	return true;
}

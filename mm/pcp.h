/*
 * Each CPU's own lists of free pages: the hit path, and nothing else. See mm/pcp.c for the theory.
 */
#ifndef MM_PCP_H
#define MM_PCP_H

#include <arch/cpu.h>
#include <arch/preempt.h>
#include <base/atomic.h>

#include "zone.h"

/* Blocks above this order are rarely asked for and go to the zone. As PAGE_ALLOC_COSTLY_ORDER. */
#define PCP_MAX_ORDER 3
#define NR_PCP_ORDERS (PCP_MAX_ORDER + 1)

/* Two stacks of blocks of one order; each holds up to `capacity`. */
struct pcp_list {
	struct page *hot, *cold; /* linked by page->pcp_next, last freed first */
	u32 nr_hot, nr_cold;     /* blocks */
	u32 capacity;            /* of either; 0: closed, nothing comes here */
	u64 nr_allocs, nr_frees; /* blocks taken from and given to the lists here */
};

/*
 * The free pages of one zone that one CPU has at hand.
 *
 * Invariants (check):
 *   PCP-1  a block on list o is PCP, of order o, of this zone, its frame aligned to 1 << o; nr_hot
 *          and nr_cold are the lengths of the stacks
 *   PCP-2  they are at most the capacity
 *
 * Everything but `busy` belongs to who owns the structure: who changed busy from 0 to 1.
 */
struct per_cpu_pages {
	u8 busy;
	struct pcp_list list[NR_PCP_ORDERS];
	u64 nr_misplaced; /* of the nr_allocs: for a request that preferred another zone */
} __attribute__((aligned(64)));

/*
 * Becoming and ceasing to be the owner. Acquire and release: what the last owner did to the lists
 * is seen by the next, be it a drainer on another CPU. Never waits.
 */
static inline bool pcp_own(struct per_cpu_pages *pcp)
{
	return __atomic_exchange_n(&pcp->busy, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void pcp_disown(struct per_cpu_pages *pcp)
{
	store_release(&pcp->busy, 0);
}

_Noreturn void pcp_report_bad_page(const struct page *page, unsigned int order);

static inline struct page *pcp_pop(struct pcp_list *list, unsigned int order)
{
	struct page *page = list->hot;

	if (unlikely(page->head != PAGE_HEAD(PAGE_PCP, order)))
		pcp_report_bad_page(page, order);
	list->hot = page->pcp_next;
	list->nr_hot--;
	list->nr_allocs++;
	/* Relaxed: a neighbour that merges only asks whether it is FREE, before and after it is not. */
	store_relaxed(&page->head, PAGE_HEAD(PAGE_ALLOCATED, order));
	return page;
}

static inline void pcp_push(struct pcp_list *list, struct page *page, unsigned int order)
{
	store_relaxed(&page->head, PAGE_HEAD(PAGE_PCP, order));
	page->pcp_next = list->hot;
	list->hot = page;
	list->nr_hot++;
	list->nr_frees++;
}

/* A block of this CPU's, if that is possible at once; else NULL, and pcp_alloc() is next. */
static inline struct page *pcp_alloc_hit(struct zone *zone, unsigned int order)
{
	struct per_cpu_pages *pcp;
	struct page *page = NULL;

	preempt_disable();
	pcp = zone->pcp[smp_processor_id()];
	if (likely(pcp_own(pcp))) {
		struct pcp_list *list = &pcp->list[order];

		if (likely(list->hot))
			page = pcp_pop(list, order);
		pcp_disown(pcp);
	}
	preempt_enable();
	return page;
}

/* Gives an ALLOCATED block of the order to this CPU, if that is possible at once. */
static inline bool pcp_free_hit(struct zone *zone, struct page *page, unsigned int order)
{
	struct per_cpu_pages *pcp;
	bool done = false;

	preempt_disable();
	pcp = zone->pcp[smp_processor_id()];
	if (likely(pcp_own(pcp))) {
		struct pcp_list *list = &pcp->list[order];

		if (likely(list->nr_hot < list->capacity)) {
			pcp_push(list, page, order);
			done = true;
		}
		pcp_disown(pcp);
	}
	preempt_enable();
	return done;
}

/* --- Beyond the hit path: mm/pcp.c ---------------------------------------------------------- */

/*
 * The same with refill and flush. NULL / false: this CPU's lists are in use or closed, or the zone
 * has no more than its marks want; the caller goes to the zone. `misplaced`: the request preferred
 * another zone.
 */
struct page *pcp_alloc(struct zone *zone, unsigned int order, enum zone_type request_class,
		       bool misplaced);
bool pcp_free(struct zone *zone, struct page *page, unsigned int order);

/* Boot: the structures, before memblock closes; and the lists opened, once pages are managed. */
void pcps_init(void);
void pcps_start(void);

/* For check: owns every CPU's lists of the zone, so that nothing moves. False: one is held on to. */
bool pcp_own_all(struct zone *zone);
void pcp_disown_all(struct zone *zone);

#endif

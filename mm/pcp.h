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
/* A list for each order and block type, in the order of PAGE_LIST(). */
#define NR_PCP_LISTS (NR_PCP_ORDERS * NR_BLOCK_TYPES)
_Static_assert(NR_PCP_ORDERS == NR_PAGE_LIST_ORDERS, "PAGE_LIST() is the number of a list");

/*
 * The list that a request takes from: PAGE_LIST() of its order and type. The flag is as large as the lists
 * of a type are many, which saves the hit path a question.
 */
static inline u32 pcp_index(unsigned int order, gfp_t gfp)
{
	_Static_assert(__GFP_MOVABLE == NR_PCP_ORDERS, "see above");
	return order + (gfp & __GFP_MOVABLE);
}

/*
 * The free blocks of one order, type and zone that one CPU has at hand: a stack in use, and up to
 * max_cold full ones. What the hit path needs is one cache line, and a shift from its neighbours.
 *
 * Invariants (check):
 *   PCP-1  a block on a list is PCP, of its order, taken for its type, of this zone, its frame
 *          aligned to its size; nr_hot is the length of the hot stack, each of the nr_cold cold ones is `capacity` long
 *   PCP-2  nr_hot is at most the capacity, nr_cold at most max_cold
 *
 * `head` and `index` are constant after boot. Everything else but `busy` belongs to who owns the list: who changed
 * busy from 0 to 1.
 */
struct pcp_list {
	u16 busy;
	u16 head;              /* PAGE_HEAD(PAGE_PCP, order): what its blocks must show */
	u16 hit_limit;         /* up to here the hit path frees: capacity, or 0: it is closed */
	u16 capacity;          /* of a stack, in blocks; 0: closed, nothing comes here */
	u32 nr_hot;            /* blocks */
	u8 nr_cold, max_cold;  /* stacks */
	u8 index;              /* among the CPU's lists of the zone: PAGE_LIST() */
	struct page *hot;      /* linked by page->pcp_next, last freed first */
	struct list_head cold; /* of the tops' page->pcp_stack, last filled first */
	u64 nr_from_zone;      /* blocks taken from the zone, less those given back to it */
	u64 nr_frees;          /* blocks that were freed to the list */
	u64 nr_misplaced;      /* allocations for a request that preferred another node */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct pcp_list) == 64, "one cache line");

struct per_cpu_pages {
	struct pcp_list list[NR_PCP_LISTS];
};

/* Blocks on the list. Relaxed: a guess, to who does not own it. */
static inline u64 pcp_nr_blocks(const struct pcp_list *list)
{
	return load_relaxed(&list->nr_hot) +
	       (u64)load_relaxed(&list->nr_cold) * load_relaxed(&list->capacity);
}

/* Blocks taken from the list since boot: what came and is no longer there. Relaxed: as add_list(). */
static inline u64 pcp_nr_allocs(const struct pcp_list *list)
{
	return load_relaxed(&list->nr_from_zone) + load_relaxed(&list->nr_frees) -
	       pcp_nr_blocks(list);
}

/* This CPU's. With preemption off. */
static inline struct pcp_list *pcp_this_cpu(const struct zone *zone, u32 index)
{
	return &zone->pcp[smp_processor_id()]->list[index];
}

/*
 * Becoming and ceasing to be the owner. Acquire and release: what the last owner did to the list is
 * seen by the next, be it a drainer on another CPU. Never waits. (Of the ways to set a word and learn
 * whether it was set this is the one that compilers make a single instruction and a jump of.)
 */
static inline bool pcp_own(struct pcp_list *list)
{
	return (__atomic_fetch_or(&list->busy, 1, __ATOMIC_ACQUIRE) & 1) == 0;
}

static inline void pcp_disown(struct pcp_list *list)
{
	store_release(&list->busy, 0);
}

_Noreturn void pcp_report_bad_page(const struct page *page, unsigned int order);

/* Is the top of the hot stack, which is not empty, what it should be? */
static inline bool pcp_top_is_good(const struct pcp_list *list)
{
	return likely(list->hot->head == list->head);
}

/* A good one. */
static inline struct page *pcp_pop(struct pcp_list *list)
{
	struct page *page = list->hot;

	list->hot = page->pcp_next;
	list->nr_hot--;
	/* Relaxed: a neighbour that merges only asks whether it is FREE, before and after it is not. */
	store_relaxed(&page->state, PAGE_ALLOCATED);
	return page;
}

/* An ALLOCATED block of the list's order. */
static inline void pcp_push(struct pcp_list *list, struct page *page)
{
	/* Relaxed: as above. What the holder wrote is released with the list. */
	store_relaxed(&page->state, PAGE_PCP);
	/* Relaxed, as the state: who looks at a page from outside may read it meanwhile. */
	store_relaxed(&page->pcp_next, list->hot);
	list->hot = page;
	list->nr_hot++;
	list->nr_frees++;
}

/* Would pcp_alloc() find a block, without asking the zone? For people. */
static inline bool pcp_has_block(const struct zone *zone, unsigned int order, enum block_type type)
{
	const struct pcp_list *list;
	bool has;

	if (order > PCP_MAX_ORDER)
		return false;
	preempt_disable();
	list = pcp_this_cpu(zone, PAGE_LIST(order, type));
	has = !load_relaxed(&list->busy) && pcp_nr_blocks(list) > 0;
	preempt_enable();
	return has;
}

/*
 * A block of this CPU's, if that is possible at once; else NULL, and pcp_alloc() is next. Here and in
 * pcp_free_hit() each way out has its own end, so that none carries a result to be tested again.
 */
static inline struct page *pcp_alloc_hit(struct zone *zone, u32 index)
{
	struct pcp_list *list;
	struct page *page;

	preempt_disable();
	list = pcp_this_cpu(zone, index);
	if (likely(pcp_own(list))) {
		if (likely(list->hot) && pcp_top_is_good(list)) {
			page = pcp_pop(list);
			pcp_disown(list);
			preempt_enable();
			return page;
		}
		pcp_disown(list);
	}
	preempt_enable();
	return NULL;
}

/* Gives an ALLOCATED block of a small order to this CPU, if that is possible at once. */
static inline bool pcp_free_hit(struct zone *zone, struct page *page)
{
	struct pcp_list *list;

	preempt_disable();
	list = pcp_this_cpu(zone, page->list);
	if (likely(pcp_own(list))) {
		if (likely(list->nr_hot < list->hit_limit)) {
			pcp_push(list, page);
			pcp_disown(list);
			preempt_enable();
			return true;
		}
		pcp_disown(list);
	}
	preempt_enable();
	return false;
}

/* --- Beyond the hit path: mm/pcp.c ---------------------------------------------------------- */

/*
 * The same with refill and flush. NULL / false: this CPU's lists are in use or closed, or the zone
 * has no more than its marks want; the caller goes to the zone. `misplaced`: the request preferred
 * another node.
 */
struct page *pcp_alloc(struct zone *zone, unsigned int order, enum block_type type,
		       enum zone_type request_class, bool misplaced);
bool pcp_free(struct zone *zone, struct page *page, unsigned int order);
/* All of the list goes back to the zone. Pages. By its owner. */
u64 pcp_drain_list(struct zone *zone, struct pcp_list *list, unsigned int order);

/* --- All CPUs' lists: mm/pcp_zone.c ----------------------------------------------------------- */

/* Up to where the hit path may free to a list. Its owner. */
u16 pcp_hit_limit(const struct zone *zone, const struct pcp_list *list);

/*
 * Until hit_paths_open() every request goes beyond its hit path, to the same lists: for who wants to
 * see each one and to change nothing. Nests; a thread, interrupts on. A hit path that another CPU is in
 * may end as one.
 */
void hit_paths_close(void);
void hit_paths_open(void);
bool hit_paths_are_open(void);
/* Boot: what is above and has hit paths, too, is closed and opened with these. */
void hit_paths_follow(void (*close)(void), void (*open)(void));

/*
 * After the zone's nr_claims has changed: while it has one, nothing is freed to its lists by the hit path;
 * begun: and what is on them is given back. Contexts as drain_all_pages().
 */
void pcp_claim_begun(struct zone *zone);
void pcp_claim_ended(struct zone *zone);

/* What all CPUs have of this zone goes back to it. Pages. Contexts as drain_all_pages(). */
u64 drain_zone_pages(struct zone *zone);

/* Boot: the structures, before memblock closes; and the lists opened, once pages are managed. */
void pcps_init(void);
void pcps_start(void);

/* --- Looking: mm/pcp_inspect.c -------------------------------------------------------------- */

/* The lists of CPU numbers that have none: busy for ever. */
extern struct per_cpu_pages pcp_nobody;
/*
 * Of any CPU, with preemption off. Waits, for a bounded time, only where waiting is allowed: in an
 * interrupt, or with interrupts off, the owner may be what was interrupted.
 */
bool pcp_own_any(struct pcp_list *list);

/* For check: owns every CPU's lists of the zone, so that nothing moves. False: one is held on to. */
bool pcp_own_all(struct zone *zone);
void pcp_disown_all(struct zone *zone);

#endif

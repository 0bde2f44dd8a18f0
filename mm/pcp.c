/*
 * Per-CPU page lists: blocks of small orders that a CPU has at hand for itself.
 *
 * The zone's lock guards the buddy lists, and taking it for every page would make it the hottest
 * word of the machine. So each CPU keeps some blocks of orders 0 to 3 of every zone, for movable pages
 * and for others, takes from them and gives to them, and goes to the zone for a batch at a time:
 *
 *	alloc --> [ hot ]         empty: the first cold one; none: refill under the zone lock
 *	free  --> [ hot ]         full: becomes the first cold one; too many: flush the last
 *	          [ cold ] [ cold ] [ cold ]
 *	          last filled         longest there
 *
 * Stacks instead of one long list, after Bonwick's magazines: a full or empty one changes hands in a
 * few instructions, the zone's lock is held for one stack at most, a CPU that frees and allocates
 * around the point where a stack is full leaves the zone alone, and what is flushed is what has been
 * lying longest. The page last freed is the next to be handed out, so its cache lines are warm.
 *
 * How many stacks follows the zone's size: what is kept need not be merged and cut up again, which is
 * more work than the hit itself. Blocks on these lists are out of the zone's
 * free count and do not merge. They are in nobody's way as long as there is plenty, and three things
 * see to it that there is: below the high mark a list shrinks to one cold stack; a refill takes more than
 * is asked for only from what lies above that mark, so that near the marks every single page is
 * accounted to who asked for it; and before a request fails, drain_zone_pages() gives back what all
 * CPUs have.
 *
 * --- Ownership
 *
 * The hit path takes no lock and disables no interrupts. It changes a word of the list, `busy`, from 0
 * to 1 with one atomic operation, works on the list, and stores 0. Whoever finds 1 does not wait but
 * goes to the zone:
 *
 *   an interrupt in the middle of the hit path, in which memory is asked for: finds 1, goes to the
 *     zone, returns; the interrupted code never knows
 *   another thread of this CPU: cannot run, preemption is off while busy is 1
 *   another CPU that drains: may wait, since the owner has some dozens of instructions to go and no
 *     lock to wait for but the zone's, which a drainer does not hold
 *
 * So a drain needs no interrupt to the other CPU, and works on one that sleeps. An owner may take
 * the zone lock (refill, flush): busy comes before the zone lock. It is an atomic operation on a word
 * of the CPU's own cache line: about 20 cycles, and nobody else's business. Each list has its own, in
 * the line that the hit path reads anyway.
 *
 * A CPU number that has no lists of its own (not in the topology, or before they exist) finds those
 * of nobody, which are busy for ever.
 *
 * Who goes through all CPUs' lists, to drain, open or close them: mm/pcp_zone.c.
 *
 * Double frees: the state of a block on a list is PCP, so a second free is refused at once by the
 * caller's check. Of two CPUs freeing the same block at the same moment both may see ALLOCATED;
 * that is found when the second list's block is taken or flushed and is no longer PCP.
 *
 * Sources: Bonwick and Adams, "Magazines and Vmem", USENIX 2001; Linux mm/page_alloc.c (pcp lists,
 * since 2.5; taken by trylock since 6.0), whose batch sizes these resemble.
 */
#include "pcp.h"

#include <mm/os.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>

#include "buddy.h"
#include "claim.h"

/* --- Between a list and its zone ------------------------------------------------------------ */

/* The list's owner. A request was granted one block; more come only from above the high mark. */
static void refill(struct zone *zone, struct pcp_list *list, unsigned int order,
		   enum zone_type request_class)
{
	/* Relaxed: set anew at run time, and either will do. */
	u64 keep = load_relaxed(&zone->watermark[WMARK_HIGH]) +
		   load_relaxed(&zone->lowmem_reserve[request_class]);
	unsigned long flags = spin_lock_irqsave(&zone->lock);
	u64 spare = zone->nr_free_pages > keep ? (zone->nr_free_pages - keep) >> order : 0;

	list->nr_hot = buddy_take_many_locked(zone, order, PAGE_LIST_TYPE(list->index),
					      (u32)MAX(MIN(spare, (u64)list->capacity), (u64)1),
					      &list->hot);
	list->nr_from_zone += list->nr_hot;
	zone_count_locked(zone, PCP_REFILL, 1);
	spin_unlock_irqrestore(&zone->lock, flags);
	trace(TRACE_PCP_REFILL, .arg = (u64)list->nr_hot << order, .nid = (u16)zone->nid,
	      .order = (u8)order, .zone = (u8)zone->type);
}

/* Gives a stack, already off the list, back to the zone. The list's owner. */
static void flush(struct zone *zone, struct pcp_list *list, struct page *stack, u32 nr,
		  unsigned int order)
{
	unsigned long flags;

	list->nr_from_zone -= nr;
	trace(TRACE_PCP_DRAIN, .arg = (u64)nr << order, .nid = (u16)zone->nid, .order = (u8)order,
	      .zone = (u8)zone->type);
	flags = spin_lock_irqsave(&zone->lock);
	if (unlikely(zone->nr_claims))
		stack = claims_filter_locked(zone, stack, order);
	stack = buddy_give_many_locked(zone, stack, order);
	zone_count_locked(zone, PCP_FLUSH, 1);
	spin_unlock_irqrestore(&zone->lock, flags);
	if (unlikely(stack))
		pcp_report_bad_page(stack, order);
}

/* --- Hot and cold --------------------------------------------------------------------------- */

/*
 * As list_add() and list_unlink(), but that each store is one for sure. Relaxed: the links are the
 * owner's, but stand in struct pages, and who looks at a page from outside may read them meanwhile.
 */
static void link_cold(struct pcp_list *list, struct list_head *link)
{
	struct list_head *first = list->cold.next;

	store_relaxed(&link->next, first);
	store_relaxed(&link->prev, &list->cold);
	store_relaxed(&first->prev, link);
	store_relaxed(&list->cold.next, link);
}

static void unlink_cold(const struct list_head *link)
{
	store_relaxed(&link->next->prev, link->prev);
	store_relaxed(&link->prev->next, link->next);
}

/* Of a list that has one. */
static struct page *take_cold(struct pcp_list *list, struct list_head *link)
{
	unlink_cold(link);
	list->nr_cold--;
	return list_entry(link, struct page, pcp_stack);
}

static void flush_oldest_cold(struct zone *zone, struct pcp_list *list, unsigned int order)
{
	flush(zone, list, take_cold(list, list->cold.prev), list->capacity, order);
}

/* The hot stack is empty; afterwards the one filled last is, if there is one. */
static void make_cold_hot(struct pcp_list *list)
{
	if (list->nr_cold == 0)
		return;
	list->hot = take_cold(list, list->cold.next);
	list->nr_hot = list->capacity;
}

/*
 * The hot stack is full; afterwards it is empty. Of those that are too many in a short zone not all go
 * now: two, where one comes, so that nobody keeps the CPU and the list for long.
 */
static void make_hot_cold(struct zone *zone, struct pcp_list *list, unsigned int order)
{
	/* Relaxed: two hints. */
	bool is_short =
		load_relaxed(&zone->nr_free_pages) <= load_relaxed(&zone->watermark[WMARK_HIGH]);
	u32 most = is_short ? 1 : list->max_cold;

	for (u32 flushed = 0; flushed < 2 && list->nr_cold >= most; flushed++)
		flush_oldest_cold(zone, list, order);
	link_cold(list, &list->hot->pcp_stack);
	list->nr_cold++;
	list->hot = NULL;
	list->nr_hot = 0;
}

_Noreturn void pcp_report_bad_page(const struct page *page, unsigned int order)
{
	os_panic("pfn 0x%llx is %s, order %u, and stands on a per-CPU list of order %u: freed "
		 "twice, "
		 "or used after free",
		 (unsigned long long)page_to_pfn(page),
		 page_state_name((enum page_state)page->state), page->order, order);
}

/* --- Beyond the hit path -------------------------------------------------------------------- */

/* This CPU's list, owned, with preemption off; NULL if somebody has it. */
static struct pcp_list *own_this_cpu(struct zone *zone, u32 index)
{
	struct pcp_list *list;

	preempt_disable();
	list = pcp_this_cpu(zone, index);
	if (likely(pcp_own(list)))
		return list;
	preempt_enable();
	if (list != &pcp_nobody.list[index])
		zone_count_atomic(zone, PCP_BUSY);
	return NULL;
}

static void disown_this_cpu(struct pcp_list *list)
{
	pcp_disown(list);
	preempt_enable();
}

struct page *pcp_alloc(struct zone *zone, unsigned int order, enum block_type type,
		       enum zone_type request_class, bool misplaced)
{
	struct pcp_list *list = own_this_cpu(zone, PAGE_LIST(order, type));
	struct page *page = NULL;

	if (!list)
		return NULL;
	if (!list->hot)
		make_cold_hot(list);
	if (!list->hot && list->capacity)
		refill(zone, list, order, request_class);
	if (list->hot) {
		if (unlikely(!pcp_top_is_good(list)))
			pcp_report_bad_page(list->hot, order);
		page = pcp_pop(list);
		list->nr_misplaced += misplaced;
	}
	disown_this_cpu(list);
	return page;
}

bool pcp_free(struct zone *zone, struct page *page, unsigned int order)
{
	struct pcp_list *list = own_this_cpu(zone, page->list);
	bool open;

	if (!list)
		return false;
	open = list->capacity > 0 && !claims_touch(zone, page, order);
	list->hit_limit = pcp_hit_limit(zone, list);
	if (open) {
		if (list->nr_hot >= list->capacity)
			make_hot_cold(zone, list, order);
		pcp_push(list, page);
	}
	disown_this_cpu(list);
	return open;
}

/* --- Draining: the list's owner, of any CPU --------------------------------------------------- */

u64 pcp_drain_list(struct zone *zone, struct pcp_list *list, unsigned int order)
{
	u64 blocks = pcp_nr_blocks(list);
	struct page *hot = list->hot;

	while (list->nr_cold > 0)
		flush_oldest_cold(zone, list, order);
	if (hot) {
		u32 nr_hot = list->nr_hot;

		list->hot = NULL;
		list->nr_hot = 0;
		flush(zone, list, hot, nr_hot, order);
	}
	return blocks << order;
}

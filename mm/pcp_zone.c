/*
 * All CPUs' page lists of a zone: made at boot, drained, opened and closed. Theory and ownership: mm/pcp.c.
 *
 * Who goes through them owns one list at a time, waits for its owner if need be, and holds no lock. So when he is
 * through, each list was as he wants it at some moment, not all of them at one: what has to stay so stands in a word
 * that is changed first and that who owns a list reads, `closed`, `hits_closed` or the zone's nr_claims.
 *
 *	closed += 1     list 0   list 1   list 2 ...      a list that is not reached yet may still be freed to;
 *	                 empty    empty  | not yet        one that was has no capacity, and stays empty
 */
#include "pcp.h"

#include <base/assert.h>
#include <base/string.h>
#include <mm/memblock.h>
#include <mm/mm.h>
#include <mm/os.h>
#include <mm/page_alloc.h>

#include "watermark.h"

/* A stack holds at most so much, and all CPUs' lists at most this share of a zone. */
#define MAX_STACK_PAGES 64
#define MAX_ZONE_SHARE  8
#define MIN_STACKS      4
#define MAX_COLD_STACKS 63 /* with the hot one 4096 pages: 16 MiB of an order */

/*
 * How long a drainer waits for an owner: far longer than interrupts can hold one up. Both must have
 * passed: an owner's CPU may be virtual, one of many, and not run for a while, and then time passes
 * alone; or the waiter's is as slow as turns.
 */
#define OWN_MAX_NS    2000000000ull
#define OWN_MAX_TURNS (1u << 16)
/* A look at the clock every so many turns. */
#define OWN_LOOK_TURNS (1u << 10)

struct per_cpu_pages pcp_nobody = {.list = {[0 ... NR_PCP_LISTS - 1] = {.busy = 1}}};
static bool started;
/*
 * How many want the lists closed; atomic, relaxed throughout. It is changed before the lists are gone
 * through and read by who owns a list, and each list's ownership brings the order: who owns it after
 * a closer sees the closer's count, and who owned it before is followed by the closer.
 */
static u32 closed;
static u32 hits_closed; /* the hit paths alone: the same */
/* Of the slab layer, which stands on this one and registers them; constant after boot. */
static void (*close_above)(void), (*open_above)(void);

/*
 * Up to where the hit path may free to the list. Relaxed: who changes one of them owns every list
 * afterwards; from a list that he could not get it is read here when it is next freed to.
 */
u16 pcp_hit_limit(const struct zone *zone, const struct pcp_list *list)
{
	return load_relaxed(&hits_closed) || load_relaxed(&zone->nr_claims) ? 0 : list->capacity;
}

/* --- Draining ------------------------------------------------------------------------------- */

bool pcp_own_any(struct pcp_list *list)
{
	u64 start = arch_timestamp();
	u32 turns = 0;

	while (!pcp_own(list)) {
		if (irqs_disabled())
			return false;
		if (++turns % OWN_LOOK_TURNS == 0 && turns >= OWN_MAX_TURNS &&
		    arch_timestamp_to_ns(arch_timestamp() - start) >= OWN_MAX_NS)
			return false;
		cpu_relax();
	}
	return true;
}

static unsigned int list_order(const struct pcp_list *list)
{
	return list->index % NR_PCP_ORDERS;
}

/* Calls fn on every list of the zone, owned. Those held on to are counted and left out. */
static u64 for_each_list(struct zone *zone,
			 u64 (*fn)(struct zone *zone, struct pcp_list *list, unsigned int order))
{
	u64 sum = 0;

	for (u32 i = 0; i < MAX_CPUS * NR_PCP_LISTS; i++) {
		struct per_cpu_pages *pcp = zone->pcp[i / NR_PCP_LISTS];
		struct pcp_list *list = &pcp->list[i % NR_PCP_LISTS];

		if (pcp == &pcp_nobody)
			continue;
		preempt_disable();
		if (pcp_own_any(list)) {
			sum += fn(zone, list, list_order(list));
			pcp_disown(list);
		} else {
			zone_count_atomic(zone, PCP_BUSY);
		}
		preempt_enable();
	}
	return sum;
}

u64 drain_zone_pages(struct zone *zone)
{
	u64 drained = zone->managed_pages ? for_each_list(zone, pcp_drain_list) : 0;

	/* Relaxed: a figure, and no lock is held. */
	if (drained)
		__atomic_fetch_add(&zone->events[PCP_DRAINED], drained, __ATOMIC_RELAXED);
	return drained;
}

u64 drain_all_pages(void)
{
	struct zone *zone;
	u64 pages = 0;
	int nid;

	for_each_zone(nid, zone)
		pages += drain_zone_pages(zone);
	return pages;
}

/* --- Open and closed ------------------------------------------------------------------------ */

/* What all stacks of one list may hold. */
static u64 list_pages(const struct zone *zone)
{
	u64 lists = (u64)numa_topology()->nr_cpus * NR_PCP_LISTS;

	return zone->managed_pages / MAX_ZONE_SHARE / lists;
}

/* What one of them may hold: a power of two, so that a refill is one block cut up. */
static u32 stack_pages(const struct zone *zone)
{
	u64 pages = MIN(list_pages(zone) / MIN_STACKS, (u64)MAX_STACK_PAGES);

	return pages ? (u32)1 << (63 - __builtin_clzll(pages)) : 0;
}

/* A closed list is an empty one without capacity. */
static u64 set_capacity(struct zone *zone, struct pcp_list *list, unsigned int order)
{
	u32 pages = load_relaxed(&closed) ? 0 : stack_pages(zone);
	u64 drained = pages ? 0 : pcp_drain_list(zone, list, order);

	list->capacity = (u16)(pages >> order);
	list->hit_limit = pcp_hit_limit(zone, list);
	/* One is hot. */
	list->max_cold = pages ? (u8)MIN(list_pages(zone) / pages - 1, (u64)MAX_COLD_STACKS) : 0;
	return drained;
}

static void set_capacities(void)
{
	struct zone *zone;
	int nid;

	if (!started)
		return;
	for_each_zone(nid, zone)
		for_each_list(zone, set_capacity);
}

static u64 drain_for_claim(struct zone *zone, struct pcp_list *list, unsigned int order)
{
	u64 drained = pcp_drain_list(zone, list, order);

	return drained + set_capacity(zone, list, order);
}

void pcp_claim_begun(struct zone *zone)
{
	for_each_list(zone, drain_for_claim);
}

void pcp_claim_ended(struct zone *zone)
{
	if (started)
		for_each_list(zone, set_capacity);
}

void pcp_close(void)
{
	__atomic_fetch_add(&closed, 1, __ATOMIC_RELAXED);
	/* Also by who is not the first: the first may be at it still. */
	set_capacities();
}

void pcp_open(void)
{
	u32 before = __atomic_fetch_sub(&closed, 1, __ATOMIC_RELAXED);

	ASSERT_MSG(before > 0, "per-CPU page lists opened, which nobody closed");
	if (before == 1)
		set_capacities();
}

/*
 * What the hit paths read in any case says no: taking finds no zone with enough, giving no room. Lists
 * and marks stay, so requests get the same blocks as before, only later.
 */
void hit_paths_close(void)
{
	__atomic_fetch_add(&hits_closed, 1, __ATOMIC_RELAXED);
	/* Also by who is not the first: as pcp_close(). */
	fast_marks_setup();
	set_capacities();
	if (close_above)
		close_above();
}

void hit_paths_open(void)
{
	u32 before = __atomic_fetch_sub(&hits_closed, 1, __ATOMIC_RELAXED);

	ASSERT_MSG(before > 0, "hit paths opened, which nobody closed");
	if (open_above)
		open_above();
	if (before > 1)
		return;
	fast_marks_setup();
	set_capacities();
}

void hit_paths_follow(void (*close)(void), void (*open)(void))
{
	ASSERT_MSG(hit_paths_are_open(), "slabs begin while hit paths are closed");
	close_above = close;
	open_above = open;
}

bool hit_paths_are_open(void)
{
	return !load_relaxed(&hits_closed);
}

static void init_list(struct pcp_list *list, u32 index)
{
	list->index = (u8)index;
	list->head = (u16)PAGE_HEAD(PAGE_PCP, list_order(list));
	list_init(&list->cold);
}

/* One piece for each CPU, on its own node: its lists of every zone that has memory. */
void pcps_init(void)
{
	u32 nr_cpus = MIN(numa_topology()->nr_cpus, (u32)MAX_CPUS), nr_zones = 0;
	struct zone *zone;
	int nid;

	for_each_zone(nid, zone) {
		for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
			zone->pcp[cpu] = &pcp_nobody;
		nr_zones += zone->present_pages > 0;
	}
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		u64 size_bytes = nr_zones * sizeof(struct per_cpu_pages);
		phys_addr_t at =
			numa_alloc_early(cpu_to_node(cpu), size_bytes, PAGE_SIZE, MEMBLOCK_PER_CPU);
		struct per_cpu_pages *pcp;

		if (at == 0)
			os_panic("mm: no memory for the page lists of CPU %u (%llu bytes)", cpu,
				 (unsigned long long)size_bytes);
		pcp = phys_to_virt(at);
		memset(pcp, 0, size_bytes);
		for_each_zone(nid, zone) {
			if (zone->present_pages == 0)
				continue;
			for (u32 i = 0; i < NR_PCP_LISTS; i++)
				init_list(&pcp->list[i], i);
			zone->pcp[cpu] = pcp++;
		}
	}
}

void pcps_start(void)
{
	started = true;
	set_capacities();
}

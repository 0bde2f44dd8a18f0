/*
 * Executing the invariants: the sentences above the structs, as code.
 *
 * Each invariant has an id, which stands above the struct it is about, in the tests that break it
 * on purpose and in the output of `check`. This file has those of early memory, nodes and
 * zonelists; mm/check_zone.c those of zones and pages, mm/check_type.c those of block types,
 * mm/check_claim.c those of claims, mm/check_lru.c those of LRU lists, mm/check_pressure.c those of
 * shrinkers and OOM victims, mm/check_reclaim.c those of kswapd and the engine, mm/check_slab.c and
 * mm/check_slab_cpu.c those of object caches, mm/check_trace.c those of the trace rings.
 *
 * Locks: each zone's, each node's LRU lock, those of shrinkers, victims and object caches, those of caches' homes, in
 * turn. Nothing is changed, nothing allocated.
 *
 * Those of shrinkers, victims and caches are threads' locks, held with interrupts on. May who checks wait for them?
 *
 *	a thread                      yes: who holds one keeps his CPU and waits for nothing under it, neither a lock
 *	a thread, interrupts off      nor an answer, so it ends by itself; what interrupts him there is not ours
 *	an interrupt                  no: whom it interrupted may hold it, or have drawn the number before ours, and
 *	                              goes on when we have ended. The same is true of a CPU's page lists. So
 *	                              nothing is run, and a line says so
 *	an NMI, a panic               nobody checks there: a panic reads zones without their locks
 */
#include <mm/check.h>

#include <arch/page.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/memblock.h>
#include <mm/os.h>
#include <mm/os_task.h>

#include "check_internal.h"
#include "check_slab.h"
#include "memblock_internal.h"
#include "numa_internal.h"
#include "pcp.h"
#include "zone.h"

/* Further failures of one invariant are counted, not logged. */
#define MAX_LOGGED 4

void check_fail(struct check *c, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	if (c->failures++ < MAX_LOGGED)
		os_log(OS_LOG_ERR, "check", "%s broken: %s", c->id, text);
	if (c->report->first[0] == '\0')
		snprintf(c->report->first, sizeof(c->report->first), "%s: %s", c->id, text);
}

/* --- Early memory -------------------------------------------------------------------------- */

/* By whether it is the list of reservations. */
static const char *const list_names[] = {"memory", "reserved"};

static void regions_sorted(struct check *c)
{
	for (int i = 0; i < 2; i++) {
		const struct region_list *list = memblock_region_list(i == 1);

		for (u32 r = 0; r < list->nr; r++) {
			const struct region *region = &list->region[r];

			c->report->items++;
			if (region->base >= region->end ||
			    !IS_ALIGNED(region->base | region->end, PAGE_SIZE) ||
			    (r > 0 && region->base < region[-1].end))
				check_fail(c, "%s[%u] = [0x%llx, 0x%llx)", list_names[i], r,
					   (unsigned long long)region->base,
					   (unsigned long long)region->end);
		}
	}
}

static void regions_merged(struct check *c)
{
	for (int i = 0; i < 2; i++) {
		const struct region_list *list = memblock_region_list(i == 1);

		for (u32 r = 1; r < list->nr; r++) {
			const struct region *region = &list->region[r];

			if (region->base == region[-1].end && region->attr == region[-1].attr)
				check_fail(c, "%s[%u] and [%u] touch at 0x%llx, both %d",
					   list_names[i], r - 1, r,
					   (unsigned long long)region->base, region->attr);
		}
	}
}

static void accounting(struct check *c)
{
	struct page_accounting a;

	page_accounting(&a);
	c->report->items += a.ram_pages;
	if (a.lost_pages != 0)
		check_fail(c, "%llu pages of RAM, %llu managed, %lld accounted for by nobody",
			   (unsigned long long)a.ram_pages, (unsigned long long)a.managed_pages,
			   (long long)a.lost_pages);
}

/* --- Nodes --------------------------------------------------------------------------------- */

static void topology_nodes(struct check *c)
{
	const struct numa_topology *t = numa_topology();

	if (!numa_check_nodes(t))
		check_fail(c, "%u nodes, or a range or CPU of a node beyond them", t->nr_nodes);
}

static void topology_ranges(struct check *c)
{
	if (!numa_check_ranges(numa_topology()))
		check_fail(c, "ranges unsorted, empty or overlapping");
}

static void topology_distances(struct check *c)
{
	if (!numa_check_distances(numa_topology()))
		check_fail(c, "a node not at %d from itself, or another at %d or less",
			   LOCAL_DISTANCE, LOCAL_DISTANCE);
}

static void ram_has_nodes(struct check *c)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next_ram(&cursor, &range)) {
		c->report->items++;
		if (range.nid < 0 || (u32)range.nid >= numa_topology()->nr_nodes)
			check_fail(c, "[0x%llx, 0x%llx) belongs to node %d",
				   (unsigned long long)range.base, (unsigned long long)range.end,
				   range.nid);
	}
}

/* --- Zonelists ----------------------------------------------------------------------------- */

static bool zonelist_has(const struct zonelist *list, const struct zone *zone, u32 limit)
{
	for (u32 i = 0; i < limit; i++) {
		if (list->ref[i].zone == zone)
			return true;
	}
	return false;
}

static void zonelist_entries(struct check *c)
{
	int nid;

	for_each_node(nid) {
		for (u32 kind = 0; kind < NR_ZONELISTS; kind++) {
			const struct zonelist *list = &NODE_DATA(nid)->zonelist[kind];

			for (u32 i = 0; i < list->nr; i++) {
				const struct zone *zone = list->ref[i].zone;

				c->report->items++;
				if (zone->managed_pages == 0 || zonelist_has(list, zone, i) ||
				    (kind == ZONELIST_THISNODE && zone->nid != nid))
					check_fail(c, "node %d list %u entry %u: node %d zone %s",
						   nid, kind, i, zone->nid,
						   zone_type_name(zone->type));
			}
		}
	}
}

static void zonelist_order(struct check *c)
{
	int nid;

	for_each_node(nid) {
		const struct zonelist *list = &NODE_DATA(nid)->zonelist[ZONELIST_FALLBACK];

		for (u32 i = 1; i < list->nr; i++) {
			const struct zone *a = list->ref[i - 1].zone, *b = list->ref[i].zone;

			if (a->nid == b->nid
				    ? a->type <= b->type
				    : numa_distance(nid, a->nid) > numa_distance(nid, b->nid))
				check_fail(c,
					   "node %d tries node %d zone %s before node %d zone %s",
					   nid, a->nid, zone_type_name(a->type), b->nid,
					   zone_type_name(b->type));
		}
	}
}

static void zonelist_complete(struct check *c)
{
	const struct zone *zone;
	int nid, from;

	for_each_zone(nid, zone) {
		if (zone->managed_pages == 0)
			continue;
		for_each_node(from) {
			const struct zonelist *list = &NODE_DATA(from)->zonelist[ZONELIST_FALLBACK];

			if (!zonelist_has(list, zone, list->nr))
				check_fail(c, "node %d never tries node %d zone %s", from, nid,
					   zone_type_name(zone->type));
		}
	}
}

/* --- Looking again -------------------------------------------------------------------------- */

#define LOOK_NS 1000000ull

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* Who is amidst a change may be stopped there, by a thread of its CPU, or all of the CPU by the host. */
void check_wait_a_moment(u32 look)
{
	struct os_wait_queue nobody;

	if (look == 0 || !os_may_sleep())
		return;
	os_wait_queue_init(&nobody, "check");
	os_wait(&nobody, never, NULL, LOOK_NS << look);
}

/* --- All of them --------------------------------------------------------------------------- */

static const struct invariant invariants[] = {
	{"MEMBLOCK-1", "ranges are whole pages, sorted, not empty, not overlapping",
	 .run = regions_sorted},
	{"MEMBLOCK-2", "ranges that touch differ in node or owner", .run = regions_merged},
	{"ACCT-1", "RAM is what the zones manage and what has an owner by name", .run = accounting},
	{"NUMA-1", "every range and CPU belongs to a node there is", .run = topology_nodes},
	{"NUMA-2", "the firmware's ranges are sorted and do not overlap", .run = topology_ranges},
	{"NUMA-3", "a node is at 10 from itself and farther from others",
	 .run = topology_distances},
	{"NUMA-4", "every range of RAM belongs to a node", .run = ram_has_nodes},
	{"ZONELIST-1", "no zone twice or without pages; a this-node list stays home",
	 .run = zonelist_entries},
	{"ZONELIST-2", "nearer nodes come first, and in a node the highest zone",
	 .run = zonelist_order},
	{"ZONELIST-3", "every node's fallback reaches every zone with pages",
	 .run = zonelist_complete},
};

/* The i-th of all tables, or NULL. */
static const struct invariant *invariant_at(u32 i)
{
	if (i < ARRAY_SIZE(invariants))
		return &invariants[i];
	i -= (u32)ARRAY_SIZE(invariants);
	if (i < nr_zone_invariants)
		return &zone_invariants[i];
	i -= nr_zone_invariants;
	if (i < nr_type_invariants)
		return &type_invariants[i];
	i -= nr_type_invariants;
	if (i < nr_claim_invariants)
		return &claim_invariants[i];
	i -= nr_claim_invariants;
	if (i < nr_lru_invariants)
		return &lru_invariants[i];
	i -= nr_lru_invariants;
	if (i < nr_pressure_invariants)
		return &pressure_invariants[i];
	i -= nr_pressure_invariants;
	if (i < nr_reclaim_invariants)
		return &reclaim_invariants[i];
	i -= nr_reclaim_invariants;
	if (i < nr_slab_invariants)
		return &slab_invariants[i];
	i -= nr_slab_invariants;
	if (i < nr_slab_cpu_invariants)
		return &slab_cpu_invariants[i];
	i -= nr_slab_cpu_invariants;
	return i < nr_trace_invariants ? &trace_invariants[i] : NULL;
}

static void run_on_zones(const struct invariant *invariant, struct check *c)
{
	struct zone *zone;
	int nid;

	for_each_zone(nid, zone) {
		unsigned long flags;

		/* With both nothing of the zone moves, however busy the other CPUs are. */
		preempt_disable();
		if (!pcp_own_all(zone)) {
			check_fail(c, "node %d zone %s: a CPU holds on to its page lists", nid,
				   zone_type_name(zone->type));
			preempt_enable();
			continue;
		}
		flags = spin_lock_irqsave(&zone->lock);
		invariant->run_zone_locked(c, zone);
		spin_unlock_irqrestore(&zone->lock, flags);
		pcp_disown_all(zone);
		preempt_enable();
	}
}

bool mm_check(struct check_report *report)
{
	return mm_check_until(report, NULL);
}

bool mm_check_until(struct check_report *report, bool (*stop)(void))
{
	const struct invariant *invariant;

	memset(report, 0, sizeof(*report));
	if (os_in_interrupt()) {
		report->stopped = true;
		os_log(OS_LOG_WARN, "check",
		       "nothing is checked in an interrupt: whom it interrupted may hold locks");
		return false;
	}
	for (u32 i = 0; (invariant = invariant_at(i)) != NULL; i++) {
		struct check c = {.id = invariant->id, .report = report};

		report->stopped = stop && stop();
		if (report->stopped)
			return false;
		if (invariant->run)
			invariant->run(&c);
		else
			run_on_zones(invariant, &c);
		report->run++;
		report->failed += c.failures != 0;
		if (c.failures > MAX_LOGGED)
			os_log(OS_LOG_ERR, "check", "%s: %u failures in all", c.id, c.failures);
	}
	return report->failed == 0;
}

bool mm_check_describe(u32 i, const char **id, const char **sentence)
{
	const struct invariant *invariant = invariant_at(i);

	if (!invariant)
		return false;
	*id = invariant->id;
	*sentence = invariant->sentence;
	return true;
}

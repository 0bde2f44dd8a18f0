/*
 * Counted events, and sums of what is counted elsewhere.
 *
 * Three places count, each what it sees at no extra cost:
 *
 *	zone->events[]    under the zone's lock, which is held anyway; the few that are counted
 *	                  without it are atomic                                        mm/zone.h
 *	pcp_list          allocations follow from blocks that came and blocks that are there, so
 *	                  that taking a page from a list counts nothing               mm/pcp.h
 *	vmstat_counters   the slow path and other rare things, on the CPU they happen on:
 *	                  one atomic addition to a line that no other CPU writes
 *
 * The hit paths therefore carry no counter at all. A report adds all of it up; while others
 * allocate it is a sum of many moments, and exact when they rest.
 *
 * Names are Linux's where the meaning is (pgalloc_*, pgfree, allocstall_*, numa_*): pages for pgalloc
 * and pgfree, blocks for numa_*, rounds for allocstall_*.
 */
#include "vmstat.h"

#include <base/string.h>

#include "zone.h"

struct vmstat_counters vmstat_counters[MAX_CPUS];

_Static_assert(VMSTAT_ALLOCSTALL_NORMAL == VMSTAT_ALLOCSTALL_DMA + ZONE_NORMAL,
	       "one for each type of zone");

static const char *const names[] = {
	[VMSTAT_ALLOCSTALL_DMA] = "allocstall_dma",
	[VMSTAT_ALLOCSTALL_DMA32] = "allocstall_dma32",
	[VMSTAT_ALLOCSTALL_NORMAL] = "allocstall_normal",
	[VMSTAT_PGACTIVATE] = "pgactivate",
	[VMSTAT_PGDEACTIVATE] = "pgdeactivate",
	[VMSTAT_PGROTATED] = "pgrotated",
	[VMSTAT_WORKINGSET_REFAULT] = "workingset_refault",
	[VMSTAT_WORKINGSET_ACTIVATE] = "workingset_activate",
	[VMSTAT_PGREFILL] = "pgrefill",
	[VMSTAT_PGSTEAL_KSWAPD] = "pgsteal_kswapd",
	[VMSTAT_PGSTEAL_DIRECT] = "pgsteal_direct",
	[VMSTAT_PGSCAN_KSWAPD] = "pgscan_kswapd",
	[VMSTAT_PGSCAN_DIRECT] = "pgscan_direct",
	[VMSTAT_PAGEOUTRUN] = "pageoutrun",
	[VMSTAT_VMSCAN_WRITE] = "nr_vmscan_write",
	[VMSTAT_SLABS_SCANNED] = "slabs_scanned",
	[VMSTAT_OOM_KILL] = "oom_kill",
	[VMSTAT_PGSKIP] = "hw_pgskip",
	[VMSTAT_ALLOC_WAKE_KSWAPD] = "hw_alloc_wake_kswapd",
	[VMSTAT_ALLOC_MIN] = "hw_alloc_min",
	[VMSTAT_ALLOC_NO_MARKS] = "hw_alloc_no_marks",
	[VMSTAT_ALLOC_AFTER_RECLAIM] = "hw_alloc_after_reclaim",
	[VMSTAT_ALLOC_DRAIN] = "hw_alloc_drain",
	[VMSTAT_ALLOC_AFTER_DRAIN] = "hw_alloc_after_drain",
	[VMSTAT_ALLOC_OOM] = "hw_alloc_oom",
	[VMSTAT_ALLOC_GIVE_UP] = "hw_alloc_give_up",
	[VMSTAT_ALLOC_MEMS_MOVED] = "hw_alloc_mems_moved",
	[VMSTAT_ALLOC_REFUSED] = "hw_alloc_refused",
	[VMSTAT_TARGET_LOOKED] = "hw_target_looked",
	[VMSTAT_TARGET_LOOKED_PAGES] = "hw_target_looked_pages",
	[VMSTAT_TARGET_CHOSEN] = "hw_target_chosen",
	[VMSTAT_TARGET_COMPLETED] = "hw_target_completed",
	[VMSTAT_TARGET_GIVEN_UP] = "hw_target_given_up",
	[VMSTAT_TARGET_INCOMPLETE] = "hw_target_incomplete",
	[VMSTAT_TARGET_EVICTED] = "hw_target_evicted",
	[VMSTAT_FAULT_INJECTED] = "hw_fault_injected",
	[VMSTAT_OOM_PASSED_OVER] = "hw_oom_passed_over",
	[VMSTAT_OOM_TURN_WAIT] = "hw_oom_turn_wait",
	[VMSTAT_SLAB_REFILL] = "hw_slab_refill",
	[VMSTAT_SLAB_FLUSH] = "hw_slab_flush",
	[VMSTAT_SLAB_ALIEN_FLUSH] = "hw_slab_alien_flush",
	[VMSTAT_SLAB_GROW] = "hw_slab_grow",
	[VMSTAT_SLAB_GIVE_BACK] = "hw_slab_give_back",
	[VMSTAT_SLAB_FALLBACK] = "hw_slab_fallback",
	[VMSTAT_SLAB_FALLBACK_LOOK] = "hw_slab_fallback_look",
	[VMSTAT_SLAB_FALLBACK_OBJECT] = "hw_slab_fallback_object",
	[VMSTAT_SLAB_FALLBACK_DRAIN] = "hw_slab_fallback_drain",
	[VMSTAT_SLAB_FALLBACK_PAGE] = "hw_slab_fallback_page",
	[VMSTAT_SLAB_FALLBACK_RETRY] = "hw_slab_fallback_retry",
	[VMSTAT_SLAB_FALLBACK_ATOMIC] = "hw_slab_fallback_atomic",
	[VMSTAT_SLAB_MEMS_MOVED] = "hw_slab_mems_moved",
	[VMSTAT_SLAB_FAIL] = "hw_slab_fail",
	[VMSTAT_SLAB_REAP] = "hw_slab_reap",
	[VMSTAT_SLAB_REAPED] = "hw_slab_reaped",
	[VMSTAT_SLAB_UNSHARE] = "hw_slab_unshare",
	[VMSTAT_SLAB_DEBUG_ALLOC] = "hw_slab_debug_alloc",
	[VMSTAT_SLAB_DEBUG_FREE] = "hw_slab_debug_free",
};
_Static_assert(ARRAY_SIZE(names) == NR_VMSTAT_ITEMS, "every item has a name");

const char *vmstat_name(enum vmstat_item item)
{
	return (u32)item < NR_VMSTAT_ITEMS ? names[item] : "?";
}

/* Relaxed: as counted. */
u64 vmstat_read(enum vmstat_item item)
{
	u64 sum = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		sum += load_relaxed(&vmstat_counters[cpu].count[item]);
	return sum;
}

/* --- Sums ----------------------------------------------------------------------------------- */

bool numa_figures(int nid, struct numa_figures *out)
{
	struct zone_snapshot zone;

	*out = (struct numa_figures){0};
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		if (!zone_snapshot(nid, (enum zone_type)type, &zone))
			return false;
		out->hit += zone.events[NUMA_HIT];
		out->miss += zone.events[NUMA_MISS];
		out->foreign += zone.events[NUMA_FOREIGN];
		out->interleave_hit += zone.events[NUMA_INTERLEAVE_HIT];
		out->local_node += zone.events[NUMA_LOCAL];
		out->other_node += zone.events[NUMA_OTHER];
	}
	return true;
}

/* What the zone keeps from the class of request that it keeps most from, above its high mark. */
static u64 kept_pages(const struct zone_snapshot *zone)
{
	u64 reserve = 0;

	for (u32 class = 0; class < MAX_NR_ZONES; class ++)
		reserve = MAX(reserve, zone->lowmem_reserve[class]);
	return MIN(reserve + zone->watermark[WMARK_HIGH], zone->managed_pages);
}

static void add_zone(struct vm_totals *out, const struct zone_snapshot *zone)
{
	out->managed_pages += zone->managed_pages;
	out->free_pages += zone->free_pages;
	out->pcp_pages += zone->pcp_pages;
	out->captured_pages += zone->nr_captured;
	out->alloc_pages[zone->type] += zone->events[ZONE_ALLOC_PAGES];
	for (u32 event = 0; event < NR_ZONE_EVENTS; event++)
		out->events[event] += zone->events[event];
}

static void add_lru(struct lru_snapshot *sum, int nid)
{
	struct lru_snapshot lru;

	if (!lru_snapshot(nid, &lru))
		return;
	for (u32 list = 0; list < NR_LRU_LISTS; list++)
		sum->pages[list] += lru.pages[list];
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		sum->zone_pages[type] += lru.zone_pages[type];
	sum->dirty_pages += lru.dirty_pages;
	sum->writeback_pages += lru.writeback_pages;
	sum->age += lru.age;
}

/*
 * Available as Linux counts it: free pages less what all zones keep, and what can be reclaimed, less half of it
 * or the low marks, whichever is less: so much is better left where it is.
 */
void vm_totals(struct vm_totals *out)
{
	u64 kept = 0, low = 0, free, reclaimable;
	int nid;

	memset(out, 0, sizeof(*out));
	for_each_node(nid) {
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			struct zone_snapshot zone;

			if (!zone_snapshot(nid, (enum zone_type)type, &zone))
				continue;
			add_zone(out, &zone);
			kept += kept_pages(&zone);
			low += zone.watermark[WMARK_LOW];
		}
		add_lru(&out->lru, nid);
	}
	free = out->free_pages + out->pcp_pages;
	reclaimable = out->lru.pages[LRU_INACTIVE] + out->lru.pages[LRU_ACTIVE];
	out->available_pages = free > kept ? free - kept : 0;
	out->available_pages += reclaimable - MIN(reclaimable / 2, low);
}

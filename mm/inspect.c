/*
 * Looking in from outside: copies of zones and nodes, taken under the zone's lock, so that what a
 * report prints belongs together. Nothing here changes anything.
 */
#include <mm/inspect.h>

#include <base/assert.h>
#include <base/string.h>
#include <mm/memblock.h>

#include "zone.h"

/*
 * Relaxed: what is not guarded by the lock (marks, some events; without the lock anything) is one word
 * each, and a figure.
 */
static void copy_words(u64 *out, const u64 *from, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		out[i] = load_relaxed(&from[i]);
}

static void copy_zone(const struct zone *zone, struct zone_snapshot *out)
{
	*out = (struct zone_snapshot){
		.nid = zone->nid,
		.type = zone->type,
		.name = zone_type_name(zone->type),
		.start_pfn = zone->start_pfn,
		.spanned_pages = zone->spanned_pages,
		.present_pages = zone->present_pages,
		.managed_pages = zone->managed_pages,
		.free_pages = zone->nr_free_pages,
		.nr_captured = zone->nr_captured,
	};
	for (u32 order = 0; order < NR_ORDERS; order++) {
		for (u32 type = 0; type < NR_BLOCK_TYPES; type++) {
			out->type_blocks[type][order] = zone->free[type].area[order].nr_free;
			out->free_blocks[order] += zone->free[type].area[order].nr_free;
		}
	}
	copy_words(out->watermark, zone->watermark, NR_WMARK);
	copy_words(out->lowmem_reserve, zone->lowmem_reserve, MAX_NR_ZONES);
	copy_words(out->events, zone->events, NR_ZONE_EVENTS);
}

/* What happened on the CPUs' own lists, which count for themselves. */
static void add_pcps(struct zone_snapshot *out)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		bool local = cpu_to_node(cpu) == out->nid;
		struct pcp_snapshot pcp;

		if (!pcp_snapshot(out->nid, out->type, cpu, &pcp))
			continue;
		out->pcp_pages += pcp.pages;
		out->events[ZONE_ALLOC] += pcp.allocs;
		out->events[ZONE_ALLOC_PAGES] += pcp.alloc_pages;
		out->events[ZONE_FREE] += pcp.frees;
		out->events[ZONE_FREE_PAGES] += pcp.free_pages;
		out->events[NUMA_HIT] += pcp.allocs - pcp.misplaced;
		out->events[NUMA_MISS] += pcp.misplaced;
		out->events[local ? NUMA_LOCAL : NUMA_OTHER] += pcp.allocs;
	}
}

struct zone *zone_find(int nid, enum zone_type type)
{
	if (nid < 0 || nid >= MAX_NUMNODES || NODE_DATA(nid) == NULL || type >= MAX_NR_ZONES)
		return NULL;
	return &NODE_DATA(nid)->zones[type];
}

bool zone_snapshot(int nid, enum zone_type type, struct zone_snapshot *out)
{
	struct zone *zone = zone_find(nid, type);
	unsigned long flags;

	if (!zone)
		return false;
	flags = spin_lock_irqsave(&zone->lock);
	copy_zone(zone, out);
	spin_unlock_irqrestore(&zone->lock, flags);
	add_pcps(out);
	return true;
}

bool zone_snapshot_unlocked(int nid, enum zone_type type, struct zone_snapshot *out)
{
	const struct zone *zone = zone_find(nid, type);

	if (!zone)
		return false;
	copy_zone(zone, out);
	add_pcps(out);
	return true;
}

bool node_snapshot(int nid, struct node_snapshot *out)
{
	struct zone_snapshot zone;
	pfn_t end_pfn = 0;

	if (!zone_snapshot(nid, ZONE_DMA, &zone))
		return false;
	memset(out, 0, sizeof(*out));
	out->nid = nid;
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		zone_snapshot(nid, (enum zone_type)type, &zone);
		if (zone.present_pages == 0)
			continue;
		if (out->present_pages == 0)
			out->start_pfn = zone.start_pfn;
		end_pfn = zone.start_pfn + zone.spanned_pages;
		out->spanned_pages = end_pfn - out->start_pfn;
		out->present_pages += zone.present_pages;
		out->managed_pages += zone.managed_pages;
		out->free_pages += zone.free_pages + zone.pcp_pages;
	}
	return true;
}

bool zonelist_entry(int nid, bool this_node_only, u32 i, int *zone_nid, enum zone_type *type)
{
	const struct zonelist *list;

	if (nid < 0 || nid >= MAX_NUMNODES || NODE_DATA(nid) == NULL)
		return false;
	list = &NODE_DATA(nid)->zonelist[this_node_only ? ZONELIST_THISNODE : ZONELIST_FALLBACK];
	if (i >= list->nr)
		return false;
	*zone_nid = list->ref[i].zone->nid;
	*type = list->ref[i].zone->type;
	return true;
}

void page_accounting(struct page_accounting *out)
{
	const struct zone *zone;
	u64 known;
	int nid;

	_Static_assert(ARRAY_SIZE(out->reserved_pages) >= MEMBLOCK_NR_OWNERS, "an entry an owner");
	memset(out, 0, sizeof(*out));
	out->ram_pages = memblock_ram_pages();
	for_each_zone(nid, zone)
		out->managed_pages += zone->managed_pages;
	known = out->managed_pages;
	for (u32 owner = 0; owner < MEMBLOCK_NR_OWNERS; owner++) {
		out->reserved_pages[owner] = memblock_reserved_pages((enum memblock_owner)owner);
		known += out->reserved_pages[owner];
	}
	out->lost_pages = out->ram_pages - known;
}

const char *zone_event_name(enum zone_event event)
{
	static const char *const names[] = {
		[ZONE_ALLOC] = "pgalloc_blocks",
		[ZONE_FREE] = "pgfree_blocks",
		[ZONE_ALLOC_PAGES] = "pgalloc",
		[ZONE_FREE_PAGES] = "pgfree",
		[ZONE_SPLIT] = "buddy_split",
		[ZONE_MERGE] = "buddy_merge",
		[PCP_REFILL] = "pcp_refill",
		[PCP_FLUSH] = "pcp_flush",
		[PCP_DRAINED] = "pcp_drained",
		[PCP_BUSY] = "pcp_busy",
		[EXTFRAG_FALLBACK] = "extfrag_fallback",
		[EXTFRAG_STEAL] = "extfrag_steal",
		[EXTFRAG_PAGEBLOCK] = "extfrag_pageblock",
		[CLAIM_BEGUN] = "claim_begun",
		[CLAIM_COMPLETED] = "claim_completed",
		[CLAIM_CAPTURED_PAGES] = "claim_captured_pages",
		[CLAIM_RETURNED_PAGES] = "claim_returned_pages",
		[ZONE_WMARK_FAILED] = "watermark_failed",
		[NUMA_HIT] = "numa_hit",
		[NUMA_MISS] = "numa_miss",
		[NUMA_FOREIGN] = "numa_foreign",
		[NUMA_LOCAL] = "numa_local",
		[NUMA_OTHER] = "numa_other",
		[NUMA_INTERLEAVE_HIT] = "numa_interleave",
		[ZONE_RESERVE_TAKEN] = "reserve_taken",
	};

	_Static_assert(ARRAY_SIZE(names) == NR_ZONE_EVENTS, "every event has a name");
	return event < NR_ZONE_EVENTS ? names[event] : "?";
}

/*
 * The report of mm/oom.c, in the order in which a kernel person reads Linux's:
 *
 *	who asked for what            NAME invoked oom-killer: gfp_mask=..., order=..., nid=...
 *	how it came to that           call trace
 *	how it stands with memory     Mem-Info: each node's reclaimable pages, each zone with its marks
 *	why a block is not there      each zone's free blocks by order, and of which type
 *	who has it in objects         the largest caches
 *	who gave back what            shrinkers
 *	who could end                 victims, with what each would give back
 *
 * No lock but those of each snapshot: the lines are of different moments, and while others allocate they
 * need not agree.
 */
#include "oom.h"

#include <base/format.h>
#include <mm/lru.h>
#include <mm/os.h>
#include <mm/shrinker.h>
#include <mm/slab_inspect.h>

#define ULL(x)           ((unsigned long long)(x))

#define ORDER_TEXT_BYTES 24
#define LINE_BYTES       (NR_ORDERS * ORDER_TEXT_BYTES)
#define LARGEST_CACHES   6

static void say_request(const struct alloc_context *ac, uintptr_t call_site)
{
	char gfp_text[GFP_TEXT_BYTES], caller[OS_CALLER_BYTES];

	gfp_format(ac->gfp, gfp_text, sizeof(gfp_text));
	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_WARN, "oom", "%s invoked oom-killer: gfp_mask=0x%x(%s), order=%u, nid=%d",
	       os_current_name(), ac->gfp, gfp_text, ac->order, ac->permit.preferred_nid);
	os_log(OS_LOG_WARN, "oom", "CPU: %u  class: %s  nodes allowed: 0x%llx  asked by %s",
	       smp_processor_id(), zone_type_name(ac->request_class),
	       ULL(ac->permit.nodes & node_memory_mask()), caller);
	os_log(OS_LOG_WARN, "oom", "Call trace:");
	os_backtrace(OS_LOG_WARN, "oom");
}

static void say_zone(const struct zone_snapshot *zone)
{
	os_log(OS_LOG_WARN, "oom",
	       "Node %d %-6s free:%llu min:%llu low:%llu high:%llu managed:%llu pcp:%llu "
	       "captured:%llu",
	       zone->nid, zone->name, ULL(zone->free_pages), ULL(zone->watermark[WMARK_MIN]),
	       ULL(zone->watermark[WMARK_LOW]), ULL(zone->watermark[WMARK_HIGH]),
	       ULL(zone->managed_pages), ULL(zone->pcp_pages), ULL(zone->nr_captured));
	os_log(OS_LOG_WARN, "oom", "lowmem_reserve[]: %llu %llu %llu",
	       ULL(zone->lowmem_reserve[ZONE_DMA]), ULL(zone->lowmem_reserve[ZONE_DMA32]),
	       ULL(zone->lowmem_reserve[ZONE_NORMAL]));
}

static void say_node(int nid)
{
	struct lru_snapshot lru;

	if (!lru_snapshot(nid, &lru))
		return;
	os_log(OS_LOG_WARN, "oom",
	       "Node %d active:%llu inactive:%llu unevictable:%llu isolated:%llu dirty:%llu "
	       "writeback:%llu",
	       nid, ULL(lru.pages[LRU_ACTIVE]), ULL(lru.pages[LRU_INACTIVE]),
	       ULL(lru.pages[LRU_PINNED]), ULL(lru.pages[LRU_ISOLATED]), ULL(lru.dirty_pages),
	       ULL(lru.writeback_pages));
}

/* Which types have blocks of the order: (U), (M), (UM). */
static const char *types_of(const struct zone_snapshot *zone, u32 order)
{
	static const char *const text[] = {"", " (U)", " (M)", " (UM)"};
	u32 has = zone->type_blocks[BLOCK_UNMOVABLE][order] ? 1 : 0;

	return text[has | (zone->type_blocks[BLOCK_MOVABLE][order] ? 2 : 0)];
}

static void say_blocks(const struct zone_snapshot *zone)
{
	char line[LINE_BYTES] = "";
	size_t at = 0;

	for (u32 order = 0; order < NR_ORDERS; order++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%llu*%llukB%s ",
				       ULL(zone->free_blocks[order]),
				       ULL(PAGE_SIZE / 1024) << order, types_of(zone, order));
	os_log(OS_LOG_WARN, "oom", "Node %d %s: %s= %llukB", zone->nid, zone->name, line,
	       ULL(zone->free_pages) * (PAGE_SIZE / 1024));
}

/* Each zone that has pages. */
static void for_each_managed(void (*say)(const struct zone_snapshot *zone))
{
	struct zone_snapshot zone;
	int nid;

	for_each_node(nid)
		for (u32 type = 0; type < MAX_NR_ZONES; type++)
			if (zone_snapshot(nid, (enum zone_type)type, &zone) && zone.managed_pages)
				say(&zone);
}

/* As Linux names what no shrinker gives back. */
static void say_slabs(void)
{
	struct slab_use largest[LARGEST_CACHES];
	u32 nr = slab_largest(largest, LARGEST_CACHES);

	if (nr == 0)
		return;
	os_log(OS_LOG_WARN, "oom", "Unreclaimable slab info: %llukB in all, the largest:",
	       ULL(slab_pages(NUMA_NO_NODE)) * (PAGE_SIZE / 1024));
	os_log(OS_LOG_WARN, "oom", "Name                      Used          Total");
	for (u32 i = 0; i < nr; i++)
		os_log(OS_LOG_WARN, "oom", "%-17s %10lluKB %10lluKB", largest[i].name,
		       ULL(largest[i].used_bytes) / 1024,
		       ULL(largest[i].pages) * (PAGE_SIZE / 1024));
}

static void say_shrinkers(void)
{
	struct shrinker_snapshot shrinker;

	for (u32 i = 0; shrinker_snapshot(i, &shrinker); i++)
		os_log(OS_LOG_WARN, "oom",
		       "Shrinker %s: %llu objects asked for, %llu freed, %llu deferred",
		       shrinker.name, ULL(shrinker.scanned), ULL(shrinker.freed),
		       ULL(shrinker.deferred));
}

static void say_victims(nodemask_t nodes)
{
	struct oom_victim_snapshot victim;

	os_log(OS_LOG_WARN, "oom", "Victims (in pages of the nodes allowed):");
	os_log(OS_LOG_WARN, "oom", "[  id ]    badness  name");
	for (u32 i = 0; oom_victim_snapshot(i, nodes, &victim); i++)
		os_log(OS_LOG_WARN, "oom", "[%5u] %10llu  %s%s", victim.id, ULL(victim.badness),
		       victim.name, victim.chosen ? " (told to end)" : "");
}

void oom_report(const struct alloc_context *ac, uintptr_t call_site)
{
	int nid;

	say_request(ac, call_site);
	os_log(OS_LOG_WARN, "oom", "Mem-Info (in pages):");
	for_each_node(nid)
		say_node(nid);
	for_each_managed(say_zone);
	for_each_managed(say_blocks);
	say_slabs();
	say_shrinkers();
	say_victims(ac->permit.nodes);
}

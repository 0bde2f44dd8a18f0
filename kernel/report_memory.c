/*
 * Free blocks, zones and totals, in the layouts of Linux's /proc files, so that tools and eyes
 * that know those can read these. The sources are lines of Linux's documentation
 * (Documentation/filesystems/proc.rst); fields that have no meaning here are left out.
 *
 * Each zone is copied under its lock and printed afterwards; a report over several zones is
 * therefore a picture of several moments.
 */
#include <arch/cpu.h>
#include <arch/page.h>
#include <base/format.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/numa.h>
#include <mm/slab_inspect.h>
#include <mm/vmstat.h>
#include <x86/paging.h>

#include "commands.h"

static unsigned long long kilobytes(u64 pages)
{
	return (unsigned long long)pages << (PAGE_SHIFT - 10);
}

/* The zones of all nodes in order. Start with nid 0, type 0; false past the last. */
static bool next_zone(int *nid, u32 *type, struct zone_snapshot *zone)
{
	for (; *nid < MAX_NUMNODES; (*nid)++, *type = 0) {
		if (*type < MAX_NR_ZONES && zone_snapshot(*nid, (enum zone_type) * type, zone)) {
			(*type)++;
			return true;
		}
	}
	return false;
}

int command_buddyinfo(int argc, char **argv)
{
	struct zone_snapshot zone;
	int nid = 0;
	u32 type = 0;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	while (next_zone(&nid, &type, &zone)) {
		if (zone.managed_pages == 0)
			continue;
		kprintf("Node %d, zone %8s ", zone.nid, zone.name);
		for (u32 order = 0; order < NR_ORDERS; order++)
			kprintf("%6llu ", (unsigned long long)zone.free_blocks[order]);
		kprintf("\n");
	}
	return 0;
}

/*
 * Linux has more types; those that this kernel has stand in the same places. A pageblock with RAM of two
 * nodes is counted where its first frame belongs.
 */
static void print_free_by_type(void)
{
	struct zone_snapshot zone;
	int nid = 0;
	u32 type = 0;

	kprintf("%-43s ", "Free pages count per migrate type at order");
	for (u32 order = 0; order < NR_ORDERS; order++)
		kprintf("%6u ", order);
	kprintf("\n");
	while (next_zone(&nid, &type, &zone)) {
		for (u32 i = 0; zone.managed_pages && i < NR_BLOCK_TYPES; i++) {
			kprintf("Node %4d, zone %8s, type %12s ", zone.nid, zone.name,
				block_type_name((enum block_type)i));
			for (u32 order = 0; order < NR_ORDERS; order++)
				kprintf("%6llu ", (unsigned long long)zone.type_blocks[i][order]);
			kprintf("\n");
		}
	}
}

int command_pagetypeinfo(int argc, char **argv)
{
	struct pageblock_counts blocks;
	struct zone_snapshot zone;
	int nid = 0;
	u32 type = 0;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	kprintf("Page block order: %d\n", PAGEBLOCK_ORDER);
	kprintf("Pages per block:  %llu\n\n", (unsigned long long)PAGEBLOCK_PAGES);
	print_free_by_type();
	kprintf("\n%-23s", "Number of blocks type ");
	for (u32 i = 0; i < NR_BLOCK_TYPES; i++)
		kprintf("%12s ", block_type_name((enum block_type)i));
	kprintf("\n");
	while (next_zone(&nid, &type, &zone)) {
		if (zone.managed_pages == 0 || !pageblock_counts(zone.nid, zone.type, &blocks))
			continue;
		kprintf("Node %d, zone %8s ", zone.nid, zone.name);
		for (u32 i = 0; i < NR_BLOCK_TYPES; i++)
			kprintf("%12llu ", (unsigned long long)blocks.of_type[i]);
		kprintf("\n");
	}
	return 0;
}

/* Each CPU's own lists. Linux has one batch size; so has this, in pages: a stack of any order. */
static void print_pagesets(const struct zone_snapshot *zone)
{
	struct pcp_snapshot pcp;

	kprintf("  pagesets\n");
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (!pcp_snapshot(zone->nid, zone->type, cpu, &pcp))
			continue;
		kprintf("    cpu: %u\n", cpu);
		kprintf("              count: %llu\n", (unsigned long long)pcp.pages);
		kprintf("              high:  %llu\n", (unsigned long long)pcp.capacity_pages);
		kprintf("              batch: %llu\n", (unsigned long long)pcp.batch_pages);
		kprintf("              hw_allocs: %llu\n", (unsigned long long)pcp.allocs);
		kprintf("              hw_frees: %llu\n", (unsigned long long)pcp.frees);
	}
}

static void print_counter(const char *prefix, const char *name, u64 value)
{
	char text[48];

	snprintf(text, sizeof(text), "%s%s", prefix, name);
	kprintf("      %-12s %llu\n", text, (unsigned long long)value);
}

/* Linux's first, as in `vmstat`. */
static void print_counters(const struct zone_snapshot *zone)
{
	print_counter("", "nr_free_pages", zone->free_pages);
	for (int own = 0; own < 2; own++) {
		for (int i = 0; i < NR_ZONE_EVENTS; i++) {
			enum zone_event event = (enum zone_event)i;
			const char *prefix = zone_event_prefix(event);

			if ((prefix[0] != '\0') == own)
				print_counter(prefix, zone_event_name(event), zone->events[event]);
		}
		if (!own) {
			print_counter("hw_", "pcp_pages", zone->pcp_pages);
			print_counter("hw_", "captured_pages", zone->nr_captured);
		}
	}
}

/* Of the whole node, where its first zone with pages is printed. */
static void print_node(int nid)
{
	struct lru_snapshot lru;
	const char *name;
	u64 value;

	if (!lru_snapshot(nid, &lru))
		return;
	kprintf("  per-node stats\n");
	for (u32 i = 0; node_figure(nid, &lru, i, &name, &value); i++)
		print_counter("", name, value);
}

/* Nothing here raises marks for a while after fragmentation, or sets pages aside for one user: 0. */
static void print_zone(const struct zone_snapshot *zone)
{
	kprintf("  pages free     %llu\n", (unsigned long long)zone->free_pages);
	kprintf("        boost    0\n");
	kprintf("        min      %llu\n", (unsigned long long)zone->watermark[WMARK_MIN]);
	kprintf("        low      %llu\n", (unsigned long long)zone->watermark[WMARK_LOW]);
	kprintf("        high     %llu\n", (unsigned long long)zone->watermark[WMARK_HIGH]);
	kprintf("        spanned  %llu\n", (unsigned long long)zone->spanned_pages);
	kprintf("        present  %llu\n", (unsigned long long)zone->present_pages);
	kprintf("        managed  %llu\n", (unsigned long long)zone->managed_pages);
	kprintf("        cma      0\n");
	kprintf("        protection: (");
	for (u32 class = 0; class < MAX_NR_ZONES; class ++)
		kprintf("%s%llu", class ? ", " : "",
			(unsigned long long)zone->lowmem_reserve[class]);
	kprintf(")\n");
	/* What follows is nothing but zeros in a zone without pages: Linux stops here, too. */
	if (zone->managed_pages == 0)
		return;
	print_counters(zone);
	print_pagesets(zone);
	kprintf("  start_pfn:           %llu\n", (unsigned long long)zone->start_pfn);
}

int command_zoneinfo(int argc, char **argv)
{
	int nid = 0, seen_nid = NUMA_NO_NODE;
	struct zone_snapshot zone;
	u32 type = 0;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	while (next_zone(&nid, &type, &zone)) {
		kprintf("Node %d, zone %8s\n", zone.nid, zone.name);
		if (zone.managed_pages && zone.nid != seen_nid) {
			print_node(zone.nid);
			seen_nid = zone.nid;
		}
		print_zone(&zone);
	}
	return 0;
}

static void print_total(const char *label, u64 pages)
{
	kprintf("%-16s%8llu kB\n", label, kilobytes(pages));
}

int command_meminfo(int argc, char **argv)
{
	struct vm_totals totals;
	struct node_snapshot node;
	int nid;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	vm_totals(&totals);
	print_total("MemTotal:", totals.managed_pages);
	/* Linux leaves out what CPUs have for themselves; it is free all the same. */
	print_total("MemFree:", totals.free_pages + totals.pcp_pages);
	print_total("MemAvailable:", totals.available_pages);
	print_total("Active(file):", totals.lru.pages[LRU_ACTIVE]);
	print_total("Inactive(file):", totals.lru.pages[LRU_INACTIVE]);
	print_total("Unevictable:", totals.lru.pages[LRU_PINNED]);
	print_total("Dirty:", totals.lru.dirty_pages);
	print_total("Writeback:", totals.lru.writeback_pages);
	print_total("Slab:", slab_pages(NUMA_NO_NODE));
	/* Nothing that a shrinker gives back is in a cache of its own yet. */
	print_total("SReclaimable:", 0);
	print_total("SUnreclaim:", slab_pages(NUMA_NO_NODE));
	print_total("KernelStack:", kernel_stack_pages());
	print_total("PageTables:", paging_table_pages());
	print_total("Percpu:", memblock_reserved_pages(MEMBLOCK_PER_CPU));
	for_each_node(nid) {
		if (!node_snapshot(nid, &node))
			continue;
		kprintf("Node %d MemTotal:       %8llu kB\n", nid, kilobytes(node.managed_pages));
		kprintf("Node %d MemFree:        %8llu kB\n", nid, kilobytes(node.free_pages));
		kprintf("Node %d MemUsed:        %8llu kB\n", nid,
			kilobytes(node.managed_pages - node.free_pages));
	}
	return 0;
}

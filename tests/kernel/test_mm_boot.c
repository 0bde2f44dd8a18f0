/*
 * What boot left behind: every page accounted for, the memory map on its nodes, lists and marks
 * in order.
 */
#include <arch/page.h>
#include <base/string.h>
#include <kernel/memory_map.h>
#include <kernel/options.h>
#include <kernel/test.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/mm.h>
#include <mm/numa.h>
#include <mm/page.h>
#include <x86/paging.h>

static void every_page_is_accounted_for(struct ktest *t)
{
	struct page_accounting a;
	u64 sum;

	page_accounting(&a);
	sum = a.managed_pages;
	for (u32 owner = 0; owner < MEMBLOCK_NR_OWNERS; owner++)
		sum += a.reserved_pages[owner];
	EXPECT_EQ(t, a.lost_pages, 0);
	EXPECT_EQ(t, sum, a.ram_pages);
	/* The firmware's figure is worked out without memblock. */
	EXPECT_EQ(t, a.ram_pages + memory_map_cut_pages(&machine_memory_map),
		  memory_map_pages(&machine_memory_map));
	EXPECT(t, a.reserved_pages[MEMBLOCK_KERNEL_IMAGE] > 0);
	EXPECT_EQ(t, a.reserved_pages[MEMBLOCK_FIRST_PAGE], 1);
}

static void all_invariants_hold(struct ktest *t)
{
	struct check_report report;

	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
	EXPECT(t, report.run >= 21 && report.items > 1000);
	ktest_note(t, "%u invariants, %llu items", report.run, (unsigned long long)report.items);
}

/* The node of the memory that a frame's struct page stands in. */
static int node_of_map(pfn_t pfn)
{
	struct memblock_range map = {.nid = NUMA_NO_NODE};
	phys_addr_t at;

	if (!paging_translate((uintptr_t)pfn_to_page(pfn), &at) || !memblock_next_ram(&at, &map))
		return NUMA_NO_NODE;
	return map.nid;
}

/* Of every whole unit in a range of RAM that is large enough to hold its own map. */
static void the_map_stands_on_its_node(struct ktest *t)
{
	struct memblock_range r;
	phys_addr_t cursor = 0;
	u32 looked = 0;

	while (memblock_next_ram(&cursor, &r)) {
		pfn_t pfn = ALIGN_UP(pfn_down(r.base), (pfn_t)MAX_BLOCK_PAGES);

		/* Under 8 MiB a neighbour's memory may be the nearest that was free. */
		if (r.end - r.base < MiB(8))
			continue;
		for (; pfn + MAX_BLOCK_PAGES <= pfn_down(r.end); pfn += MAX_BLOCK_PAGES) {
			looked++;
			if (node_of_map(pfn) != r.nid ||
			    node_of_map(pfn + MAX_BLOCK_PAGES - 1) != r.nid)
				EXPECT_MSG(t, false, "pfn 0x%llx is of node %d, its map of node %d",
					   (unsigned long long)pfn, r.nid, node_of_map(pfn));
		}
	}
	if (looked == 0)
		SKIP(t, "no range of RAM of 8 MiB or more");
	EXPECT(t, looked > 0);
}

static void pages_know_their_place(struct ktest *t)
{
	struct memblock_range r;
	phys_addr_t cursor = 0;

	while (memblock_next(&cursor, &r)) {
		pfn_t first = pfn_down(r.base), last = pfn_down(r.end) - 1;

		EXPECT(t, pfn_valid(first) && pfn_valid(last));
		EXPECT_EQ(t, pfn_to_page(first)->nid, r.nid);
		EXPECT_EQ(t, pfn_to_page(last)->nid, r.nid);
		EXPECT_EQ(t, pfn_to_page(last)->state == PAGE_RESERVED, r.reserved);
		EXPECT_EQ(t, page_to_pfn(virt_to_page(phys_to_virt(r.base))), first);
	}
	EXPECT(t, !pfn_valid(pfn_down(memblock_end()) + MAX_BLOCK_PAGES));
}

static void zonelists_go_outward(struct ktest *t)
{
	int nid;

	for_each_node(nid) {
		int zone_nid, distance = 0;
		enum zone_type type;
		u32 i;

		for (i = 0; zonelist_entry(nid, false, i, &zone_nid, &type); i++) {
			EXPECT(t, numa_distance(nid, zone_nid) >= distance);
			distance = numa_distance(nid, zone_nid);
			if (i == 0 && node_isset(nid, node_memory_mask()))
				EXPECT_EQ(t, zone_nid, nid);
		}
		EXPECT(t, i >= 1);
		for (i = 0; zonelist_entry(nid, true, i, &zone_nid, &type); i++)
			EXPECT_EQ(t, zone_nid, nid);
		EXPECT_EQ(t, i > 0, node_isset(nid, node_memory_mask()));
	}
}

static void marks_share_out_min_free(struct ktest *t)
{
	u64 min_sum = 0, managed = 0, min_pages = mm_min_free_kbytes() / 4;
	struct zone_snapshot z;
	int nid;

	for_each_node(nid) {
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			zone_snapshot(nid, (enum zone_type)type, &z);
			min_sum += z.watermark[WMARK_MIN];
			managed += z.managed_pages;
		}
	}
	/* Each zone's share is rounded down by less than a page. */
	EXPECT(t, min_sum <= min_pages && min_sum + MAX_NUMNODES * MAX_NR_ZONES > min_pages);
	/* sqrt(16 x kB), unless the command line says otherwise. */
	if (options.min_free_kbytes == 0 && mm_min_free_kbytes() > 128 &&
	    mm_min_free_kbytes() < 262144) {
		u64 k = mm_min_free_kbytes();

		EXPECT(t, k * k <= 16 * managed * 4 && (k + 1) * (k + 1) > 16 * managed * 4);
	}
}

static const struct ktest_case cases[] = {
	KTEST(every_page_is_accounted_for), KTEST(all_invariants_hold),
	KTEST(the_map_stands_on_its_node),  KTEST(pages_know_their_place),
	KTEST(zonelists_go_outward),        KTEST(marks_share_out_min_free),
};
KTEST_SUITE(mm_boot, cases);

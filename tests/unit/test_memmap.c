/*
 * The memory map: which frames have a struct page, where it stands, what it says at boot.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/mm.h>
#include <mm/page.h>

/* The physical address behind a struct page: on the host found by writing through the map. */
static bool map_stands_in(struct ktest *t, pfn_t pfn, phys_addr_t base, phys_addr_t end)
{
	struct page *page = pfn_to_page(pfn);
	u64 word = page->arm_words[6];
	bool found = false;

	page->arm_words[6] = 0x5ca1ab1e00000000ULL + pfn;
	for (phys_addr_t at = base; at < end && !found; at += sizeof(struct page)) {
		const struct page *candidate = phys_to_virt(at);

		found = candidate->arm_words[6] == 0x5ca1ab1e00000000ULL + pfn;
	}
	page->arm_words[6] = word;
	return EXPECT_MSG(t, found, "struct page of pfn 0x%llx is not in [0x%llx, 0x%llx)",
			  (unsigned long long)pfn, (unsigned long long)base,
			  (unsigned long long)end);
}

/*
 *	0    128M           256M
 *	|  node 0  | node 1  |      two whole sections: a large page of map each
 */
static void map_stands_on_its_node(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{0, MiB(128), 0}, {MiB(128), MiB(128), 1}},
		.nr_nodes = 2,
	};

	host_machine_boot(&machine);
	map_stands_in(t, 5, MiB(16), MiB(128));
	map_stands_in(t, pfn_down(MiB(127)), MiB(16), MiB(128));
	map_stands_in(t, pfn_down(MiB(128)), MiB(128), MiB(256));
	map_stands_in(t, pfn_down(MiB(255)), MiB(128), MiB(256));
	EXPECT_EQ(t, memblock_reserved_pages(MEMBLOCK_STRUCT_PAGE),
		  2 * LARGE_PAGE_SIZE / PAGE_SIZE);
	expect_check_clean(t);
}

/*
 * The same with the border inside a section, and inside a 4 MiB unit:
 *
 *	0          66M        128M
 *	|  node 0   |  node 1  |        unit 64M..68M belongs to both
 */
static void border_inside_a_unit(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{0, MiB(66), 0}, {MiB(66), MiB(62), 1}},
		.nr_nodes = 2,
	};
	pfn_t border = pfn_down(MiB(66));

	host_machine_boot(&machine);
	EXPECT_EQ(t, pfn_to_page(border - 1)->nid, 0);
	EXPECT_EQ(t, pfn_to_page(border)->nid, 1);
	map_stands_in(t, pfn_down(MiB(4)), MiB(16), MiB(66));
	map_stands_in(t, pfn_down(MiB(100)), MiB(66), MiB(128));
	/* Never merged over the border: two blocks of 2 MiB, not one of 4. */
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(66)))->state, PAGE_FREE);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(66)))->order, 9);
	expect_check_clean(t);
}

/*
 *	     1M     5M 6M  7M          unit 0: hole below 1M
 *	.....|======|..|===|....       unit 1: hole 5M..6M and from 7M
 */
static void holes_in_a_unit(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{MiB(1), MiB(4), 0}, {MiB(6), MiB(1), 0}},
	};

	host_machine_boot(&machine);
	EXPECT(t, pfn_valid(0));
	EXPECT(t, pfn_valid(pfn_down(MiB(8)) - 1));
	EXPECT(t, !pfn_valid(pfn_down(MiB(8))));
	EXPECT_EQ(t, pfn_to_page(0)->state, PAGE_HOLE);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(1)) - 1)->state, PAGE_HOLE);
	EXPECT(t, pfn_to_page(pfn_down(MiB(1)))->state != PAGE_HOLE);
	EXPECT(t, pfn_to_page(pfn_down(MiB(5)) - 1)->state != PAGE_HOLE);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(5)))->state, PAGE_HOLE);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(6)) - 1)->state, PAGE_HOLE);
	EXPECT(t, pfn_to_page(pfn_down(MiB(6)))->state != PAGE_HOLE);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(7)))->state, PAGE_HOLE);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(8)) - 1)->state, PAGE_HOLE);
	expect_check_clean(t);
}

static void sparse_memory_costs_no_map(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{0, MiB(8), 0}, {TiB(1), MiB(4), 0}},
	};

	host_machine_boot(&machine);
	EXPECT(t, pfn_valid(pfn_down(TiB(1))));
	EXPECT(t, !pfn_valid(pfn_down(TiB(1)) - 1));
	EXPECT(t, !pfn_valid(pfn_down(TiB(1) + MiB(4))));
	EXPECT(t, !pfn_valid(pfn_down(GiB(5))));
	EXPECT(t, !pfn_valid(~(pfn_t)0));
	/* Three units of 64 KiB. */
	EXPECT_EQ(t, memblock_reserved_pages(MEMBLOCK_STRUCT_PAGE), 3 * 16);
	expect_check_clean(t);
}

static void reserved_pages_stay_out(struct ktest *t)
{
	static const struct host_machine machine = {.ram = {{0, MiB(64), 0}}};
	static struct numa_topology topology;
	struct page_accounting a;

	host_machine_memory(&machine);
	memblock_reserve(MiB(2), MiB(3) + 1, MEMBLOCK_KERNEL_IMAGE);
	host_machine_topology(&machine, &topology);
	ASSERT_EQ(t, numa_init(&topology), 0);
	mm_init(&(struct mm_options){0});

	EXPECT_EQ(t, pfn_to_page(0)->state, PAGE_RESERVED);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(2)))->state, PAGE_RESERVED);
	EXPECT_EQ(t, pfn_to_page(pfn_down(MiB(5)))->state, PAGE_RESERVED);
	EXPECT(t, pfn_to_page(pfn_down(MiB(5)) + 1)->state != PAGE_RESERVED);
	page_accounting(&a);
	EXPECT_EQ(t, a.ram_pages, MiB(64) / PAGE_SIZE);
	EXPECT_EQ(t, a.reserved_pages[MEMBLOCK_KERNEL_IMAGE], MiB(3) / PAGE_SIZE + 1);
	EXPECT_EQ(t, a.lost_pages, 0);
	EXPECT(t, a.managed_pages > 0 && a.managed_pages < a.ram_pages);
	expect_check_clean(t);
}

/* Interleaved nodes: spans overlap, pages do not. */
static void interleaved_nodes(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{0, MiB(16), 0},
			{MiB(16), MiB(16), 1},
			{MiB(32), MiB(16), 0},
			{MiB(48), MiB(16), 1},
			{MiB(64), MiB(64), 0}},
		.nr_nodes = 2,
	};
	struct zone_snapshot z0, z1;

	host_machine_boot(&machine);
	ASSERT_TRUE(t, zone_snapshot(0, ZONE_DMA32, &z0) && zone_snapshot(1, ZONE_DMA32, &z1));
	EXPECT_EQ(t, z0.start_pfn, pfn_down(MiB(32)));
	EXPECT_EQ(t, z0.spanned_pages, pfn_down(MiB(96)));
	EXPECT_EQ(t, z0.present_pages, pfn_down(MiB(80)));
	EXPECT_EQ(t, z1.start_pfn, pfn_down(MiB(16)));
	EXPECT_EQ(t, z1.spanned_pages, pfn_down(MiB(48)));
	EXPECT_EQ(t, z1.present_pages, pfn_down(MiB(32)));
	expect_check_clean(t);
}

static void no_memory(void *arg)
{
	static const struct host_machine machine = {.nr_nodes = 1};

	(void)arg;
	host_machine_boot(&machine);
}

static void all_reserved(void *arg)
{
	static const struct host_machine machine = {.ram = {{0, PAGE_SIZE, 0}}};

	(void)arg;
	host_machine_boot(&machine);
}

static void too_little_memory_is_named(struct ktest *t)
{
	expect_panic(t, no_memory, NULL, "the machine has no memory");
	expect_panic(t, all_reserved, NULL, "no memory for the data of node 0");
}

static const struct ktest_case cases[] = {
	KTEST(map_stands_on_its_node),     KTEST(border_inside_a_unit),    KTEST(holes_in_a_unit),
	KTEST(sparse_memory_costs_no_map), KTEST(reserved_pages_stay_out), KTEST(interleaved_nodes),
	KTEST(too_little_memory_is_named),
};
KTEST_SUITE(memmap, cases);

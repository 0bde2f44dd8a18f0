/*
 * What the kernel has found out about the machine is consistent in itself. Whether it is true,
 * only the outside knows: tests/qemu states each topology and compares.
 */
#include <arch/page.h>
#include <kernel/acpi.h>
#include <kernel/memory_map.h>
#include <kernel/options.h>
#include <kernel/test.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/numa.h>

static void nodes_are_dense(struct ktest *t)
{
	const struct numa_topology *topology = numa_topology();

	EXPECT(t, topology->nr_nodes >= 1 && topology->nr_nodes <= MAX_NUMNODES);
	EXPECT_EQ(t, node_possible_mask(),
		  topology->nr_nodes == 64 ? UINT64_MAX : NODE_BIT(topology->nr_nodes) - 1);
	EXPECT_EQ(t, node_memory_mask() & ~node_possible_mask(), 0);
	EXPECT_EQ(t, node_cpu_mask() & ~node_possible_mask(), 0);
	EXPECT(t, node_memory_mask() != 0);
	for (u32 i = 1; i < topology->nr_nodes; i++)
		EXPECT(t, topology->domain[i - 1] < topology->domain[i]);
}

static void ranges_are_sorted(struct ktest *t)
{
	const struct numa_topology *topology = numa_topology();
	phys_addr_t end = 0;

	EXPECT(t, topology->nr_ranges >= 1);
	for (u32 i = 0; i < topology->nr_ranges; i++) {
		const struct numa_range *range = &topology->ranges[i];

		EXPECT(t, range->base >= end && range->end > range->base);
		EXPECT(t, range->nid >= 0 && (u32)range->nid < topology->nr_nodes);
		end = range->end;
	}
}

static void distances_hold(struct ktest *t)
{
	int from, to;

	for_each_node(from) {
		for_each_node(to) {
			if (from == to)
				EXPECT_EQ(t, numa_distance(from, to), LOCAL_DISTANCE);
			else
				EXPECT(t, numa_distance(from, to) > LOCAL_DISTANCE);
		}
	}
}

static void cpus_have_nodes(struct ktest *t)
{
	const struct numa_topology *topology = numa_topology();

	EXPECT(t, topology->nr_cpus >= 1);
	for (u32 i = 0; i < topology->nr_cpus; i++) {
		EXPECT(t, node_isset(topology->cpus[i].nid, node_cpu_mask()));
		EXPECT_EQ(t, cpu_to_node(i), topology->cpus[i].nid);
		for (u32 j = 0; j < i; j++)
			EXPECT(t, topology->cpus[i].apic_id != topology->cpus[j].apic_id);
	}
}

/* Walks RAM and zones on their own and meets at the same number, which is the firmware's. */
static void every_page_is_accounted_for(struct ktest *t)
{
	u64 map_pages =
		memory_map_pages(&machine_memory_map) - memory_map_cut_pages(&machine_memory_map);
	u64 walked = 0, present = 0, sum;
	struct page_accounting acct;
	struct memblock_range range;
	struct node_snapshot node;
	phys_addr_t cursor = 0;
	int nid;

	while (memblock_next(&cursor, &range))
		walked += (range.end - range.base) >> PAGE_SHIFT;
	for_each_node(nid)
		if (node_snapshot(nid, &node))
			present += node.present_pages;
	page_accounting(&acct);
	sum = acct.managed_pages;
	for (int owner = 0; owner < MEMBLOCK_NR_OWNERS; owner++)
		sum += acct.reserved_pages[owner];

	EXPECT_EQ(t, walked, map_pages);
	EXPECT_EQ(t, present, map_pages);
	EXPECT_EQ(t, acct.ram_pages, map_pages);
	EXPECT_EQ(t, sum, map_pages);
	EXPECT_EQ(t, acct.lost_pages, 0);
	EXPECT(t, acct.reserved_pages[MEMBLOCK_KERNEL_IMAGE] > 0);
	EXPECT(t, acct.reserved_pages[MEMBLOCK_PAGE_TABLES] > 0);
	EXPECT(t, acct.reserved_pages[MEMBLOCK_STRUCT_PAGE] >= map_pages / 64);
}

static void numa_off_is_one_node(struct ktest *t)
{
	EXPECT(t, options.numa || numa_topology()->nr_nodes == 1);
	EXPECT(t, options.numa || acpi_notes()->nr > 0); /* and it says why */
}

static const struct ktest_case cases[] = {
	KTEST(nodes_are_dense), KTEST(ranges_are_sorted),           KTEST(distances_hold),
	KTEST(cpus_have_nodes), KTEST(every_page_is_accounted_for), KTEST(numa_off_is_one_node),
};
KTEST_SUITE(machine, cases);

/*
 * What is counted, held against a sequence of requests whose figures are worked out by hand: the same
 * whether a block comes from a CPU's list, by the hit path or beyond it, or from the zone.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <base/string.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>
#include <mm/vmstat.h>

/*
 *	0        16M        64M      |4G     4G+32M|5G      5G+64M|
 *	| 0: DMA | 0: DMA32 |        | 0: Normal   | 1: Normal    |     CPU 0 on node 0, CPU 1 on 1
 */
static const struct host_machine two_nodes = {
	.no_slab = true,
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(32), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

#define MAX_HELD 64
static struct {
	struct page *page;
	unsigned int order;
} held[MAX_HELD];
static u32 nr_held;

/* So many blocks of the order, asked for on that CPU. */
static void take(struct ktest *t, u32 cpu, u32 nr, int nid, gfp_t gfp, unsigned int order)
{
	host_cpu = cpu;
	while (nr-- > 0) {
		struct page *page = alloc_pages_node(nid, gfp, order);

		ASSERT_TRUE(t, page && nr_held < MAX_HELD);
		held[nr_held].page = page;
		held[nr_held++].order = order;
	}
	host_cpu = 0;
}

static void give_all(void)
{
	while (nr_held > 0) {
		nr_held--;
		__free_pages(held[nr_held].page, held[nr_held].order);
	}
}

static struct numa_figures figures(int nid)
{
	struct numa_figures f;

	numa_figures(nid, &f);
	return f;
}

static void expect_figures(struct ktest *t, int nid, const struct numa_figures *before,
			   struct numa_figures more)
{
	struct numa_figures now = figures(nid);

	EXPECT_EQ(t, now.hit - before->hit, more.hit);
	EXPECT_EQ(t, now.miss - before->miss, more.miss);
	EXPECT_EQ(t, now.foreign - before->foreign, more.foreign);
	EXPECT_EQ(t, now.interleave_hit - before->interleave_hit, more.interleave_hit);
	EXPECT_EQ(t, now.local_node - before->local_node, more.local_node);
	EXPECT_EQ(t, now.other_node - before->other_node, more.other_node);
}

/*
 *	on CPU  blocks  asks node, class       gets        node 0              node 1
 *	0       5       0 Normal, order 0      0 Normal    5 hit   5 local
 *	0       3       1 Normal, order 2      1 Normal                        3 hit   3 other
 *	1       2       1 Normal, order 0      1 Normal                        2 hit   2 local
 *	1       4       1 DMA32,  order 1      0 DMA32     4 hit   4 other     (has none: 0's is first)
 *	0       1       0 DMA,    order 9      0 DMA       1 hit   1 local
 *	                                                  10 hit, 6 l., 4 o.   5 hit, 2 l., 3 o.
 */
static void sequence_is_counted(struct ktest *t)
{
	struct numa_figures node0 = figures(0), node1 = figures(1);
	struct vm_totals before, after;

	vm_totals(&before);
	take(t, 0, 5, 0, GFP_KERNEL, 0);
	take(t, 0, 3, 1, GFP_KERNEL, 2);
	take(t, 1, 2, 1, GFP_KERNEL, 0);
	take(t, 1, 4, 1, GFP_DMA32, 1);
	take(t, 0, 1, 0, GFP_DMA, 9);
	expect_figures(t, 0, &node0,
		       (struct numa_figures){.hit = 10, .local_node = 6, .other_node = 4});
	expect_figures(t, 1, &node1,
		       (struct numa_figures){.hit = 5, .local_node = 2, .other_node = 3});

	vm_totals(&after);
	EXPECT_EQ(t, after.alloc_pages[ZONE_NORMAL] - before.alloc_pages[ZONE_NORMAL], 5 + 12 + 2);
	EXPECT_EQ(t, after.alloc_pages[ZONE_DMA32] - before.alloc_pages[ZONE_DMA32], 8);
	EXPECT_EQ(t, after.alloc_pages[ZONE_DMA] - before.alloc_pages[ZONE_DMA], 512);
	EXPECT_EQ(t, after.events[ZONE_ALLOC] - before.events[ZONE_ALLOC], 15);
	EXPECT_EQ(t, before.free_pages + before.pcp_pages - after.free_pages - after.pcp_pages,
		  539);
	EXPECT_EQ(t, before.available_pages - after.available_pages, 539);

	give_all();
	vm_totals(&after);
	EXPECT_EQ(t, after.events[ZONE_FREE_PAGES] - before.events[ZONE_FREE_PAGES], 539);
	EXPECT_EQ(t, after.events[ZONE_FREE] - before.events[ZONE_FREE], 15);
	EXPECT_EQ(t, after.free_pages + after.pcp_pages, before.free_pages + before.pcp_pages);
}

static void the_same_by_every_way(struct ktest *t)
{
	struct pcp_snapshot pcp;

	host_machine_boot(&two_nodes);
	sequence_is_counted(t); /* the lists are empty: beyond the hit path */
	sequence_is_counted(t); /* what was freed is there: the hit path */
	pcp_snapshot(0, ZONE_NORMAL, 0, &pcp);
	EXPECT_EQ(t, pcp.allocs, 10);
	EXPECT(t, pcp.batch_pages > 0 && pcp.batch_pages <= pcp.capacity_pages);
	pcp_close();
	sequence_is_counted(t); /* the zone */
	pcp_snapshot(0, ZONE_NORMAL, 0, &pcp);
	EXPECT_EQ(t, pcp.allocs, 10);
	EXPECT_EQ(t, pcp.capacity_pages, 0);
	EXPECT_EQ(t, pcp.batch_pages, 0);
	pcp_open();
	expect_check_clean(t);
}

static u64 drain(int nid, gfp_t gfp)
{
	u64 pages = 0;

	while (alloc_pages_node(nid, gfp | __GFP_THISNODE | __GFP_NOWARN, 0))
		pages++;
	return pages;
}

static void another_node_is_a_miss(struct ktest *t)
{
	struct numa_figures node0, node1;

	host_machine_boot(&two_nodes);
	drain(1, GFP_KERNEL);
	for (int closed = 0; closed < 2; closed++) {
		if (closed)
			pcp_close();
		node0 = figures(0);
		node1 = figures(1);
		take(t, 0, 4, 1, GFP_KERNEL, 0);
		take(t, 1, 3, 1, GFP_KERNEL, 1);
		expect_figures(t, 0, &node0,
			       (struct numa_figures){.miss = 7, .local_node = 4, .other_node = 3});
		expect_figures(t, 1, &node1, (struct numa_figures){.foreign = 7});
	}
	pcp_open();
	give_all();
	expect_check_clean(t);
}

/* Another zone of the preferred node is none: what was preferred is the node. */
static void another_zone_is_a_hit(struct ktest *t)
{
	struct zone_snapshot zone;
	struct numa_figures node0;

	host_machine_boot(&two_nodes);
	zone_snapshot(0, ZONE_NORMAL, &zone);
	for (u64 left = zone.free_pages + zone.pcp_pages - zone.watermark[WMARK_LOW]; left > 0;
	     left--)
		ASSERT_TRUE(t, alloc_pages_node(0, GFP_KERNEL, 0) != NULL);
	for (int closed = 0; closed < 2; closed++) {
		if (closed)
			pcp_close();
		node0 = figures(0);
		take(t, 0, 6, 0, GFP_KERNEL, 0);
		EXPECT_EQ(t, held[nr_held - 1].page->zone, ZONE_DMA32);
		expect_figures(t, 0, &node0, (struct numa_figures){.hit = 6, .local_node = 6});
	}
	pcp_open();
	give_all();
	expect_check_clean(t);
}

static void steps_are_counted(struct ktest *t)
{
	host_machine_boot(&two_nodes);
	take(t, 0, 8, 0, GFP_KERNEL, 0);
	for (int item = 0; item < NR_VMSTAT_ITEMS; item++)
		EXPECT_EQ(t, vmstat_read((enum vmstat_item)item), 0);

	/* From the low mark to the min mark each block comes by the slow path; the last is refused. */
	drain(1, GFP_KERNEL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), 1);
	EXPECT(t, vmstat_read(VMSTAT_ALLOC_MIN) > 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_WAKE_KSWAPD), vmstat_read(VMSTAT_ALLOC_MIN));
	/* Who may wait and finds nothing comes to reclaim, and after it to what CPUs have. */
	EXPECT(t, vmstat_read(VMSTAT_ALLOCSTALL_NORMAL) >= 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOCSTALL_DMA), 0);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_DRAIN), vmstat_read(VMSTAT_ALLOCSTALL_NORMAL));
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_NO_MARKS), 0);

	EXPECT(t, alloc_pages_node(7, GFP_KERNEL, 0) == NULL);
	EXPECT(t, alloc_pages_node(0, GFP_KERNEL, NR_ORDERS) == NULL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED), 2);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), 1);
	give_all();
}

/* Each CPU's count is in the sum, and no name is missing or there twice. */
static void names_and_cpus(struct ktest *t)
{
	host_machine_boot(&two_nodes);
	for (u32 cpu = 0; cpu < 2; cpu++) {
		host_cpu = cpu;
		EXPECT(t, alloc_pages_node(7, GFP_KERNEL, 0) == NULL);
	}
	host_cpu = 0;
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED), 2);
	for (int i = 0; i < NR_VMSTAT_ITEMS; i++) {
		const char *name = vmstat_name((enum vmstat_item)i);

		EXPECT_EQ(t, strncmp(name, "hw_", 3) != 0, i < VMSTAT_FIRST_OWN);
		for (int j = 0; j < i; j++)
			EXPECT(t, strcmp(name, vmstat_name((enum vmstat_item)j)) != 0);
	}
	EXPECT_EQ(t, vmstat_allocstall(ZONE_DMA32), VMSTAT_ALLOCSTALL_DMA32);
	EXPECT(t, !numa_figures(2, &(struct numa_figures){0}));
}

static const struct ktest_case cases[] = {
	KTEST(the_same_by_every_way), KTEST(another_node_is_a_miss), KTEST(another_zone_is_a_hit),
	KTEST(steps_are_counted),     KTEST(names_and_cpus),
};
KTEST_SUITE(vmstat, cases);

/*
 * What is counted of requests, on the machine that booted: figures move by just what was asked for.
 * Nobody else allocates meanwhile.
 */
#include <arch/cpu.h>
#include <kernel/test.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#define BLOCKS 5
#define ORDER  2

static struct numa_figures before[MAX_NUMNODES];

/* The node whose memory a request for nid prefers: that of the first zone it may use. */
static int preferred_node(int nid)
{
	enum zone_type type;
	int preferred = NUMA_NO_NODE;

	return zonelist_entry(nid, false, 0, &preferred, &type) ? preferred : NUMA_NO_NODE;
}

static void figures_of_each_node(struct ktest *t)
{
	struct page *page[BLOCKS];
	int nid, n;

	for_each_node(nid) {
		int preferred = preferred_node(nid);
		bool local = preferred == cpu_to_node(smp_processor_id());

		for_each_node(n)
			numa_figures(n, &before[n]);
		for (u32 i = 0; i < BLOCKS; i++) {
			page[i] = alloc_pages_node(nid, GFP_KERNEL, ORDER);
			ASSERT_TRUE(t, page[i] && page[i]->nid == preferred);
		}
		for_each_node(n) {
			u64 blocks = n == preferred ? BLOCKS : 0;
			struct numa_figures now;

			numa_figures(n, &now);
			EXPECT_EQ(t, now.hit - before[n].hit, blocks);
			EXPECT_EQ(t, now.local_node - before[n].local_node, local ? blocks : 0);
			EXPECT_EQ(t, now.other_node - before[n].other_node, local ? 0 : blocks);
			EXPECT_EQ(t, now.miss - before[n].miss, 0);
			EXPECT_EQ(t, now.foreign - before[n].foreign, 0);
		}
		for (u32 i = 0; i < BLOCKS; i++)
			__free_pages(page[i], ORDER);
	}
}

static void pages_and_steps(struct ktest *t)
{
	u64 refused = vmstat_read(VMSTAT_ALLOC_REFUSED), slow = vmstat_read(VMSTAT_ALLOC_MIN);
	struct vm_totals first, last;
	struct page *page;

	vm_totals(&first);
	page = alloc_pages(GFP_KERNEL, ORDER);
	ASSERT_TRUE(t, page != NULL);
	vm_totals(&last);
	EXPECT_EQ(t, last.alloc_pages[page->zone] - first.alloc_pages[page->zone], 1 << ORDER);
	EXPECT_EQ(t, first.free_pages + first.pcp_pages - last.free_pages - last.pcp_pages,
		  1 << ORDER);
	__free_pages(page, ORDER);
	vm_totals(&last);
	EXPECT_EQ(t, last.events[ZONE_FREE_PAGES] - first.events[ZONE_FREE_PAGES], 1 << ORDER);
	EXPECT_EQ(t, last.available_pages, first.available_pages);
	EXPECT(t, last.available_pages < last.free_pages + last.pcp_pages);

	EXPECT(t, alloc_pages(GFP_KERNEL, NR_ORDERS) == NULL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED) - refused, 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_MIN) - slow, 0);
}

static const struct ktest_case cases[] = {
	KTEST(figures_of_each_node),
	KTEST(pages_and_steps),
};
KTEST_SUITE(vmstat, cases);

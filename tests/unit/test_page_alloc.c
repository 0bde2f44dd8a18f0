/*
 * The request: where pages come from, when they do not, and what is said about misuse.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <arch/preempt.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/page_alloc.h>

/*
 *	0        16M        64M      |4G     4G+32M|5G      5G+64M|
 *	| 0: DMA | 0: DMA32 |        | 0: Normal   | 1: Normal    |     distance 20
 */
static const struct host_machine two_nodes = {
	.no_slab = true,
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(32), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static struct zone_snapshot snapshot(int nid, enum zone_type type)
{
	struct zone_snapshot z = {0};

	zone_snapshot(nid, type, &z);
	return z;
}

/* Takes order-0 pages from a node's own zones until there are none; returns how many. */
static u64 drain(int nid, gfp_t gfp)
{
	u64 pages = 0;

	while (alloc_pages_node(nid, gfp | __GFP_THISNODE | __GFP_NOWARN, 0))
		pages++;
	return pages;
}

static void local_node_and_highest_zone_first(struct ktest *t)
{
	struct zone_snapshot before, after;
	struct page *page;

	host_machine_boot(&two_nodes);
	before = snapshot(0, ZONE_NORMAL);
	page = alloc_pages(GFP_KERNEL, 0);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->nid, 0);
	EXPECT_EQ(t, page->zone, ZONE_NORMAL);
	after = snapshot(0, ZONE_NORMAL);
	EXPECT_EQ(t, after.free_pages + after.pcp_pages, before.free_pages - 1);
	EXPECT_EQ(t, after.events[ZONE_ALLOC] - before.events[ZONE_ALLOC], 1);
	EXPECT_EQ(t, after.events[NUMA_HIT] - before.events[NUMA_HIT], 1);
	EXPECT_EQ(t, after.events[NUMA_LOCAL] - before.events[NUMA_LOCAL], 1);

	/* The CPU's own node, when none is named. */
	host_cpu = 1;
	page = alloc_pages(GFP_KERNEL, 3);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->nid, 1);
	EXPECT_EQ(t, page_to_pfn(page) % 8, 0);
	__free_pages(page, 3);
	/* Hit, but not local. */
	page = alloc_pages_node(0, GFP_KERNEL, 0);
	EXPECT_EQ(t, snapshot(0, ZONE_NORMAL).events[NUMA_OTHER], 1);
	expect_check_clean(t);
}

static void zones_by_flag(struct ktest *t)
{
	struct page *page;

	host_machine_boot(&two_nodes);
	page = alloc_pages_node(1, GFP_DMA, 0); /* node 1 has no such memory: node 0's */
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->zone, ZONE_DMA);
	EXPECT(t, page_to_phys(page) < MiB(16));
	page = alloc_pages_node(0, GFP_DMA32, 2);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->zone, ZONE_DMA32);
	EXPECT(t, alloc_pages_node(1, GFP_DMA | __GFP_THISNODE | __GFP_NOWARN, 0) == NULL);
	expect_check_clean(t);
}

static void falls_back_in_order(struct ktest *t)
{
	struct zone_snapshot z;
	struct page *page;
	u64 failed;

	host_machine_boot(&two_nodes);
	EXPECT(t, drain(1, GFP_KERNEL) > 10000);
	failed = snapshot(1, ZONE_NORMAL).events[ZONE_WMARK_FAILED];
	EXPECT(t, failed > 0);

	page = alloc_pages_node(1, GFP_KERNEL, 0);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->nid, 0);
	EXPECT_EQ(t, page->zone, ZONE_NORMAL);
	EXPECT_EQ(t, snapshot(1, ZONE_NORMAL).events[NUMA_FOREIGN], 1);
	z = snapshot(0, ZONE_NORMAL);
	EXPECT_EQ(t, z.events[NUMA_MISS], 1);

	/* THISNODE does not. */
	EXPECT(t, alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0) == NULL);
	EXPECT_EQ(t, snapshot(1, ZONE_NORMAL).events[NUMA_FOREIGN], 1);
	expect_check_clean(t);
}

/* Each class of request stops exactly where the arithmetic of its mark says. */
static void stops_at_the_mark(struct ktest *t)
{
	struct zone_snapshot z;

	host_machine_boot(&two_nodes);
	drain(1, GFP_KERNEL);
	z = snapshot(1, ZONE_NORMAL);
	EXPECT_EQ(t, z.free_pages, z.watermark[WMARK_MIN]);

	/* __GFP_HIGH that may reclaim: half. GFP_ATOMIC: three eighths. */
	drain(1, __GFP_HIGH | __GFP_DIRECT_RECLAIM);
	z = snapshot(1, ZONE_NORMAL);
	EXPECT_EQ(t, z.free_pages, z.watermark[WMARK_MIN] - z.watermark[WMARK_MIN] / 2);
	drain(1, GFP_ATOMIC);
	u64 half = z.watermark[WMARK_MIN] - z.watermark[WMARK_MIN] / 2;

	EXPECT_EQ(t, snapshot(1, ZONE_NORMAL).free_pages, half - half / 4);
	EXPECT(t, half - half / 4 > 0);
	expect_check_clean(t);
}

/* The fast path stops at low; only the slow path goes to min. The order of zones shows it. */
static void low_mark_before_min(struct ktest *t)
{
	struct zone_snapshot z;
	struct page *page;

	host_machine_boot(&two_nodes);
	/* Down to the low mark of node 1, then node 0 must be next although node 1 is above min. */
	do {
		page = alloc_pages_node(1, GFP_KERNEL, 0);
		ASSERT_TRUE(t, page != NULL);
	} while (page->nid == 1);
	z = snapshot(1, ZONE_NORMAL);
	EXPECT_EQ(t, z.free_pages, z.watermark[WMARK_LOW]);
	EXPECT(t, z.free_pages > z.watermark[WMARK_MIN]);
}

/* A flood of ordinary requests leaves what lowmem_reserve keeps for DMA. */
static void low_zones_are_kept(struct ktest *t)
{
	struct zone_snapshot z;
	u64 dma = 0;

	host_machine_boot(&two_nodes);
	drain(0, GFP_KERNEL);
	z = snapshot(0, ZONE_DMA);
	EXPECT(t, z.lowmem_reserve[ZONE_NORMAL] > 0);
	EXPECT_EQ(t, z.free_pages, z.watermark[WMARK_MIN] + z.lowmem_reserve[ZONE_NORMAL]);
	while (alloc_pages_node(0, GFP_DMA | __GFP_NOWARN, 0))
		dma++;
	EXPECT(t, dma >= z.lowmem_reserve[ZONE_NORMAL]);
	expect_check_clean(t);
}

static void zeroes_the_whole_block(struct ktest *t)
{
	struct page *page;
	u64 dirty = 0;
	u8 *bytes;

	host_machine_boot(&two_nodes);
	page = alloc_pages(GFP_KERNEL, 3);
	memset(page_address(page), 0xa5, PAGE_SIZE << 3);
	__free_pages(page, 3);
	bytes = get_free_pages(GFP_KERNEL | __GFP_ZERO, 3);
	ASSERT_TRUE(t, bytes == page_address(page)); /* the same block: last freed, first taken */
	for (u32 i = 0; i < PAGE_SIZE << 3; i++)
		dirty += bytes[i] != 0;
	EXPECT_EQ(t, dirty, 0);
	free_pages(bytes, 3);
	free_pages(NULL, 3);
	expect_check_clean(t);
}

static void bad_requests_are_named(struct ktest *t)
{
	host_machine_boot(&two_nodes);
	EXPECT(t, alloc_pages(GFP_KERNEL, MAX_ORDER + 1) == NULL);
	EXPECT(t, host_log_contains("bad request: order above 10"));
	EXPECT(t, alloc_pages_node(2, GFP_KERNEL, 0) == NULL);
	EXPECT(t, host_log_contains("bad request: no such node (node 2"));
	EXPECT(t, alloc_pages_node(-7, GFP_KERNEL, 0) == NULL);
	EXPECT(t, alloc_pages_node(MAX_NUMNODES, GFP_KERNEL, 0) == NULL);
	EXPECT(t, alloc_pages(1u << 30, 0) == NULL);
	EXPECT(t, host_log_contains("bad request: unknown gfp flag"));
	expect_check_clean(t);
}

static void failure_is_reported_once_and_fully(struct ktest *t)
{
	host_machine_boot(&two_nodes);
	drain(1, GFP_KERNEL);
	EXPECT(t, !host_log_contains("allocation failed")); /* drain says NOWARN */
	EXPECT(t, alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 4) == NULL);
	EXPECT(t, host_log_contains(
			  "allocation failed: order 4, GFP_KERNEL|__GFP_THISNODE, from node 1, by "
			  "caller 0x"));
	EXPECT(t, host_log_contains("  node 1 Normal: free "));
	EXPECT(t, !host_log_contains("  node 0 Normal: free "));
}

/* By the lists of this CPU, and where they have no such order, by the zone. */
static void interrupts_come_back_as_they_were(struct ktest *t)
{
	struct page *page;

	host_machine_boot(&two_nodes);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		page = alloc_pages(GFP_KERNEL, order);
		EXPECT(t, page && !irqs_disabled());
		__free_pages(page, order);
		EXPECT(t, !irqs_disabled());
		host_irqs_disabled = true;
		page = alloc_pages(GFP_ATOMIC, order);
		EXPECT(t, page && irqs_disabled());
		__free_pages(page, order);
		EXPECT(t, irqs_disabled());
		host_irqs_disabled = false;
	}
	EXPECT(t, preemptible());
}

/* --- Misuse -------------------------------------------------------------------------------- */

static void free_twice(void *arg)
{
	struct page *page;

	(void)arg;
	host_machine_boot(&two_nodes);
	page = alloc_pages(GFP_KERNEL, 2);
	__free_pages(page, 2);
	__free_pages(page, 2);
}

/* Its buddy free, so that it became the inside of a larger block. */
static void free_twice_merged(void *arg)
{
	struct page *a, *b;

	(void)arg;
	host_machine_boot(&two_nodes);
	pcp_close();
	do {
		a = alloc_pages(GFP_KERNEL, 0);
		b = alloc_pages(GFP_KERNEL, 0);
	} while ((page_to_pfn(a) ^ page_to_pfn(b)) != 1);
	__free_pages(a, 0);
	__free_pages(b, 0);
	__free_pages(a > b ? a : b, 0);
}

static void free_wrong_order(void *arg)
{
	(void)arg;
	host_machine_boot(&two_nodes);
	__free_pages(alloc_pages(GFP_KERNEL, 2), 1);
}

static void free_lru_page(void *arg)
{
	struct page *page;

	(void)arg;
	host_machine_boot(&two_nodes);
	page = alloc_pages(GFP_KERNEL, 0);
	page_set_mark(page, PAGE_MARK_LRU);
	__free_pages(page, 0);
}

static void free_inside(void *arg)
{
	(void)arg;
	host_machine_boot(&two_nodes);
	__free_pages(alloc_pages(GFP_KERNEL, 2) + 1, 0);
}

static void free_reserved(void *arg)
{
	(void)arg;
	host_machine_boot(&two_nodes);
	__free_pages(pfn_to_page(0), 0);
}

static void free_map(void *arg)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	(void)arg;
	host_machine_boot(&two_nodes);
	while (memblock_next(&cursor, &range)) {
		if (range.reserved && range.owner == MEMBLOCK_STRUCT_PAGE)
			__free_pages(pfn_to_page(pfn_down(range.base)), 0);
	}
}

static const struct host_machine with_hole = {.ram = {{0, MiB(6), 0}, {MiB(7), MiB(57), 0}},
					      .no_slab = true};

static void free_hole(void *arg)
{
	(void)arg;
	host_machine_boot(&with_hole);
	__free_pages(pfn_to_page(pfn_down(MiB(6))), 0);
}

static void free_nothing(void *arg)
{
	(void)arg;
	host_machine_boot(&two_nodes);
	__free_pages(pfn_to_page(pfn_down(GiB(40))), 0);
}

static void free_null_page(void *arg)
{
	(void)arg;
	host_machine_boot(&two_nodes);
	__free_pages(NULL, 0);
}

static void free_crooked_page(void *arg)
{
	(void)arg;
	host_machine_boot(&two_nodes);
	__free_pages((struct page *)((char *)alloc_pages(GFP_KERNEL, 0) + 8), 0);
}

static void free_crooked_address(void *arg)
{
	(void)arg;
	host_machine_boot(&two_nodes);
	free_pages((char *)get_free_pages(GFP_KERNEL, 0) + 100, 0);
}

static void misuse_is_named(struct ktest *t)
{
	expect_panic(t, free_twice, NULL, "double free: pfn 0x");
	expect_panic(t, free_twice_merged, NULL, "is inside a free block (head pfn");
	expect_panic(t, free_wrong_order, NULL, "was allocated with order 2, freed with order 1");
	expect_panic(t, free_lru_page, NULL, "page on an LRU: put_page() frees it: pfn 0x");
	expect_panic(t, free_inside, NULL, "free of a page inside a block");
	expect_panic(t, free_reserved, NULL,
		     "free of a reserved page: pfn 0x0 (node 0) belongs to: first page");
	expect_panic(t, free_map, NULL, "belongs to: struct page");
	expect_panic(t, free_hole, NULL, "which is hole");
	expect_panic(t, free_nothing, NULL, "which is no struct page");
	expect_panic(t, free_crooked_page, NULL, "which is no struct page");
	expect_panic(t, free_crooked_address, NULL, "which is inside a page");
	expect_panic(t, free_null_page, NULL, "which is no struct page");
}

static const struct ktest_case cases[] = {
	KTEST(local_node_and_highest_zone_first),
	KTEST(zones_by_flag),
	KTEST(falls_back_in_order),
	KTEST(stops_at_the_mark),
	KTEST(low_mark_before_min),
	KTEST(low_zones_are_kept),
	KTEST(zeroes_the_whole_block),
	KTEST(bad_requests_are_named),
	KTEST(failure_is_reported_once_and_fully),
	KTEST(interrupts_come_back_as_they_were),
	KTEST(misuse_is_named),
};
KTEST_SUITE(page_alloc, cases);

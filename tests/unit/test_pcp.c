/*
 * Per-CPU page lists: what goes where, when the zone is asked, who may have them.
 *
 * A machine of two nodes and four CPUs whose nodes are large enough for lists of 5 stacks of 64 pages.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <base/assert.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>

#include "mm/pcp.h"

static const struct host_machine machine = {
	.no_slab = true,
	.ram = {{GiB(4), MiB(384), 0}, {GiB(8), MiB(384), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

#define STACK  64 /* the most there is */
#define STACKS 5  /* a 16th of 384 MiB less the map, by 4 CPUs and 8 lists: 378 pages */

static struct zone *normal(int nid)
{
	return zone_find(nid, ZONE_NORMAL);
}

static struct pcp_list *list_of(int nid, u32 cpu, u32 order)
{
	return &normal(nid)->pcp[cpu]->list[order];
}

static u64 event(int nid, enum zone_event e)
{
	struct zone_snapshot z;

	zone_snapshot(nid, ZONE_NORMAL, &z);
	return z.events[e];
}

static void capacities_follow_the_zone(struct ktest *t)
{
	struct pcp_snapshot pcp;

	host_machine_boot(&machine);
	for (u32 order = 0; order < NR_PCP_ORDERS; order++)
		EXPECT_EQ(t, list_of(0, 3, order)->capacity, STACK >> order);
	EXPECT_EQ(t, list_of(0, 3, 0)->max_cold, STACKS - 1);
	ASSERT_TRUE(t, pcp_snapshot(1, ZONE_NORMAL, 0, &pcp));
	EXPECT_EQ(t, pcp.capacity_pages, STACKS * NR_PCP_LISTS * STACK);
	EXPECT_EQ(t, pcp.pages, 0);
	EXPECT(t, !pcp_snapshot(1, ZONE_NORMAL, 4, &pcp)); /* no such CPU */
	EXPECT(t, !pcp_snapshot(1, ZONE_DMA, 0, &pcp));    /* no such memory */
	/* On the CPU's own node. */
	EXPECT_EQ(t, virt_to_page(normal(0)->pcp[3])->nid, 1);
	EXPECT_EQ(t, virt_to_page(normal(1)->pcp[0])->nid, 0);
}

/* One refill serves as many requests as the stack holds; each is counted as if the zone had. */
static void refill_once_hit_often(struct ktest *t)
{
	struct page *page[STACK + 1];
	struct zone_snapshot before, after;

	host_machine_boot(&machine);
	zone_snapshot(0, ZONE_NORMAL, &before);
	for (u32 i = 0; i < STACK; i++)
		ASSERT_TRUE(t, (page[i] = alloc_pages(GFP_KERNEL, 0)) != NULL);
	zone_snapshot(0, ZONE_NORMAL, &after);
	EXPECT_EQ(t, after.events[PCP_REFILL] - before.events[PCP_REFILL], 1);
	EXPECT_EQ(t, after.free_pages, before.free_pages - STACK);
	EXPECT_EQ(t, after.pcp_pages, 0);
	EXPECT_EQ(t, after.events[ZONE_ALLOC] - before.events[ZONE_ALLOC], STACK);
	EXPECT_EQ(t, after.events[NUMA_HIT] - before.events[NUMA_HIT], STACK);
	EXPECT_EQ(t, after.events[NUMA_LOCAL] - before.events[NUMA_LOCAL], STACK);

	page[STACK] = alloc_pages(GFP_KERNEL, 0);
	EXPECT_EQ(t, event(0, PCP_REFILL) - before.events[PCP_REFILL], 2);
	EXPECT_EQ(t, list_of(0, 0, 0)->nr_hot, STACK - 1);
	expect_check_clean(t);
}

static void last_freed_first_out(struct ktest *t)
{
	struct page *a, *b;

	host_machine_boot(&machine);
	a = alloc_pages(GFP_KERNEL, 1);
	b = alloc_pages(GFP_KERNEL, 1);
	ASSERT_TRUE(t, a && b);
	__free_pages(a, 1);
	__free_pages(b, 1);
	EXPECT_EQ(t, b->state, PAGE_PCP);
	EXPECT(t, alloc_pages(GFP_KERNEL, 1) == b);
	EXPECT(t, alloc_pages(GFP_KERNEL, 1) == a);
	EXPECT_EQ(t, a->head, PAGE_HEAD(PAGE_ALLOCATED, 1));
	expect_check_clean(t);
}

/*
 *	free  --> [ hot ] [ cold ] .. [ cold ]  --> the zone, when there are 5
 *	           page[4 * 64 ..]     page[0 ..]
 */
static void the_stack_longest_there_goes(struct ktest *t)
{
	static struct page *page[STACKS * STACK + 1];
	struct pcp_list *list;
	u64 flushes;

	host_machine_boot(&machine);
	list = list_of(0, 0, 0);
	for (u32 i = 0; i <= STACKS * STACK; i++)
		ASSERT_TRUE(t, (page[i] = alloc_pages(GFP_KERNEL, 0)) != NULL);
	drain_all_pages();
	flushes = event(0, PCP_FLUSH);
	for (u32 i = 0; i < STACKS * STACK; i++)
		__free_pages(page[i], 0);
	EXPECT_EQ(t, event(0, PCP_FLUSH), flushes);
	EXPECT_EQ(t, list->nr_hot, STACK);
	EXPECT_EQ(t, list->nr_cold, STACKS - 1);
	EXPECT_EQ(t, pcp_nr_blocks(list), STACKS * STACK);
	expect_check_clean(t);

	/* One more: a single stack goes, as a whole. */
	__free_pages(page[STACKS * STACK], 0);
	EXPECT_EQ(t, event(0, PCP_FLUSH), flushes + 1);
	for (u32 i = 0; i < STACK; i++)
		EXPECT(t, page[i]->state != PAGE_PCP);
	for (u32 i = STACK; i <= STACKS * STACK; i++)
		EXPECT_EQ(t, page[i]->state, PAGE_PCP);
	EXPECT_EQ(t, list->nr_hot, 1);
	expect_check_clean(t);

	/* They come back the last freed first, across the stacks' ends. */
	for (u32 i = STACKS * STACK; i >= STACK; i--)
		ASSERT_TRUE(t, alloc_pages(GFP_KERNEL, 0) == page[i]);
	EXPECT_EQ(t, pcp_nr_blocks(list), 0);

	/* And a drain takes them all. */
	for (u32 i = STACK; i <= STACKS * STACK; i++)
		__free_pages(page[i], 0);
	EXPECT_EQ(t, list->nr_cold, STACKS - 1);
	EXPECT_EQ(t, drain_all_pages(), (STACKS - 1) * STACK + 1);
	EXPECT_EQ(t, pcp_nr_blocks(list), 0);
	expect_check_clean(t);
}

/* Around a full stack and around an empty one the zone is left alone. */
static void a_full_stack_keeps_the_zone_out(struct ktest *t)
{
	struct page *page[STACK + 1];
	u64 flushes, refills;

	host_machine_boot(&machine);
	for (u32 i = 0; i <= STACK; i++)
		page[i] = alloc_pages(GFP_KERNEL, 0);
	for (u32 i = 0; i <= STACK; i++)
		__free_pages(page[i], 0);
	flushes = event(0, PCP_FLUSH);
	refills = event(0, PCP_REFILL);
	for (u32 i = 0; i < 100; i++) {
		for (u32 n = 0; n <= STACK; n++)
			page[n] = alloc_pages(GFP_KERNEL, 0);
		for (u32 n = 0; n <= STACK; n++)
			__free_pages(page[n], 0);
	}
	EXPECT_EQ(t, event(0, PCP_REFILL), refills);
	EXPECT_EQ(t, event(0, PCP_FLUSH), flushes);
	expect_check_clean(t);
}

/*
 * Where a zone is short, its CPUs come to keep one cold stack and give back the others:
 *
 *	free pages   high - 3 stacks ........ high      five stacks freed: three go to the zone,
 *	to the zone     third   fourth   fifth          one is cold, one hot
 */
static void a_short_zone_gets_them_back(struct ktest *t)
{
	struct page *page[5 * STACK];
	struct zone_snapshot z;
	struct pcp_list *list;
	u64 flushes;

	host_machine_boot(&machine);
	list = list_of(1, 0, 0);
	for (u32 i = 0; i < 5 * STACK; i++)
		page[i] = alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0);
	do {
		ASSERT_TRUE(t, alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0) != NULL);
		zone_snapshot(1, ZONE_NORMAL, &z);
	} while (z.free_pages + z.pcp_pages > z.watermark[WMARK_HIGH] - 3 * STACK);
	drain_all_pages();
	flushes = event(1, PCP_FLUSH);

	for (u32 i = 0; i < 5 * STACK; i++)
		__free_pages(page[i], 0);
	EXPECT_EQ(t, event(1, PCP_FLUSH) - flushes, 3);
	EXPECT_EQ(t, list->nr_cold, 1);
	EXPECT_EQ(t, list->nr_hot, STACK);
	zone_snapshot(1, ZONE_NORMAL, &z);
	EXPECT_EQ(t, z.free_pages, z.watermark[WMARK_HIGH]);
	expect_check_clean(t);
}

static void large_orders_go_to_the_zone(struct ktest *t)
{
	struct page *page;
	u64 refills;

	host_machine_boot(&machine);
	refills = event(0, PCP_REFILL);
	page = alloc_pages(GFP_KERNEL, PCP_MAX_ORDER + 1);
	ASSERT_TRUE(t, page != NULL);
	__free_pages(page, PCP_MAX_ORDER + 1);
	EXPECT_EQ(t, event(0, PCP_REFILL), refills);
	EXPECT(t, page->state != PAGE_PCP);
}

/* Who interrupts an owner finds the lists busy, is served by the zone, and is counted. */
static void an_owner_is_left_alone(struct ktest *t)
{
	struct pcp_list *list;
	struct page *warm, *page;
	u64 busy;

	host_machine_boot(&machine);
	warm = alloc_pages(GFP_KERNEL, 0);
	list = list_of(0, 0, 0);
	busy = event(0, PCP_BUSY);
	ASSERT_TRUE(t, pcp_own(list));
	page = alloc_pages(GFP_ATOMIC, 0);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, pcp_nr_allocs(list), 1);
	__free_pages(page, 0);
	EXPECT_EQ(t, list->nr_frees, 0);
	EXPECT(t, page->state != PAGE_PCP);
	pcp_disown(list);
	EXPECT_EQ(t, event(0, PCP_BUSY), busy + 2);

	/* A drain in an interrupt cannot wait for what it interrupted. */
	ASSERT_TRUE(t, pcp_own(list));
	host_irqs_disabled = true;
	drain_all_pages();
	host_irqs_disabled = false;
	EXPECT(t, list->nr_hot > 0);
	pcp_disown(list);
	EXPECT(t, drain_all_pages() >= STACK - 1);
	EXPECT_EQ(t, list->nr_hot, 0);
	__free_pages(warm, 0);
	expect_check_clean(t);
}

/* As a drainer on another CPU. */
static void own_as_another(void *arg)
{
	struct pcp_list *list = arg;

	host_cpu = 1;
	ASSERT_MSG(pcp_own(list), "the list is somebody's already");
	host_cpu = 0;
}

/*
 *	this CPU    busy is 0 ................... the store that makes it 1
 *	another                  makes it 1
 *
 * Whoever came to that store first has the list, and the other has not.
 */
static void of_two_at_once_one_owns(struct ktest *t)
{
	struct pcp_list *list;
	struct page *page;
	u64 busy;

	if (HOST_TSAN) {
		ktest_skip(t, "an atomic write under ThreadSanitizer");
		return;
	}
	host_machine_boot(&machine);
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	list = list_of(0, 0, 0);
	busy = event(0, PCP_BUSY);

	host_at_write(&list->busy, own_as_another, list);
	page = alloc_pages(GFP_KERNEL, 0);
	EXPECT(t, !host_write_awaited());
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, list->nr_hot, STACK);
	pcp_disown(list); /* before it is counted: who counts waits for owners */
	EXPECT_EQ(t, event(0, PCP_BUSY), busy + 1);

	host_at_write(&list->busy, own_as_another, list);
	__free_pages(page, 0);
	EXPECT(t, !host_write_awaited());
	EXPECT_EQ(t, list->nr_frees, 1);
	EXPECT_EQ(t, list->busy, 1);
	pcp_disown(list);
	EXPECT_EQ(t, event(0, PCP_BUSY), busy + 2);
	expect_check_clean(t);
}

/* Any CPU drains all; afterwards everything merges to what it was. */
static void a_drain_reaches_every_cpu(struct ktest *t)
{
	struct zone_snapshot before, after;

	host_machine_boot(&machine);
	zone_snapshot(1, ZONE_NORMAL, &before);
	for (u32 cpu = 0; cpu < 4; cpu++) {
		host_cpu = cpu;
		for (u32 order = 0; order < NR_PCP_ORDERS; order++)
			__free_pages(alloc_pages_node(1, GFP_KERNEL, order), order);
		EXPECT(t, list_of(1, cpu, 3)->nr_hot > 0);
	}
	host_cpu = 0;
	expect_check_clean(t);
	EXPECT_EQ(t, drain_all_pages(), 4 * NR_PCP_ORDERS * STACK);
	zone_snapshot(1, ZONE_NORMAL, &after);
	EXPECT_EQ(t, memcmp(before.free_blocks, after.free_blocks, sizeof(before.free_blocks)), 0);
	EXPECT_EQ(t, after.events[PCP_DRAINED], 4 * NR_PCP_ORDERS * STACK);
	EXPECT_EQ(t, drain_all_pages(), 0);
	expect_check_clean(t);
}

/* What CPUs have put aside is not lost to a request that needs it, in number or in shape. */
static void a_failing_request_gets_it_back(struct ktest *t)
{
	struct page *kept[STACK];
	struct zone_snapshot z;
	u64 pages = 0;

	host_machine_boot(&machine);
	host_cpu = 2; /* puts a stack of single pages aside, every other one of a block */
	for (u32 i = 0; i < STACK; i++)
		kept[i] = alloc_pages_node(1, GFP_KERNEL, 0);
	for (u32 i = 0; i < STACK; i++)
		__free_pages(kept[i], 0);
	zone_snapshot(1, ZONE_NORMAL, &z);
	EXPECT_EQ(t, z.pcp_pages, STACK);
	host_cpu = 0;
	while (alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0))
		pages++;
	zone_snapshot(1, ZONE_NORMAL, &z);
	EXPECT_EQ(t, z.pcp_pages, 0);
	EXPECT_EQ(t, z.free_pages, z.watermark[WMARK_MIN]);
	EXPECT(t, z.events[PCP_DRAINED] >= STACK);
	EXPECT(t, pages > 80000);
	expect_check_clean(t);
}

/* Near the marks a refill takes what was asked for and no more: counts there are exact. */
static void no_hoarding_near_the_marks(struct ktest *t)
{
	struct zone_snapshot z;

	host_machine_boot(&machine);
	do {
		ASSERT_TRUE(t, alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0) != NULL);
		zone_snapshot(1, ZONE_NORMAL, &z);
	} while (z.free_pages > z.watermark[WMARK_HIGH]);
	EXPECT_EQ(t, z.free_pages, z.watermark[WMARK_HIGH]);
	while (list_of(1, 0, 0)->nr_hot > 0)
		ASSERT_TRUE(t, alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0) != NULL);
	for (u64 free = z.free_pages; free > z.watermark[WMARK_LOW]; free--) {
		zone_snapshot(1, ZONE_NORMAL, &z);
		ASSERT_EQ(t, z.free_pages, free);
		ASSERT_EQ(t, z.pcp_pages, 0);
		ASSERT_TRUE(t, alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0) != NULL);
	}
}

static void closed_lists_stay_empty(struct ktest *t)
{
	struct zone_snapshot z;
	struct page *page;

	host_machine_boot(&machine);
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	pcp_close();
	pcp_close();
	zone_snapshot(0, ZONE_NORMAL, &z);
	EXPECT_EQ(t, z.pcp_pages, 0);
	page = alloc_pages(GFP_KERNEL, 0);
	EXPECT_EQ(t, event(0, ZONE_ALLOC), z.events[ZONE_ALLOC] + 1);
	EXPECT_EQ(t, event(0, PCP_REFILL), z.events[PCP_REFILL]);
	__free_pages(page, 0);
	EXPECT(t, page->state != PAGE_PCP);
	pcp_open();
	EXPECT_EQ(t, list_of(0, 0, 0)->capacity, 0); /* one is still there that wants them closed */
	pcp_open();
	EXPECT_EQ(t, list_of(0, 0, 0)->capacity, STACK);
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	zone_snapshot(0, ZONE_NORMAL, &z);
	EXPECT_EQ(t, z.pcp_pages, STACK);
	expect_check_clean(t);
}

/*
 * A drainer that may wait does so by the clock: an owner that the host does not run for a while comes
 * back. One that never does is left out, and counted.
 */
static void a_lost_owner_is_waited_for_a_while(struct ktest *t)
{
	struct pcp_list *list;
	u64 busy, start, ns;

	host_machine_boot(&machine);
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	list = list_of(0, 2, 1);
	busy = event(0, PCP_BUSY);
	ASSERT_TRUE(t, pcp_own(list));
	start = arch_timestamp();
	EXPECT_EQ(t, drain_all_pages(), STACK);
	ns = arch_timestamp_to_ns(arch_timestamp() - start);
	EXPECT_MSG(t, ns >= 1500000000ull && ns < 30000000000ull, "waited %llu ns",
		   (unsigned long long)ns);
	pcp_disown(list); /* before it is counted: who counts waits for owners */
	EXPECT_EQ(t, event(0, PCP_BUSY), busy + 1);
	expect_check_clean(t);
}

/* A CPU that nobody knew of at boot works without lists. */
static void an_unknown_cpu_has_none(struct ktest *t)
{
	struct page *page;

	host_machine_boot(&machine);
	host_cpu = 7;
	page = alloc_pages_node(1, GFP_KERNEL, 0);
	ASSERT_TRUE(t, page != NULL);
	__free_pages(page, 0);
	EXPECT(t, page->state != PAGE_PCP);
	EXPECT_EQ(t, event(1, PCP_BUSY), 0);
	expect_check_clean(t);
}

/* A page for which the preferred zone had none is a miss there, wherever it came from. */
static void misplaced_pages_are_counted(struct ktest *t)
{
	struct page *page;
	u64 hits;

	host_machine_boot(&machine);
	while (alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0))
		;
	hits = event(0, NUMA_HIT);
	for (u32 i = 0; i < 3; i++) {
		page = alloc_pages_node(1, GFP_KERNEL, 0);
		ASSERT_TRUE(t, page && page->nid == 0);
	}
	EXPECT_EQ(t, event(0, NUMA_MISS), 3);
	EXPECT_EQ(t, event(1, NUMA_FOREIGN), 3);
	EXPECT_EQ(t, event(0, NUMA_HIT), hits);
}

static void free_twice(void *arg)
{
	struct page *page;

	(void)arg;
	host_machine_boot(&machine);
	page = alloc_pages(GFP_KERNEL, 2);
	__free_pages(page, 2);
	__free_pages(page, 2);
}

/* As when two CPUs free the same page at the same moment: both pass the check. */
static void free_at_once(void *arg)
{
	struct page *page;

	(void)arg;
	host_machine_boot(&machine);
	page = alloc_pages_node(0, GFP_KERNEL, 0);
	__free_pages(page, 0);
	page->state = PAGE_ALLOCATED;
	host_cpu = 1;
	__free_pages(page, 0);
	drain_all_pages();
}

static void write_after_free(void *arg)
{
	struct page *page;

	(void)arg;
	host_machine_boot(&machine);
	page = alloc_pages_node(0, GFP_KERNEL, 0);
	__free_pages(page, 0);
	page->head = 0;
	if (alloc_pages_node(0, GFP_KERNEL, 0))
		drain_all_pages();
}

static void open_unclosed(void *arg)
{
	(void)arg;
	host_machine_boot(&machine);
	pcp_open();
}

static void misuse_is_named(struct ktest *t)
{
	expect_panic(t, free_twice, NULL, "is on a per-CPU list of order 2; freed with order 2");
	expect_panic(t, free_at_once, NULL, "stands on a per-CPU list of order 0: freed twice");
	expect_panic(t, write_after_free, NULL, "stands on a per-CPU list of order 0");
	expect_panic(t, open_unclosed, NULL, "which nobody closed");
}

static const struct ktest_case cases[] = {
	KTEST(capacities_follow_the_zone),
	KTEST(refill_once_hit_often),
	KTEST(last_freed_first_out),
	KTEST(the_stack_longest_there_goes),
	KTEST(a_full_stack_keeps_the_zone_out),
	KTEST(a_short_zone_gets_them_back),
	KTEST(large_orders_go_to_the_zone),
	KTEST(an_owner_is_left_alone),
	KTEST(of_two_at_once_one_owns),
	KTEST(a_drain_reaches_every_cpu),
	KTEST(a_failing_request_gets_it_back),
	KTEST(no_hoarding_near_the_marks),
	KTEST(closed_lists_stay_empty),
	KTEST(a_lost_owner_is_waited_for_a_while),
	KTEST(an_unknown_cpu_has_none),
	KTEST(misplaced_pages_are_counted),
	KTEST(misuse_is_named),
};
KTEST_SUITE(pcp, cases);

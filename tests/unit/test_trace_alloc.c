/*
 * What the allocator says into the trace rings: everything it does, in order, and nothing is done otherwise for it.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>

#include "mm/pcp.h"
#include "mm/watermark.h"

static const struct host_machine machine = {
	.no_slab = true,
	.ram = {{GiB(4), MiB(384), 0}, {GiB(8), MiB(384), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

#define STACK 64 /* of order 0, as in test_pcp.c */

static struct trace_record memory[4][1024], out[1024];

static void start(u32 nr_records)
{
	for (u32 cpu = 0; cpu < ARRAY_SIZE(memory); cpu++)
		trace_set_ring(cpu, memory[cpu], nr_records);
	trace_switch(true);
}

/* The next record that is this event; NULL: none is. */
static const struct trace_record *next_of(u32 *at, u32 nr, enum trace_event event)
{
	while (*at < nr)
		if (out[(*at)++].event == event)
			return &out[*at - 1];
	return NULL;
}

/* After the lists have pages: a hit by rights. On another CPU and node than 0. */
static void every_request_is_seen(struct ktest *t)
{
	struct page *page[3];
	u32 nr, at = 0;

	host_machine_boot(&machine);
	host_cpu = 2;
	__free_pages(alloc_pages(GFP_KERNEL, 1), 1);
	start(1024);
	for (u32 i = 0; i < 3; i++)
		page[i] = alloc_pages(GFP_KERNEL, 1);
	for (u32 i = 0; i < 3; i++)
		__free_pages(page[i], 1);
	trace_switch(false);
	nr = trace_read(2, out, 1024);
	EXPECT_EQ(t, nr, 6); /* and nothing else: no refill, no split */
	for (u32 i = 0; i < 6; i++) {
		const struct trace_record *r =
			next_of(&at, nr, i < 3 ? TRACE_PAGE_ALLOC : TRACE_PAGE_FREE);

		ASSERT_TRUE(t, r != NULL);
		EXPECT_EQ(t, r->id, page_to_pfn(page[i % 3]));
		EXPECT_EQ(t, r->order, 1);
		EXPECT_EQ(t, r->nid, 1);
		EXPECT_EQ(t, r->zone, ZONE_NORMAL);
		EXPECT_EQ(t, r->cpu, 2);
		EXPECT_EQ(t, r->gfp, i < 3 ? GFP_KERNEL : 0);
		EXPECT(t, r->call_site != 0);
	}
	expect_check_clean(t);
}

/* The same pages in the same order as without tracing: the lists work as ever. */
static void tracing_changes_nothing(struct ktest *t)
{
	pfn_t untraced[2 * STACK];
	struct page *page[2 * STACK];
	struct zone *zone;

	host_machine_boot(&machine);
	zone = zone_find(0, ZONE_NORMAL);
	for (int traced = 0; traced < 2; traced++) {
		u64 refills = zone->events[PCP_REFILL], flushes = zone->events[PCP_FLUSH];

		if (traced)
			start(1024);
		for (u32 i = 0; i < 2 * STACK; i++) {
			page[i] = alloc_pages(GFP_KERNEL, 0);
			if (traced)
				EXPECT_EQ(t, page_to_pfn(page[i]), untraced[i]);
			untraced[i] = page_to_pfn(page[i]);
		}
		for (u32 i = 0; i < 2 * STACK; i++)
			__free_pages(page[i], 0);
		EXPECT_EQ(t, zone->events[PCP_REFILL] - refills, 2);
		EXPECT_EQ(t, zone->events[PCP_FLUSH] - flushes, 0);
		trace_switch(false);
		drain_all_pages();
	}
	EXPECT_EQ(t, trace_read(0, out, 1024) > 4 * STACK, 1);
	EXPECT_EQ(t, zone->pcp[0]->list[0].hit_limit, STACK);
	EXPECT(t, zone->fast_mark != ~(u64)0);
	expect_check_clean(t);
}

/* As somebody who sets min_free_kbytes meanwhile. */
static void new_marks_leave_the_hit_paths_closed(struct ktest *t)
{
	struct zone *zone;

	host_machine_boot(&machine);
	zone = zone_find(0, ZONE_NORMAL);
	start(1024);
	watermark_setup(512);
	EXPECT_EQ(t, zone->fast_mark, ~(u64)0);
	trace_switch(false);
	EXPECT(t, zone->fast_mark != ~(u64)0);
	EXPECT(t, zone->fast_mark > zone->watermark[WMARK_LOW]);
}

static void open_again(void *arg)
{
	(void)arg;
	hit_paths_open();
}

/* Each in its turn: the last opens. */
static void hit_paths_stay_closed_for_the_last(struct ktest *t)
{
	struct zone *zone;

	host_machine_boot(&machine);
	zone = zone_find(0, ZONE_NORMAL);
	expect_panic(t, open_again, NULL, "hit paths opened, which nobody closed");
	hit_paths_close();
	hit_paths_close();
	hit_paths_open();
	EXPECT(t, !hit_paths_are_open());
	EXPECT_EQ(t, zone->fast_mark, ~(u64)0);
	hit_paths_open();
	EXPECT(t, hit_paths_are_open());
	EXPECT(t, zone->fast_mark != ~(u64)0);
}

/* From empty lists: a block is split, the list is refilled, the request served. */
static void the_long_way_is_seen_in_order(struct ktest *t)
{
	const struct trace_record *r;
	struct page *page;
	u32 nr, at = 0;

	host_machine_boot(&machine);
	start(1024);
	page = alloc_pages(GFP_KERNEL, 0);
	__free_pages(page, 0);
	drain_all_pages();
	trace_switch(false);
	nr = trace_read(0, out, 1024);

	r = next_of(&at, nr, TRACE_ZONE_SPLIT);
	ASSERT_TRUE(t, r != NULL);
	EXPECT(t, r->order > r->arg);
	EXPECT_EQ(t, pfn_to_page(r->id)->nid, 0);
	r = next_of(&at, nr, TRACE_PCP_REFILL);
	ASSERT_TRUE(t, r != NULL);
	EXPECT_EQ(t, r->arg, STACK);
	EXPECT_EQ(t, r->order, 0);
	ASSERT_TRUE(t, next_of(&at, nr, TRACE_PAGE_ALLOC) != NULL);
	ASSERT_TRUE(t, next_of(&at, nr, TRACE_PAGE_FREE) != NULL);
	r = next_of(&at, nr, TRACE_PCP_DRAIN);
	ASSERT_TRUE(t, r != NULL);
	EXPECT_EQ(t, r->arg, STACK);
	/* One of the merges is of this page's block. */
	do
		r = next_of(&at, nr, TRACE_ZONE_MERGE);
	while (r && r->id != ALIGN_DOWN(page_to_pfn(page), (pfn_t)1 << r->order));
	ASSERT_TRUE(t, r != NULL);
	EXPECT_EQ(t, r->arg, 0);
	expect_check_clean(t);
}

static void large_blocks_and_failures(struct ktest *t)
{
	struct page *page;
	u32 nr, at = 0;

	host_machine_boot(&machine);
	start(1024);
	page = alloc_pages(GFP_KERNEL, 9);
	__free_pages(page, 9);
	EXPECT(t, alloc_pages_node(1, GFP_DMA | __GFP_NOWARN, 4) == NULL);
	nr = trace_read(0, out, 1024);
	EXPECT_EQ(t, next_of(&at, nr, TRACE_ZONE_SPLIT)->id, page_to_pfn(page));
	EXPECT_EQ(t, next_of(&at, nr, TRACE_PAGE_ALLOC)->id, page_to_pfn(page));
	EXPECT_EQ(t, next_of(&at, nr, TRACE_PAGE_FREE)->id, page_to_pfn(page));
	EXPECT_EQ(t, next_of(&at, nr, TRACE_ZONE_MERGE)->order, 10);
	ASSERT_TRUE(t, next_of(&at, nr, TRACE_PAGE_ALLOC_FAILED) != NULL);
	EXPECT_EQ(t, out[at - 1].nid, 1);
	EXPECT_EQ(t, out[at - 1].order, 4);
	EXPECT_EQ(t, out[at - 1].zone, ZONE_DMA);
	EXPECT_EQ(t, out[at - 1].gfp, GFP_DMA | __GFP_NOWARN);
	EXPECT_EQ(t, at, nr);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(every_request_is_seen),
	KTEST(tracing_changes_nothing),
	KTEST(new_marks_leave_the_hit_paths_closed),
	KTEST(hit_paths_stay_closed_for_the_last),
	KTEST(the_long_way_is_seen_in_order),
	KTEST(large_blocks_and_failures),
};
KTEST_SUITE(trace_alloc, cases);

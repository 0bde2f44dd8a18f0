/*
 * Marks, to the page: how far down a zone goes for whom, by class, order and flags, held against tables that
 * are worked out by hand.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "mm/memmap.h"
#include "mm/zone.h"

/*
 *	0        16M        64M      |4G            4G+64M|
 *	|  DMA   |  DMA32   |        |      Normal        |     one node, one CPU
 */
static const struct host_machine three_zones = {
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(64), 0}},
	.nr_nodes = 1,
};

#define ENTITLED_GFP (__GFP_MEMALLOC | __GFP_THISNODE | __GFP_NOWARN)

static struct zone *zone_of(enum zone_type type)
{
	return &NODE_DATA(0)->zones[type];
}

static gfp_t gfp_of_class(enum zone_type class)
{
	return class == ZONE_DMA ? __GFP_DMA : class == ZONE_DMA32 ? __GFP_DMA32 : 0;
}

/*
 * Round figures in place of the machine's own, so that the tables below can be checked in the head:
 *
 *	            min         low         high        kept from class DMA32, Normal
 *	DMA         1000        1250        1500        48          112
 *	DMA32       1000        1250        1500        -           80
 *	Normal      1000        1250        1500        -           -
 */
static void set_marks(u64 min)
{
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		struct zone *zone = zone_of((enum zone_type)type);

		zone->watermark[WMARK_MIN] = min;
		zone->watermark[WMARK_LOW] = 1250;
		zone->watermark[WMARK_HIGH] = 1500;
		memset(zone->lowmem_reserve, 0, sizeof(zone->lowmem_reserve));
		zone->fast_mark = ~(u64)0;
	}
	zone_of(ZONE_DMA)->lowmem_reserve[ZONE_DMA32] = 48;
	zone_of(ZONE_DMA)->lowmem_reserve[ZONE_NORMAL] = 112;
	zone_of(ZONE_DMA32)->lowmem_reserve[ZONE_NORMAL] = 80;
}

struct way {
	enum zone_type zone, class;
	u64 reserve;
};
static const struct way ways[] = {
	{ZONE_DMA, ZONE_DMA, 0},     {ZONE_DMA, ZONE_DMA32, 48},    {ZONE_DMA, ZONE_NORMAL, 112},
	{ZONE_DMA32, ZONE_DMA32, 0}, {ZONE_DMA32, ZONE_NORMAL, 80}, {ZONE_NORMAL, ZONE_NORMAL, 0},
};

/* No flag of a task: its word of its own, among them in these tables. */
#define OOM_VICTIM 1u

/* What of the min mark is left standing, of 1000 and of 1001 pages; 0: everything may go. */
struct row {
	gfp_t gfp;
	u32 task_flags;
	u64 of_1000, of_1001;
	u64 own_of_1000; /* entitled: what its class would have left */
};
#define EVERYTHING 0
static const struct row rows[] = {
	/* Whole: who may block, and who may not, without being urgent. */
	{GFP_KERNEL, 0, 1000, 1001, 0},
	{GFP_NOIO, 0, 1000, 1001, 0},
	{GFP_NOWAIT, 0, 1000, 1001, 0},
	{0, 0, 1000, 1001, 0},
	{GFP_KERNEL | __GFP_NORETRY, 0, 1000, 1001, 0},
	{GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0, 1000, 1001, 0},
	{GFP_KERNEL | __GFP_NOMEMALLOC, 0, 1000, 1001, 0},
	/* Urgent: 1000 - 500; 1001 - 500. */
	{GFP_KERNEL | __GFP_HIGH, 0, 500, 501, 0},
	{__GFP_DIRECT_RECLAIM | __GFP_HIGH, 0, 500, 501, 0},
	{GFP_KERNEL | __GFP_HIGH | __GFP_NOMEMALLOC, 0, 500, 501, 0},
	/* and cannot wait: 500 - 125; 501 - 125. */
	{GFP_ATOMIC, 0, 375, 376, 0},
	{GFP_NOWAIT | __GFP_HIGH, 0, 375, 376, 0},
	{__GFP_HIGH, 0, 375, 376, 0},
	{GFP_ATOMIC | __GFP_NOMEMALLOC, 0, 375, 376, 0},
	/* A victim: half of what is left. 375 - 187; 376 - 188. */
	{GFP_KERNEL, OOM_VICTIM, 500, 501, 0},
	{GFP_NOWAIT, OOM_VICTIM, 500, 501, 0},
	{GFP_KERNEL | __GFP_HIGH, OOM_VICTIM, 250, 251, 0},
	{GFP_ATOMIC, OOM_VICTIM, 188, 188, 0},
	/* but not the one that wants none of the reserve. */
	{GFP_KERNEL | __GFP_NOMEMALLOC, OOM_VICTIM, 1000, 1001, 0},
	{GFP_ATOMIC | __GFP_NOMEMALLOC, OOM_VICTIM, 375, 376, 0},
	/* Entitled: the last page, and what is kept from its class. */
	{GFP_KERNEL, PF_MEMALLOC, EVERYTHING, EVERYTHING, 1000},
	{GFP_KERNEL | __GFP_MEMALLOC, 0, EVERYTHING, EVERYTHING, 1000},
	{GFP_ATOMIC, PF_MEMALLOC, EVERYTHING, EVERYTHING, 375},
	{GFP_ATOMIC | __GFP_MEMALLOC, 0, EVERYTHING, EVERYTHING, 375},
	{GFP_KERNEL, PF_MEMALLOC | OOM_VICTIM, EVERYTHING, EVERYTHING, 500},
	/* unless it says that it will not. */
	{GFP_KERNEL | __GFP_NOMEMALLOC, PF_MEMALLOC, 1000, 1001, 0},
	{GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC, 0, 1000, 1001, 0},
	{GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC, PF_MEMALLOC, 1000, 1001, 0},
};

/* Held back from the zone under test: whole blocks, and the pages of one block. */
#define MAX_HELD 65536
static struct page *big[MAX_HELD], *single[MAX_HELD], *taken[MAX_HELD];
static u32 nr_big, nr_single;

/* Every page of every zone is held: single ones first, all but one of a whole block's. */
static void hold_all(struct ktest *t)
{
	struct page *page;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		gfp_t gfp = ENTITLED_GFP | gfp_of_class((enum zone_type)type);

		for (u32 i = 0; i < MAX_BLOCK_PAGES - 1; i++) {
			ASSERT_TRUE(t, (page = alloc_pages_node(0, gfp, 0)) != NULL);
			single[nr_single++] = page;
		}
		while ((page = alloc_pages_node(0, gfp, MAX_ORDER)))
			big[nr_big++] = page;
		while ((page = alloc_pages_node(0, gfp, 0)))
			single[nr_single++] = page;
	}
}

/* Gives the zone so many whole blocks and single pages. */
static void give(struct ktest *t, struct zone *zone, u32 blocks, u32 pages)
{
	for (u32 i = 0; i < nr_big && blocks > 0; i++) {
		if (big[i] && page_zone(big[i]) == zone) {
			__free_pages(big[i], MAX_ORDER);
			big[i] = NULL;
			blocks--;
		}
	}
	for (u32 i = 0; i < nr_single && pages > 0; i++) {
		if (single[i] && page_zone(single[i]) == zone) {
			__free_pages(single[i], 0);
			single[i] = NULL;
			pages--;
		}
	}
	EXPECT_EQ(t, blocks + pages, 0);
}

/* The single pages come first: they are in the smallest blocks. */
static void take_back(struct ktest *t, struct zone *zone, u32 pages)
{
	gfp_t gfp = ENTITLED_GFP | gfp_of_class(zone->type);

	for (u32 i = 0; i < nr_single && pages > 0; i++) {
		if (!single[i]) {
			single[i] = alloc_pages_node(0, gfp, 0);
			ASSERT_TRUE(t, single[i] != NULL);
			pages--;
		}
	}
	for (u32 i = 0; i < nr_big; i++) {
		if (!big[i] && zone->nr_free_pages)
			big[i] = alloc_pages_node(0, gfp, MAX_ORDER);
	}
	EXPECT_EQ(t, zone->nr_free_pages, 0);
}

#define BLOCKS 2

/*
 * With 2 blocks of 1024 and `extra` pages free, takes until the first failure. What is left must
 * be `left`; and a page has the reserve's mark if and only if its own class would have stopped before.
 */
static void run_dry(struct ktest *t, const struct way *way, const struct row *row, u32 order,
		    u32 extra, u64 left)
{
	gfp_t gfp = row->gfp | gfp_of_class(way->class) | __GFP_THISNODE | __GFP_NOWARN;
	struct zone *zone = zone_of(way->zone);
	u64 start = 1024 * BLOCKS + extra, marked = 0, own_marked = 0;
	u64 counted = zone->events[ZONE_RESERVE_TAKEN];
	u32 nr = 0;

	give(t, zone, BLOCKS, extra);
	os_current()->flags = row->task_flags & ~OOM_VICTIM;
	os_current()->oom_victim = row->task_flags & OOM_VICTIM;
	while ((taken[nr] = alloc_pages_node(0, gfp, order))) {
		u64 free_before = start - ((u64)nr << order);

		own_marked += row->own_of_1000 &&
			      free_before < row->own_of_1000 + way->reserve + (1u << order);
		marked += (taken[nr]->marks & PAGE_MARK_RESERVE) != 0;
		nr++;
	}
	os_current()->flags = 0;
	os_current()->oom_victim = false;
	EXPECT_MSG(t, zone->nr_free_pages == left,
		   "%s by class %s, order %u, gfp 0x%x, task 0x%x, %llu free: stopped at %llu, not "
		   "%llu",
		   zone_type_name(way->zone), zone_type_name(way->class), order, row->gfp,
		   row->task_flags, (unsigned long long)start,
		   (unsigned long long)zone->nr_free_pages, (unsigned long long)left);
	EXPECT_EQ(t, marked, own_marked);
	EXPECT_EQ(t, zone->events[ZONE_RESERVE_TAKEN] - counted, own_marked);
	while (nr > 0)
		__free_pages(taken[--nr], order);
	EXPECT_EQ(t, zone->nr_free_pages, start);
	take_back(t, zone, extra);
}

/*
 * free - (2^order - 1) > kept, so with kept + 2^order pages it passes, with one less it does not. The
 * extra pages are such that the zone comes by exactly that count:
 *
 *	passes and leaves                    does not
 *	kept + 2^order  -> kept              kept + 2^order - 1
 */
static void to_the_page(struct ktest *t, const struct way *way, const struct row *row, u64 kept)
{
	static const u32 orders[] = {0, 1, 3, 4, 10};

	for (u32 i = 0; i < ARRAY_SIZE(orders); i++) {
		u32 mask = (1u << orders[i]) - 1;

		run_dry(t, way, row, orders[i], (u32)kept & mask, kept);
		run_dry(t, way, row, orders[i], (u32)(kept + mask) & mask, kept + mask);
	}
}

static void marks_are_exact_to_the_page(struct ktest *t)
{
	host_machine_boot(&three_zones);
	pcp_close();
	hold_all(t);
	set_marks(1000);
	for (u32 w = 0; w < ARRAY_SIZE(ways); w++) {
		for (u32 r = 0; r < ARRAY_SIZE(rows); r++) {
			u64 kept = rows[r].of_1000;

			to_the_page(t, &ways[w], &rows[r], kept ? kept + ways[w].reserve : 0);
		}
	}
	pcp_open();
}

static void odd_marks_round_as_they_should(struct ktest *t)
{
	host_machine_boot(&three_zones);
	pcp_close();
	hold_all(t);
	set_marks(1001);
	for (u32 r = 0; r < ARRAY_SIZE(rows); r++) {
		struct row row = rows[r];

		if (row.own_of_1000)
			continue; /* the marks of pages are worked out for 1000 */
		to_the_page(t, &ways[5], &row, row.of_1001);
	}
	pcp_open();
}

/* A CPU's own lists do not go below a mark, and what is on them is not lost to the last request. */
static void marks_hold_with_lists_open(struct ktest *t)
{
	struct zone *zone;
	struct page *page;
	u64 refills;

	host_machine_boot(&three_zones);
	zone = zone_of(ZONE_NORMAL);
	refills = zone->events[PCP_REFILL];
	while ((page = alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0)) &&
	       page->zone == ZONE_NORMAL)
		single[nr_single++] = page;
	EXPECT(t, zone->events[PCP_REFILL] > refills);
	while (alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0))
		;
	EXPECT_EQ(t, zone->nr_free_pages, zone->watermark[WMARK_MIN]);
	/* 8 given back are 8 that can be had, list or not. */
	for (u32 i = 0; i < 8; i++)
		__free_pages(single[--nr_single], 0);
	for (u32 i = 0; i < 8; i++)
		EXPECT(t, alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0));
	EXPECT(t, !alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0));
	EXPECT_EQ(t, zone->nr_free_pages, zone->watermark[WMARK_MIN]);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(marks_are_exact_to_the_page, 240),
	KTEST(odd_marks_round_as_they_should),
	KTEST(marks_hold_with_lists_open),
};
KTEST_SUITE(marks, cases);

/*
 * The request: how far down the marks for whom, held against tables that are worked out by hand; the
 * steps of the slow path; what must not fail; what must not sleep.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/os.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

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

static u64 event(enum zone_type type, enum zone_event e)
{
	return zone_of(type)->events[e];
}

/* --- Marks, to the page -------------------------------------------------------------------------- */

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
	{GFP_KERNEL, PF_OOM_VICTIM, 500, 501, 0},
	{GFP_NOWAIT, PF_OOM_VICTIM, 500, 501, 0},
	{GFP_KERNEL | __GFP_HIGH, PF_OOM_VICTIM, 250, 251, 0},
	{GFP_ATOMIC, PF_OOM_VICTIM, 188, 188, 0},
	/* but not the one that wants none of the reserve. */
	{GFP_KERNEL | __GFP_NOMEMALLOC, PF_OOM_VICTIM, 1000, 1001, 0},
	{GFP_ATOMIC | __GFP_NOMEMALLOC, PF_OOM_VICTIM, 375, 376, 0},
	/* Entitled: the last page, and what is kept from its class. */
	{GFP_KERNEL, PF_MEMALLOC, EVERYTHING, EVERYTHING, 1000},
	{GFP_KERNEL | __GFP_MEMALLOC, 0, EVERYTHING, EVERYTHING, 1000},
	{GFP_ATOMIC, PF_MEMALLOC, EVERYTHING, EVERYTHING, 375},
	{GFP_ATOMIC | __GFP_MEMALLOC, 0, EVERYTHING, EVERYTHING, 375},
	{GFP_KERNEL, PF_MEMALLOC | PF_OOM_VICTIM, EVERYTHING, EVERYTHING, 500},
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
	os_current()->flags = row->task_flags;
	while ((taken[nr] = alloc_pages_node(0, gfp, order))) {
		u64 free_before = start - ((u64)nr << order);

		own_marked += row->own_of_1000 &&
			      free_before < row->own_of_1000 + way->reserve + (1u << order);
		marked += (taken[nr]->marks & PAGE_MARK_RESERVE) != 0;
		nr++;
	}
	os_current()->flags = 0;
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

/* --- The reserve ------------------------------------------------------------------------------- */

static void flood(gfp_t gfp)
{
	while (alloc_pages_node(0, gfp | __GFP_NOWARN, 0))
		;
}

/* One after the other may go on where the one before had to stop. */
static void who_may_go_on(struct ktest *t)
{
	u64 kept;

	host_machine_boot(&three_zones);
	kept = zone_of(ZONE_DMA)->lowmem_reserve[ZONE_NORMAL];
	EXPECT(t, kept > 0);
	flood(GFP_KERNEL);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	for (u64 i = 0; i < kept; i++)
		EXPECT(t, alloc_pages(GFP_DMA | GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT(t, !alloc_pages(GFP_DMA | GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT(t, alloc_pages(GFP_ATOMIC | __GFP_NOWARN, 0));
	flood(GFP_ATOMIC);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOWARN, 0));
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		EXPECT_EQ(t, zone_of((enum zone_type)type)->nr_free_pages, 0);
	expect_check_clean(t);
}

/* The mark is the taker's: gone when it gives the page back. */
static void the_mark_does_not_outlive_its_taker(struct ktest *t)
{
	struct page *ordinary, *reserve, *again;
	u32 saved;

	host_machine_boot(&three_zones);
	saved = memalloc_noreclaim_save();
	ordinary = alloc_pages(GFP_KERNEL, 0);
	ASSERT_TRUE(t, ordinary != NULL);
	EXPECT_EQ(t, ordinary->marks, 0); /* entitled, but others could have had it */
	memalloc_noreclaim_restore(saved);
	flood(GFP_KERNEL);

	saved = memalloc_noreclaim_save();
	reserve = alloc_pages(GFP_KERNEL, 0);
	memalloc_noreclaim_restore(saved);
	ASSERT_TRUE(t, reserve != NULL);
	EXPECT_EQ(t, reserve->marks, PAGE_MARK_RESERVE);
	EXPECT_EQ(t, event(ZONE_NORMAL, ZONE_RESERVE_TAKEN), 1);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0)); /* entitled no longer */

	__free_pages(reserve, 0);
	EXPECT_EQ(t, reserve->marks, 0);
	__free_pages(ordinary, 0);
	do
		again = alloc_pages(GFP_ATOMIC | __GFP_NOWARN, 0);
	while (again && again != reserve);
	ASSERT_TRUE(t, again != NULL);
	EXPECT_EQ(t, again->marks, 0);
	EXPECT_EQ(t, event(ZONE_NORMAL, ZONE_RESERVE_TAKEN), 1);
	expect_check_clean(t);
}

static void saving_nests(struct ktest *t)
{
	u32 outer, inner;

	host_machine_boot(&three_zones);
	outer = memalloc_noreclaim_save();
	inner = memalloc_noreclaim_save();
	memalloc_noreclaim_restore(inner);
	EXPECT(t, os_current()->flags & PF_MEMALLOC);
	EXPECT(t, this_task_is_limited());
	memalloc_noreclaim_restore(outer);
	EXPECT_EQ(t, os_current()->flags, 0);
	EXPECT(t, !this_task_is_limited());
}

struct in_interrupt {
	gfp_t gfp;
	struct page *page;
};

static void ask(void *arg)
{
	struct in_interrupt *in = arg;

	in->page = alloc_pages(in->gfp | __GFP_NOWARN, 0);
}

/* Of this CPU while it runs this very task: that is what os_run_on_cpu() sees to. */
static struct page *ask_in_interrupt(gfp_t gfp)
{
	struct in_interrupt in = {.gfp = gfp};

	os_run_on_cpu(0, ask, &in);
	return in.page;
}

/* What the interrupted task may is not the interrupt's. */
static void an_interrupt_is_nobodys(struct ktest *t)
{
	u32 saved;

	host_machine_boot(&three_zones);
	flood(GFP_ATOMIC);
	saved = memalloc_noreclaim_save();
	os_current()->flags |= PF_OOM_VICTIM;
	EXPECT(t, !ask_in_interrupt(GFP_ATOMIC));
	EXPECT(t, !ask_in_interrupt(GFP_KERNEL));
	EXPECT(t, ask_in_interrupt(GFP_ATOMIC | __GFP_MEMALLOC));
	EXPECT(t, !ask_in_interrupt(GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOMEMALLOC));
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) != NULL);
	os_current()->flags &= ~PF_OOM_VICTIM;
	memalloc_noreclaim_restore(saved);
}

/* --- The steps ---------------------------------------------------------------------------------- */

enum { WAKE = 1, MIN_ = 2, NOMARKS = 4, RECLAIM = 8, DRAIN = 16, LOOK = 32, OOM = 64, END = 128 };

static const struct {
	u32 bit;
	enum vmstat_item item;
} items[] = {
	{WAKE, VMSTAT_ALLOC_WAKE_KSWAPD}, {MIN_, VMSTAT_ALLOC_MIN},
	{NOMARKS, VMSTAT_ALLOC_NO_MARKS}, {RECLAIM, VMSTAT_ALLOCSTALL_NORMAL},
	{DRAIN, VMSTAT_ALLOC_DRAIN},      {LOOK, VMSTAT_ALLOC_AFTER_DRAIN},
	{OOM, VMSTAT_ALLOC_OOM},          {END, VMSTAT_ALLOC_GIVE_UP},
};

#define NOTHING_ELSE (MIN_ | DRAIN | LOOK | END)

/* Which steps a request goes that finds nothing anywhere. */
static const struct {
	gfp_t gfp;
	u32 order, task_flags;
	u32 steps;
} paths[] = {
	{GFP_KERNEL, 0, 0, WAKE | NOTHING_ELSE | RECLAIM | OOM},
	{GFP_KERNEL, 3, 0, WAKE | NOTHING_ELSE | RECLAIM | OOM},
	{GFP_NOIO, 0, 0, WAKE | NOTHING_ELSE | RECLAIM | OOM},
	{__GFP_DIRECT_RECLAIM, 0, 0, NOTHING_ELSE | RECLAIM | OOM},
	/* A costly order, and who says so, never bring somebody to his end. */
	{GFP_KERNEL, 4, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_NORETRY, 0, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_THISNODE, 0, 0, WAKE | NOTHING_ELSE | RECLAIM},
	/* Who may not block. */
	{GFP_NOWAIT, 0, 0, WAKE | NOTHING_ELSE},
	{GFP_ATOMIC, 0, 0, WAKE | NOTHING_ELSE},
	{0, 0, 0, NOTHING_ELSE},
	{__GFP_HIGH, 0, 0, NOTHING_ELSE},
	/* Who frees memory is not sent to free memory. */
	{GFP_KERNEL, 0, PF_MEMALLOC, WAKE | NOTHING_ELSE | NOMARKS},
	{GFP_ATOMIC, 0, PF_MEMALLOC, WAKE | NOTHING_ELSE | NOMARKS},
	{GFP_KERNEL | __GFP_NOMEMALLOC, 0, PF_MEMALLOC, WAKE | NOTHING_ELSE},
	{GFP_KERNEL | __GFP_MEMALLOC, 0, 0, WAKE | NOTHING_ELSE | NOMARKS | RECLAIM | OOM},
};

static void a_failure_goes_all_its_steps(struct ktest *t)
{
	u64 before[ARRAY_SIZE(items)];

	host_machine_boot(&three_zones);
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	for (u32 p = 0; p < ARRAY_SIZE(paths); p++) {
		for (u32 i = 0; i < ARRAY_SIZE(items); i++)
			before[i] = vmstat_read(items[i].item);
		os_current()->flags = paths[p].task_flags;
		EXPECT(t, !alloc_pages(paths[p].gfp | __GFP_NOWARN, paths[p].order));
		os_current()->flags = 0;
		for (u32 i = 0; i < ARRAY_SIZE(items); i++) {
			bool twice = items[i].bit == NOMARKS; /* at min, and after the drain */
			u64 want = paths[p].steps & items[i].bit ? 1 + twice : 0;
			u64 got = vmstat_read(items[i].item) - before[i];

			EXPECT_MSG(t, got == want,
				   "gfp 0x%x, order %u, task 0x%x: %s %llu, not %llu", paths[p].gfp,
				   paths[p].order, paths[p].task_flags, vmstat_name(items[i].item),
				   (unsigned long long)got, (unsigned long long)want);
		}
	}
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_AFTER_RECLAIM), 0);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_MEMS_MOVED), 0);
	EXPECT_EQ(t, host_sleeps(), 0);
}

/* In an interrupt the same words do less. */
static void an_interrupt_neither_reclaims_nor_sleeps(struct ktest *t)
{
	u64 gave_up;

	host_machine_boot(&three_zones);
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	gave_up = vmstat_read(VMSTAT_ALLOC_GIVE_UP);
	EXPECT(t, !ask_in_interrupt(GFP_KERNEL));
	EXPECT(t, !ask_in_interrupt(GFP_ATOMIC));
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP) - gave_up, 2);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOCSTALL_NORMAL), 1); /* the flood's own last */
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_OOM), 1);
	EXPECT_EQ(t, host_sleeps(), 0);
}

/* Every set of flags that may not block, with and without memory, from thread and interrupt. */
static void who_may_not_block_never_sleeps(struct ktest *t)
{
	struct host_random r = {t->seed | 1};
	u64 got = 0, failed = 0, refused;

	host_machine_boot(&three_zones);
	refused = vmstat_read(VMSTAT_ALLOC_REFUSED);
	for (u32 i = 0; i < 20000; i++) {
		gfp_t gfp = (gfp_t)host_random_next(&r) & __GFP_ALL & ~__GFP_DIRECT_RECLAIM;
		struct in_interrupt in = {.gfp = gfp & ~__GFP_ZERO};

		if (i % 4 == 0)
			os_run_on_cpu(0, ask, &in);
		else
			ask(&in);
		got += in.page != NULL;
		failed += in.page == NULL;
	}
	EXPECT(t, got > 1000 && failed > 1000);
	EXPECT(t, vmstat_read(VMSTAT_ALLOC_REFUSED) > refused);
	EXPECT_EQ(t, host_sleeps(), 0);
	expect_check_clean(t);
}

static void contradictions_are_refused_by_name(struct ktest *t)
{
	static const struct {
		gfp_t gfp;
		u32 order;
		const char *name;
	} bad[] = {
		{GFP_KERNEL | __GFP_DMA | __GFP_DMA32, 0, "__GFP_DMA with __GFP_DMA32"},
		{GFP_KERNEL | __GFP_NORETRY | __GFP_RETRY_MAYFAIL, 0,
		 "__GFP_NORETRY with __GFP_RETRY_MAYFAIL"},
		{GFP_KERNEL | __GFP_NOFAIL | __GFP_NORETRY, 0, "__GFP_NOFAIL with __GFP_NORETRY"},
		{GFP_KERNEL | __GFP_NOFAIL | __GFP_RETRY_MAYFAIL, 0,
		 "__GFP_NOFAIL with __GFP_RETRY_MAYFAIL"},
		{GFP_ATOMIC | __GFP_NOFAIL, 0, "__GFP_NOFAIL without __GFP_DIRECT_RECLAIM"},
		{GFP_NOWAIT | __GFP_NOFAIL, 0, "__GFP_NOFAIL without __GFP_DIRECT_RECLAIM"},
		{GFP_KERNEL | __GFP_NOFAIL, 2, "__GFP_NOFAIL above order 1"},
	};

	host_machine_boot(&three_zones);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		host_log_clear();
		EXPECT(t, !alloc_pages(bad[i].gfp, bad[i].order));
		EXPECT_MSG(t, host_log_contains(bad[i].name), "no word of %s", bad[i].name);
		EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED), i + 1);
	}
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), 0);
	/* These go together. */
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_NOFAIL, 1) != NULL);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC, 0) != NULL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED), ARRAY_SIZE(bad));
}

/* --- What must not fail ------------------------------------------------------------------------ */

static void ask_in_vain(void *arg)
{
	struct page *page;

	(void)arg;
	host_machine_boot(&three_zones);
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	page = alloc_pages(GFP_KERNEL | __GFP_NOFAIL | __GFP_NOWARN, 1);
	os_panic("it came back, with %p", (void *)page);
}

static void what_must_not_fail_ends_in_a_panic(struct ktest *t)
{
	expect_panic(t, ask_in_vain, NULL,
		     "no memory for a request that must not fail: order 1, from node 0, by ");
}

static struct page *kept;

static void free_when_asked(void *arg)
{
	u64 sleeps = *(u64 *)arg;

	/* It has looked everywhere, and sleeps. */
	while (host_sleeps() == sleeps)
		cpu_relax();
	__free_pages(kept, 0);
}

static void a_free_meanwhile_is_enough(struct ktest *t)
{
	u64 sleeps = host_sleeps();
	struct os_thread *other;
	struct page *page;

	host_machine_boot(&three_zones);
	kept = alloc_pages(GFP_KERNEL, 0);
	flood(GFP_KERNEL);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	other = os_thread_start("friend", 1, free_when_asked, &sleeps);
	ASSERT_TRUE(t, other != NULL);
	page = alloc_pages(GFP_KERNEL | __GFP_NOFAIL, 0);
	EXPECT(t, page == kept);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), 2); /* the flood's, and the one after it */
	EXPECT(t, host_sleeps() > sleeps);
	os_thread_join(other);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(marks_are_exact_to_the_page, 240),
	KTEST(odd_marks_round_as_they_should),
	KTEST(marks_hold_with_lists_open),
	KTEST(who_may_go_on),
	KTEST(the_mark_does_not_outlive_its_taker),
	KTEST(saving_nests),
	KTEST(an_interrupt_is_nobodys),
	KTEST(a_failure_goes_all_its_steps),
	KTEST(an_interrupt_neither_reclaims_nor_sleeps),
	KTEST(who_may_not_block_never_sleeps),
	KTEST(contradictions_are_refused_by_name),
	KTEST(what_must_not_fail_ends_in_a_panic),
	KTEST(a_free_meanwhile_is_enough),
};
KTEST_SUITE(request, cases);

/*
 * Block types: which pageblocks pages come from, what is stolen, what is not.
 *
 * Pictures show a zone by pageblocks: m movable, u unmovable; small letters beside are pages.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>

#include "mm/block_type.h"
#include "mm/buddy.h"
#include "mm/zone.h"
#include "tests/stress/type_mix.h"

#define GFP_MOVABLE (GFP_KERNEL | __GFP_MOVABLE)

/* 128 pageblocks. The second node ends and the third begins inside one. */
static const struct host_machine machine = {
	.ram = {{GiB(4), MiB(256), 0}, {GiB(8), MiB(33), 1}, {GiB(8) + MiB(33), MiB(31), 2}},
	.nr_nodes = 3,
	.nr_cpus = 1,
	.cpu_nid = {0},
};

static struct zone *booted(void)
{
	host_machine_boot(&machine);
	return zone_find(0, ZONE_NORMAL);
}

static u64 blocks_of(enum block_type type)
{
	struct pageblock_counts counts;

	pageblock_counts(0, ZONE_NORMAL, &counts);
	return counts.of_type[type];
}

static u64 event(enum zone_event e)
{
	struct zone_snapshot z;

	zone_snapshot(0, ZONE_NORMAL, &z);
	return z.events[e];
}

static struct page *take(struct zone *zone, unsigned int order, enum block_type type)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);
	struct page *page = buddy_take_locked(zone, order, type);

	spin_unlock_irqrestore(&zone->lock, flags);
	return page;
}

/* Is every page of the pageblock one that the allocator can have? */
static bool boot_left_it_whole(const struct page *first)
{
	for (u32 i = 0; i < PAGEBLOCK_PAGES; i++) {
		if (first[i].state == PAGE_RESERVED || first[i].state == PAGE_HOLE)
			return false;
	}
	return true;
}

/* mmm...muu   at boot: movable is what can become one block, and nothing else */
static void boot_spoils_what_is_spoilt(struct ktest *t)
{
	struct host_machine odd = machine;
	u32 nr[NR_BLOCK_TYPES] = {0};

	odd.ram[0].base += MiB(1); /* the first pageblock and the last begin and end with a hole */
	host_machine_boot(&odd);
	for (pfn_t pfn = pfn_down(GiB(4)); pfn < pfn_down(GiB(4) + MiB(257));
	     pfn += PAGEBLOCK_PAGES) {
		const struct page *first = pfn_to_page(pfn);

		EXPECT_EQ(t, first->pageblock_type == BLOCK_MOVABLE, boot_left_it_whole(first));
		nr[first->pageblock_type]++;
	}
	EXPECT(t, nr[BLOCK_UNMOVABLE] >= 3 && nr[BLOCK_MOVABLE] >= 100);
	EXPECT_EQ(t, pfn_to_page(pfn_down(GiB(4)))->pageblock_type, BLOCK_UNMOVABLE);
	EXPECT_EQ(t, pfn_to_page(pfn_down(GiB(4) + MiB(256)))->pageblock_type, BLOCK_UNMOVABLE);
	expect_check_clean(t);
}

/* Takes all that is left by blocks of the type and largest order; the last ones are smaller. */
static void take_all(struct zone *zone, enum block_type type)
{
	for (unsigned int order = NR_ORDERS; order-- > 0;) {
		while (zone->free[type].orders >> order)
			take(zone, order, type);
	}
}

/* mmmm...mu   -->   mmm..uuu   when those are full the next page has the largest block's pageblocks */
static void whole_pageblocks_change_their_type(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page;
	u64 before;

	take_all(zone, BLOCK_UNMOVABLE);
	EXPECT_EQ(t, event(EXTFRAG_STEAL), 0);
	before = blocks_of(BLOCK_UNMOVABLE);
	page = take(zone, 0, BLOCK_UNMOVABLE);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, pageblock_type(page), BLOCK_UNMOVABLE);
	EXPECT_EQ(t, event(EXTFRAG_STEAL), 1);
	EXPECT_EQ(t, blocks_of(BLOCK_UNMOVABLE), before + 2);
	EXPECT_EQ(t, event(EXTFRAG_FALLBACK), 0);
	EXPECT_EQ(t, PAGE_LIST_TYPE(page->list), BLOCK_UNMOVABLE);
	/* The next ones are beside it. */
	for (u32 i = 0; i < 100; i++)
		EXPECT_EQ(t, pageblock_type(take(zone, 0, BLOCK_UNMOVABLE)), BLOCK_UNMOVABLE);
	EXPECT_EQ(t, blocks_of(BLOCK_UNMOVABLE), before + 2);
	page = take(zone, 0, BLOCK_MOVABLE);
	EXPECT_EQ(t, pageblock_type(page), BLOCK_MOVABLE);
	EXPECT_EQ(t, page->list, PAGE_LIST(0, BLOCK_MOVABLE));
	expect_check_clean(t);
}

/* A zone with but one pageblock to choose from: its pages, all taken singly as movable. */
static struct page *last_pageblock(struct ktest *t, struct zone *zone)
{
	struct page *page = take(zone, PAGEBLOCK_ORDER, BLOCK_MOVABLE);

	take_all(zone, BLOCK_MOVABLE);
	take_all(zone, BLOCK_UNMOVABLE);
	EXPECT(t, page && pageblock_type(page) == BLOCK_MOVABLE);
	EXPECT_EQ(t, zone->nr_free_pages, 0);
	for (u32 i = 0; i < PAGEBLOCK_PAGES; i++) {
		page[i].head = PAGE_HEAD(PAGE_ALLOCATED, 0);
		page[i].list = PAGE_LIST(0, BLOCK_MOVABLE);
	}
	return page;
}

static void give(struct zone *zone, struct page *page)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);

	buddy_give_locked(zone, page, 0);
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* Half of it free: it changes its type, and what is free its list. */
static void half_a_pageblock_is_enough(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page = last_pageblock(t, zone);

	for (u32 i = 0; i < PAGEBLOCK_PAGES / 2; i++)
		give(zone, &page[i * 2]);
	EXPECT_EQ(t, zone->free[BLOCK_MOVABLE].area[0].nr_free, PAGEBLOCK_PAGES / 2);
	EXPECT(t, take(zone, 0, BLOCK_UNMOVABLE) != NULL);
	EXPECT_EQ(t, pageblock_type(page), BLOCK_UNMOVABLE);
	EXPECT_EQ(t, zone->free[BLOCK_MOVABLE].area[0].nr_free, 0);
	EXPECT_EQ(t, zone->free[BLOCK_UNMOVABLE].area[0].nr_free, PAGEBLOCK_PAGES / 2 - 1);
	EXPECT_EQ(t, event(EXTFRAG_FALLBACK), 0);
	expect_check_clean(t);
	/* What comes back later follows it, whoever had it. */
	give(zone, &page[1]);
	EXPECT_EQ(t, zone->free[BLOCK_MOVABLE].orders, 0);
	expect_check_clean(t);
}

/* One page less: it stays, and the request has its page all the same. */
static void less_than_half_is_not(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page = last_pageblock(t, zone);

	for (u32 i = 0; i < PAGEBLOCK_PAGES / 2 - 1; i++)
		give(zone, &page[i * 2]);
	EXPECT(t, take(zone, 0, BLOCK_UNMOVABLE) != NULL);
	EXPECT_EQ(t, pageblock_type(page), BLOCK_MOVABLE);
	EXPECT_EQ(t, event(EXTFRAG_FALLBACK), 1);
	expect_check_clean(t);
	/* That page is alike, and the half is full. */
	EXPECT(t, take(zone, 0, BLOCK_UNMOVABLE) != NULL);
	EXPECT_EQ(t, pageblock_type(page), BLOCK_MOVABLE);
	give(zone, &page[1]);
	EXPECT(t, take(zone, 0, BLOCK_UNMOVABLE) != NULL);
	EXPECT_EQ(t, pageblock_type(page), BLOCK_UNMOVABLE);
	EXPECT_EQ(t, event(EXTFRAG_FALLBACK), 2);
	expect_check_clean(t);
}

/* A movable page in the wrong place harms nobody for long: no pageblock is turned for a small block. */
static void movable_pages_turn_nothing_small(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page = last_pageblock(t, zone);
	u64 turned;

	for (u32 i = 0; i < PAGEBLOCK_PAGES / 2; i++)
		give(zone, &page[i * 2]);
	EXPECT(t, take(zone, 0, BLOCK_UNMOVABLE) != NULL);
	turned = event(EXTFRAG_PAGEBLOCK);
	EXPECT(t, take(zone, 0, BLOCK_MOVABLE) != NULL);
	EXPECT_EQ(t, pageblock_type(page), BLOCK_UNMOVABLE);
	EXPECT_EQ(t, event(EXTFRAG_PAGEBLOCK), turned);
	EXPECT_EQ(t, event(EXTFRAG_FALLBACK), 1);
	expect_check_clean(t);
}

/* A CPU's lists keep the types apart as well. */
static void lists_of_cpus_are_apart(struct ktest *t)
{
	struct page *movable, *stays;

	booted();
	movable = alloc_pages(GFP_MOVABLE, 0);
	stays = alloc_pages(GFP_KERNEL, 0);
	ASSERT_TRUE(t, movable && stays);
	EXPECT_EQ(t, pageblock_type(movable), BLOCK_MOVABLE);
	EXPECT_EQ(t, pageblock_type(stays), BLOCK_UNMOVABLE);
	__free_pages(movable, 0);
	__free_pages(stays, 0);
	EXPECT(t, alloc_pages(GFP_MOVABLE, 0) == movable);
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) == stays);
	expect_check_clean(t);
}

/* No type has memory of its own: each can have all there is. */
static void all_memory_is_for_both(struct ktest *t)
{
	struct zone *zone = booted();
	u64 pages = 0;

	while (zone->nr_free_pages > 0 && take(zone, 0, BLOCK_UNMOVABLE))
		pages++;
	EXPECT_EQ(t, zone->nr_free_pages, 0);
	EXPECT(t, pages > 60000);
	EXPECT_EQ(t, blocks_of(BLOCK_MOVABLE), 0);
	expect_check_clean(t);
}

/* A pageblock with RAM of two nodes stays unmovable, whatever is asked for. */
static void shared_pageblocks_stay(struct ktest *t)
{
	struct page *first;
	struct zone *zone;

	booted();
	first = pageblock_first(pfn_to_page(pfn_down(GiB(8) + MiB(33))));
	EXPECT(t, first->pageblock_shared);
	EXPECT_EQ(t, first->pageblock_type, BLOCK_UNMOVABLE);
	for (int nid = 1; nid <= 2; nid++) {
		zone = zone_find(nid, ZONE_NORMAL);
		while (zone->nr_free_pages > 0)
			ASSERT_TRUE(t, take(zone, 0, BLOCK_MOVABLE) != NULL);
	}
	EXPECT_EQ(t, first->pageblock_type, BLOCK_UNMOVABLE);
	expect_check_clean(t);
}

static void one_type_is_all_there_is(struct ktest *t)
{
	struct host_machine plain = machine;
	struct page *movable, *stays;

	plain.one_block_type = true;
	host_machine_boot(&plain);
	EXPECT_EQ(t, blocks_of(BLOCK_MOVABLE), 0);
	movable = alloc_pages(GFP_MOVABLE, 4);
	stays = alloc_pages(GFP_KERNEL, 4);
	ASSERT_TRUE(t, movable && stays);
	EXPECT_EQ(t, pageblock_first(movable), pageblock_first(stays));
	EXPECT_EQ(t, event(EXTFRAG_STEAL) + event(EXTFRAG_FALLBACK) + event(EXTFRAG_PAGEBLOCK), 0);
	expect_check_clean(t);
}

/* ---- The long mix ---------------------------------------------------------------------------- */

/*
 * 90 % of 256 MiB in use, a tenth of that by pages that stay, every page given back and taken anew ten
 * times on average. What stays is in this share of the pageblocks at most, in percent; without types in
 * at least that one.
 */
#define MOST_WITH     15
#define LEAST_WITHOUT 50

static void run_mix(struct ktest *t, bool with_types)
{
	const struct type_mix mix = {.seed = t->seed,
				     .nid = 0,
				     .gfp = GFP_KERNEL | __GFP_THISNODE,
				     .full_percent = 90,
				     .stays_percent = 10,
				     .turns = 10};
	struct host_machine here = machine;
	struct type_mix_result r;
	u64 share;

	here.one_block_type = !with_types;
	host_machine_boot(&here);
	ASSERT_TRUE(t, type_mix_run(&mix, &r));
	share = r.spread * 100 / r.pageblocks;
	EXPECT(t, r.requests > 100000 && r.pages_that_stay > 2000);
	EXPECT_EQ(t, event(EXTFRAG_STEAL) > 0, with_types);
	EXPECT_MSG(t, with_types ? share <= MOST_WITH : share >= LEAST_WITHOUT,
		   "%llu of %llu pageblocks have a page that stays", (unsigned long long)r.spread,
		   (unsigned long long)r.pageblocks);
	expect_check_clean(t);
	ktest_note(t,
		   "types %s: %llu requests; %llu pages that stay, in %llu of %llu pageblocks "
		   "(%llu %%), %llu would do; %llu steals, %llu fallbacks",
		   with_types ? "on" : "off", (unsigned long long)r.requests,
		   (unsigned long long)r.pages_that_stay, (unsigned long long)r.spread,
		   (unsigned long long)r.pageblocks, (unsigned long long)share,
		   (unsigned long long)r.least, (unsigned long long)event(EXTFRAG_STEAL),
		   (unsigned long long)event(EXTFRAG_FALLBACK));
}

static void what_stays_stays_together(struct ktest *t)
{
	run_mix(t, true);
}

static void without_types_it_is_everywhere(struct ktest *t)
{
	run_mix(t, false);
}

static const struct ktest_case cases[] = {
	KTEST(boot_spoils_what_is_spoilt),       KTEST(whole_pageblocks_change_their_type),
	KTEST(half_a_pageblock_is_enough),       KTEST(less_than_half_is_not),
	KTEST(movable_pages_turn_nothing_small), KTEST(lists_of_cpus_are_apart),
	KTEST(all_memory_is_for_both),           KTEST(shared_pageblocks_stay),
	KTEST(one_type_is_all_there_is),         KTEST(what_stays_stays_together),
	KTEST(without_types_it_is_everywhere),
};
KTEST_SUITE(block_type, cases);

/*
 * The buddy lists of one zone: splitting, merging, counting.
 *
 * What pictures show is movable, as whole pageblocks are at boot, and so are the requests: types are in
 * test_block_type.c.
 *
 * Pictures show the free blocks of a zone as "order:count" for every order that has some.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <stdio.h>

#include "mm/buddy.h"

/*
 * One node of 16 MiB in zone DMA32, above what boot needs:
 *
 *	16M                                  32M      one zone, four blocks of 4 MiB;
 *	|    10   |    10   |    10   | #### |        the last lost its top to the allocator
 */
static const struct host_machine machine = {.ram = {{MiB(16), MiB(16), 0}}};

static struct zone *boot_zone(void)
{
	host_machine_boot(&machine);
	return &NODE_DATA(0)->zones[ZONE_DMA32];
}

static const char *free_text(void)
{
	static char text[128];
	struct zone_snapshot z;
	size_t at = 0;

	zone_snapshot(0, ZONE_DMA32, &z);
	text[0] = '\0';
	for (u32 order = 0; order < NR_ORDERS; order++) {
		if (z.free_blocks[order])
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u:%llu",
					       at ? " " : "", order,
					       (unsigned long long)z.free_blocks[order]);
	}
	return text;
}

static struct page *take_typed(struct zone *zone, unsigned int order, enum block_type type)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);
	struct page *page = buddy_take_locked(zone, order, type);

	spin_unlock_irqrestore(&zone->lock, flags);
	return page;
}

static struct page *take(struct zone *zone, unsigned int order)
{
	return take_typed(zone, order, BLOCK_MOVABLE);
}

static void give(struct zone *zone, struct page *page, unsigned int order)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);

	buddy_give_locked(zone, page, order);
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* Takes blocks until only whole 4 MiB blocks are left, so that pictures are simple. */
static void take_scraps(struct zone *zone)
{
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		for (u32 type = 0; type < NR_BLOCK_TYPES; type++) {
			while (zone->free[type].area[order].nr_free)
				take_typed(zone, order, (enum block_type)type);
		}
	}
}

static void splits_to_the_order(struct ktest *t)
{
	struct zone *zone = boot_zone();
	struct page *page;
	u64 splits;

	take_scraps(zone);
	EXPECT_STREQ(t, free_text(), "10:3");
	splits = zone->events[ZONE_SPLIT];

	page = take(zone, 7);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_STREQ(t, free_text(), "7:1 8:1 9:1 10:2");
	EXPECT_EQ(t, zone->events[ZONE_SPLIT] - splits, 3);
	EXPECT_EQ(t, page->state, PAGE_ALLOCATED);
	EXPECT_EQ(t, page->order, 7);
	EXPECT_EQ(t, page_to_pfn(page) % 128, 0);
	expect_check_clean(t);

	/* The smallest that fits is taken, not the largest. */
	page = take(zone, 5);
	EXPECT_STREQ(t, free_text(), "5:1 6:1 8:1 9:1 10:2");
	expect_check_clean(t);
}

static void merges_back(struct ktest *t)
{
	struct zone *zone = boot_zone();
	struct page *page[4];
	u64 merges, free_pages;

	take_scraps(zone);
	free_pages = zone->nr_free_pages;
	for (u32 i = 0; i < 4; i++)
		page[i] = take(zone, 0);
	/* Four pages out of one block of four: |0|1|2|3|, then 2 3 4 5 6 7 8 9 one each. */
	EXPECT_STREQ(t, free_text(), "2:1 3:1 4:1 5:1 6:1 7:1 8:1 9:1 10:2");
	EXPECT_EQ(t, zone->nr_free_pages, free_pages - 4);
	merges = zone->events[ZONE_MERGE];

	/* Neighbours that are not buddies (1 and 2 of 0..3) do not merge. */
	pfn_t base = page_to_pfn(page[0]) & ~(pfn_t)3;

	give(zone, pfn_to_page(base + 1), 0);
	give(zone, pfn_to_page(base + 2), 0);
	EXPECT_EQ(t, zone->free[BLOCK_MOVABLE].area[0].nr_free, 2);
	EXPECT_EQ(t, zone->events[ZONE_MERGE] - merges, 0);
	expect_check_clean(t);

	give(zone, pfn_to_page(base + 0), 0);
	EXPECT_EQ(t, zone->events[ZONE_MERGE] - merges, 1);
	EXPECT_EQ(t, zone->free[BLOCK_MOVABLE].area[1].nr_free, 1);
	EXPECT_EQ(t, pfn_to_page(base)->order, 1);
	EXPECT_EQ(t, pfn_to_page(base + 1)->state, PAGE_TAIL);
	expect_check_clean(t);

	/* The last one closes everything up to order 10. */
	give(zone, pfn_to_page(base + 3), 0);
	EXPECT_STREQ(t, free_text(), "10:3");
	EXPECT_EQ(t, zone->events[ZONE_MERGE] - merges, 1 + 10);
	EXPECT_EQ(t, zone->nr_free_pages, free_pages);
	expect_check_clean(t);
}

static void no_merge_above_the_largest_order(struct ktest *t)
{
	struct zone *zone = boot_zone();
	struct page *a, *b;

	take_scraps(zone);
	a = take(zone, MAX_ORDER);
	b = take(zone, MAX_ORDER);
	ASSERT_TRUE(t, a && b);
	give(zone, a, MAX_ORDER);
	give(zone, b, MAX_ORDER);
	EXPECT_STREQ(t, free_text(), "10:3");
	expect_check_clean(t);
}

static void an_empty_zone_gives_nothing(struct ktest *t)
{
	struct zone *zone = boot_zone();
	u64 blocks = 0;

	take_scraps(zone);
	while (take(zone, MAX_ORDER))
		blocks++;
	EXPECT_EQ(t, blocks, 3);
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		EXPECT(t, take(zone, order) == NULL);
	EXPECT_EQ(t, zone->nr_free_pages, 0);
	EXPECT_EQ(t, zone_free_orders(zone), 0);
	expect_check_clean(t);
}

static void a_buddy_of_another_order_stays(struct ktest *t)
{
	struct zone *zone = boot_zone();
	struct page *lower, *upper, *part;

	take_scraps(zone);
	lower = take(zone, 9);
	upper = take(zone, 9);
	if (upper < lower) {
		struct page *swap = lower;

		lower = upper;
		upper = swap;
	}
	ASSERT_EQ(t, upper - lower, 512);
	/* The upper half is free only in part: order 8 free, order 8 held. */
	give(zone, upper, 9);
	part = take(zone, 8);
	ASSERT_TRUE(t, part == upper || part == upper + 256);
	give(zone, lower, 9);
	EXPECT_STREQ(t, free_text(), "8:1 9:1 10:2");
	expect_check_clean(t);
	give(zone, part, 8);
	EXPECT_STREQ(t, free_text(), "10:3");
	expect_check_clean(t);
}

static void everything_comes_back_as_it_was(struct ktest *t)
{
	struct zone *zone = boot_zone();
	static struct page *held[8192];
	struct random_state random = {t->seed + 1};
	char before[128];
	u32 nr = 0;

	snprintf(before, sizeof(before), "%s", free_text());
	while (nr < ARRAY_SIZE(held) && (held[nr] = take(zone, 0)) != NULL)
		nr++;
	EXPECT(t, nr > 3000 && zone->nr_free_pages == 0);
	while (nr) {
		u32 i = (u32)host_random_below(&random, nr);

		give(zone, held[i], 0);
		held[i] = held[--nr];
	}
	EXPECT_STREQ(t, free_text(), before);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(splits_to_the_order),
	KTEST(merges_back),
	KTEST(no_merge_above_the_largest_order),
	KTEST(an_empty_zone_gives_nothing),
	KTEST(a_buddy_of_another_order_stays),
	KTEST(everything_comes_back_as_it_was),
};
KTEST_SUITE(buddy, cases);

/*
 * kswapd: when it wakes, how far it goes, when it gives up, and what brings it back. Who waits for it: test_throttle.c.
 */
#include "kswapd_env.h"

#include <arch/cpu.h>
#include <mm/inspect.h>
#include <mm/lru.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/reclaim.h>
#include <mm/shrinker.h>
#include <mm/vmstat.h>

#include "mm/reclaim.h"
#include "mm/zone.h"
#include "sham_machine.h"
#include "tests/reclaim/sham.h"
#include "tests/stress/pause.h"

/* --- Its life ---------------------------------------------------------------------------------------- */

static void one_for_each_node_with_memory(struct ktest *t)
{
	host_machine_boot(&kswapd_machine);
	EXPECT_EQ(t, kswapd_of(0).state, KSWAPD_NONE);
	EXPECT_EQ(t, kswapd_start(), 0);
	for (int nid = 0; nid < 2; nid++)
		EXPECT_EQ(t, kswapd_of(nid).state, KSWAPD_ASLEEP);
	EXPECT_EQ(t, kswapd_start(), 0); /* they are there */
	expect_check_clean(t);
	kswapd_stop();
	EXPECT_EQ(t, kswapd_of(0).state, KSWAPD_NONE);
	expect_check_clean(t);
	EXPECT_EQ(t, kswapd_start(), 0);
	kswapd_stop();
}

/* What was asked of one that has ended is not asked of the next, and its state is its own from the first on. */
static void a_new_one_begins_asleep(struct ktest *t)
{
	host_machine_boot(&kswapd_machine);
	NODE_DATA(1)->reclaim.wanted = 1;
	EXPECT_EQ(t, kswapd_start(), 0);
	pause_ns(20000000);
	EXPECT_EQ(t, kswapd_of(1).state, KSWAPD_ASLEEP);
	EXPECT_EQ(t, kswapd_of(1).wakes, 0);
	kswapd_stop();
}

static void it_wakes_under_low_and_stops_at_high(struct ktest *t)
{
	struct reclaim_snapshot s;

	kswapd_env_boot(t);
	while (node_above(1, WMARK_LOW))
		ASSERT_TRUE(t, sham_add(1, GFP_NOWAIT | __GFP_THISNODE, COLD));
	EXPECT_EQ(t, kswapd_of(1).wakes, 0);
	EXPECT_EQ(t, kswapd_add_while_it_stands_still(64), 0);
	ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_ASLEEP, 1));
	s = kswapd_of(1);
	EXPECT(t, node_above(1, WMARK_HIGH));
	/* From low to high, and what was added before; a batch too much at most each time. */
	EXPECT(t, s.reclaimed[RECLAIM_KSWAPD] > 0);
	EXPECT_MSG(t, s.reclaimed[RECLAIM_KSWAPD] < 64 + 400, "%llu",
		   (unsigned long long)s.reclaimed[RECLAIM_KSWAPD]);
	EXPECT_EQ(t, s.reclaimed[RECLAIM_KSWAPD], vmstat_read(VMSTAT_PGSTEAL_KSWAPD));
	EXPECT_EQ(t, s.wakes, vmstat_read(VMSTAT_PAGEOUTRUN));
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOCSTALL_NORMAL), 0);
	EXPECT_EQ(t, kswapd_of(0).wakes, 0);
	expect_check_clean(t);
	kswapd_stop();
}

/* Memory goes through once and a half. Between two wakes the whole gap has been used up. */
static void it_does_not_flap(struct ktest *t)
{
	struct reclaim_snapshot s;
	struct zone_snapshot z;
	u64 gap;

	kswapd_env_boot(t);
	zone_snapshot(1, ZONE_NORMAL, &z);
	gap = z.watermark[WMARK_HIGH] - z.watermark[WMARK_LOW];
	for (u32 i = 0; i < 12000; i++)
		ASSERT_TRUE(t, sham_add(1, GFP_KERNEL | __GFP_THISNODE, COLD));
	ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_ASLEEP, 1));
	s = kswapd_of(1);
	ktest_note(t, "%llu wakes, %llu pages by kswapd, %llu by requests, gap %llu",
		   (unsigned long long)s.wakes, (unsigned long long)s.reclaimed[RECLAIM_KSWAPD],
		   (unsigned long long)s.reclaimed[RECLAIM_DIRECT], (unsigned long long)gap);
	EXPECT(t, s.wakes > 0);
	/* Where requests help, it has less to do until high. */
	EXPECT(t, s.wakes <= (s.reclaimed[RECLAIM_KSWAPD] + s.reclaimed[RECLAIM_DIRECT]) / gap + 2);
	EXPECT_EQ(t, sham_counts().without_memalloc, 0);
	expect_check_clean(t);
	kswapd_stop();
}

/* --- Hope -------------------------------------------------------------------------------------------- */

static void it_gives_up_after_sixteen_rounds(struct ktest *t)
{
	struct reclaim_snapshot before, after;

	ASSERT_TRUE(t, kswapd_lose_hope(t));
	before = kswapd_of(1);
	EXPECT_EQ(t, before.rounds_without_progress, MAX_FRUITLESS_ROUNDS);
	EXPECT(t, before.gave_up >= 1);
	/* Nobody wakes it: nothing has changed. */
	for (u32 i = 0; i < 100; i++)
		(void)!sham_add(1, GFP_NOWAIT | __GFP_THISNODE, COLD);
	after = kswapd_of(1);
	EXPECT_EQ(t, after.state, KSWAPD_HOPELESS);
	EXPECT_EQ(t, after.wakes, before.wakes);
	EXPECT_EQ(t, after.scanned[RECLAIM_KSWAPD], before.scanned[RECLAIM_KSWAPD]);
	expect_check_clean(t);
	kswapd_stop();
}

/* Who wakes it is under low, and finds a batch more than there was: so low is further than that above min. */
static void pages_given_back_are_hope(struct ktest *t)
{
	struct page *held[2 * RECLAIM_BATCH_PAGES];
	struct host_machine larger = kswapd_machine;
	u64 wakes;

	larger.ram[2].size_bytes = MiB(64);
	sham_machine_boot(&larger);
	EXPECT_EQ(t, kswapd_start(), 0);
	for (u32 i = 0; i < ARRAY_SIZE(held); i++)
		held[i] = alloc_pages_node(1, GFP_NOWAIT | __GFP_THISNODE, 0);
	kswapd_stop();
	ASSERT_EQ(t, kswapd_start(), 0);
	sham_set_busy(COLD, true);
	sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, SHAM_MAX_PAGES);
	ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_HOPELESS, 1));
	wakes = kswapd_of(1).wakes;
	for (u32 i = 0; i < ARRAY_SIZE(held); i++)
		__free_pages(held[i], 0);
	sham_set_busy(COLD, false);
	/* Used up again, and not for the list: that it were longer would be hope as well. */
	for (u32 i = 0; i <= ARRAY_SIZE(held); i++)
		(void)!alloc_pages_node(1, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, 0);
	ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_ASLEEP, wakes + 1));
	EXPECT_EQ(t, kswapd_of(1).rounds_without_progress, 0);
	expect_check_clean(t);
	kswapd_stop();
}

static void a_longer_list_is_hope(struct ktest *t)
{
	u64 wakes;

	ASSERT_TRUE(t, kswapd_lose_hope(t));
	wakes = kswapd_of(1).wakes;
	/* From the reserve, so that nothing is given back. */
	EXPECT(t, sham_add(1, GFP_NOWAIT | __GFP_THISNODE | __GFP_MEMALLOC, OTHER));
	(void)!sham_add(1, GFP_NOWAIT | __GFP_THISNODE, OTHER);
	ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_HOPELESS, wakes + 1));
	EXPECT_EQ(t, sham_counts().freed[OTHER],
		  1); /* which was something, and then nothing again */
	expect_check_clean(t);
	kswapd_stop();
}

static void a_request_that_frees_something_is_hope(struct ktest *t)
{
	u64 wakes;

	ASSERT_TRUE(t, kswapd_lose_hope(t));
	wakes = kswapd_of(1).wakes;
	sham_set_busy(COLD, false);
	EXPECT(t, alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0) != NULL);
	EXPECT(t, kswapd_of(1).state != KSWAPD_HOPELESS);
	kswapd_add_while_it_stands_still(200);
	ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_ASLEEP, wakes + 1));
	EXPECT(t, node_above(1, WMARK_HIGH));
	expect_check_clean(t);
	kswapd_stop();
}

/* Who takes a page and gives it back brings nothing that was not there. */
static void a_page_to_and_fro_is_no_hope(struct ktest *t)
{
	u64 wakes;

	ASSERT_TRUE(t, kswapd_lose_hope(t));
	wakes = kswapd_of(1).wakes;
	for (u32 i = 0; i < 20 * RECLAIM_BATCH_PAGES; i++) {
		struct page *page =
			alloc_pages_node(1, GFP_NOWAIT | __GFP_THISNODE | __GFP_MEMALLOC, 0);

		if (EXPECT(t, page != NULL))
			__free_pages(page, 0);
	}
	EXPECT_EQ(t, kswapd_of(1).state, KSWAPD_HOPELESS);
	EXPECT_EQ(t, kswapd_of(1).wakes, wakes);
	kswapd_stop();
}

/* Objects of a cache, and pages that they stand on. */
static u64 pages_left; /* atomic: it frees one with each call, until there is none */

static u64 many_objects(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	return nid == 1 ? 1000 : 0;
}

static struct page *held_by_cache[2048];

static u64 free_objects(struct shrinker *shrinker, int nid, u64 nr)
{
	(void)shrinker;
	(void)nid;
	for (u32 i = 0; i < 64 && load_relaxed(&pages_left) > 0; i++)
		__free_pages(held_by_cache[--pages_left], 0);
	return nr;
}

static struct shrinker cache = {
	.name = "cache", .count = many_objects, .scan = free_objects, .seeks = 2};

/* A cache frees as many objects as it is asked for, and never a page with them. */
static void objects_are_no_pages(struct ktest *t)
{
	kswapd_env_boot(t);
	shrinker_register(&cache);
	sham_set_busy(COLD, true);
	sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, SHAM_MAX_PAGES);
	EXPECT(t, kswapd_comes_to(1, KSWAPD_HOPELESS, 1));
	EXPECT(t, cache.nr_freed > 0);
	expect_check_clean(t);
	kswapd_stop();
	shrinker_unregister(&cache);
}

/* Pages that come back with the objects are what it was woken for. */
static void pages_of_objects_count(struct ktest *t)
{
	kswapd_env_boot(t);
	for (u32 i = 0; i < ARRAY_SIZE(held_by_cache); i++)
		held_by_cache[i] = alloc_pages_node(1, GFP_NOWAIT | __GFP_THISNODE, 0);
	store_relaxed(&pages_left, ARRAY_SIZE(held_by_cache));
	shrinker_register(&cache);
	sham_set_busy(COLD, true);
	sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, SHAM_MAX_PAGES);
	EXPECT(t, kswapd_comes_to(1, KSWAPD_ASLEEP, 1));
	EXPECT_EQ(t, kswapd_of(1).gave_up, 0);
	EXPECT(t, node_above(1, WMARK_HIGH));
	expect_check_clean(t);
	kswapd_stop();
	shrinker_unregister(&cache);
}

/* --- Classes and orders ------------------------------------------------------------------------------- */

/* There is room in Normal, which is no use to DMA: kswapd takes pages of DMA, and of no other zone. */
static void a_class_is_balanced_by_its_own_zones(struct ktest *t)
{
	struct lru_snapshot before, after;

	kswapd_env_boot(t);
	sham_fill(0, GFP_NOWAIT, OTHER, 2000); /* Normal pages, older */
	sham_fill(0, GFP_NOWAIT | __GFP_DMA, COLD, 3000);
	lru_snapshot(0, &before);
	while (kswapd_of(0).wakes == 0)
		(void)!sham_add(0, GFP_NOWAIT | __GFP_DMA, COLD);
	ASSERT_TRUE(t, kswapd_comes_to(0, KSWAPD_ASLEEP, 1));
	lru_snapshot(0, &after);
	EXPECT(t, sham_counts().freed[COLD] > 0);
	EXPECT_EQ(t, sham_counts().freed[OTHER], 0);
	EXPECT_EQ(t, after.zone_pages[ZONE_NORMAL], before.zone_pages[ZONE_NORMAL]);
	EXPECT(t, vmstat_read(VMSTAT_PGSKIP) > 0);
	expect_check_clean(t);
	kswapd_stop();
}

/*
 *	|.X.X.X.X.X ... |    every other page is free, far more than the high mark: no block, and nothing to reclaim
 */
static void no_block_is_no_reason_to_give_up(struct ktest *t)
{
	static struct page *pages[SHAM_MAX_PAGES];
	u32 nr = 0;

	kswapd_env_boot(t);
	while (nr < SHAM_MAX_PAGES &&
	       (pages[nr] = alloc_pages_node(1, __GFP_THISNODE | __GFP_NOWARN | __GFP_MEMALLOC, 0)))
		nr++;
	for (u32 i = 0; i < nr; i++)
		if (page_to_pfn(pages[i]) % 2 == 0)
			__free_pages(pages[i], 0);
	EXPECT(t, node_above(1, WMARK_HIGH));
	EXPECT(t, !alloc_pages_node(1, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, 3));
	ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_ASLEEP, 1));
	EXPECT_EQ(t, kswapd_of(1).gave_up, 0);
	EXPECT_EQ(t, kswapd_of(1).rounds_without_progress, MAX_FRUITLESS_ROUNDS / 4);
	expect_check_clean(t);
	kswapd_stop();
}

/*
 *	|cX.XcX.XcX.X ... |    c: cold; however many of them go, none of them makes a block
 *
 * Before kswapd is there: the pages are had from the reserve, too.
 */
static void fragment_with_cold_pages(struct ktest *t)
{
	static struct page *page[SHAM_MAX_PAGES];
	const gfp_t any = GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN | __GFP_MEMALLOC;
	u32 nr = 0;

	while (nr < SHAM_MAX_PAGES && (page[nr] = alloc_pages_node(1, any, 0)))
		nr++;
	for (u32 pass = 0; pass < 2; pass++) {
		for (u32 i = 0; i < nr; i++) {
			if (page_to_pfn(page[i]) % 4 == 2 * pass)
				__free_pages(page[i], 0);
		}
		if (pass == 0)
			EXPECT(t, sham_fill(1, any, COLD, SHAM_MAX_PAGES) > nr / 5);
	}
	drain_all_pages();
	EXPECT(t, node_above(1, WMARK_HIGH));
}

/* Some pages are freed for a block, and then it is left at that; and for a costly one none. */
static void it_does_not_hunt_for_blocks(struct ktest *t)
{
	const gfp_t gfp = GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN;
	u64 had, freed;

	sham_machine_boot(&kswapd_machine);
	fragment_with_cold_pages(t);
	ASSERT_EQ(t, kswapd_start(), 0);
	for (u32 i = 0; i < 12; i++) {
		unsigned int order = 1 + i % PAGE_ALLOC_COSTLY_ORDER;

		had = sham_counts().freed[COLD];
		EXPECT(t, !alloc_pages_node(1, gfp, order));
		EXPECT(t, !alloc_pages_node(1, gfp, PAGE_ALLOC_COSTLY_ORDER + 1));
		ASSERT_TRUE(t, kswapd_comes_to(1, KSWAPD_ASLEEP, i + 1));
		freed = sham_counts().freed[COLD] - had;
		EXPECT_MSG(t, freed >= (u64)2 << order && freed <= RECLAIM_BATCH_PAGES,
			   "order %u: %llu", order, (unsigned long long)freed);
	}
	EXPECT_EQ(t, kswapd_of(1).wakes, 12);
	EXPECT(t, !alloc_pages_node(1, gfp, PAGE_ALLOC_COSTLY_ORDER + 1));
	EXPECT_EQ(t, kswapd_of(1).wakes, 12);
	EXPECT_EQ(t, load_relaxed(&NODE_DATA(1)->reclaim.wanted), 0);
	expect_check_clean(t);
	kswapd_stop();
}

static const struct ktest_case cases[] = {
	KTEST(one_for_each_node_with_memory),
	KTEST(a_new_one_begins_asleep),
	KTEST(it_wakes_under_low_and_stops_at_high),
	KTEST(it_does_not_flap),
	KTEST(it_gives_up_after_sixteen_rounds),
	KTEST(pages_given_back_are_hope),
	KTEST(a_longer_list_is_hope),
	KTEST(a_request_that_frees_something_is_hope),
	KTEST(a_page_to_and_fro_is_no_hope),
	KTEST(objects_are_no_pages),
	KTEST(pages_of_objects_count),
	KTEST(a_class_is_balanced_by_its_own_zones),
	KTEST(no_block_is_no_reason_to_give_up),
	KTEST(it_does_not_hunt_for_blocks),
};
KTEST_SUITE(kswapd, cases);

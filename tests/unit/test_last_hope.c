/*
 * Before a request fails, or somebody is brought to his end: what could still have been had.
 *
 * Pictures show the pages of a zone: i inactive, a active, i! or a! kept by their owner whenever he is asked, X
 * taken for good.
 */
#include <kernel/netblk.h>
#include <kernel/page_cache.h>
#include <mm/lru.h>
#include <mm/mempolicy.h>
#include <mm/page_alloc.h>
#include <mm/reclaim.h>
#include <mm/shrinker.h>
#include <mm/vmstat.h>

#include "last_hope.h"
#include "mm/lru.h"
#include "mm/reclaim.h"
#include "mm/zone.h"
#include "tests/stress/pause.h"

#define NR_ACTIVE 1500
#define PAUSE_NS  50000000ull

/*
 *	a a a ... a i! i! ... i!     fewer active than would make the inactive list short
 */
static void active_pages_before_oom(struct ktest *t)
{
	u64 active, inactive;

	host_machine_boot(&machine);
	active = fill(&giving, 2, NR_ACTIVE);
	inactive = fill(&keeping, 0, NR_ALL);
	EXPECT_EQ(t, active, NR_ACTIVE);
	EXPECT(t, inactive > active && !lru_inactive_is_low(0));
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) != NULL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_OOM), 0);
	/* No more than were wanted. */
	EXPECT_EQ(t, freed, RECLAIM_BATCH_PAGES);
	expect_check_clean(t);
}

/*
 *	head  i i i i i ... i w w w ... w  tail     w: being written, by a device that is dead
 */
static void behind_a_dead_device(struct ktest *t)
{
	u64 pages;

	host_machine_boot(&machine);
	for (u32 i = 0; i < 200; i++) {
		struct page *page = alloc_pages(__GFP_MOVABLE, 0);

		lru_cache_add(page, &giving);
		get_page(page);
		set_page_writeback(page);
	}
	pages = fill(&giving, 0, NR_ALL);
	EXPECT(t, pages > 1000);
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) != NULL);
	EXPECT_EQ(t, rounds(), 1);
	EXPECT(t, freed > 0);
}

/* All that are left are isolated by somebody else: they will be free, or back. */
static void isolated_pages_are_waited_for(struct ktest *t)
{
	struct list_head pages;
	u32 scanned, taken;

	host_machine_boot(&machine);
	fill(&giving, 0, RECLAIM_BATCH_PAGES);
	take_all(0);
	list_init(&pages);
	taken = lru_isolate_tail(0, LRU_INACTIVE, ZONE_NORMAL, RECLAIM_BATCH_PAGES, &pages,
				 &scanned);
	EXPECT_EQ(t, taken, RECLAIM_BATCH_PAGES);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN, 0));
	EXPECT_EQ(t, rounds(), MAX_FRUITLESS_ROUNDS);
	while (!list_empty(&pages)) {
		struct page *page = list_first_entry(&pages, struct page, lru_link);

		list_del(&page->lru_link);
		lru_putback(page, LRU_INACTIVE, false);
	}
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) != NULL);
}

/* Somebody chooses the task while it reclaims. */
static u64 choose_who_asks(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	(void)nid;
	store_relaxed(&os_current()->oom_victim, true); /* relaxed: as mm/oom.c */
	return 0;
}

/*
 *	X X X ... i! i! i! |   free, up to the min mark; a victim may have half of it
 */
static void a_victim_asks_anew_at_once(struct ktest *t)
{
	static struct shrinker shrinker = {
		.name = "chooser", .count = choose_who_asks, .scan = free_nothing, .seeks = 2};
	u64 before;

	host_machine_boot(&machine);
	fill(&keeping, 0, RECLAIM_BATCH_PAGES);
	take_all(__GFP_DIRECT_RECLAIM | __GFP_NORETRY);
	before = rounds();
	shrinker_register(&shrinker);
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) != NULL);
	EXPECT_EQ(t, rounds() - before, 1);
	shrinker_unregister(&shrinker);
}

/*
 *	DMA     X X X X X X X X      nothing to be had
 *	NORMAL  i i i i i i i i i i i i i i i i i i
 */
static void a_hopeless_class_stops_no_other(struct ktest *t)
{
	struct reclaim_snapshot kswapd;

	host_machine_boot(&machine_with_dma);
	take_all(__GFP_DMA | __GFP_MEMALLOC);
	EXPECT_EQ(t, kswapd_start(), 0);
	fill(&giving, 0, NR_ALL);
	EXPECT(t, !alloc_pages(__GFP_DMA | GFP_NOWAIT | __GFP_NOWARN, 0));
	for (u32 i = 0; i < 200 && load_relaxed(&NODE_DATA(0)->reclaim.gave_up) == 0; i++)
		pause_ns(PAUSE_NS);
	reclaim_snapshot(0, &kswapd);
	EXPECT_EQ(t, kswapd.state, KSWAPD_HOPELESS);
	EXPECT_EQ(t, kswapd.reclaimed[RECLAIM_KSWAPD], 0);
	/* One that needs no page of DMA finds it awake. */
	(void)!alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0);
	for (u32 i = 0; i < 200 && load_relaxed(&NODE_DATA(0)->reclaim.balanced) == 0; i++)
		pause_ns(PAUSE_NS);
	reclaim_snapshot(0, &kswapd);
	EXPECT(t, kswapd.reclaimed[RECLAIM_KSWAPD] > 0);
	EXPECT_EQ(t, kswapd.balanced, 1);
	kswapd_stop();
}

/* Both at once: the one that can be served is. */
static void a_hopeless_class_comes_last(struct ktest *t)
{
	struct reclaim_snapshot kswapd;

	host_machine_boot(&machine_with_dma);
	take_all(__GFP_DMA | __GFP_MEMALLOC);
	fill(&giving, 0, NR_ALL);
	EXPECT_EQ(t, kswapd_start(), 0);
	/* In one word, so that it finds both when it wakes. Release: as the wake itself. */
	store_release(&NODE_DATA(0)->reclaim.wanted, 1u << 8 * ZONE_DMA | 1u << 8 * ZONE_NORMAL);
	os_wake_all(&NODE_DATA(0)->reclaim.kswapd);
	for (u32 i = 0; i < 200 && load_relaxed(&NODE_DATA(0)->reclaim.gave_up) == 0; i++)
		pause_ns(PAUSE_NS);
	reclaim_snapshot(0, &kswapd);
	EXPECT(t, kswapd.reclaimed[RECLAIM_KSWAPD] > 0);
	EXPECT_EQ(t, kswapd.wakes, 1);
	kswapd_stop();
}

/* A cache of pages; by the only thread. */
static struct page *objects; /* by owner_next */
static u64 nr_objects;

static u64 count_pages(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	(void)nid;
	return nr_objects;
}

/* Busy while the first round lasts. */
static u64 free_pages_later(struct shrinker *shrinker, int nid, u64 nr)
{
	u64 got = 0;

	(void)shrinker;
	(void)nid;
	if (rounds() < 2)
		return SHRINK_STOP;
	for (; objects && got < nr; got++) {
		struct page *page = objects;

		objects = page->owner_next;
		__free_pages(page, 0);
	}
	nr_objects -= got;
	return got;
}

/*
 *	s s s s s s s s s s    all of it a cache's, which cannot free at this moment
 */
static void a_busy_cache_is_asked_again(struct ktest *t)
{
	static struct shrinker cache = {
		.name = "cache", .count = count_pages, .scan = free_pages_later, .seeks = 2};
	struct page *page;

	host_machine_boot(&machine);
	while ((page = alloc_pages(__GFP_NOWARN, 0))) {
		page->owner_next = objects;
		objects = page;
		nr_objects++;
	}
	take_all(__GFP_HIGH);
	shrinker_register(&cache);
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) != NULL);
	EXPECT_EQ(t, rounds(), 2);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_OOM), 0);
	shrinker_unregister(&cache);
}

static struct zone *zone_of(enum zone_type type)
{
	return &NODE_DATA(0)->zones[type];
}

/* No page of these is on a CPU's lists, and so many are free. */
static void take_down_to(enum zone_type type, gfp_t gfp, u64 pages)
{
	drain_all_pages();
	while (zone_of(type)->nr_free_pages > pages && alloc_pages(gfp | __GFP_NOWARN, 0))
		drain_all_pages();
}

/*
 *	DMA     i i i i . .    above half of its mark, and below it
 *	NORMAL  i! i! X X X    nothing is free: none of what this request asked kswapd for
 */
static void only_zones_of_the_class_throttle(struct ktest *t)
{
	struct page *page;
	u64 min;

	host_machine_boot(&machine_with_dma);
	fill(&keeping, 0, 1000);
	take_down_to(ZONE_NORMAL, __GFP_MEMALLOC, 0);
	while ((page = alloc_pages(__GFP_DMA | __GFP_MOVABLE | __GFP_NOWARN, 0)))
		lru_cache_add(page, &giving);
	min = zone_of(ZONE_DMA)->watermark[WMARK_MIN];
	take_down_to(ZONE_DMA, __GFP_DMA | __GFP_HIGH, min - 2);
	EXPECT_EQ(t, zone_of(ZONE_DMA)->nr_free_pages, min - 2);
	EXPECT(t, min - 2 <= (min + zone_of(ZONE_NORMAL)->watermark[WMARK_MIN]) / 2);
	EXPECT_EQ(t, kswapd_start(), 0);
	EXPECT(t, alloc_pages(__GFP_DMA | __GFP_DIRECT_RECLAIM, 0) != NULL);
	EXPECT_EQ(t, vmstat_read(vmstat_allocstall(ZONE_DMA)), 1);
	EXPECT_EQ(t, NODE_DATA(0)->reclaim.throttled, 0);
	kswapd_stop();
}

/* A device that is full takes no write, so none has ended: nobody has reason to hope. */
static void a_refused_write_is_no_end(struct ktest *t)
{
	struct reclaim_request request = {.who = RECLAIM_DIRECT,
					  .request_class = ZONE_NORMAL,
					  .nr_to_reclaim = RECLAIM_BATCH_PAGES,
					  .scope = {.may_write = true}};
	struct reclaim_progress progress = {0};
	struct netblk_options options;
	struct netblk_snapshot device;
	struct cache_file *file;
	struct lru_snapshot lru;
	u32 saved;

	host_machine_boot(&machine);
	page_cache_init();
	netblk_options_default(&options);
	options.max_in_flight = 1;
	EXPECT_EQ(t, netblk_configure(&options), 0);
	file = cache_file_create("full", 100, 1);
	for (u64 i = 0; i < 100; i++)
		EXPECT_EQ(t, cache_write(file, i, GFP_KERNEL), 0);
	saved = memalloc_noreclaim_save();
	reclaim_node(0, &request, 0, &progress);
	memalloc_noreclaim_restore(saved);
	netblk_snapshot(&device);
	lru_snapshot(0, &lru);
	EXPECT_EQ(t, device.submitted, 1);
	EXPECT_EQ(t, device.refused, 99);
	EXPECT_EQ(t, lru.writeback_pages, 1);
	EXPECT_EQ(t, lru.dirty_pages, 99);
	EXPECT_EQ(t, NODE_DATA(0)->lru.nr_written, 0);
	expect_check_clean(t);
}

static u64 device_ns;

static void device_tick(void *arg)
{
	(void)arg;
	device_ns += 10000000;
	netblk_interrupt(device_ns);
}

/*
 * All of memory is dirty, and as many writes may be under way as there is memory for. They may use the reserve, but
 * what acknowledgements need is left: none is dropped, and all end.
 */
static void writes_leave_room_for_their_end(struct ktest *t)
{
	struct reclaim_request request = {.who = RECLAIM_DIRECT,
					  .request_class = ZONE_NORMAL,
					  .nr_to_reclaim = NR_ALL,
					  .scope = {.may_write = true}};
	struct reclaim_progress progress = {0};
	struct netblk_snapshot before, after;
	struct netblk_options options;
	struct cache_file *file;
	u32 saved;

	host_machine_boot(&machine);
	page_cache_init();
	host_interrupt(0, device_tick, NULL);
	netblk_options_default(&options);
	options.max_in_flight = 0;
	EXPECT_EQ(t, netblk_configure(&options), 0);
	file = cache_file_create("dirty", NR_ALL, 1);
	for (u64 i = 0; cache_write(file, i, __GFP_NOWARN) == 0; i++)
		;
	netblk_snapshot(&before);
	saved = memalloc_noreclaim_save();
	reclaim_node(0, &request, 0, &progress);
	memalloc_noreclaim_restore(saved);
	netblk_snapshot(&after);
	ktest_note(t, "%llu writes, %llu refused", (unsigned long long)after.in_flight,
		   (unsigned long long)(after.refused - before.refused));
	EXPECT(t, after.in_flight >= 32);
	for (u32 i = 0; i < 20; i++)
		host_interrupt(0, device_tick, NULL);
	netblk_snapshot(&after);
	EXPECT_EQ(t, after.in_flight, 0);
	EXPECT_EQ(t, after.acks_dropped - before.acks_dropped, 0);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(active_pages_before_oom),
	KTEST(isolated_pages_are_waited_for),
	KTEST(behind_a_dead_device),
	KTEST(a_victim_asks_anew_at_once),
	KTEST(a_hopeless_class_stops_no_other),
	KTEST(a_hopeless_class_comes_last),
	KTEST(only_zones_of_the_class_throttle),
	KTEST(a_busy_cache_is_asked_again),
	KTEST(a_refused_write_is_no_end),
	KTEST(writes_leave_room_for_their_end),
};

KTEST_SUITE(last_hope, cases);

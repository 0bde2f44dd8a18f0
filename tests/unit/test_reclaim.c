/*
 * The engine and requests that reclaim themselves: what goes first, what is never taken, how much work it is, and
 * where it ends. Without a kswapd, so that all of it is one thread's doing.
 */
#include "host.h"

#include <mm/lru.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/reclaim.h>
#include <mm/shrinker.h>
#include <mm/vmstat.h>

#include "mm/lru.h"
#include "mm/reclaim.h"
#include "mm/zone.h"
#include "sham_machine.h"
#include "tests/reclaim/sham.h"

/*
 *	0    16M      64M     |4G          4G+64M|
 *	| DMA | DMA32  |      |     Normal       |     one node
 */
static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(64), 0}},
	.nr_nodes = 1,
	.nr_cpus = 2,
};

enum { COLD, HOT, OTHER };

static void boot(void)
{
	sham_machine_boot(&machine);
}

/* All of memory, but for what a request may not have. */
static u64 fill(u32 tag)
{
	return sham_fill(0, GFP_NOWAIT, tag, SHAM_MAX_PAGES);
}

static u64 item(enum vmstat_item i)
{
	return vmstat_read(i);
}

/* --- What goes -------------------------------------------------------------------------------------- */

static void a_request_makes_room_for_itself(struct ktest *t)
{
	struct reclaim_snapshot s;
	struct page *page;
	u64 freed;

	boot();
	fill(COLD);
	EXPECT(t, !alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0));
	page = alloc_pages(GFP_KERNEL, 0);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_NORMAL), 1);
	EXPECT_EQ(t, item(VMSTAT_ALLOC_AFTER_RECLAIM), 1);
	freed = sham_counts().freed[COLD];
	EXPECT(t, freed >= RECLAIM_BATCH_PAGES && freed < 2 * RECLAIM_BATCH_PAGES);
	EXPECT_EQ(t, item(VMSTAT_PGSTEAL_DIRECT), freed);
	EXPECT_EQ(t, item(VMSTAT_PGSCAN_DIRECT), freed);
	EXPECT_EQ(t, item(VMSTAT_PGSTEAL_KSWAPD), 0);
	EXPECT_EQ(t, item(VMSTAT_ALLOC_GIVE_UP), 2); /* those of NOWAIT */
	ASSERT_TRUE(t, reclaim_snapshot(0, &s));
	EXPECT_EQ(t, s.state, KSWAPD_NONE);
	EXPECT_EQ(t, s.reclaimed[RECLAIM_DIRECT], freed);
	EXPECT_EQ(t, sham_counts().without_memalloc, 0);
	EXPECT_EQ(t, os_current()->flags, 0);
	expect_check_clean(t);
}

static void cold_goes_before_hot(struct ktest *t)
{
	u64 cold, hot;

	boot();
	hot = sham_fill(0, GFP_NOWAIT, HOT, 4000);
	sham_touch(HOT);
	sham_touch(HOT);
	cold = fill(COLD);
	ASSERT_TRUE(t, cold > 8000);
	for (u64 i = 0; i < cold / 2; i++)
		ASSERT_TRUE(t, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) != NULL);
	EXPECT(t, sham_counts().freed[COLD] >= cold / 2);
	EXPECT_EQ(t, sham_counts().freed[HOT], 0);
	EXPECT_EQ(t, sham_pages_of(HOT), hot);
	EXPECT(t, item(VMSTAT_PGREFILL) == 0); /* the inactive list was long enough */
	expect_check_clean(t);
}

/* The active list is looked at only when the inactive one is short; what was touched since stays longer. */
static void hot_goes_when_cold_is_gone(struct ktest *t)
{
	u64 hot;

	boot();
	hot = fill(HOT);
	sham_touch(HOT);
	sham_touch(HOT);
	ASSERT_TRUE(t, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) != NULL);
	EXPECT(t, item(VMSTAT_PGREFILL) > 0 && item(VMSTAT_PGDEACTIVATE) > 0);
	EXPECT(t, sham_counts().freed[HOT] >= RECLAIM_BATCH_PAGES);
	EXPECT(t, sham_pages_of(HOT) > hot - 2 * RECLAIM_BATCH_PAGES);
	expect_check_clean(t);
}

static void nothing_pinned_is_taken(struct ktest *t)
{
	u64 pinned, taken = 0;

	boot();
	pinned = sham_fill(0, GFP_NOWAIT, HOT, 10000);
	sham_pin(HOT);
	fill(COLD);
	while (alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0))
		taken++;
	EXPECT(t, taken > 8000);
	EXPECT_EQ(t, sham_pages_of(COLD), 0);
	EXPECT_EQ(t, sham_pages_of(HOT), pinned);
	EXPECT_EQ(t, sham_counts().asked, sham_counts().freed[COLD]);
	sham_unpin(HOT);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) != NULL);
	expect_check_clean(t);
}

/* Pages of DMA32 and Normal would not help, and stay. */
static void a_dma_request_takes_dma_pages(struct ktest *t)
{
	struct lru_snapshot before, after;
	struct page *page;

	boot();
	sham_fill(0, GFP_NOWAIT | __GFP_DMA, OTHER, SHAM_MAX_PAGES);
	fill(COLD);
	lru_snapshot(0, &before);
	ASSERT_TRUE(t, before.zone_pages[ZONE_DMA] > 3000);
	page = alloc_pages(GFP_KERNEL | __GFP_DMA, 0);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->zone, ZONE_DMA);
	lru_snapshot(0, &after);
	EXPECT(t, after.zone_pages[ZONE_DMA] < before.zone_pages[ZONE_DMA]);
	EXPECT_EQ(t, after.zone_pages[ZONE_DMA32], before.zone_pages[ZONE_DMA32]);
	EXPECT_EQ(t, after.zone_pages[ZONE_NORMAL], before.zone_pages[ZONE_NORMAL]);
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_DMA), 1);
	expect_check_clean(t);
}

/* --- Writing ---------------------------------------------------------------------------------------- */

static void complete_some(void *arg)
{
	(void)arg;
	sham_complete(64);
}

static bool device_stop;

static bool shall_stop(void *arg)
{
	(void)arg;
	return load_acquire(&device_stop);
}

/* A device: each millisecond an interrupt says that some writes are done. */
static void device(void *arg)
{
	struct os_wait_queue *tick = arg;

	while (!os_wait(tick, shall_stop, NULL, 1000000))
		os_run_on_cpu(1, complete_some, NULL);
}

static struct os_wait_queue tick;

static struct os_thread *device_start(void)
{
	os_wait_queue_init(&tick, "device");
	device_stop = false;
	return os_thread_start("device", 1, device, &tick);
}

static void device_end(struct os_thread *thread)
{
	store_release(&device_stop, true);
	os_wake_all(&tick);
	os_thread_join(thread);
}

static void dirty_pages_are_written_first(struct ktest *t)
{
	struct os_thread *thread;
	struct sham_counts counts;
	u64 got = 0;

	boot();
	fill(COLD);
	sham_dirty(COLD);
	thread = device_start();
	for (u32 i = 0; i < 2000; i++)
		got += alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) != NULL;
	device_end(thread);
	counts = sham_counts();
	EXPECT_EQ(t, got, 2000);
	EXPECT(t, counts.begun >= 2000 && counts.completed > 0);
	EXPECT_EQ(t, item(VMSTAT_VMSCAN_WRITE), counts.begun);
	EXPECT(t, item(VMSTAT_PGROTATED) > 0);
	EXPECT(t, host_sleeps() > 0);
	sham_complete(SHAM_MAX_PAGES);
	expect_check_clean(t);
}

/* Seven eighths, for as long as the machine is: for a case whose rounds all look at every page. */
static void hold_most_of_memory(struct ktest *t)
{
	for (u32 i = 0; i < 28; i++)
		ASSERT_TRUE(t, alloc_pages(GFP_NOWAIT | __GFP_NOWARN, MAX_ORDER) != NULL);
}

static void without_io_no_write_begins(struct ktest *t)
{
	boot();
	hold_most_of_memory(t);
	fill(COLD);
	sham_dirty(COLD);
	EXPECT(t, !alloc_pages(GFP_NOIO | __GFP_NOWARN, 0));
	EXPECT_EQ(t, sham_counts().begun, 0);
	EXPECT(t, sham_counts().refused_writes > 0);
	EXPECT_EQ(t, item(VMSTAT_VMSCAN_WRITE), 0);
	expect_check_clean(t);
}

/* A device that never answers: each round waits once for it, and they are counted. */
static void a_dead_device_is_not_waited_for_for_ever(struct ktest *t)
{
	boot();
	fill(COLD);
	sham_dirty(COLD);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_NORMAL), MAX_FRUITLESS_ROUNDS);
	/* For the device, and a pause. */
	EXPECT_EQ(t, host_sleeps(), 2 * MAX_FRUITLESS_ROUNDS - 1);
	EXPECT(t, sham_counts().begun > 0);
	EXPECT_EQ(t, sham_counts().freed[COLD], 0);
	sham_complete(SHAM_MAX_PAGES);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) != NULL);
	expect_check_clean(t);
}

/* --- Where it ends ---------------------------------------------------------------------------------- */

/* Each round looks at every page twice at most: the last pass at all, the others together at as many. */
static void it_ends_when_nothing_can_be_had(struct ktest *t)
{
	u64 pages;

	boot();
	pages = fill(COLD);
	sham_set_busy(COLD, true);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_NORMAL), MAX_FRUITLESS_ROUNDS);
	EXPECT_EQ(t, item(VMSTAT_ALLOC_OOM), 1);
	EXPECT(t, sham_counts().asked >= pages * MAX_FRUITLESS_ROUNDS);
	EXPECT(t, sham_counts().asked <= 2 * pages * MAX_FRUITLESS_ROUNDS);
	EXPECT_EQ(t, sham_counts().asked, sham_counts().kept);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY, 0));
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_NORMAL), MAX_FRUITLESS_ROUNDS + 1);
	sham_set_busy(COLD, false);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) != NULL);
	expect_check_clean(t);
}

/* Too little is reclaimable for the request to succeed: one round, and not sixteen. */
static void no_rounds_without_a_hope(struct ktest *t)
{
	boot();
	while (alloc_pages(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOWARN, 0))
		;
	EXPECT(t, sham_fill(0, GFP_NOWAIT | __GFP_MEMALLOC, COLD, 4) == 0);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_NORMAL), 2); /* and the loop's last */
}

/* What evict() asks for comes from the reserve, and reclaims nothing. */
static void who_reclaims_is_not_sent_to_reclaim(struct ktest *t)
{
	boot();
	fill(COLD);
	sham_dirty(COLD);
	sham_set_greedy(true);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY, 0));
	EXPECT(t, sham_counts().begun > 0);
	EXPECT(t, item(VMSTAT_ALLOC_NO_MARKS) >= sham_counts().begun);
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_NORMAL), 1);
	EXPECT_EQ(t, sham_counts().without_memalloc, 0);
	sham_complete(SHAM_MAX_PAGES);
	expect_check_clean(t);
}

static void who_may_not_wait_neither_sleeps_nor_reclaims(struct ktest *t)
{
	boot();
	fill(COLD);
	for (u32 i = 0; i < 100; i++) {
		EXPECT(t, !alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0));
		(void)!alloc_pages(GFP_ATOMIC | __GFP_NOWARN, 0);
	}
	EXPECT_EQ(t, sham_counts().asked, 0);
	EXPECT_EQ(t, item(VMSTAT_ALLOCSTALL_NORMAL), 0);
	EXPECT_EQ(t, host_sleeps(), 0);
}

/* --- What it costs ---------------------------------------------------------------------------------- */

static u64 scanned_per_1000(u64 pages)
{
	struct reclaim_request request = {
		.who = RECLAIM_DIRECT,
		.request_class = ZONE_NORMAL,
		.nr_to_reclaim = RECLAIM_BATCH_PAGES,
		.zonelist = &NODE_DATA(0)->zonelist[ZONELIST_FALLBACK],
	};
	struct node_permit permit = {.nodes = 1};
	u64 scanned = item(VMSTAT_PGSCAN_DIRECT), freed = 0;
	bool passed_by;
	u32 saved;

	request.permit = &permit;
	sham_fill(0, GFP_NOWAIT, COLD, pages);
	saved = memalloc_noreclaim_save();
	for (u32 i = 0; i < 20; i++)
		freed += direct_reclaim(&request, &passed_by);
	memalloc_noreclaim_restore(saved);
	scanned = item(VMSTAT_PGSCAN_DIRECT) - scanned;
	sham_drop_all();
	return freed ? scanned * 1000 / freed : ~(u64)0;
}

/* The same at any length of the list: only what is needed is looked at. */
static void the_cost_does_not_grow_with_the_list(struct ktest *t)
{
	u64 small, large;

	boot();
	small = scanned_per_1000(1000);
	large = scanned_per_1000(20000);
	ktest_note(t, "pages looked at for 1000 freed: %llu of 1000, %llu of 20000",
		   (unsigned long long)small, (unsigned long long)large);
	EXPECT_EQ(t, small, 1000);
	EXPECT_EQ(t, large, 1000);
	expect_check_clean(t);
}

/* --- Caches ----------------------------------------------------------------------------------------- */

static u64 objects = 100000, scans;

static u64 count_objects(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	(void)nid;
	return objects;
}

static u64 free_objects(struct shrinker *shrinker, int nid, u64 nr)
{
	(void)shrinker;
	(void)nid;
	nr = MIN(nr, objects);
	objects -= nr;
	scans++;
	return nr;
}

static struct shrinker cache = {
	.name = "test", .count = count_objects, .scan = free_objects, .seeks = 2};

/* Pages and objects go in proportion: of 20000 pages an eighth, of the objects about a quarter (seeks 2). */
static void caches_are_pressed_as_pages_are(struct ktest *t)
{
	struct reclaim_progress progress = {0};
	struct reclaim_request request = {
		.who = RECLAIM_DIRECT, .request_class = ZONE_NORMAL, .nr_to_reclaim = ~(u64)0};
	u32 saved;

	boot();
	shrinker_register(&cache);
	ASSERT_EQ(t, sham_fill(0, GFP_NOWAIT, COLD, 20000), 20000);
	saved = memalloc_noreclaim_save();
	reclaim_node(0, &request, 3, &progress);
	memalloc_noreclaim_restore(saved);
	EXPECT_EQ(t, progress.reclaimed, 20000 / 8);
	EXPECT(t, scans > 0 && progress.shrunk == 100000 - objects);
	EXPECT_MSG(t, progress.shrunk > 20000 && progress.shrunk < 30000, "%llu objects",
		   (unsigned long long)progress.shrunk);
	shrinker_unregister(&cache);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(a_request_makes_room_for_itself),
	KTEST(cold_goes_before_hot),
	KTEST(hot_goes_when_cold_is_gone),
	KTEST(nothing_pinned_is_taken),
	KTEST(a_dma_request_takes_dma_pages),
	KTEST(dirty_pages_are_written_first),
	KTEST(without_io_no_write_begins),
	KTEST(a_dead_device_is_not_waited_for_for_ever),
	KTEST(it_ends_when_nothing_can_be_had),
	KTEST(no_rounds_without_a_hope),
	KTEST(who_reclaims_is_not_sent_to_reclaim),
	KTEST(who_may_not_wait_neither_sleeps_nor_reclaims),
	KTEST(the_cost_does_not_grow_with_the_list),
	KTEST(caches_are_pressed_as_pages_are),
};
KTEST_SUITE(reclaim, cases);

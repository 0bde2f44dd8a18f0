/*
 * For what nobody is brought to his end, and what is waited for instead: pages that no victim could give, or that
 * somebody else may free.
 *
 * Pictures show the pages of a zone: X taken for good, d dirty, v what a victim would give back.
 */
#include <mm/mempolicy.h>
#include <mm/oom.h>
#include <mm/os_task.h>
#include <mm/reclaim.h>
#include <mm/shrinker.h>

#include "last_hope.h"
#include "mm/lru.h"
#include "mm/reclaim.h"
#include "mm/zone.h"
#include "tests/stress/pause.h"

#define PAUSE_NS 50000000ull

/* --- Who is not brought to his end --------------------------------------------------------------- */

static enum lru_outcome let_go_if_it_may_write(struct page *page, const struct reclaim_scope *scope)
{
	return scope->may_write ? let_go(page, scope) : LRU_KEPT;
}

static const struct lru_owner dirty = {.name = "dirty", .evict = let_go_if_it_may_write};

static u64 much(struct oom_victim *victim, nodemask_t nodes)
{
	(void)victim;
	(void)nodes;
	return 1000;
}

static void told(struct oom_victim *victim)
{
	(void)victim;
}

static struct oom_victim victim = {.name = "victim", .badness = much, .kill = told};

/*
 *	DMA     X X X X X X X X
 *	NORMAL  . . . . . v v v v . . . .     v: what a victim would give back
 */
static void nobody_ends_for_a_low_zone(struct ktest *t)
{
	host_machine_boot(&machine_with_dma);
	take_all(__GFP_DMA | __GFP_MEMALLOC);
	oom_victim_register(&victim);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_DMA | __GFP_NOWARN, 0));
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_DMA32 | __GFP_NOWARN, 0));
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_KILL), 0);
	take_all(GFP_NOWAIT);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_KILL), 1);
	oom_victim_unregister(&victim);
}

static u64 move_the_cpuset(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	(void)nid;
	if (load_relaxed(&os_current()->mems_allowed) == NODE_BIT(0))
		task_set_mems_allowed(os_current(), NODE_BIT(1));
	return 0;
}

/*
 *	node 0  X X X X X X v v     the cpuset, until the request has reclaimed in vain
 *	node 1  . . . . . . . .     the cpuset from then on
 */
static void nobody_ends_for_an_old_cpuset(struct ktest *t)
{
	static struct shrinker mover = {
		.name = "mover", .count = move_the_cpuset, .scan = free_nothing, .seeks = 2};
	struct page *page;

	host_machine_boot(&two_nodes);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	take_all(0);
	oom_victim_register(&victim);
	shrinker_register(&mover);
	page = alloc_pages(GFP_KERNEL, 0);
	shrinker_unregister(&mover);
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->nid, 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_MEMS_MOVED), 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_KILL), 0);
	oom_victim_unregister(&victim);
}

/*
 *	d d d d d d ... d d d d   dirty, all: who may not write finds nothing, and somebody else may
 */
static void nobody_ends_for_what_may_not_write(struct ktest *t)
{
	host_machine_boot(&machine);
	fill(&dirty, 0, NR_ALL);
	take_all(__GFP_DIRECT_RECLAIM | __GFP_NORETRY);
	oom_victim_register(&victim);
	EXPECT(t, !alloc_pages(GFP_NOIO | __GFP_NOWARN, 0));
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_KILL), 0);
	EXPECT_EQ(t, freed, 0);
	/* A bounded number of rounds, each as long as it takes to give up. */
	EXPECT(t, rounds() > MAX_FRUITLESS_ROUNDS && rounds() <= 18 * MAX_FRUITLESS_ROUNDS);
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) != NULL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_KILL), 0);
	oom_victim_unregister(&victim);
}

/* --- A device that another node keeps busy --------------------------------------------------------- */

static bool device_is_full; /* atomic */

static enum lru_outcome write_or_keep(struct page *page, const struct reclaim_scope *scope)
{
	if (load_acquire(&device_is_full))
		return LRU_KEPT;
	clear_page_dirty_for_io(page); /* at once: it is a fast one now */
	return let_go(page, scope);
}

static const struct lru_owner refused = {.name = "refused", .evict = write_or_keep};
static struct page *of_node_1; /* being written: what keeps the device busy */

/*
 *	node 0  d d d d d d d d     dirty, all of it, and refused by the device
 *	node 1  . . . w . . . .     w: its write is under way
 */
static void fill_beside_a_write(void)
{
	static const struct mempolicy bind = {MPOL_BIND, NODE_BIT(0)};
	struct page *page;

	host_machine_boot(&two_nodes);
	store_release(&device_is_full, true);
	of_node_1 = alloc_pages_node(1, __GFP_MOVABLE | __GFP_THISNODE, 0);
	lru_cache_add(of_node_1, &keeping);
	get_page(of_node_1);
	set_page_writeback(of_node_1);
	task_set_mempolicy(&bind);
	while ((page = alloc_pages(__GFP_MOVABLE | __GFP_NOWARN, 0))) {
		lru_cache_add(page, &refused);
		set_page_dirty(page);
	}
	take_all(__GFP_HIGH);
}

static void end_the_write(void)
{
	store_release(&device_is_full, false);
	end_page_writeback(of_node_1);
	put_page(of_node_1);
}

static bool asked; /* atomic: and has its answer */

/* Its time comes as soon as somebody waits for it. */
static void write_of_node_1(void *arg)
{
	(void)arg;
	while (load_relaxed(&NODE_DATA(1)->lru.nr_waiting) == 0 && !load_acquire(&asked))
		pause_ns(1000000);
	end_the_write();
}

static void a_request_waits_for_the_other_nodes_writes(struct ktest *t)
{
	struct os_thread *device;

	fill_beside_a_write();
	device = os_thread_start("device", 1, write_of_node_1, NULL);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN, 0) != NULL);
	store_release(&asked, true);
	os_thread_join(device);
	expect_check_clean(t);
}

static void the_other_nodes_writes_are_hope(struct ktest *t)
{
	struct reclaim_snapshot kswapd;

	fill_beside_a_write();
	EXPECT_EQ(t, kswapd_start(), 0);
	(void)!alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0);
	for (u32 i = 0; i < 200 && load_relaxed(&NODE_DATA(0)->reclaim.gave_up) == 0; i++)
		pause_ns(PAUSE_NS);
	reclaim_snapshot(0, &kswapd);
	EXPECT_EQ(t, kswapd.state, KSWAPD_HOPELESS);
	end_the_write();
	(void)!alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0);
	for (u32 i = 0; i < 200 && load_relaxed(&NODE_DATA(0)->reclaim.balanced) == 0; i++)
		pause_ns(PAUSE_NS);
	reclaim_snapshot(0, &kswapd);
	EXPECT_EQ(t, kswapd.balanced, 1);
	kswapd_stop();
}

static const struct ktest_case cases[] = {
	KTEST(nobody_ends_for_a_low_zone),
	KTEST(nobody_ends_for_an_old_cpuset),
	KTEST(nobody_ends_for_what_may_not_write),
	KTEST(a_request_waits_for_the_other_nodes_writes),
	KTEST(the_other_nodes_writes_are_hope),
};

KTEST_SUITE(nobody_ends, cases);

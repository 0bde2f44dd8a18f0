/*
 * Blocks are emptied on two CPUs while the others pin, touch, use, drop and add pages of the same cache. Also under
 * ThreadSanitizer.
 */
#include "target_build.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <base/random.h>

#define NR_CPUS   4
#define NR_ROUNDS (HOST_TSAN ? 60 : 400)

static u32 nr_running; /* atomic: reclaimers */

struct worker {
	u32 cpu;
	u64 seed;
	u64 blocks, pages;
};

/* Empties a block, takes it, gives it to the cache page by page. */
static void reclaim_blocks(void *arg)
{
	struct worker *w = arg;
	struct random_state r = {w->seed};

	for (u32 i = 0; i < NR_ROUNDS; i++) {
		unsigned int order = 4 + random_below(&r, 3);
		struct page *block;

		w->pages += target_reclaim(order, ZONE_NORMAL, 1, true);
		block = alloc_pages_node(0, GFP_NOWAIT | __GFP_MOVABLE | __GFP_NOWARN, order);
		if (!block)
			continue;
		w->blocks++;
		__free_pages(block, order);
		toy_fill(0, GFP_NOWAIT, 1u << order);
	}
	__atomic_fetch_sub(&nr_running, 1, __ATOMIC_RELEASE);
}

static void change(struct random_state *r, struct page *page)
{
	switch (random_below(r, 8)) {
	case 0:
		/* While it is pinned it stays, and is the same page. */
		if (lru_pin_page(page)) {
			cpu_relax();
			lru_unpin_page(page);
		}
		break;
	case 1:
		set_page_dirty(page);
		break;
	default:
		mark_page_accessed(page);
		break;
	}
}

static void change_pages(void *arg)
{
	struct worker *w = arg;
	struct random_state r = {w->seed};

	while (load_acquire(&nr_running) > 0) {
		u32 i = random_below(&r, TARGET_FRAMES);
		struct page *page = toy_get(i);

		if (page) {
			change(&r, page);
			put_page(page);
		}
		if (random_below(&r, 4) == 0)
			toy_end_writes(4);
		if (random_below(&r, 16) == 0)
			toy_drop(i);
		if (random_below(&r, 16) == 0)
			toy_fill(0, GFP_NOWAIT, 1);
		/* On a host of few CPUs those who reclaim, who alone bring this to its end, have their turn. */
		if (++w->pages % 16 == 0)
			cpu_relax();
	}
}

static void run(struct ktest *t, struct worker w[NR_CPUS])
{
	struct os_thread *thread[NR_CPUS];

	store_release(&nr_running, 2);
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++) {
		w[cpu] = (struct worker){.cpu = cpu, .seed = t->seed * 97 + cpu + 1};
		thread[cpu] = os_thread_start("target", cpu,
					      cpu < 2 ? reclaim_blocks : change_pages, &w[cpu]);
		ASSERT_TRUE(t, thread[cpu] != NULL);
	}
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++)
		os_thread_join(thread[cpu]);
}

static void no_page_is_lost(struct ktest *t)
{
	struct target_events before, e;
	struct worker w[NR_CPUS];
	struct zone_snapshot z;
	struct toy_counts toy;
	u64 all;

	host_machine_boot(&target_machine);
	toy_begin(target_slots, ARRAY_SIZE(target_slots), TOY_WRITES_WAIT);
	zone_snapshot(0, ZONE_NORMAL, &z);
	all = z.free_pages + z.pcp_pages;
	toy_fill(0, GFP_NOWAIT, ~(u32)0);
	before = target_events();
	run(t, w);
	e = target_events();
	toy_counts(&toy);
	ktest_note(t, "%llu blocks chosen: %llu completed, %llu given up, %llu incomplete",
		   (unsigned long long)(e.chosen - before.chosen),
		   (unsigned long long)(e.completed - before.completed),
		   (unsigned long long)(e.given_up - before.given_up),
		   (unsigned long long)(e.incomplete - before.incomplete));
	EXPECT_EQ(t, e.chosen - before.chosen,
		  e.completed - before.completed + e.given_up - before.given_up + e.incomplete -
			  before.incomplete);
	EXPECT(t, e.completed > before.completed);
	EXPECT(t, w[0].blocks + w[1].blocks > 0);
	EXPECT(t, w[2].pages + w[3].pages > 0);
	EXPECT_EQ(t, e.evicted - before.evicted, w[0].pages + w[1].pages);
	EXPECT_EQ(t, toy.evicted, w[0].pages + w[1].pages);
	expect_check_clean(t);
	toy_empty();
	drain_all_pages();
	zone_snapshot(0, ZONE_NORMAL, &z);
	EXPECT_EQ(t, z.free_pages, all);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(no_page_is_lost),
};
KTEST_SUITE(target_threads, cases);

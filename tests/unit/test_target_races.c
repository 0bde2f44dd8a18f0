/*
 * Targeted reclaim and what changes between the look at a block and its end.
 */
#include "target_build.h"

#include <arch/cpu.h>

#include "mm/vmstat.h"

/*
 *	order 4   0                1
 *	          |iiiiiiii........|iiiiiiiiiiii....|    all others: X
 */
static pfn_t two_blocks(enum toy_writes writes)
{
	pfn_t at;

	target_boot(writes);
	at = target_block_of(target_zone(), 5);
	target_cache(at, 8, LRU_INACTIVE);
	target_free(at + 8, 8);
	target_cache(at + 16, 12, LRU_INACTIVE);
	target_free(at + 28, 4);
	return at;
}

/* What another CPU does to a page of the first block once it was looked at. */
struct change {
	pfn_t at;
	void (*change)(struct page *page);
};

static void change_now(void *arg)
{
	struct change *c = arg;

	c->change(pfn_to_page(c->at + 5));
}

static u64 reclaim_with(struct change *c)
{
	u64 freed;

	/* The first count after the search is that of the blocks it looked at. */
	host_at_write(&vmstat_counters[smp_processor_id()], change_now, c);
	freed = target_reclaim(4, ZONE_NORMAL, 1, true);
	if (host_write_awaited())
		vmstat_count(VMSTAT_ALLOC_MIN);
	return freed;
}

static bool is_free(pfn_t pfn)
{
	return pfn_to_page(pfn)->head == PAGE_HEAD(PAGE_FREE, 4);
}

/* --- Not to be had after all: nothing is evicted for nothing, and the next block is tried ---------------- */

static void pin(struct page *page)
{
	lru_pin_page(page);
}

static void isolate(struct page *page)
{
	lru_isolate_page(page);
}

static void given_up_for(struct ktest *t, void (*change)(struct page *page))
{
	struct change c = {two_blocks(TOY_WRITES_AT_ONCE), change};
	struct target_events before = target_events();
	struct lru_snapshot lru;

	/* One of the others is active: it goes back to where it came from. */
	mark_page_accessed(pfn_to_page(c.at));
	mark_page_accessed(pfn_to_page(c.at));
	EXPECT_EQ(t, reclaim_with(&c), 12);
	EXPECT_EVENTS(t, before, .chosen = 2, .given_up = 1, .completed = 1, .evicted = 12);
	EXPECT(t, is_free(c.at + 16));
	lru_snapshot(0, &lru);
	EXPECT_EQ(t, lru.pages[LRU_ACTIVE], 1);
	EXPECT_EQ(t, lru.pages[LRU_INACTIVE], 6);
	EXPECT_EQ(t, lru.pages[LRU_PINNED] + lru.pages[LRU_ISOLATED], 1);
	expect_check_clean(t);
}

static void pinned_meanwhile(struct ktest *t)
{
	given_up_for(t, pin);
}

static void isolated_meanwhile(struct ktest *t)
{
	given_up_for(t, isolate);
}

/* In use only now: its owner keeps it, the others are gone. */
static void in_use_meanwhile(struct ktest *t)
{
	struct change c = {two_blocks(TOY_WRITES_AT_ONCE), get_page};
	struct target_events before = target_events();

	EXPECT_EQ(t, reclaim_with(&c), 7 + 12);
	EXPECT_EVENTS(t, before, .chosen = 2, .incomplete = 1, .completed = 1, .evicted = 19);
	EXPECT_EQ(t, pfn_to_page(c.at + 5)->lru, LRU_INACTIVE);
	EXPECT(t, is_free(c.at + 16));
	expect_check_clean(t);
}

/* --- Still to be had ----------------------------------------------------------------------------- */

static void drop(struct page *page)
{
	toy_drop((u32)page->owner_key);
	drain_all_pages();
}

static void touch_twice(struct page *page)
{
	mark_page_accessed(page);
	mark_page_accessed(page);
}

static void freed_meanwhile(struct ktest *t)
{
	struct change c = {two_blocks(TOY_WRITES_AT_ONCE), drop};
	struct target_events before = target_events();

	EXPECT_EQ(t, reclaim_with(&c), 7);
	EXPECT_EVENTS(t, before, .chosen = 1, .completed = 1, .evicted = 7);
	EXPECT(t, is_free(c.at));
	expect_check_clean(t);
}

static void activated_meanwhile(struct ktest *t)
{
	struct change c = {two_blocks(TOY_WRITES_AT_ONCE), touch_twice};
	struct target_events before = target_events();

	EXPECT_EQ(t, reclaim_with(&c), 8);
	EXPECT_EVENTS(t, before, .chosen = 1, .completed = 1, .evicted = 8);
	expect_check_clean(t);
}

/* Freed to a CPU's list, where it could not merge: the list is drained. */
static void of_a_list(struct ktest *t)
{
	pfn_t at = two_blocks(TOY_WRITES_AT_ONCE);

	toy_drop((u32)pfn_to_page(at + 3)->owner_key);
	EXPECT_EQ(t, pfn_to_page(at + 3)->state, PAGE_PCP);
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 7);
	EXPECT(t, is_free(at));
	expect_check_clean(t);
}

/* --- Taken by others, while it is emptied ---------------------------------------------------------- */

static struct page *taken;

static void take_one(struct page *page)
{
	(void)page;
	taken = alloc_pages_node(0, GFP_ATOMIC | __GFP_MEMALLOC, 3);
}

/* The 8 free pages of the first block are the smallest that there is for order 3. */
static void a_free_page_taken_meanwhile(struct ktest *t)
{
	struct change c = {two_blocks(TOY_WRITES_AT_ONCE), take_one};
	struct target_events before = target_events();

	EXPECT_EQ(t, reclaim_with(&c), 12);
	EXPECT(t, taken == pfn_to_page(c.at + 8));
	EXPECT_EVENTS(t, before, .chosen = 2, .given_up = 1, .completed = 1, .evicted = 12);
	expect_check_clean(t);
}

/* --- Writes ---------------------------------------------------------------------------------------- */

#define NR_WRITES 8

static bool stop, written; /* atomic */

/* A device: a write now and then. */
static void end_writes(void *arg)
{
	u32 ended = 0;

	(void)arg;
	while (!load_acquire(&stop)) {
		ended += toy_end_writes(1);
		store_release(&written, ended == NR_WRITES);
		cpu_relax();
	}
}

static void dirty_pages_are_written_then_evicted(struct ktest *t)
{
	pfn_t at = two_blocks(TOY_WRITES_WAIT);
	struct target_events before = target_events();
	struct os_thread *device;
	struct toy_counts toy;

	for (u32 i = 0; i < 28; i++) {
		if (i < 8 || i >= 16)
			set_page_dirty(pfn_to_page(at + i));
	}
	device = os_thread_start("device", 1, end_writes, NULL);
	ASSERT_TRUE(t, device != NULL);
	host_sleep_until(&written);
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 8);
	store_release(&stop, true);
	os_thread_join(device);
	EXPECT_EVENTS(t, before, .chosen = 1, .completed = 1, .evicted = 8);
	toy_counts(&toy);
	EXPECT_EQ(t, toy.writes_begun, NR_WRITES);
	EXPECT(t, is_free(at));
	expect_check_clean(t);
}

/* It never answers: a bounded wait, of 100 ms for each block, and the pages go on being written. */
static void a_dead_device_is_not_waited_for_long(struct ktest *t)
{
	pfn_t at = two_blocks(TOY_WRITES_WAIT);
	struct target_events before = target_events();
	u64 start = arch_timestamp(), ms;
	struct lru_snapshot lru;

	set_page_dirty(pfn_to_page(at + 2));
	set_page_dirty(pfn_to_page(at + 20));
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 7 + 11);
	ms = arch_timestamp_to_ns(arch_timestamp() - start) / 1000000;
	EXPECT_MSG(t, ms >= 150 && ms < 5000, "%llu ms", (unsigned long long)ms);
	EXPECT_EVENTS(t, before, .chosen = 2, .incomplete = 2, .evicted = 18);
	lru_snapshot(0, &lru);
	EXPECT_EQ(t, lru.writeback_pages, 2);
	EXPECT_EQ(t, toy_end_writes(9), 2);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(pinned_meanwhile),
	KTEST(isolated_meanwhile),
	KTEST(in_use_meanwhile),
	KTEST(freed_meanwhile),
	KTEST(activated_meanwhile),
	KTEST(of_a_list),
	KTEST(a_free_page_taken_meanwhile),
	KTEST(dirty_pages_are_written_then_evicted),
	KTEST(a_dead_device_is_not_waited_for_long),
};
KTEST_SUITE(target_races, cases);

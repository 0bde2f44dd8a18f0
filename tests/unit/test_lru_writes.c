/*
 * Pages on LRUs whose content is newer than their store's: who was first to say so, where a page goes
 * when its write has ended, and waiting for that.
 *
 * Pictures show one list from head to tail.
 */
#include "lru_pages.h"

#include <arch/cpu.h>
#include <mm/vmstat.h>

#include "mm/lru.h"
#include "mm/zone.h"

static void flags_say_who_was_first(struct ktest *t)
{
	struct page *page[1];
	struct lru_snapshot s;

	lru_boot_with(page, 1);
	EXPECT(t, set_page_dirty(page[0]) && !set_page_dirty(page[0]));
	lru_snapshot(0, &s);
	EXPECT_EQ(t, s.dirty_pages, 1);
	EXPECT(t, clear_page_dirty_for_io(page[0]) && !clear_page_dirty_for_io(page[0]));
	EXPECT(t, set_page_writeback(page[0]) && !set_page_writeback(page[0]));
	EXPECT(t, set_page_dirty(page[0])); /* while it is written */
	lru_snapshot(0, &s);
	EXPECT_EQ(t, s.dirty_pages, 1);
	EXPECT_EQ(t, s.writeback_pages, 1);
	expect_check_clean(t);
	end_page_writeback(page[0]);
	EXPECT_EQ(t, page_lru_flags(page[0]), LRU_DIRTY);
	expect_check_clean(t);
}

/*	inactive 1 0 --> 0 is isolated, its write begins: 0 1 --> and ends: 1 0
 */
static void written_pages_go_to_the_tail(struct ktest *t)
{
	struct page *page[2];

	lru_boot_with(page, 2);
	ASSERT_TRUE(t, lru_isolate_page(page[0]));
	set_page_writeback(page[0]);
	lru_reclaim_when_written(page[0]);
	lru_putback(page[0], LRU_INACTIVE, false);
	lru_expect_list(t, LRU_INACTIVE, page, 2, "01");
	end_page_writeback(page[0]);
	lru_expect_list(t, LRU_INACTIVE, page, 2, "10");
	EXPECT_EQ(t, page_lru_flags(page[0]), 0);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGROTATED), 1);
	expect_check_clean(t);
}

/* The write ends before the page is back, before or after the reclaimer has said what it wants. */
static void written_before_it_is_back(struct ktest *t)
{
	struct page *page[3];

	for (u32 late = 0; late < 2; late++) {
		if (late == 0)
			lru_boot_with(page, 3);
		ASSERT_TRUE(t, lru_isolate_page(page[1]));
		set_page_writeback(page[1]);
		if (late)
			end_page_writeback(page[1]);
		lru_reclaim_when_written(page[1]);
		if (!late)
			end_page_writeback(page[1]);
		lru_putback(page[1], LRU_INACTIVE, false);
		lru_expect_list(t, LRU_INACTIVE, page, 3, "201");
		EXPECT_EQ(t, page_lru_flags(page[1]), 0);
		EXPECT_EQ(t, vmstat_read(VMSTAT_PGROTATED), late + 1);
	}
	expect_check_clean(t);
}

/* One that was touched meanwhile, or pinned, stays where it is. */
static void in_use_it_is_not_rotated(struct ktest *t)
{
	struct page *page[2];

	lru_boot_with(page, 2);
	for (u32 i = 0; i < 2; i++) {
		ASSERT_TRUE(t, lru_isolate_page(page[i]));
		set_page_writeback(page[i]);
		lru_reclaim_when_written(page[i]);
		lru_putback(page[i], i ? LRU_ACTIVE : LRU_INACTIVE, false);
	}
	lru_pin_page(page[0]);
	end_page_writeback(page[0]);
	end_page_writeback(page[1]);
	lru_expect_list(t, LRU_PINNED, page, 2, "0");
	lru_expect_list(t, LRU_ACTIVE, page, 2, "1");
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGROTATED), 0);
	expect_check_clean(t);
}

static void end_the_write(void *page)
{
	while (!load_relaxed(&NODE_DATA(0)->lru.nr_waiting))
		cpu_relax();
	end_page_writeback(page);
}

#define LIMIT 20000000000ull /* ns: whoever waits so long was not woken */

static void waiting_for_any_write(struct ktest *t)
{
	struct page *page[2];
	struct os_thread *thread;
	u64 start;

	lru_boot_with(page, 2);
	EXPECT(t, lru_wait_writeback(0, LIMIT)); /* none is under way */
	EXPECT(t, !lru_wait_writeback(9, LIMIT));
	set_page_writeback(page[0]);
	set_page_writeback(page[1]);
	EXPECT(t, !lru_wait_writeback(0, 1000000));
	start = arch_timestamp();
	thread = os_thread_start("device", 1, end_the_write, page[0]);
	EXPECT(t, lru_wait_writeback(0, LIMIT));
	EXPECT(t, arch_timestamp_to_ns(arch_timestamp() - start) < LIMIT);
	os_thread_join(thread);
	EXPECT_EQ(t, NODE_DATA(0)->lru.nr_waiting, 0);
	EXPECT_EQ(t, NODE_DATA(0)->lru.nr_written, 1);
	end_page_writeback(page[1]);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(flags_say_who_was_first),   KTEST(written_pages_go_to_the_tail),
	KTEST(written_before_it_is_back), KTEST(in_use_it_is_not_rotated),
	KTEST(waiting_for_any_write),
};
KTEST_SUITE(lru_writes, cases);

/*
 * Pages on LRUs: where they go and come back from, and references. Writes have a file of their own
 * (test_lru_writes.c), as has the working set (test_workingset.c).
 *
 * Pictures show one list from head to tail; ' is a touch that was not looked at yet.
 */
#include "lru_pages.h"

#include <base/string.h>
#include <mm/vmstat.h>

#include "mm/lru.h"
#include "mm/zone.h"

static u64 all_free_pages(void)
{
	struct vm_totals totals;

	vm_totals(&totals);
	return totals.free_pages + totals.pcp_pages;
}

static u64 zone_free_pages(const struct page *page)
{
	struct zone_snapshot z;

	zone_snapshot(page->nid, (enum zone_type)page->zone, &z);
	return z.free_pages;
}

/* ---- References ----------------------------------------------------------------------------- */

static void the_last_reference_frees(struct ktest *t)
{
	struct page *page;
	u64 before;

	host_machine_boot(&lru_machine);
	before = all_free_pages();
	page = lru_new_page(0, GFP_KERNEL);
	EXPECT_EQ(t, lru_on_list(0, LRU_INACTIVE), 1);
	EXPECT_EQ(t, page_ref_count(page), 1);
	get_page(page);
	EXPECT_EQ(t, page_ref_count(page), 2);
	put_page(page);
	EXPECT_EQ(t, all_free_pages(), before - 1);
	expect_check_clean(t);
	put_page(page);
	EXPECT_EQ(t, lru_on_list(0, LRU_INACTIVE), 0);
	EXPECT_EQ(t, all_free_pages(), before);
	EXPECT_EQ(t, page->marks, 0);
	EXPECT_EQ(t, page->lru, LRU_NONE);
	expect_check_clean(t);
}

/* Off each of the lists, and with all its flags. */
static void it_frees_from_any_list(struct ktest *t)
{
	struct page *page[4];
	u64 before;

	lru_boot_with(page, 0);
	before = all_free_pages();
	for (u32 i = 0; i < 4; i++)
		page[i] = lru_new_page(0, GFP_KERNEL);
	mark_page_accessed(page[1]);
	mark_page_accessed(page[1]);
	lru_pin_page(page[2]);
	set_page_dirty(page[3]);
	lru_expect_list(t, LRU_INACTIVE, page, 4, "30");
	lru_expect_list(t, LRU_ACTIVE, page, 4, "1");
	lru_expect_list(t, LRU_PINNED, page, 4, "2");
	for (u32 i = 0; i < 4; i++)
		put_page(page[i]);
	EXPECT_EQ(t, all_free_pages(), before);
	EXPECT_EQ(t, lru_on_list(0, LRU_PINNED) + lru_on_list(0, LRU_ACTIVE), 0);
	expect_check_clean(t); /* LRU-3: nr_dirty as well */
}

static void put_in_interrupt(void *page)
{
	put_page(page);
}

static void the_last_one_in_an_interrupt(struct ktest *t)
{
	struct page *page;
	u64 before;

	host_machine_boot(&lru_machine);
	before = all_free_pages();
	page = lru_new_page(1, GFP_KERNEL);
	host_interrupt(2, put_in_interrupt, page);
	EXPECT_EQ(t, all_free_pages(), before);
	EXPECT_EQ(t, lru_on_list(1, LRU_INACTIVE), 0);
	expect_check_clean(t);
}

/* Only exactly so many; and then nobody gets one. */
static void frozen_by_the_number(struct ktest *t)
{
	struct page *page[1];

	lru_boot_with(page, 1);
	EXPECT(t, lru_isolate_page(page[0]));
	get_page(page[0]);
	EXPECT(t, !page_ref_freeze(page[0], 2));
	EXPECT_EQ(t, page_ref_count(page[0]), 3);
	put_page(page[0]);
	EXPECT(t, page_ref_freeze(page[0], 2));
	EXPECT_EQ(t, page_ref_count(page[0]), 0);
	EXPECT(t, !get_page_unless_zero(page[0]));
	expect_check_clean(t);
	lru_free_frozen(page[0]);
	expect_check_clean(t);
}

/* Said by somebody who had a reference, and has put it since the owner looked. */
static void not_frozen_while_something_keeps_it(struct ktest *t)
{
	struct page *page[1];

	lru_boot_with(page, 1);
	ASSERT_TRUE(t, lru_isolate_page(page[0]));
	set_page_dirty(page[0]);
	EXPECT(t, !page_ref_freeze(page[0], 2));
	clear_page_dirty_for_io(page[0]);
	set_page_writeback(page[0]);
	EXPECT(t, !page_ref_freeze(page[0], 2));
	end_page_writeback(page[0]);
	lru_pin_page(page[0]);
	EXPECT(t, !page_ref_freeze(page[0], 2));
	EXPECT_EQ(t, page_ref_count(page[0]), 2);
	lru_unpin_page(page[0]);
	EXPECT(t, page_ref_freeze(page[0], 2));
	lru_free_frozen(page[0]);
	expect_check_clean(t);
}

/* Not in a CPU's own list, where a mark would not see it. */
static void frozen_pages_go_to_the_zone(struct ktest *t)
{
	struct page *page[2];
	u64 before;

	lru_boot_with(page, 2);
	before = zone_free_pages(page[0]);
	put_page(page[0]);
	EXPECT_EQ(t, zone_free_pages(page[1]), before);
	ASSERT_TRUE(t, lru_isolate_page(page[1]) && page_ref_freeze(page[1], 2));
	lru_free_frozen(page[1]);
	EXPECT_EQ(t, zone_free_pages(page[1]), before + 1);
	expect_check_clean(t);
}

/* ---- Lists ---------------------------------------------------------------------------------- */

/*	inactive 2 1 0    touched once: 2 1' 0     twice: 2 0
 *	active                                            1
 */
static void the_second_touch_activates(struct ktest *t)
{
	struct page *page[3];
	struct lru_snapshot s;

	lru_boot_with(page, 3);
	mark_page_accessed(page[1]);
	lru_expect_list(t, LRU_INACTIVE, page, 3, "210");
	EXPECT(t, page_lru_flags(page[1]) & LRU_REFERENCED);
	mark_page_accessed(page[1]);
	lru_expect_list(t, LRU_INACTIVE, page, 3, "20");
	lru_expect_list(t, LRU_ACTIVE, page, 3, "1");
	EXPECT_EQ(t, page_lru_flags(page[1]), LRU_WORKINGSET);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGACTIVATE), 1);
	lru_snapshot(0, &s);
	EXPECT_EQ(t, s.age, 1);
	EXPECT_EQ(t, s.zone_pages[ZONE_NORMAL], 3);

	/* Active already: a third is noted for who looks. */
	mark_page_accessed(page[1]);
	mark_page_accessed(page[1]);
	EXPECT(t, lru_test_clear_referenced(page[1]));
	EXPECT(t, !lru_test_clear_referenced(page[1]));
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGACTIVATE), 1);
	expect_check_clean(t);
}

/*	inactive 3 2 1 0  -->  two from the tail: 3 2, isolated 0 1; back: 0 at the head, 1 at the tail
 */
static void isolated_from_the_tail_and_back(struct ktest *t)
{
	struct page *page[4];
	struct list_head taken;
	u32 scanned;

	lru_boot_with(page, 4);
	list_init(&taken);
	EXPECT_EQ(t, lru_isolate_tail(0, LRU_INACTIVE, ZONE_NORMAL, 2, &taken, &scanned), 2);
	EXPECT_EQ(t, scanned, 2);
	lru_expect_list(t, LRU_INACTIVE, page, 4, "32");
	EXPECT_EQ(t, lru_on_list(0, LRU_ISOLATED), 2);
	EXPECT_EQ(t, page_ref_count(page[0]), 2);
	EXPECT(t, taken.next == &page[0]->lru_link && taken.prev == &page[1]->lru_link);
	EXPECT(t, !lru_isolate_page(page[0]));
	expect_check_clean(t);
	lru_putback(page[0], LRU_INACTIVE, false);
	lru_putback(page[1], LRU_INACTIVE, true);
	lru_expect_list(t, LRU_INACTIVE, page, 4, "0321");
	EXPECT_EQ(t, page_ref_count(page[0]), 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGACTIVATE) + vmstat_read(VMSTAT_PGDEACTIVATE), 0);
	expect_check_clean(t);
}

/* More than there are; a node that does not exist. */
static void isolating_ends_with_the_list(struct ktest *t)
{
	struct page *page[3];
	struct list_head taken;
	u32 scanned;

	lru_boot_with(page, 3);
	list_init(&taken);
	EXPECT_EQ(t, lru_isolate_tail(0, LRU_INACTIVE, ZONE_NORMAL, 100, &taken, &scanned), 3);
	EXPECT_EQ(t, scanned, 3);
	EXPECT_EQ(t, lru_isolate_tail(0, LRU_INACTIVE, ZONE_NORMAL, 100, &taken, &scanned), 0);
	EXPECT_EQ(t, scanned, 0);
	EXPECT_EQ(t, lru_isolate_tail(7, LRU_INACTIVE, ZONE_NORMAL, 100, &taken, &scanned), 0);
	for (u32 i = 0; i < 3; i++)
		lru_putback(page[i], LRU_INACTIVE, false);
	lru_expect_list(t, LRU_INACTIVE, page, 3, "210");
}

/* To the other list and back: counted there, whoever asks for it. */
static void moves_are_counted(struct ktest *t)
{
	struct page *page[2];

	lru_boot_with(page, 2);
	ASSERT_TRUE(t, lru_isolate_page(page[0]));
	lru_putback(page[0], LRU_ACTIVE, false);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGACTIVATE), 1);
	EXPECT(t, page_lru_flags(page[0]) & LRU_WORKINGSET);
	ASSERT_TRUE(t, lru_isolate_page(page[0]));
	lru_putback(page[0], LRU_ACTIVE, false);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGACTIVATE), 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGDEACTIVATE), 0);
	ASSERT_TRUE(t, lru_isolate_page(page[0]));
	lru_putback(page[0], LRU_INACTIVE, false);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGDEACTIVATE), 1);
	lru_expect_list(t, LRU_INACTIVE, page, 2, "01");
	expect_check_clean(t);
}

/*	inactive n d  -->  a request for DMA32: n goes to the head, d is taken  (n: NORMAL, d: DMA32)
 */
static void zones_above_the_class_go_round(struct ktest *t)
{
	struct page *page[3];
	struct list_head taken;
	u32 scanned;

	lru_boot_with(page, 1);
	page[1] = lru_new_page(0, GFP_KERNEL | __GFP_DMA32);
	page[2] = lru_new_page(0, GFP_KERNEL);
	ASSERT_EQ(t, page[1]->zone, ZONE_DMA32);
	EXPECT_EQ(t, lru_reclaimable_pages(0, ZONE_NORMAL), 3);
	EXPECT_EQ(t, lru_reclaimable_pages(0, ZONE_DMA32), 1);
	EXPECT_EQ(t, lru_reclaimable_pages(0, ZONE_DMA), 0);
	list_init(&taken);
	EXPECT_EQ(t, lru_isolate_tail(0, LRU_INACTIVE, ZONE_DMA32, 2, &taken, &scanned), 1);
	EXPECT_EQ(t, scanned, 2);
	EXPECT(t, taken.next == &page[1]->lru_link);
	lru_expect_list(t, LRU_INACTIVE, page, 3, "02");
	expect_check_clean(t);
}

static void pinned_pages_are_not_looked_at(struct ktest *t)
{
	struct page *page[3];
	struct list_head taken;
	u32 scanned;

	lru_boot_with(page, 3);
	EXPECT(t, lru_pin_page(page[1]));
	EXPECT(t, !lru_pin_page(page[1]));
	lru_expect_list(t, LRU_PINNED, page, 3, "1");
	mark_page_accessed(page[1]);
	mark_page_accessed(page[1]);
	EXPECT(t, !lru_isolate_page(page[1]));
	list_init(&taken);
	EXPECT_EQ(t, lru_isolate_tail(0, LRU_INACTIVE, ZONE_NORMAL, 9, &taken, &scanned), 2);
	EXPECT_EQ(t, lru_reclaimable_pages(0, ZONE_NORMAL), 0);
	/* Pinned while it is isolated: known when it comes back. */
	EXPECT(t, lru_pin_page(page[0]));
	lru_putback(page[0], LRU_ACTIVE, false);
	lru_putback(page[2], LRU_INACTIVE, false);
	lru_expect_list(t, LRU_PINNED, page, 3, "01");
	EXPECT(t, lru_unpin_page(page[1]));
	EXPECT(t, !lru_unpin_page(page[1]));
	lru_expect_list(t, LRU_INACTIVE, page, 3, "12");
	lru_expect_list(t, LRU_PINNED, page, 3, "0");
	expect_check_clean(t);
}

/* Whose last reference is gone while a reclaimer has the lock: left alone, and out of the way. */
static void pages_that_nobody_has_are_left(struct ktest *t)
{
	struct page *page[2];
	struct list_head taken;
	u32 scanned;

	lru_boot_with(page, 2);
	page[0]->lru_refs = 0; /* put_page() has come so far */
	list_init(&taken);
	EXPECT(t, !lru_isolate_page(page[0]));
	EXPECT_EQ(t, lru_isolate_tail(0, LRU_INACTIVE, ZONE_NORMAL, 2, &taken, &scanned), 1);
	EXPECT_EQ(t, scanned, 2);
	lru_expect_list(t, LRU_INACTIVE, page, 2, "0");
	expect_check_clean(t);
	page[0]->lru_refs = 1;
	put_page(page[0]);
	expect_check_clean(t);
}

/* Any struct page may be asked about. */
static void no_page_of_an_lru_is_isolated(struct ktest *t)
{
	struct page *page;

	host_machine_boot(&lru_machine);
	page = alloc_pages(GFP_KERNEL, 3);
	for (u32 i = 0; i < 8; i++)
		EXPECT(t, !lru_isolate_page(page + i));
	EXPECT(t, !lru_isolate_page(pfn_to_page(0)));
	__free_pages(page, 3);
	EXPECT(t, !lru_isolate_page(page));
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void a_page_says_what_it_is(struct ktest *t)
{
	struct page *page[2];
	struct page_snapshot s;
	char text[96];

	lru_boot_with(page, 2);
	get_page(page[1]);
	set_page_dirty(page[1]);
	lru_pin_page(page[1]);
	ASSERT_TRUE(t, page_snapshot(page_to_pfn(page[1]), &s));
	EXPECT_EQ(t, s.lru, LRU_PINNED);
	EXPECT_EQ(t, s.lru_refs, 2);
	EXPECT(t, s.lru_owner == &lru_test_owner && s.marks == PAGE_MARK_LRU);
	lru_flags_text(text, sizeof(text), s.lru_flags | LRU_OWNER_FLAG(0));
	EXPECT_STREQ(t, text, "dirty unevictable 0x10000");
	lru_flags_text(text, sizeof(text), 0);
	EXPECT_STREQ(t, text, "none");
	lru_flags_text(text, 8, ~0u);
	EXPECT_STREQ(t, text, "referen");
	put_page(page[0]);
	ASSERT_TRUE(t, page_snapshot(page_to_pfn(page[0]), &s));
	EXPECT(t, s.lru == LRU_NONE && s.lru_refs == 0 && !s.lru_owner);
	EXPECT_STREQ(t, lru_list_name(LRU_ISOLATED), "isolated");
	EXPECT_STREQ(t, lru_list_name((enum lru_list)77), "?");
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static void put_twice(void *arg)
{
	struct page *page[1];

	(void)arg;
	lru_boot_with(page, 1);
	put_page(page[0]);
	put_page(page[0]);
}

static void add_twice(void *arg)
{
	struct page *page[1];

	(void)arg;
	lru_boot_with(page, 1);
	lru_cache_add(page[0], &lru_test_owner);
}

static void add_a_block(void *arg)
{
	(void)arg;
	host_machine_boot(&lru_machine);
	lru_cache_add(alloc_pages(GFP_KERNEL, 1), &lru_test_owner);
}

static void free_by_hand(void *arg)
{
	struct page *page[1];

	(void)arg;
	lru_boot_with(page, 1);
	__free_pages(page[0], 0);
}

static void get_what_nobody_has(void *arg)
{
	struct page *page[1];

	(void)arg;
	lru_boot_with(page, 1);
	lru_isolate_page(page[0]);
	page_ref_freeze(page[0], 2);
	get_page(page[0]);
}

static void free_what_is_written(void *arg)
{
	struct page *page[1];

	(void)arg;
	lru_boot_with(page, 1);
	set_page_writeback(page[0]);
	put_page(page[0]);
}

static void misuse_is_named(struct ktest *t)
{
	expect_panic(t, put_twice, NULL, "put_page() of pfn 0x");
	expect_panic(t, add_twice, NULL, "marks 0x8, on list inactive");
	expect_panic(t, add_a_block, NULL, "which is allocated, order 1");
	expect_panic(t, free_by_hand, NULL, "page on an LRU: put_page() frees it");
	expect_panic(t, get_what_nobody_has, NULL, "which nobody has");
	expect_panic(t, free_what_is_written, NULL, "is freed while it is being written");
}

static const struct ktest_case cases[] = {
	KTEST(the_last_reference_frees),
	KTEST(it_frees_from_any_list),
	KTEST(the_last_one_in_an_interrupt),
	KTEST(frozen_by_the_number),
	KTEST(not_frozen_while_something_keeps_it),
	KTEST(frozen_pages_go_to_the_zone),
	KTEST(the_second_touch_activates),
	KTEST(isolated_from_the_tail_and_back),
	KTEST(isolating_ends_with_the_list),
	KTEST(moves_are_counted),
	KTEST(zones_above_the_class_go_round),
	KTEST(pinned_pages_are_not_looked_at),
	KTEST(pages_that_nobody_has_are_left),
	KTEST(no_page_of_an_lru_is_isolated),
	KTEST(a_page_says_what_it_is),
	KTEST(misuse_is_named),
};

KTEST_SUITE(lru, cases);

/*
 * The working set: which page is activated when it comes back, and how long the inactive list is.
 *
 *	evicted ----- others are evicted, others are activated: the distance ----- back again
 *
 * A page that was away for a shorter distance than the active list is long is activated.
 */
#include "lru_pages.h"

#include <mm/vmstat.h>

#include "mm/lru.h"
#include "mm/zone.h"

/* Three pages are active; a page comes back after `others` more have left. */
static bool comes_back_after(u32 others)
{
	struct page *page = lru_new_page(0, GFP_KERNEL);
	u32 shadow = workingset_eviction(page);
	bool activated;

	put_page(page);
	for (u32 i = 0; i < others; i++)
		workingset_eviction(lru_new_page(0, GFP_KERNEL));
	page = lru_new_page(0, GFP_KERNEL);
	activated = workingset_refault(page, shadow);
	if (activated != (page->lru == LRU_ACTIVE))
		return !activated;
	put_page(page);
	return activated;
}

static void distance_against_the_active_list(struct ktest *t)
{
	struct page *page[3];

	lru_boot_with(page, 3);
	EXPECT(t, !comes_back_after(0)); /* nothing is active: there is nobody to push out */
	for (u32 i = 0; i < 6; i++)
		mark_page_accessed(page[i / 2]);
	lru_expect_list(t, LRU_ACTIVE, page, 3, "210");
	EXPECT(t, comes_back_after(0));
	EXPECT(t, comes_back_after(2));
	EXPECT(t, !comes_back_after(3));
	EXPECT(t, !comes_back_after(40));
	EXPECT_EQ(t, vmstat_read(VMSTAT_WORKINGSET_REFAULT), 5);
	EXPECT_EQ(t, vmstat_read(VMSTAT_WORKINGSET_ACTIVATE), 2);
	EXPECT_EQ(t, vmstat_read(VMSTAT_PGACTIVATE), 3);
	expect_check_clean(t);
}

/* Of nothing known; of a node that is none; evicted on one node and back on another. */
static void shadows_name_their_node(struct ktest *t)
{
	struct page *page[2], *other;
	u32 shadow;

	lru_boot_with(page, 2);
	EXPECT(t, !workingset_refault(page[0], 0));
	EXPECT(t, !workingset_refault(page[0], 0xfffffff0));
	EXPECT_EQ(t, vmstat_read(VMSTAT_WORKINGSET_REFAULT), 0);
	EXPECT(t, workingset_eviction(page[0]) != 0); /* at age 0 */

	other = lru_new_page(1, GFP_KERNEL);
	mark_page_accessed(other);
	mark_page_accessed(other);
	for (u32 i = 0; i < 100; i++)
		workingset_eviction(page[0]);
	shadow = workingset_eviction(lru_new_page(1, GFP_KERNEL));
	EXPECT(t, workingset_refault(page[1], shadow)); /* 1 on node 1, and 100 on node 0 */
	lru_expect_list(t, LRU_ACTIVE, page, 2, "1");
	expect_check_clean(t);
}

/* A quarter of both; on large memory less. The lengths alone are looked at. */
static void how_long_the_inactive_list_is(struct ktest *t)
{
	struct lru_node *lru;

	host_machine_boot(&lru_machine);
	lru = &NODE_DATA(1)->lru;
	EXPECT(t, !lru_inactive_is_low(1));
	EXPECT(t, !lru_inactive_is_low(5));
	lru->nr[LRU_INACTIVE] = 100;
	lru->nr[LRU_ACTIVE] = 300;
	EXPECT(t, !lru_inactive_is_low(1));
	lru->nr[LRU_ACTIVE] = 301;
	EXPECT(t, lru_inactive_is_low(1));
	/* 10 GiB: 1 : 10, as Linux's table has it; 1 TiB: 1 : 101. */
	lru->nr[LRU_INACTIVE] = 10 * GiB(1) / PAGE_SIZE / 11 + 1;
	lru->nr[LRU_ACTIVE] = 10 * GiB(1) / PAGE_SIZE - lru->nr[LRU_INACTIVE];
	EXPECT(t, !lru_inactive_is_low(1));
	lru->nr[LRU_ACTIVE] += lru->nr[LRU_INACTIVE];
	EXPECT(t, lru_inactive_is_low(1));
	lru->nr[LRU_INACTIVE] = GiB(1024) / PAGE_SIZE / 102 + 1;
	lru->nr[LRU_ACTIVE] = GiB(1024) / PAGE_SIZE - lru->nr[LRU_INACTIVE];
	EXPECT(t, !lru_inactive_is_low(1));
}

static const struct ktest_case cases[] = {
	KTEST(distance_against_the_active_list),
	KTEST(shadows_name_their_node),
	KTEST(how_long_the_inactive_list_is),
};
KTEST_SUITE(workingset, cases);

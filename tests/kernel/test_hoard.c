/*
 * Holding memory: what is left, and that all of it comes back.
 */
#include <kernel/hoard.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/inspect.h>
#include <mm/vmstat.h>

#include "../stress/pages_back.h"

#define LEAVE_PAGES (MiB(24) >> PAGE_SHIFT)
#define LISTS_PAGES 256 /* of a node: what CPUs' lists may have put aside */
#define ULL(x)      ((unsigned long long)(x))

static void settle(void)
{
	threads_release_spares();
	drain_all_pages();
}

/* What a plain request could have of its zones above the mark. */
static u64 pages_above(int nid, enum zone_watermark mark)
{
	struct zone_snapshot zone;
	u64 pages = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		if (!zone_snapshot(nid, (enum zone_type)type, &zone))
			continue;
		zone.watermark[mark] += zone.lowmem_reserve[ZONE_NORMAL];
		if (zone.free_pages > zone.watermark[mark])
			pages += zone.free_pages - zone.watermark[mark];
	}
	return pages;
}

/* A quarter of what there is, on machines with little memory. */
static u64 pages_to_leave(void)
{
	struct vm_totals totals;

	vm_totals(&totals);
	return MIN((u64)LEAVE_PAGES, totals.free_pages / 4);
}

static void give_all_back(struct ktest *t, struct hoard *held)
{
	u64 taken = held->pages;

	EXPECT_EQ(t, hoard_release(held), taken);
	settle();
	pages_after();
	expect_counts_as_before(t);
	expect_blocks_as_before(t);
}

/*
 *	node 0 [ held             | a share | high ]    node 1 [ held      | a share | high ]
 *
 * A node that had less than its share keeps what it had.
 */
static void each_node_keeps_its_share(struct ktest *t)
{
	static u64 had[MAX_NUMNODES];
	struct node_snapshot node;
	struct vm_totals totals;
	struct hoard held = {0};
	u64 leave, taken;
	int nid;

	settle();
	pages_before();
	vm_totals(&totals);
	leave = pages_to_leave();
	for_each_node(nid)
		had[nid] = pages_above(nid, WMARK_HIGH);
	taken = hoard_all_but(&held, leave);
	EXPECT(t, taken > 0 && taken == held.pages);
	/* What it left on this CPU's lists is free as well. */
	drain_all_pages();
	for_each_node(nid) {
		u64 share, left = pages_above(nid, WMARK_HIGH);

		if (!node_snapshot(nid, &node) || node.managed_pages == 0)
			continue;
		share = MIN(leave * node.managed_pages / totals.managed_pages, had[nid]);
		EXPECT_MSG(t, left >= share && left <= share + LISTS_PAGES,
			   "node %d has %llu pages above its marks, its share is %llu", nid,
			   ULL(left), ULL(share));
	}
	/* All of it was taken: no more is, but what the lists have given back. */
	EXPECT(t, hoard_all_but(&held, leave) <= 1024);
	give_all_back(t, &held);
}

/* Above the min marks the share is what a request that reclaims nothing gets, and then it gets none. */
static void the_rest_is_all_there_is(struct ktest *t)
{
	struct hoard held = {0}, rest = {0};
	struct page *page;
	u64 left = 0;
	int nid;

	settle();
	pages_before();
	hoard_all_above(&held, WMARK_MIN, pages_to_leave());
	drain_all_pages();
	for_each_node(nid)
		left += pages_above(nid, WMARK_MIN);
	EXPECT(t, left > 0);
	while ((page = alloc_pages(__GFP_NOWARN, 0)) != NULL)
		hoard_add(&rest, page, 0);
	EXPECT_MSG(t, rest.pages + LISTS_PAGES >= left && rest.pages <= left,
		   "%llu pages were left, and %llu were to be had", ULL(left), ULL(rest.pages));
	hoard_release(&rest);
	give_all_back(t, &held);
}

static void the_newest_goes_first(struct ktest *t)
{
	struct hoard held = {0};
	struct page *page;

	EXPECT(t, !hoard_drop(&held));
	for (unsigned int order = 0; order < 4; order++) {
		page = alloc_pages(GFP_KERNEL, order);
		ASSERT_TRUE(t, page != NULL);
		hoard_add(&held, page, order);
	}
	EXPECT(t, held.blocks == 4 && held.pages == 15);
	EXPECT(t, hoard_drop(&held));
	EXPECT(t, held.blocks == 3 && held.pages == 7);
	EXPECT_EQ(t, hoard_release(&held), 7);
	EXPECT(t, held.newest == NULL && held.blocks == 0 && held.pages == 0);
}

static const struct ktest_case cases[] = {
	KTEST(each_node_keeps_its_share),
	KTEST(the_rest_is_all_there_is),
	KTEST(the_newest_goes_first),
};
KTEST_SUITE(hoard, cases);

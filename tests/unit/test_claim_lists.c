/*
 * Claims and CPUs' own lists: what is on a list when a claim begins comes to it, and nobody frees past it.
 */
#include "claim_build.h"

#include <arch/irq.h>

#include "mm/pcp.h"

/* Pages that lie on a CPU's list when the claim begins are drained to it. */
static void lists_are_drained_to_it(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page[16];
	struct claim_ticket ticket;
	pfn_t pfn = pieces(t, page, 4, 0);

	for (u32 i = 0; i < 16; i++)
		__free_pages(page[i], 0);
	ASSERT_EQ(t, page[3]->state, PAGE_PCP);
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &ticket), 0);
	EXPECT_EQ(t, claim_missing(&ticket), 0);
	expect_check_clean(t);
	claim_end(&ticket);
	EXPECT_EQ(t, event(CLAIM_RETURNED_PAGES), 16);
	expect_check_clean(t);
}

/* A list that its owner keeps from the drainer: its pages come when they are flushed. */
static void a_batch_passes_by_the_claims(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page[16], *other;
	struct claim_ticket ticket;
	struct pcp_list *list;
	unsigned long flags;
	pfn_t pfn = pieces(t, page, 4, 0);

	other = alloc_pages_node(0, GFP_KERNEL, 0);
	for (u32 i = 0; i < 16; i++) {
		__free_pages(page[i], 0);
		if (i == 7)
			__free_pages(other, 0);
	}
	list = &zone->pcp[0]->list[0];
	flags = irq_save();
	ASSERT_TRUE(t, pcp_own(list));
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &ticket), 0);
	pcp_disown(list);
	irq_restore(flags);
	EXPECT_EQ(t, claim_missing(&ticket), 16);
	EXPECT_EQ(t, page[0]->state, PAGE_PCP);
	drain_all_pages();
	EXPECT_EQ(t, claim_missing(&ticket), 0);
	EXPECT(t, other->state != PAGE_CAPTURED && other->state != PAGE_PCP);
	expect_check_clean(t);
	claim_end(&ticket);
	expect_check_clean(t);
}

/*
 * The same at the claim's end: the list is not told that it may be freed to again. Who frees to it the long
 * way sees to it.
 */
static void hits_open_again_after_all(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page[16], *other[2];
	struct pcp_list *list = &zone->pcp[0]->list[0];
	struct claim_ticket ticket;
	unsigned long flags;
	pfn_t pfn = pieces(t, page, 4, 0);

	for (u32 i = 0; i < 2; i++)
		other[i] = alloc_pages_node(0, GFP_KERNEL, 0);
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &ticket), 0);
	EXPECT_EQ(t, list->hit_limit, 0);
	flags = irq_save();
	ASSERT_TRUE(t, pcp_own(list));
	claim_end(&ticket);
	pcp_disown(list);
	irq_restore(flags);
	__free_pages(other[0], 0);
	EXPECT_EQ(t, list->hit_limit, list->capacity);
	/* Not while somebody wants them closed. */
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &ticket), 0);
	__free_pages(other[1], 0);
	EXPECT_EQ(t, list->hit_limit, 0);
	claim_end(&ticket);
	hit_paths_close();
	__free_pages(page[0], 0);
	EXPECT_EQ(t, list->hit_limit, 0);
	hit_paths_open();
	EXPECT_EQ(t, list->hit_limit, list->capacity);
	for (u32 i = 1; i < 16; i++)
		__free_pages(page[i], 0);
	expect_check_clean(t);
}

/* While there is a claim no hit frees to a list; other pages still get there, the long way. */
static void hits_are_closed_meanwhile(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page[16], *other = alloc_pages_node(0, GFP_KERNEL, 0);
	struct claim_ticket a, b;
	struct pcp_list *list = &zone->pcp[0]->list[0];
	pfn_t pfn = pieces(t, page, 4, 0);
	u16 capacity = list->capacity;

	EXPECT(t, capacity > 0 && list->hit_limit == capacity);
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &a), 0);
	ASSERT_EQ(t, claim_begin(zone, zone->start_pfn + 4 * MAX_BLOCK_PAGES, 4, &b), 0);
	EXPECT_EQ(t, list->hit_limit, 0);
	EXPECT_EQ(t, zone->pcp[1]->list[PAGE_LIST(2, BLOCK_MOVABLE)].hit_limit, 0);
	EXPECT(t, zone_find(1, ZONE_NORMAL)->pcp[0]->list[0].hit_limit > 0);
	__free_pages(other, 0);
	EXPECT_EQ(t, other->state, PAGE_PCP);
	EXPECT(t, alloc_pages_node(0, GFP_KERNEL, 0) == other);
	claim_end(&a);
	EXPECT_EQ(t, list->hit_limit, 0);
	claim_end(&b);
	EXPECT_EQ(t, list->hit_limit, capacity);
	for (u32 i = 0; i < 16; i++)
		__free_pages(page[i], 0);
	__free_pages(other, 0);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(lists_are_drained_to_it),
	KTEST(a_batch_passes_by_the_claims),
	KTEST(hits_open_again_after_all),
	KTEST(hits_are_closed_meanwhile),
};
KTEST_SUITE(claim_lists, cases);

/*
 * Claims: what goes to them, what does not, and what their owner must not do. CPUs' lists beside them:
 * test_claim_lists.c; all of it at random: test_claim_mix.c.
 *
 * Pictures show a block page by page: c captured, A somebody's, . free.
 */
#include "claim_build.h"

#include <base/errno.h>
#include <mm/memblock.h>

#include "mm/pcp.h"

/* ---- Coming together ------------------------------------------------------------------------ */

/*	|....................|    a free block above it: split, the claim's part is complete at once
 *	|....|cccc|..........|
 */
static void free_memory_is_taken_at_once(struct ktest *t)
{
	struct zone *zone = booted();
	u64 before = pages_free();
	pfn_t pfn = zone->start_pfn + 16 * MAX_BLOCK_PAGES;
	struct claim_ticket ticket;
	struct page *page;

	ASSERT_EQ(t, pfn_to_page(pfn)->head, PAGE_HEAD(PAGE_FREE, MAX_ORDER));
	ASSERT_EQ(t, claim_begin(zone, pfn + 32, 5, &ticket), 0);
	EXPECT_EQ(t, claim_missing(&ticket), 0);
	EXPECT_EQ(t, pages_free(), before - 32);
	EXPECT_EQ(t, zone->nr_captured, 32);
	EXPECT_EQ(t, pfn_to_page(pfn)->head, PAGE_HEAD(PAGE_FREE, 5));
	EXPECT_EQ(t, pfn_to_page(pfn + 32)->head, PAGE_HEAD(PAGE_CAPTURED, 5));
	expect_check_clean(t);

	page = claim_take(&ticket, BLOCK_MOVABLE);
	ASSERT_TRUE(t, page == pfn_to_page(pfn + 32));
	EXPECT_EQ(t, page->head, PAGE_HEAD(PAGE_ALLOCATED, 5));
	EXPECT_EQ(t, zone->nr_captured, 0);
	EXPECT_EQ(t, zone->nr_claims, 0);
	expect_check_clean(t);
	__free_pages(page, 5);
	EXPECT_EQ(t, pages_free(), before);
	EXPECT_EQ(t, pfn_to_page(pfn)->head, PAGE_HEAD(PAGE_FREE, MAX_ORDER));
	expect_check_clean(t);
}

/*	|AAAAAAAAAAAAAAAA|  each page freed goes to the claim, whatever the order of frees
 */
static void what_is_freed_comes(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page[16], *whole;
	struct claim_ticket ticket;
	pfn_t pfn = pieces(t, page, 4, 0);
	u64 frees = event(ZONE_FREE), captured;

	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &ticket), 0);
	captured = event(CLAIM_CAPTURED_PAGES);
	for (u32 i = 0; i < 16; i++) {
		EXPECT_EQ(t, claim_missing(&ticket), 16 - i);
		EXPECT(t, claim_take(&ticket, BLOCK_UNMOVABLE) == NULL);
		__free_pages(page[i * 7 % 16], 0);
		EXPECT_EQ(t, page[i * 7 % 16]->head, PAGE_HEAD(PAGE_CAPTURED, 0));
		expect_check_clean(t);
	}
	EXPECT_EQ(t, event(ZONE_FREE) - frees, 16);
	EXPECT_EQ(t, event(CLAIM_CAPTURED_PAGES) - captured, 16);
	whole = claim_take(&ticket, BLOCK_UNMOVABLE);
	ASSERT_TRUE(t, whole == page[0]);
	EXPECT_EQ(t, page[5]->state, PAGE_TAIL);
	EXPECT_EQ(t, event(CLAIM_COMPLETED), 1);
	expect_check_clean(t);
	__free_pages(whole, 4);
	expect_check_clean(t);
}

/*
 *	before   |AAAAAAAAAAAAAAAA|AAAAAAAAAAAAAAAA|AAAA ...   one block of 64 pages
 *	claims   |----------------|                |--------   of 16 each
 *	freed    |cccccccccccccccc|................|cccc ...
 */
static void a_larger_block_is_divided(struct ktest *t)
{
	struct zone *zone = booted();
	struct claim_ticket a, b;
	struct page *page;
	u64 before = pages_free();
	pfn_t pfn;

	page = alloc_pages_node(0, GFP_KERNEL, 6);
	ASSERT_TRUE(t, page != NULL);
	pfn = page_to_pfn(page);
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &a), 0);
	ASSERT_EQ(t, claim_begin(zone, pfn + 32, 4, &b), 0);
	EXPECT_EQ(t, claim_missing(&a) + claim_missing(&b), 32);
	__free_pages(page, 6);
	EXPECT_EQ(t, claim_missing(&a) + claim_missing(&b), 0);
	EXPECT_EQ(t, page[16].head, PAGE_HEAD(PAGE_FREE, 4));
	EXPECT_EQ(t, page[48].head, PAGE_HEAD(PAGE_FREE, 4));
	EXPECT_EQ(t, pages_free(), before - 32);
	expect_check_clean(t);
	claim_end(&b);
	EXPECT_EQ(t, page[32].head, PAGE_HEAD(PAGE_FREE, 5));
	expect_check_clean(t);
	claim_end(&a);
	EXPECT_EQ(t, pages_free(), before);
	expect_check_clean(t);
}

/* Neighbours that are freed stay beside it, and merge when it ends. */
static void nothing_merges_across(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page[32];
	struct claim_ticket ticket;
	pfn_t pfn = pieces(t, page, 9, 4);

	ASSERT_EQ(t, claim_begin(zone, pfn + 256, 8, &ticket), 0);
	for (u32 i = 0; i < 32; i++) {
		__free_pages(page[i], 4);
		expect_check_clean(t);
	}
	EXPECT_EQ(t, page[0]->head, PAGE_HEAD(PAGE_FREE, 8));
	EXPECT_EQ(t, claim_missing(&ticket), 0);
	claim_end(&ticket);
	EXPECT(t, page[16]->state == PAGE_TAIL);
	expect_check_clean(t);
}

/* A claim that is whole pageblocks takes them to the type of its taker, as a request that finds them free. */
static void whole_pageblocks_change_their_type(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *block = alloc_pages_node(0, GFP_KERNEL | __GFP_MOVABLE, MAX_ORDER);
	pfn_t pfn = page_to_pfn(block);
	struct claim_ticket ticket;
	struct page *whole;

	ASSERT_TRUE(t, block != NULL);
	EXPECT_EQ(t, block->pageblock_type, BLOCK_MOVABLE);
	ASSERT_EQ(t, claim_begin(zone, pfn + PAGEBLOCK_PAGES, PAGEBLOCK_ORDER, &ticket), 0);
	__free_pages(block, MAX_ORDER);
	whole = claim_take(&ticket, BLOCK_UNMOVABLE);
	ASSERT_TRUE(t, whole == block + PAGEBLOCK_PAGES);
	EXPECT_EQ(t, whole->pageblock_type, BLOCK_UNMOVABLE);
	EXPECT_EQ(t, block->pageblock_type, BLOCK_MOVABLE);
	expect_check_clean(t);
	__free_pages(whole, PAGEBLOCK_ORDER);
	/* Of a part it cannot: others have the rest. */
	EXPECT_EQ(t, block->pageblock_type, BLOCK_UNMOVABLE); /* it has merged */
	ASSERT_EQ(t, claim_begin(zone, pfn, PAGEBLOCK_ORDER - 1, &ticket), 0);
	whole = claim_take(&ticket, BLOCK_MOVABLE);
	ASSERT_TRUE(t, whole == block);
	EXPECT_EQ(t, block->pageblock_type, BLOCK_UNMOVABLE);
	__free_pages(whole, PAGEBLOCK_ORDER - 1);
	expect_check_clean(t);
}

/* A page of the reserve comes as a page like others. */
static void marks_are_cleared(struct ktest *t)
{
	struct zone *zone = booted();
	struct claim_ticket ticket;
	struct page *page[16], *whole;
	pfn_t pfn = pieces(t, page, 4, 0);

	for (u32 i = 0; i < 16; i++)
		page_set_mark(page[i], PAGE_MARK_RESERVE);
	EXPECT(t, page_is_reserve(page[3]));
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &ticket), 0);
	for (u32 i = 0; i < 16; i++)
		__free_pages(page[i], 0);
	whole = claim_take(&ticket, BLOCK_UNMOVABLE);
	ASSERT_TRUE(t, whole == page[0]);
	for (u32 i = 0; i < 16; i++)
		EXPECT_EQ(t, page[i]->marks, 0);
	__free_pages(whole, 4);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static void wrong_blocks_are_refused(struct ktest *t)
{
	struct zone *zone = booted();
	pfn_t pfn = zone->start_pfn + 4 * MAX_BLOCK_PAGES;
	struct claim_ticket ticket, more[MAX_CLAIMS];
	u64 before = pages_free();
	struct memblock_range range;
	phys_addr_t cursor = pfn_to_phys(zone->start_pfn);

	EXPECT_EQ(t, claim_begin(zone, pfn, PCP_MAX_ORDER, &ticket), -EINVAL);
	EXPECT_EQ(t, claim_begin(zone, pfn, MAX_ORDER + 1, &ticket), -EINVAL);
	EXPECT_EQ(t, claim_begin(zone, pfn + 8, 4, &ticket), -EINVAL);
	EXPECT_EQ(t, ticket.zone, NULL);
	/* Another zone's, another node's, no memory at all. */
	EXPECT_EQ(t, claim_begin(zone, MAX_BLOCK_PAGES, 4, &ticket), -ENOENT);
	EXPECT_EQ(t, claim_begin(zone, pfn_down(GiB(8)), 4, &ticket), -ENOENT);
	EXPECT_EQ(t, claim_begin(zone, pfn_down(GiB(6)), 4, &ticket), -ENOENT);
	/* What boot has reserved is never freed. */
	while (memblock_next(&cursor, &range) && !range.reserved)
		;
	EXPECT_EQ(t,
		  claim_begin(page_zone(pfn_to_page(pfn_down(range.base))),
			      ALIGN_DOWN(pfn_down(range.base), 1024), 10, &ticket),
		  -ENOENT);
	EXPECT_EQ(t, pages_free(), before);

	ASSERT_EQ(t, claim_begin(zone, pfn, 6, &more[0]), 0);
	EXPECT_EQ(t, claim_begin(zone, pfn, 6, &ticket), -EBUSY);
	EXPECT_EQ(t, claim_begin(zone, pfn + 16, 4, &ticket), -EBUSY);
	EXPECT_EQ(t, claim_begin(zone, pfn, 10, &ticket), -EBUSY);
	for (u32 i = 1; i < MAX_CLAIMS; i++)
		ASSERT_EQ(t, claim_begin(zone, pfn + 64 * i, 6, &more[i]), 0);
	EXPECT_EQ(t, claim_begin(zone, pfn + 64 * MAX_CLAIMS, 6, &ticket), -ENOSPC);
	expect_check_clean(t);
	for (u32 i = 0; i < MAX_CLAIMS; i++)
		claim_end(&more[i]);
	EXPECT_EQ(t, pages_free(), before);
	expect_check_clean(t);
}

/* The RAM that plays memory is shared with the process that panics, so each has a block of its own. */
static pfn_t block_of_its_own(u32 i)
{
	return normal()->start_pfn + (4 + i) * MAX_BLOCK_PAGES;
}

static void end_twice(void *arg)
{
	struct claim_ticket ticket, copy;

	(void)arg;
	if (claim_begin(normal(), block_of_its_own(0), 4, &ticket) != 0)
		return;
	copy = ticket;
	claim_end(&ticket);
	claim_end(&copy);
}

static void take_after_end(void *arg)
{
	struct claim_ticket ticket, copy, other;

	(void)arg;
	if (claim_begin(normal(), block_of_its_own(1), 4, &ticket) != 0)
		return;
	copy = ticket;
	claim_end(&ticket);
	/* The place is taken again, by somebody else. */
	if (claim_begin(normal(), block_of_its_own(1), 4, &other) == 0)
		claim_take(&copy, BLOCK_UNMOVABLE);
}

static void end_nothing(void *arg)
{
	struct claim_ticket nothing = {0};

	(void)arg;
	claim_end(&nothing);
}

static void free_captured(void *arg)
{
	struct page *page = arg;

	__free_pages(page, 0);
	__free_pages(page, 0);
}

static void misuse_is_named(struct ktest *t)
{
	struct zone *zone = booted();
	struct page *page[16];
	struct claim_ticket ticket;
	pfn_t pfn = pieces(t, page, 4, 0);

	expect_panic(t, end_twice, NULL, "is ended, and has ended before");
	expect_panic(t, take_after_end, NULL, "is taken, and has ended before");
	expect_panic(t, end_nothing, NULL, "a claim is ended that was never begun, or has ended");
	ASSERT_EQ(t, claim_begin(zone, pfn, 4, &ticket), 0);
	expect_panic(t, free_captured, page[2], "is captured by a claim");
}

static const struct ktest_case cases[] = {
	KTEST(free_memory_is_taken_at_once),
	KTEST(what_is_freed_comes),
	KTEST(a_larger_block_is_divided),
	KTEST(nothing_merges_across),
	KTEST(marks_are_cleared),
	KTEST(wrong_blocks_are_refused),
	KTEST(misuse_is_named),
	KTEST(whole_pageblocks_change_their_type),
};
KTEST_SUITE(claim, cases);

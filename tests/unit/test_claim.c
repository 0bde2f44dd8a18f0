/*
 * Claims: what goes to them, what does not, and that every page is in one place.
 *
 * Pictures show a block page by page: c captured, A somebody's, . free.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/page_alloc.h>

#include "mm/claim.h"
#include "mm/pcp.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(128), 0}, {GiB(8), MiB(128), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static struct zone *normal(void)
{
	return zone_find(0, ZONE_NORMAL);
}

static struct zone *booted(void)
{
	host_machine_boot(&machine);
	return normal();
}

static u64 event(enum zone_event e)
{
	struct zone_snapshot z;

	zone_snapshot(0, ZONE_NORMAL, &z);
	return z.events[e];
}

static u64 pages_free(void)
{
	struct zone_snapshot z;

	zone_snapshot(0, ZONE_NORMAL, &z);
	return z.free_pages + z.pcp_pages;
}

/* Blocks of the order in place of one larger one, whose first frame is returned. */
static pfn_t pieces(struct ktest *t, struct page **page, unsigned int whole, unsigned int order)
{
	struct page *block = alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE, whole);
	u32 nr = 1u << (whole - order);

	if (!EXPECT(t, block != NULL))
		return 0;
	/* As its holder may: split, and each piece is a block of its own. */
	for (u32 i = 0; i < nr; i++) {
		page[i] = block + ((u64)i << order);
		page[i]->head = PAGE_HEAD(PAGE_ALLOCATED, order);
		page[i]->list = PAGE_LIST(order, BLOCK_UNMOVABLE);
	}
	return page_to_pfn(block);
}

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

/* ---- A random mix ---------------------------------------------------------------------------- */

#define MAX_HELD 512

struct mix {
	struct random_state random;
	struct page *held[MAX_HELD];
	u8 order[MAX_HELD];
	u32 nr_held;
	u64 held_pages;
	struct claim_ticket ticket[MAX_CLAIMS];
	u32 begun, completed;
};

static void mix_allocate(struct mix *m)
{
	static const gfp_t kinds[] = {GFP_KERNEL, GFP_KERNEL | __GFP_MOVABLE};
	u32 order = (u32)host_random_below(&m->random, host_random_below(&m->random, 10) + 1);
	gfp_t gfp = kinds[host_random_below(&m->random, 2)] | __GFP_THISNODE | __GFP_NOWARN;
	struct page *page = m->nr_held < MAX_HELD ? alloc_pages_node(0, gfp, order) : NULL;

	if (!page)
		return;
	if (page_zone(page) != normal()) {
		__free_pages(page, order);
		return;
	}
	m->held[m->nr_held] = page;
	m->order[m->nr_held++] = (u8)order;
	m->held_pages += (u64)1 << order;
}

static void mix_free(struct mix *m)
{
	u32 i;

	if (m->nr_held == 0)
		return;
	i = (u32)host_random_below(&m->random, m->nr_held);
	m->held_pages -= (u64)1 << m->order[i];
	__free_pages(m->held[i], m->order[i]);
	m->held[i] = m->held[--m->nr_held];
	m->order[i] = m->order[m->nr_held];
}

/* Begins one, or takes or ends what has begun. A block that is complete is held like others. */
static void mix_claim(struct ktest *t, struct mix *m)
{
	struct claim_ticket *ticket = &m->ticket[host_random_below(&m->random, MAX_CLAIMS)];
	struct zone *zone = normal();
	u64 units = zone->spanned_pages / MAX_BLOCK_PAGES;
	u32 order = 4 + (u32)host_random_below(&m->random, 7);

	if (!ticket->zone) {
		pfn_t pfn = zone->start_pfn + host_random_below(&m->random, units * 1024);

		m->begun +=
			claim_begin(zone, ALIGN_DOWN(pfn, (pfn_t)1 << order), order, ticket) == 0;
	} else if (claim_missing(ticket) > 0 || m->nr_held == MAX_HELD) {
		if (host_random_below(&m->random, 4) == 0)
			claim_end(ticket);
	} else {
		struct page *page = claim_take(ticket, BLOCK_UNMOVABLE);

		ASSERT_TRUE(t, page != NULL);
		m->completed++;
		m->held[m->nr_held] = page;
		m->order[m->nr_held++] = page->order;
		m->held_pages += (u64)1 << page->order;
	}
}

static void every_page_is_in_one_place(struct ktest *t)
{
	static struct mix m;
	struct zone *zone = booted();
	u64 all = pages_free();

	m.random.state = t->seed * 2654435761u + 11;
	for (u32 step = 0; step < 6000 && t->failures == 0; step++) {
		u32 kind = (u32)host_random_below(&m.random, 16);
		bool growing = step / 500 % 2 == 0;

		if (kind < (growing ? 9u : 5u))
			mix_allocate(&m);
		else if (kind < 14)
			mix_free(&m);
		else
			mix_claim(t, &m);
		EXPECT_EQ(t, pages_free() + m.held_pages + zone->nr_captured, all);
		if (step % 50 == 0)
			expect_check_clean(t);
	}
	for (u32 i = 0; i < MAX_CLAIMS; i++) {
		if (m.ticket[i].zone)
			claim_end(&m.ticket[i]);
	}
	while (m.nr_held > 0)
		mix_free(&m);
	drain_all_pages();
	EXPECT_EQ(t, pages_free(), all);
	EXPECT_EQ(t, zone->nr_captured, 0);
	EXPECT_EQ(t, event(CLAIM_COMPLETED), m.completed);
	EXPECT(t, m.begun > 100 && m.completed > 10);
	expect_check_clean(t);
	ktest_note(t, "%u claims, %u complete, %llu pages captured", m.begun, m.completed,
		   (unsigned long long)event(CLAIM_CAPTURED_PAGES));
}

static const struct ktest_case cases[] = {
	KTEST(free_memory_is_taken_at_once),
	KTEST(what_is_freed_comes),
	KTEST(lists_are_drained_to_it),
	KTEST(a_batch_passes_by_the_claims),
	KTEST(hits_are_closed_meanwhile),
	KTEST(a_larger_block_is_divided),
	KTEST(nothing_merges_across),
	KTEST(marks_are_cleared),
	KTEST(wrong_blocks_are_refused),
	KTEST(misuse_is_named),
	KTEST(every_page_is_in_one_place),
	KTEST(hits_open_again_after_all),
	KTEST(whole_pageblocks_change_their_type),
};
KTEST_SUITE(claim, cases);

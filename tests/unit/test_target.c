/*
 * Targeted reclaim: which block it chooses, and what is never taken. Races: test_target_races.c.
 *
 * Pictures: . free  i inactive  a active  X nobody's to take; a character is a page, or as said.
 */
#include "target_build.h"

/* --- The cheapest -------------------------------------------------------------------------------- */

/*
 *	order 4   0                1                2                3
 *	          |iiiiiiiiiiiiiiii|aaaa............|iiiiiiii........|iiiiiiiiiX......|   all others: X
 *	price      16               16               8
 */
static void the_cheapest_is_emptied(struct ktest *t)
{
	struct target_events before;
	struct toy_counts toy;
	pfn_t at;

	target_boot(TOY_WRITES_AT_ONCE);
	at = target_block_of(target_zone(), 6);
	target_cache(at, 16, LRU_INACTIVE);
	target_cache(at + 16, 4, LRU_ACTIVE);
	target_free(at + 20, 12);
	target_cache(at + 32, 8, LRU_INACTIVE);
	target_free(at + 40, 8);
	target_cache(at + 48, 9, LRU_INACTIVE);
	target_free(at + 58, 6);
	expect_check_clean(t);

	before = target_events();
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 8);
	EXPECT_EVENTS(t, before, .chosen = 1, .completed = 1, .evicted = 8);
	toy_counts(&toy);
	EXPECT_EQ(t, toy.evicted, 8);
	EXPECT_EQ(t, pfn_to_page(at + 32)->head, PAGE_HEAD(PAGE_FREE, 4));
	expect_check_clean(t);

	/* Now there is one: nothing is looked at. Once it is taken, the first of the two at 16. */
	before = target_events();
	EXPECT_EQ(t, target_reclaim_round(4, true), 0);
	EXPECT_EQ(t, target_events().looked, before.looked);
	EXPECT(t, alloc_pages_node(0, GFP_KERNEL | __GFP_MEMALLOC, 4) == pfn_to_page(at + 32));
	EXPECT_EQ(t, target_reclaim_round(4, true), 16);
	EXPECT_EQ(t, pfn_to_page(at)->head, PAGE_HEAD(PAGE_FREE, 4));
	expect_check_clean(t);
}

/* --- What rules a block out ---------------------------------------------------------------------- */

enum blocker { KERNEL_PAGE, PINNED, ISOLATED, IN_USE, DIRTY, NR_BLOCKERS };

static void cache_but_one(pfn_t block, pfn_t pfn, enum blocker blocker)
{
	struct page *page = pfn_to_page(pfn);

	for (pfn_t i = block; i < block + 16; i++) {
		if (i != pfn || blocker != KERNEL_PAGE)
			target_cache(i, 1, LRU_INACTIVE);
	}
	if (blocker == PINNED)
		lru_pin_page(page);
	else if (blocker == ISOLATED)
		lru_isolate_page(page);
	else if (blocker == IN_USE)
		get_page(page);
	else if (blocker == DIRTY)
		set_page_dirty(page);
}

/* Blocks of 16 inactive pages but one: the first, one in the middle, the last. */
static void one_page_rules_a_block_out(struct ktest *t)
{
	struct target_events before;
	pfn_t at;

	target_boot(TOY_WRITES_AT_ONCE);
	at = target_block_of(target_zone(), 9);
	for (u32 i = 0; i < 3 * NR_BLOCKERS; i++) {
		pfn_t block = at + (pfn_t)i * 16;

		cache_but_one(block, block + (i % 3 * 15 + 1) / 2, (enum blocker)(i / 3));
	}
	before = target_events();
	EXPECT_EQ(t, target_reclaim_round(4, false), 0);
	EXPECT_EVENTS(t, before, .chosen = 0);
	EXPECT(t, target_events().looked - before.looked >= TARGET_FRAMES / 16);
	/* Who may write can have those that are dirty. */
	EXPECT_EQ(t, target_reclaim_round(4, true), 16);
	EXPECT_EVENTS(t, before, .chosen = 1, .completed = 1, .evicted = 16);
	EXPECT_EQ(t, pfn_to_page(at + 3 * DIRTY * 16)->head, PAGE_HEAD(PAGE_FREE, 4));
	expect_check_clean(t);
}

/* A block that somebody gathers is left to him. */
static void a_claimed_block_is_left_alone(struct ktest *t)
{
	struct target_events before;
	struct claim_ticket ticket;
	pfn_t at;

	target_boot(TOY_WRITES_AT_ONCE);
	at = target_block_of(target_zone(), 4);
	target_cache(at, 16, LRU_INACTIVE);
	before = target_events();
	ASSERT_EQ(t, claim_begin(target_zone(), at, 4, &ticket), 0);
	EXPECT_EQ(t, target_reclaim_round(4, true), 0);
	EXPECT_EVENTS(t, before, .chosen = 0);
	claim_end(&ticket);
	EXPECT_EQ(t, target_reclaim_round(4, true), 16);
	expect_check_clean(t);
}

/* --- Bounds -------------------------------------------------------------------------------------- */

/* However large the zone: the pages of 64 blocks, and the next search goes on where this one ended. */
static void a_search_is_bounded(struct ktest *t)
{
	u64 looked;
	pfn_t start;

	target_boot(TOY_WRITES_AT_ONCE);
	start = target_zone()->start_pfn;
	/* The kernel's first pages are enough to see that it has the blocks. */
	looked = target_events().looked;
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 0);
	EXPECT_EQ(t, target_events().looked - looked, TARGET_FRAMES / 16);
	EXPECT_EQ(t, target_cursor(), start + TARGET_FRAMES);
	/* Fewer than 64 in all: each once. */
	looked = target_events().looked;
	EXPECT_EQ(t, target_reclaim(10, ZONE_NORMAL, 1, true), 0);
	EXPECT_EQ(t, target_events().looked - looked, TARGET_FRAMES / 1024);
	/* Every block could be had. */
	store_relaxed(&target_zone()->target_cursor_pfn, start);
	target_cache(start, (u64)64 * 16 * 3, LRU_INACTIVE);
	for (u32 i = 1; i <= 3; i++) {
		looked = target_events().looked;
		EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 16);
		EXPECT_EQ(t, target_events().looked - looked, 64);
		EXPECT_EQ(t, target_cursor(), start + (pfn_t)64 * 16 * i);
		EXPECT(t, alloc_pages_node(0, GFP_NOWAIT | __GFP_MEMALLOC, 4) != NULL);
	}
}

/*
 *	|iiiiiiiiiiiiiiiX|iiiiiiiiiiiiiiiX|...  1536 blocks of 16, each seen to its end: 1024 of them
 *	                                        are as many pages as a search looks at that finds nothing
 */
static void a_search_that_finds_nothing_goes_on(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{GiB(4), MiB(128), 0}}, .nr_nodes = 1, .no_slab = true};
	u64 looked;
	pfn_t start;

	target_boot_on(&machine, TOY_WRITES_AT_ONCE);
	start = target_zone()->start_pfn;
	for (pfn_t pfn = start; pfn < start + (pfn_t)1536 * 16; pfn++) {
		if (pfn % 16 != 15)
			target_cache(pfn, 1, LRU_INACTIVE);
	}
	looked = target_events().looked;
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 0);
	EXPECT_EQ(t, target_events().looked - looked, 1024);
	EXPECT_EQ(t, target_cursor(), start + (pfn_t)1024 * 16);
	/* What the next one comes to first is enough. */
	target_cache(target_cursor() + 15, 1, LRU_INACTIVE);
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 16);
	EXPECT_EQ(t, target_events().looked - looked, 1024 + 64);
}

/* An allocated block of order 10 costs one look, not 64. */
static void a_larger_block_is_passed_at_once(struct ktest *t)
{
	u64 looked;
	pfn_t at;

	target_boot(TOY_WRITES_AT_ONCE);
	at = target_block_of(target_zone(), MAX_ORDER);
	target_free(at, MAX_BLOCK_PAGES);
	EXPECT(t, alloc_pages_node(0, GFP_NOWAIT | __GFP_MEMALLOC, MAX_ORDER) == pfn_to_page(at));
	looked = target_events().looked;
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, 1, true), 0);
	EXPECT_EQ(t, target_events().looked - looked, (TARGET_FRAMES - MAX_BLOCK_PAGES) / 16 + 1);
}

/* 16 zones without a block: eight are searched. */
static void not_every_zone_is_searched(struct ktest *t)
{
	static struct host_machine machine = {.nr_nodes = 16, .no_slab = true};
	u64 looked;

	for (int nid = 0; nid < 16; nid++)
		machine.ram[nid] = (struct host_ram){GiB(4) + MiB(16) * (u64)nid, MiB(16), nid};
	target_boot_on(&machine, TOY_WRITES_AT_ONCE);
	looked = target_events().looked;
	EXPECT_EQ(t, target_reclaim(4, ZONE_NORMAL, ~(nodemask_t)0, true), 0);
	EXPECT_EQ(t, target_events().looked - looked, 8 * 256);
}

/*
 *	4G  +64M                                        516G +64M
 *	|####|                                          |####|       one zone; its hole is 4096 sections
 */
static void holes_are_stepped_over(struct ktest *t)
{
	static const struct host_machine machine = {
		.no_slab = true,
		.ram = {{GiB(4), MiB(64), 0}, {GiB(516), MiB(64), 0}},
		.nr_nodes = 1};
	u32 calls = 0;
	u64 looked;

	target_boot_on(&machine, TOY_WRITES_AT_ONCE);
	target_cache(pfn_down(GiB(516)), 1024, LRU_INACTIVE);
	looked = target_events().looked;
	while (target_reclaim(10, ZONE_NORMAL, 1, true) == 0 && calls < 100)
		calls++;
	/* 16 units to the section's end are stepped over one by one. */
	EXPECT_EQ(t, calls, (16 + 4096 - 1) / 256);
	EXPECT(t, target_events().looked - looked <= 3 * 16);
}

/* --- Where --------------------------------------------------------------------------------------- */

/*
 *	0     16M     32M        4G     +64M      8G      +64M
 *	| DMA  | DMA32 |         | NORMAL |       | node 1 |        a block of cache in each
 */
static const struct host_machine zones_machine = {
	.no_slab = true,
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(64), 0}, {GiB(8), MiB(64), 1}},
	.nr_nodes = 2,
	.min_free_kbytes = 128,
};

static void class_and_nodes_are_kept(struct ktest *t)
{
	static const struct {
		enum zone_type class;
		nodemask_t nodes;
		int nid; /* where it must come from; -1: nowhere */
		enum zone_type zone;
	} rows[] = {
		{ZONE_DMA, 2, -1, ZONE_DMA},      {ZONE_DMA, 3, 0, ZONE_DMA},
		{ZONE_DMA, 3, -1, ZONE_DMA},      {ZONE_DMA32, 1, 0, ZONE_DMA32},
		{ZONE_NORMAL, 2, 1, ZONE_NORMAL}, {ZONE_NORMAL, 2, -1, ZONE_NORMAL},
		{ZONE_NORMAL, 3, 0, ZONE_NORMAL}, {ZONE_NORMAL, 3, -1, ZONE_NORMAL},
	};
	struct zone *zone;
	int nid;

	target_boot_on(&zones_machine, TOY_WRITES_AT_ONCE);
	for_each_zone(nid, zone) {
		if (zone->managed_pages > 0)
			target_cache(target_block_of(zone, 9), 512, LRU_INACTIVE);
	}
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 freed = target_reclaim(9, rows[i].class, rows[i].nodes, true);
		struct page *page;

		EXPECT_EQ(t, freed, rows[i].nid < 0 ? 0 : 512);
		/* The only one in all zones. */
		page = alloc_pages_node(0, GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN, 9);
		EXPECT_EQ(t, page != NULL, rows[i].nid >= 0);
		EXPECT(t, !page || (page->nid == rows[i].nid && page->zone == rows[i].zone));
	}
	expect_check_clean(t);
}

/* Below its mark by more than a block a zone does not help: nothing is evicted there for nothing. */
static void a_zone_that_stays_below_its_mark_is_left_out(struct ktest *t)
{
	struct zone *zone;
	u64 looked;
	pfn_t at;

	target_boot(TOY_WRITES_AT_ONCE);
	zone = target_zone();
	at = target_block_of(zone, 4);
	target_cache(at, 16, LRU_INACTIVE);
	zone->watermark[WMARK_MIN] = zone->nr_free_pages + 1;
	looked = target_events().looked;
	EXPECT_EQ(t, target_reclaim_round(4, true), 0);
	EXPECT_EQ(t, target_events().looked, looked);
	/* All 16 are needed, and are there. */
	zone->watermark[WMARK_MIN]--;
	EXPECT_EQ(t, target_reclaim_round(4, true), 16);
}

static void a_block_with_too_little_to_evict_is_left_out(struct ktest *t)
{
	struct zone *zone;
	pfn_t at;

	target_boot(TOY_WRITES_AT_ONCE);
	zone = target_zone();
	at = target_block_of(zone, 5);
	target_cache(at, 7, LRU_INACTIVE);
	target_free(at + 7, 9);
	target_cache(at + 16, 8, LRU_ACTIVE);
	target_free(at + 24, 8);
	zone->watermark[WMARK_MIN] = zone->nr_free_pages + 8 - 16;
	EXPECT_EQ(t, target_reclaim_round(4, true), 8);
	EXPECT_EQ(t, pfn_to_page(at + 16)->head, PAGE_HEAD(PAGE_FREE, 4));
}

/* --- By age first -------------------------------------------------------------------------------- */

static struct page *ask(unsigned int order, u64 *evicted)
{
	struct toy_counts before, after;
	struct page *page;

	toy_counts(&before);
	page = alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, order);
	toy_counts(&after);
	*evicted = after.evicted - before.evicted;
	return page;
}

/* The zone is below its mark by many blocks: that many pages go, and no more. */
static void the_marks_are_reached_first(struct ktest *t)
{
	struct zone *zone;
	u64 evicted;
	pfn_t at;

	target_boot(TOY_WRITES_AT_ONCE);
	zone = target_zone();
	at = target_block_of(zone, MAX_ORDER);
	/* Those that go first make no block. */
	for (pfn_t pfn = at; pfn < at + MAX_BLOCK_PAGES; pfn += 2)
		target_cache(pfn, 1, LRU_INACTIVE);
	target_cache(at + MAX_BLOCK_PAGES, 16, LRU_INACTIVE);
	zone->watermark[WMARK_MIN] = zone->nr_free_pages + 400;
	EXPECT(t, ask(4, &evicted) != NULL);
	EXPECT(t, evicted >= 400 + 16 && evicted <= 400 + 16 + 16 + RECLAIM_BATCH_PAGES);
	EXPECT_EQ(t, vmstat_read(VMSTAT_TARGET_COMPLETED), 1);
}

/* DMA's pages are the oldest, and none of them helps: they are freed, and NORMAL lacks as many as before. */
static void what_other_zones_free_does_not_count(struct ktest *t)
{
	struct zone *dma, *normal;
	u64 evicted;
	pfn_t at;

	target_boot_on(&zones_machine, TOY_WRITES_AT_ONCE);
	dma = zone_find(0, ZONE_DMA);
	normal = zone_find(0, ZONE_NORMAL);
	target_cache(target_block_of(dma, 9), 512, LRU_INACTIVE);
	at = target_block_of(normal, MAX_ORDER);
	for (pfn_t pfn = at; pfn < at + MAX_BLOCK_PAGES; pfn += 2)
		target_cache(pfn, 1, LRU_INACTIVE);
	target_cache(at + MAX_BLOCK_PAGES, 16, LRU_INACTIVE);
	dma->watermark[WMARK_MIN] = dma->nr_free_pages + 5000;
	/* Nothing can be had there: that it lacks little is no help. */
	zone_find(0, ZONE_DMA32)->watermark[WMARK_MIN] = 0;
	normal->watermark[WMARK_MIN] = normal->nr_free_pages + 300;
	EXPECT(t, ask(4, &evicted) != NULL);
	EXPECT(t, evicted >= 512 + 300 + 16 && evicted <= 512 + 300 + 300);
	EXPECT_EQ(t, vmstat_read(VMSTAT_TARGET_COMPLETED), 1);
}

/* A mark that is out of reach: 4096 pages are tried, of 8192. */
static void by_age_not_for_ever(struct ktest *t)
{
	struct zone *zone;
	u64 evicted;

	target_boot(TOY_WRITES_AT_ONCE);
	zone = target_zone();
	for (pfn_t pfn = zone->start_pfn; pfn < zone->start_pfn + 8192; pfn++)
		target_cache(pfn, 1, LRU_INACTIVE);
	zone->watermark[WMARK_MIN] = zone->nr_free_pages + 20000;
	EXPECT(t, ask(4, &evicted) == NULL);
	EXPECT(t, evicted >= 4096 && evicted <= 4096 + 16 * RECLAIM_BATCH_PAGES);
}

static const struct ktest_case cases[] = {
	KTEST(the_cheapest_is_emptied),
	KTEST(one_page_rules_a_block_out),
	KTEST(a_claimed_block_is_left_alone),
	KTEST(a_search_is_bounded),
	KTEST(a_search_that_finds_nothing_goes_on),
	KTEST(a_larger_block_is_passed_at_once),
	KTEST(not_every_zone_is_searched),
	KTEST(holes_are_stepped_over),
	KTEST(class_and_nodes_are_kept),
	KTEST(a_zone_that_stays_below_its_mark_is_left_out),
	KTEST(a_block_with_too_little_to_evict_is_left_out),
	KTEST(the_marks_are_reached_first),
	KTEST(what_other_zones_free_does_not_count),
	KTEST(by_age_not_for_ever),
};
KTEST_SUITE(target, cases);

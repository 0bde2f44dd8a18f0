/*
 * Targeted reclaim in the kernel: memory of a node is all cache, and large blocks are asked for. Nothing of it is
 * free in one piece, so each must be made.
 *
 * On large nodes most memory is put aside in blocks first: what is left is cache within a second.
 */
#include <base/random.h>
#include <kernel/test.h>
#include <mm/check.h>
#include <mm/page_alloc.h>
#include <mm/reclaim.h>
#include <mm/vmstat.h>

#include "../reclaim/toy_cache.h"
#include "../stress/pages_back.h"
#include "../stress/pause.h"
#include "held.h"

#define MAX_CACHE_PAGES (1u << 16)
#define SLOTS_ORDER     7 /* so many pointers */
#define NR_REQUESTS     16
#define PIN_ONE_OF      2048
/* Of so many blocks that could be emptied one is asked for. */
#define ENOUGH_OF 4
/* That single pages are reclaimed in (mm/reclaim.h). */
#define BATCH_PAGES 32

_Static_assert(MAX_CACHE_PAGES * sizeof(struct page *) <= PAGE_SIZE << SLOTS_ORDER, "they fit");

#define ULL(x) ((unsigned long long)(x))

static u64 node_pages(int nid, u64 (*of)(const struct zone_snapshot *z))
{
	struct zone_snapshot z;
	u64 pages = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		pages += zone_snapshot(nid, (enum zone_type)type, &z) ? of(&z) : 0;
	return pages;
}

static u64 managed(const struct zone_snapshot *z)
{
	return z->managed_pages;
}

static u64 free_now(const struct zone_snapshot *z)
{
	return z->free_pages;
}

/* With the most memory: every machine has one where blocks can be had. */
static int largest_node(void)
{
	int largest = NUMA_NO_NODE, nid;

	for_each_node_mask(nid, node_memory_mask()) {
		if (largest == NUMA_NO_NODE ||
		    node_pages(nid, managed) > node_pages(largest, managed))
			largest = nid;
	}
	return largest;
}

/* Until what is left free fits into the cache. */
static void put_aside(struct held **blocks, int nid)
{
	while (node_pages(nid, free_now) > MAX_CACHE_PAGES) {
		struct page *page = alloc_pages_node(nid, __GFP_THISNODE | __GFP_NOWARN, MAX_ORDER);

		if (!page)
			break;
		hold(blocks, page, MAX_ORDER);
	}
}

/* --- A node full of cache ------------------------------------------------------------------------- */

static struct node_of_cache {
	int nid;
	struct held *blocks, *got;
	struct page **slots;
	struct random_state random;
	u32 most_pages;
	u32 nr_pinned; /* those of others included */
} c;

static u32 count_pinned(void)
{
	struct lru_snapshot lru;

	return lru_snapshot(c.nid, &lru) ? (u32)lru.pages[LRU_PINNED] : 0;
}

static u64 min_marks(const struct zone_snapshot *z)
{
	return z->watermark[WMARK_MIN];
}

static void drop(u32 i)
{
	struct page *page = toy_get(i);
	bool pinned = !page || (page_lru_flags(page) & LRU_UNEVICTABLE);

	if (page)
		put_page(page);
	if (!pinned)
		toy_drop(i);
}

static u64 kswapd_wakes(void)
{
	struct reclaim_snapshot kswapd;

	return reclaim_snapshot(c.nid, &kswapd) ? kswapd.wakes : 0;
}

/* And has been woken so often: one that is called may not have begun yet. A second at most. */
static void let_kswapd_end_after(u64 wakes)
{
	struct reclaim_snapshot kswapd;

	for (u32 i = 0; i < 100; i++) {
		if (!reclaim_snapshot(c.nid, &kswapd) ||
		    (kswapd.state != KSWAPD_BALANCING && kswapd.wakes >= wakes))
			break;
		pause_ns(10000000);
	}
}

/*
 * Every page that is free goes to the cache; then as many as the marks want are dropped, here and there: so
 * what is free is nowhere in one piece. Wakes nobody.
 */
static void fill(void)
{
	s64 lacking;

	/* While it makes room there is no end of filling. */
	let_kswapd_end_after(0);
	toy_fill(c.nid, __GFP_THISNODE, MAX_CACHE_PAGES); /* from lists, while the marks let it */
	toy_fill(c.nid, __GFP_THISNODE | __GFP_MEMALLOC, MAX_CACHE_PAGES);
	/* All at once: to drain all CPUs takes longer than the rest. */
	while ((lacking = (s64)(node_pages(c.nid, min_marks) - node_pages(c.nid, free_now))) > 0) {
		for (s64 i = 0; i < lacking; i++)
			drop(random_below(&c.random, c.most_pages));
		drain_all_pages();
	}
}

static bool begin(struct ktest *t)
{
	struct toy_counts toy;

	pages_before();
	c = (struct node_of_cache){.nid = largest_node(), .random = {t->seed * 2 + 1}};
	c.slots = get_free_pages(GFP_KERNEL, SLOTS_ORDER);
	if (!EXPECT(t, c.slots != NULL))
		return false;
	put_aside(&c.blocks, c.nid);
	toy_begin(c.slots, MAX_CACHE_PAGES, TOY_WRITES_AT_ONCE);
	c.most_pages = (u32)node_pages(c.nid, free_now);
	fill();
	toy_counts(&toy);
	c.nr_pinned = count_pinned();
	for (u32 i = random_below(&c.random, PIN_ONE_OF); i < toy.pages;
	     i += 1 + random_below(&c.random, 2 * PIN_ONE_OF)) {
		struct page *page = toy_get(i);

		/* kswapd may have had it. */
		if (!page)
			continue;
		c.nr_pinned += lru_pin_page(page);
		put_page(page);
	}
	return true;
}

static void end(struct ktest *t)
{
	struct check_report report;

	toy_empty();
	release_all(&c.got);
	release_all(&c.blocks);
	free_pages(c.slots, SLOTS_ORDER);
	drain_all_pages();
	pages_after();
	expect_counts_as_before(t);
	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

/* --- What could be had ----------------------------------------------------------------------------- */

/* *frames: as many more are of the same block, or one. */
static bool could_be_free(pfn_t pfn, u64 *frames)
{
	struct page_snapshot s;

	*frames = 1;
	if (!page_snapshot(pfn, &s) || s.nid != c.nid)
		return false;
	if (s.head_state != PAGE_FREE && s.head_state != PAGE_PCP && s.head_state != PAGE_ALLOCATED)
		return false;
	*frames = s.head_pfn + ((pfn_t)1 << s.order) - pfn;
	if (s.head_state != PAGE_ALLOCATED)
		return true;
	/* Whoever else has pages on an LRU is asked like this cache. */
	return pfn_to_page(pfn)->lru == LRU_INACTIVE || pfn_to_page(pfn)->lru == LRU_ACTIVE;
}

/* Aligned blocks of the node without a page that stays. */
static u32 blocks_that_could_be_had(unsigned int order)
{
	const pfn_t size = (pfn_t)1 << order;
	struct zone_snapshot z;
	u32 nr = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		pfn_t pfn, end;

		if (!zone_snapshot(c.nid, (enum zone_type)type, &z) || z.spanned_pages == 0)
			continue;
		end = z.start_pfn + z.spanned_pages;
		for (pfn = ALIGN_UP(z.start_pfn, size); pfn + size <= end;) {
			u64 frames = 1, at = 0;

			while (at < size && could_be_free(pfn + at, &frames))
				at += frames;
			nr += at >= size;
			/* Behind what stays: most of it is one block of those put aside. */
			pfn = at >= size ? pfn + size : ALIGN_UP(pfn + at + frames, size);
		}
	}
	return nr;
}

static bool block_is_free(unsigned int order)
{
	struct zone_snapshot z;
	u64 nr = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		for (unsigned int o = order;
		     o < NR_ORDERS && zone_snapshot(c.nid, (enum zone_type)type, &z); o++)
			nr += z.free_blocks[o];
	return nr > 0;
}

/* The marks would let a block be taken at once. */
static bool too_much_is_free(unsigned int order)
{
	return node_pages(c.nid, free_now) > node_pages(c.nid, min_marks) + (1u << order);
}

/* Where the blocks came from. */
struct sources {
	u32 there;   /* it was free before: between the pages that were dropped */
	u32 emptied; /* for the request */
	u32 merged; /* from smaller blocks: kswapd's, and what the request frees for the marks' sake, or drains */
	u32 unknown;
};

static u64 merges(const struct zone_snapshot *z)
{
	return z->events[ZONE_MERGE];
}

/*
 * The first of an order wakes kswapd, as all would: it frees up to the high mark, which grows with the node. It has ended
 * before the next one asks: what is free then was free before.
 */
static bool ask_once(unsigned int order, u32 nr, struct sources *from)
{
	gfp_t gfp = GFP_KERNEL | __GFP_THISNODE;
	u64 completed = vmstat_read(VMSTAT_TARGET_COMPLETED), wakes = kswapd_wakes(), merged;
	bool there;
	struct page *page;

	/* What lies on CPUs' lists is free before, too: the request would drain them. */
	drain_all_pages();
	if (block_is_free(order) || too_much_is_free(order))
		fill();
	there = block_is_free(order);
	merged = node_pages(c.nid, merges);
	page = alloc_pages_node(c.nid, nr == 0 ? gfp : gfp & ~__GFP_KSWAPD_RECLAIM, order);
	if (nr == 0)
		let_kswapd_end_after(wakes + 1);
	if (!page)
		return false;
	hold(&c.got, page, order);
	if (vmstat_read(VMSTAT_TARGET_COMPLETED) > completed)
		from->emptied++;
	else if (there)
		from->there++;
	else if (node_pages(c.nid, merges) > merged)
		from->merged++;
	else
		from->unknown++;
	return true;
}

/*
 * A block of at most a batch of pages may be free before, or come from the single pages that are freed first,
 * the oldest of which lie side by side. Larger ones do not come by themselves, but for luck.
 */
static void ask(struct ktest *t, unsigned int order)
{
	u64 evicted = vmstat_read(VMSTAT_TARGET_EVICTED);
	struct sources from = {0};
	u32 possible, wanted, got = 0;

	fill();
	possible = blocks_that_could_be_had(order);
	wanted = MIN((u32)NR_REQUESTS, possible / ENOUGH_OF);
	while (got < wanted && ask_once(order, got, &from))
		got++;
	EXPECT_MSG(t, got == wanted, "order %u: nothing, and of %u blocks %u are had", order,
		   possible, got);
	ktest_note(t,
		   "order %u: %u of %u possible: %u emptied (%llu pages evicted), %u were free, %u "
		   "merged",
		   order, got, possible, from.emptied,
		   ULL(vmstat_read(VMSTAT_TARGET_EVICTED) - evicted), from.there, from.merged);
	EXPECT_EQ(t, from.unknown, 0);
	if (1u << order > BATCH_PAGES)
		EXPECT(t, from.emptied >= (got - from.there) / 2);
}

static void large_blocks_are_had(struct ktest *t)
{
	static const unsigned int orders[] = {4, 6, 9};

	if (!begin(t))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(orders); i++)
		ask(t, orders[i]);
	EXPECT_EQ(t, count_pinned(), c.nr_pinned);
	EXPECT(t, c.nr_pinned > 0);
	end(t);
}

static const struct ktest_case cases[] = {
	KTEST(large_blocks_are_had),
};
KTEST_SUITE(target, cases);

/*
 * The page allocator on the machine that booted, whatever its nodes are.
 *
 * What is expected is worked out from the topology and from the marks; that the mechanism under
 * test ran is read off its counter. Every case gives back all it took, and says so by comparing the
 * free lists before and after.
 */
#include <arch/page.h>
#include <base/string.h>
#include <kernel/test.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>

#include "../stress/pages_back.h"
#include "held.h"

struct free_picture {
	u64 blocks[MAX_NUMNODES][MAX_NR_ZONES][NR_ORDERS];
};
static struct free_picture before, after;

static void take_picture(struct free_picture *picture)
{
	struct zone_snapshot z;
	int nid;

	memset(picture, 0, sizeof(*picture));
	pages_settle();
	for_each_node(nid) {
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			zone_snapshot(nid, (enum zone_type)type, &z);
			memcpy(picture->blocks[nid][type], z.free_blocks, sizeof(z.free_blocks));
		}
	}
}

/*
 * The free lists are as they were, and all invariants hold. On a machine whose check takes seconds
 * the lists have to do: suite mm_boot checks it once.
 */
#define CHECK_EACH_TIME_PAGES (GiB(8) >> PAGE_SHIFT)

static void expect_all_back(struct ktest *t)
{
	struct check_report report;

	take_picture(&after);
	EXPECT(t, memcmp(&before, &after, sizeof(before)) == 0);
	if (memblock_ram_pages() <= CHECK_EACH_TIME_PAGES)
		EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

static u64 node_event(int nid, enum zone_event event)
{
	struct zone_snapshot z;
	u64 sum = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		zone_snapshot(nid, (enum zone_type)type, &z);
		sum += z.events[event];
	}
	return sum;
}

/* --- Cases --------------------------------------------------------------------------------- */

static bool node_has_largest_block(int nid)
{
	struct zone_snapshot z;
	u64 blocks = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		zone_snapshot(nid, (enum zone_type)type, &z);
		/* One more than the marks could forbid. */
		if (z.free_pages >
		    z.watermark[WMARK_LOW] + z.lowmem_reserve[ZONE_NORMAL] + MAX_BLOCK_PAGES)
			blocks += z.free_blocks[MAX_ORDER];
	}
	return blocks > 0;
}

static void every_order_from_every_node(struct ktest *t)
{
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		if (!node_has_largest_block(nid))
			SKIP(t, "node %d has no block of order %d to give", nid, MAX_ORDER);
	}
	take_picture(&before);
	for_each_node(nid) {
		bool has_memory = node_isset(nid, node_memory_mask());
		u64 allocs = node_event(nid, ZONE_ALLOC);

		for (unsigned int order = 0; order < NR_ORDERS; order++) {
			gfp_t gfp = GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN;
			struct page *page = alloc_pages_node(nid, gfp, order);

			if (!EXPECT_EQ(t, page != NULL, has_memory) || !page)
				continue;
			EXPECT_EQ(t, page->nid, nid);
			EXPECT_EQ(t, page_to_pfn(page) & (((u64)1 << order) - 1), 0);
			__free_pages(page, order);
		}
		EXPECT_EQ(t, node_event(nid, ZONE_ALLOC) - allocs, has_memory ? NR_ORDERS : 0);
	}
	expect_all_back(t);
}

static void zone_flags_are_obeyed(struct ktest *t)
{
	struct page *dma = alloc_pages(GFP_DMA, 0), *dma32 = alloc_pages(GFP_DMA32, 3);

	ASSERT_TRUE(t, dma && dma32);
	EXPECT(t, page_to_phys(dma) < MiB(16));
	EXPECT(t, page_to_phys(dma32) + (PAGE_SIZE << 3) <= GiB(4));
	__free_pages(dma, 0);
	__free_pages(dma32, 3);
}

static void an_ordinary_request_prefers_this_node(struct ktest *t)
{
	int nid = cpu_to_node(0);
	u64 hits = node_event(nid, NUMA_HIT), local = node_event(nid, NUMA_LOCAL);
	struct page *page = alloc_pages(GFP_KERNEL, 0);

	ASSERT_TRUE(t, page != NULL);
	if (node_isset(nid, node_memory_mask())) {
		EXPECT_EQ(t, page->nid, nid);
		EXPECT_EQ(t, node_event(nid, NUMA_HIT) - hits, 1);
		EXPECT_EQ(t, node_event(nid, NUMA_LOCAL) - local, 1);
	} else {
		EXPECT(t, page->nid != nid);
	}
	__free_pages(page, 0);
}

/* The nearest node with memory other than nid, by distance alone; NUMA_NO_NODE if none. */
static int least_distance(int nid)
{
	int least = 0, n;

	for_each_node_mask(n, node_memory_mask()) {
		if (n != nid && (least == 0 || numa_distance(nid, n) < least))
			least = numa_distance(nid, n);
	}
	return least;
}

static void a_full_node_falls_back_to_the_nearest(struct ktest *t)
{
	struct held *list = NULL;
	u32 tried = 0;
	int nid;

	take_picture(&before);
	for_each_node_mask(nid, node_memory_mask()) {
		int nearest = least_distance(nid);
		u64 foreign, missed;
		struct page *page;

		if (nearest == 0)
			SKIP(t, "needs two nodes with memory");
		EXPECT(t, take_all(&list, nid, GFP_KERNEL | __GFP_THISNODE) > 0);
		foreign = node_event(nid, NUMA_FOREIGN);

		page = alloc_pages_node(nid, GFP_KERNEL, 0);
		if (EXPECT(t, page != NULL)) {
			EXPECT(t, page->nid != nid);
			EXPECT_EQ(t, numa_distance(nid, page->nid), nearest);
			EXPECT_EQ(t, node_event(nid, NUMA_FOREIGN) - foreign, 1);
			missed = node_event(page->nid, NUMA_MISS);
			EXPECT(t, missed > 0);
			__free_pages(page, 0);
		}
		release_all(&list);
		tried++;
	}
	EXPECT(t, tried >= 2);
	expect_all_back(t);
}

static u64 free_before(int nid, u32 type)
{
	u64 pages = 0;

	for (u32 order = 0; order < NR_ORDERS; order++)
		pages += before.blocks[nid][type][order] << order;
	return pages;
}

/*
 * What is left of a node's zones when a class of request can have no more: its mark and what is
 * kept from it. A zone that had less from the start was never touched.
 */
static void expect_left(struct ktest *t, int nid, const char *who, bool atomic)
{
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		struct zone_snapshot z;
		u64 kept;

		zone_snapshot(nid, (enum zone_type)type, &z);
		if (z.managed_pages == 0)
			continue;
		kept = z.watermark[WMARK_MIN];
		if (atomic) {
			kept -= kept / 2;
			kept -= kept / 4;
		}
		kept += z.lowmem_reserve[ZONE_NORMAL];
		EXPECT_MSG(t, z.free_pages == MIN(kept, free_before(nid, type)),
			   "node %d %s after %s: %llu free, kept are %llu of %llu", nid, z.name,
			   who, (unsigned long long)z.free_pages, (unsigned long long)kept,
			   (unsigned long long)free_before(nid, type));
	}
}

static void each_class_stops_at_its_mark(struct ktest *t)
{
	struct held *list = NULL;
	u64 refused;
	int nid;

	take_picture(&before);
	for_each_node_mask(nid, node_memory_mask()) {
		refused = node_event(nid, ZONE_WMARK_FAILED);
		take_all(&list, nid, GFP_KERNEL | __GFP_THISNODE);
		expect_left(t, nid, "GFP_KERNEL", false);
		take_all(&list, nid, GFP_ATOMIC | __GFP_THISNODE);
		expect_left(t, nid, "GFP_ATOMIC", true);
		EXPECT(t, node_event(nid, ZONE_WMARK_FAILED) > refused);
		release_all(&list);
	}
	expect_all_back(t);
}

static u64 all_free_pages(void)
{
	struct node_snapshot node;
	u64 free = 0;
	int nid;

	for_each_node(nid) {
		node_snapshot(nid, &node);
		free += node.free_pages;
	}
	return free;
}

static void the_whole_machine_taken_and_returned(struct ktest *t)
{
	struct held *list = NULL;
	u64 taken, free;

	take_picture(&before);
	free = all_free_pages(); /* who sits at the monitor may hold some already */
	taken = take_all(&list, cpu_to_node(0), GFP_KERNEL);
	EXPECT_EQ(t, taken + all_free_pages(), free);
	/* Marks keep at most a quarter, and on small machines the lowmem reserve adds to that. */
	EXPECT(t, taken > free / 2);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0) == NULL);
	EXPECT_EQ(t, release_all(&list), taken);
	expect_all_back(t);
}

static void zeroed_blocks_are_zero(struct ktest *t)
{
	u64 dirty = 0;
	u64 *words;
	void *block;

	take_picture(&before);
	block = get_free_pages(GFP_KERNEL, 4);
	ASSERT_TRUE(t, block != NULL);
	memset(block, 0x5a, PAGE_SIZE << 4);
	free_pages(block, 4);
	words = get_free_pages(GFP_KERNEL | __GFP_ZERO, 4);
	ASSERT_TRUE(t, words != NULL);
	EXPECT(t, (void *)words == block);
	for (u64 i = 0; i < (PAGE_SIZE << 4) / sizeof(*words); i++)
		dirty += words[i] != 0;
	EXPECT_EQ(t, dirty, 0);
	free_pages(words, 4);
	expect_all_back(t);
}

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The first word of each page. */
static u64 *page_word(struct held *h, u64 i)
{
	return page_address(held_page(h) + i);
}

static void fill_block(struct held *h)
{
	for (u64 i = 0; i < (u64)1 << h->order; i++)
		*page_word(h, i) = h->pattern + i;
}

static bool block_intact(struct held *h)
{
	for (u64 i = 0; i < (u64)1 << h->order; i++) {
		if (*page_word(h, i) != h->pattern + i)
			return false;
	}
	return true;
}

/* Random orders from random nodes, replaced in random slots, each page with its own pattern. */
#define SLOTS 512
static void random_mix_keeps_contents(struct ktest *t)
{
	static struct held *slots[SLOTS];
	u64 state = t->seed * 0x9e3779b97f4a7c15ULL | 1;
	u64 splits = 0, merges = 0, spoiled = 0;
	u32 nr_nodes = numa_topology()->nr_nodes;
	struct check_report report;
	int nid;

	take_picture(&before);
	for_each_node(nid) {
		splits += node_event(nid, ZONE_SPLIT);
		merges += node_event(nid, ZONE_MERGE);
	}
	for (u32 step = 0; step < 20000; step++) {
		u64 r = next_random(&state);
		struct held **slot = &slots[r % SLOTS];
		unsigned int order = (unsigned int)(r >> 16) % 6;
		struct page *page;

		if (*slot) {
			spoiled += !block_intact(*slot);
			__free_pages(held_page(*slot), (*slot)->order);
			*slot = NULL;
		}
		page = alloc_pages_node((int)((r >> 32) % nr_nodes), GFP_KERNEL | __GFP_NOWARN,
					order);
		if (page) {
			*slot = page_held(page);
			(*slot)->order = order;
			(*slot)->pattern = r;
			fill_block(*slot);
		}
		if (step % 4000 == 0 && memblock_ram_pages() <= CHECK_EACH_TIME_PAGES)
			EXPECT_MSG(t, mm_check(&report), "step %u: %s", step, report.first);
	}
	for (u32 i = 0; i < SLOTS; i++) {
		if (slots[i]) {
			spoiled += !block_intact(slots[i]);
			__free_pages(held_page(slots[i]), slots[i]->order);
			slots[i] = NULL;
		}
	}
	EXPECT_EQ(t, spoiled, 0);
	drain_all_pages();
	for_each_node(nid) {
		splits -= node_event(nid, ZONE_SPLIT);
		merges -= node_event(nid, ZONE_MERGE);
	}
	EXPECT(t, splits != 0 && splits == merges);
	expect_all_back(t);
}

static const struct ktest_case cases[] = {
	KTEST(every_order_from_every_node),
	KTEST(zone_flags_are_obeyed),
	KTEST(an_ordinary_request_prefers_this_node),
	KTEST(a_full_node_falls_back_to_the_nearest),
	KTEST(each_class_stops_at_its_mark),
	KTEST(the_whole_machine_taken_and_returned),
	KTEST(zeroed_blocks_are_zero),
	KTEST(random_mix_keeps_contents),
};
KTEST_SUITE(mm_alloc, cases);

/*
 * What a page costs that must be taken from a cache first: in ticks, which are instructions under -icount.
 * tests/qemu/test_reclaim_cost.py runs this on machines of 1, 8 and 64 GiB and compares. A 32nd of the node is
 * cache, the rest is put aside in the largest blocks: so the lists grow with the memory, and it fits into a host.
 */
#include <arch/cpu.h>
#include <kernel/test.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "../reclaim/toy_cache.h"
#include "../stress/pages_back.h"
#include "held.h"

#define ULL(x)      ((unsigned long long)(x))

#define CACHE_SHARE 32
#define NR_SINGLE   65536 /* several times what kswapd frees at once on the largest machine */
#define NR_BLOCKS   8
#define BLOCK_ORDER 9
#define MOST_SLOTS  (PAGE_SIZE << MAX_ORDER) / sizeof(struct page *)

static struct cost {
	int nid;
	struct held *aside;
	struct page **slots;
	u32 nr_slots;
} c;

static u64 node_free_pages(void)
{
	struct zone_snapshot z;
	u64 pages = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		pages += zone_snapshot(c.nid, (enum zone_type)type, &z) ? z.free_pages : 0;
	return pages;
}

static u64 evicted(void)
{
	struct toy_counts toy;

	toy_counts(&toy);
	return toy.evicted;
}

static void fill(void)
{
	/* Without waking kswapd, which would make room for ever. */
	toy_fill(c.nid, __GFP_THISNODE, ~(u32)0);
}

/* Every fourth page is hot. */
static void touch(void)
{
	struct page *page;

	for (u32 i = 0; (page = toy_get(i)) != NULL; i += 4) {
		mark_page_accessed(page);
		mark_page_accessed(page);
		put_page(page);
	}
}

static bool begin(struct ktest *t)
{
	u64 pages;

	pages_before();
	c = (struct cost){.nid = __builtin_ctzll(node_memory_mask())};
	c.slots = get_free_pages(GFP_KERNEL, MAX_ORDER);
	if (!EXPECT(t, c.slots != NULL))
		return false;
	pages = MIN(node_free_pages() / CACHE_SHARE, (u64)MOST_SLOTS);
	while (node_free_pages() > pages + MAX_BLOCK_PAGES) {
		struct page *page =
			alloc_pages_node(c.nid, __GFP_THISNODE | __GFP_NOWARN, MAX_ORDER);

		if (!page)
			break;
		hold(&c.aside, page, MAX_ORDER);
	}
	toy_begin(c.slots, MOST_SLOTS, TOY_WRITES_AT_ONCE);
	fill();
	touch();
	return true;
}

static void end(struct ktest *t)
{
	toy_empty();
	release_all(&c.aside);
	free_pages(c.slots, MAX_ORDER);
	drain_all_pages();
	pages_after();
	expect_counts_as_before(t);
}

/* As a cache reads a file that is larger than memory: each page takes the place of another. */
static void one_by_one(struct ktest *t)
{
	u64 direct = vmstat_read(VMSTAT_PGSTEAL_DIRECT), had = evicted(), ticks;
	u32 nr;

	ticks = arch_timestamp();
	nr = toy_fill(c.nid, GFP_KERNEL | __GFP_THISNODE, NR_SINGLE);
	ticks = arch_timestamp() - ticks;
	had = evicted() - had;
	direct = vmstat_read(VMSTAT_PGSTEAL_DIRECT) - direct;
	EXPECT_EQ(t, nr, NR_SINGLE);
	EXPECT(t, had > NR_SINGLE / 2);
	ktest_note(t, "COST name=order_0 cache=%u pages=%llu ticks=%llu evicted=%llu direct=%llu",
		   (u32)evicted(), ULL(nr), ULL(ticks), ULL(had), ULL(direct));
}

static void in_blocks(struct ktest *t)
{
	u64 completed = vmstat_read(VMSTAT_TARGET_COMPLETED),
	    looked = vmstat_read(VMSTAT_TARGET_LOOKED),
	    pages = vmstat_read(VMSTAT_TARGET_LOOKED_PAGES);
	u64 had = 0, ticks = 0;
	u32 got = 0;

	for (u32 i = 0; i < NR_BLOCKS; i++) {
		u64 had_before, start;
		struct page *page;

		fill();
		had_before = evicted();
		start = arch_timestamp();
		page = alloc_pages_node(c.nid, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN,
					BLOCK_ORDER);
		ticks += arch_timestamp() - start;
		had += evicted() - had_before;
		if (page) {
			got++;
			hold(&c.aside, page, BLOCK_ORDER);
		}
	}
	completed = vmstat_read(VMSTAT_TARGET_COMPLETED) - completed;
	looked = vmstat_read(VMSTAT_TARGET_LOOKED) - looked;
	pages = vmstat_read(VMSTAT_TARGET_LOOKED_PAGES) - pages;
	ktest_note(
		t,
		"COST name=order_%u blocks=%u ticks=%llu evicted=%llu completed=%llu looked=%llu "
		"looked_pages=%llu",
		BLOCK_ORDER, got, ULL(ticks), ULL(had), ULL(completed), ULL(looked), ULL(pages));
}

static void a_page_costs_what_it_costs(struct ktest *t)
{
	if (!begin(t))
		return;
	one_by_one(t);
	in_blocks(t);
	end(t);
}

static const struct ktest_case cases[] = {
	KTEST(a_page_costs_what_it_costs),
};
KTEST_SUITE(reclaim_cost, cases);

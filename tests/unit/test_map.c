/*
 * Frames seen from outside, and the map made of them: on fake machines, where every page is known.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <kernel/map.h>
#include <kernel/memory_map.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>

/*
 *	0        16M        64M      |4G          4G+34M         4G+64M|
 *	| 0: DMA | 0: DMA32 |  hole  | 0: Normal  |  1: Normal         |
 *
 * The border of the nodes is inside a 4 MiB unit.
 */
static const struct host_machine two_nodes = {
	.no_slab = true,
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(34), 0}, {GiB(4) + MiB(34), MiB(30), 1}},
	.nr_nodes = 2,
};
#define END_PFN pfn_down(GiB(4) + MiB(64))

static struct boot_info info;

/* The same machine in the firmware's words, and what is no RAM in it. */
static void boot(void)
{
	host_machine_boot(&two_nodes);
	info.mem[info.nr_mem++] = (struct boot_mem_range){0, MiB(64), BOOT_MEM_AVAILABLE};
	info.mem[info.nr_mem++] = (struct boot_mem_range){GiB(1), MiB(1), BOOT_MEM_RESERVED};
	info.mem[info.nr_mem++] = (struct boot_mem_range){GiB(2), KiB(64), BOOT_MEM_ACPI_NVS};
	info.mem[info.nr_mem++] = (struct boot_mem_range){GiB(3), KiB(4), 77};
	info.mem[info.nr_mem++] = (struct boot_mem_range){GiB(4), MiB(64), BOOT_MEM_AVAILABLE};
	memory_map_init(&machine_memory_map, &info, 0);
}

/* --- One frame ----------------------------------------------------------------------------- */

/* From each page of blocks of every order, allocated and free, the head is found. */
static void every_page_finds_its_block(struct ktest *t)
{
	struct page_snapshot s;

	host_machine_boot(&two_nodes);
	for (u32 order = 0; order <= MAX_ORDER; order++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);
		pfn_t pfn;

		ASSERT_TRUE(t, page != NULL);
		pfn = page_to_pfn(page);
		for (pfn_t i = 0; i < (pfn_t)1 << order; i++) {
			ASSERT_TRUE(t, page_snapshot(pfn + i, &s));
			ASSERT_EQ(t, s.head_pfn, pfn);
			ASSERT_EQ(t, s.order, order);
			ASSERT_EQ(t, s.head_state, PAGE_ALLOCATED);
			ASSERT_EQ(t, s.state, i ? PAGE_TAIL : PAGE_ALLOCATED);
			ASSERT_TRUE(t, s.next_pfn == NO_PFN && !s.has_owner);
		}
		__free_pages(page, order);
		drain_all_pages();
		ASSERT_TRUE(t, page_snapshot(pfn, &s));
		EXPECT_EQ(t, s.head_state, PAGE_FREE);
		EXPECT(t, s.order >= order && s.head_pfn <= pfn);
	}
}

/* The free list, walked from outside: as long as its count, and the same backwards. */
static void neighbours_are_the_free_lists(struct ktest *t)
{
	struct page_snapshot s, next;
	struct zone_snapshot zone;
	u64 first = 0, last = 0;

	host_machine_boot(&two_nodes);
	for (pfn_t pfn = pfn_down(GiB(4)); pfn < END_PFN; pfn += MAX_BLOCK_PAGES) {
		if (!page_snapshot(pfn, &s) || s.state != PAGE_FREE || s.order != MAX_ORDER ||
		    s.nid != 0)
			continue;
		first += s.prev_pfn == NO_PFN;
		last += s.next_pfn == NO_PFN;
		if (s.next_pfn != NO_PFN) {
			ASSERT_TRUE(t, page_snapshot(s.next_pfn, &next));
			EXPECT_EQ(t, next.prev_pfn, pfn);
			EXPECT_EQ(t, next.order, MAX_ORDER);
		}
	}
	zone_snapshot(0, ZONE_NORMAL, &zone);
	EXPECT(t, zone.free_blocks[MAX_ORDER] > 1);
	EXPECT_EQ(t, first, 1);
	EXPECT_EQ(t, last, 1);
}

static void owners_and_holes(struct ktest *t)
{
	struct page_snapshot s;

	host_machine_boot(&two_nodes);
	ASSERT_TRUE(t, page_snapshot(0, &s));
	EXPECT_EQ(t, s.state, PAGE_RESERVED);
	EXPECT(t, s.has_owner && s.owner == MEMBLOCK_FIRST_PAGE && s.head_pfn == NO_PFN);
	EXPECT(t, !page_snapshot(pfn_down(MiB(64)), &s));
	EXPECT(t, !page_snapshot(END_PFN, &s));
	EXPECT(t, !page_snapshot(NO_PFN, &s));
}

/* A struct page that says nonsense is reported, not believed. */
static void broken_pages_do_no_harm(struct ktest *t)
{
	struct page *page;
	struct page_snapshot s;
	struct memory_piece piece;
	pfn_t pfn, cursor;

	host_machine_boot(&two_nodes);
	page = alloc_pages(GFP_KERNEL, 2);
	ASSERT_TRUE(t, page != NULL);
	pfn = page_to_pfn(page);

	page->order = 15;
	ASSERT_TRUE(t, page_snapshot(pfn, &s));
	EXPECT_EQ(t, s.head_pfn, NO_PFN);
	page->order = 2;
	page->state = 200;
	cursor = pfn;
	ASSERT_TRUE(t, memory_next(&cursor, pfn + 4, &piece));
	EXPECT_EQ(t, piece.pages[PAGE_TAIL], 4);
	page->nid = 63;
	ASSERT_TRUE(t, page_snapshot(pfn, &s));
	EXPECT_EQ(t, s.nid, 63);
}

/* --- Pieces -------------------------------------------------------------------------------- */

/* All pieces together are all RAM; none is of two nodes, zones or units. */
static void pieces_cover_all_ram(struct ktest *t)
{
	struct memory_piece piece;
	pfn_t cursor = 0, at = 0;
	u64 pages = 0, of_node_1 = 0;

	host_machine_boot(&two_nodes);
	while (memory_next(&cursor, NO_PFN >> PAGE_SHIFT, &piece)) {
		u64 sum = 0;

		EXPECT(t, piece.start >= at && piece.start < piece.end && cursor == piece.end);
		EXPECT_EQ(t, piece.start / MAX_BLOCK_PAGES, (piece.end - 1) / MAX_BLOCK_PAGES);
		for (u32 state = 0; state < NR_PAGE_STATES; state++)
			sum += piece.pages[state];
		EXPECT_EQ(t, sum, piece.end - piece.start);
		EXPECT_EQ(t, piece.pages[PAGE_TAIL] + piece.pages[PAGE_HOLE], 0);
		pages += sum;
		of_node_1 += piece.nid == 1 ? sum : 0;
		at = piece.end;
	}
	EXPECT_EQ(t, pages, memblock_ram_pages());
	EXPECT_EQ(t, of_node_1, MiB(30) >> PAGE_SHIFT);
}

/* Any cut of memory into ranges gives the same sum, after random allocations. */
static void any_cut_adds_up(struct ktest *t)
{
	struct random_state random = {t->seed * 2 + 1};
	struct page *held[200];
	u32 orders[200];
	u64 allocated = 0;

	host_machine_boot(&two_nodes);
	for (u32 i = 0; i < ARRAY_SIZE(held); i++) {
		orders[i] = (u32)host_random_below(&random, 6);
		held[i] = alloc_pages(GFP_KERNEL, orders[i]);
		ASSERT_TRUE(t, held[i] != NULL);
	}
	for (u32 i = 0; i < ARRAY_SIZE(held); i++) {
		if (host_random_below(&random, 2))
			__free_pages(held[i], orders[i]);
		else
			allocated += (u64)1 << orders[i];
	}
	for (u32 round = 0; round < 20; round++) {
		struct memory_piece piece;
		pfn_t start = 0;
		u64 seen = 0;

		while (start < END_PFN) {
			pfn_t end = start + 1 + host_random_below(&random, 3000);
			pfn_t cursor = start;

			if (start == pfn_down(MiB(64)))
				end = pfn_down(GiB(4)) + host_random_below(&random, 100);
			while (memory_next(&cursor, end, &piece))
				seen += piece.pages[PAGE_ALLOCATED];
			start = start < pfn_down(MiB(64)) ? MIN(end, pfn_down(MiB(64))) : end;
		}
		ASSERT_EQ(t, seen, allocated);
	}
}

/* --- The map ------------------------------------------------------------------------------- */

static u64 count_of(const struct map_view *view, pfn_t start, pfn_t end, char letter)
{
	u64 counts[MAP_MAX_KEYS] = {0}, pages = 0;
	struct map_key key;

	map_count(view, start, end, counts);
	for (u32 i = 0; i < view->nr_keys; i++) {
		view->describe(i, &key);
		if (key.letter == letter)
			pages += counts[i];
	}
	return pages;
}

static void what_is_no_ram_has_its_letter(struct ktest *t)
{
	const struct map_view *view = map_find_view("state");

	boot();
	EXPECT_EQ(t, count_of(view, 0, END_PFN, 'R'), 256 + 1);
	EXPECT_EQ(t, count_of(view, 0, END_PFN, 'T'), 16);
	EXPECT_EQ(t, count_of(view, 0, END_PFN, '.'),
		  ((GiB(4) - MiB(64)) >> PAGE_SHIFT) - 256 - 1 - 16);
	EXPECT_EQ(t, count_of(view, 0, END_PFN, '?'), 0);
	EXPECT_EQ(t, count_of(map_find_view("node"), 0, END_PFN, 'B'), MiB(30) >> PAGE_SHIFT);
	EXPECT_EQ(t, count_of(map_find_view("zone"), 0, END_PFN, 'D'), MiB(16) >> PAGE_SHIFT);
}

/*
 *	|==available==|            type 0 is no type at all, and no RAM either
 *	     |=0=|                 whichever comes first in the firmware's list
 */
static void contradictions_are_no_ram(struct ktest *t)
{
	static const struct boot_mem_range ranges[] = {{MiB(1), MiB(3), BOOT_MEM_AVAILABLE},
						       {MiB(2), MiB(1), 0},
						       {MiB(1), MiB(3), BOOT_MEM_AVAILABLE}};
	pfn_t next;

	for (u32 first = 0; first < 2; first++) {
		info.mem[0] = ranges[first];
		info.mem[1] = ranges[first + 1];
		info.nr_mem = 2;
		memory_map_init(&machine_memory_map, &info, 0);
		EXPECT_EQ(t, memory_map_pages(&machine_memory_map), 512);
		EXPECT_EQ(t, memory_map_type(&machine_memory_map, 256, &next), BOOT_MEM_AVAILABLE);
		EXPECT_EQ(t, next, 512);
		EXPECT_EQ(t, memory_map_type(&machine_memory_map, 512, &next), 0);
		EXPECT_EQ(t, next, 768);
	}
}

/* RAM that the firmware has and mm/ does not: mem= does that. */
static void ram_not_used_is_said(struct ktest *t)
{
	boot();
	info.mem[info.nr_mem++] = (struct boot_mem_range){GiB(5), MiB(1), BOOT_MEM_AVAILABLE};
	EXPECT_EQ(t, count_of(map_find_view("state"), 0, pfn_down(GiB(6)), 'U'), 256);
}

/*
 *	0    64M                     4G   4G+64M
 *	|RAM |      folded: a line   |RAM |          17 rows of 8 MiB: cells of 128 KiB
 */
static void cells_as_small_as_fit(struct ktest *t)
{
	pfn_t start, end;

	boot();
	map_whole_range(&start, &end);
	EXPECT_EQ(t, start, 0);
	EXPECT_EQ(t, end, END_PFN);
	EXPECT_EQ(t, map_cell_order(start, end), 5);
	/* A row more than MAP_LINES of them. */
	EXPECT_EQ(t, map_cell_order(0, MAP_COLUMNS * MAP_LINES), 0);
	EXPECT_EQ(t, map_cell_order(0, MAP_COLUMNS * MAP_LINES + 1), 1);
	EXPECT_EQ(t, map_cell_order(5, 6), 0);
	/* Nothing at all is one line, however much it is. */
	EXPECT_EQ(t, map_cell_order(pfn_down(GiB(8)), pfn_down(TiB(64))), 0);
}

static void majority(struct ktest *t)
{
	const struct map_view *view = map_find_view("zone");
	u64 counts[MAP_MAX_KEYS] = {0};
	bool mixed;

	counts[ZONE_DMA32] = 5;
	EXPECT_EQ(t, map_majority(view, counts, &mixed), ZONE_DMA32);
	EXPECT(t, !mixed);
	counts[ZONE_NORMAL] = 6;
	EXPECT_EQ(t, map_majority(view, counts, &mixed), ZONE_NORMAL);
	EXPECT(t, mixed);
	counts[ZONE_DMA] = 6; /* as many: the first */
	EXPECT_EQ(t, map_majority(view, counts, &mixed), ZONE_DMA);
}

/* Within a view no letter stands for two things, but nodes' that come again after Z. */
static void letters_are_different(struct ktest *t)
{
	for (u32 v = 0; v < nr_map_views; v++) {
		const struct map_view *view = &map_views[v];
		bool used[256] = {false};
		struct map_key key;

		ASSERT_TRUE(t, view->nr_keys <= MAP_MAX_KEYS);
		for (u32 i = 0; i < view->nr_keys; i++) {
			view->describe(i, &key);
			EXPECT(t, key.name[0] != '\0');
			if (i < 26 || i == view->nr_keys - 1)
				EXPECT_MSG(t, !used[(u8)key.letter], "%s: '%c' is used twice",
					   view->name, key.letter);
			used[(u8)key.letter] = true;
		}
	}
}

static const struct ktest_case cases[] = {
	KTEST(every_page_finds_its_block),
	KTEST(neighbours_are_the_free_lists),
	KTEST(owners_and_holes),
	KTEST(broken_pages_do_no_harm),
	KTEST(pieces_cover_all_ram),
	KTEST(any_cut_adds_up),
	KTEST(what_is_no_ram_has_its_letter),
	KTEST(contradictions_are_no_ram),
	KTEST(ram_not_used_is_said),
	KTEST(cells_as_small_as_fit),
	KTEST(majority),
	KTEST(letters_are_different),
};
KTEST_SUITE(map_model, cases);

/*
 * `map`, `page` and `top` on the machine that booted: their sums are the allocator's own, and what
 * was just allocated is seen. On any topology.
 */
#include <arch/cpu.h>
#include <arch/page.h>
#include <base/string.h>
#include <kernel/map.h>
#include <kernel/memory_map.h>
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/page_report.h>
#include <kernel/test.h>
#include <kernel/top.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>
#include <mm/slab_inspect.h>
#include <x86/image.h>

/* --- Sums ---------------------------------------------------------------------------------- */

/* Adds up every cell of the map of all memory, as `map` does. */
static void count_cells(struct ktest *t, const struct map_view *view, u64 counts[MAP_MAX_KEYS])
{
	pfn_t start, end, cell;
	u64 sum = 0;

	map_whole_range(&start, &end);
	cell = (pfn_t)1 << map_cell_order(start, end);
	memset(counts, 0, MAP_MAX_KEYS * sizeof(counts[0]));
	for (pfn_t pfn = start; pfn < end; pfn += cell)
		map_count(view, pfn, MIN(pfn + cell, end), counts);
	for (u32 key = 0; key < MAP_MAX_KEYS; key++)
		sum += counts[key];
	EXPECT_EQ(t, sum, end - start);
}

/* The count of a key by its name; a view has each name once. */
static u64 count_of(const struct map_view *view, const u64 *counts, const char *name)
{
	struct map_key key;

	for (u32 i = 0; i < view->nr_keys; i++) {
		view->describe(i, &key);
		if (strcmp(key.name, name) == 0)
			return counts[i];
	}
	return NO_PFN;
}

static void states_add_up(struct ktest *t)
{
	const struct map_view *view = map_find_view("state");
	static u64 counts[MAP_MAX_KEYS];
	struct page_accounting acct;
	struct zone_snapshot zone;
	u64 free = 0, per_cpu = 0, begin, reserved = 0, slabs;
	int nid;

	ASSERT_TRUE(t, view != NULL);
	begin = arch_timestamp();
	count_cells(t, view, counts);
	ktest_note(t, "all memory counted in %llu us",
		   (unsigned long long)arch_timestamp_to_ns(arch_timestamp() - begin) / 1000);
	for_each_node(nid)
		for (u32 type = 0; type < MAX_NR_ZONES; type++)
			if (zone_snapshot(nid, (enum zone_type)type, &zone)) {
				free += zone.free_pages;
				per_cpu += zone.pcp_pages;
			}
	page_accounting(&acct);
	EXPECT_EQ(t, count_of(view, counts, "free"), free);
	EXPECT_EQ(t, count_of(view, counts, "free, on a CPU's list"), per_cpu);
	slabs = count_of(view, counts, "of slabs and kmalloc");
	EXPECT(t, slabs >= slab_pages(NUMA_NO_NODE));
	EXPECT_EQ(t, count_of(view, counts, "allocated") + slabs,
		  acct.managed_pages - free - per_cpu);
	EXPECT_EQ(t, count_of(view, counts, "struct page"),
		  acct.reserved_pages[MEMBLOCK_STRUCT_PAGE]);
	for (int owner = 0; owner < MEMBLOCK_NR_OWNERS; owner++)
		if (owner != MEMBLOCK_STRUCT_PAGE && owner != MEMBLOCK_ACPI)
			reserved += acct.reserved_pages[owner];
	EXPECT_EQ(t, count_of(view, counts, "kernel, from boot on"), reserved);
	EXPECT_EQ(t, count_of(view, counts, "RAM not used"),
		  memory_map_cut_pages(&machine_memory_map));
	EXPECT_EQ(t, count_of(view, counts, "of unknown state"), 0);
}

static void nodes_and_zones_add_up(struct ktest *t)
{
	static u64 by_node[MAP_MAX_KEYS], by_zone[MAP_MAX_KEYS];
	u64 present[MAX_NR_ZONES] = {0};
	struct zone_snapshot zone;
	int nid;

	count_cells(t, map_find_view("node"), by_node);
	count_cells(t, map_find_view("zone"), by_zone);
	for_each_node(nid) {
		u64 of_node = 0;

		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			if (!zone_snapshot(nid, (enum zone_type)type, &zone))
				continue;
			of_node += zone.present_pages;
			present[type] += zone.present_pages;
		}
		EXPECT_EQ(t, by_node[nid], of_node);
	}
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		EXPECT_EQ(t, by_zone[type], present[type]);
}

/* A block to look at; min_free_kbytes= and mem= may leave none, and then only those. */
static struct page *take(struct ktest *t, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, order);

	EXPECT(t, page || options.min_free_kbytes > 0 || options.mem_bytes > 0);
	return page;
}

/* --- Full zoom ----------------------------------------------------------------------------- */

static char letter_of(pfn_t pfn)
{
	const struct map_view *view = map_find_view("state");
	u64 counts[MAP_MAX_KEYS] = {0};
	struct map_key key;
	bool mixed;

	map_count(view, pfn, pfn + 1, counts);
	view->describe(map_majority(view, counts, &mixed), &key);
	return view->page_letter(pfn, key.letter);
}

/*
 *	| A a a a a a a a |     a block of order 3, then free again: its head says the order that it
 *	                        merged to
 */
static void zoom_shows_blocks(struct ktest *t)
{
	struct page *page = take(t, 3);
	struct page_snapshot head;
	pfn_t pfn;

	if (!page)
		return;
	pfn = page_to_pfn(page);
	EXPECT_EQ(t, map_cell_order(pfn, pfn + 8), 0);
	EXPECT_EQ(t, letter_of(pfn), 'A');
	for (u32 i = 1; i < 8; i++)
		EXPECT_EQ(t, letter_of(pfn + i), 'a');
	__free_pages(page, 3);
	if (page->state == PAGE_PCP)
		EXPECT_EQ(t, letter_of(pfn), 'P');
	drain_all_pages();
	ASSERT_TRUE(t,
		    page_snapshot(pfn, &head) && head.head_state == PAGE_FREE && head.order >= 3);
	EXPECT_EQ(t, letter_of(head.head_pfn), "0123456789X"[head.order]);
	EXPECT_EQ(t, letter_of(head.head_pfn + 1), 'f');
}

/* --- page ---------------------------------------------------------------------------------- */

static char report[2048];
static u32 report_lines, report_widest;

static void keep_line(const char *line)
{
	size_t at = strlen(report), len = strlen(line);

	report_lines++;
	report_widest = MAX(report_widest, (u32)len);
	if (at + len + 2 > sizeof(report))
		return;
	memcpy(report + at, line, len);
	memcpy(report + at + len, "\n", 2);
}

static const char *report_of(pfn_t pfn)
{
	report[0] = '\0';
	report_lines = report_widest = 0;
	page_report(pfn, keep_line);
	return report;
}

static void page_says_its_block(struct ktest *t)
{
	struct page *page = take(t, 3);

	if (!page)
		return;
	report_of(page_to_pfn(page));
	EXPECT(t, strstr(report, "state       allocated\n") != NULL);
	EXPECT(t, strstr(report, "block       order 3, 32 KiB, allocated") != NULL);
	EXPECT(t, strstr(report, "this page is its head\n") != NULL);
	EXPECT(t, strstr(report, zone_type_name((enum zone_type)page->zone)) != NULL);
	EXPECT(t, report_widest <= SCREEN_COLUMNS && report_lines > 8);
	report_of(page_to_pfn(page) + 5);
	EXPECT(t, strstr(report, "order 3, 32 KiB, allocated") != NULL);
	EXPECT(t, strstr(report, "number 5 in it") != NULL);
	__free_pages(page, 3);
	drain_all_pages();
	report_of(page_to_pfn(page));
	EXPECT(t, strstr(report, ", free: ") != NULL);
	EXPECT(t, strstr(report, "free list") != NULL);
}

static void page_says_its_owner(struct ktest *t)
{
	pfn_t image = pfn_down(image_to_phys(__text_start));
	pfn_t ram_start, ram_end, cursor = 0, end, start;

	EXPECT(t, strstr(report_of(image), "taken at boot for: kernel image") != NULL);
	EXPECT(t, strstr(report_of(0), "taken at boot for: first page") != NULL);
	/* Of what is no RAM there is nothing to say here. */
	map_whole_range(&start, &end);
	while (map_next_ram(&cursor, end, &ram_start, &ram_end))
		;
	report_of(ram_end);
	EXPECT_EQ(t, report_lines, 0);
	report_of(((pfn_t)1 << (PHYS_ADDR_BITS_MAX - PAGE_SHIFT)) - 1);
	EXPECT_EQ(t, report_lines, 0);
}

/* --- top ----------------------------------------------------------------------------------- */

static char frame[60 * 200];

/* Columns that a reader sees in the widest line, and how many lines there are. */
static u32 measure(const char *text, u32 *lines)
{
	u32 widest = 0, column = 0;

	*lines = 1;
	for (; *text != '\0'; text++) {
		if (*text == '\x1b') {
			while (*text != '\0' && !(*text >= 'A' && *text <= 'Z') && *text != 'm')
				text++;
		} else if (*text == '\n') {
			(*lines)++;
			column = 0;
		} else {
			widest = MAX(widest, ++column);
		}
	}
	return widest;
}

static void draw(u32 lines, bool colour)
{
	struct screen screen;

	screen_start(&screen, frame, sizeof(frame), colour);
	top_frame(&screen, lines, 1000);
}

static void top_fits_the_screen(struct ktest *t)
{
	u32 lines;

	top_begin();
	for (u32 height = TOP_MIN_LINES; height <= 60; height += 4) {
		draw(height, true);
		EXPECT(t, measure(frame, &lines) <= SCREEN_COLUMNS);
		EXPECT_MSG(t, lines <= height, "%u lines on a screen of %u", lines, height);
		EXPECT(t, strstr(frame, "\x1b[J") != NULL);
	}
	draw(SCREEN_LINES, false);
	EXPECT(t, strchr(frame, '\x1b') == NULL);
}

static void top_counts_since_the_last_frame(struct ktest *t)
{
	struct page *page;

	top_begin();
	draw(60, false);
	EXPECT(t, strstr(frame, "pgalloc                 0") != NULL);
	page = take(t, 2);
	if (!page)
		return;
	draw(60, false);
	EXPECT(t, strstr(frame, "pgalloc_blocks          1") != NULL);
	EXPECT(t, strstr(frame, "pgalloc                 4") != NULL);
	__free_pages(page, 2);
	draw(60, false);
	EXPECT(t, strstr(frame, "pgalloc                 0") != NULL);
	EXPECT(t, strstr(frame, "pgfree                  4") != NULL);
}

/* --- Words --------------------------------------------------------------------------------- */

static void bad_words_are_refused(struct ktest *t)
{
	static const char *const bad[] = {
		"map x",
		"map by=",
		"map by=nodes",
		"map node=64",
		"map node=-1",
		"map node=",
		"map zone=",
		"map zone=High",
		"map 1-",
		"map -1",
		"map 2-1",
		"map 0-0",
		"map 0+0",
		"map 1+",
		"map 1+x",
		"map 0-65T",
		"map 0+99999999T",
		"map color=blue",
		"map 0-1-2",
		"map 5",
		"map 0-1M node=0",
		"page",
		"page x",
		"page -1",
		"page 0x",
		"page 1 2",
		"page 0x400000000000",
		"page 17179869184",
		"page 0xffffffff00000000",
		"page pfn=",
		"page 99999999999999999999",
		"top x",
		"top every=",
		"top every=1",
		"top every=99999999999",
		"top count=0",
		"top count=-1",
		"top color=",
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_MSG(t, monitor_run(bad[i]) == 1, "'%s' was accepted", bad[i]);
}

static void good_words_run(struct ktest *t)
{
	EXPECT_EQ(t,
		  monitor_run("map; map by=node; map by=zone; map 0-1M; map 1M+4K; map 0x0-0x3fff"),
		  0);
	EXPECT_EQ(t, monitor_run("map 0-64T; map 0x3ffffffff000+4K; map zone=dma; map color=off"),
		  0);
	EXPECT_EQ(t, monitor_run("page 0; page 0xa0000; page 17179869183; page pfn=0x10"), 0);
	EXPECT_EQ(t, monitor_run("page 0xffff888000001000; page 0xfffffe2200000000"), 0);
	EXPECT_EQ(t, monitor_run("top; top count=2 every=50"), 0);
}

static const struct ktest_case cases[] = {
	KTEST(states_add_up),
	KTEST(nodes_and_zones_add_up),
	KTEST(zoom_shows_blocks),
	KTEST(page_says_its_block),
	KTEST(page_says_its_owner),
	KTEST(top_fits_the_screen),
	KTEST(top_counts_since_the_last_frame),
	KTEST(bad_words_are_refused),
	KTEST(good_words_run),
};
KTEST_SUITE(map, cases);

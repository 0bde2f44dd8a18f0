/*
 * The memory map: struct page for every frame, where it stands and how it is filled.
 *
 * The map is one virtual array (VMEMMAP_BASE), populated only where there is memory. Its unit is
 * the block of MAX_BLOCK_PAGES (4 MiB of memory, 64 KiB of struct pages): the buddy of any free
 * block below MAX_ORDER is in the same unit, so the allocator never asks whether a buddy's struct
 * page exists. 32 units are a section (128 MiB of memory, exactly one 2 MiB page of map), with a
 * word of presence bits:
 *
 *	memory   |....|####|####|.###|####| ...      # RAM  . hole
 *	unit       0    1    2    3    4             unit 0 has no RAM: no struct pages
 *	present    0    1    1    1    1             the hole in unit 3: PAGE_HOLE
 *
 * Each section's part of the map stands in memory of the node whose RAM it describes: a large page
 * where all its units are present and of one node, base pages elsewhere.
 *
 * Only the header word of each struct page is written here, one store a frame: the links of a
 * page are meaningless until it heads a free block. That is what boot time is made of on a
 * large machine.
 */
#include "memmap.h"

#include <arch/page.h>
#include <base/assert.h>
#include <base/string.h>
#include <mm/memblock.h>
#include <mm/os.h>

#include "buddy.h"
#include "zone.h"

#define UNIT_MAP_BYTES (UNIT_PAGES * sizeof(struct page))

_Static_assert(SECTION_PAGES * sizeof(struct page) == LARGE_PAGE_SIZE,
	       "a section's map is one large page");
_Static_assert(UNIT_MAP_BYTES % PAGE_SIZE == 0, "a unit's map is whole pages");

u32 *section_present;
u64 nr_sections;

bool pfn_valid(pfn_t pfn)
{
	return memmap_covers(pfn);
}

/* --- Populating ---------------------------------------------------------------------------- */

static void mark_present(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0, at;
	u64 bytes;

	nr_sections = DIV_ROUND_UP(pfn_up(memblock_end()), SECTION_PAGES);
	bytes = ALIGN_UP(nr_sections * sizeof(section_present[0]), PAGE_SIZE);
	at = numa_alloc_early(0, bytes, PAGE_SIZE, MEMBLOCK_NODE_DATA);
	if (at == 0)
		os_panic("mm: no memory for the section map (%llu bytes)",
			 (unsigned long long)bytes);
	section_present = phys_to_virt(at);
	memset(section_present, 0, bytes);

	while (memblock_next_ram(&cursor, &range)) {
		u64 first = pfn_down(range.base) / UNIT_PAGES;
		u64 last = (pfn_down(range.end) - 1) / UNIT_PAGES;

		for (u64 unit = first; unit <= last; unit++)
			section_present[unit / SECTION_UNITS] |= (u32)1 << unit % SECTION_UNITS;
	}
}

/* The node of the first RAM at or after the frame: whose memory the map there describes. */
static int map_node(pfn_t pfn)
{
	struct memblock_range range;
	phys_addr_t cursor = pfn_to_phys(pfn);

	return memblock_next_ram(&cursor, &range) ? range.nid : 0;
}

static void map_at(pfn_t pfn, phys_addr_t at, u64 map_bytes)
{
	if (arch_map_vmemmap((uintptr_t)pfn_to_page(pfn), at, map_bytes) != 0)
		os_panic("mm: cannot map the struct pages of pfn 0x%llx", (unsigned long long)pfn);
}

/* In memory of this node and no other. */
static bool map_on_node(pfn_t pfn, u64 map_bytes, u64 align_bytes, int nid)
{
	struct memblock_request request = {map_bytes, align_bytes, 0, nid, MEMBLOCK_STRUCT_PAGE};
	phys_addr_t at = memblock_alloc(&request);

	if (at == 0)
		return false;
	map_at(pfn, at, map_bytes);
	return true;
}

static void populate_unit(pfn_t pfn)
{
	const u64 pages_a_page = PAGE_SIZE / sizeof(struct page);
	int nid = map_node(pfn);

	if (map_on_node(pfn, UNIT_MAP_BYTES, PAGE_SIZE, nid))
		return;
	/* No 64 KiB of its node in one piece: page by page, at last from the nearest that has one. */
	for (pfn_t p = pfn; p < pfn + UNIT_PAGES; p += pages_a_page) {
		phys_addr_t at = numa_alloc_early(nid, PAGE_SIZE, PAGE_SIZE, MEMBLOCK_STRUCT_PAGE);

		if (at == 0)
			os_panic("mm: no memory for the struct pages of pfn 0x%llx",
				 (unsigned long long)p);
		map_at(p, at, PAGE_SIZE);
	}
}

/*
 * Is every unit of the section present, and all its RAM of one node? Then one large page may hold
 * its map. Small holes, such as the one below 1 MiB, do no harm.
 */
static bool section_is_uniform(u64 section)
{
	pfn_t start = section * SECTION_PAGES;
	phys_addr_t cursor = pfn_to_phys(start), end = pfn_to_phys(start + SECTION_PAGES);
	struct memblock_range range;
	int nid = map_node(start);

	if (section_present[section] != ~(u32)0)
		return false;
	while (memblock_next_ram(&cursor, &range) && range.base < end) {
		if (range.nid != nid)
			return false;
	}
	return true;
}

static void populate(void)
{
	for (u64 section = 0; section < nr_sections; section++) {
		pfn_t pfn = section * SECTION_PAGES;

		if (section_present[section] == 0)
			continue;
		if (section_is_uniform(section) &&
		    map_on_node(pfn, LARGE_PAGE_SIZE, LARGE_PAGE_SIZE, map_node(pfn)))
			continue;
		for (u32 unit = 0; unit < SECTION_UNITS; unit++) {
			if (section_present[section] >> unit & 1)
				populate_unit(pfn + unit * UNIT_PAGES);
		}
	}
}

/* --- Filling ------------------------------------------------------------------------------- */

/*
 * Writes the header of the frames [start, end), one word each, and nothing of the arms. The
 * builtin, because a freestanding compiler calls a function for plain memcpy(), once a frame.
 */
static void fill_headers(pfn_t start, pfn_t end, enum page_state state, int nid)
{
	while (start < end) {
		struct page header = {
			.state = (u8)state, .zone = (u8)pfn_zone_type(start), .nid = (u8)nid};
		/* Zone limits are multiples of a unit. */
		pfn_t stop = MIN(end, ALIGN_DOWN(start, UNIT_PAGES) + UNIT_PAGES);

		for (; start < stop; start++)
			__builtin_memcpy(pfn_to_page(start), &header,
					 offsetof(struct page, arm_words));
	}
}

/*
 * The holes that share a unit with RAM. Ranges come in order: between two of them are the rest of
 * the unit in which the one ended and the start of the unit in which the next begins.
 */
static void fill_holes(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;
	pfn_t filled = 0; /* every frame below that has a struct page is done */

	while (memblock_next_ram(&cursor, &range)) {
		pfn_t start = pfn_down(range.base);
		pfn_t rest_end = ALIGN_UP(filled, UNIT_PAGES);

		fill_headers(filled, MIN(start, rest_end), PAGE_HOLE, range.nid);
		fill_headers(MAX(rest_end, ALIGN_DOWN(start, UNIT_PAGES)), start, PAGE_HOLE,
			     range.nid);
		filled = pfn_down(range.end);
	}
	fill_headers(filled, ALIGN_UP(filled, UNIT_PAGES), PAGE_HOLE, 0);
}

void memmap_init(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	ASSERT_MSG(IS_ALIGNED(VMEMMAP_BASE, sizeof(struct page) << MAX_ORDER),
		   "the memory map at 0x%llx is not aligned to a block's part of it",
		   (unsigned long long)VMEMMAP_BASE);
	mark_present();
	populate();

	fill_holes();
	while (memblock_next_ram(&cursor, &range))
		fill_headers(pfn_down(range.base), pfn_down(range.end), PAGE_TAIL, range.nid);
}

/* --- Handing over to the buddy allocator --------------------------------------------------- */

/* The header is there since memmap_init(). */
static void reserve(pfn_t start, pfn_t end)
{
	for (; start < end; start++)
		pfn_to_page(start)->state = PAGE_RESERVED;
}

/* Donates the frames [start, end) in the largest aligned blocks that fit. */
static void donate(pfn_t start, pfn_t end)
{
	while (start < end) {
		u32 order = start ? MIN((u32)__builtin_ctzll(start), (u32)MAX_ORDER) : MAX_ORDER;
		struct page *page = pfn_to_page(start);

		while (start + ((u64)1 << order) > end)
			order--;
		buddy_donate(page_zone(page), page, order);
		start += (u64)1 << order;
	}
}

void memmap_hand_over(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next(&cursor, &range)) {
		if (range.reserved)
			reserve(pfn_down(range.base), pfn_down(range.end));
		else
			donate(pfn_down(range.base), pfn_down(range.end));
	}
	memblock_close();
}

const char *page_state_name(enum page_state state)
{
	static const char *const names[NR_PAGE_STATES] = {
		[PAGE_HOLE] = "hole",
		[PAGE_RESERVED] = "reserved",
		[PAGE_FREE] = "free",
		[PAGE_ALLOCATED] = "allocated",
		[PAGE_TAIL] = "inside a block",
		[PAGE_PCP] = "on a per-CPU list",
		[PAGE_CAPTURED] = "captured by a claim",
	};

	return state < NR_PAGE_STATES ? names[state] : "of unknown state";
}

/*
 * What a map of physical memory shows: views, keys, cells.
 *
 * A *view* is a question (whose? which zone? in which state?), a *key* one of its answers, with a
 * letter and a colour. Each frame has exactly one key in each view, so that the counts of a range
 * add up to its size, and those of all memory to the allocator's own figures. A *cell* is an equal,
 * aligned share of the range, a power of two of pages; it shows the key that most of its frames
 * have.
 *
 *	firmware's map   |avail|  |===== available =====|resv|      not RAM: its type says the key
 *	memblock         |f|     |kern|          |sp|               taken at boot: its owner
 *	buddy                ffff      ffAAfffffff  AA              the rest: in what block it is
 *	cells            |  .  |  .  |  .  |  .  |  .  |  .  |
 *
 * Who answers: mm/ for RAM that it has (memory_next(): one visit a block, and one a unit of 4 MiB
 * at least), the firmware's map for the rest. Struct pages are not touched one by one: 64 GiB that
 * are free in large blocks are 16384 visits.
 *
 * Another state, owner or view is a row in a table here; a state without a row shows as '?'.
 */
#include <kernel/map.h>

#include <arch/page.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/memory_map.h>
#include <kernel/screen.h>

/* --- By state ------------------------------------------------------------------------------ */

enum state_key {
	KEY_UNKNOWN, /* 0, so that what has no row in the tables below is seen */
	KEY_FREE,
	KEY_PER_CPU,
	KEY_CAPTURED,
	KEY_ALLOCATED,
	KEY_SLAB,
	KEY_KERNEL,
	KEY_STRUCT_PAGE,
	KEY_TABLES,
	KEY_FIRMWARE,
	KEY_BAD,
	KEY_UNUSED,
	KEY_NOTHING,
	NR_STATE_KEYS
};

static const struct map_key state_keys[NR_STATE_KEYS] = {
	[KEY_UNKNOWN] = {'?', COLOUR_RED, "of unknown state"},
	[KEY_FREE] = {'F', COLOUR_GREEN, "free"},
	[KEY_PER_CPU] = {'P', COLOUR_GREEN, "free, on a CPU's list"},
	[KEY_CAPTURED] = {'C', COLOUR_CYAN, "captured by a claim"},
	[KEY_ALLOCATED] = {'A', COLOUR_YELLOW, "allocated"},
	[KEY_SLAB] = {'O', COLOUR_YELLOW, "of slabs and kmalloc"},
	[KEY_KERNEL] = {'K', COLOUR_BLUE, "kernel, from boot on"},
	[KEY_STRUCT_PAGE] = {'S', COLOUR_CYAN, "struct page"},
	[KEY_TABLES] = {'T', COLOUR_MAGENTA, "ACPI tables"},
	[KEY_FIRMWARE] = {'R', COLOUR_RED, "the firmware's"},
	[KEY_BAD] = {'B', COLOUR_RED, "bad memory"},
	[KEY_UNUSED] = {'U', COLOUR_WHITE, "RAM not used"},
	[KEY_NOTHING] = {'.', COLOUR_DIM, "nothing"},
};

/* Of managed memory, by the state of the block. */
static const u8 page_state_keys[NR_PAGE_STATES] = {
	[PAGE_FREE] = KEY_FREE,
	[PAGE_ALLOCATED] = KEY_ALLOCATED,
	[PAGE_PCP] = KEY_PER_CPU,
	[PAGE_CAPTURED] = KEY_CAPTURED,
};

/* Of what was taken at boot, by the owner. */
static const u8 owner_keys[MEMBLOCK_NR_OWNERS] = {
	[MEMBLOCK_FIRST_PAGE] = KEY_KERNEL,   [MEMBLOCK_TRAMPOLINE] = KEY_KERNEL,
	[MEMBLOCK_KERNEL_IMAGE] = KEY_KERNEL, [MEMBLOCK_BOOT_INFO] = KEY_KERNEL,
	[MEMBLOCK_ACPI] = KEY_TABLES,         [MEMBLOCK_PAGE_TABLES] = KEY_KERNEL,
	[MEMBLOCK_STACKS] = KEY_KERNEL,       [MEMBLOCK_NODE_DATA] = KEY_KERNEL,
	[MEMBLOCK_PER_CPU] = KEY_KERNEL,      [MEMBLOCK_STRUCT_PAGE] = KEY_STRUCT_PAGE,
	[MEMBLOCK_OTHER] = KEY_KERNEL,
};

/* Of what mm/ does not have, by the firmware's type. */
static const u8 firmware_keys[] = {
	[0] = KEY_NOTHING,
	[BOOT_MEM_AVAILABLE] = KEY_UNUSED,
	[BOOT_MEM_RESERVED] = KEY_FIRMWARE,
	[BOOT_MEM_ACPI_RECLAIM] = KEY_TABLES,
	[BOOT_MEM_ACPI_NVS] = KEY_TABLES,
	[BOOT_MEM_BAD] = KEY_BAD,
};

static void state_describe(u32 key, struct map_key *out)
{
	*out = state_keys[key];
}

static void state_count(const struct memory_piece *piece, u64 *counts)
{
	if (piece->reserved) {
		counts[owner_keys[piece->owner]] += piece->end - piece->start;
		return;
	}
	for (u32 state = 0; state < NR_PAGE_STATES; state++)
		counts[page_state_keys[state]] += piece->pages[state];
	counts[KEY_ALLOCATED] -= piece->slab_pages;
	counts[KEY_SLAB] += piece->slab_pages;
}

static u32 state_outside(u32 firmware_type)
{
	/* Other types are some firmware's own, and none of them RAM. */
	return firmware_type < ARRAY_SIZE(firmware_keys) ? firmware_keys[firmware_type]
							 : KEY_FIRMWARE;
}

/* Blocks become visible: a free one begins with its order, and only a first page is a capital. */
static char state_page_letter(pfn_t pfn, char letter)
{
	struct page_snapshot page;

	if (!page_snapshot(pfn, &page) || page.head_pfn == NO_PFN)
		return letter;
	if (page.head_pfn != pfn)
		return map_mixed_letter(letter);
	return page.head_state == PAGE_FREE ? "0123456789X"[page.order] : letter;
}
_Static_assert(MAX_ORDER == 10, "a letter for each order");

/* --- By node and by zone ------------------------------------------------------------------- */

static const char *const palette[] = {COLOUR_GREEN, COLOUR_YELLOW,  COLOUR_CYAN,
				      COLOUR_BLUE,  COLOUR_MAGENTA, COLOUR_RED};

/* Node 0 is A. Letters come again after Z: the legend says which nodes are shown. */
static void node_describe(u32 key, struct map_key *out)
{
	*out = state_keys[KEY_NOTHING];
	if (key == MAX_NUMNODES) {
		snprintf(out->name, sizeof(out->name), "no node");
		return;
	}
	out->letter = (char)('A' + key % 26);
	out->colour = palette[key % ARRAY_SIZE(palette)];
	snprintf(out->name, sizeof(out->name), "node %u", key);
}

static void node_count(const struct memory_piece *piece, u64 *counts)
{
	counts[piece->nid] += piece->end - piece->start;
}

static u32 node_outside(u32 firmware_type)
{
	(void)firmware_type;
	return MAX_NUMNODES;
}

static void zone_describe(u32 key, struct map_key *out)
{
	static const char letters[MAX_NR_ZONES] = {'D', 'T', 'N'}; /* T: thirty-two bits */

	*out = state_keys[KEY_NOTHING];
	if (key == MAX_NR_ZONES) {
		snprintf(out->name, sizeof(out->name), "no zone");
		return;
	}
	out->letter = letters[key];
	out->colour = palette[key % ARRAY_SIZE(palette)];
	snprintf(out->name, sizeof(out->name), "zone %s", zone_type_name((enum zone_type)key));
}

static void zone_count(const struct memory_piece *piece, u64 *counts)
{
	counts[piece->zone] += piece->end - piece->start;
}

static u32 zone_outside(u32 firmware_type)
{
	(void)firmware_type;
	return MAX_NR_ZONES;
}

/* The first is the default. */
const struct map_view map_views[] = {
	{"state", NR_STATE_KEYS, state_describe, state_count, state_outside, state_page_letter,
	 "0-9 X: first page of a free block of that order; lower case: inside a block"},
	{"node", MAX_NUMNODES + 1, node_describe, node_count, node_outside, NULL, NULL},
	{"zone", MAX_NR_ZONES + 1, zone_describe, zone_count, zone_outside, NULL, NULL},
};
const u32 nr_map_views = ARRAY_SIZE(map_views);

_Static_assert(NR_STATE_KEYS <= MAP_MAX_KEYS, "counts have room for each state");

const struct map_view *map_find_view(const char *name)
{
	for (u32 i = 0; i < nr_map_views; i++)
		if (strcmp(map_views[i].name, name) == 0)
			return &map_views[i];
	return NULL;
}

/* --- Ranges and cells ---------------------------------------------------------------------- */

bool map_next_ram(pfn_t *cursor, pfn_t end, pfn_t *ram_start, pfn_t *ram_end)
{
	struct memory_map_range range;
	phys_addr_t at = pfn_to_phys(*cursor);

	if (*cursor >= end || !memory_map_next(&machine_memory_map, &at, &range) ||
	    pfn_down(range.base) >= end)
		return false;
	*ram_start = pfn_down(range.base);
	*ram_end = MIN(pfn_down(range.end), end);
	*cursor = *ram_end;
	return true;
}

void map_whole_range(pfn_t *start, pfn_t *end)
{
	const pfn_t top = (pfn_t)1 << (PHYS_ADDR_BITS_MAX - PAGE_SHIFT);
	pfn_t cursor = 0, ram_start;

	*start = *end = 0;
	while (map_next_ram(&cursor, top, &ram_start, end))
		;
}

/* Lines that the range takes with rows of so many pages: rows with RAM, and the runs between. */
static u64 count_lines(pfn_t start, pfn_t end, u64 row_pages)
{
	pfn_t cursor = start, ram_start, ram_end;
	u64 rows = DIV_ROUND_UP(end - start, row_pages);
	u64 lines = 0, done = 0; /* rows below `done` are counted */

	while (map_next_ram(&cursor, end, &ram_start, &ram_end)) {
		u64 first = (ram_start - start) / row_pages;
		u64 last = (ram_end - 1 - start) / row_pages;

		if (first > done)
			lines++;
		first = MAX(first, done);
		lines += last + 1 - MIN(first, last + 1);
		done = last + 1;
	}
	return lines + (rows > done);
}

u32 map_cell_order(pfn_t start, pfn_t end)
{
	u32 order = 0;

	while (order < PHYS_ADDR_BITS_MAX - PAGE_SHIFT &&
	       count_lines(ALIGN_DOWN(start, (pfn_t)1 << order), end, (u64)MAP_COLUMNS << order) >
		       MAP_LINES)
		order++;
	return order;
}

/* --- Counting ------------------------------------------------------------------------------ */

static void count_outside(const struct map_view *view, pfn_t start, pfn_t end, u64 *counts)
{
	while (start < end) {
		pfn_t next;
		u32 type = memory_map_type(&machine_memory_map, start, &next);

		next = MIN(next, end);
		counts[view->outside(type)] += next - start;
		start = next;
	}
}

void map_count(const struct map_view *view, pfn_t start, pfn_t end, u64 *counts)
{
	struct memory_piece piece;
	pfn_t cursor = start;

	while (memory_next(&cursor, end, &piece)) {
		count_outside(view, start, piece.start, counts);
		view->count(&piece, counts);
		start = piece.end;
	}
	count_outside(view, start, end, counts);
}

u32 map_majority(const struct map_view *view, const u64 *counts, bool *mixed)
{
	u32 most = 0, present = 0;

	for (u32 key = 0; key < view->nr_keys; key++) {
		present += counts[key] > 0;
		if (counts[key] > counts[most])
			most = key;
	}
	*mixed = present > 1;
	return most;
}

char map_mixed_letter(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return (char)(letter - 'A' + 'a');
	return letter == '.' ? ',' : letter;
}

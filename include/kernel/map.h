/*
 * A map of physical memory: what the frames of a range are, summed by cell. See kernel/map.c.
 */
#ifndef KERNEL_MAP_H
#define KERNEL_MAP_H

#include <mm/inspect.h>
#include <mm/numa.h>

#define MAP_COLUMNS  64 /* cells in a row */
#define MAP_LINES    18 /* rows and folded spaces, at most */
#define MAP_MAX_KEYS (MAX_NUMNODES + 1)

/* What a frame can be in a view: the letter is a capital for a cell of nothing else. */
struct map_key {
	char letter;
	const char *colour;
	char name[24];
};

/* A way to look at memory. Every frame has exactly one key. */
struct map_view {
	const char *name; /* for by= */
	u32 nr_keys;      /* at most MAP_MAX_KEYS */
	void (*describe)(u32 key, struct map_key *out);
	/* Adds the frames of a piece of RAM, each to the count of its key. */
	void (*count)(const struct memory_piece *piece, u64 *counts);
	/* The key of what the memory manager does not have, by the firmware's type (0: nothing). */
	u32 (*outside)(u32 firmware_type);
	/* At one page a cell: that page's letter, and a line that explains it. NULL: as ever. */
	char (*page_letter)(pfn_t pfn, char letter);
	const char *page_legend;
};
extern const struct map_view map_views[];
extern const u32 nr_map_views;
const struct map_view *map_find_view(const char *name);

/* From 0 to the end of RAM, used or not. */
void map_whole_range(pfn_t *start, pfn_t *end);
/* RAM of the firmware's map in [*cursor, end): the next piece, cut to it. False: no more. */
bool map_next_ram(pfn_t *cursor, pfn_t end, pfn_t *ram_start, pfn_t *ram_end);
/*
 * The smallest cell, as 1 << order pages, at which the range fits MAP_LINES lines. Rows without
 * RAM fold into one line for each run of them.
 */
u32 map_cell_order(pfn_t start, pfn_t end);

/* Adds each frame of [start, end) to the count of its key. Visits each block of the buddy once. */
void map_count(const struct map_view *view, pfn_t start, pfn_t end, u64 *counts);
/* The key with most frames (the first of several); *mixed: it is not the only one. */
u32 map_majority(const struct map_view *view, const u64 *counts, bool *mixed);
/* The letter for a cell of mixed content. */
char map_mixed_letter(char letter);

#endif

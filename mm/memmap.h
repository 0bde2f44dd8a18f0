/*
 * Building the memory map and giving the free frames to the buddy allocator. Boot only.
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H

#include <mm/page.h>

/*
 * The map is populated by units, blocks of the largest order; a section's word has a bit for each of
 * its units. Constant after memmap_init(). Here for the free path: see pfn_valid().
 */
#define UNIT_PAGES    MAX_BLOCK_PAGES
#define SECTION_UNITS 32u
#define SECTION_PAGES (SECTION_UNITS * UNIT_PAGES)
extern u32 *section_present;
extern u64 nr_sections;

static inline bool memmap_covers(pfn_t pfn)
{
	u64 section = pfn / SECTION_PAGES;

	return section < nr_sections &&
	       (section_present[section] >> (pfn / UNIT_PAGES % SECTION_UNITS) & 1);
}

/* Populates and fills the map; every RAM frame is TAIL until memmap_hand_over(). */
void memmap_init(void);
/* Marks what memblock has reserved, donates the rest, and closes memblock. */
void memmap_hand_over(void);

#endif

/*
 * Giving pages back, private to mm/. Theory in mm/page_free.c.
 */
#ifndef MM_PAGE_FREE_H
#define MM_PAGE_FREE_H

#include "zone.h"

/*
 * Frees a page of order 0 past the CPU's lists: whoever looks at the zone's count of free pages next sees it
 * there. As __free_pages() otherwise. Any context.
 */
void page_free_to_zone(struct page *page);

#endif
